"""GraphiQL as a person meets it, by keyboard and with the network cut."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.player import Player
from tests.server import Server, served, served_from
from tests.web.conftest import NewPage


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An empty site: the tests write nothing, and which database answers is no matter of an editor's."""
    directory = tmp_path_factory.mktemp("graphiql")
    with served_from(sqlite_template, directory) as running:
        yield running


def _editor(page: Page) -> Locator:
    return page.get_by_role("region", name="Operation Editor").locator(".monaco-editor").first


def _answer(page: Page) -> Locator:
    return page.locator(".graphiql-response .view-lines")


def _open(page: Page, query: str | None = None) -> None:
    """GraphiQL, ready: it knows the schema, its editor holds `query`, and the keys go there.

    A query comes by the address: what keys leave in the editor depends on the brackets that it closes and
    the words that it proposes meanwhile.
    """
    with page.expect_response(lambda response: "IntrospectionQuery" in (response.request.post_data or "")):
        page.goto("/graphql" if query is None else f"/graphql?query={quote(query)}")
    expect(page.get_by_role("button", name="Re-fetch GraphQL schema")).to_be_enabled()
    _editor(page).click()
    if query is not None:
        _expect_query(page, query)


def _expect_query(page: Page, query: str) -> None:
    # The editor shows blanks as no-break spaces.
    expect(_editor(page).locator(".view-lines")).to_have_text(query.replace(" ", "\N{NO-BREAK SPACE}"))


def _press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_a_query_is_typed_completed_and_run_by_keyboard(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url)
    _open(page, "{ builds { total } }")
    _press(page, "Control+End", *["ArrowLeft"] * len(" } }"), "Control+Space")
    proposed = page.locator(".suggest-widget.visible .monaco-list-row.focused")
    expect(proposed).to_contain_text("totalCount")
    page.keyboard.press("C")
    _expect_query(page, "{ builds { totalC } }")
    expect(proposed).to_contain_text("totalCount")
    page.keyboard.press("Enter")
    _expect_query(page, "{ builds { totalCount } }")
    page.keyboard.press("Control+Enter")
    expect(_answer(page)).to_contain_text(re.compile(r'"totalCount":\s\d+'))


def test_the_example_a_newcomer_finds_runs_as_it_stands(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url)
    _open(page)
    page.keyboard.press("Control+Enter")
    expect(_answer(page)).to_contain_text(re.compile(r'"data":\s\{\s*"builds":\s\{'))
    expect(_answer(page)).not_to_contain_text('"errors"')


def test_an_unknown_field_is_marked_while_typing(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url)
    _open(page, "{ builds { totalCount } }")
    _press(page, "Control+End", *["ArrowLeft"] * len("unt } }"), "Delete")
    _expect_query(page, "{ builds { totalCont } }")
    expect(_editor(page).locator(".squiggly-error")).to_be_visible()


def test_what_was_asked_stays_in_the_history(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url)
    _open(page)
    page.keyboard.press("Control+Enter")
    expect(_answer(page)).to_contain_text('"data"')
    page.reload()
    page.get_by_role("button", name="Show History").click()
    expect(page.get_by_role("button", name="BuildsWithZlib").first).to_be_visible()


def test_the_explorer_adds_a_field_to_the_query(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url)
    _open(page, "{builds{totalCount}}")
    page.get_by_role("button", name="Show GraphiQL Explorer").click()
    page.locator(".graphiql-explorer-root").get_by_text("pageInfo", exact=True).click()
    expect(_editor(page)).to_contain_text("pageInfo")


def test_an_example_is_chosen_by_keyboard_run_and_undone(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url)
    _open(page, "{ tags { totalCount } }")
    page.get_by_role("button", name="Show Examples").press("Enter")
    menu = page.get_by_role("region", name="Examples")
    menu.get_by_role("button", name="Which machines build").press("Enter")
    expect(_editor(page)).to_contain_text("query Machines")
    # The editor has the focus.
    page.keyboard.press("Control+Enter")
    expect(_answer(page)).to_contain_text('"environments"')
    page.keyboard.press("Control+z")
    _expect_query(page, "{ tags { totalCount } }")


def test_on_a_telephone_the_answer_stands_below_the_query(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url, viewport={"width": 320, "height": 568})
    _open(page)
    query = page.locator(".graphiql-editors").bounding_box()
    answer = page.locator(".graphiql-response").bounding_box()
    assert query is not None
    assert answer is not None
    assert answer["y"] >= query["y"] + query["height"]
    assert min(query["width"], answer["width"]) > 230
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_without_scripts_the_page_says_how_to_ask_from_a_shell(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url, java_script_enabled=False, viewport={"width": 320, "height": 568})
    page.goto("/graphql")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    expect(page.locator("pre")).to_contain_text(f"{server.url}/graphql")


def test_a_subscription_is_run_and_what_is_reported_is_shown(
    sqlite_url: str, tmp_path: Path, new_page: NewPage
) -> None:
    with served(sqlite_url, tmp_path) as reported:
        page = new_page(reported.url)
        _open(page, 'subscription { buildUpdated(after: "0") { build { status } } }')
        with page.expect_websocket(lambda one: one.url.endswith("/graphql")):
            _press(page, "Control+Enter")
        assert Player(reported.url, reported.user, reported.token).play("0.17-success") == []
        expect(_answer(page)).to_contain_text("SUCCESS")
        # What the editor loads later it does not ask of a server that is gone.
        page.close()
