"""Pairing of calls and answers on one link: order, urgency, timeouts, what belongs to nothing."""

from __future__ import annotations

import json
import math

import msgspec
import pytest

from linkray.ocpp.frame import Call, Error, Result, read
from linkray.ocpp.peer import (
    LATE_MAX,
    THEIRS_MAX,
    WAITING_MAX,
    Answered,
    Asked,
    Failed,
    Peer,
    Stray,
)

EMPTY = msgspec.Raw(b"{}")


def sent(texts: list[str]) -> list[str]:
    """The actions of CALLs in these texts."""
    return [json.loads(text)[2] for text in texts]


def call_id(texts: list[str]) -> str:
    assert len(texts) == 1
    frame = read(texts[0])
    assert isinstance(frame, Call)
    return frame.id


def test_a_call_goes_out_at_once_and_its_answer_comes_back_with_its_tag() -> None:
    peer = Peer("x-")
    texts, events = peer.call("Reset", b'{"type":"Soft"}', 5.0, tag="mine")
    assert json.loads(texts[0]) == [2, "x-1", "Reset", {"type": "Soft"}]
    assert events == []
    raw = msgspec.Raw(b'{"status":"Accepted"}')
    assert peer.receive(Result("x-1", raw), 6.0) == ([], [Answered("mine", raw)])
    assert peer.due() == math.inf


def test_only_one_call_is_open_and_the_rest_go_in_their_order() -> None:
    peer = Peer()
    first = call_id(peer.call("A", b"{}", 0.0)[0])
    assert peer.call("B", b"{}", 0.0) == ([], [])
    assert peer.call("C", b"{}", 0.0) == ([], [])
    assert peer.waiting == 2
    texts, _ = peer.receive(Result(first, EMPTY), 1.0)
    assert sent(texts) == ["B"]
    texts, _ = peer.receive(Result(call_id(texts), EMPTY), 2.0)
    assert sent(texts) == ["C"]
    assert peer.receive(Result(call_id(texts), EMPTY), 3.0)[0] == []


def test_an_urgent_call_overtakes_what_waits_but_not_another_urgent_one() -> None:
    peer = Peer()
    first = call_id(peer.call("A", b"{}", 0.0)[0])
    peer.call("B", b"{}", 0.0)
    peer.call("U1", b"{}", 0.0, urgent=True)
    peer.call("U2", b"{}", 0.0, urgent=True)
    order = []
    texts, _ = peer.receive(Result(first, EMPTY), 0.1)
    while texts:
        order += sent(texts)
        texts, _ = peer.receive(Result(call_id(texts), EMPTY), 0.1)
    assert order == ["U1", "U2", "B"]


@pytest.mark.parametrize(("urgent", "limit_s"), [(False, 30.0), (True, 10.0)])
def test_a_call_not_answered_in_time_fails(urgent: bool, limit_s: float) -> None:
    peer = Peer()
    peer.call("A", b"{}", 100.0, tag="t", urgent=urgent)
    assert peer.due() == 100.0 + limit_s
    assert peer.wake(100.0 + limit_s - 0.01) == ([], [])
    _, events = peer.wake(100.0 + limit_s)
    assert [(e.tag, e.code, e.sent) for e in events if isinstance(e, Failed)] == [
        ("t", "timeout", True)
    ]
    assert peer.due() == math.inf


def test_a_timeout_lets_the_next_call_go() -> None:
    peer = Peer()
    peer.call("A", b"{}", 0.0)
    peer.call("B", b"{}", 0.0)
    texts, _ = peer.wake(30.0)
    assert sent(texts) == ["B"]
    assert peer.due() == 60.0


def test_an_open_call_that_an_urgent_one_waits_behind_is_timed_out_after_half_a_second() -> None:
    peer = Peer()
    first = call_id(peer.call("A", b"{}", 0.0, tag="slow")[0])
    peer.call("U", b"{}", 20.0, urgent=True, tag="cut")
    assert peer.due() == 20.5
    texts, events = peer.wake(20.5)
    assert sent(texts) == ["U"]
    assert isinstance(events[0], Failed)
    assert (events[0].tag, events[0].code) == ("slow", "timeout")
    assert "urgent" in events[0].text
    # the late answer is still read, the urgent call stays open
    assert peer.receive(Result(first, EMPTY), 20.6) == ([], [Answered("slow", EMPTY, late=True)])
    _, events = peer.receive(Result(call_id(texts), EMPTY), 20.7)
    assert events == [Answered("cut", EMPTY)]


