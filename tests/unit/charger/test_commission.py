"""Commissioning a charger, 1 to 5 (chargers.md)."""

from __future__ import annotations

import json

import pytest
from tests.unit.charger.person import Played, at, limits

from linkray.charger.wire import Received, Send, Terms, TermsNow
from linkray.model.facts import Booted, OfferAnswered
from linkray.model.records import ChargerSeen, Transaction
from linkray.model.settings import Charger

RICHEST = (
    "Current.Import,Energy.Active.Import.Register,Power.Active.Import,Voltage,Current.Offered,SoC"
)
RIGHT = {
    "AuthorizationCacheEnabled": "false",
    "AuthorizeRemoteTxRequests": "true",
    "AllowOfflineTxForUnknownId": "FALSE",
    "LocalAuthorizeOffline": "true",
    "MeterValueSampleInterval": " 10",
    "MeterValuesSampledData": RICHEST.replace(",", ", "),
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "NumberOfConnectors": "1",
}


def configuration(**values: str) -> dict:
    return {"configurationKey": [
        {"key": key, "readonly": False, "value": value} for key, value in values.items()]}


class Answers:
    """Answers calls by action and key; notes what was written."""

    def __init__(self, played: Played, config: dict | None = None, **by_key: str) -> None:
        self.played = played
        self.config = config or configuration()
        self.by_key = by_key
        self.written: list[tuple[str, str]] = []
        self.asked: list[str] = []

    def all(self) -> Answers:
        while self.played.calls:
            _name, action, payload = self.played.calls[0]
            self.asked.append(action)
            if action == "GetConfiguration":
                assert payload == {}
                self.played.answer(self.config)
            elif action == "ChangeConfiguration":
                self.written.append((payload["key"], payload["value"]))
                status = self.by_key.get(payload["key"], "Accepted")
                if callable(status):
                    status = status(payload["value"])
                self.played.answer({"status": status})
            else:
                self.played.answer({"status": "Accepted"})
        return self


def test_step_1_a_boot_is_accepted_with_our_time_and_an_interval_of_a_minute() -> None:
    played = Played()

    answer = played.boot()

    assert answer[2] == {"status": "Accepted", "currentTime": "2026-06-15T12:01:40.000Z",
                         "interval": 60}  # fmt: skip


def test_a_boot_that_does_not_come_is_asked_for_after_10_s() -> None:
    played = Played()
    played.wait(9.9)
    assert played.calls == []

    played.wait(0.2)
    assert played.asked("TriggerMessage") == [{"requestedMessage": "BootNotification"}]
    played.answer({"status": "Accepted"})
    played.boot()

    assert [call[1] for call in played.calls] == ["GetConfiguration"]
    assert played.facts(Booted) == [], "it was asked for: the charger has not started anew"


def test_a_charger_that_sends_no_boot_at_all_is_commissioned_all_the_same() -> None:
    for answer in ({"status": "Accepted"}, {"status": "Rejected"}):
        played = Played()
        played.wait(10.1)
        played.answer(answer)

        played.wait(10.1)

        assert [call[1] for call in played.calls] == ["GetConfiguration"]


def test_steps_2_to_5_come_in_their_order_and_write_what_differs() -> None:
    played = Played()
    played.boot()
    played.offer(0, 1)

    done = Answers(played).all()

    assert done.written == [
        ("AuthorizationCacheEnabled", "false"),
        ("AuthorizeRemoteTxRequests", "true"),
        ("AllowOfflineTxForUnknownId", "false"),
        ("LocalAuthorizeOffline", "true"),
        ("MeterValueSampleInterval", "10"),
        ("MeterValuesSampledData", RICHEST),
        ("StopTxnSampledData", "Energy.Active.Import.Register"),
    ]
    order = list(dict.fromkeys(done.asked))
    assert order == ["GetConfiguration", "ChangeConfiguration", "ClearChargingProfile",
                     "SetChargingProfile", "TriggerMessage"]  # fmt: skip


def told_in_turn(played: Played) -> list[tuple[str, int | None, int | None]]:
    """Every call of ours as it went out: action, connector, and the profile that it clears."""
    frames = [json.loads(out.text) for out in played.said if isinstance(out, Send)]
    return [(f[2], f[3].get("connectorId"), f[3].get("id")) for f in frames if f[0] == 2]


