"""Judges of what stands in the books and in the plans: INV-1, 3, 6, 7, 8, 10, 11, 12 and 17."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from tools.simulator.books import OBEY_S, OBEY_S_MAX
from tools.simulator.events import (
    AlarmRaised,
    Event,
    FactTold,
    FrameSeen,
    LimitsChanged,
    Planned,
    ProcessBegan,
    ProcessEnded,
    QueuesSeen,
    Stepped,
)
from tools.simulator.ledger import LEAST_MA, SITE, SLACK_MA, Issue, Post
from tools.simulator.ruling import Ruling, describe

from linkray.model import facts
from linkray.model.plan import Offer, Plan
from linkray.model.settings import Charger

DISPATCH_S = 1.0  # INV-1
GRACE_S = 0.3  # a frame that was on its way when the cause came
TICK_S = 1.0
LOOK_S = 0.25  # how often what does not hold is looked at
CLEARLY = 0.85  # of what a minimum in the other unit comes to
WHOLE_MA = 1_000  # some forms are told in whole amps
STOP_S = 2.0  # INV-8
GAP_S = 1.5  # INV-11
STEP_S = 10.0  # INV-10: each ≤ 10 s apart
ALARM_S = 15.0  # INV-10, from the first value over the limit after its obey time
OVER_MA, OVER_SHARE = 1_000, 0.05  # decided.md, Not obeying


class Sums:
    """INV-1 worst-case sum, INV-3 down before up, INV-12 crash soundness."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self.over: dict[int, float] = {}  # limits that do not hold → since when
        self.late: dict[int, float] = {}  # … although nothing on the wire will bring them down
        self._limits: dict[int, deque[tuple[float, int]]] = {}  # what those were just now
        self._touched: set[int] = set()
        self._looked_at = -math.inf
        self._processes = 0
        self._room: dict[tuple[str, int], int] = {}  # under each limit, as it was last
        self._before: dict[tuple[str, int], int] = {}  # … before the newest settings
        self._changed_at = -math.inf  # these came then: a limit, or one charger less (INV-1)
        self.ledger.on_change = self._changed

    def _changed(self, post: Post) -> None:
        self._touched.update(post.path)

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, ProcessBegan):
            self._processes += 1
            self.over.clear()
            self.late.clear()
        elif isinstance(event, LimitsChanged):
            self._changed_at, self._before = now, self._room.copy()
        for issue in self.ruling.issues:
            self._judge(issue, now)
        self._follow(now)
        if self.over and self.ruling.is_up and now - self._looked_at >= LOOK_S:
            self._looked_at = now
            for place in list(self.over):
                self._look(place, now)

    def _follow(self, now: float) -> None:
        """Which limits hold, as far as something has changed."""
        self._touched.add(SITE)
        for node in self._touched:
            if node >= len(self.ledger.names):
                continue
            for leg in range(3):
                place = node * 3 + leg
                total = self.ledger.sums[place]
                self._room[self.ledger.names[node], leg] = self.ruling.limit_ma(node, leg) - total
                if self._passed(node, leg, total):
                    self.over.setdefault(place, now)
                elif place in self.over:
                    del self.over[place]
                    self.late.pop(place, None)
        self._touched.clear()

    def _passed(self, node: int, leg: int, total: int) -> bool:
        if node == SITE and self.ruling.is_seen(leg):
            return False
        return total > self.ruling.limit_ma(node, leg) + SLACK_MA and total > 0

    def _judge(self, issue: Issue, now: float) -> None:
        """A value on the wire must not raise what does not hold, nor break what does."""
        if issue.is_lower:
            return
        post = issue.post
        growth = issue.after_ma - issue.before_ma
        for node in post.path:
            for leg in post.counted_legs:
                total = self.ledger.sums[node * 3 + leg]
                if not self._passed(node, leg, total):
                    continue
                was_over = self._passed(node, leg, total - growth)
                since = self.over.get(node * 3 + leg, now)
                if growth > SLACK_MA and not was_over:
                    fitted = growth <= self._before.get((self.ledger.names[node], leg), 0)
                    if fitted and now - self._changed_at <= GRACE_S:
                        continue  # it was on its way
                    self._tell("INV-3", "raised before its room was proved", issue, node, leg, now)
                elif was_over and now - since > GRACE_S and self._is_above_least(issue):
                    self._tell("INV-1", "raised under a passed limit", issue, node, leg, now)

    def _is_above_least(self, issue: Issue) -> bool:
        """Above the current minimum; that may be the same offer in whole amps (balancing.md, head):
        told finer again, in another form, it is no more than what was counted all the time.
        """
        least = issue.least_ma
        if issue.after_ma <= issue.before_ma and least % WHOLE_MA == 0 and least:
            least += WHOLE_MA - 1
        return issue.ma > least + SLACK_MA

    def _tell(
        self, invariant: str, what: str, issue: Issue, node: int, leg: int, now: float
    ) -> None:
        posts = self.ledger.under[node]
        unheard = any(p.possible.is_unknown and not p.is_told for p in posts)
        if self._processes > 1 and unheard:
            invariant = "INV-12"
        self.ruling.violated(
            invariant, what, now, node=self.ledger.names[node], phase=leg + 1,
            may_ma=self.ledger.sums[node * 3 + leg], limit_ma=self.ruling.limit_ma(node, leg),
            connector=f"{issue.post.charger}/{issue.post.number}", told_ma=issue.ma,
            before_ma=issue.before_ma, after_ma=issue.after_ma, under=describe(posts, leg, now),
        )  # fmt: skip

    def _look(self, place: int, now: float) -> None:
        """Within the dispatch time all that can be shed is told to come down."""
        node, leg = divmod(place, 3)
        posts = [p for p in self.ledger.under[node] if leg in p.counted_legs]
        aims = [p.aim_ma(now) for p in posts]
        could = any(
            aim > 0 and p.is_shed_able(now) and p.tx is not None
            for p, aim in zip(posts, aims, strict=True)
        )
        if not could or sum(aims) <= self.ruling.limit_ma(node, leg) + SLACK_MA:
            self.late.pop(place, None)
            return
        limits = self._limits.setdefault(place, deque())
        if place not in self.late:
            limits.clear()
        since = self.late.setdefault(place, now)
        limits.append((now, self.ruling.limit_ma(node, leg)))
        while now - limits[0][0] > DISPATCH_S + GRACE_S + LOOK_S:
            limits.popleft()
        # Each lowering is a cause of its own (INV-1): a limit less a building that grows with each
        # reading is followed within the dispatch time of each.
        is_new = sum(aims) <= max(ma for _, ma in limits) + SLACK_MA
        if now - since > DISPATCH_S + GRACE_S + LOOK_S and not is_new:
            self.ruling.violated(
                "INV-1", "not shed within the dispatch time", now, node=self.ledger.names[node],
                phase=leg + 1, aim_ma=sum(aims), limit_ma=self.ruling.limit_ma(node, leg),
                since=since, under=describe(posts, leg, now),
            )  # fmt: skip


