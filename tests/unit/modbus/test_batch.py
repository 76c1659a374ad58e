"""Few requests: what lies close together is read at once, nothing is cut, nothing is lost."""

from __future__ import annotations

from linkray.modbus.batch import Span, gather, has_holes, words
from linkray.modbus.wire import Request


def spans(*registers: int, unit: int = 1, count: int = 2) -> list[Span]:
    return [Span(unit, 3, register, count) for register in registers]


def test_registers_side_by_side_are_one_request() -> None:
    assert gather(spans(12, 14, 16)) == (Request(1, 3, 12, 6),)


def test_a_short_hole_is_read_over_and_a_long_one_is_not() -> None:
    assert gather(spans(0, 26)) == (Request(1, 3, 0, 28),)
    assert gather(spans(0, 27)) == (Request(1, 3, 0, 2), Request(1, 3, 27, 2))


def test_a_meter_that_refuses_holes_is_asked_without() -> None:
    assert gather(spans(0, 2, 6), hole_max=0) == (Request(1, 3, 0, 4), Request(1, 3, 6, 2))


def test_no_request_is_longer_than_125_registers_and_no_value_is_cut() -> None:
    requests = gather(spans(*range(0, 400, 2)))

    assert all(request.count <= 125 for request in requests)
    assert sum(request.count for request in requests) == 400
    assert all(request.count % 2 == 0 for request in requests)


def test_units_and_commands_are_never_mixed() -> None:
    mixed = [Span(2, 3, 0, 2), Span(1, 3, 2, 2), Span(1, 4, 4, 2)]

    assert len(gather(mixed)) == 3


def test_overlapping_values_are_read_once() -> None:
    assert gather([Span(1, 3, 5, 2), Span(1, 3, 6, 2), Span(1, 3, 5, 1)]) == (Request(1, 3, 5, 3),)


def test_each_value_is_found_in_the_answers() -> None:
    wanted = spans(0, 10, 40)
    answers = {
        request: tuple(range(request.register, request.register + request.count))
        for request in gather(wanted)
    }

    assert [words(answers, span) for span in wanted] == [(0, 1), (10, 11), (40, 41)]
    assert words(answers, Span(2, 3, 0, 2)) is None


def test_a_hole_is_what_no_value_asks_for() -> None:
    assert has_holes(Request(1, 3, 0, 4), spans(0, 3, count=1))
    assert not has_holes(Request(1, 3, 0, 4), spans(0, 2))
