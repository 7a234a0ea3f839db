"""Reports written into the database of the settings, many in a transaction."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from spackmon.auth.people import anonymous, person_named
from spackmon.cli.database import open_database
from spackmon.client.reading import Named
from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.garbage import uncollected
from spackmon.ingest.batches import apply_each
from spackmon.ingest.receipts import Receipt
from spackmon.submission import BillReport, InstallReport, SpecReport, Submission

# A transaction takes as many reports as are small beside the program: a commit costs more than a report.
_REPORTS_AT_ONCE = 100
_BYTES_AT_ONCE = 8 << 20
_BYTES_OF_A_NODE = 2_000


def stored(reports: Iterable[Named], user: str | None) -> Iterator[tuple[Named, Receipt | Refused]]:
    """Write reports as those of a person, or anonymous; what became of each, in order.

    Raises Refused when there is no such person, or no database of this program's revision.
    """
    with open_database() as database, uncollected():
        owner = None if user is None else _person(database, user)
        for group in _groups(reports):
            with uncollected():
                outcomes = _write(database, group, owner)
            yield from zip(group, outcomes, strict=True)


def _person(database: Database, name: str) -> int:
    return database.read_once(lambda connection: person_named(connection, name))


def _write(database: Database, group: list[Named], owner: int | None) -> list[Receipt | Refused]:
    """Write a group in a transaction. If one of it meets an error, each has a transaction of its own."""

    def work(connection: Connection, reports: Iterable[Submission]) -> list[Receipt | Refused]:
        person_id = anonymous(connection) if owner is None else owner
        # Whose builds they are is uncertain only where nobody is named: over HTTP it is the sender.
        return apply_each(connection, reports, person_id, across_owners=owner is None)

    try:
        return database.write(lambda connection: work(connection, [report for _, report in group]))
    except DBAPIError as error:
        if len(group) == 1:
            reason = str(error.orig).strip().splitlines()[0]
            return [Refused(Code.DATABASE_ERROR, f"the database answered: {reason}")]
    return [outcome for one in group for outcome in _write(database, [one], owner)]


def _groups(reports: Iterable[Named]) -> Iterator[list[Named]]:
    group: list[Named] = []
    group_bytes = 0
    for named in reports:
        group.append(named)
        group_bytes += _size_bytes(named[1])
        if len(group) >= _REPORTS_AT_ONCE or group_bytes >= _BYTES_AT_ONCE:
            yield group
            group, group_bytes = [], 0
    if group:
        yield group


def _size_bytes(report: Submission) -> int:
    """About how much of memory a report takes."""
    logs = graph_nodes = 0
    if isinstance(report, InstallReport):
        logs = len(report.log or b"") + sum(len(phase.output or b"") for phase in report.phases)
    if isinstance(report, InstallReport | SpecReport) and report.graph is not None:
        graph_nodes = len(report.graph.nodes)
    if isinstance(report, BillReport):
        logs = len(report.document)
    return logs + graph_nodes * _BYTES_OF_A_NODE
