"""Factory reset: all goes, and cut at any moment it simply happens again (house.md, story B)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from linkray.hal.sim import SimSystem, make
from linkray.kit.clock import WallClock
from linkray.model.asks import LOCAL, Account, Key, Who
from linkray.model.records import ChargerSeen, TransactionBegan
from linkray.model.settings import Settings, Site
from linkray.model.tags import Tag
from linkray.store.db import FILE, Store, StoreError
from linkray.store.reserve import FILE as RESERVE
from linkray.store.runner import Inline
from linkray.upkeep.reset import MARKER, to_wipe
from linkray.upkeep.task import factory_reset, finish_reset

AT = "2026-11-21T10:00:00.000Z"
BUTTON = Who("button", LOCAL, "reset button")
BOARD = b'name = "sim"\nbackend = "sim"\n'


class Cut(Exception):
    """The power goes."""


def clock() -> WallClock:
    return WallClock(lambda: datetime.fromisoformat(AT))


async def lived_in(state) -> frozenset[str]:
    """A box that has been used; what of its folder is the board's own."""
    board = make(BOARD, state)
    store = await Store.open(state / FILE, Inline(), clock())
    who = Who("Assembler", 3)
    await store.change_settings(Settings(site=Site(name="used")), who, "name")
    await store.commit([TransactionBegan(1, "DBT1", 1, "TAG", 0, AT, AT), ChargerSeen("DBT1")])
    await store.set_account(Account("Assembler", 3, "$argon2id$mine"), who)
    await store.remember("emergency_stop", "on")
    await store.close()
    (state / "tls").mkdir()
    (state / "tls" / "key.pem").write_text("key")
    (state / "meters").mkdir()
    (state / "meters" / "own.meter").write_text("{}")
    (state / "ring.log").write_text("log")
    elsewhere = state.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "kept").write_text("not ours")
    (state / "link").symlink_to(elsewhere)
    (state / "serial0").symlink_to("/dev/null")
    return board.keeps


async def asked_for(state) -> None:
    store = await Store.open(state / FILE, Inline(), clock())
    system = SimSystem()
    await factory_reset(store, state, system, BUTTON, clock())
    assert system.rebooting.is_set()
    assert (await store.audit_lines())[-1].what == "factory reset"
    await store.close()


async def at_factory(state) -> None:
    """All is as it left the works, but for one line that says why."""
    opened = await Store.open(state / FILE, Inline(), clock())
    assert opened.settings.value == Settings()
    assert opened.revision == 0
    assert await opened.seen() == await opened.recent("DBT1") == []
    assert [a.first for a in await opened.accounts()] == [False, False, True]
    assert opened.recall("emergency_stop") is None
    (line,) = await opened.audit_lines()
    assert (line.seq, line.who, line.source, line.what) == (
        1, "button", "reset button", "factory reset",
    )  # fmt: skip
    assert await opened.audit_broken_at() is None
    assert opened.opened.missing is None
    await opened.close()
    assert (state.parent / "elsewhere" / "kept").read_text() == "not ours"
    left = {path.name for path in state.iterdir()}
    assert left - {FILE, f"{FILE}.lock", RESERVE} == {"identity.json", "slots", "serial0"}


def again(state):
    return partial(Store.open, state / FILE, Inline(), clock())


async def test_a_reset_leaves_only_who_the_box_is(tmp_path):
    state = tmp_path / "state"
    keeps = await lived_in(state)
    serial = make(BOARD, state).identity.serial
    await asked_for(state)
    assert await finish_reset(state, keeps, again(state))
    await at_factory(state)
    assert make(BOARD, state).identity.serial == serial
    assert not await finish_reset(state, keeps, again(state))
    await at_factory(state)


