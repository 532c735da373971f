"""Reading the file of --edit. Tested without Kafka."""

from pathlib import Path

import pytest

from runtime.errors import Misconfigured
from tools.replay.edits import read_edits


def read(folder: Path, content: bytes) -> dict[tuple[int, int], bytes]:
    """What a file with this content says."""
    file = folder / "edits.jsonl"
    file.write_bytes(content)
    return read_edits(file, "dead")


def test_right(tmp_path: Path) -> None:
    """Each line has partition, offset and value. Blank lines and other members do not matter."""
    first = b'{"partition":0,"offset":7,"value":""}'
    last = b'{"offset":1,"x":[],"topic":"dead","partition":3,"value":"\\u00e9\\n"}'
    assert read(tmp_path, first + b"\r\n\n" + last) == {(0, 7): b"", (3, 1): "é\n".encode()}


WRONG = [
    *(
        b"nope",
        b"[1]",
        b"{}",
        b"[" * 5000,
        b"\xff",
        b'{"partition":0,"offset":1}',
        b'{"partition":0,"offset":1,"value":null}',
    ),
    *(b'{"partition":-1,"offset":1,"value":"s3cret"}', b'{"partition":0,"offset":"s3cret","value":"s3cret"}'),
    *(b'{"partition":true,"offset":1,"value":"s3cret"}', b'{"partition":0,"offset":1,"value":["s3cret"]}'),
    *(
        b'{"partition":0,"offset":1,"value":"s3cret\\ud800"}',
        b'{"partition":0,"offset":1,"value":"s3cret","topic":"in"}',
    ),
    b'{"partition":5,"offset":5,"value":"s3cret"}',
]


@pytest.mark.parametrize("line", WRONG)
def test_wrong(tmp_path: Path, line: bytes) -> None:
    """A wrong line, or a place for the second time, ends with 78 and the line's number, without a value."""
    with pytest.raises(Misconfigured, match=r"edits\.jsonl, line 3: ") as caught:
        read(tmp_path, b'{"partition":5,"offset":5,"value":"x"}\n\n' + line)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    """A file that cannot be read ends with 78."""
    with pytest.raises(Misconfigured, match="cannot be read: "):
        read_edits(tmp_path / "absent", "dead")
    with pytest.raises(Misconfigured, match="cannot be read: "):
        read_edits(tmp_path, "dead")
