"""Whether a whole database is what was reported to it, and making it so.

A check walks a table some rows at a time and does what ingest would do for them, in a transaction that is
undone unless it is to repair. What it would change is what differs: nothing else says what is right.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.graph.closure import CyclicGraph
from spackmon.ingest.locks import own_graphs
from spackmon.ingest.rows import Statement
from spackmon.ingest.runs.resolution import resettle
from spackmon.ingest.specs.linking import link
from spackmon.ingest.specs.settled import write_hashes
from spackmon.ingest.specs.settling import settle
from spackmon.ingest.tables import facets
from spackmon.ingest.tables.audiences import show_graphs_of_builds
from spackmon.ingest.tables.build_contents import (
    add_contents,
    forget_contents,
    forget_orphans,
    wrong_contents,
)
from spackmon.ingest.tables.builds import settle_builds, wrong_builds
from spackmon.ingest.tables.changes import note_changes
from spackmon.ingest.tables.closure_pairs import forget_strays
from spackmon.ingest.tables.closures import write_closures
from spackmon.ingest.tables.error_groups import count_errors, recount
from spackmon.ingest.tables.facet_durations import recount_durations
from spackmon.ingest.tables.revisions import specs_change
from spackmon.ingest.tables.totals import recount_totals
from spackmon.models import utc_now

ROWS_AT_ONCE = 500
_CONTENTS = "package versions of builds"


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold for the rows of a table.

    `run` makes it hold for those with some ids, and tells how many rows differed, by what they are.
    """

    table: str
    run: Callable[[Connection, Sequence[int]], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Progress:
    """`checked` rows were looked at in all; `differences` are those of the last of them, by name."""

    checked: int
    differences: Mapping[str, int]


class _Undone(Exception):  # noqa: N818 -- how a check ends
    def __init__(self, differences: Mapping[str, int]) -> None:
        self.differences = differences


def _hashes(connection: Connection, spec_ids: Sequence[int]) -> Mapping[str, int]:
    return {"hashes of specs": write_hashes(connection, spec_ids)}


def _specs(connection: Connection, spec_ids: Sequence[int]) -> Mapping[str, int]:
    found = settle(connection, spec_ids)
    return {
        "documents of another spec": found.moved, "dependencies": found.edges,
        "compilers of specs": found.compilers, "values of specs": found.values,
    }  # fmt: skip


def _derived(connection: Connection, spec_ids: Sequence[int]) -> Mapping[str, int]:
    try:
        found = write_closures(connection, spec_ids)
    except CyclicGraph:
        # Edges that no document states are counted above, and gone before this where they are repaired.
        return {"closure": len(spec_ids)}
    return {
        "closure": found.closure, "provided virtuals": found.provided_virtuals,
        "packages below specs": found.package_sets,
    }  # fmt: skip


_OF_NO_SPEC = [
    (
        "who may see specs",
        Statement(
            "DELETE FROM spec_audience WHERE NOT EXISTS (SELECT 1 FROM spec s WHERE s.id = spec_id)"
            " RETURNING spec_id AS id"
        ),
    ),
    (
        "errors of builds",
        Statement(
            "DELETE FROM error_group_build WHERE NOT EXISTS (SELECT 1 FROM build b WHERE b.id = build_id)"
            " RETURNING build_id"
        ),
    ),
]


def _of_no_spec(connection: Connection, _: Sequence[int]) -> Mapping[str, int]:
    found = {name: len(statement.run(connection)) for name, statement in _OF_NO_SPEC}
    return found | {"closure": forget_strays(connection), _CONTENTS: forget_orphans(connection)}


def _contents(connection: Connection, build_ids: Sequence[int]) -> Mapping[str, int]:
    wrong = wrong_contents(connection, build_ids)
    for build_id, spec_id in wrong:
        forget_contents(connection, build_id)
        add_contents(connection, build_id, spec_id)
    return {_CONTENTS: len(wrong)}


def _runs(connection: Connection, claim_ids: Sequence[int]) -> Mapping[str, int]:
    linked = link(connection, claim_ids, (), utc_now())
    changed = sum(resettle(connection, claim_id, utc_now()).changed for claim_id in claim_ids)
    return {"claims of another spec": linked, "runs": changed}


def _builds(connection: Connection, build_ids: Sequence[int]) -> Mapping[str, int]:
    wrong = wrong_builds(connection, build_ids)
    settled = facets.Settled()
    for build_id in wrong:
        settle_builds(connection, [build_id], utc_now(), settled)
    settled.count(connection)
    note_changes(connection, builds=wrong)
    return {"builds": len(wrong)}


def _audiences(connection: Connection, build_ids: Sequence[int]) -> Mapping[str, int]:
    return {"who may see specs": len(show_graphs_of_builds(connection, build_ids))}


def _errors_of_builds(connection: Connection, build_ids: Sequence[int]) -> Mapping[str, int]:
    return {"errors of builds": count_errors(connection, build_ids)}


def _facets_of_builds(connection: Connection, build_ids: Sequence[int]) -> Mapping[str, int]:
    return {"facets of builds": facets.count_builds(connection, build_ids)}


def _facets(connection: Connection, facet_ids: Sequence[int]) -> Mapping[str, int]:
    differ = facets.recount(connection, facet_ids)
    return {"counts of facets": differ, "counts of durations": recount_durations(connection, facet_ids)}


def _totals(connection: Connection, _: Sequence[int]) -> Mapping[str, int]:
    return {"counts of owners and tags": recount_totals(connection)}


def _days(connection: Connection, _: Sequence[int]) -> Mapping[str, int]:
    return {"counts of days": facets.recount_days(connection)}


def _error_groups(connection: Connection, group_ids: Sequence[int]) -> Mapping[str, int]:
    return {"counts of error groups": recount(connection, group_ids)}


# In this order: what is looked up for one is right by those before it.
CHECKS = (
    Check("spec", _hashes),
    Check("spec", _specs),
    Check("spec", _derived),
    Check("", _of_no_spec),
    Check("build", _errors_of_builds),
    Check("build", _facets_of_builds),
    Check("claim", _runs),
    Check("build", _builds),
    Check("build", _audiences),
    Check("error_group", _error_groups),
    Check("build", _contents),
    Check("build_facet", _facets),
    Check("", _days),
    Check("", _totals),
)


def check_database(database: Database, *, repair: bool) -> Iterator[Progress]:
    """Run every check over its table; with `repair`, what differs is written.

    Writers wait while some rows are looked at, not for the whole.
    """
    checked = 0
    for check in CHECKS:
        for ids in _ids(database, check.table):
            checked += len(ids)
            yield Progress(checked, _run(database, check, ids, repair=repair))


def _ids(database: Database, table: str) -> Iterator[Sequence[int]]:
    """The ids of a table, some at a time; one empty list for no table."""
    if not table:
        yield ()
        return
    select = Statement(
        f"SELECT id FROM {table} WHERE id > :last ORDER BY id LIMIT {ROWS_AT_ONCE}"  # noqa: S608 -- of our own
    )
    ids = [0]
    while ids := [row.id for row in database.read_once(partial(select.run, last=ids[-1]))]:
        yield ids


def _run(database: Database, check: Check, ids: Sequence[int], *, repair: bool) -> Mapping[str, int]:
    def work(connection: Connection) -> Mapping[str, int]:
        own_graphs(connection)
        specs_change(connection)
        differences = Counter(check.run(connection, ids))
        if not repair:
            raise _Undone(differences)
        return differences

    try:
        return database.write(work)
    except _Undone as undone:
        return undone.differences
