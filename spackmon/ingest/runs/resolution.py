"""Runs as the database holds them: what `spackmon.runs` makes of the claims that a new one can touch.

A claim that came or changed can touch those that agree with it, those that agree with these, and so on, and
those of the run that it was counted to. They are loaded, resolved, and the difference is written: claims move
between attempts, attempts appear and go. Whatever the order in which claims come, the same rows result.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.runs.neighbourhood import neighbourhood
from spackmon.ingest.tables import attempts, builds, claims, numbers
from spackmon.ingest.tables.changes import note_changes
from spackmon.ingest.tables.claims import StoredClaim
from spackmon.ingest.tables.configure_arguments import arguments_of
from spackmon.ingest.tables.environments import get_or_create_environment
from spackmon.ingest.tables.error_groups import count_errors
from spackmon.ingest.tables.facets import Settled
from spackmon.ingest.tables.neighbours import Near, neighbours
from spackmon.ingest.tables.orphans import delete_unused
from spackmon.ingest.tables.run_events import delete_events_of_logs, write_events_of_logs
from spackmon.ingest.tables.tag_sets import tag_sets_of
from spackmon.runs.claim import Claim, Machine
from spackmon.runs.facts import Run, run_of
from spackmon.runs.resolve import may_decide, resolve
from spackmon.runs.times import window


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a claim is counted to now, and what is new of that; `changed` that anything differs.

    `phase_ids` are those of the phases of its run by name, as far as they were written or compared.
    """

    build_id: int
    attempt_id: int
    spec_id: int | None
    build_created: bool
    attempt_created: bool
    phases_created: int
    changed: bool
    phase_ids: Mapping[str, int] = field(default_factory=dict)


def rewrite(
    connection: Connection,
    before: StoredClaim,
    after: StoredClaim,
    now: datetime,
    *,
    is_as_read: bool = False,
) -> Resolved:
    """Write what a claim is now, and derive the runs that it can touch, as it is or was.

    Others may have been of neither of two runs because of what it was. Packages are locked by the caller.
    `is_as_read`: what is written beside claims (their spec, events and analyses) is as when it was read.
    """
    return rewrite_all(connection, [(before, after)], now, is_as_read=is_as_read)[after.claim.id]


def rewrite_all(
    connection: Connection,
    changes: Sequence[tuple[StoredClaim, StoredClaim]],
    now: datetime,
    *,
    is_as_read: bool = False,
) -> dict[int, Resolved]:
    """`rewrite` of several claims, each as it was and is: what they can touch is read and derived once."""
    if is_as_read and _have_same_neighbours(changes):
        return _rewrite_as_read(connection, changes, now)
    were = {before.claim.id: before.claim for before, _ in changes}
    pairs = neighbours(connection, were.values()).pairs
    near = claims.load_claims(connection, {two for _, two in pairs} - set(were))
    earlier = {two for one, two in pairs if two in near and may_decide(were[one], near[two].claim)}
    claims.update_claims(connection, changes, now)
    if is_as_read:
        near |= {after.claim.id: after for _, after in changes}
    return _settle_all(connection, list(were), now, earlier, known=near)


def _have_same_neighbours(changes: Sequence[tuple[StoredClaim, StoredClaim]]) -> bool:
    """Whether what these claims are beside can be asked for at once, as they were and are."""
    claims_of = [(before.claim, after.claim) for before, after in changes]
    return all(_has_same_neighbours(*pair) for pair in claims_of) and (
        len(changes) == 1 or all(_is_within(*pair) for pair in claims_of)
    )


def _has_same_neighbours(before: Claim, after: Claim) -> bool:
    """Whether what a claim is beside changed by its times alone, which it has and had."""
    return None not in (before.span, after.span) and all(
        getattr(before, name) == getattr(after, name)
        for name in ("package_id", "spec_id", "spec_hash", "prefix", "attempt_id", "machine")
    )


def _is_within(before: Claim, after: Claim) -> bool:
    """Whether all that a claim touched it touches still."""
    was, now = window(before), window(after)
    return was is not None and now is not None and now[0] <= was[0] and was[1] <= now[1]


