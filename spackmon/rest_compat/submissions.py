"""`POST /api/submissions`: any number of reports in one body, an answer for each (docs/reports.md).

Lines are applied as they come in, some at a time, and counted under the client's key: whoever is cut off
sends the same again and loses nothing.
"""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from spackmon.auth.gate import Sender
from spackmon.errors import Code, Refused
from spackmon.formats.batch_line import read_line
from spackmon.formats.bytes.json_body import memory_of
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.http.answers import refusal
from spackmon.http.body import discard_body
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OF_EVERY_WRITE, TEXT, Operation, Parameter, RestRoute
from spackmon.http.services import Services
from spackmon.http.token_exchange import challenge
from spackmon.ingest import batches
from spackmon.ingest.batches import Line, Outcome, Progress
from spackmon.large_bytes import AnyBytes
from spackmon.rest_compat.lines import Lines, Numbered
from spackmon.threads import in_thread

log = structlog.get_logger()

PATH = "/api/submissions"
_NDJSON = "application/x-ndjson"

# As much as one transaction takes: the writer of an embedded database is everybody's.
_LINES_AT_ONCE = 50
_BYTES_AT_ONCE = 1 << 20
_KEY_CHARACTERS = 200
_RETRY_SECONDS = "30"


async def post(request: Request[Services]) -> Response:
    """Take a batch; the answers come when all of it was read, as clients read no sooner."""
    try:
        sender = await request.state.gate.admit(request.headers.get("authorization"))
        key = _key(request.headers.get("idempotency-key"))
        lines = Lines(request.headers.get("content-encoding", ""), request.state.settings.spool)
        answers = [answer async for answer in _answers(request, sender, key, lines)]
    except Refused as refused:
        await discard_body(request)
        return refusal(refused, _headers(request, refused))
    return Response("".join(answers), media_type=_NDJSON)


async def lines_done(request: Request[Services]) -> Response:
    """How far the sender's batch has come."""
    try:
        sender = await request.state.gate.admit(request.headers.get("authorization"))
        key = _key(request.path_params["key"])
    except Refused as refused:
        return refusal(refused, _headers(request, refused))
    progress = await _progress(request, sender, key)
    return JSONResponse({"lines_done": progress.lines_done})


_BATCH = Operation(
    "Reports",
    "Take reports, one JSON object a line, and answer each in a line.",
    {_NDJSON: TEXT},
    errors=(*OF_EVERY_WRITE, Code.IDEMPOTENCY_KEY_INVALID, Code.CONTENT_ENCODING_UNKNOWN),
    parameters=tuple(Parameter(name, place="header") for name in ("Idempotency-Key", "Content-Encoding")),
    bodies={_NDJSON: TEXT},
    security=("bearer",),
)
_PROGRESS = Operation(
    "Reports",
    "How many lines of a batch are done.",
    {JSON: {"type": "object", "required": ["lines_done"], "properties": {"lines_done": {"type": "integer"}}}},
    errors=(*OF_EVERY_WRITE, Code.IDEMPOTENCY_KEY_INVALID),
    security=("bearer",),
)
routes = [
    RestRoute(PATH, post, _BATCH, methods=["POST"]),
    RestRoute(PATH + "/{key:path}", lines_done, _PROGRESS, methods=["GET"]),
]


def _headers(request: Request[Services], refused: Refused) -> dict[str, str] | None:
    if refused.status == 401:
        return challenge(request)
    return {"Retry-After": _RETRY_SECONDS} if refused.status == 503 else None


def _key(header: str | None) -> str | None:
    if header is None:
        return None
    if 0 < len(header) <= _KEY_CHARACTERS and header.isascii() and header.isprintable():
        return header
    raise Refused(
        Code.IDEMPOTENCY_KEY_INVALID,
        f"Idempotency-Key must be 1 to {_KEY_CHARACTERS} printable ASCII characters",
    )


async def _progress(request: Request[Services], sender: Sender, key: str | None) -> Progress:
    if key is None:
        return Progress(0, {})
    return await request.state.database.admit_held(
        lambda connection: batches.progress(connection, sender.person_id, key)
    )


async def _answers(
    request: Request[Services], sender: Sender, key: str | None, lines: Lines
) -> AsyncIterator[str]:
    before = await _progress(request, sender, key)
    async for group in _groups(request, lines):
        for number, _ in group:
            if number <= before.lines_done:
                yield _answer(before.outcome(number))
        if fresh := [numbered for numbered in group if numbered[0] > before.lines_done]:
            for outcome in await _apply(request, sender, key, fresh):
                taken = "applied" if outcome.refused is None else "refused"
                request.state.metrics.reported(batches.INBOX_KIND, taken)
                yield _answer(outcome)


