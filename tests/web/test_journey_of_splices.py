"""May this library replace that one, and who breaks: from a build on, with and without JavaScript."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from spackmon.ingest import store
from spackmon.submission import InstallReport, SpecReport
from tests.abi.cases import CASES
from tests.abi.installed_case import installed
from tests.abi.splicing import build
from tests.server import Server, in_database, served_from
from tests.web.conftest import NewPage
from tests.web.reading import tab_to

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, int]]:
    """A program, the library it was linked against, and one of a version that lacks a function."""
    directory = tmp_path_factory.mktemp("splices")
    with served_from(sqlite_template, directory) as server:

        def apply(report: SpecReport | InstallReport) -> int:
            return int(in_database(server, lambda c: store.apply(c, report, 1)).build_id)

        yield server, installed(apply, build(CASES["version gone"], directory / "case"))


@pytest.mark.parametrize(("width", "has_scripts", "scheme"), [(1280, False, "light"), (390, True, "dark")])
def test_whether_a_splice_is_safe_and_who_breaks_is_found_by_keys_alone(
    site: tuple[Server, int], new_page: NewPage, width: int, has_scripts: bool, scheme: str
) -> None:
    server, number = site
    page = new_page(
        server.url,
        viewport={"width": width, "height": 900},
        java_script_enabled=has_scripts,
        color_scheme=scheme,
    )
    page.goto(f"/builds/{number}")
    _enter(page, "What may replace it")
    newer = page.get_by_role("row").filter(has_text="x@2.0")
    expect(newer).to_contain_text("BREAKS")
    expect(page.get_by_role("row").filter(has_text="x@1.0")).to_contain_text("WORKS")
    _enter(page, "x@2.0")
    expect(page.get_by_role("heading", level=1)).to_contain_text("BREAKS app@1.0 with x@2.0")
    expect(page.get_by_text("The loader refuses something that it starts today.")).to_be_in_viewport()
    missing = page.get_by_role("table", name="What is missing, and who needs it")
    expect(missing).to_contain_text("x_two@X_2")
    expect(missing).to_contain_text("undefined symbol: x_two, version X_2")
    tab_to(page, page.get_by_label("All that uses", exact=True))
    page.keyboard.type("x")
    page.keyboard.press("Enter")
    # Scripts make a grid of it.
    matrix = page.locator("table", has_text="Verdicts by what uses x and by specs of it")
    cells = matrix.locator("tbody tr")
    expect(cells).to_have_count(1)
    expect(cells).to_contain_text("app@1.0")
    expect(cells.locator("td").nth(1)).to_contain_text("BREAKS")
    expect(cells.locator("td").nth(2)).to_contain_text("WORKS")
    tab_to(page, matrix.locator("summary").first)
    page.keyboard.press("Enter")
    expect(matrix.get_by_text("version `X_2' not found")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def _enter(page: Page, name: str) -> None:
    tab_to(page, page.get_by_role("link", name=name).first)
    page.keyboard.press("Enter")