def _rewrite_as_read(
    connection: Connection, changes: Sequence[tuple[StoredClaim, StoredClaim]], now: datetime
) -> dict[int, Resolved]:
    """`rewrite_all` of claims whose neighbours, as they were and are, are asked for at once."""
    claims.update_claims(connection, changes, now)
    were = {before.claim.id: before.claim for before, _ in changes}
    was = window(changes[0][0].claim) if len(changes) == 1 else None
    near = neighbours(connection, [after.claim for _, after in changes], was)
    known = claims.load_claims(connection, {two for _, two in near.pairs} - set(were))
    earlier = {two for one, two in near.pairs if two in known and may_decide(were[one], known[two].claim)}
    known |= {after.claim.id: after for _, after in changes}
    return _settle_all(connection, list(were), now, earlier, known=known, near=near)


def settle(connection: Connection, claim_id: int, now: datetime) -> Resolved:
    """Derive the runs that a claim, which came or changed, can touch; packages are locked by the caller."""
    return _settle_all(connection, [claim_id], now, ())[claim_id]


def settle_moved(connection: Connection, claim_id: int, now: datetime) -> Resolved:
    """`settle` of a claim whose spec is another now: there is, or is not, a machine that it was built on."""
    return _settle_all(connection, [claim_id], now, (), has_moved=True)[claim_id]


def resettle(connection: Connection, claim_id: int, now: datetime) -> Resolved:
    """`settle` of a claim that is what it was: nobody hears of it where nothing comes of it."""
    return _settle_all(connection, [claim_id], now, (), is_reported=False)[claim_id]


def _settle_all(
    connection: Connection,
    claim_ids: Collection[int],
    now: datetime,
    earlier: Collection[int],
    *,
    known: Mapping[int, StoredClaim] | None = None,
    near: Near | None = None,
    is_reported: bool = True,
    has_moved: bool = False,
) -> dict[int, Resolved]:
    around = neighbourhood(connection, {*claim_ids, *earlier}, known or {}, near)
    runs = [
        run_of(group)
        for group in resolve((one.claim for one in around.stored.values()), around.rulings, around.beside)
    ]
    writing = _Writing(connection, now, around.stored.values())
    if has_moved:
        writing.unsettle(runs)
    return writing.write(runs, claim_ids, is_reported=is_reported)


def _spare_logs(runs: Iterable[Run]) -> dict[int, set[int]]:
    """Of claims with logs those that their runs do not show."""
    spare: dict[int, set[int]] = {}
    for run in runs:
        shown = {phase.log_id for phase in run.phases}
        for claim in run.claims:
            if logs := {phase.log_id for phase in claim.phases if phase.log_id is not None}:
                spare[claim.id] = logs - shown
    return spare


