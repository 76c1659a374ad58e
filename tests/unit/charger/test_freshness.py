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
