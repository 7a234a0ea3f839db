"""Pages of specs that a question goes through: their ids in SQL, and where the next page begins."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    literal_column,
    or_,
    select,
    true,
)

from spackmon.errors import Code, Refused
from spackmon.models import ClosureAbove, Dependency, Package, PackageVersion, Spec, SpecHash
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

Arguments = Mapping[str, Given]

MOST_VERSIONS = 50
"""So many specs of a package stand in one answer."""
MOST_DEPENDENTS = 200
"""So many specs that depend on a package stand in one answer."""


class Page:
    """The arguments of a page: how many specs, by `first`, and after which id, by `after`."""

    def __init__(self, first: str, after: str, most: int) -> None:
        self.first, self.after, self.most = first, after, most

    def of(self, ids: Select[Any], statement: "Statement", arguments: Arguments) -> Select[Any]:
        """The page of a select of spec ids, the newest first, and one more if there is one."""
        rows = ids.subquery(statement.new_name())
        page = select(rows.c.id).order_by(rows.c.id.desc()).limit(self._limit(statement, arguments))
        return page.where(*self._beyond(rows.c.id, statement, arguments))

    def of_users(
        self, ids: Select[Any], bits: int, statement: "Statement", arguments: Arguments
    ) -> Select[Any]:
        """The page of the specs that have one of these as a dependency of their own, by one of these
        bits. Of each of them no more users are read than a page has: of the 128,000 of zlib, a sixth.
        """
        used, edge = ids.subquery(statement.new_name()), Dependency.__table__.alias()
        newest = (
            select(edge.c.parent_id.label("id"))
            .distinct()
            .where(
                edge.c.child_id == used.c.id,
                edge.c.deptypes.op("&")(literal_column(str(bits))) > literal_column("0"),
                *self._beyond(edge.c.parent_id, statement, arguments),
            )
            .order_by(edge.c.parent_id.desc())
            .limit(self._limit(statement, arguments))
            .correlate(used)
        )
        if statement.dialect_name == "sqlite":
            other = Dependency.__table__.alias()
            users = select(other.c.parent_id.label("id")).join_from(
                used, other, and_(other.c.child_id == used.c.id, other.c.parent_id.in_(newest))
            )
        else:
            found = newest.lateral(statement.new_name())
            users = select(found.c.id).join_from(used, found, true())
        rows = users.distinct().subquery(statement.new_name())
        return select(rows.c.id).order_by(rows.c.id.desc()).limit(self._limit(statement, arguments))

    def _limit(self, statement: "Statement", arguments: Arguments) -> ColumnElement[int]:
        return statement.bind(arguments[self.first], Integer, self._number) + literal_column("1")

    def _beyond(
        self, id_: ColumnElement[Any], statement: "Statement", arguments: Arguments
    ) -> list[ColumnElement[bool]]:
        if self.after not in arguments:
            return []
        return [id_ < statement.bind(arguments[self.after], BigInteger, self._cursor)]

    def split(self, found: list[Any], arguments: Mapping[str, Any]) -> tuple[list[Any], str | None]:
        """The specs of the page, and the cursor that leads to the next; None at the end."""
        count = self._number(arguments[self.first])
        shown = found[:count]
        return shown, str(shown[-1].id) if shown and len(found) > count else None

    def _number(self, first: Any) -> int:
        return within(self.first, first, 1, self.most)

    def _cursor(self, after: Any) -> int:
        return number_of_cursor(self.after, after, 18)


def within(argument: str, given: Any, least: int, most: int) -> int:
    """How many rows an argument asks for. Raises Refused PAGE_TOO_LARGE where those are too many."""
    if not least <= given <= most:
        raise Refused(Code.PAGE_TOO_LARGE, f"`{argument}` must be {least} to {most}, it is {given}")
    return int(given)


def number_of_cursor(argument: str, after: Any, digits: int) -> int:
    """The number of at most so many digits that a cursor is. Raises Refused CURSOR_INVALID."""
    if not (after.isascii() and after.isdigit() and len(after) <= digits):
        sentence = f"`{argument}` must be the cursor of an answer, it is {after[:100]!r}"
        raise Refused(Code.CURSOR_INVALID, sentence)
    return int(after)


def of_package(name: ColumnElement[Any]) -> Select[Any]:
    """The ids of all specs of a package."""
    return (
        select(Spec.id)
        .join(PackageVersion, PackageVersion.id == Spec.package_version_id)
        .join(Package, Package.id == PackageVersion.package_id)
        .where(Package.name == name)
    )


def named(statement: "Statement", arguments: Arguments, argument: str) -> ColumnElement[Any]:
    """A text that an argument gives."""
    return statement.bind(arguments[argument], Text, lambda text: without_nul(argument, text))


def of_version(statement: "Statement", arguments: Arguments, argument: str) -> Select[Any]:
    """The ids of a package's newest specs with the version, or one of the hashes, that an argument says."""
    said = named(statement, arguments, argument)
    shown = select(SpecHash.spec_id).where(SpecHash.value == said)
    ids = of_package(named(statement, arguments, "package"))
    found = ids.where(or_(PackageVersion.version == said, Spec.id.in_(shown)))
    return found.order_by(Spec.id.desc()).limit(literal_column(str(MOST_VERSIONS)))


def users_of(ids: Select[Any], bits: int) -> Select[Any]:
    """The ids of the specs that have one of these as a dependency of their own, by an edge of these bits."""
    used = select(Dependency.parent_id.label("id")).where(
        Dependency.child_id.in_(ids),
        Dependency.deptypes.op("&")(literal_column(str(bits))) > literal_column("0"),
    )
    return used.distinct()


def above(ids: Select[Any]) -> Select[Any]:
    """The ids of all specs above these that link or run them."""
    return (
        select(ClosureAbove.ancestor_id.label("id"))
        .where(ClosureAbove.descendant_id.in_(ids), ClosureAbove.by_link_run)
        .distinct()
    )
