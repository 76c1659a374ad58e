"""How a link tells offers, carries out commands and stops (balancing.md 4; Emergency stop)."""

from __future__ import annotations

import json

import pytest
from tests.unit.charger.person import Played, at, limits, purpose

from linkray.charger.wire import (
    Command,
    Emergency,
    Gone,
    Received,
    Record,
    Reply,
    Retell,
    Send,
    Tell,
    Terms,
    TermsNow,
)
from linkray.model.asks import StartCharging, StopCharging
from linkray.model.facts import (
    ChargerKnown,
    Drawn,
    LinkUp,
    OfferAnswered,
    SessionBegan,
    StatusSeen,
)
from linkray.model.records import ChargerSeen, Transaction, TransactionBegan, TransactionEnded
from linkray.model.settings import Charger

CHARGER = Charger("CP1")


def charging(**made: object) -> Played:
    """A commissioned charger with a session and nothing open; it cannot be asked for values."""
    played = Played(**{"knows_trigger": False, **made})
    played.commission()
    played.offer(0, 1)
    played.yes()
    played.start()
    played.status("Charging")
    played.yes()
    return played


def outcomes(played: Played) -> list[tuple[int, str]]:
    return [(f.offer_id, f.outcome) for f in played.facts(OfferAnswered)]


def test_the_start_up_default_goes_to_each_connector_once_commissioning_has_come_to_it() -> None:
    played = Played()
    played.offer(0, 1)
    assert played.calls == []

    played.boot()
    while not played.profiles():
        played.answer({"status": "Accepted"})

    assert purpose(played.profiles()[0]) == "TxDefaultProfile"
    assert limits(played.profiles()[0])[0] == 0


def test_the_first_profile_of_a_session_waits_for_nothing_but_its_offer() -> None:
    played = charging()

    played.offer(16_000, 2, session=True)

    profile = played.profiles()[0]
    assert purpose(profile) == "TxProfile"
    assert profile["csChargingProfiles"]["transactionId"] == 1001
    assert limits(profile) == [16, 0], "the offer, then the fail-safe current"


def test_an_accepted_offer_is_told_with_its_lease() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)

    played.answer({"status": "Accepted"})

    fact = played.facts(OfferAnswered)[0]
    assert (fact.offer_id, fact.outcome, fact.leased) == (2, "accepted", True)
    assert played.view().connectors[0].offer_ma.l1 == 16_000


def test_an_offer_that_says_the_same_is_told_as_accepted_and_not_sent() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})

    played.offer(16_000, 3, session=True)

    assert played.calls == []
    assert outcomes(played) == [(3, "accepted")]


def test_the_newest_offer_takes_the_place_of_one_that_waits_unsent() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.offer(18_000, 3, session=True)
    played.offer(20_000, 4, session=True)
    assert len(played.profiles()) == 1

    played.answer({"status": "Accepted"})

    assert [limits(p)[0] for p in played.profiles()] == [20]
    played.answer({"status": "Accepted"})
    assert outcomes(played) == [(4, "accepted")]


def test_a_lower_offer_overtakes_a_call_that_is_not_answered_within_half_a_second() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)

    played.offer(6_000, 3, session=True, urgent=True)
    assert len(played.profiles()) == 1
    played.wait(0.6)

    assert [limits(p)[0] for p in played.profiles()] == [16, 6]
    played.calls.pop(0)
    played.answer({"status": "Accepted"})
    assert (3, "accepted") in outcomes(played)


def test_a_late_answer_to_an_overtaken_offer_is_still_told() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.offer(6_000, 3, session=True, urgent=True)
    played.wait(0.6)

    played.answer({"status": "Accepted"})

    assert outcomes(played) == [(2, "accepted")]


def test_c2_a_refused_profile_is_tried_in_the_next_form_and_the_form_that_works_is_kept() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    assert outcomes(played) == []
    tried = 0
    while purpose(played.profiles()[0]) == "TxProfile":
        played.answer({"status": "Rejected"})
        tried += 1

    assert tried >= 1
    assert outcomes(played) == [(2, "sent")], "the session may end before it is answered"
    assert isinstance(played.out[0], Tell), "before the bytes leave (P 2)"
    played.answer({"status": "Accepted"})
    assert outcomes(played) == [(2, "accepted")]
    played.offer(10_000, 3, session=True)

    assert purpose(played.profiles()[0]) == "TxDefaultProfile"


def test_c3_a_charger_that_refuses_every_form_is_told_of_once_and_asked_again_in_5_min() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    while played.profiles():
        played.answer({"status": "NotSupported"})

    assert outcomes(played) == [(2, "rejected")]
    played.offer(14_000, 3, session=True)
    assert played.calls == [], "not asked again for every new value"
    assert outcomes(played) == [(3, "rejected")]
    played.wait(301)

    assert limits(played.profiles()[0])[0] == 14


def test_a_callerror_or_no_answer_leaves_it_unknown_what_is_in_force() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)

    while played.calls:
        played.fail("InternalError")

    assert outcomes(played) == [(2, "unknown")]


def test_a_charger_that_does_not_know_the_action_at_all_has_refused() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)

    while played.profiles():
        played.fail("NotImplemented")

    assert outcomes(played) == [(2, "rejected")]


def test_c1_an_offer_that_gets_no_answer_is_sent_again_in_the_form_that_worked() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})
    played.offer(6_000, 3, session=True, urgent=True)

    played.wait(25)

    assert [(purpose(p), limits(p)[0]) for p in played.profiles()] == [("TxProfile", 6)] * 3


def takes_only(played: Played, wanted: str) -> None:
    """Refuse each form until one of this purpose is tried, and take that."""
    while purpose(played.profiles()[0]) != wanted:
        played.answer({"status": "Rejected"})
    played.answer({"status": "Accepted"})


def take_away(played: Played, *answers: str) -> None:
    """Answer what takes away the TxProfile of connector 1, and what lies under it."""
    for profile_id, status in zip((11, 12), answers * 2, strict=False):
        assert [p["id"] for p in played.asked("ClearChargingProfile")] == [profile_id]
        assert played.profiles() == []
        played.answer({"status": status})
    if "Accepted" in answers:
        assert outcomes(played) == [], "some makes take away all"
        played.answer({"status": "Accepted"}, "SetChargingProfile")


