"""Which dead letters the walk finds right, on topics in memory, without Kafka."""

from collections.abc import Sequence
from functools import partial
from itertools import product

import pytest

from runtime.connect.topic_facts import TopicFacts
from runtime.loop.output_record import record_size
from runtime.settings import Settings
from tests.tools.dead_letters import letter_headers
from tests.tools.verify.test_walk import Held, InMemory, Partition
from tools.verify import dead_letters
from tools.verify.findings import total
from tools.verify.gap import WINDOW, Record
from tools.verify.range import EVERYTHING, Begin
from tools.verify.walk import Walk
from transforms import Malformed, refused_timestamp, too_large, upper_device_type

COUNT = 400
DAY = 24 * 60 * 60_000
NOW = 1_700_000_000_000
LIMITS = {"message_timestamp_before_max_ms": 7 * DAY, "message_timestamp_after_max_ms": DAY}


def sent(number: int) -> Record:
    """An input. Every other one is malformed, and has a header."""
    if number % 2:
        return Record(b"k%d" % (number % 3), b'{"n": %d, "device_type": "IOS"}' % number, NOW + number, None)
    return Record(b"k%d" % (number % 3), b"[%d]" % number, NOW + number, (("a", b"%d" % number),))


SENT = [sent(number) for number in range(COUNT)]


def output(record: Record) -> Record:
    """The output of an input."""
    result = upper_device_type(record.value)
    if not isinstance(result, Malformed):
        return record._replace(value=result)
    return record._replace(value=result.value, headers=(*(record.headers or ()), ("malformed", result.reason.encode())))


def letter(record: Record, offset: int, result: object = None) -> Record:
    """The dead letter of an input."""
    result = result or upper_device_type(record.value)
    assert isinstance(result, Malformed)
    own = letter_headers(result.reason, result.detail, "in", 0, offset)
    return record._replace(headers=(*(record.headers or ()), *own))


LETTERS = [letter(record, at) for at, record in enumerate(SENT) if at % 2 == 0]


def held(records: Sequence[Record]) -> list[Partition]:
    """A topic's only partition."""
    return [Partition(0, [InMemory(at, one) for at, one in enumerate(records)])]


class WithLetters(Held):
    """Three topics of one partition. `dead_letter_bytes` is the largest record of the dead-letter topic."""

    def __init__(
        self,
        source: Sequence[Record],
        target: Sequence[Record],
        letters: Sequence[Record],
        dead_letter_bytes: int = 1_000_000,
        **limits: int,
    ) -> None:
        super().__init__(held(source), held(target), **limits)
        self.dead_letter = TopicFacts("dead", 1, {**self.target.config, "max.message.bytes": f"{dead_letter_bytes}"})
        self.held["dead"] = held(letters)

    def expire(self, name: str, gone: int) -> None:
        """Delete the first records of a topic."""
        ((_, records),) = self.held[name]
        self.held[name] = [Partition(gone, records[gone:])]


def walk(topics: Held, begin: Begin = EVERYTHING) -> Walk:
    """A walk over these."""
    return Walk(topics, Settings(), begin, lambda: False)


def found(one: Walk) -> tuple[dict[str, int], dict[str, int]]:
    """The final counts of the output and of the dead letters."""
    one.step(lambda _: None, final=True)
    output_counts, letter_counts = (
        {name: count for name, count in total(found).items() if count} for found in one.all_findings()
    )
    return output_counts, letter_counts


def put(at: int, *records: Record) -> list[Record]:
    """The dead letters, with these records in the place of one."""
    return [*LETTERS[:at], *records, *LETTERS[at + 1 :]]


def with_header(record: Record, name: str, value: bytes | None) -> Record:
    """The record, one header changed."""
    return record._replace(headers=tuple((n, value if n == name else v) for n, v in record.headers or ()))


