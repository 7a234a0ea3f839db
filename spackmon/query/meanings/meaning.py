"""A field's meaning: it writes its own part of the statement, and knows what that costs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
)
from sqlalchemy import ColumnElement, Select, case

from spackmon.query.sql.json_text import NULL, Json, constant
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.selection import Selected

if TYPE_CHECKING:
    from spackmon.query.meanings.limits import Measure
    from spackmon.query.meanings.statement import Statement


@dataclass(frozen=True, slots=True)
class At:
    """Where a field stands: in what object, what is selected of it, of which row, and how deep."""

    parent: GraphQLObjectType
    selected: Selected
    row: Scope
    depth: int

    @property
    def definition(self) -> GraphQLField:
        """The field's definition in the schema."""
        definition: GraphQLField = self.parent.fields[self.selected.name]
        return definition

    @property
    def type_(self) -> GraphQLOutputType:
        """The field's type."""
        return self.definition.type

    @property
    def is_nullable(self) -> bool:
        """Whether it may be null."""
        return not isinstance(self.type_, GraphQLNonNull)

    @property
    def is_of_enum(self) -> bool:
        """Whether it is a word of an enum."""
        type_ = self.type_.of_type if isinstance(self.type_, GraphQLNonNull) else self.type_
        return isinstance(type_, GraphQLEnumType)

    def or_null(self, present: ColumnElement[bool], body: Json) -> Json:
        """The body, or null where `present` is false, if that may be."""
        return case((present, body), else_=constant(NULL)) if self.is_nullable else body


def object_type(type_: GraphQLOutputType) -> GraphQLObjectType:
    """The type of an object, whether it is one, none or several."""
    return cast(GraphQLObjectType, get_named_type(type_))


def scalar(statement: Select[Any]) -> Json:
    """The one value of a statement that may look at the rows of every statement around it."""
    return statement.correlate_except(None).scalar_subquery()


class Meaning:
    """What a field means; a class each."""

    __slots__ = ()

    def json(self, at: At, statement: "Statement") -> Json | str:
        """Its value as JSON text."""
        raise NotImplementedError

    @property
    def own_cost(self) -> int:
        """What it costs for one row, in values that are a column, without what is beneath it."""
        return 1

    def length(self, selected: Selected, measure: "Measure") -> int | None:
        """How many rows there may be beneath it for one of its own; None if its type tells."""
        return None

    def page(self, selected: Selected, measure: "Measure") -> int | None:
        """How many rows a page of it may have, if it has pages."""
        return None