class Legal:
    """INV-6: every value on the wire is one that its charger can be told."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self._starts: dict[tuple[str, str], int] = {}  # charger, call → connector
        self._called: dict[tuple[str, int], object] = {}  # what a charger was told its session is

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, FrameSeen):
            self._hear(event)
        for issue in self.ruling.issues:
            for wrong in self._wrong(issue):
                self.ruling.violated(
                    "INV-6", wrong, now, connector=f"{issue.post.charger}/{issue.post.number}",
                    told=repr(issue.told),
                )  # fmt: skip

    def _hear(self, event: FrameSeen) -> None:
        """Under a CSMS a session has the CSMS's number at its charger."""
        match event.way, event.message:
            case "in", [2, str(call), "StartTransaction", {"connectorId": int(number)}]:
                self._starts[event.charger, call] = number
                self._called.pop((event.charger, number), None)
            case "out", [3, str(call), {"transactionId": given}]:
                connector = self._starts.pop((event.charger, call), None)
                if connector is not None:
                    self._called[event.charger, connector] = given

    def _wrong(self, issue: Issue) -> Iterable[str]:
        told, post = issue.told, issue.post
        conf = post.conf
        for limit in told.limits:
            if not math.isfinite(limit) or limit < 0:
                yield "not a finite amount"
                return
            yield from self._bounds(post, told.unit, limit)
        phases = 1 if conf.phases == 2 else conf.phases
        if any(p is not None and p != phases for p in told.phases):
            yield "not its number of phases"
        if told.unit not in ("A", "W"):
            yield "not a rate unit"
        named = (post.tx, self._called.get((post.charger, post.number)))
        if told.purpose == "TxProfile" and told.transaction_id not in named:
            yield "not the transaction that runs"
        if told.connector == 0 and told.purpose == "TxProfile":
            yield "a TxProfile for the charger as a whole"
        if list(told.starts_s) != sorted(set(told.starts_s)) or told.starts_s[:1] != (0.0,):
            yield "periods out of order"

    def _bounds(self, post: Post, unit: str, limit: float) -> Iterable[str]:
        conf = post.conf
        if limit == 0:
            return
        if unit == "A" and abs(limit * 10 - round(limit * 10)) > 1e-6:
            yield "amps finer than 0.1 A"
        if unit == "W" and abs(limit - round(limit)) > 1e-6:
            yield "watts that are not whole"
        amount = self.ledger.value_ma(conf, unit, limit)
        if amount > self.ledger.most_ma(conf) + SLACK_MA:
            yield "above its maximum"
        if self._is_too_low(conf, unit, limit, amount):
            yield "below its minimum"

    def _is_too_low(self, conf: Charger, unit: str, limit: float, amount_ma: int) -> bool:
        """Below "[max(m, 6), M] (in kW: [m, M])". Where m is set in the other unit, clearly so: by
        volts and losses that nobody has seen it may have been enough (decided.md, Voltage).
        """
        lowest_w = conf.lowest_w()
        if unit == "W" and lowest_w is not None:
            return limit < lowest_w
        least_ma = max(LEAST_MA, conf.lowest_ma())
        if unit == "W":
            return amount_ma < least_ma * CLEARLY
        if lowest_w is not None:
            least_ma = max(LEAST_MA, int(self.ledger.amps_ma(conf, lowest_w) * CLEARLY))
        return amount_ma < least_ma


