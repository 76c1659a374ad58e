"""What has happened: frozen facts, tagged, so that a recorded day replays.

Times called `at` are monotonic seconds of this process (Trio's clock). Currents are on the phases
of the site.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from linkray.model.settings import Charger, Settings
from linkray.model.units import Phases

Status = Literal[
    "Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing", "Reserved",
    "Unavailable", "Faulted",
]  # fmt: skip  # OCPP 1.6, ChargePointStatus
Source = Literal["phases", "total", "power", "energy", "assumed"]  # the ladder of chargers.md


class Fact(msgspec.Struct, frozen=True, tag_field="fact"):
    """Something that has happened; flows to the balancer's inbox."""


class MeterRead(Fact, frozen=True, tag=True):
    """A good reading of the site meter (metering.md, Reading). Export is negative."""

    current_ma: Phases
    voltage_mv: tuple[int | None, int | None, int | None]
    at: float
    phases_read: tuple[bool, bool, bool] = (True, True, True)  # a missing one is degraded (M8)


class MeterLost(Fact, frozen=True, tag=True):
    """The meter is failed: its last good reading is older than 5 s, or there never was one."""

    at: float


class MeterBack(Fact, frozen=True, tag=True):
    """The meter is healthy again after 5 good polls in a row."""

    at: float


class MeterSees(Fact, frozen=True, tag=True):
    """What the meter was seen to see: whether it follows the chargers (trust.md M15).

    `building`: their changes do not show on it, so what they draw comes on top of it.
    """

    location: Literal["grid", "building"]
    at: float


class ChargerKnown(Fact, frozen=True, tag=True):
    """A charger's connectors (1…n), from the store at start or from the charger itself."""

    charger: str
    connectors: tuple[int, ...]
    least_ma: int = 0  # what its make charges with at least, as far as that is known …
    least_w: int = 0  # … and in watts: less is 0 to it (trust.md C7)
    takes_zero: bool = True  # False: it must not be told 0, only a stop brings it there
    inoperative: tuple[int, ...] = ()  # connectors put out of service (INV-10)
    deleted: Charger | None = None  # what it was, where it was deleted as it charged (C25)


class LinkUp(Fact, frozen=True, tag=True):
    """A charger's link stands: its limits are unknown until it has answered for them."""

    charger: str
    at: float


class LinkLost(Fact, frozen=True, tag=True):
    """A charger's link is gone; what it may draw is not. `lease_s`: what one that nobody adopted
    was told lasts so much longer, as a balancer before this one knew (0: as its offers say).
    """

    charger: str
    at: float
    lease_s: float = 0.0


class LinkSilent(Fact, frozen=True, tag=True):
    """A charger leaves our calls unanswered while its link stands: nobody may count on it to come
    down. `since` is when the first of them was sent; None: it has answered again.
    """

    charger: str
    since: float | None
    at: float


class Booted(Fact, frozen=True, tag=True):
    """A BootNotification on a standing link: its limits may be forgotten (trust.md C16)."""

    charger: str
    at: float


class StatusSeen(Fact, frozen=True, tag=True):
    """A connector's status, fresh from the charger."""

    charger: str
    connector: int
    status: Status
    at: float


class SessionBegan(Fact, frozen=True, tag=True):
    """A transaction runs on this connector (also: found running in the store after a restart)."""

    charger: str
    connector: int
    transaction_id: int
    tag: str
    at: float
    order: float = 0.0  # UTC seconds of its start: the order of FIFO, also across a restart
    vip: bool = False
    found: bool = False  # it ran before we knew: what it draws is not known yet


class SessionEnded(Fact, frozen=True, tag=True):
    """The transaction on this connector has ended."""

    charger: str
    connector: int
    transaction_id: int
    at: float


