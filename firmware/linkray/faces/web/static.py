"""The application's files, held in memory: fixed types, precompressed, hashed names kept for ever.

Looked up by exact path, so there is no path to climb out of.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .problem import Problem, not_this_way

HASHED = re.compile(r"-(?:[A-Z2-7]{8}|[0-9a-f]{10})\.[a-z0-9]+$")  # app-3QXKDJ2L.js
INDEX = "/index.html"
TYPES = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8", "json": "application/json", "svg": "image/svg+xml",
    "png": "image/png", "ico": "image/x-icon", "woff2": "font/woff2", "txt": "text/plain",
    "webmanifest": "application/manifest+json", "map": "application/json",
}  # fmt: skip
METHODS = ("GET", "HEAD")
FOREVER = "public, max-age=31536000, immutable"
ALWAYS_ASK = "no-cache"


class File(msgspec.Struct, frozen=True):
    """A file as it is served, in every encoding there is."""

    kind: str
    etag: str
    immutable: bool
    encodings: dict[str, bytes]  # "br", "gzip", "identity"


def file_of(path: str, content: bytes, encoded: Mapping[str, bytes]) -> File | None:
    """A file under its path, or None where its type is none we serve."""
    kind = TYPES.get(path.rpartition(".")[2])
    if kind is None:
        return None
    etag = '"' + hashlib.sha256(content).hexdigest()[:20] + '"'
    encodings = {"identity": content, **encoded}
    return File(kind, etag, HASHED.search(path) is not None, encodings)


class Static:
    """Serves the files; every other path is a page of the application, which index.html draws."""

    def __init__(
        self, files: Mapping[str, File], brand: Callable[[str], File | None] = lambda _path: None
    ) -> None:
        self._files = files
        self._brand = brand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.answer(scope)(scope, receive, send)

    def answer(self, scope: Scope) -> Response:
        path: str = scope["path"]
        if path.startswith("/api/"):
            return Problem(404, "There is no such route; see /api/v1/openapi.json").response()
        if scope["method"] not in METHODS:
            return not_this_way(scope["method"], "at a page", METHODS)
        file = self._files.get(path) or self._brand(path)
        if file is None and "." not in path.rpartition("/")[2]:
            file = self._files.get(INDEX)
        if file is None:
            return Problem(404, "There is no such file").response()
        headers = Headers(scope=scope)
        out = {
            "etag": file.etag,
            "cache-control": FOREVER if file.immutable else ALWAYS_ASK,
            "vary": "accept-encoding",
        }
        if headers.get("if-none-match") == file.etag:
            return Response(b"", 304, out)
        encoding = _best(headers.get("accept-encoding", ""), file.encodings)
        if encoding != "identity":
            out["content-encoding"] = encoding
        return Response(file.encodings[encoding], 200, out, file.kind)


def _best(accepted: str, there: Mapping[str, bytes]) -> str:
    """The smallest form that the browser says it reads."""
    wanted = {part.partition(";")[0].strip(): part for part in accepted.lower().split(",")}
    for encoding in ("br", "gzip"):
        part = wanted.get(encoding)
        refused = part is not None and re.search(r"q=0(\.0*)?$", part.replace(" ", ""))
        if encoding in there and part is not None and not refused:
            return encoding
    return "identity"
