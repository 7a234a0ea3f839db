"""The demo's database served with somebody signed in, and the addresses of its pages by what they are."""

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.auth.signing_in import add, browser, sign_in
from tests.server import Server, served

ADMINISTRATOR = "admin"
_KNOWN = """{
  failed: builds(where: {status: {eq: FAILED}}, first: 50) {
    nodes { id package { name } environment { hostname } phases { nodes { id log { lineCount } } } }
  }
  builds(first: 1) { nodes { id } }
  errorGroups(first: 1) { nodes { fingerprint } }
  specs(first: 2) { nodes { hash } }
  spackEnvironments(first: 1) { nodes { name } }
  ciRuns(first: 1) { nodes { id } }
}"""


@contextmanager
def demo_site(database: Path) -> Iterator[tuple[Server, str]]:
    """A server over a copy of this SQLite file, and the `Cookie` of an administrator who is signed in."""
    with tempfile.TemporaryDirectory() as own:
        copy = Path(own) / "spackmon.db"
        with closing(sqlite3.connect(database)) as read, closing(sqlite3.connect(copy)) as written:
            read.backup(written)
        with served(f"sqlite:///{copy}", Path(own)) as server:
            add(server, ADMINISTRATOR, "admin")
            with browser(server) as client:
                sign_in(client, ADMINISTRATOR)
                cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            yield server, cookie


def main_pages(server: Server) -> Mapping[str, str]:
    """The address of each page that everybody may see, by its name: of what failed, where there is such."""
    known = server.ask(_KNOWN)
    failed = next(node for node in known["failed"]["nodes"] if any(map(_is_printed, node["phases"]["nodes"])))
    phase = next(filter(_is_printed, reversed(failed["phases"]["nodes"])))["id"].partition(":")[2]
    (other,), (a, b) = known["builds"]["nodes"], (spec["hash"] for spec in known["specs"]["nodes"])
    package, host = (
        quote(name, safe="") for name in (failed["package"]["name"], failed["environment"]["hostname"])
    )
    (group,), (environment,), (ci_run,) = (
        known[noun]["nodes"] for noun in ("errorGroups", "spackEnvironments", "ciRuns")
    )
    return {
        "home": "/",
        "builds": "/builds",
        "build": f"/builds/{failed['id']}",
        "log": f"/phases/{phase}/lines",
        "files": f"/builds/{other['id']}/files",
        "spec": f"/specs/{a}",
        "graph": f"/specs/{a}/graph",
        "package": f"/packages/{package}",
        "packages": "/packages",
        "errors": "/errors",
        "error": f"/errors/{group['fingerprint']}",
        "compare specs": f"/compare/specs/{a}/{b}",
        "compare builds": f"/compare/builds/{other['id']}/{failed['id']}",
        "compare runs": "/compare/runs",
        "splice start": "/splice",
        "splice": f"/splice?build={other['id']}",
        "abi": f"/abi?package={package}",
        "results": "/results",
        "concretization failures": "/concretization-failures",
        "environments": "/environments",
        "environment": f"/environments/{quote(environment['name'], safe='')}",
        "hosts": "/hosts",
        "host": f"/hosts/{host}",
        "ci": "/ci",
        "ci run": f"/ci/{ci_run['id'].partition(':')[2]}",
        "docs": "/docs/",
        "docs page": "/docs/pages",
        "login": "/login",
        "GraphiQL": "/graphql",
    }


def own_pages() -> Mapping[str, str]:
    """The address of each page of who is signed in as an administrator, by its name."""
    pages = {"account": "/account", "admin": "/admin"}
    return pages | {
        f"admin {name}": f"/admin/{name}" for name in ("groups", "tokens", "inbox", "jobs", "health", "audit")
    }


def _is_printed(phase: Mapping[str, Any]) -> bool:
    return phase["log"] is not None
