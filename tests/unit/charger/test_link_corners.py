"""The corners of a link: late, overtaken, unreadable, whole-charger, a make of its own."""

from __future__ import annotations

import json

from tests.unit.charger.person import Played, at, limits, purpose

from linkray.charger.wire import Command, Emergency, Gone, Note, Received, Reply, Retell, Terms
from linkray.model.asks import StopCharging
from linkray.model.facts import Booted, Drawn, OfferAnswered, SessionBegan, SessionEnded
from linkray.model.records import Transaction, TransactionEnded
from linkray.model.settings import Charger


def charging(**made: object) -> Played:
    played = Played(**made)
    played.commission()
    played.start()
    played.status("Charging")
    played.yes()
    return played


def quirk(lines: str) -> str:
    return f'{lines}\nwhy = "w"\nseen = ["x"]\n[[match]]\nvendor = "Acme"\n'


def test_a_second_boot_within_half_a_minute_is_commissioned_when_that_is_over() -> None:
    played = Played()
    played.commission()
    played.boot()
    played.yes()
    assert played.asked("GetConfiguration") == []

    played.wait(31)

    assert played.asked("GetConfiguration") == [{}]


def test_a_boot_that_names_a_make_late_is_commissioned_by_its_entry() -> None:
    played = Played(quirks=quirk("interval_s_min = 30"))
    played.wait(10.1)
    played.answer({"status": "Accepted"})
    played.wait(10.1)
    played.yes()

    played.wait(60)
    played.ask("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"})

    assert played.facts(Booted) == [], "it was asked for"
    assert played.asked("GetConfiguration") == [{}]


def test_a_boot_that_comes_before_its_own_trigger_is_answered_counts_once() -> None:
    played = Played()
    played.wait(10.1)
    played.boot()

    played.answer({"status": "Accepted"}, "TriggerMessage")

    assert played.asked("GetConfiguration") == [{}]
    assert played.facts(Booted, all_of_them=True) == []


def test_a_refused_session_of_the_store_is_stopped_when_its_charger_comes_back() -> None:
    kept = Transaction(id=77, charger="CP1", connector=1, tag="BAD", started=at(0), given=at(0),
                       meter_start_wh=0, authorised_by="")  # fmt: skip

    played = Played(kept=(kept,))

    assert played.asked("RemoteStopTransaction") == [{"transactionId": 77}]


def test_an_ended_session_of_the_store_answers_the_repeated_stop_with_no_new_record() -> None:
    kept = Transaction(id=77, charger="CP1", connector=1, tag="T", started=at(0), given=at(0),
                       meter_start_wh=0, finished=True, stop_given=at(50))  # fmt: skip
    played = Played(kept=(kept,))

    assert played.stop(77, stamp=at(50))[2] == {}

    assert played.records() == []


def test_a_make_that_forgets_on_reconnect_is_told_its_offer_before_anything_else() -> None:
    from linkray.model.records import ChargerSeen

    played = Played(quirks=quirk("resend_on_connect = true"),
                    seen=ChargerSeen("CP1", vendor="Acme", connectors=1))  # fmt: skip

    played.offer(6_000, 1)

    assert [limits(p)[0] for p in played.profiles()] == [6]


def test_a_make_that_takes_a_tx_profile_only_while_charging_waits_for_it() -> None:
    played = Played(quirks=quirk('tx_profile_from = "Charging"'))
    played.commission()
    played.start()
    played.yes()
    played.offer(10_000, 1, session=True)
    assert played.profiles() == []

    played.status("Charging")

    assert [(purpose(p), limits(p)[0]) for p in played.profiles()] == [("TxProfile", 10)]


def test_a_hint_of_the_make_s_entry_is_on_its_page() -> None:
    played = Played(quirks=quirk('hint = "Switch its own load balancer off"'))
    played.commission()

    view = played.view()

    assert "Switch its own load balancer off" in view.notes
    assert view.quirk == "it"


