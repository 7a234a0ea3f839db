"""Requests that get no data: what is wrong with them, in the form of GraphQL."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphql import GraphQLError

from spackmon.errors import Code, Refused
from spackmon.query.sql.unpack import Gap

_LONGEST_MESSAGE = 1_000


class InvalidRequestError(Exception):
    """A request that has no answer: it never ran."""

    def __init__(self, code: Code, errors: list[GraphQLError]) -> None:
        super().__init__(code)
        self.code, self.errors = code, errors

    @classmethod
    def of(cls, code: Code, sentence: str) -> "InvalidRequestError":
        """The one with that sentence."""
        return cls(code, [GraphQLError(sentence)])

    def as_refused(self) -> Refused:
        """The first of its errors, for who takes no GraphQL response."""
        return Refused(self.code, self.errors[0].message)


@contextmanager
def invalid_if_refused() -> Iterator[None]:
    """What is refused here is refused before anything ran: the answer has no data at all."""
    try:
        yield
    except Refused as refused:
        raise InvalidRequestError(refused.code, [graphql_error(refused)]) from refused


def graphql_error(refused: Refused, path: Sequence[str | int] | None = None) -> GraphQLError:
    """The error as GraphQL has it; its code is given to `error_body`."""
    place = None if refused.position is None else {"position": refused.position}
    return GraphQLError(refused.sentence, extensions=place, path=path)


def unread(error: GraphQLError) -> InvalidRequestError:
    """A document that the parser refused."""
    # The library tells these apart in its sentences only.
    if "tokens. Parsing aborted" in error.message:
        return InvalidRequestError(Code.TOO_MANY_TOKENS, [error])
    if "nested too deeply" in error.message:
        return InvalidRequestError(Code.QUERY_TOO_DEEP, [error])
    return InvalidRequestError(Code.GRAPHQL_PARSE_FAILED, [error])


def _formatted(code: Code, error: GraphQLError) -> dict[str, Any]:
    about = {"code": code, "retryable": code.retryable}
    formatted: dict[str, Any] = {**error.formatted, "extensions": {**about, **(error.extensions or {})}}
    # The library quotes whatever was sent, whole.
    if len(error.message) > _LONGEST_MESSAGE:
        formatted["message"] = error.message[: _LONGEST_MESSAGE - 1] + "…"
    return formatted


def member_of_gaps(gaps: Sequence[Gap]) -> bytes:
    """The member `errors` of a response that has data, behind that."""
    formatted = [_formatted(gap.refused.code, graphql_error(gap.refused, gap.path)) for gap in gaps]
    return b',"errors":' + json.dumps(formatted).encode()


def error_body(code: Code, errors: list[GraphQLError], *, with_data: bool = False) -> bytes:
    """A response with nothing but errors; `with_data`, it says that there is no data."""
    formatted = [_formatted(code, error) for error in errors]
    return json.dumps({"errors": formatted, **({"data": None} if with_data else {})}).encode()
