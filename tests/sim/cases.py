"""Fault cases of trust.md 2 on sites that chance draws: `a_case(seed)` gives the site and a victim.

A test that takes `seed` runs with one seed every day and with many in a campaign
(`LINKRAY_SEEDS=100`). What must hold in every case is asked when the scene ends: no limit passed
for longer than lawful, no fuse warm, no complaint of OCPP's schemas, no traceback.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import trio
from tools.simulator.scene import (
    LOG,
    Neighbour,
    Scene,
    hungry,
    scene,
    single,
    site,
    three,
)
from tools.world import Car, Make
from tools.world.charger import Charger as WorldCharger

from linkray.model.settings import Charger, MeterSettings

ROTATIONS = ("L1-L2-L3", "L2-L3-L1", "L3-L1-L2", "L1-L3-L2", "L2-L1-L3", "L3-L2-L1")
VICTIM = "C1"
SETTLED_S = 90.0  # from dialling in to steady offers, at most


@dataclass
class Case:
    """A site that charges, one charger to do things to, and its neighbours."""

    s: Scene
    chance: random.Random
    victim: WorldCharger
    others: list[str]
    phases: int
    metered: bool
    strict: bool = True  # whether the wires must have kept every limit (not where one disobeys)

    @property
    def all(self) -> list[str]:
        return [VICTIM, *self.others]

    @property
    def leg(self) -> int:
        """The phase of the site that the victim's first is wired to."""
        return self.victim.legs[0]

    def car(self) -> Car:
        """A hungry car that its charger follows within two seconds; phases as the site has."""
        return hungry(self.phases, lag_s=self.chance.uniform(0.3, 1.4),
                      start_s=self.chance.uniform(0.5, 3.0))  # fmt: skip

    async def charge(self, *names: str) -> None:
        """Somebody charges at each, with current."""
        s = self.s
        s.charge(*names, car=self.car)
        await s.until(
            lambda: all(any(s.world.charger(n).true_current_ma()) for n in names), SETTLED_S,
            lambda: f"nothing flows: {s.pilots_a(*names)}",
        )  # fmt: skip

    async def settle(self, within_s: float = SETTLED_S) -> None:
        """Until no offer has changed for 12 s."""
        last, since = self.offers(), trio.current_time()
        began = since
        while trio.current_time() - since < 12:
            await trio.sleep(1)
            if (now := self.offers()) != last:
                last, since = now, trio.current_time()
            assert trio.current_time() - began < within_s, f"offers do not settle: {last}"

    def offers(self) -> list[float]:
        return self.s.offers_a(*self.all)

    async def some_time(self, least_s: float = 0.0, most_s: float = 20.0) -> None:
        """Chance decides when the next thing happens."""
        await trio.sleep(self.chance.uniform(least_s, most_s))

    def watch(self) -> list[Neighbour]:
        return self.s.watch(*self.others)

    def fault(self) -> set[str]:
        """The codes of what is wrong with the victim."""
        return self.s.faults(VICTIM)

    def total_ma(self) -> int:
        """What all are offered together, on the phase with the most."""
        offers = [o.offer_ma for o in self.s.house.plan.value.offers]
        return max(sum(offer[p] for offer in offers) for p in range(3))

    async def never_raised(self, for_s: float) -> None:
        """For so long no offer goes up."""
        before = self.offers()
        ends = trio.current_time() + for_s
        while trio.current_time() < ends:
            await trio.sleep(0.25)
            now = self.offers()
            assert all(n <= b for n, b in zip(now, before, strict=True)), (before, now)
            before = now

    async def reserved(self, amount_ma: int, within_s: float) -> float:
        """Until so much is reserved on the victim's first phase; how long it took."""
        return await self.s.until(
            lambda: self.s.house.plan.value.reserved_ma[self.leg] >= amount_ma, within_s,
            lambda: f"reserved {self.s.house.plan.value.reserved_ma}, expected {amount_ma}",
        )  # fmt: skip


def busiest(case: Case) -> int:
    """How far the site truly is over the limit that LinkRay knows, on its worst phase, in mA."""
    limit = case.s.store.settings.value.site.limit_ma.phases()
    return max(ma - limit[p] for p, ma in enumerate(case.s.world.site_ma()))


@asynccontextmanager
async def a_case(
    seed: int,
    *,
    meter: bool | None = None,
    phases: int | None = None,
    chargers: int | None = None,
    limit_a: float | None = None,
    make: Make | None = None,
    makes: Make | None = None,
    charging: bool = True,
    kept: Callable[[Charger], Charger] | None = None,
    strict: bool = True,
    watch: MeterSettings | None = None,
    file: str = "SDM630",
    **parts: object,
) -> AsyncIterator[Case]:
    """A site drawn from the seed, its cars charging and its offers settled; checked at the end.

    `meter`, `phases`, `chargers`, `limit_a`: said, or drawn. `make` is the victim's, `makes` the
    others'; `kept` changes the victim's settings, `watch` are the meter's, `file` names its map,
    `parts` are those of `Site`. The limit is drawn
    so that sharing binds and everybody has at least 8 A.
    """
    chance = random.Random(seed * 6_151 + 17)
    phases = phases or chance.choice((1, 3))
    count = chargers or chance.randint(3, 5)
    metered = chance.random() < 0.5 if meter is None else meter
    building_a = chance.uniform(2.0, 12.0) if metered else 0.0
    share_a = chance.uniform(9.0, 20.0)
    limit = limit_a or round(share_a * count + building_a + 2.0, 1)
    names = [f"C{n + 1}" for n in range(count)]
    places = [
        single(name) if phases == 1 else three(name, connection=chance.choice(ROTATIONS))
        for name in names
    ]
    if kept is not None:
        places[0] = kept(places[0])
    plain = Make(phases=phases, obey_s=chance.uniform(0.1, 0.5), answer_s=chance.uniform(0.02, 0.4))
    made = dict.fromkeys(names, makes or plain) | {VICTIM: make or plain}
    settings = site(limit, *places, meter=watch or MeterSettings())
    settings = msgspec.structs.replace(
        settings, site=msgspec.structs.replace(settings.site, **{"probe_chargers": False, **parts})
    )
    async with scene(settings, seed=seed, meter=file if metered else None, makes=made) as s:
        s.world.building.noise_ma = 1_000 if metered else 0
        load = round(building_a * 1000)
        s.world.building.hold((load, load, load))
        case = Case(s, chance, s.world.charger(VICTIM), names[1:], phases, metered, strict)
        await s.until(
            lambda: all(s.house.views[n].value.connected for n in names if n in s.house.views), 60
        )
        if charging:
            await case.charge(*names)
            await case.settle()
        yield case
        holds(case)


def holds(case: Case) -> None:
    """What must hold after every case (trust.md 2, oracle S and Q)."""
    s = case.s
    assert s.world.complaints == []
    mistakes = [line for line in LOG.lines if "Traceback" in line]
    assert mistakes == [], mistakes[0][-1_500:]
    assert s.house.times.gap_s_max <= 1.5
    if case.strict:
        s.is_safe()
