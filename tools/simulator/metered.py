"""Judges of a site with a meter, and of what truly flows: INV-2, 4, 5, 5b, 9, the virtual fuse."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from tools.simulator.events import (
    BalancerRestarted,
    Event,
    FactTold,
    Planned,
    ProcessBegan,
    Stepped,
)
from tools.simulator.judges import DISPATCH_S, GRACE_S
from tools.simulator.ledger import SITE, Post
from tools.simulator.ruling import FRESH_S, Ruling, describe
from tools.world.car import NOTHING, Three

from linkray.model import facts
from linkray.model.plan import Offer, Plan

SLACK_MA = 500  # readings are to 0.01 A, and not of the same moment as what flows
BUILDING_SLACK_MA = 2_500  # of noise and ramps between a reading and a charger's values …
BUILDING_PART = 50  # … and this part of the limit, as there are so many more of them
SEEN_S = 3.0  # a value so long after a raise shows what came of it
HIGH_S = 60.0  # balancing.md 1: a fall of the building counts after it
HOLD_S = 60.0  # metering.md: after a failure nothing rises above the degraded limit sooner
WIRE_S = 1.0  # INV-9: from the sample to the decreases on the wire
SOON_S, LAZY_S = 4.0, 7.0  # INV-9: from a step of the building to the wires
COMPLIANT_S, LAZY_CAR_S = 2.0, 5.0
STEP_S = 0.6  # the world's own step …
STEPS = 3  # … and so many of them a reading may be old
OLDER_S = 1.5  # a reading may be so much older than the value that told of a fall
FUSE_TAU_S = 60.0
FUSE_OPENS = 1.13**2
FUSE_MOST = 0.9  # of it, with lawful devices
STILL_MA = 500  # chargers below this together: the building alone is over


class Metered:
    """INV-2 metered increases, INV-4 fresh data, INV-5 fail-safe direction and 5b."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self._offers: dict[tuple[str, int], Offer] = {}
        self._granted: dict[tuple[str, int], tuple[float, int, int]] = {}  # at, from, to
        self._shown: dict[tuple[str, int], tuple[int, int, int]] = {}  # … at the newest reading
        self._building: tuple[deque[tuple[float, int]], ...] = (deque(), deque(), deque())
        self._ours: deque[tuple[float, list[int]]] = deque()  # known of the chargers just now
        self._flowed: deque[list[int]] = deque(maxlen=STEPS)  # what the chargers drew just now
        self._took: deque[tuple[int, ...]] = deque(maxlen=STEPS)  # … and what the building took
        self._was_healthy = [False] * 3  # by phase, since the process began
        self._fell_at = -math.inf  # the newest event of INV-5
        self._fell_by = ""

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, Planned):
            self._plan(event.plan, now)
        elif isinstance(event, BalancerRestarted):
            self._fell_at, self._fell_by = now, "balancer restarted"
        elif isinstance(event, ProcessBegan):
            self._offers.clear()
            self._granted.clear()
            self._was_healthy = [False] * 3
        elif isinstance(event, FactTold):
            self._fact(event.fact, now)
        elif isinstance(event, Stepped):
            self._flowed.append([0, 0, 0])
            self._took.append(self.ledger.world.building.ma)
            for post in self.ledger.under[SITE]:
                for leg, ma in enumerate(post.true_ma()):
                    self._flowed[-1][leg] += ma

    def _fact(self, fact: facts.AnyFact, now: float) -> None:
        for leg, phase in enumerate(self.ruling.phases):
            if phase.was_healthy and not self._was_healthy[leg]:
                # Until a first health the budget is 0, and nobody knows who draws (balancing.md 1).
                self._was_healthy[leg] = True
                self._building[leg].clear()
        if isinstance(fact, facts.MeterRead):
            self._read(fact, now)
        elif isinstance(fact, facts.MeterLost):
            self._fell_at, self._fell_by = now, "meter lost"
        elif isinstance(fact, facts.Drawn) and fact.source != "assumed":
            granted = self._granted.get((fact.charger, fact.connector))
            if granted is not None and now >= granted[0] + SEEN_S:
                del self._granted[fact.charger, fact.connector]
        elif isinstance(fact, facts.SessionEnded):
            self._granted.pop((fact.charger, fact.connector), None)

    def _read(self, fact: facts.MeterRead, now: float) -> None:
        """What the building takes by this reading, less what may be the chargers' own by right:
        the reading is of a step ago, and who has stopped since is in it still. And no more than
        it truly took: a meter that is stuck or wrong counts nobody's current twice (M2, M4).
        """
        ours = [0, 0, 0]
        self._shown = {key: self.ledger.posts[key].true_ma() for key in self._granted
                       if key in self.ledger.posts}  # fmt: skip
        if self.ruling.location == "grid":
            for each in self.ledger.under[SITE]:
                drawn = each.true_ma()
                for leg in range(3):
                    ours[leg] += max(drawn[leg], each.drawn[leg])
        self._ours.append((now, ours))
        while self._ours[0][0] < now - OLDER_S:
            self._ours.popleft()
        ours = [max(known[leg] for _, known in self._ours) for leg in range(3)]
        for leg, marks in enumerate(self._building):
            if not fact.phases_read[leg]:
                continue
            building = fact.current_ma[leg] - max([ours[leg], *(f[leg] for f in self._flowed)])
            for key, (_, was, to) in self._granted.items():
                post = self.ledger.posts.get(key)
                if post is not None and leg in post.legs:
                    building -= max(0, to - was)
            took = max([self.ledger.world.building.ma[leg], *(t[leg] for t in self._took)])
            marks.append((now, max(0, min(building, took))))
            while marks[0][0] < now - HIGH_S:
                marks.popleft()

    def _plan(self, plan: Plan, now: float) -> None:
        """Which offers this plan raises, and whether it may."""
        raised: list[tuple[Post, int, int]] = []
        for offer in plan.offers:
            key = offer.charger, offer.connector
            before = self._offers.get(key)
            if before is offer:
                continue
            self._offers[key] = offer
            was = before.limit_ma if before is not None and before.session == offer.session else 0
            post = self.ledger.posts.get(key)
            if post is not None and post.is_linked and offer.limit_ma > was:
                raised.append((post, was, offer.limit_ma))
        if raised and self.ruling.site.meter.enabled:
            self._raised(raised, plan, now)
        for post, was, to in raised:
            older = self._granted.get(post.key)
            self._granted[post.key] = (now, was if older is None else older[1], to)

    def _raised(self, raised: list[tuple[Post, int, int]], plan: Plan, now: float) -> None:
        span_s = 2.0 * self.ruling.site.measurand_interval_s
        for key in [k for k, granted in self._granted.items() if now - granted[0] > span_s]:
            del self._granted[key]
        raises = {post.key for post, _, _ in raised}
        for leg in range(3):
            # What may be in force already, and is not measured yet, is no increase.
            growths = {
                f"{post.charger}/{post.number}":
                    to - max(was, min(to, post.true_ma()[leg]), self._may(post, to))
                for post, was, to in raised if leg in post.counted_legs
            }  # fmt: skip
            if not growths:
                continue
            if any(growth > 0 for growth in growths.values()):
                self._fresh(leg, now)
            if any(to > max(was, post.counted_ma)
                   for post, was, to in raised if leg in post.counted_legs):  # fmt: skip
                self._falls(leg, now)
            if self.ruling.is_seen(leg):
                self._fits(leg, growths, raises, now)
                self._keeps_room(leg, plan, now)
                if sum(growths.values()) > 0:
                    self._absent(leg, plan, now)
            phase = self.ruling.phases[leg]
            if phase.is_healthy and now - phase.back_at < HOLD_S:
                self._held(leg, plan, now)

    def _fresh(self, leg: int, now: float) -> None:
        phase = self.ruling.phases[leg]
        if phase.is_healthy and now - phase.at > FRESH_S + 0.05:
            self.ruling.violated("INV-4", "raised on a stale reading", now, phase=leg + 1,
                                 age_s=now - phase.at)  # fmt: skip

    def _falls(self, leg: int, now: float) -> None:
        """INV-5: "U right after E ≤ U right before E", with what raises the U of some charger.

        Where nothing is proved, as after a start, U is {M} on both sides (P-rule 1): what the
        first value leaves of it for a session that runs is INV-1's, under the degraded limit.
        """
        if now - self._fell_at <= GRACE_S:
            self.ruling.violated("INV-5", f"raised: {self._fell_by}", now, phase=leg + 1)

    def _may(self, post: Post, to: int) -> int:
        """What it may be at already: nothing it was told is proved, or its default stands."""
        if post.tx is None:  # a session that was refused at once has changed nothing of it
            return min(to, max(post.counted_ma, post.told_ma))
        return min(to, post.counted_ma) if post.possible.is_unknown else 0

    def _fits(
        self, leg: int, growths: dict[str, int], raises: set[tuple[str, int]], now: float
    ) -> None:
        """INV-2: what is measured, what was granted and is not seen yet, and this, fit."""
        waits: dict[str, int] = {}
        for key, (_, was, to) in self._granted.items():
            post = self.ledger.posts.get(key)
            there = post is not None and post.is_linked  # the absent: INV-5b
            if post is not None and there and key not in raises and leg in post.counted_legs:
                top = min(to, max(post.told_ma, post.counted_ma))
                shown = self._shown.get(key, NOTHING)[leg]  # it may have come down since
                seen = max(was, post.true_ma()[leg], shown)
                waits[f"{key[0]}/{key[1]}"] = max(0, top - seen)
        growth, waiting = sum(growths.values()), sum(waits.values())
        limit = self.ruling.limit_ma(SITE, leg)
        measured = self.ruling.phases[leg].ma
        total = measured + waiting + growth + self.ruling.site.margin_ma
        if growth > 0 and total > limit + SLACK_MA:
            self.ruling.violated("INV-2", "raised beyond what the meter leaves", now,
                                 phase=leg + 1, measured_ma=measured, waiting_ma=waits,
                                 growth_ma=growths, limit_ma=limit,
                                 age_s=now - self.ruling.phases[leg].at,
                                 under=describe(self.ledger.under[SITE], leg, now))  # fmt: skip

    def _keeps_room(self, leg: int, plan: Plan, now: float) -> None:
        """balancing.md 1: what the building took within a minute is not given out."""
        since = now - HIGH_S + GRACE_S
        high = max((ma for at, ma in self._building[leg] if at > since), default=None)
        if high is None or self.ruling.site.use_solar_surplus:
            return
        offers = self._offered(leg, plan)
        limit = self.ruling.limit_ma(SITE, leg)
        if offers and offers + high > limit + BUILDING_SLACK_MA + limit // BUILDING_PART:
            self.ruling.violated("INV-2", "raised into what the building took within 60 s", now,
                                 phase=leg + 1, offers_ma=offers, building_ma=high,
                                 limit_ma=limit)  # fmt: skip

    def _held(self, leg: int, plan: Plan, now: float) -> None:
        degraded = min(self.ruling.limit_ma(SITE, leg), self.ruling.degraded_ma(leg))
        offers = self._offered(leg, plan)
        if offers > degraded + SLACK_MA:
            self.ruling.violated("INV-4", "raised too soon after the meter's failure", now,
                                 phase=leg + 1, offers_ma=offers, degraded_ma=degraded)  # fmt: skip

    def _offered(self, leg: int, plan: Plan) -> int:
        total = 0
        for offer in plan.offers:
            if offer.limit_ma:
                post = self.ledger.posts.get((offer.charger, offer.connector))
                if post is None or not post.is_linked or post.is_at_least(offer):
                    continue
                if leg in post.counted_legs:
                    total += offer.limit_ma
        return total

    def _is_new(self, post: Post, now: float) -> bool:
        """Whether what the plan has for it may not have been told yet."""
        if post.tx is None and now - post.ended_at <= DISPATCH_S:
            return True
        return not post.is_told and now - post.linked_at <= DISPATCH_S

    def _absent(self, leg: int, plan: Plan, now: float) -> None:
        """INV-5b: of what an absent one may draw no more is given out than can be shed in 5 s."""
        posts = [p for p in self.ledger.under[SITE] if leg in p.counted_legs]
        absent = sum(p.counted_ma for p in posts if not p.is_linked)
        if not absent:
            return
        # What is given out is what they were told; that one whose limits are not known may draw
        # more until it obeys is an outside cause, which nothing but that cut can end (INV-1).
        # One that links just now, or has just ended its session, is being told the plan's.
        told = {(o.charger, o.connector): o.limit_ma for o in plan.offers}
        slow = sum(
            min(p.counted_ma, told.get(p.key, 0)) if self._is_new(p, now) else p.aim_ma(now)
            for p in posts
            if p.is_linked
            and (p.possible.obey.sheds_late(p.obeys_after_s()) or not p.is_shed_able(now))
        )  # fmt: skip
        drawn = sum(p.true_ma()[leg] for p in posts if not p.is_linked)
        building = max(0, self.ruling.phases[leg].ma - drawn - sum(
            p.true_ma()[leg] for p in posts if p.is_linked))  # fmt: skip
        limit = self.ruling.limit_ma(SITE, leg)
        if slow + absent + building > limit + BUILDING_SLACK_MA and slow:
            self.ruling.violated("INV-5b", "an absent charger's current given to slow ones", now,
                                 phase=leg + 1, absent_ma=absent, slow_ma=slow,
                                 building_ma=building, limit_ma=limit,
                                 under=describe(posts, leg, now))  # fmt: skip


