"""The cause of an offer in a sentence, for the log and the API (balancing.md, Reasons).

The texts are those of the pages' catalogue (`faces/web/ui/src/lang/en.json`), word for word and in
its syntax: `{name}` is a parameter, `[… {name} …]` is left out unless all its parameters are there.
`tests/contract/test_causes.py` holds the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .plan import Ceiling, Code, Reason

CAUSES: dict[Code, str] = {
    "charger_max": "all this charger can give",
    "charger_min": "the least this charger works with",
    "unit_rounding": "rounded down to what the charger can be told",
    "no_car": "no car is plugged in",
    "car_not_asking": "the car asks for nothing",
    "car_draws_less": "the car takes less than offered",
    "not_authorised": "nobody is authorised yet",
    "tag_rejected": "the tag was rejected",
    "payment_pending": "waiting for the payment",
    "schedule": "a time without charging[, for {wait}]",
    "csms_profile": "limited by the CSMS",
    "fair_share": "a fair share[ on {phase}]",
    "spare_redistributed": "others left this over",
    "fifo_queue": "first come, first served[: {nth} in line]",
    "lower_priority": "chargers with high priority come first",
    "group_limit": "shared cable[ {group}][, {phase}]",
    "site_limit": "the site’s limit[ on {phase}]",
    "building_load": "the building needs the rest[ on {phase}]",
    "raise_hold": "waits before it rises[: {wait}]",
    "meter_lost_half": "meter silent: half of what was drawn",
    "degraded_limit": "meter silent: degraded limit[ on {phase}]",
    "unreachable_reserved": "kept back for[ {charger},] a charger that cannot be reached",
    "charger_fault": "the charger reports a fault",
    "charger_updating": "the charger updates its firmware",
    "licence": "more connectors than the licence allows",
    "emergency_stop": "all charging is stopped[ by {by}]",
    "supply_limit": "its connectors share one supply",
    "imbalance": "keeps the phases in balance",
    "turn": "paused[: {nth} in line on {line}][; its turn at the latest in {about}]",
    "wait_for_cut": "waits until[ {charger}][, connector {connector},] has come down",
    "fail_safe": "fail-safe until all is known",
    "not_adopted": "not adopted yet",
    "site_overloaded": "the building alone is over the limit",
    "engineering_ceiling": "the sealed ceiling of the supply[ on {phase}]",
}
LOST = "it is not connected"  # instead of `fail_safe`
HELD = "the meter is back; its degraded limit[ on {phase}] still holds[ until {until}]"
LINES = {  # where somebody waits for a turn
    "group": "[{phase} of ]{group}",
    "supply": "[{phase} of ]the supply of {charger}",
    "site": "[{phase} of ]the site",
}
WHO = {  # as the audit log names whoever did something
    "key": "the API (key {id})", "ui": "the pages", "api": "the API",
    "modbus": "the building management", "UI": "the pages", "API": "the API",
    "Modbus": "the building management",
}  # fmt: skip
AT = "{who} at {time}"
SOON, ABOUT = "less than a minute", "about {v}"
OF_THE_METER = ("degraded_limit", "meter_lost_half")

_PART = re.compile(r"\[([^\]{]*\{[^\]]*)\]")
_NAME = re.compile(r"\{(\w+)\}")
_BY = re.compile(r"(.*) at (\S+Z)")
Params = Mapping[str, str | int | None]


def sentence(
    bound: Reason | Ceiling, *, names: Mapping[str, str] | None = None, lost: bool = False,
    until: str | None = None,
) -> str:  # fmt: skip
    """What binds an offer, as people say it, without amounts: "shared cable Level 2, L1".

    `names`: of chargers by identity, where they have one. `lost`: its charger is not connected.
    `until`: UTC, till when the limits of a meter that is back still hold. Times stay UTC.
    """
    if bound.code == "fail_safe" and lost:
        return LOST
    params = _params(bound, names or {}, until)
    held = bound.code in OF_THE_METER and bound.seconds is not None
    return filled(HELD if held else CAUSES[bound.code], params)


def filled(text: str, params: Params) -> str:
    """A text of the catalogue with its parameters; what lacks one of its own is left out."""

    def kept(part: re.Match[str]) -> str:
        names = _NAME.findall(part[1])
        return part[1] if all(params.get(name) not in (None, "") for name in names) else ""

    def value(name: re.Match[str]) -> str:
        said = params.get(name[1])
        return "" if said is None else str(said)

    return _NAME.sub(value, _PART.sub(kept, text))


def _params(bound: Reason | Ceiling, names: Mapping[str, str], until: str | None) -> Params:
    charger = bound.charger and (names.get(bound.charger) or bound.charger)
    where = {"phase": bound.phase, "group": bound.group, "charger": charger}
    line = LINES["group" if bound.group else "supply" if charger else "site"]
    seconds, place = bound.seconds, bound.place
    return {
        **where,
        "line": filled(line, where),
        "connector": bound.connector,
        "wait": None if seconds is None else duration(seconds),
        "about": None if seconds is None else about(seconds),
        "nth": None if place is None else nth(place),
        "by": by_whom(bound.by) if isinstance(bound, Reason) else None,
        "until": until,
    }


def duration(s: int) -> str:
    """`95` → `95 s`, `3_700` → `1 h 1 min`; from two minutes on without seconds."""
    return f"{max(0, s)} s" if s < 120 else _in_minutes(s)


def about(s: int) -> str:
    """A wait that is an estimate: whole minutes, and never more exact than it is."""
    return SOON if s < 60 else filled(ABOUT, {"v": _in_minutes(-(-s // 60) * 60)})


def _in_minutes(s: int) -> str:
    days, hours, minutes = s // 86_400, s // 3_600 % 24, s // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def nth(n: int) -> str:
    """`2` → `2nd`."""
    last = 0 if n % 100 in (11, 12, 13) else n % 10
    return f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th')}"


def by_whom(by: str | None) -> str | None:
    """Who did it: "key:3 at 2026-11-21T09:03:35Z" as people say it."""
    if not by:
        return None
    said = _BY.fullmatch(by)
    who = said[1] if said else by
    word, _, name = who.partition(":")
    if word == "key" and name:
        who = filled(WHO["key"], {"id": name})
    elif who != "key":
        who = WHO.get(who, who)
    return filled(AT, {"who": who, "time": said[2]}) if said else who
