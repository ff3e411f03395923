"""`opal queues`: how full the queues are, what lies in them, and dead letters sent again or removed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Literal, TypeVar

import typer

from opal.assembly import open_queues
from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.errors import InvalidInput
from opal.operations.queues import age_s, depths
from opal.queues.interface import Peeked, Queues
from opal.settings import load_settings

app = command_app(no_args_is_help=True, help="Look into the queues; send dead letters again, or remove them.")

QueueArgument = Annotated[Literal["jobs", "exports"], typer.Argument(help="Which queue.")]
T = TypeVar("T")


def _with_queues(work: Callable[[Queues], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_queues(load_settings()) as queues:
            return await work(queues)

    return asyncio.run(run())


@app.command("list")
def list_queues(as_json: JsonOption = False) -> None:
    """Show how many messages wait, are scheduled and are dead in each queue."""

    found = _with_queues(depths)
    if as_json:
        print_json([{"queue": name, **asdict(depth)} for name, depth in found.items()])
        return
    print_table(
        ("queue", "active#", "scheduled#", "dead#", "oldest"),
        [
            (
                name,
                depth.active,
                depth.scheduled,
                depth.dead,
                f"{age_s(depth.oldest_active):.0f} s" if depth.oldest_active else "",
            )
            for name, depth in found.items()
        ],
    )


@app.command()
def peek(
    queue: QueueArgument,
    dead: Annotated[bool, typer.Option("--dead", help="Look at the dead letters instead.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the oldest messages without locking them."""
    messages = _with_queues(lambda queues: queues.peek(queue, dead=dead, limit=limit))
    if as_json:
        print_json([{**asdict(each), "body": each.body.decode("utf-8", "replace")} for each in messages])
        return
    columns = ("seq#", "message id", "deliveries#", "enqueued", *(("reason", "description") if dead else ()))
    print_table(columns, [_row(each, dead=dead) for each in messages])


def _row(message: Peeked, *, dead: bool) -> tuple[object, ...]:
    reasons = (message.dead_letter_reason, message.dead_letter_description) if dead else ()
    enqueued = f"{message.enqueued_at:%Y-%m-%d %H:%M:%S}"
    return (message.sequence_number, message.message_id, message.delivery_count, enqueued, *reasons)


@app.command()
def redrive(
    queue: QueueArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters again, oldest first.

    What becomes of each is decided by its item: one that is finished or failed for good is dropped.
    """
    count = _with_queues(lambda queues: queues.redrive(queue, limit))
    if as_json:
        print_json({"queue": queue, "redriven": count})
    else:
        typer.echo(f"{count} dead letters of {queue} were sent again.")


@app.command()
def purge(
    queue: QueueArgument,
    *,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only those put aside for this reason.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 10_000,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it you are told how many there are.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove dead letters for good, oldest first. Messages that still wait are never touched.

    Their items keep their state and their story: look at one with `opal items show`.
    """
    if not yes:
        count = _with_queues(lambda queues: _matching(queues, queue, reason, limit))
        raise InvalidInput(f"{_letters(count)} of {queue} would be removed for good; say --yes to do it.")
    removed = _with_queues(lambda queues: queues.purge(queue, limit, reason=reason))
    if as_json:
        print_json({"queue": queue, "purged": removed})
    else:
        typer.echo(f"{_letters(removed)} of {queue} removed.")


def _letters(count: int) -> str:
    return f"{count:,} dead letter{'' if count == 1 else 's'}"


async def _matching(queues: Queues, queue: str, reason: str | None, limit: int) -> int:
    letters = await queues.peek(queue, dead=True, limit=10_000)
    return min(limit, sum(reason is None or each.dead_letter_reason == reason for each in letters))
