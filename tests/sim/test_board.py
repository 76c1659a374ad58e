"""The LED and the reset button of the simulated board, through the whole firmware (board.md)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trio
from tools.simulator.scene import Scene, scene, single, site

from linkray.app import OPENED
from linkray.hal.sim import SimBoard, SimLeds
from linkray.model.asks import EV, FactoryReset, Identify, PressButton, Who
from linkray.store.db import Store
from linkray.store.runner import Inline
from linkray.upkeep.reset import MARKER
from linkray.upkeep.task import finish_reset

C = [single(f"C{n}") for n in range(1, 4)]


def leds(s: Scene) -> SimLeds:
    assert isinstance(s.board, SimBoard)
    return s.board.leds


async def calm(s: Scene) -> None:
    """Chargers are there, nothing is wrong."""
    s.house.faults.clear("default_password")  # settings were imported on site; pages stay locked
    await s.until(lambda: not s.faults(), 60, s.faults)


async def turns(s: Scene, for_s: float) -> tuple[int, int]:
    """How often red and green changed in so many seconds."""
    since = trio.current_time()
    last = leds(s).shown[-1]
    await trio.sleep(for_s)
    red = green = 0
    for at, is_red, is_green in leds(s).shown:
        if at > since:
            red, green = red + (is_red != last[1]), green + (is_green != last[2])
            last = (at, is_red, is_green)
    return red, green


async def test_green_blinks_once_a_second_while_all_is_well() -> None:
    async with scene(site(60, *C[:2])) as s:
        await calm(s)
        s.charge("C1", "C2")
        await trio.sleep(5)
        red, green = await turns(s, 30)

        assert s.house.led.value.look == "green blinking"
        assert 59 <= green <= 61
        assert red == 0


async def test_red_is_solid_while_there_is_a_fault_and_green_comes_back() -> None:
    async with scene(site(60, *C[:2])) as s:
        await calm(s)
        await trio.sleep(15)  # its link has answered a ping: 30 s of silence end it
        s.world.charger("C2").power_cut(60)
        await s.until(lambda: s.house.led.value.look == "red solid", 60)
        assert s.faults("C2") == {"charger_offline"}
        assert await turns(s, 5) == (0, 0)
        assert (leds(s).red, leds(s).green) == (True, False)
        await s.until(lambda: s.house.led.value.look == "green blinking", 120)

        assert not s.faults()


async def test_a_balancer_that_stops_beating_does_not_blink() -> None:
    async with scene(site(60, *C[:2])) as s:
        await calm(s)
        await s.until(lambda: s.house.led.value.look == "green blinking", 10)
        s.house.beat.set = lambda _at: None  # the loop hangs: no plan is finished any more
        stopped_s = await s.until(lambda: s.house.led.value.look == "green solid", 10)

        assert 4.0 <= stopped_s <= 6.0
        assert await turns(s, 10) == (0, 0)


async def test_identify_shows_red_and_green_in_turn_for_thirty_seconds() -> None:
    async with scene(site(60, *C[:1])) as s:
        await calm(s)
        assert (await s.ask(Identify())).ok
        await s.until(lambda: s.house.led.value.look == "identify", 1)
        red, green = await turns(s, 20)
        assert red == green >= 38
        left_s = await s.until(lambda: s.house.led.value.look == "green blinking", 15)

        assert 8 <= left_s <= 11


async def hold(s: Scene, hold_s: float) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(s.ask, PressButton(hold_s), 60.0)


@pytest.mark.parametrize("hold_s", [0.2, 3.0, 4.9])
async def test_a_press_under_five_seconds_only_reopens_first_login(hold_s: float) -> None:
    async with scene(site(60, *C[:2])) as s:
        await calm(s)
        s.charge("C1")
        await s.until(lambda: s.pilots_a("C1") == [32], 60)
        near = s.watch("C1")
        await s.store.remember(OPENED, "2026-06-14T11:00:00.000Z 86400")  # closed an hour ago
        assert not s.house.commissioning_open()
        settings = s.store.settings.value
        await hold(s, hold_s)
        await trio.sleep(1)

        assert s.house.commissioning_open()
        await trio.sleep(29 * 60)
        assert s.house.commissioning_open()
        await trio.sleep(2 * 60)
        assert not s.house.commissioning_open()
        assert not s.board.system.rebooting.is_set()
        assert not (s.folder / MARKER).exists()
        assert s.store.settings.value == settings
        assert any(line.what == "first login reopened" for line in await s.store.audit_lines())
        s.said("reset button", "wanted=ReopenFirstLogin")
        s.went_on(near, 500)
        s.is_safe()


async def test_a_press_that_the_disk_does_not_take_is_a_line_in_the_log_and_no_more() -> None:
    async with scene(site(60, *C[:2])) as s:
        await calm(s)
        await s.store.close()
        for _ in range(6):
            s.board.button.press()
            await trio.sleep(1)
            s.board.button.release()
            await trio.sleep(1)

        s.said("reset button had no effect", "the store is closed")
        assert s.lines("task failed") == []


@pytest.mark.parametrize("hold_s", [5.5, 29.0])
async def test_held_five_to_thirty_seconds_the_box_goes_back_to_factory(hold_s: float) -> None:
    async with scene(site(60, *C[:2])) as s:
        await calm(s)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.ask, PressButton(hold_s), 60.0)
            await trio.sleep(4.8)
            assert s.house.led.value.look == "green blinking"
            await s.until(lambda: s.house.led.value.look == "both fast", 0.5)
            assert not s.board.system.rebooting.is_set()  # not before it is let go
        await s.until(s.board.system.rebooting.is_set, 2)

        assert (s.folder / MARKER).exists()
        assert any(line.what == "factory reset" for line in await s.store.audit_lines())
        s.said("factory reset", "peer=reset button", "action=restarting")
        await it_is_wiped(s)


async def it_is_wiped(s: Scene) -> None:
    """What the next start does with the marker: only the board's own stays."""
    (s.folder / "linkray.db").write_bytes(b"secrets and transactions")
    (s.folder / "tls").mkdir()
    (s.folder / "tls" / "key.pem").write_text("secret")
    wall = s.wall
    reset = await finish_reset(
        s.folder, s.board.keeps, lambda: Store.open(":memory:", Inline(), wall)
    )
    assert reset
    assert {p.name for p in s.folder.iterdir()} <= set(s.board.keeps)


