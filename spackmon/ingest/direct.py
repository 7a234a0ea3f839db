"""Statements that are handed to the driver: what SQLAlchemy does around each was a fifth of a report's CPU.

The transaction is SQLAlchemy's, and so are the errors; whoever listens to its statements hears of these too,
with None for their context.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, bindparam, text

from spackmon.models.columns import UtcDateTime

_MOMENT = UtcDateTime()
# Which fields it has is known when the statement has run.
_named_tuple: Any = namedtuple

Read = TypeVar("Read")


class Direct:
    """SQL for one kind of database, with colons before the names of parameters.

    `given` are those that are moments, `selected` the columns of its rows that are.
    """

    def __init__(self, statement: str, given: Sequence[str], selected: Sequence[str]) -> None:
        self._clause = text(statement).bindparams(*[bindparam(name, type_=_MOMENT) for name in given])
        self._given, self._selected = given, selected
        self._sql = ""
        self._names: Sequence[str] | None = None
        self._make: Callable[[Sequence[Any]], Any] | None = None

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """The rows it gives, as named tuples, or none. Raises as `execute` does."""
        values = self._values(parameters, connection.dialect)
        rows = execute(connection, self._sql, values, self._rows)
        # Another database's driver gives moments as they are.
        if rows and self._selected and connection.dialect.name == "sqlite":
            return [self._with_moments(row, connection.dialect) for row in rows]
        return rows

    def run_each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute for each of some rows of parameters; it gives nothing. Raises as `execute` does."""
        values = [self._values(parameters, connection.dialect) for parameters in rows]
        execute_many(connection, self._sql, values)

    def _values(self, parameters: Mapping[str, Any], dialect: Dialect) -> Any:
        if not self._sql:
            self._compile(dialect)
        if self._given:
            given = {name: _MOMENT.process_bind_param(parameters[name], dialect) for name in self._given}
            parameters = {**parameters, **given}
        return parameters if self._names is None else [parameters[name] for name in self._names]

    def _compile(self, dialect: Dialect) -> None:
        compiled: Any = self._clause.compile(dialect=dialect)
        # Of a database whose parameters have no names.
        self._names = compiled.positiontup
        self._sql = compiled.string

    def _rows(self, cursor: Any) -> Sequence[Any]:
        """The same columns each time, so that their description is read once."""
        if self._make is None:
            if cursor.description is None:
                return ()
            names = [column[0] for column in cursor.description]
            self._make = _named_tuple("Row", names, rename=True)._make
        return list(map(self._make, cursor.fetchall()))

    def _with_moments(self, row: Any, dialect: Dialect) -> Any:
        moments = {name: _MOMENT.process_result_value(getattr(row, name), dialect) for name in self._selected}
        return row._replace(**moments)


def execute(connection: Connection, sql: str, values: Any, read: Callable[[Any], Read]) -> Read:
    """What `read` takes of the driver's cursor after its statement, in the connection's transaction.

    Raises DBAPIError, as SQLAlchemy's own statements do.
    """
    return _by_cursor(connection, sql, values, False, read)


def execute_many(connection: Connection, sql: str, values: Sequence[Any]) -> None:
    """The statement for each of `values`; it gives no rows. Raises as `execute` does."""
    _by_cursor(connection, sql, values, True, lambda _: None)


def _by_cursor(
    connection: Connection, sql: str, values: Any, is_many: bool, read: Callable[[Any], Read]
) -> Read:
    if not connection.in_transaction():
        connection.begin()
    cursor = connection.connection.cursor()
    try:
        for listener in connection.dispatch.before_cursor_execute:
            listener(connection, cursor, sql, values, None, is_many)
        (cursor.executemany if is_many else cursor.execute)(sql, values)
        found = read(cursor)
    except connection.dialect.loaded_dbapi.Error as error:
        # What it raises is what its own statements do, and the pool hears of a connection that is lost.
        connection._handle_dbapi_exception(error, sql, values, cursor, None)
    finally:
        cursor.close()
    for listener in connection.dispatch.after_cursor_execute:
        listener(connection, cursor, sql, values, None, is_many)
    return found
