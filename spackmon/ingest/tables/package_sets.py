"""Which packages stand below each spec, as sets that specs share, and the facets that builds are of by them.

A set follows from a spec's closure, whoever writes that writes it. Of what an older version stored a service
looks at some specs at a time, and then at each facet of which it is not known: docs/decisions/0012-facts.md.
"""

from collections.abc import Iterable, Mapping, Set
from hashlib import sha1

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_packages, own_graphs
from spackmon.ingest.rows import Statement, insert_missing, over_rows
from spackmon.ingest.tables.facets import count_builds, count_builds_of
from spackmon.ingest.tables.revisions import specs_change

_SPECS_AT_ONCE = 500

_SETS = insert_missing("package_set", "digest bytea", ["digest"], returning="digest, id")

_MEMBERS = over_rows(
    "name text, package_set_id bigint",
    """
    INSERT INTO package_set_member (package_id, package_set_id)
    SELECT p.id, i.package_set_id FROM {input} i JOIN package p ON p.name = i.name
    """,
)

_NAMES = over_rows(
    "id bigint",
    """
    SELECT s.id, p.name FROM {input} i JOIN spec s ON s.id = i.id
    JOIN package_version v ON v.id = s.package_version_id JOIN package p ON p.id = v.package_id
    """,
)

_OTHERS = over_rows(
    "spec_id bigint, digest bytea",
    """
    SELECT s.id, k.id AS package_set_id, s.package_set_id IS NOT NULL AS was_known
    FROM {input} i JOIN spec s ON s.id = i.spec_id JOIN package_set k ON k.digest = i.digest
    WHERE s.package_set_id IS DISTINCT FROM k.id
    """,
)

_SET = over_rows(
    "spec_id bigint, package_set_id bigint",
    "UPDATE spec SET package_set_id = i.package_set_id FROM {input} i WHERE spec.id = i.spec_id",
)

_UNKNOWN = Statement(
    f"SELECT id FROM spec WHERE package_set_id IS NULL ORDER BY id LIMIT {_SPECS_AT_ONCE}"  # noqa: S608 -- ours
)

_BELOW = over_rows(
    "id bigint",
    """
    SELECT DISTINCT i.id, p.name FROM {input} i JOIN closure c ON c.ancestor_id = i.id
    JOIN spec s ON s.id = c.descendant_id
    JOIN package_version v ON v.id = s.package_version_id JOIN package p ON p.id = v.package_id
    """,
)

_FACET = Statement(
    """
    SELECT f.id, f.package_id FROM build_facet f WHERE f.package_set_id = 0 AND f.package_version_id <> 0
        AND EXISTS (SELECT 1 FROM build b WHERE b.facet_id = f.id)
    ORDER BY f.id LIMIT 1
    """
)

# The most common first.
_SETS_OF_FACET = Statement(
    """
    SELECT s.package_set_id FROM build b JOIN spec s ON s.id = b.spec_id
    WHERE b.facet_id = :facet_id AND s.package_set_id IS NOT NULL
    GROUP BY s.package_set_id ORDER BY count(*) DESC, s.package_set_id LIMIT 1
    """
)

_SAME = Statement(
    """
    SELECT o.id FROM build_facet f JOIN build_facet o ON o.package_id = f.package_id
        AND o.package_version_id = f.package_version_id AND o.compiler_id = f.compiler_id
        AND o.architecture_id = f.architecture_id AND o.status = f.status
        AND o.installed_from = f.installed_from AND o.package_set_id = :package_set_id
    WHERE f.id = :facet_id
    """
)

_NAME_FACET = Statement("UPDATE build_facet SET package_set_id = :package_set_id WHERE id = :facet_id")

_BUILDS = Statement(
    """
    SELECT b.id FROM build b LEFT JOIN spec s ON s.id = b.spec_id
    WHERE b.facet_id = :facet_id AND COALESCE(s.package_set_id, 0) <> :package_set_id
    UNION SELECT id FROM build WHERE facet_id = :other_id
    """
)

_NO_ROW = 0


def digest_of_set(names: Set[str]) -> bytes:
    """What names a set of packages."""
    return sha1("\n".join(sorted(names)).encode(), usedforsecurity=False).digest()


def insert_sets(connection: Connection, sets: Iterable[Set[str]]) -> None:
    """Make sure that sets of packages, which are there, have rows.

    Whoever writes a set writes its members in the same transaction; another waits for both.
    """
    by_digest = {digest_of_set(names): names for names in sets}
    written = _SETS.run(connection, sorted((digest,) for digest in by_digest))
    _MEMBERS.run(
        connection, sorted((name, set_id) for digest, set_id in written for name in by_digest[bytes(digest)])
    )


def write_sets(connection: Connection, below: Mapping[int, Set[int]]) -> int:
    """Say of specs which others are below each, and count their builds so; how many said something else.

    Who calls this owns the graphs (`locks`), or has just created these specs.
    """
    every = set(below).union(*below.values())
    name_of = {row.id: row.name for row in _NAMES.run(connection, sorted((one,) for one in every))}
    names_below = {one: {name_of[other] for other in under} for one, under in below.items()}
    others = _differing(connection, names_below)
    count_builds_of(connection, [spec_id for spec_id, _, _ in others])
    return sum(was_known for _, _, was_known in others)


def _differing(connection: Connection, names_below: Mapping[int, Set[str]]) -> list[tuple[int, int, bool]]:
    insert_sets(connection, names_below.values())
    rows = sorted((spec_id, digest_of_set(names)) for spec_id, names in names_below.items())
    others = [(row.id, row.package_set_id, bool(row.was_known)) for row in _OTHERS.run(connection, rows)]
    _SET.run(connection, [other[:2] for other in others])
    return others


def are_unknown(connection: Connection) -> bool:
    """Whether of any spec or facet it is not known which packages are below."""
    return bool(_UNKNOWN.run(connection) or _FACET.run(connection))


def learn_some(connection: Connection) -> int:
    """Look at some specs of which it is not known, or else at one such facet; 0 where there are none."""
    own_graphs(connection)
    ids = [row.id for row in _UNKNOWN.run(connection)]
    if not ids:
        return _learn_facet(connection)
    specs_change(connection)
    names_below: dict[int, set[str]] = {spec_id: set() for spec_id in ids}
    for row in _BELOW.run(connection, [(spec_id,) for spec_id in ids]):
        names_below[row.id].add(row.name)
    # Their builds are counted with their facets: most of these stay as they are.
    return len(_differing(connection, names_below))


def _learn_facet(connection: Connection) -> int:
    """Let a facet be that of the set that most of its builds have, and find the others theirs."""
    found = _FACET.run(connection)
    if not found:
        return 0
    ((facet_id, package_id),) = found
    lock_packages(connection, [package_id])
    ((set_id,),) = _SETS_OF_FACET.run(connection, facet_id=facet_id)
    # Builds that came meanwhile have made it already.
    same = _SAME.run(connection, facet_id=facet_id, package_set_id=set_id)
    other_id = same[0].id if same else _NO_ROW
    for one, name in ((other_id, -1), (facet_id, set_id), (other_id, 0)):
        _NAME_FACET.run(connection, facet_id=one, package_set_id=name)
    builds = _BUILDS.run(connection, facet_id=facet_id, package_set_id=set_id, other_id=other_id)
    count_builds(connection, [row.id for row in builds])
    return 1