class Drawn(Fact, frozen=True, tag=True):
    """What a connector draws, by the ladder of chargers.md. `phases_known`: it said so by phase."""

    charger: str
    connector: int
    current_ma: Phases
    source: Source
    at: float
    energy_wh: int | None = None
    over_s: float = 0.0  # of so long before `at` (a register's slope, a value that waited) …
    coarse_s: float = 0.0  # … of which so much may be its stamp's alone, in whole minutes


class OfferAnswered(Fact, frozen=True, tag=True):
    """What became of an offer on the wire.

    `accepted`: the charger has taken it; `rejected`: it refused this value in every form it knows;
    `unknown`: no answer, a CALLERROR or a broken socket, so that old and new may be in force;
    `sent`: it goes out in a form that may write over what rules without a session (`as_default`).
    `leased`: the profile that was accepted falls back by itself (the dead-man's second period),
    after `lease_s` (0: the site's dead-man time) and to `fallback_ma` per phase; where that is not
    leased it comes as the charger's own clock says. `as_default`: it was told by a profile that
    outlasts the session (TxDefaultProfile, ChargePointMaxProfile).
    """

    charger: str
    connector: int
    offer_id: int
    outcome: Literal["accepted", "rejected", "unknown", "sent"]
    at: float
    leased: bool = False
    lease_s: int = 0
    fallback_ma: int = 0
    as_default: bool = False


class LeaseProven(Fact, frozen=True, tag=True):
    """Whether the charger was seen to step down by itself when its lease ran out (trust.md 1, P 5).

    Told by its passport, also at start; until then no lease is credited to it. `is_proven` False:
    it was seen not to, or its firmware has changed.
    """

    charger: str
    at: float
    is_proven: bool = True


class EtaLearned(Fact, frozen=True, tag=True):
    """What part of its power a charger in watts passes on, in 1/1000: the lowest of each of its
    newest sessions (decided.md, DC efficiency). The balancer tells it when a session has shown it,
    and is told it again at start.
    """

    charger: str
    sessions: tuple[int, ...]
    at: float


class OperativeAsked(Fact, frozen=True, tag=True):
    """A person asks for a connector that was taken out of service for not obeying (INV-10)."""

    charger: str
    connector: int
    at: float


class CsmsBound(Fact, frozen=True, tag=True):
    """What the CSMS's profiles allow a connector at the most (csms.md, Passing through).

    `connector` 0: all connectors of the charger together. None: nothing is said of amps on each
    phase, or of watts in all.
    """

    charger: str
    connector: int
    at: float
    limit_ma: int | None = None
    limit_w: int | None = None


class ObeyTimeKnown(Fact, frozen=True, tag=True):
    """How soon this charger was seen to obey in earlier sessions (its passport), in seconds."""

    charger: str
    obey_s: float
    at: float


class ClockTold(Fact, frozen=True, tag=True):
    """The wall clock: UTC seconds since 1970 at monotonic `at`; told at start, each minute and
    when it was set. Before the first one, and while `is_set` is False, the time is not known.
    """

    utc_s: float
    at: float
    is_set: bool = True


class CeilingSealed(Fact, frozen=True, tag=True):
    """The engineering ceiling that the installer sealed (balancing.md); None: not sealed."""

    limit_ma: Phases | None
    at: float


class SettingsChanged(Fact, frozen=True, tag=True):
    """The settings are now these, whole."""

    settings: Settings


class EmergencyStopped(Fact, frozen=True, tag=True):
    """The emergency stop was set or cleared; latched in the store before this is told."""

    on: bool
    by: str
    at: float


AnyFact = (
    MeterRead | MeterLost | MeterBack | MeterSees | ChargerKnown | LinkUp | LinkLost | LinkSilent
    | Booted | StatusSeen | SessionBegan | SessionEnded | Drawn | OfferAnswered | LeaseProven
    | ObeyTimeKnown | EtaLearned | OperativeAsked | ClockTold | CeilingSealed | SettingsChanged
    | EmergencyStopped | CsmsBound
)  # fmt: skip
