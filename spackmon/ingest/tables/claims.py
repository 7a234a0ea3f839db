"""Every statement of claims: rows in, and out as what `spackmon.runs` takes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, insert_missing, over_rows
from spackmon.ingest.tables.audiences import OF_OWNER
from spackmon.ingest.tables.configure_arguments import NO_ARGUMENTS, Arguments, arguments_of
from spackmon.ingest.tables.orphans import delete_unused
from spackmon.ingest.tables.tag_sets import NO_TAGS, TagSet, read_tag_set, tag_sets_of
from spackmon.runs.claim import Claim, Machine, PhaseClaim
from spackmon.runs.packed_phases import logs_of, pack, unpack
from spackmon.runs.times import window
from spackmon.status import BuildStatus, EventKind, InstalledFrom, SourceKind
from spackmon.submission import Source

_FACTS = (
    "package_id", "spec_id", "spec_hash", "spec_hash_kind", "environment_id", "status", "is_live",
    "started_at", "finished_at", "duration_seconds", "time_uncertainty_seconds", "times_enclose_run",
    "window_begins_at", "window_ends_at", "cancelled_at", "abandoned_at", "spack_version", "spack_revision",
    "prefix", "installed_from", "environment_set_id", "manifest_id", "configure_arguments_id", "ci_job_id",
    "tag_set_id", "client_build_id", "next_run", "phases", "last_reported_at",
)  # fmt: skip
"""The columns that a report may change."""

_IDENTITY = ("owner_id", "owner_is_certain", "kind", "key", "first_reported_at")
_PLAIN = (
    "package_id", "spec_id", "spec_hash", "spec_hash_kind", "started_at", "finished_at", "duration_seconds",
    "time_uncertainty_seconds", "cancelled_at", "abandoned_at", "spack_version", "spack_revision", "prefix",
    "environment_set_id", "manifest_id", "configure_arguments", "ci_job_id", "last_reported_at",
)  # fmt: skip
_MOMENTS = (
    "started_at", "finished_at", "cancelled_at", "abandoned_at", "first_reported_at", "last_reported_at",
)  # fmt: skip

_FIND = Statement("SELECT id FROM claim WHERE owner_id = :owner_id AND kind = :kind AND key = :key")

_INSERT = Statement(
    f"""
    INSERT INTO claim ({", ".join((*_IDENTITY, *_FACTS))}, audience_id)
    VALUES ({", ".join(f":{name}" for name in (*_IDENTITY, *_FACTS))}, {OF_OWNER})
    ON CONFLICT DO NOTHING
    RETURNING id
    """  # noqa: S608 -- of our own constants
)

_KINDS = {
    **dict.fromkeys(_MOMENTS, "timestamptz"),
    **dict.fromkeys(("window_begins_at", "window_ends_at"), "timestamptz"),
    **dict.fromkeys(("is_live", "times_enclose_run"), "boolean"),
    **dict.fromkeys(("duration_seconds", "time_uncertainty_seconds"), "double precision"),
    **dict.fromkeys(
        (
            "package_id", "spec_id", "environment_id", "environment_set_id", "manifest_id", "ci_job_id",
            "tag_set_id", "configure_arguments_id", "client_build_id",
        ),
        "bigint",
    ),
    "phases": "bytea",
}  # fmt: skip
"""Of columns that are no texts."""

# One statement for all; SQLite has no round trips, and its JSON may change the last digit of a number.
_UPDATE_EACH = Statement(
    f"UPDATE claim SET {', '.join(f'{name} = :{name}' for name in _FACTS)} WHERE id = :id"  # noqa: S608 -- as above
)
_UPDATE = over_rows(
    ", ".join(["id bigint", *(f"{name} {_KINDS.get(name, 'text')}" for name in _FACTS)]),
    f"""
    UPDATE claim SET {", ".join(f"{name} = i.{name}" for name in _FACTS)}
    FROM {{input}} i WHERE claim.id = i.id
    """,  # noqa: S608 -- as above
)

_HAS_EVENTS = ", ".join(
    f"EXISTS (SELECT 1 FROM build_event v WHERE v.claim_id = c.id AND v.kind = '{kind}') "  # noqa: S608
    f"AS has_{kind.lower()}"
    for kind in EventKind
)

_LOADED = f"""
    SELECT c.id, c.attempt_id, {", ".join(f"c.{name}" for name in (*_IDENTITY, *_FACTS))},
        e.hostname, e.platform, e.operating_system, e.target, e.kernel_version,
        {_HAS_EVENTS},
        EXISTS (SELECT 1 FROM analysis a WHERE a.claim_id = c.id) AS has_analyses,
        EXISTS (SELECT 1 FROM ruling r WHERE r.claim_id = c.id)
            OR EXISTS (SELECT 1 FROM ruling r WHERE r.other_claim_id = c.id) AS has_rulings,
        EXISTS (SELECT 1 FROM claim_log l WHERE l.claim_id = c.id) AS has_spare_logs,
        CASE WHEN s.hash_kind = 'hash' THEN s.hash ELSE (
            SELECT min(h.value) FROM spec_other_hash h WHERE h.spec_id = c.spec_id AND h.kind = 'hash'
        ) END AS dag_hash,
        s.format_version < 3 AND s.hash_kind <> 'full_hash' OR c.spec_hash <> s.hash AND EXISTS (
            SELECT 1 FROM spec_hash o WHERE o.value = c.spec_hash AND o.spec_id <> c.spec_id
        ) AS is_weak_spec,
        s.external IS NOT NULL AS is_external, k.names AS tags, g.text AS configure_arguments
    FROM claim c JOIN build_environment e ON e.id = c.environment_id
    LEFT JOIN tag_set k ON k.id = c.tag_set_id
    LEFT JOIN configure_arguments g ON g.id = c.configure_arguments_id
    LEFT JOIN spec s ON s.id = c.spec_id
    WHERE c.id IN ({{0}})
    ORDER BY c.id
