"""What a simulated charger says it measures: MeterValues in the measurands it was told to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.world.schemas import Json

if TYPE_CHECKING:
    from tools.world.charger import Charger
    from tools.world.connector import Connector


def sampled(charger: Charger, connector: Connector, context: str, key: str) -> list[Json]:
    """The `sampledValue` list of the measurands that this configuration key names."""
    if charger.says is not None:
        return charger.says(connector)
    told = [word for word in charger.keys[key].value.split(",") if word]
    found: list[Json] = []
    for measurand in told:
        if measurand in charger.make.sends():
            found.extend(_values(charger, connector, measurand))
    for value in found:
        value["context"] = context
    return found


def _values(charger: Charger, connector: Connector, measurand: str) -> list[Json]:
    if measurand == "Current.Import":
        return _currents(charger, connector)
    if measurand == "Voltage":
        return [
            _value(measurand, f"{mv / 1000:.1f}", "V", f"L{own + 1}-N")
            for own, mv in enumerate(charger.own_volts_mv()[: charger.make.phases])
        ]
    if measurand == "Energy.Active.Import.Register":
        return [_value(measurand, str(connector.energy_wh), "Wh")]
    if measurand == "Power.Active.Import":
        volts = charger.own_volts_mv()
        amps = charger.measured_ma(connector)
        watts = sum(a * v for a, v in zip(amps, volts, strict=True)) / 1e6
        watts *= charger.make.efficiency
        return [_value(measurand, f"{watts:.0f}", "W")]
    if measurand == "Current.Offered":
        return [_value(measurand, f"{connector.pilot_ma / 1000:.1f}", "A")]
    if measurand == "SoC" and connector.car is not None:
        return [_value(measurand, f"{connector.car.soc * 100:.0f}", "Percent")]
    return []


def _currents(charger: Charger, connector: Connector) -> list[Json]:
    amps = charger.measured_ma(connector)[: charger.make.phases]
    if charger.make.measures == "total":
        return [_value("Current.Import", f"{max(amps) / 1000:.2f}", "A")]
    return [
        _value("Current.Import", f"{ma / 1000:.2f}", "A", f"L{own + 1}")
        for own, ma in enumerate(amps)
    ]


def _value(measurand: str, value: str, unit: str, phase: str | None = None) -> Json:
    said: Json = {"value": value, "measurand": measurand, "unit": unit}
    if phase is not None:
        said["phase"] = phase
    return said
