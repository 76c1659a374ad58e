"""Turns over a day: nobody of a band waits longer than the bound of balancing.md, Live (5)."""

from __future__ import annotations

import itertools
from math import ceil

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from tests.unit.balance.balance_world import World, settings

from linkray.balance.balancer import Balancer
from linkray.model.facts import (
    ChargerKnown,
    Drawn,
    LinkUp,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.plan import Plan
from linkray.model.settings import Charger, Group, Settings
from linkray.model.units import Phases, site_phases

STEP_S = 5.0
TURN_S = 900.0
SHED = ("longest", "energy", "last")


class Day:
    """A site whose chargers obey at once, in steps of five seconds; who waits how long."""

    def __init__(self, tree: Settings) -> None:
        self.tree, self.now, self.tx = tree, 0.0, 0
        self.core = Balancer(tree)
        self.told: dict[str, int] = {}
        self.offered: dict[str, int] = {}
        self.running: dict[str, int] = {}
        self.since: dict[str, float] = {}  # since when it is offered nothing
        self.most: dict[str, int] = {}  # paused at once while it waits
        self.least: dict[str, int] = {}  # places while it waits
        self.charged_s: dict[str, float] = {}
        self.longest: dict[str, tuple[float, float]] = {}  # its longest wait, and the bound of it
        self.changed: dict[str, list[float]] = {}  # when it was paused or resumed
        for c in tree.chargers:
            self.feed(ChargerKnown(c.id, (1,)), LinkUp(c.id, 0.0),
                      StatusSeen(c.id, 1, "Available", 0.0))  # fmt: skip
        self.step(30)

    def feed(self, *facts) -> None:
        outs = [out for fact in facts for out in self.core.feed(fact, self.now)]
        self.take(outs)

    def take(self, outs) -> None:
        for plan in [out for out in outs if isinstance(out, Plan)]:
            self.plan = plan
            for offer in plan.offers:
                if self.told.get(offer.charger) != offer.id:
                    self.told[offer.charger] = offer.id
                    was, is_now = self.offered.get(offer.charger, 0), offer.limit_ma
                    if offer.charger in self.running and (was == 0) != (is_now == 0):
                        self.changed[offer.charger].append(self.now)
                    self.offered[offer.charger] = is_now
                    self.feed(OfferAnswered(offer.charger, 1, offer.id, "accepted", self.now))

    def begin(self, *names: str, vip: bool = False) -> None:
        for name in names:
            self.tx += 1
            self.running[name] = self.tx
            self.changed[name] = []
            self.since[name], self.charged_s[name] = self.now, 0.0
            self.most[name], self.least[name] = 0, 10**6
            self.feed(SessionBegan(name, 1, self.tx, "tag", self.now, order=float(self.tx),
                                   vip=vip), StatusSeen(name, 1, "Charging", self.now))  # fmt: skip

    def end(self, name: str) -> None:
        tx = self.running.pop(name)
        self.since.pop(name, None)
        self.feed(StatusSeen(name, 1, "Available", self.now),
                  SessionEnded(name, 1, tx, self.now))  # fmt: skip

    def step(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP_S
            if self.now % 10 == 0:
                for name in self.running:
                    legs = site_phases(self.tree.charger(name).connection)
                    drawn = Phases(*(self.offered[name] if p in legs else 0 for p in range(3)))
                    self.feed(Drawn(name, 1, drawn, "phases", self.now))
            self.take(self.core.wake(self.now))
            self.watch()

    def queue(self, name: str) -> list[str]:
        """Those with whom it shares its places: its group, or the site."""
        group = self.tree.charger(name).group
        return [n for n in self.running if self.tree.charger(n).group == group]

    def watch(self) -> None:
        for name in self.running:
            if self.offered[name]:
                self.charged_s[name] += STEP_S
                if name in self.since:
                    self.waited(name)
                continue
            self.since.setdefault(name, self.now)
            among = self.queue(name)
            paused = sum(not self.offered[n] for n in among)
            self.most[name] = max(self.most[name], paused)
            self.least[name] = min(self.least[name], len(among) - paused)

    def waited(self, name: str) -> None:
        wait = self.now - self.since.pop(name)
        bound = ceil(self.most[name] / max(1, self.least[name])) * TURN_S + 60.0
        before = self.longest.get(name, (0.0, 1.0))
        self.longest[name] = max(before, (wait, bound), key=lambda one: one[0] / one[1])
        self.most[name], self.least[name] = 0, 10**6

    def judge(self) -> None:
        """Nobody has waited, or waits now, longer than the bound."""
        for name in list(self.since):
            self.waited(name)
        late = {name: seen for name, seen in self.longest.items() if seen[0] > seen[1]}
        assert not late, late


def cars(count: int, **kw) -> list[Charger]:
    return [Charger(id=f"c{n}", **kw) for n in range(1, count + 1)]


@pytest.mark.parametrize("shed", SHED)
@pytest.mark.parametrize(("count", "places"), [(4, 3), (5, 1), (7, 3), (9, 4)])
def test_over_hours_every_car_has_its_turn_within_the_bound(shed, count, places) -> None:
    day = Day(settings(places * 6.5, cars(count), shed_order=shed))
    day.begin(*(f"c{n}" for n in range(1, count + 1)))
    day.step(6 * 3600)
    day.judge()
    assert all(seconds >= 1800 for seconds in day.charged_s.values()), day.charged_s


def test_over_half_a_day_of_turns_by_the_longest_charged_all_charge_alike() -> None:
    day = Day(settings(20, cars(5)))
    day.begin(*(f"c{n}" for n in range(1, 6)))
    day.step(12 * 3600)
    day.judge()
    charged = sorted(day.charged_s.values())
    assert charged[0] > 0.9 * charged[-1], charged
    assert charged[0] > 0.55 * 43_200


def test_a_pause_or_a_resume_stands_for_a_minute() -> None:
    day = Day(settings(20, cars(5)))
    day.begin(*(f"c{n}" for n in range(1, 6)))
    day.step(4 * 3600)
    for changes in day.changed.values():
        gaps = [b - a for a, b in itertools.pairwise(changes)]
        assert gaps
        assert min(gaps) >= 60.0


@st.composite
def sites(draw):
    """Queues of cars with as good as equal minimums: the site's own, or one for each group."""
    shed = draw(st.sampled_from(SHED))
    groups = draw(st.integers(0, 2))
    least_ma = draw(st.sampled_from([6_000, 8_000]))
    chargers, members = [], []
    for g in range(max(1, groups)):
        count = draw(st.integers(2, 6))
        members.append(count)
        chargers += [
            Charger(id=f"c{g}{n}", min_ma=least_ma, group=f"G{g}" if groups else None)
            for n in range(count)
        ]  # fmt: skip
    places = [draw(st.integers(1, count)) for count in members]
    limits = [(n * least_ma + draw(st.integers(0, least_ma - 1))) for n in places]
    tree = settings(
        (sum(limits) if groups else limits[0]) / 1000, chargers,
        tuple(Group(f"G{g}", limits[g]) for g in range(groups)), shed_order=shed,
    )
    return tree, [c.id for c in chargers]


@runs(max_examples=12, deadline=None,
      suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])  # fmt: skip
@given(sites(), st.data())
def test_nobody_waits_longer_than_the_bound_while_cars_come_and_go(site, data) -> None:
    tree, names = site
    day = Day(tree)
    day.begin(*names[: len(names) // 2])
    for _ in range(data.draw(st.integers(3, 8))):
        day.step(data.draw(st.sampled_from([35, 200, 500, 900, 1500])))
        name = data.draw(st.sampled_from(names))
        if name in day.running:
            day.end(name)
            day.step(15)
        else:
            day.begin(name)
    day.step(2 * 3600)
    day.judge()


@runs(max_examples=8, deadline=None,
      suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])  # fmt: skip
@given(
    st.sampled_from(SHED),
    st.lists(st.sampled_from([6_000, 8_000, 10_000, 13_000]), min_size=3, max_size=6),
    st.integers(14_000, 30_000),
)
def test_a_large_minimum_is_not_starved_by_small_ones(shed, minimums, limit_ma) -> None:
    """Places for the largest are as many as fit of it: each round of turns serves so many."""
    chargers = [Charger(id=f"c{n}", min_ma=least) for n, least in enumerate(minimums)]
    day = Day(settings(limit_ma / 1000, chargers, shed_order=shed))
    day.begin(*(c.id for c in chargers))
    day.step(3 * 3600)
    places = limit_ma // max(minimums)
    for name, (wait, _) in day.longest.items():
        assert wait <= ceil((len(minimums) - 1) / places) * TURN_S + 60.0, name
    assert all(seconds > 600 for seconds in day.charged_s.values()), day.charged_s


def test_a_place_whose_turn_is_over_is_kept_for_a_large_one_until_it_fits() -> None:
    """Turns that end minutes apart would else begin anew one by one, and it would never fit."""
    chargers = [*cars(4), Charger(id="large", min_ma=13_000)]
    day = Day(settings(20, chargers))
    day.begin("c1", "c2", "c3", "c4")
    for name in ("c2", "c3"):  # each leaves its place to the one that waits, and comes again
        day.step(300)
        gone = name if day.offered[name] else "c4"
        day.end(gone)
        day.step(30)
        day.begin(gone)
    day.step(60)
    day.end(next(n for n in day.running if not day.offered[n]))
    day.begin("large")
    day.step(TURN_S + 30)
    assert day.longest["large"][0] <= TURN_S + 20
    day.step(2 * 3600)
    assert day.charged_s["large"] > 1800


def test_a_turn_that_ends_while_the_paused_one_rests_is_not_lost_to_it() -> None:
    day = Day(settings(13, cars(3)))
    day.begin("c1", "c2", "c3")
    day.step(TURN_S - 60)  # thirty seconds before the turns end
    day.end(next(n for n in day.running if not day.offered[n]))
    day.step(30)
    day.tree = settings(7, cars(3))
    day.feed(SettingsChanged(day.tree))
    day.step(TURN_S + 30)
    assert len(day.longest) >= 2
    assert max(wait for wait, _ in day.longest.values()) <= TURN_S + 15


def in_line(waits_s: float) -> tuple[Day, list[str]]:
    """Four of 32 A charge in their turns with 6.1 A each; one of 16 A waits and one of 32, and then
    one of the four leaves: returns the three.

    All are to have the same percentage: beside three of 32 A the one of 16 would have 3.5 A.
    """
    day = Day(settings(24.7, [*cars(5), Charger(id="first", max_ma=16_000), Charger(id="second")]))
    day.begin("c1", "c2", "c3", "c4", "c5")
    day.step(60)
    day.end(next(n for n in day.running if not day.offered[n]))
    day.begin("first")
    day.step(10)
    day.begin("second")
    day.step(waits_s)
    assert (day.offered["first"], day.offered["second"]) == (0, 0)
    names = [n for n in day.running if day.offered[n]]
    assert [day.offered[n] for n in names] == [6_100] * 4
    day.end(names.pop())
    return day, names


def test_a_place_too_small_for_the_first_in_line_is_lent_to_the_next() -> None:
    day, names = in_line(60)
    day.step(30)
    assert [day.offered[n] for n in (*names, "first", "second")] == [6_100, 6_100, 6_100, 0, 6_100]
    waits = {o.charger: o.reason for o in day.plan.offers}["first"]
    assert (waits.code, waits.place) == ("turn", 1)
    assert 300 < waits.seconds <= TURN_S  # by the turns, not by what is lent
    day.step(4 * 3600)
    day.judge()


def test_what_was_lent_is_given_back_as_soon_as_the_first_in_line_fits() -> None:
    day, names = in_line(60)
    day.step(90)
    day.end(names[0])
    day.step(30)
    assert day.offered["second"] > 0
    assert day.offered["first"] == 0
    day.end(names[1])
    day.step(30)
    assert [day.offered[n] for n in (names[2], "first", "second")] == [16_400, 8_200, 0]


def test_a_lent_place_stands_for_a_minute() -> None:
    day, names = in_line(60)
    day.step(20)
    day.end(names[0])
    day.end(names[1])
    day.step(30)
    assert (day.offered["first"], day.offered["second"]) == (0, 12_300)
    day.step(30)
    assert (day.offered["first"], day.offered["second"]) == (8_200, 0)


def test_who_was_lent_a_place_keeps_its_own_in_the_line() -> None:
    day, _ = in_line(60)
    day.step(30)
    day.begin(next(n for n in ("c1", "c2", "c3", "c4") if n not in day.running))
    day.step(300)
    assert day.offered["second"] == 6_100
    waits = [o.charger for o in day.plan.offers if o.session and not o.limit_ma]
    assert len(waits) == 2
    day.step(4 * 3600)
    day.judge()
    assert all(day.charged_s[n] > 6000 for n in day.running), day.charged_s


def test_what_would_last_into_the_turn_of_the_first_in_line_is_not_lent() -> None:
    day, _ = in_line(TURN_S - 100)
    day.step(20)
    assert (day.offered["first"], day.offered["second"]) == (0, 0)
    day.step(4 * 3600)
    day.judge()


def test_turns_go_on_under_nested_limits() -> None:
    chargers = [Charger(id=f"a{n}", group="A") for n in range(3)]
    chargers += [Charger(id=f"b{n}", group="B") for n in range(3)]
    groups = (Group("Hall", 26_000), Group("A", 13_000, "Hall"), Group("B", 20_000, "Hall"))
    day = Day(settings(60, chargers, groups))
    day.begin(*(c.id for c in chargers))
    day.step(8 * 3600)
    for name, (wait, _) in day.longest.items():
        assert wait <= 2 * TURN_S + 60.0, (name, wait)
    assert all(seconds > 2 * 3600 for seconds in day.charged_s.values()), day.charged_s


def test_who_is_paused_first_is_set_by_the_shed_order() -> None:
    paused = {}
    for shed in SHED:
        world = World(settings(13, 3, shed_order=shed))
        world.connect()
        world.begin("c1")
        world.run(300)  # the longest: alone and so with the most energy, too
        world.begin("c2")
        world.run(300)
        world.begin("c3")
        world.run(30)
        paused[shed] = [o.charger for o in world.plan.offers if o.offer_ma.l1 == 0]
    assert paused == {"longest": ["c1"], "energy": ["c1"], "last": ["c3"]}


def test_most_energy_is_not_the_longest_charged() -> None:
    chargers = [Charger(id="c1"), Charger(id="c2"), Charger(id="c3")]
    world = World(settings(40, chargers, shed_order="energy"))
    world.connect()
    world.begin("c1")
    world.cars["c1", 1].most_ma = 6_000
    world.run(300)
    world.begin("c2")  # draws 32 A for as long as c1 has drawn 6
    world.run(300)
    world.begin("c3")
    world.run(1)
    world.feed(SettingsChanged(settings(13, chargers, shed_order="energy")))
    world.run(30)
    assert world.amps("c1", "c2", "c3") == [6.5, 0, 6.5]


def test_fifo_takes_no_turns() -> None:
    day = Day(settings(13, cars(3), fifo=True))
    day.begin("c1", "c2", "c3")
    day.step(2 * 3600)
    assert day.changed == {"c1": [day.changed["c1"][0]], "c2": [], "c3": []}
    assert day.offered == {"c1": 13_000, "c2": 0, "c3": 0}
    assert day.plan.offers[1].reason.code == "fifo_queue"


def test_in_fifo_a_pause_stands_for_a_minute_and_nobody_takes_its_place() -> None:
    world = World(settings(20, 3, fifo=True))
    world.connect()
    for name, most_ma in (("c1", 10_000), ("c2", 32_000), ("c3", 32_000)):
        world.begin(name)
        world.cars[name, 1].most_ma = most_ma
        world.run(90)
    assert world.amps("c2", "c3") == [8, 0]
    world.feed(SettingsChanged(settings(15, 3, fifo=True)))
    world.run(5)
    assert world.amps("c2", "c3") == [0, 0]
    world.feed(SettingsChanged(settings(20, 3, fifo=True)))
    world.run(40)
    assert world.amps("c2", "c3") == [0, 0]
    assert world.offer("c2").next_look_s is not None
    world.run(30)
    assert world.amps("c2", "c3") == [8, 0]


def test_high_is_never_paused_for_normal_however_long_they_wait() -> None:
    day = Day(settings(13, cars(4)))
    day.begin("c1", "c2", vip=True)
    day.begin("c3", "c4")
    day.step(3 * 3600)
    assert len(day.changed["c1"]) == len(day.changed["c2"]) == 1
    assert day.offered == {"c1": 6_500, "c2": 6_500, "c3": 0, "c4": 0}
    assert {o.reason.code for o in day.plan.offers[2:]} == {"lower_priority"}


def test_whose_turn_is_next_and_when_is_told() -> None:
    world = World(settings(13, 5))
    world.connect()
    world.begin("c1", "c2", "c3", "c4", "c5")
    world.run(100)
    waiting = [o for o in world.plan.offers if o.offer_ma.l1 == 0]
    assert sorted(o.reason.place for o in waiting) == [1, 2, 3]
    told = {o.reason.place: o for o in waiting}
    assert all(0 < told[n].reason.seconds <= 900 for n in (1, 2))
    assert 900 < told[3].reason.seconds <= 1800
    assert told[1].next_look_s == told[1].reason.seconds
    world.run(told[1].reason.seconds + 20)
    assert world.amps(told[1].charger)[0] > 0
    assert world.amps(told[3].charger) == [0]


def test_with_no_place_at_all_there_is_no_turn_to_wait_for() -> None:
    chargers = [Charger(id="c1", group="G"), Charger(id="c2", group="G")]
    world = World(settings(60, chargers, (Group("G", 5_000),)))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    assert world.amps() == [0, 0]
    assert [world.reason(n) for n in ("c1", "c2")] == ["group_limit", "group_limit"]
