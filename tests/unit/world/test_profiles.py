"""A charger's profiles come to what OCPP 1.6 says they do."""

from __future__ import annotations

import pytest
from tools.world.profiles import Book, Limit, Running, read_profile

BEGAN = 1_000_000.0
SESSION = Running(7, BEGAN)


def put(book, amps, *, now=BEGAN, connector=1, then=None, after=180, start=None, **more):
    periods = [{"startPeriod": 0, "limit": amps}]
    if then is not None:
        periods.append({"startPeriod": after, "limit": then})
    schedule = {"chargingRateUnit": more.pop("unit", "A"), "chargingSchedulePeriod": periods}
    if start is not None:
        schedule["startSchedule"] = start
    if "duration" in more:
        schedule["duration"] = more.pop("duration")
    said = {
        "chargingProfileId": more.pop("id", len(book.profiles) + 1),
        "stackLevel": more.pop("stack", 0),
        "chargingProfilePurpose": more.pop("purpose", "TxProfile"),
        "chargingProfileKind": more.pop("kind", "Relative"),
        "chargingSchedule": schedule,
        **more,
    }
    book.install(read_profile(connector, said, now))


def amps(book, after_s=0.0, running=SESSION, connector=1):
    return book.limit(connector, BEGAN + after_s, running).ma / 1000


@pytest.fixture
def book():
    return Book(3, 32_000)


def test_without_a_profile_the_hardware_limits(book):
    assert book.limit(1, BEGAN, SESSION) == Limit(32_000, 3)


def test_a_tx_profile_comes_before_a_tx_default_and_a_connectors_own_before_zero(book):
    put(book, 10, purpose="TxDefaultProfile", connector=0, stack=5)
    assert amps(book) == 10
    put(book, 14, purpose="TxDefaultProfile", connector=1)
    assert amps(book) == 14
    put(book, 20, purpose="TxProfile")
    assert amps(book) == 20


def test_the_highest_stack_level_that_says_something_now_wins(book):
    put(book, 10, stack=1)
    put(book, 16, stack=3, duration=60)
    assert amps(book, 59) == 16
    assert amps(book, 60) == 10


def test_a_tx_profile_of_another_session_says_nothing(book):
    put(book, 10, transactionId=8)
    assert amps(book) == 32
    put(book, 12, id=9, transactionId=7)
    assert amps(book) == 12


def test_the_dead_mans_second_period_counts_from_the_sessions_start(book):
    put(book, 16, then=6, after=500, now=BEGAN + 320)
    assert amps(book, 499) == 16
    assert amps(book, 500) == 6


def test_a_make_that_counts_from_arrival_steps_down_later():
    book = Book(3, 32_000, from_arrival=True)
    put(book, 16, then=6, after=180, now=BEGAN + 320)
    assert amps(book, 499) == 16
    assert amps(book, 500) == 6


def test_an_absolute_profile_runs_from_its_start_and_says_nothing_before(book):
    put(book, 16, then=0, kind="Absolute", start="1970-01-12T13:46:50Z")  # BEGAN + 10
    assert amps(book, 9) == 32
    assert amps(book, 10) == 16
    assert amps(book, 190) == 0


def test_the_same_level_and_the_same_id_replace(book):
    put(book, 10, id=1, stack=2)
    put(book, 12, id=2, stack=2)
    put(book, 14, id=2, stack=4)
    assert [p.periods[0].limit for p in book.profiles] == [14]


def test_watts_are_shared_over_the_phases(book):
    put(book, 6_900, unit="W")
    assert amps(book) == 10
    put(book, 2_300, unit="W", id=1)
    one = Book(1, 32_000)
    put(one, 2_300, unit="W")
    assert amps(one) == 10


def test_a_charge_point_maximum_is_a_cap_of_its_own(book):
    put(book, 20, purpose="ChargePointMaxProfile", connector=0)
    assert amps(book) == 32
    assert book.cap_ma(BEGAN) == 20_000


def test_a_session_takes_its_profiles_with_it(book):
    put(book, 20)
    put(book, 10, purpose="TxDefaultProfile")
    book.transaction_ended(1)
    assert amps(book) == 10


def test_clearing_takes_what_fits_all_that_is_said(book):
    put(book, 20, stack=1)
    put(book, 10, purpose="TxDefaultProfile", stack=1)
    assert not book.clear(purpose="TxProfile", stack=2)
    assert book.clear(purpose="TxProfile", stack=1)
    assert [p.purpose for p in book.profiles] == ["TxDefaultProfile"]
    assert book.clear()
    assert not book.clear()


def test_the_composite_schedule_tells_the_steps_to_come(book):
    put(book, 16, then=6, after=180)
    told = book.composite(1, BEGAN + 60, SESSION, 600, "A")
    assert told == [
        {"startPeriod": 0, "limit": 16.0, "numberPhases": 3},
        {"startPeriod": 120, "limit": 6.0, "numberPhases": 3},
    ]
