"""A snapshot is a pure function of what the cells hold."""

from __future__ import annotations

from linkray.desk.snapshot import Seen, build
from linkray.model.plan import Held, NodeRoom, Offer, Plan, Reason, Reserve
from linkray.model.settings import Charger, Group, Settings, Site
from linkray.model.units import Phases
from linkray.model.views import (
    ChargerView,
    ConnectorView,
    GroupView,
    HeldView,
    MeterView,
    Snapshot,
)


def snapshot(**seen) -> Snapshot:
    return build(1, "2026-11-21T08:00:00.000Z", Seen(**seen), released=True, passwords_changed="")


def test_configured_chargers_come_first_in_their_order_and_bear_their_settings():
    settings = Settings(
        groups=(Group("East", 40_000),),
        chargers=(Charger("B", name="Bay", group="East", priority="high"), Charger("A")),
    )
    seen = snapshot(settings=settings, chargers=(
        ChargerView("Z", connected=True), ChargerView("C"), ChargerView("B", vendor="ABB"),
    ))  # fmt: skip

    assert [charger.id for charger in seen.chargers] == ["B", "A", "C", "Z"]
    first = seen.chargers[0]
    assert (first.name, first.group, first.priority, first.vendor) == ("Bay", "East", "high", "ABB")
    assert (seen.site.chargers_configured, seen.site.chargers_connected) == (2, 1)
    assert seen.groups == (GroupView("East", 40_000),)


def test_a_session_whose_current_is_not_known_counts_with_its_offer():
    plan = Plan(
        seq=3, budget_ma=Phases.each(50_000), reserved_ma=Phases(10_000),
        offers=(
            Offer("A", 1, Phases(16_000), Phases(9_000), Reason("fair_share"), (), session=True),
            Offer("B", 1, Phases(16_000), None, Reason("fair_share"), (), session=True),
            Offer("C", 1, Phases(16_000), None, Reason("no_car"), ()),
        ),
    )  # fmt: skip
    seen = snapshot(plan=plan)

    assert seen.site.used_ma == Phases(25_000)
    assert seen.site.available_ma == Phases(25_000, 50_000, 50_000)  # the budget is after reserves


def test_nothing_available_is_never_less_than_nothing():
    over = Offer("A", 1, Phases(6_000), Phases(9_000), Reason("fair_share"), (), session=True)
    plan = Plan(seq=1, budget_ma=Phases(5_000), offers=(over,))

    assert snapshot(plan=plan).site.available_ma == Phases()


def test_licences_and_sessions_are_counted_by_connector():
    chargers = (
        ChargerView("A", connectors=(ConnectorView(1, transaction_id=4), ConnectorView(2))),
        ChargerView("B"),
        ChargerView("C", connectors=(ConnectorView(1),), licensed=False),
    )
    seen = snapshot(chargers=chargers)

    assert (seen.site.licences_used, seen.site.sessions) == (3, 1)


def test_the_voltage_is_measured_only_while_the_meter_is_healthy():
    settings = Settings(site=Site(voltage_mv=240_000))
    measured = (231_000, None, 229_000)

    healthy = snapshot(settings=settings, meter=MeterView(healthy=True, voltage_mv=measured))
    failed = snapshot(settings=settings, meter=MeterView(healthy=False, voltage_mv=measured))

    assert healthy.site.voltage_mv == (231_000, 240_000, 229_000)
    assert failed.site.voltage_mv == (240_000, 240_000, 240_000)


def test_before_the_first_plan_the_limit_is_the_one_that_is_set():
    assert snapshot().site.limit_ma == Phases.each(100_000)
    assert snapshot(plan=Plan(seq=1, limit_ma=Phases(7))).site.limit_ma == Phases(7)


YARD = Settings(
    groups=(Group("Yard", 90_000), Group("North", 40_000, parent="Yard")),
    chargers=(Charger("A", group="North", supply_limit_ma=32_000), Charger("B", group="Yard"),
              Charger("C")),
)  # fmt: skip


def room(code, name: str, drawn_ma: int) -> NodeRoom:
    return NodeRoom(code, name, Phases.each(90_000), Phases(), Phases(), Phases(),
                    Phases(drawn_ma))  # fmt: skip