async def test_a50_not_a_byte_of_before_is_left_in_any_file(tmp_path):
    """What a buyer of the box could find: names, tags, words, hashes and files, by a mark."""
    state = tmp_path / "state"
    keeps = await lived_in(state)
    mark = "CANARY-7f3a"
    store = await Store.open(state / FILE, Inline(), clock())
    who = Who("Assembler", 3)
    await store.change_settings(Settings(site=Site(name=mark)), who, mark)
    await store.commit([TransactionBegan(2, mark, 1, mark, 0, AT, AT), ChargerSeen(mark)])
    await store.set_account(Account("Installer", 2, f"$argon2id${mark}"), who)
    await store.change_tags([Tag(mark, mark)], (), who, mark, "", "")
    await store.add_key(Key(mark, "read", AT, mark), who)
    await store.remember("uplink_password", mark)
    await store.close()
    for name in ("tls/key.pem", "meters/own.meter", "ring.log", f"deep/er/{mark}.bin"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text(mark)
    assert marked(state, mark)

    await asked_for(state)
    assert await finish_reset(state, keeps, again(state))

    await at_factory(state)
    assert marked(state, mark) == []


def marked(state: Path, mark: str) -> list[Path]:
    """The files of a folder that hold it, or are called so."""
    files = [path for path in state.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files
            if mark.encode() in path.read_bytes() or mark in str(path)]  # fmt: skip


async def test_without_a_marker_nothing_is_touched(tmp_path):
    state = tmp_path / "state"
    keeps = await lived_in(state)
    before = {path.name for path in state.iterdir()}
    assert not await finish_reset(state, keeps, again(state))
    assert {path.name for path in state.iterdir()} == before


async def test_cut_at_any_step_it_happens_again(tmp_path):
    count = 0
    while True:
        state = tmp_path / f"cut-{count}"
        keeps = await lived_in(state)
        await asked_for(state)
        steps: list[str] = []

        def cut(done: str, steps: list[str] = steps, most: int = count) -> None:
            if len(steps) == most:
                raise Cut(done)
            steps.append(done)

        try:
            await finish_reset(state, keeps, again(state), cut)
        except Cut:
            assert (state / MARKER).exists()
            assert await finish_reset(state, keeps, again(state))
            await at_factory(state)
        else:
            break
        count += 1
    assert count >= 9
    assert steps[-2:] == ["opened", "recorded"]
    await at_factory(state)


async def test_cut_in_the_middle_of_a_folder_it_happens_again(tmp_path):
    state = tmp_path / "state"
    keeps = await lived_in(state)
    await asked_for(state)
    (state / "tls" / "key.pem").unlink()
    assert await finish_reset(state, keeps, again(state))
    await at_factory(state)


@pytest.mark.parametrize("words", [b"", b"{", b'{"who": 3}', b"\xff\xfe"])
async def test_a_marker_that_cannot_be_read_resets_all_the_same(tmp_path, words):
    state = tmp_path / "state"
    keeps = await lived_in(state)
    (state / MARKER).write_bytes(words)
    assert await finish_reset(state, keeps, again(state))
    store = await again(state)()
    assert store.settings.value == Settings()
    assert [line.who for line in await store.audit_lines()] == ["unknown"]
    await store.close()


async def test_a_disk_that_takes_no_audit_line_does_not_stop_the_reset(tmp_path):
    state = tmp_path / "state"
    keeps = await lived_in(state)
    store = await again(state)()

    async def fails(*_args: object) -> None:
        raise StoreError("the disk does not take writes")

    store.audit = fails
    system = SimSystem()
    await factory_reset(store, state, system, BUTTON, clock())
    assert system.rebooting.is_set()
    await store.close()
    assert await finish_reset(state, keeps, again(state))
    await at_factory(state)


async def test_no_reboot_before_the_marker_is_on_disk(tmp_path):
    state = tmp_path / "state"
    await lived_in(state)
    store = await again(state)()
    system = SimSystem()
    with pytest.raises(OSError, match="No such file"):
        await factory_reset(store, state / "nowhere", system, BUTTON, clock())
    assert not system.rebooting.is_set()
    await store.close()


def test_what_goes_is_all_that_is_not_the_boards_own():
    names = ["b", MARKER, "identity.json", "a", "whatever-comes-later"]
    assert to_wipe(names, frozenset({"identity.json"})) == ["a", "b", "whatever-comes-later"]
