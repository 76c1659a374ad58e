"""API keys: their form, what is kept of them, and when one is good (access.md; trust.md A8, A9)."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta

from linkray.model.asks import EV, INSTALLER, Key

from .sessions import TOKEN_BYTES, digest, text_of

PREFIX = "lr_"
FORM = re.compile(r"^lr_[A-Za-z0-9_\-]{43}$")  # 256 bit of base64url
LEVELS = {"read": EV, "write": INSTALLER}
LONGEST = timedelta(days=3660)
_SPAN = re.compile(r"^([1-9][0-9]{0,4})([mhdw])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class BadSpan(ValueError):
    """A time like `1d` that cannot be read."""


def new_key(secret: bytes) -> tuple[str, str]:
    """A key as it is shown once, and the digest that is kept."""
    assert len(secret) >= TOKEN_BYTES
    key = PREFIX + text_of(secret)
    return key, digest(key)


def expiry(span: str, now: datetime) -> datetime:
    """When a key that is made now and good for `90m`, `12h`, `1d` or `2w` ends."""
    match = _SPAN.match(span)
    if match is None:
        raise BadSpan(f"Expected a time such as 90m, 12h, 30d or 2w, got {span!r}")
    length = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if length > LONGEST:
        raise BadSpan(f"Expected at most {LONGEST.days} days, got {span!r}")
    return now.astimezone(UTC) + length


def level(key: Key) -> int:
    """What a key may: read is level 1, write level 2; an unknown scope nothing."""
    return LEVELS.get(key.scope, 0)


def find(keys: tuple[Key, ...], presented: str, now: datetime) -> Key | None:
    """The key that was presented, if it is one of ours, is on and has not expired."""
    if FORM.match(presented) is None:
        return None
    shown = digest(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, shown):
            found = key
    if found is None or found.off or level(found) == 0:
        return None
    try:
        end = datetime.fromisoformat(found.expires)
    except ValueError:
        return None
    if end.tzinfo is None or now >= end:
        return None
    return found
