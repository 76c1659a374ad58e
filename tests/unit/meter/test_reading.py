"""Registers to amps; what cannot be true dies before it is one (trust.md M2, M3, M5-M8, M14)."""

from __future__ import annotations

import math
import struct

import pytest

from linkray.meter.meterfile import MeterFile, Scale, parse
from linkray.meter.reading import Doubts, Nonsense, Reader, Reading, Rules, Slope, Wait, number
from linkray.model.settings import LimitPhases, MeterSettings, Settings, Site
from linkray.model.units import Phases

INT32 = {"Address": 1, "DataType": "Long", "Multiply": 0.001, "MultiplyV": 0.1, "MultiplyP": 0.1,
         "ARegisterL1": 12, "ARegisterL2": 14, "ARegisterL3": 16,
         "VRegisterL1": 0, "VRegisterL2": 2, "VRegisterL3": 4}  # fmt: skip
POWER = {"PRegisterL1": 18, "PRegisterL2": 20, "PRegisterL3": 22}
FLOAT = {"Address": 1, "DataType": "Float", "ARegisterL1": 6, "ARegisterL2": 8, "ARegisterL3": 10}
RULES = Rules(limit_ma=Phases(100_000, 100_000, 100_000))


def int32(value: int) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">i", value)))


def float32(value: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def read(
    file: MeterFile, values: dict[int, list[int]], rules: Rules = RULES, now: float = 0.0
) -> Reading:
    """Read with these registers on the meter; those not named are 0."""
    store = {at + i: word for at, got in values.items() for i, word in enumerate(got)}
    reader = Reader(file)
    answers = {
        request: tuple(store.get(request.register + i, 0) for i in range(request.count))
        for request in reader.requests()
    }
    return reader.read(answers, rules, now)


def volts(*tenths: int) -> dict[int, list[int]]:
    return {2 * place: int32(value) for place, value in enumerate(tenths)}


def currents(*ma: int) -> dict[int, list[int]]:
    return {12 + 2 * place: int32(value) for place, value in enumerate(ma)}


ALIVE = volts(2300, 2310, 2320)


def test_registers_become_milliamps_millivolts_and_watts() -> None:
    reading = read(parse(INT32), ALIVE | currents(16_000, 8_123, -500), now=7.0)

    assert reading.current_ma == (16_000, 8_123, -500)
    assert reading.voltage_mv == (230_000, 231_000, 232_000)
    assert reading.power_w == round(16 * 230 + 8.123 * 231 - 0.5 * 232)
    assert reading.at == 7.0


@pytest.mark.parametrize(
    ("data_type", "registers", "value"),
    [
        ("Short", (0x8001,), -32_767), ("Short", (0xFFFF,), -1), ("Ushort", (0x8001,), 32_769),
        ("Long", (0xFFFF, 0xFFFE), -2), ("Ulong", (0x8000, 1), 0x80000001),
        ("Float", (0x4180, 0), 16.0), ("Float", (0xC180, 0), -16.0),
    ],
)  # fmt: skip
def test_every_data_type_is_read_with_its_sign(
    data_type: str, registers: tuple[int, ...], value: float
) -> None:
    scale = Scale(data_type, 1.0)  # type: ignore[arg-type]

    assert number(registers, scale, "big") == value
    assert number(registers[::-1], scale, "little") == value


@pytest.mark.parametrize("value", [math.nan, -math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("phase", [0, 1, 2])
def test_m3_nan_and_infinity_die_where_the_registers_are_read(value: float, phase: int) -> None:
    amps = [5.0, 5.0, 5.0]
    amps[phase] = value
    with pytest.raises(Nonsense, match=rf"AL{phase + 1}, not a number"):
        read(parse(FLOAT), {6 + 2 * i: float32(a) for i, a in enumerate(amps)})


@pytest.mark.parametrize(
    ("data_type", "registers"),
    [("Short", [0x7FFF]), ("Short", [0x8000]), ("Ushort", [0xFFFF]), ("Ushort", [0x7FFF]),
     ("Long", [0x7FFF, 0xFFFF]), ("Long", [0x8000, 0]), ("Ulong", [0xFFFF, 0xFFFF]),
     ("Float", [0xFFFF, 0xFFFF]), ("Float", [0x7FFF, 0xFFFF])],
)  # fmt: skip
def test_m3_fill_patterns_are_no_number(data_type: str, registers: list[int]) -> None:
    file = parse({**FLOAT, "DataType": data_type, "Multiply": 1e-9})
    with pytest.raises(Nonsense, match="AL2, not a number"):
        read(file, {8: registers})


def test_m3_all_ones_on_every_phase_is_filler_and_on_one_phase_minus_one() -> None:
    file = parse(INT32)
    with pytest.raises(Nonsense):
        read(file, ALIVE | currents(-1, -1, -1))
    assert read(file, ALIVE | currents(-1, 5, 5)).current_ma == (-1, 5, 5)


def test_a_current_over_ten_times_the_sites_limit_fails_the_poll() -> None:
    file = parse(INT32)

    assert read(file, ALIVE | currents(1_000_000, 5, 5)).current_ma[0] == 1_000_000
    for over in (1_000_001, -1_000_001):
        with pytest.raises(Nonsense, match="AL3, out of range"):
            read(file, ALIVE | currents(5, 5, over))


@pytest.mark.parametrize(
    ("ma", "tenths_of_w"), [(16_000, 60_000), (160, 36_800), (-1_600, -36_800)]
)
def test_m4_more_power_than_volts_times_amps_is_a_wrong_scale(ma: int, tenths_of_w: int) -> None:
    powers = {18: int32(tenths_of_w), 20: int32(0), 22: int32(0)}

    with pytest.raises(Nonsense, match="does not go with"):
        read(parse(INT32 | POWER), ALIVE | currents(ma, 0, 0) | powers)


@pytest.mark.parametrize(
    ("ma", "tenths_of_w"), [(16_000, 36_800), (16_000, 18_000), (1_000, 4_000)]
)
def test_m4_power_within_reason_is_read(ma: int, tenths_of_w: int) -> None:
    powers = {18: int32(tenths_of_w), 20: int32(0), 22: int32(0)}

    assert read(parse(INT32 | POWER), ALIVE | currents(ma, 0, 0) | powers).current_ma[0] == ma


def test_m5_the_sign_of_the_power_is_the_sign_of_the_current_phase_by_phase() -> None:
    powers = {18: int32(-36_800), 20: int32(18_400), 22: int32(0)}
    reading = read(parse(INT32 | POWER), ALIVE | currents(16_000, 8_000, 100) | powers)

    assert reading.current_ma == (-16_000, 8_000, 100)
    assert reading.power_w == -3680 + 1840


def test_m6_current_without_sign_is_import() -> None:
    file = parse({**INT32, "DataType": "Ulong"})

    assert read(file, ALIVE | currents(9_000, 9_000, 9_000)).current_ma == (9_000, 9_000, 9_000)


@pytest.mark.parametrize("tenths", [0, 700, 899, 2601, 3000, -2300])
def test_m7_a_voltage_below_90_or_above_260_is_ignored(tenths: int) -> None:
    reading = read(parse(INT32), volts(2300, tenths, 2300) | currents(10_000, 10_000, 10_000))

    assert reading.voltage_mv == (230_000, None, 230_000)
    assert reading.current_ma == (10_000, 10_000, 10_000)
    assert reading.power_w == 6900  # the configured voltage stands in


def test_m7_the_bounds_themselves_are_voltages() -> None:
    reading = read(parse(INT32), volts(900, 2600, 2300) | currents(1, 1, 1))

    assert reading.voltage_mv == (90_000, 260_000, 230_000)


def test_m8_a_phase_without_volts_and_amps_beside_living_ones_is_missing() -> None:
    reading = read(parse(INT32), volts(2300, 0, 2300) | currents(10_000, 0, 10_000))

    assert reading.current_ma == (10_000, None, 10_000)


def test_m8_a_phase_that_the_site_does_not_use_is_not_missing() -> None:
    rules = Rules(limit_ma=Phases(100_000, 0, 100_000))
    reading = read(parse(INT32), volts(2300, 0, 2300) | currents(10_000, 0, 10_000), rules)

    assert reading.current_ma == (10_000, 0, 10_000)


def test_m8_without_any_voltage_nothing_is_said_of_phases() -> None:
    assert read(parse(INT32), currents(5, 0, 5)).current_ma == (5, 0, 5)
    assert read(parse(FLOAT), {6: float32(5.0)}).current_ma == (5_000, 0, 0)


def test_one_reported_phase_and_a_total_count_on_every_phase() -> None:
    one = parse({"Address": 1, "DataType": "Float", "PhasesReported": 1, "ARegisterL1": 6})
    total = parse({"Address": 1, "DataType": "Float", "ARegister": 6})

    assert read(one, {6: float32(7.5)}).current_ma == (7_500, 7_500, 7_500)
    assert read(one, {6: float32(7.5)}).power_w == round(7.5 * 230)
    assert read(total, {6: float32(7.5)}).current_ma == (7_500, 7_500, 7_500)


def test_the_rules_come_from_the_settings() -> None:
    settings = Settings(
        site=Site(voltage_mv=240_000, limit_ma=LimitPhases(1, 2, 3), measurand_interval_s=20,
                  meter=MeterSettings(location="building"))
    )  # fmt: skip

    assert Rules.of(settings) == Rules(
        limit_ma=Phases(1, 2, 3), voltage_mv=240_000, location="building", sample_s=20
    )


ENERGY = parse({"Address": 1, "ReadCmd": 4, "DataType": "Float", "KwhRegister": 342, "kWh": True})


def energy_poll(reader: Reader, kwh: float, now: float) -> Reading:
    [request] = reader.requests()
    return reader.read({request: tuple(float32(kwh))}, RULES, now)


def test_an_energy_meter_gives_power_from_its_slope_spread_over_its_phases() -> None:
    reader = Reader(ENERGY)
    reading = None
    for second in range(61):
        kwh = 100 + math.floor(second * 6.9 / 3600 * 100) / 100  # 6.9 kW in steps of 0.01 kWh
        try:
            reading = energy_poll(reader, kwh, float(second))
        except Wait:
            assert second < 15
    assert reading is not None
    assert reading.is_slow
    assert 6_900 <= reading.power_w <= 9_000  # never less than it is
    assert reading.current_ma == (math.ceil(reading.power_w * 1e6 / 690_000),) * 3
    assert reading.voltage_mv == (None, None, None)


def test_an_energy_meter_that_stands_still_is_seen_to_use_less_and_less() -> None:
    reader = Reader(ENERGY)
    with pytest.raises(Wait):
        energy_poll(reader, 5.0, 0.0)
    assert energy_poll(reader, 5.0, 20.0).power_w == 1_800
    assert energy_poll(reader, 5.0, 360.0).power_w == 100


def test_an_energy_meter_that_is_reset_begins_anew_and_nonsense_fails() -> None:
    reader = Reader(ENERGY)
    for second in (0.0, 20.0):
        with pytest.raises(Wait):
            energy_poll(reader, 5.0 - second / 20, second)
    for kwh in (math.nan, -3.0):
        with pytest.raises(Nonsense, match="kWh"):
            energy_poll(Reader(ENERGY), kwh, 0.0)
    jumped = Slope()
    jumped.power_w(0, 0.0)
    assert jumped.power_w(10, 4.0) is None
    assert jumped.power_w(20, 8.0) == 9_000


def at(seconds: float, *ma: int) -> Reading:
    l1, l2, l3 = ma or (10_000, 11_000, 12_000)
    return Reading((l1, l2, l3), (None, None, None), 0, seconds)


def test_m14_zero_on_every_phase_while_chargers_draw_cannot_be() -> None:
    doubts = Doubts()

    assert doubts.of(at(0, 0, 0, 0), Phases(6_000, 0, 0), RULES) is not None
    assert doubts.of(at(1, 0, 0, 0), Phases(999, 0, 0), RULES) is None
    assert doubts.of(at(2, 0, 0, 1), Phases(6_000, 0, 0), RULES) is None


def test_m14_a_meter_in_the_building_may_read_zero_while_chargers_draw() -> None:
    rules = Rules(location="building")

    assert Doubts().of(at(0, 0, 0, 0), Phases(6_000, 0, 0), rules) is None


def first_doubt(drawn: list[int], *, changes_at: int = -1) -> int | None:
    """At which second a stuck meter is doubted, with these amps drawn second by second."""
    doubts = Doubts()
    for second, amps in enumerate(drawn):
        ma = 10_000 + (second == changes_at)
        if doubts.of(at(second, ma, 5, 5), Phases(amps * 1000, 0, 0), RULES):
            return second
    return None


def test_m2_a_value_that_contradicts_three_steps_of_the_chargers_is_stuck() -> None:
    steps = [10] * 25 + [20] * 5 + [10] * 5 + [20] * 20

    assert first_doubt(steps) == 35


def test_m2_a_value_unchanged_for_60_s_while_the_chargers_changed_is_stuck() -> None:
    assert first_doubt([10] * 30 + [20] * 50) == 60


def test_m2_a_steady_site_is_not_stuck() -> None:
    assert first_doubt([10] * 300) is None
    assert first_doubt([10, 12] * 150) is None  # steps of under 3 A
    assert first_doubt([10] * 30 + [20] * 50, changes_at=45) is None


def test_m2_chargers_values_that_come_late_do_not_contradict_the_meter() -> None:
    """The meter moves at once, three chargers say so up to two sample intervals later."""
    assert first_doubt([40] * 5 + [30] * 5 + [20] * 5 + [10] * 300) is None
