"""What is shown: one frozen view of each thing, and the snapshot that faces get every second."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from linkray.model.clients import ClientCertificate
from linkray.model.facts import Status
from linkray.model.faults import Alert, Fault
from linkray.model.plan import Ceiling, NodeRoom, Reason, Reserve
from linkray.model.tags import Tag
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


class PassportLine(msgspec.Struct, frozen=True):
    """One finding of a charger's passport in words (chargers.md, Passport); the evidence is asked
    for by `ReadPassport`.
    """

    what: str  # a code of `model/passport.py: What`
    found: str  # in words
    since: str = ""  # UTC
    label: str = ""  # what it is, in words


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
    passport: tuple[PassportLine, ...] = ()  # what was found out of it, compact
    probing: str = ""  # what is being tried out on it now, or why not yet; empty: nothing to try
    writes_a_day: int | None = None  # the budget of profile writes; None: none


MeterDoubt = Literal["excluded", "reversed", "scale", "swapped", "charger_phase"]


class MeterFinding(msgspec.Struct, frozen=True):
    """What does not fit between meter and chargers, for the installer (trust.md M4, M9, M15, C8).

    `steps`: on how many comparisons it stands.
    """

    what: MeterDoubt
    text: str
    steps: int
    phase: str | None = None
    seen_on: str | None = None
    charger: str | None = None


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
    findings: tuple[MeterFinding, ...] = ()  # what was found wrong by comparison with the chargers
    follows: bool = False  # it was seen to follow the chargers, on some phase at least
    phases_read: tuple[bool, bool, bool] = (True, True, True)  # the number of another means nothing


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
    wanted_ma: int = 0  # its demand, per phase
    next_look_s: int | None = None  # when the next change is possible, where that is known
    high: bool = False  # served in the high priority band
    reserve: Reserve | None = None  # kept back for it beyond what it is offered; None: nothing


class HeldView(msgspec.Struct, frozen=True):
    """The meter is back, and what held without it does so for a minute (metering.md)."""

    until: str  # UTC
    phases: tuple[str, ...]


class OfferChange(msgspec.Struct, frozen=True):
    """One change of a connector's offer: when, from what to what, and why."""

    at: str  # UTC
    from_ma: Phases | None  # None: the first offer since the start
    to_ma: Phases
    reason: Reason


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
    nodes: tuple[NodeRoom, ...] = ()  # every limit with its headroom, the site first
    excluded_until_s: int | None = None  # an excluded time of the schedule runs, so much longer
    stopped: Reason | None = None  # why nothing is offered to anybody
    held: HeldView | None = None  # the limits of the meter's failure still hold


class SiteView(msgspec.Struct, frozen=True):
    """`GET /api/v1/site`: the figures of the Info page (manual, 21 and 22)."""

    name: str = ""
    serial: str = ""
    version: str = ""
    limit_ma: Phases = ZERO
    voltage_mv: tuple[int, int, int] = (230_000, 230_000, 230_000)  # in force
    used_ma: Phases = ZERO  # by chargers: the sum of what its connectors show
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
    #: another one with each change of a password or a client certificate: sessions may have ended
    passwords_changed: str = ""
    configured_limit_ma: Phases = ZERO  # as set; `limit_ma` is the one in force
    ceiling_ma: Phases | None = None  # the engineering ceiling; None: not sealed
    ocpp_port: int = 0  # of chargers over ws://; 0: not open yet
    ocpps_port: int = 0  # and over wss://


class UplinkView(msgspec.Struct, frozen=True):
    """One charger's uplink: `off`, `away` (no link), `waits` (the CSMS does not accept it),
    `behind` (what was kept is being said), `live`.
    """

    charger: str
    state: Literal["off", "away", "waits", "behind", "live"] = "off"
    text: str = ""  # why
    waiting: int = 0  # messages of transactions on disk
    set_aside: int = 0
    oldest: str | None = None  # UTC; since when the first of those that wait does
    attempts: int = 0  # to connect, since the CSMS has said something last
    next_attempt: str | None = None  # UTC; None: none is due
    has_password: bool = False  # one was given by hand or by the CSMS; it is never shown


class CsmsQueue(msgspec.Struct, frozen=True):
    """What waits for one address: that of the CSMS that is set, or of one from before (K13)."""

    csms: str
    is_set: bool
    messages: int = 0
    chargers: int = 0  # of so many
    sessions: int = 0  # that run and have their start there: what follows is for it, too
    oldest: str | None = None  # UTC; since when the first of them waits
    newest: int = 0  # the number of the last


