"""Azure ML's entry script: its inference server calls ``init()`` once and ``run()`` for every request.

All of the work is in ``opal.scoring``. The request is taken raw, so that every answer has the contract's
status and shape, and so that no collector of model inputs ever sees a signed URL.
"""

import atexit
from functools import cache

from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
from flask import Request

from opal.scoring import score
from opal.scoring.contract import JSON
from opal.scoring.threads import ThreadedEndpoint
from opal.settings import load_settings
from opal.telemetry import configure, tracing


def init() -> None:
    """Load the models; what this raises ends the server, and Azure ML shows it in the deployment's log."""
    _endpoint()


@cache
def _endpoint() -> ThreadedEndpoint:
    settings = load_settings()
    configure(settings, "scoring")
    atexit.register(tracing.stop)
    score.init(settings)
    return ThreadedEndpoint(settings, score.run, score.run_cut_out)


@rawhttp  # type: ignore[untyped-decorator]  # the server has no types
def run(request: Request) -> AMLResponse:
    """Answer ``/score``."""
    answer = _endpoint().answer(request.method, request.headers, request.stream.read)
    return AMLResponse(answer.body, answer.status, {**answer.headers, "Content-Type": JSON})
