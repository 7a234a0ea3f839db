"""What runs have, as sets of runs: of the rows that `suspects` reads, for `spackmon.history.suspects`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.graph.parameters import parameter_rows
from spackmon.graph.spec_text import COMPILER_NAMES
from spackmon.history.suspects import Fact, Mask, Runs, Suspect, suspects

MAXIMUM_SUSPECTS = 100
KINDS = (
    "VERSION", "COMPILER", "DEPENDENCY", "VARIANT", "TARGET", "OPERATING_SYSTEM", "HOST", "SPACK_VERSION",
    "VARIABLE",
)  # fmt: skip
"""What a fact may be, in the order in which facts of the same runs are named."""
ALL_RUNS, PARAMETERS = "RUNS", "PARAMETERS"
"""What is no fact: a run, and a whole set of variants."""
# Packages of what compilers link into everything, by the compilers' versions.
_RUNTIMES = frozenset({"gcc-runtime", "intel-oneapi-runtime"})

_Masks = dict[int, Mask]


def suspects_of_runs(rows: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The schema's Suspects, of `suspects.facts_of_runs`. Raises Refused PAGE_TOO_LARGE."""
    first = arguments["first"]
    if not 0 <= first <= MAXIMUM_SUSPECTS:
        raise Refused(Code.PAGE_TOO_LARGE, f"`first` must be 0 to {MAXIMUM_SUSPECTS}, it is {first}")
    runs = _Runs([(int(name), value, *numbers) for kind, name, value, numbers in rows if kind == ALL_RUNS])
    having = runs.having(row for row in rows if row[0] != ALL_RUNS)
    found = suspects(runs.of_packages, having, runs.meanwhile, KINDS, first)
    return {
        "verdict": found.verdict.value,
        "reason": found.reason,
        "failingRuns": found.failing,
        "passingRuns": found.passing,
        "comparisons": found.tried,
        "suspects": [_shown(one) for one in found.suspects],
    }


def _shown(one: Suspect) -> dict[str, Any]:
    expected = one.excess.expected
    return {
        "facts": [fact._asdict() for fact in one.facts],
        "failingWith": one.failing_with,
        "failingWithout": one.failing_without,
        "passingWith": one.passing_with,
        "passingWithout": one.passing_without,
        "lift": one.failing_with / expected if expected else None,
        "p": one.p,
        "adjustedP": one.adjusted_p,
    }


class _Runs:
    """The runs of each package as bits, and which of them are of a spec, a machine or a set of variables."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._specs, self._machines, self._sets, self._spacks = (
            defaultdict[Any, _Masks](lambda: defaultdict(int)) for _ in range(4)
        )
        numbers: dict[int, list[tuple[int, bool]]] = defaultdict(list)
        # A run may have the error and succeed.
        having_error = {number for *_, failing, number in rows if failing}
        for package, spack, spec, machine, variables, failing, number in rows:
            if not failing and number in having_error:
                continue
            bit = 1 << len(numbers[package])
            numbers[package].append((number, failing == 1))
            keys = (
                (self._specs, spec),
                (self._machines, machine),
                (self._sets, variables),
                (self._spacks, spack),
            )
            for masks, key in keys:
                if key is not None:
                    masks[key][package] |= bit
        failing_ones = [number for some in numbers.values() for number, fails in some if fails]
        first, last = min(failing_ones, default=0), max(failing_ones, default=0)
        self.of_packages = {
            package: Runs(_mask([fails for _, fails in some]), _mask([not fails for _, fails in some]))
            for package, some in numbers.items()
        }
        self.meanwhile = {
            package: _mask([first <= number <= last for number, _ in some])
            for package, some in numbers.items()
        }

    def having(self, rows: Iterable[Sequence[Any]]) -> dict[Fact, _Masks]:
        """The runs that have each fact."""
        having: dict[Fact, _Masks] = {
            Fact("SPACK_VERSION", "", version): masks for version, masks in self._spacks.items()
        }
        for kind, name, value, keys in rows:
            of_what = {"HOST": self._machines, "VARIABLE": self._sets}.get(kind, self._specs)
            is_set = kind == PARAMETERS
            every = parameter_rows(value) if is_set else [(name, value)]
            for fact in (Fact("VARIANT" if is_set else kind, *row) for row in every):
                masks = having.setdefault(fact, defaultdict(int))
                for key in keys:
                    for package, mask in of_what[key].items():
                        masks[package] |= mask
        self._forget_compilers(having)
        return {fact: masks for fact, masks in having.items() if not self._is_of_one_spec(fact, masks)}

    def _forget_compilers(self, having: dict[Fact, _Masks]) -> None:
        """A dependency that is the compiler, or comes with it, says what the compiler says."""
        for fact in [fact for fact in having if fact.kind == "DEPENDENCY"]:
            compiler = Fact("COMPILER", COMPILER_NAMES.get(fact.name, fact.name), fact.value)
            if fact.name in _RUNTIMES:
                del having[fact]
            elif compiler in having:
                for package, mask in having[compiler].items():
                    having[fact][package] &= ~mask

    def _is_of_one_spec(self, fact: Fact, masks: _Masks) -> bool:
        """Whether a variable has a value that one of several specs has alone, as what names it."""
        if fact.kind != "VARIABLE" or len(masks) > 1:
            return False
        ((package, mask),) = masks.items()
        specs = [of_spec[package] for of_spec in self._specs.values() if package in of_spec]
        return len(specs) > 1 and any(not mask & ~spec for spec in specs)


def _mask(bits: Sequence[bool]) -> Mask:
    return sum(1 << place for place, bit in enumerate(bits) if bit)
