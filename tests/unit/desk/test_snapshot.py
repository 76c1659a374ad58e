"""A snapshot is a pure function of what the cells hold."""

from __future__ import annotations

from linkray.desk.snapshot import Seen, build
from linkray.model.plan import Offer, Plan, Reason
from linkray.model.settings import Charger, Group, Settings, Site
from linkray.model.units import Phases
from linkray.model.views import ChargerView, ConnectorView, GroupView, MeterView, Snapshot


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
