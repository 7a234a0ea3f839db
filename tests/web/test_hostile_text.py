"""Hostile text in every field of the pages that compare, that list what was found, and that are of people."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import Connection, insert, select, update

from spackmon.models import AuditEntry, Group, Identity, Person, Session, utc_now
from tests.auth.signing_in import add, browser, sign_in
from tests.examples import ROOT
from tests.server import Server, in_database, served
from tests.web.reading import Wellformed, page_of, report

_WORDS = "</title><script>alert(1)</script>'\"&/../\u202e\x07\x1b[31m"
HOSTILE = _WORDS + "n" * 10_000
# The longest that is taken of the names of packages, phases, variables, files, hosts and tags, of versions.
_NAME = _WORDS + "n" * (500 - len(_WORDS.encode()))
_SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;&#39;&#34;&amp;/../\ufffd␇"
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]|<script>alert|onerror=<")
_FOUND = """{
  builds { nodes { id attempts { nodes { number phases { nodes { id } } } } } }
  analysisResults { nodes { id } }
}"""


def test_what_compares_and_lists_findings_shows_hostile_text_as_text(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path) as server:
        graph = (ROOT / "examples" / "nightly.jsonl").read_bytes().splitlines()[0]
        report(server, graph)
        root = json.loads(graph)["spec"]["nodes"][0]["hash"]
        for number in (1, 2):
            report(server, json.dumps(_run(number, root)).encode())
        failure = {"package": _NAME, "spec": HOSTILE, "message": HOSTILE, "spack_version": _NAME}
        report(server, json.dumps({"type": "concretization_failure", **failure}).encode())
        (build,) = server.ask("{ builds { nodes { id } } }")["builds"]["nodes"]
        found = [{"name": _WORDS + name, "value": HOSTILE + name} for name in "ab"]
        metadata = {"build_id": int(build["id"]), "metadata": {_NAME: found}}
        assert server.post("/ms1/analyze/builds/", metadata).status_code == 200
        for path in _comparing(server):
            text = page_of(server, path)
            assert _SHOWN in text, path
            assert not _UNSEEN.search(text), path
        # A question that is refused or finds nothing is told with what was asked.
        for path in (
            "/results?build=",
            "/abi?package=",
            "/splice?package=",
            "/compare/results?result=",
            "/builds?where=",
        ):
            answer = server.http.get(path + quote(_WORDS), headers={"Accept": "text/html"})
            assert answer.status_code < 500, path
            _check(answer, answer.status_code)


def _run(number: int, spec_hash: str) -> dict[str, Any]:
    """An attempt whose every text is hostile, and one that differs from it in each."""
    told = HOSTILE + str(number)
    phase = {"name": _NAME, "status": _WORDS, "output": f"{told}\x00\nsame\n"}
    event = {"text": told, "source_file": told, "pre_context": told, "post_context": told}
    return {
        "type": "install", "source": {"kind": "CDASH", "key": str(number)}, "spec_hash": spec_hash,
        "environment": {"hostname": _NAME, "platform": "linux", "host_os": _NAME, "host_target": "zen2"},
        "status": "FAILED", "started_at": f"2026-03-0{number}T02:00:05Z", "spack_version": _NAME,
        "spack_revision": _NAME, "prefix": told, "phases": [phase], "tags": [_NAME],
        "environment_variables": {_NAME: told}, "configure_arguments": told,
        "events": [{"kind": "ERROR", **event}],
        "install_files": {f"/{_NAME}/{number}": {"type": "file", "size": 1}},
    }  # fmt: skip


def _comparing(server: Server) -> list[str]:
    known = server.ask(_FOUND)
    (build,) = known["builds"]["nodes"]
    a, b = (one for one in build["attempts"]["nodes"] if one["phases"]["nodes"])
    phases = (one["phases"]["nodes"][0]["id"].partition(":")[2] for one in (a, b))
    results = [
        quote(one["id"].partition(":")[2] or one["id"], safe="") for one in known["analysisResults"]["nodes"]
    ]
    return [
        f"/builds/{build['id']}/attempts/{a['number']}/{b['number']}",
        f"/compare/logs/{'/'.join(phases)}", f"/builds/{build['id']}/files",
        "/concretization-failures", "/results", f"/compare/results/{'/'.join(results[:2])}",
    ]  # fmt: skip


def test_what_is_of_people_shows_hostile_text_as_text(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path) as server:
        add(server, "root", "admin")
        refused = server.post("/ms1/builds/update/", {"build_id": 10**9, "status": HOSTILE, HOSTILE: HOSTILE})
        assert refused.status_code in (400, 404)
        with browser(server) as client:
            client.headers["User-Agent"] = (
                _WORDS.encode("ascii", "ignore").decode().translate({7: "", 27: ""})
            )
            sign_in(client, "root")
            in_database(server, _hostile)
            (number,) = re.findall(r'"/admin/inbox/(\d+)"', client.get("/admin/inbox").text)[:1]
            for path in (
                "/account",
                "/admin",
                "/admin/groups",
                "/admin/tokens",
                "/admin/audit",
                "/admin/inbox",
            ):
                text = _check(client.get(path), 200)
                assert _SHOWN in text or path in ("/admin/inbox", "/admin/tokens"), path
            for path in ("/admin/jobs", "/admin/health", f"/admin/inbox/{number}"):
                _check(client.get(path), 200)
            _check(client.get("/admin/audit", params={"subject": HOSTILE[:4_000]}), 200)
            _check(client.get("/admin/audit", params={"before": _WORDS}), 400)
            _check(client.get(f"/admin/inbox/{quote(_WORDS.replace('/', ''))}"), 400)
        with browser(server) as client:
            _check(client.get("/login", params={"next": "/" + _WORDS}), 200)
            _check(sign_in(client, _WORDS, where=_WORDS), 403)


def _hostile(connection: Connection) -> None:
    """What a provider of identities, a proxy or an older release may have left in the tables of people."""
    (person,) = connection.scalars(select(Person.id).where(Person.name == "root"))
    now = utc_now()
    connection.execute(insert(Person).values(name=HOSTILE, role="writer", created_at=now, disabled_at=now))
    connection.execute(insert(Group).values(name=HOSTILE, created_at=now))
    told = {"person_id": person, "name": HOSTILE, "created_at": now}
    connection.execute(insert(Identity).values(issuer=HOSTILE, subject=HOSTILE, **told))
    connection.execute(update(Session).values(way=HOSTILE, address=HOSTILE, browser=HOSTILE))
    columns = dict.fromkeys(("actor", "address", "action", "subject", "detail"), HOSTILE)
    connection.execute(insert(AuditEntry).values(changed_at=now, **columns))


def _check(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.url
    Wellformed().check(answer.text)
    assert not _UNSEEN.search(answer.text), answer.url
    return answer.text
