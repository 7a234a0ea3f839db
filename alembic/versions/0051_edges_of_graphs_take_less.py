"""Edges of graphs, compilers of specs and virtuals that are provided number specs in four bytes, not eight.

PostgreSQL alone: SQLite stores a number in as many bytes as it needs.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Part, Rewriting, columns

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

# The columns and indexes that are copied are there since then.
ahead_from = "0048"

_REWRITING = Rewriting(
    "edges",
    (
        Part(
            Replacing(
                "dependency",
                columns("int: parent_id! child_id!; json: virtuals!; short: deptypes!"),
                {
                    "pk_dependency": "(parent_id, child_id, virtuals)",
                    "ix_dependency_child_id_parent_id": "(child_id, parent_id)",
                },
                {"parent_id": "spec", "child_id": "spec"},
                None,
            ),
            "parent_id",
            "spec",
        ),
        Part(
            Replacing(
                "spec_compiler",
                columns("int: spec_id! compiler_id!; is: is_main!; text: language!"),
                {
                    "pk_spec_compiler": "(spec_id, language, compiler_id)",
                    "ix_spec_compiler_others": "(compiler_id, spec_id) WHERE NOT is_main",
                },
                {"spec_id": "spec", "compiler_id": "compiler"},
                None,
            ),
            "spec_id",
            "spec",
        ),
        Part(
            Replacing(
                "provided_virtual",
                columns("int: spec_id! child_id!; short: deptypes!; is: by_caret!; text: virtual!"),
                {"pk_provided_virtual": "(virtual, spec_id, child_id)"},
                {"spec_id": "spec", "child_id": "spec"},
                None,
            ),
            "spec_id",
            "spec",
        ),
    ),
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write the tables anew beside the old ones."""
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _REWRITING.put(op.get_bind())
