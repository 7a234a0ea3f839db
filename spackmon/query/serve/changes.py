"""Where changes stand: the newest, and whether what follows a cursor is still known."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, select
from sqlalchemy.engine import Dialect

from spackmon.database import Reader
from spackmon.errors import Code, Refused
from spackmon.models import ReportedChange
from spackmon.query.meanings.live import cursor_json, newest_cursor
from spackmon.query.sql.json_text import constant, json_writer

_CURSOR = re.compile(r"([1-9][0-9]{0,17})@\S{1,40}")
_BEGINNING = "0"
_CHANGE: Any = ReportedChange.__table__


class Changes:
    """The changes of one database, read by their positions."""

    def __init__(self, reader: Reader, dialect: Dialect, number: Callable[[], Awaitable[None]]) -> None:
        """`number` sees to it that all that is committed has a position."""
        self._reader, self._number = reader, number
        json = json_writer(dialect.name)
        newest = select(newest_cursor(json))
        cursor = select(cursor_json(_CHANGE.c.position, _CHANGE.c.changed_at, json)).where(
            _CHANGE.c.position == bindparam("position", None, type_=BigInteger())
        )
        at = select(func.coalesce(cursor.scalar_subquery(), constant("")))
        self._newest, self._at = (_compiled(statement, dialect) for statement in (newest, at))

    async def newest(self) -> str:
        """The cursor of the newest change. Raises Refused as a Reader does."""
        await self._number()
        return await self._text(self._newest)

    async def newest_for(self, reader: Reader) -> str:
        """The cursor of the newest change of what `reader` may see, of those that have a position."""
        text, constants = self._newest
        return _cursor(await reader.fetch(text, constants))

    async def after(self, cursor: str) -> int:
        """The position that a cursor names.

        Raises Refused: CURSOR_INVALID, and CURSOR_EXPIRED where what followed it is not known any longer.
        """
        found = _CURSOR.fullmatch(cursor)
        if found is None and cursor != _BEGINNING:
            raise Refused(Code.CURSOR_INVALID, "`after` is no cursor of an update, nor of `changeCursor`")
        if not await self._is_known(cursor, None if found is None else int(found[1])):
            raise Refused(
                Code.CURSOR_EXPIRED,
                "the changes after this cursor are not kept any longer: ask for what there is, and for "
                "`changeCursor`, and begin from there",
            )
        return 0 if found is None else int(found[1])

    async def _is_known(self, cursor: str, position: int | None) -> bool:
        if position is not None:
            return await self._text(self._at, position=position) == cursor
        # Nothing was forgotten as long as the first one is there, or there never was any.
        if await self._text(self._at, position=1):
            return True
        return await self._text(self._newest) == _BEGINNING

    async def _text(self, statement: tuple[str, Mapping[str, Any]], **parameters: int) -> str:
        text, constants = statement
        return _cursor(await self._reader.fetch(text, {**constants, **parameters}))


def position_of(cursor: str) -> int:
    """The position that one of our own cursors names."""
    return int(cursor.partition("@")[0])


def _cursor(answer: bytes) -> str:
    return answer.decode().strip('"')


def _compiled(statement: Any, dialect: Dialect) -> tuple[str, Mapping[str, Any]]:
    compiled = statement.compile(dialect=dialect)
    return str(compiled), dict(compiled.params)
