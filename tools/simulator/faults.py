"""What goes wrong, by sets: chance draws one trouble after another from those that are asked for.

A trouble is lawful where the wires must still keep every limit: devices may be late, lost, reboot,
lose power. It is unlawful where a device does what none may (accepts a cut and draws on, reports
what is not so): then the wires above a charger are excused by its own current while it lasts, for
a meter all of them; LinkRay's books are not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import trio
from tools.simulator.central import KINDS, play

from linkray.model.settings import LimitPhases

if TYPE_CHECKING:
    from tools.simulator.run import Run
    from tools.world import Charger, Meter

TOLD_S = 12.0  # a lowered limit binds the wires from then on: 1 s dispatch, 10 s obey time
CRASHES_APART_S = 400.0  # three within five minutes are safe mode, which is another matter
BUILDING_SHARE_MAX = 0.98  # of a limit: what a building may come to by steps
TOTAL_SHARE_MAX = 1.5  # and building and chargers together, so that no fuse is near before 5 s
BLIND_SHARE_MAX = 1.2  # the same where the meter is silent: cut ≤ 7 s, and 5 s of lawful cars (M1)

CSMS = "csms"  # the set that puts a CSMS behind the site

Play = Callable[["Run"], Awaitable[None]]
AtCharger = Callable[["Run", "Charger"], Awaitable[None]]
AtMeter = Callable[["Run", "Meter"], Awaitable[None]]


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble; `play` begins it, waits, ends it."""

    name: str
    set: str
    play: Play
    every_s: float = 600.0  # on average, of a site that has it


TROUBLES: list[Trouble] = []


def site_trouble(set_: str, *, every_s: float = 600.0) -> Callable[[Play], Play]:
    """A trouble of the whole site."""

    def add(play: Play) -> Play:
        TROUBLES.append(Trouble(play.__name__, set_, play, every_s))
        return play

    return add


def charger_trouble(
    set_: str, *, lawful: bool = True, slow: bool = False, every_s: float = 900.0
) -> Callable[[AtCharger], AtCharger]:
    """A trouble of one charger, with which nothing else is wrong meanwhile."""

    def add(at: AtCharger) -> AtCharger:
        name = at.__name__

        async def play(run: Run) -> None:
            free = [c for c in run.world.chargers.values() if c.id not in run.busy]
            if not free:
                return
            charger = run.chance.choice(free)
            run.busy.add(charger.id)
            run.slow += slow
            run.begins(name, charger.id, is_lawful=lawful)
            try:
                await at(run, charger)
            finally:
                run.ends(name, charger.id)
                run.slow -= slow
                run.busy.discard(charger.id)

        TROUBLES.append(Trouble(name, set_, play, every_s))
        return at

    return add


def meter_trouble(
    *, lawful: bool = True, blind: bool = True, most_s: float = 30.0, every_s: float = 4_000.0
) -> Callable[[AtMeter], AtMeter]:
    """A trouble of the site meter; `blind`: LinkRay may miss what the building does meanwhile.

    Where the meter says what is not so (not lawful), the building keeps still: a step that nobody
    can see trips a fuse in half a minute, and up to a minute passes until the lie is found (M2).
    """

    def add(at: AtMeter) -> AtMeter:
        name = at.__name__

        async def play(run: Run) -> None:
            meter = run.world.meter
            if meter is None or "the meter" in run.busy:
                return
            run.busy.add("the meter")
            run.slow += 1
            run.is_lied_to = not lawful
            run.begins(name, is_lawful=lawful)
            try:
                await at(run, meter)
                for_s = run.chance.uniform(2.0, most_s)
                if blind:
                    run.excuse(for_s + 10.0)
                await trio.sleep(for_s)
            finally:
                meter.obey()
                run.ends(name)
                run.is_lied_to = False
                run.slow -= 1
                run.busy.discard("the meter")

        TROUBLES.append(Trouble(name, "meter", play, every_s))
        return at

    return add


