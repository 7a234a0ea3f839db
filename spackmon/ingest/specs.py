"""Spec graphs into tables: insert-only, because a spec never changes once it is known.

Rows are written in the order of their natural keys and tables always in the same order: two clients
that post overlapping graphs would otherwise wait for each other.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row

from spackmon.graph.closure import descendants, seen_by_caret
from spackmon.graph.parameters import parameter_rows
from spackmon.graph.spec import SpecGraph, SpecNode
from spackmon.graph.versions import version_key
from spackmon.ingest.claims import waiting_for
from spackmon.ingest.rows import Statement, over_rows
from spackmon.models import utc_now

SpecKey = tuple[str, str]
"""An identity: hash and kind."""

_KNOWN = over_rows(
    "hash text, hash_kind text",
    """
    SELECT s.hash, s.hash_kind, s.id, d.digest
    FROM {input} i
    JOIN spec s ON s.hash = i.hash AND s.hash_kind = i.hash_kind
    LEFT JOIN spec_document d ON d.spec_id = s.id
    """,
)

# The anti-joins are not for correctness (ON CONFLICT is): a conflict burns a row number and a dead row.
_PACKAGES = over_rows(
    "name text",
    """
    INSERT INTO package (name)
    SELECT i.name FROM {input} i
    WHERE NOT EXISTS (SELECT 1 FROM package p WHERE p.name = i.name)
    ORDER BY i.name
    ON CONFLICT DO NOTHING
    """,
)

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

_COMPILERS = over_rows(
    "name text, version text, version_key bytea",
    """
    INSERT INTO compiler (name, version, version_key)
    SELECT i.name, i.version, i.version_key FROM {input} i
    WHERE NOT EXISTS (SELECT 1 FROM compiler c WHERE c.name = i.name AND c.version = i.version)
    ORDER BY i.name, i.version
    ON CONFLICT DO NOTHING
    """,
)

_TARGETS = over_rows(
    "digest bytea, name text, vendor text, generation integer, features text, parents text",
    """
    INSERT INTO target (digest, name, vendor, generation, features, parents)
    SELECT i.digest, i.name, i.vendor, i.generation, i.features, i.parents FROM {input} i
    WHERE NOT EXISTS (SELECT 1 FROM target t WHERE t.digest = i.digest)
    ORDER BY i.digest
    ON CONFLICT DO NOTHING
    """,
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

_PARAMETER_SETS = over_rows(
    "digest bytea, document text",
    """
    INSERT INTO parameter_set (digest, document)
    SELECT i.digest, i.document FROM {input} i
    WHERE NOT EXISTS (SELECT 1 FROM parameter_set s WHERE s.digest = i.digest)
    ORDER BY i.digest
    ON CONFLICT DO NOTHING
    RETURNING digest, id
    """,
)

_PARAMETERS = over_rows(
    "name text, value text, parameter_set_id bigint",
    """
    INSERT INTO parameter (name, value, parameter_set_id)
    SELECT i.name, i.value, i.parameter_set_id FROM {input} i
    """,
)

_SPECS = over_rows(
    "hash text, hash_kind text, name text, version text, namespace text, compiler_name text, "
    "compiler_version text, platform text, operating_system text, target_digest bytea, "
    "parameters_digest bytea, package_hash text, external text",
    """
    INSERT INTO spec (
        hash, hash_kind, package_version_id, namespace, compiler_id, architecture_id, parameter_set_id,
        package_hash, external, format_version, spack_version, recorded_at
    )
    SELECT i.hash, i.hash_kind, v.id, i.namespace, c.id, a.id, ps.id,
        i.package_hash, i.external, :format_version, :spack_version, :now
    FROM {input} i
    JOIN package p ON p.name = i.name
    JOIN package_version v ON v.package_id = p.id AND v.version = i.version
    LEFT JOIN compiler c ON c.name = i.compiler_name AND c.version = i.compiler_version
    JOIN target t ON t.digest = i.target_digest
    JOIN architecture a ON a.platform = i.platform AND a.operating_system = i.operating_system
        AND a.target_id = t.id
    JOIN parameter_set ps ON ps.digest = i.parameters_digest
    WHERE true
    ORDER BY i.hash, i.hash_kind
    ON CONFLICT DO NOTHING
    RETURNING hash, hash_kind, id
    """,
)

_HASHES = over_rows(
    "value text, kind text, spec_id bigint",
    """
    INSERT INTO spec_hash (value, kind, spec_id)
    SELECT i.value, i.kind, i.spec_id FROM {input} i
    WHERE true
    ORDER BY i.value, i.kind, i.spec_id
    ON CONFLICT DO NOTHING
    """,
)

_DOCUMENTS = over_rows(
    "spec_id bigint, digest bytea, document text",
    """
    INSERT INTO spec_document (spec_id, format_version, digest, document)
    SELECT i.spec_id, :format_version, i.digest, i.document FROM {input} i
    WHERE true
    ORDER BY i.spec_id, i.digest
    ON CONFLICT DO NOTHING
    """,
)

_DEPENDENCIES = over_rows(
    "parent_id bigint, child_id bigint, virtuals text, deptypes integer",
    """
    INSERT INTO dependency (parent_id, child_id, virtuals, deptypes)
    SELECT i.parent_id, i.child_id, i.virtuals, i.deptypes FROM {input} i
    """,
)

_PROVIDED_VIRTUALS = over_rows(
    "virtual text, spec_id bigint, child_id bigint, deptypes integer, by_caret integer",
    """
    INSERT INTO provided_virtual (virtual, spec_id, child_id, deptypes, by_caret)
    SELECT i.virtual, i.spec_id, i.child_id, i.deptypes, i.by_caret <> 0 FROM {input} i
    """,
)

_CLOSURE = over_rows(
    "ancestor_id bigint, descendant_id bigint, by_caret integer",
    """
    INSERT INTO closure (ancestor_id, descendant_id, by_caret)
    SELECT i.ancestor_id, i.descendant_id, i.by_caret <> 0 FROM {input} i
    """,
)


@dataclass(frozen=True, slots=True)
class StoredSpec:
    """The root of a stored graph; `created` is false when it was known before.

    `created_count` specs of the graph are new; `waiting` are claims that came before, each with the hash.
    """

    spec_id: int
    created: bool
    created_count: int
    waiting: Sequence[tuple[int, str]]


# A hash string may name several specs: 0.16 and 0.17 have one `hash` for several `full_hash`es.
_FIND_SPEC = Statement(
    """
    SELECT s.id, s.hash, p.name, p.id AS package_id
    FROM spec_hash h
    JOIN spec s ON s.id = h.spec_id
    JOIN package_version v ON v.id = s.package_version_id
    JOIN package p ON p.id = v.package_id
    WHERE h.value = :value AND (:spec_id = 0 OR s.id = :spec_id)
    ORDER BY CASE WHEN h.kind = s.hash_kind THEN 0 ELSE 1 END, s.id DESC
    LIMIT 1
    """
)

_SPEC_HASH = Statement("SELECT hash FROM spec WHERE id = :spec_id")


def find_spec(connection: Connection, shown_hash: str, spec_id: int = 0) -> Row[*tuple[Any, ...]] | None:
    """The spec that a client means by a hash: its `id`, `hash`, `name` and `package_id`.

    `spec_id` says which it is, if it has that hash.
    """
    found = _FIND_SPEC.run(connection, value=shown_hash, spec_id=spec_id)
    return found[0] if found else None


def hash_of_spec(connection: Connection, spec_id: int | None) -> str | None:
    """The hash by which a spec is known."""
    found = () if spec_id is None else _SPEC_HASH.run(connection, spec_id=spec_id)
    return found[0].hash if found else None


def get_or_create_packages(connection: Connection, names: Iterable[str]) -> None:
    """Make sure that there are packages with these names."""
    _PACKAGES.run(connection, sorted({(name,) for name in names}))


def store_graph(connection: Connection, graph: SpecGraph, spack_version: str | None) -> StoredSpec:
    """Write what is not known yet of a graph: specs, and documents and hashes not seen before."""
    digests = {_key(node): _digest(node.document) for node in graph.nodes.values()}
    ids, seen = _known(connection, digests)
    missing = [node for node in graph.nodes.values() if _key(node) not in ids]
    created: set[SpecKey] = set()
    if missing:
        created = _create(connection, missing, graph.format_version, spack_version, ids)
    unseen = [node for node in graph.nodes.values() if digests[_key(node)] not in seen.get(_key(node), ())]
    waiting: Sequence[tuple[int, str]] = ()
    if unseen:
        hashes = sorted({(value, kind, ids[_key(node)]) for node in unseen for kind, value in node.hashes})
        _HASHES.run(connection, hashes)
        waiting = waiting_for(connection, {value for value, _, _ in hashes})
        _DOCUMENTS.run(
            connection,
            [(ids[_key(node)], digests[_key(node)], node.document) for node in unseen],
            format_version=graph.format_version,
        )
    if created:
        _relate(connection, graph, created, ids)
    root = _key(graph.nodes[graph.root])
    return StoredSpec(ids[root], root in created, len(created), waiting)


def _key(node: SpecNode) -> SpecKey:
    return node.hash, node.hash_kind


def _digest(document: str) -> bytes:
    return hashlib.sha1(document.encode(), usedforsecurity=False).digest()


def _known(
    connection: Connection, keys: Iterable[SpecKey]
) -> tuple[dict[SpecKey, int], dict[SpecKey, set[bytes]]]:
    """The ids of those specs that exist, and the digests of their documents."""
    ids: dict[SpecKey, int] = {}
    seen: dict[SpecKey, set[bytes]] = {}
    for hash_, hash_kind, spec_id, digest in _KNOWN.run(connection, list(keys)):
        ids[hash_, hash_kind] = spec_id
        if digest is not None:
            seen.setdefault((hash_, hash_kind), set()).add(digest)
    return ids, seen


def _create(
    connection: Connection,
    missing: list[SpecNode],
    format_version: int,
    spack_version: str | None,
    ids: dict[SpecKey, int],
) -> set[SpecKey]:
    """Insert specs and what they are made of; adds to `ids`, and tells which of them are ours.

    A spec that another transaction wrote in the meantime gets an id but is not ours: its edges are
    written already.
    """
    digests = {
        document: _digest(document)
        for document in {n.target.document for n in missing} | {n.parameters for n in missing}
    }
    _insert_dimensions(connection, missing, digests)
    _insert_parameters(connection, {node.parameters: digests[node.parameters] for node in missing})
    rows = [
        (
            node.hash, node.hash_kind, node.name, node.version, node.namespace,
            *(node.compiler or (None, None)), node.platform, node.operating_system,
            digests[node.target.document], digests[node.parameters], node.package_hash, node.external,
        )
        for node in missing
    ]  # fmt: skip
    written = _SPECS.run(
        connection, rows, format_version=format_version, spack_version=spack_version, now=utc_now()
    )
    created = {(hash_, hash_kind): spec_id for hash_, hash_kind, spec_id in written}
    ids.update(created)
    if len(created) < len(missing):
        ids.update(_known(connection, [_key(node) for node in missing if _key(node) not in created])[0])
    return set(created)


def _insert_parameters(connection: Connection, digests: Mapping[str, bytes]) -> None:
    """Insert what is new of parameters, given as their JSON with its digest.

    Whoever writes a set writes its elements in the same transaction; another waits for both.
    """
    documents = {digest: document for document, digest in digests.items()}
    written = _PARAMETER_SETS.run(connection, sorted(documents.items()))
    _PARAMETERS.run(
        connection,
        sorted((*row, set_id) for digest, set_id in written for row in parameter_rows(documents[digest])),
    )


def _insert_dimensions(connection: Connection, nodes: list[SpecNode], digests: Mapping[str, bytes]) -> None:
    get_or_create_packages(connection, {node.name for node in nodes})
    _VERSIONS.run(
        connection,
        [
            (name, version, version_key(version))
            for name, version in sorted({(n.name, n.version) for n in nodes})
        ],
    )
    compilers = sorted({node.compiler for node in nodes if node.compiler is not None})
    _COMPILERS.run(connection, [(name, version, version_key(version)) for name, version in compilers])
    targets = {digests[node.target.document]: node.target for node in nodes}
    _TARGETS.run(
        connection,
        [
            (
                digest, target.name, target.vendor, target.generation,
                _list(target.features), _list(target.parents),
            )
            for digest, target in sorted(targets.items(), key=lambda item: item[0])
        ],
    )  # fmt: skip
    _ARCHITECTURES.run(
        connection,
        sorted({(node.platform, node.operating_system, digests[node.target.document]) for node in nodes}),
    )


def _relate(
    connection: Connection, graph: SpecGraph, created: set[SpecKey], ids: Mapping[SpecKey, int]
) -> None:
    """Edges and what can be derived from them for the specs that this transaction created."""
    id_of = {hash_: ids[_key(node)] for hash_, node in graph.nodes.items()}
    ours = [node for node in graph.nodes.values() if _key(node) in created]
    edges: dict[tuple[int, int, str], int] = {}
    for node in ours:
        for edge in node.edges:
            row = id_of[node.hash], id_of[edge.child], _list(edge.virtuals)
            edges[row] = edges.get(row, 0) | int(edge.deptypes)
    _DEPENDENCIES.run(connection, [(*row, deptypes) for row, deptypes in sorted(edges.items())])
    below, seen = descendants(graph.nodes), seen_by_caret(graph.nodes)
    _CLOSURE.run(
        connection,
        sorted(
            (id_of[node.hash], id_of[child], int(child in seen[node.hash].nodes))
            for node in ours
            for child in below[node.hash]
        ),
    )
    _PROVIDED_VIRTUALS.run(
        connection,
        sorted(
            (
                virtual,
                id_of[node.hash],
                id_of[child],
                deptypes,
                int((virtual, child) in seen[node.hash].virtuals),
            )
            for node in ours
            for (virtual, child), deptypes in _provided(node, seen[node.hash].virtuals).items()
        ),
    )


def _provided(node: SpecNode, seen: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Who provides which virtuals to a node or below it, with the deptypes of the node's own edges."""
    provided = dict.fromkeys(seen, 0)
    for edge in node.edges:
        for virtual in edge.virtuals:
            key = virtual, edge.child
            provided[key] = provided.get(key, 0) | int(edge.deptypes)
    return provided


# Edges by the hundred thousand share a few lists of virtuals, and architectures a few of features.
@lru_cache(maxsize=1024)
def _list(texts: tuple[str, ...]) -> str:
    # Compact, as filters by an element expect it.
    return json.dumps(texts, separators=(",", ":"))
