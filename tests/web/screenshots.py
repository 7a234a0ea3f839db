"""Every page of the demo's database as images: light and dark, wide and narrow.

python -m tests.web.screenshots DATABASE_FILE DIRECTORY [WIDTH ...]
"""

import sys
from collections.abc import Sequence
from http.cookies import SimpleCookie
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.server import Server
from tests.web.conftest import CHROMIUM_ARGUMENTS, chromium
from tests.web.demo import demo_site, main_pages, own_pages

_WIDTHS = (390, 1280)
_WITHOUT_ANYTHING = {
    "empty list": "/builds?tag=nothing",
    "not found": "/builds/999999",
    "refused": "/builds?after=x",
}


def take(database: Path, directory: Path, widths: Sequence[int]) -> None:
    """Write `<page>-<width>-<scheme>.png` of every page into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, demo_site(database) as (server, cookie):
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_ARGUMENTS))
        for width in widths:
            for scheme in ("light", "dark"):
                _take_all(browser, server, cookie, f"{width}-{scheme}", directory)
        browser.close()


def _take_all(browser: Browser, server: Server, cookie: str, form: str, directory: Path) -> None:
    width, _, scheme = form.partition("-")
    context = browser.new_context(
        base_url=server.url,
        viewport={"width": int(width), "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()

    def shoot(name: str, address: str) -> None:
        page.goto(address)
        page.screenshot(path=directory / f"{name.replace(' ', '-')}-{form}.png", full_page=True)

    for name, address in {**main_pages(server), **_WITHOUT_ANYTHING}.items():
        shoot(name, address)
    for name, morsel in SimpleCookie(cookie).items():
        context.add_cookies([{"name": name, "value": morsel.value, "url": server.url}])
    for name, address in own_pages().items():
        shoot(name, address)
    context.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]), [int(width) for width in sys.argv[3:]] or _WIDTHS)
