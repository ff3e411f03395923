"""Where an app in Azure asks for its managed identity's tokens, as Container Apps gives it one.

azure-identity finds it by ``IDENTITY_ENDPOINT`` and proves itself by ``IDENTITY_HEADER``.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from tests.azurite.server import storage_token

CLIENT_ID = "22222222-2222-2222-2222-222222222222"


class _Door(BaseHTTPRequestHandler):
    header = secrets.token_hex(16)

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        known = self.headers.get("X-IDENTITY-HEADER") == self.header and asked.get("client_id") == [CLIENT_ID]
        resource = asked.get("resource", [""])[0]
        token = storage_token(audience=resource)
        answer = {
            "access_token": token.token,
            "expires_on": str(token.expires_on),
            "resource": resource,
            "token_type": "Bearer",
        }
        body = json.dumps(answer if known else {"message": "no such identity"}).encode()
        self.send_response(200 if known else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def identity_endpoint() -> Iterator[dict[str, str]]:
    """The environment by which a process finds its identity, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{server.server_port}/msi/token",
            "IDENTITY_HEADER": _Door.header,
            "OPAL_AZURE_CLIENT_ID": CLIENT_ID,
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
