"""A run that `spack install --monitor-save-local` saved, as installs: what an import takes of it.

Posting the bodies again (local_save.py) begins a new attempt each time; an install has a source, so that an
import of the same run changes nothing.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.formats import ms1
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.folder import Folder
from spackmon.formats.installs.local_save import (
    SavedFile,
    SavedKind,
    phases_as_they_ran,
    read_report,
    saved_files,
)
from spackmon.formats.moments import Moment, local_moment
from spackmon.logs.phases import first_time
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import (
    BuildReport,
    ConcretizationFailureReport,
    InstallPhase,
    InstallReport,
    PhaseReport,
    Source,
    SpecReport,
)

# Spack names a run by its time, local and since 1970: 2026-11-22-08-44-31-1795337071.
_RUN = re.compile(r"(?P<local>\d{4}(?:-\d\d){5})-(?P<seconds>\d{9,10})")
# Phases and statuses name their build as a server numbered it: here, where there is none, by any number.
_ANY_BUILD = {"build_id": 0}


def is_saved_run(file_names: frozenset[str]) -> bool:
    """Whether a directory with these files is one saved run, by the file that every build has."""
    return any(name.startswith("build-metadata-") and name.endswith(".json") for name in file_names)


def read_saved_run(directory: Path) -> Iterator[SpecReport | ConcretizationFailureReport | InstallReport]:
    """The specs of a run, then its builds. Raises Refused FILE_DAMAGED at the end, naming what is missing."""
    regular = Folder(directory).names
    files = [file for file in saved_files(directory) if file.path.name in regular]
    damage = Damage()
    builds: dict[str, list[SavedFile]] = {}
    for file in files:
        if file.kind is SavedKind.SPEC:
            spec = damage.attempt(_spec, file)
            if spec is not None:
                yield spec
        elif file.build_name is not None:
            builds.setdefault(file.build_name, []).append(file)
    for build_name, of_build in builds.items():
        install = _install(directory.name, build_name, of_build, damage)
        if install is not None:
            yield install
    damage.settle()


def _install(run_name: str, build_name: str, files: list[SavedFile], damage: Damage) -> InstallReport | None:
    build = damage.attempt(_build, build_name, files)
    if build is None:
        return None
    phases = _phases(files, damage)
    began = _began(run_name, phases)
    statuses = [damage.attempt(_status, file) for file in files if file.kind is SavedKind.STATUS]
    # 0.16 and 0.17 give no status of the package that broke, only of those that depend on it.
    broken = BuildStatus.FAILED if any(phase.status == "ERROR" for phase in phases) else None
    return InstallReport(
        source=_source(run_name, build_name, phases),
        spec_hash=build.spec_hash,
        environment=build.environment,
        spack_version=build.spack_version,
        status=next(filter(None, statuses), broken),
        started_at=began.at,
        time_uncertainty_seconds=began.uncertainty_seconds,
        phases=tuple(InstallPhase(phase.name, phase.status, output=_text(phase)) for phase in phases),
        tags=build.tags,
    )


def _text(phase: PhaseReport) -> bytes | None:
    return None if phase.output is None else bytes(phase.output)


def _phases(files: list[SavedFile], damage: Damage) -> list[PhaseReport]:
    """The phases as they ran; where one is damaged, the others."""
    saved = [file for file in files if file.kind is SavedKind.PHASE]
    whole = [file for file in saved if damage.attempt(_phase, file) is not None]
    return [_phase(file) for _, file in phases_as_they_ran(whole)]


def _spec(file: SavedFile) -> SpecReport | ConcretizationFailureReport:
    try:
        return ms1.read_spec(_body(file))
    except Refused as refused:
        sentence = f"{file.path.name}: {refused.sentence.removeprefix(f'{file.path.name}: ')}"
        raise Refused(refused.code, sentence) from None


def _build(build_name: str, files: list[SavedFile]) -> BuildReport:
    for file in files:
        if file.kind is SavedKind.BUILD:
            return ms1.read_build(_body(file))
    raise Refused(Code.FILE_DAMAGED, f"build-metadata-{build_name}.json is missing")


def _phase(file: SavedFile) -> PhaseReport:
    return ms1.read_phase(_body(file) | _ANY_BUILD)


def _status(file: SavedFile) -> BuildStatus:
    return ms1.read_status(_body(file) | _ANY_BUILD).status


def _body(file: SavedFile) -> dict[str, Any]:
    try:
        return read_report(file).body
    except Refused as refused:
        sentence = refused.sentence.replace(str(file.path), file.path.name)
        raise Refused(refused.code, sentence) from None


def _source(run_name: str, build_name: str, phases: list[PhaseReport]) -> Source:
    """The client's name of a build is the same in every run: the run, or the logs, tell which it was."""
    if _RUN.fullmatch(run_name) is None:
        digest = hashlib.sha256()
        for phase in phases:
            digest.update(phase.output or b"")
        run_name = f"#{digest.hexdigest()[:32]}"
    return Source(SourceKind.MS1, f"saved/{run_name}/{build_name[:200]}")


def _began(run_name: str, phases: list[PhaseReport]) -> Moment:
    """The first time in the logs, of the zone in which the run's name has its time."""
    run = _RUN.fullmatch(run_name)
    began_at = next(filter(None, (first_time(phase.output or b"") for phase in phases)), None)
    if run is None or began_at is None:
        return local_moment(began_at)
    try:
        local = datetime.strptime(run["local"], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
        zone = local - datetime.fromtimestamp(int(run["seconds"]), UTC)
        return Moment(began_at.replace(tzinfo=UTC) - timedelta(minutes=round(zone.total_seconds() / 60)))
    except (ValueError, OverflowError):
        return local_moment(began_at)
