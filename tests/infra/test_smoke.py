"""The smoke test of the placement endpoint, over HTTP to a server that answers what a test says."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from infra.deploy.azure_cli import DeploymentFailed
from infra.deploy.smoke import score, scoring_smoke
from infra.deploy.target import Target
from tests.infra.scripted_az import ScriptedAz, outputs

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nthe rest").decode()


class Endpoint(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200
    answer: ClassVar[bytes] = b""
    heard: ClassVar[list[tuple[dict[str, str], Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.heard.append(({key.lower(): value for key, value in self.headers.items()}, body))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/score"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_picture_passes_and_a_colour_is_asked_by_name(url: str) -> None:
    Endpoint.status, Endpoint.answer = 200, json.dumps({"image_bytes_b64": PNG}).encode()
    az = ScriptedAz(
        {
            "ml online-endpoint show": {"scoring_uri": url},
            "ml online-endpoint get-credentials": {"primaryKey": "the-key"},
            "deployment group show": outputs(learningStorageName="ml"),
            "storage blob generate-sas": "https://ml/photo?sig=secret",
        }
    )
    masked: list[str] = []
    smoke = scoring_smoke(az, Target("dev", "opal-dev"), masked.append)
    assert smoke("green") >= 0
    assert smoke(None) >= 0
    (alone, body), (in_traffic, _) = Endpoint.heard[-2:]
    assert alone["azureml-model-deployment"] == "green"
    assert "azureml-model-deployment" not in in_traffic
    assert alone["authorization"] == "Bearer the-key"
    assert body["input_image_sas"] == "https://ml/photo?sig=secret"
    assert masked == ["the-key", "https://ml/photo?sig=secret"]
    assert len(az.lines("storage blob upload")) == 1


@pytest.mark.parametrize(
    ("status", "answer", "fault"),
    [
        (424, b"{}", "answered 424"),
        (200, b"{}", "no picture"),
        (200, b"not json", "no picture"),
        (200, b'{"image_bytes_b64": "%%"}', "no picture"),
        (200, b'{"image_bytes_b64": "aGVsbG8="}', "no PNG"),
    ],
)
def test_anything_else_does_not(url: str, status: int, answer: bytes, fault: str) -> None:
    Endpoint.status, Endpoint.answer = status, answer
    with pytest.raises(DeploymentFailed, match=fault) as caught:
        score(url, "the-key", "https://ml/photo?sig=secret", None)
    assert "the-key" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_endpoint_that_is_away_is_a_failed_deployment() -> None:
    with pytest.raises(DeploymentFailed, match="no picture"):
        score("http://127.0.0.1:9/score", "the-key", "x", None)
