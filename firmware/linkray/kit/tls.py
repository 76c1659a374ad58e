"""The self-made certificate and the TLS settings of every listener (access.md, TLS; trust.md A29).

Certificate and key live in one file, so that a power cut leaves either the old pair or the new.
`cryptography` is imported only when a certificate is made.
"""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from linkray.kit.clock import OLDEST

FILE = "self-made.pem"
YEARS = 10
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # trust.md A29: ECDHE and AEAD only


def own_certificate(folder: Path, names: Sequence[str] = ()) -> Path:
    """The box's own certificate with its key, made at first use and kept; safe to call twice.

    `names` are host names besides the machine's own; its addresses at this moment go in too.
    """
    for made in (folder.parent, folder):  # the state folder too, where the pages come up first
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    with _locked(folder / "lock"):
        if not _loads(path):
            if path.exists():  # unreadable: kept aside, dated, never overwritten
                path.rename(path.with_suffix(f".bad-{datetime.now(UTC):%Y%m%dT%H%M%S}"))
            _write(path, make_pem([*own_names(), *names], own_addresses(), datetime.now(UTC)))
    return path


def server_context(pem: Path, alpn: Sequence[str] = ()) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with this certificate; `alpn` as a web server offers it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols(list(alpn))
    context.load_cert_chain(pem)
    return context


def own_names() -> list[str]:
    """What this machine is called."""
    host = socket.gethostname()
    return list(dict.fromkeys(n for n in (host, f"{host}.local", "localhost") if len(n) <= 64))


def own_addresses() -> list[str]:
    """The machine's addresses, from the kernel's own tables; loopback included."""
    found = ["127.0.0.1", "::1"]
    found += _local_v4(_read("/proc/net/fib_trie"))
    for line in _read("/proc/net/if_inet6").splitlines():
        found.append(str(ip_address(bytes.fromhex(line.split()[0]))))
    return list(dict.fromkeys(found))


def _local_v4(trie: str) -> list[str]:
    """The addresses marked `/32 host LOCAL` in the kernel's routing trie."""
    found: list[str] = []
    last = ""
    for line in trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            last = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"] and last:
            found.append(last)
    return found


def make_pem(names: Sequence[str], addresses: Sequence[str], now: datetime) -> bytes:
    """A fresh ECDSA P-256 key and its self-signed certificate, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    start = max(now, OLDEST) - timedelta(days=1)  # usable also where the clock is not set
    also: list[x509.GeneralName] = [x509.DNSName(n) for n in dict.fromkeys(names)]
    also += [x509.IPAddress(ip_address(a)) for a in dict.fromkeys(addresses)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectAlternativeName(also), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


def _loads(pem: Path) -> bool:
    if not pem.exists():
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pem)
    except ssl.SSLError:
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by us alone."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Control and faces start together: one makes the certificate, the other waits for it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""
