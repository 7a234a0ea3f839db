"""What an operation may ask for, checked before anything runs, and what it will probably cost.

The unit of cost is one plain value of one row. A page counts for as many rows as it may have, a list for as
many as such lists well may, and each level multiplies what is beneath it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLBoolean,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

from spackmon.errors import Code, Refused
from spackmon.query.meanings.meaning import Meaning
from spackmon.query.meanings.registry import Registry
from spackmon.query.sql.selection import MAXIMUM_DEPTH, Selected, Selector
from spackmon.query.sql.values import Given, is_deeper, plain, read_value, value_count

# Each is a piece of the statement. Compiling takes a third of a millisecond for each: what selects rows of
# its own counts as several.
MAXIMUM_FIELDS = 2_000
_FIELDS_OF_AN_OBJECT, _FIELDS_OF_A_CONDITION = 3, 3
# What a value of a list costs: each is read, checked and bound.
COST_OF_A_VALUE = 20
_COST_OF_A_CONDITION = 10
_MAXIMUM_LEVELS_OF_VALUES = 100
# What graphql-core answers of the schema in half a second; GraphiQL asks for 400,000.
MAXIMUM_INTROSPECTION_COST = 500_000
_INTROSPECTION_ROWS = {"types": 200, "args": 2}
_LIST_ROWS = 10
_COUNT_COST = 100
_META_FIELDS: Mapping[str, GraphQLField] = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one operation of a client may have of each."""

    tokens: int = 5_000
    aliases: int = 100
    depth: int = MAXIMUM_DEPTH
    cost: int = 1_000_000
    introspection: bool = True
    document_bytes: int = 100_000

    def check_values(self, variables: Mapping[str, Any]) -> int:
        """How many values are in the variables. Raises Refused VARIABLES_INVALID or QUERY_TOO_COSTLY."""
        most = self.cost // COST_OF_A_VALUE
        count = value_count(variables, most + len(variables)) - len(variables)
        if count > most:
            raise Refused(Code.QUERY_TOO_COSTLY, f"lists and objects in `variables` may have {most:,} values")
        if count and is_deeper(variables, _MAXIMUM_LEVELS_OF_VALUES):
            levels = _MAXIMUM_LEVELS_OF_VALUES
            raise Refused(Code.VARIABLES_INVALID, f"`variables` nest more than {levels} levels of values")
        return count

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

    def with_values(self, count: int) -> "Size":
        """The size with so many values in the variables."""
        return self if count == 0 else Size(self.depth, self.cost + count * COST_OF_A_VALUE)


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
        self._conditions_of_variables: dict[str, int] = {}

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
        self._add(1)
        if asked.name == "__typename":
            return rows
        type_ = (_META_FIELDS.get(asked.name) or parent.fields[asked.name]).type
        meaning: Meaning | None = self._registry.meanings.get(parent.name, {}).get(asked.name)
        cost = self._cost_of_arguments(asked, rows)
        if is_leaf_type(get_named_type(type_)):
            return cost + rows * _cost_of_value(meaning, asked.name)
        inside, beneath, own = None, rows, 1
        if meaning is not None:
            self._add(_FIELDS_OF_AN_OBJECT)
            own = meaning.own_cost
            inside = meaning.page(asked, self)
            if inside is not None and page is not None:
                inside = page
        length = None if meaning is None else meaning.length(asked, self)
        if length is not None:
            beneath *= length
        elif inside is None and is_list_type(get_nullable_type(type_)):
            beneath *= page if meaning is None and page is not None else _length(asked.name)
        types = self._object_types(type_, asked)
        cost += rows * own
        return cost + max(self._object(one, asked, beneath, inside, depth + 1) for one in types)

    def _add(self, fields: int) -> None:
        self._fields += fields
        if self._fields > MAXIMUM_FIELDS:
            raise Refused(Code.QUERY_TOO_LARGE,
                f"the operation has more than {MAXIMUM_FIELDS} fields, where each object counts as "
                f"{_FIELDS_OF_AN_OBJECT} more and each field of a filter as {_FIELDS_OF_A_CONDITION}",
            )  # fmt: skip

    def _cost_of_arguments(self, asked: Selected, rows: int) -> int:
        """The filters' fields, of which each is a condition on each row, and the lists that are written."""
        conditions = values = 0
        left = [argument.value for argument in asked.node.arguments or ()]
        while left:
            node = left.pop()
            if isinstance(node, VariableNode):
                conditions += self._conditions(node.name.value)
            elif isinstance(node, ObjectValueNode):
                conditions += len(node.fields)
                left += [member.value for member in node.fields]
            elif isinstance(node, ListValueNode):
                values += len(node.values)
                left += node.values
        self._add(_FIELDS_OF_A_CONDITION * conditions)
        return rows * conditions * _COST_OF_A_CONDITION + values * COST_OF_A_VALUE

    def _conditions(self, variable: str) -> int:
        """How many fields the objects in a variable have. Its values are counted where they are read."""
        known = self._conditions_of_variables.get(variable)
        if known is None:
            given = self._variables.get(variable)
            known = 0 if given is None else _member_count(given.value)
            self._conditions_of_variables[variable] = known
        return known

    def _object(
        self, type_: GraphQLObjectType, asked: Selected, rows: int, page: int | None, depth: int
    ) -> int:
        self._depth = max(self._depth, depth)
        fields = self._selector.fields(type_, asked.selections, depth)
        return sum(self._field(type_, one, rows, page, depth) for one in fields.values())

    def first(self, asked: Selected, otherwise: int) -> int:
        """How many rows a field may have at most. What is no size is refused later."""
        written = {argument.name.value: argument.value for argument in asked.node.arguments or ()}
        for name in ("first", "last"):
            given = read_value(written[name], GraphQLInt, self._variables) if name in written else None
            if given is not None and given.value is not None:
                return max(cast(int, plain(given.value)), 0)
        return otherwise

    def count(self, asked: Selected, name: str) -> int:
        """How many elements an argument has that is a list."""
        written = {argument.name.value: argument.value for argument in asked.node.arguments or ()}
        given = read_value(written[name], GraphQLList(GraphQLString), self._variables)
        return len(given.value) if given is not None and isinstance(given.value, list) else 1

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


def _member_count(value: Any) -> int:
    count = 0
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            count += len(one)
            left += [member for member in one.values() if isinstance(member, dict | list)]
        elif isinstance(one, list):
            left += [element for element in one if isinstance(element, dict | list)]
    return count


def _cost_of_value(meaning: Meaning | None, name: str) -> int:
    if meaning is None:
        return _COUNT_COST if name == "totalCount" else 1
    return meaning.own_cost


def _length(name: str) -> int:
    """The rows of a list of which nothing tells more."""
    return _INTROSPECTION_ROWS.get(name, _LIST_ROWS)
