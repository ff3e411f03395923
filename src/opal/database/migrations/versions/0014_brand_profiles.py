"""A tenant keeps how it wants its pictures: scene, placement and presets under a name."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "brand_profiles",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("scene", _JSON, nullable=False),
        sa.Column("placement", _JSON, nullable=False),
        sa.Column("presets", _JSON, nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_brand_profiles_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_brand_profiles"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_brand_profiles_tenant_id_name"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE brand_profiles ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE brand_profiles FORCE ROW LEVEL SECURITY")
        # As in 0011: of one's own tenant, or all of them for the platform.
        op.execute(
            "CREATE POLICY of_its_tenant ON brand_profiles"
            " USING (tenant_id = (SELECT current_setting('opal.tenant', true)))"
        )
        op.execute(
            "CREATE POLICY for_the_platform ON brand_profiles"
            " USING ((SELECT current_setting('opal.platform', true)) = 'on')"
        )
