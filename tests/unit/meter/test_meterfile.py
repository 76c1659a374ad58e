"""The `.meter` file as the manual prints it, and everything that is refused by key and reason."""

from __future__ import annotations

import json

import pytest

from linkray.meter.meterfile import (
    BadMeterFile,
    Scale,
    as_settings,
    from_settings,
    notes,
    parse,
    shipped,
    strip_comments,
)

EXAMPLE = """{
  "name": "friendly name",           // put in the name of the meter you want to see
  "tcp": true,                       // true when on ethernet/Wi-Fi, false on RS485
  "IP": "192.168.1.110",            // only enter this when tcp is true
  "Baud": 9200,                     // for RS485 mode this is the baud rate
  "AddressA": 1,                    // the address of the meter for current readings
  "ReadCmd": 3,                     // the command to read, normally 3
  "ARegisterL1": 1,                 // the address of the L1 Current
  "ARegisterL2": 11,                // the address of the L2 Current
  "ARegisterL3": 21,                // the address of the L3 Current
  "DataTypeA": "Short",             // Ushort (U16), Short (S16)
                                     // Ulong (U32), Long (S32)
                                     // Float
                                     // NOTE Types are CASE SENSITIVE!

  "MultiplyA": 0.01,                // The amount to multiply to get whole A

  "AddressV": 1,                    // meter address for voltage (if different from A)
  "VRegisterL1": 0,                 // the address of the L1 Voltage
  "VRegisterL2": 10,                // the address of the L2 Voltage
  "VRegisterL3": 20,                // the address of the L3 Voltage
  "DataTypeV": "Short",             // data size for the Voltage register
                                     // see DataTypeA for examples

  "MultiplyV": 0.01,                // multiply to get whole V (if different from A)

  "PhasesReported": 3               // Number of phases reported
}
"""
PRINTED_ECR300C = (
    '{"name":"ECR300C", "tcp":false, "Baud":19200,"Address":1, "ReadCmd":3, "ARegisterL1":45065, '
    '"ARegisterL2":45067, "ARegisterL3":45069, "VRegisterL1":45056, "VRegisterL2":45057, '
    '"VRegisterL3":45058, "DataType":"ULong", "Multiply":0.001, "PhasesReported":3 }'
)
LEAST = {"Address": 1, "DataType": "Float", "ARegisterL1": 6, "ARegisterL2": 8, "ARegisterL3": 10}


def test_the_manuals_example_is_read_comments_and_all() -> None:
    file = parse(EXAMPLE)

    assert file.name == "friendly name"
    assert (file.tcp, file.ip, file.port) == (True, "192.168.1.110", 502)
    assert file.a_registers == (1, 11, 21)
    assert file.v_registers == (0, 10, 20)
    assert file.scale_a == Scale("Short", 0.01)
    assert file.scale_v == Scale("Short", 0.01)


def test_the_printed_ecr300c_still_loads() -> None:
    file = parse(PRINTED_ECR300C)

    assert file.scale_v == file.scale_a == Scale("Ulong", 0.001)
    assert file.baud == 19_200


def test_what_is_missing_takes_the_manuals_defaults() -> None:
    file = parse(LEAST)

    assert (file.tcp, file.baud, file.read_cmd, file.phases_reported) == (False, 9600, 3, 3)
    assert (file.parity, file.stop_bits, file.word_order) == ("N", 1, "big")
    assert file.scale_a == Scale("Float", 1.0)
    assert parse(LEAST | {"DataType": "Ushort"}).scale_a == Scale("Ushort", 0.01)


def test_both_spellings_of_unsigned_types_are_the_same() -> None:
    for printed, listed in (("ULong", "Ulong"), ("UShort", "Ushort")):
        assert parse(LEAST | {"DataType": printed}) == parse(LEAST | {"DataType": listed})


def test_voltage_has_its_own_type_multiplier_and_address_or_those_of_current() -> None:
    volts = {"VRegisterL1": 0, "VRegisterL2": 2, "VRegisterL3": 4}
    own = {"DataTypeV": "Ushort", "MultiplyV": 0.1, "AddressV": 2}

    assert parse(LEAST | volts | own).scale_v == Scale("Ushort", 0.1)
    assert parse(LEAST | volts | own).address_v == 2
    newer = {k.replace("DataType", "DataTypeA").replace("Address", "AddressA"): v
             for k, v in LEAST.items()}  # fmt: skip
    file = parse(newer | volts | {"MultiplyA": 2})
    assert (file.scale_v, file.address_v) == (Scale("Float", 2.0), 1)


def test_comments_inside_texts_are_no_comments() -> None:
    assert strip_comments('{"a": "http://x" // y\n}') == '{"a": "http://x" \n}'
    assert strip_comments(r'{"a": "\"// b"}') == r'{"a": "\"// b"}'
    assert json.loads(strip_comments('{"a": 1} // end')) == {"a": 1}


