"""What a make of charger is and does its own way, and its table of configuration keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Measures = Literal["phases", "total", "power", "energy"]
RICHEST = (
    "Current.Import",
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Voltage",
    "Current.Offered",
)


@dataclass(frozen=True)
class Make:
    """A model of charger. Only what differs needs to be said."""

    vendor: str = "Worldly"
    model: str = "Plain-32"
    firmware: str = "1.0.0"
    phases: int = 3
    connectors: int = 1
    max_ma: int = 32_000  # per phase and connector
    units: str = "Current"  # ChargingScheduleAllowedChargingRateUnit as this make writes it
    stack_max: int = 8
    stack_refused: frozenset[int] = frozenset()  # levels it says it has and refuses (ABB)
    replaces_ids: bool = True  # a profile replaces that of its id too, or only that of its level
    periods_max: int = 24
    profiles_max: int = 10
    measurands: tuple[str, ...] = RICHEST  # what it can be told to send
    measures: Measures = "phases"
    refused_purposes: frozenset[str] = frozenset()
    refused_kinds: frozenset[str] = frozenset()
    muted_purposes: frozenset[str] = frozenset()  # no answer at all to these
    ignored_purposes: frozenset[str] = frozenset()  # accepted, and without effect (go-e)
    one_period: bool = False  # takes a schedule of several periods and keeps to the first
    after_zero: Literal["resumes", "stays", "stops"] = "resumes"  # what 0 A does to a session
    rounds_up: bool = False  # whole amps, the wrong way
    refused_keys: dict[str, str] = field(default_factory=dict)  # key → status
    efficiency: float = 1.0  # of what it takes, what it gives: watts are told as given (DC)
    obey_s: float = 0.5  # from Accepted to the pilot
    from_arrival: bool = False  # counts Relative from the frame's arrival
    whole_amps: bool = False
    switches_phases: bool = False  # honours numberPhases
    boots_s: float = 15.0
    boots_on_reconnect: bool = False
    resumes_after_reboot: bool = False  # or stops the transaction with PowerLoss
    keeps_profiles: bool = True  # through a reboot (TxProfiles go with their transaction)
    redial_s: float = 1.0  # first pause; doubles
    redial_max_s: float = 30.0
    answer_s: float = 0.05  # how long it thinks before it answers, at most
    subprotocols: tuple[str, ...] = ("ocpp1.6",)
    path: str = "/{id}"  # "//{id}": as Autel once did

    def sends(self) -> tuple[str, ...]:
        """The measurands that ChangeConfiguration may ask of it."""
        if self.measures == "energy":
            return tuple(m for m in self.measurands if m.startswith("Energy"))
        if self.measures == "power":
            return tuple(m for m in self.measurands if m != "Current.Import")
        return self.measurands

    def allows(self, unit: str) -> bool:
        """Whether a schedule in A or W is taken, however the make spells it."""
        said = {word.strip() for word in self.units.split(",")}
        return bool(said & ({"Current", "A"} if unit == "A" else {"Power", "W"}))


@dataclass
class Key:
    """One configuration key."""

    value: str
    is_readonly: bool = False
    needs_reboot: bool = False
    is_hidden: bool = False  # written, never read back


def keys_of(make: Make) -> dict[str, Key]:
    """The keys a charger of this make is delivered with."""

    def fixed(value: object) -> Key:
        return Key(str(value), is_readonly=True)

    return {
        "AllowOfflineTxForUnknownId": Key("true"),
        "AuthorizationCacheEnabled": Key("true"),
        "AuthorizationKey": Key("", is_hidden=True),
        "AuthorizeRemoteTxRequests": Key("false"),
        "ClockAlignedDataInterval": Key("0"),
        "ConnectionTimeOut": Key("60"),
        "GetConfigurationMaxKeys": fixed(50),
        "HeartbeatInterval": Key("300"),
        "LocalAuthorizeOffline": Key("true"),
        "LocalPreAuthorize": Key("false"),
        "MeterValuesAlignedData": Key("Energy.Active.Import.Register"),
        "MeterValuesSampledData": Key("Energy.Active.Import.Register"),
        "MeterValueSampleInterval": Key("60"),
        "NumberOfConnectors": fixed(make.connectors),
        "ResetRetries": Key("3"),
        "StopTransactionOnEVSideDisconnect": Key("true"),
        "StopTransactionOnInvalidId": Key("true"),
        "StopTxnAlignedData": Key(""),
        "StopTxnSampledData": Key(""),
        "SupportedFeatureProfiles": fixed("Core,SmartCharging,RemoteTrigger"),
        "TransactionMessageAttempts": Key("3"),
        "TransactionMessageRetryInterval": Key("10"),
        "UnlockConnectorOnEVSideDisconnect": Key("true"),
        "WebSocketPingInterval": Key("0"),
        "ChargeProfileMaxStackLevel": fixed(make.stack_max),
        "ChargingScheduleAllowedChargingRateUnit": fixed(make.units),
        "ChargingScheduleMaxPeriods": fixed(make.periods_max),
        "MaxChargingProfilesInstalled": fixed(make.profiles_max),
    }
