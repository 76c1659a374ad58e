"""What of a plan is worth a line in the log: offers whose cause is another (balancing.md, Reasons).

A connector has one line a minute at most, then with what is newest by then, and a plan so many
lines (trust.md P13). How much is offered moves all the time and is told beside its cause only;
that it has become 0, or is so no longer, is told as well.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import NamedTuple

from linkray.model.plan import Offer, Plan

EACH_S = 60.0
LINES_MAX = 20  # of one plan; the others follow with the next ones
Place = tuple[str, int]  # charger and connector


class _Told(NamedTuple):
    """The newest line of a connector: its cause as far as it makes a new one, and when."""

    cause: tuple[str | bool | None, ...]
    at: float


class News:
    """Remembers what was told of each connector."""

    __slots__ = ("_offers", "_told", "_waits")

    def __init__(self) -> None:
        self._offers: tuple[Offer, ...] = ()
        self._told: dict[Place, _Told] = {}
        self._waits: dict[Place, Offer] = {}  # has changed, in the order in which it did

    def of(self, plan: Plan, now: float) -> list[Offer]:
        """The offers to be told now."""
        if plan.offers is not self._offers:
            self._compare(plan.offers)
        told: list[Offer] = []
        for place, offer in list(self._waits.items()):
            before, cause = self._told.get(place), _cause(offer)
            if before is not None and before.cause == cause:
                del self._waits[place]  # it was so for a moment
            elif before is None or now - before.at >= EACH_S:
                del self._waits[place]
                self._told[place] = _Told(cause, now)
                told.append(offer)
                if len(told) == LINES_MAX:
                    break
        return told

    def _compare(self, offers: tuple[Offer, ...]) -> None:
        """What has not changed is the same object in every plan (explain.py)."""
        waits = self._waits
        for old, new in zip_longest(self._offers, offers):
            if new is None or old is new:
                continue
            place = new.charger, new.connector
            if (
                old is None or old.reason is not new.reason or place in waits
                or (old.limit_ma > 0) != (new.limit_ma > 0)
            ):  # fmt: skip
                waits[place] = new
        self._offers = offers
        if len(self._told) > len(offers) or len(waits) > len(offers):  # some are deleted
            here = {(offer.charger, offer.connector) for offer in offers}
            self._told = {place: told for place, told in self._told.items() if place in here}
            self._waits = {place: offer for place, offer in waits.items() if place in here}


def _cause(offer: Offer) -> tuple[str | bool | None, ...]:
    """What makes it another cause: not the phase nor the place in a line, which move all along."""
    why = offer.reason
    return why.code, why.group, why.charger, why.by, offer.limit_ma > 0
