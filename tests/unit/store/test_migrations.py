"""Databases of every version open; what does not open is set aside (records.md, Storage)."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import datetime
from pathlib import Path

import apsw
import pytest
import trio
from msgspec.structs import replace

from linkray.kit.clock import WallClock
from linkray.model.asks import ASSEMBLER, Who
from linkray.model.delivery import Sending
from linkray.model.passport import Finding
from linkray.model.records import PassportFound, TransactionBegan, TransactionEnded
from linkray.model.settings import Settings, Site
from linkray.store import deliveries
from linkray.store.copies import copies, make_daily_copy, open_good
from linkray.store.db import Store, StoreError
from linkray.store.disk import Disk, shipped_migrations
from linkray.store.files import REAL
from linkray.store.runner import Inline
from linkray.store.salvage import salvaged

GOLDEN = Path(__file__).parents[2] / "golden"
AT = "2026-11-22T10:00:00.000Z"
WHO = Who("Assembler", ASSEMBLER)
VERSION = max(shipped_migrations())
NEWEST = GOLDEN / f"store-{VERSION:04}.db"
NEWER = {**shipped_migrations(), 99: "ALTER TABLE transactions ADD COLUMN nmi TEXT;"}
HALF = {**shipped_migrations(), 99: "CREATE TABLE more (x); CREATE TABLE kv (x);"}


def clock() -> WallClock:
    return WallClock(lambda: datetime.fromisoformat(AT))


async def opened(file: Path) -> Store:
    return await Store.open(file, Inline(), clock())


def began(number: int) -> TransactionBegan:
    return TransactionBegan(number, "DBT1", 1, "TAG", 0, AT, AT)


def test_every_version_ever_shipped_has_its_golden_database():
    kept = {int(file.stem.split("-")[1]) for file in GOLDEN.glob("store-*.db")}
    assert kept == set(shipped_migrations())


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("store-*.db")), ids=lambda f: f.stem)
async def test_a_golden_database_opens_and_gives_everything_back(golden, tmp_path):
    file = tmp_path / "linkray.db"
    shutil.copyfile(golden, file)
    store = await opened(file)
    assert store.opened.missing is None
    assert (store.revision, store.settings.value.site.name) == (1, "Car park")
    assert store.settings.value.charger("DBT1").group == "G1"
    newest, running, ended = await store.recent("DBT1")
    assert (ended.id, ended.energy_wh, ended.finished, ended.reason) == (
        1, 8_000, True, "EVDisconnected",
    )  # fmt: skip
    assert [t.id for t in await store.running()] == [running.id] == [2]
    assert newest.incomplete
    assert newest.energy_wh == 0
    assert [(s.charger, s.leased) for s in await store.seen()] == [("DBT1", True)]
    accounts = {account.name: account for account in await store.accounts()}
    assert list(accounts) == ["EV", "Installer", "Assembler"]
    assert accounts["Assembler"].first
    assert accounts["Installer"].hash
    assert not accounts["EV"].hash
    assert [key.name for key in await store.keys()] == ["graphs"]
    assert await store.audit_broken_at() is None
    assert len(await store.audit_lines()) == 3
    assert store.recall("emergency_stop") == ""
    assert await store.energy_since("2026-11-21T08:30:00.000Z") == 4_800 + 200
    assert store.take_transaction_id() == 4
    await store.close()


def test_a_migration_runs_after_a_copy_and_keeps_what_was_there(tmp_path):
    file = tmp_path / "linkray.db"
    shutil.copyfile(NEWEST, file)
    disk, how = open_good(file, AT, migrations=NEWER)
    assert how.missing is None
    assert disk.version() == 99
    assert [t.id for t in disk.running()] == [2]
    (copy,) = copies(file)
    assert f"before-{VERSION + 1:04}" in copy.name
    disk.close()
    old = Disk(copy)
    assert old.version() == VERSION
    old.close()
    again, how = open_good(file, AT, migrations=NEWER)
    assert (again.version(), len(copies(file))) == (99, 1)
    again.close()


def test_a_migration_that_fails_leaves_nothing_half(tmp_path):
    file = tmp_path / "linkray.db"
    shutil.copyfile(NEWEST, file)
    disk = Disk(file)
    with pytest.raises(Exception, match="kv already exists"):
        disk.migrate(HALF)
    assert disk.version() == VERSION
    assert list(disk._db.execute("SELECT name FROM sqlite_schema WHERE name = 'more'")) == []
    disk.close()
    good, how = open_good(file, AT)
    assert how.missing is None
    good.close()


def test_a_database_of_a_newer_version_gives_way_to_the_copy_made_before_it(tmp_path):
    file = tmp_path / "linkray.db"
    shutil.copyfile(NEWEST, file)
    newer, _how = open_good(file, AT, migrations=NEWER)
    newer.close()
    disk, how = open_good(file, AT)
    assert f"version 99, this LinkRay knows {VERSION}" in how.missing
    assert how.set_aside is not None
    assert how.set_aside.exists()
    assert disk.version() == VERSION
    assert [t.id for t in disk.running()] == [2]
    disk.close()


def a_site_with_a_copy(file: Path) -> None:
    async def live() -> None:
        store = await opened(file)
        await store.change_settings(Settings(site=Site(name="kept")), WHO, "name")
        await store.commit([began(store.take_transaction_id())])
        make_daily_copy(store._disk, file, "2026-11-21")
        await store.commit([began(store.take_transaction_id())])
        await store.close()

    trio.run(live)


def flip(words: bytes) -> bytes:
    middle = bytearray(words)
    for at in range(4096, len(middle), 64):
        middle[at] ^= 0x55
    return bytes(middle)


DAMAGES = {
    "flipped": flip,
    "truncated": lambda words: words[: len(words) // 2],
    "zeroed page": lambda words: words[:4096] + bytes(4096) + words[8192:],
    "no header": lambda words: bytes(100) + words[100:],
    "not a database": lambda _words: b"hello" * 5_000,
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_p5_a_damaged_database_is_set_aside_and_the_newest_copy_taken(tmp_path, damage):
    file = tmp_path / "linkray.db"
    await in_thread(a_site_with_a_copy, file)
    hurt = DAMAGES[damage](file.read_bytes())
    file.write_bytes(hurt)
    store = await opened(file)
    assert store.opened.set_aside.read_bytes() == hurt
    assert store.opened.taken.name == "linkray-2026-11-21.db"
    assert "is missing" in store.trouble.value
    assert store.settings.value.site.name == "kept"
    can_be_read = [1, 2] if damage == "zeroed page" else [1]  # that page held no transactions
    assert [t.id for t in await store.running()] == can_be_read
    assert store.take_transaction_id() > 10_000, "an id given since the copy must not come again"
    await store.commit([began(store.take_transaction_id())])
    await store.close()
    calm = await opened(file)
    assert calm.opened.missing is None
    await calm.close()


async def in_thread(work, *arguments) -> None:
    """`work` runs a loop of its own, which must not be inside ours."""
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    thread.join()


async def test_p5_without_any_good_copy_it_begins_empty_and_says_so(tmp_path):
    file = tmp_path / "linkray.db"
    file.write_bytes(b"hello" * 5_000)
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "linkray-2026-11-20.db").write_bytes(b"bad too" * 4_000)
    store = await opened(file)
    assert "begins empty" in store.trouble.value
    assert store.settings.value == Settings()
    assert store.take_transaction_id() > 1_000_000
    await store.close()


async def test_only_three_databases_that_were_set_aside_are_kept(tmp_path):
    file = tmp_path / "linkray.db"
    for hour in range(5):
        file.write_bytes(b"hello" * 5_000)
        at = f"2026-11-22T0{hour}:00:00.000Z"
        disk, _how = open_good(file, at)
        disk.close()
    kept = sorted(f.name for f in (tmp_path / "set-aside").glob("*.db"))
    assert len(kept) == 3
    assert "T0400" in kept[-1]


async def test_a_copy_is_made_once_a_day_and_seven_are_kept(tmp_path):
    file = tmp_path / "linkray.db"
    disk, _how = open_good(file, AT)
    for day in range(10, 20):
        made = make_daily_copy(disk, file, f"2026-11-{day}")
        os.utime(made, (day, day))
        assert make_daily_copy(disk, file, f"2026-11-{day}") is None
    assert [c.stem[-2:] for c in copies(file)] == ["19", "18", "17", "16", "15", "14", "13"]
    assert copies(file)[0].stat().st_mode & 0o077 == 0
    disk.close()


async def test_the_store_tends_itself_minute_by_minute(tmp_path, nursery_store):
    store, file = nursery_store
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        await trio.sleep(61)
        assert [c.name for c in copies(file)] == ["linkray-2026-11-22.db"]
        nursery.cancel_scope.cancel()
    await store.close()


@pytest.fixture
def nursery_store(tmp_path):
    file = tmp_path / "linkray.db"
    disk, how = open_good(file, AT)
    return Store(disk, Inline(), clock(), how), file


async def test_a_second_linkray_on_the_same_folder_is_refused_and_nothing_set_aside(tmp_path):
    store = await opened(tmp_path / "linkray.db")
    with pytest.raises(StoreError, match="another LinkRay is running"):
        await opened(tmp_path / "linkray.db")
    assert not (tmp_path / "set-aside").exists()
    await store.close()
    again = await opened(tmp_path / "linkray.db")
    await again.close()


async def test_a_folder_that_is_not_there_is_told_in_words(tmp_path):
    with pytest.raises(StoreError, match="expected a folder that can be written"):
        await opened(tmp_path / "nowhere" / "linkray.db")


async def test_the_file_is_readable_by_its_owner_alone(tmp_path):
    store = await opened(tmp_path / "linkray.db")
    assert (tmp_path / "linkray.db").stat().st_mode & 0o077 == 0
    await store.close()


async def test_the_first_golden_database_gets_a_shelf_for_passports(tmp_path):
    file = tmp_path / "linkray.db"
    shutil.copyfile(GOLDEN / "store-0001.db", file)
    store = await opened(file)
    assert await store.passports() == []
    await store.commit([PassportFound("Acme", "One", "1", (Finding("zero", "pauses", at=AT),))])
    assert [p.get("zero") for p in await store.passports()] == ["pauses"]
    await store.close()


async def test_the_second_golden_database_gives_its_passport_back(tmp_path):
    file = tmp_path / "linkray.db"
    shutil.copyfile(GOLDEN / "store-0002.db", file)
    store = await opened(file)
    (passport,) = await store.passports()
    assert passport.make == ("Acme", "One", "1.2.3")
    assert passport.get("form", "session") == "TxProfile/Relative/A/2"
    assert passport.get("lease", "DBT1") == "honoured"
    assert [f.measured for f in passport.findings if f.what == "lease"] == ["0 A after 33 s"]
    await store.forget_charger("DBT1")
    (left,) = await store.passports()
    assert [f.what for f in left.findings] == ["form", "zero"], "its own proof goes with it"
    await store.close()


async def test_the_third_golden_database_gives_back_what_waits_for_the_csms(tmp_path):
    file = tmp_path / "linkray.db"
    shutil.copyfile(GOLDEN / "store-0003.db", file)
    store = await opened(file)
    url = "ws://csms.example/ocpp"

    assert await store.waiting("DBT1", url) == (1, 1, 2)
    assert await store.waiting("DBT1", "ws://other.example") == (0, 1, 0)
    found, more = await store.load("DBT1", url, 0, 10)
    assert [(one.message_id, one.transaction) for one in found] == [("m2", 2)]
    assert not more
    assert await store.waiting_chargers(url) == ["DBT1"]
    assert (await store.uplinks())[0].wished == {"metervaluesampleinterval": "60"}
    assert store.accepted("Tag") == AT
    assert store.accepted("other") is None
    running = next(t for t in await store.recent("DBT1") if not t.finished)
    assert (running.id, running.csms_id, running.at_charger) == (2, 4711, 4711)
    assert store.take_queue_number() == 4, "a number is never given twice"
    await store.close()


async def ended(store: Store, number: int) -> None:
    await store.commit([began(number)])
    await store.commit([TransactionEnded(number, 4_600, AT, "Local", AT)])


async def sent(store: Store) -> None:
    wanted = Sending(0, AT, "9", 0, "records-{n}.csv", "")
    made = await store.make_sending(wanted, "handled", AT)
    await store.keep_sending(replace(made, state="sent"))


@pytest.mark.parametrize("has_copy", [True, False])
async def test_p5_what_was_sent_is_sent_again_only_where_nobody_knows_that_it_was(
    tmp_path, has_copy
):
    """Session 1 is sent before the copy, 2 after it, 3 in a sending that cannot be read, 4 never.
    Of 5 a flipped bit made a number that no sending has.
    """
    file = tmp_path / "linkray.db"
    store = await opened(file)
    await ended(store, 1)
    await sent(store)
    await ended(store, 2)
    if has_copy:
        make_daily_copy(store._disk, file, "2026-11-21")
    await sent(store)
    await ended(store, 3)
    await sent(store)
    await ended(store, 4)
    await ended(store, 5)
    db = store._disk._db
    db.execute("UPDATE transactions SET delivery = ? WHERE id = 5", (2**40,))
    db.execute("UPDATE deliveries SET state = 'what?' WHERE id = 3")
    db.execute("PRAGMA user_version = 99")
    await store.close()

    store = await opened(file)
    assert store.opened.missing is not None
    assert [(one.id, one.state) for one in (await store.sendings())[0]] == [
        (2, "sent"), (1, "sent")
    ]  # fmt: skip
    made = await store.make_sending(Sending(0, AT, "9", 0, "{n}.csv", ""), "handled", AT)
    assert (made.id, made.sessions) == (4, 3)
    assert list(store._disk.outbox(lambda db: deliveries.sessions(db, 4))) == [3, 4, 5]
    assert list(store._disk.outbox(lambda db: deliveries.sessions(db, 2))) == [2]
    await store.close()


@pytest.mark.parametrize(("version", "whose"), [
    (1, (None, None, "")), (2, (None, None, "")), (3, (4711, 4711, "ws://csms.example/ocpp")),
    (4, (4711, 4711, "ws://csms.example/ocpp")),
])  # fmt: skip
def test_p5_the_sessions_of_a_database_of_any_version_can_be_read_one_by_one(
    tmp_path, version, whose
):
    file = tmp_path / "linkray.db"
    shutil.copyfile(GOLDEN / f"store-{version:04}.db", file)
    found = salvaged(file, REAL, 0, ())
    rows = {one.row[0]: one.row for one in found}
    assert set(rows) == {1, 2, 3}
    assert rows[2][-5:] == (*whose, None, None)  # nobody watched it, and it was not sent


@pytest.mark.parametrize("version", [3, 4])
async def test_a_golden_database_says_whose_csms_a_session_is(tmp_path, version):
    file = tmp_path / "linkray.db"
    shutil.copyfile(GOLDEN / f"store-{version:04}.db", file)
    store = await opened(file)
    whose = {one.id: one.csms for one in await store.recent("DBT1")}
    assert whose == {1: "", 2: "ws://csms.example/ocpp", 3: ""}
    await store.close()


async def test_k13_a_number_of_before_is_of_the_csms_that_its_charger_had_last(tmp_path):
    file = tmp_path / "linkray.db"
    db = apsw.Connection(str(file))
    for number, script in shipped_migrations().items():
        if number <= 3:
            db.execute(script)
    began = "(id, charger, connector, tag, friendly_name, authorised_by, started, given,"
    db.execute(
        f"INSERT INTO transactions {began} meter_start_wh, csms_id) VALUES"
        " (1, 'C1', 1, 'T', '', '', $at, $at, 0, 71), (2, 'C1', 1, 'T', '', '', $at, $at, 0, NULL),"
        " (3, 'C1', 1, 'T', '', '', $at, $at, 0, NULL), (4, 'C2', 1, 'T', '', '', $at, $at, 0, 7)",
        {"at": AT},
    )
    said = "INSERT INTO outbox (charger, csms, message_id, action, payload, transaction_id, at)"
    db.execute(f"{said} VALUES ('C1', 'ws://b', 'm', 'StartTransaction', '{{}}', 3, $at)",
               {"at": AT})  # fmt: skip
    db.execute("INSERT INTO uplinks VALUES ('C1', $kept), ('C2', 'torn')",
               {"kept": '{"csms":"ws://a"}'})  # fmt: skip
    db.execute("PRAGMA user_version = 3")
    db.close()
    disk, how = open_good(file, AT)
    assert how.missing is None
    found = [(one.id, one.csms) for name in ("C1", "C2") for one in disk.recent(name, 9)]
    assert sorted(found) == [(1, "ws://a"), (2, ""), (3, "ws://b"), (4, "")]
    disk.close()


async def test_wal_and_full_sync_are_in_force(tmp_path):
    store = await opened(tmp_path / "linkray.db")
    modes = store._disk
    assert modes._one("PRAGMA journal_mode") == ("wal",)
    assert modes._one("PRAGMA synchronous") == (2,)
    await store.close()
