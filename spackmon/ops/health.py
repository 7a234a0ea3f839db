"""Whether the database can be used, at this program's revision."""

import asyncio

import anyio
import anyio.to_thread
from sqlalchemy import text

from spackmon.database import Database
from spackmon.database.outcome import Outcome, classify
from spackmon.database.probe import probe
from spackmon.ops import revisions


async def wait_for(database: Database) -> None:
    """Return once the database answers. Raises Refused when it stays away for as long as a write is held.

    An outage that others have waited for is not waited for again.
    """
    await database.admit_held(lambda connection: connection.execute(text("SELECT 1")), impatient=True)


class Watch:
    """Looks after one database, one look at a time: whoever asks meanwhile gets the same answer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        # A look at a database that hangs keeps this thread, and nobody else's.
        self._thread = anyio.CapacityLimiter(1)
        self._looking: asyncio.Task[str | None] | None = None

    async def look(self) -> str | None:
        """What `look` finds; cancelled, the look goes on."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(
                anyio.to_thread.run_sync(look, self.database, limiter=self._thread, abandon_on_cancel=True)
            )
        return await asyncio.shield(self._looking)


def look(database: Database) -> str | None:
    """Why the database cannot be used now, in a sentence without its names; None when it can."""
    try:
        if reason := probe(database):
            return reason
        refused = database.look_once(revisions.check_revision)
    except Exception as error:
        # The driver's own words name hosts and users: they are for the log of whoever runs it.
        trouble = classify(error)
        if trouble.outcome is Outcome.BROKEN:
            raise
        return trouble.reason
    return None if refused is None else refused.sentence
