"""Clocks that are not set, step, stand still or change their zone (trust.md 2, T1, T2, T9, T10).

T3 to T8 are held where the clause is: see `tests/clauses/csms.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
import trio
from tests.sim.csms_cases import Behind, behind
from tools.simulator.scene import HERE, scene, single, site
from trio.testing import MockClock

from linkray.kit.clock import OLDEST
from linkray.model.settings import Exclusion

SEEDS_A_DAY = 1
YEARS_S = 365.25 * 86_400


def own_time(case: Behind) -> datetime:
    return datetime.fromtimestamp(case.victim.clock(), UTC)


async def test_t1_a_box_that_starts_in_1970_charges_and_goes_by_the_time_of_its_csms(
    seed: int,
) -> None:
    async with behind(seed) as case:
        await case.charging("C1")
        true = case.s.wall_off_s
        case.s.wall_off_s, case.was_restarted = -56.45 * YEARS_S, True
        await case.s.restart()
        await case.s.until(lambda: "clock" in case.s.faults(), 20)
        await case.live()
        await case.charging("C2")
        await trio.sleep(90)

        right = datetime(2026, 6, 15, 12, tzinfo=UTC)
        assert abs((case.s.wall.utc() - right).total_seconds()) < 600, "the CSMS's time"
        assert "clock" in case.s.faults(), "uncertain, all the same"
        assert abs((own_time(case) - right).total_seconds()) < 600
        (second,) = await case.s.store.recent("C2")
        assert second.started.startswith("2026-06-15T12")
        await case.ended("C1", "C2")
        case.s.wall_off_s = true
        await case.s.until(lambda: "clock" not in case.s.faults(), 20)


async def test_t1_without_any_time_it_is_what_was_saved_last_and_cars_charge(seed: int) -> None:
    async with behind(seed, live=False) as case:
        case.csms.cut()
        await case.charging("C1")
        case.s.wall_off_s = -56.45 * YEARS_S
        case.s.wall._lost = OLDEST - OLDEST  # a process that has just begun knows nothing
        await case.s.restart()
        await case.s.until(lambda: "clock" in case.s.faults(), 20)
        saved = case.s.wall.utc()
        await trio.sleep(60)

        assert saved.year == 2026
        assert 59 < (case.s.wall.utc() - saved).total_seconds() < 61, "it goes on"
        await case.s.until(lambda: any(case.victim.true_current_ma()), 60)
        case.is_over = False


@pytest.mark.parametrize("step_s", [30 * YEARS_S, -86_400.0, 3_600.0, -3_600.0])
async def test_t2_a_step_of_the_clock_in_an_outage_costs_the_csms_nothing(
    seed: int, step_s: float
) -> None:
    async with behind(seed) as case:
        await case.charging("C1")
        case.csms.cut()
        await case.away()
        began = trio.current_time()
        case.s.wall_off_s = step_s
        await trio.sleep(100)
        case.csms.restore()
        await case.live()
        assert trio.current_time() - began < 100 + 80, "dialled in its time"
        await case.ended("C1")

        account = case.account()
        assert (account.starts, account.stops) == (1, 1)
        assert case.s.said("CSMS not connected")


async def test_t9_a_box_that_has_slept_for_an_hour_believes_nothing_of_before(seed: int) -> None:
    async with scene(site(40, single("C1"), single("C2")), seed=seed, meter="SDM630") as s:
        s.world.building.hold((10_000, 10_000, 10_000))
        s.charge("C1", "C2")
        await s.until(lambda: sum(s.pilots_a("C1", "C2")) > 20, 120)
        before = trio.current_time()
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(3_600)
        highest = 0.0
        for _ in range(40):
            await trio.sleep(0.25)
            highest = max(highest, sum(s.offers_a("C1", "C2")))
            assert highest <= 30.0
        assert trio.current_time() - before > 3_600
        await s.until(lambda: s.world.charger("C1").is_connected, 60)
        await s.until(lambda: any(s.world.charger("C1").true_current_ma()), 240,
                      lambda: s.offers_a("C1", "C2"))  # fmt: skip
        s.is_safe()


async def test_t10_another_time_zone_changes_what_is_shown_and_nothing_that_is_kept(
    seed: int,
) -> None:
    async with behind(seed) as case:
        await case.charging("C1")
        (before,) = await case.s.store.recent("C1")
        told = len(case.s.told("C1", "SetChargingProfile"))
        for zone in ("Pacific/Auckland", "America/St_Johns"):
            old = case.s.store.settings.value
            part = msgspec.structs.replace(old.site, time_zone=zone)
            await case.s.store.change_settings(
                msgspec.structs.replace(old, site=part), HERE, "test"
            )
            await trio.sleep(20)
        assert (await case.s.store.recent("C1"))[0].started == before.started
        assert len(case.s.told("C1", "SetChargingProfile")) - told <= 2, "renewals"
        # 12:00 UTC is 09:30 in Newfoundland: the schedule is the site's
        new = msgspec.structs.replace(
            case.s.store.settings.value, schedule=(Exclusion(("Mon",), "09:30", "09:40"),)
        )
        await case.s.store.change_settings(new, HERE, "test")
        await case.s.until(lambda: case.s.pilots_a("C1") == [0.0], 30)
        await case.ended("C1")

        (kept,) = await case.s.store.recent("C1")
        assert kept.ended is not None
        assert kept.started < kept.ended
        assert kept.ended.endswith("Z")
