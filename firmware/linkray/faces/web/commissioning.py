"""The API's route for the commissioning report: asks for all that it tells, and makes the page."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec
from starlette.types import ASGIApp

from linkray.faces.client import FACES
from linkray.model import asks
from linkray.model.asks import Account, Answer, AnyAsk, Who
from linkray.model.settings import Settings
from linkray.model.views import (
    CeilingView,
    CommissioningCheck,
    CommissioningWalk,
    LicenceView,
    Report,
    TagsRead,
)

from . import handover, report
from .ports import Call
from .problem import checked

T = TypeVar("T")


class _Asks(Protocol):
    """What this route needs of the API."""

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...
    async def _read_accounts(self) -> tuple[Account, ...]: ...


class _InForce(msgspec.Struct):
    settings: Settings


class Commissioning:
    """The part of the API that hands over."""

    async def commissioning_report(self: _Asks, call: Call) -> ASGIApp:
        who = call.asker.who

        async def told(ask: AnyAsk, kind: type[T]) -> T:
            answer = checked(await self._ask(ask, who))
            return msgspec.json.decode(answer.data, type=kind)

        # of a licence an installer may know its number; the file itself is the Assembler's
        licence = checked(await self._ask(asks.ReadLicence(), FACES)).data

        accounts = await self._read_accounts()
        handed = handover.Handover(
            told=await told(asks.ReadReport(), Report),
            settings=(await told(asks.ReadSettings(), _InForce)).settings,
            walk=await told(asks.ReadWalk(), CommissioningWalk),
            check=await told(asks.CheckCommissioning(), CommissioningCheck),
            ceiling=await told(asks.ReadCeiling(), CeilingView),
            licence=msgspec.json.decode(licence, type=LicenceView | None),
            tags=await told(asks.ReadTags(limit=1), TagsRead),
            accounts={one.name: bool(one.hash) for one in accounts},
        )
        return await report.printed(call, lambda t: handover.page(handed, t))
