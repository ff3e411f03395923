"""`opal export-worker`: the one consumer of the queue `exports`."""

import asyncio

from opal.cli.service_process import SupervisedOption, begin
from opal.cli.terminal import command_app
from opal.export_worker.app import main

app = command_app()


@app.command()
def export_worker(supervised: SupervisedOption = False) -> None:
    """Take completed items from their queue and write their variants."""
    asyncio.run(main(begin(supervised)))
