"""All that a person can set, as one tree: limits, units, help and least level on every field.

From this tree come validation, defaults, the API's schema, the form's limits and help, and who may
change what. Changing it is a whole new tree or nothing.
"""

from __future__ import annotations

import functools
import re
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from linkray.model.plain import in_plain
from linkray.model.units import Connection, Phases

VERSION = 1  # of the settings file; a higher one is refused by name
GROUPS_MAX = 200
CHARGERS_MAX = 1000
AMPS_MA_MAX = 6_300_000  # 6,300 A: the largest building feed we ever heard of
END = r"(?![\s\S])"  # `$` lets a line's end through
ONE_LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"  # no control character, and nothing that breaks it
IDENTITY = rf"^[A-Za-z0-9*_=:+|@.\- ]{{1,48}}{END}"  # chargers.md, Connecting
NAME = rf"^{ONE_LINE}*{END}"
LAST_MINUTE = "23:59"  # as an end it means midnight (the manual's example)
NMI = rf"^([A-HJ-NP-Z0-9]{{10}})?{END}"  # AEMO: letters without I and O
MINUTE = rf"^([01][0-9]|2[0-3]):[0-5][0-9]{END}"


def _meta(
    text: str,
    *,
    level: int = 2,
    unit: str = "",
    ge: int | None = None,
    le: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
) -> Meta:
    """Help, unit and least level of a field, where every form and the API find them."""
    extra: dict[str, object] = {"x-level": level}
    if unit:
        extra["x-unit"] = unit
    if pattern is not None or max_length is not None:
        return Meta(
            description=text, pattern=pattern, max_length=max_length, extra_json_schema=extra
        )
    return Meta(description=text, ge=ge, le=le, extra_json_schema=extra)


Milliamps = Annotated[int, Meta(ge=0, le=AMPS_MA_MAX)]
Identity = Annotated[str, Meta(pattern=IDENTITY)]
MeterFileValue = str | int | float | bool


class SettingsPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A branch of the tree: unknown names are refused, with their path."""


class LimitPhases(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Amps for each phase, checked; `phases()` is the amount to reckon with."""

    l1: Milliamps
    l2: Milliamps
    l3: Milliamps

    def phases(self) -> Phases:
        return Phases(self.l1, self.l2, self.l3)


class MeterSettings(SettingsPart, frozen=True):
    """The site meter (metering.md; manual, 10 and 27)."""

    enabled: Annotated[bool, _meta("Use an external meter to see what the building draws")] = False
    location: Annotated[
        Literal["grid", "building"],
        _meta("What the meter sees: grid is building and chargers, building is the building alone"),
    ] = "grid"
    on_failure: Annotated[
        Literal["limits", "half"],
        _meta("When the meter fails: the degraded limits, or half of what was drawn"),
    ] = "limits"
    degraded_ma: Annotated[
        LimitPhases, _meta("Amps per phase while the meter is not working; 0 stops", unit="mA")
    ] = LimitPhases(0, 0, 0)
    fast: Annotated[bool, _meta("Read back to back, up to ten times a second")] = False
    file: Annotated[
        dict[str, MeterFileValue] | None, _meta("The meter's description, a .meter file")
    ] = None


