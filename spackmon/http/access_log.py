"""One JSON line per request, with an id that the answer carries too; the last net under every fault."""

import json
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spackmon.errors import Code, Refused
from spackmon.http.answers import refusal
from spackmon.ops.logging import requests
from spackmon.ops.metrics import OTHER, Metrics

log = structlog.get_logger()

# What comes in lands in our log and in the answer's header: only what is plainly an id is taken over.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CLIENT_CLOSED = 499
_SWITCHED = 101
_WEBSOCKET = "WEBSOCKET"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", _WEBSOCKET})


class AccessLog:
    """ASGI middleware around everything: request ids, the access log, 500 as JSON; a WebSocket is one line.

    Only method, path, status, times and sizes are logged: queries, headers and bodies may hold secrets.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        seen: dict[str, Any] = {"status": _CLIENT_CLOSED, "sent_bytes": 0}
        began_answer: list[float] = []
        method = scope.get("method", _WEBSOCKET)

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                began_answer.append(time.perf_counter())
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            _note(message, seen)
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_marked)
        except ClientDisconnect:
            pass  # whoever cut the connection reads no answer; the line below says so by its status
        except Exception:
            log.exception("request_failed", method=method, path=scope["path"])
            if seen["status"] != _CLIENT_CLOSED or scope["type"] == "websocket":
                raise
            sentence = f"the server met a fault of its own; its log has it under {request_id}"
            await refusal(Refused(Code.INTERNAL, sentence))(scope, receive, send_marked)
        finally:
            ended = time.perf_counter()
            seconds = next(iter(began_answer), ended) - began
            self._metrics.request(
                route_of(scope), method_of(scope), seen["status"], seconds, seen["sent_bytes"]
            )
            line = {
                "event": "request",
                "method": method,
                "path": scope["path"],
                **seen,
                "milliseconds": round((ended - began) * 1000, 2),
                "client": (scope.get("client") or ("",))[0],
                "request_id": request_id,
                "level": "info",
                "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            }
            requests.info(json.dumps(line))


def route_of(scope: Scope) -> str:
    """The pattern of the address: paths hold hashes and names, of which there is no end."""
    return str(getattr(scope.get("route"), "path", None) or OTHER)


def method_of(scope: Scope) -> str:
    """A method that the service has; a client may send any word."""
    method: str = scope.get("method", _WEBSOCKET)
    return method if method in _METHODS else OTHER


def _note(message: Message, seen: dict[str, Any]) -> None:
    """Count what is sent."""
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            seen["status"] = message["status"]
        case "http.response.body" | "websocket.http.response.body":
            seen["sent_bytes"] += len(message.get("body", b""))
        case "websocket.accept":
            seen["status"] = _SWITCHED
        case "websocket.send":
            seen["sent_bytes"] += len(message.get("text") or "")


def _request_id(scope: Scope) -> str:
    stated = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode(
        "latin-1"
    )
    return stated if _REQUEST_ID.fullmatch(stated) else secrets.token_hex(16)
