"""Who comes to a site and when, and what a site file says of it."""

from __future__ import annotations

import itertools
import random

import pytest
from tools.world import BadSite, read_site
from tools.world import settings as settings_of
from tools.world.day import Habits, Visit, visits_of

OFFICE = Habits(visits=(Visit(arrive_h=(7.0, 9.0), stay_h=(8.0, 9.0)),), empty=0.0)
KIOSK = Habits(visits=(Visit((8.0, 20.0), (0.5, 1.0), gap_h=(0.1, 0.5)),), empty=0.0)


@pytest.mark.parametrize("seed", range(20))
def test_a_commuter_comes_once_a_day_and_stays_hours(seed: int) -> None:
    stays = visits_of(OFFICE, random.Random(seed), begins_h=0.0, hours=48.0)

    assert len(stays) == 2
    for day, (come_s, gone_s) in enumerate(stays):
        assert 7.0 <= come_s / 3600 - 24 * day <= 9.0
        assert 8.0 <= (gone_s - come_s) / 3600 <= 9.0


def test_who_is_there_already_plugs_in_within_the_first_minute() -> None:
    (stay,) = visits_of(OFFICE, random.Random(1), begins_h=12.0, hours=2.0)

    assert 0.0 < stay[0] <= 60.0
    assert 3.0 <= stay[1] / 3600 <= 6.0


@pytest.mark.parametrize("seed", range(20))
def test_guests_of_one_socket_follow_one_another(seed: int) -> None:
    stays = visits_of(KIOSK, random.Random(seed), begins_h=9.0, hours=10.0)

    assert len(stays) >= 6
    for (_, gone_s), (come_s, _) in itertools.pairwise(stays):
        assert come_s > gone_s


def test_to_an_empty_socket_nobody_comes() -> None:
    nobody = Habits(visits=OFFICE.visits, empty=1.0)

    assert visits_of(nobody, random.Random(1), 0.0, 48.0) == []


SITE = """
[site]
limit_ma = [100_000, 100_000, 100_000]
voltage_mv = 230_000
vip = ["BOSS"]
shed_order = "energy"

[meter]
map = "SDM6xx-tcp"

[[schedule]]
days = ["Mon"]
start = "17:00"
end = "19:30"

[day]
begins_h = [7]
fleet = "dc"

[[day.visits]]
arrive_h = [6.0, 8.0]

[[chargers]]
id = "DC-{n}"
name = "Bay {n}"
count = 3
connections = ["L1-L2-L3", "L2-L3-L1"]
min_ma = 8_000
[chargers.make]
units = "Power"
phases = 3
max_ma = 100_000
efficiency = 0.9
"""


def test_a_row_of_chargers_alike_is_one_entry_with_a_count() -> None:
    site = read_site(SITE)

    assert [p.id for p in site.places] == ["DC-1", "DC-2", "DC-3"]
    assert [p.name for p in site.places] == ["Bay 1", "Bay 2", "Bay 3"]
    assert [p.connection for p in site.places] == ["L1-L2-L3", "L2-L3-L1", "L1-L2-L3"]


def test_schedule_guests_meter_and_watts_reach_world_and_settings() -> None:
    site = read_site(SITE)
    told = settings_of(site)

    assert site.day.visits[0].arrive_h == (6.0, 8.0)
    assert told["schedule"] == [{"days": ["Mon"], "start": "17:00", "end": "19:30"}]
    assert told["access"] == {"vip": ["BOSS"]}
    assert told["site"]["shed_order"] == "energy"
    assert told["site"]["meter"]["file"]["name"] == "SDM6xx-tcp"
    assert told["chargers"][0]["max_w"] == 62_100  # 100 A on three phases, nine tenths of it out
    assert told["chargers"][0]["min_w"] == 4_968
    assert told["chargers"][0]["unit"] == "W"


@pytest.mark.parametrize(("old", "new", "named"), [
    ('map = "SDM6xx-tcp"', 'map = "Tardis"', "meter.map"),
    ("arrive_h", "arrives", "day.visits"),
    ('start = "17:00"', 'begin = "17:00"', "schedule"),
])  # fmt: skip
def test_a_typing_mistake_is_refused_with_its_place(old: str, new: str, named: str) -> None:
    with pytest.raises(BadSite, match=named):
        read_site(SITE.replace(old, new))


def test_an_unknown_fleet_is_refused() -> None:
    with pytest.raises(ValueError, match="fleet"):
        read_site(SITE.replace('"dc"', '"ships"'))
