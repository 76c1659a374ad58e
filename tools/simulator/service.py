"""Whether those who could charge do: balancing.md, Invariants 4 (Priority) and 5 (Live).

Room is reckoned at its least: beside all that anybody may draw by the books, and all that the
meter has shown for longer than the budget remembers.
"""

from __future__ import annotations

import math
from collections import deque

from tools.simulator.events import Event, FactTold, Planned, ProcessBegan
from tools.simulator.ledger import ETA_MIN, LEAST_MA, SITE, Post
from tools.simulator.ruling import SAYS_ELSE, Ruling

from linkray.model import facts

LOOK_S = 5.0
CALM_S = 180.0  # balancing.md, Calm: "constant after 3 min"
TURN_S = 15 * 60.0 + 60.0  # Live: "× 15 min + 1 min"; a sleeper is woken as seldom
SAFE_MODE_S = 400.0  # after three starts within five minutes it is a site of 0 A for five more
BUILDING_S = 75.0  # a fall of the building counts after 60 s, a meter is trusted 60 s after a loss
SLACK_MA = 2_500  # of noise and ramps …
SLACK_PART = 50  # … and this part of the limit
LACK_MA, LACK_SHARE = 2_000, 0.8  # so much less than it could use; watts are rounded by η too


class Service:
    """Live: who waits beside room has it soon. Priority: the high one's is not a normal one's."""

    def __init__(self, ruling: Ruling) -> None:
        self.ruling, self.ledger = ruling, ruling.ledger
        self._looked_at = self._began_at = -math.inf
        self._building: tuple[deque[tuple[float, int, int]], ...] = (deque(), deque(), deque())
        self._slept: dict[tuple[str, int], float] = {}
        self._vip: dict[tuple[str, int], bool] = {}
        self._waits: dict[tuple[str, int], float] = {}  # beside room for its minimum, since then
        self._charged_at = -math.inf  # anybody, as it was seen last
        self._lacks: dict[tuple[str, int], float] = {}  # beside a normal one that has current

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, ProcessBegan):
            self._began_at = now
            self._forget()
        elif isinstance(event, FactTold) and isinstance(event.fact, facts.SessionBegan):
            self._vip[event.fact.charger, event.fact.connector] = event.fact.vip
        elif isinstance(event, Planned) and now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._read(now)
            if self._is_open(now):
                self._live(now)
                self._priority(now)
            else:
                self._forget()

    def _forget(self) -> None:
        self._waits.clear()
        self._lacks.clear()

    def _is_open(self, now: float) -> bool:
        """Whether anybody may charge at all, and no device makes LinkRay see too little room."""
        if self.ruling.stopped_at is not None or now - self._began_at < SAFE_MODE_S:
            return False
        if self.ledger.settings.schedule and self.ruling.excluded(now) in (None, True):
            return False
        if self._is_overloaded():
            return False
        blinds = any(name in SAYS_ELSE for name, _ in self.ruling.wrong)
        return not blinds and None not in self.ruling.unlawful(now)

    def _is_overloaded(self) -> bool:
        """By the building, on whichever phase: "nothing is offered until it is over" (5)."""
        return self.ruling.site.meter.enabled and any(
            taken + SLACK_MA > self.ruling.limit_ma(SITE, leg, less_building=False)
            for leg, marks in enumerate(self._building) for _, taken, _ in marks
        )

    def _may_sleep(self, post: Post, now: float) -> bool:
        """Nobody knows that it is awake before it is woken: every 15 min, over a restart too."""
        return now - self._slept.get(post.key, -math.inf) <= TURN_S

    def _read(self, now: float) -> None:
        """What the building and all together were of late, and who sleeps."""
        for leg, marks in enumerate(self._building):
            taken = max(0, self.ledger.world.building.ma[leg])
            marks.append((now, taken, max(0, self.ruling.phases[leg].ma)))
            while marks[0][0] < now - BUILDING_S:
                marks.popleft()
        for post in self.ledger.under[SITE]:
            at = None if post.true is None else post.true.find(post.number)
            if at is None or at.car is None or post.true is None:
                continue
            if at.car.asleep or post.true.ignores_raises:  # either takes nothing that is offered
                self._slept[post.key] = now

    # -- Live ------------------------------------------------------------------------------------

    def _live(self, now: float) -> None:
        """With "room for at least one minimum, some active connector charges; no active connector
        waits longer than ⌈paused connectors ÷ places⌉ × 15 min + 1 min while its band has a place."
        """
        posts = self.ledger.under[SITE]
        charges = any(p.tx is not None and (p.told_ma or any(p.true_ma())) for p in posts)
        if charges:
            self._charged_at = now
        for post in posts:
            if post.told_ma or not self._could_ma(post, now) or not self._has_room(post, now):
                self._waits.pop(post.key, None)
                continue
            since = self._waits.setdefault(post.key, now)
            is_long = now - since > TURN_S + LOOK_S
            if not charges and not self._may_sleep(post, now):
                since_none = max(since, self._charged_at)
                is_long = is_long or now - since_none > CALM_S + LOOK_S
            if is_long:
                self.ruling.violated(
                    "Live", "waits although there is room for it", now, since=since,
                    connector=f"{post.charger}/{post.number}", charged_at=self._charged_at,
                )  # fmt: skip

    def _could_ma(self, post: Post, now: float) -> int:
        """What it would draw if it were told to; 0: it cannot be told, or its car wants nothing."""
        at = None if post.true is None else post.true.find(post.number)
        if post.tx is None or post.is_stopped or not post.is_shed_able(now):
            return 0
        if at is None or at.car is None or at.car.asleep or at.transaction is None:
            return 0
        if at.error != "NoError" or self.ledger.settings.charger(post.charger) is None:
            return 0
        could = min(self.ledger.most_ma(post.conf), at.car.most_ma())
        return could if could >= LEAST_MA else 0

    def _has_room(self, post: Post, now: float) -> bool:
        """Whether its minimum fits beside all that anybody may draw, absent or not."""
        site, conf = self.ruling.site, post.conf
        watts = conf.lowest_w()
        least = conf.lowest_ma() if watts is None else self.ledger.amps_ma(conf, watts)
        least = round(max(LEAST_MA, least) / ETA_MIN)
        if site.imbalance_ma is not None and site.imbalance_ma < 2 * least:
            return False
        for node in post.path:
            for leg in post.legs:
                limit = self.ruling.limit_ma(node, leg, less_building=False)
                used = self.ledger.sums[node * 3 + leg]
                used -= post.counted_ma if leg in post.counted_legs else 0
                if node == SITE and site.meter.enabled:
                    phase = self.ruling.phases[leg]
                    if not phase.is_healthy or now - phase.back_at < BUILDING_S:
                        return False
                    taken = max(building for _, building, _ in self._building[leg])
                    shown = max(ma for _, _, ma in self._building[leg])
                    used = max(used + taken, shown) + site.margin_ma
                if used + least + SLACK_MA + limit // SLACK_PART > limit:
                    return False
        return True

    # -- Priority ----------------------------------------------------------------------------------

    def _priority(self, now: float) -> None:
        """That "no normal connector holds current that a high one could use": where both stand
        under the same limits, on the same phases, so that nothing but that share holds it back.
        """
        if self.ruling.site.imbalance_ma is not None:
            return
        posts = [p for p in self.ledger.under[SITE] if p.tx is not None and p.is_linked]
        for post in posts:
            taken = self._is_high(post) and self._is_short(post, now) and any(
                p.path == post.path and p.told_ma >= LACK_MA and not self._is_high(p)
                and set(p.counted_legs) >= set(post.counted_legs) and p.is_shed_able(now)
                and not p.is_stopped for p in posts
            )  # fmt: skip
            if not taken:
                self._lacks.pop(post.key, None)
                continue
            since = self._lacks.setdefault(post.key, now)
            if now - since > CALM_S + LOOK_S:
                self.ruling.violated(
                    "Priority", "a normal one holds what a high one could use", now, since=since,
                    connector=f"{post.charger}/{post.number}", told_ma=post.told_ma,
                    others={f"{p.charger}/{p.number}": p.told_ma for p in posts},
                )  # fmt: skip

    def _is_high(self, post: Post) -> bool:
        return post.conf.priority == "high" or self._vip.get(post.key, False)

    def _is_short(self, post: Post, now: float) -> bool:
        """Whether it uses all it is told, and could clearly use more."""
        if post.possible.obey.sheds_late(post.obeys_after_s()):
            return False  # the current of an absent one is not for it (INV-5b)
        if not post.told_ma and self._may_sleep(post, now):
            return False
        uses = max(post.true_ma()) >= post.told_ma - LACK_MA // 2
        return uses and post.told_ma < self._could_ma(post, now) * LACK_SHARE - LACK_MA
