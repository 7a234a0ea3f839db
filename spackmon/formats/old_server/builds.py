"""Builds: each is what the old server was told of the runs of a spec on a machine, the last of which stayed.

A row's `add_date` is when the report came. When it ran is in the log alone, in a local time of no zone. What
the old server itself read in the outputs (errors and warnings) is read in them again; where an output is
gone, they are all there is.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from spackmon.formats.bytes.fields import (
    INTEGER_BITS,
    ROW_ID_BITS,
    FieldUnfit,
    escaped,
    integer,
    short_key,
    short_text,
    storable_json,
)
from spackmon.formats.bytes.json_body import parse
from spackmon.formats.moments import local_moment
from spackmon.formats.old_server.rows import (
    AttributeRow,
    BuildRow,
    EventRow,
    FileRow,
    Note,
    PhaseRow,
    SpecRow,
)
from spackmon.formats.old_server.specs import name_of_spec
from spackmon.logs.phases import first_time
from spackmon.status import BuildStatus, EventKind, SourceKind
from spackmon.submission import (
    AttributeValue,
    Environment,
    Event,
    InstalledFile,
    InstallPhase,
    InstallReport,
    Source,
)

FILES, RESULTS, TAGS, VARIABLES = (
    "install files",
    "analysis results",
    "tags of builds",
    "environment variables",
)
PHASES, LOGS, ERRORS, WARNINGS = "phases", "logs", "errors", "warnings"
BUILDS, ARGUMENTS, DETAILS = "builds", "configure arguments", "modes and owners of files"
OF_KIND = {EventKind.ERROR: ERRORS, EventKind.WARNING: WARNINGS}

# Where the server cut a path in two.
_CUT = "/spack/opt/spack/"
_PATH_BYTES = 2_600
_TWO_NAMES = "of two names of one path"
_NO_JSON = ("", "{}", "null")
_LARGEST_LINE = 1 << 31

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class OldBuild:
    """What is reported of a build, each report with the moment at which it came; and what is left out."""

    source: Source
    reports: Sequence[tuple[InstallReport, datetime]]
    notes: Sequence[Note]


def read_build(row: BuildRow, spec: SpecRow, key: str) -> OldBuild:
    """The reports of a build of `spec`, which it names by a hash. Raises FieldUnfit."""
    notes: list[Note] = []
    added_at = moment(row.added_at)
    source = Source(SourceKind.MS1, key)
    environment = Environment(
        *(
            _short(text, field)
            for text, field in (
                (row.hostname, "hostname"), (row.platform, "platform"), (row.operating_system, "host_os"),
                (row.target, "host_target"), (row.kernel_version, "kernel_version"),
            )
        )
    )  # fmt: skip
    name = name_of_spec(spec)
    named = InstallReport(
        source, spec_hash=None if name is None else name[1], package_name=_short(spec.name, "name")
    )
    started = local_moment(_began_at(row.phases))
    variables = dict(_kept(VARIABLES, row.variables, _variable, notes))
    _note_twins(row, notes)
    files, paths = _files(row, notes)
    report = replace(
        named, environment=environment, spack_version=spec.spack_version or None,
        status=BuildStatus.__members__.get(row.status or ""),
        started_at=started.at, time_uncertainty_seconds=started.uncertainty_seconds,
        phases=tuple(_phase(phase) for phase in _named(row.phases).values()), events=tuple(_events(row)),
        configure_arguments=None if row.configure_arguments is None else escaped(row.configure_arguments),
        environment_variables=variables or None, install_files=tuple(files) or None,
        tags=tuple(_kept(TAGS, row.tags, lambda tag: _short(tag, "tag"), notes)),
    )  # fmt: skip
    reports = [(report, added_at)]
    reports += [(replace(named, attributes=results), at) for at, results in _results(row, paths, notes)]
    return OldBuild(source, reports, notes)


def moment(value: object) -> datetime:
    """A moment of a row, which is UTC; 1970 where there is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        return datetime.fromtimestamp(0, UTC)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def contents_of(row: BuildRow) -> Counter[str]:
    """How many rows of each noun a build has, itself among them."""
    counts = Counter({
        BUILDS: 1, PHASES: len(row.phases), LOGS: _logs(row.phases),
        FILES: len(row.files), RESULTS: len(row.attributes), TAGS: len(row.tags),
        VARIABLES: len(row.variables), ARGUMENTS: int(row.configure_arguments is not None),
    })  # fmt: skip
    counts.update(OF_KIND[event.kind] for event in row.events)
    return counts


