"""What `spack install --monitor-save-local` (0.16 to 0.18) left in a directory, in the order to post it.

`spec-<name>-<version>-config.json` is a body of specs/new, `build-metadata-<id>.json` one of builds/new,
`build-<id>-phase-<phase>.json` and `build-<id>-status.json` those of the updates. The ids are the client's
own names; the server hands out others. Spack's own upload posts the phases in the order in which the
directory lists its files; here they come as they ran.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from spackmon.errors import Refused
from spackmon.formats.json_body import read_json
from spackmon.logs.phase_order import USUAL_ORDER


class SavedKind(StrEnum):
    """Which ms1 write a saved body belongs to: its path below the API's prefix, without slashes around."""

    SPEC = "specs/new"
    BUILD = "builds/new"
    PHASE = "builds/phases/update"
    STATUS = "builds/update"


@dataclass(frozen=True, slots=True)
class SavedReport:
    """A body to post; `build_name` is the client's name of the build, None for a spec.

    Before a phase or status is posted, its "build_id" must become the id that the server gave for the
    BUILD of the same name.
    """

    kind: SavedKind
    path: Path
    build_name: str | None
    body: dict[str, Any]


_FILES = {
    SavedKind.SPEC: re.compile(r"spec-.+-config\.json"),
    SavedKind.BUILD: re.compile(r"build-metadata-(?P<build>[^/]+)\.json"),
    SavedKind.PHASE: re.compile(r"build-(?P<build>(?!metadata-)[^/]+?)-phase-[^/]+\.json"),
    SavedKind.STATUS: re.compile(r"build-(?P<build>(?!metadata-)[^/]+?)-status\.json"),
}

# The first command of a phase is written with its time: "==> [2026-11-22-08:44:33.701277] 'make' '-j2'".
_TIME = re.compile(r"^==> \[(\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d\.\d+)\]", re.MULTILINE)
_NO_TIME = "~"  # after every time


# A failure makes the server cancel what has not run yet: what did run says so before.
_STATUS_ORDER = {"SUCCESS": 0, "FAILED": 1, "FAILURE": 1}


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One of the files, by what its name says."""

    kind: SavedKind
    path: Path
    build_name: str | None


def read_saved(directory: Path) -> Iterator[SavedReport]:
    """The reports saved in `directory`, or in each of its subdirectories in turn, read one by one.

    Of one run first the specs, then the builds in the order in which they ran, their phases, their
    statuses. Raises Refused LOCAL_SAVE_UNREADABLE where there is nothing, where a build's metadata is
    missing, or where a file is not what its name says.
    """
    runs = [directory] if saved_files(directory) else [path for path in _entries(directory) if path.is_dir()]
    reports = 0
    for run in runs:
        for report in _reports(saved_files(run)):
            reports += 1
            yield report
    if not reports:
        raise _unreadable(directory, "it holds nothing that spack install --monitor-save-local writes")


def _reports(files: list[SavedFile]) -> Iterator[SavedReport]:
    phases = phases_as_they_ran([file for file in files if file.kind == SavedKind.PHASE])
    ran_at = {name: position for position, (name, _) in reversed(list(enumerate(phases)))}
    builds = [file for file in files if file.kind == SavedKind.BUILD]
    builds.sort(key=lambda file: ran_at.get(file.build_name or "", len(phases)))
    known = {file.build_name for file in builds}
    for file in files:
        if file.build_name is not None and file.build_name not in known:
            raise _unreadable(file.path, f"build-metadata-{file.build_name}.json is missing beside it")
    statuses = [read_report(file) for file in files if file.kind == SavedKind.STATUS]
    statuses.sort(key=lambda report: _STATUS_ORDER.get(str(report.body.get("status")), len(_STATUS_ORDER)))
    yield from (read_report(file) for file in files if file.kind == SavedKind.SPEC)
    yield from (read_report(file) for file in builds)
    yield from (read_report(file) for _, file in phases)
    yield from statuses


def phases_as_they_ran(files: list[SavedFile]) -> list[tuple[str, SavedFile]]:
    """The phases with their build's name: builds by their first time, phases by their own."""
    by_build: dict[str, list[tuple[str, str, SavedFile]]] = {}
    for file in files:
        body = read_report(file).body
        phase = (_first_time(body.get("output")), str(body.get("phase_name")), file)
        by_build.setdefault(file.build_name or "", []).append(phase)
    builds = sorted(by_build.items(), key=lambda build: min(time for time, _, _ in build[1]))
    return [(name, file) for name, phases in builds for file in _in_order(phases)]


def _in_order(phases: list[tuple[str, str, SavedFile]]) -> list[SavedFile]:
    phases = sorted(phases, key=lambda phase: (phase[0], _usual_position(phase[1])))
    ordered = [phase for phase in phases if phase[0] != _NO_TIME]
    for silent in phases[len(ordered) :]:
        position = _usual_position(silent[1])
        later = (index for index, (_, name, _) in enumerate(ordered) if _usual_position(name) > position)
        ordered.insert(next(later, len(ordered)), silent)
    return [file for _, _, file in ordered]


def _usual_position(phase_name: str) -> int:
    return USUAL_ORDER.index(phase_name) if phase_name in USUAL_ORDER else -1


def _first_time(output: object) -> str:
    found = _TIME.search(output) if isinstance(output, str) else None
    return found[1] if found else _NO_TIME


def saved_files(directory: Path) -> list[SavedFile]:
    """The saved files in a directory. Raises Refused LOCAL_SAVE_UNREADABLE."""
    found = []
    for path in _entries(directory):
        for kind, pattern in _FILES.items():
            match = pattern.fullmatch(path.name)
            if match:
                found.append(SavedFile(kind, path, match.groupdict().get("build")))
                break
    return found


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError as problem:
        raise _unreadable(directory, problem.strerror or "it is no directory") from None


def read_report(file: SavedFile) -> SavedReport:
    """What is in a saved file. Raises Refused LOCAL_SAVE_UNREADABLE."""
    try:
        body = read_json(file.path.read_bytes())
    except OSError as problem:
        raise _unreadable(file.path, problem.strerror or "no file") from None
    except Refused as refused:
        raise _unreadable(file.path, refused.sentence) from None
    if isinstance(body.get("output"), bytes):
        # What is posted must be JSON again.
        body["output"] = body["output"].decode("utf-8", "surrogatepass")
    return SavedReport(file.kind, file.path, file.build_name, body)


def _unreadable(path: Path, problem: str) -> Refused:
    return Refused("LOCAL_SAVE_UNREADABLE", 400, f"{path} cannot be read: {problem}")
