"""A row of every table with a value in every column, of which each earlier schema takes those that it has.

Together they are a sound database: one exported photo, charged once.
"""

from datetime import UTC, datetime
from typing import Any

WHEN = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
TENANT = {"tenant_id": "acme"}
JOB, ITEM = "job_" + "1" * 24, "item_" + "2" * 24
_OF_ITEM = {**TENANT, "job_id": JOB, "item_id": ITEM}
_TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
_RECEIVER: dict[str, Any] = {
    "state": "active",
    "disabled_reason": None,
    "failures": 2,
    "failing_since": WHEN,
    "not_before": WHEN,
    "created_at": WHEN,
}
_WAY: dict[str, Any] = {
    "state": "waiting",
    "attempts": 3,
    "next_at": WHEN,
    "claimed_until": WHEN,
    "last_at": WHEN,
    "last_error": "no – “answer”",
    "created_at": WHEN,
}


_ENTRY: dict[str, Any] = {"note": "ä", "round": 0, "created_at": WHEN}


def _entry(kind: str, amount: int, held: int) -> dict[str, Any]:
    of = {"job_id": JOB, "item_id": ITEM} if kind != "grant" else {"job_id": None, "item_id": None}
    return {**TENANT, **of, "kind": kind, "amount": amount, "held": held, **_ENTRY}


def _event(seq: int, source: str | None, target: str) -> dict[str, Any]:
    told = {"attempt": 1, "code": None, "message": "größer", "details": {"by": "test", "seconds": {"a": 0.5}}}
    return {"seq": seq, **_OF_ITEM, "source": source, "target": target, **told, "at": WHEN}


