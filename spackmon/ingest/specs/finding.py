"""Stored specs by what names them: the spec that a source means by a hash, and the names of specs."""

from collections.abc import Iterable

from sqlalchemy import Connection

from spackmon.ingest.rows import Row, Statement, over_rows

# A hash may name several specs: 0.16 and 0.17 have one `hash` for several `full_hash`es. Which of them stands
# for it must not depend on which one came first.
_FIND_SPEC = Statement(
    """
    SELECT s.id, s.hash, s.is_public, p.name, p.id AS package_id
    FROM spec_hash h
    JOIN spec s ON s.id = h.spec_id
    JOIN package_version v ON v.id = s.package_version_id
    JOIN package p ON p.id = v.package_id
    WHERE h.value = :value AND (:spec_id = 0 OR s.id = :spec_id)
    ORDER BY CASE WHEN h.kind = :kind THEN 0 ELSE 1 END,
        CASE WHEN s.hash = h.value AND s.hash_kind = h.kind THEN 0 ELSE 1 END, s.hash, s.hash_kind
    LIMIT 1
    """
)

_NAMES = over_rows(
    "id bigint",
    """
    SELECT s.id, s.hash, p.name FROM spec s
    JOIN package_version v ON v.id = s.package_version_id
    JOIN package p ON p.id = v.package_id
    WHERE s.id IN (SELECT i.id FROM {input} i)
    """,
)

_SPEC_HASH = Statement("SELECT hash FROM spec WHERE id = :spec_id")


def find_spec(
    connection: Connection, shown_hash: str, hash_kind: str | None = None, spec_id: int = 0
) -> Row | None:
    """The spec that a source means by a hash: its `id`, `hash`, `name` and `package_id`.

    `hash_kind` is the kind of the hash, if the source says it; `spec_id` which spec it is, if that has the
    hash. Of several specs that show the hash, it is the one whose own it is, else the first by their hashes.
    """
    found = _FIND_SPEC.run(connection, value=shown_hash, kind=hash_kind or "", spec_id=spec_id)
    return found[0] if found else None


def names_of_specs(connection: Connection, spec_ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """The hashes and the names of specs, by their ids."""
    rows = _NAMES.run(connection, sorted({(spec_id,) for spec_id in spec_ids}))
    return {row.id: (row.hash, row.name) for row in rows}


def hash_of_spec(connection: Connection, spec_id: int | None) -> str | None:
    """The hash by which a spec is known."""
    found = () if spec_id is None else _SPEC_HASH.run(connection, spec_id=spec_id)
    return found[0].hash if found else None
