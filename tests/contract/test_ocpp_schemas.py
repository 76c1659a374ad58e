"""Every struct of `ocpp.messages` is what the JSON schema of the same name says."""

from __future__ import annotations

import decimal
import json
from typing import Any

import msgspec
import pytest
from msgspec import inspect
from ocpp.messages import MessageType
from tools.world.schemas import validator

from linkray.ocpp import messages
from linkray.ocpp.lenient import Unreadable, read_as, read_exactly

KINDS = sorted(
    (
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type)
        and issubclass(kind, messages.Payload)
        and kind is not messages.Payload
    ),
    key=lambda kind: kind.__name__,
)
PARTS = {"IdTagInfo", "SampledValue", "MeterValue", "ConfigurationKey", "ChargingSchedulePeriod",
         "ChargingSchedule", "CsChargingProfiles"}  # fmt: skip
MESSAGES = [kind for kind in KINDS if kind.__name__ not in PARTS]
READ = {*messages.REQUESTS.values(), *messages.ANSWERS.values()}
EXACT = {*messages.ANSWERED.values()}

# Schema and struct differ here, each for its reason.
NULL_IN_STRUCT = {("StopTransaction", "meterStop")}  # a stop is never lost for want of its meter
WORDS_IN_STRUCT = {("StopTransaction", "unit"): {"Hertz"}}  # MeterValues' schema has it


def validator_of(name: str) -> Any:
    action = name.removesuffix("Response")
    kind = MessageType.CallResult if action != name else MessageType.Call
    return validator(kind, action)  # floats as decimals: profiles have "multipleOf: 0.1"


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = validator_of(name).schema
    return schema


def hold(kind: inspect.Type, schema: dict[str, Any], message: str, path: str) -> None:
    """Hold a type to its schema, all the way down."""
    if isinstance(kind, inspect.UnionType):
        kind = next(t for t in kind.types if not isinstance(t, inspect.NoneType))
    match kind:
        case inspect.StructType():
            hold_struct(kind.cls, schema, message, path)
        case inspect.VarTupleType():
            assert schema["type"] == "array", path
            hold(kind.item_type, schema["items"], message, path + "[]")
        case inspect.LiteralType():
            extra = WORDS_IN_STRUCT.get((message, path.rsplit(".", 1)[-1]), set())
            assert set(kind.values) - extra == set(schema["enum"]), path
        case inspect.StrType():
            assert schema["type"] == "string", path
            assert kind.max_length == schema.get("maxLength"), path
            assert "enum" not in schema, path
        case inspect.IntType():
            assert schema["type"] == "integer", path
        case inspect.FloatType():
            assert schema["type"] == "number", path
        case inspect.BoolType():
            assert schema["type"] == "boolean", path
        case _:
            raise AssertionError(f"{path}: nothing holds a {kind}")


def hold_struct(struct: type, schema: dict[str, Any], message: str, path: str) -> None:
    assert schema["type"] == "object", path
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    properties = schema.get("properties", {})
    assert {field.encode_name for field in info.fields} == set(properties), path
    required = {field.encode_name for field in info.fields if field.required}
    assert required == set(schema.get("required", ())), path
    for field in info.fields:
        nullable = isinstance(field.type, inspect.UnionType)
        if field.required:
            assert nullable == ((message, field.encode_name) in NULL_IN_STRUCT), path
        hold(field.type, properties[field.encode_name], message, f"{path}.{field.encode_name}")


@pytest.mark.parametrize("struct", MESSAGES, ids=lambda kind: kind.__name__)
def test_a_struct_is_what_the_schema_of_the_same_name_says(struct: type) -> None:
    hold_struct(struct, schema_of(struct.__name__), struct.__name__, "$")


def test_every_request_has_its_answer_and_all_are_named_in_the_tables() -> None:
    names = {kind.__name__ for kind in MESSAGES}
    requests = {name for name in names if not name.endswith("Response")}
    # thanks without content is written as {} and needs no struct on the side that never reads it
    assert {f"{action}Response" for action in messages.REQUESTS} <= names
    assert {f"{action}Response" for action in messages.ANSWERS} <= names
    assert requests == {*messages.REQUESTS, *messages.ANSWERS, *messages.ANSWERED}
    for action, kind in messages.REQUESTS.items():
        assert kind.__name__ == action
    for action, kind in messages.ANSWERS.items():
        assert kind.__name__ == f"{action}Response"
    assert {f"{action}Response" for action in messages.ANSWERED} <= names
    for action, kind in messages.ANSWERED.items():
        assert kind.__name__ == action


def least(schema: dict[str, Any]) -> Any:
    """The smallest value a schema allows: only what is required."""
    match schema["type"]:
        case "object":
            properties = schema.get("properties", {})
            return {key: least(properties[key]) for key in schema.get("required", ())}
        case "array":
            return [least(schema["items"])]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
    if "enum" in schema:
        return schema["enum"][0]
    return "2026-01-02T03:04:05Z" if schema.get("format") == "date-time" else "x"


def fullest(schema: dict[str, Any]) -> Any:
    """A value with everything a schema knows, every string as long as it may be."""
    match schema["type"]:
        case "object":
            return {key: fullest(part) for key, part in schema.get("properties", {}).items()}
        case "array":
            return [fullest(schema["items"])] * 2
        case "integer":
            return 2**31
        case "number":
            return 16
        case "boolean":
            return False
    if "enum" in schema:
        return schema["enum"][-1]
    if schema.get("format") == "date-time":
        return "2099-12-31T23:59:59.999+14:00"
    return "x" * schema.get("maxLength", 2000)


@pytest.mark.parametrize("fill", [least, fullest])
@pytest.mark.parametrize("struct", MESSAGES, ids=lambda kind: kind.__name__)
def test_what_the_schema_allows_is_read_and_written_back_the_same(struct: Any, fill: Any) -> None:
    payload = fill(schema_of(struct.__name__))
    raw = msgspec.json.encode(payload)
    read = msgspec.json.decode(raw, type=struct)
    if struct in READ:
        # a stamp at the end of 2099 is believed with its zone
        assert read_as(struct, raw) == (read, ())
    if struct in EXACT:
        assert read_exactly(struct, raw) == read
    written = json.loads(messages.encode(read), parse_float=decimal.Decimal)
    assert not list(validator_of(struct.__name__).iter_errors(written))
    for key, value in payload.items():  # what equals its default may be left out
        if key in written:
            assert written[key] == value


@pytest.mark.parametrize(
    "struct", [k for k in MESSAGES if k in READ | EXACT], ids=lambda k: k.__name__
)
def test_what_the_schema_forbids_is_never_read_without_a_word(struct: Any) -> None:
    schema = schema_of(struct.__name__)
    for key in schema.get("required", ()):
        payload = least(schema)
        del payload[key]
        assert is_noticed(struct, payload), f"{key} is missing"
    for key, part in schema.get("properties", {}).items():
        for wrong in ({}, [[]], 7 if part["type"] == "string" else "seven"):
            if part["type"] == "object" and wrong == {} and not part.get("required"):
                continue
            assert is_noticed(struct, {**least(schema), key: wrong}), f"{key}: {wrong!r}"


def is_noticed(struct: Any, payload: dict[str, Any]) -> bool:
    raw = msgspec.json.encode(payload)
    try:
        if struct in EXACT:
            read_exactly(struct, raw)
            return False
        return bool(read_as(struct, raw)[1])
    except Unreadable:
        return True
