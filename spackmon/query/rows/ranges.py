"""Rows that lie in a range: where their walk may begin, as rows are numbered as they come, and which they are
where they are few.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, and_, case, func, literal_column, not_, select

from spackmon.models.columns import UtcDateTime
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Way
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.values import Given

_MOST, FEW = 60_000, 2_000
_NONE = literal_column("0", Integer())
ABOVE_ALL = literal_column(str(2**63 - 1), BigInteger())
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
    greatest = case((func.count() <= _MOST, func.max(some.c["id"])), else_=ABOVE_ALL)
    return select(greatest).select_from(some).scalar_subquery()


def few_of(
    row: Scope, path: tuple[Attribute, ...], holds: Callable[[ColumnElement[Any]], ColumnElement[bool]]
) -> Way | None:
    """The rows whose count `holds`, found by an index where they are no more than 2,000.

    The index has none whose count is 0: if that `holds`, they are many. None for what is no such count.
    """
    if len(path) > 1 or row.is_led or not path[0].property.columns[0].info.get("mostly_0"):
        return None
    if not row.is_found_by(path[0]):
        return None
    other = row.beneath(row.table).led()
    count = other[path[0]]
    found = select(other.row_id).select_from(other.source).where(count > _NONE, holds(count))
    # In the order of the index: PostgreSQL expects a third of all rows, and would look for them in the table.
    some = found.order_by(count).limit(literal_column(str(FEW + 1))).correlate(None).cte(row.new_name())
    number = select(func.count()).select_from(some).scalar_subquery()
    return Way(and_(not_(holds(_NONE)), number <= FEW), among(row.row_id, select(*some.c), leads=True))
