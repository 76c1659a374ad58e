"""The API's routes for people's client certificates, chargers' passwords, the network, neighbours.

What may be asked of whom is decided in control; here secrets are made up, and told once.
"""

from __future__ import annotations

import secrets
from typing import Protocol

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.model import asks
from linkray.model.asks import Answer, AnyAsk, Who
from linkray.model.clients import Clients
from linkray.model.views import ClientsView

from .ports import Call
from .problem import checked, read
from .table import (
    AskCertificate,
    ChargerPassword,
    ChargerPasswordSet,
    Done,
    NewClient,
)

CHARGER_S = 35.0  # a charger has 30 s to answer (chargers.md, Frames)
MAKING_S = 30.0  # the library is read when it is used
PASSWORD_BYTES = 20  # 40 hexadecimal digits: what every reading of AuthorizationKey takes


class _Api(Protocol):
    """What these routes need of the API."""

    _clients: Clients

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...
    async def _read_accounts(self) -> object: ...
    async def _clients_now(self, call: Call) -> Response: ...


class Certified:
    """The part of the API that answers for what connections are proved with."""

    # -- client certificates ---------------------------------------------------------------------

    async def _clients_now(self: _Api, call: Call) -> Response:
        await self._read_accounts()
        now = self._clients
        here = now.shown(call.asker.who.certificate)
        return _json(ClientsView(now.certificates, now.required, here.id if here else ""))

    async def client_certificates(self: _Api, call: Call) -> ASGIApp:
        return await self._clients_now(call)

    async def make_client(self: _Api, call: Call) -> ASGIApp:
        body = read(call.body, NewClient)
        ask = asks.MakeClient(body.name, body.level, body.password, body.days)
        return _view(await self._ask(ask, call.asker.who, MAKING_S))

    async def revoke_client(self: _Api, call: Call) -> ASGIApp:
        checked(await self._ask(asks.RevokeClient(call.params["id"]), call.asker.who))
        return await self._clients_now(call)

    async def remove_clients(self: _Api, call: Call) -> ASGIApp:
        checked(await self._ask(asks.RemoveClients(), call.asker.who))
        return await self._clients_now(call)

    async def require_clients(self: _Api, call: Call) -> ASGIApp:
        body = read(call.body, AskCertificate)
        checked(await self._ask(asks.RequireClients(body.level, body.on), call.asker.who))
        return await self._clients_now(call)

    # -- chargers' links -------------------------------------------------------------------------

    async def charger_links(self: _Api, call: Call) -> ASGIApp:
        return _view(await self._ask(asks.ReadChargerLinks(), call.asker.who))

    async def set_charger_password(self: _Api, call: Call) -> ASGIApp:
        body = read(call.body, ChargerPassword)
        made = "" if body.password else secrets.token_hex(PASSWORD_BYTES)
        ask = asks.SetChargerPassword(call.params["id"], body.password or made, body.tell)
        answer = await self._ask(ask, call.asker.who, CHARGER_S)
        if answer.code in {"timeout", "failed"} and made:  # it may have taken it all the same
            return _json(ChargerPasswordSet(ok=False, text=answer.text, password=made))
        return _json(ChargerPasswordSet(ok=True, text=checked(answer).text, password=made))

    async def remove_charger_password(self: _Api, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.RemoveChargerPassword(call.params["id"]),
                                         call.asker.who))  # fmt: skip
        return _json(Done(ok=True, text=answer.text))

    # -- the network -----------------------------------------------------------------------------

    async def network(self: _Api, call: Call) -> ASGIApp:
        return _view(await self._ask(asks.ReadNetwork(), call.asker.who))

    async def neighbours(self: _Api, call: Call) -> ASGIApp:
        return _view(await self._ask(asks.ReadNeighbours(), call.asker.who))


def _view(answer: Answer) -> Response:
    return Response(
        bytes(checked(answer).data), 200, {"cache-control": "no-store"}, "application/json"
    )


def _json(body: object) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(body), 200, headers, "application/json")
