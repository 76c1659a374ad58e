"""Reads what a charger meant: what is slightly wrong is mended and counted (chargers.md, Frames).

A payload as OCPP has it is read by its struct alone. Only one that is not is looked at value by
value. Outside the hot path the JSON schema of the same name judges too. What a CSMS asks of LinkRay
itself is read exactly, and nothing of it is mended.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from itertools import islice
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import inspect

from .messages import (
    ANSWERED,
    ANSWERS,
    REQUESTS,
    BootNotification,
    ConfigurationKey,
    Heartbeat,
    MeterValue,
    MeterValues,
    Payload,
    SampledValue,
    StartTransaction,
    StatusNotification,
    StopTransaction,
)

T = TypeVar("T", bound=Payload)
S = TypeVar("S", bound=msgspec.Struct)
ViolationCode = Literal[
    "FormationViolation", "TypeConstraintViolation", "OccurenceConstraintViolation"
]

YEAR_MIN, YEAR_MAX = 2015, 2099  # trust.md T8
KEPT_CHARS_MIN = 255  # an over-long string is kept whole up to here, or four times its maximum
DEVIATIONS_MAX = 32  # of one payload; the rest adds nothing
HOT = (MeterValues, Heartbeat, StatusNotification)  # house.md, Decided: their structs alone

ABSENT: dict[tuple[type, str], object] = {  # required, and read all the same when left out
    (BootNotification, "charge_point_vendor"): "",
    (BootNotification, "charge_point_model"): "",
    (StartTransaction, "timestamp"): "",
    (StopTransaction, "timestamp"): "",
    (StopTransaction, "meter_stop"): None,
    (MeterValue, "timestamp"): "",
    (SampledValue, "value"): "",
    (StatusNotification, "error_code"): "NoError",
    (ConfigurationKey, "readonly"): False,
}
OTHER_WORD: dict[tuple[type, str], str] = {  # what a word that OCPP does not know is read as
    (StatusNotification, "error_code"): "OtherError",
    (StopTransaction, "reason"): "Other",
}


class Deviation(msgspec.Struct, frozen=True):
    """One thing that was read although it was not as OCPP 1.6 has it."""

    path: str  # `$.meterValue[0].timestamp`
    text: str  # what was expected and what came


class Unreadable(ValueError):
    """A payload that cannot be read; the CALLERROR's code and text."""

    def __init__(self, code: ViolationCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def read_as(type_: type[T], raw: msgspec.Raw | bytes) -> tuple[T, tuple[Deviation, ...]]:
    """The payload, and what had to be mended; raises `Unreadable` and nothing else.

    Words that OCPP does not know stand as they came in a `SampledValue`; an unreadable optional is
    left out elsewhere; a timestamp stands as it came (`moment` says what it means).
    """
    mending: _Mending | None = None
    try:
        payload = _decoder(type_).decode(raw)
    except msgspec.ValidationError:
        mending = _Mending()
        payload = mending.whole(type_, _value(raw))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable("FormationViolation", f"expected JSON: {error}") from None
    deviations = mending.found if mending else []
    missed = {one.path for one in deviations}
    deviations += [one for one in _times(payload) if one.path not in missed]
    if type_ not in HOT:
        deviations += _against_schema(type_, raw, mended=mending is not None)
    return payload, tuple(deviations[:DEVIATIONS_MAX])


def read_exactly(type_: type[T], raw: msgspec.Raw | bytes) -> T:
    """The payload of a CSMS that LinkRay answers itself; raises `Unreadable` and nothing else.

    Nothing is mended: a limit that is guessed is none. What OCPP does not know beside it is passed
    over, and an optional may be null; more than one decimal is whoever uses the number's to judge.
    """
    try:
        payload: T = _decoder(type_).decode(raw)
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        code: ViolationCode = (
            "OccurenceConstraintViolation" if missing else "TypeConstraintViolation"
        )
        is_whole = type_ in ANSWERED.values()  # a part of a message has no schema of its own
        said = _schema_errors(type_.__name__)(_value(raw)) if is_whole else ()
        words = [one.message for one in said if one.validator == "enum"]
        raise Unreadable(code, "; ".join([str(error), *words])) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable("FormationViolation", f"expected JSON: {error}") from None
    return payload


def prepare() -> None:
    """Load every schema now: the first boot of a charger must not hold up the loop (0.2 s)."""
    for kind in (*REQUESTS.values(), *ANSWERS.values(), *ANSWERED.values()):
        if kind not in HOT:
            _schema_errors(kind.__name__)


_STRICT_TIME = re.compile(
    r"20(?:1[5-9]|[2-9][0-9])-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-][01][0-9]:[0-5][0-9])"
)
_READ_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})"
    r"(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r" ?(?:([Zz])|([+-])([0-9]{2}):?([0-5][0-9])?)?"
)


