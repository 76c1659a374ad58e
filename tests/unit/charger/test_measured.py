"""The ladder from meter values to currents, and what is not believed (trust.md C9 to C12)."""

from __future__ import annotations

import math

import pytest

from linkray.charger.measured import BAD_IN_A_ROW_MAX, Measured, Reading, Wiring
from linkray.model.facts import Drawn
from linkray.model.units import Connection, Phases
from linkray.ocpp.messages import MeterValue, SampledValue

ONE = Wiring()
THREE = Wiring(phases=3, connection="L1-L2-L3")
T0 = "2026-01-02T03:04:00Z"


def amps(value: object, phase: str | None = None, **more: object) -> SampledValue:
    return sample(value, "Current.Import", phase, **{"unit": "A", **more})


def watts(value: object, phase: str | None = None, **more: object) -> SampledValue:
    return sample(value, "Power.Active.Import", phase, **{"unit": "W", **more})


def register(value: object, phase: str | None = None, **more: object) -> SampledValue:
    return sample(value, "Energy.Active.Import.Register", phase, **{"unit": "Wh", **more})


def volts(value: object, phase: str | None = None, **more: object) -> SampledValue:
    return sample(value, "Voltage", phase, **{"unit": "V", **more})


def sample(value: object, measurand: str, phase: str | None, **more: object) -> SampledValue:
    return SampledValue(str(value), measurand=measurand, phase=phase, **more)


def at(seconds: int) -> str:
    return f"2026-01-02T03:{4 + seconds // 60:02}:{seconds % 60:02}Z"


def feed(
    measured: Measured,
    *samples: SampledValue,
    wiring: Wiring = ONE,
    now: float = 0.0,
    stamp: str | None = None,
    interval_s: float = 10.0,
) -> Reading:
    value = MeterValue(at(int(now)) if stamp is None else stamp, samples)
    return measured.feed([value], wiring, now, interval_s=interval_s)


def drawn(*samples: SampledValue, wiring: Wiring = ONE) -> Drawn | None:
    return feed(Measured("C1", 1), *samples, wiring=wiring).drawn


def test_a_value_that_waited_says_so_whatever_its_rung() -> None:
    """It proves no limit that was accepted since (decided.md: a fresh sample)."""
    measured = Measured("C1", 1)
    value = MeterValue(T0, (amps(5, "L1"),))
    reading = measured.feed([value], ONE, 1_000.0, interval_s=10.0, age_s=110.0,
                            coarse_s=60.0)  # fmt: skip
    assert reading.drawn is not None
    assert (reading.drawn.at, reading.drawn.over_s) == (1_000.0, 110.0)
    assert reading.drawn.coarse_s == 60.0


# the ladder


@pytest.mark.parametrize(
    ("samples", "wiring", "current", "source"),
    [
        ((amps(15.9, "L1"),), ONE, Phases(15_900, 0, 0), "phases"),
        ((amps(15.9, "L1-N"),), ONE, Phases(15_900, 0, 0), "phases"),
        ((amps(15.9, "L1"), amps(3, "N")), ONE, Phases(15_900, 0, 0), "phases"),
        ((amps(10, "L1"), amps(11, "L2"), amps(12, "L3")), THREE,
         Phases(10_000, 11_000, 12_000), "phases"),
        ((amps(16),), ONE, Phases(16_000, 0, 0), "total"),
        ((amps(16),), THREE, Phases(16_000, 16_000, 16_000), "total"),
        ((amps(16, unit=None),), ONE, Phases(16_000, 0, 0), "total"),
        ((amps(10, "L1"), watts(9999)), ONE, Phases(10_000, 0, 0), "phases"),
        ((amps(9), amps(10, "L1")), ONE, Phases(10_000, 0, 0), "phases"),
        ((watts(2300),), ONE, Phases(10_000, 0, 0), "power"),
        ((watts(2.3, unit="kW"),), ONE, Phases(10_000, 0, 0), "power"),
        ((watts(2300, unit=None),), ONE, Phases(10_000, 0, 0), "power"),
        ((watts(6900),), THREE, Phases(10_000, 10_000, 10_000), "power"),
        ((watts(2300, "L1"), watts(0, "L2"), watts(4600, "L3")), THREE,
         Phases(10_000, 0, 20_000), "power"),
        ((watts(2300), volts(115)), ONE, Phases(20_000, 0, 0), "power"),
        ((watts(2300), volts(400)), ONE, Phases(10_000, 0, 0), "power"),
        ((watts(2400, "L1"), volts(240, "L1-N"), watts(2200, "L2"), volts(220, "L2"),
          watts(2300, "L3"), volts(398, "L3-L1")), THREE, Phases(10_000, 10_000, 10_000), "power"),
    ],
)  # fmt: skip
def test_the_ladder_gives_the_best_that_was_said(
    samples: tuple[SampledValue, ...], wiring: Wiring, current: Phases, source: str
) -> None:
    found = drawn(*samples, wiring=wiring)
    assert found == Drawn("C1", 1, current, source, 0.0)


