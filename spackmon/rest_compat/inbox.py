"""The way into the inbox for what an authenticated client sent and could not be applied.

Most clients never send it again.
"""

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from spackmon.auth.gate import Sender
from spackmon.database.refusals import PASSES
from spackmon.errors import Refused
from spackmon.http.services import Services
from spackmon.ingest import inbox
from spackmon.large_bytes import AnyBytes

log = structlog.get_logger()


async def to_inbox(
    request: Request[Services], kind: str, body: AnyBytes, refused: Refused, sender: Sender
) -> str:
    """Put the body into the inbox under `kind`; the refusal's sentence, with the number of the entry.

    Without a database there is no inbox, and the sentence says no more than it did.
    """
    if refused.code in PASSES:
        return refused.sentence
    try:
        entry_id = await request.state.database.write_held(
            lambda connection: inbox.add(connection, kind, body, refused, sender.person_id)
        )
    except (SQLAlchemyError, Refused):
        log.exception("not_kept", kind=kind, bytes=len(body))
        return refused.sentence
    request.state.metrics.reported(kind, "refused")
    return f"{refused.sentence} (kept as inbox entry {entry_id})"
