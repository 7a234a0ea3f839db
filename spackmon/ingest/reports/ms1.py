"""Requests of clients of ms1, which add to claims as `spackmon.runs.conversation` says."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from datetime import datetime
from itertools import count

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.ingest.locks import lock_packages, share_graphs
from spackmon.ingest.receipts import AnalysisReceipt, BuildReceipt, PhaseReceipt, StatusReceipt
from spackmon.ingest.reports.installs import machine_of, phase_claim
from spackmon.ingest.rows import LARGEST_ROW_ID
from spackmon.ingest.runs.resolution import Resolved, rewrite, rewrite_all, settle
from spackmon.ingest.specs.linking import link
from spackmon.ingest.specs.specs import find_spec, name_of_spec, store_graph
from spackmon.ingest.tables import builds, claims, client_claims, contents, numbers
from spackmon.ingest.tables.analysis import replace_attributes
from spackmon.ingest.tables.attempts import create_tags, phase_id
from spackmon.ingest.tables.audiences import is_for_some, may_see
from spackmon.ingest.tables.claims import StoredClaim
from spackmon.ingest.tables.elf_files import ElfFiles
from spackmon.ingest.tables.environments import get_or_create_environment
from spackmon.ingest.tables.fingerprints import put_groups_of_logs
from spackmon.runs import conversation
from spackmon.runs.claim import Claim, PhaseClaim
from spackmon.runs.conversation import Conversation
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    PhaseReport,
    Source,
    StatusReport,
)


def apply_build(connection: Connection, report: BuildReport, owner_id: int, now: datetime) -> BuildReceipt:
    """Get or create what a client of ms1 calls a build, and note its next run if it announces one.

    Raises Refused SPEC_UNKNOWN.
    """
    spec_id, waiting = _spec_of(connection, report, owner_id)
    spec = find_spec(connection, report.spec_hash, spec_id=spec_id)
    if spec is None or not may_see(connection, owner_id, spec):
        raise Refused(
            Code.SPEC_UNKNOWN, f"no spec has the hash {report.spec_hash!r}: post it to specs/new/ first"
        )
    create_tags(connection, report.tags)
    link(connection, waiting, (spec.package_id,), now)
    environment_id, environment_created = get_or_create_environment(connection, report.environment)
    newest_id = client_claims.newest(connection, spec.id, owner_id, environment_id)
    if newest_id is not None:
        stored = claims.load_claims(connection, [newest_id])[newest_id]
        build_id, is_new = _again(connection, stored, report, now), False
    else:
        hash_kind, spec_hash = _name_of_spec(report)
        series = _series(spec_hash, report)
        claim = Claim(
            id=0, owner_id=owner_id, owner_is_certain=True, kind=SourceKind.MS1, key=f"{series}/1",
            first_reported_at=now, last_reported_at=now, package_id=spec.package_id, spec_id=spec.id,
            spec_hash=spec_hash, spec_hash_kind=hash_kind, machine=machine_of(report.environment),
            is_live=report.announces_run,
            started_at=now if report.announces_run else None, spack_version=report.spack_version,
            tags=frozenset(report.tags),
        )  # fmt: skip
        build_id, is_new = _begin(connection, StoredClaim(claim, environment_id), series, now)
    if report.promised_build_id is not None:
        numbers.lead(connection, report.promised_build_id, build_id)
    return BuildReceipt(build_id, is_new, environment_created, spec.hash, report.spec_hash, spec.name)


def apply_status(
    connection: Connection, report: StatusReport, person_id: int, now: datetime
) -> StatusReceipt:
    """Set a build's status; FAILED cancels the client's builds there that have not run.

    Raises Refused BUILD_UNKNOWN, BUILD_NOT_YOURS and SPEC_UNKNOWN.
    """
    share_graphs(connection)
    failed = report.status is BuildStatus.FAILED
    stored, not_run = _lock(connection, report.build_id, person_id, now, with_not_run=failed)
    if conversation.says_nothing(_spoken(stored), report.status):
        build_id = _place(connection, stored.claim).build_id
        return StatusReceipt(build_id, *_named(connection, stored.claim.spec_id))
    if _spoken(stored).is_over:
        # Of a run that nobody announced and that ended nothing but its end is known.
        began_at = now if report.status is BuildStatus.RUNNING else None
        stored = _next_claim(connection, stored, now, began_at=began_at)
    claim = conversation.with_status(stored.claim, report.status, now)
    resolved = _save(connection, stored, claim, now, is_as_read=True)
    if not_run:
        # As they are counted after that: all of them at once.
        waiting = claims.load_claims(connection, not_run).values()
        cancelled = [(one, replace(one, claim=replace(one.claim, cancelled_at=now))) for one in waiting]
        rewrite_all(connection, cancelled, now, is_as_read=True)
    return StatusReceipt(resolved.build_id, *_named(connection, claim.spec_id))


def apply_phase(connection: Connection, report: PhaseReport, person_id: int, now: datetime) -> PhaseReceipt:
    """Store a phase with its log; the same phase of an unfinished run again: the last one stays.

    Raises Refused BUILD_UNKNOWN, BUILD_NOT_YOURS and SPEC_UNKNOWN.
    """
    share_graphs(connection)
    output = report.packed_output or report.output
    phase = phase_claim(connection, report.name, 1, report.status, None, output, now)
    put_groups_of_logs(connection, [phase.log_id])
    stored, _ = _lock(connection, report.build_id, person_id, now)
    if conversation.begins_another(_spoken(stored), report.name):
        stored = _next_claim(connection, stored, now, began_at=now)
    claim = conversation.with_phase(stored.claim, _reported(phase, report, stored.claim), now)
    if claim is stored.claim:
        return _phase_receipt(connection, report, _place(connection, claim))
    resolved = _save(connection, stored, claim, now, is_as_read=True)
    return _phase_receipt(connection, report, resolved)


def _phase_receipt(connection: Connection, report: PhaseReport, resolved: Resolved) -> PhaseReceipt:
    spec_hash, spec_name = _named(connection, resolved.spec_id)
    stored_id = resolved.phase_ids.get(report.name) or phase_id(connection, resolved.attempt_id, report.name)
    return PhaseReceipt(stored_id, report.name, report.status, resolved.build_id, spec_hash, spec_name)


def apply_analysis(
    connection: Connection, report: AnalysisReport, person_id: int, now: datetime
) -> AnalysisReceipt:
    """Store what a report has of a build's newest run; parts that are not in it stay as they are.

    An analysis is no run: it never begins one. Raises Refused BUILD_UNKNOWN, BUILD_NOT_YOURS and
    SPEC_UNKNOWN.
    """
    share_graphs(connection)
    files, variables = report.install_files, report.environment_variables
    manifest_id = None if files is None else contents.manifest_of(connection, files)
    variables_id = None if variables is None else contents.environment_set_of(connection, variables)
    elf_files = ElfFiles(connection, report.attributes)
    stored, _ = _lock(connection, report.build_id, person_id, now)
    claim = replace(stored.claim, last_reported_at=now)
    if manifest_id is not None:
        claim = replace(claim, manifest_id=manifest_id)
    if variables_id is not None:
        claim = replace(claim, environment_set_id=variables_id)
    if report.has_configure_arguments:
        claim = replace(claim, configure_arguments=report.configure_arguments)
    if report.attributes:
        replace_attributes(connection, claim.id, report.attributes, elf_files, now, by_file=True)
    resolved = _save(connection, stored, claim, now, is_as_read=False)
    return AnalysisReceipt(resolved.build_id, *_named(connection, claim.spec_id))


def _spec_of(connection: Connection, report: BuildReport, owner_id: int) -> tuple[int, Sequence[int]]:
    """The row of the spec that came along, or 0, and the claims that name what came."""
    if report.graph is None:
        share_graphs(connection)
        return 0, ()
    stored = store_graph(connection, report.graph, report.spack_version, owner_id)
    return (0 if _name_of_spec(report)[0] is None else stored.spec_id), stored.waiting


def _name_of_spec(report: BuildReport) -> tuple[str | None, str]:
    """The hash by which a client names its spec, after the kind if it sent a document that says it."""
    if report.graph is not None:
        root = report.graph.nodes[report.graph.root]
        # The document says which of several specs with this hash is meant.
        if any(value == report.spec_hash for _, value in root.hashes):
            return root.hash_kind, root.hash
    return None, report.spec_hash


def _series(spec_hash: str, report: BuildReport) -> str:
    """What the keys of all runs of one build have in common: a digest, as it stands in each of them."""
    machine = hashlib.sha256("\0".join(astuple(report.environment)).encode()).hexdigest()[:16]
    digest = hashlib.sha256(f"{spec_hash}/{machine}".encode()).digest()[:8]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _begin(connection: Connection, stored: StoredClaim, series: str, now: datetime) -> tuple[int, bool]:
    """Add the first claim of a series; the number of its build, and whether that is new."""
    # There may be another series of these words: its spec was another one then.
    claim_id = _add(connection, stored, series, 1).claim.id
    resolved = settle(connection, claim_id, now)
    client_claims.set_build(connection, claim_id, resolved.build_id)
    return resolved.build_id, resolved.build_created


def _add(connection: Connection, stored: StoredClaim, series: str, first_number: int) -> StoredClaim:
    """Add a claim to a series, under the first number from `first_number` on that is free."""
    for number in count(first_number):
        claim = replace(stored.claim, key=f"{series}/{number}")
        claim_id = claims.add_claim(connection, replace(stored, claim=claim))
        if claim_id is not None:
            return replace(stored, claim=replace(claim, id=claim_id))
    raise AssertionError("numbers do not end")


def _again(connection: Connection, stored: StoredClaim, report: BuildReport, now: datetime) -> int:
    """Note that a client asks for a build that it asked for before; the number of the build."""
    after = conversation.asked_again(
        _spoken(stored), now, report.spack_version, report.tags, announces_run=report.announces_run
    )
    if after.next_run != stored.next_run:
        claims.update_claim(connection, stored, replace(stored, next_run=after.next_run), now)
    elif after.claim is not stored.claim:
        _save(connection, stored, after.claim, now, is_as_read=True)
    # The number that the client has: another one may lead to another series of the same build.
    return stored.client_build_id or _place(connection, stored.claim).build_id


def _lock(
    connection: Connection, build_id: int, person_id: int, now: datetime, *, with_not_run: bool = False
) -> tuple[StoredClaim, list[int]]:
    """The newest claim of a number that a client was given, kept for this transaction.

    With it, if wanted, the ids of the client's claims there that have not run. The caller shares graphs: what
    a build contains is written with it.
    """
    owner_id = None
    if not with_not_run and 0 < build_id <= LARGEST_ROW_ID:
        owner_id = client_claims.lock_of_client(connection, build_id)
    # Whoever had the lock may have removed it.
    if owner_id == person_id and (newest := claims.load_newest(connection, build_id)) is not None:
        return newest, []
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


def _spoken(stored: StoredClaim) -> Conversation:
    return Conversation(stored.claim, stored.next_run)


def _next_claim(
    connection: Connection, stored: StoredClaim, now: datetime, *, began_at: datetime | None
) -> StoredClaim:
    """Begin the next run of a client's build, as it was announced; else it began at `began_at`."""
    claim = conversation.following(_spoken(stored), now, began_at=began_at).claim
    series, _, number = claim.key.rpartition("/")
    following = StoredClaim(claim, stored.environment_id, stored.client_build_id)
    claims.update_claim(connection, stored, replace(stored, next_run=None), now)
    claim_id = _add(connection, following, series, int(number)).claim.id
    return claims.load_claims(connection, [claim_id])[claim_id]


