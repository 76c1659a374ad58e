"""What a person asks of one charger beside sessions: its keys, restarts, cables, messages, files
(chargers.md, Sessions). Pure: an ask becomes a call, the charger's answer becomes ours.

Nothing is pretended: what a charger has said is told in its own word, and what it has not said is a
timeout.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

import msgspec

from linkray.kit.secret import NAMED
from linkray.model.asks import (
    ActAtCharger,
    Answer,
    AskDiagnostics,
    ChangeKey,
    ReadConfiguration,
    TellFirmware,
    TellPassword,
)
from linkray.model.uplink import OWNED
from linkray.model.views import ChargerKey, ChargerSaid
from linkray.ocpp.lenient import Unreadable, read_as
from linkray.ocpp.messages import (
    ChangeAvailability,
    ChangeConfiguration,
    ClearCache,
    GetConfiguration,
    GetConfigurationResponse,
    Payload,
    Reset,
    TriggerMessage,
    UnlockConnector,
)
from linkray.ocpp.messages import GetDiagnostics as DiagnosticsAsked
from linkray.ocpp.messages import UpdateFirmware as FirmwareTold
from linkray.ocpp.peer import Answered, Failed

AnyErrand = (
    ReadConfiguration | ChangeKey | ActAtCharger | TellFirmware | AskDiagnostics | TellPassword
)

KEY_CHARS_MAX, VALUE_CHARS_MAX = 50, 500  # OCPP 1.6, 7.29
PASSWORD = "AuthorizationKey"  # noqa: S105 - the key's name
#: Keys that nobody changes here: those LinkRay writes, and the password that both must know.
OURS = frozenset(key.lower() for key in (*OWNED, PASSWORD))
DONE = {"Accepted", "RebootRequired", "Scheduled", "Unlocked"}


class Call(NamedTuple):
    """A call to the charger, in OCPP's words."""

    action: str
    payload: Payload


def call_of(
    ask: AnyErrand, connectors: Collection[int], out_of_service: Collection[int]
) -> Call | Answer:
    """The call that carries this ask, or why there is none.

    `out_of_service`: connectors that LinkRay itself has taken out because they did not obey; they
    go back by its own word alone (trust.md INV-10).
    """
    match ask:
        case ReadConfiguration():
            return Call("GetConfiguration", GetConfiguration())
        case ChangeKey(_, key, value):
            call = Call("ChangeConfiguration", ChangeConfiguration(key, value))
            return _unfit(key, value) or call
        case TellPassword(_, password):
            return Call("ChangeConfiguration", ChangeConfiguration(PASSWORD, password))
        case TellFirmware(_, location, at):
            return Call("UpdateFirmware", FirmwareTold(location, at))
        case AskDiagnostics(_, location):
            return Call("GetDiagnostics", DiagnosticsAsked(location))
        case ActAtCharger():
            return _act(ask, connectors, out_of_service)


def _unfit(key: str, value: str) -> Answer | None:
    """Why a key is not written."""
    if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isprintable():
        return Answer(False, "invalid", f"Expected a key of 1 to {KEY_CHARS_MAX} characters")
    if len(value) > VALUE_CHARS_MAX or not value.isprintable():
        words = f"Expected at most {VALUE_CHARS_MAX} printable characters, got {len(value)}"
        return Answer(False, "invalid", words)
    if key.lower() in OURS:
        return Answer(False, "refused", f"{key} is LinkRay's own: it needs it as it is")
    return None


def _act(
    ask: ActAtCharger, connectors: Collection[int], out_of_service: Collection[int]
) -> Call | Answer:
    number = ask.connector
    if number and number not in connectors:
        return Answer(False, "unknown", f"{ask.charger} has no connector {number}")
    match ask.act:
        case "reset_soft" | "reset_hard":
            return Call("Reset", Reset("Hard" if ask.act == "reset_hard" else "Soft"))
        case "unlock":
            if not number:
                return Answer(False, "invalid", "Expected a connector from 1 on")
            return Call("UnlockConnector", UnlockConnector(number))
        case "clear_cache":
            return Call("ClearCache", ClearCache())
        case "trigger":
            return Call("TriggerMessage", TriggerMessage(ask.message, number or None))
        case "operative" | "inoperative":
            ours = [n for n in out_of_service if number in (0, n)]
            if ours and ask.act == "operative":
                words = (f"LinkRay has taken connector {ours[0]} out of service, for it drew more "
                         "than it was told; Start charging there puts it back")  # fmt: skip
                return Answer(False, "refused", words)
            kind: Literal["Operative", "Inoperative"] = (
                "Operative" if ask.act == "operative" else "Inoperative"
            )
            return Call("ChangeAvailability", ChangeAvailability(number, kind))


def told(ask: AnyErrand, event: Answered | Failed) -> Answer:
    """What a person is told of it."""
    if isinstance(event, Failed):
        if event.code == "timeout":
            return Answer(False, "timeout", "The charger did not answer")
        return Answer(False, "failed", f"The charger could not be asked: {event.text}")
    if isinstance(ask, ReadConfiguration):
        return _keys(event.result)
    if isinstance(ask, TellFirmware | AskDiagnostics):  # their answers say nothing but that it came
        return _said("Accepted")
    status = status_of(event.result)
    if status is None:
        return Answer(False, "failed", "The charger answered what cannot be read")
    if status not in DONE:
        return Answer(False, "refused", f"The charger answered {status}")
    return _said(status)


def _said(status: str) -> Answer:
    text = f"The charger answered {status}"
    data = msgspec.Raw(msgspec.json.encode(ChargerSaid(status, text)))
    return Answer(True, text=text, data=data)


class _Status(msgspec.Struct):
    status: str


def status_of(result: msgspec.Raw) -> str | None:
    """The status of an answer, at most as long as OCPP's longest; None: it cannot be read."""
    try:
        return msgspec.json.decode(result, type=_Status).status[:20]
    except msgspec.DecodeError:
        return None


def keys_told(result: msgspec.Raw) -> dict[str, str | None]:
    """What a readable GetConfiguration answer says of every key."""
    answer, _deviations = read_as(GetConfigurationResponse, result)
    return {one.key: one.value for one in answer.configuration_key}


def _keys(result: msgspec.Raw) -> Answer:
    try:
        answer, _deviations = read_as(GetConfigurationResponse, result)
    except Unreadable as unreadable:
        words = f"The charger's answer cannot be read: {unreadable.text}"
        return Answer(False, "failed", words)
    keys = [
        ChargerKey(
            one.key, None if NAMED.search(one.key) else one.value, one.readonly,
            ours=one.key.lower() in OURS, secret=bool(NAMED.search(one.key)),
        )
        for one in answer.configuration_key
    ]  # fmt: skip
    return Answer(True, data=msgspec.Raw(msgspec.json.encode(keys)))
