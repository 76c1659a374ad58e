"""The world: chargers, cars, a building, a meter, and the true currents in their wires.

One seed, one time for all of it. In process it runs on virtual time, as a process on the real one.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import trio

from tools.world.building import DAY_S, Building
from tools.world.car import NOTHING, Three
from tools.world.charger import NOMINAL_MV, Charger
from tools.world.csms import Csms
from tools.world.links import Dial
from tools.world.make import Make
from tools.world.meter import Measured, Meter
from tools.world.oracle import SITE, Oracle
from tools.world.reported import Reported
from tools.world.schemas import Json, Judge

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
STEP_S = 0.5
OVER_STEP_S = 0.1


class World:
    """A site. Add to it, then `run` it with a way to dial LinkRay."""

    def __init__(
        self,
        seed: int = 0,
        *,
        limit_ma: Three = (100_000, 100_000, 100_000),
        meter_sees: str = "grid",
        volts_mv: Three = NOMINAL_MV,
        utc: datetime = NOON,
        step_s: float = STEP_S,
        checks: bool = True,
        split_mode: str = "off",
        rest_s: float | None = None,
    ) -> None:
        if meter_sees not in ("grid", "building"):
            raise ValueError(f"expected a meter that sees grid or building, got {meter_sees!r}")
        self.seed = seed
        self.chance = random.Random(seed)
        self.limit_ma = limit_ma
        self.meter_sees = meter_sees
        self.volts_mv = volts_mv
        self.step_s = step_s
        self.rest_s = rest_s  # so long a step may be where nothing moves; None: as ever
        self.split_mode = split_mode
        self.absent_is_building = False  # what no one can reach is no one's doing (oracle)
        self.on_step: Callable[[float, float], None] | None = None  # now, dt: after each step
        self.judge = Judge(checks=checks)
        self.oracle = Oracle()
        self.oracle.set_limit(SITE, limit_ma)
        self.building = Building(self.own_chance())
        self.meter: Meter | None = None
        self.csms: Csms | None = None
        self.chargers: dict[str, Charger] = {}
        self.groups: dict[str, str | None] = {}  # name → parent
        self._feeding: dict[str, tuple[str, ...]] = {}  # charger → the groups above it
        self.now = 0.0
        self.begins_utc = utc
        self._zero: float | None = None  # monotonic time at which `utc` was
        self._energy_wh = 0.0
        self._moves = False
        self._drawn: dict[str, Three] = {}  # by the chargers alone, at the last step

    def own_chance(self) -> random.Random:
        """A child of the one seed, so that what one does moves nobody else's dice."""
        return random.Random(self.chance.getrandbits(64))

    # -- building it ---------------------------------------------------------------------------

    def add_group(self, name: str, limit_ma: int, parent: str | None = None) -> None:
        if name == SITE or (parent is not None and parent not in self.groups):
            raise ValueError(f"expected a group in a group known before it, got {name!r} in "
                             f"{parent!r}")  # fmt: skip
        self.groups[name] = parent
        self.oracle.set_limit(name, (limit_ma, limit_ma, limit_ma))

    def add_charger(
        self,
        identity: str,
        *,
        make: Make | None = None,
        connection: str | None = None,
        group: str | None = None,
        password: str | None = None,
    ) -> Charger:
        if group is not None and group not in self.groups:
            raise ValueError(f"{identity}: expected a known group, got {group!r}")
        charger = Charger(
            identity,
            make=make,
            connection=connection,
            group=group,
            chance=self.own_chance(),
            judge=self.judge,
            epoch=self.epoch,
            password=password,
            split_mode=self.split_mode,
        )
        self.chargers[identity] = charger
        self._feeding[identity] = tuple(self._above(group))
        return charger

    def _above(self, group: str | None) -> Iterator[str]:
        while group is not None:
            yield group
            group = self.groups[group]

    def above(self, charger: Charger) -> tuple[str, ...]:
        """The groups that feed it, the nearest first."""
        return self._feeding[charger.id]

    def add_meter(self, file: Json | None = None) -> Meter:
        self.meter = Meter(self.measured, file, self.own_chance())
        return self.meter

    def add_csms(self, **made: Any) -> Csms:
        """A central system with the world's clock; `made` as `Csms` takes it. Add it last: what is
        added before it keeps its dice.
        """
        self.csms = Csms(chance=self.own_chance(), epoch=self.epoch, **made)
        return self.csms

    def keep_books(self, *, frames: bool = False) -> None:
        """The chargers of now keep the readings that they tell, and where wished every frame."""
        for charger in self.chargers.values():
            charger.reported.keeps_readings = True
            charger.reported.keeps_frames = frames

    def reported(self) -> list[Reported]:
        """What the chargers truly had to report."""
        return [charger.reported for charger in self.chargers.values()]

    def set_limit(self, limit_ma: Three) -> None:
        """The wires' limit changes (it does not tell LinkRay)."""
        self.limit_ma = limit_ma
        self.oracle.set_limit(SITE, limit_ma)

    # -- looking at it -------------------------------------------------------------------------

    def charger(self, identity: str) -> Charger:
        found = self.chargers.get(identity)
        if found is None:
            raise ValueError(f"expected one of {', '.join(self.chargers)}, got {identity!r}")
        return found

    def epoch(self, now: float) -> float:
        """Seconds since 1970 at this monotonic time."""
        zero = now if self._zero is None else self._zero
        return self.begins_utc.timestamp() + now - zero

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.epoch(self.now), UTC)

    def chargers_ma(self, group: str | None = None) -> Three:
        """What truly flows into the chargers, of the site or of a group and those in it."""
        total = [0, 0, 0]
        for charger in self.chargers.values():
            if group is None or self._feeds(group, charger.group):
                for phase, ma in enumerate(charger.true_current_ma()):
                    total[phase] += ma
        return total[0], total[1], total[2]

    def _feeds(self, group: str, inner: str | None) -> bool:
        while inner is not None:
            if inner == group:
                return True
            inner = self.groups[inner]
        return False

    def site_ma(self) -> Three:
        """What truly flows from the grid: the building and all chargers."""
        first, second, third = (
            b + c for b, c in zip(self.building.ma, self.chargers_ma(), strict=True)
        )
        return first, second, third

    def measured(self) -> Measured:
        """What is on the site meter's terminals."""
        ma = self.site_ma() if self.meter_sees == "grid" else self.building.ma
        return Measured(ma, self.volts_mv, self._energy_wh)

    @property
    def complaints(self) -> list[str]:
        """What LinkRay said to its chargers that OCPP's schemas do not allow."""
        return self.judge.complaints

    @property
    def highest_ma(self) -> Three:
        return self.oracle.highest_ma()

    @property
    def limit_exceeded_s(self) -> float:
        return self.oracle.limit_exceeded_s

    def sessions_now(self) -> int:
        return sum(
            at.transaction is not None
            for charger in self.chargers.values()
            for at in charger.connectors
        )

    def report(self) -> Json:
        """What there is to say at the end, in the names of decided.md."""
        chargers = self.chargers.values()
        oracle = self.oracle
        return {
            "seed": self.seed,
            "seconds": round(oracle.seconds, 1),
            "chargers": len(self.chargers),
            "chargers_connected": sum(c.is_connected for c in chargers),
            "sessions": self.sessions_now(),
            "sessions_begun": sum(c.sessions for c in chargers),
            "energy_wh": sum(at.energy_wh for c in chargers for at in c.connectors),
            "highest_ma": list(self.highest_ma),
            "limit_ma": list(self.limit_ma),
            "limit_exceeded_s": _number(oracle.limit_exceeded_s),
            "building_over_s": _number(oracle.building_over_s),
            "fuse_percent_max": oracle.fuse_percent_max(),
            "groups": {
                name: {
                    "highest_ma": list(oracle.highest_ma(name)),
                    "limit_ma": oracle.nodes[name][0].limit_ma,
                }
                for name in self.groups
            },
            "complaints": self.complaints[:20],
            **({} if self.csms is None else {"csms": self.csms.report()}),
            "trace_hash": oracle.trace_hash(),
        }

    def status(self) -> Json:
        """How it is now, for a line each second."""
        return {
            "at": self.utc().isoformat(timespec="seconds").replace("+00:00", "Z"),
            "site_ma": list(self.site_ma()),
            "building_ma": list(self.building.ma),
            "limit_ma": list(self.limit_ma),
            "limit_exceeded_s": _number(self.oracle.limit_exceeded_s),
            "chargers": [
                {
                    "charger": charger.id,
                    "connected": charger.is_connected,
                    "connectors": [
                        {
                            "connector": at.number,
                            "status": at.status,
                            "pilot_ma": at.pilot_ma,
                            "true_ma": list(charger.true_current_ma(at.number)),
                            "soc": round(at.car.soc, 3) if at.car else None,
                        }
                        for at in charger.connectors
                    ],
                }
                for charger in self.chargers.values()
            ],
        }

    # -- time ----------------------------------------------------------------------------------

    def step(self, now: float, dt: float) -> None:
        """Let `dt` seconds pass up to `now`, for everyone, and let the oracle see it."""
        if self._zero is None:
            self._zero = now - dt
        self.now = now
        self.building.advance(now, self.epoch(now) % DAY_S)
        for charger in self.chargers.values():
            charger.tick(now, dt, self.volts_mv)
        chargers_ma, helped, flows = self._flows()
        if not self.absent_is_building:
            helped = chargers_ma
        self.oracle.note(flows, helped, dt)
        watts = sum(a * v for a, v in zip(flows[SITE], self.volts_mv, strict=True)) / 1e6
        self._energy_wh += max(0.0, watts) * dt / 3600
        drawn = {**flows, SITE: chargers_ma}
        self._moves = drawn != self._drawn
        self._drawn = drawn
        if self.on_step is not None:
            self.on_step(now, dt)

    def _flows(self) -> tuple[Three, Three, dict[str, Three]]:
        """What truly flows now: into all chargers, into those that LinkRay could tell to take
        less, and through every node.
        """
        sums = {name: [0, 0, 0] for name in self.groups}
        first = second = third = 0
        one = two = three = 0
        for charger in self.chargers.values():
            drawn = charger.true_current_ma()
            if drawn == NOTHING:
                continue
            first, second, third = first + drawn[0], second + drawn[1], third + drawn[2]
            if charger.is_in_reach:
                one, two, three = one + drawn[0], two + drawn[1], three + drawn[2]
            for name in self._feeding[charger.id]:
                total = sums[name]
                total[0] += drawn[0]
                total[1] += drawn[1]
                total[2] += drawn[2]
        flows: dict[str, Three] = {name: (t[0], t[1], t[2]) for name, t in sums.items()}
        building = self.building.ma
        flows[SITE] = (building[0] + first, building[1] + second, building[2] + third)
        return (first, second, third), (one, two, three), flows

    def _next_step_s(self) -> float:
        """Small steps where something moves or a limit is passed, long ones where all rests."""
        if self.rest_s is None:
            return self.step_s
        if self.oracle.over:
            return min(self.step_s, OVER_STEP_S)
        return self.step_s if self._moves else self.rest_s

    async def live(self) -> None:
        """Let time pass, step by step, without chargers' links."""
        self._begin(trio.current_time())
        last = trio.current_time()
        due = last
        while True:
            due = max(due + self._next_step_s(), trio.current_time())
            await trio.sleep_until(due)
            now = trio.current_time()
            self.step(now, now - last)
            last = now

    def _begin(self, now: float) -> None:
        if self._zero is None:
            self._zero = now
        self.now = now
        for charger in self.chargers.values():
            charger.now = now

    async def run(
        self, dial: Dial, *, spread_s: float = 0.0, dials: Mapping[str, Dial] | None = None
    ) -> None:
        """Live, with every charger on its link, until cancelled; first dials over `spread_s`.

        `dials`: those chargers that have a wire of their own.
        """
        own = dials or {}
        self._begin(trio.current_time())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.live)
            for charger in list(self.chargers.values()):
                first_s = self.chance.uniform(0, spread_s) if spread_s > 0 else 0.0
                wire = own.get(charger.id, dial)
                nursery.start_soon(functools.partial(_dial_later, charger, wire, first_s))


async def _dial_later(charger: Charger, dial: Dial, after_s: float) -> None:
    await trio.sleep(after_s)
    await charger.link(dial)


def _number(seconds: float) -> float | int:
    return int(seconds) if math.isclose(seconds, round(seconds)) else round(seconds, 2)
