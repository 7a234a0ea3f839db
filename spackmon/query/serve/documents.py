"""From a document's text to operations that may be compiled; every step of it is bounded beforehand."""

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

from spackmon.errors import Code
from spackmon.query.meanings.limits import Limits
from spackmon.query.serve.refusals import InvalidRequestError, invalid_if_refused, unread
from spackmon.query.serve.repetition import check_document

# Each quotes what it is about.
_MOST_ERRORS = 5
# What a token's nodes, and the token itself, take of memory (tests/query/test_hostile.py).
_BYTES_OF_A_TOKEN = 800
_BYTES_OF_A_DOCUMENT = 2_000


@dataclass(frozen=True, slots=True)
class Operation:
    """A validated operation and the fragments beside it."""

    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]

    @property
    def is_subscription(self) -> bool:
        """Whether it is answered as often as something changes, and not once."""
        return self.node.operation is OperationType.SUBSCRIPTION

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""
        return self.node.name.value if self.node.name else None


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document: its operations by name ("" for the one without), and what it takes of memory."""

    operations: Mapping[str, Operation]
    size_bytes: int

    def operation(self, name: str | None) -> Operation:
        """The operation that a request means. Raises InvalidRequestError."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None:
            raise InvalidRequestError.of(
                Code.OPERATION_NAME_MISSING, "the document has several operations: give `operationName`"
            )
        if name not in self.operations:
            raise InvalidRequestError.of(
                Code.OPERATION_UNKNOWN, f"the document has no operation named {name[:100]!r}"
            )
        return self.operations[name]


def check_length(text: str, limits: Limits | None) -> None:
    """Raises InvalidRequestError QUERY_DOCUMENT_TOO_LARGE; our own documents have no limit."""
    if limits is None or len(text) * 4 <= limits.document_bytes:
        return
    length = len(text.encode("utf-8", "surrogatepass"))
    if length > limits.document_bytes:
        raise InvalidRequestError.of(
            Code.QUERY_DOCUMENT_TOO_LARGE,
            f"the document may have {limits.document_bytes:,} bytes, it has {length:,}",
        )


def _unlink(document: DocumentNode) -> None:
    """Take the tokens of a document apart.

    Each refers to its neighbours: thousands of objects that only the garbage collector could free, while no
    request goes on. Nobody looks at a token's neighbours once the document is parsed.
    """
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following


def read_document(text: str, schema: GraphQLSchema, limits: Limits | None) -> Document:
    """The document of a text. Raises InvalidRequestError."""
    try:
        document = parse(text, max_tokens=None if limits is None else limits.tokens)
    except GraphQLError as error:
        raise unread(error) from error
    _unlink(document)
    if limits is not None:
        with invalid_if_refused():
            check_document(document, limits.aliases)
    errors = validate(schema, document, max_errors=_MOST_ERRORS)
    if errors:
        raise InvalidRequestError(Code.GRAPHQL_VALIDATION_FAILED, errors)
    definitions = document.definitions
    fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
    operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
    if any(node.operation is OperationType.MUTATION for node in operations):
        sentence = "this server answers queries and subscriptions only"
        raise InvalidRequestError.of(Code.OPERATION_UNSUPPORTED, sentence)
    named = {node.name.value if node.name else "": Operation(node, fragments) for node in operations}
    size = _BYTES_OF_A_DOCUMENT + document.token_count * _BYTES_OF_A_TOKEN + 4 * len(text)
    return Document(named, size)
