"""Histories drawn by dice: hypothesis's own, which it can shrink, or seeded ones for the big count.

Within a lane (a person's shell on a machine) one command follows another, so that no two runs of one spec
overlap there. Other people, other machines and other shells go on at the same time, with the same specs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from hypothesis import strategies as st

from spackmon.status import BuildStatus
from tests.simulator.truth import Command, History, Install, Machine, Phase, Run, Spack, Spec, Store

OWNERS = (1, 2)
BEGIN = 1_790_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SKEW_SECONDS = 60.0
"""How wrong a clock is at most: two of them differ by two minutes."""

MACHINES = (
    Machine("node-1", "zen2", "#1 SMP", 2 * 3600, "node-1"),
    Machine("node-2", "zen2", "#1 SMP", 2 * 3600, "the-cluster"),
    Machine("login", "icelake", "#7 SMP", -5 * 3600, "login"),
)
SPACKS = (
    Spack("0.16.2", "1" * 40, 1),
    Spack("0.17.0", "2" * 40, 2),
    Spack("0.18.1", "3" * 40, 3),
    Spack("0.23.0", "4" * 40, 4),
    Spack("0.23.0", "5" * 40, 4),
    Spack("1.2.0", "6" * 40, 5),
    Spack("1.2.0", "6" * 40, 5, has_new_installer=True),
)
_BELOW = {
    "zlib": (), "bzip2": (), "libpng": ("zlib",), "cmake": ("zlib", "bzip2"), "hdf5": ("zlib", "cmake"),
    "netcdf": ("hdf5", "zlib"),
}  # fmt: skip
_PHASES = {
    "zlib": ("edit", "build", "install"), "bzip2": ("install",),
    "libpng": ("autoreconf", "configure", "build", "install"), "cmake": ("bootstrap", "build", "install"),
    "hdf5": ("cmake", "build", "install"), "netcdf": ("configure", "build", "install"),
}  # fmt: skip
_BUSY_PAUSES = (5.0, 70.0, 3 * MINUTE, 10 * MINUTE, 40 * MINUTE)
_PAUSES = (70.0, 5 * MINUTE, 20 * MINUTE, 3 * HOUR, DAY, 7 * DAY, 21 * DAY)
CONFIGURES = frozenset({"autoreconf", "configure", "cmake", "edit", "bootstrap"})
"""The phases that CDash knows as `configure`."""


def specs(format_version: int, flavour: str) -> dict[str, Spec]:
    """The six packages as one concretization has them."""
    made: dict[str, Spec] = {}
    for package, below in _BELOW.items():
        version = "1.2" if flavour.endswith("a") else "1.3"
        made[package] = Spec(package, version, flavour, format_version, tuple(made[child] for child in below))
    return made


@dataclass(slots=True)
class _Lane:
    owner: int
    machine: Machine
    spack: Spack
    store: Store
    flavour: str
    clock: float


class _Teller:
    """Makes one history; a class only because runs and commands are numbered through."""

    def __init__(self, dice: Random, runs: int) -> None:
        self.dice = dice
        self.wanted = runs
        self.runs = 0
        self.commands: list[Command] = []
        self.stores: list[Store] = []
        self.is_busy = dice.random() < 0.4

    def history(self) -> History:
        dice = self.dice
        lanes = [self._lane(number) for number in range(dice.choice([1, 2, 2, 3, 4]))]
        while self.runs < self.wanted:
            lane = dice.choice(lanes)
            last = next((c for c in reversed(self.commands) if c.machine is lane.machine
                         and c.owner == lane.owner), None)  # fmt: skip
            self._command(lane, last)
        skew = {
            (machine.hostname, kind): dice.uniform(-SKEW_SECONDS, SKEW_SECONDS)
            for machine in MACHINES
            for kind in ("EXTENSION", "PREFIX", "INSTALL_DATABASE", "STAGE", "CDASH", "JUNIT", "MS1")
        }
        return History(self.commands, self.stores, skew)

    def _lane(self, number: int) -> _Lane:
        dice = self.dice
        owner, machine = dice.choice(OWNERS), dice.choice(MACHINES)
        # The same path on two machines is two disks, for one person and for two.
        path = dice.choice(["/opt/spack", f"/home/{owner}/spack", f"/scratch/{machine.hostname}/{number}"])
        others = [store for store in self.stores if (store.root, store.owner) == (path, owner)]
        if others:
            path = f"{path}/{number}" if dice.random() < 0.7 else path
        store = Store(path, owner)
        self.stores.append(store)
        # A second shell on the machine builds other specs of the same packages.
        return _Lane(owner, machine, dice.choice(SPACKS), store, f"{'ab'[number % 2]}{'ab'[number // 2]}",
                     BEGIN + dice.uniform(0, DAY / 24 if self.is_busy else 2 * DAY))  # fmt: skip

    def _command(self, lane: _Lane, last: Command | None) -> None:
        dice = self.dice
        if dice.random() < 0.1:
            lane.spack = dice.choice(SPACKS)
        available = specs(lane.spack.format_version, lane.flavour)
        again = last is not None and last.root.package in available and dice.random() < 0.6
        root = available[last.root.package if again and last else dice.choice(list(available))]
        installed = {run.spec.hash for run in lane.store.present(lane.clock)}
        anew = {root.hash} if dice.random() < 0.5 else set()
        if dice.random() < 0.15:
            anew |= {spec.hash for spec in root.walk()}
        order = [spec for spec in reversed(root.walk()) if spec.hash in anew or spec.hash not in installed]
        order.sort(key=lambda spec: len(spec.walk()))
        lane.clock += self._pause(lane)
        started = lane.clock
        lane.clock += dice.choice([1.0, 5.0, 20.0, 100.0, 400.0]) * dice.uniform(0.5, 1.5)
        command = Command(
            len(self.commands), lane.owner, lane.machine, lane.spack, root, started, started,
            dice.choice(["nightly", root.package]),
            tuple(dice.sample(["nightly", "ci", "x"], dice.randint(0, 2))),
        )  # fmt: skip
        for spec in order:
            run = self._run(lane, command, spec)
            command.runs.append(run)
            if run.status is not BuildStatus.SUCCESS:
                if run.status is BuildStatus.FAILED and spec.hash != root.hash:
                    command.runs.append(self._skipped(lane, command, root))
                break
        command.ended = lane.clock
        if command.runs:
            self.commands.append(command)

    def _pause(self, lane: _Lane) -> float:
        """To the next command: a retry at once, or the next nightly. No two begin in one minute."""
        dice = self.dice
        pause = dice.choice(_BUSY_PAUSES if self.is_busy else _PAUSES)
        return MINUTE + pause * dice.uniform(0.9, 1.1) if lane.clock > BEGIN else 0.0

    def _skipped(self, lane: _Lane, command: Command, spec: Spec) -> Run:
        self.runs += 1
        # 0.16 to 0.18 call it failed, the extension cancelled.
        status = BuildStatus.FAILED if lane.spack.speaks_ms1 else BuildStatus.CANCELLED
        return Run(
            self.runs - 1, lane.owner, lane.machine, lane.spack, spec, lane.clock, lane.clock, status, (),
            lane.store.prefix(spec), {}, None, command.tags, (), is_skipped=True,
        )  # fmt: skip

    def _run(self, lane: _Lane, command: Command, spec: Spec) -> Run:
        dice = self.dice
        lane.clock += dice.uniform(0.1, 3)
        started = lane.clock
        number = self.runs
        self.runs += 1
        ends = [BuildStatus.SUCCESS] * 8 + [BuildStatus.FAILED] * 2 + [BuildStatus.CANCELLED]
        status = dice.choice(ends)
        is_cached = lane.spack.format_version >= 4 and status is BuildStatus.SUCCESS and dice.random() < 0.1
        names = () if is_cached else _PHASES[spec.package]
        if status is not BuildStatus.SUCCESS:
            names = names[: dice.randint(1, len(names))]
        phases = []
        for name in names:
            begun = lane.clock
            lane.clock += dice.choice([0.2, 3.0, 40.0, 900.0, 5000.0]) * dice.uniform(0.5, 1.5)
            failed = name == names[-1] and status is BuildStatus.FAILED
            log = _log(spec, lane, name, begun, number, failed)
            phases.append(Phase(name, "ERROR" if failed else "SUCCESS", lane.clock - begun, log))
        if status is BuildStatus.CANCELLED:
            phases.pop()  # it never ended
        lane.clock += dice.uniform(0.5, 3)
        common = dice.random() < 0.3
        mark = "0" if common else str(number)
        run = Run(
            number, lane.owner, lane.machine, lane.spack, spec, started, lane.clock, status, tuple(phases),
            lane.store.prefix(spec), {"CFLAGS": f"-O{mark}", "LC_ALL": "C"},
            f"--with-run={mark}" if spec.package != "zlib" else None, command.tags,
            tuple(f"{lane.store.prefix(spec)}/{name}" for name in ("lib", f"lib/lib{mark}.so")), is_cached,
        )  # fmt: skip
        if status is BuildStatus.SUCCESS:
            lane.store.installs.append(Install(run, lane.clock))
        elif status is BuildStatus.FAILED:
            lane.store.failures.append(Install(run, lane.clock))
        return run


def _log(spec: Spec, lane: _Lane, phase: str, begun: float, number: int, failed: bool) -> bytes:
    if lane.spack.has_new_installer:
        head = ""
    else:
        head = f"==> {spec.package}: Executing phase: '{phase}'\n==> [{local(lane.machine, begun)}] 'make'\n"
    broken = "error: it broke\n" if failed else ""
    return f"{head}{phase} of run<{number}>\n{broken}".encode()


def local(machine: Machine, moment: float) -> str:
    """The time of the machine's zone, as Spack writes it into logs."""
    return datetime.fromtimestamp(moment + machine.zone_seconds, UTC).strftime("%Y-%m-%d-%H:%M:%S.%f")


def history(dice: Random, runs: int = 24) -> History:
    """A history of at least so many runs."""
    return _Teller(dice, runs).history()


def histories(most_runs: int = 24) -> st.SearchStrategy[tuple[History, Random]]:
    """Histories that hypothesis can shrink, with the dice that go on to draw what is reported of them."""

    @st.composite
    def drawn(draw: st.DrawFn) -> tuple[History, Random]:
        dice = draw(st.randoms(use_true_random=False))
        return history(dice, draw(st.integers(1, most_runs))), dice

    return drawn()
