"""Reads `.env`, and finds names there and in the environment that no setting has."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import get_args

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from runtime.errors import Misconfigured
from runtime.settings.values import LogFormat, LogLevel

NAMES_OF_OTHERS = frozenset(
    {
        *("RATE", "COUNT", "SEED", "MALFORMED", "TOPIC_PARTITIONS", "KAFKA_TOPIC", "BOOTSTRAP_SERVERS"),
        *("KAFKA_PORT", "UI_PORT", "PIPELINE_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT", "GENERATOR_IMAGE"),
    }
)
"""The settings of the login generator and of the compose files."""

RENAMED = {"HEALTH_PORT": "HTTP_PORT"}
"""Settings of version 0.1, and their names now."""

_PREFIXES_OF_OTHERS = ("Quix__", "COMPOSE_", "DOCKER_")
"""Quix Cloud, Docker Compose and Docker have many variables of their own."""

_PREFIXES = ("broker_", "commit_", "quix__consumer", "processing_", "auto_offset", "auto_create")
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)|_PORT(_\d+|$)")
"""Kubernetes sets such variables for a service, for example one with the name `broker`."""

_SAME_NAME, _SIMILAR = 0.9, 0.6
"""How similar two names are (difflib) if they differ in a letter or two, and if one may be meant for the other."""


def read_env_file(file: Path) -> dict[str, str]:
    """Give the names and values of an env file, or none if the file does not exist.

    Raises:
        Misconfigured: it cannot be read, is not text in UTF-8, or has a line without the form NAME=value.
    """
    try:
        if file.is_fifo():  # reading it may never end
            raise Misconfigured(f"{file} must be a file that this user can read: Is a pipe")
        text = file.read_text("utf-8-sig")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Misconfigured(f"{file} must be a file that this user can read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{file} must be text in UTF-8; save it in this encoding: {error.reason}") from error
    if "\0" in text:
        raise Misconfigured(f"{file} must be text in UTF-8; save it in this encoding: it has zero bytes, as UTF-16 has")
    lines = [str(binding.original.line) for binding in parse_stream(StringIO(text)) if binding.error]
    if lines:
        raise Misconfigured(f"{file} must have lines of the form NAME=value (wrong: line {', '.join(lines)})")
    values = dotenv_values(stream=StringIO(text), interpolate=False)  # a password may have ${...} in it
    return {name: value for name, value in values.items() if value is not None}


def log_options(env_file: Path | None = None) -> tuple[str, str]:
    """Read LOG_LEVEL and LOG_FORMAT, before all settings are checked. A wrong value counts as the default.

    Raises:
        Misconfigured: as for `read_env_file`.
    """
    values = {**(read_env_file(env_file) if env_file else {}), **os.environ}
    level, form = values.get("LOG_LEVEL", "").upper(), values.get("LOG_FORMAT", "").lower()
    return level if level in get_args(LogLevel) else "INFO", form if form in get_args(LogFormat) else "text"


def check_renamed(environment: Collection[str], in_file: Collection[str], file: Path | None) -> None:
    """Refuse the names that settings had in version 0.1.

    Raises:
        Misconfigured: one is set; the text is one line that names the new one.
    """
    for name, new in RENAMED.items():
        if name in environment or name in in_file:
            place = file if name in in_file else "the environment"
            raise Misconfigured(f"{name} in {place} is now called {new}: rename it")


def unknown_names(environment: Iterable[str], in_file: Iterable[str], known: Collection[str]) -> Mapping[str, str]:
    """Give the names that no setting has and that are probably meant for one, each with the nearest one or empty text.

    Args:
        environment: the names of the environment's variables. Most are not ours: only those count that begin as a
            setting's name does, or differ from one in a letter or two.
        in_file: the names in `.env`. All count, except those of others.
        known: the names of the settings.
    """
    all_known = {*known, *NAMES_OF_OTHERS}

    def is_meant(name: str) -> bool:
        begins = name.casefold().startswith(_PREFIXES) and not _SERVICE_LINK.search(name)
        return begins or bool(_nearest(name, known, _SAME_NAME))

    unknown = {name for name in in_file if is_meant(name) or not name.startswith(_PREFIXES_OF_OTHERS)}
    unknown |= {name for name in environment if is_meant(name)}
    return {name: _nearest(name, all_known, _SIMILAR) for name in sorted(unknown - all_known)}


def _nearest(name: str, known: Iterable[str], similarity: float) -> str:
    by_folded = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), by_folded, 1, similarity)
    return by_folded[found[0]] if found else ""