class SetAsideMessage(msgspec.Struct, frozen=True):
    """A message of a transaction that the CSMS did not take: it waits for a person (csms.md). One
    that waits for an address that is not set is shown in the same form: `why` and `aside_at` empty.
    """

    number: int  # its place in the order in which chargers said them
    charger: str
    action: str
    transaction: int  # LinkRay's number of it; 0: of none that LinkRay knows
    at: str  # UTC; when the charger said it
    why: str  # the CSMS's last answer, or what else kept it back
    aside_at: str  # UTC
    csms: str  # the address it is for
    message_id: str
    payload: str  # as the charger wrote it


class UplinkTested(msgspec.Struct, frozen=True):
    """What came of trying an uplink out, in words."""

    reached: bool
    text: str


Way = Literal["in", "out", "up", "down"]  # from and to the charger, to and from the CSMS


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A frame of the OCPP log; of secrets and tags it tells no more than a log may."""

    number: int
    at: str  # UTC
    charger: str
    way: Way
    text: str


class FramesRead(msgspec.Struct, frozen=True):
    """`GET /api/v1/ocpp-log`: the newest frames, oldest first."""

    frames: tuple[Frame, ...]
    last: int  # the newest number there is: what comes later is asked for after it
    left_out: int  # that came since and found no room in this answer
    files: tuple[int, ...]  # bytes of `OCPP`, `OCPP.1` … as far as there are


class TagsRead(msgspec.Struct, frozen=True):
    """`GET /api/v1/tags`: a part of the list of tags, as it was asked for."""

    tags: tuple[Tag, ...]
    found: int  # so many fit the search
    total: int
    whitelist: bool  # only listed tags charge while LinkRay decides
    open_confirmed: bool  # somebody has said that it may be off (trust.md A36)


class RejectedTag(msgspec.Struct, frozen=True):
    """A tag that was refused; it stays in the history, also once it is listed."""

    number: int
    tag: str
    charger: str
    at: str  # UTC
    listed: bool = False


class RejectedRead(msgspec.Struct, frozen=True):
    """`GET /api/v1/tags/rejected`: newest first."""

    tags: tuple[RejectedTag, ...]
    found: int


class LearntTag(msgspec.Struct, frozen=True):
    """A tag that was presented in learn mode, and what came of it."""

    tag: str
    charger: str
    at: str  # UTC
    came: Literal["added", "removed", "there", "unknown", "refused"]


class LearningView(msgspec.Struct, frozen=True):
    """`GET /api/v1/tags/learn`: `left_s` 0 is over; `charger` empty: at all of them."""

    left_s: int
    remove: bool
    charger: str
    tags: tuple[LearntTag, ...]


class TagsChanged(msgspec.Struct, frozen=True):
    """What a change of the list does, or has done: tags that are new, other, as they were, gone."""

    new: int
    changed: int
    same: int
    gone: int


class CeilingView(msgspec.Struct, frozen=True):
    """`GET /api/v1/ceiling`: the engineering ceiling, and what it makes of the site limit."""

    limit_ma: Phases | None  # None: not sealed
    by: str  # whoever sealed it
    at: str  # UTC
    site_limit_ma: Phases  # as set
    in_force_ma: Phases  # the lower of both


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the commissioning check: `bad` is refused at sealing, `warning` is not."""

    name: str
    state: Literal["good", "warning", "bad"]
    text: str
    phase: str | None = None
    group: str | None = None
    charger: str | None = None
    amount_ma: int | None = None
    limit_ma: int | None = None


class CommissioningCheck(msgspec.Struct, frozen=True):
    """`GET /api/v1/commissioning-check`: the sums of the real topology, and what they mean."""

    ceiling_ma: Phases | None
    site_limit_ma: Phases  # in force
    base_load_ma: Phases  # declared
    maxima_ma: Phases  # all chargers at their maximum
    fail_safe_ma: Phases  # all chargers on their own
    largest_step_ma: Phases | None  # of the building within 5 s, as seen; None: not known
    target_ma: Phases | None  # the site limit at which such a step stays under the agreed one
    findings: tuple[Finding, ...]


Step = Literal[
    "language", "passwords", "network", "site", "circuits", "meter", "chargers", "access", "check"
]
STEPS: tuple[Step, ...] = get_args(Step)  # in the order in which they are walked
NEEDED: tuple[Step, ...] = ("passwords", "site")  # without which the last one is not ended


class StepEnded(msgspec.Struct, frozen=True):
    """Who has ended a step of commissioning, and when (UTC)."""

    by: str
    at: str


class CommissioningWalk(msgspec.Struct, frozen=True):
    """`GET /api/v1/commissioning`: the steps that people have ended (web.md, Wizard)."""

    ended: dict[Step, StepEnded] = {}
class ChargerKey(msgspec.Struct, frozen=True):
    """A configuration key as the charger tells it. `value` None: it has none, or it is a secret.

    `ours`: LinkRay writes it itself, or it would part the two, and nobody changes it here.
    """

    key: str
    value: str | None
    readonly: bool
    ours: bool = False
    secret: bool = False


