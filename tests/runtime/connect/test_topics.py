"""The checks of both topics at start: errors and warnings."""

import pytest

from runtime.connect.topic_facts import TopicFacts
from runtime.connect.topics import LEAST_DEAD_LETTER_BYTES, check_dead_letters_fit, check_topics_fit
from runtime.errors import Misconfigured

DAY = 86_400_000
USUAL = {
    "cleanup.policy": "delete",
    "retention.ms": f"{7 * DAY}",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
}


def facts(name: str, partitions: int = 3, **changed: str) -> TopicFacts:
    """A topic's facts, with usual settings except these."""
    return TopicFacts(name, partitions, USUAL | {key.replace("_", "."): value for key, value in changed.items()})


@pytest.mark.parametrize("policy", ["compact", "compact,delete", "delete,compact"])
def test_compacted(policy: str) -> None:
    """A compacted output topic is refused, with any other policy, too. The line has its name and what to set."""
    with pytest.raises(Misconfigured, match=rf"'out'.*cleanup\.policy={policy}.*set cleanup\.policy=delete"):
        check_topics_fit(facts("in"), facts("out", cleanup_policy=policy))


def test_same_topic() -> None:
    """An output topic that is the input topic, after Quix Cloud has resolved the names, is refused."""
    with pytest.raises(Misconfigured, match=r"output must differ from input \(both are 'in'\)"):
        check_topics_fit(facts("in"), facts("in"))


@pytest.mark.parametrize(("source", "target"), [(2, 1), (4, 2), (100, 99)])
def test_too_few_partitions(source: int, target: int) -> None:
    """An output topic with fewer partitions than the input is refused. The line has both names and both counts."""
    said = rf"'out' has too few partitions \({target}\).*'in' has {source}; add partitions"
    with pytest.raises(Misconfigured, match=said):
        check_topics_fit(facts("in", source), facts("out", target))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (facts("in"), facts("out")),
        (facts("in", cleanup_policy="compact"), facts("out")),
        (facts("in"), facts("out", retention_ms=f"{8 * DAY}")),
        (facts("in"), facts("out", retention_ms="-1")),
        (facts("in", retention_ms="-1"), facts("out", retention_ms="-1")),
        (facts("in", max_message_bytes="9000000"), facts("out")),
        (facts("in", message_timestamp_type="LogAppendTime"), facts("out")),
        (facts("in", 3), facts("out", 5)),
        (facts("in", retention_ms="unknown"), facts("out")),
        (facts("in"), facts("out", retention_ms="unknown")),
    ],
)
def test_fit(lines: list[str], source: TopicFacts, target: TopicFacts) -> None:
    """Suitable topics give no warning, and the input topic's settings do not matter."""
    check_topics_fit(source, target)

    assert lines == []


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (
            facts("in"),
            facts("out", retention_ms=f"{DAY}"),
            [f"retention.ms of out ({DAY})", f"of in ({7 * DAY})", "expire"],
        ),
        (facts("in", retention_ms="-1"), facts("out"), [f"retention.ms of out ({7 * DAY})", "of in (-1)", "expire"]),
        (facts("in"), facts("out", message_timestamp_type="LogAppendTime"), ["out", "replaces the timestamps"]),
        (facts("in"), facts("out", max_message_bytes="unknown"), ["max.message.bytes of out", "default, 1048588"]),
        (facts("in"), TopicFacts("out", 3, {}), ["max.message.bytes of out"]),
    ],
)
def test_warning(lines: list[str], source: TopicFacts, target: TopicFacts, said: list[str]) -> None:
    """A surprising setting gives one warning with the topics' names and figures."""
    check_topics_fit(source, target)

    (line,) = lines
    assert line.startswith("WARNING ")
    for text in said:
        assert text in line


def test_all_warnings(lines: list[str]) -> None:
    """Each problem has its own line."""
    check_topics_fit(facts("in"), facts("out", retention_ms="1", message_timestamp_type="LogAppendTime"))

    assert len(lines) == 2


@pytest.mark.parametrize(
    ("dead_letter", "said"),
    [
        (facts("in"), r"dead_letter must differ from input and output \(it is 'in'\)"),
        (facts("out"), r"dead_letter must differ from input and output \(it is 'out'\)"),
        (facts("dead", cleanup_policy="compact"), r"the dead-letter topic 'dead' is compacted"),
        (facts("dead", 2), r"the dead-letter topic 'dead' has too few partitions \(2\).*'in' has 3"),
        (
            facts("dead", max_message_bytes=f"{LEAST_DEAD_LETTER_BYTES - 1}"),
            "set its max.message.bytes to 4096 or more",
        ),
    ],
)
def test_unsuitable_dead_letters(dead_letter: TopicFacts, said: str) -> None:
    """A dead-letter topic that is another one, would lose records, or has no room for a stub is refused."""
    with pytest.raises(Misconfigured, match=said):
        check_dead_letters_fit(facts("in"), facts("out"), dead_letter)


def test_suitable_dead_letters(lines: list[str]) -> None:
    """A suitable one gives no warning, but a short retention gives one."""
    check_dead_letters_fit(facts("in"), facts("out"), facts("dead", max_message_bytes=f"{LEAST_DEAD_LETTER_BYTES}"))
    assert lines == []
    check_dead_letters_fit(facts("in"), facts("out"), facts("dead", retention_ms="1"))
    assert "retention.ms of dead (1)" in lines[0]
