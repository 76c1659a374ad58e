"""The two ends of a connection in one process, against the pair that Trio itself ships."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from tools.world.pipes import pipe_pair
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

PAIRS = pytest.mark.parametrize("pair", [pipe_pair, memory_stream_pair])
Pair = Callable[[], tuple[Any, Any]]


@PAIRS
async def test_bytes_come_in_order_and_in_the_pieces_asked_for(pair: Pair) -> None:
    left, right = pair()
    await left.send_all(b"first ")
    await left.send_all(b"second")

    assert await right.receive_some(4) == b"firs"
    assert await right.receive_some(100) == b"t second"
    await right.send_all(b"back")
    assert await left.receive_some(100) == b"back"


@PAIRS
async def test_who_waits_is_woken_by_what_comes(pair: Pair) -> None:
    left, right = pair()
    heard: list[bytes] = []

    async def hear() -> None:
        heard.append(bytes(await right.receive_some(100)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear)
        await wait_all_tasks_blocked()
        assert heard == []
        await left.send_all(b"now")

    assert heard == [b"now"]


@PAIRS
async def test_a_closed_end_is_an_end_for_the_reader_and_a_break_for_the_writer(
    pair: Pair,
) -> None:
    left, right = pair()
    await left.send_all(b"last words")
    await left.aclose()

    assert await right.receive_some(100) == b"last words"
    assert await right.receive_some(100) == b""
    with pytest.raises(trio.BrokenResourceError):
        await right.send_all(b"anybody?")
    with pytest.raises(trio.ClosedResourceError):
        await left.send_all(b"me")
    with pytest.raises(trio.ClosedResourceError):
        await left.receive_some(100)


@PAIRS
async def test_closing_wakes_who_waits_on_either_end(pair: Pair) -> None:
    left, right = pair()
    ends: list[str] = []

    async def hear(end: Any, name: str) -> None:
        try:
            ends.append(f"{name} {bytes(await end.receive_some(10))!r}")
        except trio.ClosedResourceError:
            ends.append(f"{name} closed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear, left, "left")
        nursery.start_soon(hear, right, "right")
        await wait_all_tasks_blocked()
        await trio.aclose_forcefully(left)

    assert sorted(ends) == ["left closed", "right b''"]


@PAIRS
async def test_two_readers_of_one_end_are_a_mistake(pair: Pair) -> None:
    _left, right = pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(right.receive_some, 10)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await right.receive_some(10)
        nursery.cancel_scope.cancel()
