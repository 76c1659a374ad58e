"""The snapshot: everything a page shows, put together from what the cells hold at one moment."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from linkray.model.faults import Fault
from linkray.model.plan import NO_PLAN, Offer, Plan
from linkray.model.settings import Settings
from linkray.model.units import ZERO, Phases
from linkray.model.views import (
    ChargerView,
    GroupView,
    LedView,
    MeterView,
    OfferView,
    PlanView,
    SiteView,
    Snapshot,
)


class Seen(msgspec.Struct, frozen=True):
    """What the roof sees in its cells when a snapshot is due."""

    settings: Settings = Settings()
    revision: int = 0
    plan: Plan = NO_PLAN
    plan_at: str = ""  # UTC of the plan; empty: that of the snapshot
    chargers: tuple[ChargerView, ...] = ()  # every one that is known, configured or not
    meter: MeterView = MeterView()
    faults: tuple[Fault, ...] = ()
    led: LedView = LedView()
    serial: str = ""
    version: str = ""
    licences_total: int = 8  # access.md, Licence: what is shipped
    energy_today_wh: int = 0
    emergency_stop: bool = False
    emergency_stop_by: str | None = None
    uptime_s: int = 0
    system_uptime_s: int = 0
    csms: str = "stand-alone"
    plan_ms_p50: float = 0.0
    plan_ms_p99: float = 0.0
    plan_gap_s_max: float = 0.0
    simulated: bool = False
    commissioning_open: bool = True
    ceiling_ma: Phases | None = None


def build(seq: int, at: str, seen: Seen, *, released: bool, passwords_changed: str) -> Snapshot:
    """One snapshot. Pure: the same `seen` gives the same."""
    chargers = tuple(_chargers(seen))
    return Snapshot(
        seq=seq,
        at=at,
        site=_site(seen, chargers, released=released, passwords_changed=passwords_changed),
        plan=_plan(seen, at),
        chargers=chargers,
        meter=seen.meter,
        faults=seen.faults,
        led=seen.led,
        groups=tuple(GroupView(g.name, g.limit_ma, g.parent) for g in seen.settings.groups),
    )


def _chargers(seen: Seen) -> Iterable[ChargerView]:
    """Configured ones in their order, named as the settings name them; then the others by id."""
    known = {view.id: view for view in seen.chargers}
    for kept in seen.settings.chargers:
        view = known.pop(kept.id, ChargerView(kept.id))
        yield msgspec.structs.replace(
            view, name=kept.name, priority=kept.priority, group=kept.group
        )
    yield from sorted(known.values(), key=lambda view: view.id)


def _plan(seen: Seen, at: str) -> PlanView:
    plan = seen.plan
    return PlanView(
        seq=plan.seq,
        at=seen.plan_at or at,
        budget_ma=plan.budget_ma,
        building_ma=plan.building_ma,
        reserved_ma=plan.reserved_ma,
        offers=tuple(_offer(o) for o in plan.offers),
        limit_ma=plan.limit_ma,
        degraded=plan.degraded,
        nodes=plan.nodes,
        excluded_until_s=plan.excluded_until_s,
    )


def _offer(offer: Offer) -> OfferView:
    return OfferView(
        charger=offer.charger,
        connector=offer.connector,
        offer_ma=offer.offer_ma,
        drawn_ma=offer.drawn_ma,
        reason=offer.reason,
        ceilings=offer.ceilings,
        wanted_ma=offer.wanted_ma,
        next_look_s=offer.next_look_s,
        high=offer.high,
    )


def _used(offers: Iterable[Offer]) -> Phases:
    """What chargers draw; one whose current is not known counts with its offer, the safe side."""
    used = ZERO
    for offer in offers:
        unknown = offer.offer_ma if offer.session else ZERO
        used += unknown if offer.drawn_ma is None else offer.drawn_ma
    return used


def _site(
    seen: Seen, chargers: tuple[ChargerView, ...], *, released: bool, passwords_changed: str
) -> SiteView:
    site = seen.settings.site
    used = _used(seen.plan.offers)
    connectors = [connector for charger in chargers for connector in charger.connectors]
    return SiteView(
        name=site.name,
        serial=seen.serial,
        version=seen.version,
        limit_ma=seen.plan.limit_ma if seen.plan.seq else site.limit_ma.phases(),
        configured_limit_ma=site.limit_ma.phases(),
        ceiling_ma=seen.ceiling_ma,
        voltage_mv=_voltage(seen),
        used_ma=used,
        available_ma=(seen.plan.budget_ma - used).at_least(ZERO),
        building_ma=seen.plan.building_ma,
        chargers_configured=len(seen.settings.chargers),
        chargers_connected=sum(charger.connected for charger in chargers),
        licences_used=sum(
            max(1, len(charger.connectors)) for charger in chargers if charger.licensed
        ),
        licences_total=seen.licences_total,
        sessions=sum(connector.transaction_id is not None for connector in connectors),
        energy_today_wh=seen.energy_today_wh,
        fifo=site.fifo,
        degraded=seen.plan.degraded,
        emergency_stop=seen.emergency_stop,
        emergency_stop_by=seen.emergency_stop_by,
        uptime_s=seen.uptime_s,
        system_uptime_s=seen.system_uptime_s,
        settings_revision=seen.revision,
        commissioned=released,
        csms=seen.csms,
        time_zone=site.time_zone,
        plan_ms_p50=seen.plan_ms_p50,
        plan_ms_p99=seen.plan_ms_p99,
        plan_gap_s_max=seen.plan_gap_s_max,
        simulated=seen.simulated,
        commissioning_open=seen.commissioning_open,
        passwords_changed=passwords_changed,
    )


def _voltage(seen: Seen) -> tuple[int, int, int]:
    """Measured where the meter is healthy, else as set."""
    by_hand = seen.settings.site.voltage_mv
    l1, l2, l3 = seen.meter.voltage_mv if seen.meter.healthy else (None, None, None)
    return (l1 or by_hand, l2 or by_hand, l3 or by_hand)
