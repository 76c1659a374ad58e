"""Two chargers on one phase, and every order in which things can happen to them (trust.md 1).

The balancer is the real one; the chargers are what they may be at worst. Each has the set of values
that it may be following: one on the wire may have arrived or not, one that it accepted has replaced
the older ones once its obey time is over, a refused one is gone, one without an answer stays; a
reboot or a return lets it follow its maximum. The balancer knows nothing of these sets: it reads
facts, they read its plans.

States are explored breadth first. Two that differ only in what time it is, and in the numbers of
offers, are one.
"""

from __future__ import annotations

import enum
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from types import MethodType
from typing import Any

from linkray.balance.balancer import Balancer
from linkray.balance.checkpoint import PLAIN, is_atom
from linkray.balance.recording import take
from linkray.model.facts import (
    AnyFact,
    Booted,
    ChargerKnown,
    Drawn,
    LeaseProven,
    LinkLost,
    LinkUp,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    StatusSeen,
)
from linkray.model.plan import Plan
from linkray.model.settings import Charger, Group, LimitPhases, MeterSettings, Settings, Site
from linkray.model.units import Phases

NAMES = ("A", "B")
BEGAN = 1_000_000.0  # far from 0, so that a time is never taken for an amount, nor an offer's id
OLD_S = 12.0  # what is older decides nothing any more, where no lease and no meter is
DISPATCH_S = 1.0  # INV-1: so long what came from outside may stand in the plans
TAU_S = 10.0  # trust.md 1: the obey time of these chargers
FRESH_S = 3.0  # INV-2
HELD_S = 60.0  # balancing.md 1: what the building was is held so long
FAILED_S = 5.0  # metering.md: an older reading is none
DEAD_MAN_S = 180.0
ANSWER_S = 30.0  # chargers.md, Frames: a call is answered by then, or given up
# What nobody changes while nobody changes the settings; without a meter, its watch too.
KEPT_APART = frozenset({
    "_tree", "_confs", "_settings", "conf", "amounts", "site", "path", "legs", "ceilings", "offer",
    "reason", "key_parts",
})  # fmt: skip
NOT_COPIED = KEPT_APART | {"_meter"}
# Further: counters, names, what is told of each charger anyway, and who is paused first where
# minimums do not fit, for here they always do.
NOTHING_TO_STATE = KEPT_APART | {
    "_seq", "ignored", "charged_s", "charger", "line", "_lines", "_connectors", "_list", "_take",
}
FOREVER = float("inf")


class Violation(AssertionError):
    """What does not hold, with the events that led there."""


class Worst:
    """What one charger may be following, and what is on its wire."""

    __slots__ = ("accepted", "entries", "linked", "offered", "refuses", "seen", "waits", "wire")

    def __init__(self, value: int) -> None:
        self.entries: tuple[tuple[int, int, float], ...] = ((0, value, FOREVER),)
        self.linked = False
        self.accepted: tuple[int, int] | None = None  # in this link, since its last boot
        self.refuses = False  # its newest answer: nothing can be promised of it
        self.wire: tuple[int, int] | None = None  # id and value, sent and not answered
        self.waits: tuple[int, int] | None = None  # behind it
        self.offered = value  # by the newest plan
        self.seen = 0  # the newest id

    def copy(self) -> Worst:
        twin = Worst.__new__(Worst)
        for name in Worst.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin

    def top(self) -> int:
        return max(value for _, value, _ in self.entries)

    def age(self, now: float) -> None:
        """What was obeyed away is gone."""
        left = tuple(entry for entry in self.entries if entry[2] > now)
        assert left, "a charger follows something"
        self.entries = left

    def drew(self, amount_ma: int) -> None:
        """A sample at or under what it accepted proves that (decided.md)."""
        if self.accepted is not None and amount_ma <= self.accepted[1]:
            number = self.accepted[0]
            self.entries = tuple(entry for entry in self.entries if entry[0] >= number)

    def send(self, offer: tuple[int, int]) -> None:
        """The newest offer: on the wire, or behind the one that is not answered yet."""
        if self.wire is not None:
            self.waits = offer
            return
        self.wire = offer
        self.entries = (*self.entries, (*offer, FOREVER))

    def answered(self) -> tuple[int, int]:
        assert self.wire is not None
        offer, self.wire = self.wire, None
        if self.waits is not None:
            waiting, self.waits = self.waits, None
            self.send(waiting)
        return offer

    def cut_off(self) -> None:
        """The link is gone: what was on the wire may have arrived, what waited has not."""
        self.linked, self.wire, self.waits, self.accepted = False, None, None, None


