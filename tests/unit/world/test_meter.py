"""The simulated meter shows what flows, in its own framing, and fails as meters fail."""

from __future__ import annotations

import math
import os
import random
import struct

import pytest
import trio
from tools.world import B23, MAPS, SDM630, WEM3080T, Car, Measured, Meter, Port, World
from tools.world.meter import crc16
from trio.testing import memory_stream_pair

TRUE = Measured((10_500, -2_000, 31_250), (230_100, 229_000, 231_500), 1_234.0)


def asking(file, register, count, unit=1):
    return struct.pack(">BBHH", unit, file["ReadCmd"], register, count)


async def ask_rtu(meter, register, count, unit=1, within_s=2.0):
    """The registers' bytes as read over RTU, the CRC checked; None without an answer."""
    near, far = memory_stream_pair()
    request = asking(meter.file, register, count, unit)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meter.serve, far)
        await near.send_all(request + crc16(request))
        answer = b""
        with trio.move_on_after(within_s):
            while len(answer) < 5 + 2 * count:
                answer += await near.receive_some()
        nursery.cancel_scope.cancel()
    return answer or None


def good(answer):
    return answer is not None and crc16(answer[:-2]) == answer[-2:]


def test_the_crc_is_that_of_the_standard():
    assert crc16(bytes.fromhex("010400000002")) == bytes.fromhex("71cb")


async def test_an_rtu_meter_answers_floats_with_a_good_crc():
    answer = await ask_rtu(Meter(lambda: TRUE, SDM630), 6, 6)
    assert good(answer)
    assert struct.unpack(">3f", answer[3:-2]) == (10.5, -2.0, 31.25)


async def test_an_unsigned_meter_loses_the_sign():
    answer = await ask_rtu(Meter(lambda: TRUE, B23), 23308, 6)
    assert struct.unpack(">3I", answer[3:-2]) == (10_500, 2_000, 31_250)


async def test_a_tcp_meter_answers_in_its_header_and_keeps_the_sign():
    near, far = memory_stream_pair()
    request = struct.pack(">HHH", 77, 0, 6) + asking(WEM3080T, 0, 22)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Meter(lambda: TRUE, WEM3080T).serve, far)
        await near.send_all(request[:5])
        await trio.sleep(0.1)
        await near.send_all(request[5:])
        answer = await near.receive_some()
        nursery.cancel_scope.cancel()
    assert struct.unpack(">HHHBBB", answer[:9]) == (77, 0, 47, 1, 3, 44)
    words = struct.unpack(">22h", answer[9:])
    assert (words[1], words[11], words[21]) == (1_050, -200, 3_125)
    assert (words[0], words[10], words[20]) == (23_010, 22_900, 23_150)


@pytest.mark.parametrize("name", sorted(MAPS))
def test_every_map_lays_every_current_where_its_file_says(name):
    file = MAPS[name]
    meter = Meter(lambda: TRUE, file)
    read = [meter.registers(1, file[f"ARegisterL{phase}"], 2) for phase in (1, 2, 3)]
    assert all(any(raw) for raw in read)
    assert len(set(read)) == 3


async def test_m1_a_cut_meter_says_nothing_until_it_answers_again():
    meter = Meter(lambda: TRUE, SDM630)
    meter.cut()
    assert await ask_rtu(meter, 6, 6) is None
    meter.answer_again()
    assert good(await ask_rtu(meter, 6, 6))


async def test_m2_a_frozen_meter_shows_the_same_for_good():
    shown = [1_000]
    meter = Meter(lambda: Measured((shown[0], 0, 0)), SDM630)
    before = meter.registers(1, 6, 6)
    meter.freeze()
    shown[0] = 2_000
    assert meter.registers(1, 6, 6) == before
    meter.answer_again()
    assert meter.registers(1, 6, 6) != before


def test_m3_nothing_is_said_as_each_type_says_it():
    for file, register, form, bits in (
        (B23, 23308, ">I", 0xFFFFFFFF), (WEM3080T, 1, ">h", 0x7FFF),
    ):  # fmt: skip
        meter = Meter(lambda: TRUE, file)
        meter.nan()
        words = struct.calcsize(form) // 2
        assert struct.unpack(form, meter.registers(1, register, words)) == (bits,)
    meter = Meter(lambda: TRUE, SDM630)
    meter.nan()
    assert math.isnan(struct.unpack(">f", meter.registers(1, 6, 2))[0])


