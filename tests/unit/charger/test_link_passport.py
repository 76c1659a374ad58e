"""What a link asks beside its offers: values, availability, a start; whose passport it keeps."""

from __future__ import annotations

import itertools

from tests.unit.charger.person import Played, limits, purpose

from linkray.charger.wire import Introduced, PassportNow, Record, Terms, TermsNow
from linkray.model.facts import ChargerKnown, LeaseProven, LinkSilent, OfferAnswered
from linkray.model.passport import Finding, Passport
from linkray.model.records import ChargerSeen, PassportFound
from linkray.model.settings import Charger

ACME = '[[match]]\nvendor="Acme"'
SAID = 'why="x"\nseen=["y"]\n'


def charging(**made: object) -> Played:
    played = Played(**made)
    played.commission()
    played.offer(0, 1)
    played.yes()
    played.start()
    played.status("Charging")
    played.yes()
    return played


# -- values ----------------------------------------------------------


def test_values_are_asked_for_when_the_plan_s_count_grows_and_not_at_the_first_look() -> None:
    played = charging()
    played.offer(16_000, 2, session=True, values_wanted=4)
    played.yes()
    assert not played.asked("TriggerMessage")

    played.offer(16_000, 3, session=True, values_wanted=5)

    assert played.asked("TriggerMessage") == [
        {"requestedMessage": "MeterValues", "connectorId": 1}
    ]  # fmt: skip


def test_values_wanted_again_and_again_are_one_call_in_line_behind_a_cut() -> None:
    played = charging()
    played.offer(16_000, 2, session=True, values_wanted=1)
    played.offer(16_000, 3, session=True, values_wanted=2)
    played.offer(16_000, 4, session=True, values_wanted=3)
    played.offer(8_000, 5, session=True, urgent=True, values_wanted=3)
    played.answer({"status": "Accepted"})

    assert limits(played.profiles()[0])[0] == 8, "the cut goes first"
    played.answer({"status": "Accepted"})
    assert len(played.asked("TriggerMessage")) == 1


def test_a_charger_that_refuses_is_not_asked_for_values_again_on_this_link() -> None:
    for refusal in ("Rejected", "NotImplemented"):
        played = charging()
        played.offer(16_000, 2, session=True, values_wanted=1)
        played.yes()
        played.offer(16_000, 2, session=True, values_wanted=2)
        played.answer({"status": refusal})

        played.offer(16_000, 2, session=True, values_wanted=3)

        assert not played.asked("TriggerMessage")


def test_values_that_do_not_come_by_themselves_are_asked_for_before_they_are_stale() -> None:
    played = charging(terms=Terms(Charger("CP1"), interval_s=10))
    played.wait(19)
    assert not played.asked("TriggerMessage")

    played.wait(1.5)  # two intervals without a value: in ten seconds it would count as stale
    assert len(played.asked("TriggerMessage")) == 1
    played.yes()
    played.meter(16)
    played.wait(19)
    assert not played.asked("TriggerMessage")
    played.wait(1.5)
    assert len(played.asked("TriggerMessage")) == 1


def test_one_that_gives_no_values_is_asked_more_and_more_rarely() -> None:
    played = charging(terms=Terms(Charger("CP1"), interval_s=10))
    asked_at: list[float] = []
    began = played.now
    while played.now - began < 700:
        played.wait(1)
        if played.asked("TriggerMessage"):
            asked_at.append(played.now - began)
            played.yes()

    pauses = [round(b - a) for a, b in itertools.pairwise(asked_at)]
    assert pauses[:4] == [40, 80, 160, 300]


def test_a_charger_that_leaves_the_question_open_twice_is_not_asked_again_on_this_link() -> None:
    """Behind an open call a lower limit would wait."""
    played = charging(terms=Terms(Charger("CP1"), interval_s=10))
    for _ in range(2):
        while not played.asked("TriggerMessage"):
            played.wait(1)
        played.wait(31)  # no answer
        played.calls.clear()
    played.wait(400)

    assert not played.asked("TriggerMessage")


def test_inv_1_who_leaves_a_renewal_unanswered_is_told_of_as_silent_until_it_answers() -> None:
    played = charging(knows_trigger=False)
    played.offer(16_000, 2, session=True)
    played.yes()
    played.wait(61)  # the lease is renewed
    since = played.now - 1
    assert len(played.profiles()) == 1
    played.wait(9.5)
    assert played.facts(LinkSilent, all_of_them=True) == []

    played.wait(1)
    (silent,) = played.facts(LinkSilent, all_of_them=True)
    assert silent.since is not None and abs(silent.since - since) <= 1
    played.answer({"status": "Accepted"})

    assert played.facts(LinkSilent, all_of_them=True)[-1].since is None
    played.wait(50)
    assert len(played.facts(LinkSilent, all_of_them=True)) == 2


