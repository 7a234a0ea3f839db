"""A phase stores no number: it is a place in its run, and its number is made of both.

What it is known by from now on is another number than before, above all of those, which lead to it through a
table of their own.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import JsonText
from spackmon.ops.ahead import Ids
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Part, Rewriting, columns

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0072"

_PLACE = "row_number() OVER (PARTITION BY attempt_id ORDER BY id)"
_REWRITING = Rewriting(
    "places_of_phases",
    (
        Part(
            Replacing(
                "phase",
                columns(
                    "int: attempt_id! place! log_id kind_id!; at: reported_at!; real: duration_seconds"
                    " cpu_seconds; long: peak_memory_bytes"
                ),
                {"ix_phase_attempt_id": "(attempt_id)", "ix_phase_log_id": "(log_id)"},
                {"attempt_id": "attempt", "log_id": "log", "kind_id": "phase_kind"},
                None,
                {"place": f"{_PLACE} AS place"},
            ),
            "attempt_id",
            "attempt",
        ),
    ),
)
_COLUMNS = "attempt_id, log_id, kind_id, reported_at, duration_seconds, cpu_seconds, peak_memory_bytes"
_NUMBERS_OF_CHUNK = 1_000
_NUMBERED = sa.text(
    "SELECT p.id, p.attempt_id,"
    " (SELECT count(*) FROM phase o WHERE o.attempt_id = p.attempt_id AND o.id <= p.id) AS place"
    " FROM phase p WHERE p.id > :last AND p.id <= :after ORDER BY p.id"
)
_FORGET = sa.text("DELETE FROM earlier_phase WHERE chunk >= :first AND chunk < :end")
_PUT = sa.text(
    "INSERT INTO earlier_phase (chunk, attempt_ids, places) VALUES (:chunk, :attempt_ids, :places)"
)


class _Numbers(Replacing):
    """Where the numbers of before lead to, beside the table that has them."""

    @property
    def next(self) -> str:
        """It is in its place from the beginning."""
        return "earlier_phase"

    def put(self, connection: sa.Connection) -> None:
        """Make its index a key."""
        key = "pk_earlier_phase"
        for statement in (
            f"ALTER INDEX {key}_next RENAME TO {key}",
            f"ALTER TABLE earlier_phase ADD CONSTRAINT {key} PRIMARY KEY USING INDEX {key}",
        ):
            connection.execute(sa.text(statement))


class _Numbered(Part):
    """The phases that have the numbers, which are written by whole chunks."""

    def copy_range(self, connection: sa.Connection, last: int, after: int) -> None:
        """Write where the numbers above `last` and up to `after` lead to."""
        chunks = {"first": last // _NUMBERS_OF_CHUNK, "end": after // _NUMBERS_OF_CHUNK}
        connection.execute(_FORGET, chunks)
        found = connection.execute(_NUMBERED, {"last": last, "after": after}).all()
        rows = [_chunk(chunk, of) for chunk, of in groupby(found, lambda row: _chunk_of(row.id))]
        if rows:
            connection.execute(_PUT, rows)

    def again(self, connection: sa.Connection, ids: Ids) -> None:
        """Write anew what has numbers that were noted, or numbers of phases of runs that were."""
        of_runs = sa.text("SELECT id FROM phase WHERE attempt_id = ANY (CAST(:ids AS bigint[]))")
        numbers = {*ids["phase"], *connection.scalars(of_runs, {"ids": sorted(ids["attempt"])})}
        for chunk in sorted(set(map(_chunk_of, numbers))):
            last = chunk * _NUMBERS_OF_CHUNK
            self.copy_range(connection, last, last + _NUMBERS_OF_CHUNK)


def _chunk_of(number: int) -> int:
    return (number - 1) // _NUMBERS_OF_CHUNK


def _chunk(chunk: int, phases: Iterable[sa.Row[Any]]) -> Mapping[str, int | str]:
    """A row, of phases with their numbers, runs and places."""
    by_number = {phase.id: (phase.attempt_id, phase.place) for phase in phases}
    numbers = range(chunk * _NUMBERS_OF_CHUNK + 1, (chunk + 1) * _NUMBERS_OF_CHUNK + 1)
    attempt_ids, places = zip(*(by_number.get(number, (None, None)) for number in numbers), strict=True)
    return {"chunk": chunk, "attempt_ids": _json(attempt_ids), "places": _json(places)}


def _json(values: tuple[int | None, ...]) -> str:
    return json.dumps(values, separators=(",", ":"))


_KEPT = Rewriting(
    "numbers_of_phases",
    (
        _Numbered(
            _Numbers(
                "phase",
                columns("int: chunk!; json: attempt_ids! places!"),
                {"pk_earlier_phase": "(chunk)"},
                {},
                None,
            ),
            "id",
            "phase",
        ),
    ),
    watched=(("phase", "attempt_id", "attempt"),),
)

locked = _REWRITING.locked


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write phases anew beside the old ones, and where the numbers of those lead to."""
    _KEPT.ahead(connection, tell)
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        _KEPT.put(connection)
        _REWRITING.put(connection)
        return
    op.create_table(
        "earlier_phase",
        sa.Column("chunk", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("attempt_ids", JsonText, nullable=False),
        sa.Column("places", JsonText, nullable=False),
        sa.PrimaryKeyConstraint("chunk", name="pk_earlier_phase"),
    )
    _KEPT.parts[0].copy_all(connection)
    op.create_table(
        "phase_next",
        sa.Column("attempt_id", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("log_id", sa.Integer),
        sa.Column("kind_id", sa.Integer, nullable=False),
        sa.Column("reported_at", sa.Text, nullable=False),
        sa.Column("duration_seconds", sa.Float(53)),
        sa.Column("cpu_seconds", sa.Float(53)),
        sa.Column("peak_memory_bytes", sa.Integer),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name="fk_phase_attempt_id"),
        sa.ForeignKeyConstraint(["log_id"], ["log.id"], name="fk_phase_log_id"),
        sa.ForeignKeyConstraint(["kind_id"], ["phase_kind.id"], name="fk_phase_kind_id"),
        sa.PrimaryKeyConstraint("attempt_id", "place", name="pk_phase"),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO phase_next (place, {_COLUMNS})"  # noqa: S608 -- of our own constants
        f" SELECT {_PLACE}, {_COLUMNS} FROM phase ORDER BY attempt_id, id"
    )
    op.drop_table("phase")
    op.rename_table("phase_next", "phase")
    for column in ("attempt_id", "log_id"):
        op.create_index(f"ix_phase_{column}", "phase", [column])
