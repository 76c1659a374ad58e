"""The CSV files: RFC 4180 to the letter, harmless in a spreadsheet (records.md; A18, A19)."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.records.books import session

from linkray.model.sessions import Choices
from linkray.records.cdr import Records
from linkray.records.sheet import FORMULA, Sheet, clock_of, kwh

BERLIN = ZoneInfo("Europe/Berlin")
HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a","b', "a;b", "a\r\nb",
           '"', "'", "<script>", "Zoë Ünü 充电 \U0001f697", "\u202eevil", "a\0b", ""]  # fmt: skip


def rows_of(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))


def written(writer, *sessions) -> str:
    return writer.begin() + writer.add(sessions) + writer.end()


def test_a_session_in_the_manuals_columns_and_the_sites_time():
    text = written(Sheet(Choices(), BERLIN), session())
    assert text == (
        "TX ID,Time Start,Time End,Time Duration,Energy Used [kWh],RFID Tag,Charger,"
        "Friendly Name,Finished\r\n"
        "7,2026/11/21 11:00:00,2026/11/21 12:00:00,01:00:00,4.000,04A2,DBT1,Bay 1,1\r\n"
    )


def test_one_that_charges_has_no_end_and_says_so():
    (_, row) = rows_of(written(Sheet(Choices(), BERLIN),
                               session(ended=None, finished=False, duration_s=90_061)))  # fmt: skip
    assert (row[2], row[3], row[8]) == ("", "25:01:01", "0")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", [Sheet, Records])
def test_a18_a19_a_hostile_name_stays_in_its_cell_and_reckons_nothing(
    kind, text, decimal, separator
):
    choices = Choices(separator=separator, decimal=decimal)
    of = session(tag=text, charger=text or "C", name=text, reason=text)
    writer = Sheet(choices, BERLIN) if kind is Sheet else Records(choices, BERLIN, {})
    head, row, *more = rows_of(written(writer, of), separator)
    assert not more
    assert len(row) == len(head)
    assert not [cell for cell in row if cell.startswith(FORMULA)]
    tag = row[head.index("RFID Tag")]
    assert (tag[1:] if text.startswith(FORMULA) else tag) == text
    assert f"4{decimal}000" in row


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1))
def test_a19_whatever_is_written_is_read_back(names):
    text = written(Sheet(Choices(separator=";"), BERLIN), *(session(name=name) for name in names))
    read = [row[7] for row in rows_of(text, ";")][1:]
    assert read == [("'" if name.startswith(FORMULA) else "") + name for name in names]


def test_a_mark_before_it_tells_a_spreadsheet_that_it_is_utf_8():
    assert written(Sheet(Choices(bom=True), BERLIN)).startswith("\ufeffTX ID,")


def test_watt_hours_and_seconds_are_never_rounded():
    assert [kwh(wh, ",") for wh in (0, 1, 999, 1_270, 12_345_678)] == [
        "0,000", "0,001", "0,999", "1,270", "12345,678",
    ]  # fmt: skip
    assert [clock_of(s) for s in (0, 59, 3_600, 360_000)] == [
        "00:00:00", "00:00:59", "01:00:00", "100:00:00",
    ]  # fmt: skip


def test_a_charge_data_record_has_the_csmss_number_and_what_is_not_right():
    of = session(csms_id=607_901, flagged=True, connector=2)
    head, row = rows_of(written(Records(Choices(), BERLIN, {"DBT1": 3}), of))
    assert dict(zip(head, row, strict=True)) == {
        "Charge number": "7", "Charger": "DBT1", "Connector": "2", "Transaction ID": "607901",
        "RFID Tag": "04A2", "Type of charge": "AC_THREE_PHASE",
        "Start time": "2026/11/21 11:00:00", "End time": "2026/11/21 12:00:00",
        "Energy [kWh]": "4.000", "Connector type": "", "Duration": "01:00:00",
        "Comment": "Local, register jumped",
    }  # fmt: skip


def test_a_charge_data_record_says_how_long_its_session_was_paused():
    commented = [
        rows_of(written(Records(Choices(), BERLIN, {}), session(paused_s=s)))[1][-1]
        for s in (None, 59, 60, 4_000)
    ]
    assert commented == ["Local", "Local", "Local, paused 00:01:00", "Local, paused 01:06:40"]
