"""A link with an uplink: whose answer the charger gets, what goes up, what is kept (csms.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.charger.person import Played, at

from linkray.charger.wire import Gather, Gone, Received, Record, Send, Tell, Terms, TermsNow, Up
from linkray.model.facts import Drawn, SessionBegan, SessionEnded
from linkray.model.records import (
    Called,
    ChargerSeen,
    IdLearned,
    Outgoing,
    Refused,
    StopUnknown,
    TagAccepted,
    TransactionBegan,
    TransactionSampled,
)
from linkray.model.settings import Charger
from linkray.model.uplink import (
    Answered,
    Asks,
    Boot,
    Given,
    Here,
    Introduce,
    Live,
    Message,
    Passed,
    Replied,
    SessionNow,
    SessionOver,
    Status,
    ToUplink,
)

URL = "ws://csms.example"


class Behind(Played):
    """A charger with a CSMS behind LinkRay; `up` holds what went to the uplink."""

    def __init__(self, *, live: bool = True, **more: Any) -> None:
        super().__init__(terms=Terms(Charger("CP1"), csms=URL), **more)
        self.commission()
        self.feed(Live(live))

    @property
    def up(self) -> list[ToUplink]:
        return [out.item for out in self.said if isinstance(out, Up)]

    def new(self, kind: type) -> list[Any]:
        """What of a kind went up in the last step."""
        return [out.item for out in self.out if isinstance(out, Up) and isinstance(out.item, kind)]

    def call(self, action: str, payload: object, name: str) -> None:
        """The charger calls; an answer may come later."""
        self.feed(Received(json.dumps([2, name, action, payload])))

    def begin(self, name: str = "s1", tag: str = "TAG", stamp: str | None = None) -> None:
        self.call("StartTransaction", {"connectorId": 1, "idTag": tag, "meterStart": 1000,
                                       "timestamp": stamp or at(self.now)}, name)  # fmt: skip

    def says(self, payload: object, name: str = "s1", transaction: int = 0) -> None:
        """The CSMS answers."""
        self.feed(Answered(name, json.dumps(payload).encode(), transaction=transaction))

    def answered(self, name: str) -> list[Any]:
        return [f for f in self.frames() if f[0] in (3, 4) and f[1] == name]


def accepted(transaction: int, status: str = "Accepted") -> dict[str, Any]:
    return {"transactionId": transaction, "idTagInfo": {"status": status}}


def test_a_link_introduces_its_charger_and_its_end_is_told() -> None:
    played = Behind()
    kinds = [type(item) for item in played.up]

    assert kinds[0] is Here
    assert Boot in kinds
    assert Status in kinds
    played.feed(Gone("cut"))
    assert played.new(Here) == [Here(here=False)]


def test_an_uplink_that_is_set_later_hears_all_that_was_said_before() -> None:
    played = Played()
    played.commission()
    played.start()
    assert not any(isinstance(out, Up) for out in played.said)

    played.feed(TermsNow(Terms(Charger("CP1"), csms=URL)))
    assert [out.item for out in played.out if isinstance(out, Up)] == [Here(here=True)]
    played.feed(Introduce())

    told = [out.item for out in played.out if isinstance(out, Up)]
    assert [type(item) for item in told] == [Here, Boot, Status, SessionNow]


def test_what_linkray_changes_at_a_charger_is_remembered_as_it_was() -> None:
    played = Played()
    played.boot()
    keys = {"MeterValueSampleInterval": "60", "HeartbeatInterval": "300"}
    told = [{"key": k, "readonly": False, "value": v} for k, v in keys.items()]
    played.answer({"configurationKey": told}, "GetConfiguration")

    assert played.records(ChargerSeen)[-1].before == {"MeterValueSampleInterval": "60"}
    seen = played.records(ChargerSeen)[-1]
    again = Played(seen=seen)
    again.boot()
    told = [{"key": "MeterValueSampleInterval", "readonly": False, "value": "10"}]
    again.answer({"configurationKey": told}, "GetConfiguration")
    assert [r.before for r in again.records(ChargerSeen)][-1:] in ([], [seen.before])


def test_a_start_waits_for_the_csms_and_gets_its_answer_untouched() -> None:
    played = Behind()

    played.begin()
    assert played.answered("s1") == []
    assert [type(o) for o in played.out if isinstance(o, Record | Up)][:2] == [Record, Up]
    kept = played.records(Outgoing)[-1]
    assert (kept.message_id, kept.action, kept.transaction) == ("s1", "StartTransaction", 1001)
    raw = b'{ "transactionId":77,"idTagInfo":{"status":"Accepted", "expiryDate":"2030-01-01"} }'
    played.feed(Answered("s1", raw, transaction=1001))

    assert next(o.text for o in played.out if isinstance(o, Send)) == f'[3,"s1",{raw.decode()}]'
    assert played.new(Given) == [Given(1001, 77)]
    assert played.records(Called) == [Called(1001, 77)]
    assert played.records(IdLearned) == [IdLearned(1001, 77)]
    assert [type(o) for o in played.out if isinstance(o, Record | Send)][:2] == [Record, Send], (
        "it may die once the charger has its number"
    )
    assert played.records(TagAccepted)[-1].tag == "TAG"
    assert played.records(TransactionBegan)[-1].authorised_by == "csms"


def test_the_session_is_in_the_balancer_before_the_csms_has_answered() -> None:
    played = Behind()

    played.begin()

    assert len(played.facts(SessionBegan)) == 1
    played.offer(10_000, 5, session=True)
    assert not any(
        p["csChargingProfiles"]["chargingProfilePurpose"] == "TxProfile" for p in played.profiles()
    ), "it has no number to be named by"
    played.yes()
    played.says(accepted(77), transaction=1001)
    named = [p["csChargingProfiles"].get("transactionId") for p in played.profiles()]
    assert named == [77]


def test_the_number_of_the_csms_ends_the_session() -> None:
    played = Behind()
    played.begin()
    played.says(accepted(77), transaction=1001)

    assert played.stop(77)[0] == 3

    assert played.new(SessionOver) == [SessionOver(1, 1001)]
    (message,) = played.new(Message)
    assert message.stored
    assert (message.outgoing.action, message.outgoing.transaction) == ("StopTransaction", 1001)


@pytest.mark.parametrize("number", [0, -1, 2**31])
def test_a_number_that_no_charger_takes_is_replaced_by_ours(number: int) -> None:
    played = Behind()
    played.begin()

    played.says(accepted(number), transaction=1001)

    assert played.answered("s1") == [[3, "s1", accepted(1001)]]
    assert played.new(Given) == [Given(1001, 1001)]


def test_k8_a_number_that_the_charger_has_already_is_replaced_by_ours() -> None:
    played = Behind()
    played.begin("s1")
    played.says(accepted(77), "s1", 1001)
    played.stop(77)
    played.wait(60)
    played.begin("s2")

    played.says(accepted(77), "s2", 1002)

    assert played.answered("s2") == [[3, "s2", accepted(1002)]]


def test_a_start_that_the_csms_does_not_answer_is_decided_by_linkray_after_10_s() -> None:
    played = Behind()
    played.begin()

    played.wait(9.9)
    assert not any(isinstance(o, Send) and '"s1"' in o.text for o in played.said)
    played.wait(0.2)

    assert played.answered("s1") == [[3, "s1", accepted(1001)]]
    assert played.new(Given) == [Given(1001, 1001)]


def test_a_start_whose_line_is_cut_is_decided_by_linkray_at_once() -> None:
    played = Behind()
    played.begin()

    played.feed(Live(live=False))

    assert played.answered("s1") == [[3, "s1", accepted(1001)]]


def test_c17_a_start_said_again_while_it_waits_gets_the_one_answer() -> None:
    played = Behind()
    stamp = at(played.now)
    played.begin("s1", stamp=stamp)
    played.wait(2)
    played.begin("s2", stamp=stamp)
    assert played.answered("s2") == []

    played.says(accepted(77), "s1", 1001)

    assert played.answered("s2") == [[3, "s2", accepted(77)]]
    assert len(played.records(TransactionBegan)) == 1
    assert len(played.records(Outgoing)) == 1
    played.begin("s3", stamp=stamp)
    assert played.answered("s3") == [[3, "s3", accepted(77)]]


def test_k7_a_session_that_the_csms_refuses_later_is_stopped() -> None:
    played = Behind(live=False)
    played.start()

    played.says(accepted(77, "Invalid"), "whatever", 1001)

    assert played.asked("RemoteStopTransaction") == [{"transactionId": 1001}]
    played.stop(1001, reason="Remote")
    (message,) = played.new(Message)
    assert json.loads(message.outgoing.payload)["reason"] == "DeAuthorized"


@pytest.mark.parametrize(("reason", "told"), [
    ("EVDisconnected", "EVDisconnected"), ("PowerLoss", "PowerLoss"), ("Other", "DeAuthorized"),
    ("Local", "DeAuthorized"), (None, "DeAuthorized"),
])  # fmt: skip
def test_k7_what_ended_a_refused_session_before_its_stop_came_is_what_the_csms_hears(
    reason: str | None, told: str
) -> None:
    played = Behind(live=False)
    played.start()
    played.says(accepted(77, "Invalid"), "whatever", 1001)

    played.stop(1001, **({} if reason is None else {"reason": reason}))

    (message,) = played.new(Message)
    assert json.loads(message.outgoing.payload)["reason"] == told


def test_k7_where_the_charger_does_not_stop_on_invalid_it_is_held_at_0() -> None:
    played = Behind(live=False)
    played.link.configuration["StopTransactionOnInvalidId"] = "false"
    played.start()
    played.offer(10_000, 5, session=True)
    played.yes()

    played.says(accepted(77, "Expired"), "whatever", 1001)

    assert played.asked("RemoteStopTransaction") == []
    assert played.profiles()[0]["csChargingProfiles"]["chargingSchedule"][
        "chargingSchedulePeriod"][0]["limit"] == 0


def test_a_start_refused_by_a_live_csms_is_answered_so_and_stopped() -> None:
    played = Behind()
    played.begin()

    played.says(accepted(77, "Blocked"), transaction=1001)

    assert played.answered("s1") == [[3, "s1", accepted(77, "Blocked")]]
    assert played.asked("RemoteStopTransaction") == [{"transactionId": 77}]


def test_an_emergency_stop_is_asked_of_nobody() -> None:
    played = Behind()
    played.emergency(on=True)

    answer = played.start()

    assert answer[2]["idTagInfo"]["status"] == "Blocked"
    assert [m.outgoing.action for m in played.new(Message)] == ["StartTransaction"]
    assert played.ask("Authorize", {"idTag": "T"})[2] == {"idTagInfo": {"status": "Blocked"}}


def test_a_tag_is_the_csms_to_judge() -> None:
    played = Behind()

    played.call("Authorize", {"idTag": "T"}, "a1")
    assert played.new(Passed) == [Passed("a1", "Authorize", b'{"idTag": "T"}', waits=True)]
    played.says({"idTagInfo": {"status": "ConcurrentTx", "parentIdTag": "P"}}, "a1")

    assert played.answered("a1") == [
        [3, "a1", {"idTagInfo": {"status": "ConcurrentTx", "parentIdTag": "P"}}]
    ]


def test_data_transfer_and_what_linkray_does_not_know_pass_and_return() -> None:
    played = Behind()

    played.call("DataTransfer", {"vendorId": "V"}, "d1")
    played.call("VendorsOwn", {"x": [1, {"y": None}]}, "u1")
    assert [p.call_id for p in played.up if isinstance(p, Passed)][-2:] == ["d1", "u1"]
    played.says({"status": "Accepted", "data": "Z"}, "d1")
    assert played.answered("d1") == [[3, "d1", {"status": "Accepted", "data": "Z"}]]
    played.feed(Answered("u1", None, "NotSupported", "no"))

    assert played.answered("u1") == [[4, "u1", "NotSupported", "no", {}]]


def test_offline_they_are_answered_as_if_there_were_no_csms() -> None:
    played = Behind(live=False)

    assert played.ask("DataTransfer", {"vendorId": "V"})[2] == {"status": "UnknownVendorId"}
    assert played.ask("VendorsOwn", {})[2] == "NotImplemented"
    assert played.ask("Authorize", {"idTag": "T"})[2] == {"idTagInfo": {"status": "Accepted"}}


def test_values_pass_live_and_are_answered_at_once() -> None:
    played = Behind()
    played.begin()
    played.says(accepted(77), transaction=1001)

    assert played.meter(9.5, transactionId=77)[2] == {}

    (message,) = played.new(Message)
    assert not message.stored
    assert message.outgoing.transaction == 1001
    assert json.loads(message.outgoing.payload)["transactionId"] == 77


def test_offline_values_of_a_session_are_on_disk_before_their_answer() -> None:
    played = Behind(live=False)
    played.start()

    played.meter(9.5, transactionId=1001)

    (gathered,) = [out for out in played.out if isinstance(out, Gather)]
    assert [type(out) for out in gathered.then] == [Up, Send]
    assert played.new(Message)[0].stored
    assert [json.loads(out.text)[0] for out in (*gathered.full, *gathered.failed)] == [3, 4]


def test_values_under_the_number_of_the_csms_are_the_sessions() -> None:
    played = Behind()
    played.begin()
    played.says(accepted(77), transaction=1001)

    played.meter(9.5, register=1_500, transactionId=77)
    played.wait(0)

    assert played.facts(Drawn)[-1].current_ma.l1 == 9_500
    assert played.records(TransactionSampled)[-1].register_wh == 1_500


def test_values_pass_before_they_are_looked_into_and_nothing_later_is_read_before_them() -> None:
    played = Behind()
    played.begin()
    played.says(accepted(77), transaction=1001)

    played.meter(9.5, register=1_500, transactionId=77)
    assert [type(out) for out in played.out] == [Up, Send]
    played.stop(77)

    told = [type(out.fact) for out in played.out if isinstance(out, Tell)]
    assert told.index(Drawn) < told.index(SessionEnded)
    assert played.records(TransactionSampled)[-1].register_wh == 1_500


def test_k8_our_own_number_is_never_one_that_the_charger_uses() -> None:
    played = Behind()
    played.begin("s1")
    played.says(accepted(1002), "s1", 1001)
    played.feed(Live(live=False))

    played.wait(60)
    played.stop(1002)
    answer = played.start()

    assert answer[2]["transactionId"] == 1003


def test_k7_a_refusal_outlives_the_link() -> None:
    played = Behind(live=False)
    played.start()

    played.says(accepted(77, "Invalid"), "whatever", 1001)

    assert played.records(Refused) == [Refused(1001)]


def test_values_of_a_session_that_the_csms_never_heard_of_are_not_kept_for_it() -> None:
    played = Played()
    played.commission()
    played.start()
    played.feed(TermsNow(Terms(Charger("CP1"), csms=URL)))

    played.meter(9.5, transactionId=1001)
    assert not any(isinstance(out, Up) and isinstance(out.item, Message) for out in played.out)
    played.stop(1001)

    assert played.records(Outgoing) == []


@pytest.mark.parametrize("now", ["ws://second.example", ""])
def test_k13_what_follows_a_start_is_for_the_csms_that_has_it_whichever_is_set(now: str) -> None:
    played = Behind()
    played.begin()
    played.says(accepted(77), transaction=1001)
    played.feed(TermsNow(Terms(Charger("CP1"), csms=now)))
    played.feed(Live(bool(now)))

    played.meter(9.5, transactionId=77)
    (values,) = played.new(Message)
    assert any(isinstance(out, Gather) for out in played.out), "on disk before the answer"
    played.stop(77)
    (stop,) = played.new(Message)
    played.wait(60)
    played.begin("s2")

    assert [(m.stored, m.outgoing.csms, m.outgoing.transaction) for m in (values, stop)] == [
        (True, URL, 1001), (True, URL, 1001),
    ]  # fmt: skip
    assert [one.csms for one in played.records(Outgoing)] == [URL, URL, *([now] if now else [])]
    assert [one.csms for one in played.records(TransactionBegan)] == [URL, now]


def test_a_csms_that_is_taken_away_leaves_linkray_to_decide() -> None:
    played = Behind()
    played.begin()

    played.feed(TermsNow(Terms(Charger("CP1"))))

    assert played.answered("s1") == [[3, "s1", accepted(1001)]]
    assert played.new(Here) == [Here(here=False)]
    assert played.ask("Authorize", {"idTag": "T"})[2] == {"idTagInfo": {"status": "Accepted"}}


def test_offline_values_of_no_session_are_kept_by_nobody() -> None:
    played = Behind(live=False)

    played.meter(0)

    assert played.new(Message) == played.new(Passed) == []


def test_a_call_of_the_csms_goes_to_the_charger_and_its_answer_returns() -> None:
    played = Behind()

    played.feed(Asks("q1", "UnlockConnector", b'{"connectorId": 1}'))
    assert played.asked("UnlockConnector") == [{"connectorId": 1}]
    played.answer({"status": "Unlocked"}, "UnlockConnector")
    assert played.new(Replied) == [Replied("q1", b'{"status": "Unlocked"}')]

    played.feed(Asks("q2", "ReserveNow", b"{}"))
    played.fail("NotSupported")

    assert played.new(Replied) == [Replied("q2", None, "NotSupported", "no")]


def test_a_stop_said_twice_goes_up_once() -> None:
    played = Behind(live=False)
    played.start()
    stamp = at(played.now)

    played.stop(1001, stamp=stamp)
    assert len(played.new(Message)) == 1
    played.stop(1001, stamp=stamp)

    assert played.new(Message) == []


def test_a_stop_of_a_session_older_than_linkray_goes_up_as_it_is() -> None:
    played = Behind()

    played.stop(31_337)

    (message,) = played.new(Message)
    assert (message.outgoing.transaction, json.loads(message.outgoing.payload)["transactionId"]) \
        == (0, 31_337)  # fmt: skip


def test_c19_what_is_said_of_a_session_whose_start_still_waits_is_its_own() -> None:
    played = Behind()
    played.begin()

    played.meter(9.5, register=1_500, transactionId=-1)
    (values,) = played.new(Message)
    assert values.outgoing.transaction == 1001
    played.wait(0)
    assert played.facts(Drawn)[-1].current_ma.l1 == 9_500
    played.stop(-1)
    (stop,) = played.new(Message)
    assert stop.outgoing.transaction == 1001
    assert played.new(SessionOver) == [SessionOver(1, 1001)]

    played.says(accepted(77), transaction=1001)

    assert played.answered("s1") == [[3, "s1", accepted(77)]]
    assert played.new(Given) == [Given(1001, 77)]


@pytest.mark.parametrize("number", [0, -1])
def test_c18_a_stop_of_no_transaction_is_kept_and_told_to_nobody(number: int) -> None:
    played = Behind()
    played.begin()
    played.says(accepted(77), transaction=1001)

    assert played.stop(number)[0] == 3

    assert played.new(Message) == []
    assert [type(one) for one in played.records()][-1] is StopUnknown
    assert played.new(SessionOver) == []


@pytest.mark.parametrize(("status", "holds"), [("Accepted", True), ("Rejected", False)])
def test_k7_what_the_csms_writes_of_invalid_ids_counts_once_the_charger_has_taken_it(
    status: str, *, holds: bool
) -> None:
    played = Behind()
    played.link.configuration["StopTransactionOnInvalidId"] = "true"
    played.feed(Asks("k1", "ChangeConfiguration",
                     b'{"key":"stopTransactionOnInvalidId","value":"false"}'))  # fmt: skip
    played.answer({"status": status}, "ChangeConfiguration")
    played.feed(Live(live=False))
    played.start()

    played.says(accepted(77, "Invalid"), "whatever", 1001)

    assert bool(played.asked("RemoteStopTransaction")) is not holds


@pytest.mark.parametrize("said", [
    "[]", "null", "7", '"x"', "{}", '{"transactionId":5}', '{"idTagInfo":{"status":7}}',
    '{"transactionId":1e30,"idTagInfo":{"status":"Accepted"}}',
])  # fmt: skip
def test_an_answer_to_a_start_that_cannot_be_read_is_none_and_linkray_decides(said: str) -> None:
    played = Behind()
    played.begin("s1")

    played.feed(Answered("s1", said.encode()))

    assert played.answered("s1") == [
        [3, "s1", {"idTagInfo": {"status": "Accepted"}, "transactionId": 1001}]
    ]
    assert played.ask("Heartbeat", {})[0] == 3


@pytest.mark.parametrize("number", [
    "1" + 30 * "0", 5_000 * "9", "1e400", "NaN", "-Infinity", "1e30", "9223372036854775807",
])  # fmt: skip
def test_a33_a_number_of_a_charger_that_nobody_can_hold_is_refused_and_ends_no_link(
    number: str
) -> None:
    played = Behind()
    for name, action, payload in (
        ("n1", "StartTransaction", ('{"connectorId":NUMBER,"idTag":"T","meterStart":NUMBER,'
                                    '"timestamp":"2026-06-15T12:00:00Z"}')),
        ("n2", "StopTransaction", ('{"transactionId":NUMBER,"meterStop":NUMBER,'
                                   '"timestamp":"2026-06-15T12:00:00Z"}')),
        ("n3", "MeterValues", '{"connectorId":NUMBER,"transactionId":NUMBER,"meterValue":[]}'),
        ("n4", "StatusNotification", ('{"connectorId":NUMBER,"errorCode":"NoError",'
                                      '"status":"Available"}')),
    ):  # fmt: skip
        played.feed(Received(f'[2,"{name}","{action}",{payload.replace("NUMBER", number)}]'))
        assert len(played.answered(name)) == 1, action

    assert not played.facts(SessionBegan, all_of_them=True)
    assert played.ask("Heartbeat", {})[0] == 3
