"""What a CSMS sets and the disk does not take is refused, and nothing of it holds (csms.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.csms.central import Central

from linkray.model.uplink import Asks

PROFILE = {
    "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative", "chargingSchedule": {
        "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]},
}  # fmt: skip
TX = {**PROFILE, "chargingProfilePurpose": "TxProfile"}
SET = ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE})
INTERVAL = ("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "60"})
PASSWORD = ("ChangeConfiguration", {"key": "AuthorizationKey", "value": "0123456789abcdef"})
START = ("RemoteStartTransaction", {"connectorId": 1, "idTag": "T", "chargingProfile": TX})
CLEAR = ("ClearChargingProfile", {"id": 1})
REJECTED = {"status": "Rejected"}


def composite(csms: Central) -> list[dict[str, Any]]:
    """What is allowed for the next minute, as the CSMS reads it back."""
    csms.call("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, "g")
    periods: list[dict[str, Any]] = csms.frames[-1][2]["chargingSchedule"]["chargingSchedulePeriod"]
    return periods


@pytest.mark.parametrize("call", [SET, INTERVAL, PASSWORD, START])
def test_what_the_disk_does_not_take_is_rejected_and_nothing_of_it_holds(call: Any) -> None:
    csms = Central()
    csms.arrive()
    before = composite(csms)
    csms.is_disk_well = False

    csms.call(*call, "q")

    assert csms.frames[-1] == [3, "q", REJECTED]
    assert csms.notes[-1] == "wish of the CSMS refused"
    assert composite(csms) == before
    assert csms.bounds == []
    assert csms.relay.keys.interval_s is None
    assert not [item for item in csms.to_link if isinstance(item, Asks)]
    again = csms.restart()
    again.arrive()
    assert composite(again) == before


@pytest.mark.parametrize("call", [SET, INTERVAL, PASSWORD, START])
def test_when_the_disk_is_well_again_the_same_is_accepted(call: Any) -> None:
    csms = Central()
    csms.arrive()
    csms.is_disk_well = False
    csms.call(*call, "q")
    csms.is_disk_well = True

    csms.call(*call, "r")

    assert csms.kept is not None
    if call is START:
        assert "chargingProfile" not in json.loads(csms.asked.payload)
    else:
        assert csms.frames[-1] == [3, "r", {"status": "Accepted"}]


def test_a_profile_that_cannot_be_forgotten_holds_on_and_that_is_said() -> None:
    csms = Central()
    csms.arrive()
    csms.call(*SET, "q")
    limited = composite(csms)
    csms.is_disk_well = False

    csms.call(*CLEAR, "r")

    assert csms.frames[-1][:3] == [4, "r", "InternalError"]
    assert composite(csms) == limited
    assert [period["limit"] for period in limited] == [10.0]
    csms.is_disk_well = True
    csms.call(*CLEAR, "s")
    assert csms.frames[-1] == [3, "s", {"status": "Accepted"}]
    assert composite(csms) != limited