def fault_set(names: str) -> tuple[Trouble, ...]:
    """The troubles of these sets (`links,meter`; `all`; `none`). `all` are those of a site without
    a CSMS: `csms` puts one behind it, and is named by itself.
    """
    wanted = set(names.split(","))
    known = {CSMS, *(t.set for t in TROUBLES)}
    if unknown := wanted - known - {"all", "none"}:
        raise ValueError(
            f"expected faults of none, all, mix, or some of {', '.join(sorted(known))}; "
            f"got {', '.join(sorted(unknown))}"
        )
    behind = [
        Trouble(name, CSMS, partial(_behind, name)) for name in sorted(KINDS) if name != "box_dies"
    ]
    return (
        *(t for t in TROUBLES if "all" in wanted or t.set in wanted),
        *(behind if CSMS in wanted else ()),
    )


async def _behind(name: str, run: Run) -> None:
    """One trouble with the CSMS; the next when it is over."""
    if "the CSMS" in run.busy or run.is_settling:
        return
    run.busy.add("the CSMS")
    run.begins(name)
    with run.csms_trouble:
        await play(name, run, run.chance.uniform(10.0, 900.0))
    run.ends(name)
    run.busy.discard("the CSMS")
    run.csms_trouble = trio.CancelScope()


async def again_and_again(run: Run, trouble: Trouble) -> None:
    """Play it for ever, with pauses as chance has them."""
    while True:
        await trio.sleep(run.chance.expovariate(1 / trouble.every_s))
        await trouble.play(run)


# -- links -----------------------------------------------------------------------------------------


@charger_trouble("links", slow=True)
async def bad_wire(run: Run, charger: Charger) -> None:
    """Bytes come late, unevenly, some are sent again (N1): up to 30 % loss, 2 s."""
    wire = run.wire_of(charger.id)
    if wire is None:
        return
    wire.delay_s = run.chance.uniform(0.05, 1.0)
    wire.jitter_s = run.chance.uniform(0.0, 1.0)
    wire.loss = run.chance.uniform(0.0, 0.3)
    for_s = run.chance.uniform(30.0, 300.0)
    run.excuse(for_s + 20.0)  # a cut comes when the wire lets it
    await trio.sleep(for_s)
    wire.delay_s = wire.jitter_s = wire.loss = 0.0


@charger_trouble("links")
async def half_open(run: Run, charger: Charger) -> None:
    """Its cable is pulled: nobody hears of it (C13, N2)."""
    away_s = run.chance.uniform(0.0, 120.0)
    charger.pull_cable(away_s)
    await trio.sleep(away_s + 40.0)


@charger_trouble("links")
async def gone_for_long(run: Run, charger: Charger) -> None:
    """Longer than any lease (C23, C24)."""
    away_s = run.chance.uniform(200.0, 900.0)
    charger.disconnect(away_s)
    await trio.sleep(away_s + 30.0)


@charger_trouble("links")
async def flapping(run: Run, charger: Charger) -> None:
    """Its link comes and goes every few seconds."""
    for _ in range(run.chance.randint(3, 12)):
        charger.disconnect(0.0)
        await trio.sleep(run.chance.uniform(2.0, 8.0))


@site_trouble("links", every_s=1_800.0)
async def storm(run: Run) -> None:
    """All links at once, and all come back at once (C15)."""
    run.begins("storm")
    away_s = run.chance.uniform(0.0, 30.0)
    for charger in run.world.chargers.values():
        charger.disconnect(away_s)
    await trio.sleep(away_s + 30.0)
    run.ends("storm")


@charger_trouble("links")
async def chatter(run: Run, charger: Charger) -> None:
    """A hundred statuses a second from one (C29)."""
    for _ in range(run.chance.randint(1, 5)):
        if charger.is_connected:
            charger.storm(100)
        await trio.sleep(1.0)


@charger_trouble("links")
async def said_twice(run: Run, charger: Charger) -> None:
    """Its transaction messages are said again, as if the answers were lost (C17)."""
    charger.say_again("StartTransaction", run.chance.randint(1, 3))
    charger.say_again("MeterValues", 1)
    await trio.sleep(120.0)


# -- chargers --------------------------------------------------------------------------------------


@charger_trouble("chargers", slow=True)
async def obeys_late(run: Run, charger: Charger) -> None:
    """As late as the law has it (C5)."""
    charger.obey_after(run.chance.uniform(1.0, 2.9))
    await trio.sleep(run.chance.uniform(60.0, 600.0))
    charger.obey_again()