class ChargerSaid(msgspec.Struct, frozen=True):
    """What a charger answered, in OCPP's word: Accepted, RebootRequired, Scheduled, Unlocked."""

    status: str
    text: str


class FirmwareFile(msgspec.Struct, frozen=True):
    """A charger's firmware as it is held."""

    name: str
    size_bytes: int
    sha256: str
    at: str  # UTC
    by: str


UpdateState = Literal[
    "sent", "fetched", "Downloading", "Downloaded", "DownloadFailed", "Installing", "Installed",
    "InstallationFailed", "left_out", "refused", "over",
]


class FirmwareUpdate(msgspec.Struct, frozen=True):
    """How a charger's newest update goes: what it said last, and the version before and now."""

    charger: str
    file: str
    state: UpdateState
    at: str  # UTC; of the state
    text: str = ""  # why it was left out, or what went wrong
    before: str = ""
    now: str = ""


class FirmwareShelf(msgspec.Struct, frozen=True):
    """`GET /api/v1/charger-firmware`."""

    files: tuple[FirmwareFile, ...]
    updates: tuple[FirmwareUpdate, ...]
    files_max: int
    bytes_max: int  # of one file, with what the disk has room for


class DiagnosticsView(msgspec.Struct, frozen=True):
    """What a charger was asked to leave: `sent`, what it said of it, `kept`, or `over`."""

    charger: str
    state: Literal["sent", "Uploading", "Uploaded", "UploadFailed", "kept", "over"]
    at: str  # UTC
    name: str = ""  # as the charger calls it
    size_bytes: int = 0  # 0: nothing has come


class Handed(msgspec.Struct, frozen=True):
    """What a token opens: a stored file to read, or (`bytes_max`) room for one to be left."""

    stored: str  # its name in the folder of the chargers' files; empty: one is to be left
    name: str = ""
    size_bytes: int = 0
    bytes_max: int = 0


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
    uplinks: tuple[UplinkView, ...] = ()  # of every charger that has one, by id


# -- the site's past (records.md, Site graphs) -----------------------------------------------------

Column = tuple[int | None, ...] | None  # a value for each slot, null a gap; null: gaps throughout
PhaseColumns = tuple[Column, Column, Column]


class GraphPoint(msgspec.Struct, frozen=True):
    """A connector in a graph: the power of each slot, and its current per phase."""

    charger: str
    connector: int
    name: str  # of its charger, as it is called now
    power_w: Column
    current_ma: PhaseColumns


class Graph(msgspec.Struct, frozen=True):
    """`GET /api/v1/graphs`: means of slots of `step_s`, the first of which begins at `start`.

    `current_ma`, `power_w` and `total_w` are at the supply, chargers and building together, and
    with `low` and `high` in minutes; without a meter they are gaps.
    """

    time_zone: str
    start: str  # UTC
    step_s: int
    slots: int
    day: str | None  # of the site's calendar; null: the last 24 hours
    limit_ma: PhaseColumns  # the lowest that was in force
    degraded: Column  # 1: at some time it was the limit for a lost meter
    limit_w: Column
    current_ma: PhaseColumns
    current_low_ma: PhaseColumns
    current_high_ma: PhaseColumns
    power_w: PhaseColumns
    total_w: Column
    total_low_w: Column
    total_high_w: Column
    building_ma: PhaseColumns
    building_w: Column
    points: tuple[GraphPoint, ...]


class GraphDay(msgspec.Struct, frozen=True):
    """A day of which there is something to show: of so many of its `of` quarters of an hour."""

    day: str
    quarters: int
    of: int


class GraphDays(msgspec.Struct, frozen=True):
    """`GET /api/v1/graphs/days`: the days in the site's time zone, oldest first."""

    time_zone: str
    today: str
    days: tuple[GraphDay, ...]
# -- alerts, restarts and the maintenance report ---------------------------------------------------


class AlertsRead(msgspec.Struct, frozen=True):
    """`GET /api/v1/alerts`: what was asked for, the newest first, and sums over all of it."""

    alerts: tuple[Alert, ...]
    total: int  # that were found; `alerts` may be fewer
    times: int  # how often they came
    open: int
    unseen: int  # that are open and nobody has seen, whatever was asked for
    lasted_s: int  # together
    oldest: str | None  # UTC; how far back the history goes
    kinds: tuple[str, ...]  # codes that are in the history


class Began(msgspec.Struct, frozen=True):
    """A start of control: when, of which version, and how the one before it had ended."""

    at: str  # UTC
    version: str
    why: str
    updated_from: str = ""  # another version ran before


