"""Commissioning a charger (chargers.md, Commissioning 2 to 5), as steps that read as the chapter.

A generator: it yields what should be done and is sent what came of it. Knows no ids, no time; it
goes on whatever the charger answers, or does not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import msgspec

from linkray.ocpp.lenient import Unreadable, read_as
from linkray.ocpp.messages import (
    ChangeConfiguration,
    ChangeConfigurationResponse,
    ClearChargingProfile,
    GetConfiguration,
    GetConfigurationResponse,
    Payload,
    TriggerMessage,
)

from .profiles import Ability, cleared, rate_units
from .quirks import Quirk
from .wire import CONNECTORS_MAX, Terms

MEASURANDS = (
    "Current.Import", "Energy.Active.Import.Register", "Power.Active.Import", "Voltage",
    "Current.Offered", "SoC",
)  # fmt: skip  # chargers.md, Commissioning 3: the richest list, dropped from its end
MEASURANDS_MIN = 2
SILENCES_MAX = 2  # calls in a row without an answer, after which the rest of step 3 is left out
P = TypeVar("P", bound=Payload)


class Ask(msgspec.Struct, frozen=True):
    """A call to the charger; its outcome is sent back."""

    action: str
    payload: Payload

    @property
    def clears(self) -> bool:
        """Whether it takes profiles away: some makes drop all, whatever it names."""
        return isinstance(self.payload, ClearChargingProfile)


class Outcome(msgspec.Struct, frozen=True):
    """What came of a call: the answer, or why there is none."""

    result: msgspec.Raw | None
    why: str = ""  # timeout, callerror, gone …; the CALLERROR's words


class Say(msgspec.Struct, frozen=True):
    """A line for the charger's page; one with the same `about` is replaced."""

    about: str
    text: str


class Learned(msgspec.Struct, frozen=True):
    """What the charger has said of itself."""

    ability: Ability
    connectors: int | None  # None: it did not say
    configuration: dict[str, str | None]


class Ready(msgspec.Struct, frozen=True):
    """From now on every connector may be told its offer."""


Step = Ask | Say | Learned | Ready
Steps = Generator[Step, Outcome | None, int]  # returns how many calls in a row were not answered


def commissioning(
    terms: Terms,
    quirk: Quirk,
    *,
    connectors: Callable[[], tuple[int, ...]],
    told: Callable[[], frozenset[int]],
    may_clear: Callable[[], bool],
    status_unknown: Callable[[], tuple[int, ...]],
) -> Steps:
    """Steps 2 to 5. `told`: the ids of profiles that were told on this link already, of which
    nothing old is left. `may_clear`: no session could lose its limit by it.
    """
    known: dict[str, tuple[str | None, bool]] = {}
    outcome = yield Ask("GetConfiguration", GetConfiguration())
    answer = _read(GetConfigurationResponse, outcome)
    ability = Ability()
    if answer is None:
        yield Say("GetConfiguration", f"GetConfiguration: {_why(outcome)}")
    else:
        known = {key.key.lower(): (key.value, key.readonly) for key in answer.configuration_key}
        ability = _ability(known)
        said = _number(known, "numberofconnectors")
        yield Learned(
            ability,
            said if said is not None and 1 <= said <= CONNECTORS_MAX else None,
            {key.key: key.value for key in answer.configuration_key},
        )
        features = known.get("supportedfeatureprofiles", ("", True))[0] or ""
        if features and "smartcharging" not in features.lower():
            yield Say("SmartCharging", "the charger does not name SmartCharging among its features")
    silent = 0 if outcome is not None and outcome.why != "timeout" else 1
    silent = yield from configure(terms, quirk, known, silent)
    clears = [each for n in connectors() for each in cleared(n, ability, quirk)]
    if quirk.clear_first:
        clears = [ClearChargingProfile()]
    for each in clears if silent < SILENCES_MAX else ():
        if not may_clear():
            break  # a session may have begun just now
        if each.id in told():
            continue
        outcome = yield Ask("ClearChargingProfile", each)
        if outcome is None or outcome.result is None:
            break  # it does not know how, or does not answer: nothing is gained by asking again
    yield Ready()
    for connector in status_unknown():
        yield Ask("TriggerMessage", TriggerMessage("StatusNotification", connector))
    return silent


