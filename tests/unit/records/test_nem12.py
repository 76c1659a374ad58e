"""NEM12 by AEMO's format: records in their order, a value for each interval, sums that agree."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.records.books import QUARTERLY, session

from linkray.model.sessions import Choices
from linkray.records.nem12 import LETTERS, Nem12, derived, nmis

MADE = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)


def written(*sessions, chargers=("DBT1", "DBT2"), **choices) -> list[list[str]]:
    writer = Nem12(Choices(**choices), nmis(chargers, {}), MADE)
    text = writer.begin() + "".join(writer.add([one]) for one in sessions) + writer.end()
    assert text.endswith("\r\n")
    return [line.split(",") for line in text[:-2].split("\r\n")]


def of_kind(records, kind):
    return [one for one in records if one[0] == kind]


def total_wh(records) -> int:
    values = [value for day in of_kind(records, "300") for value in day[2:-5]]
    return sum(round(float(value) * 1_000) for value in values)


def test_a_file_has_its_records_in_the_formats_order():
    records = written(QUARTERLY)
    assert [one[0] for one in records] == ["100", "200", "300", "500", "900"]
    assert records[0] == ["100", "NEM12", "202611221000", "LINKRAY", "LINKRAY"]
    assert records[1] == ["200", derived("DBT1"), "E1", "1", "E1", "", "", "KWH", "15", ""]
    day = records[2]
    assert (day[1], len(day)) == ("20261121", 2 + 96 + 5)
    assert day[2 + 80 : 2 + 85] == ["1.000"] * 4 + ["0.000"]  # 10:00 UTC is 20:00 there
    assert day[-5:] == ["A", "", "", "20261122100000", ""]
    assert records[3] == ["500", "O", "", "20261121210000", "5.000"]


@pytest.mark.parametrize(("minutes", "count"), [(5, 288), (15, 96), (30, 48)])
def test_a_day_has_all_its_intervals_and_the_same_energy(minutes, count):
    records = written(QUARTERLY, minutes=minutes)
    assert len(of_kind(records, "300")[0]) == 2 + count + 5
    assert total_wh(records) == 4_000


def test_what_is_interpolated_is_marked_and_every_interval_has_its_quality():
    records = written(session(("10:14", 1_000), ("10:59", 4_000)))
    assert of_kind(records, "300")[0][-5] == "V"
    assert [one[1:4] for one in of_kind(records, "400")] == [
        ["1", "81", "A"], ["82", "84", "E17"], ["85", "96", "A"],
    ]  # fmt: skip


def test_the_markets_time_has_no_summer_and_is_chosen():
    july = session(started="2026-07-01T13:50:00.000Z", ended="2026-07-01T14:05:00.000Z")
    east = written(july)
    west = written(july, market_offset_min=480)
    assert [day[1] for day in of_kind(east, "300")] == ["20260701", "20260702"]
    assert [day[1] for day in of_kind(west, "300")] == ["20260701"]
    assert total_wh(east) == total_wh(west) == 4_000


def test_days_between_two_sessions_are_there_and_empty():
    later = session(started="2026-11-24T00:00:00.000Z", ended="2026-11-24T01:00:00.000Z")
    days = of_kind(written(QUARTERLY, later), "300")
    assert [day[1] for day in days] == ["20261121", "20261122", "20261123", "20261124"]
    assert set(days[1][2:-5]) == {"0.000"}


def test_a_wrong_clock_writes_no_decades_of_empty_days():
    early = session(started="1970-01-01T00:00:00.000Z", ended="1970-01-01T01:00:00.000Z")
    assert len(of_kind(written(early, QUARTERLY), "300")) == 2


def test_sessions_of_one_charger_at_the_same_time_are_one_energy_and_chargers_are_apart():
    other = session(charger="DBT2", energy_wh=500)
    records = written(QUARTERLY, QUARTERLY, other)
    first, second = of_kind(records, "300")
    assert first[2 + 80 : 2 + 84] == ["2.000"] * 4
    assert [one[1] for one in of_kind(records, "200")] == [derived("DBT1"), derived("DBT2")]
    assert total_wh(records) == 8_500
    assert second[-5] == "V"


def test_nothing_at_all_is_a_file_too_and_a_session_without_energy_a_day():
    assert [one[0] for one in written()] == ["100", "900"]
    assert total_wh(written(session(energy_wh=0))) == 0
    assert len(of_kind(written(session(energy_wh=0)), "300")) == 1


@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 200_000),
                          st.integers(0, 90_000)), max_size=8),
       st.sampled_from([5, 15, 30]), st.sampled_from([600, 480, 570]))  # fmt: skip
def test_the_file_adds_up_to_its_sessions(sessions, minutes, offset):
    def at(second: int) -> str:
        return datetime.fromtimestamp(1_795_000_000 + second, UTC).isoformat() + ""

    kept = [session(started=at(s), ended=at(s + lasts), energy_wh=wh)
            for s, lasts, wh in sorted(sessions)]  # fmt: skip
    records = written(*kept, minutes=minutes, market_offset_min=offset)
    assert total_wh(records) == sum(one.row.energy_wh for one in kept)
    days = [one[1] for one in of_kind(records, "300")]
    assert days == sorted(set(days))


@pytest.mark.parametrize("charger", ["DBT1", "TACW2243320T0723", "CP 1", "=+|@", "NMI1234567",
                                     "ABCDEFGHJK", "x" * 48, "a.b", "A-B"])  # fmt: skip
def test_an_nmi_is_ten_characters_that_an_nmi_may_have(charger):
    assert len(derived(charger)) == 10
    assert set(derived(charger)) <= set(LETTERS)
    assert derived(charger) == derived(charger)


def test_an_identity_that_is_an_nmi_is_its_own_and_no_two_chargers_have_the_same():
    assert derived("ABCDEFGHJK") == "ABCDEFGHJK"
    given_ = nmis([f"CP{n}" for n in range(500)] + ["cp1", "CP-1", "CP 1"], {"CP7": "6123456789"})
    assert len(set(given_.values())) == 503
    assert given_["CP7"] == "6123456789"
    assert given_["CP8"] == nmis(["CP8"], {})["CP8"]


def test_an_nmi_by_hand_is_nobody_elses():
    taken = nmis(["A", "B"], {"A": derived("B")})
    assert taken["A"] == derived("B") != taken["B"]