def moment(text: str, years: tuple[int, int] = (YEAR_MIN, YEAR_MAX)) -> datetime | None:
    """A timestamp in UTC (one without zone is taken as UTC); None: not believable.

    Strict own grammar; `years` are the first and the last that are believed, a charger's by
    trust.md T8. The text itself is kept in the payload.
    """
    found = _READ_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute = (int(found[n]) for n in range(1, 6))
    second = 59 if found[6] == "60" else int(found[6] or 0)  # a leap second is the 59th
    micros = int((found[7] or "")[:6].ljust(6, "0"))
    offset = timedelta(hours=int(found[10] or 0), minutes=int(found[11] or 0))
    if not years[0] - 1 <= year <= years[1] + 1 or offset > timedelta(hours=14):
        return None
    zone = timezone(-offset if found[9] == "-" else offset)
    try:
        at = datetime(year, month, day, hour, minute, second, micros, zone).astimezone(UTC)
    except (ValueError, OverflowError):  # no such day; or beyond the year 1 or 9999 in UTC
        return None
    return at if years[0] <= at.year <= years[1] else None


def _times(payload: Payload) -> list[Deviation]:
    """What is not as it should be with the timestamps of a payload."""
    found: list[Deviation] = []
    for path, text in _stamps(payload):
        if text is None or _STRICT_TIME.fullmatch(text):
            continue
        if moment(text) is None:
            why = f"expected a time from {YEAR_MIN} to {YEAR_MAX}, got {text[:40]!r}"
        else:
            why = f"expected a time like 2026-01-31T12:00:00Z, got {text[:40]!r}"
        found.append(Deviation(path, why))
    return found


def _stamps(payload: Payload) -> Iterable[tuple[str, str | None]]:
    """The timestamps in a payload, by path."""
    if isinstance(payload, MeterValues):
        return [(f"$.meterValue[{n}].timestamp", v.timestamp)
                for n, v in enumerate(payload.meter_value)]  # fmt: skip
    if isinstance(payload, StopTransaction):
        return [("$.timestamp", payload.timestamp)] + [
            (f"$.transactionData[{n}].timestamp", v.timestamp)
            for n, v in enumerate(payload.transaction_data)
        ]
    if isinstance(payload, StartTransaction | StatusNotification):
        return [("$.timestamp", payload.timestamp)]
    return []


def _value(raw: msgspec.Raw | bytes) -> object:
    """Any JSON value; raises `Unreadable`."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unreadable("FormationViolation", f"expected JSON: {error}") from None


def _against_schema(
    type_: type[Payload], raw: msgspec.Raw | bytes, *, mended: bool
) -> list[Deviation]:
    """What OCPP's JSON schema says of a payload; what was mended is not said twice."""
    value = _value(raw)
    if value in (None, []):
        return []
    found: list[Deviation] = []
    for error in islice(_schema_errors(type_.__name__)(value), DEVIATIONS_MAX):
        if mended and error.validator in {"required", "type", "maxLength", "enum"}:
            continue
        path = "$" + "".join(
            f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path
        )
        found.append(Deviation(path, f"schema: {error.message[:200]}"))
    return found


@cache
def _schema_errors(name: str) -> Callable[[object], Iterable[Any]]:
    """The judge of a message, by the name of its schema."""
    from ocpp.messages import MessageType, get_validator  # heavy: see `prepare`

    action = name.removesuffix("Response")
    kind = MessageType.CallResult if action != name else MessageType.Call
    errors: Callable[[object], Iterable[Any]] = get_validator(kind, action, "1.6").iter_errors
    return errors


@cache
def _decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(type_)


@cache
def _fields(type_: type) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(type_)
    assert isinstance(info, inspect.StructType), f"{type_} is no struct"
    return info.fields


