"""`opal items`: one photo's whole story, from its upload to its webhooks."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from opal.assembly import open_database, open_queues
from opal.cli.item_page import print_story
from opal.cli.terminal import JsonOption, command_app, print_json
from opal.database.item_story import ItemStory, read_story
from opal.queues.interface import Peeked, Queues
from opal.settings import QUEUE_NAMES, Settings, load_settings

app = command_app(no_args_is_help=True, help="Tell everything that happened to one photo.")

_LOOKED_THROUGH = 10_000
"""Messages per queue among which the item's are looked for."""


@app.callback()
def items() -> None:
    """Tell everything that happened to one photo."""


@dataclass(frozen=True, slots=True)
class OnQueue:
    """A message of the item's that lies on a queue, or among its dead letters."""

    queue: str
    dead: bool
    message: Peeked


@app.command()
def show(
    item_id: Annotated[str, typer.Argument(metavar="ID", help="The item's id.")], as_json: JsonOption = False
) -> None:
    """Show one photo's story: states, attempts, who worked on it and how long, messages, pictures, credits.

    And whom it was told to, where it was delivered, and what went wrong.
    """
    story, messages = asyncio.run(_read(load_settings(), item_id))
    if as_json:
        print_json({**asdict(story), "messages": [_as_data(each) for each in messages]})
    else:
        print_story(story, [(each.queue, each.dead, each.message) for each in messages])


def _as_data(found: OnQueue) -> dict[str, Any]:
    message = asdict(found.message)
    return {
        "queue": found.queue,
        "dead": found.dead,
        **message,
        "body": found.message.body.decode("utf-8", "replace"),
    }


async def _read(settings: Settings, item_id: str) -> tuple[ItemStory, list[OnQueue]]:
    async with open_database(settings) as database, database.read() as connection:
        story = await read_story(connection, item_id)
    async with open_queues(settings) as queues:
        return story, await _messages(queues, item_id)


async def _messages(queues: Queues, item_id: str) -> list[OnQueue]:
    found: list[OnQueue] = []
    for name in QUEUE_NAMES:
        for dead in (False, True):
            lying: Sequence[Peeked] = await queues.peek(name, dead=dead, limit=_LOOKED_THROUGH)
            mine = (each for each in lying if each.message_id.rpartition(":")[0] == item_id)
            found += [OnQueue(name, dead, each) for each in mine]
    return found
