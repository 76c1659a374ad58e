"""What the store promises about disks: answered means durable, whatever fails (trust.md, P)."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import datetime

import msgspec
import pytest
import trio
from tools.busy_day import FOLDER, Day
from tools.powercut import cut_everywhere, is_same_next
from tools.world.disk import FOR_EVER, LOSSES, Disk, Platter

from linkray.kit.clock import WallClock
from linkray.kit.keep import KeptDown
from linkray.model.asks import ASSEMBLER, Who
from linkray.model.records import (
    Called,
    Delivered,
    IdLearned,
    Outgoing,
    SetAside,
    TransactionBegan,
    TransactionEnded,
    TransactionSampled,
)
from linkray.model.settings import Csms, Settings, Site
from linkray.store import copies, db, reserve, thinning
from linkray.store import disk as the_disk
from linkray.store.copies import make_daily_copy
from linkray.store.db import FILE, GATHER_S, DiskFull, Store, StoreError
from linkray.store.runner import Inline, InThread
from linkray.store.thinning import Gone

AT = "2026-01-02T03:04:05.000Z"
FIXED = datetime.fromisoformat(AT)
URL = "ws://csms.example"
WHO = Who("Assembler", ASSEMBLER, "192.0.2.7")
DATABASE = FOLDER / FILE
RESERVE = FOLDER / reserve.FILE
DOUBT = FOLDER / f"{FILE}{the_disk.DOUBT}"


@pytest.fixture
def disk():
    with Disk().plugged() as disk:
        yield disk


async def opened(disk: Disk) -> Store:
    return await Store.open(DATABASE, Inline(), WallClock(lambda: FIXED), disk)


def killed(store: Store) -> None:
    """The process ends without a word; the machine goes on."""
    store._disk.abandon()


def after_cut(disk: Disk, loss="unsynced lost", seed: int = 1) -> Disk:
    """The disk as it is found when the power was cut just now."""
    platter = Platter(Disk())
    for step in disk.steps:
        platter.take(step)
    return platter.after_cut(loss, random.Random(seed))


def began(number: int, charger: str = "DBT1") -> TransactionBegan:
    return TransactionBegan(number, charger, 1, "TAG", 1_000, AT, AT)


@pytest.mark.parametrize("seed", [1, 2])
def test_p1_p2_a_power_cut_at_every_step_loses_nothing_that_was_answered(seed):
    day = Day(seed, chargers=2).record(hours=0.75)
    found = cut_everywhere(day, seed)
    assert found.points == len(day.disk.steps) + 1 > 250
    assert found.cuts == 4 * found.points
    assert found.second_cuts > 20, "the power must go again while it opens, too"
    assert found.wrong == []


@pytest.mark.parametrize("hurt", ["sync", "sync-folder"])
def test_p1_a_disk_that_forgets_its_syncs_is_found_out(hurt):
    """The judge itself: a store that answered before its sync would not pass."""
    day = Day(1, chargers=2).record(hours=0.75)
    day.disk.steps = [("lost", 0) if step[0] == hurt else step for step in day.disk.steps]
    wrong = cut_everywhere(day, 1, range(0, len(day.disk.steps), 15)).wrong
    assert any("its start is lost" in words for words in wrong)


@pytest.mark.parametrize("loss", LOSSES)  # "all kept" is SIGKILL: the machine goes on
async def test_p1_p7_a_box_that_dies_again_and_again_loses_nothing_that_was_answered(loss):
    chance = random.Random(7)
    found, running, ended, given = Disk(), set(), set(), set()
    for life in range(60):
        begins = Platter(found)
        answered = []  # of this life: after how many steps what was told
        with found.plugged():
            store = await opened(found)
            kept = {t.id: t.finished for t in await store.recent("DBT1", 1_000)}
            assert running | ended <= kept.keys(), life
            assert all(kept[number] for number in ended), life
            for _session in range(chance.randrange(3)):
                number = store.take_transaction_id()
                assert number not in given, f"{number} comes twice in life {life}"
                await store.commit([began(number)])
                answered.append((len(found.steps), running, number))
                if chance.random() < 0.7:
                    await store.commit([TransactionEnded(number, 2_000, AT, "Local", AT)])
                    answered.append((len(found.steps), ended, number))
            killed(store)
        cut = chance.randrange(len(found.steps) + 1)
        for at, told, number in answered:
            if at <= cut:
                told.add(number)
                given.add(number)
        for step in found.steps[:cut]:
            begins.take(step)
        found = begins.after_cut(loss, chance)
    assert len(given) > 10


async def test_a_commit_is_answered_only_after_its_sync(disk):
    store = await opened(disk)
    before = disk.syncs
    await store.commit([began(1)])
    assert disk.syncs == before + 1
    await store.commit([began(2)])
    assert disk.syncs == before + 2
    assert [t.id for t in await store.running()] == [1, 2]
    await store.close()


async def test_a_large_commit_makes_no_file_beside_the_database(disk):
    store = await opened(disk)
    await store.commit([began(number, f"C{number % 97}") for number in range(1, 3_001)])
    await store.commit([TransactionEnded(n, 2_000, AT, "Local", AT) for n in range(1, 3_001)])
    assert set(disk.names) == {str(DATABASE), f"{DATABASE}-wal", str(RESERVE)}
    killed(store)


@pytest.mark.realtime
async def test_p10_many_callers_share_one_sync(disk):
    store = await Store.open(DATABASE, InThread(), files=disk)
    await store.commit([began(101)])
    before, commits = disk.syncs, store.commits
    async with trio.open_nursery() as nursery:
        for number in range(1, 101):
            nursery.start_soon(store.commit, [began(number, f"C{number}")])
    assert store.commits - commits <= 3
    assert disk.syncs - before <= 3
    assert len(await store.running()) == 101
    await store.close()


def value(number: int, charger: str) -> Outgoing:
    return Outgoing(number, charger, f"m{number}", "MeterValues", "{}", 1, AT, URL)


async def test_p10_values_that_must_be_kept_take_one_sync_a_second_however_many_there_are(disk):
    store = await opened(disk)
    waited: list[float] = []

    def gather(number: int) -> None:
        came_at = trio.current_time()

        def told(error: StoreError | None) -> None:
            assert error is None
            waited.append(trio.current_time() - came_at)

        store.gather([value(number, f"C{number % 32}")], told)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.keep_gathering)
        before, began_at = disk.syncs, trio.current_time()
        for number in range(1, 601):
            gather(number)
            await trio.sleep(0.1)
        assert disk.syncs - before <= trio.current_time() - began_at + 1
        await trio.sleep(GATHER_S)
        nursery.cancel_scope.cancel()
    assert len(waited) == 600
    assert max(waited) <= GATHER_S
    killed(store)


async def test_a_stop_waits_for_nobodys_values_and_takes_them_along(disk):
    store = await opened(disk)
    await store.commit([began(1)])
    told: list[StoreError | None] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.keep_gathering)
        store.gather([value(1, "C1")], told.append)
        await trio.sleep(0.1)
        store.gather([value(2, "C1")], told.append)
        before = disk.syncs
        await store.commit([TransactionEnded(1, 2_000, AT, "Local", AT), value(3, "C1")])
        assert told == [None, None], "also what came a moment ago"
        assert disk.syncs == before + 1
        nursery.cancel_scope.cancel()
    found, _more = await store.load("C1", URL, 0, 9)
    assert [one.number for one in found] == [1, 2, 3]
    killed(store)


async def test_p3_what_could_not_be_gathered_is_told_so_and_is_not_written_later(disk):
    store = await opened(disk)
    told: list[StoreError | None] = []
    disk.failing_syncs = FOR_EVER
    store.gather([value(1, "C1")], told.append)
    with pytest.raises(StoreError):
        await store.flush()
    store.gather([value(2, "C1")], told.append)
    assert [type(one) for one in told] == [StoreError, StoreError], "the second at once"
    disk.failing_syncs = 0
    await store.flush()
    assert await store.load("C1", URL, 0, 9) == ((), False)
    killed(store)


def of(transaction: int, number: int, at: str, context: str = "Sample.Periodic") -> Outgoing:
    payload = f'{{"context":"{context}","filler":"{"x" * 400}"}}'
    return Outgoing(number, "C1", f"m{number}", "MeterValues", payload, transaction, at, URL)


def said(transaction: int, number: int, action: str) -> Outgoing:
    return Outgoing(number, "C1", f"m{number}", action, "{}", transaction, AT, URL)


async def kept_sessions(store: Store) -> None:
    """Two that have ended and one that runs, of six hours each with a value a minute."""
    number = 0
    for transaction in (1, 2, 3):
        number += 1
        start = TransactionBegan(transaction, "C1", transaction, "TAG", 0, AT, AT)
        await store.commit([start, said(transaction, number, "StartTransaction")])
        values = []
        for minute in range(360):
            number += 1
            context = "Sample.Clock" if minute % 15 == 0 else "Sample.Periodic"
            at = f"2026-01-02T{minute // 60:02d}:{minute % 60:02d}:00.000Z"
            values.append(of(transaction, number, at, context))
        await store.commit(values)
        if transaction < 3:
            number += 1
            ended = TransactionEnded(transaction, 2_000, AT, "Local", AT)
            await store.commit([ended, said(transaction, number, "StopTransaction")])


async def left(store: Store) -> Counter[tuple[int, str]]:
    found, _more = await store.load("C1", URL, 0, 10_000)
    return Counter((one.transaction, one.action) for one in found)


async def test_k2_a_full_queue_gives_up_values_of_the_oldest_ended_sessions_first_and_says_so(
    disk, monkeypatch
):
    monkeypatch.setattr(db, "THINNED_AT_ONCE", 100)
    store = await opened(disk)
    await kept_sessions(store)
    gone: list[Gone] = []
    store.when_thinned = gone.extend
    used = await store._read(lambda disk: disk.bytes_used())
    every = {(n, action): 1 for n in (1, 2) for action in ("StartTransaction", "StopTransaction")}
    every[3, "StartTransaction"] = 1

    monkeypatch.setattr(db, "DATABASE_BYTES_MAX", used - 100_000)
    await store._bound_queue()
    values = await left(store)
    assert values[1, "MeterValues"] < values[2, "MeterValues"] == values[3, "MeterValues"] == 360
    assert all(values[what] == 1 for what in every)
    assert store.queue_trouble.value == f"{len(gone)} values are thinned, 0 refused"
    assert store.trouble.value is None

    monkeypatch.setattr(db, "DATABASE_BYTES_MAX", 0)
    monkeypatch.setattr(db, "REFUSED_ABOVE", 0)
    await store._bound_queue()
    values = await left(store)
    assert (values[1, "MeterValues"], values[2, "MeterValues"]) == (0, 0)
    assert values[3, "MeterValues"] == 24 + 6 - 0, "the aligned ones, and each hour's last"
    assert all(values[what] == 1 for what in every)
    assert len(gone) == len(set(gone)) == 3 * 360 - 30
    told: list[StoreError | None] = []
    store.gather([of(3, 9_999, AT)], told.append)
    assert [type(one) for one in told] == [DiskFull]
    await store._bound_queue()
    killed(store)

    store = await opened(disk)
    assert store.queue_trouble.value == f"{len(gone)} values are thinned, 1 refused"
    former = msgspec.structs.replace(of(3, 10_000, AT), csms="ws://former.example")
    site = Settings(csms=Csms(URL))
    await store.change_settings(site, WHO, "the CSMS")
    await store.commit([former])
    found, _more = await store.load("C1", URL, 0, 10_000)
    store.later([Delivered(one.number) for one in found])
    await store.flush()
    await store._bound_queue()
    assert store.queue_trouble.value is None, "all that was left is said"
    await store.close()


async def test_p4_a_full_disk_gives_up_values_for_the_csms_after_its_own_history(disk):
    store = await opened(disk)
    await kept_sessions(store)
    disk.room = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        await store.commit([began(4)])
        await trio.sleep(300)
        nursery.cancel_scope.cancel()
    values = await left(store)
    assert values[1, "MeterValues"] < 360
    assert values[1, "StartTransaction"] == values[1, "StopTransaction"] == 1
    assert "values are thinned" in (store.queue_trouble.value or "")
    killed(store)


async def test_k2_values_of_no_session_that_is_known_go_first(disk, monkeypatch):
    monkeypatch.setattr(db, "THINNED_AT_ONCE", 100)
    monkeypatch.setattr(thinning, "LOOKED_AT_ONCE", 2)
    store = await opened(disk)
    await kept_sessions(store)
    await store.commit([of(0, n, AT) for n in range(2_000, 2_200)])
    await store.commit([of(77, n, AT, "Sample.Clock") for n in range(2_200, 2_300)])
    gone: list[Gone] = []
    store.when_thinned = gone.extend
    used = await store._read(lambda disk: disk.bytes_used())

    monkeypatch.setattr(db, "DATABASE_BYTES_MAX", used - 50_000)
    await store._bound_queue()
    values = await left(store)
    assert [number for *_, number in gone] == list(range(2_000, 2_000 + len(gone)))
    assert values[0, "MeterValues"] == 200 - len(gone) > 0
    assert values[77, "MeterValues"] == 100

    monkeypatch.setattr(db, "DATABASE_BYTES_MAX", used - 200_000)
    await store._bound_queue()
    values = await left(store)
    assert (values[0, "MeterValues"], values[77, "MeterValues"]) == (0, 0)
    assert values[1, "MeterValues"] < 360 == values[2, "MeterValues"]
    assert len(gone) == len(set(gone))
    killed(store)


def test_p10_a_busy_day_is_written_with_few_bytes_and_syncs():
    day = Day(1, chargers=8).record(hours=6)
    answered = sum(1 for _answer in day.answers)
    assert day.disk.bytes_written < 50 * 2**20, "200 MiB a day"
    assert day.disk.syncs < answered + 6 * 60 * 2, "one for an answer, and the minute's"


async def test_p3_a_sync_that_fails_once_is_done_again_before_the_answer(disk):
    store = await opened(disk)
    disk.failing_syncs = 1
    await store.commit([began(1)])
    assert store.trouble.value is None
    assert store.takes_writes
    with after_cut(disk).plugged() as after:
        found = await opened(after)
        assert [t.id for t in await found.running()] == [1]
        killed(found)
    killed(store)


async def test_p3_a_write_that_is_tried_again_is_there_once(disk):
    store = await opened(disk)
    await store.audit(WHO, "signed in")
    disk.failing_syncs = 1
    assert await store.change_settings(Settings(site=Site(name="new")), WHO, "name") == 1
    assert [line.what for line in await store.audit_lines()] == ["signed in", "name"]
    killed(store)


@pytest.mark.parametrize("loss", LOSSES)
async def test_p3_nothing_is_built_on_what_a_failed_sync_left_behind(disk, loss):
    store = await opened(disk)
    disk.failing_syncs = FOR_EVER
    with pytest.raises(StoreError):
        await store.commit([began(1)])
    disk.failing_syncs = 0
    killed(store)
    again = await opened(disk)
    await again.commit([began(2)])
    with after_cut(disk, loss).plugged() as after:
        found = await opened(after)
        assert 2 in {t.id for t in await found.running()}
        assert found.opened.missing is None
        killed(found)
    killed(again)


async def test_p3_what_was_refused_does_not_come_true_later(disk):
    store = await opened(disk)
    await store.commit([began(1)])
    disk.failing_syncs = FOR_EVER
    with pytest.raises(StoreError):
        await store.commit([began(2)])
    with pytest.raises(StoreError):
        await store.commit([TransactionEnded(1, 2_000, AT, "Local", AT)])
    assert [t.id for t in await store.running()] == [1], "what was refused is seen by nobody"
    disk.failing_syncs = 0
    await store.commit([began(3)])
    assert [t.id for t in await store.running()] == [1, 3]
    await store.close()
    again = await opened(disk)
    assert [t.id for t in await again.running()] == [1, 3]
    killed(again)


async def test_p3_a_disk_that_fails_for_good_answers_nobody_and_is_a_fault(disk):
    store = await opened(disk)
    await store.commit([began(2)])
    disk.failing_syncs = FOR_EVER
    with pytest.raises(StoreError, match="the disk does not take writes"):
        await store.commit([began(1)])
    assert store.trouble.value is not None
    assert "does not take writes" in store.trouble.value
    assert not store.takes_writes
    with pytest.raises(StoreError):
        await store.remember("emergency_stop", "on")
    assert store.recall("emergency_stop") is None
    store.later([TransactionSampled(2, 1_500, AT)])
    with pytest.raises(StoreError):
        await store.flush()
    assert [t.id for t in await store.running()] == [2], "what is there can still be read"
    disk.failing_syncs = 0
    await store.commit([began(3)])
    assert store.trouble.value is None
    energies = {t.id: t.energy_wh for t in await store.running()}
    assert energies[2] == 500, "a sample that could not be written is written when it can be"
    await store.close()


async def test_p3_a_start_on_a_disk_that_syncs_nothing_reads_what_is_there(disk):
    store = await opened(disk)
    await store.commit([began(1)])
    killed(store)
    disk.failing_syncs = FOR_EVER
    store = await opened(disk)
    assert "does not take writes" in store.trouble.value
    assert not store.takes_writes
    assert [t.id for t in await store.running()] == [1]
    disk.failing_syncs = 0
    await store.commit([began(2)])
    assert store.takes_writes
    assert store.trouble.value is None
    await store.close()


async def test_p3_a_disk_that_writes_again_is_found_within_a_minute(disk):
    store = await opened(disk)
    disk.failing_syncs = FOR_EVER
    with pytest.raises(StoreError):
        await store.commit([began(1)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        await trio.sleep(61)
        assert not store.takes_writes
        disk.failing_syncs = 0
        await trio.sleep(60)
        assert store.takes_writes
        nursery.cancel_scope.cancel()
    await store.close()


async def a_damaged_site(disk: Disk, *, copied: bool = True) -> None:
    """Two transactions answered, the second after the day's copy; then the file is damaged."""
    store = await opened(disk)
    await store.commit([began(store.take_transaction_id())])
    if copied:
        make_daily_copy(store._disk, DATABASE, "2026-01-01")
    await store.commit([began(store.take_transaction_id())])
    await store.close()
    inode = disk.names[str(DATABASE)]
    for at in range(4096, len(disk.inodes[inode]), 64):
        disk.put(inode, at, b"\x55")
    disk.sync(DATABASE)