class Site(SettingsPart, frozen=True):
    """The site (manual, Set the site power usage; balancing.md, The site)."""

    name: Annotated[str, _meta("Name of the site", max_length=50, pattern=NAME)] = ""
    voltage_mv: Annotated[
        int, _meta("Voltage from phase to neutral", unit="mV", ge=90_000, le=260_000)
    ] = 230_000
    limit_ma: Annotated[
        LimitPhases, _meta("Amps the site may use on L1, L2 and L3", unit="mA")
    ] = LimitPhases(100_000, 100_000, 100_000)
    measurand_interval_s: Annotated[
        int, _meta("Seconds between the meter values of a charger", unit="s", ge=5, le=900)
    ] = 10
    fifo: Annotated[bool, _meta("First come, first served: full power in order of start")] = False
    meter: MeterSettings = MeterSettings()
    split_mode: Annotated[
        Literal["off", "240", "208"],
        _meta("Split mode: off, 240 V dual phase, or 208 V line to line"),
    ] = "off"
    use_solar_surplus: Annotated[
        bool, _meta("Let chargers use what the building exports, phase by phase")
    ] = False
    reduction_threshold_ma: Annotated[
        int,
        _meta("How much less than offered a car must use to be offered less", unit="mA",
              ge=500, le=32_000),
    ] = 2_000  # fmt: skip
    margin_ma: Annotated[
        int, _meta("Kept free on every phase under a meter", unit="mA", ge=0, le=100_000)
    ] = 0
    dead_man_s: Annotated[
        int,
        _meta("A charger that has lost LinkRay steps down after this time", unit="s",
              ge=60, le=86_400),
    ] = 180  # fmt: skip
    imbalance_ma: (
        Annotated[
            int,
            _meta("Most by which two phases may differ through the chargers; none: off",
                  unit="mA", ge=0, le=AMPS_MA_MAX),
        ]
        | None
    ) = None  # fmt: skip
    shed_order: Annotated[
        Literal["longest", "energy", "last"],
        _meta("Who is paused first where minimums do not fit: longest charged, most energy, "
              "or last come"),
    ] = "longest"  # fmt: skip
    base_load_ma: Annotated[
        LimitPhases,
        _meta("Declared load of the building: with all fail-safe currents it must fit under "
              "the engineering ceiling", unit="mA"),
    ] = LimitPhases(0, 0, 0)  # fmt: skip
    probe_chargers: Annotated[
        bool, _meta("Find out in a charger's first session what it does at 0 A and on its own")
    ] = True
    new_chargers: Annotated[
        Literal["add", "ask"], _meta("A charger never seen before: add at once, or ask first")
    ] = "add"
    time_zone: Annotated[str, _meta("Time zone of the site", max_length=64)] = "UTC"

    def milli_phases(self, phases: int) -> int:
        """How many phases' worth of power a charger's amps are, in 1/1000: two legs of 208 V, line
        to line, are √3 of one at 120 V.
        """
        return {1: 1_000, 2: 2_000 if self.split_mode == "240" else 1_732, 3: 3_000}[phases]


class Group(SettingsPart, frozen=True):
    """Chargers behind one cable or fuse (manual, Configure chargers as a group)."""

    name: Annotated[str, _meta("Name of the group", max_length=50, pattern=rf"^{ONE_LINE}+{END}")]
    limit_ma: Annotated[
        int, _meta("Amps on every phase that the group feeds", unit="mA", ge=0, le=AMPS_MA_MAX)
    ]
    parent: Annotated[str | None, _meta("The group that feeds this one; none: the site")] = None


