"""The wall clock of a box that may not know the time (trust.md T1, T2, T7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from linkray.kit.clock import OLDEST, WallClock, stamp


class System:
    """The system's clock, as somebody sets it."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.clock = WallClock(lambda: self.at)


LOST = datetime(1970, 1, 1, tzinfo=UTC)
TRUE = datetime(2026, 6, 15, 12, tzinfo=UTC)
S = timedelta(seconds=1)


def test_t1_a_supposed_time_goes_on_until_the_system_has_its_own() -> None:
    system = System(LOST + 30 * S)
    system.clock.suppose(TRUE)
    system.at += 60 * S

    assert system.clock.utc() == TRUE + 60 * S
    assert not system.clock.is_set
    system.at = TRUE + 300 * S
    assert system.clock.utc() == TRUE + 300 * S
    assert system.clock.is_set


def test_t1_what_is_supposed_is_never_older_than_the_firmware() -> None:
    system = System(LOST)
    system.clock.suppose(LOST)

    assert system.clock.utc() == OLDEST


def test_t1_a_system_that_has_the_time_is_told_none() -> None:
    system = System(TRUE)
    system.clock.suppose(TRUE + timedelta(days=400))

    assert system.clock.utc() == TRUE


@pytest.mark.parametrize(("at", "said"), [
    (datetime(2028, 2, 29, 23, 59, 59, 999_000, UTC), "2028-02-29T23:59:59.999Z"),
    (datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), "2038-01-19T03:14:08.000Z"),
    (datetime(2032, 12, 31, 23, 59, 59, tzinfo=UTC), "2032-12-31T23:59:59.000Z"),
    (datetime(2099, 12, 31, tzinfo=UTC), "2099-12-31T00:00:00.000Z"),
])  # fmt: skip
def test_t7_a_date_that_others_stumble_over_is_written_as_any(at: datetime, said: str) -> None:
    assert stamp(at) == said
    assert datetime.fromisoformat(said) == at
