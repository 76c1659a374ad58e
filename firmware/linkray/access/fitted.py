"""What an Assembler fits to a box: licence, certificate, brand and meter files, each in a file.

Each is checked whole before anything is touched; then comes the audit line, then the file, then it
is in force. What lies on the disk is checked as it is read, too: a licence that was not signed is
none, wherever it lies. A factory reset takes all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from linkray.hal.files import sync_folder, write_synced
from linkray.kit import tls
from linkray.kit.clock import WallClock
from linkray.model import asks
from linkray.model.asks import Ask, MeterText, ShippedMeter, Who
from linkray.model.branding import Branding
from linkray.model.settings import MeterFileValue
from linkray.model.views import CertificateView, LicenceView
from linkray.store.runner import Runner

from . import certificates, licence
from .certificates import BadCertificate, Facts
from .licence import BadLicence, Licence

LICENCE, BRANDING, METERS, TLS = "licence", "branding", "meters", "tls"  # in the state folder
BRANDING_BYTES_MAX = 2 * 1024 * 1024
METER_FILES_MAX = 50
METER_CHARS_MAX = 64 * 1024
NAME_CHARS_MAX = 50
SELF_MADE = "the self-made one"
FITTING = (
    asks.ReadLicence, asks.ImportLicence, asks.ReadCertificate, asks.InstallCertificate,
    asks.RequestCertificate, asks.DropCertificate, asks.SetBranding, asks.ReadMeterFile,
    asks.AddMeterFile, asks.DeleteMeterFile,
)  # fmt: skip

log = structlog.get_logger(source="ACCESS")


class NotFitted(ValueError):
    """An ask that is refused: the reason, how the desk calls it, and the field that is wrong."""

    def __init__(self, text: str, code: str = "invalid", path: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.path = path


class Audited(Protocol):
    """What is needed of the store."""

    async def audit(self, who: Who, what: str, old: str = "", new: str = "") -> None: ...


class Said(msgspec.Struct, frozen=True):
    """What came of an ask: words for people, data for the page."""

    text: str = ""
    data: object = None


class _OwnMeter(msgspec.Struct, frozen=True):
    """A meter file of one's own: what was found in it, and its text."""

    listed: ShippedMeter
    text: str


