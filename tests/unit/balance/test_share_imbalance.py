"""The imbalance limit: no two phases differ by more than it through the chargers' doing."""

from __future__ import annotations

from tests.unit.balance.balance_world import Car, World, settings

from linkray.balance.imbalance import PAIRS, is_level, pairs_of, rooms, slack, sums
from linkray.model.facts import SettingsChanged
from linkray.model.settings import Charger, Group
from linkray.model.units import Phases


def single(name: str, phase: str, **kw: object) -> Charger:
    return Charger(id=name, connection=phase, **kw)  # type: ignore[arg-type]


def three_phase(name: str, **kw: object) -> Charger:
    return Charger(id=name, phases=3, connection="L2-L3-L1", **kw)  # type: ignore[arg-type]


def busy(chargers: list[Charger], imbalance_a: float, limit_a: float = 100, **kw) -> World:
    world = World(settings(limit_a, chargers, imbalance_ma=int(imbalance_a * 1000), **kw))
    world.connect()
    world.begin(*(c.id for c in chargers))
    world.run(90)
    return world


def spread_a(world: World) -> float:
    on = [sum(o.offer_ma[p] for o in world.plan.offers) for p in range(3)]
    return (max(on) - min(on)) / 1000


def test_a_pair_of_phases_is_a_limit_on_those_that_are_on_one_of_them_alone() -> None:
    assert [PAIRS[n] for n in pairs_of((0,))] == [(0, 1), (0, 2)]
    assert sorted(PAIRS[n] for n in pairs_of((2, 0))) == [(0, 1), (2, 1)]
    assert pairs_of((1, 2, 0)) == ()
    assert all(p == n % 3 for n, (p, _) in enumerate(PAIRS))
    total = sums([((0,), 20), ((1,), 12), ((0, 1, 2), 99), ((0, 1), 3)])
    assert is_level(total, 23)
    assert not is_level(total, 22)
    assert dict(zip(PAIRS, rooms(total, 10), strict=True))[0, 1] == 22
    assert dict(zip(PAIRS, slack(total, 10), strict=True))[0, 2] == 10 - 23


def test_a_car_alone_on_its_phase_gets_the_limit_and_is_told_so() -> None:
    world = busy([single("c1", "L1")], 20)
    assert world.amps() == [20]
    reason = world.offer("c1").reason
    assert (reason.code, reason.phase) == ("imbalance", "L1")


def test_a_limit_below_the_minimum_of_a_car_alone_leaves_it_nothing() -> None:
    world = busy([single("c1", "L1")], 4)
    assert world.amps() == [0]
    assert world.reason("c1") == "imbalance"


def test_three_phase_connectors_unbalance_nothing_and_are_not_held() -> None:
    world = busy([three_phase("c1"), single("c2", "L2")], 10)
    assert world.amps("c1", "c2") == [32, 10]
    assert "imbalance" not in {c.code for c in world.offer("c1").ceilings}


def test_one_on_each_phase_start_together_where_the_limit_is_below_their_minimum() -> None:
    chargers = [single(f"c{n}", f"L{n}") for n in (1, 2, 3)]
    world = busy(chargers, 4)
    assert world.amps() == [32, 32, 32]


def test_counterweights_lift_one_another() -> None:
    """L3 carries little: the others may be above it by the limit, and share by percentage."""
    chargers = [single("c1", "L1"), single("c2", "L1"), single("c3", "L2"),
                single("c4", "L3", max_ma=8_000)]  # fmt: skip
    world = busy(chargers, 16)
    assert world.amps("c1", "c2", "c3", "c4") == [12, 12, 24, 8]
    assert {world.reason(n) for n in ("c1", "c3")} == {"imbalance"}
    assert world.reason("c4") == "charger_max"


def test_a_leg_pair_is_weighed_against_the_third_phase() -> None:
    chargers = [
        Charger(id="c1", phases=2, connection="L1-L2"), single("c2", "L3", max_ma=6_000),
    ]  # fmt: skip
    world = busy(chargers, 10, split_mode="208")
    assert world.amps("c1", "c2") == [16, 6]


def test_when_a_counterweight_goes_the_others_are_cut_at_once() -> None:
    chargers = [single(f"c{n}", f"L{n}") for n in (1, 2, 3)]
    world = busy(chargers, 10)
    assert world.amps() == [32, 32, 32]
    world.end("c3")
    world.run(0.2)  # plans that are not for a limit's sake are 0.1 s apart
    assert world.amps("c1", "c2") == [10, 10]
    assert world.offer("c1").urgent


def test_a_car_that_uses_less_takes_its_weight_with_it() -> None:
    chargers = [single(f"c{n}", f"L{n}") for n in (1, 2, 3)]
    world = busy(chargers, 10)
    world.cars["c2", 1] = Car(10)
    world.run(90)
    assert world.amps() == [22, 12, 22]


def test_at_no_moment_do_the_offers_differ_by_more_also_while_turns_change_hands() -> None:
    """Where a place changes hands on one phase, the others give way until its heir is raised."""
    chargers = [single("c1", "L1"), single("c2", "L2", group="G"), single("c3", "L2", group="G"),
                single("c4", "L3")]  # fmt: skip
    tree = settings(100, chargers, (Group("G", 10_000),), imbalance_ma=8_000)
    world = World(tree)
    world.connect()
    world.begin("c1", "c2", "c3", "c4")
    seen = set()
    for _ in range(2000):
        world.run(1)
        assert spread_a(world) <= 8
        seen.add(tuple(world.amps()))
    assert (18.0, 10.0, 0.0, 18.0) in seen
    assert (18.0, 0.0, 10.0, 18.0) in seen


def test_a_limit_set_at_run_time_cuts_in_the_same_step_and_off_is_off() -> None:
    world = busy([single("c1", "L1"), single("c2", "L2")], 40)
    assert world.amps() == [32, 32]
    chargers = list(world.settings.chargers)
    world.feed(SettingsChanged(settings(100, chargers, imbalance_ma=7_000)))
    assert world.amps() == [7, 7]
    world.feed(SettingsChanged(settings(100, chargers)))
    world.run(30)
    assert world.offer("c1").offer_ma == Phases(32_000)
