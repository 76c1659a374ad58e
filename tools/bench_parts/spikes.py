"""Spikes of the building in the simulator: from the step to currents under the limit again.

The whole firmware on virtual time with a meter that is asked once a second and 16 chargers whose
cars follow within two seconds, all charging as much as the site gives. The building takes more on
one phase or on all, at a moment that has nothing to do with the meter's, and is steady otherwise:
noise upon a spike would be a second spike. Measured in the wires, in steps of a tenth of a second,
until the last moment over the limit.
"""

from __future__ import annotations

import random

import trio

from tools.simulator.report import ranked
from tools.simulator.run import seldom_collected
from tools.simulator.scene import Scene, hungry, scene, single, site, three
from tools.simulator.virtual import VirtualClock
from tools.world import Make, World
from tools.world.world import OVER_STEP_S

SPIKES = 200
LIMIT_A = 200.0
BUILDING_A = 20.0
SETTLED_S = 420.0  # all have begun, and were tried out
QUIET_S = 100.0  # the peak of a spike is remembered for a minute
STAYS_S = 20.0  # a spike
LAG_S = 1.5  # with the half second of the charger's pilot: 2 s
METER = "SDM6xx-tcp"
SEED = 11


async def _spikes(count: int) -> list[float]:
    three_phase = [f"T{n}" for n in range(8)]
    one_phase = [f"S{n}" for n in range(8)]
    settings = site(
        LIMIT_A, *map(three, three_phase),
        *(single(name, connection=f"L{n % 3 + 1}") for n, name in enumerate(one_phase)),
    )  # fmt: skip
    makes = {name: Make(phases=3) for name in three_phase}
    async with scene(settings, seed=SEED, meter=METER, makes=makes) as s:
        s.world.building.hold((round(BUILDING_A * 1000),) * 3)
        s.charge(*three_phase, car=lambda: hungry(3, lag_s=LAG_S))
        s.charge(*one_phase, car=lambda: hungry(lag_s=LAG_S))
        await trio.sleep(SETTLED_S)
        clock, chance = Clock(s.world), random.Random(SEED)
        return [await _spike(s, clock, chance) for _ in range(count)]


class Clock:
    """When the site's wires carried too much, by the world's own steps."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._began: float | None = None
        self._ended = 0.0
        self._is_armed = False
        world.rest_s = world.step_s  # finer steps where a limit is passed
        world.on_step = self._stepped

    def arm(self) -> None:
        """The building steps now; the wires feel it in the world's next step."""
        self._is_armed, self._began = True, None

    def took_s(self) -> float:
        """From the step to the last moment over the limit; 0: it never was."""
        return 0.0 if self._began is None else max(0.0, self._ended - self._began)

    def _stepped(self, now: float, _dt: float) -> None:
        if self._is_armed:
            self._is_armed, self._began, self._ended = False, now, now
        limits = self._world.limit_ma
        if any(f > limit for f, limit in zip(self._world.site_ma(), limits, strict=True)):
            self._ended = now + OVER_STEP_S


async def _spike(s: Scene, clock: Clock, chance: random.Random) -> float:
    """One spike, large enough to pass the limit, small enough that cuts can answer it."""
    await trio.sleep(QUIET_S + chance.random() * 3)
    phases = (1, 2, 3) if chance.random() < 0.3 else (chance.randint(1, 3),)
    ma = chance.randint(25_000, 90_000)
    clock.arm()
    for phase in phases:
        s.world.building.step(phase, ma)
    await trio.sleep(STAYS_S)
    took = clock.took_s()
    for phase in phases:
        s.world.building.step(phase, -ma)
    return took


def measure() -> dict[str, float]:
    """Seconds from the building's step to measured currents under the limit."""
    with seldom_collected():
        took: list[float] = trio.run(_spikes, SPIKES, clock=VirtualClock())
    seen = [seconds for seconds in took if seconds]  # the others never passed the limit
    p50, p99, most = (ranked(seen, share) or 0.0 for share in (0.5, 0.99, 1.0))
    return {"spike_s_p50": p50, "spike_s_p99": p99, "spike_s_max": most,
            "spikes": float(len(seen))}  # fmt: skip
