"""How `opal items show` looks in a terminal: a head, then one section per kind of thing that happened."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from opal.cli.terminal import one_line, out
from opal.database.item_story import ItemStory
from opal.database.revisions import RevisionState
from opal.items.events import ItemEvent
from opal.items.states import TERMINAL, ItemState
from opal.queues.interface import Peeked

_GOOD, _BAD, _QUIET = "green", "red", "dim"
_STATE = {ItemState.EXPORTED: _GOOD, ItemState.FAILED: _BAD, ItemState.CANCELLED: "yellow"}
_HASH_SHOWN = 12
Cell = str | Text


def print_story(story: ItemStory, messages: Sequence[tuple[str, bool, Peeked]]) -> None:
    """Print it; ``messages`` are (queue, dead, message) of those that lie on a queue."""
    console = out()
    _head(console, story)
    _section(console, "Story", _events(story))
    _section(console, "Messages", _messages(story, messages), "none in outbox, queues or dead letters")
    _section(console, "Pictures", _pictures(story), "none")
    _section(console, "Revisions", _revisions(story), "none")
    _section(console, "Credits", _credits(story), "none")
    _section(console, "Webhooks", _webhooks(story), "nobody was told")
    _section(console, "Deliveries", _deliveries(story), "none")


def _head(console: Console, story: ItemStory) -> None:
    item, job = story.item, story.job
    console.print(Text.assemble((one_line(item.filename), "bold"), "  ", (item.id, _QUIET)))
    state = Text(item.state, style=_STATE.get(item.state, "bold"))
    took = _span(item.updated_at - item.created_at)
    state.append(
        f" after {took}" if item.state in TERMINAL else f", last change after {took}", style="default"
    )
    if item.lease_until is not None:
        state.append(f", a worker has it until {item.lease_until:%H:%M:%S} UTC", style="default")
    console.print(state)
    if item.error_code is not None:
        console.print(Text(f"{item.error_code}: {one_line(item.error_message or '')}", style=_BAD))
    if item.review:
        console.print(Text("marked for review", style="yellow"))
    if item.verdict is not None:
        console.print(Text(f"{item.verdict} by a person"))
    counts = [f"attempt {item.attempt}", f"epoch {item.epoch}"]
    counts += [f"failures {item.failures}"] if item.failures else []
    counts += [f"round {item.round}"] if item.round else []
    counts += [f"revision {item.revision}"] if item.revision else []
    counts += [f"interruptions {item.interruptions}"] if item.interruptions else []
    scene = job.recipe.scene if isinstance(job.recipe.scene, str) else str(job.recipe.scene.get("kind"))
    name = f" “{one_line(job.name)}”" if job.name else ""
    rows = [
        ("tenant", item.tenant_id),
        ("job", f"{job.id}{name}, photo {item.position + 1} of {story.photos}"),
        ("asked for", f"{scene}; {', '.join(job.recipe.presets)}"),
        ("product", one_line(item.sku or "")),
        ("photo", _photo(story)),
        ("counted", ", ".join(counts)),
        ("correlation", one_line(item.correlation_id)),
        ("made", f"{item.created_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    _print_rows(console, [(Text(name, style=_QUIET), value) for name, value in rows if value])


def _photo(story: ItemStory) -> str:
    photo = story.item.photo
    if not photo:
        return ""
    told = [str(photo.get("format", "")), f"{photo['bytes']:,} bytes" if "bytes" in photo else ""]
    told.append(f"{photo['width']} × {photo['height']}" if "width" in photo else "")
    told.append(_expired(story.item.raw_expired_at))
    return ", ".join(filter(None, told))


def _events(story: ItemStory) -> Iterable[Sequence[Cell]]:
    for event in story.events:
        since = event.at - story.item.created_at
        state = Text(event.target, style=_STATE.get(event.target, ""))
        yield _seconds(since), state, str(event.details.get("by", "")), _what(event)
        steps = event.details.get("seconds")
        if isinstance(steps, dict) and steps:
            told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items())
            yield "", "", "", Text(f"seconds: {told}", style=_QUIET)


def _what(event: ItemEvent) -> Text:
    """Which attempt began or ended with the event, and what went wrong."""
    told = Text()
    if "stage" in event.details:
        taken = ", taken over from a worker that fell silent" if event.details.get("taken_over") else ""
        told.append(f"attempt {event.attempt} at {event.details['stage']}{taken}")
    elif "judged" in event.details:
        told.append(event.details["verdict"] or "verdict taken back")
    elif event.source == event.target:
        told.append(f"attempt {event.attempt} ended without a result")
    if event.code is not None:
        told.append("; " if told else "")
        told.append(f"{event.code}: {one_line(event.message or '')}".rstrip(": "), style=_BAD)
    return told


def _messages(story: ItemStory, messages: Sequence[tuple[str, bool, Peeked]]) -> Iterable[Sequence[Cell]]:
    for waiting in story.outbox:
        told = "being published" if waiting.claimed_until else "waits"
        yield _at(waiting.created_at), f"outbox for {waiting.queue}", waiting.message_id, told
    for queue, dead, message in messages:
        place = Text(f"dead letter of {queue}", style=_BAD) if dead else Text(queue)
        reason = ": ".join(filter(None, (message.dead_letter_reason, message.dead_letter_description)))
        count = message.delivery_count
        told = f"{count} deliver{'y' if count == 1 else 'ies'}" + (f"; {one_line(reason)}" if reason else "")
        if message.scheduled_for is not None:
            told += f"; not before {message.scheduled_for:%H:%M:%S}"
        yield _at(message.enqueued_at), place, message.message_id, told


def _pictures(story: ItemStory) -> Iterable[Sequence[Cell]]:
    for row in story.variants:
        broken = [rule for rule in row.compliance if not rule.get("passed")]
        rules = Text(
            f"{len(row.compliance) - len(broken)} of {len(row.compliance)} rules",
            style=_BAD if broken else "",
        )
        size = f"{row.width} × {row.height}"
        expired = Text(_expired(row.expired_at), style="yellow")
        yield row.preset, size, f"{row.bytes:,} bytes", rules, f"sha256 {row.sha256[:_HASH_SHOWN]}…", expired


def _revisions(story: ItemStory) -> Iterable[Sequence[Cell]]:
    style = {RevisionState.DONE: _GOOD, RevisionState.FAILED: _BAD}
    for each in story.revisions:
        scene = each.scene if isinstance(each.scene, str) else str(each.scene.get("kind"))
        told = [scene, "edited matte" if each.edited else "", each.engine or "", each.error_code or ""]
        state = Text(each.state, style=style.get(each.state, ""))
        yield _at(each.created_at), f"revision {each.number}", state, ", ".join(filter(None, told))


def _credits(story: ItemStory) -> Iterable[Sequence[Cell]]:
    for entry in story.ledger:
        yield (
            _at(entry.created_at),
            entry.kind,
            f"balance {entry.amount:+d}",
            f"held {entry.held:+d}",
            f"row {entry.seq}" + (f", round {entry.round}" if entry.round else ""),
        )


def _webhooks(story: ItemStory) -> Iterable[Sequence[Cell]]:
    for told in story.webhooks:
        answer = told.last_error or (str(told.last_status) if told.last_status else "")
        yield (
            _at(told.created_at),
            told.type,
            _outcome(told.state),
            one_line(told.url),
            f"{told.attempts} tries",
            one_line(answer),
        )


def _deliveries(story: ItemStory) -> Iterable[Sequence[Cell]]:
    for sent in story.deliveries:
        yield (
            _at(sent.created_at),
            one_line(sent.target),
            _outcome(sent.state),
            one_line(sent.path),
            f"{sent.attempts} tries",
            one_line(sent.last_error or ""),
        )


def _outcome(state: str) -> Text:
    return Text(state, style={"delivered": _GOOD, "failed": _BAD}.get(state, ""))


def _section(console: Console, title: str, rows: Iterable[Sequence[Cell]], none: str = "") -> None:
    console.print()
    console.print(Text(title, style="bold"))
    filled = list(rows)
    if filled:
        _print_rows(console, filled)
    else:
        console.print(Text(f"  {none}", style=_QUIET))


def _print_rows(console: Console, rows: Sequence[Sequence[Cell]]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    for _ in range(max(map(len, rows))):
        table.add_column(overflow="fold")
    for row in rows:
        table.add_row("", *(Text(cell) if isinstance(cell, str) else cell for cell in row))
    console.print(table)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _seconds(since: timedelta) -> str:
    return f"{since.total_seconds():>10.3f} s"


def _span(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))


def _expired(when: datetime | None) -> str:
    return "" if when is None else f"expired {when:%Y-%m-%d}"
