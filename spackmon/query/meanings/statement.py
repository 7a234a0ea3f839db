"""One operation on its way to a statement: names, values that become parameters or decide, row sources."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLBoolean,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    SelectionSetNode,
    Undefined,
    ValueNode,
    get_named_type,
)
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Float,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    String,
    Text,
    any_,
    bindparam,
    column,
    false,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect

from spackmon.errors import Code, Refused
from spackmon.graph.spack_rules import RULES, Rules, SpackVersion
from spackmon.models import SPEC_TABLES, Base
from spackmon.models.columns import UtcDateTime
from spackmon.query.meanings.meaning import At, Meaning, object_type, scalar
from spackmon.query.meanings.registry import Registry
from spackmon.query.sql.computed import Computation
from spackmon.query.sql.conditions import Condition
from spackmon.query.sql.json_text import Json, braced, constant, json_writer
from spackmon.query.sql.scope import Names, Scope
from spackmon.query.sql.selection import Selected, Selector
from spackmon.query.sql.values import Given, Path, at, plain, read_value
from spackmon.viewer import Viewer

Fields = Mapping[str, Selected]
# Which variable decides the statement's form, and what of its value does.
Deciding = tuple[Path, Callable[[Any], Any]]
# A statement is made anew for each of their numbers or texts.
_MAXIMUM_EACH = 200
# Each level may be a join or a subquery.
MAXIMUM_FILTER_DEPTH = 15
_MAXIMUM_DECIDING_CHARACTERS = 4_000
# No variable has this name.
VIEWER = "@viewer"
# The databases plan well for so many values that they see one by one.
_SHORT_LIST = 8
SPEC_REVISION = "SELECT CAST(coalesce(sum(number), 0) AS TEXT) FROM spec_revision"
"""Another text whenever anything is changed that is stored of specs."""
_OTHER_TABLE = re.compile(rf"\b(?:{'|'.join(sorted(Base.metadata.tables.keys() - SPEC_TABLES))})\b")


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled operation: the statement in the driver's style, and how to fill its parameters.

    If it `reads_specs_alone`, its answer begins with their revision and a colon.
    """

    statement: str
    constants: Mapping[str, Any]
    bound: Mapping[str, tuple[Path, Callable[[Any], Any]]]
    computations: tuple[Computation, ...]
    reads_specs_alone: bool = False

    def parameters(self, variables: Mapping[str, Any], viewer: Viewer) -> dict[str, Any]:
        """The statement's parameters for these (coerced) variables, and for who asks."""
        filled = dict(self.constants)
        values = {**variables, VIEWER: viewer.facts}
        for name, (path, convert) in self.bound.items():
            filled[name] = convert(at(path, values))
        return filled


