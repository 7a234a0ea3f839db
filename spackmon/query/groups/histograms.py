"""Groups of builds with their durations, those of many rounded and counted: docs/decisions/0012-facts.md.

To sort two million durations takes two seconds, to add up what is counted of them some milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Select,
    Text,
    case,
    func,
    literal_column,
    not_,
    null,
    select,
    union_all,
)
from sqlalchemy import cast as sql_cast

from spackmon.models import Build, BuildFacet, BuildFacetChange, BuildFacetDuration
from spackmon.query.groups.aggregates import KEY_PREFIX, check_keys, grouped
from spackmon.query.groups.facets import columns, columns_of, counted
from spackmon.query.groups.group_keys import Key
from spackmon.query.groups.measures import microseconds, ranked
from spackmon.query.rows.facets import Facets, Nested
from spackmon.query.rows.paging import Rows

MOST_EXACT = 100_000
"""Of more builds than these durations are rounded."""

_ZERO, _ONE = literal_column("0", Integer()), literal_column("1", Integer())


@dataclass(frozen=True, slots=True)
class Histograms:
    """The groups of `aggregates.groups` of all builds of some facets.

    Where these are many, a facet is one row of what is grouped, and those of its builds that took about as
    long are another; otherwise each build is a row. `builds` are those that count.
    """

    builds: Rows
    facets: Facets
    nested: Nested
    dialect_name: str

    def groups(self, keys: Sequence[Key], measured: Sequence[str], *, with_installed: bool) -> Select[Any]:
        """Every group."""
        check_keys(keys)
        are_many = self.facets.count(self.nested, _ZERO) > literal_column(str(MOST_EXACT))
        whole = self._facets(keys, with_installed=with_installed)
        names = [column.name for column in whole.c if column.name.startswith(KEY_PREFIX)]
        builds = self._builds(keys, not_(are_many))
        many = self._counted(whole, names).where(are_many), self._timed(whole, names, are_many)
        if self.dialect_name != "postgresql":
            return self._grouped([self._placed(builds, names), *many], names, measured)
        # It sorts durations within each group, in a third of the time that places take.
        few = grouped(builds, names, measured).having(not_(are_many))
        return select(union_all(few, self._grouped(many, names, measured).having(are_many)).subquery())

    def _grouped(
        self, rows: Sequence[Select[Any]], names: Sequence[str], measured: Sequence[str]
    ) -> Select[Any]:
        return grouped(self.nested(select(union_all(*rows).subquery())), names, measured)

    def _builds(self, keys: Sequence[Key], are_few: ColumnElement[bool]) -> FromClause:
        """Each build."""
        rows = self.builds.narrowed(are_few)
        own = rows.row.column("facet_id")
        # Facets are thousands, and the specs of builds hundreds of thousands.
        facet = rows.row.attach(BuildFacet.__table__, lambda facet: facet.row_id == own)
        labelled = [
            column
            for key in keys
            for column in columns_of(facet, key, self.dialect_name, KEY_PREFIX + key.name)
        ]
        facts = [rows.row[fact].label(fact.key) for fact in (Build.status, Build.duration_seconds)]
        return self.nested(rows.whole(*labelled, *facts))

    def _placed(self, builds: FromClause, names: Sequence[str]) -> Select[Any]:
        """Each build by its place among the durations of its group."""
        placed = self.nested(ranked(builds, names, ["duration_seconds"]))
        duration = placed.c["duration_seconds"]
        return _row(
            placed, names, placed.c["status"], weight=_ONE, duration_seconds=duration,
            duration_seconds_rank=placed.c["duration_seconds_rank"],
            duration_seconds_known=placed.c["duration_seconds_known"],
            alike=case((duration.is_(None), _ZERO), else_=_ONE),
            microseconds=func.coalesce(microseconds(duration), _ZERO), is_rounded=_ZERO,
        )  # fmt: skip

    def _facets(self, keys: Sequence[Key], *, with_installed: bool) -> FromClause:
        facet = self.facets.row
        labelled = columns(facet, keys, self.dialect_name)
        source, weight, holds = counted(self.facets, self.nested, with_installed=with_installed)
        shown: list[Any] = [*labelled, facet.row_id.label("facet_id"), weight]
        return self.nested(select(*shown).select_from(facet.joined(source)).where(*holds))

    def _counted(self, whole: FromClause, names: Sequence[str]) -> Select[Any]:
        """Each facet."""
        return _row(
            whole, names, whole.c["status"], weight=whole.c["weight"],
            duration_seconds=sql_cast(null(), Float(53)), duration_seconds_rank=sql_cast(null(), BigInteger),
            duration_seconds_known=sql_cast(null(), BigInteger), alike=_ZERO, microseconds=_ZERO,
            is_rounded=_ONE,
        )  # fmt: skip

    def _timed(self, whole: FromClause, names: Sequence[str], are_many: ColumnElement[bool]) -> Select[Any]:
        """Each rounded duration of a group, with the place of the last that is rounded to it."""
        kept, since = BuildFacetDuration.__table__.alias(), BuildFacetChange.__table__.alias()
        parts = [
            select(one.c.facet_id, one.c.rounded_seconds, one.c.build_count, one.c.microseconds)
            for one in (kept, since)
        ]
        parts[1] = parts[1].where(since.c.rounded_seconds.is_not(None))
        both = union_all(*parts).subquery()
        by = [*(whole.c[name] for name in names), both.c.rounded_seconds]
        number_alike = sql_cast(func.sum(both.c.build_count), BigInteger)
        total = sql_cast(func.sum(both.c.microseconds), BigInteger)
        alike = self.nested(
            select(*by, number_alike.label("alike"), total.label("microseconds"))
            .select_from(whole.join(both, both.c.facet_id == whole.c["facet_id"]))
            .where(are_many)
            .group_by(*by)
            .having(number_alike > _ZERO)
        )
        group = [alike.c[name] for name in names]
        seconds, summed = alike.c["rounded_seconds"], func.sum(alike.c["alike"])
        return _row(
            alike, names, sql_cast(null(), Text), weight=_ZERO, duration_seconds=seconds,
            duration_seconds_rank=sql_cast(summed.over(partition_by=group, order_by=seconds), BigInteger),
            duration_seconds_known=sql_cast(summed.over(partition_by=group), BigInteger),
            alike=alike.c["alike"],
            microseconds=alike.c["microseconds"], is_rounded=_ONE,
        )  # fmt: skip


def _row(
    source: FromClause, names: Sequence[str], status: ColumnElement[Any], **values: ColumnElement[Any]
) -> Select[Any]:
    """A row of what is grouped, with the keys' columns of these names."""
    labelled = [value.label(name) for name, value in values.items()]
    shown: list[Any] = [*(source.c[name] for name in names), status.label("status"), *labelled]
    return select(*shown).select_from(source)
