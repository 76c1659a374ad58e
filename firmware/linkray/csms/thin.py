"""Which MeterValues the CSMS gets (csms.md, Passing through): as often and of what it asked for.

LinkRay has the charger sample for the balancer; what is oftener than the CSMS's own wish, or not
among its measurands, stays here. Only periodic samples are thinned: what marks a session's
beginning or end, what was measured on the clock or on the CSMS's demand passes untouched.
"""

from __future__ import annotations

import math

import msgspec

PERIODIC = "Sample.Periodic"
TRIGGER = "Trigger"
REGISTER = "energy.active.import.register"  # OCPP 1.6, 7.43: what a sample without a name is
EARLY_S = 1.0  # a sample that comes so much early is the one that was due


class _Sample(msgspec.Struct):
    context: str = PERIODIC
    measurand: str = REGISTER


class _Value(msgspec.Struct):
    sampledValue: list[msgspec.Raw] = []  # noqa: N815 - the wire's name


class _Values(msgspec.Struct):
    connectorId: int = 0  # noqa: N815 - the wire's name
    meterValue: list[msgspec.Raw] = []  # noqa: N815


class Thinning:
    """When each connector's values went to the CSMS last, and which go next."""

    __slots__ = ("_asked", "_due")

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._asked: dict[int, int] = {}

    def asked(self, connector: int) -> None:
        """The CSMS has triggered values itself: those pass, of LinkRay's own triggers none do."""
        self._asked[connector] = self._asked.get(connector, 0) + 1

    def begin(self, connector: int) -> None:
        """A session begins: its first values pass."""
        self._due.pop(connector, None)

    def passes(
        self, payload: bytes, interval_s: int | None, measurands: frozenset[str] | None, now: float
    ) -> bytes | None:
        """The payload for the CSMS, untouched where all of it is wanted; None: it stays here."""
        try:
            values = msgspec.json.decode(payload, type=_Values)
        except msgspec.DecodeError:
            return payload  # what cannot be read is the CSMS's to judge
        is_due = self._is_due(values.connectorId, interval_s, now)
        was_triggered, had_periodic, kept, changed = False, False, [], False
        for raw in values.meterValue:
            wanted, contexts, is_whole = _wanted(raw, is_due=is_due, measurands=measurands,
                triggered=self._asked.get(values.connectorId, 0) > 0)  # fmt: skip
            was_triggered = was_triggered or TRIGGER in contexts
            had_periodic = had_periodic or PERIODIC in contexts
            changed = changed or not is_whole
            if wanted is not None:
                kept.append(wanted)
        if was_triggered and self._asked.get(values.connectorId, 0):
            self._asked[values.connectorId] -= 1
        if had_periodic and is_due and interval_s:
            due = self._due.get(values.connectorId, -math.inf)
            late = now - due
            next_due = due + interval_s if late < interval_s else now + interval_s
            self._due[values.connectorId] = next_due
        if not kept:
            return None
        if not changed and len(kept) == len(values.meterValue):
            return payload
        fields = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
        fields["meterValue"] = msgspec.Raw(msgspec.json.encode(kept))
        return msgspec.json.encode(fields)

    def _is_due(self, connector: int, interval_s: int | None, now: float) -> bool:
        if interval_s is None:
            return True
        if interval_s == 0:  # OCPP 1.6, 9.1.17: no sampled values
            return False
        due = self._due.get(connector, -math.inf)
        return now >= due - EARLY_S


def _wanted(
    raw: msgspec.Raw, *, is_due: bool, measurands: frozenset[str] | None, triggered: bool
) -> tuple[msgspec.Raw | None, set[str], bool]:
    """A MeterValue as the CSMS wants it (None: not at all), its contexts, whether it is whole."""
    try:
        samples = msgspec.json.decode(raw, type=_Value).sampledValue
        read = [msgspec.json.decode(sample, type=_Sample) for sample in samples]
    except msgspec.DecodeError:
        return raw, set(), True
    contexts = {one.context for one in read}
    kept = [
        sample for sample, one in zip(samples, read, strict=True)
        if _is_wanted(one, is_due=is_due, measurands=measurands, triggered=triggered)
    ]  # fmt: skip
    if len(kept) == len(samples):
        return raw, contexts, True
    if not kept:
        return None, contexts, False
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    fields["sampledValue"] = msgspec.Raw(msgspec.json.encode(kept))
    return msgspec.Raw(msgspec.json.encode(fields)), contexts, False


def _is_wanted(
    sample: _Sample, *, is_due: bool, measurands: frozenset[str] | None, triggered: bool
) -> bool:
    if sample.context == TRIGGER:
        return triggered
    if sample.context != PERIODIC:
        return True
    return is_due and (measurands is None or sample.measurand.lower() in measurands)
