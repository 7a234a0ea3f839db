"""What `spack monitor install` sends of a command: the start, the phases and the end of each run."""

from random import Random

from spackmon.status import BuildStatus, EventKind, InstalledFrom, SourceKind
from spackmon.submission import (
    Event,
    InstalledFile,
    InstallPhase,
    InstallReport,
    Source,
    Submission,
)
from tests.simulator.documents import sent
from tests.simulator.steps import Claimant, Step, moment
from tests.simulator.truth import Command, Run


def report(command: Command, run: Run, skew: float, dice: Random) -> list[Step]:
    """The lines about one run; a machine that loses its power sends no end."""
    key = f"00000000-0000-4000-8000-{command.number:012}/{run.spec.hash}"
    source = Source(SourceKind.EXTENSION, key)
    claimant = Claimant(run, "EXTENSION", key)
    steps = []

    def say(at: float, line: Submission) -> None:
        steps.append(Step(run.owner, claimant, line, at))

    said = {
        "source": source, "spec_hash": run.spec.hash, "package_name": run.spec.package, "tags": run.tags,
        "environment": run.machine.environment, "spack_version": run.spack.version,
        "spack_revision": run.spack.revision,
    }  # fmt: skip
    if run.is_skipped:
        say(run.ended, InstallReport(**said, graph=sent(run.spec), status=run.status,
                                     finished_at=moment(run.ended + skew)))  # fmt: skip
        return steps
    say(run.started, InstallReport(
        **said, graph=sent(run.spec), status=BuildStatus.RUNNING, started_at=moment(run.started + skew),
        prefix=run.prefix,
    ))  # fmt: skip
    at = run.started
    for phase in run.phases:
        at += phase.seconds
        ended = InstallPhase(phase.name, phase.status, phase.seconds, phase.log)
        say(at, InstallReport(source, spec_hash=run.spec.hash, phases=(ended,)))
    say(run.ended, _end(run, said, skew))
    if dice.random() < 0.15:
        del steps[dice.randint(1, len(steps)) :]
    elif dice.random() < 0.1:
        del steps[0]  # the first line was lost with a full disk
    return steps


def _end(run: Run, said: dict, skew: float) -> InstallReport:
    is_new = run.spack.has_new_installer
    succeeded = run.status is BuildStatus.SUCCESS
    return InstallReport(
        **said,
        status=run.status,
        started_at=moment(run.started + skew),
        finished_at=moment(run.ended + skew),
        duration_seconds=run.seconds,
        installed_from=installed_from(run),
        prefix=run.prefix if succeeded else None,
        phases=tuple(InstallPhase(phase.name, phase.status, phase.seconds) for phase in run.phases),
        events=events(run),
        configure_arguments=None if is_new else run.arguments,
        environment_variables=None if is_new else run.variables,
        install_files=files(run) if succeeded else None,
    )


def events(run: Run) -> tuple[Event, ...]:
    """The error that Spack raised."""
    return (Event(EventKind.ERROR, f"it broke in {run.token}"),) if run.status is BuildStatus.FAILED else ()


def installed_from(run: Run) -> InstalledFrom:
    """Whether it was built or unpacked."""
    return InstalledFrom.BUILD_CACHE if run.is_cached else InstalledFrom.SOURCE


def files(run: Run) -> tuple[InstalledFile, ...]:
    """The manifest."""
    return tuple(InstalledFile(path, "file", 0o644, hash="0" * 8, size_bytes=10) for path in run.files)
