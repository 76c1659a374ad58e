"""Why an offer is what it is: ceilings phase by phase, in order, and when they may change."""

from __future__ import annotations

from tests.unit.balance.balance_world import Car, World, metered, settings

from linkray.balance.decide import Decision
from linkray.balance.survey import Ground
from linkray.model.facts import EmergencyStopped, SettingsChanged, StatusSeen
from linkray.model.plan import Ceiling, Offer, Reason
from linkray.model.settings import Charger, Group, LimitPhases
from linkray.model.units import Phases


def three_phase(name: str, **kw: object) -> Charger:
    return Charger(id=name, phases=3, connection="L1-L2-L3", **kw)  # type: ignore[arg-type]


def ceiling(offer: Offer, code: str) -> Ceiling:
    [found] = [c for c in offer.ceilings if c.code == code]
    return found


def codes(offer: Offer) -> list[str]:
    return [c.code for c in offer.ceilings]


def test_a_ceiling_shows_each_phase_its_own_amount() -> None:
    world = World(settings((20, 30, 63), [three_phase("c1"), Charger(id="c2", connection="L3")]))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    offer = world.offer("c1")
    assert offer.offer_ma == Phases(20_000, 20_000, 20_000)
    site = ceiling(offer, "site_limit")
    assert (site.ma, site.phase, site.binding) == (Phases(20_000, 30_000, 31_000), "L1", True)


def test_phases_that_are_not_in_use_are_no_part_of_a_ceiling() -> None:
    chargers = [Charger(id="c1", phases=2, connection="L2-L3"), Charger(id="c2", connection="L2")]
    world = World(settings((60, 40, 50), chargers, split_mode="208"))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    assert world.amps() == [20, 20]
    assert ceiling(world.offer("c1"), "site_limit").ma == Phases(0, 20_000, 50_000)


def test_what_the_building_takes_is_told_phase_by_phase_below_the_site_limit() -> None:
    world = World(settings(40, [three_phase("c1")], meter=metered()), meter=True)
    world.building_a = [0, 25, 5]
    world.connect()
    world.run(8)
    world.begin("c1")
    world.run(60)
    offer = world.offer("c1")
    assert ceiling(offer, "site_limit").ma == Phases(40_000, 40_000, 40_000)
    building = ceiling(offer, "building_load")
    assert (building.ma, building.phase) == (Phases(40_000, 15_000, 35_000), "L2")
    assert offer.reason.code == "building_load"


def test_what_is_kept_back_for_the_same_charger_is_told_once_where_it_is_tightest() -> None:
    chargers = [Charger(id=f"c{n}", group="Row") for n in (1, 2, 3)]
    groups = (Group("Hall", 90_000), Group("Row", 50_000, "Hall"))
    world = World(settings(100, chargers, groups))
    world.connect("c1", "c2")
    world.begin("c1", "c2")
    world.run(30)
    offer = world.offer("c1")
    assert world.amps("c1", "c2") == [9, 9]
    kept = ceiling(offer, "unreachable_reserved")
    assert (kept.group, kept.charger, kept.ma) == ("Row", "c3", Phases(9_000))
    assert ceiling(offer, "site_limit").ma.l1 == 9_000 + (100 - 32 - 18 + 32) * 1000


def test_a_paused_car_shows_no_minimum_of_nothing() -> None:
    world = World(settings(13, 3))
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(30)
    [paused] = [o for o in world.plan.offers if o.offer_ma.l1 == 0]
    assert "charger_min" not in codes(paused)
    assert (paused.reason.code, paused.reason.place) == ("turn", 1)


def test_a_sleeping_car_keeps_the_minimum_and_says_so() -> None:
    world = World(settings(60, 1))
    world.connect()
    world.begin("c1", car=Car(0))
    world.run(30)
    world.feed(StatusSeen("c1", 1, "SuspendedEV", world.now))
    world.run(15)
    offer = world.offer("c1")
    assert offer.reason.code == "car_not_asking"
    assert ceiling(offer, "charger_min").ma == offer.offer_ma == Phases(6_000)


