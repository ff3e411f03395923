"""The photos that wait for a person's verdict are found without looking at all the others."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    waits = sa.and_(sa.column("review", sa.Boolean).is_(True), sa.column("verdict").is_(None))
    op.create_index(
        "ix_items_review_queue",
        "items",
        ["tenant_id", "created_at", "job_id", "position"],
        sqlite_where=waits,
        postgresql_where=waits,
    )
