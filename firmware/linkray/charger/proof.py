"""With what a charger proves who it is: HTTP Basic (chargers.md, Connecting). Pure.

Kept is a salted SHA-256: what LinkRay makes up has 160 bits, a person's word at least 16
characters, and a thousand chargers that come back at once are looked at without waiting.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

import msgspec

CHARS_MIN, CHARS_MAX = 16, 40  # of an AuthorizationKey (OCPP 1.6 Security, 4.1.2)
REFUSALS_MAX = 1_000  # chargers of which refusals are counted; more are somebody's dictionary

Verdict = Literal["open", "proved", "proved_new", "refused"]


class Kept(msgspec.Struct, frozen=True):
    """What is kept for one charger: the one that is required, and one that it was told."""

    now: str = ""
    new: str = ""  # takes the place of `now` once the charger has come with it
    gone: str = ""  # required no more; the charger may come with it still, and nobody else hears it
    since: str = ""  # UTC
    by: str = ""


class Refusals(msgspec.Struct, frozen=True):
    """Connections in a charger's name that were refused: how many, and the newest."""

    count: int = 0
    at: str = ""  # UTC
    source: str = ""
    why: str = ""


def unfit(password: str) -> str:
    """Why a charger cannot be given this password, in words; empty: it can."""
    good = CHARS_MIN <= len(password) <= CHARS_MAX and password.isascii()
    if good and password.isprintable() and " " not in password:
        return ""
    return (f"Expected {CHARS_MIN} to {CHARS_MAX} letters, digits and signs without spaces, got "
            f"{len(password)}")  # fmt: skip


def kept_of(password: str, salt: bytes) -> str:
    """What is kept instead of a password."""
    return f"{salt.hex()}${hashlib.sha256(salt + password.encode()).hexdigest()}"


def is_it(kept: str, given: bytes) -> bool:
    """Whether this is the password, in constant time. Some chargers take the key for hexadecimal
    (OCPP 1.6-J, 6) and send its bytes.
    """
    salt_hex, _, digest = kept.partition("$")
    salt = bytes.fromhex(salt_hex)
    as_text = hashlib.sha256(salt + given).hexdigest()
    as_bytes = hashlib.sha256(salt + given.hex().encode()).hexdigest()
    as_upper = hashlib.sha256(salt + given.hex().upper().encode()).hexdigest()
    found = [hmac.compare_digest(one, digest) for one in (as_text, as_bytes, as_upper)]
    return bool(kept) and any(found)


def basic(header: str, charger: str) -> bytes | None:
    """The password in an Authorization header that names this charger; None: there is none."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        named = base64.b64decode(coded.strip(), validate=True)
    except binascii.Error:
        return None
    before = f"{charger}:".encode()  # an identity may have colons of its own
    return named[len(before) :] if named.startswith(before) else None


def read_proofs(kept: str | None) -> dict[str, Kept]:
    """What the store remembers; what cannot be read is none: cars go on charging."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(kept or "{}", type=dict[str, Kept])
    return {}


class Proofs:
    """What every charger must come with, and who came without; `kept` by charger."""

    def __init__(self, kept: Mapping[str, Kept] | None = None) -> None:
        self.kept = dict(kept or {})
        self.refusals: dict[str, Refusals] = {}

    def judge(self, charger: str, header: str) -> Verdict:
        """What a handshake proves; `proved_new`: with the password that the charger was told."""
        kept = self.kept.get(charger, Kept())
        given = basic(header, charger) or b""
        if kept.new and is_it(kept.new, given):
            return "proved_new"
        if not kept.now:
            return "open"
        return "proved" if is_it(kept.now, given) else "refused"

    def is_ours(self, charger: str, header: str) -> bool:
        """Whether a header has a password that LinkRay has or had given: nobody else's business."""
        kept, given = self.kept.get(charger, Kept()), basic(header, charger) or b""
        return any(is_it(one, given) for one in (kept.now, kept.new, kept.gone))

    def refused(self, charger: str, source: str, why: str, at: str) -> None:
        """A connection in this charger's name was refused."""
        if charger not in self.refusals and len(self.refusals) >= REFUSALS_MAX:
            return
        count = self.refusals.get(charger, Refusals()).count + 1
        self.refusals[charger] = Refusals(count, at, source, why)
