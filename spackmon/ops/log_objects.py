"""Texts of logs go to the bucket and back, and objects that no log refers to are removed.

Reports know nothing of it: a log is written to the database, and moved when its runs have ended. The row of
an object is there before the object; this is written and read back; then one transaction puts references in
the place of the chunks. Whoever is interrupted leaves an object that no log refers to, and a row that says
so. An object that has none for an hour after it was begun never gets one.
"""

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.ingest.rows import LARGEST_ROW_ID, Statement, over_rows
from spackmon.log_bucket import LogBucket, Place
from spackmon.logs.references import Reference
from spackmon.models import utc_now
from spackmon.ops.one_at_a_time import LOG_OBJECTS, has_turn
from spackmon.settings import Settings

log = structlog.get_logger()

LEAST_BYTES = 16_384
"""Smaller logs stay in the database, where they take a page: an object costs a store more than that."""

_AT_ONCE, _THREADS = 40, 4
_CHUNKS_AT_ONCE = 16
_IDS_AT_ONCE = 5_000
_CLAIM = timedelta(hours=1)
_OBJECTS_AT_ONCE = 500
_UNKNOWN_FOR = timedelta(days=1)

_TO_MOVE = """
    l.id > :after AND l.id <= :upto AND l.object_id IS NULL AND l.removed_at IS NULL
    AND l.size_bytes >= :least_bytes
    AND EXISTS (SELECT 1 FROM phase p WHERE p.log_id = l.id)
    AND NOT EXISTS (
        SELECT 1 FROM phase p JOIN attempt a ON a.id = p.attempt_id
        WHERE p.log_id = l.id AND a.status = 'RUNNING'
    )
    AND NOT EXISTS (SELECT 1 FROM log_object o
        WHERE o.log_id = l.id AND o.made_at > :claimed_at AND o.unused_at IS NULL
    )
"""
_FIND = Statement(f"SELECT l.id, l.digest FROM log l WHERE {_TO_MOVE} ORDER BY l.id LIMIT :most")  # noqa: S608 -- of our own constants
_LAST = Statement("SELECT COALESCE(max(id), 0) AS id FROM log")
_BEGIN = over_rows(
    "log_id bigint, key text",
    "INSERT INTO log_object (log_id, key, made_at) SELECT i.log_id, i.key, :now FROM {input} i WHERE true"
    " ORDER BY i.log_id RETURNING id, log_id, key",
)
_CHUNKS = Statement(
    "SELECT number, content FROM log_chunk WHERE log_id = :log_id AND number >= :first AND number < :stop"
    " ORDER BY number"
)
_LOCK_OBJECT = Statement(
    "SELECT id FROM log_object WHERE id = :object_id AND unused_at IS NULL {lock}", lock="FOR UPDATE"
)
_REFER = Statement(
    "UPDATE log SET object_id = :object_id WHERE id = :log_id AND object_id IS NULL AND removed_at IS NULL"
    " RETURNING id"
)
_GIVE_UP = Statement("UPDATE log_object SET unused_at = :now WHERE id = :object_id")
_SET_SIZE = Statement("UPDATE log_object SET size_bytes = :size_bytes WHERE id = :object_id")
_REPLACE = over_rows(
    "number integer, content bytea",
    "UPDATE log_chunk SET content = i.content FROM {input} i"
    " WHERE log_chunk.log_id = :log_id AND log_chunk.number = i.number RETURNING log_chunk.number",
)
_COUNT_CHUNKS = Statement("SELECT count(*) AS chunks FROM log_chunk WHERE log_id = :log_id")
_MOVED = Statement(
    "SELECT l.id, l.object_id FROM log l WHERE l.object_id IS NOT NULL AND l.id > :after"
    " ORDER BY l.id LIMIT :most"
)
_BRING_BACK = Statement(
    "UPDATE log SET object_id = NULL WHERE id = :log_id AND object_id = :object_id RETURNING id"
)
_UNUSED = "NOT EXISTS (SELECT 1 FROM log l WHERE l.object_id = log_object.id)"
_SET_UNUSED = Statement(
    f"UPDATE log_object SET unused_at = :now WHERE unused_at IS NULL AND made_at < :claimed_at AND {_UNUSED}"  # noqa: S608 -- as above
)
_SET_USED = Statement(f"UPDATE log_object SET unused_at = NULL WHERE unused_at IS NOT NULL AND NOT {_UNUSED}")  # noqa: S608 -- as above
_OVER = Statement(
    f"SELECT id, key FROM log_object WHERE unused_at <= :before_at AND {_UNUSED} ORDER BY id LIMIT :most"  # noqa: S608 -- as above
)
_FORGET = over_rows("id bigint", "DELETE FROM log_object WHERE id IN (SELECT i.id FROM {input} i)")
_OBJECTS = Statement(
    f"SELECT id, key, CASE WHEN {_UNUSED} THEN 0 ELSE 1 END AS is_used FROM log_object"  # noqa: S608 -- as above
    " WHERE id > :after ORDER BY id LIMIT :most"
)
_STATE = Statement(
    f"""
    SELECT count(o.id) AS objects, COALESCE(sum(o.size_bytes), 0) AS size_bytes,
        (SELECT count(*) FROM log_object WHERE {_UNUSED}) AS unused
    FROM log l JOIN log_object o ON o.id = l.object_id
    """  # noqa: S608 -- as above
)
_WAITING = Statement(f"SELECT count(*) AS logs FROM log l WHERE {_TO_MOVE}")  # noqa: S608 -- as above


