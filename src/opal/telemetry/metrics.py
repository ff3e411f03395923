"""Every figure of ``/metrics``, declared once; docs/operations/metrics.md is made from this file.

No label may hold a tenant, an id or anything else without bounds: each value makes a time series of its own.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from opal import __version__
from opal.errors import walk

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
"""Stands for every value of a label that is none of those we know."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LONG = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 90, 180, 360)
_STEP = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 90, 180)

BUILD = Gauge("opal_build_info", "1, with what runs as labels.", ["service", "version", "python"])

# Every HTTP service.
HTTP_SECONDS = Histogram(
    "opal_http_request_seconds",
    "Time to answer a request; of an event stream, its life.",
    ["service", "method", "route", "status"],
)

# Workers.
MESSAGES_SETTLED = Counter(
    "opal_messages_settled",
    "Messages handled, by what became of them: done, later, dead, or unsettled.",
    ["queue", "outcome"],
)
MESSAGES_IN_HAND = Gauge("opal_messages_in_hand", "Messages that handlers work on now.", ["queue"])
MESSAGE_SECONDS = Histogram(
    "opal_message_seconds", "Time that a handler took for one message.", ["queue"], buckets=_LONG
)
STEP_SECONDS = Histogram(
    "opal_step_seconds",
    "Time of one step of a photo's way; stages are process, export and scoring.",
    ["stage", "step"],
    buckets=_STEP,
)
ITEMS_DONE = Counter("opal_items_done", "Photos that a stage finished with success.", ["stage"])
ITEM_FAILURES = Counter(
    "opal_item_failures",
    "Failures of photos by code (docs/errors.md). final: yes for the one that failed the photo, no for one "
    "that is tried again. expected: yes where photo or client is at fault.",
    ["stage", "code", "final", "expected"],
)
LEASES_EXPIRED = Counter(
    "opal_leases_expired",
    "Leases that ended before their work did, by who noticed: the holder itself, the worker that took over, "
    "or the sweeper.",
    ["noticed_by"],
)
SCORING_SECONDS = Histogram(
    "opal_scoring_request_seconds",
    "Time of one request to the placement endpoint: answered, or failed with a code.",
    ["outcome"],
    buckets=_LONG,
)

# web-api: relay, sweeper and senders.
OUTBOX_PUBLISHED = Counter(
    "opal_outbox_published", "Messages that went from the outbox to a queue.", ["queue"]
)
OUTBOX_FAILURES = Counter("opal_outbox_failures", "Publications that failed and are tried again.", ["code"])
SWEEPS = Counter("opal_sweeps", "Sweeps, by how they ended: done or failed.", ["outcome"])
SWEEP_HEALED = Counter("opal_sweep_healed", "Photos that the sweeper healed, by what was wrong.", ["step"])
WEBHOOK_TRIES = Counter("opal_webhook_tries", "Calls of webhooks: delivered or failed.", ["outcome"])
DELIVERY_TRIES = Counter(
    "opal_delivery_tries", "Tries to deliver a picture to its target: delivered or failed.", ["outcome"]
)

# The same at every instance of web-api, read from database and queues, some seconds old (web_api/stock.py).
QUEUE_MESSAGES = Gauge(
    "opal_queue_messages",
    "Messages on a queue: active (or locked), scheduled, dead.",
    ["queue", "kind"],
)
QUEUE_OLDEST = Gauge("opal_queue_oldest_seconds", "Age of the oldest active message; 0: none.", ["queue"])
ITEMS = Gauge("opal_items", "Photos by state (docs/states.md).", ["state"])
ITEMS_FAILED = Gauge("opal_items_failed", "Photos that failed, by code (docs/errors.md).", ["code"])
CREDITS = Gauge(
    "opal_credits",
    "Credits of all tenants: granted, debited, refunded so far; held and balance now.",
    ["kind"],
)
LEDGER_GAP = Gauge(
    "opal_ledger_gap",
    "Credits by which accounts and ledger differ, balance and held; must be 0.",
)
OUTBOX_MESSAGES = Gauge("opal_outbox_messages", "Messages that wait in the outbox.")
OUTBOX_OLDEST = Gauge("opal_outbox_oldest_seconds", "Age of the oldest message in the outbox; 0: none.")
STOCK_SECONDS = Gauge("opal_stock_seconds", "Time that it took to read these figures last.", ["part"])
STOCK_AT = Gauge("opal_stock_timestamp_seconds", "When these figures were read last, Unix time.", ["part"])
STOCK_FAILURES = Counter("opal_stock_failures", "Times that they could not be read.", ["part"])


def describe_build(service: str) -> None:
    """Say what runs here."""
    BUILD.labels(service, __version__, platform.python_version()).set(1)


def exposition() -> bytes:
    """All figures of this process in Prometheus' text format, of type ``CONTENT_TYPE``."""
    return generate_latest()


def method_label(method: str) -> str:
    """An HTTP method as a label: a client may send any word."""
    return method if method in _METHODS else OTHER


def count_failure(stage: str, code: str, *, final: bool, expected: bool, times: int = 1) -> None:
    """Count a failure of a photo, or several; a code that is none of ours counts as `other`."""
    ITEM_FAILURES.labels(stage, code_label(code), _yes(final), _yes(expected)).inc(times)


def code_label(code: str) -> str:
    """An error's code as a label: a placement endpoint of somebody else's may answer with any."""
    return code if code in _codes() else OTHER


@contextmanager
def timed_step(stage: str, step: str) -> Iterator[None]:
    """Measure the block as one step; a step that fails counts too."""
    started = perf_counter()
    try:
        yield
    finally:
        STEP_SECONDS.labels(stage, step).observe(perf_counter() - started)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


@cache
def _codes() -> frozenset[str]:
    return frozenset(kind.code for kind in walk())
