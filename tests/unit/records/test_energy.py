"""The pieces of a session's energy add up to it, whatever its registers did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.records.books import QUARTERLY, session

from linkray.kit.clock import stamp
from linkray.model.sessions import Sample
from linkray.records.energy import intervals, quarters


def shown(of, step_s=900):
    return [(one.wh, one.estimated) for one in intervals(of, step_s)]


def test_registers_of_each_quarter_give_its_energy_as_read():
    assert shown(QUARTERLY) == [(1_000, False)] * 4
    assert [one.at for one in quarters(QUARTERLY)][:2] == [
        "2026-11-21T10:00:00.000Z", "2026-11-21T10:15:00.000Z",
    ]  # fmt: skip


def test_half_hours_are_as_read_and_five_minutes_are_estimates():
    assert shown(QUARTERLY, 1_800) == [(2_000, False), (2_000, False)]
    fives = shown(QUARTERLY, 300)
    assert sum(wh for wh, _ in fives) == 4_000
    assert all(estimated for wh, estimated in fives if wh)


def test_a_gap_in_the_registers_is_filled_evenly_and_says_so():
    lost = session(("10:14", 1_000), ("10:59", 4_000))
    assert shown(lost) == [(1_000, False), (1_023, True), (1_022, True), (955, True)]


def test_a_session_without_a_register_between_is_an_estimate_but_for_its_ends():
    assert shown(session()) == [(1_000, True)] * 4
    short = session(energy_wh=300, ended="2026-11-21T10:09:00.000Z")
    assert shown(short) == [(300, False)]


def test_a_register_that_jumps_gives_an_estimate_and_no_energy_more():
    jumped = session(("10:14", 9_999), ("10:29", 20), flagged=True)
    assert sum(wh for wh, _ in shown(jumped)) == 4_000
    assert all(estimated for wh, estimated in shown(jumped) if wh)


def test_no_energy_is_no_intervals_and_one_that_runs_goes_as_far_as_its_registers():
    assert intervals(session(energy_wh=0), 900) == []
    runs = session(("10:14", 1_000), ("10:20", 1_400), energy_wh=1_400, ended=None, finished=False)
    assert shown(runs) == [(1_000, False), (400, False)]


@given(
    st.lists(st.tuples(st.integers(-90_000, 90_000), st.integers(-5_000, 60_000)), max_size=20),
    st.integers(0, 50_000), st.integers(0, 100_000), st.sampled_from([300, 900, 1_800]),
)  # fmt: skip
def test_the_pieces_add_up_whatever_was_kept(samples, energy_wh, lasts_s, step_s):
    began = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    kept = tuple(Sample(stamp(began + timedelta(seconds=s)), 1_000 + wh) for s, wh in samples)
    of = session(energy_wh=energy_wh, ended=stamp(began + timedelta(seconds=lasts_s)))
    of = msgspec.structs.replace(of, samples=kept)

    pieces = intervals(of, step_s)

    assert sum(one.wh for one in pieces) == energy_wh
    assert all(one.wh >= 0 for one in pieces)
    assert all(one.at_s % step_s == 0 for one in pieces)
    assert [one.at_s for one in pieces] == sorted({one.at_s for one in pieces})
