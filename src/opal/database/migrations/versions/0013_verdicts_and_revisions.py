"""Items are judged, revised and sent again; each time one is sent is a round of its own in the ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
_TIME = sa.DateTime(timezone=True)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0"))


def upgrade() -> None:
    for column in (
        sa.Column("verdict", sa.String(16), nullable=True),
        sa.Column("verdict_at", _TIME, nullable=True),
        _number("round"),
        _number("revision"),
        sa.Column("pending_revision", sa.Integer(), nullable=True),
        sa.Column("scene", _JSON, nullable=True),
        sa.Column("placement", _JSON, nullable=True),
    ):
        op.add_column("items", column)
    op.add_column("picture_deliveries", _number("revision"))
    op.create_table(
        "revisions",
        sa.Column("item_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("scene", _JSON, nullable=False),
        sa.Column("placement", _JSON, nullable=False),
        sa.Column("matte_path", sa.String(512), nullable=True),
        sa.Column("edited", sa.Boolean(), nullable=False),
        sa.Column("engine", sa.String(64), nullable=True),
        sa.Column("meta", _JSON, nullable=True),
        sa.Column("review", sa.Boolean(), nullable=True),
        sa.Column("error_code", sa.String(64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_revisions_tenant_id"),
        sa.PrimaryKeyConstraint("item_id", "number", name="pk_revisions"),
    )
    op.create_index("ix_revisions_job_id", "revisions", ["job_id"])
    _number_the_ledger()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE revisions ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE revisions FORCE ROW LEVEL SECURITY")
        # As in 0011: of one's own tenant, or all of them for the platform.
        op.execute(
            "CREATE POLICY of_its_tenant ON revisions"
            " USING (tenant_id = (SELECT current_setting('opal.tenant', true)))"
        )
        op.execute(
            "CREATE POLICY for_the_platform ON revisions"
            " USING ((SELECT current_setting('opal.platform', true)) = 'on')"
        )


def _number_the_ledger() -> None:
    """Once per item and kind becomes once per item, kind and round. SQLite copies the table for it."""
    # A number is never given twice, also in the copy.
    with op.batch_alter_table("ledger", table_kwargs={"sqlite_autoincrement": True}) as ledger:
        ledger.add_column(_number("round"))
        ledger.drop_constraint("uq_ledger_item_id_kind", type_="unique")
        ledger.create_unique_constraint("uq_ledger_item_id_kind_round", ["item_id", "kind", "round"])
