"""Whatever comes on the wire: never another exception than `BadFrame` and `Unreadable`."""

from __future__ import annotations

import json
import math

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from linkray.ocpp import messages
from linkray.ocpp.frame import BadFrame, Call, Error, Frame, Result, read, write
from linkray.ocpp.lenient import Unreadable, moment, read_as, read_exactly
from linkray.ocpp.peer import WAITING_MAX, Answered, Asked, Failed, Peer, Stray

NOW = "2026-01-02T03:04:05.678Z"
REAL = [  # as real chargers send them
    '[2,"19223201","BootNotification",{"chargePointVendor":"VendorX","chargePointModel":"M1"}]',
    '[2,"a","Heartbeat",{}]',
    '[2, "b", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", '
    '"status": "SuspendedEV", "timestamp": "' + NOW + '"}]',
    '[2,"c","StartTransaction",{"connectorId":1,"idTag":"04E9","meterStart":0,"timestamp":"'
    + NOW + '"}]',
    '[2,"d","MeterValues",{"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"'
    + NOW + '","sampledValue":[{"value":"15.9","context":"Sample.Periodic","measurand":'
    '"Current.Import","phase":"L1","unit":"A"},{"value":"1e3"},{"value":"2","unit":"kWh"}]}]}]',
    '[2,"e","StopTransaction",{"transactionId":-1,"meterStop":5,"timestamp":"' + NOW
    + '","reason":"Local","transactionData":[]}]',
    '[2,"f","DataTransfer",{"vendorId":"x","data":"{\\"a\\":[1,\\u00fc]}"}]',
    '[3,"g",{"configurationKey":[{"key":"NumberOfConnectors","readonly":true,"value":"2"}]}]',
    '[4,"h","NotImplemented","",{}]',
]  # fmt: skip
TRAPS = ["NaN", "1e999", "\\ud800", "\\u0000", "\0", "[" * 20, '{"a":1,"a":2}', "9" * 40, '"', "\\",
         "null", "{}", "[]", "-1", "true", "1_0", "１６", "\ud800",
         "]", "}", ",", ":"]  # fmt: skip

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=4)
words = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=36
)
raws = objects.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
frames = st.one_of(
    st.builds(Call, words, words, raws),
    st.builds(Result, words, raws),
    st.builds(Error, words, words, words, raws),
)


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((depth(inner) for inner in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(inner) for inner in value), default=0)
    return 0


@given(frames)
def test_a_frame_that_was_written_is_read_back_the_same(frame: Frame) -> None:
    raw = frame.details if isinstance(frame, Error) else frame.payload
    if depth(msgspec.json.decode(raw)) <= 15:
        assert read(write(frame)) == frame


@given(objects, st.booleans(), st.booleans())
def test_a_payload_is_read_however_it_is_spaced_and_escaped(
    value: dict[str, object], ascii_only: bool, spaced: bool
) -> None:
    text = json.dumps([2, "a1", "X", value], ensure_ascii=ascii_only, indent=1 if spaced else None)
    if depth(value) <= 15:
        frame = read(text)
        assert isinstance(frame, Call)
        assert json.loads(bytes(frame.payload)) == value


@given(values, st.integers(0, 15), st.text("abc", min_size=1, max_size=2), st.data())
def test_a33_a_key_given_twice_is_refused_wherever_it_stands(
    value: object, levels: int, key: str, data: st.DataObject
) -> None:
    space = data.draw(st.sampled_from(["", " ", "\n"]))
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in key)
    second = data.draw(st.sampled_from([key, escaped]))
    inner = f'{{"{key}"{space}:{json.dumps(value)},"{second}":{json.dumps(value)}}}'
    text = f'[2,"a1","X",{"[" * levels}{inner}{"]" * levels}]'
    try:
        read(text)
    except BadFrame as bad:
        assert bad.message_id == "a1"
    else:
        raise AssertionError(f"{text} was read")


def judged(text: str) -> None:
    """What is read holds nothing that A33 forbids, and can be read or is `Unreadable`."""
    try:
        frame = read(text)
    except BadFrame as bad:
        assert bad.text
        return
    raw = frame.details if isinstance(frame, Error) else frame.payload
    value = json.loads(bytes(raw), parse_constant=refuse_constant)
    assert depth(value) <= 15
    for leaf in leaves(value):
        assert not isinstance(leaf, float) or math.isfinite(leaf)
        assert not isinstance(leaf, int) or -(2**63) <= leaf < 2**63
        if isinstance(leaf, str):
            leaf.encode()
            assert "\0" not in leaf
    kinds = [*messages.REQUESTS.values(), *messages.ANSWERS.values()]
    if isinstance(frame, Call) and frame.action in messages.REQUESTS:
        kinds = [messages.REQUESTS[frame.action]]
    for kind in kinds:
        try:
            payload, deviations = read_as(kind, raw)
        except Unreadable as unreadable:
            assert "expected" in unreadable.text
        else:
            assert isinstance(payload, kind)
            assert all(one.path.startswith("$") for one in deviations)
            messages.encode(payload)


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} was read")


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value, *(leaf for inner in value.values() for leaf in leaves(inner))]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner)]
    return [value]


