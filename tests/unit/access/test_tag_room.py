"""The room of the list of tags: changes, their audit lines, learn mode (access.md, RFID)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import trio
from tests.unit.model.test_tags import HOSTILE

from linkray.access.learn import LEARN_S, LEARNT_MAX
from linkray.access.task import TagRoom
from linkray.kit.clock import WallClock
from linkray.model.asks import (
    INSTALLER,
    Answer,
    ChangeTags,
    ImportTags,
    ReadLearning,
    ReadRejected,
    ReadTags,
    SetLearning,
    Who,
)
from linkray.model.records import TagRejected
from linkray.model.settings import Access
from linkray.model.tags import TAGS_MAX, Tag
from linkray.model.tagsheet import tag_of
from linkray.store.db import Store, StoreError
from linkray.store.runner import Inline

WHO = Who("Installer", INSTALLER, "10.0.0.7")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ELLEN = Tag("0453F142F97280", "Ellen")
GRAEME = Tag("C42D5E8A", "Graeme")


def imported(rows: tuple[Tag, ...], **how: bool) -> ImportTags:
    return ImportTags(msgspec.Raw(msgspec.json.encode(rows)), **how)


class Place:
    """A store, the room, and a person who asks."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.room = TagRoom(store, WallClock.fixed(NOON), (OSError, StoreError))

    async def ask(self, ask: Any) -> Answer:
        return await self.room.ask(ask, WHO)

    async def said(self, ask: Any) -> Any:
        answer = await self.ask(ask)
        assert answer.ok, answer
        return msgspec.json.decode(answer.data)

    async def learnt(self) -> tuple[int, list[tuple[str, str, str]]]:
        view = await self.said(ReadLearning())
        return view["left_s"], [(t["tag"], t["charger"], t["came"]) for t in view["tags"]]

    async def present(self, *tags: str, charger: str = "CP1") -> None:
        for tag in tags:
            self.room.presented(charger, tag)
        await trio.testing.wait_all_tasks_blocked()

    def listed(self) -> list[str]:
        return [row.tag for row in self.store.tags.find("")]

    async def audited(self, newest: int = 1) -> list[tuple[str, str, str]]:
        return [(x.what, x.old, x.new) for x in await self.store.audit_lines(newest)]


@asynccontextmanager
async def place(*tags: Tag) -> AsyncIterator[Place]:
    store = await Store.open(":memory:", Inline())
    if tags:
        await store.change_tags(tags, (), WHO, "there", "", "")
    here = Place(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.room.run)
        yield here
        nursery.cancel_scope.cancel()
    await store.close()


# -- the list --------------------------------------------------------------------------------------


async def test_tags_are_added_edited_and_deleted_each_with_its_audit_line() -> None:
    async with place() as p:
        added = await p.said(ChangeTags("added", (ELLEN, GRAEME)))
        assert added == {"new": 2, "changed": 0, "same": 0, "gone": 0}
        assert await p.audited() == [(
            "tags added: 2 new, 0 changed, 0 gone", "", "…7280 'Ellen' User; …5E8A 'Graeme' User",
        )]  # fmt: skip

        vip = Tag("0453f142f97280", "Ellen S", "VIP", expires="2027-01-31T17:00:00.000Z")
        edited = await p.said(ChangeTags("edited", (vip,), (ELLEN.tag,)))
        assert edited == {"new": 0, "changed": 1, "same": 0, "gone": 0}
        assert await p.audited() == [(
            "tags edited: 0 new, 1 changed, 0 gone", "…7280 'Ellen' User",
            "…7280 'Ellen S' VIP, until 2027-01-31T17:00:00.000Z",
        )]  # fmt: skip

        await p.said(ChangeTags("edited", (Tag("NEW0001", "Graeme"),), (GRAEME.tag,)))
        assert p.listed() == ["0453f142f97280", "NEW0001"]

        await p.said(ChangeTags("deleted", gone=("new0001",)))
        assert await p.audited() == [
            ("tags deleted: 0 new, 0 changed, 1 gone", "…0001 'Graeme' User", "")
        ]
        await p.said(ChangeTags("cleared", whole=True))
        assert p.listed() == []
        assert (await p.audited())[0][1].startswith("…7280 'Ellen S' VIP")


async def test_what_changes_nothing_is_not_written_down() -> None:
    async with place(ELLEN) as p:
        before = await p.audited()

        assert (await p.said(imported((ELLEN,))))["same"] == 1
        check = imported((GRAEME,), whole=True, check_only=True)
        assert await p.said(check) == {"new": 1, "changed": 0, "same": 0, "gone": 1}
        assert await p.audited() == before
        assert p.listed() == [ELLEN.tag]


