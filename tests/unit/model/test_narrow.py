"""The least limit over a charger, and where it is."""

from __future__ import annotations

import pytest

from linkray.model.narrow import narrowest
from linkray.model.settings import Charger, Group, Settings
from linkray.model.units import Phases

SITE = Phases(40_000, 30_000, 20_000)
GROUPS = (Group("Level", 25_000), Group("Row", 28_000, parent="Level"))


@pytest.mark.parametrize(("charger", "least"), [
    (Charger("A"), (40_000, "the site")),
    (Charger("B", connection="L2"), (30_000, "the site")),
    (Charger("C", phases=3, connection="L2-L3-L1"), (20_000, "the site")),
    (Charger("D", group="Row"), (25_000, "group Level")),
    (Charger("E", group="Row", supply_limit_ma=16_000), (16_000, "its supply limit")),
    (Charger("F", phases=3, connection="L1-L2-L3", group="Level"), (20_000, "the site")),
])  # fmt: skip
def test_the_narrowest_place_on_the_way_of_a_current(
    charger: Charger, least: tuple[int, str]
) -> None:
    settings = Settings(groups=GROUPS, chargers=(charger,))

    assert narrowest(settings, charger, SITE) == least
