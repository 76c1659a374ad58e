"""The `.meter` file: the manual's JSON in both spellings, `//` comments, every key checked.

Knows keys, types and defaults (manual, 27 External Meter Configuration and Modbusconfig;
metering.md), not sockets and not what the registers hold. Reading files from disk is `app.py`'s.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Final, Literal, NoReturn, cast

import msgspec

from linkray.model.asks import ShippedMeter
from linkray.model.settings import MeterFileValue

TEXT_CHARS_MAX: Final = 65_536
MULTIPLY_MAX: Final = 1_000_000.0
BAUD_MIN, BAUD_MAX = 300, 921_600  # the manual's own example says 9200
HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.:\-]{0,251}[A-Za-z0-9])?$")
PHASES = ("L1", "L2", "L3")

DataType = Literal["Short", "Ushort", "Long", "Ulong", "Float"]
Register = int | None
Registers = tuple[Register, Register, Register]

TYPES: dict[str, DataType] = {
    "Short": "Short", "Ushort": "Ushort", "UShort": "Ushort", "Long": "Long",
    "Ulong": "Ulong", "ULong": "Ulong", "Float": "Float",
}  # fmt: skip  # both spellings of the manual's examples
WIDTH: dict[DataType, int] = {"Short": 1, "Ushort": 1, "Long": 2, "Ulong": 2, "Float": 2}

STRINGS = ("name", "IP")
BOOLS = ("tcp", "kWh")
NUMBERS = ("Multiply", "MultiplyA", "MultiplyV", "MultiplyP")
CHOICES = ("DataType", "DataTypeA", "DataTypeV", "DataTypeP", "WordOrder", "Parity")
REGISTERS = (
    "ARegister", *(f"ARegister{p}" for p in PHASES), *(f"VRegister{p}" for p in PHASES),
    *(f"PRegister{p}" for p in PHASES), "KwhRegister", "EnergyRegister",
)  # fmt: skip
RANGES: dict[str, tuple[int, int]] = {
    "port": (1, 65_535),
    "Baud": (BAUD_MIN, BAUD_MAX),
    "Address": (0, 255),
    "AddressA": (0, 255),
    "AddressV": (0, 255),
    "ReadCmd": (3, 4),
    "PhasesReported": (1, 3),
    "StopBits": (1, 2),
    **dict.fromkeys(REGISTERS, (0, 65_535)),
}


class BadMeterFile(ValueError):
    """A `.meter` file that cannot be: names the key, what was expected and what came."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}" if key else reason)
        self.key = key
        self.reason = reason


class Scale(msgspec.Struct, frozen=True):
    """How the registers of one quantity become numbers."""

    type: DataType
    multiply: float


class MeterFile(msgspec.Struct, frozen=True):
    """A meter as its file describes it, with every default filled in."""

    name: str
    tcp: bool
    ip: str
    port: int
    baud: int
    parity: Literal["N", "E", "O"]
    stop_bits: Literal[1, 2]
    address_a: int
    address_v: int
    read_cmd: int
    phases_reported: int
    a_total: Register
    a_registers: Registers
    v_registers: Registers
    p_registers: Registers
    energy_register: Register
    kwh: bool
    scale_a: Scale
    scale_v: Scale
    scale_p: Scale
    scale_energy: Scale
    word_order: Literal["big", "little"]

    @property
    def is_energy_only(self) -> bool:
        """It tells no current: power comes from the energy's slope (metering.md)."""
        return self.a_total is None and self.a_registers[0] is None


def parse(text: str | Mapping[str, object]) -> MeterFile:
    """A `.meter` file's text, or its keys and values, checked whole; raises `BadMeterFile`."""
    return _Parser(_read_json(text) if isinstance(text, str) else dict(text)).file()


def from_settings(file: Mapping[str, MeterFileValue]) -> MeterFile:
    """The file as the settings hold it; raises `BadMeterFile`."""
    return parse(file)


