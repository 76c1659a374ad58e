"""What the limits that are set leave a charger: the narrowest place on its current's way."""

from __future__ import annotations

from .settings import Charger, Settings
from .units import Phases, site_phases


def narrowest(settings: Settings, charger: Charger, in_force: Phases) -> tuple[int, str]:
    """The least limit over a charger, in mA per phase, and where it is; `in_force`: the site's."""
    narrow = min(in_force[leg] for leg in site_phases(charger.connection))
    where, group = "the site", settings.group(charger.group or "")
    while group is not None:
        if group.limit_ma < narrow:
            narrow, where = group.limit_ma, f"group {group.name}"
        group = settings.group(group.parent or "")
    if charger.supply_limit_ma is not None and charger.supply_limit_ma < narrow:
        narrow, where = charger.supply_limit_ma, "its supply limit"
    return narrow, where
