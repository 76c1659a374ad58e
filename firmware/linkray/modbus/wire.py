"""Frames on a Modbus line, RTU and TCP: one request out, bytes in, its registers or an error.

Knows framers and PDUs (pymodbus's, sans-I/O), not sockets, clocks or what a register means.
Exactly one request is outstanding. What does not belong to it (an echo, another unit, the answer
of an earlier request) is dropped and counted; what cannot be read at all raises `BadReply`.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)

REGISTERS_MAX: Final = 125  # of one request (Modbus application protocol 1.1b3, 6.3)
RTU_BYTES_MAX: Final = 1024  # four of the longest frames and none ours: a stream, not answers
TCP_BYTES_MAX: Final = 4096  # as above; late answers of earlier requests are short of this
MBAP_BYTES: Final = 7
MBAP_LENGTH_MAX: Final = 254  # unit + PDU of 253 bytes
EXCEPTIONS = {
    1: "illegal function",
    2: "illegal register",
    3: "illegal value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not respond",
}


class WireError(Exception):
    """What came is no answer to what was asked; the text says why, in words for the log."""


class BadReply(WireError):
    """The bytes cannot be an answer: a false CRC, a false length, or more than any answer has.

    `lost_step`: the stream cannot be followed any more; a TCP connection is to be closed.
    """

    def __init__(self, text: str, *, lost_step: bool = False) -> None:
        super().__init__(text)
        self.lost_step = lost_step


class Refused(WireError):
    """The meter has answered with an exception."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}, {EXCEPTIONS.get(code, 'unknown')}")
        self.code = code


class Request(msgspec.Struct, frozen=True):
    """Read `count` registers from `register` on, of `unit`, by `command` 3 or 4."""

    unit: int
    command: int
    register: int
    count: int

    def __post_init__(self) -> None:
        assert 0 <= self.unit <= 255, f"unit 0 to 255, got {self.unit}"
        assert self.command in (3, 4), f"command 3 or 4, got {self.command}"
        assert 1 <= self.count <= REGISTERS_MAX, f"1 to 125 registers, got {self.count}"
        assert 0 <= self.register <= 65536 - self.count, f"register {self.register} is too high"


class Wire(Protocol):
    """One line to a meter: `ask` opens a request, `feed` gives its registers when they are in."""

    dropped: int

    def ask(self, request: Request) -> bytes: ...
    def feed(self, piece: bytes) -> tuple[int, ...] | None: ...
    def give_up(self) -> None: ...


def _request_pdu(request: Request, tid: int) -> ReadHoldingRegistersRequest:
    kind = ReadHoldingRegistersRequest if request.command == 3 else ReadInputRegistersRequest
    return kind(
        dev_id=request.unit, transaction_id=tid, address=request.register, count=request.count
    )


