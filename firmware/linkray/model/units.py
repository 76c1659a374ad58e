"""mA, mV, W and Wh as ints; amounts per phase; how a charger's own phases lie on the site's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

Connection = Literal[
    "L1", "L2", "L3",
    "L1-L2-L3", "L2-L3-L1", "L3-L1-L2", "L1-L3-L2", "L2-L1-L3", "L3-L2-L1",
    "L1-L2", "L2-L3", "L3-L1",
]  # fmt: skip
PHASES = ("L1", "L2", "L3")


class Phases(msgspec.Struct, frozen=True, array_like=True):
    """One amount for each phase of the site, L1 to L3; in JSON a list of three."""

    l1: int = 0
    l2: int = 0
    l3: int = 0

    @classmethod
    def each(cls, amount: int) -> Phases:
        return cls(amount, amount, amount)

    def __iter__(self) -> Iterator[int]:
        yield self.l1
        yield self.l2
        yield self.l3

    def __getitem__(self, phase: int) -> int:
        return (self.l1, self.l2, self.l3)[phase]

    def __add__(self, other: Phases) -> Phases:
        return Phases(self.l1 + other.l1, self.l2 + other.l2, self.l3 + other.l3)

    def __sub__(self, other: Phases) -> Phases:
        return Phases(self.l1 - other.l1, self.l2 - other.l2, self.l3 - other.l3)

    def highest(self) -> int:
        return max(self.l1, self.l2, self.l3)

    def lowest(self) -> int:
        return min(self.l1, self.l2, self.l3)

    def at_most(self, other: Phases) -> Phases:
        """The lower of both, phase by phase."""
        return Phases(min(self.l1, other.l1), min(self.l2, other.l2), min(self.l3, other.l3))

    def at_least(self, other: Phases) -> Phases:
        """The higher of both, phase by phase."""
        return Phases(max(self.l1, other.l1), max(self.l2, other.l2), max(self.l3, other.l3))

    def fits(self, other: Phases) -> bool:
        """Whether no phase is above `other`'s."""
        return self.l1 <= other.l1 and self.l2 <= other.l2 and self.l3 <= other.l3


ZERO = Phases()


def site_phases(connection: Connection) -> tuple[int, ...]:
    """The site phases (0 to 2) that a charger's own first, second … phase are wired to."""
    return tuple(int(leg[1]) - 1 for leg in connection.split("-"))


def wired(connection: Connection, own_ma: tuple[int, ...]) -> Phases:
    """A charger's own per-phase amounts, laid on the phases of the site (manual, Phase Rotation).

    In split mode a connection names two legs and the charger has one current: it is on both.
    """
    legs = site_phases(connection)
    laid = [0, 0, 0]
    for place, leg in enumerate(legs):
        if len(legs) == 2:
            laid[leg] = max(own_ma)
        elif place < len(own_ma):
            laid[leg] = own_ma[place]
    return Phases(*laid)


def round_down(amount: int, step: int) -> int:
    """The highest multiple of `step` that is not above `amount`."""
    return amount // step * step


def amps(amount_ma: int) -> str:
    """`16_600` → `16.6 A`, as a person reads it."""
    return f"{amount_ma / 1000:.1f}".removesuffix(".0") + " A"
