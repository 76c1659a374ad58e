"""What a charger meant: what is mended and counted, what cannot be read, and what times mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from linkray.ocpp import messages as m
from linkray.ocpp.lenient import (
    DEVIATIONS_MAX,
    Unreadable,
    _fields,
    _Mending,
    moment,
    prepare,
    read_as,
    read_exactly,
)

NOW = "2026-01-02T03:04:05Z"


def values(**sample: object) -> dict[str, object]:
    return {
        "connectorId": 1,
        "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": "1", **sample}]}],
    }


START = {"connectorId": 1, "idTag": "A1", "meterStart": 10, "timestamp": NOW}
STOP = {"transactionId": 5, "meterStop": 20, "timestamp": NOW}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}


def encoded(payload: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(payload))


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        (m.BootNotification, BOOT),
        (m.Authorize, {"idTag": "A1"}),
        (m.StartTransaction, START),
        (m.StopTransaction, STOP),
        (m.MeterValues, values(measurand="Current.Import", unit="A", phase="L1-N")),
        (m.StatusNotification, STATUS),
        (m.Heartbeat, {}),
        (m.DataTransfer, {"vendorId": "v", "data": "{[1]}"}),
        (m.DiagnosticsStatusNotification, {"status": "Idle"}),
        (m.FirmwareStatusNotification, {"status": "Installed"}),
        (m.GetConfigurationResponse, {"configurationKey": [{"key": "a", "readonly": True}]}),
        (m.SetChargingProfileResponse, {"status": "Accepted"}),
    ],
)
def test_what_is_as_ocpp_has_it_deviates_in_nothing(
    type_: type[m.Payload], payload: dict[str, object]
) -> None:
    read, deviations = read_as(type_, encoded(payload))
    assert deviations == ()
    assert {**msgspec.json.decode(msgspec.json.encode(read)), **payload} == payload


@pytest.mark.parametrize(
    ("type_", "payload", "path", "field", "meant"),
    [
        (m.StartTransaction, {**START, "connectorId": "1"}, "$.connectorId", "connector_id", 1),
        (m.StartTransaction, {**START, "meterStart": 12.7}, "$.meterStart", "meter_start", 12),
        (m.StartTransaction, {**START, "meterStart": "-3.5"}, "$.meterStart", "meter_start", -4),
        (m.StartTransaction, {**START, "idTag": 123}, "$.idTag", "id_tag", "123"),
        (m.StartTransaction, {**START, "idTag": True}, "$.idTag", "id_tag", "true"),
        (m.StartTransaction, {**START, "idTag": "x" * 30}, "$.idTag", "id_tag", "x" * 30),
        (m.StartTransaction, {**START, "idTag": "x" * 999}, "$.idTag", "id_tag", "x" * 255),
        (m.StartTransaction, {**START, "reservationId": "no"}, "$.reservationId",
         "reservation_id", None),
        (m.StopTransaction, {"transactionId": 5, "timestamp": NOW}, "$.meterStop", "meter_stop",
         None),
        (m.StopTransaction, {**STOP, "reason": "Foo"}, "$.reason", "reason", "Other"),
        (m.StopTransaction, {**STOP, "reason": "remote"}, "$.reason", "reason", "Remote"),
        (m.StopTransaction, {**STOP, "transactionData": "no"}, "$.transactionData",
         "transaction_data", ()),
        (m.StatusNotification, {**STATUS, "status": " suspendedev"}, "$.status", "status",
         "SuspendedEV"),
        (m.StatusNotification, {**STATUS, "errorCode": "Foo"}, "$.errorCode", "error_code",
         "OtherError"),
        (m.StatusNotification, {"connectorId": 1, "status": "Faulted"}, "$.errorCode", "error_code",
         "NoError"),
        (m.StatusNotification, {**STATUS, "info": "x" * 60}, "$.info", "info", "x" * 60),
        (m.BootNotification, {"chargePointModel": "m"}, "$.chargePointVendor",
         "charge_point_vendor", ""),
        (m.BootNotification, {**BOOT, "chargePointVendor": None}, "$.chargePointVendor",
         "charge_point_vendor", ""),
        (m.BootNotification, {**BOOT, "iccid": 8944.0}, "$.iccid", "iccid", "8944.0"),
    ],
)  # fmt: skip
def test_what_was_meant_is_read_and_counted(
    type_: type[m.Payload], payload: dict[str, object], path: str, field: str, meant: object
) -> None:
    read, deviations = read_as(type_, encoded(payload))
    assert getattr(read, field) == meant
    assert [one.path for one in deviations] == [path]
    assert deviations[0].text


@pytest.mark.parametrize(
    ("sample", "field", "meant"),
    [
        ({"value": 15.9}, "value", "15.9"),
        ({"value": 15}, "value", "15"),
        ({"value": None}, "value", ""),
        ({"unit": "kA"}, "unit", "kA"),
        ({"unit": "a"}, "unit", "A"),
        ({"measurand": "Foo.Bar"}, "measurand", "Foo.Bar"),
        ({"phase": "L7"}, "phase", "L7"),
        ({"context": "Never"}, "context", "Never"),
    ],
)
def test_a_sample_keeps_words_that_ocpp_does_not_know_and_counts_them(
    sample: dict[str, object], field: str, meant: str
) -> None:
    read, deviations = read_as(m.MeterValues, encoded(values(**sample)))
    assert getattr(read.meter_value[0].sampled_value[0], field) == meant
    assert [one.path for one in deviations] == [f"$.meterValue[0].sampledValue[0].{field}"]


def test_a_sample_alone_is_read_as_a_list_of_one() -> None:
    payload = {"connectorId": 1, "meterValue": {"timestamp": NOW, "sampledValue": {"value": "1"}}}
    read, deviations = read_as(m.MeterValues, encoded(payload))
    assert read.meter_value[0].sampled_value == (m.SampledValue("1"),)
    assert len(deviations) == 2


@pytest.mark.parametrize("said", ["true", "True", 1, "1"])
def test_a_boolean_in_another_dress_is_read(said: object) -> None:
    payload = {"configurationKey": [{"key": "a", "readonly": said}]}
    read, deviations = read_as(m.GetConfigurationResponse, encoded(payload))
    assert read.configuration_key[0].readonly is True
    assert len(deviations) == 1


def profile(limit: object, **schedule: object) -> dict[str, object]:
    """A SetChargingProfile whose one period has this limit."""
    periods = [{"startPeriod": 0, "limit": limit}]
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A", "chargingSchedulePeriod": periods, **schedule,
            },
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "meant"), [("16", 16.0), (" 16.5 ", 16.5), ("-1", -1.0), (16, 16.0), (16.5, 16.5)]
)
def test_a_limit_in_another_dress_is_read(said: object, meant: float) -> None:
    read, deviations = read_as(m.SetChargingProfile, encoded(profile(said, duration="60")))
    schedule = read.cs_charging_profiles.charging_schedule
    assert schedule.charging_schedule_period[0].limit == meant
    assert schedule.duration == 60
    at = "$.csChargingProfiles.chargingSchedule.chargingSchedulePeriod[0].limit"
    assert (at in [one.path for one in deviations]) == isinstance(said, str)


@pytest.mark.parametrize("said", [True, "much", "NaN", "1e3", [16], {}, 10**400], ids=range(7))
def test_a_limit_that_is_no_number_is_told_with_its_place(said: object) -> None:
    raw = msgspec.Raw(json.dumps(profile(said, duration="60")).encode())
    with pytest.raises(Unreadable, match=r"chargingSchedulePeriod\[0\].limit") as caught:
        read_as(m.SetChargingProfile, raw)
    assert caught.value.code == "TypeConstraintViolation"


def test_an_optional_rate_that_is_no_number_is_left_out() -> None:
    read, deviations = read_as(m.SetChargingProfile, encoded(profile(16, minChargingRate="low")))
    assert read.cs_charging_profiles.charging_schedule.min_charging_rate is None
    assert any("left out" in one.text for one in deviations)


def payloads() -> list[type[m.Payload]]:
    """Every struct that stands for a message or a part of one."""
    found, waiting = [], [m.Payload]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        found += kinds
        waiting += kinds
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("value", [True, "x", 1.5, [], ["x"], {"x": 1}, -1])
@pytest.mark.parametrize("type_", payloads(), ids=lambda kind: kind.__name__)
def test_a_value_of_any_wrong_kind_in_any_field_is_mended_or_told(
    type_: type[m.Payload], value: object
) -> None:
    for field in _fields(type_):
        try:
            _Mending()._read(field.type, value, "$", (type_, field.name))
        except Unreadable as error:
            assert error.text


@pytest.mark.parametrize("given", ["null", "[]"])
def test_nothing_stands_for_an_empty_object(given: str) -> None:
    assert read_as(m.Heartbeat, given.encode())[0] == m.Heartbeat()
    with pytest.raises(Unreadable) as caught:
        read_as(m.Authorize, given.encode())
    assert caught.value.code == "OccurenceConstraintViolation"


@pytest.mark.parametrize(
    ("type_", "raw", "code"),
    [
        (m.Authorize, b"{}", "OccurenceConstraintViolation"),
        (m.StartTransaction, b'{"connectorId":1,"idTag":"a"}', "OccurenceConstraintViolation"),
        (m.StopTransaction, b'{"meterStop":1}', "OccurenceConstraintViolation"),
        (m.Authorize, b'"A1"', "FormationViolation"),
        (m.Authorize, b"[1]", "FormationViolation"),
        (m.Authorize, b"{", "FormationViolation"),
        (m.Authorize, b'{"idTag":"\xff"}', "FormationViolation"),
        (m.Authorize, b'{"idTag":[]}', "TypeConstraintViolation"),
        (m.Authorize, b'{"idTag":{}}', "TypeConstraintViolation"),
        (m.MeterValues, b'{"connectorId":1,"meterValue":7}', "TypeConstraintViolation"),
        (m.MeterValues, b'{"connectorId":1,"meterValue":[7]}', "TypeConstraintViolation"),
        (m.MeterValues, b'{"connectorId":true,"meterValue":[]}', "TypeConstraintViolation"),
        (m.MeterValues, b'{"connectorId":"1_0","meterValue":[]}', "TypeConstraintViolation"),
        (m.MeterValues, '{"connectorId":"１６","meterValue":[]}'.encode(),
         "TypeConstraintViolation"),
        (m.MeterValues, b'{"connectorId":1e300,"meterValue":[]}', "TypeConstraintViolation"),
        (m.MeterValues, b'{"connectorId":9223372036854775808,"meterValue":0}',
         "TypeConstraintViolation"),
        (m.MeterValues, b'{"connectorId":"999999999999999999.0","meterValue":0}',
         "TypeConstraintViolation"),
        (m.StatusNotification, b'{"connectorId":1,"errorCode":"NoError","status":"Foo"}',
         "TypeConstraintViolation"),
        (m.SetChargingProfileResponse, b'{"status":"Maybe"}', "TypeConstraintViolation"),
        (m.GetConfigurationResponse, b'{"configurationKey":[{"readonly":true}]}', None),
    ],
)  # fmt: skip
def test_what_cannot_be_read_gets_ocpps_code(
    type_: type[m.Payload], raw: bytes, code: str | None
) -> None:
    if code is None:  # an optional that cannot be read is left out
        assert read_as(type_, raw)[0] == type_()
        return
    with pytest.raises(Unreadable) as caught:
        read_as(type_, raw)
    assert caught.value.code == code
    assert "expected" in caught.value.text


def test_outside_the_hot_path_the_schema_sees_what_a_struct_does_not() -> None:
    _, deviations = read_as(m.BootNotification, encoded({**BOOT, "foo": 1, "iccid": None}))
    assert sorted(one.path for one in deviations) == ["$", "$.iccid"]
    assert all(one.text.startswith("schema") for one in deviations)
    _, deviations = read_as(m.BootNotification, encoded({"chargePointModel": "m", "foo": 1}))
    assert sorted(one.path for one in deviations) == ["$", "$.chargePointVendor"]


def test_a_boolean_that_is_none_leaves_out_the_optional_that_holds_it() -> None:
    payload = {"configurationKey": [{"key": "a", "readonly": "maybe"}]}
    read, deviations = read_as(m.GetConfigurationResponse, encoded(payload))
    assert read.configuration_key == ()
    assert "true or false" in deviations[0].text


def test_what_is_right_beside_what_was_mended_stays_as_it_was() -> None:
    payload = {"configurationKey": [{"key": 5, "readonly": True, "value": "x"}]}
    read, deviations = read_as(m.GetConfigurationResponse, encoded(payload))
    assert read.configuration_key == (m.ConfigurationKey("5", readonly=True, value="x"),)
    assert len(deviations) == 1


def test_every_schema_can_be_loaded_before_the_first_boot() -> None:
    prepare()
    assert read_as(m.BootNotification, encoded(BOOT))[1] == ()


def test_what_the_schema_says_is_bounded_too() -> None:
    keys = [{"key": "a", "readonly": True, "more": 1}] * 100
    read, deviations = read_as(m.GetConfigurationResponse, encoded({"configurationKey": keys}))
    assert len(read.configuration_key) == 100
    assert len(deviations) == DEVIATIONS_MAX


def test_a_payload_full_of_deviations_is_bounded() -> None:
    payload = {"connectorId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": [
        {"value": n} for n in range(500)]}]}  # fmt: skip
    read, deviations = read_as(m.MeterValues, encoded(payload))
    assert len(read.meter_value[0].sampled_value) == 500
    assert len(deviations) == DEVIATIONS_MAX


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        (NOW, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.678Z", datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T03:04:05+10:00", datetime(2026, 1, 1, 17, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05-0930", datetime(2026, 1, 2, 12, 34, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04Z", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-12-31T23:59:60Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
        ("2015-01-01T00:00:00Z", datetime(2015, 1, 1, tzinfo=UTC)),
        ("2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_t8_a_believable_time_is_read_in_utc(text: str, utc: datetime) -> None:
    assert moment(text) == utc


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2024-W31-2", "2026-01-02", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z",
        "2014-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "2015-01-01T00:00:00+01:00",
        "2099-12-31T23:59:59-01:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05+15:00", "2026-01-02T03:04:05+05:99", "２026-01-02T03:04:05Z",
        "2026-01-02T03:04:05Z ", "2026-01-02T03:04:05.Z", "20260102T030405Z", "1767323045",
        "2026-01-02T03:04:05Z\n",
    ],
)  # fmt: skip
def test_t8_an_unbelievable_time_is_none(text: str) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-01-02T03:04:05", "like"), ("1970-01-01T00:00:00Z", "2015 to 2099"), ("", "2015"),
     ("2026-01-02 03:04:05Z", "like")],
)  # fmt: skip
@pytest.mark.parametrize("type_", [m.StartTransaction, m.StopTransaction, m.StatusNotification,
                                   m.MeterValues])  # fmt: skip
def test_t8_a_time_that_is_not_ocpps_is_counted_and_kept(
    type_: type[m.Payload], text: str, expected: str
) -> None:
    given = {
        m.StartTransaction: START,
        m.StopTransaction: STOP,
        m.StatusNotification: STATUS,
        m.MeterValues: values(),
    }[type_]
    payload = {**given, "timestamp": text}
    if type_ is m.MeterValues:
        payload = {"connectorId": 1, "meterValue": [{"timestamp": text, "sampledValue": []}]}
    read, deviations = read_as(type_, encoded(payload))
    assert len(deviations) == 1
    assert expected in deviations[0].text
    kept = read.meter_value[0].timestamp if isinstance(read, m.MeterValues) else read.timestamp
    assert kept == text


def test_t8_times_in_the_values_of_a_stop_are_looked_at_too() -> None:
    payload = {**STOP, "transactionData": [{"timestamp": "x", "sampledValue": []}]}
    _, deviations = read_as(m.StopTransaction, encoded(payload))
    assert [one.path for one in deviations] == ["$.transactionData[0].timestamp"]


# what a CSMS writes

SET = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
        },
    },
}  # fmt: skip


def spoilt(path: str, value: object) -> bytes:
    """SET with another value at a path; None: without it."""
    wire = msgspec.json.decode(msgspec.json.encode(SET))
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner = wire
    for part in way:
        inner = inner[part]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return msgspec.json.encode(wire)


PERIOD = "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.0"
PERIODS = "$.csChargingProfiles.chargingSchedule.chargingSchedulePeriod"


@pytest.mark.parametrize(
    ("path", "value", "code", "why"),
    [
        (f"{PERIOD}.limit", "16", "TypeConstraintViolation",
         f"Expected `float`, got `str` - at `{PERIODS}[0].limit`"),
        (f"{PERIOD}.startPeriod", 1.5, "TypeConstraintViolation", "Expected `int`, got `float`"),
        (f"{PERIOD}.limit", None, "OccurenceConstraintViolation", "missing required field `limit`"),
        ("csChargingProfiles.chargingProfilePurpose", "TxMaxProfile", "TypeConstraintViolation",
         "Invalid enum value 'TxMaxProfile' - at `$.csChargingProfiles.chargingProfilePurpose`"),
        ("csChargingProfiles.chargingSchedule.chargingRateUnit", "kW", "TypeConstraintViolation",
         "chargingRateUnit`; 'kW' is not one of ['A', 'W']"),
        ("connectorId", None, "OccurenceConstraintViolation", "missing required field"),
        ("connectorId", True, "TypeConstraintViolation", "Expected `int`, got `bool`"),
    ],
)  # fmt: skip
def test_what_a_csms_writes_is_not_mended(path: str, value: object, code: str, why: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_exactly(m.SetChargingProfile, spoilt(path, value))

    assert refused.value.code == code
    assert why in refused.value.text


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 5000, b'{"connectorId": 1, "\xff": 1}'])
def test_what_is_no_json_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read_exactly(m.SetChargingProfile, raw)

    assert refused.value.code in {"FormationViolation", "TypeConstraintViolation"}


def test_what_ocpp_does_not_know_is_passed_over_and_null_is_nothing() -> None:
    raw = spoilt("csChargingProfiles.vendorExtra", {"a": 1})
    with_null = raw.replace(b'"vendorExtra"', b'"validFrom":null,"vendorExtra"')

    assert read_exactly(m.SetChargingProfile, with_null) == read_exactly(
        m.SetChargingProfile, msgspec.json.encode(SET)
    )


def test_the_asks_of_a_csms_are_read() -> None:
    asked = read_exactly(
        m.GetCompositeSchedule, b'{"connectorId":0,"duration":86400,"chargingRateUnit":"W"}'
    )
    cleared = read_exactly(m.ClearChargingProfile, b'{"stackLevel":2}')

    assert asked == m.GetCompositeSchedule(0, 86_400, "W")
    assert cleared == m.ClearChargingProfile(stack_level=2)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("9999-12-31T23:59:59-01:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("0000-01-01T00:00:00Z", None),
    ],
)
def test_other_years_are_believed_where_asked_for(text: str, utc: datetime | None) -> None:
    assert moment(text, (1, 9999)) == utc
