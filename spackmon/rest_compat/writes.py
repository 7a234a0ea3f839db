"""The ms1 writes: who sends, what it says, what the store made of it, in the words of the old server.

Whatever an authenticated client sent and could not be applied is kept in the inbox: the client gives up
its build after an error and never sends it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.auth.gate import Sender
from spackmon.database.refusals import PASSES
from spackmon.errors import Code, Refused
from spackmon.formats import ms1
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.http.answers import refusal
from spackmon.http.body import Body, discard_body, memory_for, read_body
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OF_EVERY_WRITE, Operation, RestRoute, Schema
from spackmon.http.services import Services
from spackmon.http.token_exchange import challenge
from spackmon.ingest import store
from spackmon.ingest.receipts import Receipt
from spackmon.large_bytes import LargeBytes
from spackmon.logs.packed import pack
from spackmon.ops.spool import Spooled
from spackmon.rest_compat import answers, ms1_bodies
from spackmon.rest_compat.inbox import to_inbox
from spackmon.rest_compat.outages import after_the_spooled, is_its_turn, spool, vouched
from spackmon.rest_compat.promises import kind_with_promise, with_promise
from spackmon.submission import BuildReport, PhaseReport, Submission
from spackmon.threads import in_thread

log = structlog.get_logger()

_QUICK_BYTES = 1 << 16

Answer = Callable[[Any, Any], tuple[int, dict[str, Any]]]
Promise = Callable[[Any], tuple[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Write:
    """One address: how its body is read, and how the client is answered with the store's receipt.

    `promise` answers a report that was spooled; `summary` and `body` describe it to programs. `is_quick`: a
    small body is read in less time than another thread takes to begin.
    """

    kind: str
    read: Callable[[dict[str, Any], KnownNodes], Submission]
    answer: Answer
    promise: Promise
    summary: str
    body: Schema
    is_quick: bool = False


def _without_specs(
    read: Callable[[dict[str, Any]], Submission],
) -> Callable[[dict[str, Any], KnownNodes], Submission]:
    return lambda body, _: read(body)


WRITES = (
    Write(
        "specs/new", ms1.read_spec, answers.spec, answers.promised_spec,
        "Report a spec.", ms1_bodies.SPEC,
    ),
    Write(
        "builds/new", ms1.read_build, answers.build, answers.promised_build,
        "Begin a build.", ms1_bodies.BUILD,
    ),
    Write(
        "builds/phases/update", _without_specs(ms1.read_phase), answers.phase, answers.promised_phase,
        "Report a phase of a build.", ms1_bodies.PHASE, is_quick=True,
    ),
    Write(
        "builds/update", _without_specs(ms1.read_status), answers.status, answers.promised_status,
        "Report how a build ended.", ms1_bodies.STATUS, is_quick=True,
    ),
    Write(
        "analyze/builds", _without_specs(ms1.read_analysis), answers.analysis, answers.promised_analysis,
        "Report what analyzers found.", ms1_bodies.ANALYSIS,
    ),
)  # fmt: skip


def write_routes(prefix: str) -> list[RestRoute]:
    """Every write under `/prefix`, with and without the slash at its end: clients follow no redirect."""
    return [
        RestRoute(f"/{prefix}/{write.kind}{slash}", _endpoint(write), _operation(write), methods=["POST"])
        for write in WRITES
        for slash in ("/", "")
    ]


def _operation(write: Write) -> Operation:
    return Operation(
        "ms1",
        write.summary,
        {JSON: ms1_bodies.ANSWER},
        errors=(*OF_EVERY_WRITE, Code.BUILD_NOT_YOURS, Code.BUILD_UNKNOWN),
        bodies={JSON: write.body},
        statuses=(200, 201),
        security=("bearer",),
    )


def _endpoint(write: Write) -> Callable[[Request[Services]], Any]:
    async def endpoint(request: Request[Services]) -> Response:
        try:
            authorization = request.headers.get("authorization")
            sender = await request.state.gate.admit(authorization, impatient=True)
        except Refused as refused:
            if refused.code in PASSES:
                body = await read_body(request)
                async with memory_for(request, body):
                    return await _spool(request, write, body, refused)
            await discard_body(request)
            return refusal(refused, challenge(request) if refused.status == 401 else None)
        body = await read_body(request)
        async with memory_for(request, body):
            return await _apply(request, write, sender, body)

    return endpoint


async def _apply(request: Request[Services], write: Write, sender: Sender, body: Body) -> Response:
    try:
        if not await is_its_turn(request):
            return await _spool(request, write, body, after_the_spooled())
        submission = await _packed(request, await _understood(request, write, body))
        receipt = await _written(request, submission, sender.person_id)
    except Refused as refused:
        if refused.code in PASSES:
            return await _spool(request, write, body, refused)
        return await _refuse(request, write, sender, body, refused)
    except Exception:
        log.exception("write_failed", kind=write.kind)
        request_id = request.state.request_id
        fault = Refused(Code.INTERNAL, f"the server met a fault of its own, logged as {request_id}")
        return await _refuse(request, write, sender, body, fault)
    request.state.metrics.reported(write.kind, "applied")
    status, answer = write.answer(submission, receipt)
    return JSONResponse(answer, status_code=status)


async def _written(request: Request[Services], submission: Submission, person_id: int) -> Receipt:
    """What the store made of a submission; small logs of phases are written with those of others."""

    async def alone() -> Any:
        return await request.state.database.write_held(
            lambda connection: store.apply(connection, submission, person_id), impatient=True
        )

    if isinstance(submission, PhaseReport) and not isinstance(submission.output, LargeBytes):
        size_bytes = len(submission.output or b"")
        return await request.state.phases.write(
            (submission, person_id), submission.build_id, size_bytes, alone
        )
    receipt: Receipt = await alone()
    return receipt


async def _spool(request: Request[Services], write: Write, body: Body, away: Refused) -> Response:
    """Acknowledge a report that will be applied; what cannot be read is refused."""
    try:
        claims = vouched(request, away)
        submission = await _understood(request, write, body)
        kind = write.kind
        if isinstance(submission, BuildReport):
            submission = with_promise(submission, claims.person)
            kind = kind_with_promise(kind, submission)
        await spool(request, Spooled(kind, claims, body), away)
    except Refused as refused:
        return refusal(refused, challenge(request) if refused.status == 401 else None)
    status, answer = write.promise(submission)
    return JSONResponse(answer, status_code=status)


async def _understood(request: Request[Services], write: Write, body: Body) -> Submission:
    known = request.state.known_nodes
    if write.is_quick and len(body) <= _QUICK_BYTES:
        return _read(write, body, known)
    return await in_thread(_read, write, body, known)


def _read(write: Write, body: Body, known: KnownNodes) -> Submission:
    return write.read(ms1.read_json(body), known)


async def _packed(request: Request[Services], submission: Submission) -> Submission:
    """A report whose log is ready to be stored, if it is large and the disk has room for that."""
    if not isinstance(submission, PhaseReport) or not isinstance(submission.output, LargeBytes):
        return submission
    try:
        limiter = request.state.memory.log_readers
        packed = await in_thread(pack, submission.output, limiter=limiter)
        return replace(submission, packed_output=packed)
    except OSError as error:
        log.warning("log_not_packed", bytes=len(submission.output), reason=error.strerror)
        return submission


async def _refuse(
    request: Request[Services], write: Write, sender: Sender, body: Body, refused: Refused
) -> Response:
    return refusal(refused, sentence=await to_inbox(request, write.kind, body, refused, sender))
