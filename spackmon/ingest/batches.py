"""Batches of reports, a line each: what was done of them is known again when they are sent again.

A transaction takes many lines, because a commit costs more than a report; each line is whole or not at all.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from spackmon.errors import Refused
from spackmon.ingest import inbox, store
from spackmon.ingest.locks import take_turn
from spackmon.ingest.receipts import (
    AnalysisReceipt,
    BillReceipt,
    BuildcacheReceipt,
    BuildReceipt,
    ConcretizationFailureReceipt,
    EnvironmentReceipt,
    InstallReceipt,
    PhaseReceipt,
    Receipt,
    SpecReceipt,
    StatusReceipt,
    unlisted,
)
from spackmon.ingest.rows import Statement
from spackmon.ingest.specs.specs import ChangesKnownSpecs
from spackmon.ingest.specs.together import together
from spackmon.large_bytes import AnyBytes
from spackmon.models import utc_now
from spackmon.submission import SpecReport, Submission

INBOX_KIND = "submissions"

Status = Literal["created", "changed", "known", "refused"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line with what it reports, or why it cannot be read; `body` is empty if it is too large to store."""

    number: int
    body: AnyBytes
    report: Sequence[Submission] | Refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a line; `inbox_id` is where one is kept that was refused or is `unlisted` in part."""

    number: int
    status: Status
    build_id: int | None = None
    spec_hash: str | None = None
    refused: Refused | None = None
    inbox_id: int | None = None
    unlisted: Refused | None = None


_FIND = Statement(
    "SELECT lines_done, refused_lines FROM submission_batch WHERE owner_id = :owner_id AND key = :key"
)
_ADVANCE = Statement(
    """
    INSERT INTO submission_batch (owner_id, key, lines_done, refused_lines, updated_at)
    VALUES (:owner_id, :key, :lines_done, :refused_lines, :now)
    ON CONFLICT (owner_id, key) DO UPDATE
    SET lines_done = :lines_done, refused_lines = :refused_lines, updated_at = :now
    """
)


@dataclass(frozen=True, slots=True)
class Progress:
    """The first `lines_done` lines of a batch are done; `refused` are those that were refused, by number."""

    lines_done: int
    refused: Mapping[int, Outcome]

    def outcome(self, number: int) -> Outcome:
        """What is answered about a line that was done before."""
        return self.refused.get(number) or Outcome(number, "known")


def progress(connection: Connection, person_id: int, key: str) -> Progress:
    """How far this person's batch has come."""
    found = _FIND.run(connection, owner_id=person_id, key=key)
    if not found:
        return Progress(0, {})
    entries = json.loads(found[0].refused_lines)
    refused = {
        number: Outcome(number, "refused", refused=Refused.reported(code, sentence), inbox_id=inbox_id)
        for number, code, sentence, inbox_id in entries
    }
    return Progress(found[0].lines_done, refused)


def apply_lines(
    connection: Connection, lines: Sequence[Line], person_id: int, key: str | None
) -> list[Outcome]:
    """Write lines that follow each other in the batch `key`; the refused ones are kept in the inbox.

    Raises what the store raises beside Refused; then nothing of these lines is written.
    """
    if len(lines) > 1 or any(len(line.report) > 1 for line in lines if not isinstance(line.report, Refused)):
        take_turn(connection)
    outcomes = [_apply(connection, line, person_id) for line in lines]
    if key is not None:
        _advance(connection, person_id, key, outcomes)
    return outcomes


def _advance(connection: Connection, person_id: int, key: str, outcomes: list[Outcome]) -> None:
    before = progress(connection, person_id, key)
    refused = {**before.refused, **{one.number: one for one in outcomes if one.refused is not None}}
    entries = [
        (number, one.refused.code, one.refused.sentence, one.inbox_id)
        for number, one in refused.items()
        if one.refused is not None
    ]
    _ADVANCE.run(
        connection, owner_id=person_id, key=key, refused_lines=json.dumps(entries),
        lines_done=max(before.lines_done, outcomes[-1].number), now=utc_now(),
    )  # fmt: skip


def apply_each(
    connection: Connection, reports: Iterable[Submission], person_id: int, *, across_owners: bool
) -> list[Receipt | Refused]:
    """Write reports that have nothing to do with each other; of each the receipt, or why it was refused."""
    take_turn(connection)
    outcomes: list[Receipt | Refused] = []
    for some in together(reports):
        outcomes += _joined(connection, some, person_id) or [
            _one(connection, report, person_id, across_owners=across_owners) for report in some
        ]
    return outcomes


def _joined(
    connection: Connection, reports: Sequence[Submission], person_id: int
) -> Sequence[Receipt] | None:
    """The receipts of specs that could be written together; nothing is written otherwise."""
    specs = [report for report in reports if isinstance(report, SpecReport)]
    if len(reports) == 1 or len(specs) < len(reports):
        return None
    try:
        with connection.begin_nested():
            return store.apply_together(connection, specs, person_id)
    except (Refused, ChangesKnownSpecs):
        # Which of them it is, is known once each is written by itself.
        return None


def _one(
    connection: Connection, report: Submission, person_id: int, *, across_owners: bool
) -> Receipt | Refused:
    try:
        with connection.begin_nested():
            return store.apply(connection, report, person_id, across_owners=across_owners)
    except Refused as refused:
        return refused


def _apply(connection: Connection, line: Line, person_id: int) -> Outcome:
    if isinstance(line.report, Refused):
        return _refuse(connection, line, person_id, line.report)
    try:
        with connection.begin_nested():
            receipts = [store.apply(connection, report, person_id) for report in line.report]
    except Refused as refused:
        return _refuse(connection, line, person_id, refused)
    in_part = unlisted(receipts)
    return Outcome(
        line.number,
        combined_status(receipts),
        unlisted=in_part,
        inbox_id=None if in_part is None else _keep(connection, line, person_id, in_part),
        build_id=next((receipt.build_id for receipt in receipts if isinstance(receipt, _OF_BUILD)), None),
        spec_hash=next((receipt.spec_hash for receipt in receipts if isinstance(receipt, _OF_BUILD)), None)
        or next((receipt.hash for receipt in receipts if isinstance(receipt, SpecReceipt)), None),
    )


_OF_BUILD = (AnalysisReceipt, BillReceipt, BuildReceipt, InstallReceipt, PhaseReceipt, StatusReceipt)


def combined_status(receipts: Iterable[Receipt]) -> Status:
    """The most that any of the receipts says."""
    statuses = {_status(receipt) for receipt in receipts}
    return "created" if "created" in statuses else "changed" if "changed" in statuses else "known"


def _status(receipt: Receipt) -> Status:
    match receipt:
        case SpecReceipt() | ConcretizationFailureReceipt() | EnvironmentReceipt():
            return "created" if receipt.created else "known"
        case BuildcacheReceipt():
            return "created" if receipt.created else "changed" if receipt.changed else "known"
        case BillReceipt():
            return "changed" if receipt.changed else "known"
        case BuildReceipt():
            return "created" if receipt.build_created else "known"
        case InstallReceipt():
            return "created" if receipt.build_created else "changed" if receipt.changed else "known"
    return "changed"


def _refuse(connection: Connection, line: Line, person_id: int, refused: Refused) -> Outcome:
    inbox_id = _keep(connection, line, person_id, refused)
    return Outcome(line.number, "refused", refused=refused, inbox_id=inbox_id)


def _keep(connection: Connection, line: Line, person_id: int, refused: Refused) -> int | None:
    return inbox.add(connection, INBOX_KIND, line.body, refused, person_id) if line.body else None
