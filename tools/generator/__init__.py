"""The login generator: `python -m tools.generator`."""
