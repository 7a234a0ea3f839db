"""What people come for, from the first page to the answer, in a real browser, with and without JavaScript."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.examples import ROOT
from tests.server import Server, served, served_from
from tests.web.conftest import NewPage
from tests.web.reading import report

SCREEN = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Four weeks of nightly builds, which no test here changes."""
    directory = tmp_path_factory.mktemp("nightly")
    with served_from(sqlite_template, directory) as server:
        for name in ("hdf5.jsonl", "nightly.jsonl"):
            report(server, (ROOT / "examples" / name).read_bytes())
        yield server


@pytest.mark.parametrize(("width", "has_scripts", "scheme"), [(1280, False, "light"), (390, True, "dark")])
def test_people_find_causes_lists_comparisons_and_cells(
    site: Server, new_page: NewPage, width: int, has_scripts: bool, scheme: str
) -> None:
    page = new_page(
        site.url,
        viewport={**SCREEN, "width": width},
        java_script_enabled=has_scripts,
        color_scheme=scheme,
    )
    _from_a_failed_build_to_its_cause(page, is_telephone=width < 1000)
    _from_words_to_a_file_of_builds(page, site)
    _from_last_night_to_the_night_before(page)
    _from_a_cell_to_its_builds(page)


def test_people_find_what_broke_a_stack_and_two_builds_that_differ(site: Server, new_page: NewPage) -> None:
    page = new_page(site.url, viewport=SCREEN, java_script_enabled=False)
    _from_a_stack_to_what_broke_its_roots(page)
    _from_columns_and_an_order_to_two_that_differ(page, site)


def test_a_spec_that_is_typed_is_completed_and_told_in_words(site: Server, new_page: NewPage) -> None:
    page = new_page(site.url)
    page.goto("/builds")
    box = page.get_by_label("Spec", exact=True)
    for typed, word in (
        ("", "hdf5"), ("hdf5@1.1", "4.3"), ("hdf5+m", "pi"), ("hdf5 build_t", "ype="),
        ("hdf5 build_type=R", "elease"), ("hdf5 ^zl", "ib"), ("hdf5 %gcc@1", "2.2.0"),
        ("hdf5 os=d", "ebian12"),
    ):  # fmt: skip
        box.fill(typed)
        expect(page.locator(f"#specs option[value='{typed}{word}']")).to_have_count(1)
    box.fill("hdf5@1.14:+mpi ^zlib")
    words = "Builds of hdf5, version 1.14 and later, with mpi; depends, at any depth, on zlib"
    expect(page.get_by_text(words)).to_be_visible()
    box.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("satisfying hdf5@1.14:+mpi ^zlib")
    expect(page.get_by_text(words)).to_be_visible()
    for wrong in ("\0", "x" * 4_001):
        answer = site.http.get("/complete", params={"spec": wrong})
        assert answer.status_code == 400
        assert "`spec` must be text" in answer.json()["message"]


def test_moments_are_told_in_the_readers_zone_and_arrows_move_through_a_matrix(
    site: Server, new_page: NewPage
) -> None:
    page = new_page(site.url, timezone_id="Asia/Tokyo")
    page.goto("/errors")
    moment = page.locator("time").first
    expect(moment).to_have_text(re.compile(r"2026-03-\d\d \d\d:\d\d:\d\d GMT\+9"))
    expect(moment).to_have_attribute("title", re.compile(r"2026-03-\d\d \d\d:\d\d:\d\d UTC"))
    page.goto("/packages/hdf5")
    links = page.get_by_role("grid").locator("a")
    expect(page.get_by_role("grid").locator("a[tabindex='0']")).to_have_count(1)
    links.first.focus()
    for keys, place in (
        ("ArrowUp", 0),
        ("ArrowRight", 1),
        ("Control+End", -1),
        ("Control+Home ArrowRight Home", 0),
    ):
        for key in keys.split():
            page.keyboard.press(key)
        link = links.nth(place) if place >= 0 else links.last
        expect(link).to_be_focused()
        expect(link).to_have_attribute("tabindex", "0")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/builds"))


