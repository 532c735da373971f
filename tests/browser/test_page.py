"""The status page of a running pipeline, in a real browser: it shows what the worker does, and only that."""

import json
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, expect

from runtime.settings import ADDRESS
from tests.kafka import Kafka, Record
from tests.pipeline.test_health import LOGIN, SCRIPT, ask, wait_for
from tests.process import Pipeline, Pipelines
from tools.broker.ports import free_port
from tools.child_process import ChildProcess
from tools.waiting import wait_until

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>&lt;b&gt;"
ROOT = Path(__file__).parents[2]
OpenTab = Callable[..., Page]

CONTRASTS = """() => {
  const bright = (colour) => {
    const parts = colour.match(/[0-9.]+/g).map((part) => part / 255).slice(0, 3);
    const [red, green, blue] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const ground = bright(getComputedStyle(document.body).backgroundColor);
  const texts = [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility()
    && [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return texts.map((each) => {
    const style = getComputedStyle(each), text = bright(each.closest("svg") ? style.fill : style.color);
    return [each.textContent, Math.max(text, ground) / Math.min(text, ground)];
  });
}"""

POLL_OFTEN = """async (count) => {
  const [one] = latest.partitions, {now} = latest;
  for (let n = 0; n < count; n++) {
    const partitions = Array.from({length: n % 128}, (_, partition) => ({...one, partition, lag_records: n}));
    const malformed = Array.from({length: n % 7}, (_, id) => ({reason: `reason ${id}`, count: n, latest: "in[0]@1"}));
    const text = JSON.stringify({...latest, now: now + n, partitions, malformed});
    window.fetch = async () => new Response(text);
    await update();
  }
  latest = {...latest, partitions: [one]};
}"""
"""Polls answers that are a second apart, in tables whose sizes change."""


class Worker(NamedTuple):
    """A pipeline, the port of its page, and its input topic."""

    pipeline: Pipeline
    port: int
    source: str

    def status(self) -> dict[str, Any]:
        """Ask /status.json."""
        status: dict[str, Any] = json.loads(ask(self.port, "/status.json").body)
        return status


def start(kafka: Kafka, pipelines: Pipelines, **settings: object) -> Worker:
    """Start a pipeline between two new topics with 3 partitions, and wait until it is ready."""
    source, target = (kafka.create_topic(f"{name}-{uuid.uuid4().hex[:8]}", 3) for name in ("in", "out"))
    port = free_port()
    worker = Worker(pipelines.start(source, target, HTTP_PORT=port, **settings), port, source)
    wait_for(port, "/ready", 200)
    return worker


@pytest.fixture(scope="module")
def script() -> Path:
    """The script that `pipelines` starts here: with short intervals, and a way to stall."""
    return SCRIPT


@pytest.fixture(scope="module")
def worker(kafka: Kafka, shared_pipelines: Pipelines) -> Worker:
    """A pipeline that tests share and that has handled some records."""
    worker = start(kafka, shared_pipelines)
    kafka.produce(worker.source, [Record(value=LOGIN % number, partition=number % 3) for number in range(30)])
    kafka.produce(worker.source, [Record(value=b"no JSON"), Record(value=b"[]")])
    wait_until(lambda: worker.status()["records_out"] == 32, "32 records out")
    return worker


def now() -> int:
    """The time, as a record's timestamp."""
    return int(1000 * time.time())


def many(status: dict[str, Any]) -> None:
    """Give the answer 128 partitions of a topic with a long name. Number 77 is stalled."""
    status["input"] = "user-login." * 22
    one = status["partitions"][0] | {"topic": status["input"], "lag_seconds": 1.5}
    status["partitions"] = [
        one | {"partition": number, "lag_records": number, "stalled_seconds": number % 3 / 10} for number in range(128)
    ]
    status["partitions"][77] |= {"stalled_seconds": 61.0, "offset": 4711}