class Charger(SettingsPart, frozen=True):
    """What is kept for a charger (chargers.md). Amps per phase, watts in total."""

    id: Annotated[str, _meta("Identity: the last part of the address it dials", pattern=IDENTITY)]
    name: Annotated[str, _meta("Friendly name", max_length=50, pattern=NAME)] = ""
    phases: Annotated[Literal[1, 2, 3], _meta("1 or 3; in split mode 2 legs")] = 1
    connection: Annotated[
        Connection, _meta("The phases of the site that its own phases are wired to")
    ] = "L1"
    max_ma: (
        Annotated[int, _meta("Most it may draw per phase", unit="mA", ge=1_000, le=1_000_000)]
        | UnsetType
    ) = UNSET
    max_w: (
        Annotated[int, _meta("Most it may draw in all", unit="W", ge=1_000, le=2_000_000)]
        | UnsetType
    ) = UNSET
    min_ma: (
        Annotated[int, _meta("Least it charges with, per phase", unit="mA", ge=0, le=1_000_000)]
        | UnsetType
    ) = UNSET
    min_w: (
        Annotated[int, _meta("Least it charges with, in all", unit="W", ge=0, le=2_000_000)]
        | UnsetType
    ) = UNSET
    unit: Annotated[Literal["A", "W"], _meta("Charge rate unit of its profiles")] = "A"
    start_with_zero: Annotated[
        bool, _meta("Start new transactions with zero power, until LinkRay offers")
    ] = True
    supply_limit_ma: (
        Annotated[
            int,
            _meta("Amps per phase that its connectors share", unit="mA", ge=1_000, le=AMPS_MA_MAX),
        ]
        | None
    ) = None
    fallback_ma: (
        Annotated[
            int,
            _meta("Amps per phase it may draw on its own when it has lost LinkRay", unit="mA",
                  ge=0, le=1_000_000),
        ]
        | None
    ) = None  # fmt: skip
    writes_a_day: (
        Annotated[
            int,
            _meta("Profile writes it may be given a day; none: what its make stands",
                  ge=10, le=1_000_000),
        ]
        | None
    ) = None  # fmt: skip
    turn_tags: Annotated[
        bool, _meta("Its reader says the bytes of a tag in the opposite order")
    ] = False
    group: Annotated[str | None, _meta("The group that feeds it; none: the site")] = None
    priority: Annotated[Literal["normal", "high"], _meta("High is served first")] = "normal"
    nmi: Annotated[
        str, _meta("National Metering Identifier in NEM12 files, 10 characters without I and O; "
                   "empty: one is derived from the identity", pattern=NMI, max_length=10)
    ] = ""

    def highest_ma(self) -> int:
        """Its maximum per phase in mA; meaningful where `max_w` is not set (32 A by default)."""
        return 32_000 if isinstance(self.max_ma, UnsetType) else self.max_ma

    def lowest_ma(self) -> int:
        """Its minimum per phase in mA: 6 A by default, never below (IEC 61851)."""
        return 6_000 if isinstance(self.min_ma, UnsetType) else max(6_000, self.min_ma)

    def highest_w(self) -> int | None:
        return None if isinstance(self.max_w, UnsetType) else self.max_w

    def lowest_w(self) -> int | None:
        return None if isinstance(self.min_w, UnsetType) else self.min_w


class Csms(SettingsPart, frozen=True):
    """The uplink (csms.md); empty address: stand-alone."""

    url: Annotated[str, _meta("CSMS address, ws(s)://HOST[:PORT][/PATH]; empty: stand-alone",
                              level=3, max_length=255)] = ""  # fmt: skip
    prefix: Annotated[
        str, _meta("Part of the path before the charger's identity", level=3, max_length=48,
                   pattern=NAME)
    ] = ""
    ca: Annotated[
        str, _meta("PEM of the authority that signed the CSMS's certificate; empty: the system's",
                   level=3, max_length=65_536)
    ] = ""  # fmt: skip
    allow_without: Annotated[
        bool, _meta("Allow charging without the CSMS or the internet", level=3)
    ] = True
    password_in_clear: Annotated[
        bool,
        _meta("Send passwords to the CSMS also over ws://, where anybody on the way can read them",
              level=3),
    ] = False  # trust.md A39


Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


class Exclusion(SettingsPart, frozen=True):
    """A time of the week in which no charger charges (balancing.md, Charging schedule)."""

    days: Annotated[tuple[Day, ...], _meta("Days of the week")]
    start: Annotated[str, _meta("First minute, HH:MM, in the site's time zone", pattern=MINUTE)]
    end: Annotated[str, _meta("Last minute, HH:MM; 23:59 means midnight", pattern=MINUTE)]


class Access(SettingsPart, frozen=True):
    """Who may charge when LinkRay decides (access.md, RFID). Passwords and keys are not here."""

    whitelist: Annotated[
        bool, _meta("Only listed tags may charge while LinkRay decides, those that the CSMS has "
                    "accepted in the last 30 days, and starts by hand; off: any tag")
    ] = False
    open_confirmed: Annotated[
        bool, _meta("It is meant that any tag may charge while LinkRay decides: no notice says so")
    ] = False  # trust.md A36
    vip: Annotated[
        tuple[Annotated[str, Meta(max_length=20, pattern=rf"^{ONE_LINE}+{END}")], ...],
        _meta("Tags whose sessions have high priority; case does not matter", max_length=1_000),
    ] = ()


