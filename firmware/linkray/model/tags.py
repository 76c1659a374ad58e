"""Tags: what is said of one, the list of them, and how they compare (access.md, RFID)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from linkray.model.settings import END, ONE_LINE

TAG_CHARS_MAX = 20  # idToken of OCPP 1.6
NAME_CHARS_MAX = 100
TAGS_MAX = 20_000  # of one list: access.md asks for 10,000
TAG = rf"^(?!\s){ONE_LINE}+(?<!\s){END}"
NAME = rf"^(?!\s){ONE_LINE}*(?<!\s){END}"
MOMENT = rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z{END}"
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_EXPIRY = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
LAST = datetime.max.replace(tzinfo=UTC)

TagType = Literal["User", "VIP", "Admin"]


class Decision(msgspec.Struct, frozen=True):
    """Whether a tag may charge, why not, and by whose word it may."""

    status: Literal["Accepted", "Blocked", "Expired", "Invalid"]
    authorised_by: str = ""  # open, whitelist, hand, csms, payment; empty: nobody
    text: str = ""  # why not, for the log
    vip: bool = False  # its session is high priority (access.md, RFID)
    ends: bool = False  # an Admin tag: it ends the session that runs, and is no refused tag

    @property
    def accepted(self) -> bool:
        return self.status == "Accepted"


class Tag(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A row of the list. `expires`: UTC, the first moment at which it holds no more."""

    tag: Annotated[str, Meta(max_length=TAG_CHARS_MAX, pattern=TAG)]
    name: Annotated[str, Meta(max_length=NAME_CHARS_MAX, pattern=NAME)] = ""
    type: TagType = "User"
    allowed: bool = True
    expires: Annotated[str, Meta(pattern=MOMENT)] | None = None

    def holds(self, utc: datetime) -> bool:
        """Whether it is allowed and has not expired."""
        return self.allowed and not self.is_over(utc)

    def is_over(self, utc: datetime) -> bool:
        return self.expires is not None and utc >= datetime.fromisoformat(self.expires)


class BadExpiry(ValueError):
    """What is no moment, in words."""


def key_of(tag: str) -> str:
    """A tag as it is compared: without case, and without spaces around it."""
    return tag.strip().casefold()


def turned(tag: str) -> str:
    """The tag with its bytes in the opposite order; one that is not written in bytes stays."""
    if not _HEX.fullmatch(tag):
        return tag
    return "".join(tag[place : place + 2] for place in range(len(tag) - 2, -1, -2))


def last_four(tag: str) -> str:
    """A tag as it may leave the box (records.md, Logs)."""
    return "…" + tag[-4:] if len(tag) > 4 else "…"


def read_expiry(text: str, zone: tzinfo) -> str | None:
    """When a tag expires, as `Tag` keeps it; empty: never.

    A date holds to the end of its day in the site's time zone; a time without `Z` or offset is one
    of that zone. Raises `BadExpiry`.
    """
    text = text.strip()
    if not text:
        return None
    if not _EXPIRY.fullmatch(text):
        raise BadExpiry(f"Expected a date such as 2027-12-31 or 2027-12-31 18:00, got {text!r}")
    try:
        if len(text) == len("2027-12-31"):
            day = date.fromisoformat(text)
            if day == date.max:
                return _written(LAST)
            at = datetime.combine(day + timedelta(days=1), time(), zone)
        else:
            at = datetime.fromisoformat(text)
            at = at if at.tzinfo is not None else at.replace(tzinfo=zone)
        return _written(at)
    except OverflowError:  # the last or the first day there is, in a zone
        return _written(LAST) if text >= "5000" else _written(datetime.min.replace(tzinfo=UTC))
    except ValueError as error:
        raise BadExpiry(f"Expected a date that there is, got {text!r}: {error}") from None


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