async def test_both_lamps_turn_five_times_a_second_while_the_reset_is_armed() -> None:
    async with scene(site(60, *C[:1])) as s:
        await calm(s)
        s.board.button.press()
        await trio.sleep(5.5)
        red, green = await turns(s, 4)

        assert s.house.led.value.look == "both fast"
        assert red == green
        assert 38 <= red <= 42
        s.board.button.release()
        await s.until(s.board.system.rebooting.is_set, 2)


async def test_held_past_thirty_seconds_nothing_happens() -> None:
    async with scene(site(60, *C[:2])) as s:
        await calm(s)
        s.charge("C1")
        await s.until(lambda: s.pilots_a("C1") == [32], 60)
        near = s.watch("C1")
        opened = s.store.recall(OPENED)
        settings = s.store.settings.value
        await hold(s, 35)
        await trio.sleep(5)

        assert s.house.led.value.look == "green blinking"
        assert not s.board.system.rebooting.is_set()
        assert not (s.folder / MARKER).exists()
        assert s.store.recall(OPENED) == opened
        assert s.store.settings.value == settings
        s.went_on(near, 20)


async def test_a_factory_reset_from_the_page_needs_the_sites_name() -> None:
    async with scene(site(60, *C[:1], name="Harbour Street 12")) as s:
        await calm(s)
        wrong = await s.ask(FactoryReset("harbour"))
        assert wrong.code == "invalid" and "Harbour Street 12" in wrong.text
        low = await s.house.desk.ask(FactoryReset("Harbour Street 12"), Who("EV", EV, "10.0.0.5"))
        assert low.code == "forbidden"
        assert not s.board.system.rebooting.is_set()
        assert (await s.ask(FactoryReset("Harbour Street 12"))).ok
        await s.until(s.board.system.rebooting.is_set, 2)


async def test_the_watchdog_is_petted_by_plans_alone() -> None:
    async with scene(site(60, *C[:2])) as s:
        s.charge("C1", "C2")
        await trio.sleep(300)

        assert s.board.watchdog.bites == []
        assert not s.board.watchdog.hungry(trio.current_time())
        assert s.house.times.gap_s_max <= 1.5  # INV-11


async def test_a9_a_clock_that_was_never_set_is_a_fault_until_it_is() -> None:
    async with scene(site(60, *C[:1])) as s:
        await calm(s)
        set_right = s.house.wall._read
        s.house.wall._read = lambda: datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
        await s.until(lambda: "clock" in s.house.faults, 10)
        s.house.wall._read = set_right

        await s.until(lambda: "clock" not in s.house.faults, 10)
