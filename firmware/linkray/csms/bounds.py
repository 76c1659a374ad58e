"""The CSMS's charging profiles of one charger, as it asks of them and as the balancer is told.

LinkRay answers SetChargingProfile, ClearChargingProfile and GetCompositeSchedule itself (csms.md,
Passing through): the profiles become an upper bound of the connectors, never a limit of their own.
"""

from __future__ import annotations

import math
from datetime import datetime

import msgspec

from linkray.model.facts import CsmsBound
from linkray.ocpp.lenient import read_exactly
from linkray.ocpp.messages import (
    ClearChargingProfile,
    ClearChargingProfileResponse,
    CsChargingProfiles,
    GetCompositeSchedule,
    GetCompositeScheduleResponse,
    SetChargingProfile,
    SetChargingProfileResponse,
    encode,
)
from linkray.ocpp.schedule import Bound, Kept, Profiles, Supply, Verdict


class Wired(msgspec.Struct, frozen=True):
    """What the settings say of a charger, as far as its profiles depend on it.

    `most_ma`, `most_mw`: what LinkRay ever allows it, by its own maximum and every limit over it.
    """

    connectors: int = 1
    voltage_mv: int = 230_000
    phases: int = 3
    most_ma: int | None = 32_000  # on each phase
    most_mw: int | None = None  # in all; None: it is told amps

    @property
    def supply(self) -> Supply:
        return Supply(self.voltage_mv, min(3, self.phases))

    @property
    def most(self) -> Bound:
        return Bound(self.most_ma, self.most_mw)


class Bounds:
    """One charger's profiles; `utc` is seconds since 1970."""

    __slots__ = ("_charger", "_looked", "_profiles", "_told", "_until", "wired")

    def __init__(self, charger: str, wired: Wired, kept: str = "") -> None:
        self._charger = charger
        self.wired = wired
        found = msgspec.json.decode(kept, type=Kept) if kept else Kept()
        self._profiles = Profiles(max(1, wired.connectors), found)
        self._told: dict[int, Bound] = {}
        self._looked = -math.inf
        self._until: float = -math.inf  # UTC of the next change; to be looked at until then

    def copy(self) -> Bounds:
        """The same profiles once more, to see what a change would make of them."""
        same = Bounds(self._charger, self.wired)
        same._profiles = Profiles(self._profiles.connectors, self._profiles.kept())
        return same

    def hold(self, kept: str) -> None:
        """These are the profiles from now on, as `kept` told them of a copy."""
        found = msgspec.json.decode(kept, type=Kept)
        self._profiles = Profiles(self._profiles.connectors, found)
        self._until = -math.inf

    def is_wired(self, wired: Wired) -> None:
        """The settings, or how many connectors there are, have changed."""
        self.wired = wired
        self._profiles.connectors = max(1, wired.connectors, self._profiles.connectors)
        self._until = -math.inf

    def kept(self) -> str:
        """What must outlive a restart."""
        return msgspec.json.encode(self._profiles.kept()).decode()

    # -- sessions --------------------------------------------------------------------------------

    def began(self, connector: int, transaction: int, at: datetime, tag: str) -> None:
        """A session has begun; what was awaited for it rules it."""
        self._profiles.connectors = max(connector, self._profiles.connectors)
        self._profiles.began(connector, transaction, at.timestamp(), tag)
        self._until = -math.inf

    def ended(self, connector: int, transaction: int) -> None:
        self._profiles.ended(connector, transaction)
        self._until = -math.inf

    # -- what the CSMS asks ----------------------------------------------------------------------

    def set(self, payload: bytes, utc: float, transaction: int | None) -> tuple[bytes, str]:
        """The answer to SetChargingProfile, and why it was refused. `transaction`: LinkRay's number
        of the one that is named; raises `Unreadable`.
        """
        asked = read_exactly(SetChargingProfile, payload)
        profile = asked.cs_charging_profiles
        if profile.transaction_id is not None and transaction is not None:
            profile = msgspec.structs.replace(profile, transaction_id=transaction)
        verdict = self._profiles.set(asked.connector_id, profile, utc)
        self._until = -math.inf
        return encode(SetChargingProfileResponse(verdict.status)), verdict.reason

    def set_for_next(
        self, connector: int | None, tag: str, profile: CsChargingProfiles, utc: float
    ) -> Verdict:
        """The profile of a remote start, for the session that it begins."""
        return self._profiles.set_for_next(connector, tag, profile, utc)

    def forget_next(self, connector: int | None, tag: str) -> None:
        self._profiles.forget_next(connector, tag)

    def clear(self, payload: bytes) -> bytes:
        """The answer to ClearChargingProfile; raises `Unreadable`."""
        status = self._profiles.clear(read_exactly(ClearChargingProfile, payload))
        self._until = -math.inf
        return encode(ClearChargingProfileResponse(status))

    def composite(self, payload: bytes, utc: float) -> bytes:
        """The answer to GetCompositeSchedule; raises `Unreadable`."""
        asked = read_exactly(GetCompositeSchedule, payload)
        unit = asked.charging_rate_unit or ("A" if self.wired.most_mw is None else "W")
        answer: GetCompositeScheduleResponse = self._profiles.composite(
            asked.connector_id, utc, asked.duration, unit, self.wired.supply, self.wired.most
        )
        return encode(answer)

    # -- what the balancer is told ---------------------------------------------------------------

    def due_utc(self) -> float:
        """UTC of the next look."""
        return self._until

    def facts(self, utc: float, now: float) -> list[CsmsBound]:
        """What has changed for the connectors; 0: for all of them together."""
        if self._looked <= utc < self._until:  # a clock that was put back: look anew
            return []
        self._looked = utc
        found: list[CsmsBound] = []
        self._until = math.inf
        for connector in range(self._profiles.connectors + 1):
            bound, until = self._profiles.bound(connector, utc)
            if until is not None:
                self._until = min(self._until, float(until))
            if bound != self._told.get(connector, Bound()):
                self._told[connector] = bound
                found.append(self._fact(connector, bound, now))
        return found

    def again(self, now: float) -> list[CsmsBound]:
        """All that holds, for a balancer that begins anew."""
        return [self._fact(connector, bound, now) for connector, bound in self._told.items()]

    def none(self, now: float) -> list[CsmsBound]:
        """What takes back all that was told."""
        told, self._told = self._told, {}
        return [self._fact(connector, Bound(), now) for connector in told]

    def _fact(self, connector: int, bound: Bound, now: float) -> CsmsBound:
        ma, mw = bound.ma, bound.mw
        return CsmsBound(self._charger, connector, now, ma, None if mw is None else mw // 1_000)