class Reaction:
    """INV-9, on the wire: a sample over the limit is answered within a second."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self._over: dict[int, tuple[float, int]] = {}  # leg → since, what is not the chargers'
        self.reactions_s: list[float] = []

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, ProcessBegan):
            self._over.clear()
        elif isinstance(event, FactTold) and isinstance(event.fact, facts.MeterRead):
            self._read(event.fact, now)
        elif self._over:
            for leg, (since, rest) in list(self._over.items()):
                self._judge(leg, since, rest, now)

    def _read(self, fact: facts.MeterRead, now: float) -> None:
        for leg in range(3):
            if not fact.phases_read[leg] or not self.ruling.is_seen(leg):
                self._over.pop(leg, None)
                continue
            excess = fact.current_ma[leg] - self.ruling.limit_ma(SITE, leg)
            if excess <= 0:
                self._over.pop(leg, None)
            elif leg not in self._over:
                ours = sum(self._drawn(p, leg) for p in self._reachable(leg, now))
                self._over[leg] = (now, fact.current_ma[leg] - ours)

    def _reachable(self, leg: int, now: float) -> list[Post]:
        return [p for p in self.ledger.under[SITE]
                if leg in p.legs and p.tx is not None and p.is_shed_able(now)]  # fmt: skip

    def _drawn(self, post: Post, leg: int) -> int:
        """What it draws, or said that it draws."""
        return max(post.true_ma()[leg], post.drawn[leg])

    def _judge(self, leg: int, since: float, rest: int, now: float) -> None:
        posts = self._reachable(leg, now)
        left = sum(0 if p.is_stopped else min(p.told_ma, self._drawn(p, leg)) for p in posts)
        limit = self.ruling.limit_ma(SITE, leg)
        if rest + left <= limit + SLACK_MA or not left:
            self.reactions_s.append(now - since)
            del self._over[leg]
        elif now - since > WIRE_S + GRACE_S:
            del self._over[leg]
            self.ruling.violated("INV-9", "not cut within a second of the sample", now,
                                 phase=leg + 1, since=since, rest_ma=rest, left_ma=left,
                                 limit_ma=limit, under=describe(posts, leg, now))  # fmt: skip


class Strand:
    """One phase of one node: how long it is over, how warm its fuse is, for how much it is made."""

    def __init__(self) -> None:
        self.over_s = 0.0
        self.theta = 0.0
        self.rated_ma = 0  # a limit that somebody lowers puts in no smaller fuse


class Seen:
    """What the building took when the meter was last read, on one phase."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def note(self, ma: int, now: float) -> None:
        marks = self._marks
        marks.append((now, ma))
        while marks[0][0] < now - HIGH_S - LAZY_S:
            marks.popleft()

    def growth_ma(self, ma: int, until: float) -> int:
        """How much more it takes now than it ever showed, in the minute up to that time.

        INV-9 gives each step of the load its own time; balancing.md 1 keeps the highest of 60 s.
        """
        known = [took for at, took in self._marks if until - HIGH_S <= at <= until]
        return max(0, ma - max(known)) if known else 0