"""  # noqa: S608 -- as above
_LOAD = over_rows("id bigint", _LOADED.format("SELECT i.id FROM {input} i"), moments=_MOMENTS)
_LOAD_NEWEST = over_rows(
    "id bigint",
    _LOADED.format("SELECT (SELECT max(n.id) FROM claim n WHERE n.client_build_id = i.id) FROM {input} i"),
    moments=_MOMENTS,
)

_LOG_BYTES = over_rows("id bigint", "SELECT id, size_bytes FROM log WHERE id IN (SELECT i.id FROM {input} i)")

_LOAD_ANALYZERS = over_rows(
    "id bigint",
    """
    SELECT a.claim_id, a.analyzer FROM analysis a
    WHERE a.claim_id IN (SELECT i.id FROM {input} i)
    ORDER BY a.claim_id
    """,
)

# Claims that name a spec by a hash and have none, or one of several that show it.
_NAMING = over_rows(
    "value text",
    """
    SELECT c.id FROM {input} i JOIN claim c ON c.spec_hash = i.value AND c.spec_id IS NULL
    UNION
    SELECT c.id FROM {input} i JOIN spec_other_hash h ON h.value = i.value
    JOIN spec_hash o ON o.value = h.value AND o.spec_id <> h.spec_id
    JOIN spec s ON s.id = h.spec_id AND s.hash <> i.value
    JOIN claim c ON c.spec_id = h.spec_id AND c.spec_hash = i.value
    ORDER BY 1
    """,
)

_MOVE = over_rows(
    "id bigint, attempt_id bigint",
    """
    UPDATE claim SET attempt_id = (SELECT i.attempt_id FROM {input} i WHERE i.id = claim.id)
    WHERE id IN (SELECT i.id FROM {input} i)
    """,
)

_WHERE = Statement(
    """
    SELECT b.id AS build_id, c.attempt_id, s.hash AS spec_hash
    FROM claim c JOIN attempt a ON a.id = c.attempt_id JOIN build b ON b.id = a.build_id
    LEFT JOIN spec s ON s.id = b.spec_id
    WHERE c.id = :claim_id
    """
)


_DROP_LOGS = over_rows(
    "claim_id bigint, log_id bigint",
    """
    DELETE FROM claim_log WHERE claim_id IN (SELECT i.claim_id FROM {input} i) AND NOT EXISTS (
        SELECT 1 FROM {input} i WHERE i.claim_id = claim_log.claim_id AND i.log_id = claim_log.log_id
    )
    """,
)
_KEEP_LOGS = insert_missing("claim_log", "claim_id bigint, log_id bigint", ["claim_id", "log_id"])

_SHARED = {"environment_set": "environment_set_id", "manifest": "manifest_id"}


class _Shared(NamedTuple):
    """The rows of what claims share."""

    tag_sets: Mapping[frozenset[str], int | None]
    arguments: Mapping[str | None, int | None]


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """A claim with what only the store knows of it: `client_build_id` and `next_run` are the table's.

    `tag_set` and `arguments` are some whose rows are known, most often those of the claim. Whether it had
    rulings and logs that its run does not show when it was read: of most nobody need ask.
    """

    claim: Claim
    environment_id: int
    client_build_id: int | None = None
    next_run: str | None = None
    has_rulings: bool = False
    has_spare_logs: bool = False
    tag_set: TagSet = NO_TAGS
    arguments: Arguments = NO_ARGUMENTS


def find_claim(connection: Connection, source: Source, owner_id: int) -> int | None:
    """The id of this owner's claim of a source."""
    found = _FIND.run(connection, owner_id=owner_id, kind=source.kind.value, key=source.key)
    return found[0].id if found else None


