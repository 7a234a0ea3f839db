"""What an import finds on a disk at some moment: the last install of each prefix, rows, failed stages."""

from random import Random

from spackmon.formats.moments import UNKNOWN_ZONE_SECONDS
from spackmon.formats.specs.install_database import read_install_database
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import InstallPhase, InstallReport, Source
from tests.simulator.documents import DATABASE_VERSIONS, on_disk, row
from tests.simulator.extension import files, installed_from
from tests.simulator.steps import Claimant, Step, moment
from tests.simulator.truth import Run, Store, digest


class Disk:
    """A store as it is imported, once or several times; an install is the same claimant each time."""

    def __init__(self, store: Store, skew: dict[tuple[str, str], float], dice: Random) -> None:
        self.store = store
        self.skew = skew
        self.dice = dice
        self.claimants: dict[tuple[str, int], Claimant] = {}
        # Some prefixes have lost their manifest and some stages were copied: only the log has times.
        runs = [one.run for one in [*store.installs, *store.failures]]
        # Without a log as well, a prefix is an install that has not ended.
        self.untimed = {run.number for run in runs if run.phases and dice.random() < 0.05}

    def imported(self, at: float) -> list[Step]:
        """Prefixes and stages, each with luck, and the whole database."""
        dice = self.dice
        steps = []
        present = self.store.present(at)
        if dice.random() < 0.8:
            steps += [self._prefix(run, at) for run in present if dice.random() < 0.7]
            steps += [self._stage(run, at) for run in self.store.stages(at) if dice.random() < 0.7]
        if dice.random() < 0.6:
            steps += self._database(present, at)
        return steps

    def _claimant(self, run: Run, kind: str, key: str) -> Claimant:
        return self.claimants.setdefault((kind, run.number), Claimant(run, kind, key))

    def _clock(self, run: Run, kind: str) -> float:
        return self.skew[run.machine.hostname, kind]

    def _prefix(self, run: Run, at: float) -> Step:
        key = f"{run.prefix}#{digest(run.number)}"
        # What lies in the prefix of a binary is of the machine that built it, but for the manifest.
        is_new = run.spack.has_new_installer or run.is_cached
        is_timed = run.number not in self.untimed
        ended, uncertain = run.ended + self._clock(run, "PREFIX"), None
        if not is_timed:
            ended, uncertain = _by_the_log(run)
        phases = tuple(InstallPhase(p.name, p.status, p.seconds, p.log) for p in run.phases)
        report = InstallReport(
            source=Source(SourceKind.PREFIX, key),
            graph=on_disk(run.spec),
            environment=None if is_new else run.machine.environment,
            spack_version=None if is_new else run.spack.version,
            spack_revision=None if is_new else run.spack.revision,
            status=BuildStatus.SUCCESS,
            started_at=None if ended is None or is_new else moment(ended - run.seconds),
            finished_at=None if ended is None else moment(ended),
            time_uncertainty_seconds=uncertain,
            installed_from=installed_from(run),
            duration_seconds=None if is_new else run.seconds,
            prefix=run.prefix,
            phases=() if is_new else phases,
            log=run.log if is_new and run.phases else None,
            configure_arguments=None if is_new else run.arguments,
            environment_variables=None if is_new else run.variables,
            install_files=files(run) if is_timed else None,
        )
        return Step(run.owner, self._claimant(run, "PREFIX", key), report, at)

    def _stage(self, run: Run, at: float) -> Step:
        key = f"spack-stage-{run.spec.package}-{run.spec.hash}#{digest(run.log)}"
        is_new = run.spack.has_new_installer
        ended, uncertain = run.ended + self._clock(run, "STAGE"), None
        if run.number in self.untimed:
            ended, uncertain = _by_the_log(run)
        report = InstallReport(
            source=Source(SourceKind.STAGE, key),
            spec_hash=run.spec.hash,
            package_name=run.spec.package,
            status=BuildStatus.FAILED,
            finished_at=None if ended is None else moment(ended),
            time_uncertainty_seconds=uncertain,
            phases=() if is_new else tuple(InstallPhase(p.name, p.status, None, p.log) for p in run.phases),
            log=run.log if is_new else None,
            configure_arguments=None if is_new else run.arguments,
            environment_variables=None if is_new else run.variables,
        )
        return Step(run.owner, self._claimant(run, "STAGE", key), report, at)

    def _database(self, present: list[Run], at: float) -> list[Step]:
        steps = []
        for version in sorted({run.spec.format_version for run in present}):
            runs = [run for run in present if run.spec.format_version == version]
            by_time = {self._installed_at(run): run for run in runs}
            rows = {spec.hash: {"spec": row(spec), "installed": False, "path": None, "ref_count": 1}
                    for run in runs for spec in run.spec.walk()}  # fmt: skip
            for run in runs:
                rows[run.spec.hash] |= {"installed": True, "path": run.prefix, "explicit": True,
                                        "installation_time": self._installed_at(run)}  # fmt: skip
            index = {"database": {"version": DATABASE_VERSIONS[version], "installs": rows}}
            for report in read_install_database(index, None):
                if isinstance(report, InstallReport) and report.finished_at is not None:
                    run = by_time[report.finished_at.timestamp()]
                    who = self._claimant(run, "INSTALL_DATABASE", report.source.key)
                    steps.append(Step(self.store.owner, who, report, at))
                else:
                    steps.append(Step(self.store.owner, None, report, at))
        return steps

    def _installed_at(self, run: Run) -> float:
        at = run.ended + 0.5 + self._clock(run, "INSTALL_DATABASE")
        return moment(round(at, 3)).timestamp()


def _by_the_log(run: Run) -> tuple[float | None, float | None]:
    """The local time of the last command taken for UTC, and how far that may be off."""
    if run.spack.has_new_installer:
        return None, None
    last_began = run.started + sum(phase.seconds for phase in run.phases[:-1])
    return last_began + run.machine.zone_seconds, UNKNOWN_ZONE_SECONDS