async def test_p5_a_number_given_since_the_copy_never_comes_again(disk):
    await a_damaged_site(disk)
    for _start in range(3):
        store = await opened(disk)
        number = store.take_transaction_id()
        assert number > copies.IDS_JUMP
        killed(store)


async def a_site_with_one_bad_page(disk: Disk, table: str) -> None:
    """Three transactions, two of them after the day's copy; then a table's first page is zeroed."""
    store = await opened(disk)
    await store.commit([began(1), TransactionSampled(1, 1_500, AT)])
    make_daily_copy(store._disk, DATABASE, "2026-01-01")
    await store.commit([TransactionEnded(1, 3_000, AT, "Local", AT), began(2)])
    await store.commit([TransactionSampled(2, 1_700, AT), began(3, "\x07")])
    (page,) = store._disk._one("SELECT rootpage FROM sqlite_schema WHERE name = ?", table)
    await store.close()
    disk.put(disk.names[str(DATABASE)], (page - 1) * 4096, bytes(4096))


async def test_p5_what_can_be_read_of_a_damaged_database_is_not_lost(disk):
    await a_site_with_one_bad_page(disk, "settings")
    store = await opened(disk)
    assert store.trouble.value.endswith("is missing, but for 2 transactions that could be read")
    second, first = await store.recent("DBT1")
    assert (first.id, first.finished, first.energy_wh, first.reason) == (1, True, 2_000, "Local")
    assert (second.id, second.finished, second.energy_wh, second.sampled) == (2, False, 700, AT)
    assert await store.recent("\x07") == [], "what no charger is called is no transaction"
    assert store.take_transaction_id() > copies.IDS_JUMP
    await store.close()
    again = await opened(disk)
    assert again.trouble.value is None
    await again.close()


