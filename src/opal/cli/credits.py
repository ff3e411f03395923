"""`opal credits`: grant credits to a tenant and show what it has."""

from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.cli.database_session import in_transaction
from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.database import ledger
from opal.database.keys import require_tenant
from opal.database.ledger import Balance, LedgerEntry
from opal.settings import load_settings

app = command_app(no_args_is_help=True, help="Grant and show credits; one credit makes one photo.")

TenantArgument = Annotated[str, typer.Argument(help="The tenant's id.")]


@app.command()
def grant(
    tenant: TenantArgument,
    amount: Annotated[int, typer.Argument(min=1, help="How many credits.")],
    note: Annotated[str, typer.Option("--note", help="Why; kept in the ledger.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Add credits to a tenant that exists."""

    async def work(connection: AsyncConnection) -> Balance:
        await require_tenant(connection, tenant)
        return await ledger.grant(connection, tenant, amount, note)

    _show(tenant, in_transaction(load_settings(), work), [], as_json)


@app.command()
def show(
    tenant: TenantArgument = "local",
    limit: Annotated[int, typer.Option("--limit", min=0, max=1000, help="How many ledger entries.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show a tenant's balance and its newest ledger entries."""

    async def work(connection: AsyncConnection) -> tuple[Balance, list[LedgerEntry]]:
        await require_tenant(connection, tenant)
        newest = await ledger.entries(connection, tenant, limit) if limit else []
        return await ledger.balance(connection, tenant), newest

    balance, entries = in_transaction(load_settings(), work)
    _show(tenant, balance, entries, as_json)


def _show(tenant: str, balance: Balance, entries: list[LedgerEntry], as_json: bool) -> None:
    figures = {
        "tenant_id": tenant,
        "balance": balance.balance,
        "held": balance.held,
        "available": balance.available,
    }
    if as_json:
        print_json({**figures, "entries": [asdict(entry) for entry in entries]})
        return
    typer.echo(f"{tenant}: {balance.available} available ({balance.balance} in all, {balance.held} held)")
    if entries:
        print_table(
            ("seq#", "kind", "amount#", "held#", "item", "note", "at"),
            [
                (
                    entry.seq,
                    entry.kind,
                    f"{entry.amount:+d}",
                    f"{entry.held:+d}",
                    entry.item_id,
                    entry.note,
                    f"{entry.created_at:%Y-%m-%d %H:%M:%S}",
                )
                for entry in entries
            ],
        )