class _Mending:
    """One payload that is not as OCPP has it, read value by value."""

    def __init__(self) -> None:
        self.found: list[Deviation] = []

    def whole(self, type_: type[T], value: object) -> T:
        """The payload as it was meant; raises `Unreadable`."""
        if value in (None, []):
            self._note("$", "an object", value)
            value = {}
        if not isinstance(value, dict):
            raise _unreadable("FormationViolation", "$", "an object", value)
        return self._struct(type_, value, "$")

    def _note(self, path: str, expected: str, came: object) -> None:
        self.found.append(Deviation(path, f"expected {expected}, got {_short(came)}"))

    def _struct(self, type_: type[S], value: dict[str, object], path: str) -> S:
        made: dict[str, object] = {}
        for field in _fields(type_):
            at = f"{path}.{field.encode_name}"
            came = value.get(field.encode_name)
            if came is None:
                made[field.name] = self._absent(type_, field, at)
                continue
            try:
                made[field.name] = self._read(field.type, came, at, (type_, field.name))
            except Unreadable as error:
                if field.required or type_ is SampledValue:
                    raise
                self.found.append(Deviation(at, f"left out: {error.text}"))
                made[field.name] = field.default
        return type_(**made)

    def _absent(self, type_: type, field: inspect.Field, path: str) -> object:
        """What a missing (or null) field is read as."""
        if not field.required:
            return field.default
        if (type_, field.name) in ABSENT:
            self.found.append(Deviation(path, "expected a value, got none"))
            return ABSENT[type_, field.name]
        raise _unreadable("OccurenceConstraintViolation", path, "a value", None)

    def _read(self, kind: inspect.Type, came: object, path: str, name: tuple[type, str]) -> object:
        """A value by the type of its field."""
        match kind:
            case inspect.UnionType():
                inner = next(t for t in kind.types if not isinstance(t, inspect.NoneType))
                return self._read(inner, came, path, name)
            case inspect.StructType():
                if not isinstance(came, dict):
                    raise _unreadable("TypeConstraintViolation", path, "an object", came)
                return self._struct(kind.cls, came, path)
            case inspect.VarTupleType():
                if isinstance(came, dict):
                    self._note(path, "a list", came)
                    came = [came]
                if not isinstance(came, list):
                    raise _unreadable("TypeConstraintViolation", path, "a list", came)
                return tuple(
                    self._read(kind.item_type, item, f"{path}[{n}]", name)
                    for n, item in enumerate(came)
                )
            case inspect.IntType():
                return self._int(came, path)
            case inspect.FloatType():
                return self._float(came, path)
            case inspect.BoolType():
                return self._bool(came, path)
            case inspect.LiteralType():
                return self._word(kind.values, came, path, name)
        assert isinstance(kind, inspect.StrType), f"{path}: no rule reads a {kind}"
        return self._str(kind.max_length, came, path)

    def _int(self, came: object, path: str) -> int:
        number = came
        if isinstance(came, str) and _NUMBER.fullmatch(came.strip()):
            number = float(came) if "." in came else int(came)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _unreadable("TypeConstraintViolation", path, "an integer", came)
        if not isinstance(came, int):
            self._note(path, "an integer", came)
        if not -(2**63) <= number < 2**63:
            raise _unreadable("TypeConstraintViolation", path, "an integer of 64 bits", came)
        return math.floor(number)

    def _float(self, came: object, path: str) -> float:
        number = came
        if isinstance(came, str) and _NUMBER.fullmatch(came.strip()):
            self._note(path, "a number", came)
            number = float(came)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _unreadable("TypeConstraintViolation", path, "a number", came)
        if not abs(number) <= sys.float_info.max:
            raise _unreadable("TypeConstraintViolation", path, "a number of 64 bits", came)
        return float(number)

    def _bool(self, came: object, path: str) -> bool:
        if isinstance(came, bool):
            return came
        said = str(came).strip().lower()
        if isinstance(came, int | str) and said in {"true", "false", "1", "0"}:
            self._note(path, "true or false", came)
            return said in {"true", "1"}
        raise _unreadable("TypeConstraintViolation", path, "true or false", came)

    def _str(self, most: int | None, came: object, path: str) -> str:
        if not isinstance(came, str):
            if not isinstance(came, int | float):
                raise _unreadable("TypeConstraintViolation", path, "a string", came)
            self._note(path, "a string", came)
            came = str(came).lower() if isinstance(came, bool) else str(came)
        if most is not None and len(came) > most:
            self._note(path, f"at most {most} characters", came)
            return came[: max(KEPT_CHARS_MIN, 4 * most)]
        return came

    def _word(self, known: Iterable[Any], came: object, path: str, name: tuple[type, str]) -> str:
        said = self._str(None, came, path)
        if said in known:
            return said
        meant = next((w for w in known if w.lower() == said.strip().lower()), None)
        self._note(path, "a word that OCPP 1.6 knows", came)
        if meant is not None:
            return str(meant)
        if name[0] is SampledValue:
            return said[:KEPT_CHARS_MIN]  # whoever uses the value judges the word
        if name in OTHER_WORD:
            return OTHER_WORD[name]
        raise _unreadable("TypeConstraintViolation", path, f"one of {', '.join(known)}", came)


_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?")


def _unreadable(code: ViolationCode, path: str, expected: str, came: object) -> Unreadable:
    return Unreadable(code, f"expected {expected}, got {_short(came)} - at {path}")


def _short(came: object) -> str:
    """What came, short enough for a page."""
    if came is None:
        return "nothing"
    text = repr(came) if isinstance(came, str | int | float | bool) else type(came).__name__
    return text if len(text) <= 60 else text[:59] + "…"