def test_c1_a_default_holds_once_the_profile_that_would_rule_over_it_is_taken_away() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})
    played.offer(6_000, 3, session=True, urgent=True)
    while [purpose(p) for p in played.profiles()] == ["TxProfile"]:
        played.answer({"status": "Rejected"})

    assert [(purpose(p), limits(p)[0]) for p in played.profiles()] == [("TxDefaultProfile", 6)]
    while played.profiles():
        played.answer({"status": "Accepted"})
    assert outcomes(played) == []
    take_away(played, "Accepted", "Unknown")
    assert outcomes(played) == [(3, "accepted")]


def test_c2_an_offer_that_outlasts_its_session_is_told_as_such() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})
    assert [f.as_default for f in played.facts(OfferAnswered)] == [False]
    played.offer(10_000, 3, session=True)
    takes_only(played, "TxDefaultProfile")
    take_away(played, "Accepted", "Unknown")
    assert [f.as_default for f in played.facts(OfferAnswered)] == [True]


def test_c1_a_default_on_a_new_link_takes_away_the_profile_that_an_earlier_link_told() -> None:
    ran = Transaction(id=77, charger="CP1", connector=1, tag="T", started=at(0), given=at(0),
                      meter_start_wh=0)  # fmt: skip
    played = Played(kept=(ran,), knows_trigger=False)
    played.offer(6_000, 3, session=True, urgent=True)
    while [purpose(p) for p in played.profiles()] == ["TxProfile"]:
        played.answer({"status": "Rejected"})
    while played.profiles():
        played.answer({"status": "Accepted"})

    assert outcomes(played) == []
    take_away(played, "Accepted", "Unknown")
    assert outcomes(played) == [(3, "accepted")]


def test_c2_a_cap_of_the_charger_holds_once_the_default_of_0_is_taken_away() -> None:
    """OCPP 1.6, 3.13.1: under ChargePointMaxProfile the lower default would still rule."""
    played = charging()
    played.offer(16_000, 2, session=True)
    takes_only(played, "ChargePointMaxProfile")

    assert outcomes(played) == []
    for profile_id in (13, 14):
        assert [p["id"] for p in played.asked("ClearChargingProfile")] == [profile_id]
        played.answer({"status": "Accepted"})
    played.answer({"status": "Accepted"}, "SetChargingProfile")
    assert outcomes(played) == [(2, "accepted")]
    played.offer(10_000, 3, session=True)
    played.answer({"status": "Accepted"})
    assert outcomes(played) == [(3, "accepted")], "there is none any more"


def test_c2_a_cap_that_rules_no_more_follows_the_offer_and_proves_nothing_less() -> None:
    """home, seed 10002: a cap of 0 A from a bad minute starved each session after it."""
    played = charging()
    played.offer(6_000, 2, session=True)
    takes_only(played, "ChargePointMaxProfile")
    while played.asked("ClearChargingProfile"):
        played.answer({"status": "Accepted"})
    played.offer(16_000, 3, session=True)
    takes_only(played, "TxDefaultProfile")

    assert [(purpose(p), limits(p)) for p in played.profiles()] == [
        ("ChargePointMaxProfile", [16.0])]  # fmt: skip
    played.answer({"status": "Rejected"})
    assert outcomes(played)[-1] == (3, "accepted"), "under a cap it is no more than that"


def capped_before() -> Played:
    """A charger whose earlier link, in a bad minute, left a cap; a session runs."""
    ran = Transaction(id=77, charger="CP1", connector=1, tag="T", started=at(0), given=at(0),
                      meter_start_wh=0)  # fmt: skip
    seen = ChargerSeen("CP1", connectors=1, capped=True)
    return Played(kept=(ran,), seen=seen, knows_trigger=False)


def test_c2_a_cap_of_an_earlier_link_follows_a_raise_and_is_not_taken_away_in_a_session() -> None:
    """home, seed 10002. Some chargers take away all, whatever the id says."""
    played = capped_before()
    told = []
    for amps, number in ((6, 3), (16, 4), (10, 5)):
        played.offer(amps * 1000, number, session=True)
        while played.profiles():
            told += [(purpose(p), limits(p)) for p in played.profiles()]
            played.answer({"status": "Accepted"})
        assert outcomes(played)[-1] == (number, "accepted")
    played.boot()
    played.yes()

    assert told == [
        ("TxProfile", [6, 0]), ("ChargePointMaxProfile", [6]),
        ("TxProfile", [16, 0]), ("ChargePointMaxProfile", [16]), ("TxProfile", [10, 0]),
    ]  # fmt: skip
    assert not [out for out in played.said if "ClearChargingProfile" in str(out)]


def test_c2_what_a_cap_followed_is_renewed_at_once_for_the_newest_word_falls_by_itself() -> None:
    played = capped_before()
    played.offer(6_000, 3, session=True)
    played.answer({"status": "Accepted"})
    assert [purpose(p) for p in played.profiles()] == ["ChargePointMaxProfile"]
    played.answer({"status": "Accepted"})
    played.wait(0.1)

    assert [(purpose(p), limits(p)) for p in played.profiles()] == [("TxProfile", [6, 0])]
    played.answer({"status": "Accepted"})
    played.wait(30)
    assert not played.profiles()


def told_under_a_cap_that_refuses(played: Played) -> list[tuple[str, list[float]]]:
    """What it is told by now; it takes all but a cap."""
    told = []
    while played.profiles():
        newest = played.profiles()[0]
        told.append((purpose(newest), limits(newest)))
        is_cap = purpose(newest) == "ChargePointMaxProfile"
        played.answer({"status": "Rejected" if is_cap else "Accepted"})
    return told


def test_c2_a_cap_that_refuses_to_follow_is_told_again_after_an_hour_not_with_each_renewal(
) -> None:
    """Profiles live in flash (quirks.md, Writes): half of 120 writes an hour did nothing."""
    played = capped_before()
    played.boot()
    played.yes()
    played.offer(6_000, 3, session=True)
    told, cap = ("TxProfile", [6, 0]), ("ChargePointMaxProfile", [6])
    assert told_under_a_cap_that_refuses(played) == [told, cap]
    assert outcomes(played)[-1] == (3, "accepted"), "counted with all of its offer"
    for _ in range(59):
        played.wait(60.5)
        assert told_under_a_cap_that_refuses(played) == [told]
    played.wait(60.5)
    assert told_under_a_cap_that_refuses(played) == [told, cap]
    played.wait(60.5)
    assert told_under_a_cap_that_refuses(played) == [told]


