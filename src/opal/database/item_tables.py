"""The tables of items: photos on their way, their story, their pictures. Part of `tables.py`."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    and_,
    false,
    text,
)

from opal.database.column_types import Json, Serial, UtcDateTime
from opal.database.table_parts import created as _created
from opal.database.table_parts import id_column as _id
from opal.database.table_parts import metadata
from opal.database.table_parts import tenant as _tenant

items = Table(
    "items",
    metadata,
    _id(primary_key=True),
    Column("job_id", String(64), ForeignKey("jobs.id"), nullable=False),
    _tenant(),
    Column("position", Integer, nullable=False),
    Column("filename", String(255), nullable=False),
    Column("sku", String(64)),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("epoch", Integer, nullable=False, default=0),
    Column("failures", Integer, nullable=False, default=0),
    Column("interruptions", Integer, nullable=False, default=0),
    Column("lease_until", UtcDateTime),
    Column("correlation_id", String(128), nullable=False),
    Column("raw_path", String(512)),
    # Until when each upload URL that is out for the photo can write, by the upload's id.
    Column("uploads", Json, nullable=False, default=dict, server_default=text("'{}'")),
    # When the blob was removed for its age (upkeep/retention.py); so with the other two.
    Column("raw_expired_at", UtcDateTime),
    Column("photo", Json, nullable=False, default=dict),
    Column("scene_path", String(512)),
    Column("matte_path", String(512)),
    Column("outputs_expired_at", UtcDateTime),
    Column("meta", Json, nullable=False, default=dict),
    Column("review", Boolean, nullable=False, default=False, server_default=false()),
    # What a person says of the pictures (items/review.py); null: nothing.
    Column("verdict", String(16)),
    Column("verdict_at", UtcDateTime),
    # How often it was sent again after it had failed: each time is paid for by itself.
    Column("round", Integer, nullable=False, default=0, server_default=text("0")),
    # Which of its revisions the pictures are, and which is being made; 0: as they first came.
    Column("revision", Integer, nullable=False, default=0, server_default=text("0")),
    Column("pending_revision", Integer),
    # Its own look, by a revision; null: as its job has it.
    Column("scene", Json),
    Column("placement", Json),
    Column("error_code", String(64)),
    Column("error_message", Text),
    _created(),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "job_id", "position"),
    # What the sweeper asks every minute.
    Index(None, "state", "updated_at"),
)

_unjudged = and_(items.c.review.is_(True), items.c.verdict.is_(None))
# Every page of the console counts these (review_queue.py).
Index(
    "ix_items_review_queue",
    *(items.c[name] for name in ("tenant_id", "created_at", "job_id", "position")),
    sqlite_where=_unjudged,
    postgresql_where=_unjudged,
)

item_events = Table(
    "item_events",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    _tenant(),
    Column("job_id", String(64), nullable=False),
    Column("item_id", String(64), nullable=False),
    Column("source", String(16)),
    Column("target", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("code", String(64)),
    Column("message", Text),
    Column("details", Json, nullable=False, default=dict),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "job_id", "seq"),
    Index(None, "item_id", "seq"),
    # A number is never given twice, so that a reader can resume after it.
    sqlite_autoincrement=True,
)

variants = Table(
    "variants",
    metadata,
    _id("item_id", nullable=False),
    Column("preset", String(64), nullable=False),
    Column("job_id", String(64), nullable=False),
    _tenant(),
    Column("path", String(512), nullable=False),
    Column("format", String(16), nullable=False),
    Column("content_type", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("compliance", Json, nullable=False),
    Column("fidelity", Json),
    # How the product was placed; rows of before revision 0003 do not know.
    Column("placed", Json),
    _created(),
    Column("expired_at", UtcDateTime),
    PrimaryKeyConstraint("item_id", "preset"),
    Index(None, "job_id"),
)

revisions = Table(
    "revisions",
    metadata,
    _id("item_id", nullable=False),
    Column("number", Integer, nullable=False),
    Column("job_id", String(64), nullable=False),
    _tenant(),
    Column("state", String(16), nullable=False),
    # The whole look that it is made with, not only what is new of it.
    Column("scene", Json, nullable=False),
    Column("placement", Json, nullable=False),
    # A matte of its own; null: the item's. Whether the one it is made with was edited by a person.
    Column("matte_path", String(512)),
    Column("edited", Boolean, nullable=False),
    # Only of one that is cut out anew: by which engine, and what was found then.
    Column("engine", String(64)),
    Column("meta", Json),
    Column("review", Boolean),
    Column("error_code", String(64)),
    Column("error_message", Text),
    _created(),
    Column("ended_at", UtcDateTime),
    PrimaryKeyConstraint("item_id", "number"),
    Index(None, "job_id"),
)

# Places that clients were given to upload a matte to; a row goes when its matte is used.
mattes = Table(
    "mattes",
    metadata,
    _id(primary_key=True),
    _id("item_id", nullable=False),
    Column("job_id", String(64), nullable=False),
    _tenant(),
    _created(),
    Index(None, "item_id"),
    Index(None, "job_id"),
)