def test_inv_1_a_clear_of_one_socket_leaves_the_other_s_running_session_alone() -> None:
    """Some makes take away all, whatever the id says."""
    ran = Transaction(id=77, charger="CP1", connector=1, tag="T", started=at(0), given=at(0),
                      meter_start_wh=0)  # fmt: skip
    played = Played(kept=(ran,), seen=ChargerSeen("CP1", connectors=2), knows_trigger=False)
    played.boot()
    played.offer(16_000, 1, session=True)
    played.offer(0, 2, connector=2)

    done = Answers(played, configuration(NumberOfConnectors="2")).all()

    assert "ClearChargingProfile" not in done.asked
    assert {(f.connector, f.outcome) for f in played.facts(OfferAnswered, all_of_them=True)} == {
        (1, "accepted"), (2, "accepted")}  # fmt: skip


def clearing(profile: int | None, connectors: int = 2, quirks: str = "") -> Played:
    """A charger that has just been asked to take away this profile of an earlier link."""
    played = Played(quirks=quirks)
    played.boot()
    while played.calls[0][1] != "ClearChargingProfile" or played.calls[0][2].get("id") != profile:
        played.answer(configuration(NumberOfConnectors=str(connectors))
                      if played.calls[0][1] == "GetConfiguration" else {"status": "Accepted"})
    return played


def begun(played: Played, connector: int, number: int) -> None:
    played.start(connector, tag=f"T{connector}")
    played.offer(10_000, number, connector=connector, session=True, urgent=True)


@pytest.mark.parametrize("when", ["before its turn", "open"])
def test_inv_1_what_a_session_is_told_while_old_profiles_are_cleared_is_not_cleared_with_them(
    when: str,
) -> None:
    """Its car would have no limit, and nobody know."""
    played = clearing(21 if when == "open" else 14)
    begun(played, 2, 2)
    played.wait(0.6)  # what is open is pushed aside, and not asked again
    Answers(played).all()

    told = told_in_turn(played)
    after = told[told.index(("SetChargingProfile", 2, None)) :]
    assert "ClearChargingProfile" not in [action for action, _, _ in after]
    assert told[-1][0] == "TriggerMessage", "and commissioning goes on to its end"


class Forgetful:
    """A charger that takes away all with any clear that finds something; what it holds."""

    def __init__(self, played: Played, *left: int, connectors: int = 1) -> None:
        self.played, self.connectors = played, connectors
        self.holds: dict[int, list[float]] = {each: [32.0] for each in left}
        self.asked: list[str] = []

    def answers(self, until: str = "") -> None:
        while self.played.calls and self.played.calls[0][1] != until:
            self.answers_one()

    def answers_one(self) -> None:
        _name, action, payload = self.played.calls[0]
        self.asked.append(action)
        status = "Accepted"
        if action == "GetConfiguration":
            self.played.answer(configuration(NumberOfConnectors=str(self.connectors)))
            return
        if action == "SetChargingProfile":
            self.holds[payload["csChargingProfiles"]["chargingProfileId"]] = limits(payload)
        elif action == "ClearChargingProfile":
            status = "Accepted" if payload.get("id", None) in {None, *self.holds} else "Unknown"
            if status == "Accepted":
                self.holds.clear()
        self.played.answer({"status": status})


def counted(played: Played) -> list[tuple[str, int, int]]:
    """What the books hear: that nothing counts any more, and what is accepted."""
    return [("nothing", 0, 0) if isinstance(f, Booted) else (f.outcome, f.connector, f.offer_id)
            for f in played.facts(all_of_them=True) if isinstance(f, Booted | OfferAnswered)]


CLEARS_FIRST = """
why = "its left-overs fight"
seen = ["somebody"]
match = [{vendor = "Acme"}]
clear_first = true
"""


def test_p1_what_was_told_in_haste_counts_once_it_is_told_again_after_what_was_left_is_cleared(
) -> None:
    played = Played(quirks=CLEARS_FIRST, knows_trigger=False)
    played.offer(0, 1, urgent=True)
    charger = Forgetful(played, 11)
    charger.answers()
    assert counted(played) == [], "its make is not known yet"
    played.boot()

    charger.answers("ClearChargingProfile")
    charger.answers_one()
    assert charger.holds == {}
    charger.answers("SetChargingProfile")
    assert counted(played) == []
    charger.answers()

    assert list(charger.holds) == [13]
    assert counted(played) == [("accepted", 1, 1)]
    assert charger.asked.count("SetChargingProfile") == 2


