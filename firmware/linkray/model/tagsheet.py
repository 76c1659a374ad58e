"""The file of tags: `TAG,Name[,Type[,Allowed[,Expiry]]]`, read and written (access.md, RFID).

What is written is read back the same. A cell that a spreadsheet would take for a formula gets a `'`
in front (trust.md A18), which is taken away again on reading.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from itertools import islice
from typing import get_args

import msgspec

from .tags import TAGS_MAX, Tag, TagType, key_of, read_expiry

HEADER = "TAG,Name,Type,Allowed,Expiry"
BOM = "\ufeff"
SEPARATORS = ",;\t"
BAD_MAX = 1_000  # lines that are named; the rest are counted
SHOWN_CHARS = 60  # of a bad line
TYPES: dict[str, TagType] = {name.casefold(): name for name in get_args(TagType)}
ALLOWED = {
    **dict.fromkeys(("", "yes", "y", "true", "1"), True),
    **dict.fromkeys(("no", "n", "false", "0"), False),
}
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)



class BadRow(ValueError):
    """A line that has no cells, in words."""


class BadLine(msgspec.Struct, frozen=True):
    """A line that is no tag: its number in the file, its beginning, and why."""

    line: int
    text: str
    reason: str


class Sheet(msgspec.Struct, frozen=True):
    """A file as it was read. With a bad line nothing of it counts."""

    tags: tuple[Tag, ...]
    bad: tuple[BadLine, ...]  # the first `BAD_MAX`
    bad_count: int


def write_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def read_cell(text: str) -> str:
    """What `write_cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def write(tags: Iterable[Tag]) -> str:
    """Lines of the file, without its header; RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for one in tags:
        cells = (one.tag, one.name, one.type, "yes" if one.allowed else "no", one.expires or "")
        writer.writerow([write_cell(cell) for cell in cells])
    return out.getvalue()


class SheetReader:
    """A file line by line, so that whoever reads a long one can see to others in between.

    `zone` is the site's, for times without one of their own.
    """

    def __init__(self, raw: bytes, zone: tzinfo) -> None:
        self._rows = _rows(raw)
        self._zone = zone
        self._tags: list[Tag] = []
        self._bad: list[BadLine] = []
        self._bad_count = 0
        self._lines: dict[str, int] = {}  # where a tag stands first

    @property
    def sheet(self) -> Sheet:
        return Sheet(tuple(self._tags), tuple(self._bad), self._bad_count)

    def take(self, most: int) -> bool:
        """Read so many lines more; whether there may be others after them."""
        rows = list(islice(self._rows, most))
        for number, text, cells in rows:
            try:
                self._take(number, cells)
            except ValueError as error:
                self._bad_count += 1
                if len(self._bad) < BAD_MAX:
                    self._bad.append(BadLine(number, text[:SHOWN_CHARS], str(error)))
        return len(rows) == most

    def _take(self, number: int, cells: list[str] | str) -> None:
        if isinstance(cells, str):
            raise BadRow(cells)
        one = _tag(cells, self._zone)
        first = self._lines.setdefault(key_of(one.tag), number)
        if first != number:
            raise ValueError(f"The same tag is on line {first} already")
        if len(self._tags) >= TAGS_MAX:
            raise ValueError(f"A list has at most {TAGS_MAX} tags")
        self._tags.append(one)


def read(raw: bytes, zone: tzinfo) -> Sheet:
    """A file whole, every bad line named."""
    reader = SheetReader(raw, zone)
    while reader.take(TAGS_MAX):
        pass
    return reader.sheet


def _rows(raw: bytes) -> Iterator[tuple[int, str, list[str] | str]]:
    """Number, text and cells of each line that is not empty, or why it has none. A name has no line
    ends, so that one broken line breaks no other.
    """
    separator = ""
    for number, line in enumerate(re.split(rb"\r\n|\n|\r", raw), 1):
        try:
            text = line.decode("utf-8").removeprefix(BOM if number == 1 else "")
        except UnicodeDecodeError:
            shown = line.decode("utf-8", "replace")
            yield number, shown, "Expected UTF-8 text, got bytes of another encoding"
            continue
        if not text.strip(f" {SEPARATORS}"):
            continue
        is_first, separator = not separator, separator or _separator(text)
        try:
            (cells,) = csv.reader([text], delimiter=separator, strict=True)
        except csv.Error as error:
            yield number, text, f"Expected cells in quotes as RFC 4180 has them: {error}"
            continue
        if not (is_first and _is_header(cells)):
            yield number, text, [read_cell(cell.strip()) for cell in cells]


def _separator(text: str) -> str:
    """The first of the separators that stands outside quotes; the comma where there is none."""
    bare = re.sub(r'"[^"]*"', "", text)
    return next((sign for sign in bare if sign in SEPARATORS), ",")


def _is_header(cells: list[str]) -> bool:
    names = [cell.strip().casefold() for cell in cells[:2]]
    return names in (["tag", "name"], ["rfid tag", "name"])


def _tag(cells: list[str], zone: tzinfo) -> Tag:
    """The tag of a line; raises `ValueError` in words."""
    while len(cells) > 5 and not cells[-1]:
        cells = cells[:-1]
    if not 2 <= len(cells) <= 5:
        raise ValueError(f"Expected 2 to 5 cells, {HEADER}, got {len(cells)}")
    tag, name, kind, allowed, expiry = [*cells, "", "", ""][:5]
    if _ROUNDED.fullmatch(tag):
        raise ValueError(f"Expected a tag, got {tag}: a number that a spreadsheet has rounded")
    if kind and kind.casefold() not in TYPES:
        raise ValueError(f"Expected the type {', '.join(TYPES.values())}, got {kind[:20]!r}")
    if allowed.casefold() not in ALLOWED:
        raise ValueError(f"Expected yes or no in Allowed, got {allowed[:20]!r}")
    return tag_of(
        tag, name, TYPES.get(kind.casefold(), "User"), ALLOWED[allowed.casefold()],
        read_expiry(expiry, zone),
    )  # fmt: skip


def tag_of(
    tag: str, name: str, kind: TagType = "User", allowed: bool = True, expires: str | None = None
) -> Tag:
    """A row from what a person has typed; raises `ValueError` with what is wrong, in words."""
    fields = {"tag": tag.strip(), "name": name.strip(), "type": kind, "allowed": allowed,
              "expires": expires}  # fmt: skip
    try:
        return msgspec.convert(fields, Tag)
    except msgspec.ValidationError as error:
        what, limit, got = (
            ("a name", "100", len(name.strip())) if "$.name" in str(error)
            else ("a tag", "20", len(tag.strip()))
        )  # fmt: skip
        if not got:
            raise ValueError(f"Expected {what}, got none") from None
        raise ValueError(
            f"Expected {what} of at most {limit} characters without line ends or control "
            f"characters, got {got} characters"
        ) from None
