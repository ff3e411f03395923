"""A session of the console that was signed out is remembered until it would have ended by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ended_sessions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_ended_sessions_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_ended_sessions"),
    )
    op.create_index("ix_ended_sessions_tenant_id_ends_at", "ended_sessions", ["tenant_id", "ends_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE ended_sessions ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE ended_sessions FORCE ROW LEVEL SECURITY")
        # As in 0011: of one's own tenant, or all of them for the platform.
        op.execute(
            "CREATE POLICY of_its_tenant ON ended_sessions"
            " USING (tenant_id = (SELECT current_setting('opal.tenant', true)))"
        )
        op.execute(
            "CREATE POLICY for_the_platform ON ended_sessions"
            " USING ((SELECT current_setting('opal.platform', true)) = 'on')"
        )
