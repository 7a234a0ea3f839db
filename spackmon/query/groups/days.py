"""Groups of all builds by the days on which they began, which are counted already."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Text,
    func,
    literal_column,
    select,
)
from sqlalchemy import cast as sql_cast

from spackmon.models import Build, BuildDay, BuildFacet, BuildFacetChange
from spackmon.query.groups.aggregates import KEY_PREFIX, check_keys
from spackmon.query.groups.facets import MEASURED, grouped_by_keys, was_built
from spackmon.query.groups.group_keys import WEEK, Key, iso_week
from spackmon.query.rows.facets import Nested
from spackmon.query.sql.json_text import constant

_FIRST, _OF_MONTH = literal_column("1", Integer()), literal_column("7", Integer())


def _day(days: FromClause, _: str) -> ColumnElement[Any]:
    return func.nullif(days.c["day"], constant(""), type_=Text())


def _week(days: FromClause, dialect_name: str) -> ColumnElement[Any]:
    day = _day(days, dialect_name)
    return iso_week(day) if dialect_name == "sqlite" else WEEK.of_local(sql_cast(day, DateTime()))


def _month(days: FromClause, dialect_name: str) -> ColumnElement[Any]:
    return func.substr(_day(days, dialect_name), _FIRST, _OF_MONTH, type_=Text())


def _status(days: FromClause, _: str) -> ColumnElement[Any]:
    return days.c["status"]


def _installed_from(days: FromClause, _: str) -> ColumnElement[Any]:
    return func.nullif(days.c["installed_from"], constant(""), type_=Build.installed_from.type)


_KEYS: dict[str, Callable[[FromClause, str], ColumnElement[Any]]] = {
    "day": _day, "week": _week, "month": _month, "status": _status, "installed_from": _installed_from,
}  # fmt: skip


def answer(keys: Sequence[Key], measured: Sequence[str]) -> bool:
    """Whether days know all that builds are grouped by, and all that is measured of them."""
    return all(key.name in _KEYS for key in keys) and MEASURED.issuperset(measured)


def groups_of_all(
    keys: Sequence[Key], measured: Sequence[str], nested: Nested, dialect_name: str, *, with_installed: bool
) -> Select[Any]:
    """The groups of `aggregates.groups` of all builds, or of all that were built, which days count."""
    check_keys(keys)
    day, facet, change = (model.__table__.alias() for model in (BuildDay, BuildFacet, BuildFacetChange))
    names = ("day", "status", "installed_from")
    since = select(change.c.day, facet.c.status, facet.c.installed_from, change.c.build_count)
    since = since.join_from(change, facet, facet.c.id == change.c.facet_id)
    both = select(*(day.c[name] for name in names), day.c.build_count).union_all(since).subquery()
    weight = sql_cast(func.sum(both.c["build_count"]), BigInteger)
    holds = [] if with_installed else [was_built(both.c["installed_from"])]
    by = [both.c[name] for name in names]
    summed = select(*by, weight.label("weight")).where(*holds).group_by(*by)
    days = nested(summed.having(weight > literal_column("0")))
    columns = [_KEYS[key.name](days, dialect_name).label(KEY_PREFIX + key.name) for key in keys]
    return grouped_by_keys(select(*columns, days.c["status"], days.c["weight"]), measured, nested)
