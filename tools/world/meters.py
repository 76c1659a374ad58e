"""Register maps of meters, as their `.meter` files give them (manual, 27), written by the world.

These are the world's own copy: a wrong register in a shipped file shows as a wrong current.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from tools.world.schemas import Json

WEM3080T: Json = {
    "name": "WEM3080T", "tcp": True, "IP": "127.0.0.1", "port": 502, "Address": 1, "ReadCmd": 3,
    "ARegisterL1": 1, "ARegisterL2": 11, "ARegisterL3": 21,
    "VRegisterL1": 0, "VRegisterL2": 10, "VRegisterL3": 20,
    "DataType": "Short", "Multiply": 0.01, "PhasesReported": 3,
}  # fmt: skip
SDM3XX: Json = {
    "name": "SDM3xx", "tcp": False, "Baud": 9600, "Address": 1, "ReadCmd": 4,
    "ARegisterL1": 6, "ARegisterL2": 8, "ARegisterL3": 10,
    "VRegisterL1": 0, "VRegisterL2": 2, "VRegisterL3": 4,
    "DataType": "Float", "PhasesReported": 3,
}  # fmt: skip
SDM630: Json = {
    **SDM3XX, "name": "SDM630", "PRegisterL1": 12, "PRegisterL2": 14, "PRegisterL3": 16,
    "EnergyRegister": 72,
}  # fmt: skip
SDM630MCT_TCP: Json = {**SDM3XX, "name": "SDM6xx-tcp", "tcp": True, "IP": "127.0.0.1", "port": 502}
B23: Json = {
    "name": "B21B23B24", "tcp": False, "Baud": 9600, "Address": 1, "ReadCmd": 3,
    "ARegisterL1": 23308, "ARegisterL2": 23310, "ARegisterL3": 23312,
    "VRegisterL1": 23296, "VRegisterL2": 23298, "VRegisterL3": 23300,
    "DataType": "ULong", "Multiply": 0.001, "MultiplyA": 0.001, "MultiplyV": 0.1,
    "PhasesReported": 3,
}  # fmt: skip
MAPS = {m["name"]: m for m in (WEM3080T, SDM3XX, SDM630, SDM630MCT_TCP, B23)}

FORMS = {"SHORT": ">h", "USHORT": ">H", "LONG": ">i", "ULONG": ">I", "FLOAT": ">f"}
Quantity = Literal["A", "V", "P", "E"]


@dataclass(frozen=True)
class Cell:
    """Where one value lies and how it is written."""

    unit: int
    register: int
    form: str
    multiply: float
    quantity: Quantity
    phase: int  # 0 to 2
    is_little: bool

    @property
    def words(self) -> int:
        return struct.calcsize(self.form) // 2

    def write(self, amount: float) -> bytes:
        """The registers' bytes; what cannot be said unsigned loses its sign, as a CT's would."""
        if self.form == ">f":
            raw = struct.pack(">f", amount / self.multiply)
        else:
            bits = 8 * struct.calcsize(self.form)
            steps = round(amount / self.multiply)
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1)
            if self.form in (">H", ">I"):
                steps, low, high = abs(steps), 0, (1 << bits) - 1
            raw = struct.pack(self.form, min(max(steps, low), high))
        return raw[2:] + raw[:2] if self.is_little and len(raw) == 4 else raw

    def all_ones(self) -> bytes:
        """What a meter says when it knows nothing: NaN, or every bit it has for it."""
        if self.form == ">f":
            return struct.pack(">f", float("nan"))
        signed = self.form in (">h", ">i")
        raw = b"\x7f" if signed else b"\xff"
        return raw + b"\xff" * (2 * self.words - 1)


def cells(file: Json) -> list[Cell]:
    """Every value that a `.meter` file reads, as the meter must lay it out."""
    found: list[Cell] = []
    for quantity in ("A", "V", "P"):
        for phase in range(3):
            register = file.get(f"{quantity}RegisterL{phase + 1}")
            if register is not None:
                found.append(_cell(file, quantity, phase, register))
    if file.get("EnergyRegister") is not None:
        found.append(_cell(file, "E", 0, file["EnergyRegister"]))
    if file.get("KwhRegister") is not None:
        found.append(_cell(file, "E", 0, file["KwhRegister"]))
    return found


def _cell(file: Json, quantity: Quantity, phase: int, register: int) -> Cell:
    kind = _pick(file, "DataType", quantity, "Float")
    form = FORMS[str(kind).upper()]
    usual = 1.0 if form == ">f" else 0.01
    return Cell(
        unit=int(_pick(file, "Address", quantity, 1)),
        register=register,
        form=form,
        multiply=float(_pick(file, "Multiply", quantity, usual)),
        quantity=quantity,
        phase=phase,
        is_little=file.get("WordOrder") == "little",
    )


def _pick(file: Json, key: str, quantity: Quantity, otherwise: str | float) -> str | float:
    """The value for this quantity, or the one for all."""
    found: str | float | None = file.get(f"{key}{quantity}", file.get(key))
    return otherwise if found is None else found