def test_p1_what_was_told_in_haste_counts_as_soon_as_its_make_is_one_of_the_others() -> None:
    played = Played(knows_trigger=False)
    played.offer(0, 1, urgent=True)
    charger = Forgetful(played, 99)
    charger.answers()
    assert counted(played) == []

    played.boot()
    assert counted(played) == [("accepted", 1, 1)]
    charger.answers()

    assert sorted(charger.holds) == [13, 99], "of it nothing is cleared that could take that away"
    assert charger.asked.count("SetChargingProfile") == 1


def test_p1_what_was_told_in_haste_counts_after_half_a_minute_and_nothing_is_cleared_then() -> None:
    played = Played(quirks=CLEARS_FIRST, seen=ChargerSeen("CP1", vendor="Acme", connectors=1),
                    knows_trigger=False)  # fmt: skip
    played.offer(0, 1, urgent=True)
    charger = Forgetful(played)
    charger.answers()
    played.boot()
    assert counted(played) == []

    played.wait(30.1)
    assert counted(played) == [("accepted", 1, 1)]
    charger.answers()
    assert "ClearChargingProfile" not in charger.asked


def test_p1_what_a_session_is_told_counts_where_a_clear_was_still_to_come() -> None:
    played = Played(quirks=CLEARS_FIRST, seen=ChargerSeen("CP1", vendor="Acme", connectors=2),
                    knows_trigger=False)  # fmt: skip
    played.offer(0, 1, urgent=True)
    charger = Forgetful(played, connectors=2)
    charger.answers()
    begun(played, 2, 2)
    charger.answers()
    assert counted(played) == [("accepted", 1, 1), ("accepted", 2, 2)]

    played.boot()
    charger.answers()
    assert "ClearChargingProfile" not in charger.asked


def test_a_make_is_cleared_of_everything_also_where_it_was_told_in_haste() -> None:
    played = Played(quirks=CLEARS_FIRST, knows_trigger=False)
    played.offer(0, 1, urgent=True)
    played.offer(0, 2, connector=2, urgent=True)
    charger = Forgetful(played, 99, connectors=2)
    played.boot()
    charger.answers()
    played.offer(0, 3, connector=2, urgent=True)
    charger.answers()

    assert charger.asked.count("ClearChargingProfile") == 1
    assert sorted(charger.holds) == [13, 23]


def test_a_default_that_is_refused_until_what_was_left_is_cleared_is_told_at_once_then() -> None:
    """ABB Terra AC 1.8.0 (quirks.md)."""
    played = Played(quirks=CLEARS_FIRST, knows_trigger=False)
    played.offer(0, 1, urgent=True)
    while played.profiles():
        played.answer({"status": "Rejected"})
    assert counted(played) == [("rejected", 1, 1)]
    played.boot()
    played.status("Available")

    Forgetful(played, 99).answers()

    assert counted(played)[1:] == [("accepted", 1, 1)]


def test_what_the_charger_refused_on_this_link_is_no_reason_to_leave_the_old_one() -> None:
    played = Played(knows_trigger=False)
    played.offer(0, 1, urgent=True)
    while played.profiles():
        played.answer({"status": "Rejected"})
    played.boot()
    played.status("Available")
    charger = Forgetful(played, 13)
    charger.answers("SetChargingProfile")

    assert charger.holds == {}


def test_inv_1_a_clear_that_a_session_pushed_aside_counts_as_long_as_it_may_act() -> None:
    """Slow makes answer, and clear, when the session has been told already."""
    played = clearing(11, connectors=1)
    late = played.calls.pop(0)[0]
    begun(played, 1, 1)
    played.wait(0.6)
    Answers(played).all()
    assert ("accepted", 1, 1) not in counted(played)

    played.feed(Received(json.dumps([3, late, {"status": "Accepted"}])))
    assert [limits(p)[0] for p in played.profiles()] == [10], "once more"
    played.answer({"status": "Accepted"}, "SetChargingProfile")
    assert counted(played)[-1] == ("accepted", 1, 1)


def test_a_clear_that_a_session_pushed_aside_and_nobody_answers_is_waited_for_for_30_s() -> None:
    played = clearing(11, connectors=1)
    played.calls.pop(0)
    begun(played, 1, 1)
    played.wait(0.6)
    Answers(played).all()
    assert ("accepted", 1, 1) not in counted(played)

    played.wait(31)  # a question for values is pushed aside
    played.answer({"status": "Accepted"}, "SetChargingProfile")

    assert counted(played)[-1] == ("accepted", 1, 1)


