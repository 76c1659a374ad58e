"""Why a CSMS could not be had, in words for an installer (csms.md, Connecting)."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from trio.testing import memory_stream_pair

from linkray.csms.task import client_context, reason

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


async def refused(server: ssl.SSLContext, ca: str) -> str:
    """Why the handshake with it fails; empty: it does not."""
    near, far = memory_stream_pair()
    why = ""

    async def serve() -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await trio.SSLStream(far, server, server_side=True).do_handshake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        try:
            client = trio.SSLStream(near, client_context(ca), server_hostname=HOST)
            await client.do_handshake()
        except trio.BrokenResourceError as error:
            why = reason(error, f"wss://{HOST}")
        await near.aclose()
    return why


async def test_a_certificate_of_the_given_authority_is_taken(tmp_path: Path) -> None:
    authority = Authority()

    assert await refused(authority.server(tmp_path), authority.pem) == ""


@pytest.mark.parametrize("name", ["authority", "another"])
async def test_an_unknown_issuer_is_named(name: str, tmp_path: Path) -> None:
    server = Authority().server(tmp_path)

    assert "unknown issuer" in await refused(server, Authority(name).pem)


async def test_another_name_is_named(tmp_path: Path) -> None:
    authority = Authority()

    assert "another name" in await refused(
        authority.server(tmp_path, "other.example"), authority.pem
    )


async def test_k14_an_expired_certificate_is_named(tmp_path: Path) -> None:
    authority = Authority()
    old = authority.server(tmp_path, since=NOW - 3 * DAY, until=NOW - 2 * DAY)

    assert "has expired" in await refused(old, authority.pem)


async def test_one_that_is_not_valid_yet_is_named(tmp_path: Path) -> None:
    authority = Authority()
    young = authority.server(tmp_path, since=NOW + DAY / 2, until=NOW + DAY)

    assert "not valid yet" in await refused(young, authority.pem)


@pytest.mark.parametrize(
    ("error", "words"),
    [(ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
     (trio.TooSlowError(), "did not answer as a WebSocket"),
     (ssl.SSLError(1, "wrong version number"), "TLS"),
     (trio.BrokenResourceError(), "closed the connection")],
)  # fmt: skip
def test_whatever_else_goes_wrong_has_words(error: Exception, words: str) -> None:
    assert words in reason(error, "ws://csms.example")
