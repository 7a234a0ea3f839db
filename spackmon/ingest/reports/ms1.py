"""Requests of clients of ms1, which add to claims as `spackmon.runs.conversation` says."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import datetime

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.ingest.locks import share_graphs
from spackmon.ingest.receipts import AnalysisReceipt, BuildReceipt, StatusReceipt
from spackmon.ingest.reports import newest_claims
from spackmon.ingest.reports.installs import machine_of
from spackmon.ingest.runs.resolution import Resolved, rewrite, rewrite_all, settle
from spackmon.ingest.specs.finding import find_spec
from spackmon.ingest.specs.linking import link
from spackmon.ingest.specs.specs import store_graph
from spackmon.ingest.tables import claims, client_claims, contents, numbers
from spackmon.ingest.tables.analysis import replace_attributes
from spackmon.ingest.tables.audiences import may_see
from spackmon.ingest.tables.claims import StoredClaim
from spackmon.ingest.tables.elf_files import ElfFiles
from spackmon.ingest.tables.environments import get_or_create_environment
from spackmon.runs import conversation
from spackmon.runs.claim import Claim
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
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
    stored, not_run = newest_claims.lock(connection, report.build_id, person_id, now, with_not_run=failed)
    if conversation.says_nothing(newest_claims.spoken(stored), report.status):
        build_id = newest_claims.place(connection, stored.claim).build_id
        return StatusReceipt(build_id, *newest_claims.named(connection, stored.claim.spec_id))
    if newest_claims.spoken(stored).is_over:
        # Of a run that nobody announced and that ended nothing but its end is known.
        began_at = now if report.status is BuildStatus.RUNNING else None
        stored = newest_claims.next_claim(connection, stored, now, began_at=began_at)
    claim = conversation.with_status(stored.claim, report.status, now)
    resolved = _save(connection, stored, claim, now, is_as_read=True)
    if not_run:
        # As they are counted after that: all of them at once.
        waiting = claims.load_claims(connection, not_run).values()
        cancelled = [(one, replace(one, claim=replace(one.claim, cancelled_at=now))) for one in waiting]
        rewrite_all(connection, cancelled, now, is_as_read=True)
    return StatusReceipt(resolved.build_id, *newest_claims.named(connection, claim.spec_id))


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
    stored, _ = newest_claims.lock(connection, report.build_id, person_id, now)
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
    return AnalysisReceipt(resolved.build_id, *newest_claims.named(connection, claim.spec_id))


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
    claim_id = newest_claims.add(connection, stored, series, 1).claim.id
    resolved = settle(connection, claim_id, now)
    client_claims.set_build(connection, claim_id, resolved.build_id)
    return resolved.build_id, resolved.build_created


def _again(connection: Connection, stored: StoredClaim, report: BuildReport, now: datetime) -> int:
    """Note that a client asks for a build that it asked for before; the number of the build."""
    after = conversation.asked_again(
        newest_claims.spoken(stored),
        now,
        report.spack_version,
        report.tags,
        announces_run=report.announces_run,
    )
    if after.next_run != stored.next_run:
        claims.update_claims(connection, [(stored, replace(stored, next_run=after.next_run))], now)
    elif after.claim is not stored.claim:
        _save(connection, stored, after.claim, now, is_as_read=True)
    # The number that the client has: another one may lead to another series of the same build.
    return stored.client_build_id or newest_claims.place(connection, stored.claim).build_id


def _save(
    connection: Connection, before: StoredClaim, claim: Claim, now: datetime, *, is_as_read: bool
) -> Resolved:
    """Write what a claim is now, and derive the runs that this touches; `is_as_read` as `rewrite`'s."""
    after = replace(before, claim=claim)
    resolved = rewrite(connection, before, after, now, is_as_read=is_as_read)
    claims.release(connection, [(before, after)])
    return resolved
