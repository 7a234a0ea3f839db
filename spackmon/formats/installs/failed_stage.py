"""The stage of a build that failed: what either installer keeps of it.

The old installer keeps a directory `spack-stage-<name>-<version>-<hash>` with logs, configure arguments and
the changes to the environment. The whole environment of the process, `spack-build-env.txt` beside them, may
hold the passwords and tokens of whoever built, and is never read. The new installer keeps a log
`spack-stage-<name>-<hash>-<random>.log`, to which `spack-build-out.txt` in such a directory is a link.

What is kept on purpose (`spack install --keep-stage`) looks the same where the build succeeded.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from spackmon.formats.build_logs import WHOLE_LOG, BuildLogs, divided, read_logs
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.folder import Folder, read_file
from spackmon.formats.installs.directory_names import named_build
from spackmon.formats.installs.environment_changes import environment_changes
from spackmon.formats.moments import ended
from spackmon.status import BuildStatus, InstalledFrom, SourceKind
from spackmon.submission import InstallPhase, InstallReport, Source

_MARK = "spack-stage-"
_LOG_FILE = re.compile(
    r"spack-stage-(?P<package>[\w.+-]{1,400})-(?P<hash>[a-z2-7]{32})-[a-z0-9_]{8}\.log", re.ASCII
)
CHANGES = "spack-build-env-mods.txt"
ARGUMENTS = "spack-configure-args.txt"


def is_stage(directory_name: str) -> bool:
    """Whether a directory has the name of a stage."""
    return directory_name.startswith(_MARK) and named_build(directory_name.removeprefix(_MARK)) is not None


def is_stage_log(file_name: str) -> bool:
    """Whether a file has the name of a log of the new installer."""
    return _LOG_FILE.fullmatch(file_name) is not None


def read_stage(directory: Path) -> Iterator[InstallReport]:
    """The build that failed in a directory that `is_stage`; none where no log lies in it.

    Raises Refused FILE_DAMAGED after the report, naming the files that are not in it.
    """
    named = named_build(directory.name.removeprefix(_MARK))
    files = Folder(directory)
    damage = Damage()
    logs = damage.attempt(read_logs, files) or BuildLogs({}, None)
    if named is not None and (logs.whole or logs.by_phase):
        yield InstallReport(
            **failure_of(*named, logs, files.modified_at_seconds(WHOLE_LOG)),
            configure_arguments=damage.attempt(files.text, ARGUMENTS),
            environment_variables=damage.attempt(changes, files),
        )
    damage.settle()


def read_stage_log(path: Path) -> Iterator[InstallReport]:
    """The build that failed, of a file that `is_stage_log`. Raises Refused."""
    named = _LOG_FILE.fullmatch(path.name)
    if named is not None:
        logs = divided(read_file(path))
        yield InstallReport(**failure_of(named["package"], named["hash"], logs, path.lstat().st_mtime))


class Failure(TypedDict):
    """The fields of an InstallReport that a stage's name and its logs tell."""

    source: Source
    spec_hash: str | None
    package_name: str
    status: BuildStatus | None
    installed_from: InstalledFrom
    finished_at: datetime | None
    time_uncertainty_seconds: float | None
    phases: tuple[InstallPhase, ...]
    log: bytes | None


def failure_of(
    package_name: str, spec_hash: str | None, logs: BuildLogs, written_at_seconds: float | None
) -> Failure:
    """What stages of either kind tell.

    The log's own time on disk says when the build ended; where the log has times that this contradicts, the
    stage is a copy, and its local times are all there is.
    """
    seconds = [] if written_at_seconds is None else [written_at_seconds]
    end = ended(seconds, logs.ended_at)
    return Failure(
        source=_source(logs.package_name or package_name, spec_hash, logs),
        spec_hash=spec_hash,
        package_name=logs.package_name or package_name,
        status=BuildStatus.FAILED,
        installed_from=InstalledFrom.SOURCE,
        finished_at=end.at,
        time_uncertainty_seconds=end.uncertainty_seconds,
        phases=_phases(logs),
        log=logs.whole,
    )


def _phases(logs: BuildLogs) -> tuple[InstallPhase, ...]:
    """Of phases that run one after the other the last is the one that failed."""
    names = list(logs.by_phase)
    return tuple(
        InstallPhase(name, "ERROR" if name == names[-1] else "SUCCESS", output=logs.by_phase[name] or None)
        for name in names
    )


def changes(files: Folder) -> dict[str, str] | None:
    """The changes to the environment that a stage keeps. Raises Refused, FieldUnfit."""
    text = files.text(CHANGES)
    return None if text is None else environment_changes(text, CHANGES)


def _source(package_name: str, spec_hash: str | None, logs: BuildLogs) -> Source:
    """The log tells one attempt from the next; a log and a link to it are one source."""
    digest = hashlib.sha256()
    for text in [logs.whole or b"", *logs.by_phase.values()]:
        digest.update(text)
    name = f"{_MARK}{package_name}-{spec_hash or 'develop'}"
    return Source(SourceKind.STAGE, f"{name}#{digest.hexdigest()[:32]}")
