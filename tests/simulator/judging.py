"""Compares what is stored with what happened. The rules of what is demanded stand in claims.py.

| fused       | attempts with claims or logs of two runs that something reported tells apart: must be 0    |
| undecidable | the same where nothing that was reported tells them apart: both within the skew of clocks   |
| doubled     | runs whose claims must be one attempt and are several: must be 0                           |
| ambiguous   | the same where a claim might as well belong to another reported run                        |
| apart       | runs in several attempts whose claims share no hash and no prefix, or whose times are apart |
| interleaved | attempts of which two clients of ms1 spoke in turns, who name no run                        |
| lost        | runs that were reported and are nowhere: must be 0                                         |
| facts       | values of an attempt that are not what the sources of its run reported: must be 0          |
| numbers     | attempts of a build that are not numbered as they ran: must be 0                           |
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from spackmon.status import FINISHED
from tests.simulator.arriving import Delivered
from tests.simulator.claims import Claim, Claims, contradict
from tests.simulator.reading import StoredAttempt
from tests.simulator.truth import Run

_CLOCKS_SECONDS = 61.0
_WHOLE_LOG = "spack-build-out"
_EXAMPLES = 5
FAULTS = (
    "fused",
    "doubled",
    "lost",
    "lost claims",
    "facts",
    "numbers",
    "order differences",
    "refused",
    "unclaimed",
)


@dataclass(slots=True)
class Verdict:
    """Counts, by the words above, and a few examples of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def note(self, what: str, example: str = "", times: int = 1) -> None:
        """Count something."""
        self.counts[what] += times
        if example and len(self.examples[what]) < _EXAMPLES:
            self.examples[what].append(example)

    def add(self, other: "Verdict") -> None:
        """Take the counts of another history in."""
        for what, times in other.counts.items():
            self.counts[what] += times
        for what, examples in other.examples.items():
            self.examples[what] = (self.examples[what] + examples)[:_EXAMPLES]


def judge(stored: list[StoredAttempt], claims: Claims, delivered: Delivered) -> Verdict:
    """The verdict over one database."""
    verdict = Verdict()
    places = _places(stored, claims, delivered)
    there: dict[int, list[Claim]] = defaultdict(list)
    for claim, attempts in places.items():
        for attempt_id in attempts:
            if not claim.only_announces:
                there[attempt_id].append(claim)
    runs = {claim.run for claim in claims.by_claimant.values() if not claim.only_announces}
    verdict.note("runs", times=len(runs))
    verdict.note("claims", times=len(claims.by_claimant))
    verdict.note("steps", times=delivered.sent)
    for step, reason in delivered.refused:
        verdict.note("refused", f"{reason} {step.claimant.run if step.claimant else ''}")
    for attempt in stored:
        _judge_attempt(attempt, there[attempt.id], {run.token: run for run in runs}, claims, places, verdict)
    _judge_runs(runs, claims, places, verdict)
    _judge_numbers(stored, there, verdict)
    return verdict


def _places(stored: list[StoredAttempt], claims: Claims, delivered: Delivered) -> dict[Claim, set[int]]:
    """In which attempts each claim is: by its key or, of ms1, by when it spoke, or by logs."""
    by_key = {(c.run.owner, c.kind, c.who.key): c for c in claims.by_claimant.values() if c.who.key}
    places: dict[Claim, set[int]] = {claim: set() for claim in claims.by_claimant.values()}
    for attempt in stored:
        for source in attempt.sources:
            named = by_key.get((source.owner, source.kind, source.key))
            # A claim that was announced and never began is that of the next run, with its first moment.
            spoke = () if named else map(delivered.moments.get, (source.first, source.last))
            for claim in [named] if named else claims.of(one for one in spoke if one is not None):
                places[claim].add(attempt.id)
    unplaced = [claim for claim, attempts in places.items() if not attempts and claim.kind == "MS1"]
    for attempt in stored:
        said = _said(attempt)
        ends = {delivered.moments.get(attempt.started), delivered.moments.get(attempt.finished)}
        for claim in unplaced:
            if claim.who in ends or claim.run.token.encode() in said:
                places[claim].add(attempt.id)
    return places


def _said(attempt: StoredAttempt) -> bytes:
    return b"".join([*(phase.log for phase in attempt.phases), *(text.encode() for text in attempt.events)])


