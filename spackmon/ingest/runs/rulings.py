"""What a person says of two claims stands above what follows from them, and is as easily taken back."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.ingest.locks import lock_packages, share_graphs
from spackmon.ingest.rows import LARGEST_ROW_ID
from spackmon.ingest.runs.resolution import settle
from spackmon.ingest.tables import claims, rulings


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
    if is_one_run is None:
        rulings.delete_ruling(connection, ids)
    else:
        rulings.put_ruling(connection, ids, person_id, now, is_one_run=is_one_run)
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
