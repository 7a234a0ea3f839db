"""Batches of reports, a line each: what was done of them is known again when they are sent again.

A transaction takes many lines, because a commit costs more than a report; each line is whole or not at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from spackmon.errors import Refused
from spackmon.formats.submission import Submission
from spackmon.ingest import inbox, store
from spackmon.ingest.receipts import (
    AnalysisReceipt,
    BuildReceipt,
    ConcretizationFailureReceipt,
    InstallReceipt,
    PhaseReceipt,
    Receipt,
    SpecReceipt,
    StatusReceipt,
)
from spackmon.ingest.rows import Statement
from spackmon.models import SubmissionBatch, utc_now

INBOX_KIND = "submissions"

Status = Literal["created", "changed", "known", "refused"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line with what it reports, or why it cannot be read; `body` is empty where none can be kept."""

    number: int
    body: bytes
    report: Sequence[Submission] | Refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a line; `inbox_id` is where a refused one is kept."""

    number: int
    status: Status
    build_id: int | None = None
    spec_hash: str | None = None
    refused: Refused | None = None
    inbox_id: int | None = None


_ADVANCE = Statement(
    """
    INSERT INTO submission_batch (owner_id, key, lines_done, updated_at)
    VALUES (:owner_id, :key, :lines_done, :now)
    ON CONFLICT (owner_id, key) DO UPDATE SET updated_at = excluded.updated_at, lines_done =
        CASE WHEN excluded.lines_done > submission_batch.lines_done
             THEN excluded.lines_done ELSE submission_batch.lines_done END
    """
)


def lines_done(connection: Connection, person_id: int, key: str) -> int:
    """How many lines of this person's batch, counted from the first, were done before."""
    statement = select(SubmissionBatch.lines_done).where(
        SubmissionBatch.owner_id == person_id, SubmissionBatch.key == key
    )
    return connection.execute(statement).scalar() or 0


def apply_lines(
    connection: Connection, lines: Sequence[Line], person_id: int, key: str | None
) -> list[Outcome]:
    """Write lines that follow each other in the batch `key`; the refused ones are kept in the inbox.

    Raises what the store raises beside Refused; then nothing of these lines is written.
    """
    outcomes = [_apply(connection, line, person_id) for line in lines]
    if key is not None:
        _ADVANCE.run(connection, owner_id=person_id, key=key, lines_done=lines[-1].number, now=utc_now())
    return outcomes


def _apply(connection: Connection, line: Line, person_id: int) -> Outcome:
    if isinstance(line.report, Refused):
        return _refuse(connection, line, person_id, line.report)
    try:
        with connection.begin_nested():
            receipts = [store.apply(connection, report, person_id) for report in line.report]
    except Refused as refused:
        return _refuse(connection, line, person_id, refused)
    return Outcome(
        line.number,
        combined_status(receipts),
        build_id=next((receipt.build_id for receipt in receipts if isinstance(receipt, _OF_BUILD)), None),
        spec_hash=next((receipt.spec_hash for receipt in receipts if isinstance(receipt, _OF_BUILD)), None)
        or next((receipt.hash for receipt in receipts if isinstance(receipt, SpecReceipt)), None),
    )


_OF_BUILD = (AnalysisReceipt, BuildReceipt, InstallReceipt, PhaseReceipt, StatusReceipt)


def combined_status(receipts: Iterable[Receipt]) -> Status:
    """The most that any of the receipts says."""
    statuses = {_status(receipt) for receipt in receipts}
    return "created" if "created" in statuses else "changed" if "changed" in statuses else "known"


def _status(receipt: Receipt) -> Status:
    match receipt:
        case SpecReceipt() | ConcretizationFailureReceipt():
            return "created" if receipt.created else "known"
        case BuildReceipt():
            return "created" if receipt.build_created else "known"
        case InstallReceipt():
            return "created" if receipt.build_created else "changed" if receipt.changed else "known"
    return "changed"


def _refuse(connection: Connection, line: Line, person_id: int, refused: Refused) -> Outcome:
    inbox_id = inbox.keep(connection, INBOX_KIND, line.body, refused, person_id) if line.body else None
    return Outcome(line.number, "refused", refused=refused, inbox_id=inbox_id)
