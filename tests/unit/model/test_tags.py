"""Tags: how they compare, when they expire, and the file they are kept in (access.md, RFID)."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkray.model.tags import (
    NAME_CHARS_MAX,
    TAG_CHARS_MAX,
    TAGS_MAX,
    BadExpiry,
    Tag,
    key_of,
    last_four,
    read_expiry,
    turned,
)
from linkray.model.tagsheet import (
    BAD_MAX,
    HEADER,
    Sheet,
    read,
    read_cell,
    tag_of,
    write,
    write_cell,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOSTILE = [
    '=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "'=1", "''=1", "'", '"', '""', ",", ";",
    "a,b", "a;b", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{7*7}}", "${x}",
    "%00", "../../etc/passwd", "Robert'); DROP TABLE tags;--", "\u202eevil", "naïve", "名前", "😀",
    "e\u0301", "ß", "İ", "a\u00a0b", "\u200b", "NULL", "undefined", "TAG", "true", "1e5",
]  # fmt: skip
EDGES = [f"{one}{sign}{two}" for one in ("x", "") for sign in "\n\r\t\x00\x1b\x85\u2028\u2029"
         for two in ("y", "")]  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=25)


def fits(text: str, most: int, least: int = 0) -> bool:
    return least <= len(text.strip()) <= most


# -- how they compare ------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), [
    ("0453f142f97280", "0453F142F97280"), (" AB ", "ab"), ("STRASSE", "straße"),
])  # fmt: skip
def test_tags_compare_without_case_and_without_spaces_around_them(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(("tag", "other"), [
    ("C42D5E8A", "8A5E2DC4"), ("0453F142F97280", "8072F942F15304"), ("0a", "0a"),
    ("ABC", "ABC"), ("GUEST1", "GUEST1"), ("", ""), ("12:34", "12:34"),
])  # fmt: skip
def test_bytes_are_turned_around_and_what_is_not_written_in_bytes_stays(tag, other) -> None:
    assert turned(tag) == other
    assert turned(other) == tag


def test_of_a_tag_a_log_tells_the_last_four_and_of_a_short_one_nothing() -> None:
    assert [last_four(tag) for tag in ("C42D5E8A", "12345", "1234")] == ["…5E8A", "…2345", "…"]


# -- when they expire ------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "kept"), [
    ("", None), ("  ", None),
    ("2027-01-31", "2027-01-31T23:00:00.000Z"),  # to the end of that day at the site
    ("2027-06-30", "2027-06-30T22:00:00.000Z"),
    ("2027-01-31 18:00", "2027-01-31T17:00:00.000Z"),
    ("2027-01-31T18:00:30", "2027-01-31T17:00:30.000Z"),
    ("2027-01-31T18:00Z", "2027-01-31T18:00:00.000Z"),
    ("2027-01-31T18:00:00.250+02:00", "2027-01-31T16:00:00.250Z"),
    ("9999-12-31", "9999-12-31T23:59:59.999Z"),
    ("0001-01-01T00:00", "0001-01-01T00:00:00.000Z"),
])  # fmt: skip
def test_an_expiry_is_read_in_the_site_s_time_zone(said: str, kept: str | None) -> None:
    assert read_expiry(said, BERLIN) == kept
    if kept is not None:
        assert read_expiry(kept, BERLIN) == kept
        Tag("x", expires=kept)
        assert msgspec.convert({"tag": "x", "expires": kept}, Tag).expires == kept


@pytest.mark.parametrize("said", [
    "tomorrow", "31.01.2027", "2027-13-01", "2027-02-29", "2027-1-1", "20270131",
    "2027-01-31T25:00",
    "2027-01-31T18", "2027-01-31 18:00 Uhr", "=1", "٢٠٢٧-٠١-٣١", "0", "2027-W05-1", "2027-01-31\n1",
])  # fmt: skip
def test_what_is_no_date_is_refused_in_words(said: str) -> None:
    with pytest.raises(BadExpiry, match="Expected a date"):
        read_expiry(said, BERLIN)


# -- the file --------------------------------------------------------------------------------------


def said(text: str | bytes) -> Sheet:
    return read(text.encode() if isinstance(text, str) else text, UTC)


def bad(text: str | bytes) -> list[tuple[int, str]]:
    return [(line.line, line.reason) for line in said(text).bad]


def test_the_manual_s_own_example_is_read() -> None:
    sheet = said("0453F142F97280,Ellen  \n")

    assert sheet.tags == (Tag("0453F142F97280", "Ellen"),)
    assert not sheet.bad


def test_all_columns_are_read_whatever_their_case() -> None:
    sheet = said(
        f"\ufeff{HEADER}\r\nA1,Ellen,vip,YES,2027-01-31\r\n\r\n"
        'B2,"Smith, ""Jo""",ADMIN,no\rC3,,,,\r\n,,,,\r\n D4 , x ,User,0,2027-01-31T18:00Z,,\n'
    )

    assert not sheet.bad
    assert sheet.tags == (
        Tag("A1", "Ellen", "VIP", expires="2027-02-01T00:00:00.000Z"),
        Tag("B2", 'Smith, "Jo"', "Admin", allowed=False),
        Tag("C3"),
        Tag("D4", "x", allowed=False, expires="2027-01-31T18:00:00.000Z"),
    )


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_the_separators_of_other_spreadsheets_are_known(sign: str) -> None:
    sheet = said(f"TAG{sign}Name\nA1{sign}Ellen{sign}VIP\n")

    assert sheet.tags == (Tag("A1", "Ellen", "VIP"),)


