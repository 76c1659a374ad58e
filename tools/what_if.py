"""What if the fuse were another: a recording played on, with the site limit replaced.

The building, the cars' coming and going and every link are as they were. What follows from offers
is reckoned: chargers accept each, after the times that they took then; a car that used all it was
offered is taken to use all that it would have been offered, up to the charger's maximum; another
what it used, or the offer where that is less. The meter sees the difference. What a car would have
drawn beyond what it was offered is in no recording: that is the assumption, and it is printed.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from linkray.balance.balancer import Balancer, Out
from linkray.balance.recording import FAILED, Segment, again, begun, plan_of, settings_of, take
from linkray.model.facts import (
    AnyFact,
    Drawn,
    LinkLost,
    LinkUp,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
    SettingsChanged,
)
from linkray.model.plan import Offer, Plan
from linkray.model.settings import Charger, LimitPhases, Settings
from linkray.model.units import PHASES, ZERO, Phases, site_phases

ANSWER_S = 0.3  # where a charger never answered in the recording
HELD_MA = 500  # a car that uses so little less than its offer is held by it
USED_MA = 500  # and a phase with less carries nothing
RESERVED = {"fail_safe", "charger_fault"}  # reckoned in the plan's reserve, not among its offers
ASSUMED = (
    "chargers accept every offer, after the times they took then",
    "a car that used all it was offered uses all it would be offered, up to its charger's maximum",
    "building, arrivals, departures and links are as recorded",
)
Key = tuple[str, int]


class Row(msgspec.Struct):
    """One connector in one run."""

    session_s: float = 0.0
    offered_wh: float = 0.0
    drawn_wh: float = 0.0
    paused_s: float = 0.0


class Sum(msgspec.Struct):
    """One run: its connectors, and how near the plans came to the limit."""

    rows: dict[Key, Row]
    plans: int = 0
    violations: int = 0  # plans whose offers pass what the limit leaves
    short_s: float = 0.0  # in which reserves and building alone took all of a phase
    starting_s: float = 0.0  # until there was room on every phase after a start
    stopped_s: float = 0.0  # under emergency stop: neither is a shortage, nor tight
    tightest: str = ""
    left_ma: int = 0  # on that phase, at the tightest
    at_s: float = 0.0  # seconds from the beginning
    limits: list[tuple[float, LimitPhases]] = []  # each with its seconds from the beginning


class Tally:
    """Adds up the plans of one run, each for as long as it stood."""

    def __init__(self, began: float) -> None:
        self.sum = Sum({}, left_ma=1 << 60)
        self._began = began
        self._plan: Plan | None = None
        self._since = began
        self._is_starting = False

    def start(self) -> None:
        """The balancer begins anew: it waits for its chargers and its meter."""
        self._is_starting = True

    def limit(self, limit: LimitPhases, now: float) -> None:
        """The site limit from now on."""
        if not self.sum.limits or self.sum.limits[-1][1] != limit:
            self.sum.limits.append((now - self._began, limit))

    def end(self) -> Sum:
        """The sum; where no room ever came, that was no start."""
        if self._is_starting:
            self.sum.short_s += self.sum.starting_s
            self.sum.starting_s = 0.0
        return self.sum

    def plan(self, plan: Plan, now: float, settings: Settings, drawn: dict[Key, Phases]) -> None:
        """A plan is made: the one before stood until now."""
        self.stood(now, settings, drawn)
        self._plan = plan
        self.sum.plans += 1
        used = ZERO
        for offer in plan.offers:
            if offer.session and not any(c.code in RESERVED for c in offer.ceilings):
                used += offer.offer_ma
        rest = plan.budget_ma - used
        self.sum.violations += rest.lowest() < 0
        self._is_starting = self._is_starting and plan.budget_ma.lowest() <= 0
        if self._is_starting or is_stopped(plan):
            return
        for p, left in enumerate(rest):
            if left < self.sum.left_ma:
                self.sum.left_ma, self.sum.tightest = left, PHASES[p]
                self.sum.at_s = now - self._began

    def stood(self, now: float, settings: Settings, drawn: dict[Key, Phases]) -> None:
        """The newest plan has stood until now."""
        passed_s, self._since = now - self._since, now
        if self._plan is None:
            return
        if is_stopped(self._plan):
            self.sum.stopped_s += passed_s
        elif self._is_starting:
            self.sum.starting_s += passed_s
        elif self._plan.budget_ma.lowest() <= 0:
            self.sum.short_s += passed_s
        for offer in self._plan.offers:
            if not offer.session:
                continue
            key = (offer.charger, offer.connector)
            row = self.sum.rows.setdefault(key, Row())
            row.session_s += passed_s
            row.offered_wh += power_w(offer.offer_ma, offer.charger, settings) * passed_s / 3600
            row.drawn_wh += (
                power_w(drawn.get(key, ZERO), offer.charger, settings) * passed_s / 3600
            )
            if offer.limit_ma == 0:
                row.paused_s += passed_s


def is_stopped(plan: Plan) -> bool:
    """Whether the emergency stop holds this plan."""
    return any(offer.reason.code == "emergency_stop" for offer in plan.offers)


def power_w(amount: Phases, charger: str, settings: Settings) -> float:
    """So much current in watts, at the configured voltage; split mode counts line to line."""
    conf = settings.charger(charger)
    volts = settings.site.voltage_mv / 1000
    if conf is not None and conf.phases == 2:
        factor = 2.0 if settings.site.split_mode == "240" else math.sqrt(3)
        return amount.highest() / 1000 * volts * factor
    return sum(amount) / 1000 * volts


class Then:
    """The recorded world, as far as facts and the plans of then tell it."""

    def __init__(self) -> None:
        self.linked: set[str] = set()
        self.sessions: set[Key] = set()
        self.drawn: dict[Key, Phases] = {}
        self.in_force: dict[Key, int] = {}
        self._offers: dict[Key, dict[int, int]] = {}

    def begin(self, plan: Plan) -> None:
        """The first plan of a recording that has lost its beginning tells what stood."""
        for offer in plan.offers:
            key = (offer.charger, offer.connector)
            if not any(c.code == "fail_safe" for c in offer.ceilings):
                self.linked.add(offer.charger)
            if offer.session:
                self.sessions.add(key)
            if offer.drawn_ma is not None:
                self.drawn[key] = offer.drawn_ma
        self.plan(plan)

    def plan(self, plan: Plan) -> None:
        """What is offered, by its id."""
        for offer in plan.offers:
            key = (offer.charger, offer.connector)
            ids = self._offers.setdefault(key, {})
            ids[offer.id] = offer.limit_ma
            if len(ids) > 64:
                del ids[next(iter(ids))]
            self.in_force.setdefault(key, offer.limit_ma)

    def fact(self, fact: AnyFact) -> None:
        """What has happened."""
        if isinstance(fact, LinkUp):
            self.linked.add(fact.charger)
        elif isinstance(fact, LinkLost):
            self.linked.discard(fact.charger)
        elif isinstance(fact, SessionBegan):
            self.sessions.add((fact.charger, fact.connector))
        elif isinstance(fact, SessionEnded):
            self.sessions.discard((fact.charger, fact.connector))
            self.drawn.pop((fact.charger, fact.connector), None)
        elif isinstance(fact, Drawn):
            self.drawn[fact.charger, fact.connector] = fact.current_ma
        elif isinstance(fact, OfferAnswered) and fact.outcome == "accepted":
            key = (fact.charger, fact.connector)
            amount = self._offers.get(key, {}).get(fact.offer_id)
            if amount is not None:
                self.in_force[key] = amount


class Delays:
    """How each charger answered offers: how long it took, in turn, and with what lease."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._took: dict[str, deque[float]] = {}
        self._accepted: dict[str, OfferAnswered] = {}
        issued: dict[tuple[str, int, int], float] = {}
        for segment in segments:
            for step, outs in again(segment):
                for fact in step.facts:
                    self._answer(fact, issued)
                plan = plan_of(outs)
                for offer in plan.offers if plan is not None else ():
                    issued.setdefault((offer.charger, offer.connector, offer.id), step.now)
        every = sorted(t for took in self._took.values() for t in took)
        self._usual_s = every[len(every) // 2] if every else ANSWER_S

    def _answer(self, fact: AnyFact, issued: dict[tuple[str, int, int], float]) -> None:
        if isinstance(fact, OfferAnswered) and fact.outcome == "accepted":
            began = issued.pop((fact.charger, fact.connector, fact.offer_id), None)
            self._accepted[fact.charger] = fact
            if began is not None and fact.at >= began:
                self._took.setdefault(fact.charger, deque(maxlen=256)).append(fact.at - began)

    def accepted(self, offer: Offer, at: float) -> OfferAnswered:
        """An offer accepted as this charger last did: with its lease, where it had one."""
        was = self._accepted.get(offer.charger)
        if was is None:
            return OfferAnswered(offer.charger, offer.connector, offer.id, "accepted", at)
        return msgspec.structs.replace(was, connector=offer.connector, offer_id=offer.id, at=at)

    def next_s(self, charger: str) -> float:
        """How long its next answer takes."""
        took = self._took.get(charger)
        if not took:
            return self._usual_s
        took.rotate(-1)
        return took[-1]


class WhatIf:
    """The same days under another limit."""

    def __init__(self, segments: Sequence[Segment], limit: LimitPhases) -> None:
        self._segments, self._limit = segments, limit
        self._delays = Delays(segments)
        began = next(step.now for segment in segments for step in segment.steps)
        self.then, self.now = Tally(began), Tally(began)
        self._was = Then()
        plans = (plan_of(outs) for _, outs in again(segments[0]))
        first = next((plan for plan in plans if plan is not None), None)
        if first is not None:
            self._was.begin(first)
        self._drawn: dict[Key, Phases] = {}
        self._in_force: dict[Key, int] = {}
        self._told: dict[Key, int] = {}
        self._answers: list[tuple[float, int, OfferAnswered, int]] = []
        self._count = 0
        self._legs: dict[Key, list[bool]] = {}
        for segment in segments:
            for step in segment.steps:
                self._note_legs(step.facts)

    def _note_legs(self, facts: Iterable[AnyFact]) -> None:
        """On which phases each car was ever seen to draw."""
        for fact in facts:
            if isinstance(fact, Drawn):
                legs = self._legs.setdefault((fact.charger, fact.connector), [False] * 3)
                for p, amount in enumerate(fact.current_ma):
                    legs[p] = legs[p] or amount >= USED_MA

    def run(self) -> tuple[Sum, Sum]:
        """Both runs, as they were and as they would have been."""
        core: Balancer | None = None
        last = 0.0
        for segment in self._segments:
            if segment.is_start or core is None:
                core = begun(segment)
                self._settings = settings_of(segment)
                if segment.is_start:
                    self.then.start()
                    self.now.start()
                self._begin(core, segment)
            for step, outs in again(segment):
                last = step.now
                self._until(core, step.now)
                was = plan_of(outs)
                facts = [new for fact in step.facts for new in self._changed(fact)]
                self.then.limit(self._settings.site.limit_ma, step.now)
                if was is not None:
                    self._was.plan(was)
                    self.then.plan(was, step.now, self._settings, self._was.drawn)
                self._take(core, facts, step.now)
        self.then.stood(last, self._settings, self._was.drawn)
        self.now.stood(last, self._settings, self._drawn)
        return self.then.end(), self.now.end()

    def _begin(self, core: Balancer, segment: Segment) -> None:
        if segment.steps and segment.steps[0].plan != FAILED:
            now = segment.steps[0].now
            self._take(core, [SettingsChanged(self._limited(self._settings))], now)

    def _limited(self, settings: Settings) -> Settings:
        site = msgspec.structs.replace(settings.site, limit_ma=self._limit)
        return msgspec.structs.replace(settings, site=site)

    # the world that would have been

    def _changed(self, fact: AnyFact) -> list[AnyFact]:
        """A recorded fact as it would have been; none where the replay makes its own."""
        self._was.fact(fact)
        if isinstance(fact, OfferAnswered):
            return []
        if isinstance(fact, SettingsChanged):
            self._settings = fact.settings
            return [SettingsChanged(self._limited(fact.settings))]
        if isinstance(fact, SessionEnded | LinkLost):
            self._forget(fact)
        if isinstance(fact, Drawn):
            key = (fact.charger, fact.connector)
            return [msgspec.structs.replace(fact, current_ma=self._draws(key))]
        if isinstance(fact, MeterRead) and self._settings.site.meter.location == "grid":
            seen = fact.current_ma
            for key, amount in self._was.drawn.items():
                seen = seen - amount + self._draws(key)
            return [msgspec.structs.replace(fact, current_ma=seen)]
        return [fact]

    def _forget(self, fact: SessionEnded | LinkLost) -> None:
        if isinstance(fact, SessionEnded):
            self._drawn.pop((fact.charger, fact.connector), None)
        else:  # what was under way to it is answered by nobody
            self._answers = [a for a in self._answers if a[2].charger != fact.charger]
            heapq.heapify(self._answers)

    def _draws(self, key: Key) -> Phases:
        """What the car on this connector would draw now."""
        was = self._was.drawn.get(key, ZERO)
        if key not in self._was.sessions or key[0] not in self._was.linked:
            amount = was
        else:
            offered = self._in_force.get(key, self._was.in_force.get(key, 0))
            held = was.highest() >= self._was.in_force.get(key, 0) - HELD_MA
            amount = self._held(key, offered) if held else was.at_most(Phases.each(offered))
        self._drawn[key] = amount
        return amount

    def _held(self, key: Key, offered: int) -> Phases:
        conf = self._settings.charger(key[0]) or Charger(key[0])
        most = offered if conf.highest_w() is not None else min(offered, conf.highest_ma())
        legs = self._legs.get(key, [False] * 3)
        if not any(legs):
            legs = [p in site_phases(conf.connection) for p in range(3)]
        return Phases(*(most if used else 0 for used in legs))

    # the balancer that would have been

    def _until(self, core: Balancer, end: float) -> None:
        """Its own answers and alarms before `end`."""
        while True:
            at = min(core.due(), self._answers[0][0] if self._answers else math.inf)
            if at >= end:
                return
            self._take(core, [], at)

    def _take(self, core: Balancer, facts: list[AnyFact], now: float) -> None:
        while self._answers and self._answers[0][0] <= now:
            _, _, answer, amount = heapq.heappop(self._answers)
            self._in_force[answer.charger, answer.connector] = amount
            facts = [*facts, answer]
        outs: list[Out] = take(core, facts, now, due=False)
        plan = plan_of(outs)
        if plan is None:
            return
        self.now.plan(plan, now, self._settings, self._drawn)
        for offer in plan.offers:
            self._tell(offer, now)

    def _tell(self, offer: Offer, now: float) -> None:
        key = (offer.charger, offer.connector)
        if self._told.get(key) == offer.id or offer.charger not in self._was.linked:
            return
        self._told[key] = offer.id
        at = now + self._delays.next_s(offer.charger)
        answer = self._delays.accepted(offer, at)
        self._count += 1
        heapq.heappush(self._answers, (at, self._count, answer, offer.limit_ma))