class Pending(msgspec.Struct, frozen=True):
    """A restart that waits until no session runs. `charger` empty: of control."""

    charger: str
    by: str
    since: str  # UTC
    kind: str = ""  # Soft or Hard, of a charger


class RestartsRead(msgspec.Struct, frozen=True):
    """`GET /api/v1/restarts`: what waits, and the newest starts, newest first."""

    pending: tuple[Pending, ...]
    began: tuple[Began, ...]
    extended_log: bool = False


class NetworkLink(msgspec.Struct, frozen=True):
    """A network interface, as the report shows it."""

    name: str
    kind: str
    up: bool
    address: str = ""
    gateway: str = ""


class ImageSlot(msgspec.Struct, frozen=True):
    """One of the two places an image lives in."""

    name: str
    version: str
    booted: bool
    good: bool


class StorageView(msgspec.Struct, frozen=True):
    """The disk under the state folder. `copies`: name and bytes of each, newest first."""

    database_bytes: int
    free_bytes: int
    total_bytes: int
    copies: tuple[tuple[str, int], ...]
    trouble: str = ""


class Losses(msgspec.Struct, frozen=True):
    """How often a charger was away, as far as the history goes, and for how long at most."""

    times: int
    longest_s: int


class Report(msgspec.Struct, frozen=True):
    """What the maintenance report is made of (records.md, Logs): no secret, no whole tag."""

    made: str  # UTC
    board: str
    mac: str
    python: str
    system: str
    csms_url: str
    snapshot: Snapshot
    alerts: AlertsRead
    losses: dict[str, Losses]  # by charger
    began: tuple[Began, ...]
    storage: StorageView
    network: tuple[NetworkLink, ...]
    modem: str
    slots: tuple[ImageSlot, ...]
    clock_set: bool
# -- what an Assembler fits ------------------------------------------------------------------------


class LicenceView(msgspec.Struct, frozen=True):
    """How many connectors the box may have, and why. Dates are ISO 8601."""

    connectors: int  # that may be attached now
    shipped: int  # without a licence
    in_use: int
    serial: str
    state: Literal["shipped", "licensed", "expired"] = "shipped"
    customer: str = ""
    number: str = ""
    issued: str = ""
    expires: str | None = None  # its last day; null: it has no end
    licensed: int | None = None  # what the licence says, also an expired one


class CertificateView(msgspec.Struct, frozen=True):
    """The certificate that pages and chargers are shown. Times are UTC."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: str
    expires: str
    key: str
    fingerprint: str  # SHA-256
    self_signed: bool
    self_made: bool  # by this box
    notes: tuple[str, ...] = ()
    request: str | None = None  # PEM of the request that waits for its certificate
    pem: str = ""  # the certificate and those above it, for who wants to trust it
    hosts: tuple[str, ...] = ()  # what this box is called


# -- people's client certificates, chargers' links, the network ------------------------------------


class ClientsView(msgspec.Struct, frozen=True):
    """`GET /api/v1/client-certificates`; `here`: the one that this connection came with."""

    certificates: tuple[ClientCertificate, ...]
    required: tuple[int, ...]  # levels whose accounts ask for one
    here: str = ""


class MadeClient(msgspec.Struct, frozen=True):
    """A client certificate with its key, told this once: PKCS#12, in base64 on the way."""

    certificate: ClientCertificate
    content: bytes


class ChargerLink(msgspec.Struct, frozen=True):
    """What one charger's link is secured with. Times are UTC; refusals are counted from the start.

    `password`: `none`; `told`, and required once the charger has come with it; `required`.
    """

    charger: str
    connected: bool = False
    address: str = ""  # where it connects from
    tls: str = ""  # version of TLS on its link; empty: none
    proved: bool = False  # it came with its password
    password: Literal["none", "told", "required"] = "none"  # noqa: S105 - how it stands
    since: str = ""
    by: str = ""
    refused: int = 0  # connections in its name
    refused_at: str = ""
    refused_from: str = ""
    refused_why: str = ""
    uplink_password: bool = False  # the CSMS is told one of LinkRay's


class NetworkView(msgspec.Struct, frozen=True):
    """`GET /api/v1/network`: what there is, as LinkRay sees it."""

    links: tuple[NetworkLink, ...]
    preferred: str  # whose route is taken while it is up
    route: str | None  # the link that carries the way to the internet; null: none does
    names: tuple[str, ...]  # by which this box is reached
    addresses: tuple[str, ...]
    serial: str
    mac: str
    sim: Literal["absent", "locked", "ok"]
    registered: bool
    signal_dbm: int | None
    operator: str
    simulated: bool
    csms: str = ""  # host of the CSMS that is set


class Neighbour(msgspec.Struct, frozen=True):
    """A device next door whose own pages a proxy could show."""

    kind: Literal["charger", "gateway"]
    address: str
    charger: str = ""
