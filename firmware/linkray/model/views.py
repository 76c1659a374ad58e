"""What is shown: one frozen view of each thing, and the snapshot that faces get every second."""

from __future__ import annotations

import msgspec

from linkray.model.facts import Status
from linkray.model.faults import Fault
from linkray.model.plan import Ceiling, Reason
from linkray.model.units import ZERO, Phases


class ConnectorView(msgspec.Struct, frozen=True):
    """A connector as the API shows it (decided.md). None: not known."""

    id: int
    status: Status | None = None
    transaction_id: int | None = None
    offer_ma: Phases | None = None  # accepted by the charger, not merely planned
    drawn_ma: Phases | None = None  # None when older than three sample intervals
    energy_wh: int | None = None  # of the running or last transaction
    tag: str | None = None
    started: str | None = None  # UTC
    source: str | None = None  # where drawn_ma comes from (facts.Source)


class ChargerView(msgspec.Struct, frozen=True):
    """A charger as the API shows it (decided.md)."""

    id: str
    name: str = ""
    connected: bool = False
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    firmware_since: str = ""
    serial: str = ""
    address: str = ""
    priority: str = "normal"
    group: str | None = None
    connectors: tuple[ConnectorView, ...] = ()
    since: str = ""  # connected or lost since, UTC
    quirk: str | None = None
    notes: tuple[str, ...] = ()  # RebootRequired, refused keys, no subprotocol …
    deviations: int = 0  # payloads read leniently since the link came up
    profile_writes: int = 0  # today
    licensed: bool = True


class MeterView(msgspec.Struct, frozen=True):
    """The meter as the API shows it (decided.md): null where nothing is known."""

    enabled: bool = False
    name: str = ""
    healthy: bool = False
    age_s: float | None = None
    current_ma: Phases | None = None
    voltage_mv: tuple[int | None, int | None, int | None] = (None, None, None)
    power_w: int | None = None
    location: str = "grid"
    error: str | None = None  # the last failure in words
    hint: str | None = None  # the manual's troubleshooting for that failure


class LedView(msgspec.Struct, frozen=True):
    """What the LED shows: `green solid`, `green blinking`, `red solid`, `both fast`, `identify`."""

    look: str = "green solid"
    red: bool = False
    green: bool = True


class OfferView(msgspec.Struct, frozen=True):
    """An offer of the plan as the API shows it (decided.md)."""

    charger: str
    connector: int
    offer_ma: Phases
    drawn_ma: Phases | None
    reason: Reason
    ceilings: tuple[Ceiling, ...]


class PlanView(msgspec.Struct, frozen=True):
    """`GET /api/v1/plan` (decided.md)."""

    seq: int
    at: str
    budget_ma: Phases
    building_ma: Phases | None
    reserved_ma: Phases
    offers: tuple[OfferView, ...]
    limit_ma: Phases = ZERO
    degraded: bool = False


class SiteView(msgspec.Struct, frozen=True):
    """`GET /api/v1/site`: the figures of the Info page (manual, 21 and 22)."""

    name: str = ""
    serial: str = ""
    version: str = ""
    limit_ma: Phases = ZERO
    voltage_mv: tuple[int, int, int] = (230_000, 230_000, 230_000)  # in force
    used_ma: Phases = ZERO  # by chargers
    available_ma: Phases = ZERO  # free for chargers, under the budget
    building_ma: Phases | None = None
    chargers_configured: int = 0
    chargers_connected: int = 0
    licences_used: int = 0
    licences_total: int = 0
    sessions: int = 0
    energy_today_wh: int = 0
    fifo: bool = False
    degraded: bool = False
    emergency_stop: bool = False
    emergency_stop_by: str | None = None
    uptime_s: int = 0  # of the controller
    system_uptime_s: int = 0
    settings_revision: int = 0
    commissioned: bool = False  # False: first password still in force (trust.md 4)
    csms: str = "stand-alone"
    time_zone: str = "UTC"
    plan_ms_p50: float = 0.0
    plan_ms_p99: float = 0.0
    plan_gap_s_max: float = 0.0  # the longest time between two plans since the start
    simulated: bool = False
    commissioning_open: bool = True  # the printed password is let in at all (trust.md 4, rule 5)
    passwords_changed: str = ""  # UTC of each account's newest change: older sessions have ended
    configured_limit_ma: Phases = ZERO  # as set; `limit_ma` is the one in force


class GroupView(msgspec.Struct, frozen=True):
    """A group as Info shows it, for whoever may not read the settings (web.md, Info, item 7)."""

    name: str
    limit_ma: int
    parent: str | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """Everything a page shows, at one sequence number: all figures on a screen belong together."""

    seq: int
    at: str
    site: SiteView
    plan: PlanView
    chargers: tuple[ChargerView, ...]
    meter: MeterView
    faults: tuple[Fault, ...]
    led: LedView
    groups: tuple[GroupView, ...] = ()