def path_of(name: str) -> str:
    """The path of a file: the server stored how Python shows the list of its parts."""
    if name.startswith("["):
        try:
            parts = ast.literal_eval(name)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return name
        if isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts):
            return _CUT.join(parts)
    return name


def key_of(row: BuildRow, spec: SpecRow, twin: int = 0) -> str:
    """The key of a build, which is the same whatever database holds a copy of the row.

    `twin` counts those that are alike in spec, machine and moment. Raises FieldUnfit.
    """
    where = "\0".join(
        text or ""
        for text in (row.hostname, row.platform, row.operating_system, row.target, row.kernel_version)
    )
    machine = hashlib.sha256(where.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    name = spec.full_hash or spec.dag_hash or spec.name
    suffix = f"/{twin}" if twin else ""
    return short_key(escaped(f"old-server/{name}/{machine}/{moment(row.added_at).isoformat()}{suffix}"))


def _named(phases: Iterable[PhaseRow]) -> dict[str, PhaseRow]:
    return {phase.name: phase for phase in phases}


def _logs(phases: Iterable[PhaseRow]) -> int:
    return sum(1 for phase in phases if phase.output)


def _note_twins(row: BuildRow, notes: list[Note]) -> None:
    """What a build has twice by its name: the last stays."""
    kept = _named(row.phases)
    twins = (
        (VARIABLES, len(row.variables) - len({name for name, _ in row.variables})),
        (TAGS, len(row.tags) - len(set(row.tags))),
        (PHASES, len(row.phases) - len(kept)),
        (LOGS, _logs(row.phases) - _logs(kept.values())),
    )
    notes += [Note(noun, count, "its build has two of one name") for noun, count in twins if count > 0]


def _short(text: str | None, field: str) -> str:
    return short_text(escaped(text or ""), field)


def _kept(
    noun: str, values: Sequence[_Value], read: Callable[[_Value], _Value], notes: list[Note]
) -> Iterator[_Value]:
    for value in values:
        try:
            yield read(value)
        except FieldUnfit as unfit:
            notes.append(Note(noun, 1, unfit.sentence))


def _variable(pair: tuple[str, str]) -> tuple[str, str]:
    return _short(pair[0], "a variable's name"), escaped(pair[1] or "")


def _began_at(phases: Sequence[PhaseRow]) -> datetime | None:
    """The earliest time in the logs; one without microseconds may be of anything."""
    times = (first_time(phase.output) for phase in phases if phase.output)
    return min((time for time in times if time is not None and time.microsecond), default=None)


def _phase(row: PhaseRow) -> InstallPhase:
    return InstallPhase(
        name=_short(row.name, "phase_name"), status=_short(row.status or "UNKNOWN", "status"),
        output=row.output or None, reported_at=moment(row.added_at),
    )  # fmt: skip


def _files(row: BuildRow, notes: list[Note]) -> tuple[list[InstalledFile], dict[int, str]]:
    """The manifest, without what analyzers alone named; and the paths of all files, by their ids."""
    analyzed = {result.file_id for result in row.attributes}
    files: list[InstalledFile] = []
    paths: dict[int, str] = {}
    for file in row.files:
        path = escaped(path_of(file.name or ""))
        if len(path.encode()) > _PATH_BYTES:
            notes.append(Note(FILES, 1, f"a path must be at most {_PATH_BYTES} bytes long"))
            continue
        paths[file.id] = path
        if file.id in analyzed and path == file.name:
            notes.append(Note(FILES, 1, "an analyzer named it: it is with the result"))
        else:
            files.append(_file(file, path, notes))
    if doubles := len(files) - len({file.path for file in files}):
        notes.append(Note(FILES, doubles, _TWO_NAMES))
    return files, paths


def _file(row: FileRow, path: str, notes: list[Note]) -> InstalledFile:
    try:
        return InstalledFile(
            path, type=_short(row.type, "ftype") if row.type else None,
            mode=_number(row.mode, "mode", INTEGER_BITS), owner=_number(row.owner, "owner", ROW_ID_BITS),
            group=_number(row.group, "group", ROW_ID_BITS),
            hash=_short(row.hash, "hash") if row.hash else None,
        )  # fmt: skip
    except FieldUnfit as unfit:
        notes.append(Note(DETAILS, 1, unfit.sentence))
        return InstalledFile(path)


def _number(value: int | None, field: str, bits: int) -> int | None:
    return None if value is None else integer(value, field, bits=bits)


def _results(
    row: BuildRow, paths: dict[int, str], notes: list[Note]
) -> Iterator[tuple[datetime, dict[str, tuple[AttributeValue, ...]]]]:
    """The results of each analyzer, with the moment at which the last of them came."""
    by_analyzer: dict[str, list[AttributeRow]] = {}
    for result in row.attributes:
        if result.file_id in paths:
            by_analyzer.setdefault(result.analyzer, []).append(result)
        else:
            notes.append(Note(RESULTS, 1, "its file is not there"))
    for analyzer, results in by_analyzer.items():
        try:
            values = {(paths[one.file_id], one.name): _result(one, paths[one.file_id]) for one in results}
            named = {_short(analyzer, "analyzer"): tuple(values.values())}
            yield max(moment(one.added_at) for one in results), named
            if doubles := len(results) - len(values):
                notes.append(Note(RESULTS, doubles, _TWO_NAMES))
        except FieldUnfit as unfit:
            notes.append(Note(RESULTS, len(results), unfit.sentence))


def _result(row: AttributeRow, path: str) -> AttributeValue:
    """The value that carries the result; the other two are null, or empty."""
    name = _short(row.name, "name")
    has_json = (row.json_value or "").strip() not in _NO_JSON
    if row.value or (row.value is not None and not has_json and not row.binary_value):
        return AttributeValue(name, path, value=escaped(row.value))
    if row.binary_value or (row.binary_value is not None and not has_json):
        return AttributeValue(name, path, binary_value=row.binary_value)
    written = row.json_value or "null"
    try:
        # PostgreSQL did not keep the order of keys: a copy of a database says the same by the same bytes.
        value = _sorted(parse(written))
        return AttributeValue(name, path, json_value=storable_json(value, "json_value"))
    except (ValueError, RecursionError):
        # Broken: a text then, so that nothing of it is lost.
        return AttributeValue(name, path, value=escaped(written))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _events(row: BuildRow) -> Iterator[Event]:
    """What is there of events beside the logs: all of a build's where an output is gone."""
    logged = {phase.id for phase in row.phases if phase.output}
    is_read_again = all(event.phase_id in logged for event in row.events)
    for event in () if is_read_again else row.events:
        yield _event(event)
    for phase in row.phases:
        if phase.error:
            yield Event(EventKind.ERROR, escaped(phase.error))


def _event(row: EventRow) -> Event:
    # The server stored how Python shows a tuple of nothing.
    file = None if row.source_file in (None, "", "(None,)") else escaped(row.source_file)
    line, source_line = (
        number if number and 0 < number < _LARGEST_LINE else None for number in (row.line, row.source_line)
    )
    return Event(
        row.kind, escaped(row.text or ""), log_line=line, source_file=file, source_line=source_line,
        pre_context=escaped(row.pre_context) if row.pre_context else None,
        post_context=escaped(row.post_context) if row.post_context else None,
    )  # fmt: skip
