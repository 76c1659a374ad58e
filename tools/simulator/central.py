"""What goes wrong behind LinkRay: the line to the CSMS, the CSMS itself, the box in between.

Each kind of trouble begins, lasts as long as it is told, and is over. One at a time: the end of one
makes everything about the CSMS as it should be.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio
from tools.world.csms import Csms

ACTIONS = ("StartTransaction", "StopTransaction", "MeterValues")


class Behind(Protocol):
    """A site with a CSMS behind it."""

    csms: Csms
    chance: random.Random

    async def restart(self, down_s: float) -> None: ...


Kind = Callable[[Behind, float], Awaitable[None]]
KINDS: dict[str, Kind] = {}


def kind(play: Kind) -> Kind:
    KINDS[getattr(play, "__name__", "")] = play
    return play


async def play(name: str, at: Behind, for_s: float) -> None:
    """One kind of trouble, from its beginning to its end."""
    try:
        await KINDS[name](at, for_s)
    finally:
        if at.csms.is_cut:
            at.csms.restore()
        at.csms.obey()


@kind
async def line_cut(at: Behind, for_s: float) -> None:
    """The line is gone (K1)."""
    at.csms.cut()
    await trio.sleep(for_s)


@kind
async def line_stutters(at: Behind, for_s: float) -> None:
    """It comes and goes every few seconds."""
    ends_at = trio.current_time() + for_s
    while trio.current_time() < ends_at:
        at.csms.cut()
        await trio.sleep(at.chance.uniform(0.5, 15.0))
        at.csms.restore()
        await trio.sleep(at.chance.uniform(0.5, 20.0))


@kind
async def one_link_breaks(at: Behind, for_s: float) -> None:
    """A charger's link ends, with or without a word."""
    links = sorted(at.csms.links)
    if links:
        at.csms.drop(at.chance.choice(links), at.chance.choice((None, 1000, 1001, 1011)))
    await trio.sleep(for_s)


@kind
async def links_flap(at: Behind, for_s: float) -> None:
    """Every link breaks as soon as it stands (K3)."""
    at.csms.flap(at.chance.uniform(0.0, 8.0))
    at.csms.drop()
    await trio.sleep(for_s)


@kind
async def csms_is_slow(at: Behind, for_s: float) -> None:
    """It takes up to a minute for each answer (K12)."""
    at.csms.answer_after(at.chance.choice((0.3, 2.0, 9.0, 11.0, 60.0)))
    await trio.sleep(for_s)


@kind
async def csms_is_mute(at: Behind, for_s: float) -> None:
    """Links stand and nothing is answered, nor stored."""
    at.csms.stop_answering()
    await trio.sleep(for_s)


@kind
async def csms_does_not_read(at: Behind, for_s: float) -> None:
    """Links stand and nothing is read from them: what is sent piles up."""
    at.csms.stop_reading()
    await trio.sleep(for_s)


@kind
async def answers_are_lost(at: Behind, for_s: float) -> None:
    """It stores what it is told, and nobody hears of it; told again, it may give another id (K5,
    K8).
    """
    if at.chance.random() < 0.3:
        at.csms.change_ids()
    for action in at.chance.sample(ACTIONS, at.chance.randint(1, 3)):
        at.csms.lose_answers(action, at.chance.randint(1, 2))
    await trio.sleep(for_s)


@kind
async def answers_are_rubbish(at: Behind, for_s: float) -> None:
    """It stores what it is told and answers what is no answer."""
    action = at.chance.choice(ACTIONS[1:])
    at.csms.answer_rubbish(action, at.chance.choice((17, None, "yes", [])), times=2)
    await trio.sleep(for_s)


@kind
async def csms_errs(at: Behind, for_s: float) -> None:
    """It answers some with CALLERROR; a message that one charger's CSMS never takes is set aside
    (K6).
    """
    links = sorted(at.csms.links)
    if links and at.chance.random() < 0.5:
        who = at.chance.choice(links)
        at.csms.answer_error(at.chance.choice(ACTIONS[:2]), 3, "InternalError", who)
        for_s += 40.0
    else:
        at.csms.answer_error(at.chance.choice(ACTIONS), at.chance.randint(1, 4))
    await trio.sleep(for_s)


@kind
async def ids_come_twice(at: Behind, for_s: float) -> None:
    """It gives the id of the transaction before once more (K8)."""
    at.csms.give_same_id(1)
    await trio.sleep(for_s)


@kind
async def door_is_shut(at: Behind, for_s: float) -> None:
    """Its door opens to nothing that speaks OCPP (K4)."""
    at.csms.drop()
    shut = at.chance.choice(("say_nothing", "speak_other", "refuse", "subprotocol"))
    if shut == "subprotocol":
        at.csms.choose_subprotocol("ocpp2.0.1")
    else:
        getattr(at.csms, shut)()
    await trio.sleep(for_s)


@kind
async def boots_wait(at: Behind, for_s: float) -> None:
    """It accepts nobody for a while (decided.md)."""
    at.csms.boot_as(at.chance.choice(("Pending", "Rejected")), at.chance.choice((0, 5, 30)))
    at.csms.drop()
    await trio.sleep(for_s)


@kind
async def box_dies(at: Behind, for_s: float) -> None:
    """LinkRay's process ends and comes again, in an outage or not."""
    if at.chance.random() < 0.6:
        at.csms.cut()
        await trio.sleep(for_s)
    await at.restart(at.chance.uniform(0.2, 5.0))
    if at.chance.random() < 0.5:
        await trio.sleep(for_s)
        await at.restart(at.chance.uniform(0.2, 5.0))
