"""Fixtures of the browser's tests: this machine's Chromium, and tabs in which nothing may go wrong."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright

from tests.kafka import TIMEOUT

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session", autouse=True)  # without a browser, nothing else starts
def browser() -> Iterator[Browser]:
    """The browser of this machine."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.exit(f"none of {', '.join(PROGRAMS)} is installed: apt-get install chromium", 1)
    expect.set_options(timeout=1000 * TIMEOUT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page of the worker at a port. From then on, no tab may show an error, or send a request elsewhere.

    `change` alters each answer of /status.json before the page gets it. `ends` allows requests without an answer.
    """
    contexts, problems = [], []

    def open_tab(
        port: int,
        change: Callable[[dict[str, Any]], object] | None = None,
        width: int = 1200,
        scheme: str = "light",
        *,
        ends: bool = False,
    ) -> Page:
        address = f"http://127.0.0.1:{port}/"

        def on_request(request: Request) -> None:
            if not request.url.startswith((address, "data:")):
                problems.append(f"request to {request.url}")

        def on_message(kind: str, text: str) -> None:
            if kind in {"error", "warning"} and not (ends and "net::ERR_" in text):
                problems.append(text)

        def answer(route: Route) -> None:
            response = route.fetch()
            status = response.json()
            if change is not None:
                change(status)
            route.fulfill(response=response, json=status)

        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        context.set_default_timeout(1000 * TIMEOUT)
        tab = context.new_page()
        tab.on("request", on_request)
        tab.on("console", lambda message: on_message(message.type, message.text))
        tab.on("pageerror", lambda error: problems.append(str(error)))
        if change is not None:
            context.route("**/status.json", answer)
        tab.goto(address)
        expect(tab.locator("#version")).not_to_be_empty()
        return tab

    yield open_tab
    for context in contexts:
        context.unroute_all(behavior="ignoreErrors")  # an answer may be on its way
        context.close()
    assert problems == []
