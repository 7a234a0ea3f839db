"""What people who are signed in say of a group of errors, by the forms of its page."""

import re
from pathlib import Path

import httpx

from tests.auth.signing_in import add, browser, form_key, post, sign_in
from tests.rest_compat.test_error_groups import groups, report
from tests.server import Server, served
from tests.web.reading import Wellformed


def test_a_writer_notes_links_mutes_merges_and_splits_by_forms(server: Server) -> None:
    x, z = report(server)
    add(server, "ada")
    with browser(server) as client:
        assert "form_key" not in client.get(f"/errors/{x}").text
        sign_in(client, "ada")
        for action, value in (
            ("NOTE", "since glibc\r\n2.38 <b>"), ("KNOWN_ISSUE", "https://example.org/7"), ("MUTE", ""),
            ("MERGE", f"{server.url}/errors/{z}"),
        ):  # fmt: skip
            answer = post(client, f"/errors/{x}", f"/errors/{x}", action=action, value=value)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/errors/{x}#said")
        first, _ = groups(server)
        assert (first["note"], first["knownIssue"]) == ("since glibc\n2.38 <b>", "https://example.org/7")
        assert (first["isMuted"], first["mergedInto"]) == (True, {"fingerprint": z})
        assert {one["person"]["name"] for one in first["rulings"]["nodes"]} == {"ada"}
        # What is merged leads to what it is one with, whose page takes it out again.
        moved = client.get(f"/errors/{x}?counts=1")
        assert (moved.status_code, moved.headers["location"]) == (302, f"/errors/{z}?counts=1")
        page = client.get(f"/errors/{z}")
        Wellformed().check(page.text)
        assert f'action="/errors/{x}"' in page.text
        assert post(client, f"/errors/{z}", f"/errors/{x}", action="SPLIT").status_code == 303
        assert groups(server)[0]["mergedInto"] is None
        page = client.get(f"/errors/{x}")
        assert "since glibc\n2.38 &lt;b&gt;</textarea>" in page.text
        assert re.search('value="UNMUTE"', page.text)


def test_what_somebody_may_not_say_or_did_not_say_changes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path) as server:
        _nothing_is_changed(server)


def _nothing_is_changed(server: Server) -> None:
    x, _ = report(server)
    for name, role in (("ada", "writer"), ("bob", "reader")):
        add(server, name, role)
    with browser(server) as client:
        _refused(client.post(f"/errors/{x}", data={"action": "MUTE"}), 401, "sign in at")
        sign_in(client, "bob")
        assert "form_key" not in client.get(f"/errors/{x}").text
        _refused(post(client, "/account", f"/errors/{x}", action="MUTE"), 403, "is a reader")
        _sign_in_again(client, "ada")
        for fields, status, sentence in (
            ({"action": "NOTE", "value": "a\0"}, 400, "without NUL"),
            ({"action": "KNOWN_ISSUE", "value": "javascript:alert(1)"}, 400, "must be a link"),
            ({"action": "MERGE", "value": "nobody"}, 404, "has the fingerprint"),
            ({"action": "SPLIT"}, 400, "merged into no other"), ({}, 400, "must be one of"),
        ):  # fmt: skip
            _refused(post(client, f"/errors/{x}", f"/errors/{x}", **fields), status, sentence)
        _refused(post(client, f"/errors/{x}", "/errors/nobody", action="MUTE"), 404, "has the fingerprint")
        key = form_key(client.get(f"/errors/{x}"))
        for forged, headers in (("", {}), ("x", {}), (key, {"Origin": "https://evil.example"})):
            answer = client.post(f"/errors/{x}", data={"form_key": forged, "action": "MUTE"}, headers=headers)
            assert answer.status_code in (401, 403)
    assert all(not one["isMuted"] and one["rulings"]["nodes"] == [] for one in groups(server))


def _sign_in_again(client: httpx.Client, name: str) -> None:
    client.cookies.clear()
    sign_in(client, name)


def _refused(answer: httpx.Response, status: int, sentence: str) -> None:
    assert answer.status_code == status
    assert sentence in answer.text
    Wellformed().check(answer.text)
