"""A selection becomes one SQL statement.

The walk goes down the selection once. Each object is JSON text put together from its fields; a to-one
relation joins, a list or connection is a correlated subquery. What a value decides in the statement's
form (a page size, a @skip) is noted, so that a plan is reused only where it would come out the same.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from graphql import (
    GraphQLEnumType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    parse,
)
from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy import cast as sql_cast

from spackmon.errors import Code, Refused
from spackmon.models import Spec
from spackmon.query import aggregates
from spackmon.query.aggregates import Cells, Tabulated
from spackmon.query.compilation import Fields, Json, Plan, braced, object_type, scalar
from spackmon.query.computed import Computation, ResponsePath, Shape
from spackmon.query.connections import ConnectionCompilation
from spackmon.query.fields import (
    Chosen,
    Column,
    Computed,
    Connected,
    Embedded,
    Expression,
    Identity,
    IdsOf,
    JsonExpression,
    Listing,
    Lookup,
    NodeLookup,
    Relation,
)
from spackmon.query.json_text import COMPUTED, COMPUTED_END, MARK, NULL, constant, joined
from spackmon.query.lookups import MAXIMUM_IDS, by_id, type_of_id
from spackmon.query.scope import Scope
from spackmon.query.selection import Selected
from spackmon.query.unpack import ERROR
from spackmon.query.values import Given


class Compiler(ConnectionCompilation):
    """Compiles one operation for one shape of variables; used once."""

    def root_fields(self, query: GraphQLObjectType, selection: SelectionSetNode) -> dict[str, Selected]:
        """The operation's own fields by response key."""
        return self._selector.fields(query, [selection], 1)

    def compile(self, query: GraphQLObjectType, fields: Fields) -> Plan:
        """The plan that answers root `fields` with a JSON object."""
        return self._plan(select(self._object_of(query, fields, self._no_row(), 1).label("answer")))

    def _field(self, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int) -> Json | str:
        if asked.name == "__typename":
            return f'"{parent.name}"'
        type_ = parent.fields[asked.name].type
        match self._registry.meanings[parent.name][asked.name]:
            case Column() | Expression() | JsonExpression() | Identity() as meaning:
                return self._value(meaning, parent, type_, row)
            case Relation(steps):
                other = row.along(steps)
                return _or_null(
                    type_, other.row_id.is_not(None), self._object(type_, asked, other, depth + 1)
                )
            case Embedded() as meaning:
                return self._embedded(meaning, parent, asked, row, depth)
            case meaning:
                return self._of_other_rows(meaning, parent, asked, row, depth)

    def _of_other_rows(
        self, meaning: object, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int
    ) -> Json:
        type_ = parent.fields[asked.name].type
        match meaning:
            case Listing():
                return self._listing(meaning, type_, asked, row, depth)
            case Chosen(model, row_id):
                child = row.beneath(model.__table__)
                body = self._object(type_, asked, child, depth + 1)
                one = select(body).select_from(child.joined()).where(child.row_id == row_id(row))
                return func.coalesce(scalar(one), constant(NULL))
            case Lookup():
                return self._lookup(meaning, parent, object_type(type_), asked, row, depth)
            case NodeLookup(is_list):
                return (self._nodes if is_list else self._node)(parent, asked, row, depth)
            case Connected():
                return self._connection(meaning, parent, asked, row, depth)
            case Computed():
                return self._computed(meaning, parent, asked, row, depth)
            case Tabulated():
                return self._table(parent, asked, row, depth)
            case Cells():
                cells = row.beneath(row.table)
                fields = self._selector.fields(object_type(type_), asked.selections, depth + 1)
                order = aggregates.order_of_cells(cells)
                return self._all_objects(object_type(type_), fields, cells, order, depth + 1)
            case _:
                raise TypeError(f"{parent.name}.{asked.name} has no meaning in SQL: {meaning!r}")

    def _value(
        self,
        meaning: Column | Expression | JsonExpression | Identity,
        parent: GraphQLObjectType,
        type_: GraphQLOutputType,
        row: Scope,
    ) -> Json:
        match meaning:
            case Column(steps, attribute):
                write = self._json.word if _is_of_enum(type_) else self._json.value
                return write(row.along(steps)[attribute], nullable=_is_nullable(type_))
            case Expression(value_of):
                return self._json.value(value_of(row), nullable=_is_nullable(type_))
            case JsonExpression(build):
                return build(row, self._json)
            case Identity(_, is_bare):
                number = sql_cast(row.row_id, Text)
                return joined(['"' if is_bare else f'"{parent.name}:', number, '"'])

    def _node(self, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int) -> Json:
        name = self._type_of_id(self._arguments(parent, asked.node)["id"])
        meaning = Lookup(self._registry.meanings[name]["id"].model, by_id(name))
        type_ = cast(GraphQLObjectType, self._registry.schema.type_map[name])
        return self._lookup(meaning, parent, type_, asked, row, depth)

    def _nodes(self, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int) -> Json:
        """The rows of several ids in their order, null for those that there are not."""
        ids = self.each(self._arguments(parent, asked.node)["ids"])
        if len(ids) > MAXIMUM_IDS:
            sentence = f"`ids` may be at most {MAXIMUM_IDS}, they are {len(ids)}"
            raise Refused(Code.PAGE_TOO_LARGE, sentence)
        places: dict[str, list[tuple[int, Given]]] = {}
        for place, given in enumerate(ids):
            places.setdefault(self._type_of_id(given), []).append((place, given))
        if not places:
            return constant("[]")
        found = union_all(*(self._of_type(name, of, asked, row, depth) for name, of in places.items()))
        every = found.subquery(f"t{next(self._names)}")
        ordered = self._rows(select(every.c["body"]).order_by(every.c["place"]))
        return scalar(select(self._json.array(ordered.c["body"])).select_from(ordered))

    def _of_type(
        self, name: str, places: Sequence[tuple[int, Given]], asked: Selected, row: Scope, depth: int
    ) -> Select[Any]:
        """The objects of one type, each with the place of its id."""
        find = by_id(name)
        wanted = union_all(
            *(
                select(
                    literal_column(str(place)).label("place"),
                    find({"id": given}, self.bind).row_id.label("id"),
                )
                for place, given in places
            )
        ).subquery(f"t{next(self._names)}")
        child = row.beneath(self._registry.meanings[name]["id"].model.__table__)
        type_ = cast(GraphQLObjectType, self._registry.schema.type_map[name])
        body = self._object(type_, asked, child, depth + 1)
        is_there = and_(child.row_id == wanted.c["id"], *child.is_counted())
        source = child.joined(wanted.outerjoin(child.source, is_there))
        shown = case((child.row_id.is_not(None), body), else_=constant(NULL))
        return select(wanted.c["place"], shown.label("body")).select_from(source)

    def _type_of_id(self, given: Given) -> str:
        kind = self.decided(given, type_of_id)
        if kind not in self._registry.nodes:
            raise Refused(Code.ID_INVALID, f"`id` must be an id of this schema, no type is {kind[:100]!r}")
        return self._registry.nodes[kind]

    def _embedded(
        self, meaning: Embedded, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int
    ) -> Json:
        if meaning.limits is not None:
            row = row.limited(meaning.limits(self._arguments(parent, asked.node), self))
        type_ = parent.fields[asked.name].type
        if meaning.collects is None:
            body = self._object(type_, asked, row, depth + 1)
        else:
            collected = self._collected(*meaning.collects, row)
            body = self._object(type_, asked, row.collecting(collected), depth + 1)
            body = scalar(select(body).add_cte(collected, nest_here=True))
        return body if meaning.present is None else _or_null(type_, meaning.present(row), body)

    def _collected(self, model: Any, ids_of: IdsOf, row: Scope) -> CTE:
        """The rows that several lists share: a graph's nodes are listed, and its edges find both ends there.

        To find them for each list by the index would be most of what a graph costs.
        """
        ids = ids_of(row).subquery(f"t{next(self._names)}")
        table = model.__table__.alias(f"t{next(self._names)}")
        rows = select(*table.c).select_from(ids.join(table, table.c["id"] == ids.c["id"]))
        return rows.correlate_except(None).cte(f"t{next(self._names)}", nesting=True)

    def _lookup(
        self,
        meaning: Lookup,
        parent: GraphQLObjectType,
        type_: GraphQLObjectType,
        asked: Selected,
        row: Scope,
        depth: int,
    ) -> Json:
        arguments = self._arguments(parent, asked.node)
        found = meaning.find(arguments, self.bind)
        child = row.beneath(meaning.model.__table__)
        if meaning.satisfying is None:
            body, otherwise = self._object(type_, asked, child, depth + 1), constant(NULL)
        else:
            holds = meaning.satisfying(child, self.decided(arguments["spec"]))
            body = case((holds.whole, constant("true")), else_=constant("false"))
            otherwise = _error(Code.SPEC_UNKNOWN, "no spec has this `hash`")
        one = (
            select(body).select_from(child.joined()).where(child.row_id == found.row_id, *child.is_counted())
        )
        result = func.coalesce(scalar(one), otherwise)
        if found.ambiguous is None:
            return result
        return case((found.ambiguous, _error(found.ambiguous_code, found.ambiguous_sentence)), else_=result)

    def _computed(
        self, meaning: Computed, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int
    ) -> Json:
        arguments = self._arguments(parent, asked.node)
        shape = self._shape(parent.fields[asked.name].type, asked, depth)
        number = len(self.computations)
        self.computations.append(Computation(meaning.make, arguments, shape))
        pieces: list[str | Json] = [f'{COMPUTED}{number}:{{"facts":']
        deciding = {name: self.decided(arguments.get(name)) for name in meaning.decides}
        pieces.append(self._facts(meaning.facts(deciding), parent, arguments, row))
        if shape.specs and meaning.specs is not None:
            ids = meaning.specs(row, arguments, self)
            objects = (
                (".".join(path), self._objects_by_hash(ids, spec, row, depth))
                for path, spec in shape.specs.items()
            )
            pieces += [',"specs":', braced(objects)]
        return joined([*pieces, "}" + COMPUTED_END])

    def _facts(
        self, facts: str, parent: GraphQLObjectType, arguments: Mapping[str, Given], row: Scope
    ) -> Json:
        """What `facts` asks of the parent, with the arguments as its variables."""
        outside, self._variables = self._variables, dict(arguments)
        try:
            return self._object_of(parent, self._selector.fields(parent, [_selection(facts)], 1), row, 1)
        finally:
            self._variables = outside

    def _shape(self, type_: GraphQLOutputType, asked: Selected, depth: int) -> Shape:
        fields: dict[ResponsePath, Fields] = {}
        specs: dict[ResponsePath, Selected] = {}

        def visit(type_: GraphQLOutputType, asked: Selected, path: ResponsePath) -> None:
            named = get_named_type(type_)
            if named.name == "Spec":
                specs[path] = asked
            elif isinstance(named, GraphQLObjectType):
                fields[path] = self._selector.fields(named, asked.selections, depth + len(path) + 1)
                for key, part in fields[path].items():
                    if part.name != "__typename":
                        visit(named.fields[part.name].type, part, (*path, key))

        visit(type_, asked, ())
        return Shape(type_, fields, specs)

    def _objects_by_hash(self, ids: Any, asked: Selected, row: Scope, depth: int) -> Json:
        """A JSON object with the object of each spec under its identity."""
        child = row.beneath(Spec.__table__)
        wanted = ids.subquery(f"t{next(self._names)}")
        type_ = cast(GraphQLObjectType, self._registry.schema.type_map["Spec"])
        body = self._object(type_, asked, child, depth + 2)
        member = joined([self._json.value(child[Spec.hash], nullable=False), ":", body])
        source = child.joined(wanted.join(child.source, child.row_id == wanted.c["id"]))
        rows = self._rows(select(member.label("member")).select_from(source))
        members = func.coalesce(self._json.aggregated(rows.c["member"]), constant(""))
        return scalar(select(joined(["{", members, "}"])).select_from(rows))


def _error(code: Code, sentence: str) -> Json:
    """Where this is in an answer, there is no answer but this error."""
    return constant(f"{MARK}{ERROR}{code}:{sentence}{MARK}")


@lru_cache
def _selection(operation: str) -> SelectionSetNode:
    (definition,) = parse(operation).definitions
    return cast(OperationDefinitionNode, definition).selection_set


def _is_of_enum(type_: GraphQLOutputType) -> bool:
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLEnumType)


def _is_nullable(type_: GraphQLOutputType) -> bool:
    return not isinstance(type_, GraphQLNonNull)


def _or_null(type_: GraphQLOutputType, present: ColumnElement[bool], body: Json) -> Json:
    return case((present, body), else_=constant(NULL)) if _is_nullable(type_) else body
