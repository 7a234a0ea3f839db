"""Spec graphs into tables: a document is a claim, and a spec is what its documents claim together.

A document that was seen before costs one statement. One of new specs alone is written as it is. One that
claims something of a known spec, or shows that two are one, is written by `settling`. Rows are written in
the order of their natural keys and tables always in the same order: two clients that post overlapping graphs
would otherwise wait for each other. `locks` says who waits for whom.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection

from spackmon.graph.closure import by_ways, descendants, provided
from spackmon.graph.compilers import Compiler, compilers_of, languages_of, main_compiler
from spackmon.graph.identity import LINKING_KINDS, Key
from spackmon.graph.spec import SpecGraph, SpecNode
from spackmon.graph.spec_text import external_path
from spackmon.ingest.locks import own_graphs, share_graphs
from spackmon.ingest.rows import over_rows
from spackmon.ingest.specs.settling import settle
from spackmon.ingest.tables.audiences import claims_for, note_specs, reporter
from spackmon.ingest.tables.claims import naming
from spackmon.ingest.tables.closure_pairs import insert_pairs
from spackmon.ingest.tables.closures import (
    closure_of,
    insert_dependencies,
    insert_other_compilers,
    insert_provided_virtuals,
    recompute_closures,
)
from spackmon.ingest.tables.dimensions import JOINED_DIMENSIONS, digest_of, insert_dimensions, list_text
from spackmon.ingest.tables.package_sets import digest_of_set, insert_sets
from spackmon.ingest.tables.revisions import specs_change
from spackmon.ingest.tables.spec_claims import Claim, claims_of, insert_claims, is_older, set_oldest
from spackmon.ingest.tables.spec_hashes import add_hashes
from spackmon.models import utc_now

# Who shows a hash that is nobody's own may be one to whom documents with this key belong.
_KNOWN = over_rows(
    "hash text, hash_kind text",
    """
    SELECT i.hash, i.hash_kind, s.id, s.hash = i.hash AND s.hash_kind = i.hash_kind AS is_own,
        d.digest, d.states_all_edges, d.format_version, d.spack_version
    FROM {input} i
    JOIN spec_hash h ON h.value = i.hash AND h.kind = i.hash_kind
    JOIN spec s ON s.id = h.spec_id
    LEFT JOIN spec_document d ON d.spec_id = s.id
    """,
)

_SPECS = over_rows(
    "hash text, hash_kind text, name text, version text, namespace text, compiler_name text, "
    "compiler_version text, compiler_languages integer, names_compiler integer, platform text, "
    "operating_system text, target_digest bytea, parameters_digest bytea, package_hash text, external text, "
    "external_path text, built_as text, packages_digest bytea",
    f"""
    INSERT INTO spec (
        hash, hash_kind, package_version_id, namespace, compiler_id, compiler_languages, names_compiler,
        architecture_id, parameter_set_id, package_hash_id, external, external_path, built_as,
        format_version, spack_version, recorded_at, package_set_id
    )
    SELECT i.hash, i.hash_kind, v.id, i.namespace, c.id, i.compiler_languages, i.names_compiler <> 0,
        a.id, ps.id, h.id, i.external, i.external_path, i.built_as,
        :format_version, :spack_version, :now, k.id
    {JOINED_DIMENSIONS}
    LEFT JOIN package_hash h ON h.value = i.package_hash
    LEFT JOIN package_set k ON k.digest = i.packages_digest
    WHERE true
    ORDER BY i.hash, i.hash_kind
    ON CONFLICT DO NOTHING
    RETURNING hash, hash_kind, id
    """,
)

_LINKED = over_rows(
    "value text, kind text, spec_id bigint",
    """
    SELECT 1 FROM {input} i
    JOIN spec_hash h ON h.value = i.value AND h.kind = i.kind AND h.spec_id <> i.spec_id
    LIMIT 1
    """,
)


@dataclass(frozen=True, slots=True)
class StoredSpec:
    """The root of a stored graph; `created` is false when it was known before.

    `created_count` specs of the graph are new; `waiting` are the claims that came before, whose spec may be
    another one now.
    """

    spec_id: int
    created: bool
    created_count: int
    waiting: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored of a document: the spec of each key, and which claims are new.

    `older` are claims, with their specs, that only a later Spack or format made before; `states_all_edges`:
    no other document says more of the specs of the claims that are not new.
    """

    ids: Mapping[Key, int]
    unseen: Sequence[Claim]
    older: Sequence[tuple[int, Claim]]
    states_all_edges: bool

    @property
    def is_all(self) -> bool:
        """Nothing of the document is new."""
        return not self.unseen and not self.older


