"""`python -m tools.generator`."""

from runtime.observe.streams import discard_unwritable, replace_closed
from runtime.stop.signals import stop_request

if __name__ == "__main__":
    replace_closed()
    stop_request.listen(leave_at_once=True)  # before the slow imports

import sys

from tools.generator.command import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        discard_unwritable()
