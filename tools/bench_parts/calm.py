"""How calm it is: offers changed per charger and hour under the reference noise, after settling.

32 chargers, all charging, more cars than the site can feed; the building's load is steady but for
the noise of trust.md 1: ±2 A on each phase, uniform, new each second. Settled: a quarter of an
hour after the last car has come, when every charger was tried out.
"""

from __future__ import annotations

from functools import partial

import trio

from tools.simulator.run import seldom_collected
from tools.simulator.scene import Scene, hungry, scene, single, site, three
from tools.simulator.virtual import VirtualClock
from tools.world import Make

THREES, SINGLES = 20, 12
LIMIT_A = 400.0
BUILDING_A = (50.0, 60.0, 55.0)
NOISE_MA = 2_000
METER = "SDM6xx-tcp"
SETTLED_S = 900.0
HOURS = 1.0
SEED = 3


async def _changes(hours: float) -> int:
    """Offers that were changed in so many hours, of all chargers."""
    threes = [f"T{n}" for n in range(THREES)]
    singles = [f"S{n}" for n in range(SINGLES)]
    settings = site(
        LIMIT_A, *map(three, threes),
        *(single(name, connection=f"L{n % 3 + 1}") for n, name in enumerate(singles)),
    )  # fmt: skip
    makes = {name: Make(phases=3) for name in threes}
    async with scene(settings, seed=SEED, meter=METER, makes=makes) as s:
        one, two, three_ = (round(amps * 1000) for amps in BUILDING_A)
        s.world.building.hold((one, two, three_))
        s.world.building.noise_ma = NOISE_MA
        s.charge(*threes, car=partial(hungry, 3))
        s.charge(*singles)
        await trio.sleep(SETTLED_S)
        return await _counted(s, trio.current_time() + hours * 3600)


async def _counted(s: Scene, until: float) -> int:
    count, cell = 0, s.house.plan
    seq, plan = cell.seq, cell.value
    before = {(o.charger, o.connector): o.id for o in plan.offers}
    while plan.at < until:
        seq, plan = await cell.wait_newer(seq)
        now = {(o.charger, o.connector): o.id for o in plan.offers}
        count += sum(before[place] != offer for place, offer in now.items())
        before = now
    return count


def measure() -> dict[str, float]:
    """Changes per charger and hour."""
    with seldom_collected():
        changes: int = trio.run(_changes, HOURS, clock=VirtualClock())
    return {"changes_per_charger_hour": changes / (THREES + SINGLES) / HOURS}
