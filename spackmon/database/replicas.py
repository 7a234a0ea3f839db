"""Reads by streaming replicas of PostgreSQL that are near enough; what they cannot answer the primary does.

How near one is, is seen from the write-ahead log: each second the primary says how far its own is, and a
replica how much of that it has replayed. What a replica shows is as of the last moment at which the primary
was no further.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog
from sqlalchemy import URL

from spackmon.database.condition import Condition
from spackmon.database.postgresql_reader import PostgresqlReader
from spackmon.database.readers import Hold, Reader
from spackmon.database.transactions import Database
from spackmon.database_urls import parsed
from spackmon.errors import Code, Refused

AS_OF_SECONDS: ContextVar[float] = ContextVar("AS_OF_SECONDS", default=0.0)
"""Whoever reads in this context must see what was committed by this moment of the monotonic clock, as long as
there is a primary; infinite: what is committed now."""

_LOOK_SECONDS = 1.0
_LOOK_PATIENCE_SECONDS = 3.0
_PRIMARY_LOOK_SECONDS = 0.3
_OF_PRIMARY = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint::text"
_OF_REPLICA = """
    SELECT COALESCE(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0)::bigint::text WHERE pg_is_in_recovery()
    UNION ALL SELECT '-1' WHERE NOT pg_is_in_recovery()
"""
_NO_REPLICA = -1
# What says that the replica, and not the question, is at fault.
_ITS_OWN_FAULTS = (Code.DATABASE_UNAVAILABLE, Code.DATABASE_BUSY)

log = structlog.get_logger()


@dataclass(slots=True)
class Replica:
    """A replica; `as_of_seconds` is the moment that it shows, 0 while it is not known or cannot be asked."""

    name: str
    reader: PostgresqlReader
    as_of_seconds: float = 0.0
    in_use: int = 0
    is_noted: bool = field(default=False)

    def lag_seconds(self) -> float | None:
        """How old what it shows may be; None while it cannot be asked."""
        return time.monotonic() - self.as_of_seconds if self.as_of_seconds else None


class ReplicatedReader:
    """A Reader over a primary and its replicas. `run` looks after them."""

    def __init__(
        self, primary: PostgresqlReader, condition: Condition, replicas: Sequence[Replica], lag_seconds: float
    ) -> None:
        """`condition` is the primary's: while that is there, no answer is older than `lag_seconds`."""
        self.primary, self.replicas = primary, tuple(replicas)
        self._condition, self._lag_seconds = condition, lag_seconds
        # Moments, and how far the primary's log was no further than at each.
        self._positions: deque[tuple[float, int]] = deque(maxlen=round(10 * 60 / _LOOK_SECONDS))

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        replica = self._near()
        if replica is None:
            # Who waits for a primary that is gone is answered by a replica.
            asked = asyncio.ensure_future(self.primary.fetch(statement, parameters))
            try:
                while not asked.done() and (replica := self._instead_of_primary()) is None:
                    await asyncio.wait((asked,), timeout=_PRIMARY_LOOK_SECONDS)
                if replica is None or asked.done():
                    return asked.result()
            finally:
                asked.cancel()
        replica.in_use += 1
        try:
            return await replica.reader.fetch(statement, parameters)
        except Refused as refused:
            if refused.code not in _ITS_OWN_FAULTS:
                raise
            self._left_out(replica, refused.sentence)
        finally:
            replica.in_use -= 1
        return await self.fetch(statement, parameters)

    async def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        replica = self._near()
        if replica is not None:
            is_begun = False
            try:
                async with aclosing(replica.reader.stream(statement, parameters)) as batches:
                    async for rows in batches:
                        is_begun = True
                        yield rows
            except Refused as refused:
                # Who has rows of one snapshot gets none of another.
                if is_begun or refused.code not in _ITS_OWN_FAULTS:
                    raise
                self._left_out(replica, refused.sentence)
            else:
                return
        async with aclosing(self.primary.stream(statement, parameters)) as batches:
            async for rows in batches:
                yield rows

    async def close(self) -> None:
        """Nothing: who opened the connections gives them back."""

    async def run(self) -> None:
        """See how near the replicas are, for as long as the process serves."""
        while True:
            await self.look()
            await anyio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """See once."""
        if not self._is_primary_away():
            began = time.monotonic()
            position = await _position(self.primary, _OF_PRIMARY)
            if position is not None:
                self._positions.append((began, position))
        async with anyio.create_task_group() as looking:
            for replica in self.replicas:
                looking.start_soon(self._look_at, replica)

    async def _look_at(self, replica: Replica) -> None:
        position = await _position(replica.reader, _OF_REPLICA)
        if position is None:
            self._left_out(replica, "it does not answer")
        elif position == _NO_REPLICA:
            self._left_out(replica, "it is a primary itself now")
        else:
            moments = [moment for moment, there in self._positions if there <= position]
            # What it shows now is no older than what it showed before.
            replica.as_of_seconds = max(replica.as_of_seconds, *moments[-1:], 0.0)
            if replica.is_noted:
                log.info("replica_used_again", replica=replica.name)
                replica.is_noted = False

    def _near(self) -> Replica | None:
        """The replica that fewest use, of those that show what must be seen."""
        # Without a primary what was written last cannot be had: what there is, is answered.
        oldest = 0.0
        if not self._is_primary_away():
            oldest = max(time.monotonic() - self._lag_seconds, AS_OF_SECONDS.get())
        near = [replica for replica in self.replicas if replica.as_of_seconds > oldest]
        return min(near, key=lambda replica: replica.in_use, default=None)

    def _instead_of_primary(self) -> Replica | None:
        return self._near() if self._is_primary_away() else None

    def _is_primary_away(self) -> bool:
        trouble = self._condition.trouble
        return trouble is not None and trouble.is_away

    def _left_out(self, replica: Replica, reason: str) -> None:
        replica.as_of_seconds = 0.0
        if not replica.is_noted:
            log.warning("replica_left_out", replica=replica.name, reason=reason)
            replica.is_noted = True


