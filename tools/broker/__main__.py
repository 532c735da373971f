"""`python -m tools.broker`."""

from runtime.observe.streams import discard_unwritable, replace_closed

if __name__ == "__main__":
    replace_closed()

import sys

from tools.broker.command import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        discard_unwritable()
