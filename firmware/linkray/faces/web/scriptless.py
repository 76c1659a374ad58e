"""The page without JavaScript (web.md, U23): sign in, how it stands, emergency stop, the log.

It is a client of the API like any other: what a form sends becomes the request that the pages would
send, with the same cookie, origin and token, and goes through the same guard (trust.md A10, A11).
Nothing is decided here. It stands alone: its style is in it, allowed by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
import trio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linkray.kit.log import plain
from linkray.model.units import Phases, amps
from linkray.model.views import ChargerView, OfferView, PlanView, Snapshot

from .guard import CSRF, read_body
from .problem import Problem, not_this_way
from .table import Lines, SessionView

if TYPE_CHECKING:
    from jinja2 import Template

PLACE = "/plain"
FORM = "application/x-www-form-urlencoded"
FORM_BYTES_MAX = 4096
FIELDS_MAX = 5
LOG_LINES = 200
SEEN_S, LOOK_S = 3.0, 0.1  # an emergency stop is shown within a second, and soon looked for
PASSED_ON = frozenset({"host", "cookie", "origin", "sec-fetch-site"})
STYLE = files("linkray.faces.web").joinpath("templates", "plain.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",  # with none at all a form's origin is `null`
}


class Reply(msgspec.Struct, frozen=True):
    """What the API answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def wrong(self) -> str:
        """The sentence of a problem."""
        return "" if self.ok else str(msgspec.json.decode(self.body)["detail"])


