"""Groups of all builds by what totals count: their owner, or the group of their first error."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, func, literal_column, select
from sqlalchemy import cast as sql_cast

from spackmon.models import Build, BuildTotal, ErrorGroup, Person
from spackmon.query.groups.aggregates import KEY_PREFIX, check_keys
from spackmon.query.groups.facets import MEASURED, grouped_by_keys, was_built
from spackmon.query.groups.group_keys import Key, KeyColumns
from spackmon.query.rows.facets import Nested
from spackmon.query.rows.totals import counts
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Attribute, Names, Scope
from spackmon.status import TotalOf


def _of(model: Any, *shown: Attribute) -> KeyColumns:
    """Columns of the row whose id the builds of a total have in common."""

    def columns(total: Scope, _: str) -> Sequence[ColumnElement[Any]]:
        common = total[BuildTotal.key_id]
        row = total.attach(model.__table__, lambda row: row.row_id == common)
        return [row[one] for one in shown]

    return columns


def _status(total: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    return [total[BuildTotal.status]]


def _installed_from(total: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    return [func.nullif(total[BuildTotal.installed_from], constant(""), type_=Build.installed_from.type)]


_KINDS = {
    "owner": (TotalOf.OWNER, _of(Person, Person.name)),
    "error_group": (TotalOf.FIRST_ERROR, _of(ErrorGroup, ErrorGroup.fingerprint, ErrorGroup.text)),
}
_ENDS: dict[str, KeyColumns] = {"status": _status, "installed_from": _installed_from}
_COLUMNS = {**{name: columns for name, (_, columns) in _KINDS.items()}, **_ENDS}


def answer(keys: Sequence[Key], measured: Sequence[str]) -> bool:
    """Whether totals know all that builds are grouped by, and all that is measured of them."""
    kinds = [key for key in keys if key.name in _KINDS]
    ends = [key for key in keys if key.name in _ENDS]
    return len(kinds) == 1 and len(kinds) + len(ends) == len(keys) and MEASURED.issuperset(measured)


def groups_of_all(
    keys: Sequence[Key],
    measured: Sequence[str],
    names: Names,
    nested: Nested,
    dialect_name: str,
    *,
    with_installed: bool,
) -> Select[Any]:
    """The groups of `aggregates.groups` of all builds, or of all that were built, which totals count."""
    check_keys(keys)
    kind = next(_KINDS[key.name][0] for key in keys if key.name in _KINDS)
    every = counts(kind)
    weight = sql_cast(func.sum(every.c["build_count"]), BigInteger)
    by = [every.c[name] for name in ("key_id", "status", "installed_from")]
    holds = [] if with_installed else [was_built(every.c["installed_from"])]
    summed = select(*by, weight.label("weight")).where(*holds).group_by(*by)
    total = Scope(nested(summed.having(weight > literal_column("0"))), names)
    labelled = [
        column
        for key in keys
        for column in Key(key.name, _COLUMNS[key.name]).labelled(total, dialect_name, KEY_PREFIX + key.name)
    ]
    shown = [*labelled, total[BuildTotal.status].label("status"), total.column("weight")]
    return grouped_by_keys(select(*shown).select_from(total.joined()), measured, nested)
