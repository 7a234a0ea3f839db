"""What a document claims of its specs: hashes, edges, facts. A spec is what its claims state together."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from spackmon.graph.identity import Key
from spackmon.graph.packed_claims import NEWEST, pack
from spackmon.graph.spec import SpecGraph, SpecNode
from spackmon.graph.versions import version_key
from spackmon.ingest.rows import over_rows
from spackmon.ingest.tables.dimensions import JOINED_DIMENSIONS, digest_of


@dataclass(frozen=True, slots=True)
class Claim:
    """A node of a document, with its columns in `spec_document`."""

    node: SpecNode
    key: Key
    hashes: tuple[Key, ...]
    edges: str
    digest: bytes


def claims_of(graph: SpecGraph) -> list[Claim]:
    """The claims of a document, by the position of its nodes."""
    is_plain = have_one_hash(graph.nodes.values())
    return [_claim(graph, node, is_plain=is_plain) for node in graph.nodes.values()]


def have_one_hash(nodes: Iterable[SpecNode]) -> bool:
    """Whether each node states its DAG hash alone, so that its words say all that is meant."""
    return all(len(node.hashes) == 1 and node.hash_kind == "hash" for node in nodes)


def _claim(graph: SpecGraph, node: SpecNode, *, is_plain: bool) -> Claim:
    key = node.hash_kind, node.hash
    hashes = (key, *sorted(pair for pair in set(node.hashes) if pair != key))
    edges = json.dumps(
        [[graph.nodes[e.child].hash_kind, e.child, int(e.deptypes), e.virtuals] for e in node.edges],
        separators=(",", ":"),
    )
    if is_plain:
        return Claim(node, key, hashes, edges, digest_of(node.document))
    # What the hashes of its edges mean depends on the document around the node, and a file may keep a node
    # under a hash that the node does not state: the same words may be another claim.
    whole = hashlib.sha1(node.document.encode(), usedforsecurity=False)
    whole.update(json.dumps([hashes, edges]).encode())
    return Claim(node, key, hashes, edges, whole.digest())


def is_older(spack_version: str | None, stored: str | None) -> bool:
    """Whether a Spack is older than the one that is stored as the first to report."""
    if spack_version == stored or spack_version is None:
        return False
    return stored is None or _version_order(spack_version) < _version_order(stored)


def _version_order(version: str) -> tuple[bytes, str]:
    return version_key(version), version


_DOCUMENTS = over_rows(
    "spec_id bigint, digest bytea, packed bytea, characters integer, name text, version text, "
    "namespace text, compiler_name text, compiler_version text, platform text, operating_system text, "
    "target_digest bytea, parameters_digest bytea, external text, built_as text",
    f"""
    INSERT INTO spec_document (
        spec_id, format_version, digest, packed, dictionary, characters, states_all_edges,
        package_version_id, namespace, compiler_id, architecture_id, parameter_set_id, external, built_as,
        spack_version
    )
    SELECT i.spec_id, :format_version, i.digest, i.packed, CAST(:dictionary AS smallint), i.characters,
        true, v.id, i.namespace, c.id, a.id, ps.id, i.external, i.built_as,
        :spack_version
    {JOINED_DIMENSIONS}
    WHERE true
    ORDER BY i.spec_id, i.digest
    ON CONFLICT DO NOTHING
    """,
)


_VERSIONS = over_rows(
    "spec_id bigint, digest bytea",
    "SELECT d.id, d.format_version, d.spack_version FROM {input} i "
    "JOIN spec_document d ON d.spec_id = i.spec_id AND d.digest = i.digest",
)

_SET_VERSIONS = over_rows(
    "id bigint, format_version integer, spack_version text",
    "UPDATE spec_document SET format_version = i.format_version, spack_version = i.spack_version "
    "FROM {input} i WHERE spec_document.id = i.id",
)


def insert_claims(
    connection: Connection,
    claims: list[tuple[int, Claim]],
    graph: SpecGraph,
    spack_version: str | None,
) -> None:
    """Store claims of specs, given by their ids; what they are made of is there."""
    rows = [
        (
            spec_id, claim.digest, packed(claim), len(claim.node.document),
            claim.node.name, claim.node.version, claim.node.namespace,
            *(claim.node.compiler or (None, None)), claim.node.platform, claim.node.operating_system,
            digest_of(claim.node.target.document), digest_of(claim.node.parameters),
            claim.node.external, claim.node.built_as,
        )
        for spec_id, claim in claims
    ]  # fmt: skip
    _DOCUMENTS.run(
        connection,
        rows,
        format_version=graph.format_version,
        dictionary=NEWEST,
        spack_version=spack_version,
    )


def packed(claim: Claim) -> bytes:
    """What is kept of a claim's texts."""
    hashes = json.dumps(claim.hashes, separators=(",", ":"))
    return pack(claim.node.document, claim.edges, hashes, claim.node.package_hash)


def set_oldest(
    connection: Connection,
    claims: Iterable[tuple[int, Claim]],
    format_version: int,
    spack_version: str | None,
) -> None:
    """Note of stored claims that an older format, or an older Spack, states them too."""
    rows = sorted((spec_id, claim.digest) for spec_id, claim in claims)
    stored = _VERSIONS.run(connection, rows)
    _SET_VERSIONS.run(
        connection,
        [
            (
                row.id,
                min(row.format_version, format_version),
                spack_version if is_older(spack_version, row.spack_version) else row.spack_version,
            )
            for row in stored
        ],
    )
