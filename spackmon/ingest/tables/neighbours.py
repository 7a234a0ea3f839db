"""Which claims can decide about another's run: as few rows as that takes, however long the history is.

Claims with times by the time within which they must touch; those without as `spackmon.runs.untimed` says:
none where another one of their kind is, and beside the newest with times.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import RowStatement, over_rows
from spackmon.models.steps import SECONDS_OF_CLAIMS, in_steps
from spackmon.runs.claim import OF_COMMANDS, Claim
from spackmon.runs.untimed import NEWEST
from spackmon.status import SourceKind

_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)

# Two specs that share a DAG hash: the one's own is one that the other was shown by, or both were shown by it.
# Which specs `o` these are, and the column that says whose.
_SHARING = (
    (
        "spec_other_hash o JOIN spec s ON s.hash = o.value AND s.hash_kind = 'hash' AND o.kind = 'hash'",
        "s.id",
    ),
    (
        "spec_other_hash h JOIN spec_hash o"
        " ON o.value = h.value AND o.kind = 'hash' AND h.kind = 'hash' AND o.spec_id <> h.spec_id",
        "h.spec_id",
    ),
)


def _step(moment: str) -> str:
    return in_steps(moment, SECONDS_OF_CLAIMS)


# Whether there is any claim without times beside `m`. Nearly always there is none, and to look for that costs
# a third of looking for the first and the last one of each kind. A window has both ends or none: whatever
# index is taken has one of them.
_IS_UNTIMED = {
    "sqlite": "x.window_begins_at IS NULL AND x.window_ends_at IS NULL",
    "postgresql": "x.window_begins_at IS NULL AND x.window_ends_at IS NULL"
    f" AND {_step('x.window_ends_at')} IS NULL",
}
_IS_BESIDE_UNTIMED = " OR ".join(
    f"EXISTS (SELECT 1 FROM {found} AND {{is_untimed}} AND x.id <> m.id)"  # noqa: S608 -- our own
    for found in (
        "claim x WHERE x.spec_id = m.spec_id",
        *(
            f"{specs} JOIN claim x ON x.spec_id = o.spec_id WHERE {own} = m.spec_id"
            for specs, own in _SHARING
        ),
        "claim x WHERE x.spec_hash = m.spec_hash AND x.spec_id IS NULL AND m.spec_id IS NULL",
        "claim x WHERE x.package_id = m.package_id AND x.prefix = m.prefix",
    )
)

# Also within the time that was a claim's before it changed.
_BEGINS = "(CASE WHEN :began_at < m.window_begins_at THEN :began_at ELSE m.window_begins_at END)"
_TOUCHES = f"""
    {{ends_since}} AND c.window_ends_at >= {_BEGINS} AND c.window_begins_at <= (
        CASE WHEN :ended_at > m.window_ends_at THEN :ended_at ELSE m.window_ends_at END
    )
"""
_ENDS_SINCE = {"sqlite": "true", "postgresql": f"{_step('c.window_ends_at')} >= {_step(_BEGINS)}"}

# Two hosts contradict each other, but where a report of a whole command names one. It is asked by the numbers
# of their machines first, which are mostly one.
_COMMANDS = ", ".join(f"'{kind.value}'" for kind in sorted(OF_COMMANDS))
_ON_ONE_HOST = f"""
    (c.environment_id = m.environment_id OR m.kind IN ({_COMMANDS}) OR c.kind IN ({_COMMANDS}) OR NOT EXISTS (
        SELECT 1 FROM build_environment a JOIN build_environment b ON b.id = c.environment_id
        WHERE a.id = m.environment_id AND a.hostname <> '' AND b.hostname <> '' AND a.hostname <> b.hostname
    ))
