"""Tenants may have public links to their pictures, and a job may say whether its own have them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("public_links", sa.Boolean(), nullable=True))
    op.create_table(
        "public_links",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("jobs", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_public_links_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_public_links")),
    )
