"""The list of tags, in rows and in memory, and the tags that were refused (access.md, RFID).

The list is in memory whole: a charger that asks waits for no disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, cast

import apsw

from linkray.model.tags import Tag, TagType, key_of
from linkray.model.views import RejectedTag

from .rows import SQLiteValue, int_of, text_of

Order = Literal["tag", "name", "type", "expires"]


class TagList:
    """The rows by key; one writer changes it once the disk has it."""

    def __init__(self, tags: Iterable[Tag] = ()) -> None:
        self._rows = {key_of(one.tag): one for one in tags}
        self._sorted: list[tuple[str, str, Tag]] | None = None  # key, what is searched, row

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, tag: str) -> Tag | None:
        """The row of a tag, in whichever case it is written."""
        return self._rows.get(key_of(tag))

    def of_key(self, key: str) -> Tag | None:
        """The row that is kept by this key."""
        return self._rows.get(key)

    def keys(self) -> list[str]:
        return list(self._rows)

    def change(self, put: Iterable[Tag], gone: Iterable[str]) -> None:
        """Take rows away by key, then put others in."""
        for key in gone:
            self._rows.pop(key, None)
        self._rows.update((key_of(one.tag), one) for one in put)
        self._sorted = None

    def find(self, text: str, order: Order = "tag") -> list[Tag]:
        """All whose tag or name has the text in it, in either case, in this order."""
        if self._sorted is None:
            self._sorted = sorted(
                ((key, f"{key}\n{row.name.casefold()}", row) for key, row in self._rows.items()),
                key=lambda one: one[0],
            )
        wanted = text.strip().casefold()
        found = [row for _key, searched, row in self._sorted if wanted in searched]
        if order == "name":
            found.sort(key=lambda row: row.name.casefold())
        elif order == "type":
            found.sort(key=lambda row: ("Admin", "VIP", "User").index(row.type))
        elif order == "expires":
            found.sort(key=lambda row: row.expires or "~")  # never: after every date
        return found

    def after(self, text: str, key: str, limit: int) -> list[Tag]:
        """The next of these in the order of their keys: a list that changes in between loses and
        doubles none of the others.
        """
        return [row for row in self.find(text) if key_of(row.tag) > key][:limit]


def load(db: apsw.Connection) -> list[Tag]:
    """The whole list."""
    rows = db.execute("SELECT tag, name, type, allowed, expires FROM tags")
    return [_tag_of(row) for row in rows]


def _tag_of(row: tuple[SQLiteValue, ...]) -> Tag:
    tag, name, kind, allowed, expires = row
    return Tag(
        text_of(tag), text_of(name), cast("TagType", text_of(kind)), bool(allowed),
        None if expires is None else text_of(expires),
    )  # fmt: skip


def change(db: apsw.Connection, put: Sequence[Tag], gone: Sequence[str]) -> None:
    """Take rows away by key, then put others in."""
    db.executemany("DELETE FROM tags WHERE key = ?", [(key,) for key in gone])
    db.executemany(
        "INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?, ?)",
        [(key_of(t.tag), t.tag, t.name, t.type, t.allowed, t.expires) for t in put],
    )


def rejected(
    db: apsw.Connection, find: str, before: int | None, limit: int
) -> tuple[tuple[RejectedTag, ...], int]:
    """Refused tags, newest first, that have the text in tag or charger, before this number; and
    how many have it in all.
    """
    where = "instr(lower(tag), ?1) OR instr(lower(charger), ?1)" if find else "?1 = ''"
    wanted = find.lower()
    rows = db.execute(
        f"SELECT id, tag, charger, at FROM tags_rejected WHERE id < ?2 AND ({where})"  # noqa: S608
        " ORDER BY id DESC LIMIT ?3",
        (wanted, 2**63 - 1 if before is None else before, limit),
    )
    found = tuple(
        RejectedTag(int_of(number), text_of(tag), text_of(charger), text_of(at))
        for number, tag, charger, at in rows
    )
    ((count,),) = db.execute(
        f"SELECT count(*) FROM tags_rejected WHERE {where}", (wanted,)  # noqa: S608
    )
    return found, int_of(count)