def notes(text: str) -> str:
    """The `//` lines at the top of a file: where its registers come from, what to watch."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.lstrip().startswith("//"):
            break
        lines.append(line.strip().removeprefix("//").strip())
    return " ".join(lines)


def strip_comments(text: str) -> str:
    """The text without `//` comments; `//` inside a string (an address) is none."""
    kept: list[str] = []
    place, in_string = 0, False
    while place < len(text):
        character = text[place]
        if in_string:
            if character == "\\":
                kept.append(text[place : place + 2])
                place += 2
                continue
            in_string = character not in '"\n'
        elif character == '"':
            in_string = True
        elif text.startswith("//", place):
            end = text.find("\n", place)
            place = len(text) if end < 0 else end
            continue
        kept.append(character)
        place += 1
    return "".join(kept)


def _read_json(text: str) -> dict[str, object]:
    if len(text) > TEXT_CHARS_MAX:
        raise BadMeterFile("", f"expected at most {TEXT_CHARS_MAX} characters, got {len(text)}")
    try:
        tree = json.loads(
            strip_comments(text.removeprefix("\ufeff")),
            object_pairs_hook=_without_doubles,
            parse_constant=_no_constant,
        )
    except BadMeterFile:
        raise
    except json.JSONDecodeError as error:
        raise BadMeterFile(
            "", f"expected JSON, got something else at line {error.lineno}: {error.msg}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadMeterFile("", f"expected JSON of plain values: {error}") from None
    if not isinstance(tree, dict):
        raise BadMeterFile("", f"expected an object {{…}}, got {_kind(tree)}")
    return cast(dict[str, object], tree)


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    seen: dict[str, object] = {}
    for key, value in pairs:
        if key in seen:
            raise BadMeterFile(key, "given twice")
        seen[key] = value
    return seen


def _no_constant(name: str) -> NoReturn:
    raise BadMeterFile("", f"expected a number, got {name}")


def _kind(value: object) -> str:
    """A value's type, in the words of JSON."""
    names = {bool: "true/false", int: "a whole number", float: "a number", str: "a text",
             list: "a list", dict: "an object", type(None): "null"}  # fmt: skip
    return names.get(type(value), type(value).__name__)


