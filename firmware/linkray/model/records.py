"""What is written down before it counts: transactions, chargers seen, audit lines (records.md)."""

from __future__ import annotations

import msgspec

from linkray.model.passport import Finding


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


AnyRecord = (
    TransactionBegan | TransactionSampled | TransactionEnded | StopUnknown | ChargerSeen
    | TagRejected | PassportFound | PassportForgotten
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
