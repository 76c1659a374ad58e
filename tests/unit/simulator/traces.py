"""Hand-made traces for the checker: a small site, and what is said on its wires, line by line."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tools.simulator.events import (
    AlarmRaised,
    EmergencyAsked,
    FactTold,
    FrameSeen,
    LimitsChanged,
    Planned,
    ProcessBegan,
    ProcessEnded,
    Stepped,
)
from tools.simulator.invariants import Checker
from tools.world import Car, Make, World
from tools.world.connector import Transaction

from linkray.model import facts
from linkray.model.plan import Offer, Plan, Reason
from linkray.model.settings import Charger, Group, LimitPhases, MeterSettings, Settings, Site
from linkray.model.units import Phases, wired


def single(identity: str, **kept: Any) -> Charger:
    return Charger(identity, **{"phases": 1, "connection": "L1", "max_ma": 32_000, **kept})


def three(identity: str, **kept: Any) -> Charger:
    return Charger(
        identity, **{"phases": 3, "connection": "L1-L2-L3", "max_ma": 32_000, **kept}
    )


def site(
    limit_a: int, *chargers: Charger, groups: tuple[Group, ...] = (), metered: bool = False,
    location: str = "grid", degraded_a: int = 0, **rest: Any,
) -> Settings:  # fmt: skip
    limit, degraded = limit_a * 1000, degraded_a * 1000
    meter = MeterSettings(enabled=metered, location=location,
                          degraded_ma=LimitPhases(degraded, degraded, degraded))  # fmt: skip
    return Settings(
        site=Site(limit_ma=LimitPhases(limit, limit, limit), meter=meter, **rest),
        groups=groups, chargers=chargers,
    )  # fmt: skip


class Trace:
    """A checker with a world in which nothing moves but what a test moves."""

    def __init__(self, settings: Settings, makes: dict[str, Make] | None = None) -> None:
        limit = settings.site.limit_ma
        self.world = World(1, limit_ma=(limit.l1, limit.l2, limit.l3),
                           meter_sees=settings.site.meter.location)  # fmt: skip
        for group in settings.groups:
            self.world.add_group(group.name, group.limit_ma, group.parent)
        for kept in settings.chargers:
            make = (makes or {}).get(kept.id) or Make(phases=1 if kept.phases == 1 else 3)
            self.world.add_charger(kept.id, make=make, connection=kept.connection,
                                   group=kept.group)  # fmt: skip
        self.settings = settings
        self.checker = Checker(settings, self.world, seed=7)
        self.now = 0.0
        self.offers: dict[tuple[str, int], Offer] = {}
        self._ids = itertools.count(1)
        self.note(ProcessBegan(0.0, settings))

    # -- what came of it -------------------------------------------------------------------

    @property
    def broken(self) -> set[str]:
        return {v.invariant for v in self.checker.violations}

    def why(self) -> list[str]:
        return [f"{v.invariant} {v.state['what']}" for v in self.checker.violations]

    def may_ma(self, charger: str, number: int = 1) -> int:
        """What the checker's books say that it may draw."""
        return self.checker.ledger.posts[charger, number].counted_ma

    # -- time and facts --------------------------------------------------------------------

    def note(self, event: Any) -> None:
        self.checker.note(event, self.now)

    def fact(self, fact: facts.Fact) -> None:
        self.note(FactTold(self.now, fact))

    def plan(self) -> None:
        self.note(Planned(self.now, Plan(at=self.now, offers=tuple(self.offers.values()))))

    def wait(self, seconds: float, *, plans: bool = True, dt: float = 0.5) -> None:
        """Time passes; the box plans once a second, unless it is not to."""
        end = self.now + seconds
        next_plan = self.now + 1.0
        while self.now < end - 1e-9:
            self.now = min(end, self.now + dt)
            for charger in self.world.chargers.values():
                charger.now = self.now
            self.note(Stepped(self.now, dt))
            if plans and self.now >= next_plan - 1e-9:
                self.plan()
                next_plan += 1.0

    def read(self, *amps: float) -> None:
        """The meter is read: what it shows on L1, L2, L3."""
        shown = [round(a * 1000) for a in (amps * 3 if len(amps) == 1 else amps)]
        self.fact(facts.MeterRead(Phases(*shown), (230_000, 230_000, 230_000), self.now))

    def metered(self, *amps: float) -> None:
        """Five good polls: the meter is healthy."""
        for _ in range(5):
            self.wait(1.0)
            self.read(*amps)

    # -- chargers ------------------------------------------------------------------------------

    def link(self, charger: str) -> None:
        """Its link stands, and it has taken 0 as its default."""
        self.fact(facts.LinkUp(charger, self.now))
        number = len(self.world.charger(charger).connectors)
        for connector in range(1, number + 1):
            self.fact(facts.StatusSeen(charger, connector, "Available", self.now))
            self.tell(charger, 0, connector=connector, purpose="TxDefaultProfile")

    def begin(self, charger: str, transaction: int, connector: int = 1) -> None:
        """A hungry car begins a session."""
        at = self.world.charger(charger).connector(connector)
        at.car = at.car or Car(phases=1)
        its = self.world.charger(charger)
        booked = its.reported.began(connector, "TAG", 0, "")
        began = Transaction("TAG", its.clock(), 0, booked)
        began.id = transaction
        at.transaction = began
        self.fact(facts.StatusSeen(charger, connector, "Charging", self.now))
        self.fact(facts.SessionBegan(charger, connector, transaction, "TAG", self.now))

    def end(self, charger: str, transaction: int, connector: int = 1) -> None:
        at = self.world.charger(charger).connector(connector)
        at.transaction = None
        at.drawn_ma = (0, 0, 0)
        self.fact(facts.SessionEnded(charger, connector, transaction, self.now))
        self.fact(facts.StatusSeen(charger, connector, "Finishing", self.now))

    def charging(self, *names: str, at_a: float = 0.0) -> None:
        """These stand linked, in a session, long since told this value."""
        for name in names:
            self.link(name)
        self.wait(15.0)
        for place, name in enumerate(names, 1):
            self.begin(name, place)
            if at_a:
                self.tell(name, at_a, transaction=place)
        self.wait(15.0)

    def draw(self, charger: str, amps: float, connector: int = 1) -> None:
        """So much truly flows into it, on each of its phases."""
        at = self.world.charger(charger).connector(connector)
        ma = round(amps * 1000)
        phases = self.world.charger(charger).make.phases
        at.drawn_ma = (ma, ma if phases == 3 else 0, ma if phases == 3 else 0)

    def says(self, charger: str, amps: float, connector: int = 1) -> None:
        """It sends meter values."""
        conf = self.settings.charger(charger)
        assert conf is not None
        own = (round(amps * 1000),) * (1 if conf.phases == 1 else 3)
        self.fact(facts.Drawn(charger, connector, wired(conf.connection, own), "phases", self.now))

    def says_phases(self, charger: str, *amps: float) -> None:
        shown = Phases(*(round(a * 1000) for a in amps))
        self.fact(facts.Drawn(charger, 1, shown, "phases", self.now))

    # -- the wire ------------------------------------------------------------------------------

    def ask(self, charger: str, action: str, payload: dict[str, Any]) -> str:
        call = f"m{next(self._ids)}"
        text = json.dumps([2, call, action, payload])
        self.note(FrameSeen(self.now, charger, "out", text))
        return call

    def answer(self, charger: str, call: str, status: str = "Accepted") -> None:
        self.note(FrameSeen(self.now, charger, "in", json.dumps([3, call, {"status": status}])))

    def tell(
        self, charger: str, limit: float, *, connector: int = 1, transaction: int | None = None,
        purpose: str | None = None, unit: str = "A", status: str | None = "Accepted",
        phases: int | None = None, more: tuple[tuple[int, float], ...] = (), stack: int = 8,
        duration: int | None = None, offered: bool = True, profile: int | None = None,
    ) -> str:  # fmt: skip
        """A SetChargingProfile, answered at once with `status`; None: not answered."""
        purpose = purpose or ("TxProfile" if transaction is not None else "TxDefaultProfile")
        periods: list[dict[str, Any]] = [
            {"startPeriod": start, "limit": amount} | ({"numberPhases": phases} if phases else {})
            for start, amount in ((0, limit), *more)
        ]
        schedule: dict[str, Any] = {"chargingRateUnit": unit, "chargingSchedulePeriod": periods}
        if duration is not None:
            schedule["duration"] = duration
        said: dict[str, Any] = {
            "chargingProfileId": profile or (
                connector * (10 if purpose == "TxProfile" else 100) + stack),
            "stackLevel": stack,
            "chargingProfilePurpose": purpose, "chargingProfileKind": "Relative",
            "chargingSchedule": schedule,
        }  # fmt: skip
        if transaction is not None:
            said["transactionId"] = transaction
        if offered and unit == "A":
            self.offer(charger, limit, connector=connector, session=transaction is not None)
        call = self.ask(charger, "SetChargingProfile",
                        {"connectorId": connector, "csChargingProfiles": said})  # fmt: skip
        if status is not None:
            self.answer(charger, call, status)
        return call

    def offer(
        self, charger: str, amps: float, *, connector: int = 1, session: bool = True
    ) -> None:
        """The plan offers so much from now on."""
        conf = self.settings.charger(charger)
        assert conf is not None
        ma = round(amps * 1000)
        laid = wired(conf.connection, (ma,) * (1 if conf.phases == 1 else 3))
        self.offers[charger, connector] = Offer(
            charger, connector, laid, None, Reason("fair_share"), (), limit_ma=ma,
            session=session,
        )  # fmt: skip

    def stop(self, charger: str, transaction: int) -> None:
        call = self.ask(charger, "RemoteStopTransaction", {"transactionId": transaction})
        self.answer(charger, call)

    # -- people --------------------------------------------------------------------------------

    def emergency(self, *, on: bool) -> None:
        self.note(EmergencyAsked(self.now, on))

    def settings_now(self, settings: Settings) -> None:
        self.settings = settings
        self.note(LimitsChanged(self.now, settings))

    def alarm(self, code: str, charger: str | None = None) -> None:
        self.note(AlarmRaised(self.now, code, charger))

    def restart(self) -> None:
        self.note(ProcessEnded(self.now))
        self.note(ProcessBegan(self.now, self.settings))
