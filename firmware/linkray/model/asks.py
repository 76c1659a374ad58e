"""What a person or a program may ask of control, and the least level for each: the one table.

Levels: 0 nobody (a key with scope read is 1, write is 2), 1 EV, 2 Installer, 3 Assembler
(access.md; web.md, Pages). LOCAL is the command line: who can write the state folder is on site
(trust.md 4, rule 8).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from linkray.model.settings import LimitPhases, MeterFileValue, Settings
from linkray.model.views import Way

EV, INSTALLER, ASSEMBLER, LOCAL = 1, 2, 3, 4


class Ask(msgspec.Struct, frozen=True, tag_field="ask"):
    """A wish with a deadline and one answer; the level of the asker comes beside it."""


class ReadSnapshot(Ask, frozen=True, tag=True):
    """The newest snapshot, as `views.Snapshot`."""


class StartCharging(Ask, frozen=True, tag=True):
    """RemoteStartTransaction with `LINKRAY` or a typed tag."""

    charger: str
    connector: int
    tag: str = "LINKRAY"


class StopCharging(Ask, frozen=True, tag=True):
    """RemoteStopTransaction of what runs on the connector."""

    charger: str
    connector: int


class SetPriority(Ask, frozen=True, tag=True):
    """High priority, or back to normal ("Balanced")."""

    chargers: tuple[str, ...]
    priority: Literal["normal", "high"]


class DeleteCharger(Ask, frozen=True, tag=True):
    """Forget chargers: licence and reserve are freed; one that dials again is new."""

    chargers: tuple[str, ...]


class ReadSettings(Ask, frozen=True, tag=True):
    """The settings in force, as `{"revision": n, "settings": {…}}`."""


class PatchSettings(Ask, frozen=True, tag=True):
    """A JSON merge patch (RFC 7396) on the settings; arrays are replaced whole.

    `revision`: the one that was edited; another in force answers `conflict`. None: whatever is.
    """

    patch: msgspec.Raw
    revision: int | None = None


class ImportSettings(Ask, frozen=True, tag=True):
    """Replace the settings by a file's, all or nothing.

    `check_only` changes nothing and answers with each `SettingChange` that it would be.
    """

    settings: msgspec.Raw
    check_only: bool = False


class SettingChange(msgspec.Struct, frozen=True):
    """A setting that a file changes: `now` in force, `new` in the file; null: not there."""

    #: site.limit_ma, chargers[CP1].max_ma; chargers[CP1] where it comes or goes; chargers[]: order
    name: str
    now: Any
    new: Any


class SetEmergencyStop(Ask, frozen=True, tag=True):
    """Stop everything and refuse new sessions, latched; or allow charging again."""

    on: bool


class Identify(Ask, frozen=True, tag=True):
    """Red and green in turn for 30 s, so that a person finds the box."""


class PressButton(Ask, frozen=True, tag=True):
    """The simulated board's reset button, held for `hold_s`."""

    hold_s: float


class FactoryReset(Ask, frozen=True, tag=True):
    """Back to factory; `confirm` must be the site's name (or the serial where it has none)."""

    confirm: str


class ReadAccounts(Ask, frozen=True, tag=True):
    """Accounts with their hashes, for the process that signs people in."""


class SetPassword(Ask, frozen=True, tag=True):
    """A new password's Argon2id hash for `EV`, `Installer` or `Assembler`."""

    account: Literal["EV", "Installer", "Assembler"]
    hash: str


class ReadKeys(Ask, frozen=True, tag=True):
    """API keys with their hashes and expiry, for the process that checks them."""


class AddKey(Ask, frozen=True, tag=True):
    """A new API key's SHA-256 (hex), scope and expiry (UTC)."""

    digest: str
    scope: Literal["read", "write"]
    expires: str
    name: str = ""


class ReadLog(Ask, frozen=True, tag=True):
    """The newest lines of the LinkRay log."""

    lines: int = 200


class ReadBundle(Ask, frozen=True, tag=True):
    """The support bundle, as `SupportBundle`; no secret is in it."""


class Watch(Ask, frozen=True, tag=True):
    """From now on every new snapshot, pushed as `Reply(id=0)`, until the socket closes."""


