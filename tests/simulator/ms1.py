"""What `spack install --monitor` (0.16 to 0.18) sends while it runs, or saves and uploads later."""

from dataclasses import dataclass
from random import Random

from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    InstallPhase,
    InstallReport,
    PhaseReport,
    Source,
    SpecReport,
    StatusReport,
    Submission,
)
from tests.simulator.documents import sent
from tests.simulator.extension import files
from tests.simulator.steps import UNNUMBERED, Claimant, Step, moment
from tests.simulator.truth import Command, Run


@dataclass(slots=True)
class _Conversation:
    """The steps of a client, every one at its own moment."""

    command: Command
    name: str
    steps: list[Step]

    def say(
        self, at: float, submission: Submission, run: Run | None = None, who: Claimant | None = None
    ) -> None:
        build = None if run is None else f"{self.name}/{run.number}"
        self.steps.append(Step(self.command.owner, who, submission, at, True, build))


def live(command: Command, runs: list[Run], dice: Random) -> list[Step]:
    """A command from the first request to the last; it may be killed in the middle, and be analyzed later."""
    talk = _Conversation(command, f"live-{command.number}", [])
    talk.say(command.started, SpecReport(sent(command.root), command.spack.version))
    who = {run.number: Claimant(run, "MS1", None, talk.name) for run in runs}
    for run in runs:
        # The root is named first of all, and not again when its turn comes.
        is_root = run.spec.hash == command.root.hash
        talk.say(command.started + 0.3 if is_root else run.started, _begin(run), run, who[run.number])
        at = run.started
        for phase in run.phases:
            at += phase.seconds
            talk.say(at, PhaseReport(UNNUMBERED, phase.name, phase.status, phase.log), run, who[run.number])
        # 0.16 and 0.17 say only of the root that it failed.
        breaks = run.status is BuildStatus.FAILED and run.spec.hash != command.root.hash
        if not (breaks and command.spack.format_version < 3):
            talk.say(run.ended, StatusReport(UNNUMBERED, run.status), run, who[run.number])
        if run.status is BuildStatus.SUCCESS and dice.random() < 0.3:
            named = BuildReport(
                _shown(run), run.machine.environment, run.spack.version, (), sent(run.spec), False
            )
            talk.say(run.ended + 0.2, named, run, who[run.number])
            talk.say(run.ended + 0.3, AnalysisReport(
                UNNUMBERED, files(run), run.variables, run.arguments, run.arguments is not None,
            ), run, who[run.number])  # fmt: skip
    steps = sorted(talk.steps, key=lambda step: step.earliest)
    return steps if dice.random() < 0.85 else steps[: dice.randint(2, max(2, len(steps)))]


def saved(command: Command, runs: list[Run], dice: Random) -> list[Step]:
    """The run as a directory: uploaded once or twice, each long after it ended, and perhaps imported."""
    runs = [run for run in runs if run.phases]
    who = {run.number: Claimant(run, "MS1", f"saved/{_directory(command)}/{run.spec.hash}",
                                f"saved-{command.number}") for run in runs}  # fmt: skip
    steps = []
    for turn in range(dice.choice([0, 1, 1, 2])):
        at = command.ended + dice.choice([60.0, 86400.0, 20 * 86400.0]) * dice.uniform(0.5, 1.5)
        steps += _upload(command, runs, who, f"upload-{command.number}-{turn}", at)
    if not steps or dice.random() < 0.5:
        spec = SpecReport(sent(command.root), command.spack.version)
        steps.append(Step(command.owner, None, spec, command.ended))
        steps += [Step(run.owner, who[run.number], _imported(command, run), command.ended) for run in runs]
    return steps


def _upload(command: Command, runs: list[Run], who: dict[int, Claimant], name: str, at: float) -> list[Step]:
    talk = _Conversation(command, name, [])
    requests: list[tuple[Submission, Run | None]] = [
        (SpecReport(sent(command.root), command.spack.version), None)
    ]
    requests += [(_begin(run), run) for run in runs]
    for run in runs:
        requests += [
            (PhaseReport(UNNUMBERED, phase.name, phase.status, phase.log), run) for phase in run.phases
        ]
    requests += [(StatusReport(UNNUMBERED, run.status), run) for run in runs]
    for number, (request, run) in enumerate(requests):
        talk.say(at + number * 0.05, request, run, None if run is None else who[run.number])
    return talk.steps


def _begin(run: Run) -> BuildReport:
    return BuildReport(_shown(run), run.machine.environment, run.spack.version, run.tags, None, True)


def _shown(run: Run) -> str:
    """0.18 names the spec by another hash than it posted."""
    return run.spec.full_hash if run.spack.format_version < 3 else run.spec.hash


def _directory(command: Command) -> str:
    seconds = int(command.started)
    local = moment(seconds + command.machine.zone_seconds).strftime("%Y-%m-%d-%H-%M-%S")
    return f"{local}-{seconds}"


def _imported(command: Command, run: Run) -> InstallReport:
    """As `spackmon import` reads such a directory: the logs and the directory's name tell when it began."""
    return InstallReport(
        source=Source(SourceKind.MS1, f"saved/{_directory(command)}/{run.spec.hash}"),
        spec_hash=_shown(run), environment=run.machine.environment, spack_version=run.spack.version,
        status=run.status, started_at=moment(run.started), tags=run.tags,
        phases=tuple(InstallPhase(phase.name, phase.status, output=phase.log) for phase in run.phases),
    )  # fmt: skip
