"""The API's routes for the uplinks: how they stand, trying out, passwords, what was set aside, and
the OCPP log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, cast, get_args

import msgspec
import trio
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from linkray.model import asks
from linkray.model.asks import Answer, AnyAsk, Who
from linkray.model.views import SetAsideMessage, Way

from .ports import Call
from .problem import Problem, checked, read
from .table import Done, LetGo, OfCharger, TryCsms, UplinkPassword

FRAMES = 200  # shown at once where nobody asks for more or fewer
TRY_S = 50.0  # name, TCP, TLS and WebSocket have 40 s together
LET_GO_S = 40.0  # a month of messages, so many at once
SEND_S = 15.0  # who has not taken a part for so long has gone
NUMBER_DIGITS_MAX = 18


class _Asks(Protocol):
    """What these routes need of the API."""

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...
    def _snapshot(self) -> bytes: ...


class _Links(msgspec.Struct):
    uplinks: msgspec.Raw


class File:
    """A file in parts as they are made: it may be longer than what anybody should hold at once."""

    def __init__(
        self, name: str, parts: AsyncIterator[bytes], media: str = "application/json"
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
            async for part in self._parts:
                with trio.move_on_after(SEND_S) as limit:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                if limit.cancelled_caught:
                    return
        await send({"type": "http.response.body", "body": b""})


class Uplinks:
    """The part of the API that answers for the uplinks."""

    async def uplinks(self: _Asks, _call: Call) -> ASGIApp:
        return _json(bytes(msgspec.json.decode(self._snapshot(), type=_Links).uplinks))

    async def try_csms(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, TryCsms)
        ask = asks.TryUplink(body.url, body.prefix, body.charger, body.ca, body.password)
        return _json(bytes(checked(await self._ask(ask, call.asker.who, TRY_S)).data))

    async def uplink_password(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, UplinkPassword)
        ask = asks.SetUplinkPassword(body.charger, body.password)
        answer = checked(await self._ask(ask, call.asker.who))
        return _json(msgspec.json.encode(Done(ok=True, text=answer.text)))

    async def set_aside(self: _Asks, call: Call) -> ASGIApp:
        after = number_of(call, "after")
        answer = checked(await self._ask(asks.ReadSetAside(after), call.asker.who))
        return _json(bytes(answer.data))

    async def say_again(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, OfCharger)
        answer = checked(await self._ask(asks.SayAgain(body.charger), call.asker.who))
        return _json(msgspec.json.encode(Done(ok=True, text=answer.text)))

    async def remove_aside(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, OfCharger)
        answer = checked(await self._ask(asks.RemoveSetAside(body.charger), call.asker.who))
        return _json(msgspec.json.encode(Done(ok=True, text=answer.text)))

    async def export_set_aside(self: _Asks, call: Call) -> ASGIApp:
        async def part(after: int) -> list[SetAsideMessage]:
            answer = await self._ask(asks.ReadSetAside(after), call.asker.who)
            return msgspec.json.decode(checked(answer).data, type=list[SetAsideMessage])

        return File("linkray-set-aside.json", _lines(await part(0), part))

    async def queues(self: _Asks, call: Call) -> ASGIApp:
        return _json(bytes(checked(await self._ask(asks.ReadQueues(), call.asker.who)).data))

    async def export_queue(self: _Asks, call: Call) -> ASGIApp:
        csms = call.query.get("csms", "")

        async def part(after: int) -> list[SetAsideMessage]:
            answer = await self._ask(asks.ReadQueue(csms, after), call.asker.who)
            return msgspec.json.decode(checked(answer).data, type=list[SetAsideMessage])

        return File("linkray-kept-for-csms.json", _lines(await part(0), part))

    async def let_queue_go(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, LetGo)
        ask = asks.LetQueueGo(body.csms, body.through)
        answer = checked(await self._ask(ask, call.asker.who, LET_GO_S))
        return _json(msgspec.json.encode(Done(ok=True, text=answer.text)))

    async def ocpp_log(self: _Asks, call: Call) -> ASGIApp:
        ways = tuple(filter(None, call.query.get("way", "").split(",")))
        unknown = set(ways) - set(get_args(Way))
        if unknown:
            raise Problem(422, f"Expected in, out, up or down, got {min(unknown)[:20]!r}",
                          path="$.way")  # fmt: skip
        ask = asks.ReadFrames(
            number_of(call, "after"), number_of(call, "limit", FRAMES),
            call.query.get("charger", ""), cast("tuple[Way, ...]", ways),
        )  # fmt: skip
        return _json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def ocpp_file(self: _Asks, call: Call) -> ASGIApp:
        given = call.params["number"]
        if not (given.isascii() and given.isdecimal() and len(given) == 1):
            raise Problem(404, f"Expected the number of a file, got {given[:20]!r}")
        answer = checked(await self._ask(asks.ReadFrameFile(int(given)), call.asker.who))
        file = msgspec.json.decode(answer.data, type=asks.FrameFile)
        headers = {"cache-control": "no-store",
                   "content-disposition": f'attachment; filename="{file.name}.log"'}  # fmt: skip
        return Response(file.content, 200, headers, "text/plain; charset=utf-8")


async def _lines(
    found: list[SetAsideMessage], part: Callable[[int], Awaitable[list[SetAsideMessage]]]
) -> AsyncIterator[bytes]:
    """As many at once as go through the desk; one that fails leaves no good file."""
    between = b"[\n"
    while found:
        for one in found:
            yield between + msgspec.json.encode(one)
            between = b",\n"
        found = await part(found[-1].number)
    yield b"\n]\n" if between == b",\n" else b"[]\n"


def number_of(call: Call, name: str, otherwise: int = 0) -> int:
    """A number of the query; 422 for what is none."""
    given = call.query.get(name, str(otherwise))
    if not (given.isascii() and given.isdecimal() and len(given) <= NUMBER_DIGITS_MAX):
        raise Problem(422, f"Expected a number, got {given[:20]!r}", path=f"$.{name}")
    return int(given)


def _json(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, 200, {"cache-control": "no-store", **(headers or {})}, "application/json")
