"""A link's sessions: what is answered, written down and told (chargers.md, Sessions)."""

from __future__ import annotations

import json

from tests.unit.charger.person import Played, at

from linkray.charger.wire import Garbage, Gone, Later, Note, Received, Record, Send, Tell, Terms
from linkray.model.facts import (
    Booted,
    Drawn,
    LinkLost,
    LinkUp,
    SessionBegan,
    SessionEnded,
    StatusSeen,
)
from linkray.model.faults import Cleared, Raised
from linkray.model.records import (
    ChargerSeen,
    StopUnknown,
    TagRejected,
    Transaction,
    TransactionBegan,
    TransactionEnded,
    TransactionSampled,
)
from linkray.model.settings import Charger


def kinds(played: Played) -> list[type]:
    return [type(out) for out in played.out]


def test_a_start_is_on_disk_before_it_is_answered_and_told_after() -> None:
    played = Played()
    played.commission()

    answer = played.start()

    assert answer[2] == {"idTagInfo": {"status": "Accepted"}, "transactionId": 1001}
    order = [k for k in kinds(played) if k in (Record, Send, Tell)]
    assert order[:3] == [Record, Send, Tell]
    assert played.facts(SessionBegan)[0].transaction_id == 1001
    began = played.records(TransactionBegan)[0]
    assert (began.id, began.tag, began.meter_start_wh, began.authorised_by) == (
        1001, "TAG", 1000, "open",
    )  # fmt: skip


def test_a_stop_is_on_disk_before_it_is_answered_and_told_after() -> None:
    played = Played()
    played.commission()
    played.start()

    answer = played.stop(1001, reason="EVDisconnected")

    assert answer[2] == {}
    assert kinds(played)[:3] == [Record, Send, Tell]
    assert played.facts(SessionEnded)[0].transaction_id == 1001
    ended = played.records(TransactionEnded)[0]
    assert (ended.meter_stop_wh, ended.reason) == (2000, "EVDisconnected")


def test_c17_the_same_start_twice_gives_one_record_and_the_same_answer() -> None:
    played = Played()
    played.commission()
    stamp = at(played.now)

    first = played.start(stamp=stamp)
    second = played.start(stamp=stamp)

    assert first[2] == second[2]
    assert len(played.records(TransactionBegan)) == 1
    assert played.facts(SessionBegan) == []


def test_c17_the_same_start_after_a_restart_is_known_from_the_store() -> None:
    kept = Transaction(
        id=77, charger="CP1", connector=1, tag="TAG", started=at(0), given=at(0),
        meter_start_wh=1000,
    )  # fmt: skip
    played = Played(kept=(kept,))

    answer = played.start(stamp=at(0))

    assert answer[2]["transactionId"] == 77
    assert played.records(TransactionBegan) == []


def test_c17_a_start_that_differs_in_one_thing_is_another_transaction() -> None:
    played = Played()
    played.commission()
    stamp = at(played.now)
    played.start(stamp=stamp)

    answer = played.start(stamp=stamp, meter=1001)

    assert answer[2]["transactionId"] == 1002


def test_c17_the_same_stop_twice_gives_one_record() -> None:
    played = Played()
    played.commission()
    played.start()
    stamp = at(played.now)
    played.stop(1001, stamp=stamp)

    answer = played.stop(1001, stamp=stamp)

    assert answer[2] == {}
    assert len(played.records(TransactionEnded)) == 1
    assert played.facts() == []


def test_c18_a_stop_of_an_unknown_id_is_kept_answered_and_ends_nobody_else() -> None:
    played = Played()
    played.commission()
    played.start()

    for unknown in (0, -1, 4711):
        answer = played.stop(unknown)

        assert answer[2] == {}
        assert played.facts(SessionEnded) == []
    stops = played.records(StopUnknown)
    assert [stop.transaction_id for stop in stops] == [0, -1, 4711]
    assert played.records(TransactionEnded) == []
    assert any(isinstance(out, Note) and out.level == "warning" for out in played.out)


def test_c18_the_same_unknown_stop_twice_is_kept_once() -> None:
    played = Played()
    stamp = at(played.now)

    played.stop(-1, stamp=stamp)
    played.stop(-1, stamp=stamp)

    assert len(played.records(StopUnknown)) == 1


def test_c18_an_orphan_of_the_store_is_no_transaction_of_ours() -> None:
    orphan = Transaction(
        id=900, charger="CP1", connector=0, tag="", started=at(0), given="", meter_start_wh=5,
        finished=True, incomplete=True,
    )  # fmt: skip
    played = Played(kept=(orphan,))

    played.stop(900)

    assert played.records(StopUnknown)[0].transaction_id == 900


