"""The same claims as the store makes of arrivals, resolved without a database: thousands of runs in a minute.

Only the rows are left out: claims grow by `spackmon.runs` here and there, and `test_histories.py` compares
both. What a spec is, which documents decide in the store, is the truth's here.
"""

from collections.abc import Hashable, Iterable
from dataclasses import replace
from datetime import datetime

from spackmon.ingest.reports.installs import machine_of
from spackmon.ingest.tables.environments import NO_ENVIRONMENT
from spackmon.logs.phases import first_time
from spackmon.runs import conversation
from spackmon.runs.claim import Claim, PhaseClaim
from spackmon.runs.conversation import Conversation
from spackmon.runs.facts import Run, run_of
from spackmon.runs.growth import completed
from spackmon.runs.phases import WHOLE_LOG
from spackmon.runs.resolve import resolve
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    InstallReport,
    PhaseReport,
    StatusReport,
)
from tests.simulator.arriving import Delivered
from tests.simulator.reading import StoredAttempt, StoredPhase, StoredSource
from tests.simulator.steps import Arrival, Step


class Claimed:
    """The claims of what arrives."""

    def __init__(self) -> None:
        self._contents: dict[Hashable, int] = {}
        self._content: list[Hashable] = []
        self._claims: dict[tuple[object, ...], Claim] = {}
        self._talks: dict[tuple[object, ...], Conversation] = {}
        self._texts: dict[tuple[object, ...], list[str]] = {}
        self._builds: dict[str, tuple[object, ...]] = {}
        self.delivered = Delivered()

    def take(self, arrivals: Iterable[Arrival]) -> None:
        """Add what arrives, in the order of its moments."""
        for arrival in arrivals:
            step = arrival.step
            is_numbered = step.build_name is not None and not isinstance(step.submission, BuildReport)
            if is_numbered and step.build_name not in self._builds:
                continue
            self.delivered.sent += 1
            self._take(step, arrival.at)
            if step.claimant is not None:
                self.delivered.moments[arrival.at] = step.claimant

    def attempts(self) -> list[StoredAttempt]:
        """The runs that follow from the claims, each as the attempt of a build of its own."""
        names = {claim.id: name for name, claim in self._claims.items()}
        runs = map(run_of, resolve(self._claims.values()))
        return [self._attempt(number, run, names) for number, run in enumerate(runs, 1)]

    def _take(self, step: Step, now: datetime) -> None:
        match step.submission:
            case InstallReport() as report:
                self._install(step, report, now)
            case BuildReport() as report:
                self._build(step, report, now)
            case PhaseReport() as report:
                self._phase(self._builds[step.build_name or ""], report, now)
            case StatusReport() as report:
                self._status(self._builds[step.build_name or ""], report, now)
            case AnalysisReport() as report:
                self._analysis(self._builds[step.build_name or ""], report, now)

    def _install(self, step: Step, report: InstallReport, now: datetime) -> None:
        if step.claimant is None:
            return
        spec = step.claimant.run.spec
        is_named = report.graph is not None or bool(report.spec_hash)
        variables, files = report.environment_variables, report.install_files
        claim = Claim(
            id=len(self._claims) + 1, owner_id=step.owner, owner_is_certain=True, kind=report.source.kind,
            key=report.source.key, first_reported_at=now, last_reported_at=now,
            package_id=self._id(spec.package) if is_named or report.package_name else None,
            spec_id=self._id(spec) if is_named else None, spec_hash=spec.hash if is_named else None,
            machine=machine_of(report.environment or NO_ENVIRONMENT),
            status=report.status or BuildStatus.NOTRUN,
            started_at=report.started_at, finished_at=report.finished_at,
            duration_seconds=report.duration_seconds,
            time_uncertainty_seconds=report.time_uncertainty_seconds or 0.0,
            times_enclose_run=report.times_enclose_run, installed_from=report.installed_from,
            spack_version=report.spack_version, spack_revision=report.spack_revision, prefix=report.prefix,
            environment_set_id=self._id(tuple(sorted(variables.items()))) if variables else None,
            manifest_id=self._id(frozenset(file.path for file in files)) if files else None,
            configure_arguments=report.configure_arguments, tags=frozenset(report.tags),
            phases=self._phases(report, now),
            event_kinds=frozenset(event.kind for event in report.events),
        )  # fmt: skip
        texts = self._texts.setdefault(claim.name, [])
        texts += [event.text for event in report.events if event.text not in texts]
        before = self._claims.get(claim.name)
        if before is not None:
            claim = replace(
                completed(before, claim, self._rank), last_reported_at=now,
                event_kinds=before.event_kinds | claim.event_kinds,
            )  # fmt: skip
        self._claims[claim.name] = claim

    def _phases(self, report: InstallReport, now: datetime) -> tuple[PhaseClaim, ...]:
        given = [(one.name, one.status, one.duration_seconds, one.output) for one in report.phases]
        if report.log:
            given.append((WHOLE_LOG, "SUCCESS", None, report.log))
        return tuple(
            self._phase_claim(name, position, status, seconds, output, now)
            for position, (name, status, seconds, output) in enumerate(given, 1)
        )

    def _phase_claim(
        self, name: str, position: int, status: str, seconds: float | None, output: bytes | None,
        now: datetime,
    ) -> PhaseClaim:  # fmt: skip
        if not output:
            return PhaseClaim(name, position, status, seconds, now)
        began = first_time(output)
        mark = began.isoformat() if began is not None and began.microsecond else None
        return PhaseClaim(name, position, status, seconds, now, self._id(output), len(output), mark)

    def _build(self, step: Step, report: BuildReport, now: datetime) -> None:
        assert step.claimant is not None
        spec = step.claimant.run.spec
        place = (step.owner, spec, report.environment)
        self._builds[step.build_name or ""] = place
        if (talk := self._talks.get(place)) is not None:
            self._keep(place, conversation.asked_again(
                talk, now, report.spack_version, report.tags, announces_run=report.announces_run
            ))  # fmt: skip
            return
        self._keep(place, Conversation(Claim(
            id=len(self._claims) + 1, owner_id=step.owner, owner_is_certain=True, kind=SourceKind.MS1,
            key=f"{spec.hash}/{self._id(report.environment)}/1", first_reported_at=now, last_reported_at=now,
            package_id=self._id(spec.package), spec_id=self._id(spec), spec_hash=spec.hash,
            machine=machine_of(report.environment), is_live=report.announces_run,
            started_at=now if report.announces_run else None,
            spack_version=report.spack_version, tags=frozenset(report.tags),
        )))  # fmt: skip

    def _phase(self, place: tuple[object, ...], report: PhaseReport, now: datetime) -> None:
        talk = self._talks[place]
        if conversation.begins_another(talk, report.name):
            talk = self._next(place, talk, now, began_at=now)
        known = {phase.name: phase for phase in talk.claim.phases}
        before = known.get(report.name)
        position = len(known) + 1 if before is None else before.position
        phase = self._phase_claim(report.name, position, report.status, None, report.output, now)
        if before is not None:
            phase = replace(phase, reported_at=before.reported_at)
        self._keep(place, replace(talk, claim=conversation.with_phase(talk.claim, phase, now)))

    def _status(self, place: tuple[object, ...], report: StatusReport, now: datetime) -> None:
        talk = self._talks[place]
        waiting = [
            (other, one.claim)
            for other, one in self._talks.items()
            if report.status is BuildStatus.FAILED and other != place
            and (other[0], other[2]) == (place[0], place[2]) and one.claim.cancelled_at is None
            and one.claim.status is BuildStatus.NOTRUN and not one.claim.phases
        ]  # fmt: skip
        if conversation.says_nothing(talk, report.status):
            return
        if talk.is_over:
            began_at = now if report.status is BuildStatus.RUNNING else None
            talk = self._next(place, talk, now, began_at=began_at)
        self._keep(place, replace(talk, claim=conversation.with_status(talk.claim, report.status, now)))
        for other, claim in waiting:
            self._keep(other, replace(self._talks[other], claim=replace(claim, cancelled_at=now)))

    def _analysis(self, place: tuple[object, ...], report: AnalysisReport, now: datetime) -> None:
        talk = self._talks[place]
        claim = replace(talk.claim, last_reported_at=now)
        if report.install_files is not None:
            claim = replace(claim, manifest_id=self._id(frozenset(f.path for f in report.install_files)))
        if report.environment_variables is not None:
            variables = tuple(sorted(report.environment_variables.items()))
            claim = replace(claim, environment_set_id=self._id(variables))
        if report.has_configure_arguments:
            claim = replace(claim, configure_arguments=report.configure_arguments)
        self._keep(place, replace(talk, claim=claim))

    def _next(
        self, place: tuple[object, ...], talk: Conversation, now: datetime, *, began_at: datetime | None
    ) -> Conversation:
        following = conversation.following(talk, now, began_at=began_at)
        self._keep(place, replace(talk, next_run=None))
        return replace(following, claim=replace(following.claim, id=len(self._claims) + 1))

    def _keep(self, place: tuple[object, ...], talk: Conversation) -> None:
        self._talks[place] = talk
        self._claims[talk.claim.name] = talk.claim

    def _id(self, content: Hashable) -> int:
        if content not in self._contents:
            self._contents[content] = len(self._contents) + 1
            self._content.append(content)
        return self._contents[content]

    def _rank(self, _table: str, content_id: int) -> str:
        return repr(self._content[content_id - 1])

    def _there(self, content_id: int | None) -> object:
        return None if content_id is None else self._content[content_id - 1]

    def _attempt(self, number: int, run: Run, names: dict[int, tuple[object, ...]]) -> StoredAttempt:
        times = run.times
        return StoredAttempt(
            id=number, build_id=number, owner=run.owner_id, number=1, status=run.status, spec_hash=None,
            started=times.started_at, finished=times.finished_at, seconds=times.duration_seconds,
            spack_version=run.spack_version, spack_revision=run.spack_revision,
            hostname=run.machine.hostname, is_newest=True,
            sources=[
                StoredSource(c.owner_id, c.kind, c.key, c.first_reported_at, c.last_reported_at)
                for c in run.claims
            ],
            phases=[
                StoredPhase(p.name, p.status, p.duration_seconds, self._there(p.log_id) or b"")  # type: ignore[arg-type]
                for p in run.phases
            ],
            events=[
                text for claim_id in set(run.events_of.values()) for text in self._texts[names[claim_id]]
            ],
            facts={
                "prefix": run.prefix, "arguments": run.configure_arguments,
                "installed_from": run.installed_from, "tags": set(run.tags),
                "variables": dict(self._there(run.environment_set_id) or ()),  # type: ignore[call-overload]
                "files": set(self._there(run.manifest_id) or ()),  # type: ignore[call-overload]
            },
        )  # fmt: skip
