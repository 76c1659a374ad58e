"""A browser and a box for tests: the whole web application in process, before a real desk."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json as jsonlib
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio
from tests.kept import keep_sessions
from tests.unit.desk.stand import Meters, Sealing, Shelf

from linkray.access.clients import KEEPING, ClientDesk
from linkray.access.door import Door
from linkray.access.fitted import NotFitted
from linkray.access.keys import new_key
from linkray.access.task import TAG_ASKS, TagAsk, TagRoom
from linkray.desk.desk import READS, no, yes
from linkray.desk.snapshot import Seen
from linkray.desk.task import Desk
from linkray.faces.client import ControlAway
from linkray.faces.web.api import Api
from linkray.faces.web.app import build_app
from linkray.faces.web.guard import CERTIFICATE
from linkray.faces.web.handed import Folder
from linkray.faces.web.history import History
from linkray.faces.web.problem import Problem
from linkray.faces.web.static import file_of
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock, stamp
from linkray.model import asks
from linkray.model.asks import Answer
from linkray.model.delivery import DeliveryTested, DeliveryView
from linkray.model.history import MINUTES, Slot, mean_of
from linkray.model.tags import Tag
from linkray.model.views import (
    Began,
    CertificateView,
    CsmsQueue,
    FirmwareShelf,
    Handed,
    ImageSlot,
    Losses,
    NetworkLink,
    Report,
    RestartsRead,
    SetAsideMessage,
    Snapshot,
    StorageView,
    UplinkTested,
)
from linkray.records.books import Books
from linkray.store.audit import START as AUDIT_START
from linkray.store.audit import AuditChain, AuditLine, AuditPage, AuditQuery, entry_of
from linkray.store.audit import hash_of as hash_of_line
from linkray.store.db import Store
from linkray.store.runner import Inline
from linkray.upkeep.alerts import AlertBook, BadSpan
from linkray.upkeep.ocpplog import FrameLog, content

T = TypeVar("T")
START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HOST = "linkray-1.local"
WORDS = {"EV": "red whale sings loud", "Installer": "green whale sings soft",
         "Assembler": "blue whale sings low"}  # fmt: skip
PRINTED = "the printed password"
@functools.cache
def one_session() -> tempfile.TemporaryDirectory[str]:
    """A state folder with one session in its database, for whom it does not matter which."""
    folder = tempfile.TemporaryDirectory()
    keep_sessions(Path(folder.name), {})
    return folder


def hash_of(password: str) -> str:
    digest = base64.b64encode(hashlib.sha256(password.encode()).digest()).decode().rstrip("=")
    return f"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${digest}"


def code_of(secret: str, box: Box, steps: int = 0) -> str:
    """What an authenticator app shows at the box's time, by RFC 6238 and not by our library."""
    step = int(box.clock.utc().timestamp()) // 30 + steps
    mac = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    place = mac[-1] & 15
    number = int.from_bytes(mac[place : place + 4], "big") & 0x7FFF_FFFF
    return f"{number % 1_000_000:06}"


class QuickHashing:
    """Argon2id's form without its slowness."""

    async def hash(self, password: str) -> str:
        await trio.lowlevel.checkpoint()
        return hash_of(password)

    async def is_password(self, kept: str, password: str) -> bool:
        await trio.lowlevel.checkpoint()
        return kept == hash_of(password)


class InProcess:
    """A desk's client without a socket; `away` is control having gone."""

    def __init__(self, desk: Desk) -> None:
        self.snapshot: Cell[bytes | None] = Cell(None)
        self.desk = desk
        self.away = False
        self.asked: list[asks.Ask] = []

    async def ask(self, ask: asks.AnyAsk, who: asks.Who, within_s: float = 10.0) -> Answer:
        if self.away:
            raise ControlAway("LinkRay's control does not run")
        self.asked.append(ask)
        answer = await self.desk.ask(ask, who, within_s)
        if not isinstance(ask, READS):
            self.push()
        return answer

    def push(self) -> None:
        self.snapshot.set(None if self.away else msgspec.json.encode(self.desk.look()))


