"""GraphiQL as a person meets it, by keyboard and with the network cut."""

import re
from typing import Protocol

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import NewPage


class Server(Protocol):
    url: str


def _editor(page: Page) -> Locator:
    return page.get_by_role("region", name="Operation Editor").locator(".monaco-editor").first


def _answer(page: Page) -> Locator:
    return page.locator(".graphiql-response .view-lines")


def _open(page: Page, path: str = "/graphql") -> None:
    """GraphiQL, ready: it knows the schema, and the keys go to the editor."""
    with page.expect_response(lambda response: "IntrospectionQuery" in (response.request.post_data or "")):
        page.goto(path)
    expect(page.get_by_role("button", name="Re-fetch GraphQL schema")).to_be_enabled()
    _editor(page).click()


def _replace_query(page: Page, text: str) -> None:
    # In one piece: while keys come, Monaco closes braces and proposes words, each in its own time.
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)
    # The tab's title follows what GraphiQL has understood, a tenth of a second behind the keys.
    expect(page.get_by_role("tab")).to_have_text("<untitled>")


def test_a_query_is_typed_completed_and_run_by_keyboard(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url)
    _open(page)
    _replace_query(page, "{ builds { total } }")
    for _ in " } }":
        page.keyboard.press("ArrowLeft")
    page.keyboard.type("C")
    page.keyboard.press("Control+Space")
    expect(page.locator(".suggest-widget.visible .monaco-list-row.focused")).to_contain_text("totalCount")
    page.keyboard.press("Enter")
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
    _open(page)
    _replace_query(page, "{ builds { totalCont } }")
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
    _open(page, "/graphql?query={builds{totalCount}}")
    page.get_by_role("button", name="Show GraphiQL Explorer").click()
    page.locator(".graphiql-explorer-root").get_by_text("pageInfo", exact=True).click()
    expect(_editor(page)).to_contain_text("pageInfo")


def test_an_example_is_chosen_by_keyboard_run_and_undone(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url)
    _open(page)
    _replace_query(page, "{ tags { totalCount } }")
    page.get_by_role("button", name="Show Examples").press("Enter")
    menu = page.get_by_role("region", name="Examples")
    menu.get_by_role("button", name="Which machines build").press("Enter")
    expect(_editor(page)).to_contain_text("query Machines")
    # The editor has the focus.
    page.keyboard.press("Control+Enter")
    expect(_answer(page)).to_contain_text('"environments"')
    page.keyboard.press("Control+z")
    expect(_editor(page)).to_contain_text("tags")


def test_on_a_telephone_the_answer_stands_below_the_query(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url, viewport={"width": 390, "height": 844})
    _open(page)
    query = page.locator(".graphiql-editors").bounding_box()
    answer = page.locator(".graphiql-response").bounding_box()
    assert query is not None
    assert answer is not None
    assert answer["y"] >= query["y"] + query["height"]
    assert min(query["width"], answer["width"]) > 300


def test_without_scripts_the_page_says_how_to_ask_from_a_shell(server: Server, new_page: NewPage) -> None:
    page = new_page(server.url, java_script_enabled=False)
    page.goto("/graphql")
    expect(page.locator("pre")).to_contain_text(f"{server.url}/graphql")
