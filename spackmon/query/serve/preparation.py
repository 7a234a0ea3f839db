"""A request made ready to run: read, measured and compiled, or looked up where all that was done before.

What is kept is kept within one budget of bytes, by what decides it. Nothing here waits for anything, and
any number of threads may be in it.
"""

import hashlib
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import structlog
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    OperationDefinitionNode,
    SelectionSetNode,
)
from graphql.execution.values import get_variable_values
from sqlalchemy.engine import Dialect

from spackmon.database import Reader
from spackmon.errors import Code, Refused
from spackmon.graph.spack_rules import SpackVersion
from spackmon.query.meanings.limits import MAXIMUM_INTROSPECTION_COST, Limits, Measure, Size
from spackmon.query.meanings.live import compile_live, only_field
from spackmon.query.meanings.registry import Registry
from spackmon.query.meanings.statement import Deciding, Plan, Statement
from spackmon.query.serve.documents import Document, Operation, check_length, read_document
from spackmon.query.serve.export import ExportPlan, compile_export
from spackmon.query.serve.refusals import InvalidRequestError, invalid_if_refused
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.values import Given, at, plain, shape, value_count
from spackmon.recent import Recent
from spackmon.status import ChangeKind
from spackmon.viewer import OPERATOR, Viewer

_INTROSPECTION = ("__schema", "__type")
_MOST_ERRORS = 5
# A request with no more values in its variables is looked up without a thread of its own.
FEW_VALUES = 200
# Of the variables of a subscription, which stay as long as it does.
_MOST_KEPT_CHARACTERS = 50_000
_BYTES_OF_A_PLAN = 8_000
_BYTES_OF_A_PARAMETER = 2_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `limits` are None for our own documents."""

    text: str
    variables: Mapping[str, Any]
    operation_name: str | None
    limits: Limits | None
    viewer: Viewer = OPERATOR

    @property
    def document_key(self) -> bytes:
        """Names the document's text."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation ready to run: its SQL part and its introspection part, and the order of their keys."""

    size: Size
    plan: Plan | None
    introspection: DocumentNode | None
    keys: tuple[str, ...]
    name: str | None


