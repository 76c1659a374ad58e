"""The judge: every frame of a simulated peer against OCPP's own JSON schemas.

Not linkray's reader: a mistake of ours must not be on both sides of the wire.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from ocpp.messages import get_validator

Json = dict[str, Any]
CALL, RESULT = 2, 3
COMPLAINTS_MAX = 100


class Validator(Protocol):
    """What the ocpp package makes of a JSON schema."""

    schema: Any

    def iter_errors(self, instance: Any) -> Iterable[Any]: ...


Quick = Callable[[Any], bool]
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
    "integer": (int,), "number": (int, float),
}  # fmt: skip
QUICK_WORDS = {
    "$schema", "$id", "id", "title", "type", "properties", "required", "additionalProperties",
    "items", "minItems", "maxLength", "enum", "multipleOf", "format",
}  # fmt: skip  # `format` says nothing without a format checker, and the judges have none
_made: dict[tuple[int, str], Validator | None] = {}
_quick: dict[tuple[int, str], Quick | None] = {}


class BadFrameSent(AssertionError):
    """A simulated peer was about to send what OCPP forbids: a mistake of the world's own."""


def exact(value: Any) -> Any:
    """The same tree with floats as decimals: 16.6 is a multiple of 0.1, as a float it is not."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return value


def validator(kind: int, action: str) -> Validator | None:
    """The schema's judge for a call or a result; None for an action OCPP 1.6 does not have."""
    key = (kind, action)
    if key not in _made:
        try:
            plain: Any = get_validator(kind, action, "1.6")
        except OSError:
            _made[key] = None
        else:
            _made[key] = type(plain)(exact(plain.schema))
    return _made[key]


def quick(schema: Any) -> Quick | None:
    """The schema as a function that says yes to what is right; None: it has words unknown here.

    It may say no to what is right (then the schema's own judge is asked), never yes to what is
    wrong.
    """
    if not set(schema) <= QUICK_WORDS or schema.get("type") not in KINDS:
        return None
    kind = KINDS[schema["type"]]
    if schema["type"] == "object":
        return _quick_object(schema)
    if schema["type"] == "array":
        return _quick_array(schema)
    enum, longest = schema.get("enum"), schema.get("maxLength", math.inf)
    step = schema.get("multipleOf")
    if schema["type"] == "string":
        return lambda value: (
            type(value) is str and len(value) <= longest and (enum is None or value in enum)
        )
    if enum is not None:
        return None
    return lambda value: type(value) in kind and (step is None or exact(value) % step == 0)


def _quick_object(schema: Any) -> Quick | None:
    parts = {name: quick(part) for name, part in schema.get("properties", {}).items()}
    if None in parts.values() or schema.get("additionalProperties", True) is not False:
        return None
    required = frozenset(schema.get("required", ()))

    def is_right(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys():
            return False
        for name, item in value.items():
            part = parts.get(name)
            if part is None or not part(item):
                return False
        return True

    return is_right


def _quick_array(schema: Any) -> Quick | None:
    item = quick(schema["items"]) if isinstance(schema.get("items"), dict) else None
    if item is None:
        return None
    least = schema.get("minItems", 0)
    return lambda value: type(value) is list and len(value) >= least and all(map(item, value))


def _quick_of(kind: int, action: str) -> Quick | None:
    key = (kind, action)
    if key not in _quick:
        judge = validator(kind, action)
        _quick[key] = None if judge is None else quick(judge.schema)
    return _quick[key]


def wrongs(kind: int, action: str, payload: object) -> list[str]:
    """What the schema says against this payload, each with its place."""
    is_right = _quick_of(kind, action)
    if is_right is not None and is_right(payload):
        return []
    judge = validator(kind, action)
    if judge is None:
        return [f"{action}: no such action in OCPP 1.6"]
    name = action if kind == CALL else f"{action}Response"
    return [
        f"{name}: {wrong.message} at /{'/'.join(map(str, wrong.absolute_path))}"
        for wrong in judge.iter_errors(exact(payload))
    ]


class Judge:
    """Refuses what the world says wrongly, notes what it is told wrongly; `checks` off for load."""

    def __init__(self, *, checks: bool = True) -> None:
        self.checks = checks
        self.complaints: list[str] = []  # the first hundred; who complains more is heard anyway

    def sent(self, who: str, kind: int, action: str, payload: object) -> None:
        if self.checks and (found := wrongs(kind, action, payload)):
            raise BadFrameSent(f"{who} would send {found}: {payload}")

    def received(self, who: str, kind: int, action: str, payload: object) -> list[str]:
        found = wrongs(kind, action, payload) if self.checks else []
        for wrong in found:
            self.complain(who, f"was told {wrong}")
        return found

    def complain(self, who: str, text: str) -> None:
        if len(self.complaints) < COMPLAINTS_MAX:
            self.complaints.append(f"{who}: {text}")
