"""The OCPP log over a restart: what an end in order keeps, what a crash takes, and how little that
writes.
"""

from __future__ import annotations

import json
import random
from datetime import datetime
from pathlib import Path

import pytest
import trio

from linkray.store.runner import Inline
from linkray.upkeep import ocpplog
from linkray.upkeep.ocpplog import FILES, FrameLog, content, unpacked
from linkray.upkeep.task import FRAMES_BYTES_A_DAY, FRAMES_EVERY_S, FramesKept

AT = "2026-06-15T12:00:00.000Z"
WORD = "a-password-of-24-letters"


class Process:
    """A life of the process, with its log."""

    def __init__(self, folder: Path) -> None:
        self.log = FrameLog(lambda: datetime.fromisoformat(AT))
        self.has_room = True
        self.kept = FramesKept(self.log, folder, Inline(), lambda: self.has_room)

    def hears(self, *numbers: int, size: int = 10) -> None:
        for number in numbers:
            self.log.add(f"CP {number % 3}", "in", f'[3,"{number}","{"x" * size}"]')

    @property
    def heard(self) -> list[int]:
        """What can be read, oldest first."""
        files = reversed(self.log.files())
        return [int(json.loads(frame.text)[1]) for _name, frames in files for frame in frames]

    async def lives(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self.kept.run()


def sizes(folder: Path) -> dict[str, int]:
    """Its files on disk."""
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def only(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


async def begun(folder: Path) -> Process:
    process = Process(folder)
    await process.kept.load()
    return process


async def test_an_end_in_order_keeps_every_line(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ocpplog, "FILE_BYTES_MAX", 1_000)
    first = await begun(tmp_path / "log")
    first.hears(*range(300))
    await first.kept.save()

    second = await begun(tmp_path / "log")

    assert second.log.files() == first.log.files()
    assert second.log.read(0, 1).files == first.log.read(0, 1).files
    second.hears(300)
    await second.kept.save()
    third = await begun(tmp_path / "log")
    assert third.heard == second.heard
    assert third.heard[-1] == 300
    assert len(sizes(tmp_path / "log")) <= FILES
    numbers = [f.number for _n, frames in reversed(third.log.files()) for f in frames]
    assert numbers == sorted(set(numbers)), "no number is given twice"


async def test_a_crash_takes_the_last_five_minutes_and_a_torn_end_no_more(tmp_path: Path) -> None:
    first = await begun(tmp_path)
    first.hears(1, 2, 3)
    await first.lives(FRAMES_EVERY_S + 1)
    first.hears(4, 5)
    await first.lives(FRAMES_EVERY_S + 1)
    first.hears(6)

    second = await begun(tmp_path)
    assert second.heard == [1, 2, 3, 4, 5]
    file = only(tmp_path)
    file.write_bytes(file.read_bytes()[:-20])  # the power was cut while it was written

    third = await begun(tmp_path)
    assert third.heard[:3] == [1, 2, 3]
    third.hears(7)
    await third.kept.save()
    assert (await begun(tmp_path)).heard == [*third.heard]
    assert third.heard[-1] == 7


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"\xfd7zXZ\x00" + bytes(40)])
async def test_a_file_that_cannot_be_read_is_begun_anew(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "000000000000001.xz").write_bytes(rubbish)

    process = await begun(tmp_path)
    process.hears(1)
    await process.kept.save()

    assert (await begun(tmp_path)).heard == [1]


async def test_p10_more_than_the_disk_may_take_in_a_day_is_not_written(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(ocpplog, "FILE_BYTES_MAX", 64 * 1024)
    chance, process = random.Random(7), await begun(tmp_path)
    rounds, written = 12, 0
    for number in range(rounds):
        for _ in range(150):
            word = chance.randbytes(1_000).hex()  # of which nothing can be packed
            process.log.add("CP1", "in", f'[3,"{number}","{word}"]')
        before = sizes(tmp_path)
        await process.lives(FRAMES_EVERY_S + 1)
        after = sizes(tmp_path)
        written += sum(size - before.get(name, 0) for name, size in after.items())

    assert written <= FRAMES_BYTES_A_DAY * rounds * FRAMES_EVERY_S / 86_400
    assert written > 0.5 * FRAMES_BYTES_A_DAY * rounds * FRAMES_EVERY_S / 86_400
    again = await begun(tmp_path)
    assert again.heard[-1] == rounds - 1, "the newest is what is kept"
    assert 0 < len(content(again.log.files()[0][1])) <= 64 * 1024


async def test_on_a_disk_without_room_it_goes_first(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    process = await begun(folder)
    process.hears(1)
    await process.lives(FRAMES_EVERY_S + 1)
    assert sizes(folder)

    process.has_room = False
    process.hears(2)
    await process.lives(FRAMES_EVERY_S + 1)
    assert not folder.exists()

    process.has_room = True
    await process.lives(FRAMES_EVERY_S + 1)
    assert (await begun(folder)).heard == [2]


async def test_no_secret_is_on_disk(tmp_path: Path) -> None:
    process = await begun(tmp_path)
    process.log.add("CP1", "down", '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey",'
                                   f'"value":"{WORD}"}}]')  # fmt: skip
    await process.kept.save()

    file = only(tmp_path)
    frames, is_whole = unpacked(file.read_bytes())
    assert is_whole
    assert "AuthorizationKey" in frames[0].text
    assert WORD not in frames[0].text
    assert file.stat().st_mode & 0o077 == 0
