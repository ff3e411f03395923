"""Requests to addresses that somebody else chose, to a real server on loopback: pinned, bounded, alone."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.services.webhook_receiver import Receiver, answer, listening
from tests.unit.signing_chain import key_pem

from opal.errors import AddressRefused, OutgoingFailed
from opal.outgoing.client import Answer, Outgoing
from opal.outgoing_settings import OutgoingSettings

ALLOW, REFUSE = (
    OutgoingSettings(private_addresses="allow"),
    OutgoingSettings(private_addresses="refuse"),
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as running:
        yield running


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    made = Outgoing(ALLOW)
    yield made
    await made.close()


async def post(
    outgoing: Outgoing, url: str, body: bytes = b"{}", *, timeout_s: float = 5.0, most: int = 1000
) -> Answer:
    return await outgoing.send("POST", url, content=body, timeout_s=timeout_s, max_body_bytes=most)


class Names:
    """A resolver that gives each of its answers once, the last one from then on; notes what it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_the_connection_goes_to_the_address_and_speaks_to_the_name(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    outgoing = Outgoing(ALLOW, resolve=names)
    url = f"http://hooks.example:{receiver.port}/a/b?c=d#e"
    assert (await post(outgoing, url, b"body")).status == 204
    [request] = receiver.received
    assert request.line == "POST /a/b?c=d HTTP/1.1"
    assert request.headers["host"] == f"hooks.example:{receiver.port}"
    assert request.body == b"body"
    # Asked once; a second answer, wherever it leads, was never needed.
    assert names.asked == [("hooks.example", receiver.port)]
    with pytest.raises(AddressRefused):
        await post(outgoing, url)
    assert receiver.connections == 1
    await outgoing.close()


async def test_a_second_address_is_tried_where_the_first_does_not_listen(receiver: Receiver) -> None:
    outgoing = Outgoing(ALLOW, resolve=Names(["127.0.0.2", "127.0.0.1"]))
    # The receiver listens on 127.0.0.1 only.
    assert (await post(outgoing, f"http://hooks.example:{receiver.port}/")).status == 204
    await outgoing.close()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:7f00:1]",
        "0",
    ],
)
async def test_no_way_of_writing_this_machine_gets_in(receiver: Receiver, host: str) -> None:
    outgoing = Outgoing(REFUSE)
    for url in (f"http://{host}:{receiver.port}/", f"https://{host}/", f"https://{host}:8443/"):
        with pytest.raises(AddressRefused):
            await post(outgoing, url)
        with pytest.raises(AddressRefused):
            await outgoing.check(url)
    assert receiver.connections == 0
    await outgoing.close()


async def test_one_private_address_among_public_ones_is_refused() -> None:
    outgoing = Outgoing(REFUSE, resolve=Names(["1.1.1.1", "10.0.0.1"]))
    with pytest.raises(AddressRefused, match=r"shop\.example leads to an address that may not be called\."):
        await outgoing.check("https://shop.example/")
    await outgoing.close()


async def test_a_public_address_passes_and_a_name_that_is_not_known_does_not() -> None:
    passing = Outgoing(REFUSE, resolve=Names(["1.1.1.1", "2606:4700::1111"]))
    await passing.check("https://shop.example/")

    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    failing = Outgoing(REFUSE, resolve=unknown)
    with pytest.raises(AddressRefused, match="cannot be found"):
        await failing.check("https://shop.example/")
    # Name servers have bad minutes, so a call may be tried again.
    with pytest.raises(OutgoingFailed, match="cannot be found"):
        await post(failing, "https://shop.example/")
    await passing.close()
    await failing.close()


async def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver, outgoing: Outgoing) -> None:
    async with listening() as other:
        receiver.say = answer(302, f"Location: {other.url}")
        got = await post(outgoing, receiver.url)
        assert (got.status, got.headers["location"]) == (302, other.url)
        assert other.connections == 0


