"""The words between an uplink's core and its task: what comes in, what should be done about it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from linkray.model.facts import CsmsBound
from linkray.model.faults import Cleared, Raised
from linkray.model.records import Delivered, IdLearned, Outgoing, SetAside, UplinkKept
from linkray.model.uplink import FromUplink, ToUplink

from .bounds import Wired


class Terms(msgspec.Struct, frozen=True):
    """What the settings say of one charger's uplink; an empty address: none."""

    url: str = ""
    prefix: str = ""
    password: str = ""
    ca: str = ""  # PEM of the authority that is trusted; empty: the system's
    authorization: str = ""  # the charger's own header, passed on where no password is set
    in_clear: bool = False  # either goes also where there is no TLS (trust.md A39)
    wired: Wired = Wired()


# what comes in


class TermsNow(msgspec.Struct, frozen=True):
    """The settings have changed."""

    terms: Terms


class PasswordNow(msgspec.Struct, frozen=True):
    """A person has given the uplink's password; empty: none."""

    password: str


class Linked(msgspec.Struct, frozen=True):
    """The link to the CSMS stands."""


class NotLinked(msgspec.Struct, frozen=True):
    """It could not be had; why, in words."""

    why: str


class Ended(msgspec.Struct, frozen=True):
    """It has ended; why, in words."""

    why: str


class Received(msgspec.Struct, frozen=True):
    """A text frame of the CSMS."""

    text: str


class Settled(msgspec.Struct, frozen=True):
    """What was to be settled is on disk, or the disk does not take it."""

    is_kept: bool


class Loaded(msgspec.Struct, frozen=True):
    """Kept messages as asked for by `Load`, in their order; `more`: there are others after them."""

    messages: tuple[Outgoing, ...]
    more: bool


class Thinned(msgspec.Struct, frozen=True):
    """Kept messages of these numbers are no more: there was no room (csms.md, Offline)."""

    numbers: frozenset[int]


class AsideGone(msgspec.Struct, frozen=True):
    """So many of those that were set aside are removed, or wait again."""

    count: int


class Overrun(msgspec.Struct, frozen=True):
    """More came than was taken in: the link knows that LinkRay decides, until all is said."""


Item = (
    ToUplink | TermsNow | PasswordNow | Linked | NotLinked | Ended | Received | Loaded | Thinned
    | AsideGone | Overrun | Settled
)  # fmt: skip


# what should be done


class Dial(msgspec.Struct, frozen=True):
    """Open the link; `Linked` or `NotLinked` is to come."""

    terms: Terms


class HangUp(msgspec.Struct, frozen=True):
    """Close it; `Ended` is to come."""

    why: str


class Send(msgspec.Struct, frozen=True):
    """A text frame to the CSMS."""

    text: str


class Load(msgspec.Struct, frozen=True):
    """Read kept messages after this number; `Loaded` is to come."""

    after: int


class Keep(msgspec.Struct, frozen=True):
    """On disk before anything that follows is done."""

    records: tuple[Outgoing | SetAside | UplinkKept, ...]


class Settle(msgspec.Struct, frozen=True):
    """Something the CSMS wishes and is to be answered: on disk, or not. `Settled` is to come before
    anything else does.
    """

    record: UplinkKept


class Later(msgspec.Struct, frozen=True):
    """On disk within the minute: what is lost of it is said to the CSMS once more, identically."""

    records: tuple[Delivered | IdLearned, ...]


class ToLink(msgspec.Struct, frozen=True):
    """To the charger's link, without waiting."""

    item: FromUplink


class Tell(msgspec.Struct, frozen=True):
    """A fact to the balancer, without waiting."""

    fact: CsmsBound


class TimeSaid(msgspec.Struct, frozen=True):
    """What time it is by the CSMS: a box that has none of its own goes by it (trust.md T1)."""

    utc: datetime


class Seen(msgspec.Struct, frozen=True):
    """What is shown of the uplink from now on."""

    state: Literal["off", "away", "waits", "behind", "live"]
    text: str
    waiting: int
    set_aside: int
    attempts: int = 0  # to connect, since it was connected last
    next_at: float | None = None  # monotonic; None: none is due


class Note(msgspec.Struct, frozen=True):
    """A line for the log."""

    text: str
    fields: dict[str, str | int] = {}
    level: Literal["info", "warning"] = "info"


Out = (
    Dial | HangUp | Send | Load | Keep | Settle | Later | ToLink | Tell | TimeSaid | Seen | Note
    | Raised | Cleared
)
