"""What Spack leaves on the disk about a build: logs, the directory `.spack` of a prefix, a failed stage.

Of a failed stage only the *changes* of the environment are read: `spack-build-env.txt` there is the whole
environment of the process and may hold the passwords and tokens of whoever builds.
"""

import base64
import gzip
import hashlib
import json
import os
import re
import shlex
import stat
import sys
import zlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

# What a log may have; the server takes 256 MiB in one report.
MAXIMUM_LOG_BYTES = 64 << 20
_CUT = b"\n[spack monitor: %d bytes of the log were left out here]\n"
# Short logs can be read on the wire.
_TEXT_BYTES = 64 << 10
# A file that was written so much later than a report tells of a later build.
_LATER_SECONDS = 5.0
# A file system's clock may be behind, and count whole seconds.
_EARLIER_SECONDS = 1.0

_WHOLE_LOG = "spack-build-out.txt"
_MANIFEST = "install_manifest.json"
_TIMES = "install_times.json"
# What `spack buildcache push` adds to a binary; it stays in the prefix that the binary is unpacked into.
_OF_A_CACHE = "binary_distribution"
_PHASE_LINE = re.compile(
    rb"^(?:\x1b\[[0-9;]*m)*==>(?:\x1b\[[0-9;]*m)* (?:\x1b\[[0-9;]*m)*(?P<package>[\w.+-]+)(?:\x1b\[[0-9;]*m)*"
    rb": Executing phase: '(?:\x1b\[[0-9;]*m)*(?P<phase>[\w.+-]+)",
    re.MULTILINE,
)

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Slice(NamedTuple):
    """A part of a log, `end` None for its end; and the same log's place once the build has succeeded."""

    path: str
    start: int
    end: Optional[int]
    later_path: Optional[str]


def read_slice(part: Slice, written_by: float) -> Optional[bytes]:
    """The bytes of the part, None when its log has gone or is a later build's."""
    for path in filter(None, (part.path, part.later_path)):
        log = read_log(path, written_by, part.start, part.end)
        if log is not None:
            return log
    return None


def size_bytes(part: Slice) -> int:
    """How long a part of a log is that is being written, 0 when its log has gone."""
    try:
        return os.path.getsize(part.path) - part.start
    except OSError:
        return 0