def _judge_attempt(
    attempt: StoredAttempt,
    here: list[Claim],
    tokens: dict[str, Run],
    claims: Claims,
    places: dict[Claim, set[int]],
    verdict: Verdict,
) -> None:
    said = _said(attempt)
    runs = {claim.run for claim in here}
    written = {run for token, run in tokens.items() if token.encode() in said}
    if any(claim.is_interleaved for claim in here):
        verdict.note("interleaved", _example(here, runs | written))
    elif len(runs | written) > 1:
        excused = written <= runs and _is_undecidable(here, claims, places, attempt.id)
        verdict.note("undecidable" if excused else "fused", _example(here, runs | written))
    elif len(runs) == 1:
        announced = {
            tag for c, at in places.items() if c.only_announces and attempt.id in at for tag in c.tags
        }
        for problem in _wrong_facts(attempt, here, runs.pop(), announced):
            verdict.note("facts", problem)
            verdict.note(f"facts: {problem.split(':')[0]}", problem)
    elif not runs and not written and not any(attempt.id in places[claim] for claim in places):
        verdict.note("unclaimed", f"attempt {attempt.number} of build {attempt.build_id}, {attempt.status}")


def _is_undecidable(here: list[Claim], claims: Claims, places: dict[Claim, set[int]], place: int) -> bool:
    for number, one in enumerate(here):
        if any(contradict(one, other) for other in here[number + 1 :]):
            return False
    by_run: dict[Run, list[Claim]] = defaultdict(list)
    for claim in here:
        by_run[claim.run].append(claim)
    torn = [
        run
        for run, own in by_run.items()
        if any(_has_partner_elsewhere(c, claims, places, place) for c in own)
    ]
    linked = any(other in claims.might[one] for one in here for other in here)
    return linked and not torn


def _has_partner_elsewhere(claim: Claim, claims: Claims, places: dict[Claim, set[int]], place: int) -> bool:
    return any(place not in places[partner] for partner in claims.must[claim])


def _judge_runs(runs: set[Run], claims: Claims, places: dict[Claim, set[int]], verdict: Verdict) -> None:
    of_run: dict[Run, list[Claim]] = defaultdict(list)
    for claim in claims.by_claimant.values():
        if not claim.only_announces:
            of_run[claim.run].append(claim)
    for run in runs:
        own = of_run[run]
        if not any(places[claim] for claim in own):
            verdict.note("lost", f"{run} by {[claim.kind for claim in own]}")
            continue
        missing = [claim.kind for claim in own if not places[claim]]
        if missing:
            verdict.note("lost claims", f"{run}: {missing}")
        if len({place for claim in own for place in places[claim]}) < 2:
            continue
        torn = [
            (one, other)
            for one in own
            for other in claims.must[one]
            if places[one] and places[other] and places[one].isdisjoint(places[other])
        ]
        if any(claim.is_interleaved for claim in own):
            verdict.note("interleaved", f"{run}")
            continue
        demanded = [pair for pair in torn if not any(claims.might[claim] for claim in pair)]
        split = any(len(places[claim]) > 1 for claim in own)
        if demanded or split:
            pair = sorted({claim.kind for claim in demanded[0]}) if demanded else "one claim"
            verdict.note("doubled", f"{run}: {pair}")
            verdict.note(f"doubled: {'/'.join(pair) if demanded else pair}")
        else:
            verdict.note("ambiguous" if torn else "apart", f"{run}: {sorted(claim.kind for claim in own)}")


def _wrong_facts(attempt: StoredAttempt, here: list[Claim], run: Run, announced: set[str]) -> Iterable[str]:
    """Each as `fact: what is stored, what is true`; `announced` tags may be anybody's."""
    if attempt.owner != run.owner:
        yield f"owner: {attempt.owner} for {run}"
    said: dict[str, Any] = {
        "variables": run.variables if any(claim.variables is not None for claim in here) else {},
        "arguments": run.arguments if any(claim.arguments is not None for claim in here) else None,
        "prefix": run.prefix if any(claim.prefix is not None for claim in here) else None,
        "tags": {tag for claim in here for tag in claim.tags},
    }
    for name, value in said.items():
        stored = attempt.facts.get(name)
        if name == "tags" and isinstance(stored, set):
            stored = stored - (announced - value)
        if stored != value:
            yield f"{name}: {stored!r}, not {value!r} of {run} by {_kinds(here)}"
    from_cache = next((c.installed_from for c in here if c.installed_from is not None), None) == "BUILD_CACHE"
    if "installed_from" in attempt.facts and (attempt.facts["installed_from"] == "BUILD_CACHE") != from_cache:
        yield f"installed from: {attempt.facts['installed_from']} for {run} by {_kinds(here)}"
    files = [claim.files for claim in here if claim.files is not None] or [set()]
    if attempt.facts["files"] not in files:
        yield f"files: {attempt.facts['files']} of {run} by {_kinds(here)}"
    yield from _wrong_status(attempt, here, run)
    yield from _wrong_times(attempt, here, run)
    yield from _wrong_phases(attempt, here, run)
    for name, stored, value in (
        ("spack version", attempt.spack_version, next((c.version for c in here if c.version), None)),
        ("spack revision", attempt.spack_revision, next((c.revision for c in here if c.revision), None)),
    ):
        if stored != value:
            yield f"{name}: {stored}, not {value} of {run} by {_kinds(here)}"
    hostname = next((claim.hostname for claim in here if claim.hostname), None)
    if hostname is not None and attempt.hostname != hostname:
        yield f"machine: {attempt.hostname!r}, not {hostname!r} of {run} by {_kinds(here)}"