def test_a_start_on_a_busy_connector_ends_the_older_session_incomplete() -> None:
    played = Played()
    played.commission()
    played.start()
    played.meter(10, register=1500)

    played.wait(5)
    played.start(tag="OTHER")

    ended = played.records(TransactionEnded)[0]
    assert (ended.id, ended.meter_stop_wh, ended.given) == (1001, None, "")
    assert played.records(TransactionSampled)[-1].register_wh == 1500
    told = played.facts()
    assert [type(f) for f in told if isinstance(f, SessionBegan | SessionEnded)] == [
        SessionEnded, SessionBegan,
    ]  # fmt: skip


def test_the_charger_s_own_stop_takes_the_place_of_our_guess() -> None:
    played = Played()
    played.commission()
    played.start()
    played.start(tag="OTHER", stamp=at(played.now + 1))

    played.stop(1001, meter=1900)
    played.stop(1001, meter=1900, stamp=at(played.now + 3))

    ends = [end for end in played.records(TransactionEnded) if end.id == 1001]
    assert [end.meter_stop_wh for end in ends] == [None, 1900]


def test_c12_a_register_that_goes_back_is_flagged_and_energy_is_never_negative() -> None:
    played = Played()
    played.commission()
    played.start(meter=5000)
    played.meter(10, register=5600)

    played.stop(1001, meter=400)

    assert played.records(TransactionSampled)[-1].flagged
    assert played.records(TransactionEnded)[0].meter_stop_wh == 400
    assert played.view().connectors[0].energy_wh == 0


def test_an_end_without_register_counts_the_last_sample() -> None:
    played = Played()
    played.commission()
    played.start(meter=1000)
    played.wait(11)
    played.meter(10, register=1700)

    played.ask("StopTransaction", {"transactionId": 1001, "timestamp": at(played.now)})

    assert played.records(TransactionEnded)[0].meter_stop_wh is None
    assert played.records(TransactionSampled)[-1].register_wh == 1700
    assert played.view().connectors[0].energy_wh == 700


def test_a_session_of_the_store_is_told_again_at_once_with_its_own_place_in_line() -> None:
    kept = Transaction(
        id=77, charger="CP1", connector=2, tag="TAG", started=at(-3600), given=at(-3600),
        meter_start_wh=1000, meter_last_wh=1800,
    )  # fmt: skip
    played = Played(kept=(kept,))

    facts = played.facts()

    began = next(f for f in facts if isinstance(f, SessionBegan))
    assert isinstance(facts[1], LinkUp)
    assert (began.transaction_id, began.connector) == (77, 2)
    assert began.order == played.link._around.wall(-3600).timestamp()
    assert played.view().connectors[1].energy_wh == 800


def test_a_session_whose_connector_stays_free_is_given_up_after_a_minute() -> None:
    played = Played()
    played.commission()
    played.start()
    played.status("Available")

    played.wait(59)
    assert played.facts(SessionEnded, all_of_them=True) == []
    played.wait(2)

    assert [f.transaction_id for f in played.facts(SessionEnded)] == [1001]
    assert played.records(TransactionEnded)[0].meter_stop_wh is None


def test_a_session_whose_connector_was_free_for_a_moment_goes_on() -> None:
    played = Played()
    played.commission()
    played.start()
    played.status("Available")
    played.wait(5)
    played.status("Charging")

    played.wait(120)

    assert played.facts(SessionEnded, all_of_them=True) == []


def test_a_tag_that_is_refused_is_answered_kept_as_history_and_gets_no_power() -> None:
    played = Played()
    played.commission()
    played.refused.add("BAD")

    assert played.ask("Authorize", {"idTag": "BAD"})[2] == {"idTagInfo": {"status": "Invalid"}}
    answer = played.start(tag="BAD")

    assert answer[2] == {"idTagInfo": {"status": "Blocked"}, "transactionId": 1001}
    assert played.records(TagRejected)[0].tag == "BAD"
    assert played.records(TransactionBegan)[0].authorised_by == ""
    assert played.facts(SessionBegan), "it may draw, so the balancer must know"
    assert played.asked("RemoteStopTransaction") == [{"transactionId": 1001}]


def test_a_flood_of_refused_tags_does_not_fill_the_disk() -> None:
    played = Played()
    played.refused.add("BAD")

    for _ in range(200):
        played.ask("Authorize", {"idTag": "BAD"})

    assert len(played.records(TagRejected)) <= 11


def test_meter_values_become_what_is_drawn_and_are_answered() -> None:
    played = Played()
    played.commission()
    played.start()

    answer = played.meter(16.2, transactionId=1001, register=1000)

    assert answer[2] == {}
    drawn = played.facts(Drawn)[0]
    assert (drawn.current_ma.l1, drawn.source) == (16_200, "phases")
    assert any(isinstance(out, Later) for out in played.out)


