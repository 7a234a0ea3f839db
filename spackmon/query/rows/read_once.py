"""Rows that are counted several times over: read once, with the columns that any of the counts asks for."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from spackmon.models import Build, BuildFacet
from spackmon.query.rows.facets import Facets, Nested
from spackmon.query.rows.paging import Rows
from spackmon.query.sql.scope import Names, RowSource, Scope

_COUNT, _NEWEST = BuildFacet.build_count.key, "newest"
_OF_PACKAGES = {
    one.key for one in (BuildFacet.id, BuildFacet.package_id, BuildFacet.package_version_id,
                        BuildFacet.package_set_id)
}  # fmt: skip
_FEWEST_READERS = 2


class ReadOnce:
    """The rows of a connection, by a name within its value: a WITH clause of that has them.

    Of 67,900 builds with an error PostgreSQL took 65 to 75 ms for each of four groups, nearly all of it to
    find the builds. Those that count by facets take one count of these, too: each took 12 ms for 55,000.
    """

    def __init__(self, rows: Rows, names: Names, nested: Nested) -> None:
        self._rows, self._names, self._nested = rows, names, nested
        self.name = f"t{next(names)}"
        self._read: list[_Again] = []
        self._counts_name = f"t{next(names)}"
        self._facets: FacetsOnce | None = None
        self._is_newest_asked = False

    def again(self) -> Rows:
        """The same rows, as if they were a table."""
        row = self._row()
        # A table of which nothing is asked is not said to be all of it.
        return Rows(row, [true()], None, [], facets=self._facets_again)

    def count(self) -> ColumnElement[Any]:
        """How many they are: of counts by facets the sum, where these are read."""
        if self._facets is None:
            number = self.again().count()
        else:
            counts = self._by_facet()
            total = func.coalesce(func.sum(counts.c[_COUNT]), literal_column("0"))
            number = select(sql_cast(total, BigInteger)).select_from(counts)
        return number.correlate_except(None).scalar_subquery()

    def newest(self) -> ColumnElement[Any] | None:
        """The greatest id of the rows, where they are counted by facet: who counts them has met it."""
        if self._facets is None:
            return None
        self._is_newest_asked = True
        counts = self._by_facet(column(_NEWEST, BigInteger()))
        newest = select(func.max(counts.c[_NEWEST])).select_from(counts)
        return newest.correlate_except(None).scalar_subquery()

    def before(self, value: Select[Any]) -> Select[Any]:
        """The statement of the value, once all that reads the rows has been compiled."""
        counts = self._counts()
        wanted = sorted({one.name for source in self._read for one in source.c})
        if not self._read:
            return value
        columns: list[ColumnElement[Any]] = [self._rows.row.column(name).label(name) for name in wanted]
        found = self._rows.each(*columns).correlate_except(None)
        value = value.add_cte(found.cte(self.name, nesting=True), nest_here=True)
        if counts is None or self._facets is None:
            return value
        value = value.add_cte(counts.cte(self._counts_name, nesting=True), nest_here=True)
        return self._facets.before(value)

    def _row(self) -> Scope:
        row = Scope(self._rows.row.table, self._names)
        source = _Again(self._rows.row.table, row.source.name, self.name)
        row.source = source
        self._read.append(source)
        return row

    def _facets_again(self) -> Facets | None:
        """The facets that say it of all of their builds, if any do, or those that the rows are of."""
        known = self._rows.facets()
        if known is not None or self._rows.row.table is not Build.__table__:
            return known
        if self._facets is None:
            row = Scope(BuildFacet.__table__, self._names)
            self._facets = FacetsOnce(Facets(row, part=self._by_facet()), self._names, self._nested)
        return self._facets.again()

    def _by_facet(self, *more: Any) -> FromClause:
        known = column("facet_id", BigInteger()), column(_COUNT, BigInteger())
        return table(self._counts_name, *known, *more).alias(f"t{next(self._names)}")

    def _counts(self) -> Select[Any] | None:
        """How many of the rows each facet has, if anything asks for that."""
        if self._facets is None:
            return None
        row = self._row()
        facet_id, number = row.column("facet_id"), func.count(type_=BigInteger())
        newest = [func.max(row.row_id).label(_NEWEST)] if self._is_newest_asked else []
        counted = select(facet_id.label("facet_id"), number.label(_COUNT), *newest).select_from(row.source)
        return counted.group_by(facet_id)


class FacetsOnce:
    """The facets of a list's builds for all that is counted by them: read once, each with how many it has.

    A page of all builds has six groups of them and their number, each of which read 6,452 facets.
    """

    def __init__(self, found: Facets, names: Names, nested: Nested) -> None:
        self._found, self._names, self._nested = found, names, nested
        self._name, self._few_name, self._failing_name = (f"t{next(names)}" for _ in range(3))
        self._read: list[_Again] = []

    def again(self) -> Facets:
        """The same facets, as if they were a table; none has no builds."""
        row = Scope(BuildFacet.__table__, self._names)
        source = _Again(BuildFacet.__table__, row.source.name, self._name)
        row.source = source
        self._read.append(source)
        failing = None
        if self._found.exceptions:
            asked = table(self._failing_name, column("fails", Boolean()))
            failing = select(asked.c.fails).scalar_subquery()
        found = self._found
        return Facets(row, (), found.exceptions, is_weighed=True, failing=failing, part=found.part)

    def before(self, value: Select[Any]) -> Select[Any]:
        """The statement of the value, once all that reads the facets has been compiled."""
        if not self._read:
            return value
        row = self._found.row
        source, weight = self._found.weighed(self._nested)
        wanted = sorted({one.name for source in self._read for one in source.c} - {_COUNT})
        columns = [row.column(name).label(name) for name in wanted]
        found = select(*columns, weight.label(_COUNT)).select_from(row.joined(source))
        found = found.where(weight > literal_column("0"), *self._found.conditions).correlate_except(None)
        value = value.add_cte(found.cte(self._name, nesting=True), nest_here=True)
        few = self._added_up()
        value = value if few is None else value.add_cte(few.cte(self._few_name, nesting=True), nest_here=True)
        if not self._found.exceptions:
            return value
        fails = select(self._found.fail().label("fails")).correlate_except(None)
        return value.add_cte(fails.cte(self._failing_name, nesting=True), nest_here=True)

    def _added_up(self) -> Select[Any] | None:
        """One row for all that are alike but for their packages, where several ask of nothing else.

        A site has thousands of facets, and a handful of compilers and targets.
        """
        sources = [source for source in self._read if _OF_PACKAGES.isdisjoint(one.name for one in source.c)]
        names = sorted({one.name for source in sources for one in source.c} - {_COUNT})
        if len(sources) < _FEWEST_READERS or not names:
            return None
        for source in sources:
            source.rows_name = self._few_name
        every = table(self._name, *(column(name) for name in names), column(_COUNT, BigInteger()))
        by = [every.c[name] for name in names]
        return select(*by, sql_cast(func.sum(every.c[_COUNT]), BigInteger).label(_COUNT)).group_by(*by)


class _Again(RowSource):
    """An alias of the rows, which have the table's columns."""

    inherit_cache = False

    def __init__(self, table: Any, alias: str, rows_name: str) -> None:
        super().__init__(table, alias)
        self.rows_name = rows_name


@compiles(_Again)
def _again(source: _Again, compiler: SQLCompiler, *, asfrom: bool = False, **_: Any) -> str:
    return f"{source.rows_name} AS {source.name}" if asfrom else source.name
