"""`opal demo`: the sample photos through the real services, as a client would send them."""

import asyncio
import signal
import tempfile
import time
from pathlib import Path
from typing import Annotated, TextIO

import typer

from opal.cli.data_folder import claimed
from opal.cli.demo_run import DemoPhoto, DemoRun, plan_photos
from opal.cli.demo_sheet import write_demo_sheet
from opal.cli.main import EXIT_FAILED
from opal.cli.photo_files import find_photos
from opal.cli.ports import free_ports
from opal.cli.report import SUMMARY_COLUMNS, Report, review_line, summary_rows, write_report
from opal.cli.stack import plan_stack, prepare_data, tidy_up
from opal.cli.supervisor import ServicesNotReady, Supervisor
from opal.cli.terminal import command_app, print_table, remarks
from opal.cli.weights import ensure_weights
from opal.errors import InvalidInput
from opal.settings import Settings, load_settings

app = command_app()

# In a checkout: src/opal/cli/demo.py lies three folders below the root.
_SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "photos"
_LAST_LINES = 20


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("opal-demo"),
    photos: Annotated[Path, typer.Option("--photos", help="Folder of photos to send.")] = _SAMPLES,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Send only so many.")] = None,
) -> None:
    """Start everything, send photos through the public API, fetch all results, stop everything."""
    started = time.monotonic()
    # Ends like Ctrl-C: services stopped, temporary folder removed.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    found = find_photos([photos])[:limit]
    if not found:
        raise InvalidInput(f"There are no photos in {photos}; name a folder with --photos.")
    settings = load_settings()
    ensure_weights(settings)
    out.mkdir(parents=True, exist_ok=True)
    planned = plan_photos(found)
    with tempfile.TemporaryDirectory(prefix="opal-demo-") as folder, claimed(Path(folder)) as data:
        run = asyncio.run(_with_services(settings, data, out, planned))
    report = Report(seconds=round(time.monotonic() - started, 2), items=run.items)
    write_report(report, out / "report.json")
    write_demo_sheet(out / "contact-sheet.png", out, planned, report)
    print_table(SUMMARY_COLUMNS, summary_rows(report.items))
    passed = len(report.items) - report.failures
    typer.echo(
        f"\n{passed} of {len(report.items)} photos in {report.seconds:.1f} s "
        f"(services ready after {run.ready_s:.1f} s, photos {run.photos_s:.1f} s). "
        f"Look at {out / 'contact-sheet.png'}; figures in {out / 'report.json'}."
    )
    if line := review_line(report):
        typer.echo(line)
    if report.failures:
        raise typer.Exit(EXIT_FAILED)


async def _with_services(settings: Settings, data: Path, out: Path, photos: list[DemoPhoto]) -> DemoRun:
    """Run the photos while the five services run; their logs go to ``services.log``."""
    console = remarks()
    log_path = out / "services.log"
    run = DemoRun(out, photos)
    with log_path.open("w", encoding="utf-8") as log:
        stack = plan_stack(settings, data, *free_ports(2))
        supervisor = Supervisor(stack.specs(), lambda name, line: _log(log, name, line))
        key = await prepare_data(data)
        began = time.monotonic()
        try:
            with console.status("Starting the services"):
                await supervisor.start()
                await supervisor.wait_ready()
            run.ready_s = time.monotonic() - began
            working = asyncio.create_task(run.work(stack.web_url, key, console))
            failing = asyncio.create_task(supervisor.wait_failed())
            await asyncio.wait((working, failing), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                raise ServicesNotReady(failing.result())
            failing.cancel()
            working.result()
            run.photos_s = time.monotonic() - began - run.ready_s
        except Exception:
            log.flush()
            lines = log_path.read_text("utf-8").splitlines()[-_LAST_LINES:]
            console.print("\n".join(["The services' last lines:", *lines]), markup=False, highlight=False)
            raise
        finally:
            await supervisor.stop()
            tidy_up(data)
    return run


def _log(log: TextIO, name: str, line: str) -> None:
    log.write(f"{name:<15} | {line}\n")
