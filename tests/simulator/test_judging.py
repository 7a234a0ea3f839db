"""The judge accepts what is as it was, and nothing else."""

from collections import defaultdict
from random import Random

import pytest

from spackmon.status import FINISHED, BuildStatus
from tests.simulator.arriving import Delivered
from tests.simulator.claims import Claim, Claims, claims_of
from tests.simulator.histories import history
from tests.simulator.judging import FAULTS, Verdict, judge
from tests.simulator.reading import StoredAttempt, StoredPhase, StoredSource
from tests.simulator.steps import arranged, moment
from tests.simulator.telling import told
from tests.simulator.truth import Run

SEEDS = range(30)


class World:
    """What was reported of a history, and a database that holds it as it was."""

    def __init__(self, seed: int) -> None:
        dice = Random(seed)
        arrivals = arranged(told(history(dice), dice), dice)
        self.delivered = Delivered(sent=len(arrivals))
        spoken = []
        for arrival in arrivals:
            if arrival.step.claimant is not None:
                self.delivered.moments[arrival.at] = arrival.step.claimant
                spoken.append((arrival.moment, arrival.step.claimant, arrival.step.submission))
        self.claims: Claims = claims_of(spoken)
        by_run: dict[Run, list[Claim]] = defaultdict(list)
        for claim in self.claims.by_claimant.values():
            if claim.only_announces:
                continue
            by_run[claim.run].append(claim)
        first = {}
        for now, claimant in self.delivered.moments.items():
            first.setdefault(claimant, now)
        self.stored = [
            _attempt(run, own, {claim: first[claim.who] for claim in own}) for run, own in by_run.items()
        ]

    def of_run(self, run: Run) -> StoredAttempt:
        return next(attempt for attempt in self.stored if attempt.id == run.number)

    def verdict(self) -> Verdict:
        return judge(self.stored, self.claims, self.delivered)


def _attempt(run: Run, own: list[Claim], first: dict) -> StoredAttempt:
    """The attempt that a run ought to be."""
    ends = [claim for claim in own if claim.status in FINISHED]
    starts = run.started if any(claim.starts_exactly for claim in own) else None
    stored = StoredAttempt(
        id=run.number, build_id=run.number, owner=run.owner, number=1,
        status=run.status if ends else BuildStatus.RUNNING, spec_hash=None,
        started=None if starts is None else moment(starts), finished=moment(run.ended) if ends else None,
        seconds=None, spack_version=next((c.version for c in own if c.version), None),
        spack_revision=next((c.revision for c in own if c.revision), None),
        hostname=next((c.hostname for c in own if c.hostname), ""),
    )  # fmt: skip
    stored.facts = {
        "variables": run.variables if any(c.variables is not None for c in own) else {},
        "arguments": run.arguments if any(c.arguments is not None for c in own) else None,
        "prefix": run.prefix if any(c.prefix is not None for c in own) else None,
        "files": set(run.files) if any(c.files is not None for c in own) else set(),
        "tags": {tag for c in own for tag in c.tags},
    }
    logs: dict[str, bytes] = {}
    for claim in own:
        for name, written in claim.phases.items():
            logs[name] = next(iter(written), logs.get(name, b""))
    order = [phase.name for phase in run.phases]
    for name in sorted(
        logs, key=lambda name: order.index(name) if name in order else 0.5 - (name == "configure")
    ):
        stored.phases.append(StoredPhase(name, "SUCCESS", None, logs[name]))
    stored.sources = [StoredSource(run.owner, c.kind, c.who.key or "?", first[c], first[c]) for c in own]
    return stored


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_stored_as_it_was_has_no_fault(seed: int) -> None:
    verdict = World(seed).verdict()
    assert {fault: verdict.examples.get(fault) for fault in FAULTS} == dict.fromkeys(FAULTS)
    assert verdict.counts["runs"] > 5


def test_two_runs_in_one_attempt_are_fused() -> None:
    found = 0
    for seed in SEEDS:
        world = World(seed)
        for one, other in zip(world.stored, world.stored[1:], strict=False):
            verdict = judge(
                [*_without(world, one, other), _joined(one, other)], world.claims, world.delivered
            )
            found += verdict.counts["fused"]
            assert verdict.counts["fused"] + verdict.counts["undecidable"] == 1
    assert found > 100


def test_a_run_that_is_nowhere_is_lost() -> None:
    for seed in SEEDS:
        world = World(seed)
        gone = world.stored[0]
        verdict = judge(world.stored[1:], world.claims, world.delivered)
        assert verdict.counts["lost"] == 1, gone


def test_a_run_whose_sources_share_a_hash_and_that_is_two_attempts_is_doubled() -> None:
    doubled = ambiguous = 0
    for seed in SEEDS:
        world = World(seed)
        for attempt in world.stored:
            pair = next((p for p in _must(world) if p[0].run.number == attempt.id), None)
            if pair is None:
                continue
            here = [source for source in attempt.sources if source.key == pair[0].who.key]
            if not here:
                continue
            alone = StoredAttempt(**{name: getattr(attempt, name) for name in StoredAttempt.__slots__})
            alone.id, alone.sources, alone.phases = 10_000, here, []
            attempt.sources = [source for source in attempt.sources if source not in here]
            verdict = judge([*world.stored, alone], world.claims, world.delivered)
            doubled += verdict.counts["doubled"]
            ambiguous += verdict.counts["ambiguous"]
            attempt.sources += here
    assert doubled > 100 > ambiguous / 4


@pytest.mark.parametrize("fact", ["variables", "arguments", "prefix", "files", "tags"])
def test_another_runs_facts_are_wrong(fact: str) -> None:
    world = World(3)
    wrong = world.stored[0]
    wrong.facts[fact] = "another's"
    assert world.verdict().counts[f"facts: {fact}"] == 1


def test_phases_in_another_order_are_wrong() -> None:
    world = World(3)
    several = next(attempt for attempt in world.stored if len(attempt.phases) > 1)
    several.phases.reverse()
    assert world.verdict().counts["facts: order of phases"] >= 1


def _without(world: World, *attempts: StoredAttempt) -> list[StoredAttempt]:
    return [attempt for attempt in world.stored if attempt not in attempts]


def _joined(one: StoredAttempt, other: StoredAttempt) -> StoredAttempt:
    joined = StoredAttempt(**{name: getattr(one, name) for name in StoredAttempt.__slots__})
    joined.sources = one.sources + other.sources
    return joined


def _must(world: World) -> list[tuple[Claim, Claim]]:
    return [(one, other) for one, others in world.claims.must.items() for other in others if one.who.key]