ROWS: dict[str, list[dict[str, Any]]] = {
    "tenants": [{"id": "acme", "name": "Acmé & Söhne", "created_at": WHEN}],
    "api_keys": [
        {
            "id": "0123456789ab",
            **TENANT,
            "name": "key",
            "secret_hash": "f" * 64,
            "created_at": WHEN,
            "revoked_at": WHEN,
            "sandbox": True,
            "scopes": ["read"],
            "last_used_at": WHEN,
        }
    ],
    "accounts": [{**TENANT, "balance": 9, "held": 0, "prepaid_quarters": 3}],
    "ledger": [_entry("grant", 10, 0), _entry("hold", 0, 1), _entry("debit", -1, -1)],
    "picture_charges": [{**TENANT, "request_hash": "a" * 64, "charged_at": WHEN}],
    "rate_windows": [{**TENANT, "started_at": WHEN, "used": 5_000_000_000}],
    "request_windows": [{**TENANT, "subject": "tenant", "started_at": WHEN, "used": 5_000_000_000}],
    "tenant_presets": [
        {**TENANT, "name": "house", "preset": {"width": 1000}, "created_at": WHEN, "updated_at": WHEN}
    ],
    "public_links": [{**TENANT, "key": "k" * 43, "jobs": "all", "created_at": WHEN}],
    "backdrops": [
        {
            "id": "backdrop_" + "3" * 24,
            **TENANT,
            "name": "worktop",
            "raw_path": "acme/backdrops/b/raw/picture",
            "format": "jpeg",
            "bytes": 123,
            "width": 10,
            "height": 20,
            "sha256": "b" * 64,
            "etag": "e",
            "created_at": WHEN,
            "completed_at": WHEN,
        }
    ],
    "jobs": [
        {
            "id": JOB,
            **TENANT,
            "name": "spring – mugs",
            "correlation_id": "order-7",
            "scene": {"kind": "solid", "colour": "#ffffff"},
            "placement": {"margin": 0.12},
            "presets": ["cutout-png"],
            "own_presets": [{"name": "house"}],
            "prompt": "on “oak”",
            "seed": 7,
            "public_links": True,
            "created_at": WHEN,
            "cancelled_at": None,
        }
    ],
    "items": [
        {
            "id": ITEM,
            "job_id": JOB,
            **TENANT,
            "position": 0,
            "filename": "tasse.jpg",
            "sku": "MUG-01",
            "state": "exported",
            "attempt": 2,
            "epoch": 1,
            "failures": 1,
            "interruptions": 1,
            "lease_until": None,
            "correlation_id": "order-7",
            "raw_path": "acme/raw",
            "uploads": {"upload_" + "0" * 24: WHEN.isoformat()},
            "raw_expired_at": WHEN,
            "photo": {"format": "jpeg", "bytes": 9},
            "scene_path": "acme/scene",
            "matte_path": "acme/matte",
            "outputs_expired_at": WHEN,
            "meta": {"confidence": 0.97},
            "review": True,
            "verdict": "accepted",
            "verdict_at": WHEN,
            "round": 0,
            "revision": 1,
            "pending_revision": None,
            "scene": "studio-white",
            "placement": {"margin": 0.2},
            "error_code": None,
            "error_message": None,
            "created_at": WHEN,
            "updated_at": WHEN,
        }
    ],
    "item_events": [
        _event(1, None, "created"),
        _event(2, "created", "uploaded"),
        _event(3, "uploaded", "processing"),
        _event(4, "processing", "completed"),
        _event(5, "completed", "exported"),
    ],
    "revisions": [
        {
            **_OF_ITEM,
            "number": 1,
            "state": "done",
            "scene": "studio-white",
            "placement": {"margin": 0.2},
            "matte_path": "acme/edited",
            "edited": True,
            "engine": "isnet-small",
            "meta": {"confidence": 0.9},
            "review": False,
            "error_code": None,
            "error_message": None,
            "created_at": WHEN,
            "ended_at": WHEN,
        }
    ],
    "variants": [
        {
            **_OF_ITEM,
            "preset": "cutout-png",
            "path": "acme/exports/1/cutout-png.png",
            "format": "png",
            "content_type": "image/png",
            "width": 8,
            "height": 8,
            "bytes": 9,
            "sha256": "c" * 64,
            "compliance": [{"rule": "width", "passed": True}],
            "fidelity": {"ssim": 1.0},
            "placed": {"scale": 1.25},
            "created_at": WHEN,
            "expired_at": WHEN,
        }
    ],
    "outbox": [
        {
            "queue": "jobs",
            "message_id": f"{ITEM}:1",
            "item_id": ITEM,
            "correlation_id": "order-7",
            "body": b"\x00\xff{}",
            "created_at": WHEN,
            "claimed_until": WHEN,
            "traceparent": _TRACE,
        }
    ],
    "webhooks": [
        {
            "id": "webhook_" + "4" * 24,
            **TENANT,
            "url": "https://example.com/hook",
            "events": ["item.exported"],
            "sealed": None,
            "secret": "whsec_x",
            "old_secret": "whsec_y",
            "old_secret_until": WHEN,
            **_RECEIVER,
        }
    ],
    "webhook_events": [
        {
            "id": "evt_" + "5" * 24,
            **_OF_ITEM,
            "type": "item.exported",
            "test": True,
            "body": '{"é": 1}',
            "traceparent": _TRACE,
            "created_at": WHEN,
        }
    ],
    "webhook_deliveries": [
        {
            "id": "delivery_" + "6" * 24,
            **TENANT,
            "webhook_id": "webhook_" + "4" * 24,
            "event_id": "evt_" + "5" * 24,
            "last_status": 503,
            **_WAY,
        }
    ],
    "delivery_targets": [
        {
            "id": "target_" + "7" * 24,
            **TENANT,
            "name": "shop",
            "place": {"kind": "folder", "folder": "shop"},
            "sealed": "gAAA",
            "template": "{sku}/{preset}.{ext}",
            "reports": True,
            "presets": ["cutout-png"],
            "formats": ["png"],
            **_RECEIVER,
        }
    ],
    "picture_deliveries": [
        {
            "id": "delivery_" + "8" * 24,
            **_OF_ITEM,
            "target_id": "target_" + "7" * 24,
            "preset": "cutout-png",
            "content": "picture",
            "revision": 1,
            "path": "MUG-01/cutout-png.png",
            "path_key": "d" * 64,
            "owner_key": "e" * 64,
            "etag": "x",
            "traceparent": _TRACE,
            **_WAY,
        }
    ],
    "mattes": [{"id": "matte_" + "b" * 24, **_OF_ITEM, "created_at": WHEN}],
    "brand_profiles": [
        {
            "id": "profile_" + "a" * 24,
            **TENANT,
            "name": "Unser Stil – größer",
            "scene": {"kind": "solid", "colour": "#f4f4f4"},
            "placement": {"margin": 0.1},
            "presets": ["square-1x1"],
            "prompt": "",
            "seed": 7,
            "version": 3,
            "created_at": WHEN,
            "updated_at": WHEN,
        }
    ],
    "idempotency_keys": [
        {**TENANT, "key": "k-1", "request_hash": "9" * 64, "status": 201, "body": "{}", "created_at": WHEN}
    ],
    "erasures": [
        {
            "id": "erasure_" + "9" * 24,
            **TENANT,
            "state": "done",
            "requested_at": WHEN,
            "late_until": WHEN,
            "finished_at": WHEN,
            "counts": {"jobs": 2},
            "receipt": "{}",
            "sha256": "0" * 64,
        }
    ],
    "ended_sessions": [{"id": "e" * 32, **TENANT, "ends_at": WHEN}],
}
