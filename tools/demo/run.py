"""`make demo`: sends logins through a real Apache Kafka and this pipeline, and compares every record.

    DEMO_SECONDS          stop this many seconds after the first processed record; without it, at Ctrl-C
    DEMO_PICTURE          write the last screen before the stop into this SVG file (docs/demo.svg is such a picture)
    RATE, MALFORMED, SEED the generator's settings; by default 50 records per second and a share of 0.05

Keys: k kills the worker that has run longest, and a new one starts; w adds a worker; b sends 100,000 records, and has
no effect while it does; q stops, as Ctrl-C does. The latency is the time from a record's timestamp until the demo has
read it from the output topic (read_committed); its 99th percentile is that of the last ten seconds.

The pipeline's settings apply, except for the broker, the topics and INSTANCE_ID, which are the demo's.

Exit codes: 0 if every record was processed once, 1 if one was not or a process failed, 78 if a setting is wrong.
"""

import io
import signal
import sys
import tempfile
from pathlib import Path

from confluent_kafka import KafkaException
from loguru import logger

from runtime.errors import Misconfigured, PipelineError
from runtime.observe.output import UnwritableError, say
from runtime.settings import ENV_FILE
from runtime.stop.signals import stop_request
from tools.broker.files import BrokerError
from tools.demo.session import DemoSettings, Session, environment
from tools.demo.terminal import Screen, keyboard
from tools.demo.view import result


def run(settings: DemoSettings) -> int:
    """Run the demo, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="user-login-demo-") as folder:
        session = Session(Path(folder), settings)
        try:
            session.start()
            with Screen(session.board) as screen, keyboard(wanted=screen.is_live) as pressed:
                session.run(screen, pressed)
        except KeyboardInterrupt:
            if session.board.state != "done":
                session.problem = session.problem or "interrupted before all records were compared"
        except (BrokerError, UnwritableError):
            raise
        except (PipelineError, KafkaException) as error:
            session.problem = session.problem or session.exited() or str(error)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the rest takes no time and must be done
            stop_request.begin()
            session.closing.close()
    if session.problem:
        print(f"demo: {session.problem}", file=sys.stderr, flush=True)
    say(result(session.board))
    counts = session.board.counts
    return 1 if session.problem or sum(counts.values()) > counts["checked"] else 0


def main() -> int:
    """Run with the settings of the environment, and return the exit code."""
    logger.remove()  # the processes log into files; nothing may write across the screen
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not be able to show frames
    try:
        return run(DemoSettings.load(ENV_FILE, environment()))
    except (PipelineError, KafkaException, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, Misconfigured) else 1
