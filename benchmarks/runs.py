"""A site's builds, made up: the same seed gives the same.

Some specs are built once, some by everybody: who builds takes half of the time what nobody has built, and
otherwise what somebody built before. Failures end with errors of 3,000 kinds, of which a few make up most.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

_HOSTS, _OWNERS, _TAGS = 20, 5, 40
_AGAIN_SHARE = 0.5
_FAILED_SHARE, _RERUN_SHARE = 0.2, 0.1
_SHORTEST_SECONDS, _LONGEST_SECONDS = 20.0, 3_600.0
ERRORS = 3_000
"""So many different ones there are at most."""

_PHASES = (("cmake", "build", "install"), ("configure", "build", "install"), ("edit", "build", "install"))
_ERRORS = (
    "fatal error: {other}.h: No such file or directory",
    "undefined reference to `{word}'",
    "error: ‘{word}’ was not declared in this scope",
    "CMake Error at CMakeLists.txt (find_package): Could not find {word}",
    "configure: error: {word} is required",
    "collect2: error: ld returned 1 exit status while linking {word}",
    "error: implicit declaration of function ‘{word}’ [-Werror=implicit-function-declaration]",
    "make: *** [Makefile: {word}.o] Error 1",
    "ModuleNotFoundError: No module named '{word}'",
    "ImportError: lib{word}.so: cannot open shared object file",
    "error: no matching function for call to ‘{word}(const char*, int)’",
    "/usr/bin/ld: cannot find -l{word}",
    "FAIL: test_{word} (tests.{other}.TestCase)",
    "Fatal Error: Cannot open module file ‘{word}.mod’ for reading",
    "error: conflicting types for ‘{word}’",
)
_SYLLABLES = (
    "ba", "co", "de", "fi", "gu", "ha", "io", "ju", "ka", "le", "mo", "nu", "op", "pa", "qui", "ra", "so",
    "tu", "va", "xe", "yo", "za", "str", "mem", "lib", "get", "set", "init",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Installable:
    """A spec that can be built, and on which machines."""

    hash: str
    operating_system: str
    target: str


@dataclass(frozen=True, slots=True)
class Error:
    """An error that a client reported from a phase's log."""

    text: str
    log_line: int
    source_file: str
    source_line: int
    pre_context: str
    post_context: str


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase as its client reported it."""

    name: str
    status: str
    log: bytes
    errors: tuple[Error, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One run, how long it took and its phases."""

    status: str
    duration_seconds: float
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """A build with its runs; the last one's status is the build's."""

    spec_hash: str
    environment: tuple[str, str, str, str, str]
    owner: str
    tags: tuple[str, ...]
    runs: tuple[Run, ...]
    variables: Mapping[str, str]
    files: tuple[str, ...]
    attributes: Mapping[str, str]


def builds(specs: Sequence[Installable], number: int, seed: int) -> Iterator[Build]:
    """So many builds of some of the specs, the oldest first; nobody builds a spec twice on one host."""
    random = Random(f"{seed}:builds")
    errors = _error_texts(Random(f"{seed}:errors"))
    fresh = iter(sorted(random.sample(range(len(specs)), min(number, len(specs)))))
    built: list[int] = []
    taken: set[tuple[int, str, str]] = set()
    while len(built) < number:
        again = bool(built) and random.random() < _AGAIN_SHARE
        # One of all builds and not of all specs: what has been built often is built more often.
        place = random.choice(built) if again else next(fresh)
        host, owner = f"node-{random.randrange(_HOSTS):02}", f"builder-{random.randrange(_OWNERS)}"
        if (place, host, owner) in taken:
            continue
        taken.add((place, host, owner))
        built.append(place)
        yield _build(len(built), specs[place], host, owner, errors, random)


def _error_texts(random: Random) -> list[str]:
    def word() -> str:
        return "_".join("".join(random.choices(_SYLLABLES, k=random.randint(2, 3))) for _ in range(2))

    texts: dict[str, None] = {}
    while len(texts) < ERRORS:
        texts[random.choice(_ERRORS).format(word=word(), other=word())] = None
    return list(texts)


def _build(
    number: int, spec: Installable, host: str, owner: str, errors: Sequence[str], random: Random
) -> Build:
    names = random.choice(_PHASES)
    runs: list[Run] = []
    while not runs or (runs[-1].status == "FAILED" and random.random() < _RERUN_SHARE):
        runs.append(_run(names, errors, random))
    prefix = f"/opt/spack/{spec.hash[:7]}"
    return Build(
        spec_hash=spec.hash,
        environment=(host, "linux", spec.operating_system, spec.target, "5.14.0-70.el9.x86_64"),
        owner=owner,
        tags=tuple(sorted({f"tag-{random.randrange(_TAGS):02}" for _ in range(random.randrange(4))})),
        runs=tuple(runs),
        variables={"PATH": "/usr/bin:/bin", "HOSTNAME": host, "SPACK_SPEC": spec.hash, "USER": owner},
        files=tuple(f"{prefix}/lib/lib{number}-{place}.so" for place in range(5)),
        attributes={"symbols": f"{random.randrange(10**6)} symbols", "soname": f"lib{number}.so"},
    )


def _run(names: Sequence[str], errors: Sequence[str], random: Random) -> Run:
    fails = random.random() < _FAILED_SHARE
    broken = random.randrange(len(names)) if fails else len(names)
    phases = tuple(
        _phase(name, errors, random, fails=place == broken) for place, name in enumerate(names[: broken + 1])
    )
    # Most are short.
    seconds = _SHORTEST_SECONDS + (_LONGEST_SECONDS - _SHORTEST_SECONDS) * random.random() ** 3
    return Run("FAILED" if fails else "SUCCESS", round(seconds, 2), phases)


def _phase(name: str, errors: Sequence[str], random: Random, *, fails: bool) -> Phase:
    lines = [
        f"==> {name}: [{at:4}%] compiling unit_{random.randrange(10_000)}.c with -O2 -g -fPIC"
        for at in range(0, 100, 10)
    ]
    found = []
    numbers = count(len(lines) + 1)
    for _ in range(random.randrange(1, 4) if fails else 0):
        # As Zipf found: each rank is met as often as is the inverse of its number.
        text = errors[int(len(errors) ** random.random()) - 1]
        file, line = f"src/module_{random.randrange(400)}/unit.c", random.randrange(1, 2_000)
        lines.append(f"{file}:{line}:5: {text}")
        found.append(
            Error(
                lines[-1], next(numbers), file, line,
                f"[ 42%] Building C object {file}.o\n" * 4,
                f"make[2]: *** [{file}.o] Error 1\n" * 3,
            )
        )  # fmt: skip
    log = "\n".join(lines).encode() + b"\n"
    return Phase(name, "ERROR" if fails else "SUCCESS", log, tuple(found))
