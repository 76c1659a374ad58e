"""What a trial leaves behind (`Teller`): the offer comes back when the limits above it allow it."""

from __future__ import annotations

import msgspec
from tests.unit.charger.person import offered, utc

from linkray.charger.profiles import Ability
from linkray.charger.quirks import Quirk
from linkray.charger.sessions import Running
from linkray.charger.task import _differs
from linkray.charger.told import Move, Set, Situation, Teller, Trial
from linkray.model.facts import OfferAnswered
from linkray.model.settings import Charger

RUN = Running(7, 1, "T", 0, since=40.0, order=40.0, started="")


def situation(now: float, quirk: Quirk, dead_man_s: int = 180) -> Situation:
    return Situation(
        Charger("CP1"), RUN, Ability(stack_level_max=8), quirk, dead_man_s, utc(now),
        charging=True, ready=True, silenced=False, planned_at=now,
    )  # fmt: skip


class Told:
    """A teller whose charger accepts all."""

    def __init__(self, quirk: Quirk | None = None) -> None:
        self.quirk = quirk or Quirk()
        self.now = 100.0
        self.teller = Teller("CP1", 1)
        self.limits_a: list[float] = []  # of every profile sent
        self.outcomes: list[tuple[int, str]] = []
        self.answered_at = 0.0
        self.dead_man_s = 180
        self.leases: list[tuple[int, bool, int]] = []  # as told: offer, whether, how long
        self.fallbacks_ma: list[int] = []  # … and to what it falls
        self.is_answering = True
        self.is_full = False  # the line takes nothing

    @property
    def situation(self) -> Situation:
        return situation(self.now, self.quirk, self.dead_man_s)

    def want(self, limit_ma: int, number: int, **more: object) -> None:
        self.teller.wanted = offered(limit_ma, number, session=True, **more)
        self.does(self.teller.step(self.now, self.situation))

    def does(self, moves: list[Move]) -> None:
        for move in moves:
            if isinstance(move, OfferAnswered):
                self.outcomes.append((move.offer_id, move.outcome))
                self.answered_at = move.at
                self.leases.append((move.offer_id, move.leased, move.lease_s))
                self.fallbacks_ma.append(move.fallback_ma)
            if isinstance(move, Set) and self.is_full:
                self.does(self.teller.failed(move.stage, "full", "", self.now, self.situation))
            elif isinstance(move, Set):
                profile = move.payload.cs_charging_profiles
                self.limits_a.append(profile.charging_schedule.charging_schedule_period[0].limit)
                if not self.is_answering:
                    continue
                self.does(self.teller.answered(move.stage, "Accepted", self.now, self.situation))

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.teller.due() <= until:
            self.now = max(self.now, self.teller.due())
            self.does(self.teller.wake(self.now, self.situation))
        self.now = until

    def at_0_by_a_trial(self) -> None:
        self.want(16_000, 1)
        self.does(self.teller.begin_trial(Trial(zero=True), self.now, self.situation))
        assert self.limits_a == [16, 0]


def test_inv_1_an_offer_comes_back_after_a_trial_once_no_limit_above_it_is_passed() -> None:
    """us_208, seed 202: the end of a trial at 0 A raised the current under a passed limit."""
    t = Told()
    t.at_0_by_a_trial()
    t.want(12_000, 2, held=True)  # a cut: less than before, and more than the charger draws
    assert t.limits_a == [16, 0]
    assert t.outcomes[-1] == (2, "accepted"), "the books may go down to it"

    t.wait(20)
    assert t.limits_a == [16, 0]
    t.want(12_000, 2)
    assert t.limits_a == [16, 0, 12]


def test_inv_10_a_cut_while_a_trial_holds_it_at_0_begins_no_new_obey_time() -> None:
    t = Told()
    t.at_0_by_a_trial()
    began = t.now
    t.wait(5)
    t.want(12_000, 2, held=True)
    assert (t.outcomes[-1], t.answered_at) == ((2, "accepted"), began)


def test_inv_1_a_link_hears_that_its_offer_is_held_now() -> None:
    free = offered(12_000, 2, session=True)
    assert _differs(free, msgspec.structs.replace(free, held=True))
    assert not _differs(free, msgspec.structs.replace(free, drawn_ma=None))


def test_a_cut_of_one_that_was_not_tried_waits_for_nothing() -> None:
    t = Told()
    t.want(16_000, 1)
    t.want(12_000, 2, held=True)
    assert t.limits_a == [16, 12]


def test_what_a_form_could_not_do_is_told_in_another_under_a_passed_limit_too() -> None:
    """It may draw as much as before: only what has shown its 0 A waits."""
    t = Told()
    t.at_0_by_a_trial()
    t.teller.wanted = offered(12_000, 2, session=True, held=True)
    form = t.teller.in_force(session=True).form
    t.does(t.teller.ignored(form, t.now, t.situation))
    assert t.limits_a == [16, 0, 12]


