"""`python -m tools.verify`."""

from runtime.stop.signals import stop_request

if __name__ == "__main__":
    stop_request.listen()  # before the slow imports

import sys

from tools.verify.command import main

if __name__ == "__main__":
    sys.exit(main())
