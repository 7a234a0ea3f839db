"""The benchmarks' site: numbers of two runs can be compared only if both measured the same data."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from benchmarks import grow, load, peers, questions, torture
from benchmarks.against import compare
from benchmarks.data import Site, Size
from benchmarks.databases import Loaded
from benchmarks.ingest import Graphs, report_of
from benchmarks.measure import Meter
from benchmarks.runs import Installable, builds
from benchmarks.server import served
from spackmon import models
from spackmon.database import Database
from spackmon.formats.specs import spec_json
from spackmon.graph.closure import descendants
from spackmon.ingest.checking import check_database
from spackmon.ingest.tables.build_contents import wrong_contents
from spackmon.ingest.tables.error_groups import count_errors, recount

TINY = Size(specs=700, builds=200)


def test_what_a_process_used_that_ends_meanwhile_is_not_lost():
    work = "input(); sum(range(3_000_000))"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE) as process:
        cost = Meter(os.getpid(), [process.pid]).cost(lambda: process.communicate(b"\n"))
    assert cost.database > 0


def test_a_seed_gives_the_same_site_each_time_and_another_seed_another():
    first, again, other = (list(Site(size).documents()) for size in (TINY, TINY, Size(700, 50, seed=43)))
    assert first == again
    assert first != other
    nodes = [node for document in first for node in document["spec"]["nodes"]]
    specs = [Installable(node["hash"], "debian12", "zen2") for node in nodes]
    found, again = (list(builds(specs, TINY.builds, TINY.seed)) for _ in range(2))
    assert found == again
    keys = {(build.spec_hash, build.environment, build.owner) for build in found}
    assert len({build.spec_hash for build in found}) < len(keys) == TINY.builds


def test_the_site_has_the_size_that_was_asked_for_and_its_concretizations_share_specs():
    graphs = [spec_json.read(document["spec"]) for document in Site(Size(specs=3000)).documents()]
    distinct = {hash_ for graph in graphs for hash_ in graph.nodes}
    assert 3000 <= len(distinct) < 3100
    assert sum(len(graph.nodes) for graph in graphs) > len(distinct)


def test_what_is_loaded_in_bulk_is_what_reports_would_have_left_and_grows_as_a_whole(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    load.load(database, Site(TINY))
    for progress in check_database(database, repair=False):
        assert not sum(progress.differences.values()), progress
    url = database.url.render_as_string(hide_password=False)
    once = database.read_once(_counted)
    assert all(once)
    database.close()
    _ask_every_question(Loaded("sqlite" if database.is_sqlite else "postgresql", url, tmp_path))

    monkeypatch.setattr(grow, "MOST_SPECS", 2)
    large_url = f"sqlite:///{tmp_path / 'large'}" if database.is_sqlite else url
    grow.grow(url, large_url, 4)
    large = Database(large_url)
    try:
        assert large.read_once(_counted) == [
            rows * (grow.MOST_SPECS if model in _AS_MANY_AS_SPECS else 4)
            for model, rows in zip(_MODELS, once, strict=True)
        ]
        assert not large.read_once(_out_of_order)
        assert not large.read_once(_wrong_contents)
        assert not large.write(_wrongly_counted)
    finally:
        large.close()


def _ask_every_question(site: Loaded) -> None:
    """Whatever is asked at two million runs has an answer at two hundred."""
    with served(site.url) as server:
        asked = questions.questions(questions.facts_of(site, server))
        assert len({question.name for question in asked}) == len(asked)
        for question in asked:
            question.ask(server.http)


def test_an_orm_stores_a_graph_as_rows_also_where_we_store_none(database: Database):
    graph = report_of(Graphs(TINY).new()).graph
    database.write(peers.make_tables)
    with Session(database.engine) as session:
        peers.store_row_by_row(session, graph)
        pairs = session.scalar(select(func.count()).select_from(peers.Closure))
        assert session.scalar(select(func.count()).select_from(models.Spec)) == len(graph.nodes)
        assert pairs == sum(len(below) for below in descendants(graph.nodes).values())


def test_a_hostile_body_is_sent_while_others_are_answered(database_url: str, tmp_path: Path) -> None:
    with served(f"sqlite:///{tmp_path / 'idle'}") as idle:
        noticed = torture.torture("blanks", database_url, idle, seconds=0.5, clients=1)
    assert set(noticed.statuses) == {"200"}
    assert (noticed.writes_answered, noticed.writes.total()) == (noticed.writes.total(),) * 2
    assert min(noticed.milliseconds, noticed.idle_milliseconds, noticed.peak_bytes) > 0
    assert noticed.row().startswith("| blanks | ")


_AS_MANY_AS_SPECS = (models.Spec, models.Dependency, models.Closure, models.LogChunk)
_MODELS: tuple[Any, ...] = (*_AS_MANY_AS_SPECS, models.Build, models.Attempt, models.Claim, models.Phase)


def _counted(connection: Connection) -> list[int]:
    return [connection.scalar(select(func.count()).select_from(model)) or 0 for model in _MODELS]


def _wrong_contents(connection: Connection) -> list[tuple[int, int]]:
    return wrong_contents(connection, connection.scalars(select(models.Build.id)).all())


def _wrongly_counted(connection: Connection) -> int:
    """How much of the counts of error groups would be written otherwise."""
    builds = count_errors(connection, connection.scalars(select(models.Build.id)).all())
    return builds + recount(connection, connection.scalars(select(models.ErrorGroup.id)).all())


def _out_of_order(connection: Connection) -> int:
    """How many builds came before one with a lower number."""
    build = models.Build.__table__
    earlier = func.lag(build.c.created_at).over(order_by=build.c.id)
    pairs = select(build.c.created_at, earlier.label("earlier")).subquery()
    return connection.scalar(select(func.count()).where(pairs.c.created_at <= pairs.c.earlier)) or 0


def test_what_is_slower_than_before_is_named_whether_it_is_a_cost_or_a_rate():
    units = {"cost": "ms", "rate": "answers/s", "peer": "× ours", "new": "ms"}
    before, after = {"cost": 10.0, "rate": 100.0, "peer": 5.0}, {"cost": 10.4, "rate": 90.0, "new": 1.0}
    turns = [
        [{("query", "sqlite", what): (value * noise, units[what]) for what, value in some.items()}
         for noise in (1.0, 0.5, 3.0)]
        for some in (before, after)
    ]  # fmt: skip
    changes = {change.name[2]: change for change in compare(*turns)}
    assert {what: change.is_slower for what, change in changes.items()} == {"cost": False, "rate": True}
    assert changes["rate"].ratio == pytest.approx(100 / 90)
