"""A desk to test against: a store and meters that live in memory, and honest about it."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from linkray.desk.snapshot import Seen
from linkray.desk.task import Desk
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.model import asks
from linkray.model.settings import Settings
from linkray.model.units import Phases
from linkray.store.ceiling import Seal

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"


class Shelf:
    """A store that keeps everything in memory and is honest about it."""

    def __init__(self, *, commissioned: bool = True) -> None:
        self.settings = Cell(Settings())
        self.revision = 1
        self.kv: dict[str, str] = {}
        self.audit: list[tuple[str, str]] = []
        self.kept = {
            "EV": asks.Account("EV", 1, HASH if commissioned else ""),
            "Installer": asks.Account("Installer", 2, HASH if commissioned else ""),
            "Assembler": asks.Account("Assembler", 3, HASH, first=not commissioned),
        }
        self.key_list: list[asks.Key] = []

    async def change_settings(self, settings, who, what):
        self.audit.append((who.name, what))
        self.revision += 1
        self.settings.set(settings)
        return self.revision

    async def accounts(self):
        return list(self.kept.values())

    async def set_account(self, account, who):
        self.audit.append((who.name, account.name))
        old, self.kept[account.name] = self.kept[account.name], account
        if old.hash != account.hash:
            self.key_list = [
                replace(key, off=asks.OFF_PASSWORD) if key.by == account.name else key
                for key in self.key_list
            ]

    async def note(self, who, what, used=0):
        self.audit.append((who.name, what))
        if used:
            self.kept[who.name] = replace(self.kept[who.name], second_used=used)

    async def keys(self):
        return self.key_list

    async def add_key(self, key, who, *, in_place=False):
        self.audit.append((who.name, f"key {key.name!r} made"))
        self.key_list = [
            one for one in self.key_list
            if not (in_place and (one.name, one.scope) == ("", key.scope))
        ] + [key]  # fmt: skip

    async def change_key(self, key, who):
        self.audit.append((who.name, f"key {key.name!r} {key.off or 'on'}"))
        self.key_list = [key if one.digest == key.digest else one for one in self.key_list]

    async def remove_key(self, key, who):
        self.audit.append((who.name, f"key {key.name!r} removed"))
        self.key_list = [one for one in self.key_list if one.digest != key.digest]

    async def remember(self, key, value):
        self.kv[key] = value

    def recall(self, key):
        return self.kv.get(key)


class Sealing:
    """The engineering ceiling, kept in memory; the audit line comes first."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.limit: Cell[Phases | None] = Cell(None)
        self.seal: Seal | None = None

    async def put(self, limit_ma, who, at):
        self._shelf.audit.append((who.name, f"ceiling {limit_ma.phases()}"))
        self.seal = Seal(limit_ma, who.name, at)
        self.limit.set(limit_ma.phases())


class Meters:
    def judge(self, file):
        if file.get("Name") == "broken":
            raise ValueError("Expected a register, got none")

    def read(self, text):
        if not text.startswith("{"):
            raise ValueError("Expected a .meter file")
        return {"Name": "read"}

    def offered(self):
        return (asks.ShippedMeter("EM340", {"Name": "EM340"}),)


def desk_of(shelf: Shelf, see=Seen, answerers=None, **more) -> Desk:
    clock = WallClock.fixed(datetime(2026, 11, 21, 8, 0, tzinfo=UTC))
    return Desk(shelf, see, answerers or {}, meters=Meters(), clock=clock, **more)