class Ceilings:
    """INV-7: no plan offers more than any of the limits that hold, the lowest rules."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self._excluded_since: float | None = None

    def note(self, event: Event, now: float) -> None:
        if not isinstance(event, Planned):
            return
        if now - self.ruling.changed_at <= TICK_S + GRACE_S:
            return
        self._schedule(event.plan, now)
        self._sums(event.plan, now)

    def _schedule(self, plan: Plan, now: float) -> None:
        if not self.ruling.excluded(now):
            self._excluded_since = None
            return
        if self._excluded_since is None:
            self._excluded_since = now
        if now - self._excluded_since <= TICK_S + GRACE_S:
            return
        for offer in plan.offers:
            post = self.ledger.posts.get((offer.charger, offer.connector))
            if post is not None and post.is_linked and offer.limit_ma:
                self.ruling.violated("INV-7", "offered in an excluded time", now,
                                     connector=f"{offer.charger}/{offer.connector}",
                                     offer_ma=offer.limit_ma)  # fmt: skip

    def _sums(self, plan: Plan, now: float) -> None:
        totals: dict[int, int] = {}
        idle: dict[int, int] = {}
        for offer in plan.offers:
            post = self.ledger.posts.get((offer.charger, offer.connector))
            if post is None or not offer.limit_ma or post.is_stopped:
                continue
            if not post.is_shed_able(now):  # what it was told stands, and is reserved
                continue
            if self._is_too_high(offer, post):
                self.ruling.violated("INV-7", "offered above its maximum", now,
                                     connector=f"{offer.charger}/{offer.connector}",
                                     offer_ma=offer.limit_ma, offer_w=offer.limit_w)  # fmt: skip
            for node in post.path:
                for leg in post.counted_legs:
                    place = node * 3 + leg
                    totals[place] = totals.get(place, 0) + offer.limit_ma
                    if post.is_at_least(offer):
                        idle[place] = idle.get(place, 0) + offer.limit_ma
        for place, total in totals.items():
            node, leg = divmod(place, 3)
            limit = self.ruling.limit_ma(node, leg, less_building=False)
            if total > limit + SLACK_MA and total > idle.get(place, 0):
                self.ruling.violated("INV-7", "offers above a limit", now,
                                     node=self.ledger.names[node], phase=leg + 1,
                                     offers_ma=total, limit_ma=limit)  # fmt: skip

    def _is_too_high(self, offer: Offer, post: Post) -> bool:
        """In the unit in which it is told: what so many watts may draw is reckoned with the worst
        efficiency until it is learned (balancing.md, The site), and that is no higher offer.
        """
        highest_w = post.conf.highest_w()
        if offer.limit_w is not None and highest_w is not None:
            return offer.limit_w > highest_w
        return offer.limit_ma > self.ledger.most_ma(post.conf) + SLACK_MA


class Stop:
    """INV-8: the emergency stop reaches every connector, and stays."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self._judged_from: float | None = None

    def note(self, event: Event, now: float) -> None:
        since = self.ruling.stopped_at
        if since is None:
            self._judged_from = None
            return
        if isinstance(event, ProcessBegan):
            since = now
        self._judged_from = max(since, self._judged_from or since)
        for issue in self.ruling.issues:
            # "No value > 0 until an authorised clear": in whatever period, on whatever level.
            if any(limit > 0 for limit in issue.told.limits) and now - since > GRACE_S:
                self.ruling.violated("INV-8", "a value above 0 while stopped", now,
                                     connector=f"{issue.post.charger}/{issue.post.number}",
                                     told=repr(issue.told))  # fmt: skip
        if isinstance(event, Planned | Stepped) and now - self._judged_from > STOP_S + GRACE_S:
            self._all_told(now)

    def _all_told(self, now: float) -> None:
        for post in self.ledger.posts.values():
            runs = post.is_linked and post.tx is not None
            fresh = max(post.linked_at, post.began_at) + STOP_S + GRACE_S >= now
            told_0 = post.is_told and not post.told_ma and not post.told_highest
            if runs and not fresh and not post.is_stopped and not told_0:
                self.ruling.violated("INV-8", "neither told 0 nor stopped in time", now,
                                     connector=f"{post.charger}/{post.number}",
                                     told_ma=post.told_ma)  # fmt: skip


