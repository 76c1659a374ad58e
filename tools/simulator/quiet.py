"""INV-15: constant inputs, constant offers; under the reference noise few changes; nobody starves.

An input is anything that may move an offer: sessions, links, statuses, settings, faults, what the
building takes, what a car draws of its own accord.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from tools.simulator.events import (
    EmergencyAsked,
    Event,
    FactTold,
    FaultBegan,
    FaultEnded,
    LimitsChanged,
    Planned,
    ProcessBegan,
    ProcessEnded,
    Stepped,
    WallStepped,
)
from tools.simulator.ledger import Issue, Post
from tools.simulator.ruling import Ruling
from tools.world.car import NOTHING

from linkray.model import facts

CONSTANT_S = 180.0  # balancing.md, Calm: "constant after 3 min"; INV-15 has 5: the stricter holds
APART_S = 30.0  # balancing.md, Calm
STILL_MA = 200  # a building that moves by no more is constant
NOISE_MA = 2_000  # trust.md 1, Model: the reference noise
CAR_MA = 1_000  # a car that draws so much more or less under the same offer has its own ideas
TAPER_MA = 900  # one that draws so much less than it did at its newest offer: its battery fills
DEMAND_S = 60.0  # balancing.md 2: what it has used at the most for so long …
DEMAND_MA = 150  # … and the threshold is what it is told where it uses no more, once rounded
FILLS_S = 900.0  # it may have been told so long ago before: others' doings lie between
HOUR_S = 3_600.0
CHANGES_MAX = 10  # of a charger in an hour
CHANGE_MA = 50
TURN_S = 900.0  # balancing.md 3
MAKES_ROOM_S, FOLLOWS_S = 60.0, 150.0  # before and after a turn its neighbours may move
HUNGRY_MA = 6_000
BEGIN = (ProcessBegan, ProcessEnded, LimitsChanged, EmergencyAsked, FaultBegan, FaultEnded,
         WallStepped)  # fmt: skip
INPUTS = (
    facts.LinkUp, facts.LinkLost, facts.Booted, facts.SessionBegan, facts.SessionEnded,
    facts.MeterLost, facts.MeterBack, facts.SettingsChanged, facts.EmergencyStopped,
    facts.CeilingSealed, facts.LeaseProven, facts.ObeyTimeKnown,
)  # fmt: skip


class Change(NamedTuple):
    """A connector was told another value."""

    at: float
    key: tuple[str, int]
    before_ma: int
    to_ma: int
    last_at: float  # the change before it
    is_unmoved: bool  # no input has moved for three minutes
    is_unstirred: bool  # … or only within the reference noise


class Quiet:
    """INV-15 quiet steady state."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self.changes = 0
        self._moved_at = -math.inf  # the newest input that moved at all
        self._stirred_at = -math.inf  # … that moved beyond the reference noise
        self._building: tuple[int, int, int] | None = None
        self._band: list[tuple[int, int]] = []  # lowest and highest since something stirred
        self._drawn: dict[tuple[str, int], int] = {}
        self._peak: dict[tuple[str, int], int] = {}  # drawn since its offer changed, once settled
        self._used: dict[tuple[str, int], deque[tuple[float, int]]] = {}  # for a quarter of an hour
        self._changed_at: dict[tuple[str, int], float] = {}  # its offer; a renewal changes none
        self._told: dict[tuple[str, int], int] = {}
        self._hour: dict[str, deque[float]] = {}
        self._waits: dict[tuple[str, int], float] = {}
        self._offers: dict[tuple[str, int], int] = {}  # of the newest plan
        self._turned_at = -math.inf  # the newest change of one that waits, sleeps or is paused
        self._pending: deque[Change] = deque()  # changes that may have made room for a turn

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, BEGIN):
            self._stir(now)
        elif isinstance(event, FactTold):
            self._fact(event.fact, now)
        elif isinstance(event, Stepped):
            self._step(now)
        elif isinstance(event, Planned):
            self._offers = {(o.charger, o.connector): o.limit_ma for o in event.plan.offers}
            self._starving(now)
        for issue in self.ruling.issues:
            self._issue(issue, now)

    def _stir(self, now: float) -> None:
        self._moved_at = self._stirred_at = now
        self._hour.clear()
        self._waits.clear()

    def _fact(self, fact: facts.AnyFact, now: float) -> None:
        if isinstance(fact, INPUTS):
            self._stir(now)
        elif isinstance(fact, facts.StatusSeen):
            post = self.ledger.posts.get((fact.charger, fact.connector))
            if post is not None:
                self._stir(now)
        elif isinstance(fact, facts.Drawn):
            self._car(fact, now)

    def _car(self, fact: facts.Drawn, now: float) -> None:
        """A value that has changed, other than by following a new offer, is an input."""
        key = fact.charger, fact.connector
        post = self.ledger.posts.get(key)
        if post is None:
            return
        used = max(fact.current_ma)
        follows = now - post.told_at <= 2 * self.ruling.site.measurand_interval_s
        before = self._drawn.get(key)
        if before is None or abs(used - before) > CAR_MA:
            self._drawn[key] = used
            if not follows or before is None:
                self._stir(now)
        recent = self._used.setdefault(key, deque())
        recent.append((now, used))
        while recent[0][0] < now - FILLS_S:
            recent.popleft()
        settles = now - self._changed_at.get(key, now) <= 2 * self.ruling.site.measurand_interval_s
        self._peak[key] = used if settles else max(used, self._peak.get(key, used))

    def _step(self, now: float) -> None:
        while self._pending and self._pending[0].at < now - MAKES_ROOM_S:
            self._judge(self._pending.popleft())
        building = self._unreached()
        if self._building is None or any(
            abs(a - b) > STILL_MA for a, b in zip(building, self._building, strict=True)
        ):
            self._building, self._moved_at = building, now
        else:
            return
        self._band = [
            (min(low, ma), max(high, ma))
            for (low, high), ma in zip(self._band or [(ma, ma) for ma in building], building,
                                       strict=True)
        ]  # fmt: skip
        if any(high - low > 2 * NOISE_MA + STILL_MA for low, high in self._band):
            self._band = [(ma, ma) for ma in building]
            self._stir(now)

    def _unreached(self) -> tuple[int, int, int]:
        """What the building takes, and beside it who is lost: what these leave, others get."""
        taken = self.ledger.world.building.ma
        for post in self.ledger.posts.values():
            if not post.is_linked:
                ours = post.true_ma()
                taken = (taken[0] + ours[0], taken[1] + ours[1], taken[2] + ours[2])
        return taken

    def _issue(self, issue: Issue, now: float) -> None:
        key = issue.post.key
        before = self._told.get(key)
        if issue.is_lower or (before is not None and (
            abs(before - issue.ma) < CHANGE_MA or self._is_in_whole(key, before, issue.ma)
        )):  # fmt: skip
            return
        changed_at = self._changed_at.get(key, -math.inf)
        self._told[key], self._changed_at[key] = issue.ma, now
        if before is None or issue.is_new_session:
            return
        self.changes += 1
        if self._has_tapered(issue.post, now) or self._tapers():
            self._moved_at = now  # also for those who get what it leaves
        change = Change(
            now, key, before, issue.ma, changed_at,
            now - self._moved_at > CONSTANT_S, now - self._stirred_at > CONSTANT_S,
        )  # fmt: skip
        if not self._takes_turns():
            self._judge(change)
        elif not issue.ma or not before or issue.post.drawn == NOTHING:
            # Its turn, or a sleeper's: room is made for it just before, and is given out after it.
            self._turned_at = now
            while self._pending and self._pending[-1].at >= now - MAKES_ROOM_S:
                self._pending.pop()
        elif now - self._turned_at > FOLLOWS_S:
            self._pending.append(change)

    def _is_in_whole(self, key: tuple[str, int], before_ma: int, to_ma: int) -> bool:
        """Whether it is what it was told and is still offered, in whole amperes: another way to
        say it to a charger that does not do it (balancing.md 4).
        """
        return (
            to_ma == before_ma // 1000 * 1000
            and abs(self._offers.get(key, to_ma) - before_ma) < CHANGE_MA
        )

    def _judge(self, change: Change) -> None:
        """A change that no input and nobody's turn has brought about."""
        told = {"connector": f"{change.key[0]}/{change.key[1]}", "before_ma": change.before_ma,
                "told_ma": change.to_ma}  # fmt: skip
        if change.is_unmoved:
            self.ruling.violated("INV-15", "changed although nothing has moved for 3 min",
                                 change.at, **told)  # fmt: skip
        if not change.is_unstirred or change.at < self._stirred_at:
            return
        # Calm: "no connector changes more than once in 30 s, except to protect a limit", as a
        # cut may.
        if change.to_ma > change.before_ma and change.at - change.last_at < APART_S:
            self.ruling.violated("INV-15", "changed twice within 30 s", change.at,
                                 changed_at=change.last_at, **told)  # fmt: skip
        charger = change.key[0]
        hour = self._hour.setdefault(charger, deque())
        hour.append(change.at)
        while hour[0] < change.at - HOUR_S:
            hour.popleft()
        if len(hour) > CHANGES_MAX * len(self.ledger.by_charger.get(charger, ())):
            self.ruling.violated("INV-15", "changed too often within an hour", change.at,
                                 charger=charger, changes=len(hour))  # fmt: skip

    def _has_tapered(self, post: Post, now: float) -> bool:
        """Whether its battery fills: too slow a fall to stir, and yet no constant input."""
        used = max(post.drawn)
        peak, self._peak[post.key] = self._peak.get(post.key, used), used
        return peak - used >= TAPER_MA or self._follows_use(post, now)

    def _follows_use(self, post: Post, now: float) -> bool:
        """Whether it is told just what a car uses that fills, however others' offers have moved."""
        recent, site = self._used.get(post.key, ()), self.ruling.site
        since = now - DEMAND_S - site.measurand_interval_s
        shown = max((used for at, used in recent if at >= since), default=0)
        return (
            abs(self._told[post.key] - shown - site.reduction_threshold_ma) <= DEMAND_MA
            and max((used for _, used in recent), default=0) - max(post.drawn) >= TAPER_MA
        )  # fmt: skip

    def _tapers(self) -> bool:
        """Whether such a one is about to be told less by the same plan: its frame comes later."""
        return any(
            self._peak.get(key, 0) - max(post.drawn) >= TAPER_MA
            and self._told.get(key, 0) - self._offers.get(key, 0) >= CHANGE_MA
            for key, post in self.ledger.posts.items() if post.is_linked and post.tx is not None
        )

    def _takes_turns(self) -> bool:
        """Whether somebody waits at 0, or sleeps: then time itself moves the offers, but only
        those around the turns (balancing.md 2 and 3: "every 15 min", "for 60 s").
        """
        return any(p.is_linked and p.tx is not None and (not p.told_ma or p.drawn == NOTHING)
                   for p in self.ledger.posts.values())  # fmt: skip

    # -- nobody starves ----------------------------------------------------------------------

    def _starving(self, now: float) -> None:
        """balancing.md, Live: who waits while its band charges has a bound to its waiting."""
        if self.ruling.site.fifo or self.ruling.stopped_at is not None:
            return
        bands: dict[tuple[object, ...], list[Post]] = {}
        for post in self.ledger.posts.values():
            if post.tx is not None and post.is_linked and self._is_hungry(post):
                band = post.path, post.legs, post.conf.priority
                bands.setdefault(band, []).append(post)
        for posts in bands.values():
            waiting = [p for p in posts if not p.told_ma]
            places = len(posts) - len(waiting)
            for post in posts:
                if post.told_ma or not places:
                    self._waits.pop(post.key, None)
                    continue
                since = self._waits.setdefault(post.key, now)
                bound = math.ceil(len(waiting) / places) * TURN_S + 60.0
                if now - since > bound:
                    self.ruling.violated("INV-15", "waits for longer than its bound", now,
                                         connector=f"{post.charger}/{post.number}", since=since,
                                         waiting=len(waiting), places=places)  # fmt: skip

    def _is_hungry(self, post: Post) -> bool:
        at = None if post.true is None else post.true.find(post.number)
        return (
            at is not None and at.car is not None and not at.car.asleep
            and at.car.most_ma() >= HUNGRY_MA and at.transaction is not None
        )  # fmt: skip
