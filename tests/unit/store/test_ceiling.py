"""The engineering ceiling on disk: it outlives the database, a lost file, and a bad sector."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from linkray.hal.files import write_synced
from linkray.kit.clock import WallClock
from linkray.model.asks import Who
from linkray.model.settings import LimitPhases
from linkray.model.units import ZERO, Phases
from linkray.store.ceiling import FILE, KEY, LOST, Ceiling, in_words
from linkray.store.db import Store, StoreError
from linkray.store.runner import Inline

EIGHTY = LimitPhases(80_000, 80_000, 63_500)
ME = Who("Assembler", 3, "10.0.0.5", on_site=True)
AT = "2026-11-21T08:00:00.000Z"


async def a_store() -> Store:
    clock = WallClock.fixed(datetime(2026, 11, 21, tzinfo=UTC))
    return await Store.open(":memory:", Inline(), clock)


def opened(store: Store, folder: Path | None, write=write_synced) -> Ceiling:
    return Ceiling(store, folder, Inline(), write)


async def sealed(store: Store, folder: Path | None) -> Ceiling:
    ceiling = opened(store, folder)
    await ceiling.put(EIGHTY, ME, AT)
    return ceiling


async def test_nothing_is_sealed_until_somebody_does(tmp_path):
    ceiling = opened(await a_store(), tmp_path)

    assert (ceiling.limit.value, ceiling.seal, ceiling.is_lost) == (None, None, False)


async def test_what_is_sealed_is_in_force_and_known_at_the_next_start(tmp_path):
    store = await a_store()
    ceiling = await sealed(store, tmp_path)

    assert ceiling.limit.value == Phases(80_000, 80_000, 63_500)
    again = opened(store, tmp_path)
    assert again.limit.value == ceiling.limit.value
    assert again.seal is not None
    assert (again.seal.by, again.seal.at) == ("Assembler (10.0.0.5)", AT)


async def test_inv16_the_audit_line_with_old_and_new_comes_first(tmp_path):
    store, seen = await a_store(), []

    def write(file: Path, words: bytes) -> None:
        seen.append(len(lines))
        raise OSError(28, "No space left on device")

    await sealed(store, tmp_path)
    lines = await store.audit_lines()
    ceiling = opened(store, tmp_path, write)
    with pytest.raises(OSError, match="No space"):
        await ceiling.put(LimitPhases(90_000, 90_000, 90_000), ME, AT)

    newest = (await store.audit_lines())[-1]
    assert newest.what == "engineering ceiling sealed"
    assert (newest.old, newest.new) == ("80 A, 80 A, 63.5 A", "90 A, 90 A, 90 A")
    assert len(await store.audit_lines()) == len(lines) + 1 and seen
    assert ceiling.limit.value == EIGHTY.phases()  # what is not on disk is not in force


async def test_without_an_audit_line_nothing_is_sealed(tmp_path):
    store = await a_store()
    ceiling = opened(store, tmp_path)
    await store.close()

    with pytest.raises(StoreError):
        await ceiling.put(EIGHTY, ME, AT)
    assert ceiling.limit.value is None
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("loss", ["database", "file", "bad file", "short file"])
async def test_inv7_one_place_lost_is_read_from_the_other_and_put_back(tmp_path, loss):
    store = await a_store()
    await sealed(store, tmp_path)
    file = tmp_path / FILE
    whole = file.read_bytes()
    if loss == "database":
        store = await a_store()
    elif loss == "file":
        file.unlink()
    else:
        file.write_bytes(whole.replace(b"8000", b"9900") if loss == "bad file" else whole[:20])

    ceiling = opened(store, tmp_path)
    await ceiling.heal()

    assert ceiling.limit.value == EIGHTY.phases()
    assert file.read_bytes() == whole
    assert (store.recall(KEY) or "").encode() == whole


async def test_inv5_one_that_cannot_be_read_anywhere_counts_as_0_until_it_is_sealed_again(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xff\xfe{")
    store = await a_store()

    ceiling = opened(store, tmp_path)

    assert ceiling.limit.value == ZERO
    assert store.trouble.value == LOST
    await ceiling.heal()
    assert (tmp_path / FILE).read_bytes() == b"\xff\xfe{"  # nothing is made up
    await ceiling.put(EIGHTY, ME, AT)
    assert ceiling.limit.value == EIGHTY.phases()
    assert store.trouble.value is None
    assert (await store.audit_lines())[-1].old == "lost"


async def test_p3_a_file_that_the_disk_does_not_give_back_keeps_nobody_from_starting(tmp_path):
    store = await a_store()
    (tmp_path / FILE).mkdir()  # it is there, and cannot be read

    ceiling = opened(store, tmp_path)

    assert ceiling.limit.value == ZERO
    assert store.trouble.value == LOST


async def test_without_a_folder_the_database_alone_keeps_it():
    store = await a_store()
    await sealed(store, None)

    assert opened(store, None).limit.value == EIGHTY.phases()


def test_it_is_said_in_amps():
    assert in_words(None) == "none"
    assert in_words(Phases(80_000, 62_500, 0)) == "80 A, 62.5 A, 0 A"
