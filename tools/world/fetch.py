"""A charger's small HTTP client: fetches firmware, leaves diagnostics. HTTP/1.1 by hand, as plain
as in a charger: one request a connection, `Content-Length` alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import trio

HttpDial = Callable[[str, int], Awaitable[trio.abc.Stream]]
HEAD_MAX = 16 * 1024
BODY_MAX = 128 * 1024 * 1024


class NotFetched(Exception):
    """The server gave something else than what was asked for."""


async def fetch(url: str, dial: HttpDial, *, begin: int = 0) -> bytes:
    """What is there, from this byte on; raises `NotFetched`, `OSError`."""
    more = f"Range: bytes={begin}-\r\n" if begin else ""
    status, body = await _ask("GET", url, dial, more, b"")
    if status != (206 if begin else 200):
        raise NotFetched(f"HTTP {status}")
    return body


async def leave(url: str, body: bytes, dial: HttpDial) -> None:
    """Put a file there; raises `NotFetched`, `OSError`."""
    status, _ = await _ask("PUT", url, dial, f"Content-Length: {len(body)}\r\n", body)
    if not 200 <= status < 300:
        raise NotFetched(f"HTTP {status}")


async def _ask(
    method: str, url: str, dial: HttpDial, more: str, body: bytes
) -> tuple[int, bytes]:
    where = urlsplit(url)
    host = where.netloc
    head = f"{method} {where.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"
    try:
        async with await dial(where.hostname or "", where.port or 80) as stream:
            await stream.send_all(head.encode("ascii") + body)
            return await _answer(stream)
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise NotFetched("the connection broke") from error


async def _answer(stream: trio.abc.Stream) -> tuple[int, bytes]:
    came = bytearray()
    while b"\r\n\r\n" not in came:
        chunk = await stream.receive_some()
        if not chunk or len(came) > HEAD_MAX:
            raise NotFetched("no answer")
        came += chunk
    head, _, body = bytes(came).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    length = int(fields.get("content-length", "0"))
    rest = bytearray(body)
    while len(rest) < min(length, BODY_MAX):
        chunk = await stream.receive_some()
        if not chunk:
            raise NotFetched(f"expected {length} bytes, got {len(rest)}")
        rest += chunk
    return int(first.split()[1]), bytes(rest)
