"""A selection becomes one SQL statement.

The walk goes down the selection once. Each object is JSON text put together from its fields; a to-one
relation joins, a list or connection is a correlated subquery. What a value decides in the statement's
form (a page size, a @skip) is noted, so that a plan is reused only where it would come out the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLBoolean,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    get_named_type,
    parse,
)
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.engine import Dialect

from spackmon.errors import Refused
from spackmon.models import Build, Spec
from spackmon.models.columns import UtcDateTime
from spackmon.query import aggregates
from spackmon.query.aggregates import Cells, Grouped, Tabulated
from spackmon.query.computed import Computation, ResponsePath, Shape
from spackmon.query.fields import (
    Column,
    Computed,
    Condition,
    Connected,
    Embedded,
    Expression,
    Identity,
    Listing,
    Lookup,
    NodeLookup,
    Relation,
)
from spackmon.query.json_text import COMPUTED, COMPUTED_END, MARK, NULL, constant, joined, json_writer
from spackmon.query.limits import largest_page
from spackmon.query.lookups import by_id, type_of_id
from spackmon.query.paging import Page, Rows, SortKey, read_page, sort_keys
from spackmon.query.registry import Registry
from spackmon.query.scope import Scope
from spackmon.query.selection import Selected, Selector
from spackmon.query.unpack import ERROR
from spackmon.query.values import Given, Path, at, plain, read_value

# Each level may be a join or a subquery.
MAXIMUM_FILTER_DEPTH = 15

_PAGED = frozenset({"nodes", "edges", "pageInfo"})

Json = ColumnElement[Any]
Fields = Mapping[str, Selected]
# Which variable decides the statement's form, and what of its value does.
Deciding = tuple[Path, Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled operation: the statement in the driver's style, and how to fill its parameters."""

    statement: str
    constants: Mapping[str, Any]
    bound: Mapping[str, tuple[Path, Callable[[Any], Any]]]
    computations: tuple[Computation, ...]

    def parameters(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The statement's parameters for these (coerced) variables."""
        filled = dict(self.constants)
        for name, (path, convert) in self.bound.items():
            filled[name] = convert(at(path, variables))
        return filled


class Compiler:
    """Compiles one operation for one shape of variables; used once.

    `deciding` are the variables whose values, or something of them, went into the statement.
    """

    def __init__(
        self,
        registry: Registry,
        dialect: Dialect,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
    ) -> None:
        self._registry = registry
        self._dialect = dialect
        self.dialect_name = dialect.name
        self._variables = {name: Given(value, (name,)) for name, value in variables.items()}
        self._json = json_writer(dialect.name)
        self._selector = Selector(registry.schema, fragments, self._decide)
        self._bound: dict[str, tuple[Path, Callable[[Any], Any]]] = {}
        self.deciding: set[Deciding] = set()
        self.computations: list[Computation] = []
        self._names: Iterator[int] = count(1)
        self._filter_depth = 0

    def root_fields(self, query: GraphQLObjectType, selection: SelectionSetNode) -> dict[str, Selected]:
        """The operation's own fields by response key."""
        return self._selector.fields(query, [selection], 1)

    def compile(self, query: GraphQLObjectType, fields: Fields) -> Plan:
        """The plan that answers root `fields` with a JSON object."""
        return self._plan(select(self._object_of(query, fields, self._no_row(), 1).label("answer")))

    def _no_row(self) -> Scope:
        """What the root's fields are fields of."""
        return Scope(select(constant("").label("id")).subquery(), self._names)

    def _plan(self, statement: Select[Any]) -> Plan:
        compiled = statement.compile(dialect=self._dialect)
        constants = {name: value for name, value in compiled.params.items() if name not in self._bound}
        return Plan(str(compiled), constants, self._bound, tuple(self.computations))

    # Values -----------------------------------------------------------------------------------------

    def bind(self, given: Given, type_: Any, convert: Callable[[Any], Any] = plain) -> ColumnElement[Any]:
        """A parameter; filled anew in each run if its value came from a variable."""
        name = f"p{next(self._names)}"
        converted = self._for_the_driver(type_, convert)
        if isinstance(type_, Integer):
            # A number that its column could not hold is still one to compare with.
            type_ = BigInteger()
        if given.path is not None:
            self._bound[name] = (given.path, converted)
        return bindparam(name, converted(given.value), type_=type_)

    def _for_the_driver(self, type_: Any, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
        # The statement goes to the bare driver, past SQLAlchemy's own conversion of parameters.
        if isinstance(type_, UtcDateTime):
            return lambda value: type_.process_bind_param(convert(value), self._dialect)
        return convert

    def decided(self, value: Given | None, what: Callable[[Any], Any] = plain) -> Any:
        """What of a value decides the statement's form."""
        if value is None:
            return None
        if value.path is not None:
            self.deciding.add((value.path, what))
        return what(value.value)

    def _decide(self, node: ValueNode) -> bool:
        return bool(self.decided(read_value(node, GraphQLBoolean, self._variables)))

    def _arguments(self, parent: GraphQLObjectType, node: FieldNode) -> dict[str, Given]:
        """The arguments that were given and are not null."""
        written = {argument.name.value: argument.value for argument in node.arguments or ()}
        found: dict[str, Given] = {}
        for name, definition in parent.fields[node.name.value].args.items():
            value = read_value(written[name], definition.type, self._variables) if name in written else None
            if name not in written and definition.default_value is not Undefined:
                value = Given(definition.default_value)
            if value is not None and value.value is not None:
                found[name] = value
        return found

    # Objects ----------------------------------------------------------------------------------------

    def _object(self, type_: GraphQLOutputType, asked: Selected, row: Scope, depth: int) -> Json:
        """The object that `asked` wants, made of `row`."""
        named = _object_type(type_)
        return self._object_of(named, self._selector.fields(named, asked.selections, depth), row, depth)

    def _object_of(self, type_: GraphQLObjectType, fields: Fields, row: Scope, depth: int) -> Json:
        return _braced((key, self._field(type_, asked, row, depth)) for key, asked in fields.items())

    def _field(self, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int) -> Json | str:
        if asked.name == "__typename":
            return f'"{parent.name}"'
        type_ = parent.fields[asked.name].type
        match self._registry.meanings[parent.name][asked.name]:
            case Column() | Expression() | Identity() as meaning:
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
            case Lookup():
                return self._lookup(meaning, parent, _object_type(type_), asked, row, depth)
            case NodeLookup():
                return self._node(parent, asked, row, depth)
            case Connected():
                return self._connection(meaning, parent, asked, row, depth)
            case Computed():
                return self._computed(meaning, parent, asked, row, depth)
            case Tabulated():
                return self._table(parent, asked, row, depth)
            case Cells():
                cells = row.beneath(row.table)
                fields = self._selector.fields(_object_type(type_), asked.selections, depth + 1)
                order = aggregates.order_of_cells(cells)
                return self._all_objects(_object_type(type_), fields, cells, order, depth + 1)
            case _:
                raise TypeError(f"{parent.name}.{asked.name} has no meaning in SQL: {meaning!r}")

    def _value(
        self,
        meaning: Column | Expression | Identity,
        parent: GraphQLObjectType,
        type_: GraphQLOutputType,
        row: Scope,
    ) -> Json:
        match meaning:
            case Column(steps, attribute):
                return self._json.value(row.along(steps)[attribute], nullable=_is_nullable(type_))
            case Expression(build, is_json):
                value = build(row, self._json)
                return value if is_json else self._json.value(value, nullable=_is_nullable(type_))
            case Identity(_, is_bare):
                number = sql_cast(row.row_id, Text)
                return joined(['"' if is_bare else f'"{parent.name}:', number, '"'])

    def _node(self, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int) -> Json:
        kind = self.decided(self._arguments(parent, asked.node)["id"], type_of_id)
        if kind not in self._registry.nodes:
            raise Refused("ID_INVALID", 400, f"`id` must be an id of this schema, no type is {kind[:100]!r}")
        name = self._registry.nodes[kind]
        meaning = Lookup(self._registry.meanings[name]["id"].model, by_id(name))
        type_ = cast(GraphQLObjectType, self._registry.schema.type_map[name])
        return self._lookup(meaning, parent, type_, asked, row, depth)

    def _embedded(
        self, meaning: Embedded, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int
    ) -> Json:
        if meaning.limits is not None:
            row = row.limited(meaning.limits(self._arguments(parent, asked.node), self))
        type_ = parent.fields[asked.name].type
        body = self._object(type_, asked, row, depth + 1)
        return body if meaning.present is None else _or_null(type_, meaning.present(row), body)

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
            otherwise = _error("SPEC_UNKNOWN", "no spec has this `hash`")
        one = select(body).select_from(child.joined()).where(child.row_id == found.row_id)
        result = func.coalesce(_scalar(one), otherwise)
        if found.ambiguous is None:
            return result
        return case((found.ambiguous, _error(found.ambiguous_code, found.ambiguous_sentence)), else_=result)

    # Computed values --------------------------------------------------------------------------------

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
            ids = meaning.specs(row, arguments, self.bind)
            objects = (
                (".".join(path), self._objects_by_hash(ids, spec, row, depth))
                for path, spec in shape.specs.items()
            )
            pieces += [',"specs":', _braced(objects)]
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
        return _scalar(select(joined(["{", members, "}"])).select_from(rows))

    # Many rows --------------------------------------------------------------------------------------

    def _listing(
        self, meaning: Listing, type_: GraphQLOutputType, asked: Selected, row: Scope, depth: int
    ) -> Json:
        child = row.beneath(meaning.model.__table__)
        body = self._object(type_, asked, child, depth + 1)
        order = [child.along(path[:-1])[path[-1]] for path in meaning.order]
        source: FromClause = child.source
        if meaning.ids is not None:
            ids = meaning.ids(row).subquery(f"t{next(self._names)}")
            source = ids.join(child.source, child.row_id == ids.c["id"])
        holds = [] if meaning.belongs is None else [meaning.belongs(row, child)]
        statement = select(body.label("body")).select_from(child.joined(source)).where(*holds)
        rows = self._rows(statement.order_by(*order))
        return _scalar(select(self._json.array(rows.c["body"])).select_from(rows))

    def _connection(
        self, meaning: Connected, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int
    ) -> Json:
        arguments = self._arguments(parent, asked.node)
        first, last = self.decided(arguments.get("first")), self.decided(arguments.get("last"))
        type_ = _object_type(parent.fields[asked.name].type)
        fields = self._selector.fields(type_, asked.selections, depth + 1)
        page = read_page(arguments, first, last, largest_page(self._registry, self._selector, type_, fields))
        filtered = self._filtered(meaning, parent, asked, arguments, row)
        own = self._registry.meanings[type_.name]
        paged = {key: part for key, part in fields.items() if part.name in _PAGED}
        rows = self._page_rows(filtered, page, type_, paged, row, depth) if paged else None

        def value(key: str, part: Selected) -> Json | str:
            if part.name == "__typename":
                return f'"{type_.name}"'
            if part.name in own:
                # Rows of their own: keys join to them, and a build stands there once for every tag.
                grouped = self._filtered(meaning, parent, asked, arguments, row)
                return self._groups(own[part.name], grouped, type_, part, depth + 2)
            if rows is None or part.name == "totalCount":
                return self._json.value(_scalar(filtered.count()), nullable=False)
            if part.name == "pageInfo":
                return self._page_info(_object_type(type_.fields["pageInfo"].type), part, page, rows, depth)
            return self._json.array(rows.c[f"list_{key}"], rows.c["position"] <= page.size)

        body = _braced((key, value(key, part)) for key, part in fields.items())
        if rows is None:
            return body
        # Counting makes it one row even where nothing else looks at the page's rows: pageInfo { __typename }.
        return _scalar(select(case((func.count() >= 0, body))).select_from(rows))

    def _groups(
        self, meaning: Grouped, rows: Rows, parent: GraphQLObjectType, asked: Selected, depth: int
    ) -> Json:
        arguments = self._arguments(parent, asked.node)
        keys = [self.decided(key) for key in arguments["keys"].elements()]
        first = aggregates.read_first(self.decided(arguments.get("first")))
        type_ = _object_type(parent.fields[asked.name].type)
        fields = self._selector.fields(type_, asked.selections, depth)
        names = {part.name for part in fields.values()}
        measured = sorted(names & aggregates.MEASURES) if meaning.is_of_builds else []
        found = aggregates.groups(rows, keys, first, measured, self._rows, self.dialect_name)
        group = Scope(self._rows(found), self._names)
        return self._all_objects(type_, fields, group, [group.source.c["place"]], depth)

    def _table(self, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int) -> Json:
        arguments = self._arguments(parent, asked.node)
        first = aggregates.read_first(self.decided(arguments.get("first")))
        row_key, column_key = (self.decided(arguments[name]) for name in ("rows", "columns"))
        builds = self._filtered(Connected(Build, None), parent, asked, arguments, row)
        if "package" in arguments:
            builds = aggregates.of_package(builds, arguments["package"], self.bind)
        found = aggregates.table(builds, row_key, column_key, first, self._rows, self.dialect_name)
        cells = Scope(found.cte(f"t{next(self._names)}"), self._names)
        return self._object(parent.fields[asked.name].type, asked, cells, depth + 1)

    def _all_objects(
        self,
        type_: GraphQLObjectType,
        fields: Fields,
        row: Scope,
        order: Sequence[ColumnElement[Any]],
        depth: int,
    ) -> Json:
        body = self._object_of(type_, fields, row, depth).label("body")
        rows = self._rows(select(body).select_from(row.joined()).order_by(*order))
        return _scalar(select(self._json.array(rows.c["body"])).select_from(rows))

    def _filtered(
        self,
        meaning: Connected,
        parent: GraphQLObjectType,
        asked: Selected,
        arguments: Mapping[str, Given],
        row: Scope,
    ) -> Rows:
        child = row.beneath(meaning.model.__table__)
        holds = [] if meaning.belongs is None else [meaning.belongs(row, child)]
        types = parent.fields[asked.name].args
        driver = None
        if "where" in arguments:
            for condition in self.all_of(get_named_type(types["where"].type).name, arguments["where"], child):
                if driver is None and condition.driver is not None and meaning.belongs is None:
                    driver = condition.driver
                else:
                    holds.append(condition.holds)
        ways = None
        if meaning.satisfying is not None and "satisfying" in arguments:
            ways = meaning.satisfying(child, self.decided(arguments["satisfying"]))
        order: list[SortKey] = []
        if "orderBy" in arguments:
            for one in arguments["orderBy"].elements():
                order += self._sort_keys(get_named_type(types["orderBy"].type).name, one, child)
        return Rows(child, holds, driver, order, ways)

    def all_of(self, input_name: str, given: Given, row: Scope) -> list[Condition]:
        """What every field that is given of a filter input asks of `row`."""
        if self._filter_depth == MAXIMUM_FILTER_DEPTH:
            raise Refused(
                "FILTER_TOO_DEEP", 400, f"`where` nests more than {MAXIMUM_FILTER_DEPTH} levels of filters"
            )
        predicates = self._registry.meanings[input_name]
        asked = {name: value for name, value in given.members().items() if value.value is not None}
        self._filter_depth += 1
        conditions = [predicates[name](row, value, self) for name, value in asked.items()]
        self._filter_depth -= 1
        return conditions

    def _sort_keys(self, input_name: str, given: Given, row: Scope) -> list[SortKey]:
        """The keys of one element of `orderBy`, which names one column and its direction."""
        named = [(name, self.decided(value)) for name, value in given.members().items()]
        if len(named) != 1 or named[0][1] is None:
            raise Refused("ORDER_INVALID", 400, f"each {input_name} in `orderBy` must have exactly one field")
        ((name, direction),) = named
        column: Column = self._registry.meanings[input_name][name]
        return sort_keys(row.along(column.steps)[column.attribute], descending=direction == "DESC")

    def _page_rows(
        self, filtered: Rows, page: Page, type_: GraphQLObjectType, fields: Fields, row: Scope, depth: int
    ) -> FromClause:
        """A subquery with the page's rows and one more.

        Columns: `position`, `cursor`, `is_last` (of the page), and one for each list under its key.
        """
        ids = self._rows(filtered.page(page, self.bind))
        cursor = self._cursor([ids.c[f"key{number}"] for number in range(len(filtered.keys))])
        child = row.beneath(filtered.row.table)
        shown = func.count().over()
        is_last = ids.c["position"] == case((shown > page.size, page.size), else_=shown)
        columns = [ids.c["position"], cursor.label("cursor"), is_last.label("is_last")]
        for key, part in fields.items():
            if part.name == "nodes":
                nodes = self._object(type_.fields["nodes"].type, part, child, depth + 2)
                columns.append(nodes.label(f"list_{key}"))
            elif part.name == "edges":
                edge = _object_type(type_.fields["edges"].type)
                columns.append(self._edge(edge, part, child, cursor, depth + 2).label(f"list_{key}"))
        source = child.joined(ids.join(child.source, filtered.identified(ids, child)))
        order = ids.c["position"].desc() if page.from_end else ids.c["position"]
        return self._rows(select(*columns).select_from(source).order_by(order))

    def _edge(self, edge: GraphQLObjectType, asked: Selected, child: Scope, cursor: Json, depth: int) -> Json:
        def value(part: Selected) -> Json | str:
            if part.name == "node":
                return self._object(edge.fields["node"].type, part, child, depth + 1)
            return cursor if part.name == "cursor" else f'"{edge.name}"'

        fields = self._selector.fields(edge, asked.selections, depth)
        return _braced((key, value(part)) for key, part in fields.items())

    def _cursor(self, sort_values: Sequence[Json]) -> Json:
        """The cursor of a row with these sort values, as a JSON string."""
        return joined(['"', self._json.text_as_hexadecimal(self._place(sort_values)), '"'])

    def _place(self, sort_values: Sequence[Json]) -> Json:
        pieces: list[str | Json] = []
        for value in sort_values:
            pieces += ["," if pieces else "[", self._json.value(value, nullable=True)]
        return joined([*pieces, "]"])

    def _page_info(
        self, info: GraphQLObjectType, asked: Selected, page: Page, rows: FromClause, depth: int
    ) -> Json:
        more = case((func.count() > page.size, constant("true")), else_=constant("false"))
        is_first = rows.c["position"] == 1
        start, end = (rows.c["is_last"], is_first) if page.from_end else (is_first, rows.c["is_last"])
        within = rows.c["position"] <= page.size
        ends = {"startCursor": and_(start, within), "endCursor": and_(end, within)}

        def value(name: str) -> Json | str:
            match name:
                case "hasNextPage":
                    return _boolean(page.before is not None) if page.from_end else more
                case "hasPreviousPage":
                    return more if page.from_end else _boolean(page.after is not None)
                case "__typename":
                    return f'"{info.name}"'
                case _:
                    return func.coalesce(func.max(rows.c["cursor"]).filter(ends[name]), constant(NULL))

        fields = self._selector.fields(info, asked.selections, depth + 2)
        return _braced((key, value(part.name)) for key, part in fields.items())

    def _rows(self, statement: Select[Any]) -> FromClause:
        """The statement as a row source that may look at the rows of every statement around it."""
        return statement.correlate_except(None).subquery(f"t{next(self._names)}")


def _error(code: str, sentence: str) -> Json:
    """Where this is in an answer, there is no answer but this error."""
    return constant(f"{MARK}{ERROR}{code}:{sentence}{MARK}")


def _scalar(statement: Select[Any]) -> Json:
    return statement.correlate_except(None).scalar_subquery()


@lru_cache
def _selection(operation: str) -> SelectionSetNode:
    (definition,) = parse(operation).definitions
    return cast(OperationDefinitionNode, definition).selection_set


def _braced(members: Iterator[tuple[str, Json | str]]) -> Json:
    """A JSON object. A response key is a GraphQL name, so that it needs no escape."""
    pieces: list[str | Json] = []
    for key, value in members:
        pieces += [f'{"," if pieces else "{"}"{key}":', value]
    return joined([*pieces, "}"]) if pieces else constant("{}")


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _is_nullable(type_: GraphQLOutputType) -> bool:
    return not isinstance(type_, GraphQLNonNull)


def _or_null(type_: GraphQLOutputType, present: ColumnElement[bool], body: Json) -> Json:
    return case((present, body), else_=constant(NULL)) if _is_nullable(type_) else body


def _object_type(type_: GraphQLOutputType) -> GraphQLObjectType:
    return cast(GraphQLObjectType, get_named_type(type_))
