"""A real browser that can reach nothing but the server under test."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

from tests.waiting import GIVE_UP_SECONDS

_CHROMIUM_VARIABLE = "SPACKMON_TEST_CHROMIUM"
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = (
    # No name but that of this machine is found, so that what the interception below misses fails too.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # Chromium refuses its sandbox to root, and containers seldom allow it to others.
    "--no-sandbox",
)

_GIVE_UP_MILLISECONDS = GIVE_UP_SECONDS * 1000

# A test stops its server before its page is closed. A page that is still loading then is refused, which
# tells of the test's end and of no fault: a server that runs refuses no connection.
_SERVER_HAS_STOPPED = "net::ERR_CONNECTION_REFUSED"

NewPage = Callable[..., Page]


def chromium() -> str:
    """The path of this machine's browser; without one the test is skipped."""
    found = os.environ.get(_CHROMIUM_VARIABLE) or next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: install chromium or set {_CHROMIUM_VARIABLE} to its path")
    return found


# Not for the whole session: Playwright's loop runs in the test thread as long as it is open, and no
# asyncio.run() of another test would be possible beside it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium of this machine; without one the test is skipped."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(CHROMIUM_ARGUMENTS), timeout=_GIVE_UP_MILLISECONDS
        )
        expect.set_options(timeout=_GIVE_UP_MILLISECONDS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """`new_page(server_url, **context_options)`: an empty page in a browser profile of its own.

    Requests to any other origin are refused. At the end of the test they fail it, and so does whatever
    the page complained about, such as a broken content security policy.
    """
    strayed: list[str] = []
    complaints: list[str] = []
    with ExitStack() as contexts:

        def page_of_new_profile(server_url: str, **options: Any) -> Page:
            context = contexts.enter_context(browser.new_context(base_url=server_url, **options))
            context.set_default_timeout(_GIVE_UP_MILLISECONDS)

            def refuse_other_origins(route: Route) -> None:
                if route.request.url.startswith(f"{server_url}/"):
                    route.continue_()
                else:
                    strayed.append(route.request.url)
                    route.abort()

            def note_complaint(message: ConsoleMessage) -> None:
                if message.type in ("error", "warning") and _SERVER_HAS_STOPPED not in message.text:
                    complaints.append(message.text)

            context.route("**/*", refuse_other_origins)
            context.on("console", note_complaint)
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            return context.new_page()

        yield page_of_new_profile
    assert strayed == []
    assert complaints == []
