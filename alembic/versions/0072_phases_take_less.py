"""What phases of many runs have in common, their name, their place and how they ended, is one row for all of
them: a phase has eight columns, of which PostgreSQL notes the nulls in no more room than without.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import step
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Part, Rewriting, columns

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0050"

_TEXT = {"sqlite": "TEXT", "postgresql": 'text COLLATE "C"'}
_NUMBER = {"sqlite": "INTEGER NOT NULL", "postgresql": "serial"}
_MISSING = """
    INSERT INTO phase_kind (name, position, status)
    SELECT DISTINCT name, position, status FROM phase WHERE {}
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
"""
_OF_KINDS = """phase JOIN (
    SELECT id AS known_id, name AS known_name, position AS known_position, status AS known_status
    FROM phase_kind
) k ON known_name = name AND known_position = position AND known_status = status"""


@dataclass(frozen=True, slots=True)
class _WithKinds(Part):
    """Phases, of whose kinds those that are not there yet are made before they are copied."""

    def _source(
        self, connection: sa.Connection, which: str, values: Mapping[str, object]
    ) -> tuple[str, Mapping[str, object]]:
        connection.execute(sa.text(_MISSING.format(which)), values)
        return _OF_KINDS, {}


_REWRITING = Rewriting(
    "phases",
    (
        _WithKinds(
            Replacing(
                "phase",
                columns(
                    "int: attempt_id! log_id kind_id!; at: reported_at!; real: duration_seconds cpu_seconds;"
                    " long: peak_memory_bytes"
                ),
                {
                    "pk_phase": "(id)",
                    "ix_phase_attempt_id": "(attempt_id)",
                    "ix_phase_log_id": "(log_id)",
                },
                {"attempt_id": "attempt", "log_id": "log", "kind_id": "phase_kind"},
                "integer",
                {"kind_id": "known_id"},
            ),
            "id",
            "phase",
        ),
    ),
)

locked = _REWRITING.locked


def _create_kinds(connection: sa.Connection) -> None:
    dialect_name = connection.dialect.name
    texts = f"name {_TEXT[dialect_name]} NOT NULL, status {_TEXT[dialect_name]} NOT NULL"
    keys = (
        "CONSTRAINT pk_phase_kind PRIMARY KEY (id),"
        " CONSTRAINT uq_phase_kind_name_position_status UNIQUE (name, position, status)"
    )
    described = f"id {_NUMBER[dialect_name]}, position INTEGER NOT NULL, {texts}, {keys}"
    connection.execute(sa.text(f"CREATE TABLE IF NOT EXISTS phase_kind ({described})"))


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write phases anew beside the old ones."""
    step(connection, partial(_create_kinds, connection))
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    connection = op.get_bind()
    _create_kinds(connection)
    if connection.dialect.name == "postgresql":
        _REWRITING.put(connection)
        return
    connection.execute(sa.text(_MISSING.format("true")))
    op.add_column("phase", sa.Column("kind_id", sa.Integer))
    kind = "k.name = phase.name AND k.position = phase.position AND k.status = phase.status"
    op.execute(f"UPDATE phase SET kind_id = (SELECT k.id FROM phase_kind k WHERE {kind})")  # noqa: S608 -- ours
    with op.batch_alter_table("phase") as table:
        table.alter_column("kind_id", existing_type=sa.Integer, nullable=False)
        table.create_foreign_key("fk_phase_kind_id", "phase_kind", ["kind_id"], ["id"])
        for name in ("position", "name", "status"):
            table.drop_column(name)
