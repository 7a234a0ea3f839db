"""The inbox: what clients sent and could not be applied, kept as it came until a replay succeeds.

A client sends a report once and gives up its build after an error: anything that is not stored is lost.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import zstandard
from sqlalchemy import Connection, Row, func, insert, select, update

from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.ingest import store
from spackmon.ingest.locks import take_turn
from spackmon.ingest.receipts import Receipt
from spackmon.ingest.rows import LARGEST_ROW_ID
from spackmon.large_bytes import AnyBytes
from spackmon.masking.bodies import masked_body
from spackmon.masking.rules import of_site
from spackmon.masking.texts import masked_text
from spackmon.models import InboxEntry, Person, utc_now
from spackmon.submission import Submission

Reader = Callable[[str, AnyBytes], Iterable[Submission]]
"""Reads a body of a kind, which may report several things; raises Refused."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry without its body; `person` is the sender's name, `size_bytes` the body's compressed size."""

    id: int
    received_at: datetime
    kind: str
    person: str | None
    size_bytes: int
    error_code: str
    error_message: str
    replay_count: int
    applied_at: datetime | None


_ENTRIES = (
    select(
        InboxEntry.id, InboxEntry.received_at, InboxEntry.kind, Person.name,
        func.length(InboxEntry.body), InboxEntry.error_code, InboxEntry.error_message,
        InboxEntry.replay_count, InboxEntry.applied_at,
    )
    .select_from(InboxEntry)
    .outerjoin(Person, Person.id == InboxEntry.person_id)
    .order_by(InboxEntry.id)
)  # fmt: skip


def add(connection: Connection, kind: str, body: AnyBytes, refused: Refused, person_id: int | None) -> int:
    """Store a body that met `refused`, without its secrets; the entry's id.

    `kind` is its address below the ms1 prefix.
    """
    rules = of_site()
    kept = masked_body(body, rules)
    statement = insert(InboxEntry).values(
        received_at=utc_now(), kind=kind, person_id=person_id, body=zstandard.compress(memoryview(kept)),
        error_code=refused.code, error_message=masked_text(refused.sentence, rules), replay_count=0,
        applied_at=None,
    )  # fmt: skip
    entry_id: int = connection.execute(statement.returning(InboxEntry.id)).scalar_one()
    return entry_id


def entries(connection: Connection, *, with_applied: bool = False) -> list[Entry]:
    """What waits to be applied, oldest first; with what was applied, if wanted."""
    statement = _ENTRIES if with_applied else _ENTRIES.where(InboxEntry.applied_at.is_(None))
    return [Entry(*row) for row in connection.execute(statement)]


def show(connection: Connection, entry_id: int) -> tuple[Entry, bytes]:
    """An entry and its body as it came. Raises Refused INBOX_ENTRY_UNKNOWN."""
    if not 0 < entry_id <= LARGEST_ROW_ID:
        raise _unknown(entry_id)
    row = connection.execute(_ENTRIES.where(InboxEntry.id == entry_id)).one_or_none()
    if row is None:
        raise _unknown(entry_id)
    return Entry(*row), _body(connection, entry_id)


def replay(database: Database, entry_id: int, read: Reader) -> list[Receipt] | Refused | None:
    """Apply an entry: the receipts, or what it met this time, or None when it was applied before.

    Raises Refused INBOX_ENTRY_UNKNOWN and DATABASE_UNAVAILABLE.
    """
    try:
        return database.write(lambda connection: _apply(connection, entry_id, read))
    except _NotApplied as not_applied:
        refused = not_applied.refused
    database.write(lambda connection: _count_failure(connection, entry_id, refused))
    return refused


def replay_order(connection: Connection) -> Sequence[int]:
    """The ids of what waits, in the order in which it came: a build's phases follow the build."""
    waiting = select(InboxEntry.id).where(InboxEntry.applied_at.is_(None)).order_by(InboxEntry.id)
    return connection.execute(waiting).scalars().all()


def apply_body(
    connection: Connection, reports: Iterable[Submission], person_id: int, arrived_at: datetime
) -> list[Receipt]:
    """Write what one body reports, in the caller's transaction. Raises what `store.apply` raises."""
    all_of_it = list(reports)
    if len(all_of_it) > 1:
        take_turn(connection)
    return [store.apply(connection, report, person_id, arrived_at=arrived_at) for report in all_of_it]


class _NotApplied(Exception):  # noqa: N818 -- carries an answer out of the transaction that it rolls back
    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.sentence)
        self.refused = refused


def _apply(connection: Connection, entry_id: int, read: Reader) -> list[Receipt] | None:
    entry = _locked(connection, entry_id)
    if entry.applied_at is not None:
        return None
    try:
        if entry.person_id is None:
            raise Refused(Code.SENDER_UNKNOWN, f"inbox entry {entry_id} does not say who sent it")
        reports = read(entry.kind, _body(connection, entry_id))
        receipts = apply_body(connection, reports, entry.person_id, entry.received_at)
    except Refused as refused:
        raise _NotApplied(refused) from refused
    connection.execute(update(InboxEntry).where(InboxEntry.id == entry_id).values(applied_at=utc_now()))
    return receipts


def _count_failure(connection: Connection, entry_id: int, refused: Refused) -> None:
    connection.execute(
        update(InboxEntry)
        .where(InboxEntry.id == entry_id)
        .values(
            replay_count=InboxEntry.replay_count + 1,
            error_code=refused.code,
            error_message=refused.sentence,
        )
    )


def _locked(connection: Connection, entry_id: int) -> Row[str, int | None, datetime | None, datetime]:
    if not 0 < entry_id <= LARGEST_ROW_ID:
        raise _unknown(entry_id)
    # Two people who replay at once must not apply it twice.
    statement = (
        select(InboxEntry.kind, InboxEntry.person_id, InboxEntry.applied_at, InboxEntry.received_at)
        .where(InboxEntry.id == entry_id)
        .with_for_update()
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise _unknown(entry_id)
    return row


def _body(connection: Connection, entry_id: int) -> bytes:
    compressed = connection.execute(select(InboxEntry.body).where(InboxEntry.id == entry_id)).scalar_one()
    return zstandard.decompress(compressed)


def _unknown(entry_id: int) -> Refused:
    return Refused(Code.INBOX_ENTRY_UNKNOWN, f"the inbox has no entry {entry_id}")
