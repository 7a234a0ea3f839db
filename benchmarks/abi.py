"""ABI: how fast ELF files are read, and what may replace what is predicted from stored symbols."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.against_symbolator import times_as_fast
from benchmarks.databases import Loaded
from benchmarks.measure import Meter, Result, at_least, at_most, backends, exactly, interleaved
from benchmarks.query import SETTLING
from benchmarks.service import service
from spackmon.abi.reader.elf import CALL, Elf, Symbol, VersionDefinition, VersionNeed
from spackmon.abi.reader.elf_file import read_file
from spackmon.abi.reader.packed import ANALYZER, pack
from spackmon.database import Database
from spackmon.graph.spec import SpecNode
from spackmon.ingest import store
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import AttributeValue, Environment, HostImage, HostLibrary, InstallReport, Source
from tests.abi.judge import judged
from tests.ingest.reports import graph, spec

TOPIC = "abi"
_PERSON_ID = 1
_LIBRARIES, _MOST_BYTES = 20, 2_000_000
_FOLDER = Path("/usr/lib")
_X86_64 = 62
_VERSION = "GLIBC_2.2.5"
VERSIONS, DEPENDENTS = 50, 200
_BREAKING_VERSION = 25
"""Of that version on a function is gone, which one in ten of the dependents calls."""
_ONE_IN = 10
_OTHERS, _OTHERS_OF_EACH, _LIBRARIES_OF_EACH = 20, 5, 2
_FUNCTIONS, _CALLED, _OF_LIBC = 400, 20, 60
MATRIX = f"""{{
  spliceMatrix(package: "zeta", versions: {VERSIONS}, first: {DEPENDENTS}) {{
    rows {{ cells {{ verdict missing reasons }} }}
  }}
}}"""
SPLICE = """query ($build: ID!, $with: String!) {
  splice(build: $build, replace: "zeta", with: $with) { verdict missingSymbols { symbol } undecided }
}"""


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """Speeds in CPU seconds of the reader, and of answers about a site beside the loaded one."""
    result = partial(Result, TOPIC, loaded.name)
    ratio = _extraction(rounds=3 if quick else 9)
    read = result("ELF files are read, CPU", ratio, "× as fast as pyelftools", at_least(5))
    names = result(
        "by names alone, from the same JSON, CPU", times_as_fast(), "× as fast as symbolator", at_least(100)
    )
    with loaded.copy() as url:
        return [read, names, *_predictions(loaded, url, 3 if quick else 9)]


def _extraction(rounds: int) -> float:
    """How many times the CPU of this reader pyelftools takes for what both read, of some of this machine."""
    files = [path for path in _FOLDER.rglob("*.so.*") if path.is_file() and not path.is_symlink()]
    sizes = {path.stat().st_size: path for path in files if path.read_bytes()[:4] == b"\x7fELF"}
    fit = [sizes[size] for size in sorted(sizes) if size <= _MOST_BYTES]
    some = fit[:: max(len(fit) // _LIBRARIES, 1)]
    works: list[Callable[[], None]] = [
        lambda: [read_file(str(path)) for path in some].clear(),
        lambda: [judged(path) for path in some].clear(),
    ]
    ours, theirs = zip(*([_cpu_seconds(work) for work in works] for _ in range(rounds)), strict=True)
    return statistics.median(theirs) / statistics.median(ours)


def _cpu_seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _predictions(loaded: Loaded, url: str, rounds: int) -> Iterator[Result]:
    database = Database(url)
    result = partial(Result, TOPIC, loaded.name)
    try:
        asked = install(database)
        with service(database) as server:
            yield result("verdicts other than planted", asked.wrong(server.ask(MATRIX, {})), "", exactly(0))
            for _ in range(SETTLING):
                server.ask(SPLICE, asked.splice)
            works = {
                "splice": (server.asking(SPLICE, asked.splice, 10), 10),
                "without": (server.without_database(SPLICE, asked.splice, 10), 10),
                "matrix": (server.asking(MATRIX, {}, 1), 1),
            }
            processes = backends(url) if loaded.name == "postgresql" else []
            costs = interleaved(Meter(os.getpid(), processes), works, rounds)
    finally:
        database.close()
    splice, matrix = "one build, one candidate", f"{VERSIONS} versions × {DEPENDENTS} dependents"
    yield result(f"{splice}: the prediction's CPU", costs["without"].cpu, "ms", at_most(5))
    yield result(f"{splice}: CPU in all", costs["splice"].cpu, "ms")
    yield result(f"{matrix}: CPU in all", costs["matrix"].cpu / 1000, "s", at_most(2))


@dataclass(frozen=True)
class Asked:
    """What to ask about a site: `splice` are the variables of SPLICE, `breaking` the cells that break."""

    splice: dict[str, str]
    breaking: int

    def wrong(self, answer: bytes) -> int:
        """How many cells of a matrix are not as they were planted."""
        found = json.loads(answer)
        if "errors" in found:
            raise RuntimeError(str(found)[:500])
        verdicts = [cell["verdict"] for row in found["data"]["spliceMatrix"]["rows"] for cell in row["cells"]]
        return (
            abs(verdicts.count("BREAKS") - self.breaking)
            + abs(len(verdicts) - VERSIONS * DEPENDENTS)
            + verdicts.count("UNKNOWN")
        )


def install(database: Database) -> Asked:
    """A site of which each dependent uses one version of a package, five packages more, and libc.

    A program and two libraries of each call twenty of four hundred functions; most versions have all.
    """
    random = Random(7)
    versions = [spec("zeta", f"1.{number}") for number in range(VERSIONS)]
    others = [spec(f"other-{number}", "1.0") for number in range(_OTHERS)]
    for number, node in enumerate(versions):
        gone = {_name("zeta", 0)} if number >= _BREAKING_VERSION else set()
        names = [_name("zeta", one) for one in range(_FUNCTIONS + number)]
        _store(
            database, node, [], {"lib/libzeta.so.1": _library("zeta", [n for n in names if n not in gone])}
        )
    for node in others:
        names = [_name(node.name, one) for one in range(_FUNCTIONS)]
        _store(database, node, [], {f"lib/lib{node.name}.so.1": _library(node.name, names)})
    builds, breaking, first = {}, 0, ""
    for number in range(DEPENDENTS):
        # What calls the function that goes was built with a version that has it.
        calls_it = number % _ONE_IN == 0
        used = versions[random.randrange(_BREAKING_VERSION if calls_it else VERSIONS)]
        below = [used, *random.sample(others, _OTHERS_OF_EACH)]
        node = spec(f"dependent-{number}", "1.0", *below)
        called = random.sample(range(1, _FUNCTIONS), _CALLED)
        builds[node.hash] = _store(database, node, below, _files(node, below, called, calls_it=calls_it))
        first = first or node.hash
        breaking += calls_it * (VERSIONS - _BREAKING_VERSION)
    return Asked({"build": str(builds[first]), "with": versions[_BREAKING_VERSION - 1].hash}, breaking)


def _files(node: SpecNode, below: list[SpecNode], called: list[int], *, calls_it: bool) -> dict[str, Elf]:
    names = [_name(one.name, number) for one in below for number in called]
    needs = [f"lib{one.name}.so.1" for one in below]
    path = ":".join(f"{_prefix(one)}/lib" for one in (node, *below))
    own = [f"lib{node.name}-{number}.so" for number in range(_LIBRARIES_OF_EACH)]
    program = [*names, _name("zeta", 0)] if calls_it else names
    files = {
        f"bin/{node.name}": _elf(program, [*own, *needs], path, interpreter="/lib64/ld-linux-x86-64.so.2")
    }
    for name in own:
        files[f"lib/{name}"] = _elf(names, needs, path, soname=name, defined=[_name(name, 0)])
    return files


def _library(name: str, defined: list[str]) -> Elf:
    return _elf([], [], None, soname=f"lib{name}.so.1", defined=defined)


def _name(package: str, number: int) -> str:
    return f"{package}_function_{number:04}"


def _prefix(node: SpecNode) -> str:
    return f"/opt/site/{node.name}-{node.version}-{node.hash}"


def _elf(
    needed_names: list[str],
    needed: list[str],
    runpath: str | None,
    *,
    soname: str | None = None,
    defined: list[str] | None = None,
    interpreter: str | None = None,
) -> Elf:
    symbols = [
        *(_symbol(name, 0, None, 1, CALL) for name in needed_names),
        *(_symbol(f"libc_function_{number:04}", 0, _VERSION, 2, CALL) for number in range(_OF_LIBC)),
        *(_symbol(name, 12, None, 1, 0) for name in defined or ()),
    ]
    flags = ["PIE"] if interpreter else []
    needs = [VersionNeed("libc.so.6", _VERSION, 2, False)]
    return Elf(
        64, True, _X86_64, "DYN", interpreter, soname, [*needed, "libc.so.6"], None, runpath, [], [], flags,
        True, needs, [], symbols,
    )  # fmt: skip


def _libc() -> Elf:
    symbols = [_symbol(f"libc_function_{number:04}", 12, _VERSION, 2, 0) for number in range(2_000)]
    definitions = [
        VersionDefinition("libc.so.6", 1, True, False, ()), VersionDefinition(_VERSION, 2, False, False, ())
    ]  # fmt: skip
    return Elf(
        64,
        True,
        _X86_64,
        "DYN",
        None,
        "libc.so.6",
        [],
        None,
        None,
        [],
        [],
        [],
        True,
        [],
        definitions,
        symbols,
    )


def _symbol(name: str, section: int, version: str | None, version_index: int, lookups: int) -> Symbol:
    is_there = section > 0
    return Symbol(
        name, "GLOBAL", "FUNC", "DEFAULT", section, is_there, 64 * is_there, version, version_index, False,
        is_there, lookups,
    )  # fmt: skip


def _store(database: Database, node: SpecNode, below: list[SpecNode], files: dict[str, Elf]) -> Any:
    """The build's id."""
    prefix = _prefix(node)
    host = HostImage(
        "debian", "12", "x86_64", (HostLibrary("/lib64/libc.so.6", "libc.so.6", "ab" * 32, pack(_libc())),)
    )
    report = InstallReport(
        Source(SourceKind.PREFIX, prefix),
        graph=graph(node, *below),
        environment=Environment("node-1", "linux", "debian12", "zen2", ""),
        status=BuildStatus.SUCCESS,
        prefix=prefix,
        attributes={
            ANALYZER: tuple(
                AttributeValue(ANALYZER, f"{prefix}/{place}", binary_value=pack(elf))
                for place, elf in files.items()
            )
        },
        host=host,
    )
    return database.write(partial(store.apply, submission=report, person_id=_PERSON_ID)).build_id
