"""Numbers that nobody can hold in what the CSMS says (A33, P14): answered, never fatal."""

from __future__ import annotations

import pytest
from tests.unit.csms.central import Central, outgoing

from linkray.csms.wire import Received
from linkray.model.uplink import Asks, Replied

HUGE = ("1" + 30 * "0", 5_000 * "9", "9223372036854775808", "1e400", "-1e400", "NaN", "Infinity")
ODD = (*HUGE, "1e30", "-1", "0.5", "9223372036854775807", "null", '"7"', "[]", "{}")
PROFILE = (
    '{"chargingProfileId":NUMBER,"stackLevel":NUMBER,"chargingProfilePurpose":"TxDefaultProfile",'
    '"chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A",'
    '"startSchedule":"2026-06-16T06:00:00Z","duration":NUMBER,'
    '"chargingSchedulePeriod":[{"startPeriod":0,"limit":NUMBER}]}}'
)
ID_ALONE = PROFILE.replace("NUMBER", "1").replace('ProfileId":1', 'ProfileId":NUMBER')


@pytest.mark.parametrize("number", HUGE)
def test_an_answer_with_a_number_that_none_can_hold_is_an_error_like_any_other(number: str) -> None:
    csms = Central()
    csms.arrive()
    csms.answers = lambda _call: None
    csms.store(outgoing(1, "StartTransaction"), outgoing(2, "StopTransaction"))

    for _ in range(3):
        (call,) = csms.open
        csms.open.clear()
        said = f'{{"transactionId":{number},"idTagInfo":{{"status":"Accepted"}}}}'
        csms.feed(Received(f'[3,"{call[1]}",{said}]'))
        csms.passes(60)

    assert csms.aside[1].startswith("FormationViolation: expected")
    assert csms.left() == []
    assert csms.is_live


@pytest.mark.parametrize("number", ODD)
@pytest.mark.parametrize(("action", "payload"), [
    ("SetChargingProfile", f'{{"connectorId":1,"csChargingProfiles":{PROFILE}}}'),
    ("SetChargingProfile", f'{{"connectorId":1,"csChargingProfiles":{ID_ALONE}}}'),
    ("RemoteStartTransaction", f'{{"connectorId":1,"idTag":"T","chargingProfile":{PROFILE}}}'),
    ("RemoteStartTransaction", f'{{"connectorId":1,"idTag":"T","chargingProfile":{ID_ALONE}}}'),
    ("GetCompositeSchedule", '{"connectorId":1,"duration":NUMBER}'),
    ("ClearChargingProfile", '{"id":NUMBER}'),
    ("RemoteStopTransaction", '{"transactionId":NUMBER}'),
    ("TriggerMessage", '{"requestedMessage":"MeterValues","connectorId":NUMBER}'),
    ("ChangeConfiguration", '{"key":"MeterValueSampleInterval","value":NUMBER}'),
])  # fmt: skip
def test_a_call_with_any_number_gets_one_answer_and_ends_nobody(
    action: str, payload: str, number: str
) -> None:
    csms = Central()
    csms.arrive()

    csms.feed(Received(f'[2,"q","{action}",{payload.replace("NUMBER", number)}]'))
    for asked in [item for item in csms.to_link if isinstance(item, Asks)]:
        csms.feed(Replied(asked.call_id, b"{}"))
    csms.passes(90_000)
    csms.call("GetCompositeSchedule", {"connectorId": 1, "duration": 600}, "g")

    assert [frame[1] for frame in csms.frames if frame[1] == "q"] == ["q"]
    assert csms.frames[-1][:2] == [3, "g"]
    csms.restart().arrive()