@dataclass(frozen=True, slots=True)
class Ready:
    """An operation with the variables of one request."""

    prepared: Prepared
    variables: Mapping[str, Any]
    parameters: Mapping[str, Any]
    cost: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription ready to run. `key` is the same for all who are to be told the same.

    `after` is the cursor that its updates follow, None from now on. `reader` reads what its viewer may see,
    None for one who sees everything.
    """

    key: Hashable
    plan: Plan
    kind: ChangeKind
    variables: Mapping[str, Any]
    parameters: Mapping[str, Any]
    after: str | None
    reader: Reader | None = None


@dataclass(frozen=True, slots=True)
class _Live:
    """A compiled subscription, and its argument `after`."""

    size: Size
    plan: Plan
    kind: ChangeKind
    after: Given | None


def _subscribed(
    live: _Live, operation: Operation, request: Request, variables: Mapping[str, Any]
) -> Subscribed:
    parameters = live.plan.parameters(variables, request.viewer)
    after = live.after
    # Who reads on from another cursor is told the same as the others from there on. What else is in the
    # document or its variables may be Python's, and no part of the statement.
    rest = {name: value for name, value in variables.items() if after is None or after.path != (name,)}
    same = repr((operation.name, rest, parameters, tuple(request.viewer.facts.items())))
    key = (request.document_key, live.plan.statement, same)
    cursor = None if after is None else after.value if after.path is None else at(after.path, variables)
    return Subscribed(key, live.plan, live.kind, variables, parameters, cursor)


class Preparation:
    """Prepares requests to one schema for one kind of database, and keeps what it made in `kept`."""

    def __init__(self, registry: Registry, dialect: Dialect, kept: Recent, spack: SpackVersion) -> None:
        """`spack` is the one by whose rules specs are judged where the operation names none."""
        self._spack = spack
        self._registry = registry
        self._schema = registry.schema
        self._query = cast(GraphQLObjectType, self._schema.query_type)
        self._subscription = cast(GraphQLObjectType, self._schema.subscription_type)
        self._dialect = dialect
        self._kept = kept

    def known(self, request: Request) -> Ready | None:
        """The request made ready, if that is a matter of looking it up.

        Raises InvalidRequestError and Refused.
        """
        if value_count(request.variables, FEW_VALUES) > FEW_VALUES:
            return None
        key = request.document_key
        document: Document | None = self._kept.get(key)
        if document is None:
            return None
        operation = document.operation(request.operation_name)
        variables, values = self._coerced(operation, request)
        prepared: Prepared | None = self._kept.get(self._plan_key(key, operation, variables))
        return None if prepared is None else self._ready(prepared, variables, values, request)

    def prepare(self, request: Request) -> Ready:
        """The request made ready. Raises InvalidRequestError and Refused."""
        try:
            key, operation = self._operation(request)
            variables, values = self._coerced(operation, request)
            prepared: Prepared | None = self._kept.get(self._plan_key(key, operation, variables))
            if prepared is None:
                prepared, deciding = self._compiled(operation, variables, request.limits)
                self._decide_by(key, operation, deciding)
                plan_key = self._plan_key(key, operation, variables)
                self._kept.put(plan_key, prepared, _size_bytes(plan_key, prepared.plan))
            return self._ready(prepared, variables, values, request)
        except RecursionError:
            raise InvalidRequestError.of(Code.QUERY_TOO_DEEP, "the operation nests too deeply") from None

    def prepare_export(self, request: Request) -> tuple[ExportPlan, Mapping[str, Any], Mapping[str, Any]]:
        """The plan of an export, its variables and parameters. Raises InvalidRequestError and Refused."""
        _, operation = self._operation(request)
        variables, values = self._coerced(operation, request)
        statement, fields = self._statement(operation, variables)
        if request.limits is not None:
            measure = Measure(self._registry, operation.fragments, variables)
            request.limits.check(measure.size(self._query, fields, page=1).with_values(values))
        planned = compile_export(statement, self._query, fields)
        return planned, variables, planned.plan.parameters(variables, request.viewer)

    def is_subscription(self, request: Request) -> bool:
        """Whether a request is answered again and again. Raises InvalidRequestError and Refused."""
        return self._document(request).operation(request.operation_name).is_subscription

    def prepare_subscription(self, request: Request) -> Subscribed:
        """A subscription made ready. Raises InvalidRequestError and Refused."""
        operation = self._document(request).operation(request.operation_name)
        variables, values = self._coerced(operation, request)
        key = request.document_key
        live: _Live | None = self._kept.get(("live", self._plan_key(key, operation, variables)))
        with invalid_if_refused():
            if len(json.dumps(request.variables)) > _MOST_KEPT_CHARACTERS:
                sentence = f"`variables` of a subscription may have {_MOST_KEPT_CHARACTERS:,} characters"
                raise Refused(Code.QUERY_TOO_COSTLY, sentence)
            if live is None:
                live, deciding = self._compiled_subscription(operation, variables)
                self._decide_by(key, operation, deciding)
                plan_key = "live", self._plan_key(key, operation, variables)
                self._kept.put(plan_key, live, _size_bytes(plan_key, live.plan))
            if request.limits is not None:
                request.limits.check(live.size.with_values(values))
        return _subscribed(live, operation, request, variables)

    def _compiled_subscription(
        self, operation: Operation, variables: Mapping[str, Any]
    ) -> tuple[_Live, set[Deciding]]:
        statement, fields = self._statement(operation, variables, self._subscription)
        key, selected = only_field(fields)
        size = Measure(self._registry, operation.fragments, variables).size(self._subscription, fields)
        plan, kind, after = compile_live(statement, self._subscription, key, selected)
        return _Live(size, plan, kind, after), set(statement.deciding)

    def _statement(
        self, operation: Operation, variables: Mapping[str, Any], root: GraphQLObjectType | None = None
    ) -> tuple[Statement, dict[str, Selected]]:
        """What compiles an operation, and the operation's own fields."""
        statement = Statement(self._registry, self._dialect, operation.fragments, variables, self._spack)
        return statement, statement.root_fields(root or self._query, operation.node.selection_set)

    def _operation(self, request: Request) -> tuple[bytes, Operation]:
        operation = self._document(request).operation(request.operation_name)
        if operation.is_subscription:
            sentence = "a subscription needs `Accept: text/event-stream`, or a WebSocket"
            raise InvalidRequestError.of(Code.OPERATION_UNSUPPORTED, sentence)
        return request.document_key, operation

    def _document(self, request: Request) -> Document:
        check_length(request.text, request.limits)
        key = request.document_key
        document: Document | None = self._kept.get(key)
        if document is None:
            document = read_document(request.text, self._schema, request.limits)
            self._kept.put(key, document, document.size_bytes)
        return document

    def _coerced(self, operation: Operation, request: Request) -> tuple[Mapping[str, Any], int]:
        """The variables' values, and how many there are in them."""
        definitions = operation.node.variable_definitions
        if not definitions:
            return {}, 0
        values = 0
        if request.limits is not None:
            with invalid_if_refused():
                values = request.limits.check_values(request.variables)
        coerced = get_variable_values(self._schema, definitions, dict(request.variables), _MOST_ERRORS)
        if isinstance(coerced, list):
            raise InvalidRequestError(Code.VARIABLES_INVALID, coerced)
        return coerced.coerced, values

    def _ready(
        self, prepared: Prepared, variables: Mapping[str, Any], values: int, request: Request
    ) -> Ready:
        limits = request.limits
        size = prepared.size.with_values(values)
        if limits is not None and not limits.admit(size):
            with invalid_if_refused():
                limits.check(size)
        parameters = {} if prepared.plan is None else prepared.plan.parameters(variables, request.viewer)
        return Ready(prepared, variables, parameters, size.cost)

    def _compiled(
        self, operation: Operation, variables: Mapping[str, Any], limits: Limits | None
    ) -> tuple[Prepared, set[Deciding]]:
        statement, fields = self._statement(operation, variables)
        plain_fields = {key: asked for key, asked in fields.items() if asked.name not in _INTROSPECTION}
        introspected = {key: asked for key, asked in fields.items() if asked.name in _INTROSPECTION}
        with invalid_if_refused():
            measure = Measure(self._registry, operation.fragments, variables)
            size = measure.size(self._query, plain_fields)
            if limits is not None:
                limits.check(size)
                self._check_introspection(measure, introspected, limits)
        plan = statement.compile(self._query, plain_fields) if plain_fields else None
        deciding = set(statement.deciding)
        if introspected:
            deciding |= {((name,), plain) for name, value in variables.items() if isinstance(value, bool)}
        introspection = _only(operation, introspected) if introspected else None
        return Prepared(size, plan, introspection, tuple(fields), operation.name), deciding

    def _check_introspection(
        self, measure: Measure, introspected: Mapping[str, Selected], limits: Limits
    ) -> None:
        if introspected and not limits.introspection:
            raise Refused(Code.INTROSPECTION_DISABLED, "this server does not answer introspection")
        if measure.size(self._query, introspected).cost > MAXIMUM_INTROSPECTION_COST:
            raise Refused(Code.QUERY_TOO_COSTLY, "the operation asks too much of the schema at once")

    def _plan_key(self, document: bytes, operation: Operation, variables: Mapping[str, Any]) -> Hashable:
        deciding: tuple[Deciding, ...] = self._kept.get((document, operation.name)) or ()
        values = tuple(_deciding(one, variables) for one in deciding)
        # What decides grows as plans are made: each plan is kept under all that decided it.
        return document, operation.name, deciding, values, shape(variables)

    def _decide_by(self, document: bytes, operation: Operation, deciding: set[Deciding]) -> None:
        known: tuple[Deciding, ...] = self._kept.get((document, operation.name)) or ()
        if not deciding <= set(known):
            every = tuple(sorted({*known, *deciding}, key=repr))
            size = _BYTES_OF_A_PARAMETER * len(every)
            self._kept.put((document, operation.name), every, size)


def _deciding(deciding: Deciding, variables: Mapping[str, Any]) -> Any:
    path, what = deciding
    try:
        return what(at(path, variables))
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def _size_bytes(key: Hashable, plan: Plan | None) -> int:
    """What a plan takes of memory (tests/query/test_hostile.py)."""
    size = _BYTES_OF_A_PLAN + _key_bytes(key)
    if plan is None:
        return size
    parameters = len(plan.constants) + len(plan.bound) + len(plan.computations)
    constants = sum(map(_constant_bytes, plan.constants.values()))
    return size + 2 * len(plan.statement) + _BYTES_OF_A_PARAMETER * parameters + constants


def _constant_bytes(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_constant_bytes, value))
    return 100 + 4 * len(value) if isinstance(value, str | bytes) else 100


def _key_bytes(key: Hashable) -> int:
    if isinstance(key, tuple):
        return 80 + sum(map(_key_bytes, key))
    return 80 + len(key) if isinstance(key, str | bytes) else 80


def _only(operation: Operation, fields: Mapping[str, Selected]) -> DocumentNode:
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
        selection_set=SelectionSetNode(selections=selections) if selections else None,
    )
