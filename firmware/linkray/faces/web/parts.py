"""A file that is sent in parts as they are made."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import trio
from starlette.types import Receive, Scope, Send

SEND_S = 15.0  # who has not taken a part for so long has gone


class InParts:
    """It may be longer than what anybody should hold at once."""

    def __init__(
        self, name: str, parts: AsyncGenerator[bytes, None], media: str = "application/json"
    ) -> None:
        self._name = name
        self._parts = parts
        self._media = media

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", self._media.encode()), (b"cache-control", b"no-store"),
            (b"content-disposition", f'attachment; filename="{self._name}"'.encode()),
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            async with aclosing(self._parts) as parts:
                async for part in parts:
                    with trio.move_on_after(SEND_S) as limit:
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                    if limit.cancelled_caught:
                        return
        await send({"type": "http.response.body", "body": b""})
