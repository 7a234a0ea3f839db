"""docs/security.md names a test for each attack, and those that are about all of the service are here."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server, served_from

ROOT = Path(__file__).parents[1]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
# What can ask another machine for something.
_CLIENTS = {
    "httpx",
    "httpx2",
    "httpcore",
    "requests",
    "aiohttp",
    "urllib.request",
    "http.client",
    "ftplib",
    "smtplib",
}
_ASKING = {
    "spackmon/auth/providers", "spackmon/cli", "spackmon/client", "spackmon/formats",
    "spackmon/ops/notifications",
}  # fmt: skip
_BROKEN = "a\r\nX-Planted: yes\r\n\r\n<script>"
_SENT = "a%0d%0aX-Planted:%20yes%0d%0a%0d%0a%3Cscript%3E"


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server: no database sees a header."""
    directory = tmp_path_factory.mktemp("attacked")
    with served_from(sqlite_template, directory) as server:
        yield server


def test_each_test_that_the_table_of_attacks_names_exists() -> None:
    named = _NAMED.findall((ROOT / "docs" / "security.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    for path, name in named:
        assert re.search(rf"^ *(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), (path, name)
    rows = [
        line for line in (ROOT / "docs" / "security.md").read_text().splitlines() if line.startswith("| ")
    ]
    assert all("::test_" in row for row in rows if not row.startswith(("| attack |", "| ---")))


def test_nothing_that_takes_a_request_asks_another_machine() -> None:
    """An address in a report, as that of a buildcache, is a text: commands read it, where they are run."""
    found = set()
    for path in (ROOT / "spackmon").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if _CLIENTS & set(names):
                found.add(path.relative_to(ROOT).as_posix())
    assert found
    assert {one for one in found if not one.startswith(tuple(_ASKING))} == set()


@pytest.mark.parametrize("path", ["/graphql", "/ms1/builds/update/", "/api/submissions", "/submit.php"])
def test_a_form_of_another_site_asks_and_reports_nothing(server: Server, path: str) -> None:
    """What a form of any page can send, as it is sent, with a cookie that it does not see."""
    for content_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ):
        headers = {
            "Content-Type": content_type,
            "Origin": "https://evil.example",
            "Cookie": "spackmon_session=x",
        }
        answer = server.http.post(path, content=b'{"query": "{ __typename }"}', headers=headers)
        assert answer.status_code in (401, 415), (path, content_type)


def test_no_name_ends_a_header(server: Server) -> None:
    install = {
        "type": "install", "source": {"kind": "EXTENSION", "key": "1"}, "package": "zlib",
        "tags": [_BROKEN],
        "attributes": {"tool": [{"name": _BROKEN, "install_file": "bin/a", "value": "x"}]},
        "phases": [{"name": "build", "status": "SUCCESS", "output": "text"}], "status": "SUCCESS",
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {server.token}", "Idempotency-Key": "1"}
    taken = server.http.post("/api/submissions", content=json.dumps(install), headers=headers)
    assert taken.json()["status"] == "created"
    (result,) = server.ask("{ analysisResults { nodes { id } } }")["analysisResults"]["nodes"]
    addresses = [
        f"/analysis-results/{result['id']}", f"/builds.csv?tag={_SENT}", f"/builds/tag/{_SENT}",
        f"/builds/owner/{_SENT}", f"/compare/specs?a={_SENT}&b=x",
        f"/compare/builds?build={_SENT}&build=1",
        f"/compare/results?result={_SENT}&result=1", f"/?after={_SENT}", f"/login?next=/{_SENT}",
        f"/badge/{_SENT}.svg", f"/complete/{_SENT}/", f"/packages/{_SENT}",
        f"/api/builds/?format=json&after={_SENT}",
    ]  # fmt: skip
    for address in addresses:
        answer = server.http.get(address, headers={"Accept": "text/html, */*;q=0.1"})
        assert "x-planted" not in answer.headers, address
        assert not any("\r" in value or "\n" in value for value in answer.headers.values()), address
        assert "<script>" not in answer.headers.get("location", ""), address
        if "content-disposition" in answer.headers:
            assert re.fullmatch(r'attachment; filename="[\w.-]+"', answer.headers["content-disposition"])
