"""A report as one JSON object, a line of `POST /api/submissions`; docs/reports.md describes it to others.

What `write` makes of a report, `read` gives back equal. A spec travels as its own document, a log as text or,
where it is long or not UTF-8, gzipped in base64.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from spackmon.formats.analysis import attributes, environment_variables, installed_files
from spackmon.formats.bills import bill_of, is_bill, read_bill
from spackmon.formats.bytes.fields import (
    INTEGER_BITS,
    FieldUnfit,
    base64_bytes,
    list_of,
    name_of,
    named_fields,
    object_of,
    optional_integer,
    optional_name,
    phase_status_of,
    required,
    short_text,
    storable_text,
    tags_of,
)
from spackmon.formats.bytes.report_values import (
    Logs,
    flag,
    moment,
    optional_bytes,
    optional_seconds,
    optional_text,
    word,
)
from spackmon.formats.reports.report_line import ENVIRONMENT_NAMES, write
from spackmon.formats.specs import spec_json
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.status import BuildStatus, CiProvider, EventKind, InstalledFrom, SourceKind
from spackmon.submission import (
    BuildcacheEntry,
    BuildcacheReport,
    CiJob,
    ConcretizationFailureReport,
    Environment,
    EnvironmentReport,
    EnvironmentRoot,
    Event,
    HostImage,
    HostLibrary,
    InstallPhase,
    InstallReport,
    Source,
    SpecReport,
    Submission,
)

Value = TypeVar("Value")
_SHA256 = re.compile("[0-9a-f]{64}")

__all__ = ["TYPES", "is_report", "read", "write"]


def is_report(content: object) -> bool:
    """Whether a parsed JSON value says that it is such an object."""
    kind = content.get("type") if isinstance(content, dict) else None
    return isinstance(kind, str) and kind in TYPES


def read(line: dict[str, Any], known: KnownNodes | None = None) -> Iterator[Submission]:
    """What an object that `is_report` reports; `known` as in `spec_json.read`.

    Raises Refused FIELD_MISSING or FIELD_INVALID naming the field, and SPEC_MALFORMED.
    """
    return _READERS[line["type"]](line, known)


def _install(line: dict[str, Any], known: KnownNodes | None) -> Iterator[Submission]:
    spec = line.get("spec")
    graph = None if spec is None else spec_json.read(spec, known)
    logs = Logs()
    with named_fields():
        status = line.get("status")
        installed_from = line.get("installed_from")
        report = InstallReport(
            source=_source(object_of(required(line, "source"), "source")),
            graph=graph,
            spec_hash=optional_name(line, "spec_hash"),
            package_name=optional_name(line, "package"),
            environment=_environment(line.get("environment")),
            spack_version=optional_name(line, "spack_version"),
            spack_revision=optional_name(line, "spack_revision"),
            status=None if status is None else word(status, "status", BuildStatus),
            started_at=moment(line.get("started_at"), "started_at"),
            finished_at=moment(line.get("finished_at"), "finished_at"),
            time_uncertainty_seconds=optional_seconds(line, "time_uncertainty_seconds"),
            times_enclose_run=flag(line, "times_enclose_run"),
            duration_seconds=optional_seconds(line, "duration_seconds"),
            installed_from=None
            if installed_from is None
            else word(installed_from, "installed_from", InstalledFrom),
            prefix=optional_text(line, "prefix"),
            phases=tuple(_phase(phase, f"phases.{place}", logs) for place, phase in _entries(line, "phases")),
            log=logs.take(line, "log"),
            events=tuple(_event(event, f"events.{place}") for place, event in _entries(line, "events")),
            configure_arguments=optional_text(line, "configure_arguments"),
            environment_variables=_present(line, "environment_variables", environment_variables),
            install_files=_present(line, "install_files", installed_files),
            attributes=_present(line, "attributes", lambda value, at: attributes(object_of(value, at), at)),
            host=_present(line, "host", _host),
            tags=tags_of(line.get("tags"), "tags"),
            ci_job=_present(line, "ci", lambda value, at: _ci_job(object_of(value, at))),
        )
    yield report


def _spec(line: dict[str, Any], known: KnownNodes | None) -> Iterator[Submission]:
    with named_fields():
        spec = required(line, "spec")
        spack_version = optional_name(line, "spack_version")
        if spec_json.is_abstract(spec):
            spack_version = name_of(line, "spack_version")
    if spack_version is not None and spec_json.is_abstract(spec):
        yield spec_json.read_failure(spec, spack_version)
    else:
        yield SpecReport(graph=spec_json.read(spec, known), spack_version=spack_version)


def _concretization_failure(line: dict[str, Any], _: KnownNodes | None) -> Iterator[Submission]:
    document = line.get("document")
    with named_fields():
        # Empty where the source does not tell it, as CDash.
        spack_version = short_text(required(line, "spack_version"), "spack_version")
        abstract_spec = optional_text(line, "spec")
        name = optional_name(line, "package")
        message = optional_text(line, "message")
        if document is None and abstract_spec is None and message is None:
            raise FieldUnfit("one of spec, message and document is needed", missing=True)
    whole = None if document is None else spec_json.read_failure(document, spack_version)
    yield ConcretizationFailureReport(
        name=whole.name if name is None and whole is not None else name,
        document=None if whole is None else whole.document,
        spack_version=spack_version,
        abstract_spec=abstract_spec,
        message=message,
    )


def _environment_of_spack(line: dict[str, Any], _: KnownNodes | None) -> Iterator[Submission]:
    with named_fields():
        version = optional_integer(line, "lock_file_version", bits=INTEGER_BITS)
        report = EnvironmentReport(
            name=name_of(line, "name"),
            lock_file_version=required(line, "lock_file_version") if version is None else version,
            spack_version=optional_name(line, "spack_version"),
            roots=tuple(
                EnvironmentRoot(
                    abstract_spec=optional_text(root, "abstract_spec", f"roots.{place}.") or "",
                    spec_hash=name_of(root, "spec_hash", f"roots.{place}."),
                    group=optional_text(root, "group", f"roots.{place}."),
                    included_from=optional_text(root, "included_from", f"roots.{place}."),
                )
                for place, root in _entries(line, "roots")
            ),
        )
    yield report


def _buildcache(line: dict[str, Any], _: KnownNodes | None) -> Iterator[Submission]:
    with named_fields():
        read_at = moment(required(line, "read_at"), "read_at")
        if read_at is None:
            raise FieldUnfit("read_at is missing", missing=True)
        entries = [_buildcache_entry(one, f"entries.{place}.") for place, one in _entries(line, "entries")]
        seen: set[tuple[str, int]] = set()
        for place, one in enumerate(entries):
            if (one.spec_hash, one.layout_version) in seen:
                raise FieldUnfit(f"entries.{place}.spec_hash must be that of no other entry of this layout")
            seen.add((one.spec_hash, one.layout_version))
        report = BuildcacheReport(
            name=name_of(line, "name"),
            read_at=read_at,
            is_listed=flag(line, "is_listed"),
            entries=tuple(entries),
        )
    yield report


def _buildcache_entry(entry: dict[str, Any], prefix: str) -> BuildcacheEntry:
    version = optional_integer(entry, "layout_version", prefix, bits=INTEGER_BITS)
    seen = ("in_index", "has_spec_file", "has_archive")
    return BuildcacheEntry(
        layout_version=required(entry, "layout_version", prefix) if version is None else version,
        spec_hash=name_of(entry, "spec_hash", prefix),
        stated_hash=optional_name(entry, "stated_hash", prefix),
        **{name: None if entry.get(name) is None else flag(entry, name, prefix) for name in seen},
    )


def _bill(line: dict[str, Any], _: KnownNodes | None) -> Iterator[Submission]:
    with named_fields():
        document = object_of(required(line, "document"), "document")
        if not is_bill(document):
            raise FieldUnfit("document must be SPDX or CycloneDX as JSON")
        hashes = None if line.get("spec_hashes") is None else list_of(line["spec_hashes"], "spec_hashes")
        named = [short_text(one, f"spec_hashes.{place}") for place, one in enumerate(hashes or ())]
    yield bill_of(document, dict.fromkeys(named)) if named else read_bill(document)


_READERS = {
    "bill": _bill,
    "buildcache": _buildcache,
    "environment": _environment_of_spack,
    "install": _install,
    "spec": _spec,
    "concretization_failure": _concretization_failure,
}
TYPES = frozenset(_READERS)


def _entries(line: dict[str, Any], field: str) -> Iterator[tuple[int, dict[str, Any]]]:
    value = line.get(field)
    for place, entry in enumerate([] if value is None else list_of(value, field)):
        yield place, object_of(entry, f"{field}.{place}")


def _present(line: dict[str, Any], field: str, read_value: Callable[[object, str], Value]) -> Value | None:
    value = line.get(field)
    return None if value is None else read_value(value, field)


def _source(source: dict[str, Any]) -> Source:
    kind = word(required(source, "kind", "source."), "source.kind", SourceKind)
    return Source(kind, name_of(source, "key", "source."))


def _ci_job(ci: dict[str, Any]) -> CiJob:
    texts = ("pipeline_url", "ref", "commit", "job_name", "job_url")
    return CiJob(
        provider=word(required(ci, "provider", "ci."), "ci.provider", CiProvider),
        project=name_of(ci, "project", "ci."),
        pipeline_id=name_of(ci, "pipeline_id", "ci."),
        stack=optional_name(ci, "stack", "ci.") or "",
        job_id=optional_name(ci, "job_id", "ci.") or "",
        **{name: optional_text(ci, name, "ci.") for name in texts},
    )


def _environment(value: object) -> Environment | None:
    if value is None:
        return None
    fields = object_of(value, "environment")
    return Environment(
        **{
            field: optional_name(fields, name, "environment.") or ""
            for field, name in ENVIRONMENT_NAMES.items()
        }
    )


def _host(value: object, field: str) -> HostImage:
    fields = object_of(value, field)
    os_name, version, architecture = (
        short_text(required(fields, name, f"{field}."), f"{field}.{name}")
        for name in ("os", "os_version", "architecture")
    )
    libraries = tuple(
        _host_library(library, f"{field}.libraries.{place}.")
        for place, library in _entries(fields, "libraries")
    )
    return HostImage(os_name, version, architecture, libraries)


def _host_library(library: dict[str, Any], prefix: str) -> HostLibrary:
    sha256 = name_of(library, "sha256", prefix)
    if not _SHA256.fullmatch(sha256):
        raise FieldUnfit(f"{prefix}sha256 must be 64 hexadecimal digits")
    content = library.get("elf_base64")
    return HostLibrary(
        path=name_of(library, "path", prefix),
        name=optional_name(library, "name", prefix),
        sha256=sha256,
        content=None if content is None else base64_bytes(content, f"{prefix}elf_base64"),
    )


def _phase(phase: dict[str, Any], path: str, logs: Logs) -> InstallPhase:
    return InstallPhase(
        name=name_of(phase, "name", f"{path}."),
        status=phase_status_of(phase, f"{path}."),
        duration_seconds=optional_seconds(phase, "duration_seconds", f"{path}."),
        output=logs.take(phase, "output", f"{path}."),
        cpu_seconds=optional_seconds(phase, "cpu_seconds", f"{path}."),
        peak_memory_bytes=optional_bytes(phase, "peak_memory_bytes", f"{path}."),
    )


def _event(event: dict[str, Any], path: str) -> Event:
    prefix = f"{path}."
    return Event(
        kind=word(required(event, "kind", prefix), f"{path}.kind", EventKind),
        text=storable_text(required(event, "text", prefix), f"{path}.text"),
        log_line=optional_integer(event, "log_line", prefix, bits=INTEGER_BITS),
        source_file=optional_text(event, "source_file", prefix),
        source_line=optional_integer(event, "source_line", prefix, bits=INTEGER_BITS),
        pre_context=optional_text(event, "pre_context", prefix),
        post_context=optional_text(event, "post_context", prefix),
    )
