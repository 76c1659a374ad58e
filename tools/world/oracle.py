"""The oracle: what truly flowed, against what the wires may carry. It knows no plan and no book.

**Passed limit.** A node (the site, a group) is over on a phase while its true current is above its
limit. Up to `LAWFUL_S` of it in one piece is lawful: a building steps, cars need their time
(trust.md, INV-9). What is longer counts second by second in `limit_exceeded_s`, once however many
nodes and phases are over. What the building takes alone is not counted, as nobody could have
helped: those seconds are `building_over_s`. While `excuse` is set they are `excused_s`; what a
charger draws that does what none may (`wrong_ma`) is not held against those beside it. Who knows
what the meter has shown may say how much of the building nobody could have answered yet
(`unseen_ma`) and how much the installer lets chargers draw while it is blind (`helpless_ma`).

**Virtual fuse.** θ' = ((I/In)² − θ)/60 s on every phase of every node; it opens at 1.13². In is the
highest limit that the node had: a limit that somebody lowers puts in no smaller fuse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.world.car import NOTHING, Three

LAWFUL_S = 5.0
FUSE_TAU_S = 60.0
FUSE_OPENS = 1.13**2
STILL_CHARGING_MA = 500  # chargers below this together: the building alone is over


@dataclass
class Wire:
    """One phase of one node."""

    limit_ma: int
    highest_ma: int = 0
    over_s: float = 0.0  # of the excess now going on
    exceeded_s: float = 0.0
    theta: float = 0.0
    theta_max: float = 0.0
    rated_ma: int = 0  # of its fuse; 0: its limit

    def carry(
        self, ma: int, dt: float, *, is_helpless: bool, unseen_ma: int = 0,
        lawful_s: float = LAWFUL_S, wrong_ma: int = 0,
    ) -> bool:  # fmt: skip
        """Take `dt` seconds of this current; whether they count as passed."""
        self.highest_ma = max(self.highest_ma, ma)
        rated = max(self.limit_ma, self.rated_ma)
        share = ma / rated if rated else (2.0 if ma > 0 else 0.0)
        if is_helpless:
            # Nobody could have kept the building from warming it; from who does wrong LinkRay can.
            share = min(share, max(1.0, wrong_ma / rated if rated else 0.0))
        self.theta += (share * share - self.theta) * min(1.0, dt / FUSE_TAU_S)
        self.theta_max = max(self.theta_max, self.theta)
        ma -= wrong_ma
        if ma <= self.limit_ma or is_helpless:
            self.over_s = 0.0
            return False
        self.over_s += dt
        if self.over_s <= lawful_s + 1e-9 or ma - unseen_ma <= self.limit_ma:
            return False
        self.exceeded_s += dt
        return True


@dataclass
class Oracle:
    """Every node's wires, fed with the truth at each step."""

    nodes: dict[str, tuple[Wire, Wire, Wire]] = field(default_factory=dict)
    limit_exceeded_s: float = 0.0
    building_over_s: float = 0.0
    excused_s: float = 0.0
    lawful_s: dict[str, float] = field(default_factory=dict)  # of nodes whose cars have more time
    unseen_ma: Three = NOTHING  # of the building's newest growth: nobody could have answered it yet
    helpless_ma: Three = (STILL_CHARGING_MA,) * 3  # chargers below it have nothing left to give
    excuse: bool = False  # now the meter does what none may, or LinkRay is down: no wire need hold
    wrong_ma: dict[str, Three] = field(default_factory=dict)  # by node: of chargers that do so
    over: tuple[str, ...] = ()  # nodes over their limit at the last step by the chargers' doing
    steps: int = 0
    seconds: float = 0.0
    _trace: hashlib._Hash = field(default_factory=hashlib.sha256, repr=False)

    def set_limit(self, node: str, limit_ma: Three) -> None:
        """A node, or its limit from now on."""
        wires = self.nodes.get(node)
        if wires is None:
            first, second, third = (Wire(ma) for ma in limit_ma)
            self.nodes[node] = (first, second, third)
            return
        for wire, ma in zip(wires, limit_ma, strict=True):
            wire.rated_ma = max(wire.rated_ma, wire.limit_ma)
            wire.limit_ma = ma

    def note(self, flows: Mapping[str, Three], chargers_ma: Three, dt: float) -> None:
        """`dt` seconds of these true currents; `chargers_ma` is their part in the site's."""
        passed = helpless = False
        over: list[str] = []
        for name, wires in self.nodes.items():
            lawful_s = max(LAWFUL_S, self.lawful_s.get(name, 0.0))
            for phase, ma in enumerate(flows.get(name, NOTHING)):
                wrong = self.wrong_ma.get(name, NOTHING)[phase]
                alone = name == SITE and chargers_ma[phase] - wrong < self.helpless_ma[phase]
                unseen = self.unseen_ma[phase] if name == SITE else 0
                wire = wires[phase]
                if ma > wire.limit_ma:
                    helpless = helpless or alone
                    if not alone and name not in over:
                        over.append(name)
                passed = wire.carry(
                    ma, dt, is_helpless=alone, unseen_ma=unseen, lawful_s=lawful_s, wrong_ma=wrong
                ) or passed  # fmt: skip
        self.over = tuple(over)
        if self.excuse:
            self.excused_s += dt if passed else 0.0
        else:
            self.limit_exceeded_s += dt if passed else 0.0
        self.building_over_s += dt if helpless else 0.0
        self.steps += 1
        self.seconds += dt
        self._trace.update(repr(sorted(flows.items())).encode())

    def highest_ma(self, node: str = "site") -> Three:
        first, second, third = (wire.highest_ma for wire in self.nodes[node])
        return first, second, third

    def fuse_percent_max(self) -> float:
        """How near to opening the warmest fuse came; 100 is open."""
        warmest = max((w.theta_max for ws in self.nodes.values() for w in ws), default=0.0)
        return round(100 * warmest / FUSE_OPENS, 1)

    def fuse_percent_now(self) -> float:
        """How near to opening the warmest fuse is now."""
        warmest = max((w.theta for ws in self.nodes.values() for w in ws), default=0.0)
        return round(100 * warmest / FUSE_OPENS, 1)

    def worst_load(self) -> tuple[str, float]:
        """The node and phase that came highest against its limit, in percent."""
        loads = [
            (round(100 * wire.highest_ma / wire.limit_ma, 1), f"{name} L{phase + 1}")
            for name, wires in self.nodes.items()
            for phase, wire in enumerate(wires)
            if wire.limit_ma
        ]
        percent, name = max(loads, default=(0.0, ""))
        return name, percent

    def trace_hash(self) -> str:
        """Equal for equal runs, to the milliamp and the step."""
        return self._trace.hexdigest()


SITE = "site"
