"""The snapshot: everything a page shows, put together from what the cells hold at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from linkray.kit.clock import stamp
from linkray.model.faults import Fault
from linkray.model.plan import NO_PLAN, Held, NodeRoom, Offer, Plan
from linkray.model.settings import Settings
from linkray.model.units import ZERO, Phases
from linkray.model.views import (
    ChargerView,
    ConnectorView,
    GroupView,
    HeldView,
    LedView,
    MeterView,
    OfferView,
    PlanView,
    SiteView,
    Snapshot,
    UplinkView,
)

HALF_S = timedelta(seconds=0.5)
Drawn = Mapping[tuple[str, int], Phases]  # by charger and connector
Offers = Mapping[tuple[str, int], Offer]


class Seen(msgspec.Struct, frozen=True):
    """What the roof sees in its cells when a snapshot is due."""

    now: float = 0.0  # monotonic seconds

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
    uplinks: tuple[UplinkView, ...] = ()
    ceiling_ma: Phases | None = None
    ocpp_port: int = 0
    ocpps_port: int = 0


def build(seq: int, at: str, seen: Seen, *, released: bool, passwords_changed: str) -> Snapshot:
    """One snapshot. Pure: the same `seen` gives the same."""
    offers = {(offer.charger, offer.connector): offer for offer in seen.plan.offers}
    planned: dict[str, list[int]] = {}
    for charger, connector in offers:
        planned.setdefault(charger, []).append(connector)
    chargers = tuple(_shown(v, offers, planned.get(v.id, ())) for v in _chargers(seen))
    drawn = _drawn(chargers, offers)
    return Snapshot(
        seq=seq,
        at=at,
        site=_site(seen, chargers, drawn, released=released, passwords_changed=passwords_changed),
        plan=_plan(seen, at, tuple(_nodes(seen, chargers, offers, drawn))),
        chargers=chargers,
        meter=seen.meter,
        faults=seen.faults,
        led=seen.led,
        groups=tuple(GroupView(g.name, g.limit_ma, g.parent) for g in seen.settings.groups),
        uplinks=tuple(sorted(seen.uplinks, key=lambda uplink: uplink.charger)),
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


def _plan(seen: Seen, at: str, nodes: tuple[NodeRoom, ...]) -> PlanView:
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
        nodes=nodes,
        excluded_until_s=plan.excluded_until_s,
        stopped=plan.stopped,
        held=None if plan.held is None else _held(plan.held, seen.now, at),
    )


def _held(held: Held, now: float, at: str) -> HeldView:
    """Until when by the wall clock, to the second: so that it stays the same with every plan."""
    until = datetime.fromisoformat(at) + timedelta(seconds=held.until - now)
    return HeldView(stamp((until + HALF_S).replace(microsecond=0)), held.phases)


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
        reserve=offer.reserve,
    )


def _shown(view: ChargerView, offers: Offers, planned: Sequence[int]) -> ChargerView:
    """With what the plan knows of the current where the charger's room knows none; one that was
    never heard of has the connectors that are planned with, for which room is kept.
    """
    if not view.connectors:
        none = tuple(ConnectorView(number) for number in planned)
        return msgspec.structs.replace(view, connectors=none)
    known = tuple(
        msgspec.structs.replace(one, drawn_ma=offer.drawn_ma)
        if one.drawn_ma is None
        and (offer := offers.get((view.id, one.id))) is not None
        and offer.drawn_ma is not None
        else one
        for one in view.connectors
    )
    return view if known == view.connectors else msgspec.structs.replace(view, connectors=known)


def _drawn(chargers: Iterable[ChargerView], offers: Offers) -> Drawn:
    """What each connector draws, as it is shown there: every sum is made of these. A session
    whose current is not known counts with its offer, the safe side.
    """
    drawn = {
        key: (o.offer_ma if o.session else ZERO) if o.drawn_ma is None else o.drawn_ma
        for key, o in offers.items()
    }
    for charger in chargers:
        for one in charger.connectors:
            offer = offers.get((charger.id, one.id))
            unknown = ZERO if one.transaction_id is None or offer is None else offer.offer_ma
            drawn[charger.id, one.id] = unknown if one.drawn_ma is None else one.drawn_ma
    return drawn


def _nodes(
    seen: Seen, chargers: Iterable[ChargerView], offers: Offers, drawn: Drawn
) -> Iterable[NodeRoom]:
    """The plan's limits with what is drawn under them at this moment, as it is shown."""
    groups = {group.name: group for group in seen.settings.groups}
    within = {charger.id: charger.group for charger in chargers}
    under: dict[tuple[str, str], Phases] = {}
    twice: dict[tuple[str, str], Phases] = {}  # drawn, and kept back as well
    for key, amount in drawn.items():
        charger = key[0]
        reserve = offers[key].reserve if key in offers else None
        above = [("site_limit", ""), ("supply_limit", charger)]
        group = groups.get(within.get(charger) or "")
        while group is not None:
            above.append(("group_limit", group.name))
            group = groups.get(group.parent or "")
        for node in above:
            under[node] = under.get(node, ZERO) + amount
            if reserve is not None:
                kept = reserve.site_ma if node == above[0] else reserve.ma
                twice[node] = twice.get(node, ZERO) + amount.at_most(kept)
    for room in seen.plan.nodes:
        place = (room.code, room.name)
        yield msgspec.structs.replace(
            room, drawn_ma=under.get(place, ZERO), drawn_reserve_ma=twice.get(place, ZERO)
        )


def _site(
    seen: Seen, chargers: tuple[ChargerView, ...], drawn: Drawn, *,
    released: bool, passwords_changed: str,
) -> SiteView:  # fmt: skip
    site = seen.settings.site
    used = sum(drawn.values(), ZERO)
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
        ocpp_port=seen.ocpp_port,
        ocpps_port=seen.ocpps_port,
    )


def _voltage(seen: Seen) -> tuple[int, int, int]:
    """Measured where the meter is healthy, else as set."""
    by_hand = seen.settings.site.voltage_mv
    l1, l2, l3 = seen.meter.voltage_mv if seen.meter.healthy else (None, None, None)
    return (l1 or by_hand, l2 or by_hand, l3 or by_hand)