@charger_trouble("chargers", lawful=False, slow=True)
async def obeys_too_late(run: Run, charger: Charger) -> None:
    """15 to 60 s (C5)."""
    charger.obey_after(run.chance.uniform(15.0, 60.0))
    await trio.sleep(run.chance.uniform(60.0, 400.0))
    charger.obey_again()
    await trio.sleep(60.0)


@charger_trouble("chargers", lawful=False, slow=True)
async def mute(run: Run, charger: Charger) -> None:
    """Answers no calls (C1), in every other case for longer than its dead-man lasts."""
    charger.stop_answering()
    await trio.sleep(run.chance.triangular(5.0, 600.0, 20.0))
    charger.answer_again()


@charger_trouble("chargers", lawful=False, slow=True)
async def refuses(run: Run, charger: Charger) -> None:
    """Rejects every profile (C2, C3)."""
    charger.reject_profiles(run.chance.choice(("Rejected", "NotSupported")))
    await trio.sleep(run.chance.uniform(30.0, 600.0))
    charger.obey_again()


@charger_trouble("chargers", lawful=False, slow=True)
async def disobeys(run: Run, charger: Charger) -> None:
    """Accepts every profile and stays where it is (C4)."""
    charger.ignore_profiles()
    await trio.sleep(run.chance.uniform(30.0, 600.0))
    charger.obey_again()


@charger_trouble("chargers")
async def ignores_raises(run: Run, charger: Charger) -> None:
    """Obeys lower limits only (C6)."""
    charger.ignore_raises()
    await trio.sleep(run.chance.uniform(60.0, 600.0))
    charger.obey_again()


@charger_trouble("chargers", lawful=False, slow=True)
async def lies(run: Run, charger: Charger) -> None:
    """Says that it draws what it does not (C10)."""
    wrong = run.chance.uniform(0.0, 1.5)
    charger.lie(lambda true: (int(true[0] * wrong), int(true[1] * wrong), int(true[2] * wrong)))
    await trio.sleep(run.chance.uniform(60.0, 600.0))
    charger.lie(None)


@charger_trouble("chargers")
async def says_nothing(run: Run, charger: Charger) -> None:
    """Its meter values stop while it charges (C9)."""
    charger.say_values(lambda _at: [])
    await trio.sleep(run.chance.uniform(60.0, 300.0))
    charger.say_values(None)


@charger_trouble("chargers")
async def says_rubbish(run: Run, charger: Charger) -> None:
    """Meter values that are no values (C10)."""
    word = run.chance.choice(("NaN", "-5", "1e9", "much", "Infinity", ""))
    unit = run.chance.choice(("A", "kA", "V"))
    charger.say_values(
        lambda _at: [{"value": word, "measurand": "Current.Import", "unit": unit, "phase": "L1"}]
    )
    await trio.sleep(run.chance.uniform(30.0, 240.0))
    charger.say_values(None)


@charger_trouble("chargers", every_s=900.0)
async def reboots(_run: Run, charger: Charger) -> None:
    """In the middle of a session (C16)."""
    charger.reboot()
    await trio.sleep(charger.make.boots_s + 30.0)


@charger_trouble("chargers", every_s=900.0)
async def loses_power(run: Run, charger: Charger) -> None:
    """Its supply fails for a while (C13)."""
    off_s = run.chance.uniform(5.0, 180.0)
    charger.power_cut(off_s)
    await trio.sleep(off_s + charger.make.boots_s + 30.0)


@charger_trouble("chargers", every_s=1_200.0)
async def faults_at_a_socket(run: Run, charger: Charger) -> None:
    """One connector is faulty, its neighbour goes on (C22)."""
    number = run.chance.choice(charger.connectors).number
    charger.fault(number)
    await trio.sleep(run.chance.uniform(30.0, 300.0))
    charger.mend(number)


@charger_trouble("chargers", every_s=1_200.0)
async def wrong_clock(run: Run, charger: Charger) -> None:
    """Its clock is in 1970, or hours ahead, for some sessions (C28).

    It is set while nothing runs there: one that jumps on its own under a running schedule takes the
    limit away (trust.md 1, Model 5 counts on none then), which is what `disobeys` plays.
    """
    await _until_free(charger)
    charger.wrong_clock(run.chance.choice((-1.7e9, 14 * 3600.0, -120.0, 7.0, 3600.0)))
    await trio.sleep(run.chance.uniform(120.0, 900.0))
    await _until_free(charger)
    charger.wrong_clock(None)


