"""What is done to whole files, on the machine's disk and on the simulated one alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.world.disk import FOR_EVER, Disk

from linkray.store.files import RealFiles


@pytest.fixture(params=["real", "simulated"])
def place(request, tmp_path):
    """The files, and a folder on them."""
    if request.param == "real":
        return RealFiles(), tmp_path
    return Disk(), Path("/disk")


def filled(files, file: Path, words: bytes) -> None:
    files.make(file)
    if isinstance(files, Disk):
        files.put(files.names[str(file)], 0, words)
    else:
        file.write_bytes(words)


def test_what_is_made_is_empty_and_stays_as_it_is(place):
    files, folder = place
    files.make(folder / "a")
    assert files.exists(folder / "a")
    assert (files.read(folder / "a"), files.size(folder / "a")) == (b"", 0)
    filled(files, folder / "a", b"words")
    files.make(folder / "a")
    assert files.read(folder / "a") == b"words"


def test_a_copy_takes_the_place_of_what_was_there_and_a_rename_too(place):
    files, folder = place
    filled(files, folder / "a", b"new")
    filled(files, folder / "b", b"old and longer")
    files.copy(folder / "a", folder / "b")
    assert files.read(folder / "b") == b"new"
    filled(files, folder / "c", b"other")
    files.rename(folder / "c", folder / "b")
    assert files.read(folder / "b") == b"other"
    assert not files.exists(folder / "c")
    assert files.read(folder / "a") == b"new"


def test_what_is_removed_is_gone_and_may_be_gone_already(place):
    files, folder = place
    files.make(folder / "a")
    files.remove(folder / "a")
    files.remove(folder / "a")
    assert not files.exists(folder / "a")
    with pytest.raises(FileNotFoundError):
        files.read(folder / "a")
    with pytest.raises(FileNotFoundError):
        files.rename(folder / "a", folder / "b")


def test_a_folder_is_made_once_and_shows_what_it_holds_by_name(place):
    files, folder = place
    inner = folder / "copies"
    assert files.found(inner, "*") == []
    with pytest.raises(FileNotFoundError):
        files.make(inner / "a.db")
    files.make_folder(inner)
    files.make_folder(inner)
    for name in ("b.db", "a.db", "a.part"):
        files.make(inner / name)
    assert [path.name for path, _written in files.found(inner, "*.db")] == ["a.db", "b.db"]
    assert files.found(folder, "*.db") == []
    files.sync(inner)
    files.sync(inner / "a.db")


def test_room_that_is_kept_is_taken_and_given_back(place):
    files, folder = place
    free, total = files.free(folder)
    assert 0 < free <= total
    files.allocate(folder / "reserve", 1 << 20)
    assert files.size(folder / "reserve") == 1 << 20
    with pytest.raises(FileExistsError):
        files.allocate(folder / "reserve", 1 << 20)
    files.remove(folder / "reserve")
    assert not files.exists(folder / "reserve")


def test_one_holds_a_lock_at_a_time(tmp_path):
    files = RealFiles()
    lock = files.lock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        files.lock(tmp_path / "lock")
    files.unlock(lock)
    files.unlock(files.lock(tmp_path / "lock"))


def test_what_is_ours_is_read_by_its_owner_alone(tmp_path):
    files = RealFiles()
    files.make(tmp_path / "a")
    files.copy(tmp_path / "a", tmp_path / "b")
    files.allocate(tmp_path / "c", 4096)
    files.lock(tmp_path / "d")
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o600}


def test_the_simulated_disk_fills_up_and_has_room_again():
    disk, folder = Disk(), Path("/disk")
    disk.room = 10_000
    disk.allocate(folder / "reserve", 8_000)
    inode = disk.new("/disk/a")
    with pytest.raises(OSError, match="No space left"):
        disk.put(inode, 0, bytes(4_000))
    disk.remove(folder / "reserve")
    disk.put(inode, 0, bytes(4_000))
    disk.put(inode, 0, bytes(4_000))  # over itself it needs none
    assert disk.free(folder)[0] == 6_000
    disk.cut(inode, 1_000)
    assert disk.free(folder)[0] == 9_000


def test_the_simulated_disk_fails_to_sync_once_or_for_ever():
    disk = Disk()
    disk.new("/disk/a")
    disk.failing_syncs = 1
    with pytest.raises(OSError, match="Input/output error"):
        disk.sync(Path("/disk/a"))
    disk.sync(Path("/disk/a"))
    disk.failing_syncs = FOR_EVER
    for path in ("/disk/a", "/disk"):
        with pytest.raises(OSError, match="Input/output error"):
            disk.sync(Path(path))
