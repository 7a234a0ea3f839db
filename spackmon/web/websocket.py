"""GraphQL over a WebSocket: the protocol graphql-transport-ws (github.com/enisdenjo/graphql-ws, PROTOCOL.md).

A browser lets any page open a WebSocket and sends along what it knows of a user: pages of other origins are
refused, unless the site allows them.
"""

import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
import structlog
from starlette.requests import Request
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from spackmon.errors import Code, Refused
from spackmon.http.answers import refusal
from spackmon.http.reading import CHECKED_SECONDS, check_viewer, credentials_of, viewer_of
from spackmon.http.services import Services
from spackmon.http.websocket_protocol import CUT
from spackmon.query.serve.refusals import error_body, graphql_error
from spackmon.query.serve.service import QueryService
from spackmon.web.operation import read_operation
from spackmon.web.streaming import STALLED_SECONDS

SUBPROTOCOL = "graphql-transport-ws"
INITIALISATION_SECONDS = 10.0
_MOST_OPERATIONS = 300
_MOST_ID_CHARACTERS = 200
_MOST_REASON_BYTES = 123
_BAD_MESSAGE, _UNAUTHORIZED, _FORBIDDEN = 4400, 4401, 4403
_NO_SUBPROTOCOL, _TOO_LATE, _EXISTS, _TOO_MANY_BEGINNINGS = 4406, 4408, 4409, 4429

log = structlog.get_logger()


class _Closed(Exception):  # noqa: N818 -- the end of a connection is no error of ours
    """The server closes the WebSocket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


async def graphql_socket(socket: WebSocket) -> None:
    """The endpoint: operations of one client until either side ends it."""
    services = cast(Services, socket.state)
    if not _is_allowed(socket, services):
        sentence = "this page's origin is not one of CORS_ORIGINS"
        await socket.send_denial_response(refusal(Refused(Code.ORIGIN_REFUSED, sentence)))
        return
    if SUBPROTOCOL not in socket.scope["subprotocols"]:
        await socket.accept()
        await socket.close(_NO_SUBPROTOCOL, "Subprotocol not acceptable")
        return
    await socket.accept(subprotocol=SUBPROTOCOL)
    await _Connection(socket, services).run()


def _is_allowed(socket: WebSocket, services: Services) -> bool:
    """Whether a browser's page may read what is answered; a program names no origin."""
    origin = socket.headers.get("origin")
    if origin is None or origin in services.settings.cors_origins or "*" in services.settings.cors_origins:
        return True
    return urlsplit(origin).netloc.lower() == socket.headers.get("host", "").lower()


