"""Errors and warnings that were read in logs are events of their runs, in the same groups as reported ones.

Groups that texts alone made keep their fingerprints, as version 0, until `spackmon log regroup`.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, JsonText, RowId, UtcDateTime
from spackmon.ops.events_ahead import Preparation, is_prepared

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# What is counted and written at once.
_ROWS = 20_000
_FACTS = ("tool", "error_class", "blame", "fingerprint", "rule")


def upgrade() -> None:
    connection = op.get_bind()
    if is_prepared(connection):
        _put_what_is_prepared(connection)
        return
    _add_columns_of_groups()
    _add_columns_of_events()
    _make_tables_of_people()
    op.execute(_GROUPS_OF_LOGS)
    op.execute(_REPORTED)
    op.execute(_READ_IN_LOGS)
    _count_anew(connection)


def _put_what_is_prepared(connection: sa.Connection) -> None:
    preparation = Preparation(connection)
    preparation.follow()
    _add_columns_of_groups()
    _make_tables_of_people()
    op.execute(_PREPARED_GROUPS)
    op.drop_table("error_group_next")
    preparation.put()
    op.execute("DELETE FROM error_group_change")
    op.execute(_TOTALS)


def _add_columns_of_groups() -> None:
    with op.batch_alter_table("error_group") as group:
        group.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
        for name in ("tool", "error_class", "blame", "note", "known_issue"):
            group.add_column(sa.Column(name, ByteOrderedText, nullable=True))
        group.add_column(sa.Column("normal_form", ByteOrderedText, nullable=False, server_default=""))
        group.add_column(sa.Column("is_muted", sa.Boolean(), nullable=False, server_default=sa.false()))
        group.add_column(sa.Column("merged_into_id", RowId, nullable=True))
        group.create_foreign_key(
            op.f("fk_error_group_merged_into_id"), "error_group", ["merged_into_id"], ["id"]
        )
    op.create_index(op.f("ix_error_group_merged_into_id"), "error_group", ["merged_into_id"])


def _add_columns_of_events() -> None:
    for name in ("rule", "form_class", "normal_form", "text"):
        op.add_column("log_event", sa.Column(name, ByteOrderedText, nullable=True))
    op.add_column("log_event", sa.Column("blanked", JsonText, nullable=True))
    with op.batch_alter_table("build_event") as event:
        event.alter_column("claim_id", existing_type=RowId, nullable=True)
        event.add_column(sa.Column("log_event_id", RowId, nullable=True))
        event.add_column(sa.Column("role", ByteOrderedText, nullable=False, server_default="PRIMARY"))
        for name in _FACTS:
            event.add_column(sa.Column(name, ByteOrderedText, nullable=True))
        event.add_column(sa.Column("blanked", JsonText, nullable=True))
        event.add_column(sa.Column("is_first", sa.Boolean(), nullable=False, server_default=sa.false()))
        event.add_column(sa.Column("occurrences", sa.Integer(), nullable=False, server_default="1"))
        event.add_column(sa.Column("message", ByteOrderedText, nullable=False, server_default=""))
        for name in ("first_line", "last_line", "source_column"):
            event.add_column(sa.Column(name, sa.Integer(), nullable=True))


def _count_anew(connection: Any) -> None:
    for table in ("error_group_build", "error_group_change"):
        connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 -- our own
    for table, statement in (
        ("build", _OF_BUILDS), ("attempt", _FIRST_OF_RUNS), ("build", _FIRST_OF_BUILDS),
    ):  # fmt: skip
        # Some ids at a time: a sort of all events at once would need the disk.
        last = 0
        greatest = connection.scalar(sa.text(f"SELECT max(id) FROM {table}")) or 0  # noqa: S608 -- our own
        while last < greatest:
            connection.execute(sa.text(statement), {"last": last, "next": last + _ROWS})
            last += _ROWS
    connection.execute(sa.text(_TOTALS))


def _make_tables_of_people() -> None:
    op.create_table(
        "error_group_part",
        sa.Column("id", RowId, nullable=False),
        sa.Column("error_group_id", RowId, nullable=False),
        sa.Column("words", ByteOrderedText, nullable=False),
        sa.Column("part_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(
            ["error_group_id"], ["error_group.id"], name=op.f("fk_error_group_part_error_group_id")
        ),
        sa.ForeignKeyConstraint(["part_id"], ["error_group.id"], name=op.f("fk_error_group_part_part_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_group_part")),
        sa.UniqueConstraint("error_group_id", "words", name=op.f("uq_error_group_part_error_group_id_words")),
    )
    op.create_index(op.f("ix_error_group_part_part_id"), "error_group_part", ["part_id"])
    op.create_table(
        "error_group_ruling",
        sa.Column("id", RowId, nullable=False),
        sa.Column("error_group_id", RowId, nullable=False),
        sa.Column("action", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=True),
        sa.Column("person_id", RowId, nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["error_group_id"], ["error_group.id"], name=op.f("fk_error_group_ruling_error_group_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_error_group_ruling_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_group_ruling")),
    )
    for column in ("error_group_id", "person_id"):
        op.create_index(op.f(f"ix_error_group_ruling_{column}"), "error_group_ruling", [column])


_GROUPS_OF_LOGS = """
    INSERT INTO error_group (fingerprint, version, tool, error_class, blame, normal_form, text, is_muted)
    SELECT e.fingerprint, 1, min(e.tool), min(e.error_class), min(e.blame), min(e.message), min(e.message),
        false
    FROM log_event e WHERE e.fingerprint IS NOT NULL
    GROUP BY e.fingerprint
    ORDER BY e.fingerprint
