"""The spool: reports that were acknowledged while the database could not be used, on the service's own disk.

A file each, whole or not at all, on the disk before its client is answered. They are applied in the order in
which they came, each once: the transaction that applies one leaves a mark, by which a service that was killed
between that and removing the file knows it. Services with the same directory share it.

A report that fails again and again, or ends the process that applies it, may not stop those behind it: after
some tries it is set aside, with the reason beside it, until somebody puts it back.
"""

import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
import zstandard
from sqlalchemy import Connection, delete, insert, select

from spackmon.auth.access_tokens import Claims
from spackmon.auth.people import ANONYMOUS, anonymous
from spackmon.auth.tokens import is_current
from spackmon.database import Database
from spackmon.database.outcome import Outcome, classify
from spackmon.errors import Code, Refused
from spackmon.ingest import inbox
from spackmon.ingest.receipts import unlisted
from spackmon.large_bytes import AnyBytes, Writer, pieces
from spackmon.models import Person, SubmissionBatch, Token, utc_now
from spackmon.viewer import WRITE, allows

log = structlog.get_logger()

_ENDING, _ASIDE, _REASON = ".report", ".aside", ".reason"
_LOCK, _TRIES = "lock", "tries"
# Of a number in a name, so that names are in the order of their numbers.
_DIGITS = 20
# Each pause is twice as long as the one before: half a minute, for which reports that come meanwhile wait.
_MOST_TRIES = 6
_OWNER_ALONE = 0o600
_SMALL_BYTES = 1 << 16
_MARK = "spool:"


@dataclass(frozen=True, slots=True)
class Spooled:
    """A body as it came, of a kind that the inbox knows too; and who sent it, as far as could be seen."""

    kind: str
    claims: Claims
    body: AnyBytes


@dataclass(frozen=True, slots=True)
class SetAside:
    """A report that is not tried any more; `person` and `kind` are None where its file cannot be read."""

    name: str
    arrived_at: datetime
    person: str | None
    kind: str | None
    size_bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Tries:
    """How often the report `name` was tried, what it met last, and when (of the epoch) it may be again."""

    name: str = ""
    count: int = 0
    next_at_seconds: float = 0.0
    reason: str = ""


class _Postponed(Exception):  # noqa: N818 -- not a fault: the report stays where it is
    """A report could not be applied now, for this reason; `blames_report`: which may be its own fault."""

    def __init__(self, reason: str, *, blames_report: bool = True) -> None:
        super().__init__(reason)
        self.blames_report = blames_report


