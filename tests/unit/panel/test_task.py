"""The panel on the simulated board, from the finger to the wish."""

from __future__ import annotations

import contextlib

import pytest
import trio

from linkray.hal.sim import SimButton, SimLeds
from linkray.kit.cell import Cell
from linkray.model.faults import Code, Fault
from linkray.model.views import LedView
from linkray.panel.button import FactoryReset, ReopenFirstLogin
from linkray.panel.task import WANTED_S, Panel, run_panel


class Scene:
    def __init__(self) -> None:
        self.leds = SimLeds()
        self.button = SimButton()
        self.beat = Cell(0.0)
        self.faults: Cell[tuple[Fault, ...]] = Cell(())
        self.started = Cell(False)
        self.led = Cell(LedView())
        self.wishes: list[object] = []
        self.answers = True
        self.panel = Panel(
            self.leds, self.button, beat=self.beat, faults=self.faults, started=self.started,
            led=self.led, wanted=self.wanted,
        )  # fmt: skip

    async def wanted(self, wish: object) -> None:
        if not self.answers:
            await trio.sleep_forever()
        self.wishes.append(wish)

    @contextlib.asynccontextmanager
    async def running(self):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_panel, self.panel)
            await trio.sleep(0.01)
            yield nursery
            nursery.cancel_scope.cancel()

    async def tick(self, seconds: int) -> None:
        for _second in range(seconds):
            self.beat.set(trio.current_time())
            await trio.sleep(1.0)


async def test_the_led_blinks_by_the_balancers_beat_and_stops_with_it():
    scene = Scene()
    async with scene.running():
        assert scene.led.value.look == "green solid"
        scene.started.set(True)
        await scene.tick(5)
        assert scene.led.value.look == "green blinking"
        assert len([1 for _at, _red, green in scene.leds.shown if not green]) == 5
        await trio.sleep(5.1)
        assert scene.led.value.look == "green solid"


async def test_a_fault_is_red_at_once():
    scene = Scene()
    async with scene.running():
        scene.started.set(True)
        await scene.tick(2)
        scene.faults.set((Fault.of(Code.METER, "2026-01-01T00:00:00.000Z"),))
        await trio.sleep(0.01)
        assert (scene.leds.red, scene.leds.green) == (True, False)
        scene.faults.set(())
        await scene.tick(1)
        assert scene.led.value.look == "green blinking"


@pytest.mark.parametrize(
    ("hold_s", "wishes"), [(1.0, [ReopenFirstLogin()]), (6.0, [FactoryReset()]), (31.0, [])]
)
async def test_the_button_tells_what_is_wanted(hold_s, wishes):
    scene = Scene()
    async with scene.running():
        await scene.button.hold(hold_s)
        await trio.sleep(0.01)
        assert scene.wishes == wishes
        assert scene.led.value.look == "green solid"


async def test_while_it_is_armed_both_blink_fast():
    scene = Scene()
    async with scene.running():
        scene.button.press()
        await trio.sleep(4.9)
        assert scene.led.value.look == "green solid"
        await trio.sleep(0.2)
        assert scene.led.value.look == "both fast"
        scene.leds.shown.clear()
        await trio.sleep(2.0)
        assert 18 <= len(scene.leds.shown) <= 22


async def test_a_wish_that_nobody_answers_does_not_deafen_the_button():
    scene = Scene()
    scene.answers = False
    async with scene.running():
        await scene.button.hold(1.0)
        await trio.sleep(WANTED_S + 0.1)
        scene.answers = True
        await scene.button.hold(1.0)
        await trio.sleep(0.01)
        assert scene.wishes == [ReopenFirstLogin()]


async def test_identify_is_seen_for_30_s():
    scene = Scene()
    async with scene.running():
        assert scene.panel.identify()
        await trio.sleep(0.01)
        assert scene.led.value.look == "identify"
        await trio.sleep(30.0)
        assert scene.led.value.look == "green solid"


async def test_a_led_that_cannot_be_set_stops_nothing():
    class Broken(SimLeds):
        def show(self, *, red: bool, green: bool) -> None:
            raise OSError("line gone")

    scene = Scene()
    scene.panel.leds = Broken()
    async with scene.running():
        scene.started.set(True)
        await scene.tick(2)
        assert scene.led.value.look == "green blinking"


async def test_a_panel_that_is_started_again_works_on():
    scene = Scene()
    async with scene.running():
        pass
    async with scene.running():
        assert scene.panel.identify()
        await trio.sleep(0.01)
        assert scene.led.value.look == "identify"
        await scene.button.hold(1.0)
        await trio.sleep(0.01)
        assert scene.wishes == [ReopenFirstLogin()]
