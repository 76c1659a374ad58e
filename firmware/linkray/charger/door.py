"""What a charger's handshake says: identity, subprotocol, what is mended (chargers.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from linkray.model.settings import IDENTITY

SUBPROTOCOL = "ocpp1.6"
HEAD_BYTES_MAX = 8 * 1024  # of a handshake: real ones have some 300 bytes
_identity = re.compile(IDENTITY)
_escape = re.compile(r"%[0-9A-Fa-f]{2}")


def identity(path: str) -> str | None:
    """The identity in a request's path; None where there is none that OCPP allows.

    The last segment, percent-decoded once; a prefix, doubled and trailing slashes do not matter.
    """
    segments = [part for part in path.partition("?")[0].split("/") if part]
    if not segments or "%" in _escape.sub("", segments[-1]):
        return None
    try:
        decoded = unquote_to_bytes(segments[-1]).decode("ascii")
    except UnicodeError:
        return None
    if decoded.strip(". ") == "" or not _identity.fullmatch(decoded):  # `.` and `..` are no names
        return None
    return decoded


def subprotocol(offered: Iterable[str]) -> tuple[bool, str | None]:
    """Whether the link may stand, and what is answered: none offered is accepted (and noted)."""
    given = tuple(offered)
    if not given:
        return True, None
    found = next((name for name in given if name.lower() == SUBPROTOCOL), None)
    return found is not None, found


def mended(head: bytes) -> bytes:
    """A handshake's head with the `Connection: Upgrade` that some chargers leave out (quirks.md).

    Only where all else says WebSocket; anything else goes on as it came, to be refused.
    """
    lines = head.split(b"\r\n")
    fields = [line.partition(b":") for line in lines[1:] if line]
    names = {name.strip().lower(): value.strip().lower() for name, _, value in fields}
    if names.get(b"upgrade") != b"websocket" or b"sec-websocket-key" not in names:
        return head
    if b"upgrade" in names.get(b"connection", b""):
        return head
    kept = [line for line in lines[1:] if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([lines[0], b"Connection: Upgrade", *kept])
