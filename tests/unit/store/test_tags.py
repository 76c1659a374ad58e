"""The list of tags on disk and in memory, and the history of refused ones (access.md, RFID)."""

from __future__ import annotations

from pathlib import Path

from linkray.model.asks import INSTALLER, Who
from linkray.model.records import TagRejected
from linkray.model.settings import Access
from linkray.model.tags import Tag, key_of
from linkray.store.db import Store
from linkray.store.runner import Inline

WHO = Who("Installer", INSTALLER, "10.0.0.7")
ELLEN = Tag("0453F142F97280", "Ellen", "VIP", expires="2027-01-31T17:00:00.000Z")
GRAEME = Tag("C42D5E8A", "Graeme", allowed=False)
AT = "2026-11-23T10:00:00.000Z"


async def opened(path: Path | str = ":memory:") -> Store:
    return await Store.open(path, Inline())


async def test_the_list_is_there_again_after_a_restart(tmp_path: Path) -> None:
    store = await opened(tmp_path / "linkray.db")
    await store.change_tags([ELLEN, GRAEME], (), WHO, "tags added", "", "…7280, …5E8A")
    await store.close()

    again = await opened(tmp_path / "linkray.db")

    assert again.tags.find("") == [ELLEN, GRAEME]
    assert again.tags.get("0453f142F97280 ") == ELLEN
    assert again.tags.get("0453F142F97281") is None
    await again.close()


async def test_a_change_stands_in_the_audit_log_in_the_same_commit() -> None:
    store = await opened()
    commits = store.commits

    await store.change_tags([ELLEN], (), WHO, "tags added", "", "…7280 'Ellen'")
    await store.change_tags([], [key_of(ELLEN.tag)], WHO, "tags deleted", "…7280 'Ellen'", "")

    added, gone = await store.audit_lines(2)
    assert (added.what, added.who, added.source, added.new) == (
        "tags added", "Installer", "10.0.0.7", "…7280 'Ellen'",
    )  # fmt: skip
    assert (gone.what, gone.old) == ("tags deleted", "…7280 'Ellen'")
    assert store.commits == commits + 2
    assert len(store.tags) == 0
    await store.close()


async def test_the_audit_log_tells_of_the_settings_tags_their_last_four() -> None:
    store = await opened()
    settings = store.settings.value
    from_now = type(settings)(access=Access(vip=("0453F142F97280", "1234")))

    await store.change_settings(from_now, WHO, "settings")

    (line,) = await store.audit_lines(1)
    assert "…7280" in line.new
    assert "0453F142F97280" not in line.new + line.old
    assert "1234" not in line.new
    await store.close()


async def test_the_list_is_found_by_a_part_of_tag_or_name_and_ordered() -> None:
    store = await opened()
    rows = [ELLEN, GRAEME, Tag("ff", "=ellen+1", "Admin")]
    await store.change_tags(rows, (), WHO, "", "", "")

    tags = store.tags
    assert tags.find("ELLEN") == [ELLEN, rows[2]]
    assert tags.find("5e8") == [GRAEME]
    assert tags.find("nobody") == []
    assert tags.find("\n") == tags.find("")
    assert tags.find("", "name") == [rows[2], ELLEN, GRAEME]
    assert tags.find("", "type") == [rows[2], ELLEN, GRAEME]
    assert tags.find("", "expires") == [ELLEN, GRAEME, rows[2]]
    assert tags.after("", key_of(ELLEN.tag), 1) == [GRAEME]
    await store.close()


async def test_a_row_is_replaced_in_whichever_case_it_is_written() -> None:
    store = await opened()
    await store.change_tags([Tag("AB", "old")], (), WHO, "", "", "")
    await store.change_tags([Tag("ab", "new")], (), WHO, "", "", "")

    assert store.tags.find("") == [Tag("ab", "new")]
    assert list(store._disk._db.execute("SELECT key, tag, name FROM tags")) == [("ab", "ab", "new")]
    await store.close()


async def test_refused_tags_are_told_newest_first_and_found_by_tag_or_charger() -> None:
    store = await opened()
    await store.commit([TagRejected(f"TAG{n}", f"CP{n % 2}", AT) for n in range(5)])

    found, count = await store.rejected("", None, 2)
    assert ([one.tag for one in found], count) == (["TAG4", "TAG3"], 5)
    older, _count = await store.rejected("", found[-1].number, 2)
    assert [one.tag for one in older] == ["TAG2", "TAG1"]
    by_charger, count = await store.rejected("cp1", None, 10)
    assert ([one.tag for one in by_charger], count) == (["TAG3", "TAG1"], 2)
    none, count = await store.rejected("' OR 1=1 --", None, 10)
    assert (none, count) == ((), 0)
    await store.close()