class Rung:
    """How far the ladder has come for one connector."""

    def __init__(self, first_at: float) -> None:
        self.first_at = first_at  # the first value over its limit
        self.caught_at: float | None = None  # … that came after its obey time
        self.alarmed = False
        self.steps: list[tuple[str, float]] = []

    def has(self, step: str) -> bool:
        return any(done == step for done, _ in self.steps)


LADDER = ("resend", "zero", "stop", "inoperative")


class Ladder:
    """INV-10: who draws more than offered is told again, told 0, stopped, put out of use."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self.rungs: dict[tuple[str, int], Rung] = {}
        self._slowest_s: dict[str, float] = {}  # that a charger has needed to obey

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, FactTold):
            self._fact(event.fact, now)
        elif isinstance(event, AlarmRaised):
            self._alarm(event)
        elif isinstance(event, ProcessBegan | ProcessEnded):
            self.rungs.clear()
        elif isinstance(event, FrameSeen) and self.rungs:
            self._frame(event, now)
        if self.rungs and isinstance(event, Planned):
            for key, rung in list(self.rungs.items()):
                self._judge(self.ledger.posts.get(key), rung, now)

    def _fact(self, fact: facts.AnyFact, now: float) -> None:
        if isinstance(fact, facts.SessionEnded):
            self.rungs.pop((fact.charger, fact.connector), None)
        elif isinstance(fact, facts.LinkLost | facts.LinkUp | facts.Booted):
            for key in [k for k in self.rungs if k[0] == fact.charger]:
                del self.rungs[key]
        elif isinstance(fact, facts.Drawn) and fact.source != "assumed":
            post = self.ledger.posts.get((fact.charger, fact.connector))
            if post is not None and post.tx is not None:
                self._drawn(post, now)

    def _drawn(self, post: Post, now: float) -> None:
        """A value of what it draws, against the most that it was lawfully told."""
        slowest_s = max(self._slowest_s.get(post.charger, 0.0), post.obeys_after_s())
        self._slowest_s[post.charger] = slowest_s
        if not self._is_over(post, now):
            self.rungs.pop(post.key, None)
            return
        rung = self.rungs.setdefault(post.key, Rung(now))
        if rung.caught_at is None and post.possible.is_caught:
            rung.caught_at = now

    def _is_over(self, post: Post, now: float) -> bool:
        lawful = post.possible.lawful_ma(now)
        used = max(post.drawn[leg] for leg in post.legs)
        return lawful is not None and used > lawful + max(OVER_MA, lawful * OVER_SHARE)

    def _alarm(self, event: AlarmRaised) -> None:
        if event.code in ("not_obeying", "not_controllable"):
            for key, rung in self.rungs.items():
                rung.alarmed = rung.alarmed or key[0] == event.charger

    def _frame(self, event: FrameSeen, now: float) -> None:
        for issue in self.ruling.issues:
            rung = self.rungs.get(issue.post.key)
            if rung is not None and rung.caught_at is not None and not issue.is_lower:
                rung.steps.append(("resend", now))
                if issue.ma == 0:
                    rung.steps.append(("zero", now))
        if event.way != "out" or event.text[:2] != "[2":
            return
        for key, rung in self.rungs.items():
            if key[0] == event.charger:
                if "RemoteStopTransaction" in event.text:
                    rung.steps.append(("stop", now))
                elif "ChangeAvailability" in event.text and "Inoperative" in event.text:
                    rung.steps.append(("inoperative", now))

    def _judge(self, post: Post | None, rung: Rung, now: float) -> None:
        if post is None or rung.caught_at is None:
            return
        if not self._is_over(post, now):  # it was told more since, and may draw what it does
            del self.rungs[post.key]
            return
        learnt_s = self._learnt_more_s(post)
        if not rung.alarmed and now - rung.caught_at > ALARM_S + learnt_s:
            self.ruling.violated("INV-10", "no alarm for one that does not obey", now,
                                 connector=f"{post.charger}/{post.number}")  # fmt: skip
        due = known_at = rung.caught_at + learnt_s
        for step in LADDER:
            at = next((at for done, at in rung.steps if done == step), None)
            due += STEP_S + TICK_S + GRACE_S
            if at is None:
                if now > due:
                    self.ruling.violated("INV-10", f"no {step} for one that does not obey", now,
                                         connector=f"{post.charger}/{post.number}",
                                         caught_at=rung.caught_at, steps=rung.steps)  # fmt: skip
                return
            due = max(known_at, min(due, at))

    def _learnt_more_s(self, post: Post) -> float:
        """How much longer than it needs now it may have been seen to need, by a value that came an
        interval after it had obeyed (trust.md 1, Model: learnt, never forgotten by being late).
        """
        slowest_s = self._slowest_s.get(post.charger, 0.0)
        if slowest_s <= OBEY_S:
            return 0.0
        seen_s = min(OBEY_S_MAX, slowest_s + self.ruling.site.measurand_interval_s)
        counted_s = max(OBEY_S, post.possible.obey.counted_s(post.obeys_after_s()))
        return float(seen_s - counted_s)


class Beat:
    """INV-11: a plan at least every 1.5 s while the process lives."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling = ruling
        self.longest_s = 0.0
        self._last: float | None = None

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, ProcessBegan):
            self._last = now
        elif isinstance(event, ProcessEnded):
            self._last = None
        elif self._last is not None:
            gap = now - self._last
            if gap > GAP_S:
                self.ruling.violated("INV-11", "no plan", now, since=self._last)
            if isinstance(event, Planned):
                self.longest_s = max(self.longest_s, gap)
                self._last = now


class Queues:
    """INV-17: nothing holds more than its stated maximum."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling = ruling
        self.fullest: dict[str, int] = {}

    def note(self, event: Event, now: float) -> None:
        if not isinstance(event, QueuesSeen):
            return
        for name, (entries, most) in event.sizes.items():
            self.fullest[name] = max(entries, self.fullest.get(name, 0))
            if entries > most:
                self.ruling.violated("INV-17", f"{name} over its maximum", now,
                                     entries=entries, most=most)  # fmt: skip
