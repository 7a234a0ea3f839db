"""How many builds a person has, a tag, a first error, or so many errors, that ended in some way: they are
counted already.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy import cast as sql_cast

from spackmon.models import (
    Build,
    BuildFacet,
    BuildFacetChange,
    BuildTotal,
    BuildTotalChange,
    Person,
    Tag,
)
from spackmon.query.rows.facets import InCommon, NotShared
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.conditions import Filtering
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Attribute, Names, Scope
from spackmon.query.sql.values import Given
from spackmon.status import TotalOf

Asked = Callable[[Scope, Given], Sequence[ColumnElement[bool]]]
"""What a part of a filter asks of a build."""

_NUMBERS: Mapping[TotalOf, Attribute] = {
    TotalOf.ERRORS: Build.error_count,
    TotalOf.WARNINGS: Build.warning_count,
}
_MOSTLY_0 = frozenset({TotalOf.FIRST_ERROR, *_NUMBERS})


def total(
    names: Names,
    parts: Sequence[Given],
    asked: Asked,
    filtering: Filtering,
    belonging: Callable[[Scope], ColumnElement[bool]] | None,
    tag_id: ColumnElement[Any] | None,
) -> ColumnElement[Any] | None:
    """How many builds fulfil all `parts` of a filter; None where these ask what totals do not know.

    They are those that `belonging` holds of, or those with the tag of this id.
    """
    tag_names = [name for name in map(_tag_name, parts) if name is not None]
    if len(tag_names) + (tag_id is not None) > 1:
        return None
    for name in tag_names:
        text = filtering.bind(name, Text(), lambda one: without_nul("name", one))
        tag_id = select(Tag.id).where(Tag.name == text).scalar_subquery()
    kinds = (TotalOf.OWNER, TotalOf.ERRORS, TotalOf.WARNINGS) if tag_id is None else (TotalOf.TAG,)
    for kind in kinds:
        counted = Scope(counts(kind), names)
        build = _build(counted, names, kind)
        holds = [] if tag_id is None else [counted[BuildTotal.key_id] == tag_id]
        try:
            holds += [] if belonging is None else [belonging(build)]
            for part in parts:
                holds += [] if _tag_name(part) is not None else asked(build, part)
        except NotShared:
            continue
        number = sql_cast(
            func.coalesce(func.sum(counted[BuildTotal.build_count]), literal_column("0")), BigInteger
        )
        found = select(number).select_from(counted.joined()).where(*holds)
        return found.correlate_except(None).scalar_subquery()
    return None


def parts_of(where: Given, filtering: Filtering) -> Iterator[Given]:
    """The filters of one field each that together are a filter of builds."""
    for name, value in where.members().items():
        elements = filtering.each(value) if name == "and" and value.value is not None else []
        for element in elements:
            yield from parts_of(element, filtering)
        if not elements:
            yield Given({name: value})


def _tag_name(part: Given) -> Given | None:
    """The name of the tag that builds must have, where nothing else is asked by this part."""
    given = part
    for name in ("tags", "some", "name", "eq"):
        members = given.members() if isinstance(given.value, dict) else {}
        if members.keys() != {name}:
            return None
        given = members[name]
    return None if given.value is None else given


def counts(kind: TotalOf) -> FromClause:
    """All totals of a kind, and what was changed since they were written.

    Builds that no total of the kind counts are there with 0 for what they have in common: those of all facets
    less those of the totals.
    """
    rows = _counted(kind)
    if kind in _MOSTLY_0:
        facet, changed, change = (one.__table__.alias() for one in (BuildFacet, BuildFacet, BuildFacetChange))
        one, none = constant(kind), literal_column("0", BigInteger())
        rows.append(select(one, none, facet.c.status, facet.c.installed_from, facet.c.build_count))
        since = select(one, none, changed.c.status, changed.c.installed_from, change.c.build_count)
        rows.append(since.join_from(change, changed, changed.c.id == change.c.facet_id))
        for counted in _counted(kind):
            *_, status, installed_from, number = counted.selected_columns
            rows.append(counted.with_only_columns(one, none, status, installed_from, -number))
    return union_all(*rows).subquery()


def _counted(kind: TotalOf) -> list[Select[Any]]:
    total, change, facet = (one.__table__.alias() for one in (BuildTotal, BuildTotalChange, BuildFacet))
    since = select(
        change.c.kind, change.c.key_id, facet.c.status, facet.c.installed_from, change.c.build_count
    ).join_from(change, facet, facet.c.id == change.c.facet_id)
    return [
        select(*total.c).where(total.c.kind == constant(kind)),
        since.where(change.c.kind == constant(kind)),
    ]


def _build(counted: Scope, names: Names, kind: TotalOf) -> Scope:
    """A build of a total."""
    key_id = counted[BuildTotal.key_id]
    columns: dict[Attribute, ColumnElement[Any]] = {
        Build.status: counted[BuildTotal.status],
        Build.installed_from: func.nullif(
            counted[BuildTotal.installed_from], constant(""), type_=Build.installed_from.type
        ),
    }
    if kind in _NUMBERS:
        columns[_NUMBERS[kind]] = key_id
    if kind is not TotalOf.OWNER:
        return InCommon(counted, names, columns, {})
    columns[Build.owner_id] = key_id
    owner = {Build.owner_id: lambda: counted.attach(Person.__table__, lambda row: row.row_id == key_id)}
    return InCommon(counted, names, columns, owner)