class ReadMeters(Ask, frozen=True, tag=True):
    """The meter files that are shipped, as a list of `ShippedMeter`."""


class ReadHistory(Ask, frozen=True, tag=True):
    """The newest changes of a connector's offer, newest first, as a list of `OfferChange`."""

    charger: str
    connector: int


class ReadCeiling(Ask, frozen=True, tag=True):
    """The engineering ceiling, as a `CeilingView`."""


class SealCeiling(Ask, frozen=True, tag=True):
    """Seal the engineering ceiling, amps per phase (balancing.md): on site only, never by key."""

    limit_ma: LimitPhases


class CheckCommissioning(Ask, frozen=True, tag=True):
    """Does the site fit together? As a `CommissioningCheck` (web.md, Wizard 9)."""


class CheckMeter(Ask, frozen=True, tag=True):
    """Read the text of a .meter file; answers `{"file": {…}}` as settings hold it."""

    text: str


class ReadPassports(Ask, frozen=True, tag=True):
    """Every passport there is, as a `passport.PassportFile`: also what an export holds."""


class ReadPassport(Ask, frozen=True, tag=True):
    """One charger's passport with its evidence and the rules in force: a `passport.PassportNow`."""

    charger: str


class ImportPassports(Ask, frozen=True, tag=True):
    """Take a file's passports over, all or nothing; `check_only` changes nothing."""

    passports: msgspec.Raw
    check_only: bool = False


class ProbeAgain(Ask, frozen=True, tag=True):
    """Forget what probing found of a charger and find it out anew."""

    charger: str


class ReadSetAside(Ask, frozen=True, tag=True):
    """What the CSMS did not take, as a list of `SetAsideMessage`: after this number, in order."""

    after: int = 0
    limit: int = 100


class SayAgain(Ask, frozen=True, tag=True):
    """What the CSMS that is set did not take waits for it again, as new messages at the end of the
    queue, in their old order. `charger` empty: of all.
    """

    charger: str = ""


class RemoveSetAside(Ask, frozen=True, tag=True):
    """What was set aside is deleted. `charger` empty: of all."""

    charger: str = ""


class ReadQueues(Ask, frozen=True, tag=True):
    """What waits for which address, as a list of `CsmsQueue` (trust.md K13)."""


class ReadQueue(Ask, frozen=True, tag=True):
    """What waits for one address, as a list of `SetAsideMessage`: after this number, in order."""

    csms: str
    after: int = 0
    limit: int = 100


class LetQueueGo(Ask, frozen=True, tag=True):
    """Delete what waits for an address that is not set, up to this number: it was handed over, or
    nobody wants it.
    """

    csms: str
    through: int


class TryUplink(Ask, frozen=True, tag=True):
    """Dial a CSMS as a charger would and hang up again; answers `UplinkTested`.

    Nothing is kept and no uplink is touched. The Installer tries what is set; other addresses,
    authorities and passwords are for whoever may set them.
    """

    url: str
    prefix: str = ""
    charger: str = ""
    ca: str = ""
    password: str | None = None  # None: the one that is kept for this charger and address


class SetUplinkPassword(Ask, frozen=True, tag=True):
    """The Basic password of a charger's uplink (csms.md); it is never shown again.

    `charger` empty: of all that have none of their own. `password` empty: none; then the charger's
    own header is passed on. It belongs to the address that is set, and never goes to another.
    """

    charger: str
    password: str


class ReadFrames(Ask, frozen=True, tag=True):
    """The OCPP log's newest frames after a number, as `FramesRead`; empty filters take all."""

    after: int = 0
    limit: int = 200
    charger: str = ""
    ways: tuple[Way, ...] = ()


class ReadFrameFile(Ask, frozen=True, tag=True):
    """A file of the OCPP log, 0 the newest: a `FrameFile`."""

    number: int


# one charger, asked by a person (chargers.md, Sessions and Charger firmware)

ActName = Literal[
    "reset_soft", "reset_hard", "unlock", "clear_cache", "operative", "inoperative", "trigger"
]
Triggered = Literal[
    "BootNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification",
    "Heartbeat", "MeterValues", "StatusNotification",
]  # fmt: skip


