"""The audit log's chain: every line carries a hash over itself and the one before (A48)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec

from linkray.model.tags import last_four

CHANGE_CHARS_MAX = 16_384  # what one line says of old and new; the settings keep whole trees
START = "0" * 64  # before the first line
VIP = "access.vip"  # of the settings: tags

PAGE_MAX = 500  # lines read at once

class AuditLine(msgspec.Struct, frozen=True):
    """Who changed what from what to what. `hash` closes the line."""

    seq: int
    at: str
    who: str
    level: int
    source: str
    what: str
    old: str
    new: str
    hash: str = ""


class AuditQuery(msgspec.Struct, frozen=True):
    """Which lines, the newest first; whatever is empty asks for nothing."""

    who: str = ""  # part of it, as of the others; case does not matter
    what: str = ""
    text: str = ""  # in any column
    since: str = ""  # UTC, ISO 8601 with Z
    until: str = ""  # before this
    before: int | None = None  # only lines with a smaller number: the next page
    limit: int = 100


class AuditEntry(AuditLine, frozen=True):
    """A line as it is shown; the event is no part of what was written, so not of the hash."""

    event: str = ""  # of OCPP's security events; empty: none


class AuditPage(msgspec.Struct, frozen=True):
    """Some lines, and how many the query finds in all."""

    lines: tuple[AuditEntry, ...]
    total: int


class AuditChain(msgspec.Struct, frozen=True):
    """Whether every line is as it was written: `holds_to` is the last that is."""

    lines: int
    holds_to: int
    holds: bool


# How OCPP calls what a line tells (security whitepaper for 1.6, edition 2; 2.0.1, appendix 1): for
# whoever gathers the events of many boxes. By what the line begins with; other lines are no such
# event.
EVENTS = (
    ("factory reset", "SecurityLogWasCleared"),  # the line that begins the new log
    ("sign-in failed: code used before", "AttemptedReplayAttacks"),
    ("password of ", "ReconfigurationOfSecurityParameters"),
    ("second factor of ", "ReconfigurationOfSecurityParameters"),
    ("API key ", "ReconfigurationOfSecurityParameters"),
    ("EV closed", "ReconfigurationOfSecurityParameters"),
    ("Installer closed", "ReconfigurationOfSecurityParameters"),
    ("first login reopened", "ReconfigurationOfSecurityParameters"),
)


def entry_of(line: AuditLine) -> AuditEntry:
    """The line with its event."""
    event = next((name for begins, name in EVENTS if line.what.startswith(begins)), "")
    return AuditEntry(**msgspec.structs.asdict(line), event=event)


def hash_of(line: AuditLine, before: str) -> str:
    """The hash of a line that follows the hash `before`."""
    parts = [before, line.seq, line.at, line.who, line.level, line.source]
    words = msgspec.json.encode([*parts, line.what, line.old, line.new])
    return hashlib.sha256(words).hexdigest()


def broken_at(lines: Iterable[AuditLine], head: str | None = None) -> int | None:
    """The `seq` of the first line that is not as it was written; None: the chain holds.

    `head` is the hash of the newest line, kept apart: lines cut off at the end are missed there.
    """
    before, expected = START, 1
    for line in lines:
        if line.seq != expected or hash_of(line, before) != line.hash:
            return expected
        before, expected = line.hash, expected + 1
    return expected if head is not None and head != before else None


def differences(old: object, new: object) -> tuple[str, str]:
    """What differs between two trees, as `path: value` words for both sides."""
    was, now = dict(_leaves(old, "")), dict(_leaves(new, ""))
    paths = [p for p in {**was, **now} if was.get(p, _ABSENT) != now.get(p, _ABSENT)]
    return _said(was, paths), _said(now, paths)


_ABSENT = object()
_LOGIN = re.compile(r"//[^/@\s]*@")  # a password inside an address never reaches the log


def _said(tree: dict[str, object], paths: list[str]) -> str:
    words = [f"{p}={_LOGIN.sub('//***@', _written(_shown(p, tree[p])))}" for p in paths
             if p in tree]  # fmt: skip
    text = "; ".join(words)
    if len(text) <= CHANGE_CHARS_MAX:
        return text
    return text[:CHANGE_CHARS_MAX] + f"… ({len(words)} values)"


def _shown(path: str, value: object) -> object:
    """A value as it may leave the box: of a tag its last four (records.md, Logs)."""
    if path == VIP and isinstance(value, list | tuple):
        return [last_four(str(tag)) for tag in value]
    return value


def _written(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _leaves(tree: object, path: str) -> Iterable[tuple[str, object]]:
    """Leaves by path; a list of things with an id or a name is told apart by it."""
    if isinstance(tree, dict) and tree:
        for name, inner in tree.items():
            yield from _leaves(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(tree, list | tuple) and tree and all(isinstance(part, dict) for part in tree):
        for place, part in enumerate(tree):
            yield from _leaves(part, f"{path}[{part.get('id') or part.get('name') or place}]")
    else:
        yield path, tree
