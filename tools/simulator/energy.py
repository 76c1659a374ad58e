"""What could have been delivered: an allocator without delay, reserve or margin, step by step.

It sees the true building of the moment and the same cars at the same sockets, keeps books of their
batteries of its own, and fills all in proportion to what they can take until a wire is full. It
does not know the future (the linear programme of `tools/bench` does), so that a car that it served
evenly may leave emptier than need be: `energy_ratio` = delivered ÷ this, a little above what it is
against the programme. Emergency stops and excluded times give it nothing either; links that are
down, chargers that refuse and meters that fail do not hold it back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.world import Car, Charger, World

EVERY_S = 10.0
ROUNDS = 4  # of filling: what one round leaves is shared again
FULL_MA = 100


@dataclass
class Guest:
    """One car in the books of the best."""

    car: Car
    soc: float
    path: tuple[str, ...]  # the nodes above it
    legs: tuple[int, ...]  # phases of the site that carry its current
    volts_mv: int  # sum over the phases that it rectifies, the charger's efficiency in it
    most_ma: int
    given_ma: float = 0.0

    def want_ma(self) -> int:
        """What its battery takes now, by these books."""
        own = self.car.soc
        self.car.soc = self.soc
        wanted = min(self.most_ma, self.car.most_ma())
        self.car.soc = own
        return wanted


@dataclass
class Best:
    """The allocator and its books."""

    world: World
    limits: dict[str, int]  # of the supply of a charger with several sockets, by its id
    delivered_wh: float = 0.0
    _at: float = 0.0
    _guests: dict[tuple[str, int], Guest] = field(default_factory=dict)

    def note(self, now: float, *, may_charge: bool) -> None:
        """After a step of the world."""
        if now < self._at + EVERY_S:
            return
        dt, self._at = now - self._at if self._at else 0.0, now
        for guest in self._guests.values():
            wh = guest.given_ma * guest.volts_mv / 1e6 * dt / 3600
            guest.soc = min(1.0, guest.soc + wh / guest.car.battery_wh)
            self.delivered_wh += wh
        self._meet()
        for guest in self._guests.values():
            guest.given_ma = 0.0
        if may_charge:
            self._fill()

    def _meet(self) -> None:
        """Who stands at the sockets with a session now."""
        here: dict[tuple[str, int], Guest] = {}
        for charger in self.world.chargers.values():
            for at in charger.connectors:
                if at.car is None or at.transaction is None or at.error != "NoError":
                    continue
                place = (charger.id, at.number)
                old = self._guests.get(place)
                here[place] = old if old is not None and old.car is at.car else (
                    self._guest(charger, at.car)
                )
        self._guests = here

    def _guest(self, charger: Charger, car: Car) -> Guest:
        used = min(car.phases, charger.make.phases)
        volts = charger.own_volts_mv()[:used]
        legs = charger.legs if len(charger.legs) == 2 else charger.legs[:used]
        path = ["site", *self.world.above(charger)]
        if charger.id in self.limits:
            path.append(f"supply {charger.id}")
        return Guest(
            car, car.soc, tuple(path), tuple(legs),
            int(sum(volts) * charger.make.efficiency), charger.make.max_ma,
        )  # fmt: skip

    def _room(self) -> dict[tuple[str, int], float]:
        """What every phase of every node carries, the building off the site's."""
        room: dict[tuple[str, int], float] = {}
        building = self.world.building.ma
        for name, wires in self.world.oracle.nodes.items():
            for phase, wire in enumerate(wires):
                taken = max(0, building[phase]) if name == "site" else 0
                room[name, phase] = max(0.0, float(wire.limit_ma - taken))
        for charger, limit_ma in self.limits.items():
            for phase in range(3):
                room[f"supply {charger}", phase] = float(limit_ma)
        return room

    def _fill(self) -> None:
        """All at once in proportion, round by round, until nothing more fits."""
        room = self._room()
        open_: list[tuple[Guest, float]] = [
            (guest, float(ma)) for guest in self._guests.values() if (ma := guest.want_ma())
        ]
        for _ in range(ROUNDS):
            asked: dict[tuple[str, int], float] = {}
            for guest, want in open_:
                for node in guest.path:
                    for leg in guest.legs:
                        asked[node, leg] = asked.get((node, leg), 0.0) + want
            share = {wire: min(1.0, room[wire] / sum_ma) for wire, sum_ma in asked.items()}
            left = []
            for guest, want in open_:
                part = want * min(share[node, leg] for node in guest.path for leg in guest.legs)
                guest.given_ma += part
                for node in guest.path:
                    for leg in guest.legs:
                        room[node, leg] -= part
                if want - part > FULL_MA and part > FULL_MA:
                    left.append((guest, want - part))
            open_ = left
            if not open_:
                return