def test_power_energy_parity_and_word_order_are_read() -> None:
    file = parse(LEAST | {"PRegisterL1": 1, "PRegisterL2": 2, "PRegisterL3": 3,
                          "DataTypeP": "Short",
                          "MultiplyP": 10, "EnergyRegister": 70, "WordOrder": "little",
                          "Parity": "E", "StopBits": 2})  # fmt: skip

    assert file.p_registers == (1, 2, 3)
    assert file.scale_p == Scale("Short", 10.0)
    assert (file.energy_register, file.word_order) == (70, "little")
    assert (file.parity, file.stop_bits) == ("E", 2)


def test_a_meter_that_counts_only_energy_needs_no_current() -> None:
    file = parse({"Address": 1, "ReadCmd": 4, "DataType": "Float", "KwhRegister": 342, "kWh": True})

    assert file.is_energy_only
    assert file.energy_register == 342


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ({"Bogus": 1}, "Bogus", "unknown key"),
        ({"baud": 9600}, "baud", "Baud is meant"),
        ({"tcp": 1}, "tcp", "expected true or false, got a whole number"),
        ({"kWh": "yes"}, "kWh", "expected true or false"),
        ({"name": 5}, "name", "expected a text"),
        ({"name": "x" * 51}, "name", "50"),
        ({"name": "a\nb"}, "name", "printable"),
        ({"Address": "1"}, "Address", "expected a whole number, got a text"),
        ({"Address": True}, "Address", "got true/false"),
        ({"Address": 1.0}, "Address", "got a number"),
        ({"Address": 256}, "Address", "expected 0 to 255, got 256"),
        ({"ReadCmd": 16}, "ReadCmd", "expected 3 to 4"),
        ({"ARegisterL1": 65_536}, "ARegisterL1", "expected 0 to 65535, got 65536"),
        ({"ARegisterL1": -1}, "ARegisterL1", "got -1"),
        ({"ARegisterL1": 65_535}, "ARegisterL1", "expected 0 to 65534 for Float"),
        ({"VRegisterL2": 70_000}, "VRegisterL2", "got 70000"),
        ({"DataType": "float"}, "DataType", "expected one of Short"),
        ({"DataType": 4}, "DataType", "expected one of"),
        ({"Multiply": "0.1"}, "Multiply", "expected a number"),
        ({"Multiply": 0}, "Multiply", "other than 0"),
        ({"Multiply": float("nan")}, "Multiply", "other than 0"),
        ({"MultiplyV": float("inf")}, "MultiplyV", "other than 0"),
        ({"PhasesReported": 2}, "PhasesReported", "expected 1 or 3, got 2"),
        ({"port": 0}, "port", "expected 1 to 65535"),
        ({"tcp": True}, "IP", "missing"),
        ({"IP": "not a host"}, "IP", "expected an address"),
        ({"IP": ""}, "IP", "expected an address"),
        ({"WordOrder": "middle"}, "WordOrder", "big, little"),
        ({"Parity": "even"}, "Parity", "N, E, O"),
        ({"StopBits": 3}, "StopBits", "1 to 2"),
        ({"PRegisterL1": 5}, "PRegisterL2", "missing"),
    ],
)
def test_what_cannot_be_is_refused_with_the_key_and_the_reason(
    change: dict[str, object], key: str, reason: str
) -> None:
    with pytest.raises(BadMeterFile) as error:
        parse(LEAST | change)
    assert error.value.key == key
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("left_out", "key"),
    [("Address", "Address"), ("DataType", "DataType"), ("ARegisterL2", "ARegisterL2")],
)
def test_what_must_be_there_is_named_when_it_is_missing(left_out: str, key: str) -> None:
    with pytest.raises(BadMeterFile, match="missing") as error:
        parse({k: v for k, v in LEAST.items() if k != left_out})
    assert error.value.key == key


def test_a_file_without_any_current_or_energy_is_refused() -> None:
    for extra, key in (({}, "ARegisterL1"), ({"kWh": True}, "KwhRegister")):
        with pytest.raises(BadMeterFile) as error:
            parse({"Address": 1, "DataType": "Float"} | extra)
        assert error.value.key == key


@pytest.mark.parametrize(
    "text",
    ["", "[]", "nonsense", '{"a": NaN}', '{"Multiply": 1e999}', "[" * 60_000, "9" * 5000,
     '{"Address": 1, "Address": 2}', "{" + " " * 70_000 + "}", '{"name": "\ud800"}'],
)  # fmt: skip
def test_a_text_that_is_no_meter_file_is_refused_and_never_breaks_the_reader(text: str) -> None:
    with pytest.raises(BadMeterFile):
        parse(text)


def test_settings_hold_a_file_with_every_value_and_give_it_back() -> None:
    for tree in (EXAMPLE, PRINTED_ECR300C):
        file = parse(tree)
        held = as_settings(file)
        assert from_settings(held) == file
        assert held["PhasesReported"] == 3
        assert all(isinstance(v, str | int | float | bool) for v in held.values())


def test_the_notes_of_a_file_are_its_first_comment_lines() -> None:
    assert notes("// one\n // two\n{\n// three\n}") == "one two"
    [meter] = shipped({"a.meter": "// From the datasheet.\n" + PRINTED_ECR300C})
    assert (meter.name, meter.note) == ("ECR300C", "From the datasheet.")
    assert meter.file["Baud"] == 19_200
