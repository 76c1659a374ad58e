"""Files that go to chargers and come from them, on this side of the desk: the folder, and the one
path that chargers may use, by token (chargers.md, Charger firmware; access.md, TLS).

Control decides what a token opens; here is only read and written what it names.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import IO
from urllib.parse import unquote

import msgspec
import structlog
import trio
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from linkray.faces.client import FACES, ControlAway
from linkray.model import asks
from linkray.model.handed import PATH
from linkray.model.views import Handed

from .guard import body_parts, client_of
from .ports import Control
from .problem import Problem, checked

UPLOADS = 2  # people's at once; a third is asked to wait
LEAVING = 8  # chargers' at once
BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})')
OCTETS = "application/octet-stream"

log = structlog.get_logger(source="WEB")


class Folder:
    """The folder of the chargers' files, and where we serve in the clear."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.http_port = 80
        self.uploads = trio.CapacityLimiter(UPLOADS)
        self.leaving = trio.CapacityLimiter(LEAVING)

    def file(self, stored: str) -> Path:
        """A file that control has named; raises 404 for what is no plain name."""
        if not re.fullmatch(r"[a-z]+-[0-9a-f]{16}", stored):
            raise Problem(404, "There is nothing here")
        return self.path / stored

    async def take(self, parts: AsyncGenerator[bytes, None], most: int) -> str:
        """What comes, written under a new name of which control is told; gone where it breaks.

        Raises 413 once there are more than `most` bytes, however many were announced.
        """
        name = f"incoming-{secrets.token_hex(8)}"
        target = self.path / name
        is_whole, came = False, 0
        try:
            file = await trio.to_thread.run_sync(functools.partial(_fresh, target))
            try:
                async with aclosing(parts):
                    async for part in parts:
                        came += len(part)
                        if came > most:
                            raise Problem(413, f"Expected at most {most} bytes")
                        await trio.to_thread.run_sync(file.write, part)
            finally:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(file.close)
            is_whole = True
        except OSError as error:
            raise Problem(409, f"It could not be written down: {error.strerror}") from None
        finally:
            if not is_whole:
                await self.drop(name)
        return name

    async def drop(self, name: str) -> None:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(
                functools.partial((self.path / name).unlink, missing_ok=True)
            )


def _fresh(target: Path) -> IO[bytes]:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(handle, "wb")


class ForChargers:
    """Stands before an application: chargers fetch and leave what their token opens, everything
    else goes on. Whoever has no token that holds learns nothing: 404, whatever is wrong.
    """

    def __init__(self, app: ASGIApp, control: Control, folder: Folder) -> None:
        self._app = app
        self._control = control
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self._app(scope, receive, send)
            return
        answer: ASGIApp
        try:
            answer = await self._answer(scope, receive)
        except Problem as problem:
            answer = Response(problem.detail, problem.status, media_type="text/plain")
        except ControlAway:
            answer = Response("Try again", 503, {"retry-after": "10"}, "text/plain")
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        token, _, name = scope["path"].removeprefix(PATH).partition("/")
        method, source = scope["method"], client_of(scope)
        opened = await self._control.ask(asks.OpenHanded(token[:100], source), FACES)
        if not opened.ok:
            raise Problem(404, "There is nothing here")
        handed = msgspec.json.decode(opened.data, type=Handed)
        if handed.stored and method in {"GET", "HEAD"}:
            log.info("a charger fetches", peer=source, file=handed.name)
            return FileResponse(self._folder.file(handed.stored), media_type=OCTETS)
        if not handed.stored and method in {"PUT", "POST"}:
            return await self._left(token, source, name, handed.bytes_max, scope, receive)
        raise Problem(404, "There is nothing here")

    async def _left(
        self, token: str, source: str, name: str, most: int, scope: Scope, receive: Receive
    ) -> Response:
        """What a charger leaves: a plain body, or the first part of a form."""
        headers = Headers(scope=scope)
        try:
            self._folder.leaving.acquire_nowait()
        except trio.WouldBlock:
            raise Problem(503, "Try again later") from None
        try:
            part = await self._folder.take(body_parts(receive, headers, most), most)
            kind = headers.get("content-type", "")
            if kind.lower().startswith("multipart/form-data") and (found := BOUNDARY.search(kind)):
                work = functools.partial(_unwrap, self._folder.path / part, found[1])
                name = await trio.to_thread.run_sync(work) or name
            ask = asks.KeepDiagnostics(token, source, part, unquote(name))
            try:
                checked(await self._control.ask(ask, FACES))
            finally:
                await self._folder.drop(part)
        finally:
            self._folder.leaving.release()
        log.info("a charger left its diagnostics", peer=source)
        return Response(b"", 201)


def _unwrap(file: Path, boundary: str) -> str:
    """The first part of a form takes the place of the form; its file's name, where it has one."""
    form = file.read_bytes()
    head, _, rest = form.partition(b"\r\n\r\n")
    body, ends, _ = rest.rpartition(f"\r\n--{boundary}".encode())
    first, more, _ = body.partition(f"\r\n--{boundary}\r\n".encode())
    if ends:
        file.write_bytes(first if more else body)
    named = re.search(rb'filename="([^"]{1,100})"', head)
    return named[1].decode("utf-8", "replace") if named else ""