def test_c2_a_cap_that_refused_one_value_is_told_another_at_once() -> None:
    played = capped_before()
    played.boot()
    played.yes()
    for amps, number in ((6, 3), (16, 4)):
        played.offer(amps * 1000, number, session=True)
        assert told_under_a_cap_that_refuses(played) == [
            ("TxProfile", [amps, 0]), ("ChargePointMaxProfile", [amps])]  # fmt: skip
    assert told_under_a_cap_that_refuses(played) == []


def test_c2_a_cap_that_is_not_answered_may_be_the_newest_word_too() -> None:
    """The renewal that follows at once leaves it; the next one tells it again."""
    played = capped_before()
    played.boot()
    played.yes()
    played.offer(6_000, 3, session=True)
    played.answer({"status": "Accepted"})
    assert [purpose(p) for p in played.profiles()] == ["ChargePointMaxProfile"]
    played.calls.clear()
    played.wait(31)

    assert [(purpose(p), limits(p)) for p in played.profiles()] == [("TxProfile", [6, 0])]
    played.answer({"status": "Accepted"})
    assert not played.profiles()
    played.wait(58)
    assert not played.profiles()
    played.wait(3)
    played.answer({"status": "Accepted"})
    assert [purpose(p) for p in played.profiles()] == ["ChargePointMaxProfile"]


def test_c2_a_cap_that_refuses_to_follow_is_told_again_after_an_hour_where_nothing_is_renewed(
) -> None:
    played = capped_before()
    played.feed(TermsNow(Terms(Charger("CP1"), dead_man_s=0)))
    played.boot()
    played.yes()
    played.offer(6_000, 3, session=True)
    told = [("TxProfile", [6]), ("ChargePointMaxProfile", [6])]
    assert told_under_a_cap_that_refuses(played) == told
    played.wait(3_000)
    assert not played.profiles()
    played.offer(6_000, 4, session=True, again=True)
    assert told_under_a_cap_that_refuses(played) == told[:1]
    played.wait(598)
    assert not played.profiles()
    played.wait(3)
    assert told_under_a_cap_that_refuses(played) == told


def test_c2_a_cap_in_amps_follows_an_offer_in_watts() -> None:
    """The unit of a charger can be set while its session runs."""
    played = capped_before()
    played.boot()
    played.yes()
    played.offer(6_000, 3, session=True)
    played.yes()
    played.wait(1)
    played.yes()
    played.feed(TermsNow(Terms(Charger("CP1", unit="W"))))
    played.yes()
    played.offer(21_700, 4, session=True, limit_w=5_000)

    played.answer({"status": "Accepted"})
    assert [purpose(p) for p in played.profiles()] == ["ChargePointMaxProfile"]


def test_c2_a_cap_of_an_earlier_link_is_taken_away_between_two_sessions() -> None:
    played = capped_before()
    played.offer(6_000, 3, session=True)
    played.boot()
    played.yes()
    played.stop(77)
    played.offer(0, 4)

    told = []
    while played.calls:
        payload = played.calls[0][2]
        told.append(payload["id"] if "id" in payload else purpose(payload))
        played.answer({"status": "Accepted"})
    assert told == ["TxDefaultProfile", 15, 16, "TxDefaultProfile"], "for one that takes away all"
    assert outcomes(played) == [(4, "accepted")]
    assert not played.records(ChargerSeen)[-1].capped


def test_c2_a_cap_that_refused_is_told_at_once_after_a_restart_of_the_charger() -> None:
    played = Played(seen=ChargerSeen("CP1", connectors=1, capped=True), knows_trigger=False)
    played.boot()
    while played.calls:
        played.answer({"status": "Accepted"})
    played.status("Preparing")
    played.start()
    played.offer(6_000, 3, session=True)

    def told() -> list[str]:
        purposes = []
        while played.calls:
            is_set = played.calls[0][1] == "SetChargingProfile"
            purposes += [purpose(played.calls[0][2])] if is_set else []
            refuses = is_set and purposes[-1] == "ChargePointMaxProfile"
            played.answer({"status": "Rejected" if refuses else "Accepted"})
        return purposes

    assert "ChargePointMaxProfile" in told()
    played.wait(40)
    told()
    played.boot()
    assert "ChargePointMaxProfile" in told()


def two_sockets(*, is_capped: bool = False) -> Played:
    """One with a session on its first socket, which has been told."""
    ran = Transaction(id=77, charger="CP1", connector=1, tag="T", started=at(0), given=at(0),
                      meter_start_wh=0)  # fmt: skip
    seen = ChargerSeen("CP1", connectors=2, capped=is_capped)
    played = Played(kept=(ran,), seen=seen, knows_trigger=False)
    played.offer(16_000, 3, session=True)
    played.answer({"status": "Accepted"})
    return played


def test_inv_1_a_cap_is_not_taken_away_while_the_other_socket_charges() -> None:
    """Some makes take away all, and with it the limit of the session that runs."""
    played = two_sockets(is_capped=True)
    played.boot()
    played.offer(0, 4, connector=2)
    asked = set()
    while played.calls:
        asked.add(played.calls[0][1])
        played.answer({"status": "Accepted"})

    assert "SetChargingProfile" in asked
    assert "ClearChargingProfile" not in asked
    assert (4, "accepted") in [(f.offer_id, f.outcome)
                               for f in played.facts(OfferAnswered, all_of_them=True)]
    assert not [r for r in played.records(ChargerSeen) if not r.capped], "its cap stays"


def test_inv_1_what_a_session_s_clear_may_have_taken_from_the_other_socket_is_told_again() -> None:
    played = two_sockets()
    played.boot()
    played.yes(2)
    played.start(2)
    played.offer(10_000, 5, connector=2, session=True)
    played.answer({"status": "Accepted"})
    played.offer(8_000, 6, connector=2, session=True)
    while purpose(played.profiles()[0]) == "TxProfile":
        played.answer({"status": "Rejected"})
    played.answer({"status": "Accepted"})
    told = []
    while played.calls:
        _name, action, payload = played.calls[0]
        told.append((action, payload.get("connectorId", payload.get("id"))))
        played.answer({"status": "Accepted"})

    assert told == [("ClearChargingProfile", 21), ("ClearChargingProfile", 22),
                    ("SetChargingProfile", 2), ("SetChargingProfile", 1)]  # fmt: skip