ONE = LETTERS[90]
PLANTED: dict[str, tuple[list[Record], dict[str, int]]] = {
    "none": (LETTERS, {}),
    "lost": (put(90), {"lost": 1}),
    "two lost": ([*LETTERS[:90], *LETTERS[92:]], {"lost": 2}),
    "twice": (put(90, ONE, ONE), {"duplicated": 1}),
    "twice, later": ([*LETTERS, ONE], {"duplicated": 1}),
    "swapped": ([*LETTERS[:90], LETTERS[91], ONE, *LETTERS[92:]], {"reordered": 2}),
    "value": (put(90, ONE._replace(value=b"[ 180]")), {"wrong": 1}),
    "null value": (put(90, ONE._replace(value=None)), {"wrong": 1}),
    "tagged value": (put(90, ONE._replace(value=output(SENT[180]).value)), {"wrong": 1}),
    "key": (put(90, ONE._replace(key=None)), {"wrong": 1}),
    "timestamp": (put(90, ONE._replace(timestamp=NOW)), {"wrong": 1}),
    "header": (put(90, with_header(ONE, "a", b"?")), {"wrong": 1}),
    "no headers": (put(90, ONE._replace(headers=None)), {"wrong": 1}),
    "headers of the output": (put(90, ONE._replace(headers=output(SENT[180]).headers)), {"wrong": 1}),
    "reason": (put(90, with_header(ONE, "malformed", b"invalid_json")), {"wrong": 1}),
    "detail": (put(90, with_header(ONE, "malformed.detail", b"?")), {"wrong": 1}),
    "place": (put(90, with_header(ONE, "__streams.errors.offset", b"181")), {"wrong": 1}),
    "of a login": (put(90, ONE, SENT[181]._replace(headers=ONE.headers)), {"wrong": 1}),
    "a login's at the end": ([*LETTERS, SENT[399]._replace(headers=ONE.headers)], {"wrong": 1}),
    "first wrong": (put(0, LETTERS[0]._replace(value=b"?")), {"wrong": 1}),
    "last wrong": (put(199, LETTERS[199]._replace(value=b"?")), {"wrong": 1}),
    "first ones missing": (LETTERS[50:], {"skipped": 50}),
    "last ones missing": (LETTERS[:-2], {"pending": 2}),
    "all missing": ([], {"pending": 200}),
}
ALSO_MISSING = {"lost", "pending", "skipped", "reordered", "wrong"}
"""Kinds of faults for which an expected dead letter is not in its place."""
ADDED = {"of a login", "a login's at the end"}


@pytest.mark.parametrize("name", PLANTED)
def test_planted(name: str) -> None:
    """Each planted fault is found, and nothing else is. The output is judged as without dead letters."""
    letters, planted = PLANTED[name]
    missing = 0 if name in ADDED else sum(count for kind, count in planted.items() if kind in ALSO_MISSING)
    counts = {"checked": 200 - missing, **planted}
    assert found(walk(WithLetters(SENT, list(map(output, SENT)), letters))) == (
        {"checked": COUNT},
        {name: count for name, count in counts.items() if count},
    )


@pytest.mark.parametrize("begin", [Begin(last=100), Begin(timestamp=NOW + 300)])
@pytest.mark.parametrize(
    ("letters", "counts"),
    [
        (LETTERS, {"checked": 50}),
        (put(40), {"checked": 50}),
        (put(180), {"checked": 49, "lost": 1}),
        (put(180, LETTERS[180], LETTERS[180]), {"checked": 50, "duplicated": 1}),
        (put(180, LETTERS[180]._replace(value=b"?")), {"checked": 49, "wrong": 1}),
    ],
)
def test_begin(begin: Begin, letters: list[Record], counts: dict[str, int]) -> None:
    """With --last and --from-timestamp, the dead letters of the range are judged, and no others."""
    topics = WithLetters(SENT, list(map(output, SENT)), letters)
    assert found(walk(topics, begin)) == ({"checked": 100}, counts)


@pytest.mark.parametrize("gone", ["in", "dead"])
def test_expired(gone: str) -> None:
    """If the first records of a topic have expired, the dead letters of the others are judged."""
    for letters, fault in (LETTERS, {}), (put(180), {"lost": 1}):
        topics = WithLetters(SENT, list(map(output, SENT)), letters)
        topics.expire(gone, 150 if gone == "dead" else 300)
        _, counts = found(walk(topics))
        counts.pop("skipped", None)
        assert counts == {"checked": 50 - len(fault), **fault}


