"""Stages on which a seeded fault of the balancer shows: the whole firmware, minutes long, judged.

`python -m tests.mutants.stages STAGE SEED` plays one in a process of its own, with whatever
`linkray` stands first on its path, and prints what was found wrong as a JSON list. On the true
source it is empty. What the checker cannot see (who is served first) a stage asks itself.
"""

from __future__ import annotations

import functools
import json
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio
from tools.simulator.run import Run, seldom_collected
from tools.simulator.scene import Scene, hungry, played, single, site, three
from tools.world import MAPS, Make, World
from tools.world.site import read_site
from tools.world.wire import Refused
from trio.testing import MockClock

from linkray.kit.keep import KeptDown
from linkray.model.facts import CeilingSealed
from linkray.model.settings import Charger, Exclusion, Group, MeterSettings, Settings
from linkray.model.units import Phases

Act = Callable[[Run, Scene], Awaitable[None]]
LAZY = Make(phases=1, obey_s=4.5)  # lawful, and late enough to tell an answer from obedience
STAGES: dict[str, tuple[Settings, str | None, dict[str, Make], Act]] = {}


def stage(
    settings: Settings, *, meter: str | None = None, makes: dict[str, Make] | None = None
) -> Callable[[Act], Act]:
    """Name a play after its function."""

    def enter(act: Act) -> Act:
        STAGES[act.__name__] = settings, meter, makes or {}, act
        return act

    return enter


def world_of(
    settings: Settings, meter: str | None, makes: dict[str, Make], seed: int
) -> tuple[Settings, World]:
    """The world for these settings, and the settings with its meter's file."""
    limit, location = settings.site.limit_ma, settings.site.meter.location
    world = World(seed, limit_ma=(limit.l1, limit.l2, limit.l3), meter_sees=location,
                  split_mode=settings.site.split_mode)  # fmt: skip
    if meter is not None:
        part = msgspec.structs.replace(settings.site.meter, enabled=True, file=dict(MAPS[meter]))
        settings = msgspec.structs.replace(
            settings, site=msgspec.structs.replace(settings.site, meter=part)
        )
        world.add_meter(dict(MAPS[meter]))
    for group in settings.groups:
        world.add_group(group.name, group.limit_ma, group.parent)
    for kept in settings.chargers:
        make = makes.get(kept.id) or Make(phases=3 if kept.phases == 3 else 1)
        world.add_charger(kept.id, make=make, connection=kept.connection, group=kept.group)
    return settings, world


async def play(name: str, seed: int) -> list[str]:
    """What was found wrong on this stage."""
    settings, meter, makes, act = STAGES[name]
    settings, world = world_of(settings, meter, makes, seed)
    run = Run(read_site("[site]"), settings, world, seed, random.Random(seed))
    found: list[str] = []
    try:
        async with played(settings, world, seed=seed, strict=False, prepare=run.prepare) as s:
            try:
                await act(run, s)
            except AssertionError as error:
                found.append(f"stage: {error}")
    except* KeptDown as ended:
        found.append(f"process: {ended.exceptions[0]}")
    wrong = (*run.checker.violations, *run.violations)
    return found + [
        f"{v.invariant} at {v.time:.1f}: {v.state.get('what', v.state)}"[:300] for v in wrong
    ]


def main() -> None:
    with seldom_collected():
        found = trio.run(
            functools.partial(play, sys.argv[1], int(sys.argv[2])),
            clock=MockClock(autojump_threshold=0),
        )
    sys.stdout.write(json.dumps(found) + "\n")


def fives(count: int, **kept: Any) -> list[Charger]:
    return [single(f"C{n}", **kept) for n in range(1, count + 1)]


# one limit over another, chargers that come and go


