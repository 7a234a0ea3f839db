"""What truly happened: machines, Spacks, specs, commands and their runs. Moments are seconds since 1970."""

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache

from spackmon.status import BuildStatus
from spackmon.submission import Environment


def digest(*parts: object) -> str:
    """A hash as Spack writes them, of anything."""
    return base64.b32encode(hashlib.sha1(repr(parts).encode()).digest()).decode().lower()


@dataclass(frozen=True, slots=True)
class Machine:
    """A host; `zone_seconds` is how far its local time is ahead of UTC, `site` its name in a CDash."""

    hostname: str
    target: str
    kernel_version: str
    zone_seconds: int
    site: str

    @property
    def environment(self) -> Environment:
        """As Spack's own install_environment.json says it."""
        return Environment(self.hostname, "linux", "debian12", self.target, self.kernel_version)


@dataclass(frozen=True, slots=True)
class Spack:
    """`format_version` of its specs; the new installer of 1.2 leaves less behind."""

    version: str
    revision: str
    format_version: int
    has_new_installer: bool = False

    @property
    def speaks_ms1(self) -> bool:
        """0.16 to 0.18 have the monitor client, later ones the extension."""
        return self.format_version <= 3


@dataclass(frozen=True, slots=True)
class Spec:
    """A concrete spec; `flavour` stands for all that tells two specs of one package apart."""

    package: str
    version: str
    flavour: str
    format_version: int
    children: tuple["Spec", ...] = ()

    @property
    def hash(self) -> str:
        """The DAG hash, which every file on disk names."""
        return _hashes(self)[0]

    @property
    def full_hash(self) -> str:
        """What 0.16 and 0.17 identify a spec by; of 0.18 it is sent in specs/new alone."""
        return _hashes(self)[1]

    @property
    def build_hash(self) -> str:
        """0.16 and 0.17 only."""
        return _hashes(self)[2]

    def walk(self) -> list["Spec"]:
        """Itself and all below it, each once, itself first."""
        found: dict[str, Spec] = {}
        waiting = [self]
        while waiting:
            spec = waiting.pop(0)
            if spec.hash not in found:
                found[spec.hash] = spec
                waiting.extend(spec.children)
        return list(found.values())


@cache
def _hashes(spec: Spec) -> tuple[str, str, str]:
    below = [child.hash for child in spec.children]
    dag = digest("hash", spec.package, spec.version, spec.flavour, spec.format_version, below)
    if not below:
        return dag, digest("full", dag) if spec.format_version < 3 else dag, dag
    return dag, digest("full", dag), digest("build", dag)


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase that ended, and its log."""

    name: str
    status: str
    seconds: float
    log: bytes


@dataclass(eq=False, slots=True)
class Run:
    """One package built once. `token` stands in every log of it, so that a log tells whose it is.

    `is_cached`: its binary came from a build cache. `is_skipped`: it never began, because something below
    it failed; clients report that as a run that has only an end.
    """

    number: int
    owner: int
    machine: Machine
    spack: Spack
    spec: Spec
    started: float
    ended: float
    status: BuildStatus
    phases: tuple[Phase, ...]
    prefix: str
    variables: dict[str, str]
    arguments: str | None
    tags: tuple[str, ...]
    files: tuple[str, ...]
    is_cached: bool = False
    is_skipped: bool = False

    @property
    def token(self) -> str:
        """A word that nothing else contains."""
        return f"run<{self.number}>"

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started

    @property
    def log(self) -> bytes:
        """All of it."""
        return b"".join(phase.log for phase in self.phases)

    def __repr__(self) -> str:
        return (
            f"<run {self.number} of person {self.owner}: {self.spec.package}/{self.spec.flavour} on "
            f"{self.machine.hostname} with {self.spack.version}, {self.status}, "
            f"{self.started:.0f} to {self.ended:.0f}>"
        )


@dataclass(eq=False, slots=True)
class Command:
    """`spack install ROOT`: what was missing of it, one package after another, until the first failure.

    It began at `started`, with concretizing, long before its first run.
    """

    number: int
    owner: int
    machine: Machine
    spack: Spack
    root: Spec
    started: float
    ended: float
    cdash_build: str
    tags: tuple[str, ...]
    runs: list[Run] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Install:
    """What lies in a prefix from a moment on, until the next install into it."""

    run: Run
    since: float


@dataclass(eq=False, slots=True)
class Store:
    """An install tree: prefixes are replaced, failed stages stay until the next run of their spec."""

    root: str
    owner: int
    installs: list[Install] = field(default_factory=list)
    failures: list[Install] = field(default_factory=list)

    def prefix(self, spec: Spec) -> str:
        """Where a spec is installed."""
        return f"{self.root}/{spec.package}-{spec.version}-{spec.hash}"

    def present(self, moment: float) -> list[Run]:
        """The runs whose installs lie in the prefixes then, the last success of each."""
        last = {one.run.prefix: one.run for one in self.installs if one.since <= moment}
        return list(last.values())

    def stages(self, moment: float) -> list[Run]:
        """The failures whose stages lie there then."""
        last = {one.run.spec.hash: one.run for one in self.failures if one.since <= moment}
        done = {one.run.spec.hash: one.since for one in self.installs if one.since <= moment}
        return [run for key, run in last.items() if run.ended > done.get(key, 0.0)]


@dataclass(eq=False, slots=True)
class History:
    """All that happened, and by how many seconds each clock is wrong."""

    commands: list[Command]
    stores: list[Store]
    skew: dict[tuple[str, str], float]

    @property
    def runs(self) -> list[Run]:
        """In the order of their numbers."""
        return sorted((run for command in self.commands for run in command.runs), key=lambda run: run.number)
