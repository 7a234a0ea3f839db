"""An export as a response: NDJSON or CSV.

HTTP/1.0 knows no end but the connection's, which tells nobody whether the answer is whole: it gets no export.
"""

import csv
import io
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.query.serve.export import Export
from spackmon.query.sql.computed import ResponsePath
from spackmon.threads import in_thread
from spackmon.web.streaming import Refusal, StreamedResponse

NDJSON, CSV = "application/x-ndjson", "text/csv"
# What spreadsheets take for the beginning of a formula (OWASP, CSV Injection).
_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class ExportResponse(StreamedResponse):
    """The response to an export; `refusal` makes the answer to what is refused before the first line."""

    def __init__(self, export: Export, media_type: str, refusal: Refusal) -> None:
        suffix = "csv" if media_type == CSV else "ndjson"
        headers = {
            "Content-Type": f"{media_type}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{export.name}.{suffix}"',
            "Cache-Control": "no-store",
            "Vary": "Accept",
        }
        chunks = _csv(export) if media_type == CSV else export.chunks()
        super().__init__(chunks, headers, refusal)


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