class Rtu:
    """A serial line: unit, command and length tell whose answer it is; a CRC that it is whole.

    RTU has no number that tells an answer from that of an earlier request, so after an error or a
    `give_up` the line must be heard out until it is silent before the next `ask`, which begins
    with an empty buffer: that is the resynchronisation (trust.md M10, M11).
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._request: Request | None = None
        self._sent = b""
        self._buffer = b""
        self._taken = 0

    def ask(self, request: Request) -> bytes:
        """The bytes to send; what was left of earlier answers is forgotten."""
        self._request = request
        self._buffer = b""
        self._taken = 0
        self._sent = self._framer.buildFrame(_request_pdu(request, 0))
        return self._sent

    def give_up(self) -> None:
        """Nothing is asked any more; what still comes is dropped."""
        self._request = None
        self._buffer = b""

    def feed(self, piece: bytes) -> tuple[int, ...] | None:
        """The registers asked for, or None while they have not come."""
        if self._request is None:
            self.dropped += bool(piece)
            return None
        self._taken += len(piece)
        if self._taken > RTU_BYTES_MAX:
            self._buffer = b""
            raise BadReply("bytes without end")
        self._buffer += piece
        return self._read(self._request)

    def _read(self, request: Request) -> tuple[int, ...] | None:
        """Take frames off the front of the buffer until one is ours or it is used up."""
        while self._buffer:
            if self._is_echo():
                if len(self._buffer) < len(self._sent):
                    return None  # the rest of the echo, or of an answer that begins like it
                self._buffer = self._buffer[len(self._sent) :]
                self.dropped += 1
                continue
            length = self._frame_length(request)
            if length is None or len(self._buffer) < length:
                return None
            frame, self._buffer = self._buffer[:length], self._buffer[length:]
            used, unit, _, pdu = self._framer.decode(frame)
            if not (used and pdu):
                self._buffer = b""
                raise BadReply("CRC error")
            answer = _belongs(request, unit, pdu)
            if answer is not None:
                return answer
            self.dropped += 1
        return None

    def _is_echo(self) -> bool:
        """Whether the buffer begins as our own request did (half duplex, receiver not muted).

        An answer differs from its request in the third byte, its length, or later; where that byte
        agrees, a whole request's CRC decides.
        """
        length = min(len(self._buffer), len(self._sent))
        return self._buffer[:length] == self._sent[:length] and not self._is_whole_answer()

    def _is_whole_answer(self) -> bool:
        """Whether the buffer is already a whole answer of the length that was asked for."""
        assert self._request is not None
        length = 5 + 2 * self._request.count
        frame = self._buffer[:length]
        return len(frame) == length and frame[2] == length - 5 and _crc_holds(frame)

    def _frame_length(self, request: Request) -> int | None:
        """How long the frame at the front says it is; None while it has not said so."""
        if len(self._buffer) < 3:
            return None
        command = self._buffer[1]
        if command & 0x80:
            return 5
        if command in (3, 4):
            return 5 + self._buffer[2]
        self._buffer = b""
        raise BadReply(f"expected command {request.command}, got {command}")


def _crc_holds(frame: bytes) -> bool:
    return FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))


class Tcp:
    """A TCP connection: number, unit and length tell whose answer it is."""

    def __init__(self) -> None:
        self.dropped = 0
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._request: Request | None = None
        self._tid = 0
        self._sent = b""
        self._buffer = b""
        self._taken = 0

    def ask(self, request: Request) -> bytes:
        """The bytes to send; the answer must carry this request's number."""
        self._request = request
        self._tid = self._tid % 0xFFFF + 1
        self._taken = 0
        self._sent = self._framer.buildFrame(_request_pdu(request, self._tid))
        return self._sent

    def give_up(self) -> None:
        """Nothing is asked any more; what still comes is read off and dropped."""
        self._request = None

    def feed(self, piece: bytes) -> tuple[int, ...] | None:
        """The registers asked for, or None while they have not come."""
        self._taken += len(piece)
        if self._taken > TCP_BYTES_MAX:
            self._buffer = b""
            raise BadReply("bytes without end", lost_step=True)
        self._buffer += piece
        while (frame := self._next_frame()) is not None:
            used, unit, tid, pdu = self._framer.decode(frame)
            if self._request is None or tid != self._tid or frame == self._sent or not used:
                self.dropped += 1
                continue
            answer = _belongs(self._request, unit, pdu)
            if answer is not None:
                return answer
            self.dropped += 1
        return None

    def _next_frame(self) -> bytes | None:
        """The next whole frame of the buffer; a header that cannot be raises (trust.md A42)."""
        if len(self._buffer) < MBAP_BYTES - 1:
            return None
        protocol = int.from_bytes(self._buffer[2:4], "big")
        length = int.from_bytes(self._buffer[4:6], "big")
        if protocol != 0 or not 3 <= length <= MBAP_LENGTH_MAX:
            self._buffer = b""
            raise BadReply(
                f"expected protocol 0 and a length of 3 to 254, got {protocol} and {length}",
                lost_step=True,
            )
        if len(self._buffer) < 6 + length:
            return None
        frame, self._buffer = self._buffer[: 6 + length], self._buffer[6 + length :]
        return frame


def _belongs(request: Request, unit: int, pdu: bytes) -> tuple[int, ...] | None:
    """The registers in `pdu` if it answers `request`; None if another one; `Refused` if refused."""
    if unit != request.unit or pdu[0] & 0x7F != request.command:
        return None
    if pdu[0] & 0x80:
        if len(pdu) != 2:
            raise BadReply(f"expected an exception of 2 bytes, got {len(pdu)}")
        raise Refused(pdu[1])
    if len(pdu) < 2 or pdu[1] != len(pdu) - 2:
        raise BadReply(f"the answer's length does not fit its bytes: {pdu[:2].hex()}")
    if pdu[1] != 2 * request.count:
        return None  # of an earlier request, with another count
    read = DecodePDU(is_server=False).decode(pdu)
    assert isinstance(read, ReadHoldingRegistersResponse | ReadInputRegistersResponse)
    return tuple(read.registers)


def characters(request: Request) -> int:
    """How many characters request and answer take on a serial line, with both silences."""
    return 8 + 5 + 2 * request.count + 7
