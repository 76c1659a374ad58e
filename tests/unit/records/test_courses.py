"""How sessions go: their currents and their pauses, second by second (records.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from linkray.kit.clock import stamp
from linkray.model.records import SessionWent
from linkray.model.sessions import Course, Pause
from linkray.model.units import ZERO, Phases
from linkray.records.courses import PAUSES_MAX, Cause, Courses, Going

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
TURN: Cause = ("turn", "Level 2")
SCHEDULE: Cause = ("schedule", "")


def at(s: float) -> str:
    return stamp(START + timedelta(seconds=s))


class Site:
    """Looks once a second at the sessions that run."""

    def __init__(self, *kept: tuple[int, Course, Pause | None], now: float = 0.0) -> None:
        self.courses = Courses(kept)
        self.now = now
        self.told: list[SessionWent] = []

    def go(self, seconds: int, *sessions: Going) -> None:
        for _ in range(seconds):
            due = self.now % 60 == 0
            self.told += self.courses.feed(sessions, self.now, at(self.now), due=due)
            self.now += 1.0

    def went(self, number: int = 7) -> tuple[Course, list[Pause]]:
        """The newest word of a session, and all its pauses as a book of them would have them."""
        book = {p.began: p for one in self.told if one.id == number for p in one.pauses}
        return [one.course for one in self.told if one.id == number][-1], list(book.values())


def draws(ma: int, cause: Cause | None = None, *, number: int = 7, known: bool = True) -> Going:
    return Going(number, Phases(ma, 0, ma), cause, known)


def test_the_highest_and_the_mean_current_are_those_of_the_time_that_was_measured():
    site = Site()
    site.go(30, draws(16_000))
    site.go(60, draws(8_000))
    site.go(30, Going(7))  # not measured
    site.go(1)
    course, pauses = site.went()
    assert (course.max_ma, course.measured_ms, pauses) == (Phases(16_000, 0, 16_000), 90_000, [])
    assert course.mean_ma == Phases(10_667, 0, 10_667)
    assert Course().mean_ma is None


def test_it_is_told_once_a_minute_and_at_once_when_a_session_is_over():
    site = Site()
    site.go(150, draws(6_000), draws(7_000, number=8))
    assert [one.id for one in site.told] == [7, 8] * 3
    site.go(1, draws(7_000, number=8))
    assert [one.id for one in site.told[6:]] == [7]
    site.go(300)
    assert [one.id for one in site.told[7:]] == [8]


def test_a_pause_has_its_beginning_its_end_and_its_reason():
    site = Site()
    site.go(100, draws(6_000))
    site.go(200, draws(0, TURN))
    site.go(100, draws(0, SCHEDULE))
    site.go(100, draws(6_000))
    site.go(1)
    course, pauses = site.went()
    assert pauses == [Pause(at(100), at(300), *TURN), Pause(at(300), at(400), *SCHEDULE)]
    assert course.paused_ms == 300_000


def test_what_holds_for_a_moment_is_no_pause_and_ends_none():
    site = Site()
    site.go(5, draws(0, ("fail_safe", "")))
    site.go(60, draws(6_000))
    site.go(9, draws(0, TURN))
    site.go(60, draws(6_000))
    site.go(30, draws(0, TURN))
    site.go(5, draws(6_000))
    site.go(5, draws(0, SCHEDULE))
    site.go(30, draws(0, TURN))
    site.go(1)
    course, pauses = site.went()
    assert pauses == [Pause(at(134), at(204), *TURN)]
    assert course.paused_ms == 70_000


def test_a_pause_that_lasts_is_told_too_and_ends_with_its_session():
    site = Site()
    site.go(70, draws(0, TURN))
    assert site.told[-1].pauses == (Pause(at(0), None, *TURN),)
    site.go(1)
    assert site.went()[1] == [Pause(at(0), at(70), *TURN)]


def test_it_goes_on_over_a_restart_with_the_pause_that_it_is_in():
    before = Course(Phases(16_000, 0, 0), Phases(16_000 * 60_000, 0, 0), 60_000, 40_000)
    site = Site((7, before, Pause(at(-400), None, *TURN)), now=1.0)
    site.go(30)  # its charger has not come yet
    assert site.told == []
    site.go(60, Going(7, ZERO, TURN))
    site.go(60, Going(7, Phases(6_000, 0, 0)))
    site.go(1)
    course, pauses = site.went()
    assert pauses == [Pause(at(-400), at(91), *TURN)]
    assert course.paused_ms == 100_000
    assert course.measured_ms == 60_000 + 120_000
    assert course.mean_ma == Phases(7_333, 0, 0)


def test_what_a_charger_that_is_away_does_nobody_knows():
    site = Site()
    site.go(60, draws(0, TURN))
    site.go(600, draws(6_000, known=False))
    site.go(60, draws(0, TURN))
    site.go(1)
    course, pauses = site.went()
    assert pauses == [Pause(at(0), at(720), *TURN)]
    assert (course.paused_ms, course.measured_ms) == (120_000, 120_000)


def test_a_session_that_comes_back_goes_on():
    site = Site()
    site.go(60, draws(16_000))
    site.go(10)
    site.go(60, draws(8_000))
    site.go(1)
    assert site.went()[0].measured_ms == 120_000
    assert site.went()[0].max_ma == Phases(16_000, 0, 16_000)


def test_a_loop_that_stood_still_has_watched_two_seconds_of_it():
    site = Site()
    site.go(1, draws(6_000))
    site.now += 3_600
    site.go(2, draws(6_000))
    site.go(1)
    assert site.went()[0].measured_ms == 2_000 + 1_000 + 1_000


def test_pauses_of_a_session_are_bounded_and_its_sum_is_not():
    site = Site()
    for _ in range(PAUSES_MAX + 5):
        site.go(20, draws(0, TURN))
        site.go(20, draws(6_000))
    site.go(1)
    course, pauses = site.went()
    assert len(pauses) == PAUSES_MAX
    assert all(one.ended for one in pauses)
    assert course.paused_ms == (PAUSES_MAX + 5) * 20_000
