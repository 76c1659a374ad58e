"""The ladder for chargers that do not obey, and those that refuse (INV-10; balancing.md 4)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.unit.balance.balance_world import World, metered, settings

from linkray.balance.checkpoint import balancer_of, taken
from linkray.model.facts import (
    Booted,
    ChargerKnown,
    Drawn,
    EmergencyStopped,
    LinkUp,
    OfferAnswered,
    OperativeAsked,
    SessionBegan,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.settings import Charger, LimitPhases
from linkray.model.units import Phases

FAULT = ("NOT_OBEYING", "c1")


class Asked(World):
    """Chargers that answer a wish for values at once."""

    def tell(self, plan) -> None:
        wanted = {(o.charger, o.connector): o.values_wanted for o in plan.offers}
        before, self.wanted = getattr(self, "wanted", {}), wanted
        super().tell(plan)
        for key, count in wanted.items():
            if count > before.get(key, 0) and key in self.cars and key[0] in self.linked:
                self.feed(Drawn(*key, self.draws(key), "phases", self.now))


def busy(limit_a: float = 60, kind: type[World] = Asked, **kw: object) -> World:
    """Two cars; from now on the first charger does as it likes."""
    world = kind(settings(limit_a, 2, **kw))
    world.connect()
    world.begin("c1", "c2")
    world.run(43.3)
    world.deaf.add("c1")
    return world


def stages(world: World, seconds: float) -> dict[str, float]:
    """When each step of the ladder was first seen, from now on."""
    began, seen = world.now, {}
    sent = len(world.sent)
    first = world.offer("c1").limit_ma
    for _ in range(int(seconds * 10)):
        world.run(0.1)
        offer, at = world.offer("c1"), world.now - began
        again = [o for _, key, o in world.sent[sent:] if key[0] == "c1" and o.limit_ma == first]
        steps = {
            "fault": FAULT in world.raised, "resent": bool(again), "zero": offer.limit_ma == 0,
            "stop": offer.stop, "inoperative": offer.inoperative,
        }  # fmt: skip
        for name, is_there in steps.items():
            if is_there:
                seen.setdefault(name, at)
    return seen


def test_inv_10_resend_zero_stop_out_of_service_each_at_most_10_s_apart() -> None:
    world = busy()
    world.feed(SettingsChanged(settings(50, 2)))
    seen = stages(world, 60)
    order = [seen[name] for name in ("resent", "zero", "stop", "inoperative")]
    assert order == sorted(order)
    gaps = [late - soon for soon, late in pairwise(order)]
    assert all(5.0 <= gap <= 10.0 for gap in gaps), gaps
    assert world.plan.reserved_ma.l1 == 32_000
    assert world.amps("c2") == [18]


def test_inv_10_one_that_was_told_0_already_is_stopped_within_10_s_of_the_resend() -> None:
    world = busy()
    world.feed(SettingsChanged(settings(3, 2)))  # no room for anyone: 0 A
    seen = stages(world, 60)
    assert seen["stop"] - seen["fault"] <= 10.0
    assert seen["inoperative"] - seen["stop"] <= 10.0


def test_inv_10_the_fault_is_there_15_s_after_a_cut_that_is_not_obeyed() -> None:
    world = busy()
    world.feed(SettingsChanged(settings(50, 2)))
    assert stages(world, 30)["fault"] <= 15.0


def test_inv_10_where_only_it_is_left_to_take_current_from_the_ladder_goes_with_haste() -> None:
    meter = metered(location="building", degraded_ma=LimitPhases(32_000, 32_000, 32_000))
    world = Asked(settings(63, 2, meter=meter), meter=True)
    world.building_a = [62.5, 0, 0]
    world.connect()
    world.run(20.3)
    world.limit_ma["c1", 1] = 29_000
    world.deaf.add("c1")
    world.begin("c1")
    seen = stages(world, 40)
    assert seen["fault"] <= 10.0, "who says that it charges when told 0 A is asked what it draws"
    assert 4.9 <= seen["stop"] - seen["fault"] <= 6.1
    assert 8.0 <= seen["inoperative"] - seen["stop"] <= 10.0


def test_inv_10_no_haste_where_the_others_come_down_to_make_room() -> None:
    world = busy()
    world.feed(SettingsChanged(settings(50, 2)))
    seen = stages(world, 60)
    assert seen["zero"] - seen["resent"] >= 8.0
    world = busy()
    world.feed(SettingsChanged(settings(25, 2)))  # it alone draws 30 A
    seen = stages(world, 60)
    assert seen["resent"] < seen["zero"] <= seen["resent"] + 1.1
    assert 4.9 <= seen["stop"] - seen["resent"] <= 6.1


@pytest.mark.parametrize("phase_s", [0.0, 2.7, 5.1, 9.9])
def test_inv_10_the_fault_is_there_15_s_after_a_charger_begins_to_draw_more_of_itself(
    phase_s: float,
) -> None:
    world = busy()
    world.run(6.7 + phase_s)  # from a sample on
    world.limit_ma["c1", 1] = 32_000
    assert stages(world, 30)["fault"] <= 15.0


def test_one_value_over_the_offer_alone_is_no_fault() -> None:
    world = busy()
    world.run(12.7)
    world.limit_ma["c1", 1] = 32_000
    world.run(4.5)
    world.limit_ma["c1", 1] = 30_000
    assert "fault" not in stages(world, 60)


def test_c5_one_that_obeys_the_first_value_late_is_not_held_to_the_zero_it_was_told_since() -> None:
    world = busy()
    world.deaf.clear()
    world.obey_s["c1"] = 24.0
    world.feed(SettingsChanged(settings(50, 2)))
    seen = stages(world, 26)
    assert "zero" in seen
    world.obey_s.clear()
    world.later.clear()
    world.limit_ma["c1", 1] = 25_000
    world.run(30)
    books = world.core._connectors["c1", 1].books
    assert books.obey_s >= 20.0
    assert FAULT not in world.raised
    assert not world.offer("c1").inoperative
    assert world.amps("c2")[0] >= 18


def test_c5_what_is_seen_as_the_next_session_begins_does_not_show_how_late_one_obeys() -> None:
    world = busy()
    world.end("c1")
    world.feed(StatusSeen("c1", 1, "Finishing", world.now))  # its car stays
    books = world.core._connectors["c1", 1].books
    books.issue(0, world.now + 0.1)
    books.accepted(books.offer_id, 20_000, world.now + 0.2, leased=False)
    books.sample(20_000, world.now + 0.3)  # from before its contactor opened; nothing comes after
    world.now += 70
    world.core.note((
        SessionBegan("c1", 1, 9, "tag", world.now, order=2000.0),
        Drawn("c1", 1, Phases(), "phases", world.now),
    ), world.now)  # fmt: skip
    assert books.obey_s == 10.0


def out_of_service() -> World:
    """The ladder has run to its end; the session is over, and 60 s have passed."""
    world = busy()
    world.feed(SettingsChanged(settings(50, 2)))
    stages(world, 45)
    assert world.offer("c1").inoperative
    world.end("c1")
    world.deaf.clear()
    world.run(5)
    assert world.offer("c1").inoperative
    assert world.raised[FAULT] == "connector 1, out of service"
    assert world.plan.reserved_ma.l1 == 0
    return world


@pytest.mark.parametrize("asked", ["person", "settings", "boot", "link"])
def test_out_of_service_ends_when_it_was_quiet_for_a_minute_and_somebody_asks(asked: str) -> None:
    world = out_of_service()
    if asked == "person":
        world.feed(OperativeAsked("c1", 1, world.now))
    elif asked == "settings":
        world.feed(SettingsChanged(settings(50, 2)))
    elif asked == "boot":
        world.feed(Booted("c1", world.now))
    else:
        world.lose("c1")
        world.connect("c1")
    world.run(40)
    assert world.offer("c1").inoperative
    world.run(25)
    assert not world.offer("c1").inoperative
    assert FAULT not in world.raised
    world.begin("c1")
    world.run(30)
    assert world.amps() == [25, 25]


def test_out_of_service_lasts_while_nobody_asks() -> None:
    world = out_of_service()
    world.run(3600)
    assert world.offer("c1").inoperative


def test_a_session_on_a_connector_out_of_service_is_stopped_and_lets_it_in_a_minute_later() -> None:
    world = out_of_service()
    world.begin("c1")
    world.run(2)
    assert (world.offer("c1").stop, world.amps("c1")) == (True, [0])
    world.run(70)
    assert not world.offer("c1").inoperative
    world.run(30)
    assert world.amps("c1", "c2") == [25, 25]


def test_inv_10_a_charger_that_charges_without_a_session_is_taken_out_of_service() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c2")
    world.run(30)
    world.feed(StatusSeen("c1", 1, "Charging", world.now))
    for _ in range(8):
        world.run(10)
        world.feed(Drawn("c1", 1, Phases(20_000), "phases", world.now))
    assert world.offer("c1").inoperative
    assert world.amps("c2") == [28]
    world.feed(StatusSeen("c1", 1, "Available", world.now))  # the car has left
    world.run(31)  # it tells nothing any more
    assert world.plan.reserved_ma.l1 == 0


def test_inv_10_a_status_does_not_excuse_one_that_charges_without_a_session() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c2")
    world.run(30)
    over_s = 0
    for n in range(30):
        world.run(10)
        world.feed(StatusSeen("c1", 1, ("Preparing", "Available")[n % 2], world.now))
        world.feed(Drawn("c1", 1, Phases(30_000), "phases", world.now))
        over_s += 10 * (world.amps("c2")[0] + 30 > 60)
    assert world.offer("c1").inoperative
    assert ("NOT_OBEYING", "c1") in world.raised
    assert over_s <= 20


def test_an_emergency_stop_that_is_cleared_does_not_end_out_of_service() -> None:
    world = out_of_service()
    world.feed(EmergencyStopped(True, "page", world.now))
    world.feed(EmergencyStopped(False, "page", world.now))
    world.run(120)
    assert world.offer("c1").inoperative


def begun_anew() -> World:
    """A balancer that begins; the store says that c1 was put out of service before."""
    world = World(settings(50, 2))
    world.run(5)
    world.feed(ChargerKnown("c1", (1,), inoperative=(1,)), ChargerKnown("c2", (1,)))
    return world


def let_in_after(world: World, quiet_s: float) -> None:
    """Out of service for so long from now, within 5 s."""
    world.run(quiet_s - 5)
    assert world.offer("c1").inoperative
    world.run(10)
    assert not world.offer("c1").inoperative


def test_inv_10_out_of_service_lasts_over_a_new_start_until_a_minute_of_quiet() -> None:
    world = begun_anew()
    world.run(600)  # not linked yet: nobody sees whether it is quiet
    assert world.offer("c1").inoperative
    assert world.raised[FAULT] == "connector 1, out of service"
    world.connect()
    assert not world.offer("c2").inoperative
    let_in_after(world, 60)
    assert FAULT not in world.raised


def test_inv_10_after_a_new_start_one_that_draws_all_the_same_stays_out_of_service() -> None:
    world = begun_anew()
    world.feed(ChargerKnown("c1", (1,), inoperative=(1,)), LinkUp("c1", world.now))
    for _ in range(12):
        world.feed(Drawn("c1", 1, Phases(20_000), "phases", world.now))
        world.run(10)
    assert world.offer("c1").inoperative
    world.feed(Drawn("c1", 1, Phases(), "phases", world.now))
    let_in_after(world, 60)


def test_one_that_was_let_in_is_not_put_out_again_by_what_the_store_knew_before() -> None:
    world = begun_anew()
    world.connect()
    world.run(70)
    assert not world.offer("c1").inoperative
    world.feed(ChargerKnown("c1", (1, 2), inoperative=(1,)))  # Operative is not answered yet
    world.run(2)
    assert not world.offer("c1").inoperative


def test_what_was_put_out_of_service_now_is_no_less_so_by_what_the_store_knew_before() -> None:
    world = out_of_service()
    world.feed(ChargerKnown("c1", (1, 2)))
    world.run(120)
    assert world.offer("c1").inoperative


def test_a_state_that_is_read_again_keeps_who_is_out_of_service_and_the_minute() -> None:
    world = begun_anew()
    world.connect()
    world.run(30)
    world.core = balancer_of(taken(world.core))
    let_in_after(world, 30)


# -- those that refuse --------------------------------------------------------------------------


def test_one_that_refuses_is_asked_again_every_5_min() -> None:
    world = busy()
    world.silent.add("c1")
    world.feed(SettingsChanged(settings(56, 2)))
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    world.run(12)
    tried = []
    for _ in range(900):
        before = world.offer("c1").id
        world.run(1)
        if world.offer("c1").id != before:
            tried.append(world.now)
            answer = OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now)
            world.feed(answer)
    assert len(tried) == 3
    assert all(299 <= b - a <= 302 for a, b in pairwise(tried))


def test_one_that_refuses_is_reserved_with_its_maximum_while_it_charges_without_a_session() -> None:
    world = World(settings(60, 2))
    world.silent.add("c1")
    world.connect()
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    world.begin("c2")
    world.run(30)
    assert world.plan.reserved_ma.l1 == 0
    world.feed(StatusSeen("c1", 1, "Charging", world.now))
    world.run(1)
    assert world.amps("c2") == [28]


def test_inv_7_the_default_that_one_takes_after_all_comes_off_what_the_others_get() -> None:
    chargers = [Charger(id="c1", start_with_zero=False), Charger(id="c2"), Charger(id="c3")]
    world = World(settings(60, chargers))
    world.silent.add("c1")
    world.connect()
    world.feed(ChargerKnown("c1", (1,), takes_zero=False))
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    world.begin("c2", "c3")
    world.run(100)
    assert world.amps("c2", "c3") == [30, 30]
    newest = world.offer("c1").id
    world.feed(OfferAnswered("c1", 1, newest, "rejected", world.now))
    world.feed(OfferAnswered("c1", 1, newest, "accepted", world.now))
    world.run(1)
    assert world.amps("c1", "c2", "c3") == [6, 27, 27]


def test_one_that_refused_and_says_on_a_new_link_again_that_no_car_is_there_needs_no_room() -> (
    None
):
    world = World(settings(60, 2))
    world.silent.add("c1")
    world.connect()
    world.lose("c1")
    world.connect("c1")
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    world.begin("c2")
    world.run(30)
    assert world.plan.reserved_ma.l1 == 0
    assert world.amps("c2") == [32]


def test_inv_7_the_default_of_one_that_refuses_what_it_is_told_next_is_reserved() -> None:
    chargers = [Charger(id="c1", start_with_zero=False), Charger(id="c2"), Charger(id="c3")]
    world = World(settings(60, chargers))
    world.feed(ChargerKnown("c1", (1,), takes_zero=False))
    world.connect()
    world.feed(ChargerKnown("c1", (1,), takes_zero=False))
    world.run(20)
    world.silent.add("c1")
    world.begin("c1")
    world.end("c1")
    world.run(1)
    world.feed(StatusSeen("c1", 1, "Available", world.now))
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    world.begin("c2", "c3")
    world.run(100)
    assert world.amps("c1", "c2", "c3") == [6, 27, 27]


def test_p2_a_default_that_is_not_answered_yet_comes_off_what_the_others_get() -> None:
    chargers = [Charger(id="c1", start_with_zero=False), Charger(id="c2")]
    world = World(settings(40, chargers))
    world.feed(ChargerKnown("c1", (1,), takes_zero=False))
    world.feed(EmergencyStopped(True, "page", world.now))
    world.connect()
    world.feed(ChargerKnown("c1", (1,), takes_zero=False))
    world.run(12)
    assert world.amps("c1") == [0]
    world.silent.add("c1")
    world.feed(EmergencyStopped(False, "page", world.now))
    world.begin("c2")
    world.run(30)
    assert world.amps("c1") == [6]
    assert world.plan.reserved_ma.l1 >= 6_000
    assert sum(world.amps("c1", "c2")) <= 40


@pytest.mark.parametrize("outcome", ["accepted", "unknown"])
def test_p1_a_default_that_a_session_wrote_over_counts_until_a_new_one_is_proved(
    outcome: str,
) -> None:
    world = World(settings(40, 2))
    world.connect()
    world.begin("c1")
    world.silent.add("c1")
    world.run(3)
    offer = world.offer("c1")
    assert offer.limit_ma == 32_000
    world.feed(OfferAnswered("c1", 1, offer.id, outcome, world.now, as_default=True))
    world.run(10)
    world.end("c1")
    world.begin("c2")
    world.run(20)
    assert world.amps("c2") == [8]


# -- values out of turn -------------------------------------------------------------------------


def beside_a_building(*charging: str) -> World:
    """100 A, a meter at the grid, a building of 20 A; these have charged for a minute."""
    world = World(settings(100, 2, meter=metered()), meter=True)
    world.building_a = [20, 0, 0]
    world.connect()
    world.run(10)
    world.begin(*charging)
    world.run(63.5)
    return world


def test_values_are_asked_for_at_once_when_the_meter_has_jumped_and_not_more_than_each_5_s(
) -> None:
    world = beside_a_building("c1", "c2")
    before = world.offer("c1").values_wanted
    world.run(30)
    assert world.offer("c1").values_wanted == before  # nothing happens, nothing is asked
    world.building_a = [30, 0, 0]
    world.run(0.6)
    assert world.offer("c1").values_wanted > before
    asked = {world.offer("c1").values_wanted}
    for _ in range(200):
        world.building_a = [30 + len(asked) * 6, 0, 0]
        world.run(0.1)
        asked.add(world.offer("c1").values_wanted)
    assert len(asked) <= 1 + 20 / 5


def test_inv_9_values_are_asked_for_every_2_s_while_the_meter_is_over_the_limit() -> None:
    """office8, seed 3: whether a cut had come was not known for 5 s, and noise came on top."""
    world = beside_a_building("c1")
    world.building_a = [110, 0, 0]
    asked = set()
    for _ in range(70):
        world.run(0.1)
        asked.add(world.offer("c1").values_wanted)
    assert len(asked) >= 4, asked


def test_values_are_asked_for_only_of_chargers_that_can_answer() -> None:
    world = World(settings(63, 3, meter=metered()), meter=True)
    world.connect("c1", "c2")
    world.run(10)
    world.begin("c1")
    world.run(24)
    before = {o.charger: o.values_wanted for o in world.plan.offers}
    world.building_a = [50, 0, 0]
    world.run(1)
    after = {o.charger: o.values_wanted for o in world.plan.offers}
    assert after["c1"] > before["c1"]
    assert (after["c2"], after["c3"]) == (before["c2"], before["c3"])


def test_after_a_cut_values_are_asked_for_so_that_its_room_is_proved_sooner() -> None:
    world = Asked(settings(32, 2), interval_s=60)
    world.connect()
    world.begin("c1")
    world.run(62.5)
    world.begin("c2")
    world.run(3.0)
    assert world.amps() == [16, 0]
    world.run(2.0)
    assert world.amps() == [16, 16]
    assert world.core._connectors["c1", 1].books.is_fast  # and it was seen to obey soon


def test_inv_7_who_does_not_obey_is_told_no_more_than_a_limit_that_is_lowered_meanwhile() -> None:
    world = busy()
    world.feed(SettingsChanged(settings(40, 2)))
    world.run(14)
    assert FAULT in world.raised
    assert world.offer("c1").limit_ma == 20_000  # told again; the next step is 0 A
    world.feed(SettingsChanged(settings(12, 2)))
    assert world.offer("c1").limit_ma == 12_000
    world.feed(SettingsChanged(settings(5, 2)))
    assert world.offer("c1").limit_ma == 0
