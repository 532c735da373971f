"""`python pipeline.py replay` on a real Kafka: what it sends back, what it leaves, and how it ends."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime import limits
from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.process import Pipelines, group_of
from tests.tools.replay.conftest import RunReplay
from tests.tools.replay.records import MOMENT, dead_letter, originals, replayed
from tools.replay.command import main
from transforms import Reason

REASONS = [Reason.INVALID_JSON, Reason.INVALID_UTF8, Reason.EMPTY_VALUE]
Pair = tuple[str, str]


@pytest.fixture
def pair(topics: Callable[..., str]) -> Pair:
    """An input topic and a dead-letter topic, with two partitions."""
    return topics("in", 2), topics("dead", 2)


def send_dead_letters(kafka: Kafka, pair: Pair, count: int = 12, partitions: int = 2) -> list[Record]:
    """Write dead letters, whose reasons take turns, to both partitions, and return the originals."""
    source, dead = pair
    records = originals(count, partitions)
    kafka.produce(dead, [dead_letter(source, one, REASONS[n % 3]) for n, one in enumerate(records)])
    return records


def by_time(records: Iterable[Record]) -> list[Record]:
    """Sort records, each of which has a time of its own."""
    return sorted(records, key=lambda one: one.timestamp)


def edits(folder: Path, *lines: object) -> str:
    """A file for --edit with these lines."""
    file = folder / "edits.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    return str(file)


def edit(partition: int, offset: int, value: str = "{}") -> dict[str, object]:
    """A line of that file."""
    return {"partition": partition, "offset": offset, "value": value}


def test_all(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """Each original is in the input once, in its partition, with key, time and headers. A second call adds none."""
    records = send_dead_letters(kafka, pair)
    first, second = replay(*pair), replay(*pair)
    assert (first.code, first.sent, first.report["complete"]) == (0, 12, True)
    assert first.report["reasons"] == {
        str(reason): {"sent": 4, "max_attempts": 0, "stub": 0, "too_large": 0, "not_asked": 0} for reason in REASONS
    }
    assert (second.code, second.sent, second.report["reasons"]) == (0, 0, {})
    assert kafka.read(pair[0], 12) == replayed(records)


def test_null(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """Null keys and values are sent back as such, and headers that a producer sent twice stay so."""
    record = Record(None, None, [("a", None), ("a", b"")], MOMENT, 1, 7)
    kafka.produce(pair[1], [dead_letter(pair[0], record, Reason.NULL_VALUE)])
    assert replay(*pair).sent == 1
    assert kafka.read(pair[0], 1) == replayed([record])


FILTERS = [
    ["--reason invalid_json", "--reason invalid_utf8 --reason empty_value"],
    ["--limit 5", "--limit 1", "--limit 6", "--limit 1"],
    ["--reason empty_value --limit 3", "--limit 2", "--reason invalid_utf8", ""],
    ["--limit 7 --rate 1000", "--reason invalid_json", "--max-attempts 1"],
    ["--max-attempts 0", "--reason invalid_utf8 --max-attempts 0", ""],
]


@pytest.mark.parametrize(
    "calls", [FILTERS[0], *(pytest.param(one, marks=pytest.mark.long) for one in FILTERS[1:])], ids=str
)
def test_filters(kafka: Kafka, pair: Pair, replay: RunReplay, calls: list[str]) -> None:
    """What the filters of a call leave out is there for later calls, and no call sends what another one has sent."""
    records = send_dead_letters(kafka, pair)
    ended = [replay(*pair, *options.split()) for options in calls]
    assert [one.code for one in ended] == [0] * len(calls)
    assert sum(one.sent for one in ended) == 12
    assert by_time(kafka.read(pair[0], 12)) == by_time(replayed(records))


def test_reasons(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """--reason sends those of these reasons only, and counts the others."""
    send_dead_letters(kafka, pair)
    shown = replay(*pair, "--reason", "invalid_json", "--reason", "empty_value")
    assert {reason: counts["sent"] for reason, counts in shown.report["reasons"].items()} == {
        **dict.fromkeys(("invalid_json", "empty_value"), 4),
        "invalid_utf8": 0,
    }
    assert shown.counts("sent", "not_asked") == [8, 4]
    committed = [kafka.committed(f"group-{pair[0]}-replay-{reason}", pair[1]) for reason in REASONS]
    assert committed == [{0: 6, 1: 6}, {}, {0: 6, 1: 6}]


def test_max_attempts(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """A record that came back --max-attempts times stays, and a later call with a higher number sends it."""
    source, dead = pair
    records = [replace(one, headers=[("replay.attempt", b"%d" % n)]) for n, one in enumerate(originals(6, 2))]
    kafka.produce(dead, [dead_letter(source, one) for one in records])
    assert [(each.sent, each.counts("max_attempts")) for each in (replay(*pair), replay(*pair))] == [(3, [3]), (0, [3])]
    shown = replay(*pair, "--max-attempts", "5")
    assert (shown.sent, shown.counts("max_attempts")) == (2, [1])
    assert shown.report["examples"]["max_attempts"] == [f"{dead}[1]@2 ({source}[1]@2)"]
    assert sorted((dict(one.headers) for one in kafka.read(source, 5)), key=repr) == [
        {"replay.attempt": b"%d" % n} for n in range(1, 6)
    ]


@pytest.mark.long
def test_comes_back(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, replay: RunReplay) -> None:
    """With a pipeline, a malformed record comes back, and stays after three attempts. A corrected one passes."""
    source, target, dead = topics("in"), topics("out"), topics("dead")
    kafka.produce(source, [Record(value=b"no JSON"), Record(value=b"none")])
    pipelines.start(source, target, dead_letter=dead)
    for attempt in range(4):
        kafka.read(dead, 2 * (attempt + 1))
        shown = replay(source, dead, output=target, Quix__Consumer_Group=group_of(source))
        assert shown.counts("sent", "max_attempts") == ([2, 0] if attempt < 3 else [0, 2])
    assert [one.value for one in kafka.read(source, 8)] == [b"no JSON", b"none"] * 4


def test_edit(kafka: Kafka, pair: Pair, replay: RunReplay, tmp_path: Path) -> None:
    """--edit sends only what it lists, with its values. What it does not list is there for later calls."""
    records = send_dead_letters(kafka, pair)
    listed = {(0, 4): '{"device_type":"é"}', (1, 0): "", (1, 5): "x"}
    file = edits(tmp_path, *({**edit(*place, value), "topic": pair[1]} for place, value in listed.items()))
    shown = replay(*pair, "--edit", file)
    assert (shown.code, shown.sent, shown.report["edits_not_sent"]) == (0, 3, {})
    again = replay(*pair, "--edit", file)
    assert again.sent == 0
    assert again.report["edits_not_sent"] == {"sent before": [f"{pair[1]}[{p}]@{o}" for p, o in sorted(listed)]}
    assert [replay(*pair, "--reason", reason).sent for reason in REASONS] == [4, 3, 2]
    values = {(one.partition, one.offset): one.value for one in records}
    values |= {place: value.encode() for place, value in listed.items()}
    expected = replayed([replace(one, value=values[one.partition, one.offset]) for one in records])
    assert by_time(kafka.read(pair[0], 12)) == by_time(expected)


@pytest.mark.long
def test_edit_not_sent(kafka: Kafka, pair: Pair, replay: RunReplay, tmp_path: Path) -> None:
    """A place that --edit lists and that is not sent is reported, with the reason."""
    source, dead = pair
    send_dead_letters(kafka, pair)
    large = Record(value=b"x" * 5000, offset=40)
    kafka.produce(dead, [Record(value=b"foreign"), dead_letter(source, large, limit=3000)])
    places = [(0, 0), (0, 1), (0, 6), (0, 7), (0, 99), (1, 1), (7, 0)]
    file = edits(tmp_path, *(edit(*place) for place in places))
    shown = replay(*pair, "--edit", file, "--reason", "invalid_json", "--reason", "too_large", "--limit", "1")
    names = {place: f"{dead}[{place[0]}]@{place[1]}" for place in places}
    assert shown.sent == 1
    assert shown.report["edits_not_sent"] == {
        "not reached": [names[each] for each in [(0, 1), (0, 6), (0, 7), (1, 1)]],
        "no dead letter there": [names[0, 99], names[7, 0]],
    }
    shown = replay(*pair, "--edit", file, "--reason", "empty_value", "--reason", "too_large")
    assert shown.sent == 1
    assert shown.report["edits_not_sent"] == {
        "sent before": [names[0, 0]],
        "stub": [names[0, 7]],
        "not asked": [names[1, 1]],
        "no dead letter there": [names[0, 6], names[0, 99], names[7, 0]],
    }


def test_wrong_edit(pair: Pair, replay: RunReplay, tmp_path: Path) -> None:
    """A wrong line of the file ends with 78 and its number."""
    code, _, (line,) = replay(*pair, "--edit", edits(tmp_path, edit(0, 1), "x"))
    check_row("Tools", "replay: a wrong line in the file of --edit", code, line)


def test_stubs_and_foreign(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """Stubs and records that are no dead letters of this pipeline are counted and left. Stubs are named."""
    source, dead = pair
    large = Record(b"k", b"x" * 5000, partition=1, offset=40)
    foreign = [Record(value=b"{}", headers=[("malformed", b"x")]), Record(None, None), dead_letter("other", large)]
    fits = dead_letter(source, replace(large, value=b"x" * 900), Reason.TOO_LARGE, limit=3000)
    kafka.produce(dead, [*foreign, dead_letter(source, large, limit=3000), fits])
    shown = replay(*pair)
    assert (shown.code, shown.sent, shown.report["foreign"]) == (0, 1, 3)
    assert shown.report["reasons"]["too_large"] == {
        "sent": 1,
        "stub": 1,
        **dict.fromkeys(("max_attempts", "too_large", "not_asked"), 0),
    }
    assert shown.report["examples"]["stub"] == [f"{dead}[1]@1 ({source}[1]@40)"]
    assert [one.value for one in kafka.read(source, 1)] == [b"x" * 900]


def test_dry_run(kafka: Kafka, pair: Pair, replay: RunReplay, capsys: pytest.CaptureFixture[str]) -> None:
    """--dry-run reports what a replay then does, and sends and commits nothing."""
    send_dead_letters(kafka, pair)
    options = ["--reason", "invalid_json", "--limit", "3"]
    shown = replay(*pair, *options, "--dry-run")
    assert (shown.code, shown.sent, shown.report["dry_run"]) == (0, 3, True)
    assert kafka.committed(f"group-{pair[0]}-replay-invalid_json", pair[1]) == {}
    assert set(kafka.end_offsets(pair[0]).values()) == {0}
    done = replay(*pair, *options)
    assert done.report["reasons"] == shown.report["reasons"]
    assert main(["--dry-run"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["reason", "would", "send", "max", "attempts", "stub", "too", "large", "not", "asked"]
    assert table[-2].split() == ["all", "9", "0", "0", "0", "0"]
    assert table[-1].startswith(f"would send 9 records back to {pair[0]} (")


def test_table(kafka: Kafka, pair: Pair, replay: RunReplay, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json it prints a table, and lines about what the user should look at."""
    source, dead = pair
    many = replace(originals(1)[0], headers=[("replay.attempt", b"3")])
    kafka.produce(dead, [Record(value=b"foreign"), *[dead_letter(source, many)] * 21])
    replay(*pair, "--dry-run")
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["invalid_json", "0", "21", "0", "0", "0"],
        ["all", "0", "21", "0", "0", "0"],
    ]
    assert lines[3].startswith(f"left, came back as often as --max-attempts allows: {dead}[0]@1 ({source}[0]@0), ")
    assert lines[3].endswith(", ...")
    assert lines[4] == "left, no dead letters of this pipeline: 1"
    assert lines[5].startswith(f"sent 0 records back to {source} (")