class Spool:
    """One directory; it is made when it is needed."""

    first_pause_seconds = 1.0

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tries: _Tries | None = None
        self._last = -1
        self._waits: Path | None = None

    def is_empty(self) -> bool:
        """Whether nothing waits to be applied."""
        # Each report asks: what was there a moment ago is looked for before all that may be there.
        waits = self._waits
        if waits is None or not waits.exists():
            self._waits = waits = next(self._waiting(), None)
        return waits is None

    def count(self) -> tuple[int, int]:
        """How many reports wait to be applied, and how many were set aside."""
        return sum(1 for _ in self._waiting()), sum(1 for _ in self._files(_ASIDE))

    def has_room(self) -> bool:
        """Whether a small report could be stored now."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._directory) as file:
                file.write(b"\0" * _SMALL_BYTES)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        return True

    def put(self, spooled: Spooled) -> None:
        """Store a report; it is on the disk when this returns. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        head = json.dumps({"kind": spooled.kind, **asdict(spooled.claims)}).encode()
        with self._locked("order") as order:
            name = self._next_name(order)
            draft = self._directory / f".{name}.{os.getpid()}"
            try:
                _write(draft, head, spooled.body)
                self._waits = draft.rename(self._directory / name)
            except OSError:
                draft.unlink(missing_ok=True)
                raise
        self._sync()
        log.info("report_spooled", kind=spooled.kind, bytes=len(spooled.body))

    def drain(self, database: Database, read: inbox.Reader) -> None:
        """Apply what waits, oldest first, and stop where the database cannot be used.

        What it refuses goes to the inbox, as it would have gone when it came.
        """
        if self.is_empty():
            return
        with self._locked(_LOCK):
            done = []
            for path in sorted(self._waiting()):
                tries = self._tries_of(path.name)
                if tries.count >= _MOST_TRIES:
                    self._set_aside(path, f"{tries.reason}, {tries.count} times")
                    continue
                if not self._begin_try(tries):
                    break
                try:
                    self._apply(database, path, read)
                except _Postponed as postponed:
                    # Where nothing can be written now it is no fault of the report.
                    counts = postponed.blames_report and _can_write(database)
                    count = tries.count + 1 if counts else tries.count
                    self._note(replace(self._tries_of(path.name), count=count, reason=str(postponed)))
                    break
                path.unlink(missing_ok=True)
                done.append(_MARK + path.name)
            if done:
                # A mark may go when its file cannot come back.
                self._sync()
                log.info("spool_drained", reports=len(done))
                _forget(database, done)

    def set_aside(self) -> list[SetAside]:
        """What is not tried any more, oldest first."""
        return [_described(path) for path in sorted(self._files(_ASIDE))]

    def put_back(self, name: str) -> None:
        """Let a report that was set aside be tried again, before all that came later.

        Raises Refused SPOOL_REPORT_UNKNOWN.
        """
        path = self._directory / f"{name}{_ASIDE}"
        if path not in self._files(_ASIDE):
            raise Refused(Code.SPOOL_REPORT_UNKNOWN, f"the spool has set no report {name!r} aside")
        path.rename(path.with_suffix(_ENDING))
        path.with_suffix(_REASON).unlink(missing_ok=True)

    def _waiting(self) -> Iterator[Path]:
        return self._files(_ENDING)

    def _files(self, ending: str) -> Iterator[Path]:
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    if entry.name.endswith(ending):
                        yield Path(entry.path)
        except FileNotFoundError:
            return

    def _next_name(self, order: int) -> str:
        """Later than all there are, though the clock may have been set back.

        The last one's number stands in the file `order`, of all processes; a process looks itself only once.
        """
        if self.is_empty():
            last = 0
        elif self._last < 0:
            last = int(max((path.name for path in self._waiting()), default="0").partition("-")[0])
        else:
            said = os.pread(order, _DIGITS, 0)
            last = max(self._last, int(said) if said.isdigit() else 0)
        self._last = max(time.time_ns(), last + 1)
        number = f"{self._last:0{_DIGITS}d}"
        # On a full disk the numbers of one process go on all the same.
        with suppress(OSError):
            os.pwrite(order, number.encode(), 0)
        return f"{number}-{secrets.token_hex(4)}{_ENDING}"

    def _begin_try(self, before: _Tries) -> bool:
        """Whether a report may be tried now; a try counts from its beginning, as it may end this process."""
        now, pause_seconds = time.time(), self.first_pause_seconds * 2**before.count
        # The clock may have been set back: nobody waits for longer than a pause.
        if now < before.next_at_seconds <= now + pause_seconds:
            return False
        reason = "the service ended while it was applied"
        self._note(_Tries(before.name, before.count + 1, now + pause_seconds, reason))
        return True

    def _tries_of(self, name: str) -> _Tries:
        if self._tries is None:
            try:
                self._tries = _Tries(**json.loads((self._directory / _TRIES).read_text()))
            except (OSError, ValueError, TypeError):
                self._tries = _Tries()
        return self._tries if self._tries.name == name else _Tries(name)

    def _note(self, tries: _Tries) -> None:
        self._tries = tries
        # A full disk is no reason not to empty it.
        with suppress(OSError):
            (self._directory / _TRIES).write_text(json.dumps(asdict(tries)))

    def _apply(self, database: Database, path: Path, read: inbox.Reader) -> None:
        """See to it that a report is applied, before or now, or in the inbox. Raises _Postponed."""
        try:
            spooled = _read(path)
        except OSError as error:
            raise _Postponed(f"its file cannot be read: {error.strerror}") from error
        if spooled is None:
            self._set_aside(path, "its file is damaged")
            return
        fault = _fault_of(database, lambda connection: _apply_once(connection, path.name, spooled, read))
        if fault is None:
            return
        log.error("write_failed", kind=spooled.kind, exc_info=fault)
        refused = Refused(
            Code.INTERNAL, "the server met a fault of its own when it applied what it had spooled"
        )
        fault = _fault_of(database, lambda connection: _keep(connection, spooled, refused))
        if fault is not None:
            log.error("not_kept", kind=spooled.kind, bytes=len(spooled.body), exc_info=fault)
            self._set_aside(path, "neither it nor its place in the inbox could be written: the log says why")

    def _set_aside(self, path: Path, reason: str) -> None:
        # A full disk is no reason to let those behind it wait.
        with suppress(OSError):
            path.with_suffix(_REASON).write_text(reason)
        path.rename(path.with_suffix(_ASIDE))
        self._sync()
        # It is another try when somebody puts it back.
        self._note(_Tries())
        log.error("report_set_aside", report=path.stem, reason=reason)

    @contextmanager
    def _locked(self, name: str) -> Iterator[int]:
        """The descriptor of the file of this name, which nobody else has meanwhile."""
        descriptor = os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ALONE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _sync(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _can_write(database: Database) -> bool:
    """Whether a transaction that nothing depends on goes through."""
    try:
        _forget(database, [])
    except Exception as error:
        log.info("spool_waits", reason=classify(error).reason)
        return False
    return True


def _described(path: Path) -> SetAside:
    person = kind = None
    with suppress(OSError, ValueError, KeyError, TypeError), path.open("rb") as file:
        head = json.loads(file.readline())
        person, kind = head["person"], head["kind"]
    reason = ""
    with suppress(OSError):
        reason = path.with_suffix(_REASON).read_text()
    return SetAside(path.stem, _arrived_at(path.name), person, kind, path.stat().st_size, reason)


def _write(path: Path, head: bytes, body: AnyBytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _OWNER_ALONE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(head + b"\n")
        compressor = zstandard.ZstdCompressor()
        with compressor.stream_writer(file, size=len(body), closefd=False) as compressed:
            for piece in pieces(body):
                compressed.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> Spooled | None:
    with path.open("rb") as file, Writer(path.parent) as body:
        try:
            said = json.loads(file.readline())
            claims = Claims(said["person"], said["token_id"])
            for piece in zstandard.ZstdDecompressor().read_to_iter(file):
                body.add(piece)
                if body.is_full:
                    body.flush()
            return Spooled(said["kind"], claims, body.finish())
        except (ValueError, KeyError, TypeError, zstandard.ZstdError):
            return None


def _fault_of(database: Database, work: Callable[[Connection], None]) -> Exception | None:
    """What a transaction met that it would meet again. Raises _Postponed where the same may succeed later."""
    try:
        database.write_once(work)
    except Exception as error:
        trouble = classify(error)
        if trouble.outcome not in (Outcome.PASSING, Outcome.BUSY):
            return error
        database.failed(trouble, error)
        raise _Postponed(trouble.reason, blames_report=not trouble.is_of_others) from error
    return None


def _apply_once(connection: Connection, name: str, spooled: Spooled, read: inbox.Reader) -> None:
    person_id, arrived_at = _person_id(connection, spooled.claims), _arrived_at(name)
    if person_id is not None:
        marks = select(SubmissionBatch.id).where(SubmissionBatch.key == _MARK + name)
        if connection.execute(marks).first() is not None:
            return
        mark = {"owner_id": person_id, "key": _MARK + name, "lines_done": 1}
        connection.execute(insert(SubmissionBatch).values(**mark, refused_lines="[]", updated_at=utc_now()))
    try:
        with connection.begin_nested():
            if person_id is None or not _may_write(connection, spooled.claims, arrived_at):
                raise Refused(Code.TOKEN_REVOKED, "the token was revoked or its person disabled")
            reports = read(spooled.kind, spooled.body)
            in_part = unlisted(inbox.apply_body(connection, reports, person_id, arrived_at))
            if in_part is not None:
                _keep(connection, spooled, in_part)
    except Refused as refused:
        _keep(connection, spooled, refused)


def _arrived_at(name: str) -> datetime:
    """When a file was put into the spool, by its name."""
    return datetime.fromtimestamp(int(name.partition("-")[0]) / 1e9, UTC)


def _keep(connection: Connection, spooled: Spooled, refused: Refused) -> None:
    inbox.add(connection, spooled.kind, spooled.body, refused, _person_id(connection, spooled.claims))


def _person_id(connection: Connection, claims: Claims) -> int | None:
    if claims.person == ANONYMOUS:
        return anonymous(connection)
    return connection.execute(select(Person.id).where(Person.name == claims.person)).scalar()


def _may_write(connection: Connection, claims: Claims, arrived_at: datetime) -> bool:
    """What could not be seen without the database: the person is not disabled, the token not revoked.

    A token that ended while its report waited was good when that came.
    """
    of_person = Person.name == claims.person, Person.disabled_at.is_(None)
    if claims.token_id is None:
        return connection.execute(select(Person.id).where(*of_person)).first() is not None
    of_token = Token.id == claims.token_id, Token.revoked_at.is_(None), is_current(arrived_at)
    scopes = select(Token.scopes).join(Person, Person.id == Token.person_id).where(*of_person, *of_token)
    found = connection.execute(scopes).scalar()
    return found is not None and allows(frozenset(found.split()), WRITE)


def _forget(database: Database, marks: list[str]) -> None:
    database.write_once(
        lambda connection: connection.execute(delete(SubmissionBatch).where(SubmissionBatch.key.in_(marks)))
    )
