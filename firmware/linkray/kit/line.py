"""Frames on a byte stream: four bytes of length, then JSON. What the desk's socket speaks."""

from __future__ import annotations

import trio

FRAME_BYTES_MAX = 8 * 1024 * 1024  # a settings import of 1,000 chargers is 0.4 MB


class FrameTooLong(ValueError):
    """The peer announced a frame above the limit; the stream cannot be used any more."""


class Framed:
    """A stream of frames. `read` ends with None; one writer at a time is kept in line."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._held = bytearray()
        self._writing = trio.Lock()

    async def read(self) -> bytes | None:
        """The next frame, or None when the peer has closed between two frames."""
        header = await self._take(4)
        if header is None:
            return None
        length = int.from_bytes(header, "big")
        if length > FRAME_BYTES_MAX:
            raise FrameTooLong(f"expected a frame of at most {FRAME_BYTES_MAX} bytes, got {length}")
        return await self._take(length)

    async def _take(self, count: int) -> bytes | None:
        while len(self._held) < count:
            more = await self._stream.receive_some(65536)
            if not more:
                return None
            self._held += more
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    async def write(self, frame: bytes) -> None:
        async with self._writing:
            await self._stream.send_all(len(frame).to_bytes(4, "big") + frame)

    async def aclose(self) -> None:
        await self._stream.aclose()
