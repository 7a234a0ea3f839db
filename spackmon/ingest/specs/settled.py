"""The rows of a spec that follow from its claims: hashes, edges, compilers, and the spec's own values."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.graph.compilers import LANGUAGES, compilers_of, languages_of, main_compiler
from spackmon.graph.identity import Key
from spackmon.graph.packed_claims import unpack, unpack_hashes
from spackmon.graph.spec_text import external_path
from spackmon.graph.versions import version_key
from spackmon.ingest.rows import Row, RowStatement, insert_rows, over_rows
from spackmon.ingest.tables.closures import DEPENDENCIES
from spackmon.ingest.tables.dimensions import insert_package_hashes, list_text
from spackmon.ingest.tables.spec_claims import is_older
from spackmon.ingest.tables.spec_hashes import replace_hashes

Claimed = Row
"""A row of `spec_document`, without the document."""

_CLAIMS = over_rows(
    "id bigint",
    """
    SELECT d.id, d.spec_id, d.format_version, d.digest, d.hashes, d.edges, d.packed, d.dictionary,
        d.states_all_edges, COALESCE(d.characters, length(d.document)) AS characters,
        d.package_version_id, d.namespace, d.compiler_id, d.architecture_id, d.parameter_set_id,
        d.package_hash, d.external, d.built_as, d.spack_version
    FROM {input} i JOIN spec_document d ON d.spec_id = i.id
    """,
)

_OWN_ROWS = over_rows(
    "hash text, hash_kind text",
    "SELECT s.hash_kind, s.hash, s.id FROM {input} i "
    "JOIN spec s ON s.hash = i.hash AND s.hash_kind = i.hash_kind",
)

_SHOWING = over_rows(
    "hash text, hash_kind text",
    "SELECT h.kind AS hash_kind, h.value AS hash, h.spec_id AS id FROM {input} i "
    "JOIN spec_hash h ON h.value = i.hash AND h.kind = i.hash_kind",
)

_VALUES = over_rows(
    "id bigint",
    """
    SELECT s.id, s.package_version_id, s.namespace, s.compiler_id, s.compiler_languages, s.names_compiler,
        s.architecture_id, s.parameter_set_id, h.value AS package_hash, s.external, s.external_path,
        s.built_as, s.format_version, s.spack_version
    FROM {input} i JOIN spec s ON s.id = i.id LEFT JOIN package_hash h ON h.id = s.package_hash_id
    """,
)

_SET_VALUES = over_rows(
    "id bigint, package_version_id bigint, namespace text, compiler_id bigint, compiler_languages integer, "
    "names_compiler integer, architecture_id bigint, parameter_set_id bigint, package_hash text, "
    "external text, external_path text, built_as text, format_version integer, spack_version text",
    """
    UPDATE spec SET package_version_id = i.package_version_id, namespace = i.namespace,
        compiler_id = i.compiler_id, compiler_languages = i.compiler_languages,
        names_compiler = i.names_compiler <> 0,
        architecture_id = i.architecture_id, parameter_set_id = i.parameter_set_id,
        package_hash_id = (SELECT h.id FROM package_hash h WHERE h.value = i.package_hash),
        external = i.external, external_path = i.external_path,
        built_as = i.built_as, format_version = i.format_version, spack_version = i.spack_version
    FROM {input} i WHERE spec.id = i.id
    """,
)

_SET_STATES_ALL = over_rows(
    "id bigint, states_all_edges integer",
    "UPDATE spec_document SET states_all_edges = i.states_all_edges <> 0 FROM {input} i "
    "WHERE spec_document.id = i.id",
)

_PACKAGES = over_rows(
    "id bigint",
    """
    SELECT s.id, p.name, v.version FROM {input} i
    JOIN spec s ON s.id = i.id
    JOIN package_version v ON v.id = s.package_version_id
    JOIN package p ON p.id = v.package_id
    """,
)

_COMPILERS = over_rows(
    "id bigint", "SELECT c.id, c.name, c.version FROM {input} i JOIN compiler c ON c.id = i.id"
)

# The update changes nothing, but makes the row one that is given back.
_COMPILER_IDS = over_rows(
    "name text, version text, version_key bytea",
    """
    INSERT INTO compiler (name, version, version_key)
    SELECT i.name, i.version, i.version_key FROM {input} i
    WHERE true
    ORDER BY i.name, i.version
    ON CONFLICT (name, version) DO UPDATE SET version_key = excluded.version_key
    RETURNING name, version, id
    """,
)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of rows that follow from claims: how to read those of some specs, insert and delete them."""

    read: RowStatement
    insert: RowStatement
    delete: RowStatement

    def write(
        self, connection: Connection, spec_ids: Iterable[int], rows: set[tuple[Any, ...]]
    ) -> set[tuple[Any, ...]]:
        """Make the rows of some specs these; those that differed."""
        stored = {tuple(row) for row in self.read.run(connection, ids(spec_ids))}
        self.delete.run(connection, sorted(stored - rows))
        self.insert.run(connection, sorted(rows - stored))
        return stored ^ rows