class _Writing:
    """One writing of runs."""

    def __init__(self, connection: Connection, now: datetime, stored: Collection[StoredClaim]) -> None:
        """`stored` are the claims of all runs that are written."""
        self._connection = connection
        self._now = now
        self._touched: set[int] = set()
        self._unsettled: set[tuple[int, int]] = set()
        self._leads: dict[int, int] = {}
        self._left: set[int] = set()
        # As its claim refers to a machine, nobody deletes that.
        self._environments = {one.claim.machine: one.environment_id for one in stored}
        # So it is with the tags and arguments of a run that are those of one of its claims.
        self._known_tag_sets = {one.tag_set for one in stored}
        self._known_arguments = {one.arguments for one in stored}
        self._tag_sets: Mapping[frozenset[str], int | None] = {}
        self._arguments: Mapping[str | None, int | None] = {}
        self._with_spare_logs = {one.claim.id for one in stored if one.has_spare_logs}
        self._build_of: dict[int, int] = {}
        # Of attempts that stay where they are.
        self._changed: dict[int, dict[str, Any]] = {}
        self._settled = Settled()

    def unsettle(self, runs: Iterable[Run]) -> None:
        """Look anew for the machines of all runs of these specs and owners, wherever they are counted to."""
        self._unsettled |= {(run.spec_id, run.owner_id) for run in runs if run.spec_id is not None}

    def write(self, runs: list[Run], claim_ids: Collection[int], *, is_reported: bool) -> dict[int, Resolved]:
        """Write runs, which are all of their claims' attempts; where these claims are counted to now.

        `is_reported`: somebody said something of these claims.
        """
        rows = attempts.read_attempts(
            self._connection, {c.attempt_id for run in runs for c in run.claims if c.attempt_id is not None}
        )
        taken = _attempts_of(runs)
        phases = attempts.read_phases(self._connection, rows)
        for run in runs:
            # All machines come before all sets of tags, and these before arguments (locks.py).
            self._environment_of(run.machine)
        self._tag_sets = tag_sets_of(self._connection, {run.tags for run in runs}, self._known_tag_sets)
        self._arguments = arguments_of(
            self._connection, {run.configure_arguments for run in runs}, self._known_arguments
        )
        written: list[tuple[int, Run]] = []
        builds_created: set[int] = set()
        changed: set[int] = set()
        for run, attempt_id in zip(runs, taken, strict=True):
            row = None if attempt_id is None else rows[attempt_id]
            new_id, created, differs = self._write_run(run, row)
            builds_created |= created
            if differs:
                changed.add(new_id)
            written.append((new_id, run))
        attempts.update_attempts(self._connection, self._changed)
        new_phases = attempts.write_phases(
            self._connection, ((new_id, run.phases) for new_id, run in written), phases
        )
        changed |= {new_id for new_id, _ in written if new_phases[new_id].differed}
        self._touched |= {self._build_of[one] for one in changed}
        moved = [(c.id, new_id) for new_id, run in written for c in run.claims if c.attempt_id != new_id]
        claims.move_claims(self._connection, moved)
        claims.keep_logs(self._connection, _spare_logs(runs), self._with_spare_logs)
        # Who may see a build depends on all of its claims.
        self._touched |= {self._build_of[to] for _, to in moved}
        attempts.count_findings(self._connection, written)
        with_events = write_events_of_logs(self._connection, written)
        self._delete(set(rows) - {new_id for new_id, _ in written}, rows, written)
        with_events |= {new_id for new_id, run in written if any(claim.event_kinds for claim in run.claims)}
        self._settle()
        self._settled.count(self._connection)
        self._count_events(with_events)
        if rows and self._touched:
            old = {i for row in rows.values() for i in (row.environment_id, row.build_environment_id)}
            delete_unused(self._connection, "build_environment", old - set(self._environments.values()))
        where = {c.id: (new_id, run) for new_id, run in written for c in run.claims}
        build_of = self._builds_of({where[claim_id][0] for claim_id in claim_ids})
        reported = set(build_of.values()) if is_reported else set()
        note_changes(
            self._connection,
            builds=(self._touched | reported) - self._left,
            phases=[one for written_phases in new_phases.values() for one in written_phases.changed],
            logs=[one for written_phases in new_phases.values() for one in written_phases.with_new_log],
        )
        resolved = {}
        for claim_id in claim_ids:
            attempt_id, run = where[claim_id]
            build_id = build_of[attempt_id]
            resolved[claim_id] = Resolved(
                build_id, attempt_id, run.spec_id, build_id in builds_created, attempt_id not in rows,
                new_phases[attempt_id].created, attempt_id in changed or bool(moved),
                new_phases[attempt_id].ids,
            )  # fmt: skip
        return resolved

    def _write_run(self, run: Run, row: Any | None) -> tuple[int, set[int], bool]:
        """The attempt of a run, written; the builds that were made for it, and whether anything differs."""
        environment_id = self._environment_of(run.machine)
        facts = attempts.facts_of(
            run, environment_id, self._tag_sets[run.tags], self._arguments[run.configure_arguments]
        )
        if row is not None and self._is_in_place(run, row, environment_id):
            self._build_of[row.id] = row.build_id
            if differs := attempts.differs(row, facts):
                self._changed[row.id] = facts
            return row.id, set(), differs
        build_id, is_created = self._place(run, environment_id, row)
        if row is None:
            attempt_id = attempts.add_attempt(self._connection, build_id, facts)
        else:
            attempt_id = row.id
            builds.move_attempt(self._connection, attempt_id, build_id)
            attempts.update_attempts(self._connection, {attempt_id: facts})
            self._touched.add(row.build_id)
            if build_id != row.build_id:
                self._leads.setdefault(row.build_id, build_id)
            if row.spec_id is not None:
                self._unsettled.add((row.spec_id, row.owner_id))
        self._touched.add(build_id)
        self._build_of[attempt_id] = build_id
        return attempt_id, {build_id} if is_created else set(), True

    def _is_in_place(self, run: Run, row: Any, environment_id: int) -> bool:
        there = row.owner_id, row.spec_id, row.package_id, row.environment_id
        return there == (run.owner_id, run.spec_id, run.package_id, environment_id)

    def _place(self, run: Run, environment_id: int, row: Any | None) -> tuple[int, bool]:
        """The build of a run that is new to it, and whether that is new; the run's own one if it is alone."""
        build_id = None
        if run.spec_id is not None:
            build_id, is_unsettled = builds.place_for(
                self._connection, run.spec_id, run.owner_id, environment_id, run.machine
            )
            if is_unsettled:
                self._unsettled.add((run.spec_id, run.owner_id))
        elif run.spec_hash is not None:
            build_id = builds.place_of_unknown(
                self._connection, run.spec_hash, run.package_id, run.owner_id, environment_id
            )
        if build_id is not None:
            return build_id, False
        identity = run.spec_id, run.package_id, environment_id, run.owner_id
        if row is not None and builds.is_alone(self._connection, row.build_id, row.id):
            builds.set_identity(self._connection, row.build_id, identity)
            return row.build_id, False
        return builds.add_build(self._connection, *identity, self._now), True

    def _delete(self, gone: set[int], rows: dict[int, Any], written: Iterable[tuple[int, Run]]) -> None:
        """Delete attempts without claims; their builds lead to where the claims went."""
        for attempt_id in gone:
            row = rows[attempt_id]
            to = next(
                new_id for new_id, run in written if any(c.attempt_id == attempt_id for c in run.claims)
            )
            self._touched.add(row.build_id)
            self._leads.setdefault(row.build_id, self._build_of[to])
            if row.spec_id is not None:
                self._unsettled.add((row.spec_id, row.owner_id))
        delete_events_of_logs(self._connection, gone)
        attempts.delete_attempts(self._connection, gone)

    def _count_events(self, attempt_ids: Collection[int]) -> None:
        """Count the errors and warnings of these runs' builds, and of those whose runs are others now."""
        build_ids = set(self._builds_of(attempt_ids).values())
        if self._leads:
            build_ids |= self._touched
        count_errors(self._connection, build_ids)

    def _builds_of(self, attempt_ids: Collection[int]) -> Mapping[int, int]:
        """The builds of runs that are settled: as they were written where none could move since."""
        if self._unsettled or self._left:
            return attempts.builds_of(self._connection, attempt_ids)
        return {one: self._build_of[one] for one in attempt_ids}

    def _settle(self) -> None:
        for spec_id, owner_id in sorted(self._unsettled):
            moved = builds.settle_machines(self._connection, spec_id, owner_id, self._now)
            self._touched |= set(moved)
            self._leads |= {build_id: to for build_id, to in moved.items() if build_id != to}
        waiting = sorted(self._touched - self._left)
        if builds.settle_builds(self._connection, waiting, self._now, self._settled):
            return
        for build_id in waiting:
            if build_id not in self._left and not builds.settle_builds(
                self._connection, [build_id], self._now, self._settled
            ):
                self._leave(build_id, self._end_of(build_id))

    def _leave(self, build_id: int, target_id: int) -> None:
        """Let a build without runs lead to another one; the older number of both stays."""
        self._left.add(max(build_id, target_id))
        if target_id < build_id:
            numbers.leave_build(self._connection, build_id, target_id)
            return
        builds.take_over(self._connection, build_id, target_id)
        numbers.leave_build(self._connection, target_id, build_id)
        self._leads = {b: build_id if to == target_id else to for b, to in self._leads.items()}
        self._leads.pop(build_id, None)
        self._leads[target_id] = build_id
        builds.settle_builds(self._connection, [build_id], self._now, self._settled)

    def _end_of(self, build_id: int) -> int:
        seen = {build_id}
        while (to := self._leads.get(build_id)) is not None and to not in seen:
            seen.add(to)
            build_id = to
        return build_id

    def _environment_of(self, machine: Machine) -> int:
        if machine not in self._environments:
            self._environments[machine], _ = get_or_create_environment(self._connection, machine)
        return self._environments[machine]


def _attempts_of(runs: list[Run]) -> list[int | None]:
    """Which of the attempts that its claims were counted to each run keeps: the oldest that no other has."""
    taken: set[int] = set()
    chosen: list[int | None] = []
    for run in runs:
        mine = sorted({c.attempt_id for c in run.claims if c.attempt_id is not None} - taken)
        chosen.append(mine[0] if mine else None)
        taken |= set(mine[:1])
    return chosen
