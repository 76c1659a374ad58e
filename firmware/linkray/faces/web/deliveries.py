"""The API's routes for charge data records that are sent."""

from __future__ import annotations

from typing import Protocol

import msgspec
from starlette.types import ASGIApp

from linkray.model import asks
from linkray.model.asks import Answer, AnyAsk, Who

from .ports import Call
from .problem import checked, read
from .table import DeliveryPassword, Done
from .uplinks import json_of

TEST_S = 60.0  # a test is given up after 50 s


class _Asks(Protocol):
    """What these routes need of the API."""

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...


class Deliveries:
    """The part of the API that answers for them."""

    async def delivery(self: _Asks, call: Call) -> ASGIApp:
        return json_of(bytes(checked(await self._ask(asks.ReadDelivery(), call.asker.who)).data))

    async def send_delivery(self: _Asks, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.SendDelivery(), call.asker.who))
        return json_of(msgspec.json.encode(Done(ok=True, text=answer.text)))

    async def test_delivery(self: _Asks, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.TryDelivery(), call.asker.who, TEST_S))
        return json_of(bytes(answer.data))

    async def delivery_password(self: _Asks, call: Call) -> ASGIApp:
        ask = asks.SetDeliveryPassword(read(call.body, DeliveryPassword).password)
        answer = checked(await self._ask(ask, call.asker.who))
        return json_of(msgspec.json.encode(Done(ok=True, text=answer.text)))