HOST = r"^[A-Za-z0-9._:\-]*$"  # a name or an address, without a scheme
MAIL = re.compile(r"^[^\s@;,<>\"]+@[^\s@;,<>\"]+$", re.ASCII)
SECURITIES = {"smtp": ("starttls", "tls", "none"), "ftp": ("starttls", "tls", "none"),
              "http": ("tls", "none")}  # fmt: skip


class Delivery(SettingsPart, frozen=True):
    """Where charge data records go by themselves (records.md, Transactions). The password is not
    here.
    """

    frequency: Annotated[
        Literal["off", "daily", "weekly", "monthly"],
        _meta("When charge data records are sent, at 00:01 at the site: every day, every Monday or "
              "on the 1st of every month"),
    ] = "off"  # fmt: skip
    protocol: Annotated[
        Literal["smtp", "ftp", "http"],
        _meta("By e-mail, into a folder of an FTP server, or as an upload to a web server"),
    ] = "smtp"
    security: Annotated[
        Literal["starttls", "tls", "none"],
        _meta("TLS from the first byte, or with STARTTLS before anything is said; the server's "
              "certificate is checked. None: anybody on the way can read and change what is sent"),
    ] = "starttls"  # fmt: skip
    server: Annotated[
        str, _meta("Name or address of the server, without http:// and the like", max_length=255,
                   pattern=HOST)
    ] = ""  # fmt: skip
    port: (
        Annotated[int, _meta("Port of the server; none: the usual one", ge=1, le=65_535)] | None
    ) = None
    username: Annotated[
        str, _meta("As whom LinkRay signs in there; empty: it does not", max_length=128,
                   pattern=NAME)
    ] = ""  # fmt: skip
    password_in_clear: Annotated[
        bool, _meta("Send the password also without TLS, where anybody on the way can read it")
    ] = False
    ca: Annotated[
        str, _meta("PEM of the authority that signed the server's certificate; empty: the system's",
                   max_length=65_536)
    ] = ""  # fmt: skip
    sender: Annotated[
        str, _meta("Address that e-mails are from", max_length=254, pattern=NAME)
    ] = ""
    receivers: Annotated[
        str, _meta("Addresses that e-mails go to, with semicolons between them", max_length=1_000,
                   pattern=NAME)
    ] = ""  # fmt: skip
    path: Annotated[
        str, _meta("Folder on the FTP server, or path on the web server", max_length=200,
                   pattern=NAME)
    ] = ""  # fmt: skip
    field: Annotated[
        str, _meta("Name of the form field in which a web server takes files (POST); empty: each "
                   "file is put below the path under its own name (PUT)", max_length=50,
                   pattern=r"^[^\x00-\x1f\x7f\"]*$")
    ] = ""  # fmt: skip
    separator: Annotated[
        Literal["comma", "semicolon", "tab"], _meta("What stands between two fields of a record")
    ] = "comma"
    decimal: Annotated[Literal["point", "comma"], _meta("Decimal sign of the energy")] = "point"

    def to(self) -> tuple[str, ...]:
        """The receivers one by one."""
        return tuple(filter(None, (one.strip() for one in self.receivers.split(";"))))

    @property
    def place(self) -> str:
        """Which server this is, and how it is reached: a password is for one alone, and was given
        for a line as safe as this one.
        """
        how = {"starttls": "with STARTTLS", "tls": "with TLS", "none": "without TLS"}
        return f"{self.protocol}://{self.server.lower()}:{self.at_port} {how[self.security]}"

    @property
    def at_port(self) -> int:
        if self.port is not None:
            return self.port
        return {
            "smtp": {"starttls": 587, "tls": 465, "none": 25},
            "ftp": {"starttls": 21, "tls": 990, "none": 21},
            "http": {"tls": 443, "none": 80, "starttls": 443},
        }[self.protocol][self.security]