class Fitted:
    """Keeps what was fitted and answers whoever asks for it or changes it.

    `folder` None: there is nowhere to keep anything (in simulation), and nothing is taken.
    `connectors` is how many the box may have now; `changed` hears of another number.
    """

    def __init__(
        self, store: Audited, folder: Path | None, runner: Runner, clock: WallClock, *,
        serial: str, public_key: bytes, shipped: int, in_use: Callable[[], int],
        changed: Callable[[int], Awaitable[None]],
        read_meter: Callable[[str], dict[str, MeterFileValue]],
        shipped_meters: Callable[[], tuple[ShippedMeter, ...]],
        note_of: Callable[[str], str] = lambda _text: "",
    ) -> None:  # fmt: skip
        self._store, self._folder, self._runner, self._clock = store, folder, runner, clock
        self._serial, self._public_key, self._shipped = serial, public_key, shipped
        self._in_use, self._changed = in_use, changed
        self._read_meter, self._shipped_meters = read_meter, shipped_meters
        self._note_of = note_of
        self._licence: Licence | None = None
        self._own: dict[str, _OwnMeter] = {}  # by name; each was read once
        self._expires: str | None = None  # of the certificate in force
        self.connectors = shipped
        self.meters: tuple[ShippedMeter, ...] = ()
        self._answerers: dict[type[Ask], Callable[[Any, Who], Awaitable[Said]]] = {
            asks.ReadLicence: self._read_licence,
            asks.ImportLicence: self._import_licence,
            asks.ReadCertificate: self._read_certificate,
            asks.InstallCertificate: self._install,
            asks.RequestCertificate: self._request,
            asks.DropCertificate: self._drop,
            asks.SetBranding: self._set_branding,
            asks.ReadMeterFile: self._meter_text,
            asks.AddMeterFile: self._add_meter,
            asks.DeleteMeterFile: self._delete_meter,
        }

    async def begin(self) -> None:
        """Read what is there; what cannot be is left out, with a line in the log."""
        if self._folder is not None:
            await self._runner.run(self._load)
            self.connectors = self._allowed(self._licence)

    async def look(self) -> str | None:
        """Now and then: whether the licence has expired; the certificate's fault, if there is one.

        The words of the fault CERTIFICATE, None where the certificate has time.
        """
        now = self._allowed(self._licence)
        if now != self.connectors:
            held = self._licence
            log.warning("licence expired" if held else "licence", connectors=now)
            self.connectors = now
            await self._changed(now)
        if self._expires is None:
            return None
        return certificates.expiry_words(self._expires, self._clock.utc())

    async def do(self, ask: Ask, who: Who) -> Said:
        """Carry an ask out; raises `NotFitted` where it is refused, and OSError of the disk."""
        try:
            return await self._answerers[type(ask)](ask, who)
        except BadLicence as error:
            raise NotFitted(f"The licence is not taken: {error}", path="$.text") from None
        except BadCertificate as error:
            raise NotFitted(f"Not taken: {error}") from None

    def _place(self) -> Path:
        if self._folder is None:
            raise NotFitted("There is nowhere to keep it here", "refused")
        return self._folder

    def _load(self) -> None:
        folder = self._place()
        try:
            words = (folder / LICENCE).read_bytes()
            self._licence = licence.read(words, self._public_key, self._serial)
        except FileNotFoundError:
            pass
        except (OSError, BadLicence) as error:
            log.warning("licence not taken", cause=str(error), action="as it was shipped")
        for path in sorted((folder / METERS).glob("*.meter")):
            try:
                found = self._parsed(path.read_text())
                self._own[found.listed.name] = found
            except (OSError, ValueError) as error:
                log.warning("meter file not taken", cause=str(error), action="left out",
                            file=path.name)  # fmt: skip
        self._list_meters()
        self._note_certificate()

    # -- the licence -----------------------------------------------------------------------------

    def _allowed(self, held: Licence | None) -> int:
        """How many connectors may be attached: by the licence until it ends, else as shipped."""
        over = held is None or held.is_over(self._clock.utc())
        return self._shipped if held is None or over else held.connectors

    def _view(self, held: Licence | None) -> LicenceView:
        allowed, in_use = self._allowed(held), self._in_use()
        if held is None:
            return LicenceView(allowed, self._shipped, in_use, self._serial)
        over = held.is_over(self._clock.utc())
        return LicenceView(
            allowed, self._shipped, in_use, self._serial, "expired" if over else "licensed",
            held.customer, held.number, held.issued, held.expires, held.connectors,
        )  # fmt: skip

    async def _read_licence(self, _ask: asks.ReadLicence, _who: Who) -> Said:
        return Said(data=self._view(self._licence))

    async def _import_licence(self, ask: asks.ImportLicence, who: Who) -> Said:
        words = ask.text.encode("utf-8", "replace")
        fresh = await self._runner.run(
            lambda: licence.read(words, self._public_key, self._serial)
        )
        licence.check_end(fresh, self._clock.utc())
        if ask.check_only:
            return Said("The licence is good; nothing was changed", self._view(fresh))
        path = self._place() / LICENCE
        await self._store.audit(
            who, "licence imported", old=_licence_words(self._licence, self._shipped),
            new=_licence_words(fresh, self._shipped),
        )  # fmt: skip
        await self._runner.run(lambda: write_synced(path, words))
        self._licence = fresh
        self.connectors = self._allowed(fresh)
        await self._changed(self.connectors)
        return Said(f"{self.connectors} connectors may be attached now", self._view(fresh))

    # -- the certificate -------------------------------------------------------------------------

    def _note_certificate(self) -> None:
        """When the one in force expires; `cryptography` only where the file does not say."""
        path = tls.in_force(self._place() / TLS)
        self._expires = None
        if not path.exists():
            return  # made with the first listener, for ten years
        try:
            self._expires = tls.expires(path) or self._facts(path).expires
        except (OSError, BadCertificate) as error:
            log.warning("certificate not read", cause=str(error))

    def _facts(self, path: Path) -> Facts:
        return certificates.facts_of(path.read_text())

    def _hosts(self) -> tuple[str, ...]:
        return (*tls.own_names(), *tls.own_addresses())

    def _certificate_view(self) -> CertificateView:
        folder = self._place() / TLS
        path = tls.in_force(folder)
        pem = path.read_text()
        try:
            request = (folder / tls.REQUEST).read_text()
        except FileNotFoundError:
            request = None
        facts = certificates.facts_of(pem)
        return _shown(
            facts, self_made=path.name == tls.FILE, request=request,
            pem=certificates.public_part(pem), hosts=self._hosts(),
        )  # fmt: skip

    async def _read_certificate(self, _ask: asks.ReadCertificate, _who: Who) -> Said:
        return Said(data=await self._runner.run(self._certificate_view))

    async def _install(self, ask: asks.InstallCertificate, who: Who) -> Said:
        folder = self._place() / TLS
        utc = self._clock.utc()

        def checked() -> certificates.Pair:
            key = ask.key
            if not key.strip():
                try:
                    key = (folder / tls.REQUEST_KEY).read_text()
                except FileNotFoundError:
                    raise BadCertificate("expected its key too: no request was made on this box "
                                         "that it could belong to") from None  # fmt: skip
            return certificates.pair(ask.certificate, key, self._hosts(), utc)

        made = await self._runner.run(checked)
        shown = _shown(made.facts, notes=made.notes, pem=ask.certificate, hosts=self._hosts())
        if ask.check_only:
            return Said("Certificate and key belong together; nothing was changed", shown)
        new = f"{made.facts.subject}, {made.facts.fingerprint}, until {made.facts.expires}"
        await self._store.audit(who, "certificate installed", new=new)
        try:
            await self._runner.run(lambda: self._put_in(folder, made.pem))
        except tls.NotTaken as error:
            raise BadCertificate(str(error)) from None
        self._expires = made.facts.expires
        return Said("The certificate is in force for every new connection", shown)

    def _put_in(self, folder: Path, pem: bytes) -> None:
        """A request that this answers is done; another's key may yet get its certificate."""
        tls.put_in(folder, pem)
        try:
            waiting = (folder / tls.REQUEST_KEY).read_text()
        except FileNotFoundError:
            waiting = ""
        if not waiting or certificates.belong(pem.decode(), waiting):
            tls.take_out(folder, tls.REQUEST, tls.REQUEST_KEY)
        sync_folder(folder)

    async def _request(self, ask: asks.RequestCertificate, who: Who) -> Said:
        folder = self._place() / TLS
        key, made = await self._runner.run(
            lambda: certificates.request(ask.name, ask.also, ask.organisation)
        )
        await self._store.audit(who, "certificate requested", new=", ".join((ask.name, *ask.also)))

        def keep() -> None:
            tls.write_private(folder / tls.REQUEST_KEY, key)
            tls.write_private(folder / tls.REQUEST, made)
            sync_folder(folder)

        await self._runner.run(keep)
        view = await self._runner.run(self._certificate_view)
        return Said("The request is made; its key stays on this box", view)

    async def _drop(self, _ask: asks.DropCertificate, who: Who) -> Said:
        folder = self._place() / TLS
        await self._store.audit(who, "certificate dropped", new=SELF_MADE)

        def drop() -> CertificateView:
            tls.own_certificate(folder)
            tls.take_out(folder, tls.UPLOADED, tls.REQUEST, tls.REQUEST_KEY)
            sync_folder(folder)
            self._note_certificate()
            return self._certificate_view()

        return Said(f"Back to {SELF_MADE}", await self._runner.run(drop))

    # -- the brand -------------------------------------------------------------------------------

    async def _set_branding(self, ask: asks.SetBranding, who: Who) -> Said:
        path, brand = self._place() / BRANDING, ask.branding
        words = msgspec.json.encode(brand)
        if len(words) > BRANDING_BYTES_MAX:
            raise NotFitted(f"Expected at most {BRANDING_BYTES_MAX} bytes, got {len(words)}")
        is_none = brand == Branding()
        new = "none" if is_none else f"{brand.head_text!r}, {hashlib.sha256(words).hexdigest()}"
        await self._store.audit(who, "branding", new=new)

        def keep() -> None:
            if is_none:
                path.unlink(missing_ok=True)
                sync_folder(path.parent)
            else:
                write_synced(path, words)

        await self._runner.run(keep)
        return Said("LinkRay's own look" if is_none else "The branding is in force")

    # -- the meter files -------------------------------------------------------------------------

    def _parsed(self, text: str) -> _OwnMeter:
        """What a meter file says; raises ValueError where it is none, and where it has no name."""
        file = self._read_meter(text)
        name = str(file.get("name", "")).strip()
        if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
            raise ValueError(f"name: expected a name of 1 to {NAME_CHARS_MAX} characters")
        return _OwnMeter(ShippedMeter(name, file, self._note_of(text), own=True), text)

    def _list_meters(self) -> None:
        self.meters = tuple(
            self._own[name].listed for name in sorted(self._own, key=lambda one: one.lower())
        )

    def _own_text(self, name: str) -> str:
        found = self._own.get(name)
        if found is None:
            raise NotFitted(f"Expected the name of an uploaded meter file, got "
                            f"{name[:NAME_CHARS_MAX]!r}", "unknown")  # fmt: skip
        return found.text

    def _meter_path(self, name: str) -> Path:
        """A name of our own making: what a file calls itself is no path."""
        return self._place() / METERS / f"{hashlib.sha256(name.encode()).hexdigest()[:20]}.meter"

    async def _meter_text(self, ask: asks.ReadMeterFile, _who: Who) -> Said:
        return Said(data=MeterText(ask.name, self._own_text(ask.name)))

    async def _add_meter(self, ask: asks.AddMeterFile, who: Who) -> Said:
        if len(ask.text) > METER_CHARS_MAX:
            raise NotFitted(f"Expected at most {METER_CHARS_MAX} characters")
        try:
            found = self._parsed(ask.text)
        except ValueError as error:
            raise NotFitted(str(error)) from None
        listed, name = found.listed, found.listed.name
        if any(one.name.lower() == name.lower() for one in self._shipped_meters()):
            raise NotFitted(f"name: {name!r} is shipped with LinkRay; give yours another")
        known = name in self._own
        if not known and len(self._own) >= METER_FILES_MAX:
            raise NotFitted(f"Expected at most {METER_FILES_MAX} files; delete one first")
        if ask.check_only:
            return Said(f"{name} is replaced" if known else f"{name} is new", listed)
        path = self._meter_path(name)
        await self._store.audit(who, "meter file", old=name if known else "", new=name)

        def keep() -> None:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_synced(path, ask.text.encode())
            sync_folder(path.parent.parent)

        await self._runner.run(keep)
        self._own[name] = found
        self._list_meters()
        return Said(f"{name} is kept", listed)

    async def _delete_meter(self, ask: asks.DeleteMeterFile, who: Who) -> Said:
        self._own_text(ask.name)
        path = self._meter_path(ask.name)
        await self._store.audit(who, "meter file", old=ask.name, new="deleted")

        def drop() -> None:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)

        await self._runner.run(drop)
        self._own.pop(ask.name, None)
        self._list_meters()
        return Said(f"{ask.name} is deleted")


def _shown(facts: Facts, *, self_made: bool = False, **more: Any) -> CertificateView:
    told = {name: getattr(facts, name) for name in facts.__struct_fields__}
    return CertificateView(**told, self_made=self_made, **more)


def _licence_words(held: Licence | None, shipped: int) -> str:
    if held is None:
        return f"{shipped} connectors, as shipped"
    ends = held.expires or "without an end"
    return f"{held.connectors} connectors, {held.number or 'no number'}, {ends}"
