"""What the chargers may use on each phase of the site: the limit, the building, the meter's rules.

Knows the meter's readings and what the chargers drew, not who drew it (balancing.md 1).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import msgspec

from linkray.model.facts import MeterRead
from linkray.model.plan import Code, Held
from linkray.model.settings import Site
from linkray.model.units import PHASES, Phases

FRESH_S = 3.0  # an older reading raises nothing (trust.md M1)
FAILED_S = 5.0  # an older reading is none
HIGH_WATER_S = 60.0  # a fall of the building counts after this time
SETTLED_S = 5.0  # what the building was just now, against which growth is seen
HOLD_S = 60.0  # after a failure in operation, offers rise above the degraded ones only then
CALM_S = 10.0  # nothing rises so soon after a failure, also not to the degraded limit
GOOD_POLLS = 5  # in a row, and the meter is healthy again
MINUTES_OF_VOLTAGE = 10  # decided.md, Voltage for W → A
MV_MIN, MV_MAX = 90_000, 260_000  # metering.md, Reading
UNBOUND = 1 << 60  # mA that no site has: nothing is known against a raise
OVERLOADED_S = 30.0  # balancing.md 5
JUMP_MA = 3_000  # so much at once is no noise: fresh values of the chargers tell whose it is

Three = tuple[int, int, int]


class Draws:
    """By phase, what the chargers draw, as far as it is known."""

    __slots__ = ("absent", "drawn", "falling", "granted", "rising", "unheard", "unproved")

    def __init__(self) -> None:
        self.drawn = [0, 0, 0]  # by fresh values, with that of chargers lost just now
        self.absent = [0, 0, 0]  # of these alone
        self.unproved = [0, 0, 0]  # what of it no value shows on this very phase
        self.falling = [0, 0, 0]  # ended, and perhaps still on the meter
        self.rising = [0, 0, 0]  # may have come since
        self.granted = [0, 0, 0]  # the same with raises that were taken back, and not proved yet
        self.unheard = [0, 0, 0]  # may be there already, of sessions that have not been heard of


class SiteBudget(msgspec.Struct, frozen=True):
    """The site's part of a plan, phase by phase, before reserves."""

    limit: Three  # in force: the degraded limit where it rules
    full: Three  # as configured
    room: list[int]  # for all chargers
    codes: tuple[Code, Code, Code]  # what makes the room smaller than the site limit
    building: Three | None
    metered: tuple[bool, bool, bool]  # a healthy meter at `grid` sees this phase
    fresh: bool  # whether anything may be raised
    degraded: bool
    spare: list[int]  # what the meter leaves for raises (INV-2)
    doubt: Three = (0, 0, 0)  # excused for a moment, and perhaps the building's: no raise into it
    over: Three = (0, 0, 0)  # by so much the newest reading is over the limit
    held: Held | None = None
    agreed: Three = (0, 0, 0)  # the limit but for the meter's failure


class HighWater:
    """The highest value of the last minute, or of another span."""

    def __init__(self, span_s: float = HIGH_WATER_S) -> None:
        self._span_s = span_s
        self._marks: deque[tuple[float, int]] = deque()

    def add(self, value: int, at: float) -> None:
        while self._marks and self._marks[-1][1] <= value:
            self._marks.pop()
        self._marks.append((at, value))

    def highest(self, now: float) -> int | None:
        """None while nothing was added. The newest value never ages: the meter's health does."""
        while len(self._marks) > 1 and now - self._marks[0][0] > self._span_s:
            self._marks.popleft()
        return self._marks[0][1] if self._marks else None

    def clear(self) -> None:
        self._marks.clear()


class PhaseHealth:
    """Whether the meter sees one phase: healthy, failed since start, or failed in operation."""

    def __init__(self) -> None:
        self.healthy = False
        self.read_at = -math.inf
        self.good = 0
        self.was_healthy = False
        self.back_at: float | None = None
        self.failed_at = -math.inf
        self.half_ma = 0

    def read(self, now: float) -> None:
        self.good = self.good + 1 if now - self.read_at <= FRESH_S else 1
        self.read_at = now
        if not self.healthy and self.good >= GOOD_POLLS:
            self.heal(now)

    def heal(self, now: float) -> None:
        if not self.healthy:
            self.healthy = True
            self.back_at = now if self.was_healthy else None
            self.was_healthy = True

    def fail(self, drawn_ma: int, now: float) -> None:
        self.good = 0
        if self.healthy:
            self.healthy, self.failed_at = False, now
            held = self.back_at is not None and now - self.back_at < HOLD_S
            half = drawn_ma // 2
            self.half_ma = min(self.half_ma, half) if held else half
            self.back_at = None

    def may_raise(self, now: float) -> bool:
        """Neither a stale reading nor the failure itself raises anything (M1, INV-4, INV-5)."""
        if self.healthy:
            return now - self.read_at <= FRESH_S
        return now - self.failed_at >= CALM_S

    def holds(self, now: float) -> bool:
        """Healthy, but so shortly after a failure in operation that the degraded limit stands."""
        return self.back_at is not None and now - self.back_at < HOLD_S