class _Parser:
    """Checks every key by itself, then what belongs together."""

    def __init__(self, tree: dict[str, object]) -> None:
        self._tree = tree
        for key, value in tree.items():
            self._check(key, value)

    def _check(self, key: str, value: object) -> None:
        if key in STRINGS:
            self._check_text(key, value)
        elif key in BOOLS:
            if not isinstance(value, bool):
                raise BadMeterFile(key, f"expected true or false, got {_kind(value)}")
        elif key in NUMBERS:
            self._check_number(key, value)
        elif key in CHOICES:
            self._check_choice(key, value)
        elif key in RANGES:
            low, high = RANGES[key]
            if isinstance(value, bool) or not isinstance(value, int):
                raise BadMeterFile(key, f"expected a whole number, got {_kind(value)}")
            if not low <= value <= high or (key == "PhasesReported" and value == 2):
                words = "1 or 3" if key == "PhasesReported" else f"{low} to {high}"
                raise BadMeterFile(key, f"expected {words}, got {value}")
        else:
            near = next((k for k in _known() if k.lower() == key.lower()), None)
            hint = f"; {near} is meant? (keys are case sensitive)" if near else ""
            raise BadMeterFile(key[:64], f"unknown key{hint}")

    def _check_text(self, key: str, value: object) -> None:
        if not isinstance(value, str):
            raise BadMeterFile(key, f"expected a text, got {_kind(value)}")
        if key == "name" and (len(value) > 50 or not value.isprintable()):
            raise BadMeterFile(key, "expected at most 50 printable characters")
        if key == "IP" and not HOST.match(value):
            raise BadMeterFile(key, f"expected an address such as 192.168.1.110, got {value!r}")

    def _check_number(self, key: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadMeterFile(key, f"expected a number, got {_kind(value)}")
        if not math.isfinite(value) or value == 0 or abs(value) > MULTIPLY_MAX:
            raise BadMeterFile(key, f"expected a number other than 0, got {value}")

    def _check_choice(self, key: str, value: object) -> None:
        choices: dict[str, tuple[str, ...]] = {
            "WordOrder": ("big", "little"),
            "Parity": ("N", "E", "O"),
        }
        allowed = choices.get(key, tuple(TYPES))
        if not isinstance(value, str) or value not in allowed:
            raise BadMeterFile(key, f"expected one of {', '.join(allowed)}, got {value!r}")

    def file(self) -> MeterFile:
        """All of it; what is missing is refused by the key that it should be under."""
        tcp = bool(self._tree.get("tcp", False))
        if tcp and "IP" not in self._tree:
            raise BadMeterFile("IP", "missing, tcp is true")
        phases = self._whole("PhasesReported", 3)
        a_registers, a_total, energy = self._currents(phases)
        v_registers = self._phases("V")
        p_registers = self._powers(phases)
        has_v = v_registers != (None, None, None)
        scale_a = self._scale("A")
        file = MeterFile(
            name=str(self._tree.get("name", "meter")),
            tcp=tcp,
            ip=str(self._tree.get("IP", "")),
            port=self._whole("port", 502),
            baud=self._whole("Baud", 9600),
            parity=cast(Literal["N", "E", "O"], self._tree.get("Parity", "N")),
            stop_bits=cast(Literal[1, 2], self._whole("StopBits", 1)),
            address_a=self._address("AddressA", "Address"),
            address_v=self._address("AddressV", "Address", "AddressA"),
            read_cmd=self._whole("ReadCmd", 3),
            phases_reported=phases,
            a_total=a_total,
            a_registers=a_registers,
            v_registers=v_registers,
            p_registers=p_registers,
            energy_register=energy,
            kwh=bool(self._tree.get("kWh", False)),
            scale_a=scale_a,
            scale_v=self._scale("V") if has_v else scale_a,
            scale_p=self._scale("P") if p_registers[0] is not None else scale_a,
            scale_energy=self._scale(""),
            word_order=cast(Literal["big", "little"], self._tree.get("WordOrder", "big")),
        )
        self._check_ends(file)
        return file

    def _whole(self, key: str, default: int) -> int:
        return cast(int, self._tree.get(key, default))

    def _register(self, key: str) -> Register:
        return cast(Register, self._tree.get(key))

    def _phases(self, letter: str) -> Registers:
        l1, l2, l3 = (self._register(f"{letter}Register{phase}") for phase in PHASES)
        return l1, l2, l3

    def _currents(self, phases: int) -> tuple[Registers, Register, Register]:
        """Where currents come from: each phase, a total, or energy; one of them must be there."""
        by_phase = self._phases("A")
        total = self._register("ARegister")
        energy = self._register("KwhRegister")
        if energy is None:
            energy = self._register("EnergyRegister")
        given = [register is not None for register in by_phase]
        if any(given):
            self._check_all("ARegister", given[:phases])
            return by_phase, None, energy
        if total is not None:
            return by_phase, total, energy
        if energy is None:
            key = "KwhRegister" if self._tree.get("kWh") else "ARegisterL1"
            raise BadMeterFile(key, "missing: no register for current or energy")
        return by_phase, None, energy

    def _powers(self, phases: int) -> Registers:
        powers = self._phases("P")
        given = [register is not None for register in powers]
        if any(given):
            self._check_all("PRegister", given[:phases])
        return powers

    def _check_all(self, stem: str, given: list[bool]) -> None:
        for phase, there in zip(PHASES, given, strict=False):
            if not there:
                raise BadMeterFile(f"{stem}{phase}", f"missing, {len(given)} phase(s) reported")

    def _address(self, *keys: str) -> int:
        for key in keys:
            if key in self._tree:
                return cast(int, self._tree[key])
        raise BadMeterFile(keys[1], "missing: the meter's station address")

    def _scale(self, letter: str) -> Scale:
        """A quantity's own keys, else those of all, else those of A (manual: `if different`)."""
        type_keys = (f"DataType{letter}", "DataType", "DataTypeA")
        type_key = next((key for key in type_keys if key in self._tree), None)
        if type_key is None:
            raise BadMeterFile("DataType", "missing")
        data_type = TYPES[str(self._tree[type_key])]
        multiply_keys = (f"Multiply{letter}", "Multiply", *(["MultiplyA"] if letter == "V" else []))
        multiply = next((self._tree[key] for key in multiply_keys if key in self._tree), None)
        if multiply is None:
            multiply = 1.0 if data_type == "Float" else 0.01  # manual, Modbusconfig
        return Scale(data_type, float(cast(float, multiply)))

    def _check_ends(self, file: MeterFile) -> None:
        """A value of two registers must not begin in the last one."""
        widths = {"A": file.scale_a, "V": file.scale_v, "P": file.scale_p}
        for key in REGISTERS:
            register = self._register(key)
            scale = widths.get(key[0], file.scale_energy)
            if register is not None and register + WIDTH[scale.type] > 65_536:
                raise BadMeterFile(key, f"expected 0 to 65534 for {scale.type}, got {register}")


def _known() -> tuple[str, ...]:
    return (*STRINGS, *BOOLS, *NUMBERS, *CHOICES, *RANGES)


def as_settings(file: MeterFile) -> dict[str, MeterFileValue]:
    """The file's keys with every default filled in, as settings and pages hold it.

    `parse(as_settings(file)) == file`.
    """
    tree: dict[str, MeterFileValue] = {"name": file.name, "tcp": file.tcp}
    if file.ip:
        tree["IP"] = file.ip
    if file.tcp:
        tree["port"] = file.port
    if not file.tcp or (file.baud, file.parity, file.stop_bits) != (9600, "N", 1):
        tree |= {"Baud": file.baud, "Parity": file.parity, "StopBits": file.stop_bits}
    if not file.tcp and file.port != 502:
        tree["port"] = file.port
    if file.address_a == file.address_v:
        tree["Address"] = file.address_a
    else:
        tree |= {"AddressA": file.address_a, "AddressV": file.address_v}
    tree["ReadCmd"] = file.read_cmd
    if file.a_total is not None:
        tree["ARegister"] = file.a_total
    for letter, registers in (
        ("A", file.a_registers), ("V", file.v_registers), ("P", file.p_registers),
    ):  # fmt: skip
        for phase, register in zip(PHASES, registers, strict=True):
            if register is not None:
                tree[f"{letter}Register{phase}"] = register
    if file.energy_register is not None:
        tree["KwhRegister" if file.kwh else "EnergyRegister"] = file.energy_register
    if file.kwh:
        tree["kWh"] = True
    tree |= _scales(file)
    tree |= {"WordOrder": file.word_order, "PhasesReported": file.phases_reported}
    return tree


def _scales(file: MeterFile) -> dict[str, MeterFileValue]:
    """The types and multipliers: those of all first, then each quantity's own that differs."""
    tree: dict[str, MeterFileValue] = {
        "DataType": file.scale_energy.type,
        "Multiply": file.scale_energy.multiply,
    }
    scales = [("A", file.scale_a)]
    if any(register is not None for register in file.v_registers):
        scales.append(("V", file.scale_v))
    if file.p_registers[0] is not None:
        scales.append(("P", file.scale_p))
    for letter, scale in scales:
        if scale.type != file.scale_energy.type:
            tree[f"DataType{letter}"] = scale.type
        if scale.multiply != file.scale_energy.multiply:
            tree[f"Multiply{letter}"] = scale.multiply
    return tree


def shipped(texts: Mapping[str, str]) -> tuple[ShippedMeter, ...]:
    """The ready files by name; `texts` are the texts of `files/*.meter` by file name."""
    found = []
    for text in texts.values():
        file = parse(text)
        found.append(ShippedMeter(file.name, as_settings(file), notes(text)))
    return tuple(sorted(found, key=lambda meter: meter.name.lower()))
