"""The history of faults: what was raised and cleared, how long and how often, and who has seen it.

It reads the faults as everybody sees them and raises none itself. All of it is in memory, so that
a page never waits for the disk; what has changed is written down together, now and then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

from linkray.kit.clock import stamp
from linkray.model.asks import ReadAlerts
from linkray.model.faults import Alert, Fault
from linkray.model.records import AlertGone, AlertKept
from linkray.model.views import AlertsRead

ALERTS_MAX = 2_000  # kept in all: half a megabyte …
ALERTS_A_KIND = 200  # … and of one fault of one charger, so that it takes nobody else's room
AGAIN = timedelta(seconds=60)  # what comes again so soon is the same alert once more
RESUMES = timedelta(seconds=180)  # what a restart finds open may be raised again so late
CONNECTING = frozenset({"charger_offline", "csms", "meter"})  # each start raises them for a while

_Kind = tuple[str, str | None]  # code and charger


class BadSpan(ValueError):
    """A day or a moment that cannot be read, in words."""


class AlertBook:
    """The newest alerts. Faults are fed as they stand; what is to be written is asked for."""

    def __init__(self, kept: Iterable[Alert] = (), now: datetime | None = None) -> None:
        self._alerts = {alert.id: alert for alert in kept}
        self._newest = {(one.code, one.subject): one.id for one in self._alerts.values()}
        self._open = {kind: at for kind, at in self._newest.items()
                      if self._alerts[at].cleared is None}  # fmt: skip
        self._left = set(self._open)  # by the process before, and not raised by this one yet
        self._began = now
        self._changed: set[int] = set()
        self._gone: list[int] = []
        self._last = max(self._alerts, default=0)

    def feed(self, faults: Collection[Fault], now: datetime) -> None:
        """The faults as they stand now."""
        raised = {(fault.code, fault.subject): fault for fault in faults}
        self._left -= raised.keys()
        if self._left and (self._began is None or now >= self._began + RESUMES):
            for kind in self._left:
                self._end(kind, self._began or now)  # it was over when we came, or never came back
            self._left.clear()
        for kind in [kind for kind in self._open if kind not in raised and kind not in self._left]:
            self._end(kind, now)
        for kind, fault in raised.items():
            if kind in self._open:
                self._reword(self._open[kind], fault)
            else:
                self._begin(kind, fault, now)

    def see(self, ids: Collection[int], by: str, now: datetime) -> list[Alert]:
        """Somebody has seen these; those of them that nobody had seen."""
        fresh = [one for one in map(self._alerts.get, ids) if one is not None and not one.seen_by]
        for one in fresh:
            self._put(msgspec.structs.replace(one, seen_by=by, seen_at=stamp(now)))
        return fresh

    def read(
        self, asked: ReadAlerts, now: datetime, zone: tzinfo, names: Mapping[str, str]
    ) -> AlertsRead:
        """What is asked for, the newest first; raises `BadSpan`. `names`: of chargers, by id."""
        begin, end = span(asked.begin, asked.end, zone)
        words = asked.text.casefold().split()
        found = [
            one for one in reversed(self._alerts.values())
            if (not asked.code or one.code == asked.code)
            and (not asked.charger or one.subject == asked.charger)
            and (not asked.open_only or one.cleared is None)
            and (end is None or one.since < end)
            and (begin is None or one.cleared is None or one.cleared >= begin)
            and _says(one, words, names)
        ]  # fmt: skip
        limit = min(max(asked.limit, 1), ALERTS_MAX)
        return AlertsRead(
            alerts=tuple(found[:limit]),
            total=len(found),
            times=sum(one.times for one in found),
            open=sum(one.cleared is None for one in found),
            unseen=sum(one.cleared is None and not one.seen_by for one in self._alerts.values()),
            lasted_s=sum(lasted_s(one, now) for one in found),
            oldest=next((one.since for one in self._alerts.values()), None),
            kinds=tuple(sorted({one.code for one in self._alerts.values()})),
        )

    @property
    def all(self) -> tuple[Alert, ...]:
        """In the order in which they began."""
        return tuple(self._alerts.values())

    def unsaved(self) -> list[AlertKept | AlertGone]:
        """What the disk does not know yet; asked once, it is the asker's to write."""
        records: list[AlertKept | AlertGone] = [AlertGone(number) for number in self._gone]
        records += [AlertKept(self._alerts[n]) for n in sorted(self._changed) if n in self._alerts]
        self._gone, self._changed = [], set()
        return records

    # -- one alert -------------------------------------------------------------------------------

    def _begin(self, kind: _Kind, fault: Fault, now: datetime) -> None:
        last = self._alerts.get(self._newest.get(kind, 0))
        if last is not None and last.cleared is not None:
            since_end = now - datetime.fromisoformat(last.cleared)
            if timedelta() <= since_end < AGAIN:
                self._open[kind] = last.id
                self._put(msgspec.structs.replace(
                    last, cleared=None, times=last.times + 1, text=fault.text,
                    detail=fault.detail,
                ))  # fmt: skip
                return
        self._make_room(kind)
        self._last += 1
        self._open[kind] = self._newest[kind] = self._last
        self._put(Alert(self._last, fault.code, fault.bit, fault.text, fault.since,
                        subject=fault.subject, detail=fault.detail))  # fmt: skip

    def _end(self, kind: _Kind, now: datetime) -> None:
        one = self._alerts[self._open.pop(kind)]
        if self._is_of_the_start(one, now):
            self._drop(one)
            return
        # a clock that was put back ends nothing before it began (T2)
        self._put(msgspec.structs.replace(one, cleared=max(stamp(now), one.since)))

    def _is_of_the_start(self, one: Alert, now: datetime) -> bool:
        """Whether it only says that chargers, meter and CSMS take a moment to be there. What has
        been seen by somebody stays.
        """
        if self._began is None or one.code not in CONNECTING or one.times > 1 or one.seen_by:
            return False
        return one.since >= stamp(self._began) and now < self._began + RESUMES

    def _drop(self, one: Alert) -> None:
        del self._alerts[one.id]
        self._newest.pop((one.code, one.subject), None)
        self._changed.discard(one.id)
        self._gone.append(one.id)

    def _reword(self, number: int, fault: Fault) -> None:
        """Written down with the next that changes: a text that counts seconds is no news."""
        if self._alerts[number].text != fault.text:
            self._alerts[number] = msgspec.structs.replace(
                self._alerts[number], text=fault.text, detail=fault.detail
            )

    def _put(self, alert: Alert) -> None:
        self._alerts[alert.id] = alert
        self._changed.add(alert.id)

    def _make_room(self, kind: _Kind) -> None:
        """The oldest that is over goes: of the same kind where there are many, else of all."""
        over = [one for one in self._alerts.values() if one.cleared is not None]
        same = [one for one in over if (one.code, one.subject) == kind]
        gone = same if len(same) >= ALERTS_A_KIND else over
        if len(self._alerts) >= ALERTS_MAX or (gone is same and same):
            for one in gone[:1]:
                self._drop(one)


