"""A timestamp authority (RFC 3161) on loopback: the openssl program behind a small HTTP server."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.unit.peer_program import missing
from tests.unit.signing_chain import Authority, key_pem, new_key, signing_certificate

_CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


@contextmanager
def timestamp_authority(folder: Path, authority: Authority) -> Iterator[str]:
    """Its address, while it answers."""
    openssl = shutil.which("openssl") or missing("the timestamp authority is the openssl program")
    key = new_key()
    certificate = signing_certificate(authority, key, purpose=ExtendedKeyUsageOID.TIME_STAMPING)
    (folder / "tsa.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "root.pem").write_bytes(authority.pem)
    (folder / "tsa.key").write_bytes(key_pem(key))
    (folder / "serial").write_text("01")
    (folder / "tsa.cnf").write_text(_CONFIGURATION.format(folder=folder))
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            with one_at_a_time:
                (folder / "query").write_bytes(query)
                reply = subprocess.run(
                    [
                        openssl,
                        "ts",
                        "-reply",
                        "-config",
                        folder / "tsa.cnf",
                        "-queryfile",
                        folder / "query",
                    ],
                    capture_output=True,
                    check=True,
                ).stdout
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
