"""`python -m benchmarks.browser`: a large log, a large graph and what one presses, in the system's Chromium.

Times are those that the page's main thread computes (CPU, from Chromium's own metrics), so that a busy
machine does not count; memory is that of the page's scripts, and of the server beyond what it had before.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.data import Site, Size
from benchmarks.measure import Result, Target, at_most, show
from benchmarks.memory import peak_of, resident_bytes
from benchmarks.server import Server, served
from spackmon.ops.migrations import upgrade
from tests.waiting import GIVE_UP_SECONDS
from tests.web.conftest import CHROMIUM_ARGUMENTS, chromium

_SCREEN = {"width": 1280, "height": 900}
_FRAMES = 120
# A frame of 60 in a second, and what one notices of an answer to a key.
_FRAME_MS, _INTERACTION_MS = at_most(1000 / 60), at_most(50)
_GIVE_UP_MS = GIVE_UP_SECONDS * 1000
_LINE = "libtool: compile: gcc -DHAVE_CONFIG_H -I../include -O2 -g -c src/unit_{0:08}.c -o unit_{0:08}.o\n"
_WRONG = "src/a{0}.c:{0}:7: error: 'thing{0}' undeclared\nmake[1]: *** [Makefile:5: a{0}.o] Error 1\n"
_LINES_AT_ONCE = 5_000
_SCROLL = """frames => new Promise(done => {
  const box = document.getElementById("log-box");
  const step = () => { box.scrollBy(0, 97); frames -= 1; frames ? requestAnimationFrame(step) : done(); };
  requestAnimationFrame(step);
})"""
_TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Browser:
    """A page, and what its main thread computed until now."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def metric(self, name: str) -> float:
        """One of Chromium's metrics: seconds, or bytes."""
        found = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == name))

    def cost_ms(self, work: Callable[[], Any]) -> float:
        """Milliseconds of the main thread's CPU until two frames after `work`."""
        self.page.evaluate(_TWO_FRAMES)
        before = self.metric("TaskDuration")
        work()
        self.page.evaluate(_TWO_FRAMES)
        return (self.metric("TaskDuration") - before) * 1000


def main() -> int:
    """Print both tables; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="how large the log is (default 1000)")
    size = parser.parse_args().megabytes * 1_000_000
    print(f"the machine's load is {os.getloadavg()[0]:.1f}", flush=True)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="spackmon-browser-") as directory:
        url = f"sqlite:///{Path(directory) / 'site'}"
        upgrade(url)
        with served(url) as server, _browser(server) as browser:
            root = _report_graph(server)
            for title, rows in (
                ("a graph", _graph(browser, root)),
                ("a log", _log(server, browser, root, size)),
            ):
                found = list(rows)
                show(f"{title} in a browser", found)
                results += found
    return int(any(result.is_met is False for result in results))


@contextmanager
def _browser(server: Server) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_ARGUMENTS))
        context = launched.new_context(base_url=server.url, viewport=_SCREEN)  # type: ignore[arg-type]
        context.set_default_timeout(_GIVE_UP_MS)
        yield Browser(context.new_page())
        launched.close()


def _report_graph(server: Server) -> str:
    """The hash of the largest graph among some of the site's."""
    documents = (document for _, document in zip(range(60), Site(Size()).documents(), strict=False))
    largest = max(documents, key=lambda document: len(document["spec"]["nodes"]))
    server.http.post("/ms1/specs/new/", json={**largest, "spack_version": "1.0.0"}).raise_for_status()
    return str(largest["spec"]["nodes"][0]["hash"])


def _log(server: Server, browser: Browser, spec_hash: str, size_bytes: int) -> Iterator[Result]:
    what = f"a log of {size_bytes // 1_000_000} MB"
    page = browser.page
    before = resident_bytes(server.process_id)
    with peak_of(server.process_id) as peak:
        build = _report_log(server, spec_hash, size_bytes)
    yield _result(f"{what}: the server grows by, reported", (peak[0] - before) / 1e6, "MB")
    before = resident_bytes(server.process_id)
    with peak_of(server.process_id) as peak:
        page.goto(f"/builds/{build}")
        link = page.get_by_role("link", name="Its lines of build")
        address = str(link.evaluate("one => one.getAttribute('href')"))

        # A process of Chromium's own begins with the page: its costs before are those of another one.
        page.goto(address)
        page.locator(".row", has_text="make: Target 'all' not remade").first.wait_for()
        shown = page.evaluate("performance.now()")
        yield _result(f"{what}: its end is shown, on the clock", shown, "ms")
        wait = page.evaluate("performance.getEntriesByType('navigation')[0].responseStart")
        yield _result(f"{what}: the page's first byte, on the clock", wait, "ms")
        for number in (1, 2, 3):
            spent = browser.cost_ms(lambda: page.keyboard.press("n"))
            page.locator("#log-told", has_text=f"Error {number} of").wait_for()
            page.locator(".row.chosen", has_text=f"'thing{number}' undeclared").wait_for()
            yield _result(f"{what}: to error {number}", spent, "ms", _INTERACTION_MS)
        permalink = page.url

        def reopened() -> None:
            # The address that is open already is not opened again.
            page.goto("about:blank")
            page.goto(permalink)
            page.locator(".row.chosen", has_text="'thing3' undeclared").wait_for()

        page.keyboard.press("End")
        page.locator(".row:not(.coming)", has_text="make: Target 'all' not remade").wait_for()
        yield _result(f"{what}: a frame of scrolling from the end", _frame_ms(browser), "ms", _FRAME_MS)
        reopened()
        yield _result(f"{what}: a frame of scrolling from the middle", _frame_ms(browser), "ms", _FRAME_MS)
        reopened()
        page.goto(f"/builds/{build}")
        page.go_back()
        page.locator(".row.chosen", has_text="'thing3' undeclared").wait_for()
        for key in ("Home", "w", "End"):
            reopened()
            spent = browser.cost_ms(lambda key=key: page.keyboard.press(key))  # type: ignore[misc]
            yield _result(f"{what}: the key {key}", spent, "ms", _INTERACTION_MS)
        yield _result(f"{what}: memory of the page's scripts", browser.metric("JSHeapUsedSize") / 1e6, "MB")
    yield _result(f"{what}: the server grows by, read", (peak[0] - before) / 1e6, "MB")
    yield from _downloads(server, address.replace("/lines", "/log"), size_bytes, what)


