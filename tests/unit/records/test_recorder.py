"""Minutes made of what is seen each second: means, gaps, clocks that are set."""

from __future__ import annotations

import pytest

from linkray.model.history import MINUTES, Site, Slot, mean_of, power_w, rounded
from linkray.model.records import MinuteKept
from linkray.model.units import ZERO, Phases
from linkray.records.history.recorder import Read, Recorder, Seen

VOLTS = Phases.each(230_000)
LIMIT = Phases(63_000, 63_000, 63_000)
MINUTE = 30_000_000


def drawing(ma: int | None, charger: str = "CP1") -> tuple:
    return ((charger, ((1, None if ma is None else Phases(ma, 0, 0)),)),)


class Scene:
    """A site that is looked at once a second, and its wall clock."""

    def __init__(self, at_s: float = 0.0) -> None:
        self.recorder = Recorder()
        self.now = 100.0
        self.wall_s = MINUTE * 60 + at_s
        self.read: Read | None = None
        self.limit_ma: Phases | None = LIMIT
        self.degraded = False
        self.is_set = True
        self.kept: list[MinuteKept] = []

    def look(self, points: tuple = ()) -> None:
        minute = int(self.wall_s) // 60 if self.is_set else None
        seen = Seen(minute, VOLTS, self.limit_ma, self.degraded, self.read, points)
        self.kept += self.recorder.feed(seen, self.now)

    def run(self, seconds: int) -> Scene:
        for _ in range(seconds):
            self.now += 1
            self.wall_s += 1
            self.look()
        return self

    def meter(self, ma: int | None, total_w: int | None = None) -> Scene:
        self.read = None if ma is None else Read(Phases(ma, ma, 0), total_w, Phases(ma, ma, 0))
        return self

    def set_clock(self, by_s: int) -> Scene:
        self.wall_s += by_s
        return self

    @property
    def slots(self) -> dict[int, Slot]:
        """The newest word on each minute, counted from the scene's first."""
        return {one.minute - MINUTE: one.slot for one in self.kept}


def test_a_minute_is_the_mean_of_its_seconds_with_the_lowest_and_highest():
    scene = Scene()
    scene.meter(10_000).look()
    scene.run(29).meter(20_000).run(1).run(31)
    (kept,) = scene.kept
    site = kept.slot.site
    assert (kept.minute, kept.slot.covered_s) == (MINUTE, 60)
    assert site is not None
    assert site.current_ma == Phases(15_000, 15_000, 0)
    assert (site.low.current_ma.l1, site.high.current_ma.l1) == (10_000, 20_000)
    assert site.total_w == sum(site.power_w) == 2 * 15 * 230
    assert site.low.total_w == 2 * 10 * 230
    assert kept.slot.voltage_mv == VOLTS


def test_the_meters_own_power_counts_for_the_total():
    scene = Scene()
    scene.meter(10_000, total_w=4_000).look()
    site = scene.run(61).slots[0].site
    assert (site.total_w, sum(site.power_w)) == (4_000, 4_600)


@pytest.mark.parametrize(("seconds", "is_there"), [(29, False), (30, True)])
def test_a_minute_that_was_measured_for_less_than_half_is_a_gap(seconds, is_there):
    scene = Scene()
    scene.meter(10_000).look(drawing(8_000))
    scene.run(seconds - 1).meter(None)
    scene.now, scene.wall_s = scene.now + 1, scene.wall_s + 1
    scene.look(drawing(None))
    slot = scene.run(60).slots[0]
    assert (slot.site is not None) == is_there
    assert (("CP1", 1) in slot.points) == is_there
    assert slot.limit_ma == LIMIT


def test_what_a_connector_draws_counts_as_long_as_it_lasts():
    scene = Scene()
    scene.look(drawing(6_000))
    scene.run(20).look(drawing(12_000))
    scene.run(20).look(drawing(0))
    assert scene.run(21).slots[0].points == {("CP1", 1): Phases(6_000, 0, 0)}
    assert scene.run(60).slots[1].points == {("CP1", 1): ZERO}


def test_a_charger_that_is_gone_is_a_gap_and_a_new_one_begins_where_it_is_seen():
    scene = Scene()
    scene.look(drawing(6_000))
    scene.run(60).look((("CP1", ()), *drawing(9_000, "CP2")))
    scene.run(61)
    assert set(scene.slots[0].points) == {("CP1", 1)}
    assert scene.slots[1].points == {("CP2", 1): Phases(9_000, 0, 0)}


