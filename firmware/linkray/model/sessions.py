"""What is asked of the kept transactions, and what a page or a file shows of each (records.md)."""

from __future__ import annotations

from typing import Literal

import msgspec

from linkray.model.units import ZERO, Phases

Range = Literal[
    "today", "this_week", "last_week", "this_month", "last_month", "this_year", "last_year", "all"
]
Column = Literal[
    "id", "started", "ended", "duration", "energy", "tag", "charger", "name", "finished"
]
FileKind = Literal["csv", "nem12", "cdr"]


class Selection(msgspec.Struct, frozen=True):
    """Which transactions: one filter for page, CSV, NEM12 and charge data records (web.md A10).

    `since` and `until` are UTC as `kit.clock.stamp` writes it, `until` is no longer part of it. A
    transaction belongs to the time in which it has ended; one that runs belongs to `now`.
    """

    now: str
    since: str | None = None
    until: str | None = None
    tag: str = ""  # whole, case does not matter
    charger: str = ""  # whole
    transaction: int | None = None  # LinkRay's number or the CSMS's
    words: str = ""  # a part of id, tag, charger or friendly name; case does not matter


class Order(msgspec.Struct, frozen=True):
    """By which column, and which way; the number of the transaction decides between equals."""

    column: Column = "started"
    descending: bool = True


class Course(msgspec.Struct, frozen=True, array_like=True):
    """How a session went as far as it was watched: what its current and its pauses are told of."""

    max_ma: Phases = ZERO  # the highest that was seen on each phase of the site
    sum_ma_ms: Phases = ZERO  # current × time, while it was measured
    measured_ms: int = 0
    paused_ms: int = 0

    @property
    def mean_ma(self) -> Phases | None:
        """Over all that was measured of it, pauses too; None: nothing was."""
        if not self.measured_ms:
            return None
        l1, l2, l3 = (
            (2 * one + self.measured_ms) // (2 * self.measured_ms) for one in self.sum_ma_ms
        )
        return Phases(l1, l2, l3)


class Pause(msgspec.Struct, frozen=True):
    """A time in which a session got nothing, or took nothing. Times are UTC."""

    began: str
    ended: str | None  # None: it lasts
    code: str  # the plan's reason (model/plan.py), or `car_not_asking`: the car paused itself
    group: str = ""  # the group whose limit it was, if one


class SessionRow(msgspec.Struct, frozen=True):
    """A transaction as every list and file shows it. Times are UTC, energy is Wh."""

    id: int
    charger: str
    name: str  # friendly name then
    connector: int
    tag: str
    started: str
    ended: str | None
    duration_s: int  # between whole seconds; of one that runs: until now
    energy_wh: int
    finished: bool
    reason: str | None
    authorised_by: str
    csms_id: int | None
    incomplete: bool  # a stop whose start nobody knows (trust.md C18)
    flagged: bool  # its register went back or jumped (trust.md C12)
    current_max_ma: Phases | None = None  # on the site's phases; None: it was not watched
    current_mean_ma: Phases | None = None
    paused_s: int | None = None  # of one that runs: up to a minute ago


class SessionSums(msgspec.Struct, frozen=True):
    """The whole selection in two numbers."""

    count: int
    energy_wh: int


class SessionPage(msgspec.Struct, frozen=True):
    """A page of the selection. `sums` on its first page alone; `next` None: there is no more."""

    rows: tuple[SessionRow, ...]
    next: str | None
    sums: SessionSums | None
    since: str | None
    until: str | None
    time_zone: str


class Sample(msgspec.Struct, frozen=True):
    """An energy register of a transaction, as it came."""

    at: str
    register_wh: int


class Measured(msgspec.Struct, frozen=True):
    """A transaction with its registers, the newest of each quarter of an hour."""

    row: SessionRow
    meter_start_wh: int
    samples: tuple[Sample, ...] = ()


class Interval(msgspec.Struct, frozen=True):
    """Energy within a piece of time that begins at `at_s`, seconds since 1970."""

    at_s: int
    wh: int
    estimated: bool  # interpolated: no register was read at one of its ends


class Quarter(msgspec.Struct, frozen=True):
    """Energy within the 15 minutes that begin at `at` (UTC)."""

    at: str
    wh: int
    estimated: bool


class SessionDetail(msgspec.Struct, frozen=True):
    """One transaction with its 15-minute energies and its pauses, oldest first."""

    row: SessionRow
    meter_start_wh: int
    meter_last_wh: int
    quarters: tuple[Quarter, ...]
    pauses: tuple[Pause, ...] = ()


class OfSite(msgspec.Struct, frozen=True):
    """What files need to know of the site as it is set now."""

    time_zone: str = "UTC"
    phases: dict[str, int] = {}  # by charger
    nmis: dict[str, str] = {}  # those set by hand, by charger


class Choices(msgspec.Struct, frozen=True):
    """How a file is to be written. `separator` and the like concern the two CSV files alone."""

    separator: str = ","
    decimal: str = "."
    bom: bool = False
    minutes: int = 15  # of NEM12: 5, 15 or 30
    market_offset_min: int = 600  # of NEM12: the market's time is UTC+10, the whole year