@pytest.mark.parametrize("clear", ["Accepted", "Unknown", "Rejected", "InternalError"])
@pytest.mark.parametrize("is_capped", [False, True])
def test_two_sockets_that_are_both_cleared_do_not_tell_each_other_for_ever(
    clear: str, is_capped: bool
) -> None:
    """However its clears are answered, by a make that takes a session's limit as its default."""
    ran = () if is_capped else tuple(
        Transaction(id=77 + n, charger="CP1", connector=n, tag="T", started=at(0), given=at(0),
                    meter_start_wh=0) for n in (1, 2))  # fmt: skip
    seen = ChargerSeen("CP1", connectors=2, capped=is_capped)
    played = Played(kept=ran, seen=seen, knows_trigger=False)
    played.boot()
    for n in (1, 2):
        played.offer(0 if is_capped else 10_000, n, connector=n, session=not is_capped)
    told = 0
    while played.calls:
        _name, action, payload = played.calls[0]
        if action == "SetChargingProfile":
            told += 1
            assert told < 60, "each form of both, and no more"
            is_taken = is_capped or purpose(payload) != "TxProfile"
            played.answer({"status": "Accepted" if is_taken else "Rejected"})
        elif action == "ClearChargingProfile" and clear == "InternalError":
            played.fail(clear)
        else:
            played.answer({"status": clear if "Clear" in action else "Accepted"})

    newest = {f.connector: f.outcome for f in played.facts(OfferAnswered, all_of_them=True)}
    proves = is_capped or clear in ("Accepted", "Unknown")  # else its TxProfile may rule
    assert newest == dict.fromkeys((1, 2), "accepted" if proves else "unknown")


def test_inv_1_what_one_clear_took_from_both_sockets_is_told_to_both_again() -> None:
    """A make that drops all, whatever the id says (its other clears then find nothing)."""
    ran = tuple(Transaction(id=77 + n, charger="CP1", connector=n, tag="T", started=at(0),
                            given=at(0), meter_start_wh=0) for n in (1, 2))  # fmt: skip
    played = Played(kept=ran, seen=ChargerSeen("CP1", connectors=2), knows_trigger=False)
    played.boot()
    for n in (1, 2):
        played.offer(10_000, n, connector=n, session=True)
    held = {11}
    while played.calls:
        _name, action, payload = played.calls[0]
        status = "Accepted"
        if action == "ClearChargingProfile":
            status = "Accepted" if payload["id"] in held else "Unknown"
            held = set() if payload["id"] in held else held
        elif action == "SetChargingProfile" and purpose(payload) == "TxProfile":
            status = "Rejected"
        elif action == "SetChargingProfile":
            held.add(payload["csChargingProfiles"]["chargingProfileId"])
        played.answer({"status": status})

    assert held == {13, 23}


def test_a_cap_whose_removal_is_answered_late_is_not_taken_away_for_ever() -> None:
    played = Played(seen=ChargerSeen("CP1", connectors=1, capped=True), knows_trigger=False)
    played.boot()
    played.status("Available")
    played.offer(0, 1)
    cleared, late = 0, list[tuple[float, str]]()
    until = played.now + 1_800
    while played.now < until:
        played.wait(0.5)
        while played.calls:
            name, action, _payload = played.calls[0]
            if action == "ClearChargingProfile":
                cleared += 1
                late.append((played.now + 31, name))
                played.calls.pop(0)
            else:
                played.answer({"status": "Accepted"})
        while late and late[0][0] <= played.now:
            played.feed(Received(json.dumps([3, late.pop(0)[1], {"status": "Accepted"}])))

    assert cleared <= 2
    assert played.facts(OfferAnswered, all_of_them=True)[-1].outcome == "accepted"


def test_a_limit_that_pushed_a_clear_aside_is_told_once_more_after_its_time() -> None:
    """quirks.md, 0 A: "clearing may act up to 30 s later"."""
    played = Played(seen=ChargerSeen("CP1", connectors=1, capped=True), knows_trigger=False)
    played.boot()
    played.status("Available")
    played.offer(0, 1)
    while not played.profiles():
        played.answer({"status": "Accepted"})
    played.answer({"status": "Accepted"})
    assert played.calls.pop(0)[1] == "ClearChargingProfile"
    played.status("Preparing")
    played.start()
    played.offer(10_000, 2, session=True, urgent=True)
    played.wait(0.6)
    while played.calls:
        played.answer({"status": "Accepted"})
    played.wait(35)

    assert {purpose(p) for p in played.profiles()} == {"TxProfile"}


def test_a_cap_that_was_none_is_no_reason_to_tell_the_default_again() -> None:
    played = Played(seen=ChargerSeen("CP1", connectors=1, capped=True), knows_trigger=False)
    played.boot()
    played.offer(0, 1)
    asked = []
    while played.calls:
        asked.append(played.calls[0][1])
        played.answer({"status": "Unknown" if asked[-1] == "ClearChargingProfile" else "Accepted"})

    assert asked.count("SetChargingProfile") == 1
    assert [(f.offer_id, f.outcome) for f in played.facts(OfferAnswered, all_of_them=True)] == [
        (1, "accepted")]  # fmt: skip
    assert not played.records(ChargerSeen)[-1].capped


def test_a_cap_whose_removal_is_not_answered_delays_its_default_once() -> None:
    played = Played(seen=ChargerSeen("CP1", connectors=1, capped=True), knows_trigger=False)
    played.boot()
    played.status("Available")
    played.offer(0, 1)
    while not played.profiles():
        played.answer({"status": "Unknown"})
    played.answer({"status": "Accepted"})
    assert len(played.asked("ClearChargingProfile")) == 1

    played.wait(30.1)
    played.answer({"status": "Accepted"}, "SetChargingProfile")

    assert outcomes(played) == [(1, "accepted")]
    assert len(played.asked("ClearChargingProfile")) == 1
    assert not [r for r in played.records(ChargerSeen) if not r.capped], "it may stand still"


