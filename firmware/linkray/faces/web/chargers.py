"""The API's routes for one charger's keys and acts, for chargers' firmware and diagnostics."""

from __future__ import annotations

import re
from typing import Protocol

import msgspec
import trio
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp

from linkray.model import asks
from linkray.model.asks import Answer, AnyAsk, Who
from linkray.model.views import FirmwareShelf, Handed

from .handed import OCTETS, Folder
from .near import host_of
from .ports import Call
from .problem import Problem, checked, read
from .table import Act, FirmwareFor, KeyValue

ACT_S = 35.0  # a charger has 30 s to answer (chargers.md, Frames)
KEEP_S = 60.0  # 64 MiB through a hash and onto a slow disk
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")


class _Asks(Protocol):
    """What these routes need of the API."""

    folder: Folder | None

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...


def _folder(api: _Asks) -> Folder:
    if api.folder is None:
        raise Problem(409, "There is nowhere to keep files here")
    return api.folder


class Chargers:
    """The part of the API that asks chargers for something."""

    async def charger_keys(self: _Asks, call: Call) -> ASGIApp:
        ask = asks.ReadConfiguration(call.params["id"])
        return _json(await self._ask(ask, call.asker.who, ACT_S))

    async def change_key(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, KeyValue)
        ask = asks.ChangeKey(call.params["id"], body.key, body.value)
        return _json(await self._ask(ask, call.asker.who, ACT_S))

    async def act_at_charger(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, Act)
        ask = asks.ActAtCharger(
            call.params["id"], body.act, body.connector, body.message, body.when_idle
        )
        return _json(await self._ask(ask, call.asker.who, ACT_S))

    # -- firmware --------------------------------------------------------------------------------

    async def firmware(self: _Asks, call: Call) -> ASGIApp:
        return _json(await self._ask(asks.ReadFirmware(), call.asker.who))

    async def keep_firmware(self: _Asks, call: Call) -> ASGIApp:
        """What cannot be kept is refused before its bytes are read; half a file is none."""
        folder, name = _folder(self), call.params["name"]
        assert call.parts is not None
        told = checked(await self._ask(asks.ReadFirmware(), call.asker.who)).data
        shelf = msgspec.json.decode(told, type=FirmwareShelf)
        if len(shelf.files) >= shelf.files_max:
            words = f"{shelf.files_max} files are held, and no more: delete one first"
            raise Problem(409, words, path="$.name")
        length = call.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > shelf.bytes_max:
            raise Problem(413, f"Expected at most {shelf.bytes_max} bytes, got {length}")
        try:
            folder.uploads.acquire_nowait()
        except trio.WouldBlock:
            raise Problem(409, "Others are uploading: try again when they are through") from None
        try:
            part = await folder.take(call.parts, shelf.bytes_max)
            try:
                ask = asks.KeepFirmware(part, name)
                return _json(await self._ask(ask, call.asker.who, KEEP_S))
            finally:
                await folder.drop(part)
        finally:
            folder.uploads.release()

    async def delete_firmware(self: _Asks, call: Call) -> ASGIApp:
        ask = asks.DeleteFirmware(call.params["name"])
        return _json(await self._ask(ask, call.asker.who))

    async def update_firmware(self: _Asks, call: Call) -> ASGIApp:
        body, port = read(call.body, FirmwareFor), _folder(self).http_port
        host = host_of(call.headers.get("host", "")) or ""
        ask = asks.UpdateFirmware(body.name, body.chargers, host, port)
        return _json(await self._ask(ask, call.asker.who, ACT_S))

    # -- diagnostics -----------------------------------------------------------------------------

    async def diagnostics(self: _Asks, call: Call) -> ASGIApp:
        return _json(await self._ask(asks.ReadDiagnostics(), call.asker.who))

    async def ask_diagnostics(self: _Asks, call: Call) -> ASGIApp:
        host = host_of(call.headers.get("host", "")) or ""
        ask = asks.GetDiagnostics(call.params["id"], host, _folder(self).http_port)
        return _json(await self._ask(ask, call.asker.who, ACT_S))

    async def diagnostics_file(self: _Asks, call: Call) -> ASGIApp:
        folder, charger = _folder(self), call.params["id"]
        answer = checked(await self._ask(asks.OpenDiagnostics(charger), call.asker.who))
        handed = msgspec.json.decode(answer.data, type=Handed)
        ending = _ENDING.search(handed.name)
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", charger)
        name = f"diagnostics-{plain}{ending[0] if ending else '.bin'}"
        headers = {"cache-control": "no-store",
                   "content-disposition": f'attachment; filename="{name}"'}  # fmt: skip
        return FileResponse(folder.file(handed.stored), headers=headers, media_type=OCTETS)


def _json(answer: Answer) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(bytes(checked(answer).data), 200, headers, "application/json")
