"""Who sits at a CSMS: the calls of OCPP 1.6 to a charger, by their names. Every answer is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tools.world.csms import Csms
from tools.world.csms_book import Asked
from tools.world.schemas import Json

PURPOSES = ("ChargePointMaxProfile", "TxDefaultProfile", "TxProfile")
KINDS = ("Absolute", "Recurring", "Relative")
Periods = Iterable[tuple[int, float] | tuple[int, float, int]]  # start, limit, phases


def a_profile(
    purpose: str = "TxDefaultProfile",
    kind: str = "Relative",
    periods: Periods = ((0, 16.0),),
    *,
    number: int = 1,
    level: int = 0,
    unit: str = "A",
    transaction: Any = None,
    starts: str | None = None,
    lasts_s: int | None = None,
    recurs: str | None = None,
    valid_from: str | None = None,
    valid_to: str | None = None,
) -> Json:
    """A charging profile: `csChargingProfiles`."""
    names = ("startPeriod", "limit", "numberPhases")
    schedule: Json = {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [dict(zip(names, one, strict=False)) for one in periods],
        "startSchedule": starts,
        "duration": lasts_s,
    }
    return _given({
        "chargingProfileId": number,
        "transactionId": transaction,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "recurrencyKind": recurs,
        "validFrom": valid_from,
        "validTo": valid_to,
        "chargingSchedule": _given(schedule),
    })  # fmt: skip


class Operator:
    """Calls one charger of a CSMS. What is None is left out of the call."""

    def __init__(self, csms: Csms, charger: str, *, within_s: float = 30.0) -> None:
        self.csms = csms
        self.charger = charger
        self.within_s = within_s

    async def call(self, action: str, **payload: Any) -> Asked:
        return await self.csms.call(self.charger, action, _given(payload), self.within_s)

    async def remote_start(
        self, tag: str, connector: int | None = None, profile: Json | None = None
    ) -> Asked:
        return await self.call("RemoteStartTransaction", idTag=tag, connectorId=connector,
                               chargingProfile=profile)  # fmt: skip

    async def remote_stop(self, transaction: Any) -> Asked:
        return await self.call("RemoteStopTransaction", transactionId=transaction)

    async def unlock(self, connector: int = 1) -> Asked:
        return await self.call("UnlockConnector", connectorId=connector)

    async def change_availability(self, kind: str, connector: int = 0) -> Asked:
        return await self.call("ChangeAvailability", connectorId=connector, type=kind)

    async def reset(self, kind: str = "Soft") -> Asked:
        return await self.call("Reset", type=kind)

    async def clear_cache(self) -> Asked:
        return await self.call("ClearCache")

    async def get_configuration(self, *keys: str) -> Asked:
        return await self.call("GetConfiguration", key=list(keys) or None)

    async def change_configuration(self, key: str, value: str) -> Asked:
        return await self.call("ChangeConfiguration", key=key, value=value)

    async def set_profile(self, profile: Json, connector: int = 1) -> Asked:
        return await self.call("SetChargingProfile", connectorId=connector,
                               csChargingProfiles=profile)  # fmt: skip

    async def clear_profile(
        self, number: int | None = None, connector: int | None = None, purpose: str | None = None,
        level: int | None = None,
    ) -> Asked:  # fmt: skip
        return await self.call("ClearChargingProfile", id=number, connectorId=connector,
                               chargingProfilePurpose=purpose, stackLevel=level)  # fmt: skip

    async def composite_schedule(
        self, connector: int = 1, duration_s: int = 3_600, unit: str | None = None
    ) -> Asked:
        return await self.call("GetCompositeSchedule", connectorId=connector, duration=duration_s,
                               chargingRateUnit=unit)  # fmt: skip

    async def trigger(self, message: str, connector: int | None = None) -> Asked:
        return await self.call("TriggerMessage", requestedMessage=message, connectorId=connector)

    async def transfer(
        self, vendor: str, data: str | None = None, message: str | None = None
    ) -> Asked:
        return await self.call("DataTransfer", vendorId=vendor, messageId=message, data=data)

    async def update_firmware(self, location: str, when: str) -> Asked:
        return await self.call("UpdateFirmware", location=location, retrieveDate=when)

    async def get_diagnostics(self, location: str) -> Asked:
        return await self.call("GetDiagnostics", location=location)

    async def send_local_list(self, version: int, tags: Iterable[str], kind: str = "Full") -> Asked:
        known = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in tags]
        return await self.call("SendLocalList", listVersion=version, updateType=kind,
                               localAuthorizationList=known)  # fmt: skip

    async def local_list_version(self) -> Asked:
        return await self.call("GetLocalListVersion")

    async def reserve(self, number: int, tag: str, until: str, connector: int = 1) -> Asked:
        return await self.call("ReserveNow", connectorId=connector, expiryDate=until, idTag=tag,
                               reservationId=number)  # fmt: skip

    async def cancel_reservation(self, number: int) -> Asked:
        return await self.call("CancelReservation", reservationId=number)


def _given(payload: Json) -> Json:
    return {name: value for name, value in payload.items() if value is not None}