async def test_cookies_are_not_kept_and_connections_not_used_again(
    receiver: Receiver, outgoing: Outgoing
) -> None:
    receiver.say = answer(200, "Set-Cookie: a=b; Path=/", "Connection: keep-alive")
    for _ in range(3):
        await post(outgoing, receiver.url)
    assert receiver.connections == 3
    assert all("cookie" not in request.headers for request in receiver.received)


async def test_the_environments_proxy_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        outgoing = Outgoing(ALLOW)
        assert (await post(outgoing, receiver.url)).status == 204
        assert proxy.connections == 0
        await outgoing.close()


async def test_a_body_without_end_is_read_no_further_than_allowed(
    receiver: Receiver, outgoing: Outgoing
) -> None:
    receiver.say = b"HTTP/1.1 200 OK\r\n\r\n"
    receiver.forever = b"x" * 5000
    got = await post(outgoing, receiver.url, most=12_000)
    assert (got.status, got.body, got.whole) == (200, b"x" * 12_000, False)
    receiver.forever = b""
    receiver.say = answer(200, body=b"x" * 12_000)
    got = await post(outgoing, receiver.url, most=12_000)
    assert (got.body, got.whole) == (b"x" * 12_000, True)


@pytest.mark.parametrize("dripping", [False, True], ids=["silent", "dripping"])
async def test_the_whole_call_has_a_deadline(receiver: Receiver, outgoing: Outgoing, dripping: bool) -> None:
    # One byte now and then keeps every single read in time.
    receiver.say, receiver.forever = (b"HTTP/1.1 200 OK\r\n\r\n", b"x") if dripping else (None, b"")
    began = time.monotonic()
    with pytest.raises(OutgoingFailed, match=r"No answer within 0\.3 s"):
        await post(outgoing, receiver.url, timeout_s=0.3, most=10**9)
    assert time.monotonic() - began < 2


async def test_a_name_server_that_hangs_counts_as_well() -> None:
    async def hanging(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    outgoing = Outgoing(REFUSE, resolve=hanging)
    with pytest.raises(OutgoingFailed, match="No answer"):
        await post(outgoing, "https://shop.example/", timeout_s=0.2)
    await outgoing.close()


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 300_000]
)
async def test_what_is_not_http_is_a_failure(receiver: Receiver, outgoing: Outgoing, said: bytes) -> None:
    receiver.say = said
    with pytest.raises(OutgoingFailed, match="without an answer"):
        await post(outgoing, receiver.url)


async def test_nobody_there_is_a_failure_without_an_address_in_it(outgoing: Outgoing) -> None:
    async with listening() as gone:
        url = gone.url
    with pytest.raises(OutgoingFailed, match=r"^The connection was refused\.$"):
        await post(outgoing, url)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Key and self-signed certificate of one name."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    (folder / "key.pem").write_bytes(key_pem(key))
    (folder / "cert.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    return folder / "key.pem", folder / "cert.pem"


async def test_the_certificate_must_be_the_names_not_the_addresses(tmp_path: Path) -> None:
    key, cert = certificate(tmp_path, "hooks.example")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    trusting = ssl.create_default_context(cafile=str(cert))
    async with listening(serving) as receiver:
        outgoing = Outgoing(ALLOW, resolve=Names(["127.0.0.1"]), tls=trusting)
        assert (await post(outgoing, f"https://hooks.example:{receiver.port}/")).status == 204
        assert receiver.received[0].tls_name == "hooks.example"
        with pytest.raises(OutgoingFailed, match="certificate was not accepted"):
            await post(outgoing, f"https://other.example:{receiver.port}/")
        await outgoing.close()
        strict = Outgoing(ALLOW, resolve=Names(["127.0.0.1"]))
        with pytest.raises(OutgoingFailed, match="certificate was not accepted"):
            await post(strict, f"https://hooks.example:{receiver.port}/")
        await strict.close()
        assert len(receiver.received) == 1
