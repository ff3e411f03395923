"""`opal doctor`: what Opal needs, whether this machine has it, and how to get what is missing."""

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pyvips
import typer

from opal.assembly import open_database
from opal.cli.doctor_invariants import Question, print_invariants
from opal.cli.main import EXIT_FAILED
from opal.cli.ports import is_free
from opal.cli.terminal import JsonOption, command_app, out, print_json
from opal.content_credentials.sign import PictureSigner
from opal.cutout.engines import verify_engine
from opal.database.migrate import is_newer, schema_version
from opal.errors import OpalError
from opal.settings import Settings, load_settings
from opal.upkeep.blob_check import Thoroughness

app = command_app()

_DISK_NEEDED = 2 << 30
_MEMORY_NEEDED = 2 << 30
_CERTIFICATE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``remedy`` says what to do when it is not ``ok``."""

    check: str
    ok: bool
    found: str
    remedy: str = ""
    required: bool = True


@app.command()
def doctor(
    *,
    invariants: Annotated[
        bool, typer.Option("--invariants", help="Look at the database and its blobs instead.")
    ] = False,
    blobs: Annotated[
        Thoroughness,
        typer.Option(
            "--blobs",
            help="With --invariants: leave blobs out, look whether each is there, or read and hash them.",
        ),
    ] = Thoroughness.LOOK,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, max=10_000, help="Only blobs of N exported items drawn at random."),
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="With --invariants: this tenant's.")] = None,
    job: Annotated[str | None, typer.Option("--job", help="With --invariants: this job's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at what Opal needs and say how to get what is missing. Exit code 1: something is missing.

    With --invariants it says what must always be true of the database, whichever the settings name, and what
    breaks that. Exit code 1: something does.
    """
    settings = load_settings()
    if invariants:
        question = Question(tenant, job, blobs, sample)
        if not print_invariants(settings, question, as_json=as_json):
            raise typer.Exit(EXIT_FAILED)
        return
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _python, _libvips, _weights, _cores, _memory, _disk, _port, _database, _signing,
    )  # fmt: skip
    findings = [_examined(check, settings) for check in checks]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def _examined(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except OpalError as error:
        return Finding(check.__name__.strip("_"), False, f"{error.message} [{error.code}]")


def _show(findings: list[Finding]) -> None:
    console = out()
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else ("[red]✗[/]" if finding.required else "[yellow]![/]")
        console.print(f"{mark} {finding.check:<10} {finding.found}", highlight=False)
        if not finding.ok and finding.remedy:
            console.print(f"  {'':<10} → {finding.remedy}", highlight=False)


def _python(_settings: Settings) -> Finding:
    version = platform.python_version()
    return Finding("python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")


def _libvips(_settings: Settings) -> Finding:
    version = ".".join(str(pyvips.version(part)) for part in range(3))
    missing = [kind for kind in (".jpg", ".png", ".webp", ".tif") if not _writes(kind)]
    found = f"libvips {version}" + (f", cannot write {', '.join(missing)}" if missing else "")
    return Finding("pictures", not missing, found, "Run `make demo` again to renew .venv.")


def _writes(ending: str) -> bool:
    try:
        pyvips.Image.black(8, 8).write_to_buffer(ending)
    except pyvips.Error:
        return False
    return True


def _weights(settings: Settings) -> Finding:
    try:
        path = verify_engine(settings.scoring.engine, settings.models_dir)
    except OpalError as error:
        return Finding("weights", False, error.message, "docs/models.md says where each engine comes from.")
    return Finding("weights", True, f"{settings.scoring.engine}, every byte as pinned, {path}")


def _cores(_settings: Settings) -> Finding:
    cores = os.cpu_count() or 1
    return Finding("cores", cores >= 2, str(cores), "Works, slowly; two cores or more are better.", False)


def _memory(_settings: Settings) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    remedy = "Five services and the network take about 2 GB."
    return Finding("memory", total >= _MEMORY_NEEDED, f"{total / 1e9:.1f} GB", remedy, False)


def _disk(settings: Settings) -> Finding:
    place = _nearest_folder(settings.data_dir.absolute())
    free = shutil.disk_usage(place).free
    remedy = "Free some space, or choose another folder with OPAL_DATA_DIR or --data."
    return Finding("disk", free >= _DISK_NEEDED, f"{free / 1e9:.1f} GB free at {place}", remedy)


def _nearest_folder(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.is_dir())


def _port(settings: Settings) -> Finding:
    port = settings.web.port
    state = "free" if is_free(port) else "in use"
    return Finding("port", state == "free", f"{port} {state}", "Use `opal up --port N`.", False)


def _database(settings: Settings) -> Finding:
    sqlite = settings.data_dir.absolute() / "opal.sqlite"
    if settings.database.url is None and not sqlite.exists():
        return Finding("database", True, f"none yet; `opal up` makes {sqlite}", required=False)
    present, newest = asyncio.run(_schema(settings))
    found = f"schema {present}, newest {newest}"
    remedy = "A newer Opal made it: use that one." if is_newer(present) else "Run `opal migrate`."
    return Finding("database", present == newest, found, remedy, False)


async def _schema(settings: Settings) -> tuple[str | None, str]:
    async with open_database(settings, migrated=False) as database:
        return await schema_version(database)


def _signing(settings: Settings) -> Finding:
    signer = PictureSigner.of(settings.signing)
    if signer is None:
        return Finding("signing", True, "no certificate set; pictures are not signed", required=False)
    # With the timestamp authority this time, which may be away when a service starts.
    signer.try_out()
    credential = signer.credential
    left = (credential.expires - datetime.now(UTC)).days
    remedy = f"Renew the certificate: it expires in {left} days."
    return Finding("signing", left >= _CERTIFICATE_DAYS, credential.summary(), remedy, False)
