"""The possible set of one connector, rule by rule (trust.md 1, P-rules; decided.md)."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.balance.balance_world import World, metered, settings

from linkray.balance.balancer import LINES_MAX, Balancer
from linkray.balance.possible import ENTRIES_MAX, OBEY_S_MIN, Books
from linkray.model.facts import (
    CeilingSealed,
    ChargerKnown,
    ClockTold,
    Drawn,
    LinkUp,
    MeterRead,
    OfferAnswered,
    SessionEnded,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.settings import Charger, Exclusion
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


def test_p3_what_a_sample_proved_and_a_later_one_contradicts_may_be_all_it_can() -> None:
    books = Books(32_000)
    books.issue(32_000, 0.0)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(20.0)
    books.issue(16_000, 50.0)
    books.accepted(books.offer_id, 10_000, 50.0, leased=False)
    books.sample(10_000, 51.0)
    assert books.top_ma == 16_000
    books.sample(31_500, 58.0)
    assert books.top_ma == 32_000
    assert not books.caught, "its obey time is not over yet (INV-10)"
    books.sample(15_900, 61.0)
    assert books.top_ma == 16_000


def test_p4_a_refusal_takes_out_its_own_value_and_silence_takes_out_none() -> None:
    books = told(16)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(10.0)
    books.issue(24_000, 11.0)
    books.unknown(books.offer_id)
    assert books.top_ma == 24_000
    assert books.rejected(books.offer_id)
    assert (books.top_ma, books.refused) == (16_000, True)


def test_p2_what_one_that_refused_takes_at_a_later_try_is_in_its_books() -> None:
    books = told(16)
    books.accepted(books.offer_id, None, 0.0, leased=False)
    books.settle(10.0)
    books.issue(24_000, 11.0)
    books.rejected(books.offer_id)
    assert books.accepted(books.offer_id, None, 311.0, leased=False)
    assert (books.top_ma, books.refused, books.proven) == (32_000, False, False)
    books.settle(321.0)
    assert (books.top_ma, books.accepted_ma) == (24_000, 24_000)


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


# -- to the letter of INV-1 … INV-12 ------------------------------------------------------------


def test_inv_5b_only_a_cut_that_was_followed_down_to_its_limit_shows_how_soon_it_obeys() -> None:
    books = told(16)
    books.accepted(books.offer_id, 30_000, 0.0, leased=False)
    books.sample(3_000, 2.0)  # the car has ended of itself
    assert (books.is_fast, books.obey_s) == (False, 10.0)


def test_inv_5b_one_that_is_not_answering_or_over_its_offer_cannot_be_shed_in_5_s() -> None:
    books = told(16)
    books.accepted(books.offer_id, 30_000, 0.0, leased=False)
    books.sample(15_000, 2.0)
    assert books.sheds_soon()
    books.sample(25_000, 12.0)
    assert not books.sheds_soon()
    books.sample(15_000, 22.0)
    assert books.sheds_soon()
    books.issue(10_000, 30.0)
    books.unknown(books.offer_id)
    assert not books.sheds_soon()


def test_inv_5b_one_that_refuses_to_take_its_value_once_more_cannot_be_shed_in_5_s() -> None:
    books = told(16)
    books.accepted(books.offer_id, 30_000, 0.0, leased=False)
    books.sample(15_000, 2.0)
    assert not books.rejected(books.offer_id)  # it is in force all the same
    assert books.top_ma == 16_000
    assert not books.sheds_soon()
    books.accepted(books.offer_id, 15_000, 12.0, leased=False)
    assert books.sheds_soon()


def test_inv_1_what_a_session_was_told_is_gone_with_it_and_its_default_is_not() -> None:
    chargers = [Charger(id="c1", start_with_zero=False), Charger(id="c2")]
    world = World(settings(38, chargers))
    world.connect()
    world.begin("c1")
    world.run(30)
    assert world.amps("c1") == [32]
    world.end("c1")
    world.begin("c2")
    world.run(12)
    assert world.amps("c2") == [32]
    assert world.plan.reserved_ma.l1 == 6_000


def test_a_charger_deleted_while_it_charges_counts_until_it_has_been_told_to_stop() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    assert world.amps() == [30, 30]
    world.deaf.add("c1")
    world.feed(SettingsChanged(settings(60, [Charger(id="c2")])))
    world.run(5)
    offer = world.offer("c1")
    assert (offer.limit_ma, offer.stop, offer.reason.code) == (0, True, "not_adopted")
    assert world.amps("c2") == [30]  # its 30 A are not free yet
    world.cars.clear()
    world.feed(SessionEnded("c1", 1, world.running["c1", 1], world.now))
    world.run(15)
    assert world.amps("c2") == [32]


@pytest.mark.parametrize("first", ["link", "settings"])
def test_a_charger_deleted_while_it_charges_and_then_cut_off_counts_until_its_lease_is_over(
    first: str,
) -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    gone = SettingsChanged(settings(60, [Charger(id="c2")]))
    if first == "link":
        world.lose("c1")
        world.feed(gone)
    else:
        world.feed(gone)
        world.lose("c1")
    world.run(180)
    assert world.amps("c2") == [28]
    world.run(15)
    assert world.amps("c2") == [32]
    assert [o.charger for o in world.plan.offers] == ["c2"]


def test_a_charger_that_was_long_offline_is_free_when_it_is_deleted() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    world.lose("c1")
    world.run(60)
    world.feed(SettingsChanged(settings(60, [Charger(id="c2")])))
    world.run(12)
    assert world.amps("c2") == [32]


def test_inv_7_the_engineering_ceiling_lowers_the_site_limit_and_nothing_lifts_it() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    world.feed(CeilingSealed(Phases(40_000, 50_000, 50_000), world.now))
    assert world.amps() == [20, 20]
    assert world.reason("c1") == "engineering_ceiling"
    world.feed(SettingsChanged(settings(100, 2)))
    world.run(30)
    assert world.amps() == [20, 20]
    world.feed(SettingsChanged(settings(30, 2)))
    assert world.amps() == [15, 15]
    assert world.reason("c1") == "site_limit"
    world.feed(SettingsChanged(settings(60, 2)), CeilingSealed(None, world.now))
    world.run(30)
    assert world.amps() == [30, 30]


def test_inv_7_under_a_meter_the_ceiling_holds_too() -> None:
    world = World(settings(63, 2, meter=metered()), meter=True)
    world.building_a = [20, 0, 0]
    world.feed(CeilingSealed(Phases(50_000, 50_000, 50_000), 0.0))
    world.connect()
    world.run(10)
    world.begin("c1", "c2")
    world.run(65)
    assert world.amps() == [15, 15]
    told = len(world.sent)
    world.building_a = [25, 0, 0]
    world.run(1)
    assert len(world.sent) > told
    assert world.amps() == [12.5, 12.5]


MONDAY = 1_767_571_200.0  # 5 January 2026, 00:00 UTC
NIGHT = (Exclusion(("Mon",), "00:10", "00:20"),)


def scheduled(**kw: object) -> World:
    tree = msgspec.structs.replace(settings(60, 2, **kw), schedule=NIGHT)
    world = World(tree)
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    return world


def test_an_excluded_time_pauses_all_and_ends_by_itself() -> None:
    world = scheduled()
    world.feed(ClockTold(MONDAY + 500.0, world.now))
    world.run(99)
    assert world.amps() == [30, 30]
    world.run(1.1)
    assert world.amps() == [0, 0]
    assert world.reason("c1") == "schedule"
    assert world.plan.excluded_until_s == 600
    assert not any(o.stop for o in world.plan.offers)  # sessions pause, they do not end
    world.run(600)
    assert world.amps() == [30, 30]
    assert world.plan.excluded_until_s is None


def test_a_clock_that_is_set_is_looked_at_at_once() -> None:
    world = scheduled()
    world.feed(ClockTold(MONDAY + 700.0, world.now))
    world.run(0.2)
    assert world.amps() == [0, 0]
    world.feed(ClockTold(MONDAY + 1300.0, world.now))
    world.run(70)
    assert world.amps() == [30, 30]


def test_t6_while_nobody_knows_the_time_the_last_known_state_stands() -> None:
    world = scheduled()
    world.feed(ClockTold(12.0, world.now, is_set=False))  # 1970, and nothing was ever known
    world.run(2)
    assert world.amps() == [30, 30]
    world.feed(ClockTold(MONDAY + 700.0, world.now))
    world.run(2)
    world.feed(ClockTold(MONDAY + 702.0, world.now, is_set=False))
    world.run(3600)
    assert world.amps() == [0, 0]
    world.feed(SettingsChanged(settings(60, 2)))  # a person takes the schedule out
    world.run(70)
    assert world.amps() == [30, 30]


def test_a_short_loss_of_a_link_costs_the_others_only_what_it_may_still_draw_under_a_meter(
) -> None:
    world = World(settings(60, 2, meter=metered()), meter=True)
    world.connect()
    world.run(10)
    world.begin("c1", "c2")
    world.run(62)
    assert world.amps() == [30, 30]
    world.lose("c1")
    lowest = 60.0
    for second in range(30):
        world.run(1)
        lowest = min(lowest, *world.amps("c2"))
        if second == 4:
            world.connect("c1")
    assert lowest == 28.0  # it draws 30 of its 32 A, and the meter sees these
    assert world.amps() == [30, 30]


def test_what_a_charger_draws_that_was_lost_is_never_given_out() -> None:
    world = World(settings(60, 3, meter=metered()), meter=True)
    world.connect()
    world.run(10)
    world.begin("c1", "c2")
    world.run(62)
    world.lose("c1")
    world.begin("c3")
    for _ in range(100):
        world.run(1)
        assert sum(world.amps("c2", "c3")) <= 30.0


def test_inv_10_newer_values_give_no_new_time_to_who_is_over_all_of_them() -> None:
    books = Books(32_000)
    for at, amount_ma in ((0.0, 16_000), (20.0, 12_000), (24.0, 13_000), (28.0, 12_500)):
        books.issue(amount_ma, at)
        books.accepted(books.offer_id, 15_500, at, leased=False)
        books.sample(15_500, at + 1.0)
    assert not books.caught  # for 10 s it may still be on its way down from 16 A
    books.sample(15_500, 31.0)
    assert books.caught
    assert books.top_ma == 32_000


def test_inv3_what_a_session_contradicted_to_its_end_proves_nothing_of_what_rules_then() -> None:
    books = Books(32_000)
    books.issue(0, 1.0)
    books.accepted(books.offer_id, None, 1.1, leased=False)
    books.sample(6_000, 5.0)
    books.sample(6_000, 15.0)
    books.session_ended()
    books.settle(30.0)
    assert books.top_ma == 32_000
    books.issue(0, 30.0)
    books.accepted(books.offer_id, None, 30.1, leased=False)
    books.settle(41.0)
    assert books.top_ma == 0


def test_c5_one_that_follows_every_cut_eight_seconds_late_obeys() -> None:
    books = Books(32_000)
    for second in range(60):
        books.issue(32_000 - second * 400, float(second))
        books.accepted(books.offer_id, 32_000, float(second), leased=False)
        books.sample(32_000 - max(0, second - 8) * 400, second + 0.5)
        assert not books.caught


def test_c1_its_maximum_is_reserved_when_a_value_has_no_answer_for_half_a_minute() -> None:
    books = Books(32_000)
    books.issue(16_000, 0.0)
    books.accepted(books.offer_id, None, 1.0, leased=True)
    books.settle(20.0)
    books.issue(10_000, 20.0)
    books.doubt(48.0)
    assert books.top_ma == 16_000  # old and new
    books.doubt(49.5)
    assert books.top_ma == 32_000
    books.accepted(books.offer_id, None, 50.0, leased=True)  # it answers again
    books.settle(61.0)
    assert books.top_ma == 10_000


# -- what may be raised while books are over, and what proves nothing ---------------------------


def accepted(amount_a: float, at: float) -> Books:
    books = told(amount_a)
    books.accepted(books.offer_id, 32_000, at, leased=False)
    return books


def test_p3_a_mean_that_began_before_the_answer_neither_proves_nor_contradicts() -> None:
    books = accepted(16, at=100.0)
    books.sample(12_000, 104.0, over_s=10.0)
    assert (books.top_ma, books.proven) == (32_000, False)
    books.sample(30_000, 109.0, over_s=10.0)
    assert books.over_since is None
    books.sample(12_000, 112.0, over_s=10.0)
    assert (books.top_ma, books.proven) == (16_000, True)


def test_p3_after_a_value_over_it_that_may_be_from_a_queue_time_alone_proves_nothing_yet() -> None:
    books = accepted(0, at=100.0)
    books.sample(12_000, 103.0, over_s=10.0, is_queued=True)
    assert books.over_since is None
    books.settle(112.0)
    assert books.top_ma == 32_000
    books.settle(113.0)
    assert books.top_ma == 0


def test_c4_one_that_stamps_whole_minutes_is_found_as_soon_as_others_and_proves_no_sooner() -> (
    None
):
    books = accepted(0, at=100.0)
    books.sample(0, 103.0, over_s=40.0, coarse_s=40.0)
    assert not books.proven, "it may be from before the answer"
    books.sample(12_000, 104.0, over_s=41.0, coarse_s=41.0)
    books.settle(110.0)
    assert books.top_ma == 32_000, "it may be from after it: time alone is no proof"
    books.sample(12_000, 114.0, over_s=51.0, coarse_s=51.0)
    assert books.caught


def test_c4_a_mean_over_its_obey_time_is_no_disobedience_one_after_it_is() -> None:
    books = accepted(16, at=100.0)
    books.sample(30_000, 110.5, over_s=10.0)  # it came down at 110, as it may
    assert not books.caught
    books.sample(30_000, 121.0, over_s=10.0)
    assert books.caught


def test_inv1_nothing_is_raised_back_while_the_books_exceed_the_limit() -> None:
    world = World(settings(60, 3))
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(40)
    assert world.amps() == [20, 20, 20]
    world.lose("c3")
    world.run(0.5)
    assert world.amps("c1", "c2") == [14, 14]
    world.connect("c3")  # its limits are unknown: up to 32 A, until it has obeyed
    world.run(3)
    assert world.amps("c1", "c2") == [14, 14]
    world.run(20)
    assert world.amps() == [20, 20, 20]


def test_inv2_a_raise_that_was_taken_back_counts_until_its_cut_is_proved() -> None:
    world = World(settings(60, 2, meter=metered()), meter=True)
    world.connect()
    world.run(10)
    world.begin("c1")
    world.run(1)
    c1 = world.core._connectors["c1", 1]
    assert c1.books.offer_ma == 32_000
    world.sample = lambda: None  # nothing is heard of what it draws
    world.begin("c2")
    world.run(1)
    draws = world.core._draws(world.now)
    assert c1.books.offer_ma < 32_000 == c1.books.top_ma
    assert draws.granted[0] >= 32_000 > draws.rising[0]


def test_p1_an_idle_charger_of_which_nothing_is_known_counts_until_its_default_is_obeyed() -> None:
    world = World(settings(60, 2))
    world.linked.add("c1")
    world.feed(ChargerKnown("c1", (1,)), LinkUp("c1", 0.0), StatusSeen("c1", 1, "Preparing", 0.0))
    world.run(5)
    c1 = world.core._connectors["c1", 1]
    assert c1.default_ma == 0
    assert sum(n.promised_ma.l1 for n in world.plan.nodes[:1]) == 32_000
    world.run(6)
    assert sum(n.promised_ma.l1 for n in world.plan.nodes[:1]) == 0


def test_c20_a_value_that_comes_as_it_links_may_be_from_its_queue_and_proves_nothing() -> None:
    world = World(settings(60, 1))
    world.connect()
    world.begin("c1")
    world.run(0.5)
    books = world.core._connectors["c1", 1].books
    assert (books.accepted_id, books.proven) == (books.offer_id, False)
    world.feed(Drawn("c1", 1, Phases(), "phases", world.now))
    assert not books.proven
    world.lose("c1")
    world.connect("c1")
    world.feed(Drawn("c1", 1, Phases(), "phases", world.now))
    assert books.top_ma == 32_000
    world.run(11)
    world.feed(SettingsChanged(settings(10, 1)))
    world.feed(Drawn("c1", 1, Phases(), "phases", world.now))
    assert books.top_ma == 10_000


def test_c5_coming_down_to_a_later_lower_limit_shows_no_late_obedience_to_the_first() -> None:
    books = told(28)
    books.accepted(books.offer_id, 32_000, 0.0, leased=False)
    for at in (4.0, 9.0, 14.0, 19.0):
        books.sample(30_320, at)
    books.issue(0, 20.0)
    books.accepted(books.offer_id, 30_320, 20.0, leased=False)
    books.sample(0, 24.0)
    assert (books.obey_s, books.is_fast) == (10.0, False)


def test_c5_what_only_0_a_brought_down_shows_no_late_obedience_to_any_limit_before() -> None:
    books = told(32)
    books.accepted(books.offer_id, 41_000, 0.0, leased=False)
    books.sample(41_000, 3.0)
    for amount_ma, at in ((16_000, 4.0), (8_000, 8.0), (0, 20.0)):
        books.issue(amount_ma, at)
        books.accepted(books.offer_id, 41_000, at, leased=False)
        books.sample(41_000, at + 1.0)
    books.sample(0, 25.0)
    assert books.obey_s == 10.0


def test_c5_the_obey_time_of_a_late_one_runs_from_the_first_limit_though_told_again() -> None:
    books = told(16)
    books.accepted(books.offer_id, 32_000, 0.0, leased=False)
    for at in (4.0, 9.0, 14.0):
        books.sample(32_000, at)
    for amount, told_at in ((16_000, 12.0), (0, 20.0)):
        books.issue(amount, told_at)
        books.accepted(books.offer_id, 32_000, told_at, leased=False)
    books.sample(16_000, 25.0)
    assert (books.obey_s, books.is_fast) == (25.0, False)


def test_inv3_one_that_took_0_a_as_it_linked_waits_for_the_cut_that_makes_its_room() -> None:
    world = World(settings(50, 2))
    world.connect()  # told 0 A, and for its obey time it may draw its maximum all the same
    world.begin("c1")
    world.run(1)
    assert world.amps() == [32]
    world.begin("c2")
    world.run(1)
    assert world.amps() == [25, 0]
    world.run(30)
    assert world.amps() == [25, 25]


def test_p1_one_that_refuses_all_counts_in_full_while_a_car_hangs_on_it_without_a_session() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.run(11)
    world.silent.add("c1")
    world.begin("c1")
    world.run(0.2)
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    world.end("c1")
    world.feed(StatusSeen("c1", 1, "Finishing", world.now))
    world.begin("c2")
    world.run(30)
    assert world.amps("c2") == [28]
    world.feed(StatusSeen("c1", 1, "Available", world.now))
    world.run(30)
    assert world.amps("c2") == [32]


def test_c7_nothing_is_offered_between_0_and_what_its_make_charges_with_at_least() -> None:
    dc = Charger(
        id="c1", phases=3, connection="L1-L2-L3", unit="W", max_w=50_000, min_w=5_000
    )
    world = World(settings(40, [dc]))
    world.feed(ChargerKnown("c1", (1,)))
    world.connect()
    world.begin("c1")
    world.run(30)
    before = world.offer("c1").limit_w
    assert before is not None
    assert 5_000 <= before < 25_000

    world.feed(ChargerKnown("c1", (1,), least_w=25_000))
    world.run(30)
    assert world.offer("c1").limit_w == 0
    world.feed(SettingsChanged(settings(60, [dc])))
    world.run(90)
    assert world.offer("c1").limit_w is not None
    assert world.offer("c1").limit_w >= 25_000


@pytest.mark.parametrize("takes_zero", [True, False])
def test_c7_the_default_of_a_make_that_cannot_be_told_0_stands_when_a_session_was_stopped(
    takes_zero: bool,
) -> None:
    chargers = [Charger(id="c1", start_with_zero=False), Charger(id="c2")]
    world = World(settings(40, chargers))
    world.connect()
    world.run(20)
    assert world.offer("c1").limit_ma == 6_000
    world.feed(ChargerKnown("c1", (1,), takes_zero=takes_zero))
    world.lose("c2")
    world.feed(SettingsChanged(settings(35, chargers)))
    world.begin("c1")
    world.run(2)
    assert world.offer("c1").limit_ma == 0  # 32 A of 35 are the lost one's
    world.end("c1")
    world.run(2)
    assert world.offer("c1").limit_ma == (0 if takes_zero else 6_000)


def test_inv_5b_one_that_was_seen_late_is_not_taken_for_fast_because_it_once_was() -> None:
    books = told(16)
    books.known(OBEY_S_MIN)
    books.accepted(books.offer_id, 30_000, 0.0, leased=False)
    books.sample(30_000, 6.0)
    assert (books.is_fast, books.obey_s) == (False, 10.0)
    books.forget()  # its link was lost; its passport speaks of earlier sessions
    books.known(OBEY_S_MIN)
    assert (books.is_fast, books.obey_s) == (False, 10.0)
    books.issue(8_000, 20.0)
    books.accepted(books.offer_id, 30_000, 20.0, leased=False)
    books.sample(8_000, 22.0)
    assert (books.is_fast, books.obey_s) == (True, OBEY_S_MIN)


def test_c7_all_that_come_back_at_once_are_told_their_least_where_0_cannot_be_told() -> None:
    chargers = [Charger(id=f"c{n}", start_with_zero=False) for n in range(3)]
    world = World(settings(40, chargers))
    world.connect()
    world.feed(*(ChargerKnown(c.id, (1,), takes_zero=False) for c in chargers))
    world.run(20)
    for c in chargers:
        world.lose(c.id)
    world.run(60)
    for c in chargers:
        world.silent.add(c.id)
        world.linked.add(c.id)
        world.feed(LinkUp(c.id, world.now))
    world.run(2)
    assert [world.offer(c.id).limit_ma for c in chargers] == [6_000] * 3


def test_inv_10_one_on_its_way_down_to_0_is_not_taken_for_obeying_the_limit_before() -> None:
    books = told(30)
    books.accepted(books.offer_id, 32_000, 0.0, leased=False)
    for at in (2.0, 7.0, 12.0, 17.0):
        books.sample(32_000, at)
    assert books.caught
    books.issue(0, 20.0)
    books.accepted(books.offer_id, 32_000, 20.0, leased=False)
    books.sample(16_000, 21.0)
    assert books.caught
    books.sample(0, 23.0)
    assert not books.caught


def test_c2_one_that_takes_a_limit_after_all_keeps_its_reserve_until_it_obeys() -> None:
    """us_split, seed 910: its maximum was given to others as soon as it said yes."""
    books = told(20)
    books.known(5.0)
    books.issue(6_000, 10.0)
    assert books.rejected(books.offer_id)
    books.accepted(books.offer_id, 0, 310.0, leased=True)
    assert (books.top_ma, books.refused) == (32_000, False)
    books.settle(314.9)
    assert books.top_ma == 32_000
    books.settle(315.1)
    assert books.top_ma == 6_000
