"""What a site builds: stacks night after night, and people by day, on its machines.

Nothing here fails yet. Versions come with time and reach each stack when it is concretized anew; machines
have one operating system and build for few targets; compilers are those of some stacks; so most facts
of a run go together with others, as they do on a real site.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from spackmon.history.suspects import Fact
from tests.simulator.planted.packages import Concrete, Package, Toolchain, concretized, packages

_COMPILERS = (("gcc", "11.4.0"), ("gcc", "12.3.0"), ("gcc", "13.2.0"), ("clang", "17.0.6"))
_SPACKS = (("0.22.1", 4), ("0.23.0", 4), ("1.0.0", 5), ("1.1.0", 5))
_PARTITIONS = (
    ("rhel8", ("zen3", "x86_64_v3"), ("a1", "a2", "a3", "a4", "a5")),
    ("rhel9", ("zen4", "zen3", "x86_64_v3"), ("b1", "b2", "b3", "b4")),
    ("ubuntu22.04", ("icelake", "x86_64_v3"), ("c1", "c2", "c3")),
)
LONELY_COMPILER, LONELY_HOST = ("nvhpc", "24.1"), "g1"
"""A compiler that only one machine has, which has no other."""
TOGETHER = Fact("SPACK_VERSION", "", "1.1.0"), "2.0-together"
"""Spack's version, and the version of a package that came to everybody with it."""
_PEOPLE = ("ada", "bob", "eve", "kim")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a site is; its stacks are concretized anew every so many nights."""

    runs: int
    packages: int
    stacks: int
    nights: int
    anew_after: int = 3


@dataclass(slots=True)
class Run:
    """A run, when it began in nights, and how it ended: `error` is the text of its error."""

    place: int
    night: float
    batch: int
    spec: Concrete
    host: str
    operating_system: str
    owner: str
    spack: str
    variables: tuple[tuple[str, str], ...]
    facts: frozenset[Fact]
    error: str | None = None

    @property
    def package(self) -> str:
        """The name of what was built."""
        return self.spec.node.name


@dataclass(slots=True)
class _Stack:
    number: int
    compiler: tuple[str, str]
    operating_system: str
    target: str
    hosts: tuple[str, ...]
    upgrades: tuple[float, ...]
    lag: float
    language: str
    variants: dict[str, dict[str, bool]]
    packages: dict[str, Concrete] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def spack(self, night: float) -> tuple[str, int]:
        """Its Spack of a night, and the format of its specs."""
        return _SPACKS[sum(night >= one for one in self.upgrades)]


class Planned:
    """All runs of a site in the order of time, before anything is said of how they end."""

    def __init__(self, size: Size, dice: Random) -> None:
        self.size, self._dice = size, dice
        self.packages = packages(dice, size.packages, size.nights)
        self._dependents = _dependents(self.packages)
        # Somebody updates all stacks on one night, and a package with them.
        self.together_night = size.nights * dice.uniform(0.55, 0.75)
        self.together_package = self._below_some()
        self._stacks = [self._stack(number) for number in range(size.stacks)]
        self.concretized: list[list[Concrete]] = []
        """What is reported together, in the order of time."""
        self.runs = list(self._all())
        self.runs.sort(key=lambda run: run.night)
        for place, run in enumerate(self.runs):
            run.place = place

    def dependents(self, name: str) -> int:
        """How many packages depend on one, at any depth."""
        return self._dependents[name]

    def _below_some(self) -> Package:
        few, many = len(self.packages) // 20, len(self.packages) // 4
        return self._dice.choice([one for one in self.packages if few < self._dependents[one.name] < many])

    def _stack(self, number: int) -> _Stack:
        dice = self._dice
        system, targets, hosts = _PARTITIONS[number % len(_PARTITIONS)]
        compiler = _COMPILERS[number % len(_COMPILERS)]
        lonely = number == self.size.stacks - 1
        if lonely:
            compiler, hosts = LONELY_COMPILER, (LONELY_HOST,)
        first, second = sorted(dice.uniform(-20, self.together_night) for _ in range(2))
        variants = {one.name: {name: dice.random() < 0.6 for name in one.variants} for one in self.packages}
        return _Stack(
            number, compiler, system, dice.choice(targets),
            hosts if lonely else tuple(sorted(dice.sample(hosts, dice.randint(2, len(hosts))))),
            (first, second, self.together_night), dice.choice((0, 0, 2, 10, 25)),
            dice.choice(("C", "C", "en_US.UTF-8", "de_DE.UTF-8")), variants,
        )  # fmt: skip

    def _all(self) -> Iterator[Run]:
        size, batch = self.size, 0
        wanted = 0.0
        for night in range(size.nights):
            for stack in self._stacks:
                stack.changed.clear()
                is_upgraded = stack.packages and stack.spack(night) != stack.spack(night - 1)
                if not stack.packages or is_upgraded or (night + stack.number) % size.anew_after == 0:
                    self._concretize(stack, night)
                batch += 1
                wanted += size.runs / size.nights / size.stacks
                nightly = round(wanted * 0.8)
                yield from self._nightly(stack, night, batch, nightly)
                for _ in range(round(wanted) - nightly):
                    batch += 1
                    yield self._by_day(stack, night, batch)
                wanted -= round(wanted)

    def _concretize(self, stack: _Stack, night: int) -> None:
        tools = Toolchain(stack.compiler, stack.operating_system, stack.target, stack.spack(night)[1])
        made: dict[str, Concrete] = {}
        for one in self.packages:
            below = [made[self.packages[child].name] for child in one.below]
            newest = self._version(one, stack, night)
            made[one.name] = concretized(one, newest, stack.variants[one.name], below, tools)
        before = {name: one.node.hash for name, one in stack.packages.items()}
        stack.changed = {name for name, one in made.items() if before.get(name) != one.node.hash}
        stack.packages = made
        self.concretized.append([made[name] for name in stack.changed])

    def _version(self, package: Package, stack: _Stack, night: float) -> str:
        if package is self.together_package and night >= self.together_night:
            return TOGETHER[1]
        return package.newest(night - stack.lag)

    def _nightly(self, stack: _Stack, night: int, batch: int, count: int) -> Iterator[Run]:
        dice = self._dice
        names = [one.name for one in self.packages]
        weights = [4 if name in stack.changed else 1 for name in names]
        chosen = set(dice.choices(names, weights, k=count * 2)) if count else set()
        kept = sorted(dice.sample(sorted(chosen), min(count, len(chosen))))
        for number, name in enumerate(kept):
            began = night + (number + dice.random()) / len(kept) / 3
            yield self._run(stack, stack.packages[name], began, batch, "ci", stack.language)

    def _by_day(self, stack: _Stack, night: int, batch: int) -> Run:
        dice = self._dice
        package = dice.choice(self.packages)
        spec = stack.packages[package.name]
        if package.variants and dice.random() < 0.5:
            variants = {name: dice.random() < 0.5 for name in package.variants}
            tools = Toolchain(stack.compiler, stack.operating_system, stack.target, stack.spack(night)[1])
            below = [stack.packages[self.packages[child].name] for child in package.below]
            spec = concretized(package, spec.node.version, variants, below, tools)
            self.concretized.append([spec])
        language = dice.choice(("C", "en_US.UTF-8", "de_DE.UTF-8", "ja_JP.UTF-8"))
        began = night + 1 / 3 + dice.random() * 2 / 3
        return self._run(stack, spec, began, batch, dice.choice(_PEOPLE), language)

    def _run(self, stack: _Stack, spec: Concrete, night: float, batch: int, owner: str, language: str) -> Run:
        host = self._dice.choice(stack.hosts)
        spack = stack.spack(int(night))[0]
        variables = (
            ("LANG", language), ("MAKEFLAGS", f"-j{4 + 4 * (int(host[1]) % 3)}"),
            ("SPACK_SPEC", spec.node.hash), ("USER", owner),
        )  # fmt: skip
        of_run = {Fact("HOST", "", host), Fact("SPACK_VERSION", "", spack)}
        of_run |= {Fact("VARIABLE", *one) for one in variables}
        return Run(
            0, night, batch, spec, host, stack.operating_system, owner, spack, variables, spec.facts | of_run
        )


def _dependents(packages: Sequence[Package]) -> dict[str, int]:
    """How many packages depend on each, at any depth."""
    every: list[set[int]] = []
    for one in packages:
        every.append(set(one.below).union(*(every[child] for child in one.below)))
    return {one.name: sum(number in below for below in every) for number, one in enumerate(packages)}
