"""What is counted at ingest is what counting anew gives, after any history."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.errors import Refused
from spackmon.history.rounded_durations import microseconds_of, rounded
from spackmon.ingest.checking import check_database
from spackmon.ingest.runs.rulings import rule
from spackmon.ingest.tables import error_groups, facets, totals
from spackmon.models import Base, utc_now
from spackmon.status import BuildStatus, EventKind
from spackmon.submission import Event
from tests.closures import delete_all
from tests.ingest.installs import EVERYTHING, START, after, cdash, live, prefix
from tests.ingest.reports import Site, graph, spec
from tests.properties import examples
from tests.query.conftest import AskedSite, asked
from tests.query.totals import assert_totals, filters

COUNTED = """
    SELECT g.fingerprint, count(DISTINCT b.id), count(DISTINCT a.id), count(a.id), min(a.started_at),
        max(a.started_at)
    FROM error_group g
    LEFT JOIN build_event e ON e.error_group_id = g.id AND e.attempt_id IS NOT NULL
    LEFT JOIN attempt a ON a.id = e.attempt_id LEFT JOIN build b ON b.id = a.build_id
    GROUP BY g.fingerprint ORDER BY g.fingerprint
"""
KEPT = """
    SELECT fingerprint, build_count, run_count, event_count, first_seen, last_seen
    FROM error_group ORDER BY fingerprint
"""
FIRST = """
    SELECT a.id, (SELECT e.error_group_id FROM build_event e WHERE e.attempt_id = a.id AND e.kind = 'ERROR'
        ORDER BY e.position LIMIT 1)
    FROM attempt a ORDER BY a.id
"""
FIRST_KEPT = "SELECT id, first_error_group_id FROM attempt ORDER BY id"
FIRST_OF_BUILDS = """
    SELECT b.id, b.first_error_group_id = a.first_error_group_id FROM build b
    JOIN attempt a ON a.id = b.newest_attempt_id
    WHERE b.first_error_group_id IS DISTINCT FROM a.first_error_group_id
"""
EVENTS = """
    SELECT {table}.id, sum(CASE e.kind WHEN 'ERROR' THEN 1 ELSE 0 END),
        sum(CASE e.kind WHEN 'WARNING' THEN 1 ELSE 0 END)
    FROM {table} LEFT JOIN build_event e ON e.attempt_id = {attempt_id}
    GROUP BY {table}.id ORDER BY {table}.id
"""
EVENTS_KEPT = "SELECT id, error_count, warning_count FROM {table} ORDER BY id"

FACETS = """
    SELECT f.id, count(b.id) FROM build_facet f LEFT JOIN build b ON b.facet_id = f.id
    GROUP BY f.id ORDER BY f.id
"""
FACETS_KEPT = "SELECT id, build_count FROM build_facet ORDER BY id"
FACETS_OF_OTHERS = """
    SELECT b.id FROM build b LEFT JOIN spec s ON s.id = b.spec_id LEFT JOIN build_facet f ON f.id = b.facet_id
    WHERE f.id IS NULL OR f.package_id <> COALESCE(b.package_id, 0) OR f.status <> b.status
        OR f.package_version_id <> COALESCE(s.package_version_id, 0)
        OR f.compiler_id <> COALESCE(s.compiler_id, 0)
        OR f.architecture_id <> COALESCE(s.architecture_id, 0)
        OR f.installed_from <> COALESCE(b.installed_from, '')
        OR f.package_set_id <> s.package_set_id OR (f.package_set_id = 0) <> (s.package_set_id IS NULL)
"""
# As counts of days are to be, by what the databases have in common.
BUILDS = "SELECT started_at, status, COALESCE(installed_from, '') FROM build"
DAYS_KEPT = "SELECT day, status, installed_from, build_count FROM build_day WHERE build_count <> 0"

DURATIONS = "SELECT facet_id, duration_seconds FROM build WHERE duration_seconds IS NOT NULL"
DURATIONS_KEPT = """
    SELECT facet_id, rounded_seconds, build_count, microseconds FROM build_facet_duration
    WHERE build_count <> 0 OR microseconds <> 0
"""

TOTALS = """
    SELECT 'OWNER', b.owner_id, b.status, COALESCE(b.installed_from, ''), count(*)
    FROM build b GROUP BY 2, 3, 4
    UNION ALL
    SELECT 'TAG', t.tag_id, b.status, COALESCE(b.installed_from, ''), count(*)
    FROM build b JOIN attempt a ON a.id = b.newest_attempt_id
    JOIN tag_set_member t ON t.tag_set_id = a.tag_set_id GROUP BY 2, 3, 4
    UNION ALL
    SELECT 'FIRST_ERROR', b.first_error_group_id, b.status, COALESCE(b.installed_from, ''), count(*)
    FROM build b WHERE b.first_error_group_id IS NOT NULL GROUP BY 2, 3, 4
    UNION ALL
    SELECT 'ERRORS', b.error_count, b.status, COALESCE(b.installed_from, ''), count(*)
    FROM build b WHERE b.error_count > 0 GROUP BY 2, 3, 4
    UNION ALL
    SELECT 'WARNINGS', b.warning_count, b.status, COALESCE(b.installed_from, ''), count(*)
    FROM build b WHERE b.warning_count > 0 GROUP BY 2, 3, 4
