"""One simulated stretch of a site's life: the real firmware, its chargers, people and trouble.

Everything comes from the seed: when the run begins, who comes, what goes wrong and when. The same
seed on the same commit gives the same trace, whatever machine and process it runs in.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import trio
from tools.simulator.conservation import conserve
from tools.simulator.energy import Best
from tools.simulator.events import (
    AlarmRaised,
    BalancerRestarted,
    EmergencyAsked,
    Event,
    FactTold,
    FaultBegan,
    FaultEnded,
    FrameSeen,
    LimitsChanged,
    Planned,
    ProcessBegan,
    ProcessEnded,
    QueuesSeen,
    Stepped,
    Violation,
    WallStepped,
)
from tools.simulator.faults import CSMS, Trouble, again_and_again, fault_set
from tools.simulator.invariants import Checker
from tools.simulator.passing import disciplined
from tools.simulator.report import Report, commit, ranked, told
from tools.simulator.scene import LOG, Frame, Scene, played
from tools.simulator.virtual import VirtualClock, do_not_ask_the_system
from tools.world import Description, World, load_site, make_world
from tools.world import settings as settings_of
from tools.world.csms import Csms
from tools.world.day import people
from tools.world.links import Link

from linkray.app import House
from linkray.charger.task import UNKNOWN_MAX
from linkray.kit.cell import Cell, Flags
from linkray.kit.keep import KeptDown
from linkray.model.asks import SetEmergencyStop
from linkray.model.facts import AnyFact, MeterBack, MeterLost
from linkray.model.faults import Fault
from linkray.model.plan import NO_PLAN, Plan
from linkray.model.settings import CHARGERS_MAX, Settings, read_settings

Watch = Callable[[World, float], None]
LICENCE = 1_000
QUEUES_S = 10.0
BOOKS_S = 600.0  # the CSMS's book is held against the chargers' so often, and in the end
CAUGHT_UP_S = 1_800.0  # after its last trouble a CSMS has heard everything within so long
CSMS_URL = "ws://csms.example/ocpp"
BAD_WIRES = 0.3  # share of chargers whose wire may get worse
REST_S = 1.0  # a step of the world where nothing moves
AFTER_S = 20.0  # so long the wires are excused after the meter has done wrong
WARM_S = 300.0  # and a fuse may still be warm from it
FUSE_LAWFUL, FUSE_TRIPS = 90.0, 100.0  # trust.md 1, How they are checked
STEP_SEEN_S = 1.5  # an excess so soon after a step of the building is that step's doing
VIOLATIONS_MAX = 50  # of one run: the first ones tell
COLLECT_AT = (100_000, 20, 20)  # garbage is looked for seldom: a run makes much and keeps little
DAYS = (  # when runs begin: mostly a plain Tuesday; a Saturday; both changes of the clock
    *(datetime(2026, 6, 16, tzinfo=UTC),) * 7,
    datetime(2026, 6, 20, tzinfo=UTC),
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
)


def simulate(
    site: Path, seed: int, hours: float, faults: str = "none", watch: Watch | None = None
) -> Report:
    """Play so many hours of a site; the report, with every violation.

    `watch` sees the world after every step of it.
    """
    description, troubles = load_site(site), fault_set(faults)
    began = time.process_time()
    play = functools.partial(_play, description, seed, hours, troubles, watch)
    with seldom_collected():
        report: Report = trio.run(play, clock=VirtualClock())
    report.site, report.faults, report.commit = site.stem, faults, commit()
    report.cpu_s = round(time.process_time() - began, 2)
    report.times_real = round(hours * 3600 / max(0.01, report.cpu_s))
    return report


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Cyclic garbage is looked for seldom: it is a tenth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(*COLLECT_AT)
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def _play(
    description: Description, seed: int, hours: float, troubles: tuple[Trouble, ...],
    watch: Watch | None,
) -> Report:  # fmt: skip
    do_not_ask_the_system()
    chance = random.Random(seed * 7919 + 1)
    begins = chance.choice(DAYS).replace(hour=int(chance.choice(description.day.begins_h)))
    world = make_world(description, seed, utc=begins, rest_s=REST_S)
    has_csms = any(trouble.set == CSMS for trouble in troubles)
    kept = settings_of(description) | ({"csms": {"url": CSMS_URL}} if has_csms else {})
    settings = read_settings(json.dumps(kept))
    run = Run(description, settings, world, seed, chance)
    run.watch, run.has_csms = watch, has_csms
    run.has_bad_wires = any(trouble.set == "links" for trouble in troubles)
    try:
        async with played(
            settings, world, seed=seed, licence=LICENCE, strict=False, prepare=run.prepare
        ) as scene:
            vip = tuple(description.site.vip)
            scene.nursery.start_soon(
                functools.partial(people, world, description.day, hours=hours, vip=vip)
            )
            for trouble in troubles:
                scene.nursery.start_soon(again_and_again, run, trouble)
            await trio.sleep(hours * 3600)
            if has_csms:
                await run.settle()
            return run.report(hours)
    except* KeptDown as ended:
        run.violate("process", {"ended": str(ended.exceptions[0])})
    return run.report(run.now / 3600)


class HeardPlan(Cell[Plan]):
    """The plan's cell, heard before anybody acts on it."""

    def __init__(self, run: Run) -> None:
        super().__init__(NO_PLAN)
        self._run = run

    def set(self, value: Plan) -> None:
        self._run.planned(value)
        super().set(value)


