"""The possible set of one connector, rule by rule (trust.md 1, P-rules; decided.md)."""

from __future__ import annotations

from tests.unit.balance.balance_world import World, metered, settings

from linkray.balance.balancer import LINES_MAX, Balancer
from linkray.balance.possible import ENTRIES_MAX, OBEY_S_MIN, Books
from linkray.model.facts import Drawn, LinkUp, MeterRead, OfferAnswered, SettingsChanged
from linkray.model.settings import Charger
from linkray.model.units import Phases


def told(*amounts_a: float) -> Books:
    books = Books(32_000)
    for amount in amounts_a:
        books.issue(int(amount * 1000), 0.0)
    return books


def test_p1_a_connector_that_was_never_heard_may_draw_its_maximum() -> None:
    assert Books(32_000).top_ma == 32_000


def test_p2_a_value_counts_before_it_has_left() -> None:
    books = told(0)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(10.0)
    assert books.top_ma == 0
    books.issue(20_000, 11.0)
    assert books.top_ma == 20_000


def test_p3_what_was_before_leaves_after_the_obey_time_and_not_sooner() -> None:
    books = told(16)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(9.9)
    assert books.top_ma == 32_000
    books.settle(10.0)
    assert books.top_ma == 16_000


def test_p3_an_answer_proves_nothing_of_what_was_sent_later() -> None:
    books = told(20)
    first = books.offer_id
    books.issue(10_000, 1.0)
    books.accepted(first, None, 2.0, leased=False)
    books.settle(20.0)
    assert books.top_ma == 20_000
    assert books.accepted(first, None, 3.0, leased=False)  # the same again is a renewal
    assert books.accepted_at == 2.0


def test_p4_a_refusal_takes_out_its_own_value_and_silence_takes_out_none() -> None:
    books = told(16)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(10.0)
    books.issue(24_000, 11.0)
    books.unknown(books.offer_id)
    assert books.top_ma == 24_000
    assert books.rejected(books.offer_id)
    assert (books.top_ma, books.refused) == (16_000, True)


def test_p4_a_late_refusal_of_what_was_overtaken_or_taken_refuses_nothing() -> None:
    books = told(16)
    first = books.offer_id
    books.issue(20_000, 1.0)
    assert not books.rejected(first)
    assert not books.refused
    books.accepted(books.offer_id, None, 2.0, leased=False)
    assert not books.rejected(books.offer_id)
    assert not books.rejected(12345)
    assert not books.unknown(first)
    assert not books.accepted(first, None, 3.0, leased=False)
    books.sample(30_000, 20.0)
    assert books.top_ma == 32_000


def test_p3_a_late_answer_for_an_older_value_does_not_take_the_newer_one_back() -> None:
    books = told(16)
    first = books.offer_id
    books.issue(10_000, 1.0)
    assert books.accepted(books.offer_id, None, 2.0, leased=False)
    assert not books.accepted(first, None, 3.0, leased=False)
    books.settle(12.0)
    assert books.top_ma == 10_000


def test_c1_after_three_silences_only_an_answer_ends_the_doubt() -> None:
    books = told(16)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(10.0)
    for _ in range(3):
        books.issue(10_000, 11.0)
        books.unknown(books.offer_id)
    books.settle(100.0)
    books.sample(5_000, 100.0)
    assert books.top_ma == 32_000
    books.accepted(books.offer_id, None, 101.0, leased=False)
    books.sample(5_000, 102.0)
    assert books.top_ma == 10_000


def test_the_books_stay_small_and_never_forget_the_highest() -> None:
    books = told(*([20] * 5), 28, *([20] * 100))
    books.accepted_id = 6  # as if the five before had been taken
    assert books.top_ma == 32_000
    assert len(books._entries) <= ENTRIES_MAX


def test_one_over_sample_takes_the_proof_away_and_a_sample_at_the_limit_gives_it_back() -> None:
    books = told(16)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(10.0)
    books.sample(17_000, 20.0)  # within 1 A: obeys
    assert books.top_ma == 16_000
    books.sample(17_001, 30.0)
    assert (books.top_ma, books.caught) == (32_000, False)
    books.sample(17_001, 40.0)
    assert books.caught
    books.sample(15_900, 50.0)
    assert (books.top_ma, books.caught) == (16_000, False)


