"""A week without the CSMS for 32 busy chargers: how much it is on disk, and how fast it is said.

The real store on this machine's disk and the real relays, without sockets: what is measured is
LinkRay's share. A CSMS answers as fast as it is asked, and keeps what it hears.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from linkray.csms.outbox import WINDOW_MAX, Outbox
from linkray.csms.relay import Relay
from linkray.csms.wire import Dial, Keep, Later, Linked, Load, Loaded, Out, Received, Send, Terms
from linkray.model.records import Outgoing, TransactionBegan, TransactionEnded, UplinkKept
from linkray.model.uplink import Here
from linkray.store.db import Store
from linkray.store.runner import Inline

CHARGERS, DAYS, SESSION_H, VALUES_H = 32, 7, 2, 60
BEGINS = datetime(2026, 6, 16, tzinfo=UTC)
URL = "ws://csms.example"
PHASES = [{"value": "16.00", "measurand": "Current.Import", "phase": f"L{n}", "unit": "A",
           "context": "Sample.Periodic"} for n in (1, 2, 3)]  # fmt: skip
FLUSHED = 2_000


def measure() -> dict[str, float]:
    """The week's figures."""
    with TemporaryDirectory() as folder:
        return trio.run(_measure, Path(folder))


async def _measure(folder: Path) -> dict[str, float]:
    store = await Store.open(folder / "linkray.db", Inline())
    told = 0
    for hour in range(0, DAYS * 24, SESSION_H):
        for charger in range(CHARGERS):
            told += await _session(store, f"C{charger:02}", BEGINS + timedelta(hours=hour))
    used = await store._read(lambda disk: disk.bytes_used())  # noqa: SLF001  # what it takes
    began, heard, wrong = time.perf_counter(), 0, 0
    for name in await store.waiting_chargers(URL):
        said = _Said(store, name)
        await said.run()
        heard, wrong = heard + said.heard, wrong + said.wrong
    took_s = time.perf_counter() - began
    left = len(await store.waiting_chargers(URL))
    await store.close()
    return {
        "outage_week_messages": told, "outage_week_mib": used / 2**20,
        "outage_said_per_s": heard / took_s, "outage_lost": told - heard,
        "outage_wrong": wrong + left,
    }  # fmt: skip


async def _session(store: Store, charger: str, at: datetime) -> int:
    """Two hours of charging with a value a minute; how many messages."""
    number, began = store.take_transaction_id(), at.isoformat()

    def message(action: str, payload: dict[str, Any], when: datetime) -> Outgoing:
        place = store.take_queue_number()
        return Outgoing(place, charger, f"{place:016x}", action, json.dumps(payload), number,
                        when.isoformat(), URL)  # fmt: skip

    start = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": began}
    messages = [message("StartTransaction", start, at)]
    for minute in range(SESSION_H * VALUES_H):
        when = at + timedelta(minutes=minute)
        value = {"timestamp": when.isoformat(), "sampledValue": PHASES}
        messages.append(message("MeterValues", {
            "connectorId": 1, "transactionId": number, "meterValue": [value]}, when))  # fmt: skip
    ends = at + timedelta(hours=SESSION_H)
    stop = {"transactionId": number, "meterStop": 9_000, "timestamp": ends.isoformat()}
    messages.append(message("StopTransaction", stop, ends))
    await store.commit([
        TransactionBegan(number, charger, 1, "TAG", 0, began, began), *messages,
        TransactionEnded(number, 9_000, ends.isoformat(), "Local", ends.isoformat()),
    ])
    return len(messages)


class _Said:
    """One charger's relay as the CSMS comes back, and what that heard."""

    def __init__(self, store: Store, charger: str) -> None:
        self.heard = 0
        self.wrong = 0  # out of order, or under another number
        self._store = store
        self._charger = charger
        self._relay: Relay
        self._later = 0
        self._sessions = 0
        self._newest = ""

    async def run(self) -> None:
        waiting, aside, newest = await self._store.waiting(self._charger, URL)
        self._relay = Relay(
            self._charger, Terms(URL), prefix="LR-", wall=lambda _now: BEGINS, now=0.0,
            box=Outbox(waiting, aside, newest), kept=UplinkKept(self._charger, URL, "{}"),
        )  # fmt: skip
        outs = self._relay.feed(Here(here=True), 0.0)
        while outs:
            outs = [new for out in outs for new in await self._do(out)]
        await self._store.flush()

    async def _do(self, out: Out) -> list[Out]:
        match out:
            case Dial():
                return self._relay.feed(Linked(), 0.0)
            case Send(text):
                return self._relay.feed(Received(self._answer(json.loads(text))), 0.0)
            case Load(after):
                found, more = await self._store.load(self._charger, URL, after, WINDOW_MAX)
                return self._relay.feed(Loaded(found, more), 0.0)
            case Keep(records):
                await self._store.commit(records)
            case Later(records):
                self._store.later(records)
                self._later += len(records)
                if self._later >= FLUSHED:
                    self._later = 0
                    await self._store.flush()
            case _:
                pass
        return []

    def _answer(self, call: list[Any]) -> str:
        _, message_id, action, payload = call
        answer: dict[str, Any] = {}
        if action == "BootNotification":
            answer = {"status": "Accepted", "currentTime": BEGINS.isoformat(), "interval": 300}
        elif action == "StartTransaction":
            self._sessions += 1
            answer = {"transactionId": self._sessions, "idTagInfo": {"status": "Accepted"}}
        if not message_id.startswith("LR-"):
            self.heard += 1
            values = payload.get("meterValue", [payload])
            self.wrong += self._newest > values[0]["timestamp"]
            self._newest = values[0]["timestamp"]
            self.wrong += payload.get("transactionId", self._sessions) != self._sessions
        return json.dumps([3, message_id, answer])
