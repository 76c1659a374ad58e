"""One field of a payload changed, all others as their sender wrote them (csms.md, Passing through).

Knows JSON objects, not what a field means. A payload that is untouched is returned as it came.
"""

from __future__ import annotations

import msgspec

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def with_field(payload: bytes, name: str, value: str | int) -> bytes:
    """The payload with this field; raises `msgspec.DecodeError` where it is no JSON object."""
    fields = _fields.decode(payload)
    raw = msgspec.json.encode(value)
    if bytes(fields.get(name, b"")) == raw:
        return payload
    fields[name] = msgspec.Raw(raw)
    return msgspec.json.encode(fields)


def without_field(payload: bytes, name: str) -> bytes:
    """The payload without it; raises `msgspec.DecodeError` where it is no JSON object."""
    fields = _fields.decode(payload)
    if fields.pop(name, None) is None:
        return payload
    return msgspec.json.encode(fields)
