"""Live data: one snapshot, encoded once, to everybody who watches (Server-Sent Events)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import trio
from starlette.types import Receive, Scope, Send

from linkray.kit.cell import Cell

from .problem import Problem

COMMENT_S = 10.0  # something flows at least this often, so that both ends know the line stands
SEND_S = 15.0  # who has not taken a snapshot for so long has gone
STREAMS_MAX = 64

Alive = Callable[[], Awaitable[bool]]


class _Number(msgspec.Struct):
    seq: int


class Feed:
    """The stream of snapshots as text, shared by all streams."""

    def __init__(self, snapshot: Cell[bytes | None]) -> None:
        self._snapshot = snapshot
        self._held: tuple[int, bytes] = (-1, b"")
        self.streams = 0

    async def next(self, seq: int) -> tuple[int, bytes]:
        """The newest event after `seq`."""
        number, raw = await self._snapshot.wait_newer(seq)
        if number != self._held[0]:
            self._held = (number, _event(raw))
        return self._held

    def stream(self, alive: Alive) -> Stream:
        """A new stream, open while `alive` says so; 503 when there are too many."""
        if self.streams >= STREAMS_MAX:
            raise Problem(503, f"Expected at most {STREAMS_MAX} live streams", retry_s=10)
        return Stream(self, alive)


def _event(raw: bytes | None) -> bytes:
    if raw is None:
        return b"event: away\ndata: {}\n\n"
    seq = msgspec.json.decode(raw, type=_Number).seq
    return b"event: snapshot\nid: %d\ndata: %s\n\n" % (seq, raw)


class Stream:
    """One viewer's stream: an ASGI answer that ends when the viewer or the session does."""

    def __init__(self, feed: Feed, alive: Alive) -> None:
        self._feed = feed
        self._alive = alive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream"),
                    (b"cache-control", b"no-store"),
                ],
            }
        )
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        self._feed.streams += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_wait_gone, receive, nursery.cancel_scope)
                await self._flow(send)
                nursery.cancel_scope.cancel()
        finally:
            self._feed.streams -= 1

    async def _flow(self, send: Send) -> None:
        seq = -1
        while True:
            chunk = b": still here\n\n"
            with trio.move_on_after(COMMENT_S):
                seq, chunk = await self._feed.next(seq)
            over = not await self._alive()
            if over:
                chunk = b"event: ended\ndata: {}\n\n"
            with trio.move_on_after(SEND_S) as limit:
                await send({"type": "http.response.body", "body": chunk, "more_body": not over})
            if over or limit.cancelled_caught:
                return


async def _wait_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
