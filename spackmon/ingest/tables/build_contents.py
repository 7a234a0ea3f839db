"""Which package versions builds contain: written with a build, kept as its spec's closure says.

A row that holds many builds (`sealing`) loses one by itself; what a build gains is a row of its own, whether
its chunk is sealed or not.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.models.builds import BUILDS_OF_CHUNK, SEALED

_INSERT = """
    INSERT INTO build_content (package_version_id, chunk, place, package_id, places)
    SELECT n.package_version_id, n.chunk, n.place, n.package_id, {places} FROM ({found}) n
    {ending}
"""


def _insert(found: str, ending: str) -> tuple[str, str]:
    """The statement of SQLite, and that of PostgreSQL, whose rows list their builds."""
    in_postgresql = "ARRAY[CAST(n.place AS smallint)]"
    return (
        _INSERT.format(places="NULL", found=found, ending=ending),
        _INSERT.format(places=in_postgresql, found=found, ending=ending),
    )


_ADD = tuple(
    map(
        Statement,
        _insert(
            f"""
            SELECT DISTINCT v.id AS package_version_id, CAST(:id AS bigint) / {BUILDS_OF_CHUNK} AS chunk,
                CAST(:id AS bigint) % {BUILDS_OF_CHUNK} AS place, v.package_id
            FROM closure c
            JOIN spec s ON s.id = c.descendant_id
            JOIN package_version v ON v.id = s.package_version_id
            WHERE c.ancestor_id = :spec_id
            """,  # noqa: S608 -- of our own constants
            "WHERE true ON CONFLICT DO NOTHING",
        ),
    )
)

# Each version is looked up in the key: an index of builds would cost every report.
_OF_ANY_VERSION = "package_version_id IN (SELECT v.id FROM package_version v)"

_FORGET = Statement(
    f"""
    DELETE FROM build_content
    WHERE {_OF_ANY_VERSION} AND chunk = CAST(:id AS bigint) / {BUILDS_OF_CHUNK}
        AND place = CAST(:id AS bigint) % {BUILDS_OF_CHUNK}
    """  # noqa: S608 -- as above
)

# In one order, so that two who forget builds of one chunk do not wait for each other.
_FORGET_SEALED = Statement(
    f"""
    WITH held AS MATERIALIZED (
        SELECT package_version_id, chunk, place FROM build_content
        WHERE {_OF_ANY_VERSION} AND chunk = CAST(:id AS bigint) / {BUILDS_OF_CHUNK} AND place = {SEALED}
            AND CAST(:id AS bigint) % {BUILDS_OF_CHUNK} = ANY (places)
        ORDER BY package_version_id
        FOR UPDATE
    )
    UPDATE build_content c
    SET places = array_remove(places, CAST(CAST(:id AS bigint) % {BUILDS_OF_CHUNK} AS smallint))
    FROM held h
    WHERE c.package_version_id = h.package_version_id AND c.chunk = h.chunk AND c.place = h.place
    """  # noqa: S608 -- as above
)

# Of the specs below, some came or went; other specs of the same version may be there still.
_CHANGED = f"""
    SELECT DISTINCT v.id AS package_version_id, b.id / {BUILDS_OF_CHUNK} AS chunk,
        b.id % {BUILDS_OF_CHUNK} AS place, v.package_id
    FROM {{input}} i
    JOIN build b ON b.spec_id = i.ancestor_id
    JOIN spec s ON s.id = i.descendant_id
    JOIN package_version v ON v.id = s.package_version_id
"""  # noqa: S608 -- as above

_IS_SEALED = f"""
    EXISTS (
        SELECT 1 FROM build_content c
        WHERE c.package_version_id = n.package_version_id AND c.chunk = n.chunk AND c.place = {SEALED}
            AND n.place = ANY (c.places)
    )
"""  # noqa: S608 -- as above

_GAIN = tuple(
    over_rows("ancestor_id bigint, descendant_id bigint", statement)
    for statement in (
        _insert(_CHANGED, "WHERE true ON CONFLICT DO NOTHING")[0],
        _insert(_CHANGED, f"WHERE NOT {_IS_SEALED} ON CONFLICT DO NOTHING")[1],
    )
)

_LOST = f"""
    SELECT n.package_version_id, n.chunk, n.place FROM ({_CHANGED}) n
    WHERE NOT EXISTS (
        SELECT 1 FROM build b
        JOIN closure k ON k.ancestor_id = b.spec_id
        JOIN spec s ON s.id = k.descendant_id
        WHERE b.id = CAST(n.chunk AS bigint) * {BUILDS_OF_CHUNK} + n.place
            AND s.package_version_id = n.package_version_id
    )