"""
_PREPARED_GROUPS = """
    INSERT INTO error_group (id, fingerprint, version, tool, error_class, blame, normal_form, text, is_muted)
    SELECT id, fingerprint, 1, tool, error_class, blame, message, message, false FROM error_group_next
    ON CONFLICT (fingerprint) DO UPDATE SET version = 1, tool = excluded.tool, text = excluded.text,
        error_class = excluded.error_class, blame = excluded.blame, normal_form = excluded.normal_form
"""
_REPORTED = """
    UPDATE build_event SET
        message = text,
        fingerprint = (SELECT g.fingerprint FROM error_group g WHERE g.id = build_event.error_group_id),
        is_first = kind = 'ERROR' AND NOT EXISTS (
            SELECT 1 FROM build_event b WHERE b.claim_id = build_event.claim_id AND b.kind = 'ERROR'
                AND b.position < build_event.position
        )
"""
# As spackmon.ingest.tables.run_events writes them.
_READ_IN_LOGS = """
    INSERT INTO build_event (
        attempt_id, log_event_id, position, kind, role, tool, error_class, blame, fingerprint, is_first,
        occurrences, text, message, log_line, first_line, last_line, source_file, source_line, source_column,
        error_group_id
    )
    SELECT o.attempt_id, e.id, o.place, e.kind, e.role, e.tool, e.error_class, e.blame, e.fingerprint,
        o.can_be_first AND 1 = row_number() OVER (
            PARTITION BY o.attempt_id, o.can_be_first ORDER BY o.place
        ),
        e.occurrences, e.message, e.message, e.line, e.first_line, e.last_line, e.source_file, e.source_line,
        e.source_column, g.id
    FROM (
        SELECT p.attempt_id, e.id, e.is_first AND p.failed = 1 AS can_be_first,
            row_number() OVER (PARTITION BY p.attempt_id ORDER BY p.position, e.log_id, e.position) AS place
        FROM (
            SELECT attempt_id, log_id, min(position) AS position,
                max(CASE WHEN status = 'ERROR' THEN 1 ELSE 0 END) AS failed
            FROM phase WHERE log_id IS NOT NULL GROUP BY attempt_id, log_id
        ) p JOIN log_event e ON e.log_id = p.log_id
        WHERE e.role = 'PRIMARY' AND NOT EXISTS (
            SELECT 1 FROM build_event r WHERE r.attempt_id = p.attempt_id AND r.kind = e.kind
        )
    ) o JOIN log_event e ON e.id = o.id LEFT JOIN error_group g ON g.fingerprint = e.fingerprint
    ORDER BY o.attempt_id, o.place
"""
# As revision 0019 counted what was reported.
_OF_BUILDS = """
    INSERT INTO error_group_build (build_id, error_group_id, event_count, run_count, first_seen, last_seen)
    SELECT a.build_id, e.error_group_id, count(*), count(DISTINCT a.id), min(a.started_at), max(a.started_at)
    FROM attempt a JOIN build_event e ON e.attempt_id = a.id
    WHERE a.build_id > :last AND a.build_id <= :next AND e.error_group_id IS NOT NULL
    GROUP BY a.build_id, e.error_group_id
"""
_FIRST_OF_RUNS = """
    UPDATE attempt SET first_error_group_id = e.error_group_id
    FROM build_event e
    WHERE attempt.id > :last AND attempt.id <= :next AND e.attempt_id = attempt.id AND e.kind = 'ERROR'
        AND NOT EXISTS (
            SELECT 1 FROM build_event o
            WHERE o.attempt_id = e.attempt_id AND o.kind = 'ERROR' AND o.position < e.position)
"""
_FIRST_OF_BUILDS = """
    UPDATE build SET first_error_group_id = a.first_error_group_id
    FROM attempt a
    WHERE build.id > :last AND build.id <= :next AND a.id = build.newest_attempt_id
        AND a.first_error_group_id IS NOT NULL
"""
_TOTALS = """
    UPDATE error_group SET event_count = t.event_count, run_count = t.run_count, build_count = t.build_count,
        first_seen = t.first_seen, last_seen = t.last_seen
    FROM (
        SELECT error_group_id, count(*) AS build_count, sum(run_count) AS run_count,
            sum(event_count) AS event_count, min(first_seen) AS first_seen, max(last_seen) AS last_seen
        FROM error_group_build GROUP BY error_group_id
    ) t
    WHERE error_group.id = t.error_group_id
"""
