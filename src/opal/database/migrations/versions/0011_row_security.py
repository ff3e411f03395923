"""Keys have scopes and a last use, requests are counted, and PostgreSQL keeps tenants apart by itself.

Row security is forced, so that it binds the owner of the tables as well. A transaction says whom it acts for
(`database/engine.py`): one tenant, whose rows are then all there is, or the platform.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
_TIME = sa.DateTime(timezone=True)

# In parentheses each, as a subquery: PostgreSQL then asks once per statement rather than once per row.
_TENANT = "(SELECT current_setting('opal.tenant', true))"
_PLATFORM = "(SELECT current_setting('opal.platform', true)) = 'on'"
_BY_TENANT_ID = f"tenant_id = {_TENANT}"

_OWNED = {
    "tenants": f"id = {_TENANT}",
    # A message belongs to the tenant of its item, which is looked up under the same rules.
    "outbox": "EXISTS (SELECT 1 FROM items WHERE items.id = outbox.item_id)",
    **dict.fromkeys(
        (
            "accounts",
            "api_keys",
            "backdrops",
            "delivery_targets",
            "idempotency_keys",
            "item_events",
            "items",
            "jobs",
            "ledger",
            "picture_charges",
            "picture_deliveries",
            "public_links",
            "rate_windows",
            "request_windows",
            "tenant_presets",
            "variants",
            "webhook_deliveries",
            "webhook_events",
            "webhooks",
        ),
        _BY_TENANT_ID,
    ),
}


def upgrade() -> None:
    every_scope = sa.text('\'["read", "jobs", "settings"]\'')
    op.add_column("api_keys", sa.Column("scopes", _JSON, nullable=False, server_default=every_scope))
    op.add_column("api_keys", sa.Column("last_used_at", _TIME, nullable=True))
    op.create_table(
        "request_windows",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_request_windows_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "subject", name=op.f("pk_request_windows")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table, of_its_tenant in _OWNED.items():
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY of_its_tenant ON {table} USING ({of_its_tenant})")
            op.execute(f"CREATE POLICY for_the_platform ON {table} USING ({_PLATFORM})")
