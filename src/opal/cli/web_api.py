"""`opal web-api`: the public HTTP API and the console."""

from opal.cli.service_process import SupervisedOption, begin
from opal.cli.terminal import command_app
from opal.console.app import serve

app = command_app()


@app.command()
def web_api(supervised: SupervisedOption = False) -> None:
    """Serve the public HTTP API and the console on OPAL_WEB_HOST:OPAL_WEB_PORT."""
    serve(begin(supervised))