async def test_p5_without_a_copy_the_transactions_are_read_all_the_same(disk):
    await a_site_with_one_bad_page(disk, "settings")
    for path, _at in disk.found(FOLDER / "copies", "*"):
        disk.remove(path)
    store = await opened(disk)
    assert "begins empty, but for 2 transactions" in store.trouble.value
    assert [t.id for t in await store.recent("DBT1")] == [2, 1]
    await store.close()


async def test_p5_a_page_that_held_the_transactions_costs_those_since_the_copy(disk):
    await a_site_with_one_bad_page(disk, "transactions")
    store = await opened(disk)
    assert store.trouble.value.endswith("is missing")
    assert [t.id for t in await store.recent("DBT1")] == [1]
    await store.close()


async def test_p5_that_the_database_was_replaced_is_in_the_audit_log(disk):
    await a_damaged_site(disk)
    store = await opened(disk)
    (line,) = await store.audit_lines()
    assert (line.who, line.what, line.new) == ("linkray", "database replaced", store.trouble.value)
    assert "is missing" in line.new
    assert await store.audit_broken_at() is None
    await store.close()


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
async def test_p1_p5_a_power_cut_while_a_damaged_database_is_replaced_changes_nothing(
    disk, copied, loss
):
    await a_damaged_site(disk, copied=copied)
    begins = Platter(disk)
    before = len(disk.steps)
    store = await opened(disk)
    killed(store)
    steps = disk.steps[before:]
    assert len(steps) > 30
    for cut in range(len(steps) + 1):
        # An empty one is made by many steps that are all alike.
        if not is_same_next(begins, steps[cut:], loss) if copied else cut % 7 == 0:
            with begins.after_cut(loss, random.Random(cut)).plugged() as found:
                await as_replaced(found, [1] if copied else [])
        if cut < len(steps):
            begins.take(steps[cut])


