"""The log of a serving process: a JSON line per request, and no secret in any of them."""

import base64
import json
import subprocess
import sys
from pathlib import Path

from tests.waiting import GIVE_UP_SECONDS

PROGRAM = """
import json, logging, sys
from pathlib import Path
from spackmon.ops.logging import configure_logging
from sqlalchemy import text
from tests.player import exchanges
from tests.server import in_database, served

configure_logging()
logging.getLogger("httpx").setLevel(logging.WARNING)  # the client in this process, not the server
with served(sys.argv[1], Path(sys.argv[2])) as server:
    header = {"Authorization": sys.argv[3]}
    server.http.get("/auth/token/?secret=s3cr3t", headers=header)
    server.http.post("/ms1/specs/new/", json={"password": "s3cr3t"}, headers={"X-Request-ID": "mine"})
    server.post("/ms1/specs/new/", {"password": "s3cr3t"})
    server.http.get("/nowhere")
    # A fault of the server, whose traceback is logged.
    spec, build = [json.loads(e["request_body"]) for e in list(exchanges("0.17-success"))[1:3]]
    server.post("/ms1/specs/new/", spec)
    rename = "ALTER TABLE build_environment RENAME TO elsewhere"
    in_database(server, lambda connection: connection.execute(text(rename)))
    server.post("/ms1/builds/new/", {**build, "hostname": "s3cr3t"})
"""


def test_every_line_is_json_and_none_has_a_secret(sqlite_url: str, tmp_path: Path) -> None:
    basic = "Basic " + base64.b64encode(b"builder:s3cr3t").decode()
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, sqlite_url, str(tmp_path), basic],
        capture_output=True, text=True, timeout=GIVE_UP_SECONDS, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [
        ("GET", "/auth/token/", 403), ("POST", "/ms1/specs/new/", 401),
        ("POST", "/ms1/specs/new/", 400), ("GET", "/nowhere", 404),
        ("POST", "/ms1/specs/new/", 201), ("POST", "/ms1/builds/new/", 500),
    ]  # fmt: skip
    assert requests[1]["request_id"] == "mine"
    assert all(
        {"milliseconds", "sent_bytes", "client", "timestamp", "level"} <= line.keys() for line in requests
    )
    assert [line["event"] for line in lines if "exception" in line] == ["write_failed"]
    assert "s3cr3t" not in run.stderr
    assert basic.removeprefix("Basic ") not in run.stderr
