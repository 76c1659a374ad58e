"""What a connector was offered and why: its last fifty changes (web.md, Explainable balancing)."""

from __future__ import annotations

from collections import deque

from linkray.model.plan import Plan, Reason
from linkray.model.units import Phases
from linkray.model.views import OfferChange

CHANGES_MAX = 50
CONNECTORS_MAX = 2_000  # above, those that no plan names any more are forgotten


class History:
    """The newest changes of every connector's offer, fed with every plan."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, int], deque[OfferChange]] = {}

    def feed(self, plan: Plan, at: str) -> None:
        """A plan was made at `at` (UTC): whoever is offered something else has one change more."""
        for offer in plan.offers:
            key = (offer.charger, offer.connector)
            kept = self._changes.get(key)
            if kept is None:
                self._changes[key] = deque((_change(at, None, offer.offer_ma, offer.reason),),
                                           maxlen=CHANGES_MAX)  # fmt: skip
            elif kept[-1].to_ma != offer.offer_ma:
                kept.append(_change(at, kept[-1].to_ma, offer.offer_ma, offer.reason))
        if len(self._changes) > CONNECTORS_MAX:
            named = {(offer.charger, offer.connector) for offer in plan.offers}
            self._changes = {key: kept for key, kept in self._changes.items() if key in named}

    def of(self, charger: str, connector: int) -> tuple[OfferChange, ...]:
        """The changes of a connector, newest first; none where no plan has named it."""
        return tuple(reversed(self._changes.get((charger, connector), ())))


def _change(at: str, old: Phases | None, new: Phases, reason: Reason) -> OfferChange:
    return OfferChange(at=at, from_ma=old, to_ma=new, reason=reason)
