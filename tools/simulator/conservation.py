"""Nothing lost, nothing made up: INV-13 and INV-14 of trust.md 1.

Two books are held against each other: what the simulated chargers truly had to report and were
answered (`tools.world.reported`), and what the CSMS was told and gave (`tools.world.csms_book`).
Knows neither LinkRay's records nor its code. A direct link without LinkRay must pass too.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tools.simulator.events import Violation
from tools.world.csms_book import Book, Told
from tools.world.reported import Reading, Reported, Said, Session, print_of, prints_in

CONSERVED, ORDERED = "INV-13", "INV-14"
ATTEMPTS = 3  # csms.md, Offline: so many CALLERRORs, then it is set aside
IN_FLIGHT_S = 5.0  # a message may cross with the answer that changes its id
REFUSED = ("Invalid", "Blocked", "Expired")
TRANSACTIONS = ("StartTransaction", "MeterValues", "StopTransaction")


@dataclass
class Account:
    """What came of it; `violations` empty: all is conserved and in order."""

    violations: list[Violation] = field(default_factory=list)
    starts: int = 0  # that have had their effect
    stops: int = 0
    readings: int = 0
    repeats: int = 0  # identical resends
    set_aside: int = 0  # starts and stops that the CSMS answered with errors only
    thinned: int = 0  # readings that were answered to the charger and never arrived


def conserve(
    reported: Iterable[Reported], book: Book, *, seed: int = 0, now: float = math.inf,
    is_over: bool = True, may_thin: bool = True,
    is_due: Callable[[Session], bool] = lambda _session: True,
) -> Account:  # fmt: skip
    """Hold the chargers' truth against the CSMS's book, of a moment `now`.

    `is_over`: the CSMS could be reached for long enough that what is missing now is lost.
    `may_thin`: MeterValues may be left out (csms.md, Passing through and Offline). `is_due`: which
    sessions the CSMS must know of; what it knows of the others must be right all the same.
    MeterValues are judged of chargers that keep their readings (`World.keep_books`).
    """
    account = Account()
    known = set()
    for one in reported:
        known.add(one.charger)
        audit = _Audit(one, book, account, seed, min(now, _newest(book, one.charger)))
        audit.told()
        audit.given()
        if is_over:
            audit.missing(is_due, may_thin=may_thin)
    for charger in sorted(set(book.told) - known):
        found = [one for one in book.told[charger] if one.action in TRANSACTIONS]
        if found:
            account.violations.append(Violation(seed, found[0].at, CONSERVED, {
                "what": "a charger that does not exist was told of", "charger": charger,
            }))  # fmt: skip
    return account


class Recorded(Protocol):
    """A transaction as LinkRay keeps it."""

    @property
    def id(self) -> int: ...
    @property
    def charger(self) -> str: ...
    @property
    def connector(self) -> int: ...
    @property
    def tag(self) -> str: ...
    @property
    def given(self) -> str: ...
    @property
    def meter_start_wh(self) -> int: ...
    @property
    def stop_given(self) -> str | None: ...
    @property
    def meter_last_wh(self) -> int | None: ...


def recorded(
    reported: Iterable[Reported], kept: Iterable[Recorded], *, seed: int = 0, now: float = 0.0
) -> list[Violation]:
    """INV-13's first half: of every start that was answered exactly one local record, with its
    stop where that was answered, and none of what did not happen.
    """
    found: list[Violation] = []

    def violate(what: str, **state: object) -> None:
        found.append(Violation(seed, now, CONSERVED, {"what": what, **state}))

    records: defaultdict[tuple[object, ...], list[Recorded]] = defaultdict(list)
    for record in kept:
        key: tuple[object, ...] = (
            record.charger, record.connector, record.tag, record.meter_start_wh, record.given
        )  # fmt: skip
        records[key].append(record)
    for session in (one for each in reported for one in each.sessions):
        key = (session.charger, *_start_key(session))
        mine = records.pop(key, [])
        if len(mine) > 1 or (session.start.answered and not mine):
            violate(f"{len(mine)} records of a start that was answered", session=key)
        stop = session.stop
        for record in mine:
            truth = (session.ended_at, session.meter_stop_wh)
            kept_so = (record.stop_given, record.meter_last_wh)
            if stop is not None and stop.answered and kept_so != truth:
                violate("a stop that was answered is not in its record", session=key,
                        truth=truth, record=kept_so)  # fmt: skip
            if session.ids and record.id not in session.ids:
                violate("a record has another id than its charger was given", session=key,
                        given=session.ids, record=record.id)  # fmt: skip
    for key in records:
        violate("a record of what did not happen", record=key)
    return found


def _newest(book: Book, charger: str) -> float:
    return book.told[charger][-1].at if book.told.get(charger) else 0.0


@dataclass
class _Traced:
    """A session, and what the CSMS heard of it."""

    session: Session
    arrivals: dict[int, list[float]]  # by link: when anything came
    starts: list[Told] = field(default_factory=list)
    stops: list[Told] = field(default_factory=list)
    first_reading: tuple[Told, Reading] | None = None

    @property
    def begun(self) -> Told | None:
        """The start that had its effect."""
        return next((one for one in self.starts if one.is_taken), None)

    @property
    def ended(self) -> Told | None:
        return next((one for one in self.stops if one.is_taken), None)

    @property
    def is_set_aside(self) -> bool:
        return self.begun is None and len(self.starts) >= ATTEMPTS

    @property
    def was_refused(self) -> bool:
        """The CSMS said of its tag that it may not, or LinkRay while the CSMS said nothing."""
        infos = [(one.answer or {}).get("idTagInfo", {}) for one in self.starts]
        by_csms = any(info.get("status") in REFUSED for info in infos)
        return by_csms or self.session.was_refused

    def ids(self, at: float) -> list[object]:
        """The ids that are right at a moment: the newest that was surely heard, and newer ones."""
        answered = [
            one for one in self.starts
            if one.is_taken and not one.is_spoilt
            and one.answered_at is not None and one.answered_at <= at
        ]  # fmt: skip
        right: list[object] = []
        for one in sorted(answered, key=lambda told: told.answered_at or 0.0):
            if self._was_heard(one, at):
                right.clear()
            right.append((one.answer or {}).get("transactionId"))
        return right

    def _was_heard(self, start: Told, by: float) -> bool:
        """Whether its answer has arrived for sure: something came on the same link well after."""
        times = self.arrivals.get(start.link, [])
        since = (start.answered_at or 0.0) + IN_FLIGHT_S
        place = bisect_left(times, since)
        return place < len(times) and times[place] <= by


class _Audit:
    """One charger's truth against what was told of it."""

    def __init__(
        self, reported: Reported, book: Book, account: Account, seed: int, now: float
    ) -> None:
        self.reported = reported
        self.book = book
        self.account = account
        self.seed = seed
        self.now = now
        arrivals: defaultdict[int, list[float]] = defaultdict(list)
        for told in book.told.get(reported.charger, ()):
            arrivals[told.link].append(told.at)
        self.traced = [_Traced(session, arrivals) for session in reported.sessions]
        self._starts = {_start_key(one.session): one for one in self.traced}
        self._stops: defaultdict[tuple[object, ...], list[_Traced]] = defaultdict(list)
        self._readings: defaultdict[tuple[int, str], list[tuple[_Traced | None, Reading]]]
        self._readings = defaultdict(list)
        for one in self.traced:
            self._stops[_stop_key(one.session)].append(one)
            for reading in one.session.readings:
                self._readings[one.session.connector, reading.stamp].append((one, reading))
        for connector, reading in reported.idle:
            self._readings[connector, reading.stamp].append((None, reading))
        self._arrived: set[int] = set()  # readings, by their id in memory
        self._latest: tuple[int, Told] | None = None  # said last of all that has arrived

    def violate(self, invariant: str, what: str, told: Told | None = None, **state: Any) -> None:
        said = {"told": told.text[:300], "link": told.link} if told is not None else {}
        self.account.violations.append(
            Violation(self.seed, told.at if told is not None else self.now, invariant,
                      {"what": what, "charger": self.reported.charger, **said, **state})
        )  # fmt: skip

    # -- what arrived --------------------------------------------------------------------------

    def told(self) -> None:
        """Each message in the order of arrival."""
        for told in self.book.told.get(self.reported.charger, ()):
            if told.action not in TRANSACTIONS or told.id in self.reported.loose:
                continue
            payload = told.payload
            if told.is_repeat:
                self.account.repeats += 1
            if not isinstance(payload, dict):
                self.violate(CONSERVED, "no such thing was said", told)
            elif told.action == "StartTransaction":
                self._start(told, payload)
            elif told.action == "StopTransaction":
                self._stop(told, payload)
            elif self.reported.keeps_readings:
                self._values(told, payload)

    def _start(self, told: Told, payload: dict[str, Any]) -> None:
        key = (payload.get("connectorId"), payload.get("idTag"), payload.get("meterStart"),
               payload.get("timestamp"))  # fmt: skip
        traced = self._starts.get(key)
        if traced is None:
            nearest = max(self._starts, key=lambda known: _alike(known, key), default=None)
            self.violate(CONSERVED, "a start that did not happen", told, nearest=nearest)
            return
        if told.id not in traced.session.start.ids:
            self.violate(CONSERVED, "a start has an id that its charger did not give it", told,
                         ids=traced.session.start.ids)  # fmt: skip
        begun = traced.begun
        if begun is not None and told.is_taken and told.id != begun.id:
            self.violate(CONSERVED, "a start is told again under another id", told,
                         first=begun.text[:300])  # fmt: skip
        if begun is None and told.is_taken:
            self.account.starts += 1
        if not traced.starts:
            self._in_order(told, traced.session.start)
        traced.starts.append(told)
        said, stop, ended = traced.session.start, traced.session.stop, traced.ended
        later: list[tuple[Told, Said | Reading]] = []
        if traced.first_reading is not None:
            later.append(traced.first_reading)
        if ended is not None and stop is not None:
            later.append((ended, stop))
        for earlier, its in later:
            if not told.is_repeat and its.first_sent > said.first_sent:  # else it said so (C20)
                self.violate(ORDERED, f"a start comes after {earlier.action} of it", told,
                             earlier=earlier.text[:300])  # fmt: skip

    def _stop(self, told: Told, payload: dict[str, Any]) -> None:
        named = payload.get("transactionId")
        key = (payload.get("meterStop"), payload.get("timestamp"))
        # Two may end at one moment with one register; then the id tells them apart.
        found = self._stops.get(key, [])
        named_so = [one for one in found if named in one.ids(told.at)]
        traced = next(iter([*named_so, *(one for one in found if not one.stops), *found]), None)
        if traced is None:
            meant = [one for one in self.traced if named in one.ids(told.at)]
            truth = [_stop_key(one.session) for one in meant]
            self.violate(CONSERVED, "a stop that did not happen", told, truth=truth)
            return
        stop = traced.session.stop
        assert stop is not None, "only what has ended is looked for"
        self._named(told, traced, named, "a stop")
        self._unchanged(told, payload, traced, stop)
        if told.id not in stop.ids:
            self.violate(CONSERVED, "a stop has an id that its charger did not give it", told,
                         ids=stop.ids)  # fmt: skip
        ended = traced.ended
        if ended is not None and told.is_taken and told.id != ended.id:
            self.violate(CONSERVED, "a stop is told again under another id", told,
                         first=ended.text[:300])  # fmt: skip
        if ended is None and told.is_taken:
            self.account.stops += 1
        if not traced.stops and stop.first_sent > traced.session.start.first_sent:
            self._in_order(told, stop)
        traced.stops.append(told)

    def _unchanged(
        self, told: Told, payload: dict[str, Any], traced: _Traced, stop: Said
    ) -> None:
        """All of a stop but its transaction's id is as the charger said it."""
        said = {name: value for name, value in stop.payload.items() if name != "transactionId"}
        came = {name: value for name, value in payload.items() if name != "transactionId"}
        is_theirs = said.get("reason") in ("Remote", "Local", "Other", None)
        if traced.was_refused and is_theirs and came.get("reason") == "DeAuthorized":
            said["reason"] = "DeAuthorized"  # csms.md, Offline
        differ = sorted(name for name in {*said, *came} if said.get(name) != came.get(name))
        if differ:
            self.violate(CONSERVED, f"a stop was changed: {', '.join(differ)}", told,
                         said={name: said.get(name) for name in differ})  # fmt: skip

    def _values(self, told: Told, payload: dict[str, Any]) -> None:
        connector, named = payload.get("connectorId"), payload.get("transactionId")
        for value in payload.get("meterValue", ()):
            stamp, sampled = value.get("timestamp"), value.get("sampledValue", ())
            found = self._readings.get((connector, stamp), [])  # type: ignore[arg-type]
            if not found:
                self.violate(CONSERVED, "MeterValues that nobody read", told)
                return
            prints = set(map(print_of, sampled))
            fits = [one for one in found if prints <= prints_in(one[1].prints)]
            if not fits:
                self.violate(CONSERVED, "MeterValues were changed", told)
                return
            mine = [one for one in fits if one[0] is not None and named in one[0].ids(told.at)]
            traced, reading = (mine or fits)[0]
            self._reading(told, traced, reading, named)

    def _reading(
        self, told: Told, traced: _Traced | None, reading: Reading, named: object
    ) -> None:
        if traced is None:
            if named is not None:
                self.violate(CONSERVED, "MeterValues of no transaction are told of one", told)
            return
        if named is not None or reading.is_named:
            self._named(told, traced, named, "MeterValues")
        ended, stop = traced.ended, traced.session.stop
        is_late = ended is not None and stop is not None and reading.last_sent < stop.first_sent
        if is_late and ended is not None and not told.is_repeat:  # a resend is lawful (INV-13)
            self.violate(ORDERED, "MeterValues come after the stop", told, stop=ended.text[:300])
        if id(reading) not in self._arrived:
            self._in_order(told, reading)
        if told.is_taken and id(reading) not in self._arrived:
            self._arrived.add(id(reading))
            self.account.readings += 1
        traced.first_reading = traced.first_reading or (told, reading)

    # -- ids and order -------------------------------------------------------------------------

    def _named(self, told: Told, traced: _Traced, named: object, what: str) -> None:
        """A message of a session names it by the id that the CSMS gave it."""
        right = traced.ids(told.at)
        if named in right:
            return
        others = [one for one in self.traced if one is not traced and named in one.ids(told.at)]
        if others:
            self.violate(CONSERVED, f"{what} of one transaction told of another", told, right=right,
                         other=_start_key(others[0].session))  # fmt: skip
        elif right and not all(_is_id(one) for one in right):
            return  # what it was given is no id: there is no right one
        elif right:
            self.violate(CONSERVED, f"{what} with a wrong id", told, right=right)
        elif traced.begun is not None:
            self.violate(ORDERED, f"{what} before the start was answered", told)
        elif not traced.is_set_aside:
            self.violate(ORDERED, f"{what} before the start", told)

    def _in_order(self, told: Told, said: Said | Reading) -> None:
        """What was answered before another was even said arrives before it (INV-14)."""
        if self._latest is not None and 0 < said.answered < self._latest[0]:
            self.violate(ORDERED, f"{told.action} comes after what the charger said later", told,
                         later=self._latest[1].text[:300])  # fmt: skip
        if self._latest is None or said.first_sent > self._latest[0]:
            self._latest = (said.first_sent, told)

    # -- what the charger was given ------------------------------------------------------------

    def given(self) -> None:
        """A session has one id at its charger, and no other runs beside it under the same."""
        running: list[Session] = []
        for session in (one.session for one in self.traced):
            if len(session.ids) > 1:
                self.violate(CONSERVED, "a session was given two ids", given=session.ids,
                             session=_start_key(session))  # fmt: skip
            running = [
                one for one in running
                if one.stop is None or one.stop.first_sent == 0
                or one.stop.first_sent > session.start.first_sent > 0
            ]  # fmt: skip
            for other in running:
                if set(map(repr, other.ids)) & set(map(repr, session.ids)):
                    self.violate(CONSERVED, "two sessions that run were given one id",
                                 given=session.ids, session=_start_key(session),
                                 other=_start_key(other))  # fmt: skip
            running.append(session)

    # -- what did not arrive -------------------------------------------------------------------

    def missing(self, is_due: Callable[[Session], bool], *, may_thin: bool) -> None:
        """What was answered to the charger has arrived, or was set aside after its attempts."""
        for traced in self.traced:
            session = traced.session
            if not is_due(session):
                continue
            self._lost(traced.starts, session.start, "a start", session)
            if traced.is_set_aside or not (traced.begun or session.start.answered):
                continue  # without its start nobody could tell the rest by its id (C18)
            stop = session.stop
            if stop is not None and stop.first_sent > session.start.first_sent:  # else as C18
                self._lost(traced.stops, stop, "a stop", session)
            self._thinned(session, may_thin=may_thin)

    def _thinned(self, session: Session, *, may_thin: bool) -> None:
        for reading in session.readings:
            if not reading.answered or id(reading) in self._arrived:
                continue
            self.account.thinned += 1
            if not may_thin:
                self.violate(CONSERVED, "MeterValues are lost", stamp=reading.stamp,
                             session=_start_key(session))  # fmt: skip

    def _lost(self, told: list[Told], said: Said, what: str, session: Session) -> None:
        if not said.answered or any(one.is_taken for one in told):
            return
        if len(told) >= ATTEMPTS:
            self.account.set_aside += 1
            return
        self.violate(CONSERVED, f"{what} is lost", session=_start_key(session),
                     said=said.payload, attempts=len(told))  # fmt: skip


def _start_key(session: Session) -> tuple[object, ...]:
    return session.connector, session.tag, session.meter_start_wh, session.began_at


def _stop_key(session: Session) -> tuple[object, ...]:
    return session.meter_stop_wh, session.ended_at


def _alike(one: tuple[object, ...], other: tuple[object, ...]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True))


def _is_id(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)