async def _until_free(charger: Charger) -> None:
    while True:
        if all(at.transaction is None for at in charger.connectors):
            return
        await trio.sleep(1.0)


# -- cars ------------------------------------------------------------------------------------------


@charger_trouble("cars", every_s=300.0)
async def falls_asleep(run: Run, charger: Charger) -> None:
    """Its car sleeps and wakes when something is offered for a while, or only by itself."""
    cars = [at.car for at in charger.connectors if at.car is not None]
    for car in cars:
        car.wakes_after_s = run.chance.choice((5.0, 20.0, 55.0))
        car.fall_asleep()
    await trio.sleep(run.chance.uniform(60.0, 1_200.0))
    for car in cars:
        car.wake()


@charger_trouble("cars", slow=True, every_s=300.0)
async def slow_car(run: Run, charger: Charger) -> None:
    """Follows its pilot as late as the law has it, less what its charger needs."""
    for at in charger.connectors:
        if at.car is not None:
            at.car.lag_s = run.chance.uniform(2.0, 2.9)
    await trio.sleep(run.chance.uniform(120.0, 600.0))


@charger_trouble("cars", every_s=300.0)
async def takes_less(run: Run, charger: Charger) -> None:
    """Preheats, cools, takes less for a while, then all again."""
    cars = [(at.car, at.car.max_ma) for at in charger.connectors if at.car is not None]
    for car, most_ma in cars:
        car.max_ma = max(6_000, int(most_ma * run.chance.uniform(0.2, 0.8)))
    await trio.sleep(run.chance.uniform(30.0, 600.0))
    for car, most_ma in cars:
        car.max_ma = most_ma


@charger_trouble("cars", every_s=300.0)
async def one_phase(run: Run, charger: Charger) -> None:
    """Its car falls back to one phase for a while (C8)."""
    cars = [(at.car, at.car.phases) for at in charger.connectors if at.car is not None]
    for car, _phases in cars:
        car.phases = 1
    await trio.sleep(run.chance.uniform(60.0, 600.0))
    for car, phases in cars:
        car.phases = phases


@charger_trouble("cars", every_s=300.0)
async def nearly_full(run: Run, charger: Charger) -> None:
    """Its car is at the end of its taper."""
    for at in charger.connectors:
        if at.car is not None:
            at.car.soc = max(at.car.soc, run.chance.uniform(0.9, 0.999))
    await trio.sleep(120.0)


# -- meter -----------------------------------------------------------------------------------------


@meter_trouble(most_s=300.0)
async def cut(_run: Run, meter: Meter) -> None:
    """No answer (M1)."""
    meter.cut()


@meter_trouble(lawful=False, most_s=90.0)
async def stuck(_run: Run, meter: Meter) -> None:
    """The same bytes for good (M2)."""
    meter.freeze()


@meter_trouble()
async def not_a_number(_run: Run, meter: Meter) -> None:
    """NaN, 0x7FFF, 0xFFFFFFFF (M3)."""
    meter.nan()


@meter_trouble(lawful=False)
async def wrong_scale(run: Run, meter: Meter) -> None:
    """Ten, a hundred times too much (M4). Too little is found at set-up, before anything charges:
    where it began later, no book could keep the wires.
    """
    meter.scale(run.chance.choice((3.0, 10.0, 100.0)))


@meter_trouble(blind=False)
async def wrong_volts(run: Run, meter: Meter) -> None:
    """Voltages that cannot be (M7)."""
    mv = run.chance.choice((0, 70_000, 300_000))
    meter.say_volts((mv, mv, mv))


@meter_trouble()
async def phase_lost(run: Run, meter: Meter) -> None:
    """One phase says nothing (M8)."""
    meter.lose_phase(run.chance.randint(1, 3))


@meter_trouble(lawful=False, most_s=8.0)
async def swapped(_run: Run, meter: Meter) -> None:
    """Transformers on the wrong phases (M9)."""
    meter.swap((1, 2, 0))


@meter_trouble(most_s=120.0)
async def late(run: Run, meter: Meter) -> None:
    """Answers come late (M10)."""
    meter.late(run.chance.uniform(0.2, 0.95))


