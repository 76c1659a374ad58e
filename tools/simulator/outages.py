"""Small scenarios of minutes: two or three chargers, cars that come and go, and a CSMS behind them
whose line is cut, flaps, stutters, whose answers are slow, lost, wrong, while the box dies.

In the end all is well for long enough, and everything that the chargers reported must be in the
CSMS's book, once, in order, under its numbers (INV-13, INV-14). `tools/simulate --uplink 10000`.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trio
from tools.simulator.campaign import _begin_worker
from tools.simulator.central import KINDS, play
from tools.simulator.conservation import conserve, recorded
from tools.simulator.events import Violation
from tools.simulator.passing import disciplined
from tools.simulator.report import ROOT, commit, told
from tools.simulator.run import seldom_collected
from tools.simulator.scene import NOON, Scene, amps, hungry, played, single
from tools.simulator.virtual import VirtualClock, do_not_ask_the_system
from tools.world import Charger, Make, World
from tools.world.csms import Csms
from tools.world.disk import Disk

from linkray.model.settings import Csms as CsmsSettings
from linkray.model.settings import Settings, Site

LEDGER = ROOT / "tests" / "sim" / "UPLINK.md"
HEAD = """# Scenarios of the uplink

`tools/simulate --uplink N` adds a row: so many scenarios of minutes (`tools/simulator/outages.py`),
each a box with two or three chargers on a disk, and a CSMS that fails in the ways named there. A
seed is played again by `tools/simulate --uplink 1 --seed SEED` on its commit (+: the tree differed
from it in more than ledgers). Repeats: messages that the CSMS heard again, identical. Thinned:
values that were answered and did not arrive.

| date | commit | seeds | scenarios | virtual hours | sessions | messages | repeats | set aside | \
thinned | restarts | broken | result |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""
FIRST_SEED = 1
LASTS_S = (120.0, 300.0)  # of trouble
WELL_S = 600.0  # then all is well for so long at the most
AFTER_S = 30.0
TROUBLE_S = (1.0, 70.0)
PAUSE_S = (1.0, 40.0)
RESTARTS_MAX = 2  # the third start within five minutes is safe mode, which is another matter
SESSIONS_MAX = 10_000
URL = "ws://csms.example/ocpp"


@dataclass
class Outcome:
    """What came of one scenario."""

    seed: int
    hours: float = 0.0
    sessions: int = 0
    messages: int = 0
    repeats: int = 0
    set_aside: int = 0
    thinned: int = 0
    restarts: int = 0
    troubles: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)


def scenario(seed: int) -> Outcome:
    """Play one."""
    with seldom_collected(), Disk().plugged() as disk:
        outcome: Outcome = trio.run(_play, seed, disk, clock=VirtualClock())
    return outcome


async def _play(seed: int, disk: Disk) -> Outcome:
    do_not_ask_the_system()
    chance = random.Random(seed * 7919 + 5)
    central = Csms(path="/ocpp", chance=random.Random(seed))
    kept = [single(f"C{n}") for n in range(1, chance.randint(2, 3) + 1)]
    settings = Settings(
        site=Site(limit_ma=amps(chance.choice((20, 40, 100)))), chargers=tuple(kept),
        csms=CsmsSettings(URL, allow_without=chance.random() < 0.9),
    )  # fmt: skip
    world = World(seed, limit_ma=msgspec.structs.astuple(settings.site.limit_ma), utc=NOON,
                  rest_s=1.0)  # fmt: skip
    for one in kept:
        world.add_charger(one.id, make=Make(phases=1), connection=one.connection)
    world.keep_books()

    def prepare(scene: Scene) -> None:
        scene.csms, scene.disk = central, disk

    async with played(settings, world, seed=seed, strict=False, prepare=prepare) as scene:
        at = _Site(scene, central, chance, Outcome(seed))
        await at.live_through(chance.uniform(*LASTS_S))
        return at.outcome


