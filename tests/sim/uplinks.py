"""Uplinks alone: the store, their room and a CSMS, without chargers, for years of messages.

`month` writes down what a charger's link would have; `uplinks` is a process that says it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import trio
from tools.simulator.scene import site
from tools.world.csms import Csms

from linkray.csms.task import UplinkRoom
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock, stamp
from linkray.model.faults import Cleared, Raised
from linkray.model.records import Outgoing, TransactionBegan, UplinkKept
from linkray.model.settings import Csms as CsmsSettings
from linkray.model.settings import Settings
from linkray.model.uplink import FromUplink
from linkray.model.views import UplinkView
from linkray.store.db import Store
from linkray.store.runner import Inline

URL = "ws://csms.example"
BEGINS = datetime(2026, 6, 1, tzinfo=UTC)
BOOT = '{"chargePointVendor":"V","chargePointModel":"M"}'


async def a_store() -> Store:
    """A store with the address of a CSMS."""
    return await Store.open(":memory:", Inline(), WallClock.fixed(BEGINS))


class Uplinks:
    """A room of uplinks, and what it told the chargers' links."""

    def __init__(self, store: Store, csms: Csms, nursery: trio.Nursery) -> None:
        self.csms = csms
        self.views: dict[str, Cell[UplinkView]] = {}
        self.faults: list[Raised | Cleared] = []
        self.said: list[tuple[str, FromUplink]] = []
        self._nursery = nursery
        settings: Cell[Settings] = Cell(Settings(site=site(60).site, csms=CsmsSettings(URL)))
        self.room = UplinkRoom(
            settings=settings, store=store, clock=WallClock.fixed(BEGINS),
            to_link=lambda charger, item: self.said.append((charger, item)),
            raise_=self.faults.append, clear=self.faults.append, views=self.views,
            connect=self._connect, strict=True,
        )  # fmt: skip

    async def _connect(self, _host: str, _port: int) -> trio.abc.Stream:
        return await self.csms.dial(self._nursery)()

    async def until(self, holds: Callable[[], bool], within_s: float = 600.0) -> None:
        with trio.fail_after(within_s):
            while not holds():  # noqa: ASYNC110  # whatever it is
                await trio.sleep(0.05)

    def waiting(self) -> int:
        """How many messages all of them have for the CSMS."""
        return sum(cell.value.waiting for cell in self.views.values())


@asynccontextmanager
async def uplinks(store: Store, csms: Csms) -> AsyncIterator[Uplinks]:
    """A process of uplinks, until the block ends."""
    async with trio.open_nursery() as nursery:
        made = Uplinks(store, csms, nursery)
        nursery.start_soon(made.room.run)
        yield made
        nursery.cancel_scope.cancel()


async def month(
    store: Store, charger: str, *, days: int = 30, sessions: int = 4, values: int = 3
) -> None:
    """So many days of sessions, none of which the CSMS has heard of."""
    await store.commit([UplinkKept(charger, URL, BOOT)])
    for day in range(days):
        await store.commit(list(_day(store, charger, day, sessions, values)))


def _day(
    store: Store, charger: str, day: int, sessions: int, values: int
) -> Iterable[TransactionBegan | Outgoing]:
    for session in range(sessions):
        at = BEGINS + timedelta(days=day, hours=session * 24 / sessions)
        number = store.take_transaction_id()
        began = stamp(at)
        yield TransactionBegan(number, charger, 1, "TAG", day * 1_000, began, began, csms=URL)
        yield _said(store, charger, number, "StartTransaction", {
            "connectorId": 1, "idTag": "TAG", "meterStart": day * 1_000, "timestamp": began,
        })  # fmt: skip
        for value in range(values):
            yield _said(store, charger, number, "MeterValues", {
                "connectorId": 1, "transactionId": number, "meterValue": [{
                    "timestamp": stamp(at + timedelta(minutes=15 * (value + 1))),
                    "sampledValue": [{"value": str(day * 1_000 + value)}],
                }]})  # fmt: skip
        yield _said(store, charger, number, "StopTransaction", {
            "transactionId": number, "meterStop": day * 1_000 + 900,
            "timestamp": stamp(at + timedelta(hours=2)),
        })  # fmt: skip


def _said(
    store: Store, charger: str, transaction: int, action: str, payload: dict[str, object]
) -> Outgoing:
    number = store.take_queue_number()
    return Outgoing(number, charger, f"{charger}-{number}", action, json.dumps(payload),
                    transaction, "", URL)  # fmt: skip
