"""Leases: what a charger that was lost, or is told nothing new, may draw after a while (P 5)."""

from __future__ import annotations

from tests.unit.balance.balance_world import World, settings

from linkray.balance.possible import Books
from linkray.model.facts import (
    Booted,
    LeaseProven,
    LinkSilent,
    ObeyTimeKnown,
    OfferAnswered,
    SettingsChanged,
)
from linkray.model.settings import Charger

D_S, GRACE_S = 180.0, 10.0


def leased(*amounts_a: float, fallback_ma: int = 8_000) -> Books:
    """Accepted one after the other, each with a lease."""
    books = Books(32_000)
    for place, amount in enumerate(amounts_a):
        books.issue(int(amount * 1000), float(place))
        books.accepted(books.offer_id, None, float(place), leased=True, lease_s=D_S,
                       fallback_ma=fallback_ma)  # fmt: skip
    books.settle(len(amounts_a) + 20.0)
    return books


def test_p5_a_value_that_nobody_renews_leaves_at_d_and_delta_and_the_fall_back_enters() -> None:
    books = leased(20)
    books.unrenewed(100.0)
    books.lapse(0.0, 0, 100.0 + D_S + GRACE_S - 0.1, is_proven=True)
    assert books.top_ma == 20_000
    books.lapse(0.0, 0, 100.0 + D_S + GRACE_S, is_proven=True)
    assert (books.top_ma, books.accepted_ma) == (8_000, 8_000)


def test_p5_no_lease_is_credited_where_it_is_not_proved_but_the_fall_back_may_have_come() -> None:
    books = leased(0, fallback_ma=6_000)
    assert books.top_ma == 0
    books.unrenewed(100.0)
    books.lapse(0.0, 0, 100.0 + 60.0, is_proven=False)
    assert books.top_ma == 0
    # The last renewal may be a third of the time old: it may fall so much sooner.
    books.lapse(0.0, 0, 100.0 + 2 * D_S / 3, is_proven=False)
    assert books.top_ma == 6_000
    books = leased(20)
    books.unrenewed(100.0)
    books.lapse(0.0, 0, 10_000.0, is_proven=False)
    assert books.top_ma == 20_000


def test_p5_one_that_answers_nothing_may_have_fallen_and_earns_no_credit() -> None:
    books = leased(0, fallback_ma=6_000)
    books.lapse(0.0, 0, 100.0 + 2 * D_S / 3, is_proven=True, silent_since=100.0)
    assert books.top_ma == 6_000
    books = leased(20)
    books.lapse(0.0, 0, 10_000.0, is_proven=True, silent_since=100.0)
    assert books.top_ma == 20_000  # what it is told and does not answer may renew it


def test_p5_a_value_that_is_renewed_stays() -> None:
    books = leased(20)
    books.lapse(0.0, 0, 100_000.0, is_proven=True)
    assert books.top_ma == 20_000


def test_p5_also_while_the_link_stands_a_value_that_a_newer_one_overtook_runs_out() -> None:
    books = leased(20)
    books.issue(10_000, 100.0)  # never answered, and the one before is not renewed any more
    books.lapse(0.0, 0, 100.0 + D_S + GRACE_S, is_proven=True)
    assert books.top_ma == 10_000
    books.accepted(books.offer_id, None, 400.0, leased=True, lease_s=D_S, fallback_ma=8_000)
    books.settle(410.0)
    assert books.top_ma == 10_000
    books.lapse(0.0, 0, 10_000.0, is_proven=True)
    assert books.top_ma == 10_000  # and is renewed again


def test_p5_no_lease_is_credited_to_one_that_was_caught() -> None:
    books = leased(20)
    books.sample(30_000, 50.0)
    books.unrenewed(100.0)
    books.lapse(0.0, 0, 10_000.0, is_proven=True)
    assert books.top_ma == 32_000


def test_p5_a_lease_that_was_not_honoured_after_all_is_a_contradiction() -> None:
    books = leased(20)
    books.unrenewed(100.0)
    books.lapse(0.0, 0, 300.0, is_proven=True)
    assert books.top_ma == 8_000
    books.sample(20_000, 310.0)
    assert books.top_ma == 32_000


