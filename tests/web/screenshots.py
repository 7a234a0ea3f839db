"""Every page of the demo's database as images: light and dark, wide and narrow.

python -m tests.web.screenshots DATABASE_FILE DIRECTORY
"""

import re
import sqlite3
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.server import Server, served
from tests.web.conftest import CHROMIUM_ARGUMENTS, chromium
from tests.web.reading import pages_of_all_kinds

_WIDTHS = (390, 1280)
_FAILED = (
    "{ builds(where: {status: {eq: FAILED}}, first: 1) { nodes { id } } specs(first: 1) { nodes { hash } } }"
)


def _addresses(server: Server) -> list[str]:
    found = server.ask(_FAILED)
    build, spec = found["builds"]["nodes"][0]["id"], found["specs"]["nodes"][0]["hash"]
    return ["/", "/builds", f"/builds/{build}", f"/specs/{spec}/graph", "/docs/", *pages_of_all_kinds(server)]


def take(database: Path, directory: Path) -> None:
    """Write `<page>-<width>-<scheme>.png` of every page into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as own, sync_playwright() as playwright:
        copy = Path(own) / "spackmon.db"
        with sqlite3.connect(database) as read, sqlite3.connect(copy) as written:
            read.backup(written)
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_ARGUMENTS))
        with served(f"sqlite:///{copy}", Path(own)) as server:
            for scheme in ("light", "dark"):
                for width in _WIDTHS:
                    context = browser.new_context(
                        base_url=server.url,
                        viewport={"width": width, "height": 900},
                        color_scheme=scheme,  # type: ignore[arg-type]
                    )
                    page = context.new_page()
                    for address in _addresses(server):
                        page.goto(address)
                        name = re.sub(r"\W+", "-", address).strip("-") or "home"
                        page.screenshot(path=directory / f"{name}-{width}-{scheme}.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
