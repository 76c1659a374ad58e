"""Frames on a byte stream: four bytes of length, then JSON. What the desk's socket speaks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

    async def abort(self) -> None:
        """Close at once, whatever is under way: for a peer that does not read."""
        await trio.aclose_forcefully(self._stream)


SOCKET_PATH_MAX = 100  # the kernel takes 107 bytes; longer paths go through /proc/self/fd
BACKLOG = 64


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for `path` that the kernel takes, however deep its folder lies."""
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen_unix(path: Path) -> trio.SocketListener:
    """A Unix socket that only our own user may open; one left behind at `path` is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _short(path) as name, socket.socket(fileno=os.dup(listener.fileno())) as bound:
            bound.bind(name)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return trio.SocketListener(listener)


async def dial_unix(path: Path) -> trio.SocketStream:
    """Connect to a Unix socket; raises `OSError` where nobody listens."""
    dialled = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream: trio.SocketStream | None = None
    try:
        with _short(path) as name:
            await dialled.connect(name)
        stream = trio.SocketStream(dialled)
        return stream
    finally:
        if stream is None:
            dialled.close()