def test_every_bad_line_is_named_with_its_number_and_its_reason() -> None:
    found = bad(
        b"TAG,Name\r\n"
        b"only a tag\r\n"  # 2
        b"A1,Ellen,Boss\r\n"
        b"A2,Ellen,User,perhaps\r\n"
        b"A3,Ellen,User,yes,tomorrow\r\n"
        b"good,one\r\n"
        b"GOOD,twice\r\n"  # 7
        b",nobody\r\n"
        b"123456789012345678901,too long\r\n"
        b"A4,a\x00b\r\n"  # 10
        b"A5,\xff\xfe\r\n"
        b'A6,"never closed\r\n'
        b"A7,x,User,yes,,more\r\n"
        b"4.53E+13,Ellen\r\n"  # 14
        b"A8," + b"n" * 101 + b"\r\n"
    )

    numbers, reasons = zip(*found, strict=True)
    assert numbers == (2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    for reason, word in zip(reasons, (
        "2 to 5 cells", "User, VIP, Admin", "yes or no", "a date such as", "line 6 already",
        "a tag, got none", "a tag of at most 20", "control characters", "UTF-8", "quotes",
        "got 6", "rounded", "a name of at most 100",
    ), strict=True):  # fmt: skip
        assert word in reason, (word, reason)


@pytest.mark.parametrize("raw", [
    b"", b"\n\n", b"\x00" * 9, b"\xff\xfeT\x00A\x00G\x00", b"PK\x03\x04" + bytes(range(256)),
    b'"' * 1000, b"," * 1000, b"a" * 1_000_000, b"\xed\xa0\x80,x", b"<html><body>x</body></html>",
])  # fmt: skip
def test_what_is_no_such_file_gives_no_tag_and_no_error(raw: bytes) -> None:
    assert said(raw).tags == ()


def test_of_very_many_bad_lines_the_first_are_named_and_all_are_counted() -> None:
    sheet = said("x\n" * 5_000)

    assert (len(sheet.bad), sheet.bad_count) == (BAD_MAX, 5_000)


def test_a_list_that_is_longer_than_a_list_may_be_is_said_line_by_line() -> None:
    sheet = said("".join(f"T{n},x\n" for n in range(TAGS_MAX + 2)))

    assert len(sheet.tags) == TAGS_MAX
    assert [line.line for line in sheet.bad] == [TAGS_MAX + 1, TAGS_MAX + 2]


@pytest.mark.parametrize("name", HOSTILE)
def test_a18_what_is_written_no_spreadsheet_takes_for_a_formula_and_is_read_back(name) -> None:
    tag = tag_of(name[:TAG_CHARS_MAX], name)
    text = write([tag])

    cells = text.removesuffix("\r\n").replace('"', "").split(",")
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]
    assert said(f"{HEADER}\r\n{text}").tags == (tag,)


@given(st.text())
def test_a18_a_cell_is_read_back_as_it_was(text: str) -> None:
    assert read_cell(write_cell(text)) == text
    assert write_cell(text)[:1] not in tuple("=+-@\t\r")


@given(st.lists(st.builds(
    tag_of, texts.filter(lambda t: fits(t, TAG_CHARS_MAX, 1)),
    texts.filter(lambda t: fits(t, NAME_CHARS_MAX)), st.sampled_from(["User", "VIP", "Admin"]),
    st.booleans(), st.sampled_from([None, "2027-01-31T17:00:00.250Z"]),
), unique_by=lambda tag: key_of(tag.tag), max_size=5))  # fmt: skip
def test_a18_a19_a_list_is_read_back_as_it_was_written(tags: list[Tag]) -> None:
    sheet = said(f"{HEADER}\r\n{write(tags)}")

    rounded = [line for line in sheet.bad if "rounded" in line.reason]  # 1E+5 is no tag
    assert len(sheet.bad) == len(rounded)
    assert rounded or sheet.tags == tuple(tags)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(raw: bytes) -> None:
    said(raw)


@pytest.mark.parametrize("text", EDGES)
def test_a_tag_or_name_has_no_line_ends_and_no_control_characters(text: str) -> None:
    for fields in ({"tag": text}, {"tag": "x", "name": text}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(fields, Tag)


@pytest.mark.parametrize("text", [" x", "x ", "\u00a0x", "x\u3000", "", "x" * 21])
def test_a_tag_is_kept_without_spaces_around_it_and_within_its_length(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tag": text}, Tag)
