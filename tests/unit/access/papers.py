"""Certificates and keys of every kind, made for the tests that put them in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HOST = "linkray-1.local"


def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key, password: bytes = b"") -> str:
    how = serialization.NoEncryption()
    if password:
        how = serialization.BestAvailableEncryption(password)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return key.private_bytes(*form, how).decode()


def certificate(
    key, *, names=(HOST,), begins=NOW - timedelta(days=1), days=365, by=None, digest=hashes.SHA256,
    uses=(ExtendedKeyUsageOID.SERVER_AUTH,), subject="Charging",
) -> str:  # fmt: skip
    """A PEM; `by` is (the issuer's name, its key), else it signs itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    issuer, signer = (name, key) if by is None else (_named(by[0]), by[1])
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(issuer)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(begins).not_valid_after(begins + timedelta(days=days))
    )  # fmt: skip
    if names:
        also = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        builder = builder.add_extension(also, critical=False)
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    how = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest()
    return builder.sign(signer, how).public_bytes(serialization.Encoding.PEM).decode()


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def authority() -> tuple[str, object, str]:
    """The name, key and certificate of who signs others'."""
    key = ec_key()
    return "Site CA", key, certificate(key, names=(), uses=(), subject="Site CA")


def answered(request: str, by: tuple[str, object]) -> str:
    """The certificate that an authority gives for a request."""
    asked = x509.load_pem_x509_csr(request.encode())
    assert asked.is_signature_valid
    also = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    made = (
        x509.CertificateBuilder().subject_name(asked.subject).issuer_name(_named(by[0]))
        .public_key(asked.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=90))
        .add_extension(also, critical=False).sign(by[1], hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM).decode()


RSA_SMALL = rsa.generate_private_key(65537, 1024)
EDWARDS = ed25519.Ed25519PrivateKey.generate()
