"""What was recorded before runs were derived from claims becomes claims, runs, and contents that runs share.

Each source of a run becomes a claim. What the landed tables say of a build or of a run, and not of a source,
goes to the claim of the source that saw the run best. No table is read whole: contents are digested a page at
a time, builds carried a batch at a time, and the rest is moved by statements over whole tables.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
import zstandard
from alembic import op

from spackmon.models.columns import RowId, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BUILDS_AT_ONCE = 500
_NOTES_AT_ONCE = 1000
_CHUNKS_AT_ONCE = 16
_ROWS_AT_ONCE = 2000

_MOMENT = re.compile(r"(?<!:):(\w+_at)\b")


def upgrade() -> None:
    connection = op.get_bind()
    _create_notes()
    _carry_logs(connection)
    _carry_environments(connection)
    _carry_manifests(connection)
    _analyze(connection, "log_note", "environment_note", "manifest_note", "environment_set", "manifest")
    _carry_builds(connection)
    _analyze(connection, "run_note", "fact_note")
    for statement in _MOVES:
        op.execute(statement)
    _keep_numbers(connection)
    _drop_landed(connection)


def _statement(sql: str, *moments: str) -> sa.TextClause | sa.TextualSelect:
    """A statement whose parameters `…_at`, and the columns `moments` that it selects, are moments."""
    given = sorted(set(_MOMENT.findall(sql)))
    clause = sa.text(sql).bindparams(*(sa.bindparam(name, type_=UtcDateTime()) for name in given))
    return clause.columns(**{name: UtcDateTime() for name in moments}) if moments else clause


def _create_notes() -> None:
    """Tables for the time of this revision: what was found out of a row, by its number."""
    for table, key in (
        ("log_note", "phase_id"),
        ("environment_note", "build_id"),
        ("manifest_note", "build_id"),
    ):
        of_logs = [sa.Column("size_bytes", RowId), sa.Column("mark", sa.Text())]
        op.create_table(
            table,
            sa.Column(key, RowId, primary_key=True, autoincrement=False),
            sa.Column("digest", sa.LargeBinary(), nullable=False),
            *(of_logs if table == "log_note" else ()),
            prefixes=["TEMPORARY"],
        )
    op.create_table(
        "run_note",
        sa.Column("attempt_id", RowId, primary_key=True, autoincrement=False),
        sa.Column("claim_id", RowId, nullable=False),
        sa.Column("events_claim_id", RowId, nullable=False),
        prefixes=["TEMPORARY"],
    )
    op.create_table(
        "fact_note",
        sa.Column("build_id", RowId, primary_key=True, autoincrement=False),
        sa.Column("attempt_id", RowId, nullable=False),
        sa.Column("claim_id", RowId, nullable=False),
        sa.Column("manifest_id", RowId),
        prefixes=["TEMPORARY"],
    )
    op.create_index("landed_source_of_build", "landed_build_source", ["build_id"])


def _analyze(connection: sa.Connection, *tables: str) -> None:
    # What was filled in this transaction is empty to PostgreSQL's planner otherwise.
    if connection.dialect.name == "postgresql":
        for table in tables:
            op.execute(f"ANALYZE {table}")


# Contents, by digest.


def _pages(
    connection: sa.Connection, table: str, columns: str, key: tuple[str, str], size: int
) -> Iterator[Any]:
    """The rows of a table in the order of a key of a number and a number or text, read `size` at a time."""
    one, two = key
    page = _statement(
        f"SELECT {columns} FROM {table} WHERE ({one}, {two}) > (:one, :two)"  # noqa: S608 -- of our own constants
        f" ORDER BY {one}, {two} LIMIT {size}"
    )
    last = {"one": 0, "two": -1 if two == "number" else ""}
    while rows := connection.execute(page, last).all():
        yield from rows
        last = {"one": rows[-1][0], "two": rows[-1][1]}


def _note(connection: sa.Connection, table: str, notes: Iterable[Mapping[str, Any]]) -> None:
    remaining = iter(notes)
    while batch := list(islice(remaining, _NOTES_AT_ONCE)):
        _insert(connection, table, batch)


def _carry_logs(connection: sa.Connection) -> None:
    chunks = _pages(
        connection, "log_chunk", "log_id, number, size_bytes, content", ("log_id", "number"), _CHUNKS_AT_ONCE
    )
    _note(connection, "log_note", (_digested(phase, log) for phase, log in groupby(chunks, itemgetter(0))))
    op.execute(
        "INSERT INTO log (id, digest, size_bytes)"
        " SELECT min(phase_id), digest, min(size_bytes) FROM log_note GROUP BY digest ORDER BY min(phase_id)"
    )
    op.execute(
        "DELETE FROM log_chunk WHERE log_id IN"
        " (SELECT n.phase_id FROM log_note n WHERE NOT EXISTS (SELECT 1 FROM log l WHERE l.id = n.phase_id))"
    )


def _digested(phase_id: int, chunks: Iterable[Any]) -> dict[str, Any]:
    """The digest, size and mark of a phase's log; a chunk that nobody can decompress counts as it is."""
    digest, size_bytes, marks = hashlib.sha256(), 0, _FirstTime()
    decompressor = zstandard.ZstdDecompressor()
    for chunk in chunks:
        try:
            text = decompressor.decompress(chunk.content)
        except zstandard.ZstdError:
            text = bytes(chunk.content)
        digest.update(text)
        marks.read(text)
        size_bytes += chunk.size_bytes
    return {"phase_id": phase_id, "digest": digest.digest(), "size_bytes": size_bytes, "mark": marks.mark}


