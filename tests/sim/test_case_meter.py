"""Meters of every failure on sites that chance draws (trust.md 2, M1 to M15)."""

from __future__ import annotations

import pytest
import trio
from tests.sim.cases import Case, a_case
from tools.simulator.scene import amps, hungry
from tools.world import Make, Measured, Meter

from linkray.model.settings import Charger, MeterSettings

DEGRADED_A = 18.0  # of all chargers together: two of them at 9 A, or three at 6
DEGRADED = MeterSettings(degraded_ma=amps(DEGRADED_A))
STOPS = MeterSettings()


async def healthy(case: Case, within_s: float = 40.0) -> None:
    await case.s.until(lambda: case.s.house.meter.value.healthy, within_s,
                       lambda: case.s.lines("MODBUS")[-4:])  # fmt: skip


async def degraded(case: Case, limit_a: float = DEGRADED_A) -> None:
    """Told and obeyed within 7 s (M1), and named."""
    s = case.s
    began = trio.current_time()
    await s.until(lambda: case.total_ma() <= limit_a * 1000, 7.0, case.total_ma)
    await s.until(lambda: max(s.world.chargers_ma()) <= limit_a * 1000 + 300, 4.5,
                  s.world.chargers_ma)  # fmt: skip

    assert trio.current_time() - began <= 11
    assert "meter" in s.faults()
    assert s.house.plan.value.degraded


async def back_after_a_minute(case: Case, limit_a: float = DEGRADED_A) -> None:
    """Healthy after five good polls; above the degraded amps only a minute later."""
    case.s.world.meter.obey()
    await healthy(case)
    since = trio.current_time()
    while trio.current_time() - since < 58:
        await trio.sleep(0.5)
        assert case.total_ma() <= limit_a * 1000
    await case.s.until(lambda: case.total_ma() > limit_a * 1000, 40, case.offers)
    assert "meter" not in case.s.faults()


async def test_m1_a_meter_that_is_silent_is_lost_in_time_and_raises_nothing(seed: int) -> None:
    async with a_case(seed, meter=True, watch=DEGRADED) as case:
        await case.some_time()
        case.s.world.meter.cut()
        await trio.sleep(3.2)
        case.s.world.building.step(case.chance.randint(1, 3), -2_000)  # room that nobody sees
        await degraded(case)
        await case.never_raised(30)
        await back_after_a_minute(case)


async def test_m1_without_degraded_amps_a_lost_meter_stops_charging(seed: int) -> None:
    async with a_case(seed, meter=True, watch=STOPS) as case:
        await case.some_time()
        case.s.world.meter.cut()
        await degraded(case, 0.0)


async def test_m2_a_value_that_is_stuck_while_chargers_change_is_lost(seed: int) -> None:
    async with a_case(seed, meter=True, watch=DEGRADED) as case:
        s = case.s
        await case.some_time()
        s.world.meter.freeze()
        await case.some_time(22, 40)  # a change just before could be in the value that stays
        s.world.charger(case.others[-1]).unplug()  # the chargers change, the meter does not
        await s.until(lambda: not s.house.meter.value.healthy, 100, lambda: s.lines("MODBUS")[-3:])

        s.said("unchanged for")
        await degraded(case)
        await back_after_a_minute(case)


@pytest.mark.parametrize("file", ["SDM630", "B21B23B24", "SDM3xx"])
async def test_m3_nan_infinity_and_fill_patterns_are_no_answer(seed: int, file: str) -> None:
    async with a_case(seed, meter=True, watch=DEGRADED, file=file) as case:
        await case.some_time()
        before = case.s.house.meter.value.current_ma
        case.s.world.meter.nan()
        await degraded(case)

        assert case.s.house.meter.value.current_ma.l1 <= before.l1 * 1.3 + 3_000
        await back_after_a_minute(case)


async def turns(case: Case, count: int) -> None:
    """People come and go, so that the meter can be held against the chargers."""
    s = case.s
    for _ in range(count):
        name = case.chance.choice(case.all)
        charger = s.world.charger(name)
        if charger.connector(1).car is None:
            charger.plug(case.car())
            charger.present_tag("TAG1")
        else:
            charger.unplug()
        await trio.sleep(45)


@pytest.mark.parametrize("factor", [0.4, 3.0])
async def test_m4_a_scale_that_is_wrong_is_found_by_comparison(
    seed: int, factor: float
) -> None:
    async with a_case(seed, meter=True, phases=1, limit_a=300.0, charging=False) as case:
        case.s.world.meter.scale(factor)
        await turns(case, 24)

        found = {f.what for f in case.s.house.meter.value.findings}
        assert found <= {"scale"}
        assert found, case.s.house.meter.value
        assert "meter_doubt" in case.s.faults()


async def test_m5_export_on_one_phase_pays_for_no_other(seed: int) -> None:
    async with a_case(seed, meter=True, phases=1, charging=False) as case:
        s = case.s
        s.world.building.noise_ma = 0
        s.world.building.hold((0, 4_000, 4_000))
        s.world.building.step(1, -case.chance.randint(5, 30) * 1000)
        s.world.building.solar_peak_ma = (20_000, 0, 0)
        await case.charge(*case.all)
        limit = s.settings.site.limit_ma
        for _ in range(120):
            await trio.sleep(1)
            offers = [o.offer_ma.l1 for o in s.house.plan.value.offers]
            assert sum(offers) <= limit.l1  # what L1 gives away makes no headroom
        assert s.house.plan.value.budget_ma.l2 <= limit.l2 - 3_000


async def test_m6_a_current_without_sign_is_import(seed: int) -> None:
    async with a_case(seed, meter=True, phases=1, charging=False, file="B21B23B24") as case:
        s = case.s
        s.world.building.hold((0, 0, 0))
        s.world.building.solar_peak_ma = (case.chance.randint(5, 40) * 1000, 0, 0)
        await healthy(case)
        for name in case.all:
            s.charge(name, car=case.car)
        for _ in range(150):
            await trio.sleep(1)
            assert sum(o.offer_ma.l1 for o in s.house.plan.value.offers) <= (
                s.settings.site.limit_ma.l1
            )


async def test_m7_volts_that_cannot_be_are_ignored(seed: int) -> None:
    def in_watts(_kept: Charger) -> Charger:
        return Charger("C1", max_w=7_360, min_w=1_380, unit="W")

    watts = Make(phases=1, units="Power")
    async with a_case(seed, meter=True, phases=1, make=watts, kept=in_watts,
                      file="SDM3xx") as case:  # fmt: skip
        case.s.world.meter.say_volts(case.chance.choice(
            ((0, 70_000, 300_000), (400_000, 400_000, 400_000), (0, 0, 0))
        ))  # fmt: skip
        await trio.sleep(30)

        offer = case.s.offer("C1")
        assert offer.limit_w is not None
        assert offer.limit_w <= offer.offer_ma.l1 * 230 // 1000
        assert all(mv is None for mv in case.s.house.meter.value.voltage_mv)


def blind_on(case: Case, phase: int) -> Meter:
    """The meter with its fuse of one phase gone: no volts and no amps there."""

    def read() -> Measured:
        true = case.s.world.measured()
        ma, mv = list(true.ma), list(true.mv)
        ma[phase] = mv[phase] = 0
        return Measured(tuple(ma), tuple(mv), true.energy_wh)

    return Meter(read, case.s.world.meter.file)


async def test_m8_a_phase_that_is_missing_is_degraded_alone(seed: int) -> None:
    async with a_case(seed, meter=True, phases=3, watch=DEGRADED, file="SDM3xx") as case:
        s = case.s
        phase = case.chance.randrange(3)
        s.world.meter = blind_on(case, phase)
        s.world.meter.is_tcp = False
        s.unplug_meter()
        await s.until(
            lambda: sum(o.offer_ma[phase] for o in s.house.plan.value.offers) <= 18_000, 25,
            case.offers,
        )  # fmt: skip

        s.said(f"L{phase + 1}: no voltage and no current")
        assert "meter" in s.faults()


async def test_m9_a_reversed_transformer_is_found(seed: int) -> None:
    async with a_case(seed, meter=True, phases=1, limit_a=400.0, charging=False) as case:
        s = case.s
        s.world.building.hold((60_000, 60_000, 60_000))
        upright = s.world.meter

        def read() -> Measured:
            true = s.world.measured()
            return Measured((-true.ma[0], true.ma[1], true.ma[2]), true.mv, true.energy_wh)

        s.world.meter = Meter(read, upright.file)
        s.world.meter.is_tcp = False
        s.unplug_meter()
        await healthy(case)
        await turns(case, 24)

        assert [(f.what, f.phase) for f in s.house.meter.value.findings] == [("reversed", "L1")]
        assert "meter_doubt" in s.faults()


async def test_m10_a_meter_that_answers_now_and_then_does_not_flap(seed: int) -> None:
    async with a_case(seed, meter=True, watch=DEGRADED) as case:
        chance = case.chance
        if chance.random() < 0.5:
            case.s.world.meter.late(chance.uniform(0.55, 1.5))
        else:
            case.s.world.meter.fail(chance.uniform(0.4, 0.95))
        began, back, was = trio.current_time(), 0, case.total_ma() > DEGRADED_A * 1000
        while trio.current_time() - began < 300:
            await trio.sleep(0.5)
            above = case.total_ma() > DEGRADED_A * 1000
            back += above > was
            was = above

        assert back <= 300 / 60


WIRES = {
    "the answer before": Meter.answer_the_previous,
    "a wrong byte": Meter.garble,
    "an echo": Meter.echo,
    "rubbish without end": Meter.pour,
}


@pytest.mark.parametrize("wire", list(WIRES))
async def test_m11_what_is_not_the_answer_is_not_believed(seed: int, wire: str) -> None:
    async with a_case(seed, meter=True, watch=DEGRADED) as case:
        s = case.s
        await case.some_time()
        s.world.building.noise_ma = 0
        WIRES[wire](s.world.meter)
        for _ in range(60):
            await trio.sleep(0.5)
            seen = s.house.meter.value.current_ma
            assert all(0 <= ma <= 2 * s.settings.site.limit_ma.l1 for ma in seen), seen
        s.world.meter.obey()
        await healthy(case)


async def test_m12_a_meter_that_takes_one_connection_gets_one(seed: int) -> None:
    async with a_case(seed, meter=True, watch=DEGRADED, file="SDM6xx-tcp") as case:
        meter = case.s.world.meter
        meter.streams_max = 1
        most = 0
        for _ in range(3):
            if case.chance.random() < 0.5:
                meter.cut()
            else:
                case.s.unplug_meter()
            for _ in range(case.chance.randint(20, 150)):
                await trio.sleep(0.1)
                most = max(most, meter.streams)
            meter.obey()
            await trio.sleep(12)
            most = max(most, meter.streams)
            await healthy(case)

        assert most == 1


async def test_m13_an_adapter_that_vanishes_is_opened_again(seed: int) -> None:
    async with a_case(seed, meter=True, watch=DEGRADED) as case:
        s = case.s
        for _ in range(2):
            await case.some_time()
            s.serial.present = False
            s.unplug_meter()
            await s.until(lambda: not s.house.meter.value.healthy, 15)
            await case.some_time()
            s.serial.present = True
            await healthy(case, 20)


async def test_m14_zeros_after_a_restart_of_the_meter_are_not_believed(seed: int) -> None:
    async with a_case(seed, meter=True, watch=DEGRADED) as case:
        await case.some_time()
        before = case.offers()
        case.s.world.meter.zero()
        await case.never_raised(5)
        case.s.world.meter.obey()
        await trio.sleep(3)

        assert case.total_ma() > 0 or sum(before) == 0
        await healthy(case)


async def test_m15_a_meter_that_does_not_see_the_chargers_is_counted_beside_them(
    seed: int,
) -> None:
    async with a_case(seed, meter=True, phases=1, chargers=4, limit_a=70.0, charging=False,
                      strict=False) as case:  # fmt: skip
        s = case.s
        s.world.meter_sees = "building"  # and it is set to `grid`
        s.world.building.hold((25_000, 25_000, 25_000))
        await turns(case, 30)
        await s.until(lambda: any(f.what == "excluded" for f in s.house.meter.value.findings), 5,
                      lambda: s.house.meter.value)  # fmt: skip
        for name in case.all:
            if s.world.charger(name).connector(1).car is None:
                s.charge(name, car=lambda: hungry(1))
        await trio.sleep(90)
        s.world.oracle.limit_exceeded_s = 0.0
        await trio.sleep(120)

        assert "meter_doubt" in s.faults()
        assert s.world.oracle.limit_exceeded_s == 0  # from now on it is under the limit for good
        assert sum(s.world.chargers_ma()) > 20_000


def test_every_meter_case_of_the_chapter_is_here() -> None:
    named = {name.split("_")[1] for name in globals() if name.startswith("test_m")}

    assert named == {f"m{n}" for n in range(1, 16)}