@stage(
    site(60, single("C1", group="inner"), single("C2", group="inner"),
         single("C3", group="outer"), single("C4"),
         groups=(Group("outer", 42_000), Group("inner", 25_050, "outer"))),
    makes={f"C{n}": LAZY for n in range(1, 5)},
)  # fmt: skip
async def crowd(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    for name in ("C1", "C2", "C3", "C4"):
        s.charge(name)
        await trio.sleep(45)
    s.world.charger("C2").unplug()
    await trio.sleep(45)
    s.charge("C2")
    await trio.sleep(45)


@stage(site(20, *fives(4)))
async def tight(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", "C2", "C3", "C4")
    await trio.sleep(60)


@stage(site((60, 30, 60), *fives(2, connection="L2")))
async def phases(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", "C2")
    await trio.sleep(60)


@stage(
    site((100, 30, 100), *(Charger(f"C{n}", phases=2, connection="L1-L2", max_ma=32_000)
                           for n in (1, 2)), split_mode="240", voltage_mv=120_000),
)  # fmt: skip
async def split(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", "C2")
    await trio.sleep(60)


@stage(
    site(100, three("C1", supply_limit_ma=32_000)), makes={"C1": Make(connectors=2)}
)
async def two_sockets(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    charger = s.world.charger("C1")
    for number in (1, 2):
        charger.plug(hungry(3), number)
        charger.present_tag(f"TAG{number}", number)
    await trio.sleep(60)


DC = Make(units="Power", max_ma=100_000, efficiency=0.85)


@stage(
    site(150, *(Charger(f"D{n}", phases=3, connection="L1-L2-L3", unit="W", max_w=58_000,
                        min_w=5_000) for n in (1, 2))),
    makes={"D1": DC, "D2": DC},
)  # fmt: skip
async def direct_current(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("D1", "D2", car=lambda: hungry(3, 90.0))
    await trio.sleep(90)


# who is served


@stage(site(40, *fives(3), fifo=True))
async def in_order(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    for name in ("C3", "C2", "C1"):
        s.charge(name)
        await trio.sleep(30)
    assert s.pilots_a("C3", "C2", "C1") == [32, 8, 0], s.pilots_a("C3", "C2", "C1")


@stage(site(40, single("C1", priority="high"), *fives(3)[1:]))
async def first(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C2", "C3")
    await trio.sleep(30)
    s.charge("C1")
    await trio.sleep(60)
    assert s.pilots_a("C1")[0] >= 28, s.pilots_a("C1", "C2", "C3")


# chargers that are lost, mute, stubborn, or say too much


@stage(site(60, *fives(3)))
async def lost(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", "C2", "C3")
    await trio.sleep(40)
    s.world.charger("C3").disconnect(for_s=500)
    await trio.sleep(60)


@stage(
    site(60, *fives(3), dead_man_s=60), makes={"C3": Make(phases=1, from_arrival=True)}
)
async def lease(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", "C2", "C3")
    await trio.sleep(50)  # before the passport finds out how it counts
    s.world.charger("C3").disconnect(for_s=500)
    await trio.sleep(120)


@stage(site(40, *fives(2)))
async def erring(run: Run, s: Scene) -> None:
    """C1 answers every limit with an error of its own: what became of it nobody knows."""
    await trio.sleep(20)
    s.charge("C1")
    await trio.sleep(40)
    wire = s.world.charger("C1").wire
    answer = wire._answer

    def err(action: str, asked: Any) -> Any:
        if action == "SetChargingProfile":
            raise Refused("InternalError", "busy")
        return answer(action, asked)

    wire._answer = err
    s.charge("C2")
    await trio.sleep(90)


@stage(site(60, *fives(3)))
async def stubborn(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1")
    await trio.sleep(40)
    run.begins("ignores", "C1", is_lawful=False)
    s.world.charger("C1").ignore_profiles()
    s.charge("C2", "C3")
    await trio.sleep(60)


@stage(site(32, three("C1"), single("C2", connection="L2")))
async def one_sample(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", car=lambda: hungry(3))
    s.charge("C2")
    await trio.sleep(60)
    s.world.charger("C1").lie(lambda true: (true[0], 0, 0))
    await trio.sleep(12)
    s.world.charger("C1").lie(None)
    await trio.sleep(30)


# the meter


async def two_charge(s: Scene) -> None:
    s.world.building.hold((10_000, 10_000, 10_000))
    await trio.sleep(20)
    s.charge("C1", "C2")
    await trio.sleep(80)


@stage(site(50, *fives(2)), meter="SDM3xx")
async def step(run: Run, s: Scene) -> None:
    await two_charge(s)
    s.world.building.step(1, 15_000, for_s=10)
    await trio.sleep(60)


@stage(site(50, *fives(2)), meter="SDM3xx")
async def stale(run: Run, s: Scene) -> None:
    await two_charge(s)
    s.world.building.step(1, 15_000, for_s=10)
    assert s.world.meter is not None
    await trio.sleep(10 + 57)
    s.world.meter.cut()
    await trio.sleep(20)


@stage(site(50, *fives(2)), meter="SDM3xx")
async def blind(run: Run, s: Scene) -> None:
    await two_charge(s)
    assert s.world.meter is not None
    s.world.meter.cut()
    await trio.sleep(30)


@stage(site(50, *fives(2), meter=MeterSettings(on_failure="half")), meter="SDM3xx")
async def half_blind(run: Run, s: Scene) -> None:
    await two_charge(s)
    assert s.world.meter is not None
    s.world.meter.cut()
    await trio.sleep(30)


@stage(site(50, *fives(2)), meter="SDM3xx")
async def nan(run: Run, s: Scene) -> None:
    await two_charge(s)
    assert s.world.meter is not None
    s.world.meter.nan()
    await trio.sleep(30)


# limits from elsewhere


NOON = (Exclusion(("Mon",), "12:01", "12:03"),)  # the world begins on a Monday at noon, UTC


@stage(msgspec.structs.replace(site(60, *fives(2)), schedule=NOON))
async def noon(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", "C2")
    await trio.sleep(80)


@stage(site(60, *fives(2)))
async def sealed(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", "C2")
    await trio.sleep(40)
    s.house.tell(CeilingSealed(Phases.each(32_000), trio.current_time()))
    await trio.sleep(30)


@stage(site(60, *fives(2)))
async def stopped(run: Run, s: Scene) -> None:
    await trio.sleep(20)
    s.charge("C1", "C2")
    await trio.sleep(40)
    await run.emergency(on=True)
    await trio.sleep(10)
    await run.restart(2.0)
    await trio.sleep(40)
    for name in ("C1", "C2"):
        s.world.charger(name).present_tag("TAG1")
    await trio.sleep(40)


if __name__ == "__main__":
    main()
