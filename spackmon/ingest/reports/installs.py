"""Installs as every source but ms1 reports them: each report adds to the claim of its source."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.locks import own_graphs, share_graphs
from spackmon.ingest.receipts import InstallReceipt
from spackmon.ingest.runs.resolution import rewrite, settle
from spackmon.ingest.specs.finding import find_spec, hash_of_spec
from spackmon.ingest.specs.linking import link
from spackmon.ingest.specs.specs import store_graph
from spackmon.ingest.tables import claims, contents
from spackmon.ingest.tables.analysis import replace_attributes
from spackmon.ingest.tables.audiences import may_see
from spackmon.ingest.tables.ci_jobs import ci_job_of
from spackmon.ingest.tables.claims import StoredClaim
from spackmon.ingest.tables.dimensions import get_or_create_packages, package_id_of
from spackmon.ingest.tables.elf_files import ElfFiles
from spackmon.ingest.tables.environments import NO_ENVIRONMENT, get_or_create_environment
from spackmon.ingest.tables.events import (
    add_events,
    count_unlisted,
    create_contexts,
    create_groups,
    listed,
    readings,
)
from spackmon.ingest.tables.fingerprints import put_groups_of_logs
from spackmon.logs.packed import PackedLog
from spackmon.logs.phases import first_time
from spackmon.runs.claim import Claim, Machine, PhaseClaim
from spackmon.runs.growth import completed
from spackmon.runs.phases import WHOLE_LOG
from spackmon.status import BuildStatus
from spackmon.submission import Environment, InstallPhase, InstallReport


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a report is about, by the rows that it names; `waiting` are claims that name what came with it."""

    spec_id: int | None = None
    package_id: int | None = None
    specs_created: int = 0
    waiting: Sequence[int] = ()


def apply_install(
    connection: Connection, report: InstallReport, person_id: int, now: datetime, *, across_owners: bool
) -> InstallReceipt:
    """Add what a report that came `now` says to the claim of its source, and derive the runs it touches.

    `across_owners`: whose build it is is not known, an operator imports what all have installed.
    """
    subject = _subject(connection, report, person_id)
    claim = _claim(connection, report, subject, person_id, now, is_certain=not across_owners)
    elf_files = ElfFiles(connection, report.attributes, report.host)
    events = listed(report.events)
    read = readings(events)
    contexts = create_contexts(connection, events)
    put_groups_of_logs(connection, [phase.log_id for phase in claim.phases])
    create_groups(connection, read)
    found_id = claims.find_claim(connection, report.source, person_id)
    found = claims.load_claims(connection, [found_id]) if found_id is not None else {}
    packages = {subject.package_id, *(one.claim.package_id for one in found.values())}
    link(connection, subject.waiting, packages, now)
    environment_id, _ = get_or_create_environment(connection, report.environment or NO_ENVIRONMENT)
    reported = StoredClaim(claim, environment_id)
    claim_id, known, stored = _grown(connection, report, reported, now)
    changed = stored is not None
    specs_created = subject.specs_created
    events_created = add_events(connection, claim_id, events, read, contexts)
    events_unlisted = len(report.events) - len(events)
    changed |= count_unlisted(connection, claim_id, events_unlisted)
    if report.attributes:
        changed |= replace_attributes(connection, claim_id, report.attributes, elf_files, now, by_file=False)
    if not (changed or events_created):
        if known is not None:
            claims.release(connection, [(reported, known)])
        return _known(connection, claim_id, specs_created)
    if known is None or stored is None:
        resolved = settle(connection, claim_id, now)
    else:
        resolved = rewrite(connection, known, stored, now)
    if known is not None:
        claims.release(connection, [(before, stored or known) for before in (known, reported)])
    return InstallReceipt(
        resolved.build_id, resolved.build_created, resolved.attempt_created,
        resolved.changed or changed or specs_created > 0, hash_of_spec(connection, resolved.spec_id),
        specs_created, resolved.phases_created, events_created, events_unlisted,
    )  # fmt: skip


def _subject(connection: Connection, report: InstallReport, person_id: int) -> _Subject:
    """Get or create what many builds share, in the order in which every transaction does (locks.py)."""
    subject, package_name = _Subject(), report.package_name
    if report.graph is not None:
        stored = store_graph(connection, report.graph, report.spack_version, person_id)
        subject = _Subject(stored.spec_id, None, stored.created_count, stored.waiting)
        package_name = report.graph.nodes[report.graph.root].name
    elif report.spec_hash:
        if _find_spec(connection, report.spec_hash, person_id) is None:
            # Who stores that spec now would not see this claim, nor this transaction that spec; and nothing
            # else orders two claims of one hash whose package is unknown.
            own_graphs(connection)
        else:
            share_graphs(connection)
        found = _find_spec(connection, report.spec_hash, person_id)
        if found is not None:
            return _Subject(found.id, found.package_id)
    else:
        # What a build contains is written with it; a graph is locked as it is stored.
        share_graphs(connection)
    if not package_name:
        return subject
    get_or_create_packages(connection, {package_name})
    return replace(subject, package_id=package_id_of(connection, package_name))


def _find_spec(connection: Connection, spec_hash: str, person_id: int) -> Any | None:
    """The spec of a hash, as far as whoever reports may see it."""
    found = find_spec(connection, spec_hash)
    return found if found is not None and may_see(connection, person_id, found) else None


