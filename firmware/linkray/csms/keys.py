"""The configuration keys that LinkRay owns at a charger, as the CSMS is told of them (csms.md).

What the CSMS writes of them is remembered and reported back; the charger keeps what LinkRay needs
(chargers.md, Commissioning 3). Where it never wrote one, it is told what the charger had before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from linkray.model.uplink import OWNED
from linkray.ocpp.schedule import CONFIGURATION

INTERVAL = "MeterValueSampleInterval"
MEASURANDS = "MeterValuesSampledData"
PASSWORD = "AuthorizationKey"  # noqa: S105 - the key's name
OWN = {key.lower(): key for key in OWNED}
OURS = {one.key.lower(): one for one in CONFIGURATION}  # what LinkRay does with profiles
FEATURES = "supportedfeatureprofiles"
SMART = "SmartCharging"
VALUE_CHARS_MAX = 500  # OCPP 1.6, 7.29
INTERVAL_S_MAX = 86_400


class _Entry(msgspec.Struct):
    key: str
    readonly: bool = False
    value: str | UnsetType | None = UNSET


class _Told(msgspec.Struct):
    configurationKey: list[_Entry] = []  # noqa: N815 - the wire's name
    unknownKey: list[str] | UnsetType = UNSET  # noqa: N815


class Keys:
    """What one charger's CSMS wished and what the charger had before LinkRay."""

    __slots__ = ("_before", "_given", "wished")

    def __init__(self, wished: Mapping[str, str], before: Mapping[str, str | None]) -> None:
        self.wished = {key.lower(): value for key, value in wished.items()}
        self._given: Mapping[str, str | None] = {}
        self._before: dict[str, str | None] = {}
        self.was(before)

    def was(self, before: Mapping[str, str | None]) -> None:
        """What the charger had before LinkRay changed it, as far as it is known by now."""
        if before is not self._given:
            self._given = before
            self._before = {key.lower(): value for key, value in before.items()}

    def judge(self, key: str, value: str) -> Literal["Accepted", "Rejected"] | None:
        """What the CSMS is answered where it writes a key; None: that is the charger's to say."""
        lower = key.lower()
        if lower in OURS:
            return "Rejected"
        if lower not in OWN:
            return None
        if len(value) > VALUE_CHARS_MAX or (
            OWN[lower] == INTERVAL and not (value.isascii() and value.isdigit()
                                              and int(value) <= INTERVAL_S_MAX)
        ):  # fmt: skip
            return "Rejected"
        return "Accepted"

    def value(self, key: str) -> str | None:
        """What the CSMS is told that an owned key is; None: the charger's own word counts."""
        lower = key.lower()
        if lower in OURS:
            return OURS[lower].value
        wished = self.wished.get(lower)
        return self._before.get(lower) if wished is None else wished

    @property
    def interval_s(self) -> int | None:
        """How often the CSMS wants values; None: it gets what there is, 0: it wants none."""
        value = self.value(INTERVAL)
        return int(value) if value is not None and value.isascii() and value.isdigit() else None

    @property
    def measurands(self) -> frozenset[str] | None:
        """Which values it wants, without case; None: it gets what there is."""
        value = self.value(MEASURANDS)
        return None if value is None else frozenset(
            part.strip().lower() for part in value.split(",") if part.strip()
        )  # fmt: skip

    def told(self, answer: bytes, asked: frozenset[str]) -> bytes:
        """A charger's GetConfiguration answer as the CSMS is to see it; untouched where it is so.

        `asked`: the keys that the CSMS named, without case; empty: all.
        """
        try:
            told = msgspec.json.decode(answer, type=_Told)
        except msgspec.DecodeError:
            return answer
        changed = self._shown(told)
        present = {entry.key.lower() for entry in told.configurationKey}
        for lower, ours in OURS.items():
            if lower not in present and (not asked or lower in asked):
                told.configurationKey.append(_Entry(ours.key, readonly=True, value=ours.value))
                if told.unknownKey is not UNSET:
                    names = [name for name in told.unknownKey if name.lower() != lower]
                    told.unknownKey = names or UNSET
                changed = True
        return msgspec.json.encode(told) if changed else answer

    def _shown(self, told: _Told) -> bool:
        """Put our values over the charger's; whether anything has changed."""
        changed = False
        for entry in told.configurationKey:
            lower, value = entry.key.lower(), self.value(entry.key)
            if lower in OWN or lower in OURS:
                if value is not None and entry.value != value:
                    entry.value, changed = value, True
            elif lower == FEATURES and SMART.lower() not in (entry.value or "").lower():
                entry.value, changed = f"{entry.value or ''},{SMART}".lstrip(","), True
        return changed


def asked_keys(payload: bytes) -> frozenset[str]:
    """The keys that a GetConfiguration names, without case; empty: all."""
    try:
        asked = msgspec.json.decode(payload, type=_Asked)
    except msgspec.DecodeError:
        return frozenset()
    return frozenset(key.lower() for key in asked.key)


class _Asked(msgspec.Struct):
    key: list[str] = []
