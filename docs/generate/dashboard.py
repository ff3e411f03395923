"""docs/operations/dashboard.json: a Grafana dashboard, from the table of its panels below."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT = 8, 7
_COLUMNS = 24 // _WIDTH


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph; ``queries`` by their legend, ``unit`` in Grafana's words."""

    title: str
    about: str
    unit: str
    queries: dict[str, str]


ROWS: dict[str, tuple[Panel, ...]] = {
    "At a glance": (
        Panel(
            "Photos by state",
            "Of all tenants. `queued` and `processing` rise with load; `failed` should not.",
            "short",
            {"{{state}}": "max by (state) (opal_items)"},
        ),
        Panel(
            "Photos finished",
            "Per minute, by stage.",
            "short",
            {"{{stage}}": "60 * sum by (stage) (rate(opal_items_done_total[5m]))"},
        ),
        Panel(
            "Dead letters",
            "Messages that an operator has to look at: `opal queues peek --dead`.",
            "short",
            {"{{queue}}": 'max by (queue) (opal_queue_messages{kind="dead"})'},
        ),
    ),
    "Queues": (
        Panel(
            "Waiting messages",
            "Active ones, locked included, and those that wait for a time.",
            "short",
            {"{{queue}} {{kind}}": 'max by (queue, kind) (opal_queue_messages{kind!="dead"})'},
        ),
        Panel(
            "Oldest message",
            "How long a photo waits at the worst.",
            "s",
            {"{{queue}}": "max by (queue) (opal_queue_oldest_seconds)"},
        ),
        Panel(
            "Outbox",
            "Messages that are not on a queue yet, and the age of the oldest.",
            "short",
            {"messages": "max(opal_outbox_messages)", "seconds": "max(opal_outbox_oldest_seconds)"},
        ),
    ),
    "Work": (
        Panel(
            "Time per message, 95 %",
            "From receiving to settling.",
            "s",
            {
                "{{queue}}": "histogram_quantile(0.95, "
                "sum by (queue, le) (rate(opal_message_seconds_bucket[5m])))"
            },
        ),
        Panel(
            "Time per step, mean",
            "Where the time goes.",
            "s",
            {
                "{{stage}} {{step}}": "sum by (stage, step) (rate(opal_step_seconds_sum[5m])) / "
                "sum by (stage, step) (rate(opal_step_seconds_count[5m]))"
            },
        ),
        Panel(
            "Placement endpoint, requests",
            "Per minute, by how they ended.",
            "short",
            {"{{outcome}}": "60 * sum by (outcome) (rate(opal_scoring_request_seconds_count[5m]))"},
        ),
    ),
    "What goes wrong": (
        Panel(
            "Failures by code",
            "Per minute, retried ones included (docs/errors.md).",
            "short",
            {"{{code}}": "60 * sum by (code) (rate(opal_item_failures_total[5m]))"},
        ),
        Panel(
            "Leases that expired",
            "Per hour, by who noticed: workers die, pause, or are cut off.",
            "short",
            {"{{noticed_by}}": "sum by (noticed_by) (increase(opal_leases_expired_total[1h]))"},
        ),
        Panel(
            "Healed by the sweeper",
            "Per hour, by what was wrong.",
            "short",
            {"{{step}}": "sum by (step) (increase(opal_sweep_healed_total[1h]))"},
        ),
    ),
    "HTTP": (
        Panel(
            "Requests",
            "Per second, by service and status.",
            "reqps",
            {
                "{{service}} {{status}}": "sum by (service, status) ("
                "rate(opal_http_request_seconds_count[5m]))"
            },
        ),
        Panel(
            "Time to answer, 95 %",
            "Event streams left out, as they live long.",
            "s",
            {
                "{{service}}": "histogram_quantile(0.95, sum by (service, le) "
                '(rate(opal_http_request_seconds_bucket{route!~".*/events"}[5m])))'
            },
        ),
        Panel(
            "Webhooks and deliveries",
            "Tries per minute.",
            "short",
            {
                "webhooks {{outcome}}": "60 * sum by (outcome) (rate(opal_webhook_tries_total[5m]))",
                "deliveries {{outcome}}": "60 * sum by (outcome) (rate(opal_delivery_tries_total[5m]))",
            },
        ),
    ),
    "Credits": (
        Panel(
            "Credits",
            "Of all tenants: granted, debited and refunded so far, held and balance now.",
            "short",
            {"{{kind}}": "max by (kind) (opal_credits)"},
        ),
        Panel(
            "Ledger's gap",
            "Anything but 0 is a fault: see the runbook.",
            "short",
            {"gap": "max(opal_ledger_gap)"},
        ),
        Panel(
            "Versions",
            "What runs, and how many of it.",
            "short",
            {"{{service}} {{version}}": "count by (service, version) (opal_build_info)"},
        ),
    ),
}


def document() -> str:
    """The dashboard as Grafana imports it."""
    return json.dumps(_dashboard(), indent=1) + "\n"


def _dashboard() -> dict[str, Any]:
    return {
        "__inputs": [
            {"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"}
        ],
        "__requires": [{"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"}],
        "uid": "opal",
        "title": "Opal",
        "tags": ["opal"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "templating": {"list": []},
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    top = number = 0
    for title, panels in ROWS.items():
        number += 1
        place = {"h": 1, "w": 24, "x": 0, "y": top}
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": place,
            "panels": [],
        }
        for index, panel in enumerate(panels):
            number += 1
            place = {
                "h": _HEIGHT,
                "w": _WIDTH,
                "x": index % _COLUMNS * _WIDTH,
                "y": top + 1 + index // _COLUMNS * _HEIGHT,
            }
            yield _panel(panel, number, place)
        top += 1 + -(-len(panels) // _COLUMNS) * _HEIGHT


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": source, "expr": query, "legendFormat": legend}
            for index, (legend, query) in enumerate(panel.queries.items())
        ],
    }
