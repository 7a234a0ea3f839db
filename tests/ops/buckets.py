"""A store that speaks S3, in a thread of this process: moto's own server."""

import base64
import gzip
import json
import random
import uuid
from functools import cache
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import text

from spackmon.database import Database
from spackmon.log_bucket import LogBucket
from spackmon.logs.chunks import CHUNK_BYTES
from spackmon.ops.log_objects import bucket_of
from spackmon.settings import Settings
from tests.server import Server

LOG = b"a.c:1:2: error: 'x' undeclared\n" + b"\n".join(
    random.Random(number).randbytes(60).hex().encode() for number in range(CHUNK_BYTES // 50)
)


@cache
def _store() -> str:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


@pytest.fixture
def bucket_settings() -> dict[str, Any]:
    """Settings of a bucket of its own, which is empty."""
    name = f"logs-{uuid.uuid4().hex}"
    assert httpx.put(f"{_store()}/{name}").status_code == 200
    return {
        "log_bucket": name, "log_bucket_endpoint": _store(), "log_bucket_access_key": "key",
        "log_bucket_secret_key": "secret",
    }  # fmt: skip


def opened(settings: dict[str, Any]) -> LogBucket:
    """The bucket of these settings."""
    bucket = bucket_of(Settings(**settings))
    assert bucket is not None
    return bucket


def keys(settings: dict[str, Any]) -> list[str]:
    """The names of all its objects."""
    return [one.key for one in opened(settings).listed()]


def reported(server: Server, key: str, log: bytes, status: str = "FAILED") -> str:
    """The build with this log."""
    packed = base64.b64encode(gzip.compress(log)).decode()
    line: dict[str, Any] = {
        "type": "install", "status": status, "package": f"of-{key}", "started_at": "2026-01-01T00:00:00Z",
        "source": {"kind": "EXTENSION", "key": key},
        "phases": [{"name": "build", "status": "SUCCESS", "output_base64": packed}],
    }  # fmt: skip
    if status != "RUNNING":
        line["finished_at"] = "2026-01-01T01:00:00Z"
    answer = server.post("/api/submissions", json.dumps(line).encode())
    assert answer.status_code in (200, 201), answer.text
    build: str = answer.json()["build"]
    return build


def stored(database: Database) -> list[bytes]:
    """What is stored of all chunks of logs."""
    statement = text("SELECT content FROM log_chunk ORDER BY log_id, number")
    return database.read_once(lambda connection: [bytes(one) for one in connection.scalars(statement)])
