"""A busy day as the store writes it: what is answered to whom, and what must be there after a cut.

The real store on a simulated disk, on virtual time, from one seed: sessions begin and end, samples
go down with the minute, people change settings, chargers are seen and found out, the ceiling is
sealed, the day's copy is made; LinkRay is stopped and once killed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import trio
from trio.testing import MockClock

from linkray.kit.clock import WallClock
from linkray.model.asks import ASSEMBLER, Who
from linkray.model.passport import Finding
from linkray.model.records import (
    AnyRecord,
    ChargerSeen,
    PassportFound,
    StopUnknown,
    TagRejected,
    TransactionBegan,
    TransactionEnded,
    TransactionSampled,
)
from linkray.model.settings import LimitPhases, Settings, Site
from linkray.store.ceiling import Ceiling
from linkray.store.db import FILE, Store
from tools.world.disk import Disk
from tools.world.order import same_order

FOLDER = Path("/disk")
BEGINS = datetime(2026, 11, 21, tzinfo=UTC)
WHO = Who("Installer", ASSEMBLER, "192.0.2.7")
COMMIT_S = 0.02  # what a synced commit takes on the box's storage
SAMPLE_S = 300.0
MAKE = ("Acme", "One", "1.0")

T = TypeVar("T")


@dataclass
class Kept:
    """One transaction: as it began, its newest register, and how it ended."""

    began: TransactionBegan
    register_wh: int | None = None
    ended: TransactionEnded | None = None


@dataclass
class Answered:
    """What somebody was told is on disk. Numbers count up: a later one is as good."""

    transactions: dict[int, Kept] = field(default_factory=dict)
    orphans: set[int] = field(default_factory=set)  # the ids that unknown stops named
    settings: dict[int, Settings] = field(default_factory=dict)  # by revision
    audit_lines: int = 0
    facts: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    seal_ma: int = 0


Answer = Callable[[Answered], None]


class Unhurried:
    """Does the work and takes a disk's time for it, so that others wait and share a commit."""

    async def run(self, work: Callable[[], T]) -> T:
        done = work()
        await trio.sleep(COMMIT_S)
        return done


