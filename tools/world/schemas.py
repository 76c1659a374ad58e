"""The judge: every frame of a simulated peer against OCPP's own JSON schemas.

Not linkray's reader: a mistake of ours must not be on both sides of the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


_made: dict[tuple[int, str], Validator | None] = {}


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


def wrongs(kind: int, action: str, payload: object) -> list[str]:
    """What the schema says against this payload, each with its place."""
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
