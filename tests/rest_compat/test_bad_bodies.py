"""Whatever a body holds: the answer is JSON, below 500, and nothing is half written."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, func, select

from spackmon.models import Base
from tests import player
from tests.player import Player
from tests.properties import examples
from tests.server import Server

PATHS = ("specs/new", "builds/new", "builds/phases/update", "builds/update", "analyze/builds")

# Texts, numbers and depths that databases, drivers and parsers do not agree about.
HOSTILE = st.sampled_from(
    [None, True, "", "\0", "\ud800", "a\0b", "é" * 3000, 0, -1, 2**31, 2**63, 10**40, 1e308, [], {}, [[]],
     {"": {}}, "NaN", "0", "9" * 30, {"name": None}, [{"name": "x"}], "a" * 100_000]
)  # fmt: skip
ANY = st.recursive(
    HOSTILE | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
RAW = st.sampled_from(
    [b"", b"{", b"[" * 100_000, b'{"spec":' * 50_000, b"\xff\xfe", b"null", b"NaN", b'{"a":NaN}', b'"x"',
     b'{"build_id": 1e999, "status": "SUCCESS"}', b'{"build_id": ' + b"9" * 5000 + b', "status": "FAILED"}',
     b'{"output": "' + b"\\u0000" * 60_000 + b'"}', b"\xef\xbb\xbf{}", b'{"spec": {"nodes": []}}']
)  # fmt: skip


@pytest.fixture(scope="module")
def long_server(long_server: Server) -> Server:
    """One server for all examples, in which 0.17-success has been built."""
    assert Player(long_server.url, long_server.user, long_server.token).play("0.17-success") == []
    return long_server


@cache
def recorded_bodies() -> list[tuple[str, dict[str, Any]]]:
    """One body of every address and every client."""
    found = {}
    for name in player.names():
        for exchange in player.exchanges(name):
            if exchange["method"] == "POST":
                found[name[:4], exchange["path"]] = json.loads(exchange["request_body"])
    return [(path, body) for (_, path), body in found.items()]


def paths_into(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be changed in a body."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_into(inner, (*at, key))


@st.composite
def spoilt_bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """A recorded body in which one place holds something else, is gone, or which is cut short."""
    path, body = draw(st.sampled_from(recorded_bodies()))
    body = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from([at for at in paths_into(body) if at]))
        owner = body
        for key in way:
            owner = owner[key]
        if draw(st.booleans()):
            # A copy: the next round may change what is put here, and the strategy's own values with it.
            owner[last] = copy.deepcopy(draw(ANY | st.sampled_from([_dependency_on_itself(body)])))
        else:
            del owner[last]
    text = json.dumps(body).encode()
    return path, text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


def _dependency_on_itself(body: dict[str, Any]) -> Any:
    nodes = body.get("spec", {}).get("nodes") if isinstance(body.get("spec"), dict) else None
    if not nodes or not isinstance(nodes, list) or not isinstance(nodes[0], dict):
        return []
    return [{"name": nodes[0].get("name"), **{k: v for k, v in nodes[0].items() if "hash" in k}}]


Counts = Callable[[], Any]


@pytest.fixture(scope="module")
def counts(long_server: Server) -> Iterator[Counts]:
    """Counts the rows of every table but the inbox, and what the service itself folds at any moment."""
    engine = create_engine(long_server.database_url.replace("postgresql://", "postgresql+psycopg://"))
    others = {
        "build_day",
        "build_facet_change",
        "build_facet_duration",
        "build_facet_total",
        "build_total",
        "build_total_change",
        "error_group_change",
        "inbox_entry",
    }
    tables = [table for table in Base.metadata.sorted_tables if table.name not in others]
    # One statement: forty of them for each body would take longer than the body.
    every = select(*(select(func.count()).select_from(table).scalar_subquery() for table in tables))

    def counted() -> Any:
        with engine.connect() as connection:
            return connection.execute(every).one()

    yield counted
    engine.dispose()


def assert_refused_whole(server: Server, counts: Counts, path: str, body: bytes) -> None:
    before = counts()
    answer = server.post(path, body)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == answer.status_code < 500, answer.text
    assert "message" in answer.json()
    if answer.status_code >= 400:
        assert counts() == before


@pytest.mark.hypothesis
@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_nothing(long_server: Server, counts: Counts, path: str) -> None:
    @examples(30, is_sqlite=long_server.is_on_sqlite)
    @given(body=RAW | ANY.map(lambda value: json.dumps(value).encode()))
    def check(body: bytes) -> None:
        assert_refused_whole(long_server, counts, f"/ms1/{path}/", body)

    check()


@pytest.mark.hypothesis
def test_a_real_body_with_something_wrong_in_it(long_server: Server, counts: Counts) -> None:
    @examples(100, is_sqlite=long_server.is_on_sqlite)
    @given(spoilt=spoilt_bodies())
    def check(spoilt: tuple[str, bytes]) -> None:
        assert_refused_whole(long_server, counts, *spoilt)

    check()