class _FirstTime:
    """The first time that Spack wrote into a log, where it has microseconds: no two runs share one.

    Spack begins a line with `==> [2026-11-22-09:12:18.718217]`, with colours before and within.
    """

    _TIME = re.compile(rb"==>(?:\x1b\[[0-9;]*m)* \[(\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d\.\d{1,6})\]")
    # What an arrow at the start of a line follows: the line before, or the end of its colour.
    _BEFORE_ARROW = b"\nm"
    # A line that is longer than a chunk is cut anywhere.
    _OVERLAP_BYTES = 200

    def __init__(self) -> None:
        self.mark: str | None = None
        self._is_found = False
        self._before = b"\n"

    def read(self, text: bytes) -> None:
        """Look for it in what follows what was read."""
        if self._is_found:
            return
        seen = self._before + text
        for found in self._TIME.finditer(seen):
            if found.start() == 0 or seen[found.start() - 1] not in self._BEFORE_ARROW:
                continue
            try:
                moment = datetime.strptime(found[1].decode(), "%Y-%m-%d-%H:%M:%S.%f")
            except ValueError:
                continue
            self._is_found = True
            self.mark = moment.isoformat() if moment.microsecond else None
            return
        self._before = seen[-self._OVERLAP_BYTES :]


def _carry_environments(connection: sa.Connection) -> None:
    landed, columns, key = "landed_environment_variable", "build_id, name, value", ("build_id", "name")
    variables = _pages(connection, landed, columns, key, _ROWS_AT_ONCE)
    _note_contents(connection, "environment_note", variables)
    _share(
        "environment_set", "environment_note",
        "INSERT INTO environment_variable (environment_set_id, name, value) SELECT c.id, r.name, r.value",
        "landed_environment_variable r", "r.name",
    )  # fmt: skip


def _carry_manifests(connection: sa.Connection) -> None:
    values = 'path, type, mode, owner, "group", hash, size_bytes, modified_at_seconds, destination'
    files = _pages(
        connection, "landed_install_file", f"build_id, {values}", ("build_id", "path"), _ROWS_AT_ONCE
    )
    _note_contents(connection, "manifest_note", files)
    _share(
        "manifest", "manifest_note",
        f"INSERT INTO install_file (manifest_id, {values}) SELECT c.id, {values}",
        "landed_install_file r", "r.path",
    )  # fmt: skip