class _Site:
    """One scenario under way (`central.Behind`)."""

    def __init__(
        self, scene: Scene, csms: Csms, chance: random.Random, outcome: Outcome
    ) -> None:
        self.scene = scene
        self.csms = csms
        self.chance = chance
        self.outcome = outcome
        self._troubles: Counter[str] = Counter()
        self._restarted_at: list[float] = []

    async def restart(self, down_s: float) -> None:
        """LinkRay's process ends at this moment and comes again with what is on its disk."""
        if self.outcome.restarts >= RESTARTS_MAX:
            return
        self.outcome.restarts += 1
        await trio.sleep(down_s)
        self._restarted_at.append(trio.current_time())
        with trio.CancelScope(shield=True):  # it comes again, also where its troubles end meanwhile
            await self.scene.restart()

    async def live_through(self, for_s: float) -> None:
        chargers = list(self.scene.world.chargers.values())
        with trio.move_on_after(for_s):
            async with trio.open_nursery() as nursery:
                for charger in chargers:
                    own = random.Random(self.chance.getrandbits(32))
                    nursery.start_soon(_people, charger, own)
                    nursery.start_soon(_wires, charger, random.Random(own.getrandbits(32)))
                nursery.start_soon(self._trouble)
        if self.csms.is_cut:
            self.csms.restore()
        self.csms.obey()
        for charger in chargers:
            if self.chance.random() < 0.7:
                charger.unplug()
        await trio.sleep(AFTER_S)  # an answer that a mute CSMS still owes is missed by then
        await self._catch_up()
        await trio.sleep(AFTER_S)
        await self._judge()

    async def _trouble(self) -> None:
        while True:
            await trio.sleep(self.chance.uniform(*PAUSE_S))
            name = self.chance.choice(sorted(KINDS))
            self._troubles[name] += 1
            await play(name, self, self.chance.uniform(*TROUBLE_S))
            self._violated(conserve(
                self.scene.world.reported(), self.csms.book, seed=self.outcome.seed,
                now=trio.current_time(), is_over=False,
            ).violations)  # fmt: skip

    async def _catch_up(self) -> None:
        """Until every uplink has said all that was kept."""
        ends_at = trio.current_time() + WELL_S
        while trio.current_time() < ends_at:
            await trio.sleep(1.0)
            views = self.scene.house.uplink_views
            if all(name in views and views[name].value.state == "live" and self._is_said(name)
                   for name in self.scene.world.chargers):  # fmt: skip
                return
        shown = {name: str(cell.value) for name, cell in self.scene.house.uplink_views.items()}
        self._violate("uplink", {"what": f"not caught up within {WELL_S:.0f} s", "shown": shown})

    def _is_said(self, name: str) -> bool:
        wire = self.scene.world.charger(name).wire
        return not any(wire.pending(action) for action in ("StartTransaction", "StopTransaction"))

    async def _judge(self) -> None:
        outcome, now, seed = self.outcome, trio.current_time(), self.outcome.seed
        reported = self.scene.world.reported()
        account = conserve(reported, self.csms.book, seed=seed, now=now)
        self._violated(account.violations)
        self._violated([
            one for one in disciplined(self.csms.book, seed=seed)
            if not any(one.state["before"] < at < one.time for at in self._restarted_at)
        ])  # what has just begun does not know when it dialled last: its first attempt is at once
        rows = [
            msgspec.structs.replace(row, id=row.id if row.at_charger is None else row.at_charger)
            for one in reported
            for row in await self.scene.store.recent(one.charger, SESSIONS_MAX)
        ]
        self._violated(recorded(reported, rows, seed=seed, now=now))
        for said in (*self.csms.complaints, *self.scene.world.complaints):
            self._violate("schema", {"said": said})
        for line in self.scene.lines("Traceback"):
            self._violate("traceback", {"line": line})
        outcome.hours = now / 3600
        outcome.sessions = sum(len(one.sessions) for one in reported)
        outcome.messages = sum(map(len, self.csms.book.told.values()))
        outcome.repeats, outcome.set_aside = account.repeats, account.set_aside
        outcome.thinned = account.thinned
        outcome.troubles = dict(sorted(self._troubles.items()))

    def _violate(self, what: str, state: dict[str, object]) -> None:
        self._violated([Violation(self.outcome.seed, trio.current_time(), what, state)])

    def _violated(self, found: list[Violation]) -> None:
        known = {json.dumps(told(one)["state"]) for one in self.outcome.violations}
        self.outcome.violations += [
            one for one in found if json.dumps(told(one)["state"]) not in known
        ]


