"""What failing runs of packages have in common that passing runs of the same packages lack."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from spackmon.history.association import Excess, Table, excess, least_p_value, p_value

SURE = 0.01
"""What chance would give more often than this, corrected for how much was tried, is no suspect."""
_TOLD_APART = 0.05
"""Two suspects are told apart if chance gives less often than this what one has beyond the other."""
_MOST_COMPARED = 25
_WAYS = 2
"""Runs are compared with all passing ones, and with those that passed meanwhile: each is another chance."""
_ONE_TIME = "they failed at one time, whatever they have: nothing sets them apart from what passed then"


class Fact(NamedTuple):
    """Something that a run has: `kind` is a word of the schema, as `COMPILER`."""

    kind: str
    name: str
    value: str


Mask = int
"""A set of a package's runs, a bit for each."""


class Runs(NamedTuple):
    """Which runs of a package fail and which pass."""

    failing: Mask
    passing: Mask


class Verdict(Enum):
    """Whether the runs tell a cause."""

    SUSPECTED = "SUSPECTED"
    AMBIGUOUS = "AMBIGUOUS"
    UNKNOWN = "UNKNOWN"


class Suspect(NamedTuple):
    """Facts that the same runs have, in the order of their kinds, and how surely they go with failing.

    `p` is how likely chance is to give them to as many failing runs, `adjusted_p` that times how many
    different sets of runs were tried (Bonferroni).
    """

    facts: tuple[Fact, ...]
    failing_with: int
    failing_without: int
    passing_with: int
    passing_without: int
    excess: Excess
    p: float
    adjusted_p: float


class Suspects(NamedTuple):
    """The suspects, the likeliest first, and what they come to; `tried` sets of runs were compared."""

    verdict: Verdict
    reason: str
    failing: int
    passing: int
    tried: int
    suspects: tuple[Suspect, ...]


def suspects(
    runs: Mapping[int, Runs],
    having: Mapping[Fact, Mapping[int, Mask]],
    meanwhile: Mapping[int, Mask],
    kinds: Sequence[str],
    most: int,
) -> Suspects:
    """At most so many suspects, where `runs` are all by package, and `having` those that have each fact.

    `meanwhile` are the runs from the first failing one to the last. Facts that the same runs have cannot be
    told apart: they are one suspect, in the order of `kinds`. Packages of which no run passes say nothing.
    """
    every = _compared(runs, having, kinds, most)
    at_once = {
        package: Runs(one.failing, one.passing & meanwhile.get(package, 0)) for package, one in runs.items()
    }
    then = _compared(at_once, having, kinds, most)
    is_time = every.verdict is not Verdict.UNKNOWN and _is_time(every, meanwhile)
    if is_time or _is_preferred(then, every):
        reason = _ONE_TIME if is_time and then.verdict is Verdict.UNKNOWN else then.reason
        return then.said(reason, most)
    return every.said(every.reason, most)


_Having = tuple[tuple[int, Mask], ...]


class _Tried(NamedTuple):
    having: _Having
    excess: Excess
    facts: list[Fact]


class _Compared(NamedTuple):
    """The failing runs compared with some passing ones."""

    runs: Mapping[int, Runs]
    told: Mapping[int, Runs]
    comparisons: int
    found: list[tuple[Suspect, _Tried]]
    verdict: Verdict
    reason: str

    def said(self, reason: str, most: int) -> Suspects:
        """What is told of it."""
        failing = sum(one.failing.bit_count() for one in self.runs.values())
        passing = sum(one.passing.bit_count() for one in self.runs.values())
        listed = tuple(one for one, _ in self.found[:most])
        return Suspects(self.verdict, reason, failing, passing, self.comparisons, listed)


def _compared(
    runs: Mapping[int, Runs], having: Mapping[Fact, Mapping[int, Mask]], kinds: Sequence[str], most: int
) -> _Compared:
    told = {package: one for package, one in runs.items() if one.failing and one.passing}
    tried = [
        _Tried(having_it, excess(_tables(told, having_it)), sorted(facts))
        for having_it, facts in _alike(told, having).items()
    ]
    tried.sort(key=lambda one: (-one.excess.score, one.facts))
    comparisons = _comparisons([least_p_value(_tables(told, one.having)) for one in tried])
    found = [(_suspect(told, one, comparisons, kinds), one) for one in tried[: max(most, _MOST_COMPARED)]]
    found.sort(key=lambda one: _order(one[0]))
    rivals = _put_first(told, found)
    verdict, reason = _verdict(runs, told, [one for one, _ in found], rivals)
    return _Compared(runs, told, comparisons, found, verdict, reason)


def _is_preferred(then: _Compared, every: _Compared) -> bool:
    if then.verdict is Verdict.SUSPECTED or every.verdict is Verdict.UNKNOWN:
        return then.verdict is not Verdict.UNKNOWN
    return False


def _alike(told: Mapping[int, Runs], having: Mapping[Fact, Mapping[int, Mask]]) -> dict[_Having, list[Fact]]:
    """The facts by the runs that have them."""
    alike: dict[_Having, list[Fact]] = defaultdict(list)
    for fact, masks in having.items():
        of_told = tuple(
            sorted((package, mask) for package, mask in masks.items() if mask and package in told)
        )
        # One run proves nothing, and what every run has accuses nobody.
        if sum((mask & told[package].failing).bit_count() for package, mask in of_told) > 1 and not all(
            mask == told[package].failing | told[package].passing for package, mask in of_told
        ):
            alike[of_told].append(fact)
    return alike


