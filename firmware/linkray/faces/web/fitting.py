"""The API's routes for what an Assembler fits: licence, certificate, brand, meter files, reset."""

from __future__ import annotations

import base64
import re
from typing import Any, Protocol

import msgspec
import trio
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.model import asks
from linkray.model.asks import Answer, AnyAsk, Who
from linkray.model.branding import BrandView
from linkray.model.views import CertificateView

from . import branding, picture
from .brand import sheet
from .ports import Call
from .problem import Problem, checked, read
from .table import BrandChecked, ConfirmLoss, Done, NewCertificate, NewRequest

UPLOAD_S = 30.0  # a certificate's library is read when it is used
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class _Asks(Protocol):
    """What these routes need of the API."""

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...


class Fitting:
    """The part of the API that answers for what is fitted."""

    async def licence(self: _Asks, call: Call) -> ASGIApp:
        return _view(await self._ask(asks.ReadLicence(), call.asker.who))

    async def import_licence(self: _Asks, call: Call) -> ASGIApp:
        ask = asks.ImportLicence(_text(call), _is_check(call))
        return _view(await self._ask(ask, call.asker.who, UPLOAD_S))

    async def certificate(self: _Asks, call: Call) -> ASGIApp:
        return _view(await self._ask(asks.ReadCertificate(), call.asker.who, UPLOAD_S))

    async def certificate_file(self: _Asks, call: Call) -> ASGIApp:
        found = _certificate(await self._ask(asks.ReadCertificate(), call.asker.who, UPLOAD_S))
        return _file(found.pem, "linkray.pem", "application/x-pem-file")

    async def install_certificate(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, NewCertificate)
        ask = asks.InstallCertificate(body.certificate, body.key, _is_check(call))
        return _view(await self._ask(ask, call.asker.who, UPLOAD_S))

    async def drop_certificate(self: _Asks, call: Call) -> ASGIApp:
        return _view(await self._ask(asks.DropCertificate(), call.asker.who, UPLOAD_S))

    async def request_certificate(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, NewRequest)
        ask = asks.RequestCertificate(body.name, body.also, body.organisation)
        return _view(await self._ask(ask, call.asker.who, UPLOAD_S))

    async def certificate_request(self: _Asks, call: Call) -> ASGIApp:
        found = _certificate(await self._ask(asks.ReadCertificate(), call.asker.who, UPLOAD_S))
        if found.request is None:
            raise Problem(404, "No request waits for its certificate")
        return _file(found.request, "linkray.csr", "application/pkcs10")

    async def set_branding(self: _Asks, call: Call) -> ASGIApp:
        made = await _brand(call.body)
        text = "The branding is good; nothing was changed"
        if not _is_check(call):
            answer = await self._ask(asks.SetBranding(made), call.asker.who)
            text = checked(answer).text
        view = BrandView(made.head_text, made.foot_text, None, made.image_px, made.reverse)
        image = base64.b64encode(made.image).decode()
        told = BrandChecked(
            text, view, sheet(made), f"data:image/png;base64,{image}" if image else ""
        )
        return _json(msgspec.json.encode(told))

    async def own_meter(self: _Asks, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.ReadMeterFile(_name(call)), call.asker.who))
        found = msgspec.json.decode(answer.data, type=asks.MeterText)
        name = _UNSAFE.sub("-", found.name).strip("-.") or "own"
        return _file(found.text, f"{name}.meter", "text/plain")

    async def add_meter(self: _Asks, call: Call) -> ASGIApp:
        ask = asks.AddMeterFile(_text(call), _is_check(call))
        return _view(await self._ask(ask, call.asker.who))

    async def delete_meter(self: _Asks, call: Call) -> ASGIApp:
        return _done(await self._ask(asks.DeleteMeterFile(_name(call)), call.asker.who))

    async def factory_reset(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, ConfirmLoss)
        return _done(await self._ask(asks.FactoryReset(body.confirm), call.asker.who))


async def _brand(body: bytes) -> Any:
    """The brand in an upload, its picture drawn anew; 422 with the reason where it is none."""
    try:
        found = await trio.to_thread.run_sync(branding.read, body)
    except branding.BadBranding as error:
        raise Problem(422, str(error), path=error.path) from None
    if not found.image:
        return found.branding
    try:
        png = await picture.redrawn(found.image)
    except picture.BadPicture as error:
        raise Problem(422, f"the picture: {error}", path="$.Navigation.HeadImg") from None
    size = picture.size_of(png)
    return msgspec.structs.replace(found.branding, image=png, image_px=size)


def _is_check(call: Call) -> bool:
    return call.query.get("check") not in {None, "", "0"}


def _name(call: Call) -> str:
    """In the query: names of meters have slashes."""
    return call.query.get("name", "")


def _text(call: Call) -> str:
    try:
        return call.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(422, f"Expected UTF-8 text: {error}") from None


def _certificate(answer: Answer) -> CertificateView:
    return msgspec.json.decode(checked(answer).data, type=CertificateView)


def _view(answer: Answer) -> Response:
    """What was asked for; what came of it in words is in the header `linkray-note`."""
    note = checked(answer).text.encode("ascii", "backslashreplace").decode()
    return _json(bytes(answer.data), {"linkray-note": note} if note else {})


def _json(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, 200, {"cache-control": "no-store", **(headers or {})}, "application/json")


def _done(answer: Answer) -> Response:
    return _json(msgspec.json.encode(Done(ok=True, text=checked(answer).text)))


def _file(text: str, name: str, kind: str) -> Response:
    headers = {"cache-control": "no-store", "content-disposition": f'attachment; filename="{name}"'}
    return Response(text, 200, headers, kind)
