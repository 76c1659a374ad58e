"""The payloads of OCPP 1.6 that LinkRay speaks, named as the schemas name them.

`X` is a request, `XResponse` the answer to it. tests/contract holds each struct to the schema of
the same name. Read through `lenient.read_as`: a word of an enumeration that OCPP does not know may
stand in a `SampledValue`, and strings may be longer than written here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

CiString20 = Annotated[str, Meta(max_length=20)]
CiString25 = Annotated[str, Meta(max_length=25)]
CiString50 = Annotated[str, Meta(max_length=50)]
CiString255 = Annotated[str, Meta(max_length=255)]
CiString500 = Annotated[str, Meta(max_length=500)]

ConnectorStatus = Literal[
    "Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing", "Reserved",
    "Unavailable", "Faulted",
]  # fmt: skip
ConnectorError = Literal[
    "ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature",
    "InternalError", "LocalListConflict", "NoError", "OtherError", "OverCurrentFailure",
    "PowerMeterFailure", "PowerSwitchFailure", "ReaderFailure", "ResetFailure", "UnderVoltage",
    "OverVoltage", "WeakSignal",
]  # fmt: skip
AuthorizationStatus = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]
StopReason = Literal[
    "EmergencyStop", "EVDisconnected", "HardReset", "Local", "Other", "PowerLoss", "Reboot",
    "Remote", "SoftReset", "UnlockCommand", "DeAuthorized",
]  # fmt: skip
ReadingContext = Literal[
    "Interruption.Begin", "Interruption.End", "Sample.Clock", "Sample.Periodic",
    "Transaction.Begin", "Transaction.End", "Trigger", "Other",
]  # fmt: skip
Measurand = Literal[
    "Energy.Active.Export.Register", "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Register", "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval", "Energy.Active.Import.Interval",
    "Energy.Reactive.Export.Interval", "Energy.Reactive.Import.Interval",
    "Power.Active.Export", "Power.Active.Import", "Power.Offered", "Power.Reactive.Export",
    "Power.Reactive.Import", "Power.Factor", "Current.Import", "Current.Export",
    "Current.Offered", "Voltage", "Frequency", "Temperature", "SoC", "RPM",
]  # fmt: skip
MeterPhase = Literal["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
Location = Literal["Cable", "EV", "Inlet", "Outlet", "Body"]
Unit = Literal[
    "Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K", "Celcius",
    "Celsius", "Fahrenheit", "Percent", "Hertz",
]  # fmt: skip
Purpose = Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]
RateUnit = Literal["A", "W"]


class Payload(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is common: camelCase on the wire, absent optionals are left out."""


def encode(payload: Payload) -> bytes:
    """The payload as compact JSON, for `Peer.call` and `Peer.answer`."""
    return msgspec.json.encode(payload)


# what a charger asks


class BootNotification(Payload, frozen=True):
    """A charger has started: what it is."""

    charge_point_vendor: CiString20
    charge_point_model: CiString20
    charge_point_serial_number: CiString25 | None = None
    charge_box_serial_number: CiString25 | None = None
    firmware_version: CiString50 | None = None
    iccid: CiString20 | None = None
    imsi: CiString20 | None = None
    meter_type: CiString25 | None = None
    meter_serial_number: CiString25 | None = None


class BootNotificationResponse(Payload, frozen=True):
    """Whether it may go on, our time, and how often it should beat."""

    status: Literal["Accepted", "Pending", "Rejected"]
    current_time: str
    interval: int


class IdTagInfo(Payload, frozen=True):
    """What is said of a tag."""

    status: AuthorizationStatus
    expiry_date: str | None = None
    parent_id_tag: CiString20 | None = None


class Authorize(Payload, frozen=True):
    """May this tag charge?"""

    id_tag: CiString20


class AuthorizeResponse(Payload, frozen=True):
    """Whether it may."""

    id_tag_info: IdTagInfo


class StartTransaction(Payload, frozen=True):
    """A transaction has begun on a connector."""

    connector_id: int
    id_tag: CiString20
    meter_start: int
    timestamp: str
    reservation_id: int | None = None


class StartTransactionResponse(Payload, frozen=True):
    """Its number, and whether the tag may charge."""

    id_tag_info: IdTagInfo
    transaction_id: int


class SampledValue(Payload, frozen=True):
    """One measured value; what is left out means what OCPP 1.6 says (7.43)."""

    value: str
    context: ReadingContext = "Sample.Periodic"
    format: Literal["Raw", "SignedData"] = "Raw"
    measurand: Measurand = "Energy.Active.Import.Register"
    phase: MeterPhase | None = None
    location: Location = "Outlet"
    unit: Unit | None = None  # Wh for energy; None: it was left out


class MeterValue(Payload, frozen=True):
    """Values measured at one time."""

    timestamp: str
    sampled_value: tuple[SampledValue, ...]