class Statement:
    """One operation on its way to a statement, for one shape of variables.

    `deciding` are the variables whose values, or something of them, went into the statement.
    """

    def __init__(
        self,
        registry: Registry,
        dialect: Dialect,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
        spack: SpackVersion,
    ) -> None:
        self.registry = registry
        self._spack = spack
        self._dialect = dialect
        self.dialect_name = dialect.name
        self._variables = {name: Given(value, (name,)) for name, value in variables.items()}
        self.json = json_writer(dialect.name)
        self.selector = Selector(registry.schema, fragments, self._decide)
        self._bound: dict[str, tuple[Path, Callable[[Any], Any]]] = {}
        self.deciding: set[Deciding] = set()
        self.computations: list[Computation] = []
        self.names = Names(self._fact)
        self._filter_depth = 0

    def _fact(self, name: str) -> ColumnElement[bool]:
        """The parameter with a fact of whoever asks: a plan is everybody's."""
        parameter = f"viewer_{name}"
        self._bound[parameter] = ((VIEWER, name), plain)
        return bindparam(parameter, None, type_=Boolean())

    def no_row(self) -> Scope:
        """What the root's fields are fields of."""
        return Scope(select(constant("").label("id")).subquery(), self.names)

    def plan(self, statement: Select[Any]) -> Plan:
        compiled = statement.compile(dialect=self._dialect)
        constants = {name: value for name, value in compiled.params.items() if name not in self._bound}
        return Plan(str(compiled), constants, self._bound, tuple(self.computations))

    def bind(self, given: Given, type_: Any, convert: Callable[[Any], Any] = plain) -> ColumnElement[Any]:
        """A parameter; filled anew in each run if its value came from a variable."""
        name = f"p{next(self.names)}"
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
            # Not this whole compilation: a plan keeps it.
            dialect = self._dialect
            return lambda value: _moment(type_, convert(value), dialect)
        return convert

    def is_among(
        self, column_: ColumnElement[Any], given: Given, convert: Callable[[Any], Any] = plain
    ) -> ColumnElement[bool]:
        """The column has one of the values of a list: many are one parameter, so that plans are shared."""
        whole = _whole(given)
        if whole is not None and self.decided(given, _size_class) > _SHORT_LIST:
            array = self._array(column_, whole, convert)
            if array is not None:
                return array
        elements = [self.bind(one, column_.type, convert) for one in self.each(given)]
        return column_.in_(elements) if elements else false()

    def _array(
        self, column_: ColumnElement[Any], given: Given, convert: Callable[[Any], Any]
    ) -> ColumnElement[bool] | None:
        kind = _kind(column_.type)
        if kind is None or (self.dialect_name == "sqlite" and isinstance(kind, LargeBinary)):
            return None
        one = self._for_the_driver(column_.type, convert)
        if self.dialect_name == "sqlite":
            # A name that stands for it in JSON, since the driver knows no lists.
            listed = self._listed(given, Text(), lambda values: json.dumps([one(plain(v)) for v in values]))
            return column_.in_(select(column("value")).select_from(func.json_each(listed)))
        return column_ == any_(
            self._listed(given, ARRAY(kind), lambda values: [one(plain(v)) for v in values])
        )

    def _listed(self, given: Given, type_: Any, convert: Callable[[Any], Any]) -> ColumnElement[Any]:
        name = f"p{next(self.names)}"
        if given.path is not None:
            self._bound[name] = (given.path, convert)
        return bindparam(name, convert(given.value), type_=type_)

    def each(self, given: Given) -> list[Given]:
        """The elements of a list, of which each becomes a piece of the statement. Raises QUERY_TOO_LARGE."""
        count = self.decided(given, len)
        if count > _MAXIMUM_EACH:
            raise Refused(
                Code.QUERY_TOO_LARGE, f"a list may have {_MAXIMUM_EACH} elements here, it has {count}"
            )
        return given.elements()

    def decided(self, value: Given | None, what: Callable[[Any], Any] = plain) -> Any:
        """What of a value decides the statement's form."""
        if value is None:
            return None
        if value.path is not None:
            self.deciding.add((value.path, what))
        found = what(value.value)
        if isinstance(found, str) and len(found) > _MAXIMUM_DECIDING_CHARACTERS:
            most = _MAXIMUM_DECIDING_CHARACTERS
            raise Refused(
                Code.ARGUMENT_TOO_LONG,
                f"an argument may have {most:,} characters here, one has {len(found):,}",
            )
        return found

    def _decide(self, node: ValueNode) -> bool:
        return bool(self.decided(read_value(node, GraphQLBoolean, self._variables)))

    def rules(self, arguments: Mapping[str, Given]) -> Rules:
        """The rules by which `satisfying` is judged."""
        named = self.decided(arguments.get("as"))
        return RULES[self._spack if named is None else SpackVersion(named)]

    def arguments(self, at: At) -> dict[str, Given]:
        """The arguments that were given and are not null. Raises Refused ARGUMENT_INVALID."""
        given = self._given(at)
        found: dict[str, Given] = {}
        for name, definition in at.definition.args.items():
            value = given.get(name)
            if value is None and definition.default_value is not Undefined:
                value = Given(definition.default_value)
            if value is None:
                continue
            if value.value is not None:
                found[name] = value
            elif isinstance(definition.type, GraphQLNonNull):
                # A variable that may be null can stand for an argument that has a default.
                raise Refused(Code.ARGUMENT_INVALID, f"`{name}` must not be null: leave it out")
        return found

    def is_given(self, at: At, name: str) -> bool:
        """Whether the request gives an argument, rather than leaving it to its default."""
        return name in self._given(at)

    def _given(self, at: At) -> dict[str, Given]:
        """The arguments but those whose variable was not sent."""
        types = {name: argument.type for name, argument in at.definition.args.items()}
        nodes = {argument.name.value: argument.value for argument in at.selected.node.arguments or ()}
        values = {name: read_value(node, types[name], self._variables) for name, node in nodes.items()}
        return {name: value for name, value in values.items() if value is not None}

    # Objects and rows -------------------------------------------------------------------------------

    def root_fields(self, query: GraphQLObjectType, selection: SelectionSetNode) -> dict[str, Selected]:
        """The operation's own fields by response key."""
        return self.selector.fields(query, [selection], 1)

    def compile(self, query: GraphQLObjectType, fields: Fields) -> Plan:
        """The plan that answers root `fields` with a JSON object."""
        plan = self.plan(select(self.object_of(query, fields, self.no_row(), 1).label("answer")))
        if not _reads_specs_alone(plan.statement):
            return plan
        # In one statement, so that both are of one snapshot; not around it, as SQLite parses only so deep.
        answer = plan.statement.removesuffix(" AS answer")
        revised = f"{answer} || ':' || ({SPEC_REVISION}) AS answer"
        return replace(plan, statement=revised, reads_specs_alone=True)

    def field(self, at: At) -> Json | str:
        """The value of a field, as JSON text."""
        if at.selected.name == "__typename":
            return f'"{at.parent.name}"'
        meaning: Meaning = self.registry.meanings[at.parent.name][at.selected.name]
        return meaning.json(at, self)

    def object(self, at: At, row: Scope, type_: GraphQLOutputType | None = None, levels: int = 1) -> Json:
        """The object that a field selects, made of `row`: so many levels below the field."""
        named = object_type(at.type_ if type_ is None else type_)
        depth = at.depth + levels
        return self.object_of(named, self.selector.fields(named, at.selected.selections, depth), row, depth)

    def object_of(self, type_: GraphQLObjectType, fields: Fields, row: Scope, depth: int) -> Json:
        """An object of these fields."""
        return braced((key, self.field(At(type_, selected, row, depth))) for key, selected in fields.items())

    def fields(self, at: At, levels: int = 1) -> dict[str, Selected]:
        """What is selected of the object that a field is."""
        return self.selector.fields(object_type(at.type_), at.selected.selections, at.depth + levels)

    def facts(self, operation: SelectionSetNode, at: At, variables: Mapping[str, Given]) -> Json:
        """What a selection of our own asks of the field's parent, with variables of its own."""
        outside, self._variables = self._variables, dict(variables)
        try:
            fields = self.selector.fields(at.parent, [operation], 1)
            return self.object_of(at.parent, fields, at.row, 1)
        finally:
            self._variables = outside

    def new_name(self) -> str:
        """A name that nothing else in the statement has."""
        return f"t{next(self.names)}"

    def rows(self, statement: Select[Any]) -> FromClause:
        """The statement as a row source that may look at the rows of every statement around it."""
        return statement.correlate_except(None).subquery(self.new_name())

    def listed(self, statement: Select[Any]) -> Json:
        """A JSON array of a statement's column `body`, in its order."""
        rows = self.rows(statement)
        return scalar(select(self.json.array(rows.c["body"])).select_from(rows))

    # Filters ----------------------------------------------------------------------------------------

    def all_of(self, input_name: str, given: Given, row: Scope) -> list[Condition]:
        """What every field that is given of a filter input asks of `row`."""
        if self._filter_depth == MAXIMUM_FILTER_DEPTH:
            raise Refused(
                Code.FILTER_TOO_DEEP, f"`where` nests more than {MAXIMUM_FILTER_DEPTH} levels of filters"
            )
        predicates = self.registry.meanings[input_name]
        asked = {name: value for name, value in given.members().items() if value.value is not None}
        self._filter_depth += 1
        try:
            return [predicates[name](row, value, self) for name, value in asked.items()]
        finally:
            self._filter_depth -= 1

    def asked_by(self, at: At, argument: str, row: Scope) -> list[Condition]:
        """What the filter asks of `row` that an argument of a field is; nothing where it is not given."""
        given = self.arguments(at).get(argument)
        if given is None:
            return []
        return self.all_of(get_named_type(at.definition.args[argument].type).name, given, row)

    def holds_by(self, at: At, argument: str, row: Scope) -> list[ColumnElement[bool]]:
        """The same as SQL alone."""
        return [condition.holds for condition in self.asked_by(at, argument, row)]


