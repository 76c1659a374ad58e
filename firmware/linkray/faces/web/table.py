"""Every route of the API in one table: its least level, what it takes and gives, what it costs.

A route without a level does not start (trust.md A10, A22); a test walks all routes with all levels.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from linkray.model.asks import (
    ASSEMBLER,
    EV,
    INSTALLER,
    ActName,
    SettingChange,
    ShippedMeter,
    Triggered,
)
from linkray.model.branding import BrandView
from linkray.model.delivery import DeliveryTested, DeliveryView
from linkray.model.faults import Fault
from linkray.model.handed import FILE_BYTES_MAX
from linkray.model.passport import PassportFile, PassportNow
from linkray.model.sessions import SessionDetail, SessionPage
from linkray.model.settings import LimitPhases, MeterFileValue, Settings
from linkray.model.tags import TagType
from linkray.model.tagsheet import BadLine
from linkray.model.views import (
    AlertsRead,
    CeilingView,
    CertificateView,
    ChargerKey,
    ChargerLink,
    ChargerSaid,
    ChargerView,
    ClientsView,
    CommissioningCheck,
    CommissioningWalk,
    CsmsQueue,
    DiagnosticsView,
    FirmwareShelf,
    FramesRead,
    Graph,
    GraphDays,
    LearningView,
    LicenceView,
    MadeClient,
    MeterView,
    Neighbour,
    NetworkView,
    OfferChange,
    PlanView,
    RejectedRead,
    RestartsRead,
    SetAsideMessage,
    SiteView,
    Snapshot,
    TagsChanged,
    TagsRead,
    UplinkTested,
    UplinkView,
)
from linkray.store.audit import AuditChain, AuditEntry, AuditPage

KIB = 1024
JSON = "application/json"
PATCH = "application/merge-patch+json"
FILES = ("application/octet-stream", "text/plain", JSON)
NOBODY = 0


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body: unknown names are refused, with their path."""


class SignIn(Body, frozen=True):
    """An account and its password."""

    account: str
    password: str
    code: str | None = None  # of the second factor, where the account has one


class SessionView(msgspec.Struct, frozen=True):
    """Who is signed in here, and what anybody may know of the box."""

    account: str | None
    level: int
    must_change: bool  # the printed password: replace it first
    accounts_open: tuple[str, ...]
    simulated: bool
    site: str
    version: str
    csrf: str | None = None  # for the header X-LinkRay-CSRF of every write
    serial: str = ""
    commissioning_open: bool = True
    brand: BrandView = BrandView()


class FirstPasswords(Body, frozen=True):
    """The passwords that replace the printed one; null leaves an account closed."""

    Assembler: str
    Installer: str | None = None
    EV: str | None = None


class SetFirstPasswords(Body, frozen=True):
    """All three on one page."""

    passwords: FirstPasswords


class ChangePassword(Body, frozen=True):
    """`old` is the password of whoever asks, `new` that of the account."""

    old: str
    new: str


class Start(Body, frozen=True):
    """With which tag to start; none: `LINKRAY`."""

    tag: str | None = None


class Priority(Body, frozen=True):
    """Chargers that become high priority, or normal again."""

    chargers: tuple[str, ...]
    priority: Literal["normal", "high"]


class Chargers(Body, frozen=True):
    """Chargers by id."""

    chargers: tuple[str, ...]


class Switch(Body, frozen=True):
    """On or off."""

    on: bool


class Seal(Body, frozen=True):
    """The engineering ceiling: amps of the agreed supply on L1, L2 and L3."""

    limit_ma: LimitPhases


class TryCsms(Body, frozen=True):
    """A CSMS to be tried out as this charger; `password` null: the one that is kept for it."""

    url: str
    prefix: str = ""
    charger: str = ""
    ca: str = ""
    password: str | None = None


class UplinkPassword(Body, frozen=True):
    """The Basic password of a charger's uplink, or of all that have none; it is never told again.

    An empty `charger`: all. An empty `password`: none.
    """

    password: str
    charger: str = ""


class OfCharger(Body, frozen=True):
    """Of which charger; empty: of all."""

    charger: str


class StepDone(Body, frozen=True):
    """Whether the step is ended."""

    done: bool


class LetGo(Body, frozen=True):
    """What waits for an address that is not set goes, up to the number `through`."""

    csms: str
    through: int


class TypedTag(Body, frozen=True):
    """A tag as a person gives it. `expires`: a date (to the end of that day at the site), a time at
    the site, or one with its offset; null or empty: never.
    """

    tag: str
    name: str = ""
    type: TagType = "User"
    allowed: bool = True
    expires: str | None = None


class AddTags(Body, frozen=True):
    """Tags for the list, of which none may be on it yet."""

    tags: tuple[TypedTag, ...]


