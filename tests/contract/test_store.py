"""What the store promises about disks: answered means durable, whatever fails (trust.md, P)."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import apsw
import pytest
import trio

from linkray.kit.clock import WallClock
from linkray.model.asks import ASSEMBLER, Who
from linkray.model.records import TransactionBegan, TransactionEnded, TransactionSampled
from linkray.model.settings import Settings, Site
from linkray.store.db import Store, StoreError
from linkray.store.reader import Reader
from linkray.store.runner import Inline, InThread

AT = "2026-01-02T03:04:05.000Z"
FIXED = datetime.fromisoformat(AT)
WHO = Who("Assembler", ASSEMBLER, "192.0.2.7")
SECTOR = 512


class Disk:
    """A disk that keeps what it was told, and can lose all that was not synced."""

    def __init__(self) -> None:
        self.steps: list[tuple] = []  # (what, file, …) in order
        self.failing_syncs = 0
        self.full = False

    def syncs(self) -> int:
        return sum(step[0] == "sync" for step in self.steps)

    def images(self, until: int, loss: str, chance: random.Random) -> dict[str, bytes]:
        """The files as found after the power was cut before step `until`."""
        synced: dict[str, bytearray] = {}
        waiting: dict[str, list[tuple]] = {}
        for step in self.steps[:until]:
            what, file, *rest = step
            if what == "sync":
                for change in waiting.pop(file, ()):
                    apply(synced.setdefault(file, bytearray()), *change)
            elif what == "lost":  # a failed sync: the kernel holds the pages for clean from now on
                waiting.pop(file, None)
            elif what == "delete":
                synced.pop(file, None)
                waiting.pop(file, None)
            else:
                waiting.setdefault(file, []).append((what, *rest))
        for file, changes in waiting.items():
            for change in surviving(changes, loss, chance):
                apply(synced.setdefault(file, bytearray()), *change)
        return {file: bytes(content) for file, content in synced.items()}


def surviving(changes: list[tuple], loss: str, chance: random.Random) -> list[tuple]:
    """Which of the unsynced changes reached the platter: none, all, some, or some torn."""
    if loss == "all lost":
        return []
    if loss == "none lost":
        return changes
    kept = [change for change in changes if chance.random() < 0.5]
    if loss == "torn" and kept and kept[-1][0] == "write":
        what, at, words = kept[-1]
        kept[-1] = (what, at, words[: SECTOR * chance.randrange(1 + len(words) // SECTOR)])
    return kept


def apply(content: bytearray, what: str, at: int, words: bytes = b"") -> None:
    if what == "truncate":
        del content[at:]
        return
    content.extend(b"\0" * (at + len(words) - len(content)))
    content[at : at + len(words)] = words


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name, flags) -> None:
        self.disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.file = Path(path).name if path else ""
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self.disk.full:
            raise apsw.FullError("disk full")
        self.disk.steps.append(("write", self.file, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.steps.append(("truncate", self.file, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.disk.failing_syncs:
            self.disk.failing_syncs -= 1
            self.disk.steps.append(("lost", self.file))
            raise apsw.IOError("sync failed")
        self.disk.steps.append(("sync", self.file))
        super().xSync(flags)


class DiskVfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__("tested", "unix")

    def xOpen(self, name, flags):  # noqa: N802
        return DiskFile(self.disk, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        self.disk.steps.append(("delete", Path(name).name))
        super().xDelete(name, sync)


@pytest.fixture
def disk():
    disk = Disk()
    vfs = DiskVfs(disk)
    yield disk
    vfs.unregister()


def began(number: int, charger: str = "DBT1") -> TransactionBegan:
    return TransactionBegan(number, charger, 1, "TAG", 1_000, AT, AT)


async def a_day(store: Store, disk: Disk, acked: list[tuple[int, str, object]]) -> None:
    """The canonical day: what was answered, and after how many steps of the disk."""

    def done(what: str, value: object) -> None:
        acked.append((len(disk.steps), what, value))

    for number in range(1, 5):
        await store.commit([began(store.take_transaction_id())])
        done("began", number)
        await store.commit([TransactionSampled(number, 1_500, AT)])
        revision = await store.change_settings(Settings(site=Site(name=f"S{number}")), WHO, "name")
        done("revision", revision)
        await store.commit([TransactionEnded(number, 2_000, AT, "Local", AT)])
        done("ended", number)
        await store.remember("emergency_stop", f"on {number}")
        done("remembered", number)


async def found_in(folder: Path) -> dict[str, set]:
    store = await Store.open(folder / "linkray.db", Inline(), WallClock.fixed(FIXED))
    kept = await store.recent("DBT1")
    found = {
        "began": {t.id for t in kept},
        "ended": {t.id for t in kept if t.finished and t.energy_wh == 1_000},
        "revision": set(range(1, store.revision + 1)),
        "remembered": set(range(1, int((store.recall("emergency_stop") or "on 0").split()[1]) + 1)),
    }
    assert store.opened.missing is None
    assert await store.audit_broken_at() is None
    if store.revision:
        assert store.settings.value.site.name == f"S{store.revision}"
        assert len(await store.audit_lines()) == store.revision
    await store.close()
    return found


@pytest.mark.parametrize("loss", ["all lost", "none lost", "some lost", "torn"])
async def test_p1_p2_a_power_cut_at_every_step_loses_nothing_that_was_answered(
    tmp_path, disk, loss
):
    first = tmp_path / "first"
    first.mkdir()
    store = await Store.open(first / "linkray.db", Inline(), WallClock.fixed(FIXED), vfs="tested")
    acked: list[tuple[int, str, object]] = []
    await a_day(store, disk, acked)
    await store.close()
    chance = random.Random(17)
    cuts = range(len(disk.steps) + 1)
    assert len(cuts) > 40
    for cut in cuts:
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        for file, content in disk.images(cut, loss, chance).items():
            (folder / file).write_bytes(content)
        found = await found_in(folder)
        for at, what, value in acked:
            assert at > cut or value in found[what], f"{what} {value} lost by a cut at {cut}"


async def test_a_commit_is_answered_only_after_its_sync(tmp_path, disk):
    store = await Store.open(tmp_path / "linkray.db", Inline(), vfs="tested")
    before = disk.syncs()
    await store.commit([began(1)])
    assert disk.syncs() == before + 1
    assert disk.steps[-1][0] == "sync"
    await store.close()


@pytest.mark.realtime
async def test_p10_many_callers_share_one_sync(tmp_path, disk):
    store = await Store.open(tmp_path / "linkray.db", InThread(), vfs="tested")
    before, commits = disk.syncs(), store.commits
    async with trio.open_nursery() as nursery:
        for number in range(1, 101):
            nursery.start_soon(store.commit, [began(number, f"C{number}")])
    assert store.commits - commits <= 3
    assert disk.syncs() - before <= 3
    assert len(await store.running()) == 100
    await store.close()


@pytest.mark.parametrize("read_meanwhile", [False, True])
async def test_p3_a_sync_that_fails_once_is_done_again_before_the_answer(
    tmp_path, disk, read_meanwhile
):
    store = await Store.open(tmp_path / "linkray.db", Inline(), vfs="tested")
    reader = Reader(tmp_path / "linkray.db")
    assert reader.transactions() == []
    if not read_meanwhile:
        reader.close()
    disk.failing_syncs = 1
    await store.commit([began(1)])
    assert store.trouble.value is None
    after = tmp_path / "after"
    after.mkdir()
    for file, content in disk.images(len(disk.steps), "all lost", random.Random(1)).items():
        (after / file).write_bytes(content)
    reader.close()
    await store.close()
    store = await Store.open(after / "linkray.db", Inline())
    assert [t.id for t in await store.running()] == [1]
    await store.close()


async def test_p3_nothing_is_built_on_what_a_failed_sync_left_behind(tmp_path, disk):
    first, second, after = (tmp_path / name for name in ("first", "second", "after"))
    first.mkdir()
    store = await Store.open(first / "linkray.db", Inline(), vfs="tested")
    disk.failing_syncs = 10**6
    with pytest.raises(StoreError):
        await store.commit([began(1)])
    disk.failing_syncs = 0
    shutil.copytree(first, second)  # the process is killed, the machine goes on
    again = await Store.open(second / "linkray.db", Inline(), vfs="tested")
    await again.commit([began(2)])
    images = disk.images(len(disk.steps), "all lost", random.Random(1))
    await again.close()
    await store.close()
    after.mkdir()
    for file, content in images.items():
        (after / file).write_bytes(content)
    found = await Store.open(after / "linkray.db", Inline())
    assert 2 in {t.id for t in await found.running()}
    assert found.opened.missing is None
    await found.close()


async def test_p3_a_disk_that_fails_for_good_answers_nobody_and_is_a_fault(tmp_path, disk):
    store = await Store.open(tmp_path / "linkray.db", Inline(), vfs="tested")
    disk.failing_syncs = 10**6
    with pytest.raises(StoreError, match="the disk does not take writes"):
        await store.commit([began(1)])
    assert store.trouble.value is not None
    assert "does not take writes" in store.trouble.value
    with pytest.raises(StoreError):
        await store.remember("emergency_stop", "on")
    assert store.recall("emergency_stop") is None
    store.later([TransactionSampled(2, 1_500, AT)])
    with pytest.raises(StoreError):
        await store.flush()
    disk.failing_syncs = 0
    await store.commit([began(2)])
    assert store.trouble.value is None
    energies = {t.id: t.energy_wh for t in await store.running()}
    assert energies[2] == 500, "a sample that could not be written is written when it can be"
    await store.close()


async def test_p4_a_full_disk_refuses_and_recovers(tmp_path, disk):
    store = await Store.open(tmp_path / "linkray.db", Inline(), vfs="tested")
    await store.commit([began(1)])
    disk.full = True
    with pytest.raises(StoreError, match="the disk does not take writes"):
        await store.change_settings(Settings(site=Site(name="new")), WHO, "name")
    assert (store.revision, store.settings.value) == (0, Settings())
    disk.full = False
    assert await store.change_settings(Settings(site=Site(name="new")), WHO, "name") == 1
    assert [line.seq for line in await store.audit_lines()] == [1]
    await store.close()


@pytest.mark.realtime
async def test_p11_a_slow_disk_does_not_stop_the_loop(tmp_path, disk):
    store = await Store.open(tmp_path / "linkray.db", InThread(), vfs="tested")
    turns = 0

    async def loop() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop)
        turns = 0
        await store.commit([began(1)])
        assert turns > 2, "the loop stood still while the disk was busy"
        nursery.cancel_scope.cancel()
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