class Day:
    """A day's recording: the disk's steps, and after how many of them what was answered."""

    def __init__(self, seed: int, chargers: int = 4) -> None:
        self.disk = Disk()
        self.answers: list[tuple[int, Answer]] = []
        self.asked: dict[int, TransactionBegan] = {}  # answered or not
        self.store: Store
        self._seed = seed
        self._chance = random.Random(seed)
        self._chargers = [f"DBT{number}" for number in range(1, chargers + 1)]
        self._sessions: dict[str, tuple[int, int]] = {}  # of a charger: its id and register
        self._ends: dict[int, TransactionEnded] = {}
        self._handed: dict[int, int] = {}  # registers that the store holds for its next commit
        self._count = 0

    def record(self, hours: float) -> Day:
        """Play it from midnight in three parts: stopped after the first, killed in the second."""
        with self.disk.plugged(), same_order(self._seed):
            trio.run(self._live, hours, clock=MockClock(autojump_threshold=0))
        return self

    async def _live(self, hours: float) -> None:
        wall = WallClock.fixed(BEGINS)
        for part in range(3):
            self.store = await Store.open(FOLDER / FILE, Unhurried(), wall, self.disk)
            ceiling = Ceiling(self.store, FOLDER, Unhurried(), self.disk.write)
            with trio.move_on_after(hours * 3600 / 3):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.store.tend)
                    nursery.start_soon(self._people, ceiling, wall)
                    for charger in self._chargers:
                        nursery.start_soon(self._charger, charger, wall)
            if part == 1:
                self.store._disk.abandon()  # noqa: SLF001  # killed: nothing is tidied up
                self._handed.clear()
            else:
                handed = dict(self._handed)
                await self.store.close()
                self._are_down(handed)

    # -- what is asked of the store --------------------------------------------------------------

    def _told(self, answer: Answer) -> None:
        self.answers.append((len(self.disk.steps), answer))

    def _next(self) -> int:
        self._count += 1
        return self._count

    async def _commit(self, *records: AnyRecord) -> None:
        """What `later` has handed over goes down with whatever is written next."""
        handed = dict(self._handed)
        await self.store.commit(records)
        self._are_down(handed)

    def _are_down(self, handed: dict[int, int]) -> None:
        def registers(known: Answered) -> None:
            for number, register_wh in handed.items():
                if known.transactions[number].ended is None:
                    known.transactions[number].register_wh = register_wh

        for number, register_wh in handed.items():
            if self._handed.get(number) == register_wh:
                del self._handed[number]
        if handed:
            self._told(registers)

    async def _charger(self, charger: str, wall: WallClock) -> None:
        await self._seen(charger)
        if charger in self._sessions:  # from before the restart: its charger tells the end
            await self._end(charger, wall)
        while True:
            await trio.sleep(self._chance.uniform(60, 3_600))
            await self._begin(charger, wall)
            for _sample in range(self._chance.randrange(36)):
                await trio.sleep(self._chance.uniform(0.5, 1.5) * SAMPLE_S)
                await self._sample(charger, wall)
            await self._end(charger, wall)

    async def _begin(self, charger: str, wall: WallClock) -> None:
        number, register_wh = self.store.take_transaction_id(), self._chance.randrange(10**7)
        began = TransactionBegan(
            number, charger, 1, f"TAG{self._chance.randrange(50)}", register_wh, wall.stamp(),
            wall.stamp(), "Bay 1", "open",
        )  # fmt: skip
        self.asked[number] = began
        await self._commit(began)
        self._sessions[charger] = number, register_wh
        self._told(lambda known: known.transactions.update({number: Kept(began)}))

    async def _sample(self, charger: str, wall: WallClock) -> None:
        number, register_wh = self._sessions[charger]
        register_wh += self._chance.randrange(1_000)
        self._sessions[charger] = number, register_wh
        sampled = TransactionSampled(number, register_wh, wall.stamp())
        if self._chance.random() < 0.8:  # as they are passed on; else as without a CSMS
            self.store.later([sampled])
            self._handed[number] = register_wh
            return
        self._handed.pop(number, None)
        await self._commit(sampled)

        def register(known: Answered) -> None:
            known.transactions[number].register_wh = register_wh

        self._told(register)

    async def _end(self, charger: str, wall: WallClock) -> None:
        number, register_wh = self._sessions[charger]
        stops_with = None if self._chance.random() < 0.2 else register_wh + 1
        ended = TransactionEnded(number, stops_with, wall.stamp(), "Local", wall.stamp())
        ended = self._ends.setdefault(number, ended)  # one that was not answered is told again
        await self._commit(ended)
        del self._sessions[charger]

        def end(known: Answered) -> None:
            known.transactions[number].ended = ended

        self._told(end)

    async def _seen(self, charger: str) -> None:
        count = self._next()
        await self._commit(ChargerSeen(charger, *MAKE, writes=count))
        self._told(lambda known: known.seen.update({charger: count}))

    async def _people(self, ceiling: Ceiling, wall: WallClock) -> None:
        """Whoever is on site, and what else is written down now and then."""
        acts = (self._settings, self._audit, self._fact, self._found, self._stop_unknown,
                self._rejected)  # fmt: skip
        await self._seal(ceiling, wall)
        while True:
            await trio.sleep(self._chance.uniform(60, 1_200))
            act = self._chance.choice(acts)
            await act(wall)
            if self._chance.random() < 0.1:
                await self._seal(ceiling, wall)

    async def _settings(self, _wall: WallClock) -> None:
        named = Settings(site=Site(name=f"Site {self._next()}"))
        revision = await self.store.change_settings(named, WHO, "name")

        def changed(known: Answered) -> None:
            known.settings[revision] = named
            known.audit_lines += 1

        self._told(changed)

    async def _audit(self, _wall: WallClock) -> None:
        await self.store.audit(WHO, "signed in")
        self._told(_one_more_line)

    async def _fact(self, _wall: WallClock) -> None:
        name, count = self._chance.choice(("eta DBT1", "clock_known", "starts")), self._next()
        await self.store.remember(name, str(count))
        self._told(lambda known: known.facts.update({name: count}))

    async def _found(self, wall: WallClock) -> None:
        about, count = self._chance.choice(("DBT1", "DBT2")), self._next()
        finding = Finding("lease", "honoured", about, at=wall.stamp(), measured=str(count))
        await self._commit(PassportFound(*MAKE, (finding,)))
        self._told(lambda known: known.findings.update({about: count}))

    async def _stop_unknown(self, wall: WallClock) -> None:
        count = self._next()
        await self._commit(
            StopUnknown("DBT1", -count, "TAG", count, wall.stamp(), "Local", wall.stamp())
        )
        self._told(lambda known: known.orphans.add(-count))

    async def _rejected(self, wall: WallClock) -> None:
        await self._commit(TagRejected("BAD", "DBT1", wall.stamp()))

    async def _seal(self, ceiling: Ceiling, wall: WallClock) -> None:
        ma = 10_000 + self._next()
        await ceiling.put(LimitPhases(ma, ma, ma), WHO, wall.stamp())

        def sealed(known: Answered) -> None:
            known.seal_ma = ma
            known.audit_lines += 1

        self._told(sealed)


def _one_more_line(known: Answered) -> None:
    known.audit_lines += 1
