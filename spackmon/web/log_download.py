"""A whole log, byte for byte: for curl and less, and for a browser, which must not guess at HTML.

Nothing keeps a whole log in memory. Some bytes of it are asked for by `Range`, and the tag is the log's own
digest.
"""

import zlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import zstandard
from starlette.responses import Response

from spackmon.http.byte_range import byte_range
from spackmon.http.caching import is_unchanged
from spackmon.http.content_coding import IDENTITY, preferred_coding
from spackmon.query.serve.log_chunks import LogChunks
from spackmon.threads import in_thread
from spackmon.web.streaming import Refusal, StreamedResponse, part_response

_ZSTD, _GZIP = "zstd", "gzip"
# What zlib calls the format of gzip with the largest window.
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_GZIP_LEVEL, _ZSTD_LEVEL = 1, 3


async def log_response(
    chunks: LogChunks, digest: str, headers: Mapping[str, str], refusal: Refusal
) -> Response:
    """The answer to a request with these `headers` for the log with a digest. Raises Refused."""
    tag, sizes = f'"{digest}"', await chunks.sizes()
    sent = {
        "Accept-Ranges": "bytes",
        "Content-Type": "text/plain; charset=utf-8",
        "Vary": "Accept, Accept-Encoding",
    }
    size_bytes = sum(sizes)
    # A part of a log is a part of its bytes, whatever codings the client takes.
    is_same = headers.get("if-range", tag) == tag
    wanted = byte_range(headers.get("range"), size_bytes) if is_same else None
    coding = IDENTITY
    if wanted is None:
        coding = preferred_coding(headers.get("accept-encoding"), (_ZSTD, _GZIP))
    if coding != IDENTITY:
        tag = f'"{digest}-{coding}"'
        sent["Content-Encoding"] = coding
    sent["ETag"] = tag
    if is_unchanged(headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=sent)
    if wanted is None:
        if coding == IDENTITY:
            sent["Content-Length"] = str(size_bytes)
        return StreamedResponse(_whole(chunks, len(sizes), coding), sent, refusal)
    return part_response(wanted, size_bytes, "log", _part(chunks, sizes, wanted), sent, refusal)


async def _whole(chunks: LogChunks, count: int, coding: str) -> AsyncGenerator[bytes, None]:
    # One frame of zstd: as they are stored, one for each chunk, some clients fail at the second.
    compressor = _compressor(coding)
    async for content in chunks.contents(0, count):
        if compressor is None:
            yield zstandard.decompress(content)
        elif packed := await in_thread(_packed, content, compressor):
            yield packed
    if compressor is not None:
        yield compressor.flush()


def _compressor(coding: str) -> Any:
    if coding == _ZSTD:
        return zstandard.ZstdCompressor(_ZSTD_LEVEL).compressobj()
    return zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW) if coding == _GZIP else None


def _packed(content: bytes, compressor: Any) -> bytes:
    packed: bytes = compressor.compress(zstandard.decompress(content))
    return packed


async def _part(chunks: LogChunks, sizes: list[int], wanted: range) -> AsyncGenerator[bytes, None]:
    """The bytes of a log at these places."""
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    touched = [
        number
        for number, size in enumerate(sizes)
        if starts[number] < wanted.stop and starts[number] + size > wanted.start
    ]
    number = touched[0]
    async for content in chunks.contents(touched[0], touched[-1] + 1):
        begin = max(wanted.start - starts[number], 0)
        yield zstandard.decompress(content)[begin : wanted.stop - starts[number]]
        number += 1
