"""`opal queues`: how full the queues are, what lies in them, and dead letters sent again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Literal, TypeVar

import typer

from opal.assembly import open_queues
from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.database.engine import utc_now
from opal.queues.interface import Depth, Queues
from opal.settings import QUEUE_NAMES, load_settings

app = command_app(no_args_is_help=True, help="Look into the queues and send dead letters again.")

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

    async def work(queues: Queues) -> dict[str, Depth]:
        return {name: await queues.depth(name) for name in QUEUE_NAMES}

    depths = _with_queues(work)
    if as_json:
        print_json([{"queue": name, **asdict(depth)} for name, depth in depths.items()])
        return
    print_table(
        ("queue", "active#", "scheduled#", "dead#", "oldest"),
        [
            (
                name,
                depth.active,
                depth.scheduled,
                depth.dead,
                f"{(utc_now() - depth.oldest_active).total_seconds():.0f} s" if depth.oldest_active else "",
            )
            for name, depth in depths.items()
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
    print_table(
        ("seq#", "message id", "deliveries#", "enqueued", "reason"),
        [
            (
                each.sequence_number,
                each.message_id,
                each.delivery_count,
                f"{each.enqueued_at:%Y-%m-%d %H:%M:%S}",
                ": ".join(filter(None, (each.dead_letter_reason, each.dead_letter_description))),
            )
            for each in messages
        ],
    )


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
