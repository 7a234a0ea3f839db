"""Rules are muted and edited, and channels know what may be shown of their addresses."""

from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, UtcDateTime

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notification_rule", sa.Column("muted_at", UtcDateTime, nullable=True))
    op.add_column("notification_rule", sa.Column("tells_since", UtcDateTime, nullable=True))
    op.execute("UPDATE notification_rule SET tells_since = created_at")
    op.add_column("notification_channel", sa.Column("shown_address", ByteOrderedText, nullable=True))
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, kind, address FROM notification_channel")).all()
    for row in rows:
        shown = row.address if row.kind == "EMAIL" else _host_alone(row.address)
        statement = sa.text("UPDATE notification_channel SET shown_address = :shown WHERE id = :id")
        connection.execute(statement, {"shown": shown, "id": row.id})
    for table, column, type_ in (
        ("notification_rule", "tells_since", UtcDateTime()),
        ("notification_channel", "shown_address", ByteOrderedText),
    ):
        with op.batch_alter_table(table) as changed:
            changed.alter_column(column, existing_type=type_, nullable=False)


def _host_alone(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"