def test_each_of_several_urgent_calls_has_half_a_second_of_its_own() -> None:
    peer = Peer()
    for action in ("U1", "U2", "U3"):
        peer.call(action, b"{}", 0.0, urgent=True)
    assert peer.due() == 0.5
    assert sent(peer.wake(0.5)[0]) == ["U2"]
    assert peer.due() == 1.0
    assert sent(peer.wake(1.0)[0]) == ["U3"]
    assert peer.due() == 11.0


def test_a_newer_call_replaces_a_waiting_one_with_the_same_key_but_never_the_open_one() -> None:
    peer = Peer()
    peer.call("A", b"{}", 0.0, replaces="k", tag="open")
    assert peer.call("B", b"{}", 0.0, replaces="k", tag="old") == ([], [])
    peer.call("C", b"{}", 0.0, replaces="other", tag="other")
    _, events = peer.call("D", b"{}", 0.0, replaces="k", tag="new", urgent=True)
    assert [(e.tag, e.code, e.sent) for e in events if isinstance(e, Failed)] == [
        ("old", "replaced", False)
    ]
    assert peer.waiting == 2
    assert sent(peer.wake(0.5)[0]) == ["D"]


def test_an_urgent_call_replaced_again_and_again_still_goes_out_after_half_a_second() -> None:
    peer = Peer()
    peer.call("GetConfiguration", b"{}", 0.0)
    for tenth in range(10, 15):  # a meter over the limit, read ten times a second
        peer.call("SetChargingProfile", b"{}", tenth / 10, urgent=True, replaces="profile/1")

    assert peer.due() == 1.5
    assert sent(peer.wake(1.5)[0]) == ["SetChargingProfile"]


def test_the_line_is_bounded_and_an_urgent_call_always_finds_room() -> None:
    peer = Peer()
    peer.call("open", b"{}", 0.0)
    for n in range(WAITING_MAX):
        assert peer.call("A", b"{}", 0.0, tag=n) == ([], [])
    _, events = peer.call("A", b"{}", 0.0, tag="late")
    assert [(e.tag, e.code) for e in events if isinstance(e, Failed)] == [("late", "full")]
    _, events = peer.call("U", b"{}", 0.0, tag="cut", urgent=True)
    assert [(e.tag, e.code) for e in events if isinstance(e, Failed)] == [(WAITING_MAX - 1, "full")]
    assert peer.waiting == WAITING_MAX
    for n in range(2 * WAITING_MAX):
        peer.call("U", b"{}", 0.0, tag=n, urgent=True)
    assert peer.waiting == WAITING_MAX
    assert sent(peer.wake(0.5)[0]) == ["U"]


def test_c21_a_callerror_fails_the_call_and_says_why() -> None:
    peer = Peer()
    first = call_id(peer.call("A", b"{}", 0.0, tag="t")[0])
    peer.call("B", b"{}", 0.0)
    texts, events = peer.receive(Error(first, "NotSupported", "no such thing"), 1.0)
    assert events == [Failed("t", "callerror", "NotSupported: no such thing")]
    assert sent(texts) == ["B"]


def test_c21_an_answer_to_an_unknown_id_is_a_stray_and_changes_nothing() -> None:
    peer = Peer()
    peer.call("A", b"{}", 0.0, tag="t")
    for frame in (Result("nobody", EMPTY), Error("nobody", "X"), Error("-1", "GenericError")):
        texts, events = peer.receive(frame, 1.0)
        assert texts == []
        assert [type(e) for e in events] == [Stray]
    assert peer.due() == 30.0


def test_c21_an_answer_given_twice_counts_once() -> None:
    peer = Peer()
    first = call_id(peer.call("A", b"{}", 0.0, tag="t")[0])
    assert peer.receive(Result(first, EMPTY), 1.0)[1] == [Answered("t", EMPTY)]
    assert [type(e) for e in peer.receive(Result(first, EMPTY), 1.0)[1]] == [Stray]


def test_c21_a_late_callerror_is_told_as_late() -> None:
    peer = Peer()
    first = call_id(peer.call("A", b"{}", 0.0, tag="t")[0])
    peer.wake(30.0)
    _, events = peer.receive(Error(first, "InternalError", ""), 31.0)
    assert events == [Failed("t", "callerror", "InternalError: ", late=True)]


def test_late_answers_are_remembered_for_a_bounded_number_of_calls() -> None:
    peer = Peer()
    ids = []
    for n in range(LATE_MAX + 1):
        ids.append(call_id(peer.call("A", b"{}", n * 30.0, tag=n)[0]))
        peer.wake(n * 30.0 + 30.0)
    assert isinstance(peer.receive(Result(ids[0], EMPTY), 9999.0)[1][0], Stray)
    assert peer.receive(Result(ids[1], EMPTY), 9999.0)[1] == [Answered(1, EMPTY, late=True)]


