"""INV-13 and INV-14: each error that can be in a CSMS's book is found, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from tests.unit.simulator.books import Call, Two, at, sample
from tools.simulator.conservation import conserve, recorded

ALL = ("start1", "start2", "read1", "read2", "stop1", "stop2")
LOST, ORDER = "INV-13", "INV-14"


@pytest.fixture
def two() -> Two:
    return Two()


def test_all_told_once_and_in_its_order_is_conserved(two: Two) -> None:
    account = two.tell(*ALL).account(may_thin=False)
    assert account.violations == []
    assert (account.starts, account.stops, account.readings) == (2, 2, 2)
    assert (account.repeats, account.set_aside, account.thinned) == (0, 0, 0)


@pytest.mark.parametrize(
    ("left_out", "what"),
    [("start1", "a start is lost"), ("stop2", "a stop is lost")],
)
def test_what_was_answered_to_the_charger_and_never_arrives_is_lost(
    two: Two, left_out: str, what: str
) -> None:
    two.tell(*(name for name in ALL if name != left_out))
    assert (LOST, what) in two.wrong()
    assert (LOST, what) not in two.wrong(is_over=False)
    assert (LOST, what) not in two.wrong(is_due=lambda _session: False)


def test_meter_values_may_be_thinned_and_are_counted_or_are_lost(two: Two) -> None:
    two.tell(*(name for name in ALL if name != "read1"))
    assert two.wrong() == []
    assert two.account().thinned == 1
    assert two.wrong(may_thin=False) == [(LOST, "MeterValues are lost")]


def test_what_the_charger_was_never_answered_may_be_missing_or_arrive(two: Two) -> None:
    for said in (two.sessions[1].start, two.sessions[1].stop, *two.sessions[1].readings):
        said.answered = 0
    one = [name for name in ALL if name.endswith("1")]
    assert two.tell(*one).wrong() == []
    assert Two().tell(*ALL).wrong() == []


def test_k5_an_identical_resend_is_counted_and_no_error(two: Two) -> None:
    lost = replace(two.calls["start1"], is_lost=True)
    two.tell(lost, "start1", "start2", "read1", "read2", "stop1", "stop1", "stop2")
    assert two.wrong() == []
    assert two.account().repeats == 2


def test_p7_all_of_a_session_may_be_told_again_as_it_was_after_a_crash(two: Two) -> None:
    again = ("start1", "read1", "stop1")
    two.tell(*ALL, *again)
    assert two.wrong() == []
    assert two.account().repeats == len(again)


@pytest.mark.parametrize("name", ["start1", "stop2"])
def test_the_same_under_a_new_id_is_told_twice(two: Two, name: str) -> None:
    again = replace(two.calls[name], id="new")
    two.tell(*ALL, again)
    kind = name[:-1]
    assert (LOST, f"a {kind} is told again under another id") in two.wrong()
    assert (LOST, f"a {kind} has an id that its charger did not give it") in two.wrong()


def test_the_same_under_another_id_of_the_chargers_own_is_told_twice_all_the_same(
    two: Two,
) -> None:
    two.reported.sent(two.sessions[0].start, "new", two.calls["start1"].payload)
    two.tell(*ALL, replace(two.calls["start1"], id="new"))
    assert two.wrong()[0] == (LOST, "a start is told again under another id")


def test_after_an_error_another_id_of_the_chargers_own_is_no_double(two: Two) -> None:
    two.reported.sent(two.sessions[0].start, "new", two.calls["start1"].payload)
    failed = replace(two.calls["start1"], error="InternalError")
    two.tell(failed, replace(two.calls["start1"], id="new"), *ALL[1:])
    assert two.wrong() == []


@pytest.mark.parametrize("field", ["connectorId", "idTag", "meterStart", "timestamp"])
def test_a_start_that_differs_in_anything_did_not_happen(two: Two, field: str) -> None:
    other = {"connectorId": 2, "idTag": "TAG9", "meterStart": 101, "timestamp": at(9)}[field]
    two.tell(two.calls["start1"].but(**{field: other}), *ALL[1:])
    assert (LOST, "a start that did not happen") in two.wrong()
    assert (LOST, "a start is lost") in two.wrong()


@pytest.mark.parametrize(
    ("field", "other", "what"),
    [
        ("meterStop", 901, "a stop that did not happen"),
        ("timestamp", at(9), "a stop that did not happen"),
        ("reason", "Remote", "a stop was changed: reason"),
        ("idTag", "TAG9", "a stop was changed: idTag"),
        ("transactionData", [], "a stop was changed: transactionData"),
    ],
)
def test_a_stop_that_differs_in_anything_is_found(
    two: Two, field: str, other: object, what: str
) -> None:
    two.tell(*ALL[:4], two.calls["stop1"].but(**{field: other}), "stop2")
    assert (LOST, what) in two.wrong()


def test_k7_a_session_that_the_csms_refused_may_end_as_deauthorized_and_no_other(
    two: Two,
) -> None:
    refused = replace(two.calls["start1"], status="Blocked")
    ended = {n: two.calls[n].but(reason="DeAuthorized") for n in ("stop1", "stop2")}
    two.tell(refused, *ALL[1:4], ended["stop1"], "stop2")
    assert two.wrong() == []
    other = Two().tell(refused, *ALL[1:4], "stop1", ended["stop2"])
    assert other.wrong() == [(LOST, "a stop was changed: reason")]


@pytest.mark.parametrize(
    ("name", "what"),
    [("stop1", "a stop"), ("read1", "MeterValues")],
)
def test_ids_are_those_that_the_csms_gave(two: Two, name: str, what: str) -> None:
    def told(**other: object) -> list[tuple[str, str]]:
        changed = [two.calls[n].but(**other) if n == name else n for n in ALL]
        return Two().tell(*changed).wrong()

    assert told(transactionId=71) == []
    assert told(transactionId=1) == [(LOST, f"{what} with a wrong id")]  # the charger's own
    assert told(transactionId=72) == [(LOST, f"{what} of one transaction told of another")]
    assert told(transactionId=None) == [(LOST, f"{what} with a wrong id")]


def test_k8_the_newest_id_of_a_start_is_the_right_one(two: Two) -> None:
    newer = replace(two.calls["start1"], given=75)
    old = two.calls["stop1"]
    two.tell("start1", newer, *ALL[1:3], after_s=10)
    assert two.wrong(is_over=False) == [(LOST, "MeterValues with a wrong id")]
    two = Two().tell("start1", newer, "start2", two.calls["read1"].but(transactionId=75))
    two.tell("read2", old.but(transactionId=75), "stop2")
    assert two.wrong() == []


def test_k8_a_message_may_cross_with_the_answer_that_changes_its_id(two: Two) -> None:
    newer = replace(two.calls["start1"], given=75)
    two.tell("start1", "start2").tell(newer).tell("read1", after_s=1.0)
    assert two.wrong(is_over=False) == []
    two.tell(two.calls["stop1"], after_s=30.0)
    assert two.wrong(is_over=False) == [(LOST, "a stop with a wrong id")]


def test_k8_an_answer_that_may_have_gone_down_with_its_link_makes_no_id_wrong(two: Two) -> None:
    def on(link: int, *names: str) -> list[Call]:
        return [replace(two.calls[name], link=link) for name in names]

    newer = replace(two.calls["start1"], given=75, link=2)
    assert two.tell("start1", newer, *on(3, *ALL[1:])).wrong() == []
    heard = Two().tell("start1", newer, *on(2, "start2"), *on(3, *ALL[2:]))
    assert (LOST, "a stop with a wrong id") in heard.wrong()


def test_k8_one_id_for_two_sessions_is_right_for_each(two: Two) -> None:
    same = replace(two.calls["start2"], given=71)
    two.tell("start1", same, "read1", two.calls["read2"].but(transactionId=71), "stop1")
    two.tell(two.calls["stop2"].but(transactionId=71))
    assert two.wrong() == []


@pytest.mark.parametrize("given", ["71", None, 7.5, True])
def test_where_the_csms_gave_no_id_only_that_of_another_session_is_wrong(
    two: Two, given: object
) -> None:
    two.tell(replace(two.calls["start1"], given=given), "start2")
    assert two.tell(two.calls["stop1"].but(transactionId=1)).wrong(is_over=False) == []
    two.tell(two.calls["read1"].but(transactionId=72))
    assert (LOST, "MeterValues of one transaction told of another") in two.wrong(is_over=False)


def test_an_answer_that_was_lost_gives_no_id_to_stop_by(two: Two) -> None:
    lost = replace(two.calls["start1"], is_lost=True)
    two.tell(lost, "start2", "stop1")
    assert (ORDER, "a stop before the start was answered") in two.wrong(is_over=False)


@pytest.mark.parametrize(
    ("order", "what"),
    [
        (("stop1", "start1"), "a stop before the start"),
        (("stop1", "start1"), "a start comes after StopTransaction of it"),
        (("read1", "start1"), "a start comes after MeterValues of it"),
        (("read1", "start1", "stop1"), "MeterValues before the start"),
        (("start1", "stop1", "read1"), "MeterValues come after the stop"),
        (("start1", "stop1", "read1"), "MeterValues comes after what the charger said later"),
        (("start2", "start1"), "StartTransaction comes after what the charger said later"),
        (("start1", "start2", "read2", "read1"), "MeterValues comes after"),
        (("start1", "start2", "stop2", "stop1"), "StopTransaction comes after"),
    ],
)
def test_inv_14_what_comes_in_another_order_is_found(
    two: Two, order: tuple[str, ...], what: str
) -> None:
    found = two.tell(*order).wrong(is_over=False)
    assert any(inv == ORDER and said.startswith(what) for inv, said in found)


def test_what_the_charger_said_before_it_was_answered_may_come_in_any_order(two: Two) -> None:
    start1, start2 = (one.start for one in two.sessions)
    start1.answered = start2.first_sent + 1
    two.tell("start2", "start1", *ALL[2:])
    assert two.wrong() == []


def test_c20_a_reading_that_the_charger_itself_told_after_the_stop_may_come_so(two: Two) -> None:
    stop, reading = two.sessions[0].stop, two.sessions[0].readings[0]
    assert stop is not None
    reading.last_sent = stop.first_sent
    stop.first_sent, reading.first_sent = reading.first_sent, stop.first_sent
    stop.answered, reading.answered = reading.answered, stop.answered
    two.tell("start1", "start2", "stop1", "read2", "read1", "stop2")
    assert two.wrong() == []


def test_c18_a_stop_that_was_said_before_its_start_may_be_missing(two: Two) -> None:
    start, stop = two.sessions[0].start, two.sessions[0].stop
    assert stop is not None
    stop.first_sent, start.first_sent = start.first_sent, stop.first_sent
    stop.answered, start.answered = start.answered, stop.answered
    two.sessions[0].readings[0].is_named = False  # of what it had no id for
    read = two.calls["read1"]
    nameless = {name: said for name, said in read.payload.items() if name != "transactionId"}
    two.tell("start2", replace(read, payload=nameless), "read2", "start1", "stop2")
    assert two.wrong() == []
    two.tell(two.calls["stop1"])
    assert two.wrong() == []


def test_meter_values_that_nobody_read_or_that_were_changed_are_found(two: Two) -> None:
    read = two.calls["read1"]

    def told(minute: int, values: list[dict[str, object]]) -> list[tuple[str, str]]:
        value = [{"timestamp": at(minute), "sampledValue": values}]
        return Two().tell("start1", "start2", read.but(meterValue=value)).wrong(is_over=False)

    assert told(2, sample(300)) == []
    assert told(2, sample(300)[:1]) == []  # measurands that the CSMS does not want are left out
    assert told(2, sample(301)) == [(LOST, "MeterValues were changed")]
    assert told(9, sample(300)) == [(LOST, "MeterValues that nobody read")]
    wrong = Two().tell("start1", "start2", read.but(connectorId=2)).wrong(is_over=False)
    assert wrong == [(LOST, "MeterValues that nobody read")]


def test_meter_values_without_a_transaction_are_told_without_one(two: Two) -> None:
    reading = two.reported.read(1, None, at(8), sample(900))
    value = {"meterValue": [{"timestamp": at(8), "sampledValue": sample(900)}], "connectorId": 1}
    two.reported.sent(reading, "idle", value)
    two.reported.answered(reading, {})
    idle = Call("idle", "MeterValues", value)
    assert two.tell(*ALL, idle).wrong() == []
    assert two.tell(idle.but(transactionId=71)).wrong() == [
        (LOST, "MeterValues of no transaction are told of one")
    ]


def test_k6_what_the_csms_answers_with_errors_is_set_aside_after_three_attempts(
    two: Two,
) -> None:
    failed = replace(two.calls["start1"], error="InternalError")
    two.tell(failed, failed, "start2")
    assert (LOST, "a start is lost") in two.wrong()
    two.tell(failed, "read2", "stop2")
    assert two.wrong() == []
    assert two.account().set_aside == 1


def test_k6_the_stop_of_a_start_set_aside_may_come_but_not_as_anothers(two: Two) -> None:
    failed = replace(two.calls["start1"], error="InternalError")
    two.tell(failed, failed, failed, "start2", two.calls["stop1"].but(transactionId=1))
    assert two.wrong(is_over=False) == []
    two.tell(two.calls["stop1"].but(transactionId=72))
    assert (LOST, "a stop of one transaction told of another") in two.wrong(is_over=False)


def test_a_charger_that_is_not_there_and_rubbish_are_found(two: Two) -> None:
    ghost = replace(two.calls["start1"], charger="C9")
    two.tell(*ALL, ghost)
    assert two.wrong() == [(LOST, "a charger that does not exist was told of")]
    two.tell(Call("x", "StopTransaction", []))  # type: ignore[arg-type]
    assert (LOST, "no such thing was said") in two.wrong()


def test_what_a_scene_made_the_charger_say_means_nothing(two: Two) -> None:
    two.reported.made_up('[2,"x","StopTransaction",[]]')
    two.tell(*ALL, Call("x", "StopTransaction", []))  # type: ignore[arg-type]
    assert two.wrong() == []


def test_c17_a_session_has_one_id_at_its_charger(two: Two) -> None:
    two.reported.answered(two.sessions[0].start, {"transactionId": 5})
    assert two.tell(*ALL).wrong() == [(LOST, "a session was given two ids")]


def test_two_sessions_that_run_at_a_charger_have_not_one_id(two: Two) -> None:
    two.sessions[1].ids[:] = [1]
    assert two.tell(*ALL).wrong() == [(LOST, "two sessions that run were given one id")]
    stop = two.sessions[0].stop
    assert stop is not None
    stop.first_sent = two.sessions[1].start.first_sent - 1  # it had ended before
    assert (LOST, "two sessions that run were given one id") not in two.wrong()


def test_a_violation_says_seed_time_charger_and_frame(two: Two) -> None:
    two.tell("start1", two.calls["stop1"].but(transactionId=5))
    [found] = conserve([two.reported], two.book, seed=9, is_over=False).violations
    assert (found.seed, found.time, found.invariant) == (9, 20.0, LOST)
    assert found.state["charger"] == "C1"
    assert '"StopTransaction"' in found.state["told"]
    assert found.state["right"] == [71]


# -- LinkRay's own records -------------------------------------------------------------------------


@dataclass
class Record:
    """A transaction as the store keeps it."""

    id: int = 1
    charger: str = "C1"
    connector: int = 1
    tag: str = "TAG1"
    given: str = at(0)
    meter_start_wh: int = 100
    stop_given: str | None = at(4)
    meter_last_wh: int | None = 900


OTHER = Record(2, "C1", 2, "TAG2", at(1), 50, at(5), 450)


@pytest.mark.parametrize(
    ("kept", "what"),
    [
        ([Record(), OTHER], []),
        ([OTHER], ["0 records of a start that was answered"]),
        ([Record(), Record(), OTHER], ["2 records of a start that was answered"]),
        ([Record(meter_last_wh=899), OTHER], ["a stop that was answered is not in its record"]),
        ([Record(stop_given=None), OTHER], ["a stop that was answered is not in its record"]),
        ([Record(id=9), OTHER], ["a record has another id than its charger was given"]),
        ([Record(), OTHER, Record(tag="TAG3")], ["a record of what did not happen"]),
    ],
)
def test_a_start_that_was_answered_has_one_record_with_its_stop(
    two: Two, kept: list[Record], what: list[str]
) -> None:
    found = recorded([two.reported], kept, seed=9)
    assert [one.state["what"] for one in found] == what
