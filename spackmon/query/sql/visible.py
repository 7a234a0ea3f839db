# ruff: noqa: S608 -- statements are put together of our own constants alone
"""What somebody may see, whatever they ask: the tables of a statement are as if the rest was never reported.

A statement for who may not see everything begins with a WITH clause that puts, in the place of each table
that it reads, the rows that may be seen (docs/decisions/0019-visibility.md). Who asks is a parameter.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from graphlib import TopologicalSorter
from typing import Any

from spackmon.history.rounded_durations import BOUNDS, ROUNDED
from spackmon.models import Base
from spackmon.models.columns import View
from spackmon.models.places import parts_in_sql
from spackmon.status import TotalOf
from spackmon.viewer import Viewer

_PERSON, _IS_SIGNED_IN = "viewer_person_id", "viewer_is_signed_in"
_AUDIENCES = "visible_audience"
_PARAMETERS = {"sqlite": ":{}", "postgresql": "%({})s"}


def _has(other: str, column: str) -> str:
    """The row's `column` is the id of a row of another table that may be seen."""
    return f"EXISTS (SELECT 1 FROM {other} v WHERE v.id = t.{column})"


def _used(*references: tuple[str, str]) -> str:
    """A row of another table that may be seen refers to the row."""
    return " OR ".join(f"EXISTS (SELECT 1 FROM {other} v WHERE v.{column} = t.id)"
                       for other, column in references)  # fmt: skip


_TO_ALL = f"t.audience_id IS NULL OR t.audience_id IN (SELECT a.id FROM {_AUDIENCES} a)"
_OWN_EVENTS = """
    SELECT COALESCE(e.text, e.message) AS text, e.tool FROM log_event e WHERE e.fingerprint = t.fingerprint
    UNION ALL
    SELECT e.text, e.tool FROM build_event e WHERE e.fingerprint = t.fingerprint AND e.claim_id IS NOT NULL
        AND (e.error_group_id = t.id OR e.error_group_id = t.merged_into_id OR e.error_group_id IN (
            SELECT p.part_id FROM {error_group_part} p WHERE p.error_group_id = t.id
        ))
"""
_WHOLE_GROUP = "SELECT 1 FROM error_group_build b WHERE b.error_group_id = t.id"
_PHASE = parts_in_sql("t.row_id")
_SUMMED = "SELECT {}(b.{}) FROM error_group_build b WHERE b.error_group_id = t.id"

