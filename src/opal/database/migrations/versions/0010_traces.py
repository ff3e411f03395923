"""Messages, webhook events and deliveries remember the trace that they belong to."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("outbox", "webhook_events", "picture_deliveries"):
        op.add_column(name, sa.Column("traceparent", sa.String(64), nullable=True))
