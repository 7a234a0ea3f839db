"""The newest claim of a build that a client of ms1 reports on: found, kept for a transaction, begun."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from itertools import count

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.ingest.locks import lock_packages
from spackmon.ingest.rows import LARGEST_ROW_ID
from spackmon.ingest.runs.resolution import Resolved
from spackmon.ingest.specs.finding import names_of_specs
from spackmon.ingest.tables import builds, claims, client_claims
from spackmon.ingest.tables.audiences import is_for_some
from spackmon.ingest.tables.claims import StoredClaim
from spackmon.runs import conversation
from spackmon.runs.claim import Claim
from spackmon.runs.conversation import Conversation
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import Source


def lock(
    connection: Connection, build_id: int, person_id: int, now: datetime, *, with_not_run: bool = False
) -> tuple[StoredClaim, list[int]]:
    """The newest claim of a number that a client was given, kept for this transaction.

    With it, if wanted, the ids of the client's claims there that have not run. The caller shares graphs: what
    a build contains is written with it.
    """
    owner_id = None
    if not with_not_run and 0 < build_id <= LARGEST_ROW_ID:
        owner_id = client_claims.owners_of(connection, [build_id], locks=True).get(build_id)
    # Whoever had the lock may have removed it.
    if owner_id == person_id and (newest := claims.load_newest(connection, [build_id])):
        return newest[build_id], []
    found = _find(connection, build_id)
    if found is None:
        return _adopt(connection, build_id, person_id, now), []
    claim_id, owner_id, package_id = found
    if owner_id != person_id:
        raise _not_yours(connection, build_id)
    not_run: list[tuple[int, int | None]] = []
    if with_not_run:
        environment_id = claims.load_claims(connection, [claim_id])[claim_id].environment_id
        not_run = client_claims.not_run(connection, person_id, environment_id, claim_id)
    lock_packages(connection, {package_id, *(package for _, package in not_run)})
    # Read after the locks are held: whoever had them may have begun another claim.
    claim_id = (_find(connection, build_id) or found)[0]
    return claims.load_claims(connection, [claim_id])[claim_id], _still_not_run(connection, not_run)


def _still_not_run(connection: Connection, not_run: Iterable[tuple[int, int | None]]) -> list[int]:
    loaded = claims.load_claims(connection, [claim_id for claim_id, _ in not_run])
    return [i for i, one in loaded.items() if one.claim.status is BuildStatus.NOTRUN and not one.claim.phases]


def _find(connection: Connection, build_id: int) -> tuple[int, int, int | None] | None:
    """The newest claim of a number, or of the build that it leads to: its id, owner and package."""
    if not 0 < build_id <= LARGEST_ROW_ID:
        raise _unknown(build_id)
    return client_claims.of_build(connection, build_id)


def _adopt(connection: Connection, build_id: int, person_id: int, now: datetime) -> StoredClaim:
    """Begin a claim of a build that other sources alone have reported so far."""
    build = builds.read_build(connection, build_id)
    if build is None:
        raise _unknown(build_id)
    if build.owner_id != person_id:
        raise _not_yours(connection, build_id)
    if build.spec_id is None:
        raise Refused(
            Code.BUILD_SPEC_UNKNOWN, f"the spec of build {build_id} is not known yet: report it first"
        )
    lock_packages(connection, {build.package_id})
    claim = Claim(
        id=0, owner_id=person_id, owner_is_certain=True, kind=SourceKind.MS1,
        key=f"{build.spec_hash}/#{build.id}/1", first_reported_at=now, last_reported_at=now,
        package_id=build.package_id, spec_id=build.spec_id, spec_hash=build.spec_hash,
        spec_hash_kind=build.spec_hash_kind, machine=builds.machine_of(build),
    )  # fmt: skip
    claim_id = claims.add_claim(
        connection, StoredClaim(claim, build.environment_id, client_build_id=build.id)
    )
    if claim_id is None:
        claim_id = claims.find_claim(connection, Source(claim.kind, claim.key), person_id)
    assert claim_id is not None  # noqa: S101 -- the insert made it or met it
    return claims.load_claims(connection, [claim_id])[claim_id]


def spoken(stored: StoredClaim) -> Conversation:
    """A claim with what its client has announced."""
    return Conversation(stored.claim, stored.next_run)


def next_claim(
    connection: Connection, stored: StoredClaim, now: datetime, *, began_at: datetime | None
) -> StoredClaim:
    """Begin the next run of a client's build, as it was announced; else it began at `began_at`."""
    claim = conversation.following(spoken(stored), now, began_at=began_at).claim
    series, _, number = claim.key.rpartition("/")
    following = StoredClaim(claim, stored.environment_id, stored.client_build_id)
    claims.update_claims(connection, [(stored, replace(stored, next_run=None))], now)
    claim_id = add(connection, following, series, int(number)).claim.id
    return claims.load_claims(connection, [claim_id])[claim_id]


def add(connection: Connection, stored: StoredClaim, series: str, first_number: int) -> StoredClaim:
    """Add a claim to a series, under the first number from `first_number` on that is free."""
    for number in count(first_number):
        claim = replace(stored.claim, key=f"{series}/{number}")
        claim_id = claims.add_claim(connection, replace(stored, claim=claim))
        if claim_id is not None:
            return replace(stored, claim=replace(claim, id=claim_id))
    raise AssertionError("numbers do not end")


def place(connection: Connection, claim: Claim) -> Resolved:
    """Where a claim is counted to, of which nothing changes."""
    where = claims.where_is(connection, claim.id)
    return Resolved(where.build_id, where.attempt_id, claim.spec_id, False, False, 0, False)


def named(connection: Connection, spec_id: int | None) -> tuple[str, str]:
    """The hash and the name of a build's spec. Raises Refused BUILD_SPEC_UNKNOWN where it has none."""
    if spec_id is None:
        raise spec_unknown()
    return names_of_specs(connection, [spec_id])[spec_id]


def spec_unknown() -> Refused:
    """What is answered about a build whose spec is not known."""
    return Refused(Code.BUILD_SPEC_UNKNOWN, "the spec of this build is not known yet: report it first")


def _not_yours(connection: Connection, build_id: int) -> Refused:
    build = builds.read_build(connection, build_id)
    # What is for others is to nobody else a build.
    if build is not None and is_for_some(connection, build.id):
        return _unknown(build_id)
    return Refused(Code.BUILD_NOT_YOURS, f"build {build_id} belongs to somebody else")


def _unknown(build_id: int) -> Refused:
    return Refused(Code.BUILD_UNKNOWN, f"there is no build {build_id}: post it to builds/new/ first")