def test_every_sum_is_that_of_the_connectors_beneath_it_though_the_plan_is_a_moment_older():
    plan = Plan(
        seq=1,
        offers=tuple(
            Offer(name, number, Phases(16_000), Phases(drawn), Reason("fair_share"), (),
                  session=True)
            for name, number, drawn in (("A", 1, 3_000), ("A", 2, 3_000), ("B", 1, 3_000),
                                        ("C", 1, 3_000))
        ),
        nodes=(room("site_limit", "", 12_000), room("group_limit", "Yard", 9_000),
               room("group_limit", "North", 6_000), room("supply_limit", "A", 6_000)),
    )  # fmt: skip

    def view(name: str, *drawn: int | None) -> ChargerView:
        return ChargerView(name, connectors=tuple(
            ConnectorView(n, transaction_id=n, drawn_ma=None if ma is None else Phases(ma))
            for n, ma in enumerate(drawn, 1)
        ))  # fmt: skip

    seen = snapshot(settings=YARD, plan=plan, chargers=(
        view("A", 10_000, 1_000), view("B", 7_000), view("C", None),
    ))  # fmt: skip

    shown = {c.id: [one.drawn_ma for one in c.connectors] for c in seen.chargers}
    assert shown == {"A": [Phases(10_000), Phases(1_000)], "B": [Phases(7_000)],
                     "C": [Phases(3_000)]}  # as the plan knows it
    assert seen.site.used_ma == Phases(21_000)
    assert [(n.name, n.drawn_ma.l1) for n in seen.plan.nodes] == [
        ("", 21_000), ("Yard", 18_000), ("North", 11_000), ("A", 11_000),
    ]  # fmt: skip


def test_a_session_that_is_not_measured_counts_with_its_offer_in_every_sum():
    offer = Offer("A", 1, Phases(16_000), None, Reason("fair_share"), (), session=True)
    plan = Plan(seq=1, offers=(offer,), nodes=(room("site_limit", "", 0),
                                               room("group_limit", "North", 0)))
    charger = ChargerView("A", connectors=(ConnectorView(1, transaction_id=4),))
    seen = snapshot(settings=YARD, plan=plan, chargers=(charger,))

    assert seen.chargers[0].connectors[0].drawn_ma is None
    assert seen.site.used_ma == Phases(16_000)
    assert [n.drawn_ma.l1 for n in seen.plan.nodes] == [16_000, 16_000]


def test_until_when_the_degraded_limits_hold_is_told_by_the_wall_clock():
    plan = Plan(seq=1, held=Held(1042.3, ("L1", "L3")))

    told = snapshot(plan=plan, now=1000.0).plan.held
    a_moment_later = build(
        2, "2026-11-21T08:00:01.004Z", Seen(plan=plan, now=1001.0), released=True,
        passwords_changed="",
    ).plan.held  # fmt: skip

    assert told == HeldView("2026-11-21T08:00:42.000Z", ("L1", "L3"))
    assert a_moment_later == told  # nothing on the page moves


def test_why_nothing_is_offered_and_what_is_kept_for_a_charger_are_told_on():
    kept = Reserve(Phases(32_000), Phases(32_000), Phases())
    offer = Offer("A", 1, Phases(), None, Reason("fail_safe"), (), reserve=kept)
    plan = Plan(seq=1, offers=(offer,), stopped=Reason("schedule", seconds=60))
    seen = snapshot(plan=plan)

    assert seen.plan.stopped == Reason("schedule", seconds=60)
    assert seen.plan.offers[0].reserve == kept


def test_what_a_lost_charger_draws_of_what_is_kept_for_it_is_told_with_each_limit():
    kept = Reserve(Phases(32_000), Phases(32_000), Phases(20_000))
    offer = Offer("B", 1, Phases(), None, Reason("fail_safe"), (), reserve=kept)
    plan = Plan(seq=1, offers=(offer,), nodes=(
        room("site_limit", "", 0), room("group_limit", "Yard", 0), room("group_limit", "North", 0),
    ))  # fmt: skip
    lost = ChargerView("B", connectors=(ConnectorView(1, drawn_ma=Phases(25_000)),))
    seen = snapshot(settings=YARD, plan=plan, chargers=(lost,))

    twice = {node.name: node.drawn_reserve_ma.l1 for node in seen.plan.nodes}
    assert twice == {"": 20_000, "Yard": 25_000, "North": 0}


def test_a_charger_that_was_never_heard_of_has_the_connectors_for_which_room_is_kept():
    kept = Reserve(Phases(32_000), Phases(32_000), Phases(32_000))
    plan = Plan(seq=1, offers=(
        Offer("C", 1, Phases(), None, Reason("fail_safe"), (), reserve=kept),
    ))  # fmt: skip
    seen = snapshot(settings=YARD, plan=plan)

    assert {c.id: c.connectors for c in seen.chargers} == {
        "A": (), "B": (), "C": (ConnectorView(1),),
    }  # fmt: skip
    assert seen.site.used_ma == Phases()