def _reported(phase: PhaseClaim, report: PhaseReport, claim: Claim) -> PhaseClaim:
    """A phase with its place in its claim, and with what the claim has of it already."""
    before = next((phase for phase in claim.phases if phase.name == report.name), None)
    if before is None:
        return replace(phase, position=len(claim.phases) + 1)
    if report.output is None:
        return replace(before, status=report.status)
    return replace(phase, position=before.position, reported_at=before.reported_at)


def _save(
    connection: Connection, before: StoredClaim, claim: Claim, now: datetime, *, is_as_read: bool
) -> Resolved:
    """Write what a claim is now, and derive the runs that this touches; `is_as_read` as `rewrite`'s."""
    after = replace(before, claim=claim)
    resolved = rewrite(connection, before, after, now, is_as_read=is_as_read)
    claims.release(connection, before, after)
    return resolved


def _place(connection: Connection, claim: Claim) -> Resolved:
    where = claims.where_is(connection, claim.id)
    return Resolved(where.build_id, where.attempt_id, claim.spec_id, False, False, 0, False)


def _named(connection: Connection, spec_id: int | None) -> tuple[str, str]:
    """The hash and the name of a spec."""
    if spec_id is None:
        raise Refused(Code.BUILD_SPEC_UNKNOWN, "the spec of this build is not known yet: report it first")
    row = name_of_spec(connection, spec_id)
    return row.hash, row.name


def _not_yours(connection: Connection, build_id: int) -> Refused:
    build = builds.read_build(connection, build_id)
    # What is for others is to nobody else a build.
    if build is not None and is_for_some(connection, build.id):
        return _unknown(build_id)
    return Refused(Code.BUILD_NOT_YOURS, f"build {build_id} belongs to somebody else")


def _unknown(build_id: int) -> Refused:
    return Refused(Code.BUILD_UNKNOWN, f"there is no build {build_id}: post it to builds/new/ first")
