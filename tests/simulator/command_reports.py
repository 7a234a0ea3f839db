"""What Spack reports when a command has ended: CDash's documents, and a JUnit file."""

from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from random import Random

from spackmon.formats.reports.cdash import Address, CDashReport, read_cdash
from spackmon.formats.reports.junit import read_junit
from spackmon.status import BuildStatus
from spackmon.submission import InstallReport
from tests.simulator.histories import CONFIGURES
from tests.simulator.steps import Claimant, Step
from tests.simulator.truth import Command, Run

PROJECT = "demo"


def stamp(command: Command) -> str:
    """Local time to the minute, and the track."""
    local = datetime.fromtimestamp(command.started + command.machine.zone_seconds, UTC)
    return local.strftime("%Y%m%d-%H%M-Nightly")


def cdash(command: Command, runs: list[Run], skew: float, dice: Random) -> list[Step]:
    """All documents of a command, put at its end or imported as files later."""
    reported = [run for run in command.runs if run.phases or run.is_cached]
    is_live = dice.random() < 0.8
    steps = []
    at = command.ended + 2
    mentions_hash = dice.random() < 0.5
    for run in reported:
        if run not in runs:
            continue
        name = command.cdash_build if len(reported) == 1 else f"{command.cdash_build} - {run.spec.package}"
        key = f"{command.machine.site}/{stamp(command)}/{name}"
        documents = _documents(command, reported, run, name, skew, mentions_hash)
        who = Claimant(run, "CDASH", key)
        for document in documents:
            at += 0.3
            # A file that is imported does not say its project.
            submission = read_cdash(document, Address(project=PROJECT if is_live else ""))
            if is_live:
                submission = _bounded(submission, at)
            steps.append(Step(run.owner, who, submission, at, is_live))
    if dice.random() < 0.1:
        del steps[dice.randint(0, len(steps)) :]
    return steps


def _bounded(submission: CDashReport, arrival: float) -> CDashReport:
    """What was put to the server was over when it came."""
    if not isinstance(submission, InstallReport) or submission.finished_at is None:
        return submission
    seconds = max(1.0, arrival - submission.finished_at.timestamp())
    later = submission.time_uncertainty_seconds or 0.0
    return replace(submission, time_uncertainty_seconds=min(later, seconds))


def _documents(
    command: Command, reported: list[Run], run: Run, name: str, skew: float, mentions_hash: bool
) -> list[bytes]:
    start = int(command.started + skew)
    end = int(command.started + skew + sum(one.seconds for one in reported))
    head = (
        f'<Site BuildName="{escape(name)}" BuildStamp="{stamp(command)}" Name="{command.machine.site}" '
        f'Generator="spack-{run.spack.version} ({run.spack.revision})" Hostname="" OSName="Linux" '
        f'OSRelease="6.1.0" VendorString="{command.machine.target}">'
    )
    path = (
        f"/tmp/spack-stage-{run.spec.package}-{run.spec.version}-{run.spec.hash}/x.c"
        if mentions_hash
        else "x.c"
    )
    built = [phase for phase in run.phases if phase.name not in CONFIGURES]
    configured = [phase for phase in run.phases if phase.name in CONFIGURES]
    documents = []
    if built:
        kind = "Error" if built[-1].status == "ERROR" else "Warning"
        text = f"it broke in {run.token}" if kind == "Error" else f"unused variable in {run.token}"
        documents.append(
            f"{head}<Build><StartBuildTime>{start}</StartBuildTime><BuildCommand>{command.root.package}"
            f"</BuildCommand><{kind}><BuildLogLine>3</BuildLogLine><Text>{twice(text)}</Text><SourceFile/>"
            f"<SourceLineNumber/><PreContext>{path}</PreContext><PostContext/></{kind}>"
            f"<EndBuildTime>{end}</EndBuildTime><ElapsedMinutes>0</ElapsedMinutes></Build></Site>"
        )
    documents.append(
        f"<Update><Site>{command.machine.site}</Site><BuildName>{escape(name)}</BuildName><BuildStamp>"
        f"{stamp(command)}</BuildStamp><StartTime>{start}</StartTime><UpdateCommand/><UpdateType>GIT"
        f"</UpdateType><Revision>{run.spack.revision}</Revision><EndTime>{end}</EndTime></Update>"
    )
    if configured:
        log = (
            f"configure output for {run.spec.package}:\n{path}\n"
            + b"".join(p.log for p in configured).decode()
        )
        status = int(configured[-1].status == "ERROR")
        documents.append(
            f"{head}<Configure><StartConfigureTime>{start}</StartConfigureTime><ConfigureCommand>"
            f"{command.root.package}</ConfigureCommand><Log>{escape(log)}</Log><ConfigureStatus>{status}"
            f"</ConfigureStatus><EndConfigureTime>{end}</EndConfigureTime></Configure></Site>"
        )
    return [document.encode() for document in documents]


def twice(text: str) -> str:
    """Spack escapes texts of errors twice."""
    return escape(escape(text))


def junit(command: Command, runs: list[Run], skew: float) -> list[Step]:
    """A file with a case for each package; all have the moment at which the command began."""
    timestamp = datetime.fromtimestamp(command.started + skew, UTC).strftime("%a, %d %b %Y %H:%M:%S")
    cases = {run.spec.hash: run for run in runs if run.phases or run.is_cached}
    seconds = sum(run.seconds for run in command.runs)
    written = "".join(_case(run) for run in cases.values())
    document = (
        f'<testsuites><testsuite name="{command.root.package}" errors="0" tests="{len(cases)}" failures="0" '
        f'time="{seconds}" timestamp="{timestamp}"><properties><property name="architecture" '
        f'value="linux-debian12-{command.machine.target}"/></properties>{written}</testsuite></testsuites>'
    )
    steps = []
    for report in read_junit(document.encode()):
        run = cases[report.spec_hash or ""]
        steps.append(Step(run.owner, Claimant(run, "JUNIT", report.source.key), report, command.ended))
    return steps


def _case(run: Run) -> str:
    log = escape(run.log.decode())
    if run.status is BuildStatus.FAILED:
        result = f'<failure message="it broke in {escape(run.token)}">\n{log}</failure>'
    else:
        result = f"<system-out>\n{log}</system-out>"
    package, spec_hash = run.spec.package, run.spec.hash
    return f'<testcase classname="{package}" name="{spec_hash}" time="{run.seconds}">{result}</testcase>'
