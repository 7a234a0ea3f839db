"""Questions in GraphQL: one answer, or all the nodes of a connection page by page."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spackmon.client.paged import paged
from spackmon.client.transport import Transport, refusal
from spackmon.errors import Code, Refused

_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class QueryError:
    """One error of an answer; `path` leads to the field, if it is about one."""

    code: str
    message: str
    path: tuple[str | int, ...]


class QueryFailed(Refused):
    """An answer with errors; `data` is what was answered all the same, if anything."""

    def __init__(self, errors: tuple[QueryError, ...], data: dict[str, Any] | None) -> None:
        code = Code.__members__.get(errors[0].code, Code.SERVER_REFUSED)
        super().__init__(code, "; ".join(error.message for error in errors))
        self.errors = errors
        self.data = data

    @property
    def codes(self) -> frozenset[str]:
        """What is wrong, for programs (docs/graphql.md)."""
        return frozenset(error.code for error in self.errors)


def query(transport: Transport, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The `data` of an answer without errors. Raises QueryFailed, or Refused when there is no answer."""
    body = json.dumps({"query": document, "variables": dict(variables)}).encode()
    answer = transport.request("POST", "/graphql", body, _JSON)
    answered = answer.json()
    data = answered.get("data")
    errors = tuple(_error(error) for error in answered.get("errors") or () if isinstance(error, dict))
    if errors:
        raise QueryFailed(errors, data if isinstance(data, dict) else None)
    if not isinstance(data, dict):
        raise refusal(answer)
    return data


def iterate(transport: Transport, document: str, variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of the one connection in `document`, as many pages as there are.

    Raises Refused DOCUMENT_NOT_PAGED when it has none or several, and what `query` raises.
    """
    pages = paged(document)
    with_cursor = {**variables, pages.cursor_variable: pages.first_cursor(variables)}
    while True:
        connection: Any = query(transport, pages.document, with_cursor)
        for field in pages.path:
            connection = None if connection is None else connection[field]
        if connection is None:
            return
        yield from pages.nodes(connection)
        page = connection[pages.page_info]
        if not page[pages.has_next_page]:
            return
        with_cursor[pages.cursor_variable] = page[pages.end_cursor]


def _error(error: dict[str, Any]) -> QueryError:
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return QueryError(str(code or "UNKNOWN"), str(error.get("message")), tuple(error.get("path") or ()))