@asynccontextmanager
async def replicated(
    database: Database,
    primary: Reader,
    addresses: Sequence[str],
    lag_seconds: float,
    statement_seconds: float,
) -> AsyncIterator[Reader]:
    """A Reader over `primary` and the replicas at these addresses; without any, `primary`."""
    if not isinstance(primary, PostgresqlReader) or not addresses:
        yield primary
        return
    replicas = [_replica(parsed(one), statement_seconds, database.is_pooled) for one in addresses]
    reader = ReplicatedReader(primary, database.condition, replicas, lag_seconds)
    try:
        for replica in replicas:
            await replica.reader.open()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader.run)
            yield reader
            tasks.cancel_scope.cancel()
    finally:
        for replica in replicas:
            await replica.reader.close()


def replicas_of(reader: Reader) -> tuple[Replica, ...]:
    """The replicas that a Reader asks, none where there are none."""
    return reader.replicas if isinstance(reader, ReplicatedReader) else ()


async def by_primary(work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`, whose questions the primary answers."""
    AS_OF_SECONDS.set(math.inf)
    await work()


def _replica(url: URL, statement_seconds: float, is_pooled: bool) -> Replica:
    """A replica that is not open yet; its troubles are not those of the service."""
    url = url.set(drivername="postgresql+psycopg")
    hold = Hold(Condition(is_logged=False), 0.0, statement_seconds)
    hosts = url.query.get("host", url.host or "")
    name = hosts if isinstance(hosts, str) else ",".join(hosts)
    return Replica(name, PostgresqlReader(url, statement_seconds, hold, _nothing, is_pooled=is_pooled))


async def _position(reader: PostgresqlReader, statement: str) -> int | None:
    with anyio.move_on_after(_LOOK_PATIENCE_SECONDS):
        try:
            return int(await reader.fetch(statement, {}))
        except Refused:
            return None
    return None


async def _nothing() -> None:
    pass
