"""Who may charge while LinkRay decides (access.md, RFID). Knows no charger and no storage."""

from __future__ import annotations

from collections.abc import Container

import msgspec

from linkray.model.settings import Settings
from linkray.model.tags import Decision

STOPPED = Decision("Blocked", text="emergency stop")
WITHOUT_CSMS = Decision("Blocked", text="charging without the CSMS is not allowed")
NOT_LISTED = Decision("Invalid", text="the whitelist does not have it")
NOT_KEPT = Decision("Blocked", text="the storage takes no writes")  # trust.md P3
NO_TAG = Decision("Invalid", text="an empty tag")
OPEN = Decision("Accepted", authorised_by="open")
LISTED = Decision("Accepted", authorised_by="whitelist")
BY_HAND = Decision("Accepted", authorised_by="hand")


def may_charge(
    tag: str,
    *,
    settings: Settings,
    emergency: bool,
    by_hand: bool = False,
    listed: Container[str] = frozenset(),
) -> Decision:
    """Whether `tag` may charge now, stand-alone or with the CSMS away.

    `by_hand`: a person has just started it from the page; the whitelist need not have it
    (manual, 1.3.1). `listed`: the allowed tags, casefolded: tags compare without case; those that
    the CSMS has accepted in the last 30 days are among them (csms.md, Offline).
    """
    if emergency:  # balancing.md, Emergency stop
        return STOPPED
    if not settings.csms.allow_without:  # no uplink stands: csms.md, stand-alone and offline times
        return WITHOUT_CSMS
    if not tag.strip():
        return NO_TAG
    if by_hand:
        decision = BY_HAND
    elif not settings.access.whitelist:
        decision = OPEN
    else:
        decision = LISTED if tag.casefold() in listed else NOT_LISTED
    if decision.accepted and is_vip(tag, settings):
        return msgspec.structs.replace(decision, vip=True)
    return decision


def is_vip(tag: str, settings: Settings) -> bool:
    """Whether this tag's sessions are high priority; spaces around it and case do not matter."""
    wanted = tag.strip().casefold()
    return any(wanted == vip.strip().casefold() for vip in settings.access.vip)
