"""What every part of a compilation needs: values that become parameters or decide, and row sources."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLBoolean,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
    ValueNode,
    get_named_type,
)
from sqlalchemy import (
    BigInteger,
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
from spackmon.models.columns import UtcDateTime
from spackmon.query.computed import Computation
from spackmon.query.json_text import constant, joined, json_writer
from spackmon.query.registry import Registry
from spackmon.query.scope import Scope
from spackmon.query.selection import Selected, Selector
from spackmon.query.values import Given, Path, at, plain, read_value

Json = ColumnElement[Any]
Fields = Mapping[str, Selected]
# Which variable decides the statement's form, and what of its value does.
Deciding = tuple[Path, Callable[[Any], Any]]
# A statement is made anew for each of their numbers or texts.
_MAXIMUM_EACH = 200
_MAXIMUM_DECIDING_CHARACTERS = 4_000
# The databases plan well for so many values that they see one by one.
_SHORT_LIST = 8


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


class Compilation(ABC):
    """One operation on its way to a statement, for one shape of variables.

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

    def _no_row(self) -> Scope:
        """What the root's fields are fields of."""
        return Scope(select(constant("").label("id")).subquery(), self._names)

    def _plan(self, statement: Select[Any]) -> Plan:
        compiled = statement.compile(dialect=self._dialect)
        constants = {name: value for name, value in compiled.params.items() if name not in self._bound}
        return Plan(str(compiled), constants, self._bound, tuple(self.computations))

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
        name = f"p{next(self._names)}"
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

    @abstractmethod
    def _field(self, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int) -> Json | str:
        """The value of a field of `row`, as JSON text."""

    def _object(self, type_: GraphQLOutputType, asked: Selected, row: Scope, depth: int) -> Json:
        """The object that `asked` wants, made of `row`."""
        named = object_type(type_)
        return self._object_of(named, self._selector.fields(named, asked.selections, depth), row, depth)

    def _object_of(self, type_: GraphQLObjectType, fields: Fields, row: Scope, depth: int) -> Json:
        return braced((key, self._field(type_, asked, row, depth)) for key, asked in fields.items())

    def _rows(self, statement: Select[Any]) -> FromClause:
        """The statement as a row source that may look at the rows of every statement around it."""
        return statement.correlate_except(None).subquery(f"t{next(self._names)}")


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


def scalar(statement: Select[Any]) -> Json:
    return statement.correlate_except(None).scalar_subquery()


def braced(members: Iterator[tuple[str, Json | str]]) -> Json:
    """A JSON object. A response key is a GraphQL name, so that it needs no escape."""
    pieces: list[str | Json] = []
    for key, value in members:
        pieces += [f'{"," if pieces else "{"}"{key}":', value]
    return joined([*pieces, "}"]) if pieces else constant("{}")


def object_type(type_: GraphQLOutputType) -> GraphQLObjectType:
    return cast(GraphQLObjectType, get_named_type(type_))
