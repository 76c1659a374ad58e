"""When charge data records are due: 00:01 at the site, each day, each Monday or each 1st."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from linkray.records.spans import first_moment

MINUTE = timedelta(minutes=1)  # after the day's first moment: the manual's 00:01
FIRST, LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)


def newest_due(frequency: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The last time (UTC) at or before `now` at which something was due; None: it is off, or `now`
    is no time.
    """
    if frequency == "off" or not FIRST <= now <= LAST:
        return None
    day = _begins(frequency, now.astimezone(zone).date())
    due = _due(day, zone)
    return due if due <= now else _due(_begins(frequency, day - timedelta(days=1)), zone)


def next_due(frequency: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The first time (UTC) after `now`."""
    if frequency == "off" or not FIRST <= now <= LAST:
        return None
    day = _begins(frequency, now.astimezone(zone).date())
    due = _due(day, zone)
    return due if due > now else _due(_follows(frequency, day), zone)


def ended_before(due: datetime) -> datetime:
    """Sessions that have ended before this are part of what is due then: whole days."""
    return due - MINUTE


def _due(day: date, zone: tzinfo) -> datetime:
    return first_moment(day, zone).astimezone(UTC) + MINUTE


def _begins(frequency: str, day: date) -> date:
    """The first day of the period that a day is in."""
    if frequency == "weekly":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if frequency == "monthly" else day


def _follows(frequency: str, day: date) -> date:
    """The first day of the period after the one that begins with `day`."""
    if frequency == "monthly":
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=7 if frequency == "weekly" else 1)
