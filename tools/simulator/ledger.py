"""The checker's view of a site: every connector's possible set, summed under every limit.

Fed with the run's events; what it gives back are `Issue`s, one for each limit that went out to a
connector, with what it changed. Sums are kept up to date by differences, so that a frame costs
the same on a site of two hundred connectors as on one of two.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tools.simulator.books import SAMPLE_S, Entry, Possible, Told, read_told
from tools.simulator.events import FrameSeen
from tools.world import Charger as TrueCharger
from tools.world import World
from tools.world.car import NOTHING
from tools.world.profiles import Running

from linkray.model import facts
from linkray.model.plan import Offer
from linkray.model.settings import Charger, Settings
from linkray.model.units import site_phases

SITE = 0
LEAST_MA = 6_000  # IEC 61851
SLACK_MA = 20  # of rounding W → A
NO_CAR = frozenset({"Available", "Unavailable", "Faulted", "Reserved"})
RELEASE_SAMPLES = 3  # rule 7
RELEASE_MA, USED_MA = 500, 3_000  # a phase below the one, while another is above the other
STALE_INTERVALS, STALE_GRACE_S = 3, 5.0  # C9
STUCK_S = 11.0  # unanswered for so long it is not to be counted on: 1 s dispatch, 10 s obey time
AGED_S, AGED_S_MAX = 5.0, 900.0  # a value on its way is younger; a clock that was set steps more
STAMP = re.compile(r'"timestamp": ?"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"')
QUEUE_S = 10.0  # for so long after it was linked its values may be kept ones
FREE_S = 10.0  # how often an absent charger's lease is looked at
ETA_MIN = 0.85  # decided.md, DC efficiency
OUR_CALLS = ("SetChargingProfile", "ClearChargingProfile")


@dataclass(eq=False)
class Post:
    """One connector as it is seen from the wire."""

    charger: str
    number: int
    conf: Charger
    legs: tuple[int, ...]
    path: tuple[int, ...]  # nodes above it, the nearest first
    possible: Possible
    true: TrueCharger | None
    is_linked: bool = False
    lost_at: float = -math.inf
    tx: int | None = None
    began_at: float = -math.inf
    ended_at: float = -math.inf
    status: str | None = None
    told_ma: int = 0  # the newest value on the wire, for what runs now
    told_at: float = -math.inf
    told_highest: float = 0.0  # … in any of its periods, in its unit
    told_before_ma: int = 0
    is_told: bool = False  # anything, since the link stands
    open_since: float | None = None  # the newest value waits for its answer
    is_refused: bool = False
    is_stopped: bool = False  # RemoteStop was sent for what runs now
    drawn: tuple[int, int, int] = (0, 0, 0)
    drawn_at: float = -math.inf
    is_by_phase: bool = True  # its newest value says so of each phase; else it is shared out
    released: frozenset[int] = frozenset()
    idle_samples: list[int] = field(default_factory=lambda: [0, 0, 0])
    counted_ma: int = 0  # what of it stands in the sums
    counted_legs: tuple[int, ...] = ()
    due_at: float = math.inf  # when it must be looked at again
    linked_at: float = -math.inf
    takes_zero: bool = True  # as far as LinkRay has found out of its make (quirks.md)

    @property
    def key(self) -> tuple[str, int]:
        return self.charger, self.number

    def is_at_least(self, offer: Offer) -> bool:
        """The default of one that must or can not be told 0: while nobody charges nothing lower
        can be told, and who begins a session under a passed limit is stopped (C7).
        """
        if offer.session or (self.conf.start_with_zero and self.takes_zero):
            return False
        lowest_w = self.conf.lowest_w()
        if offer.limit_w is not None and lowest_w is not None:
            return offer.limit_w <= lowest_w
        return offer.limit_ma <= max(LEAST_MA, self.conf.lowest_ma()) + SLACK_MA

    def obeys_after_s(self) -> float:
        return 0.0 if self.true is None else self.true.obey_s

    def true_ma(self) -> tuple[int, int, int]:
        at = None if self.true is None else self.true.find(self.number)
        if self.true is None or at is None or at.drawn_ma == NOTHING:
            return NOTHING
        return self.true.on_site(at.drawn_ma)

    def is_shed_able(self, now: float) -> bool:
        """Whether a lower offer surely brings it down: linked, answering, obeying."""
        late = self.open_since is not None and now - self.open_since >= STUCK_S
        early = not self.is_told and now - self.linked_at < STUCK_S
        lost = late or early or self.is_refused or self.possible.is_caught
        return self.is_linked and not lost

    def aim_ma(self, now: float) -> int:
        """What it will come down to once what was sent to it is obeyed."""
        if self.is_stopped and self.is_shed_able(now):
            return 0
        if self.is_linked and self.tx is None:
            return self.counted_ma if not self.is_told else min(self.counted_ma, self.told_ma)
        if self.is_shed_able(now) and self.is_told:
            return min(self.counted_ma, self.told_ma)
        return self.counted_ma


@dataclass(frozen=True)
class Issue:
    """A limit that went out to a connector, and what it did to the books."""

    post: Post
    told: Told
    ma: int
    before_ma: int  # U before it
    after_ma: int
    least_ma: int  # the lowest that was possible before it
    told_before_ma: int  # the value told before it, for the same session
    is_new_session: bool
    is_lower: bool  # the lower one of a stacked pair: it rules only when the upper has ended


class Ledger:
    """All connectors, and the sums of what they may draw under every limit."""

    def __init__(self, settings: Settings, world: World) -> None:
        self.world = world
        self.now = 0.0
        self.posts: dict[tuple[str, int], Post] = {}
        self.by_charger: dict[str, list[Post]] = {}
        self.on_change: Callable[[Post], None] | None = None
        self._calls: dict[tuple[str, str], tuple[str, Any]] = {}
        self._ages: dict[str, tuple[float, float]] = {}  # its newest values: came when, how old
        self._proven: set[str] = set()  # chargers that were seen to honour their lease
        self._due: list[tuple[float, int, Post]] = []
        self._count = 0
        self.configure(settings)

    # -- the tree ------------------------------------------------------------------------------

    def configure(self, settings: Settings) -> None:
        """New settings: the tree anew, every connector's place in it."""
        self.settings = settings
        self.names: list[str] = ["site"]
        self.limits: list[int] = [*settings.site.limit_ma.phases()]
        self.under: list[list[Post]] = [[]]
        parents = {g.name: g.parent for g in settings.groups}
        places: dict[str, int] = {}
        for group in settings.groups:
            places[group.name] = self._node(group.name, group.limit_ma)

        def feeds(group: str | None) -> list[int]:
            """The nodes above a charger of that group; of none, where it is no more."""
            path = []
            while group is not None and group in places:
                path.append(places[group])
                group = parents[group]
            return [*path, SITE]

        posts: dict[tuple[str, int], Post] = {}
        for conf in settings.chargers:
            path = feeds(conf.group)
            if conf.supply_limit_ma is not None:
                path.insert(0, self._node(f"supply {conf.id}", conf.supply_limit_ma))
            for number in self._numbers(conf.id):
                posts[conf.id, number] = self._post(conf, number, tuple(path))
        for key, post in self.posts.items():  # deleted, and its link stands: counted (C25)
            if key not in posts and post.is_linked:
                post.path = tuple(feeds(post.conf.group))
                posts[key] = post
        self.posts = posts
        self.by_charger = {}
        self.sums = [0] * len(self.limits)
        for post in posts.values():
            self.by_charger.setdefault(post.charger, []).append(post)
            post.counted_ma, post.counted_legs = 0, ()
            for node in post.path:
                self.under[node].append(post)
            self.count(post)

    def _node(self, name: str, limit_ma: int) -> int:
        self.names.append(name)
        self.limits += [limit_ma] * 3
        self.under.append([])
        return len(self.names) - 1

    def _numbers(self, charger: str) -> range:
        true = self.world.chargers.get(charger)
        return range(1, 1 + (len(true.connectors) if true is not None else 1))

    def _post(self, conf: Charger, number: int, path: tuple[int, ...]) -> Post:
        legs = site_phases(conf.connection)
        post = self.posts.get((conf.id, number))
        if post is None:
            true = self.world.chargers.get(conf.id)
            post = Post(conf.id, number, conf, legs, path, Possible(0), true)
        post.conf, post.legs, post.path = conf, legs, path
        post.possible.most_ma = self.most_ma(conf)
        gives = 1.0 if post.true is None else post.true.make.efficiency
        post.possible.spread = max(1.0, gives / ETA_MIN) if conf.unit == "W" else 1.0
        return post

    def most_ma(self, conf: Charger) -> int:
        """M: the most it may draw per phase, by its settings."""
        watts = conf.highest_w()
        return conf.highest_ma() if watts is None else self.amps_ma(conf, watts)

    def amps_ma(self, conf: Charger, watts: float) -> int:
        """W → A per phase, with the lowest plausible voltage and cos φ 1."""
        lowest_mv = min(self.settings.site.voltage_mv, *(
            self.world.volts_mv[leg] for leg in site_phases(conf.connection)
        ))  # fmt: skip
        split = 2.0 if self.settings.site.split_mode == "240" else math.sqrt(3.0)
        parts = {1: 1.0, 2: split, 3: 3.0}[conf.phases]
        true = self.world.chargers.get(conf.id)
        gives = 1.0 if true is None else true.make.efficiency  # what it takes, for what it gives
        return math.ceil(watts * 1e6 / (lowest_mv * parts * gives))

    def value_ma(self, conf: Charger, unit: str, limit: float) -> int:
        if not math.isfinite(limit):
            return self.most_ma(conf)
        return round(limit * 1000) if unit == "A" else self.amps_ma(conf, limit)

    # -- sums ------------------------------------------------------------------------------------

    def top_ma(self, post: Post) -> int:
        """U of a connector, before wiring."""
        if not post.is_linked:
            return self._absent_ma(post)
        if post.tx is None:
            if post.status in NO_CAR and not post.possible.is_caught:
                return 0
            return post.possible.top_ma(self.now, in_session=False)
        return post.possible.top_ma(self.now, in_session=True)

    def _absent_ma(self, post: Post) -> int:
        """All it can, or what its lease truly leaves it once the dead-man time is over.

        All it can is {M}, and what it was told before M was lowered: a "disconnect adds F, removes
        nothing" (rule 6).
        """
        told = post.possible.top_ma(self.now, in_session=post.tx is not None)
        most, true = max(post.possible.most_ma, told), post.true
        over = self.now >= post.lost_at + self.settings.site.dead_man_s
        if not over or true is None or not math.isfinite(post.lost_at):
            return most
        if post.charger not in self._proven:  # "for others no lease credit is taken" (rule 5)
            return most
        at = true.find(post.number)
        if at is None:
            return most
        clock = true.clock()
        running = at.transaction.running if at.transaction else Running(None, clock)
        now_ma = true.book.limit(post.number, clock, running).ma
        return min(most, max(now_ma, at.pilot_ma))

    def _released_until(self, post: Post) -> float:
        """C9: "value marked stale after 3 intervals", its charger's own where those are longer, and
        then "possible-current = limit, never historic".
        """
        own_s = 0.0 if post.true is None else post.true.sample_interval_s()
        interval_s = max(self.settings.site.measurand_interval_s, own_s)
        return post.drawn_at + STALE_INTERVALS * interval_s + STALE_GRACE_S

    def count(self, post: Post) -> None:
        """Bring what stands in the sums up to what is so."""
        if post.released and self.now >= self._released_until(post):
            post.released, post.idle_samples = frozenset(), [0, 0, 0]
        top = self.top_ma(post)
        legs = tuple(leg for leg in post.legs if leg not in post.released)
        if (top, legs) != (post.counted_ma, post.counted_legs):
            sums = self.sums
            for node in post.path:
                for leg in post.counted_legs:
                    sums[node * 3 + leg] -= post.counted_ma
                for leg in legs:
                    sums[node * 3 + leg] += top
            post.counted_ma, post.counted_legs = top, legs
            if self.on_change is not None:
                self.on_change(post)
        at = min(post.possible.proves_at(post.obeys_after_s()),
                 post.possible.next_end(self.now))  # fmt: skip
        if not post.is_linked and top:
            at = min(at, self.now + FREE_S)
        if post.released:
            at = min(at, self._released_until(post))
        at = max(at, self.now + 0.001)
        if at < post.due_at:
            self._count += 1
            post.due_at = at
            heapq.heappush(self._due, (at, self._count, post))

    def advance(self, now: float) -> None:
        """Let obey times and leases run out."""
        self.now = now
        while self._due and self._due[0][0] <= now:
            at, _, post = heapq.heappop(self._due)
            if at == post.due_at and self.posts.get(post.key) is post:
                post.due_at = math.inf
                post.possible.prove(now, post.obeys_after_s())
                if not self._waits(post):
                    self.count(post)

    def _waits(self, post: Post) -> bool:
        """Whether it stands in the list of what is due already, for later."""
        if post.released and self.now >= self._released_until(post):
            return False
        at = post.possible.proves_at(post.obeys_after_s())
        return at <= self.now  # contradicted: only a sample can help

    # -- the wire ----------------------------------------------------------------------------------

    def frame(self, event: FrameSeen) -> list[Issue]:
        """A text on a link; the limits that it told."""
        text = event.text
        if event.way == "out":
            if text[:2] == "[2" and any(word in text for word in OUR_CALLS):
                return self._called(event)
            if text[:2] == "[2" and "RemoteStopTransaction" in text:
                self._stopped(event)
        elif text[:2] in ("[3", "[4") and self._calls:
            self._answered(event)
        elif "MeterValues" in text:
            self._ages[event.charger] = self.now, self._age_s(event)
        return []

    def _age_s(self, event: FrameSeen) -> float:
        """How old its values are by their stamp and its own clock, as far as that was not set."""
        true = self.world.chargers.get(event.charger)
        stamps = STAMP.findall(event.text)
        if true is None or not stamps:
            return 0.0
        age_s = true.clock() - max(datetime.fromisoformat(stamp).timestamp() for stamp in stamps)
        return age_s if AGED_S < age_s < AGED_S_MAX else 0.0

    def _called(self, event: FrameSeen) -> list[Issue]:
        _, call, action, asked = event.message[:4]
        if action == "ClearChargingProfile":
            self._calls[event.charger, call] = (action, asked.get("id"))
            return []
        if action != "SetChargingProfile":
            return []
        told = read_told(asked)
        self._calls[event.charger, call] = (action, told)
        posts = self.by_charger.get(event.charger, ())
        meant = [p for p in posts if told.connector in (0, p.number)]
        return [self._issue(post, told, call) for post in meant]

    def _issue(self, post: Post, told: Told, call: str) -> Issue:
        self.count(post)
        before = post.counted_ma
        least = post.possible.least_ma(in_session=post.tx is not None)
        elapsed_s = self._elapsed_s(post, told)
        limit, left_s, after = told.at(elapsed_s)
        # Rule 2, also where its first period is over by a clock that may yet be set back.
        limit = max(limit, told.limits[0])
        ma = min(post.possible.most_ma, self.value_ma(post.conf, told.unit, limit))
        if told.duration_s is not None:
            left_s = min(left_s, told.duration_s - elapsed_s)
        post.possible.issue(told, Entry(
            call, told.profile_id, ma, self.now, self.now + left_s,
            left_s + elapsed_s if elapsed_s == 0 else math.inf,
            min(post.possible.most_ma, self.value_ma(post.conf, told.unit, after)),
            has_floor=told.duration_s is None,
        ))  # fmt: skip
        was = post.told_ma if post.is_told else least
        is_new = post.is_told is False or post.told_at < post.began_at
        is_lower = told.duration_s is None and self._has_upper(post, told)
        if not is_lower:
            post.told_before_ma, post.told_ma, post.told_at = was, ma, self.now
            post.is_told, post.is_refused = True, False
            post.told_highest = max(told.limits)
        if post.open_since is None:
            post.open_since = self.now
        self.count(post)
        return Issue(post, told, ma, before, post.counted_ma, least, was, is_new, is_lower)

    def _has_upper(self, post: Post, told: Told) -> bool:
        """Whether it is the lower one of a stacked pair: it rules only when the upper has ended."""
        rank, level = told.slot
        return any(e.ends_at > self.now and not e.has_floor
                   for e in post.possible.slots.get((rank, level - 1), ()))  # fmt: skip

    def _elapsed_s(self, post: Post, told: Told) -> float:
        """How far into its schedule the charger will take it to be."""
        true = post.true
        at = None if true is None else true.find(post.number)
        if true is None or at is None or not told.is_relative or true.make.from_arrival:
            return 0.0
        return max(0.0, true.clock() - at.transaction.began) if at.transaction else 0.0

    def _stopped(self, event: FrameSeen) -> None:
        _, _, action, asked = event.message[:4]
        if action == "RemoteStopTransaction":
            for post in self.by_charger.get(event.charger, ()):
                if post.tx == asked.get("transactionId"):
                    post.is_stopped = True

    def _answered(self, event: FrameSeen) -> None:
        message = event.message
        if len(message) < 3:
            return
        known = self._calls.pop((event.charger, message[1]), None)
        if known is None:
            return
        action, meant = known
        said = message[2] if message[0] == 3 and isinstance(message[2], dict) else {}
        status = said.get("status") if message[0] == 3 else message[2]
        for post in self.by_charger.get(event.charger, ()):
            if action == "ClearChargingProfile":
                if status in ("Accepted", "Unknown") and meant is not None:  # taken away, or none
                    post.possible.cleared(meant)
            elif meant.connector in (0, post.number):
                self._judged(post, message[1], str(status))
            self.count(post)

    def _judged(self, post: Post, call: str, status: str) -> None:
        """Rules 3 and 4 for the answer to a value."""
        if status == "Accepted":
            if post.possible.accepted(call, self.now):
                found = post.possible.find(call)
                if found is not None and found[1].issued_at >= post.told_at:
                    post.open_since, post.is_refused = None, False
        elif status in ("Rejected", "NotSupported", "NotImplemented") and (
            post.possible.rejected(call)
        ):
            post.is_refused = True
            post.open_since = None

    # -- facts -------------------------------------------------------------------------------------

    def began(self) -> None:
        """A new process: nothing is known of anybody (rule 1)."""
        self._calls.clear()
        for post in self.posts.values():
            post.is_linked, post.lost_at, post.tx = False, -math.inf, None
            post.is_told = False
            self._forget(post)
            self.count(post)

    def _forget(self, post: Post) -> None:
        post.possible.forget(self.now)
        post.released = frozenset()
        post.idle_samples = [0, 0, 0]
        post.open_since, post.is_refused = None, False

    def fact(self, fact: facts.AnyFact) -> None:
        """What the balancer is told by the rooms around it."""
        if isinstance(fact, facts.Drawn):
            self._drawn(fact)
        elif isinstance(fact, facts.ChargerKnown):
            for post in self.by_charger.get(fact.charger, ()):
                post.takes_zero = fact.takes_zero
        elif isinstance(fact, facts.LeaseProven):
            (self._proven.add if fact.is_proven else self._proven.discard)(fact.charger)
            for post in self.by_charger.get(fact.charger, ()):
                self.count(post)
        elif isinstance(fact, facts.LinkUp | facts.LinkLost | facts.Booted):
            if isinstance(fact, facts.LinkUp) and fact.charger not in self.by_charger:
                self._stranger(fact.charger)
            for post in self.by_charger.get(fact.charger, ()):
                self._linked(post, fact)
                self.count(post)
        elif isinstance(fact, facts.SessionBegan | facts.SessionEnded | facts.StatusSeen):
            found = self.posts.get((fact.charger, fact.connector))
            if found is not None:
                self._session(found, fact)
                self.count(found)

    def _stranger(self, charger: str) -> None:
        """One that is not in the settings has linked: counted as new, adopted or not (C25, C26)."""
        conf = Charger(charger)
        for number in self._numbers(charger):
            post = self.posts[charger, number] = self._post(conf, number, (SITE,))
            self.by_charger.setdefault(charger, []).append(post)
            self.under[SITE].append(post)

    def _linked(self, post: Post, fact: facts.AnyFact) -> None:
        if isinstance(fact, facts.LinkLost):
            post.is_linked, post.lost_at = False, self.now
            post.released = frozenset()
            post.idle_samples = [0, 0, 0]
            post.status = None
            post.open_since = None
        else:
            post.is_told = False
            if isinstance(fact, facts.LinkUp):
                post.is_linked, post.linked_at = True, self.now
            self._forget(post)

    def _session(self, post: Post, fact: facts.AnyFact) -> None:
        if isinstance(fact, facts.SessionBegan):
            if post.tx != fact.transaction_id:
                post.tx, post.began_at, post.is_stopped = fact.transaction_id, self.now, False
                post.released, post.idle_samples = frozenset(), [0, 0, 0]
                post.possible.session_began(self.now)
                post.drawn = (0, 0, 0)
        elif isinstance(fact, facts.SessionEnded):
            if post.tx == fact.transaction_id:
                post.tx, post.is_stopped, post.ended_at = None, False, self.now
                post.possible.session_ended()
                post.drawn = (0, 0, 0)
                post.told_ma = min(post.told_ma, post.possible.top_ma(self.now, in_session=False))
                if post.status in ("Charging", "SuspendedEV", "SuspendedEVSE"):
                    post.status = "Finishing"
        elif isinstance(fact, facts.StatusSeen):
            post.status = fact.status

    def _drawn(self, fact: facts.Drawn) -> None:
        post = self.posts.get((fact.charger, fact.connector))
        if post is None or fact.source == "assumed":
            return
        post.drawn = (fact.current_ma.l1, fact.current_ma.l2, fact.current_ma.l3)
        if self.now >= self._released_until(post):  # a gap: what was seen before it is not fresh
            post.idle_samples = [0, 0, 0]
        post.drawn_at = self.now
        post.is_by_phase = fact.source == "phases"
        used = max(post.drawn[leg] for leg in post.legs)
        # What comes as soon as it is linked may be from its queue (C20): no fresh sample.
        over_s = max(fact.over_s, QUEUE_S) if self.now < post.linked_at + QUEUE_S else fact.over_s
        # decided.md: "`Accepted` and a *fresh* sample". What a charger kept says nothing of now.
        came_at, age_s = self._ages.get(fact.charger, (-math.inf, 0.0))
        is_of_them = came_at >= self.now - SAMPLE_S
        at = min(fact.at, self.now - age_s) if is_of_them else min(fact.at, self.now)
        post.possible.sampled(used, at, self.now, post.obeys_after_s(), over_s)
        if fact.source == "phases" and len(post.legs) == 3 and post.tx is not None:
            self._release(post, used)
        else:  # "counts again on any sample above", a total too, once that truly flows (rule 7)
            true = post.true_ma()
            post.released = frozenset(
                leg for leg in post.released if min(post.drawn[leg], true[leg]) < RELEASE_MA
            )
        self.count(post)

    def _release(self, post: Post, used: int) -> None:
        """Rule 7: what carries nothing for three fresh samples is not counted, until it does."""
        released = set(post.released)
        for leg in post.legs:
            if post.drawn[leg] >= RELEASE_MA:
                post.idle_samples[leg] = 0
                released.discard(leg)
            elif used > USED_MA:
                post.idle_samples[leg] += 1
                if post.idle_samples[leg] >= RELEASE_SAMPLES:
                    released.add(leg)
            else:
                post.idle_samples[leg] = 0
        post.released = frozenset(released)