def configure(
    terms: Terms, quirk: Quirk, known: dict[str, tuple[str | None, bool]], silent: int = 0
) -> Steps:
    """Step 3: what must be so, written only where it differs. Refusals are noted, never fatal."""
    interval_s = max(terms.interval_s, quirk.interval_s_min)
    wanted = {
        "AuthorizationCacheEnabled": "false",
        "AuthorizeRemoteTxRequests": "true",
        "AllowOfflineTxForUnknownId": "false",
        "LocalAuthorizeOffline": "true" if terms.offline_allowed else "false",
        "MeterValueSampleInterval": str(interval_s),
    }
    for key, value in wanted.items():
        if silent < SILENCES_MAX:
            status = yield from _change(key, value, known)
            silent = silent + 1 if status == "timeout" else 0
    if quirk.sampled_writable and silent < SILENCES_MAX:
        status = yield from _measurands(quirk, known)
        silent = silent + 1 if status == "timeout" else 0
    if silent < SILENCES_MAX:
        status = yield from _change("StopTxnSampledData", "Energy.Active.Import.Register", known)
        silent = silent + 1 if status == "timeout" else 0
    if silent >= SILENCES_MAX:
        yield Say("silent", "the charger does not answer; its configuration was left as it is")
    return silent


def _change(
    key: str, value: str, known: dict[str, tuple[str | None, bool]], *, quiet: bool = False
) -> Generator[Step, Outcome | None, str]:
    """Write one key where it differs; returns `same`, the status, or why there is none."""
    current, readonly = known.get(key.lower(), (None, False))
    if current is not None and _alike(current, value):
        return "same"
    if readonly:
        yield Say(key, f"{key} is {current!r} and cannot be changed")
        return "readonly"
    outcome = yield Ask("ChangeConfiguration", ChangeConfiguration(key, value))
    answer = _read(ChangeConfigurationResponse, outcome)
    if answer is None:
        yield Say(key, f"{key}: {_why(outcome)}")
        return outcome.why if outcome is not None and outcome.why else "unreadable"
    if answer.status == "RebootRequired":
        yield Say("reboot", f"RebootRequired: {key} counts after the charger's next start")
    elif answer.status != "Accepted" and not (quiet and answer.status == "Rejected"):
        yield Say(key, f"{key}: {answer.status}")
    return answer.status


def _measurands(
    quirk: Quirk, known: dict[str, tuple[str | None, bool]]
) -> Generator[Step, Outcome | None, str]:
    """The richest list that the charger takes: on `Rejected` one less, never below two."""
    names = quirk.measurands or MEASURANDS
    fewest = len(names) if quirk.measurands else MEASURANDS_MIN
    status = "same"
    for count in range(len(names), fewest - 1, -1):
        status = yield from _change(
            "MeterValuesSampledData", ",".join(names[:count]), known, quiet=count > fewest
        )
        if status != "Rejected":
            break
    return status


def _ability(known: dict[str, tuple[str | None, bool]]) -> Ability:
    units = known.get("chargingscheduleallowedchargingrateunit", (None, True))[0]
    return Ability(
        stack_level_max=_number(known, "chargeprofilemaxstacklevel"),
        rate_units=rate_units(units) if units else (),
        connectors=min(CONNECTORS_MAX, max(1, _number(known, "numberofconnectors") or 1)),
        periods_max=_number(known, "chargingschedulemaxperiods"),
    )


def _number(known: dict[str, tuple[str | None, bool]], key: str) -> int | None:
    """A key's whole number, where it is one."""
    text = (known.get(key, (None, True))[0] or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _alike(current: str, wanted: str) -> bool:
    """Whether two values mean the same: spaces and case aside, lists item by item."""
    return _items(current) == _items(wanted)


def _items(text: str) -> list[str]:
    return [item.strip().lower() for item in text.split(",")]


def _read(type_: type[P], outcome: Outcome | None) -> P | None:
    """The answer, or None where there is none that can be read."""
    if outcome is None or outcome.result is None:
        return None
    try:
        return read_as(type_, outcome.result)[0]
    except Unreadable:
        return None


def _why(outcome: Outcome | None) -> str:
    """Why there is no answer, for the page."""
    if outcome is None or outcome.result is not None:
        return "the answer could not be read"
    return "no answer" if outcome.why == "timeout" else outcome.why
