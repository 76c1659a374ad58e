"""The plan of a cycle that failed: no offer rises, each falls as far as plain sums ask for.

trust.md B9. Shares nothing of the decision that failed but the tree of limits and the books.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from linkray.model.plan import Ceiling, Offer, Reason

from .connector import Connector, laid
from .tree import Tree


def shrunk(
    connectors: Sequence[Connector], tree: Tree, allowed: Sequence[int], over: Sequence[int],
    now: float, *, to_fail_safe: bool,
) -> tuple[Offer, ...]:  # fmt: skip
    """Issue what is lower than before; the offers of all that were ever planned.

    `allowed`: under each limit; `over`: by how much the meter is over on each phase of the site.
    """
    offered = [0] * len(allowed)
    for c in connectors:
        for r in tree.limits[c.kind]:
            offered[r] += c.books.offer_ma
    most = [
        min(limit, offered[r] - over[r]) if r < len(over) else limit
        for r, limit in enumerate(allowed)
    ]
    offers = []
    for c in connectors:
        before = amount = c.books.offer_ma
        for r in tree.limits[c.kind]:
            if before and offered[r] > most[r]:
                amount = min(amount, before * max(0, most[r]) // offered[r])
        if to_fail_safe:
            amount = min(amount, c.fail_safe_ma())
        if amount < before:
            if amount < c.amounts.least_ma:
                amount = 0
            amount, watts = c.amounts.told(amount)
            c.books.issue(amount, now)
            c.offer_w, c.resend = watts, False
        if c.offer is not None:
            c.offer = _told(c, c.offer)
            offers.append(c.offer)
    return tuple(offers)


def _told(c: Connector, before: Offer) -> Offer:
    """The offer of the plan before, with what is told now."""
    if before.id == c.books.offer_id:
        return before
    offer_ma = laid(c.legs, c.books.offer_ma)
    c.ceilings = (Ceiling("fail_safe", offer_ma, binding=True),)
    c.reason, c.key_parts = Reason("fail_safe"), None
    return msgspec.structs.replace(
        before, offer_ma=offer_ma, reason=c.reason, ceilings=c.ceilings, id=c.books.offer_id,
        limit_ma=c.books.offer_ma, limit_w=c.offer_w, urgent=True,
        session=c.tx is not None, stop=c.stop,
    )  # fmt: skip
