"""The checks of both topics at start: what is refused, and what is warned of."""

from collections.abc import Iterator

import pytest
from loguru import logger

from runtime.connect.broker import TopicFacts
from runtime.connect.topics import check
from runtime.errors import Misconfigured

DAY = 86_400_000
USUAL = {
    "cleanup.policy": "delete",
    "retention.ms": f"{7 * DAY}",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
}


def facts(name: str, partitions: int = 3, **changed: str) -> TopicFacts:
    """What a broker says of a topic."""
    return TopicFacts(name, partitions, USUAL | {key.replace("_", "."): value for key, value in changed.items()})


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    found: list[str] = []
    sink = logger.add(lambda line: found.append(str(line).strip()), format="{level} {message}")
    yield found
    logger.remove(sink)


@pytest.mark.parametrize("policy", ["compact", "compact,delete", "delete,compact"])
def test_compacted(policy: str) -> None:
    """A compacted output topic is refused, whatever else cleans it; the line has its name and what is allowed."""
    with pytest.raises(Misconfigured, match=rf"'out'.*cleanup\.policy={policy}.*allowed: cleanup\.policy=delete"):
        check(facts("in"), facts("out", cleanup_policy=policy))


def test_same_topic() -> None:
    """An output that is the input, once all names are resolved, is refused."""
    with pytest.raises(Misconfigured, match="the same topic, 'in': give `output` another name"):
        check(facts("in"), facts("in"))


@pytest.mark.parametrize(("source", "target"), [(2, 1), (4, 2), (100, 99)])
def test_too_few_partitions(source: int, target: int) -> None:
    """An output topic with fewer partitions than the input is refused; the line has both names and both counts."""
    said = rf"'out' has too few partitions \({target}\).*'in' has {source}; add partitions"
    with pytest.raises(Misconfigured, match=said):
        check(facts("in", source), facts("out", target))


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
    ],
)
def test_fit(lines: list[str], source: TopicFacts, target: TopicFacts) -> None:
    """Topics that fit give no warning; what the input topic is like, or the output keeps longer, does no harm."""
    check(source, target)

    assert lines == []


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (facts("in"), facts("out", retention_ms=f"{DAY}"), ["out", f"retention.ms={DAY}", f"in ({7 * DAY})", "expire"]),
        (facts("in", retention_ms="-1"), facts("out"), ["out", f"retention.ms={7 * DAY}", "in (-1)", "expire"]),
        (facts("in"), facts("out", message_timestamp_type="LogAppendTime"), ["out", "replaces the timestamps"]),
    ],
)
def test_warning(lines: list[str], source: TopicFacts, target: TopicFacts, said: list[str]) -> None:
    """What a reader of the output would not expect is one warning that has the topics' names and figures."""
    check(source, target)

    (line,) = lines
    assert line.startswith("WARNING ")
    for text in said:
        assert text in line


def test_all_warnings(lines: list[str]) -> None:
    """Each trouble has a line of its own."""
    check(facts("in"), facts("out", retention_ms="1", message_timestamp_type="LogAppendTime"))

    assert len(lines) == 2
