"""The one query behind page and files: filters, orders, pages, sums (records.md, The page)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from tests.kept import keep_sessions

from linkray.model.sessions import Column, Order, Selection
from linkray.store import ledger
from linkray.store.db import FILE
from linkray.store.disk import Disk, shipped_migrations
from linkray.store.reader import Reader

NOW = "2026-11-21T08:00:00.000Z"
HOSTILE = ["' OR 1=1 --", "%", "_", "\\", "%%", '"; DROP TABLE transactions; --', ":since", "?1",
           "\0", "x" * 100, "\U0001f697", "*", "[a-z]"]  # fmt: skip
SESSIONS = (
    {"id": 1, "ended": "2026-11-19T22:59:59.999Z", "tag": "04a2ff", "friendly_name": "Zoë"},
    {"id": 2, "ended": "2026-11-19T23:00:00.000Z", "charger": "dbt2", "meter_last_wh": 1_270,
     "csms_id": 120_708, "started": "2026-11-19T20:00:00.000Z"},
    {"id": 3, "ended": "2026-11-20T22:59:59.999Z", "tag": "04A2FF", "meter_last_wh": 1_100},
    {"id": 4, "ended": "2026-11-20T23:00:00.000Z", "charger": "DBT10", "meter_last_wh": 500},
    {"id": 5, "ended": None, "finished": 0, "reason": None, "stop_given": None, "tag": "100%_\\",
     "started": "2026-11-21T07:00:00.000Z"},
)  # fmt: skip


@pytest.fixture
def reader(tmp_path) -> Iterator[Reader]:
    keep_sessions(tmp_path, *SESSIONS)
    reader = Reader(tmp_path / FILE)
    yield reader
    reader.close()


UP = Order("id", descending=False)


def found(reader: Reader, order: Order = UP, **more: str | int) -> list[int]:
    rows, following, sums = reader.sessions(Selection(now=NOW, **more), order, 100)
    assert following is None
    assert sums is not None
    assert (sums.count, sums.energy_wh) == (len(rows), sum(row.energy_wh for row in rows))
    assert list(reader.session_ids(Selection(now=NOW, **more), order)) == [row.id for row in rows]
    return [row.id for row in rows]


def test_a_session_belongs_to_the_time_in_which_it_has_ended_and_one_that_runs_to_now(reader):
    yesterday = {"since": "2026-11-19T23:00:00.000Z", "until": "2026-11-20T23:00:00.000Z"}
    today = {"since": "2026-11-20T23:00:00.000Z", "until": "2026-11-21T23:00:00.000Z"}
    assert found(reader, **yesterday) == [2, 3]
    assert found(reader, **today) == [4, 5]
    assert found(reader, since="2026-11-20T23:00:00.000Z") == [4, 5]
    assert found(reader, until="2026-11-20T23:00:00.000Z") == [1, 2, 3]
    assert found(reader) == [1, 2, 3, 4, 5]


def test_filters_are_whole_and_tags_know_no_case(reader):
    assert found(reader, tag="04a2Ff") == [1, 3]
    assert found(reader, tag="04a2") == []
    assert found(reader, charger="dbt2") == [2]
    assert found(reader, charger="DBT2") == found(reader, charger="DBT") == []
    assert found(reader, transaction=2) == found(reader, transaction=120_708) == [2]
    assert found(reader, transaction=0) == []


def test_words_are_a_part_of_any_name_in_any_case(reader):
    assert found(reader, words="bt1") == [1, 3, 4, 5]
    assert found(reader, words="a2f") == [1, 3]
    assert found(reader, words="BAY") == [2, 3, 4, 5]
    assert found(reader, words="ZOË") == found(reader, words="oë") == [1]
    assert found(reader, words="%") == found(reader, words="0%_\\") == [5]
    assert found(reader, words="2", tag="TAG") == [2]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_find_what_has_them_and_do_nothing_else(reader, text):
    for name in ("tag", "charger", "words", "since", "until"):
        found(reader, **{name: text})
    assert found(reader) == [1, 2, 3, 4, 5]


def test_every_column_sorts_both_ways_and_one_that_runs_ends_last(reader):
    for column in get_args(Column):
        up = found(reader, Order(column, descending=False))
        assert found(reader, Order(column, descending=True)) == up[::-1]
    assert found(reader, Order("ended", descending=True)) == [5, 4, 3, 2, 1]
    assert found(reader, Order("energy", descending=False)) == [4, 3, 2, 1, 5]
    assert found(reader, Order("charger", descending=False)) == [1, 3, 5, 4, 2]
    assert found(reader, Order("tag", descending=False)) == [1, 3, 5, 2, 4]


@pytest.mark.parametrize("column", get_args(Column))
@pytest.mark.parametrize("descending", [True, False])
def test_pages_one_after_the_other_are_the_whole_selection(reader, column, descending):
    order, which = Order(column, descending), Selection(now=NOW)
    seen, after = [], None
    for number in range(5):
        rows, after, sums = reader.sessions(which, order, 1, after)
        assert (sums is None) == (number > 0)  # counted once
        seen += [row.id for row in rows]
    assert after is None
    assert seen == list(reader.session_ids(which, order))


def test_a_row_has_its_length_and_its_state(reader):
    rows, _, _ = reader.sessions(Selection(now=NOW), Order("id", descending=False), 100)
    assert [row.duration_s for row in rows[1:]] == [3 * 3600, 0, 0, 3600]
    assert [row.finished for row in rows] == [True] * 4 + [False]


def test_the_registers_of_a_session_come_with_it_in_the_order_asked_for(tmp_path):
    at = "2026-11-21T06:14:00.000Z"
    keep_sessions(tmp_path, {"id": 1}, {"id": 2},
                  samples=[(2, 1, at, 2_000), (2, 0, at, 1_500)])  # fmt: skip
    reader = Reader(tmp_path / FILE)
    second, first = reader.measured([2, 1, 99], NOW, samples=True)
    assert [one.register_wh for one in second.samples] == [1_500, 2_000]
    assert (first.samples, first.meter_start_wh) == ((), 1_000)
    assert reader.measured([2], NOW, samples=False)[0].samples == ()
    assert reader.chargers() == ["DBT1"]
    reader.close()


# -- a hundred thousand of them -------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Iterator[Reader]:
    """Two years of a busy site."""
    file = tmp_path_factory.mktemp("many") / FILE
    disk = Disk(file)
    disk.migrate(shipped_migrations())
    disk.outbox(lambda db: db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " INSERT INTO transactions (id, charger, connector, tag, friendly_name, authorised_by,"
        "  started, given, meter_start_wh, meter_last_wh, ended, stop_given, reason, finished)"
        " SELECT i, 'CP' || (i % 32), 1, 'TAG' || (i % 2000), 'Bay ' || (i % 32), 'csms',"
        "  strftime('%Y-%m-%dT%H:%M:%fZ', '2024-11-21', (i * 630) || ' seconds'), '', 0,"
        "  i * 7919 % 60000,"
        "  strftime('%Y-%m-%dT%H:%M:%fZ', '2024-11-21', (i * 630 + i % 300 * 60) || ' seconds'),"
        "  '', 'Local', 1 FROM n"
    ))  # fmt: skip
    disk.close()
    reader = Reader(file)
    yield reader
    reader.close()


def plan(reader: Reader, sql: str, values: ledger.Values) -> str:
    return " / ".join(str(row[3]) for row in reader._db.execute(f"EXPLAIN QUERY PLAN {sql}",
                                                                values))  # fmt: skip


@pytest.mark.parametrize(("more", "index"), [
    ({"tag": "tag7"}, "transactions_by_tag (tag=?)"),
    ({"charger": "CP7"}, "transactions_of_charger (charger=?)"),
    ({"transaction": 7}, "transactions_by_csms_id (csms_id=?)"),
    ({"since": "2026-11-01", "until": "2026-11-02"}, "transactions_by_end (ended>? AND ended<?)"),
    ({"since": "2026-11-21", "until": "2026-11-22"}, "transactions_by_end (ended=?)"),
])  # fmt: skip
def test_a_filter_looks_at_what_it_finds_and_not_at_everything(many, more, index):
    where, values = ledger.condition(Selection(now=NOW, **more))
    assert index in plan(many, f"SELECT count(*) FROM transactions WHERE {where}", values)


def test_a_page_of_a_hundred_thousand_is_all_there_and_adds_up(many):
    which = Selection(now=NOW)
    rows, after, sums = many.sessions(which, Order(), 100)
    assert (len(rows), sums.count) == (100, 100_000)
    ids = many.session_ids(which, Order("energy"))
    assert len(set(ids)) == 100_000
    got = many.measured(ids[:1_000], NOW, samples=False)
    assert [one.row.energy_wh for one in got] == sorted(
        (one.row.energy_wh for one in got), reverse=True
    )
    rows, _, _ = many.sessions(which, Order(), 100, after)
    assert rows[0].id == 99_900


def test_its_chargers_are_found_by_a_step_for_each(many):
    assert len(many.chargers()) == 32
    assert "SCAN transactions" not in plan(
        many, "SELECT min(charger) FROM transactions WHERE charger > 'CP1'", {}
    )
