"""What an import left where: how many rows there are there, how many of them are here, and why not all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from spackmon.formats.old_server.builds import (
    ARGUMENTS,
    BUILDS,
    FILES,
    LOGS,
    OF_KIND,
    PHASES,
    RESULTS,
    TAGS,
    VARIABLES,
)
from spackmon.formats.old_server.rows import BuildRow, EventRow, Note, SpecRow
from spackmon.formats.old_server.specs import DEPENDENCIES, SPECS, name_of_spec
from spackmon.ingest.rows import over_rows
from spackmon.runs.packed_phases import logs_of
from spackmon.status import EventKind

_OWN_RULES = "read anew in the log: this server's rules see none in that line"

_SPECS = over_rows(
    "kind text, value text",
    """
    SELECT DISTINCT i.kind, i.value FROM {input} i
    JOIN spec_hash h ON h.value = i.value AND h.kind = i.kind
    """,
)
_EDGES = over_rows(
    "place integer, kind text, value text, child_kind text, child_value text",
    """
    SELECT DISTINCT i.place FROM {input} i
    JOIN spec_hash p ON p.value = i.value AND p.kind = i.kind
    JOIN spec_hash c ON c.value = i.child_value AND c.kind = i.child_kind
    JOIN dependency d ON d.parent_id = p.spec_id AND d.child_id = c.spec_id
    """,
)
_BUILDS = over_rows(
    "owner_id bigint, key text",
    """
    SELECT c.key, c.configure_arguments_id, c.phases,
        (SELECT count(*) FROM tag_set_member m WHERE m.tag_set_id = c.tag_set_id) AS tags,
        (SELECT count(*) FROM install_file f WHERE f.manifest_id = c.manifest_id) AS files,
        (SELECT count(*) FROM environment_variable v WHERE v.environment_set_id = c.environment_set_id)
            AS variables,
        (SELECT count(*) FROM analysis a JOIN attribute r ON r.analysis_id = a.id WHERE a.claim_id = c.id)
            AS results
    FROM {input} i JOIN claim c ON c.owner_id = i.owner_id AND c.kind = 'MS1' AND c.key = i.key
    WHERE c.attempt_id IS NOT NULL
    """,
)
_EVENTS_OF_LOGS = over_rows(
    "key text, phase text, log_id bigint",
    """
    SELECT i.key, e.kind, i.phase, e.first_line, e.last_line
    FROM {input} i JOIN log_event e ON e.log_id = i.log_id
    """,
)
_EVENTS = over_rows(
    "owner_id bigint, key text",
    """
    SELECT c.key, e.kind, NULL AS phase, e.log_line AS first_line, e.log_line AS last_line
    FROM {input} i JOIN claim c ON c.owner_id = i.owner_id AND c.kind = 'MS1' AND c.key = i.key
    JOIN build_event e ON e.claim_id = c.id
    """,
)


class Comparison:
    """Counts by nouns; a noun of which some are lost has fewer here than there, and too few reasons."""

    def __init__(self) -> None:
        self.there: Counter[str] = Counter()
        self.here: Counter[str] = Counter()
        self._reasons: dict[tuple[str, str], int] = {}

    def note(self, notes: Iterable[Note]) -> None:
        """Add why something is not here; a note of nothing is a remark."""
        for note in notes:
            key = note.noun, note.reason
            self._reasons[key] = self._reasons.get(key, 0) + note.count

    def rows(self) -> Iterator[tuple[str, int, int, str]]:
        """A line for each noun: there, here, and why."""
        nouns = dict.fromkeys([*self.there, *(noun for noun, _ in self._reasons)])
        for noun in nouns:
            reasons = [
                f"{count} × {reason}" if count else reason
                for (of, reason), count in self._reasons.items()
                if of == noun
            ]
            if lost := self.lost(noun):
                reasons.append(f"{lost} LOST")
            if self.there[noun] or reasons:
                yield noun, self.there[noun], self.here[noun], "; ".join(reasons)

    def lost(self, noun: str) -> int:
        """How many are not here for no reason."""
        explained = sum(count for (of, _), count in self._reasons.items() if of == noun)
        return max(0, self.there[noun] - self.here[noun] - explained)

    @property
    def lost_nouns(self) -> list[str]:
        """Those of which some are lost."""
        return [noun for noun in self.there if self.lost(noun)]


def count_specs(
    connection: Connection, rows: Mapping[int, SpecRow], ids: Iterable[int]
) -> Counter[str]:  # fmt: skip
    """How many of some specs are here, and how many of their links."""
    names = {spec_id: name for spec_id, row in rows.items() if (name := name_of_spec(row)) is not None}
    found = {tuple(row) for row in _SPECS.run(connection, sorted(set(names.values())))}
    links = [
        (*names[spec_id], *names[link.spec_id])
        for spec_id in ids
        for link in (rows[spec_id].dependencies if spec_id in rows else ())
        if spec_id in names and link.spec_id in names
    ]
    edges = _EDGES.run(connection, [(place, *link) for place, link in enumerate(links)])
    return Counter(
        {SPECS: sum(1 for spec_id in ids if names.get(spec_id) in found), DEPENDENCIES: len(edges)}
    )


def count_builds(
    connection: Connection, builds: Sequence[tuple[int, str, BuildRow]]
) -> tuple[Counter[str], list[Note]]:
    """What is here of builds, each with its owner and the key of its claim; and what was read otherwise."""
    keys = sorted({(owner_id, key) for owner_id, key, _ in builds})
    here: Counter[str] = Counter()
    logs: list[tuple[str, str, int]] = []
    for row in _BUILDS.run(connection, keys):
        phases = logs_of(row.phases)
        of_build = [(row.key, name, log_id) for name, log_id in phases if log_id is not None]
        logs += of_build
        here.update({
            BUILDS: 1, PHASES: len(phases), LOGS: len(of_build), FILES: row.files, RESULTS: row.results,
            VARIABLES: row.variables, TAGS: row.tags,
            ARGUMENTS: int(row.configure_arguments_id is not None),
        })  # fmt: skip
    if not any(build.events for _, _, build in builds):
        return here, []
    seen: dict[str, list[tuple[str, str | None, int | None, int | None]]] = {}
    for row in (*_EVENTS_OF_LOGS.run(connection, logs), *_EVENTS.run(connection, keys)):
        seen.setdefault(row.key, []).append((row.kind, row.phase, row.first_line, row.last_line))
    notes = []
    for _, key, build in builds:
        names = {phase.id: phase.name for phase in build.phases}
        for event in build.events:
            if _is_seen(event, names.get(event.phase_id), seen.get(key, ())):
                here[OF_KIND[event.kind]] += 1
            else:
                notes.append(Note(OF_KIND[event.kind], 1, _OWN_RULES))
    return here, notes


def _is_seen(
    event: EventRow, phase: str | None, seen: Iterable[tuple[str, str | None, int | None, int | None]]
) -> bool:
    for kind, where, first, last in seen:
        if kind != event.kind or where not in (None, phase):
            continue
        if event.line is None or first is None or (first <= event.line <= (last or first)):
            return True
    return False


EVENTS_OF = {table: OF_KIND[kind] for table, kind in (
    ("main_builderror", EventKind.ERROR), ("main_buildwarning", EventKind.WARNING))}  # fmt: skip