def test_what_a_neighbour_leaves_unused_is_told_as_spare() -> None:
    world = World(settings(60, 3))
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(30)
    assert "fair_share" in codes(world.offer("c2"))
    world.cars["c1", 1] = Car(8)
    world.run(100)
    assert world.amps() == [10, 25, 25]
    assert "spare_redistributed" in codes(world.offer("c2"))
    assert world.offer("c1").wanted_ma == 10_000
    assert world.offer("c2").wanted_ma == 32_000


def test_an_excluded_time_pauses_without_stopping_and_says_until_when() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    core = world.core
    ground = Ground(
        core._tree, fifo=False, interval_s=10, dead_man_s=180, emergency=False, by="",
        overloaded=False, excluded=True, excluded_until_s=1234,
    )  # fmt: skip
    budget = core._meter.budget([0, 0, 0], [0, 0, 0], world.now)
    offers = Decision(core._list, ground, budget, frozenset(), world.now + 1).run(1.0)
    assert [o.limit_ma for o in offers] == [0, 0]
    assert not any(o.stop for o in offers)
    assert {(o.reason.code, o.reason.seconds, o.next_look_s) for o in offers} == {
        ("schedule", 1234, 1234)
    }
    world.run(80)
    assert world.amps() == [30, 30]


def test_the_emergency_stop_comes_before_all_other_causes() -> None:
    world = World(settings(60, 1))
    world.connect()
    world.begin("c1")
    world.run(20)
    world.feed(EmergencyStopped(True, "Assembler", world.now))
    offer = world.offer("c1")
    assert (offer.reason.code, offer.reason.by) == ("emergency_stop", "Assembler")
    assert offer.ceilings[0].code == "emergency_stop"


def test_the_next_look_is_when_a_raise_may_come() -> None:
    world = World(settings(60, 1))
    world.connect()
    world.begin("c1")
    world.run(20)
    world.feed(SettingsChanged(settings(10, 1)))
    world.run(12)  # the cut is proved
    world.feed(SettingsChanged(settings(25, 1)))
    world.run(1)
    assert world.amps() == [25]  # last raised long ago
    assert world.offer("c1").next_look_s is None
    world.feed(SettingsChanged(settings(30, 1)))
    offer = world.offer("c1")
    assert offer.reason.code == "raise_hold"
    assert offer.next_look_s == offer.reason.seconds
    assert 8 <= (offer.next_look_s or 0) <= 10


def test_who_waits_for_a_neighbours_cut_knows_when_that_is_proved() -> None:
    world = World(settings(32, 2))
    world.connect()
    world.begin("c1")
    world.run(30)
    world.begin("c2")
    world.run(1)
    offer = world.offer("c2")
    assert (offer.reason.code, offer.reason.charger) == ("wait_for_cut", "c1")
    assert 0 < (offer.next_look_s or 0) <= 10


def test_a_sleeping_car_without_room_is_looked_at_when_it_is_woken() -> None:
    world = World(settings(32, 2))
    world.connect()
    world.begin("c1", car=Car(0))
    world.run(30)
    world.feed(StatusSeen("c1", 1, "SuspendedEV", world.now))
    world.begin("c2")
    world.run(60)
    offer = world.offer("c1")
    assert offer.offer_ma.l1 == 0
    assert 600 < (offer.next_look_s or 0) <= 900


def test_high_is_told_of_sessions_and_chargers() -> None:
    chargers = [Charger(id="c1", priority="high"), Charger(id="c2"), Charger(id="c3")]
    world = World(settings(60, chargers))
    world.connect()
    world.begin("c1", "c2")
    world.begin("c3", vip=True)
    world.run(5)
    assert [o.high for o in world.plan.offers] == [True, False, True]


def test_a_car_that_is_plugged_in_without_a_session_waits_to_be_authorised() -> None:
    world = World(settings(63, [Charger(id="c1"), Charger(id="c2")]))
    world.connect()
    world.run(2)
    assert [offer.reason.code for offer in world.plan.offers] == ["no_car", "no_car"]
    world.feed(StatusSeen("c1", 1, "Preparing", world.now))
    world.run(2)
    assert [offer.reason.code for offer in world.plan.offers] == ["not_authorised", "no_car"]


