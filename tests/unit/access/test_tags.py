"""Who may charge while LinkRay decides (access.md, RFID)."""

from __future__ import annotations

import pytest

from linkray.access.tags import is_vip, may_charge
from linkray.model.settings import Access, Csms, Settings

OPEN = Settings()
LISTED = Settings(access=Access(whitelist=True))
WITH_CSMS_ONLY = Settings(csms=Csms(url="ws://csms", allow_without=False))


def said(tag: str = "TAG", settings: Settings = OPEN, **more: object) -> tuple[str, str]:
    decision = may_charge(tag, settings=settings, **{"emergency": False, **more})
    return decision.status, decision.authorised_by


def test_without_a_whitelist_any_tag_charges() -> None:
    assert said() == ("Accepted", "open")


def test_an_empty_tag_charges_nowhere() -> None:
    assert said("  ") == ("Invalid", "")


def test_with_a_whitelist_only_its_tags_charge_and_case_does_not_matter() -> None:
    listed = frozenset({"tag"})

    assert said("TaG", LISTED, listed=listed) == ("Accepted", "whitelist")
    assert said("OTHER", LISTED, listed=listed) == ("Invalid", "")
    assert said("TAG", LISTED) == ("Invalid", "")


def test_a_start_by_hand_needs_no_whitelist() -> None:
    assert said("LINKRAY", LISTED, by_hand=True) == ("Accepted", "hand")


def test_nobody_charges_without_the_csms_where_the_settings_say_so() -> None:
    assert said(settings=WITH_CSMS_ONLY) == ("Blocked", "")
    assert said(settings=WITH_CSMS_ONLY, by_hand=True) == ("Blocked", "")


@pytest.mark.parametrize(("tag", "vip"), [
    ("Boss", True), ("BOSS", True), ("boss ", True), ("STRASSE", True), ("bos", False),
    ("TAG", False),
])  # fmt: skip
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_vip_tag_is_known_whatever_its_case(tag: str, vip: bool, by_hand: bool) -> None:
    settings = Settings(access=Access(vip=("boSS", "straße")))

    decision = may_charge(tag, settings=settings, emergency=False, by_hand=by_hand)

    assert (decision.accepted, decision.vip) == (True, vip)
    assert is_vip(tag, settings) is vip


def test_a_vip_tag_is_no_way_round_a_refusal() -> None:
    settings = Settings(access=Access(whitelist=True, vip=("TAG",)))

    assert not may_charge("TAG", settings=settings, emergency=False).vip
    assert not may_charge("TAG", settings=settings, emergency=True).accepted


def test_nobody_charges_under_the_emergency_stop() -> None:
    for by_hand in (False, True):
        decision = may_charge("TAG", settings=OPEN, emergency=True, by_hand=by_hand)

        assert decision.status == "Blocked"
        assert not decision.accepted
        assert decision.text == "emergency stop"
