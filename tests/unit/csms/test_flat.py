"""A month's sessions of a charger and its uplink, in a hurry: what they hold does not grow
(trust.md 2, P8; INV-17).
"""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from typing import Any

import msgspec
from tests.unit.charger.test_link_csms import Behind
from tests.unit.csms.central import URL, Central

from linkray.charger.wire import Record, Terms, TermsNow, Up
from linkray.csms.wire import Linked
from linkray.model.records import Outgoing
from linkray.model.settings import Charger
from linkray.model.uplink import Here

DAYS, SETTLED_DAY, SESSIONS, VALUES = 30, 15, 3, 4
GROWS_BYTES_MAX = 64 * 1024  # in 20 days; trust.md lets a process have 20 MiB


class Pair:
    """A link and its uplink, and a CSMS and a disk that answer at once."""

    def __init__(self) -> None:
        self.link = Behind(live=False)
        self.link.feed(TermsNow(Terms(Charger("CP1"), csms=URL)))
        self.link.ids = iter(range(1_001, 10_000))
        numbers = itertools.count(1)
        around = self.link.link._around
        self.link.link._around = msgspec.structs.replace(
            around, take_queue_number=lambda: next(numbers)
        )
        self.csms = Central(now=self.link.now)
        self.csms.feed(Here(here=True), Linked())
        self.heard = 0
        self.carry()

    def carry(self) -> None:
        """What either has for the other, until both are silent; what they said is forgotten."""
        while self.link.said or self.csms.to_link:
            said, self.link.said = self.link.said, []
            for out in said:
                if isinstance(out, Record):
                    self._down(out.records)
                elif isinstance(out, Up):
                    self.csms.feed(out.item)
            items, self.csms.to_link = self.csms.to_link, []
            for item in items:
                self.link.feed(item)
        self.heard += sum(f[0] == 2 and f[2] == "StopTransaction" for f in self.csms.frames)
        for kept in (self.csms.frames, self.csms.notes, self.csms.bounds, self.csms.dials,
                     self.csms.loads, self.link.calls):  # fmt: skip
            kept.clear()
        self.link.out = []

    def _down(self, records: tuple[Any, ...]) -> None:
        for one in records:
            if isinstance(one, Outgoing):
                self.csms.disk[one.number] = one

    def day(self) -> None:
        for _ in range(SESSIONS):
            self.link.begin(f"s{self.link.now}")
            self.carry()
            run = next(iter(self.link.link._sessions.running.values()))
            for _ in range(VALUES):
                self.link.meter(9.5, transactionId=run.at_charger)
                self.carry()
                self.passes(15)
            self.link.stop(run.at_charger)
            self.carry()

    def passes(self, seconds: float) -> None:
        self.link.wait(seconds)
        self.csms.passes(seconds)
        self.carry()


def held() -> int:
    """Bytes that the firmware's own lines hold."""
    gc.collect()
    shot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/linkray/*")])
    return sum(one.size for one in shot.statistics("filename"))


def test_p8_what_a_link_and_its_uplink_hold_is_as_much_after_a_month_as_after_days() -> None:
    pair = Pair()
    tracemalloc.start()
    try:
        for _ in range(SETTLED_DAY):
            pair.day()
        settled = held()
        for _ in range(DAYS - SETTLED_DAY):
            pair.day()
        grown = held() - settled
    finally:
        tracemalloc.stop()

    assert pair.heard == DAYS * SESSIONS
    assert grown <= GROWS_BYTES_MAX, f"{grown} bytes more after {DAYS - SETTLED_DAY} days"