def test_values_of_a_transaction_that_has_ended_are_answered_and_count_for_nobody() -> None:
    played = Played()
    played.commission()
    played.start()
    played.stop(1001)

    answer = played.meter(16, transactionId=1001)

    assert answer[2] == {}
    assert played.facts(Drawn) == []


def test_c20_values_and_statuses_from_the_charger_s_own_queue_are_not_taken_for_new() -> None:
    played = Played(start=90_000.0)
    played.commission()
    hours_ago = at(played.now - 7200)

    played.meter(16, stamp=hours_ago)
    assert played.facts(Drawn) == []
    played.status("Charging", timestamp=hours_ago)

    assert played.facts(StatusSeen) == []
    assert played.view().connectors[0].status == "Available"


def test_c28_a_clock_that_is_steadily_wrong_does_not_silence_a_charger() -> None:
    played = Played(start=90_000.0)
    played.commission()
    told = 0

    for _ in range(8):
        played.meter(16, stamp=at(played.now - 14 * 3600))
        told += len(played.facts(Drawn))
        played.wait(10)

    assert told >= 4


def test_c9_a_current_that_is_stale_is_not_shown_as_if_it_were_live() -> None:
    played = Played()
    played.commission()
    played.start()
    played.meter(16)

    assert played.view().connectors[0].drawn_ma is not None
    played.wait(40)

    assert played.view().connectors[0].drawn_ma is None


def test_c10_ten_bad_values_in_a_row_are_a_fault_and_a_good_one_ends_it() -> None:
    played = Played()
    played.commission()

    for _ in range(10):
        played.wait(5)
        played.ask("MeterValues", {"connectorId": 1, "meterValue": [{
            "timestamp": at(played.now), "sampledValue": [
                {"value": "NaN", "measurand": "Current.Import", "unit": "A"}]}]})
    assert [type(o) for o in played.out if isinstance(o, Raised | Cleared)] == [Raised]
    played.meter(10)

    assert [type(o) for o in played.out if isinstance(o, Raised | Cleared)] == [Cleared]


def test_c11_a_total_without_phases_is_the_same_on_each_phase() -> None:
    charger = Charger("CP1", phases=3, connection="L1-L2-L3")
    played = Played(terms=Terms(charger))
    played.commission()

    played.ask("MeterValues", {"connectorId": 1, "meterValue": [{
        "timestamp": at(played.now), "sampledValue": [
            {"value": "12", "measurand": "Current.Import", "unit": "A"}]}]})

    drawn = played.facts(Drawn)[0]
    assert (tuple(drawn.current_ma), drawn.source) == ((12_000, 12_000, 12_000), "total")


def test_c16_a_boot_on_a_standing_link_is_told_and_commissioned_anew() -> None:
    played = Played()
    played.commission()
    played.start()
    played.offer(10_000, 1, session=True)
    played.yes()
    played.wait(60)
    played.yes()

    played.boot()

    assert played.facts(Booted)
    assert [call[1] for call in played.calls] == ["SetChargingProfile"], "the offer goes first"
    played.answer({"status": "Accepted"})
    assert [call[1] for call in played.calls] == ["GetConfiguration"]


def test_c16_a_storm_of_boots_is_answered_but_commissioned_once_in_half_a_minute() -> None:
    played = Played()
    played.commission()
    configurations = 0

    for _ in range(100):
        assert played.boot()[2]["status"] == "Accepted"
        configurations += sum(f[0] == 2 and f[2] == "GetConfiguration" for f in played.frames())

    assert configurations <= 1


def test_c21_errors_strays_and_crossing_calls_are_dealt_with() -> None:
    played = Played()
    played.boot()
    assert played.calls[0][1] == "GetConfiguration"

    assert played.ask("Heartbeat", {})[0] == 3, "a call while one of ours is open"
    played.feed(Received(json.dumps([3, "nobody-asked", {}])))
    assert [type(out) for out in played.out if isinstance(out, Note)] == [Note]
    played.fail("NotSupported")

    assert [call[1] for call in played.calls] == ["ChangeConfiguration"]


def test_c22_a_fault_of_one_connector_leaves_the_other_s_session_alone() -> None:
    played = Played()
    played.commission(2)
    played.start(1)

    played.status("Faulted", 2)

    assert [(f.connector, f.status) for f in played.facts(StatusSeen)] == [(2, "Faulted")]
    assert played.facts(SessionEnded, all_of_them=True) == []
    assert [c.status for c in played.view().connectors] == ["Available", "Faulted"]


