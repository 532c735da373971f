"""The tree of errors."""

from runtime import errors
from runtime.errors import Failed, Misconfigured, PipelineError, Refused, Stopped, Unavailable


def test_tree() -> None:
    """The docstring draws every kind of error, with the exit code that it has."""
    for kind in (Misconfigured, Refused, Unavailable, Failed, Stopped):
        (line,) = (line for line in str(errors.__doc__).splitlines() if f"── {kind.__name__} " in line)
        assert int(line.split(kind.__name__)[1].split()[0]) == kind.exit_code
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, PipelineError)}
    assert all(name in str(errors.__doc__) for name in kinds)
    assert len(kinds) == 9
