"""Builds as facets know them: what is asked of a build is asked of a facet, once for all of its builds.

A filter is compiled a second time for that. Where it reads anything of the build that is not the same for
all builds of a facet, facets cannot answer it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Never

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, case, func, literal_column, or_, select
from sqlalchemy import cast as sql_cast

from spackmon.models import (
    Architecture,
    Build,
    BuildFacet,
    BuildFacetChange,
    Compiler,
    Package,
    PackageVersion,
    Spec,
)
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Attribute, Names, Scope

Nested = Callable[[Select[Any]], FromClause]
"""Makes of a SELECT a source of rows, which may look at the rows of every statement around it."""
Weighed = tuple[FromClause, ColumnElement[int]]
"""Facets beside what was changed since their counts were written, and how many builds each has."""


class NotShared(Exception):  # noqa: N818 -- no error: another way is taken
    """Builds of one facet may differ in what is asked."""


@dataclass(frozen=True, slots=True)
class Facets:
    """The facets whose builds pass a filter; that is not so while one of `exceptions` has a row.

    Those that are `is_weighed` have in `build_count` all of their builds, what was changed since included.
    `failing` is where it has been asked already whether one of `exceptions` has a row.
    Of a facet may be only a `part` what is asked for: then these are rows with a `facet_id` and a
    `build_count`.
    """

    row: Scope
    conditions: Sequence[ColumnElement[bool]] = ()
    exceptions: Sequence[Select[Any]] = ()
    is_weighed: bool = False
    failing: ColumnElement[bool] | None = None
    part: FromClause | None = None

    @property
    def are_whole(self) -> bool:
        """Whether all builds of each are what is asked for."""
        return self.part is None

    def weighed(self, nested: Nested) -> Weighed:
        """Every facet, those that have no builds any more among them."""
        if self.is_weighed:
            return self.row.source, self.row[BuildFacet.build_count]
        if self.part is not None:
            is_of = self.row.row_id == self.part.c["facet_id"]
            return self.row.source.join(self.part, is_of), self.part.c["build_count"]
        change = BuildFacetChange.__table__.alias()
        number = sql_cast(func.sum(change.c.build_count), BigInteger).label("build_count")
        since = nested(select(change.c.facet_id, number).group_by(change.c.facet_id))
        weight = self.row[BuildFacet.build_count] + func.coalesce(since.c.build_count, literal_column("0"))
        return self.row.source.outerjoin(since, since.c.facet_id == self.row.row_id), weight

    def fail(self) -> ColumnElement[bool]:
        """Whether they do not say it."""
        if self.failing is not None:
            return self.failing
        return or_(*(one.exists() for one in self.exceptions))

    def count(self, nested: Nested, one_by_one: ColumnElement[Any]) -> ColumnElement[Any]:
        """How many builds they have; `one_by_one` says so where they do not know."""
        source, weight = self.weighed(nested)
        total = sql_cast(func.coalesce(func.sum(weight), literal_column("0")), BigInteger)
        found = select(total).select_from(self.row.joined(source)).where(*self.conditions)
        counted = found.correlate_except(None).scalar_subquery()
        if not self.exceptions:
            return counted
        return case((self.fail(), one_by_one), else_=counted)


def facets(names: Names, asked: Callable[[Scope], Sequence[ColumnElement[bool]]]) -> Facets | None:
    """Those of which all builds fulfil what is `asked` of a build; None where builds of one may differ."""
    facet = Scope(BuildFacet.__table__, names)
    exceptions: list[Select[Any]] = []
    try:
        conditions = asked(build_of(facet, names, exceptions))
    except NotShared:
        return None
    return Facets(facet, conditions, exceptions)


def all_builds(_: Scope) -> ColumnElement[Any]:
    """How many builds there are."""
    totals = []
    for model in (BuildFacet, BuildFacetChange):
        table = model.__table__.alias()
        total = select(sql_cast(func.sum(table.c.build_count), BigInteger)).correlate_except(table)
        totals.append(func.coalesce(total.scalar_subquery(), literal_column("0")))
    return totals[0] + totals[1]


class InCommon(Scope):
    """A row of which no more is known than what all have in common that are counted in one row: some columns,
    and the rows of some references.

    What is absent is 0 in a reference, which is no row's id.
    """

    def __init__(
        self,
        counted: Scope,
        names: Names,
        columns: Mapping[Attribute, ColumnElement[Any]],
        referred: Mapping[Attribute, Callable[[], Scope]],
    ) -> None:
        super().__init__(counted.table, names, counted)
        self._columns = {attribute.key: value for attribute, value in columns.items()}
        self._referred = {attribute.key: make for attribute, make in referred.items()}

    def column(self, name: str) -> ColumnElement[Any]:
        """See Scope. Raises NotShared."""
        return self._columns[name] if name in self._columns else self._none()

    def follow(self, foreign_key: Attribute) -> Scope:
        """See Scope. Raises NotShared."""
        if foreign_key.key not in self._followed:
            self._followed[foreign_key.key] = self._referred.get(foreign_key.key, self._none)()
        return self._followed[foreign_key.key]

    def is_found_by(self, attribute: Attribute) -> bool:
        """See Scope."""
        return False

    @property
    def row_id(self) -> ColumnElement[Any]:
        """See Scope. Raises NotShared."""
        return self._none()

    @property
    def identity(self) -> list[ColumnElement[Any]]:
        """See Scope. Raises NotShared."""
        return self._none()

    def _none(self) -> Never:
        raise NotShared


class _SharedSpec(InCommon):
    """The spec of a facet's builds, which are of many specs."""

    def __init__(self, *arguments: Any, is_there: ColumnElement[bool], exceptions: list[Select[Any]]) -> None:
        super().__init__(*arguments)
        self._is_there, self._exceptions = is_there, exceptions

    def column(self, name: str) -> ColumnElement[Any]:
        """See InCommon."""
        if name == Spec.package_set_id.key:
            self._exceptions.append(_of_unknown_packages())
        return super().column(name)

    def is_there(self) -> ColumnElement[bool]:
        """See Scope."""
        return self._is_there

    def is_exception(self, spec_ids: Select[Any]) -> ColumnElement[bool]:
        """See Scope."""
        self._exceptions.append(spec_ids)
        return literal_column("1") == literal_column("0")


