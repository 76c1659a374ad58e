"""Chargers that nobody has adopted: counted while they are linked, and after (P 6, A30, C25)."""

from __future__ import annotations

import pytest
from tests.unit.balance.balance_world import World, settings

from linkray.balance.balancer import Balancer
from linkray.model.facts import (
    ChargerKnown,
    EtaLearned,
    LinkLost,
    LinkUp,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.settings import Charger


def beside_a_stranger(status: str = "Charging", *, session: bool = True) -> World:
    """60 A, two that charge, and one at 32 A that nobody has adopted and that says nothing."""
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    world.silent.add("new")
    world.linked.add("new")
    world.feed(ChargerKnown("new", (1,)), LinkUp("new", world.now),
               StatusSeen("new", 1, status, world.now))  # type: ignore[arg-type]
    if session:
        world.feed(SessionBegan("new", 1, 99, "t", world.now, order=1.0, found=True))
    world.run(30)
    assert world.amps("c1", "c2") == [14, 14]
    return world


def test_p6_one_that_nobody_adopted_and_that_is_lost_as_it_charges_counts_until_it_is_deleted(
) -> None:
    world = beside_a_stranger()
    world.lose("new")
    world.run(1_000)
    assert world.amps("c1", "c2") == [14, 14]
    assert world.plan.reserved_ma.l1 == 32_000
    both = settings(60, 2).chargers
    world.feed(SettingsChanged(settings(60, [*both, Charger(id="new")])))
    world.run(30)
    assert world.amps("c1", "c2") == [14, 14]  # adopted, and as lost as before (C23)
    world.feed(SettingsChanged(settings(60, 2)))
    world.run(30)
    assert world.amps("c1", "c2") == [30, 30]


@pytest.mark.parametrize("ends", ["Available", "Preparing"])
def test_a30_one_without_a_session_that_is_lost_counts_until_what_it_was_told_has_run_out(
    ends: str,
) -> None:
    world = beside_a_stranger(ends, session=False) if ends == "Preparing" else beside_a_stranger()
    if ends == "Available":
        world.feed(SessionEnded("new", 1, 99, world.now),
                   StatusSeen("new", 1, "Finishing", world.now))
    world.lose("new")
    world.run(180)
    assert world.amps("c1", "c2") == [14, 14]
    world.run(30)
    assert world.amps("c1", "c2") == [30, 30]
    assert [o.charger for o in world.plan.offers] == ["c1", "c2"]


def test_p5_a_stranger_with_a_longer_lease_counts_for_as_long() -> None:
    world = beside_a_stranger("Preparing", session=False)
    offer = world.offer("new")
    world.feed(OfferAnswered("new", 1, offer.id, "accepted", world.now, leased=True, lease_s=1800))
    world.run(20)
    assert world.amps("c1", "c2") == [30, 30]
    world.lose("new")
    world.run(1_790)
    assert world.amps("c1", "c2") == [14, 14]
    world.run(60)
    assert world.amps("c1", "c2") == [30, 30]


def test_a34_what_has_said_nothing_before_it_is_lost_was_a_connection_and_no_charger() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    told = len(world.sent)
    for _ in range(20):  # no plan in between: nothing is told for its sake
        world.core.note((LinkUp("evil", world.now), LinkLost("evil", world.now)), world.now)
        world.run(1)
    assert len(world.sent) == told
    world.feed(ChargerKnown("evil", (1,)), LinkUp("evil", world.now))
    world.run(30)
    assert world.amps("c1", "c2") == [14, 14]
    world.lose("evil")
    world.run(15)
    assert world.amps("c1", "c2") == [30, 30]


def until_let_go(world: World) -> None:
    """Until the plan in which the lost stranger's time is over, and no further."""
    before = world.plan.seq
    while not world.core._is_stale:
        world.run(0.5)
        assert world.plan.seq < before + 300


@pytest.mark.parametrize("when", ["at once", "as its time is over"])
def test_c13_a_stranger_that_is_back_counts_for_as_long_as_its_link_stands(when: str) -> None:
    world = beside_a_stranger("Preparing", session=False)
    if when == "at once":
        world.core.note((LinkLost("new", world.now), LinkUp("new", world.now)), world.now)
    else:
        world.lose("new")
        until_let_go(world)
        world.feed(LinkUp("new", world.now))
    world.run(600)
    assert world.amps("c1", "c2") == [14, 14]


def test_c25_two_deleted_at_once_both_count_though_a_stranger_has_just_been_let_go() -> None:
    world = beside_a_stranger("Preparing", session=False)
    world.silent |= {"c1", "c2"}
    world.lose("new")
    world.run(185)
    world.lose("c2")
    until_let_go(world)
    world.feed(SettingsChanged(settings(60, [Charger(id="c3")])))
    world.run(100)
    assert {o.charger for o in world.plan.offers} == {"c1", "c2", "c3"}


def begun_anew(world: World) -> None:
    """Another balancer, told what stands: the strangers by the one before, the rest by links."""
    before, world.core = world.core, Balancer(world.settings)
    world.ids.clear()
    world.feed(*before.lost_strangers(world.now))
    world.connect("c1", "c2")
    for name in ("c1", "c2"):
        world.feed(SessionBegan(name, 1, world.running[name, 1], "t", world.now, found=True))


@pytest.mark.parametrize(("session", "counts_s"), [(True, 1_000), (False, 180)])
def test_inv12_a_balancer_that_begins_anew_knows_the_strangers_that_were_lost(
    session: bool, counts_s: int
) -> None:
    world = beside_a_stranger("Charging" if session else "Preparing", session=session)
    world.lose("new")
    world.run(5)
    begun_anew(world)
    world.run(counts_s)
    assert world.plan.reserved_ma.l1 == 32_000
    assert world.amps("c1", "c2") == [14, 14]
    world.run(60)
    assert world.amps("c1", "c2") == ([14, 14] if session else [30, 30])
    assert world.core.lost_strangers(world.now + 1_000) == [] or session


def test_p5_a_balancer_that_begins_anew_knows_for_how_long_a_lost_stranger_counts() -> None:
    world = beside_a_stranger("Preparing", session=False)
    offer = world.offer("new")
    world.feed(OfferAnswered("new", 1, offer.id, "accepted", world.now, leased=True, lease_s=1800))
    world.run(20)
    world.lose("new")
    world.run(100)
    begun_anew(world)
    world.run(1_680)
    assert world.amps("c1", "c2") == [14, 14]
    world.run(60)
    assert world.amps("c1", "c2") == [30, 30]


@pytest.mark.parametrize("last", ["lost", "linked"])
def test_inv12_a_balancer_that_begins_anew_knows_what_a_deleted_charger_was(last: str) -> None:
    kept = settings(99, 2).chargers
    big = Charger(id="big", phases=3, connection="L1-L2-L3", max_ma=63_000)
    world = World(settings(99, [*kept, big]))
    world.connect()
    world.begin("c1", "c2", "big")
    world.run(40)
    world.silent.add("big")
    world.settings = settings(99, 2)
    world.feed(SettingsChanged(world.settings))
    world.cars.pop(("big", 1))
    world.run(5)
    if last == "lost":
        world.lose("big")
        world.run(5)
    begun_anew(world)
    if last == "linked":  # its link says so too, and no more of it
        world.feed(ChargerKnown("big", (1,)), LinkUp("big", world.now),
                   SessionBegan("big", 1, world.running["big", 1], "t", world.now, found=True))
    world.run(60)
    assert world.amps("c1", "c2") == [18, 18], "63 A of the 99 are not free"
    assert world.core._connectors["big", 1].books.top_ma == 63_000
    assert world.core._connectors["big", 1].legs == (0, 1, 2)
    world.run(200)
    assert world.amps("c1", "c2") == ([32, 32] if last == "lost" else [18, 18])


def test_inv12_a_deleted_charger_whose_link_goes_as_a_balancer_begins_anew_is_let_go_in_time(
) -> None:
    kept = settings(60, 2).chargers
    world = World(settings(60, [*kept, Charger(id="new")]))
    world.connect()
    world.begin("c1", "c2", "new")
    world.run(40)
    world.silent.add("new")
    world.settings = settings(60, 2)
    world.feed(SettingsChanged(world.settings))
    world.cars.pop(("new", 1))
    world.run(5)
    begun_anew(world)  # and no link tells of it
    world.run(180)
    assert world.amps("c1", "c2") == [14, 14]
    world.run(60)
    assert world.amps("c1", "c2") == [30, 30]


def test_inv12_a_deleted_charger_that_was_adopted_meanwhile_counts_as_it_is_set_now() -> None:
    world = World(settings(60, 2))
    world.connect()
    was = Charger(id="c1", max_ma=63_000)
    world.feed(ChargerKnown("c1", (1,), deleted=was), LinkUp("c1", world.now))
    world.run(30)
    assert world.core._connectors["c1", 1].conf.max_ma != 63_000
    assert world.offer("c1").reason.code != "not_adopted"


def test_b9_a_balancer_that_a_mistake_has_ended_still_tells_of_the_strangers_it_had_lost() -> None:
    world = beside_a_stranger()
    world.lose("new")
    world.run(5)
    with pytest.raises(TypeError):
        world.feed(ChargerKnown("new", (1, 2), least_ma="6 A"))  # type: ignore[arg-type]
    begun_anew(world)
    world.run(60)
    assert world.plan.reserved_ma.l1 == 32_000
    assert world.amps("c1", "c2") == [14, 14]


@pytest.mark.parametrize(("shown", "planned"), [(None, 940), (950, 940), (930, 850)])
def test_b9_a_balancer_that_begins_anew_knows_what_a_deleted_charger_in_watts_passes_on(
    shown: int | None, planned: int
) -> None:
    """Planned with 0.85 as one never seen; but not with more than its session shows."""
    station = Charger(id="c1", phases=3, connection="L1-L2-L3", unit="W", max_w=22_000)
    world = World(settings(60, [station, Charger(id="c2")]))
    world.connect()
    world.begin("c1")
    world.feed(EtaLearned("c1", (960, 970, 980), world.now))
    eta = world.core._lines["c1"].eta
    if shown is not None:
        eta.shown(1, shown)
    world.feed(SettingsChanged(settings(60, [Charger(id="c2")])))
    world.run(1)
    before, world.core = world.core, Balancer(settings(60, [Charger(id="c2")]))

    world.core.note(before.lost_strangers(world.now), world.now)

    world.core.wake(world.now)
    anew = world.core._connectors["c1", 1]
    assert anew.line.eta.planned == planned <= eta.planned
    assert anew.amounts.eta == planned