def _comparisons(least: Iterable[float]) -> int:
    """How many of the comparisons count, by the least p that each can have at all (Tarone, 1990).

    What cannot come out below the bound, as two runs of a thousand cannot, accuses nobody by chance.
    """
    ordered = sorted(least)
    return next(
        (many for many in range(1, len(ordered)) if bisect_right(ordered, SURE / many) <= many), len(ordered)
    )


def _tables(told: Mapping[int, Runs], having: _Having) -> list[Table]:
    return [
        Table(
            (mask & told[package].failing).bit_count(), told[package].failing.bit_count(),
            (mask & told[package].passing).bit_count(), told[package].passing.bit_count(),
        )
        for package, mask in having
    ]  # fmt: skip


def _suspect(told: Mapping[int, Runs], one: _Tried, tried: int, kinds: Sequence[str]) -> Suspect:
    tables = _tables(told, one.having)
    failing, passing = (sum(table[place] for table in tables) for place in (0, 2))
    p = p_value(tables)
    return Suspect(
        tuple(sorted(one.facts, key=lambda fact: (kinds.index(fact.kind), fact))),
        failing,
        sum(one.failing.bit_count() for one in told.values()) - failing,
        passing,
        sum(one.passing.bit_count() for one in told.values()) - passing,
        one.excess,
        p,
        min(1.0, p * tried * _WAYS),
    )


def _order(one: Suspect) -> tuple[float, float, tuple[Fact, ...]]:
    return one.adjusted_p, -one.excess.score, one.facts


def _put_first(told: Mapping[int, Runs], found: list[tuple[Suspect, _Tried]]) -> int:
    """Order them by what each has beyond the likeliest; how many the runs do not tell from that one.

    A suspect is explained by another if among the runs that have the other, and among those that have not, it
    has nothing to do with failing.
    """
    sure = [one for one in found if one[0].adjusted_p <= SURE]
    if not sure:
        return 0
    first = sure[0]
    for other in sure[1:]:
        if _beyond(told, first, other) > _TOLD_APART >= _beyond(told, other, first):
            first = other
    places = {id(first): (0, 0.0)}
    for other in sure:
        if other is not first:
            more = _beyond(told, other, first)
            is_rival = more > _TOLD_APART and _beyond(told, first, other) > _TOLD_APART
            places[id(other)] = (1 if is_rival else 2 if more <= _TOLD_APART else 3), more
    found.sort(key=lambda one: (*places.get(id(one), (4, 0.0)), *_order(one[0])))
    return sum(place == 1 for place, _ in places.values())


def _beyond(told: Mapping[int, Runs], one: tuple[Suspect, _Tried], other: tuple[Suspect, _Tried]) -> float:
    """How likely chance gives the one to as many failing runs, where it is known who has the other."""
    return p_value(list(_strata(told, one[1].having, dict(other[1].having))))


def _is_time(compared: _Compared, meanwhile: Mapping[int, Mask]) -> bool:
    """Whether the first suspect is explained by when the runs failed, and that not by it."""
    told, first = compared.told, compared.found[0][1].having
    time = tuple((package, mask) for package, mask in meanwhile.items() if mask and package in told)
    runs = sum((one.failing | one.passing).bit_count() for one in told.values())
    # Their time was found by looking where they are: of so many times it could have been.
    bound = SURE / (runs * (runs + 1) / 2)
    return (
        p_value(list(_strata(told, first, meanwhile))) > _TOLD_APART
        and p_value(list(_strata(told, time, dict(first)))) <= bound
    )


def _strata(told: Mapping[int, Runs], having: _Having, others: Mapping[int, Mask]) -> Iterator[Table]:
    for package, mask in having:
        failing, passing = told[package]
        having_other = others.get(package, 0)
        for stratum in (having_other, ~having_other):
            table = Table(
                (mask & failing & stratum).bit_count(), (failing & stratum).bit_count(),
                (mask & passing & stratum).bit_count(), (passing & stratum).bit_count(),
            )  # fmt: skip
            if table.failing and table.passing:
                yield table


def _verdict(
    runs: Mapping[int, Runs], told: Mapping[int, Runs], found: Sequence[Suspect], rivals: int
) -> tuple[Verdict, str]:
    if not any(one.failing for one in runs.values()):
        return Verdict.UNKNOWN, "no run is known that has this error"
    if not told:
        return Verdict.UNKNOWN, "no run of the same packages passed, so that there is nothing to compare with"
    if not found or found[0].adjusted_p > SURE:
        return Verdict.UNKNOWN, "nothing sets the failing runs apart more than chance would"
    if rivals:
        return (
            Verdict.AMBIGUOUS,
            f"nearly the same runs have the first {rivals + 1} suspects, so that they cannot be told apart",
        )
    if len(found[0].facts) > 1:
        return (
            Verdict.AMBIGUOUS,
            f"the same runs have these {len(found[0].facts)} facts, so that they cannot be told apart",
        )
    return Verdict.SUSPECTED, "the failing runs have it far more often than the passing ones"
