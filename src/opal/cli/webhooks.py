"""`opal webhooks`: a tenant's webhooks over the API: made, tested, watched, replayed, turned on again."""

from typing import Annotated, Any

import typer

from opal.cli.api_client import ApiClient, address
from opal.cli.api_session import with_api
from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.database.deliveries import DeliveryState
from opal.errors import InvalidInput
from opal.messages.webhook_event import EventType

app = command_app(no_args_is_help=True, help="Make, test and watch webhooks, and replay what did not arrive.")

WebhookArgument = Annotated[str, typer.Argument(help="The id shown by `opal webhooks list`.")]
EventOption = Annotated[
    list[EventType] | None,
    typer.Option("--event", help="What to be told of; repeatable. Left out: everything."),
]
_MOST = 100_000


class NothingToReplay(InvalidInput):
    """It was not said what to replay.

    Name deliveries, as `opal webhooks deliveries` lists them, or give `--failed`.
    """

    code = "nothing_to_replay"
    title = "Nothing to replay"


@app.command("list")
def list_webhooks(as_json: JsonOption = False) -> None:
    """List the tenant's webhooks and how they are getting on."""
    found = with_api(lambda api: api.get(address("webhooks"))).objects("webhooks")
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "state", "failures#", "events", "url", "reason"),
        [
            (
                *(each[name] for name in ("id", "state", "failures")),
                ", ".join(each["events"]),
                each["url"],
                each["disabled_reason"],
            )
            for each in found
        ],
    )


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Your address: HTTPS, where web-api can reach it.")],
    event: EventOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a webhook. Its id and its secret are shown; the secret this once."""
    body = {"url": url} if not event else {"url": url, "events": event}
    made = with_api(lambda api: api.post(address("webhooks"), body))
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{made['id']}\n{made['secret']}")


@app.command("test")
def send_test(
    webhook: WebhookArgument,
    kind: Annotated[
        EventType, typer.Option("--type", help="Which event to send an example of.")
    ] = EventType.ITEM_EXPORTED,
    as_json: JsonOption = False,
) -> None:
    """Send a signed example of an event now. Exit code 1: it did not arrive."""
    tested = with_api(lambda api: api.post(address("webhooks", webhook, "test"), type=kind))
    arrived = tested["state"] == "delivered"
    if as_json:
        print_json(tested)
    else:
        typer.echo(f"It arrived: {tested['last_status']}." if arrived else tested["last_error"])
    if not arrived:
        raise typer.Exit(1)


@app.command()
def deliveries(
    webhook: WebhookArgument,
    state: Annotated[DeliveryState | None, typer.Option("--state", help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List what a webhook was told and how that went, newest first."""
    path = address("webhooks", webhook, "deliveries")
    found = with_api(lambda api: api.entries(path, "deliveries", limit, state=state))
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "event", "of", "state", "tries#", "status#", "next try", "error"),
        [
            (
                each["id"],
                each["type"],
                "test" if each["test"] else each["item_id"] or each["job_id"],
                *(each[name] for name in ("state", "attempts", "last_status", "next_at", "last_error")),
            )
            for each in found
        ],
    )


@app.command()
def replay(
    webhook: WebhookArgument,
    delivery: Annotated[list[str] | None, typer.Argument(help="Ids of deliveries.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="All whose tries are used up, but for tests.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Send deliveries again under the same `webhook-id`, arrived or not."""
    named = list(dict.fromkeys(delivery or ()))
    if bool(named) is failed:
        raise NothingToReplay

    async def work(api: ApiClient) -> list[dict[str, Any]]:
        path = address("webhooks", webhook, "deliveries")
        ids = named
        if failed:
            every = await api.entries(path, "deliveries", _MOST, state="failed")
            ids = [each["id"] for each in every if not each["test"]]
        return [await api.post(address("webhooks", webhook, "deliveries", each, "replay")) for each in ids]

    replayed = with_api(work)
    if as_json:
        print_json(replayed)
    else:
        typer.echo(f"{len(replayed)} deliveries are due now.")


@app.command()
def enable(webhook: WebhookArgument, as_json: JsonOption = False) -> None:
    """Turn a disabled webhook on again and send what waited for it."""
    enabled = with_api(lambda api: api.post(address("webhooks", webhook, "enable")))
    if as_json:
        print_json(enabled)
    else:
        typer.echo(f"Webhook {enabled['id']} is active.")
