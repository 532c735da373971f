"""The types of the settings' values, and what is checked about each."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo

_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and what Python makes of bytes that are not UTF-8."""

_HOST_AND_PORT = re.compile(r"(?:[\w.-]+|\[[\w:.%]+\]):([0-9]{1,5})")
_LAST_PORT = 65_535
_RESERVED = {".", "..", "__cluster_metadata", "__consumer_offsets", "__share_group_state", "__transaction_state"}
_CUT = Repr()
_CUT.maxstring = 80


def _check_text(value: str | SecretStr | None) -> str | SecretStr | None:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if text and _NOT_TEXT.search(text):
        raise ValueError("it has a control character or is not UTF-8")
    return value


def _check_topic(name: str) -> str:
    if name in _RESERVED:
        raise ValueError("Kafka does not let a client have it")
    return name


def _check_addresses(value: str) -> str:
    for address in value.split(","):
        parts = _HOST_AND_PORT.fullmatch(address.strip())
        if parts is None or not 1 <= int(parts[1]) <= _LAST_PORT:
            raise ValueError("it is not host:port")
    return value


Unset = BeforeValidator(lambda value: value or None)  # an empty value counts as unset
Upper = BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)
Lower = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat = Literal["text", "json"]
Text = Annotated[str | None, Unset, AfterValidator(_check_text)]
Secret = Annotated[SecretStr | None, Unset, AfterValidator(_check_text)]
Host = Annotated[str, AfterValidator(_check_text)]
Addresses = Annotated[str, AfterValidator(_check_addresses)]
Group = Annotated[str, Field(pattern=r"^[!#-&(-~]([ -~]{0,198}[!#-&(-~])?$")]
Instance = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$"), AfterValidator(_check_topic)]


TOPIC_NAME = "a topic name of at most 249 letters, digits, '.', '_' or '-', and not '.', '..' or a topic of Kafka's own"
TEXT = "text in UTF-8 without control characters (such as a line break at its end)"


def setting(name: str, default: object, allowed: str, purpose: str = "") -> Any:  # noqa: ANN401  (as pydantic's Field)
    """Declare a setting: its environment variable, its default, its allowed values ("must be ...") and its purpose."""
    return Field(default=default, validation_alias=name, description=allowed, title=purpose)


def pem_problem(path: str) -> str:
    """Why a file is not in PEM format, or empty text if it is."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return "not a file"
        return "" if b"-----BEGIN " in Path(path).read_bytes() else "no PEM block in it"
    except OSError as error:
        return error.strerror or str(error)


def error_lines(fields: Mapping[str, FieldInfo], error: ValidationError, address: str) -> list[str]:
    """Give one line for each wrong setting, without secrets.

    Args:
        fields: the settings.
        error: says what is wrong.
        address: the setting whose value may have credentials before an "@".
    """
    by_variable = {str(field.validation_alias): field for field in fields.values()}
    lines = []
    for problem in error.errors():
        if problem["loc"]:
            name = str(problem["loc"][0])
            field = by_variable[name]
            hidden = SecretStr in (field.annotation, *get_args(field.annotation))
            hidden = hidden or (name == address and "@" in str(problem["input"]))
            value = "***" if hidden else _CUT.repr(problem["input"])
            lines.append(f"{name} must be {field.description} (got {value})")
        else:
            lines.append(problem["msg"].removeprefix("Value error, "))
    return lines