_ROWS: Mapping[str, str] = {
    # What is private by itself.
    "build": _TO_ALL,
    "concretization_failure": _TO_ALL,
    "lock_file": _TO_ALL,
    "buildcache": _TO_ALL,
    "spec": f"t.is_public OR EXISTS (SELECT 1 FROM {{spec_audience}} s WHERE s.spec_id = t.id"
    f" AND s.audience_id IN (SELECT a.id FROM {_AUDIENCES} a))",
    # What belongs to it.
    **{name: _has("build", "build_id") for name in ("attempt", "error_group_build", "merged_build")},
    **{name: _has("attempt", "attempt_id") for name in ("phase", "claim")},
    **{name: _has("claim", "claim_id") for name in ("claim_log", "analysis")},
    "ruling": f"{_has('claim', 'claim_id')} AND {_has('claim', 'other_claim_id')}",
    "build_event": f"{_has('attempt', 'attempt_id')} OR t.attempt_id IS NULL AND {_has('claim', 'claim_id')}",
    **{name: _has("analysis", "analysis_id") for name in ("attribute", "earlier_attribute", "analysis_host")},
    "lock_file_root": _has("lock_file", "lock_file_id"),
    "buildcache_entry": _has("buildcache", "buildcache_id"),
    **dict.fromkeys(
        ("spec_hash", "spec_document", "spec_compiler", "other_compiler"), _has("spec", "spec_id")
    ),
    "dependency": f"{_has('spec', 'parent_id')} AND {_has('spec', 'child_id')}",
    **dict.fromkeys(
        ("closure", "closure_above"), f"{_has('spec', 'ancestor_id')} AND {_has('spec', 'descendant_id')}"
    ),
    "provided_virtual": f"{_has('spec', 'spec_id')} AND {_has('spec', 'child_id')}",
    # What many share, and is known by what refers to it.
    "tag": "EXISTS (SELECT 1 FROM tag_set_member v WHERE v.tag_id = t.id)",
    "tag_set": _used(("attempt", "tag_set_id")),
    "tag_set_member": _has("tag_set", "tag_set_id"),
    "ci_job": _used(("attempt", "ci_job_id")),
    "ci_run": _used(("ci_job", "ci_run_id")),
    "build_environment": _used(("attempt", "environment_id"), ("claim", "environment_id")),
    **{name: _used(("claim", f"{name}_id")) for name in ("environment_set", "manifest")},
    "environment_variable": _has("environment_set", "environment_set_id"),
    "install_file": _has("manifest", "manifest_id"),
    "log": _used(("phase", "log_id"), ("claim_log", "log_id")),
    **{name: _has("log", "log_id") for name in ("log_chunk", "log_event")},
    "host_image": _used(("analysis_host", "host_image_id")),
    "host_library": _has("host_image", "host_image_id"),
    "system_library": _used(("host_library", "system_library_id")),
    "elf_file": _used(("attribute", "elf_file_id"), ("system_library", "elf_file_id")),
    "symbol_set": _used(("elf_file", "symbol_set_id")),
    "spack_environment": _used(("lock_file", "environment_id")),
    "package": _used(*((one, "package_id") for one in
                       ("package_version", "build", "claim", "concretization_failure"))),
    "package_version": _used(("spec", "package_version_id")),
    "compiler": _used(("spec", "compiler_id"), ("other_compiler", "compiler_id")),
    "architecture": _used(("spec", "architecture_id")),
    "target": _used(("architecture", "target_id")),
    "parameter_set": _used(("spec", "parameter_set_id")),
    "parameter": _has("parameter_set", "parameter_set_id"),
    # They say nothing of a spec or a run, and nobody gets there but by one: to look for it would be to read
    # all of these.
    **dict.fromkeys(("package_hash", "phase_kind", "configure_arguments", "event_context"), "true"),
    "package_set": _used(("spec", "package_set_id")),
    "package_set_member": _has("package_set", "package_set_id"),
    "error_group": f"EXISTS ({_WHOLE_GROUP}) OR EXISTS ({_OWN_EVENTS})",
    "error_group_part": f"{_has('error_group', 'error_group_id')} AND {_has('error_group', 'part_id')}",
    "error_group_ruling": _has("error_group", "error_group_id"),
    "reported_change": "t.kind = 'BUILD' AND EXISTS (SELECT 1 FROM build v WHERE v.id = t.row_id)"
    " OR t.kind IN ('PHASE', 'LOG') AND EXISTS (SELECT 1 FROM phase v"
    f" WHERE v.attempt_id = {_PHASE[0]} AND v.place = {_PHASE[1]})",
    "build_facet": "EXISTS (SELECT 1 FROM build v WHERE v.facet_id = t.id)",
    # What is counted is counted anew: nothing waits to be added.
    **dict.fromkeys(("error_group_change", "build_facet_change", "build_total_change"), "false"),
}  # fmt: skip
"""What holds of a row `t` that may be seen. A table in braces is the whole one."""

_SEEN_SPEC = "CASE WHEN EXISTS (SELECT 1 FROM spec v WHERE v.id = t.spec_id) THEN t.spec_id END"
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    # As long as nobody reported a spec, what names it by its hash leads nowhere.
    "lock_file_root": {"spec_id": _SEEN_SPEC},
    "buildcache_entry": {"spec_id": _SEEN_SPEC},
    "error_group": {
        **{name: "CASE WHEN EXISTS (SELECT 1 FROM {error_group_part} p WHERE p.part_id = t.id)"
                 f" THEN t.{name} ELSE COALESCE((SELECT min(o.{name}) FROM ({_OWN_EVENTS}) o),"
                 f" (SELECT min(e.{name}) FROM build_event e WHERE e.error_group_id = t.id)) END"
           for name in ("text", "tool")},
        **{name: f"(SELECT CAST(COALESCE(sum(b.{name}), 0) AS integer) FROM error_group_build b"
                 " WHERE b.error_group_id = t.id)" for name in ("event_count", "run_count")},
        "build_count": "(SELECT count(*) FROM error_group_build b WHERE b.error_group_id = t.id)",
        "first_seen": f"({_SUMMED.format('min', 'first_seen')})",
        "last_seen": f"({_SUMMED.format('max', 'last_seen')})",
    },
    "build_facet": {
        "build_count": "(SELECT count(*) FROM build b WHERE b.facet_id = t.id)",
    },
}  # fmt: skip
"""Columns that say something else of what may be seen."""

