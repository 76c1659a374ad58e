"""What of the CSMS's queue is shown: since when it waits, and what the CSMS did not take."""

from __future__ import annotations

from linkray.kit.clock import WallClock
from linkray.model.asks import ASSEMBLER, Who
from linkray.model.records import Delivered, Outgoing, SetAside, TransactionBegan
from linkray.model.settings import Csms, Settings
from linkray.model.views import CsmsQueue
from linkray.store.db import Store
from linkray.store.runner import Inline

WHO = Who("Assembler", ASSEMBLER)
URL, OTHER = "ws://csms.example", "ws://other.example"


def message(number: int, charger: str = "C1", csms: str = URL) -> Outgoing:
    at = f"2026-06-01T00:00:{number:02d}.000Z"
    return Outgoing(number, charger, f"m{number}", "MeterValues", f'{{"n":{number}}}', 9, at, csms)


async def opened() -> Store:
    return await Store.open(":memory:", Inline(), WallClock())


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