async def test_a_tag_that_is_listed_is_not_added_once_more_nor_one_taken_off_that_is_not() -> None:
    async with place(ELLEN, GRAEME) as p:
        again = await p.ask(ChangeTags("added", (Tag("c42d5e8a", "Other"),)))
        over = await p.ask(
            ChangeTags("edited", (Tag("c42d5e8a", "Ellen"),), (ELLEN.tag,))
        )
        twice = await p.ask(ChangeTags("added", (Tag("AA01"), Tag("aa01"))))
        gone = await p.ask(ChangeTags("deleted", gone=("C42D5E8A", "NOBODY")))

        assert [a.code for a in (again, over, twice, gone)] == [
            "refused", "refused", "refused", "unknown",
        ]  # fmt: skip
        assert "C42D5E8A" not in again.text.upper()
        assert p.listed() == [ELLEN.tag, GRAEME.tag]


async def test_an_import_replaces_all_or_adds_and_is_all_or_nothing() -> None:
    async with place(ELLEN) as p:
        many = tuple(Tag(f"T{n:05}", f"name {n}") for n in range(10_000))
        told = await p.said(imported(many))
        assert told == {"new": 10_000, "changed": 0, "same": 0, "gone": 0}
        assert len(p.store.tags) == 10_001
        (line,) = await p.audited()
        assert line[2].endswith("and 9980 more")
        assert len(line[2]) < 2_000

        told = await p.said(imported(many[:2], whole=True))
        assert (told["same"], told["gone"]) == (2, 9_999)
        assert p.listed() == ["T00000", "T00001"]

        for rows in (b"{}", b'[{"tag":""}]', b'[{"tag":"A"},{"tag":"a"}]', b'[{"tag":"\n"}]'):
            bad = await p.ask(ImportTags(msgspec.Raw(rows), whole=True))
            assert (bad.code, len(p.store.tags)) == ("invalid", 2)
        over = tuple(Tag(f"U{n:05}") for n in range(TAGS_MAX))
        refused = await p.ask(imported(over))
        assert (refused.code, len(p.store.tags)) == ("refused", 2)


async def test_the_list_is_read_in_parts_and_a_file_s_parts_meet() -> None:
    async with place(*(Tag(f"T{n:02}", "x" if n % 2 else "y") for n in range(20))) as p:
        page = await p.said(ReadTags(find="X", skip=4, limit=3))
        assert [t["tag"] for t in page["tags"]] == ["T09", "T11", "T13"]
        assert (page["found"], page["total"], page["whitelist"]) == (10, 20, False)

        parts, after = [], ""
        while part := (await p.said(ReadTags(after=after, limit=7)))["tags"]:
            parts += [one["tag"] for one in part]
            after = part[-1]["tag"].casefold()
        assert parts == p.listed()


async def test_refused_tags_stay_in_the_history_once_they_are_listed() -> None:
    async with place() as p:
        at = "2026-11-23T11:00:00.000Z"
        await p.store.commit([TagRejected("C42D5E8A", "CP1", at), TagRejected("X", "CP2", at)])
        await p.said(ChangeTags("added", (Tag("c42d5e8a", "Graeme"),)))

        told = await p.said(ReadRejected())
        assert len((await p.said(ReadRejected(limit=-1)))["tags"]) == 1

        assert [(t["tag"], t["charger"], t["listed"]) for t in told["tags"]] == [
            ("X", "CP2", False), ("C42D5E8A", "CP1", True),
        ]  # fmt: skip


async def test_hostile_names_go_in_and_come_out_as_they_are() -> None:
    rows = tuple(tag_of(f"T{n}", name) for n, name in enumerate(HOSTILE))
    async with place() as p:
        await p.said(ChangeTags("added", rows))

        told = await p.said(ReadTags(limit=1000))

        assert {t["tag"]: t["name"] for t in told["tags"]} == {row.tag: row.name for row in rows}


# -- what a charger may ask ------------------------------------------------------------------------