def read_log(path: str, written_by: float, start: int = 0, end: Optional[int] = None) -> Optional[bytes]:
    """A log or a part of it, gzipped (and named so) or not; None when there is none of that time.

    Of a longer one than a report may have, the begin and the end.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_mtime > written_by + _LATER_SECONDS:
            return None
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            file.seek(start)
            return _within_limit(file, None if end is None else end - start)
    except (OSError, EOFError, zlib.error):
        return None


def log_field(name: str, log: bytes) -> Dict[str, str]:
    """A log as a field of a report: text where that is short and possible, else gzipped."""
    if len(log) <= _TEXT_BYTES:
        try:
            return {name: log.decode("utf-8")}
        except UnicodeDecodeError:
            pass
    return {name + "_base64": base64.b64encode(gzip.compress(log, 6)).decode("ascii")}


def divide(log: bytes) -> List[Tuple[str, bytes]]:
    """The phases of a whole log with their parts; none where the installer does not name them.

    What stands before the first is Spack's own phase `stage`. Phases of another package are what a command
    of the first one printed.
    """
    found = list(_PHASE_LINE.finditer(log))
    starts: List[Tuple[str, int]] = []
    for line in found:
        phase = line.group("phase").decode("ascii", "replace")
        if line.group("package") == found[0].group("package") and phase not in dict(starts):
            starts.append((phase, line.start()))
    if starts and starts[0][1] > 0:
        starts.insert(0, ("stage", 0))
    ends = [start for _, start in starts[1:]] + [len(log)]
    return [(phase, log[start:end]) for (phase, start), end in zip(starts, ends)]


def read_prefix(prefix: str, written_by: float, with_log: bool, was_unpacked: bool) -> Dict[str, Any]:
    """What the directory `.spack` of a prefix says, as fields of a report; what is damaged is left out.

    `was_unpacked`: the installer said that it unpacked a binary. In such a prefix log, times, environment,
    arguments and machine are those of the build that made the binary, somewhere else and some other day.
    """
    folder = os.path.join(prefix, ".spack")
    try:
        times = _times(read_json(os.path.join(folder, _TIMES)))
    except (KeyError, TypeError):
        times = _Times(None, {}, False)
    if was_unpacked or is_unpacked(prefix):
        unpacked: Dict[str, Any] = {"prefix": prefix, "installed_from": "BUILD_CACHE"}
        if times.is_of_a_binary and times.total_seconds is not None:
            unpacked["duration_seconds"] = times.total_seconds
        files = _manifest_at(prefix)
        return dict(unpacked, install_files=files) if files else unpacked
    report: Dict[str, Any] = {
        "prefix": prefix,
        "installed_from": "SOURCE",
        "duration_seconds": times.total_seconds,
        "configure_arguments": _text(os.path.join(folder, "spack-configure-args.txt")),
        "environment_variables": _environment_changes(_text(os.path.join(folder, "spack-build-env.txt"))),
        "install_files": read_json(os.path.join(folder, _MANIFEST)),
    }
    report.update(_circumstances(read_json(os.path.join(folder, "install_environment.json"))))
    log = prefix_log(prefix, written_by) if with_log else None
    by_phase = divide(log) if log else []
    report["phases"] = _phases_of_success(times.phase_seconds, by_phase)
    if log and not by_phase:
        report.update(log_field("log", log))
    return {name: value for name, value in report.items() if value not in (None, [], {})}


def read_stage(stage: str, log_path: str, written: Tuple[float, float], has_failed: bool) -> Dict[str, Any]:
    """What a build without an install left in its stage from its begin to its end, as fields of a report.

    If it has failed, its last phase is the one that did; else it was stopped between two phases. A stage is
    kept when a build fails, and what the next run does not come to write anew is still the last one's.
    """
    written_from, written_by = written
    report: Dict[str, Any] = {
        "configure_arguments": _text(os.path.join(stage, "spack-configure-args.txt"), written_from),
        "environment_variables": _environment_changes(
            _text(os.path.join(stage, "spack-build-env-mods.txt"), written_from)
        ),
    }
    log = read_log(log_path, written_by) if _is_written_since(log_path, written_from) else None
    by_phase = divide(log) if log else []
    phases = [dict(log_field("output", part), name=phase, status="SUCCESS") for phase, part in by_phase]
    if phases:
        if has_failed:
            phases[-1]["status"] = "ERROR"
        report["phases"] = phases
    elif log:
        report.update(log_field("log", log))
    return {name: value for name, value in report.items() if value not in (None, {})}


def prefix_log(prefix: str, written_by: float) -> Optional[bytes]:
    """The log of an installed build."""
    path = os.path.join(prefix, ".spack", _WHOLE_LOG)
    log = read_log(path + ".gz", written_by)
    return read_log(path, written_by) if log is None else log


def is_unpacked(prefix: str) -> bool:
    """Whether the prefix holds a binary of a build cache, by what only such a prefix has."""
    folder = os.path.join(prefix, ".spack")
    times = read_json(os.path.join(folder, _TIMES)) or {}
    return os.path.exists(os.path.join(folder, _OF_A_CACHE)) or times.get("cache") is True


def prefix_key(prefix: str) -> str:
    """The name of one installation into a prefix, the one that `spackmon import` gives it as well.

    A binary has the manifest of the prefix that it was built in, byte for byte; that must not make all
    prefixes it is unpacked into one installation.
    """
    folder = os.path.join(prefix, ".spack")
    is_from_cache = is_unpacked(prefix)
    place = prefix if is_from_cache else _place(read_json(os.path.join(folder, _MANIFEST))) or prefix
    place = storable(place)
    digest = hashlib.sha256(place.encode("utf-8"))
    names = (_MANIFEST, _TIMES, _OF_A_CACHE) if is_from_cache else (_MANIFEST, _TIMES)
    read = [_bytes(os.path.join(folder, name)) for name in names]
    parts = [content for content in read if content is not None]
    if not parts:
        log = prefix_log(prefix, float("inf")) or b""
        by_phase = [part for _, part in divide(log)]
        parts = [b"", *by_phase] if by_phase else [log]
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return f"{place[-400:]}#{digest.hexdigest()[:32]}"


def storable(value: Any) -> Any:
    """A value of JSON in which what no database takes as text is an escape, `\\xff` of a byte."""
    if isinstance(value, str):
        return _UNSTORABLE.sub(_escaped, value)
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value


def _escaped(found: Any) -> str:
    code = ord(found.group())
    # Python's way to have a byte as a character.
    is_byte = 0xDC80 <= code <= 0xDCFF
    return f"\\x{code - 0xDC00 if is_byte else 0:02x}" if is_byte or not code else "\ufffd"


def read_json(path: str) -> Optional[Dict[str, Any]]:
    """A JSON object, None where there is none."""
    content = _bytes(path)
    try:
        found = json.loads(content.decode("utf-8")) if content else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class _Times(NamedTuple):
    total_seconds: Optional[float]
    phase_seconds: Dict[str, float]
    is_of_a_binary: bool


def _place(manifest: Optional[Dict[str, Any]]) -> Optional[str]:
    """The prefix that a manifest was written in."""
    return next((path[: -len("/.spack")] for path in manifest or {} if path.endswith("/.spack")), None)


def _manifest_at(prefix: str) -> Dict[str, Any]:
    """The manifest of a prefix, whose paths are below another one where the binary was built."""
    manifest = read_json(os.path.join(prefix, ".spack", _MANIFEST)) or {}
    place = _place(manifest)
    if place is None or place == prefix:
        return manifest
    below = place + "/"
    return {
        prefix + path[len(place) :] if path == place or path.startswith(below) else path: entry
        for path, entry in manifest.items()
    }


def _times(content: Optional[Dict[str, Any]]) -> _Times:
    if not content:
        return _Times(None, {}, False)
    total = content.get("total")
    phases: Dict[str, float] = {}
    for phase in content.get("phases") or []:
        # A path of several names is a part of a phase.
        if "/" not in phase["path"] and isinstance(phase["seconds"], (int, float)):
            phases.setdefault(phase["name"], phase["seconds"])
    is_of_a_binary = content.get("cache") is True
    return _Times(total if isinstance(total, (int, float)) else None, phases, is_of_a_binary)


def _phases_of_success(seconds: Dict[str, float], by_phase: List[Tuple[str, bytes]]) -> List[Dict[str, Any]]:
    outputs = dict(by_phase)
    names = list(seconds)
    position = 0
    for name, _ in by_phase:
        if name not in seconds:
            names.insert(position, name)
        position = names.index(name) + 1
    phases = []
    for name in names:
        phase: Dict[str, Any] = {"name": name, "status": "SUCCESS"}
        if seconds.get(name) is not None:
            phase["duration_seconds"] = seconds[name]
        if outputs.get(name):
            phase.update(log_field("output", outputs[name]))
        phases.append(phase)
    return phases


def _circumstances(content: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    if not content:
        return {}
    names = ("hostname", "platform", "host_os", "host_target", "kernel_version")
    told = str(content.get("spack_version") or "")
    version, revision = version_and_revision(told)
    return {
        "environment": {name: content.get(name) for name in names},
        "spack_version": version,
        "spack_revision": revision,
    }


def version_and_revision(told: str) -> Tuple[Optional[str], Optional[str]]:
    """Of `1.2.0 (9cf6633…)`, as Spack says of itself, the version, and the commit if it is a checkout."""
    found = re.match(r"(\S+) \(([0-9a-f]{7,40})\)\Z", told)
    return (found.group(1), found.group(2)) if found else (told or None, None)


def _environment_changes(text: Optional[str]) -> Optional[Dict[str, str]]:
    """The variables that are set in a file of `export NAME=VALUE;` and `unset NAME;`, None of any other."""
    try:
        words = shlex.split(text or "")
    except ValueError:
        return None
    variables = {}
    for command, change in zip(words[::2], words[1::2]):
        name, is_set, value = change.partition("=")
        if command not in ("export", "unset") or not change.endswith(";"):
            return None
        if command == "export" and is_set:
            variables[name] = value[:-1]
    return variables


def _within_limit(file: Any, length: Optional[int]) -> bytes:
    """The rest of a file, or so much of it; of too much, the begin and the end."""
    half = MAXIMUM_LOG_BYTES // 2
    left = sys.maxsize if length is None else length
    head: bytes = file.read(min(half, left))
    left -= len(head)
    tail = bytearray()
    left_out = 0
    while left > 0:
        more = file.read(min(1 << 20, left))
        if not more:
            break
        left -= len(more)
        tail += more
        if len(tail) > 2 * half:
            left_out += len(tail) - half
            del tail[:-half]
    return head + (_CUT % left_out if left_out else b"") + bytes(tail)


def _is_written_since(path: str, moment: float) -> bool:
    try:
        return os.path.getmtime(path) >= moment - _EARLIER_SECONDS
    except OSError:
        return False


def _text(path: str, written_from: float = 0.0) -> Optional[str]:
    content = _bytes(path) if _is_written_since(path, written_from) else None
    return None if content is None else content.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def _bytes(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read(MAXIMUM_LOG_BYTES)
    except OSError:
        return None