def test_c2_a_default_refused_once_the_cap_is_taken_away_goes_on_to_its_next_form() -> None:
    played = Played(seen=ChargerSeen("CP1", connectors=1, capped=True), knows_trigger=False)
    played.offer(0, 1)
    played.boot()
    played.status("Available")
    while not played.profiles():
        played.answer({"status": "Accepted"})
    played.answer({"status": "Accepted"})
    for profile_id in (15, 16):
        assert [p["id"] for p in played.asked("ClearChargingProfile")] == [profile_id]
        played.answer({"status": "Rejected"})
    before = played.profiles()
    played.answer({"status": "Rejected"})

    assert outcomes(played) == [], "it may be gone with the cap"
    assert len(played.profiles()) == 1
    assert played.profiles() != before
    played.yes()
    assert outcomes(played)[-1] == (1, "accepted")
    assert not [r for r in played.records(ChargerSeen) if not r.capped], "its cap stays"


def test_c2_a_cap_is_remembered_over_its_link() -> None:
    played = charging()
    played.offer(6_000, 2, session=True)
    while purpose(played.profiles()[0]) != "ChargePointMaxProfile":
        played.answer({"status": "Rejected"})
    played.feed(Gone("lost"))

    assert played.records(ChargerSeen)[-1].capped, "it may have come through"


def test_c2_a_cap_is_written_down_before_it_goes_out_and_no_more_once_it_is_refused() -> None:
    """A power cut forgets what is on the wire."""
    played = charging()
    played.offer(6_000, 2, session=True)
    while purpose(played.profiles()[0]) != "ChargePointMaxProfile":
        assert not [r for r in played.records(ChargerSeen) if r.capped]
        played.answer({"status": "Rejected"})

    kinds = [Record if isinstance(out, Record) else Send for out in played.out
             if isinstance(out, Send) or (isinstance(out, Record) and out.records[-1].capped)]
    assert kinds == [Record, Send]
    while played.profiles():
        played.answer({"status": "Rejected"})
    assert not played.records(ChargerSeen)[-1].capped


def test_p2_a_default_that_stands_as_a_cap_is_told_again_after_a_session_that_took_it_away(
) -> None:
    """flats63, seed 20301: what lay under the cap ruled when the session was over."""
    played = Played()
    played.commission()
    played.offer(0, 1)
    while purpose(played.profiles()[0]) != "ChargePointMaxProfile":
        played.answer({"status": "Rejected"})
    played.yes()
    played.start()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})
    assert outcomes(played) == [(2, "sent")], "what rules without a session is open from here on"
    assert [(purpose(p), limits(p)) for p in played.profiles()] == [
        ("ChargePointMaxProfile", [16.0])]  # fmt: skip
    played.yes()

    played.stop(1001)
    played.offer(0, 3)

    assert [limits(p)[0] for p in played.profiles()] == [0]


def test_c1_a_default_that_was_overtaken_under_a_profile_of_before_is_not_sure() -> None:
    played = charging()
    played.offer(32_000, 2, session=True)
    played.answer({"status": "Accepted"})
    played.offer(10_000, 3, session=True)
    while purpose(played.profiles()[0]) == "TxProfile":
        played.answer({"status": "Rejected"})
    played.offer(8_000, 4, session=True, urgent=True)
    played.wait(0.6)
    played.answer({"status": "Accepted"})

    told = [f.outcome for f in played.facts(OfferAnswered, all_of_them=True) if f.offer_id == 3]
    assert told == ["sent", "unknown"], "the 32 A may rule over it"


def test_c1_a_default_that_is_accepted_late_takes_away_what_would_rule_over_it() -> None:
    played = charging()
    played.offer(32_000, 2, session=True)
    played.answer({"status": "Accepted"})
    played.offer(10_000, 3, session=True)
    while purpose(played.profiles()[0]) == "TxProfile":
        played.answer({"status": "Rejected"})
    played.wait(31)  # it goes on to the next form
    assert len(played.profiles()) == 2
    played.answer({"status": "Accepted"})  # of the first, late
    assert outcomes(played) == []
    played.answer({"status": "Rejected"})

    take_away(played, "Accepted", "Unknown")
    assert outcomes(played) == [(3, "accepted")]


def test_c1_a_default_is_told_again_after_a_session_for_which_another_may_have_been_taken() -> None:
    """us_split, seed 904: the 34 A of an unanswered default ruled over the 6 A from before."""
    played = charging()
    played.offer(34_000, 2, session=True)
    while purpose(played.profiles()[0]) == "TxProfile":
        played.answer({"status": "Rejected"})
    assert purpose(played.profiles()[0]) == "TxDefaultProfile"
    unanswered = played.calls.pop()
    played.wait(31)
    while played.profiles():
        played.answer({"status": "Rejected"})
    assert purpose(unanswered[2]) == "TxDefaultProfile"
    played.stop(1001)
    played.offer(0, 3)

    assert [(purpose(p), limits(p)[0]) for p in played.profiles()] == [("TxDefaultProfile", 0)]


def test_c1_a_profile_whose_removal_was_refused_is_still_in_the_way_of_a_default() -> None:
    played = charging()
    played.offer(20_000, 2, session=True)
    played.answer({"status": "Accepted"})
    played.offer(10_000, 3, session=True)
    takes_only(played, "ChargePointMaxProfile")
    while played.asked("ClearChargingProfile"):
        played.answer({"status": "Rejected"})
    played.answer({"status": "Accepted"}, "SetChargingProfile")
    assert outcomes(played) == [(3, "accepted")], "under a cap the lowest rules"
    played.offer(6_000, 4, session=True)
    takes_only(played, "TxDefaultProfile")

    assert played.asked("ClearChargingProfile"), "the 20 A may rule over it"
    assert outcomes(played) == []


def test_c1_a_default_under_a_profile_that_cannot_be_taken_away_proves_nothing() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})
    played.offer(6_000, 3, session=True, urgent=True)
    while played.calls:
        if not played.profiles():
            played.fail("NotImplemented")
        elif purpose(played.profiles()[0]) == "TxDefaultProfile":
            played.answer({"status": "Accepted"})
        else:
            played.answer({"status": "Rejected"})

    assert outcomes(played) == [(3, "unknown")]


def test_c3_what_is_not_answered_gives_way_to_another_purpose_before_other_shapes() -> None:
    played = charging()
    played.offer(16_000, 2, session=True, urgent=True)
    first = played.profiles()
    played.calls.clear()

    played.wait(10.5)

    assert [purpose(p) for p in first + played.profiles()] == ["TxProfile", "TxDefaultProfile"]
    while played.profiles():
        played.answer({"status": "Accepted"})
    take_away(played, "Unknown")
    played.offer(14_000, 3, session=True, urgent=True)
    assert [purpose(p) for p in played.profiles()] == ["TxDefaultProfile"]  # what it took last