class EditTag(Body, frozen=True):
    """What a tag of the list becomes; `was`: its own number, which may become another."""

    was: str
    tag: TypedTag


class Tags(Body, frozen=True):
    """Tags of the list."""

    tags: tuple[str, ...]


class Learn(Body, frozen=True):
    """Learn mode on or off; `charger` empty: at all of them."""

    on: bool
    remove: bool = False
    charger: str = ""


class TagsImport(msgspec.Struct, frozen=True):
    """What a file of tags does to the list, or its bad lines: then it does nothing.

    `bad` holds the first 1,000 of `bad_count`.
    """

    imported: bool
    tags: int
    new: int
    changed: int
    same: int
    gone: int
    bad: tuple[BadLine, ...]
    bad_count: int
class Alerts(Body, frozen=True):
    """Alerts by their ids."""

    ids: tuple[int, ...]


class RestartPart(Body, frozen=True):
    """Which part starts anew; `when_idle`: as soon as no session runs (control alone)."""

    part: Literal["control", "web"]
    when_idle: bool = False


class Level(Body, frozen=True):
    """The level of the LinkRay log."""

    extended: bool
class NewCertificate(Body, frozen=True):
    """A certificate in PEM, with those above it, and its private key."""

    certificate: str
    key: str = ""


class NewRequest(Body, frozen=True):
    """For which host a certificate is wanted, and by which other names or addresses."""

    name: str
    also: tuple[str, ...] = ()
    organisation: str = ""


class ConfirmLoss(Body, frozen=True):
    """The name of what is to be lost."""

    confirm: str


class BrandChecked(msgspec.Struct, frozen=True):
    """A branding file that is good: what it sets, and its style sheet."""

    text: str
    brand: BrandView
    sheet: str
    image: str = ""  # the picture as it was drawn anew, a `data:` address
class KeyValue(Body, frozen=True):
    """A configuration key of a charger, and its new value."""

    key: str
    value: str


class Act(Body, frozen=True):
    """What a charger is to do; `connector` 0: the whole charger; `message`: what `trigger` asks;
    `when_idle`: as soon as none of its sessions runs.
    """

    act: ActName
    connector: int = 0
    message: Triggered = "StatusNotification"
    when_idle: bool = False


class FirmwareFor(Body, frozen=True):
    """A firmware file that is held, and the chargers that are to fetch it."""

    name: str
    chargers: tuple[str, ...]


class DeliveryPassword(Body, frozen=True):
    """The password of the server that is set, never told again; empty: none."""

    password: str


class Done(msgspec.Struct, frozen=True):
    """It was done; `text` says what."""

    ok: bool
    text: str


class Checked(msgspec.Struct, frozen=True):
    """The settings file is good, and this is what it would change."""

    ok: bool
    text: str
    changes: tuple[SettingChange, ...]


class MeterFile(msgspec.Struct, frozen=True):
    """A .meter file as settings hold it."""

    file: dict[str, MeterFileValue]


class Lines(msgspec.Struct, frozen=True):
    """The newest lines of the log, oldest first."""

    lines: tuple[str, ...]


class Confirm(Body, frozen=True):
    """The password of whoever is signed in, given again."""

    password: str


class AccountView(msgspec.Struct, frozen=True):
    """An account, without its secrets."""

    name: str
    level: int
    open: bool  # it has a password
    first: bool  # that is the printed one
    second_factor: bool
    changed: str  # UTC, when its password or second factor was set; empty: never


class SecondBegun(msgspec.Struct, frozen=True):
    """A secret for an authenticator app, shown once; it holds once a code of it was given."""

    secret: str  # base32, to be typed
    address: str  # the same as `otpauth:` address, for a QR code


class Code(Body, frozen=True):
    """Six digits of an authenticator app."""

    code: str


class OpenSession(msgspec.Struct, frozen=True):
    """Somebody who is signed in."""

    id: str
    account: str
    level: int
    source: str  # the address
    since: str
    idle_s: int
    here: bool  # whoever asks


KeyState = Literal["on", "off", "password", "expired"]


class KeyView(msgspec.Struct, frozen=True):
    """An API key, without itself."""

    id: str
    name: str  # empty: the one of its scope that has none
    scope: str
    made: str
    by: str  # the account whose next password ends it; empty: the command line
    expires: str
    state: KeyState  # password: off since its account has another one


class NewKey(Body, frozen=True):
    """A key to be made; without a name it takes the place of the one of its scope."""

    scope: Literal["read", "write"]
    expires: str  # how long it holds: 90m, 12h, 30d or 2w
    name: str = ""


class MadeKey(msgspec.Struct, frozen=True):
    """A new key: the only time that it is told."""

    id: str
    key: str
    expires: str


