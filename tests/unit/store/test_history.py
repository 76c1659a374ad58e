"""The site's past on disk: minutes for 31 days, quarters for two years, and what a full disk takes
of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from tools.world.disk import Disk

from linkray.kit.clock import WallClock
from linkray.model.history import MINUTES, Point, Site, Slot, Span, power_w
from linkray.model.records import MinuteKept, TransactionBegan
from linkray.model.units import Phases
from linkray.store import history
from linkray.store.db import FILE, Store, StoreError
from linkray.store.history import MINUTES_KEPT, QUARTERS_A_DAY, QUARTERS_KEPT
from linkray.store.reader import Reader
from linkray.store.runner import Inline

AT = "2026-01-02T03:04:05.000Z"
DATABASE = Path("/disk") / FILE
QUARTER = 2_000_000
VOLTS = Phases.each(230_000)


def site_of(ma: int) -> Site:
    current = Phases(ma, ma, ma)
    watts = power_w(current, VOLTS)
    span = Span(current, watts, sum(watts))
    return Site(current, watts, sum(watts), current, span, span)


def kept(
    minute: int, ma: int = 10_000, points: Iterable[Point] = (("CP1", 1),), covered_s: int = 60
) -> MinuteKept:
    return MinuteKept(
        minute,
        Slot(covered_s, VOLTS, Phases.each(63_000), False, site_of(ma),
             {point: Phases(ma, 0, 0) for point in points}),
    )  # fmt: skip


async def opened(file: Path | str = ":memory:", disk: Disk | None = None) -> Store:
    clock = WallClock(lambda: datetime.fromisoformat(AT))
    if disk is None:
        return await Store.open(file, Inline(), clock)
    return await Store.open(file, Inline(), clock, disk)


async def minutes(store: Store, first: int = QUARTER, last: int = QUARTER + 1) -> dict[int, Slot]:
    return dict(await store._read(lambda disk: disk.outbox(
        lambda db: list(history.minutes_of(db, first, last)))))


async def quarters(store: Store, first: int, last: int) -> dict[int, Slot]:
    return dict(await store._read(lambda disk: disk.outbox(
        lambda db: list(history.quarters_of(db, first, last)))))


async def test_a_minute_comes_back_as_it_was_written_currents_of_connectors_to_a_tenth():
    store = await opened()
    first = QUARTER * MINUTES
    slot = Slot(
        58, VOLTS, None, True, site_of(-5_123),
        {("CP1", 1): Phases(6_049, 6_050, 0), ("CP1", 2): Phases(), ("=CP,2", 1): Phases(0, 0, 50)},
    )  # fmt: skip
    await store.commit([MinuteKept(first + 3, slot)])
    await store.commit([kept(first + 4, points=[("CP3", 1)])])
    found = await minutes(store)
    assert list(found) == [first + 3, first + 4]
    back = found[first + 3]
    assert back.points == {("CP1", 1): Phases(6_000, 6_100, 0), ("CP1", 2): Phases(),
                           ("=CP,2", 1): Phases(0, 0, 100)}  # fmt: skip
    assert (back.site, back.limit_ma, back.degraded, back.covered_s) == (slot.site, None, True, 58)
    assert set(found[first + 4].points) == {("CP3", 1)}


async def test_of_a_minute_that_was_measured_twice_the_longer_one_stays_or_the_newer_one():
    store = await opened()
    first = QUARTER * MINUTES
    for ma, covered_s in ((1_000, 60), (2_000, 12), (3_000, 60)):
        await store.commit([kept(first, ma, covered_s=covered_s)])
        found = await minutes(store)
        assert found[first].site.current_ma.l1 == {12: 1_000}.get(covered_s, ma)


async def test_minutes_become_one_mean_after_31_days_and_go_after_two_years():
    store = await opened()
    first = QUARTER * MINUTES
    for minute in range(MINUTES):
        await store.commit([kept(first + minute, 1_000 * minute)])
    before = await quarters(store, QUARTER, QUARTER + 1)
    assert before[QUARTER].site.current_ma.l1 == 7_000

    await store.commit([kept(first + MINUTES_KEPT * MINUTES)])
    assert len(await minutes(store)) == MINUTES
    await store.commit([kept(first + (MINUTES_KEPT + 1) * MINUTES)])
    assert await minutes(store) == {}
    assert await quarters(store, QUARTER, QUARTER + 1) == before

    await store.commit([kept(first + QUARTERS_KEPT * MINUTES)])
    assert QUARTER in await quarters(store, QUARTER, QUARTER + 1)
    await store.commit([kept(first + (QUARTERS_KEPT + 1) * MINUTES)])
    assert await quarters(store, QUARTER, QUARTER + 1) == {}


async def test_a_clock_that_is_wrong_for_an_hour_takes_no_month_with_it():
    store = await opened()
    first = QUARTER * MINUTES
    for quarter in range(3 * QUARTERS_A_DAY):
        await store.commit([kept(first + quarter * MINUTES, covered_s=60)])
    ten_years = 10 * 365 * QUARTERS_A_DAY * MINUTES
    await store.commit([kept(first + ten_years + minute) for minute in range(60)])
    there = await quarters(store, QUARTER, QUARTER + 3 * QUARTERS_A_DAY)
    assert 3 * QUARTERS_A_DAY - 60 <= len(there) < 3 * QUARTERS_A_DAY
    await store.commit([kept(first + 3 * QUARTERS_A_DAY * MINUTES)])
    assert len(await quarters(store, QUARTER, QUARTER + 4 * QUARTERS_A_DAY)) == len(there) + 1


@pytest.mark.parametrize("harm", ["zeroblob(40)", "x'00'", "substr(minutes, 1, 30)", "bad"])
async def test_a_row_that_cannot_be_read_is_none_and_holds_up_nothing(harm):
    """Neither the minute after it, nor the minute in which it is the oldest, nor a full disk."""
    store = await opened()
    first = QUARTER * MINUTES
    for quarter in range(3):
        await store.commit([kept(first + quarter * MINUTES + minute) for minute in range(9)])
    db = store._disk._db
    bad = f"x'{zlib.compress(b'what?').hex()}'" if harm == "bad" else harm
    db.execute(f"UPDATE history_minutes SET minutes = {bad}")
    db.execute("INSERT INTO history_quarters VALUES (?, x'00')", (QUARTER - 1,))
    assert await minutes(store, QUARTER, QUARTER + 9) == {}
    assert await quarters(store, QUARTER - 9, QUARTER + 9) == {}

    await store.commit([kept(first + 9)])  # into the first of them
    assert list(await minutes(store)) == [first + 9]
    late = first + (MINUTES_KEPT + 9) * MINUTES
    for minute in range(3):
        await store.commit([kept(late + minute)])
    assert list(await quarters(store, 0, QUARTER + 9)) == [QUARTER]
    assert list(db.execute("SELECT count(*) FROM history_minutes")) == [(1,)]
    db.execute(f"UPDATE history_minutes SET minutes = {bad}")
    assert await store._write(lambda disk: disk.outbox(history.thin)) == 1
    assert list(db.execute("SELECT count(*) FROM history_minutes")) == [(0,)]


async def test_what_fails_with_old_minutes_costs_no_new_one(monkeypatch):
    store = await opened()
    first = QUARTER * MINUTES
    late = first + (MINUTES_KEPT + 1) * MINUTES
    await store.commit([kept(first)])
    with monkeypatch.context() as broken:
        broken.setattr(history, "mean_of", lambda _minutes: 1 // 0)
        await store.commit([kept(late)])
    assert list(await minutes(store, 0, 2 * QUARTER)) == [first, late]
    await store.commit([kept(late + 1)])
    assert list(await minutes(store, 0, 2 * QUARTER)) == [late, late + 1]


async def test_connectors_have_a_bound_and_those_that_no_row_tells_of_are_forgotten(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(history, "POINTS_MAX", 3)
    file = tmp_path / FILE
    store = await opened(file)
    first = QUARTER * MINUTES
    chargers = [f"CP{number}" for number in range(1, 6)]
    await store.commit([kept(first, points=[(one, 1) for one in chargers])])
    assert {charger for charger, _one in (await minutes(store))[first].points} == {
        "CP1", "CP2", "CP3"
    }  # fmt: skip
    late = first + MINUTES  # of a fifteenth of a quarter there is no mean
    await store.commit([kept(late + minute, points=[("CP2", 1)]) for minute in range(15)])
    await store.commit([kept(late + (MINUTES_KEPT + 9) * MINUTES, points=[("CP3", 1)])])
    await store.commit([kept(late + (MINUTES_KEPT + 9) * MINUTES + 1, points=[("CP3", 1)])])
    before = await quarters(store, 0, 2 * QUARTER)
    await store._forget_points()
    assert len(await store._read(lambda disk: disk.outbox(history.numbers))) == 3, "just told of"
    await store.close()

    store = await opened(file)
    await store._forget_points()
    named = await store._read(lambda disk: disk.outbox(history.numbers))
    assert named == {("CP2", 1): 2, ("CP3", 1): 3}
    await store.commit([kept(late + (MINUTES_KEPT + 9) * MINUTES + 2, points=[("CP4", 1)])])
    after = await quarters(store, 0, 2 * QUARTER)
    assert after[QUARTER + 1] == before[QUARTER + 1]
    assert set((await minutes(store, 0, 2 * QUARTER)).popitem()[1].points) == {("CP4", 1)}
    await store.close()


async def test_the_pages_read_it_from_another_process(tmp_path):
    file = tmp_path / FILE
    store = await opened(file)
    first = QUARTER * MINUTES
    await store.commit([kept(first), kept(first + MINUTES)])
    reader = Reader(file)
    assert [number for number, _slot in reader.minutes(QUARTER, QUARTER + 9)] == [
        first, first + MINUTES,
    ]  # fmt: skip
    assert [number for number, _slot in reader.quarters(QUARTER, QUARTER + 1)] == [QUARTER]
    assert reader.quarters_there(QUARTER, QUARTER + 9) == [QUARTER, QUARTER + 1]
    reader.close()
    await store.close()


async def test_on_a_full_disk_graphs_go_and_starts_are_kept():
    """The oldest minutes first, as means; sessions stay whatever happens."""
    with Disk().plugged() as disk:
        store = await opened(DATABASE, disk)
        first = QUARTER * MINUTES
        for quarter in range(2 * QUARTERS_A_DAY):
            await store.commit([kept(first + quarter * MINUTES + n) for n in range(MINUTES)])
        disk.room = 0
        for number in range(1, 200):
            await store.commit([TransactionBegan(number, "DBT1", 1, "TAG", 0, AT, AT)])
            if store._reserve.is_spent:
                break
        assert store._reserve.is_spent
        with pytest.raises(StoreError):
            await store.commit([kept(first + 10**6)])
        everything = await quarters(store, 0, 2 * QUARTER)
        await store._make_room()
        assert await quarters(store, 0, 2 * QUARTER) == everything
        assert len(await minutes(store, 0, 2 * QUARTER)) == QUARTERS_A_DAY * MINUTES
        for _minute in range(3):
            await store._make_room()
        assert await quarters(store, 0, 2 * QUARTER) == {}
        assert len(await store.running()) == number
        store._disk.abandon()