def test_a_lease_is_renewed_at_a_third_of_its_time_and_told_only_when_it_changes() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})

    played.wait(59)
    assert played.profiles() == []
    played.wait(2)
    renewed = played.profiles()
    assert [limits(p)[0] for p in renewed] == [16]
    played.answer({"status": "Accepted"})

    assert outcomes(played) == []


def test_no_lease_is_renewed_while_no_plan_is_made() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"})
    played.now += 60.5

    played.out = played.link.wake(played.now)
    assert played.frames() == []
    played.planned_at = played.now = played.now + 1
    played._took(played.link.wake(played.now))

    assert len(played.profiles()) == 1


def test_the_second_period_of_a_relative_profile_counts_from_the_session_s_start() -> None:
    played = charging()
    played.wait(100)

    played.offer(16_000, 2, session=True)

    periods = played.profiles()[0]["csChargingProfiles"]["chargingSchedule"][
        "chargingSchedulePeriod"
    ]
    assert 279 <= periods[1]["startPeriod"] <= 282


def test_an_offer_for_a_session_that_has_ended_is_not_sent() -> None:
    played = charging()
    played.stop(1001)

    played.offer(16_000, 2, session=True)

    assert played.calls == []


def test_inv_6_a_value_still_in_line_goes_with_the_session_that_it_was_for() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.offer(18_000, 3, session=True)
    played.stop(1001)

    played.answer({"status": "Accepted"})

    assert played.calls == []


def test_inv_6_a_session_that_another_ends_takes_what_is_in_line_along() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.offer(18_000, 3, session=True)
    played.start(tag="OTHER", meter=2000)

    played.answer({"status": "Accepted"})

    assert [p["csChargingProfiles"]["transactionId"] for p in played.profiles()] == [1002]


def test_inv_10_one_that_does_not_obey_is_sent_again_what_stands() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.yes()

    played.offer(16_000, 3, session=True, urgent=True, again=True)

    assert [limits(p)[0] for p in played.profiles()] == [16]
    played.yes()
    played.offer(16_000, 3, session=True, urgent=True, again=True, stop=False)
    assert played.profiles() == []  # once


def test_a_new_session_with_the_same_offer_gets_a_profile_of_its_own() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.yes()
    played.stop(1001)
    played.start(tag="OTHER")

    played.offer(16_000, 3, session=True)

    assert [p["csChargingProfiles"]["transactionId"] for p in played.profiles()] == [1002]


def test_an_offer_that_says_stop_ends_the_session_until_it_has_ended() -> None:
    played = charging()

    played.offer(0, 2, session=True, urgent=True, stop=True)
    played.answer({"status": "Accepted"}, "SetChargingProfile")
    assert played.asked("RemoteStopTransaction") == [{"transactionId": 1001}]
    played.answer({"status": "Rejected"})
    played.wait(11)
    assert played.asked("RemoteStopTransaction") == [{"transactionId": 1001}]
    played.yes()
    played.stop(1001)
    played.wait(30)

    assert played.asked("RemoteStopTransaction") == []


def test_a_charger_past_the_licence_is_told_0_and_starts_no_session() -> None:
    played = Played(terms=Terms(CHARGER, places=0))
    played.boot()
    played.offer(16_000, 1)
    while not played.profiles():
        played.answer({"status": "Accepted"})
    assert limits(played.profiles()[0])[0] == 0
    played.yes()

    assert played.ask("Authorize", {"idTag": "T"})[2]["idTagInfo"]["status"] == "Blocked"
    assert played.start()[2]["idTagInfo"]["status"] == "Blocked"
    assert played.facts(SessionBegan)
    asked = [call for call in played.calls if call[1] == "RemoteStopTransaction"]
    assert len(asked) == 1
    assert played.view().licensed is False


@pytest.mark.parametrize(("places", "said"), [(2, "Accepted"), (1, "Blocked")])
def test_a_start_on_a_connector_that_nobody_has_counted_yet_is_let_in_where_there_is_a_place(
    places: int, said: str
) -> None:
    played = Played(terms=Terms(CHARGER, places=1))
    played.boot()
    played.places = places

    assert played.start(connector=2)[2]["idTagInfo"]["status"] == said


def test_of_two_connectors_with_one_place_the_higher_is_told_0() -> None:
    played = Played(terms=Terms(CHARGER, places=1))
    told: dict[int, float] = {}
    played.boot()
    played.status("Available", 2)
    played.offer(16_000, 1, connector=1)
    played.offer(16_000, 1, connector=2)
    while played.calls:
        _name, action, payload = played.calls[0]
        if action == "SetChargingProfile":
            told[payload["connectorId"]] = limits(payload)[0]
        played.answer({"status": "Accepted"})

    assert told == {1: 16, 2: 0}


def test_a_charger_that_waits_to_be_adopted_is_told_0_until_it_is() -> None:
    played = Played(terms=Terms(CHARGER, adopted=False))
    played.boot()
    played.offer(6_000, 1)
    while not played.profiles():
        played.answer({"status": "Accepted"})
    assert limits(played.profiles()[0])[0] == 0
    played.yes()

    played.feed(TermsNow(Terms(CHARGER)))

    assert limits(played.profiles()[0])[0] == 6
    assert played.ask("Authorize", {"idTag": "T"})[2]["idTagInfo"]["status"] == "Accepted"


def test_a_start_by_hand_is_asked_and_its_tag_is_let_in() -> None:
    played = Played()
    played.commission()
    played.refused.add("LINKRAY")

    played.feed(Command(StartCharging("CP1", 1), 7))
    assert played.asked("RemoteStartTransaction") == [{"idTag": "LINKRAY", "connectorId": 1}]
    played.answer({"status": "Accepted"})

    reply = next(out for out in played.out if isinstance(out, Reply))
    assert (reply.reply_id, reply.answer.ok) == (7, True)
    assert played.start(tag="linkray")[2]["idTagInfo"]["status"] == "Accepted"
    assert played.by_hand
    assert played.records(TransactionBegan)[0].authorised_by == "hand"