class ReadConfiguration(Ask, frozen=True, tag=True):
    """GetConfiguration, now: what the charger says of its keys, a list of `ChargerKey`."""

    charger: str


class ChangeKey(Ask, frozen=True, tag=True):
    """ChangeConfiguration of one key; LinkRay's own keys are refused. Answers `ChargerSaid`."""

    charger: str
    key: str
    value: str


class ActAtCharger(Ask, frozen=True, tag=True):
    """One thing that a charger may be asked to do; answers `ChargerSaid`.

    `connector` 0: the whole charger; `message`: what `trigger` asks for.
    """

    charger: str
    act: ActName
    connector: int = 0
    message: Triggered = "StatusNotification"


class TellFirmware(Ask, frozen=True, tag=True):
    """UpdateFirmware: the charger is to fetch it here, at once. The house's own errand."""

    charger: str
    location: str
    at: str  # UTC


class AskDiagnostics(Ask, frozen=True, tag=True):
    """GetDiagnostics: the charger is to leave its log here. The house's own errand."""

    charger: str
    location: str


class ReadFirmware(Ask, frozen=True, tag=True):
    """The chargers' firmware files that are held, and the updates: a `FirmwareShelf`."""


class KeepFirmware(Ask, frozen=True, tag=True):
    """A file that faces has written under `part` is kept as `name`, or refused whole."""

    part: str
    name: str


class DeleteFirmware(Ask, frozen=True, tag=True):
    """A firmware file goes; one that an update is fetching stays."""

    name: str


class UpdateFirmware(Ask, frozen=True, tag=True):
    """These chargers are to fetch this file; answers `FirmwareShelf` with who was left out.

    `host`, `port`: where faces serves in the clear; `host` counts for a charger of whose link it
    is not known on which of our addresses it came.
    """

    name: str
    chargers: tuple[str, ...]
    host: str
    port: int


class GetDiagnostics(Ask, frozen=True, tag=True):
    """A charger is to leave its diagnostics here; see `UpdateFirmware`. Answers `ChargerSaid`."""

    charger: str
    host: str
    port: int


class ReadDiagnostics(Ask, frozen=True, tag=True):
    """What chargers have left, and who was asked: a list of `DiagnosticsView`."""


class OpenHanded(Ask, frozen=True, tag=True):
    """Faces' own errand: what this token opens for this address, a `Handed`; else `unknown`."""

    token: str
    source: str


class KeepDiagnostics(Ask, frozen=True, tag=True):
    """Faces' own errand: what came under this token lies under `part`; it is kept."""

    token: str
    source: str
    part: str
    name: str = ""  # as the charger calls it


class OpenDiagnostics(Ask, frozen=True, tag=True):
    """What a charger has left, for faces to give it to whoever asks: a `Handed`."""

    charger: str


AnyAsk = (
    ReadSnapshot | StartCharging | StopCharging | SetPriority | DeleteCharger | ReadSettings
    | PatchSettings | ImportSettings | SetEmergencyStop | Identify | PressButton | FactoryReset
    | ReadAccounts | SetPassword | ReadKeys | AddKey | ReadLog | ReadBundle | Watch | ReadMeters
    | CheckMeter
    | ReadHistory | ReadPassports | ReadPassport | ImportPassports | ProbeAgain
    | ReadCeiling | SealCeiling | CheckCommissioning
    | ReadSetAside | SayAgain | RemoveSetAside | TryUplink | SetUplinkPassword
    | ReadFrames | ReadFrameFile | ReadQueues | ReadQueue | LetQueueGo
    | ReadConfiguration | ChangeKey | ActAtCharger | TellFirmware | AskDiagnostics
    | ReadFirmware | KeepFirmware | DeleteFirmware | UpdateFirmware | GetDiagnostics
    | ReadDiagnostics | OpenHanded | KeepDiagnostics | OpenDiagnostics
)  # fmt: skip

