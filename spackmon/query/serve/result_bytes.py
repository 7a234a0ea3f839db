"""The value of an analyzer's result, some at a time: it may be large."""

from collections.abc import AsyncGenerator

from sqlalchemy import ColumnElement, LargeBinary, bindparam, case, cast, func, select
from sqlalchemy.engine import Dialect

from spackmon.database import Reader
from spackmon.models import Attribute
from spackmon.query.sql.json_text import constant, json_writer

# PostgreSQL unpacks a whole value for each part of it.
_BYTES_AT_ONCE = 4 << 20
_ROW = Attribute.__table__.c


class ResultBytes:
    """The value of the result with an id."""

    def __init__(self, reader: Reader, dialect: Dialect, result_id: int) -> None:
        self._reader, self._dialect, self._id = reader, dialect, result_id
        content = case(
            (_ROW.kind == constant("BINARY"), _ROW.binary_value),
            else_=self._encoded(func.coalesce(_ROW.value, _ROW.json_value)),
        )
        part = func.substr(content, bindparam("start"), bindparam("size"), type_=LargeBinary)
        whole = select(func.coalesce(json_writer(dialect.name).hexadecimal(part), constant("")))
        compiled = whole.where(_ROW.id == bindparam("id")).compile(dialect=dialect)
        self._statement, self._parameters = str(compiled), compiled.params

    async def part(self, start: int, stop: int) -> bytes:
        """The bytes from `start` on and before `stop`. Raises RuntimeError where the result was replaced."""
        given = {**self._parameters, "id": self._id, "start": start + 1, "size": stop - start}
        found = bytes.fromhex((await self._reader.fetch(self._statement, given)).decode())
        if len(found) != stop - start:
            raise RuntimeError("a result was replaced while it was read")
        return found

    async def parts(self, wanted: range) -> AsyncGenerator[bytes, None]:
        """The bytes at these places. Raises as `part`, and Refused as a Reader does."""
        for start in range(wanted.start, wanted.stop, _BYTES_AT_ONCE):
            yield await self.part(start, min(start + _BYTES_AT_ONCE, wanted.stop))

    def _encoded(self, text: ColumnElement[str]) -> ColumnElement[bytes]:
        if self._dialect.name == "sqlite":
            return cast(text, LargeBinary)
        return func.convert_to(text, constant("UTF8"), type_=LargeBinary)
