"""Whatever bytes come, the wire gives registers, None or its own error, and never grows."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from linkray.modbus.batch import Span, gather, words
from linkray.modbus.wire import RTU_BYTES_MAX, TCP_BYTES_MAX, Request, Rtu, Tcp, WireError

requests = st.builds(
    Request, st.integers(0, 255), st.sampled_from([3, 4]), st.integers(0, 65_411),
    st.integers(1, 125),
)  # fmt: skip
pieces = st.lists(st.binary(max_size=300), max_size=12)


def frame(number: int, request: Request, values: list[int]) -> bytes:
    pdu = struct.pack(f">BB{len(values)}H", request.command, 2 * len(values), *values)
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, request.unit) + pdu


@given(requests, pieces, st.booleans())
def test_a42_any_bytes_give_registers_none_or_a_wire_error(
    request: Request, heard: list[bytes], is_tcp: bool
) -> None:
    wire: Tcp | Rtu = Tcp() if is_tcp else Rtu()
    wire.ask(request)
    for piece in heard:
        try:
            got = wire.feed(piece)
        except WireError:
            wire.give_up()
            wire.ask(request)
            continue
        assert got is None or len(got) == request.count
    assert len(wire._buffer) <= max(TCP_BYTES_MAX, RTU_BYTES_MAX)


@given(requests, st.data())
def test_a42_a_mutated_answer_never_gives_registers_of_another_count(
    request: Request, data: st.DataObject
) -> None:
    values = [index * 7 % 65_536 for index in range(request.count)]
    wire = Tcp()
    wire.ask(request)
    answer = bytearray(frame(1, request, values))
    for _ in range(data.draw(st.integers(1, 3))):
        answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = wire.feed(bytes(answer))
    except WireError:
        return
    assert got is None or len(got) == request.count


@given(requests, st.data())
def test_a_true_answer_is_read_however_it_is_cut_and_whatever_foreign_came_before(
    request: Request, data: st.DataObject
) -> None:
    values = data.draw(
        st.lists(st.integers(0, 65_535), min_size=request.count, max_size=request.count)
    )
    heard = b"".join(
        frame(number, request, [1])
        for number in data.draw(st.lists(st.integers(2, 65_535), max_size=3))
    )
    heard += frame(1, request, values)
    wire = Tcp()
    wire.ask(request)
    got = None
    while heard:
        assert got is None
        cut = data.draw(st.integers(1, len(heard)))
        got, heard = wire.feed(heard[:cut]), heard[cut:]

    assert got == tuple(values)


@given(
    st.lists(
        st.builds(Span, st.integers(1, 2), st.just(3), st.integers(0, 300), st.integers(1, 2)),
        min_size=1, max_size=30,
    ),
    st.integers(0, 30),
)  # fmt: skip
def test_every_value_is_covered_by_one_legal_request(wanted: list[Span], hole_max: int) -> None:
    batches = gather(wanted, hole_max=hole_max)
    answers = {
        batch: tuple(range(batch.register, batch.register + batch.count)) for batch in batches
    }

    assert all(batch.count <= 125 for batch in batches)
    for span in wanted:
        assert words(answers, span) == tuple(range(span.register, span.register + span.count))
