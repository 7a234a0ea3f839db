"""Builds that were reported with a hash of no known spec: whoever stores that spec asks for them."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from spackmon.ingest.rows import over_rows

# Hardly any source has such a hash: a look into an index that is all but empty.
_WAITING = over_rows(
    "value text",
    """
    SELECT DISTINCT s.build_id, s.spec_hash, b.package_id
    FROM {input} i
    JOIN build_source s ON s.spec_hash = i.value
    JOIN build b ON b.id = s.build_id
    WHERE b.spec_id IS NULL
    ORDER BY s.build_id
    """,
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A build that was reported with a hash of no known spec."""

    build_id: int
    spec_hash: str
    package_id: int | None


def waiting_for(connection: Connection, hashes: Iterable[str]) -> list[Waiting]:
    """The builds that wait for a spec with one of these hashes."""
    rows = _WAITING.run(connection, sorted({(value,) for value in hashes}))
    return [Waiting(*row) for row in rows]
