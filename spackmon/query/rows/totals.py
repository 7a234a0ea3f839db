"""How many builds a person has, a tag, a first error, or so many errors, that ended in some way, or are of
some facet: they are counted already.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    BuildFacetTotal,
    BuildTotal,
    BuildTotalChange,
    Person,
    Tag,
)
from spackmon.query.rows.facets import Facets, InCommon, Nested, NotShared, build_of
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


@dataclass(frozen=True, slots=True)
class Counted:
    """Builds that fulfil all `parts` of a filter, which totals may know.

    They are those that `belonging` holds of, or those with the tag of this id.
    """

    parts: Sequence[Given]
    asked: Asked
    belonging: Callable[[Scope], ColumnElement[bool]] | None
    tag_id: ColumnElement[Any] | None

    @classmethod
    def by(
        cls,
        parts: Sequence[Given],
        asked: Asked,
        filtering: Filtering,
        belonging: Callable[[Scope], ColumnElement[bool]] | None,
        tag_id: ColumnElement[Any] | None,
    ) -> "Counted | None":
        """The same, of which at most one part asks for a tag; None where these are several."""
        tag_names = [name for name in map(_tag_name, parts) if name is not None]
        if len(tag_names) + (tag_id is not None) > 1:
            return None
        for name in tag_names:
            text = filtering.bind(name, Text(), lambda one: without_nul("name", one))
            tag_id = select(Tag.id).where(Tag.name == text).scalar_subquery()
        others = [part for part in parts if _tag_name(part) is None]
        return cls(others, asked, belonging, tag_id)

    def number(self, names: Names) -> ColumnElement[Any] | None:
        """How many they are; None where they are asked what totals do not know."""
        for kind in self._kinds:
            counted = Scope(counts(kind), names)
            number = counted[BuildTotal.build_count]
            try:
                holds = self._holds(_build(counted, names, kind))
            except NotShared:
                continue
            total = sql_cast(func.coalesce(func.sum(number), literal_column("0")), BigInteger)
            only = [] if self.tag_id is None else [counted[BuildTotal.key_id] == self.tag_id]
            found = select(total).select_from(counted.joined()).where(*only, *holds)
            return found.correlate_except(None).scalar_subquery()
        return None

    def facets(self, names: Names, nested: Nested) -> Facets | None:
        """The facets that have some, each with how many; None where it is asked what these do not know."""
        for kind in self._kinds:
            every = counts_of_facets(kind)
            by = every.c["facet_id"], every.c["key_id"]
            total = sql_cast(func.sum(every.c["build_count"]), BigInteger).label("build_count")
            only = [] if self.tag_id is None else [every.c["key_id"] == self.tag_id]
            part = nested(select(*by, total).where(*only).group_by(*by))
            facet, exceptions = Scope(BuildFacet.__table__, names), list[Select[Any]]()
            known = _known(facet, part.c["key_id"], kind)
            try:
                holds = self._holds(build_of(facet, names, exceptions, *known))
            except NotShared:
                continue
            return Facets(facet, holds, exceptions, part=part)
        return None

    @property
    def _kinds(self) -> Sequence[TotalOf]:
        by_owner_or_number = TotalOf.OWNER, TotalOf.ERRORS, TotalOf.WARNINGS
        return by_owner_or_number if self.tag_id is None else (TotalOf.TAG,)

    def _holds(self, build: Scope) -> list[ColumnElement[bool]]:
        """What is asked of a build of a total, or of its facet, beside its tag. Raises NotShared."""
        holds = [] if self.belonging is None else [self.belonging(build)]
        for part in self.parts:
            holds += self.asked(build, part)
        return holds


def number_of_tagged(tag_id: ColumnElement[Any]) -> ColumnElement[int]:
    """How many builds have the tag of this id."""
    every = counts(TotalOf.TAG)
    number = func.coalesce(func.sum(every.c["build_count"]), literal_column("0"), type_=BigInteger())
    found = select(number).where(every.c["key_id"] == tag_id)
    return found.correlate_except(every).scalar_subquery()


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


def counts_of_facets(kind: TotalOf) -> FromClause:
    """The same by facet: `key_id`, `facet_id` and `build_count`."""
    rows = _counted_of_facets(kind)
    if kind in _MOSTLY_0:
        facet, change, none = (
            BuildFacet.__table__,
            BuildFacetChange.__table__,
            literal_column("0", BigInteger()),
        )
        rows += [
            select(none, facet.c.id, facet.c.build_count),
            select(none, change.c.facet_id, change.c.build_count),
        ]
        for counted in _counted_of_facets(kind):
            _, facet_id, number = counted.selected_columns
            shown: list[ColumnElement[Any]] = [none, facet_id, -number]
            rows.append(counted.with_only_columns(*shown))
    return union_all(*rows).subquery()


def _counted_of_facets(kind: TotalOf) -> list[Select[Any]]:
    tables = BuildFacetTotal.__table__.alias(), BuildTotalChange.__table__.alias()
    return [
        select(one.c.key_id, one.c.facet_id, one.c.build_count).where(one.c.kind == constant(kind))
        for one in tables
    ]


def _build(counted: Scope, names: Names, kind: TotalOf) -> Scope:
    """A build of a total."""
    ends: dict[Attribute, ColumnElement[Any]] = {
        Build.status: counted[BuildTotal.status],
        Build.installed_from: func.nullif(
            counted[BuildTotal.installed_from], constant(""), type_=Build.installed_from.type
        ),
    }
    columns, references = _known(counted, counted[BuildTotal.key_id], kind)
    return InCommon(counted, names, {**ends, **columns}, references)


def _known(
    counted: Scope, key_id: ColumnElement[Any], kind: TotalOf
) -> tuple[Mapping[Attribute, ColumnElement[Any]], Mapping[Attribute, Callable[[], Scope]]]:
    """What builds of a total of this kind are known to have: columns, and what these refer to."""
    if kind in _NUMBERS:
        return {_NUMBERS[kind]: key_id}, {}
    if kind is not TotalOf.OWNER:
        return {}, {}

    def owner() -> Scope:
        # Who is asked for by name is compared with the key, and totals of others are not added up.
        return counted.attach_referred(Person.__table__, key_id)

    return {Build.owner_id: key_id}, {Build.owner_id: owner}
