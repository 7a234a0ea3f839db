"""What the HTTP side answers when it cannot answer: JSON with a message and a code, whatever came in."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from spackmon.errors import Refused

_SENTENCES = {
    404: "there is nothing at this address",
    405: "this address does not take this method",
}


def refusal(refused: Refused, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to an input that cannot be applied; `code` is the status, as old clients know it."""
    return message(refused.status, refused.sentence, headers)


def message(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A message with its status, in the shape that old clients read."""
    body: dict[str, Any] = {"message": sentence, "code": status}
    return JSONResponse(body, status_code=status, headers=headers)


async def for_http_exception(_: Request, error: Exception) -> JSONResponse:
    """Starlette's own refusals, which would be plain text: no such path, another method."""
    if not isinstance(error, HTTPException):
        raise error
    return message(error.status_code, sentence_of(error), dict(error.headers or {}))


def sentence_of(error: HTTPException) -> str:
    """What Starlette refused, in a sentence."""
    return _SENTENCES.get(error.status_code, error.detail)


async def for_refused(_: Request, error: Exception) -> JSONResponse:
    """A Refused that an endpoint raised and nobody turned into something more particular."""
    if not isinstance(error, Refused):
        raise error
    return refusal(error)
