"""Times as people choose them, in the site's time zone: quick ranges (manual, 11), exact ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from linkray.kit.clock import stamp
from linkray.model.sessions import Range

TEXT_MAX = 40
Span = tuple[str | None, str | None]  # UTC as `stamp` writes it; None: open


class BadTime(ValueError):
    """What was given is no time, or no time that can be counted with."""


def span_of(name: Range, now: datetime, zone: tzinfo) -> Span:
    """Beginning and end of a quick range: whole days of the site, weeks from Monday to Sunday."""
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    january = date(today.year, 1, 1)
    last_month = (first - timedelta(days=1)).replace(day=1)
    days: dict[str, tuple[date, date]] = {
        "today": (today, today + timedelta(days=1)),
        "this_week": (monday, monday + timedelta(days=7)),
        "last_week": (monday - timedelta(days=7), monday),
        "this_month": (first, _next_month(first)),
        "last_month": (last_month, first),
        "this_year": (january, date(today.year + 1, 1, 1)),
        "last_year": (date(today.year - 1, 1, 1), january),
    }
    if name == "all":
        return None, None
    since, until = days[name]
    return _midnight(since, zone), _midnight(until, zone)


def moment_of(text: str, zone: tzinfo, *, is_end: bool) -> str:
    """A day, or a time of a day, of the site; or one with its own offset. Raises `BadTime`.

    A day as an end is meant with all its hours. Of a time that the clock shows twice, a beginning
    is the first and an end the second; one that it leaps over is the moment of the leap.
    """
    if len(text) > TEXT_MAX:  # some of what is longer could be read
        text = f"{text[:TEXT_MAX]}…"
    try:
        if len(text) == len("2026-03-29"):
            day = date.fromisoformat(text)
            whole = _midnight(day + timedelta(days=1) if is_end else day, zone)
            assert whole is not None
            return whole
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=zone, fold=int(is_end))
            if not _is_shown(at):
                at = _after_leap(at, zone)
        return stamp(at)
    except (ValueError, OverflowError) as error:
        raise BadTime(f"Expected a time as 2026-03-29T08:15, got {text!r}") from error


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _midnight(day: date, zone: tzinfo) -> str | None:
    return stamp(first_moment(day, zone))


def first_moment(day: date, zone: tzinfo) -> datetime:
    """Of the day; where clocks leap at midnight that is later than 00:00."""
    at = datetime(day.year, day.month, day.day, tzinfo=zone)
    return at if _is_shown(at) else _after_leap(at, zone)


def _is_shown(at: datetime) -> bool:
    """Whether the clock on the wall ever shows this time (it leaps over an hour in spring)."""
    back = at.astimezone(UTC).astimezone(at.tzinfo)
    return back.replace(tzinfo=None) == at.replace(tzinfo=None)


def _after_leap(at: datetime, zone: tzinfo) -> datetime:
    """The moment at which the clock leapt over `at`."""
    before = at.replace(fold=0).astimezone(UTC)  # by the offset before: at or after the leap
    after = at.replace(fold=1).astimezone(UTC)  # by the offset after: before the leap
    low, high = min(before, after), max(before, after)
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
