"""PostgreSQL stores a spec's own hash with it alone: a table has the others, a view all of them.

Of today's Spack a spec has no other. The others are copied while services write. SQLite keeps its rows, of
which a view shows the others, so that one statement serves both.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Part, Rewriting, columns

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None

# Hashes and specs have these columns since long before.
ahead_from = "0048"

_IS_OTHER = (
    "NOT EXISTS (SELECT 1 FROM spec s WHERE s.id = spec_hash.spec_id AND s.hash = spec_hash.value"
    " AND s.hash_kind = spec_hash.kind)"
)
# PostgreSQL looks into both halves by their indexes only if the columns are of the same types.
_VIEW = """
    CREATE VIEW spec_hash AS
    SELECT hash AS value, hash_kind AS kind, id AS spec_id FROM spec
    UNION ALL SELECT value, kind, spec_id FROM spec_other_hash
"""
_VIEW_IN_SQLITE = f"""
    CREATE VIEW spec_other_hash AS SELECT value, kind, spec_id FROM spec_hash WHERE {_IS_OTHER}
"""  # noqa: S608 -- of our own constants

# The foreign key keeps its name: by that it is known as one to be validated.
_REWRITING = Rewriting(
    "other_hashes",
    (
        Part(
            Replacing(
                "spec_hash",
                columns("int: spec_id!; text: value! kind!"),
                {
                    "pk_spec_other_hash": "(value, kind, spec_id)",
                    "ix_spec_other_hash_spec_id": "(spec_id)",
                },
                {"spec_id": "spec"},
                None,
            ),
            "spec_id",
            "spec",
            kept=_IS_OTHER,
        ),
    ),
)

locked = _REWRITING.locked


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Copy the others beside all."""
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _REWRITING.put(op.get_bind())
        op.rename_table("spec_hash", "spec_other_hash")
        op.execute(_VIEW)
    else:
        op.execute(_VIEW_IN_SQLITE)