def test_a_clear_that_is_answered_after_its_time_has_what_stands_told_once_more() -> None:
    played = clearing(11, connectors=1)
    late = played.calls.pop(0)[0]
    played.offer(0, 1)
    played.wait(31)
    Answers(played).all()
    assert counted(played)[-1] == ("accepted", 1, 1)

    played.feed(Received(json.dumps([3, late, {"status": "Accepted"}])))

    assert [limits(p)[0] for p in played.profiles()] == [0]


def test_a_default_waits_for_one_clear_that_is_not_answered_and_for_no_other() -> None:
    played = Played(seen=ChargerSeen("CP1", connectors=1, capped=True), knows_trigger=False)
    played.boot()
    played.offer(0, 1)
    while played.calls[0][1] != "ClearChargingProfile":
        played.answer(configuration() if played.calls[0][1] == "GetConfiguration"
                      else {"status": "Accepted"})  # fmt: skip

    played.wait(30.1)
    played.answer({"status": "Accepted"}, "SetChargingProfile")

    assert counted(played)[-1] == ("accepted", 1, 1)
    assert len(played.asked("ClearChargingProfile")) == 1, "nor those of a cap of before"


def test_nothing_is_written_where_nothing_differs() -> None:
    played = Played()
    played.boot()

    done = Answers(played, configuration(**RIGHT)).all()

    assert done.written == []


def test_the_settings_say_what_is_written() -> None:
    terms = Terms(Charger("CP1"), interval_s=30, offline_allowed=False)
    played = Played(terms=terms)
    played.boot()

    done = Answers(played, configuration(**RIGHT)).all()

    assert done.written == [
        ("LocalAuthorizeOffline", "false"),
        ("MeterValueSampleInterval", "30"),
    ]


def test_a_setting_that_changes_is_written_to_a_standing_charger() -> None:
    played = Played()
    played.boot()
    Answers(played, configuration(**RIGHT)).all()

    played.feed(TermsNow(Terms(Charger("CP1"), interval_s=60)))

    assert Answers(played).all().written == [("MeterValueSampleInterval", "60")]


def test_the_richest_list_that_is_taken_is_found_from_its_end_never_below_two() -> None:
    played = Played()
    played.boot()

    done = Answers(played, configuration(**{**RIGHT, "MeterValuesSampledData": "SoC"}),
                   MeterValuesSampledData="Rejected").all()  # fmt: skip

    lists = [value.split(",") for _, value in done.written]
    assert [len(names) for names in lists] == [6, 5, 4, 3, 2]
    assert lists[-1] == ["Current.Import", "Energy.Active.Import.Register"]
    assert "MeterValuesSampledData: Rejected" in played.view().notes


def test_the_search_for_the_list_ends_where_the_charger_takes_one() -> None:
    played = Played()
    played.boot()

    done = Answers(
        played, configuration(**{**RIGHT, "MeterValuesSampledData": "SoC"}),
        MeterValuesSampledData=lambda v: "Accepted" if v.count(",") == 3 else "Rejected",
    ).all()  # fmt: skip

    assert len(done.written) == 3
    assert not [n for n in played.view().notes if "MeterValuesSampledData" in n]


def test_refusals_and_needed_reboots_are_noted_and_stop_nothing() -> None:
    played = Played()
    played.boot()

    done = Answers(played, AuthorizationCacheEnabled="NotSupported",
                   LocalAuthorizeOffline="RebootRequired").all()  # fmt: skip

    notes = played.view().notes
    assert "AuthorizationCacheEnabled: NotSupported" in notes
    assert any("RebootRequired" in note and "LocalAuthorizeOffline" in note for note in notes)
    assert len(done.written) == 7


def test_a_key_that_is_read_only_is_noted_and_not_written() -> None:
    played = Played()
    played.boot()
    config = {"configurationKey": [{"key": "MeterValueSampleInterval", "readonly": True,
                                    "value": "60"}]}  # fmt: skip

    done = Answers(played, config).all()

    assert "MeterValueSampleInterval" not in dict(done.written)
    assert any("cannot be changed" in note for note in played.view().notes)


def test_a_charger_that_answers_nothing_is_still_told_its_offer_and_serves_sessions() -> None:
    played = Played()
    played.offer(0, 1)

    played.wait(10 + 30 + 30 + 30 + 5 * 30 + 10)

    said = [json.loads(out.text) for out in played.said if type(out).__name__ == "Send"]
    actions = [frame[2] for frame in said if frame[0] == 2]
    assert actions.count("ChangeConfiguration") <= 2
    assert "SetChargingProfile" in actions
    assert played.start()[2]["idTagInfo"]["status"] == "Accepted"


