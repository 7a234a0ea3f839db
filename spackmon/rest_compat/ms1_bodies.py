"""The bodies of the ms1 writes as JSON schemas, for programs; `formats.ms1` reads them."""

from spackmon.formats.ms1 import STATUSES
from spackmon.http.operations import Schema

_NAME: Schema = {"type": "string", "minLength": 1}
_BUILD_ID: Schema = {"type": "integer"}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


_SPEC: Schema = {"type": ["object", "array"], "description": "as `spack spec --json` prints it"}
SPEC = _object({"spec": _SPEC, "spack_version": _NAME})
BUILD = _object(
    dict.fromkeys(
        ("full_hash", "spack_version", "hostname", "platform", "host_os", "host_target", "kernel_version"),
        _NAME,
    ),
    {"tags": {"type": ["string", "array", "null"], "items": {"type": "string"}}, "spec": _SPEC},
)
PHASE = _object(
    {"build_id": _BUILD_ID, "phase_name": _NAME, "status": _NAME}, {"output": {"type": ["string", "null"]}}
)
STATUS = _object({"build_id": _BUILD_ID, "status": {"enum": list(STATUSES)}})
ANALYSIS = _object({"build_id": _BUILD_ID, "metadata": {"type": "object"}})
ANSWER = _object({"message": {"type": "string"}, "data": {"type": "object"}, "code": {"type": "integer"}})
