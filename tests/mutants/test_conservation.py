"""Is the judge of INV-13 and INV-14 right? A relay that does as it should is never found wrong,
whatever chargers, lines and CSMS do; one that errs in one way is found by one of a few seeds.
"""

from __future__ import annotations

import random

import pytest
import trio
from tests.mutants.relay import ERRORS, Relay
from tools.simulator.conservation import Account, conserve
from tools.simulator.passing import passed
from tools.simulator.virtual import VirtualClock, do_not_ask_the_system
from tools.world import Car, Link, Make, World, memory_dial
from tools.world.order import same_order

SEEDS = 8
TURNS = 30
CALM_S = 900.0


async def play(seed: int, error: str) -> tuple[Account, int]:
    """Half an hour in which everything goes wrong, and a quarter in which it all arrives."""
    do_not_ask_the_system()
    chance = random.Random(seed)
    world = World(seed, rest_s=1.0)
    for number in range(2):
        world.add_charger(f"CP-{number}", make=Make(phases=1, connectors=2, boots_s=3.0))
    csms = world.add_csms()
    world.keep_books(frames=True)
    wire = Link()
    async with trio.open_nursery() as nursery:
        relay = Relay(csms.dial(nursery), seed, error)
        nursery.start_soon(relay.run)
        nursery.start_soon(world.run, memory_dial(nursery, relay.serve, wire))
        if seed % 2:
            world.charger("CP-0").be_hasty()
        if seed % 3 == 2:  # slower than anybody waits, and then with another id
            csms.change_ids()
            csms.answer_after(40.0)
        for _turn in range(TURNS):
            people_come_and_go(world, chance)
            something_happens(world, csms, relay, wire, chance)
            await trio.sleep(chance.uniform(1.0, 90.0))
        csms.restore()
        csms.obey()
        for charger in world.chargers.values():
            for at in charger.connectors:
                charger.unplug(at.number)
        await trio.sleep(CALM_S)
        account = conserve(world.reported(), csms.book, seed=seed, now=trio.current_time())
        if not error:
            assert passed(world.reported(), csms.book) == []
        nursery.cancel_scope.cancel()
    return account, sum(len(one.sessions) for one in world.reported())


def people_come_and_go(world, chance):
    charger = chance.choice(list(world.chargers.values()))
    at = chance.choice(charger.connectors)
    if at.car is None:
        charger.plug(Car(phases=1), at.number)
        tag = sum(len(one.sessions) for one in world.reported())
        charger.present_tag(f"TAG{tag}-{at.number}", at.number)
    elif chance.random() < 0.7:
        charger.unplug(at.number)


def something_happens(world, csms, relay, wire, chance):
    charger = chance.choice(list(world.chargers.values()))
    next_tag = f"TAG{sum(len(one.sessions) for one in world.reported())}-1"
    action = chance.choice(("StartTransaction", "StopTransaction", "MeterValues"))
    shuffler = world.charger("CP-1")
    if not shuffler.is_connected:
        shuffler.shuffle_queue()
    chance.choice((
        lambda: None, lambda: None, csms.cut, csms.restore, csms.restore, csms.drop, csms.flap,
        csms.obey, csms.wire.half_open, relay.kill, wire.half_open,
        lambda: csms.lose_answers(action, times=chance.randrange(1, 3)),
        lambda: csms.answer_error(action, times=chance.randrange(1, 5)),
        lambda: csms.answer_after(chance.uniform(0.1, 50.0)),
        lambda: csms.say_of_tag(next_tag, "Invalid"),
        lambda: csms.give_same_id(chance.randrange(1, 3)), csms.change_ids,
        csms.stop_answering, csms.answer_again,
        lambda: charger.disconnect(for_s=chance.uniform(1.0, 300.0)),
        lambda: charger.power_cut(for_s=chance.uniform(1.0, 60.0)), charger.reboot,
        lambda: charger.say_again("StopTransaction"), lambda: charger.say_again("MeterValues"),
        lambda: charger.say_again("StartTransaction"),
    ))()  # fmt: skip


def played(seed: int, error: str = "") -> tuple[Account, int]:
    with same_order(seed):
        return trio.run(play, seed, error, clock=VirtualClock())


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_relay_that_does_as_it_should_is_never_found_wrong(seed: int) -> None:
    account, sessions = played(seed)
    assert account.violations == []
    assert account.starts + account.set_aside >= sessions > 3


@pytest.mark.parametrize("error", ERRORS)
def test_a_relay_that_errs_in_one_way_is_found(error: str) -> None:
    found: set[str] = set()
    for seed in range(1, SEEDS + 1):
        found |= {one.state["what"] for one in played(seed, error)[0].violations}
        if found:
            return
    raise AssertionError(f"{error}: not found with {SEEDS} seeds")
