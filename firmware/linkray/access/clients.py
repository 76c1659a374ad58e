"""Client certificates: made here for a person, handed over once, revoked, asked for by level.

The box is their authority: its key never leaves the state folder, and no key of a certificate is
kept at all. A factory reset takes all of it. Whose accounts ask for one is changed only by who has
shown one that opens them: nobody shuts the door behind which he stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import structlog

from linkray.kit import tls
from linkray.kit.clock import WallClock, stamp
from linkray.model import asks
from linkray.model.asks import ASSEMBLER, LOCAL, Ask, Who
from linkray.model.clients import (
    CLIENTS,
    LEVELS,
    ClientCertificate,
    Clients,
    is_valid,
    read_clients,
    write_clients,
)
from linkray.model.views import ClientsView, MadeClient
from linkray.store.runner import Runner

from .fitted import NotFitted, Said

FOLDER = "clients"  # in the state folder
KEY, ASKED = "authority.pem", "asked.pem"  # `asked`: who signs what the pages' listener asks for
CLIENTS_MAX = 100  # more than people who look after one site
NAME_CHARS_MAX = 64  # of a common name (X.520)
DAYS_MAX = 3_660
WORD_CHARS_MIN, WORD_CHARS_MAX = 8, 128  # of the file's password
YEARS = 20
KEEPING = (asks.MakeClient, asks.RevokeClient, asks.RemoveClients, asks.RequireClients)

log = structlog.get_logger(source="ACCESS")


class ClientStore(Protocol):
    """What is needed of the store."""

    async def audit(self, who: Who, what: str, old: str = "", new: str = "") -> None: ...
    async def remember(self, key: str, value: str) -> None: ...
    def recall(self, key: str) -> str | None: ...


class Made(NamedTuple):
    """A certificate just made: its number, its digest, its end, and the file with its key."""

    id: str
    fingerprint: str
    expires: datetime
    content: bytes


class ClientDesk:
    """Makes and revokes; answers whoever asks for it.

    `folder` None: there is nowhere to keep the authority (in simulation), and none is made.
    `turn`: a lock; who changes the list has read it as it is. `stir`: what was changed is to be
    seen at once.
    """

    def __init__(
        self, store: ClientStore, folder: Path | None, runner: Runner, clock: WallClock, *,
        serial: str, turn: AbstractAsyncContextManager[Any],
        stir: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._store, self._runner, self._clock = store, runner, clock
        self._folder = None if folder is None else folder / FOLDER
        self._serial, self._stir = serial, stir
        self._turn = turn
        self._answerers: dict[type[Ask], Callable[[Any, Who], Awaitable[Said]]] = {
            asks.MakeClient: self._make,
            asks.RevokeClient: self._revoke,
            asks.RemoveClients: self._remove,
            asks.RequireClients: self._require,
        }

    async def do(self, ask: Ask, who: Who) -> Said:
        """Carry an ask out; raises `NotFitted` where it is refused, and OSError of the disk."""
        async with self._turn:
            return await self._answerers[type(ask)](ask, who)

    def _now(self) -> Clients:
        return read_clients(self._store.recall(CLIENTS))

    async def _keep(self, clients: Clients) -> None:
        await self._store.remember(CLIENTS, write_clients(clients))
        self._stir()

    def _view(self) -> ClientsView:
        now = self._now()
        return ClientsView(now.certificates, now.required)

    async def _make(self, ask: asks.MakeClient, who: Who) -> Said:
        folder, now = self._folder, self._now()
        if folder is None:
            raise NotFitted("There is nowhere to keep it here", "refused")
        _check(ask)
        if len(now.certificates) >= CLIENTS_MAX:
            raise NotFitted(f"There are {CLIENTS_MAX} certificates already: remove one first",
                            "refused")  # fmt: skip
        utc = self._clock.utc()
        made = await self._runner.run(lambda: _made(folder, ask, self._serial, utc))
        fresh = ClientCertificate(
            made.id, ask.name, ask.level, who.name, stamp(utc), stamp(made.expires),
            made.fingerprint,
        )  # fmt: skip
        await self._store.audit(who, "client certificate made", new=_words(fresh))
        await self._keep(now.changed((*now.certificates, fresh)))
        return Said("The certificate is made; its file is handed over this once",
                    MadeClient(fresh, made.content))  # fmt: skip

    async def _revoke(self, ask: asks.RevokeClient, who: Who) -> Said:
        """Revoked for good; one that has been so for long, or is over, leaves the list."""
        now, utc = self._now(), self._clock.stamp()
        found = next((one for one in now.certificates if one.id == ask.id), None)
        if found is None:
            raise NotFitted(f"Expected a certificate that there is, got {ask.id[:40]!r}",
                            "unknown")  # fmt: skip
        rest = tuple(one for one in now.certificates if one.id != ask.id)
        if not is_valid(found, utc):
            await self._store.audit(who, "client certificate off the list", old=_words(found))
            await self._keep(now.changed(rest))
            return Said("The certificate is off the list", self._view())
        _check_way_back(now, rest, who, found, utc)
        await self._store.audit(who, "client certificate revoked", old=_words(found))
        revoked = ClientCertificate(
            found.id, found.name, found.level, found.by, found.made, found.expires,
            found.fingerprint, utc,
        )  # fmt: skip
        held = tuple(revoked if one is found else one for one in now.certificates)
        await self._keep(now.changed(held))
        return Said("The certificate is revoked", self._view())

    async def _remove(self, _ask: asks.RemoveClients, who: Who) -> Said:
        await self._clear(who)
        return Said("Client certificates are removed, and no account asks for one", self._view())

    async def clear(self, who: Who) -> None:
        """As if there had never been one: also the authority goes (decided.md, Reset)."""
        async with self._turn:
            await self._clear(who)

    async def _clear(self, who: Who) -> None:
        now, folder = self._now(), self._folder
        if not now.certificates and not now.required:
            return
        await self._store.audit(
            who, "client certificates removed", old=f"{len(now.certificates)} of them"
        )
        await self._keep(now.changed((), ()))
        if folder is not None:
            await self._runner.run(lambda: tls.take_out(folder, ASKED, KEY))

    async def _require(self, ask: asks.RequireClients, who: Who) -> Said:
        now, level = self._now(), ask.level
        if level not in LEVELS:
            raise NotFitted(f"Expected a level from 1 to 3, got {level}", path="$.level")
        if not ask.on:
            await self._store.audit(who, f"client certificate of level {level}", new="not asked")
            await self._keep(now.without(level))
            return Said(f"Level {level} opens without a client certificate", self._view())
        if who.level < LOCAL and not now.opens(level, who.certificate, self._clock.stamp()):
            raise NotFitted(
                "Come with a valid client certificate of that level or above first: else nobody "
                "could get in again", "refused", "$.level",
            )  # fmt: skip
        required = tuple(sorted({*now.required, level}))
        await self._store.audit(who, f"client certificate of level {level}", new="asked for")
        await self._keep(now.changed(required=required))
        return Said(f"Level {level} opens with a client certificate only", self._view())


def _check(ask: asks.MakeClient) -> None:
    name, word = ask.name, ask.password
    if not name or len(name) > NAME_CHARS_MAX or not name.isprintable() or name != name.strip():
        raise NotFitted(f"Expected a name of 1 to {NAME_CHARS_MAX} characters that can be read",
                        path="$.name")  # fmt: skip
    if ask.level not in LEVELS:
        raise NotFitted(f"Expected a level from 1 to 3, got {ask.level}", path="$.level")
    if not 1 <= ask.days <= DAYS_MAX:
        raise NotFitted(f"Expected from 1 to {DAYS_MAX} days, got {ask.days}", path="$.days")
    if not WORD_CHARS_MIN <= len(word) <= WORD_CHARS_MAX or not word.isprintable():
        raise NotFitted(f"Expected a password of {WORD_CHARS_MIN} to {WORD_CHARS_MAX} characters",
                        path="$.password")  # fmt: skip


def _check_way_back(
    now: Clients, rest: tuple[ClientCertificate, ...], who: Who, found: ClientCertificate, utc: str
) -> None:
    """Where the Assembler's account asks for one, another that opens it must be left."""
    if ASSEMBLER not in now.required or who.level >= LOCAL or found.level < ASSEMBLER:
        return
    if found.fingerprint == who.certificate:
        raise NotFitted("It is the one you came with: come with another one first", "refused")
    if not any(one.level >= ASSEMBLER and is_valid(one, utc) for one in rest):
        raise NotFitted("It is the last one that opens Assembler: make another one first",
                        "refused")  # fmt: skip


