"""The bodies of the ms1 writes, as Spack 0.16 to 0.18 sends them.

Each reader takes what `read_json` gave and refuses with FIELD_MISSING or FIELD_INVALID (both 400, the
sentence names the field) or, for a spec inside, with SPEC_MALFORMED.
"""

from typing import Any

from spackmon.formats.analysis import analysis_report
from spackmon.formats.bytes.fields import (
    ROW_ID_BITS,
    FieldUnfit,
    integer,
    name_of,
    named_fields,
    object_of,
    phase_status_of,
    required,
    tags_of,
)
from spackmon.formats.bytes.json_body import read_json
from spackmon.formats.specs import spec_json
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.large_bytes import LargeBytes
from spackmon.status import BuildStatus
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    ConcretizationFailureReport,
    Environment,
    PhaseReport,
    SpecReport,
    StatusReport,
)

__all__ = ["STATUSES", "read_analysis", "read_build", "read_json", "read_phase", "read_spec", "read_status"]

_ROW_ID_DIGITS = 19

STATUSES = {**BuildStatus.__members__, "FAILURE": BuildStatus.FAILED}
"""FAILURE is what the documentation of the old server called FAILED."""


def read_spec(
    body: dict[str, Any], known: KnownNodes | None = None
) -> SpecReport | ConcretizationFailureReport:
    """specs/new: a concrete spec, or the abstract one that could not be concretized.

    `known` as in `spec_json.read`.
    """
    with named_fields():
        spec = required(body, "spec")
        spack_version = name_of(body, "spack_version")
    if spec_json.is_abstract(spec):
        return spec_json.read_failure(spec, spack_version)
    return SpecReport(graph=spec_json.read(spec, known), spack_version=spack_version)


def read_build(body: dict[str, Any], known: KnownNodes | None = None) -> BuildReport:
    """builds/new. Only `analyze` sends the spec along, and it does not begin a run.

    All but `tags` and `spec` must be there, as for the old server; `full_hash` may be any hash of the spec.
    `known` as in `spec_json.read`.
    """
    with named_fields():
        spec_hash = name_of(body, "full_hash")
        spack_version = name_of(body, "spack_version")
        environment = Environment(
            hostname=name_of(body, "hostname"),
            platform=name_of(body, "platform"),
            operating_system=name_of(body, "host_os"),
            target=name_of(body, "host_target"),
            kernel_version=name_of(body, "kernel_version"),
        )
        tags = tags_of(body.get("tags"), "tags")
    spec = body.get("spec")
    return BuildReport(
        spec_hash=spec_hash,
        environment=environment,
        spack_version=spack_version,
        tags=tags,
        graph=None if spec is None else spec_json.read(spec, known),
        announces_run=spec is None,
    )


def read_phase(body: dict[str, Any]) -> PhaseReport:
    """builds/phases/update. The status is kept verbatim; the output may hold any character."""
    with named_fields():
        build_id = _build_id(body)
        name = name_of(body, "phase_name")
        status = phase_status_of(body)
        output = body.get("output")
        if isinstance(output, str):
            output = output.encode("utf-8", "surrogatepass")
        if not isinstance(output, bytes | LargeBytes | None):
            raise FieldUnfit("output must be a string or null")
    return PhaseReport(build_id=build_id, name=name, status=status, output=output)


def read_status(body: dict[str, Any]) -> StatusReport:
    """builds/update."""
    with named_fields():
        build_id = _build_id(body)
        word = name_of(body, "status")
        status = STATUSES.get(word)
        if status is None:
            raise FieldUnfit(f"status must be one of {', '.join(BuildStatus)}")
    return StatusReport(build_id=build_id, status=status)


def read_analysis(body: dict[str, Any]) -> AnalysisReport:
    """analyze/builds: results by analyzer."""
    with named_fields():
        build_id = _build_id(body)
        return analysis_report(build_id, object_of(required(body, "metadata"), "metadata"))


def _build_id(body: dict[str, Any]) -> int:
    value = required(body, "build_id")
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _ROW_ID_DIGITS:
        value = int(value)
    return integer(value, "build_id", bits=ROW_ID_BITS)
