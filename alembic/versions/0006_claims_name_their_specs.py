"""A claim keeps the hash by which its source names the spec, also when that spec is known.

Of claims that are stored, the hash of the spec that they are counted to.
"""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("claim", sa.Column("spec_hash_kind", ByteOrderedText, nullable=True))
    op.execute(
        """
        UPDATE claim SET
            spec_hash = (SELECT s.hash FROM spec s WHERE s.id = claim.spec_id),
            spec_hash_kind = (SELECT s.hash_kind FROM spec s WHERE s.id = claim.spec_id)
        WHERE spec_id IS NOT NULL
        """
    )