class Settings(SettingsPart, frozen=True):
    """The whole tree, as the settings file holds it (decided.md, Names)."""

    version: Annotated[int, Meta(ge=1, le=VERSION)] = VERSION
    site: Site = Site()
    groups: Annotated[tuple[Group, ...], Meta(max_length=GROUPS_MAX)] = ()
    chargers: Annotated[tuple[Charger, ...], Meta(max_length=CHARGERS_MAX)] = ()
    csms: Csms = Csms()
    schedule: Annotated[
        tuple[Exclusion, ...],
        _meta("Times in which no charger charges", max_length=200),
    ] = ()
    access: Access = Access()
    delivery: Delivery = Delivery()

    def charger(self, charger_id: str) -> Charger | None:
        return next((c for c in self.chargers if c.id == charger_id), None)

    def group(self, name: str) -> Group | None:
        return next((g for g in self.groups if g.name == name), None)


class BadSettings(ValueError):
    """A tree that cannot be: the message names the path, what was expected and what came."""


class _Told(msgspec.Struct):
    """What a settings file says of itself."""

    version: int = VERSION


def read_settings(raw: bytes | str) -> Settings:
    """A settings file or API body, checked whole; raises `BadSettings`."""
    try:
        version = msgspec.json.decode(raw, type=_Told).version
        if version > VERSION:
            raise BadSettings(
                f"Expected settings of version {VERSION}, got {version}, made by a newer LinkRay "
                "- at $.version"
            )
        settings = msgspec.json.decode(raw, type=Settings)
    except msgspec.ValidationError as error:
        raise BadSettings(in_plain(error)) from None
    except msgspec.DecodeError as error:
        raise BadSettings(f"Expected a settings file, got no JSON: {in_plain(error)}") from None
    check_settings(settings)
    return settings


def read_kept(raw: str) -> Settings:
    """Settings that were kept by an older version too: a name that it took and that is no line for
    this one loses what breaks the line, and nothing else is lost for it. Raises `BadSettings`.
    """
    try:
        return read_settings(raw)
    except BadSettings as error:
        try:
            tree = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            raise error from None
        return read_settings(msgspec.json.encode(_in_one_line(tree)))


