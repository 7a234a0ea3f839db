"""Who told about an attempt: whatever comes from the same source later is about the same one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from spackmon.formats.submission import Source
from spackmon.ingest.rows import Statement
from spackmon.status import SourceKind

_FIND = Statement(
    """
    SELECT s.id, s.build_id, s.attempt_id, b.package_id
    FROM build_source s JOIN build b ON b.id = s.build_id
    WHERE s.kind = :kind AND s.key = :key AND (s.owner_id = :owner_id OR :across_owners = 1)
    ORDER BY CASE WHEN s.owner_id = :owner_id THEN 0 ELSE 1 END, s.id
    LIMIT 1
    """
)

_INSERT = Statement(
    """
    INSERT INTO build_source (
        build_id, attempt_id, owner_id, kind, key, spec_hash, first_reported_at, last_reported_at
    )
    VALUES (:build_id, :attempt_id, :owner_id, :kind, :key, :spec_hash, :now, :now)
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)

_TOUCH = Statement("UPDATE build_source SET last_reported_at = :now WHERE id = :source_id")

_NOTE_HASH = Statement(
    """
    UPDATE build_source SET spec_hash = :unknown_hash
    WHERE id = :source_id AND spec_hash IS NULL
        AND EXISTS (SELECT 1 FROM build b WHERE b.id = build_source.build_id AND b.spec_id IS NULL)
    RETURNING id
    """
)


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source that told about an attempt, and the package of its build as far as that is known."""

    id: int
    build_id: int
    attempt_id: int
    package_id: int | None


def ms1_source(build_id: int, attempt_number: int) -> Source:
    """What a client of ms1, which names no run of its own, tells about an attempt that it begins."""
    return Source(SourceKind.MS1, f"{build_id}/{attempt_number}")


def find_source(
    connection: Connection, source: Source, owner_id: int, across_owners: bool
) -> KnownSource | None:
    """Where a source belongs, if anything came from it before."""
    found = _FIND.run(
        connection, kind=source.kind.value, key=source.key, owner_id=owner_id,
        across_owners=int(across_owners),
    )  # fmt: skip
    return KnownSource(*found[0]) if found else None


def add_source(
    connection: Connection, source: Source, owner_id: int, run: tuple[int, int], spec_hash: str | None,
    now: datetime,
) -> bool:  # fmt: skip
    """Note that a source tells about `run`, a build and its attempt; false if somebody was faster.

    `spec_hash` is what it calls a spec that is not known.
    """
    build_id, attempt_id = run
    added = _INSERT.run(
        connection, build_id=build_id, attempt_id=attempt_id, owner_id=owner_id, kind=source.kind.value,
        key=source.key, spec_hash=spec_hash, now=now,
    )  # fmt: skip
    return bool(added)


def touch_source(connection: Connection, source_id: int, now: datetime) -> None:
    """Note that a known source told something new."""
    _TOUCH.run(connection, source_id=source_id, now=now)


def note_hash(connection: Connection, source_id: int, unknown_hash: str) -> bool:
    """Note the hash of a build's spec that a known source tells only now; whether that is new."""
    return bool(_NOTE_HASH.run(connection, source_id=source_id, unknown_hash=unknown_hash))
