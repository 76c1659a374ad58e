"""A site as a TOML file: the world made of it, and what LinkRay must be set to for it.

Unknown keys are refused with their place, as a typing mistake would otherwise change the world.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from tools.world.car import Three
from tools.world.day import Habits, Visit
from tools.world.make import Make
from tools.world.meters import MAPS, SDM630
from tools.world.schemas import Json
from tools.world.world import NOON, World

SITES = Path(__file__).parents[2] / "tests" / "sim" / "sites"
SETTINGS_VERSION = 1
LEAST_MA = 6_000
PARTS = ("site", "building", "meter", "groups", "chargers", "schedule", "day")


class BadSite(ValueError):
    """A site file that cannot be: says where, what was expected and what came."""


@dataclass(frozen=True)
class Place:
    """One charger of the site, as LinkRay must know it and as it is."""

    id: str
    name: str
    connection: str
    make: Make
    group: str | None = None
    priority: str = "normal"
    supply_limit_ma: int | None = None
    fallback_ma: int | None = None
    writes_a_day: int | None = None
    min_ma: int = LEAST_MA
    start_with_zero: bool = True

    @property
    def phases(self) -> int:
        return len(self.connection.split("-"))


@dataclass(frozen=True)
class GroupOf:
    """One group of the site."""

    name: str
    limit_ma: int
    parent: str | None = None


@dataclass(frozen=True)
class MeterOf:
    """The site meter; `file` as a `.meter` file has it."""

    location: str = "grid"
    on_failure: str = "limits"
    degraded_ma: Three = (0, 0, 0)
    file: Json | None = None
    map: str | None = None  # the name of one of `tools.world.meters`, instead of a file


@dataclass(frozen=True)
class BuildingOf:
    """The building's load between night and peak."""

    night_ma: Three = (0, 0, 0)
    peak_ma: Three = (0, 0, 0)
    noise_ma: int = 0
    solar_peak_ma: Three = (0, 0, 0)


@dataclass(frozen=True)
class SiteOf:
    """The site itself."""

    name: str = ""
    limit_ma: Three = (100_000, 100_000, 100_000)
    voltage_mv: int = 230_000
    time_zone: str = "UTC"
    measurand_interval_s: int = 10
    fifo: bool = False
    split_mode: str = "off"
    use_solar_surplus: bool = False
    imbalance_ma: int | None = None
    shed_order: str = "longest"
    dead_man_s: int = 180
    base_load_ma: Three = (0, 0, 0)
    new_chargers: str = "add"
    vip: tuple[str, ...] = ()  # tags


@dataclass(frozen=True)
class ExclusionOf:
    """A time of the week in which nothing charges."""

    days: tuple[str, ...]
    start: str
    end: str


@dataclass(frozen=True)
class Description:
    """All of a site file."""

    site: SiteOf
    building: BuildingOf
    meter: MeterOf | None
    groups: tuple[GroupOf, ...]
    places: tuple[Place, ...]
    schedule: tuple[ExclusionOf, ...] = ()
    day: Habits = field(default_factory=Habits)


def site_file(told: str) -> Path:
    """A path, or the name of one of `tests/sim/sites/`; raises `BadSite`."""
    known = {path.stem: path for path in sorted(SITES.glob("*.toml"))}
    path = Path(told)
    if path.exists():
        return path
    if told not in known:
        raise BadSite(f"expected a site file or one of {', '.join(known)}, got {told}")
    return known[told]


def load_site(path: Path) -> Description:
    """A site file with a charger or more; raises `BadSite`, `OSError`."""
    site = read_site(path.read_text(encoding="utf-8"))
    if not site.places:
        raise BadSite(f"expected one [[chargers]] or more in {path}, got none")
    return site


def read_site(text: str) -> Description:
    """A site file's text; raises `BadSite`."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSite(f"expected TOML: {error}") from None
    unknown = set(told) - set(PARTS)
    if unknown:
        raise BadSite(f"expected {', '.join(PARTS)}, got {sorted(unknown)}")
    return Description(
        site=SiteOf(**_known(SiteOf, told.get("site", {}), "site")),
        building=BuildingOf(**_known(BuildingOf, told.get("building", {}), "building")),
        meter=_read_meter(told.get("meter")),
        groups=tuple(
            GroupOf(**_known(GroupOf, group, f"groups[{place}]"))
            for place, group in enumerate(told.get("groups", []))
        ),
        places=tuple(
            one
            for place, charger in enumerate(told.get("chargers", []))
            for one in _read_places(charger, f"chargers[{place}]")
        ),
        schedule=tuple(
            ExclusionOf(**_known(ExclusionOf, time, f"schedule[{place}]"))
            for place, time in enumerate(told.get("schedule", []))
        ),
        day=_read_day(told.get("day", {})),
    )


def _read_day(told: Json) -> Habits:
    read = _known(Habits, {**told, "visits": ()}, "day")
    visits = told.get("visits", [])
    if isinstance(visits, list) and visits:
        read["visits"] = tuple(
            Visit(**_known(Visit, visit, f"day.visits[{place}]"))
            for place, visit in enumerate(visits)
        )
    else:
        del read["visits"]
    return Habits(**read)


def _read_meter(told: Json | None) -> MeterOf | None:
    if told is None:
        return None
    read = _known(MeterOf, told, "meter")
    named = read.get("map")
    if named is not None and named not in MAPS:
        raise BadSite(f"expected a meter of {', '.join(MAPS)} at meter.map, got {named!r}")
    usual = MAPS[named] if named else SDM630
    return MeterOf(**{**read, "file": read.get("file", usual)})


def _read_places(told: Json, where: str) -> list[Place]:
    """One charger, or `count` alike: `{n}` in id and name counts them, connections take turns."""
    count, wirings = told.get("count", 1), told.get("connections")
    alike = {key: value for key, value in told.items() if key not in ("count", "connections")}
    if "count" not in told:
        return [_read_place(alike, where)]
    made = []
    for n in range(count):
        own = {**alike, "id": str(told.get("id", "")).format(n=n + 1),
               "name": str(told.get("name", "")).format(n=n + 1)}  # fmt: skip
        if wirings:
            own["connection"] = wirings[n % len(wirings)]
        made.append(_read_place(own, where))
    return made


def _read_place(told: Json, where: str) -> Place:
    make = _known(Make, told.get("make", {}), f"{where}.make")
    for name in ("stack_refused", "refused_purposes", "refused_kinds", "muted_purposes"):
        if name in make:
            make[name] = frozenset(make[name])
    if "id" not in told:
        raise BadSite(f"expected an id at {where}")
    own = Make(**make)
    usual = {"name": "", "connection": "L1-L2-L3" if own.phases == 3 else "L1"}
    place = Place(**{**usual, **_known(Place, told, where), "make": own})
    if own.phases > place.phases:
        raise BadSite(f"{own.phases} phases do not go with {place.connection!r} at {where}")
    return place


def _known(kind: type[Any], told: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keys of a dataclass as keyword arguments, lists as tuples."""
    names = [field.name for field in fields(kind)]
    for key in told:
        if key not in names:
            raise BadSite(f"expected one of {', '.join(names)} at {where}, got {key!r}")
    return {key: tuple(v) if isinstance(v, list) else v for key, v in told.items()}