@given(st.text(max_size=200))
def test_any_text_is_a_frame_or_a_bad_one(text: str) -> None:
    judged(text)


@settings(max_examples=300)
@given(st.sampled_from(REAL), st.data())
def test_a_real_frame_with_a_few_wrong_places_is_a_frame_or_a_bad_one(
    text: str, data: st.DataObject
) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        until = min(len(text), at + data.draw(st.integers(0, 12)))
        pieces = st.sampled_from(TRAPS) | st.text(max_size=3) | st.just(text[at:until] * 2)
        piece = data.draw(pieces)
        text = text[:at] + piece + text[until:]
    judged(text)


def swapped(value: object, data: st.DataObject) -> object:
    """The value with some of its parts replaced by anything, or left out."""
    if data.draw(st.integers(0, 7)) == 0:
        return data.draw(values)
    if isinstance(value, dict):
        kept = {key: swapped(inner, data) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if data.draw(st.integers(0, 9))}
    if isinstance(value, list):
        return [swapped(inner, data) for inner in value]
    return value


@settings(max_examples=200)
@given(st.sampled_from([text for text in REAL if text.startswith("[2")]), st.data())
def test_a_real_payload_with_wrong_parts_is_read_or_unreadable(
    text: str, data: st.DataObject
) -> None:
    _, _, action, payload = json.loads(text)
    judged(json.dumps([2, "a1", action, swapped(payload, data)]))


@given(values, st.sampled_from([*messages.REQUESTS.values(), *messages.ANSWERS.values()]))
def test_any_json_is_read_or_unreadable(value: object, kind: type[messages.Payload]) -> None:
    try:
        read_as(kind, msgspec.json.encode(value))
    except Unreadable as unreadable:
        assert unreadable.code in {
            "FormationViolation", "TypeConstraintViolation", "OccurenceConstraintViolation",
        }  # fmt: skip


@given(st.binary(max_size=60), st.sampled_from([*messages.REQUESTS.values()]))
def test_any_bytes_are_read_or_unreadable(raw: bytes, kind: type[messages.Payload]) -> None:
    try:
        read_as(kind, raw)
    except Unreadable as unreadable:
        assert unreadable.text


READ = [*messages.ANSWERED.values(), messages.CsChargingProfiles]


@given(values, st.binary(max_size=60), st.sampled_from(READ))
def test_whatever_a_csms_asks_is_read_or_unreadable(
    value: object, junk: bytes, kind: type[messages.Payload]
) -> None:
    for raw in (msgspec.json.encode(value), junk):
        try:
            read_exactly(kind, raw)
        except Unreadable as unreadable:
            assert unreadable.text


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.{0,20}", fullmatch=True))
def test_t8_any_text_is_a_time_within_bounds_or_none(text: str) -> None:
    at = moment(text)
    assert at is None or (2015 <= at.year <= 2099 and at.utcoffset() is not None)


@settings(max_examples=150)
@given(st.data())
def test_every_call_of_ours_has_exactly_one_end_and_no_answers_cross(data: st.DataObject) -> None:
    """Whatever the order of calls, answers, errors and time: paired, bounded, no end lost."""
    peer = Peer("p")
    now = 0.0
    given_tags: set[int] = set()
    ended: dict[int, str] = {}
    tag_of: dict[str, int] = {}

    def note(texts: list[str], events: list[object]) -> None:
        for text in texts:
            frame = read(text)
            assert isinstance(frame, Call)
            assert frame.id not in tag_of
            tag_of[frame.id] = msgspec.json.decode(frame.payload)["tag"]
        for event in events:
            if isinstance(event, Answered | Failed) and not event.late:
                assert isinstance(event.tag, int)
                assert event.tag not in ended
                ended[event.tag] = type(event).__name__
            if isinstance(event, Answered):
                assert event.tag == msgspec.json.decode(event.result)["tag"]

    for tag in range(data.draw(st.integers(1, 30))):
        move = data.draw(st.integers(0, 4))
        now += data.draw(st.floats(0, 12))
        if peer.due() <= now:
            note(*peer.wake(now))
            assert peer.due() > now
        if move <= 2:
            given_tags.add(tag)
            key = data.draw(st.sampled_from([None, "k"]))
            urgent = data.draw(st.booleans())
            note(*peer.call("X", b'{"tag":%d}' % tag, now, tag=tag, urgent=urgent, replaces=key))
        elif tag_of:
            one = data.draw(st.sampled_from(sorted(tag_of)))
            frame: Frame = Error(one, "GenericError")
            if move == 3:
                frame = Result(one, msgspec.Raw(b'{"tag":%d}' % tag_of[one]))
            note(*peer.receive(frame, now))
        assert peer.waiting <= WAITING_MAX
    note([], list(peer.gone()))
    assert set(ended) == given_tags


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=30))
def test_their_calls_are_told_once_while_open(ids: list[str]) -> None:
    peer = Peer()
    still_open: set[str] = set()
    for one in ids:
        _, events = peer.receive(Call(one, "Heartbeat", msgspec.Raw(b"{}")), 0.0)
        assert [type(event) for event in events] == [Stray if one in still_open else Asked]
        still_open.add(one)
