"""What is reserved for one that may draw more than it was told newest (trust.md 1, P 2, 3, 7)."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.balance.balance_world import Car, World, metered, settings

from linkray.model.facts import Drawn, OfferAnswered, SettingsChanged
from linkray.model.settings import Charger, Group, LimitPhases
from linkray.model.units import Phases

THREE = Charger(id="a", phases=3, connection="L1-L2-L3")
ON_L2 = Charger(id="b", connection="L2")


def on_one_phase() -> World:
    """a has three phases, and its car uses L1 alone; b is on L2, of 40 A."""
    world = World(settings(40, [THREE, ON_L2]))
    world.connect()
    world.begin("a", car=Car(phases=(0,)))
    world.begin("b")
    world.run(100)
    assert world.amps("b") == [32]
    return world


@pytest.mark.parametrize(("interval_s", "not_yet_s", "released_s"), [(10, 38, 42), (30, 85, 95)])
def test_p7_a_phase_is_released_by_three_samples_that_span_half_a_minute(
    interval_s: int, not_yet_s: float, released_s: float
) -> None:
    """Samples at 10, 20, 30 and 40 s, or at 30, 60 and 90 s: three, and 30 s (chargers.md)."""
    tree = settings(40, [THREE, ON_L2], measurand_interval_s=interval_s)
    world = World(tree, interval_s=interval_s)
    world.connect()
    world.begin("a", car=Car(phases=(0,)))
    world.run(not_yet_s - world.now)
    assert world.offer("a").offer_ma == Phases.each(32_000)
    world.run(released_s - world.now)
    assert world.offer("a").offer_ma == Phases(32_000)


@pytest.mark.parametrize("source", ["total", "power"])
def test_p7_a_phase_counts_again_also_by_a_value_that_names_none(source: str) -> None:
    world = on_one_phase()
    world.cars["a", 1].phases = (0, 1, 2)
    world.interval_s = 10_000

    for _ in range(3):
        drawn = world.draws(("a", 1))
        world.feed(Drawn("a", 1, drawn, source, world.now))  # type: ignore[arg-type]
        world.run(10)

    assert world.amps("a")[0] + world.amps("b")[0] <= 40


def test_c9_a_phase_counts_again_when_the_values_have_stopped() -> None:
    world = on_one_phase()
    world.interval_s = 10_000

    world.run(60)

    assert world.amps("a")[0] + world.amps("b")[0] <= 40


def test_p7_values_from_before_a_gap_release_no_phase() -> None:
    """office8, seed 10000: the next value after two minutes of rubbish released two phases."""
    world = World(settings(40, [THREE, ON_L2]))
    world.connect()
    world.begin("a", car=Car(phases=(0,)))
    world.begin("b")
    world.run(35)
    world.interval_s = 10_000
    world.run(60)

    world.feed(Drawn("a", 1, world.draws(("a", 1)), "phases", world.now))
    world.run(10)

    assert world.amps("a")[0] + world.amps("b")[0] <= 40


def sharing_40_a() -> World:
    """c1 and c2 at 20 A each."""
    world = World(settings(40, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(60)
    assert world.amps() == [20, 20]
    return world


def test_inv_3_a_maximum_that_is_lowered_frees_nothing_before_the_cut_is_proved() -> None:
    world = sharing_40_a()
    world.obey_s["c1"] = 9.0
    lower = (Charger(id="c1", max_ma=8_000), Charger(id="c2"))

    world.feed(SettingsChanged(msgspec.structs.replace(world.settings, chargers=lower)))
    world.run(8)

    assert world.amps() == [8, 20]
    world.run(60)
    assert world.amps() == [8, 32]


def test_c4_one_that_draws_above_its_configured_maximum_is_reserved_with_what_it_draws() -> None:
    a, b = Charger(id="a", max_ma=16_000, group="g"), Charger(id="b", group="g")
    world = World(settings(100, [a, b], groups=(Group("g", 50_000),)))
    world.connect()
    world.begin("a", "b")
    world.run(60)
    assert world.amps() == [16, 32]
    world.deaf.add("a")
    world.limit_ma["a", 1] = 32_000

    world.run(60)

    assert world.draws(("a", 1)).l1 == 32_000
    assert world.amps("b")[0] <= 18
    assert ("NOT_OBEYING", "a") in world.raised


def test_p2_what_may_outlast_a_session_counts_when_that_ends_before_its_answer() -> None:
    """us_split, seed 20115: a renewal went out as the default, and its session was over already."""
    world = sharing_40_a()
    offer = world.offer("c1")

    world.feed(OfferAnswered("c1", 1, offer.id, "sent", world.now, as_default=True))
    world.silent.add("c1")
    world.end("c1")
    world.run(5)

    assert world.amps("c2") == [20]


@pytest.mark.parametrize(
    ("meter", "location", "kept_a"),
    [("none", "grid", 32), ("failed", "grid", 32), ("works", "building", 32), ("works", "grid", 0)],
)
def test_one_that_is_gone_counts_in_full_where_no_healthy_meter_sees_it(
    meter: str, location: str, kept_a: float
) -> None:
    sees = metered(location=location, degraded_ma=LimitPhases(150_000, 150_000, 150_000))
    world = World(settings(200, 3, meter=None if meter == "none" else sees), meter=meter != "none")
    world.connect("c1", "c2")
    world.begin("c1", "c2")
    world.run(70)
    world.meter_on = meter == "works"
    world.run(20)

    assert world.plan.degraded == (meter == "failed")
    assert world.plan.reserved_ma.l1 == kept_a * 1000
    assert world.plan.nodes[0].reserved_ma.l1 == kept_a * 1000
