"""The simulated world: cars, chargers, a building and a meter, on virtual time or as a process.

A test makes one in a few lines:

    world = World(seed=1, limit_ma=(60_000, 60_000, 60_000))
    charger = world.add_charger("CB-1", make=Make(phases=1), connection="L1")
    meter = world.add_meter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run, memory_dial(nursery, serve_a_charger))
        await charger.wait_ready()
        charger.plug(Car(phases=1))
        charger.present_tag("TAG1")
        await trio.sleep(60)
        assert world.limit_exceeded_s == 0
        nursery.cancel_scope.cancel()
"""

from tools.world.building import Building
from tools.world.car import Car
from tools.world.charger import Charger
from tools.world.csms import Csms
from tools.world.day import Pace, a_car, a_day
from tools.world.links import Dial, Link, Tap, memory_dial, socket_dial
from tools.world.make import Make
from tools.world.meter import Measured, Meter, Port
from tools.world.meters import B23, MAPS, SDM3XX, SDM630, SDM630MCT_TCP, WEM3080T
from tools.world.operator import Operator, a_profile
from tools.world.oracle import Oracle
from tools.world.site import (
    BadSite,
    Description,
    load_site,
    make_world,
    read_site,
    settings,
    site_file,
)
from tools.world.world import World

__all__ = [
    "B23",
    "MAPS",
    "SDM3XX",
    "SDM630",
    "SDM630MCT_TCP",
    "WEM3080T",
    "BadSite",
    "Building",
    "Car",
    "Charger",
    "Csms",
    "Description",
    "Dial",
    "Link",
    "Make",
    "Measured",
    "Meter",
    "Operator",
    "Oracle",
    "Pace",
    "Port",
    "Tap",
    "World",
    "a_car",
    "a_day",
    "a_profile",
    "load_site",
    "make_world",
    "memory_dial",
    "read_site",
    "settings",
    "site_file",
    "socket_dial",
]
