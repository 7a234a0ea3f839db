"""What `spack install --monitor-save-local` (0.16 to 0.18) left in a directory.

`spec-<name>-<version>-config.json` is a body of specs/new, `build-metadata-<id>.json` one of builds/new,
`build-<id>-phase-<phase>.json` and `build-<id>-status.json` those of the updates. The ids are the client's
own names. Spack's own upload posts the phases in the order in which the directory lists its files; here they
come as they ran.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.json_body import read_json
from spackmon.logs.phase_order import USUAL_ORDER


class SavedKind(StrEnum):
    """Which ms1 write a saved body belongs to: its path below the API's prefix, without slashes around."""

    SPEC = "specs/new"
    BUILD = "builds/new"
    PHASE = "builds/phases/update"
    STATUS = "builds/update"


@dataclass(frozen=True, slots=True)
class SavedReport:
    """A body of a write; `build_name` is the client's name of the build, None for a spec."""

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


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One of the files, by what its name says."""

    kind: SavedKind
    path: Path
    build_name: str | None


def saved_runs(directory: Path) -> list[Path]:
    """The directories of saved runs: `directory` itself, or those in it.

    Raises Refused LOCAL_SAVE_UNREADABLE.
    """
    runs = [path for path in (directory, *_entries(directory)) if path.is_dir() and saved_files(path)]
    if not runs:
        raise _unreadable(directory, "it holds nothing that spack install --monitor-save-local writes")
    return runs[:1] if runs[0] == directory else runs


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
    first = _TIME.search(output) if isinstance(output, str) else None
    return first[1] if first else _NO_TIME


def saved_files(directory: Path) -> list[SavedFile]:
    """The saved files in a directory. Raises Refused LOCAL_SAVE_UNREADABLE."""
    saved = []
    for path in _entries(directory):
        for kind, pattern in _FILES.items():
            match = pattern.fullmatch(path.name)
            if match:
                saved.append(SavedFile(kind, path, match.groupdict().get("build")))
                break
    return saved


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
    return Refused(Code.LOCAL_SAVE_UNREADABLE, f"{path} cannot be read: {problem}")
