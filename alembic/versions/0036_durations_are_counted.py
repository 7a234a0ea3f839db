"""Durations of builds are rounded and counted by facet, and the newest builds of a package have an index.

Every build is read twice while nobody writes: some seconds for two million.
"""

import sqlalchemy as sa
from alembic import op

from spackmon.history.rounded_durations import BOUNDS, ROUNDED
from spackmon.models.columns import RowId

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_WHENS = (f"WHEN duration_seconds < {end} THEN {one}" for end, one in zip(BOUNDS, ROUNDED, strict=False))
_BOUNDS, _ROUNDED = (
    f"CAST(ARRAY[{', '.join(map(str, numbers))}] AS double precision[])" for numbers in (BOUNDS, ROUNDED)
)
_SECONDS = {
    "sqlite": f"CASE {' '.join(_WHENS)} ELSE {ROUNDED[-1]} END",
    "postgresql": f"({_ROUNDED})[width_bucket(duration_seconds, {_BOUNDS}) + 1]",
}
_MICROSECONDS = {
    "sqlite": "CAST(duration_seconds * 1000000 + 0.5 AS INTEGER)",
    "postgresql": "CAST(floor(duration_seconds * 1000000 + 0.5) AS bigint)",
}
_COUNT = """
    INSERT INTO build_facet_duration (facet_id, rounded_seconds, build_count, microseconds)
    SELECT facet_id, {seconds}, count(*), sum({microseconds})
    FROM build WHERE facet_id IS NOT NULL AND duration_seconds IS NOT NULL GROUP BY 1, 2
"""


def upgrade() -> None:
    op.create_table(
        "build_facet_duration",
        sa.Column("facet_id", RowId, nullable=False, autoincrement=False),
        sa.Column("rounded_seconds", sa.Float(53), nullable=False),
        sa.Column("build_count", sa.Integer(), nullable=False),
        sa.Column("microseconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facet_id", "rounded_seconds", name=op.f("pk_build_facet_duration")),
        sqlite_with_rowid=False,
    )
    op.add_column("build_facet_change", sa.Column("rounded_seconds", sa.Float(53), nullable=True))
    # A program of before does not say it: what it changes waits for the next one, in the spool.
    with op.batch_alter_table("build_facet_change") as table:
        table.add_column(sa.Column("microseconds", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("build_facet_change") as table:
        table.alter_column("microseconds", server_default=None)
    op.create_index(op.f("ix_build_package_id_id"), "build", ["package_id", "id"])
    name = op.get_bind().dialect.name
    op.execute(_COUNT.format(seconds=_SECONDS[name], microseconds=_MICROSECONDS[name]))
