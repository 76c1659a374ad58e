"""The commissioning report: what an installer hands over, as one page (web.md, Wizard).

Pure: what control tells goes in, HTML comes out.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from linkray.model.history import power_w
from linkray.model.settings import Charger, Group, Settings
from linkray.model.units import PHASES, Phases, amps
from linkray.model.views import (
    NEEDED,
    STEPS,
    CeilingView,
    ChargerView,
    CommissioningCheck,
    CommissioningWalk,
    Finding,
    LicenceView,
    MeterView,
    Report,
    TagsRead,
)

from .report import rendered
from .words import ENGLISH, Words

STEP_NAMES = {  # as the wizard calls them
    "language": "Language and zone", "passwords": "Passwords", "network": "Network",
    "site": "Supply", "circuits": "Circuits", "meter": "Meter", "chargers": "Chargers",
    "access": "Who may charge", "check": "Check",
}  # fmt: skip
RANK = {"bad": 0, "warning": 1, "good": 2}
STATES = {"bad": "Refused", "warning": "Warning", "good": "Good"}
#: Of a passport what whoever takes the site over needs to know of each charger.
ESSENTIAL = ("zero", "lease", "obey", "own_limit", "unit", "refused")


class Handover(msgspec.Struct, frozen=True):
    """All that the report tells. `accounts`: which are open."""

    told: Report
    settings: Settings
    walk: CommissioningWalk
    check: CommissioningCheck
    ceiling: CeilingView
    licence: LicenceView | None
    tags: TagsRead
    accounts: dict[str, bool]


class _Circuit(msgspec.Struct, frozen=True):
    """A group in the tree. `fed`: the names of the chargers right behind its fuse."""

    group: Group | None  # None: the site itself
    depth: int
    fed: tuple[str, ...]


class _Station(msgspec.Struct, frozen=True):
    """A charger as it is set and as it is seen. `kept` None: it waits to be adopted."""

    seen: ChargerView
    kept: Charger | None


def page(handed: Handover, t: Words = ENGLISH) -> str:
    """The whole page in that language; times are the site's."""
    shot, settings = handed.told.snapshot, handed.settings
    kept = {one.id: one for one in settings.chargers}
    names = {one.id: one.name or one.id for one in shot.chargers}
    return rendered(
        "commissioning.html", handed.told, t,
        handed=handed, settings=settings, meter=settings.site.meter,
        steps=tuple((one, STEP_NAMES[one], handed.walk.ended.get(one)) for one in STEPS),
        missing=tuple(STEP_NAMES[one] for one in STEPS
                      if one in (*NEEDED, "check") and one not in handed.walk.ended),
        circuits=tuple(_circuits(settings)),
        stations=tuple(_Station(one, kept.get(one.id)) for one in shot.chargers),
        findings=sorted(handed.check.findings, key=lambda one: RANK[one.state]),
        finding=lambda one: _finding(one, names, t), states=STATES,
        counts={state: sum(one.state == state for one in handed.check.findings)
                for state in RANK},
        doors=tuple(_doors(handed.told)), phases=PHASES,
        power=lambda ma: t.figure(_kw(sum(power_w(ma, Phases(*shot.site.voltage_mv))))),
        volts=lambda mv: t.figure(f"{mv / 1000:g} V"), watts=lambda w: t.figure(_kw(w)),
        reading=lambda: _reading(shot.meter, t), needs=lambda one: _needs(one, t),
        takes=lambda one: _takes(one, t),
        essentials=lambda one: tuple(p for p in one.passport if p.what in ESSENTIAL),
    )  # fmt: skip


def _circuits(settings: Settings) -> Iterator[_Circuit]:
    """The site and below it every group behind the one that feeds it, with its chargers."""

    def fed(name: str | None) -> tuple[str, ...]:
        return tuple(one.name or one.id for one in settings.chargers if one.group == name)

    def below(parent: str | None, depth: int) -> Iterator[_Circuit]:
        for group in settings.groups:
            if group.parent == parent:
                yield _Circuit(group, depth, fed(group.name))
                yield from below(group.name, depth + 1)

    yield _Circuit(None, 0, fed(None))
    yield from below(None, 1)


def _doors(told: Report) -> Iterator[str]:
    """The addresses to type into a charger, at each of the box's own."""
    site = told.snapshot.site
    for link in told.network:
        host = link.address.partition("/")[0]
        if not (link.up and host):
            continue
        host = f"[{host}]" if ":" in host else host
        for scheme, port in (("wss", site.ocpps_port), ("ws", site.ocpp_port)):
            if port:
                yield f"{scheme}://{host}:{port}"


def _finding(one: Finding, names: dict[str, str], t: Words) -> str:
    """As the wizard words it; in English as control does, with the phase that it is about."""
    if t.language == "en" or (one.name == "ceiling" and one.amount_ma is None):
        is_named = one.phase is None or one.phase in one.text
        return t.said(one.text) if is_named else f"{one.phase}: {one.text}"
    return t.of(
        f"check.{one.name}_{one.state}", one.text, phase=one.phase, group=one.group,
        charger=names.get(one.charger or "", one.charger),
        amount=None if one.amount_ma is None else t.figure(amps(one.amount_ma)),
        limit=None if one.limit_ma is None else t.figure(amps(one.limit_ma)),
    )  # fmt: skip


def _reading(meter: MeterView, t: Words) -> str:
    """What the meter tells now: its live test."""
    said = []
    if meter.current_ma is not None:
        said.append(" / ".join(
            amps(ma) if read else "–"
            for ma, read in zip(meter.current_ma, meter.phases_read, strict=True)
        ))  # fmt: skip
    if any(meter.voltage_mv):
        said.append(" / ".join("–" if mv is None else f"{mv / 1000:.1f} V"
                               for mv in meter.voltage_mv))  # fmt: skip
    if meter.power_w is not None:
        said.append(_kw(meter.power_w))
    return t.figure("; ".join(said)) or "–"


def _takes(one: Charger, t: Words) -> str:
    """The most it may draw."""
    most_w = one.highest_w()
    return t.figure(amps(one.highest_ma()) if most_w is None else _kw(most_w))


def _needs(one: Charger, t: Words) -> str:
    """The least that it charges with."""
    least_w = one.lowest_w()
    return t.figure(amps(one.lowest_ma()) if least_w is None else _kw(least_w))


def _kw(watts: int) -> str:
    return f"{watts / 1000:.1f} kW"
