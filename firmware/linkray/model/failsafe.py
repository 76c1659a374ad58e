"""What a charger may draw when LinkRay is gone: its fail-safe current, and the sums of a site.

balancing.md 4, Dead-man, and The engineering ceiling; trust.md 1, INV-11. Amounts err upwards:
watts become amps at the lowest efficiency that is planned with.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from linkray.model.settings import Charger, Settings, Site
from linkray.model.units import ZERO, Phases, wired

ETA_PERCENT = 85  # decided.md, DC efficiency: until learned


class Make(msgspec.Struct, frozen=True):
    """What a charger's make and its own word add to its settings."""

    connectors: int = 1
    min_ma: int = 0  # least it charges with, where its make needs more than is set
    pauses_at_0: bool = True  # 0 A resumes cleanly
    steps_down: bool = True  # it takes a profile that ends by itself


PLAIN = Make()


def fallback_ma(charger: Charger, make: Make = PLAIN) -> int:
    """What it is told to draw per phase once it has lost LinkRay: 0, or at least its minimum."""
    lowest = max(charger.lowest_ma(), make.min_ma)
    if charger.fallback_ma is not None:
        return charger.fallback_ma if charger.fallback_ma >= lowest else 0
    return 0 if make.pauses_at_0 else lowest


def fail_safe(charger: Charger, site: Site, make: Make = PLAIN) -> Phases:
    """What all its connectors may draw on their own, on the phases of the site."""
    if not make.steps_down:
        return _laid(charger, _most_ma(charger, site), make.connectors)
    amount = fallback_ma(charger, make)
    lowest_w = charger.lowest_w()
    if amount and charger.unit == "W" and charger.fallback_ma is None and lowest_w is not None:
        amount = max(amount, _in_ma(lowest_w, charger, site))
    return _laid(charger, min(amount, _most_ma(charger, site)), make.connectors)


def maximum(charger: Charger, site: Site, make: Make = PLAIN) -> Phases:
    """What all its connectors may draw at most, behind its supply limit."""
    most = _laid(charger, _most_ma(charger, site), make.connectors)
    limit = charger.supply_limit_ma
    return most if limit is None else most.at_most(Phases.each(limit))


def fail_safes(settings: Settings, makes: Mapping[str, Make]) -> dict[str, Phases]:
    """The fail-safe current of every charger, by id."""
    return {
        c.id: fail_safe(c, settings.site, makes.get(c.id, PLAIN)) for c in settings.chargers
    }


def on_their_own(settings: Settings, makes: Mapping[str, Make]) -> Phases:
    """What the site draws when LinkRay is gone: all fail-safe currents and the declared base."""
    return sum(fail_safes(settings, makes).values(), ZERO) + settings.site.base_load_ma.phases()


def over(amount: Phases, limit: Phases) -> tuple[int, ...]:
    """The phases on which an amount is above its limit."""
    return tuple(p for p in range(3) if amount[p] > limit[p])


def _laid(charger: Charger, per_phase_ma: int, connectors: int) -> Phases:
    amount = per_phase_ma * max(1, connectors)
    return wired(charger.connection, (amount,) * charger.phases)


def _most_ma(charger: Charger, site: Site) -> int:
    highest_w = charger.highest_w()
    return charger.highest_ma() if highest_w is None else _in_ma(highest_w, charger, site)


def _in_ma(watts: int, charger: Charger, site: Site) -> int:
    milli_phases = site.milli_phases(charger.phases)
    return -(-watts * 10**11 // (site.voltage_mv * milli_phases * ETA_PERCENT))
