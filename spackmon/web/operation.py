"""What a request of GraphQL says, whatever brought it: a body, an address or a message."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.query.serve.trusted_documents import document_identifier


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """What a request asks; its document is there, or named by its hash."""

    query: str | None
    document_id: str | None
    variables: dict[str, Any] | None
    operation_name: str | None


def read_operation(sent: Mapping[str, Any]) -> GraphQLRequest:
    """The request with these members. Raises Refused."""
    query, operation_name = sent.get("query"), sent.get("operationName")
    if query is not None and not isinstance(query, str):
        raise Refused(Code.QUERY_MISSING, "`query` must be a string with a GraphQL document")
    variables = _object("variables", sent.get("variables"))
    extensions = _object("extensions", sent.get("extensions"))
    if operation_name is not None and not isinstance(operation_name, str):
        raise Refused(Code.OPERATION_NAME_INVALID, "`operationName` must be a string or null")
    identifier = document_identifier(sent.get("documentId"), extensions)
    return GraphQLRequest(query, identifier, variables, operation_name)


def read_json(name: str, text: bytearray | str) -> object:
    """What a JSON text says. Raises Refused JSON_INVALID."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(Code.JSON_INVALID, f"{name} must be JSON: {error}") from error
    return found


def _object(name: str, value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise Refused(Code[f"{name.upper()}_INVALID"], f"`{name}` must be a JSON object or null")
    return value