async def as_replaced(disk: Disk, running: list[int]) -> None:
    """The store opens, and the replacement is whole, recorded and the only one."""
    store = await opened(disk)
    assert [t.id for t in await store.running()] == running
    assert store.take_transaction_id() > copies.IDS_JUMP
    assert [line.what for line in await store.audit_lines()] == ["database replaced"]
    assert disk.found(FOLDER / "set-aside", "*.db") != []
    killed(store)


@pytest.mark.parametrize("left", [0, None])
async def test_p5_a_database_that_is_empty_or_gone_is_no_first_start(disk, left):
    await a_damaged_site(disk)
    if left is None:
        disk.remove(DATABASE)
    else:
        disk.cut(disk.names[str(DATABASE)], left)
    store = await opened(disk)
    assert "did not open" in store.trouble.value
    assert [t.id for t in await store.running()] == [1]
    killed(store)


async def test_p4_on_a_full_disk_starts_and_stops_are_kept_and_nothing_else(disk):
    store = await opened(disk)
    await store.commit([began(1)])
    disk.room = 0
    with pytest.raises(StoreError, match="the disk is full"):
        await store.change_settings(Settings(site=Site(name="new")), WHO, "name")
    assert (store.revision, store.settings.value) == (0, Settings())
    assert disk.exists(RESERVE), "not for settings"
    await store.commit([began(2)])
    assert not disk.exists(RESERVE)
    assert store.takes_writes
    assert store.trouble.value == "the disk is full: starts and stops alone are kept"
    with pytest.raises(StoreError, match="the disk is full"):
        await store.remember("starts", "x")
    store.later([TransactionSampled(1, 1_700, AT)])
    await store.commit([TransactionEnded(1, None, AT, "Local", AT)])
    with after_cut(disk).plugged() as after:
        found = await opened(after)
        assert [t.id for t in await found.running()] == [2]
        assert [t.energy_wh for t in await found.recent("DBT1")] == [0, 700]
        killed(found)
    killed(store)


