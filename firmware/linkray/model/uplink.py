"""What passes between a charger's link and its uplink (csms.md), in the words of both rooms."""

from __future__ import annotations

import msgspec

from .records import Outgoing

OWNED = (  # configuration keys of a charger that LinkRay writes (chargers.md, Commissioning 3)
    "AuthorizationCacheEnabled", "AuthorizeRemoteTxRequests", "AllowOfflineTxForUnknownId",
    "LocalAuthorizeOffline", "MeterValueSampleInterval", "MeterValuesSampledData",
    "StopTxnSampledData",
)  # fmt: skip


class Boot(msgspec.Struct, frozen=True):
    """What the charger says it is; said to the CSMS at the beginning of each uplink."""

    payload: bytes


class Status(msgspec.Struct, frozen=True):
    """A connector's newest StatusNotification, as the charger wrote it; 0: the whole charger."""

    connector: int
    payload: bytes
    call_id: str = ""


class Passed(msgspec.Struct, frozen=True):
    """A call of the charger for the CSMS. `waits`: its answer is to come back as `Answered`."""

    call_id: str
    action: str
    payload: bytes
    waits: bool = False


class Message(msgspec.Struct, frozen=True):
    """A message of a transaction. `stored`: it is on disk; else it is to be kept where the CSMS
    does not answer it. Its place among the others is `outgoing.number`.
    """

    outgoing: Outgoing
    stored: bool = True


class Replied(msgspec.Struct, frozen=True):
    """The charger's answer to a call of the CSMS; `payload` None: a CALLERROR of these words."""

    call_id: str
    payload: bytes | None
    code: str = "GenericError"
    text: str = ""


class Here(msgspec.Struct, frozen=True):
    """The charger is connected, or not; `authorization`: the header it came with."""

    here: bool
    authorization: str = ""


class Given(msgspec.Struct, frozen=True):
    """What the charger was told to call a transaction."""

    number: int
    at_charger: int


class SessionNow(msgspec.Struct, frozen=True):
    """A session runs on a connector since then (UTC, ISO 8601), by LinkRay's number."""

    connector: int
    number: int
    since: str
    tag: str


class SessionOver(msgspec.Struct, frozen=True):
    """It has ended."""

    connector: int
    number: int


ToUplink = Boot | Status | Passed | Message | Replied | Here | Given | SessionNow | SessionOver


class Live(msgspec.Struct, frozen=True):
    """Whether the CSMS answers now, and all that was kept has reached it."""

    live: bool


class Answered(msgspec.Struct, frozen=True):
    """What the CSMS says to a `Passed`, or to a message of a transaction.

    `payload` None with a code: its CALLERROR; None without: it says nothing, LinkRay decides.
    `transaction`: LinkRay's number of it, where the call was a StartTransaction or a stop.
    """

    call_id: str
    payload: bytes | None = None
    code: str = ""
    text: str = ""
    transaction: int = 0


class Asks(msgspec.Struct, frozen=True):
    """A call of the CSMS to the charger; answered by `Replied` with the same id."""

    call_id: str
    action: str
    payload: bytes


class Introduce(msgspec.Struct, frozen=True):
    """An uplink begins and knows nothing: who the charger is, and how it stands."""


FromUplink = Live | Answered | Asks | Introduce