@pytest.mark.parametrize(
    ("connection", "current"),
    [("L1-L2-L3", Phases(1000, 2000, 3000)), ("L2-L3-L1", Phases(3000, 1000, 2000)),
     ("L3-L1-L2", Phases(2000, 3000, 1000)), ("L1-L3-L2", Phases(1000, 3000, 2000))],
)  # fmt: skip
def test_own_phases_are_laid_on_the_sites(connection: Connection, current: Phases) -> None:
    found = drawn(amps(1, "L1"), amps(2, "L2"), amps(3, "L3"),
                  wiring=Wiring(phases=3, connection=connection))  # fmt: skip
    assert found is not None
    assert found.current_ma == current


@pytest.mark.parametrize("phase", ["L1", "L2", "L3", "L2-N", None])
def test_a_single_phase_charger_draws_where_it_is_wired_whatever_it_calls_it(
    phase: str | None,
) -> None:
    found = drawn(amps(16, phase), wiring=Wiring(connection="L3"))
    assert found is not None
    assert found.current_ma == Phases(0, 0, 16_000)


def test_a_single_phase_charger_that_names_three_draws_the_highest() -> None:
    found = drawn(amps(0, "L1"), amps(16, "L2"), amps(0, "L3"))
    assert found == Drawn("C1", 1, Phases(16_000, 0, 0), "phases", 0.0)


def test_a_phase_that_is_left_out_is_not_zero_and_not_known() -> None:
    found = drawn(amps(16, "L1"), wiring=THREE)
    assert found == Drawn("C1", 1, Phases(16_000, 16_000, 16_000), "total", 0.0)


@pytest.mark.parametrize(
    ("split_mode", "samples", "current_ma"),
    [
        ("240", (amps(30),), 30_000),
        ("240", (amps(30, "L1-L2"),), 30_000),
        ("240", (amps(30, "L1"), amps(29, "L2")), 30_000),
        ("240", (watts(7200),), 30_000),
        ("240", (watts(3600, "L1"), watts(3600, "L2")), 30_000),
        ("208", (watts(6235),), 29_998),
    ],
)
def test_in_split_mode_one_current_is_on_both_legs(
    split_mode: str, samples: tuple[SampledValue, ...], current_ma: int
) -> None:
    wiring = Wiring(phases=2, connection="L1-L2", voltage_mv=(120_000,) * 3, split_mode=split_mode)
    found = drawn(*samples, wiring=wiring)
    assert found is not None
    assert found.current_ma == Phases(current_ma, current_ma, 0)


def test_a_charger_in_watts_is_reckoned_by_power_not_by_its_battery_side() -> None:
    wiring = Wiring(phases=3, connection="L1-L2-L3", in_watts=True)
    found = drawn(amps(125), volts(400), watts(50, unit="kW"), wiring=wiring)
    assert found is not None
    assert found.source == "power"
    assert found.current_ma == Phases.each(72_464)


