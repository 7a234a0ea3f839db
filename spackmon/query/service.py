"""Runs operations: parsed, validated and compiled once, then looked up, bound and sent on.

What is not SQL (introspection) runs in graphql-core; one operation may hold both, stitched at the root.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from strawberry import Schema

from spackmon.database import Database, Reader
from spackmon.errors import Refused
from spackmon.query.compile import Compiler, Deciding, Plan
from spackmon.query.registry import read_registry
from spackmon.query.selection import Selected
from spackmon.query.unpack import unpacked
from spackmon.query.values import at, shape

_DOCUMENTS_KEPT = 1000
_PLANS_KEPT = 1000
_MAXIMUM_TOKENS = 10_000
_INTROSPECTION = ("__schema", "__type")

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response's body, JSON text, and whether the request itself was refused (no data at all)."""

    body: bytes
    refused: bool = False


class _Recent(Generic[Key, Value]):
    """A dictionary that forgets what was not used for longest."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """The entry, which is now the most recent."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: Key, value: Value) -> None:
        """Keep an entry, dropping the oldest when there are too many."""
        self._entries[key] = value
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An operation ready to run: its SQL part and its introspection part, and the order of their keys."""

    plan: Plan | None
    introspection: DocumentNode | None
    keys: tuple[str, ...]


@dataclass(slots=True)
class _Operation:
    """A validated operation; `deciding` are the variables whose values its plans depend on."""

    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    deciding: tuple[Deciding, ...] = ()
    prepared: _Recent[Any, _Prepared] = field(default_factory=lambda: _Recent(_PLANS_KEPT))


_Document = Mapping[str, _Operation] | list[GraphQLError]


class QueryService:
    """Answers GraphQL operations over one database."""

    def __init__(self, schema: Schema, database: Database, reader: Reader) -> None:
        self._registry = read_registry(schema)
        self._schema = self._registry.schema
        self._query = cast(GraphQLObjectType, self._schema.query_type)
        self._reader = reader
        self._dialect = _driver_dialect(database)
        self._documents: _Recent[str, _Document] = _Recent(_DOCUMENTS_KEPT)

    async def execute(
        self, query: str, variables: Mapping[str, Any] | None = None, operation_name: str | None = None
    ) -> Answer:
        """The response to one request; every failure is an error in it, with a code."""
        try:
            return Answer(await self._run(query, variables or {}, operation_name))
        except _InvalidError as invalid:
            return Answer(error_body(invalid.code, invalid.errors), refused=True)
        except Refused as refused:
            return Answer(error_body(refused.code, [GraphQLError(refused.sentence)], with_data=True))

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The data of one of our own operations as Python objects; Refused if there is an error."""
        try:
            found: dict[str, Any] = json.loads(await self._run(query, variables or {}, None))["data"]
        except _InvalidError as invalid:
            raise Refused(invalid.code, 400, invalid.errors[0].message) from invalid
        return found

    async def _run(self, query: str, variables: Mapping[str, Any], operation_name: str | None) -> bytes:
        operation = self._operation(query, operation_name)
        coerced: Mapping[str, Any] = {}
        if operation.node.variable_definitions:
            values = get_variable_values(self._schema, operation.node.variable_definitions, dict(variables))
            if isinstance(values, list):
                raise _InvalidError("VARIABLES_INVALID", values)
            coerced = values.coerced
        prepared = self._prepared(operation, coerced)
        if prepared.plan is None and prepared.introspection is None:
            return b'{"data":{}}'
        data = b"{}"
        if prepared.plan is not None:
            data = await self._fetched(prepared.plan, coerced)
        if prepared.introspection is not None:
            data = self._stitched(prepared.introspection, prepared.keys, data, variables)
        return b'{"data":' + data + b"}"

    async def _fetched(self, plan: Plan, variables: Mapping[str, Any]) -> bytes:
        answer = await self._reader.fetch(plan.statement, plan.parameters(variables))
        return unpacked(answer, plan.computations, variables)

    def _operation(self, query: str, name: str | None) -> _Operation:
        document = self._documents.get(query)
        if document is None:
            document = self._read(query)
            self._documents.put(query, document)
        if isinstance(document, list):
            raise _InvalidError("GRAPHQL_VALIDATION_FAILED", document)
        if name is None and len(document) == 1:
            return next(iter(document.values()))
        if name is None:
            raise _InvalidError.of(
                "OPERATION_NAME_MISSING", "the document has several operations: give `operationName`"
            )
        if name not in document:
            raise _InvalidError.of("OPERATION_UNKNOWN", f"the document has no operation named {name[:100]!r}")
        return document[name]

    def _read(self, query: str) -> _Document:
        try:
            document = parse(query, max_tokens=_MAXIMUM_TOKENS)
        except GraphQLError as error:
            raise _InvalidError("GRAPHQL_PARSE_FAILED", [error]) from error
        errors = validate(self._schema, document, max_errors=20)
        if errors:
            return errors
        definitions = document.definitions
        fragments = {
            node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)
        }
        operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
        if any(node.operation is not OperationType.QUERY for node in operations):
            raise _InvalidError.of("OPERATION_UNSUPPORTED", "this server answers queries only")
        return {node.name.value if node.name else "": _Operation(node, fragments) for node in operations}

    def _prepared(self, operation: _Operation, variables: Mapping[str, Any]) -> _Prepared:
        found = operation.prepared.get(_key(operation, variables))
        if found is None:
            found = self._prepare(operation, variables)
            operation.prepared.put(_key(operation, variables), found)
        return found

    def _prepare(self, operation: _Operation, variables: Mapping[str, Any]) -> _Prepared:
        compiler = Compiler(self._registry, self._dialect, operation.fragments, variables)
        fields = compiler.root_fields(self._query, operation.node.selection_set)
        plain = {key: asked for key, asked in fields.items() if asked.name not in _INTROSPECTION}
        plan = compiler.compile(self._query, plain) if plain else None
        operation.deciding = tuple(sorted({*operation.deciding, *compiler.deciding}, key=repr))
        introspected = [asked for asked in fields.values() if asked.name in _INTROSPECTION]
        introspection = _only(operation, introspected) if introspected else None
        return _Prepared(plan, introspection, tuple(fields))

    def _stitched(
        self, introspection: DocumentNode, keys: tuple[str, ...], data: bytes, variables: Mapping[str, Any]
    ) -> bytes:
        result = execute_sync(self._schema, introspection, variable_values=dict(variables))
        if result.errors:
            raise _InvalidError("INTROSPECTION_FAILED", result.errors)
        members = {**json.loads(data), **(result.data or {})}
        return json.dumps({key: members[key] for key in keys}).encode()