class _Group:
    """Lines that are written at once."""

    def __init__(self) -> None:
        self._lines: list[Numbered] = []
        self._size_bytes = 0

    def fill(self, lines: Iterator[Numbered]) -> bool:
        """Take lines until these are enough; whether they are. Raises OSError."""
        for number, line in lines:
            self._lines.append((number, line))
            self._size_bytes += 0 if isinstance(line, Refused) else len(line)
            if len(self._lines) >= _LINES_AT_ONCE or self._size_bytes >= _BYTES_AT_ONCE:
                return True
        return False

    def take(self) -> list[Numbered]:
        """What is there; afterwards there is nothing."""
        lines, self._lines, self._size_bytes = self._lines, [], 0
        return lines


async def _groups(request: Request[Services], lines: Lines) -> AsyncIterator[list[Numbered]]:
    """The lines of the body, as many at a time as are written at once."""
    group = _Group()
    try:
        async for chunk in request.stream():
            # In a thread: it unpacks, and writes what is large to the disk.
            fed = lines.feed(chunk)
            while await in_thread(group.fill, fed):
                yield group.take()
            if lines.is_over:
                await discard_body(request)
                break
        await in_thread(group.fill, lines.end())
    except OSError as error:
        log.warning("body_not_stored", reason=error.strerror)
        raise Refused(Code.BUSY, "the server's disk has no room for the line: try again later") from None
    except ClientDisconnect:
        # Nobody reads an answer any more; the whole lines are applied, so that they need not come again.
        log.info("batch_cut")
    if rest := group.take():
        yield rest


async def _apply(
    request: Request[Services], sender: Sender, key: str | None, group: list[Numbered]
) -> Sequence[Outcome]:
    memory_bytes = await in_thread(_memory_of, group)
    async with request.state.memory.share(memory_bytes, request.state.database.hold_seconds):
        read = await in_thread(_read, group, request.state.known_nodes)
        return await _applied(request, sender, key, read)


async def _applied(
    request: Request[Services], sender: Sender, key: str | None, read: Sequence[Line]
) -> Sequence[Outcome]:
    try:
        return await _write(request, sender, key, read)
    except Refused as refused:
        if refused.code.retryable:
            raise
    except Exception:
        log.exception("batch_failed", first=read[0].number, last=read[-1].number)
    # One of them met a fault of ours, or a limit: the others must not suffer for it.
    outcomes: list[Outcome] = []
    for line in read:
        outcomes += await _apply_one(request, sender, key, line)
    return outcomes


async def _apply_one(
    request: Request[Services], sender: Sender, key: str | None, line: Line
) -> Sequence[Outcome]:
    try:
        return await _write(request, sender, key, [line])
    except Refused as refused:
        if refused.code.retryable:
            raise
        fault = refused
    except Exception:
        log.exception("write_failed", kind=batches.INBOX_KIND, line=line.number)
        request_id = request.state.request_id
        fault = Refused(Code.INTERNAL, f"the server met a fault of its own, logged as {request_id}")
    try:
        return await _write(request, sender, key, [Line(line.number, line.body, fault)])
    except SQLAlchemyError:
        log.exception("not_kept", kind=batches.INBOX_KIND, bytes=len(line.body))
    return [Outcome(line.number, "refused", refused=fault)]


async def _write(
    request: Request[Services], sender: Sender, key: str | None, lines: Sequence[Line]
) -> Sequence[Outcome]:
    return await request.state.database.write_held(
        lambda connection: batches.apply_lines(connection, lines, sender.person_id, key)
    )


def _memory_of(group: list[Numbered]) -> int:
    return sum(memory_of(line) for _, line in group if not isinstance(line, Refused))


def _read(group: list[Numbered], known: KnownNodes) -> list[Line]:
    return [
        Line(number, b"", line) if isinstance(line, Refused) else Line(number, line, _report(line, known))
        for number, line in group
    ]


def _report(line: AnyBytes, known: KnownNodes) -> Sequence[Any] | Refused:
    try:
        return tuple(read_line(line, known))
    except Refused as refused:
        return refused
    except Exception:
        log.exception("read_failed", kind=batches.INBOX_KIND, bytes=len(line))
        return Refused(Code.INTERNAL, "the server met a fault of its own when it read the line")


def _answer(outcome: Outcome) -> str:
    answer: dict[str, Any] = {"line": outcome.number, "status": outcome.status}
    if outcome.refused is None:
        answer["build"] = None if outcome.build_id is None else str(outcome.build_id)
        answer["spec"] = outcome.spec_hash
    if (problem := outcome.refused or outcome.unlisted) is not None:
        answer |= {"code": problem.code, "message": problem.sentence, "inbox": outcome.inbox_id}
    return json.dumps(answer, separators=(",", ":")) + "\n"