class MeterWatch:
    """The meter as the balancer sees it: health by age, the building, the voltage."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.last: MeterRead | None = None  # with the newest value of each phase
        self._back_pending = False
        self._excludes = False  # it was seen not to see the chargers
        self.phases = (PhaseHealth(), PhaseHealth(), PhaseHealth())
        self._water = (HighWater(), HighWater(), HighWater())
        self._lowest_mv: deque[tuple[int, int]] = deque(maxlen=MINUTES_OF_VOLTAGE + 1)
        self._settled = tuple(HighWater(SETTLED_S) for _ in range(3))  # growth is seen against it
        # the building at worst, while the meter is over the limit
        self._pressing: list[int | None] = [None, None, None]
        self._doubt = [0, 0, 0]  # so much higher the building may be than it is taken to be
        self._over_since: float | None = None
        self.overloaded = False
        self.ceiling: Phases | None = None  # sealed by the installer: no limit is above it
        self.jumped = (False, False, False)  # by the newest reading, and not explained by values

    def limit(self) -> Phases:
        """The site limit in force: the engineering ceiling lowers it (INV-7)."""
        set_to = self.site.limit_ma.phases()
        return set_to if self.ceiling is None else set_to.at_most(self.ceiling)

    def configure(self, site: Site) -> None:
        """New settings; a meter that is switched on or moved begins anew."""
        old, self.site = self.site, site
        if (old.meter.enabled, old.meter.location) != (site.meter.enabled, site.meter.location):
            fresh = MeterWatch(site)
            self.phases, self._water, self.last = fresh.phases, fresh._water, None
            self._settled = fresh._settled
            self._over_since, self.overloaded = None, False
            self._excludes = False

    @property
    def at_grid(self) -> bool:
        """Whether it sees the chargers too: as set, unless it was seen that it does not."""
        return self.site.meter.location == "grid" and not self._excludes

    def sees(self, location: Literal["grid", "building"], now: float) -> None:
        """What the meter was seen to see (trust.md M15).

        One that is set to see the chargers and does not is taken as excluding them: what they draw
        comes on top. The other way round they are counted twice, as set.
        """
        excludes = location == "building"
        if excludes != self._excludes:
            self._excludes = excludes
            for p in range(3):
                self._restart_water(p, now)

    def read(self, fact: MeterRead, draws: Draws, now: float) -> bool:
        """A good reading; returns whether it is over the limit, so that a plan is made at once."""
        if not self.site.meter.enabled:
            return False
        self.last = self._filled(fact)
        self._volts(fact, now)
        for p, health in enumerate(self.phases):
            if fact.phases_read[p]:
                was = health.was_healthy
                health.read(now)
                if self._back_pending:
                    health.heal(now)
                if health.was_healthy and not was:  # until now nobody knew who draws; after a
                    self._water[p].clear()  # failure what the building took still counts
        self._back_pending = False
        self.reckon(draws, now)
        limit = self.limit()
        return any(fact.current_ma[p] > limit[p] for p in range(3) if fact.phases_read[p])

    def _filled(self, fact: MeterRead) -> MeterRead:
        """A phase that a reading misses is not at 0: it keeps its newest value, until its age
        makes it a failed one (INV-4, M8).
        """
        if self.last is None or all(fact.phases_read):
            return fact
        before, seen = self.last.current_ma, fact.current_ma
        current_ma = Phases(*(seen[p] if fact.phases_read[p] else before[p] for p in range(3)))
        return msgspec.structs.replace(fact, current_ma=current_ma)

    def reckon(self, draws: Draws, now: float) -> None:
        """The building by the newest reading: a rise counts at once (balancing.md 1).

        Growth up to a raise is the chargers', and so is what one that has just fallen would leave
        on the meter: growth alone, for the building may fall in the same second. While the meter is
        over the limit it counts as the building's all the same, but only for as long: a ramp must
        not be held for a minute. Nor is it relief then to cut what no value shows on that phase
        (C11): up to what is to be taken off, that must come from the others too, and none of them
        is cut more than twice as far.
        """
        if self.last is None:
            return
        limit = self.limit()
        grid = self.at_grid
        jumped = [False, False, False]
        for p, water in enumerate(self._water):
            if not self.last.phases_read[p]:
                continue
            metered = self.last.current_ma[p]
            building = metered
            self._pressing[p] = None
            self._doubt[p] = 0
            if grid:
                drawn, rising = draws.drawn[p], draws.rising[p]
                building -= drawn
                if metered > limit[p]:
                    # INV-9: without any excuse
                    phantom = min(draws.unproved[p], metered - limit[p])
                    self._pressing[p] = metered - drawn + phantom
                settled = self._settled[p].highest(now)
                building -= max(0, min(building - (settled or 0), draws.falling[p]))
                jumped[p] = metered > limit[p] or building > (settled or 0) + JUMP_MA
                if settled is None and draws.unheard[p] > 0:
                    # Just started, and somebody charges who has not been heard yet: until then
                    # all of it may be the building's, but that is no mark to keep for a minute.
                    self._pressing[p] = max(0, building)
                    continue
                building -= max(0, min(building - (settled or 0), rising))
                highest = max(0, building, water.highest(now) or 0)
                self._doubt[p] = max(0, metered - drawn - rising - highest)
            if not self.site.use_solar_surplus:
                building = max(0, building)  # M5: each phase for itself
            water.add(building, now)
            self._settled[p].add(building, now)
        self.jumped = (jumped[0], jumped[1], jumped[2])

    def _volts(self, fact: MeterRead, now: float) -> None:
        seen = [v for v in fact.voltage_mv if v is not None and MV_MIN <= v <= MV_MAX]
        if not seen:
            return
        minute, lowest = int(now // 60), min(seen)
        if self._lowest_mv and self._lowest_mv[-1][0] == minute:
            lowest = min(lowest, self._lowest_mv.pop()[1])
        self._lowest_mv.append((minute, lowest))

    def highest_mv(self) -> int:
        """The highest voltage that may hold now: what is learned by it is on the safe side."""
        seen = () if self.last is None else self.last.voltage_mv
        return max(self.site.voltage_mv,
                   *(v for v in seen if v is not None and MV_MIN <= v <= MV_MAX), 0)  # fmt: skip

    def voltage_mv(self, now: float) -> int:
        """For W → A: the lower of the configured and the lowest of 10 min, in whole volts."""
        oldest = int(now // 60) - MINUTES_OF_VOLTAGE
        seen = [v for minute, v in self._lowest_mv if minute >= oldest]
        return max(MV_MIN, min([self.site.voltage_mv, *seen]) // 1000 * 1000)

    def lost(self, drawn: list[int], now: float) -> None:
        """The meter's room says that it is failed."""
        self._back_pending = False
        for p, health in enumerate(self.phases):
            health.fail(drawn[p], now)

    def back(self, now: float) -> None:
        """The meter's room says that it is healthy: true of every phase that was just read."""
        if self.last is None or now - max(h.read_at for h in self.phases) > FRESH_S:
            self._back_pending = True
            return
        for p, health in enumerate(self.phases):
            if self.last.phases_read[p] and now - health.read_at <= FRESH_S:
                if not health.was_healthy:
                    self._restart_water(p, now)
                health.heal(now)

    def _restart_water(self, p: int, now: float) -> None:
        newest = self._water[p].highest(now)
        self._water[p].clear()
        if newest is not None:
            self._water[p].add(newest, now)

    def age(self, drawn: list[int], now: float) -> None:
        """Each tick: a phase whose last reading is older than 5 s is failed (M1, M8)."""
        for p, health in enumerate(self.phases):
            if health.healthy and now - health.read_at > FAILED_S:
                health.fail(drawn[p], now)

    def ages_at(self) -> float:
        """When the next phase would fail by age; infinity where none is healthy."""
        return min(
            (h.read_at + FAILED_S for h in self.phases if h.healthy), default=math.inf
        )

    def _degraded(self, p: int) -> tuple[int, Code]:
        meter, limit = self.site.meter, self.limit()[p]
        set_to = meter.degraded_ma.phases()
        if meter.on_failure == "limits":
            return min(limit, set_to[p]), "degraded_limit"
        half = min(limit, self.phases[p].half_ma)
        if set_to.highest() and set_to[p] < half:
            return set_to[p], "degraded_limit"
        return half, "meter_lost_half"

    def budget(self, waiting: list[int], absent: list[int], now: float) -> SiteBudget:
        """The site's part of this plan. `waiting`: raises that the meter has not seen yet;
        `absent`: what chargers drew that were lost just now.
        """
        limit, set_to = self.limit(), self.site.limit_ma.phases()
        full = (set_to.l1, set_to.l2, set_to.l3)
        codes: list[Code] = [
            "engineering_ceiling" if limit[p] < full[p] else "site_limit" for p in range(3)
        ]
        if not self.site.meter.enabled:
            return SiteBudget(
                limit=(limit.l1, limit.l2, limit.l3), full=full, room=list(limit), building=None,
                codes=(codes[0], codes[1], codes[2]), metered=(False, False, False),
                fresh=True, degraded=False, spare=[UNBOUND, UNBOUND, UNBOUND],
            )  # fmt: skip
        grid = self.at_grid
        limits, room, spare = list(limit), list(limit), [UNBOUND, UNBOUND, UNBOUND]
        building = [0, 0, 0]
        held: dict[str, float] = {}  # by phase: until when
        for p, health in enumerate(self.phases):
            water, pressing = self._water[p].highest(now), self._pressing[p]
            if pressing is not None:
                water = pressing if water is None else max(water, pressing)
            if health.healthy and water is not None and self.last is not None:
                building[p] = water
                room[p] = limit[p] - self.site.margin_ma - water
                if grid:
                    room[p] -= absent[p]
                    spare[p] = (limit[p] - self.site.margin_ma
                                - self.last.current_ma[p] - waiting[p])  # fmt: skip
                if water > 0:
                    codes[p] = "building_load"
            if not health.healthy or water is None or health.holds(now):
                lower, code = self._degraded(p)
                if not health.healthy or water is None or lower < room[p]:
                    limits[p] = room[p] = lower
                    codes[p] = code
                    if health.healthy and health.back_at is not None:
                        held[PHASES[p]] = health.back_at + HOLD_S
        healthy = tuple(h.healthy for h in self.phases)
        return SiteBudget(
            limit=(limits[0], limits[1], limits[2]), full=full, room=room,
            building=(building[0], building[1], building[2]) if any(healthy) else None,
            codes=(codes[0], codes[1], codes[2]),
            metered=(grid and healthy[0], grid and healthy[1], grid and healthy[2]),
            fresh=all(h.may_raise(now) for h in self.phases),
            degraded=not all(healthy), spare=spare,
            doubt=(
                self._doubt[0] if grid and healthy[0] else 0,
                self._doubt[1] if grid and healthy[1] else 0,
                self._doubt[2] if grid and healthy[2] else 0,
            ),
            over=self.over(),
            held=Held(max(held.values()), tuple(held)) if held else None,
            agreed=(limit.l1, limit.l2, limit.l3),
        )  # fmt: skip

    def bare(self, now: float) -> Three:
        """What plain sums allow all chargers, phase by phase (trust.md B9)."""
        limit = self.limit()
        if not self.site.meter.enabled:
            return limit.l1, limit.l2, limit.l3
        found = []
        for p, health in enumerate(self.phases):
            if self.last is None or not health.healthy or now - health.read_at > FAILED_S:
                found.append(self._degraded(p)[0])
            elif self.at_grid:  # it sees the chargers too: what is over comes off their offers
                found.append(limit[p])
            else:
                found.append(max(0, limit[p] - max(0, self.last.current_ma[p])))
        return found[0], found[1], found[2]

    def over(self) -> Three:
        """By how much the newest reading is over the limit: so much is to be taken off."""
        if self.last is None or not self.site.meter.enabled:
            return 0, 0, 0
        limit, last = self.limit(), self.last
        found = [max(0, last.current_ma[p] - limit[p]) for p in range(3)]
        return found[0], found[1], found[2]

    def watch_overload(self, chargers_at_zero: bool, now: float) -> bool:
        """Over the limit by the building alone for 30 s: until it is over nothing is offered."""
        limit = self.limit()
        over = self.site.meter.enabled and any(
            h.healthy and (self._water[p].highest(now) or 0) > limit[p]
            for p, h in enumerate(self.phases)
        )
        if not over:
            self._over_since, self.overloaded = None, False
        elif chargers_at_zero and self._over_since is None:
            self._over_since = now
        elif self._over_since is not None and now - self._over_since >= OVERLOADED_S:
            self.overloaded = True
        return self.overloaded
