"""Each item knows which upload URLs are out for its photo, so that there are never many at a time."""

import sqlalchemy as sa
from alembic import op

from opal.database.column_types import Json

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("uploads", Json, nullable=False, server_default=sa.text("'{}'")))
