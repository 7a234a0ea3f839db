"""The reading side of PostgreSQL: a pool of autocommit connections."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import URL

from spackmon.database.condition import Condition
from spackmon.database.engine import CONNECT_SECONDS
from spackmon.database.outcome import Outcome, classify
from spackmon.database.readers import (
    FIRST_STREAMED_ROWS,
    held,
    opening,
    rows_to_follow,
    stoppable,
    too_slow,
)


class _TextAsBytes(Loader):
    """The answer's text passes through to the socket: decoding and encoding it would cost twice."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class PostgresqlReader:
    """Every statement is prepared by its connection."""

    def __init__(
        self,
        url: URL,
        timeout_seconds: float,
        hold_seconds: float,
        condition: Condition,
        prepare: Callable[[], Awaitable[None]],
    ) -> None:
        """`prepare` sees to the tables before the first statement; it may raise what a statement may."""
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._timeout_seconds, self._hold_seconds = timeout_seconds, hold_seconds
        self._condition, self._prepare = condition, prepare
        self._pool = AsyncConnectionPool(
            self._address,
            min_size=1,
            max_size=16,
            open=False,
            timeout=hold_seconds,
            configure=self._configure,
            kwargs={"autocommit": True, "connect_timeout": CONNECT_SECONDS, "prepare_threshold": 0},
        )

    async def _configure(self, connection: AsyncConnection[Any]) -> None:
        connection.adapters.register_loader("text", _TextAsBytes)
        # Not as an option of the connection: a pooler between does not pass it on.
        milliseconds = str(round(self._timeout_seconds * 1000))
        await connection.execute("SELECT set_config('statement_timeout', %s, false)", [milliseconds])

    async def open(self) -> None:
        """Begin to connect, without waiting: the server starts while PostgreSQL is away."""
        await self._pool.open(wait=False)

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        async def once() -> bytes:
            await self._prepare()
            async with self._pool.connection() as connection:
                cursor = await connection.execute(statement, parameters)
                ((value,),) = await cursor.fetchall()
                return cast(bytes, value)

        return await held(once, self._condition, self._hold_seconds, self._timeout_seconds)

    async def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        connection = await self._connection_for_export()
        try:
            await self._configure(connection)
            cursor = connection.cursor(name="export")
            await stoppable(cursor.execute(statement, parameters), connection.cancel_safe)
            cursor.arraysize = FIRST_STREAMED_ROWS
            while rows := await stoppable(cursor.fetchmany(), connection.cancel_safe):
                yield rows
                cursor.arraysize = rows_to_follow(rows)
        except psycopg.Error as error:
            if classify(error).outcome is Outcome.TOO_SLOW:
                raise too_slow(self._timeout_seconds) from error
            raise
        finally:
            await connection.close()

    async def _connection_for_export(self) -> AsyncConnection[Any]:
        # Not one of the pool's: whoever asks a question does not wait for exports.
        with opening():
            await self._prepare()
            return await AsyncConnection.connect(self._address, connect_timeout=CONNECT_SECONDS)

    async def close(self) -> None:
        """Give the connections back."""
        await self._pool.close()
