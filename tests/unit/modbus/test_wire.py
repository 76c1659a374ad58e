"""Frames on the wire, computed here by hand: what is ours is taken, what is not is dropped."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest

from linkray.modbus.wire import BadReply, Refused, Request, Rtu, Tcp, WireError

ASK = Request(unit=1, command=3, register=12, count=6)
VALUES = (0, 16_000, 0, 8_000, 0, 65_535)


def crc(frame: bytes) -> bytes:
    """CRC-16/MODBUS, bit by bit, low byte first."""
    register = 0xFFFF
    for byte in frame:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)


def rtu(unit: int, command: int, registers: tuple[int, ...]) -> bytes:
    body = struct.pack(f">BBB{len(registers)}H", unit, command, 2 * len(registers), *registers)
    return body + crc(body)


def tcp(tid: int, unit: int, command: int, registers: tuple[int, ...]) -> bytes:
    pdu = struct.pack(f">BB{len(registers)}H", command, 2 * len(registers), *registers)
    return struct.pack(">HHHB", tid, 0, len(pdu) + 1, unit) + pdu


def test_an_rtu_request_is_unit_command_register_count_and_crc() -> None:
    body = struct.pack(">BBHH", 1, 3, 12, 6)

    assert Rtu().ask(ASK) == body + crc(body)
    assert Rtu().ask(Request(100, 4, 0xFFFE, 2))[1] == 4


def test_a_tcp_request_carries_a_number_that_changes_each_time() -> None:
    wire = Tcp()

    first, second = wire.ask(ASK), wire.ask(ASK)

    assert first == struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 12, 6)
    assert second == struct.pack(">HHHBBHH", 2, 0, 6, 1, 3, 12, 6)


def test_a_tcp_number_begins_again_at_one_after_65535() -> None:
    wire = Tcp()
    for _ in range(0xFFFF):
        wire.ask(ASK)

    assert wire.ask(ASK)[:2] == b"\x00\x01"


def test_a42_an_rtu_answer_is_read_whole_and_split_at_every_byte() -> None:
    answer = rtu(1, 3, VALUES)
    for cut in range(len(answer) + 1):
        wire = Rtu()
        wire.ask(ASK)
        got = wire.feed(answer[:cut])
        if cut < len(answer):
            assert got is None
            got = wire.feed(answer[cut:])
        assert got == VALUES, cut


def test_a42_a_tcp_answer_is_read_whole_and_split_at_every_byte() -> None:
    answer = tcp(1, 1, 3, VALUES)
    for cut in range(len(answer) + 1):
        wire = Tcp()
        wire.ask(ASK)
        got = wire.feed(answer[:cut])
        if cut < len(answer):
            assert got is None
            got = wire.feed(answer[cut:])
        assert got == VALUES, cut


def test_m11_the_echo_of_our_own_request_is_dropped_at_every_split() -> None:
    for register, count in ((12, 6), (0x0600, 3), (0x0200, 1), (0x0C00, 6)):
        ask = Request(1, 3, register, count)
        values = tuple(range(1, count + 1))
        heard = Rtu().ask(ask) + rtu(1, 3, values)
        for cut in range(len(heard) + 1):
            wire = Rtu()
            wire.ask(ask)
            got = wire.feed(heard[:cut])
            if got is None:
                got = wire.feed(heard[cut:])
            assert got == values, (register, cut)
            assert wire.dropped == 1


def test_an_answer_whose_length_byte_looks_like_the_echos_is_no_echo() -> None:
    for register, count in ((0x0600, 3), (0x0200, 1), (0x0C00, 6)):
        ask = Request(1, 3, register, count)
        values = tuple(range(count))
        for piece in (1, 2, 3, 8, 99):
            wire = Rtu()
            wire.ask(ask)
            answer = rtu(1, 3, values)
            got = [wire.feed(answer[i : i + piece]) for i in range(0, len(answer), piece)]
            assert got[-1] == values, (register, piece)


def test_m11_an_rtu_answer_of_another_unit_command_or_length_is_dropped() -> None:
    for other in (rtu(2, 3, VALUES), rtu(1, 4, VALUES), rtu(1, 3, VALUES[:4])):
        wire = Rtu()
        wire.ask(ASK)

        assert wire.feed(other) is None
        assert wire.dropped == 1
        assert wire.feed(rtu(1, 3, VALUES)) == VALUES


def test_m11_a_false_crc_is_an_error_at_every_flipped_bit() -> None:
    answer = rtu(1, 3, VALUES)
    for bit in range(8 * len(answer)):
        broken = bytearray(answer)
        broken[bit // 8] ^= 1 << bit % 8
        wire = Rtu()
        wire.ask(ASK)
        try:
            got = wire.feed(bytes(broken))
        except WireError:
            continue
        assert got is None, bit  # a longer length was read: silence ends it


def test_m11_after_an_error_the_next_request_begins_with_nothing_of_the_old() -> None:
    wire = Rtu()
    wire.ask(ASK)
    with pytest.raises(BadReply, match="CRC"):
        wire.feed(rtu(1, 3, VALUES)[:-1] + b"\x00")
    wire.give_up()
    assert wire.feed(b"\x55\x55") is None
    wire.ask(ASK)

    assert wire.feed(rtu(1, 3, VALUES)) == VALUES


def test_an_exception_says_its_code_in_words() -> None:
    body = bytes((1, 0x83, 2))
    wire = Rtu()
    wire.ask(ASK)
    with pytest.raises(Refused, match="exception 2, illegal register") as refused:
        wire.feed(body + crc(body))
    assert refused.value.code == 2

    other = Tcp()
    other.ask(ASK)
    with pytest.raises(Refused, match="gateway target does not respond"):
        other.feed(struct.pack(">HHHBBB", 1, 0, 3, 1, 0x83, 11))


@pytest.mark.parametrize("length", [0, 1, 2, 255, 4096, 65_535])
def test_a42_a_length_that_cannot_be_ends_the_connection(length: int) -> None:
    wire = Tcp()
    wire.ask(ASK)

    with pytest.raises(BadReply) as error:
        wire.feed(struct.pack(">HHH", 1, 0, length))
    assert error.value.lost_step


def test_a42_another_protocol_ends_the_connection() -> None:
    wire = Tcp()
    wire.ask(ASK)

    with pytest.raises(BadReply, match="protocol") as error:
        wire.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert error.value.lost_step


def test_a43_a_wrong_number_or_unit_is_dropped_and_the_right_answer_still_read() -> None:
    wire = Tcp()
    wire.ask(ASK)
    wire.give_up()
    wire.ask(ASK)

    late = tcp(1, 1, 3, (9,) * 6)
    assert wire.feed(late) is None
    assert wire.feed(tcp(2, 9, 3, VALUES)) is None
    assert wire.feed(tcp(2, 1, 4, VALUES)) is None
    assert wire.feed(tcp(2, 1, 3, VALUES[:2])) is None
    assert wire.dropped == 4
    assert wire.feed(tcp(2, 1, 3, VALUES)) == VALUES


def test_a43_the_echo_of_the_request_is_dropped() -> None:
    wire = Tcp()
    sent = wire.ask(ASK)

    assert wire.feed(sent + tcp(1, 1, 3, VALUES)) == VALUES
    assert wire.dropped == 1


def test_a42_pipelined_answers_of_earlier_requests_come_before_ours_and_are_dropped() -> None:
    wire = Tcp()
    for _ in range(3):
        wire.ask(ASK)

    heard = tcp(1, 1, 3, (1,) * 6) + tcp(2, 1, 3, (2,) * 6) + tcp(3, 1, 3, VALUES)

    assert wire.feed(heard) == VALUES
    assert wire.dropped == 2


def test_a43_an_endless_stream_is_an_error_after_a_bounded_count_of_bytes() -> None:
    lines: tuple[Rtu | Tcp, ...] = (Rtu(), Tcp())
    foreign = (rtu(9, 3, (0,) * 100), tcp(77, 1, 3, (0,) * 100))
    for wire, piece in zip(lines, foreign, strict=True):
        wire.ask(ASK)
        with pytest.raises(BadReply, match="without end"):
            for _ in range(1000):
                assert wire.feed(piece) is None


def test_a42_an_answer_whose_inner_length_lies_is_an_error() -> None:
    wire = Tcp()
    wire.ask(ASK)
    with pytest.raises(BadReply, match="length"):
        wire.feed(struct.pack(">HHHBBB", 1, 0, 5, 1, 3, 12) + b"\x00\x00")


def test_what_comes_while_nothing_is_asked_is_dropped() -> None:
    wire = Rtu()
    assert wire.feed(rtu(1, 3, VALUES)) is None
    other = Tcp()
    assert other.feed(tcp(0, 1, 3, VALUES)) is None
    assert wire.dropped == other.dropped == 1


def test_a_request_that_the_protocol_does_not_allow_cannot_be_made() -> None:
    for bad in ((1, 3, 0, 126), (1, 3, 65_535, 2), (1, 16, 0, 1), (256, 3, 0, 1), (1, 3, 0, 0)):
        with pytest.raises(AssertionError):
            Request(*bad)


def test_the_framers_start_no_event_loop() -> None:
    """They import asyncio's names; nothing of them may run, or wait in a thread."""
    code = (
        "import threading, asyncio.events as e; import linkray.modbus.wire as w;"
        "w.Rtu().ask(w.Request(1, 3, 0, 1)); assert e._get_running_loop() is None;"
        "assert e.get_event_loop_policy()._local._loop is None;"
        "assert threading.active_count() == 1;"
        "import sys; assert 'pymodbus.client' not in sys.modules;"
        "assert 'pymodbus.server' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