@meter_trouble(most_s=120.0)
async def every_other(run: Run, meter: Meter) -> None:
    """Half of the requests stay unanswered (M10)."""
    meter.fail(run.chance.uniform(0.3, 0.7))


@meter_trouble()
async def garbled(_run: Run, meter: Meter) -> None:
    """Wrong bytes (M11)."""
    meter.garble()


@meter_trouble(blind=False)
async def echoes(_run: Run, meter: Meter) -> None:
    """The request comes back before its answer (M11)."""
    meter.echo()


@meter_trouble()
async def answers_the_previous(_run: Run, meter: Meter) -> None:
    """Each request is answered as the one before should have been (M11)."""
    meter.answer_the_previous()


@meter_trouble()
async def exceptions(run: Run, meter: Meter) -> None:
    """Answers with an exception."""
    meter.refuse(run.chance.choice((1, 2, 4, 6)))


@meter_trouble()
async def line_ends(run: Run, _meter: Meter) -> None:
    """The adapter vanishes and returns, the connection ends (M12, M13)."""
    if run.scene.meter_line is not None:
        run.scene.unplug_meter()
    await trio.lowlevel.checkpoint()


@meter_trouble(lawful=False, most_s=5.0)
async def restarts_with_zeros(_run: Run, meter: Meter) -> None:
    """Zeros on all phases for some seconds (M14)."""
    meter.zero()


# -- building --------------------------------------------------------------------------------------


def _can_step_ma(run: Run, phase: int, wanted_ma: int) -> int:
    """As much of a step as a building may take and a fuse can bear."""
    if run.is_lied_to:
        return 0
    world = run.world
    limit = world.limit_ma[phase]
    building = int(limit * BUILDING_SHARE_MAX) - world.building.ma[phase]
    most = BLIND_SHARE_MAX if "the meter" in run.busy else TOTAL_SHARE_MAX
    total = int(limit * most) - world.site_ma()[phase]
    return max(0, min(wanted_ma, building, total))


async def _step(run: Run, phases: tuple[int, ...], share: float, for_s: float) -> None:
    stepped = False
    for phase in phases:
        ma = _can_step_ma(run, phase, int(run.world.limit_ma[phase] * share))
        if ma >= 1_000:
            run.world.building.step(phase + 1, ma, for_s)
            stepped = True
    if stepped:
        run.building_stepped()
    await trio.sleep(for_s)


@site_trouble("building", every_s=300.0)
async def building_steps(run: Run) -> None:
    """One phase or all take more at once, up to all there is (B1)."""
    if run.site.meter is None:
        return
    run.begins("building_steps")
    phases = run.chance.choice(((0,), (1,), (2,), (0, 1, 2)))
    await _step(run, phases, run.chance.uniform(0.05, 1.0), run.chance.uniform(5.0, 400.0))
    run.ends("building_steps")


@site_trouble("building", every_s=2_400.0)
async def square_wave(run: Run) -> None:
    """A load that comes and goes, 0.1 to 2 Hz (B3)."""
    if run.site.meter is None:
        return
    run.begins("square_wave")
    half_s = run.chance.uniform(0.25, 5.0)
    share = run.chance.uniform(0.05, 0.3)
    ends = trio.current_time() + run.chance.uniform(20.0, 120.0)
    while trio.current_time() < ends:
        await _step(run, (0, 1, 2), share, half_s)
        await trio.sleep(half_s)
    run.ends("square_wave")


@site_trouble("building", every_s=3_600.0)
async def overload(run: Run) -> None:
    """The building alone is over the limit, reached in steps (B2)."""
    if run.site.meter is None:
        return
    run.begins("overload")
    world = run.world
    added: list[tuple[int, int]] = []
    for share in (0.7, 0.9, 1.05):
        for phase in range(3):
            ma = int(world.limit_ma[phase] * share) - world.building.ma[phase]
            total = int(world.limit_ma[phase] * TOTAL_SHARE_MAX) - world.site_ma()[phase]
            if 0 < ma <= total and not run.is_lied_to:
                world.building.step(phase + 1, ma)
                added.append((phase + 1, ma))
        run.building_stepped()
        await trio.sleep(run.chance.uniform(10.0, 30.0))
    await trio.sleep(run.chance.uniform(10.0, 60.0))
    for phase_number, ma in added:
        world.building.step(phase_number, -ma)
    run.ends("overload")


