"""Fields that Python computes: their facts and the specs that they may name are in the same statement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    parse,
)
from sqlalchemy import ColumnElement, func, select

from spackmon.models import Spec
from spackmon.query.meanings.meaning import At, Meaning, scalar
from spackmon.query.sql.computed import Computation, ResponsePath, Shape
from spackmon.query.sql.conditions import Make, SpecIds
from spackmon.query.sql.json_text import COMPUTED, COMPUTED_END, Json, braced, constant, joined
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

# Reads a graph or two and walks them.
COST = 500

Facts = Callable[[At, "Statement", Mapping[str, Given]], Json]
"""What is computed of, as JSON text in SQL, of the field's place and its arguments."""


def selected(facts: Callable[[Mapping[str, Any]], str], decides: Sequence[str]) -> Facts:
    """Facts that a selection on the field's own parent answers, whose variables are the field's arguments.

    It may depend on the values of the arguments named by `decides`.
    """

    def json(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
        deciding = {name: statement.decided(arguments.get(name)) for name in decides}
        return statement.facts(_selection(facts(deciding)), at, arguments)

    return json


@dataclass(frozen=True, slots=True)
class Computed(Meaning):
    """A value that `make(facts, arguments)` computes of its facts.

    Where the value holds specs, `make` gives their identities, and `specs` selects the ids of all it may
    give.
    """

    facts: Facts
    make: Make
    specs: SpecIds | None = None
    cost: int = COST

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return self.cost

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        arguments = statement.arguments(at)
        shape = shape_of(at, statement)
        number = len(statement.computations)
        statement.computations.append(Computation(self.make, arguments, shape))
        facts = self.facts(at, statement, arguments)
        pieces: list[str | Json] = [f'{COMPUTED}{number}:{{"facts":', facts]
        if shape.rows and self.specs is not None:
            ids = self.specs(at.row, arguments, statement)
            objects = (
                (".".join(path), _objects_by_hash(ids, At(at.parent, spec, at.row, at.depth), statement))
                for path, spec in shape.rows.items()
            )
            pieces += [',"rows":', braced(objects)]
        return joined([*pieces, "}" + COMPUTED_END])


def shape_of(at: At, statement: "Statement", row_type: str = "Spec") -> Shape:
    """What is asked of a computed field, down to the objects of `row_type`, which SQL makes."""
    fields: dict[ResponsePath, Mapping[str, Selected]] = {}
    rows: dict[ResponsePath, Selected] = {}

    def visit(type_: GraphQLOutputType, selected: Selected, path: ResponsePath) -> None:
        named = get_named_type(type_)
        if named.name == row_type:
            rows[path] = selected
        elif isinstance(named, GraphQLObjectType):
            depth = at.depth + len(path) + 1
            fields[path] = statement.selector.fields(named, selected.selections, depth)
            for key, part in fields[path].items():
                if part.name != "__typename":
                    visit(named.fields[part.name].type, part, (*path, key))

    visit(at.type_, at.selected, ())
    return Shape(at.type_, fields, rows)


def _objects_by_hash(ids: Any, at: At, statement: "Statement") -> Json:
    """A JSON object with the object of each spec under its identity."""
    child = at.row.beneath(Spec.__table__)
    return objects_by(child, child[Spec.hash], "Spec", ids, at, statement)


def objects_by(
    child: Scope, identity: ColumnElement[Any], type_name: str, ids: Any, at: At, statement: "Statement"
) -> Json:
    """A JSON object with the objects of the rows that `ids` selects, each under a text that identifies it."""
    wanted = ids.subquery(statement.new_name())
    type_ = cast(GraphQLObjectType, statement.registry.schema.type_map[type_name])
    body = statement.object(at, child, type_, levels=2)
    member = joined([statement.json.value(identity, nullable=False), ":", body])
    source = child.joined(wanted.join(child.source, child.has_id(wanted.c["id"])))
    rows = statement.rows(select(member.label("member")).select_from(source))
    members = func.coalesce(statement.json.aggregated(rows.c["member"]), constant(""))
    return scalar(select(joined(["{", members, "}"])).select_from(rows))


@lru_cache
def _selection(operation: str) -> SelectionSetNode:
    (definition,) = parse(operation).definitions
    return cast(OperationDefinitionNode, definition).selection_set