class HeardFaults(Flags[Fault]):
    """LinkRay's faults, heard when they are raised."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def raise_(self, key: str, flag: Fault) -> None:
        if key not in self:
            at = trio.current_time()
            self._run.note(AlarmRaised(at, flag.code, flag.subject or None))
        super().raise_(key, flag)


class Run:
    """What is heard, judged and counted of one run, and what trouble may do in it."""

    def __init__(
        self, site: Description, settings: Settings, world: World, seed: int, chance: random.Random
    ) -> None:
        self.site = site
        self.settings = settings
        self.world = world
        self.seed = seed
        self.chance = chance
        self.scene: Scene
        self.checker: Checker
        self.watch: Watch | None = None
        self.violations: list[Violation] = []
        self.events = 0
        self.played: Counter[str] = Counter()
        self.busy: set[str] = set()  # chargers with which something is wrong now
        self.is_metered = True  # LinkRay has a healthy meter
        self.slow = 0  # things under way that make reactions late by right
        self.poisoned = 0  # failures of the balancer that were planted
        self.is_stopped = False
        self.is_lied_to = False  # the meter says what is not so
        self.has_csms = False
        self.csms = Csms(path="/ocpp", chance=random.Random(seed * 7919 + 3))
        self.csms_trouble = trio.CancelScope()
        self.is_settling = False  # nothing more goes wrong with the CSMS
        self.unpassed: set[str] = set()  # chargers that LinkRay did not pass all the time
        self.has_bad_wires = False  # some chargers have a wire of their own, to be made worse
        supplies = {c.id: c.supply_limit_ma for c in settings.chargers}
        self.best = Best(world, {name: ma for name, ma in supplies.items() if ma is not None})
        self.reactions: list[float] = []
        self.changes = 0
        self.session_s = 0.0
        self.gap_s_max = 0.0
        self._trace = hashlib.sha256()
        self._unlawful: Counter[tuple[str, str | None]] = Counter()
        self._excused_until = self._warm_until = self._warm_lawful = 0.0
        self._stepped_at: float | None = None
        self._over_since: float | None = None
        self._exceeded_s = 0.0
        self._fuse_told = 0.0
        self._complaints = self._lines = 0
        self._offers: dict[tuple[str, int], int] = {}
        self._queues_at = 0.0
        self._books_at = BOOKS_S
        self._restarted_at: list[float] = []
        self._planned_at: float | None = None
        self._excluded = False

    # -- hearing -------------------------------------------------------------------------------

    def prepare(self, scene: Scene) -> None:
        """Listen to everything, from before the box comes up."""
        self.scene = scene
        self.checker = Checker(self.settings, self.world, seed=self.seed)
        run = self

        class Heard(House):
            def tell(self, fact: AnyFact) -> bool:
                run.told(fact)
                return super().tell(fact)

        if self.has_bad_wires:
            for charger in self.world.chargers:
                if self.chance.random() < BAD_WIRES:
                    scene.wires[charger] = Link(chance=self.world.own_chance(), is_changing=True)
        if self.has_csms:
            scene.csms = self.csms
            self.world.keep_books()
        scene.make_house = functools.partial(self._house, Heard)
        scene.on_frame = self._framed
        self.world.on_step = self._stepped
        self.world.absent_is_building = True
        self.note(ProcessBegan(trio.current_time(), self.settings))

    def _house(self, kind: Callable[..., House], *parts: Any, **named: Any) -> House:
        return kind(*parts, plan=HeardPlan(self), faults=HeardFaults(self), **named)

    @property
    def now(self) -> float:
        return self.world.now

    def note(self, event: Event) -> None:
        self.events += 1
        self.checker.note(event, event.at)

    def told(self, fact: AnyFact) -> None:
        if isinstance(fact, MeterLost | MeterBack):
            self.is_metered = isinstance(fact, MeterBack)
        self.note(FactTold(trio.current_time(), fact))

    def _framed(self, frame: Frame) -> None:
        self._trace.update(f"{frame.at:.6f} {frame.charger} {frame.way} {frame.text}\n".encode())
        way = "in" if frame.way == "in" else "out"
        self.note(FrameSeen(frame.at, frame.charger, way, frame.text))  # type: ignore[arg-type]

    def planned(self, plan: Plan) -> None:
        now = trio.current_time()
        self.note(Planned(now, plan))
        since, self._planned_at = self._planned_at, now
        dt = 0.0 if since is None else now - since
        self.gap_s_max = max(self.gap_s_max, dt)
        self._excluded = plan.excluded_until_s is not None
        for offer in plan.offers:
            place = (offer.charger, offer.connector)
            if not offer.session:
                self._offers.pop(place, None)
                continue
            self.session_s += dt
            before = self._offers.get(place)
            if before is not None and before != offer.id:
                self.changes += 1
            self._offers[place] = offer.id

    def _stepped(self, now: float, dt: float) -> None:
        self.note(Stepped(now, dt))
        self._watch_wires(now)
        self._watch_reaction(now)
        self._watch_words()
        if now >= self._queues_at:
            self._queues_at = now + QUEUES_S
            self._see_queues(now)
        if self.has_csms and now >= self._books_at:
            self._books_at = now + BOOKS_S
            self._hold_books(is_over=False)
        if self.watch is not None:
            self.watch(self.world, now)
        self.best.note(now, may_charge=not (self.is_stopped or self._excluded))

    def _see_queues(self, now: float) -> None:
        house = self.scene.house
        inbox = house.tell_balance.statistics()
        lines = LOG.lines
        self.note(QueuesSeen(now, {
            "inbox": (inbox.current_buffer_used, int(inbox.max_buffer_size)),
            "log ring": (len(lines), lines.maxlen or 0),
            "links": (len(house.chargers.links), CHARGERS_MAX + UNKNOWN_MAX),
        }))  # fmt: skip

    # -- judging -------------------------------------------------------------------------------

    def violate(self, invariant: str, state: dict[str, Any]) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(self.seed, self.now, invariant, state))

    def _watch_wires(self, now: float) -> None:
        oracle, wires = self.world.oracle, self.checker.wires
        first, second, third = wires.unseen_ma
        oracle.unseen_ma = first, second, third
        first, second, third = wires.helpless_ma
        oracle.helpless_ma = first, second, third
        oracle.lawful_s = dict(wires.allowed_s)
        oracle.wrong_ma = wires.wrong_ma
        is_lied_to = any(charger is None for _, charger in self._unlawful)
        oracle.excuse = is_lied_to or now < self._excused_until
        if oracle.excuse or self.checker.ruling.unlawful(now):
            self._warm_until = now + WARM_S
        if oracle.limit_exceeded_s > self._exceeded_s:
            if self._exceeded_s == 0.0 or self._over_since is None:
                self.violate("limit", self._state())
            self._exceeded_s = oracle.limit_exceeded_s
        bound = FUSE_TRIPS if now < self._warm_until else FUSE_LAWFUL
        warm = oracle.fuse_percent_now()
        if bound == FUSE_LAWFUL:
            self._warm_lawful = max(self._warm_lawful, warm)
        if warm >= bound > self._fuse_told:
            self._fuse_told = bound
            self.violate("fuse", {**self._state(), "percent": warm, "bound": bound})

    def _watch_reaction(self, now: float) -> None:
        """From a step of the building over the limit to currents under it again."""
        if "site" in self.world.oracle.over:
            if self._over_since is None:
                self._over_since = now
        elif self._over_since is not None:
            stepped = self._stepped_at
            caused = stepped is not None and self._over_since - stepped <= STEP_SEEN_S
            is_excused = self.world.oracle.excuse or self.checker.ruling.unlawful(now)
            if caused and self.is_metered and not self.slow and not is_excused:
                assert stepped is not None
                self.reactions.append(now - stepped)
            self._over_since = None

    def _watch_words(self) -> None:
        """What LinkRay said against the schemas, and failures of its own."""
        complaints = self.world.complaints
        for complaint in complaints[self._complaints :]:
            self.violate("schema", {"said": complaint})
        self._complaints = len(complaints)
        new = LOG.written - self._lines
        self._lines = LOG.written
        for line in list(LOG.lines)[-new:] if new else ():
            if "Traceback" not in line:
                continue
            if self.poisoned and ("task=balance" in line or "plan failed" in line):
                self.poisoned -= 1
            else:
                self.violate("traceback", {"line": line})

    def _state(self) -> dict[str, Any]:
        world = self.world
        return {
            "over": {n: [w.highest_ma for w in world.oracle.nodes[n]] for n in world.oracle.over},
            "building_ma": world.building.ma,
            "site_ma": world.site_ma(),
            "limit_ma": world.limit_ma,
            "faults": sorted(f"{name} {who or ''}".strip() for name, who in self._unlawful),
            "busy": sorted(self.busy),
        }

    # -- the CSMS --------------------------------------------------------------------------------

    async def settle(self) -> None:
        """All is well with the CSMS from now on, for as long as it needs to hear everything."""
        self.is_settling = True
        self.csms_trouble.cancel()
        await trio.sleep(30.0)  # an answer that a mute CSMS still owes is missed by then
        ends_at = self.now + CAUGHT_UP_S
        while not self._is_caught_up():
            if self.now > ends_at:
                self.violate("uplink", {"what": "not caught up", "shown": {
                    name: str(cell.value) for name, cell in self.scene.house.uplink_views.items()
                }})  # fmt: skip
                break
            await trio.sleep(5.0)
        self._hold_books(is_over=True)
        for one in disciplined(self.csms.book, seed=self.seed):
            if not any(one.state["before"] < at < one.time for at in self._restarted_at):
                self.violate(one.invariant, one.state)
        for complaint in self.csms.complaints:
            self.violate("schema", {"said to the CSMS": complaint})

    def _is_caught_up(self) -> bool:
        """Whether all that is connected is live, and nothing waits of what is not."""
        return all(
            cell.value.state == "live" or not (cell.value.waiting or name in self.csms.links)
            for name, cell in self.scene.house.uplink_views.items()
        )

    def _hold_books(self, *, is_over: bool) -> None:
        """What the chargers reported against what the CSMS was told (INV-13, INV-14)."""
        known = {json.dumps(told(one)["state"]) for one in self.violations}
        account = conserve(
            self.world.reported(), self.csms.book, seed=self.seed, now=self.now, is_over=is_over,
            is_due=lambda session: session.charger not in self.unpassed,
        )
        for one in account.violations:
            if json.dumps(told(one)["state"]) not in known:
                self.violate(one.invariant, one.state)

    # -- what trouble may do ---------------------------------------------------------------------

    def begins(self, name: str, charger: str | None = None, *, is_lawful: bool = True) -> None:
        self.played[name] += 1
        if not is_lawful:
            self._unlawful[name, charger] += 1
        self.note(FaultBegan(trio.current_time(), name, charger, is_lawful))

    def ends(self, name: str, charger: str | None = None) -> None:
        if self._unlawful.pop((name, charger), 0) and charger is None:
            self._excused_until = max(self._excused_until, self.now + AFTER_S)
        self.note(FaultEnded(trio.current_time(), name, charger))

    def excuse(self, for_s: float) -> None:
        """LinkRay is blind or down by right for so long."""
        self._excused_until = max(self._excused_until, self.now + for_s)

    def building_stepped(self) -> None:
        self._stepped_at = self.now

    def step_wall(self, by_s: float) -> None:
        self.note(WallStepped(trio.current_time(), by_s))
        self.scene.wall_off_s += by_s

    async def restart(self, down_s: float) -> None:
        """The process ends at once and comes again with its database."""
        self.excuse(down_s + AFTER_S)
        self.note(ProcessEnded(trio.current_time()))
        self.scene.end()
        await trio.sleep(down_s)
        self._restarted_at.append(trio.current_time())
        self.note(ProcessBegan(trio.current_time(), self.scene.store.settings.value))
        self._planned_at = None
        await self.scene.up()

    def restart_balancer(self) -> None:
        """Plant a fact that the balancer cannot take: that step fails (B9)."""
        self.poisoned += 1
        self.note(BalancerRestarted(trio.current_time()))
        self.scene.house.tell_balance.send_nowait(object())  # type: ignore[arg-type]

    async def change(self, **parts: Any) -> None:
        """New settings, as the page would save them."""
        old = self.scene.store.settings.value
        site = {k: v for k, v in parts.items() if k not in ("groups", "chargers")}
        whole = {k: v for k, v in parts.items() if k in ("groups", "chargers")}
        new = msgspec.structs.replace(
            old, site=msgspec.structs.replace(old.site, **site), **whole
        )
        self.note(LimitsChanged(trio.current_time(), new))
        await self.scene.change(**parts)

    async def emergency(self, *, on: bool) -> None:
        answer = await self.scene.ask(SetEmergencyStop(on))
        if answer.ok:
            self.is_stopped = on
            self.note(EmergencyAsked(trio.current_time(), on))

    def wire_of(self, charger: str) -> Link | None:
        """The wire of a charger that has one of its own."""
        return self.scene.wires.get(charger)

    # -- reporting -----------------------------------------------------------------------------

    def report(self, hours: float) -> Report:
        """What there is to say of it."""
        world, oracle = self.world, self.world.oracle
        said = world.report()
        node, percent = oracle.worst_load()
        best = self.best.delivered_wh
        hour = self.session_s / 3600
        self._trace.update(oracle.trace_hash().encode())
        return Report(
            site=self.site.site.name, seed=self.seed, hours=round(hours, 4), events=self.events,
            violations=[*self.violations, *self.checker.violations],
            fuse_percent_max=oracle.fuse_percent_max(), fuse_percent_lawful=self._warm_lawful,
            reaction_s_p50=ranked(self.reactions, 0.5), reaction_s_p99=ranked(self.reactions, 0.99),
            reaction_s_max=ranked(self.reactions, 1.0), reactions=len(self.reactions),
            energy_ratio=round(said["energy_wh"] / best, 3) if best > 0 else None,
            energy_wh=said["energy_wh"], energy_best_wh=round(best),
            changes_per_charger_hour=round(self.changes / hour, 1) if hour else 0.0,
            changes=self.changes, session_hours=round(hour, 2),
            highest_ma=said["highest_ma"], limit_ma=said["limit_ma"],
            worst_load_percent=percent, worst_load_node=node,
            limit_exceeded_s=round(oracle.limit_exceeded_s, 2),
            excused_s=round(oracle.excused_s, 2),
            building_over_s=round(oracle.building_over_s, 2),
            sessions=said["sessions_begun"], plan_gap_s_max=round(self.gap_s_max, 3),
            faults_played=dict(sorted(self.played.items())),
            began_utc=world.begins_utc.isoformat(), trace_hash=self._trace.hexdigest(),
        )  # fmt: skip
