"""`python -m tools.generator` with short time limits."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from runtime import limits
from runtime.stop.signals import stop_request
from tools.generator import command

limits.START_TIMEOUT, command.STOP_TIMEOUT = 0.5, 1.0
stop_request.listen()
sys.exit(command.main())