"""  # noqa: S608 -- our own

_TOUCHING_BY_HASH = " UNION ".join(
    f"""
    SELECT m.id, c.id FROM m JOIN ({specs}) ON {own} = m.spec_id
    JOIN claim c ON c.spec_id = o.spec_id AND {_TOUCHES}
    """  # noqa: S608 -- our own
    for specs, own in _SHARING
)
# Claims of two specs contradict each other, unless their DAG hash is one, and so do those of two hosts: where
# many build a package at a time the others are not even read. The rows of those that are beside one without
# times have no id.
_PAIRS = f"""
    WITH m AS MATERIALIZED (
        SELECT m.id, m.spec_id, m.spec_hash, m.package_id, m.prefix, m.kind, m.environment_id, m.attempt_id,
            m.window_begins_at, m.window_ends_at
        FROM {{{{input}}}} i JOIN claim m ON m.id = i.id
    )
    SELECT m.id AS claim_id, c.id FROM m
    JOIN claim c ON c.spec_id = m.spec_id AND {_ON_ONE_HOST}
        AND {_TOUCHES}
    UNION
    {_TOUCHING_BY_HASH}
    UNION
    SELECT m.id, c.id FROM m
    JOIN claim c ON c.package_id = m.package_id AND (c.spec_id IS NULL OR m.spec_id IS NULL)
        AND {_TOUCHES}
    UNION
    SELECT m.id, c.id FROM m
    JOIN claim c ON c.spec_hash = m.spec_hash AND c.spec_id IS NULL AND m.spec_id IS NULL
        AND {_TOUCHES}
    UNION
    SELECT m.id, c.id FROM m JOIN claim c ON c.attempt_id = m.attempt_id
    UNION ALL
    SELECT m.id, NULL FROM m WHERE {_IS_BESIDE_UNTIMED}
"""  # noqa: S608 -- as above
_TOUCHING = {
    name: over_rows("id bigint", _PAIRS.format(ends_since=ends_since, is_untimed=_IS_UNTIMED[name]))
    for name, ends_since in _ENDS_SINCE.items()
}

_OWN_SPEC = """
    SELECT m.id AS claim_id, m.spec_id AS thing, 0 AS package_id, true AS is_own
    FROM {input} i JOIN claim m ON m.id = i.id WHERE m.spec_id IS NOT NULL
