"""What the simulator notes for whoever checks a run, in the order in which it happened.

`Checker.note(event, now)` gets each of these. `at` is monotonic seconds of the run, the same clock
as that of every fact and plan. Frames are told before their bytes leave (out) and before LinkRay
acts on them (in); facts before the balancer plans on them; a plan before anybody acts on it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from linkray.model.facts import AnyFact
from linkray.model.plan import Plan
from linkray.model.settings import Settings


@dataclass(frozen=True)
class FrameSeen:
    """One text on a charger's link; `way` is seen from LinkRay."""

    at: float
    charger: str
    way: Literal["in", "out"]
    text: str

    @cached_property
    def message(self) -> list[Any]:
        """The frame of OCPP-J: [2, id, action, payload], [3, id, payload], [4, id, …]; []: none."""
        try:
            read = json.loads(self.text)
        except ValueError:
            return []
        return read if isinstance(read, list) else []


@dataclass(frozen=True)
class FactTold:
    """One fact on its way to the balancer (model/facts.py): links, boots, sessions, meter, …"""

    at: float
    fact: AnyFact


@dataclass(frozen=True)
class Planned:
    """The balancer has published this plan."""

    at: float
    plan: Plan


@dataclass(frozen=True)
class Stepped:
    """The world has let `dt` seconds pass up to `at`; what flows now is in the world's books."""

    at: float
    dt: float


@dataclass(frozen=True)
class ProcessEnded:
    """LinkRay's process has ended at this moment; what chargers were told goes on at them."""

    at: float


@dataclass(frozen=True)
class ProcessBegan:
    """A new process has begun with the database of the one before; the first is told too."""

    at: float
    settings: Settings


@dataclass(frozen=True)
class BalancerRestarted:
    """The balancer alone has failed and begun anew; links and sessions stand."""

    at: float


@dataclass(frozen=True)
class LimitsChanged:
    """The site's settings are now these; told before they take effect."""

    at: float
    settings: Settings


@dataclass(frozen=True)
class EmergencyAsked:
    """A person has set (or cleared) the emergency stop; told when LinkRay has said yes."""

    at: float
    on: bool


@dataclass(frozen=True)
class WallStepped:
    """LinkRay's wall clock was set by so many seconds; monotonic time went on."""

    at: float
    by_s: float


@dataclass(frozen=True)
class FaultBegan:
    """Something goes wrong from now on. `charger`: which; None: the site, the meter, the process.

    `is_lawful` False: a charger that does what no charger may (accepts a cut and draws on, reports
    what is not so). Then the wires need not hold; LinkRay's books must.
    """

    at: float
    name: str
    charger: str | None
    is_lawful: bool


@dataclass(frozen=True)
class FaultEnded:
    """What began with that name at that charger is over."""

    at: float
    name: str
    charger: str | None


@dataclass(frozen=True)
class AlarmRaised:
    """LinkRay has raised this fault (`code` as `model/faults.py` names it, in lower case)."""

    at: float
    code: str
    charger: str | None


@dataclass(frozen=True)
class QueuesSeen:
    """How full LinkRay's queues, buffers and tables are: name → (entries, stated maximum)."""

    at: float
    sizes: dict[str, tuple[int, int]]


Event = (
    FrameSeen | FactTold | Planned | Stepped | ProcessEnded | ProcessBegan | BalancerRestarted
    | LimitsChanged | EmergencyAsked | WallStepped | FaultBegan | FaultEnded | AlarmRaised
    | QueuesSeen
)  # fmt: skip


@dataclass(frozen=True)
class Violation:
    """What did not hold: `seed` and `time` find it again, `state` says what was seen."""

    seed: int
    time: float
    invariant: str  # "INV-1" … "INV-17", "fuse", "limit", "schema", "traceback"
    state: dict[str, Any]
