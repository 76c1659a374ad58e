"""The balancer against an oracle that keeps books of its own (trust.md 1; balancing.md).

The oracle knows the P-rules and nothing of the balancer's insides: it reads plans and makes facts.
"""

from __future__ import annotations

import math

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from linkray.balance.balancer import Balancer
from linkray.model.facts import (
    Booted,
    ChargerKnown,
    Drawn,
    EmergencyStopped,
    LeaseProven,
    LinkLost,
    LinkUp,
    MeterBack,
    MeterLost,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.plan import Plan
from linkray.model.settings import Charger, Group, LimitPhases, MeterSettings, Settings, Site
from linkray.model.units import Phases, site_phases

LEASE_S = 190.0  # the dead-man time and what comes on top (P 5)
FALLBACK_MA = 6_000  # of every charger here: its minimum
TAU_S = 10.0  # obey time of the model; learning is only ever slower in this world
CONNECTIONS = ("L1", "L2", "L3", "L1-L2-L3", "L2-L3-L1")


@st.composite
def sites(draw, metered: bool | None = None):
    """A site that can be: some groups, nested or not, chargers of every kind."""
    amps = st.integers(min_value=10, max_value=120)
    count = draw(st.integers(0, 2))
    groups = []
    for n in range(count):
        parent = "G0" if n == 1 and draw(st.booleans()) else None
        groups.append(Group(f"G{n}", draw(amps) * 1000, parent))
    chargers = []
    for n in range(draw(st.integers(1, 5))):
        connection = draw(st.sampled_from(CONNECTIONS))
        chargers.append(Charger(
            id=f"c{n}", connection=connection, phases=len(site_phases(connection)),
            max_ma=draw(st.sampled_from([16_000, 20_000, 32_000])),
            group=draw(st.sampled_from([None, *(g.name for g in groups)])),
            priority=draw(st.sampled_from(["normal", "normal", "high"])),
            supply_limit_ma=draw(st.sampled_from([None, None, 32_000])),
            start_with_zero=draw(st.sampled_from([True, True, False])),
        ))  # fmt: skip
    with_meter = draw(st.booleans()) if metered is None else metered
    limit = LimitPhases(*(draw(amps) * 1000 for _ in range(3)))
    return Settings(
        site=Site(
            limit_ma=limit, fifo=draw(st.booleans()),
            meter=MeterSettings(
                enabled=with_meter, location=draw(st.sampled_from(["grid", "building"])),
                on_failure=draw(st.sampled_from(["limits", "half"])),
                degraded_ma=LimitPhases(*(draw(st.sampled_from([0, 15_000])) for _ in range(3))),
            ),
        ),
        groups=tuple(groups), chargers=tuple(chargers),
    )  # fmt: skip


class Books:
    """The oracle's own possible set of one connector: P-rules, in the plainest form."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.values: list[tuple[int, int]] = [(0, most)]
        self.accepted: tuple[int, float] | None = None

    def settle(self, now: float) -> None:
        if self.accepted is not None and now >= self.accepted[1] + TAU_S:
            self.drop()

    def drop(self) -> None:
        self.values = [(i, v) for i, v in self.values if i >= self.accepted[0]]
        self.accepted = None

    def top(self) -> int:
        return min(self.most, max(v for _, v in self.values))


class Chargers(RuleBasedStateMachine):
    """Facts in any order, any answer lost, late or refused; the plan is judged after each."""

    def begin(self, tree: Settings) -> None:
        self.now = 0.0
        self.tree = tree
        self.core = Balancer(tree)
        self.twin = Balancer(tree)
        self.linked: set[str] = set()
        self.sessions: dict[str, int] = {}
        self.status: dict[str, str] = {}
        self.books = {c.id: Books(c.highest_ma()) for c in tree.chargers}
        self.seen = {c.id: 0 for c in tree.chargers}
        self.offered = dict.fromkeys(self.seen, 0)
        self.answered: set[str] = set()
        self.default: dict[str, int] = {}  # accepted while no session ran
        self.lease_proven: set[str] = set()
        self.leased: dict[str, bool] = {}  # what was accepted last falls back by itself
        self.credit_at: dict[str, float] = {}  # when the lease of a lost charger has run out
        self.open: dict[str, list[int]] = {c.id: [] for c in tree.chargers}
        self.raised_at: dict[str, float] = {}
        self.tx = 0
        self.building = [0, 0, 0]
        self.read_at = -math.inf
        self.meter_works = False
        self.stopped = False
        self.plan: Plan | None = None
        self.take(self.core.wake(0.0), self.twin.wake(0.0))

    @initialize(count=st.integers(0, 5), tree=sites())
    def begin_busy(self, count: int, tree: Settings) -> None:
        """Most runs start with a site at work, where the rules bite."""
        self.begin(tree)
        self.meter_works = True
        for name in sorted(self.books):
            self.link(name)
            self.status[name] = "Available"
            self.feed(StatusSeen(name, 1, "Available", self.now))
        self.all_answer()
        self.wait(11.0)
        self.all_answer()
        for name in sorted(self.books)[:count]:
            self.session(name, vip=False)
        self.all_answer()
        self.wait(1.0)

    # feeding both, and reading what comes

    def feed(self, fact) -> None:
        self.take(self.core.feed(fact, self.now), self.twin.feed(fact, self.now))

    def take(self, outs, twins) -> None:
        assert outs == twins, "same in, same out"
        for out in outs:
            if isinstance(out, Plan):
                self.read(out)

    def read(self, plan: Plan) -> None:
        before = {c: self.top(c) for c in self.books}
        over = self.overloaded(before)
        self.plan = plan
        for offer in plan.offers:
            name = offer.charger
            if offer.id == self.seen[name]:
                assert offer.limit_ma == self.offered[name], "a new value has a new id"
                continue
            assert offer.id > self.seen[name]
            self.seen[name] = offer.id
            raised = offer.limit_ma > self.offered[name]
            self.offered[name] = offer.limit_ma
            if name not in self.linked:
                continue
            self.books[name].values.append((offer.id, offer.limit_ma))
            self.open[name].append(offer.id)
            if raised:
                self.judge_raise(name, before[name], over)

    def judge_raise(self, name: str, before: int, over: set) -> None:
        assert not self.stopped or self.offered[name] == 0
        if name in self.sessions:
            last = self.raised_at.get(name, -math.inf)
            assert self.now - last >= 10.0 - 1e-9, "raised twice within 10 s"
            self.raised_at[name] = self.now
        if self.tree.site.meter.enabled and not self.plan.degraded:
            assert self.now - self.read_at <= 3.0, "raised on a stale reading"  # M1, INV-2
        new = self.top(name) > before
        if new:  # INV-1, INV-3: nothing rises where the books do not hold already
            assert not over & self.above(name), "raised under a limit that is passed"
            after = self.overloaded({c: self.top(c) for c in self.books})
            assert not after & self.above(name), "raised before the cuts were proved"

    # the oracle's model

    def legs(self, name: str) -> tuple[int, ...]:
        return site_phases(self.tree.charger(name).connection)

    def nodes(self, name: str) -> list[str]:
        charger = self.tree.charger(name)
        found = [] if charger.supply_limit_ma is None else [f"supply {name}"]
        group = charger.group
        while group is not None:
            found.append(group)
            group = self.tree.group(group).parent
        return [*found, "site"]

    def above(self, name: str) -> set[tuple[str, int]]:
        return {(node, leg) for node in self.nodes(name) for leg in self.legs(name)}

    def sees_absent(self) -> bool:
        meter = self.tree.site.meter
        return meter.enabled and meter.location == "grid"

    def top(self, name: str) -> int:
        if name not in self.linked:
            ran_out = self.now >= self.credit_at.get(name, math.inf)
            return FALLBACK_MA if ran_out else self.books[name].most
        if self.is_plugless(name):
            return self.default[name]
        return self.books[name].top()

    def is_plugless(self, name: str) -> bool:
        """No car hangs on it, and it has answered for its default."""
        idle = name not in self.sessions
        return idle and name in self.default and self.status.get(name) == "Available"

    def limit(self, node: str, leg: int) -> int:
        if node == "site":
            return self.tree.site.limit_ma.phases()[leg]
        if node.startswith("supply "):
            return self.tree.charger(node.removeprefix("supply ")).supply_limit_ma
        return self.tree.group(node).limit_ma

    def overloaded(self, tops: dict[str, int]) -> set[tuple[str, int]]:
        """INV-1: limits that the highest lawful currents pass."""
        load: dict[tuple[str, int], int] = {}
        for name, top in tops.items():
            for node in self.nodes(name):
                unseen = name in self.linked and not self.is_plugless(name)
                if node == "site" and self.sees_absent() and not unseen:
                    continue
                for leg in self.legs(name):
                    load[node, leg] = load.get((node, leg), 0) + top
        return {key for key, amount in load.items() if amount > self.limit(*key)}

    # what may happen

    @rule(seconds=st.sampled_from([0.3, 1.0, 1.0, 2.0, 4.0, 11.0, 65.0]))
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.core.due()) <= end:
            assert at > self.now or self.plan is None
            self.now = max(self.now, at)
            for books in self.books.values():
                books.settle(self.now)
            self.poll()
            self.take(self.core.wake(self.now), self.twin.wake(self.now))
            assert self.core.due() > self.now
        self.now = end
        for books in self.books.values():
            books.settle(self.now)

    def poll(self) -> None:
        """The meter is read once a second while it works; it sees what is offered in full."""
        if not (self.tree.site.meter.enabled and self.meter_works):
            return
        if self.now - self.read_at < 1.0:
            return
        self.read_at = self.now
        total = list(self.building)
        if self.tree.site.meter.location == "grid":
            for name in self.sessions:
                for leg in self.legs(name):
                    total[leg] += self.offered[name]
        self.feed(MeterRead(Phases(*total), (230_000,) * 3, self.now))

    @rule(data=st.data())
    def link_up(self, data) -> None:
        self.link(data.draw(st.sampled_from(sorted(self.books))))

    def link(self, name: str) -> None:
        self.linked.add(name)
        self.raised_at.pop(name, None)
        books = self.books[name]
        books.values, books.accepted = [(0, books.most)], None
        self.answered.discard(name)
        self.default.pop(name, None)
        self.leased.pop(name, None)
        self.credit_at.pop(name, None)
        self.open[name].clear()
        self.feed(ChargerKnown(name, (1,)))
        self.feed(LinkUp(name, self.now))

    @precondition(lambda self: self.linked)
    @rule(data=st.data(), status=st.sampled_from(["Available", "Charging", "SuspendedEV"]))
    def status_seen(self, data, status) -> None:
        name = data.draw(st.sampled_from(sorted(self.linked)))
        if status != "Available" and name not in self.sessions:
            return
        if status == "Available" and name in self.sessions:
            return
        self.status[name] = status
        self.feed(StatusSeen(name, 1, status, self.now))

    @precondition(lambda self: self.linked)
    @rule(data=st.data())
    def link_lost(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(self.linked)))
        self.linked.discard(name)
        if name in self.lease_proven and self.leased.get(name) and not self.open[name]:
            self.credit_at[name] = self.now + LEASE_S
        self.open[name].clear()
        self.feed(LinkLost(name, self.now))

    @rule(data=st.data())
    def lease_is_proven(self, data) -> None:
        """Only while it is linked: what is proven of a lost one is no longer found out."""
        name = data.draw(st.sampled_from(sorted(self.books)))
        if name in self.linked:
            self.lease_proven.add(name)
            self.feed(LeaseProven(name, self.now))

    @precondition(lambda self: self.linked)
    @rule(data=st.data())
    def boots(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(self.linked)))
        books = self.books[name]
        books.values, books.accepted = [(0, books.most)], None
        self.answered.discard(name)
        self.default.pop(name, None)
        self.leased.pop(name, None)
        self.open[name].clear()
        self.feed(Booted(name, self.now))

    @precondition(lambda self: self.linked - set(self.sessions))
    @rule(data=st.data(), vip=st.booleans())
    def session_begins(self, data, vip) -> None:
        self.session(data.draw(st.sampled_from(sorted(self.linked - set(self.sessions)))), vip=vip)

    def session(self, name: str, *, vip: bool) -> None:
        self.tx += 1
        self.raised_at.pop(name, None)
        self.sessions[name] = self.tx
        self.feed(SessionBegan(name, 1, self.tx, "t", self.now, order=float(self.tx), vip=vip))

    @precondition(lambda self: self.linked - set(self.sessions))
    @rule(data=st.data())
    def newcomer(self, data) -> None:
        """One more car, and every charger quick to answer: who gives way is cut, not yet proved."""
        free = sorted(self.linked - set(self.sessions))
        self.session(data.draw(st.sampled_from(free)), vip=False)
        self.wait(1.0)
        self.all_answer()
        self.wait(2.0)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def session_ends(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(self.sessions)))
        self.status[name] = "Available"
        tx = self.sessions.pop(name)
        self.feed(StatusSeen(name, 1, "Available", self.now))
        self.feed(SessionEnded(name, 1, tx, self.now))

    @precondition(lambda self: any(self.open[name] for name in self.linked))
    @rule(data=st.data(), outcome=st.sampled_from(["accepted"] * 5 + ["rejected", "unknown"]),
          leased=st.booleans())  # fmt: skip
    def answers(self, data, outcome, leased) -> None:
        name = data.draw(st.sampled_from([n for n in sorted(self.linked) if self.open[n]]))
        offer_id = self.open[name].pop(0)
        books = self.books[name]
        if outcome == "accepted":
            self.accept(name, offer_id, leased=leased)
            return
        if outcome == "rejected":
            books.values = [e for e in books.values if e[0] != offer_id] or [(0, books.most)]
        self.leased[name] = False
        self.feed(OfferAnswered(name, 1, offer_id, outcome, self.now))

    def accept(self, name: str, offer_id: int, *, leased: bool) -> None:
        books = self.books[name]
        books.accepted = (offer_id, self.now)
        self.answered.add(name)
        self.leased[name] = leased
        if name not in self.sessions:
            self.default[name] = dict(books.values)[offer_id]
        self.feed(OfferAnswered(name, 1, offer_id, "accepted", self.now, leased=leased))

    @rule(leased=st.booleans())
    def all_answer(self, leased=False) -> None:
        for name in sorted(self.linked):
            while self.open[name]:
                self.accept(name, self.open[name].pop(0), leased=leased)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), share=st.integers(0, 4))
    def draws(self, data, share) -> None:
        """An obedient car: never above what is lawful."""
        name = data.draw(st.sampled_from(sorted(self.sessions)))
        if name not in self.linked:
            return
        books = self.books[name]
        amount = self.offered[name] * share // 4
        if books.accepted is not None:
            value = dict(books.values)[books.accepted[0]]
            if amount <= value:
                books.drop()
        now = Phases(*(amount if p in self.legs(name) else 0 for p in range(3)))
        self.feed(Drawn(name, 1, now, "phases", self.now))

    @rule(phase=st.integers(0, 2), amps=st.integers(0, 120))
    def building_changes(self, phase, amps) -> None:
        self.building[phase] = amps * 1000

    @rule(works=st.booleans())
    def meter_changes(self, works) -> None:
        if works == self.meter_works:
            return
        self.meter_works = works
        if self.tree.site.meter.enabled:
            self.feed((MeterBack if works else MeterLost)(self.now))

    @rule(on=st.sampled_from([True, False, False, False]))
    def emergency(self, on) -> None:
        self.stopped = on
        self.feed(EmergencyStopped(on, "test", self.now))

    @rule(tree=sites())
    def limits_change(self, tree) -> None:
        """B4: limits of the same site change at run time."""
        site = self.tree.site
        new = Site(limit_ma=tree.site.limit_ma, fifo=tree.site.fifo, meter=site.meter)
        self.tree = Settings(site=new, groups=self.tree.groups, chargers=self.tree.chargers)
        self.feed(SettingsChanged(self.tree))

    @rule(name=st.sampled_from(["nobody", "c0", ""]), number=st.sampled_from([0, -1, 7, 999]))
    def odd_facts(self, name, number) -> None:
        """What names nobody is counted and ignored."""
        if name == "c0" and number > 0:
            number = 999
        for fact in (
            Drawn(name, number, Phases(9, 9, 9), "total", self.now),
            OfferAnswered(name, number, 5, "accepted", self.now),
            SessionEnded(name, number, 77, self.now),
            StatusSeen(name, number, "Charging", self.now),
            SessionBegan(name, number, 9, "t", self.now) if name != "c0" else MeterBack(-1.0),
        ):
            if not isinstance(fact, MeterBack):
                self.feed(fact)

    # what must hold after each

    @invariant()
    def every_offer_is_feasible(self) -> None:
        if self.plan is None:
            return
        for offer in self.plan.offers:
            charger = self.tree.charger(offer.charger)
            least, most = max(6_000, charger.lowest_ma()), charger.highest_ma()
            assert offer.limit_ma == 0 or least <= offer.limit_ma <= most  # INV-6
            assert offer.limit_ma % 100 == 0
            legs = self.legs(offer.charger)
            for p in range(3):
                assert offer.offer_ma[p] in ((offer.limit_ma, 0) if p in legs else (0,))

    @invariant()
    def the_smallest_ceiling_is_the_offer(self) -> None:
        if self.plan is None:
            return
        for offer in self.plan.offers:
            legs = [
                p for c in offer.ceilings if c.code == "charger_max" for p in range(3) if c.ma[p]
            ]
            least = [min(c.ma[p] for p in legs) for c in offer.ceilings]
            assert min(least) == offer.offer_ma.highest()
            assert all(offer.offer_ma.fits(c.ma) for c in offer.ceilings)
            binding = [c for c in offer.ceilings if c.binding]
            assert len(binding) == 1
            assert least[offer.ceilings.index(binding[0])] == offer.offer_ma.highest()
            assert binding[0].code == offer.reason.code

    @invariant()
    def nothing_is_offered_in_an_emergency(self) -> None:
        if self.plan is not None and self.stopped:
            assert all(o.limit_ma == 0 for o in self.plan.offers)
            assert all(o.stop for o in self.plan.offers if o.session)

    @invariant()
    def normal_never_holds_what_high_could_use(self) -> None:
        """Priority, in its plainest form: where a high one got nothing, no normal one has more."""
        if self.plan is None or self.stopped:
            return
        for offer in self.plan.offers:
            assert not (offer.reason.code == "lower_priority"
                        and self.tree.charger(offer.charger).priority == "high")  # fmt: skip

    @invariant()
    def goals_fit_the_budget(self) -> None:
        """Σ offers to chargers that are linked and obey never passes a limit they lie under."""
        if self.plan is None:
            return
        load: dict[tuple[str, int], int] = {}
        for offer in self.plan.offers:
            if offer.charger in self.linked and offer.session:
                if offer.reason.code == "charger_fault":
                    continue
                for node in self.nodes(offer.charger):
                    for leg in self.legs(offer.charger):
                        load[node, leg] = load.get((node, leg), 0) + offer.limit_ma
        for (node, leg), amount in load.items():
            limit = self.plan.budget_ma[leg] if node == "site" else self.limit(node, leg)
            assert amount <= limit, (node, leg, amount, limit)


TestChargers = Chargers.TestCase
TestChargers.settings = settings(
    max_examples=200, stateful_step_count=30, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
