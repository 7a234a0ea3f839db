"""The value of a result is downloaded byte for byte, as what it is."""

import base64
import gzip
import hashlib
import json
from typing import Any

from tests.server import Server

XML = b"<abi-corpus/>\n"
DOCUMENT = r'{"symbols":["\u00e9","f"]}'
VALUES = {
    "note": ({"value": "ünï"}, "TEXT", "ünï".encode(), "text/plain; charset=utf-8"),
    "symbols": ({"json_value": json.loads(DOCUMENT)}, "JSON", DOCUMENT.encode(), "application/json"),
    "abi.xml": ({"binary_value": XML.decode()}, "BINARY", XML, "application/xml"),
    "large": (
        {"binary_base64": base64.b64encode(bytes(range(256)) * 20_000).decode()}, "BINARY",
        bytes(range(256)) * 20_000, "application/octet-stream",
    ),
    "packed": (
        {"binary_base64": base64.b64encode(gzip.compress(b"x", mtime=0)).decode()}, "BINARY",
        gzip.compress(b"x", mtime=0), "application/gzip",
    ),
    "empty": ({"value": ""}, "TEXT", b"", "text/plain; charset=utf-8"),
}  # fmt: skip


def _results(server: Server) -> dict[str, Any]:
    """What one build's analyzer found, by name."""
    line = {
        "type": "install", "source": {"kind": "EXTENSION", "key": "with-results"}, "package": "analyzed",
        "attributes": {"abigail": [{"name": name, **value[0]} for name, value in VALUES.items()]},
    }  # fmt: skip
    answer = server.post("/api/submissions", f"{json.dumps(line)}\n".encode()).json()
    asked = server.ask(
        f'{{ build(id: "{answer["build"]}") {{ analysisResults(first: 50) {{ nodes {{'
        " id name kind sizeBytes sha256 reportedAt reportedBy { name } } } } }"
    )
    return {one["name"]: one for one in asked["build"]["analysisResults"]["nodes"]}


def test_a_value_is_downloaded_as_what_it_is_and_only_once(server: Server) -> None:
    results = _results(server)
    for name, (_, kind, content, type_) in VALUES.items():
        result = results[name]
        digest = hashlib.sha256(content).hexdigest()
        assert (result["kind"], result["sizeBytes"], result["sha256"]) == (kind, len(content), digest)
        assert result["reportedBy"]["name"]
        address = f"/analysis-results/{result['id']}"
        answer = server.http.get(address)
        assert (answer.status_code, answer.content) == (200, content)
        assert {one: answer.headers[one] for one in ("content-type", "etag", "content-length")} == {
            "content-type": type_, "etag": f'"{digest}"', "content-length": str(len(content)),
        }  # fmt: skip
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert server.http.get(address, headers={"If-None-Match": f'"{digest}"'}).status_code == 304
    address = f"/analysis-results/{results['large']['id'].rpartition(':')[2]}"
    content = VALUES["large"][2]
    part = server.http.get(address, headers={"Range": "bytes=4194300-4194309"})
    assert (part.status_code, part.content) == (206, content[4194300:4194310])
    assert part.headers["content-range"] == f"bytes 4194300-4194309/{len(content)}"
    assert server.http.get(address, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    for unknown in ("0", "x", "AnalysisResult:999999"):
        assert server.http.get(f"/analysis-results/{unknown}").status_code == 404
