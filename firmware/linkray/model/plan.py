"""What was decided: an offer with its reason for every connector (balancing.md, web.md)."""

from __future__ import annotations

from typing import Literal

import msgspec

from linkray.model.units import ZERO, Phases

Code = Literal[
    "charger_max", "charger_min", "unit_rounding", "no_car", "car_not_asking", "car_draws_less",
    "not_authorised", "tag_rejected", "payment_pending", "schedule", "csms_profile", "fair_share",
    "spare_redistributed", "fifo_queue", "lower_priority", "group_limit", "site_limit",
    "building_load", "raise_hold", "meter_lost_half", "degraded_limit", "unreachable_reserved",
    "charger_fault", "charger_updating", "licence", "emergency_stop", "supply_limit", "imbalance",
    "turn", "wait_for_cut", "fail_safe", "not_adopted", "site_overloaded", "engineering_ceiling",
]  # fmt: skip  # the 34 of web.md, Explainable balancing


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cause that binds an offer, with its parameters; each reader makes a sentence of it."""

    code: Code
    phase: str | None = None  # "L1" … "L3"
    group: str | None = None
    charger: str | None = None
    connector: int | None = None
    place: int | None = None  # in a queue, from 1
    seconds: int | None = None  # until it may change
    ma: int | None = None  # by how much, where the code speaks of an amount
    by: str | None = None
    text: str = ""  # the cause in a sentence, where the API is asked for the plan (causes.py)


class Ceiling(msgspec.Struct, frozen=True):
    """One upper bound of a connector: the smallest of them equals the offer."""

    code: Code
    ma: Phases
    binding: bool
    phase: str | None = None
    group: str | None = None
    charger: str | None = None
    connector: int | None = None
    place: int | None = None
    seconds: int | None = None


class Reserve(msgspec.Struct, frozen=True):
    """What is kept back for a connector: it may draw so much whatever it is told."""

    may_ma: Phases  # what it may draw at most, whoever sees it
    ma: Phases  # kept of its nearest limit: its supply, its group or the site
    site_ma: Phases  # kept of the site's limit; 0 where the site's meter sees what it draws


class Held(msgspec.Struct, frozen=True):
    """The meter is back; on these phases what held without it does so for a minute more."""

    until: float  # monotonic seconds
    phases: tuple[str, ...]


class Offer(msgspec.Struct, frozen=True):
    """What one connector may draw, and why. A plan has one for every known connector."""

    charger: str
    connector: int
    offer_ma: Phases  # on the phases of the site
    drawn_ma: Phases | None
    reason: Reason
    ceilings: tuple[Ceiling, ...]
    id: int = 0  # grows with every new value for this connector; `OfferAnswered` names it
    limit_ma: int = 0  # what the charger is told, per phase
    limit_w: int | None = None  # what it is told instead, in total, where its unit is W
    session: bool = False  # for a running transaction (TxProfile), else the start-up default
    urgent: bool = False  # lower than what may be in force: overtakes every waiting call
    stop: bool = False  # the transaction must end: RemoteStopTransaction
    inoperative: bool = False  # the ladder's last step: ChangeAvailability Inoperative (INV-10)
    values_wanted: int = 0  # grows each time fresh meter values are wanted: TriggerMessage
    wanted_ma: int = 0  # its demand, per phase: what it could use (balancing.md 2)
    next_look_s: int | None = None  # when the next change is possible, where that is known
    high: bool = False  # served in the high priority band
    again: bool = False  # it does not obey: also what stands already is sent (INV-10)
    held: bool = False  # a limit above it is passed: nothing is sent that raises it (INV-1)
    reserve: Reserve | None = None  # None: nothing beyond its offer


class NodeRoom(msgspec.Struct, frozen=True):
    """One limit of the tree with what is under it: the headroom of a group or of the site."""

    code: Code  # site_limit, group_limit or supply_limit
    name: str  # of the group or charger; empty: the site
    limit_ma: Phases  # in force; where a meter that is back is waited for (Held), the agreed one
    building_ma: Phases  # what the building takes of it; 0 below the site
    reserved_ma: Phases  # held for absent, disobedient and faulty chargers
    promised_ma: Phases  # what the others may draw by the books
    drawn_ma: Phases  # what chargers under it draw by fresh values
    drawn_reserve_ma: Phases = ZERO  # of what is reserved, what is drawn, and so in `drawn_ma` too


class Plan(msgspec.Struct, frozen=True):
    """One decision of the balancer for the whole site."""

    seq: int = 0
    at: float = 0.0  # monotonic seconds
    budget_ma: Phases = ZERO
    building_ma: Phases | None = None  # None: no healthy meter
    reserved_ma: Phases = ZERO
    offers: tuple[Offer, ...] = ()
    limit_ma: Phases = ZERO  # the site limit in force (the degraded one where it rules)
    degraded: bool = False
    nodes: tuple[NodeRoom, ...] = ()  # the site first
    excluded_until_s: int | None = None  # an excluded time of the schedule runs, so much longer
    stopped: Reason | None = None  # why nothing is offered to anybody
    held: Held | None = None


NO_PLAN = Plan()
