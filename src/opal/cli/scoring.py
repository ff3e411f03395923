"""`opal scoring`: the placement endpoint."""

from opal.cli.service_process import SupervisedOption, begin
from opal.cli.terminal import command_app
from opal.scoring.app import serve

app = command_app()


@app.command()
def scoring(supervised: SupervisedOption = False) -> None:
    """Serve the placement endpoint on OPAL_SCORING_HOST:OPAL_SCORING_PORT."""
    serve(begin(supervised))
