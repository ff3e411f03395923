"""Delivery of pictures: tenants' targets, and each picture's way to each of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.create_table(
        "delivery_targets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("place", _JSON, nullable=False),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("template", sa.String(length=200), nullable=False),
        sa.Column("reports", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("disabled_reason", sa.String(length=200), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_delivery_targets_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_targets")),
    )
    op.create_index(
        op.f("ix_delivery_targets_tenant_id_created_at"),
        "delivery_targets",
        ["tenant_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "picture_deliveries",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=64), nullable=False),
        sa.Column("preset", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=16), nullable=False),
        sa.Column("path", sa.String(length=600), nullable=False),
        sa.Column("path_key", sa.String(length=64), nullable=False),
        sa.Column("owner_key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.Column("etag", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_picture_deliveries_tenant_id")),
        sa.ForeignKeyConstraint(
            ["target_id"], ["delivery_targets.id"], name=op.f("fk_picture_deliveries_target_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_picture_deliveries")),
        sa.UniqueConstraint(
            "target_id",
            "item_id",
            "preset",
            "content",
            name=op.f("uq_picture_deliveries_target_id_item_id_preset_content"),
        ),
    )
    for columns in (
        ["target_id", "state", "next_at"],
        ["target_id", "path_key"],
        ["target_id", "created_at"],
        ["job_id", "created_at"],
    ):
        name = op.f(f"ix_picture_deliveries_{'_'.join(columns)}")
        op.create_index(name, "picture_deliveries", columns, unique=False)
