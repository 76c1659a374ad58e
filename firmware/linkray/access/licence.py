"""The licence: how many connectors a box may have, signed with Ed25519 (access.md, Licence).

A file is JSON of two texts: the licence, itself JSON, and the signature over its very bytes, so
that nothing has to be spelled the same way twice. What is not signed is not even read as a licence.
`cryptography` is imported only where there is a licence to check.
"""

from __future__ import annotations

import base64
from datetime import date, datetime, timedelta

import msgspec

from linkray.model.plain import in_plain

FILE_BYTES_MAX = 8 * 1024
SIGNED_AS = b"LinkRay licence 1\n"  # what is signed begins so: no signature serves two purposes
CONNECTORS_MAX = 1_000
SERIAL_CHARS_MAX = 64
TEXT_CHARS_MAX = 100


class BadLicence(ValueError):
    """A licence that is not taken: says which of its rules it breaks."""


class Licence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a licence says. Dates are ISO 8601; it holds through the whole of its last day, UTC."""

    serial: str
    connectors: int
    issued: str
    expires: str | None = None  # none: it has no end
    customer: str = ""
    number: str = ""

    def is_over(self, utc: datetime) -> bool:
        """Whether its last day is over."""
        return self.expires is not None and utc.date() > date.fromisoformat(self.expires)

    def ends(self) -> datetime | None:
        """The moment from which it does not hold any more; none: there is none."""
        if self.expires is None:
            return None
        last = date.fromisoformat(self.expires)
        return datetime.fromisoformat(f"{last.isoformat()}T00:00:00+00:00") + timedelta(days=1)


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the licence's text, and the signature (base64) over it."""

    licence: str
    signature: str


def signed_part(text: str) -> bytes:
    """The bytes that are signed for a licence's text."""
    return SIGNED_AS + text.encode()


def read(file: bytes, public_key: bytes, serial: str) -> Licence:
    """The licence in a file: signed by the key's owner and for this box. Raises `BadLicence`.

    `public_key` are the 32 bytes of the Ed25519 key that is built in with the board.
    """
    if len(file) > FILE_BYTES_MAX:
        raise BadLicence(f"expected at most {FILE_BYTES_MAX} bytes, got {len(file)}")
    try:
        signed = msgspec.json.decode(file.removeprefix(b"\xef\xbb\xbf"), type=Signed)
        signature = base64.b64decode(signed.signature, validate=True)
        what = signed_part(signed.licence)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadLicence("it is not a licence file") from None
    if not _is_signed(signature, what, public_key):
        raise BadLicence("its signature is not right: it was changed, or is not of LinkRay's maker")
    licence = _said(signed.licence)
    if licence.serial != serial:
        raise BadLicence(f"it is for the box {licence.serial[:SERIAL_CHARS_MAX]!r}, "
                         f"and this one is {serial!r}")  # fmt: skip
    return licence


def check_end(licence: Licence, utc: datetime) -> None:
    """Raises `BadLicence` for one whose last day is over."""
    if licence.is_over(utc):
        raise BadLicence(f"it expired on {licence.expires}")


def _is_signed(signature: bytes, what: bytes, public_key: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, what)
    except InvalidSignature:
        return False
    return True


def _said(text: str) -> Licence:
    """What the signed text says; also the maker's own mistakes are named."""
    try:
        licence = msgspec.json.decode(text, type=Licence)
        for day in (licence.issued, licence.expires):
            if day is not None:
                date.fromisoformat(day)
    except (msgspec.DecodeError, RecursionError) as error:
        why = in_plain(error) if isinstance(error, msgspec.ValidationError) else str(error)
        raise BadLicence(f"it is signed, but not readable: {why}") from None
    except ValueError as error:
        raise BadLicence(f"it is signed, but a date of it is none: {error}") from None
    if not 1 <= licence.connectors <= CONNECTORS_MAX:
        raise BadLicence(f"expected 1 to {CONNECTORS_MAX} connectors, got {licence.connectors}")
    if len(licence.customer) > TEXT_CHARS_MAX or len(licence.number) > TEXT_CHARS_MAX:
        raise BadLicence(f"expected a customer and a number of at most {TEXT_CHARS_MAX} characters")
    return licence
