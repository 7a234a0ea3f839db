"""Words that PostgreSQL passes on between its clients (LISTEN)."""

from collections.abc import AsyncIterator
from typing import Any

from psycopg import AsyncConnection, sql
from sqlalchemy import URL

from spackmon.database.roles import LISTENER, connection_parameters, session_settings
from spackmon.database_urls import conninfo


class Listening:
    """A connection that hears of a channel; iterated, it gives the payload of each word.

    Raises what the driver raises, as a lost connection.
    """

    def __init__(self, url: URL, channel: str) -> None:
        self._url, self._channel = url, channel
        self._connection: AsyncConnection[Any] | None = None

    async def __aenter__(self) -> AsyncIterator[str]:
        connection = await AsyncConnection.connect(
            conninfo(self._url), autocommit=True, **connection_parameters(LISTENER, self._url)
        )
        self._connection = connection
        await connection.execute(*session_settings(LISTENER))
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        return (word.payload async for word in connection.notifies())

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()
