"""Certificates that no CSMS may come with (trust.md 3, A29): each is refused, with a reason.

Of trust.md's twelve, the expired, the young, the wrong name and the unknown issuer are in
`test_reasons.py`. Revoked ones are not known to be: no list is fetched (csms.md names none).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.unit.csms.authority import DAY, HOST, NOW
from tests.unit.csms.test_reasons import refused

from linkray.csms.task import client_context

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CLIENT = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])


class Signed:
    """A certificate, its key, and by whom."""

    def __init__(
        self, name: str, by: Signed | None = None, *, key: Key | None = None,
        ca: bool | None = None,
        also: tuple[x509.ExtensionType, ...] = (),
    ) -> None:  # fmt: skip
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        by = by or self
        made = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(by.name)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
        )  # fmt: skip
        if ca is not None:
            made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        for extension in also:
            made = made.add_extension(extension, critical=False)
        self.pem = made.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def serves(self, folder: Path, *chain: Signed) -> ssl.SSLContext:
        secret = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )  # fmt: skip
        (folder / "server.pem").write_bytes(b"".join([self.pem, *(c.pem for c in chain), secret]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # the server does what it likes
        context.load_cert_chain(folder / "server.pem")
        return context


NAMED = x509.SubjectAlternativeName([x509.DNSName(HOST)])
Case = Callable[[Path], tuple[ssl.SSLContext, Signed]]


def good(folder: Path) -> tuple[ssl.SSLContext, Signed]:
    root = Signed("root", ca=True)
    return Signed(HOST, root, also=(NAMED,)).serves(folder), root


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Signed]:
    return Signed(HOST, also=(NAMED,)).serves(folder), Signed("root", ca=True)


def for_clients_only(folder: Path) -> tuple[ssl.SSLContext, Signed]:
    root = Signed("root", ca=True)
    return Signed(HOST, root, also=(NAMED, CLIENT)).serves(folder), root


def by_one_that_is_no_authority(folder: Path) -> tuple[ssl.SSLContext, Signed]:
    root = Signed("root", ca=True)
    middle = Signed("middle", root, ca=False)
    return Signed(HOST, middle, also=(NAMED,)).serves(folder, middle), root


def with_a_gap_in_its_chain(folder: Path) -> tuple[ssl.SSLContext, Signed]:
    root = Signed("root", ca=True)
    middle = Signed("middle", root, ca=True)
    return Signed(HOST, middle, also=(NAMED,)).serves(folder), root


def outside_its_authority_s_names(folder: Path) -> tuple[ssl.SSLContext, Signed]:
    root = Signed("root", ca=True)
    theirs = x509.NameConstraints([x509.DNSName("elsewhere.example")], None)
    middle = Signed("middle", root, ca=True, also=(theirs,))
    return Signed(HOST, middle, also=(NAMED,)).serves(folder, middle), root


def of_a_short_key(folder: Path) -> tuple[ssl.SSLContext, Signed]:
    root = Signed("root", ca=True)
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return Signed(HOST, root, key=short, also=(NAMED,)).serves(folder), root


BAD: tuple[Case, ...] = (
    self_signed, for_clients_only, by_one_that_is_no_authority, with_a_gap_in_its_chain,
    outside_its_authority_s_names, of_a_short_key,
)  # fmt: skip


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.__name__)
async def test_a29_a_bad_certificate_of_a_csms_is_refused_with_a_reason(
    case: Case, tmp_path: Path
) -> None:
    server, root = case(tmp_path)

    why = await refused(server, root.pem.decode())

    assert why, "it was let through"
    assert why.isprintable()


async def test_a29_the_same_without_its_fault_is_taken(tmp_path: Path) -> None:
    server, root = good(tmp_path)

    assert await refused(server, root.pem.decode()) == ""


async def test_a29_a_csms_that_speaks_only_old_tls_is_refused(tmp_path: Path) -> None:
    server, root = good(tmp_path)
    server.minimum_version = ssl.TLSVersion.TLSv1_2
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    server.set_ciphers("AES128-SHA:@SECLEVEL=0")  # no ephemeral key

    assert await refused(server, root.pem.decode())


def test_a29_what_is_signed_with_sha1_is_below_the_level_of_the_library() -> None:
    """Level 2 of OpenSSL refuses SHA-1, and keys of less than 2,048 bits as above."""
    assert client_context(Signed("root", ca=True).pem.decode()).security_level >= 2