def test_progress_bar(kafka: Kafka, pair: Pair, replay: RunReplay, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, standard error has a progress bar. Otherwise it has only the log."""
    send_dead_letters(kafka, pair)
    assert "replaying" not in "".join(replay(*pair, "--dry-run").err)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert "replaying" in "".join(replay(*pair, "--rate", "10").err)


@pytest.mark.long
def test_rate(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """--rate limits the records per second."""
    send_dead_letters(kafka, pair, 60)
    began = time.monotonic()
    assert replay(*pair, "--rate", "40").sent == 60
    assert time.monotonic() - began >= 59 / 40


@pytest.mark.long
def test_batches(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """More records than one transaction takes are sent once each, in order."""
    records = send_dead_letters(kafka, pair, 5_000)
    assert replay(*pair).sent == 5_000
    assert kafka.read(pair[0], 5_000) == replayed(records)


@pytest.mark.long
def test_slow_commits(kafka: Kafka, pair: Pair, replay: RunReplay, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a commit that may have been repeated, a new producer continues, and each record is sent once."""
    monkeypatch.setattr(limits, "REQUEST_MAY_REPEAT_AFTER", -1)
    records = send_dead_letters(kafka, pair, 300)
    assert replay(*pair, "--rate", "100").sent == 300
    assert kafka.read(pair[0], 300) == replayed(records)


def test_timestamps(kafka: Kafka, topics: Callable[..., str], replay: RunReplay) -> None:
    """If the input topic refuses a timestamp, the record gets the time of producing."""
    source, dead = topics("in", config={"message.timestamp.before.max.ms": "3600000"}), topics("dead")
    began = int(time.time() * 1000)
    kafka.produce(dead, [dead_letter(source, one) for one in originals(2)])
    assert replay(source, dead).sent == 2
    assert all(one.timestamp >= began for one in kafka.read(source, 2))


def test_too_large(kafka: Kafka, topics: Callable[..., str], replay: RunReplay, tmp_path: Path) -> None:
    """A record that the input topic does not take is left, the others are sent, and the exit code is 70."""
    source, dead = topics("in", config={"max.message.bytes": "2000"}), topics("dead")
    kafka.produce(dead, [dead_letter(source, one) for one in originals(3)])
    file = edits(tmp_path, edit(0, 0), edit(0, 1, "x" * 3000))
    shown = replay(source, dead, "--edit", file)
    assert shown.counts("sent", "too_large") == [1, 1]
    assert shown.report["edits_not_sent"] == {"too large": [f"{dead}[0]@1"]}
    check_row("Tools", "replay: a value of --edit that is too large", shown.code, shown.err[-1], {source: "in"})
    assert replay(source, dead).sent == 2
    assert len(kafka.read(source, 3)) == 3


def test_refused(kafka: Kafka, topics: Callable[..., str], replay: RunReplay) -> None:
    """If the broker refuses a record, the transaction is aborted, the line says why, and nothing is lost."""
    source, dead = topics("in", config={"cleanup.policy": "compact"}), topics("dead")
    records = originals(3)
    kafka.produce(dead, [dead_letter(source, replace(one, key=None)) for one in records])
    shown = replay(source, dead)
    assert (shown.sent, shown.report["complete"]) == (0, False)
    replace_names = {source: "in", dead: "dead"}
    check_row("Tools", "replay: the input topic refuses a record", shown.code, shown.err[-1], replace_names)
    assert kafka.read(source, 0) == []
    kafka.alter_topic(source, "cleanup.policy", "delete")
    assert replay(source, dead).sent == 3


@pytest.mark.long
def test_deleted(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """If retention has deleted dead letters, it begins at the earliest that is left, and says so."""
    send_dead_letters(kafka, pair)
    assert replay(*pair, "--limit", "1").sent == 1
    kafka.delete_records(pair[1], 4, 0)
    shown = replay(*pair)
    assert shown.sent == 2 + 6
    assert any(f"dead letters before {pair[1]}[0]@4 have expired" in line for line in shown.err)
    assert replay(*pair).err == []


@pytest.mark.long
def test_created_again(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """If the dead-letter topic was deleted and created again, it begins at its beginning, and says so."""
    send_dead_letters(kafka, pair)
    assert replay(*pair).sent == 12
    source, group = pair[0], f"group-{pair[0]}-replay-invalid_json"
    kafka.commit(group, pair[1], 999)
    kafka.commit(group, pair[1], 3, "topic-id:AAAAAAAAAAAAAAAAAAAAAB", partition=1)
    shown = replay(*pair, "--reason", "invalid_json")
    assert shown.sent == 4
    assert any("was deleted and created again since the last replay" in line for line in shown.err)
    assert len(kafka.read(source, 16)) == 16


def test_foreign_metadata(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """If another program has committed offsets for the group, it ends with 70 and a line that says so."""
    kafka.commit(f"group-{pair[0]}-replay-invalid_json", pair[1], 0, "instance:a client:b 1")
    shown = replay(*pair)
    assert (shown.code, shown.report) == (70, {})


@pytest.mark.long
def test_reset(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """An offset that kafka-consumer-groups commits is where the next replay begins."""
    send_dead_letters(kafka, pair)
    assert replay(*pair).sent == 12
    kafka.commit(f"group-{pair[0]}-replay-invalid_json", pair[1], 0)
    assert replay(*pair).sent == 2


@pytest.mark.long
def test_full(kafka: Kafka, pair: Pair, replay: RunReplay) -> None:
    """If the progress has no room, it ends with 70 before the record. What was sent is not sent again."""
    source, dead = pair
    spent: list[tuple[str, bytes | None]] = [("replay.attempt", b"3")]
    records = [replace(one, headers=spent if n % 2 == 0 else []) for n, one in enumerate(originals(3_000))]
    kafka.produce(dead, [dead_letter(source, one) for one in records])
    shown = replay(*pair)
    check_row("Tools", "replay: too many dead letters are left between others", shown.code, shown.err[-1])
    assert 500 < shown.sent < 1_500
    again = replay(*pair)
    assert (again.code, again.sent) == (70, 0)
    rest = replay(*pair, "--max-attempts", "4")
    assert (rest.code, rest.sent) == (0, 3_000 - shown.sent)
    assert sorted(one.value or b"" for one in kafka.read(source, 3_000)) == sorted(one.value or b"" for one in records)


def test_no_dead_letter(pair: Pair, replay: RunReplay) -> None:
    """Without the setting, or if the topic is missing, it ends with 78 and names it."""
    code, _, (line,) = replay(pair[0], "")
    check_row("Tools", "replay: no dead_letter", code, line)
    code, _, (line,) = replay(pair[0], "absent")
    check_row("Tools", "replay: no dead-letter topic", code, line)


def test_fewer_partitions(kafka: Kafka, topics: Callable[..., str], replay: RunReplay) -> None:
    """If the input topic lacks a partition that a dead letter came from, it ends with 78, and nothing is lost."""
    source, dead = topics("in"), topics("dead", 2)
    send_dead_letters(kafka, (source, dead))
    shown = replay(source, dead)
    names = {source: "in", dead: "dead"}
    check_row("Tools", "replay: the input topic has too few partitions", shown.code, shown.err[-1], names)
    kafka.add_partitions(source, 2)
    assert shown.sent + replay(source, dead).sent == 12


def test_interrupted(kafka: Kafka, pair: Pair, replay: RunReplay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to stop ends it with 0 after the record. The report counts it and says that there are more."""
    send_dead_letters(kafka, pair)
    with monkeypatch.context() as patch:
        patch.setattr("tools.replay.replay.stop_request", SimpleNamespace(requested=True))
        shown = replay(*pair)
    assert (shown.code, shown.sent, shown.report["complete"]) == (0, 1, False)
    assert replay(*pair).sent == 11
    assert len(kafka.read(pair[0], 12)) == 12


WRONG = {
    "--reason nonsense": "argument --reason: invalid choice: ",
    "--limit 0": "argument --limit: must be a whole number from 1 to 9223372036854775807",
    "--rate 0": "argument --rate: must be a whole number from 1 to 9223372036854775807",
    "--rate x": "argument --rate: must be a whole number from ",
    "--max-attempts=-1": "argument --max-attempts: must be a whole number from 0",
    "extra": "unrecognized arguments: extra",
}


@pytest.mark.parametrize("options", WRONG)
def test_wrong_options(capsys: pytest.CaptureFixture[str], options: str) -> None:
    """A wrong command line ends with 2, and the last line names the option."""
    with pytest.raises(SystemExit, match="2"):
        main(options.split())
    assert WRONG[options] in capsys.readouterr().err.splitlines()[-1]
