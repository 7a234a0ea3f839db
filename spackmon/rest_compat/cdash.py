"""The part of a CDash that `spack install --log-format=cdash` talks to.

Spack reads nothing of an answer but the first `<buildId>` of a package, for a link that it prints; of an
error it prints the status and goes on. A document that cannot be applied is kept in the inbox with the query
it came with.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import structlog
from starlette.requests import Request
from starlette.responses import Response

from spackmon.auth.gate import Sender
from spackmon.database.refusals import PASSES
from spackmon.errors import Code, Refused
from spackmon.formats.bytes.xml_text import xml_memory_of
from spackmon.formats.reports.cdash import INBOX_KIND, Address, CDashReport, read_cdash
from spackmon.garbage import uncollected
from spackmon.http.answers import RETRY_AFTER_SECONDS
from spackmon.http.body import discard_body, read_body
from spackmon.http.operations import OF_EVERY_WRITE, TEXT, Operation, RestRoute, words
from spackmon.http.services import Services
from spackmon.http.token_exchange import challenge
from spackmon.ingest import store
from spackmon.ingest.receipts import InstallReceipt, Receipt, unlisted
from spackmon.large_bytes import AnyBytes, hashed
from spackmon.models import utc_now
from spackmon.ops.spool import Spooled
from spackmon.rest_compat.inbox import to_inbox
from spackmon.rest_compat.outages import after_the_spooled, is_its_turn, spool, vouched
from spackmon.submission import InstallReport
from spackmon.threads import in_thread

log = structlog.get_logger()

_SUBMIT = "/submit.php"
_XML = "text/xml"
# The CDash whose answers Spack's clients were written for.
_CDASH_VERSION = "3.1.0"
# Parsed at once, in several times its size. The log of configure is all that makes a document large.
_MAXIMUM_BYTES = 64 << 20
_MAXIMUM_PARAMETERS = 50
_NOTHING_BUILT = "0"


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload reports of a build, if anything, its MD5, and what was wrong with that."""

    report: CDashReport | None
    md5: str
    damage: Refused | None


def read_upload(query: str, body: AnyBytes, projects: Collection[str]) -> Upload:
    """Read an upload; `projects` are those that are taken, all where it is empty.

    Raises Refused: PROJECT_UNKNOWN, what `read_cdash` raises, and MD5_WRONG instead where that explains it.
    """
    try:
        parameters = dict(parse_qsl(query, max_num_fields=_MAXIMUM_PARAMETERS))
    except ValueError:
        raise Refused(Code.CDASH_INVALID, "the address has too many parameters") from None
    project = parameters.get("project", "")
    if projects and project not in projects:
        raise Refused(Code.PROJECT_UNKNOWN, f"there is no project {project!r} here: see CDASH_PROJECTS")
    address = Address(
        project, parameters.get("site", ""), parameters.get("stamp", ""), parameters.get("build", "")
    )
    md5 = _md5(body)
    damage = _damage(parameters.get("MD5", "").strip().lower(), md5)
    try:
        with uncollected():
            report = read_cdash(body, address)
        return Upload(None if report is None else _arrived(report, utc_now()), md5, damage)
    except Refused as refused:
        raise damage or refused from None


def _arrived(report: CDashReport | None, now: datetime) -> CDashReport | None:
    """The report, whose run had ended when it came: a command sends it when all is over."""
    if not isinstance(report, InstallReport) or report.finished_at is None or not report.times_enclose_run:
        return report
    seconds = (now - report.finished_at).total_seconds()
    later = report.time_uncertainty_seconds or 0.0
    return replace(report, time_uncertainty_seconds=min(later, max(1.0, seconds)))


async def submit(request: Request[Services]) -> Response:
    """`PUT /submit.php?project=…&build=…&site=…&stamp=…&MD5=…` with one document as body."""
    sender: Sender | None
    try:
        query = _query(request)
        sender = await request.state.gate.admit(request.headers.get("authorization"), impatient=True)
    except Refused as refused:
        if refused.code not in PASSES:
            await discard_body(request)
            return _refusal(refused, refused.sentence, challenge(request) if refused.status == 401 else None)
        sender, away = None, refused
    try:
        body = await read_body(request, _MAXIMUM_BYTES)
        if sender is None:
            return await _spool(request, query, body, away)
        memory_bytes = await in_thread(xml_memory_of, body)
        async with request.state.memory.share(memory_bytes, request.state.database.hold_seconds):
            return await _apply(request, query, sender, body)
    except Refused as refused:
        return _refusal(refused, refused.sentence)


