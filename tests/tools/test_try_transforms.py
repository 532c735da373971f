"""`python pipeline.py try`: shows what the transforms make of values."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import SCRIPT
from tools.try_transforms import main
from transforms import upper_device_type
from transforms.malformed import Malformed, original

TAG = '"malformed":{"reason":"%s","detail":"%s"%s}'
SHOWN = {
    b'{"device_type":"ios"}': 'ok {"device_type":"IOS"}',
    b'{"device_type":"IOS"}': 'ok {"device_type":"IOS"}',
    b'{"device_type":"\xc3\x9f","x":"\x7f\xc2\x9b2J"}': r'ok {"device_type":"SS","x":"\x7f\x9b2J"}',
    b'{"a":1}': "malformed (missing_device_type: there is no device_type at the top level) "
    '{"a":1,%s}' % (TAG % ("missing_device_type", "there is no device_type at the top level", "")),
    b"\xff": "malformed (invalid_utf8: not UTF-8, at byte 0) "
    "{%s}" % (TAG % ("invalid_utf8", "not UTF-8, at byte 0", ',"raw_base64":"/w=="')),
}
"""By value, the line."""


def run(file: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The lines for a file."""
    assert main(upper_device_type, [*options, str(file)]) == 0
    return capsys.readouterr().out.splitlines()


def test_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of the file gets a line: what the record becomes, and why. Control characters are escapes."""
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(SHOWN))
    assert run(file, capsys) == list(SHOWN.values())


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, the lines have the exact output value, the reason and the detail."""
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(SHOWN) + b"\n")
    results = [json.loads(line) for line in run(file, capsys, "--json")]
    for value, result in zip(SHOWN, results, strict=True):
        expected = upper_device_type(value)
        reason, detail, output = expected if isinstance(expected, Malformed) else (None, None, expected)
        assert result == {"reason": reason, "detail": detail, "value": (output or b"").decode()}
        assert reason is None or original(result["value"].encode()) == value


def test_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --whole, the file is one value, with its line breaks."""
    file = tmp_path / "value"
    file.write_bytes(b'{"device_type":\n"ios"}\n')
    assert run(file, capsys) != (whole := run(file, capsys, "--whole"))
    assert whole == [r'ok {"device_type":\n"IOS"}\n']


def test_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read is an error of the command line, in one line."""
    with pytest.raises(SystemExit, match="2"):
        main(upper_device_type, [str(tmp_path / "absent")])
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith("cannot read %s: No such file or directory" % (tmp_path / "absent"))
    )


def test_standard_input() -> None:
    """It answers each line of standard input at once, and Ctrl-C ends it with exit code 0 and no further text."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, SCRIPT, "try"], stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b'{"device_type":"ios"}\n')
        child.stdin.flush()
        assert child.stdout.readline() == b'ok {"device_type":"IOS"}\n'
        child.send_signal(signal.SIGINT)
        assert child.communicate() == (b"", b"")
    assert child.returncode == 0