class _Connection:
    """One client."""

    def __init__(self, socket: WebSocket, services: Services) -> None:
        self._socket, self._services = socket, services
        # A page of an allowed origin opens it too: the session counts only for pages of this service.
        self._credentials = credentials_of(Request({**socket.scope, "type": "http", "method": "POST"}))
        self._sender = self._credentials.address
        self._service: QueryService | None = None
        self._has_begun = False
        self._operations: dict[str, anyio.CancelScope] = {}
        self._closed: _Closed | None = None

    async def run(self) -> None:
        """Answer until either side ends."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._watch)
            try:
                while True:
                    message = await self._socket.receive()
                    if message["type"] == "websocket.disconnect":
                        break
                    await self._handle(_read(message.get("text")))
            except _Closed as closed:
                self._closed = closed
            except WebSocketDisconnect:
                pass
            tasks.cancel_scope.cancel()
        if self._closed is not None:
            reason = self._closed.reason.encode()[:_MOST_REASON_BYTES].decode(errors="ignore")
            with anyio.move_on_after(STALLED_SECONDS):
                await self._socket.close(self._closed.code, reason)

    async def _watch(self) -> None:
        """End a connection that does not begin, and one whose client may not read any longer."""
        await anyio.sleep(INITIALISATION_SECONDS)
        if self._service is None:
            self._end(_Closed(_TOO_LATE, "Connection initialisation timeout"))
            return
        while True:
            await anyio.sleep(CHECKED_SECONDS)
            try:
                await check_viewer(self._services, self._credentials, self._service.viewer)
            except Refused as refused:
                # What passes is no reason; and a client may come back with another token.
                if refused.status in (401, 403):
                    self._end(_Closed(_FORBIDDEN, f"{refused.code}: {refused.sentence}"))
                    return
            except Exception:
                log.exception("viewer_not_checked")

    def _end(self, closed: _Closed) -> None:
        self._closed = closed
        self._tasks.cancel_scope.cancel()

    async def _handle(self, message: Mapping[str, Any]) -> None:
        match message.get("type"):
            case "connection_init":
                await self._begin(_payload(message))
            case "ping":
                payload = _payload(message)
                await self._send({"type": "pong", **({"payload": payload} if payload else {})})
            case "pong":
                return
            case "subscribe":
                self._subscribe(_id(message), _payload(message))
            case "complete":
                # It may use the id again at once.
                if (scope := self._operations.pop(_id(message), None)) is not None:
                    scope.cancel()
            case _:
                raise _Closed(_BAD_MESSAGE, "`type` is none of graphql-transport-ws")

    async def _begin(self, payload: Mapping[str, Any]) -> None:
        if self._has_begun:
            raise _Closed(_TOO_MANY_BEGINNINGS, "Too many initialisation requests")
        self._has_begun = True
        given = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if given is not None and not isinstance(given, str):
            raise _Closed(_BAD_MESSAGE, "`payload.Authorization` must be a string")
        if given:
            self._credentials = replace(self._credentials, authorization=given)
        try:
            viewer = await viewer_of(self._services, self._credentials)
        except Refused as refused:
            code = _UNAUTHORIZED if refused.status == Code.UNAUTHENTICATED.status else _FORBIDDEN
            raise _Closed(code, f"{refused.code}: {refused.sentence}") from refused
        self._service = self._services.query.seen_by(viewer)
        await self._send({"type": "connection_ack"})

    def _subscribe(self, operation_id: str, payload: Mapping[str, Any]) -> None:
        if self._service is None:
            raise _Closed(_UNAUTHORIZED, "Unauthorized")
        if operation_id in self._operations:
            raise _Closed(_EXISTS, f"Subscriber for {operation_id} already exists")
        if len(self._operations) >= _MOST_OPERATIONS:
            raise _Closed(_BAD_MESSAGE, f"a connection may have {_MOST_OPERATIONS} operations at one time")
        scope = self._operations[operation_id] = anyio.CancelScope()
        self._tasks.start_soon(self._run_operation, self._service, operation_id, payload, scope)

    async def _run_operation(
        self, service: QueryService, operation_id: str, payload: Mapping[str, Any], scope: anyio.CancelScope
    ) -> None:
        with scope:
            try:
                await self._answer(service, operation_id, payload)
            except WebSocketDisconnect:
                self._tasks.cancel_scope.cancel()
            except Refused as refused:
                await self._refuse(operation_id, refused)
            except Exception:
                log.exception("operation_failed")
                sentence = "the server met a fault of its own; its log has it"
                await self._refuse(operation_id, Refused(Code.INTERNAL, sentence))
        if self._operations.get(operation_id) is scope:
            del self._operations[operation_id]

    async def _answer(self, service: QueryService, operation_id: str, payload: Mapping[str, Any]) -> None:
        asked = read_operation(payload)
        query = self._services.trusted_documents.document(asked.query, asked.document_id)
        if await service.is_subscription(query, asked.variables, asked.operation_name):
            subscription = await service.subscribe(
                query, asked.variables, asked.operation_name, sender=self._sender
            )
            async with aclosing(subscription.updates()) as updates:
                async for update in updates:
                    if update is not None:
                        await self._next(operation_id, update.response)
            # The server ends, and with it the connection: a client that saw `complete` would not come back.
            return
        answer = await service.execute(query, asked.variables, asked.operation_name)
        if answer.refused:
            await self._error(operation_id, answer.body)
            return
        await self._next(operation_id, answer.body)
        await self._send({"id": operation_id, "type": "complete"})

    async def _next(self, operation_id: str, response: bytes) -> None:
        head = json.dumps({"id": operation_id, "type": "next"})
        await self._send_text(f'{head[:-1]},"payload":{response.decode()}}}')

    async def _refuse(self, operation_id: str, refused: Refused) -> None:
        await self._error(operation_id, error_body(refused.code, [graphql_error(refused)]))

    async def _error(self, operation_id: str, body: bytes) -> None:
        errors = json.loads(body)["errors"]
        await self._send({"id": operation_id, "type": "error", "payload": errors})

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._send_text(json.dumps(message))

    async def _send_text(self, text: str) -> None:
        try:
            with anyio.fail_after(STALLED_SECONDS):
                await self._socket.send_text(text)
        except TimeoutError:
            # It takes nothing, not even a word that this is the end.
            self._socket.scope["state"][CUT]()
            self._tasks.cancel_scope.cancel()
        except WebSocketDisconnect:
            self._tasks.cancel_scope.cancel()


def _read(text: str | None) -> Mapping[str, Any]:
    try:
        message = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise _Closed(_BAD_MESSAGE, "a message must be a JSON object in a text frame")
    return message


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise _Closed(_BAD_MESSAGE, "`payload` must be a JSON object")
    return payload or {}


def _id(message: Mapping[str, Any]) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not 0 < len(operation_id) <= _MOST_ID_CHARACTERS:
        raise _Closed(_BAD_MESSAGE, f"`id` must be a string of 1 to {_MOST_ID_CHARACTERS} characters")
    return operation_id


websocket_routes = [WebSocketRoute("/graphql", graphql_socket), WebSocketRoute("/graphql/", graphql_socket)]
