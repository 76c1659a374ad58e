"""The room that keeps the list of tags: its changes, learn mode, and what a charger may ask of it.

A charger that asks whether a tag may charge waits for nothing here (house.md, Waiting).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
import structlog
import trio

from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock, stamp
from linkray.model.asks import (
    Answer,
    ChangeTags,
    ImportTags,
    ReadLearning,
    ReadRejected,
    ReadTags,
    SetLearning,
    Who,
)
from linkray.model.plain import in_plain
from linkray.model.settings import Settings
from linkray.model.tags import TAGS_MAX, Decision, Tag, key_of, last_four
from linkray.model.views import RejectedRead, RejectedTag, TagsChanged, TagsRead

from .learn import Change, Learning
from .tags import is_vip, may_charge

TAG_KNOWN = timedelta(days=30)  # csms.md, Offline
PRESENTED_MAX = 64  # that wait to be learnt
READ_MAX = 1_000  # rows in one answer: the desk's frame is 8 MiB
SAID_MAX = 20  # rows that an audit line tells one by one
ROWS_AT_ONCE = 500  # of an import

TagAsk = ReadTags | ChangeTags | ImportTags | ReadRejected | ReadLearning | SetLearning
TAG_ASKS = (ReadTags, ChangeTags, ImportTags, ReadRejected, ReadLearning, SetLearning)

log = structlog.get_logger(source="TAGS")


class Rows(Protocol):
    """The list in memory (`store.tags.TagList`)."""

    def __len__(self) -> int: ...
    def get(self, tag: str) -> Tag | None: ...
    def of_key(self, key: str) -> Tag | None: ...
    def keys(self) -> list[str]: ...
    def find(self, text: str, order: Any = "tag") -> list[Tag]: ...
    def after(self, text: str, key: str, limit: int) -> list[Tag]: ...


class TagStore(Protocol):
    """What this room needs of the store."""

    @property
    def tags(self) -> Rows: ...
    @property
    def settings(self) -> Cell[Settings]: ...
    def accepted(self, tag: str) -> str | None: ...
    async def audit(self, who: Who, what: str, old: str = "", new: str = "") -> None: ...
    async def change_tags(
        self, put: Sequence[Tag], gone: Sequence[str], who: Who, what: str, old: str, new: str
    ) -> None: ...
    async def rejected(
        self, find: str, before: int | None, limit: int
    ) -> tuple[tuple[RejectedTag, ...], int]: ...


class TagRoom:
    """`failures`: the disk's, of which a tag that is learnt is not the place to die."""

    def __init__(
        self, store: TagStore, clock: WallClock, failures: tuple[type[Exception], ...] = (OSError,)
    ) -> None:
        self._store = store
        self._clock = clock
        self._failures = failures
        self._changing = trio.Lock()  # the list is looked at and changed by one at a time
        self._learning = Learning(store.tags.get)
        self._put, self._presented = trio.open_memory_channel[tuple[str, str]](PRESENTED_MAX)

    # -- for the chargers ------------------------------------------------------------------------

    def may_charge(self, tag: str, *, emergency: bool, by_hand: bool) -> Decision:
        """Whether a tag may charge now, by the newest settings and the list."""
        utc = self._clock.utc()
        return may_charge(
            tag, settings=self._store.settings.value, emergency=emergency, utc=utc,
            by_hand=by_hand, row=self._store.tags.get(tag),
            csms_accepted=self._csms_accepted(tag, utc),
        )  # fmt: skip

    def _csms_accepted(self, tag: str, utc: datetime) -> bool:
        at = self._store.accepted(tag)
        return at is not None and at >= stamp(utc - TAG_KNOWN)

    def is_vip(self, tag: str) -> bool:
        """Whether a session that this tag begins is high priority."""
        row = self._store.tags.get(tag)
        return is_vip(tag, self._store.settings.value, row, self._clock.utc())

    def presented(self, charger: str, tag: str) -> None:
        """A tag was held to a charger's reader; taken in without waiting, where one learns."""
        if self._learning.is_on(trio.current_time()):
            try:
                self._put.send_nowait((charger, tag))
            except trio.WouldBlock:
                log.warning("tag not learnt", peer=charger, cause="too many at once")

    async def run(self) -> None:
        """Learn what is presented. Never ends."""
        while True:
            charger, tag = await self._presented.receive()
            await self._learn(charger, tag)

    async def _learn(self, charger: str, tag: str) -> None:
        async with self._changing:
            at, now = self._clock.stamp(), trio.current_time()
            change = self._learning.feed(charger, tag, at, now)
            if change is None:
                return
            if not change.remove and len(self._store.tags) >= TAGS_MAX:
                self._learning.failed(change)
                log.warning("tag not learnt", peer=charger, cause=f"the list has {TAGS_MAX}")
                return
            try:
                await self._take(change, charger)
            except self._failures as error:
                self._learning.failed(change)
                log.warning("tag not learnt", peer=charger, cause=str(error))

    async def _take(self, change: Change, charger: str) -> None:
        row = change.tag
        put, gone = ((), (key_of(row.tag),)) if change.remove else ((row,), ())
        came = "removed" if change.remove else "added"
        log.info("tag learnt", tag=last_four(row.tag), peer=charger, action=came)
        said = _said([row])
        old, new = (said, "") if change.remove else ("", said)
        await self._store.change_tags(
            put, gone, change.who, f"tag {came} in learn mode at {charger}", old, new
        )

    # -- for people ------------------------------------------------------------------------------

    async def ask(self, ask: TagAsk, who: Who) -> Answer:
        """What a person asks; who may, is decided before."""
        match ask:
            case ReadTags():
                return _yes(self._read(ask))
            case ChangeTags():
                async with self._changing:
                    return await self._change(ask, who)
            case ImportTags():
                async with self._changing:
                    return await self._import(ask, who)
            case ReadRejected(find, before, limit):
                limit = min(max(limit, 1), READ_MAX)
                found, count = await self._store.rejected(find, before, limit)
                listed = self._store.tags.get
                shown = tuple(
                    msgspec.structs.replace(one, listed=listed(one.tag) is not None)
                    for one in found
                )
                return _yes(RejectedRead(shown, count))
            case SetLearning():
                return await self._set_learning(ask, who)
            case ReadLearning():
                return _yes(self._learning.view(trio.current_time()))

    def _read(self, ask: ReadTags) -> TagsRead:
        rows, access = self._store.tags, self._store.settings.value.access
        limit = min(max(ask.limit, 1), READ_MAX)
        if ask.after is not None:
            found = rows.after(ask.find, ask.after, limit)
            return TagsRead(tuple(found), len(found), len(rows), access.whitelist,
                            access.open_confirmed)  # fmt: skip
        found = rows.find(ask.find, ask.order)
        skip = max(ask.skip, 0)
        return TagsRead(tuple(found[skip : skip + limit]), len(found), len(rows), access.whitelist,
                        access.open_confirmed)  # fmt: skip

    async def _set_learning(self, ask: SetLearning, who: Who) -> Answer:
        if ask.on:
            does = "removed" if ask.remove else "added"
            where = ask.charger or "any charger"
            await self._store.audit(who, "learn mode", new=f"tags at {where} are {does}")
        else:
            await self._store.audit(who, "learn mode", new="off")
        self._learning.set(ask, who, trio.current_time())
        return _yes(self._learning.view(trio.current_time()))

    async def _change(self, ask: ChangeTags, who: Who) -> Answer:
        rows = self._store.tags
        unknown = next((tag for tag in ask.gone if rows.get(tag) is None), None)
        if unknown is not None:
            return _no("unknown", f"Expected a tag of the list, got {last_four(unknown)}")
        gone = set(rows.keys()) if ask.whole else {key_of(tag) for tag in ask.gone}
        fresh: dict[str, Tag] = {}
        for one in ask.put:  # nobody loses a row by one that is thought to be new
            key = key_of(one.tag)
            if key in fresh or (key not in gone and rows.of_key(key) is not None):
                return _no("refused", f"{last_four(one.tag)} is on the list already", "$.tag")
            fresh[key] = one
        return await self._put_down(ask.what, fresh, gone, who)

    async def _import(self, ask: ImportTags, who: Who) -> Answer:
        """Some rows at a time: the balancer has its turn in between."""
        fresh: dict[str, Tag] = {}
        try:
            came = msgspec.json.decode(ask.rows, type=list[msgspec.Raw])
            for place in range(0, len(came), ROWS_AT_ONCE):
                for raw in came[place : place + ROWS_AT_ONCE]:
                    one = msgspec.json.decode(raw, type=Tag)
                    fresh[key_of(one.tag)] = one
                await trio.lowlevel.checkpoint()
        except msgspec.MsgspecError as error:
            return _no("invalid", in_plain(error), "$.rows")
        if len(fresh) < len(came):
            return _no("invalid", "Expected each tag once", "$.rows")
        gone = set(self._store.tags.keys()) if ask.whole else set()
        return await self._put_down("imported", fresh, gone, who, check_only=ask.check_only)

    async def _put_down(
        self, what: str, fresh: dict[str, Tag], gone: set[str], who: Who, *,
        check_only: bool = False,
    ) -> Answer:  # fmt: skip
        """What it comes to, and unless it is only asked for, done: these keys go, those come."""
        rows = self._store.tags
        old = {key: row for key in fresh if (row := rows.of_key(key)) is not None}
        left = [key for key in gone if key not in fresh]
        if len(rows) - len(left) + len(fresh) - len(old) > TAGS_MAX:
            return _no("refused", f"Expected at most {TAGS_MAX} tags in all")
        put = {key: row for key, row in fresh.items() if old.get(key) != row}
        new = len(fresh) - len(old)
        came = TagsChanged(new, len(put) - new, len(fresh) - len(put), len(left))
        if not check_only and (put or left):
            was = [row for key in (*left, *put) if (row := rows.of_key(key)) is not None]
            fresh_rows = list(put.values())
            await self._store.change_tags(
                fresh_rows, left, who, f"tags {what}: {_figures(came)}", _said(was),
                _said(fresh_rows),
            )  # fmt: skip
        return _yes(came)


def _figures(came: TagsChanged) -> str:
    return f"{came.new} new, {came.changed} changed, {came.gone} gone"


def _said(rows: Iterable[Tag]) -> str:
    """Rows for the audit log, of each tag its last four."""
    rows = list(rows)
    words = [
        f"{last_four(row.tag)} {row.name!r} {row.type}{'' if row.allowed else ', not allowed'}"
        f"{f', until {row.expires}' if row.expires else ''}"
        for row in rows[:SAID_MAX]
    ]
    more = [f"and {len(rows) - SAID_MAX} more"] if len(rows) > SAID_MAX else []
    return "; ".join([*words, *more])


def _yes(data: object) -> Answer:
    return Answer(True, data=msgspec.Raw(msgspec.json.encode(data)))


def _no(code: str, text: str, path: str | None = None) -> Answer:
    data = msgspec.Raw(msgspec.json.encode({"path": path})) if path else msgspec.Raw(b"null")
    return Answer(False, code, text, data)