def test_one_that_is_lost_is_told_of_with_what_its_dead_man_leaves_it() -> None:
    world = World(settings(60, [Charger(id="c1", fallback_ma=8_000), Charger(id="c2")]))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    world.lose("c1")
    world.run(2)
    offer = world.offer("c1")
    assert (offer.reason.code, offer.offer_ma) == ("fail_safe", Phases(8_000))
    kept = ceiling(world.offer("c2"), "unreachable_reserved")
    assert (kept.charger, kept.binding) == ("c1", True)


# -- what is kept for those that cannot be told ----------------------------------------------------


def test_a_lost_charger_says_how_much_is_kept_for_it_and_the_sums_are_the_limits() -> None:
    chargers = [Charger(id="c1", group="Row"), three_phase("c2", group="Row"), Charger(id="c3")]
    world = World(settings(100, chargers, (Group("Row", 80_000),)))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    assert [o.reserve for o in world.plan.offers] == [None, None, None]
    world.lose("c2", "c3")
    world.run(2)
    [lost, loose] = [world.offer(name).reserve for name in ("c2", "c3")]
    assert lost is not None
    assert loose is not None
    assert (lost.may_ma, lost.ma, lost.site_ma) == (Phases.each(32_000),) * 3
    assert loose.ma == Phases(32_000)  # never plugged in, and it may begin to charge
    reserves = [o.reserve for o in world.plan.offers if o.reserve is not None]
    assert sum((r.site_ma for r in reserves), Phases()) == world.plan.reserved_ma
    [row] = [node for node in world.plan.nodes if node.name == "Row"]
    assert lost.ma == row.reserved_ma


def test_where_the_sites_meter_sees_a_lost_charger_it_is_kept_for_in_its_group_alone() -> None:
    chargers = [Charger(id="c1"), Charger(id="c2", group="Row"), Charger(id="c3")]
    tree = settings(100, chargers, (Group("Row", 80_000),), meter=metered())
    world = World(tree, meter=True)
    world.obey_s = {}
    world.connect()
    world.run(10)
    world.begin("c1")
    world.run(60)
    world.lose("c2", "c3")
    world.run(15)
    [in_row, loose] = [world.offer(name).reserve for name in ("c2", "c3")]
    assert in_row is not None
    assert loose is not None
    assert (in_row.may_ma, in_row.ma, in_row.site_ma) == (Phases(32_000), Phases(32_000), Phases())
    assert (loose.may_ma, loose.ma) == (Phases(32_000), Phases())
    assert world.plan.reserved_ma == Phases()


def test_what_is_kept_of_the_site_as_it_cannot_be_shed_soon_enough_is_told_of_each() -> None:
    world = World(settings(40, 3, meter=metered()), meter=True)
    world.obey_s = dict.fromkeys(("c1", "c2", "c3"), 8.0)
    world.connect()
    world.run(10)
    world.begin("c1", "c2", "c3")
    world.run(60)
    world.lose("c2", "c3")
    world.run(2)
    kept = [o.reserve.site_ma for o in world.plan.offers if o.reserve is not None]
    assert world.plan.reserved_ma.l1 > 0
    assert sum(kept, Phases()) == world.plan.reserved_ma


# -- nothing is offered to anybody -----------------------------------------------------------------