def _note_contents(connection: sa.Connection, table: str, rows: Iterable[Any]) -> None:
    """Note the SHA-256 of the compact JSON of each build's rows, a list of lists in their order."""
    _note(connection, table, (
        {"build_id": build_id, "digest": _digest(of_build)}
        for build_id, of_build in groupby(rows, itemgetter(0))
    ))  # fmt: skip


_COMPACT = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def _digest(rows: Iterable[Any]) -> bytes:
    digest = hashlib.sha256()
    for position, row in enumerate(rows):
        digest.update(b"," if position else b"[")
        digest.update(_COMPACT.encode(tuple(row[1:])).encode())
    digest.update(b"]")
    return digest.digest()


def _share(content: str, notes: str, insert: str, landed: str, order: str) -> None:
    """Make one row of equal contents, with the rows of the first build that has it."""
    first = f"(SELECT min(build_id) AS build_id, digest FROM {notes} GROUP BY digest)"  # noqa: S608 -- as above
    op.execute(f"INSERT INTO {content} (digest) SELECT n.digest FROM {first} n ORDER BY n.build_id")  # noqa: S608 -- as above
    op.execute(
        f"{insert} FROM {first} n JOIN {content} c ON c.digest = n.digest"
        f" JOIN {landed} ON r.build_id = n.build_id ORDER BY c.id, {order}"
    )


# Builds, runs and claims, a batch of builds at a time.

_PRECEDENCE = ("EXTENSION", "MS1", "PREFIX", "INSTALL_DATABASE", "STAGE", "JUNIT", "CDASH")
"""Which source saw a run best: what the landed tables say of a run goes to the first one's claim."""

_EVENT_PRECEDENCE = ("CDASH", "EXTENSION", "JUNIT", "MS1", "STAGE", "PREFIX", "INSTALL_DATABASE")
"""The same for errors and warnings."""

_FINISHED = frozenset({"SUCCESS", "FAILED", "CANCELLED"})

_BUILDS = _statement(
    f"""
    SELECT b.id, b.spec_id, b.package_id, b.environment_id, b.owner_id, b.status, b.rerun_announced, b.prefix,
        b.configure_arguments, b.created_at, b.updated_at, e.id AS environment_set_id, m.id AS manifest_id
    FROM landed_build b
    LEFT JOIN environment_note en ON en.build_id = b.id LEFT JOIN environment_set e ON e.digest = en.digest
    LEFT JOIN manifest_note mn ON mn.build_id = b.id LEFT JOIN manifest m ON m.digest = mn.digest
    WHERE b.id > :last ORDER BY b.id LIMIT {_BUILDS_AT_ONCE}
    """,  # noqa: S608 -- as above
    "created_at", "updated_at",
)  # fmt: skip
_ATTEMPTS = _statement(
    """
    SELECT build_id, id, number, status, spack_version, spack_revision, started_at, finished_at,
        duration_seconds
    FROM landed_attempt WHERE build_id BETWEEN :first AND :last ORDER BY build_id, number
    """,
    "started_at", "finished_at",
)  # fmt: skip
_SOURCES = _statement(
    """
    SELECT attempt_id, id, owner_id, kind, key, spec_hash, first_reported_at, last_reported_at
    FROM landed_build_source WHERE build_id BETWEEN :first AND :last ORDER BY attempt_id, id
    """,
    "first_reported_at", "last_reported_at",
)  # fmt: skip
_PHASES = _statement(
    """
    SELECT p.attempt_id, max(p.reported_at) AS reported_at, COALESCE(sum(p.duration_seconds), 0) AS seconds,
        max(CASE WHEN p.status = 'ERROR' THEN 1 ELSE 0 END) AS has_error
    FROM landed_attempt a JOIN landed_phase p ON p.attempt_id = a.id
    WHERE a.build_id BETWEEN :first AND :last GROUP BY p.attempt_id
    ORDER BY p.attempt_id
    """,
    "reported_at",
)  # fmt: skip
_TAGS = _statement(
    """
    SELECT b.build_id, t.name FROM landed_build_tag b JOIN tag t ON t.id = b.tag_id
    WHERE b.build_id BETWEEN :first AND :last ORDER BY b.build_id, t.name
    """
)

