"""The API's routes for passports: read, export, import, try out anew (chargers.md, Passport)."""

from __future__ import annotations

from typing import Protocol

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.model import asks
from linkray.model.asks import Answer, AnyAsk, Who
from linkray.model.passport import PassportFile

from .ports import Call
from .problem import checked, read
from .table import Done


class _Asks(Protocol):
    """What these routes need of the API."""

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...


class Passports:
    """The part of the API that answers for passports."""

    async def passports(self: _Asks, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.ReadPassports(), call.asker.who))
        return _json(bytes(answer.data))

    async def export_passports(self: _Asks, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.ReadPassports(), call.asker.who))
        name = 'attachment; filename="linkray-passports.json"'
        return _json(
            msgspec.json.format(bytes(answer.data), indent=2), {"content-disposition": name}
        )

    async def import_passports(self: _Asks, call: Call) -> ASGIApp:
        read(call.body, PassportFile)  # what is wrong is told with its path, before control is
        check_only = call.query.get("check") not in {None, "", "0"}
        ask = asks.ImportPassports(msgspec.Raw(call.body), check_only)
        return _done(await self._ask(ask, call.asker.who))

    async def passport(self: _Asks, call: Call) -> ASGIApp:
        ask = asks.ReadPassport(call.params["id"])
        return _json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def probe_again(self: _Asks, call: Call) -> ASGIApp:
        return _done(await self._ask(asks.ProbeAgain(call.params["id"]), call.asker.who))


def _json(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, 200, {"cache-control": "no-store", **(headers or {})}, "application/json")


def _done(answer: Answer) -> Response:
    return _json(msgspec.json.encode(Done(ok=True, text=checked(answer).text)))
