"""A box whose disk fails: nobody is answered what was not kept, and control goes on (P3, P4)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from tools.simulator.scene import scene, single, site
from tools.world.disk import FOR_EVER, Disk

C = [single(f"C{n}") for n in (1, 2)]


@pytest.fixture
def disk() -> Iterator[Disk]:
    with Disk().plugged() as disk:
        yield disk


async def test_p3_on_a_disk_that_fails_nobody_begins_and_who_charges_goes_on(disk: Disk) -> None:
    async with scene(site(40, *C), disk=disk) as s:
        s.charge("C1")
        await s.offered(32, 0)
        before = s.watch("C1")
        disk.failing_syncs = FOR_EVER
        await s.until(lambda: "storage" in s.faults(), 70)  # by the samples of the minute
        s.charge("C2")
        await trio.sleep(120)

        assert s.world.charger("C2").connector(1).transaction is None
        s.went_on(before)
        s.said("tag refused", "the storage takes no writes")

        disk.failing_syncs = 0
        await s.until(lambda: "storage" not in s.faults(), 70)
        s.world.charger("C2").present_tag("TAG1")
        await s.offered(20, 20)
        s.went_on(before)
        assert len(await s.store.running()) == 2
        s.is_safe()


async def test_p3_a_stop_is_answered_when_it_is_kept(disk: Disk) -> None:
    async with scene(site(40, *C), disk=disk) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        disk.failing_syncs = FOR_EVER
        s.world.charger("C1").unplug()
        await trio.sleep(90)
        assert len(await s.store.running()) == 2
        disk.failing_syncs = 0
        await trio.sleep(180)

        (running,) = await s.store.running()
        assert running.charger == "C2"
        (ended,) = await s.store.recent("C1")
        assert ended.stop_given, "by the charger's own word"
        s.is_safe()


async def test_p3_a_box_comes_up_on_a_disk_that_takes_no_writes(disk: Disk) -> None:
    async with scene(site(40, *C), disk=disk) as s:
        s.charge("C1")
        await s.offered(32, 0)
        was = s.world.charger("C1").connector(1).transaction
        disk.failing_syncs = FOR_EVER
        await s.restart()
        await s.until(lambda: "storage" in s.faults(), 5)
        await s.until(lambda: s.pilots_a("C1") == [32], 120, lambda: s.offers_a("C1"))

        assert s.world.charger("C1").connector(1).transaction == was
        s.said("not remembered", "starts")
        s.is_safe()


async def test_p4_on_a_full_disk_sessions_begin_and_end_and_control_goes_on(disk: Disk) -> None:
    async with scene(site(40, *C), disk=disk) as s:
        s.charge("C1")
        await s.offered(32, 0)
        disk.room = 0
        s.charge("C2")
        await s.offered(20, 20)
        s.world.charger("C1").unplug()
        await s.offered(32, names="C2")
        await trio.sleep(300)

        assert "storage" in s.faults()
        assert [run.charger for run in await s.store.running()] == ["C2"]
        (ended,) = await s.store.recent("C1")
        assert ended.finished
        assert s.world.charger("C2").dials == 1
        s.is_safe()


async def test_what_is_wrong_with_the_storage_now_is_what_is_shown(disk: Disk) -> None:
    async with scene(site(40, *C), disk=disk) as s:

        def shown() -> str:
            (text,) = [f.text for f in s.house.faults.cell.value if f.code == "storage"]
            return text

        disk.room = 0
        s.charge("C1")
        await s.offered(32, 0)
        assert "the disk is full: starts and stops alone are kept" in shown()
        disk.failing_syncs = FOR_EVER
        s.world.charger("C1").unplug()
        await s.until(lambda: "the disk does not take writes" in shown(), 70, shown)
        disk.failing_syncs, disk.room = 0, None
        await s.until(lambda: "storage" not in s.faults(), 130, shown)
