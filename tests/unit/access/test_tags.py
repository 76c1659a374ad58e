"""Who may charge while LinkRay decides (access.md, RFID)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from linkray.access.tags import is_vip, may_charge
from linkray.model.settings import Access, Csms, Settings
from linkray.model.tags import Tag

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OPEN = Settings()
LISTED = Settings(access=Access(whitelist=True))
WITH_CSMS_ONLY = Settings(csms=Csms(url="ws://csms", allow_without=False))


def said(tag: str = "TAG", settings: Settings = OPEN, **more: object) -> tuple[str, str]:
    decision = may_charge(tag, settings=settings, **{"emergency": False, "utc": NOW, **more})
    return decision.status, decision.authorised_by


def test_without_a_whitelist_any_tag_charges() -> None:
    assert said() == ("Accepted", "open")


def test_an_empty_tag_charges_nowhere() -> None:
    assert said("  ") == ("Invalid", "")


def test_with_a_whitelist_only_its_tags_charge_and_case_does_not_matter() -> None:
    assert said("TaG", LISTED, row=Tag("tAg")) == ("Accepted", "whitelist")
    assert said("TAG", LISTED) == ("Invalid", "")


def test_a_tag_that_the_csms_has_accepted_counts_as_listed_but_its_row_comes_first() -> None:
    assert said(settings=LISTED, csms_accepted=True) == ("Accepted", "whitelist")
    assert said(settings=LISTED, csms_accepted=True, row=Tag("TAG", allowed=False)) == (
        "Blocked", "",
    )  # fmt: skip


@pytest.mark.parametrize(("settings", "status"), [(LISTED, "Blocked"), (OPEN, "Accepted")])
def test_a_row_that_is_not_allowed_holds_while_the_whitelist_is_on(
    settings: Settings, status: str
) -> None:
    assert said(settings=settings, row=Tag("TAG", allowed=False))[0] == status


@pytest.mark.parametrize(("ms", "status"), [(-1, "Accepted"), (0, "Expired"), (1, "Expired")])
def test_a_tag_expires_at_its_second_and_not_before(ms: int, status: str) -> None:
    row = Tag("TAG", expires="2026-11-23T18:00:00.000Z")
    utc = datetime(2026, 11, 23, 18, tzinfo=UTC) + timedelta(milliseconds=ms)

    assert said(settings=LISTED, row=row, utc=utc)[0] == status
    assert said(settings=OPEN, row=row, utc=utc)[0] == "Accepted"
    vip = msgspec.structs.replace(row, type="VIP")
    assert is_vip("TAG", OPEN, vip, utc) is (status == "Accepted")


@pytest.mark.parametrize("settings", [OPEN, LISTED, WITH_CSMS_ONLY])
def test_an_admin_tag_ends_sessions_and_charges_nothing_whatever_is_set(settings) -> None:
    decision = may_charge(
        "TAG", settings=settings, emergency=False, utc=NOW, row=Tag("TAG", type="Admin")
    )

    assert (decision.accepted, decision.ends) == (False, True)


@pytest.mark.parametrize("row", [
    Tag("TAG", type="Admin", allowed=False),
    Tag("TAG", type="Admin", expires="2026-11-22T18:00:00.000Z"),
])  # fmt: skip
def test_an_admin_tag_that_does_not_hold_ends_nothing_and_charges_nothing(row: Tag) -> None:
    decision = may_charge("TAG", settings=OPEN, emergency=False, utc=NOW, row=row)

    assert (decision.accepted, decision.ends) == (False, False)


def test_an_admin_tag_that_somebody_types_charges_nothing_and_ends_nothing() -> None:
    decision = may_charge("TAG", settings=OPEN, emergency=False, utc=NOW, by_hand=True,
                          row=Tag("TAG", type="Admin"))  # fmt: skip

    assert (decision.accepted, decision.ends) == (False, False)


def test_a_row_of_the_type_vip_gives_priority_as_the_settings_do() -> None:
    decision = may_charge("tag", settings=LISTED, emergency=False, utc=NOW,
                          row=Tag("TAG", type="VIP"))  # fmt: skip

    assert (decision.accepted, decision.vip) == (True, True)


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

    decision = may_charge(tag, settings=settings, emergency=False, utc=NOW, by_hand=by_hand)

    assert (decision.accepted, decision.vip) == (True, vip)
    assert is_vip(tag, settings, None, NOW) is vip


def test_a_vip_tag_is_no_way_round_a_refusal() -> None:
    settings = Settings(access=Access(whitelist=True, vip=("TAG",)))

    for emergency in (False, True):
        decision = may_charge("TAG", settings=settings, emergency=emergency, utc=NOW)

        assert (decision.accepted, decision.vip) == (False, False)


def test_nobody_charges_under_the_emergency_stop() -> None:
    for by_hand in (False, True):
        decision = may_charge("TAG", settings=OPEN, emergency=True, utc=NOW, by_hand=by_hand)

        assert decision.status == "Blocked"
        assert not decision.accepted
        assert decision.text == "emergency stop"
