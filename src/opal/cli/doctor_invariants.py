"""`opal doctor --invariants`: what is always true of the database and its blobs, and what breaks it."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from opal.assembly import build_parts
from opal.cli.terminal import one_line, out, print_json
from opal.database import invariants
from opal.database.invariants import Scope, Verdict
from opal.database.migrate import is_newer, schema_version
from opal.database.recorded_blobs import BlobScope
from opal.errors import InvalidInput
from opal.settings import Settings
from opal.upkeep.blob_check import BlobVerdict, Thoroughness, check_blobs


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be looked at, and how closely."""

    tenant_id: str | None
    job_id: str | None
    blobs: Thoroughness
    sample: int | None


def print_invariants(settings: Settings, question: Question, *, as_json: bool) -> bool:
    """Print every rule with how it stands; whether all hold. Nothing is changed, not even the schema."""
    if settings.database.url is None and not (settings.data_dir / "opal.sqlite").exists():
        raise InvalidInput(f"There is no database in {settings.data_dir}.")
    verdicts, looked = asyncio.run(_examined(settings, question))
    if as_json:
        print_json([_as_data(verdict, looked) for verdict in verdicts])
    else:
        for verdict in verdicts:
            _show(verdict)
        if looked is not None:
            read = f", {looked.bytes:,} bytes of them" if question.blobs is Thoroughness.HASH else ""
            out().print(f"\n{looked.blobs:,} blobs looked at{read}", highlight=False)
    return not any(verdict.count for verdict in verdicts)


async def _examined(settings: Settings, question: Question) -> tuple[list[Verdict], BlobVerdict | None]:
    parts = build_parts(settings)
    try:
        present, newest = await schema_version(parts.database)
        if present != newest:
            remedy = "use the newer Opal that made it" if is_newer(present) else "run `opal migrate`"
            raise InvalidInput(f"The database has schema {present}, not {newest}; {remedy}.")
        async with parts.database.read() as connection:
            scope = Scope(question.tenant_id, question.job_id)
            verdicts = await invariants.examine(connection, scope)
        if question.blobs is Thoroughness.NONE:
            return verdicts, None
        whose = BlobScope(question.tenant_id, question.job_id, question.sample)
        looked = await check_blobs(parts.database, parts.blobs, whose, question.blobs)
        return [*verdicts, looked.verdict], looked
    finally:
        await parts.close()


def _as_data(verdict: Verdict, looked: BlobVerdict | None) -> dict[str, Any]:
    told = {"holds": not verdict.count, **asdict(verdict)}
    if looked is not None and verdict is looked.verdict:
        told |= {"blobs": looked.blobs}
    return told


def _show(verdict: Verdict) -> None:
    console = out()
    mark = "[red]✗[/]" if verdict.count else "[green]✓[/]"
    console.print(f"{mark} {verdict.name:<22}", end="", highlight=False)
    console.print(Text(f"{verdict.count} break it" if verdict.count else "holds"), highlight=False)
    if not verdict.count:
        return
    console.print(Text(f"  {verdict.rule}", style="dim"))
    for each in verdict.first:
        tenant = f" ({each.tenant_id})" if each.tenant_id and each.tenant_id != each.subject else ""
        console.print(Text(f"  {one_line(each.subject)}{tenant}: {one_line(each.found)}"), soft_wrap=True)
    if verdict.count > len(verdict.first):
        console.print(Text(f"  and {verdict.count - len(verdict.first):,} more", style="dim"))
