"""Sessions over the API: page, CSV, NEM12 and charge data records are the same ones (U18, A10)."""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from tests.kept import keep_sessions
from tests.unit.faces.browser import Box

from linkray.kit.clock import stamp
from linkray.model.asks import ASSEMBLER, Who
from linkray.model.settings import Charger, Settings, Site
from linkray.records.nem12 import derived
from linkray.store.db import FILE
from linkray.store.disk import Disk

SITE = Settings(
    site=Site(name="Car park", time_zone="Europe/Berlin"),
    chargers=(Charger(id="DBT1", phases=3, connection="L1-L2-L3", nmi="6123456789"),),
)
LIST = "/api/v1/transactions"
FILTERS = [
    {"range": "all"}, {"range": "this_month"}, {"range": "last_month", "sort": "energy"},
    {"range": "this_week", "sort": "duration", "ascending": "1"}, {"range": "today"},
    {"since": "2026-10-25T02:30", "until": "2026-10-25T02:30"}, {"tag": "tag3"},
    {"since": "2026-10-20", "until": "2026-10-25", "sort": "name"},
    {"charger": "=DBT2"}, {"words": "ü", "sort": "tag"}, {"words": "zzz"}, {"transaction": "7"},
]  # fmt: skip


def some_sessions(number: int) -> tuple[list[dict[str, object]], list[tuple[int, int, str, int]]]:
    """Sessions around the day on which the clocks go back, and their registers; one runs."""
    chance, rows, samples = random.Random(11), [], []
    at = datetime(2026, 10, 20, tzinfo=UTC)
    for one in range(1, number + 1):
        at += timedelta(minutes=chance.randint(1, 780))
        lasts, wh = timedelta(seconds=chance.randint(0, 40_000)), chance.randint(0, 60_000)
        runs = one == number
        rows.append({
            "id": one, "charger": chance.choice(["DBT1", "=DBT2", "CP,3"]),
            "tag": f"TAG{chance.randint(0, 5)}", "started": stamp(at),
            "friendly_name": chance.choice(["Bay 1", 'The "Ü", bay', "-1"]),
            "meter_last_wh": 1_000 + wh, "ended": None if runs else stamp(at + lasts),
            "finished": int(not runs), "csms_id": one + 500 if one % 2 else None,
        })  # fmt: skip
        for slot in range(int(lasts.total_seconds()) // 900):
            then = at + timedelta(minutes=15 * slot + 14)
            samples.append((one, slot, stamp(then), 1_000 + wh * (slot + 1) * 900
                            // max(900, int(lasts.total_seconds()))))  # fmt: skip
    return rows, samples


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    rows, samples = some_sessions(80)
    keep_sessions(folder, *rows, samples=samples)
    disk = Disk(folder / FILE)
    disk.write([lambda d: d.change_settings(SITE, Who("A", ASSEMBLER), "set", stamp(
        datetime(2026, 1, 1, tzinfo=UTC)))])  # fmt: skip
    disk.close()
    return folder


async def ev(state):
    box = await Box(state=state).open()
    return await box.signed_in("EV")


async def rows_of(browser, asked: dict[str, str]) -> tuple[list[dict], dict]:
    """The whole list, page by page, and its sums."""
    rows, after, sums = [], "", None
    while True:
        query = urlencode({**asked, "limit": 7, "after": after})
        reply = await browser.call("GET", f"{LIST}?{query}")
        assert reply.status == 200, reply.text
        sums = sums or reply.json["sums"]
        rows += reply.json["rows"]
        after = reply.json["next"]
        if after is None:
            return rows, sums


async def file_of(browser, kind: str, asked: dict[str, str], **more: str) -> list[list[str]]:
    reply = await browser.call(
        "GET", f"{LIST}/export?{urlencode({**asked, **more, 'format': kind})}"
    )
    assert reply.status == 200, reply.text
    assert reply.headers["content-disposition"].startswith('attachment; filename="linkray-')
    return list(csv.reader(io.StringIO(reply.text, newline="")))


@pytest.mark.parametrize("asked", FILTERS, ids=lambda one: "-".join(one.values()))
async def test_u18_list_and_every_file_are_the_same_sessions_row_by_row(state, asked):
    browser = await ev(state)
    rows, sums = await rows_of(browser, asked)
    assert sums == {"count": len(rows), "energy_wh": sum(row["energy_wh"] for row in rows)}

    sheet = (await file_of(browser, "csv", asked))[1:]
    assert [int(one[0]) for one in sheet] == [row["id"] for row in rows]
    for line, row in zip(sheet, rows, strict=True):
        assert round(float(line[4]) * 1_000) == row["energy_wh"]
        assert line[5:8] == [("'" if text[0] in "=-" else "") + text
                             for text in (row["tag"], row["charger"], row["name"])]  # fmt: skip
        hours, minutes, seconds = (int(part) for part in line[3].split(":"))
        assert hours * 3600 + minutes * 60 + seconds == row["duration_s"]
        assert line[8] == str(int(row["finished"]))

    records = (await file_of(browser, "cdr", asked))[1:]
    assert [(int(one[0]), one[6], one[7], one[8], one[10]) for one in records] == [
        (int(one[0]), one[1], one[2], one[4], one[3]) for one in sheet
    ]  # fmt: skip

    for minutes in ("5", "15", "30"):
        nem12 = await file_of(browser, "nem12", asked, minutes=minutes)
        by_nmi: dict[str, int] = {}
        for line in nem12:
            if line[0] == "200":
                nmi = line[1]
            elif line[0] == "300":
                wh = sum(round(float(value) * 1_000) for value in line[2:-5])
                by_nmi[nmi] = by_nmi.get(nmi, 0) + wh
        expected: dict[str, int] = {}
        for row in rows:
            nmi = {"DBT1": "6123456789"}.get(row["charger"]) or derived(row["charger"])
            expected[nmi] = expected.get(nmi, 0) + row["energy_wh"]
        assert by_nmi == expected


async def test_times_in_the_files_are_the_sites_on_both_sides_of_the_change(state):
    browser = await ev(state)
    rows, _ = await rows_of(browser, {"range": "all"})
    lines = (await file_of(browser, "csv", {"range": "all"}))[1:]
    summer = {int(one[0]): one[1] for one in lines}
    for row in rows:
        at = datetime.fromisoformat(row["started"])
        ahead = 2 if at < datetime(2026, 10, 25, 1, tzinfo=UTC) else 1
        assert summer[row["id"]] == (at + timedelta(hours=ahead)).strftime("%Y/%m/%d %H:%M:%S")


async def test_a_session_is_shown_with_its_quarters_of_an_hour(state):
    browser = await ev(state)
    rows, _ = await rows_of(browser, {"range": "all"})
    for row in rows:
        reply = await browser.call("GET", f"{LIST}/{row['id']}")
        assert reply.json["row"] == row
        assert sum(one["wh"] for one in reply.json["quarters"]) == row["energy_wh"]
    for path in ("0", "99999", "-1", "x", "9" * 40):
        assert (await browser.call("GET", f"{LIST}/{path}")).status == 404


async def test_a_session_is_shown_with_its_current_and_its_pauses(tmp_path):
    course = "[[16000,0,16000],[600000000,0,600000000],60000,125000]"
    pauses = [(1, "2026-11-21T06:10:00.000Z", "2026-11-21T06:12:00.000Z", "turn", "<b>Hall</b>"),
              (1, "2026-11-21T07:00:00.000Z", None, "schedule", "")]  # fmt: skip
    keep_sessions(tmp_path, {"course": course}, pauses=pauses)
    browser = await ev(tmp_path)
    told = (await browser.call("GET", f"{LIST}/1")).json
    listed, _ = await rows_of(browser, {"range": "all"})
    assert listed == [told["row"]]
    row = told["row"]
    assert (row["current_max_ma"], row["paused_s"]) == ([16_000, 0, 16_000], 125)
    assert row["current_mean_ma"] == [10_000, 0, 10_000]
    assert told["pauses"] == [
        {"began": pauses[0][1], "ended": pauses[0][2], "code": "turn", "group": "<b>Hall</b>"},
        {"began": pauses[1][1], "ended": row["ended"], "code": "schedule", "group": ""},
    ]


async def test_the_page_says_what_the_range_is_in_the_sites_zone(state):
    browser = await ev(state)
    told = (await browser.call("GET", f"{LIST}?range=today")).json
    assert (told["since"], told["until"], told["time_zone"]) == (
        "2026-11-20T23:00:00.000Z", "2026-11-21T23:00:00.000Z", "Europe/Berlin",
    )  # fmt: skip


@pytest.mark.parametrize(("asked", "path"), [
    ({"range": "always"}, "$.range"), ({"sort": "id; DROP"}, "$.sort"), ({"since": "x"}, "$.since"),
    ({"until": "2026-02-30"}, "$.until"), ({"transaction": "=1"}, "$.transaction"),
    ({"after": "x"}, "$.after"), ({"after": "WzEsMiwzXQ"}, "$.after"), ({"limit": "-1"}, "$.limit"),
    ({"after": "\u00e9"}, "$.after"), ({"words": "x" * 101}, "$.words"),
])  # fmt: skip
async def test_what_cannot_be_asked_is_refused_at_its_field(state, asked, path):
    browser = await ev(state)
    for where in (LIST, f"{LIST}/export"):
        if where != LIST and path in {"$.after", "$.limit"}:
            continue
        reply = await browser.call("GET", f"{where}?{urlencode(asked)}")
        assert (reply.status, reply.json["path"]) == (422, path)


@pytest.mark.parametrize("asked", [
    {"format": "xls"}, {"separator": "x"}, {"decimal": "x"}, {"minutes": "1"}, {"market": "Sydney"},
    {"market": "+10:07"}, {"market": "+99:00"}, {"market": "x" * 999},
])  # fmt: skip
async def test_a_file_is_written_with_what_there_is(state, asked):
    browser = await ev(state)
    reply = await browser.call("GET", f"{LIST}/export?{urlencode(asked)}")
    assert (reply.status, reply.json["path"]) == (422, f"$.{next(iter(asked))}")


async def test_a_file_for_a_spreadsheet_elsewhere(state):
    browser = await ev(state)
    asked = {"transaction": "1", "separator": "semicolon", "decimal": "comma", "bom": "1"}
    reply = await browser.call("GET", f"{LIST}/export?{urlencode(asked)}")
    assert reply.text.startswith("\ufeffTX ID;Time Start;")
    assert reply.text.splitlines()[1].split(";")[4].count(",") == 1
    assert (await browser.call("GET", f"{LIST}/export?format=nem12&market=+09:30")).status == 200


async def test_a_box_without_a_database_says_so_and_stays(tmp_path):
    browser = await ev(tmp_path)
    reply = await browser.call("GET", LIST)
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


async def test_who_hangs_up_leaves_room_for_the_next_file(state):
    box = await Box(state=state).open()
    browser = await box.signed_in("EV")

    class Gone(Exception):
        pass

    async def hang_up(message):
        if message["type"] == "http.response.body":
            raise Gone

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    for _ in range(6):
        scope = browser.scope("GET", f"{LIST}/export", browser.headers("GET"))
        with pytest.raises(Gone):
            await box.app(scope, receive, hang_up)
    assert box.api.files_open == 0
    assert len(await file_of(browser, "csv", {"range": "all"})) == 81


async def test_w13_a_long_file_goes_out_in_parts_and_control_is_not_asked(tmp_path):
    keep_sessions(tmp_path, *({"id": number, "tag": f"T{number}"} for number in range(1, 5_001)))
    box = await Box(state=tmp_path).open()
    browser = await box.signed_in("EV")
    asked, parts = len(box.control.asked), []

    async def send(message):
        parts.append(len(message.get("body", b"")))

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    for kind in ("csv", "cdr", "nem12"):
        parts.clear()
        scope = browser.scope("GET", f"{LIST}/export?format={kind}", browser.headers("GET"))
        await box.app(scope, receive, send)
        assert len(parts) == 1 + 1 + 5 + 1 + 1  # head, begin, parts of 1,000, end, and over
        assert max(parts) < 200_000
    assert len(box.control.asked) == asked