def lost(**kw: object) -> World:
    """Two chargers at 20 A each under 40 A, with leases; the first is proven to fall to 8 A."""
    world = World(settings(40, [Charger(id="c1", fallback_ma=8_000), Charger(id="c2")], **kw))
    world.leased = True
    world.feed(LeaseProven("c1", 0.0))
    world.connect()
    world.begin("c1", "c2")
    world.run(40)
    assert world.amps() == [20, 20]
    world.lose("c1")
    return world


def test_a_lost_charger_is_reserved_with_its_maximum_until_its_proven_lease_has_run_out() -> None:
    world = lost()
    world.run(D_S + GRACE_S - 2)
    assert world.plan.reserved_ma.l1 == 32_000
    world.run(4)
    assert world.plan.reserved_ma.l1 == 8_000
    world.run(25)
    assert world.amps("c2") == [32]


def test_c3_one_that_refused_all_and_then_goes_stays_reserved_with_its_maximum() -> None:
    world = World(settings(60, [Charger(id="c1"), Charger(id="c2")]))
    world.leased = True
    world.feed(LeaseProven("c1", 0.0))
    world.connect()
    world.begin("c1", "c2")
    world.run(40)
    world.silent.add("c1")
    world.feed(SettingsChanged(settings(40, 2)))
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    for _ in range(400):  # its lease runs out meanwhile: nothing renews it
        world.run(1)
        world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    assert world.plan.reserved_ma.l1 == 32_000
    world.lose("c1")
    world.run(2)
    assert world.plan.reserved_ma.l1 == 32_000


def test_p5_a_paused_one_that_answers_nothing_is_counted_with_its_fallback_until_told_anew() -> (
    None
):
    kept = [Charger(id="c1", fallback_ma=0), Charger(id="c2", fallback_ma=6_000)]
    world = World(settings(8, kept))
    world.leased = True
    world.connect()
    world.begin("c1", "c2")
    world.run(40)
    assert world.amps("c1", "c2") == [8, 0]
    books = world.core._connectors["c2", 1].books
    world.silent.add("c2")
    world.feed(LinkSilent("c2", world.now, world.now))
    world.run(130)
    assert books.top_ma == 6_000
    assert world.amps("c1") == [0], "8 A cannot carry both"
    world.silent.discard("c2")
    world.feed(LinkSilent("c2", None, world.now))
    world.run(15)
    assert sorted(world.amps("c1", "c2")) == [0, 8]


def test_p5_what_falls_by_a_clock_that_nobody_knows_may_do_so_as_soon_as_it_answers_nothing() -> (
    None
):
    books = Books(32_000)
    books.issue(0, 0.0)
    books.accepted(books.offer_id, None, 0.1, leased=False, fallback_ma=6_000)
    books.settle(20.0)
    books.lapse(180.0, 6_000, 20.0, is_proven=True)
    assert books.top_ma == 0, "it is renewed, and told to fall to no more than its 0 A"

    books.lapse(180.0, 6_000, 40.0, is_proven=True, silent_since=29.0)
    assert books.top_ma == 6_000
    books.unrenewed(40.0)
    books.issue(16_000, 40.0)
    books.lapse(180.0, 6_000, 400.0, is_proven=True)
    assert books.top_ma == 16_000, "no credit"
    assert not books.lapsed


def test_p5_one_that_falls_by_its_own_clock_is_told_anew_when_it_answers_again() -> None:
    world = World(settings(32, [Charger(id="c1", fallback_ma=6_000), Charger(id="c2")], fifo=True))
    world.connect()
    world.begin("c2")
    world.run(20)
    world.begin("c1")
    world.run(60)
    assert world.amps("c1", "c2") == [0, 32]
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "accepted", world.now,
                             fallback_ma=6_000))  # fmt: skip
    world.feed(LinkSilent("c1", world.now - 35, world.now))
    world.run(3)
    assert world.amps("c2") == [26], "what it may have fallen to is counted"
    world.feed(LinkSilent("c1", None, world.now))
    world.run(30)
    assert world.amps("c1", "c2") == [0, 32]


