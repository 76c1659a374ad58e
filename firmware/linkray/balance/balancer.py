"""The core that decides who may draw what: facts in, plans out, nothing else.

Never raises on an odd fact: what names an unknown charger or connector is counted and ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from linkray.model.facts import (
    AnyFact,
    Booted,
    ChargerKnown,
    Drawn,
    EmergencyStopped,
    LeaseProven,
    LinkLost,
    LinkUp,
    MeterBack,
    MeterLost,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.faults import Cleared, Code, Raised
from linkray.model.plan import Plan
from linkray.model.settings import CHARGERS_MAX, Charger, Settings

from .budget import MeterWatch
from .connector import RISE_INTERVALS, Amounts, Connector, Line
from .decide import Decision
from .survey import Ground
from .tree import Tree

TICK_S = 1.0  # balancing.md, Each tick
URGENT_S = 0.1  # plans that are due at once are at least so far apart, but for limits and stops
LINES_MAX = 2 * CHARGERS_MAX  # chargers whose links are remembered, in the settings or not
STRANGERS_MAX = 256  # that are linked; the chargers' room lets in no more
CONNECTORS_MAX = 64  # of one charger; OCPP names none, no charger has so many
RESEND_S = 2.0  # an unanswered offer is sent again after this time …
RESENDS = 3  # … so often (trust.md C1) …
RESEND_SLOW_S = 30.0  # … and then in this interval
REFUSED_RETRY_S = 10.0  # a refused offer is tried again once soon …
REFUSED_SLOW_S = 300.0  # … and then every 5 min (balancing.md 4)
CALM, SOON, NOW = range(3)  # how soon a fact wants a plan

Out = Plan | Raised | Cleared


class Balancer:
    """Facts in, plans out: `feed`, `due`, `wake`; `feed_all` takes a burst and plans once."""

    def __init__(self, settings: Settings) -> None:
        self.ignored = 0  # facts that named what is not known
        self._settings = settings
        self._lines: dict[str, Line] = {}
        self._connectors: dict[tuple[str, int], Connector] = {}
        self._list: list[Connector] = []
        self._confs: dict[str, Charger] = {}
        self._strangers: set[str] = set()  # linked, and not in the settings (trust.md C26, A30)
        self._is_stale = False  # a stranger has come or gone since the tree was made
        self._meter = MeterWatch(settings.site)
        self._tree = Tree(settings)
        self._voltage_mv = settings.site.voltage_mv
        self._stopped_by: str | None = None
        self._over: frozenset[int] = frozenset()
        self._faults: set[tuple[Code, str | None]] = set()
        self._seq = 0
        self._planned_at: float | None = None
        self._due = -math.inf
        self._rebuild()
        self._take: dict[type[AnyFact], Callable[[Any, float], int]] = {
            MeterRead: self._meter_read, MeterLost: self._meter_lost,
            MeterBack: self._meter_back, ChargerKnown: self._charger_known,
            LinkUp: self._link_up, LinkLost: self._link_lost, Booted: self._booted,
            StatusSeen: self._status_seen, SessionBegan: self._session_began,
            SessionEnded: self._session_ended, Drawn: self._drawn,
            OfferAnswered: self._answered, LeaseProven: self._lease_proven,
            SettingsChanged: self._settings_changed, EmergencyStopped: self._emergency,
        }  # fmt: skip

    def feed(self, fact: AnyFact, now: float) -> list[Out]:
        """Note a fact; plan in the same step where it cannot wait for the next second."""
        return self.feed_all((fact,), now)

    def feed_all(self, facts: Sequence[AnyFact], now: float) -> list[Out]:
        """Note a burst of facts, then plan at most once."""
        urgency = max((self._take[type(fact)](fact, now) for fact in facts), default=CALM)
        if urgency == CALM:
            return []
        earliest = -math.inf if self._planned_at is None else self._planned_at + URGENT_S
        if urgency == NOW or now >= earliest:
            return self.wake(now)
        self._due = min(self._due, earliest)
        return []

    def due(self) -> float:
        """The next second, the meter's failure by age, or sooner where something is urgent."""
        return min(self._due, self._meter.ages_at() + 0.001)

    def wake(self, now: float) -> list[Out]:
        """Decide anew: a plan with an offer for every connector, and what has become of faults."""
        if self._is_stale:
            self._rebuild()
        passed_s = 0.0 if self._planned_at is None else max(0.0, now - self._planned_at)
        self._planned_at = now
        self._due = now + TICK_S
        self._meter.age(self._drawn_now(now)[0], now)
        self._check_voltage(now)
        self._retry(now)
        plan = self._plan(passed_s, now)
        return [plan, *self._judge_faults()]

    def _plan(self, passed_s: float, now: float) -> Plan:
        site = self._settings.site
        _, _, waiting, _ = self._drawn_now(now)
        at_zero = all(
            c.books.top_ma == 0 or c.books.offer_ma == 0 for c in self._list if c.line.linked
        )
        overloaded = self._meter.watch_overload(at_zero, now)
        ground = Ground(
            self._tree, fifo=site.fifo, interval_s=site.measurand_interval_s,
            dead_man_s=site.dead_man_s, emergency=self._stopped_by is not None,
            by=self._stopped_by or "", overloaded=overloaded,
        )  # fmt: skip
        budget = self._meter.budget(waiting, now)
        decision = Decision(self._list, ground, budget, self._over, now)
        offers = decision.run(passed_s)
        self._over = decision.over_limits()
        self._seq += 1
        return Plan(
            seq=self._seq, at=now, budget_ma=decision.budget_ma(),
            building_ma=decision.building_ma(), reserved_ma=decision.reserved_ma(),
            offers=offers, limit_ma=decision.site_limit_ma(), degraded=budget.degraded,
        )  # fmt: skip

    def _drawn_now(self, now: float) -> tuple[list[int], list[int], list[int], list[int]]:
        """By phase: what linked chargers draw, what the meter may still see, what may come; and
        how much of that may be there already, of sessions that have not been heard of yet.
        """
        drawn, falling, rising, unheard = [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]
        interval_s = self._settings.site.measurand_interval_s
        for c in self._list:
            if not c.line.linked:
                continue
            if c.drawn is not None:
                seen = c.drawing(interval_s, now)
                if seen is not None:
                    drawn[0] += seen.l1
                    drawn[1] += seen.l2
                    drawn[2] += seen.l3
            if now < c.rise_until or now < c.fall_until:
                c.allowance(now, falling, rising, unheard)
        return drawn, falling, rising, unheard

    # what lasts between plans

    def _rebuild(self) -> None:
        """Settings or connectors have changed: the tree anew, every connector's place in it."""
        settings = self._settings
        self._is_stale = False
        self._strangers -= {conf.id for conf in settings.chargers}
        waiting = tuple(Charger(charger) for charger in sorted(self._strangers))
        settings = msgspec.structs.replace(settings, chargers=(*settings.chargers, *waiting))
        self._tree = Tree(settings)
        self._confs = {conf.id: conf for conf in settings.chargers}
        known: dict[tuple[str, int], Connector] = {}
        for conf in settings.chargers:
            line = self._line(conf.id)
            path = self._tree.path(conf.id)
            amounts = Amounts(conf, settings.site, self._voltage_mv)
            for number in line.numbers:
                key = (conf.id, number)
                c = self._connectors.get(key) or Connector(conf.id, number, line)
                c.line = line
                c.configure(conf, amounts, path)
                c.is_stranger = conf.id in self._strangers
                self._place(c)
                known[key] = c
        self._connectors = known
        self._list = list(known.values())
        self._over = frozenset()

    def _place(self, c: Connector) -> None:
        legs = c.in_use()
        c.kind = self._tree.kind(c.path, legs, slow=False)
        c.kind_slow = self._tree.kind(c.path, legs, slow=True)

    def _line(self, charger: str) -> Line:
        """The charger's link; also before it is in the settings (the forgotten make room)."""
        line = self._lines.get(charger)
        if line is None:
            if len(self._lines) >= LINES_MAX:
                for name in [n for n in self._lines if n not in self._confs]:
                    del self._lines[name]
            line = self._lines[charger] = Line()
        return line

    def _of(self, charger: str) -> list[Connector]:
        if self._is_stale:
            self._rebuild()
        line = self._lines.get(charger)
        if line is None or charger not in self._confs:
            self.ignored += 1
            return []
        return [self._connectors[charger, number] for number in line.numbers]

    def _find(self, charger: str, number: int) -> Connector | None:
        """A connector; one of a known charger that was not known itself is added."""
        if self._is_stale:
            self._rebuild()
        c = self._connectors.get((charger, number))
        if c is None and charger in self._confs and 1 <= number <= CONNECTORS_MAX:
            line = self._line(charger)
            line.numbers = tuple(sorted({*line.numbers, number}))
            self._rebuild()
            c = self._connectors[charger, number]
        if c is None:
            self.ignored += 1
        return c

    def _check_voltage(self, now: float) -> None:
        voltage_mv = self._meter.voltage_mv(now)
        if voltage_mv == self._voltage_mv:
            return
        self._voltage_mv = voltage_mv
        for c in self._list:
            if c.conf.unit == "W":
                c.configure(c.conf, Amounts(c.conf, self._settings.site, voltage_mv), c.path)

    def _retry(self, now: float) -> None:
        """Offers that were refused or not answered are sent again (trust.md C1; balancing.md 4)."""
        for c in self._list:
            books = c.books
            if not (books.refused or books.lost) or not c.line.linked or now < c.retry_at:
                continue
            if books.refused:
                c.resend = True
                c.retry_at = now + REFUSED_SLOW_S
            elif now >= books.issued_at + RESEND_S:
                c.resend = True
                c.retry_at = now + (RESEND_S if books.unknowns < RESENDS else RESEND_SLOW_S)

    def _judge_faults(self) -> list[Raised | Cleared]:
        """What holds now against what was raised: the difference, in a steady order."""
        holds: dict[tuple[Code, str | None], str] = {}
        for c in self._list:
            if c.books.caught:
                holds[Code.NOT_OBEYING, c.charger] = f"connector {c.number}"
            if c.books.refused and c.tx is not None:
                holds[Code.NOT_CONTROLLABLE, c.charger] = f"connector {c.number}"
        if self._stopped_by is not None:
            holds[Code.EMERGENCY_STOP, None] = self._stopped_by
        if self._meter.overloaded:
            holds[Code.SITE_OVERLOADED, None] = ""
        outs: list[Raised | Cleared] = [
            Raised(code, subject, detail)
            for (code, subject), detail in holds.items() if (code, subject) not in self._faults
        ]  # fmt: skip
        gone = [found for found in self._faults if found not in holds]
        gone.sort(key=lambda found: (found[0].name, found[1] or ""))
        outs += [Cleared(code, subject) for code, subject in gone]
        self._faults = set(holds)
        return outs

    # one method for each fact: note it, and say how soon it wants a plan

    def _meter_read(self, fact: MeterRead, now: float) -> int:
        return NOW if self._meter.read(fact, *self._drawn_now(now), now) else CALM

    def _meter_lost(self, _fact: MeterLost, now: float) -> int:
        self._meter.lost(self._drawn_now(now)[0], now)
        return NOW

    def _meter_back(self, _fact: MeterBack, now: float) -> int:
        self._meter.back(now)
        return SOON

    def _charger_known(self, fact: ChargerKnown, _now: float) -> int:
        numbers = tuple(sorted({n for n in fact.connectors if 1 <= n <= CONNECTORS_MAX}))
        line = self._line(fact.charger)
        if numbers and numbers != line.numbers:
            line.numbers = numbers
            if fact.charger in self._confs:
                self._rebuild()
        return CALM

    def _link_up(self, fact: LinkUp, _now: float) -> int:
        self._line(fact.charger).linked = True
        if fact.charger not in self._confs and len(self._strangers) < STRANGERS_MAX:
            self._strangers.add(fact.charger)  # nobody has adopted it: it counts, and gets nothing
            self._is_stale = True
        for c in self._of(fact.charger):
            c.forget_limits()
            c.raised_at = -math.inf  # it was told its fail-safe meanwhile: this is a beginning
        return SOON

    def _link_lost(self, fact: LinkLost, now: float) -> int:
        line = self._line(fact.charger)
        line.linked, line.lost_at = False, now
        for c in self._of(fact.charger):
            c.books.leased = c.books.leased and c.books.unanswered_since is None
            c.released = frozenset()
            self._place(c)
        if fact.charger in self._strangers:  # not ours to keep current for
            self._strangers.discard(fact.charger)
            self._is_stale = True
        self._meter.reckon(*self._drawn_now(now), now)
        return SOON

    def _booted(self, fact: Booted, _now: float) -> int:
        for c in self._of(fact.charger):
            c.forget_limits()
            self._place(c)
        return SOON

    def _status_seen(self, fact: StatusSeen, now: float) -> int:
        if fact.connector == 0:  # the charger as a whole: nothing to share out
            return CALM
        c = self._find(fact.charger, fact.connector)
        if c is None or c.status == fact.status:
            return CALM
        c.status = fact.status
        if fact.status == "Charging":
            c.demand.wake()
            if c.books.offer_ma > 0:
                interval_s = self._settings.site.measurand_interval_s
                c.rise_until = now + RISE_INTERVALS * interval_s
        return SOON

    def _session_began(self, fact: SessionBegan, now: float) -> int:
        c = self._find(fact.charger, fact.connector)
        if c is None:
            return CALM
        if c.begin(fact.transaction_id, fact.order, vip=fact.vip, found=fact.found):
            c.resend = True
            c.charged_s = 0.0
            c.rise_until = now + RISE_INTERVALS * self._settings.site.measurand_interval_s
            self._place(c)
        return SOON

    def _session_ended(self, fact: SessionEnded, now: float) -> int:
        c = self._find(fact.charger, fact.connector)
        if c is None or c.tx != fact.transaction_id:
            return CALM  # also one that was over already, or whose place a newer one has taken
        c.end(now)
        self._place(c)
        return SOON

    def _drawn(self, fact: Drawn, now: float) -> int:
        c = self._find(fact.charger, fact.connector)
        if c is None:
            return CALM
        threshold_ma = self._settings.site.reduction_threshold_ma
        if c.sample(fact, min(fact.at, now), threshold_ma, now):
            self._place(c)
            return SOON
        return CALM

    def _answered(self, fact: OfferAnswered, now: float) -> int:
        c = self._connectors.get((fact.charger, fact.connector))
        if c is None:
            self.ignored += 1
            return CALM
        if fact.outcome == "accepted":
            drawn_ma = c.used_ma if c.measured else None
            taken = c.books.accepted(
                fact.offer_id, drawn_ma, min(fact.at, now), leased=fact.leased
            )
            return SOON if taken and c.books.offer_id == fact.offer_id else CALM
        if fact.outcome == "rejected":
            was_refused = c.books.refused
            if c.books.rejected(fact.offer_id) and not was_refused:
                c.retry_at = now + REFUSED_RETRY_S
            return SOON
        if c.books.unknown(fact.offer_id):
            c.retry_at = now
        return CALM

    def _lease_proven(self, fact: LeaseProven, _now: float) -> int:
        self._line(fact.charger).lease_proven = True
        return CALM

    def _settings_changed(self, fact: SettingsChanged, _now: float) -> int:
        self._settings = fact.settings
        self._meter.configure(fact.settings.site)
        self._rebuild()
        return NOW

    def _emergency(self, fact: EmergencyStopped, _now: float) -> int:
        self._stopped_by = fact.by if fact.on else None
        if not fact.on:
            for c in self._list:
                c.stop = False
        return NOW