LEAST_LEVEL: dict[type[Ask], int] = {
    ReadSnapshot: EV,
    StartCharging: EV,
    StopCharging: EV,
    SetPriority: INSTALLER,
    DeleteCharger: INSTALLER,
    ReadSettings: INSTALLER,
    PatchSettings: INSTALLER,  # and each field's own level, model/settings.py
    ImportSettings: INSTALLER,
    SetEmergencyStop: EV,  # whoever sees danger may stop; allowing again is checked at the desk
    Identify: INSTALLER,
    PressButton: LOCAL,
    FactoryReset: ASSEMBLER,
    ReadAccounts: LOCAL,  # faces' own errand, never a person's
    SetPassword: EV,  # one's own; another's at the desk's word
    ReadKeys: LOCAL,
    AddKey: ASSEMBLER,
    ReadLog: INSTALLER,
    ReadBundle: INSTALLER,
    Watch: LOCAL,  # faces' own errand: it shows each level what that may see
    ReadMeters: INSTALLER,
    CheckMeter: INSTALLER,
    ReadHistory: EV,
    ReadPassports: INSTALLER,
    ReadPassport: INSTALLER,
    ImportPassports: INSTALLER,
    ProbeAgain: INSTALLER,
    ReadCeiling: INSTALLER,
    SealCeiling: ASSEMBLER,  # and on site, at the desk's word
    CheckCommissioning: INSTALLER,
    ReadSetAside: INSTALLER,
    SayAgain: INSTALLER,
    RemoveSetAside: INSTALLER,
    TryUplink: INSTALLER,  # of what is set; of anything else see the ask
    SetUplinkPassword: ASSEMBLER,
    ReadFrames: INSTALLER,
    ReadFrameFile: INSTALLER,
    ReadQueues: INSTALLER,
    ReadQueue: INSTALLER,
    LetQueueGo: ASSEMBLER,
    ReadConfiguration: INSTALLER,
    ChangeKey: INSTALLER,
    ActAtCharger: INSTALLER,
    TellFirmware: LOCAL,
    AskDiagnostics: LOCAL,
    ReadFirmware: INSTALLER,
    KeepFirmware: INSTALLER,
    DeleteFirmware: INSTALLER,
    UpdateFirmware: INSTALLER,
    GetDiagnostics: INSTALLER,
    ReadDiagnostics: INSTALLER,
    OpenHanded: LOCAL,
    KeepDiagnostics: LOCAL,
    OpenDiagnostics: INSTALLER,
}


class Who(msgspec.Struct, frozen=True):
    """The asker: account or key, level, and where from; what the audit line says."""

    name: str
    level: int
    source: str = ""
    on_site: bool = False  # a person on a directly attached network (trust.md 4, rule 2)


class Answer(msgspec.Struct, frozen=True):
    """The one answer.

    `code`: ok, refused, forbidden, invalid, conflict, unknown, timeout, failed.
    """

    ok: bool
    code: str = "ok"
    text: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Envelope(msgspec.Struct, frozen=True):
    """An ask on the desk's socket."""

    id: int
    who: Who
    within_s: float
    ask: AnyAsk


class Reply(msgspec.Struct, frozen=True):
    """What comes back on the desk's socket: an answer to `id`, or (id 0) a pushed snapshot."""

    id: int
    answer: Answer


class SettingsInForce(msgspec.Struct, frozen=True):
    """What `ReadSettings` answers."""

    revision: int
    settings: Settings


class Account(msgspec.Struct, frozen=True):
    """A person's account. An empty hash is closed; `first` is the printed password's hash."""

    name: str
    level: int
    hash: str = ""
    first: bool = False
    changed: str = ""  # UTC; every session older than this has ended


class Key(msgspec.Struct, frozen=True):
    """An API key as kept: never the key itself."""

    digest: str
    scope: str
    expires: str
    name: str = ""
    made: str = ""


class SupportBundle(msgspec.Struct, frozen=True):
    """What `ReadBundle` answers: a zip, in base64 on the way."""

    name: str
    content: bytes


class FrameFile(msgspec.Struct, frozen=True):
    """What `ReadFrameFile` answers: lines of text, in base64 on the way."""

    name: str
    content: bytes


class ShippedMeter(msgspec.Struct, frozen=True):
    """A meter file that comes with LinkRay: what `ReadMeters` lists."""

    name: str
    file: dict[str, MeterFileValue]
    note: str = ""
