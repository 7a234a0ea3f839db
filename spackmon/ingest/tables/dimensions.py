"""What specs are made of: packages, versions, compilers, architectures, parameters.

Rows are written in the order of their natural keys and tables always in the same order: two clients that post
overlapping graphs would otherwise wait for each other.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import itemgetter

from sqlalchemy import Connection

from spackmon.graph.parameters import parameter_rows
from spackmon.graph.spec import SpecNode
from spackmon.graph.versions import version_key
from spackmon.ingest.rows import Statement, insert_missing, insert_rows, over_rows
from spackmon.ingest.tables.revisions import specs_change

JOINED_DIMENSIONS = """FROM {input} i
    JOIN package p ON p.name = i.name
    JOIN package_version v ON v.package_id = p.id AND v.version = i.version
    LEFT JOIN compiler c ON c.name = i.compiler_name AND c.version = i.compiler_version
    JOIN target t ON t.digest = i.target_digest
    JOIN architecture a ON a.platform = i.platform AND a.operating_system = i.operating_system
        AND a.target_id = t.id
    JOIN parameter_set ps ON ps.digest = i.parameters_digest"""
"""The rows that a spec or a document, given as a row of `{input}`, names: `v`, `c`, `a` and `ps`."""

_PACKAGES = insert_missing("package", "name text", ["name"])

_UNKNOWN_PACKAGES = over_rows(
    "name text",
    "SELECT 1 FROM {input} i WHERE NOT EXISTS (SELECT 1 FROM package p WHERE p.name = i.name) LIMIT 1",
)

# As `insert_missing`, where the key is of another table.
_VERSIONS = over_rows(
    "name text, version text, version_key bytea",
    """
    INSERT INTO package_version (package_id, version, version_key)
    SELECT p.id, i.version, i.version_key
    FROM {input} i JOIN package p ON p.name = i.name
    WHERE NOT EXISTS (
        SELECT 1 FROM package_version v WHERE v.package_id = p.id AND v.version = i.version
    )
    ORDER BY i.name, i.version
    ON CONFLICT DO NOTHING
    """,
)

_COMPILERS = insert_missing("compiler", "name text, version text, version_key bytea", ["name", "version"])

_TARGETS = insert_missing(
    "target",
    "digest bytea, name text, vendor text, generation integer, features text, parents text",
    ["digest"],
)

_ARCHITECTURES = over_rows(
    "platform text, operating_system text, target_digest bytea",
    """
    INSERT INTO architecture (platform, operating_system, target_id)
    SELECT i.platform, i.operating_system, t.id
    FROM {input} i JOIN target t ON t.digest = i.target_digest
    WHERE NOT EXISTS (
        SELECT 1 FROM architecture a
        WHERE a.platform = i.platform AND a.operating_system = i.operating_system AND a.target_id = t.id
    )
    ORDER BY i.platform, i.operating_system, i.target_digest
    ON CONFLICT DO NOTHING
    """,
)

_PARAMETER_SETS = insert_missing(
    "parameter_set", "digest bytea, document text", ["digest"], returning="digest, id"
)

_PACKAGE_HASHES = insert_missing("package_hash", "value text", ["value"])

_PACKAGE_ID = Statement("SELECT id FROM package WHERE name = :name")

_PARAMETERS = insert_rows("parameter", "name text, value text, parameter_set_id bigint")


def get_or_create_packages(connection: Connection, names: Iterable[str]) -> None:
    """Make sure that there are packages with these names, of which there may be no spec."""
    rows = sorted({(name,) for name in names})
    if _UNKNOWN_PACKAGES.run(connection, rows):
        specs_change(connection)
        _PACKAGES.run(connection, rows)


def package_id_of(connection: Connection, name: str) -> int:
    """The id of a package, which is there."""
    package_id: int = _PACKAGE_ID.run(connection, name=name)[0].id
    return package_id


def insert_dimensions(
    connection: Connection, nodes: Iterable[SpecNode], compilers: Iterable[tuple[str, str]]
) -> None:
    """Make sure that what `nodes` are made of is there, and `compilers`, each a name with a version."""
    nodes = list(nodes)
    digests = {
        document: digest_of(document)
        for document in {n.target.document for n in nodes} | {n.parameters for n in nodes}
    }
    _insert_named(connection, nodes, compilers, digests)
    insert_package_hashes(connection, (node.package_hash for node in nodes))
    _insert_parameters(connection, {node.parameters: digests[node.parameters] for node in nodes})


def insert_package_hashes(connection: Connection, values: Iterable[str | None]) -> None:
    """Make sure that these hashes of packages are there."""
    _PACKAGE_HASHES.run(connection, sorted({(value,) for value in values if value is not None}))


def _insert_parameters(connection: Connection, digests: Mapping[str, bytes]) -> None:
    """Insert what is new of parameters, given as their JSON with its digest.

    Whoever writes a set writes its elements in the same transaction; another waits for both.
    """
    documents = {digest: document for document, digest in digests.items()}
    written = _PARAMETER_SETS.run(connection, sorted(documents.items()))
    set_ids: dict[tuple[str, str], list[int]] = {}
    for digest, set_id in sorted(written, key=itemgetter(1)):
        for row in parameter_rows(documents[digest]):
            set_ids.setdefault(row, []).append(set_id)
    _PARAMETERS.run(connection, [(*row, set_id) for row in sorted(set_ids) for set_id in set_ids[row]])


def _insert_named(
    connection: Connection,
    nodes: list[SpecNode],
    compilers: Iterable[tuple[str, str]],
    digests: Mapping[str, bytes],
) -> None:
    _PACKAGES.run(connection, sorted({(node.name,) for node in nodes}))
    _VERSIONS.run(
        connection,
        [
            (name, version, version_key(version))
            for name, version in sorted({(n.name, n.version) for n in nodes})
        ],
    )
    _COMPILERS.run(
        connection, [(name, version, version_key(version)) for name, version in sorted(set(compilers))]
    )
    targets = {digests[node.target.document]: node.target for node in nodes}
    _TARGETS.run(
        connection,
        [
            (
                digest, target.name, target.vendor, target.generation,
                list_text(target.features), list_text(target.parents),
            )
            for digest, target in sorted(targets.items(), key=lambda item: item[0])
        ],
    )  # fmt: skip
    _ARCHITECTURES.run(
        connection,
        sorted({(node.platform, node.operating_system, digests[node.target.document]) for node in nodes}),
    )


def digest_of(document: str) -> bytes:
    """The SHA-1 of a document."""
    return hashlib.sha1(document.encode(), usedforsecurity=False).digest()


# Edges by the hundred thousand share a few lists of virtuals, and architectures a few of features.
@lru_cache(maxsize=1024)
def list_text(texts: tuple[str, ...]) -> str:
    """Texts as compact JSON."""
    # Compact, as filters by an element expect it.
    return json.dumps(texts, separators=(",", ":"))
