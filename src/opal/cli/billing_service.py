"""`opal billing-service`: credits over HTTP."""

from opal.billing_service.app import serve
from opal.cli.service_process import SupervisedOption, begin
from opal.cli.terminal import command_app

app = command_app()


@app.command()
def billing_service(supervised: SupervisedOption = False) -> None:
    """Serve balances and ledger entries on OPAL_WEB_HOST:OPAL_WEB_BILLING_PORT."""
    serve(begin(supervised))