class StopTransaction(Payload, frozen=True):
    """A transaction has ended. `meter_stop` None: it was left out, which OCPP forbids."""

    meter_stop: int | None
    timestamp: str
    transaction_id: int
    id_tag: CiString20 | None = None
    reason: StopReason | None = None  # None: Local (6.49)
    transaction_data: tuple[MeterValue, ...] = ()


class StopTransactionResponse(Payload, frozen=True):
    """Thanks; what is said of the tag, if one came."""

    id_tag_info: IdTagInfo | None = None


class MeterValues(Payload, frozen=True):
    """What a connector (0: the whole charger) measured."""

    connector_id: int
    meter_value: tuple[MeterValue, ...]
    transaction_id: int | None = None


class MeterValuesResponse(Payload, frozen=True):
    """Thanks."""


class StatusNotification(Payload, frozen=True):
    """How a connector (0: the whole charger) is."""

    connector_id: int
    error_code: ConnectorError
    status: ConnectorStatus
    info: CiString50 | None = None
    timestamp: str | None = None
    vendor_id: CiString255 | None = None
    vendor_error_code: CiString50 | None = None


class StatusNotificationResponse(Payload, frozen=True):
    """Thanks."""


class Heartbeat(Payload, frozen=True):
    """Still here; what time is it?"""


class HeartbeatResponse(Payload, frozen=True):
    """Our time."""

    current_time: str


class DataTransfer(Payload, frozen=True):
    """Something of a vendor's own."""

    vendor_id: CiString255
    message_id: CiString50 | None = None
    data: str | None = None


class DataTransferResponse(Payload, frozen=True):
    """Whether the other side knows of it."""

    status: Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"]
    data: str | None = None


class DiagnosticsStatusNotification(Payload, frozen=True):
    """How the upload of its diagnostics goes."""

    status: Literal["Idle", "Uploaded", "UploadFailed", "Uploading"]


class DiagnosticsStatusNotificationResponse(Payload, frozen=True):
    """Thanks."""


class FirmwareStatusNotification(Payload, frozen=True):
    """How its firmware update goes."""

    status: Literal[
        "Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed", "Installing",
        "Installed",
    ]  # fmt: skip


class FirmwareStatusNotificationResponse(Payload, frozen=True):
    """Thanks."""


# what LinkRay asks of a charger


class GetConfiguration(Payload, frozen=True):
    """Its settings; no keys named: all."""

    key: tuple[CiString50, ...] = ()


class ConfigurationKey(Payload, frozen=True):
    """One setting of a charger."""

    key: CiString50
    readonly: bool
    value: CiString500 | None = None


class GetConfigurationResponse(Payload, frozen=True):
    """Its settings, and the keys it does not know."""

    configuration_key: tuple[ConfigurationKey, ...] = ()
    unknown_key: tuple[CiString50, ...] = ()


class ChangeConfiguration(Payload, frozen=True):
    """Set one of its settings."""

    key: CiString50
    value: CiString500


class ChangeConfigurationResponse(Payload, frozen=True):
    """Whether it did."""

    status: Literal["Accepted", "Rejected", "RebootRequired", "NotSupported"]


class ChargingSchedulePeriod(Payload, frozen=True):
    """From `start_period` seconds on this limit: per phase in A, in all in W."""

    start_period: int
    limit: float
    number_phases: int | None = None


class ChargingSchedule(Payload, frozen=True):
    """What may be drawn when."""

    charging_rate_unit: RateUnit
    charging_schedule_period: tuple[ChargingSchedulePeriod, ...]
    duration: int | None = None
    start_schedule: str | None = None
    min_charging_rate: float | None = None


class CsChargingProfiles(Payload, frozen=True):
    """A charging profile."""

    charging_profile_id: int
    stack_level: int
    charging_profile_purpose: Purpose
    charging_profile_kind: Literal["Absolute", "Recurring", "Relative"]
    charging_schedule: ChargingSchedule
    transaction_id: int | None = None
    recurrency_kind: Literal["Daily", "Weekly"] | None = None
    valid_from: str | None = None
    valid_to: str | None = None


class SetChargingProfile(Payload, frozen=True):
    """Charge by this profile."""

    connector_id: int
    cs_charging_profiles: CsChargingProfiles


class SetChargingProfileResponse(Payload, frozen=True):
    """Whether it will."""

    status: Literal["Accepted", "Rejected", "NotSupported"]


class ClearChargingProfile(Payload, frozen=True):
    """Forget the profile of this id; without an id, those that match all that is given (6.13)."""

    id: int | None = None
    connector_id: int | None = None
    charging_profile_purpose: Purpose | None = None
    stack_level: int | None = None


class ClearChargingProfileResponse(Payload, frozen=True):
    """Whether there was one."""

    status: Literal["Accepted", "Unknown"]


class GetCompositeSchedule(Payload, frozen=True):
    """What may be drawn on a connector (0: by the whole charger) for so many seconds from now?"""

    connector_id: int
    duration: int
    charging_rate_unit: RateUnit | None = None


