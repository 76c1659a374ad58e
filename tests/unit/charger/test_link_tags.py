"""What a link does with a tag: byte order, Admin tags, what is learnt (access.md, RFID)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.charger.person import Played, at

from linkray.charger.wire import Command, Note, Presented, Received, Record, Terms, Up
from linkray.model.asks import StartCharging
from linkray.model.records import TagRejected, TransactionEnded
from linkray.model.settings import Charger
from linkray.model.tags import Decision
from linkray.model.uplink import Live, Passed

TURNED = Terms(Charger("CP1", turn_tags=True))
ADMIN = Decision("Blocked", text="an Admin tag charges nothing", ends=True)


class Reader(Played):
    """A charger with a reader; `ADMIN` is an Admin tag."""

    def __init__(self, **more: Any) -> None:
        self.judged: list[str] = []
        super().__init__(**more)

    def _may_charge(self, tag: str, *, by_hand: bool) -> Decision:
        self.judged.append(tag)
        return ADMIN if tag == "ADMIN" else super()._may_charge(tag, by_hand=by_hand)

    def hold(self, tag: str) -> str:
        return str(self.ask("Authorize", {"idTag": tag})[2]["idTagInfo"]["status"])

    def presented(self) -> list[str]:
        return [out.tag for out in self.out if isinstance(out, Presented)]

    def stopped(self) -> list[int]:
        return [said["transactionId"] for _id, action, said in self.calls
                if action == "RemoteStopTransaction"]  # fmt: skip


@pytest.mark.parametrize(("terms", "seen"), [(None, "C42D5E8A"), (TURNED, "8A5E2DC4")])
def test_a_charger_s_byte_order_is_turned_for_the_list_the_history_and_whoever_learns(
    terms: Terms | None, seen: str
) -> None:
    played = Reader(terms=terms)
    played.commission()
    played.refused.add(seen)

    assert played.hold("C42D5E8A") == "Invalid"

    assert played.judged == [seen]
    assert [record.tag for record in played.records(TagRejected)] == [seen]
    assert played.presented() == [seen]


def test_a_tag_that_a_person_types_is_not_turned_and_not_learnt() -> None:
    played = Reader(terms=TURNED)
    played.commission()
    played.feed(Command(StartCharging("CP1", 1, "C42D5E8A"), 1))
    played.answer({"status": "Accepted"}, "RemoteStartTransaction")
    played.hold("C42D5E8A")

    assert set(played.by_hand) == {"C42D5E8A"}
    assert played.judged == played.by_hand
    assert played.presented() == []


def test_an_admin_tag_ends_the_one_session_that_runs_and_is_no_refused_tag() -> None:
    played = Reader()
    played.commission()
    played.start()

    assert played.hold("ADMIN") == "Blocked"

    assert played.stopped() == [1001]
    assert played.records(TagRejected) == []
    played.stop(1001, reason="Remote")
    (ended,) = played.records(TransactionEnded)
    assert ended.reason == "AdminTag"


def test_an_admin_tag_with_nothing_to_end_or_with_more_than_one_ends_none_and_the_log_says_so() -> (
    None
):
    played = Reader()
    played.commission(connectors=2)
    assert played.hold("ADMIN") == "Blocked"
    played.start(connector=1)
    played.start(connector=2, tag="OTHER")
    played.calls.clear()

    played.hold("ADMIN")

    assert played.stopped() == []
    notes = [out for out in played.said if isinstance(out, Note)
             and out.text == "Admin tag presented"]  # fmt: skip
    assert [note.fields["sessions"] for note in notes] == [0, 2]
    assert "page" in str(notes[1].fields["action"])


def test_a_session_that_an_admin_tag_begins_is_stopped_and_kept_as_refused() -> None:
    played = Reader()
    played.commission()

    answer = played.start(tag="ADMIN")

    assert answer[2]["idTagInfo"]["status"] == "Blocked"
    assert played.stopped() == [1001]
    assert played.records(TagRejected) == []


def test_a_start_is_presented_too_but_not_one_that_waited_in_the_charger() -> None:
    played = Reader(start=10_000.0)
    played.commission()
    played.start(tag="AA01")
    assert played.presented() == ["AA01"]
    played.stop(1001)

    played.start(tag="AA02", stamp=at(played.now - 3_600))

    assert played.presented() == []


def test_at_a_charger_that_waits_to_be_adopted_nothing_is_learnt() -> None:
    played = Reader(terms=Terms(Charger("CP1"), adopted=False, kept=False))
    played.boot()

    played.hold("AA01")

    assert played.presented() == []


def test_the_csms_is_asked_for_the_tag_as_the_charger_says_it_and_it_is_learnt_all_the_same() -> (
    None
):
    played = Reader(terms=Terms(Charger("CP1", turn_tags=True), csms="ws://csms"))
    played.commission()
    played.feed(Live(True))

    outs = played.feed(Received('[2,"x1","Authorize",{"idTag":"C42D5E8A"}]'))

    (up,) = [out.item for out in outs if isinstance(out, Up) and isinstance(out.item, Passed)]
    assert b"C42D5E8A" in up.payload
    assert played.presented() == ["8A5E2DC4"]
    assert not [out for out in outs if isinstance(out, Record)]
