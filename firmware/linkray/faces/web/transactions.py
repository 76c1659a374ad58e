"""The API's routes for kept sessions: one query for the list and for every file (web.md A10)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Protocol, TypeVar, cast, get_args

import msgspec
from starlette.types import ASGIApp

from linkray.kit.clock import WallClock, stamp, zone_named
from linkray.model.sessions import (
    Choices,
    Column,
    FileKind,
    OfSite,
    Order,
    Range,
    Selection,
    SessionDetail,
    SessionPage,
)
from linkray.store.reader import Reader

from .history import History
from .parts import InParts
from .ports import Books, Call, Writer
from .problem import Problem
from .uplinks import json_of, number_of

ROWS, ROWS_MAX = 100, 500  # of a page
PART = 1_000  # sessions that are read and written at once
FILES_MAX = 4  # at once
TEXT_MAX = 100  # characters of a filter
NMI_ORDER = (Order("charger", descending=False), Order("started", descending=False))
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
DECIMALS = {"point": ".", "comma": ","}
NAMES = {"csv": "transactions", "nem12": "nem12", "cdr": "charge-data-records"}
CSV = "text/csv; charset=utf-8"

T = TypeVar("T")


class _Has(Protocol):
    """What these routes need of the API."""

    _books: Books
    _history: History
    _clock: WallClock
    files_open: int


Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Key(msgspec.Struct, array_like=True):
    """Behind which row a page begins, and the moment at which the first one was asked for."""

    now: str
    at: str | Int64
    id: Int64


class Transactions:
    """The part of the API that answers for kept sessions."""

    files_open = 0  # that are being sent

    async def transactions(self: _Has, call: Call) -> ASGIApp:
        order = Order(
            _one_of(call, "sort", cast("tuple[Column, ...]", get_args(Column)), "started"),
            descending=not _is_on(call, "ascending"),
        )
        limit = min(ROWS_MAX, max(1, number_of(call, "limit", ROWS)))
        after = _key_of(call.query.get("after", ""))
        now = self._clock.utc() if after is None else datetime.fromisoformat(after.now)
        site, zone = await _site(self._history)
        which = selection(call, self._books, now, zone)
        behind = None if after is None else (after.at, after.id)
        rows, following, sums = await self._history.read(
            lambda reader: reader.sessions(which, order, limit, behind)
        )
        following_ = None if following is None else _text_of(_Key(which.now, *following))
        page = SessionPage(
            tuple(rows), following_, sums, which.since, which.until, site.time_zone
        )
        return json_of(msgspec.json.encode(page))

    async def transaction(self: _Has, call: Call) -> ASGIApp:
        given = call.params["transaction"]
        if not (given.isascii() and given.isdecimal() and len(given) <= 18):
            raise Problem(404, f"Expected the number of a transaction, got {given[:20]!r}")
        now = stamp(self._clock.utc())
        found, pauses = await self._history.read(
            lambda reader: (
                reader.measured([int(given)], now, samples=True), reader.pauses(int(given))
            )
        )  # fmt: skip
        if not found:
            raise Problem(404, f"There is no transaction {given}")
        one = found[0]
        detail = SessionDetail(
            one.row, one.meter_start_wh, one.meter_start_wh + one.row.energy_wh,
            self._books.quarters(one), pauses,
        )  # fmt: skip
        return json_of(msgspec.json.encode(detail))

    async def export_transactions(self: _Has, call: Call) -> ASGIApp:
        kind = _one_of(call, "format", cast("tuple[FileKind, ...]", get_args(FileKind)), "csv")
        choices = choices_of(call)
        now = self._clock.utc()
        if self.files_open >= FILES_MAX:
            raise Problem(429, "Others are being sent their files; try again", retry_s=10)
        site, zone = await _site(self._history)
        which = selection(call, self._books, now, zone)
        column = _one_of(call, "sort", cast("tuple[Column, ...]", get_args(Column)), "started")
        order = Order(column, descending=not _is_on(call, "ascending"))
        orders = NMI_ORDER if kind == "nem12" else (order,)
        ids, chargers = await self._history.read(
            lambda reader: (reader.session_ids(which, *orders), reader.chargers())
        )
        writer = self._books.writer(kind, choices, site, zone, now, chargers)

        async def parts() -> AsyncGenerator[bytes, None]:
            self.files_open += 1
            try:
                yield writer.begin().encode()
                for at in range(0, len(ids), PART):
                    wanted = ids[at : at + PART]
                    yield await self._history.read(
                        lambda reader: _part(reader, writer, wanted, which.now)  # noqa: B023
                    )
                yield writer.end().encode()
            finally:
                self.files_open -= 1

        span = "".join(f"-{t[:10]}" for t in (which.since, which.until) if t)
        return InParts(f"linkray-{NAMES[kind]}{span}.csv", parts(), CSV)


def _part(reader: Reader, writer: Writer, wanted: object, now: str) -> bytes:
    """A piece of a file, read and written in the reader's thread."""
    ids = cast("list[int]", wanted)
    found = reader.measured(ids, now, samples=writer.needs_samples)
    return writer.add(found).encode("utf-8", "replace")


