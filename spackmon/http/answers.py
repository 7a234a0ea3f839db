"""What the HTTP side answers when it cannot answer: JSON with a message and a code, whatever came in."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from spackmon.errors import Code, Refused

RETRY_AFTER_SECONDS = "5"
"""Who waits for something to pass may be there within a write's hold of its end."""
_SENTENCES = {
    404: "there is nothing at this address",
    405: "this address does not take this method",
}


def refusal(
    refused: Refused, headers: dict[str, str] | None = None, sentence: str | None = None
) -> JSONResponse:
    """The answer to an input that cannot be applied, in the shape that old clients read.

    `code` is the status, as they know it, and `error` the code; `sentence` says more than that of `refused`.
    """
    body: dict[str, Any] = {
        "message": refused.sentence if sentence is None else sentence,
        "code": refused.status,
        "error": refused.code,
        "retryable": refused.code.retryable,
    }
    if refused.code.retryable:
        headers = {"Retry-After": retry_after(refused), **(headers or {})}
    return JSONResponse(body, status_code=refused.status, headers=headers)


def retry_after(refused: Refused) -> str:
    """After how many seconds to try again."""
    return RETRY_AFTER_SECONDS if refused.retry_seconds is None else str(refused.retry_seconds)


async def for_http_exception(_: Request, error: Exception) -> JSONResponse:
    """Starlette's own refusals, which would be plain text: no such path, another method."""
    if not isinstance(error, HTTPException):
        raise error
    return refusal(refused_by_http(error), dict(error.headers or {}))


def refused_by_http(error: HTTPException) -> Refused:
    """What Starlette refused, as an error of ours."""
    code = Code.NOT_FOUND if error.status_code == Code.NOT_FOUND.status else Code.HTTP_REFUSED
    return Refused(code, _SENTENCES.get(error.status_code, error.detail), status=error.status_code)


async def for_refused(_: Request, error: Exception) -> JSONResponse:
    """A Refused that an endpoint raised and nobody turned into something more particular."""
    if not isinstance(error, Refused):
        raise error
    return refusal(error)