def _claim(
    connection: Connection, report: InstallReport, subject: _Subject, owner_id: int, now: datetime, *,
    is_certain: bool,
) -> Claim:  # fmt: skip
    variables, files = report.environment_variables, report.install_files
    hash_kind, spec_hash = _name_of_spec(report)
    return Claim(
        id=0,
        owner_id=owner_id,
        owner_is_certain=is_certain,
        kind=report.source.kind,
        key=report.source.key,
        first_reported_at=now,
        last_reported_at=now,
        package_id=subject.package_id,
        spec_id=subject.spec_id,
        spec_hash=spec_hash,
        spec_hash_kind=hash_kind,
        machine=machine_of(report.environment or NO_ENVIRONMENT),
        status=report.status or BuildStatus.NOTRUN,
        started_at=report.started_at,
        finished_at=report.finished_at,
        duration_seconds=None if report.duration_seconds is None else float(report.duration_seconds),
        time_uncertainty_seconds=float(report.time_uncertainty_seconds or 0.0),
        times_enclose_run=report.times_enclose_run,
        installed_from=report.installed_from,
        spack_version=report.spack_version,
        spack_revision=report.spack_revision,
        prefix=report.prefix,
        environment_set_id=contents.environment_set_of(connection, variables) if variables else None,
        manifest_id=contents.manifest_of(connection, files) if files else None,
        configure_arguments=report.configure_arguments,
        ci_job_id=None if report.ci_job is None else ci_job_of(connection, report.ci_job, now),
        tags=frozenset(report.tags),
        phases=_phases(connection, report, now),
    )


def _name_of_spec(report: InstallReport) -> tuple[str | None, str | None]:
    """The hash by which a report names its spec, after its kind, which only a document says."""
    if report.graph is None:
        return None, report.spec_hash or None
    root = report.graph.nodes[report.graph.root]
    return root.hash_kind, root.hash


def machine_of(environment: Environment) -> Machine:
    """An environment as runs are compared by."""
    return Machine(
        environment.hostname, environment.platform, environment.operating_system, environment.target,
        environment.kernel_version,
    )  # fmt: skip


def _phases(connection: Connection, report: InstallReport, now: datetime) -> tuple[PhaseClaim, ...]:
    named: dict[str, InstallPhase] = {}
    for phase in report.phases:
        named.setdefault(phase.name, phase)
    if report.log and WHOLE_LOG not in named:
        named[WHOLE_LOG] = InstallPhase(WHOLE_LOG, "SUCCESS", output=report.log)
    log_ids, _ = contents.logs_of(connection, [phase.output for phase in named.values()])
    return tuple(
        replace(
            phase_claim(phase.name, place, phase.status, phase.output, log_id, phase.reported_at or now),
            duration_seconds=None if phase.duration_seconds is None else float(phase.duration_seconds),
            cpu_seconds=phase.cpu_seconds, peak_memory_bytes=phase.peak_memory_bytes,
        )
        for place, (phase, log_id) in enumerate(zip(named.values(), log_ids, strict=True), 1)
    )  # fmt: skip


def phase_claim(
    name: str, position: int, status: str, output: contents.AnyLog | None, log_id: int | None, now: datetime
) -> PhaseClaim:
    """A phase as it is reported, whose log is stored."""
    if not output:
        return PhaseClaim(name, position, status, None, now)
    began_at = output.began_at if isinstance(output, PackedLog) else first_time(output)
    return PhaseClaim(
        name, position, status, None, now, log_id, len(output),
        # A time without its microseconds says too little to tell one run from another.
        began_at.isoformat() if began_at is not None and began_at.microsecond else None,
    )  # fmt: skip


def _grown(
    connection: Connection, report: InstallReport, reported: StoredClaim, now: datetime
) -> tuple[int, StoredClaim | None, StoredClaim | None]:
    """The claim of a report's source, added if it is new: its id, what it was before, and is if it grew."""
    claim_id = claims.find_claim(connection, report.source, reported.claim.owner_id)
    if claim_id is None:
        claim_id = claims.add_claim(connection, reported)
        if claim_id is not None:
            return claim_id, None, reported
        # Somebody reported from the same source at the same moment, and has committed.
        claim_id = claims.find_claim(connection, report.source, reported.claim.owner_id)
        assert claim_id is not None  # noqa: S101 -- the insert met it
    before = claims.load_claims(connection, [claim_id])[claim_id]
    after = completed(before.claim, reported.claim, contents.rank_in(connection))
    if differs(before.claim, after):
        environment_id, _ = get_or_create_environment(connection, after.machine)
        after = replace(after, last_reported_at=now)
        stored = replace(before, claim=after, environment_id=environment_id)
        return claim_id, before, stored
    return claim_id, before, None


def differs(one: Claim, other: Claim) -> bool:
    """Whether two states of a claim differ in what was reported."""
    return any(getattr(one, name) != getattr(other, name) for name in Claim.__dataclass_fields__)


def _known(connection: Connection, claim_id: int, specs_created: int) -> InstallReceipt:
    where = claims.where_is(connection, claim_id)
    return InstallReceipt(
        where.build_id, False, False, specs_created > 0, where.spec_hash, specs_created, 0, 0
    )
