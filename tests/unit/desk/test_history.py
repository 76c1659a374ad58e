"""What a connector was offered and why: its last fifty changes, and who may read them."""

from __future__ import annotations

import json

import trio
import trio.testing
from tests.unit.desk.stand import Meters, Shelf

from linkray.desk.history import CHANGES_MAX, CONNECTORS_MAX, History
from linkray.desk.snapshot import Seen
from linkray.desk.task import Desk
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.model.asks import ReadHistory, Who
from linkray.model.plan import NO_PLAN, Code, Offer, Plan, Reason
from linkray.model.units import Phases

EV = Who("EV", 1)


def offer(amps: int, code: Code = "fair_share", charger: str = "CP1") -> Offer:
    ma = Phases.each(amps * 1000)
    return Offer(charger, 1, ma, None, Reason(code, phase="L1"), ())


def plan(*offers: Offer, seq: int = 1) -> Plan:
    return Plan(seq=seq, offers=offers)


def fed(*amps: int) -> History:
    history = History()
    for second, amount in enumerate(amps):
        history.feed(plan(offer(amount), seq=second), f"t{second}")
    return history


def test_the_first_offer_comes_from_nothing_and_the_next_from_it():
    changes = fed(0, 16).of("CP1", 1)

    assert [(c.at, c.from_ma, c.to_ma) for c in changes] == [
        ("t1", Phases.each(0), Phases.each(16_000)),
        ("t0", None, Phases.each(0)),
    ]


def test_the_reason_is_that_of_the_plan_that_changed_the_offer():
    history = History()
    history.feed(plan(offer(16, "fair_share")), "t0")
    history.feed(plan(offer(6, "building_load")), "t1")
    history.feed(plan(offer(6, "site_limit")), "t2")  # the same offer: no change

    changes = history.of("CP1", 1)
    assert [c.reason.code for c in changes] == ["building_load", "fair_share"]


def test_an_offer_that_stays_is_no_change():
    changes = fed(10, 10, 10).of("CP1", 1)

    assert len(changes) == 1


def test_fifty_changes_are_kept_the_newest_first():
    changes = fed(*range(CHANGES_MAX + 20)).of("CP1", 1)

    assert len(changes) == CHANGES_MAX
    assert changes[0].to_ma == Phases.each((CHANGES_MAX + 19) * 1000)
    assert changes[-1].from_ma == Phases.each(19_000)  # what lay before the oldest is still told


def test_a_connector_that_no_plan_has_named_is_not_known():
    assert fed(1).of("CP1", 2) == ()
    assert fed(1).of("CP2", 1) == ()


def test_connectors_that_come_and_go_do_not_fill_the_memory():
    history = History()
    for number in range(CONNECTORS_MAX + 10):
        history.feed(plan(offer(6, charger=f"CP{number}")), "t")

    assert history.of("CP0", 1) == ()
    assert history.of(f"CP{CONNECTORS_MAX + 9}", 1) != ()


async def test_every_plan_is_in_the_history_that_is_asked_for_at_the_desk():
    cell = Cell(NO_PLAN)
    desk = Desk(
        Shelf(),  # type: ignore[arg-type]
        Seen,
        {},
        meters=Meters(),  # type: ignore[arg-type]
        clock=WallClock(),
        plan=cell,
    )
    await desk.begin()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.publish)
        for seq, amount in enumerate((0, 32, 8), start=1):
            await trio.testing.wait_all_tasks_blocked()
            cell.set(plan(offer(amount), seq=seq))
        await trio.testing.wait_all_tasks_blocked()
        answer = await desk.ask(ReadHistory("CP1", 1), EV)
        unknown = await desk.ask(ReadHistory("CP1", 9), EV)
        nursery.cancel_scope.cancel()

    told = json.loads(bytes(answer.data))
    assert [change["to_ma"][0] for change in told] == [8_000, 32_000, 0]
    assert told[-1]["from_ma"] is None
    assert told[0]["reason"] == {"code": "fair_share", "phase": "L1"}
    assert json.loads(bytes(unknown.data)) == []
