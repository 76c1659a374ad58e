"""Random sites at rest: limits, fairness, priority, liveness and honest ceilings (balancing.md).

The oracle knows the settings and the offers of the plan, nothing of the balancer's insides.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from tests.unit.balance.balance_world import World, metered, settings

from linkray.model.facts import SettingsChanged
from linkray.model.plan import Offer
from linkray.model.settings import Charger, Group, Settings
from linkray.model.units import Connection, Phases, site_phases

THREE: tuple[Connection, ...] = (
    "L1-L2-L3", "L2-L3-L1", "L3-L1-L2", "L1-L3-L2", "L2-L1-L3", "L3-L2-L1",
)  # fmt: skip
ONE: tuple[Connection, ...] = ("L1", "L2", "L3")
TWO: tuple[Connection, ...] = ("L1-L2", "L2-L3", "L3-L1")
DIRECT_MIN_W = 5_000


@st.composite
def chargers(draw, name: str, split: str, groups: list[str]) -> Charger:
    """One of any kind: AC on one, two or three phases, DC in watts, alone or in a group."""
    wirings = {"off": ONE + THREE, "240": TWO[:1], "208": ONE + TWO + THREE}[split]
    connection = draw(st.sampled_from(wirings))
    phases = len(site_phases(connection))
    common = {
        "id": name, "connection": connection, "phases": phases,
        "group": draw(st.sampled_from([None, *groups])),
        "priority": draw(st.sampled_from(["normal", "normal", "normal", "high"])),
        "supply_limit_ma": draw(st.sampled_from([None, None, None, 20_000])),
    }  # fmt: skip
    if phases == 3 and draw(st.booleans()):
        return Charger(**common, unit="W", max_w=draw(st.sampled_from([22_000, 50_000])),
                       min_w=DIRECT_MIN_W)  # fmt: skip
    return Charger(**common, max_ma=draw(st.sampled_from([16_000, 32_000, 63_000])),
                   min_ma=draw(st.sampled_from([6_000, 6_000, 8_000])))  # fmt: skip


@st.composite
def sites(draw) -> Settings:
    """A site of up to six chargers under up to three groups, nested or not."""
    amps = st.integers(5, 90)
    split = draw(st.sampled_from(["off", "off", "240", "208"]))
    groups: list[Group] = []
    for n in range(draw(st.integers(0, 3))):
        parent = draw(st.sampled_from([None, *(g.name for g in groups)]))
        groups.append(Group(f"G{n}", draw(amps) * 1000, parent))
    names = [g.name for g in groups]
    found = [draw(chargers(f"c{n}", split, names)) for n in range(draw(st.integers(1, 6)))]
    return settings(
        (draw(amps), draw(amps), draw(amps)), found, tuple(groups), split_mode=split,
        fifo=draw(st.sampled_from([False, False, False, True])),
        imbalance_ma=draw(st.sampled_from([None, None, 5_000, 10_000, 20_000])),
        shed_order=draw(st.sampled_from(["longest", "energy", "last"])),
        meter=metered() if draw(st.booleans()) else None,
    )  # fmt: skip


class Site:
    """The settings as the oracle reads them: limits over each charger, and what they carry."""

    def __init__(self, tree: Settings) -> None:
        self.tree = tree
        self.legs = {c.id: site_phases(c.connection) for c in tree.chargers}
        self.limit: dict[tuple[str, int], int] = {}
        for p, amount in enumerate(tree.site.limit_ma.phases()):
            self.limit["site", p] = amount
        for group in tree.groups:
            self.limit.update({(group.name, p): group.limit_ma for p in range(3)})
        for c in tree.chargers:
            if c.supply_limit_ma is not None:
                self.limit.update({(f"supply {c.id}", p): c.supply_limit_ma for p in range(3)})

    def above(self, name: str) -> list[tuple[str, int]]:
        charger = self.tree.charger(name)
        nodes = ["site"] if charger.supply_limit_ma is None else ["site", f"supply {name}"]
        group = charger.group
        while group is not None:
            nodes.append(group)
            group = self.tree.group(group).parent
        return [(node, leg) for node in nodes for leg in self.legs[name]]

    def under(self, limit: tuple[str, int]) -> list[str]:
        return [c.id for c in self.tree.chargers if limit in self.above(c.id)]

    def pairs(self, name: str) -> list[tuple[int, int]]:
        if self.tree.site.imbalance_ma is None:
            return []
        legs = self.legs[name]
        return [(p, q) for p in legs for q in range(3) if q not in legs]

    def on_pair(self, pair: tuple[int, int]) -> list[str]:
        return [c.id for c in self.tree.chargers if pair in self.pairs(c.id)]


class Plan:
    """What one plan offers, and what each could be offered at most and at least."""

    def __init__(self, site: Site, offers: tuple[Offer, ...], world: World) -> None:
        self.site = site
        self.got = {o.charger: o.limit_ma for o in offers}
        self.high = {o.charger: o.high for o in offers}
        amounts = {o.charger: world.core._connectors[o.charger, 1].amounts for o in offers}
        self.most = {name: a.told(a.most_ma)[0] for name, a in amounts.items()}
        self.least = {name: a.least_ma for name, a in amounts.items()}
        # One step of what it can be told; a rounding of each neighbour may be left over.
        self.step = {
            c.id: 100 if c.unit == "A" else 10 for c in site.tree.chargers
        }  # fmt: skip
        self.slop = sum(self.step.values())

    def load(self, limit: tuple[str, int], *, high_only: bool = False) -> int:
        return sum(
            self.got[n] for n in self.site.under(limit) if self.high[n] or not high_only
        )

    def percent(self, name: str) -> float:
        return self.got[name] / self.most[name]

    def phases(self) -> list[int]:
        return [
            sum(self.got[n] for n, legs in self.site.legs.items() if p in legs) for p in range(3)
        ]

    def apart(self, pair: tuple[int, int]) -> int:
        on = self.phases()
        return on[pair[0]] - on[pair[1]]

    def is_held(self, name: str, *, by_equals: bool) -> bool:
        """Whether some limit above it is full; `by_equals`: of those with no more than it has."""
        for limit in self.site.above(name):
            free = self.site.limit[limit] - self.load(limit)
            if free < self.slop and (not by_equals or self.is_top(name, self.site.under(limit))):
                return True
        most = self.site.tree.site.imbalance_ma
        for pair in self.site.pairs(name):
            if most - self.apart(pair) < self.slop and (
                not by_equals or self.is_top(name, self.site.on_pair(pair))
            ):
                return True
        return False

    def is_top(self, name: str, among: list[str]) -> bool:
        """Whether none of its band has a higher percentage, but for rounding and minimums."""
        mine = (self.got[name] + self.slop) / self.most[name]
        return all(
            self.percent(n) <= mine for n in among
            if self.high[n] == self.high[name] and n != name
        )  # fmt: skip


def honest(offer: Offer, legs: tuple[int, ...]) -> None:
    """The smallest ceiling is the offer, on the phases it is for, and exactly one binds."""
    told = offer.offer_ma.highest()
    assert min(min(c.ma[p] for p in legs) for c in offer.ceilings) == told, offer
    for ceiling in offer.ceilings:
        assert offer.offer_ma.fits(ceiling.ma), offer
        if ceiling.phase is not None:
            named = ceiling.ma[int(ceiling.phase[1]) - 1]
            assert named == min(ceiling.ma[p] for p in legs), offer
    [binding] = [c for c in offer.ceilings if c.binding]
    assert min(binding.ma[p] for p in legs) == told
    assert (binding.code, binding.phase) == (offer.reason.code, offer.reason.phase)
    kept_back = [c for c in offer.ceilings if c.code == "unreachable_reserved"]
    assert len(kept_back) <= 1
    assert all(c.ma.highest() > 0 for c in offer.ceilings if c.code == "charger_min")


def settled(tree: Settings, lost: set[str]) -> tuple[World, Site]:
    """All hungry, all obedient, some gone; every plan on the way is judged."""
    world, site = World(tree, meter=tree.site.meter.enabled), Site(tree)
    names = [c.id for c in tree.chargers if c.id not in lost]
    world.connect(*names)
    world.run(8)
    world.begin(*names)
    for car in world.cars.values():
        car.most_ma = 200_000
    for _ in range(130):
        world.run(1)
        for offer in world.plan.offers:
            honest(offer, site.legs[offer.charger])
        plan = Plan(site, world.plan.offers, world)
        if tree.site.imbalance_ma is not None and not lost:
            on = plan.phases()
            assert max(on) - min(on) <= tree.site.imbalance_ma
    return world, site


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@runs(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(sites())
def test_at_rest_limits_minimums_fairness_priority_and_liveness_hold(tree) -> None:
    world, site = settled(tree, set())
    plan = Plan(site, world.plan.offers, world)
    for limit, most in site.limit.items():
        assert plan.load(limit) <= most
    for name, got in plan.got.items():
        assert got == 0 or plan.least[name] <= got <= plan.most[name]
        if got >= plan.most[name] - plan.step[name]:
            continue
        if got and not tree.site.fifo:  # Fair
            assert plan.is_held(name, by_equals=True), (name, world.plan)
        if plan.high[name] and tree.site.imbalance_ma is None:
            # Priority: high ones alone leave no more, or less than its minimum.
            more = max(plan.least[name] - got, plan.slop)
            assert any(
                site.limit[r] - plan.load(r, high_only=True) < more for r in site.above(name)
            ), (name, world.plan)
    if tree.site.imbalance_ma is None:  # Live
        fits = [
            n for n in plan.got
            if all(site.limit[r] >= plan.least[n] for r in site.above(n))
        ]  # fmt: skip
        assert bool(fits) == any(plan.got.values()), world.plan


@runs(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(sites(), st.integers(0, 5))
def test_ceilings_are_honest_while_chargers_are_lost_and_cars_use_less(tree, n) -> None:
    names = [c.id for c in tree.chargers]
    lost = {names[n % len(names)]} if len(names) > 1 else set()
    world, site = settled(tree, lost)
    first = next(name for name in names if name not in lost)
    world.cars[first, 1].most_ma = 7_000
    for _ in range(100):
        world.run(1)
        for offer in world.plan.offers:
            honest(offer, site.legs[offer.charger])


def test_no_normal_one_takes_the_room_that_a_raise_of_high_waits_for() -> None:
    chargers = [Charger(id="c1"), Charger(id="c2"), Charger(id="c3", priority="high")]
    world = World(settings(40, chargers), interval_s=600)
    world.connect()
    world.begin("c1")
    world.run(30)
    world.core._connectors["c1", 1].books.obey_s = 60.0  # its cut is not proved for a minute
    world.begin("c3")
    world.run(12)
    assert world.amps("c1", "c3") == [8, 8]
    world.feed(SettingsChanged(settings(48, chargers)))
    world.begin("c2")
    seen = []
    for _ in range(90):
        world.run(1)
        seen.append(tuple(world.amps("c2", "c3")))
        assert seen[-1][0] == 0 or seen[-1][1] == 32
    assert (0, 16) in seen  # what there is, once it has waited long enough for all of it
    assert seen[-1] == (8, 32)


def test_a_high_one_that_rests_after_a_pause_finds_its_place_kept() -> None:
    chargers = [Charger(id="c1", priority="high"), Charger(id="c2"), Charger(id="c3")]
    world = World(settings((30, 30, 30), chargers))
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(30)
    assert world.amps("c1") == [30]
    world.feed(SettingsChanged(settings(5, chargers)))
    world.run(5)
    assert world.amps() == [0, 0, 0]
    world.feed(SettingsChanged(settings(30, chargers)))
    world.run(40)
    assert world.amps() == [0, 0, 0]
    world.run(25)
    assert world.amps() == [30, 0, 0]


def test_every_limit_of_the_tree_is_told_with_what_is_under_it() -> None:
    groups = (Group("Hall", 40_000), Group("Row", 30_000, "Hall"))
    found = [
        Charger(id="c1", group="Row"), Charger(id="c2", group="Row", connection="L2"),
        Charger(id="c3", group="Hall", supply_limit_ma=20_000), Charger(id="c4", group="Hall"),
    ]  # fmt: skip
    world = World(settings((60, 50, 40), found, groups, meter=metered()), meter=True)
    world.building_a = [5, 6, 0]
    world.connect("c1", "c2", "c3")
    world.run(8)
    world.begin("c1", "c2", "c3")
    world.run(60)
    told = {(n.code, n.name): n for n in world.plan.nodes}
    assert list(told) == [("site_limit", ""), ("group_limit", "Hall"), ("group_limit", "Row"),
                          ("supply_limit", "c3")]  # fmt: skip
    site, hall, row = (told[k] for k in list(told)[:3])
    assert site.limit_ma == Phases(60_000, 50_000, 40_000)
    assert site.building_ma == Phases(5_000, 6_000, 0)
    assert hall.reserved_ma == Phases(32_000, 0, 0)  # c4 is absent: no meter sees its group
    assert hall.building_ma == Phases()
    offers = {o.charger: o.limit_ma for o in world.plan.offers}
    assert row.promised_ma == Phases(offers["c1"], offers["c2"], 0)
    assert row.drawn_ma == row.promised_ma
    assert told["supply_limit", "c3"].drawn_ma == Phases(offers["c3"])
    assert hall.promised_ma.l1 + hall.reserved_ma.l1 <= hall.limit_ma.l1
