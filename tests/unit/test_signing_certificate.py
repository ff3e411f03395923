"""The signing certificate: what will do, and how each thing that will not is told before any work."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.unit.signing_chain import (
    key_pem,
    new_authority,
    new_key,
    signing_certificate,
    signing_files,
    write_pem,
)

from opal.content_credentials.sign import PictureSigner
from opal.errors import InvalidSettings
from opal.settings import SigningSettings, load_settings


def with_key(folder: Path, data: bytes) -> SigningSettings:
    settings = signing_files(folder)
    (folder / "key.pem").write_bytes(data)
    return settings


def with_certificate(folder: Path, data: bytes) -> SigningSettings:
    settings = signing_files(folder)
    (folder / "chain.pem").write_bytes(data)
    return settings


def with_dates(folder: Path, days: tuple[int, int]) -> SigningSettings:
    authority, key = new_authority(), new_key()
    return write_pem(folder, authority, key, signing_certificate(authority, key, days))


def for_another_purpose(folder: Path) -> SigningSettings:
    authority, key = new_authority(), new_key()
    certificate = signing_certificate(authority, key, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    return write_pem(folder, authority, key, certificate)


def with_root_first(folder: Path) -> SigningSettings:
    authority, key = new_authority(), new_key()
    settings = write_pem(folder, authority, key, signing_certificate(authority, key))
    leaf = signing_certificate(authority, key).public_bytes(Encoding.PEM)
    (folder / "chain.pem").write_bytes(authority.pem + leaf)
    return settings


def of_kind(folder: Path, kind: str) -> SigningSettings:
    authority, key = new_authority(), new_key(kind)
    return write_pem(folder, authority, key, signing_certificate(authority, key))


FAULTS: dict[str, tuple[Callable[[Path], SigningSettings], str]] = {
    "no key": (
        lambda f: signing_files(f).model_copy(update={"key": None}),
        "OPAL_SIGNING_KEY: is not set",
    ),
    "no certificate": (
        lambda f: signing_files(f).model_copy(update={"certificate": None}),
        "OPAL_SIGNING_CERTIFICATE: is not set",
    ),
    "missing file": (
        lambda f: signing_files(f).model_copy(update={"key": f / "lost.pem"}),
        "cannot be read: No such file",
    ),
    "rubbish certificate": (lambda f: with_certificate(f, b"rubbish"), "no PEM file of certificates"),
    "empty certificate": (lambda f: with_certificate(f, b""), "no PEM file of certificates"),
    "rubbish key": (lambda f: with_key(f, b"rubbish"), "no PEM file of a private key"),
    "locked key": (lambda f: with_key(f, key_pem(new_key(), b"secret")), "locked by a passphrase"),
    "another key": (lambda f: with_key(f, key_pem(new_key())), "is not the key of the first certificate"),
    "root first": (with_root_first, "is not the key of the first certificate"),
    "expired": (lambda f: with_dates(f, (-20, -1)), "expired on"),
    "not yet": (lambda f: with_dates(f, (1, 20)), "is not valid before"),
    "another curve": (lambda f: of_kind(f, "P-256K"), "this one is none of them"),
    "another purpose": (for_another_purpose, "this certificate cannot sign pictures"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_certificate_that_will_not_do_is_told_in_one_line(tmp_path: Path, fault: str) -> None:
    made, words = FAULTS[fault]
    settings = made(tmp_path)
    with pytest.raises(InvalidSettings) as told:
        PictureSigner.of(settings)
    message = told.value.message
    assert words in message
    assert message.startswith("OPAL_SIGNING_")
    assert "\n" not in message
    assert "PRIVATE" not in message


def test_without_settings_nothing_is_signed() -> None:
    assert PictureSigner.of(SigningSettings()) is None


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("P-256", "es256"), ("P-384", "es384"), ("Ed25519", "ed25519"), ("RSA", "ps256")]
)
def test_the_algorithm_is_that_of_the_key(tmp_path: Path, kind: str, algorithm: str) -> None:
    signer = PictureSigner.of(of_kind(tmp_path, kind))
    assert signer is not None
    assert signer.credential.algorithm == algorithm
    assert signer.credential.summary().startswith("Acme Pictures, issued by Acme Root, until ")


def test_a_key_as_openssl_writes_it_will_do(tmp_path: Path) -> None:
    authority, key = new_authority(), new_key()
    settings = write_pem(tmp_path, authority, key, signing_certificate(authority, key))
    (tmp_path / "key.pem").write_bytes(key_pem(key, traditional=True))
    assert PictureSigner.of(settings) is not None


def test_the_key_is_in_no_text_that_could_be_logged(tmp_path: Path) -> None:
    signer = PictureSigner.of(signing_files(tmp_path))
    assert "BEGIN" not in repr(signer)
    assert "BEGIN" not in str(signer)


def test_the_timestamp_authority_is_a_web_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPAL_SIGNING_TIMESTAMP_URL", "nonsense")
    with pytest.raises(InvalidSettings, match="OPAL_SIGNING_TIMESTAMP_URL"):
        load_settings()