def test_the_outlet_is_believed_before_the_inlet_and_the_car_not_at_all() -> None:
    both = drawn(amps(10, "L1", location="Inlet"), amps(9, "L1"), amps(8, "L1", location="Inlet"))
    assert both is not None
    assert both.current_ma.l1 == 9_000
    inlet = drawn(amps(10, "L1", location="Inlet"))
    assert inlet is not None
    assert inlet.current_ma.l1 == 10_000
    assert drawn(amps(300, location="EV"), amps(20, location="Body")) is None


def test_what_is_not_now_or_not_a_number_or_not_ours_says_nothing_of_the_current() -> None:
    reading = feed(
        Measured("C1", 1),
        amps(10, "L1", context="Transaction.End"),
        amps(10, "L1", context="Interruption.Begin"),
        amps("OCMF|{}", "L1", format="SignedData"),
        sample(32, "Current.Offered", None, unit="A"),
        sample(80, "SoC", None, unit="Percent"),
        sample(1, "Vendor.Thing", None),
    )
    assert reading == Reading(None)


def test_several_values_of_one_message_count_by_the_newest() -> None:
    measured = Measured("C1", 1)
    reading = measured.feed(
        [MeterValue(at(0), (amps(5, "L1"), register(100))), MeterValue(at(10), (amps(6, "L1"),
                                                                             register(110)))],
        ONE, 10.0, interval_s=10.0,
    )  # fmt: skip
    assert reading.drawn is not None
    assert reading.drawn.current_ma.l1 == 6_000
    assert reading.register_wh == 110


# the slope of the register


def test_the_slope_of_the_register_is_a_current_where_nothing_better_comes() -> None:
    measured = Measured("C1", 1)
    assert feed(measured, register(1000), now=0.0).drawn is None
    reading = feed(measured, register(1023), wiring=THREE, now=12.0)
    assert reading.drawn == Drawn("C1", 1, Phases.each(10_000), "energy", 12.0, over_s=12.0)


def test_the_slope_takes_the_chargers_stamps_where_they_make_sense() -> None:
    measured = Measured("C1", 1)
    feed(measured, register(1000), now=0.0, stamp=at(0))
    reading = feed(measured, register(1023), now=3.0, stamp=at(36), interval_s=12.0)
    assert reading.drawn is not None
    assert reading.drawn.current_ma.l1 == 10_000
    measured = Measured("C1", 1)
    feed(measured, register(1000), now=0.0, stamp="no")
    reading = feed(measured, register(1023), now=36.0, stamp="", interval_s=12.0)
    assert reading.drawn is not None
    assert reading.drawn.current_ma.l1 == 10_000


def test_the_register_may_come_in_kwh_and_by_phase() -> None:
    measured = Measured("C1", 1)
    feed(measured, register("1.000", unit="kWh"), now=0.0)
    reading = feed(measured, register("1.023", unit="kWh"), now=36.0, interval_s=20.0)
    assert reading.register_wh == 1023
    assert reading.drawn is not None
    assert reading.drawn.current_ma.l1 == 10_000
    by_phase = feed(Measured("C1", 1), register(1, "L1"), register(2, "L2"), register(3, "L3"))
    assert by_phase.register_wh == 6


@pytest.mark.parametrize(
    ("first", "second", "unit", "seconds"),
    [("1.0", "1.1", "kWh", 25), ("1", "2", "kWh", 25), ("1000", "1001", "Wh", 3),
     ("1000", "1500", "Wh", 300)],
)  # fmt: skip
def test_a_register_too_coarse_or_too_old_has_no_slope(
    first: str, second: str, unit: str, seconds: int
) -> None:
    measured = Measured("C1", 1)
    feed(measured, register(first, unit=unit), now=0.0)
    assert feed(measured, register(second, unit=unit), now=float(seconds)).drawn is None


def test_a_lower_rung_does_not_replace_a_better_one_that_is_fresh() -> None:
    measured = Measured("C1", 1)
    feed(measured, amps(16, "L1"), register(1000), now=0.0)
    assert feed(measured, register(1010), now=10.0).drawn is None
    reading = feed(measured, register(1020), now=20.0)
    assert reading.drawn is not None
    assert reading.drawn.source == "energy"


