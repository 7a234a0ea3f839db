"""`/metrics`: what this process counts and measures of itself, for Prometheus."""

import anyio
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response

from spackmon.errors import Refused
from spackmon.http.operations import OF_EVERY_READ, TEXT, Operation, RestRoute
from spackmon.http.services import Services
from spackmon.ops.metrics import Now, waiting_entries
from spackmon.threads import in_thread

# Prometheus gives up after ten seconds, and the rest is worth having without the inbox.
_PATIENCE_SECONDS = 2.0


async def metrics(request: Request[Services]) -> Response:
    """The counters, and what is seen now."""
    now = await _now(request.state)
    exposition = await in_thread(request.state.metrics.exposition, now)
    return Response(
        exposition, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"}
    )


async def _now(services: Services) -> Now:
    database = services.database
    spooled, aside = await in_thread(services.spool.count)
    return Now(
        inbox_entries=await _inbox_entries(services),
        spooled_reports=spooled,
        reports_set_aside=aside,
        subscriptions=services.query.subscription_count,
        memory_used_bytes=services.memory.used_bytes,
        cache_used_bytes=services.query.kept_bytes,
        is_database_usable=database.condition.trouble is None,
        turns=database.turns,
        replica_lag_seconds={replica.name: replica.lag_seconds() for replica in services.replicas},
    )


async def _inbox_entries(services: Services) -> int | None:
    if services.database.condition.trouble is not None:
        return None
    with anyio.move_on_after(_PATIENCE_SECONDS):
        try:
            return await services.database.admit_held(waiting_entries, impatient=True)
        except Refused:
            return None
    return None


_METRICS = Operation("Service", "Counters, for Prometheus.", {"text/plain": TEXT}, errors=OF_EVERY_READ)
routes = [RestRoute("/metrics", metrics, _METRICS)]