EDGES = _Table(
    over_rows(
        "id bigint",
        "SELECT d.parent_id, d.child_id, d.virtuals, d.deptypes FROM {input} i "
        "JOIN dependency d ON d.parent_id = i.id",
    ),
    DEPENDENCIES,
    over_rows(
        "parent_id bigint, child_id bigint, virtuals text, deptypes integer",
        "DELETE FROM dependency WHERE (parent_id, child_id, virtuals) IN "
        "(SELECT i.parent_id, i.child_id, i.virtuals FROM {input} i)",
    ),
)

OTHER_COMPILERS = _Table(
    over_rows(
        "id bigint",
        "SELECT c.spec_id, c.language, c.compiler_id FROM {input} i "
        "JOIN other_compiler c ON c.spec_id = i.id",
    ),
    insert_rows("other_compiler", "spec_id bigint, language text, compiler_id bigint"),
    over_rows(
        "spec_id bigint, language text, compiler_id bigint",
        "DELETE FROM other_compiler WHERE (spec_id, language, compiler_id) IN "
        "(SELECT i.spec_id, i.language, i.compiler_id FROM {input} i)",
    ),
)


@dataclass(slots=True)
class Differences:
    """How many rows were not as the claims of some specs say; `changed` are specs whose edges differed.

    `moved` counts documents that are of another spec now, `moved_hashes` are the hashes that these show.
    `ended` are specs that are no more, each with the one that it is now.
    """

    moved: int = 0
    moved_hashes: set[str] = field(default_factory=set)
    ended: Mapping[int, int] = field(default_factory=dict)
    hashes: int = 0
    edges: int = 0
    compilers: int = 0
    values: int = 0
    changed: set[int] = field(default_factory=set)


def write_hashes(connection: Connection, spec_ids: Iterable[int]) -> int:
    """Make the hashes of some specs those that their claims show; how many rows differed."""
    return _write_hashes(connection, _claims(connection, spec_ids))


def write_settled(connection: Connection, spec_ids: Iterable[int]) -> Differences:
    """Make the rows of some specs what their claims say together; tells what differed."""
    claims = _claims(connection, spec_ids)
    differences = Differences(hashes=_write_hashes(connection, claims))
    edges = _write_edges(connection, claims)
    rows = {(*edge, deptypes) for edge, deptypes in edges.items()}
    wrong = EDGES.write(connection, claims, rows)
    differences.edges, differences.changed = len({row[:3] for row in wrong}), {row[0] for row in wrong}
    _write_compilers_and_values(connection, claims, edges, differences)
    return differences


def claims_of(connection: Connection, spec_ids: Iterable[int]) -> list[Claimed]:
    """What documents claim of some specs."""
    return [_unpacked(row) for row in _CLAIMS.run(connection, ids(spec_ids))]


def _unpacked(claim: Claimed) -> Claimed:
    if claim.packed is None:
        return claim
    hashes, package_hash = unpack_hashes(claim.packed, claim.dictionary)
    return claim._replace(hashes=hashes, package_hash=package_hash)


def _claims(connection: Connection, spec_ids: Iterable[int]) -> dict[int, list[Claimed]]:
    claims: dict[int, list[Claimed]] = {}
    for claim in claims_of(connection, spec_ids):
        claims.setdefault(claim.spec_id, []).append(claim)
    for claimed in claims.values():
        claimed.sort(key=rank)
    return claims


def _write_hashes(connection: Connection, claims: Mapping[int, Sequence[Claimed]]) -> int:
    hashes = {
        (value, kind, spec_id)
        for spec_id, claimed in claims.items()
        for claim in claimed
        for kind, value in json.loads(claim.hashes)
    }
    return replace_hashes(connection, sorted(claims), hashes)


def key_of(claim: Claimed) -> Key:
    """What names the spec that a document claims something of."""
    kind, value = json.loads(claim.hashes)[0]
    return kind, value


def rank(claim: Claimed) -> tuple[int, int, bytes]:
    """The first of a spec's claims is the oldest format's longest document."""
    return claim.format_version, -claim.characters, bytes(claim.digest)


def ids(spec_ids: Iterable[int]) -> list[tuple[int]]:
    """Rows for a statement over ids."""
    return sorted((spec_id,) for spec_id in set(spec_ids))


def _write_edges(
    connection: Connection, claims: Mapping[int, Sequence[Claimed]]
) -> dict[tuple[int, int, str], int]:
    """The edges of specs; notes at each claim whether it states all of its spec's."""
    stated = {claim.id: _stated_edges(claim) for claimed in claims.values() for claim in claimed}
    rows = _children(connection, {(kind, value) for edges in stated.values() for kind, value, _, _ in edges})
    union: dict[tuple[int, int, str], int] = {}
    of_claim: dict[int, dict[tuple[int, int, str], int]] = {}
    for spec_id, claimed in claims.items():
        for claim in claimed:
            own = of_claim.setdefault(claim.id, {})
            for kind, value, deptypes, virtuals in stated[claim.id]:
                edge = spec_id, rows[kind, value], list_text(tuple(virtuals))
                own[edge] = own.get(edge, 0) | deptypes
                union[edge] = union.get(edge, 0) | deptypes
    count: dict[int, int] = {}
    for parent, _, _ in union:
        count[parent] = count.get(parent, 0) + 1
    states_all = []
    for spec_id, claimed in claims.items():
        for claim in claimed:
            own = of_claim[claim.id]
            is_all = len(own) == count.get(spec_id, 0) and all(union[e] == bits for e, bits in own.items())
            if is_all != bool(claim.states_all_edges):
                states_all.append((claim.id, int(is_all)))
    _SET_STATES_ALL.run(connection, sorted(states_all))
    return union


