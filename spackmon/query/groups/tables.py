"""Tables of builds by two keys. Where facets know both, cells are added up from facets, as groups are.

The newest build of a cell is that of one of its facets, which an index finds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, case, func, literal_column, select, true

from spackmon.models import Build, BuildFacet
from spackmon.models.steps import began
from spackmon.query.groups import facets
from spackmon.query.groups.aggregates import cells, table
from spackmon.query.groups.group_keys import Key
from spackmon.query.rows.facets import Facets, Nested
from spackmon.query.rows.paging import Rows
from spackmon.query.sql.scope import Scope


@dataclass(frozen=True, slots=True)
class Table:
    """The `first` rows and columns by two keys, for `aggregates.table`, with `failures` to concretize."""

    row_key: Key
    column_key: Key
    first: int
    nested: Nested
    dialect_name: str
    failures: FromClause | None = None

    @property
    def is_by_facet(self) -> bool:
        """Whether facets know both keys."""
        return facets.answer([self.row_key, self.column_key], [])

    def of_facets(
        self,
        found: Facets,
        is_of_package: Callable[[Scope], ColumnElement[bool]] | None,
        *,
        with_installed: bool,
    ) -> Select[Any]:
        """Of all builds of some facets, or all built ones, of one package or any; where it `is_by_facet`."""
        facet = found.row
        columns = self._columns(facet)
        source, weight, holds = facets.counted(found, self.nested, with_installed=with_installed)
        if is_of_package is not None:
            holds.append(is_of_package(facets.package_of(facet)))
        joined, newest = self._with_newest(facet, facet.joined(source))
        shown: list[Any] = [*columns, weight, newest.c.id, newest.c.started_at]
        return self._cells(select(*shown).select_from(joined).where(*holds), columns)

    def _with_newest(self, facet: Scope, source: FromClause) -> tuple[FromClause, FromClause]:
        """Facets, joined to the newest build of each, and these builds."""
        one = Build.__table__.alias()
        newest_first = one.c.started_at.desc().nulls_last(), one.c.id.desc()
        of_facet: Select[Any] = select(one.c.id, one.c.started_at).where(one.c.facet_id == facet.row_id)
        of_facet = of_facet.limit(literal_column("1")).correlate_except(one)
        if self.dialect_name == "sqlite":
            newest: FromClause = Build.__table__.alias()
            newest_id = of_facet.with_only_columns(one.c.id).order_by(*newest_first).scalar_subquery()
            return source.outerjoin(newest, newest.c.id == newest_id), newest
        # The row is read for what its step does not tell, and so has all that is shown.
        newest = of_facet.order_by(began(one.c.started_at, one.c.id).desc(), *newest_first).lateral()
        return source.outerjoin(newest, true()), newest

    def of(self, builds: Rows) -> Select[Any]:
        """Of some builds."""
        if not self.is_by_facet:
            keys = self.row_key, self.column_key
            return table(builds, *keys, self.first, self.nested, self.dialect_name, self.failures)
        facet_id, build_id = builds.row.column("facet_id"), builds.row.row_id
        started_at = builds.row[Build.started_at]
        newest_first = started_at.desc().nulls_last(), build_id.desc()
        age = func.row_number().over(partition_by=facet_id, order_by=newest_first).label("age")
        aged = self.nested(builds.whole(facet_id, build_id, started_at, age))
        of_newest = [
            func.max(case((aged.c["age"] == literal_column("1"), aged.c[name]))).label(name)
            for name in ("id", "started_at")
        ]
        weight = func.count(type_=BigInteger()).label("weight")
        counted: list[Any] = [aged.c["facet_id"], weight, *of_newest]
        counts = self.nested(select(*counted).group_by(aged.c["facet_id"]))
        facet = builds.row.beneath(BuildFacet.__table__)
        columns = self._columns(facet)
        joined = counts.join(facet.source, facet.row_id == counts.c["facet_id"])
        shown: list[Any] = [*columns, *(counts.c[name] for name in ("weight", "id", "started_at"))]
        return self._cells(select(*shown).select_from(facet.joined(joined)), columns)

    def _columns(self, facet: Scope) -> list[ColumnElement[Any]]:
        return [
            *facets.columns_of(facet, self.row_key, self.dialect_name, "row"),
            *facets.columns_of(facet, self.column_key, self.dialect_name, "column"),
            facet[BuildFacet.status].label("status"),
        ]

    def _cells(self, found: Select[Any], columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        names = [column.name for column in columns[:-1]]
        return cells(self.nested(found), names, self.first, self.nested, self.failures)
