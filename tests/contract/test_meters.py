"""Every shipped `.meter` file is fed a frame of registers and gives amps, and fits its second."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import linkray.meter
from linkray.meter.meterfile import MeterFile, as_settings, notes, parse, shipped
from linkray.meter.reading import Reader, Rules, Wait
from linkray.modbus.wire import characters

FILES = sorted((Path(linkray.meter.__file__).parent / "files").glob("*.meter"))
IDS = [path.stem for path in FILES]
COUNT_ENERGY = {"sdm72d-m"}
TELL_AMPS = [path for path in FILES if path.stem not in COUNT_ENERGY]
FORMATS = {"Short": ">h", "Ushort": ">H", "Long": ">i", "Ulong": ">I", "Float": ">f"}
AMPS, VOLTS, WATTS = (16.5, 8.25, 0.75), (230.4, 231.5, 229.9), (-3801.6, 1909.9, 172.4)
MANUAL = {
    "WEM3080TTCP", "ECR300C", "MD72", "SDM3xx", "B21B23B24", "EM210", "SDM6xx-tcp", "SOCOMECE-i30",
    "iEM3100", "PM3250/PM3255", "AcuRev1312", "IPD3100C/IPD3005C",
}  # fmt: skip
DATASHEET = {"EM24", "EM340", "7KM2200"}
TURNAROUND_S = 0.1  # a slow meter's own delay before each answer


def words(value: float, file: MeterFile, data_type: str, multiply: float) -> list[int]:
    """What the meter's registers would hold for this value."""
    raw = value / multiply
    packed = struct.pack(FORMATS[data_type], raw if data_type == "Float" else round(raw))
    got = [int.from_bytes(packed[i : i + 2], "big") for i in range(0, len(packed), 2)]
    return got if file.word_order == "big" else got[::-1]


def fill(file: MeterFile) -> dict[tuple[int, int], int]:
    """Unit and register to word, for the values above."""
    store: dict[tuple[int, int], int] = {}
    for unit, registers, values, scale in (
        (file.address_a, file.a_registers, AMPS, file.scale_a),
        (file.address_v, file.v_registers, VOLTS, file.scale_v),
        (file.address_a, file.p_registers, WATTS, file.scale_p),
    ):
        for register, value in zip(registers, values, strict=True):
            if register is not None:
                for place, word in enumerate(words(value, file, scale.type, scale.multiply)):
                    assert (unit, register + place) not in store, f"{register} is used twice"
                    store[unit, register + place] = word
    return store


def test_every_meter_of_the_manual_is_shipped_and_the_others_say_where_they_are_from() -> None:
    meters = shipped({path.name: path.read_text() for path in FILES})

    assert {meter.name for meter in meters} == MANUAL | DATASHEET
    for meter in meters:
        said = "From the datasheet" if meter.name in DATASHEET else "LinkRay manual"
        assert meter.note.startswith(said), meter.name


@pytest.mark.parametrize("path", TELL_AMPS, ids=[path.stem for path in TELL_AMPS])
def test_a_frame_of_registers_gives_amps(path: Path) -> None:
    file = parse(path.read_text())
    reader = Reader(file)
    store = fill(file)
    answers = {
        request: tuple(
            store.get((request.unit, request.register + place), 0)
            for place in range(request.count)
        )
        for request in reader.requests()
    }
    reading = reader.read(answers, Rules(), 1.0)

    signs = (-1, 1, 1) if file.p_registers[0] is not None else (1, 1, 1)
    assert reading.current_ma == tuple(
        round(sign * amps * 1000) for sign, amps in zip(signs, AMPS, strict=True)
    )
    if file.v_registers[0] is not None:
        assert reading.voltage_mv == pytest.approx([volts * 1000 for volts in VOLTS], abs=1)


def test_the_meter_that_counts_energy_gives_amps_from_two_steps() -> None:
    [path] = [path for path in FILES if path.stem in COUNT_ENERGY]
    file = parse(path.read_text())
    reader = Reader(file)
    [request] = reader.requests()
    for second, kwh in ((0.0, 100.0), (4.0, 100.01)):
        with pytest.raises(Wait):
            reader.read({request: tuple(words(kwh, file, "Float", 1.0))}, Rules(), second)
    reading = reader.read({request: tuple(words(100.02, file, "Float", 1.0))}, Rules(), 8.0)

    assert reading.power_w == 9_000
    assert reading.is_slow


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_poll_keeps_inside_the_second_at_the_meters_baud_rate(path: Path) -> None:
    file = parse(path.read_text())
    character_s = (9 + file.stop_bits + (file.parity != "N")) / min(file.baud, 9600)
    for with_holes in (True, False):
        requests = Reader(file).requests(with_holes=with_holes)
        takes_s = sum(TURNAROUND_S + characters(r) * character_s for r in requests)
        assert takes_s < 1.0
    assert len(Reader(file).requests()) <= 2


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_settings_hold_every_shipped_file_without_loss(path: Path) -> None:
    file = parse(path.read_text())

    assert parse(as_settings(file)) == file
    assert notes(path.read_text())
