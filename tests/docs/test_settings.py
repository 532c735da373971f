"""docs/settings.md and .env agree with runtime/settings."""

from runtime.settings import ENV_FILE, Settings
from tests.docs.pages import table


def test_table() -> None:
    """The table lists each setting, its default, what is allowed and its purpose, in the class's order."""
    expected = []
    for field in Settings.model_fields.values():
        default = field.default
        shown = "none" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        expected.append([f"`{field.validation_alias}`", shown, field.description, field.title])
    assert table("docs/settings.md", "# Settings") == expected


def test_env_file() -> None:
    """`.env` has valid settings, the same as the defaults except for creating topics, and no secrets."""
    in_file = dict(
        line.split("=", 1) for line in ENV_FILE.read_text().splitlines() if line and not line.startswith("#")
    )
    defaults = {str(f.validation_alias): f.default for f in Settings.model_fields.values()}
    changed = {name for name, value in in_file.items() if value.lower() != str(defaults[name]).lower()}
    assert changed == {"AUTO_CREATE_TOPICS"}
    assert not {name for name in in_file if "PASSWORD" in name or "TOKEN" in name}