_DAY = {
    "sqlite": "substr(b.started_at, 1, 10)",
    "postgresql": "to_char(b.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
_WHENS = (f"WHEN b.duration_seconds < {end} THEN {one}" for end, one in zip(BOUNDS, ROUNDED, strict=False))
_BOUNDS, _ROUNDED = (
    f"CAST(ARRAY[{', '.join(map(str, numbers))}] AS double precision[])" for numbers in (BOUNDS, ROUNDED)
)
_SECONDS = {
    "sqlite": f"CASE {' '.join(_WHENS)} ELSE {ROUNDED[-1]} END",
    "postgresql": f"({_ROUNDED})[width_bucket(b.duration_seconds, {_BOUNDS}) + 1]",
}
_MICROSECONDS = {
    "sqlite": "CAST(b.duration_seconds * 1000000 + 0.5 AS INTEGER)",
    "postgresql": "CAST(floor(b.duration_seconds * 1000000 + 0.5) AS bigint)",
}
_IN_PLACES = "EXISTS (SELECT 1 FROM build b WHERE b.id = CAST(t.chunk AS bigint) * 256 + {})"
_CONTENT = {
    "sqlite": f"SELECT t.* FROM {{build_content}} t WHERE {_IN_PLACES.format('t.place')}",
    "postgresql": "SELECT t.package_version_id, t.chunk, t.place, t.package_id, ARRAY(SELECT p FROM"
    f" unnest(t.places) AS u(p) WHERE {_IN_PLACES.format('u.p')}) AS places FROM {{build_content}} t",
}


_ENDED = "b.status, b.installed_from, b.facet_id FROM build b"
_TOTALS = f"""
    SELECT '{TotalOf.OWNER}' AS kind, b.owner_id AS key_id, {_ENDED}
    UNION ALL
    SELECT '{TotalOf.FIRST_ERROR}', b.first_error_group_id, {_ENDED} WHERE b.first_error_group_id IS NOT NULL
    UNION ALL
    SELECT '{TotalOf.ERRORS}', b.error_count, {_ENDED} WHERE b.error_count > 0
    UNION ALL
    SELECT '{TotalOf.WARNINGS}', b.warning_count, {_ENDED} WHERE b.warning_count > 0
    UNION ALL
    SELECT '{TotalOf.TAG}', g.tag_id, {_ENDED} JOIN tag_set_member g ON g.tag_set_id = b.tag_set_id
"""


def _whole(dialect_name: str) -> dict[str, str]:
    """Tables of which what may be seen is counted, or put together, from others."""
    return {
        _AUDIENCES: f"""
            SELECT a.id FROM {{audience}} a WHERE a.visibility = 'INTERNAL' AND {{{_IS_SIGNED_IN}}} = 1
                OR a.owner_id = {{{_PERSON}}}
                OR a.group_id IN (
                    SELECT m.group_id FROM {{group_member}} m WHERE m.person_id = {{{_PERSON}}}
                )
        """,
        "build_content": _CONTENT[dialect_name],
        "closure_above_count": "SELECT c.descendant_id, 1 AS number FROM closure_above c",
        "build_day": f"""
            SELECT COALESCE({_DAY[dialect_name]}, '') AS day, b.status,
                COALESCE(b.installed_from, '') AS installed_from, CAST(count(*) AS integer) AS build_count
            FROM build b GROUP BY 1, 2, 3
        """,
        "build_total": f"""
            SELECT c.kind, c.key_id, c.status, COALESCE(c.installed_from, '') AS installed_from,
                CAST(count(*) AS integer) AS build_count
            FROM ({_TOTALS}) c GROUP BY 1, 2, 3, 4
        """,
        "build_facet_total": f"""
            SELECT c.kind, c.key_id, c.facet_id, CAST(count(*) AS integer) AS build_count
            FROM ({_TOTALS}) c WHERE c.facet_id IS NOT NULL GROUP BY 1, 2, 3
        """,
        "build_facet_duration": f"""
            SELECT b.facet_id, {_SECONDS[dialect_name]} AS rounded_seconds,
                CAST(count(*) AS integer) AS build_count,
                CAST(sum({_MICROSECONDS[dialect_name]}) AS bigint) AS microseconds
            FROM build b WHERE b.duration_seconds IS NOT NULL AND b.facet_id IS NOT NULL GROUP BY 1, 2
        """,
    }


OPEN = frozenset(
    ("advisory", "advisory_range", "advisory_variant", "earlier_phase", "person", "spec_revision")
)
"""Tables that say nothing of what was reported: everybody sees all of them."""
EVERY = frozenset({*Base.metadata.tables, *View.metadata.tables})
SHOWN = frozenset({*_ROWS, *_whole("sqlite")} - {_AUDIENCES})
"""Tables of which something may be seen."""
_NAME = re.compile(r"\b(?:{})\b".format("|".join(sorted({*EVERY, _AUDIENCES} - OPEN, key=len, reverse=True))))
_WHOLE_TABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class _Guarded:
    """The rows of one table that may be seen, and the tables that this is seen by."""

    body: str
    needs: frozenset[str]


@cache
def _guards(dialect_name: str) -> Mapping[str, _Guarded]:
    whole = _whole(dialect_name)
    bodies = {name: whole.get(name) or _seen(name, dialect_name) for name in sorted({*EVERY, *whole} - OPEN)}
    return {name: _guarded(body, dialect_name) for name, body in bodies.items()}


def _seen(name: str, dialect_name: str) -> str:
    # A table that nobody has said anything of shows nothing.
    holds = _ROWS.get(name, "false")
    columns = _COLUMNS.get(name)
    if columns is None:
        return f"SELECT t.* FROM {{{name}}} t WHERE {holds}"
    names = Base.metadata.tables[name].columns.keys()
    shown = ", ".join(f"{columns[one]} AS {one}" if one in columns else f"t.{one}" for one in names)
    return f"SELECT {shown} FROM {{{name}}} t WHERE {holds}"


def _guarded(body: str, dialect_name: str) -> _Guarded:
    # In SQLite a name within its own definition would be that definition.
    schema = "main." if dialect_name == "sqlite" else ""

    def written(found: re.Match[str]) -> str:
        if found[1] in (_PERSON, _IS_SIGNED_IN):
            return _PARAMETERS[dialect_name].format(found[1])
        return schema + found[1]

    needs = frozenset(_NAME.findall(_WHOLE_TABLE.sub("", body)))
    return _Guarded(_WHOLE_TABLE.sub(written, body), needs)


@lru_cache(maxsize=200)
def guarded(statement: str, dialect_name: str) -> str:
    """A statement over what its viewer may see; it takes `viewer_parameters` more."""
    guards = _guards(dialect_name)
    needed: dict[str, frozenset[str]] = {}
    waiting = set(_NAME.findall(statement)) - {_AUDIENCES}
    while waiting:
        name = waiting.pop()
        needed[name] = guards[name].needs
        waiting |= guards[name].needs - needed.keys()
    if not needed:
        return statement
    order: Iterable[str] = TopologicalSorter(needed).static_order()
    tables = ",\n".join(f"{name} AS {_hint(name)} ({guards[name].body})" for name in order)
    return f"WITH {tables}\n{_unled(statement)}"


def _hint(name: str) -> str:
    return "MATERIALIZED" if name == _AUDIENCES else "NOT MATERIALIZED"


def _unled(statement: str) -> str:
    # One statement has one WITH clause.
    return f"SELECT * FROM ({statement}) q" if statement.lstrip()[:4].upper() == "WITH" else statement


def viewer_parameters(viewer: Viewer) -> dict[str, Any]:
    """What a guarded statement is told of its viewer."""
    person_id = -1 if viewer.person_id is None else viewer.person_id
    return {_PERSON: person_id, _IS_SIGNED_IN: int(viewer.is_signed_in)}