class Flow(NamedTuple):
    """What flows on one phase of one node."""

    total_ma: int
    helped_ma: int  # of it, who can be reached
    lawful_ma: int  # the total without those that do what no charger may …
    could_ma: int  # … and of that who can be reached
    is_excused: bool  # the meter says what is not so: nobody knows what flows here


class Wires:
    """What truly flows: no limit passed for longer than lawful, no fuse near its trip."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self._strands: dict[str, tuple[Strand, Strand, Strand]] = {}
        self._seen = (Seen(), Seen(), Seen())
        self.theta_max = 0.0
        self.allowed_s: dict[str, float] = {}  # of the nodes over their limit now
        self.unseen_ma = [0, 0, 0]  # what the building has grown by and nobody could answer yet
        self.helpless_ma = [STILL_MA] * 3  # chargers below it have nothing left to give
        self.wrong_ma: dict[str, Three] = {}  # by node: of chargers that do what none may

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, FactTold) and isinstance(event.fact, facts.MeterRead):
            self._read(event.fact, now)
        if not isinstance(event, Stepped):
            return
        wrong = self.ruling.unlawful(now)
        nodes, reached = self._flows(set())
        lawful, heeding = self._flows(wrong) if wrong else (nodes, reached)
        self.wrong_ma = {
            name: (flow[0] - rest[0], flow[1] - rest[1], flow[2] - rest[2])
            for name, flow, rest in zip(self.ledger.names, nodes, lawful, strict=True)
        } if wrong else {}  # fmt: skip
        building = self.ledger.world.building.ma
        absent = [a - b for a, b in zip(nodes[SITE], reached, strict=True)]
        self._know([a + b for a, b in zip(nodes[SITE], building, strict=True)], absent, now)
        for node, ours in enumerate(nodes):
            name = self.ledger.names[node]
            strands = self._strands.get(name)
            if strands is None:
                strands = self._strands[name] = (Strand(), Strand(), Strand())
            for leg in range(3):
                total = ours[leg] + (building[leg] if node == SITE else 0)
                helped, could = (ours, lawful[node]) if node != SITE else (reached, heeding)
                flow = Flow(total, helped[leg], total - ours[leg] + lawful[node][leg], could[leg],
                            node == SITE and None in wrong)  # fmt: skip
                self._carry(node, leg, strands[leg], flow, event.dt, now)

    def _read(self, fact: facts.MeterRead, now: float) -> None:
        building = self.ledger.world.building.ma
        for leg, seen in enumerate(self._seen):
            if fact.phases_read[leg]:  # a reading below it is from before it grew
                seen.note(min(building[leg], fact.current_ma[leg]), now)

    def _know(self, total: list[int], absent: list[int], now: float) -> None:
        """What LinkRay can know of the building now, and do about it."""
        building = self.ledger.world.building.ma
        self.allowed_s.clear()
        for leg, phase in enumerate(self.ruling.phases):
            self.helpless_ma[leg] = STILL_MA
            self.unseen_ma[leg] = 0
            if total[leg] <= self._wire_ma(SITE, leg):
                continue
            allowed = self._allowed_s(SITE, leg)
            name = self.ledger.names[SITE]
            self.allowed_s[name] = max(self.allowed_s.get(name, 0.0), allowed)
            self.unseen_ma[leg] = self._seen[leg].growth_ma(building[leg], now - allowed)
            if self.ruling.site.meter.enabled and not phase.is_healthy:
                # The installer's word rules: so much may be drawn whatever the building takes,
                # by all together: those that cannot be reached come off it (balancing.md 1).
                self.helpless_ma[leg] += max(0, self.ruling.limit_ma(SITE, leg) - absent[leg])
                if now - phase.failed_at > allowed:
                    self.unseen_ma[leg] = 0

    def _flows(self, but: set[str | None]) -> tuple[list[list[int]], list[int]]:
        """What the chargers but these truly draw, under every node; those LinkRay can reach."""
        flows, reached = [[0, 0, 0] for _ in self.ledger.names], [0, 0, 0]
        for post in self.ledger.posts.values():
            drawn = post.true_ma()
            if drawn != NOTHING and post.charger not in but:
                for node in post.path:
                    flow = flows[node]
                    flow[0] += drawn[0]
                    flow[1] += drawn[1]
                    flow[2] += drawn[2]
                if post.is_linked and not self._is_cut_off(post):
                    reached = [a + b for a, b in zip(reached, drawn, strict=True)]
        return flows, reached

    def _is_cut_off(self, post: Post) -> bool:
        """No word gets through: its cable is out and no end of its link was heard (C13, N2), or
        it takes no call, no RemoteStop either (C1), and the building steps on what it draws.
        """
        if ("mute", post.charger) in self.ruling.wrong:
            return True
        was_pulled = ("half_open", post.charger) in self.ruling.wrong
        return was_pulled and post.true is not None and not post.true.is_connected

    def _carry(
        self, node: int, leg: int, strand: Strand, flow: Flow, dt: float, now: float
    ) -> None:
        limit = self._wire_ma(node, leg)
        rated = strand.rated_ma = max(strand.rated_ma, limit)
        least = self.helpless_ma[leg] if node == SITE else STILL_MA
        if flow.helped_ma < least:  # the building, and who is lost: nobody could help
            share = min(1.0, flow.total_ma / rated) if rated else 0.0
        else:
            share = flow.total_ma / rated if rated else 2.0
        strand.theta += (share * share - strand.theta) * min(1.0, dt / FUSE_TAU_S)
        self.theta_max = max(self.theta_max, strand.theta)
        lawful = not self.ruling.was_unlawful
        if strand.theta >= FUSE_OPENS * (FUSE_MOST if lawful else 1.0):
            self.ruling.violated("fuse", "the virtual fuse is near its trip", now, leg=leg + 1,
                                 node=self.ledger.names[node],
                                 percent=round(100 * strand.theta / FUSE_OPENS, 1))  # fmt: skip
        if flow.total_ma <= limit or flow.helped_ma < least:
            strand.over_s = 0.0
            return
        allowed, name = self._allowed_s(node, leg), self.ledger.names[node]
        self.allowed_s[name] = max(self.allowed_s.get(name, 0.0), allowed)
        # INV-9 has its bounds for "simulated compliant cars" and "lazy lawful cars": what an
        # unlawful one takes is its own doing; what all others take together is not.
        is_over = flow.lawful_ma > limit and flow.could_ma >= least
        strand.over_s = strand.over_s + dt if is_over else 0.0
        unseen = self.unseen_ma[leg] if node == SITE else 0
        if strand.over_s > allowed and flow.lawful_ma - unseen > limit and not flow.is_excused:
            self._passed(node, leg, strand, flow.total_ma, allowed, now)

    def _wire_ma(self, node: int, leg: int) -> int:
        """What the wires may carry: the limit as set, under the ceiling."""
        limit = self.ledger.limits[node * 3 + leg]
        ceiling = self.ruling.ceiling
        return limit if node != SITE or ceiling is None else min(limit, ceiling[leg])

    def _allowed_s(self, node: int, leg: int) -> float:
        """INV-9 for the cars and chargers that charge there; what is slower has its own time."""
        slowest = 0.0
        for post in self.ledger.under[node]:
            if post.true is not None and leg in post.legs and post.true_ma()[leg]:
                at = post.true.connector(post.number)
                lag_s = at.car.lag_s if at.car is not None else 0.0
                slowest = max(slowest, post.obeys_after_s() + lag_s)
        if slowest <= COMPLIANT_S:
            return SOON_S + STEP_S
        return max(LAZY_S, LAZY_S - LAZY_CAR_S + slowest) + STEP_S

    def _passed(
        self, node: int, leg: int, strand: Strand, total: int, allowed: float, now: float
    ) -> None:
        name = "INV-9" if node == SITE and self.ruling.is_seen(leg) else "limit"
        self.ruling.violated(
            name, "more flows than the wires may carry, for longer than lawful", now,
            node=self.ledger.names[node], phase=leg + 1, flows_ma=total,
            limit_ma=self._wire_ma(node, leg), over_s=strand.over_s, allowed_s=allowed,
            wrong=[f"{n} {c}" for n, c in self.ruling.wrong],
            under=describe(self.ledger.under[node], leg, now),
        )  # fmt: skip