def _words(one: ClientCertificate) -> str:
    return f"{one.name!r}, level {one.level}, until {one.expires}, number {one.id}"


# -- the authority ---------------------------------------------------------------------------------


def _made(folder: Path, ask: asks.MakeClient, box: str, utc: datetime) -> Made:
    """A key and its certificate in a PKCS#12 file with the person's password."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import pkcs12
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    signer, authority = _authority(folder, box, utc)
    key = ec.generate_private_key(ec.SECP256R1())
    expires = utc.replace(microsecond=0) + timedelta(days=ask.days)
    subject = x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, ask.name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"LinkRay {box}"[:64]),
    ])  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc - timedelta(days=1))
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    content = pkcs12.serialize_key_and_certificates(
        f"{ask.name} at LinkRay {box}".encode(), key, made, [authority],
        serialization.BestAvailableEncryption(ask.password.encode()),
    )  # fmt: skip
    digest = made.fingerprint(hashes.SHA256()).hex()
    return Made(f"{made.serial_number:x}", digest, expires.astimezone(UTC), content)


def _authority(folder: Path, box: str, utc: datetime) -> tuple[Any, Any]:
    """The box's own, made at first use: its key, and the certificate that listeners ask by."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        pem = (folder / KEY).read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        found = x509.load_pem_x509_certificate(pem)
    except (FileNotFoundError, ValueError) as error:
        log.info("authority of client certificates made", cause=type(error).__name__)
    else:
        _ask_by(folder, found.public_bytes(serialization.Encoding.PEM))
        return key, found
    fresh = ec.generate_private_key(ec.SECP256R1())
    # a name of its own: a browser must not offer what another authority of this box has signed
    own = x509.SubjectKeyIdentifier.from_public_key(fresh.public_key()).digest.hex()[:8]
    called = f"LinkRay {box[:40]} people {own}"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, called)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(fresh.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc - timedelta(days=1))
        .not_valid_after(utc + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(fresh, hashes.SHA256())
    )
    secret = fresh.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    tls.write_private(folder / KEY, secret + public)
    _ask_by(folder, public)
    return fresh, made


def _ask_by(folder: Path, public: bytes) -> None:
    path = folder / ASKED
    if not path.exists() or path.read_bytes() != public:
        tls.write_private(path, public)