def test_a_proof_that_is_taken_back_gives_no_credit() -> None:
    world = lost()
    world.feed(LeaseProven("c1", world.now, is_proven=False))
    world.run(1000)
    assert world.plan.reserved_ma.l1 == 32_000


def test_a_lease_longer_than_the_sites_counts_as_long_as_it_is() -> None:
    world = World(settings(60, [Charger(id="c1", fallback_ma=8_000)]))
    world.feed(LeaseProven("c1", 0.0))
    world.silent.add("c1")
    world.connect()
    offer = world.offer("c1")
    world.feed(OfferAnswered("c1", 1, offer.id, "accepted", world.now, leased=True, lease_s=600,
                             fallback_ma=9_000))  # fmt: skip
    world.run(11)
    world.lose("c1")
    world.run(600)
    assert world.plan.reserved_ma.l1 == 32_000
    world.run(12)
    assert world.plan.reserved_ma.l1 == 9_000  # what it was told to fall to, not only what is set


def test_a_charger_that_comes_back_may_have_forgotten_everything() -> None:
    world = lost()
    world.run(300)
    assert world.plan.reserved_ma.l1 == 8_000
    world.silent.add("c1")
    world.connect("c1")
    world.run(5)
    assert world.plan.reserved_ma.l1 == 0
    assert world.core._connectors["c1", 1].books.top_ma == 32_000


def test_p1_after_a_restart_a_charger_may_draw_its_maximum_whatever_its_default_was() -> None:
    world = World(settings(60, [Charger(id="c1", fallback_ma=8_000)]))
    world.connect()
    world.begin("c1")
    world.run(30)
    world.silent.add("c1")
    world.end("c1")
    world.run(1)
    books = world.core._connectors["c1", 1].books
    world.feed(Booted("c1", world.now))
    assert books.top_ma == 32_000


def test_the_obey_time_of_the_passport_holds_from_the_start_and_never_below_5_s() -> None:
    world = World(settings(32, 2))
    world.feed(ObeyTimeKnown("c1", 2.0, 0.0))
    world.connect()
    books = world.core._connectors["c1", 1].books
    assert (books.obey_s, books.is_fast, books.sheds_soon()) == (5.0, True, True)
    world.begin("c1")
    world.run(12.5)
    world.cars["c1", 1].most_ma = 15_900
    world.interval_s = 1000  # no sample tells sooner
    world.begin("c2")
    world.run(4.9)
    assert world.amps() == [16, 0]
    world.run(1.2)
    assert world.amps() == [16, 16]
    world.feed(ObeyTimeKnown("c1", 42.0, world.now))
    assert (books.obey_s, books.is_fast) == (42.0, False)


def test_p6_a_renewal_with_a_longer_lease_may_not_have_come_before_the_link_was_lost() -> None:
    """Then it falls as soon as by the shorter one, and holds as long as by the longer."""
    books = leased(6, fallback_ma=10_000)
    books.accepted(books.offer_id, None, 50.0, leased=True, lease_s=1_800.0, fallback_ma=10_000)
    books.unrenewed(100.0)
    books.lapse(0.0, 0, 100.0 + 2 * D_S / 3, is_proven=True)
    assert books.top_ma == 10_000
    books = leased(20)
    books.accepted(books.offer_id, None, 50.0, leased=True, lease_s=1_800.0, fallback_ma=8_000)
    books.unrenewed(100.0)
    books.lapse(0.0, 0, 1_900.0, is_proven=True)
    assert books.top_ma == 20_000
    books.lapse(0.0, 0, 1_910.0, is_proven=True)
    assert books.top_ma == 8_000


def test_m7_what_a_lease_falls_to_is_as_many_amps_as_its_watts_are_now() -> None:
    books = leased(20, fallback_ma=8_000)
    books.rescale(lambda ma: ma * 5 // 4)
    books.unrenewed(100.0)
    books.lapse(0.0, 0, 100.0 + D_S + 10, is_proven=True)
    assert books.top_ma == 10_000
