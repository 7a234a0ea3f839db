"""Logs go to a bucket and back: every reader answers as before, and nothing waits for the store."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from spackmon.database import Database
from spackmon.errors import Refused
from spackmon.logs.chunks import CHUNK_BYTES
from spackmon.logs.references import SIGN
from spackmon.models import utc_now
from spackmon.ops import log_objects
from spackmon.ops.retention import remove_all, rules_of
from tests.ops.buckets import LOG, bucket_settings, keys, opened, reported, stored
from tests.server import Server, served

__all__ = ["bucket_settings"]

SMALL = b"a small log\n"
QUESTION = """
    query ($id: ID!) { build(id: $id) { phases { nodes { name log {
        text tail plainText lineCount sizeBytes
        search(text: "undeclared") { lines { line text } nextLine }
    } } } } }
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def _answers(server: Server, build: str) -> list[Any]:
    """What every reader of logs says of a build."""
    phases, path = server.ask(QUESTION, {"id": build}), _path(server, build)
    part = server.http.get(f"{path}/log", headers={"Range": f"bytes={CHUNK_BYTES - 9}-{CHUNK_BYTES + 9}"})
    assert part.status_code == 206
    whole = server.http.get(f"{path}/log").content
    window = server.http.get(f"{path}/window.json?from=4000&count=20").json()
    sought = server.ask('{ logs(search: "undeclared") { found { phase { id } lines { line } } sizeBytes } }')
    export = "{ builds { nodes { phases { nodes { log { tail } } } } } }"
    lines = server.http.post("/graphql", json={"query": export}, headers={"Accept": "application/x-ndjson"})
    return [phases, part.content, whole, window, sought, lines.content]


def _path(server: Server, build: str) -> str:
    """Where the pages of a build's phase are."""
    question = f'{{ build(id: "{build}") {{ phases {{ nodes {{ id }} }} }} }}'
    (phase,) = server.ask(question)["build"]["phases"]["nodes"]
    return f"/phases/{phase['id'].rpartition(':')[2]}"


def test_every_reader_answers_the_same_of_a_log_that_was_moved(
    database_url: str, database: Database, tmp_path: Path, bucket_settings: dict[str, Any]
) -> None:
    with served(database_url, tmp_path, **bucket_settings) as server:
        build = reported(server, "large", LOG)
        small, running = reported(server, "small", SMALL), reported(server, "running", LOG[1:], "RUNNING")
        before = _answers(server, build)
        assert before[2] == LOG
        assert sum(log_objects.move_all(database, opened(bucket_settings))) == 1
        moved = [one.startswith(SIGN) for one in stored(database)]
        # Neither what is small nor what goes on.
        assert moved.count(True) >= 3
        assert moved.count(False) >= 3
        assert _answers(server, build) == before
        assert len(keys(bucket_settings)) == 1
        assert sum(log_objects.move_all(database, opened(bucket_settings))) == 0
        assert server.ask(QUESTION, {"id": running})["build"]["phases"]["nodes"][0]["log"]["text"]
        assert server.http.get(f"/builds/{small}").status_code == 200


def test_a_store_that_is_away_takes_its_logs_alone(
    database_url: str, database: Database, tmp_path: Path, bucket_settings: dict[str, Any]
) -> None:
    away = {**bucket_settings, "log_bucket_endpoint": "http://127.0.0.1:9"}
    with served(database_url, tmp_path) as server:
        large, small = reported(server, "large", LOG), reported(server, "small", SMALL)
    with pytest.raises(Refused, match="cannot be reached"):
        list(log_objects.move_all(database, opened(away)))
    assert not any(one.startswith(SIGN) for one in stored(database))
    # What failed is tried again at once.
    assert sum(log_objects.move_all(database, opened(bucket_settings))) == 1
    with served(database_url, tmp_path, **away) as server:
        query = "{ builds { nodes { id phases { nodes { name kept: log { tail } log { sizeBytes } } } } } }"
        answer = server.http.post("/graphql", json={"query": query}).json()
        found = {one["id"]: one["phases"]["nodes"][0] for one in answer["data"]["builds"]["nodes"]}
        assert found[large] == {"name": "build", "kept": None, "log": {"sizeBytes": len(LOG)}}
        assert found[small]["kept"]["tail"] == SMALL.decode()
        (error,) = answer["errors"]
        assert error["extensions"] == {"code": "LOG_UNAVAILABLE", "retryable": True}
        place = [one["id"] for one in answer["data"]["builds"]["nodes"]].index(large)
        assert error["path"] == ["builds", "nodes", place, "phases", "nodes", 0, "kept", "tail"]
        page = server.http.get(f"/builds/{large}", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "cannot be read now" in page.text
        for path in (f"{_path(server, large)}/log", f"{_path(server, large)}/window.json"):
            refused = server.http.get(path, headers={"Accept": "application/json"})
            assert refused.status_code == 503
            assert "LOG_UNAVAILABLE" in refused.text
        # Reports do not wait for it, nor does an equal log need it.
        assert reported(server, "again", LOG)
    with served(database_url, tmp_path) as server:
        answer = server.http.post("/graphql", json={"query": query}).json()
        assert "LOG_BUCKET is not set" in answer["errors"][0]["message"]


def test_objects_that_no_log_refers_to_are_removed(
    database_url: str, database: Database, tmp_path: Path, bucket_settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    bucket = opened(bucket_settings)
    with served(database_url, tmp_path, **bucket_settings) as server:
        build = reported(server, "large", LOG)
        with monkeypatch.context() as patched:
            # As of a process that was killed when it had written the object.
            patched.setattr(log_objects, "_refer", _killed)
            with pytest.raises(KeyboardInterrupt):
                list(log_objects.move_all(database, bucket))
        assert len(keys(bucket_settings)) == 1
        later = utc_now() + timedelta(hours=2)
        assert sum(log_objects.move_all(database, bucket, later)) == 1
        assert sum(log_objects.remove_unused(database, bucket, 0, later)) == 1
        (key,) = keys(bucket_settings)
        before = _answers(server, build)
        # Its text goes, and comes back with an equal log.
        remove_all(database, rules_of("logs 1 keep:package"))
        assert sum(log_objects.remove_unused(database, bucket, 30, later)) == 0
        assert reported(server, "again", LOG)
        assert _answers(server, build)[:4] == before[:4]
        assert sum(log_objects.remove_unused(database, bucket, 30, later + timedelta(days=31))) == 1
        assert keys(bucket_settings) == []
        assert sum(log_objects.move_all(database, bucket, later)) == 1
        assert keys(bucket_settings) not in ([], [key])


def _killed(*_: Any, **__: Any) -> bool:
    raise KeyboardInterrupt
