"""Tags through the whole firmware: the list, expiry, Admin, learn mode (access.md, RFID)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import trio
from tools.simulator.scene import HERE, Scene, hungry, scene, single, site

from linkray.kit.clock import stamp
from linkray.model.asks import ChangeTags, ReadLearning, ReadRejected, SetLearning
from linkray.model.settings import Access, Settings
from linkray.model.tags import Tag

C = [single("C1"), single("C2", turn_tags=True)]
WHITELIST = Access(whitelist=True)


def guarded(*tags: Tag, **more: Any) -> Settings:
    return msgspec.structs.replace(site(40, *C, **more), access=WHITELIST)


async def linked(s: Scene) -> None:
    await s.until(lambda: all(c.value.connected for c in s.house.views.values()), 30)


async def put(s: Scene, *tags: Tag) -> None:
    assert (await s.ask(ChangeTags("added", tags))).ok


async def hold(s: Scene, tag: str, charger: str = "C1") -> None:
    s.world.charger(charger).present_tag(tag)
    await trio.sleep(3)


async def running(s: Scene) -> list[str]:
    return [t.tag for t in await s.store.running()]


async def read(s: Scene, ask: Any) -> Any:
    answer = await s.ask(ask)
    assert answer.ok, answer
    return msgspec.json.decode(answer.data)


async def test_an_admin_tag_ends_another_s_session_and_charges_nothing_itself() -> None:
    async with scene(guarded()) as s:
        await put(s, Tag("GUEST001"), Tag("BOSS0001", "Boss", "Admin"))
        s.world.charger("C1").plug(hungry())
        await hold(s, "guest001")
        await s.until(lambda: s.offers_a("C1") == [32], 60, lambda: s.offers_a("C1"))
        assert await running(s) == ["guest001"]

        s.world.charger("C1").present_other_tag("boss0001")
        await trio.sleep(10)

        assert await running(s) == []
        (last,) = await s.store.recent("C1", 1)
        assert (last.reason, last.authorised_by) == ("AdminTag", "whitelist")
        await hold(s, "boss0001")
        await trio.sleep(10)
        assert await running(s) == []
        assert (await read(s, ReadRejected()))["tags"] == []
        s.is_safe()


async def test_a_tag_that_was_refused_is_listed_with_a_name_and_charges_then() -> None:
    async with scene(guarded()) as s:
        s.world.charger("C1").plug(hungry())
        await hold(s, "0453f142f97280")
        assert await running(s) == []
        (refused,) = (await read(s, ReadRejected()))["tags"]
        assert (refused["tag"], refused["charger"], refused["listed"]) == (
            "0453f142f97280", "C1", False,
        )  # fmt: skip

        await put(s, Tag(refused["tag"].upper(), "Ellen"))
        await hold(s, "0453f142f97280")

        assert await running(s) == ["0453f142f97280"]
        assert [t["listed"] for t in (await read(s, ReadRejected()))["tags"]] == [True]
        s.is_safe()


async def test_a_tag_charges_to_the_second_of_its_expiry_and_what_runs_goes_on() -> None:
    async with scene(guarded()) as s:
        ends = s.wall.utc() + timedelta(seconds=60)
        await put(s, Tag("GUEST001", expires=stamp(ends)))
        s.world.charger("C1").plug(hungry())
        await hold(s, "GUEST001")
        assert await running(s) == ["GUEST001"]
        await trio.sleep(90)
        assert await running(s) == ["GUEST001"]

        s.world.charger("C2").plug(hungry())
        await hold(s, "010000AT", "C2")  # no bytes: it stays as it is
        await hold(s, "GUEST001", "C2")

        assert await running(s) == ["GUEST001"]
        s.is_safe()


async def test_a_vip_of_the_list_is_served_first_also_where_the_reader_turns_the_bytes() -> None:
    async with scene(guarded(new_chargers="ask")) as s:
        await put(s, Tag("C42D5E8A", type="VIP"))
        s.world.charger("C2").plug(hungry())
        await hold(s, "8a5e2dc4", "C2")
        await s.until(lambda: s.offers_a("C2") == [32], 60, lambda: s.offers_a("C2"))
        assert s.offer("C2").high
        await s.restart()
        await s.until(lambda: s.offers_a("C2") == [32], 120, lambda: s.offers_a("C2"))
        assert s.offer("C2").high
        s.is_safe()


async def test_learn_mode_takes_the_tags_of_thirty_seconds_through_the_whole_house() -> None:
    async with scene(guarded()) as s:
        await linked(s)
        began = trio.current_time()
        await read(s, SetLearning(on=True))
        await hold(s, "C42D5E8A")
        await hold(s, "8A5E2DC4", "C2")  # the same, by its other reader
        await hold(s, "0453F142F97280", "C2")
        view = await read(s, ReadLearning())
        assert 15 < view["left_s"] <= 30 - 3
        assert {(t["tag"], t["charger"]) for t in view["tags"]} == {
            ("C42D5E8A", "C1"), ("8072F942F15304", "C2"),
        }  # fmt: skip
        await trio.sleep_until(began + 31)
        await hold(s, "LATE0001")

        assert (await read(s, ReadLearning()))["left_s"] == 0
        assert [row.tag for row in s.store.tags.find("")] == ["8072F942F15304", "C42D5E8A"]
        learnt = [x for x in await s.store.audit_lines(20) if "learn mode at" in x.what]
        assert [(x.who, x.new[:5]) for x in learnt] == [(HERE.name, "…5E8A"), (HERE.name, "…5304")]
        s.world.charger("C1").plug(hungry())
        await hold(s, "c42d5e8a")
        assert await running(s) == ["c42d5e8a"]
        s.is_safe()


async def test_no_whole_tag_stands_in_what_leaves_the_box() -> None:
    async with scene(guarded()) as s:
        await linked(s)
        await read(s, SetLearning(on=True))
        await hold(s, "C42D5E8A")
        await put(s, Tag("GUEST001"))
        await s.ask(ChangeTags("added", (Tag("GUEST001"),)))
        await s.ask(ChangeTags("deleted", gone=("GUEST002",)))
        await hold(s, "GUEST003", "C2")
        told = "\n".join(s.house.ring.lines)
        told += repr(await s.store.audit_lines(50))

        for tag in ("C42D5E8A", "GUEST001", "GUEST002", "GUEST003"):
            assert tag not in told
        assert "…5E8A" in told
