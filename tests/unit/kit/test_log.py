"""The log: bounded, counted, and written whatever the clock does (trust.md P13, T2)."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from io import StringIO

import structlog
from tests.hostile import CORPUS

from linkray.kit.clock import WallClock
from linkray.kit.log import RING_LINES, LogRing, set_level, set_up

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


class Logged:
    """A log on a clock that somebody sets."""

    def __init__(self) -> None:
        self.at = NOON
        self.ring, self.out = LogRing(), StringIO()
        set_up(WallClock(lambda: self.at), self.ring, self.out)
        self.log = structlog.get_logger(source="TEST")


def test_p13_a_flood_of_lines_takes_no_more_room_and_repeats_are_counted() -> None:
    logged = Logged()
    for number in range(RING_LINES + 500):
        logged.log.warning("flood", number=number)
    assert len(logged.ring.lines) == RING_LINES

    before = logged.ring.written
    for _ in range(1_000):
        logged.log.warning("the same")
    assert logged.ring.written == before + 1
    logged.at += timedelta(seconds=61)
    logged.log.warning("the same")

    assert [line for line in logged.ring.lines if "Repeated" in line] == ["Repeated 999 times"]
    assert all(len(line) <= 2_048 for line in logged.ring.lines)


def test_the_extended_level_writes_more_until_it_is_set_back() -> None:
    logged = Logged()
    for level in (logging.INFO, logging.DEBUG, logging.INFO):
        set_level(level)
        logged.log.debug("told", at_level=level)

    assert [line.rpartition("at_level=")[2] for line in logged.ring.lines] == ["10)"]


def test_t2_a_clock_put_back_silences_no_line() -> None:
    logged = Logged()
    logged.log.warning("the same")
    logged.at -= timedelta(days=1)

    logged.log.warning("the same")

    assert logged.ring.written == 2


def test_a20_one_record_is_one_line_whatever_is_in_it() -> None:
    """CHARX-25997 wrote lines of its own by names with a line's end in them."""
    logged = Logged()
    for number, text in enumerate(CORPUS):
        before = logged.ring.written
        logged.log.warning("said", number=number, charger=text, cause=text)
        assert logged.ring.written == before + 1
        (line,) = logged.out.getvalue().splitlines()[-1:]
        assert line == logged.ring.lines[-1]
        assert line.isprintable()
        assert len(line) <= 2_048
    assert len(logged.out.getvalue().split("\n")) == len(CORPUS) + 1
