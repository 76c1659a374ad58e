"""Fault cases of the uplink (trust.md 2, K): `behind(seed)` gives a site with a CSMS behind it.

What must hold in every case is asked when the scene ends: the CSMS's book is what the chargers
truly did, nothing passed a limit, nobody was told what OCPP's schemas forbid, no traceback.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import trio
from tools.simulator.conservation import Account, conserve, recorded
from tools.simulator.passing import disciplined, passed
from tools.simulator.scene import HERE, LOG, NOON, Scene, hungry, scene, single, site
from tools.world import Link, Make
from tools.world.charger import Charger as WorldCharger
from tools.world.csms import Csms
from tools.world.operator import Operator

from linkray.model.settings import Csms as CsmsSettings
from linkray.model.settings import Site
from linkray.model.views import UplinkView

URL = "ws://csms.example/ocpp"
IN_FLIGHT_S = 20.0


def central(seed: int = 1, **made: Any) -> Csms:
    """A CSMS whose clock is right."""
    zero = NOON.timestamp()
    clock = made.pop("epoch", lambda now: zero + now)
    return Csms(path="/ocpp", chance=random.Random(seed), epoch=clock, **made)


@dataclass
class Behind:
    """A site, the CSMS behind it, and what may be found of either."""

    s: Scene
    csms: Csms
    chance: random.Random
    names: list[str]
    is_over: bool = True  # the CSMS was there long enough to have heard all
    may_thin: bool = True
    is_judged: bool = True  # whether its book must be what the chargers did
    was_restarted: bool = False  # a process that begins may dial at once
    excused: set[str] = field(default_factory=set)  # what the scene itself has made wrong

    @property
    def victim(self) -> WorldCharger:
        return self.s.world.charger(self.names[0])

    def operator(self, name: str = "") -> Operator:
        return Operator(self.csms, name or self.names[0])

    def view(self, name: str = "") -> UplinkView:
        return self.s.house.uplink_views[name or self.names[0]].value

    def text(self, name: str = "") -> str:
        """Why there is no link, as it is shown."""
        cell = self.s.house.uplink_views.get(name or self.names[0])
        return "" if cell is None else cell.value.text

    async def live(self, *names: str, within_s: float = 300.0) -> None:
        """Until the CSMS has heard all that was kept of these (all), and decides."""
        which = names or self.names
        await self.s.until(
            lambda: all(
                n in self.s.house.uplink_views and self.view(n).state == "live" for n in which
            ),
            within_s, lambda: [cell.value for cell in self.s.house.uplink_views.values()],
        )  # fmt: skip

    async def away(self, *names: str) -> None:
        """Until LinkRay decides for these (all)."""
        await self.s.until(
            lambda: all(self.view(n).state != "live" for n in names or self.names), 120
        )

    async def charging(self, *names: str, tag: str = "TAG1") -> None:
        """Somebody charges at each, with current."""
        for name in names:
            self.s.world.charger(name).plug(hungry())
            self.s.world.charger(name).present_tag(tag)
        await self.s.until(
            lambda: all(any(self.s.world.charger(n).true_current_ma()) for n in names), 90,
            lambda: f"nothing flows: {self.s.pilots_a(*names)}",
        )  # fmt: skip

    async def ended(self, *names: str) -> None:
        """Nobody charges at these any more, and the stop has been answered."""
        for name in names:
            self.s.world.charger(name).unplug()
        await self.s.until(
            lambda: all(
                one.stop is not None and one.stop.answered
                for n in names for one in self.s.world.charger(n).reported.sessions
            ), 120,
        )  # fmt: skip

    def account(self) -> Account:
        """The chargers' truth held against the CSMS's book."""
        return conserve(
            self.s.world.reported(), self.csms.book, now=trio.current_time(),
            is_over=self.is_over, may_thin=self.may_thin,
        )  # fmt: skip

    async def settings(self, **csms: object) -> None:
        """Somebody changes what is set of the CSMS."""
        old = self.s.store.settings.value
        new = msgspec.structs.replace(old, csms=msgspec.structs.replace(old.csms, **csms))
        await self.s.store.change_settings(new, HERE, "test")


@asynccontextmanager
async def behind(
    seed: int,
    *,
    chargers: int = 2,
    limit_a: float | None = None,
    csms: Csms | None = None,
    make: Make | None = None,
    strict: bool = True,
    live: bool = True,
    wire: Callable[[random.Random], Link] | None = None,
    licence: int = 64,
    **more: object,
) -> AsyncIterator[Behind]:
    """A site drawn from the seed with a CSMS behind it, live where `live`; judged at the end.

    `make`: of the first charger. `wire`: makes the line of each charger. `more`: parts of the
    CSMS's settings.
    """
    chance = random.Random(seed * 7_919 + 3)
    names = [f"C{n + 1}" for n in range(chargers)]
    settings = site(limit_a or round(chance.uniform(14, 40) * chargers, 1), *map(single, names))
    settings = msgspec.structs.replace(
        settings, site=_calm(settings.site), csms=CsmsSettings(**{"url": URL, **more})
    )
    behind_it = csms or central(seed)
    makes = {
        name: Make(phases=1, obey_s=chance.uniform(0.1, 0.5), answer_s=chance.uniform(0.02, 0.4))
        for name in names
    } | ({names[0]: make} if make is not None else {})

    wires = None if wire is None else {
        name: wire(random.Random(chance.getrandbits(32))) for name in names
    }  # fmt: skip
    async with scene(
        settings, seed=seed, makes=makes, csms=behind_it, strict=strict, wires=wires,
        licence=licence,
    ) as s:
        s.world.keep_books(frames=True)
        case = Behind(s, behind_it, chance, names)
        if live:
            await case.live()
        yield case
        await holds(case)


def _calm(part: Site) -> Site:
    """No trials in a session: they are no fault."""
    return msgspec.structs.replace(part, probe_chargers=False)


async def holds(case: Behind) -> None:
    """What must hold after every case (trust.md 2, oracles S, T and Q)."""
    s = case.s
    mistakes = [line for line in LOG.lines if "Traceback" in line]
    assert mistakes == [], mistakes[0][-1_500:]
    assert s.house.times.gap_s_max <= 1.5
    assert case.was_restarted or disciplined(case.csms.book) == []
    s.is_safe()
    if not case.is_judged:
        return
    with trio.move_on_after(IN_FLIGHT_S):  # what was said last is on its way
        while case.account().violations:  # noqa: ASYNC110  # whatever is missing
            await trio.sleep(1)
    assert case.csms.complaints == []
    reported = s.world.reported()
    kept = [
        one if one.at_charger is None else msgspec.structs.replace(one, id=one.at_charger)
        for name in case.names for one in await s.store.recent(name, 1_000)
    ]  # fmt: skip
    found = [
        one.state for one in (
            *case.account().violations, *passed(reported, case.csms.book),
            *recorded(reported, kept),
        ) if one.state["what"] not in case.excused
    ]  # fmt: skip
    assert found == [], found
