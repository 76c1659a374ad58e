"""Two ends of a connection inside one process: what a pair of sockets does, without the system.

Like `trio.testing.memory_stream_pair`, which costs five times as much: a simulated day is mostly
frames. An end that is `polite` gives way to other tasks when it sends, as a socket would.
"""

from __future__ import annotations

import trio


class _OneWay:
    """Bytes under way from one end to the other."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.is_ended = False  # the sender has closed: what is left may be read
        self.is_broken = False  # the receiver has closed: nobody reads any more
        self._came = trio.Event()

    def stir(self) -> None:
        self._came.set()

    async def wait(self) -> None:
        self._came = trio.Event()
        await self._came.wait()


class Pipe(trio.abc.Stream):
    """One end."""

    def __init__(self, incoming: _OneWay, outgoing: _OneWay, *, polite: bool) -> None:
        self._in = incoming
        self._out = outgoing
        self._polite = polite
        self._is_closed = False
        self._receiving = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._polite:
            await trio.lowlevel.checkpoint()
        if self._is_closed:
            raise trio.ClosedResourceError("this end is closed")
        if self._out.is_broken:
            raise trio.BrokenResourceError("the other end is closed")
        self._out.bytes += data
        self._out.stir()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._receiving:
            raise trio.BusyResourceError("another task is receiving here")
        self._receiving = True
        try:
            while not self._is_closed and not self._in.bytes and not self._in.is_ended:
                await self._in.wait()
        finally:
            self._receiving = False
        if self._is_closed:
            raise trio.ClosedResourceError("this end is closed")
        most = len(self._in.bytes) if max_bytes is None else max_bytes
        came = bytes(self._in.bytes[:most])
        del self._in.bytes[:most]
        return came

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._out.is_ended = self._in.is_broken = True
            self._out.stir()
            self._in.stir()
        await trio.lowlevel.checkpoint()


def pipe_pair() -> tuple[Pipe, Pipe]:
    """A hasty end (for who is played) and a polite one (for who is tested)."""
    there, back = _OneWay(), _OneWay()
    return Pipe(back, there, polite=False), Pipe(there, back, polite=True)
