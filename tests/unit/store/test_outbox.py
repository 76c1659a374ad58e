"""What waits for the CSMS is on disk, in its order, and once (csms.md, Offline)."""

from __future__ import annotations

from datetime import UTC, datetime

from linkray.kit.clock import WallClock
from linkray.model.records import (
    Called,
    Delivered,
    IdLearned,
    Outgoing,
    Refused,
    SetAside,
    TagAccepted,
    TransactionBegan,
    TransactionSampled,
    UplinkKept,
)
from linkray.store import outbox
from linkray.store.db import Store
from linkray.store.runner import Inline

NOW = datetime(2026, 6, 16, 12, tzinfo=UTC)
URL = "ws://csms.example"
AT = "2026-06-16T12:00:00Z"


async def opened() -> Store:
    return await Store.open(":memory:", Inline(), WallClock(lambda: NOW))


def message(number: int, charger: str = "C1", csms: str = URL) -> Outgoing:
    return Outgoing(number, charger, f"m{number}", "MeterValues", "{}", 1, AT, csms)


async def test_messages_come_back_in_their_order_however_they_were_written() -> None:
    store = await opened()
    await store.commit([message(n) for n in (3, 1, 5)])
    await store.commit([message(2), message(4, "C2")])

    first, more = await store.load("C1", URL, 0, 2)
    then, rest = await store.load("C1", URL, first[-1].number, 2)

    assert [one.number for one in (*first, *then)] == [1, 2, 3, 5]
    assert (more, rest) == (True, False)
    assert await store.waiting_chargers(URL) == ["C1", "C2"]


async def test_the_same_message_twice_is_kept_once() -> None:
    store = await opened()
    await store.commit([message(1)])

    await store.commit([message(1)])

    assert await store.waiting("C1", URL) == (1, 0, 1)


async def test_what_was_delivered_or_set_aside_is_not_read_again() -> None:
    store = await opened()
    await store.commit([message(n) for n in (1, 2, 3)])

    store.later((Delivered(1), TransactionSampled(9, 5, AT)))
    await store.commit((SetAside(2, "GenericError: no", AT),))

    assert [one.number for one in (await store.load("C1", URL, 0, 9))[0]] == [3]
    assert await store.waiting("C1", URL) == (1, 1, 3)


async def test_what_may_be_written_late_is_written_with_the_next_commit() -> None:
    store = await opened()
    await store.commit([message(1)])
    store.later((Delivered(1),))
    assert [number for (number,) in store._disk._db.execute("SELECT number FROM outbox")] == [1]

    await store.flush()

    assert list(store._disk._db.execute("SELECT number FROM outbox")) == []


async def test_what_was_delivered_and_is_only_held_yet_waits_no_more() -> None:
    store = await opened()
    await store.commit([message(n) for n in (1, 2, 3)] + [message(4, "C2"), message(5, "C3")])

    store.later((Delivered(1), Delivered(2), Delivered(4)))

    assert await store.waiting("C1", URL) == (1, 0, 3)
    assert [one.number for one in (await store.load("C1", URL, 0, 1))[0]] == [3]
    assert (await store.load("C1", URL, 0, 1))[1] is False
    assert await store.waiting_chargers(URL) == ["C1", "C3"]


async def test_one_held_record_that_is_refused_takes_no_other_with_it() -> None:
    store = await opened()
    await store.commit([TransactionBegan(1, "C1", 1, "T", 0, AT, AT), message(1)])
    store.later((TransactionSampled(1, 5, AT), IdLearned(1, 2**63), Called(1, 77), Delivered(1)))

    await store.flush()

    (found,) = await store.recent("C1")
    assert (found.at_charger, found.csms_id, found.meter_last_wh) == (77, None, 5)
    assert await store.waiting("C1", URL) == (0, 0, 0)


async def test_what_is_only_held_is_seen_by_the_next_link() -> None:
    store = await opened()
    await store.commit([TransactionBegan(1, "C1", 1, "T", 0, AT, AT), message(1), Called(1, 77)])
    store.later((IdLearned(1, 77),))

    (found,) = await store.recent("C1")

    assert (found.at_charger, found.csms_id) == (77, 77)
    await store.flush()
    assert await store.recent("C1") == [found]


async def test_whose_its_start_is_is_known_of_a_transaction() -> None:
    store = await opened()
    await store.commit([TransactionBegan(1, "C1", 1, "T", 0, AT, AT, csms=URL)])
    await store.commit([TransactionBegan(2, "C1", 2, "T", 0, AT, AT)])

    assert [(one.id, one.csms) for one in await store.recent("C1")] == [(2, ""), (1, URL)]


async def test_a_refused_transaction_has_nobody_who_authorised_it() -> None:
    store = await opened()
    await store.commit([TransactionBegan(1, "C1", 1, "T", 0, AT, AT)])

    await store.commit([Refused(1)])

    assert (await store.recent("C1"))[0].authorised_by == ""


async def test_k13_what_is_for_one_csms_is_not_read_for_another() -> None:
    store = await opened()
    await store.commit([message(1), message(2, csms="ws://other.example")])

    assert [one.number for one in (await store.load("C1", URL, 0, 9))[0]] == [1]
    assert await store.waiting_chargers("ws://other.example") == ["C1"]


async def test_a_tag_is_known_without_case_and_the_newest_are_kept(monkeypatch) -> None:
    monkeypatch.setattr(outbox, "TAGS_KEPT", 2)
    store = await opened()
    store.later([TagAccepted("AbC", "2026-06-01"), TagAccepted("D", "2026-06-02")])
    store.later([TagAccepted("aBc", "2026-06-03"), TagAccepted("E", "2026-06-04")])
    assert store.accepted("ABC") == "2026-06-03", "at once"

    await store.flush()

    kept = await store._read(lambda disk: disk.outbox(outbox.tags))
    assert kept == {"abc": "2026-06-03", "e": "2026-06-04"}


async def test_of_an_uplink_the_newest_word_is_kept() -> None:
    store = await opened()
    await store.commit([UplinkKept("C1", boot="{}")])
    await store.commit([UplinkKept("C1", boot="{}", wished={"k": "v"})])

    assert await store.uplinks() == [UplinkKept("C1", boot="{}", wished={"k": "v"})]