async def test_p4_the_reserve_holds_more_sessions_than_a_busy_week_has(disk):
    store = await opened(disk)
    disk.room = 0
    for number in range(1, 1_001):
        await store.commit([began(number, f"C{number % 32}")])
        await store.commit([TransactionEnded(number, 2_000, AT, "Local", AT)])
    assert store.takes_writes
    assert disk.room > reserve.BYTES / 3
    killed(store)


async def test_p4_the_number_that_a_charger_hears_is_kept_on_a_full_disk(disk):
    store = await opened(disk)
    disk.room = 0
    await store.commit([began(1)])
    await store.commit([Called(1, 4_711)])
    killed(store)
    with after_cut(disk).plugged() as after:
        found = await opened(after)
        assert [t.at_charger for t in await found.running()] == [4_711]
        killed(found)


async def test_p4_with_room_again_all_is_kept_again_and_the_reserve_too(disk):
    store = await opened(disk)
    disk.room = 0
    await store.commit([began(1)])
    store.later([TransactionSampled(1, 1_700, AT)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        await trio.sleep(61)
        assert (await store.running())[0].energy_wh == 0
        disk.room = 2 * reserve.BYTES
        await trio.sleep(60)
        assert disk.size(RESERVE) == reserve.BYTES
        assert (await store.running())[0].energy_wh == 700
        nursery.cancel_scope.cancel()
    assert "is full" not in (store.trouble.value or "")
    assert await store.change_settings(Settings(site=Site(name="new")), WHO, "name") == 1
    killed(store)


async def test_p4_what_is_given_up_first_is_what_nobody_charges_by(disk):
    store = await opened(disk)
    for number in (1, 2):
        await store.commit([began(number, f"C{number}")])
        for minute in range(0, 180, 5):
            at = f"2026-01-02T{3 + minute // 60:02}:{minute % 60:02}:00.000Z"
            await store.commit([TransactionSampled(number, 1_000 + minute, at)])
    await store.commit([TransactionEnded(1, 2_000, "2026-01-02T06:00:00.000Z", "Local", AT)])
    for day in range(1, 4):
        make_daily_copy(store._disk, DATABASE, f"2025-12-0{day}")
    disk.make_folder(FOLDER / "set-aside")
    disk.make(FOLDER / "set-aside" / "linkray-2025-11-30T000000.000Z.db")
    disk.room = 0
    await store.commit([began(3)])  # from the reserve
    disk.room = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        await trio.sleep(61)
        assert disk.found(FOLDER / "set-aside", "*") == []
        left = [path.name for path, _at in disk.found(FOLDER / "copies", "*")]
        assert left == ["linkray-2025-12-03.db"]
        assert samples(store) == {1: 13, 2: 12}
        await trio.sleep(60)
        assert samples(store) == {1: 4, 2: 12}, "each hour's last of what has ended"
        assert "9 samples of ended sessions are thinned" in store.trouble.value
        nursery.cancel_scope.cancel()
    assert [t.id for t in await store.running()] == [2, 3]
    killed(store)


def samples(store: Store) -> dict[int, int]:
    return dict(store._disk._db.execute(
        "SELECT transaction_id, count(*) FROM samples GROUP BY 1"))  # fmt: skip


async def test_p4_a_start_on_a_full_disk_reads_what_is_there_and_keeps_starts(disk):
    store = await opened(disk)
    await store.commit([began(1)])
    killed(store)
    disk.room = 0
    store = await opened(disk)
    assert [t.id for t in await store.running()] == [1]
    await store.commit([began(2)])
    killed(store)
    disk.room = 0
    store = await opened(disk)
    assert store.trouble.value is not None
    assert [t.id for t in await store.running()] == [1, 2]
    killed(store)


async def test_p4_a_full_disk_that_also_failed_is_asked_again_within_a_minute(disk):
    store = await opened(disk)
    disk.room = 0
    await store.commit([began(1)])  # from the reserve
    store.later([TransactionSampled(1, 1_500, AT)])
    disk.failing_syncs = 2
    with pytest.raises(StoreError):
        await store.commit([began(2)])
    assert not store.takes_writes
    disk.failing_syncs = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        await trio.sleep(61)
        assert store.takes_writes
        nursery.cancel_scope.cancel()
    killed(store)


async def test_p4_without_room_even_for_a_stop_nobody_is_answered_and_nobody_begins(disk):
    store = await opened(disk)
    await store.commit([began(1)])
    disk.room = 0
    disk.remove(RESERVE)
    disk.room = 0
    with pytest.raises(StoreError, match="the disk is full"):
        await store.commit([began(2)])
    assert not store.takes_writes
    assert [t.id for t in await store.running()] == [1]
    disk.room = None
    await store.commit([began(2)])
    assert store.takes_writes
    killed(store)


@pytest.mark.realtime
async def test_p11_a_slow_disk_does_not_stop_the_loop_and_answers_within_5_s(disk):
    store = await Store.open(DATABASE, InThread(), files=disk)
    disk.sync_s = 0.5
    turns = 0

    async def loop() -> None:
        nonlocal turns
        while True:
            await trio.sleep(0.01)
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop)
        with trio.fail_after(5):
            async with trio.open_nursery() as chargers:
                for number in range(1, 33):
                    chargers.start_soon(store.commit, [began(number, f"C{number}")])
        assert turns > 20, "the loop stood still while the disk was busy"
        nursery.cancel_scope.cancel()
    disk.sync_s = 0
    await store.close()


CHILD = """
import sys, trio
from linkray.model.records import TransactionBegan
from linkray.store.db import Store
from linkray.store.reader import Reader
from linkray.store.runner import InThread

async def main():
    store = await Store.open(sys.argv[1], InThread())
    while True:
        number = store.take_transaction_id()
        at = "2026-01-02T03:04:05.000Z"
        await store.commit([TransactionBegan(number, "DBT1", 1, "TAG", 0, at, at)])
        print(number, flush=True)

trio.run(main)
"""


@pytest.mark.realtime
async def test_p7_kill_9_after_the_answer_loses_nothing_and_no_id_comes_twice(tmp_path):
    file = tmp_path / "linkray.db"
    answered: list[int] = []
    for most in (1, 7, 40):
        child = subprocess.Popen(  # noqa: ASYNC220  # a process of its own, killed below
            [sys.executable, "-c", CHILD, str(file)], stdout=subprocess.PIPE, text=True
        )
        with child:
            answered += [int(child.stdout.readline()) for _count in range(most)]
            child.send_signal(signal.SIGKILL)
    assert len(set(answered)) == len(answered)
    store = await Store.open(file, InThread())
    assert set(answered) <= {t.id for t in await store.running()}
    assert store.take_transaction_id() > max(answered)
    assert store.opened.missing is None
    await store.close()


async def a_site_with_a_queue(disk: Disk, table: str) -> None:
    """A session that the CSMS has named, and messages of before and after the day's copy: the first
    was taken since. Then a table's first page is zeroed.
    """
    store = await opened(disk)
    whose = msgspec.structs.replace(began(1), csms="ws://c")
    await store.commit([whose, *(queued(number) for number in (1, 2))])
    make_daily_copy(store._disk, DATABASE, "2026-01-01")
    await store.commit([Delivered(1), IdLearned(1, 77), Called(1, 77), SetAside(2, "why", AT)])
    await store.commit([queued(3), queued(4)])
    (page,) = store._disk._one("SELECT rootpage FROM sqlite_schema WHERE name = ?", table)
    await store.close()
    disk.put(disk.names[str(DATABASE)], (page - 1) * 4096, bytes(4096))


def queued(number: int) -> Outgoing:
    payload = '{"connectorId":1}'
    return Outgoing(number, "DBT1", f"m{number}", "MeterValues", payload, 1, AT, "ws://c")


async def test_p5_what_waits_for_the_csms_is_read_of_a_damaged_database(disk):
    await a_site_with_a_queue(disk, "settings")
    store = await opened(disk)
    found, more = await store.load("DBT1", "ws://c", 0, 100)
    assert [one.number for one in found] == [2, 3, 4]
    assert found[1:] == (queued(3), queued(4))
    assert not more
    assert store.take_queue_number() == 5
    (running,) = await store.running()
    assert (running.csms_id, running.at_charger) == (77, 77), "its stop can be named"
    assert running.csms == "ws://c"
    await store.close()


async def test_p5_of_a_queue_that_cannot_be_read_the_copy_s_is_said_again(disk):
    await a_site_with_a_queue(disk, "outbox")
    store = await opened(disk)
    found, _more = await store.load("DBT1", "ws://c", 0, 100)
    assert [one.number for one in found] == [1, 2]
    await store.close()


async def test_p7_a_large_database_is_looked_through_while_control_is_back(disk, monkeypatch):
    await a_site_with_a_queue(disk, "outbox")
    monkeypatch.setattr(the_disk, "CHECKED_AT_ONCE", 0)
    store = await opened(disk)
    assert not store.opened.is_checked
    assert store.opened.missing is None
    await store.commit([began(2, "C2")])  # who charges does not wait for it
    with pytest.raises(ExceptionGroup) as ended:
        await store.tend()
    assert ended.group_contains(KeptDown, match="the database is damaged")
    assert "the database is damaged" in (store.trouble.value or "")
    killed(store)

    store = await opened(disk)
    assert store.opened.missing is not None
    assert [run.id for run in await store.running()] == [1, 2]
    assert not disk.exists(DOUBT), "it has been looked through"
    await store.close()
    store = await opened(disk)
    assert store.opened.missing is None
    await store.close()


async def test_p5_what_a_start_needs_is_looked_at_before_it_in_a_large_database_too(
    disk, monkeypatch
):
    await a_site_with_a_queue(disk, "settings")
    monkeypatch.setattr(the_disk, "CHECKED_AT_ONCE", 0)
    store = await opened(disk)
    assert store.opened.missing is not None
    await store.close()


async def test_p5_who_meets_a_damaged_page_has_the_next_start_look_at_all(disk, monkeypatch):
    await a_site_with_a_queue(disk, "transactions")
    monkeypatch.setattr(the_disk, "CHECKED_AT_ONCE", 0)
    store = await opened(disk)
    with pytest.raises(StoreError):
        await store.recent("DBT1")
    killed(store)
    store = await opened(disk)
    assert store.opened.missing is not None
    assert [run.id for run in await store.running()] == [1]
    await store.close()


async def test_a_large_database_in_order_is_used_on_and_looked_through_once(disk, monkeypatch):
    store = await opened(disk)
    await store.commit([began(1), queued(1)])
    await store.close()
    monkeypatch.setattr(the_disk, "CHECKED_AT_ONCE", 0)
    store = await opened(disk)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        await trio.sleep(1)
        assert store.opened.is_checked
        await store.commit([began(2)])
        nursery.cancel_scope.cancel()
    assert not disk.exists(DOUBT)
    assert store.trouble.value is None
    await store.close()


class ForEver:
    """A read that ends by being interrupted alone, not before `may_begin`; it says it `began`."""

    def __init__(self) -> None:
        self.opened, self.may_begin, self.began = (threading.Event() for _ in range(3))
        self.may_begin.set()

    def __call__(self, disk: the_disk.Disk) -> object:
        with disk._reading() as db:
            self.opened.set()
            self.may_begin.wait()
            db.create_scalar_function("began", self.began.set, 0)
            return list(db.execute(
                "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
                "SELECT began() UNION ALL SELECT max(x) FROM n"
            ))  # fmt: skip


@pytest.mark.realtime
async def test_p11_nobody_who_commits_waits_for_the_day_s_copy_and_it_ends_when_it_must(tmp_path):
    store = await Store.open(tmp_path / FILE, InThread())
    async with trio.open_nursery() as nursery:
        reading = ForEver()
        nursery.start_soon(store._beside_writers, reading)
        await trio.to_thread.run_sync(reading.began.wait)
        with trio.fail_after(10):
            await store.commit([began(1)])
        nursery.cancel_scope.cancel()
    ended: list[str] = []
    reading = ForEver()

    async def copy() -> None:
        try:
            await store._beside_writers(reading)
        except StoreError as error:
            ended.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(copy)
        await trio.to_thread.run_sync(reading.began.wait)
        store._disk._settled = False  # a commit has failed: the log is emptied first
        with trio.fail_after(10):
            await store.commit([began(2)])
    assert ended == ["the database cannot be read: interrupted"]
    await store._keep_a_copy()
    (copy_of_today,) = copies.copies(tmp_path / FILE)
    assert [run.id for run in the_disk.Disk(copy_of_today).running()] == [1, 2]
    await store.close()


@pytest.mark.realtime
async def test_p11_a_copy_that_is_given_up_before_its_thread_reads_ends_too(tmp_path):
    store = await Store.open(tmp_path / FILE, InThread())
    reading = ForEver()
    reading.may_begin.clear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store._beside_writers, reading)
        await trio.to_thread.run_sync(reading.opened.wait)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()  # so that it has been interrupted once, for nothing
        reading.may_begin.set()
    await store.close()
