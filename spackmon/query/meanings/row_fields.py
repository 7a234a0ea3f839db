"""Fields of a row itself, and of the rows that it refers to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import CTE, ColumnElement, Text, func, select
from sqlalchemy import cast as sql_cast

from spackmon.query.meanings.meaning import At, Meaning, scalar
from spackmon.query.sql.conditions import Belongs, Builder, Collects, Limits, ValueOf
from spackmon.query.sql.json_text import NULL, Json, constant, joined
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.selection import Selected

if TYPE_CHECKING:
    from spackmon.query.meanings.limits import Measure
    from spackmon.query.meanings.statement import Statement


@dataclass(frozen=True, slots=True)
class Column(Meaning):
    """A column of the row, or of a row reached by following foreign keys; nullable as declared."""

    steps: tuple[Attribute, ...]
    attribute: Attribute

    def value_of(self, row: Scope) -> ColumnElement[Any]:
        """The value in SQL."""
        return row.along(self.steps)[self.attribute]

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        write = statement.json.word if at.is_of_enum else statement.json.value
        return write(self.value_of(at.row), nullable=at.is_nullable)


@dataclass(frozen=True, slots=True)
class Expression(Meaning):
    """A value that SQL computes of the row; `cost` is relative to a plain column, which costs 1.

    `of_all` is the same where it is asked of all rows of the table.
    """

    value_of: ValueOf
    cost: int = 1
    of_all: ValueOf | None = None

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return self.cost

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        return statement.json.value(self.value_of(at.row), nullable=at.is_nullable)


@dataclass(frozen=True, slots=True)
class JsonExpression(Meaning):
    """As Expression, but `build(row, json)` gives JSON text."""

    build: Builder
    cost: int = 1

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return self.cost

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        return self.build(at.row, statement.json)


@dataclass(frozen=True, slots=True)
class Identity(Meaning):
    """The row's id among all types': `TypeName:number`, or the bare number for the one type that has that."""

    model: Any
    is_bare: bool

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        return joined(['"' if self.is_bare else f'"{at.parent.name}:', sql_cast(at.row.row_id, Text), '"'])


@dataclass(frozen=True, slots=True)
class Relation(Meaning):
    """One other row, reached by following foreign keys."""

    steps: tuple[Attribute, ...]

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        other = at.row.along(self.steps)
        return at.or_null(other.row_id.is_not(None), statement.object(at, other))


@dataclass(frozen=True, slots=True)
class Chosen(Meaning):
    """One other row, whose id `row_id` computes; null where it computes none."""

    model: Any
    row_id: ValueOf

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        child = at.row.beneath(self.model.__table__)
        body = statement.object(at, child)
        one = select(body).select_from(child.joined()).where(child.has_id(self.row_id(at.row)))
        return func.coalesce(scalar(one), constant(NULL))


@dataclass(frozen=True, slots=True)
class Embedded(Meaning):
    """An object that lives in the same row; null where `present` is false.

    `limits` makes of its arguments what its fields are limited by (`Scope.limits`). `collects` is a model and
    what selects the ids of some of its rows, in a column `id`: lists in the object share them
    (`Scope.collected`).
    """

    present: Callable[[Scope], ColumnElement[bool]] | None
    limits: Limits | None
    collects: Collects | None

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        row = at.row
        if self.limits is not None:
            row = row.limited(self.limits(statement.arguments(at), statement))
        if self.collects is None:
            body = statement.object(at, row)
        else:
            collected = self._collected(*self.collects, row, statement)
            body = statement.object(at, row.collecting(collected))
            body = scalar(select(body).add_cte(collected, nest_here=True))
        return body if self.present is None else at.or_null(self.present(row), body)

    def _collected(self, model: Any, ids_of: Any, row: Scope, statement: "Statement") -> CTE:
        """The rows that several lists share: a graph's nodes are listed, and its edges find both ends there.

        To find them for each list by the index would be most of what a graph costs.
        """
        ids = ids_of(row).subquery(statement.new_name())
        table = model.__table__.alias(statement.new_name())
        rows = select(*table.c).select_from(ids.join(table, table.c["id"] == ids.c["id"]))
        return rows.correlate_except(None).cte(statement.new_name(), nesting=True)


@dataclass(frozen=True, slots=True)
class Listing(Meaning):
    """All rows of a table that belong to this row, in order; `rows` is how many that may well be.

    `belongs(row, other)` is the condition. If it `is_collected`, they are what the object around collects,
    or with `ends` the rows of which these foreign keys all refer to that. If it `has_where`, an
    argument narrows it.
    """

    model: Any
    belongs: Belongs | None
    is_collected: bool
    ends: tuple[Attribute, ...]
    order: tuple[tuple[Attribute, ...], ...]
    rows: int
    has_where: bool = False

    def length(self, selected: Selected, measure: "Measure") -> int:
        """See Meaning."""
        return self.rows

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        collected = at.row.collected if self.is_collected else None
        table = self.model.__table__
        child = at.row.beneath(table if collected is None or self.ends else collected)
        if collected is not None:
            # An edge that begins in a whole graph ends there; SQLite, which has no hash join, would compare
            # each edge with each spec to find that out.
            are_closed = statement.dialect_name == "sqlite" and not at.row.limits
            for end in self.ends[:1] if are_closed else self.ends:
                child.follow_into(end, collected)
        body = statement.object(at, child)
        order = [child.along(path[:-1])[path[-1]] for path in self.order]
        holds = child.is_counted()
        if self.belongs is not None:
            holds.append(self.belongs(at.row, child))
        if self.has_where:
            holds += statement.holds_by(at, "where", child)
        listed = select(body.label("body")).select_from(child.joined()).where(*holds)
        return statement.listed(listed.order_by(*order))