async def test_a_charger_is_answered_by_the_list_the_settings_and_the_csms_s_word() -> None:
    async with place(Tag("VIP00001", type="VIP"), Tag("OUT00001", allowed=False)) as p:
        settings = msgspec.structs.replace(
            p.store.settings.value, access=Access(whitelist=True, vip=("vip00002",))
        )
        await p.store.change_settings(settings, WHO, "whitelist")

        def said(tag: str) -> tuple[str, bool]:
            decision = p.room.may_charge(tag, emergency=False, by_hand=False)
            return decision.status, decision.vip

        assert said("vip00001") == ("Accepted", True)
        assert said("OUT00001") == ("Blocked", False)
        assert said("VIP00002") == ("Invalid", False)
        assert p.room.is_vip("vip00002")
        assert p.room.is_vip("VIP00001")
        await p.said(ChangeTags("added", (Tag("VIP00002"),)))
        assert said("VIP00002") == ("Accepted", True)  # the settings' own list holds as before


# -- learn mode ------------------------------------------------------------------------------------


async def test_tags_that_are_presented_within_thirty_seconds_are_added_and_it_ends_by_itself() -> (
    None
):
    async with place(GRAEME) as p:
        await p.present("BEFORE")
        began = trio.current_time()
        await p.said(SetLearning(on=True))
        assert await p.audited() == [("learn mode", "", "tags at any charger are added")]
        await p.present("AA01", "aa01", "c42d5e8a")
        await trio.sleep(LEARN_S - 1)
        await p.present("AA02", charger="CP2")
        assert await p.learnt() == (1, [
            ("AA02", "CP2", "added"), ("c42d5e8a", "CP1", "there"), ("AA01", "CP1", "added"),
        ])  # fmt: skip
        await trio.sleep_until(began + LEARN_S)
        await p.present("AFTER")

        assert p.listed() == ["AA01", "AA02", GRAEME.tag]
        left, shown = await p.learnt()
        assert (left, len(shown)) == (0, 3)
        assert await p.audited(2) == [
            ("tag added in learn mode at CP1", "", "… '' User"),
            ("tag added in learn mode at CP2", "", "… '' User"),
        ]
        assert (await p.store.audit_lines(1))[0].who == "Installer"


async def test_tags_are_removed_in_the_same_way_and_at_one_charger_alone_where_it_is_named() -> (
    None
):
    async with place(ELLEN, GRAEME) as p:
        await p.said(SetLearning(on=True, remove=True, charger="CP2"))
        await p.present(ELLEN.tag, charger="CP1")
        await p.present(GRAEME.tag.lower(), "NOBODY", charger="CP2")

        assert p.listed() == [ELLEN.tag]
        assert (await p.learnt())[1] == [("NOBODY", "CP2", "unknown"),
                                         ("c42d5e8a", "CP2", "removed")]  # fmt: skip
        assert await p.audited() == [
            ("tag removed in learn mode at CP2", "…5E8A 'Graeme' User", "")
        ]


async def test_learning_is_ended_by_hand_and_begun_anew_with_an_empty_list() -> None:
    async with place() as p:
        await p.said(SetLearning(on=True))
        await p.present("AA01")
        await p.said(SetLearning(on=False))
        await p.present("AA02")
        assert await p.learnt() == (0, [("AA01", "CP1", "added")])
        assert await p.audited() == [("learn mode", "", "off")]

        await p.said(SetLearning(on=True))
        assert await p.learnt() == (30, [])


async def test_a_flood_of_tags_fills_neither_the_list_nor_the_page() -> None:
    async with place() as p:
        await p.said(SetLearning(on=True))
        for n in range(20):
            await p.present(*(f"F{n:02}{k:02}" for k in range(60)))

        assert len(p.store.tags) == LEARNT_MAX
        assert len((await p.learnt())[1]) == LEARNT_MAX


async def test_what_a_reader_says_strangely_is_shown_and_not_listed() -> None:
    async with place() as p:
        await p.said(SetLearning(on=True))
        await p.present("a\x00b", "x" * 500, "\u2028", "<b>")

        assert p.listed() == ["<b>"]
        assert [came for _t, _c, came in (await p.learnt())[1]] == [
            "added", "refused", "refused", "refused",
        ]  # fmt: skip


async def test_a_full_list_or_a_disk_that_fails_costs_the_tag_and_not_the_room(monkeypatch) -> None:
    async with place() as p:
        await p.said(SetLearning(on=True))
        write = p.store.change_tags

        async def fails(*_args: object) -> None:
            raise StoreError("the disk does not take writes")

        monkeypatch.setattr(p.store, "change_tags", fails)
        await p.present("AA01")
        assert (p.listed(), (await p.learnt())[1]) == ([], [])
        monkeypatch.setattr(p.store, "change_tags", write)
        await p.present("AA01")
        assert p.listed() == ["AA01"]