def test_figures_move(kafka: Kafka, pipelines: Pipelines, open_tab: OpenTab) -> None:
    """The page shows state, records, rate, lag, latency and settings, and follows as records arrive."""
    worker = start(kafka, pipelines, COMMIT_EVERY=17)
    tab = open_tab(worker.port)
    expect(tab).to_have_title("running | Login pipeline")
    expect(tab.locator("#topics")).to_contain_text(f"{worker.source} → out-")
    expect(tab.locator("#partitions tbody tr")).to_have_count(3)
    for times, total in ((1, 1000), (2, 3000)):
        logins = [Record(value=LOGIN % number, timestamp=now(), partition=number % 3) for number in range(1000)]
        kafka.produce(worker.source, logins * times)
        expect(tab.locator("#records-in")).to_have_text(f"{total:,} records")
        expect(tab.locator("#records-out")).to_have_text(f"{total:,} records")
    expect(tab.locator("#rate-in")).not_to_have_text("0")
    expect(tab.locator("#chart #out")).to_have_attribute("d", re.compile("L"))
    expect(tab.locator("#lag-records")).to_have_text("0 records")
    expect(tab.locator("#latency-p99")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(tab.locator("#checkpoint-age")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(tab.locator("#malformed-summary")).to_have_text("none")
    tab.get_by_text("Settings and versions").click()
    expect(tab.locator("#settings tr", has_text="COMMIT_EVERY")).to_contain_text("17")
    expect(tab.locator("#settings tr", has_text="librdkafka")).to_contain_text(re.compile(r"\d+\.\d+\.\d+"))
    for link in tab.locator("footer a").all():
        assert ask(worker.port, link.get_attribute("href")).status == 200


def test_malformed_burst(kafka: Kafka, pipelines: Pipelines, open_tab: OpenTab) -> None:
    """Malformed records show with reason, number, those of the last minute and the latest one's place, but no value."""
    worker = start(kafka, pipelines)
    tab = open_tab(worker.port)
    kafka.produce(worker.source, [Record(value=b"no JSON: s3cret", partition=1)] * 1200)
    row = tab.locator("#malformed tbody tr")
    expect(row.locator("th")).to_have_text(f"invalid_json\nlatest at {worker.source}[1]@1199")
    expect(row.locator("td")).to_have_text(["+1,200", "1,200"])
    expect(tab.locator("#malformed-count")).to_have_text("1,200")
    expect(tab.locator("#malformed-share")).to_have_text("100 % of records")
    assert "s3cret" not in tab.content()
    assert "s3cret" not in ask(worker.port, "/status.json").body


def test_stall(kafka: Kafka, pipelines: Pipelines, open_tab: OpenTab, tmp_path: Path) -> None:
    """A stalled partition shows in words, in the title and in its row, and so does its end."""
    blocker = tmp_path / "paused"
    blocker.touch()
    worker = start(kafka, pipelines, PAUSED_WHILE=blocker)
    tab = open_tab(worker.port)
    kafka.produce(worker.source, [Record(value=LOGIN % number) for number in range(20_000)])
    expect(tab.locator("#words")).to_have_text(re.compile(r"^stalled: partition 0 at offset \d+$"))
    expect(tab).to_have_title(re.compile("^stalled: partition 0 "))
    expect(tab.locator("#problems")).to_contain_text("partition 0 stalled at offset ")
    expect(tab.locator("#partitions .stalled")).to_contain_text(
        re.compile(r"^0\s+no progress for \d+ s \(offset \d+\)")
    )
    expect(tab.locator("#lag-summary")).to_have_text("1 of 3 partitions without progress")
    blocker.unlink()
    expect(tab.locator("#words")).to_have_text("running")
    expect(tab.locator("#problems")).to_be_hidden()
    expect(tab.locator("#records-out")).to_have_text("20,000 records")
    expect(tab.locator("#lag-records")).to_have_text("0 records")


def test_frozen_and_ended(kafka: Kafka, pipelines: Pipelines, open_tab: OpenTab) -> None:
    """A worker that hangs or has ended shows as "no answer since". The last figures stay, in grey."""
    worker = start(kafka, pipelines)
    kafka.produce(worker.source, [Record(value=LOGIN % number) for number in range(7)])
    tab = open_tab(worker.port, ends=True)
    expect(tab.locator("#records-out")).to_have_text("7 records")
    worker.pipeline.send(signal.SIGSTOP)
    check_away(tab)
    worker.pipeline.send(signal.SIGCONT)
    expect(tab.locator("#words")).to_have_text("running")
    expect(tab.locator("main")).to_have_css("opacity", "1")
    assert worker.pipeline.stop() == 0
    check_away(tab)


def check_away(tab: Page) -> None:
    """Wait until the page says that the worker does not answer."""
    expect(tab).to_have_title(re.compile(r"^no answer since \d\d:\d\d:\d\d \| Login pipeline$"))
    expect(tab.locator("#words")).to_have_text(re.compile(r"^no answer since \d\d:\d\d:\d\d$"))
    expect(tab.locator("#problems")).to_contain_text("The figures below are the last ones.")
    expect(tab.locator("#records-out")).to_have_text("7 records")
    expect(tab.locator("main")).to_have_css("opacity", "0.5")


def test_hostile_texts(worker: Worker, open_tab: OpenTab) -> None:
    """A topic name, reason, place, state, problem or setting with HTML in it stays text."""

    def change(status: dict[str, Any]) -> None:
        for name, value in status.items():
            if isinstance(value, str):
                status[name] = HOSTILE
        status["problems"] = [HOSTILE]
        status["partitions"] = [one | {"topic": f"{HOSTILE}2"} for one in status["partitions"]]
        status["malformed"] = [{"reason": HOSTILE, "count": 3, "latest": HOSTILE}]
        status["settings"] = {HOSTILE: HOSTILE}
        status["versions"] = {"librdkafka": HOSTILE}

    tab = open_tab(worker.port, change)
    expect(tab).to_have_title(f"{HOSTILE} | Login pipeline")
    tab.get_by_text("Settings and versions").click()
    for place in ("#topics", "#words", "#problems", "#about", "#version", "#partitions", "#malformed", "#settings"):
        expect(tab.locator(place)).to_contain_text(HOSTILE)
    assert tab.locator("img, body b > *, #words > *, #problems li > *, td > *, tbody th > *").count() == 0
    assert tab.locator("script").count() == 1


@pytest.mark.parametrize("width", [320, 360, 700, 1000])
def test_narrow(worker: Worker, open_tab: OpenTab, width: int) -> None:
    """The page fits into a phone's and a tablet's width, with 128 partitions and a long topic name."""
    tab = open_tab(worker.port, many, width)
    tab.get_by_text("Settings and versions").click()
    tab.get_by_text("Show all 128 partitions").click()
    expect(tab.locator("#partitions tbody tr")).to_have_count(128)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("change", [None, many], ids=["running", "stalled"])
def test_contrast(worker: Worker, open_tab: OpenTab, scheme: str, change: Callable[..., object] | None) -> None:
    """Each text has a contrast of at least 4.5 to the ground, in light and in dark."""
    tab = open_tab(worker.port, change, scheme=scheme)
    tab.get_by_text("Settings and versions").click()
    found = tab.evaluate(CONTRASTS)
    assert len(found) > 50
    assert {text: ratio for text, ratio in found if ratio < 4.5} == {}


def test_sorting(worker: Worker, open_tab: OpenTab) -> None:
    """Of many partitions, the worst come first. A click on a column's head sorts by it, up and down."""
    tab = open_tab(worker.port, many)
    names = tab.locator("#partitions tbody th")
    expect(names).to_have_count(12)
    expect(names.nth(0)).to_have_text("77\nno progress for 1 min 1 s (offset 4711)")
    expect(names.nth(1)).to_have_text("127")
    for direction, first in [("ascending", "0"), ("descending", "127")]:
        tab.locator("[data-column=partition] button").click()
        expect(tab.locator("[data-column=partition]")).to_have_attribute("aria-sort", direction)
        expect(names.nth(0)).to_have_text(first)


def test_chosen_time(worker: Worker, open_tab: OpenTab) -> None:
    """The chart shows the rate at the time that the pointer or the arrow keys choose."""

    def change(status: dict[str, Any]) -> None:
        status["now"] = status["started"] + 600  # always the same, so the times of the rates stay
        status["rates"] = [{"time": status["now"] - 5 * (119 - n), "in": 1000 + n, "out": 2000 + n} for n in range(120)]

    tab = open_tab(worker.port, change)
    chart, chosen = tab.locator("#chart"), tab.locator("#at-in, #at-out")
    expect(chosen).to_have_text(["1,119", "2,119"])
    box = chart.bounding_box()
    tab.mouse.move(box["x"] + 50, box["y"] + 50)
    expect(tab.locator("#at-in")).to_have_text(re.compile(r"^1,00\d$"))
    expect(tab.locator("#at")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    tab.mouse.move(0, 0)
    expect(tab.locator("#at")).to_have_text("now")
    chart.focus()
    for _ in range(3):
        chart.press("ArrowLeft")
    expect(chosen).to_have_text(["1,116", "2,116"])
    expect(chart).to_have_attribute("aria-valuetext", re.compile(r": 1,116 in, 2,116 out$"))


def test_long_open(worker: Worker, open_tab: OpenTab) -> None:
    """A page that stays open does not grow: after 2,000 more answers it has the same nodes, listeners and memory."""
    tab = open_tab(worker.port)
    session = tab.context.new_cdp_session(tab)

    def measure() -> dict[str, float]:
        session.send("HeapProfiler.collectGarbage")
        counters = session.send("Memory.getDOMCounters")
        return {**counters, "mebibytes": session.send("Runtime.getHeapUsage")["usedSize"] / 2**20}

    tab.evaluate(POLL_OFTEN, 300)
    before = measure()
    tab.evaluate(POLL_OFTEN, 2_000)
    after = measure()
    assert after["nodes"] <= before["nodes"] + 100
    assert after["jsEventListeners"] == before["jsEventListeners"]
    assert after["mebibytes"] < before["mebibytes"] + 1


def test_many_requests(worker: Worker) -> None:
    """10,000 requests leave the worker with the descriptors and the memory that it had, within 8 MiB."""
    process = Path("/proc") / worker.status()["client"].rpartition("-")[2]

    def measure() -> tuple[int, float]:
        wait_until(lambda: ask(worker.port, "/live").status == 200, "/live")
        (kibibytes,) = re.findall(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
        return len(list((process / "fd").iterdir())), int(kibibytes) / 1024

    def ask_often(count: int) -> None:
        for number in range(count):
            path = ("/status.json", "/metrics", "/")[number % 3]
            assert ask(worker.port, path).status == 200

    ask_often(1_000)
    descriptors, mebibytes = measure()
    ask_often(10_000)
    descriptors_after, mebibytes_after = measure()
    assert descriptors_after <= descriptors + 3  # connections that are closing
    assert mebibytes_after < mebibytes + 8


@pytest.mark.skipif("PAGE_PICTURES" not in os.environ, reason="PAGE_PICTURES names no folder for pictures")
def test_pictures(kafka: Kafka, pipelines: Pipelines, open_tab: OpenTab) -> None:
    """Pictures of a real run, in light, in dark and on a phone, take less than 300 kB."""
    source, target = (kafka.create_topic(name, 6) for name in ("user-login", "processed-user-login"))
    port = free_port()
    pipelines.start(source, target, HTTP_PORT=port, Quix__Consumer_Group="user-login-pipeline")
    wait_for(port, "/ready", 200)
    views = {"light": (900, "light"), "dark": (900, "dark"), "phone": (360, "light")}

    def hide_machine(status: dict[str, Any]) -> None:
        status["client"] = "login-pipeline-0"

    settings = {ADDRESS: kafka.address, "output": source, "RATE": "900"}
    generator = ChildProcess([sys.executable, "-m", "tools.generator"], cwd=ROOT, env=os.environ | settings)
    try:
        tabs = {name: open_tab(port, hide_machine, *view) for name, view in views.items()}
        for burst in (0, 900, 4_000, 2_500, 1_200, 300):
            values = [LOGIN % 1] * burst + [b"no JSON"] * (burst // 10)
            kafka.produce(source, [Record(value=value, timestamp=now(), partition=1) for value in values])
            tabs["light"].wait_for_timeout(20_000)  # unlike time.sleep, it lets `hide_machine` run
        files = [Path(os.environ["PAGE_PICTURES"]) / f"page-{name}.png" for name in tabs]
        for file, tab in zip(files, tabs.values(), strict=True):
            tab.screenshot(path=file, full_page="phone" not in file.name)
    finally:
        generator.end()
    assert sum(file.stat().st_size for file in files) < 300_000
