"""Writing a report as the line that `report_json` reads."""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

from spackmon.graph.spec import SpecGraph
from spackmon.submission import (
    AttributeValue,
    BillReport,
    BuildcacheReport,
    CiJob,
    ConcretizationFailureReport,
    EnvironmentReport,
    HostImage,
    InstalledFile,
    InstallReport,
    SpecReport,
    Submission,
)

# Shorter logs can be read on the wire; longer ones cost their compressed size alone, in memory too.
_TEXT_BYTES = 64 << 10

# Spack's names (install_environment.json, install_manifest.json) by ours.
ENVIRONMENT_NAMES = {
    "hostname": "hostname", "platform": "platform", "operating_system": "host_os",
    "target": "host_target", "kernel_version": "kernel_version",
}  # fmt: skip
_MANIFEST_NAMES = {
    "type": "type", "mode": "mode", "owner": "owner", "group": "group", "hash": "hash",
    "size_bytes": "size", "modified_at_seconds": "time", "destination": "dest",
}  # fmt: skip
_PHASE_NAMES = "name", "status", "duration_seconds", "cpu_seconds", "peak_memory_bytes"

_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def write(report: Submission) -> bytes:
    """The line of a report, compact, in ASCII, without the newline.

    Raises TypeError for reports of ms1, which name a build by its number in one database.
    """
    match report:
        case SpecReport():
            line = {"type": "spec", "spack_version": report.spack_version}
            return _with(line, "spec", document_text(report.graph))
        case EnvironmentReport():
            return _with(_environment(report), "roots", None)
        case BuildcacheReport():
            return _with(_buildcache(report), "entries", None)
        case BillReport():
            return _with({"type": "bill", "spec_hashes": report.spec_hashes}, "document", report.document)
        case InstallReport():
            spec = None if report.graph is None else document_text(report.graph)
            return _with(_install(report), "spec", spec)
        case ConcretizationFailureReport():
            line = {
                "type": "concretization_failure", "spec": report.abstract_spec, "package": report.name,
                "message": report.message, "spack_version": report.spack_version,
            }  # fmt: skip
            return _with(line, "document", report.document)
    raise TypeError(f"{type(report).__name__} is no report by itself")


def document_text(graph: SpecGraph) -> str:
    """The document a graph was read from: its nodes as they came, the root first."""
    nodes = ",".join(node.document for node in graph.nodes.values())
    if graph.format_version == 1:
        return f"[{nodes}]"
    return f'{{"_meta":{{"version":{graph.format_version}}},"nodes":[{nodes}]}}'


def _with(line: Mapping[str, Any], field: str, document: str | None) -> bytes:
    """The line with a document that is JSON already: parsing thousands of nodes to write them is a waste."""
    text = _encoder.encode(_known(line))
    if document is None:
        return text.encode("ascii")
    return f'{text[:-1]},"{field}":{document}}}'.encode("ascii")


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _environment(report: EnvironmentReport) -> dict[str, Any]:
    return {
        "type": "environment", "name": report.name, "lock_file_version": report.lock_file_version,
        "spack_version": report.spack_version,
        "roots": [_known({name: getattr(root, name) for name in root.__slots__}) for root in report.roots],
    }  # fmt: skip


def _buildcache(report: BuildcacheReport) -> dict[str, Any]:
    return {
        "type": "buildcache", "name": report.name, "read_at": report.read_at.isoformat(),
        "is_listed": report.is_listed,
        "entries": [_known({name: getattr(one, name) for name in one.__slots__}) for one in report.entries],
    }  # fmt: skip


def _install(report: InstallReport) -> dict[str, Any]:
    return {
        "type": "install",
        "source": {"kind": report.source.kind, "key": report.source.key},
        "spec_hash": report.spec_hash,
        "package": report.package_name,
        "environment": None if report.environment is None else {
            name: getattr(report.environment, field) for field, name in ENVIRONMENT_NAMES.items()
        },
        "spack_version": report.spack_version,
        "spack_revision": report.spack_revision,
        "status": report.status,
        "started_at": None if report.started_at is None else report.started_at.isoformat(),
        "finished_at": None if report.finished_at is None else report.finished_at.isoformat(),
        "time_uncertainty_seconds": report.time_uncertainty_seconds,
        "times_enclose_run": report.times_enclose_run or None,
        "duration_seconds": report.duration_seconds,
        "installed_from": report.installed_from,
        "prefix": report.prefix,
        "phases": [
            _known({name: getattr(phase, name) for name in _PHASE_NAMES}) | _log("output", phase.output)
            for phase in report.phases
        ] or None,
        "events": [
            _known({name: getattr(event, name) for name in event.__slots__}) for event in report.events
        ] or None,
        "configure_arguments": report.configure_arguments,
        "environment_variables": report.environment_variables,
        "install_files": None if report.install_files is None else _manifest(report.install_files),
        "attributes": None if report.attributes is None else {
            analyzer: [_attribute(value) for value in values]
            for analyzer, values in report.attributes.items()
        },
        "host": None if report.host is None else _host(report.host),
        "tags": report.tags or None,
        "ci": None if report.ci_job is None else _ci(report.ci_job),
        **_log("log", report.log),
    }  # fmt: skip


def _ci(job: CiJob) -> dict[str, Any]:
    fields = {name: getattr(job, name) for name in job.__slots__}
    return _known(fields | {"stack": job.stack or None, "job_id": job.job_id or None})


def _log(field: str, log: bytes | None) -> dict[str, str]:
    if log is None:
        return {}
    if len(log) <= _TEXT_BYTES:
        try:
            return {field: log.decode()}
        except UnicodeDecodeError:
            pass
    return {f"{field}_base64": _base64(gzip.compress(log, compresslevel=6, mtime=0))}


def _manifest(files: Iterable[InstalledFile]) -> dict[str, Any]:
    return {
        file.path: _known({name: getattr(file, field) for field, name in _MANIFEST_NAMES.items()})
        for file in files
    }


def _attribute(finding: AttributeValue) -> dict[str, Any]:
    return _known(
        {
            "name": finding.name,
            "install_file": finding.install_file,
            "value": finding.value,
            "binary_base64": None if finding.binary_value is None else _base64(finding.binary_value),
            "json_value": finding.json_value,
        }
    )


def _host(host: HostImage) -> dict[str, Any]:
    return {
        "os": host.os,
        "os_version": host.os_version,
        "architecture": host.architecture,
        "libraries": [
            _known(
                {
                    "path": one.path,
                    "name": one.name,
                    "sha256": one.sha256,
                    "elf_base64": None if one.content is None else _base64(one.content),
                }
            )
            for one in host.libraries
        ],
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
