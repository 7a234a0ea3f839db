"""Rows by their ids, as the schema writes them, and by those that they had before."""

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import BigInteger, ColumnElement, and_, not_, or_, select

from spackmon.models import MergedBuild
from spackmon.models.places import holder_of
from spackmon.query.rows.lookups import names_earlier_phase, number_of_id, number_since, present_number
from spackmon.query.rows.operators import all_of, operands
from spackmon.query.sql.conditions import Condition, Filtering, Predicate
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given


def compares_ids(type_name: str) -> Predicate:
    """The row's id, compared as the schema writes ids. A build has those of builds merged into it, too."""
    read = number_of_id(type_name)

    def is_among(row: Scope, given: Given, filtering: Filtering) -> ColumnElement[bool]:
        found = filtering.is_among(row.row_id, given, read)
        if row.places is not None:
            # What follows from it, said of what an index has.
            holder = filtering.is_among(row.places[0], given, lambda text: holder_of(read(text)))
            return or_(and_(holder, found), *_had_number(row, given, filtering, read))
        if type_name != "Build":
            return found
        merged = MergedBuild.__table__.alias()
        present = select(merged.c.build_id).where(filtering.is_among(merged.c.id, given, read))
        return or_(found, row.row_id.in_(present.correlate_except(merged)))

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        def holds(name: str, value: Given) -> ColumnElement[bool]:
            if name == "eq" and type_name == "Build":
                # With those that were merged beside it, PostgreSQL would read all builds.
                return row.row_id == present_number(filtering.bind(value, BigInteger(), read))
            ids = is_among(row, value if name in ("in", "notIn") else Given([value]), filtering)
            return not_(ids) if name in ("ne", "notIn") else ids

        return Condition(all_of(holds(name, value) for name, value in operands(given)))

    return predicate


def _had_number(
    phase: Scope, given: Given, filtering: Filtering, read: Callable[[str], int]
) -> Iterator[ColumnElement[bool]]:
    """That it is a phase which had one of these numbers when phases had numbers of their own."""
    if given.path is None:
        elements = given.elements()
    else:
        elements = filtering.each(given) if filtering.decided(given, _some_are_earlier) else []
    for one in elements:
        if filtering.decided(one, names_earlier_phase):
            yield phase.has_id(number_since(filtering.bind(one, BigInteger(), read), filtering))


def _some_are_earlier(identifiers: Iterable[str]) -> bool:
    return any(map(names_earlier_phase, identifiers))