def _in_one_line(node: object) -> object:
    """A tree whose texts have one line each; what has several by its nature stays (PEM)."""
    if isinstance(node, dict):
        return {key: _in_one_line(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_in_one_line(value) for value in node]
    if isinstance(node, str) and "-----BEGIN" not in node:
        return "".join(re.findall(ONE_LINE, node))
    return node


def check_settings(settings: Settings) -> None:
    """What one field alone cannot say; raises `BadSettings` naming the first that is wrong."""
    names = [g.name for g in settings.groups]
    if len(set(names)) < len(names):
        raise BadSettings(f"groups: the name {_doubled(names)!r} is given twice - at $.groups")
    ids = [c.id for c in settings.chargers]
    if len(set(ids)) < len(ids):
        raise BadSettings(f"chargers: the id {_doubled(ids)!r} is given twice - at $.chargers")
    given = [c.nmi for c in settings.chargers if c.nmi]
    if len(set(given)) < len(given):
        raise BadSettings(f"chargers: the NMI {_doubled(given)!r} is given twice - at $.chargers")
    parents = {g.name: g.parent for g in settings.groups}
    for place, group in enumerate(settings.groups):
        _check_group(group, parents, f"$.groups[{place}]")
    for place, charger in enumerate(settings.chargers):
        _check_charger(charger, settings, f"$.chargers[{place}]")


def check_sense(settings: Settings, before: Settings | None = None) -> None:
    """What can be read and kept, and yet makes no sense: refused where it is new (trust.md B8).

    What stands in `before` already stays: an older version let it in, and other things must still
    be changed. Raises `BadSettings`.
    """
    kept = before if before is not None else Settings()
    if not any(settings.site.limit_ma.phases()) and settings.site.limit_ma != kept.site.limit_ma:
        raise BadSettings("Expected amps on at least one phase, got 0 on all - at $.site.limit_ma")
    if settings.delivery != kept.delivery:
        _check_delivery(settings.delivery)
    for place, exclusion in enumerate(settings.schedule):
        if exclusion not in kept.schedule:
            _check_exclusion(exclusion, f"$.schedule[{place}]")
    for place, charger in enumerate(settings.chargers):
        is_new, path = charger not in kept.chargers, f"$.chargers[{place}]"
        if is_new:
            _check_amounts(charger, path)
        trouble = _cannot_charge(charger, settings.site, path)
        if trouble is not None and (is_new or _cannot_charge(charger, kept.site, path) is None):
            raise BadSettings(trouble)


def _check_delivery(delivery: Delivery) -> None:
    """What is sent has somewhere to go; what is off may be half filled in."""
    how, addresses = delivery.protocol, (delivery.sender, *delivery.to())
    if delivery.security not in SECURITIES[how]:
        raise BadSettings(
            f"Expected tls or none with http, got {delivery.security} - at $.delivery.security"
        )
    bad = next((one for one in filter(None, addresses) if not MAIL.match(one)), None)
    if bad is not None:
        field = "sender" if bad == delivery.sender else "receivers"
        raise BadSettings(f"Expected an e-mail address, got {bad!r} - at $.delivery.{field}")
    if delivery.frequency == "off":
        return
    if not delivery.server:
        raise BadSettings("Expected a server, got none - at $.delivery.server")
    if how == "smtp" and not delivery.sender:
        raise BadSettings("Expected an e-mail address, got none - at $.delivery.sender")
    if how == "smtp" and not delivery.to():
        raise BadSettings("Expected an e-mail address, got none - at $.delivery.receivers")


def _check_exclusion(exclusion: Exclusion, path: str) -> None:
    if not exclusion.days:
        raise BadSettings(f"Expected at least one day, got none - at {path}.days")
    if len(set(exclusion.days)) < len(exclusion.days):
        day = _doubled(list(exclusion.days))
        raise BadSettings(f"The day {day} is given twice - at {path}.days")
    start, end = exclusion.start, exclusion.end
    if start >= end and start != LAST_MINUTE:
        raise BadSettings(
            f"Expected an end after {start}, got {end}; across midnight give two: {start} to "
            f"{LAST_MINUTE} and, on the next day, 00:00 to {end} - at {path}.end"
        )


def _cannot_charge(charger: Charger, site: Site, path: str) -> str | None:
    """Why no legal offer is left between its minimum and its maximum, where one of them is in
    watts: what it is told in amps goes by 100 mA (trust.md 1, INV-6).
    """
    highest_w, lowest_w = charger.highest_w(), charger.lowest_w()
    field = "max_ma" if highest_w is None else "max_w"
    each = site.voltage_mv * site.milli_phases(charger.phases)  # of a mA, in 1/10^9 W
    if charger.unit == "W":
        least = -(-charger.lowest_ma() * each // 10**9) if lowest_w is None else lowest_w
        most = charger.highest_ma() * each // 10**9 if highest_w is None else highest_w
    else:
        least = charger.lowest_ma()
        if lowest_w is not None:
            least = max(6_000, -(-lowest_w * 10**9 // each))
        most = charger.highest_ma() if highest_w is None else highest_w * 10**9 // each
        least, most = -(-least // 100) * 100, most // 100 * 100
    unit = "W" if charger.unit == "W" else "mA per phase"
    if least <= most:
        return None
    return f"Expected at least its minimum of {least} {unit}, got {most} {unit} - at {path}.{field}"


def _check_amounts(charger: Charger, path: str) -> None:
    """A fall-back it can charge with or none at all, and a supply it can charge from."""
    if charger.highest_w() is not None:  # its amps follow from watts and volts
        return
    least, most = charger.lowest_ma(), charger.highest_ma()
    alone = charger.fallback_ma
    if alone is not None and alone != 0 and not least <= alone <= most:
        raise BadSettings(
            f"Expected 0, or from {least} to {most} mA, got {alone} - at {path}.fallback_ma"
        )
    supply = charger.supply_limit_ma
    if supply is not None and supply < least:
        raise BadSettings(
            f"Expected at least its minimum of {least} mA, got {supply} - at "
            f"{path}.supply_limit_ma"
        )


def _doubled(names: list[str]) -> str:
    return next(name for name in names if names.count(name) > 1)


def _check_group(group: Group, parents: dict[str, str | None], path: str) -> None:
    seen = {group.name}
    parent = group.parent
    while parent is not None:
        if parent not in parents:
            raise BadSettings(f"Expected the name of a group, got {parent!r} - at {path}.parent")
        if parent in seen:
            raise BadSettings(f"group {group.name!r} feeds itself - at {path}.parent")
        seen.add(parent)
        parent = parents[parent]


LEGS = {
    1: ("L1", "L2", "L3"),
    2: ("L1-L2", "L2-L3", "L3-L1"),
    3: ("L1-L2-L3", "L2-L3-L1", "L3-L1-L2", "L1-L3-L2", "L2-L1-L3", "L3-L2-L1"),
}


def _check_charger(charger: Charger, settings: Settings, path: str) -> None:
    if charger.connection not in LEGS[charger.phases]:
        raise BadSettings(
            f"Expected one of {', '.join(LEGS[charger.phases])} with {charger.phases} phase(s), "
            f"got {charger.connection!r} - at {path}.connection"
        )
    split = settings.site.split_mode
    if charger.phases == 2 and split == "off":
        raise BadSettings(
            f"phases {charger.phases} does not go with split mode {split!r} - at {path}.phases"
        )
    if split == "240" and charger.connection != "L1-L2":
        raise BadSettings(f"240 V split mode is L1-L2, got {charger.connection!r} - at "
                          f"{path}.connection")  # fmt: skip
    if charger.group is not None and settings.group(charger.group) is None:
        raise BadSettings(
            f"Expected the name of a group, got {charger.group!r} - at {path}.group"
        )
    highest_w, lowest_w = charger.highest_w(), charger.lowest_w()
    if charger.lowest_ma() > charger.highest_ma() and highest_w is None:
        raise BadSettings(
            f"min {charger.lowest_ma()} mA is above max {charger.highest_ma()} mA - at "
            f"{path}.min_ma"
        )
    if highest_w is not None and lowest_w is not None and lowest_w > highest_w:
        raise BadSettings(f"min {lowest_w} W is above max {highest_w} W - at {path}.min_w")


def least_levels() -> dict[str, int]:
    """The least level that may change each leaf, by dotted path without list places."""
    levels: dict[str, int] = {}
    _walk(Settings, "", levels)
    return levels


def _walk(struct: type[msgspec.Struct], path: str, levels: dict[str, int]) -> None:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        name = f"{path}.{field.encode_name}".lstrip(".")
        level = _level_in(hints[field.name])
        inner = _struct_in(hints[field.name])
        if inner is not None and inner is not LimitPhases:
            _walk(inner, name, levels)
        else:
            levels[name] = level


def _level_in(hint: object) -> int:
    """The `x-level` of a hint, itself or inside a union; 2 where none is said."""
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, Meta) and extra.extra_json_schema:
            return int(str(extra.extra_json_schema.get("x-level", 2)))
    return max((_level_in(part) for part in getattr(hint, "__args__", ())), default=2)


def _struct_in(hint: object) -> type[msgspec.Struct] | None:
    """The struct that a hint holds, itself or as a list's item."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    for argument in getattr(hint, "__args__", ()):
        found = _struct_in(argument)
        if found is not None:
            return found
    return None


@functools.cache
def schema() -> bytes:
    """The tree as JSON Schema 2020-12, with `x-unit` and `x-level`: for the API and the forms."""
    return msgspec.json.encode(msgspec.json.schema(Settings))