def _of_unknown_packages() -> Select[Any]:
    """Builds of facets that an older version made, of which it is not known yet which packages are below."""
    facet, build = BuildFacet.__table__.alias(), Build.__table__.alias()
    nothing: ColumnElement[int] = literal_column("0")
    unknown = facet.c.package_set_id == nothing, facet.c.package_version_id != nothing
    return select(build.c.id).where(build.c.facet_id == facet.c.id, *unknown)


def build_of(
    facet: Scope,
    names: Names,
    exceptions: list[Select[Any]],
    columns: Mapping[Attribute, ColumnElement[Any]] | None = None,
    references: Mapping[Attribute, Callable[[], Scope]] | None = None,
) -> Scope:
    """A build of a facet, of which some more columns and references may be known.

    What must have no row, so that the facet says what is asked of its builds, is added to `exceptions`.
    """

    def referred(key: Attribute, model: Any) -> Callable[[], Scope]:
        return lambda: facet.attach(model.__table__, lambda row: row.row_id == facet[key])

    version_id = facet[BuildFacet.package_version_id]
    spec = _SharedSpec(
        facet,
        names,
        {
            Spec.package_version_id: version_id,
            Spec.compiler_id: facet[BuildFacet.compiler_id],
            Spec.architecture_id: facet[BuildFacet.architecture_id],
            Spec.package_set_id: facet[BuildFacet.package_set_id],
        },
        {
            Spec.package_version_id: referred(BuildFacet.package_version_id, PackageVersion),
            Spec.compiler_id: referred(BuildFacet.compiler_id, Compiler),
            Spec.architecture_id: referred(BuildFacet.architecture_id, Architecture),
        },
        is_there=version_id != literal_column("0"),
        exceptions=exceptions,
    )
    return InCommon(
        facet,
        names,
        {
            Build.package_id: facet[BuildFacet.package_id],
            Build.status: facet[BuildFacet.status],
            Build.installed_from: func.nullif(
                facet[BuildFacet.installed_from], constant(""), type_=Build.installed_from.type
            ),
            **(columns or {}),
        },
        {
            Build.package_id: referred(BuildFacet.package_id, Package),
            Build.spec_id: lambda: spec,
            **(references or {}),
        },
    )
