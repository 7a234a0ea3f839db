"""The reading side of PostgreSQL: a pool of autocommit connections."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, cast

from psycopg import AsyncConnection, AsyncServerCursor
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import URL

from spackmon.database.readers import (
    FIRST_STREAMED_ROWS,
    RETRY_SECONDS,
    Hold,
    rows_to_follow,
    stoppable,
)
from spackmon.database.roles import EXPORT, READER, Role, connection_parameters, session_settings
from spackmon.database.turns import Turns
from spackmon.database_urls import conninfo

# A connection is waited for in steps: the pool does not say that it met none.
_POOL_SECONDS = 1.0


class _TextAsBytes(Loader):
    """The answer's text passes through to the socket: decoding and encoding it would cost twice."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class PostgresqlReader:
    """Every statement is prepared by its connection, unless a pooler stands between."""

    def __init__(
        self,
        url: URL,
        timeout_seconds: float,
        hold: Hold,
        prepare: Callable[[], Awaitable[None]],
        *,
        is_pooled: bool = False,
    ) -> None:
        """`prepare` sees to the tables before the first statement; it may raise what a statement may.

        `is_pooled`: `url` leads to a pooler that lends a session for one transaction.
        """
        self._url, self._timeout_seconds, self._hold, self._prepare = url, timeout_seconds, hold, prepare
        self._is_pooled = is_pooled
        self._address = conninfo(url)
        self.reads, self.exports = Turns(READER.connections), Turns(EXPORT.connections)
        self._pool = AsyncConnectionPool(
            self._address,
            min_size=1,
            max_size=READER.connections,
            open=False,
            timeout=_POOL_SECONDS,
            # Whoever waits tries again sooner than the pool would, which waits longer each time.
            reconnect_timeout=RETRY_SECONDS,
            configure=self._configure_reader,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                **connection_parameters(READER, url, is_pooled=is_pooled),
            },
        )

    async def _configure_reader(self, connection: AsyncConnection[Any]) -> None:
        connection.adapters.register_loader("text", _TextAsBytes)
        if not self._is_pooled:
            await self._begin(connection, READER)

    async def _begin(self, connection: AsyncConnection[Any], role: Role) -> None:
        """Begin a session, or a transaction of one that is lent."""
        await connection.execute(
            *session_settings(role, statement_seconds=self._timeout_seconds, is_pooled=self._is_pooled)
        )

    async def open(self) -> None:
        """Begin to connect, without waiting: the server starts while PostgreSQL is away."""
        await self._pool.open(wait=False)

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        async def once() -> bytes:
            await self._prepare()
            async with self._pool.connection() as connection:
                if self._is_pooled:
                    # What is sent together is one transaction and one round trip.
                    async with connection.pipeline():
                        await self._begin(connection, READER)
                        cursor = await connection.execute(statement, parameters)
                else:
                    cursor = await connection.execute(statement, parameters)
                ((value,),) = await cursor.fetchall()
                return cast(bytes, value)

        async with self._hold.turn(self.reads):
            # One that was lost is seldom the only one.
            return await self._hold.held(once, self._pool.drain)

    async def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        async with self._hold.turn(self.exports):
            connection = await self._hold.held(self._connection_for_export, _nothing)
            try:
                cursor = AsyncServerCursor(connection, "export")
                await stoppable(cursor.execute(statement, parameters), connection.cancel_safe)
                cursor.arraysize = FIRST_STREAMED_ROWS
                while rows := await stoppable(cursor.fetchmany(), connection.cancel_safe):
                    yield rows
                    cursor.arraysize = rows_to_follow(rows)
            except Exception as error:
                raise self._hold.refused(error) from error
            finally:
                await connection.close()

    async def _connection_for_export(self) -> AsyncConnection[Any]:
        # Not one of the pool's: whoever asks a question does not wait for exports.
        await self._prepare()
        connection = await AsyncConnection.connect(
            self._address,
            autocommit=not self._is_pooled,
            **connection_parameters(EXPORT, self._url, is_pooled=self._is_pooled),
        )
        try:
            connection.adapters.register_loader("text", _TextAsBytes)
            await self._begin(connection, EXPORT)
            if not self._is_pooled:
                # A cursor is one snapshot within a transaction.
                await connection.set_autocommit(False)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Give the connections back."""
        await self._pool.close()


async def _nothing() -> None:
    pass
