"""The small tables of the uplink: whose number is whose, whose key, which values (csms.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linkray.csms.address import BadAddress, read_address
from linkray.csms.ids import KEPT_MAX, Ids, Known, id_in
from linkray.csms.keys import Keys, asked_keys
from linkray.csms.outbox import WINDOW_MAX, Outbox
from linkray.csms.task import client_context
from linkray.csms.thin import Thinning
from linkray.kit.tls import own_certificate
from linkray.model.records import Outgoing
from linkray.model.uplink import Passed

from .central import outgoing

# -- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "number"),
    [(b'{"transactionId":3}', 3), (b"{}", None), (b'{"transactionId":"3"}', None), (b"[", None),
     (b'{"transactionId":1.5}', None)],
)  # fmt: skip
def test_a_number_is_read_where_there_is_one(payload: bytes, number: int | None) -> None:
    assert id_in(payload) == number


def test_of_numbers_the_newest_are_kept() -> None:
    ids = Ids(Known(n, n, n + 1_000) for n in range(KEPT_MAX + 10))

    assert ids.of(9) is None
    assert ids.of(10) == Known(10, 10, 1_010)
    assert ids.at_charger(1_011) == 11
    assert ids.is_taken(11)
    assert not ids.is_taken(9)
    assert ids.learn(11, 5)
    assert not ids.learn(11, 5)
    assert ids.at_charger(5) == 11


# -- keys --------------------------------------------------------------------------------------

BEFORE = {"MeterValueSampleInterval": "60", "MeterValuesSampledData": "Voltage"}


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [("MeterValueSampleInterval", "30", "Accepted"), ("METERVALUESAMPLEINTERVAL", "0", "Accepted"),
     ("MeterValueSampleInterval", "-1", "Rejected"), ("MeterValueSampleInterval", "", "Rejected"),
     ("MeterValueSampleInterval", "1e3", "Rejected"),
     ("MeterValueSampleInterval", "²", "Rejected"),
     ("MeterValueSampleInterval", "86401", "Rejected"),
     ("MeterValuesSampledData", "SoC,Voltage", "Accepted"),
     ("MeterValuesSampledData", "x" * 501, "Rejected"),
     ("LocalAuthorizeOffline", "true", "Accepted"),
     ("MaxChargingProfilesInstalled", "5", "Rejected"),
     ("HeartbeatInterval", "60", None), ("Vendor.Own", "x", None)],
)  # fmt: skip
def test_a_key_is_ours_or_the_chargers(key: str, value: str, status: str | None) -> None:
    assert Keys({}, BEFORE).judge(key, value) == status


def test_without_a_wish_the_csms_gets_what_it_would_have_got_without_linkray() -> None:
    keys = Keys({}, BEFORE)

    assert keys.interval_s == 60
    assert keys.measurands == {"voltage"}
    assert Keys({}, {}).interval_s is None
    assert Keys({}, {}).measurands is None
    assert Keys({"metervaluesampleinterval": "5"}, BEFORE).interval_s == 5
    late = Keys({}, {})
    late.was(BEFORE)
    assert late.interval_s == 60


def told(keys: Keys, *entries: dict[str, Any], asked: tuple[str, ...] = ()) -> dict[str, Any]:
    unknown = ["maxchargingprofilesinstalled"]
    answer = json.dumps({"configurationKey": entries, "unknownKey": unknown})
    payload = json.dumps({"key": asked}).encode()
    return dict(json.loads(keys.told(answer.encode(), asked_keys(payload))))


def test_what_it_reads_back_is_what_it_wrote() -> None:
    keys = Keys({"metervaluesampleinterval": "300"}, BEFORE)

    read = told(keys, {"key": "MeterValueSampleInterval", "readonly": False, "value": "10"},
                {"key": "HeartbeatInterval", "readonly": False, "value": "60"},
                {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core"},
                {"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "3"})  # fmt: skip

    values = {entry["key"]: entry.get("value") for entry in read["configurationKey"]}
    assert values["MeterValueSampleInterval"] == "300"
    assert values["HeartbeatInterval"] == "60"
    assert values["SupportedFeatureProfiles"] == "Core,SmartCharging"
    assert values["ChargeProfileMaxStackLevel"] == "100"
    assert values["MaxChargingProfilesInstalled"] == "32"
    assert "unknownKey" not in read


def test_an_answer_about_other_keys_passes_untouched() -> None:
    answer = b'{ "configurationKey": [ {"key":"HeartbeatInterval","readonly":false} ] }'

    assert Keys({}, BEFORE).told(answer, asked_keys(b'{"key":["HeartbeatInterval"]}')) is answer
    assert Keys({}, BEFORE).told(b"rubbish", frozenset()) == b"rubbish"


# -- values ------------------------------------------------------------------------------------


def values(*samples: str, context: str = "Sample.Periodic", connector: int = 1) -> bytes:
    return json.dumps({"connectorId": connector, "meterValue": [{
        "timestamp": "2026-06-16T06:00:00Z",
        "sampledValue": [{"value": "1", "measurand": m, "context": context} for m in samples],
    }]}).encode()  # fmt: skip


def test_values_pass_as_often_as_the_csms_wished_and_untouched() -> None:
    thinning = Thinning()
    sample = values("Voltage")
    passed = [n for n in range(0, 3_600, 10) if thinning.passes(sample, 60, None, n + n % 3 * 0.4)]

    assert passed == list(range(0, 3_600, 60))
    assert thinning.passes(sample, 60, None, 3_600.0) is sample
    assert Thinning().passes(sample, 0, None, 0.0) is None
    assert Thinning().passes(sample, None, None, 0.0) is sample


def test_an_interval_that_is_no_multiple_of_ours_is_kept_on_average() -> None:
    thinning = Thinning()

    passed = [n for n in range(0, 36_000, 10) if thinning.passes(values("Voltage"), 25, None, n)]

    assert 36_000 / 25 * 0.97 <= len(passed) <= 36_000 / 25 * 1.03


def test_of_values_those_pass_that_the_csms_wished() -> None:
    raw = Thinning().passes(values("Current.Import", "Voltage", "SoC"), 60, frozenset({"soc"}), 0.0)

    assert raw is not None
    samples = json.loads(raw)["meterValue"][0]["sampledValue"]
    assert [one["measurand"] for one in samples] == ["SoC"]
    nothing = Thinning().passes(values("Voltage"), 60, frozenset({"soc"}), 0.0)
    assert nothing is None


@pytest.mark.parametrize("context", ["Transaction.Begin", "Transaction.End", "Sample.Clock"])
def test_what_marks_a_session_or_the_clock_passes_always(context: str) -> None:
    thinning = Thinning()
    assert thinning.passes(values("Voltage"), 60, None, 0.0)

    sample = values("Voltage", context=context)

    assert thinning.passes(sample, 60, frozenset({"soc"}), 1.0) is sample


def test_values_that_linkray_asked_for_stay_and_those_of_the_csms_pass() -> None:
    thinning = Thinning()
    sample = values("Voltage", context="Trigger")
    assert thinning.passes(sample, 60, None, 0.0) is None

    thinning.asked(1)

    assert thinning.passes(sample, 60, None, 1.0) is sample
    assert thinning.passes(sample, 60, None, 2.0) is None


def test_connectors_are_thinned_each_by_itself_and_a_session_begins_with_values() -> None:
    thinning = Thinning()

    assert thinning.passes(values("Voltage"), 60, None, 0.0)
    assert thinning.passes(values("Voltage", connector=2), 60, None, 1.0)
    assert thinning.passes(values("Voltage"), 60, None, 10.0) is None
    thinning.begin(1)
    assert thinning.passes(values("Voltage"), 60, None, 20.0)


@pytest.mark.parametrize("payload", [b"[]", b"{", b'{"meterValue":[{"sampledValue":3}]}'])
def test_what_cannot_be_read_is_the_csms_to_judge(payload: bytes) -> None:
    assert Thinning().passes(payload, 60, None, 0.0) == payload


# -- the line ----------------------------------------------------------------------------------


def test_a_full_line_keeps_what_is_kept_and_says_no_to_the_rest() -> None:
    box = Outbox()
    for n in range(1, WINDOW_MAX + 1):
        assert box.put(outgoing(n), kept=True)

    assert not box.put(Passed("h", "Heartbeat", b"{}"), kept=False)
    assert box.put(outgoing(WINDOW_MAX + 1), kept=True)
    assert box.waiting == WINDOW_MAX + 1
    for _ in range(WINDOW_MAX):
        box.answered()

    assert box.head() is None
    assert not box.is_empty
    assert box.load_after() == WINDOW_MAX
    assert box.load_after() is None, "it is being read"


def test_what_is_written_while_the_store_is_read_is_read_next() -> None:
    box = Outbox(1, newest=1)
    assert box.load_after() == 0

    box.put(outgoing(2), kept=True)
    box.loaded([outgoing(1)], more=False)
    box.answered()

    assert not box.is_empty
    assert box.load_after() == 1
    box.loaded([outgoing(2)], more=False)
    box.put(outgoing(3), kept=True)
    assert [box.answered().what for _ in range(2)] == [outgoing(2), outgoing(3)]
    assert box.is_empty
    assert box.waiting == 0


def test_what_was_counted_and_is_not_there_is_not_waited_for() -> None:
    box = Outbox(3, newest=9)
    assert box.load_after() == 0

    box.loaded([], more=False)

    assert box.is_empty


# -- the address -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "prefix", "where"),
    [("ws://a.example", "", (False, "a.example", 80, "/C%201")),
     ("WSS://a.example/", "", (True, "a.example", 443, "/C%201")),
     ("wss://a.example:8443/ocpp/", "site/", (True, "a.example", 8443, "/ocpp/site/C%201")),
     ("ws://[::1]:9000/x", "", (False, "::1", 9000, "/x/C%201"))],
)  # fmt: skip
def test_an_address_is_taken_apart(url: str, prefix: str, where: tuple[Any, ...]) -> None:
    address = read_address(url)

    assert (address.is_tls, address.host, address.port, address.resource(prefix, "C 1")) == where


@pytest.mark.parametrize(
    "url", ["", "http://a.example", "a.example", "ws://", "ws://u:p@a.example", "ws://a:99999",
            "ws://a.example/?x=1", "ws://a.example/#x"],
)  # fmt: skip
def test_an_address_that_cannot_be_dialled_says_what_was_expected(url: str) -> None:
    with pytest.raises(BadAddress, match="expected"):
        read_address(url)


@pytest.mark.parametrize("ca", ["rubbish", "-----BEGIN CERTIFICATE-----", "\u00e4"])
def test_a_ca_file_without_a_certificate_is_named(ca: str) -> None:
    with pytest.raises(BadAddress, match="PEM"):
        client_context(ca)


def test_a_ca_file_may_have_words_around_its_certificates(tmp_path: Path) -> None:
    pem = own_certificate(tmp_path / "tls").read_text()

    assert client_context(f"# M\u00fcller's own authority\n{pem}").cert_store_stats()["x509"] == 1


def test_one_that_waited_for_the_disk_keeps_its_place_before_what_went_up_meanwhile() -> None:
    box = Outbox()
    box.put(outgoing(1), kept=True)
    box.put(outgoing(3), kept=False)

    box.put(outgoing(2), kept=True)
    box.put(outgoing(2), kept=True)  # read from the store as well

    assert [said(box) for _ in range(3)] == [1, 2, 3]
    assert box.is_empty


def said(box: Outbox) -> int:
    what = box.answered().what
    assert isinstance(what, Outgoing)
    return what.number


def test_what_was_thinned_is_neither_said_nor_waited_for_but_for_what_is_being_said() -> None:
    box = Outbox()
    for n in range(1, WINDOW_MAX + 4):
        box.put(outgoing(n), kept=True)
    assert said(box) == 1
    assert box.head() is not None

    box.thinned(frozenset({1, 2, 3, WINDOW_MAX + 1, WINDOW_MAX + 2}))

    assert box.waiting == WINDOW_MAX + 2 - 4
    assert [said(box) for _ in range(2)] == [2, 4]
    for _ in range(5, WINDOW_MAX + 1):
        box.answered()
    assert box.load_after() == WINDOW_MAX
    box.loaded([outgoing(WINDOW_MAX + 3)], more=False)
    assert said(box) == WINDOW_MAX + 3
    assert (box.waiting, box.is_empty) == (0, True)


def test_a_message_that_was_counted_on_disk_is_not_counted_again_as_it_comes() -> None:
    box = Outbox(waiting=2, newest=9)
    box.put(outgoing(9), kept=True)
    box.put(outgoing(10), kept=True)

    assert box.waiting == 3
    assert box.load_after() == 0
    box.loaded([outgoing(8), outgoing(9), outgoing(10)], more=False)
    assert box.waiting == 3
    assert [said(box) for _ in range(3)] == [8, 9, 10]
    assert (box.waiting, box.is_empty) == (0, True)


def test_what_waits_is_counted_anew_once_all_of_it_is_in_the_line() -> None:
    box = Outbox(waiting=7, newest=9)

    assert box.load_after() == 0
    box.loaded([outgoing(8), outgoing(9)], more=False)

    assert box.waiting == 2


def test_what_was_thinned_while_it_was_said_is_kept_anew_where_the_line_stops() -> None:
    box = Outbox()
    box.put(outgoing(1), kept=True)
    box.thinned(frozenset({1}))

    assert box.waiting == 0
    assert box.keep() == ([outgoing(1)], [])
    assert box.waiting == 1
