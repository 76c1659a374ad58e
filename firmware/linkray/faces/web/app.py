"""The web application put together: front, routes of the table, the application's files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from .api import Api
from .guard import Front, Guarded, Senders
from .near import host_of, is_ours
from .ports import Door
from .problem import Problem, not_this_way
from .scriptless import Scriptless
from .static import File, Static
from .table import TABLE, Entry, check


def build_app(
    api: Api,
    door: Door,
    files: Mapping[str, File],
    names: Container[str],
    table: tuple[Entry, ...] = TABLE,
    brand: Callable[[str], File | None] = lambda _path: None,
) -> ASGIApp:
    """The application; raises `BadTable` where a route may not be served as it stands."""
    check(table, api)
    senders = Senders(door, api.find_key, api.refresh, refuses=api.refuses)
    routes = [
        Route(
            entry.path.replace(":int", ""),  # read by `api`: a number of 5,000 digits is none
            Guarded(entry, getattr(api, entry.answer), senders),
            methods=[entry.method],
        )
        for entry in table
    ]
    router = Router(routes, redirect_slashes=False, default=Static(files, brand))
    return Front(Scriptless(_Problems(router, routes)), names)


class _Problems:
    """What Starlette refuses by itself (a method that a path does not have), said our way."""

    def __init__(self, app: ASGIApp, routes: Collection[Route]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # then a route raises instead of answering in plain text
        try:
            await self._app(scope, receive, send)
        except HTTPException:
            await self._refused(scope)(scope, receive, send)

    def _refused(self, scope: Scope) -> Response:
        """All methods of the path: Starlette names those of the first route alone."""
        here = [route for route in self._routes if route.matches(scope)[0] is not Match.NONE]
        methods = {method for route in here for method in route.methods or ()}
        return not_this_way(scope["method"], f"at {here[0].path}", methods)


class Redirect:
    """Plain HTTP: sends people on to HTTPS and does nothing else (access.md, TLS)."""

    def __init__(self, https_port: int, names: Container[str]) -> None:
        self._https_port = https_port
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await self.answer(scope)(scope, receive, send)

    def answer(self, scope: Scope) -> Response:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        server = (scope.get("server") or ("", 0))[0]
        if len(hosts) != 1 or not is_ours(hosts[0], server, self._names):
            return Problem(421, "Expected this box's own name or address as host").response()
        host = host_of(hosts[0]) or ""
        shown = f"[{host}]" if ":" in host else host
        port = "" if self._https_port == 443 else f":{self._https_port}"
        path = scope.get("raw_path", b"/").decode("latin-1")
        query = scope.get("query_string", b"").decode("latin-1")
        target = f"https://{shown}{port}/{path.lstrip('/')}" + (f"?{query}" if query else "")
        return Response(b"", 308, {"location": target})
