"""The task around the balancer: bursts, cells, faults, the watchdog, late plans."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import structlog
import trio
from tests.unit.balance.balance_world import settings

from linkray.balance.balancer import Balancer
from linkray.balance.task import BURST_MAX, FactRing, PlanTimes, run_balance
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock
from linkray.model.facts import ChargerKnown, EmergencyStopped, LinkUp, SessionBegan, StatusSeen
from linkray.model.faults import Code, Fault, key
from linkray.model.plan import NO_PLAN


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

    async def start(self, nursery: trio.Nursery) -> None:
        await nursery.start(partial(
            run_balance, self.core, self.inbox, self.plan, self.beat, self.dog, self.faults,
            self.wall, self.times, self.ring,
        ))  # fmt: skip


async def test_the_first_plan_is_published_before_the_task_has_started() -> None:
    shell = Shell()
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        assert shell.plan.value.seq == 1
        assert len(shell.plan.value.offers) == 2
        assert shell.dog.petted == 1
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
        assert len(shell.ring.facts) == 1500 <= BURST_MAX
        shell.tell.close()


async def test_a_session_that_begins_is_planned_for_at_once() -> None:
    shell = Shell()
    async with trio.open_nursery() as nursery:
        await shell.start(nursery)
        await trio.sleep(0.5)
        now = trio.current_time()
        shell.tell.send_nowait(LinkUp("c1", now))
        shell.tell.send_nowait(SessionBegan("c1", 1, 1, "tag", now))
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
    assert [line["event"] for line in lines] == ["plan late"]
    assert shell.times.gap_s_max >= 2.0


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
