"""The audit log is append-only and shows where it was tampered with (trust.md A48)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkray.model.asks import Who
from linkray.store.audit import CHANGE_CHARS_MAX, START, AuditLine, broken_at, differences, hash_of
from linkray.store.db import Store
from linkray.store.runner import Inline

FIELDS = ("seq", "at", "who", "level", "source", "what", "old", "new", "hash")


def chain(count: int) -> list[AuditLine]:
    lines, before = [], START
    for seq in range(1, count + 1):
        line = AuditLine(seq, f"at {seq}", "A", 3, "here", f"did {seq}", "old", "new")
        before = hash_of(line, before)
        lines.append(msgspec.structs.replace(line, hash=before))
    return lines


def test_a_chain_as_written_holds():
    assert broken_at(chain(9)) is None
    assert broken_at(chain(9), chain(9)[-1].hash) is None
    assert broken_at([]) is None


@given(st.integers(0, 8), st.sampled_from(FIELDS))
def test_a48_any_edit_breaks_the_chain_at_its_place(place, field):
    lines = chain(9)
    was = getattr(lines[place], field)
    edited = was + 1 if isinstance(was, int) else was + "x"
    lines[place] = msgspec.structs.replace(lines[place], **{field: edited})
    assert broken_at(lines) == place + 1


@given(st.integers(0, 8))
def test_a48_a_line_taken_out_breaks_the_chain_there(place):
    lines = chain(9)
    head = lines[-1].hash
    del lines[place]
    assert broken_at(lines, head) == place + 1


def test_a48_a_line_rewritten_with_a_right_hash_breaks_at_the_next():
    lines = chain(3)
    forged = msgspec.structs.replace(lines[1], new="forged")
    lines[1] = msgspec.structs.replace(forged, hash=hash_of(forged, lines[0].hash))
    assert broken_at(lines) == 3


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
async def test_a48_the_database_itself_refuses_to_change_or_delete_a_line(statement):
    store = await Store.open(":memory:", Inline())
    await store.audit(Who("A", 3), "did")
    with pytest.raises(Exception, match="append-only"):
        store._disk._db.execute(statement)


async def test_a48_an_edit_on_the_disk_is_found_at_the_right_place():
    store = await Store.open(":memory:", Inline())
    for number in range(1, 6):
        await store.audit(Who("A", 3), f"did {number}")
    assert await store.audit_broken_at() is None
    store._disk._db.execute("DROP TRIGGER audit_stays; UPDATE audit SET what = 'x' WHERE seq = 4")
    assert await store.audit_broken_at() == 4


async def test_a48_lines_cut_off_at_the_end_are_missed():
    store = await Store.open(":memory:", Inline())
    for number in range(1, 6):
        await store.audit(Who("A", 3), f"did {number}")
    store._disk._db.execute("DROP TRIGGER audit_is_kept; DELETE FROM audit WHERE seq > 3")
    assert await store.audit_broken_at() == 4


def test_differences_name_what_changed_and_nothing_else():
    old = {"site": {"name": "a", "limit_ma": [1, 2, 3]}, "chargers": [{"id": "X", "max": 1}]}
    new = {"site": {"name": "b", "limit_ma": [1, 2, 3]}, "chargers": [{"id": "Y", "max": 2}]}
    assert differences(old, new) == (
        'site.name="a"; chargers[X].id="X"; chargers[X].max=1',
        'site.name="b"; chargers[Y].id="Y"; chargers[Y].max=2',
    )
    assert differences(old, old) == ("", "")


def test_a_password_inside_an_address_stays_out_of_the_audit_log():
    old, new = differences({"url": ""}, {"url": "wss://box:secret@csms.example/ocpp"})
    assert "secret" not in old + new
    assert "csms.example" in new


def test_a_change_of_everything_is_cut_with_its_number():
    _old, new = differences({}, {"chargers": [{"id": f"C{n}", "max": 1} for n in range(5_000)]})
    assert len(new) < CHANGE_CHARS_MAX + 40
    assert new.endswith("(10000 values)")