def test_a_charger_without_smart_charging_is_noted() -> None:
    played = Played()
    played.boot()

    played.answer({"configurationKey": [
        {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core,RemoteTrigger"}]})

    assert any("SmartCharging" in note for note in played.view().notes)


def test_a_make_whose_left_overs_fight_is_cleared_of_everything_first() -> None:
    played = Played(quirks=quirk("clear_first = true"))
    played.boot()
    cleared = []

    while played.calls:
        _name, action, payload = played.calls[0]
        if action == "ClearChargingProfile":
            cleared.append(payload)
        played.answer({"status": "Accepted"})

    assert cleared[0] == {}


def test_an_unreadable_answer_to_a_change_is_noted() -> None:
    played = Played()
    played.boot()
    played.answer({})

    played.answer({"status": 7})
    played.yes()

    assert any("could not be read" in note for note in played.view().notes)


def test_values_of_the_whole_charger_are_those_of_its_only_connector() -> None:
    one, two = Played(), Played()
    one.commission(1)
    two.commission(2)

    one.meter(9, connector=0)
    two.meter(9, connector=0)

    assert [f.connector for f in one.facts(Drawn)] == [1]
    assert two.facts(Drawn) == []


def test_values_that_wait_in_a_storm_count_before_the_session_ends() -> None:
    played = charging()
    for n in range(20):
        played.meter(10, register=1000 + n)

    played.ask("StopTransaction", {"transactionId": 1001, "timestamp": at(played.now)})

    assert played.view().connectors[0].energy_wh == 19


def test_registers_in_the_data_of_a_stop_count() -> None:
    played = charging()

    played.ask("StopTransaction", {
        "transactionId": 1001, "timestamp": at(played.now), "transactionData": [
            {"timestamp": at(played.now), "sampledValue": [
                {"value": "1800", "context": "Transaction.End"}]}]})

    assert played.view().connectors[0].energy_wh == 800


def test_an_idle_progress_is_no_news() -> None:
    played = Played()

    played.ask("FirmwareStatusNotification", {"status": "Idle"})

    assert played.view().notes == ()


def test_a_second_vendor_message_in_a_minute_is_answered_and_not_noted() -> None:
    played = Played()
    played.ask("DataTransfer", {"vendorId": "x"})

    assert played.ask("DataTransfer", {"vendorId": "x"})[2] == {"status": "UnknownVendorId"}
    assert [out for out in played.out if isinstance(out, Note)] == []


def test_strays_and_unreadable_payloads_are_noted_once_a_minute_each() -> None:
    played = Played()
    notes = 0
    for n in range(50):
        played.feed(Received(json.dumps([3, f"nobody-{n}", {}])))
        notes += sum(isinstance(out, Note) for out in played.out)
        played.ask("StartTransaction", {})
        notes += sum(isinstance(out, Note) for out in played.out)

    assert notes == 2


def test_many_kinds_of_trouble_do_not_fill_the_memory() -> None:
    played = Played()
    for n in range(1000):
        played.link._once_a_minute(f"trouble {n}", played.now)

    assert len(played.link._noted) <= 64


def test_a_late_answer_to_a_stop_by_hand_is_not_told_twice() -> None:
    played = charging()
    played.feed(Command(StopCharging("CP1", 1), 3))
    played.wait(10.1)

    played.answer({"status": "Accepted"})

    assert [out for out in played.out if isinstance(out, Reply)] == []


def test_a_status_that_cannot_be_read_is_no_yes() -> None:
    played = charging()
    played.feed(Command(StopCharging("CP1", 1), 3))

    played.answer({"state": "fine"})

    answer = next(out.answer for out in played.out if isinstance(out, Reply))
    assert (answer.ok, answer.code) == (False, "refused")


def test_a_profile_answer_that_cannot_be_read_leaves_it_unknown() -> None:
    played = charging()
    played.offer(10_000, 2, session=True)

    while played.calls:
        played.answer({"state": "fine"})

    assert [f.outcome for f in played.facts(OfferAnswered)] == ["unknown"]


def test_a_session_that_ends_under_a_cleared_emergency_stop_ends_as_the_charger_says() -> None:
    played = charging()
    played.feed(Emergency(True))
    played.yes()

    played.feed(Emergency(False))
    played.wait(60)
    assert played.asked("RemoteStopTransaction") == []
    played.stop(1001, reason="Local")

    assert played.records(TransactionEnded)[0].reason == "Local"


def test_a_stop_that_is_never_taken_is_asked_again_ever_more_slowly() -> None:
    played = charging()
    played.feed(Emergency(True))
    asked = 0
    for _ in range(600):
        while played.calls:
            asked += played.calls[0][1] == "RemoteStopTransaction"
            played.answer({"status": "Rejected"})
        played.wait(1)

    assert 12 <= asked <= 18


def test_a_plan_that_no_longer_wants_the_end_lets_the_session_go_on() -> None:
    played = charging()
    played.offer(0, 2, session=True, stop=True)
    played.yes()

    played.offer(6_000, 3, session=True)
    played.yes()
    played.wait(30)

    assert played.asked("RemoteStopTransaction") == []


def test_an_offer_overtaken_on_its_way_is_still_answered_for() -> None:
    for answer, outcome in (("Accepted", "accepted"), ("Rejected", "rejected")):
        played = charging()
        played.offer(16_000, 2, session=True)
        played.offer(10_000, 3, session=True)

        played.answer({"status": answer}, "SetChargingProfile")

        told = [(f.offer_id, f.outcome) for f in played.facts(OfferAnswered)]
        assert told == [(2, outcome)]


def test_an_overtaken_offer_that_gets_no_answer_is_unknown() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.offer(10_000, 3, session=True)

    played.fail("InternalError")

    assert [(f.offer_id, f.outcome) for f in played.facts(OfferAnswered)] == [(2, "unknown")]


def test_a_profile_refused_after_its_session_ended_is_not_tried_further() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.stop(1001)

    played.answer({"status": "Rejected"}, "SetChargingProfile")

    assert played.profiles() == []


def test_a_default_refused_after_a_session_began_gives_way_to_the_session_s_offer() -> None:
    played = Played()
    played.commission()
    played.offer(6_000, 1)
    played.start()

    played.answer({"status": "Rejected"}, "SetChargingProfile")
    played.offer(8_000, 2, session=True)

    assert [limits(p)[0] for p in played.profiles()] == [8]


def test_a_line_that_is_full_is_tried_again_a_second_later() -> None:
    played = Played()
    played.boot()
    for number in range(1, 65):
        played.status("Available", number)
        played.start(number, tag=f"T{number}")
    for number in range(1, 65):
        played.offer(6_000, number, connector=number, session=True)
    for number in range(1, 11):
        played.feed(Command(StopCharging("CP1", number), number))
    told: set[int] = set()

    for _ in range(400):
        while played.calls:
            _name, action, payload = played.calls[0]
            if action == "SetChargingProfile":
                told.add(payload["connectorId"])
            played.answer({"status": "Accepted"})
        played.wait(0.5)

    assert told == set(range(1, 65))


def test_a_renewal_that_comes_due_while_a_newer_value_is_on_its_way_is_left_out() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})
    played.wait(59.9)
    played.offer(10_000, 3, session=True)

    played.wait(1)

    assert [limits(p)[0] for p in played.profiles()] == [10]


def test_a_session_that_a_new_balancer_is_told_of_is_that_which_runs() -> None:
    played = charging()
    played.meter(7)

    played.feed(Retell())

    assert [f.transaction_id for f in played.facts(SessionBegan)] == [1001]
    assert [f.current_ma.l1 for f in played.facts(Drawn)] == [7_000]


def test_an_idle_charger_has_little_to_tell_a_new_balancer() -> None:
    played = Played()

    played.feed(Retell())

    assert len(played.facts()) == 2


def test_what_is_open_when_a_link_ends_is_not_sent_any_more() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)

    played.feed(Gone("closed"))

    assert played.frames() == []
    assert [f.outcome for f in played.facts(OfferAnswered)] == ["unknown"]
    assert played.facts(SessionEnded) == []


def test_a_charger_in_watts_is_told_watts() -> None:
    played = Played(terms=Terms(Charger("CP1", max_w=50_000, min_w=5_000, unit="W")))
    played.commission()
    played.start()
    played.yes()

    played.offer(0, 1, session=True, limit_w=20_000)

    schedule = played.profiles()[0]["csChargingProfiles"]["chargingSchedule"]
    assert (schedule["chargingRateUnit"], limits(played.profiles()[0])[0]) == ("W", 20_000)


def test_a_late_refusal_of_a_form_that_was_given_up_changes_nothing() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.wait(31)
    late = played.calls.pop(0)
    played.yes()

    played.feed(Received(json.dumps([3, late[0], {"status": "Rejected"}])))

    assert played.facts(OfferAnswered) == []
    assert played.view().connectors[0].offer_ma.l1 == 16_000


def test_a_profile_of_two_calls_is_not_gone_on_with_once_its_session_is_another() -> None:
    twice = quirk("twice_after_zero = true")
    for session in (False, True):
        played = charging(quirks=twice) if session else Played(quirks=twice)
        if not session:
            played.commission()
        played.offer(0, 1, session=session)
        played.yes()
        played.offer(6_000, 2, session=session)
        assert len(played.profiles()) == 1
        if session:
            played.stop(1001)
        else:
            played.start()

        played.answer({"status": "Accepted"}, "SetChargingProfile")

        assert played.profiles() == []
