"""The API's routes for upkeep: alerts and their history, restarts, the log as a file, the
maintenance report.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.model import asks
from linkray.model.asks import Answer, AnyAsk, Who
from linkray.model.faults import Alert
from linkray.model.views import AlertsRead, Report, SiteView
from linkray.store.logfile import as_database

from . import report
from .ports import Call
from .problem import Problem, checked, read
from .table import Alerts, Done, Level, OfCharger, RestartPart

SHOWN = 100  # alerts at once where nobody asks for more or fewer
ALL = 1_000_000  # more than there ever are
RESET_S = 35.0  # a charger has 30 s to answer
HEAD = ("ID", "Code", "Bit", "Text", "Charger", "Friendly Name", "Raised", "Cleared",
        "Duration [s]", "Times", "Seen by", "Seen at")  # fmt: skip
RISKY = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would reckon with (records.md)


class _Asks(Protocol):
    """What these routes need of the API."""

    _restart: Callable[[], None]

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...
    def _snapshot(self) -> bytes: ...
    def _seen_site(self) -> SiteView | None: ...


class _Names(msgspec.Struct):
    id: str
    name: str = ""


class _Chargers(msgspec.Struct):
    chargers: tuple[_Names, ...]


class Upkeep:
    """The part of the API that answers for upkeep."""

    async def alerts(self: _Asks, call: Call) -> ASGIApp:
        answer = checked(await self._ask(_wanted(call, _limit(call)), call.asker.who))
        return _json(bytes(answer.data))

    async def export_alerts(self: _Asks, call: Call) -> ASGIApp:
        answer = checked(await self._ask(_wanted(call, ALL), call.asker.who))
        found = msgspec.json.decode(answer.data, type=AlertsRead).alerts
        told = msgspec.json.decode(self._snapshot(), type=_Chargers).chargers
        text = table_of(found, {one.id: one.name for one in told})
        return _file(text.encode(), "linkray-alerts.csv", "text/csv; charset=utf-8")

    async def see_alerts(self: _Asks, call: Call) -> ASGIApp:
        return await _done(self, asks.SeeAlerts(read(call.body, Alerts).ids), call)

    async def restarts(self: _Asks, call: Call) -> ASGIApp:
        return _json(bytes(checked(await self._ask(asks.ReadRestarts(), call.asker.who)).data))

    async def restart(self: _Asks, call: Call) -> ASGIApp:
        body = read(call.body, RestartPart)
        done = await _done(self, asks.Restart(body.part, body.when_idle), call)
        if body.part == "web":
            self._restart()
        return done

    async def cancel_restart(self: _Asks, call: Call) -> ASGIApp:
        return await _done(self, asks.CancelRestart(read(call.body, OfCharger).charger), call)

    async def log_level(self: _Asks, call: Call) -> ASGIApp:
        return await _done(self, asks.SetLogLevel(read(call.body, Level).extended), call)

    async def log_file(self: _Asks, call: Call) -> ASGIApp:
        form = call.query.get("form", "text")
        if form not in {"text", "db"}:
            raise Problem(422, f"Expected text or db, got {form[:20]!r}", path="$.form")
        answer = checked(await self._ask(asks.ReadLogFile(), call.asker.who))
        lines = msgspec.json.decode(answer.data, type=tuple[str, ...])
        if form == "db":
            return _file(as_database(lines), "linkray-log.db", "application/vnd.sqlite3")
        text = "".join(f"{line}\n" for line in lines)
        return _file(text.encode(), "linkray.log", "text/plain; charset=utf-8")

    async def maintenance_report(self: _Asks, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.ReadReport(), call.asker.who))
        told = msgspec.json.decode(answer.data, type=Report)
        return await report.printed(call, lambda t: report.page(told, t))


async def _done(api: _Asks, ask: AnyAsk, call: Call) -> ASGIApp:
    answer = checked(await api._ask(ask, call.asker.who, RESET_S))  # noqa: SLF001  # its own part
    return _json(msgspec.json.encode(Done(ok=True, text=answer.text)))


def _wanted(call: Call, limit: int) -> asks.ReadAlerts:
    asked = call.query
    return asks.ReadAlerts(
        text=asked.get("q", "")[:200], code=asked.get("code", ""), charger=asked.get("charger", ""),
        begin=asked.get("from", ""), end=asked.get("to", ""), limit=limit,
        open_only=asked.get("open", "") not in {"", "0"},
    )  # fmt: skip


def _limit(call: Call) -> int:
    given = call.query.get("limit", str(SHOWN))
    if not (given.isascii() and given.isdecimal() and len(given) <= 5):
        raise Problem(422, f"Expected a number of alerts, got {given[:20]!r}", path="$.limit")
    return int(given)


def table_of(alerts: tuple[Alert, ...], names: dict[str, str]) -> str:
    """CSV (RFC 4180) of what the page shows, row by row; times in UTC."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(HEAD)
    for one in alerts:
        rows.writerow(map(harmless, (
            one.id, one.code, one.bit, one.text, one.subject or "",
            names.get(one.subject or "", ""), one.since, one.cleared or "", _seconds(one),
            one.times, one.seen_by, one.seen_at,
        )))  # fmt: skip
    return out.getvalue()


def harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula (records.md, CSV)."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(RISKY) else cell


def _seconds(one: Alert) -> object:
    """How long it stood; empty while it is open."""
    if one.cleared is None:
        return ""
    began, ended = (datetime.fromisoformat(at).astimezone(UTC) for at in (one.since, one.cleared))
    return max(0, int((ended - began).total_seconds()))


def _file(content: bytes, name: str, kind: str) -> Response:
    headers = {"cache-control": "no-store",
               "content-disposition": f'attachment; filename="{name}"'}  # fmt: skip
    return Response(content, 200, headers, kind)


def _json(body: bytes) -> Response:
    return Response(body, 200, {"cache-control": "no-store"}, "application/json")