async def _site(history: History) -> tuple[OfSite, tzinfo]:
    def read(reader: Reader) -> OfSite:
        settings = reader.settings()
        return OfSite(
            settings.site.time_zone,
            {one.id: one.phases for one in settings.chargers},
            {one.id: one.nmi for one in settings.chargers if one.nmi},
        )

    site = await history.read(read)
    return site, zone_named(site.time_zone) or UTC


def selection(call: Call, books: Books, now: datetime, zone: tzinfo) -> Selection:
    """The filter as the query has it: `range`, or `since` and `until` in the site's time zone."""
    span: tuple[str | None, str | None]
    if "range" in call.query:
        names = cast("tuple[Range, ...]", get_args(Range))
        span = books.span(_one_of(call, "range", names, "all"), now, zone)
    else:
        span = (_moment(call, "since", books, zone), _moment(call, "until", books, zone))
    number = call.query.get("transaction", "").strip()
    return Selection(
        now=stamp(now),
        since=span[0],
        until=span[1],
        tag=_text(call, "tag"),
        charger=_text(call, "charger"),
        transaction=number_of(call, "transaction") if number else None,
        words=_text(call, "words"),
    )


def choices_of(call: Call) -> Choices:
    """How a file is to be written; 422 for what no file is written with."""
    market = call.query.get("market", "+10:00").replace(" ", "+")  # what a bare + in a query says
    try:
        offset = datetime.strptime(market, "%z").utcoffset()
    except ValueError:
        offset = None
    minutes = -1 if offset is None else int(offset.total_seconds()) // 60
    if offset is None or minutes % 15:
        raise Problem(422, f"Expected a time zone as +10:00, got {market[:20]!r}", path="$.market")
    return Choices(
        separator=SEPARATORS[_one_of(call, "separator", tuple(SEPARATORS), "comma")],
        decimal=DECIMALS[_one_of(call, "decimal", tuple(DECIMALS), "point")],
        bom=_is_on(call, "bom"),
        minutes=int(_one_of(call, "minutes", ("5", "15", "30"), "15")),
        market_offset_min=minutes,
    )


def _one_of(call: Call, name: str, known: tuple[T, ...], otherwise: T) -> T:
    given = call.query.get(name, otherwise)
    for one in known:
        if one == given:
            return one
    told = ", ".join(str(one) for one in known)
    raise Problem(422, f"Expected {told}; got {str(given)[:20]!r}", path=f"$.{name}")


def _is_on(call: Call, name: str) -> bool:
    return call.query.get(name, "0") not in {"", "0"}


def _text(call: Call, name: str) -> str:
    """A filter as it was typed; 422 for one longer than anything it could be in."""
    given = call.query.get(name, "").strip()
    if len(given) > TEXT_MAX:
        raise Problem(422, f"Expected at most {TEXT_MAX} characters", path=f"$.{name}")
    return given


def _moment(call: Call, name: str, books: Books, zone: tzinfo) -> str | None:
    given = call.query.get(name, "").strip()
    if not given:
        return None
    try:
        return books.moment(given, zone, is_end=name == "until")
    except ValueError as error:
        raise Problem(422, str(error), path=f"$.{name}") from None


def _text_of(key: _Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _key_of(text: str) -> _Key | None:
    """The key in `after`; 422 for what this API did not give."""
    if not text:
        return None
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)),
                                  type=_Key)  # fmt: skip
        is_ours = datetime.fromisoformat(key.now).tzinfo is not None
    except (ValueError, binascii.Error, msgspec.DecodeError):
        is_ours = False
    if not is_ours:
        raise Problem(422, "Expected `next` of the page before", path="$.after")
    return key