def lasted_s(one: Alert, now: datetime) -> int:
    """How long it stood, or stands by now; never less than nothing."""
    end = now if one.cleared is None else datetime.fromisoformat(one.cleared)
    return max(0, int((end - datetime.fromisoformat(one.since)).total_seconds()))


def losses(alerts: Iterable[Alert], now: datetime) -> dict[str, tuple[int, int]]:
    """Of each charger how often it was away, and the longest time in seconds."""
    found: dict[str, tuple[int, int]] = {}
    for one in alerts:
        if one.code == "charger_offline" and one.subject is not None:
            times, longest = found.get(one.subject, (0, 0))
            found[one.subject] = times + one.times, max(longest, lasted_s(one, now))
    return found


def span(begin: str, end: str, zone: tzinfo) -> tuple[str | None, str | None]:
    """From the start of a day to the end of one in the site's zone, or from moment to moment, as
    UTC; empty: without a limit. Raises `BadSpan`.
    """
    return _moment(begin, zone, days=0), _moment(end, zone, days=1)


def _moment(text: str, zone: tzinfo, *, days: int) -> str | None:
    if not text:
        return None
    try:
        if len(text) == len("2026-11-23"):
            day = date.fromisoformat(text) + timedelta(days=days)
            return stamp(datetime.combine(day, time(), zone))
        at = datetime.fromisoformat(text)
        return stamp(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise BadSpan(f"Expected a day as 2026-11-23, got {text[:40]!r}") from None


def _says(one: Alert, words: Sequence[str], names: Mapping[str, str]) -> bool:
    """Whether each word stands in it somewhere."""
    subject = one.subject or ""
    said = f"{one.code} {one.text} {subject} {names.get(subject, '')} {one.seen_by}".casefold()
    return all(word in said for word in words)