"""
TOTALS_KEPT = (
    "SELECT kind, key_id, status, installed_from, build_count FROM build_total WHERE build_count <> 0"
)
OF_FACETS = """
    SELECT 'OWNER', b.owner_id, b.facet_id, count(*) FROM build b GROUP BY 2, 3
    UNION ALL
    SELECT 'TAG', t.tag_id, b.facet_id, count(*)
    FROM build b JOIN tag_set_member t ON t.tag_set_id = b.tag_set_id GROUP BY 2, 3
    UNION ALL
    SELECT 'FIRST_ERROR', b.first_error_group_id, b.facet_id, count(*)
    FROM build b WHERE b.first_error_group_id IS NOT NULL GROUP BY 2, 3
    UNION ALL
    SELECT 'ERRORS', b.error_count, b.facet_id, count(*) FROM build b WHERE b.error_count > 0 GROUP BY 2, 3
    UNION ALL
    SELECT 'WARNINGS', b.warning_count, b.facet_id, count(*)
    FROM build b WHERE b.warning_count > 0 GROUP BY 2, 3
"""
OF_FACETS_KEPT = "SELECT kind, key_id, facet_id, build_count FROM build_facet_total WHERE build_count <> 0"

ZLIB, OTHER = spec("zlib", "1.3"), spec("zlib", "1.4")
COUNTED_BY_ALL = error_groups, facets, totals
TAGS = "nightly", "ci", "gpu"
ERRORS = [
    Event(EventKind.ERROR, "main.c:7: error: 'x' undeclared", 12),
    Event(EventKind.ERROR, "main.c:9: error: 'x' undeclared", 19),
    Event(EventKind.ERROR, "ld: cannot find -lfoo", 3),
    Event(EventKind.WARNING, "unused"),
]


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Reports of a few runs by two people and three kinds of source, rulings, and foldings between them."""
    return draw(st.lists(st.one_of(_reports(), _rulings(), st.just(("fold",))), min_size=2, max_size=9))


def _reports() -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(
        st.just("report"), st.sampled_from([live, cdash, prefix]), st.sampled_from([ZLIB, OTHER]),
        st.sampled_from([None, 0, 30, 4000, 90000]), st.lists(st.sampled_from(ERRORS), max_size=3),
        st.sampled_from([1, 2]), st.booleans(), st.sets(st.sampled_from(TAGS), max_size=2),
    )  # fmt: skip


def _rulings() -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(
        st.just("rule"), st.integers(1, 5), st.integers(1, 5), st.sampled_from([True, False, None])
    )


def take(site: Site, step: tuple[Any, ...]) -> None:
    match step:
        case ("fold",):
            for counted in COUNTED_BY_ALL:
                site.database.write_once(counted.FOLDING.fold)
        case ("rule", one, other, is_one_run):
            with suppress(Refused):
                site.database.write_once(lambda c: rule(c, (one, other), 1, utc_now(), is_one_run=is_one_run))
        case (_, source, node, seconds, events, person, has_graph, tags):
            began = None if seconds is None else after(seconds)
            told = {"started_at": began, "finished_at": None, "status": BuildStatus.FAILED, "events": events}
            if tags:
                told["tags"] = tuple(sorted(tags))
            if seconds:
                told["duration_seconds"] = seconds / 7
            if has_graph:
                told["graph"] = graph(node)
            with suppress(Refused):
                site.apply(source(node, **told), person)


def assert_counted(site: Site) -> None:
    differences = [one.differences for one in check_database(site.database, repair=False)]
    assert not any(sum(one.values()) for one in differences), differences
    for counted in COUNTED_BY_ALL:
        while site.database.write_once(counted.FOLDING.fold):
            pass
    assert set(site.rows(TOTALS_KEPT)) == set(site.rows(TOTALS))
    assert set(site.rows(OF_FACETS_KEPT)) == set(site.rows(OF_FACETS))
    assert site.rows(FACETS_KEPT) == site.rows(FACETS)
    assert site.rows(FACETS_OF_OTHERS) == []
    assert {row[:3]: row[3] for row in site.rows(DAYS_KEPT)} == days_of(site.rows(BUILDS))
    assert set(site.rows(DURATIONS_KEPT)) == histogram_of(site.rows(DURATIONS))
    assert site.rows(KEPT) == site.rows(COUNTED)
    assert site.rows(FIRST_KEPT) == site.rows(FIRST)
    assert site.rows(FIRST_OF_BUILDS) == []
    for table, attempt_id in (("attempt", "attempt.id"), ("build", "build.newest_attempt_id")):
        events = site.rows(EVENTS.format(table=table, attempt_id=attempt_id))
        assert site.rows(EVENTS_KEPT.format(table=table)) == events


