"""Where the walk of rows that lie in a range of time may begin, as rows are numbered as they come."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, func, literal_column, select

from spackmon.models.columns import UtcDateTime
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.values import Given

_MOST = 60_000
_ABOVE_ALL = literal_column(str(2**63 - 1), BigInteger())
_LOWER, _UPPER = frozenset({"gt", "ge"}), frozenset({"lt", "le"})


def newest_within(
    row: Scope,
    path: tuple[Attribute, ...],
    given: Given,
    holds: Callable[[Scope], ColumnElement[bool]],
) -> ColumnElement[Any] | None:
    """The greatest id of the rows in a range, which an index finds by a time of their own; None without one.

    `holds` says of another scope of the table that its row is in the range. Of more than 60,000 rows it is
    not looked for: to read their entries would take longer than what it saves.
    """
    operators = given.members().keys()
    is_closed = _LOWER & operators and _UPPER & operators
    if len(path) > 1 or not is_closed or not isinstance(path[0].type, UtcDateTime):
        return None
    if row.is_led or not row.is_found_by(path[0]):
        return None
    other = row.beneath(row.table).led()
    within = select(other.row_id).select_from(other.source).where(holds(other))
    some = within.limit(literal_column(str(_MOST + 1))).correlate(None).subquery(row.new_name())
    greatest = case((func.count() <= _MOST, func.max(some.c["id"])), else_=_ABOVE_ALL)
    return select(greatest).select_from(some).scalar_subquery()