def test_a_log_of_half_a_million_lines_is_read_where_it_is_wrong(
    sqlite_url: str, tmp_path: Path, new_page: NewPage
) -> None:
    with served(sqlite_url, tmp_path) as server:
        log = _long_log()
        _report_phase(server, log, "RUNNING")
        page = new_page(server.url, viewport=SCREEN)
        page.goto("/builds/1")
        page.locator("summary", has_text="build").click()
        page.get_by_role("link", name="Its lines of build").click()
        box, chosen, told = page.locator("#log-box"), page.locator(".row.chosen"), page.locator("#log-told")
        expect(box).to_contain_text("Target 'all' not remade")
        assert box.locator(".row").count() < 100
        for number in (1, 2, 3):
            page.keyboard.press("n")
            expect(told).to_contain_text(f"Error {number} of 3")
        expect(chosen).to_contain_text("'thing3' undeclared")
        expect(chosen.locator(".ansi-red")).to_have_text("error: ")
        expect(page).to_have_url(re.compile("#L450006$"))
        _from_a_permalink_to_the_same_line(new_page(server.url, viewport=SCREEN), page.url)
        _by_words_and_numbers_of_lines(page)
        _wherever_the_bar_is_moved(page)
        page.get_by_label("Follow").check()
        _report_phase(server, log + "one more line\n", "RUNNING")
        expect(box).to_contain_text("one more line")
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_contain_text("RUNNING")
        page.get_by_role("link", name="2", exact=True).click()
        page.get_by_text("lib/").click()
        page.get_by_text("a <b>/").click()
        expect(page.get_by_text("c.so 9 Bytes")).to_be_visible()


def _long_log() -> str:
    """Three errors among so many lines that a browser has no box as high."""
    wrong = (
        "\x1b]8;;http://evil\x07a.c\x1b]8;;\x07:{0}:7: \x1b[1;31merror: \x1b[0m'thing{0}' undeclared\n"
        "make[1]: *** [Makefile:5: a.o] Error 1\n"
    )
    pieces = [
        "ok\n" * 150_000 + wrong.format(1),
        "ok\n" * 150_000 + wrong.format(2),
        "ok\n" * 100 + "a needle \u202e\n" + "ok\n" * 149_900 + wrong.format(3),
        "ok\n" * 9_000 + "make: Target 'all' not remade because of errors.\n",
    ]
    return "".join(pieces)


def _report_phase(server: Server, log: str, status: str) -> None:
    phases = [{"name": "build", "status": status, "output": log}]
    source = {"kind": "EXTENSION", "key": "a"}
    files = {"/a/x": {"type": "file", "size": 1}, "/a/lib/a <b>/c.so": {"type": "file", "size": 9}}
    install = {
        "type": "install", "source": source, "package": "a", "status": "RUNNING", "phases": phases,
        "prefix": "/a", "install_files": files,
    }  # fmt: skip
    report(server, json.dumps(install).encode())


def _from_a_permalink_to_the_same_line(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator(".row.chosen")).to_contain_text("'thing3' undeclared")
    expect(page.locator(".row.chosen")).to_be_in_viewport()


def _by_words_and_numbers_of_lines(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("needle")
    page.keyboard.press("Enter")
    expect(page.locator(".row.hit.chosen code")).to_have_text("a needle \ufffd")
    expect(page.locator("#log-told")).to_contain_text("1 found, in the whole log")
    expect(page).to_have_url(re.compile(r"/lines\?search=needle#L300105$"))
    page.locator(".row .number", has_text="300107").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("#L300105-L300107$"))
    expect(page.locator(".row.chosen")).to_have_count(3)