@pytest.mark.parametrize("window", [20, WINDOW])
@pytest.mark.parametrize("after", [1, 2, 3, 10, 50, 90, 115])
@pytest.mark.parametrize("gone", [("in", 300), ("dead", 150), ("out", 300), ("in", 400), ("dead", 200)])
@pytest.mark.parametrize("is_wrong", [False, True])
def test_expire_unread(
    monkeypatch: pytest.MonkeyPatch, window: int, after: int, gone: tuple[str, int], *, is_wrong: bool
) -> None:
    """Records that are deleted before they can be read are no fault. A fault in the others is found."""
    monkeypatch.setattr(dead_letters, "WINDOW", window)
    letters = put(190, LETTERS[190]._replace(value=b"?")) if is_wrong else LETTERS
    topics, reads = WithLetters(SENT, list(map(output, SENT)), letters), iter(range(1, 10_000))

    def on_read() -> None:
        if next(reads) == after:
            topics.expire(*gone)

    monkeypatch.setattr(topics, "on_read", on_read)
    one = walk(topics)
    _, counts = found(one)
    assert not counts.keys() & {"lost", "duplicated", "reordered"}
    assert is_wrong or ("wrong" not in counts and all(found.ok for found in one.all_findings()[1].values()))
    assert not is_wrong or "wrong" in counts or gone in {("in", 400), ("dead", 200)}


def test_expire_behind() -> None:
    """Inputs that lack their dead letters are skipped if the next inputs are deleted unread. So are the next ones."""
    outputs = list(map(output, SENT))
    topics = WithLetters(SENT[:200], outputs[:200], LETTERS[:50])
    one = walk(topics)
    one.step(lambda _: None, final=False)
    topics.held |= {"in": held(SENT), "out": held(outputs)}
    topics.expire("in", 300)
    one.step(lambda _: None, final=False)
    topics.held["dead"] = held(LETTERS)
    assert found(one)[1] == {"checked": 100, "skipped": 50 + 100}


