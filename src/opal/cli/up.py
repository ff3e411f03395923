"""`opal up`: all services on this machine, supervised, until Ctrl-C or SIGTERM."""

import asyncio
import signal
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from opal.cli.data_folder import claimed
from opal.cli.ports import free_ports, require_free
from opal.cli.stack import Stack, plan_stack, prepare_data, tidy_up
from opal.cli.supervisor import ServicesNotReady, Supervisor
from opal.cli.terminal import command_app, out
from opal.cli.weights import ensure_weights
from opal.console.sign_in_link import make_link
from opal.content_credentials.sign import PictureSigner
from opal.database.keys import key_id
from opal.settings import desktop_is_there, load_settings

app = command_app()

_COLOURS = {
    "web-api": "cyan",
    "billing-service": "magenta",
    "orchestrator": "green",
    "export-worker": "yellow",
    "scoring": "blue",
    "opal": "bold",
}
_WIDTH = max(map(len, _COLOURS))


@app.command()
def up(
    data: Annotated[Path, typer.Option("--data", help="Folder for database, queues and pictures.")] = Path(
        "opal-data"
    ),
    port: Annotated[
        int, typer.Option("--port", min=0, max=65534, help="web-api's port; 0: a free one.")
    ] = 8080,
    open_page: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open", help="Open the console in a browser; by itself on a desktop's terminal only."
        ),
    ] = None,
) -> None:
    """Run all services on this machine and open the console, signed in; stop with Ctrl-C."""
    with claimed(data):
        settings = load_settings()
        # Told here in one line, rather than by a worker that ends again and again.
        PictureSigner.of(settings.signing)
        ensure_weights(settings)
        web_port = require_free(port) if port else free_ports(1)[0]
        asyncio.run(_run(plan_stack(settings, data, web_port), opened=_is_wanted(open_page)))


async def _run(stack: Stack, *, opened: bool) -> None:
    console = out()
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    supervisor = Supervisor(stack.specs(), lambda name, line: _say(console, name, line))

    def on_signal() -> None:
        if stopping.is_set():
            supervisor.kill()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    key = await prepare_data(stack.data_dir)
    asked = asyncio.create_task(stopping.wait())
    try:
        await supervisor.start()
        ready = asyncio.create_task(supervisor.wait_ready())
        await asyncio.wait((ready, asked), return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            ready.result()
            page = f"{stack.web_url}/sign-in/link?token={make_link(stack.data_dir, key_id(key))}"
            _announce(console, stack, key, page)
            if opened:
                await asyncio.to_thread(webbrowser.open, page)
            failed = asyncio.create_task(supervisor.wait_failed())
            await asyncio.wait((asked, failed), return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                raise ServicesNotReady(failed.result())
        else:
            ready.cancel()
    finally:
        _say(console, "opal", "stopping")
        await supervisor.stop()
        tidy_up(stack.data_dir)
        asked.cancel()


def _say(console: Console, name: str, line: str) -> None:
    prefix = Text(f"{name:<{_WIDTH}} │ ", style=_COLOURS.get(name, ""))
    console.print(prefix + Text(line), soft_wrap=True, highlight=False)


def _is_wanted(asked: bool | None) -> bool:
    """Without being asked, a page is opened for a person at a desktop: neither for a script nor over SSH."""
    return desktop_is_there() and sys.stdout.isatty() if asked is None else asked


def _announce(console: Console, stack: Stack, key: str, page: str) -> None:
    for line in (
        "ready",
        f"  signed in, once     {page}",
        f"  console and API     {stack.web_url}/",
        f"  billing             {stack.billing_url}/",
        f"  API key             {key}",
        f"  data                {stack.data_dir}",
        "  stop with Ctrl-C",
    ):
        _say(console, "opal", line)