def test_the_lowest_limit_of_a_minute_is_kept_and_that_it_was_a_degraded_one():
    scene = Scene()
    scene.look()
    scene.run(10)
    scene.limit_ma, scene.degraded = Phases(63_000, 20_000, 63_000), True
    scene.run(10)
    scene.limit_ma, scene.degraded = LIMIT, False
    scene.run(120)
    assert (scene.slots[0].limit_ma, scene.slots[0].degraded) == (Phases(63_000, 20_000, 63_000),
                                                                  True)  # fmt: skip
    assert (scene.slots[1].limit_ma, scene.slots[1].degraded) == (LIMIT, False)


def test_a_loop_that_stood_still_has_measured_nothing_meanwhile():
    scene = Scene()
    scene.meter(10_000).look(drawing(6_000))
    scene.now, scene.wall_s = scene.now + 58, scene.wall_s + 58
    scene.look()
    slot = scene.run(3).slots[0]
    assert (slot.site, slot.points, slot.covered_s) == (None, {}, 4)


def test_a_clock_set_back_measures_minutes_again_and_one_set_ahead_leaves_a_gap():
    scene = Scene(at_s=30)
    scene.meter(10_000).look()
    scene.run(120).set_clock(-3_600).meter(20_000).run(60)
    assert [one.minute - MINUTE for one in scene.kept] == [0, 1, 2, -58]
    assert [one.slot.covered_s for one in scene.kept] == [30, 60, 31, 29]
    scene.run(29).set_clock(2 * 3_600).run(121)
    assert sorted(scene.slots) == [-58, -57, 0, 1, 2, 64, 65]
    assert scene.slots[65].site.current_ma.l1 == 20_000


def test_a_clock_that_moves_within_a_minute_changes_no_mean():
    scene = Scene(at_s=5)
    scene.meter(10_000).look()
    scene.run(40).set_clock(-20).run(40)
    (kept,) = scene.kept
    assert (kept.slot.covered_s, kept.slot.site.current_ma.l1) == (60, 10_000)


def test_a_clock_that_is_not_set_keeps_nothing():
    scene = Scene()
    scene.is_set = False
    scene.meter(10_000).look()
    assert scene.run(300).kept == []
    scene.is_set = True
    assert sorted(scene.run(61).slots) == [5]


def test_begun_anew_in_the_middle_of_a_minute_it_loses_that_minute_at_most():
    before = Scene()
    before.meter(10_000).look()
    before.run(90)
    after = Scene(at_s=100)
    after.meter(10_000).look()
    after.run(90)
    assert (sorted(before.slots), sorted(after.slots)) == ([0], [1, 2])
    assert after.slots[1].site is None
    assert after.slots[2].site is not None


def test_means_round_to_the_nearest_and_halves_upwards():
    assert [rounded(n, 2) for n in (-3, -1, 0, 1, 3)] == [-1, 0, 0, 1, 2]
    assert [rounded(n, 3) for n in (-2, -1, 1, 2)] == [-1, 0, 0, 1]
    assert power_w(Phases(10_000, -10_000, 2), VOLTS) == Phases(2_300, -2_300, 0)


def minute(ma: int | None, *points: tuple[str, int], limit: int = 63_000) -> Slot:
    phases = Phases.each(ma or 0)
    site = None if ma is None else Site(phases, phases, 3 * (ma or 0), phases)
    return Slot(60, VOLTS, Phases.each(limit), site=site,
                points={(name, 1): Phases.each(of) for name, of in points})  # fmt: skip


def test_a_quarter_is_the_mean_of_its_minutes_where_half_of_them_were_measured():
    some = [minute(1_000, ("A", 9), ("B", 3))] * 7 + [minute(2_001, ("A", 10))]
    slot = mean_of([*some, *[minute(None)] * 7])
    assert slot.site.current_ma == Phases.each(rounded(9_001, 8))
    assert slot.site.low is None
    assert slot.points == {("A", 1): Phases.each(9)}
    assert mean_of([*some[:7], *[minute(None)] * 8]).site is None


def test_a_quarters_limit_is_the_lowest_and_it_is_degraded_if_a_minute_was():
    slots = [minute(None)] * 14 + [Slot(60, VOLTS, Phases.each(9_000), degraded=True)]
    assert len(slots) == MINUTES
    slot = mean_of(slots)
    assert (slot.limit_ma, slot.degraded, slot.covered_s) == (Phases.each(9_000), True, 900)
    assert mean_of([Slot()]) == Slot()
