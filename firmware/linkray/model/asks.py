"""What a person or a program may ask of control, and the least level for each: the one table.

Levels: 0 nobody (a key with scope read is 1, write is 2), 1 EV, 2 Installer, 3 Assembler
(access.md; web.md, Pages). LOCAL is the command line: who can write the state folder is on site
(trust.md 4, rule 8).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from linkray.model.branding import Branding
from linkray.model.settings import LimitPhases, MeterFileValue, Settings
from linkray.model.tags import Tag
from linkray.model.views import Step, Way

EV, INSTALLER, ASSEMBLER, LOCAL = 1, 2, 3, 4
KEY_ID_CHARS = 16  # of a digest
OFF_HAND, OFF_PASSWORD = "hand", "password"  # why a key opens nothing


class Who(msgspec.Struct, frozen=True):
    """The asker: account or key, level, and where from; what the audit line says."""

    name: str
    level: int
    source: str = ""
    on_site: bool = False  # a person on a directly attached network (trust.md 4, rule 2)
    certificate: str = ""  # SHA-256 of the client certificate that came with the connection


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
    #: Every other one without a name and of this scope goes: the manual has one of each.
    in_place: bool = False


class ReadLog(Ask, frozen=True, tag=True):
    """The newest lines of the LinkRay log."""

    lines: int = 200


class ReadBundle(Ask, frozen=True, tag=True):
    """The support bundle, as `SupportBundle`; no secret is in it."""


class Watch(Ask, frozen=True, tag=True):
    """From now on every new snapshot, pushed as `Reply(id=0)`, until the socket closes."""


class ReadMeters(Ask, frozen=True, tag=True):
    """The meter files that are shipped, then the site's own, as a list of `ShippedMeter`."""


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


class ReadWalk(Ask, frozen=True, tag=True):
    """Which steps of commissioning were ended: `CommissioningWalk`."""


class NoteStep(Ask, frozen=True, tag=True):
    """A step of commissioning is ended, or open again (`done` false): `CommissioningWalk`."""

    step: Step
    done: bool = True


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


class ReadTags(Ask, frozen=True, tag=True):
    """The list of tags whose tag or name has `find` in it, as `TagsRead`, in this order.

    `after`: those that follow this key in the order of their keys, for a file; then `skip` and
    `order` do not count.
    """

    find: str = ""
    order: Literal["tag", "name", "type", "expires"] = "tag"
    skip: int = 0
    limit: int = 100
    after: str | None = None


class ChangeTags(Ask, frozen=True, tag=True):
    """Change the list, all or nothing; answers `TagsChanged`. `what`: in words, for the audit log.

    `gone` is taken away, then `put` is added; none of it may be listed then. `whole`: all go.
    """

    what: Literal["added", "edited", "deleted", "cleared"]
    put: tuple[Tag, ...] = ()
    gone: tuple[str, ...] = ()
    whole: bool = False


class ImportTags(Ask, frozen=True, tag=True):
    """Add a file's tags or replace those that are there, all or nothing; answers `TagsChanged`.

    `rows`: a list of `Tag`. `whole`: all others go. `check_only` changes nothing.
    """

    rows: msgspec.Raw
    whole: bool = False
    check_only: bool = False


class ReadRejected(Ask, frozen=True, tag=True):
    """Refused tags, newest first, before this number, as `RejectedRead`."""

    find: str = ""
    before: int | None = None
    limit: int = 100


class ReadLearning(Ask, frozen=True, tag=True):
    """How learn mode stands, as `LearningView`."""


class SetLearning(Ask, frozen=True, tag=True):
    """Learn for 30 s the tags that are presented, at one charger or (empty) at all; `remove`: they
    are taken off the list. Off ends it at once.
    """

    on: bool
    remove: bool = False
    charger: str = ""
class CloseAccount(Ask, frozen=True, tag=True):
    """Nobody signs in there until the Assembler gives it a password; never the Assembler's own."""

    account: Literal["EV", "Installer"]


class SetSecondFactor(Ask, frozen=True, tag=True):
    """The secret (base32) of one's second factor, its first code seen; empty: none any more.

    On: one's own. Off: one's own, or as Assembler another's (access.md, People).
    """

    account: Literal["EV", "Installer", "Assembler"]
    secret: str = ""
    used: int = 0  # the time step of that code


