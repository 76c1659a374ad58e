"""The meter's health by hand: begins lost, lost after 5 s, back after five good polls in a row."""

from __future__ import annotations

import math

from linkray.meter.health import (
    Failed,
    Health,
    Item,
    Next,
    Note,
    Out,
    Polled,
    Ruled,
    Tell,
    View,
)
from linkray.meter.reading import Reading, Rules
from linkray.model.facts import MeterBack, MeterLost, MeterRead
from linkray.model.faults import Cleared, Code, Raised
from linkray.model.units import Phases

SILENT = Failed("AL2", "no reply", "timeout")


def good(now: float, *ma: int | None) -> Polled:
    l1, l2, l3 = ma or (10_000 + int(now), 5_000, 5_000)
    return Polled(Reading((l1, l2, l3), (230_000, None, 231_000), 4_600, now))


class Watched:
    """A Health whose outputs are kept, woken when it is due as its task would."""

    def __init__(self, *, is_tcp: bool = False) -> None:
        self.core = Health("EM24", is_tcp=is_tcp)
        self.outs: list[Out] = []
        self.feed(Ruled(Rules()), 0.0)

    def feed(self, item: Item, now: float) -> list[Out]:
        outs: list[Out] = []
        while self.core.due() <= now:
            due = self.core.due()
            outs += list(self.core.wake(due))
            assert self.core.due() > due
        outs += list(self.core.feed(item, now))
        self.outs += outs
        return outs

    def facts(self) -> list[object]:
        return [type(out.fact) for out in self.outs if isinstance(out, Tell)]

    def heal(self) -> None:
        for second in range(5):
            self.feed(good(second), second)
        self.outs.clear()


def test_it_begins_as_lost_and_says_so() -> None:
    meter = Watched()

    assert meter.facts() == [MeterLost]
    assert meter.core.view(0.0).healthy is False


def test_five_good_polls_in_a_row_bring_it_back_and_each_is_told() -> None:
    meter = Watched()
    for second in range(4):
        meter.feed(good(second), second)
    assert MeterBack not in meter.facts()
    meter.feed(good(4), 4)

    assert meter.facts() == [MeterLost, *[MeterRead] * 5, MeterBack]
    assert meter.core.view(4.5).healthy
    assert meter.core.view(4.5).age_s == 0.5


def test_every_poll_is_answered_with_one_next_last_of_all() -> None:
    meter = Watched()
    for item in (SILENT, SILENT, good(1), good(2)):
        outs = meter.feed(item, 2.0)
        assert [isinstance(out, Next) for out in outs].count(True) == 1
        assert isinstance(outs[-1], Next)


def test_a_failed_poll_is_repeated_at_once_once() -> None:
    meter = Watched()

    turns = [meter.feed(SILENT, now)[-1] for now in (0.5, 1.0, 1.5, 2.0)]

    assert turns == [Next(True), Next(False), Next(True), Next(False)]


def test_a_line_that_cannot_be_opened_is_not_tried_twice() -> None:
    assert Watched().feed(Failed("meter", "cannot open", "line"), 0.1)[-1] == Next(False)


def test_m1_it_is_lost_when_the_last_good_reading_is_5_s_old() -> None:
    meter = Watched()
    meter.heal()
    assert meter.core.due() == 9.0
    meter.feed(SILENT, 5.5)
    meter.feed(SILENT, 8.9)
    assert meter.facts() == []
    outs = list(meter.core.wake(9.0))

    assert outs[0] == Tell(MeterLost(9.0))
    assert Raised(Code.METER, detail="failed to read AL2, no reply") in outs
    assert meter.core.due() == math.inf
    assert not meter.core.view(9.0).healthy


def test_m10_alternating_ok_and_failed_polls_neither_lose_nor_heal_it() -> None:
    meter = Watched()
    for second in range(60):
        meter.feed(good(second) if second % 2 else SILENT, second)
    assert MeterBack not in meter.facts()

    healthy = Watched()
    healthy.heal()
    for second in range(5, 65):
        healthy.feed(good(second) if second % 2 else SILENT, second)
    assert set(healthy.facts()) == {MeterRead}


