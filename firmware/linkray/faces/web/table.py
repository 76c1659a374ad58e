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
from linkray.model.faults import Fault
from linkray.model.handed import FILE_BYTES_MAX
from linkray.model.passport import PassportFile, PassportNow
from linkray.model.settings import LimitPhases, MeterFileValue, Settings
from linkray.model.views import (
    CeilingView,
    ChargerKey,
    ChargerSaid,
    ChargerView,
    CommissioningCheck,
    CsmsQueue,
    DiagnosticsView,
    FirmwareShelf,
    FramesRead,
    MeterView,
    OfferChange,
    PlanView,
    SetAsideMessage,
    SiteView,
    Snapshot,
    UplinkTested,
    UplinkView,
)

KIB = 1024
JSON = "application/json"
PATCH = "application/merge-patch+json"
NOBODY = 0


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body: unknown names are refused, with their path."""


class SignIn(Body, frozen=True):
    """An account and its password."""

    account: str
    password: str


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


class LetGo(Body, frozen=True):
    """What waits for an address that is not set goes, up to the number `through`."""

    csms: str
    through: int


class KeyValue(Body, frozen=True):
    """A configuration key of a charger, and its new value."""

    key: str
    value: str


class Act(Body, frozen=True):
    """What a charger is to do; `connector` 0: the whole charger; `message`: what `trigger` asks."""

    act: ActName
    connector: int = 0
    message: Triggered = "StatusNotification"


class FirmwareFor(Body, frozen=True):
    """A firmware file that is held, and the chargers that are to fetch it."""

    name: str
    chargers: tuple[str, ...]


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