class GetCompositeScheduleResponse(Payload, frozen=True):
    """What may be drawn; `schedule_start` is what its periods count from."""

    status: Literal["Accepted", "Rejected"]
    connector_id: int | None = None
    schedule_start: str | None = None
    charging_schedule: ChargingSchedule | None = None


class TriggerMessage(Payload, frozen=True):
    """Say this now."""

    requested_message: Literal[
        "BootNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification",
        "Heartbeat", "MeterValues", "StatusNotification",
    ]  # fmt: skip
    connector_id: int | None = None


class TriggerMessageResponse(Payload, frozen=True):
    """Whether it will."""

    status: Literal["Accepted", "Rejected", "NotImplemented"]


class RemoteStartTransaction(Payload, frozen=True):
    """Begin a transaction."""

    id_tag: CiString20
    connector_id: int | None = None
    charging_profile: CsChargingProfiles | None = None


class RemoteStartTransactionResponse(Payload, frozen=True):
    """Whether it will try."""

    status: Literal["Accepted", "Rejected"]


class RemoteStopTransaction(Payload, frozen=True):
    """End a transaction."""

    transaction_id: int


class RemoteStopTransactionResponse(Payload, frozen=True):
    """Whether it will."""

    status: Literal["Accepted", "Rejected"]


class UnlockConnector(Payload, frozen=True):
    """Free the cable."""

    connector_id: int


class UnlockConnectorResponse(Payload, frozen=True):
    """Whether it did."""

    status: Literal["Unlocked", "UnlockFailed", "NotSupported"]


class Reset(Payload, frozen=True):
    """Start again."""

    type: Literal["Hard", "Soft"]


class ResetResponse(Payload, frozen=True):
    """Whether it will."""

    status: Literal["Accepted", "Rejected"]


class ChangeAvailability(Payload, frozen=True):
    """Take a connector (0: all) in or out of service."""

    connector_id: int
    type: Literal["Inoperative", "Operative"]


class ChangeAvailabilityResponse(Payload, frozen=True):
    """Whether it did, or will after the transaction."""

    status: Literal["Accepted", "Rejected", "Scheduled"]


class ClearCache(Payload, frozen=True):
    """Forget cached tags."""


class ClearCacheResponse(Payload, frozen=True):
    """Whether it did."""

    status: Literal["Accepted", "Rejected"]


class UpdateFirmware(Payload, frozen=True):
    """Fetch firmware there from this time on, and install it."""

    location: str
    retrieve_date: str
    retries: int | None = None
    retry_interval: int | None = None


class UpdateFirmwareResponse(Payload, frozen=True):
    """It has heard."""


class GetDiagnostics(Payload, frozen=True):
    """Leave what you know of yourself there."""

    location: str
    retries: int | None = None
    retry_interval: int | None = None
    start_time: str | None = None
    stop_time: str | None = None


class GetDiagnosticsResponse(Payload, frozen=True):
    """Under which name; none: it has nothing to leave."""

    file_name: CiString255 | None = None


REQUESTS: dict[str, type[Payload]] = {  # what a charger may ask; anything else: NotImplemented
    "BootNotification": BootNotification,
    "Authorize": Authorize,
    "StartTransaction": StartTransaction,
    "StopTransaction": StopTransaction,
    "MeterValues": MeterValues,
    "StatusNotification": StatusNotification,
    "Heartbeat": Heartbeat,
    "DataTransfer": DataTransfer,
    "DiagnosticsStatusNotification": DiagnosticsStatusNotification,
    "FirmwareStatusNotification": FirmwareStatusNotification,
}
ANSWERS: dict[str, type[Payload]] = {  # what comes back on what LinkRay asks
    "GetConfiguration": GetConfigurationResponse,
    "ChangeConfiguration": ChangeConfigurationResponse,
    "SetChargingProfile": SetChargingProfileResponse,
    "ClearChargingProfile": ClearChargingProfileResponse,
    "TriggerMessage": TriggerMessageResponse,
    "RemoteStartTransaction": RemoteStartTransactionResponse,
    "RemoteStopTransaction": RemoteStopTransactionResponse,
    "UnlockConnector": UnlockConnectorResponse,
    "Reset": ResetResponse,
    "ChangeAvailability": ChangeAvailabilityResponse,
    "ClearCache": ClearCacheResponse,
    "DataTransfer": DataTransferResponse,
    "UpdateFirmware": UpdateFirmwareResponse,
    "GetDiagnostics": GetDiagnosticsResponse,
}
ANSWERED: dict[str, type[Payload]] = {  # what a CSMS asks of a charger and LinkRay answers itself
    "SetChargingProfile": SetChargingProfile,
    "ClearChargingProfile": ClearChargingProfile,
    "GetCompositeSchedule": GetCompositeSchedule,
}
