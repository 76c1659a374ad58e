"""Factory reset: what goes, what stays, and the marker that makes it happen (house.md, story B).

The marker is written in the state folder after the audit line and before the reboot. A start that
finds it wipes before anything is opened, begins the new audit log with the line that records the
reset, and removes the marker last: cut at any moment, it simply happens again.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from linkray.model.asks import Who

MARKER = "factory-reset"
WHAT = "factory reset"


class Marker(msgspec.Struct, frozen=True):
    """Who asked for the reset, and when."""

    who: Who
    at: str


def marker_of(words: bytes) -> Marker:
    """A marker that cannot be read still means what it is: the reset happens."""
    try:
        return msgspec.json.decode(words, type=Marker)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Marker(Who("unknown", 0, "an unreadable marker"), "")


def to_wipe(names: Iterable[str], keeps: frozenset[str]) -> list[str]:
    """What goes, in order: all but what is the board's own, and the marker.

    What stays is listed, not what goes: whatever a later version puts into the folder goes too.
    """
    return sorted(name for name in names if name != MARKER and name not in keeps)