class Past(History):
    """Minutes of the site's past, and the audit log as it was written down in memory, chained as
    the store does it; or no database that can be read.
    """

    def __init__(self, shelf: Shelf, state: Path) -> None:
        super().__init__(state)
        self._shelf = shelf
        self.kept: dict[int, Slot] = {}  # minutes of the site's past
        self.is_away = False

    async def minutes(self, first: int, last: int) -> list[tuple[int, Slot]]:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise Problem(503, "expected a database", retry_s=2)
        return [(n, self.kept[n]) for n in sorted(self.kept) if first <= n // MINUTES < last]

    async def quarters(self, first: int, last: int) -> list[tuple[int, Slot]]:
        found: dict[int, list[Slot]] = {}
        for number, slot in await self.minutes(first, last):
            found.setdefault(number // MINUTES, []).append(slot)
        return [(number, mean_of(slots)) for number, slots in found.items()]

    async def beside(self, work: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        return work()

    async def quarters_there(self, first: int, last: int) -> list[int]:
        return [number for number, _slot in await self.quarters(first, last)]

    def lines(self) -> list[AuditLine]:
        made, before = [], AUDIT_START
        for place, (who, what) in enumerate(self._shelf.audit):
            line = AuditLine(place + 1, stamp(START), who, 3, "192.0.2.7", what, "", "")
            made.append(msgspec.structs.replace(line, hash=hash_of_line(line, before)))
            before = made[-1].hash
        return made

    async def audit_page(self, query: AuditQuery) -> AuditPage:
        await trio.lowlevel.checkpoint()
        found = [one for one in reversed(self.lines()) if query.who in one.who]
        here = [one for one in found if query.before is None or one.seq < query.before]
        return AuditPage(tuple(map(entry_of, here[: min(query.limit, 2)])), len(found))

    async def audit_chain(self) -> AuditChain:
        await trio.lowlevel.checkpoint()
        count = len(self.lines())
        return AuditChain(count, count, holds=True)
async def certificate(_ask: asks.ReadCertificate, _who: asks.Who) -> Answer:
    found = CertificateView("Box", "Box", (), "", "", "EC 256 bits", "AB", self_signed=True,
                            self_made=True, request="REQUEST", pem="CERTIFICATE")  # fmt: skip
    return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(found)))


async def meter_text(ask: asks.ReadMeterFile, _who: asks.Who) -> Answer:
    found = asks.MeterText(ask.name, "{}")
    return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(found)))


ACTS = (  # they are written down, and answered with yes
    asks.StartCharging, asks.StopCharging, asks.SetPriority, asks.DeleteCharger,
    asks.SetEmergencyStop, asks.Identify, asks.ReadPassports, asks.ReadPassport,
    asks.ImportPassports, asks.ProbeAgain, asks.SetUplinkPassword, asks.SayAgain,
    asks.RemoveSetAside, asks.LetQueueGo, asks.SeeAlerts, asks.Restart, asks.CancelRestart,
    asks.SetLogLevel, asks.ImportLicence, asks.InstallCertificate, asks.DropCertificate,
    asks.RequestCertificate, asks.SetBranding, asks.AddMeterFile, asks.DeleteMeterFile,
    asks.ReadLicence, asks.FactoryReset, asks.ReadConfiguration, asks.ChangeKey,
    asks.ActAtCharger, asks.KeepFirmware, asks.DeleteFirmware, asks.UpdateFirmware,
    asks.GetDiagnostics, asks.ReadDiagnostics, asks.ReadChargerLinks, asks.SetChargerPassword,
    asks.RemoveChargerPassword, asks.ReadNetwork, asks.ReadNeighbours,
    asks.SendDelivery, asks.SetDeliveryPassword,
)  # fmt: skip


