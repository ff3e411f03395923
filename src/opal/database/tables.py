"""Every table. Migrations must add up to exactly this (tests/migrations)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from opal.database.brand_profile_table import brand_profiles as brand_profiles  # noqa: PLC0414 - and this
from opal.database.column_types import Json, Serial, UtcDateTime
from opal.database.item_tables import item_events as item_events  # noqa: PLC0414 - others have them from here
from opal.database.item_tables import items as items  # noqa: PLC0414
from opal.database.item_tables import mattes as mattes  # noqa: PLC0414
from opal.database.item_tables import revisions as revisions  # noqa: PLC0414
from opal.database.item_tables import variants as variants  # noqa: PLC0414
from opal.database.table_parts import created as _created
from opal.database.table_parts import id_column as _id
from opal.database.table_parts import metadata as metadata  # noqa: PLC0414 - others have it from here
from opal.database.table_parts import receiver as _receiver
from opal.database.table_parts import tenant as _tenant
from opal.database.table_parts import trace as _trace

tenants = Table(
    "tenants", metadata, _id(primary_key=True), Column("name", String(200), nullable=False), _created()
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("name", String(200), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    _created(),
    Column("revoked_at", UtcDateTime),
    # What it may do (keys.py): a sandbox key, watermarked pictures for nothing; before 0011, everything.
    Column("sandbox", Boolean, nullable=False, default=False, server_default=false()),
    Column("scopes", Json, nullable=False, server_default=text('\'["read", "jobs", "settings"]\'')),
    Column("last_used_at", UtcDateTime),
)

jobs = Table(
    "jobs",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("name", String(200), nullable=False),
    Column("correlation_id", String(128), nullable=False),
    Column("scene", Json, nullable=False),
    Column("placement", Json, nullable=False),
    Column("presets", Json, nullable=False),
    # Those of them that are the tenant's own, as they were when the job was made.
    Column("own_presets", Json, nullable=False, default=list, server_default=text("'[]'")),
    Column("prompt", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    # Whether its pictures have public links; null: as the tenant has it.
    Column("public_links", Boolean),
    _created(),
    Column("cancelled_at", UtcDateTime),
    Index(None, "tenant_id", "created_at"),
)

public_links = Table(
    "public_links",
    metadata,
    Column("tenant_id", String(64), ForeignKey("tenants.id"), primary_key=True),
    # Readable, as addresses are made with it; a tenant without links has no row.
    Column("key", String(64), nullable=False),
    Column("jobs", String(16), nullable=False),
    _created(),
)

tenant_presets = Table(
    "tenant_presets",
    metadata,
    _tenant(),
    Column("name", String(64), nullable=False),
    Column("preset", Json, nullable=False),
    _created(),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "name"),
)

backdrops = Table(
    "backdrops",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("name", String(200), nullable=False),
    Column("raw_path", String(512), nullable=False),
    # What the picture was found to be; null until it has been uploaded and checked.
    Column("format", String(16)),
    Column("bytes", Integer),
    Column("width", Integer),
    Column("height", Integer),
    Column("sha256", String(64)),
    Column("etag", String(128)),
    _created(),
    Column("completed_at", UtcDateTime),
    Index(None, "tenant_id", "created_at"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("tenant_id", String(64), ForeignKey("tenants.id"), primary_key=True),
    Column("balance", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    # Of a credit that was debited for a preview, what later previews may still use.
    Column("prepaid_quarters", Integer, nullable=False, default=0, server_default=text("0")),
    # The last line of defence: no code path can spend what is not there.
    CheckConstraint("held >= 0 AND balance >= held", name="covered"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    _tenant(),
    Column("job_id", String(64)),
    Column("item_id", String(64)),
    Column("kind", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("note", String(200), nullable=False, default=""),
    # The item's, see items.round.
    Column("round", Integer, nullable=False, default=0, server_default=text("0")),
    _created(),
    UniqueConstraint("item_id", "kind", "round"),
    Index(None, "tenant_id", "seq"),
    sqlite_autoincrement=True,
)

picture_charges = Table(
    "picture_charges",
    metadata,
    _tenant(),
    Column("request_hash", String(64), nullable=False),
    Column("charged_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "request_hash"),
    Index(None, "tenant_id", "charged_at"),
)

rate_windows = Table(
    "rate_windows",
    metadata,
    Column("tenant_id", String(64), ForeignKey("tenants.id"), primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("used", BigInteger, nullable=False),
)

# Requests of this minute: of each key, and of the tenant as a whole.
request_windows = Table(
    "request_windows",
    metadata,
    _tenant(),
    Column("subject", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("used", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "subject"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("queue", String(64), nullable=False),
    Column("message_id", String(128), nullable=False),
    _id("item_id", nullable=False),
    Column("correlation_id", String(128), nullable=False),
    Column("body", LargeBinary, nullable=False),
    _trace(),
    _created(),
    Column("claimed_until", UtcDateTime),
    UniqueConstraint("queue", "message_id"),
)

webhooks = Table(
    "webhooks",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("url", String(2048), nullable=False),
    Column("events", Json, nullable=False),
    # The secrets, sealed (webhook_secrets.py); readable in older rows only, until web-api finds them.
    Column("sealed", Text),
    Column("secret", String(128), nullable=False),
    Column("old_secret", String(128)),
    Column("old_secret_until", UtcDateTime),
    *_receiver(),
    _created(),
    Index(None, "tenant_id", "created_at"),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("type", String(32), nullable=False),
    Column("job_id", String(64), nullable=False),
    Column("item_id", String(64)),
    # An example that somebody asked for: nothing happened.
    Column("test", Boolean, nullable=False, default=False, server_default=false()),
    # The very bytes that are signed, so that every try and every replay sends the same.
    Column("body", Text, nullable=False),
    _trace(),
    _created(),
    Index(None, "created_at"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("webhook_id", String(64), ForeignKey("webhooks.id"), nullable=False),
    Column("event_id", String(64), ForeignKey("webhook_events.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", UtcDateTime, nullable=False),
    Column("claimed_until", UtcDateTime),
    Column("last_at", UtcDateTime),
    Column("last_status", Integer),
    Column("last_error", String(300)),
    _created(),
    UniqueConstraint("webhook_id", "event_id"),
    # What the sender asks every second, and what a client lists.
    Index(None, "webhook_id", "state", "next_at"),
    Index(None, "webhook_id", "created_at"),
    Index(None, "event_id"),
    Index(None, "created_at"),
)

delivery_targets = Table(
    "delivery_targets",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("name", String(200), nullable=False),
    # The place without its secrets, which are sealed (opal/sealing.py) beside it.
    Column("place", Json, nullable=False),
    Column("sealed", Text),
    Column("template", String(200), nullable=False),
    Column("reports", Boolean, nullable=False),
    # Names of the presets and formats that go there; none: all.
    Column("presets", Json, nullable=False, default=list, server_default=text("'[]'")),
    Column("formats", Json, nullable=False, default=list, server_default=text("'[]'")),
    *_receiver(),
    _created(),
    Index(None, "tenant_id", "created_at"),
)

# Never forgotten while their target is there: they say whose each path is.
picture_deliveries = Table(
    "picture_deliveries",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("target_id", String(64), ForeignKey("delivery_targets.id"), nullable=False),
    Column("job_id", String(64), nullable=False),
    _id("item_id", nullable=False),
    Column("preset", String(64), nullable=False),
    Column("content", String(16), nullable=False),
    # Which of the item's revisions is to lie there, see items.revision.
    Column("revision", Integer, nullable=False, default=0, server_default=text("0")),
    Column("path", String(600), nullable=False),
    # A hash of the path where case does not count, as on some file systems; and of the product it belongs to.
    Column("path_key", String(64), nullable=False),
    Column("owner_key", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", UtcDateTime, nullable=False),
    Column("claimed_until", UtcDateTime),
    Column("last_at", UtcDateTime),
    Column("last_error", String(200)),
    Column("etag", String(200)),
    _trace(),
    _created(),
    UniqueConstraint("target_id", "item_id", "preset", "content"),
    # What the sender asks every second, what a new picture asks, and what a client lists.
    Index(None, "target_id", "state", "next_at"),
    Index(None, "target_id", "path_key"),
    Index(None, "target_id", "created_at"),
    Index(None, "job_id", "created_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _tenant(),
    Column("key", String(255), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer),
    Column("body", Text),
    _created(),
    PrimaryKeyConstraint("tenant_id", "key"),
)

# What tenants asked to have deleted; the receipt is kept for good, as the ledger is.
erasures = Table(
    "erasures",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("state", String(16), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    # Until then a worker that was under way, or a signed URL, may still write a blob.
    Column("late_until", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("counts", Json, nullable=False, default=dict, server_default=text("'{}'")),
    # The very text whose hash stands beside it.
    Column("receipt", Text),
    Column("sha256", String(64)),
    Index(None, "tenant_id", "requested_at"),
    Index(None, "state"),
)

# Sessions of the console that somebody signed out, until they would have ended by themselves.
ended_sessions = Table(
    "ended_sessions",
    metadata,
    _id(primary_key=True),
    _tenant(),
    Column("ends_at", UtcDateTime, nullable=False),
    Index(None, "tenant_id", "ends_at"),
)
