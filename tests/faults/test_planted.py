"""The checks are believed, for they catch what is planted: five bugs, each by both of them."""

from typing import NamedTuple

import pytest

from faults.plan import Plan
from faults.trial import PATIENCE, Trial

pytestmark = pytest.mark.planted

PLANTED = ("-m", "faults.planted")


class Bug(NamedTuple):
    """A bug, and what each check counts it as."""

    plant: str
    guarantee: str
    by_id: str
    by_audit: str


BUGS = [
    Bug("early", "at-least-once", "lost", "lost"),
    Bug("drop", "exactly-once", "lost", "lost"),
    Bug("double", "exactly-once", "duplicated", "duplicated"),
    Bug("swap", "exactly-once", "reordered", "reordered"),
    Bug("byte", "exactly-once", "wrong", "wrong"),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.plant)
def test_planted(bug: Bug) -> None:
    """One bad record among thousands, or a commit before the flush and a SIGKILL: both checks see it."""
    settings = {"PROCESSING_GUARANTEE": bug.guarantee, "PLANT": bug.plant, "COMMIT_INTERVAL": 0.1}
    settings["PLANT_AT"] = 0 if bug.plant == "early" else 1234
    plan = Plan(1, 7, 1000, settings={**settings, "INSTANCE_ID": "it"}, say=lambda _: None)
    with Trial(plan, command=PLANTED) as trial:
        (worker,) = trial.crew.start()
        trial.follow()
        trial.load(count=0 if bug.plant == "early" else 4000)
        assert trial.until(lambda: trial.reader.check.counts.checked > 2000, PATIENCE)
        if bug.plant == "early":
            for _ in range(3):  # one may come before the first commit
                worker.kill()
                (worker,) = trial.crew.start()
                trial.flows()
                trial.wait(1)
        report = trial.report("0", bug.plant)
    counts = report.ids
    assert getattr(counts, bug.by_id) >= 1
    assert report.audits.keys() == {"along", "at the end"}
    for found in report.audits.values():
        assert not found["ok"]
        assert found["total"][bug.by_audit] >= 1
    assert not report.ok
    if bug.plant != "early":
        assert counts.lost + counts.duplicated + counts.reordered + counts.wrong == 1


def test_nothing_planted() -> None:
    """Without a bug, neither check finds anything."""
    with Trial(Plan(0, 7, 1000, say=lambda _: None), command=PLANTED) as trial:
        trial.crew.start()
        trial.follow()
        trial.load(count=4000)
        report = trial.report("0", "nothing")
    assert report.ok
    assert report.ids.checked == report.audits["at the end"]["total"]["checked"] == 4000
