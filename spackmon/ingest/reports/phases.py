"""Phases that clients of ms1 report: by themselves, or of many builds by the same statements."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from spackmon.database.together import Apart
from spackmon.ingest.locks import share_graphs
from spackmon.ingest.receipts import PhaseReceipt
from spackmon.ingest.reports import newest_claims
from spackmon.ingest.reports.installs import phase_claim
from spackmon.ingest.runs.resolution import Resolved, rewrite_all
from spackmon.ingest.specs.finding import names_of_specs
from spackmon.ingest.tables import claims, client_claims, contents
from spackmon.ingest.tables.attempts import phase_id
from spackmon.ingest.tables.claims import StoredClaim
from spackmon.ingest.tables.fingerprints import put_groups_of_logs
from spackmon.runs import conversation
from spackmon.runs.claim import Claim, PhaseClaim
from spackmon.submission import PhaseReport


def apply_phase(connection: Connection, report: PhaseReport, person_id: int, now: datetime) -> PhaseReceipt:
    """Store a phase with its log; the same phase of an unfinished run again: the last one stays.

    Raises Refused BUILD_UNKNOWN, BUILD_NOT_YOURS and SPEC_UNKNOWN.
    """
    share_graphs(connection)
    (phase,) = _phase_claims(connection, [report], now)
    stored, _ = newest_claims.lock(connection, report.build_id, person_id, now)
    return _write_phases(connection, [(report, phase, stored)], now)[0]


def apply_phases(
    connection: Connection, sent: Sequence[tuple[PhaseReport, int]], now: datetime
) -> list[PhaseReceipt | None]:
    """`apply_phase` of reports on builds of which none is twice there, each with the person who sent it.

    None for a report that only `apply_phase` can take, or refuses: nothing is written of it. Raises Apart.
    """
    share_graphs(connection)
    owners = client_claims.owners_of(connection, [report.build_id for report, _ in sent])
    taken = [report for report, person_id in sent if owners.get(report.build_id) == person_id]
    phases = _phase_claims(connection, taken, now)
    build_ids = [report.build_id for report in taken]
    locked = client_claims.owners_of(connection, build_ids, locks=True)
    newest = claims.load_newest(connection, build_ids)
    if any(locked.get(one) != owners[one] or one not in newest for one in build_ids):
        raise Apart
    read = [(report, phase, newest[report.build_id]) for report, phase in zip(taken, phases, strict=True)]
    receipts = dict(zip(build_ids, _write_phases(connection, read, now), strict=True))
    return [receipts.get(report.build_id) for report, _ in sent]


def _phase_claims(connection: Connection, reports: Sequence[PhaseReport], now: datetime) -> list[PhaseClaim]:
    """Phases as they are reported, with their logs and the groups of what is in these."""
    outputs = [report.packed_output or report.output for report in reports]
    log_ids, with_events = contents.logs_of(connection, outputs)
    put_groups_of_logs(connection, with_events)
    return [
        phase_claim(report.name, 1, report.status, output, log_id, now)
        for report, output, log_id in zip(reports, outputs, log_ids, strict=True)
    ]


def _write_phases(
    connection: Connection, sent: Sequence[tuple[PhaseReport, PhaseClaim, StoredClaim]], now: datetime
) -> list[PhaseReceipt]:
    """Add phases to the claims of builds whose packages are locked."""
    changes: dict[int, tuple[StoredClaim, StoredClaim]] = {}
    current: list[Claim] = []
    for report, phase, stored in sent:
        if conversation.begins_another(newest_claims.spoken(stored), report.name):
            stored = newest_claims.next_claim(connection, stored, now, began_at=now)
        claim = conversation.with_phase(stored.claim, _reported(phase, report, stored.claim), now)
        current.append(claim)
        if claim is not stored.claim:
            changes[claim.id] = stored, replace(stored, claim=claim)
    resolved: dict[int, Resolved] = {}
    if changes:
        resolved = rewrite_all(connection, list(changes.values()), now, is_as_read=True)
        claims.release(connection, list(changes.values()))
    resolved |= {
        claim.id: newest_claims.place(connection, claim) for claim in current if claim.id not in resolved
    }
    places = [resolved[claim.id] for claim in current]
    names = names_of_specs(connection, [one.spec_id for one in places if one.spec_id is not None])
    return [
        _phase_receipt(connection, report, place, names)
        for (report, _, _), place in zip(sent, places, strict=True)
    ]


def _phase_receipt(
    connection: Connection, report: PhaseReport, place: Resolved, names: Mapping[int, tuple[str, str]]
) -> PhaseReceipt:
    if place.spec_id is None:
        raise newest_claims.spec_unknown()
    spec_hash, spec_name = names[place.spec_id]
    stored_id = place.phase_ids.get(report.name) or phase_id(connection, place.attempt_id, report.name)
    return PhaseReceipt(stored_id, report.name, report.status, place.build_id, spec_hash, spec_name)


def _reported(phase: PhaseClaim, report: PhaseReport, claim: Claim) -> PhaseClaim:
    """A phase with its place in its claim, and with what the claim has of it already."""
    before = next((phase for phase in claim.phases if phase.name == report.name), None)
    if before is None:
        return replace(phase, position=len(claim.phases) + 1)
    if report.output is None:
        return replace(before, status=report.status)
    return replace(phase, position=before.position, reported_at=before.reported_at)
