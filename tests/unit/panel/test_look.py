"""What the LED shows (board.md, LED)."""

from __future__ import annotations

import math

import pytest

from linkray.panel.look import (
    Armed,
    Beat,
    Faulty,
    Identify,
    Look,
    Looks,
    Show,
    Started,
)


class Lamps:
    """A LED that is driven by its core, second by second, and remembers."""

    def __init__(self) -> None:
        self.core = Look()
        self.look = ""
        self.turns: list[tuple[float, bool, bool]] = []
        self.now = 0.0
        self.take(self.core.wake(0.0))

    def take(self, outs) -> None:
        for out in outs:
            if isinstance(out, Looks):
                self.look = out.view.look
            if isinstance(out, Show):
                self.turns.append((round(self.now, 3), out.red, out.green))

    def until(self, at: float) -> None:
        while self.core.due() <= at:
            self.now = self.core.due()
            self.take(self.core.wake(self.now))
            assert self.core.due() > self.now
        self.now = at

    def feed(self, item, at: float) -> None:
        self.until(at)
        self.take(self.core.feed(item, at))

    def beat(self, start: float, end: float) -> None:
        """The balancer ticks once a second."""
        at = start
        while at <= end:
            self.feed(Beat(), at)
            at += 1.0

    def shown(self) -> tuple[bool, bool]:
        return self.turns[-1][1:]


def test_at_power_on_it_is_green_and_solid():
    led = Lamps()
    led.until(100.0)
    assert (led.look, led.turns) == ("green solid", [(0.0, False, True)])


def test_a_running_balancer_blinks_green_once_a_second():
    led = Lamps()
    led.feed(Started(), 0.0)
    led.beat(0.0, 4.0)
    led.until(4.2)
    assert led.look == "green blinking"
    assert [at for at, _red, _green in led.turns] == [0.0, *(n / 2 for n in range(1, 9))]
    assert [green for _at, _red, green in led.turns] == [True, False] * 4 + [True]
    assert not any(red for _at, red, _green in led.turns)


def test_beats_before_all_is_up_do_not_blink():
    led = Lamps()
    led.beat(0.0, 10.0)
    assert led.look == "green solid"
    led.feed(Started(), 10.5)
    assert led.look == "green blinking"


def test_no_tick_for_5_s_no_blink():
    led = Lamps()
    led.feed(Started(), 0.0)
    led.beat(0.0, 3.0)
    led.until(7.9)
    assert led.look == "green blinking"
    led.until(8.0)
    assert (led.look, led.shown()) == ("green solid", (False, True))
    count = len(led.turns)
    led.until(60.0)
    assert len(led.turns) == count, "a stopped loop must not look alive"
    led.feed(Beat(), 60.0)
    assert led.look == "green blinking"


def test_any_fault_is_solid_red_until_it_is_over():
    led = Lamps()
    led.feed(Started(), 0.0)
    led.beat(0.0, 2.0)
    led.feed(Faulty(True), 2.2)
    assert (led.look, led.shown()) == ("red solid", (True, False))
    count = len(led.turns)
    led.beat(3.0, 9.0)
    assert len(led.turns) == count
    led.feed(Faulty(False), 9.5)
    assert led.look == "green blinking"


def test_reset_armed_blinks_both_five_times_a_second_over_everything():
    led = Lamps()
    led.feed(Faulty(True), 0.0)
    led.feed(Identify(), 0.7)
    led.turns.clear()
    led.feed(Armed(True), 1.0)
    led.until(2.05)
    assert led.look == "both fast"
    assert [at for at, *_lamps in led.turns] == [round(1.0 + n / 10, 3) for n in range(11)]
    assert [lamps for _at, *lamps in led.turns[:4]] == [[True, True], [False, False]] * 2
    led.feed(Armed(False), 2.1)
    assert led.look == "identify"


def test_identify_shows_red_and_green_in_turn_for_30_s():
    led = Lamps()
    led.feed(Faulty(True), 0.0)
    led.turns.clear()
    led.feed(Identify(), 10.0)
    led.until(39.9)
    assert led.look == "identify"
    assert all(red != green for _at, red, green in led.turns)
    assert len(led.turns) == 59  # it began with red, which was lit already
    led.until(40.0)
    assert (led.look, led.shown()) == ("red solid", (True, False))


def test_the_mirrored_look_changes_with_the_look_and_not_with_every_blink():
    core = Look()
    outs = [*core.wake(0.0), *core.feed(Started(), 0.0), *core.feed(Beat(), 0.0)]
    for _turn in range(8):
        outs += core.wake(core.due())
    looks = [out.view.look for out in outs if isinstance(out, Looks)]
    assert looks == ["green solid", "green blinking"]


@pytest.mark.parametrize("late_s", [0.3, 1.0, 7.0, 1e6])
def test_a_turn_that_comes_late_is_not_made_up_for(late_s):
    core = Look()
    list(core.feed(Armed(True), 0.0))
    now = late_s
    list(core.wake(now))
    assert now < core.due() <= now + 0.1 + 1e-9


def test_nothing_to_wait_for_is_never():
    core = Look()
    list(core.wake(0.0))
    assert core.due() == math.inf
