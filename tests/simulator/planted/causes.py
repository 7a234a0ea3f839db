"""Why runs of a simulated site fail: causes that are planted, and noise."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from spackmon.history.suspects import Fact
from tests.simulator.planted.site import LONELY_COMPILER, LONELY_HOST, TOGETHER, Planned, Run

NAMED, AMBIGUOUS, UNKNOWN = "SUSPECTED", "AMBIGUOUS", "UNKNOWN"
KINDS = (
    "COMPILER", "HOST", "DEPENDENCY", "VARIANT", "TARGET", "OPERATING_SYSTEM", "VERSION", "SPACK_VERSION",
    "VARIABLE", "PAIR",
)  # fmt: skip
"""What can be told, by the fact that it is; a PAIR takes two facts together."""
_TRIES = 600
# What a cause may take of a site and of a package, so that most runs pass.
_MOST_OF_SITE, _MOST_OF_PACKAGE = 0.25, 0.4
_SIZES = ((5, 9), (12, 60), (60, 250), (250, 900))


@dataclass(frozen=True, slots=True)
class Case:
    """A cause: runs of `packages` (of all, if None) that have all `facts` fail so often between two nights.

    `expected` is the verdict, `most` how many runs fail at most before somebody mends it.
    """

    kind: str
    facts: tuple[Fact, ...]
    packages: frozenset[str] | None
    begin: float
    end: float
    strength: float
    expected: str
    text: str
    most: int | None = None

    def concerns(self, run: Run) -> bool:
        """Whether the run can fail by it."""
        return self.begin <= run.night < self.end and run.facts.issuperset(self.facts)


@dataclass(frozen=True, slots=True)
class Truth:
    """The runs that there were, in the order of time, and the causes that made some fail."""

    runs: Sequence[Run]
    cases: Sequence[Case]


def planted(planned: Planned, dice: Random, count: int) -> Truth:
    """So many causes that can be told, and those that cannot, each by a text of its own."""
    index = _Index(planned)
    cases = list(_undecidable(planned, dice, index))
    load = Counter[str]()
    for case in cases:
        load.update(index.load(case))
    for number in range(count):
        case = _plant(KINDS[number % len(KINDS)], planned, dice, index, load)
        if case is not None:
            cases.append(case)
            load.update(index.load(case))
    return Truth(_ended(planned, dice, cases), cases)


class _Index:
    """The runs by what they have."""

    def __init__(self, planned: Planned) -> None:
        self.by_package: dict[str, list[Run]] = defaultdict(list)
        self._by_fact: dict[Fact, list[Run]] = defaultdict(list)
        for run in planned.runs:
            self.by_package[run.package].append(run)
            for fact in run.facts:
                self._by_fact[fact].append(run)

    def having(self, facts: Sequence[Fact], begin: float, end: float) -> dict[str, list[Run]]:
        """The runs that have all of these between two nights, by package."""
        if not facts:
            return {
                name: [run for run in runs if begin <= run.night < end]
                for name, runs in self.by_package.items()
            }
        having: dict[str, list[Run]] = defaultdict(list)
        for run in min((self._by_fact[fact] for fact in facts), key=len):
            if begin <= run.night < end and run.facts.issuperset(facts):
                having[run.package].append(run)
        return having

    def load(self, case: Case) -> Counter[str]:
        """About how many runs of each package fail by a case."""
        found = self.having(case.facts, case.begin, case.end)
        names = found if case.packages is None else case.packages & found.keys()
        most = case.most or len(found) * 10**6
        return Counter({name: min(most, round(len(found[name]) * case.strength)) for name in names})


def _undecidable(planned: Planned, dice: Random, index: _Index) -> Iterator[Case]:
    nights = planned.size.nights
    few = [one.name for one in planned.packages if planned.dependents(one.name) < len(planned.packages) * 0.1]
    compiler, host = Fact("COMPILER", *LONELY_COMPILER), Fact("HOST", "", LONELY_HOST)
    some = frozenset(dice.sample(few, len(few) // 6))
    yield Case(
        "HOST AND COMPILER", (compiler, host), some, 0, nights, 0.9, AMBIGUOUS, _text("NVC++-S-0155-0", dice)
    )
    version = Fact("DEPENDENCY", planned.together_package.name, TOGETHER[1])
    over = sorted(index.having((version,), 0, nights).keys() & set(few))
    for number in range(2):
        some = frozenset(dice.sample(over, max(1, len(over) // 4)))
        yield Case(
            "SPACK AND DEPENDENCY", (version, TOGETHER[0]), some, 0, nights, dice.choice((0.6, 1.0)),
            AMBIGUOUS, _text(f"cannot find -l{planned.together_package.name}{number}", dice),
        )  # fmt: skip
    never, *flaky = dice.sample(few, 4)
    text = _text("no rule to make target", dice)
    yield Case("NEVER PASSES", (), frozenset((never,)), 0, nights, 1.0, UNKNOWN, text)
    for name in flaky:
        rate, text = dice.choice((0.1, 0.2, 0.4)), _text("FAIL: test_timing", dice)
        yield Case("FLAKY", (), frozenset((name,)), 0, nights, rate, UNKNOWN, text)
    week, text = dice.uniform(0.2, 0.8) * nights, _text("No space left on device", dice)
    yield Case("DISK FULL", (), None, week, week + 5, 0.25, UNKNOWN, text)


def _plant(
    kind: str, planned: Planned, dice: Random, index: _Index, load: Mapping[str, float]
) -> Case | None:
    nights, total = planned.size.nights, len(planned.runs)
    many = len(planned.packages) * 0.15
    few = {one.name for one in planned.packages if planned.dependents(one.name) < many}
    for _ in range(_TRIES):
        facts = _facts(kind, dice.choice(planned.runs), dice)
        begin = dice.choice((0.0, dice.uniform(0, 0.7) * nights))
        end = dice.choice((nights, begin + dice.uniform(10, 40)))
        least, most = dice.choice(_SIZES)
        having = sorted(index.having(facts, begin, end).keys() & few) if facts else []
        if not having:
            continue
        count = min(len(having), 1 if least < 10 else dice.randint(1, 10))
        case = Case(
            kind, facts, frozenset(dice.sample(having, count)), begin, end,
            1.0 if least < 10 else dice.choice((0.5, 0.7, 0.9, 1.0)), NAMED,
            _text(f"{kind.lower()} broke", dice), dice.randint(5, 8) if least < 10 else None,
        )  # fmt: skip
        taken = index.load(case)
        if not least <= sum(taken.values()) < most:
            continue
        fits = all(
            load.get(name, 0) + more <= _MOST_OF_PACKAGE * len(index.by_package[name])
            for name, more in taken.items()
        )
        fits &= sum(load.values()) + sum(taken.values()) <= _MOST_OF_SITE * total
        if fits and _is_told(case, index):
            return case
    return None


def _facts(kind: str, run: Run, dice: Random) -> tuple[Fact, ...]:
    if kind == "PAIR":
        first, second = dice.sample(("COMPILER", "VARIANT", "TARGET", "SPACK_VERSION"), 2)
        return (*_facts(first, run, dice), *_facts(second, run, dice))
    # A package that is the compiler, or comes with it, is none that somebody would suspect beside it.
    no_cause = {"SPACK_SPEC", "build_system", "gcc-runtime"}
    compilers = {"gcc", "clang"} if kind != "COMPILER" else set()
    alone = {LONELY_COMPILER[0], LONELY_HOST}
    found = sorted(
        one
        for one in run.facts
        if one.kind == kind and one.name not in no_cause | compilers and alone.isdisjoint(one)
    )
    return (dice.choice(found),) if found else ()


def _is_told(case: Case, index: _Index) -> bool:
    """Whether runs tell it from everything else: other facts have other runs, and enough runs lack it."""
    around = [
        run
        for name in case.packages or ()
        for run in index.by_package[name]
        if case.begin - 10 <= run.night < case.end + 10
    ]
    having = [run for run in around if case.concerns(run)][: case.most]
    # What has it before or after its time passes: more of these and it is no cause.
    if not having or 5 * len(having) < sum(run.facts.issuperset(case.facts) for run in around):
        return False
    lacking = [run for run in around if not run.facts.issuperset(case.facts)]
    # Five runs prove little of what many have.
    if len(lacking) < max(20, (15 if len(having) < 12 else 0.3) * len(having)):
        return False
    counts = Counter(fact for run in having for fact in run.facts)
    beside = Counter(fact for run in lacking for fact in run.facts)
    least = max(4, 0.05 * len(having))
    others = ((fact, count) for fact, count in counts.items() if fact not in case.facts)
    return all(len(having) - count + beside[fact] >= least for fact, count in others)


def _ended(planned: Planned, dice: Random, cases: Collection[Case]) -> list[Run]:
    """The runs with their ends; what depends on one that failed beside it is never run."""
    rates = {one.name: dice.choice((0.0, 0.005, 0.01, 0.01, 0.02, 0.08)) for one in planned.packages}
    noise = {one.name: [_text("noise", dice) for _ in range(2)] for one in planned.packages}
    failed: dict[int, set[str]] = defaultdict(set)
    so_far = Counter[str]()
    kept = []
    for run in planned.runs:
        if not failed[run.batch].isdisjoint(run.spec.below):
            continue
        run.error = None
        for case in cases:
            is_among = case.packages is None or run.package in case.packages
            if not is_among or not case.concerns(run):
                continue
            if (case.most is None or so_far[case.text] < case.most) and dice.random() < case.strength:
                run.error = case.text
                so_far[case.text] += 1
                break
        if run.error is None and dice.random() < rates[run.package]:
            run.error = dice.choice(noise[run.package])
        if run.error is not None:
            failed[run.batch].add(run.package)
        kept.append(run)
    return kept


def _text(what: str, dice: Random) -> str:
    return f"error: {what} {''.join(dice.choices('abcdefghijkmnopqrstuvwxyz', k=10))}"