async def _people(charger: Charger, chance: random.Random) -> None:
    """Guests who stay for a minute or two."""
    while True:
        await trio.sleep(chance.uniform(1.0, 30.0))
        charger.plug(hungry())
        await trio.sleep(chance.uniform(0.5, 5.0))
        leaves_at = trio.current_time() + chance.uniform(10.0, 150.0)
        while trio.current_time() < leaves_at:
            if charger.connector(1).transaction is None and charger.is_booted:
                charger.present_tag(f"TAG{chance.randint(1, 9)}")
            await trio.sleep(5.0)
        charger.unplug()


async def _wires(charger: Charger, chance: random.Random) -> None:
    """Its own link and supply fail too."""
    while True:
        await trio.sleep(chance.expovariate(1 / 200.0))
        fails = chance.choice(("disconnect", "pull_cable", "power_cut", "reboot"))
        if fails == "reboot":
            charger.reboot()
        else:
            getattr(charger, fails)(chance.uniform(0.0, 30.0))


# -- many of them ----------------------------------------------------------------------------------


def seeds_used(ledger: Path) -> int:
    """The highest seed that a row names; one less than the first that may be fresh."""
    rows = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    named = [row.split("|")[3].partition("–")[2] for row in rows if row.startswith("| 2")]
    return max((int(last) for last in named), default=FIRST_SEED - 1)


def outages(
    count: int, *, first_seed: int | None = None, workers: int = 1, ledger: Path = LEDGER,
) -> int:  # fmt: skip
    """Play so many scenarios, into the ledger; 1 where one did not hold.

    A seed that is named is played for who looks into it, and no row is written.
    """
    if count < 1:
        raise ValueError(f"expected 1 scenario or more, got {count}")
    first = seeds_used(ledger) + 1 if first_seed is None else first_seed
    before = ledger.read_text(encoding="utf-8") if ledger.exists() else HEAD
    done: list[Outcome] = []
    began = time.monotonic()
    try:
        for outcome in _played(range(first, first + count), workers):
            done.append(outcome)
            if first_seed is None:
                _write(ledger, before + _row(done, first))
            for violation in outcome.violations[:3]:
                print(f"seed {outcome.seed}: {json.dumps(told(violation))}", file=sys.stderr)
    except (KeyboardInterrupt, BaseExceptionGroup) as ended:
        if not _is_stopped(ended):
            raise
        print("stopped; what is done is in the ledger", file=sys.stderr)
    broken = [one.seed for one in done if one.violations]
    print(json.dumps({
        "scenarios": len(done), "first_seed": first, "broken": broken[:20],
        "sessions": sum(one.sessions for one in done), "commit": commit(),
        "virtual_hours": round(sum(one.hours for one in done), 2),
        "took_s": round(time.monotonic() - began),
    }))  # fmt: skip
    return 1 if broken or not done else 0


def _is_stopped(ended: BaseException) -> bool:
    """Whether somebody pressed Ctrl-C, in the middle of a scenario or between two."""
    if isinstance(ended, BaseExceptionGroup):
        return ended.split(KeyboardInterrupt)[1] is None
    return True


def _played(seeds: range, workers: int) -> Iterator[Outcome]:
    """In the order of their seeds: a row names what lies between the first and the last."""
    if workers == 1:
        yield from map(scenario, seeds)
        return
    with ProcessPoolExecutor(workers, initializer=_begin_worker) as pool:
        try:
            yield from pool.map(scenario, seeds)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _row(done: list[Outcome], first: int) -> str:
    broken = [str(one.seed) for one in done if one.violations]
    more = ", …" if len(broken) > 10 else ""
    sums = [
        sum(getattr(one, name) for one in done)
        for name in ("sessions", "messages", "repeats", "set_aside", "thinned", "restarts")
    ]
    cells = (
        datetime.now(UTC).date().isoformat(), commit(but=LEDGER) or "?",
        f"{first}–{done[-1].seed}", len(done), f"{sum(one.hours for one in done):.1f}", *sums,
        len(broken), f"BROKEN: seeds {', '.join(broken[:10])}{more}" if broken else "held",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |\n"


def _write(ledger: Path, text: str) -> None:
    new = ledger.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(ledger)


def line(outcome: Outcome) -> str:
    """One scenario as a line of JSON: what must be the same when its seed runs again."""
    return json.dumps({**asdict(outcome), "violations": [told(v) for v in outcome.violations]})