# C9, C20: time


def test_c9_values_older_than_three_intervals_are_not_shown_as_live() -> None:
    measured = Measured("C1", 1)
    assert measured.stale_at() == math.inf
    feed(measured, amps(16, "L1"), now=100.0, interval_s=20.0)
    assert measured.stale_at() == 160.0
    assert measured.current(159.9) is not None
    assert measured.current(160.0) is None
    assert measured.assumed(Phases(20_000, 0, 0), 160.0) == Drawn(
        "C1", 1, Phases(20_000, 0, 0), "assumed", 160.0
    )


def test_c9_an_ended_or_a_new_transaction_makes_the_old_current_unknown() -> None:
    measured = Measured("C1", 1)
    feed(measured, amps(16, "L1"), now=0.0)
    measured.began(1000, 1.0)
    assert measured.current(1.0) is None
    feed(measured, amps(16, "L1"), now=2.0)
    measured.ended()
    assert measured.current(2.0) is None


def test_c20_values_from_an_offline_queue_do_not_pass_for_live() -> None:
    measured = Measured("C1", 1)
    feed(measured, amps(16, "L1"), register(5000), now=100.0)
    reading = feed(measured, amps(2, "L1"), register(10), now=101.0, stamp=T0)
    assert reading.drawn is None
    assert reading.register_wh is None
    assert not reading.flagged
    assert "older" in reading.dropped[0]
    kept = measured.current(101.0)
    assert kept is not None
    assert kept.current_ma.l1 == 16_000


def test_c20_a_clock_that_was_set_back_is_believed_once_all_else_is_stale() -> None:
    measured = Measured("C1", 1)
    feed(measured, amps(16, "L1"), now=100.0)
    assert feed(measured, amps(2, "L1"), now=131.0, stamp=T0).drawn is not None
    assert feed(measured, amps(3, "L1"), now=141.0, stamp=at(10)).drawn is not None


# C10: garbage


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (amps("NaN"), "number"), (amps("inf"), "number"), (amps("-Infinity"), "number"),
        (amps(""), "number"), (amps("abc"), "number"), (amps("15,9"), "number"),
        (amps("1_0"), "number"), (amps("１６"), "number"), (amps("0x10"), "number"),
        (amps("1e999"), "number"), (amps("9" * 400), "number"), (amps("-1"), "0 to"),
        (amps("-0.2"), "0 to"), (amps("1e9"), "0 to"), (amps("1000000000"), "0 to"),
        (amps("16", unit="kA"), "unit"), (amps("16", unit="W"), "unit"),
        (amps("16", unit=""), "unit"),
        (amps("16", "L4"), "phase"), (amps("16", "L1", context="Foo"), "context"),
        (amps("16", "L1", location="Moon"), "location"),
        (watts("-500"), "0 to"), (watts("1e9"), "0 to"), (watts("7", unit="kVA"), "unit"),
        (watts("7", unit="A"), "unit"), (register("-1"), "0 to"), (register("1e12"), "0 to"),
        (register("1", unit="J"), "unit"), (volts("1e9"), "0 to"),
        (volts("230", unit="kV"), "unit"),
    ],
)  # fmt: skip
def test_c10_garbage_is_dropped_with_its_reason(bad: SampledValue, word: str) -> None:
    reading = feed(Measured("C1", 1), bad)
    assert reading.drawn is None
    assert reading.register_wh is None
    assert len(reading.dropped) == 1
    assert bad.measurand in reading.dropped[0]
    assert word in reading.dropped[0]


def test_c10_between_two_phases_there_is_no_current_of_a_three_phase_charger() -> None:
    reading = feed(Measured("C1", 1), amps(16, "L1-L2"), wiring=THREE)
    assert reading.drawn is None
    assert "phase" in reading.dropped[0]