def test_five_percent_of_a_large_charger_is_still_obeying() -> None:
    books = Books(200_000)
    books.issue(100_000, 0.0)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(10.0)
    books.sample(105_000, 20.0)
    assert books.top_ma == 100_000


def test_the_obey_time_is_never_learnt_below_5_s_and_lost_again_by_one_slow_cut() -> None:
    books = told(16)
    books.accepted(books.offer_id, 30_000, 0.0, leased=False)
    books.sample(15_000, 2.0)
    assert (books.obey_s, books.is_fast) == (OBEY_S_MIN, True)
    books.issue(8_000, 20.0)
    books.accepted(books.offer_id, 15_000, 20.0, leased=False)
    books.sample(15_000, 26.0)
    assert not books.is_fast
    assert books.obey_s >= 10.0


def test_no_lease_is_credited_before_it_was_proved() -> None:
    chargers = [Charger(id="c1", fallback_ma=8_000), Charger(id="c2")]
    world = World(settings(60, chargers))
    world.leased = True
    world.connect()
    world.lose("c1")
    world.run(1000)
    assert world.plan.reserved_ma.l1 == 32_000


def test_no_lease_is_credited_while_an_answer_was_outstanding() -> None:
    world = World(settings(60, [Charger(id="c1", fallback_ma=8_000)]))
    world.leased = True
    world.connect()
    world.core._line("c1").lease_proven = True
    world.silent.add("c1")
    world.begin("c1")
    world.run(0.5)
    world.lose("c1")
    world.run(1000)
    assert world.plan.reserved_ma.l1 == 32_000


def test_a_new_maximum_counts_where_the_old_one_did() -> None:
    world = World(settings(60, [Charger(id="c1")]))
    world.run(1)
    assert world.plan.reserved_ma.l1 == 32_000
    world.feed(SettingsChanged(settings(60, [Charger(id="c1", max_ma=16_000)])))
    assert world.plan.reserved_ma.l1 == 16_000


def test_a_falling_voltage_lowers_what_a_charger_in_watts_is_told() -> None:
    charger = Charger(id="c1", phases=3, connection="L1-L2-L3", unit="W", max_w=50_000)
    world = World(settings(40, [charger], meter=metered()), meter=True)
    world.connect()
    world.run(10)
    world.begin("c1")
    world.run(20)
    before = world.offer("c1")
    world.meter_on = False
    world.feed(MeterRead(before.offer_ma, (210_500, 230_000, 230_000), world.now))
    world.run(2)
    after = world.offer("c1")
    assert after.limit_w < before.limit_w
    assert after.offer_ma.l1 <= 40_000


def test_a_meter_that_is_switched_on_begins_as_failed() -> None:
    world = World(settings(60, 1))
    world.connect()
    world.begin("c1")
    world.run(20)
    assert world.amps() == [32]
    world.feed(MeterRead(Phases(), (None, None, None), world.now))  # nobody asked for it
    world.feed(SettingsChanged(settings(60, 1, meter=metered())))
    assert world.amps() == [0]
    assert world.plan.degraded


def test_links_of_chargers_that_nobody_set_up_are_forgotten_when_there_are_too_many() -> None:
    core = Balancer(settings(60, 1))
    core.feed(LinkUp("c1", 0.0), 0.0)
    for n in range(LINES_MAX + 10):
        core.feed(LinkUp(f"stranger{n}", 1.0), 1.0)
    assert len(core._lines) <= LINES_MAX
    assert core._lines["c1"].linked


def test_a_value_that_is_assumed_proves_nothing() -> None:
    world = World(settings(60, 1))
    world.connect()
    world.begin("c1")
    world.silent.add("c1")
    connector = world.core._connectors["c1", 1]
    connector.books.issue(10_000, world.now)
    answer = OfferAnswered("c1", 1, connector.books.offer_id, "accepted", world.now)
    world.feed(answer)
    world.feed(Drawn("c1", 1, Phases(10_000), "assumed", world.now + 1))
    assert connector.books.top_ma == 32_000