@dataclass(frozen=True, slots=True)
class _Written:
    """What became of documents: the spec of each key, the keys and rows of those that are new.

    `waiting` as StoredSpec's.
    """

    ids: Mapping[Key, int]
    created: Mapping[Key, int]
    new_ids: Set[int]
    waiting: Sequence[int]


class ChangesKnownSpecs(Exception):  # noqa: N818 -- leads to the other way of writing
    """A document claims something of a spec that is known."""


def store_graph(
    connection: Connection,
    graph: SpecGraph,
    spack_version: str | None,
    person_id: int,
    *,
    keeps_graphs: bool = True,
) -> StoredSpec:
    """Write what is not known yet of a graph: specs, claims, and all that follows from them.

    Whoever this person's reports are for may see it.

    To be called before the transaction keeps anything else. Afterwards no known graph changes until the
    transaction ends, unless `keeps_graphs` is false and there was nothing to write. Raises Refused
    SPEC_MALFORMED for a document that makes a spec depend on itself.
    """
    claims = claims_of(graph)
    root = claims[0].key
    who = reporter(connection, person_id)
    if not (keeps_graphs or who.is_needed):
        known = _known(connection, claims, graph.format_version, spack_version)
        if known.is_all:
            return StoredSpec(known.ids[root], False, 0, ())
    written = _stored(connection, graph, claims, spack_version)
    spec_id = written.ids[root]
    shown = note_specs(connection, who, [spec_id], written.new_ids)
    # Nobody is told that somebody else reported for others what they report now.
    is_new = written.created.get(root) == spec_id and spec_id in written.new_ids
    waiting = [*written.waiting, *claims_for(connection, shown)]
    return StoredSpec(spec_id, is_new or spec_id in shown, len(written.new_ids | shown), waiting)


def store_graphs(
    connection: Connection, graphs: Sequence[SpecGraph], spack_version: str | None, person_id: int
) -> list[StoredSpec]:
    """Write graphs of one format as `store_graph` does one after the other, with one statement a table.

    Whoever calls it has the turn (`locks`), and each of the specs has one hash. `waiting` are the claims of
    all the graphs. Raises ChangesKnownSpecs where one says something else of a spec than the others or the
    database; the caller then rolls back.
    """
    claims_of_each = [claims_of(graph) for graph in graphs]
    claims = {claim.key: claim for one in claims_of_each for claim in one}
    if any(claims[claim.key].digest != claim.digest for one in claims_of_each for claim in one):
        raise ChangesKnownSpecs
    nodes = {claim.node.hash: claim.node for claim in claims.values()}
    whole = SpecGraph(graphs[0].root, graphs[0].format_version, nodes)
    written = _store(connection, whole, list(claims.values()), spack_version, alone=False)
    roots = {written.ids[one[0].key] for one in claims_of_each}
    shown = note_specs(connection, reporter(connection, person_id), roots, written.new_ids)
    waiting = [*written.waiting, *claims_for(connection, shown)]
    unseen = {key for key, spec_id in written.ids.items() if key in written.created or spec_id in shown}
    stored = []
    for one in claims_of_each:
        keys = {claim.key for claim in one} & unseen
        unseen -= keys
        root = one[0].key
        stored.append(StoredSpec(written.ids[root], root in keys, len(keys), waiting))
    return stored


