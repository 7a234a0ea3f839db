"""Any byte may be in a log: the download has it, and texts have U+FFFD for what is not UTF-8."""

import base64
import csv
import gzip
import hashlib
import io
import json
import random

import httpx
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spackmon.logs.chunks import CHUNK_BYTES
from spackmon.query.sql.log_pieces import TAIL_BYTES
from tests.server import Server

# Pieces that bring what follows them to where a log is cut into chunks, or where its tail begins.
_PIECES = st.sampled_from(
    [
        b"x" * (CHUNK_BYTES - 1), b"x" * (CHUNK_BYTES - 2), b"y" * (TAIL_BYTES - 1), b"\x80" * TAIL_BYTES,
        "é€\U0001f600".encode(), b"caf\xe9\n", b"\xed\xa0\x80", b"\xf0\x9f", b"\0\x01\x02\x03",
        b"\x1b[31m", b"\r", b"\n",
    ]
)  # fmt: skip
_LOGS = st.lists(_PIECES | st.binary(min_size=1, max_size=20), min_size=1, max_size=6).map(b"".join)
_FIELDS = "phases { nodes { id name log { text tail base64 sizeBytes } } }"


# The server stays, the builds differ.
@settings(max_examples=15)
@example(log=b"caf\xe9 \xff not utf-8\n")
@example(log=b"x" * (CHUNK_BYTES - 1) + "é".encode() + b"\xe9")
@example(log=b"\x80" * (TAIL_BYTES + 9))
@given(log=_LOGS)
def test_any_bytes_can_be_a_log_and_every_reader_answers(server: Server, log: bytes) -> None:
    package = f"log-{hashlib.sha256(log).hexdigest()}"
    build = _reported(server, package, log)
    read = server.ask(f'{{ build(id: "{build}") {{ {_FIELDS} }} }}')["build"]["phases"]["nodes"]
    for phase in read:
        shown = phase["log"]
        assert shown["text"] == log.decode("utf-8", "replace")
        assert base64.b64decode(shown["base64"]) == log
        assert shown["sizeBytes"] == len(log)
        assert shown["tail"]
        if len(log) <= TAIL_BYTES:
            assert shown["tail"] == shown["text"]
        else:
            assert shown["text"].endswith(shown["tail"].lstrip("\ufffd"))
        number = phase["id"].rpartition(":")[2]
        for coding in ("zstd", "gzip", "identity"):
            whole = server.http.get(f"/phases/{number}/log", headers={"Accept-Encoding": coding})
            assert whole.headers.get("content-encoding", "identity") == coding
            assert whole.content == log
    assert server.http.get(f"/builds/{build}").status_code == 200
    assert server.http.get("/").status_code == 200
    where = f'{{package: {{name: {{eq: "{package}"}}}}}}'
    query = f"{{ builds(where: {where}) {{ nodes {{ {_FIELDS} }} }} }}"
    lines = _exported(server, query, "application/x-ndjson")
    assert [json.loads(line)["phases"]["nodes"] for line in lines.split(b"\n") if line] == [read]
    table = io.StringIO(_exported(server, query, "text/csv").decode(), newline="")
    csv.field_size_limit(1 << 30)
    rows = list(csv.reader(table))
    assert json.loads(rows[1][0]) == read


def _reported(server: Server, package: str, log: bytes) -> str:
    """The build with this log, as a phase's and whole."""
    packed = base64.b64encode(gzip.compress(log)).decode()
    line = {
        "type": "install", "status": "FAILED",
        "package": package, "source": {"kind": "EXTENSION", "key": package},
        "phases": [{"name": "build", "status": "ERROR", "output_base64": packed}],
    }  # fmt: skip
    answer = server.post("/api/submissions", json.dumps(line).encode()).json()
    build: str = answer["build"]
    return build


def _exported(server: Server, query: str, media_type: str) -> bytes:
    answer = server.http.post("/graphql", json={"query": query}, headers={"Accept": media_type})
    assert answer.status_code == 200, answer.text
    return answer.content


def test_some_bytes_of_a_log_and_what_a_client_has_already(long_server: Server) -> None:
    log = random.Random(1).randbytes(3 * CHUNK_BYTES + 100)
    build = _reported(long_server, "ranged", log)
    phase = long_server.ask(f'{{ build(id: "{build}") {{ phases {{ nodes {{ id }} }} }} }}')["build"][
        "phases"
    ]
    path = f"/phases/{phase['nodes'][0]['id']}/log"

    def get(**headers: str) -> httpx.Response:
        return long_server.http.get(path, headers={one.replace("_", "-"): v for one, v in headers.items()})

    whole = get(Accept_Encoding="identity")
    tag = whole.headers["etag"]
    assert tag == f'"{hashlib.sha256(log).hexdigest()}"'
    assert int(whole.headers["content-length"]) == len(log)
    for asked, wanted in {
        "bytes=0-0": log[:1], "bytes=-7": log[-7:], f"bytes={CHUNK_BYTES - 3}-": log[CHUNK_BYTES - 3 :],
        f"bytes={CHUNK_BYTES}-{2 * CHUNK_BYTES}": log[CHUNK_BYTES : 2 * CHUNK_BYTES + 1],
        "bytes=5-99999999": log[5:], "BYTES = 1-2": None, "bytes=9-8": None, "bytes=0-1,4-5": None,
        "lines=1-2": None, "bytes=-": None,
    }.items():  # fmt: skip
        part = get(Range=asked)
        assert (part.status_code, part.content) == ((200, log) if wanted is None else (206, wanted)), asked
    assert get(Range="bytes=2-4").headers["content-range"] == f"bytes 2-4/{len(log)}"
    for beyond in (f"bytes={len(log)}-", "bytes=-0"):
        refused = get(Range=beyond, Accept="application/json")
        assert (refused.status_code, refused.json()["error"]) == (416, "RANGE_INVALID")
        assert refused.headers["content-range"] == f"bytes */{len(log)}"
    assert get(Range="bytes=2-4", If_Range='"other"').content == log
    assert get(Range="bytes=2-4", If_Range=tag).content == log[2:5]
    packed = get(Accept_Encoding="gzip;q=0.5, zstd")
    assert packed.headers["etag"] == f'{tag[:-1]}-zstd"'
    for coding, known in {"identity": tag, "zstd": packed.headers["etag"]}.items():
        same = get(Accept_Encoding=coding, If_None_Match=known)
        assert (same.status_code, same.content) == (304, b"")
    assert get(Accept_Encoding="gzip", If_None_Match=tag).content == log
    head = long_server.http.head(path, headers={"Accept-Encoding": "identity"})
    assert (head.headers["content-length"], head.content) == (str(len(log)), b"")
