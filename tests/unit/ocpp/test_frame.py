"""Frames: what is read, what is refused, and each measured trap of hostile JSON (trust.md A33)."""

from __future__ import annotations

import json

import msgspec
import pytest

from linkray.ocpp.frame import (
    DEPTH_MAX,
    FRAME_BYTES_MAX,
    BadFrame,
    Call,
    Error,
    Frame,
    Result,
    read,
    write,
)


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def call(payload: str) -> str:
    return f'[2,"a1","DataTransfer",{payload}]'


def refused(text: str) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        read(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('[2,"a1","Heartbeat",{}]', Call("a1", "Heartbeat", raw("{}"))),
        ('[3,"a1",{"status":"Accepted"}]', Result("a1", raw('{"status":"Accepted"}'))),
        ('[4,"a1","GenericError","no",{"x":1}]', Error("a1", "GenericError", "no", raw('{"x":1}'))),
        ('[4,"a1","InternalError"]', Error("a1", "InternalError")),
        ('[4,"a1","InternalError",null,null]', Error("a1", "InternalError", "", raw("null"))),
        ('[4,"a1",null]', Error("a1", "GenericError")),
        (' [ 2 , "a1" , "Heartbeat" , { } ] ', Call("a1", "Heartbeat", raw("{ }"))),
        ('[2,"a1","X",{"a":"ü"},"more"]', Call("a1", "X", raw('{"a":"ü"}'))),
        ('[2,"' + "i" * 64 + '","X",{}]', Call("i" * 64, "X", raw("{}"))),
    ],
)
def test_a_frame_is_read_as_it_was_meant(text: str, frame: Frame) -> None:
    assert read(text) == frame


@pytest.mark.parametrize(
    "frame",
    [
        Call("a1", "Heartbeat", raw("{}")),
        Result("a1", raw('{"currentTime":"ü"}')),
        Error("a1", "InternalError", 'say "no"', raw("{}")),
    ],
)
def test_what_is_written_is_read_back(frame: Frame) -> None:
    assert read(write(frame)) == frame


def test_what_is_written_is_plain_json() -> None:
    assert json.loads(write(Call("a1", "Reset", raw('{"type":"Soft"}')))) == [
        2, "a1", "Reset", {"type": "Soft"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "x", "{}", "2", "null", "[]", "[2]", '[2,"a1"]', '[2,"a1","X"]', '[3,"a1"]', "[4]",
        '[2,1,"X",{}]', '[2,"","X",{}]', '[2,"a1","",{}]', '[2,"a1",7,{}]', '[2,null,"X",{}]',
        '[2,"' + "i" * 65 + '","X",{}]', '[2,"a1","' + "X" * 256 + '",{}]', '[4,7,"X","",{}]',
        '[2,"a1","X",{}] x', '[2,"a1","X",{}][2,"a2","X",{}]', "\ufeff" + '[2,"a1","X",{}]',
        '[2,"a1","X",{"a":01}]', '[2,"a1","X",{"a":1.}]', '[2,"a1","X",{"a":\'b\'}]',
        '[2,"a1","X",{"a":1,}]', '[2,"a1","X",{a:1}]', '[2,"a1","X",{"a":"\t"}]',
        '["2","a1","X",{}]',
        '[true,"a1","X",{}]', '[2.0,"a1","X",{}]', '[5,"a1","X",{}]', '[1,"a1",{}]',
        '[4,"a1",99999999999999999999999999999999e9999]', "[[[],[]", '[2,"a1","X",{"a":１６}]',
        '[2,"a1","X",{"a":1_0}]',
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused_and_says_why(text: str) -> None:
    error = refused(text)
    assert "expected" in error.text
    assert error.code in {"FormationViolation", "ProtocolError"}


def test_a_message_type_of_no_kind_is_a_protocol_error() -> None:
    assert refused('[5,"a1","X",{}]').code == "ProtocolError"


@pytest.mark.parametrize(
    ("text", "message_id"),
    [
        ('[2,"a1","X",{"a":NaN}]', "a1"),
        (' [ 2, "a1" , oops', "a1"),
        ('[2,"a1"]', "a1"),
        ('[3,"a1",NaN]', None),  # an answer is not answered
        ('[4,"a1","X","",NaN]', None),
        ('[2,"' + "i" * 65 + '","X",{}]', None),
        ('[2,7,"X",{}]', None),
        ('[2,"a\\u0000","X",{}]', None),
    ],
)
def test_a_bad_call_names_its_id_where_one_can_be_read(text: str, message_id: str | None) -> None:
    assert refused(text).message_id == message_id


def test_a33_a_frame_above_64_kib_is_refused_by_bytes_not_characters() -> None:
    fits = call('{"a":"%s"}' % ("x" * (FRAME_BYTES_MAX - len(call('{"a":""}')))))
    assert len(fits) == FRAME_BYTES_MAX
    assert isinstance(read(fits), Call)
    assert refused(fits.replace("x", "xx", 1)).message_id == "a1"
    wide = fits.replace("xx", "é")  # half as many characters, as many bytes
    assert isinstance(read(wide), Call)
    assert "bytes" in refused(wide.replace("é", "éx", 1)).text


@pytest.mark.parametrize("space", ["", " "])
@pytest.mark.parametrize(
    ("opening", "closing", "levels"), [("[", "]", 1), ('{"a":', "}", 1), ('[{"a":', "}]", 2)]
)
def test_a33_sixteen_levels_are_read_and_seventeen_refused(
    opening: str, closing: str, levels: int, space: str
) -> None:
    def nested(times: int) -> str:  # the frame's own array is the first level
        return call(space + opening * times + "1" + closing * times)

    most = (DEPTH_MAX - 1) // levels
    assert isinstance(read(nested(most)), Call)
    error = refused(nested(most + 1))
    assert "16 levels" in error.text
    assert error.message_id == "a1"


@pytest.mark.parametrize("depth", [17, 100, 1000, 5000, 30000])
def test_a33_depth_never_raises_recursion_error(depth: int) -> None:
    assert refused(call("[" * depth + "]" * depth)).message_id == "a1"
    assert refused("[" * depth).message_id is None
    refused(call('{"a":' * min(depth, 5000)))


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "nan", "1e999", "-1e999", "1" + "0" * 400 + ".0", "9" * 5000,
     "-" + "9" * 5000, "9" * 400, "9223372036854775808", "-9223372036854775809"],
)  # fmt: skip
def test_a33_no_number_but_a_finite_float_or_an_int_within_64_bits(number: str) -> None:
    for payload in (number, f'{{"a":{number}}}', f'{{"a": [1, {{"b": {number}}}]}}'):
        assert refused(call(payload)).message_id == "a1"