def _driver_dialect(database: Database) -> Dialect:
    """The dialect with the parameter style that the bare driver takes dictionaries in."""
    dialect: Any = sqlite.dialect if database.is_sqlite else postgresql.psycopg.dialect
    made: Dialect = dialect(paramstyle="named" if database.is_sqlite else "pyformat")
    return made


def _key(operation: _Operation, variables: Mapping[str, Any]) -> Any:
    return shape(variables), tuple(_deciding(one, variables) for one in operation.deciding)


def _deciding(deciding: Deciding, variables: Mapping[str, Any]) -> Any:
    path, what = deciding
    try:
        return what(at(path, variables))
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def _only(operation: _Operation, fields: list[Selected]) -> DocumentNode:
    """The operation with nothing but these root fields."""
    node = operation.node
    reduced = OperationDefinitionNode(
        operation=node.operation,
        name=node.name,
        variable_definitions=node.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(asked.node for asked in fields)),
    )
    return DocumentNode(definitions=(reduced, *operation.fragments.values()))


class _InvalidError(Exception):
    """A request that has no answer: it never ran."""

    def __init__(self, code: str, errors: list[GraphQLError]) -> None:
        super().__init__(code)
        self.code, self.errors = code, errors

    @classmethod
    def of(cls, code: str, sentence: str) -> "_InvalidError":
        return cls(code, [GraphQLError(sentence)])


def error_body(code: str, errors: list[GraphQLError], *, with_data: bool = False) -> bytes:
    """A response with nothing but errors; `with_data`, it says that there is no data."""
    formatted = [{**error.formatted, "extensions": {"code": code}} for error in errors]
    return json.dumps({"errors": formatted, **({"data": None} if with_data else {})}).encode()