class Noted:
    """What the clients' desk needs of a store: the shelf's audit log and memory."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.recall, self.remember = shelf.recall, shelf.remember

    async def audit(self, who: asks.Who, what: str, old: str = "", new: str = "") -> None:
        self._shelf.audit.append((who.name, f"{what} {old}{new}"))


class Box:
    """One LinkRay: store, desk, web application; acts are written down and done."""

    def __init__(
        self, *, commissioned: bool = True, seen: Seen | None = None, state: Path | None = None
    ) -> None:
        self.state = state or Path(one_session().name)  # where the database of its sessions is
        self.shelf = Shelf(commissioned=commissioned)
        self.seen = seen or Seen(serial="LR1", version="1.2.3")
        self.clock = WallClock.fixed(START)
        self.did: list[asks.Ask] = []
        self.aside: list[SetAsideMessage] = []
        self.frames = FrameLog(self.clock.utc)
        self.ceiling = Sealing(self.shelf)
        self.store: Store | None = None  # of the tags, once they are asked for
        self.alerts = AlertBook()
        self.lines = ["2026-11-21T08:00:00.000Z: [LINKRAY ] control is up", "Repeated 2 times"]
        self.restarted: list[str] = []
        if commissioned:
            for name, word in WORDS.items():
                old = self.shelf.kept[name]
                self.shelf.kept[name] = asks.Account(name, old.level, hash_of(word))
        else:
            self.shelf.kept["Assembler"] = asks.Account(
                "Assembler", 3, hash_of(PRINTED), first=True
            )

    async def open(self) -> Box:
        async def act(ask: asks.Ask, _who: asks.Who) -> Answer:
            self.did.append(ask)
            return Answer(ok=True, text="Done")

        async def pack(_ask: asks.Ask, _who: asks.Who) -> Answer:
            bundle = asks.SupportBundle("linkray-LR1.zip", b"PK")
            return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(bundle)))

        async def tried(ask: asks.TryUplink, _who: asks.Who) -> Answer:
            self.did.append(ask)
            found = UplinkTested(reached=True, text=f"{ask.url} lets it in")
            return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(found)))

        async def aside(ask: asks.ReadSetAside, _who: asks.Who) -> Answer:
            found = [one for one in self.aside if one.number > ask.after][: min(ask.limit, 2)]
            return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(found)))

        async def queue(ask: asks.ReadQueue, who: asks.Who) -> Answer:
            self.did.append(ask)
            return await aside(asks.ReadSetAside(ask.after, ask.limit), who)

        async def queues(_ask: asks.ReadQueues, _who: asks.Who) -> Answer:
            found = [CsmsQueue("ws://former.example", is_set=False, messages=5, chargers=1)]
            return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(found)))

        async def read_frames(ask: asks.ReadFrames, _who: asks.Who) -> Answer:
            found = self.frames.read(ask.after, ask.limit, ask.charger, ask.ways)
            return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(found)))

        async def frame_file(ask: asks.ReadFrameFile, _who: asks.Who) -> Answer:
            found = self.frames.file(ask.number)
            if found is None:
                return no("unknown", "Expected a file that there is")
            file = asks.FrameFile(found[0], content(found[1]))
            return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(file)))

        own = {asks.ReadBundle: pack, asks.TryUplink: tried, asks.ReadSetAside: aside,
               asks.ReadFrames: read_frames, asks.ReadFrameFile: frame_file,
               asks.ReadQueues: queues, asks.ReadQueue: queue,
               **dict.fromkeys(TAG_ASKS, self._tags), **self._upkeep(), **self._of_files(),
               **dict.fromkeys(KEEPING, self._keep_clients),
               asks.ReadCertificate: certificate, asks.ReadMeterFile: meter_text}  # fmt: skip
        self.desk = Desk(
            self.shelf, lambda: self.seen, dict.fromkeys(ACTS, act) | own,
            meters=Meters(), clock=self.clock, log_lines=lambda: ["one", "two", "three"],
            ceiling=self.ceiling, strict=True,
        )  # fmt: skip
        self.folder = Path(tempfile.mkdtemp())  # of chargers' files; gone with the box
        weakref.finalize(self, shutil.rmtree, self.folder)
        self.clients = ClientDesk(
            Noted(self.shelf), self.folder, Inline(), self.clock, serial="LR1", turn=trio.Lock()
        )
        await self.desk.begin()
        self.control = InProcess(self.desk)
        self.control.push()
        self.past = Past(self.shelf, self.state)
        self.door = Door(lambda: secrets.token_bytes(32))
        self.api = Api(
            self.control, self.door, QuickHashing(), history=self.past,
            books=Books(), clock=self.clock, version="1.2.3",
            restart=lambda: self.restarted.append("web"), folder=Folder(self.folder),
        )  # fmt: skip
        page = file_of("/index.html", b"<!doctype html>", {"gzip": b"GZ"})
        script = file_of("/app-3QXKDJ2L.js", b"let a", {"br": b"BR", "gzip": b"GZ"})
        assert page
        assert script
        files = {"/index.html": page, "/app-3QXKDJ2L.js": script}
        self.app = build_app(self.api, self.door, files, ["box"])
        return self

    async def _tags(self, ask: TagAsk, who: asks.Who) -> Answer:
        if self.store is None:
            self.store = await Store.open(":memory:", Inline(), self.clock)
            someone = asks.Who("Installer", 2)
            await self.store.change_tags([Tag("04")], (), someone, "there", "", "")
            self.tags = TagRoom(self.store, self.clock)
        return await self.tags.ask(ask, who)

    async def _keep_clients(self, ask: asks.Ask, who: asks.Who) -> Answer:
        try:
            said = await self.clients.do(ask, who)
        except NotFitted as error:
            return no(error.code, str(error), error.path)
        return yes(said.text, said.data)

    def _upkeep(self) -> dict[type[asks.Ask], Any]:
        async def read_alerts(ask: asks.ReadAlerts, _who: asks.Who) -> Answer:
            try:
                return yes(data=self.alerts.read(ask, self.clock.utc(), UTC, {}))
            except BadSpan as error:
                return no("invalid", str(error), "$.from")

        async def log_file(_ask: asks.ReadLogFile, _who: asks.Who) -> Answer:
            return yes(data=self.lines)

        async def report(_ask: asks.ReadReport, _who: asks.Who) -> Answer:
            return yes(data=self.report_of(self.desk.look()))

        async def restarts(_ask: asks.ReadRestarts, _who: asks.Who) -> Answer:
            return yes(data=RestartsRead((), ()))

        async def delivery(_ask: asks.ReadDelivery, _who: asks.Who) -> Answer:
            view = DeliveryView("off", "smtp", "", None, clock_set=True, waiting=3,
                                waiting_max=10_000, has_password=False, sending=None, again=None,
                                sendings=())  # fmt: skip
            return yes(data=view)

        async def try_delivery(ask: asks.TryDelivery, _who: asks.Who) -> Answer:
            self.did.append(ask)
            return yes(data=DeliveryTested(taken=False, text="no server is set"))

        return {asks.ReadAlerts: read_alerts, asks.ReadLogFile: log_file,
                asks.ReadReport: report, asks.ReadRestarts: restarts,
                asks.ReadDelivery: delivery, asks.TryDelivery: try_delivery}  # fmt: skip

    def report_of(self, snapshot: Snapshot) -> Report:
        """What control tells for the maintenance report."""
        now = stamp(self.clock.utc())
        read = self.alerts.read(asks.ReadAlerts(), self.clock.utc(), UTC, {})
        return Report(
            made=now, board="sim", mac="02:00:00:00:00:01", python="3.11", system="Linux",
            csms_url="", snapshot=snapshot, alerts=read, losses={"CP1": Losses(3, 7_260)},
            began=(Began(now, "1.2.3", "told to end", "1.2.2"),),
            storage=StorageView(3 * 2**20, 2**30, 2**33, (("linkray-2026-11-20.db", 2**20),)),
            network=(NetworkLink("eth0", "ethernet", True, "192.0.2.10/24", "192.0.2.1"),),
            modem="SIM absent, not registered", slots=(ImageSlot("A", "1.2.3", True, True),),
            clock_set=True,
        )  # fmt: skip

    def _of_files(self) -> dict[type[asks.Ask], Any]:
        """Who answers for chargers' files: none is held, one was left."""

        async def firmware(_ask: asks.ReadFirmware, _who: asks.Who) -> Answer:
            shelf = FirmwareShelf((), (), 5, 1_000)
            return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(shelf)))

        async def left(_ask: asks.OpenDiagnostics, _who: asks.Who) -> Answer:
            stored = f"diagnostics-{'0' * 16}"
            (self.folder / stored).write_bytes(b"log")
            handed = Handed(stored, "a.log", 3)
            return Answer(ok=True, data=msgspec.Raw(msgspec.json.encode(handed)))

        return {asks.ReadFirmware: firmware, asks.OpenDiagnostics: left}

    def add_key(self, scope: str, *, days: float = 1, name: str = "") -> str:
        shown, digest = new_key(secrets.token_bytes(32))
        ends = stamp(self.clock.utc() + timedelta(days=days))
        self.shelf.key_list.append(asks.Key(digest, scope, ends, name))
        return shown

    def browser(self, **more: Any) -> Browser:
        return Browser(self.app, **more)

    async def signed_in(self, name: str, **more: Any) -> Browser:
        browser = self.browser(**more)
        word = WORDS[name] if not self.shelf.kept[name].first else PRINTED
        reply = await browser.sign_in(name, word)
        assert reply.status == 200, reply.text
        return browser


