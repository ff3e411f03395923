"""What operators are given is true: events, figures, the dashboard, the alerts and their runbooks."""

import ast
import json
import re
from typing import Any

import pytest
import yaml
from docs.generate.dashboard import ROWS
from docs.generate.figures import figures, series
from tests.project.source_tree import ROOT, modules, where

FOLDER = ROOT / "docs" / "operations"
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# A figure with its selector, as far as it has one.
_FIGURE = re.compile(r"\b(opal_[a-z_]+|up)\b(?:\{([^}]*)\})?(\[\d+[smh]\])?")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"')
_RANGED = re.compile(r"\b(?:rate|increase)\(\s*(opal_[a-z_]+)[^)]*\[\d+[smh]\]\s*\)")
# Every other word of the queries.
_WORDS = {
    "absent", "and", "by", "count", "histogram_quantile", "increase", "max", "or", "rate", "sum", "time",
}  # fmt: skip
_ADDED_BY_PROMETHEUS = {"job", "instance"}


def _rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    return list(group["rules"])


def _queries() -> list[tuple[str, str]]:
    panels = [panel for row in ROWS.values() for panel in row]
    drawn = [(panel.title, query) for panel in panels for query in panel.queries.values()]
    return drawn + [(rule["alert"], rule["expr"]) for rule in _rules()]


def _faults(query: str) -> list[str]:
    """What is wrong with a query: names, labels, ranges, brackets."""
    known = {**series(), "up": set[str]()}
    faults = []
    allowed = set(_ADDED_BY_PROMETHEUS)
    for name, selector, ranged in _FIGURE.findall(query):
        if name not in known:
            faults.append(f"no figure {name}")
            continue
        allowed |= known[name]
        labels = set(_LABEL.findall(selector))
        if labels - known[name] - _ADDED_BY_PROMETHEUS:
            faults.append(f"{name} has no label {sorted(labels - known[name])}")
        counts = name.endswith(("_total", "_bucket", "_count", "_sum"))
        if counts != bool(ranged):
            faults.append(f"{name}: a counter wants a range, a gauge does not")
        if ranged and name not in _RANGED.findall(query):
            faults.append(f"{name}: only rate and increase take a range")
    for grouped in _GROUPED.findall(query):
        labels = {label.strip() for label in grouped.split(",")}
        if labels - allowed:
            faults.append(f"grouped by {sorted(labels - allowed)}")
    bare = _GROUPED.sub("", _FIGURE.sub("", re.sub(r'"[^"]*"', "", query)))
    if strays := set(re.findall(r"[A-Za-z_]\w*", bare)) - _WORDS:
        faults.append(f"unknown words {sorted(strays)}")
    for opening, closing in ("()", "{}", "[]"):
        if query.count(opening) != query.count(closing):
            faults.append(f"unbalanced {opening}{closing}")
    return faults


@pytest.mark.parametrize(("title", "query"), _queries(), ids=lambda value: value[:40])
def test_every_query_asks_for_figures_and_labels_that_there_are(title: str, query: str) -> None:
    assert not _faults(query), f"{title}: {query}"


@pytest.mark.parametrize(
    "query",
    [
        "max(opal_outbox_age)",
        'opal_queue_messages{state="dead"}',
        "rate(opal_items[5m])",
        "sum(opal_items_done_total)",
        "sum by (tenant) (opal_items)",
        "max(opal_items",
        "average(opal_items)",
    ],
)
def test_the_check_sees_what_is_wrong(query: str) -> None:
    assert _faults(query)


def test_a_legend_shows_labels_that_its_query_keeps() -> None:
    for panel in (panel for row in ROWS.values() for panel in row):
        for legend, query in panel.queries.items():
            grouped = {label.strip() for each in _GROUPED.findall(query) for label in each.split(",")}
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) == grouped - {"le"}, panel.title


def test_the_dashboard_can_be_imported() -> None:
    board = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    assert [each["pluginId"] for each in board["__inputs"]] == ["prometheus"]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${DS_PROMETHEUS}"
            assert panel["description"].endswith((".", "`.", ")."))
            assert panel["targets"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_alert_says_what_it_means_and_has_a_runbook() -> None:
    sections = re.findall(r"^## (\w+)$", (FOLDER / "runbooks.md").read_text("utf-8"), re.MULTILINE)
    assert [rule["alert"] for rule in _rules()] == sections
    for rule in _rules():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+m", rule["for"])
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert rule["annotations"]["description"].endswith(".")
        assert rule["annotations"]["runbook"] == f"docs/operations/runbooks.md#{rule['alert'].lower()}"


def test_no_label_is_without_bounds() -> None:
    labels = {label for figure in figures() for label in figure._labelnames}
    assert labels == {
        "code", "expected", "final", "kind", "method", "noticed_by", "outcome", "part", "python", "queue",
        "route", "service", "stage", "state", "status", "step", "version",
    }  # fmt: skip


def test_every_log_call_is_an_event() -> None:
    """docs/operations/events.md lists events by their action; a call without one would be missing there."""
    bare = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of_log = isinstance(node.func.value, ast.Name) and node.func.value.id == "_log"
            actions = [each.value for each in node.keywords if each.arg == "action"]
            named = len(actions) == 1 and isinstance(actions[0], ast.Constant)
            if of_log and node.func.attr in _LEVELS and not named:
                bare.append(where(module.path, node.lineno))
    assert not bare
