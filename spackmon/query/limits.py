"""What an operation may ask for, checked before anything runs, and what it will probably cost.

The unit of cost is one plain value of one row. A page counts for as many rows as it may have, a list for as
many as such lists well may, and each level multiplies what is beneath it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLBoolean,
    GraphQLField,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLOutputType,
    InlineFragmentNode,
    Node,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    ValueNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)
from graphql.language import Visitor, visit

from spackmon.errors import Code, Refused
from spackmon.query.aggregates import DEFAULT_GROUPS, Grouped, Tabulated
from spackmon.query.fields import Column, Computed, Connected, Expression, Identity, JsonExpression, Listing
from spackmon.query.paging import DEFAULT_PAGE, MAXIMUM_PAGE, MAXIMUM_SLIM_PAGE
from spackmon.query.registry import Registry
from spackmon.query.selection import MAXIMUM_DEPTH, Selected, Selector
from spackmon.query.values import Given, plain, read_value

# Each is a piece of the statement: compiling takes tens of microseconds for each.
MAXIMUM_FIELDS = 2_000
# What graphql-core answers of the schema in a few seconds; GraphiQL asks for 400,000.
MAXIMUM_INTROSPECTION_COST = 1_000_000
_INTROSPECTION_ROWS = {"types": 200, "args": 2}
_LIST_ROWS = 10
_COUNT_COST = 100
# Reads a graph or two and walks them; reads every row of the list and sorts durations.
_COMPUTED_COST, _GROUPED_COST = 500, 1000
_OBJECT_COSTS = {Computed: _COMPUTED_COST, Grouped: _GROUPED_COST, Tabulated: _GROUPED_COST}
_META_FIELDS: Mapping[str, GraphQLField] = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one operation of a client may have of each."""

    tokens: int = 5_000
    aliases: int = 100
    depth: int = MAXIMUM_DEPTH
    cost: int = 1_000_000
    introspection: bool = True

    def admit(self, size: "Size") -> bool:
        """Whether `check` has nothing against it."""
        return size.depth <= self.depth and size.cost <= self.cost

    def check(self, size: "Size") -> None:
        """Raises Refused QUERY_TOO_DEEP or QUERY_TOO_COSTLY."""
        if size.depth > self.depth:
            raise Refused(Code.QUERY_TOO_DEEP, f"the operation nests more than {self.depth} levels of fields")
        if size.cost > self.cost:
            raise Refused(
                Code.QUERY_TOO_COSTLY,
                f"the operation may cost at most {self.cost:,} units, its estimate is {size.cost:,}: "
                "ask for smaller pages or fewer fields",
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """How many levels of fields an operation has, and its cost."""

    depth: int
    cost: int


class _AliasCounter(Visitor):
    """Counts the aliases that are written in a document."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """A field."""
        self.count += node.alias is not None


def check_aliases(document: Node, maximum: int) -> None:
    """Raises Refused TOO_MANY_ALIASES."""
    counter = _AliasCounter()
    visit(document, counter)
    if counter.count > maximum:
        raise Refused(
            Code.TOO_MANY_ALIASES, f"the document may have {maximum} aliases, it has {counter.count}"
        )


def largest_page(
    registry: Registry, selector: Selector, connection: GraphQLObjectType, fields: Mapping[str, Selected]
) -> int:
    """The largest page of a connection: larger where its nodes are plain values of columns."""
    rows = [(connection, part) for part in fields.values() if part.name in ("nodes", "edges")]
    while rows:
        parent, part = rows.pop()
        type_ = get_named_type(parent.fields[part.name].type)
        if not isinstance(type_, GraphQLObjectType):
            return MAXIMUM_PAGE
        for asked in selector.fields(type_, part.selections, 1).values():
            if part.name == "edges" and asked.name == "node":
                rows.append((type_, asked))
            elif part.name != "edges" and not _is_plain(registry, type_, asked):
                return MAXIMUM_PAGE
    return MAXIMUM_SLIM_PAGE


def _is_plain(registry: Registry, type_: GraphQLObjectType, asked: Selected) -> bool:
    meaning = registry.meanings.get(type_.name, {}).get(asked.name)
    return asked.name == "__typename" or isinstance(meaning, Column | Identity)


class Measure:
    """Measures selections of one operation, for one set of variables."""

    def __init__(
        self,
        registry: Registry,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
    ) -> None:
        self._registry = registry
        self._fragments = fragments
        self._variables = {name: Given(value, (name,)) for name, value in variables.items()}
        self._selector = Selector(registry.schema, fragments, self._decide)
        self._fields = 0
        self._depth = 0

    def root_fields(self, query: GraphQLObjectType, selection: SelectionSetNode) -> dict[str, Selected]:
        """The operation's own fields by response key."""
        return self._selector.fields(query, [selection], 1)

    def size(self, query: GraphQLObjectType, fields: Mapping[str, Selected], page: int | None = None) -> Size:
        """The size of root `fields`; their connections have pages of `page` rows, if that is given.

        Raises Refused QUERY_TOO_LARGE when the fields, fragments opened, are too many to go through.
        """
        self._depth = 1
        cost = sum(self._field(query, asked, 1, page, 1) for asked in fields.values())
        return Size(self._depth, cost)

    def _decide(self, node: ValueNode) -> bool:
        given = read_value(node, GraphQLBoolean, self._variables)
        return given is not None and bool(given.value)

    def _field(
        self, parent: GraphQLObjectType, asked: Selected, rows: int, page: int | None, depth: int
    ) -> int:
        self._fields += 1
        if self._fields > MAXIMUM_FIELDS:
            raise Refused(
                Code.QUERY_TOO_LARGE, f"the operation asks for more than {MAXIMUM_FIELDS} fields in all"
            )
        if asked.name == "__typename":
            return rows
        type_ = (_META_FIELDS.get(asked.name) or parent.fields[asked.name]).type
        meaning = self._registry.meanings.get(parent.name, {}).get(asked.name)
        if is_leaf_type(get_named_type(type_)):
            return rows * _cost_of_value(meaning, asked.name)
        inside: int | None = None
        beneath = rows
        if isinstance(meaning, Connected):
            inside = self._first(asked, DEFAULT_PAGE) if page is None else page
        elif isinstance(meaning, Grouped):
            beneath *= self._first(asked, DEFAULT_GROUPS)
        elif is_list_type(get_nullable_type(type_)):
            beneath *= _length(meaning, asked.name, page)
        types = self._object_types(type_, asked)
        own = rows * _OBJECT_COSTS.get(type(meaning), 1)
        return own + max(self._object(one, asked, beneath, inside, depth + 1) for one in types)

    def _object(
        self, type_: GraphQLObjectType, asked: Selected, rows: int, page: int | None, depth: int
    ) -> int:
        self._depth = max(self._depth, depth)
        fields = self._selector.fields(type_, asked.selections, depth)
        return sum(self._field(type_, one, rows, page, depth) for one in fields.values())

    def _first(self, asked: Selected, otherwise: int) -> int:
        """How many rows a field may have at most. What is no size is refused later."""
        written = {argument.name.value: argument.value for argument in asked.node.arguments or ()}
        for name in ("first", "last"):
            given = read_value(written[name], GraphQLInt, self._variables) if name in written else None
            if given is not None and given.value is not None:
                return max(cast(int, plain(given.value)), 0)
        return otherwise

    def _object_types(self, type_: GraphQLOutputType, asked: Selected) -> list[GraphQLObjectType]:
        """The object itself; of an interface those of its types that the selection names, or any one."""
        named = get_named_type(type_)
        if isinstance(named, GraphQLObjectType):
            return [named]
        possible = self._registry.schema.get_possible_types(cast(Any, named))
        conditions: set[str] = set()
        opened: set[str] = set()
        for selection in asked.selections:
            self._add_conditions(selection, conditions, opened)
        return [one for one in possible if one.name in conditions] or list(possible[:1])

    def _add_conditions(self, selection: SelectionSetNode, conditions: set[str], opened: set[str]) -> None:
        for node in selection.selections:
            fragment: InlineFragmentNode | FragmentDefinitionNode | None = None
            if isinstance(node, InlineFragmentNode):
                fragment = node
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in opened:
                opened.add(node.name.value)
                fragment = self._fragments[node.name.value]
            if fragment is None:
                continue
            if fragment.type_condition is not None:
                conditions.add(fragment.type_condition.name.value)
            self._add_conditions(fragment.selection_set, conditions, opened)


def _cost_of_value(meaning: object, name: str) -> int:
    match meaning:
        case Expression(cost=cost) | JsonExpression(cost=cost):
            return cost
        case Computed():
            return _COMPUTED_COST
        case None if name == "totalCount":
            return _COUNT_COST
        case _:
            return 1


def _length(meaning: object, name: str, page: int | None) -> int:
    """The rows of a list: a page's, if it is that of a connection."""
    if isinstance(meaning, Listing):
        return meaning.rows
    if meaning is None and page is not None:
        return page
    return _INTROSPECTION_ROWS.get(name, _LIST_ROWS)
