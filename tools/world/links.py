"""Wires between simulated peers and what serves them: memory streams, delay, loss, half-open links.

Everything here is a `trio.abc.Stream`, so the same WebSocket and Modbus code runs over it.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from tools.world.pipes import pipe_pair

Dial = Callable[[], Awaitable[trio.abc.Stream]]
Serve = Callable[[trio.abc.Stream], Awaitable[object]]
RETRANSMIT_S = 0.2  # TCP's least: what a lost segment costs
CHUNKS_MAX = 1_000  # on the wire at once; more is back-pressure


class Tap(trio.abc.Stream):
    """A stream that can go dead without being closed, as a pulled cable leaves it."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner
        self.is_dead = False
        self.is_closed = False

    def freeze(self) -> None:
        """Half-open from now on: nothing more arrives, nothing more leaves, nobody is told."""
        self.is_dead = True

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_dead:
            await trio.lowlevel.checkpoint()
            return
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        came = b"" if self.is_dead else bytes(await self._inner.receive_some(max_bytes))
        if self.is_dead:
            await trio.sleep_forever()
        return came

    async def aclose(self) -> None:
        self.is_closed = True
        await self._inner.aclose()


@dataclass
class Link:
    """How a wire behaves: all of it may be changed while it is in use.

    Streams are TCP, so a lost chunk comes later (and holds up those behind it), never not at all.
    """

    chance: random.Random = field(default_factory=lambda: random.Random(0))
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0  # share of chunks that must be sent again
    is_refusing: bool = False  # a dial finds nobody
    is_changing: bool = False  # may get worse while streams are open
    taps: list[Tap] = field(default_factory=list, repr=False)

    def half_open(self) -> None:
        """Every stream now open goes dead without a word; new ones work."""
        for tap in self.taps:
            tap.freeze()
        self.taps.clear()

    def journey_s(self) -> float:
        lost = 0.0
        while self.chance.random() < self.loss:
            lost = max(RETRANSMIT_S, lost * 2)
        return self.delay_s + self.chance.random() * self.jitter_s + lost

    async def carry(self, source: trio.abc.Stream, goal: trio.abc.Stream) -> None:
        """Bytes from one end to the other in order, each as late as the wire makes it."""
        into, out_of = trio.open_memory_channel[tuple[float, bytes]](CHUNKS_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_deliver, out_of, goal)
            last = 0.0
            async with into:
                while data := await _next_chunk(source):
                    last = max(last, trio.current_time() + self.journey_s())
                    await into.send((last, data))

    async def join(self, left: trio.abc.Stream, right: trio.abc.Stream) -> None:
        """Both ways between two ends, until both directions have ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.carry, left, right)
            nursery.start_soon(self.carry, right, left)


async def _next_chunk(source: trio.abc.Stream) -> bytes:
    try:
        return bytes(await source.receive_some(65_536))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return b""


async def _deliver(
    out_of: trio.MemoryReceiveChannel[tuple[float, bytes]], goal: trio.abc.Stream
) -> None:
    async with out_of:
        async for when, data in out_of:
            await trio.sleep_until(when)
            try:
                await goal.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                break
    await trio.aclose_forcefully(goal)


def memory_dial(handler_nursery: trio.Nursery, serve: Serve, link: Link | None = None) -> Dial:
    """A dial in process: each call opens a new stream whose other end `serve` is started on."""
    wire = link or Link()

    async def dial() -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if wire.is_refusing:
            raise OSError("nobody listens there")
        near, far = pipe_pair()
        if wire.is_changing or wire.delay_s or wire.jitter_s or wire.loss:
            middle_near, middle_far = pipe_pair()
            handler_nursery.start_soon(wire.join, far, middle_near)
            far = middle_far
        tap = Tap(near)
        wire.taps = [old for old in wire.taps if not old.is_closed]
        wire.taps.append(tap)
        handler_nursery.start_soon(serve, far)
        return tap

    return dial


def socket_dial(host: str, port: int, tls: ssl.SSLContext | None = None) -> Dial:
    """A dial over TCP, with TLS where a context is given."""

    async def dial() -> trio.abc.Stream:
        stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_hostname=host, https_compatible=True)
        return stream

    return dial