def make_world(
    site: Description,
    seed: int = 0,
    *,
    utc: datetime = NOON,
    checks: bool = True,
    step_s: float = 0.5,
    rest_s: float | None = None,
) -> World:
    """The world of this description, with nobody in it yet."""
    volts = site.site.voltage_mv
    world = World(
        seed,
        limit_ma=site.site.limit_ma,
        meter_sees=site.meter.location if site.meter else "grid",
        volts_mv=(volts, volts, volts),
        utc=utc,
        step_s=step_s,
        checks=checks,
        split_mode=site.site.split_mode,
        rest_s=rest_s,
    )
    world.building.night_ma = site.building.night_ma
    world.building.peak_ma = site.building.peak_ma
    world.building.noise_ma = site.building.noise_ma
    world.building.solar_peak_ma = site.building.solar_peak_ma
    for group in site.groups:
        world.add_group(group.name, group.limit_ma, group.parent)
    for place in site.places:
        world.add_charger(
            place.id, make=place.make, connection=place.connection, group=place.group
        )
    if site.meter is not None:
        world.add_meter(site.meter.file)
    return world


def settings(site: Description, *, meter_tcp: tuple[str, int] | None = None) -> Json:
    """What LinkRay must be set to (decided.md, settings file); `meter_tcp`: where its meter is."""
    told: Json = {
        "name": site.site.name,
        "voltage_mv": site.site.voltage_mv,
        "limit_ma": list(site.site.limit_ma),
        "measurand_interval_s": site.site.measurand_interval_s,
        "fifo": site.site.fifo,
        "time_zone": site.site.time_zone,
        "split_mode": site.site.split_mode,
        "use_solar_surplus": site.site.use_solar_surplus,
        "imbalance_ma": site.site.imbalance_ma,
        "shed_order": site.site.shed_order,
        "dead_man_s": site.site.dead_man_s,
        "base_load_ma": list(site.site.base_load_ma),
        "new_chargers": site.site.new_chargers,
    }
    if site.meter is not None:
        told["meter"] = {
            "enabled": True,
            "location": site.meter.location,
            "on_failure": site.meter.on_failure,
            "degraded_ma": list(site.meter.degraded_ma),
            "file": _meter_file(site.meter.file or SDM630, meter_tcp),
        }
    return {
        "version": SETTINGS_VERSION,
        "site": told,
        "groups": [
            {"name": g.name, "limit_ma": g.limit_ma, "parent": g.parent} for g in site.groups
        ],
        "chargers": [_charger(place, site.site.voltage_mv) for place in site.places],
        "schedule": [
            {"days": list(time.days), "start": time.start, "end": time.end}
            for time in site.schedule
        ],
        "access": {"vip": list(site.site.vip)},
    }


def _meter_file(file: Json, meter_tcp: tuple[str, int] | None) -> Json:
    if meter_tcp is None:
        return dict(file)
    return {**file, "tcp": True, "IP": meter_tcp[0], "port": meter_tcp[1]}


def _charger(place: Place, voltage_mv: int) -> Json:
    told: Json = {
        "id": place.id,
        "name": place.name,
        "phases": place.phases,
        "connection": place.connection,
        "max_ma": place.make.max_ma,
        "min_ma": place.min_ma,
        "unit": "A",
        "start_with_zero": place.start_with_zero,
        "supply_limit_ma": place.supply_limit_ma,
        "fallback_ma": place.fallback_ma,
        "writes_a_day": place.writes_a_day,
        "group": place.group,
        "priority": place.priority,
    }
    if not place.make.allows("A"):
        del told["max_ma"], told["min_ma"]
        watts = voltage_mv * place.make.phases * place.make.efficiency / 1e6  # of each mA
        told["unit"] = "W"
        told["max_w"] = int(place.make.max_ma * watts)
        told["min_w"] = int(place.min_ma * watts)
    return told
