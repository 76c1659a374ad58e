"""Who may charge while LinkRay decides (access.md, RFID). Knows no charger and no storage."""

from __future__ import annotations

from datetime import datetime

import msgspec

from linkray.model.settings import Settings
from linkray.model.tags import Decision, Tag, key_of

STOPPED = Decision("Blocked", text="emergency stop")
WITHOUT_CSMS = Decision("Blocked", text="charging without the CSMS is not allowed")
NOT_LISTED = Decision("Invalid", text="the whitelist does not have it")
NOT_ALLOWED = Decision("Blocked", text="the whitelist does not allow it")
EXPIRED = Decision("Expired", text="it has expired on the whitelist")
NOT_KEPT = Decision("Blocked", text="the storage takes no writes")  # trust.md P3
NO_TAG = Decision("Invalid", text="an empty tag")
CHARGES_NOTHING = Decision("Blocked", text="an Admin tag charges nothing")
OPEN = Decision("Accepted", authorised_by="open")
LISTED = Decision("Accepted", authorised_by="whitelist")
BY_HAND = Decision("Accepted", authorised_by="hand")


def may_charge(
    tag: str,
    *,
    settings: Settings,
    emergency: bool,
    utc: datetime,
    by_hand: bool = False,
    row: Tag | None = None,
    csms_accepted: bool = False,
) -> Decision:
    """Whether `tag` may charge now, stand-alone or with the CSMS away.

    `by_hand`: a person has just started it from the page; the whitelist need not have it
    (manual, 1.3.1). `row`: its row of the list, if it has one; what that says comes before
    `csms_accepted`: the CSMS has accepted it in the last 30 days (csms.md, Offline). With the
    whitelist off any tag charges, but for the type Admin, which ends sessions and charges nothing.
    """
    if emergency:  # balancing.md, Emergency stop
        return STOPPED
    if row is not None and row.type == "Admin":
        ends = row.holds(utc) and not by_hand
        return msgspec.structs.replace(CHARGES_NOTHING, ends=ends)
    if not settings.csms.allow_without:  # no uplink stands: csms.md, stand-alone and offline times
        return WITHOUT_CSMS
    if not tag.strip():
        return NO_TAG
    if by_hand:
        decision = BY_HAND
    elif not settings.access.whitelist:
        decision = OPEN
    elif row is not None:
        decision = _of_row(row, utc)
    else:
        decision = LISTED if csms_accepted else NOT_LISTED
    if decision.accepted and is_vip(tag, settings, row, utc):
        return msgspec.structs.replace(decision, vip=True)
    return decision


def _of_row(row: Tag, utc: datetime) -> Decision:
    if not row.allowed:
        return NOT_ALLOWED
    return EXPIRED if row.is_over(utc) else LISTED


def is_vip(tag: str, settings: Settings, row: Tag | None, utc: datetime) -> bool:
    """Whether this tag's sessions are high priority: by the settings or, while it holds, by its row
    of the list. Spaces around it and case do not matter.
    """
    if row is not None and row.type == "VIP" and row.holds(utc):
        return True
    return any(key_of(tag) == key_of(vip) for vip in settings.access.vip)
