"""The certificate that pictures are signed with, and its key: read once, and what is wrong said in one line.

Called by `sign.py`. Neither key nor certificate is ever logged; both stay out of every `repr`.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from opal.errors import InvalidInput, InvalidSettings
from opal.settings import SigningSettings

CERTIFICATE, KEY = "OPAL_SIGNING_CERTIFICATE", "OPAL_SIGNING_KEY"

# The algorithms that the C2PA specification allows for a claim's signature.
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its chain and key, checked to belong together."""

    chain: bytes = field(repr=False)
    """PEM, the signer's own certificate first."""
    key: bytes = field(repr=False)
    """PEM of PKCS #8, whatever the file held: the library reads no other."""
    algorithm: str
    """As C2PA names it: es256, es384, es512, ed25519, ps256."""
    signer: str
    issuer: str
    expires: datetime
    fingerprint: str
    """SHA-256 of the signer's certificate, hexadecimal."""

    def summary(self) -> str:
        """Whose it is and how long it holds, in one line."""
        return f"{self.signer}, issued by {self.issuer}, until {self.expires:%Y-%m-%d}, {self.algorithm}"


def read_credential(settings: SigningSettings) -> Credential | None:
    """What the settings name; None where pictures are not to be signed.

    Raises InvalidSettings, naming the variable, for what cannot be read, does not belong together, or has
    expired.
    """
    if settings.certificate is None and settings.key is None:
        return None
    if settings.certificate is None or settings.key is None:
        missing, there = (CERTIFICATE, KEY) if settings.certificate is None else (KEY, CERTIFICATE)
        raise InvalidSettings(f"{missing}: is not set, but {there} is; a signature needs both.")
    chain = _certificates(_read(settings.certificate, CERTIFICATE), settings.certificate)
    key = _private_key(_read(settings.key, KEY), settings.key)
    own = chain[0]
    if _spki(own) != _spki(key):
        raise InvalidSettings(
            f"{KEY}: {settings.key} is not the key of the first certificate in {settings.certificate} "
            f"({_name(own.subject)})."
        )
    _check_dates(own)
    return Credential(
        chain=b"".join(each.public_bytes(Encoding.PEM) for each in chain),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        algorithm=_algorithm(key),
        signer=_name(own.subject),
        issuer=_name(own.issuer),
        expires=own.not_valid_after_utc,
        fingerprint=own.fingerprint(hashes.SHA256()).hex(),
    )


def read_trusted(path: Path) -> str:
    """PEM text of the certificates in a file whose signatures are to count as trusted.

    Raises InvalidInput for a file without any; OSErrors are the caller's.
    """
    try:
        trusted = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError as error:
        raise InvalidInput(f"{path} is no PEM file of certificates.") from error
    return b"".join(each.public_bytes(Encoding.PEM) for each in trusted).decode("ascii")


def _read(path: Path, variable: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"{variable}: {path} cannot be read: {error.strerror}.") from error


def _certificates(data: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise InvalidSettings(f"{CERTIFICATE}: {path} is no PEM file of certificates.") from error


def _private_key(data: bytes, path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(data, password=None)
    except TypeError as error:
        raise InvalidSettings(f"{KEY}: {path} is locked by a passphrase; Opal needs it without.") from error
    except (ValueError, UnsupportedAlgorithm):
        # Not chained: what the parser says of a key's bytes is nobody's business.
        raise InvalidSettings(f"{KEY}: {path} is no PEM file of a private key.") from None


def _spki(holder: x509.Certificate | PrivateKeyTypes) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_dates(certificate: x509.Certificate) -> None:
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        raise InvalidSettings(
            f"{CERTIFICATE}: the certificate of {_name(certificate.subject)} expired on "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}."
        )
    if now < certificate.not_valid_before_utc:
        raise InvalidSettings(
            f"{CERTIFICATE}: the certificate of {_name(certificate.subject)} is not valid before "
            f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC."
        )


def _algorithm(key: PrivateKeyTypes) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _LEAST_RSA_BITS:
        return "ps256"
    raise InvalidSettings(
        f"{KEY}: C2PA takes keys on P-256, P-384 or P-521, Ed25519, and RSA of at least "
        f"{_LEAST_RSA_BITS} bits; this one is none of them."
    )


def _name(name: x509.Name) -> str:
    """The common name, or the organisation, or all of it."""
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(oid):
            return str(attribute.value)
    return name.rfc4514_string()
