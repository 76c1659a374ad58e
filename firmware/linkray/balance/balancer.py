"""The core that decides who may draw what: facts in, plans out, nothing else.

Never raises on an odd fact: what names an unknown charger or connector is counted and ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from linkray.model.facts import (
    AnyFact,
    Booted,
    CeilingSealed,
    ChargerKnown,
    ClockTold,
    CsmsBound,
    Drawn,
    EmergencyStopped,
    EtaLearned,
    LeaseProven,
    LinkLost,
    LinkSilent,
    LinkUp,
    MeterBack,
    MeterLost,
    MeterRead,
    MeterSees,
    ObeyTimeKnown,
    OfferAnswered,
    OperativeAsked,
    SessionBegan,
    SessionEnded,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.faults import Cleared, Code, Raised
from linkray.model.plan import Plan
from linkray.model.settings import CHARGERS_MAX, Charger, Exclusion, Settings

from .budget import Draws, MeterWatch
from .connector import (
    ASK_EVERY_S,
    ASK_OVER_S,
    FOLLOW_S,
    NEVER,
    NO_CAR,
    RISE_INTERVALS,
    Amounts,
    Connector,
    Line,
)
from .decide import Decision
from .possible import CONFIRM_S, LEASE_GRACE_S
from .schedule import Schedule
from .shrink import shrunk
from .survey import Ground, idle_ma
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
QUIET_S = 60.0  # a connector out of service has drawn nothing for so long before it is let in
ASKED_MAX = 8  # connectors asked for values when the meter has jumped: those that it may be
UTC_S_MIN = 1_577_836_800  # 2020: before it nobody knows the time
CALM, SOON, NOW = range(3)  # how soon a fact wants a plan

Out = Plan | Raised | Cleared | EtaLearned


@lru_cache(maxsize=8)
def schedule_of(exclusions: tuple[Exclusion, ...], time_zone: str) -> Schedule:
    """The excluded times of some settings; kept, since looking them up is not cheap."""
    return Schedule(exclusions, time_zone)


class Balancer:
    """Facts in, plans out: `feed`, `due`, `wake`; `feed_all` takes a burst and plans once."""

    def __init__(self, settings: Settings) -> None:
        self.ignored = 0  # facts that named what is not known
        self._settings = settings
        self._lines: dict[str, Line] = {}
        self._connectors: dict[tuple[str, int], Connector] = {}
        self._list: list[Connector] = []
        self._confs: dict[str, Charger] = {}
        self._strangers: set[str] = set()  # not in the settings, and counted (trust.md C26, A30)
        self._deleted: dict[str, Charger] = {}  # of these, while it charged: what it was
        self._gone: dict[str, float] = {}  # of these, lost: until when each counts all the same
        self._is_stale = False  # a stranger has come or gone since the tree was made
        self._meter = MeterWatch(settings.site)
        self._tree = Tree(settings)
        self._voltage_mv = settings.site.voltage_mv
        self._stopped_by: str | None = None
        self._over: frozenset[int] = frozenset()  # limits that the books exceed …
        self._passed: frozenset[int] = frozenset()  # … and that what flows does
        self._faults: dict[tuple[Code, str | None], str] = {}  # with their detail
        self._seq = 0
        self._planned_at: float | None = None
        self._shrunk_at = -math.inf  # the newest cycle that failed
        self._due = -math.inf
        self._clock: ClockTold | None = None
        self._is_excluded = False
        self._excluded_s: int | None = None  # for so much longer
        self._change_at = math.inf  # of the schedule
        self._learned: list[EtaLearned] = []
        self.taken_in = 0  # facts of the newest burst that were looked at (trust.md B9)
        self._rebuild()
        self._take: dict[type[AnyFact], Callable[[Any, float], int]] = {
            MeterRead: self._meter_read, MeterLost: self._meter_lost,
            MeterBack: self._meter_back, MeterSees: self._meter_sees,
            ChargerKnown: self._charger_known,
            LinkUp: self._link_up, LinkLost: self._link_lost,
            LinkSilent: self._link_silent, Booted: self._booted,
            StatusSeen: self._status_seen, SessionBegan: self._session_began,
            SessionEnded: self._session_ended, Drawn: self._drawn,
            OfferAnswered: self._answered, LeaseProven: self._lease_proven,
            SettingsChanged: self._settings_changed, EmergencyStopped: self._emergency,
            ObeyTimeKnown: self._obey_time_known,
            EtaLearned: self._eta_learned, OperativeAsked: self._operative_asked,
            ClockTold: self._clock_told, CeilingSealed: self._ceiling_sealed,
            CsmsBound: self._csms_bound,
        }  # fmt: skip

    def feed(self, fact: AnyFact, now: float) -> list[Out]:
        """Note a fact; plan in the same step where it cannot wait for the next second."""
        return self.feed_all((fact,), now)

    def feed_all(self, facts: Sequence[AnyFact], now: float) -> list[Out]:
        """Note a burst of facts, then plan at most once."""
        urgency = self.note(facts, now)
        if urgency == CALM:
            return []
        earliest = -math.inf if self._planned_at is None else self._planned_at + URGENT_S
        if urgency == NOW or now >= earliest:
            return self.wake(now)
        self._due = min(self._due, earliest)
        return []

    def note(self, facts: Sequence[AnyFact], now: float) -> int:
        """Take facts in without a plan; how soon they want one."""
        self.taken_in = 0
        urgency = CALM
        for fact in facts:
            self.taken_in += 1
            urgency = max(urgency, self._take[type(fact)](fact, now))
        return urgency

    def due(self) -> float:
        """The next second, the meter's failure by age, or sooner where something is urgent."""
        return min(self._due, self._meter.ages_at() + 0.001, self._change_at)

    def wake(self, now: float) -> list[Out]:
        """Decide anew: a plan with an offer for every connector, and what has become of faults."""
        if self._is_stale:
            self._rebuild()
        passed_s = 0.0 if self._planned_at is None else max(0.0, now - self._planned_at)
        self._planned_at = now
        self._due = now + TICK_S
        if self._meter.ages_at() < now:
            self._meter.age(self._controlled(now), now)
        self._check_voltage(now)
        self._check_schedule(now)
        self._tend(now)
        plan = self._plan(passed_s, now)
        learned, self._learned = self._learned, []
        return [plan, *self._judge_faults(), *learned]

    def is_linked(self, charger: str) -> bool:
        """Whether its link stands, as far as the balancer was told."""
        line = self._lines.get(charger)
        return line is not None and line.linked

    def shrink(self, now: float, *, to_fail_safe: bool = False) -> list[Out]:
        """A plan without a decision: no offer rises, and each falls as far as plain sums ask for
        (trust.md B9); or to its fail-safe.
        """
        self._planned_at, self._due, self._shrunk_at = now, now + TICK_S, now
        allowed = [node.limit_ma for node in self._tree.nodes for _ in range(3)]
        is_stopped = self._stopped_by is not None or self._is_excluded
        allowed[:3] = (0, 0, 0) if is_stopped else self._meter.bare(now)
        over = self._meter.over()
        self._seq += 1
        return [Plan(
            seq=self._seq, at=now, limit_ma=self._meter.limit(), degraded=True,
            offers=shrunk(self._list, self._tree, allowed, over, now, to_fail_safe=to_fail_safe),
        )]  # fmt: skip

    def _plan(self, passed_s: float, now: float) -> Plan:
        site = self._settings.site
        draws = self._draws(now)
        at_zero = all(
            c.books.top_ma == 0 or c.books.offer_ma <= (idle_ma(c) if c.tx is None else 0)
            for c in self._list if c.line.linked
        )
        overloaded = self._meter.watch_overload(at_zero, now)
        ground = Ground(
            self._tree, fifo=site.fifo, interval_s=site.measurand_interval_s,
            dead_man_s=site.dead_man_s, emergency=self._stopped_by is not None,
            by=self._stopped_by or "", overloaded=overloaded, excluded=self._is_excluded,
            excluded_until_s=self._excluded_s, shed_order=site.shed_order,
            imbalance_ma=site.imbalance_ma, passed=self._passed,
            may_raise=now >= self._shrunk_at + TICK_S,
        )  # fmt: skip
        budget = self._meter.budget(draws.granted, draws.absent, now)
        decision = Decision(self._list, ground, budget, self._over, now)
        offers = decision.run(passed_s)
        self._over, self._passed = decision.over, decision.passed()
        self._seq += 1
        return Plan(
            seq=self._seq, at=now, budget_ma=decision.budget_ma(),
            building_ma=decision.building_ma(), reserved_ma=decision.reserved_ma(),
            offers=offers, limit_ma=decision.site_limit_ma(), degraded=budget.degraded,
            nodes=decision.nodes(),
            excluded_until_s=self._excluded_s if self._is_excluded else None,
            stopped=decision.stopped, held=budget.held,
        )  # fmt: skip

    def _draws(self, now: float) -> Draws:
        """What all draw. A charger that was lost just now is believed as long as its last value is
        fresh: should it be back at once, nothing of the building has risen for a minute.
        """
        draws = Draws()
        drawn, absent = draws.drawn, draws.absent
        interval_s = self._settings.site.measurand_interval_s
        for c in self._list:
            if c.drawn is not None:
                seen = c.drawing(interval_s, now)
                if seen is not None:
                    drawn[0] += seen.l1
                    drawn[1] += seen.l2
                    drawn[2] += seen.l3
                    if not c.by_phase:
                        c.unproved(seen, draws.unproved)
                    if not c.line.linked:
                        absent[0] += seen.l1
                        absent[1] += seen.l2
                        absent[2] += seen.l3
            if (now < c.rise_until or now < c.fall_until) and c.line.linked:
                c.allowance(now, draws)
        return draws

    def _controlled(self, now: float) -> list[int]:
        """What the chargers draw that can be told to draw less."""
        draws = self._draws(now)
        return [drawn - absent for drawn, absent in zip(draws.drawn, draws.absent, strict=True)]

    # what lasts between plans

    def _rebuild(self) -> None:
        """Settings or connectors have changed: the tree anew, every connector's place in it."""
        settings = self._settings
        self._is_stale = False
        self._strangers -= {conf.id for conf in settings.chargers}
        self._deleted = {n: was for n, was in self._deleted.items() if n in self._strangers}
        self._gone = {n: until for n, until in self._gone.items() if n in self._strangers}
        waiting = tuple(self._stranger(charger) for charger in sorted(self._strangers))
        settings = msgspec.structs.replace(settings, chargers=(*settings.chargers, *waiting))
        self._tree = Tree(settings)
        self._confs = {conf.id: conf for conf in settings.chargers}
        known: dict[tuple[str, int], Connector] = {}
        for conf in settings.chargers:
            line = self._line(conf.id)
            path = self._tree.path(conf.id)
            amounts = Amounts(
                conf, settings.site, self._voltage_mv, line.eta.planned, line.least
            )
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
        self._over = self._passed = frozenset()

    def _stranger(self, charger: str) -> Charger:
        """How one that is not in the settings counts: as it was when it was deleted."""
        conf = self._deleted.get(charger, Charger(charger))
        has_group = conf.group is not None and self._settings.group(conf.group) is not None
        return conf if has_group else msgspec.structs.replace(conf, group=None)

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
                self._reckon_watts(c)

    def _reckon_watts(self, c: Connector) -> None:
        """Its watts are other amps: the voltage or its efficiency is not what it was."""
        site = self._settings.site
        amounts = Amounts(c.conf, site, self._voltage_mv, c.line.eta.planned, c.line.least)
        c.configure(c.conf, amounts, c.path)

    def _check_schedule(self, now: float) -> None:
        """Whether an excluded time runs. While nobody knows the time, the state that was known last
        stands; where none ever was, none runs, and the fault CLOCK says so (trust.md T6).
        """
        exclusions, clock = self._settings.schedule, self._clock
        if not exclusions:
            self._is_excluded, self._excluded_s, self._change_at = False, None, math.inf
        if clock is None or not exclusions or (not clock.is_set and clock.utc_s < UTC_S_MIN):
            return
        utc_s = clock.utc_s + (now - clock.at if clock.is_set else 0.0)
        schedule = schedule_of(exclusions, self._settings.site.time_zone)
        until, change = schedule.excluded_until(utc_s), schedule.next_change(utc_s)
        self._is_excluded = until is not None
        self._excluded_s = None if until is None else math.ceil(until - utc_s)
        self._change_at = math.inf
        if change is not None and clock.is_set:
            self._change_at = now + max(0.0, change - utc_s) + 0.01

    def _tend(self, now: float) -> None:
        """What each plan begins with: offers to be sent again, values to be asked for, connectors
        to be let in again, strangers that are gone to be let go.
        """
        for c in self._list:
            books = c.books
            if c.line.linked:
                books.doubt(now)
            if (books.refused or books.lost) and c.line.linked and now >= c.retry_at:
                self._retry(c, now)
            if books.over_since is not None:  # is it still over? (INV-10: 15 s)
                if now >= c.drawn_at + CONFIRM_S:
                    c.want_values(now)
            elif now >= books.accepted_at + FOLLOW_S and (
                books.cut_from_ma is not None or c.charges_unheard()
            ):
                c.want_values(now)  # how soon does it obey? Others may wait for it
            if c.visible(self._settings.site.measurand_interval_s, now) is None:
                self._unheard(c)
            if c.inoperative and c.is_missed and now >= c.quiet_since + QUIET_S:
                c.inoperative = c.is_missed = c.stop = False
                c.stage = 0
        for charger, until in self._gone.items():
            if now >= until:
                self._strangers.discard(charger)
                self._is_stale = True

    def _unheard(self, c: Connector) -> None:
        """Its values have stopped. That a car has left is believed only then (INV-10)."""
        if c.count_all():
            self._place(c)
        if c.books.over_since is not None and c.tx is None and c.status in NO_CAR:
            c.books.ended()

    def _retry(self, c: Connector, now: float) -> None:
        """One that was refused or not answered is sent again (trust.md C1; balancing.md 4)."""
        if c.books.refused:
            c.resend = True
            c.retry_at = now + REFUSED_SLOW_S
        elif now >= c.books.issued_at + RESEND_S:
            c.resend = True
            c.retry_at = now + (RESEND_S if c.books.unknowns < RESENDS else RESEND_SLOW_S)

    def _judge_faults(self) -> list[Raised | Cleared]:
        """What holds now against what was raised: the difference, in a steady order."""
        holds: dict[tuple[Code, str | None], str] = {}
        for c in self._list:
            if c.books.caught or c.inoperative:
                detail = f"connector {c.number}" + (", out of service" if c.inoperative else "")
                holds[Code.NOT_OBEYING, c.charger] = detail
            if c.books.refused and c.tx is not None:
                holds[Code.NOT_CONTROLLABLE, c.charger] = f"connector {c.number}"
        if self._stopped_by is not None:
            holds[Code.EMERGENCY_STOP, None] = self._stopped_by
        if self._meter.overloaded:
            holds[Code.SITE_OVERLOADED, None] = ""
        told = self._faults
        gone = [found for found, detail in told.items() if holds.get(found) != detail]
        gone.sort(key=lambda found: (found[0].name, found[1] or ""))
        outs: list[Raised | Cleared] = [Cleared(code, subject) for code, subject in gone]
        outs += [
            Raised(code, subject, detail)
            for (code, subject), detail in holds.items() if told.get((code, subject)) != detail
        ]  # fmt: skip
        self._faults = holds
        return outs

    # one method for each fact: note it, and say how soon it wants a plan

    def _meter_read(self, fact: MeterRead, now: float) -> int:
        draws = self._draws(now)
        is_over = self._meter.read(fact, draws, now)
        every_s = ASK_OVER_S if is_over else ASK_EVERY_S
        asked = self._ask_for_values(every_s, now) if any(self._meter.jumped) else False
        return NOW if is_over else (SOON if asked else CALM)

    def _ask_for_values(self, every_s: float, now: float) -> bool:
        """The meter has jumped: whose is it? Those that may have risen first (balancing.md 1)."""
        phases = [p for p, jumped in enumerate(self._meter.jumped) if jumped]
        asked = [
            c for c in self._list
            if c.tx is not None and c.line.linked and c.books.top_ma and now > c.drawn_at + TICK_S
            and any(p in c.legs for p in phases)
        ]  # fmt: skip
        asked.sort(key=lambda c: (now >= c.rise_until, c.drawn_at, c.charger, c.number))
        return sum(c.want_values(now, every_s) for c in asked[:ASKED_MAX]) > 0

    def _meter_lost(self, _fact: MeterLost, now: float) -> int:
        self._meter.lost(self._controlled(now), now)
        return NOW

    def _meter_back(self, _fact: MeterBack, now: float) -> int:
        self._meter.back(now)
        return SOON

    def _meter_sees(self, fact: MeterSees, now: float) -> int:
        self._meter.sees(fact.location, now)
        return NOW

    def _charger_known(self, fact: ChargerKnown, now: float) -> int:
        numbers = tuple(sorted({n for n in fact.connectors if 1 <= n <= CONNECTORS_MAX}))
        line = self._line(fact.charger)
        numbers, least = numbers or line.numbers, (fact.least_ma, fact.least_w)
        line.takes_zero = fact.takes_zero
        if fact.deleted is not None:  # by one before this: it counts as it did (C25, INV-12)
            self._deleted[fact.charger] = fact.deleted
            self._strangers.add(fact.charger)
            self._is_stale = True
        if (numbers, least) != (line.numbers, line.least):
            line.numbers, line.least = numbers, least
            if fact.charger in self._confs:
                self._rebuild()
        for c in self._of(fact.charger) if fact.inoperative else ():
            if c.number in fact.inoperative and c.stage_at == NEVER:
                # Put out of service before this start (INV-10); what was done since is known here.
                c.inoperative, c.stage_at, c.quiet_since = True, now, now
        return CALM

    def _link_up(self, fact: LinkUp, now: float) -> int:
        if self._is_stale:
            self._rebuild()
        line = self._line(fact.charger)
        line.linked, line.linked_at, line.silent_since = True, now, None
        if fact.charger not in self._confs and len(self._strangers) < STRANGERS_MAX:
            self._strangers.add(fact.charger)  # nobody has adopted it: it counts, and gets nothing
            self._is_stale = True
        self._gone.pop(fact.charger, None)
        for c in self._of(fact.charger):
            c.is_status_old = True
            c.forget_limits()  # P 1: also what a lease left it; some lose it as they come back
            c.books.told_as_it_links()
            c.is_missed = c.inoperative
            c.quiet_since = max(c.quiet_since, now)  # nobody saw whether it was quiet meanwhile
            c.raised_at = -math.inf  # it was told its fail-safe meanwhile: this is a beginning
        return SOON

    def _link_silent(self, fact: LinkSilent, _now: float) -> int:
        self._line(fact.charger).silent_since = fact.since
        for c in self._list:
            falls = c.books.leased or c.books.fallback_ma  # the other by its own clock
            if c.charger == fact.charger and fact.since is None and falls:
                # It may have fallen back meanwhile: what it holds now is told anew.
                c.resend = c.resend or c.books.top_ma > c.books.offer_ma
        return SOON

    def _link_lost(self, fact: LinkLost, now: float) -> int:
        line = self._line(fact.charger)
        line.linked, line.lost_at = False, now
        for c in self._of(fact.charger):
            c.books.unrenewed(now)
            c.count_all()
            self._place(c)
        if fact.charger in self._strangers:
            self._leaves(fact.charger, now, fact.lease_s)
        self._meter.reckon(self._draws(now), now)
        return SOON

    def _leaves(self, charger: str, now: float, lease_s: float = 0.0) -> None:
        """A stranger is lost: what it may draw is not (P 6, A30). It counts until what it was told
        has run out. One whose session nobody saw end, and that no person has deleted (C25), may
        charge on by what it had before: it counts until it is back, or adopted and deleted (C23).
        One that has said nothing at all was no more than a connection (A34).
        """
        cs = self._of(charger)
        until = now + max(self._lease_s(cs), lease_s + LEASE_GRACE_S)
        if charger not in self._deleted:
            if any(c.tx is not None or c.status == "Charging" for c in cs):
                until = math.inf
            elif not any(c.status or c.drawn or c.books.answered for c in cs):
                self._strangers.discard(charger)
                self._is_stale = True
                return
        self._gone[charger] = until

    def _lease_s(self, cs: Sequence[Connector]) -> float:
        """How long what these were told lasts at most, with the way there."""
        told_s = (c.books.lease_s for c in cs)
        return max([self._settings.site.dead_man_s, *told_s]) + LEASE_GRACE_S

    def lost_strangers(self, now: float) -> list[AnyFact]:
        """What a balancer that begins anew must be told of strangers that are lost and count: no
        link is there to tell it (trust.md 1, P 6, INV-12). So is each that was deleted: its link,
        if it stands, does not know what it was. It is asked of one that a mistake of ours has
        ended: nothing is made anew for it.
        """
        told: list[AnyFact] = []
        for charger in self._deleted | self._gone:
            cs = [c for c in self._list if c.charger == charger]
            until = self._gone.get(charger, now + self._lease_s(cs))
            if now >= until:
                continue
            numbers, was = tuple(c.number for c in cs), self._deleted.get(charger)
            shown = self._line(charger).eta.lasting()
            told += [ChargerKnown(charger, numbers, deleted=was), EtaLearned(charger, shown, now),
                     LinkUp(charger, now)]  # fmt: skip
            for c in cs:
                if until < math.inf:  # what it had runs out: of a session nothing is to be told
                    told.append(StatusSeen(charger, c.number, "Finishing", now))
                elif c.tx is not None:
                    told.append(SessionBegan(
                        charger, c.number, c.tx, "", now, c.order, c.vip, found=True
                    ))  # fmt: skip
                elif c.status is not None:
                    told.append(StatusSeen(charger, c.number, c.status, now))
            left_s = until - now - LEASE_GRACE_S if until < math.inf else 0.0
            told.append(LinkLost(charger, now, max(0.0, left_s)))
        return told

    def _booted(self, fact: Booted, _now: float) -> int:
        for c in self._of(fact.charger):
            c.forget_limits()
            c.is_missed = c.inoperative
            self._place(c)
        return SOON

    def _status_seen(self, fact: StatusSeen, now: float) -> int:
        if fact.connector == 0:  # the charger as a whole: nothing to share out
            return CALM
        c = self._find(fact.charger, fact.connector)
        if c is None:
            return CALM
        is_news, c.is_status_old = c.is_status_old or c.status != fact.status, False
        if not is_news:
            return CALM
        c.status = fact.status
        if fact.status == "Charging":
            c.demand.wake()
            if c.books.offer_ma > 0:
                interval_s = self._settings.site.measurand_interval_s
                c.rises(c.rise_at, now + RISE_INTERVALS * interval_s)
        return SOON

    def _session_began(self, fact: SessionBegan, now: float) -> int:
        c = self._find(fact.charger, fact.connector)
        if c is None:
            return CALM
        if c.begin(fact.transaction_id, fact.order, vip=fact.vip, found=fact.found):
            if fact.found:
                c.forget_limits()  # it was told nothing as it linked: no offer was for a session
            c.resend = True
            c.charged_s = 0.0
            c.is_missed = c.inoperative
            interval_s = self._settings.site.measurand_interval_s
            c.rises(now, now + RISE_INTERVALS * interval_s)
            self._place(c)
        return SOON

    def _session_ended(self, fact: SessionEnded, now: float) -> int:
        c = self._find(fact.charger, fact.connector)
        if c is None or c.tx != fact.transaction_id:
            return CALM  # also one that was over already, or whose place a newer one has taken
        c.end(now)
        self._place(c)
        eta = c.line.eta
        if eta.ended(c.number):
            self._learned.append(EtaLearned(c.charger, tuple(eta.sessions), now))
            self._reckon_watts_of(c.charger)
        return SOON

    def _reckon_watts_of(self, charger: str) -> None:
        for c in self._of(charger):
            if c.conf.unit == "W":
                self._reckon_watts(c)

    def _drawn(self, fact: Drawn, now: float) -> int:
        c = self._find(fact.charger, fact.connector)
        if c is None:
            return CALM
        threshold_ma = self._settings.site.reduction_threshold_ma
        at = min(fact.at, now)
        if c.conf.unit == "W":
            eta = c.eta_shown(fact, self._meter.highest_mv(), at)
            if eta is not None and c.line.eta.shown(c.number, eta):
                self._reckon_watts_of(c.charger)
        before = c.books.over_since, c.books.caught
        moved = c.sample(fact, at, threshold_ma, now)
        if moved:
            self._place(c)
        return SOON if moved or before != (c.books.over_since, c.books.caught) else CALM

    def _answered(self, fact: OfferAnswered, now: float) -> int:
        c = self._connectors.get((fact.charger, fact.connector))
        if c is None:
            self.ignored += 1
            return CALM
        if fact.outcome == "accepted":
            drawn_ma = c.used_ma if c.measured else None
            taken = c.books.accepted(
                fact.offer_id, drawn_ma, min(fact.at, now), leased=fact.leased,
                lease_s=fact.lease_s, fallback_ma=fact.fallback_ma,
            )  # fmt: skip
            if taken and (c.tx is None or fact.as_default):
                c.took_default()
            return SOON if taken and c.books.offer_id == fact.offer_id else CALM
        if fact.outcome == "rejected":
            was_refused = c.books.refused
            if c.books.rejected(fact.offer_id) and not was_refused:
                c.retry_at = now + REFUSED_RETRY_S
            return SOON
        if fact.as_default:
            c.default_ma = None  # it may have been written over
        if fact.outcome == "unknown" and c.books.unknown(fact.offer_id):
            c.retry_at = now
        return CALM

    def _lease_proven(self, fact: LeaseProven, _now: float) -> int:
        self._line(fact.charger).lease_proven = fact.is_proven
        return CALM

    def _obey_time_known(self, fact: ObeyTimeKnown, _now: float) -> int:
        line = self._line(fact.charger)
        line.obey_s = fact.obey_s
        if fact.charger in self._confs:
            for c in self._of(fact.charger):
                c.books.known(fact.obey_s)
        return CALM

    def _eta_learned(self, fact: EtaLearned, _now: float) -> int:
        self._line(fact.charger).eta.told(fact.sessions)
        if fact.charger in self._confs:
            self._reckon_watts_of(fact.charger)
        return CALM

    def _operative_asked(self, fact: OperativeAsked, _now: float) -> int:
        c = self._find(fact.charger, fact.connector)
        if c is not None:
            c.is_missed = c.inoperative
        return SOON

    def _csms_bound(self, fact: CsmsBound, _now: float) -> int:
        line = self._line(fact.charger)
        if fact.limit_ma is None and fact.limit_w is None:
            line.csms.pop(fact.connector, None)
        else:
            line.csms[fact.connector] = fact.limit_ma, fact.limit_w
        return SOON

    def _clock_told(self, fact: ClockTold, _now: float) -> int:
        self._clock = fact
        return SOON if self._settings.schedule else CALM

    def _ceiling_sealed(self, fact: CeilingSealed, _now: float) -> int:
        self._meter.ceiling = fact.limit_ma
        return NOW

    def _settings_changed(self, fact: SettingsChanged, now: float) -> int:
        if self._is_stale:
            self._rebuild()
        kept = {conf.id for conf in fact.settings.chargers}
        for conf in self._settings.chargers:
            line = self._lines.get(conf.id)
            if conf.id in kept or line is None:
                continue
            just_lost = not line.linked and now <= line.lost_at + LEASE_GRACE_S
            if line.linked or (just_lost and any(c.tx is not None for c in self._of(conf.id))):
                self._deleted[conf.id] = conf
                self._strangers.add(conf.id)
                if not line.linked:
                    self._leaves(conf.id, line.lost_at)
        self._settings = fact.settings
        self._meter.configure(fact.settings.site)
        self._rebuild()
        for c in self._list:
            c.is_missed = c.inoperative  # a person was here
        return NOW

    def _emergency(self, fact: EmergencyStopped, _now: float) -> int:
        self._stopped_by = fact.by if fact.on else None
        if not fact.on:
            for c in self._list:
                c.stop = False
        return NOW