class Small:
    """A site of two chargers, and what is true of it: the balancer, the clock, the chargers."""

    __slots__ = ("charger", "core", "excused", "granted", "is_over", "late_since", "measured",
                 "now", "raises", "read_at", "site")  # fmt: skip

    def __init__(self, site: Layout, core: Balancer) -> None:
        self.site, self.core = site, core
        self.now = BEGAN
        self.charger = {name: Worst(site.most_ma) for name in NAMES}
        self.excused = True  # from outside: the chargers appear with their maximum
        self.is_over = True
        self.late_since = FOREVER
        self.raises = 0  # so often a value was sent above all that might be followed
        self.measured, self.read_at, self.granted = 0, BEGAN, 0

    def fork(self, *, whole: bool = True) -> Small:
        """The same once more; not `whole`: one that is asked for the chargers alone."""
        twin = Small.__new__(Small)
        for name in Small.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.charger = {name: each.copy() for name, each in self.charger.items()}
        if whole:
            twin.core = copied(self.core, KEPT_APART if self.site.metered else NOT_COPIED)
        return twin

    # what may happen

    def feed(self, *facts: AnyFact) -> int:
        """Facts that come at this moment; how many plans were made of them."""
        return self._step(list(facts), due=False)

    def wake(self, at: float) -> None:
        self.now = max(self.now, at)
        for each in self.charger.values():
            each.age(self.now)
        self.judge()
        self._step([], due=True)

    def _step(self, facts: list[AnyFact], *, due: bool) -> int:
        plans = [out for out in take(self.core, facts, self.now, due=due) if isinstance(out, Plan)]
        for plan in plans:
            self.read(plan)
        self.judge()
        return len(plans)

    def read(self, plan: Plan) -> None:
        """A plan is carried out: what it tells anew is sent, if that holds."""
        linked = {o.charger: o for o in plan.offers if self.charger[o.charger].linked}
        promised = sum(o.limit_ma for o in linked.values())
        promised += sum(self.site.absent_ma for c in self.charger.values() if not c.linked)
        if not any(o.limit_ma for o in linked.values()) or promised <= self.site.limit_ma:
            self.late_since = FOREVER
        elif self.site.counts_absent and not any(self.charger[c].refuses for c in linked):
            self.late_since = min(self.late_since, self.now)
            if self.now - self.late_since >= DISPATCH_S:
                raise Violation(f"plans promise {promised} mA of {self.site.limit_ma}")
        for offer in plan.offers:
            of = self.charger[offer.charger]
            if offer.id == of.seen:
                continue
            of.seen, of.offered = offer.id, offer.limit_ma
            if not of.linked:
                continue
            before = of.top()
            of.send((offer.id, offer.limit_ma))
            self._judge_issue(offer.charger, before, offer.limit_ma)

    def _judge_issue(self, name: str, before: int, value: int) -> None:
        if value and not self.site.least_ma <= value <= self.site.most_ma:
            raise Violation(f"{name} is told {value} mA")  # INV-6
        total = sum(each.top() for each in self.charger.values())
        total += max(0, value - self.charger[name].top())  # also what waits behind the wire
        self.raises += value > before
        if value > before and total > self.site.limit_ma:
            raise Violation(f"{name} is raised to {value} mA: at worst {total} mA flow")  # INV-3
        if self.site.metered and value > before:
            self.granted += value - before
            age_s = self.now - self.read_at
            if age_s > FAILED_S and total > self.site.degraded_ma:
                raise Violation(f"{name} is raised over the degraded limit")
            if FRESH_S < age_s <= FAILED_S:
                raise Violation(f"{name} is raised on an old reading")  # INV-2, INV-4
            if age_s <= FRESH_S and self.measured + self.granted > self.site.fuse_ma:
                raise Violation(f"{name} is raised beyond the meter")  # INV-2

    def judge(self) -> None:
        """INV-1: at worst no more flows than the limit, unless a reboot has brought it about."""
        total = sum(each.top() for each in self.charger.values())
        self.is_over = total > self.site.limit_ma
        if self.is_over and not self.excused:
            raise Violation(f"{total} mA may flow under {self.site.limit_ma} mA")
        self.excused = self.excused and self.is_over

    def answer(self, name: str, outcome: Any) -> tuple[AnyFact, ...]:
        of = self.charger[name]
        number, value = of.wire or (0, 0)
        of.refuses = outcome == "rejected"
        if outcome == "accepted":
            of.accepted = (number, value)
            of.entries = tuple(
                (n, v, min(end, self.now + TAU_S) if n < number else end)
                for n, v, end in of.entries
            )
        elif outcome == "rejected":
            of.entries = tuple(entry for entry in of.entries if entry[0] != number)
        of.answered()
        assert value <= self.site.most_ma
        if not self.site.leased:
            return (OfferAnswered(name, 1, number, outcome, self.now),)
        return (OfferAnswered(name, 1, number, outcome, self.now, leased=True,
                              lease_s=DEAD_MAN_S, fallback_ma=self.site.fallback_ma),)  # fmt: skip

    def lose_link(self, name: str) -> tuple[AnyFact, ...]:
        of = self.charger[name]
        of.cut_off()
        if self.site.leased:  # each value it holds is the first period of a profile
            end = self.now + DEAD_MAN_S
            of.entries = (
                *((n, v, min(e, end)) for n, v, e in of.entries),
                (0, self.site.fallback_ma, FOREVER),
            )
        return (LinkLost(name, self.now),)

    def link(self, name: str) -> tuple[AnyFact, ...]:
        of = self.charger[name]
        of.linked = True
        # Whoever was away may come back as after a reboot (P 1): the books say so, and so do we.
        kept = tuple((n, v, FOREVER) for n, v, _ in of.entries)
        of.entries = (*kept, (0, self.site.most_ma, FOREVER))
        self.excused = True
        return (LinkUp(name, self.now),)

    def reboot(self, name: str) -> tuple[AnyFact, ...]:
        of = self.charger[name]
        of.wire = of.waits = of.accepted = None
        of.entries = (*of.entries, (0, self.site.most_ma, FOREVER))
        self.excused = True
        return (Booted(name, self.now),)

    def pass_time(self, seconds: float) -> None:
        """So much time, at the end of which the balancer is woken, late or not; then once more
        where that was long. Facts that come meanwhile wait for it.
        """
        self.wake(self.now + seconds)
        if seconds > 1.0:
            self.wake(self.now + 1.0)

    def meter(self, share: float) -> tuple[AnyFact, ...]:
        """A reading, and the chargers' own values: all that they may draw, or part of it."""
        draws = {name: round(each.top() * share) for name, each in self.charger.items()}
        self.measured = self.site.building_ma + sum(draws.values())
        self.read_at, self.granted = self.now, 0
        told: list[AnyFact] = []
        for name, of in self.charger.items():
            if of.linked:
                of.drew(draws[name])
                told.append(Drawn(name, 1, Phases(draws[name], 0, 0), "phases", self.now))
        reading = MeterRead(Phases(self.measured, 0, 0), (230_000,) * 3, self.now)
        return (*told, reading)

    def events(self) -> Iterator[tuple[str, Callable[[Small], tuple[AnyFact, ...] | None]]]:
        """All that can happen next; what gives facts takes no time."""
        yield "send", lambda s: s.pass_time(1.0)
        open_calls = any(of.wire is not None for of in self.charger.values())
        if self.site.tick_s < ANSWER_S or not open_calls:
            yield "tick", lambda s: s.pass_time(s.site.tick_s)
        for name in NAMES:
            of = self.charger[name]
            if of.wire is not None:
                for outcome in ("accepted", "rejected", "unknown"):
                    yield f"{outcome} {name}", partial(Small.answer, name=name, outcome=outcome)
            if of.linked:
                yield f"disconnect {name}", partial(Small.lose_link, name=name)
                yield f"reboot {name}", partial(Small.reboot, name=name)
            else:
                yield f"reconnect {name}", partial(Small.link, name=name)
        if self.site.metered:
            yield "meter high", partial(Small.meter, share=1.0)
            yield "meter low", partial(Small.meter, share=0.5)

    def key(self) -> bytes:
        """The same for states that differ in what time it is, in the numbers of offers, or in which
        charger is called A and which B.
        """
        now, old_s = self.now, self.site.old_s
        pair = []
        for name in NAMES:
            held: list[object] = [self._worst(name)]
            c = self.core._connectors[name, 1]
            numbers = {c.books.offer_id, *(n for n, _ in c.books._entries)}
            ranks = {number: place for place, number in enumerate(sorted(numbers))}
            plain = Plain(now, old_s, ranks)
            plain.add(c, held)
            plain.add(c.line, held)
            pair.append(repr(held))
        rest: list[object] = sorted(pair)
        Plain(now, old_s, {}).add(self.core, rest)
        rest += [self.excused, self.now - self.late_since]
        if self.site.metered:
            rest += [self.measured, self.granted, min(now - self.read_at, old_s)]
        return hashlib.blake2b(repr(rest).encode(), digest_size=16).digest()

    def _worst(self, name: str) -> tuple[Any, ...]:
        of = self.charger[name]
        flying = [w for w in (of.wire, of.waits) if w is not None]
        numbers = {of.seen, *(n for n, _, _ in of.entries), *(n for n, _ in flying)}
        rank = {number: place for place, number in enumerate(sorted(numbers))}
        newest: dict[tuple[int, float], int] = {}
        for number, value, end in of.entries:
            newest[value, end] = max(rank[number], newest.get((value, end), 0))
        entries = sorted((v, e - self.now, n) for (v, e), n in newest.items())
        accepted = of.accepted and rank.get(of.accepted[0], -1)
        on_wire = [(rank[n], v) for n, v in flying]
        return (entries, of.linked, of.refuses, accepted, on_wire, of.offered, rank[of.seen])


