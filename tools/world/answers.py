"""What a simulated charger answers when its central system calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tools.world.make import Key
from tools.world.profiles import read_profile, seconds
from tools.world.schemas import Json
from tools.world.wire import Refused

if TYPE_CHECKING:
    from tools.world.charger import Charger

ACCEPTED: Json = {"status": "Accepted"}
REJECTED: Json = {"status": "Rejected"}


def answer(charger: Charger, action: str, asked: Json) -> Json | None:
    """The answer of this charger to this call; None: it says nothing."""
    known = ANSWERS.get(action)
    if known is None:
        raise Refused("NotSupported", f"{action} is not supported by {charger.make.model}")
    return known(charger, asked)


def _get_configuration(charger: Charger, asked: Json) -> Json:
    wanted = asked.get("key") or list(charger.keys)
    told = [
        {"key": name, "readonly": key.is_readonly}
        | ({} if key.is_hidden else {"value": key.value})
        for name, key in charger.keys.items()
        if name in wanted
    ]
    unknown = [name for name in wanted if name not in charger.keys]
    return {"configurationKey": told} | ({"unknownKey": unknown} if unknown else {})


def _change_configuration(charger: Charger, asked: Json) -> Json:
    name, value = asked["key"], asked["value"]
    refused = charger.make.refused_keys.get(name)
    if refused is not None:
        return {"status": refused}
    key = charger.keys.get(name)
    if key is None:
        return {"status": "NotSupported"}
    if key.is_readonly or not _fits(charger, name, key, value):
        return REJECTED
    key.value = value
    if name == "MeterValueSampleInterval":
        for connector in charger.connectors:
            connector.sample_at = min(connector.sample_at, charger.now + float(value))
    return {"status": "RebootRequired" if key.needs_reboot else "Accepted"}


def _fits(charger: Charger, name: str, key: Key, value: str) -> bool:
    if name == "MeterValuesSampledData":
        return set(value.split(",")) <= set(charger.make.sends())
    if key.value in ("true", "false"):
        return value.lower() in ("true", "false")
    return not key.value.isdigit() or value.isdigit()


def _remote_start(charger: Charger, asked: Json) -> Json:
    number = asked.get("connectorId")
    free = [c for c in charger.connectors if c.transaction is None and c.is_operative]
    chosen = [c for c in free if number in (None, c.number) and c.error == "NoError"]
    if not chosen:
        return REJECTED
    # A car that waits comes before an empty socket.
    connector = min(chosen, key=lambda c: c.car is None)
    connector.remote_profile = asked.get("chargingProfile")
    charger.remote_started(connector, asked["idTag"])
    return ACCEPTED


def _remote_stop(charger: Charger, asked: Json) -> Json:
    for connector in charger.connectors:
        running = connector.transaction
        if running is not None and running.id == asked["transactionId"]:
            charger.end_session(connector, "Remote")
            return ACCEPTED
    return REJECTED


def _set_charging_profile(charger: Charger, asked: Json) -> Json | None:
    number, said = asked["connectorId"], asked["csChargingProfiles"]
    make, purpose = charger.make, said["chargingProfilePurpose"]
    charger.profiles_told.append(asked)
    if purpose in make.muted_purposes:
        return None
    if charger.profile_answer is not None:
        return {"status": charger.profile_answer}
    if purpose in make.refused_purposes or said["chargingProfileKind"] in make.refused_kinds:
        return REJECTED
    return ACCEPTED if _take_profile(charger, number, said) else REJECTED


def _take_profile(charger: Charger, number: int, said: Json) -> bool:
    """Whether the profile was one this charger can keep; it is then kept."""
    make, schedule, purpose = charger.make, said["chargingSchedule"], said["chargingProfilePurpose"]
    periods = schedule["chargingSchedulePeriod"]
    starts = [period["startPeriod"] for period in periods]
    fits = (
        0 <= number <= len(charger.connectors)
        and 0 <= said["stackLevel"] <= make.stack_max
        and said["stackLevel"] not in make.stack_refused
        and make.allows(schedule["chargingRateUnit"])
        and 0 < len(periods) <= make.periods_max
        and starts == sorted(set(starts))
        and starts[0] == 0
        and all(period["limit"] >= 0 for period in periods)
        and (purpose != "ChargePointMaxProfile" or number == 0)
    )
    if not fits or (purpose == "TxProfile" and not _has_session(charger, number, said)):
        return False
    profile = read_profile(number, said, charger.clock())
    if profile.valid_to is not None and profile.valid_to <= charger.clock():
        return False
    if purpose in make.ignored_purposes:
        return True
    if make.one_period:
        profile = replace(profile, periods=profile.periods[:1])
    before = list(charger.book.profiles)
    charger.book.install(profile)
    if len(charger.book.profiles) > make.profiles_max:
        charger.book.profiles = before
        return False
    return True


def _has_session(charger: Charger, number: int, said: Json) -> bool:
    connector = charger.find(number)
    if connector is None or connector.transaction is None:
        return False
    return said.get("transactionId") in (None, connector.transaction.id)


def _clear_charging_profile(charger: Charger, asked: Json) -> Json:
    found = charger.book.clear(
        asked.get("id"),
        asked.get("connectorId"),
        asked.get("chargingProfilePurpose"),
        asked.get("stackLevel"),
    )
    return {"status": "Accepted" if found else "Unknown"}


def _get_composite_schedule(charger: Charger, asked: Json) -> Json:
    number, duration = asked["connectorId"], asked["duration"]
    unit = asked.get("chargingRateUnit", "A")
    connector = charger.find(number)
    if connector is None and number != 0:
        return REJECTED
    running = connector.transaction.running if connector and connector.transaction else None
    periods = charger.book.composite(number, charger.clock(), running, duration, unit)
    return {
        "status": "Accepted",
        "connectorId": number,
        "scheduleStart": charger.stamp(),
        "chargingSchedule": {
            "duration": duration,
            "startSchedule": charger.stamp(),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": periods,
        },
    }


def _trigger_message(charger: Charger, asked: Json) -> Json:
    wanted, number = asked["requestedMessage"], asked.get("connectorId")
    chosen = [c for c in charger.connectors if number in (None, 0, c.number)]
    if not chosen:
        return REJECTED
    if wanted == "BootNotification":
        charger.tell_boot()
    elif wanted == "Heartbeat":
        charger.tell_heartbeat()
    elif wanted == "StatusNotification":
        if number in (None, 0):
            charger.tell_status(None)
        for connector in chosen if number != 0 else []:
            charger.tell_status(connector)
    elif wanted == "MeterValues":
        for connector in chosen:
            charger.tell_meter_values(connector, "Trigger")
    else:
        return {"status": "NotImplemented"}
    return ACCEPTED


def _reset(charger: Charger, asked: Json) -> Json:
    charger.reset_soon("HardReset" if asked["type"] == "Hard" else "SoftReset")
    return ACCEPTED


def _unlock_connector(charger: Charger, asked: Json) -> Json:
    connector = charger.find(asked["connectorId"])
    if connector is None:
        return {"status": "NotSupported"}
    if connector.transaction is not None:
        charger.end_session(connector, "UnlockCommand")
    return {"status": "Unlocked"}


def _change_availability(charger: Charger, asked: Json) -> Json:
    number, operative = asked["connectorId"], asked["type"] == "Operative"
    chosen = charger.connectors if number == 0 else [charger.find(number)]
    if chosen == [None]:
        return REJECTED
    later = False
    for connector in chosen:
        if connector is not None:
            connector.is_operative = operative
            later = later or connector.transaction is not None
            charger.settle(connector)
    return {"status": "Scheduled"} if later and not operative else ACCEPTED


def _clear_cache(charger: Charger, _asked: Json) -> Json:
    charger.known_tags.clear()
    return ACCEPTED


def _data_transfer(_charger: Charger, _asked: Json) -> Json:
    return {"status": "UnknownVendorId"}


def _get_diagnostics(charger: Charger, asked: Json) -> Json:
    name = charger.leave_diagnostics(asked["location"])
    return {"fileName": name} if name else {}


def _update_firmware(charger: Charger, asked: Json) -> Json:
    charger.update_firmware(asked["location"], seconds(asked["retrieveDate"]) or 0.0)
    return {}


ANSWERS: dict[str, Callable[[Charger, Json], Json | None]] = {
    "ChangeAvailability": _change_availability,
    "ChangeConfiguration": _change_configuration,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_charging_profile,
    "DataTransfer": _data_transfer,
    "GetCompositeSchedule": _get_composite_schedule,
    "GetConfiguration": _get_configuration,
    "GetDiagnostics": _get_diagnostics,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "Reset": _reset,
    "SetChargingProfile": _set_charging_profile,
    "TriggerMessage": _trigger_message,
    "UnlockConnector": _unlock_connector,
    "UpdateFirmware": _update_firmware,
}
