"""Items are marked for review, and variants say how the product was placed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.add_column("items", sa.Column("review", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("variants", sa.Column("placed", _JSON, nullable=True))