class SetKey(Ask, frozen=True, tag=True):
    """An API key on or off, by the beginning of its digest as it is listed."""

    id: str
    on: bool


class RemoveKey(Ask, frozen=True, tag=True):
    """An API key is gone for good."""

    id: str


class NoteAtDoor(Ask, frozen=True, tag=True):
    """What faces saw of a person, for the audit log: a sign-in, a failure, a session ended.

    `who` is whoever was seen, since faces ask in their own name; `used` the time step of the code
    that was given (RFC 6238), which opens nothing again (0: none was).
    """

    who: Who
    what: str
    used: int = 0
class ReadAlerts(Ask, frozen=True, tag=True):
    """The history of faults, as `AlertsRead`; empty filters take all. `begin` and `end` are days in
    the site's zone, or moments; `text`: words that all stand in it somewhere.
    """

    text: str = ""
    code: str = ""
    charger: str = ""
    begin: str = ""
    end: str = ""
    open_only: bool = False
    limit: int = 100


class SeeAlerts(Ask, frozen=True, tag=True):
    """Somebody has seen these alerts, by their ids."""

    ids: tuple[int, ...]


class Restart(Ask, frozen=True, tag=True):
    """Start a part anew. Of `web` control keeps the audit line; the pages end themselves.

    `when_idle`: as soon as no session runs.
    """

    part: Literal["control", "web"]
    when_idle: bool = False


class CancelRestart(Ask, frozen=True, tag=True):
    """A restart that waits is not wanted any more. `charger` empty: that of control."""

    charger: str = ""


class ReadRestarts(Ask, frozen=True, tag=True):
    """What waits to be started anew, and the newest starts, as `RestartsRead`."""


class SetLogLevel(Ask, frozen=True, tag=True):
    """The extended level of the LinkRay log, until it is set back or LinkRay starts anew."""

    extended: bool


class ReadLogFile(Ask, frozen=True, tag=True):
    """The whole LinkRay log as lines that may leave the box: of tags the last four characters."""


class ReadReport(Ask, frozen=True, tag=True):
    """What the maintenance report is made of, as `Report`."""
# -- what an Assembler fits: licence, certificate, brand, meter files ----------------------------


class ReadLicence(Ask, frozen=True, tag=True):
    """How many connectors the box may have, and by which licence: a `LicenceView`."""


class ImportLicence(Ask, frozen=True, tag=True):
    """Take a licence file over; it is in force at once. `check_only` changes nothing and answers
    with the `LicenceView` that it would be.
    """

    text: str
    check_only: bool = False


class ReadCertificate(Ask, frozen=True, tag=True):
    """The certificate in force and the request that waits for one: a `CertificateView`."""


class InstallCertificate(Ask, frozen=True, tag=True):
    """Serve this certificate (PEM, with those above it) from now on.

    `key` empty: the one of the request that was made here. `check_only` changes nothing and
    answers with the `CertificateView` that it would be.
    """

    certificate: str
    key: str = ""
    check_only: bool = False


class RequestCertificate(Ask, frozen=True, tag=True):
    """Make a key here and the request for its certificate; one that waited is replaced."""

    name: str  # the host's, or an address
    also: tuple[str, ...] = ()
    organisation: str = ""


class DropCertificate(Ask, frozen=True, tag=True):
    """Back to the self-made certificate; what was uploaded is deleted."""


class SetBranding(Ask, frozen=True, tag=True):
    """The brand of the pages, checked by the process that draws them; an empty one is none."""

    branding: Branding


class ReadMeterFile(Ask, frozen=True, tag=True):
    """The text of one of the site's own .meter files, by its name: a `MeterText`."""

    name: str


class AddMeterFile(Ask, frozen=True, tag=True):
    """Keep a .meter file; one of the same name is replaced. `check_only` changes nothing."""

    text: str
    check_only: bool = False


