"""Both checks detect five deliberately planted bugs."""

from typing import NamedTuple

import pytest

from faults.conclusion import conclude
from faults.plan import Plan
from faults.trial import PATIENCE, Trial

pytestmark = pytest.mark.planted

PLANTED = ("-m", "faults.planted")


class Bug(NamedTuple):
    """A bug, the record that it affects, and how both checks count it."""

    plant: str
    guarantee: str
    count_as: str
    at: int = 1234
    records: int = 4000
    rate: float = 1000


BUGS = [
    Bug("early", "at-least-once", "lost", at=0, records=0),
    Bug("drop", "exactly-once", "lost", at=987_654, records=1_000_000, rate=0),
    Bug("double", "exactly-once", "duplicated"),
    Bug("swap", "exactly-once", "reordered"),
    Bug("byte", "exactly-once", "wrong"),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.plant)
def test_planted(bug: Bug) -> None:
    """Both checks detect one bad record, even of a million, or a commit before the flush and a SIGKILL."""
    settings = {"PROCESSING_GUARANTEE": bug.guarantee, "PLANT": bug.plant, "COMMIT_INTERVAL": 0.1}
    settings["PLANT_AT"] = bug.at
    plan = Plan(1, 7, bug.rate, settings={**settings, "INSTANCE_ID": "it"}, say=lambda _: None)
    with Trial(plan, command=PLANTED) as trial:
        (worker,) = trial.pool.start()
        trial.follow()
        trial.load(count=bug.records)
        assert trial.until(lambda: trial.reader.check.counts.checked > 2000, PATIENCE)
        if bug.plant == "early":
            for _ in range(3):  # one may come before the first commit
                worker.kill()
                (worker,) = trial.pool.start()
                trial.wait_for_output()
                trial.wait(1)
        report = conclude(trial)
    counts = report.ids
    assert getattr(counts, bug.count_as) >= 1
    assert report.audits.keys() == {"along", "at the end"}
    for found in report.audits.values():
        assert not found["ok"]
        assert found["total"][bug.count_as] >= 1
    assert not report.ok
    if bug.plant != "early":
        assert counts.lost + counts.duplicated + counts.reordered + counts.wrong == 1
        assert counts.checked + counts.lost == bug.records


def test_nothing_planted() -> None:
    """Without a bug, neither check reports anything."""
    with Trial(Plan(0, 7, 1000, say=lambda _: None), command=PLANTED) as trial:
        trial.pool.start()
        trial.follow()
        trial.load(count=4000)
        report = conclude(trial)
    assert report.ok
    assert report.ids.checked == report.audits["at the end"]["total"]["checked"] == 4000
