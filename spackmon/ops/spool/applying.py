"""Transactions that apply what was spooled: each report with a mark, whole or not at all."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, delete, insert, select

from spackmon.auth.access_tokens import Claims
from spackmon.auth.people import ANONYMOUS, anonymous
from spackmon.auth.tokens import is_current
from spackmon.database import Database
from spackmon.database.outcome import Outcome, classify
from spackmon.errors import Code, Refused
from spackmon.ingest import inbox
from spackmon.ingest.inbox import Reader
from spackmon.ingest.receipts import unlisted
from spackmon.models import Person, SubmissionBatch, Token, utc_now
from spackmon.ops.spool.files import Spooled, arrived_at
from spackmon.viewer import WRITE, allows

log = structlog.get_logger()

_MARK = "spool:"
# A backup reads the files before it sees the database: what is applied between is told by its mark.
_KEPT = timedelta(hours=1)


class Postponed(Exception):  # noqa: N818 -- not a fault: the report stays where it is
    """A report could not be applied now, for this reason; `blames_report`: which may be its own fault."""

    def __init__(self, reason: str, *, blames_report: bool = True) -> None:
        super().__init__(reason)
        self.blames_report = blames_report


def apply_all(database: Database, reports: Mapping[str, Spooled], read: Reader) -> None:
    """Apply reports, by the names of their files, in one transaction. Raises whatever it meets."""

    def work(connection: Connection) -> None:
        _apply(connection, reports, read)

    database.write_once(work)


def apply_one(database: Database, name: str, spooled: Spooled, read: Reader) -> bool:
    """See to it that a report is applied, before or now, or in the inbox; False where neither can ever be.

    Raises Postponed where it may be in a moment.
    """
    fault = _fault_of(database, lambda connection: _apply(connection, {name: spooled}, read))
    if fault is None:
        return True
    log.error("write_failed", kind=spooled.kind, exc_info=fault)
    refused = Refused(Code.INTERNAL, "the server met a fault of its own when it applied what it had spooled")
    fault = _fault_of(database, lambda connection: _keep(connection, spooled, refused))
    if fault is not None:
        log.error("not_kept", kind=spooled.kind, bytes=len(spooled.body), exc_info=fault)
    return fault is None


def forget_old(database: Database) -> None:
    """Remove the marks of reports that were applied long ago, where no file is left of them."""
    marks = SubmissionBatch.key.startswith(_MARK), SubmissionBatch.updated_at < utc_now() - _KEPT
    database.write_once(lambda connection: connection.execute(delete(SubmissionBatch).where(*marks)))


def can_write(database: Database) -> bool:
    """Whether a transaction that nothing depends on goes through."""
    nothing = delete(SubmissionBatch).where(SubmissionBatch.id.in_(()))
    try:
        database.write_once(lambda connection: connection.execute(nothing))
    except Exception as error:
        log.info("spool_waits", reason=classify(error).reason)
        return False
    return True


def _fault_of(database: Database, work: Callable[[Connection], None]) -> Exception | None:
    """What a transaction met that it would meet again. Raises Postponed where the same may succeed later."""
    try:
        database.write_once(work)
    except Exception as error:
        trouble = classify(error)
        if trouble.outcome not in (Outcome.PASSING, Outcome.BUSY):
            return error
        database.failed(trouble, error)
        raise Postponed(trouble.reason, blames_report=not trouble.is_of_others) from error
    return None


def _apply(connection: Connection, reports: Mapping[str, Spooled], read: Reader) -> None:
    people = {claims: _person_id(connection, claims) for claims in {one.claims for one in reports.values()}}
    applied = _marked(connection, reports, people.values())
    new = {name: spooled for name, spooled in reports.items() if name not in applied}
    for name, spooled in new.items():
        _apply_new(connection, arrived_at(name), spooled, people[spooled.claims], read)
    marks = [(_MARK + name, people[spooled.claims]) for name, spooled in new.items()]
    rows = [
        {"owner_id": owner_id, "key": key, "lines_done": 1, "refused_lines": "[]", "updated_at": utc_now()}
        for key, owner_id in marks
        if owner_id is not None
    ]
    if rows:
        connection.execute(insert(SubmissionBatch), rows)


def _marked(connection: Connection, names: Iterable[str], people: Iterable[int | None]) -> set[str]:
    keys = SubmissionBatch.key.in_([_MARK + name for name in names])
    owners = SubmissionBatch.owner_id.in_([one for one in people if one is not None])
    found = connection.execute(select(SubmissionBatch.key).where(owners, keys)).scalars()
    return {key.removeprefix(_MARK) for key in found}


def _apply_new(
    connection: Connection, came_at: datetime, spooled: Spooled, person_id: int | None, read: Reader
) -> None:
    try:
        with connection.begin_nested():
            if person_id is None or not _may_write(connection, spooled.claims, came_at):
                raise Refused(Code.TOKEN_REVOKED, "the token was revoked or its person disabled")
            reports = read(spooled.kind, spooled.body)
            in_part = unlisted(inbox.apply_body(connection, reports, person_id, came_at))
            if in_part is not None:
                _keep(connection, spooled, in_part)
    except Refused as refused:
        _keep(connection, spooled, refused)


def _keep(connection: Connection, spooled: Spooled, refused: Refused) -> None:
    inbox.add(connection, spooled.kind, spooled.body, refused, _person_id(connection, spooled.claims))


def _person_id(connection: Connection, claims: Claims) -> int | None:
    if claims.person == ANONYMOUS:
        return anonymous(connection)
    return connection.execute(select(Person.id).where(Person.name == claims.person)).scalar()


def _may_write(connection: Connection, claims: Claims, came_at: datetime) -> bool:
    """What could not be seen without the database: the person is not disabled, the token not revoked.

    A token that ended while its report waited was good when that came.
    """
    of_person = Person.name == claims.person, Person.disabled_at.is_(None)
    if claims.token_id is None:
        return connection.execute(select(Person.id).where(*of_person)).first() is not None
    of_token = Token.id == claims.token_id, Token.revoked_at.is_(None), is_current(came_at)
    scopes = select(Token.scopes).join(Person, Person.id == Token.person_id).where(*of_person, *of_token)
    found = connection.execute(scopes).scalar()
    return found is not None and allows(frozenset(found.split()), WRITE)
