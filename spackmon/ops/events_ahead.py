"""What revisions 0019, 0022 and 0023 make of events, ahead of them, for those three alone.

In tables beside those that are used: events of runs and of logs with their words, and what builds have of
error groups; the revisions put these in the place of the old ones. Two things stand where they will be:
groups of what was read in logs, which are of no event there yet, and `first_error_group_id`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, inspect, text

from spackmon.logs.words import searchable
from spackmon.ops.ahead import Ids, Notes, Progress, lock, outside, step

_EVENTS, _IDS = 2_000, 10_000
_TEXT = 'text COLLATE "C"'
_VECTOR = "tsvector GENERATED ALWAYS AS (array_to_tsvector(string_to_array(search_words, ' '))) STORED"
_SEARCHED = f"ADD COLUMN search_words {_TEXT} NOT NULL DEFAULT '', ADD COLUMN search_vector {_VECTOR}"
_EVENT_COLUMNS = f"""
    ALTER COLUMN claim_id DROP NOT NULL, ADD COLUMN log_event_id bigint,
    ADD COLUMN role {_TEXT} NOT NULL DEFAULT 'PRIMARY',
    ADD COLUMN tool {_TEXT}, ADD COLUMN error_class {_TEXT}, ADD COLUMN blame {_TEXT},
    ADD COLUMN fingerprint {_TEXT}, ADD COLUMN rule {_TEXT}, ADD COLUMN blanked {_TEXT},
    ADD COLUMN is_first boolean NOT NULL DEFAULT false, ADD COLUMN occurrences integer NOT NULL DEFAULT 1,
    ADD COLUMN message {_TEXT} NOT NULL DEFAULT '',
    ADD COLUMN first_line integer, ADD COLUMN last_line integer, ADD COLUMN source_column integer
"""
_LOG_EVENT_COLUMNS = ", ".join(
    f"ADD COLUMN {name} {_TEXT}" for name in ("rule", "form_class", "normal_form", "text", "blanked")
)
_KEYS = {
    "build_event": {
        "pk_build_event": "PRIMARY KEY (id)",
        "uq_build_event_claim_id_position": "UNIQUE (claim_id, position)",
    },
    "log_event": {
        "pk_log_event": "PRIMARY KEY (id)",
        "uq_log_event_log_id_position": "UNIQUE (log_id, position)",
    },
    "error_group_build": {"pk_error_group_build": "PRIMARY KEY (build_id, error_group_id)"},
}
_INDEXES = {
    "build_event": {"attempt_id_kind": "(attempt_id, kind)", "error_group_id": "(error_group_id)"},
    "log_event": {"fingerprint": "(fingerprint)"},
    "error_group_build": {"of_group": "(error_group_id, build_id)"},
}
_SEARCHED_TABLES = ("build_event", "log_event")
_REFERENCES = {"build_event": ("attempt", "claim", "error_group"), "log_event": ("log",)}
# What changes where, in a column that has the id of what is then made again.
_CHANGED = (
    ("build_event", "claim_id", "claim"),
    ("build_event", "attempt_id", "run"),
    ("log_event", "log_id", "log"),
)
_CHANGED_TOO = (("phase", "attempt_id", "run"), ("attempt", "build_id", "build"), ("build", "id", "build"))
_NEXT = "_next"

_GROUPS_TABLE = """
    error_group_next (
        id bigint NOT NULL DEFAULT nextval('error_group_id_seq'), fingerprint text COLLATE "C" PRIMARY KEY,
        tool text COLLATE "C", error_class text COLLATE "C", blame text COLLATE "C", message text COLLATE "C"
    )
"""
_BUILDS_TABLE = """
    error_group_build_next (
        build_id bigint NOT NULL, error_group_id bigint NOT NULL, event_count integer NOT NULL,
        run_count integer NOT NULL, first_seen timestamptz, last_seen timestamptz
    )
"""

_REPORTED_TEXTS = "SELECT id, text, source_file, NULL FROM build_event WHERE {}"
_REPORTED = """
    INSERT INTO build_event_next (
        id, claim_id, attempt_id, position, kind, text, log_line, source_file, source_line, pre_context,
        post_context, error_group_id, message, fingerprint, is_first, search_words
    )
    SELECT e.id, e.claim_id, e.attempt_id, e.position, e.kind, e.text, e.log_line, e.source_file,
        e.source_line, e.pre_context, e.post_context, e.error_group_id, e.text, g.fingerprint,
        e.kind = 'ERROR' AND NOT EXISTS (
            SELECT 1 FROM build_event b
            WHERE b.claim_id = e.claim_id AND b.kind = 'ERROR' AND b.position < e.position
        ),
        w.words
    FROM unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) w(id, words)
    JOIN build_event e ON e.id = w.id LEFT JOIN error_group g ON g.id = e.error_group_id
    ON CONFLICT DO NOTHING
