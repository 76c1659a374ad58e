"""Somebody who signs certificates, for a CSMS of any age and name."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "csms.example"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


class Authority:
    """Somebody who signs certificates."""

    def __init__(self, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        made = self._made(self._name, self._key, NOW - DAY, NOW + DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        signed = made.sign(self._key, hashes.SHA256())
        self.pem = signed.public_bytes(serialization.Encoding.PEM).decode()

    def _made(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime,
              until: datetime) -> x509.CertificateBuilder:  # fmt: skip
        return (
            x509.CertificateBuilder().subject_name(name).issuer_name(self._name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(since).not_valid_after(until)
        )  # fmt: skip

    def server(self, folder: Path, host: str = HOST, since: datetime = NOW - DAY,
               until: datetime = NOW + DAY) -> ssl.SSLContext:  # fmt: skip
        """A server with a certificate for this host and time."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        also = x509.SubjectAlternativeName([x509.DNSName(host)])
        signed = self._made(name, key, since, until).add_extension(also, critical=False).sign(
            self._key, hashes.SHA256()
        )
        file = folder / "server.pem"
        file.write_bytes(
            signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context