def _wherever_the_bar_is_moved(page: Page) -> None:
    """A short way moves the lines by as many pixels, Home and End lead to the ends, wrapped or not."""
    for is_wrapped in (False, True):
        page.get_by_label("Wrap").set_checked(is_wrapped)
        expect(page.locator(".row.chosen").first).to_be_in_viewport()
        top = page.locator(".row .number", has_text="300107")
        before = top.evaluate("one => one.getBoundingClientRect().top")
        page.locator("#log-box").evaluate("one => one.scrollBy(0, 50)")
        page.wait_for_function(
            "([top, before]) => top.getBoundingClientRect().top === before - 50",
            arg=[top.element_handle(), before],
        )
    page.locator("#log-box").focus()
    for key, text in (("Home", "1"), ("End", "459008")):
        page.keyboard.press(key)
        expect(page.locator(".row .number", has_text=re.compile(f"^{text}$"))).to_be_in_viewport()


def _from_a_failed_build_to_its_cause(page: Page, is_telephone: bool) -> None:
    page.goto("/builds?package=hdf5&status=failed")
    page.get_by_role("link", name="hdf5@1.14.3").first.click()
    expect(page.get_by_text("unknown type name").first).to_be_in_viewport()
    for told in (
        page.get_by_role("heading", name="What changed since it last succeeded"),
        page.get_by_text("llvm@16.0.6").first,
    ):
        if is_telephone:
            told.scroll_into_view_if_needed()
        expect(told).to_be_in_viewport()
    page.get_by_role("link", name="what may be the cause").click()
    expect(page.get_by_role("heading", name="What may be the cause")).to_be_in_viewport()


def _from_words_to_a_file_of_builds(page: Page, site: Server) -> None:
    """Which contain zlib below 1.3 at run time: not hdf5, where only the cmake that built it does."""
    page.goto("/builds?name=zlib&version=1.2.11")
    expect(page.get_by_role("link", name="hdf5@1.14.3").first).to_be_visible()
    page.goto("/")
    page.get_by_label("Builds of the spec").fill("^[deptypes=link] zlib@:1.2")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("satisfying ^[deptypes=link] zlib@:1.2")
    built = page.locator("tbody th a")
    expect(built.filter(has_text="libpng@")).not_to_have_count(0)
    expect(built.filter(has_text="hdf5@")).to_have_count(0)
    address = page.get_by_role("link", name="CSV").get_attribute("href")
    rows = list(csv.DictReader(io.StringIO(site.http.get(address or "").text)))
    shown = built.evaluate_all("all => all.map(one => one.pathname.split('/').pop())")
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


def _from_columns_and_an_order_to_two_that_differ(page: Page, site: Server) -> None:
    page.goto("/builds?package=hdf5")
    page.get_by_text("Columns and order").click()
    for title in ("Failed phase", "Last report", "Environment", "Owner", "Tags"):
        page.get_by_label(title, exact=True).uncheck()
    page.get_by_label("Took", exact=True).check()
    page.get_by_role("combobox", name="Order").select_option(label="Took, descending")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("thead th")).to_have_text(["Build", "Status", "Took ↓"])
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Took ↓")
    shown = page.locator("tbody th a").evaluate_all("all => all.map(one => one.pathname.split('/').pop())")
    query = '{ builds(where: {package: {name: {eq: "hdf5"}}}, orderBy: [%s]) { nodes { id } } }'
    found = site.ask(query % "{durationSeconds: DESC}")["builds"]["nodes"]
    assert shown == [node["id"] for node in found]
    file = site.http.get(page.get_by_role("link", name="CSV").get_attribute("href") or "")
    rows = csv.DictReader(io.StringIO(file.text))
    assert [row["id"] for row in rows] == shown
    alone = site.http.get("/compare/builds", params={"build": shown[0]})
    assert (alone.status_code, "1 were chosen" in alone.text) == (400, True)
    for number in shown[:2]:
        page.get_by_label(f"Compare build {number}", exact=True).check()
    page.get_by_role("button", name="Compare").click()
    assert page.url.endswith(f"/compare/builds/{shown[0]}/{shown[1]}")