def test_a_charger_that_names_its_features_without_remotetrigger_is_not_asked() -> None:
    played = Played()
    played.boot()
    played.status("Available")
    played.answer({"configurationKey": [
        {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core,SmartCharging"}]})
    played.yes()
    played.offer(0, 1, values_wanted=1)
    played.yes()

    played.offer(0, 1, values_wanted=2)

    assert played.calls == []


def test_a_balancer_that_began_anew_counts_anew() -> None:
    played = charging()
    played.offer(16_000, 2, session=True, values_wanted=7)
    played.yes()

    played.offer(16_000, 3, session=True, values_wanted=0)
    assert not played.asked("TriggerMessage")
    played.offer(16_000, 4, session=True, values_wanted=1)
    assert played.asked("TriggerMessage")


# -- availability ----------------------------------------------------------


def test_the_ladder_s_last_step_takes_a_connector_out_of_service_and_back() -> None:
    played = charging()

    played.offer(0, 2, session=True, stop=True, urgent=True, inoperative=True)
    assert played.asked("ChangeAvailability") == []  # behind the profile and the stop
    played.answer({"status": "Accepted"}, "SetChargingProfile")
    while not played.asked("ChangeAvailability"):
        played.answer({"status": "Accepted"})
    assert played.asked("ChangeAvailability") == [{"connectorId": 1, "type": "Inoperative"}]
    played.answer({"status": "Scheduled"}, "ChangeAvailability")
    assert played.records(ChargerSeen)[-1].inoperative == (1,)

    played.stop(1001)
    played.offer(0, 3)
    played.yes()

    assert played.records(ChargerSeen)[-1].inoperative == ()


def test_it_is_asked_again_until_it_is_answered() -> None:
    played = charging()
    played.offer(0, 2, session=True, inoperative=True)
    played.answer({"status": "Accepted"}, "SetChargingProfile")
    played.answer({"status": "Rejected"}, "ChangeAvailability")

    played.wait(31)

    assert played.asked("ChangeAvailability") == [{"connectorId": 1, "type": "Inoperative"}]


def test_a_connector_that_was_put_out_before_a_restart_is_put_back_when_the_plan_says_so() -> None:
    played = Played(seen=ChargerSeen("CP1", "Acme", "One", connectors=1, inoperative=(1,)))
    played.commission()

    played.offer(0, 1)
    played.answer({"status": "Accepted"}, "SetChargingProfile")

    assert played.asked("ChangeAvailability") == [{"connectorId": 1, "type": "Operative"}]


def test_a_make_that_does_not_know_changeavailability_is_not_asked() -> None:
    played = charging(quirks=f"{SAID}change_availability=false\n{ACME}")

    played.offer(0, 2, session=True, inoperative=True)
    played.yes()

    assert not [call for call in played.calls if call[1] == "ChangeAvailability"]
    assert played.records(ChargerSeen)[-1].inoperative == ()


# -- needs_remote_start ----------------------------------------------------------

REMOTE = f"{SAID}needs_remote_start=true\n{ACME}"


def test_a_make_that_needs_it_is_begun_for_with_the_tag_that_was_let_in() -> None:
    played = Played(quirks=REMOTE)
    played.commission()
    played.ask("Authorize", {"idTag": "CARD1"})
    played.status("Preparing")

    played.wait(6)

    assert played.asked("RemoteStartTransaction") == [{"idTag": "CARD1", "connectorId": 1}]


def test_without_a_tag_it_is_begun_for_where_everybody_may_charge_three_times_at_most() -> None:
    played = Played(quirks=REMOTE)
    played.commission()
    played.status("Preparing")
    for _ in range(5):
        played.wait(31)
        if played.calls:
            assert played.asked("RemoteStartTransaction")[0]["idTag"] == "LINKRAY"
            played.answer({"status": "Rejected"})

    begun = [out for out in played.said if "RemoteStartTransaction" in getattr(out, "text", "")]
    assert len(begun) == 3


def test_a_car_is_not_begun_for_where_no_tag_may_charge_or_after_its_session() -> None:
    played = Played(quirks=REMOTE)
    played.refused = {"LINKRAY"}
    played.commission()
    played.status("Preparing")
    played.wait(60)
    assert played.calls == []

    again = Played(quirks=REMOTE)
    again.commission()
    again.start()
    again.status("Charging")
    again.stop(1001)
    again.status("Finishing")
    again.status("Preparing")
    again.wait(60)
    assert not again.asked("RemoteStartTransaction")


def test_a_plain_make_begins_by_itself() -> None:
    played = Played()
    played.commission()
    played.ask("Authorize", {"idTag": "CARD1"})
    played.status("Preparing")
    played.wait(60)

    assert played.calls == []


# -- passports ----------------------------------------------------------


def proof(charger: str = "CP1") -> Passport:
    return Passport("Acme", "One", "", (Finding("lease", "honoured", charger),))


def test_only_a_readable_bootnotification_introduces_a_charger() -> None:
    played = Played()
    assert not [out for out in played.said if isinstance(out, Introduced)]
    played.ask("BootNotification", [])
    played.ask("BootNotification", {"chargePointSerialNumber": "S1"})
    assert not [out for out in played.said if isinstance(out, Introduced)]

    played.boot()

    assert next(type(out) for out in played.out) is Introduced, "before it gets its answer"


def test_a_proof_of_another_charger_of_the_make_is_none_of_this_one() -> None:
    played = charging()
    played.feed(PassportNow(proof("CP2")))
    assert played.facts(LeaseProven) == []

    played.feed(PassportNow(proof()))

    assert [fact.is_proven for fact in played.facts(LeaseProven)] == [True]


def test_other_firmware_and_another_device_withdraw_the_proof() -> None:
    for change in ({"firmwareVersion": "2"}, {"chargePointSerialNumber": "S2"}):
        played = Played(seen=ChargerSeen("CP1", "Acme", "One", serial="S1"))
        played.feed(PassportNow(proof()))

        played.boot(**change)

        assert [fact.is_proven for fact in played.facts(LeaseProven)] == [False], change


def test_a_charger_that_is_not_ours_leaves_nothing_in_the_passports() -> None:
    played = Played(terms=Terms(Charger("CP1"), kept=False, adopted=False, places=0))
    played.commission()
    played.offer(0, 1)
    played.yes()

    assert not [out for out in played.said if isinstance(out, Record)]
    played.feed(TermsNow(Terms(Charger("CP1"))))
    played.start()
    played.yes()
    assert played.records(PassportFound) or played.records(ChargerSeen)


def test_a_form_that_the_make_refused_before_is_tried_last_from_the_first_offer_on() -> None:
    played = Played()
    played.boot()
    played.feed(PassportNow(Passport("Acme", "One", "", (
        Finding("refused", "Rejected", "TxDefaultProfile/Relative/A/2"),))))  # fmt: skip
    played.status("Available")
    played.yes()

    played.offer(0, 1)

    assert limits(played.profiles()[0]) == [0], "not in two periods"


def test_a_form_that_another_of_the_make_obeys_is_tried_first() -> None:
    played = charging()
    played.feed(PassportNow(Passport("Acme", "One", "", (
        Finding("form", "TxDefaultProfile/Absolute/A/2", "session"),))))  # fmt: skip

    played.offer(16_000, 2, session=True)

    profile = played.profiles()[0]
    assert purpose(profile) == "TxDefaultProfile"
    assert profile["csChargingProfiles"]["chargingProfileKind"] == "Absolute"


def test_a_raise_past_the_budget_waits_a_cut_does_not_and_the_first_of_a_session_neither() -> None:
    played = charging(quirks=f"{SAID}writes_a_day=8\n{ACME}")
    for number, limit in enumerate((6_000, 9_000, 6_000, 10_000, 6_000, 12_000), 2):
        played.offer(limit, number, session=True)
        played.yes()
    sent = [out for out in played.said if "SetChargingProfile" in getattr(out, "text", "")]
    count = played.view().profile_writes
    assert count == len(sent)
    assert count < 8

    played.offer(32_000, 20, session=True)
    assert played.profiles() == [], "it waits"
    assert [f.outcome for f in played.facts(OfferAnswered)] == ["accepted"]
    played.offer(6_000, 21, session=True, urgent=True)
    played.yes()
    played.stop(1001)
    played.offer(0, 22)
    played.yes()
    played.start(stamp="2026-06-15T13:00:00Z")
    played.offer(16_000, 23, session=True)
    assert limits(played.profiles()[0]) == [16], "the session's first, without a dead-man"
    seen = played.records(ChargerSeen)[-1]
    assert (seen.writes, seen.writes_day) == (played.view().profile_writes, "2026-06-15")


def test_c7_what_a_make_charges_with_at_least_is_told_as_soon_as_it_is_known() -> None:
    played = Played(quirks="""
why = "25 kW at least"
seen = ["a data sheet"]
match = [{vendor = "Acme"}]
min_w = 25_000
zero = "never"
""")
    known = [(f.least_w, f.takes_zero) for f in played.facts(ChargerKnown)]
    assert known == [(0, True)]
    played.boot()
    known = [(f.least_w, f.takes_zero) for f in played.facts(ChargerKnown)]
    assert known[-1] == (25_000, False)