def _stored(
    connection: Connection, graph: SpecGraph, claims: Sequence[Claim], spack_version: str | None
) -> _Written:
    """Write a graph beside others that write, as far as it does not change what they rely on."""
    if connection.dialect.name == "sqlite":
        return _store(connection, graph, claims, spack_version, alone=True)
    try:
        # The lock that many may hold cannot become the other: two would wait for each other. Whoever finds
        # that he needs it gives the first one back, with what he wrote.
        with connection.begin_nested():
            share_graphs(connection)
            return _store(connection, graph, claims, spack_version, alone=False)
    except ChangesKnownSpecs:
        own_graphs(connection)
        return _store(connection, graph, claims, spack_version, alone=True)


def _store(
    connection: Connection,
    graph: SpecGraph,
    claims: Sequence[Claim],
    spack_version: str | None,
    *,
    alone: bool,
) -> _Written:
    known = _known(connection, claims, graph.format_version, spack_version)
    if known.is_all:
        return _Written(known.ids, {}, set(), ())
    if not alone and (known.older or any(claim.key in known.ids for claim in known.unseen)):
        raise ChangesKnownSpecs
    specs_change(connection)
    missing = [claim for claim in known.unseen if claim.key not in known.ids]
    insert_dimensions(connection, [claim.node for claim in known.unseen], _compilers(graph, known.unseen))
    created = _create(connection, graph, missing, spack_version)
    if len(created) < len(missing):
        # Another transaction wrote the others in the meantime, hardly ever in other words.
        known = _known(connection, claims, graph.format_version, spack_version)
        if known.older or any(claim.key in known.ids for claim in known.unseen if claim.key not in created):
            raise ChangesKnownSpecs
    ids = {**known.ids, **created}
    new = [(ids[claim.key], claim) for claim in known.unseen if claim.key in ids]
    hashes = sorted({(value, kind, spec_id) for spec_id, claim in new for kind, value in claim.hashes})
    shown = {value for value, _, _ in hashes}
    known_before: set[int] = set()
    own = {(claim.node.hash, claim.node.hash_kind, spec_id) for spec_id, claim in new}
    add_hashes(connection, hashes, own)
    is_new_alone = (
        len(new) == len(created)
        and not known.older
        and not _LINKED.run(connection, [row for row in hashes if row[1] in LINKING_KINDS])
    )
    if not is_new_alone and not alone:
        raise ChangesKnownSpecs
    insert_claims(connection, new, graph, spack_version)
    if is_new_alone:
        _relate(connection, graph, created, ids, as_stated=known.states_all_edges)
    else:
        set_oldest(connection, known.older, graph.format_version, spack_version)
        found = settle(connection, {spec_id for spec_id, _ in (*new, *known.older)}, created.values())
        shown |= found.moved_hashes
        # Another document made these before, by a hash that says less.
        known_before = {new_id for old_id, new_id in found.ended.items() if old_id not in created.values()}
        ids = dict(_known(connection, claims, graph.format_version, spack_version).ids)
    kept = {ids[key] for key in created} & set(created.values()) - known_before
    return _Written(ids, created, kept, naming(connection, shown))


def _known(
    connection: Connection, claims: Iterable[Claim], format_version: int, spack_version: str | None
) -> _Known:
    ids: dict[Key, int] = {}
    stored: dict[tuple[Key, bytes], tuple[int, bool, int, str | None]] = {}
    for hash_, kind, spec_id, is_own, digest, *rest in _KNOWN.run(
        connection, [(claim.node.hash, claim.node.hash_kind) for claim in claims]
    ):
        if is_own:
            ids[kind, hash_] = spec_id
        if digest is not None:
            stored[(kind, hash_), digest] = spec_id, *rest
    unseen, older = [], []
    whole = True
    for claim in claims:
        found = stored.get((claim.key, claim.digest))
        if found is None:
            unseen.append(claim)
            continue
        ids.setdefault(claim.key, found[0])
        whole = whole and bool(found[1])
        if format_version < found[2] or is_older(spack_version, found[3]):
            older.append((found[0], claim))
    return _Known(ids, unseen, older, whole)