class Plain:
    """What lies in an object, without the time it is and without the numbers of offers."""

    def __init__(self, now: float, old_s: float, ranks: dict[int, int]) -> None:
        self._now, self._old_s, self._ranks = now, old_s, ranks

    def add(self, value: Any, to: list[object]) -> None:
        """All plain values in it, in their order."""
        kind = type(value)
        if kind is float:
            if BEGAN / 2 < value < FOREVER:
                value = round(max(value - self._now, -self._old_s), 3)
            to.append(value)
        elif kind is int:
            to.append(self._ranks.get(value, value) if value > BEGAN * 5 else value)
        elif kind in PLAIN or is_atom(kind) or isinstance(value, enum.Enum):
            to.append(value)
        elif kind in (set, frozenset):
            to.append(sorted(map(repr, value)))
        elif kind in (list, tuple, deque):
            to.append(len(value))
            for each in value:
                self.add(each, to)
        elif kind is dict:
            to.append(len(value))
            for name, each in value.items():
                to.append(name)
                self.add(each, to)
        else:
            for name in _names(value):
                if name not in NOTHING_TO_STATE:
                    self.add(getattr(value, name), to)


_NAMES: dict[type, tuple[str, ...]] = {}


def _names(value: object) -> tuple[str, ...]:
    """The attributes of an object."""
    kind = type(value)
    names = _NAMES.get(kind)
    if names is None:
        slots = [name for c in kind.__mro__ for name in vars(c).get("__slots__", ())]
        names = _NAMES[kind] = tuple(slots or vars(value))
    return names


