"""Times as people choose them, on days that have 23 or 25 hours too (records.md, The page)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkray.records.spans import BadTime, moment_of, span_of

BERLIN = ZoneInfo("Europe/Berlin")  # forward on 29 March 2026 at 02:00, back on 25 October at 03:00
SYDNEY = ZoneInfo("Australia/Sydney")
CAIRO = ZoneInfo("Africa/Cairo")  # forward on 24 April 2026 at 00:00
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)  # a Saturday


@pytest.mark.parametrize(("name", "since", "until"), [
    ("today", "2026-11-20T23:00:00.000Z", "2026-11-21T23:00:00.000Z"),
    ("this_week", "2026-11-15T23:00:00.000Z", "2026-11-22T23:00:00.000Z"),
    ("last_week", "2026-11-08T23:00:00.000Z", "2026-11-15T23:00:00.000Z"),
    ("this_month", "2026-10-31T23:00:00.000Z", "2026-11-30T23:00:00.000Z"),
    ("last_month", "2026-09-30T22:00:00.000Z", "2026-10-31T23:00:00.000Z"),
    ("this_year", "2025-12-31T23:00:00.000Z", "2026-12-31T23:00:00.000Z"),
    ("last_year", "2024-12-31T23:00:00.000Z", "2025-12-31T23:00:00.000Z"),
    ("all", None, None),
])  # fmt: skip
def test_the_manuals_quick_ranges_are_whole_days_of_the_site(name, since, until):
    assert span_of(name, NOW, BERLIN) == (since, until)


@pytest.mark.parametrize(("now", "hours"), [
    (datetime(2026, 3, 29, 12, tzinfo=UTC), 23), (datetime(2026, 10, 25, 12, tzinfo=UTC), 25),
    (datetime(2026, 3, 28, 12, tzinfo=UTC), 24),
])  # fmt: skip
def test_a_day_on_which_the_clocks_change_has_all_its_hours(now, hours):
    since, until = (datetime.fromisoformat(one) for one in span_of("today", now, BERLIN))
    assert (until - since).total_seconds() == hours * 3_600


def test_the_week_begins_on_monday_where_the_site_is_not_where_greenwich_is():
    sunday_there_monday = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)  # Monday 01:00 in Sydney
    assert span_of("this_week", sunday_there_monday, SYDNEY)[0] == "2026-11-22T13:00:00.000Z"


def test_a_day_without_midnight_begins_with_its_first_moment():
    since, until = span_of("today", datetime(2026, 4, 24, 12, tzinfo=UTC), CAIRO)
    assert since == "2026-04-23T22:00:00.000Z"  # 24:00 there, at once 01:00
    assert until == "2026-04-24T21:00:00.000Z"


@given(st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)),  # noqa: DTZ001
       st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu",
                        "America/St_Johns", "Pacific/Chatham"]))  # fmt: skip
def test_every_moment_is_in_its_day_its_week_its_month_and_its_year(at, name):
    now, zone = at.replace(tzinfo=UTC), ZoneInfo(name)
    for span in ("today", "this_week", "this_month", "this_year"):
        since, until = (datetime.fromisoformat(one) for one in span_of(span, now, zone))
        assert since <= now < until


@pytest.mark.parametrize(("text", "is_end", "utc"), [
    ("2026-11-21", False, "2026-11-20T23:00:00.000Z"),
    ("2026-11-21", True, "2026-11-21T23:00:00.000Z"),  # with all its hours
    ("2026-11-21T08:15", False, "2026-11-21T07:15:00.000Z"),
    ("2026-10-25T02:30", False, "2026-10-25T00:30:00.000Z"),  # shown twice: the first
    ("2026-10-25T02:30", True, "2026-10-25T01:30:00.000Z"),  # and the second
    ("2026-03-29T02:30", False, "2026-03-29T01:00:00.000Z"),  # never shown: the leap
    ("2026-03-29T02:30", True, "2026-03-29T01:00:00.000Z"),
    ("2026-11-21T08:15:00Z", True, "2026-11-21T08:15:00.000Z"),
])  # fmt: skip
def test_an_exact_time_is_the_sites(text, is_end, utc):
    assert moment_of(text, BERLIN, is_end=is_end) == utc


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30T00:00", "1" * 4_000,
                                  "9999-12-31", "' OR 1=1 --"])  # fmt: skip
def test_what_is_no_time_is_refused_in_words(text):
    with pytest.raises(BadTime, match="Expected a time as 2026-03-29T08:15"):
        moment_of(text, BERLIN, is_end=True)
