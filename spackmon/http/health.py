"""`/healthz`: the process answers. `/readyz`: so does the database, at this program's revision."""

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.errors import Code
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, Operation, RestRoute
from spackmon.http.services import Services
from spackmon.ops.health import Watch

# A balancer asks every few seconds and takes a slow answer for none.
_PATIENCE_SECONDS = 2.0


async def healthz(_: Request[Services]) -> Response:
    """200 as long as the process can answer at all."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request[Services]) -> Response:
    """200 when writes and questions can be served, 503 with the reason when not."""
    reason = await _what_is_missing(request.state.watch)
    if reason is None:
        return JSONResponse({"status": "ok"})
    return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)


async def _what_is_missing(watch: Watch) -> str | None:
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            return await watch.look()
    except TimeoutError:
        return f"the database did not answer within {_PATIENCE_SECONDS:.0f} s"


_ALIVE = Operation("Service", "Whether the process answers.", {JSON: OBJECT}, errors=(), security=())
_READY = Operation(
    "Service", "Whether reports and questions can be served.", {JSON: OBJECT},
    errors=(Code.DATABASE_UNAVAILABLE,), refusals={JSON: OBJECT}, security=(),
)  # fmt: skip
routes = [RestRoute("/healthz", healthz, _ALIVE), RestRoute("/readyz", readyz, _READY)]