class Scriptless:
    """Stands before the API and answers under `/plain`; all else goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._forms = {
            f"{PLACE}/sign-in": self._sign_in, f"{PLACE}/sign-out": self._sign_out,
            f"{PLACE}/stop": self._stop,
        }  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in self._forms and path not in {PLACE, f"{PLACE}/log"}:
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive)
        except Problem as problem:
            answer = problem.response()
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        path, method = scope["path"], scope["method"]
        form = self._forms.get(path)
        if form is None:
            if method not in {"GET", "HEAD"}:
                return not_this_way(method, f"at {path}", {"GET"})
            return await self._page(scope, is_log=path != PLACE)
        if method != "POST":
            return not_this_way(method, f"at {path}", {"POST"})
        return await form(scope, await _fields(scope, receive))

    # -- forms -----------------------------------------------------------------------------------

    async def _sign_in(self, scope: Scope, given: Mapping[str, str]) -> Response:
        body = {"account": given.get("account", ""), "password": given.get("password", "")}
        if given.get("code"):
            body["code"] = given["code"]
        reply = await self._ask(scope, "POST", "/api/v1/session", body)
        return await self._after(scope, reply)

    async def _sign_out(self, scope: Scope, given: Mapping[str, str]) -> Response:
        reply = await self._ask(scope, "DELETE", "/api/v1/session", csrf=given.get("csrf", ""))
        return await self._after(scope, reply)

    async def _stop(self, scope: Scope, given: Mapping[str, str]) -> Response:
        body = {"on": given.get("on") != "0"}
        reply = await self._ask(
            scope, "POST", "/api/v1/emergency-stop", body, csrf=given.get("csrf", "")
        )
        if reply.ok:
            await self._seen(scope, on=bool(body["on"]))
        return await self._after(scope, reply)

    async def _seen(self, scope: Scope, *, on: bool) -> None:
        """Until the state tells of it too: a page asked for now would show the one before."""
        with trio.move_on_after(SEEN_S):
            while (shown := await self._ask(scope, "GET", "/api/v1/snapshot")).ok:
                if msgspec.json.decode(shown.body, type=Snapshot).site.emergency_stop == on:
                    return
                await trio.sleep(LOOK_S)

    async def _after(self, scope: Scope, reply: Reply) -> Response:
        """Done: the page anew, so that a reload sends nothing twice (W5); or the page, and why."""
        if not reply.ok:
            return await self._page(scope, wrong=reply)
        headers = {**HEADERS, "location": PLACE}
        if "set-cookie" in reply.headers:
            headers["set-cookie"] = reply.headers["set-cookie"]
        return Response(b"", 303, headers)

    # -- the page --------------------------------------------------------------------------------

    async def _page(
        self, scope: Scope, *, is_log: bool = False, wrong: Reply | None = None
    ) -> Response:
        who = await self._ask(scope, "GET", "/api/v1/session")
        session = msgspec.json.decode(who.body, type=SessionView)
        shown: dict[str, Any] = {"session": session, "wrong": wrong.wrong if wrong else ""}
        if is_log:
            asked = f"/api/v1/log?lines={LOG_LINES}"
            reply = await self._ask(scope, "GET", asked)
            shown["lines"] = msgspec.json.decode(reply.body, type=Lines).lines if reply.ok else None
        else:
            reply = await self._ask(scope, "GET", "/api/v1/snapshot")
            if reply.ok:
                plan = await self._ask(scope, "GET", "/api/v1/plan")
                shown |= _state(reply.body, plan)
        if session.level and not shown["wrong"]:
            shown["wrong"] = reply.wrong
        html = _template().render(style=STYLE, is_log=is_log, place=PLACE, amps=_phases, **shown)
        status = wrong.status if wrong else 200
        return Response(html.encode(), status, HEADERS, "text/html; charset=utf-8")

    async def _ask(
        self, scope: Scope, method: str, path: str, body: Any = None, *, csrf: str = ""
    ) -> Reply:
        """A request to the API, from whoever sent this one."""
        bare, _, query = path.partition("?")
        headers = [(name, value) for name, value in scope["headers"] if name.decode() in PASSED_ON]
        headers += [(b"content-type", b"application/json"), (CSRF.encode(), csrf.encode())]
        asked = {
            **scope, "method": method, "path": bare, "raw_path": bare.encode(),
            "query_string": query.encode(), "headers": headers,
        }  # fmt: skip
        sent: list[Message] = []

        async def receive() -> Message:
            content = b"" if body is None else msgspec.json.encode(body)
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(asked, receive, send)
        told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        whole = b"".join(message.get("body", b"") for message in sent[1:])
        return Reply(sent[0]["status"], told, whole)


async def _fields(scope: Scope, receive: Receive) -> dict[str, str]:
    """What a form sends; raises `Problem`."""
    headers = Headers(scope=scope)
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != FORM:
        raise Problem(415, f"Expected {FORM}")
    body = await read_body(receive, headers, FORM_BYTES_MAX)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Problem(400, f"Expected a form of at most {FIELDS_MAX} fields") from None
    return dict(pairs)


def _state(snapshot: bytes, plan: Reply) -> dict[str, Any]:
    """What is told of the site and of each connector."""
    shot = msgspec.json.decode(snapshot, type=Snapshot)
    offers = msgspec.json.decode(plan.body, type=PlanView).offers if plan.ok else shot.plan.offers
    why = {(one.charger, one.connector): one for one in offers}
    return {"shot": shot, "site": shot.site, "rows": _rows(shot.chargers, why)}


def _rows(
    chargers: tuple[ChargerView, ...], why: Mapping[tuple[str, int], OfferView]
) -> list[dict[str, Any]]:
    return [
        {"name": charger.name or charger.id, "id": connector.id,
         "status": (connector.status or "unknown") if charger.connected else "not connected",
         "drawn": connector.drawn_ma, "wh": connector.energy_wh,
         "offer": why.get((charger.id, connector.id))}
        for charger in chargers for connector in charger.connectors
    ]  # fmt: skip


def _phases(ma: Phases | None) -> str:
    return "–" if ma is None else " / ".join(map(amps, ma))


@cache
def _template() -> Template:
    """Read and compiled once; jinja2 is only loaded by whoever opens this page."""
    from jinja2 import Environment, StrictUndefined  # 0.1 s on the board

    made = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=_one_line,
    )  # fmt: skip
    return made.from_string(
        files("linkray.faces.web").joinpath("templates", "plain.html").read_text("utf-8")
    )


def _one_line(value: object) -> object:
    """Neither a second line nor a letter that turns the others round."""
    is_text = isinstance(value, str) and not hasattr(value, "__html__")
    return plain(value) if is_text else value
