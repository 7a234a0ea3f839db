"""The logs of one build as they lie beside each other: one a phase, or one for all.

0.16 and 0.17 leave `spack-build-02-build-out.txt` and so on in the prefix, every installer but that of 1.2
leaves them in a failed stage; `spack-build-out.txt` is all of them joined, and often the only one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from spackmon.formats.bytes.folder import Folder
from spackmon.logs.phases import divide, last_time
from spackmon.submission import InstallPhase

WHOLE_LOG = "spack-build-out.txt"
_PHASE_LOG = re.compile(r"spack-build-\d\d+-(?P<phase>[\w.+-]{1,200})-out\.txt")
# Spack's own name for what it does before the first phase: fetching, unpacking, patching.
_BEFORE_PHASES = "stage"


@dataclass(frozen=True, slots=True)
class BuildLogs:
    """`by_phase` in the order in which they ran; `whole` where the phases cannot be separated."""

    by_phase: Mapping[str, bytes]
    whole: bytes | None
    package_name: str | None = None
    ended_at: datetime | None = None


def read_logs(folder: Folder) -> BuildLogs:
    """The logs in a folder. Raises Refused naming the file that cannot be read."""
    by_phase = _phase_logs(folder)
    if by_phase:
        whole_bytes = folder.size_bytes(WHOLE_LOG)
        if whole_bytes is None or whole_bytes == sum(map(len, by_phase.values())):
            return _of_phases(by_phase)
    whole = folder.log(WHOLE_LOG)
    return BuildLogs({}, None) if whole is None else divided(whole)


def divided(log: bytes) -> BuildLogs:
    """The phases of a whole log; what stands before the first is the phase `stage`."""
    parts = divide(log)
    ended_at = last_time(log)
    if not parts.phases:
        return BuildLogs({}, log or None, None, ended_at)
    by_phase = {phase.name: phase.text for phase in parts.phases}
    if parts.preamble:
        before = by_phase.pop(_BEFORE_PHASES, b"")
        by_phase = {_BEFORE_PHASES: parts.preamble + before} | by_phase
    return BuildLogs(by_phase, None, parts.phases[0].package, ended_at)


def succeeded(logs: BuildLogs, seconds: Mapping[str, float | None]) -> tuple[InstallPhase, ...]:
    """The phases of a build that succeeded, which have a log, a duration or both, as they ran."""
    names = list(seconds)
    position = 0
    for name in logs.by_phase:
        if name not in seconds:
            names.insert(position, name)
        position = names.index(name) + 1
    return tuple(
        InstallPhase(name, "SUCCESS", seconds.get(name), logs.by_phase.get(name) or None) for name in names
    )


def _phase_logs(folder: Folder) -> dict[str, bytes]:
    logs = {}
    for file_name in sorted(folder.names):
        named = _PHASE_LOG.fullmatch(file_name)
        if named is not None:
            logs[named["phase"]] = folder.read(file_name) or b""
    return logs


def _of_phases(by_phase: dict[str, bytes]) -> BuildLogs:
    logs = list(by_phase.values())
    named = divide(logs[0]).phases
    return BuildLogs(
        by_phase,
        None,
        named[0].package if named else None,
        next(filter(None, map(last_time, reversed(logs))), None),
    )
