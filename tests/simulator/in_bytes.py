"""The same steps as their sources write them: lines, request bodies, prefixes on a disk, each read again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from spackmon.formats import ms1
from spackmon.formats.installs.install_prefix import read_prefix
from spackmon.formats.reports import report_json
from spackmon.formats.reports.report_line import document_text
from spackmon.graph.spec import SpecGraph
from spackmon.status import SourceKind
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    InstallReport,
    PhaseReport,
    StatusReport,
    Submission,
)
from tests.simulator.steps import Claimant, Step
from tests.simulator.truth import Run

_READ_ALREADY = frozenset({"INSTALL_DATABASE", "CDASH", "JUNIT"})


class Written:
    """Writes what steps say into bytes below a directory and reads it as an importer or the server does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._prefixes: dict[Claimant, tuple[Claimant, InstallReport]] = {}

    def again(self, steps: list[Step]) -> list[Step]:
        """The steps with what was read; a prefix has another key than the direct report."""
        return [self._again(step) for step in steps]

    def _again(self, step: Step) -> Step:
        report = step.submission
        if isinstance(report, InstallReport) and report.source.kind is SourceKind.PREFIX:
            claimant = step.claimant
            assert claimant is not None
            if claimant not in self._prefixes:
                read = self._prefix(claimant.run, report)
                self._prefixes[claimant] = Claimant(claimant.run, "PREFIX", read.source.key), read
            claimant, read = self._prefixes[claimant]
            return replace(step, claimant=claimant, submission=read)
        if step.claimant is None or step.claimant.kind in _READ_ALREADY:
            return step
        return replace(step, submission=_read(report))

    def _prefix(self, run: Run, report: InstallReport) -> InstallReport:
        metadata = self._directory / str(run.number) / Path(run.prefix).name / ".spack"
        metadata.mkdir(parents=True)
        for name, content in _files(run, report).items():
            (metadata / name).write_bytes(
                content if isinstance(content, bytes) else json.dumps(content).encode()
            )
        (read,) = read_prefix(metadata.parent, run.prefix)
        assert isinstance(read, InstallReport)
        return read


def _files(run: Run, report: InstallReport) -> dict[str, Any]:
    """What Spack leaves in `.spack`; a report without an end has lost its manifest."""
    assert report.graph is not None
    name = "spec.yaml" if report.graph.format_version == 1 else "spec.json"
    files: dict[str, Any] = {name: b'{"spec":' + document_text(report.graph).encode() + b"}"}
    if report.phases or report.log:
        files["spack-build-out.txt"] = b"".join(phase.output or b"" for phase in report.phases) or report.log
    if report.install_files is not None and report.finished_at is not None:
        entry = {
            "mode": 33188,
            "owner": 0,
            "group": 0,
            "type": "file",
            "time": report.finished_at.timestamp(),
        }
        paths = [f"{run.prefix}/.spack", *(file.path for file in report.install_files)]
        files["install_manifest.json"] = dict.fromkeys(paths, entry)
    if report.duration_seconds is not None:
        phases = [{"name": phase.name, "seconds": phase.duration_seconds} for phase in report.phases]
        files["install_times.json"] = {"phases": phases, "total": {"seconds": report.duration_seconds}}
    if run.is_cached:
        files["binary_distribution"] = {"relative_prefix": Path(run.prefix).name}
    if report.environment is not None:
        files["install_environment.json"] = _environment(report) | {
            "spack_version": f"{report.spack_version} ({report.spack_revision})"
        }
    if report.environment_variables is not None:
        changes = [f"export {name}={value};\n" for name, value in report.environment_variables.items()]
        files["spack-build-env.txt"] = "".join(changes).encode()
    if report.configure_arguments is not None:
        files["spack-configure-args.txt"] = report.configure_arguments.encode()
    return files


def _read(report: Submission) -> Submission:
    match report:
        case BuildReport():
            spec = {} if report.graph is None else {"spec": _document(report.graph)}
            body = (
                _environment(report) | {"full_hash": report.spec_hash, "tags": ",".join(report.tags)} | spec
            )
            return ms1.read_build(_sent(body | {"spack_version": report.spack_version}))
        case PhaseReport():
            output = None if report.output is None else report.output.decode()
            return ms1.read_phase(
                _sent({"build_id": 0, "phase_name": report.name, "status": report.status, "output": output})
            )
        case StatusReport():
            return ms1.read_status(_sent({"build_id": 0, "status": report.status}))
        case AnalysisReport():
            return ms1.read_analysis(_sent({"build_id": 0, "metadata": _metadata(report)}))
        case _:
            (read,) = report_json.read(json.loads(report_json.write(report)))
            return read


def _sent(body: dict[str, Any]) -> dict[str, Any]:
    return ms1.read_json(json.dumps(body).encode())


def _document(graph: SpecGraph) -> Any:
    return {"spec": json.loads(document_text(graph))}


def _environment(report: Any) -> dict[str, str]:
    environment = report.environment
    return {
        "hostname": environment.hostname,
        "platform": environment.platform,
        "host_os": environment.operating_system,
        "host_target": environment.target,
        "kernel_version": environment.kernel_version,
    }


def _metadata(report: AnalysisReport) -> dict[str, Any]:
    files = {file.path: {"mode": file.mode, "type": file.type} for file in report.install_files or ()}
    arguments = {"config_args": report.configure_arguments} if report.has_configure_arguments else {}
    return {
        "install_files": files,
        "environment_variables": dict(report.environment_variables or {}),
    } | arguments
