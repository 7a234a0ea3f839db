"""What an address of the REST interface takes and answers, said beside its route.

/openapi.json is made of these and of the routes themselves (`openapi`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import Route

from spackmon.errors import Code
from spackmon.http.negotiation import HTML, JSON

Schema = Mapping[str, Any]
Contents = Mapping[str, Schema]
"""Media types, and the JSON schema of each."""

TEXT: Schema = {"type": "string"}
OBJECT: Schema = {"type": "object"}
LIST: Schema = {"type": "array"}
ERROR: Schema = {"$ref": "#/components/schemas/Error"}
BYTES: Schema = {}
"""Of what is no JSON, and may hold any byte."""

OF_EVERY_READ = (
    Code.UNAUTHENTICATED, Code.SCOPE_MISSING, Code.BASIC_MALFORMED, Code.READS_LIMITED, Code.GUESSES_LIMITED,
    Code.DATABASE_UNAVAILABLE, Code.STATEMENT_TIMEOUT,
)  # fmt: skip
OF_EVERY_QUESTION = (*OF_EVERY_READ, Code.ARGUMENT_INVALID, Code.NOT_FOUND)
OF_EVERY_WRITE = (
    Code.UNAUTHENTICATED, Code.TOKEN_REVOKED, Code.SCOPE_MISSING, Code.FIELD_INVALID, Code.BODY_TOO_LARGE,
    Code.BUSY, Code.DATABASE_UNAVAILABLE,
)  # fmt: skip
ERRORS: Contents = {JSON: ERROR}
PAGE_ERRORS: Contents = {JSON: ERROR, HTML: TEXT}


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an address takes in its query string, or with `place` "header" among the headers."""

    name: str
    schema: Schema = field(default_factory=lambda: TEXT)
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of an address.

    `answers` are those of success, whose statuses are `statuses`. `errors` are answered with the statuses of
    their codes, as one of `refusals`. `security` are the schemes of which one has to be shown, where that is
    not empty; "" is none.
    """

    tag: str
    summary: str
    answers: Contents
    errors: tuple[Code, ...] = OF_EVERY_QUESTION
    refusals: Contents = field(default_factory=lambda: ERRORS)
    parameters: tuple[Parameter, ...] = ()
    bodies: Contents = field(default_factory=dict)
    statuses: tuple[int, ...] = (200,)
    security: tuple[str, ...] = ("", "bearer", "basic")


class RestRoute(Route):
    """A route that /openapi.json describes: with one operation for all its methods, or one for each.

    Without any it is another spelling of an address that is described.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        operation: Operation | Mapping[str, Operation],
        methods: list[str] | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.operations: Mapping[str, Operation] = (
            dict.fromkeys(sorted((self.methods or set()) - {"HEAD"}), operation)
            if isinstance(operation, Operation)
            else operation
        )


def download(summary: str, answers: Contents) -> Operation:
    """What answers bytes, or some of them (RFC 9110, sections 13 and 14)."""
    return Operation(
        "Files", summary, answers, errors=(*OF_EVERY_QUESTION, Code.RANGE_INVALID), refusals=PAGE_ERRORS,
        parameters=tuple(Parameter(name, place="header") for name in ("Range", "If-Range", "If-None-Match")),
        statuses=(200, 206, 304),
    )  # fmt: skip


def words(names: Iterable[str]) -> tuple[Parameter, ...]:
    """Texts of a query string, by their names."""
    return tuple(Parameter(name) for name in names)