class NewClient(Body, frozen=True):
    """A client certificate for a person; `password` is that of its file."""

    name: str
    level: int
    password: str
    days: int = 730


class AskCertificate(Body, frozen=True):
    """Whether accounts of this level ask for a client certificate."""

    level: int
    on: bool


class ChargerPassword(Body, frozen=True):
    """A charger's password; empty: one is made up. `tell`: the charger is told it by OCPP now."""

    password: str = ""
    tell: bool = False


class ChargerPasswordSet(msgspec.Struct, frozen=True):
    """What came of it; `password` is the one that was made up, told this once."""

    ok: bool
    text: str
    password: str = ""


class Entry(msgspec.Struct, frozen=True):
    """One route. `least` has no default: a route without a level is no route."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    least: int
    answer: str  # the method of `api.Api` that answers
    what: str
    takes: object = None
    gives: object = None
    body_max: int = 16 * KIB
    media: tuple[str, ...] = (JSON,)
    quiet: bool = False  # asked by the page on its own: keeps no session alive
    at_first: bool = False  # open to a session that must change its password (trust.md A1)
    only_first: bool = False  # and to no other
    people: bool = False  # not for keys
    confirmed: bool = False  # only with the password given again a short while ago
    signs_in: bool = False  # needs no session, so no CSRF token
    may_be_empty: bool = False  # the body
    streams: bool = False  # it is read by whoever answers, in parts


TABLE: tuple[Entry, ...] = (
    Entry("GET", "/api/v1/session", NOBODY, "session", "Who is signed in",
          gives=SessionView, quiet=True, at_first=True),
    Entry("POST", "/api/v1/session", NOBODY, "sign_in", "Sign in",
          takes=SignIn, gives=SessionView, people=True, signs_in=True),
    Entry("DELETE", "/api/v1/session", EV, "sign_out", "Sign out",
          gives=Done, at_first=True, people=True),
    Entry("POST", "/api/v1/first-passwords", ASSEMBLER, "first_passwords",
          "Replace the printed password",
          takes=SetFirstPasswords, gives=SessionView, at_first=True, only_first=True, people=True),
    Entry("PUT", "/api/v1/accounts/{name}/password", EV, "change_password",
          "Change one's own password, or as Assembler another's",
          takes=ChangePassword, gives=SessionView, people=True),
    Entry("GET", "/api/v1/snapshot", EV, "snapshot", "Everything a page shows, at one moment",
          gives=Snapshot, quiet=True),
    Entry("GET", "/api/v1/events", EV, "events",
          "Snapshots as they are made (Server-Sent Events, `event: snapshot`)", quiet=True),
    Entry("GET", "/api/v1/site", EV, "site", "The figures of the site", gives=SiteView,
          quiet=True),
    Entry("GET", "/api/v1/plan", EV, "plan", "What every connector is offered, and why",
          gives=PlanView, quiet=True),
    Entry("GET", "/api/v1/chargers", EV, "chargers", "The chargers and their connectors",
          gives=tuple[ChargerView, ...], quiet=True),
    Entry("GET", "/api/v1/meter", EV, "meter", "The site meter", gives=MeterView, quiet=True),
    Entry("GET", "/api/v1/faults", EV, "faults", "What is wrong, and what to do",
          gives=tuple[Fault, ...], quiet=True),
    Entry("GET", "/api/v1/settings", INSTALLER, "settings",
          "All settings; the ETag is their revision", gives=Settings),
    Entry("PATCH", "/api/v1/settings", INSTALLER, "patch_settings",
          "Change settings by a JSON merge patch (RFC 7396); arrays are replaced whole. What "
          "should be known of the change is in the header `linkray-note`",
          takes=dict[str, Any], gives=Settings, body_max=2048 * KIB, media=(JSON, PATCH)),
    Entry("GET", "/api/v1/settings/schema", INSTALLER, "settings_schema",
          "The settings as JSON Schema, with unit, level and help", gives=dict[str, Any]),
    Entry("GET", "/api/v1/settings/export", INSTALLER, "export_settings",
          "The settings file", gives=Settings),
    Entry("POST", "/api/v1/settings/import", INSTALLER, "import_settings",
          "Replace all settings by a file's, all or nothing; `?check=1` changes nothing and "
          "answers with `changes`: each setting's `name`, its value `now` and the `new` one",
          takes=Settings, gives=Settings, body_max=2048 * KIB),
    Entry("GET", "/api/v1/uplinks", EV, "uplinks", "How each charger's link to the CSMS stands",
          gives=tuple[UplinkView, ...], quiet=True),
    Entry("POST", "/api/v1/csms/test", INSTALLER, "try_csms",
          "Dial a CSMS as a charger would, hang up and say in words what came of it; "
          "an Installer tries what is set",
          takes=TryCsms, gives=UplinkTested, body_max=128 * KIB),
    Entry("PUT", "/api/v1/csms/password", ASSEMBLER, "uplink_password",
          "Give the password of a charger's uplink, or of all", takes=UplinkPassword, gives=Done),
    Entry("GET", "/api/v1/set-aside", INSTALLER, "set_aside",
          "Messages that the CSMS did not take, at most 50 after `?after=NUMBER`",
          gives=tuple[SetAsideMessage, ...]),
    Entry("GET", "/api/v1/set-aside/export", INSTALLER, "export_set_aside",
          "The same as a file, all of them", gives=tuple[SetAsideMessage, ...]),
    Entry("POST", "/api/v1/set-aside/again", INSTALLER, "say_again",
          "What the CSMS that is set did not take waits for it again, of a charger or of all",
          takes=OfCharger, gives=Done),
    Entry("POST", "/api/v1/set-aside/remove", INSTALLER, "remove_aside",
          "Delete what was set aside, of a charger or of all",
          takes=OfCharger, gives=Done),
    Entry("GET", "/api/v1/csms/queues", INSTALLER, "queues",
          "What waits for the CSMS that is set, and for those of before: a message is said to none "
          "but its own", gives=tuple[CsmsQueue, ...]),
    Entry("GET", "/api/v1/csms/queues/export", INSTALLER, "export_queue",
          "All messages that wait for the address `?csms=`, as a file",
          gives=tuple[SetAsideMessage, ...]),
    Entry("POST", "/api/v1/csms/queues/let-go", ASSEMBLER, "let_queue_go",
          "Delete what waits for an address that is not set, up to a number",
          takes=LetGo, gives=Done),
    Entry("GET", "/api/v1/ceiling", INSTALLER, "ceiling", "The engineering ceiling",
          gives=CeilingView),
    Entry("PUT", "/api/v1/ceiling", ASSEMBLER, "seal_ceiling",
          "Seal the engineering ceiling; on a network of this box only",
          takes=Seal, gives=CeilingView, people=True),
    Entry("GET", "/api/v1/commissioning-check", INSTALLER, "commissioning_check",
          "Does the site fit together: sums, and what they mean", gives=CommissioningCheck),
    Entry("GET", "/api/v1/commissioning", INSTALLER, "walk",
          "Which steps of commissioning were ended, by whom and when", gives=CommissioningWalk),
    Entry("PUT", "/api/v1/commissioning/{step}", INSTALLER, "note_step",
          "End a step of commissioning, or open it again; the last one needs the passwords and the "
          "site", takes=StepDone, gives=CommissioningWalk),
    Entry("GET", "/api/v1/meters", INSTALLER, "meters", "The meter files that are shipped",
          gives=tuple[ShippedMeter, ...]),
    Entry("POST", "/api/v1/meters/check", INSTALLER, "check_meter", "Read a .meter file",
          takes=str, gives=MeterFile, body_max=64 * KIB,
          media=("text/plain", "application/octet-stream", JSON)),
    Entry("POST", "/api/v1/chargers/{id}/connectors/{connector:int}/start", EV, "start",
          "Start charging", takes=Start, gives=Done, may_be_empty=True),
    Entry("POST", "/api/v1/chargers/{id}/connectors/{connector:int}/stop", EV, "stop",
          "Stop charging", gives=Done),
    Entry("GET", "/api/v1/chargers/{id}/connectors/{connector:int}/history", EV, "history",
          "The last 50 changes of its offer, newest first", gives=tuple[OfferChange, ...],
          quiet=True),
    Entry("GET", "/api/v1/passports", INSTALLER, "passports",
          "What was found out of each make of charger, with its evidence", gives=PassportFile),
    Entry("GET", "/api/v1/passports/export", INSTALLER, "export_passports",
          "The passports as a file", gives=PassportFile),
    Entry("POST", "/api/v1/passports/import", INSTALLER, "import_passports",
          "Take a file's passports over, all or nothing; `?check=1` changes nothing",
          takes=PassportFile, gives=Done, body_max=2048 * KIB),
    Entry("GET", "/api/v1/chargers/{id}/passport", INSTALLER, "passport",
          "A charger's passport, and the rules in force for it", gives=PassportNow),
    Entry("POST", "/api/v1/chargers/{id}/passport/probe", INSTALLER, "probe_again",
          "Forget what was tried out on a charger and try it anew", gives=Done),
    Entry("GET", "/api/v1/chargers/{id}/configuration", INSTALLER, "charger_keys",
          "The configuration keys of a charger, as it tells them now",
          gives=tuple[ChargerKey, ...]),
    Entry("PUT", "/api/v1/chargers/{id}/configuration", INSTALLER, "change_key",
          "Change one configuration key of a charger; LinkRay's own are refused",
          takes=KeyValue, gives=ChargerSaid),
    Entry("POST", "/api/v1/chargers/{id}/act", INSTALLER, "act_at_charger",
          "Ask a charger to restart, to free a cable, to forget cached tags, to go in or out of "
          "service, or to say something now", takes=Act, gives=ChargerSaid),
    Entry("POST", "/api/v1/chargers/{id}/diagnostics", INSTALLER, "ask_diagnostics",
          "Ask a charger to leave its diagnostics here", gives=ChargerSaid),
    Entry("GET", "/api/v1/chargers/{id}/diagnostics", INSTALLER, "diagnostics_file",
          "What a charger has left, as a file"),
    Entry("GET", "/api/v1/charger-diagnostics", INSTALLER, "diagnostics",
          "Which chargers were asked for their diagnostics, and what came",
          gives=tuple[DiagnosticsView, ...], quiet=True),
    Entry("GET", "/api/v1/charger-firmware", INSTALLER, "firmware",
          "The firmware files for chargers that are held, and how updates go",
          gives=FirmwareShelf, quiet=True),
    Entry("POST", "/api/v1/charger-firmware/files/{name}", INSTALLER, "keep_firmware",
          "Hold a firmware file for chargers, under this name; at most five",
          takes=bytes, gives=FirmwareShelf, body_max=FILE_BYTES_MAX,
          media=("application/octet-stream",), streams=True),
    Entry("DELETE", "/api/v1/charger-firmware/files/{name}", INSTALLER, "delete_firmware",
          "Delete a firmware file", gives=FirmwareShelf),
    Entry("POST", "/api/v1/charger-firmware/update", INSTALLER, "update_firmware",
          "Tell chargers to fetch a firmware file here and install it; `updates` says who was left "
          "out, and why", takes=FirmwareFor, gives=FirmwareShelf),
    Entry("POST", "/api/v1/chargers/priority", INSTALLER, "priority",
          "High priority, or back to normal", takes=Priority, gives=Done),
    Entry("POST", "/api/v1/chargers/delete", INSTALLER, "delete", "Forget chargers",
          takes=Chargers, gives=Done),
    Entry("POST", "/api/v1/emergency-stop", EV, "emergency_stop",
          "Stop everything; allowing it again takes an Installer", takes=Switch, gives=Done),
    Entry("POST", "/api/v1/identify", INSTALLER, "identify", "Blink red and green for 30 s",
          gives=Done),
    Entry("GET", "/api/v1/log", INSTALLER, "log_lines", "The newest lines of the log",
          gives=Lines, quiet=True),
    Entry("GET", "/api/v1/ocpp-log", INSTALLER, "ocpp_log",
          "The newest frames of the OCPP log: `?after=NUMBER&limit=200&charger=ID&way=in,out,up,"
          "down` (from and to the charger, to and from the CSMS)", gives=FramesRead, quiet=True),
    Entry("GET", "/api/v1/ocpp-log/{number:int}", INSTALLER, "ocpp_file",
          "A file of the OCPP log as text, 0 the newest, 4 the oldest"),
    Entry("GET", "/api/v1/support-bundle", INSTALLER, "support_bundle",
          "A zip with logs, settings without secrets, versions and what the balancer did"),
    Entry("GET", "/api/v1/transactions", EV, "transactions",
          "Kept sessions, those that have ended in `?range=` today, this_week, last_week, "
          "this_month, last_month, this_year, last_year or all, or from `since` until `until` in "
          "the site's time zone; `tag`, `charger` and `transaction` whole, `words` a part of a "
          "name; `sort` id, started, ended, duration, energy, tag, charger, name or finished, "
          "`ascending=1`; `limit`, and `after` the `next` of the page before", gives=SessionPage),
    Entry("GET", "/api/v1/transactions/export", EV, "export_transactions",
          "The same selection as a file, `?format=` csv, nem12 or cdr; `separator` comma, "
          "semicolon or tab, `decimal` point or comma, `bom=1`; of NEM12 `minutes` 5, 15 or 30, "
          "`market` its time zone, +10:00"),
    Entry("GET", "/api/v1/transactions/{transaction:int}", EV, "transaction",
          "One session with its 15-minute energies", gives=SessionDetail),
    Entry("GET", "/api/v1/tags", EV, "tags",
          "The list of tags: `?find=TEXT&order=tag|name|type|expires&skip=0&limit=100`",
          gives=TagsRead),
    Entry("POST", "/api/v1/tags", INSTALLER, "add_tags", "Put tags on the list",
          takes=AddTags, gives=TagsChanged, body_max=256 * KIB),
    Entry("PUT", "/api/v1/tags", INSTALLER, "edit_tag", "Change a tag of the list",
          takes=EditTag, gives=TagsChanged),
    Entry("POST", "/api/v1/tags/delete", INSTALLER, "delete_tags", "Take tags off the list",
          takes=Tags, gives=TagsChanged, body_max=1024 * KIB),
    Entry("POST", "/api/v1/tags/clear", INSTALLER, "clear_tags", "Take all tags off the list",
          gives=TagsChanged),
    Entry("GET", "/api/v1/tags/export", EV, "export_tags",
          "The list, or what of it `?find=` finds, as CSV: `TAG,Name,Type,Allowed,Expiry`"),
    Entry("POST", "/api/v1/tags/import", INSTALLER, "import_tags",
          "Add a CSV file's tags or replace those that are there; with `?replace=1` all others go. "
          "All or nothing; `?check=1` changes nothing and names every bad line",
          takes=str, gives=TagsImport, body_max=4096 * KIB,
          media=("text/csv", "text/plain", "application/vnd.ms-excel")),
    Entry("GET", "/api/v1/tags/rejected", EV, "rejected_tags",
          "Refused tags, newest first: `?find=TEXT&before=NUMBER&limit=100`", gives=RejectedRead),
    Entry("GET", "/api/v1/tags/learn", EV, "learning", "How learn mode stands",
          gives=LearningView, quiet=True),
    Entry("PUT", "/api/v1/tags/learn", INSTALLER, "learn",
          "For 30 s put the tags that are held to a reader on the list, or take them off it",
          takes=Learn, gives=LearningView),
    Entry("POST", "/api/v1/session/confirm", EV, "confirm",
          "Give one's password again: for five minutes, routes that ask for it are open",
          takes=Confirm, gives=Done, people=True),
    Entry("GET", "/api/v1/accounts", EV, "accounts",
          "The accounts as the Assembler sees them; others see their own",
          gives=tuple[AccountView, ...], people=True),
    Entry("DELETE", "/api/v1/accounts/{name}/password", ASSEMBLER, "close_account",
          "Close EV or Installer: nobody signs in there until it is given a password",
          gives=Done, people=True, confirmed=True),
    Entry("POST", "/api/v1/accounts/{name}/second-factor", EV, "begin_second",
          "A secret for one's authenticator app", gives=SecondBegun, people=True,
          confirmed=True),
    Entry("PUT", "/api/v1/accounts/{name}/second-factor", EV, "set_second",
          "Ask for codes of that secret from now on, once a code of it is right",
          takes=Code, gives=SessionView, people=True, confirmed=True),
    Entry("DELETE", "/api/v1/accounts/{name}/second-factor", EV, "end_second",
          "Ask for no code any more: one's own, or as Assembler another's",
          gives=Done, people=True, confirmed=True),
    Entry("GET", "/api/v1/sessions", ASSEMBLER, "sessions", "Who is signed in",
          gives=tuple[OpenSession, ...], people=True, quiet=True),
    Entry("DELETE", "/api/v1/sessions", ASSEMBLER, "end_sessions",
          "End every session but one's own", gives=Done, people=True, confirmed=True),
    Entry("DELETE", "/api/v1/sessions/{id}", ASSEMBLER, "end_session", "End a session",
          gives=Done, people=True, confirmed=True),
    Entry("GET", "/api/v1/keys", INSTALLER, "keys", "The API keys, without themselves",
          gives=tuple[KeyView, ...], people=True),
    Entry("POST", "/api/v1/keys", ASSEMBLER, "add_key",
          "Make an API key; it is told this once. Without a name it takes the place of the one of "
          "its scope", takes=NewKey, gives=MadeKey, people=True, confirmed=True),
    Entry("PUT", "/api/v1/keys/{id}", ASSEMBLER, "set_key", "An API key on or off",
          takes=Switch, gives=Done, people=True, confirmed=True),
    Entry("DELETE", "/api/v1/keys/{id}", ASSEMBLER, "remove_key", "An API key ends for good",
          gives=Done, people=True, confirmed=True),
    Entry("GET", "/api/v1/audit", ASSEMBLER, "audit",
          "The audit log, the newest first: `?who=&what=&text=` (parts of it), `since=&until=` "
          "(UTC), `limit=100`, `before=NUMBER` (the next page)", gives=AuditPage, people=True),
    Entry("GET", "/api/v1/audit/chain", ASSEMBLER, "audit_chain",
          "Whether every line of the audit log is as it was written", gives=AuditChain,
          people=True),
    Entry("GET", "/api/v1/audit/export", ASSEMBLER, "export_audit",
          "What the same query finds, as a file: `?format=csv` or `json`",
          gives=tuple[AuditEntry, ...], people=True),
    Entry("GET", "/api/v1/graphs", EV, "graph",
          "The site's past: a day (`?day=2026-11-23`, of the site's calendar) or the last 24 hours,"
          " in means of `?minutes=15` (two years) or `1` (31 days)", gives=Graph, quiet=True),
    Entry("GET", "/api/v1/graphs/days", EV, "graph_days",
          "Which days of up to a month, `?from=2026-11-01&to=2026-11-30`, have anything to show; "
          "without them of the last 31 days",
          gives=GraphDays, quiet=True),
    Entry("GET", "/api/v1/graphs/csv", EV, "graph_csv",
          "The same as CSV: a day, days `from` … `to` of up to a month, or today; `?minutes=`, "
          "`?separator=comma|semicolon|tab`, `?decimal=point|comma`"),
    # alerts and upkeep
    Entry("GET", "/api/v1/alerts", EV, "alerts",
          "The history of faults: `?q=WORDS&code=CODE&charger=ID&from=DAY&to=DAY&open=1&limit=99`; "
          "days are the site's, or moments in UTC", gives=AlertsRead, quiet=True),
    Entry("GET", "/api/v1/alerts/export", EV, "export_alerts",
          "All of it that the same filter finds, as CSV"),
    Entry("POST", "/api/v1/alerts/seen", INSTALLER, "see_alerts",
          "Say that these alerts were seen", takes=Alerts, gives=Done),
    Entry("GET", "/api/v1/restarts", INSTALLER, "restarts",
          "Restarts that wait, and the newest starts", gives=RestartsRead, quiet=True),
    Entry("POST", "/api/v1/restarts", INSTALLER, "restart",
          "Start control or the pages anew", takes=RestartPart, gives=Done),
    Entry("POST", "/api/v1/restarts/cancel", INSTALLER, "cancel_restart",
          "A restart that waits is called off: of a charger, or (empty) of control",
          takes=OfCharger, gives=Done),
    Entry("PUT", "/api/v1/log/level", INSTALLER, "log_level",
          "The extended level of the log, until it is set back or LinkRay starts anew",
          takes=Level, gives=Done),
    Entry("GET", "/api/v1/log/file", INSTALLER, "log_file",
          "The log as text, or as an SQLite file (`?form=db`)"),
    Entry("GET", "/api/v1/maintenance-report", INSTALLER, "maintenance_report",
          "The maintenance report: one page to save or print, in the language `?lang=de`"),
    Entry("GET", "/api/v1/commissioning-report", INSTALLER, "commissioning_report",
          "The commissioning report: one page to save or print, in the language `?lang=de`"),
    # what an Assembler fits
    Entry("GET", "/api/v1/licence", ASSEMBLER, "licence",
          "How many connectors may be attached, and by which licence", gives=LicenceView),
    Entry("POST", "/api/v1/licence", ASSEMBLER, "import_licence",
          "Take a licence file over; `?check=1` changes nothing and answers with what it would be",
          takes=str, gives=LicenceView, body_max=16 * KIB, media=FILES, people=True),
    Entry("GET", "/api/v1/certificate", ASSEMBLER, "certificate",
          "The certificate that pages and chargers are shown", gives=CertificateView),
    Entry("GET", "/api/v1/certificate/file", ASSEMBLER, "certificate_file",
          "The same as a PEM file, without its key"),
    Entry("POST", "/api/v1/certificate", ASSEMBLER, "install_certificate",
          "Serve another certificate from the next connection on; an empty `key` is the one of the "
          "request that was made here; `?check=1` changes nothing",
          takes=NewCertificate, gives=CertificateView, body_max=256 * KIB, people=True),
    Entry("DELETE", "/api/v1/certificate", ASSEMBLER, "drop_certificate",
          "Back to the self-made certificate; client certificates are removed too",
          gives=CertificateView, people=True, confirmed=True),
    Entry("POST", "/api/v1/certificate/request", ASSEMBLER, "request_certificate",
          "Make a key, which stays on the box, and the request for its certificate",
          takes=NewRequest, gives=CertificateView, people=True),
    Entry("GET", "/api/v1/certificate/request", ASSEMBLER, "certificate_request",
          "The request that waits for its certificate, as a PEM file"),
    Entry("POST", "/api/v1/branding", ASSEMBLER, "set_branding",
          "Take a `branding.json` over, alone or in a zip with its picture; `{}` clears; "
          "`?check=1` changes nothing and answers with what it would be",
          takes=bytes, gives=BrandChecked, body_max=2048 * KIB,
          media=(*FILES, "application/zip"), people=True),
    Entry("GET", "/api/v1/meters/own", INSTALLER, "own_meter",
          "The site's own .meter file `?name=`, as a file"),
    Entry("POST", "/api/v1/meters/own", ASSEMBLER, "add_meter",
          "Keep a .meter file beside the shipped ones; `?check=1` changes nothing",
          takes=str, gives=ShippedMeter, body_max=64 * KIB, media=FILES),
    Entry("DELETE", "/api/v1/meters/own", ASSEMBLER, "delete_meter",
          "Forget the site's own .meter file `?name=`", gives=Done),
    Entry("POST", "/api/v1/factory-reset", ASSEMBLER, "factory_reset",
          "Back to what the factory made; `confirm` is the site's name, or the serial number where "
          "it has none", takes=ConfirmLoss, gives=Done, people=True),
    # charge data records
    Entry("GET", "/api/v1/delivery", EV, "delivery",
          "When charge data records are sent next, what waits, and what became of those before",
          gives=DeliveryView, quiet=True),
    Entry("POST", "/api/v1/delivery/send", INSTALLER, "send_delivery",
          "Send the charge data records that were not sent yet, now", gives=Done),
    Entry("POST", "/api/v1/delivery/test", INSTALLER, "test_delivery",
          "Send a file without any session to where it is set, and say in words what came of it",
          gives=DeliveryTested),
    Entry("PUT", "/api/v1/delivery/password", INSTALLER, "delivery_password",
          "Give the password of the server that charge data records are sent to",
          takes=DeliveryPassword, gives=Done),
    # what connections are proved with, and the network
    Entry("GET", "/api/v1/client-certificates", ASSEMBLER, "client_certificates",
          "The client certificates that were made here, and who is asked for one",
          gives=ClientsView, people=True),
    Entry("POST", "/api/v1/client-certificates", ASSEMBLER, "make_client",
          "Make a client certificate; its file (PKCS#12) with its key is told this once",
          takes=NewClient, gives=MadeClient, people=True, confirmed=True),
    Entry("DELETE", "/api/v1/client-certificates", ASSEMBLER, "remove_clients",
          "Remove all client certificates; no account asks for one", gives=ClientsView,
          people=True, confirmed=True),
    Entry("PUT", "/api/v1/client-certificates/required", ASSEMBLER, "require_clients",
          "Ask accounts of a level for a client certificate, or not any more; only who comes with "
          "one of that level or above asks for it", takes=AskCertificate, gives=ClientsView,
          people=True, confirmed=True),
    Entry("DELETE", "/api/v1/client-certificates/{id}", ASSEMBLER, "revoke_client",
          "Revoke a client certificate; one that opens nothing any more leaves the list",
          gives=ClientsView, people=True, confirmed=True),
    Entry("GET", "/api/v1/charger-links", ASSEMBLER, "charger_links",
          "What each charger's link is secured with, and who was refused in its name",
          gives=tuple[ChargerLink, ...], quiet=True),
    Entry("PUT", "/api/v1/chargers/{id}/password", ASSEMBLER, "set_charger_password",
          "Give the password that a charger must come with; one that is made up is told this once",
          takes=ChargerPassword, gives=ChargerPasswordSet, people=True, confirmed=True),
    Entry("DELETE", "/api/v1/chargers/{id}/password", ASSEMBLER, "remove_charger_password",
          "A charger comes without a password again", gives=Done, people=True, confirmed=True),
    Entry("GET", "/api/v1/network", INSTALLER, "network",
          "Links, route and names of the box", gives=NetworkView, quiet=True),
    Entry("GET", "/api/v1/neighbours", ASSEMBLER, "neighbours",
          "Connected chargers and gateways, which have pages of their own",
          gives=tuple[Neighbour, ...], quiet=True),
    Entry("GET", "/api/v1/openapi.json", EV, "openapi", "This API, as OpenAPI 3.1",
          gives=dict[str, Any]),
)  # fmt: skip


class BadTable(ValueError):
    """A route that may not be served as it stands: the start fails, naming it."""


def check(table: tuple[Entry, ...], api: object) -> None:
    """Every route has a level and somebody who answers, and none stands there twice."""
    seen: set[tuple[str, str]] = set()
    for entry in table:
        name = f"{entry.method} {entry.path}"
        if entry.least not in {NOBODY, EV, INSTALLER, ASSEMBLER}:
            raise BadTable(f"{name}: expected a level from 0 to 3, got {entry.least!r}")
        if not callable(getattr(api, entry.answer, None)):
            raise BadTable(f"{name}: expected an answerer, got {entry.answer!r}")
        if (entry.method, entry.path) in seen:
            raise BadTable(f"{name} stands there twice")
        seen.add((entry.method, entry.path))