def _wrong_status(attempt: StoredAttempt, here: list[Claim], run: Run) -> Iterable[str]:
    ends = {claim.status for claim in here if claim.status in FINISHED}
    if ends and attempt.status != run.status:
        yield f"status: {attempt.status} for {run} by {_kinds(here)}"
    if not ends and attempt.status in ("SUCCESS", "FAILED"):
        yield f"status: {attempt.status} for {run} whose end nobody reported, by {_kinds(here)}"


def _wrong_times(attempt: StoredAttempt, here: list[Claim], run: Run) -> Iterable[str]:
    started = attempt.started and attempt.started.timestamp()
    finished = attempt.finished and attempt.finished.timestamp()
    by = f"{run} by {_kinds(here)}"
    if any(claim.starts_exactly for claim in here) and not _near(started, run.started):
        yield f"start: {started} for {by}"
    if any(claim.ends_exactly for claim in here) and not _near(finished, run.ended):
        yield f"end: {finished} for {by}"
    # Of an end alone nothing is a start; of nothing at all, nothing is anything.
    if started is not None and all(claim.started is None and claim.kind != "MS1" for claim in here):
        ended = [claim for claim in here if claim.finished is not None]
        if not ended or started > run.ended + _CLOCKS_SECONDS:
            yield f"start: {started} is the arrival, for {by}"
    # A command's times are no run's: where nothing else is known, a duration is shorter than they are.
    is_of_run = any(not claim.encloses for claim in here)
    if (
        is_of_run
        and None not in (started, finished, attempt.seconds)
        and (abs(finished - started - attempt.seconds) > 2)
    ):
        yield f"duration: {attempt.seconds} s between {started} and {finished} for {by}"


def _near(stored: float | None, true: float) -> bool:
    return stored is not None and abs(stored - true) <= _CLOCKS_SECONDS


def _wrong_phases(attempt: StoredAttempt, here: list[Claim], run: Run) -> Iterable[str]:
    by = f"{run} by {_kinds(here)}"
    reported: dict[str, set[bytes]] = defaultdict(set)
    for claim in here:
        for name, logs in claim.phases.items():
            reported[name] |= logs
    names = [phase.name for phase in attempt.phases]
    # CDash divides a run into two phases only: where another source has them all, its are not needed.
    better = {name for claim in here if claim.kind != "CDASH" for name in claim.phases}
    if not (better or set(reported)) <= set(names) <= {_WHOLE_LOG, *reported}:
        yield f"phases: {names}, not {sorted(reported)} for {by}"
    order = [phase.name for phase in run.phases]
    places = [order.index(name) for name in names if name in order]
    if places != sorted(places):
        yield f"order of phases: {names}, not {order} for {by}"
    # CDash's `configure` is all that came before `build`.
    if {"configure", "build"} <= set(names) and names.index("configure") > names.index("build"):
        yield f"order of phases: {names} for {by}"
    for phase in attempt.phases:
        if reported.get(phase.name) and phase.log not in reported[phase.name]:
            yield f"log: of {phase.name} is {phase.log[:60]!r} for {by}"


def _judge_numbers(stored: list[StoredAttempt], there: dict[int, list[Claim]], verdict: Verdict) -> None:
    """The attempts of a build are numbered as they ran."""
    builds: dict[int, list[tuple[int, float, Run]]] = defaultdict(list)
    for attempt in stored:
        here = there[attempt.id]
        if len({claim.run for claim in here}) == 1 and any(c.starts_exactly or c.ends_exactly for c in here):
            builds[attempt.build_id].append((attempt.number, here[0].run.ended, here[0].run))
    for numbered in builds.values():
        numbered.sort(key=lambda entry: entry[0])
        for (_, before, first), (_, after, second) in pairwise(numbered):
            if before > after + 2 * _CLOCKS_SECONDS:
                verdict.note("numbers", f"{first} before {second}")


def _kinds(here: list[Claim]) -> str:
    return "+".join(sorted(claim.kind for claim in here))


def _example(here: list[Claim], runs: set[Run]) -> str:
    said = ", ".join(map(repr, here))
    return f"{said}: {sorted(runs, key=lambda run: run.number)}"


def report(total: Verdict) -> str:
    """Counts, then examples of what is wrong."""
    lines = [f"{total.counts[what]:8} {what}" for what in sorted(total.counts)]
    for fault in (*FAULTS, "undecidable"):
        lines += [f"{fault}: {example}" for example in total.examples.get(fault, [])]
    return "\n".join(lines)
