"""Accounts, keys and the audit log on the disk, and as they are read beside control."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.desk.stand import HASH, desk_of

from linkray.model import asks
from linkray.model.asks import OFF_HAND, OFF_PASSWORD, Account, Key, Who
from linkray.store.audit import AuditQuery
from linkray.store.db import Store, StoreError
from linkray.store.reader import Reader
from linkray.store.runner import Inline

WHO = Who("Assembler", 3, "192.0.2.7")
UNTIL = "2030-01-01T00:00:00.000Z"


def key(digest: str, by: str = "Assembler", name: str = "", scope: str = "read") -> Key:
    return Key(digest, scope, UNTIL, name, by=by)


async def offs(store: Store) -> dict[str, str]:
    return {one.digest: one.off for one in await store.keys()}


async def test_a7_a_new_password_ends_the_keys_that_the_account_made_and_no_others():
    store = await Store.open(":memory:", Inline())
    for one in (key("a"), key("b", by=""), key("c", by="Installer"), key("d", name="graphs")):
        await store.add_key(one, WHO)
    await store.set_account(Account("Assembler", 3, "$new"), WHO)

    assert await offs(store) == {"a": OFF_PASSWORD, "b": "", "c": "", "d": OFF_PASSWORD}
    newest = (await store.audit_lines())[-1]
    assert (newest.what, newest.new) == (
        "password of Assembler", "API keys that it made, now off: 2",
    )  # fmt: skip


async def test_a_second_factor_ends_no_key_and_has_a_line_of_its_own():
    store = await Store.open(":memory:", Inline())
    await store.set_account(Account("EV", 1, "$one"), WHO)
    await store.add_key(key("a", by="EV"), WHO)
    await store.set_account(Account("EV", 1, "$one", second="A" * 32, second_used=7), WHO)

    kept = next(one for one in await store.accounts() if one.name == "EV")
    assert (kept.second, kept.second_used) == ("A" * 32, 7)
    assert await offs(store) == {"a": ""}
    newest = (await store.audit_lines())[-1]
    assert (newest.what, newest.new) == ("second factor of EV", "on")
    assert all("A" * 32 not in str(line) for line in await store.audit_lines())


async def test_a_code_that_was_used_outlives_a_restart(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline())
    await store.set_account(Account("EV", 1, "$one", second="A" * 32), WHO)
    await store.note(Who("EV", 1, "192.0.2.9"), "signed in with a code", 59_833_333)
    await store.close()

    again = await Store.open(tmp_path / "linkray.db", Inline())
    assert next(a for a in await again.accounts() if a.name == "EV").second_used == 59_833_333
    assert (await again.audit_lines())[-1].source == "192.0.2.9"
    await again.close()


async def test_the_key_without_a_name_is_one_of_its_scope_where_it_is_made_in_place():
    store = await Store.open(":memory:", Inline())
    for one in (key("a"), key("b", scope="write"), key("c", name="graphs")):
        await store.add_key(one, WHO)
    await store.add_key(key("d"), WHO, in_place=True)

    assert {one.digest for one in await store.keys()} == {"b", "c", "d"}


async def test_inv16_a_key_that_is_switched_or_removed_has_its_line():
    store = await Store.open(":memory:", Inline())
    await store.add_key(key("a" * 64, name="graphs"), WHO)
    off = msgspec.structs.replace(key("a" * 64, name="graphs"), off=OFF_HAND)
    await store.change_key(off, WHO)
    assert await offs(store) == {"a" * 64: OFF_HAND}
    await store.remove_key(off, WHO)

    assert await store.keys() == []
    said = [(line.what, line.old, line.new) for line in await store.audit_lines()]
    assert said[-2:] == [
        ("API key 'graphs'", "", f"read, {'a' * 16}, off"),
        ("API key 'graphs' removed", f"read, {'a' * 16}", ""),
    ]


# -- the audit log, read beside control ------------------------------------------------------------

HOSTILE = ["100%", "a_b", "!", "%' OR 1=1 --", '"; DROP TABLE audit; --', "\u202eevil", "<script>"]


async def written(tmp_path):
    """250 lines, and the file that they are in."""
    file = tmp_path / "linkray.db"
    store = await Store.open(file, Inline())
    for number in range(1, 251):
        who = Who(("EV", "Installer", "key:graphs")[number % 3], 2, f"192.0.2.{number}")
        await store.audit(who, f"did {number}", f"old {number}", f"new {number}")
    return store, file


async def test_pages_of_the_audit_log_join_without_a_gap_newest_first(tmp_path):
    _store, file = await written(tmp_path)
    found, before = [], None
    with Reader(file) as reader:
        while True:
            page = reader.audit_page(AuditQuery(before=before, limit=40))
            assert page.total == 250
            if not page.lines:
                break
            found += [line.seq for line in page.lines]
            before = found[-1]

    assert found == list(range(250, 0, -1))


@pytest.mark.parametrize(("query", "found"), [
    (AuditQuery(who="graphs"), [b for b in range(250, 0, -1) if b % 3 == 2]),
    (AuditQuery(who="INSTALLER", what="did 1"),
     [b for b in range(250, 0, -1) if b % 3 == 1 and str(b).startswith("1")]),
    (AuditQuery(text="192.0.2.250"), [250]), (AuditQuery(text="old 77"), [77]),
    (AuditQuery(text="nobody said this"), []), (AuditQuery(since="2999"), []),
    (AuditQuery(until="2000"), []), (AuditQuery(text="OLD 249"), [249]),
])  # fmt: skip
async def test_the_audit_log_is_searched_by_who_what_text_and_time(query, found, tmp_path):
    _store, file = await written(tmp_path)
    with Reader(file) as reader:
        page = reader.audit_page(msgspec.structs.replace(query, limit=500))

    assert [line.seq for line in page.lines] == found
    assert page.total == len(found)


@pytest.mark.parametrize("text", HOSTILE)
async def test_a24_what_is_searched_for_is_never_part_of_the_statement(text, tmp_path):
    store, file = await written(tmp_path)
    await store.audit(Who(f"key:{text}", 2), f"{text} and more")
    with Reader(file) as reader:
        for query in (AuditQuery(who=text), AuditQuery(what=text), AuditQuery(text=text)):
            assert [line.seq for line in reader.audit_page(query).lines] == [251]


async def test_a48_the_chain_is_checked_beside_control_and_tells_up_to_where_it_holds(tmp_path):
    store, file = await written(tmp_path)
    with Reader(file) as reader:
        chain = reader.audit_chain()
        assert (chain.lines, chain.holds_to, chain.holds) == (250, 250, True)
        await store.audit(WHO, "one more")  # control writes while it is read
        assert reader.audit_chain().lines == 251
        store._disk._db.execute(
            "DROP TRIGGER audit_stays; UPDATE audit SET who = 'x' WHERE seq = 120"
        )
        chain = reader.audit_chain()
    assert (chain.lines, chain.holds_to, chain.holds) == (251, 119, False)


async def test_a48_ten_thousand_lines_are_kept_read_and_checked(tmp_path):
    file = tmp_path / "linkray.db"
    store = await Store.open(file, Inline())

    def fill(disk):
        for number in range(10_000):
            disk.audit(WHO, f"did {number}", "", "", UNTIL)

    await store._write(fill)
    with Reader(file) as reader:
        assert reader.audit_chain().holds_to == 10_000
        assert reader.audit_page(AuditQuery(text="did 9999")).total == 1
    await store.close()


def test_where_there_is_no_database_it_is_said(tmp_path):
    with pytest.raises(StoreError):
        Reader(tmp_path / "none.db")
    (tmp_path / "junk.db").write_bytes(b"no database at all" * 300)
    with pytest.raises(StoreError), Reader(tmp_path / "junk.db") as reader:
        reader.audit_page(AuditQuery())


@pytest.mark.parametrize(("what", "event"), [
    ("password of EV", "ReconfigurationOfSecurityParameters"),
    ("API key 'x' removed", "ReconfigurationOfSecurityParameters"),
    ("factory reset", "SecurityLogWasCleared"),
    ("sign-in failed: code used before", "AttemptedReplayAttacks"), ("signed in", ""),
])  # fmt: skip
async def test_a48_security_events_have_the_names_that_ocpp_gives_them(what, event, tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline())
    await store.audit(WHO, what)
    with Reader(tmp_path / "linkray.db") as reader:
        (entry,) = reader.audit_page(AuditQuery()).lines

    assert entry.event == event


CHANGES = (
    asks.PatchSettings(msgspec.Raw(b'{"site":{"fifo":true}}')),
    asks.ImportSettings(msgspec.Raw(b'{"site":{"name":"New"}}')),
    asks.SetPassword("EV", HASH), asks.CloseAccount("EV"), asks.SetSecondFactor("Assembler"),
    asks.AddKey("b" * 64, "read", UNTIL), asks.SetKey("a" * 16, on=False),
    asks.RemoveKey("a" * 16), asks.NoteAtDoor(WHO, "signed in"),
)  # fmt: skip


@pytest.mark.parametrize("ask", CHANGES, ids=lambda ask: type(ask).__name__)
async def test_inv16_every_change_of_the_desk_has_one_line_and_who_it_was(ask):
    store = await Store.open(":memory:", Inline())
    for name, level in (("EV", 1), ("Installer", 2), ("Assembler", 3)):
        second = "A" * 32 if name == "Assembler" else ""
        await store.set_account(Account(name, level, HASH, second=second), WHO)
    await store.add_key(key("a" * 64), WHO)
    before = await store.audit_lines()
    desk = desk_of(store)
    await desk.begin()

    who = asks.Who("faces", asks.LOCAL) if isinstance(ask, asks.NoteAtDoor) else WHO
    assert (await desk.ask(ask, who)).ok

    (line,) = (await store.audit_lines())[len(before) :]
    assert (line.who, line.source) == (WHO.name, WHO.source)
    assert await store.audit_broken_at() is None