def test_a_0_is_told_once_its_trial_is_over() -> None:
    t = Told()
    t.at_0_by_a_trial()
    t.want(0, 2, held=True)
    t.does(t.teller.end_trial(t.now, t.situation))
    assert t.limits_a == [16, 0, 0], "with a lease that is renewed"


def test_inv_8_what_stands_is_not_renewed_where_less_is_wanted_and_cannot_be_told() -> None:
    """dc50, seed 911: a lease was renewed in an emergency stop, while its session would not end."""
    t = Told(Quirk(zero="never"))
    t.want(16_000, 1)
    t.wait(61)
    assert t.limits_a == [16, 16]
    t.want(0, 2)
    t.wait(600)
    assert t.limits_a == [16, 16]
    t.want(16_000, 3)
    t.wait(2)
    assert t.limits_a == [16, 16, 16]
    t.wait(61)
    assert t.limits_a == [16, 16, 16, 16]


def test_p5_a_lease_that_grows_with_its_renewal_is_told_before_it_may_be_in_force() -> None:
    """Proven on the charger, it would be credited three minutes after a loss, of thirty."""
    t = Told()
    t.want(16_000, 1)
    t.dead_man_s, t.is_answering = 1_800, False
    t.wait(61)
    assert t.limits_a == [16, 16]
    assert t.leases == [(1, True, 180), (1, True, 1_800)], "its answer may be lost"


def test_p5_a_lease_that_shrinks_counts_once_the_charger_has_taken_it() -> None:
    t = Told()
    t.dead_man_s = 1_800
    t.want(16_000, 1)
    t.dead_man_s, t.is_answering = 180, False
    t.wait(601)
    assert t.limits_a == [16, 16]
    assert t.leases == [(1, True, 1_800)]

    t.is_answering = True
    t.want(12_000, 2)
    assert t.leases[-1] == (2, True, 180)
    t.wait(601)
    assert t.leases[-1] == (2, True, 180), "what is renewed as it was is not told again"
    assert len(t.leases) == 2


def test_p5_a_renewal_without_an_end_of_its_own_earns_no_lease() -> None:
    """A day's profile writes are used up: what is told then stands for ever."""
    t = Told()
    t.want(16_000, 1)
    t.dead_man_s, t.is_answering = 0, False
    t.wait(61)
    assert t.leases == [(1, True, 180), (1, False, 0)], "its answer may be lost"


def test_no_fact_is_told_of_what_stands_before_it_has_the_number_of_an_offer_again() -> None:
    t = Told()
    t.want(16_000, 1)
    t.teller.retell()
    t.teller.wanted = None
    t.dead_man_s = 1_800
    t.wait(61)
    assert t.leases == [(1, True, 180)]
    t.want(16_000, 2)
    assert t.leases[1:] == [(2, True, 1_800)]


def test_an_offer_that_is_repeated_while_its_renewal_is_on_its_way_is_answered() -> None:
    t = Told()
    t.want(16_000, 1)
    t.wait(55)
    t.is_answering = False
    t.now = t.teller.due()
    [renewal] = t.teller.wake(t.now, t.situation)
    assert isinstance(renewal, Set)
    t.want(16_000, 2)
    t.does(t.teller.answered(renewal.stage, "Accepted", t.now, t.situation))
    assert t.outcomes == [(1, "accepted"), (2, "accepted")]


def test_a_renewal_that_finds_the_line_full_is_sent_a_second_later() -> None:
    t = Told()
    t.want(16_000, 1)
    t.is_full = True
    t.wait(70)
    assert t.limits_a == [16]
    t.is_full = False
    t.want(16_000, 2)
    t.wait(2)
    assert t.limits_a == [16, 16]


def test_p5_an_offer_that_falls_by_a_clock_that_nobody_knows_is_renewed_and_earns_no_lease() -> (
    None
):
    t = Told(Quirk(kind="Absolute", zero="stays"))
    t.want(16_000, 1)
    assert t.limits_a == [16]
    assert t.leases[-1] == (1, False, 0)
    assert t.fallbacks_ma[-1] == 6_000, "as soon as its clock says so"
    t.wait(60)
    assert t.limits_a == [16, 16]


def test_p1_an_offer_in_the_other_unit_is_no_raise_that_could_wait_for_its_writes() -> None:
    """6,000 mA are more than 5,000 W as numbers alone."""
    told = Told()
    told.want(7_200, 1, limit_w=5_000)
    told.teller.wanted = offered(6_000, 2, session=True)
    waits = msgspec.structs.replace(told.situation, raise_in_s=600.0)
    told.does(told.teller.step(told.now, waits))

    assert told.limits_a[-1] == 6
    assert told.outcomes == [(1, "accepted"), (2, "accepted")]
