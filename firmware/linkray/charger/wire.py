"""The words between a link's core and its task: what comes in, what should be done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from linkray.model.asks import (
    ActAtCharger,
    Answer,
    AskDiagnostics,
    ChangeKey,
    ReadConfiguration,
    StartCharging,
    StopCharging,
    TellFirmware,
    TellPassword,
)
from linkray.model.facts import AnyFact
from linkray.model.faults import Cleared, Raised
from linkray.model.passport import Passport
from linkray.model.plan import Offer
from linkray.model.records import (
    AnyRecord,
    Outgoing,
    PassportFound,
    TagAccepted,
    TransactionSampled,
)
from linkray.model.settings import Charger
from linkray.model.tags import Decision
from linkray.model.uplink import FromUplink, ToUplink
from linkray.model.views import ChargerView

CONNECTORS_MAX = 64  # of one charger; what says it has more is not believed


class MayCharge(Protocol):
    """The pure function of `access/tags.py`, with the newest settings already in it."""

    def __call__(self, tag: str, *, by_hand: bool) -> Decision: ...


def _always(_charger: str) -> bool:
    return True


def _nothing(_charger: str) -> None:
    return None


def _all(_charger: str, _connectors: int) -> int:
    return CONNECTORS_MAX


class Surroundings(msgspec.Struct, frozen=True):
    """What a link is handed of the house: pure functions and readings, no doors of its own."""

    wall: Callable[[float], datetime]  # monotonic seconds to UTC
    may_charge: MayCharge
    take_transaction_id: Callable[[], int]
    planned_at: Callable[[], float]  # when the newest plan came; none is made: no lease is renewed
    passport: Callable[[str, str, str], Passport] = Passport  # of a vendor, model and firmware
    may_probe: Callable[[str], bool] = _always  # one charger of the site at a time
    probed: Callable[[str], None] = _nothing  # it has ended
    # a charger has shown so many connectors, which count from now on: how many have a place
    found: Callable[[str, int], int] = _all
    is_vip: Callable[[str], bool] = lambda _tag: False  # of a session found running in the store
    take_queue_number: Callable[[], int] = lambda: 0  # of a message for the CSMS
    # what of a charger's MeterValues the CSMS wants at this time; None: nothing
    for_csms: Callable[[str, bytes, float], bytes | None] = lambda _charger, payload, _now: payload


class Terms(msgspec.Struct, frozen=True):
    """What the settings and the licence say for one charger."""

    charger: Charger
    interval_s: int = 10  # the measurand interval
    dead_man_s: int = 180
    voltage_mv: int = 230_000
    split_mode: str = "off"
    offline_allowed: bool = True  # LocalAuthorizeOffline: it may charge without LinkRay
    kept: bool = True  # it is in the settings: what it says of itself is written down
    adopted: bool = True  # False: it waits for an installer, is told 0 A and starts no session
    places: int = CONNECTORS_MAX  # connectors the licence has room for, the lowest numbers first
    probe: bool = False  # what only a trial shows may be tried in a first session (probe.py)
    csms: str = ""  # the address of its uplink; empty: LinkRay decides alone


# what comes in


class Opened(msgspec.Struct, frozen=True):
    """The link stands."""


class Received(msgspec.Struct, frozen=True):
    """A text frame came."""

    text: str


class Garbage(msgspec.Struct, frozen=True):
    """Something that is not even a text frame came."""

    text: str


class Wanted(msgspec.Struct, frozen=True):
    """The balancer's newest offers for connectors of this charger, those that changed."""

    offers: tuple[Offer, ...]


Wish = (
    StartCharging | StopCharging | ReadConfiguration | ChangeKey | ActAtCharger | TellFirmware
    | AskDiagnostics | TellPassword
)  # fmt: skip


class Command(msgspec.Struct, frozen=True):
    """A person's wish; answered by `Reply` with the same id."""

    ask: Wish
    reply_id: int


class TermsNow(msgspec.Struct, frozen=True):
    """The settings or the licence have changed for this charger."""

    terms: Terms


class Emergency(msgspec.Struct, frozen=True):
    """The emergency stop was set or cleared."""

    on: bool


class Retell(msgspec.Struct, frozen=True):
    """The balancer began anew and knows nothing: tell it what stands."""


class PassportNow(msgspec.Struct, frozen=True):
    """Its make's passport has changed: by another charger, an import, or a person's wish."""

    passport: Passport
    again: bool = False  # it is to be probed anew


class Gone(msgspec.Struct, frozen=True):
    """The link has ended."""

    reason: str


Item = (
    Opened | Received | Garbage | Wanted | Command | TermsNow | Emergency | Retell | PassportNow
    | Gone | FromUplink
)  # fmt: skip


# what should be done


class Record(msgspec.Struct, frozen=True):
    """On disk before anything that follows is done."""

    records: tuple[AnyRecord, ...]


class Later(msgspec.Struct, frozen=True):
    """On disk with the next commit: what nobody's answer waits for (decided.md)."""

    samples: tuple[TransactionSampled | TagAccepted | PassportFound, ...]


class Send(msgspec.Struct, frozen=True):
    """A text frame to the charger."""

    text: str


class Up(msgspec.Struct, frozen=True):
    """To the charger's uplink, without waiting."""

    item: ToUplink


class Gather(msgspec.Struct, frozen=True):
    """On disk within a second, with what others have for it; then `then`. Nothing else waits, but
    what goes up after it. `full`: what is done where there is no room; `failed`: where the disk
    does not take it.
    """

    records: tuple[Outgoing, ...]
    then: tuple[Up | Send, ...]
    full: tuple[Send, ...]
    failed: tuple[Send, ...]


class Tell(msgspec.Struct, frozen=True):
    """A fact to the balancer, without waiting."""

    fact: AnyFact


class View(msgspec.Struct, frozen=True):
    """What is shown of the charger from now on."""

    view: ChargerView


class Reply(msgspec.Struct, frozen=True):
    """The answer to a `Command`."""

    reply_id: int
    answer: Answer


class Presented(msgspec.Struct, frozen=True):
    """A tag was held to its reader, its bytes in the site's order: whoever learns may have it."""

    tag: str


class Introduced(msgspec.Struct, frozen=True):
    """It has said who it is, readably: from now on it may be adopted."""


class Progress(msgspec.Struct, frozen=True):
    """How its `firmware` update goes, or the upload of its `diagnostics`, in its own word."""

    about: Literal["firmware", "diagnostics"]
    status: str


class Close(msgspec.Struct, frozen=True):
    """End the link, with a WebSocket close code."""

    code: int
    reason: str


class Note(msgspec.Struct, frozen=True):
    """A line for the log."""

    text: str
    fields: dict[str, str | int] = {}
    level: Literal["info", "warning", "error"] = "info"


Out = (
    Record | Gather | Later | Send | Tell | View | Reply | Up | Presented | Introduced | Close
    | Note | Raised | Cleared | Progress
)