def _stated_edges(claim: Claimed) -> Any:
    return json.loads(claim.edges if claim.packed is None else unpack(claim.packed, claim.dictionary)[1])


def rows_of(connection: Connection, keys: Iterable[Key]) -> dict[Key, int]:
    """The spec that has each key as its identity, of those that are one's."""
    rows = sorted((value, kind) for kind, value in keys)
    return {(row.hash_kind, row.hash): row.id for row in _OWN_ROWS.run(connection, rows)}


def _children(connection: Connection, keys: set[Key]) -> dict[Key, int]:
    """The spec of each key: its own, otherwise the only one that shows it."""
    own = rows_of(connection, keys)
    others = sorted((value, kind) for kind, value in keys - own.keys())
    shown = {(row.hash_kind, row.hash): row.id for row in _SHOWING.run(connection, others)}
    if lost := keys - own.keys() - shown.keys():
        kind, value = min(lost)
        sentence = f"a spec depends on one with the {kind} {value}, which is not there"
        raise Refused(Code.DATABASE_DAMAGED, sentence)
    return {**own, **shown}


def _write_compilers_and_values(
    connection: Connection,
    claims: Mapping[int, Sequence[Claimed]],
    edges: Mapping[tuple[int, int, str], int],
    differences: Differences,
) -> None:
    named = {spec_id: _first(claimed, "compiler_id") for spec_id, claimed in claims.items()}
    providing: dict[int, list[tuple[list[str], int]]] = {}
    for parent, child, virtuals in edges:
        languages = [v for v in json.loads(virtuals) if v in LANGUAGES] if virtuals != "[]" else []
        if languages:
            providing.setdefault(parent, []).append((languages, child))
    of_child = _named(_PACKAGES, connection, {child for some in providing.values() for _, child in some})
    of_id = _named(_COMPILERS, connection, {id_ for id_ in named.values() if id_ is not None})
    named_compiler = {spec_id: None if id_ is None else of_id[id_] for spec_id, id_ in named.items()}
    compilers = {
        spec_id: compilers_of(
            compiler, [(languages, of_child[child]) for languages, child in providing.get(spec_id, ())]
        )
        for spec_id, compiler in named_compiler.items()
    }
    id_of = _compiler_ids(connection, {one for some in compilers.values() for _, one in some})
    main = {spec_id: main_compiler(named_compiler[spec_id], some) for spec_id, some in compilers.items()}
    rows = {
        (spec_id, language, id_of[one])
        for spec_id, some in compilers.items()
        for language, one in some
        if one != main[spec_id]
    }
    differences.compilers = len(OTHER_COMPILERS.write(connection, claims, rows))
    values = {
        (
            spec_id, claimed[0].package_version_id, _first(claimed, "namespace"),
            None if (compiler := main[spec_id]) is None else id_of[compiler],
            languages_of(main[spec_id], compilers[spec_id]),
            int(named[spec_id] is not None),
            claimed[0].architecture_id, claimed[0].parameter_set_id, _first(claimed, "package_hash"),
            external, external_path(external), _first(claimed, "built_as"), claimed[0].format_version,
            _oldest_spack(claimed),
        )
        for spec_id, claimed in claims.items()
        for external in (_first(claimed, "external"),)
    }  # fmt: skip
    stored = {tuple(row) for row in _VALUES.run(connection, ids(claims))}
    differing = sorted(values - stored)
    differences.values = len(differing)
    insert_package_hashes(connection, (_first(claims[spec_id], "package_hash") for spec_id, *_ in differing))
    _SET_VALUES.run(connection, differing)


def _named(statement: RowStatement, connection: Connection, wanted: set[int]) -> dict[int, tuple[str, str]]:
    return {row.id: (row.name, row.version) for row in statement.run(connection, ids(wanted))}


def _compiler_ids(connection: Connection, compilers: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    rows = [(name, version, version_key(version)) for name, version in sorted(compilers)]
    return {(row.name, row.version): row.id for row in _COMPILER_IDS.run(connection, rows)}


def _first(claimed: Sequence[Claimed], column: str) -> Any:
    return next((value for claim in claimed if (value := getattr(claim, column)) is not None), None)


def _oldest_spack(claimed: Sequence[Claimed]) -> str | None:
    oldest: str | None = None
    for claim in claimed:
        if is_older(claim.spack_version, oldest):
            oldest = claim.spack_version
    return oldest
