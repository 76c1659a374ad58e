"""The API's routes for the audit log: a page of it, whether its chain holds, a file of it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.kit.clock import stamp
from linkray.store.audit import PAGE_MAX, AuditEntry, AuditPage, AuditQuery

from .history import History
from .parts import InParts
from .ports import Call
from .problem import Problem
from .uplinks import number_of

SHOWN = 100  # lines at once where nobody asks for more or fewer
TEXT_MAX = 200
COLUMNS = ("number", "time", "who", "level", "from", "what", "old", "new", "event",
           "hash")  # fmt: skip
FORMULA = re.compile(r"^[=+\-@\t\r]")  # records.md, CSV: what a spreadsheet would work out


class _Api(Protocol):
    """What these routes need of the API."""

    _history: History


class Trail:
    """The part of the API that shows who did what."""

    async def audit(self: _Api, call: Call) -> ASGIApp:
        return _json(await self._history.audit_page(_query(call)))

    async def audit_chain(self: _Api, _call: Call) -> ASGIApp:
        return _json(await self._history.audit_chain())

    async def export_audit(self: _Api, call: Call) -> ASGIApp:
        kind = call.query.get("format", "csv")
        if kind not in {"csv", "json"}:
            raise Problem(422, f"Expected csv or json, got {kind[:20]!r}", path="$.format")
        past = self._history
        query = msgspec.structs.replace(_query(call), limit=PAGE_MAX)
        first = await past.audit_page(query)  # what cannot be read is told before a file begins
        if kind == "json":
            return InParts("linkray-audit.json", _as_json(past, query, first))
        parts = _as_csv(past, query, first)
        return InParts("linkray-audit.csv", parts, "text/csv; charset=utf-8")


async def _pages(
    past: History, query: AuditQuery, first: AuditPage
) -> AsyncGenerator[tuple[AuditEntry, ...], None]:
    page = first
    while page.lines:
        yield page.lines
        page = await past.audit_page(msgspec.structs.replace(query, before=page.lines[-1].seq))


async def _as_csv(
    past: History, query: AuditQuery, first: AuditPage
) -> AsyncGenerator[bytes, None]:
    yield _rows([COLUMNS])
    async for lines in _pages(past, query, first):
        yield _rows([
            (one.seq, one.at, one.who, one.level, one.source, one.what, one.old, one.new,
             one.event, one.hash)
            for one in lines
        ])  # fmt: skip


def _rows(rows: list[tuple[object, ...]]) -> bytes:
    """RFC 4180; a cell that a spreadsheet would work out is quoted with an apostrophe (A18)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


async def _as_json(
    past: History, query: AuditQuery, first: AuditPage
) -> AsyncGenerator[bytes, None]:
    between = b"[\n"
    async for lines in _pages(past, query, first):
        for one in lines:
            yield between + msgspec.json.encode(one)
            between = b",\n"
    yield b"\n]\n" if between == b",\n" else b"[]\n"


def _query(call: Call) -> AuditQuery:
    """What stands behind the `?`; 422 with the name of what is wrong."""
    before = number_of(call, "before")
    return AuditQuery(
        who=_text(call, "who"), what=_text(call, "what"), text=_text(call, "text"),
        since=_time(call, "since"), until=_time(call, "until"),
        before=before or None, limit=number_of(call, "limit", SHOWN),
    )  # fmt: skip


def _text(call: Call, name: str) -> str:
    given = call.query.get(name, "").strip()
    if len(given) > TEXT_MAX:
        raise Problem(422, f"Expected at most {TEXT_MAX} characters", path=f"$.{name}")
    return given


def _time(call: Call, name: str) -> str:
    given = call.query.get(name, "")
    if not given:
        return ""
    with suppress(ValueError, OverflowError):
        when = datetime.fromisoformat(given)
        if when.tzinfo is not None:
            return stamp(when)
    raise Problem(422, f"Expected a time such as 2026-11-23T08:00:00Z, got {given[:40]!r}",
                  path=f"$.{name}")  # fmt: skip


def _json(body: object) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(body), 200, headers, "application/json")
