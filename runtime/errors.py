"""The errors that stop the pipeline, and their exit codes.

    PipelineError
    ├── Misconfigured   78   a setting is wrong; a topic is missing or unsuitable
    ├── Refused         77   credentials or permissions
    ├── Unavailable     69   no broker answers, or none can do what it is asked to
    │   └── OutputTooSlow    the broker accepts records too slowly
    ├── Failed          70   any other expected error
    │   ├── Replaced         perhaps by a worker with the same INSTANCE_ID; a restart may help
    │   └── Unexpected       an unexpected error, logged with its stack trace
    └── Stopped          0   asked to stop before processing began

A wrong command line exits with 2 (argparse).
"""

from typing import ClassVar


class PipelineError(Exception):
    """A reason to stop. Its text is one line: what happened, why, and what to do."""

    exit_code: ClassVar[int]


class Misconfigured(PipelineError):
    """A setting is wrong, or a topic is missing or unsuitable."""

    exit_code = 78


class Refused(PipelineError):
    """The broker or the platform refused the credentials, or a permission is missing."""

    exit_code = 77


class Unavailable(PipelineError):
    """No broker answers, or none can do what it is asked to."""

    exit_code = 69


class OutputTooSlow(Unavailable):
    """The broker does not accept the records of a transaction in time."""


class Failed(PipelineError):
    """Any other expected error."""

    exit_code = 70


class Replaced(Failed):
    """The broker refuses this worker: another one has its INSTANCE_ID, or a commit took too long."""


class Unexpected(Failed):
    """An unexpected error, probably a bug."""


class Stopped(PipelineError):
    """A signal asked to stop before processing began."""

    exit_code = 0
