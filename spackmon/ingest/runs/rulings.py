"""What a person says of two claims stands above what follows from them, and is as easily taken back."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.ingest.locks import lock_packages, share_graphs
from spackmon.ingest.rows import LARGEST_ROW_ID, Statement
from spackmon.ingest.runs.resolution import settle
from spackmon.ingest.tables import claims

_PUT = Statement(
    """
    INSERT INTO ruling (claim_id, other_claim_id, is_one_run, person_id, reported_at)
    VALUES (:claim_id, :other_claim_id, :is_one_run, :person_id, :now)
    ON CONFLICT (claim_id, other_claim_id) DO UPDATE SET
        is_one_run = excluded.is_one_run, person_id = excluded.person_id, reported_at = excluded.reported_at
    """
)
_DELETE = Statement("DELETE FROM ruling WHERE claim_id = :claim_id AND other_claim_id = :other_claim_id")


def rule(
    connection: Connection, pair: Collection[int], person_id: int, now: datetime, *, is_one_run: bool | None
) -> None:
    """Say of two claims, given by their ids, that they are of one run, or of two; None takes that back.

    Raises Refused CLAIM_UNKNOWN, and CLAIMS_EQUAL where both are the same one.
    """
    ids = sorted(set(pair))
    if len(ids) < 2:
        raise Refused(Code.CLAIMS_EQUAL, f"claim {ids[0]} was named twice: expected two claims")
    share_graphs(connection)
    stored = _load(connection, ids)
    lock_packages(connection, {one.claim.package_id for one in stored.values()})
    key = {"claim_id": ids[0], "other_claim_id": ids[1]}
    if is_one_run is None:
        _DELETE.run(connection, **key)
    else:
        _PUT.run(connection, **key, is_one_run=is_one_run, person_id=person_id, now=now)
    for claim_id in ids:
        settle(connection, claim_id, now)


def _load(connection: Connection, ids: Collection[int]) -> dict[int, claims.StoredClaim]:
    stored = claims.load_claims(connection, [one for one in ids if 0 < one <= LARGEST_ROW_ID])
    for claim_id in ids:
        if claim_id not in stored:
            raise Refused(
                Code.CLAIM_UNKNOWN, f"there is no claim {claim_id}: see `sources` of an attempt in GraphQL"
            )
    return stored
