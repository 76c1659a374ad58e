"""Live values beside those of a charger's own queue, whatever its clock says (C20, C28)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from linkray.charger.freshness import Freshness

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def test_c20_a_queue_of_the_same_hour_that_comes_in_a_rush_is_not_live() -> None:
    fresh = Freshness()
    old = NOW - timedelta(hours=5)

    assert not any(fresh.is_live(old, NOW + timedelta(seconds=n * 0.2)) for n in range(12))


def test_c28_a_clock_that_is_steadily_behind_is_known_as_such_in_half_a_minute() -> None:
    fresh = Freshness()
    live = []
    for second in range(0, 60, 10):
        utc = NOW + timedelta(seconds=second)
        live.append(fresh.is_live(utc - timedelta(hours=5), utc))

    assert live == [False, False, False, True, True, True]


def test_what_is_of_now_is_live_at_once_and_ends_the_doubt() -> None:
    fresh = Freshness()

    assert not fresh.is_live(NOW - timedelta(hours=1), NOW)
    assert fresh.is_live(NOW, NOW)
    assert fresh.off_s == 0.0
    assert fresh.is_live(None, NOW)


def test_c20_a_queue_of_a_clock_that_is_far_ahead_is_not_live() -> None:
    fresh = Freshness()
    ahead = timedelta(hours=14)
    lives = [fresh.is_live(later(n) + ahead, later(n)) for n in range(0, 60, 10)]
    assert lives == [False, False, False, True, True, True]

    assert not fresh.is_live(later(60) + ahead - timedelta(hours=2), later(60))


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_value_is_as_old_as_its_stamp_once_the_clock_is_known() -> None:
    fresh = Freshness()
    assert fresh.is_live(later(-60), NOW)
    assert fresh.age_s(later(-60), NOW) == 0.0, "its clock may be behind"
    assert fresh.is_live(later(9), later(10))
    assert fresh.age_s(later(9), later(10)) == 0.0
    assert fresh.is_live(later(-100), later(11))
    assert fresh.age_s(later(-100), later(11)) == 110.0
    assert fresh.age_s(None, later(11)) == 0.0


def test_a_clock_is_known_by_the_value_that_came_soonest() -> None:
    fresh = Freshness()
    assert fresh.is_live(NOW, NOW)
    assert fresh.is_live(later(70), later(10)), "none is told before it was measured"
    assert fresh.is_live(later(-30), later(20))
    assert fresh.age_s(later(-30), later(20)) == 110.0


def test_c28_values_of_a_clock_that_is_steadily_a_minute_behind_are_of_now() -> None:
    fresh = Freshness()
    assert fresh.is_live(NOW, NOW)
    for second in range(10, 60, 10):
        assert fresh.is_live(later(second - 60), later(second))
    assert fresh.age_s(later(-10), later(50)) == 0.0


def test_a_stamp_in_whole_minutes_does_not_say_that_a_value_is_old() -> None:
    fresh = Freshness()
    assert fresh.is_live(NOW, later(1))
    assert fresh.is_live(NOW, later(50))
    age_s = fresh.age_s(NOW, later(50))
    assert (age_s, fresh.coarse_s(age_s)) == (49.0, 49.0)
    assert fresh.coarse_s(80.0) == 60.0

    assert fresh.is_live(later(55), later(60))
    assert fresh.coarse_s(age_s) == 0.0, "it can tell seconds"


def test_a_status_that_tells_seconds_does_not_make_values_in_whole_minutes_finer() -> None:
    fresh = Freshness()
    assert fresh.is_live(later(1), later(1), is_measured=False)
    assert fresh.is_live(NOW, later(50))
    age_s = fresh.age_s(NOW, later(50))

    assert (age_s, fresh.coarse_s(age_s)) == (50.0, 50.0)
