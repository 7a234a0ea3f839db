"""Specs as their claims state them together, whatever the order in which these came.

Which documents are of one spec is `graph.identity`'s rule; hashes and edges are what any of them states,
and other values those of the oldest format's longest document. Who calls this owns the graphs (`locks`).
"""

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.graph.closure import CyclicGraph
from spackmon.graph.identity import LINKING_KINDS, Key, Stated, owners
from spackmon.ingest.rows import over_rows
from spackmon.ingest.specs.moving import end_specs, forget_derived
from spackmon.ingest.specs.settled import (
    Claimed,
    Differences,
    claims_of,
    ids,
    key_of,
    rank,
    rows_of,
    write_settled,
)
from spackmon.ingest.tables.audiences import copy_audiences
from spackmon.ingest.tables.closures import ancestors_of, recompute_closures
from spackmon.ingest.tables.facets import count_builds_of
from spackmon.models import utc_now

_SHOWING = over_rows(
    "value text, kind text",
    "SELECT DISTINCT h.spec_id FROM {input} i JOIN spec_hash h ON h.value = i.value AND h.kind = i.kind",
)

_SPLIT = over_rows(
    "hash text, hash_kind text, document_id bigint",
    """
    INSERT INTO spec (
        hash, hash_kind, package_version_id, namespace, compiler_id, names_compiler, architecture_id,
        parameter_set_id, external, built_as, format_version, spack_version, is_public, recorded_at
    )
    SELECT i.hash, i.hash_kind, d.package_version_id, d.namespace, d.compiler_id, false, d.architecture_id,
        d.parameter_set_id, d.external, d.built_as, d.format_version, d.spack_version, s.is_public, :now
    FROM {input} i JOIN spec_document d ON d.id = i.document_id JOIN spec s ON s.id = d.spec_id
    WHERE true
    ORDER BY i.hash, i.hash_kind
    RETURNING hash_kind, hash, id
    """,
)

_MOVE_CLAIMS = over_rows(
    "id bigint, spec_id bigint",
    "UPDATE spec_document SET spec_id = (SELECT i.spec_id FROM {input} i WHERE i.id = spec_document.id) "
    "WHERE id IN (SELECT i.id FROM {input} i)",
)

_PARENTS = over_rows(
    "id bigint", "SELECT DISTINCT d.parent_id FROM {input} i JOIN dependency d ON d.child_id = i.id"
)


def settle(connection: Connection, spec_ids: Iterable[int], created: Iterable[int] = ()) -> Differences:
    """Write what follows from the claims of some specs; tells what differed.

    `created` are those that this transaction wrote.

    Raises Refused SPEC_MALFORMED if a spec would depend on itself.
    """
    claims = _component(connection, set(spec_ids))
    places, ended = _places(connection, claims)
    moved = {claim.id: places[claim.id] for claim in claims if places[claim.id] != claim.spec_id}
    left = {claim.spec_id for claim in claims if claim.id in moved}
    above = ancestors_of(connection, left)
    parents = {row.parent_id for row in _PARENTS.run(connection, ids(left))}
    _MOVE_CLAIMS.run(connection, sorted(moved.items()))
    forget_derived(connection, ended)
    # Before edges are looked up: a key that is nobody's own any more is that of the spec that shows it.
    end_specs(connection, ended)
    dirty = {*spec_ids, *left, *moved.values(), *parents} - ended.keys()
    differences = write_settled(connection, dirty)
    differences.moved, differences.ended = len(moved), ended
    differences.moved_hashes = {
        value for claim in claims if claim.id in moved for _, value in json.loads(claim.hashes)
    }
    if moved or ended or differences.values or differences.compilers:
        count_builds_of(connection, dirty - set(created))
    changed = differences.changed | {*created, *left, *moved.values()}
    try:
        recompute_closures(
            connection, changed - ended.keys(), above - ended.keys(), {*left, *moved.values()} - ended.keys()
        )
    except CyclicGraph:
        sentence = "the spec cannot be read: together with other documents it makes a spec depend on itself"
        raise Refused(Code.SPEC_MALFORMED, sentence) from None
    return differences


def _component(connection: Connection, spec_ids: set[int]) -> list[Claimed]:
    """The claims of some specs and of all that may be one with them, by hashes that they share."""
    claims: list[Claimed] = []
    known, seen = set(spec_ids), set[Key]()
    frontier = set(spec_ids)
    while frontier:
        rows = claims_of(connection, frontier)
        claims += rows
        hashes = {(kind, value) for row in rows for kind, value in json.loads(row.hashes)} - seen
        seen |= hashes
        linking = sorted((value, kind) for kind, value in hashes if kind in LINKING_KINDS)
        showing = _SHOWING.run(connection, linking)
        frontier = {row.spec_id for row in showing} - known
        known |= frontier
    return claims


def _places(connection: Connection, claims: Sequence[Claimed]) -> tuple[dict[int, int], dict[int, int]]:
    """The spec of each claim, by its id; and the specs that are no more, each with the one that it is now."""
    stated: dict[Key, Stated] = {}
    first: dict[Key, Claimed] = {}
    for claim in sorted(claims, key=rank):
        key = key_of(claim)
        first.setdefault(key, claim)
        one = stated.setdefault(key, Stated(key))
        one.hashes.update((kind, value) for kind, value in json.loads(claim.hashes))
        one.about.add(claim.package_version_id)
    owner = owners(stated.values())
    rows = rows_of(connection, owner)
    split: dict[int, int] = {}
    missing = sorted((key[1], key[0], first[key].id) for key in set(owner.values()) - rows.keys())
    for row in _SPLIT.run(connection, missing, now=utc_now()):
        key = row.hash_kind, row.hash
        rows[key] = row.id
        split[row.id] = first[key].spec_id
    copy_audiences(connection, split)
    places = {claim.id: rows[owner[key_of(claim)]] for claim in claims}
    ended = {rows[key]: rows[owner[key]] for key in owner if owner[key] != key and key in rows}
    return places, ended
