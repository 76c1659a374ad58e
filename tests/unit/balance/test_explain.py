"""What an explanation promises, whatever it is given."""

from __future__ import annotations

from tests.unit.balance.balance_world import World, settings

from linkray.balance.explain import explain, part
from linkray.model.units import Phases


def test_where_no_ceiling_meets_the_offer_what_rounding_left_says_so() -> None:
    connector = World(settings(60, 1)).core._connectors["c1", 1]
    connector.books.offer_ma = 16_600
    explain(connector, [part("charger_max", 32_000), part("group_limit", 16_666)], (0,), None)
    assert connector.reason.code == "unit_rounding"
    assert min(c.ma.l1 for c in connector.ceilings) == 16_600
    assert connector.ceilings[-1].ma == Phases(16_600)


def test_an_explanation_that_has_not_changed_is_used_again() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(40)
    before = world.offer("c1")
    world.run(1.5)
    assert world.offer("c1") is before