def test_c29_a_storm_of_statuses_is_answered_and_told_in_a_trickle_the_newest_last() -> None:
    played = Played()
    played.commission()
    told = 0
    shown = 0

    for n in range(500):
        played.now += 0.01
        assert played.status("Preparing" if n % 2 else "Available")[0] == 3
        told += len(played.facts(StatusSeen))
        shown += sum(type(out).__name__ == "View" for out in played.out)
    played.status("Charging")
    played.wait(2)

    assert told <= 25
    assert shown <= 6
    assert played.facts(StatusSeen)[-1].status == "Charging"


def test_a34_meter_values_at_100_hz_are_answered_and_told_in_a_trickle() -> None:
    played = Played()
    played.commission()
    told = 0

    for n in range(500):
        played.now += 0.01
        assert played.meter(6 + n / 100)[0] == 3
        told += len(played.facts(Drawn))
    played.wait(2)

    assert told <= 31
    assert played.facts(Drawn)[-1].current_ma.l1 == 10_990


def test_what_cannot_be_read_is_refused_and_changes_nothing() -> None:
    played = Played()
    played.commission()

    assert played.ask("StartTransaction", {"connectorId": 1})[2] == "OccurenceConstraintViolation"
    assert played.ask("StartTransaction", {
        "connectorId": [], "idTag": "T", "meterStart": 0, "timestamp": at(0),
    })[2] == "TypeConstraintViolation"  # fmt: skip
    assert played.ask("Fly", {})[2] == "NotImplemented"
    assert played.start(connector=0)[2] == "PropertyConstraintViolation"
    assert played.start(connector=100_000)[2] == "PropertyConstraintViolation"
    assert played.records(TransactionBegan) == []


def test_twenty_protocol_errors_in_a_minute_end_the_link_and_nineteen_do_not() -> None:
    played = Played()
    for _ in range(19):
        played.feed(Received("{nonsense"))
        assert not [o for o in played.out if type(o).__name__ == "Close"]

    played.feed(Garbage("a binary frame"))

    assert [o.code for o in played.out if type(o).__name__ == "Close"] == [1002]


def test_protocol_errors_that_come_slowly_never_end_the_link() -> None:
    played = Played()
    for _ in range(60):
        played.wait(4)
        played.feed(Received("{nonsense"))
        assert not [o for o in played.out if type(o).__name__ == "Close"]


def test_garbage_with_an_id_that_can_be_read_gets_a_callerror() -> None:
    played = Played()

    played.feed(Received('[2,"x1","Heartbeat",{"a":NaN}]'))

    assert played.frames()[0][:3] == [4, "x1", "FormationViolation"]


def test_every_other_message_of_the_profile_is_answered() -> None:
    played = Played()

    assert played.ask("Heartbeat", {})[2]["currentTime"].endswith("Z")
    assert played.ask("DataTransfer", {"vendorId": "x"})[2] == {"status": "UnknownVendorId"}
    assert played.ask("DiagnosticsStatusNotification", {"status": "Uploaded"})[2] == {}
    assert played.ask("FirmwareStatusNotification", {"status": "Installing"})[2] == {}
    assert "firmware: Installing" in played.view().notes


def test_the_end_of_a_link_is_told_shown_and_keeps_the_session() -> None:
    played = Played()
    played.commission()
    played.start()
    played.meter(10, register=1500)

    played.feed(Gone("nothing heard for 30 s"))

    assert played.facts(LinkLost)
    assert played.facts(SessionEnded) == []
    views = [out.view for out in played.out if type(out).__name__ == "View"]
    assert [view.connected for view in views] == [False]
    assert played.records(TransactionSampled)[-1].register_wh == 1500


def test_what_a_charger_says_of_itself_is_written_down_once() -> None:
    played = Played()

    played.boot(firmwareVersion="1.2")
    played.yes(2)
    played.boot(firmwareVersion="1.2")

    seen = played.records(ChargerSeen)
    assert (seen[-1].vendor, seen[-1].firmware, seen[-1].connectors) == ("Acme", "1.2", 2)
    assert len(seen) == 2
    assert seen[-1].firmware_since == seen[0].firmware_since != ""


def test_p5_a_session_that_waited_in_its_charger_is_in_doubt_on_the_next_link_too() -> None:
    played = Played()
    played.commission()
    played.start(stamp=at(played.now - 1_200))
    seen = played.records(ChargerSeen)[-1]
    ((number, _late_s, doubt_s),) = seen.doubted
    assert (number, round(doubt_s)) == (1001, 1_200)

    started = at(played.now - 1_200)
    kept = Transaction(1001, "CP1", 1, "TAG", started, started, 1000)
    again = Played(kept=(kept,), seen=seen, start=played.now + 60)
    assert again.link._sessions.running[1].doubt_s == doubt_s
