"""Reading a report by the name of the write it was made for."""

from typing import Any

from spackmon.errors import Refused
from spackmon.formats.submission import Submission


def read_report(kind: str, body: dict[str, Any]) -> Submission:
    """What the body of a write (`specs/new`) reports. Raises Refused when the body or the kind is unfit."""
    # Only the commands that read reports pay for loading the service's writes.
    from spackmon.rest_compat.writes import WRITES

    for write in WRITES:
        if write.kind == kind:
            return write.read(body)
    raise Refused("KIND_UNKNOWN", 400, f"{kind!r} is no write of ms1")
