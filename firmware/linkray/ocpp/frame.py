"""OCPP-J frames: text <-> Call, Result, Error. Knows JSON arrays, not what an action means.

Every text from outside passes `read`: size, depth, numbers, keys and strings are judged here, once
(trust.md A33), and a text that cannot stand is a `BadFrame`, never another exception.
"""

from __future__ import annotations

import json
import re
from types import GenericAlias
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

FRAME_BYTES_MAX = 64 * 1024  # chargers.md, Connecting
DEPTH_MAX = 16  # trust.md A33; the frame's own array is the first
DEPTH_USUAL = 6  # of a payload in OCPP 1.6; every level more doubles the type that judges it
ID_CHARS_READ = 64  # what is read leniently
WORD_CHARS_READ = 255  # an action or an error code; OCPP's longest has 32

Id = Annotated[str, Meta(min_length=1, max_length=ID_CHARS_READ)]
Word = Annotated[str, Meta(min_length=1, max_length=WORD_CHARS_READ)]


class BadFrame(ValueError):
    """A text that is no frame. `message_id`: of a CALL, where one can be read; an answer is due."""

    def __init__(self, code: str, message_id: str | None, text: str) -> None:
        super().__init__(text)
        self.code = code  # FormationViolation or ProtocolError
        self.message_id = message_id
        self.text = text


class Call(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """`[2, id, action, payload]`: a request."""

    id: Id
    action: Word
    payload: msgspec.Raw


class Result(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """`[3, id, payload]`: the answer to a Call."""

    id: Id
    payload: msgspec.Raw


class Error(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """`[4, id, code, description, details]`: a Call could not be dealt with."""

    id: Id
    code: Word
    description: str = ""
    details: msgspec.Raw = msgspec.Raw(b"{}")


Frame = Call | Result | Error


_leaf: Any = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None


def _values(depth: int) -> Any:
    """The type of a JSON value with `depth` levels of lists and objects, ints within 64 bits."""
    value = _leaf
    for _ in range(depth):
        value = _leaf | GenericAlias(dict, (str, value)) | GenericAlias(list, (value,))
    return value


def _judged(raw: msgspec.Raw) -> object:
    """The value, within depth and bounds; raises `msgspec.ValidationError`."""
    try:
        return _usual.decode(raw)
    except msgspec.ValidationError:
        value = _any.decode(raw)
        _judge(value, DEPTH_MAX - 1)
        return value


def _judge(value: object, depth: int) -> None:
    """The slow look at what is deeper than usual, or wrong."""
    if isinstance(value, dict | list):
        if depth == 0:
            raise msgspec.ValidationError("Expected a value without levels, got `array`")
        for inner in value.values() if isinstance(value, dict) else value:
            _judge(inner, depth - 1)
    else:
        msgspec.convert(value, _leaf)


class _DoubledKey(ValueError):
    """An object holds a key twice."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of these pairs; raises `_DoubledKey`."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DoubledKey(next(key for key in keys if keys.count(key) > 1))
    return made


_frame: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
_usual: msgspec.json.Decoder[object] = msgspec.json.Decoder(_values(DEPTH_USUAL))
_any = msgspec.json.Decoder()
_array = msgspec.json.Decoder(list[msgspec.Raw])
_canonical = msgspec.json.Encoder()
_keys_once = json.JSONDecoder(object_pairs_hook=_once)
_SPACE = " \t\r\n"
_CALL_ID = re.compile(r'[ \t\r\n]*\[[ \t\r\n]*2[ \t\r\n]*,[ \t\r\n]*"([^"\\\x00-\x1f]{1,64})"')


def read(text: str) -> Frame:
    """The frame that a text is; raises `BadFrame` and nothing else."""
    try:
        if len(text) > FRAME_BYTES_MAX or (
            not text.isascii() and len(text.encode()) > FRAME_BYTES_MAX
        ):
            _refuse(text, f"expected at most {FRAME_BYTES_MAX} bytes")
        if "\\u0000" in text and "\\u0000" in text.replace("\\\\", ""):
            _refuse(text, "expected no NUL in a string")
        try:
            frame = _frame.decode(text)
        except msgspec.ValidationError as error:
            frame = _meant(text, error)
        raw = frame.details if isinstance(frame, Error) else frame.payload
        _judge_keys(_canonical.encode(_judged(raw)), bytes(raw))
    except msgspec.ValidationError as error:
        _refuse(text, _out_of_bounds(str(error)))
    except msgspec.DecodeError as error:
        _refuse(text, f"expected JSON: {error}")
    except RecursionError:
        _refuse(text, f"expected at most {DEPTH_MAX} levels")
    except _DoubledKey as error:
        _refuse(text, f"expected every key once, got {str(error)[:50]!r} twice")
    except UnicodeError:
        _refuse(text, "expected valid Unicode, got a lone surrogate")
    return frame


def write(frame: Frame) -> str:
    """The text of a frame, compact."""
    return _canonical.encode(frame).decode()


def _judge_keys(canonical: bytes, given: bytes) -> None:
    """Every key once, else `_DoubledKey`.

    What encodes to the very text it came from had no key twice: a double is dropped on the way.
    Only a text with escapes or floats of its own kind needs the look at every pair (10 µs more).
    """
    if given != canonical != msgspec.json.format(given, indent=-1):
        _keys_once.decode(given.decode())


def _meant(text: str, error: msgspec.ValidationError) -> Error:
    """A CALLERROR whose words are null or missing is one all the same; anything else is refused."""
    parts = _array.decode(text) if text.lstrip(_SPACE).startswith("[") else []
    kind = bytes(parts[0]) if parts else b"nothing"
    if kind not in (b"2", b"3", b"4"):
        came = kind[:20].decode(errors="replace")
        _refuse(text, f"expected message type 2, 3 or 4, got {came}", "ProtocolError")
    words = [msgspec.json.decode(part) for part in parts[1:4]] + [None] * 3
    given = [word if isinstance(word, str) else "" for word in words]
    if kind != b"4" or not 1 <= len(given[0]) <= ID_CHARS_READ:
        _refuse(text, f"expected [2, id, action, payload], [3, id, payload] or "
                f"[4, id, code, description, details]: {error}")  # fmt: skip
    code = given[1][:WORD_CHARS_READ] or "GenericError"
    details = parts[4] if len(parts) > 4 else msgspec.Raw(b"{}")
    return Error(given[0], code, given[2], details)


def _out_of_bounds(error: str) -> str:
    """What a judged value breaks, in words."""
    if "got `array`" in error or "got `object`" in error:
        return f"expected at most {DEPTH_MAX} levels"
    return f"expected finite numbers and integers within 64 bits: {error}"


def _refuse(text: str, why: str, code: str = "FormationViolation") -> NoReturn:
    """Raises the `BadFrame`, with the id of the call where one can be read."""
    found = _CALL_ID.match(text[: 2 * FRAME_BYTES_MAX])
    raise BadFrame(code, found[1] if found else None, why) from None
