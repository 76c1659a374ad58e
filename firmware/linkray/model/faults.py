"""Named conditions with a bit, a text, an owner and something to do (board.md, LED; house.md)."""

from __future__ import annotations

from enum import Enum

import msgspec


class FaultKind(msgspec.Struct, frozen=True):
    """What a fault means: BMS bit, who raises and clears it, what an installer reads and does."""

    bit: int
    owner: str
    text: str
    cure: str
    page: str  # the page of the cure


class Code(Enum):
    """Every fault LinkRay knows. Bits 0 to 3 are the manual's (28, register 1014)."""

    CSMS = FaultKind(0, "csms", "CSMS configured but not connected",
                     "Check the CSMS address and the route to the internet", "configuration")
    METER = FaultKind(1, "meter", "Meter configured but not read",
                      "Check the meter's wiring, address and baud rate", "configuration")
    CHARGER_OFFLINE = FaultKind(2, "charger", "A configured charger is not connected",
                                "Check its power and network, or delete it", "chargers")
    EMERGENCY_STOP = FaultKind(3, "balance", "Emergency stop",
                               "Allow charging again when it is safe", "info")
    LICENCE = FaultKind(4, "charger", "More connectors than the licence allows",
                        "Import a larger licence, or delete a charger", "chargers")
    NOT_OBEYING = FaultKind(5, "balance", "A charger draws more than it was offered",
                            "Check the charger's own load management and firmware", "chargers")
    NOT_CONTROLLABLE = FaultKind(6, "balance", "A charger refuses every profile",
                                 "Check its smart charging settings and firmware", "chargers")
    SITE_OVERLOADED = FaultKind(7, "balance", "The building alone is over the site's limit",
                                "Reduce the building's load or raise the limit", "configuration")
    STORAGE = FaultKind(8, "store", "Storage nearly full or set aside",
                        "Download the records and make room", "admin")
    CLOCK = FaultKind(9, "app", "The clock is not set",
                      "Check the time servers on the Network page", "network")
    CERTIFICATE = FaultKind(10, "faces", "A certificate expires within 30 days",
                            "Upload a new certificate", "security")
    UPDATE = FaultKind(11, "upkeep", "The last update failed", "See the Admin page", "admin")
    QUEUE = FaultKind(12, "store", "The queue to the CSMS is full",
                      "Restore the line to the CSMS", "configuration")
    DEFAULT_PASSWORD = FaultKind(13, "access", "The printed password is still in use",
                                 "Sign in as Assembler and set passwords", "security")
    SENSOR = FaultKind(14, "charger", "A charger sends meter values that cannot be true",
                       "Check the charger's meter settings and firmware", "chargers")
    SAFE_MODE = FaultKind(15, "app", "Safe mode after repeated restarts: fail-safe offers only",
                          "Download the support bundle and call support", "admin")
    FAIL_SAFE = FaultKind(16, "app", "The fail-safe currents exceed the engineering ceiling",
                          "Lower the chargers' fallback currents or the declared base load",
                          "configuration")
    METER_DOUBT = FaultKind(17, "meter", "The meter does not fit what the chargers draw",
                            "Check the meter's transformers, file and location", "configuration")
    CSMS_PASSWORD = FaultKind(18, "csms", "A password for a CSMS without TLS",
                              "Use an address that begins with wss://", "configuration")
    DELIVERY = FaultKind(19, "records", "Charge data records could not be delivered",
                         "See Transactions, Delivery", "transactions")


class Fault(msgspec.Struct, frozen=True):
    """A fault as everyone sees it; `since` is UTC. `subject` names the charger, if any, `detail`
    tells more of the cause; `text` holds both.
    """

    code: str
    bit: int
    text: str
    since: str
    cure: str
    page: str = ""
    subject: str | None = None
    detail: str = ""

    @classmethod
    def of(cls, code: Code, since: str, subject: str | None = None, detail: str = "") -> Fault:
        kind = code.value
        text = kind.text if subject is None else f"{kind.text}: {subject}"
        if detail:
            text = f"{text} ({detail})"
        return cls(code.name.lower(), kind.bit, text, since, kind.cure, kind.page, subject,
                   detail)  # fmt: skip


class Raised(msgspec.Struct, frozen=True):
    """What a core says when a condition begins; `app.py` puts it where everyone sees it."""

    code: Code
    subject: str | None = None
    detail: str = ""


class Cleared(msgspec.Struct, frozen=True):
    """What a core says when it is over."""

    code: Code
    subject: str | None = None


def key(code: Code, subject: str | None = None) -> str:
    """Under which a fault is raised and cleared in `kit.cell.Flags`."""
    return code.name.lower() if subject is None else f"{code.name.lower()}:{subject}"


class Alert(msgspec.Struct, frozen=True):
    """A fault with its beginning and its end, as the history keeps it. Times are UTC.

    What comes again within a minute of its end is the same alert once more: `times`.
    """

    id: int
    code: str
    bit: int
    text: str  # as it was told last
    since: str
    cleared: str | None = None  # None: it is open
    times: int = 1
    subject: str | None = None
    seen_by: str = ""  # who has said that it was seen; empty: nobody yet
    seen_at: str = ""
    detail: str = ""  # more of its cause, as it was told last