def test_while_all_is_stopped_the_panel_tells_the_true_limits_and_no_other_wait() -> None:
    chargers = [Charger(id="c1", group="Row"), Charger(id="c2", group="Row"), Charger(id="c3")]
    tree = settings(60, chargers, (Group("Row", 50_000),), meter=metered())
    world = World(tree, meter=True)
    world.building_a = [20, 0, 0]
    world.connect()
    world.run(8)
    world.begin("c1", "c2")
    world.run(60)
    world.lose("c3")
    world.run(70)
    before = {node.name: node.reserved_ma for node in world.plan.nodes}
    assert world.plan.stopped is None
    world.feed(EmergencyStopped(True, "Assembler", world.now))
    world.run(30)
    for name in ("c1", "c2"):
        offer = world.offer(name)
        assert offer.offer_ma == Phases()
        assert "charger_fault" not in codes(offer)
        assert ceiling(offer, "site_limit").ma == Phases(60_000)
        assert ceiling(offer, "building_load").ma == Phases(40_000)
        assert ceiling(offer, "group_limit").ma == Phases(50_000)
        assert offer.next_look_s is None  # not before charging is allowed again
        assert not {"raise_hold", "turn", "fair_share", "fifo_queue"} & set(codes(offer))
    assert world.plan.stopped == Reason("emergency_stop", by="Assembler")
    assert {node.name: node.reserved_ma for node in world.plan.nodes} == before
    world.feed(EmergencyStopped(False, "Assembler", world.now))
    world.run(80)
    assert world.plan.stopped is None
    assert ceiling(world.offer("c1"), "site_limit").ma.l1 > 0


def test_what_is_offered_first_come_is_no_line_while_all_is_stopped() -> None:
    world = World(settings(32, 2, fifo=True))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    assert "fifo_queue" in codes(world.offer("c2"))
    world.feed(EmergencyStopped(True, "UI", world.now))
    assert codes(world.offer("c2")) == ["emergency_stop", "charger_max", "site_limit"]


# -- the meter is back -----------------------------------------------------------------------------


def test_when_the_meter_is_back_whoever_its_limits_hold_is_told_until_when() -> None:
    degraded = metered(degraded_ma=LimitPhases(20_000, 20_000, 20_000))
    world = World(settings(60, 2, meter=degraded), meter=True)
    world.connect()
    world.run(8)
    world.begin("c1", "c2")
    world.run(30)
    world.meter_on = False
    world.run(20)
    assert world.plan.degraded
    assert world.plan.held is None
    assert ceiling(world.offer("c1"), "degraded_limit").seconds is None
    world.meter_on = True
    world.run(10)
    assert not world.plan.degraded
    held = world.plan.held
    assert held is not None
    assert held.phases == ("L1", "L2", "L3")
    left = held.until - world.now
    assert 50 < left < 60
    assert world.plan.limit_ma == Phases.each(20_000)
    assert world.plan.nodes[0].limit_ma == Phases.each(60_000)  # 20 A are the chargers' alone
    for name in ("c1", "c2"):
        offer = world.offer(name)
        assert offer.reason.code == "degraded_limit"
        assert offer.reason.seconds == offer.next_look_s
        assert abs((offer.next_look_s or 0) - left) <= 1
    world.run(left + 1)
    assert world.plan.held is None
    assert world.amps() == [30, 30]


# -- turns -----------------------------------------------------------------------------------------


def test_a_turn_names_its_line_and_the_next_look_is_when_it_comes() -> None:
    chargers = [
        *(Charger(id=f"n{n}", group="North", connection="L2") for n in (1, 2, 3)),
        *(Charger(id=f"s{n}", connection="L3") for n in (1, 2, 3)),
    ]
    world = World(settings((60, 60, 13), chargers, (Group("North", 13_000),)))
    world.connect()
    world.begin(*(c.id for c in chargers))
    world.run(30)
    waiting = [o for o in world.plan.offers if o.offer_ma == Phases()]
    told = {(o.reason.code, o.reason.place, o.reason.phase, o.reason.group) for o in waiting}
    assert told == {("turn", 1, "L2", "North"), ("turn", 1, "L3", None)}
    assert [o.next_look_s for o in waiting] == [o.reason.seconds for o in waiting]


def test_a_turn_under_a_shared_supply_names_its_charger() -> None:
    world = World(settings(60, [Charger(id="c1", supply_limit_ma=13_000)]))
    world.connect("c1", connectors=(1, 2, 3))
    for connector in (1, 2, 3):
        world.begin("c1", connector=connector)
    world.run(30)
    [waits] = [o.reason for o in world.plan.offers if o.offer_ma == Phases()]
    assert (waits.code, waits.phase, waits.charger, waits.group) == ("turn", "L1", "c1", None)