def _frame_ms(browser: Browser) -> float:
    return browser.cost_ms(lambda: browser.page.evaluate(_SCROLL, _FRAMES)) / _FRAMES


def _downloads(server: Server, address: str, size_bytes: int, what: str) -> Iterator[Result]:
    for name, headers in (
        ("whole", {"Accept-Encoding": "identity"}),
        ("whole, gzip", {"Accept-Encoding": "gzip"}),
        ("its last byte", {"Range": "bytes=-1"}),
    ):
        before = resident_bytes(server.process_id)
        received = 0
        with (
            peak_of(server.process_id) as peak,
            server.http.stream("GET", address, headers=headers) as answer,
        ):
            for piece in answer.iter_raw():
                received += len(piece)
        assert answer.is_success
        yield _result(f"{what}: {name}: the server grows by", (peak[0] - before) / 1e6, "MB", at_most(50))


def _report_log(server: Server, spec_hash: str, size_bytes: int) -> int:
    begun = {
        "full_hash": spec_hash, "spack_version": "0.17.0", "tags": None, "host_os": "debian12",
        "platform": "linux", "host_target": "zen2", "hostname": "bench", "kernel_version": "6.1",
    }  # fmt: skip
    answer = server.http.post("/ms1/builds/new/", json=begun).raise_for_status().json()
    build = int(answer["data"]["build"]["build_id"])
    headers = {"Content-Type": "application/json"}
    body = _phase(build, size_bytes)
    server.http.post(
        "/ms1/builds/phases/update/", content=body, headers=headers, timeout=None
    ).raise_for_status()
    return build


def _phase(build: int, size_bytes: int) -> Iterator[bytes]:
    """The report of a phase: three errors among lines of a compiler, and what make says at the end."""
    head = {"build_id": build, "phase_name": "build", "status": "ERROR", "output": ""}
    yield json.dumps(head).encode()[:-2]
    written = number = errors = 0
    while written < size_bytes:
        text = "".join(_LINE.format(number + line) for line in range(_LINES_AT_ONCE))
        number += _LINES_AT_ONCE
        if errors < 3 and written * 4 >= size_bytes * (errors + 1):
            errors += 1
            text += _WRONG.format(errors)
        written += len(text)
        yield json.dumps(text).encode()[1:-1]
    yield json.dumps("make: Target 'all' not remade because of errors.\n").encode()[1:] + b"}"


def _graph(browser: Browser, root: str) -> Iterator[Result]:
    page = browser.page

    def drawn() -> None:
        page.goto(f"/specs/{root}/graph")
        page.locator("svg.graph .node").first.wait_for()

    spent = browser.cost_ms(drawn)
    nodes = page.locator("svg.graph .node").count()
    yield _result(f"a graph of {nodes} specs: drawn", spent, "ms")
    some = cycle(page.locator("svg.graph .node").all()[:: max(1, nodes // 5)])
    marked = max(browser.cost_ms(lambda: next(some).focus()) for _ in range(5))
    yield _result(f"a graph of {nodes} specs: the paths through one", marked, "ms", _INTERACTION_MS)
    folded = browser.cost_ms(lambda: page.get_by_label("Depth").select_option("1"))
    yield _result(f"a graph of {nodes} specs: folded to its first depth", folded, "ms", _INTERACTION_MS)
    whole = browser.cost_ms(lambda: page.get_by_label("Depth").select_option(index=0))
    yield _result(f"a graph of {nodes} specs: unfolded", whole, "ms")


def _result(what: str, value: float, unit: str, target: Target | None = None) -> Result:
    return Result("browser", "sqlite", what, value, unit, target)


if __name__ == "__main__":
    sys.exit(main())
