"""Shows what the transforms make of values, without a broker: `python pipeline.py try`.

Each line of the file is a value. The answer for each is a line: `ok` and the output value, or `malformed` with the
reason, the detail and the tagged value. Control characters are shown as escapes; --json gives the exact text.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

from loguru import logger

from runtime.observe import logs
from runtime.observe.output import UnwritableError, say
from runtime.stop.signals import stop_request
from tools.printable import printable
from transforms import FirstTransform, Malformed


def main(transform: FirstTransform, arguments: Sequence[str]) -> int:
    """Print what the transform makes of each value. Return an exit code of runtime/errors.py."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("pipeline.py try", description=__doc__, formatter_class=formatter)
    parser.add_argument("file", nargs="?", type=Path, help="the values; without it, standard input")
    parser.add_argument("--whole", action="store_true", help="take the whole file as one value")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per line")
    given = parser.parse_args(arguments)
    logs.configure("ERROR", "text")
    stop_request.on_request = _interrupt  # otherwise it would wait for the next line
    try:
        for value in _values(given.file, whole=given.whole):
            say(_describe(transform(value), as_json=given.json))
    except UnwritableError as error:
        logger.error("{}", error)
        return error.exit_code
    except OSError as error:
        parser.error(f"cannot read {given.file or 'standard input'}: {error.strerror}")
    except KeyboardInterrupt:
        pass
    return 0


def _values(file: Path | None, *, whole: bool) -> Iterator[bytes]:
    with file.open("rb") if file else nullcontext(sys.stdin.buffer) as lines:
        if whole:
            yield lines.read()
        else:
            yield from (line.removesuffix(b"\n") for line in lines)


def _describe(result: bytes | Malformed, *, as_json: bool) -> str:
    reason, detail, value = result if isinstance(result, Malformed) else (None, None, result)
    value = value or b""
    if as_json:
        return json.dumps({"reason": reason, "detail": detail, "value": value.decode(errors="backslashreplace")})
    return f"{f'malformed ({reason}: {detail})' if reason else 'ok'} {printable(value)}"


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt
