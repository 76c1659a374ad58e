"""Meters that fail, lie and desynchronise (trust.md 2 M, 3 A43), through the whole firmware.

Every scene: what truly flowed kept all limits, the log names the meter, what failed and why, and
the case's own expectation within its bound.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import trio
from tools.simulator.scene import Scene, amps, hungry, scene, single, site, three
from tools.world import Make, Measured, Meter

from linkray.model.settings import Charger, MeterSettings, Settings

C = [single(f"C{n}") for n in range(1, 5)]
RTU, SIGNED, UNSIGNED, TCP = "SDM3xx", "SDM630", "B21B23B24", "SDM6xx-tcp"
DEGRADED = MeterSettings(degraded_ma=amps(20))


def metered(limit_a: float, *chargers: Charger, **rest: object) -> Settings:
    return site(limit_a, *chargers, meter=DEGRADED, **rest)


async def settled(s: Scene, building_a: tuple[int, int, int] = (10, 10, 10)) -> None:
    """A healthy meter, a steady building, C1 and C2 charging."""
    s.world.building.hold(tuple(1000 * a for a in building_a))
    s.charge("C1", "C2")
    await s.until(lambda: s.house.meter.value.healthy, 30)
    await s.until(lambda: min(s.offers_a("C1", "C2")) >= 20, 150, lambda: s.offers_a("C1", "C2"))
    await trio.sleep(30)


def total_a(s: Scene) -> float:
    return sum(s.offers_a("C1", "C2"))


async def raises(s: Scene, for_s: float, *names: str) -> list[tuple[float, float]]:
    """Every raise of an offer in so many seconds, as (seconds after the beginning, amps)."""
    began, found = trio.current_time(), []
    before = s.offers_a(*names)
    while trio.current_time() < began + for_s:
        await trio.sleep(0.1)
        now = s.offers_a(*names)
        for old, new in zip(before, now, strict=True):
            if new > old:
                found.append((trio.current_time() - began, new - old))
        before = now
    return found


async def degraded_in_time(s: Scene) -> None:
    """M1: age > 3 s: no increase; > 5 s: degraded; what the chargers may draw is cut ≤ 7 s."""
    since = trio.current_time()
    await s.until(lambda: total_a(s) <= 20, 7, lambda: total_a(s))
    await s.until(lambda: sum(s.pilots_a("C1", "C2")) <= 20, 1, lambda: s.pilots_a("C1", "C2"))
    assert trio.current_time() - since <= 7.6
    assert "meter" in s.faults()
    assert not s.house.meter.value.healthy
    assert s.house.plan.value.degraded


async def still_charging(s: Scene) -> None:
    """On the degraded amps the chargers go on, and come back 60 s after the meter does."""
    near = s.watch("C1", "C2")
    await trio.sleep(120)
    assert total_a(s) <= 20
    s.went_on(near, 50)


async def back_in_time(s: Scene) -> None:
    s.world.meter.obey()
    healthy_s = await s.until(lambda: s.house.meter.value.healthy, 30)
    assert healthy_s >= 3  # five good polls in a row
    raised = await raises(s, 55, "C1", "C2")
    assert raised == []
    await s.until(lambda: total_a(s) > 20, 30)
    assert "meter" not in s.faults()


async def test_m1_no_answer_degrades_within_seven_seconds_and_raises_nothing() -> None:
    async with scene(metered(100, *C[:2]), meter=RTU) as s:
        await settled(s)
        s.world.meter.cut()
        await trio.sleep(3)
        s.world.building.step(1, -10_000)  # room that nobody sees
        await degraded_in_time(s)

        s.said("MODBUS", "failed to read AL1, no reply", "meter=SDM3xx")
        assert await raises(s, 60, "C1", "C2") == []
        since = trio.current_time() - 55
        schedules = [told["csChargingProfiles"]["chargingSchedule"]
                     for at, told in s.told("C1", "SetChargingProfile") if at > since]  # fmt: skip
        limits = {schedule["chargingSchedulePeriod"][0]["limit"] for schedule in schedules}
        assert max(limits, default=0) <= 10  # never refreshed at the old limit
        await still_charging(s)
        await back_in_time(s)
        s.is_safe()


@pytest.mark.parametrize("meter", [RTU, UNSIGNED])
async def test_m3_nan_and_fill_patterns_are_no_answer(meter: str) -> None:
    async with scene(metered(100, *C[:2]), meter=meter) as s:
        await settled(s)
        seen = s.house.meter.value.current_ma
        s.world.meter.nan()
        await degraded_in_time(s)

        s.said("failed to read AL1, not a number", f"meter={meter}")
        assert s.house.meter.value.current_ma == seen  # nothing of it was believed
        await still_charging(s)
        await back_in_time(s)
        s.is_safe()


async def exporting(s: Scene, *sun_a: int, building_a: tuple[int, int, int]) -> None:
    s.world.building.hold(tuple(1000 * a for a in building_a))
    s.world.building.solar_peak_ma = tuple(1000 * a for a in sun_a)
    await s.until(lambda: s.house.meter.value.healthy, 30)


async def test_m5_export_gives_no_headroom_and_pays_for_no_other_phase() -> None:
    async with scene(metered(40, three("C1"), single("C2")), meter=SIGNED) as s:
        await exporting(s, 60, 0, 0, building_a=(0, 30, 0))
        s.charge("C1", car=lambda: hungry(3))
        s.charge("C2")
        await s.until(lambda: s.offers_a("C1")[0] >= 9, 150, lambda: s.offers_a("C1", "C2"))
        await trio.sleep(90)

        assert s.house.meter.value.current_ma.l1 < 0
        assert s.offer("C1").offer_ma.highest() <= 10_000  # L2 has 10 A, whatever L1 gives away
        assert s.offer("C1").offer_ma.l1 + s.offer("C2").offer_ma.l1 <= 40_000
        assert s.house.plan.value.budget_ma.l1 <= 40_000
        s.is_safe()


async def test_m5_export_is_used_phase_by_phase_where_it_is_set() -> None:
    settings = metered(20, single("C1"), single("C2", connection="L2"), use_solar_surplus=True)
    async with scene(settings, meter=SIGNED) as s:
        await exporting(s, 10, 0, 0, building_a=(0, 5, 0))
        s.charge("C1", "C2")
        await s.until(lambda: s.offers_a("C1")[0] >= 29, 200, lambda: s.offers_a("C1", "C2"))
        await trio.sleep(60)

        assert s.offers_a("C2")[0] <= 15
        s.is_safe()


async def test_m6_a_current_without_sign_is_import() -> None:
    async with scene(metered(40, *C[:2]), meter=UNSIGNED) as s:
        await exporting(s, 30, 0, 0, building_a=(0, 0, 0))
        s.charge("C1", "C2")
        for _ in range(180):
            await trio.sleep(1)
            # 30 A of sun look like 30 A of load: what is free is what the sign would not tell.
            assert total_a(s) <= 40
        s.is_safe()


@pytest.mark.parametrize("volts", [(0, 70_000, 300_000), (400_000, 400_000, 400_000)])
async def test_m7_impossible_volts_are_ignored_and_the_configured_ones_taken(
    volts: tuple[int, int, int],
) -> None:
    in_watts = Charger("C2", max_w=7360, min_w=1380, unit="W")
    watts = Make(phases=1, units="Power")
    async with scene(metered(40, C[0], in_watts), meter=RTU, makes={"C2": watts}) as s:
        s.world.building.hold((10_000, 10_000, 10_000))
        s.world.meter.say_volts(volts)
        s.charge("C1", "C2")
        await s.until(lambda: min(s.offers_a("C1", "C2")) >= 12, 150,
                      lambda: s.offers_a("C1", "C2"))  # fmt: skip

        assert s.house.meter.value.voltage_mv == (None, None, None)
        assert s.house.meter.value.healthy
        s.said("voltage", "meter=SDM3xx", "ignored")
        offer = s.offer("C2")
        assert offer.limit_w is not None
        assert offer.limit_w <= offer.offer_ma.l1 * 230 // 1000  # volts as set, to the watt
        near = s.watch("C1", "C2")
        await trio.sleep(60)
        s.went_on(near, 20)
        s.is_safe()


def blind_on(s: Scene, phase: int) -> Meter:
    """The meter with its fuse of one phase gone: no volts and no amps there."""
    def read() -> Measured:
        true = s.world.measured()
        ma, mv = list(true.ma), list(true.mv)
        ma[phase] = mv[phase] = 0
        return Measured(tuple(ma), tuple(mv), true.energy_wh)

    return Meter(read, s.world.meter.file)


async def test_m8_a_missing_phase_is_degraded_alone() -> None:
    on_l2 = single("C2", connection="L2")
    settings = metered(63, C[0], on_l2, three("C3"))
    async with scene(settings, meter=RTU) as s:
        s.world.building.hold((10_000, 10_000, 10_000))
        s.charge("C1", "C2")
        s.charge("C3", car=lambda: hungry(3))
        await s.until(lambda: min(s.offers_a("C1", "C2", "C3")) >= 20, 150)
        await trio.sleep(20)
        near = s.watch("C1", "C2", "C3")
        s.world.meter = blind_on(s, 1)
        s.world.meter.is_tcp = False
        s.unplug_meter()
        await s.until(lambda: s.offer("C2").offer_ma.l2 + s.offer("C3").offer_ma.l2 <= 20_000, 25,
                      lambda: s.offers_a("C1", "C2", "C3"))  # fmt: skip

        assert s.offer("C3").offer_ma.highest() <= 20_000  # it follows its worst phase
        await trio.sleep(90)
        assert s.offers_a("C1")[0] >= 26  # L1 is seen, and full use is made of it
        assert "meter" in s.faults()
        assert any("L2" in f.text for f in s.house.faults.cell.value)
        s.said("L2: no voltage and no current", "meter=SDM3xx")
        s.went_on(near, 50)
        s.is_safe()


async def returns(s: Scene, for_s: float) -> int:
    """How often offers rose above the degraded amps in so many seconds."""
    ends, count, was = trio.current_time() + for_s, 0, total_a(s) > 20
    while trio.current_time() < ends:
        await trio.sleep(0.1)
        count += (total_a(s) > 20) > was
        was = total_a(s) > 20
    return count


MOODS: dict[str, Callable[[Meter], None]] = {
    "900 ms late": lambda meter: meter.late(0.9),
    "half fail": lambda meter: meter.fail(0.5),
    "nine of ten fail": lambda meter: meter.fail(0.9),
}


@pytest.mark.parametrize("mood", list(MOODS))
async def test_m10_late_and_lossy_answers_do_not_flap_between_modes(mood: str) -> None:
    async with scene(metered(100, *C[:2]), meter=RTU) as s:
        await settled(s)
        MOODS[mood](s.world.meter)
        began = trio.current_time()
        came_back = await returns(s, 600)

        # Degraded at once, above it only after five good polls and 60 s: at most once a minute.
        assert came_back <= (trio.current_time() - began) / 65
        s.said("failed to read AL1, no reply", "meter=SDM3xx")
        assert min(s.offers_a("C1", "C2")) >= 10  # charging goes on, at least degraded
        s.is_safe()


WIRES: dict[str, Callable[[Meter], None]] = {
    "the answer before": Meter.answer_the_previous,
    "a wrong byte": Meter.garble,
    "an echo": Meter.echo,
    "another unit": Meter.wrong_ids,
    "rubbish without end": Meter.pour,
}


OUT_OF_STEP = [(m, w) for m in (RTU, TCP) for w in WIRES if (m, w) != (TCP, "a wrong byte")]


@pytest.mark.parametrize(("meter", "wire"), OUT_OF_STEP)  # TCP has a checksum of its own
async def test_m11_a43_a_line_or_server_out_of_step_is_never_believed(
    meter: str, wire: str
) -> None:
    async with scene(metered(100, *C[:2]), meter=meter) as s:
        await settled(s)
        WIRES[wire](s.world.meter)
        wrong: list[object] = []
        for _ in range(60):
            await trio.sleep(0.5)
            seen = s.house.meter.value.current_ma
            if abs(seen.l2 - 10_000) > 100 or seen.l1 > 80_000:
                wrong.append(seen)
        assert wrong == []
        if not s.house.meter.value.healthy:  # what cannot be told apart counts as no answer
            s.said(f"meter={meter}", "failed to read AL1")
            assert total_a(s) <= 20
            assert sum(s.pilots_a("C1", "C2")) <= 20
        s.world.meter.obey()
        await s.until(lambda: s.house.meter.value.healthy, 40, lambda: s.lines("MODBUS")[-5:])
        near = s.watch("C1", "C2")
        await trio.sleep(90)
        s.went_on(near, 50)
        assert total_a(s) > 20
        s.is_safe()


async def test_a43_answers_to_other_questions_are_no_answers() -> None:
    async with scene(metered(100, *C[:2]), meter=TCP) as s:
        await settled(s)
        s.world.meter.wrong_ids()
        await degraded_in_time(s)

        s.said("failed to read AL1, no reply", f"meter={TCP}")
        await still_charging(s)
        await back_in_time(s)
        s.is_safe()


class Mangled(trio.abc.Stream):
    """A meter's end of a connection whose answers come mangled."""

    def __init__(self, inner: trio.abc.Stream, mangle: Callable[[bytes], list[bytes]]) -> None:
        self._inner = inner
        self._mangle = mangle

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        for piece in self._mangle(bytes(data)):
            await self._inner.send_all(piece)
            await trio.sleep(0.002)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._inner.receive_some(max_bytes))

    async def aclose(self) -> None:
        await self._inner.aclose()


def with_length(length: int) -> Callable[[bytes], list[bytes]]:
    return lambda answer: [answer[:4] + length.to_bytes(2, "big") + answer[6:]]


MANGLED: dict[str, Callable[[bytes], list[bytes]]] = {
    "length 0": with_length(0),
    "length 1": with_length(1),
    "length 65535": with_length(65_535),
    "another protocol": lambda answer: [answer[:2] + b"\x00\x07" + answer[4:]],
    "another unit": lambda answer: [answer[:6] + b"\x09" + answer[7:]],
    "half": lambda answer: [answer[: len(answer) // 2]],
    "too many registers": lambda answer: [answer[:8] + bytes([answer[8] + 2]) + answer[9:]],
}


def mangle(s: Scene, how: Callable[[bytes], list[bytes]]) -> None:
    """From now on every connection to the meter is mangled so."""
    serve = s.world.meter.serve
    s.world.meter.serve = lambda stream: serve(Mangled(stream, how))
    s.unplug_meter()


async def test_a42_an_answer_byte_by_byte_is_the_same_answer() -> None:
    async with scene(metered(100, *C[:2]), meter=TCP) as s:
        await settled(s)
        near = s.watch("C1", "C2")
        mangle(s, lambda answer: [bytes([byte]) for byte in answer])
        await trio.sleep(60)

        assert s.house.meter.value.healthy
        assert total_a(s) > 20
        s.went_on(near, 50)
        s.is_safe()


@pytest.mark.parametrize("how", list(MANGLED))
async def test_a42_a_malformed_answer_is_no_answer_and_is_named(how: str) -> None:
    async with scene(metered(100, *C[:2]), meter=TCP) as s:
        await settled(s)
        mangle(s, MANGLED[how])
        await s.until(lambda: total_a(s) <= 20, 8, lambda: total_a(s))

        assert s.world.meter.streams <= 1
        s.said("failed to read AL1", f"meter={TCP}")
        await still_charging(s)
        s.is_safe()


async def test_m12_one_socket_only_closed_before_it_is_opened_again() -> None:
    async with scene(metered(100, *C[:2]), meter=TCP) as s:
        s.world.meter.streams_max = 1
        await settled(s)
        most = 0
        for _ in range(4):
            s.world.meter.cut()
            for _ in range(200):
                await trio.sleep(0.1)
                most = max(most, s.world.meter.streams)
            s.world.meter.obey()
            for _ in range(200):
                await trio.sleep(0.1)
                most = max(most, s.world.meter.streams)
            assert s.house.meter.value.healthy, s.lines("MODBUS")[-5:]

        assert most == 1
        s.said("failed to read AL1, no reply", f"meter={TCP}")
        s.is_safe()


async def test_m12_a_meter_that_hangs_up_is_dialled_again() -> None:
    async with scene(metered(100, *C[:2]), meter=TCP) as s:
        s.world.meter.streams_max = 1
        await settled(s)
        near = s.watch("C1", "C2")
        for _ in range(3):
            s.unplug_meter()
            await trio.sleep(1)
            await s.until(lambda: s.house.meter.value.healthy, 10)
            await trio.sleep(10)

        s.said("the line broke", f"meter={TCP}")
        s.went_on(near, 50)
        s.is_safe()


async def test_a_meter_taken_out_of_use_while_it_fails_leaves_the_site_limit() -> None:
    async with scene(metered(40, *C[:2]), meter=RTU) as s:
        s.world.building.hold((0, 0, 0))
        s.charge("C1", "C2")
        await s.until(lambda: min(s.offers_a("C1", "C2")) >= 19, 150)
        s.world.meter.cut()
        await s.until(lambda: total_a(s) <= 20, 10)
        old = s.store.settings.value.site.meter
        await s.change(meter=msgspec.structs.replace(old, enabled=False))
        await s.until(lambda: total_a(s) == 40, 60, lambda: total_a(s))

        assert "meter" not in s.faults()
        s.is_safe()