@pytest.mark.parametrize("window", [20, WINDOW])
def test_block(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    """Of many dead letters of no input, each is wrong, however few may wait."""
    monkeypatch.setattr(dead_letters, "WINDOW", window)
    more = [with_header(ONE, "a", b"%d" % at)._replace(timestamp=NOW + 10_000 + at) for at in range(100)]
    for letters in [*LETTERS, *more], [*LETTERS[:100], *more, *LETTERS[100:]]:
        topics = WithLetters(SENT, list(map(output, SENT)), letters)
        assert found(walk(topics)) == ({"checked": COUNT}, {"checked": 200, "wrong": 100})


def test_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """All malformed inputs are pending if nothing is processed, also those that the output need not be read for."""
    monkeypatch.setattr("tools.verify.walk.WINDOW", 20)
    assert found(walk(WithLetters(SENT, [], []))) == ({"pending": COUNT}, {"pending": 200})


def test_follow() -> None:
    """Step by step, each dead letter is judged once, whether it is read before its output, with it or after it."""
    outputs, topics = list(map(output, SENT)), WithLetters([], [], [])
    one = walk(topics)
    for inputs, outs, letters, checked, pending in (
        (100, 50, 25, 25, 0),
        (100, 50, 26, 25, 0),
        (200, 100, 40, 40, 10),
        (200, 200, 100, 100, 0),
        (400, 300, 149, 149, 1),
        (400, 300, 150, 150, 0),
    ):
        topics.held = {"in": held(SENT[:inputs]), "out": held(outputs[:outs]), "dead": held(LETTERS[:letters])}
        one.step(lambda _: None, final=False)
        assert (one.step(lambda _: None, final=False)) is False
        counts = total(one.all_findings()[1])
        assert (counts["checked"], counts["pending"]) == (checked, pending)
    assert found(one) == ({"checked": 300, "pending": 100}, {"checked": 150, "pending": 50})


def test_partition_without_input() -> None:
    """Dead letters in a partition that the input lacks are wrong, and the output has no row for it."""
    topics = WithLetters(SENT, list(map(output, SENT)), LETTERS)
    topics.held["dead"] += held([ONE])
    one = walk(topics)
    assert found(one)[1] == {"checked": 200, "wrong": 1}
    assert [list(found) for found in one.all_findings()] == [[0], [0, 1]]


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no dead letter comes, only some wait for theirs. All are pending, and a later one is still found."""
    monkeypatch.setattr(dead_letters, "WINDOW", 20)
    topics, waiting = WithLetters(SENT, list(map(output, SENT)), []), []
    one = walk(topics)
    assert one._letters is not None
    comparison = one._letters._partitions[0].comparison
    one.step(lambda _: waiting.append(comparison.waiting[0]), final=False)
    assert max(waiting) <= 3 * 20
    assert total(one.all_findings()[1])["pending"] == 200
    topics.held["dead"] = held(LETTERS[-1:])
    _, counts = found(one)
    assert counts["checked"] == 1
    assert counts.keys() <= {"checked", "pending", "skipped"}


def refused(record: Record) -> Malformed:
    """What becomes of an input whose timestamp the output refuses."""
    return refused_timestamp(upper_device_type(record.value), record.value, record.timestamp or 0)


def tagged(record: Record, made: Malformed) -> Record:
    """Its output."""
    return record._replace(value=made.value, timestamp=NOW, headers=(("malformed", made.reason.encode()),))


def around(records: Sequence[Record], one: Record) -> list[Record]:
    """The records with one more at offset 200."""
    return [*records[:200], one, *records[200:]]


BEHIND = [letter(record, at + 1) for at, record in enumerate(SENT) if at % 2 == 0 and at >= 200]
"""The dead letters behind that record."""

LOGIN = b'{"device_type":"ios"}'


@pytest.mark.parametrize("keeps_time", [True, False])
@pytest.mark.parametrize("value", [LOGIN, b"[1]", None])
@pytest.mark.parametrize("timestamp", [NOW - 8 * DAY, NOW + 2 * DAY])
def test_refused_timestamp(timestamp: int, value: bytes | None, *, keeps_time: bool) -> None:
    """A record whose timestamp the output refuses has a dead letter, with its time unless that is refused there."""
    record = Record(b"k", value, timestamp, None)
    made = refused(record)
    right = letter(record, 200, made)._replace(timestamp=timestamp if keeps_time else NOW)
    outputs = around(list(map(output, SENT)), tagged(record, made))
    for mine, counts in (
        ([right], {"checked": 201}),
        ([], {"checked": 200, "lost": 1}),
        ([right, right], {"checked": 201, "duplicated": 1}),
        ([right._replace(value=b"?")], {"checked": 200, "wrong": 1}),
        ([with_header(right, "malformed", b"too_large")], {"checked": 200, "wrong": 1}),
        ([right._replace(timestamp=timestamp + 60_000)], {"checked": 200, "wrong": 1}),
    ):
        topics = WithLetters(around(SENT, record), outputs, [*LETTERS[:100], *mine, *BEHIND], **LIMITS)
        assert found(walk(topics)) == ({"checked": 401}, counts)


def test_accepted_timestamp() -> None:
    """A login has no dead letter if the output has kept a timestamp that it may have refused."""
    record = Record(b"k", LOGIN, NOW - 8 * DAY, None)
    outputs = around(list(map(output, SENT)), output(record))
    for mine, counts in ([], {"checked": 200}), ([letter(record, 200, refused(record))], {"checked": 200, "wrong": 1}):
        topics = WithLetters(around(SENT, record), outputs, [*LETTERS[:100], *mine, *BEHIND], **LIMITS)
        assert found(walk(topics)) == ({"checked": 401}, counts)


@pytest.mark.parametrize("value", [LOGIN[:-1] + b',"x":"%s"}' % (b"x" * 900), b"[%s]" % (b"1" * 900)])
def test_too_large(value: bytes) -> None:
    """An original whose output is too large is right. If the original does not fit, only its stub is right."""
    record = Record(b"k", value, NOW, (("a", b"1"),))
    whole = output(record)
    size = record_size(whole.key, whole.value, list(whole.headers or ()))
    stub_of = partial(too_large, value, topic="in", partition=0, offset=200)
    made = stub_of(f"the record would take {size} bytes, and the topic takes 850")
    own = letter(record, 200, made)
    size = record_size(own.key, own.value, list(own.headers or ()))
    stub = stub_of(f"the dead letter would take {size} bytes, and the topic takes 1200")
    stub_letter = letter(record._replace(value=stub.value), 200, stub)
    outputs = around(list(map(output, SENT)), record._replace(value=made.value, headers=(own.headers or ())[:2]))
    right = {1_000_000: own, 1_200: stub_letter}
    for limit, mine in product(right, (own, stub_letter)):
        counts = {"checked": 201} if mine == right[limit] else {"checked": 200, "wrong": 1}
        letters = [*LETTERS[:100], mine, *BEHIND]
        topics = WithLetters(around(SENT, record), outputs, letters, limit, max_message_bytes=850)
        assert found(walk(topics)) == ({"checked": 401}, counts)
