"""A serial line as a Trio stream: pyserial opens and sets it, Trio waits on it.

A port that is taken away reads `b""` and refuses writes with `trio.BrokenResourceError`.
"""

from __future__ import annotations

import os
from pathlib import Path

import serial
import trio

from linkray.hal.board import Line


class PortTaken(OSError):
    """The port is open already; RS-485 has one master."""


class PortStream(trio.abc.Stream):
    """An open port. Closing it lets the next one open it."""

    def __init__(self, fd: int) -> None:
        self._stream = trio.lowlevel.FdStream(fd)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except trio.BrokenResourceError:
            return b""  # a pseudo-terminal without its other end, an adapter pulled out

    async def aclose(self) -> None:
        await self._stream.aclose()


class Port:
    """The serial port at a device path, opened anew for every `Line`."""

    def __init__(self, device: Path) -> None:
        self.device = device

    async def open(self, line: Line) -> PortStream:
        """Raise `OSError` where there is no such port, `PortTaken` where it is open already."""
        await trio.lowlevel.checkpoint()
        try:
            port = serial.Serial(
                str(self.device),
                baudrate=line.baud,
                parity=line.parity,
                stopbits=line.stop_bits,
                timeout=0,
                inter_byte_timeout=0,  # VMIN 1: else a silent line reads b"" like one taken away
                exclusive=True,
            )
        except serial.SerialException as error:
            if "exclusively lock" in str(error):
                raise PortTaken(f"{self.device} is open already") from error
            raise OSError(f"expected a serial port at {self.device}: {error}") from error
        except ValueError as error:
            raise OSError(f"{self.device} does not do {line}: {error}") from error
        try:
            return PortStream(os.dup(port.fileno()))
        finally:
            port.close()
