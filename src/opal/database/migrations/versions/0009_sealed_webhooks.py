"""Webhook secrets are sealed, events may be tests, and delivery targets choose presets and formats.

The secrets that are there are sealed by the service that has the key (`database/webhook_secrets.py`).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("sealed", sa.Text(), nullable=True))
    op.add_column(
        "webhook_events", sa.Column("test", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    for name in ("presets", "formats"):
        op.add_column(
            "delivery_targets", sa.Column(name, _JSON, nullable=False, server_default=sa.text("'[]'"))
        )
