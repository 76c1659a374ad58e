"""The uplink's core (csms.md): when it dials, what it says in which order, what is kept."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest
from tests.unit.csms.central import BOOT, URL, Central, outgoing

from linkray.csms.bounds import Wired
from linkray.csms.relay import ANSWER_S
from linkray.csms.wire import Linked, Received, Terms, TermsNow
from linkray.model.faults import Cleared, Code, Raised
from linkray.model.uplink import Answered, Asks, Boot, Given, Here, Message, Passed, Replied, Status


def silent(csms: Central) -> None:
    """From now on it takes everything and says nothing."""
    csms.answers = lambda _call: None


# -- dialling ----------------------------------------------------------------------------------


def test_the_first_attempt_is_made_at_once_when_the_charger_is_there() -> None:
    csms = Central()
    assert csms.dials == []

    csms.feed(Here(here=True))

    assert csms.dials == [1_000.0]


def test_stand_alone_nobody_is_dialled() -> None:
    csms = Central(terms=Terms())

    csms.feed(Here(here=True))
    csms.passes(3_600)

    assert csms.dials == []
    assert csms.faults == []


def test_k3_attempts_come_60_to_75_s_apart_however_the_line_flaps() -> None:
    csms = Central()
    csms.feed(Here(here=True))
    for _ in range(300):
        if len(csms.dials) % 2:
            csms.refuse()
        else:
            csms.link()
            csms.passes(5)
            csms.cut()
        csms.until(csms.relay.due())

    apart = [b - a for a, b in itertools.pairwise(csms.dials)]
    assert len(apart) > 100
    assert all(60.0 <= gap <= 90.0 + 0.1 for gap in apart), (min(apart), max(apart))
    assert sum(gap <= 75.0 for gap in apart) > len(apart) / 2, "later only where a link stood"
    assert len({round(gap) for gap in apart}) > 5, "32 chargers must not be one burst"


def test_a40_after_long_service_a_lost_line_is_dialled_again_within_15_s() -> None:
    csms = Central()
    csms.arrive()
    csms.passes(3_600)

    csms.cut()
    csms.passes(15)

    assert len(csms.dials) == 2


def test_a_changed_password_ends_the_link_and_is_tried_in_its_time() -> None:
    csms = Central()
    csms.arrive()
    csms.passes(1)

    csms.feed(TermsNow(Terms(URL, password="another")))
    csms.passes(50)
    assert csms.hung_up == ["the settings have changed"]
    assert len(csms.dials) == 1
    csms.passes(30)

    assert len(csms.dials) == 2


def test_what_changed_while_it_was_dialled_ends_the_link_as_it_comes() -> None:
    csms = Central()
    csms.feed(Here(here=True))
    csms.feed(TermsNow(Terms(URL, password="another")))

    csms.link()

    assert csms.hung_up == ["the settings have changed"]
    assert csms.actions == []


def test_the_uplink_outlives_its_charger_by_a_minute() -> None:
    csms = Central()
    csms.arrive()

    csms.feed(Here(here=False))
    csms.passes(59)
    assert csms.hung_up == []
    csms.passes(2)

    assert csms.hung_up == ["the charger is gone"]
    csms.passes(600)
    assert len(csms.dials) == 1, "nobody is dialled for a charger that is gone"


def test_what_is_kept_is_delivered_though_its_charger_never_comes_back() -> None:
    first = Central()
    first.feed(Here(here=True), Boot(BOOT))
    first.store(outgoing(1, "StartTransaction"), outgoing(2, "StopTransaction"))
    csms = first.restart()

    csms.passes(0)
    csms.link()

    assert csms.actions == ["BootNotification", "StartTransaction", "StopTransaction"]
    assert csms.left() == []
    csms.passes(61)
    assert csms.hung_up == ["the charger is gone"]


def test_what_is_kept_is_delivered_before_its_charger_is_back_and_the_link_stays_for_it() -> None:
    first = Central()
    first.feed(Here(here=True), Boot(BOOT))
    first.store(outgoing(1, "StartTransaction"), outgoing(2, "StopTransaction"))
    csms = first.restart()
    csms.passes(0)
    csms.link()
    assert csms.left() == []

    csms.passes(5)
    csms.feed(Here(here=True))
    csms.passes(300)

    assert csms.hung_up == []
    assert len(csms.dials) == 1


# -- in order ----------------------------------------------------------------------------------


def test_a_new_link_says_boot_then_statuses_then_what_was_kept_in_its_order() -> None:
    csms = Central()
    csms.feed(Here(here=True), Boot(BOOT), Status(2, b'{"connectorId":2}'),
              Status(1, b'{"connectorId":1}'))  # fmt: skip
    csms.store(outgoing(5, "StartTransaction"), outgoing(6), outgoing(7, "StopTransaction"))

    csms.link()

    assert csms.actions == ["BootNotification", "StatusNotification", "StatusNotification",
                            "StartTransaction", "MeterValues", "StopTransaction"]  # fmt: skip
    assert [f[3]["connectorId"] for f in csms.frames[1:3]] == [1, 2]
    assert csms.is_live
    assert csms.left() == []


def test_one_call_at_a_time_is_open() -> None:
    csms = Central()
    silent(csms)
    csms.arrive()
    csms.store(outgoing(1, "StartTransaction"), outgoing(2))
    assert csms.actions == ["BootNotification"]

    csms.answer({"status": "Accepted", "currentTime": "", "interval": 0})
    assert csms.actions == ["BootNotification", "StatusNotification"]
    csms.answer()
    assert csms.actions[2:] == ["StartTransaction"]
    csms.answer({"transactionId": 9, "idTagInfo": {"status": "Accepted"}})

    assert csms.actions[3:] == ["MeterValues"]
    assert csms.frames[-1][3]["transactionId"] == 9


def test_live_calls_go_with_the_chargers_own_id_and_untouched_payload() -> None:
    csms = Central()
    csms.arrive()
    raw = b'{ "vendorId" : "X",\t"data":"\\u00e4 1.0e0" }'
    sent: list[str] = []
    does = csms._said
    csms._said = lambda text: (sent.append(text), does(text))[1]  # type: ignore[method-assign]

    csms.feed(Passed("abc-1", "DataTransfer", raw, waits=True))

    assert sent == ['[2,"abc-1","DataTransfer",' + raw.decode() + "]"]
    assert Answered("abc-1", b"{}") in csms.to_link


def test_k9_live_messages_queue_behind_what_is_replayed() -> None:
    csms = Central(waiting=[outgoing(n) if n > 1 else outgoing(n, "StartTransaction")
                            for n in range(1, 200)])  # fmt: skip
    silent(csms)
    csms.arrive()
    csms.answer({"status": "Accepted", "currentTime": "", "interval": 0})
    csms.answer()
    csms.store(outgoing(200, "StopTransaction"))
    assert not csms.is_live

    csms.answers = csms.well
    csms.answer({"transactionId": 9, "idTagInfo": {"status": "Accepted"}})

    assert [f[1] for f in csms.calls] == [f"m{n}" for n in range(1, 201)]
    assert csms.is_live
    assert csms.left() == []


def test_a_charger_that_boots_again_is_heard_before_what_comes_after() -> None:
    csms = Central()
    csms.arrive()
    csms.frames.clear()

    csms.feed(Boot(b'{"chargePointVendor":"V", "chargePointModel":"N"}'))
    csms.feed(Passed("x", "Authorize", b"{}", waits=True))

    assert csms.actions[0] == "BootNotification"
    assert csms.frames[0][3]["chargePointModel"] == "N"
    assert csms.kept is not None
    assert "N" in csms.kept.boot


# -- answers that do not come ------------------------------------------------------------------


def test_k5_an_answer_that_is_lost_is_asked_for_with_the_same_id_and_payload() -> None:
    csms = Central()
    csms.arrive()
    silent(csms)
    csms.store(outgoing(1, "StartTransaction"))
    first = csms.frames[-1]
    csms.open.clear()

    csms.passes(91)

    assert csms.frames[-1] == first
    csms.answer({"transactionId": 77, "idTagInfo": {"status": "Accepted"}})
    assert csms.left() == []


def test_k5_of_two_ids_for_one_start_the_newest_counts() -> None:
    csms = Central()
    csms.arrive()
    silent(csms)
    csms.store(outgoing(1, "StartTransaction"))
    csms.answers = csms.well
    csms.open.clear()  # the first answer, 500, is lost on its way
    csms.passes(91)
    csms.store(outgoing(2))

    assert csms.frames[-1][3]["transactionId"] == 501
    csms.feed(Received('[3,"m1",{"transactionId":888,"idTagInfo":{"status":"Accepted"}}]'))
    csms.store(outgoing(3))
    assert csms.frames[-1][3]["transactionId"] == 888
    assert "another transaction id" in csms.notes


def test_k6_a_message_refused_three_times_is_set_aside_and_the_next_goes_on() -> None:
    csms = Central()
    csms.arrive()
    csms.store(outgoing(1, "StartTransaction"))
    silent(csms)
    csms.store(outgoing(2), outgoing(3))
    at: list[float] = []
    for _ in range(3):
        at.append(csms.now)
        csms.answer(error="InternalError")
        csms.until(csms.relay.due())

    assert [b - a for a, b in itertools.pairwise(at)] == [10.0, 20.0]
    assert csms.aside == {2: "InternalError: "}
    assert csms.frames[-1][1] == "m3"
    assert csms.shown.set_aside == 1
    assert "message set aside" in csms.notes


@pytest.mark.parametrize("answer", ['[3,"m1",7', '[3,"m1"]', '[3,"m1",NaN]', "no JSON", "[]"])
def test_k6_a_message_answered_three_times_with_no_frame_is_set_aside(answer: str) -> None:
    csms = Central(waiting=[outgoing(1, transaction=0), outgoing(2, "StartTransaction", 2)])
    well, csms.answers = csms.answers, lambda call: None if call[1] == "m1" else well(call)
    csms.arrive()

    said, began_at = 0, csms.now
    while not csms.aside:
        if len(csms.calls) > said:
            said += 1
            csms.feed(Received(answer))
        csms.passes(1)
        assert csms.now - began_at < 3 * ANSWER_S + 31

    assert set(csms.aside) == {1}
    assert [call[1] for call in csms.calls] == ["m1", "m1", "m1", "m2"]
    assert csms.is_live


def test_rubbish_beside_a_slow_answer_refuses_nothing() -> None:
    csms = Central(waiting=[outgoing(1, transaction=0)])
    csms.answers = lambda call: None if call[1] == "m1" else csms.well(call)
    csms.arrive()

    csms.feed(Received("no JSON"))
    csms.passes(60)
    csms.answer()

    assert csms.left() == []
    assert csms.aside == {}


def test_k6_what_belongs_to_a_start_that_was_set_aside_is_set_aside_with_it() -> None:
    csms = Central()
    csms.arrive()
    silent(csms)
    csms.store(outgoing(1, "StartTransaction"), *(outgoing(n) for n in range(2, 150)),
               outgoing(150, "StopTransaction"))  # fmt: skip
    for _ in range(3):
        csms.answer(error="InternalError")
        csms.until(min(csms.relay.due(), csms.now + 30))

    assert sorted(csms.aside) == list(range(1, 151))
    assert csms.aside[150] == "the CSMS has not taken its start"
    assert csms.open == []


def test_k12_a_csms_that_takes_a_minute_holds_up_nobody_and_loses_nothing() -> None:
    csms = Central()
    csms.arrive()
    csms.store(outgoing(1, "StartTransaction"))
    silent(csms)
    csms.feed(Passed("a", "Authorize", b"{}", waits=True))
    csms.feed(Message(outgoing(4), stored=False))
    assert csms.is_live

    csms.passes(11)
    assert not csms.is_live, "LinkRay decides meanwhile"
    assert 4 in csms.left()
    assert Answered("a") in csms.to_link
    csms.passes(49)
    csms.answer({"idTagInfo": {"status": "Accepted"}})

    assert csms.frames[-1][1] == "m4"


def test_the_line_is_cut_and_what_was_passed_on_live_is_kept() -> None:
    csms = Central()
    csms.arrive()
    csms.store(outgoing(1, "StartTransaction"))
    silent(csms)
    csms.feed(Message(outgoing(2), stored=False), Message(outgoing(3), stored=False),
              Passed("h", "Heartbeat", b"{}"), Passed("a", "Authorize", b"{}", waits=True))

    csms.cut()

    assert csms.left() == [2, 3]
    assert Answered("a") in csms.to_link
    assert not csms.is_live
    csms.answers = csms.well
    csms.passes(120)
    csms.link()
    assert [f[1] for f in csms.calls][-2:] == ["m2", "m3"]
    assert "Heartbeat" not in csms.actions


def test_what_comes_in_the_moment_the_line_goes_is_kept_too() -> None:
    csms = Central()
    csms.arrive()
    csms.cut()

    csms.feed(Message(outgoing(2), stored=False), Passed("a", "Authorize", b"{}", waits=True))

    assert csms.left() == [2]
    assert csms.to_link[-1] == Answered("a")


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_a_charger_that_is_not_accepted_waits_for_the_interval_and_boots_again(
    status: str,
) -> None:
    csms = Central()
    silent(csms)
    csms.feed(Here(here=True), Boot(BOOT))
    csms.store(outgoing(1, "StartTransaction"))
    csms.link()
    csms.answer({"status": status, "currentTime": "", "interval": 120})

    csms.passes(119)
    assert csms.actions == ["BootNotification"]
    assert not csms.is_live
    assert csms.faults[-1] == Raised(
        Code.CSMS, "CP1", f"the CSMS answered BootNotification {status}"
    )
    csms.passes(2)
    assert csms.actions == ["BootNotification"] * 2
    csms.answers = csms.well
    csms.answer({"status": "Accepted", "currentTime": "", "interval": 120})

    assert csms.faults[-1] == Cleared(Code.CSMS, "CP1")
    assert csms.is_live


def refused_for(interval_s: int) -> Central:
    """A CSMS that has just put the charger off for so long."""
    csms = Central()
    silent(csms)
    csms.feed(Here(here=True), Boot(BOOT))
    csms.link()
    csms.answer({"status": "Rejected", "currentTime": "", "interval": interval_s})
    return csms


def test_the_interval_of_a_csms_that_put_a_charger_off_outlives_the_link() -> None:
    csms = refused_for(300)
    csms.passes(100)

    csms.cut("the line was cut")
    away = csms.shown
    csms.passes(20)
    csms.link()
    put_off = csms.shown
    csms.passes(179)
    assert csms.actions == ["BootNotification"]
    csms.passes(2)

    assert csms.actions == ["BootNotification"] * 2
    assert (away.state, away.text) == ("away", "the line was cut")
    assert put_off.state == "waits"
    assert put_off.next_at == 1_300.0


def test_a_refusal_that_is_over_is_not_shown_of_the_next_link() -> None:
    csms = refused_for(60)

    csms.cut()
    csms.passes(90)
    csms.link()

    assert csms.actions == ["BootNotification"] * 2
    assert (csms.shown.state, csms.shown.text) == ("behind", "")


def test_who_was_put_off_is_heard_at_once_under_other_settings() -> None:
    csms = refused_for(3_600)

    csms.feed(TermsNow(Terms(URL, prefix="other")))
    csms.passes(90)
    csms.link()

    assert csms.actions == ["BootNotification"] * 2


@pytest.mark.parametrize("url", ["ws://csms.example", " WS://csms.example"])
def test_a39_a_password_without_tls_is_a_fault_however_the_address_is_written(url: str) -> None:
    csms = Central(terms=Terms(url, password="secret"))

    csms.feed(Here(here=True))

    assert csms.faults == [Raised(Code.CSMS_PASSWORD, "CP1", "kept back")]


def test_attempts_are_counted_until_the_csms_says_something() -> None:
    csms = Central()
    silent(csms)
    csms.feed(Here(here=True), Boot(BOOT))
    for _ in range(3):
        csms.link()
        csms.cut("closed at once")
        csms.passes(80)
    assert csms.shown.attempts == len(csms.dials) == 4

    csms.answers = csms.well
    csms.link()
    csms.cut()

    assert csms.shown.attempts == 0
    assert all(b - a >= 60 for a, b in itertools.pairwise(csms.dials))


def test_the_fault_comes_after_30_s_without_a_link_and_goes_with_it() -> None:
    csms = Central()
    csms.feed(Here(here=True))
    csms.refuse("the certificate has expired")

    csms.passes(29)
    assert csms.faults == []
    csms.passes(2)
    assert csms.faults == [Raised(Code.CSMS, "CP1", "the certificate has expired")]
    assert csms.shown.text == "the certificate has expired"
    csms.passes(60)
    csms.link()

    assert csms.faults[-1] == Cleared(Code.CSMS, "CP1")


def test_a_month_of_messages_stands_in_the_store_and_only_a_window_in_memory() -> None:
    kept = [outgoing(1, "StartTransaction"), *(outgoing(n) for n in range(2, 1_000))]
    csms = Central(waiting=kept)
    csms.arrive()

    assert [f[1] for f in csms.calls] == [one.message_id for one in kept]
    assert len(csms.loads) >= 15, "it was read in windows"
    assert csms.left() == []
    assert csms.shown.waiting == 0
    assert csms.is_live


# -- what the CSMS asks ------------------------------------------------------------------------


def test_a_call_of_the_csms_reaches_the_charger_and_its_answer_returns_untouched() -> None:
    csms = Central()
    csms.arrive()

    csms.call("UnlockConnector", {"connectorId": 1}, "q-1")
    asked = csms.to_link[-1]
    assert isinstance(asked, Asks)
    assert asked.action == "UnlockConnector"
    csms.feed(Replied(asked.call_id, b'{ "status":"Unlocked" }'))

    assert csms.frames[-1] == [3, "q-1", {"status": "Unlocked"}]


def test_a_refusal_of_the_charger_returns_as_one() -> None:
    csms = Central()
    csms.arrive()
    csms.call("ReserveNow", {}, "q-2")

    csms.feed(Replied(csms.asked.call_id, None, "NotSupported", "no reservations"))

    assert csms.frames[-1] == [4, "q-2", "NotSupported", "no reservations", {}]


def test_k10_a_call_for_a_charger_that_is_gone_is_refused_at_once() -> None:
    csms = Central()
    csms.arrive()
    csms.call("Reset", {"type": "Soft"}, "q-3")
    csms.feed(Here(here=False))
    assert csms.frames[-1][:3] == [4, "q-3", "GenericError"]

    csms.call("RemoteStartTransaction", {"idTag": "T"}, "q-4")

    assert csms.frames[-1][:3] == [4, "q-4", "GenericError"]
    assert len([item for item in csms.to_link if isinstance(item, Asks)]) == 1


def test_a_remote_stop_names_the_session_as_the_charger_knows_it() -> None:
    csms = Central()
    csms.arrive()
    csms.store(outgoing(1, "StartTransaction", transaction=7))
    csms.feed(Given(7, at_charger=7))

    csms.call("RemoteStopTransaction", {"transactionId": 501}, "q-5")

    asked = csms.to_link[-1]
    assert isinstance(asked, Asks)
    assert json.loads(asked.payload) == {"transactionId": 7}


def test_a_remote_stop_of_a_session_that_is_older_than_linkray_passes_as_it_is() -> None:
    csms = Central()
    csms.arrive()

    csms.call("RemoteStopTransaction", {"transactionId": 31_337}, "q-6")

    asked = csms.to_link[-1]
    assert isinstance(asked, Asks)
    assert asked.payload == b'{"transactionId": 31337}'


def test_k8_a_number_given_twice_means_the_newest_session() -> None:
    csms = Central()
    csms.arrive()
    csms.answers = lambda _call: {"transactionId": 5, "idTagInfo": {"status": "Accepted"}}
    csms.store(outgoing(1, "StartTransaction", transaction=7))
    csms.store(outgoing(2, "StartTransaction", transaction=8))
    csms.feed(Given(7, 7), Given(8, 8))

    csms.call("RemoteStopTransaction", {"transactionId": 5}, "q-7")

    asked = csms.to_link[-1]
    assert isinstance(asked, Asks)
    assert json.loads(asked.payload) == {"transactionId": 8}


def test_a_key_that_linkray_owns_is_remembered_and_the_charger_keeps_its_own() -> None:
    csms = Central()
    csms.arrive()

    csms.call("ChangeConfiguration", {"key": "meterValueSampleInterval", "value": "60"}, "q-8")
    assert csms.frames[-1] == [3, "q-8", {"status": "Accepted"}]
    assert csms.kept is not None
    assert csms.kept.wished == {"metervaluesampleinterval": "60"}
    csms.call("GetConfiguration", {"key": ["MeterValueSampleInterval"]}, "q-9")
    csms.feed(Replied(csms.asked.call_id, json.dumps({"configurationKey": [
        {"key": "MeterValueSampleInterval", "readonly": False, "value": "10"}]}).encode()))

    told = csms.frames[-1][2]["configurationKey"]
    assert told == [{"key": "MeterValueSampleInterval", "readonly": False, "value": "60"}]


def test_the_password_that_the_csms_gives_stays_with_linkray() -> None:
    csms = Central()
    csms.arrive()

    csms.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": "0123456789abcdef"}, "p")

    assert csms.frames[-1] == [3, "p", {"status": "Accepted"}]
    assert csms.kept is not None
    assert csms.kept.password == "0123456789abcdef"
    assert not any(isinstance(item, Asks) for item in csms.to_link)


@pytest.mark.parametrize(
    "text", ["", "[", "[2]", '[2,"x"]', "null", "[9,1,2]", '[3,"nobody",{}]', '[4,"nobody"]',
             '[2,"x","Reset",[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]', "\x00", '{"a":1}'],
)  # fmt: skip
def test_rubbish_of_the_csms_disturbs_nothing(text: str) -> None:
    csms = Central()
    csms.arrive()

    csms.feed(Received(text))
    csms.store(outgoing(1, "StartTransaction"))

    assert csms.left() == []
    assert csms.is_live


def test_an_unreadable_answer_to_a_start_is_an_answer_all_the_same() -> None:
    csms = Central()
    csms.arrive()
    csms.answers = lambda _call: {"transactionId": "no number"}

    csms.store(outgoing(1, "StartTransaction"))

    assert csms.left() == []
    assert "StartTransaction answered unreadably" in csms.notes


def test_statuses_that_come_while_statuses_are_said_are_said_too() -> None:
    csms = Central()
    silent(csms)
    csms.feed(Here(here=True), Boot(BOOT), Status(1, b'{"connectorId":1,"status":"Available"}'))
    csms.link()
    csms.answer({"status": "Accepted", "currentTime": "", "interval": 0})
    csms.answers = csms.well

    csms.feed(Status(2, b'{"connectorId":2}'), Status(0, b'{"connectorId":0}'))
    csms.feed(Status(1, b'{"connectorId":1,"status":"Preparing"}'))
    csms.answer()

    said = [f[3] for f in csms.frames if f[2] == "StatusNotification"]
    assert said == [{"connectorId": 1, "status": "Available"}, {"connectorId": 2},
                    {"connectorId": 0}, {"connectorId": 1, "status": "Preparing"}]  # fmt: skip


def test_a_status_behind_a_line_that_stopped_is_said_when_it_goes_on() -> None:
    csms = Central()
    csms.arrive()
    silent(csms)
    csms.feed(Passed("a", "Authorize", b"{}", waits=True))
    csms.feed(Status(1, b'{"connectorId":1,"status":"Charging"}', "st"))
    csms.passes(11)
    csms.answers = csms.well

    csms.answer({})

    said = [f[3] for f in csms.frames if f[2] == "StatusNotification"]
    assert said[-1] == {"connectorId": 1, "status": "Charging"}
    assert csms.is_live


def test_a_key_that_is_no_string_does_not_reach_the_charger() -> None:
    csms = Central()
    csms.arrive()

    csms.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": 900}, "k1")

    assert csms.frames[-1][:3] == [4, "k1", "TypeConstraintViolation"]
    assert not any(isinstance(item, Asks) for item in csms.to_link)


def test_a_remote_stop_of_a_number_that_is_another_session_here_is_refused() -> None:
    csms = Central()
    csms.arrive()
    csms.store(outgoing(1, "StartTransaction", transaction=7))
    csms.feed(Given(7, at_charger=7))

    csms.call("RemoteStopTransaction", {"transactionId": 7}, "r1")

    assert csms.frames[-1] == [3, "r1", {"status": "Rejected"}]


def test_a_csms_that_goes_takes_its_bounds_and_its_fault_with_it() -> None:
    csms = Central()
    csms.arrive()
    csms.call("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative", "chargingSchedule": {
            "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}],
        }}})  # fmt: skip
    assert [(b.connector, b.limit_ma) for b in csms.bounds] == [(1, 6_000)]
    csms.cut()
    csms.passes(45)
    csms.refuse()
    csms.passes(45)

    csms._does(csms.relay.farewell(csms.now))

    assert (csms.bounds[-1].connector, csms.bounds[-1].limit_ma) == (1, None)
    assert csms.faults[-1] == Cleared(Code.CSMS, "CP1")
    assert csms.shown.state == "off"


def test_what_is_found_out_of_a_charger_while_its_link_is_made_costs_no_link() -> None:
    csms = Central()
    csms.feed(Here(here=True), Boot(BOOT))
    assert len(csms.dials) == 1

    csms.feed(TermsNow(Terms(URL, wired=Wired(connectors=2))), Linked())

    assert csms.hung_up == []
    assert csms.shown.state != "down"


@pytest.mark.parametrize("stored", [True, False])
def test_k13_what_was_on_its_way_as_the_address_changed_is_not_said_to_the_new_one(
    stored: bool,
) -> None:
    csms = Central()
    csms.arrive()
    assert csms.is_live
    meant = msgspec.structs.replace(outgoing(7, "StartTransaction"), csms="ws://former.example")

    csms.feed(Message(meant, stored=stored))

    assert not [frame for frame in csms.frames if frame[2:3] == ["StartTransaction"]]
    assert csms.disk.get(7) == (None if stored else meant), "on disk it is once, for its own"
    assert csms.aside == {}
