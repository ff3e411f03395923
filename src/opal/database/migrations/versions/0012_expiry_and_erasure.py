"""Rows say when their blobs were removed for their age, and what a tenant asked to have deleted is known."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("items", sa.Column("raw_expired_at", _TIME, nullable=True))
    op.add_column("items", sa.Column("outputs_expired_at", _TIME, nullable=True))
    op.add_column("variants", sa.Column("expired_at", _TIME, nullable=True))
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("late_until", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.Column("counts", _JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_erasures_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
    )
    op.create_index("ix_erasures_tenant_id_requested_at", "erasures", ["tenant_id", "requested_at"])
    op.create_index("ix_erasures_state", "erasures", ["state"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE erasures ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE erasures FORCE ROW LEVEL SECURITY")
        # As in 0011: of one's own tenant, or all of them for the platform.
        op.execute(
            "CREATE POLICY of_its_tenant ON erasures"
            " USING (tenant_id = (SELECT current_setting('opal.tenant', true)))"
        )
        op.execute(
            "CREATE POLICY for_the_platform ON erasures"
            " USING ((SELECT current_setting('opal.platform', true)) = 'on')"
        )
