"""The planted cause is named first, and nothing is named where the runs cannot tell."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.history.association import Table, p_value
from spackmon.history.suspects import Fact, Runs, Suspects, Verdict, suspects

KINDS = ("VERSION", "COMPILER", "DEPENDENCY", "VARIANT", "TARGET", "HOST", "SPACK_VERSION", "VARIABLE")
Run = frozenset[Fact]
COUNTS = st.integers(0, 6)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=3))
def test_p_is_the_share_of_all_ways_to_deal_out(
    cells: list[tuple[int, int, int, int]],
) -> None:
    tables = [Table(a, a + c, b, b + d) for a, b, c, d in cells]
    told = [one for one in tables if one.failing and one.passing]
    shares = {0: Fraction(1)}
    for one in told:
        having, runs = one.failing_with + one.passing_with, one.failing + one.passing
        dealt: dict[int, Fraction] = defaultdict(Fraction)
        for drawn, (before, share) in itertools.product(range(one.failing + 1), shares.items()):
            ways = math.comb(having, drawn) * math.comb(runs - having, one.failing - drawn)
            dealt[before + drawn] += share * Fraction(ways, math.comb(runs, one.failing))
        shares = dealt
    drawn = sum(one.failing_with for one in told)
    expected = sum(share for count, share in shares.items() if count >= drawn)
    assert p_value(told) == pytest.approx(float(expected))


def site(
    dice: Random, runs: int, breaks: Callable[[Run, Random], bool]
) -> tuple[list[tuple[int, Run]], list[bool]]:
    """Runs of twelve packages with their facts, and which of them fail."""
    told = []
    for _ in range(runs):
        package = dice.randrange(12)
        compiler = dice.choice(["gcc@12", "gcc@12", "gcc@13", "clang@17"])
        facts = {
            Fact("VERSION", f"p{package}", f"1.{dice.randrange(3)}"),
            Fact("COMPILER", compiler.split("@")[0], compiler.split("@")[1]),
            Fact("HOST", "", f"n{dice.randrange(8)}"),
            Fact("TARGET", "", dice.choice(["zen2", "zen3", "icelake"])),
            Fact("SPACK_VERSION", "", dice.choice(["0.22", "0.23"])),
            Fact("VARIABLE", "LANG", dice.choice(["C", "de_DE.UTF-8"])),
            Fact("VARIANT", "shared", dice.choice(["true", "false"])),
            *(
                Fact("DEPENDENCY", f"d{one}", f"{dice.randrange(1, 4)}")
                for one in range(package, package + 6)
            ),
        }
        told.append((package, frozenset(facts)))
    return told, [breaks(facts, dice) for _, facts in told]


def suspected(told: Sequence[tuple[int, Run]], failed: Sequence[bool]) -> Suspects:
    """What is suspected of these runs, which follow one another."""
    runs: dict[int, Runs] = defaultdict(lambda: Runs(0, 0))
    having: dict[Fact, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    meanwhile: dict[int, int] = defaultdict(int)
    failing = [number for number, fails in enumerate(failed) if fails] or [0]
    for number, ((package, facts), fails) in enumerate(zip(told, failed, strict=True)):
        bit = 1 << number
        before = runs[package]
        runs[package] = Runs(before.failing | bit * fails, before.passing | bit * (not fails))
        meanwhile[package] |= bit * (failing[0] <= number <= failing[-1])
        for fact in facts:
            having[fact][package] |= bit
    return suspects(runs, having, meanwhile, KINDS, 10)


PLANTED = [
    Fact("COMPILER", "gcc", "13"), Fact("HOST", "", "n3"), Fact("DEPENDENCY", "d8", "2"),
    Fact("SPACK_VERSION", "", "0.23"), Fact("VARIABLE", "LANG", "de_DE.UTF-8"),
    Fact("VARIANT", "shared", "false"),
]  # fmt: skip


def test_a_planted_cause_is_named_first_in_19_of_20() -> None:
    named = 0
    for seed in range(60):
        dice = Random(seed)
        cause = PLANTED[seed % len(PLANTED)]
        strength = dice.choice([0.5, 0.8, 1.0])

        def breaks(facts: Run, dice: Random, cause: Fact = cause, strength: float = strength) -> bool:
            return dice.random() < (strength if cause in facts else 0.01)

        found = suspected(*site(dice, 400, breaks))
        named += found.verdict is Verdict.SUSPECTED and found.suspects[0].facts == (cause,)
    assert named >= 57


def test_what_fails_at_random_has_no_suspect_in_19_of_20() -> None:
    verdicts = [
        suspected(*site(Random(seed), 300, lambda _, dice: dice.random() < 0.2)).verdict for seed in range(60)
    ]
    assert verdicts.count(Verdict.UNKNOWN) >= 57


def test_a_package_that_fails_often_does_not_accuse_what_it_alone_has() -> None:
    told, _ = site(Random(1), 600, lambda _, dice: False)
    dice = Random(2)
    failed = [dice.random() < (0.9 if package == 0 else 0.05) for package, _ in told]
    assert suspected(told, failed).verdict is Verdict.UNKNOWN


def test_facts_of_the_same_runs_are_one_suspect() -> None:
    told, _ = site(Random(3), 200, lambda _, dice: False)
    twins = [
        (package, facts | {Fact("DEPENDENCY", "libquadmath", "13")} if PLANTED[0] in facts else facts)
        for package, facts in told
    ]
    found = suspected(twins, [PLANTED[0] in facts for _, facts in told])
    assert found.verdict is Verdict.AMBIGUOUS
    assert found.suspects[0].facts == (PLANTED[0], Fact("DEPENDENCY", "libquadmath", "13"))


@pytest.mark.parametrize("fails", [True, False])
def test_without_a_run_to_compare_with_there_is_no_suspect(fails: bool) -> None:
    told, _ = site(Random(4), 50, lambda _, dice: False)
    found = suspected(told, [fails] * len(told))
    assert (found.verdict, found.suspects) == (Verdict.UNKNOWN, ())


def test_two_runs_are_too_few() -> None:
    told, _ = site(Random(5), 40, lambda _, dice: False)
    assert suspected(told, [number < 2 for number in range(40)]).verdict is Verdict.UNKNOWN


def test_nearly_the_same_runs_do_not_tell_two_facts_apart() -> None:
    told, _ = site(Random(6), 300, lambda _, dice: False)
    other = Fact("HOST", "", "g1")
    nearly = [
        (package, facts | {other} if (PLANTED[0] in facts) != (number in (150, 200)) else facts)
        for number, (package, facts) in enumerate(told)
    ]
    found = suspected(
        nearly, [PLANTED[0] in facts and number % 9 > 1 for number, (_, facts) in enumerate(told)]
    )
    assert found.verdict is Verdict.AMBIGUOUS
    assert {fact for one in found.suspects[:2] for fact in one.facts} == {PLANTED[0], other}
    assert "the first 2 suspects" in found.reason


def test_what_everybody_had_in_a_bad_week_is_not_accused() -> None:
    new = Fact("SPACK_VERSION", "", "1.0")
    told, _ = site(Random(7), 900, lambda _, dice: False)
    upgraded = [
        (package, facts | {new} if number >= 400 else facts) for number, (package, facts) in enumerate(told)
    ]
    dice = Random(8)
    failed = [500 <= number < 600 and dice.random() < 0.4 for number in range(900)]
    found = suspected(upgraded, failed)
    assert (found.verdict, found.reason.partition(",")[0]) == (Verdict.UNKNOWN, "they failed at one time")
