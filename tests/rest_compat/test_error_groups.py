"""What people say of groups of errors, over HTTP and on the command line."""

import json
from pathlib import Path
from typing import Any

from tests.cli.command import Shell
from tests.server import Server

SAID = """{ errorGroups(orderBy: {text: ASC}) { nodes {
    fingerprint note knownIssue isMuted mergedInto { fingerprint } builds { totalCount }
    rulings { nodes { action value person { name } } } } } }"""


def report(server: Server) -> list[str]:
    """The fingerprints of two groups of errors of one build each."""
    lines = [
        {
            "type": "install", "source": {"kind": "EXTENSION", "key": f"run-{name}"}, "package": f"p-{name}",
            "status": "FAILED", "events": [{"kind": "ERROR", "text": f"a.c:3:1: error: '{name}' undeclared"}],
        }
        for name in "xz"
    ]  # fmt: skip
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert server.post("/api/submissions", body).status_code == 200
    return [group["fingerprint"] for group in groups(server)]


def groups(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.ask(SAID)["errorGroups"]["nodes"]
    return found


def test_people_merge_note_and_mute_groups(server: Server, tmp_path: Path) -> None:
    x, z = report(server)
    said = {"NOTE": "since glibc 2.38", "KNOWN_ISSUE": "https://example.org/7", "MUTE": None, "MERGE": z}
    for action, value in said.items():
        answer = server.post(f"/api/error-groups/{x}", {"action": action, "value": value})
        assert (answer.status_code, answer.json()["message"]) == (200, "noted")
    first, second = groups(server)
    assert (first["note"], first["knownIssue"], first["isMuted"]) == (*list(said.values())[:2], True)
    assert first["mergedInto"] == {"fingerprint": z}
    assert [group["builds"]["totalCount"] for group in (first, second)] == [0, 2]
    rulings = [(one["action"], one["value"], one["person"]["name"]) for one in first["rulings"]["nodes"]]
    assert rulings == [(action, value, server.user) for action, value in said.items()]
    # An old link to the group leads to where its errors are.
    assert server.ask(f'{{ errorGroup(fingerprint: "{x}") {{ fingerprint }} }}')["errorGroup"] == {
        "fingerprint": z
    }
    shell = Shell(server.database_url, tmp_path)
    shell.done("error-group", "split", x, "--user", server.user)
    shell.done("error-group", "unmute", x)
    shell.done("error-group", "note", x)
    first, second = groups(server)
    assert (first["note"], first["isMuted"], first["mergedInto"]) == (None, False, None)
    assert [group["builds"]["totalCount"] for group in (first, second)] == [1, 1]


REFUSED: list[tuple[Any, str, str]] = [
    ({"action": "DELETE"}, "FIELD_INVALID", "`action` must be one of MERGE, SPLIT, NOTE"),
    ({}, "FIELD_INVALID", "`action` must be one of"),
    ({"action": "NOTE", "value": 3}, "FIELD_INVALID", "`value` must be a string or null"),
    ({"action": "NOTE", "value": "a\0"}, "ARGUMENT_INVALID", "without NUL"),
    ({"action": "MUTE", "value": "x"}, "ARGUMENT_INVALID", "`value` must be null"),
    ({"action": "KNOWN_ISSUE", "value": "javascript:alert(1)"}, "ARGUMENT_INVALID", "must be a link"),
    ({"action": "MERGE", "value": "nobody"}, "ERROR_GROUP_UNKNOWN", "has the fingerprint 'nobody'"),
    ({"action": "MERGE"}, "ARGUMENT_INVALID", "the fingerprint of the other group"),
    ({"action": "SPLIT"}, "ARGUMENT_INVALID", "is merged into no other"),
    (b"[", "BODY_NOT_JSON", ""),
]


def test_what_cannot_be_done_is_refused_in_a_sentence(server: Server) -> None:
    x, z = report(server)
    for body, code, sentence in REFUSED:
        answer = server.post(f"/api/error-groups/{x}", body)
        assert answer.json()["error"] == code, answer.text
        assert sentence in answer.json()["message"]
    assert all(group["rulings"]["nodes"] == [] for group in groups(server))
    unsigned = server.http.post(f"/api/error-groups/{x}", json={"action": "MERGE", "value": z})
    assert (unsigned.status_code, unsigned.json()["error"]) == (401, "UNAUTHENTICATED")
    assert server.post("/api/error-groups/nobody", {"action": "MUTE"}).status_code == 404
