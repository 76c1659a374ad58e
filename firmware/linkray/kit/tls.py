"""The box's certificates and the TLS settings of every listener (access.md, TLS; trust.md A29).

Certificate and key live in one file, so that a power cut leaves either the old pair or the new.
`cryptography` is imported only when a certificate is made or its names are read.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from linkray.kit.clock import OLDEST

FILE = "self-made.pem"
UPLOADED = "uploaded.pem"  # while it is there and can be read, it is the one in force
REQUEST_KEY = "request.pem"  # of the certificate that an authority was asked for
REQUEST = "request.csr"
YEARS = 10
EXPIRES = re.compile(rb"^# expires (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$")
NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
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
            pem = make_pem([*own_names(), *names], own_addresses(), datetime.now(UTC))
            write_private(path, pem)
    return path


class NotTaken(ValueError):
    """A pair of certificate and key that OpenSSL does not serve: says why."""


class Certificate:
    """The certificate in force for a listener: looked at for each connection, so that another one
    holds from the next handshake on and ends no connection that there is.
    """

    def __init__(
        self, folder: Path, alpn: Sequence[str] = (), clients: Path | None = None
    ) -> None:
        """`clients`: while it is there, connections are asked for a certificate that it signed."""
        own_certificate(folder)
        self._folder = folder
        self._alpn = alpn
        self._clients = clients
        self._seen: object = None
        self._context = server_context(folder / FILE, alpn)
        self._names: frozenset[str] = frozenset()
        self.context()

    def context(self) -> ssl.SSLContext:
        """With the pair that is there now; what cannot be read changes nothing.

        A fresh one each time: a context that is told a second key keeps the first, where the two
        are of another kind.
        """
        own = self._folder / UPLOADED, self._folder / FILE
        seen = tuple(_look(one) for one in (*own, self._clients) if one is not None)
        if seen != self._seen and any(seen):
            self._seen = seen
            path = in_force(self._folder)
            with suppress(OSError, ssl.SSLError):
                self._context = server_context(path, self._alpn, self._clients)
                self._names = frozenset(names_in(path)) if path.name == UPLOADED else frozenset()
        return self._context

    def covers(self, host: str) -> bool:
        """Whether an uploaded certificate names this host (lower case)."""
        self.context()
        return host in self._names or f"*.{host.partition('.')[2]}" in self._names


def in_force(folder: Path) -> Path:
    """The pair that was put in, while it can be read; else the self-made one."""
    uploaded = folder / UPLOADED
    return uploaded if _loads(uploaded) else folder / FILE


def put_in(folder: Path, pem: bytes) -> None:
    """A pair is in force from now on; raises `NotTaken`, and then nothing was changed."""
    trial = folder / "trial.pem"
    write_private(trial, pem)
    try:
        server_context(trial)
    except ssl.SSLError as error:
        trial.unlink()
        raise NotTaken(f"OpenSSL does not serve it: {error.reason or error}") from None
    trial.replace(folder / UPLOADED)


def expires_line(at: datetime) -> bytes:
    """The first line of a pair's file: when it expires, for who does not read certificates."""
    return f"# expires {at.isoformat(timespec='seconds').replace('+00:00', 'Z')}\n".encode()


def expires(pem: Path) -> str | None:
    """What that line says (ISO 8601, UTC); None where there is none. Raises OSError."""
    with pem.open("rb") as file:
        found = EXPIRES.match(file.readline(200))
    return found[1].decode() if found else None


def take_out(folder: Path, *names: str) -> None:
    """These files of the folder are gone."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def names_in(pem: Path) -> list[str]:
    """The host names that a certificate is for, lower case."""
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificate(pem.read_bytes())
        also = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return []
    return [name.lower() for name in also.get_values_for_type(x509.DNSName)]


def server_context(
    pem: Path, alpn: Sequence[str] = (), clients: Path | None = None
) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with this certificate; `alpn` as a web server offers it.

    Whoever connects may show a certificate that `clients` has signed, and need not. When one ends
    is not looked at here, so that it can be said in words, and on a box whose clock is not set.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols(list(alpn))
    context.load_cert_chain(pem)
    if clients is not None and clients.exists():
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= NO_CHECK_TIME
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
    end = start + timedelta(days=365 * YEARS)
    also: list[x509.GeneralName] = [x509.DNSName(n) for n in dict.fromkeys(names)]
    also += [x509.IPAddress(ip_address(a)) for a in dict.fromkeys(addresses)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
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
    return expires_line(end) + secret + certificate.public_bytes(serialization.Encoding.PEM)


def _loads(pem: Path) -> bool:
    if not pem.exists():
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pem)
    except ssl.SSLError:
        return False
    return True


def write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by us alone."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _look(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


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
