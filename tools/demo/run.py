"""`make demo`: sends logins through a real Apache Kafka and this pipeline, and compares every record.

It starts an embedded broker, the login generator and `python pipeline.py`, shows their figures, and ends them.

    DEMO_SECONDS          stop this many seconds after the first processed record; without it, at Ctrl-C
    DEMO_PICTURE          write the last screen before the stop into this SVG file (docs/demo.svg is such a picture)
    RATE, MALFORMED, SEED the generator's settings; by default 50 records per second and a share of 0.05

Keys: k kills the worker that has run longest, and a new one starts; w adds a worker; b sends 100,000 records; q stops,
as Ctrl-C does. The latency is the time from a record's timestamp until the demo has read it from the output topic
(read_committed); its 99th percentile is that of the last ten seconds.

The pipeline's settings apply, except for the broker, the topics and INSTANCE_ID, which are the demo's.

Exit codes: 0 if every record was processed once, 1 if one was not or a process failed, 78 if a setting is wrong.
"""

import io
import os
import signal
import sys
import tempfile
from pathlib import Path

from confluent_kafka import KafkaException

from runtime.errors import PipelineError
from runtime.observe.output import UnwritableError, say
from tools.broker.files import BrokerError
from tools.demo.keys import Keys
from tools.demo.screen import Screen
from tools.demo.session import Session
from tools.demo.view import result


def run(seconds: float) -> int:
    """Run the demo, for this many seconds from the first processed record on; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="user-login-demo-") as folder:
        session = Session(Path(folder))
        try:
            if session.start():
                with Screen() as screen, Keys(wanted=screen.is_live) as keys:
                    session.run(screen, keys, seconds)
        except KeyboardInterrupt:
            session.problem = session.problem or "interrupted before all records were compared"
        except (BrokerError, UnwritableError):
            raise
        except (PipelineError, KafkaException) as error:
            session.problem = session.problem or session.exited() or str(error)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the rest takes no time and must be done
            session.close()
    if session.problem:
        print(f"demo: {session.problem}", file=sys.stderr, flush=True)
    say(result(session.shown, is_counted=session.is_counted))
    counts = session.shown.counts
    return 1 if session.problem or sum(counts.values()) > counts["checked"] else 0


def main() -> int:
    """Run with the settings of the environment; return the exit code."""
    given = os.environ.get("DEMO_SECONDS") or "inf"
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        print(f"demo: DEMO_SECONDS must be a number of seconds above 0 (got {given!r})", file=sys.stderr)
        return os.EX_CONFIG
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # under nohup it stays ignored
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not be able to show frames
    try:
        return run(seconds)
    except (PipelineError, KafkaException, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
    return 1
