"""`opal orchestrator`: the one consumer of the queue `jobs`."""

import asyncio

from opal.cli.service_process import SupervisedOption, begin
from opal.cli.terminal import command_app
from opal.orchestrator.app import main

app = command_app()


@app.command()
def orchestrator(supervised: SupervisedOption = False) -> None:
    """Take jobs from their queue and have each photo cut out and placed."""
    asyncio.run(main(begin(supervised)))
