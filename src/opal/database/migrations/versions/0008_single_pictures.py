"""Pictures made while the client waits: sandbox keys, quarters of credits, charges made once, rate limits."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("sandbox", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column(
        "accounts",
        sa.Column("prepaid_quarters", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "picture_charges",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("charged_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_picture_charges_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "request_hash", name=op.f("pk_picture_charges")),
    )
    op.create_index(
        op.f("ix_picture_charges_tenant_id_charged_at"),
        "picture_charges",
        ["tenant_id", "charged_at"],
        unique=False,
    )
    op.create_table(
        "rate_windows",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_rate_windows_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_rate_windows")),
    )
