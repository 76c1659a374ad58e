"""What is written down before it counts: transactions, chargers seen, audit lines (records.md)."""

from __future__ import annotations

import msgspec

from linkray.model.faults import Alert
from linkray.model.history import Slot
from linkray.model.passport import Finding
from linkray.model.sessions import Course, Pause


class Record(msgspec.Struct, frozen=True, tag_field="record"):
    """Something for the disk; `Store.commit` returns when it would survive a power cut."""


class TransactionBegan(Record, frozen=True, tag=True):
    """A StartTransaction that will be answered with `id`. Times are UTC, ISO 8601 with `Z`."""

    id: int
    charger: str
    connector: int
    tag: str
    meter_start_wh: int
    started: str  # our clock's, or the charger's where that is believable
    given: str  # the timestamp as the charger wrote it: part of what makes a repeat a repeat
    friendly_name: str = ""
    authorised_by: str = "open"  # open, whitelist, hand, csms, payment
    csms: str = ""  # the address that its start is for, and all that follows; empty: none (K13)


class TransactionSampled(Record, frozen=True, tag=True):
    """The newest energy register of a running transaction, as sent (never corrected on disk)."""

    id: int
    register_wh: int
    at: str
    flagged: bool = False  # the register went back or jumped (trust.md C12)


class TransactionEnded(Record, frozen=True, tag=True):
    """A transaction has ended. `meter_stop_wh` None: no register came, the last sample counts."""

    id: int
    meter_stop_wh: int | None
    ended: str
    reason: str
    given: str = ""  # the timestamp as the charger wrote it; empty: ended by LinkRay


class SessionWent(Record, frozen=True, tag=True):
    """How a session went so far; the newest word counts. A pause replaces that of its beginning."""

    id: int
    course: Course
    pauses: tuple[Pause, ...] = ()  # those that are new, or have ended since


class StopUnknown(Record, frozen=True, tag=True):
    """A StopTransaction of an id we never gave, or gave to another charger (trust.md C18)."""

    charger: str
    transaction_id: int
    tag: str
    meter_stop_wh: int
    given: str
    reason: str
    at: str


class ChargerSeen(Record, frozen=True, tag=True):
    """What a charger says of itself; the newest replaces the one before."""

    charger: str
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    address: str = ""
    connectors: int = 0  # 0: not known yet
    firmware_since: str = ""
    seen: str = ""
    leased: bool = False  # it has accepted a profile of two periods (the dead-man)
    writes_day: str = ""  # the UTC day of `writes`; kept for chargers with a write budget
    writes: int = 0  # profiles sent on that day
    inoperative: tuple[int, ...] = ()  # connectors that we have put out of service (INV-10)
    stack_level_max: int | None = None  # ChargeProfileMaxStackLevel, as far as it has said
    clock_off_s: float = 0.0  # what it was told last less our wall clock, while it charges (T2)
    behind: bool = False  # by its clock its session has not begun, till it is told that time
    # Sessions that waited in it, by its clock alone: number, how late they came, so much in doubt
    doubted: tuple[tuple[int, float, float], ...] = ()
    capped: bool = False  # a ChargePointMaxProfile of ours may stand there
    before: dict[str, str | None] = {}  # its configuration before we changed it, of our own keys


class TagRejected(Record, frozen=True, tag=True):
    """A tag that was refused, kept as history (access.md, RFID)."""

    tag: str
    charger: str
    at: str


class PassportFound(Record, frozen=True, tag=True):
    """Findings of a make; each replaces the one of the same thing (chargers.md, Passport)."""

    vendor: str
    model: str
    firmware: str
    findings: tuple[Finding, ...]


class PassportForgotten(Record, frozen=True, tag=True):
    """What probing found of a charger, and of its make by it, is to be found out anew."""

    vendor: str
    model: str
    firmware: str
    charger: str


class Outgoing(Record, frozen=True, tag=True):
    """A message of a transaction on its way to the CSMS (csms.md, Offline): kept until answered."""

    number: int  # its place in the queue: the order in which chargers said it
    charger: str
    message_id: str  # the same whenever it is sent (trust.md K5)
    action: str  # StartTransaction, StopTransaction or MeterValues
    payload: str  # as the charger wrote it, with its own transaction id
    transaction: int  # LinkRay's number of it; 0: of none that LinkRay knows
    at: str
    csms: str = ""  # the address it is for: it never goes to another silently (trust.md K13)


class Delivered(Record, frozen=True, tag=True):
    """The CSMS has answered a kept message: it is kept no longer."""

    number: int


class SetAside(Record, frozen=True, tag=True):
    """The CSMS does not take a kept message: it waits for a person (trust.md K6)."""

    number: int
    why: str
    at: str


class IdLearned(Record, frozen=True, tag=True):
    """The number that the CSMS has given a transaction; the newest counts (trust.md K5, K8)."""

    transaction: int
    csms_id: int


class Called(Record, frozen=True, tag=True):
    """What a charger was told to call a transaction, where that is not our number."""

    id: int
    at_charger: int


class Refused(Record, frozen=True, tag=True):
    """The CSMS does not let a transaction charge: nobody has authorised it (csms.md, Offline)."""

    id: int


class TagAccepted(Record, frozen=True, tag=True):
    """The CSMS has accepted a tag: for 30 days it counts as listed while that is away."""

    tag: str
    at: str


class UplinkKept(Record, frozen=True, tag=True):
    """What outlives a restart of one charger's uplink; the newest replaces the one before."""

    charger: str
    csms: str = ""  # the address that all of this is of
    boot: str = ""  # its newest BootNotification, as it wrote it
    wished: dict[str, str] = {}  # configuration keys that LinkRay owns, as the CSMS wrote them
    password: str = ""  # AuthorizationKey as the CSMS wrote it (decided.md)
    profiles: str = ""  # the CSMS's charging profiles, as ocpp/schedule.py keeps them


class MinuteKept(Record, frozen=True, tag=True):
    """What was measured in a minute, for the graphs (metering.md, History)."""

    minute: int  # since 1970
    slot: Slot
class AlertKept(Record, frozen=True, tag=True):
    """An alert as it stands now; the newest word of its id replaces the one before."""

    alert: Alert


class AlertGone(Record, frozen=True, tag=True):
    """The history has no room for this one any more."""

    id: int


AnyRecord = (
    TransactionBegan | TransactionSampled | TransactionEnded | StopUnknown | ChargerSeen
    | TagRejected | PassportFound | PassportForgotten | Outgoing | Delivered | SetAside | IdLearned
    | SessionWent | Called | Refused | TagAccepted | UplinkKept | MinuteKept | AlertKept | AlertGone
)  # fmt: skip


class Transaction(msgspec.Struct, frozen=True):
    """A transaction as kept (records.md, Transactions). Energy is never negative."""

    id: int
    charger: str
    connector: int
    tag: str
    started: str
    given: str
    meter_start_wh: int
    ended: str | None = None
    stop_given: str | None = None
    meter_last_wh: int | None = None
    energy_wh: int = 0
    reason: str | None = None
    finished: bool = False
    incomplete: bool = False
    flagged: bool = False
    friendly_name: str = ""
    authorised_by: str = "open"
    sampled: str | None = None  # when its newest register came, by our clock
    csms_id: int | None = None  # the CSMS's number of it, once it has said one
    at_charger: int | None = None  # what its charger was told to call it; None: our id
    csms: str = ""  # whose its start is, or will be: `csms_id` holds there alone; empty: no CSMS's