# -- clock, process, people ------------------------------------------------------------------------


@site_trouble("clock", every_s=1_500.0)
async def wall_steps(run: Run) -> None:
    """The wall clock is set: by seconds, an hour, a day, 30 years, and back (T2)."""
    run.begins("wall_steps")
    by_s = run.chance.choice((3.0, -8.0, 3_600.0, -3_600.0, -86_400.0, 9.46e8))
    run.step_wall(by_s)
    await trio.sleep(run.chance.uniform(30.0, 600.0))
    run.step_wall(-by_s)
    run.ends("wall_steps")


@site_trouble("crash", every_s=1_200.0)
async def crash(run: Run) -> None:
    """The process ends at this moment and comes again with its database (INV-12)."""
    run.begins("crash")
    run.slow += 1
    await run.restart(run.chance.uniform(0.2, 20.0))
    run.ends("crash")
    await trio.sleep(20.0)
    run.slow -= 1
    await trio.sleep(CRASHES_APART_S)


@site_trouble("crash", every_s=1_800.0)
async def balancer_fails(run: Run) -> None:
    """The balancer alone fails and begins anew (B9)."""
    run.begins("balancer_fails")
    run.slow += 1
    run.restart_balancer()
    await trio.sleep(20.0)
    run.slow -= 1
    run.ends("balancer_fails")
    await trio.sleep(60.0)


def _scaled(limit: LimitPhases, share: float) -> LimitPhases:
    return LimitPhases(int(limit.l1 * share), int(limit.l2 * share), int(limit.l3 * share))


@site_trouble("people", every_s=1_500.0)
async def limit_lowered(run: Run) -> None:
    """The site limit goes down, later up again (B4)."""
    full = run.settings.site.limit_ma
    run.begins("limit_lowered")
    run.slow += 1
    lower = _scaled(full, run.chance.uniform(0.4, 0.95))
    await run.change(limit_ma=lower)
    await trio.sleep(TOLD_S)
    run.world.set_limit((lower.l1, lower.l2, lower.l3))
    await trio.sleep(run.chance.uniform(30.0, 600.0))
    run.world.set_limit((full.l1, full.l2, full.l3))
    await run.change(limit_ma=full)
    run.slow -= 1
    run.ends("limit_lowered")


@site_trouble("people", every_s=3_000.0)
async def emergency_stop(run: Run) -> None:
    """Somebody stops everything, and lets it go again (B12)."""
    run.begins("emergency_stop")
    await run.emergency(on=True)
    await trio.sleep(run.chance.uniform(20.0, 180.0))
    while run.is_stopped:
        await run.emergency(on=False)
        await trio.sleep(5.0)
    run.ends("emergency_stop")


@site_trouble("people", every_s=1_800.0)
async def priorities_change(run: Run) -> None:
    """Some chargers become more important than the others; FIFO is tried."""
    run.begins("priorities_change")
    now = run.scene.store.settings.value
    changed = tuple(
        msgspec.structs.replace(c, priority=run.chance.choice(("normal", "high")))
        for c in now.chargers
    )
    await run.change(chargers=changed)
    await trio.sleep(run.chance.uniform(60.0, 600.0))
    await run.change(fifo=not now.site.fifo)
    await trio.sleep(run.chance.uniform(60.0, 600.0))
    await run.change(fifo=run.settings.site.fifo)
    run.ends("priorities_change")


@charger_trouble("people", every_s=2_400.0)
async def charger_deleted(run: Run, charger: Charger) -> None:
    """Somebody deletes a charger that stands there still, and enters it again (C25). From then
    on nobody is added of himself: not knowing what it is wired to, none could keep its limits.
    """
    kept = run.settings.charger(charger.id)
    assert kept is not None
    run.unpassed.add(charger.id)
    now = run.scene.store.settings.value
    others = tuple(c for c in now.chargers if c.id != charger.id)
    await run.change(chargers=others, new_chargers="ask")
    await trio.sleep(run.chance.uniform(30.0, 300.0))
    now = run.scene.store.settings.value
    others = tuple(c for c in now.chargers if c.id != charger.id)
    await run.change(chargers=(*others, kept))
    await trio.sleep(30.0)
