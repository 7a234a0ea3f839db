"""What a build and a spec take: bytes of each table and of each of its indexes, in PostgreSQL."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, text

from benchmarks.databases import Loaded
from benchmarks.measure import Result, at_most
from spackmon.database import Database

TOPIC = "sizes"
# Beside logs, files, variables and results.
_OF_BUILDS = (
    "build_content", "claim", "phase", "build", "attempt", "tag_set", "tag_set_member",
    "configure_arguments", "build_event", "event_context", "error_group_build", "earlier_phase",
)  # fmt: skip
_OF_SPECS = (
    "descendant_list", "ancestor_list", "spec_document", "dependency", "spec", "spec_other_hash",
    "other_compiler", "provided_virtual", "package_hash", "parameter", "parameter_set",
)  # fmt: skip
_MOST_OF_BUILD, _MOST_OF_SPEC = 1_600, 2_500
_TABLE = text("SELECT pg_table_size(CAST(:name AS regclass))")
_INDEXES = text(
    "SELECT CAST(indexrelid AS regclass) AS name, pg_relation_size(indexrelid) AS bytes FROM pg_index"
    " WHERE indrelid = CAST(:name AS regclass) ORDER BY 2 DESC, 1"
)


def measure(loaded: Loaded) -> list[Result]:
    """Nothing for SQLite, whose pages are not counted by table everywhere."""
    database = Database(loaded.url)
    try:
        return [] if database.is_sqlite else database.read_once(lambda connection: _all(connection, loaded))
    finally:
        database.close()


def _all(connection: Connection, loaded: Loaded) -> list[Result]:
    found = []
    for what, tables, count, most in (
        ("a build", _OF_BUILDS, loaded.counts.builds, _MOST_OF_BUILD),
        ("a spec", _OF_SPECS, loaded.counts.specs, _MOST_OF_SPEC),
    ):
        total = 0
        for table in tables:
            sizes = _sizes(connection, table)
            total += sum(sizes.values())
            found += list(_results(what, table, sizes, count))
        found.append(Result(TOPIC, loaded.name, f"{what}: all of it", total / count, "bytes", at_most(most)))
    return found


def _sizes(connection: Connection, table: str) -> Mapping[str, int]:
    indexes = {row.name: row.bytes for row in connection.execute(_INDEXES, {"name": table})}
    return {"rows": connection.execute(_TABLE, {"name": table}).scalar_one(), **indexes}


def _results(what: str, table: str, sizes: Mapping[str, int], count: int) -> Iterator[Result]:
    total = sum(sizes.values())
    yield Result(TOPIC, "postgresql", f"{what}: {table}", total / count, "bytes")
    for name, size in sizes.items():
        yield Result(TOPIC, "postgresql", f"{what}: {table}: {name}", size / count, "bytes")