def add_claim(connection: Connection, stored: StoredClaim) -> int | None:
    """Insert a claim with its phases; its id, or None if somebody was faster with the same source."""
    claim = stored.claim
    phases = [replace(phase, reported_at=claim.first_reported_at) for phase in claim.phases]
    created = _INSERT.run(
        connection, owner_id=claim.owner_id, owner_is_certain=claim.owner_is_certain, kind=claim.kind.value,
        key=claim.key, first_reported_at=claim.first_reported_at,
        **_facts(stored, phases, _shared(connection, [stored])),
    )  # fmt: skip
    return created[0].id if created else None


def update_claims(
    connection: Connection, changes: Iterable[tuple[StoredClaim, StoredClaim]], now: datetime
) -> None:
    """Write what reports changed of claims, each as it was and is; new phases are reported `now`."""
    pairs = list(changes)
    shared = _shared(connection, [after for _, after in pairs])
    rows = [_changed(before, after, now, shared) for before, after in pairs]
    if connection.dialect.name == "sqlite":
        _UPDATE_EACH.run_each(connection, rows)
    else:
        _UPDATE.run(connection, [tuple(row.values()) for row in rows])


def _shared(connection: Connection, stored: Sequence[StoredClaim]) -> _Shared:
    return _Shared(
        tag_sets_of(connection, {one.claim.tags for one in stored}, {one.tag_set for one in stored}),
        arguments_of(
            connection, {one.claim.configure_arguments for one in stored}, {one.arguments for one in stored}
        ),
    )


def _changed(before: StoredClaim, after: StoredClaim, now: datetime, shared: _Shared) -> dict[str, Any]:
    known = {phase.name: phase for phase in before.claim.phases}
    reported = {
        phase.name: replace(phase, reported_at=known[phase.name].reported_at if phase.name in known else now)
        for phase in after.claim.phases
    }
    facts = _facts(after, {**known, **reported}.values(), shared)
    return {"id": after.claim.id, **{name: facts[name] for name in _FACTS}}


def _replaced(before: StoredClaim, after: StoredClaim) -> set[int | None]:
    """The logs that a claim's phases had and have no longer."""
    return {p.log_id for p in before.claim.phases} - {p.log_id for p in after.claim.phases}


def release(connection: Connection, changes: Sequence[tuple[StoredClaim, StoredClaim]]) -> None:
    """Delete what claims, each as it was and is, had brought and have no longer, when no run refers to it."""
    for table, name in _SHARED.items():
        pairs = ((getattr(before.claim, name), getattr(after.claim, name)) for before, after in changes)
        delete_unused(connection, table, [one for one, other in pairs if one != other])
    places = ((before.environment_id, after.environment_id) for before, after in changes)
    delete_unused(connection, "build_environment", [one for one, other in places if one != other])
    delete_unused(connection, "log", {one for pair in changes for one in _replaced(*pair)})


def keep_logs(
    connection: Connection, spare: Mapping[int, Collection[int]], with_others: Collection[int]
) -> None:
    """Refer to the logs of claims, by their ids, that no phase of their runs shows, and to no others.

    `with_others` are the claims that had some.
    """
    kept = sorted((claim_id, log_id) for claim_id, log_ids in spare.items() for log_id in log_ids)
    former = [pair for pair in kept if pair[0] in with_others]
    _DROP_LOGS.run(
        connection, former + [(one, None) for one in sorted(with_others) if one in spare and not spare[one]]
    )
    _KEEP_LOGS.run(connection, kept)


