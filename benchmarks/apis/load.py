"""Clients that ask a server for cut-outs, each its next one as soon as it has the last."""

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
from benchmarks.apis.servers import Server

_TIMEOUT_S = 600.0
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Measured:
    """What so many requests took."""

    requests: int
    seconds: float
    """From the first request to the last answer."""
    cpu_s: float
    """CPU seconds of all the server's processes."""
    latencies: tuple[float, ...]

    @property
    def per_second(self) -> float:
        """Pictures a second."""
        return self.requests / self.seconds

    def percentile(self, percent: int) -> float:
        """Seconds within which so many in a hundred were answered."""
        if len(self.latencies) < 2:
            return self.latencies[0]
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[percent - 1]


def joined(parts: Sequence[Measured]) -> Measured:
    """The rounds of one side as one."""
    return Measured(
        requests=sum(part.requests for part in parts),
        seconds=sum(part.seconds for part in parts),
        cpu_s=sum(part.cpu_s for part in parts),
        latencies=tuple(itertools.chain.from_iterable(part.latencies for part in parts)),
    )


def ask(
    server: Server,
    photos: Sequence[bytes],
    *,
    clients: int,
    requests: int,
    answered: Callable[[], None] = lambda: None,
) -> Measured:
    """Send `requests` of the photos in turn with so many clients at a time; `answered` runs after each.

    Raises RuntimeError for an answer that is no picture.
    """
    numbers = itertools.count()
    turn = threading.Lock()
    latencies: list[float] = []

    def client() -> None:
        with httpx.Client(headers=server.headers, timeout=_TIMEOUT_S, trust_env=False) as http:
            while True:
                with turn:
                    number = next(numbers)
                if number >= requests:
                    return
                photo = photos[number % len(photos)]
                begun = time.perf_counter()
                files = {server.file_field: ("photo.jpg", photo, "image/jpeg")}
                answer = http.post(server.url, data=server.form, files=files)
                took = time.perf_counter() - begun
                if answer.status_code != httpx.codes.OK or not answer.content.startswith(_PNG):
                    raise RuntimeError(f"{server.name}: HTTP {answer.status_code}: {answer.text[:300]}")
                with turn:
                    latencies.append(took)
                    answered()

    cpu, started = server.cpu_s(), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for each in [pool.submit(client) for _ in range(clients)]:
            each.result()
    return Measured(requests, time.perf_counter() - started, server.cpu_s() - cpu, tuple(latencies))