@pytest.mark.parametrize(
    "number", ["9223372036854775807", "-9223372036854775808", "1e300", "-0", "0.1"]
)
def test_a33_numbers_within_bounds_are_read(number: str) -> None:
    assert isinstance(read(call(f'{{"a":{number}}}')), Call)


@pytest.mark.parametrize(
    "payload",
    [
        '{"a":1,"a":1}', '{"a":1, "a":2}', '{ "a":1,"b":{"c":1,"c":2}}', '[{"a":1},{"b":1,"b":1}]',
        '{"a":1,"\\u0061":2}', '{"a":":","a":"\\":"}', '{"a" :1,"a":":"}', '{"":1,"":2}',
    ],
)  # fmt: skip
def test_a33_a_key_given_twice_is_refused(payload: str) -> None:
    assert "twice" in refused(call(payload)).text


@pytest.mark.parametrize(
    "payload",
    ['{"a":1,"A":1}', '{"a":"\\u00e9 \\/ \\ud83d\\ude00"}', '{"a":1.0e3,"b":{"a":1}}', "{ }"],
)
def test_a33_keys_of_their_own_are_read(payload: str) -> None:
    frame = read(call(payload))
    assert isinstance(frame, Call)
    assert bytes(frame.payload) == payload.encode()


@pytest.mark.parametrize(
    "text",
    [
        call('{"a":"\\ud800"}'), call('{"a":"\\ud800 longer text"}'),
        call('{"a":"\\udc00\\ud800"}'),
        call('{"a":"\\ud800\\u0041"}'), call('{"\\ud800":1}'), call('{"a":"\ud800"}'),
        '[2,"a\\ud800","X",{}]', '[2,"a1","\udc00",{}]', "\ud800",
    ],
)  # fmt: skip
def test_a33_a_lone_surrogate_is_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(
    "text",
    [call('{"a":"\\u0000"}'), call('{"a":"x\\u0000"}'), call('{"\\u0000":1}'), call('{"a":"\0"}'),
     call('{"a":"\\\\\\u0000"}'), '[2,"a1","X\\u0000",{}]', '[4,"a1","X","\\u0000",{}]'],
)  # fmt: skip
def test_a33_nul_is_refused(text: str) -> None:
    refused(text)


def test_a33_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    frame = read(call('{"a":"\\\\u0000"}'))
    assert isinstance(frame, Call)
    assert msgspec.json.decode(frame.payload) == {"a": "\\u0000"}


def test_a33_the_details_of_an_error_and_the_payload_of_a_result_are_judged_too() -> None:
    refused('[3,"a1",{"a":1,"a":1}]')
    refused('[4,"a1","X","",{"a":1e999}]')
    refused('[4,"a1",null,null,{"a":1,"a":1}]')
