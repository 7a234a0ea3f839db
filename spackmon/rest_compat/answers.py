"""The answers to writes that were applied, in the words of the old server."""

from typing import Any

from spackmon.graph.spec import SpecNode
from spackmon.ingest.receipts import (
    AnalysisReceipt,
    BuildReceipt,
    ConcretizationFailureReceipt,
    PhaseReceipt,
    SpecReceipt,
    StatusReceipt,
)
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    ConcretizationFailureReport,
    PhaseReport,
    SpecReport,
    StatusReport,
)

_FULL_HASH = "full_hash"
_FAILED_CONCRETIZATION = "FAILED_CONCRETIZATION"

Answer = tuple[int, dict[str, Any]]


def spec(
    report: SpecReport | ConcretizationFailureReport, receipt: SpecReceipt | ConcretizationFailureReceipt
) -> Answer:
    """specs/new: the root by its full hash, where it has one, and those of its direct dependencies."""
    code = 201 if receipt.created else 200
    return code, _body("success", {"spec": _spec(report), "created": receipt.created}, code)


def promised_spec(report: SpecReport | ConcretizationFailureReport) -> Answer:
    """specs/new, spooled: nobody can say yet whether it is new."""
    return 200, _body("success", {"spec": _spec(report), "created": None}, 200)


def _spec(report: SpecReport | ConcretizationFailureReport) -> dict[str, Any]:
    if isinstance(report, ConcretizationFailureReport):
        shown: dict[str, Any] = {
            "full_hash": _FAILED_CONCRETIZATION,
            "name": report.name,
            "version": None,
        }
        dependencies = {}
    else:
        root = report.graph.nodes[report.graph.root]
        shown = {"full_hash": _shown_hash(root), "name": root.name, "version": root.version}
        children = [report.graph.nodes[edge.child] for edge in root.edges]
        dependencies = {child.name: _shown_hash(child) for child in children}
    return shown | {"spack_version": report.spack_version, "specs": dependencies}


def build(_: BuildReport, receipt: BuildReceipt) -> Answer:
    """builds/new: the spec's hash comes back as the client showed it."""
    code = 201 if receipt.build_created else 200
    data = {
        "build_created": receipt.build_created,
        "build_environment_created": receipt.environment_created,
        "build": _build(receipt, receipt.shown_hash),
    }
    return code, _body("Build get or create was successful.", data, code)


def promised_build(report: BuildReport) -> Answer:
    """builds/new, spooled: nobody can say yet whether it is new, or of which spec where that did not come."""
    root = None if report.graph is None else report.graph.nodes[report.graph.root]
    build = {
        "build_id": report.promised_build_id,
        "spec_full_hash": report.spec_hash,
        "spec_name": None if root is None else root.name,
    }
    data = {"build_created": None, "build_environment_created": None, "build": build}
    return 200, _body("Build was taken and will be created.", data, 200)


def phase(_: PhaseReport, receipt: PhaseReceipt) -> Answer:
    """builds/phases/update."""
    shown = {"id": receipt.phase_id, "status": receipt.status, "name": receipt.name}
    return 200, _body(f"Phase {receipt.name} was successfully updated.", {"build_phase": shown}, 200)


def promised_phase(report: PhaseReport) -> Answer:
    """builds/phases/update, spooled: the phase has no id yet."""
    shown = {"id": None, "status": report.status, "name": report.name}
    return 200, _body(f"Phase {report.name} was taken and will be updated.", {"build_phase": shown}, 200)


def status(_: StatusReport, receipt: StatusReceipt) -> Answer:
    """builds/update."""
    return 200, _body("Status updated", {"build": _build(receipt, receipt.spec_hash)}, 200)


def analysis(_: AnalysisReport, receipt: AnalysisReceipt) -> Answer:
    """analyze/builds."""
    return 200, _body("Metadata updated", {"build": _build(receipt, receipt.spec_hash)}, 200)


def promised_status(report: StatusReport) -> Answer:
    """builds/update, spooled."""
    return 200, _body("Status taken, to be updated", {"build": _promised_build(report.build_id)}, 200)


def promised_analysis(report: AnalysisReport) -> Answer:
    """analyze/builds, spooled."""
    return 200, _body("Metadata taken, to be updated", {"build": _promised_build(report.build_id)}, 200)


def _promised_build(build_id: int) -> dict[str, Any]:
    """A build of which no more is at hand than what the client itself said."""
    return {"build_id": build_id, "spec_full_hash": None, "spec_name": None}


def _build(receipt: BuildReceipt | StatusReceipt | AnalysisReceipt, spec_hash: str) -> dict[str, Any]:
    return {
        "build_id": receipt.build_id,
        "spec_full_hash": spec_hash,
        "spec_name": receipt.spec_name,
    }


def _shown_hash(node: SpecNode) -> str:
    return dict(node.hashes).get(_FULL_HASH, node.hash)


def _body(message: str, data: dict[str, Any], code: int) -> dict[str, Any]:
    return {"message": message, "data": data, "code": code}