_BUILD = ("id", "spec_id", "package_id", "environment_id", "owner_id", "created_at", "updated_at")
_CONTENTS = ("prefix", "configure_arguments", "environment_set_id", "manifest_id")


@dataclass(frozen=True)
class _Source:
    """A source of a run. `is_live`: a client of ms1 that reported while it ran, and not what it had saved."""

    id: int
    owner_id: int
    kind: str
    key: str
    spec_hash: str | None
    first_reported_at: datetime
    last_reported_at: datetime

    @property
    def is_live(self) -> bool:
        return self.kind == "MS1" and not self.key.startswith("saved/")


@dataclass(frozen=True)
class _Run:
    """An attempt with its sources, the best one first, and what is to be said of all its phases."""

    attempt: Any
    sources: Sequence[_Source]
    phases: Any | None

    @property
    def is_live(self) -> bool:
        """Whether only clients of ms1 saw it, while it ran."""
        return all(source.is_live for source in self.sources)

    @property
    def seconds(self) -> float:
        """How long it ran, as far as that was reported."""
        own = self.attempt.duration_seconds
        return float(own if own is not None else self.phases.seconds if self.phases else 0.0)

    @property
    def events_source(self) -> _Source:
        """The source whose errors and warnings the run has."""
        return min(self.sources, key=lambda source: _EVENT_PRECEDENCE.index(source.kind))


def _carry_builds(connection: sa.Connection) -> None:
    last = 0
    unsourced = connection.scalar(sa.text("SELECT COALESCE(max(id), 0) FROM landed_build_source")) or 0
    while builds := connection.execute(_BUILDS, {"last": last}).all():
        bounds = {"first": builds[0].id, "last": builds[-1].id}
        last = builds[-1].id
        attempts = _grouped(connection, _ATTEMPTS, bounds)
        sources = _grouped(connection, _SOURCES, bounds)
        phases = _grouped(connection, _PHASES, bounds)
        tags = _grouped(connection, _TAGS, bounds)
        rows: dict[str, list[dict[str, Any]]] = {
            table: [] for table in ("build", "attempt", "claim", "run_note", "fact_note")
        }
        for build in builds:
            runs = []
            for attempt in attempts.get(build.id, ()):
                of_run = [_Source(*source[1:]) for source in sources.get(attempt.id, ())]
                if not of_run:
                    unsourced += 1
                    of_run = [_source_of_unsourced(unsourced, build, attempt)]
                of_run.sort(key=lambda source: (_PRECEDENCE.index(source.kind), source.key, source.owner_id))
                runs.append(_Run(attempt, of_run, next(iter(phases.get(attempt.id, ())), None)))
            for table, row in _rows_of(build, runs, [tag.name for tag in tags.get(build.id, ())]):
                rows[table].append(row)
        for table, values in rows.items():
            _insert(connection, table, values)


def _grouped(connection: sa.Connection, statement: Any, bounds: Mapping[str, int]) -> dict[int, list[Any]]:
    rows = connection.execute(statement, bounds)
    return {key: list(group) for key, group in groupby(rows, itemgetter(0))}


