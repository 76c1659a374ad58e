"""What of the CSMS's queue is shown: since when it waits, and what the CSMS did not take."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from linkray.kit.clock import WallClock
from linkray.model.asks import ASSEMBLER, Who
from linkray.model.records import Delivered, Outgoing, SetAside, TransactionBegan
from linkray.model.settings import Csms, Settings
from linkray.model.views import CsmsQueue
from linkray.store import db
from linkray.store.aside import ROW_BYTES
from linkray.store.db import Store
from linkray.store.runner import Inline

NOW = datetime(2026, 6, 16, 12, tzinfo=UTC)
WHO = Who("Assembler", ASSEMBLER)
URL, OTHER = "ws://csms.example", "ws://other.example"


def message(number: int, charger: str = "C1", csms: str = URL) -> Outgoing:
    at = f"2026-06-01T00:00:{number:02d}.000Z"
    return Outgoing(number, charger, f"m{number}", "MeterValues", f'{{"n":{number}}}', 9, at, csms)


async def opened() -> Store:
    return await Store.open(":memory:", Inline(), WallClock(lambda: NOW))


async def test_the_oldest_of_each_charger_is_known_by_its_time() -> None:
    store = await opened()
    await store.commit([message(1), message(2, "C2", OTHER), message(3, "C2"), message(4)])
    asked = ["C1", "C2", "C3"]

    first = await store.oldest_waiting(URL, asked)
    await store.commit([Delivered(1), SetAside(3, "no", "2026-06-02")])

    assert first == {"C1": message(1).at, "C2": message(3).at}
    assert await store.oldest_waiting(URL, asked) == {"C1": message(4).at}


async def test_k13_what_waits_for_each_address_is_counted_shown_and_let_go_by_itself() -> None:
    store = await opened()
    await store.change_settings(Settings(csms=Csms(URL)), WHO, "csms")
    await store.commit([message(1, csms=OTHER), message(2), message(3, "C2", OTHER)])
    await store.commit([message(4, csms=OTHER), message(5), SetAside(4, "no", "2026-06-02")])
    await store.commit([TransactionBegan(9, "C1", 1, "T", 0, "2026-06-01", "", csms=OTHER)])
    store.later((Delivered(2),))

    own, other = await store.queues()
    shown = await store.queue(OTHER, 1, 9)
    await store.commit([message(6, csms=OTHER)])
    gone = await store.let_go(OTHER, other.newest)

    assert own == CsmsQueue(URL, True, 1, 1, 0, message(5).at, 5)
    assert other == CsmsQueue(OTHER, False, 2, 2, 1, message(1).at, 3)
    assert [(one.number, one.why, one.payload) for one in shown] == [(3, "", '{"n":3}')]
    assert gone == 2
    assert [one.number for one in await store.queue(OTHER, 0, 9)] == [6], "nobody has seen it"
    assert len(await store.set_aside(0, 9)) == 1
    assert (await store.waiting("C1", URL))[0] == 1


async def test_what_was_set_aside_is_listed_in_its_order_and_in_parts() -> None:
    store = await opened()
    await store.commit([message(n) for n in (1, 2, 3)] + [message(4, "C2", OTHER)])
    await store.commit([SetAside(n, f"InternalError: {n}", "2026-06-02") for n in (4, 1, 3)])

    first = await store.set_aside(0, 2)
    rest = await store.set_aside(first[-1].number, 2)

    assert [(one.number, one.charger, one.csms) for one in (*first, *rest)] == [
        (1, "C1", URL), (3, "C1", URL), (4, "C2", OTHER),
    ]  # fmt: skip
    assert first[0].why == "InternalError: 1"
    assert (first[0].payload, first[0].transaction) == ('{"n":1}', 9)
    assert await store.set_aside(4, 2) == ()


async def with_some(store: Store) -> None:
    """Of C1 two, of C2 one and one for another address: all set aside. Of C1 one more waits."""
    await store.commit([message(1), message(2), message(3, "C2"), message(4, "C2", OTHER)])
    await store.commit([*(SetAside(n, "no", "2026-06-02") for n in (1, 2, 3, 4)), message(5)])
    while store.take_queue_number() < 5:
        pass


async def test_what_was_set_aside_waits_again_behind_all_in_its_order_as_new_messages() -> None:
    store = await opened()
    await with_some(store)
    gone: list[dict[str, int]] = []
    store.when_aside_gone = gone.append

    again = await store.say_again("C1", URL, 9)

    found, _more = await store.load("C1", URL, 0, 9)
    assert [one.number for one in found] == [5, 6, 7]
    assert found[1:] == tuple(again)
    assert [one.payload for one in again] == [message(1).payload, message(2).payload]
    assert [one.message_id for one in again] == ["LR-260616120000-Q6", "LR-260616120000-Q7"]
    assert gone == [{"C1": 2}]
    assert [one.charger for one in await store.set_aside(0, 9)] == ["C2", "C2"]


async def test_k13_what_another_address_did_not_take_is_not_said_to_this_one() -> None:
    store = await opened()
    await with_some(store)

    assert await store.count_aside("", URL) == (4, 3)
    assert [one.charger for one in await store.say_again("", URL, 9)] == ["C1", "C1", "C2"]
    assert await store.say_again("", URL, 9) == []
    assert await store.waiting_chargers(OTHER) == []
    assert [one.number for one in await store.set_aside(0, 9)] == [4]


async def test_what_was_set_aside_is_removed_of_one_or_of_all_and_what_waits_stays() -> None:
    store = await opened()
    await with_some(store)

    assert await store.remove_aside("C2", 1) == 1
    assert await store.remove_aside("C2", 9) == 1
    assert await store.count_aside("", URL) == (2, 2)
    assert await store.remove_aside("", 9) == 2
    assert await store.waiting("C1", URL) == (1, 0, 5)


async def test_what_was_set_aside_has_a_bound_of_its_own_and_starts_and_stops_go_last(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(tmp_path / "linkray.db", Inline(), WallClock(lambda: NOW))
    actions = ("StartTransaction", *["MeterValues"] * 8, "StopTransaction")
    for session in (1, 2, 3):
        for at, action in enumerate(actions):
            number = session * 10 + at
            kept = Outgoing(number, "C1", f"m{number}", action, "{}", session, "2026-06-01", URL)
            await store.commit([kept, SetAside(number, "no", "2026-06-02")])
    took = 30 * (2 + ROW_BYTES)
    monkeypatch.setattr(db, "ASIDE_BYTES_MAX", took)
    monkeypatch.setattr(db, "THINNED_AT_ONCE", 4)
    monkeypatch.setattr(db, "ASIDE_SESSIONS_AT_ONCE", 1)
    used = await store._read(lambda disk: disk.bytes_used())
    monkeypatch.setattr(db, "DATABASE_BYTES_MAX", used - took)
    monkeypatch.setattr(db, "REFUSED_ABOVE", used - took)
    await store._bound_queue()
    assert store.queue_trouble.value is None
    assert store._takes_values, "it takes nothing of the room of what waits"

    async def left() -> list[int]:
        return [one.number for one in await store.set_aside(0, 99)]

    monkeypatch.setattr(db, "ASIDE_BYTES_MAX", took - 4 * ROW_BYTES)
    await store._bound_queue()
    assert [n for n in range(10, 40) if n not in await left()] == [11, 12, 13, 14]
    assert store.queue_trouble.value == "4 messages that the CSMS did not take are given up"
    monkeypatch.setattr(db, "ASIDE_BYTES_MAX", 5 * ROW_BYTES)
    await store._bound_queue()
    assert await left() == [20, 29, 30, 39], "a start goes with its stop"
    await store.close()

    store = await Store.open(tmp_path / "linkray.db", Inline(), WallClock(lambda: NOW))
    assert store.queue_trouble.value == "26 messages that the CSMS did not take are given up"
    await store.remove_aside("", 99)
    await store._bound_queue()
    assert store.queue_trouble.value is None
    await store.close()
