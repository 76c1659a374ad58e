"""What the recorder reads of the cells; what becomes of a minute that the disk does not take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import trio
from msgspec.structs import replace

from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.model.plan import NO_PLAN, Offer, Plan, Reason
from linkray.model.records import MinuteKept, SessionWent
from linkray.model.settings import Charger, Settings
from linkray.model.units import Phases
from linkray.model.views import ChargerView, ConnectorView, MeterView
from linkray.records.courses import Courses, Going
from linkray.records.history.task import HELD_MAX, Look, drawn, run_recorder

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
FIRST = int(START.timestamp()) // 60
LIMIT = Phases.each(63_000)


class Full(Exception):
    """The disk takes nothing."""


class Site:
    """Cells as the rooms publish them, and a disk that may be full."""

    def __init__(self) -> None:
        self.settings = Cell(Settings(chargers=(Charger("CP1"),)))
        self.plan = Cell(NO_PLAN)
        self.meter = Cell(MeterView())
        self.views: dict[str, Cell[ChargerView]] = {}
        self.clock = WallClock.fixed(START)
        self.look = Look(self.settings, self.plan, self.meter, self.views, self.clock)
        self.written: list[MinuteKept] = []
        self.went: list[SessionWent] = []
        self.is_full = False
        self.tries = 0

    def charge(self, charger: str, ma: int | None, **more: Any) -> None:
        current = None if ma is None else Phases(ma, ma, ma)
        connector = ConnectorView(1, transaction_id=7, drawn_ma=current, **more)
        view = ChargerView(charger, connected=True, connectors=(connector,))
        self.views.setdefault(charger, Cell(ChargerView(charger))).set(view)

    def read(self, ma: int, location: str = "grid") -> None:
        self.meter.set(
            MeterView(True, "M", True, 0.2, Phases.each(ma), (231_000, None, 229_000), None,
                      location)
        )  # fmt: skip

    async def commit(self, minutes: list[MinuteKept]) -> None:
        await trio.lowlevel.checkpoint()
        self.tries += 1
        if self.is_full:
            raise Full
        self.written += minutes


def test_the_building_is_what_the_chargers_leave_of_the_meter():
    async def scene() -> None:
        site = Site()
        site.plan.set(Plan(seq=1, limit_ma=LIMIT))
        site.charge("CP1", 6_000)
        site.read(20_000)
        seen = site.look.seen()
        assert seen.read.current_ma == Phases.each(20_000)
        assert seen.read.building_ma == Phases.each(14_000)
        assert seen.voltage_mv == Phases(231_000, site.settings.value.site.voltage_mv, 229_000)
        assert (seen.minute, seen.limit_ma) == (FIRST, LIMIT)
        assert seen.points == (("CP1", ((1, Phases.each(6_000)),)),)
        assert site.look.seen().points == ()
        site.charge("CP1", 7_000)
        assert site.look.seen().read.building_ma == Phases.each(13_000)
        del site.views["CP1"]
        gone = site.look.seen()
        assert gone.points == (("CP1", ()),)
        assert gone.read.building_ma == Phases.each(20_000)

    trio.run(scene)


def test_of_strangers_nothing_is_kept_until_they_are_adopted():
    async def scene() -> None:
        site = Site()
        site.charge("CP1", 6_000)
        site.charge("Stranger", 1_000)
        site.read(20_000)
        seen = site.look.seen()
        assert dict(seen.points) == {"CP1": ((1, Phases.each(6_000)),), "Stranger": ()}
        assert seen.read.building_ma == Phases.each(13_000), "what it draws is not the building's"
        adopted = (*site.settings.value.chargers, Charger("Stranger"))
        site.settings.set(replace(site.settings.value, chargers=adopted))
        assert site.look.seen().points == (("Stranger", ((1, Phases.each(1_000)),)),)
        site.settings.set(Settings())
        assert dict(site.look.seen().points) == {"CP1": (), "Stranger": ()}

    trio.run(scene)


def test_a_meter_of_the_building_alone_has_the_chargers_added_unless_one_charges_unseen():
    async def scene() -> None:
        site = Site()
        site.charge("CP1", 6_000)
        site.read(20_000, "building")
        read = site.look.seen().read
        assert (read.current_ma, read.building_ma) == (Phases.each(26_000), Phases.each(20_000))
        site.charge("CP1", None)
        assert site.look.seen().read is None

    trio.run(scene)


def test_what_was_not_measured_is_a_gap():
    charging = ConnectorView(1, transaction_id=7, drawn_ma=Phases.each(6_000), source="assumed")
    idle = ConnectorView(1)
    assert drawn(ChargerView("CP1", connected=True), charging) is None
    assert drawn(ChargerView("CP1", connected=True), idle) == Phases()
    assert drawn(ChargerView("CP1"), idle) is None

    async def scene() -> None:
        site = Site()
        assert site.look.seen().limit_ma is None  # no plan was made yet
        for lost in (MeterView(True, "M", False, 9.0, Phases.each(5)),
                     MeterView(True, "M", True, 6.0, Phases.each(5)),
                     MeterView(True, "M", True, 0.2, Phases.each(5),
                               phases_read=(True, False, True))):  # fmt: skip
            site.meter.set(lost)
            assert site.look.seen().read is None
        site.clock = WallClock(lambda: datetime(1970, 1, 1, tzinfo=UTC))
        unset = Look(site.settings, site.plan, site.meter, site.views, site.clock)
        assert unset.seen().minute is None

    trio.run(scene)


async def test_a_session_that_is_offered_nothing_is_paused_by_the_plan_or_by_its_car():
    site = Site()

    def offer(ma: int, reason: Reason) -> Plan:
        one = Offer("CP1", 1, Phases.each(ma), None, reason, (), session=True)
        return Plan(seq=site.plan.value.seq + 1, offers=(one,))

    site.charge("CP1", 0)
    site.plan.set(offer(0, Reason("turn", group="Level 2", seconds=40)))
    assert list(site.look.sessions()) == [Going(7, Phases(), ("turn", "Level 2"))]
    site.plan.set(offer(6_000, Reason("group_limit")))
    assert list(site.look.sessions()) == [Going(7, Phases(), None)]
    site.charge("CP1", 0, status="SuspendedEV")
    assert list(site.look.sessions()) == [Going(7, Phases(), ("car_not_asking", ""))]
    site.charge("CP1", 6_000, source="assumed")
    site.views["CP1"].set(replace(site.views["CP1"].value, connected=False))
    assert list(site.look.sessions()) == [Going(7, None, None, known=False)]


async def test_how_sessions_went_is_told_each_minute_before_the_minute_is_written():
    site = Site()
    site.charge("CP1", 6_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            run_recorder, site.look, site.commit, (Full,), Courses(), site.went.extend
        )
        await trio.sleep(130.5)
        nursery.cancel_scope.cancel()
    assert [one.course.measured_ms for one in site.went] == [0, 60_000, 120_000]
    assert [one.minute for one in site.written] == [FIRST, FIRST + 1]


async def test_each_minute_is_written_and_what_the_disk_does_not_take_with_the_next():
    site = Site()
    site.read(10_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            run_recorder, site.look, site.commit, (Full,), Courses(), site.went.extend
        )
        await trio.sleep(60.5)
        assert [one.minute for one in site.written] == [FIRST]
        site.is_full = True
        await trio.sleep(3 * 60)
        assert (len(site.written), site.tries) == (1, 4)
        site.is_full = False
        await trio.sleep(60)
        assert [one.minute - FIRST for one in site.written] == [0, 1, 2, 3, 4]
        site.is_full = True
        await trio.sleep(90 * 60)
        site.is_full = False
        await trio.sleep(60)
        assert len(site.written) == 5 + HELD_MAX
        nursery.cancel_scope.cancel()
