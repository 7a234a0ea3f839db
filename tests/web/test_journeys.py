"""What people come for, from the first page to the answer, in a real browser without JavaScript."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.examples import ROOT
from tests.server import Server, served
from tests.web.conftest import NewPage
from tests.web.reading import report

SCREEN = {"width": 1280, "height": 900}


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Server]:
    """Four weeks of nightly builds."""
    with served(sqlite_url, tmp_path) as server:
        for name in ("hdf5.jsonl", "nightly.jsonl"):
            report(server, (ROOT / "examples" / name).read_bytes())
        yield server


def test_people_find_causes_lists_comparisons_and_cells(site: Server, new_page: NewPage) -> None:
    page = new_page(site.url, viewport=SCREEN, java_script_enabled=False)
    _from_a_failed_build_to_its_cause(page)
    _from_words_to_a_file_of_builds(page, site)
    _from_last_night_to_the_night_before(page)
    _from_a_cell_to_its_builds(page)
    _from_a_stack_to_what_broke_its_roots(page)


def test_moments_are_told_in_the_readers_zone(site: Server, new_page: NewPage) -> None:
    page = new_page(site.url, timezone_id="Asia/Tokyo")
    page.goto("/errors")
    moment = page.locator("time").first
    expect(moment).to_have_text(re.compile(r"2026-03-\d\d \d\d:\d\d:\d\d GMT\+9"))
    expect(moment).to_have_attribute("title", re.compile(r"2026-03-\d\d \d\d:\d\d:\d\d UTC"))


def _from_a_failed_build_to_its_cause(page: Page) -> None:
    page.goto("/builds?package=hdf5&status=failed")
    page.get_by_role("link", name="hdf5@1.14.3").first.click()
    expect(page.get_by_text("unknown type name").first).to_be_in_viewport()
    expect(page.get_by_role("heading", name="What changed since it last succeeded")).to_be_in_viewport()
    expect(page.get_by_text("llvm@16.0.6").first).to_be_in_viewport()
    page.get_by_role("link", name="what may be the cause").click()
    expect(page.get_by_role("heading", name="What may be the cause")).to_be_in_viewport()


def _from_words_to_a_file_of_builds(page: Page, site: Server) -> None:
    page.goto("/")
    page.get_by_label("Builds of the spec").fill("^zlib@1.3:")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("link", name="hdf5@1.14.3").first).to_be_visible()
    address = page.get_by_role("link", name="CSV").get_attribute("href")
    rows = list(csv.DictReader(io.StringIO(site.http.get(address or "").text)))
    shown = page.locator("tbody th a").evaluate_all("all => all.map(one => one.pathname.split('/').pop())")
    assert [row["id"] for row in rows] == shown


def _from_last_night_to_the_night_before(page: Page) -> None:
    page.goto("/compare/runs")
    for name, value in (
        ("base_from", "2026-03-01"),
        ("base_until", "2026-03-09"),
        ("head_from", "2026-03-09"),
    ):
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Newly failing")).to_be_visible()
    assert "head_from=2026-03-09" in page.url


def _from_a_stack_to_what_broke_its_roots(page: Page) -> None:
    page.goto("/ci")
    page.get_by_role("link", name="nightly-stack").first.click()
    expect(page.get_by_role("heading", name="Roots")).to_be_visible()
    root = page.get_by_role("table", name="Roots of the stack").get_by_role("row", name="FAILED").first
    root.locator("[data-label='What broke it'] a").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("hdf5@1.14.3")


def _from_a_cell_to_its_builds(page: Page) -> None:
    page.goto("/packages")
    page.get_by_role("link", name="hdf5", exact=True).click()
    cell = page.locator(".matrix td.bad a, .matrix td.busy a").first
    count = int((cell.inner_text()).split(" of ")[1].split()[0])
    cell.click()
    expect(page.locator("tbody th a")).to_have_count(count)
