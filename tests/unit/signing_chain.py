"""A certificate authority of our own, made in the test, and signers' certificates from it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from opal.settings import SigningSettings

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A root certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The root certificate, which is all that a reader is given to trust."""
        return self.certificate.public_bytes(Encoding.PEM)


def new_authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Acme Root")
    builder = (
        _builder(name, name, key, (-1, 3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return Authority(builder.sign(key, SHA256()), key)


def new_key(kind: str = "P-256") -> PrivateKey:
    match kind:
        case "P-256":
            return ec.generate_private_key(ec.SECP256R1())
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case "P-256K":
            return ec.generate_private_key(ec.SECP256K1())
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


def signing_certificate(
    authority: Authority,
    key: PrivateKey,
    days: tuple[int, int] = (-1, 90),
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> x509.Certificate:
    """A leaf as the C2PA specification asks for it; ``days`` from now it begins and ends."""
    builder = (
        _builder(_name("Acme Pictures"), authority.certificate.subject, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([purpose]), critical=purpose == ExtendedKeyUsageOID.TIME_STAMPING
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
    )
    return builder.sign(authority.key, SHA256())


def write_pem(
    folder: Path, authority: Authority, key: PrivateKey, certificate: x509.Certificate
) -> SigningSettings:
    """Chain and key as files, and the settings that name them."""
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM) + authority.pem)
    secret.write_bytes(key_pem(key))
    return SigningSettings(certificate=chain, key=secret)


def key_pem(key: PrivateKey, passphrase: bytes | None = None, *, traditional: bool = False) -> bytes:
    """``traditional`` is the form that `openssl ecparam -genkey` writes."""
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    lock = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, form, lock)


def signing_files(folder: Path, authority: Authority | None = None) -> SigningSettings:
    """All of it at once: a good certificate from ``authority``."""
    authority = authority or new_authority()
    key = new_key()
    return write_pem(folder, authority, key, signing_certificate(authority, key))


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme Ltd"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, days: tuple[int, int]
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
