"""How long the button is held (board.md, Reset button; house.md, story B)."""

from __future__ import annotations

import math

import pytest

from linkray.panel.button import Button, FactoryReset, Pressed, ReopenFirstLogin
from linkray.panel.look import Armed


def held(hold_s: float, at: float = 0.0) -> list:
    """All that comes of one press, the core woken when it asks for it."""
    button = Button()
    outs = list(button.feed(Pressed(True), at))
    while button.due() <= at + hold_s:
        now = button.due()
        outs += button.wake(now)
        assert button.due() > now
    return outs + list(button.feed(Pressed(False), at + hold_s))


@pytest.mark.parametrize(
    ("hold_s", "expected"),
    [
        (0.03, [ReopenFirstLogin()]),
        (4.9, [ReopenFirstLogin()]),
        (5.0, [Armed(True), Armed(False), FactoryReset()]),
        (12.0, [Armed(True), Armed(False), FactoryReset()]),
        (29.9, [Armed(True), Armed(False), FactoryReset()]),
        (30.0, [Armed(True), Armed(False)]),
        (3_600.0, [Armed(True), Armed(False)]),
    ],
)
@pytest.mark.parametrize("at", [0.0, 1234.567, 1e9 + 0.1])
def test_what_comes_of_holding(hold_s, expected, at):
    assert held(hold_s, at) == expected


def test_it_is_armed_after_5_s_and_disarmed_after_30():
    button = Button()
    list(button.feed(Pressed(True), 100.0))
    assert button.due() == 105.0
    assert list(button.wake(105.0)) == [Armed(True)]
    assert button.due() == 130.0
    assert list(button.wake(130.0)) == [Armed(False)]
    assert button.due() == math.inf


def test_a_release_that_nobody_woke_for_is_judged_by_its_time():
    for hold_s, expected in ((4.0, ReopenFirstLogin()), (6.0, FactoryReset())):
        button = Button()
        list(button.feed(Pressed(True), 0.0))
        assert list(button.feed(Pressed(False), hold_s)) == [expected]
    button = Button()
    list(button.feed(Pressed(True), 0.0))
    assert list(button.feed(Pressed(False), 31.0)) == []


def test_a_button_held_since_before_the_start_means_nothing():
    button = Button()
    assert list(button.feed(Pressed(False), 10.0)) == []
    assert button.due() == math.inf
    assert list(button.wake(11.0)) == []


def test_a_second_press_without_a_release_does_not_begin_anew():
    button = Button()
    list(button.feed(Pressed(True), 0.0))
    list(button.feed(Pressed(True), 4.0))
    assert button.due() == 5.0


def test_two_presses_are_two_wishes():
    button = Button()
    for at in (0.0, 10.0):
        list(button.feed(Pressed(True), at))
        assert list(button.feed(Pressed(False), at + 1.0)) == [ReopenFirstLogin()]