def load_claims(connection: Connection, claim_ids: Iterable[int]) -> dict[int, StoredClaim]:
    """Claims by their ids."""
    return _all_stored(connection, _LOAD.run(connection, sorted({(claim_id,) for claim_id in claim_ids})))


def load_newest(connection: Connection, client_build_ids: Iterable[int]) -> dict[int, StoredClaim]:
    """The newest claims with these numbers of clients, by them."""
    rows = _LOAD_NEWEST.run(connection, sorted({(one,) for one in client_build_ids}))
    return {one.client_build_id: one for one in _all_stored(connection, rows).values() if one.client_build_id}


def _all_stored(connection: Connection, found: Sequence[Any]) -> dict[int, StoredClaim]:
    logs = {(log_id,) for row in found for _, log_id in logs_of(row.phases) if log_id is not None}
    log_bytes = {row.id: row.size_bytes for row in _LOG_BYTES.run(connection, sorted(logs))}
    analyzers: dict[int, set[str]] = {}
    for row in _LOAD_ANALYZERS.run(connection, [(row.id,) for row in found if row.has_analyses]):
        analyzers.setdefault(row.claim_id, set()).add(row.analyzer)
    return {row.id: _stored(row, log_bytes, frozenset(analyzers.get(row.id, ()))) for row in found}


def naming(connection: Connection, hashes: Iterable[str]) -> list[int]:
    """The claims that name a spec by one of these hashes and have none, or one of several that show it."""
    return [row.id for row in _NAMING.run(connection, sorted({(value,) for value in hashes}))]


def move_claims(connection: Connection, attempt_of: Iterable[tuple[int, int]]) -> None:
    """Count claims to attempts: pairs of ids."""
    _MOVE.run(connection, sorted(attempt_of))


def where_is(connection: Connection, claim_id: int) -> Any:
    """The `build_id` and `attempt_id` that a claim is counted to, and the `spec_hash` of that build."""
    return _WHERE.run(connection, claim_id=claim_id)[0]


def _facts(stored: StoredClaim, phases: Iterable[PhaseClaim], shared: _Shared) -> dict[str, Any]:
    claim = stored.claim
    begins_at, ends_at = window(claim) or (None, None)
    return {
        **{name: getattr(claim, name) for name in _PLAIN},
        "status": claim.status.value,
        "is_live": claim.is_live,
        "times_enclose_run": claim.times_enclose_run,
        "installed_from": None if claim.installed_from is None else claim.installed_from.value,
        "tag_set_id": shared.tag_sets[claim.tags],
        "configure_arguments_id": shared.arguments[claim.configure_arguments],
        "window_begins_at": begins_at,
        "window_ends_at": ends_at,
        "environment_id": stored.environment_id,
        "client_build_id": stored.client_build_id,
        "next_run": stored.next_run,
        "phases": pack(phases, claim.first_reported_at),
    }


def _stored(row: Any, log_bytes: Mapping[int, int], analyzers: frozenset[str]) -> StoredClaim:
    tag_set = read_tag_set(row.tag_set_id, row.tags)
    claim = Claim(
        id=row.id,
        attempt_id=row.attempt_id,
        owner_id=row.owner_id,
        owner_is_certain=bool(row.owner_is_certain),
        kind=SourceKind(row.kind),
        key=row.key,
        first_reported_at=row.first_reported_at,
        **{name: getattr(row, name) for name in _PLAIN},
        machine=Machine(row.hostname, row.platform, row.operating_system, row.target, row.kernel_version),
        status=BuildStatus(row.status),
        is_live=bool(row.is_live),
        times_enclose_run=bool(row.times_enclose_run),
        installed_from=None if row.installed_from is None else InstalledFrom(row.installed_from),
        tags=tag_set.names,
        phases=unpack(row.phases, row.first_reported_at, log_bytes),
        event_kinds=frozenset(kind for kind in EventKind if getattr(row, f"has_{kind.lower()}")),
        dag_hash=row.dag_hash,
        is_weak_spec=bool(row.is_weak_spec),
        is_external=bool(row.is_external),
        analyzers=analyzers,
    )
    return StoredClaim(
        claim, row.environment_id, row.client_build_id, row.next_run, bool(row.has_rulings),
        bool(row.has_spare_logs), tag_set, Arguments(row.configure_arguments, row.configure_arguments_id),
    )  # fmt: skip
