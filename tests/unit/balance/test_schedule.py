"""The excluded times of the week, against a clock on the wall read minute by minute."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkray.balance.schedule import DAYS, Schedule
from linkray.model.settings import Exclusion

WEEK = DAYS
WORKDAYS = WEEK[:5]
ZONES = (
    "Europe/London", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe",
    "Africa/Casablanca", "Asia/Beirut", "Asia/Kathmandu", "Pacific/Chatham", "America/Santiago",
    "UTC",
)  # fmt: skip


def utc(*moment: int) -> float:
    return datetime(*moment, tzinfo=UTC).timestamp()


def local(zone: str, *moment: int, fold: int = 0) -> float:
    return datetime(*moment, tzinfo=ZoneInfo(zone), fold=fold).timestamp()


# -- the oracle: what the wall shows, compared as text ---------------------------------------------


def on_the_wall(exclusions: tuple[Exclusion, ...], zone: str, utc_s: float) -> bool:
    """Slow and plain: the weekday's name and `HH:MM`, and nothing reckoned."""
    shown = datetime.fromtimestamp(utc_s, ZoneInfo(zone))
    day, minute = f"{shown:%a}", f"{shown:%H:%M}"
    return any(
        day in each.days and each.start <= minute
        and (minute < each.end or each.end == "23:59")
        for each in exclusions
    )  # fmt: skip


@cache
def clock_changes(zone: str, year: int) -> tuple[float, ...]:
    """The minutes of a year at which the zone's clock is put forward or back."""
    begin = utc(year, 1, 1)
    hours = [begin + 3600 * n for n in range(366 * 24)]
    offset = {at: datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset() for at in hours}
    return tuple(
        next(low + 60 * n for n in range(1, 61)
             if datetime.fromtimestamp(low + 60 * n, ZoneInfo(zone)).utcoffset() == offset[high])
        for low, high in pairwise(hours) if offset[low] != offset[high]
    )  # fmt: skip


@st.composite
def weeks(draw: st.DrawFn) -> tuple[Exclusion, ...]:
    """Some excluded times: on quarters of the hour mostly, ends at 23:59, around 00:00 to 03:59."""
    minute = st.one_of(
        st.sampled_from(range(0, 240, 15)), st.sampled_from(range(0, 1440, 15)),
        st.integers(0, 1438),
    )  # fmt: skip
    found = []
    for _ in range(draw(st.integers(1, 5))):
        start, end = sorted((draw(minute), draw(st.one_of(minute, st.just(1439)))))
        if start == end:
            end += 1
        days = draw(st.sets(st.sampled_from(WEEK), min_size=1))
        found.append(Exclusion(tuple(sorted(days)), _hhmm(start), _hhmm(end)))
    return tuple(found)


