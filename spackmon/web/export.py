"""An export as a response: NDJSON or CSV, streamed, and cut where something goes wrong.

The end of a response is the promise that it is whole. After an error the connection is closed without it,
which every client of HTTP/1.1 reports; HTTP/1.0 knows no end but the connection's, so it gets no export.
"""

import csv
import io
import json
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any

import anyio
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from spackmon.errors import Code, Refused
from spackmon.query.serve.export import Export
from spackmon.query.sql.computed import ResponsePath
from spackmon.threads import in_thread

NDJSON, CSV = "application/x-ndjson", "text/csv"
# A client that stops reading would otherwise hold a snapshot of the database for ever.
STALLED_SECONDS = 60.0
# What spreadsheets take for the beginning of a formula (OWASP, CSV Injection).
_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Refusal = Callable[[Refused], Response]


class ExportResponse(Response):
    """The response to an export; `refusal` makes the answer to what is refused before the first line."""

    def __init__(self, export: Export, media_type: str, refusal: Refusal) -> None:
        suffix = "csv" if media_type == CSV else "ndjson"
        headers = {
            "Content-Type": f"{media_type}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{export.name}.{suffix}"',
            "Cache-Control": "no-store",
            "Vary": "Accept",
        }
        self.status_code = 200
        self.background = None
        self.init_headers(headers)
        self._chunks = _csv(export) if media_type == CSV else export.chunks()
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as long as the client is there. Raises what cut it, and ClientDisconnect."""
        ended: list[BaseException | None] = []

        async def stream(group: anyio.abc.TaskGroup) -> None:
            # A group would wrap what is raised in it: it is kept, and raised outside.
            try:
                await self._stream(scope, receive, send)
                ended.append(None)
            except Exception as error:
                ended.append(error)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(stream, group)
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()
        error = ended[0] if ended else ClientDisconnect()
        if error is not None:
            raise error

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            try:
                chunk = await anext(chunks, b"")
            except Refused as refused:
                await self._refusal(refused)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while chunk:
                await _sent(send, chunk, more=True)
                chunk = await anext(chunks, b"")
            await _sent(send, b"", more=False)


async def _sent(send: Send, chunk: bytes, *, more: bool) -> None:
    try:
        with anyio.fail_after(STALLED_SECONDS):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
    except TimeoutError:
        raise ClientDisconnect from None


def export_response(export: Export, media_type: str, http_version: str, refusal: Refusal) -> ExportResponse:
    """The response; Refused where it could not be sent as it should be."""
    if http_version == "1.0":
        raise Refused(
            Code.EXPORT_NEEDS_HTTP_1_1,
            "an export needs HTTP/1.1, which tells a cut answer from a whole one (`proxy_http_version 1.1`)",
        )  # fmt: skip
    if media_type == CSV and export.has_page_info:
        raise Refused(
            Code.EXPORT_INVALID, f"{CSV} has no place for `pageInfo`: leave it out, or ask for {NDJSON}"
        )
    return ExportResponse(export, media_type, refusal)


async def _csv(export: Export) -> AsyncGenerator[bytes, None]:
    async with aclosing(export.chunks()) as chunks:
        # The first rows come before the header, so that what is refused is no file with a header.
        chunk = await anext(chunks, b"")
        yield _rows([[".".join(path) for path in export.columns]])
        while chunk:
            yield await in_thread(_rows_of, chunk, export.columns)
            chunk = await anext(chunks, b"")


def _rows_of(chunk: bytes, columns: tuple[ResponsePath, ...]) -> bytes:
    lines = map(json.loads, chunk.splitlines())
    return _rows([_cell(line, path) for path in columns] for line in lines)


def _rows(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(line: Any, path: ResponsePath) -> str:
    """The value at the end of a path; nothing where that is null, or what it is in."""
    value = line
    for key in path:
        if value is None:
            break
        value = value[key]
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(_FORMULA_BEGINNINGS) else value
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
