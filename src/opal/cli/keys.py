"""`opal keys`: create, list and revoke API keys."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.cli.database_session import in_transaction
from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.database import keys as database_keys
from opal.database.keys import TENANT_SCOPES, ApiKey, Scope
from opal.settings import load_settings

app = command_app(no_args_is_help=True, help="Create, list and revoke API keys.")

TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant's id.")]


@app.command()
def create(
    tenant: TenantOption = "local",
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "command line",
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Watermarked pictures from /v1.0/removebg, free of charge.")
    ] = False,
    scopes: Annotated[
        list[Scope] | None,
        typer.Option(
            "--scope",
            help="What the key may do; give it several times. `read`: look at everything; `jobs`: create and "
            "cancel jobs, upload, have pictures made; `settings`: change presets, webhooks, delivery "
            "targets, public links and keys. Without it: these three. `operate`, which has to be named: look "
            "at services, queues and dead letters of the whole Opal, and send those again.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key, and the tenant when it is new. The key is shown this once."""

    async def work(connection: AsyncConnection) -> tuple[ApiKey, str]:
        await database_keys.ensure_tenant(connection, tenant, tenant)
        return await database_keys.create_key(
            connection, tenant, name, sandbox=sandbox, scopes=scopes or TENANT_SCOPES
        )

    key, secret = in_transaction(load_settings(), work)
    if as_json:
        print_json(
            {
                "id": key.id,
                "tenant_id": key.tenant_id,
                "name": key.name,
                "sandbox": key.sandbox,
                "scopes": key.scopes,
                "key": secret,
            }
        )
    else:
        typer.echo(secret)


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant's keys.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List keys; their secrets are not stored."""
    found = in_transaction(load_settings(), lambda connection: database_keys.list_keys(connection, tenant))
    if as_json:
        print_json([asdict(key) for key in found])
        return
    print_table(
        ("id", "tenant", "name", "scopes", "sandbox", "created", "last used", "revoked"),
        [
            (
                key.id,
                key.tenant_id,
                key.name,
                " ".join(key.scopes),
                "yes" if key.sandbox else "",
                _shown(key.created_at),
                _shown(key.last_used_at),
                _shown(key.revoked_at),
            )
            for key in found
        ],
    )


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id shown by `opal keys list`.")]) -> None:
    """Stop a key from working; at once, in every service."""
    in_transaction(load_settings(), lambda connection: database_keys.revoke_key(connection, key_id))
    typer.echo(f"Key {key_id} is revoked.")


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment is not None else ""
