"""docs/operations/events.md from the log calls in the code: which event, which level, which fields."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

from docs.generate.regions import code, table

from opal.sweeper import SweepReport
from opal.upkeep.tending import UpkeepReport

_ROOT = Path(__file__).resolve().parents[2]
_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
# `exception` is an error with its traceback; `write` is request_context.py's choice between two levels.
_LEVELS = {"exception": "error", "write": "info, debug"}
_NO_FIELDS = {"action", "exc_info"}
# Events whose fields are those of a dataclass.
_REPORTS = {"sweeper.healed": SweepReport, "upkeep.done": UpkeepReport}

MEANINGS = {
    "blobs.sweep_failed": "What an upload that broke off left behind could not be removed.",
    "blobs.swept": "What uploads that broke off left behind was removed, at start.",
    "decoder.ended": "The process that forks a decoder per picture is gone; another is started.",
    "decoder.interrupted": "A decoder was killed or waited too long; its picture is tried again a few times.",
    "decoder.less_confined": "The kernel lacks what keeps a decoder from the machine; `missing` says what.",
    "decoder.stopped": "A picture crashed its decoder or broke its bounds, and is refused. Look into many.",
    "delivery.delivered": "A picture or report lies at its target.",
    "delivery.failed": "It does not; it is tried again unless that was the last try.",
    "delivery.target_disabled": "A target failed for too long, or was told to be: it gets nothing more.",
    "delivery.unsettled": "How a delivery went could not be noted; it is made again.",
    "delivery.waits": "What is due could not be looked for; tried again within a second.",
    "erasure.done": "All of a tenant's data is deleted; the receipt is written.",
    "events.wait": "Event streams cannot be fed for now.",
    "health.check_failed": "A worker's part does not answer: its `/readyz` says 503.",
    "health.dropped": "A request to a worker's health page broke off.",
    "health.listening": "Where the worker's health page is.",
    "http.answered": "Every request; probes at DEBUG. Never its query.",
    "http.failed": "A request ended in an error that nobody expected, traceback beside it. Look into each.",
    "http.left": "The client hung up.",
    "http.full": "All connections are taken; told once a minute. Who is it? A limit per address may help.",
    "http.listening": "The service can be reached now.",
    "http.refused": "A request was refused for a reason that the client was told.",
    "item.completed": "A photo is cut out and placed, and charged.",
    "item.exported": "All pictures of a photo are made.",
    "item.failure": "A try to work on a photo failed; the code says why, the next event what follows.",
    "item.fault": "A fault of Opal's own while working on a photo, traceback beside it. Look into each.",
    "item.interrupted": "Another worker has the photo by now, so that this result is dropped.",
    "key_use.alone": "Keys' requests cannot be counted in the database; this process counts its own alone.",
    "lease.lost": "A lease ended while its worker worked: it was slow, paused, or cut off from the database.",
    "lease.renew_failed": "A lease could not be renewed; tried again until it ends.",
    "message.dropped": "A fault of the loop's own; the message comes again. Look into each.",
    "message.failed": "A handler ended with an error; the code decides what becomes of the message.",
    "message.later": "A message was given back and comes again.",
    "message.lock_lost": "A message's lock ended; it comes again, and the photo's state answers it.",
    "message.renew_failed": "A message's lock could not be renewed; tried again.",
    "message.unsettled": "The queue could not be told how a message ended; it comes again.",
    "outbox.published": "Messages went from the outbox to their queue.",
    "outbox.waits": "The outbox cannot be published for now; tried again within seconds.",
    "outbox.stays": "A message is too large for its queue; it stays in the outbox, all others go on.",
    "outgoing.refused": "A webhook, target or image URL leads to an address that may not be called.",
    "public_picture.gone": "A public link is good, but its picture is not in the blob store.",
    "queue.away": "A worker cannot receive; told once until `queue.back`.",
    "queue.back": "It can again.",
    "queue.copy_stays": "Service Bus: a copy that was scheduled could not be taken back. Harmless.",
    "queue.give_back_failed": "Embedded queue: messages nobody got stay locked until their lock ends.",
    "queue.link_not_closed": "Service Bus: a link did not close cleanly. Harmless.",
    "queue.link_replaced": "Service Bus: a link was opened anew.",
    "queue.no_doorbell": "Embedded queue: no wake-up calls; messages are found by polling.",
    "queue.purged": "An operator removed dead letters; `key_id` is whose key it was.",
    "queue.redriven": "An operator sent dead letters again; `key_id` is whose key it was.",
    "ready.failed": "Something a service needs is away: its `/readyz` says 503.",
    "removebg.failed": "A remove.bg or rembg request failed for a reason of Opal's own.",
    "removebg.refused": "A remove.bg or rembg request was refused.",
    "schema.newer": "At start: a newer Opal made this schema. It stays as it is; so it is after a rollback.",
    "scoring.engine_loaded": "An engine beside the default one is loaded, in the place of the one before.",
    "scoring.failed": "A fault of the endpoint's own, traceback beside it. Look into each.",
    "scoring.load_failed": "The models cannot be loaded; the endpoint ends.",
    "scoring.loaded": "The models are loaded; the endpoint can work.",
    "scoring.refused": "The endpoint refused a request or a photo.",
    "scoring.retry": "The endpoint did not answer well and is asked again.",
    "stock.failed": "Figures for `/metrics` could not be read; it shows the last ones.",
    "sweeper.failed": "A sweep failed; the next one tries again.",
    "sweeper.healed": "Photos were left half-done and are on their way again; how many, per step.",
    "sweeper.skipped": "A queue is too long to see what is missing from it.",
    "upkeep.done": "Data was erased, or blobs removed for their age or as nobody's; how many.",
    "upkeep.failed": "A part of the upkeep failed; its next turn tries again.",
    "webhook.delivered": "An endpoint has taken an event.",
    "webhook.disabled": "An endpoint failed for too long, or said 410: it is told nothing more.",
    "webhook.failed": "It did not take it; tried again unless that was the last try.",
    "webhook.forgotten": "Old deliveries were removed.",
    "webhook.sealed": "Webhooks' secrets that an older version kept readable are sealed now.",
    "webhook.unsettled": "How a delivery went could not be noted; it is made again.",
    "webhook.waits": "What is due could not be looked for; tried again within a second.",
    "worker.interrupting": "Work is given back, as the time to finish it is over.",
    "worker.started": "A worker receives.",
    "worker.stopped": "A worker has ended.",
    "worker.stopping": "A worker was asked to end.",
    "worker.stuck": "A handler does not end though it was interrupted; its lease will.",
}


@dataclass(slots=True)
class Event:
    """What the code says of one event, all its places together."""

    texts: set[str] = field(default_factory=set)
    levels: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)


def parts() -> dict[str, str]:
    """The generated part of the page. Raises ValueError for an event without a meaning, or the other way."""
    found = events()
    if strays := sorted(set(found) ^ set(MEANINGS)):
        raise ValueError(
            f"docs/generate/events.py: events without a meaning, or without a log call: {strays}"
        )
    rows = [
        (
            code(action),
            ", ".join(sorted(event.levels)),
            ", ".join(map(code, sorted(event.names))),
            MEANINGS[action],
            ", ".join(map(code, sorted(event.parts))),
        )
        for action, event in sorted(found.items())
    ]
    return {"events": table(("Event", "Level", "Fields", "Meaning", "Logged by"), rows)}


def events() -> dict[str, Event]:
    """Every event that the code logs, by its action."""
    found: dict[str, Event] = {}
    for path in sorted((_ROOT / "src" / "opal").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for action, call in _log_calls(function):
                    event = found.setdefault(action, Event())
                    event.levels.add(_level(call))
                    event.names |= set(_fields(action, call, function))
                    event.parts.add(path.relative_to(_ROOT / "src" / "opal").as_posix())
    return found


def _log_calls(function: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                value = keyword.value
                if keyword.arg != "action" or not isinstance(value, ast.Constant):
                    continue
                if _ACTION.fullmatch(action := str(value.value)):
                    yield action, node


def _level(call: ast.Call) -> str:
    if isinstance(call.func, ast.Call):
        return "by the error's kind"
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    return _LEVELS.get(name, name)


def _fields(action: str, call: ast.Call, function: ast.AST) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield from {keyword.arg} - _NO_FIELDS
        elif isinstance(keyword.value, ast.Name):
            yield from _keys_of(keyword.value.id, function)
        else:
            assert ast.unparse(keyword.value) == "asdict(report)", ast.unparse(keyword.value)
            yield from (each.name for each in fields(_REPORTS[action]))


def _keys_of(name: str, function: ast.AST) -> Iterator[str]:
    """The keys of the dictionary that the function assigns to ``name``."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Dict):
            continue
        if [ast.unparse(target) for target in node.targets] == [name]:
            yield from (str(key.value) for key in node.value.keys if isinstance(key, ast.Constant))
