"""The value of an analyzer's result, byte for byte, under the digest of its bytes."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from spackmon.http.byte_range import byte_range
from spackmon.http.caching import is_unchanged
from spackmon.query.serve.result_bytes import ResultBytes
from spackmon.web.streaming import Refusal, StreamedResponse, part_response

_TYPES = {"TEXT": "text/plain; charset=utf-8", "JSON": "application/json"}
_BEGINNINGS = {
    b"<": "application/xml", b"\x1f\x8b": "application/gzip", b"\x28\xb5\x2f\xfd": "application/zstd",
    b"BZh": "application/x-bzip2", b"\xfd7zXZ\0": "application/x-xz",
}  # fmt: skip
_LONGEST_BEGINNING = 6
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_FILE_NAME_CHARACTERS = 100


async def result_response(
    content: ResultBytes, result: Mapping[str, Any], headers: Mapping[str, str], refusal: Refusal
) -> Response:
    """The answer to a request with these `headers` for a result. Raises Refused."""
    size, tag = result["sizeBytes"], f'"{result["sha256"]}"'
    sent = {"Accept-Ranges": "bytes", "ETag": tag, "Vary": "Accept"}
    if is_unchanged(headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=sent)
    sent["Content-Type"] = _TYPES.get(result["kind"]) or await _type_of(content, size)
    # A browser saves it: what a client sent is no page of this service.
    name = _UNSAFE.sub("_", result["name"])[:_FILE_NAME_CHARACTERS]
    sent["Content-Disposition"] = f'attachment; filename="{name}"'
    wanted = byte_range(headers.get("range"), size) if headers.get("if-range", tag) == tag else None
    if wanted is None:
        sent["Content-Length"] = str(size)
        return StreamedResponse(content.parts(range(size)), sent, refusal)
    return part_response(wanted, size, "result", content.parts(wanted), sent, refusal)


async def _type_of(content: ResultBytes, size: int) -> str:
    beginning = await content.part(0, min(size, _LONGEST_BEGINNING)) if size else b""
    types = (type_ for start, type_ in _BEGINNINGS.items() if beginning.startswith(start))
    return next(types, "application/octet-stream")
