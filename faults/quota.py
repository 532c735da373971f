"""Measures how much of a produce quota one worker uses: `python -m faults.quota` prints one line per quota."""

import argparse
import signal
import time

from faults.broker_admin import set_produce_quota
from faults.plan import Plan
from faults.records import record
from faults.trial import Trial

_CASES = ((10_000, 20_000, 1000), (50_000, 20_000, 1000), (500_000, 20_000, 4000))
"""Quota in bytes per second; records of the backlog, and bytes of each."""
_SEED = 16


def main() -> None:
    """Measure and print each case."""
    parser = argparse.ArgumentParser(prog="python -m faults.quota", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long each case lasts (default: %(default)s)")
    parser.add_argument("--quota", type=int, nargs="+", help="only these quotas")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the worker")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that every process is ended
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    for quota, count, size in _CASES:
        if not arguments.quota or quota in arguments.quota:
            print(_measure(quota, count, size, arguments.seconds, settings), flush=True)


def _measure(quota: int, count: int, size: int, seconds: float, settings: dict[str, object]) -> str:
    """Let one worker process the backlog under the quota; return its progress after half of the time and at the end."""
    with Trial(Plan(0, _SEED, settings=settings)) as trial:
        trial.load(count=count, rate=0, pad=size, kind="noisy")
        trial.end_load()
        set_produce_quota(trial.cluster.address, quota)
        trial.pool.start()
        found = [f"quota {quota:,} bytes/s, {count:,} x {size:,} bytes"]
        begin = time.monotonic()
        for until in (seconds / 2, seconds):
            is_done = trial.until(
                lambda: not trial.reader.check.waiting_for(trial.sent), begin + until - time.monotonic()
            )
            took = time.monotonic() - begin
            found.append(f"after {took:.0f} s {list(trial.reader.check.progress.values())} records")
            if is_done:
                break
        share = trial.reader.check.counts.checked * _bytes_each(size) / took / quota
        found += [f"{share:.2f} of the quota", f"exits {dict(trial.pool.exits)}", *sorted(set(trial.pool.reasons))]
        set_produce_quota(trial.cluster.address, None)
        trial.pool.stop()
    return "; ".join(found)


def _bytes_each(size: int, sample: int = 500) -> float:
    """The average bytes of a record's key and value in the output."""
    sent = [record(_SEED, 0, number, size, noisy=True) for number in range(sample)]
    return sum(len(each.key or b"") + len(each.mapped or each.value or b"") for each in sent) / sample


if __name__ == "__main__":
    main()
