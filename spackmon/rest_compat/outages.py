"""A write that cannot wait for the database any longer: spooled, if its client can be answered."""

import time

import anyio
import structlog
from starlette.requests import Request

from spackmon.auth.access_tokens import Claims
from spackmon.errors import Code, Refused
from spackmon.http.services import Services
from spackmon.ops.spool import Spooled
from spackmon.threads import in_thread

log = structlog.get_logger()

_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.05, 0.5


async def is_its_turn(request: Request[Services]) -> bool:
    """Wait until what was spooled before is applied; False where this has to go behind it into the spool.

    A client's reports mean something else in another order: a phase after the end of its run begins the
    next run.
    """
    spool, database = request.state.spool, request.state.database
    deadline, look_seconds = time.monotonic() + database.hold_seconds, _LOOK_SECONDS
    while not spool.is_empty():
        if time.monotonic() > deadline or database.condition.trouble is not None:
            return False
        await anyio.sleep(look_seconds)
        # Five hundred who look 20 times a second take a twelfth of a processor from who empties the spool.
        look_seconds = min(2 * look_seconds, _LONGEST_LOOK_SECONDS)
    return True


def after_the_spooled() -> Refused:
    """The answer to a report that has to go behind those in the spool, where it cannot be spooled itself."""
    return Refused(Code.DATABASE_UNAVAILABLE, "the database does not answer")


def vouched(request: Request[Services], away: Refused) -> Claims:
    """Who sends, as far as that can be seen without the database.

    Raises Refused: 401 or 403 for who cannot be right, `away` where nobody can tell.
    """
    claims = request.state.gate.vouch(request.headers.get("authorization"))
    if claims is None:
        raise away
    return claims


async def spool(request: Request[Services], spooled: Spooled, away: Refused) -> None:
    """Put a report into the spool. Raises Refused `away` where the disk cannot take it."""
    try:
        await in_thread(request.state.spool.put, spooled)
    except OSError as error:
        log.warning("not_spooled", kind=spooled.kind, bytes=len(spooled.body), reason=error.strerror)
        raise away from None
    request.state.metrics.reported(spooled.kind, "spooled")