@dataclass(frozen=True, slots=True)
class _Begun:
    """An object that is to be written."""

    object_id: int
    log_id: int
    key: str


@dataclass(frozen=True, slots=True)
class State:
    """How many objects logs refer to, their bytes; how many none refers to, and logs that are to be moved."""

    objects: int
    size_bytes: int
    unused: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Checked:
    """How many objects the bucket has, those of no row, and of logs that it has not."""

    objects: int
    unknown: Sequence[str]
    missing: Sequence[str]


def bucket_of(settings: Settings) -> LogBucket | None:
    """The bucket of the settings, if there is one. Raises Refused LOG_STORE_MISSING, SETTING_INVALID."""
    if settings.log_bucket is None:
        return None
    access, secret = settings.log_bucket_access_key, settings.log_bucket_secret_key
    if (access is None) != (secret is None):
        sentence = "LOG_BUCKET_ACCESS_KEY and LOG_BUCKET_SECRET_KEY are set together or not at all"
        raise Refused(Code.SETTING_INVALID, sentence)
    keys = (
        None if access is None or secret is None else (access.get_secret_value(), secret.get_secret_value())
    )
    return LogBucket(
        Place(
            settings.log_bucket, settings.log_bucket_endpoint, settings.log_bucket_region,
            settings.log_bucket_prefix, keys,
        )
    )  # fmt: skip


def move_all(database: Database, bucket: LogBucket, now: datetime | None = None) -> Iterator[int]:
    """Move the logs that can be, some at a time; how many each time. Raises Refused LOG_UNAVAILABLE."""
    now = now or utc_now()
    last = int(database.look_once(_LAST.run)[0].id)
    with ThreadPoolExecutor(_THREADS, "logs-to-bucket") as threads:
        for after in range(0, last, _IDS_AT_ONCE):
            work = partial(_begin, bucket=bucket, after=after, now=now)
            while database.look_once(partial(_find, after=after, upto=after + _IDS_AT_ONCE, now=now, most=1)):
                begun = database.write(work)
                if not begun:
                    break
                yield sum(threads.map(partial(_move, database, bucket), begun))


def _find(connection: Connection, after: int, upto: int, now: datetime, most: int) -> Sequence[Row[Any]]:
    return _FIND.run(
        connection, after=after, upto=upto, least_bytes=LEAST_BYTES, claimed_at=now - _CLAIM, most=most
    )


def _begin(connection: Connection, bucket: LogBucket, after: int, now: datetime) -> list[_Begun]:
    """Write down which objects are to be made; nobody else makes them within the hour."""
    if not has_turn(connection, LOG_OBJECTS):
        return []
    found = _find(connection, after, after + _IDS_AT_ONCE, now, _AT_ONCE)
    rows = [(row.id, bucket.key_of(bytes(row.digest), secrets.token_hex(4))) for row in found]
    return [_Begun(row.id, row.log_id, row.key) for row in _BEGIN.run(connection, rows, now=utc_now())]


def _move(database: Database, bucket: LogBucket, begun: _Begun) -> bool:
    """Write an object and refer to it; whether the log was still there, and here."""
    references: list[tuple[int, bytes]] = []
    try:
        size_bytes = bucket.put(begun.key, _contents(database, begun, references))
    except Refused:
        database.write(partial(_GIVE_UP.run, object_id=begun.object_id, now=utc_now()))
        raise
    return database.write(partial(_refer, begun=begun, references=references, size_bytes=size_bytes))


