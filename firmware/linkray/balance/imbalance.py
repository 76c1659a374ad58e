"""The imbalance limit: how far apart the phases of the site may be through the chargers' doing.

What the chargers do to a phase is the sum of what all that are shared among are offered on it. No
two of these three sums differ by more than the limit, in the goals of a plan and in what its
offers come to. What is not ours to set is left out: the building, absent and disobedient chargers,
start-up defaults. Two sums differ only by connectors that are on one of the two phases and not on
the other, so each ordered pair of phases is one more limit, on those alone: a three-phase
connector lies under none and is never held, a connector across two legs under two. The room of a
pair is the limit plus what is offered on the other phase alone, so it depends on the shares
themselves: it is found from above, by sharing anew under the rooms that the shares leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .share import Field, Share, fill

ROUNDS = 8  # of finding the rooms; then each pair gets the limit alone, which always holds
# (p, q): carries on p what it does not carry on q; its place modulo 3 is p
PAIRS = tuple((p, (p + 1 + k) % 3) for k in range(2) for p in range(3))

Sums = dict[tuple[int, ...], int]  # mA by the phases in use


def pairs_of(legs: tuple[int, ...]) -> tuple[int, ...]:
    """The pairs under which a connector on these phases lies, by their places."""
    return tuple(n for n, (p, q) in enumerate(PAIRS) if p in legs and q not in legs)


def sums(offered: Iterable[tuple[tuple[int, ...], int]]) -> Sums:
    """What is offered, by the phases in use."""
    total: Sums = {}
    for legs, amount in offered:
        total[legs] = total.get(legs, 0) + amount
    return total


def is_level(total: Sums, limit_ma: int) -> bool:
    """Whether no two phases differ by more than the limit."""
    phases = [sum(amount for legs, amount in total.items() if p in legs) for p in range(3)]
    return max(phases) - min(phases) <= limit_ma


def rooms(total: Sums, limit_ma: int) -> list[int]:
    """By pair (p, q): the limit and what is carried on q and not on p."""
    return [
        limit_ma + sum(amount for legs, amount in total.items() if q in legs and p not in legs)
        for p, q in PAIRS
    ]


def slack(total: Sums, limit_ma: int) -> list[int]:
    """By pair: how much more would fit."""
    alone = [
        sum(amount for legs, amount in total.items() if p in legs and q not in legs)
        for p, q in PAIRS
    ]
    return [room - own for room, own in zip(rooms(total, limit_ma), alone, strict=True)]


def level(
    amounts: list[int], members: Sequence[int], legs: Sequence[tuple[int, ...]], field: Field,
    limit_ma: int, told: Callable[[int, int], int],
) -> None:  # fmt: skip
    """Lower what is too much on one phase until the offers hold the limit, rounding and all.

    `amounts` and `legs` by place; `told` gives what a connector can be told within an amount.
    """
    limits = [pairs_of(of) for of in legs]
    for tries in range(ROUNDS + 1):
        total = sums((legs[i], amounts[i]) for i in members)
        if is_level(total, limit_ma):
            return
        room = rooms(total, limit_ma) if tries < ROUNDS else [limit_ma] * len(PAIRS)
        held = [i for i in members if amounts[i] and limits[i]]
        share = Share.empty(len(amounts))
        fill(held, Field(field.weight, amounts, field.least, list(range(len(amounts))), limits),
             room, share)  # fmt: skip
        for i in held:
            if share.got[i] < amounts[i]:
                amount = told(i, share.got[i])
                amounts[i] = amount if amount >= field.least[i] else 0
