"""A client uploads a matte that a person edited: where it may, until it is used."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mattes",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("item_id", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_mattes_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_mattes"),
    )
    op.create_index("ix_mattes_item_id", "mattes", ["item_id"])
    op.create_index("ix_mattes_job_id", "mattes", ["job_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE mattes ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE mattes FORCE ROW LEVEL SECURITY")
        # As in 0011: of one's own tenant, or all of them for the platform.
        op.execute(
            "CREATE POLICY of_its_tenant ON mattes"
            " USING (tenant_id = (SELECT current_setting('opal.tenant', true)))"
        )
        op.execute(
            "CREATE POLICY for_the_platform ON mattes"
            " USING ((SELECT current_setting('opal.platform', true)) = 'on')"
        )