def copied(core: Balancer, not_copied: frozenset[str]) -> Balancer:
    """A balancer of its own that stands where this one stands."""
    made: dict[int, object] = {}

    def copy(value: Any) -> Any:
        kind = type(value)
        if kind in PLAIN or kind is frozenset or is_atom(kind):
            return value
        if kind is tuple:
            return tuple([v if type(v) in PLAIN else copy(v) for v in value])
        if kind is list:
            return [v if type(v) in PLAIN else copy(v) for v in value]
        if kind is dict:
            return {name: copy(each) for name, each in value.items()}
        if kind is set:
            return set(value)
        if kind is deque:
            return deque(map(copy, value), value.maxlen)
        if isinstance(value, enum.Enum | type):
            return value
        if isinstance(value, MethodType):
            return getattr(copy(value.__self__), value.__name__)
        twin = made.get(id(value))
        if twin is None:
            twin = made[id(value)] = object.__new__(kind)
            for name in _names(value):
                held = getattr(value, name)
                if type(held) not in PLAIN and name not in not_copied:
                    held = copy(held)
                setattr(twin, name, held)
        return twin

    twin: Balancer = copy(core)
    return twin


class Layout:
    """What the site is made of, and how the exploration begins: under a meter, four seconds before
    a fall of the building by `falls_ma` counts, so that there is something to raise.
    """

    def __init__(
        self, *, limit_ma: int = 24_000, most_ma: int = 16_000, fallback_ma: int = 0,
        leased: bool = False, metered: bool = False, building_ma: int = 0, fuse_ma: int = 0,
        falls_ma: int = 0, tick_s: float = TAU_S,
    ) -> None:  # fmt: skip
        self.limit_ma, self.most_ma, self.least_ma = limit_ma, most_ma, 6_000
        self.fallback_ma, self.leased, self.tick_s = fallback_ma, leased, tick_s
        self.falls_ma = falls_ma
        self.degraded_ma = 2 * self.least_ma
        self.metered, self.building_ma, self.fuse_ma = metered, building_ma, fuse_ma
        self.counts_absent = not leased
        self.old_s = OLD_S
        if leased:
            self.old_s += DEAD_MAN_S
        if metered:
            self.old_s += HELD_S
        self.absent_ma = most_ma

    def settings(self) -> Settings:
        group = Group("both", self.limit_ma) if self.metered else None
        top = self.fuse_ma if self.metered else self.limit_ma
        degraded = LimitPhases(self.degraded_ma, self.degraded_ma, self.degraded_ma)
        return Settings(
            site=Site(
                limit_ma=LimitPhases(top, top, top), dead_man_s=round(DEAD_MAN_S),
                meter=MeterSettings(enabled=self.metered, degraded_ma=degraded),
            ),
            groups=(group,) if group else (),
            chargers=tuple(
                Charger(name, max_ma=self.most_ma, fallback_ma=self.fallback_ma,
                        group="both" if group else None)
                for name in NAMES
            ),
        )  # fmt: skip

    def begun(self, core: Callable[[Settings], Balancer] = Balancer) -> Small:
        """Both charge with what is theirs, and have for long."""
        small = Small(self, core(self.settings()))
        small.wake(BEGAN)
        for name in NAMES:
            small.charger[name].linked = True
            small.feed(
                ChargerKnown(name, (1,)), LinkUp(name, small.now),
                *([LeaseProven(name, small.now)] if self.leased else []),
                StatusSeen(name, 1, "Charging", small.now),
                SessionBegan(name, 1, 1, "", small.now, order=1.0),
            )  # fmt: skip
        self.building_ma += self.falls_ma
        for _ in range(1_200):
            self._all_well(small)
        self.building_ma -= self.falls_ma
        for _ in range(round(HELD_S) - 4 if self.falls_ma else 0):
            self._all_well(small)
        return small

    def _all_well(self, small: Small) -> None:
        if self.metered:
            small.feed(*small.meter(1.0))
        small.pass_time(1.0)
        for name in NAMES:
            while small.charger[name].wire is not None:
                small.feed(*small.answer(name, "accepted"))


