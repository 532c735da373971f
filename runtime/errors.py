"""What can stop the pipeline, and the exit code that each ends in.

    PipelineError
    ├── Misconfigured   78   a setting is wrong; a topic is missing or unfit
    ├── Refused         77   credentials or permissions
    ├── Unavailable     69   no broker, or lost for too long
    │   └── OutputTooSlow    the broker takes records too slowly
    ├── Failed          70   anything else that was foreseen
    │   └── Unexpected       what was not, shown with its stack trace
    └── Stopped          0   asked to stop before the work began

A wrong command line ends in 2, as argparse has it.
"""

from typing import ClassVar


class PipelineError(Exception):
    """A reason to stop; its text is one line for the person who reads it at 3 a.m."""

    exit_code: ClassVar[int]


class Misconfigured(PipelineError):
    """A setting is wrong, or a topic is missing or unfit."""

    exit_code = 78


class Refused(PipelineError):
    """The broker or the platform refused the credentials, or a permission is missing."""

    exit_code = 77


class Unavailable(PipelineError):
    """No broker answers, or none has for too long."""

    exit_code = 69


class OutputTooSlow(Unavailable):
    """The broker does not take the records of a transaction in time."""


class Failed(PipelineError):
    """Anything else."""

    exit_code = 70


class Unexpected(Failed):
    """What nobody foresaw."""


class Stopped(PipelineError):
    """A signal asked to stop before there was anything to finish."""

    exit_code = 0