def histogram_of(builds: Sequence[Any]) -> set[tuple[int, float, int, int]]:
    """How many builds of each facet took about as long, and how long together."""
    counts, sums = Counter[tuple[int, float]](), Counter[tuple[int, float]]()
    for facet_id, seconds in builds:
        counts[facet_id, rounded(seconds)] += 1
        sums[facet_id, rounded(seconds)] += microseconds_of(seconds)
    return {(*place, counts[place], sums[place]) for place in counts}


def days_of(builds: Sequence[Any]) -> Counter[tuple[str, ...]]:
    """How many builds each day has."""
    read = (datetime.fromisoformat(began) if isinstance(began, str) else began for began, *_ in builds)
    days = ("" if began is None else f"{began.astimezone(UTC):%Y-%m-%d}" for began in read)
    return Counter((day, *ended) for day, (_, *ended) in zip(days, builds, strict=True))


@contextmanager
def emptied(database: Database) -> Iterator[AskedSite]:
    """A site on a database, whose rows are gone afterwards."""
    try:
        with asked(database) as site:
            yield site
    finally:
        with database.engine.begin() as connection:
            delete_all(connection, [table.name for table in reversed(Base.metadata.sorted_tables)])


@pytest.mark.hypothesis
def test_what_is_counted_is_what_there_is_whatever_happened(database: Database) -> None:
    @settings(examples(25, is_sqlite=database.is_sqlite), suppress_health_check=list(HealthCheck))
    @given(history=steps(), where=filters())
    def check(history: list[tuple[Any, ...]], where: dict[str, Any]) -> None:
        with emptied(database) as site:
            for step in history:
                take(site, step)
            assert_totals(site, where)
            assert_counted(site)

    check()


WRONG = [
    ("errors of builds", "DELETE FROM error_group_build"),
    ("errors of builds", "UPDATE error_group_build SET run_count = 7"),
    ("errors of builds", "UPDATE attempt SET first_error_group_id = NULL"),
    ("errors of builds", "UPDATE build SET first_error_group_id = NULL"),
    ("errors of builds", "UPDATE attempt SET error_count = 7"),
    ("errors of builds", "UPDATE build SET warning_count = 7"),
    ("counts of error groups", "UPDATE error_group SET event_count = 7"),
    ("counts of error groups", "UPDATE error_group SET first_seen = NULL"),
    ("counts of error groups", "DELETE FROM error_group_change"),
    ("packages below specs", "UPDATE spec SET package_set_id = 7"),
    ("facets of builds", "UPDATE build SET facet_id = NULL"),
    ("facets of builds", "UPDATE build_facet SET status = 'SUCCESS'"),
    ("counts of facets", "UPDATE build_facet SET build_count = 7"),
    ("counts of durations", "UPDATE build_facet_duration SET microseconds = 7"),
    ("counts of durations", "UPDATE build_facet_duration SET rounded_seconds = 7"),
    ("counts of days", "UPDATE build_day SET build_count = 7"),
    ("counts of days", "UPDATE build_day SET status = 'NOTRUN'"),
    ("counts of days", "DELETE FROM build_facet_change"),
    ("counts of owners and tags", "UPDATE build_total SET build_count = 7 WHERE kind = 'TAG'"),
    ("counts of owners and tags", "UPDATE build_total SET key_id = 7 WHERE kind = 'OWNER'"),
    ("counts of owners and tags", "UPDATE build_facet_total SET build_count = 7 WHERE kind = 'TAG'"),
    ("counts of owners and tags", "UPDATE build_facet_total SET facet_id = 7 WHERE kind = 'ERRORS'"),
    ("counts of owners and tags", "DELETE FROM build_total_change"),
]


def test_what_is_counted_wrongly_is_found_and_counted_again(database: Database) -> None:
    for name, damage in WRONG:
        with emptied(database) as site:
            site.apply(live(ZLIB, **{**EVERYTHING, "graph": graph(ZLIB)}))
            if "change" not in damage:
                for counted in COUNTED_BY_ALL:
                    site.database.write_once(counted.FOLDING.fold)
            elif site.database.is_sqlite:
                continue
            site.database.write_once(partial(_damage, damage))
            found = [one.differences for one in check_database(site.database, repair=True)]
            assert sum(one.get(name, 0) for one in found) > 0, damage
            assert_counted(site)


def _damage(statement: str, connection: Connection) -> None:
    connection.exec_driver_sql(statement)


def test_an_error_that_moves_with_its_run_leaves_the_times_of_its_group(site: Site) -> None:
    error = ERRORS[:1]
    site.apply(live(ZLIB, run="a", graph=graph(ZLIB), started_at=START, events=error))
    site.apply(live(ZLIB, run="b", started_at=after(90000), events=error))
    while site.database.write_once(error_groups.FOLDING.fold):
        pass
    assert [row[1:4] for row in site.rows(KEPT)] == [(1, 2, 2)]
    # The first run began later than was thought.
    site.apply(live(ZLIB, run="a", started_at=after(4000)))
    assert_counted(site)