def test_a_failure_between_good_polls_starts_the_count_again() -> None:
    meter = Watched()
    for second in range(4):
        meter.feed(good(second), second)
    meter.feed(SILENT, 4)
    for second in range(5, 9):
        meter.feed(good(second), second)
    assert MeterBack not in meter.facts()
    meter.feed(good(9), 9)

    assert meter.facts()[-1] is MeterBack


def test_the_fault_is_raised_once_and_cleared_when_it_is_back() -> None:
    meter = Watched()
    meter.feed(SILENT, 0.5)
    meter.feed(SILENT, 1.0)
    meter.feed(SILENT, 9.0)
    for second in range(10, 15):
        meter.feed(good(second), second)

    faults = [out for out in meter.outs if isinstance(out, Raised | Cleared)]
    assert [type(fault) for fault in faults] == [Raised, Cleared]


def test_a_meter_that_starts_well_raises_no_fault_and_a_silent_one_does_within_5_s() -> None:
    well = Watched()
    well.heal()
    assert not any(isinstance(out, Raised) for out in well.outs)

    mute = Watched()
    assert mute.core.due() == 5.0
    assert Raised(Code.METER, detail="no reading yet") in list(mute.core.wake(5.0))


def test_m8_a_missing_phase_is_marked_and_is_a_fault_until_it_returns() -> None:
    meter = Watched()
    meter.heal()
    outs = meter.feed(good(5, 10_000, None, 9_000), 5)

    fact = next(out.fact for out in outs if isinstance(out, Tell))
    assert isinstance(fact, MeterRead)
    assert fact.phases_read == (True, False, True)
    assert fact.current_ma == Phases(10_000, 0, 9_000)
    assert meter.core.view(5).phases_read == fact.phases_read
    assert any(isinstance(out, Raised) and "L2" in out.detail for out in outs)
    assert Cleared(Code.METER) in meter.feed(good(6), 6)


def test_m2_m14_a_reading_that_cannot_be_true_is_a_failed_poll() -> None:
    meter = Watched()
    meter.heal()
    zeros = Polled(Reading((0, 0, 0), (None, None, None), 0, 5.0), Phases(16_000, 0, 0))
    outs = meter.feed(zeros, 5.0)

    assert not any(isinstance(out, Tell) for out in outs)
    assert Note("failed to read AL1, zero on every phase while chargers draw") in outs
    assert outs[-1] == Next(True)
    assert meter.core.due() == 9.0


def test_each_kind_of_failure_shows_the_manuals_hint() -> None:
    def hint(item: Failed, *, is_tcp: bool = False) -> str:
        meter = Watched(is_tcp=is_tcp)
        meter.feed(item, 0.5)
        shown = meter.core.view(0.5)
        assert shown.error is not None
        return shown.hint or ""

    assert "swap A and B" in hint(SILENT)
    assert "baud" in hint(SILENT)
    assert "IP" in hint(SILENT, is_tcp=True)
    assert "multiply" in hint(Failed("AL1", "out of range", "implausible"))
    assert "wiring" in hint(Failed("AL1", "CRC error", "garbled"))


def test_a_good_poll_takes_error_and_hint_away() -> None:
    meter = Watched()
    meter.feed(SILENT, 0.5)
    outs = meter.feed(good(1), 1.0)

    shown = next(out.view for out in outs if isinstance(out, View))
    assert (shown.error, shown.hint) == (None, None)
    assert shown.current_ma == Phases(10_001, 5_000, 5_000)
    assert shown.voltage_mv == (230_000, None, 231_000)
    assert shown.power_w == 4_600


def test_waiting_for_the_first_energy_is_no_failure_in_the_log() -> None:
    outs = Watched().feed(Failed("kWh", "not long enough", "waiting"), 0.5)

    assert not any(isinstance(out, Note) for out in outs)
    assert outs[-1] == Next(False)
