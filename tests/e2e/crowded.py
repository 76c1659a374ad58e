"""A simulated site where not all can charge: nested groups, a cable for two of its three cars."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.box import Box, Client, box_in, world_settings

BUILDING_MA = [20_000, 20_000, 20_000]
NARROW_MA = 13_000  # on the North row: two minimums of 6 A, and no third
SESSIONS: tuple[dict[str, Any], ...] = (
    {"do": "plug", "charger": "TACW2243320T0723", "phases": 3},
    {"do": "plug", "charger": "ACE0217744", "connector": 1, "phases": 3},
    {"do": "plug", "charger": "WB-118274", "phases": 1},
    {"do": "plug", "charger": "GRS-32-004412", "phases": 1},
)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@contextlib.contextmanager
def crowded(folder: Path) -> Iterator[Box]:
    """The simulated site with nested groups; three cars share a cable that carries two."""
    with box_in(folder) as box:
        box.import_settings(_nested(world_settings()))
        box.comes_alive(SESSIONS, BUILDING_MA)
        yield box


def _nested(settings: dict[str, Any]) -> dict[str, Any]:
    """Both rows behind one cable, the North row too narrow for all who want to charge there."""
    settings["groups"] = [{"name": "Yard", "limit_ma": 90_000, "parent": None}] + [
        group | {"parent": "Yard"} for group in settings["groups"]
    ]
    for group in settings["groups"]:
        if group["name"] == "North row":
            group["limit_ma"] = NARROW_MA
    for charger in settings["chargers"]:
        charger["priority"] = "normal"
    settings["site"]["probe_chargers"] = False
    return settings


def patch(api: Client, change: dict[str, Any]) -> None:
    answer = api.ask("PATCH", "/api/v1/settings", change)
    assert answer.status == 200, answer.body