def test_a_start_by_hand_lets_its_tag_in_for_two_minutes_only() -> None:
    played = Played()
    played.commission()
    played.refused.add("LINKRAY")
    played.feed(Command(StartCharging("CP1", 1), 7))
    played.answer({"status": "Accepted"})

    played.wait(121)

    assert played.start(tag="LINKRAY")[2]["idTagInfo"]["status"] == "Blocked"


def test_commands_that_cannot_be_are_answered_at_once() -> None:
    played = charging()

    def answer(ask: StartCharging | StopCharging) -> tuple[bool, str]:
        played.feed(Command(ask, 1))
        found = next(out.answer for out in played.out if isinstance(out, Reply))
        return found.ok, found.code

    assert answer(StartCharging("CP1", 1)) == (False, "refused"), "a session runs"
    assert answer(StartCharging("CP1", 9)) == (False, "unknown")
    assert answer(StartCharging("CP1", 1, tag="x" * 21))[0] is False
    played.stop(1001)
    assert answer(StartCharging("CP1", 1, tag="x" * 21)) == (False, "invalid")
    assert answer(StopCharging("CP1", 1)) == (False, "refused")
    played.emergency(True)
    assert answer(StartCharging("CP1", 1)) == (False, "refused")
    assert played.calls == []


def test_a_start_under_emergency_stop_is_refused_in_its_own_words_alone() -> None:
    played = charging()
    played.stop(1001)
    played.emergency(True)

    played.feed(Command(StartCharging("CP1", 1), 1))

    said = next(out.answer for out in played.out if isinstance(out, Reply))
    assert (said.code, said.text) == ("refused", "Emergency stop"), "who shows it says Refused"


def test_a_stop_by_hand_says_what_the_charger_said() -> None:
    for said, ok, code in (({"status": "Accepted"}, True, "ok"),
                           ({"status": "Rejected"}, False, "refused")):  # fmt: skip
        played = charging()
        played.feed(Command(StopCharging("CP1", 1), 3))

        played.answer(said)

        answer = next(out.answer for out in played.out if isinstance(out, Reply))
        assert (answer.ok, answer.code) == (ok, code)


def test_a_command_that_is_not_answered_says_so() -> None:
    played = charging()
    played.feed(Command(StopCharging("CP1", 1), 3))

    played.wait(10.1)

    answer = next(out.answer for out in played.out if isinstance(out, Reply))
    assert (answer.ok, answer.code) == (False, "timeout")


def test_a_command_on_a_link_that_ends_is_answered() -> None:
    played = charging()
    played.feed(Command(StopCharging("CP1", 1), 3))

    played.feed(Gone("closed"))

    assert next(out.answer.code for out in played.out if isinstance(out, Reply)) == "failed"


def test_the_emergency_stop_stops_every_session_and_refuses_new_ones() -> None:
    played = Played()
    played.commission(2)
    played.start(1)
    played.start(2, tag="T2")

    played.feed(Emergency(True))
    played.yes(2)

    stops = [1001, 1002]
    sent = [json.loads(out.text) for out in played.said if isinstance(out, Send)]
    asked = [f[3]["transactionId"] for f in sent if f[2] == "RemoteStopTransaction"]
    assert asked == stops
    assert played.ask("Authorize", {"idTag": "T"})[2]["idTagInfo"]["status"] == "Blocked"
    played.stop(1001, reason="Remote")
    assert played.records(TransactionEnded)[0].reason == "EmergencyStop"


def test_a_session_that_begins_under_the_emergency_stop_is_kept_blocked_and_stopped() -> None:
    played = Played(emergency=True)
    played.commission()

    answer = played.start()

    assert answer[2] == {"idTagInfo": {"status": "Blocked"}, "transactionId": 1001}
    assert played.records(TransactionBegan)[0].id == 1001
    assert played.asked("RemoteStopTransaction") == [{"transactionId": 1001}]


def test_an_emergency_stop_that_is_over_lets_sessions_begin() -> None:
    played = Played(emergency=True)
    played.commission()

    played.feed(Emergency(False))

    assert played.start()[2]["idTagInfo"]["status"] == "Accepted"


def test_a_balancer_that_begins_anew_is_told_what_stands() -> None:
    played = charging()
    played.offer(16_000, 2, session=True)
    played.yes()

    played.feed(Retell())
    told = [type(fact) for fact in played.facts()]
    assert told[:2] == [ChargerKnown, LinkUp]
    assert SessionBegan in told
    assert StatusSeen in told
    played.offer(16_000, 2, session=True)

    assert played.calls == []
    assert outcomes(played) == [(2, "accepted")], "the number of the new balancer's offer"


def test_a_make_that_must_not_be_told_0_is_stopped_instead() -> None:
    quirk = 'zero = "never"\nwhy = "waits for ever"\nseen = ["x"]\n[[match]]\nvendor = "Acme"\n'
    played = Played(quirks=quirk)
    played.commission()
    played.start()
    played.yes()

    played.offer(0, 2, session=True, urgent=True)

    assert played.profiles() == []
    assert played.asked("RemoteStopTransaction") == [{"transactionId": 1001}]


def test_a_make_that_ignores_the_first_limit_after_0_is_told_twice() -> None:
    quirk = 'twice_after_zero = true\nwhy = "ignored"\nseen = ["x"]\n[[match]]\nvendor = "Acme"\n'
    played = charging(quirks=quirk)
    played.offer(0, 2, session=True)
    played.yes()

    played.offer(10_000, 3, session=True)
    first = played.profiles()
    played.answer({"status": "Accepted"})
    assert outcomes(played) == []
    second = played.profiles()
    played.answer({"status": "Accepted"})

    assert [limits(p)[0] for p in first + second] == [10, 10]
    assert outcomes(played) == [(3, "accepted")]


def test_profile_writes_are_counted_and_shown() -> None:
    played = charging()
    before = played.view().profile_writes

    played.offer(16_000, 2, session=True)
    played.yes()

    assert played.view().profile_writes == before + 1


def test_offers_for_connectors_that_are_not_there_are_left_alone() -> None:
    played = Played()
    played.commission()

    played.offer(16_000, 1, connector=5)

    assert played.calls == []


def test_a_charger_that_is_not_in_the_settings_is_told_no_number_of_phases() -> None:
    played = Played()
    played.commission()
    played.feed(TermsNow(Terms(Charger("CP1"), kept=False, adopted=False)))
    played.start()
    told = played.profiles()[-1]["csChargingProfiles"]["chargingSchedule"]

    periods = told["chargingSchedulePeriod"]
    assert periods[0]["limit"] == 0
    assert all("numberPhases" not in period for period in periods)


