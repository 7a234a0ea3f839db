"""What people said of two claims: that they are one run, or two."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows

_PUT = Statement(
    """
    INSERT INTO ruling (claim_id, other_claim_id, is_one_run, person_id, reported_at)
    VALUES (:claim_id, :other_claim_id, :is_one_run, :person_id, :now)
    ON CONFLICT (claim_id, other_claim_id) DO UPDATE SET
        is_one_run = excluded.is_one_run, person_id = excluded.person_id, reported_at = excluded.reported_at
    """
)
_DELETE = Statement("DELETE FROM ruling WHERE claim_id = :claim_id AND other_claim_id = :other_claim_id")

_RULINGS = over_rows(
    "id bigint",
    """
    SELECT r.claim_id, r.other_claim_id, r.is_one_run FROM {input} i
    JOIN ruling r ON r.claim_id = i.id OR r.other_claim_id = i.id
    """,
)


def rulings_of(connection: Connection, claim_ids: Iterable[int]) -> list[tuple[int, int, bool]]:
    """What people said of these claims: two ids, and whether they are one run."""
    rows = _RULINGS.run(connection, sorted({(claim_id,) for claim_id in claim_ids}))
    return [(row.claim_id, row.other_claim_id, bool(row.is_one_run)) for row in rows]


def put_ruling(
    connection: Connection, claim_ids: Sequence[int], person_id: int, now: datetime, *, is_one_run: bool
) -> None:
    """Say of two claims, the lower number first, what they are; what was said before is replaced."""
    claim_id, other_id = claim_ids
    _PUT.run(
        connection, claim_id=claim_id, other_claim_id=other_id, is_one_run=is_one_run, person_id=person_id,
        now=now,
    )  # fmt: skip


def delete_ruling(connection: Connection, claim_ids: Sequence[int]) -> None:
    """Take back what was said of two claims, the lower number first."""
    claim_id, other_id = claim_ids
    _DELETE.run(connection, claim_id=claim_id, other_claim_id=other_id)
