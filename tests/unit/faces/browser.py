"""A browser and a box for tests: the whole web application in process, before a real desk."""

from __future__ import annotations

import base64
import hashlib
import json as jsonlib
import secrets
import shutil
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec
import trio
from tests.unit.desk.stand import Meters, Sealing, Shelf

from linkray.access.door import Door
from linkray.access.keys import new_key
from linkray.desk.desk import READS, no
from linkray.desk.snapshot import Seen
from linkray.desk.task import Desk
from linkray.faces.client import ControlAway
from linkray.faces.web.api import Api
from linkray.faces.web.app import build_app
from linkray.faces.web.handed import Folder
from linkray.faces.web.static import file_of
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock, stamp
from linkray.model import asks
from linkray.model.asks import Answer
from linkray.model.views import (
    CsmsQueue,
    FirmwareShelf,
    Handed,
    SetAsideMessage,
    UplinkTested,
)
from linkray.upkeep.ocpplog import FrameLog, content

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HOST = "linkray-1.local"
WORDS = {"EV": "red whale sings loud", "Installer": "green whale sings soft",
         "Assembler": "blue whale sings low"}  # fmt: skip
PRINTED = "the printed password"


def hash_of(password: str) -> str:
    digest = base64.b64encode(hashlib.sha256(password.encode()).digest()).decode().rstrip("=")
    return f"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${digest}"


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


class Box:
    """One LinkRay: store, desk, web application; acts are written down and done."""

    def __init__(self, *, commissioned: bool = True, seen: Seen | None = None) -> None:
        self.shelf = Shelf(commissioned=commissioned)
        self.seen = seen or Seen(serial="LR1", version="1.2.3")
        self.clock = WallClock.fixed(START)
        self.did: list[asks.Ask] = []
        self.aside: list[SetAsideMessage] = []
        self.frames = FrameLog(self.clock.utc)
        self.ceiling = Sealing(self.shelf)
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

        kinds = (asks.StartCharging, asks.StopCharging, asks.SetPriority, asks.DeleteCharger,
                 asks.SetEmergencyStop, asks.Identify, asks.ReadPassports, asks.ReadPassport,
                 asks.ImportPassports, asks.ProbeAgain, asks.SetUplinkPassword,
                 asks.SayAgain, asks.RemoveSetAside, asks.LetQueueGo,
                 asks.ReadConfiguration, asks.ChangeKey, asks.ActAtCharger, asks.KeepFirmware,
                 asks.DeleteFirmware, asks.UpdateFirmware, asks.GetDiagnostics,
                 asks.ReadDiagnostics)  # fmt: skip
        own = {asks.ReadBundle: pack, asks.TryUplink: tried, asks.ReadSetAside: aside,
               asks.ReadFrames: read_frames, asks.ReadFrameFile: frame_file,
               asks.ReadQueues: queues, asks.ReadQueue: queue,
               **self._of_files()}  # fmt: skip
        self.desk = Desk(
            self.shelf, lambda: self.seen, dict.fromkeys(kinds, act) | own,
            meters=Meters(), clock=self.clock, log_lines=lambda: ["one", "two", "three"],
            ceiling=self.ceiling, strict=True,
        )  # fmt: skip
        self.folder = Path(mkdtemp())  # of chargers' files; gone with the box
        weakref.finalize(self, shutil.rmtree, self.folder)
        await self.desk.begin()
        self.control = InProcess(self.desk)
        self.control.push()
        self.door = Door(lambda: secrets.token_bytes(32))
        self.api = Api(
            self.control, self.door, QuickHashing(), clock=self.clock, version="1.2.3",
            folder=Folder(self.folder),
        )  # fmt: skip
        page = file_of("/index.html", b"<!doctype html>", {"gzip": b"GZ"})
        script = file_of("/app-3QXKDJ2L.js", b"let a", {"br": b"BR", "gzip": b"GZ"})
        assert page
        assert script
        files = {"/index.html": page, "/app-3QXKDJ2L.js": script}
        self.app = build_app(self.api, self.door, files, ["box"])
        return self

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
                 key: str | None = None, server: str = "192.0.2.1") -> None:  # fmt: skip
        self.app = app
        self.client = client
        self.host = host
        self.key = key
        self.server = server
        self.token = ""
        self.csrf = ""

    async def sign_in(self, account: str, password: str) -> Reply:
        body = {"account": account, "password": password}
        reply = await self.call("POST", "/api/v1/session", body)
        if reply.status == 200:
            self.csrf = reply.json["csrf"]
        return reply

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
        }  # fmt: skip

    def reply(self, sent: list[dict[str, Any]]) -> Reply:
        headers = {k.decode().lower(): v.decode() for k, v in sent[0]["headers"]}
        cookie = headers.get("set-cookie")
        if cookie is not None:
            self.token = cookie.split("=", 1)[1].split(";")[0]
        return Reply(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]))
