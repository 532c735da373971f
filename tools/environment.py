"""Our environment variables without the pipeline's settings, for pipelines that we start."""

import os

from runtime.settings import Settings

_SETTINGS = {str(field.validation_alias) for field in Settings.model_fields.values()}


def without_settings() -> dict[str, str]:
    """Return our environment without any setting of the pipeline, so that its defaults hold."""
    return {name: value for name, value in os.environ.items() if name not in _SETTINGS}