class Found:
    """What an exploration has been through."""

    def __init__(self) -> None:
        self.states = 0
        self.transitions = 0
        self.by_depth: list[int] = []
        self.events: dict[str, int] = {}
        self.raises = 0
        self.plans_at_once = 0  # plans that a fact alone has brought about


Edge = list[tuple[Small, tuple[str, ...]]]


def explore(start: Small, depth: int) -> Found:
    """Every order of events to this depth; raises `Violation` with the way there."""
    found = Found()
    seen = {start.key()}
    edge: Edge = [(start, ())]
    for level in range(1, depth + 1):
        ahead: Edge = []
        for small, way in edge:
            for twin, longer in _all_next(small, way, found, is_last=level == depth):
                key = twin.key()
                if key not in seen:
                    seen.add(key)
                    ahead.append((twin, longer))
        found.by_depth.append(len(ahead))
        edge = ahead
    found.states = len(seen)
    return found


def _all_next(
    small: Small, way: tuple[str, ...], found: Found, *, is_last: bool
) -> Iterator[tuple[Small, tuple[str, ...]]]:
    """Whatever can happen in one state. At the last level a fact that makes no plan is not fed any
    more, since only what it says of the chargers is judged, and nothing comes after.
    """
    for name, event in small.events():
        takes_time = name in ("send", "tick")
        fed = not is_last or takes_time or small.site.metered
        twin = small.fork(whole=fed)
        try:
            facts = event(twin)
            if facts and fed:
                found.plans_at_once += twin.feed(*facts)
            twin.judge()
        except Violation as error:
            raise Violation(f"{error}, after {', '.join((*way, name))}") from None
        found.transitions += 1
        found.raises += twin.raises - small.raises
        kind = name.split()[0]
        found.events[kind] = found.events.get(kind, 0) + 1
        if not is_last:
            yield twin, (*way, name)
