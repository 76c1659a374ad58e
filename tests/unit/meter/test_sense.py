"""The meter held against the chargers: what is proved, and what must not be (M4, M9, M15, C8)."""

from __future__ import annotations

import random

import pytest

from linkray.meter.sense import Sense
from linkray.model.units import ZERO, Phases

SAMPLE_S = 10


class Hall:
    """Chargers that step now and then, a building that flickers, a meter wired in some way."""

    def __init__(self, show, *, seed: int = 1, noise_ma: int = 2_000) -> None:
        self.sense = Sense(SAMPLE_S)
        self.dice = random.Random(seed)
        self.noise_ma = noise_ma
        self.show = show  # what the transformers make of the true chargers' current
        self.true: dict[str, Phases] = {}
        self.said: dict[str, Phases] = {}
        self.now = 0.0

    def second(self) -> None:
        self.now += 1.0
        building = [20_000 + self.dice.randint(-self.noise_ma, self.noise_ma) for _ in range(3)]
        shown = self.show(sum(self.true.values(), ZERO))
        meter = Phases(*(b + s for b, s in zip(building, shown, strict=True)))
        if int(self.now) % SAMPLE_S == 0:
            self.said = dict(self.true)
        self.sense.feed(meter, self.said, self.now)

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second()

    def step(self, charger: str, phase: int, ma: int, *, wired_to: int | None = None) -> None:
        """It draws so much on a phase of its own now; it says `phase`, and draws on `wired_to`."""
        amounts = [0, 0, 0]
        amounts[phase] = ma
        self.true[charger] = Phases(*amounts)
        self.run(40)

    def days_work(self) -> None:
        """Two chargers on each phase, up and down."""
        for turn in range(8):
            for phase in range(3):
                self.step(f"C{phase}", phase, (0, 16_000)[turn % 2])
                self.step(f"D{phase}", phase, (24_000, 6_000)[turn % 2])

    def found(self) -> list[tuple[str, str | None, str | None]]:
        return [(f.what, f.phase, f.charger) for f in self.sense.findings()]


def straight(drawn: Phases) -> Phases:
    return drawn


def test_a_meter_that_sees_the_chargers_is_not_suspected() -> None:
    hall = Hall(straight)
    hall.days_work()

    assert hall.found() == []
    assert hall.sense.follows()


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_restless_building_makes_no_verdict_against_a_right_meter(seed: int) -> None:
    hall = Hall(straight, seed=seed, noise_ma=6_000)
    hall.days_work()

    assert hall.found() == []


def test_m15_a_meter_that_does_not_see_the_chargers_is_found() -> None:
    hall = Hall(lambda _drawn: ZERO)
    hall.days_work()

    assert hall.found() == [("excluded", None, None)]
    assert not hall.sense.follows()


def test_m9_a_transformer_the_wrong_way_round_is_named() -> None:
    hall = Hall(lambda drawn: Phases(drawn.l1, -drawn.l2, drawn.l3))
    hall.days_work()

    assert hall.found() == [("reversed", "L2", None)]


def test_m9_transformers_on_each_others_phase_are_named() -> None:
    hall = Hall(lambda drawn: Phases(drawn.l2, drawn.l1, drawn.l3))
    hall.days_work()

    assert hall.found() == [("swapped", "L1", None), ("swapped", "L2", None)]
    assert {f.seen_on for f in hall.sense.findings()} == {"L1", "L2"}


def test_m4_a_transformer_ratio_that_is_wrong_is_named() -> None:
    hall = Hall(lambda drawn: Phases(*(4 * ma for ma in drawn)))
    hall.days_work()

    assert {what for what, _, _ in hall.found()} == {"scale"}


def test_c8_one_charger_on_another_phase_than_it_is_set_to_is_named() -> None:
    hall = Hall(straight)
    told: dict[str, Phases] = {}
    for turn in range(14):
        for name, phase in (("C0", 0), ("D0", 0), ("C1", 1)):
            ma = (16_000, 0)[turn % 2]
            own = [0, 0, 0]
            own[phase] = ma
            told[name] = Phases(*own)
            real = Phases(0, 0, ma) if name == "C0" else told[name]
            hall.true[name] = real
            for _ in range(40):
                hall.now += 1
                building = [hall.dice.randint(19_000, 21_000) for _ in range(3)]
                drawn = sum(hall.true.values(), ZERO)
                hall.sense.feed(
                    Phases(*(b + d for b, d in zip(building, drawn, strict=True))), dict(told),
                    hall.now,
                )  # fmt: skip

    assert hall.found() == [("charger_phase", "L1", "C0")]
    assert hall.sense.findings()[0].seen_on == "L3"


def test_a_charger_whose_values_are_not_known_is_no_change() -> None:
    hall = Hall(straight)
    hall.step("C0", 0, 16_000)
    for _ in range(12):
        hall.sense.feed(Phases(36_000, 20_000, 20_000), None, hall.now)
        hall.sense.feed(Phases(36_000, 20_000, 20_000), {}, hall.now)
        hall.run(40)

    assert hall.found() == []
    assert not hall.sense.follows()
