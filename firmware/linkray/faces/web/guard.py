"""What every request passes before anybody answers it: host, sender, level, origin, size, kind.

Plain ASGI, no re-streaming. `Front` stands before everything, `Guarded` before each API route.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable, Container
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

import structlog
import trio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linkray.kit.log import plain as one_line
from linkray.model.asks import Who

from .near import host_of, is_ours, plain
from .ports import Asker, Call, Door, Session
from .problem import CONFIRM, Problem
from .table import Entry

CERTIFICATE = "linkray.certificate"  # in a scope's state: who tells what TLS has proved
COOKIE = "__Host-linkray"
CSRF = "x-linkray-csrf"
BODY_START_S = 10.0  # trust.md A28: for the first byte, and then 1 KiB/s at least
BODY_BYTES_A_SECOND = 1024
FIELDS_MAX = 20  # of a query
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)  # no HSTS: it would lock people out of a box with a certificate of its own (trust.md A14)

log = structlog.get_logger(source="WEB")

Answerer = Callable[[Call], Awaitable[ASGIApp]]
Refusing = Callable[[int, str], str]  # why a level stays shut to a certificate; empty: it does not
KeyFinder = Callable[[str], Awaitable[tuple[str, int]]]  # raises `Problem`


class Front:
    """Refuses foreign hosts (trust.md A15) and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, names: Container[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                named = {name for name, _value in own}  # a page that stands alone is stricter
                message["headers"] = [*own, *(one for one in HEADERS if one[0] not in named)]
            await send(message)

        hosts = Headers(scope=scope).getlist("host")
        server = (scope.get("server") or ("", 0))[0]
        if len(hosts) != 1 or not is_ours(hosts[0], server, self._names):
            log.warning("foreign host refused", host=one_line(hosts), peer=client_of(scope))
            problem = Problem(421, "Expected this box's own name or address as host")
            await problem.response()(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def client_of(scope: Scope) -> str:
    """The address a request came from, as text."""
    client = scope.get("client")
    address = plain(client[0]) if client else None
    return str(address) if address is not None else ""


def certificate_in(scope: Scope) -> str:
    """SHA-256 of the client certificate that the connection came with, or nothing."""
    shown = scope.get("state", {}).get(CERTIFICATE)
    return str(shown()) if shown is not None else ""


def token_in(headers: Headers) -> str:
    """The session's token in the cookie, or nothing."""
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


class Guarded:
    """One route of the table as an ASGI application."""

    def __init__(self, entry: Entry, answer: Answerer, senders: Senders) -> None:
        self._entry = entry
        self._answer = answer
        self._senders = senders

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp
        try:
            headers = Headers(scope=scope)
            asker = await self._senders.asker(
                headers, client_of(scope), quiet=self._entry.quiet,
                certificate=certificate_in(scope),
            )  # fmt: skip
            allow(self._entry, asker)
            same_site(self._entry, asker, headers)
            sure(self._entry, asker)
            answer = await self._answer(await self._call(scope, receive, headers, asker))
        except Problem as problem:
            answer = problem.response()
        await answer(scope, receive, send)

    async def _call(
        self, scope: Scope, receive: Receive, headers: Headers, asker: Asker
    ) -> Call:
        body, parts = b"", None
        if self._entry.streams:
            right_kind(self._entry, headers, b"?")
            parts = body_parts(receive, headers, self._entry.body_max)
        elif self._entry.method != "GET":
            body = await read_body(receive, headers, self._entry.body_max)
            right_kind(self._entry, headers, body)
        return Call(
            asker=asker,
            source=client_of(scope),
            params={name: str(value) for name, value in scope.get("path_params", {}).items()},
            query=query_of(scope),
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
            parts=parts,
        )


def query_of(scope: Scope) -> dict[str, str]:
    """What stands behind the `?`; no route knows more than one or two names."""
    try:
        text = scope.get("query_string", b"").decode("latin-1")
        return dict(parse_qsl(text, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise Problem(400, f"Expected at most {FIELDS_MAX} fields in the query") from None


def allow(entry: Entry, asker: Asker) -> None:
    """The level of the route, and what a key or a first password may not do at all."""
    if asker.session is not None and asker.session.must_change and not entry.at_first:
        raise Problem(403, "Set a new password first")  # trust.md A1
    if asker.who.level < entry.least:
        if asker.who.level == 0:
            raise Problem(401, "Sign in, or send a key")
        raise Problem(403, f"Expected level {entry.least} or higher, got {asker.who.level}")
    if asker.is_key and entry.people:
        raise Problem(403, "This is for people who sign in, not for keys")
    if asker.is_key and asker.who.level < 2 and entry.method != "GET":
        raise Problem(403, "A key with scope read changes nothing")  # trust.md A9
    if entry.only_first and (asker.session is None or not asker.session.must_change):
        raise Problem(403, "The printed password is replaced already")


def sure(entry: Entry, asker: Asker) -> None:
    """Who may do what is changed by who has just given the password again (web.md, Danger)."""
    if entry.confirmed and not asker.confirmed:
        raise Problem(403, "Give your password again first", kind=CONFIRM)


def same_site(entry: Entry, asker: Asker, headers: Headers) -> None:
    """A write that a browser sends by itself must come from our own page (trust.md A11)."""
    if entry.method == "GET" or asker.is_key:
        return
    origin = headers.get("origin")
    fetched = headers.get("sec-fetch-site")
    if fetched not in {None, "same-origin", "none"}:
        raise Problem(403, "Expected a request of this page, got one of another site")
    if origin is None and not entry.signs_in:
        raise Problem(403, "Expected the header Origin")
    if origin is not None and not _is_own(origin, headers.get("host", "")):
        raise Problem(403, "Expected a request of this page, got one of another origin")
    if entry.signs_in:
        return
    given, session = headers.get(CSRF, "").encode(), asker.session
    if session is None or not hmac.compare_digest(given, session.csrf.encode()):
        raise Problem(403, "Expected the header X-LinkRay-CSRF with this session's token")


def _is_own(origin: str, host: str) -> bool:
    return host_of(host) is not None and origin.lower() == f"https://{host.lower()}"


def right_kind(entry: Entry, headers: Headers, body: bytes) -> None:
    """JSON only, but where the table says otherwise; no body where none is taken."""
    if entry.takes is None or (entry.may_be_empty and not body):
        return
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in entry.media:
        raise Problem(415, f"Expected {' or '.join(entry.media)}, got {kind or 'nothing'!r}")


async def read_body(receive: Receive, headers: Headers, most: int) -> bytes:
    """The whole body; 413 above the route's limit, 408 below 1 KiB/s."""
    body = bytearray()
    async for part in body_parts(receive, headers, most):
        body += part
    return bytes(body)


async def body_parts(
    receive: Receive, headers: Headers, most: int
) -> AsyncGenerator[bytes, None]:
    """The same in parts, for who writes them down as they come."""
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise Problem(413, f"Expected at most {most} bytes, got {length[:20]}")
    came = 0
    began = trio.current_time()
    while True:
        limit = began + BODY_START_S + came / BODY_BYTES_A_SECOND
        message: Message | None = None
        with trio.move_on_at(limit):
            message = await receive()
        if message is None:
            raise Problem(408, f"Expected at least {BODY_BYTES_A_SECOND} bytes a second")
        if message["type"] == "http.disconnect":
            raise Problem(400, "The body broke off")
        part = message.get("body", b"")
        came += len(part)
        if came > most:
            raise Problem(413, f"Expected at most {most} bytes")
        yield part
        if not message.get("more_body", False):
            return


class Senders:
    """Tells who sent a request: by bearer key, else by the session's cookie."""

    def __init__(
        self,
        door: Door,
        find_key: KeyFinder,
        refresh: Callable[[], Awaitable[None]],
        now: Callable[[], float] = trio.current_time,
        refuses: Refusing = lambda _level, _certificate: "",
    ) -> None:
        self._refuses = refuses
        self._door = door
        self._find_key = find_key
        self._refresh = refresh
        self._now = now

    async def asker(
        self, headers: Headers, source: str, *, quiet: bool, certificate: str = ""
    ) -> Asker:
        bearer = headers.get("authorization")
        if bearer is not None:
            scheme, _, key = bearer.partition(" ")
            if scheme.lower() != "bearer":
                raise Problem(401, "Expected Authorization: Bearer with a key")
            name, level = await self._find_key(key.strip())
            return Asker(Who(f"key:{name}", level, source), token=key.strip(), is_key=True)
        token = token_in(headers)
        session: Session | None = None
        if token:
            await self._refresh()
            session = self._door.session(token, self._now(), used=not quiet)
        if session is None or self._refuses(session.level, certificate):
            return Asker(Who("", 0, source, certificate=certificate))
        confirmed = self._door.is_confirmed(token, self._now())
        who = Who(session.account, session.level, source, certificate=certificate)
        return Asker(who, session, token, confirmed=confirmed)


def with_cookie(response: Response, token: str) -> Response:
    """The answer, carrying the session to the browser; no token: taking it away."""
    end = "" if token else "; Max-Age=0"
    response.headers["set-cookie"] = (
        f"{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict{end}"
    )
    return response