class Reply(msgspec.Struct):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return jsonlib.loads(self.body)


class Browser:
    """Keeps its cookie and its CSRF token and sends them as our page does."""

    def __init__(self, app: Any, *, client: str = "127.0.0.1", host: str = HOST,
                 key: str | None = None, server: str = "192.0.2.1",
                 certificate: str = "") -> None:  # fmt: skip
        self.app = app
        self.certificate = certificate  # SHA-256 of the one that TLS has proved
        self.client = client
        self.host = host
        self.key = key
        self.server = server
        self.token = ""
        self.csrf = ""

    async def sign_in(self, account: str, password: str, code: str | None = None) -> Reply:
        body = {"account": account, "password": password}
        if code is not None:
            body["code"] = code
        return await self.call("POST", "/api/v1/session", body)

    async def confirm(self, account: str) -> Reply:
        """The password again."""
        return await self.call("POST", "/api/v1/session/confirm", {"password": WORDS[account]})

    def headers(self, method: str) -> dict[str, str]:
        out = {"host": self.host}
        if self.key is not None:
            out["authorization"] = f"Bearer {self.key}"
        if self.token:
            out["cookie"] = f"other=1; __Host-linkray={self.token}"
        if method != "GET":
            out |= {"origin": f"https://{self.host}", "sec-fetch-site": "same-origin",
                    "x-linkray-csrf": self.csrf}  # fmt: skip
        return out

    async def call(self, method: str, path: str, json: Any = None, *, body: bytes | None = None,
                   headers: dict[str, str | None] | None = None) -> Reply:  # fmt: skip
        out = self.headers(method)
        if json is not None:
            body = jsonlib.dumps(json).encode()
            out["content-type"] = "application/json"
        merged = {**out, **(headers or {})}
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            await trio.lowlevel.checkpoint()
            sent.append(message)

        given = body

        async def receive() -> dict[str, Any]:
            nonlocal given
            await trio.lowlevel.checkpoint()
            if given is None and sent:
                await trio.sleep_forever()
            chunk, given = given or b"", None
            return {"type": "http.request", "body": chunk, "more_body": False}

        await self.app(self.scope(method, path, merged), receive, send)
        return self.reply(sent)

    def scope(self, method: str, path: str, headers: dict[str, str | None]) -> dict[str, Any]:
        bare, _, query = path.partition("?")
        return {
            "type": "http", "http_version": "2", "method": method, "scheme": "https",
            "path": bare, "raw_path": bare.encode(), "query_string": query.encode(),
            "root_path": "", "client": (self.client, 50_000), "server": (self.server, 443),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()
                        if v is not None],
            "state": {CERTIFICATE: lambda: self.certificate},
        }  # fmt: skip

    def reply(self, sent: list[dict[str, Any]]) -> Reply:
        headers = {k.decode().lower(): v.decode() for k, v in sent[0]["headers"]}
        reply = Reply(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]))
        cookie = headers.get("set-cookie")
        if cookie is not None:
            self.token = cookie.split("=", 1)[1].split(";")[0]
            self.csrf = reply.json.get("csrf") or ""
        return reply