def _reads_specs_alone(statement: str) -> bool:
    """Whether no other table's name is in it; a name that only looks so is no matter."""
    return _OTHER_TABLE.search(statement) is None


def _moment(type_: UtcDateTime, value: Any, dialect: Dialect) -> Any:
    try:
        return type_.process_bind_param(value, dialect)
    except OverflowError:
        sentence = f"a DateTime must be within the years 1 to 9999 of UTC, it is {value.isoformat()}"
        raise Refused(Code.ARGUMENT_INVALID, sentence) from None


def _whole(given: Given) -> Given | None:
    """The list as one value; None where some of its elements come from variables and others do not."""
    if given.path is not None:
        return given
    if any(isinstance(one, Given) and one.path is not None for one in given.value):
        return None
    return Given([one.value if isinstance(one, Given) else one for one in given.value])


def _size_class(values: list[Any]) -> int:
    return min(len(values), _SHORT_LIST + 1)


def _kind(type_: Any) -> Any:
    """The plain type of what such a column is compared with, without a collation or a width."""
    for known, kind in (
        (String, Text()), (Integer, BigInteger()), (Float, Float()), (LargeBinary, LargeBinary()),
        (UtcDateTime, DateTime(timezone=True)),
    ):  # fmt: skip
        if isinstance(type_, known):
            return kind
    return None