@pytest.mark.parametrize("noise", [amps("-0.0", "L1"), amps("-0.05", "L1"), watts("-10")])
def test_c10_the_noise_of_a_meter_at_rest_is_zero(noise: SampledValue) -> None:
    found = drawn(noise)
    assert found is not None
    assert found.current_ma == Phases(0, 0, 0)


def test_c10_a_good_sample_beside_a_bad_one_still_counts() -> None:
    reading = feed(Measured("C1", 1), amps("NaN", "L1"), watts(2300))
    assert reading.drawn is not None
    assert reading.drawn.source == "power"
    assert len(reading.dropped) == 1


def test_c10_ten_bad_ones_in_a_row_are_a_sensor_fault_until_a_good_one() -> None:
    measured = Measured("C1", 1)
    for _ in range(BAD_IN_A_ROW_MAX - 1):
        assert feed(measured, amps("NaN")).sensor_fault is None
    assert feed(measured, amps("NaN")).sensor_fault is True
    assert feed(measured, amps("NaN")).sensor_fault is None
    assert feed(measured, amps("16")).sensor_fault is False
    for _ in range(BAD_IN_A_ROW_MAX - 1):
        assert feed(measured, amps("NaN")).sensor_fault is None


def test_c10_reasons_of_one_message_are_bounded() -> None:
    reading = feed(Measured("C1", 1), *[amps("NaN")] * 500)
    assert len(reading.dropped) == 20
    assert reading.sensor_fault is True


def test_c11_a_total_alone_is_equal_on_the_phases_and_says_that_it_was_a_total() -> None:
    found = drawn(amps(16), wiring=THREE)
    assert found is not None
    assert found.source == "total"
    assert found.current_ma == Phases.each(16_000)


# C12: the register


def test_c12_a_register_that_goes_back_is_flagged_and_energy_is_never_negative() -> None:
    measured = Measured("C1", 1)
    measured.began(10_000, 0.0)
    reading = feed(measured, register(10_500), amps(16), now=100.0)
    assert reading.drawn is not None
    assert reading.drawn.energy_wh == 500
    reading = feed(measured, register(0), amps(16), now=110.0)
    assert reading.flagged
    assert reading.register_wh == 0
    assert reading.drawn is not None
    assert reading.drawn.energy_wh == 500
    reading = feed(measured, register(20), amps(16), now=120.0)
    assert not reading.flagged
    assert reading.drawn is not None
    assert reading.drawn.energy_wh == 520


def test_c12_a_register_that_jumps_is_flagged_and_not_counted() -> None:
    measured = Measured("C1", 1)
    measured.began(0, 0.0)
    wiring = Wiring(highest_w=7_360)
    feed(measured, register(20), now=10.0, wiring=wiring)
    reading = feed(measured, register(10_020), amps(16), now=20.0, wiring=wiring)
    assert reading.flagged
    assert reading.register_wh == 10_020
    assert reading.drawn is not None
    assert reading.drawn.energy_wh == 20
    assert feed(measured, register(10_040), amps(16), now=30.0, wiring=wiring).drawn is not None


def test_c12_a_long_silence_is_no_jump() -> None:
    measured = Measured("C1", 1)
    measured.began(0, 0.0)
    feed(measured, register(20), now=10.0, wiring=Wiring(highest_w=7_360))
    reading = measured.feed(
        [MeterValue("2026-01-02T05:04:10Z", (register(14_000),))],
        Wiring(highest_w=7_360), 7210.0, interval_s=10.0,
    )  # fmt: skip
    assert not reading.flagged


def test_c12_a_register_under_the_transactions_start_is_flagged() -> None:
    measured = Measured("C1", 1)
    measured.began(10_000, 0.0)
    reading = feed(measured, register(9_000), amps(16), now=10.0)
    assert reading.flagged
    assert reading.drawn is not None
    assert reading.drawn.energy_wh == 0


def test_without_a_transaction_there_is_no_energy_of_one() -> None:
    found = drawn(register(500), amps(16))
    assert found is not None
    assert found.energy_wh is None
