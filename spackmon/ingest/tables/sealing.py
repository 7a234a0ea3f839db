"""Old builds' contents take a fiftieth of the room: of a whole chunk, each package version becomes one row.

PostgreSQL spends 115 bytes on a row with its indexes, and a build contains some thirty versions. What is
sealed is read, and changes, as other rows do (`build_contents`): nothing depends on when that happens.
A chunk waits until builds of two others have begun: then hardly a report writes into it. SQLite, where a
row takes eight times less, is left as it is.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement
from spackmon.models.builds import BUILDS_OF_CHUNK, SEALED

_OPEN_CHUNKS = 2

_LAST_SEALED = f"""
    SELECT max(last.chunk) FROM package_version v CROSS JOIN LATERAL (
        SELECT c.chunk FROM build_content c WHERE c.package_version_id = v.id AND c.place = {SEALED}
        ORDER BY c.chunk DESC LIMIT 1
    ) last
"""  # noqa: S608 -- of our own constants

_FULL = Statement(
    f"""
    SELECT chunk FROM generate_series(
        COALESCE(({_LAST_SEALED}) + 1, (SELECT min(id) FROM build) / {BUILDS_OF_CHUNK}),
        (SELECT max(id) FROM build) / {BUILDS_OF_CHUNK} - {_OPEN_CHUNKS}
    ) AS chunk
    ORDER BY chunk
    """  # noqa: S608 -- as above
)

SEAL = f"""
    WITH opened AS (
        DELETE FROM build_content c USING package_version v
        WHERE c.package_version_id = v.id AND c.chunk = :chunk AND c.place <> {SEALED}
        RETURNING c.package_version_id, c.package_id, c.place
    )
    INSERT INTO build_content (package_version_id, chunk, place, package_id, places)
    SELECT o.package_version_id, :chunk, {SEALED}, o.package_id, array_agg(o.place ORDER BY o.place)
    FROM opened o
    GROUP BY o.package_version_id, o.package_id
    ORDER BY o.package_version_id
    ON CONFLICT (package_version_id, chunk, place) DO UPDATE SET places = ARRAY(
        SELECT p FROM unnest(build_content.places || excluded.places) p ORDER BY p
    )
"""  # noqa: S608 -- as above
_SEAL = Statement(SEAL)


def full_chunks(connection: Connection) -> Sequence[int]:
    """The chunks that can be sealed and are not, the oldest first."""
    if connection.dialect.name == "sqlite":
        return ()
    return [row.chunk for row in _FULL.run(connection)]


def seal(connection: Connection, chunk: int) -> None:
    """Put the contents of all builds of a chunk together, one row for each package version."""
    _SEAL.run(connection, chunk=chunk)