def _contents(database: Database, begun: _Begun, references: list[tuple[int, bytes]]) -> Iterator[bytes]:
    """What the object is made of; `references` grows by those to it."""
    start = 0
    while rows := database.look_once(
        lambda connection: _CHUNKS.run(
            connection, log_id=begun.log_id, first=len(references), stop=len(references) + _CHUNKS_AT_ONCE
        )
    ):
        for row in rows:
            content = bytes(row.content)
            references.append((row.number, Reference.to(begun.key, start, content).written))
            start += len(content)
            yield content


def _refer(
    connection: Connection, begun: _Begun, references: Sequence[tuple[int, bytes]], size_bytes: int
) -> bool:
    # A log whose text went and came back meanwhile has equal chunks: they follow from its bytes.
    is_whole = len(references) == _COUNT_CHUNKS.run(connection, log_id=begun.log_id)[0].chunks
    if not is_whole or not references or not _LOCK_OBJECT.run(connection, object_id=begun.object_id):
        return False
    if not _REFER.run(connection, object_id=begun.object_id, log_id=begun.log_id):
        return False
    _SET_SIZE.run(connection, object_id=begun.object_id, size_bytes=size_bytes)
    replaced = _REPLACE.run(connection, references, log_id=begun.log_id)
    if len(replaced) != len(references):
        raise RuntimeError("a log lost chunks while it was moved")
    return True


def bring_all_back(database: Database, bucket: LogBucket) -> Iterator[int]:
    """Move logs back into the database, some at a time. Raises Refused LOG_UNAVAILABLE."""
    after = 0
    while rows := database.look_once(partial(_moved, after=after)):
        yield sum(_bring_back(database, bucket, row.id, row.object_id) for row in rows)
        after = rows[-1].id


def _moved(connection: Connection, after: int) -> Sequence[Row[Any]]:
    return _MOVED.run(connection, after=after, most=_AT_ONCE)


def _bring_back(database: Database, bucket: LogBucket, log_id: int, object_id: int) -> bool:
    stored = database.look_once(
        lambda connection: _CHUNKS.run(connection, log_id=log_id, first=0, stop=2**31 - 1)
    )
    contents = [(row.number, bucket.content(bytes(row.content))) for row in stored]

    def put(connection: Connection) -> bool:
        if not _BRING_BACK.run(connection, log_id=log_id, object_id=object_id):
            return False
        _REPLACE.run(connection, contents, log_id=log_id)
        return True

    return database.write(put)


def remove_unused(
    database: Database, bucket: LogBucket, kept_days: int, now: datetime | None = None
) -> Iterator[int]:
    """Remove objects that no log has referred to for so many days. Raises Refused LOG_UNAVAILABLE."""
    now = now or utc_now()
    database.write(partial(_note_unused, now=now))
    before = now - timedelta(days=kept_days)
    while rows := database.look_once(partial(_OVER.run, before_at=before, most=_OBJECTS_AT_ONCE)):
        # The object first: a row without one is found again, an object without a row is not.
        bucket.delete([row.key for row in rows])
        database.write(partial(_FORGET.run, rows=[(row.id,) for row in rows]))
        yield len(rows)


def _note_unused(connection: Connection, now: datetime) -> None:
    _SET_UNUSED.run(connection, now=now, claimed_at=now - _CLAIM)
    # PostgreSQL's first statement sees no log that began to refer to an object while it waited for its row.
    _SET_USED.run(connection)


def state(connection: Connection) -> State:
    """What is in the bucket, by the database."""
    found = _STATE.run(connection)[0]
    waiting = _WAITING.run(
        connection, after=0, upto=LARGEST_ROW_ID, least_bytes=LEAST_BYTES, claimed_at=utc_now() - _CLAIM
    )
    return State(found.objects, int(found.size_bytes), found.unused, waiting[0].logs)


def check(database: Database, bucket: LogBucket, now: datetime | None = None) -> Checked:
    """Compare the bucket with the database. Objects of today may be newer than what is read of this.

    Raises Refused LOG_UNAVAILABLE.
    """
    young = (now or utc_now()) - _UNKNOWN_FOR
    listed = {one.key: one.changed_at for one in bucket.listed()}
    known: dict[str, bool] = {}
    after = 0
    while rows := database.look_once(partial(_OBJECTS.run, after=after, most=_IDS_AT_ONCE)):
        known |= {row.key: bool(row.is_used) for row in rows}
        after = rows[-1].id
    unknown = sorted(key for key, changed_at in listed.items() if key not in known and changed_at < young)
    missing = sorted(key for key, is_used in known.items() if is_used and key not in listed)
    return Checked(len(listed), unknown, missing)