def test_a_charger_that_answers_every_call_with_an_error_is_commissioned_to_the_end() -> None:
    played = Played()
    played.boot()
    asked = []

    while played.calls:
        asked.append(played.calls[0][1])
        played.fail("NotImplemented")

    assert asked[-1] == "TriggerMessage"
    assert any("GetConfiguration" in note for note in played.view().notes)


def test_an_answer_that_cannot_be_read_is_no_answer() -> None:
    played = Played()
    played.boot()

    played.answer({"configurationKey": "what?"})

    assert [call[1] for call in played.calls] == ["ChangeConfiguration"]


def test_connectors_are_learned_from_the_configuration_and_from_statuses() -> None:
    played = Played()
    played.boot()
    Answers(played, configuration(**{**RIGHT, "NumberOfConnectors": "2"})).all()
    assert len(played.view().connectors) == 2

    played.status("Available", 3)

    assert played.records(ChargerSeen)[-1].connectors == 3


def test_a_number_of_connectors_that_cannot_be_is_not_believed() -> None:
    for nonsense in ("0", "-1", "1000000", "two", "9" * 30, ""):
        played = Played()
        played.boot()

        Answers(played, configuration(**{**RIGHT, "NumberOfConnectors": nonsense})).all()

        assert len(played.view().connectors) == 1


def test_statuses_are_asked_for_only_where_they_are_unknown() -> None:
    played = Played()
    played.boot()
    played.status("Available", 1)
    triggered = []

    while played.calls:
        _name, action, payload = played.calls[0]
        if action == "TriggerMessage":
            triggered.append(payload)
        config = configuration(**{**RIGHT, "NumberOfConnectors": "2"})
        played.answer(config if action == "GetConfiguration" else {"status": "Accepted"})

    assert triggered == [{"requestedMessage": "StatusNotification", "connectorId": 2}]


def test_a_step_that_a_lower_offer_pushed_aside_is_asked_again() -> None:
    played = Played()
    played.boot()
    played.start()
    played.offer(6_000, 1, session=True, urgent=True)

    played.wait(0.6)
    played.answer({"status": "Accepted"}, "SetChargingProfile")

    again = [call for call in played.calls if call[1] == "GetConfiguration"]
    assert len(again) == 2, "the one pushed aside and its repetition"


def test_an_answer_to_a_commissioning_that_was_begun_anew_counts_no_more() -> None:
    played = Played()
    played.boot()
    old = played.calls[0][0]
    played.wait(40)
    played.boot()
    played.calls = [call for call in played.calls if call[0] != old]
    asked = [call[1] for call in played.calls]

    played.feed(Received(json.dumps([3, old, configuration(NumberOfConnectors="5")])))

    assert [call[1] for call in played.calls] == asked
    assert len(played.view().connectors) == 1


def test_a_make_s_own_list_and_interval_are_written_as_its_entry_says() -> None:
    quirk = (
        'measurands = ["Power.Active.Import"]\ninterval_s_min = 30\nwhy = "boot loop"\n'
        'seen = ["x"]\n[[match]]\nvendor = "Acme"\n'
    )
    played = Played(quirks=quirk)
    played.boot()

    done = Answers(played, configuration(**RIGHT)).all()

    assert done.written == [
        ("MeterValueSampleInterval", "30"),
        ("MeterValuesSampledData", "Power.Active.Import"),
    ]


def test_a_charger_that_restarts_is_cleared_though_it_left_a_clear_unanswered_before() -> None:
    """ABB 1.8.0 refuses its default until it was cleared: it would wait for ever."""
    played = Played(quirks=CLEARS_FIRST, seen=ChargerSeen("CP1", vendor="Acme", model="One"))
    played.boot()
    while not played.asked("ClearChargingProfile"):
        played.answer({"status": "Accepted"})
    played.calls.pop(0)
    played.wait(31)
    while played.calls:
        played.answer({"status": "Accepted"})
    played.wait(60)
    while played.calls:
        played.answer({"status": "Accepted"})
    played.boot()
    asked = []
    while played.calls:
        asked.append(played.calls[0][1])
        played.answer({"status": "Accepted"})

    assert "ClearChargingProfile" in asked