"""
_LOG_TEXTS = "SELECT id, message, source_file, tool FROM log_event WHERE {}"
_JUDGED_LOG_TEXTS = "SELECT id, COALESCE(text, message), source_file, tool FROM log_event WHERE {}"
_COPIED = """
    INSERT INTO {table}_next ({columns}, search_words) SELECT {columns}, w.words
    FROM unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) w(event_id, words)
    JOIN {table} e ON e.id = w.event_id ON CONFLICT DO NOTHING
"""
_JUDGED_TEXTS = """
    SELECT id, text, source_file, CASE WHEN log_event_id IS NOT NULL THEN tool END FROM build_event WHERE {}
"""
# As revision 0022 writes them.
_READ_IN_LOGS = """
    INSERT INTO build_event_next (
        attempt_id, log_event_id, position, kind, role, tool, error_class, blame, fingerprint, is_first,
        occurrences, text, message, log_line, first_line, last_line, source_file, source_line, source_column,
        error_group_id, search_words
    )
    SELECT o.attempt_id, e.id, o.place, e.kind, e.role, e.tool, e.error_class, e.blame, e.fingerprint,
        o.can_be_first AND 1 = row_number() OVER (
            PARTITION BY o.attempt_id, o.can_be_first ORDER BY o.place
        ),
        e.occurrences, e.message, e.message, e.line, e.first_line, e.last_line, e.source_file, e.source_line,
        e.source_column, g.id, e.search_words
    FROM (
        SELECT p.attempt_id, e.id, e.is_first AND p.failed = 1 AS can_be_first,
            row_number() OVER (PARTITION BY p.attempt_id ORDER BY p.position, e.log_id, e.position) AS place
        FROM (
            SELECT attempt_id, log_id, min(position) AS position,
                max(CASE WHEN status = 'ERROR' THEN 1 ELSE 0 END) AS failed
            FROM phase WHERE log_id IS NOT NULL AND {} GROUP BY attempt_id, log_id
        ) p JOIN log_event_next e ON e.log_id = p.log_id
        WHERE e.role = 'PRIMARY' AND NOT EXISTS (
            SELECT 1 FROM build_event r WHERE r.attempt_id = p.attempt_id AND r.kind = e.kind
        )
    ) o JOIN log_event_next e ON e.id = o.id LEFT JOIN error_group_next g ON g.fingerprint = e.fingerprint
    ORDER BY o.attempt_id, o.place
"""
_GROUPS_OF_LOGS = """
    INSERT INTO error_group_next (fingerprint, tool, error_class, blame, message)
    SELECT fingerprint, min(tool), min(error_class), min(blame), min(message)
    FROM log_event_next WHERE fingerprint IS NOT NULL AND {} GROUP BY fingerprint ORDER BY fingerprint
    ON CONFLICT (fingerprint) DO UPDATE SET tool = excluded.tool, error_class = excluded.error_class,
        blame = excluded.blame, message = excluded.message
"""
_SHOW_GROUPS = """
    INSERT INTO error_group (id, fingerprint, text) SELECT id, fingerprint, message FROM error_group_next
    ON CONFLICT DO NOTHING
"""
_COUNTS = """
    INSERT INTO error_group_build_next
    SELECT a.build_id, e.error_group_id, count(*), count(DISTINCT a.id), min(a.started_at), max(a.started_at)
    FROM attempt a JOIN build_event_next e ON e.attempt_id = a.id
    WHERE {} AND e.error_group_id IS NOT NULL
    GROUP BY a.build_id, e.error_group_id
    ON CONFLICT DO NOTHING
"""
_FIRST = """(
    SELECT e.error_group_id FROM build_event_next e WHERE e.attempt_id = attempt.id AND e.kind = 'ERROR'
    ORDER BY e.position, e.id LIMIT 1
)"""
_FIRST_OF_RUNS = f"""
    UPDATE attempt SET first_error_group_id = {_FIRST}
    WHERE {{}} AND first_error_group_id IS DISTINCT FROM {_FIRST}
"""  # noqa: S608 -- ours
_FIRST_OF_BUILDS = """
    UPDATE build SET first_error_group_id = a.first_error_group_id
    FROM (
        SELECT b.id, n.first_error_group_id FROM build b LEFT JOIN attempt n ON n.id = b.newest_attempt_id
    ) a
    WHERE {} AND a.id = build.id AND build.first_error_group_id IS DISTINCT FROM a.first_error_group_id