def test_c21_their_call_is_told_while_ours_is_open_and_answered_by_its_id() -> None:
    peer = Peer()
    ours = call_id(peer.call("A", b"{}", 0.0, tag="t")[0])
    beat = Call("c7", "Heartbeat", EMPTY)
    assert peer.receive(beat, 1.0) == ([], [Asked(beat)])
    assert json.loads(peer.answer("c7", b'{"currentTime":"x"}')) == [3, "c7", {"currentTime": "x"}]
    assert peer.receive(Result(ours, EMPTY), 1.0)[1] == [Answered("t", EMPTY)]


def test_c21_their_second_call_before_our_answer_is_told_too() -> None:
    peer = Peer()
    for n in range(THEIRS_MAX):
        one = Call(f"c{n}", "Heartbeat", EMPTY)
        assert peer.receive(one, 1.0)[1] == [Asked(one)]
    texts, events = peer.receive(Call("more", "Heartbeat", EMPTY), 1.0)
    assert json.loads(texts[0])[:3] == [4, "more", "GenericError"]
    assert [type(e) for e in events] == [Stray]
    peer.answer("c3", b"{}")
    assert isinstance(peer.receive(Call("again", "Heartbeat", EMPTY), 1.0)[1][0], Asked)


def test_c21_the_same_open_id_again_is_answered_once() -> None:
    peer = Peer()
    peer.receive(Call("c1", "StartTransaction", EMPTY), 1.0)
    assert [type(e) for e in peer.receive(Call("c1", "StartTransaction", EMPTY), 1.0)[1]] == [Stray]
    peer.answer("c1", b"{}")
    with pytest.raises(KeyError):
        peer.answer("c1", b"{}")
    with pytest.raises(KeyError):
        peer.refuse("c1", "InternalError", "")


def test_a_refusal_is_a_callerror_with_a_description_that_fits() -> None:
    peer = Peer()
    peer.receive(Call("c1", "Foo", EMPTY), 1.0)
    text = peer.refuse("c1", "NotImplemented", "x" * 999)
    kind, id_, code, description, details = json.loads(text)
    assert (kind, id_, code, details) == (4, "c1", "NotImplemented", {})
    assert len(description) == 255


def test_when_the_link_ends_every_call_fails_and_says_whether_it_was_sent() -> None:
    peer = Peer()
    peer.call("A", b"{}", 0.0, tag="open")
    peer.call("B", b"{}", 0.0, tag="waits")
    peer.call("U", b"{}", 0.0, tag="cut", urgent=True)
    failed = [(e.tag, e.code, e.sent) for e in peer.gone() if isinstance(e, Failed)]
    assert failed == [("open", "gone", True), ("cut", "gone", False), ("waits", "gone", False)]
    assert peer.due() == math.inf
    assert peer.gone() == []
    assert peer.wake(99.0) == ([], [])


def test_ids_fit_ocpp_and_are_never_used_twice() -> None:
    peer = Peer("p" * 20)
    ids = set()
    for n in range(100):
        one = call_id(peer.call("A", b"{}", float(n))[0])
        peer.receive(Result(one, EMPTY), float(n))
        ids.add(one)
    assert len(ids) == 100
    assert all(len(one) <= 36 for one in ids)
    with pytest.raises(AssertionError):
        Peer("p" * 21)


def test_a_call_drops_what_must_not_go_out_after_it() -> None:
    peer = Peer("p-")
    peer.call("A", b"{}", 0.0)
    for key in ("clear/1", "clear/2"):
        peer.call("Clear", b"{}", 0.0, tag=key, replaces=key)
    _, events = peer.call("Set", b"{}", 0.0, replaces="set", drops=("clear/2", "clear/all"))
    assert [(event.tag, event.code, event.sent) for event in events] == [
        ("clear/2", "replaced", False)
    ]
    assert peer.waiting == 2


def test_what_is_withdrawn_before_it_was_sent_is_not_sent() -> None:
    peer = Peer()
    first = call_id(peer.call("A", b"{}", 0.0, replaces="a")[0])
    peer.call("B", b"{}", 0.0, replaces="b")
    peer.call("C", b"{}", 0.0, replaces="c", urgent=True)
    peer.withdraw("c")
    peer.withdraw("a")  # sent already: its answer still counts
    texts, events = peer.receive(Result(first, EMPTY), 1.0)
    assert sent(texts) == ["B"]
    assert len(events) == 1