"""
_SPECS_BY_HASH = tuple(
    f"""
    SELECT m.id, o.spec_id, 0, false
    FROM {{input}} i JOIN claim m ON m.id = i.id JOIN ({specs}) ON {own} = m.spec_id
    """  # noqa: S608 -- as above
    for specs, own in _SHARING
)
# What a claim is of: its spec, those that share its DAG hash, the hash of one that is not stored, and what is
# at its prefix. `x` is another claim of the same.
_THINGS = {
    "spec": (
        " UNION ".join((_OWN_SPEC, *_SPECS_BY_HASH)),
        "{x}.spec_id = t.thing",
    ),
    "hash": (
        """
        SELECT m.id AS claim_id, m.spec_hash AS thing, 0 AS package_id, true AS is_own
        FROM {input} i JOIN claim m ON m.id = i.id WHERE m.spec_id IS NULL AND m.spec_hash IS NOT NULL
        """,
        "{x}.spec_hash = t.thing AND {x}.spec_id IS NULL",
    ),
    "prefix": (
        """
        SELECT m.id AS claim_id, m.prefix AS thing, m.package_id, true AS is_own
        FROM {input} i JOIN claim m ON m.id = i.id WHERE m.prefix IS NOT NULL AND m.package_id IS NOT NULL
        """,
        "{x}.package_id = t.package_id AND {x}.prefix = t.thing",
    ),
}
_KINDS = " UNION ALL ".join(f"SELECT '{kind.value}' AS kind" for kind in SourceKind)

# The least and the greatest number tell whether there is one, and whether there are more: two look-ups.
_UNTIMED = over_rows(
    "id bigint",
    " UNION ALL ".join(
        f"""
        SELECT u.* FROM (
            SELECT t.claim_id, '{via}' AS via, t.is_own, k.kind,
                (SELECT min(x.id) FROM claim x WHERE {of_thing.format(x="x")} AND x.kind = k.kind
                    AND x.window_begins_at IS NULL AND x.id <> t.claim_id) AS first_id,
                (SELECT max(x.id) FROM claim x WHERE {of_thing.format(x="x")} AND x.kind = k.kind
                    AND x.window_begins_at IS NULL AND x.id <> t.claim_id) AS last_id
            FROM ({things}) t CROSS JOIN ({_KINDS}) k
        ) u
        WHERE u.first_id IS NOT NULL
        """  # noqa: S608 -- of our own constants
        for via, (things, of_thing) in _THINGS.items()
    ),
)


def _newest(via: str, dialect_name: str) -> RowStatement:
    """The newest claims with times of what a claim is of; those of a spec PostgreSQL has by their steps."""
    things, of_thing = _THINGS[via]
    keys = [_step("{}"), "{}"] if via == "spec" and dialect_name == "postgresql" else ["{}"]
    of_x, of_c, of_t = (
        [key.format(moment) for key in keys]
        for moment in ("x.window_ends_at", "c.window_ends_at", "t.ends_at")
    )
    return over_rows(
        "id bigint",
        f"""
        WITH t AS MATERIALIZED (
            SELECT t.*, COALESCE((
                SELECT x.window_ends_at FROM claim x
                WHERE {of_thing.format(x="x")} AND {of_x[0]} IS NOT NULL
                ORDER BY {", ".join(f"{key} DESC" for key in of_x)} LIMIT 1 OFFSET {NEWEST - 1}
            ), :earliest_at) AS ends_at
            FROM ({things}) t
        )
        SELECT t.claim_id, c.id FROM t JOIN claim c ON {of_thing.format(x="c")}
            AND {" AND ".join(f"{own} >= {least}" for own, least in zip(of_c, of_t, strict=True))}
        """,  # noqa: S608 -- as above
    )


_NEWEST = {(via, name): _newest(via, name) for via in _THINGS for name in _ENDS_SINCE}


@dataclass(frozen=True, slots=True)
class Near:
    """Claims that can decide about each other's run, as pairs of ids.

    Of `candidates` the first has no times and may be placed beside the second.
    """

    pairs: set[tuple[int, int]]
    candidates: set[tuple[int, int]]


def neighbours(
    connection: Connection, claims: Collection[Claim], was: tuple[datetime, datetime] | None = None
) -> Near:
    """The claims that may be of one run with one of these, given as they are stored, or are counted to it.

    Also those of the time that `was` a claim's window, of whose others nothing changed.
    """
    ids = sorted((claim.id,) for claim in claims)
    began_at, ended_at = was or (None, None)
    touching = _TOUCHING[connection.dialect.name].run(connection, ids, began_at=began_at, ended_at=ended_at)
    near = Near({(row.claim_id, row.id) for row in touching if row.id is not None}, set())
    kinds = {claim.id: claim.kind for claim in claims if claim.span is None}
    rows = _UNTIMED.run(connection, [(row.claim_id,) for row in touching if row.id is None])
    for via in _THINGS:
        _add(connection, near, via, [row for row in rows if row.via == via], kinds)
    return near


def _add(
    connection: Connection, near: Near, via: str, rows: Iterable[Any], untimed: Mapping[int, str]
) -> None:
    """Add what is beside claims without times, and such claims themselves; `untimed` are kinds by ids."""
    rivals = [row for row in rows if row.is_own and row.kind == untimed.get(row.claim_id)]
    near.pairs.update((row.claim_id, rival) for row in rivals for rival in (row.first_id, row.last_id))
    crowded = {row.claim_id for row in rivals}
    only = {
        (row.claim_id, row.first_id)
        for row in rows
        if row.first_id == row.last_id and row.kind != untimed.get(row.claim_id)
    }
    alone = [(claim_id,) for claim_id in sorted(set(untimed) - crowded)]
    found = _NEWEST[via, connection.dialect.name].run(connection, alone, earliest_at=_EARLIEST)
    newest = {(row.claim_id, row.id) for row in found}
    # Also of one that has a rival now: the only one of its kind may have been placed beside it before.
    near.pairs.update(only | newest)
    near.candidates.update(pair for pair in only | newest if pair[0] in untimed and pair[0] not in crowded)
