"""`pipeline.py` with other time limits: LIMITS has names of runtime/limits.py, for example `START_TIMEOUT=5`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":
    from runtime.stop.signals import stop_request

    stop_request.listen()  # before the slow imports

    from runtime import limits

    for limit in os.environ["LIMITS"].split():  # before other modules derive theirs
        name, _, seconds = limit.partition("=")
        assert hasattr(limits, name)
        setattr(limits, name, float(seconds))

    import pipeline

    sys.exit(pipeline.main())