def _insert(connection: sa.Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        names = list(rows[0])
        values = ", ".join(f":{name}" for name in names)
        connection.execute(_statement(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"), rows)  # noqa: S608 -- as above


def _source_of_unsourced(claim_id: int, build: Any, attempt: Any) -> _Source:
    """A client of ms1: it named its runs by numbers, and one that was there already was not noted again."""
    ended = attempt.finished_at or attempt.started_at
    key = f"{build.id}/{attempt.number}"
    return _Source(claim_id, build.owner_id, "MS1", key, None, attempt.started_at, ended)


def _rows_of(build: Any, runs: Sequence[_Run], tags: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows that a build, its runs and their sources become, each with its table.

    What the landed tables say of the build alone belongs to its first run that another source than ms1 saw,
    for that brought most of it; where there is none, to its newest.
    """
    newest = runs[-1] if runs else None
    chosen = next((run for run in runs if any(source.kind != "MS1" for source in run.sources)), newest)
    attempts = {id(run): _attempt(build, run, run is chosen) for run in runs}
    repeated = ("started_at", "finished_at", "duration_seconds", *_CONTENTS)
    of_newest = attempts[id(newest)] if newest else {}
    yield "build", {
        **{name: getattr(build, name) for name in _BUILD},
        "newest_attempt_id": of_newest.get("id"), "status": of_newest.get("status", build.status),
        **{name: of_newest.get(name) for name in repeated},
    }  # fmt: skip
    live = sorted(source.id for run in runs for source in run.sources if source.is_live)
    number_of = {source_id: number for number, source_id in enumerate(live, 1)}
    for run in runs:
        attempt, best = attempts[id(run)], run.sources[0]
        yield "attempt", attempt
        for source in run.sources:
            claim = _claim(build, run, source, attempt, tags if run is chosen else ())
            if source.is_live:
                # Its next claim's key is the one after that of its last one.
                claim["key"] = f"{build.id}/{number_of[source.id]}"
                if build.rerun_announced and source.id == live[-1]:
                    claim["next_run"] = _next_run(build, run, tags)
            yield "claim", claim
        yield (
            "run_note",
            {"attempt_id": attempt["id"], "claim_id": best.id, "events_claim_id": run.events_source.id},
        )
        if run is chosen:
            yield "fact_note", {"build_id": build.id, "attempt_id": attempt["id"], "claim_id": best.id,
                                "manifest_id": build.manifest_id}  # fmt: skip


def _next_run(build: Any, newest: _Run, tags: Sequence[str]) -> str:
    """What a client announced: it sends its version and, as a rule, the same tags with each of its runs."""
    announced = {"at": build.updated_at.isoformat(), "spack_version": newest.attempt.spack_version}
    return json.dumps({**announced, "tags": list(tags)})


def _attempt(build: Any, run: _Run, is_chosen: bool) -> dict[str, Any]:
    """The row of a run. A run that ended, nobody said when, ended when the last of it was reported."""
    landed = run.attempt
    finished_at, seconds, is_inferred = landed.finished_at, landed.duration_seconds, False
    if landed.status not in _FINISHED:
        finished_at = seconds = None
    elif finished_at is None:
        finished_at, is_inferred = _last_moment(run), seconds is None
    return {
        "id": landed.id, "build_id": build.id, "number": landed.number,
        "environment_id": build.environment_id, "status": landed.status, "started_at": landed.started_at,
        "finished_at": finished_at,
        "end_is_inferred": is_inferred, "duration_seconds": seconds,
        "reported_at": min(source.first_reported_at for source in run.sources),
        "spack_version": landed.spack_version, "spack_revision": landed.spack_revision,
        **{name: getattr(build, name) if is_chosen else None for name in _CONTENTS},
    }  # fmt: skip


def _last_moment(run: _Run) -> datetime:
    started_at: datetime = run.attempt.started_at
    if run.is_live:
        return max(started_at, run.phases.reported_at) if run.phases else started_at
    return _after(started_at, timedelta(seconds=run.seconds))


def _claim(
    build: Any, run: _Run, source: _Source, attempt: Mapping[str, Any], tags: Sequence[str]
) -> dict[str, Any]:
    """The row of a source's claim; the best one of its run has what is known of the run alone."""
    landed, is_best = run.attempt, source is run.sources[0]
    status, cancelled_at = _reported_status(build, run, attempt)
    claim = {
        "id": source.id, "attempt_id": landed.id, "owner_id": source.owner_id,
        # Somebody else's build was completed by what an operator imported, whoever had built it.
        "owner_is_certain": source.owner_id == build.owner_id,
        "kind": source.kind, "key": source.key, "package_id": build.package_id, "spec_id": build.spec_id,
        "spec_hash": source.spec_hash if build.spec_id is None else None,
        "environment_id": build.environment_id, "status": status, "is_live": source.is_live,
        "started_at": landed.started_at, "finished_at": landed.finished_at,
        "duration_seconds": landed.duration_seconds, "time_uncertainty_seconds": 0.0,
        "times_enclose_run": False,
        "cancelled_at": cancelled_at, "spack_version": landed.spack_version,
        "spack_revision": landed.spack_revision,
        **{name: attempt[name] if is_best else None for name in _CONTENTS},
        "tags": json.dumps(list(tags) if is_best else []),
        "client_build_id": build.id if source.is_live else None, "next_run": None,
        "first_reported_at": source.first_reported_at, "last_reported_at": source.last_reported_at,
    }  # fmt: skip
    begins_at, ends_at = _window(claim, run.phases if is_best else None)
    return {**claim, "window_begins_at": begins_at, "window_ends_at": ends_at}


def _reported_status(build: Any, run: _Run, attempt: Mapping[str, Any]) -> tuple[str, datetime | None]:
    """What a source itself said of how its run stands, and when another failure cancelled it.

    Clients of ms1 did not say that a run failed of which a phase had, nor that one was cancelled.
    """
    status: str = run.attempt.status
    if run.is_live and run.attempt.finished_at is None:
        if status == "FAILED" and run.phases and run.phases.has_error:
            return "RUNNING", None
        if status == "CANCELLED" and not run.phases:
            return "NOTRUN", max(build.updated_at, attempt["finished_at"])
    return status, None


_CUT = timedelta(hours=24)
_COMMAND = {"CDASH": timedelta(minutes=15), "JUNIT": timedelta(hours=1)}
# Half of how far two clocks may be apart.
_MARGIN = timedelta(seconds=60)


def _window(claim: Mapping[str, Any], phases: Any | None) -> tuple[datetime, datetime]:
    """The time within which another claim of the run must touch.

    From the beginning to the end, which is that of the last phase where none was reported. A command whose
    seconds CDASH and JUNIT report may have done something else first: it ended a quarter of an hour, or an
    hour, later at most. A run of which no end is known may have gone on for a day.
    """
    begin: datetime = claim["started_at"]
    end: datetime | None = claim["finished_at"]
    is_open = claim["status"] not in _FINISHED
    if claim["is_live"]:
        if is_open or end is None:
            end = max(begin, phases.reported_at) if phases else begin
            is_open = not (phases and phases.has_error and claim["status"] == "RUNNING")
            is_open = is_open and claim["cancelled_at"] is None
    else:
        own = claim["duration_seconds"]
        is_open = end is None and own is None
        if own is None:
            own = phases.seconds if phases else 0.0
        end = end or _after(begin, timedelta(seconds=own))
    end = max(begin, end)
    if claim["kind"] in _COMMAND:
        end = _after(end, _COMMAND[claim["kind"]])
    elif is_open:
        end = _after(end, _CUT)
    return _after(begin, -_MARGIN), _after(end, _MARGIN)


def _after(moment: datetime, delay: timedelta) -> datetime:
    try:
        return moment + delay
    except OverflowError:
        return moment


# What is left moves without being read.

_MOVES = (
    """
    INSERT INTO phase (id, attempt_id, name, position, status, duration_seconds, reported_at, log_id)
    SELECT p.id, p.attempt_id, p.name, p.position, p.status, p.duration_seconds, p.reported_at, l.id
    FROM landed_phase p LEFT JOIN log_note n ON n.phase_id = p.id LEFT JOIN log l ON l.digest = n.digest
    """,
    """
    INSERT INTO claim_phase (claim_id, name, position, status, duration_seconds, reported_at, log_id, mark)
    SELECT r.claim_id, p.name, p.position, p.status, p.duration_seconds, p.reported_at, l.id, n.mark
    FROM landed_phase p JOIN run_note r ON r.attempt_id = p.attempt_id
    LEFT JOIN log_note n ON n.phase_id = p.id LEFT JOIN log l ON l.digest = n.digest
    """,
    """
    INSERT INTO build_event (id, claim_id, attempt_id, position, kind, text, log_line, source_file,
        source_line, pre_context, post_context, error_group_id)
    SELECT e.id, r.events_claim_id, e.attempt_id, e.position, e.kind, e.text, e.log_line, e.source_file,
        e.source_line, e.pre_context, e.post_context, e.error_group_id
    FROM landed_build_event e JOIN run_note r ON r.attempt_id = e.attempt_id
    """,
    """
    INSERT INTO attempt_tag (attempt_id, tag_id)
    SELECT f.attempt_id, t.tag_id FROM landed_build_tag t JOIN fact_note f ON f.build_id = t.build_id
    """,
    """
    INSERT INTO analysis (id, claim_id, attempt_id, analyzer, reported_at)
    SELECT a.id, f.claim_id, f.attempt_id, a.analyzer, a.reported_at
    FROM landed_analysis a JOIN fact_note f ON f.build_id = a.build_id
    """,
    """
    INSERT INTO attribute (id, analysis_id, attempt_id, path, install_file_id, name, value, binary_value,
        json_value)
    SELECT t.id, t.analysis_id, f.attempt_id, i.path,
        (SELECT n.id FROM install_file n WHERE n.manifest_id = f.manifest_id AND n.path = i.path),
        t.name, t.value, t.binary_value, t.json_value
    FROM landed_attribute t JOIN landed_analysis a ON a.id = t.analysis_id
    JOIN fact_note f ON f.build_id = a.build_id LEFT JOIN landed_install_file i ON i.id = t.install_file_id
    """,
    "INSERT INTO merged_build (id, build_id) SELECT m.id, m.build_id FROM landed_merged_build m",
)

_NUMBERED = ("attempt", "phase", "claim", "build_event", "analysis", "attribute", "log")


def _keep_numbers(connection: sa.Connection) -> None:
    """Go on numbering after what there is; the number of a build that is gone is never given again."""
    if connection.dialect.name == "sqlite":
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'build'")
        op.execute("UPDATE sqlite_sequence SET name = 'build' WHERE name = 'landed_build'")
        return
    for table in _NUMBERED:
        op.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"  # noqa: S608 -- as above
            f" (SELECT COALESCE(max(id), 0) + 1 FROM {table}), false)"
        )
    op.execute(
        "SELECT setval(pg_get_serial_sequence('build', 'id'),"
        " GREATEST((SELECT COALESCE(max(id), 0) + 1 FROM build),"
        " last_value + CASE WHEN is_called THEN 1 ELSE 0 END), false) FROM landed_build_id_seq"
    )


def _drop_landed(connection: sa.Connection) -> None:
    for table in ("log_note", "environment_note", "manifest_note", "run_note", "fact_note"):
        op.drop_table(table)
    for table in (
        "attribute", "analysis", "build_event", "install_file", "environment_variable", "build_source",
        "build_tag", "merged_build", "phase", "attempt", "build",
    ):  # fmt: skip
        op.drop_table(f"landed_{table}")
    if connection.dialect.name == "postgresql":
        op.create_foreign_key(op.f("fk_log_chunk_log_id"), "log_chunk", "log", ["log_id"], ["id"])
