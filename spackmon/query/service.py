"""Runs operations: parsed, validated and compiled once, then looked up, bound and sent on.

What is not SQL (introspection) runs in graphql-core; one operation may hold both, stitched at the root.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import structlog
from graphql import (
    DocumentNode,
    FieldNode,
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
from spackmon.errors import Code, Refused
from spackmon.query.compilation import Deciding, Plan
from spackmon.query.compile import Compiler
from spackmon.query.export import Export, ExportCompiler
from spackmon.query.limits import MAXIMUM_INTROSPECTION_COST, Limits, Measure, Size, check_aliases
from spackmon.query.refusals import InvalidRequestError, error_body, invalid_if_refused, told, unread
from spackmon.query.registry import read_registry
from spackmon.query.selection import Selected
from spackmon.query.unpack import unpacked
from spackmon.query.values import at, plain, shape

_DOCUMENTS_KEPT = 1000
_PLANS_KEPT = 1000
_INTROSPECTION = ("__schema", "__type")
_DEFAULT_LIMITS = Limits()

log = structlog.get_logger()
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

    size: Size
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


@dataclass(slots=True)
class _Spent:
    """What an answer took from the database."""

    statements: int = 0
    seconds: float = 0.0

    def extensions(self, size: Size) -> bytes:
        """The member of the response that says so."""
        milliseconds = round(self.seconds * 1000, 3)
        told = {"cost": size.cost, "sqlStatements": self.statements, "databaseMilliseconds": milliseconds}
        return b',"extensions":' + json.dumps(told).encode()


class QueryService:
    """Answers GraphQL operations over one database."""

    def __init__(
        self, schema: Schema, database: Database, reader: Reader, limits: Limits = _DEFAULT_LIMITS
    ) -> None:
        self._registry = read_registry(schema)
        self._schema = self._registry.schema
        self._query = cast(GraphQLObjectType, self._schema.query_type)
        self._reader = reader
        self._limits = limits
        self._exports: set[Export] = set()
        self._dialect = _driver_dialect(database)
        self._documents: _Recent[str, _Document] = _Recent(_DOCUMENTS_KEPT)

    async def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        explain: bool = False,
    ) -> Answer:
        """The response to one request, within the limits; every failure is an error in it, with a code.

        `explain` adds what it costs to the response's `extensions`.
        """
        try:
            body = await self._run(query, variables or {}, operation_name, self._limits, explain=explain)
        except InvalidRequestError as invalid:
            return Answer(error_body(invalid.code, invalid.errors), refused=True)
        except Refused as refused:
            return Answer(error_body(refused.code, [told(refused)], with_data=True))
        return Answer(body)

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The data of one of our own operations, which no limit is meant for; Refused on an error."""
        try:
            found: dict[str, Any] = json.loads(await self._run(query, variables or {}, None, None))["data"]
        except InvalidRequestError as invalid:
            raise Refused(invalid.code, invalid.errors[0].message) from invalid
        return found

    def export(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
    ) -> Export:
        """The whole of one connection, within the limits, which one of its rows has to keep.

        Raises Refused where the operation has no answer, or is no export.
        """
        try:
            operation = self._operation(query, operation_name, self._limits)
            coerced = self._coerced(operation, variables or {})
        except InvalidRequestError as invalid:
            raise Refused(invalid.code, invalid.errors[0].message) from invalid
        measure = Measure(self._registry, operation.fragments, coerced)
        compiler = ExportCompiler(self._registry, self._dialect, operation.fragments, coerced)
        fields = compiler.root_fields(self._query, operation.node.selection_set)
        self._limits.check(measure.size(self._query, fields, page=1))
        planned = compiler.compile_export(self._query, fields)
        return Export(planned, coerced, self._reader, self._exports)

    async def _run(
        self,
        query: str,
        variables: Mapping[str, Any],
        operation_name: str | None,
        limits: Limits | None,
        *,
        explain: bool = False,
    ) -> bytes:
        operation = self._operation(query, operation_name, limits)
        coerced = self._coerced(operation, variables)
        prepared = self._prepared(operation, coerced, limits)
        spent = _Spent()
        data = b"{}"
        if prepared.plan is not None:
            data = await self._fetched(prepared.plan, coerced, spent)
        if prepared.introspection is not None:
            _log_fallback(operation)
            data = self._stitched(prepared.introspection, prepared.keys, data, variables)
        extensions = spent.extensions(prepared.size) if explain else b""
        # One copy: two of an answer of megabytes cost more than all the rest of the request.
        return b"".join((b'{"data":', data, extensions, b"}"))

    def _coerced(self, operation: _Operation, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        definitions = operation.node.variable_definitions
        if not definitions:
            return {}
        values = get_variable_values(self._schema, definitions, dict(variables))
        if isinstance(values, list):
            raise InvalidRequestError(Code.VARIABLES_INVALID, values)
        return values.coerced

    async def _fetched(self, plan: Plan, variables: Mapping[str, Any], spent: _Spent) -> bytes:
        parameters = plan.parameters(variables)
        began = time.perf_counter()
        answer = await self._reader.fetch(plan.statement, parameters)
        spent.seconds += time.perf_counter() - began
        spent.statements += 1
        return unpacked(answer, plan.computations, variables)

    def _operation(self, query: str, name: str | None, limits: Limits | None) -> _Operation:
        document = self._documents.get(query)
        if document is None:
            document = self._read(query, limits)
            self._documents.put(query, document)
        if isinstance(document, list):
            raise InvalidRequestError(Code.GRAPHQL_VALIDATION_FAILED, document)
        if name is None and len(document) == 1:
            return next(iter(document.values()))
        if name is None:
            raise InvalidRequestError.of(
                Code.OPERATION_NAME_MISSING, "the document has several operations: give `operationName`"
            )
        if name not in document:
            raise InvalidRequestError.of(
                Code.OPERATION_UNKNOWN, f"the document has no operation named {name[:100]!r}"
            )
        return document[name]

    def _read(self, query: str, limits: Limits | None) -> _Document:
        try:
            document = parse(query, max_tokens=None if limits is None else limits.tokens)
        except GraphQLError as error:
            raise unread(error) from error
        if limits is not None:
            with invalid_if_refused():
                check_aliases(document, limits.aliases)
        errors = validate(self._schema, document, max_errors=20)
        if errors:
            return errors
        definitions = document.definitions
        fragments = {
            node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)
        }
        operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
        if any(node.operation is not OperationType.QUERY for node in operations):
            raise InvalidRequestError.of(Code.OPERATION_UNSUPPORTED, "this server answers queries only")
        return {node.name.value if node.name else "": _Operation(node, fragments) for node in operations}

    def _prepared(
        self, operation: _Operation, variables: Mapping[str, Any], limits: Limits | None
    ) -> _Prepared:
        found = operation.prepared.get(_key(operation, variables))
        if found is None:
            found = self._prepare(operation, variables, limits)
            operation.prepared.put(_key(operation, variables), found)
        elif limits is not None and not limits.admit(found.size):
            with invalid_if_refused():
                limits.check(found.size)
        return found

    def _prepare(
        self, operation: _Operation, variables: Mapping[str, Any], limits: Limits | None
    ) -> _Prepared:
        compiler = Compiler(self._registry, self._dialect, operation.fragments, variables)
        fields = compiler.root_fields(self._query, operation.node.selection_set)
        plain_fields = {key: asked for key, asked in fields.items() if asked.name not in _INTROSPECTION}
        introspected = {key: asked for key, asked in fields.items() if asked.name in _INTROSPECTION}
        with invalid_if_refused():
            measure = Measure(self._registry, operation.fragments, variables)
            size = measure.size(self._query, plain_fields)
            if limits is not None:
                limits.check(size)
                self._check_introspection(measure, introspected, limits)
        plan = compiler.compile(self._query, plain_fields) if plain_fields else None
        deciding = {*operation.deciding, *compiler.deciding}
        if introspected:
            deciding |= {((name,), plain) for name, value in variables.items() if isinstance(value, bool)}
        operation.deciding = tuple(sorted(deciding, key=repr))
        introspection = _only(operation, introspected) if introspected else None
        return _Prepared(size, plan, introspection, tuple(fields))

    def _check_introspection(
        self, measure: Measure, introspected: Mapping[str, Selected], limits: Limits
    ) -> None:
        if introspected and not limits.introspection:
            raise Refused(Code.INTROSPECTION_DISABLED, "this server does not answer introspection")
        if measure.size(self._query, introspected).cost > MAXIMUM_INTROSPECTION_COST:
            raise Refused(Code.QUERY_TOO_COSTLY, "the operation asks too much of the schema at once")

    def _stitched(
        self, introspection: DocumentNode, keys: tuple[str, ...], data: bytes, variables: Mapping[str, Any]
    ) -> bytes:
        result = execute_sync(self._schema, introspection, variable_values=dict(variables))
        if result.errors:
            raise InvalidRequestError(Code.INTROSPECTION_FAILED, result.errors)
        members = {**json.loads(data), **(result.data or {})}
        return json.dumps({key: members[key] for key in keys}).encode()


def _log_fallback(operation: _Operation) -> None:
    log.info(
        "answered_by_graphql_core",
        operation=operation.node.name.value if operation.node.name else None,
        why="introspection is about the schema, which no table holds",
    )


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


def _only(operation: _Operation, fields: Mapping[str, Selected]) -> DocumentNode:
    """The operation with nothing but these root fields."""
    node = operation.node
    reduced = OperationDefinitionNode(
        operation=node.operation,
        name=node.name,
        variable_definitions=node.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(map(_whole, fields.values()))),
    )
    return DocumentNode(definitions=(reduced, *operation.fragments.values()))


def _whole(asked: Selected) -> FieldNode:
    """A field with what all places that ask for it select."""
    node = asked.node
    selections = tuple(one for selection in asked.selections for one in selection.selections)
    return FieldNode(
        alias=node.alias,
        name=node.name,
        arguments=node.arguments,
        directives=(),
        selection_set=SelectionSetNode(selections=selections),
    )
