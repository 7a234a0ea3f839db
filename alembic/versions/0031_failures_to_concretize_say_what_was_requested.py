"""Failures to concretize have the version, the compiler and the system that were requested."""

import sqlalchemy as sa
from alembic import op

from spackmon.graph.requests import request_of
from spackmon.graph.versions import version_key
from spackmon.models.columns import ByteOrderedText

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_TEXTS = ("version", "compiler", "compiler_name", "operating_system", "target")
_KEYS = ("version_key", "compiler_key")
_ROWS = sa.text("SELECT id, document, abstract_spec, spack_version FROM concretization_failure ORDER BY id")
_SET = sa.text(
    f"UPDATE concretization_failure SET {', '.join(f'{name} = :{name}' for name in (*_TEXTS, *_KEYS))}"  # noqa: S608 -- of our own constants
    " WHERE id = :row"
)


def upgrade() -> None:
    with op.batch_alter_table("concretization_failure") as table:
        for name in _TEXTS:
            table.add_column(sa.Column(name, ByteOrderedText, nullable=True))
        for name in _KEYS:
            table.add_column(sa.Column(name, sa.LargeBinary(), nullable=True))
    connection = op.get_bind()
    for row in connection.execute(_ROWS).all():
        asked = request_of(row.document, row.abstract_spec, row.spack_version)
        values = {name: getattr(asked, name) for name in _TEXTS}
        values["version_key"] = None if asked.version is None else version_key(asked.version)
        named = asked.compiler is not None
        values["compiler_key"] = version_key(asked.compiler_version or "") if named else None
        connection.execute(_SET, {**values, "row": row.id})
