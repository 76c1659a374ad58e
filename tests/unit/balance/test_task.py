"""The task around the balancer: bursts, cells, faults, the watchdog, late plans."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest
import structlog
import trio
from tests.unit.balance.balance_world import metered, settings

from linkray.balance.balancer import Balancer
from linkray.balance.recording import FactRing
from linkray.balance.task import BURST_MAX, PlanTimes, run_balance
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock
from linkray.kit.keep import KeptDown, keep
from linkray.model.facts import (
    ChargerKnown,
    Drawn,
    EmergencyStopped,
    EtaLearned,
    LinkUp,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.faults import Code, Fault, key
from linkray.model.plan import NO_PLAN, Plan
from linkray.model.settings import Charger
from linkray.model.units import Phases


class Bark:
    """A watchdog that counts how often it was petted."""

    def __init__(self) -> None:
        self.petted = 0

    def pet(self) -> None:
        self.petted += 1


class Shell:
    """`run_balance` with everything it needs."""

    def __init__(self, chargers: int = 2) -> None:
        self.core = Balancer(settings(60, chargers))
        self.tell, self.inbox = trio.open_memory_channel(10_000)
        self.plan, self.beat = Cell(NO_PLAN), Cell(0.0)
        self.dog, self.faults, self.times = Bark(), Flags(), PlanTimes()
        self.ring = FactRing()
        self.wall = WallClock.fixed(datetime(2026, 1, 1, tzinfo=UTC))
        self.learned: list[EtaLearned] = []

    async def start(self, nursery: trio.Nursery) -> None:
        await nursery.start(partial(
            run_balance, self.core, self.inbox, self.plan, self.beat, self.dog, self.faults,
            self.wall, self.times, self.ring, self.learned.append,
        ))  # fmt: skip


async def test_the_first_plan_is_published_before_the_task_has_started() -> None:
    shell = Shell()
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        assert shell.plan.value.seq == 1
        assert len(shell.plan.value.offers) == 2
        assert shell.dog.petted == 1
        shell.tell.close()


async def test_b9_what_waits_is_taken_in_before_a_new_core_makes_its_first_plan() -> None:
    shell = Shell()
    for n in (1, 2):
        shell.tell.send_nowait(LinkUp(f"c{n}", 0.0))
        shell.tell.send_nowait(SessionBegan(f"c{n}", 1, n, "tag", 0.0, found=True))
    plans: list[Plan] = []
    shell.plan.set = plans.append  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        assert all(offer.session for offer in plans[0].offers)
        shell.tell.close()


async def test_a_plan_is_made_every_second_and_each_pets_the_watchdog_and_the_beat() -> None:
    shell = Shell()
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        start = trio.current_time()
        await trio.sleep(10.5)
        assert shell.plan.value.seq == 11
        assert shell.dog.petted == 11
        assert shell.beat.value == start + 10
        assert 0.99 < shell.times.gap_s_max < 1.01
        shell.tell.close()


async def test_500_chargers_that_come_back_at_once_do_not_cost_500_plans() -> None:
    shell = Shell(500)
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        await trio.sleep(0.5)
        for n in range(1, 501):
            now = trio.current_time()
            shell.tell.send_nowait(ChargerKnown(f"c{n}", (1,)))
            shell.tell.send_nowait(LinkUp(f"c{n}", now))
            shell.tell.send_nowait(StatusSeen(f"c{n}", 1, "Available", now))
        before = shell.plan.value.seq
        await trio.sleep(0.2)
        assert shell.plan.value.seq - before <= 3
        assert sum(segment.facts for segment in shell.ring.segments()) == 1500 <= BURST_MAX
        shell.tell.close()


async def test_a_session_that_begins_is_planned_for_at_once() -> None:
    shell = Shell()
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        await trio.sleep(0.5)
        shell.tell.send_nowait(LinkUp("c1", trio.current_time()))
        await trio.sleep(0.2)
        shell.tell.send_nowait(SessionBegan("c1", 1, 1, "tag", trio.current_time()))
        await trio.sleep(0.01)
        assert shell.plan.value.offers[0].session
        shell.tell.close()


async def test_faults_of_a_core_that_failed_are_forgotten_and_nobody_elses() -> None:
    shell = Shell()
    for code, subject in ((Code.NOT_OBEYING, "c1"), (Code.SITE_OVERLOADED, None),
                          (Code.CHARGER_OFFLINE, "c1"), (Code.EMERGENCY_STOP, None)):
        shell.faults.raise_(key(code, subject), Fault.of(code, "then", subject))
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)

        assert [f.code for f in shell.faults.cell.value] == ["charger_offline", "emergency_stop"]
        shell.tell.close()


async def test_faults_are_raised_and_cleared_by_their_key() -> None:
    shell = Shell()
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        shell.tell.send_nowait(EmergencyStopped(True, "page", trio.current_time()))
        await trio.sleep(0.01)
        fault = shell.faults.get("emergency_stop")
        assert fault is not None
        assert (fault.bit, fault.since) == (3, "2026-01-01T00:00:00.000Z")
        shell.tell.send_nowait(EmergencyStopped(False, "page", trio.current_time()))
        await trio.sleep(0.01)
        assert "emergency_stop" not in shell.faults
        shell.tell.close()


async def test_a_plan_that_comes_late_is_a_line_in_the_log(autojump_clock=None) -> None:
    shell = Shell()
    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            await shell.start(nursery)
            clock = trio.lowlevel.current_clock()
            clock.jump(2.0)  # the loop stood still for two seconds
            await trio.sleep(0.1)
            shell.tell.close()
    assert [line["event"] for line in lines if line["event"] != "offer"] == ["plan late"]
    assert shell.times.gap_s_max >= 2.0


async def test_why_an_offer_is_what_it_is_is_told_in_a_sentence() -> None:
    shell = Shell(1)
    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            await shell.start(nursery)
            await trio.sleep(30)
            shell.tell.send_nowait(LinkUp("c1", trio.current_time()))
            await trio.sleep(45)
            shell.tell.close()
    said = [line for line in lines if line["event"] == "offer"]
    assert [line["cause"] for line in said] == ["it is not connected", "no car is plugged in"]
    assert (said[0]["charger"], said[0]["connector"], said[0]["offered"]) == ("c1", 1, "0.0 A")


async def test_the_task_ends_when_every_sender_has_closed() -> None:
    shell = Shell()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            await shell.start(nursery)
            shell.tell.close()


def test_plan_times_tell_the_median_and_the_99th_percentile() -> None:
    times = PlanTimes()
    assert (times.p50, times.p99) == (0.0, 0.0)
    for took_ms in range(1, 101):
        times.add(float(took_ms))
    assert (times.p50, times.p99) == (50.0, 99.0)


# -- trust.md B9: the balancer raises an exception on some input --------------------------------


class Poison(Drawn, frozen=True, tag=True):
    """A fact on which the balancer fails."""


class Broken(Balancer):
    """Fails on poison, and on its next `sick` plans."""

    sick = 0

    def note(self, facts, now):
        if any(isinstance(fact, Poison) for fact in facts):
            self.taken_in = next(n for n, f in enumerate(facts, 1) if isinstance(f, Poison))
            super().note(facts[: self.taken_in - 1], now)
            self.taken_in = next(n for n, f in enumerate(facts, 1) if isinstance(f, Poison))
            raise ZeroDivisionError("poison")
        return super().note(facts, now)

    def _plan(self, passed_s, now):
        if self.sick:
            self.sick -= 1
            raise ZeroDivisionError("sick")
        return super()._plan(passed_s, now)


def poison() -> Poison:
    return Poison("c1", 1, Phases(), "phases", 0.0)


class Ward(Shell):
    """Two cars at 30 A each under 60 A."""

    def __init__(self, **site) -> None:
        super().__init__()
        self.core = Broken(settings(60, 2, **site))
        self.plans: list[Plan] = []

    async def busy(self, nursery: trio.Nursery) -> None:
        await self.start(nursery)
        now = trio.current_time()
        for name in ("c1", "c2"):
            for fact in (LinkUp(name, now), StatusSeen(name, 1, "Available", now),
                         SessionBegan(name, 1, 1, "t", now)):
                self.tell.send_nowait(fact)
        for _ in range(40):
            await trio.sleep(1)
            self.answer()
        await trio.sleep(0.5)  # the answers are read, and the next plan is half a second away
        assert self.amps() == [30.0, 30.0]

    def answer(self) -> None:
        for offer in self.plan.value.offers:
            now = trio.current_time()
            self.tell.send_nowait(OfferAnswered(offer.charger, 1, offer.id, "accepted", now))

    def amps(self) -> list[float]:
        return [offer.limit_ma / 1000 for offer in self.plan.value.offers]


async def test_b9_a_fact_that_cannot_be_digested_raises_nothing_and_hides_no_other_fact() -> None:
    ward = Ward()
    async with trio.open_nursery() as nursery:
        await ward.busy(nursery)
        petted, seq = ward.dog.petted, ward.plan.value.seq
        with structlog.testing.capture_logs() as lines:
            now = trio.current_time()
            for fact in (SettingsChanged(settings(80, 2)), poison(),
                         SessionEnded("c2", 1, 1, now)):
                ward.tell.send_nowait(fact)
            await trio.sleep(0.1)
        assert ward.plan.value.seq == seq + 1
        assert ward.amps() == [30.0, 30.0]  # there is room for more, and this cycle gives none
        assert (ward.dog.petted, ward.times.failed) == (petted, 1)
        assert [line["event"] for line in lines] == ["plan failed"]
        await trio.sleep(2)
        assert ward.dog.petted > petted
        assert not ward.plan.value.offers[1].session  # what came behind the poison was noted
        assert ward.amps()[0] == 32.0
        ward.tell.close()


async def test_b9_a_limit_that_is_lowered_in_a_failed_cycle_is_kept_all_the_same() -> None:
    ward = Ward()
    async with trio.open_nursery() as nursery:
        await ward.busy(nursery)
        ward.tell.send_nowait(SettingsChanged(settings(20, [Charger(id="c1"), Charger(id="c2")])))
        ward.tell.send_nowait(poison())
        await trio.sleep(0.01)
        assert ward.amps() == [10.0, 10.0]
        assert all(offer.urgent for offer in ward.plan.value.offers)
        assert {offer.reason.code for offer in ward.plan.value.offers} == {"fail_safe"}
        ward.tell.close()


async def test_b9_an_emergency_stop_in_a_failed_cycle_stops() -> None:
    ward = Ward()
    async with trio.open_nursery() as nursery:
        await ward.busy(nursery)
        ward.tell.send_nowait(poison())
        ward.tell.send_nowait(EmergencyStopped(True, "page", trio.current_time()))
        await trio.sleep(0.01)
        assert ward.amps() == [0.0, 0.0]
        ward.tell.close()


async def test_b9_a_meter_over_its_limit_in_a_failed_cycle_takes_off_what_is_over() -> None:
    core = Ward(meter=metered()).core
    for second in range(30):
        now = float(second)
        core.feed(MeterRead(Phases(), (None, None, None), now), now)
        if second == 9:
            for name in ("c1", "c2"):
                core.feed_all([LinkUp(name, now), SessionBegan(name, 1, 1, "t", now)], now)
        for offer in core.wake(now)[0].offers:
            core.feed(OfferAnswered(offer.charger, 1, offer.id, "accepted", now), now)
    before = core.wake(29.0)[0]
    assert [offer.limit_ma for offer in before.offers] == [30_000, 30_000]
    core._meter.last = MeterRead(Phases(72_000), (None, None, None), 29.0)
    (plan,) = core.shrink(29.1)
    assert [offer.limit_ma for offer in plan.offers] == [24_000, 24_000]
    (later,) = core.shrink(40.0)  # and the meter is failed by now
    assert [offer.limit_ma for offer in later.offers] == [0, 0]


async def test_inv_5_nothing_rises_so_soon_after_a_failed_cycle() -> None:
    core = Ward().core
    core.feed_all([LinkUp("c1", 0.0), SessionBegan("c1", 1, 1, "t", 0.0)], 0.0)

    def told(now: float) -> int:
        plan = core.wake(now)[0]
        for offer in plan.offers:
            core.feed(OfferAnswered(offer.charger, 1, offer.id, "accepted", now), now)
        return next(offer.limit_ma for offer in plan.offers if offer.charger == "c1")

    for second in range(30):
        before = told(float(second))
    assert before > 0
    core.shrink(30.0, to_fail_safe=True)
    assert [told(30.1), told(30.5), told(30.9)] == [0, 0, 0]
    assert told(31.1) == before


async def test_b9_the_third_in_a_row_sends_all_to_their_fail_safe_and_ends_the_process() -> None:
    ward = Ward()
    with pytest.RaisesGroup(KeptDown, flatten_subgroups=True, allow_unwrapped=True):
        async with trio.open_nursery() as nursery:
            await ward.busy(nursery)
            ward.core.sick = 99
            started = trio.current_time()
            await trio.sleep(1.5)
            assert ward.amps() == [30.0, 30.0]
            try:
                await trio.sleep(30)
            finally:
                assert trio.current_time() - started < 4.0
                assert ward.amps() == [0.0, 0.0]
    assert ward.times.failed == 3


async def test_b9_two_in_a_row_and_then_a_good_one_end_nothing() -> None:
    ward = Ward()
    async with trio.open_nursery() as nursery:
        await ward.busy(nursery)
        for _ in range(4):
            ward.core.sick = 2
            await trio.sleep(4)
        assert ward.times.failed == 8
        assert ward.amps() == [30.0, 30.0]
        ward.tell.close()


async def test_b9_whoever_keeps_the_balancer_does_not_start_it_again_in_the_same_process() -> None:
    async def fails() -> None:
        raise KeptDown("three in a row")

    with pytest.raises(KeptDown):
        await keep("balance", fails, vital=True)


async def test_what_was_learned_of_an_efficiency_is_handed_on() -> None:
    shell = Shell()
    shell.core._learned.append(EtaLearned("c1", (930,), 0.0))
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        assert shell.learned == [EtaLearned("c1", (930,), 0.0)]
        shell.tell.close()
