"""The API's routes for tags: the list, the refused ones, learn mode, the file (access.md, RFID)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import tzinfo
from typing import Protocol

import msgspec
import trio
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.kit.clock import zone_named
from linkray.model import asks, tagsheet
from linkray.model.asks import Answer, AnyAsk, ChangeTags, ImportTags, ReadTags, Who
from linkray.model.tags import Tag, key_of, read_expiry
from linkray.model.tagsheet import HEADER, Sheet, SheetReader, tag_of
from linkray.model.views import SiteView, TagsChanged, TagsRead

from .parts import InParts
from .ports import Call
from .problem import Problem, checked, read
from .table import AddTags, EditTag, Learn, TagsImport, TypedTag
from .table import Tags as TagNames
from .uplinks import number_of

SHOWN = 100  # rows at once where nobody asks for more or fewer
AT_ONCE = 1_000  # rows of the file in one ask
LINES_AT_ONCE = 200  # of an imported file, before others are seen to
IMPORT_S = 30.0
NAMED = 20  # bad lines that one sentence names
ORDERS = ("tag", "name", "type", "expires")


class _Asks(Protocol):
    """What these routes need of the API."""

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...
    def _seen_site(self) -> SiteView | None: ...


class Tags:
    """The part of the API that answers for tags."""

    async def tags(self: _Asks, call: Call) -> ASGIApp:
        order = call.query.get("order", ORDERS[0])
        if order not in ORDERS:
            raise Problem(422, f"Expected {', '.join(ORDERS)}, got {order[:20]!r}", path="$.order")
        ask = msgspec.convert(
            {"ask": "ReadTags", "find": call.query.get("find", ""), "order": order,
             "skip": number_of(call, "skip"), "limit": number_of(call, "limit", SHOWN)},
            ReadTags,
        )  # fmt: skip
        return _json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def add_tags(self: _Asks, call: Call) -> ASGIApp:
        typed, zone = read(call.body, AddTags).tags, zone_of(self._seen_site())
        put = tuple(as_row(one, zone, f"$.tags[{place}]") for place, one in enumerate(typed))
        ask = ChangeTags("added", put)
        return _json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def edit_tag(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, EditTag)
        row = as_row(body.tag, zone_of(self._seen_site()), "$.tag")
        ask = ChangeTags("edited", (row,), (body.was,))
        return _json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def delete_tags(self: _Asks, call: Call) -> ASGIApp:
        ask = ChangeTags("deleted", gone=read(call.body, TagNames).tags)
        return _json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def clear_tags(self: _Asks, call: Call) -> ASGIApp:
        ask = ChangeTags("cleared", whole=True)
        return _json(bytes(checked(await self._ask(ask, call.asker.who, IMPORT_S)).data))

    async def export_tags(self: _Asks, call: Call) -> ASGIApp:
        find = call.query.get("find", "")

        async def part(after: str) -> tuple[Tag, ...]:
            ask = ReadTags(find=find, after=after, limit=AT_ONCE)
            answer = await self._ask(ask, call.asker.who)
            return msgspec.json.decode(checked(answer).data, type=TagsRead).tags

        first = await part("")

        async def lines() -> AsyncGenerator[bytes, None]:
            yield f"{HEADER}\r\n".encode()
            found = first
            while found:
                yield tagsheet.write(found).encode()
                found = await part(key_of(found[-1].tag))

        return InParts("linkray-tags.csv", lines(), "text/csv; charset=utf-8")

    async def import_tags(self: _Asks, call: Call) -> ASGIApp:
        replace = call.query.get("replace") not in {None, "", "0"}
        check_only = call.query.get("check") not in {None, "", "0"}
        sheet = await _read(call.body, zone_of(self._seen_site()))
        if sheet.bad and not check_only:
            raise Problem(422, in_words(sheet))
        if not sheet.tags and not sheet.bad:
            raise Problem(422, f"Expected lines of {HEADER}, got none")
        came = TagsChanged(0, 0, 0, 0)
        if not sheet.bad:
            rows = msgspec.Raw(msgspec.json.encode(sheet.tags))
            ask = ImportTags(rows, whole=replace, check_only=check_only)
            answer = checked(await self._ask(ask, call.asker.who, IMPORT_S))
            came = msgspec.json.decode(answer.data, type=TagsChanged)
        told = TagsImport(
            imported=not check_only, tags=len(sheet.tags), new=came.new, changed=came.changed,
            same=came.same, gone=came.gone, bad=sheet.bad, bad_count=sheet.bad_count,
        )  # fmt: skip
        return _json(msgspec.json.encode(told))

    async def rejected_tags(self: _Asks, call: Call) -> ASGIApp:
        before = number_of(call, "before") if "before" in call.query else None
        ask = asks.ReadRejected(
            call.query.get("find", ""), before, number_of(call, "limit", SHOWN)
        )
        return _json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def learning(self: _Asks, call: Call) -> ASGIApp:
        return _json(bytes(checked(await self._ask(asks.ReadLearning(), call.asker.who)).data))

    async def learn(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, Learn)
        ask = asks.SetLearning(body.on, body.remove, body.charger)
        return _json(bytes(checked(await self._ask(ask, call.asker.who)).data))


async def _read(raw: bytes, zone: tzinfo) -> Sheet:
    """A file, with a look at everybody else in between."""
    reader = SheetReader(raw, zone)
    while reader.take(LINES_AT_ONCE):
        await trio.lowlevel.checkpoint()
    return reader.sheet


def zone_of(site: SiteView | None) -> tzinfo:
    """The site's time zone; 503 while nobody knows it."""
    zone = None if site is None else zone_named(site.time_zone)
    if zone is None:
        raise Problem(503, "LinkRay's control does not answer", retry_s=2)
    return zone


def as_row(typed: TypedTag, zone: tzinfo, path: str) -> Tag:
    """A tag as the list keeps it; 422 with the path of what is wrong."""
    try:
        expires = read_expiry(typed.expires or "", zone)
    except ValueError as error:
        raise Problem(422, str(error), path=f"{path}.expires") from None
    try:
        return tag_of(typed.tag, typed.name, typed.type, typed.allowed, expires)
    except ValueError as error:
        field = "name" if "a name" in str(error) else "tag"
        raise Problem(422, str(error), path=f"{path}.{field}") from None


def in_words(sheet: Sheet) -> str:
    """Why nothing of a file is imported."""
    named = "; ".join(f"line {one.line}: {one.reason}" for one in sheet.bad[:NAMED])
    more = sheet.bad_count - len(sheet.bad[:NAMED])
    return f"Nothing was imported: {named}{f'; and {more} more' if more else ''}"


def _json(body: bytes) -> Response:
    return Response(body, 200, {"cache-control": "no-store"}, "application/json")