class DeleteMeterFile(Ask, frozen=True, tag=True):
    """Forget one of the site's own .meter files; a meter that uses it goes on."""

    name: str


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

    `connector` 0: the whole charger; `message`: what `trigger` asks for. `when_idle`: as soon as
    none of its sessions runs.
    """

    charger: str
    act: ActName
    connector: int = 0
    message: Triggered = "StatusNotification"
    when_idle: bool = False


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


# charge data records (records.md, Transactions)


class ReadDelivery(Ask, frozen=True, tag=True):
    """What is sent when, and what became of it, as a `delivery.DeliveryView`."""


class SendDelivery(Ask, frozen=True, tag=True):
    """Send what has ended and was not sent yet, now; and what could not be sent, once more."""


class TryDelivery(Ask, frozen=True, tag=True):
    """Send a file without any session to where it is set; answers `delivery.DeliveryTested`."""


class SetDeliveryPassword(Ask, frozen=True, tag=True):
    """The password of the server that is set; it is never shown again. Empty: none."""

    password: str


# people's client certificates (access.md, People)


class ReadClients(Ask, frozen=True, tag=True):
    """Which client certificates there are and who is asked for one: `clients.Clients`."""


class MakeClient(Ask, frozen=True, tag=True):
    """A client certificate for a person: its file (PKCS#12) is told this once, as `MadeClient`."""

    name: str
    level: int  # opens accounts up to this level
    password: str  # of the file
    days: int = 730


class RevokeClient(Ask, frozen=True, tag=True):
    """A client certificate opens nothing any more; one that opens nothing leaves the list."""

    id: str


class RemoveClients(Ask, frozen=True, tag=True):
    """No client certificate is left, and no account asks for one."""


class RequireClients(Ask, frozen=True, tag=True):
    """Accounts of this level ask for a client certificate, or not any more. Only whoever comes with
    one of that level or above asks for it.
    """

    level: int
    on: bool


# what a charger's link is secured with (chargers.md, Connecting)


class ReadChargerLinks(Ask, frozen=True, tag=True):
    """How each charger's link is secured, as a list of `ChargerLink`."""


class SetChargerPassword(Ask, frozen=True, tag=True):
    """The HTTP Basic password that a charger must come with; it is never shown again.

    `tell`: the charger is told it by OCPP now (`AuthorizationKey`), and must come with it once it
    has done so for the first time. Else it must from its next connection on.
    """

    charger: str
    password: str
    tell: bool = False


class RemoveChargerPassword(Ask, frozen=True, tag=True):
    """The charger comes without a password again."""

    charger: str


class TellPassword(Ask, frozen=True, tag=True):
    """ChangeConfiguration of `AuthorizationKey`: the house's own errand."""

    charger: str
    password: str


# the network, and whom a proxy could show


class ReadNetwork(Ask, frozen=True, tag=True):
    """Links, route and names of the box, as a `NetworkView`."""


class ReadNeighbours(Ask, frozen=True, tag=True):
    """Chargers that are connected and the gateway, as a list of `Neighbour`."""


AnyAsk = (
    ReadSnapshot | StartCharging | StopCharging | SetPriority | DeleteCharger | ReadSettings
    | PatchSettings | ImportSettings | SetEmergencyStop | Identify | PressButton | FactoryReset
    | ReadAccounts | SetPassword | ReadKeys | AddKey | ReadLog | ReadBundle | Watch | ReadMeters
    | CheckMeter
    | ReadHistory | ReadPassports | ReadPassport | ImportPassports | ProbeAgain
    | ReadCeiling | SealCeiling | CheckCommissioning | ReadWalk | NoteStep
    | ReadSetAside | SayAgain | RemoveSetAside | TryUplink | SetUplinkPassword
    | ReadFrames | ReadFrameFile | ReadQueues | ReadQueue | LetQueueGo
    | ReadTags | ChangeTags | ImportTags | ReadRejected | ReadLearning | SetLearning
    | CloseAccount | SetSecondFactor | SetKey | RemoveKey | NoteAtDoor
    | ReadAlerts | SeeAlerts | Restart | CancelRestart | ReadRestarts | SetLogLevel
    | ReadLogFile | ReadReport
    | ReadLicence | ImportLicence | ReadCertificate | InstallCertificate | RequestCertificate
    | DropCertificate | SetBranding | ReadMeterFile | AddMeterFile | DeleteMeterFile
    | ReadConfiguration | ChangeKey | ActAtCharger | TellFirmware | AskDiagnostics
    | ReadFirmware | KeepFirmware | DeleteFirmware | UpdateFirmware | GetDiagnostics
    | ReadDiagnostics | OpenHanded | KeepDiagnostics | OpenDiagnostics
    | ReadDelivery | SendDelivery | TryDelivery | SetDeliveryPassword
    | ReadClients | MakeClient | RevokeClient | RemoveClients | RequireClients
    | ReadChargerLinks | SetChargerPassword | RemoveChargerPassword | TellPassword
    | ReadNetwork | ReadNeighbours
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
    ReadWalk: INSTALLER,
    NoteStep: INSTALLER,
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
    ReadTags: EV,  # web.md, Pages: Transactions
    ChangeTags: INSTALLER,
    ImportTags: INSTALLER,
    ReadRejected: EV,
    ReadLearning: EV,
    SetLearning: INSTALLER,
    CloseAccount: ASSEMBLER,
    SetSecondFactor: EV,  # one's own; another's at the desk's word
    SetKey: ASSEMBLER,
    RemoveKey: ASSEMBLER,
    NoteAtDoor: LOCAL,  # faces' own errand
    ReadAlerts: EV,
    SeeAlerts: INSTALLER,
    Restart: INSTALLER,
    CancelRestart: INSTALLER,
    ReadRestarts: INSTALLER,
    SetLogLevel: INSTALLER,
    ReadLogFile: INSTALLER,
    ReadReport: INSTALLER,
    ReadLicence: ASSEMBLER,
    ImportLicence: ASSEMBLER,
    ReadCertificate: ASSEMBLER,
    InstallCertificate: ASSEMBLER,
    RequestCertificate: ASSEMBLER,
    DropCertificate: ASSEMBLER,
    SetBranding: ASSEMBLER,
    ReadMeterFile: INSTALLER,
    AddMeterFile: ASSEMBLER,
    DeleteMeterFile: ASSEMBLER,
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
    ReadDelivery: EV,  # web.md, Pages: Transactions
    SendDelivery: INSTALLER,
    TryDelivery: INSTALLER,
    SetDeliveryPassword: INSTALLER,
    ReadClients: ASSEMBLER,
    MakeClient: ASSEMBLER,
    RevokeClient: ASSEMBLER,
    RemoveClients: ASSEMBLER,
    RequireClients: ASSEMBLER,
    ReadChargerLinks: ASSEMBLER,  # web.md, Pages: Security
    SetChargerPassword: ASSEMBLER,
    RemoveChargerPassword: ASSEMBLER,
    TellPassword: LOCAL,
    ReadNetwork: INSTALLER,
    ReadNeighbours: ASSEMBLER,  # web.md, Pages: Proxy
}


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
    second: str = ""  # the second factor's secret, base32; empty: none
    second_used: int = 0  # the time step of the newest code that opened it


class Key(msgspec.Struct, frozen=True):
    """An API key as kept: never the key itself."""

    digest: str
    scope: str
    expires: str
    name: str = ""
    made: str = ""
    by: str = ""  # the account that made it, whose next password ends it; empty: the command line
    off: str = ""  # why it opens nothing: `OFF_HAND`, or its account's new password; empty: on

    @property
    def id(self) -> str:
        """What it is called where it is listed: no secret."""
        return self.digest[:KEY_ID_CHARS]


class SupportBundle(msgspec.Struct, frozen=True):
    """What `ReadBundle` answers: a zip, in base64 on the way."""

    name: str
    content: bytes


class FrameFile(msgspec.Struct, frozen=True):
    """What `ReadFrameFile` answers: lines of text, in base64 on the way."""

    name: str
    content: bytes


class ShippedMeter(msgspec.Struct, frozen=True):
    """A meter file that comes with LinkRay or was uploaded: what `ReadMeters` lists."""

    name: str
    file: dict[str, MeterFileValue]
    note: str = ""
    own: bool = False  # uploaded on this site


class MeterText(msgspec.Struct, frozen=True):
    """What `ReadMeterFile` answers."""

    name: str
    text: str
