"""A charger that one plays by hand against the core of its link: plain JSON, times as they pass."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

from linkray.charger.link import Link
from linkray.charger.quirks import load
from linkray.charger.told_time import ToldTime
from linkray.charger.wire import (
    CONNECTORS_MAX,
    Emergency,
    Gather,
    Item,
    Later,
    Opened,
    Out,
    Received,
    Record,
    Send,
    Surroundings,
    Tell,
    Terms,
    View,
    Wanted,
)
from linkray.model.plan import Offer, Reason
from linkray.model.records import AnyRecord, ChargerSeen, Transaction
from linkray.model.settings import Charger
from linkray.model.tags import Decision
from linkray.model.units import Phases
from linkray.model.views import ChargerView

ZERO_AT = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
QUIRKS = load({})


def utc(now: float) -> datetime:
    return ZERO_AT + timedelta(seconds=now)


def at(now: float) -> str:
    return f"{utc(now):%Y-%m-%dT%H:%M:%SZ}"


class Played:
    """One link and what it has said; `out` holds the outputs of the last step."""

    def __init__(
        self,
        *,
        terms: Terms | None = None,
        kept: tuple[Transaction, ...] = (),
        seen: ChargerSeen | None = None,
        emergency: bool = False,
        quirks: str = "",
        start: float = 100.0,
        knows_trigger: bool = True,
        time: ToldTime | None = None,
    ) -> None:
        self.knows_trigger = knows_trigger
        self.now = start
        self.planned_at = start
        self.places = CONNECTORS_MAX if terms is None else terms.places
        self.refused: set[str] = set()
        self.by_hand: list[str] = []
        self.ids = iter(range(1001, 2000))
        self.calls: list[tuple[str, str, dict]] = []  # of ours, not yet answered
        self.said: list[Out] = []
        self.link = Link(
            "CP1", "10.0.0.5", terms or Terms(Charger("CP1")),
            Surroundings(
                utc, self._may_charge, lambda: next(self.ids), lambda: self.planned_at,
                found=lambda _charger, _connectors: self.places,
            ),
            load({"it.toml": quirks}) if quirks else QUIRKS,
            kept=kept, seen=seen, emergency=emergency, now=start, prefix="t-", time=time,
        )  # fmt: skip
        self.number = 0
        self.out: list[Out] = []
        self.feed(Opened())

    def _may_charge(self, tag: str, *, by_hand: bool) -> Decision:
        if by_hand:
            self.by_hand.append(tag)
            return Decision("Accepted", "hand")
        if tag in self.refused:
            return Decision("Invalid", text="the whitelist does not have it")
        return Decision("Accepted", "open")

    # -- what passes -----------------------------------------------------------------------------

    def feed(self, item: Item) -> list[Out]:
        return self._took(self.link.feed(item, self.now))

    def _took(self, outs: list[Out]) -> list[Out]:
        """On a disk that takes everything at once."""
        outs = [
            each for out in outs
            for each in ((out, *out.then) if isinstance(out, Gather) else (out,))
        ]  # fmt: skip
        self.out = outs
        self.said += outs
        for out in outs:
            if isinstance(out, Send):
                frame = json.loads(out.text)
                if frame[0] == 2:
                    self.calls.append((frame[1], frame[2], frame[3]))
        return outs

    def wait(self, seconds: float) -> list[Out]:
        """Time passes; the link is woken whenever it wants to be."""
        outs: list[Out] = []
        until = self.now + seconds
        while self.link.due() <= until:
            self.now = max(self.now, self.link.due())
            self.planned_at = self.now
            outs += self._took(self.link.wake(self.now))
            assert self.link.due() > self.now, "wakes without end"
        self.now = until
        self.planned_at = until
        self.out = outs
        return outs

    # -- the charger's side ----------------------------------------------------------------------

    def ask(self, action: str, payload: object) -> tuple:
        """The charger calls; the answer as it is on the wire."""
        self.number += 1
        name = f"c{self.number}"
        self.feed(Received(json.dumps([2, name, action, payload])))
        answers = [f for f in self.frames() if f[0] in (3, 4) and f[1] == name]
        assert len(answers) == 1, self.out
        return tuple(answers[0])

    def frames(self) -> list[list]:
        return [json.loads(out.text) for out in self.out if isinstance(out, Send)]

    def answer(self, payload: object, action: str | None = None) -> list[Out]:
        """The charger answers our oldest open call (of this action)."""
        place = next(n for n, call in enumerate(self.calls) if action in (None, call[1]))
        name, _action, _payload = self.calls.pop(place)
        return self.feed(Received(json.dumps([3, name, payload])))

    def fail(self, code: str = "GenericError") -> list[Out]:
        name, _action, _payload = self.calls.pop(0)
        return self.feed(Received(json.dumps([4, name, code, "no", {}])))

    def boot(self, **more: object) -> tuple:
        return self.ask("BootNotification", {
            "chargePointVendor": "Acme", "chargePointModel": "One", **more})  # fmt: skip

    def commission(self, connectors: int = 1) -> None:
        """Boots and says yes to everything until nothing is asked any more."""
        self.boot()
        for number in range(1, connectors + 1):
            self.status("Available", number)
        self.yes(connectors)

    def yes(self, connectors: int = 1) -> None:
        while self.calls:
            action = self.calls[0][1]
            if action == "GetConfiguration":
                self.answer({"configurationKey": [
                    {"key": "NumberOfConnectors", "readonly": True, "value": str(connectors)},
                    {"key": "SupportedFeatureProfiles", "readonly": True,
                     "value": "Core,SmartCharging" + ",RemoteTrigger" * self.knows_trigger}]})
            else:
                self.answer({"status": "Accepted"})

    def status(self, status: str, connector: int = 1, **more: object) -> tuple:
        return self.ask("StatusNotification", {
            "connectorId": connector, "errorCode": "NoError", "status": status, **more})

    def start(self, connector: int = 1, tag: str = "TAG", meter: int = 1000,
              stamp: str | None = None) -> tuple:  # fmt: skip
        return self.ask("StartTransaction", {
            "connectorId": connector, "idTag": tag, "meterStart": meter,
            "timestamp": stamp or at(self.now)})

    def stop(self, transaction: int, meter: int = 2000, stamp: str | None = None,
             **more: object) -> tuple:  # fmt: skip
        return self.ask("StopTransaction", {
            "transactionId": transaction, "meterStop": meter,
            "timestamp": stamp or at(self.now), **more})

    def meter(self, amps: float, connector: int = 1, stamp: str | None = None,
              register: int | None = None, **more: object) -> tuple:  # fmt: skip
        values = [{"value": str(amps), "measurand": "Current.Import", "phase": "L1", "unit": "A"}]
        if register is not None:
            values.append({"value": str(register), "unit": "Wh",
                           "measurand": "Energy.Active.Import.Register"})
        return self.ask("MeterValues", {"connectorId": connector, "meterValue": [
            {"timestamp": stamp or at(self.now), "sampledValue": values}], **more})

    # -- the house's side ------------------------------------------------------------------------

    def offer(self, limit_ma: int, number: int, *, connector: int = 1, **more: object) -> list[Out]:
        return self.feed(Wanted((offered(limit_ma, number, connector=connector, **more),)))

    def emergency(self, on: bool) -> list[Out]:
        return self.feed(Emergency(on))

    # -- what was said ---------------------------------------------------------------------------

    def facts(self, kind: type | None = None, *, all_of_them: bool = False) -> list:
        outs = self.said if all_of_them else self.out
        told = [out.fact for out in outs if isinstance(out, Tell)]
        return [fact for fact in told if kind is None or isinstance(fact, kind)]

    def records(self, kind: type | None = None) -> list[AnyRecord]:
        """Everything written down so far, samples that may wait included."""
        every = [
            record
            for out in self.said
            for record in (
                out.records if isinstance(out, Record) else out.samples
                if isinstance(out, Later) else ()
            )
        ]  # fmt: skip
        return [record for record in every if kind is None or isinstance(record, kind)]

    def view(self) -> ChargerView:
        self.wait(1.1)
        return [out.view for out in self.said if isinstance(out, View)][-1]

    def profiles(self) -> list[dict]:
        """The SetChargingProfile calls not yet answered."""
        return [payload for _, action, payload in self.calls if action == "SetChargingProfile"]

    def asked(self, action: str) -> list[dict]:
        return [payload for _, name, payload in self.calls if name == action]


def offered(limit_ma: int, number: int, *, connector: int = 1, **more: object) -> Offer:
    return Offer("CP1", connector, Phases(limit_ma), None, Reason("fair_share"), (), id=number,
                 limit_ma=limit_ma, **more)  # fmt: skip


def limits(profile: dict) -> list[float]:
    """The amps of a SetChargingProfile's periods."""
    schedule = profile["csChargingProfiles"]["chargingSchedule"]
    return [period["limit"] for period in schedule["chargingSchedulePeriod"]]


def purpose(profile: dict) -> str:
    return profile["csChargingProfiles"]["chargingProfilePurpose"]


NEVER = math.inf
