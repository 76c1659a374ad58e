"""The simulated board's models do what the real thing would."""

from __future__ import annotations

import pytest
import trio

from linkray.hal.board import Line
from linkray.hal.sim import MemorySerial, SimButton, SimLeds, SimNetwork, SimWatchdog, make

BOARD = b'name = "sim"\nbackend = "sim"\n'


async def test_the_watchdog_notes_when_it_would_have_bitten():
    watchdog = SimWatchdog(10.0)
    await trio.sleep(100)
    watchdog.pet()
    assert watchdog.bites == []
    start = trio.current_time()
    for pause_s in (9, 10, 10.5, 1):
        await trio.sleep(pause_s)
        watchdog.pet()
    assert watchdog.bites == [start + 29]
    assert not watchdog.hungry(trio.current_time())
    await trio.sleep(11)
    assert watchdog.hungry(trio.current_time())


async def test_a_held_button_is_released_even_when_its_holder_is_gone():
    button = SimButton()
    changes = button.changes()
    with trio.move_on_after(1.0):
        await button.hold(60.0)
    assert [changes.receive_nowait(), changes.receive_nowait()] == [True, False]


async def test_the_led_is_lit_before_the_firmware_runs_and_is_recorded():
    leds = SimLeds()
    assert (leds.red, leds.green) == (False, True)
    leds.show(red=True, green=False)
    await trio.sleep(0.5)
    leds.show(red=False, green=False)
    (first, *_lamps), (second, *_more) = leds.shown
    assert second - first == 0.5


def test_the_route_follows_the_preference_and_what_is_cut(tmp_path):
    network: SimNetwork = make(BOARD, tmp_path).network
    assert network.route() == "eth0"
    network.cut("eth0")
    assert network.route() is None, "a link without a gateway never carries the route"
    network.mend("eth0")
    network.prefer("wlan0")
    assert network.route() == "eth0"
    with pytest.raises(OSError, match="expected one of eth0, wlan0, wwan0"):
        network.prefer("eth1")


async def test_only_the_newest_opening_of_a_line_is_handed_over():
    line = MemorySerial()
    first = await line.open(Line(baud=9_600))
    await first.aclose()
    second = await line.open(Line(baud=19_200))
    setting, far = await line.other_end()
    assert setting.baud == 19_200
    await far.send_all(b"hello")
    assert await second.receive_some(5) == b"hello"


def test_slots_remember_across_starts(tmp_path):
    make(BOARD, tmp_path).slots.mark_good()
    slots = make(BOARD, tmp_path).slots.slots()
    assert [(slot.name, slot.booted, slot.good) for slot in slots] == [
        ("A", True, True),
        ("B", False, False),
    ]
