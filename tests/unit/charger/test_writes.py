"""A charger's profile writes by day, and what few of them do to dead-man and raises."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from linkray.charger.writes import Writes, dead_man_s, raise_in_s

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
MORNING = datetime(2026, 6, 15, 0, 0, tzinfo=UTC)


def test_writes_are_counted_by_utc_day() -> None:
    writes = Writes("2026-06-15", 7)

    assert writes.today(NOON) == 7
    assert writes.add(NOON) == 8
    assert writes.today(datetime(2026, 6, 16, tzinfo=UTC)) == 0


def test_without_a_budget_nothing_waits_and_the_dead_man_is_as_set() -> None:
    assert dead_man_s(180, None, 10**6, NOON, 2) == 180
    assert raise_in_s(None, 10**6, NOON) == 0


def test_a_budget_that_carries_the_renewals_leaves_the_dead_man_as_it_is() -> None:
    assert dead_man_s(180, 4_000, 0, MORNING, 1) == 180


def test_a_smaller_one_lengthens_the_dead_man_and_a_small_one_has_none() -> None:
    assert dead_man_s(180, 1_000, 0, MORNING, 1) == 519
    assert dead_man_s(180, 1_000, 900, NOON, 1) == 2_592
    assert dead_man_s(180, 25, 0, MORNING, 1) == 0
    assert dead_man_s(180, 1_000, 1_000, NOON, 1) == 0
    assert dead_man_s(180, 1_000, 0, MORNING, 2) == 1_037, "for each connector"


def test_a_dead_man_that_is_set_longer_than_an_hour_stays() -> None:
    assert dead_man_s(7_200, 4_000, 0, MORNING, 1) == 7_200


def test_raises_are_free_for_a_quarter_of_the_day_s_writes_and_spaced_from_there() -> None:
    assert raise_in_s(100, 24, MORNING) == 0
    assert raise_in_s(100, 25, MORNING) > 0
    assert raise_in_s(100, 62, NOON) == 0
    waits_s = raise_in_s(100, 64, NOON)
    assert 1_000 < waits_s < 2_000
    assert raise_in_s(100, 500, NOON) == 12 * 3_600, "until the next day"


@given(
    st.integers(1, 5_000), st.integers(0, 10_000), st.integers(0, 86_399), st.integers(1, 4),
    st.integers(60, 3_600),
)  # fmt: skip
def test_the_renewals_of_a_day_stay_within_what_is_left(
    budget: int, used: int, second: int, connectors: int, wanted_s: int
) -> None:
    utc = datetime.fromtimestamp(MORNING.timestamp() + second, UTC)

    found_s = dead_man_s(wanted_s, budget, used, utc, connectors)

    if found_s:
        left_s = 86_400 - second
        assert found_s >= wanted_s
        assert left_s / (found_s / 3) * connectors <= max(0, budget - used) * 0.5 + connectors