def _create(
    connection: Connection, graph: SpecGraph, missing: Sequence[Claim], spack_version: str | None
) -> dict[Key, int]:
    """Insert specs; the ids of those that no other transaction wrote in the meantime."""
    rows = []
    below = descendants(graph.nodes) if missing else {}
    packages = {claim.key: {graph.nodes[one].name for one in below[claim.node.hash]} for claim in missing}
    insert_sets(connection, packages.values())
    for claim in missing:
        node = claim.node
        compilers = _compilers_of(graph, node)
        compiler = main_compiler(node.compiler, compilers)
        rows.append((
            node.hash, node.hash_kind, node.name, node.version, node.namespace,
            *(compiler or (None, None)), languages_of(compiler, compilers), int(node.compiler is not None),
            node.platform, node.operating_system, digest_of(node.target.document),
            digest_of(node.parameters), node.package_hash, node.external, external_path(node.external),
            node.built_as, digest_of_set(packages[claim.key]),
        ))  # fmt: skip
    written = _SPECS.run(
        connection, rows, format_version=graph.format_version, spack_version=spack_version, now=utc_now()
    )
    return {(hash_kind, hash_): spec_id for hash_, hash_kind, spec_id in written}


def _compilers_of(graph: SpecGraph, node: SpecNode) -> list[tuple[str, Compiler]]:
    children = [(edge.virtuals, graph.nodes[edge.child]) for edge in node.edges if edge.virtuals]
    return compilers_of(node.compiler, [(virtuals, (c.name, c.version)) for virtuals, c in children])


def _other_compilers_of(graph: SpecGraph, node: SpecNode) -> list[tuple[str, Compiler]]:
    compilers = _compilers_of(graph, node)
    main = main_compiler(node.compiler, compilers)
    return [(language, compiler) for language, compiler in compilers if compiler != main]


def _compilers(graph: SpecGraph, claims: Iterable[Claim]) -> set[Compiler]:
    return {compiler for claim in claims for _, compiler in _compilers_of(graph, claim.node)}


def _relate(
    connection: Connection,
    graph: SpecGraph,
    created: Mapping[Key, int],
    ids: Mapping[Key, int],
    *,
    as_stated: bool,
) -> None:
    """Edges of specs that this transaction created, and what can be derived from them.

    `as_stated`: what lies below them is what the document says, no other document said more.
    """
    id_of = {hash_: ids[node.hash_kind, node.hash] for hash_, node in graph.nodes.items()}
    ours = [node for node in graph.nodes.values() if (node.hash_kind, node.hash) in created]
    edges: dict[tuple[int, int, str], int] = {}
    for node in ours:
        for edge in node.edges:
            row = id_of[node.hash], id_of[edge.child], list_text(edge.virtuals)
            edges[row] = edges.get(row, 0) | int(edge.deptypes)
    insert_dependencies(connection, edges)
    insert_other_compilers(
        connection,
        [(id_of[node.hash], *named) for node in ours for named in _other_compilers_of(graph, node)],
    )
    if not as_stated:
        recompute_closures(connection, created.values())
        return
    found = by_ways(graph.nodes, descendants(graph.nodes))
    ordered = sorted((id_of[node.hash], node.hash) for node in ours)
    pairs = (closure_of(spec_id, found[hash_], id_of.__getitem__) for spec_id, hash_ in ordered)
    insert_pairs(connection, chain.from_iterable(pairs))
    insert_provided_virtuals(
        connection,
        (
            (virtual, id_of[node.hash], id_of[child], deptypes, (virtual, child) in found[node.hash].virtuals)
            for node in ours
            for (virtual, child), deptypes in provided(node.edges, found[node.hash].virtuals).items()
        ),
    )