NEVER_0 = """
why = "only a stop brings it to 0"
seen = ["somebody"]
match = [{vendor = "Acme"}]
zero = "never"
"""


def begun_at_0(waited_s: float = 0.0) -> Played:
    """Its make cannot be told 0, which was not known yet when its default was; a session begins, or
    has waited in the charger.
    """
    played = Played(quirks=NEVER_0)
    played.offer(0, 1, urgent=True)
    assert limits(played.profiles()[0])[0] == 0
    played.yes()
    played.commission()
    played.start(stamp=at(played.now - waited_s))
    played.offer(0, 2, session=True, urgent=True)
    return played


def test_c7_a_session_that_begins_at_0_by_its_default_gets_20_s_to_find_room() -> None:
    played = begun_at_0()
    assert outcomes(played) == [(2, "accepted")]
    assert played.asked("RemoteStopTransaction") == []
    played.wait(10)
    played.offer(8_000, 3, session=True)
    assert limits(played.profiles()[-1])[0] == 8
    played.yes()
    played.offer(0, 4, session=True, urgent=True)  # now its default rules no more
    assert played.asked("RemoteStopTransaction") == [{"transactionId": 1001}]


@pytest.mark.parametrize("waited_s", [0.0, 1_200.0])
def test_c7_a_session_that_finds_no_room_is_stopped_where_0_cannot_be_told(
    waited_s: float,
) -> None:
    played = begun_at_0(waited_s)
    played.wait(19)
    assert played.asked("RemoteStopTransaction") == []
    played.wait(2)
    assert played.asked("RemoteStopTransaction") == [{"transactionId": 1001}]


RAN = Transaction(77, "CP1", 1, "T", at(0), at(0), 0)


def level(profile: dict) -> int:
    return profile["csChargingProfiles"]["stackLevel"]


def levels(played: Played, highest: int) -> None:
    """Answers GetConfiguration with the highest stack level."""
    assert played.calls[0][1] == "GetConfiguration"
    key = {"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": str(highest)}
    played.answer({"configurationKey": [key]})


def test_an_offer_told_below_what_an_earlier_link_left_is_told_again_on_the_highest_level() -> None:
    """Foreign chargers replace a profile by its level alone: one of level 5 ruled over a new one
    of level 1, told before GetConfiguration was answered.
    """
    played = Played(kept=(RAN,))
    played.offer(0, 2, session=True, urgent=True)
    assert level(played.profiles()[0]) == 1, "nothing better is known"
    played.answer({"status": "Accepted"})
    played.boot()

    levels(played, 5)

    again = played.profiles()[0]
    assert (level(again), limits(again)[0]) == (5, 0)


def test_the_highest_stack_level_is_known_from_the_link_before() -> None:
    played = Played()
    played.boot()
    levels(played, 5)
    seen = [r for out in played.said if isinstance(out, Record) for r in out.records
            if isinstance(r, ChargerSeen)][-1]  # fmt: skip

    again = Played(seen=seen, kept=(RAN,))
    again.offer(0, 2, session=True, urgent=True)
    assert level(again.profiles()[0]) == 5
    again.answer({"status": "Accepted"})
    again.boot()
    levels(again, 5)
    assert again.profiles() == [], "it stands on the right level"


def test_p5_a_session_that_waited_in_its_charger_is_told_an_end_from_its_own_beginning() -> None:
    """Told as if it were new, its car got nothing; and only its charger says how old it is."""
    played = Played()
    played.commission()
    played.start(stamp=at(played.now - 1_200))
    played.offer(16_000, 2, session=True)

    periods = played.profiles()[0]["csChargingProfiles"]["chargingSchedule"]
    assert periods["chargingSchedulePeriod"][1]["startPeriod"] == 1_200 + 180
    played.answer({"status": "Accepted"}, "SetChargingProfile")
    assert [f.lease_s for f in played.facts(OfferAnswered)] == [1_200 + 180]


def test_c28_a_session_is_told_as_young_as_it_is_once_its_charger_s_clock_is_seen_behind() -> None:
    played = Played(start=10_000.0, knows_trigger=False)
    played.boot()
    played.yes()
    played.start(stamp=at(played.now - 7_200))
    for _ in range(4):
        played.meter(6, stamp=at(played.now - 7_200))
        played.wait(10)
    played.offer(16_000, 2, session=True)
    played.answer({"status": "Accepted"}, "SetChargingProfile")

    assert [f.lease_s for f in played.facts(OfferAnswered)] == [180]


def test_a_value_that_waited_in_the_charger_is_no_proof_of_what_it_was_told_since() -> None:
    played = charging()
    played.meter(12)
    played.wait(150)  # its values stop; then they come from its queue
    played.meter(5, stamp=at(played.now - 110))
    assert [(f.at, f.over_s) for f in played.facts(Drawn)] == [(played.now, 110.0)]
    played.wait(10)
    played.meter(5)
    assert [f.over_s for f in played.facts(Drawn)] == [0.0]


def test_inv_10_what_is_out_of_service_is_told_as_it_links_and_when_told_anew() -> None:
    played = Played(seen=ChargerSeen("CP1", connectors=2, inoperative=(2,)))
    assert [f.inoperative for f in played.facts(ChargerKnown, all_of_them=True)] == [(2,)]
    played.feed(Retell())
    assert [f.inoperative for f in played.facts(ChargerKnown)] == [(2,)]


def test_no_socket_s_offer_goes_to_connector_0_where_several_have_shown_themselves() -> None:
    zero = """
why = "its profiles go to connector 0"
seen = ["somebody"]
match = [{vendor = "Acme"}]
connector_zero = true
"""
    played = Played(quirks=zero)
    played.boot()
    played.yes()
    played.status("Available", 2)
    for number in (1, 2):
        played.start(number, tag=f"T{number}")
        played.offer(10_000, number, connector=number, session=True)
    assert [p["connectorId"] for p in played.profiles()] == [1]
    played.yes()
    told = [json.loads(out.text) for out in played.said if isinstance(out, Send)]
    assert [f[3]["connectorId"] for f in told if f[2] == "SetChargingProfile"] == [1, 2]