async def test_m10_late_answers_come_late():
    meter = Meter(lambda: TRUE, SDM630)
    meter.late(0.9)
    began = trio.current_time()
    assert good(await ask_rtu(meter, 6, 6))
    assert 0.9 < trio.current_time() - began < 1.0


async def test_m10_a_failing_meter_leaves_out_its_share():
    meter = Meter(lambda: TRUE, SDM630, random.Random(3))
    meter.fail(0.5)
    answers = [meter.respond(1, asking(SDM630, 6, 6)[1:]) for _ in range(200)]
    assert 70 < sum(answer is None for answer in answers) < 130


async def test_m11_garbled_echoed_and_desynchronised_answers_are_what_they_say():
    meter = Meter(lambda: TRUE, SDM630)
    meter.garble()
    assert not good(await ask_rtu(meter, 6, 6))
    meter.obey()
    meter.echo()
    request = asking(SDM630, 6, 6)
    assert (await ask_rtu(meter, 6, 6)).startswith(request + crc16(request))
    meter.obey()
    meter.answer_the_previous()
    meter.respond(1, asking(SDM630, 0, 6)[1:])
    volts = await ask_rtu(meter, 6, 6)
    assert struct.unpack(">f", volts[3:7])[0] == pytest.approx(230.1)


async def test_rubbish_before_a_request_is_forgotten_in_the_silence():
    meter = Meter(lambda: TRUE, SDM630)
    near, far = memory_stream_pair()
    request = asking(SDM630, 6, 6)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meter.serve, far)
        await near.send_all(b"\x01\x04\x00")
        await trio.sleep(0.2)
        await near.send_all(request + crc16(request))
        assert good(await near.receive_some())
        nursery.cancel_scope.cancel()


async def test_another_unit_and_a_wrong_function_are_not_answered_as_ours():
    meter = Meter(lambda: TRUE, SDM630)
    assert await ask_rtu(meter, 6, 6, unit=9) is None
    assert meter.respond(1, bytes([3, 0, 6, 0, 6])) == bytes([0x83, 1])
    assert meter.respond(1, bytes([4, 0, 6, 0, 126])) == bytes([0x84, 3])


async def test_m12_a_meter_for_one_lets_no_second_in():
    meter = Meter(lambda: TRUE, WEM3080T)
    meter.streams_max = 1
    async with trio.open_nursery() as nursery:
        first, first_far = memory_stream_pair()
        second, second_far = memory_stream_pair()
        nursery.start_soon(meter.serve, first_far)
        await trio.sleep(0.1)
        nursery.start_soon(meter.serve, second_far)
        assert await second.receive_some() == b""
        await first.aclose()
        await trio.sleep(0.1)
        assert meter.streams == 0
        nursery.cancel_scope.cancel()


def test_the_meter_sums_building_and_chargers_or_sees_the_building_alone():
    for sees, expected in (
        ("grid", (42_000, 22_000, 30_000)),
        ("building", (10_000, 22_000, 30_000)),
    ):
        world = World(1, meter_sees=sees)
        world.building.hold((10_000, 22_000, 30_000))
        charger = world.add_charger("CP-1", connection="L1")
        charger.plug(Car(phases=1))
        charger.present_tag("TAG1")
        for second in range(1, 20):
            world.step(float(second), 1.0)
        assert charger.true_current_ma() == (32_000, 0, 0)
        assert world.measured().ma == expected


async def wait_link(link, *, there):
    with trio.fail_after(5):
        while link.is_symlink() is not there:  # noqa: ASYNC110  # the file system has no events
            await trio.sleep(0.01)


@pytest.mark.realtime
async def test_m13_a_port_lies_at_its_link_vanishes_and_comes_back(tmp_path):
    link = tmp_path / "rs485"
    port, meter = Port(link), Meter(lambda: TRUE, SDM630)
    async with trio.open_nursery() as nursery:
        await nursery.start(port.serve, meter)
        for _again in range(2):
            await wait_link(link, there=True)
            terminal = trio.lowlevel.FdStream(os.open(link, os.O_RDWR | os.O_NOCTTY))
            request = asking(SDM630, 6, 6)
            async with terminal:
                await terminal.send_all(request + crc16(request))
                answer = b""
                with trio.fail_after(5):
                    while len(answer) < 17:
                        answer += bytes(await terminal.receive_some())
            assert good(answer)
            port.vanish()
            await wait_link(link, there=False)
            port.come_back()
        nursery.cancel_scope.cancel()
    assert not link.is_symlink()