def _hhmm(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def agrees(schedule: Schedule, exclusions: tuple[Exclusion, ...], zone: str,
           begin: float, minutes: int) -> None:  # fmt: skip
    """Every minute of a span: excluded where the wall says so, and until it says else."""
    excluded = [on_the_wall(exclusions, zone, begin + 60 * n) for n in range(minutes)]
    flips = [begin + 60 * n for n in range(1, minutes) if excluded[n] != excluded[n - 1]]
    for n in range(minutes):
        at = begin + 60 * n
        later = bisect_right(flips, at)
        until, change = schedule.excluded_until(at), schedule.next_change(at)
        assert (until is not None) == excluded[n], datetime.fromtimestamp(at, UTC)
        if later < len(flips):
            assert change == flips[later], datetime.fromtimestamp(at, UTC)
            assert until in (None, flips[later])
        else:
            assert change is None or change >= begin + 60 * minutes


@settings(max_examples=60, deadline=None)
@given(week=weeks(), zone=st.sampled_from(ZONES), year=st.sampled_from((2026, 2027)),
       pick=st.integers(0, 5))  # fmt: skip
def test_t4_around_every_change_of_clocks_it_is_what_the_wall_shows(week, zone, year, pick):
    changes = clock_changes(zone, year) or (utc(year, 3, 1),)
    begin = changes[pick % len(changes)] - 36 * 3600

    agrees(Schedule(week, zone), week, zone, begin, 3 * 24 * 60)


@settings(max_examples=30, deadline=None)
@given(week=weeks(), zone=st.sampled_from(ZONES), at=st.integers(0, 366 * 24 * 60))
def test_t4_on_any_day_of_the_year_it_is_what_the_wall_shows(week, zone, at):
    agrees(Schedule(week, zone), week, zone, utc(2026, 1, 1) + 60 * at, 24 * 60)


@settings(max_examples=60, deadline=None)
@given(week=weeks(), zone=st.sampled_from(ZONES),
       at=st.lists(st.integers(1_700_000_000, 1_800_000_000), min_size=2, max_size=9))
def test_what_was_asked_before_changes_no_answer(week, zone, at):
    asked = Schedule(week, zone)

    for moment in at:  # in any order: a clock may be set back
        fresh = Schedule(week, zone)
        assert asked.excluded_until(moment) == fresh.excluded_until(moment)
        assert asked.next_change(moment) == fresh.next_change(moment)


@pytest.mark.parametrize("zone", ZONES)
def test_t4_a_whole_year_of_changes_is_the_wall_s(zone):
    week = (Exclusion(WEEK, "01:30", "02:15"), Exclusion(WORKDAYS, "22:00", "23:59"))
    schedule = Schedule(week, zone)
    at, end = utc(2026, 1, 1), utc(2027, 1, 1)

    changes = 0
    while at < end:
        change = schedule.next_change(at)
        assert change is not None
        before = on_the_wall(week, zone, at)
        for between in (at, (at + change) / 2, change - 1):
            assert on_the_wall(week, zone, between) == before
        assert on_the_wall(week, zone, change) != before
        at, changes = change, changes + 1
    assert 2 * 365 + 2 * 250 < changes < 2 * 366 + 2 * 270


def test_the_manual_s_week_leaves_the_night_between_half_past_midnight_and_half_past_five():
    night = Schedule(
        (Exclusion(WEEK, "00:00", "00:30"), Exclusion(WEEK, "05:30", "23:59")), "Europe/Amsterdam"
    )
    day = ("Europe/Amsterdam", 2026, 6, 15)

    assert night.excluded_until(local(*day, 0, 30)) is None
    assert night.next_change(local(*day, 0, 30)) == local(*day, 5, 30)
    assert night.excluded_until(local(*day, 5, 30)) == local("Europe/Amsterdam", 2026, 6, 16, 0, 30)


def test_t5_an_end_of_23_59_next_to_a_start_of_00_00_leaves_no_minute_between():
    week = (Exclusion(WEEK, "22:00", "23:59"), Exclusion(WEEK, "00:00", "06:00"))
    schedule = Schedule(week, "Europe/Amsterdam")

    until = schedule.excluded_until(local("Europe/Amsterdam", 2026, 6, 15, 22, 0))

    assert until == local("Europe/Amsterdam", 2026, 6, 16, 6, 0)
    last_minute = local("Europe/Amsterdam", 2026, 6, 15, 23, 59, 30)
    assert schedule.excluded_until(last_minute) == until


def test_an_hour_that_spring_skips_takes_its_share_of_the_pause_and_no_more():
    schedule = Schedule((Exclusion(WEEK, "01:00", "04:00"),), "Europe/Amsterdam")
    begins = local("Europe/Amsterdam", 2026, 3, 29, 1, 0)

    assert schedule.excluded_until(begins) == begins + 2 * 3600  # 02:00 to 03:00 does not exist


def test_an_hour_that_autumn_repeats_is_a_pause_twice():
    one = Schedule((Exclusion(("Sun",), "02:00", "03:00"),), "Europe/Amsterdam")
    half = Schedule((Exclusion(("Sun",), "02:00", "02:30"),), "Europe/Amsterdam")
    begins = local("Europe/Amsterdam", 2026, 10, 25, 2, 0)

    assert one.excluded_until(begins) == begins + 2 * 3600
    assert half.excluded_until(begins) == begins + 1800
    assert half.next_change(begins + 1800) == begins + 3600
    assert half.excluded_until(begins + 3600) == begins + 5400


def test_a_pause_that_lies_in_the_skipped_hour_falls_out_and_comes_a_week_later():
    schedule = Schedule((Exclusion(("Sun",), "02:00", "03:00"),), "Europe/Amsterdam")
    saturday = local("Europe/Amsterdam", 2026, 3, 28, 12, 0)

    assert schedule.next_change(saturday) == local("Europe/Amsterdam", 2026, 4, 5, 2, 0)


def test_half_an_hour_of_lord_howe_is_half_an_hour():
    schedule = Schedule((Exclusion(WEEK, "01:00", "03:00"),), "Australia/Lord_Howe")
    back = local("Australia/Lord_Howe", 2026, 4, 5, 1, 0)
    forward = local("Australia/Lord_Howe", 2026, 10, 4, 1, 0)

    assert schedule.excluded_until(back) == back + 2.5 * 3600
    assert schedule.excluded_until(forward) == forward + 1.5 * 3600


def test_a_day_that_a_zone_has_left_out_is_no_pause():
    """Samoa went from Thursday, 29 December 2011, to Saturday."""
    schedule = Schedule((Exclusion(("Fri",), "00:00", "23:59"),), "Pacific/Apia")

    change = schedule.next_change(local("Pacific/Apia", 2011, 12, 28, 12, 0))

    assert change == local("Pacific/Apia", 2012, 1, 6, 0, 0)


def test_without_excluded_times_nothing_is_ever_excluded():
    schedule = Schedule((), "Europe/Amsterdam")

    assert schedule.excluded_until(utc(2026, 6, 15)) is None
    assert schedule.next_change(utc(2026, 6, 15)) is None


def test_a_week_that_is_excluded_whole_never_ends_within_what_is_looked_at():
    schedule = Schedule((Exclusion(WEEK, "00:00", "23:59"),), "America/New_York")
    now = utc(2026, 10, 30)

    until = schedule.excluded_until(now)

    assert until is not None and until >= now + 14 * 86_400
    assert schedule.next_change(now) is None


def test_a_time_across_midnight_in_one_that_an_older_version_kept_is_two():
    schedule = Schedule((Exclusion(("Mon",), "22:00", "06:00"),), "UTC")

    assert schedule.excluded_until(utc(2026, 6, 15, 22)) == utc(2026, 6, 16, 6)
    assert schedule.excluded_until(utc(2026, 6, 15, 5)) is None
    assert schedule.excluded_until(utc(2026, 6, 16, 22)) is None


@pytest.mark.parametrize("moment", [-1e12, -1.0, 0.0, 1e11, 4e11, 1e18])
def test_no_clock_is_so_wrong_that_it_ends_anything(moment):
    schedule = Schedule((Exclusion(WEEK, "00:00", "06:00"),), "Europe/Amsterdam")

    for told in (schedule.next_change(moment), schedule.excluded_until(moment)) * 2:
        assert told is None or told > moment


def test_a_zone_that_nobody_knows_is_utc():
    schedule = Schedule((Exclusion(WEEK, "00:00", "06:00"),), "Mars/Olympus")

    assert schedule.excluded_until(utc(2026, 6, 15, 3)) == utc(2026, 6, 15, 6)


def test_a_day_of_seconds_costs_next_to_nothing():
    """Asked with every plan: 86,400 times a day, it looks at the calendar a handful of times."""
    schedule = Schedule((Exclusion(WEEK, "22:00", "23:59"),), "Europe/Amsterdam")
    looks = 0
    look_anew = schedule._moments  # the costly part

    def counted(utc_s: float) -> list[float]:
        nonlocal looks
        looks += 1
        return look_anew(utc_s)

    schedule._moments = counted
    begin = datetime(2026, 6, 15, tzinfo=UTC)
    for second in range(0, 86_400, 5):
        schedule.excluded_until((begin + timedelta(seconds=second)).timestamp())

    assert 1 <= looks <= 4
