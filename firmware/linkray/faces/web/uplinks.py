"""The API's routes for the uplinks: how they stand, trying out, passwords, what was set aside, and
the OCPP log.
"""

from __future__ import annotations

from typing import Protocol, cast, get_args

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.model import asks
from linkray.model.asks import Answer, AnyAsk, Who
from linkray.model.views import SetAsideMessage, Way

from .ports import Call
from .problem import Problem, checked, read
from .table import Done, TryCsms, UplinkPassword

FRAMES = 200  # shown at once where nobody asks for more or fewer
TRY_S = 50.0  # name, TCP, TLS and WebSocket have 40 s together
NUMBER_DIGITS_MAX = 18


class _Asks(Protocol):
    """What these routes need of the API."""

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...
    def _snapshot(self) -> bytes: ...


class _Links(msgspec.Struct):
    uplinks: msgspec.Raw


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

    async def export_set_aside(self: _Asks, call: Call) -> ASGIApp:
        found: list[SetAsideMessage] = []
        while True:  # as many at once as go through the desk
            after = found[-1].number if found else 0
            answer = checked(await self._ask(asks.ReadSetAside(after), call.asker.who))
            more = msgspec.json.decode(answer.data, type=list[SetAsideMessage])
            if not more:
                break
            found += more
        name = 'attachment; filename="linkray-set-aside.json"'
        text = msgspec.json.format(msgspec.json.encode(found), indent=2)
        return _json(text, {"content-disposition": name})


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


def number_of(call: Call, name: str, otherwise: int = 0) -> int:
    """A number of the query; 422 for what is none."""
    given = call.query.get(name, str(otherwise))
    if not (given.isascii() and given.isdecimal() and len(given) <= NUMBER_DIGITS_MAX):
        raise Problem(422, f"Expected a number, got {given[:20]!r}", path=f"$.{name}")
    return int(given)


def _json(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, 200, {"cache-control": "no-store", **(headers or {})}, "application/json")
