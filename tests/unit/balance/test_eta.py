"""Efficiency of chargers in watts, as it is learned (decided.md, DC efficiency; trust.md B15)."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.balance.balance_world import Car, World, metered, settings

from linkray.balance.eta import Efficiency
from linkray.model.facts import Drawn, EtaLearned, MeterRead
from linkray.model.settings import Charger
from linkray.model.units import Phases

KW = Charger(id="c1", phases=3, connection="L1-L2-L3", unit="W", max_w=50_000, min_w=5_000)


class Station(World):
    """A DC charger: what it is told it gives, and draws more, by its efficiency."""

    def __init__(self, eta: float, limit_a: float = 40, reported: float = 1.0, **kw) -> None:
        self.eta, self.reported = eta, reported
        self.learned: list[EtaLearned] = []
        super().__init__(settings(limit_a, [KW], **kw), meter="meter" in kw)

    def take(self, outs) -> None:
        self.learned += [out for out in outs if isinstance(out, EtaLearned)]
        super().take([out for out in outs if not isinstance(out, EtaLearned)])

    def draws(self, key) -> Phases:
        if key not in self.cars:
            return Phases()
        watts = self.offer(*key).limit_w if key[0] in self.linked else 0
        amps = min(watts / 3 / 230 / self.eta, self.cars[key].most_ma / 1000)
        return Phases.each(int(amps * 1000 * self.reported))

    def session(self, seconds: float = 120, car: Car | None = None) -> list[int]:
        """One session; what it was offered in W at the end, and the most it drew, in mA."""
        self.begin("c1", car=car or Car(400))
        most = 0
        for _ in range(int(seconds)):
            self.run(1)
            most = max(most, self.draws(("c1", 1)).l1)
        watts = self.offer("c1").limit_w
        self.end("c1")
        self.run(15)
        return [watts, most]


def test_planned_with_85_percent_until_three_sessions_have_shown_more() -> None:
    world = Station(0.94)
    world.connect()
    offered = [world.session()[0] for _ in range(5)]
    assert offered[:3] == [int(40 * 3 * 230 * 0.85)] * 3
    assert 0.915 < offered[4] / (40 * 3 * 230) <= 0.92  # the lowest less 0.02
    assert world.learned[-1].sessions == (940,) * 5 or all(
        938 <= shown <= 940 for shown in world.learned[-1].sessions
    )


@pytest.mark.parametrize("eta", [0.85, 0.9, 0.95, 1.0])
def test_no_offer_passes_the_limit_while_it_is_learned(eta: float) -> None:
    world = Station(eta)
    world.connect()
    for _ in range(13):
        assert world.session(60)[1] <= 40_000


def test_what_was_learned_is_kept_and_told_again_at_start() -> None:
    world = Station(0.94)
    world.connect()
    for _ in range(4):
        world.session()
    fresh = Station(0.94)
    fresh.feed(world.learned[-1])
    fresh.connect()
    assert fresh.session()[0] > 40 * 3 * 230 * 0.9


def test_a_charger_that_turns_out_worse_is_told_less_at_once_and_is_no_liar() -> None:
    world = Station(0.95)
    world.connect()
    for _ in range(4):
        world.session()
    world.eta = 0.88
    world.begin("c1", car=Car(400))
    world.run(45)
    assert ("NOT_OBEYING", "c1") not in world.raised
    assert world.draws(("c1", 1)).l1 <= 40_000
    world.run(120)
    assert world.raised == {}
    assert world.draws(("c1", 1)).l1 <= 40_000


def test_a_car_that_takes_less_than_offered_teaches_nothing_and_is_offered_less() -> None:
    world = Station(0.9)
    world.connect()
    for _ in range(5):
        world.session(car=Car(20))
    assert world.learned == []
    world.begin("c1", car=Car(20))
    world.run(150)
    assert world.draws(("c1", 1)).l1 == 20_000
    assert 22_000 <= world.offer("c1").offer_ma.l1 <= 27_300


def test_a_station_better_than_planned_is_not_taken_for_a_car_that_wants_less() -> None:
    world = Station(0.97)
    world.connect()
    assert world.session(900)[0] == int(40 * 3 * 230 * 0.85)


def test_b15_more_than_100_percent_is_not_believed() -> None:
    world = Station(0.95, reported=0.94)  # it tells what it gives, and a little less
    world.connect()
    for _ in range(5):
        world.session()
    assert world.learned == []
    assert world.session()[0] == int(40 * 3 * 230 * 0.85)


def test_one_that_draws_far_more_than_it_is_told_is_not_inefficient_but_disobedient() -> None:
    world = Station(0.6)
    world.connect()
    world.begin("c1", car=Car(400))
    seen = set()
    for _ in range(60):
        world.run(1)
        seen |= set(world.raised)
    assert ("NOT_OBEYING", "c1") in seen
    assert world.core._connectors["c1", 1].line.eta.planned == 850


def test_the_lowest_of_the_newest_ten_counts() -> None:
    eta = Efficiency()
    for shown in (900, *([960] * 9)):
        eta.shown(1, shown)
        assert eta.ended(1)
    assert eta.planned == 880
    eta.shown(1, 960)
    eta.ended(1)
    assert eta.planned == 940
    assert not eta.ended(1)  # nothing was shown
    eta.told((1000, 1000, 1000))
    assert eta.planned == 980
    eta.told((800, 1000, 1000))
    assert eta.planned == 850  # never below


def test_m7_a_voltage_that_falls_counts_in_what_was_told_before() -> None:
    """B15: the same watts are more amps; the books say so before anything new is told."""
    world = World(settings(80, [KW], meter=metered()), meter=True)
    world.connect()
    world.run(10)
    world.begin("c1")
    world.run(30)
    books = world.core._connectors["c1", 1].books
    before, told = books.top_ma, world.offer("c1").limit_w
    assert told == 46_920
    world.silent.add("c1")
    world.meter_on = False
    world.feed(MeterRead(Phases(), (210_500, 230_000, 230_000), world.now))
    world.run(2)
    assert books.top_ma >= before * 230 // 210
    assert world.offer("c1").limit_w < told


def test_an_idle_one_that_must_not_be_told_0_is_counted_as_its_watts_are_now() -> None:
    """dc50, seed 10000: its default stayed what it was in amps when the efficiency was another."""
    idle = msgspec.structs.replace(KW, id="c2", start_with_zero=False)
    world = World(settings(40, [KW, idle]))
    world.feed(*(EtaLearned(one, (1000, 1000, 1000), 0.0) for one in ("c1", "c2")))
    world.connect()
    world.run(20)
    world.begin("c1")
    for sessions in ((870, 870, 870), (930, 930, 930), (1000, 1000, 1000), (890, 890, 890)):
        world.feed(EtaLearned("c2", sessions, world.now))
        world.run(20)

        assert 39_000 <= sum(offer.limit_ma for offer in world.plan.offers) <= 40_000


def test_a_value_that_is_assumed_teaches_nothing() -> None:
    world = Station(0.94)
    world.connect()
    world.begin("c1")
    world.interval_s = 1000
    world.run(30)
    for second in range(20):
        world.feed(Drawn("c1", 1, Phases.each(36_500), "assumed", world.now + second))
    world.end("c1")
    assert world.learned == []