"""  # noqa: S608 -- as above

_LOSE = over_rows(
    "ancestor_id bigint, descendant_id bigint",
    f"DELETE FROM build_content WHERE (package_version_id, chunk, place) IN ({_LOST})",  # noqa: S608 -- as above
)

_LOSE_SEALED = over_rows(
    "ancestor_id bigint, descendant_id bigint",
    f"""
    WITH lost AS MATERIALIZED (
        SELECT l.package_version_id, l.chunk, array_agg(CAST(l.place AS smallint)) AS places
        FROM ({_LOST}) l GROUP BY 1, 2
    ), held AS MATERIALIZED (
        SELECT c.package_version_id, c.chunk, l.places AS lost FROM lost l
        JOIN build_content c ON c.package_version_id = l.package_version_id AND c.chunk = l.chunk
            AND c.place = {SEALED} AND c.places && l.places
        ORDER BY 1, 2
        FOR UPDATE OF c
    )
    UPDATE build_content c
    SET places = ARRAY(SELECT p FROM unnest(c.places) p WHERE p <> ALL (h.lost) ORDER BY p)
    FROM held h
    WHERE c.package_version_id = h.package_version_id AND c.chunk = h.chunk AND c.place = {SEALED}
    """,  # noqa: S608 -- as above
)


# What is stored of builds that are next to each other by their numbers, and what their specs' closures say.
_STORED = f"""
    SELECT c.package_version_id, CAST(c.chunk AS bigint) * {BUILDS_OF_CHUNK} + {{place}} AS build_id,
        c.package_id
    FROM package_version v JOIN build_content c ON c.package_version_id = v.id {{joined}}
    WHERE c.chunk BETWEEN CAST(:first_id AS bigint) / {BUILDS_OF_CHUNK}
        AND CAST(:last_id AS bigint) / {BUILDS_OF_CHUNK}
"""  # noqa: S608 -- as above

_WRONG = """
    WITH stored AS MATERIALIZED (
        SELECT s.package_version_id, s.build_id, s.package_id FROM ({stored}) s
        WHERE s.build_id BETWEEN :first_id AND :last_id
    ), stated AS MATERIALIZED (
        SELECT DISTINCT v.id AS package_version_id, b.id AS build_id, v.package_id
        FROM build b
        JOIN closure k ON k.ancestor_id = b.spec_id
        JOIN spec s ON s.id = k.descendant_id
        JOIN package_version v ON v.id = s.package_version_id
        WHERE b.id BETWEEN :first_id AND :last_id
    )
    SELECT b.id, COALESCE(b.spec_id, 0) AS spec_id FROM build b WHERE b.id IN (
        SELECT w.build_id FROM (SELECT * FROM stored EXCEPT SELECT * FROM stated) w
        UNION SELECT w.build_id FROM (SELECT * FROM stated EXCEPT SELECT * FROM stored) w
    )
    ORDER BY b.id
"""
_WRONG_BUILDS = tuple(
    Statement(_WRONG.format(stored=stored))
    for stored in (
        _STORED.format(place="c.place", joined=""),
        _STORED.format(place="p.place", joined="CROSS JOIN LATERAL unnest(c.places) AS p (place)"),
    )
)

_IS_OF_NO_BUILD = f"""
    NOT EXISTS (SELECT 1 FROM build b
        WHERE b.id = CAST(chunk AS bigint) * {BUILDS_OF_CHUNK} + {{place}} AND b.spec_id IS NOT NULL)
"""  # noqa: S608 -- as above
_FORGET_ORPHANS = Statement(
    f"DELETE FROM build_content WHERE place <> {SEALED} AND {_IS_OF_NO_BUILD.format(place='place')}"  # noqa: S608
    " RETURNING chunk"
)
_FORGET_SEALED_ORPHANS = Statement(
    f"""
    UPDATE build_content
    SET places = ARRAY(
        SELECT p FROM unnest(places) p WHERE NOT {_IS_OF_NO_BUILD.format(place="p")} ORDER BY p
    )
    WHERE place = {SEALED} AND EXISTS (
        SELECT 1 FROM unnest(places) p WHERE {_IS_OF_NO_BUILD.format(place="p")}
    )
    RETURNING chunk
    """  # noqa: S608 -- as above
)


def add_contents(connection: Connection, build_id: int, spec_id: int) -> None:
    """Write what a build contains that has nothing yet."""
    _ADD[not _is_sqlite(connection)].run(connection, id=build_id, spec_id=spec_id)


def forget_contents(connection: Connection, build_id: int) -> None:
    """Delete what a build contains."""
    _FORGET.run(connection, id=build_id)
    if not _is_sqlite(connection):
        _FORGET_SEALED.run(connection, id=build_id)


def change_contents(
    connection: Connection, lost: Iterable[tuple[int, int]], gained: Iterable[tuple[int, int]]
) -> None:
    """Make what the builds of specs contain right after their closures lost and gained specs.

    Both are pairs of a spec and one below it; the closures are written.
    """
    rows: Sequence[tuple[int, int]] = sorted(lost)
    # First the rows: what is sealed meanwhile is found in the second look, and nothing opens again.
    _LOSE.run(connection, rows)
    if not _is_sqlite(connection):
        _LOSE_SEALED.run(connection, rows)
    _GAIN[not _is_sqlite(connection)].run(connection, sorted(gained))


def wrong_contents(connection: Connection, build_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Those of some builds that contain other versions than is stored, with their specs; 0: it has none.

    `build_ids` are all that there are from the least to the largest.
    """
    if not build_ids:
        return []
    ends = {"first_id": min(build_ids), "last_id": max(build_ids)}
    statement = _WRONG_BUILDS[not _is_sqlite(connection)]
    return [(row.id, row.spec_id) for row in statement.run(connection, **ends)]


def forget_orphans(connection: Connection) -> int:
    """Delete what is stored of builds that are not there, or have no spec; how many rows were wrong."""
    found = len(_FORGET_ORPHANS.run(connection))
    return found if _is_sqlite(connection) else found + len(_FORGET_SEALED_ORPHANS.run(connection))


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
