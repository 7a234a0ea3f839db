"""Builds and specs by what they contain: a walk from the newest, a condition on one, and their number."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    cast,
    func,
    literal_column,
    not_,
    select,
    true,
)

from spackmon.models import Build, BuildContent, PackageSetMember, Spec
from spackmon.models.builds import BUILDS_OF_CHUNK, SEALED
from spackmon.query.rows.facets import InCommon
from spackmon.query.speclang.satisfying import FEW_BY_THEMSELVES, counted
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Condition, Driver, Walk, Way, Ways
from spackmon.query.sql.scope import Scope

_BUILDS_OF_CHUNK = literal_column(str(BUILDS_OF_CHUNK), BigInteger())


def _chunk(build_id: ColumnElement[Any]) -> ColumnElement[Any]:
    return build_id.op("/")(_BUILDS_OF_CHUNK)


def _place(build_id: ColumnElement[Any]) -> ColumnElement[Any]:
    return build_id.op("%")(_BUILDS_OF_CHUNK)


def builds_containing(build: Scope, package_id: ColumnElement[Any], dialect_name: str) -> Condition:
    """A build contains any version of a package, by any path."""
    if isinstance(build, InCommon):
        return Condition(build.follow(Build.spec_id)[Spec.package_set_id].in_(_sets_with(package_id)))
    contents = Contents(dialect_name, package_id=package_id)
    holds = contents.holds(build.row_id)
    return Condition(holds, contents.driver(holds))


def specs_containing(
    spec: Scope, package_id: ColumnElement[Any], by_closure: ColumnElement[bool]
) -> Condition:
    """A spec contains any version of a package, by any path, as `by_closure` says of each spec."""
    set_id, other, unknown = spec[Spec.package_set_id], Spec.__table__.alias(), Spec.__table__.alias()
    is_known = not_(select(unknown.c.id).where(unknown.c.package_set_id.is_(None)).exists())
    theirs = select(other.c.id).where(among(other.c.package_set_id, _sets_with(package_id), leads=True))
    few, are_few = counted(theirs, FEW_BY_THEMSELVES)
    ways = (
        Way(and_(is_known, are_few), among(spec.row_id, few, leads=True)),
        Way(and_(is_known, not_(are_few)), among(set_id, _sets_with(package_id))),
        Way(not_(is_known), by_closure),
    )
    known = Way(is_known, set_id.in_(_sets_with(package_id)))
    return Condition(by_closure, ways=Ways(by_closure, ways, known))


def _sets_with(package_id: ColumnElement[Any]) -> Select[Any]:
    member = PackageSetMember.__table__.alias()
    found = select(member.c.package_set_id).where(member.c.package_id == package_id)
    return found.correlate_except(member)


@dataclass(frozen=True, slots=True)
class Contents:
    """The builds that contain a package version, or any version of a package; one of both is given."""

    dialect_name: str
    version_id: ColumnElement[Any] | None = None
    package_id: ColumnElement[Any] | None = None

    def driver(self, holds: ColumnElement[bool]) -> Driver:
        """Walks them; `holds` as of the method of this name."""
        if self._is_sqlite:
            contained = BuildContent.__table__.alias()
            conditions = self._which(contained), *self._each_once(contained)
            return self._driver(contained, contained.c.chunk, contained.c.place, conditions, holds)
        forward, backward = (self._walk(holds, from_end=from_end) for from_end in (False, True))
        return replace(forward, backward=backward)

    def holds(self, build_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """A build is one of them."""
        contained = BuildContent.__table__.alias()
        place = _place(build_id)
        found = select(contained.c.place).where(self._which(contained), contained.c.chunk == _chunk(build_id))
        if self._is_sqlite:
            return found.where(contained.c.place == place).exists()
        places = contained.c.place.in_([literal_column(str(SEALED)), place])
        return found.where(places, place == func.any(contained.c.places)).exists()

    @property
    def _is_sqlite(self) -> bool:
        return self.dialect_name == "sqlite"

    def _which(self, contained: FromClause) -> ColumnElement[bool]:
        if self.version_id is not None:
            return contained.c.package_version_id == self.version_id
        return contained.c.package_id == self.package_id

    def _each_once(self, contained: FromClause) -> tuple[ColumnElement[bool], ...]:
        """Of a build whose graph has several versions of a package one row is meant.

        What DISTINCT tells apart is sorted before SQLite numbers it: all of it, for each page.
        """
        if self.version_id is not None:
            return ()
        other = BuildContent.__table__.alias()
        before = select(other.c.place).where(
            self._which(other),
            other.c.chunk == contained.c.chunk,
            other.c.place == contained.c.place,
            other.c.package_version_id < contained.c.package_version_id,
        )
        return (~before.correlate(contained).exists(),)

    def _walk(self, holds: ColumnElement[bool], *, from_end: bool) -> Driver:
        """A list in order: PostgreSQL sorts it chunk by chunk, as far as it is read."""
        chunk, place, found = self._found()
        order = [chunk, place] if from_end else [chunk.desc(), place.desc()]
        listed = found.order_by(*order).subquery()
        return self._driver(listed, listed.c.chunk, listed.c.place, (), holds)

    def _driver(
        self, source: FromClause, chunk: ColumnElement[Any], place: ColumnElement[Any],
        conditions: tuple[ColumnElement[bool], ...], holds: ColumnElement[bool],
    ) -> Driver:  # fmt: skip
        walk = Walk((chunk, place), _chunk)
        return Driver(source, _build_id(chunk, place), conditions, walk, holds=holds, number=self._number())

    def _found(self) -> tuple[ColumnElement[Any], ColumnElement[Any], Select[Any]]:
        """Their chunks and places, in no order, each once."""
        contained, place, source = self._source()
        chunk = contained.c.chunk
        found = select(chunk, place.label("place")).select_from(source).where(self._which(contained))
        # A graph may contain several versions of a package.
        return chunk, place, found if self.version_id is not None else found.distinct()

    def _source(self) -> tuple[FromClause, ColumnElement[Any], FromClause]:
        """The rows, a place that a row has, and both side by side."""
        contained: FromClause = BuildContent.__table__.alias()
        if self._is_sqlite:
            return contained, contained.c.place, contained
        listed = func.unnest(contained.c.places).table_valued("place").render_derived().lateral()
        return contained, listed.c.place, contained.join(listed, true())

    def _number(self) -> Select[Any]:
        if self.version_id is None:
            # Chunk by chunk, as the index has them: to tell all of them apart takes five times as long.
            contained, place, source = self._source()
            apart = select(func.count(place.distinct()).label("number")).select_from(source)
            counted = apart.where(self._which(contained)).group_by(contained.c.chunk).subquery()
            number: ColumnElement[Any] = func.sum(counted.c.number)
            return select(cast(func.coalesce(number, literal_column("0")), BigInteger())).select_from(counted)
        contained = BuildContent.__table__.alias()
        if self._is_sqlite:
            number = func.count(type_=BigInteger())
        else:
            places = func.sum(func.cardinality(contained.c.places))
            number = cast(func.coalesce(places, literal_column("0")), BigInteger())
        return select(number).select_from(contained).where(self._which(contained))


def _build_id(chunk: ColumnElement[Any], place: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(chunk, BigInteger()) * _BUILDS_OF_CHUNK + place