"""
_RANGE = "{0} > :last AND {0} <= :next"
_AMONG = "{} = ANY (CAST(:ids AS bigint[]))"
_RUNS_OF_LOGS = f"SELECT attempt_id FROM phase WHERE {_AMONG.format('log_id')}"  # noqa: S608 -- ours
_BUILDS_OF_RUNS = f"SELECT build_id FROM attempt WHERE {_AMONG.format('id')}"  # noqa: S608 -- ours


def is_prepared(connection: Connection) -> bool:
    """Whether what is made ahead is there."""
    return connection.dialect.name != "sqlite" and inspect(connection).has_table("event_progress")


class Preparation:
    """What is made ahead of the tables as they are: those of revision 0022, or of one before."""

    def __init__(self, connection: Connection, tell: Callable[[str], None] = lambda _: None) -> None:
        self.connection, self.tell = connection, tell
        self.progress = Progress(connection, "event_progress", tell)
        columns = inspect(connection).get_columns
        self.columns = {table: [column["name"] for column in columns(table)] for table in _SEARCHED_TABLES}
        # Whether events of runs in logs are there already, and counted.
        self.is_judged = "message" in self.columns["build_event"]
        self.tables = _SEARCHED_TABLES if self.is_judged else (*_SEARCHED_TABLES, "error_group_build")
        self.notes = Notes("event_note", _CHANGED if self.is_judged else _CHANGED + _CHANGED_TOO)

    def make(self) -> None:
        """Make all of it, in steps; what was made before is left, but for what changed since."""
        step(self.connection, self._create)
        self.notes.create(self.connection)
        self._fill("log_event", "id", _EVENTS, "events of logs", self._copy_log_events)
        if not self.is_judged:
            for table in ("attempt", "build"):
                add = f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS first_error_group_id bigint"
                step(self.connection, partial(self._run, add))
            self.progress.once("groups", lambda: self._group("true"))
        self._fill("build_event", "id", _EVENTS, "events of runs", self._copy_events)
        # The next parts are found by statistics.
        for table in _SEARCHED_TABLES:
            self._tidy(table)
        if not self.is_judged:
            for source, column, name, statement in (
                ("attempt", "attempt_id", "events of runs in logs", _READ_IN_LOGS),
                ("build", "a.build_id", "counts of errors", _COUNTS),
                ("attempt", "id", "first errors of runs", _FIRST_OF_RUNS),
                ("build", "build.id", "first errors of builds", _FIRST_OF_BUILDS),
            ):
                self._fill(source, column, _IDS, name, partial(self._where, statement))
        self._finish()
        self.tell("events that changed meanwhile")
        if not self.notes.rounds(self.connection, self._again):
            self.tell("events change as fast as they are prepared: the rest follows at once")

    def follow(self) -> None:
        """In the migration: let nobody write from now on, and make again what changed since."""
        watched = {table for table, _, _ in self.notes.watched}
        lock(self.connection, (*self.tables, "error_group"), sorted(watched.difference(self.tables)))
        self.notes.rest(self.connection, self._again)
        self.notes.drop(self.connection)
        self.progress.drop()

    def put(self) -> None:
        """In the migration: put what was made in the place of what is there."""
        for table in self.tables:
            has_sequence = table in _SEARCHED_TABLES
            if has_sequence:
                self._run(f"ALTER SEQUENCE {table}_id_seq OWNED BY NONE")
            self._run(f"DROP TABLE {table}")
            self._run(f"ALTER TABLE {table}{_NEXT} RENAME TO {table}")
            for name in (*_KEYS[table], *(f"ix_{table}_{index}" for index in _INDEXES[table])):
                self._run(f"ALTER INDEX {name}{_NEXT} RENAME TO {name}")
            if has_sequence:
                self._run(f"ALTER INDEX ix_{table}_search_vector{_NEXT} RENAME TO ix_{table}_search_vector")
                self._run(f"ALTER SEQUENCE {table}_id_seq OWNED BY {table}.id")
            for other in _REFERENCES.get(table, ()):
                key = f"fk_{table}_{other}_id FOREIGN KEY ({other}_id) REFERENCES {other} (id)"
                # `spackmon.ops.migrations` looks the rows through when others may write again.
                self._run(f"ALTER TABLE {table} ADD CONSTRAINT {key} NOT VALID")

    def _create(self) -> None:
        if inspect(self.connection).has_table(f"build_event{_NEXT}"):
            return
        self.progress.create()
        added = {"build_event": f"{_EVENT_COLUMNS}, ", "log_event": f"{_LOG_EVENT_COLUMNS}, "}
        for table in _SEARCHED_TABLES:
            self._run(f"CREATE TABLE {table}{_NEXT} (LIKE {table} INCLUDING DEFAULTS)")
            self._run(f"ALTER TABLE {table}{_NEXT} {'' if self.is_judged else added[table]}{_SEARCHED}")
        if not self.is_judged:
            self._run(f"CREATE TABLE {_GROUPS_TABLE}")
            self._run(f"CREATE TABLE {_BUILDS_TABLE}")
        for table in self.tables:
            for name, key in _KEYS[table].items():
                self._run(f"ALTER TABLE {table}{_NEXT} ADD CONSTRAINT {name}{_NEXT} {key}")
            for name, columns in _INDEXES[table].items():
                self._run(f"CREATE INDEX ix_{table}_{name}{_NEXT} ON {table}{_NEXT} {columns}")

    def _finish(self) -> None:
        for table in _SEARCHED_TABLES:
            self.tell(f"words of {table}")
            index = (
                f"CREATE INDEX ix_{table}_search_vector{_NEXT} ON {table}{_NEXT} USING gin (search_vector)"
            )
            self.progress.once(f"words of {table}", partial(self._run, index))
        for table in self.tables:
            self._tidy(table)

    def _tidy(self, table: str) -> None:
        outside(self.connection, f"VACUUM (ANALYZE) {table}{_NEXT}")

    def _again(self, ids: Ids) -> None:
        runs, builds = ids["run"], ids["build"]
        logs, claims = {"ids": list(ids["log"])}, {"ids": list(ids["claim"])}
        of_logs, of_claims, read = (_AMONG.format(name) for name in ("log_id", "claim_id", "attempt_id"))
        self._forget("log_event", of_logs, logs)
        self._copy_log_events(of_logs, logs)
        if not self.is_judged:
            runs |= self._ids(_RUNS_OF_LOGS, logs)
            changed = f"SELECT fingerprint FROM log_event{_NEXT} WHERE {of_logs}"  # noqa: S608 -- ours
            self._group(f"fingerprint IN ({changed})", logs)
        of_runs = {"ids": list(runs)}
        self._forget("build_event", of_claims, claims)
        self._forget("build_event", f"log_event_id IS NOT NULL AND {read}", of_runs)
        self._copy_events(of_claims, claims)
        if self.is_judged:
            self._copy_events(f"log_event_id IS NOT NULL AND {read}", of_runs)
            return
        self._where(_READ_IN_LOGS, read, of_runs)
        of_builds = {"ids": list(builds | self._ids(_BUILDS_OF_RUNS, of_runs))}
        self._forget("error_group_build", _AMONG.format("build_id"), of_builds)
        self._where(_COUNTS, _AMONG.format("a.build_id"), of_builds)
        self._where(_FIRST_OF_RUNS, _AMONG.format("build_id"), of_builds)
        self._where(_FIRST_OF_BUILDS, _AMONG.format("build.id"), of_builds)

    def _fill(self, source: str, column: str, at_once: int, part: str, fill: Callable[..., Any]) -> None:
        where = _RANGE.format(column)
        self.progress.by_ids(
            part, source, at_once, lambda last, end: fill(where, {"last": last, "next": end})
        )

    def _forget(self, table: str, where: str, values: dict[str, Any]) -> None:
        self._run(f"DELETE FROM {table}{_NEXT} WHERE {where}", values)  # noqa: S608 -- ours

    def _copy_log_events(self, where: str, values: dict[str, Any]) -> None:
        self._copy("log_event", _JUDGED_LOG_TEXTS if self.is_judged else _LOG_TEXTS, where, values)

    def _copy_events(self, where: str, values: dict[str, Any]) -> None:
        if self.is_judged:
            self._copy("build_event", _JUDGED_TEXTS, where, values)
        else:
            self._run(_REPORTED, _words(self._rows(_REPORTED_TEXTS.format(where), values)))

    def _copy(self, table: str, texts: str, where: str, values: dict[str, Any]) -> None:
        words = _words(self._rows(texts.format(where), values))
        self._run(_COPIED.format(table=table, columns=", ".join(self.columns[table])), words)

    def _group(self, where: str, values: dict[str, Any] | None = None) -> None:
        self._run(_GROUPS_OF_LOGS.format(where), values)
        self._run(_SHOW_GROUPS)

    def _where(self, statement: str, where: str, values: dict[str, Any]) -> None:
        self._run(statement.format(where), values)

    def _ids(self, question: str, values: dict[str, Any]) -> set[int]:
        return {row[0] for row in self._rows(question, values)}

    def _rows(self, question: str, values: dict[str, Any]) -> Sequence[Any]:
        return self.connection.execute(text(question), values).all()

    def _run(self, statement: str, values: dict[str, Any] | None = None) -> None:
        self.connection.execute(text(statement), values or {})


def _words(rows: Sequence[Any]) -> dict[str, list[Any]]:
    return {"ids": [row[0] for row in rows], "words": [searchable(*row[1:]) for row in rows]}