async def _apply(request: Request[Services], query: str, sender: Sender, body: AnyBytes) -> Response:
    projects = request.state.settings.cdash_projects
    try:
        if not await is_its_turn(request):
            return await _spool(request, query, body, after_the_spooled())
        upload = await in_thread(read_upload, query, body, projects)
        receipt = None if upload.report is None else await _stored(request, upload.report, sender)
    except Refused as refused:
        if refused.code in PASSES:
            return await _spool(request, query, body, refused)
        return _refusal(refused, await to_inbox(request, INBOX_KIND + query, body, refused, sender))
    except Exception:
        log.exception("write_failed", kind="cdash")
        sentence = f"the server met a fault of its own, logged as {request.state.request_id}"
        fault = Refused(Code.INTERNAL, sentence, status=503)
        return _refusal(fault, await to_inbox(request, INBOX_KIND + query, body, fault, sender))
    request.state.metrics.reported(INBOX_KIND, "applied")
    build_id = receipt.build_id if isinstance(receipt, InstallReceipt) else _NOTHING_BUILT
    elements = f"  <md5>{upload.md5}</md5>\n"
    if receipt is not None:
        elements += f"  <buildId>{build_id}</buildId>\n"
    kept = upload.damage or (None if receipt is None else unlisted([receipt]))
    if kept is None:
        return _answer("OK", "", elements)
    # Spack sends nothing twice, and what is whole was not cut: it is taken, and kept to be looked at.
    return _answer("ERROR", await to_inbox(request, INBOX_KIND + query, body, kept, sender), elements)


async def _spool(request: Request[Services], query: str, body: AnyBytes, away: Refused) -> Response:
    """Take a document that will be applied; which build it is of, nobody can say yet."""
    try:
        claims = vouched(request, away)
        await spool(request, Spooled(INBOX_KIND + query, claims, body), away)
    except Refused as refused:
        return _refusal(refused, refused.sentence, challenge(request) if refused.status == 401 else None)
    md5 = await in_thread(_md5, body)
    return _answer("OK", "", f"  <md5>{md5}</md5>\n  <buildId>{_NOTHING_BUILT}</buildId>\n")


async def _stored(request: Request[Services], report: CDashReport, sender: Sender) -> Receipt:
    receipt: Receipt = await request.state.database.write_held(
        lambda connection: store.apply(connection, report, sender.person_id), impatient=True
    )
    return receipt


_UPLOAD = Operation(
    "CDash",
    "Take a report of `spack install --log-format=cdash`.",
    {_XML: TEXT},
    errors=(*OF_EVERY_WRITE, Code.PROJECT_UNKNOWN),
    refusals={_XML: TEXT},
    parameters=words(("project", "build", "site", "stamp", "MD5")),
    bodies={_XML: TEXT},
    security=("bearer",),
)
_METHODS = ["PUT", "POST"]
routes = [
    RestRoute(_SUBMIT, submit, _UPLOAD, methods=_METHODS),
    # What Spack was given as address it continues with `&build=…`, also where there is no `?project=` in it.
    RestRoute(_SUBMIT + "{rest:path}", submit, {}, methods=_METHODS),
]


def _query(request: Request[Services]) -> str:
    rest = request.scope["raw_path"].decode("latin-1").partition(_SUBMIT)[2]
    if rest not in ("", "/") and not rest.startswith("&"):
        raise Refused(Code.NOT_FOUND, "there is nothing at this address")
    return "&".join(part for part in (request.url.query, rest.strip("&/")) if part)


def _damage(digest: str, md5: str) -> Refused | None:
    if digest in ("", md5):
        return None
    sentence = f"MD5 must be that of the body, {md5}, it is {digest!r}: the upload was changed on its way"
    return Refused(Code.MD5_WRONG, sentence)


def _md5(body: AnyBytes) -> str:
    return hashed(body, hashlib.md5(usedforsecurity=False)).hexdigest()


def _refusal(refused: Refused, sentence: str, headers: dict[str, str] | None = None) -> Response:
    if refused.code.retryable:
        headers = {"Retry-After": RETRY_AFTER_SECONDS, **(headers or {})}
    return _answer("ERROR", sentence, "", refused.status, headers)


def _answer(
    status: str, message: str, more: str, http_status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    text = (
        f'<cdash version="{_CDASH_VERSION}">\n  <status>{status}</status>\n'
        f"  <message>{escape(message)}</message>\n{more}</cdash>\n"
    )
    return Response(text, http_status, headers, media_type=_XML)
