"""Upkeep over the API: alerts and their CSV, restarts, the log as a file, the report."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import apsw
import pytest
from tests.unit.faces.browser import Box

from linkray.desk.snapshot import Seen
from linkray.faces.web.guard import CSP
from linkray.faces.web.report import CSP as OWN_CSP
from linkray.faces.web.report import duration, page
from linkray.model import asks
from linkray.model.faults import Code, Fault
from linkray.model.settings import Charger, Csms, Settings, Site
from linkray.model.units import Phases
from linkray.model.views import ChargerView, MeterView, UplinkView

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "{% raw %}",
    '=HYPERLINK("http://x")', "+1", "-2", "@SUM(A1)", "'; DROP TABLE alerts; --",
    "\u202egnp.exe", "</style><script>x</script>", "a\u2028b", "&lt;b&gt;",
)  # fmt: skip


async def box_with(*faults: Fault, seen: Seen | None = None) -> Box:
    box = await Box(seen=seen).open()
    box.alerts.feed(faults, box.clock.utc())
    return box


def away(box_time: str, charger: str) -> Fault:
    return Fault.of(Code.CHARGER_OFFLINE, box_time, charger)


SINCE = "2026-11-21T07:58:00.000Z"


async def test_alerts_are_told_with_their_sums_and_by_a_filter():
    box = await box_with(Fault.of(Code.METER, SINCE), away(SINCE, "CP1"))
    browser = await box.signed_in("EV")

    told = (await browser.call("GET", "/api/v1/alerts")).json
    assert [one["code"] for one in told["alerts"]] == ["charger_offline", "meter"]
    assert (told["total"], told["open"], told["unseen"], told["lasted_s"]) == (2, 2, 2, 240)
    one = (await browser.call("GET", "/api/v1/alerts?q=meter&from=2026-11-21&open=1")).json
    assert [alert["since"] for alert in one["alerts"]] == [SINCE]
    assert (await browser.call("GET", "/api/v1/alerts?limit=1")).json["total"] == 2


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "from=yesterday", "to=2026-13-01"])
async def test_a_filter_that_cannot_be_read_is_refused_in_words(query):
    box = await box_with()
    browser = await box.signed_in("EV")

    refused = await browser.call("GET", f"/api/v1/alerts?{query}")

    assert refused.status == 422
    assert "Expected" in refused.json["detail"]


async def test_the_csv_is_the_list_row_by_row_and_no_cell_is_a_formula():
    names = tuple(Charger(f"CP{n}", name=name) for n, name in enumerate(HOSTILE[:6]))
    seen = Seen(settings=Settings(chargers=names))
    box = await box_with(*(away(SINCE, one.id) for one in names), away(SINCE, "=1+1"), seen=seen)
    browser = await box.signed_in("EV")

    listed = (await browser.call("GET", "/api/v1/alerts?code=charger_offline")).json["alerts"]
    reply = await browser.call("GET", "/api/v1/alerts/export?code=charger_offline")

    rows = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    assert reply.text.count("\r\n") == len(rows) + 1
    assert [int(row["ID"]) for row in rows] == [one["id"] for one in listed]
    assert [row["Raised"] for row in rows] == [one["since"] for one in listed]
    cells = [cell for row in rows for cell in row.values()]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert {"'=1+1", "'=HYPERLINK(\"http://x\")"} <= set(cells)


async def test_an_installer_says_that_they_were_seen_and_ev_may_not():
    box = await box_with(Fault.of(Code.METER, SINCE))
    body = {"ids": [1]}
    assert (await (await box.signed_in("EV")).call("POST", "/api/v1/alerts/seen", body)
            ).status == 403  # fmt: skip
    reply = await (await box.signed_in("Installer")).call("POST", "/api/v1/alerts/seen", body)
    assert reply.status == 200
    assert box.did == [asks.SeeAlerts((1,))]


async def test_the_pages_start_anew_once_control_has_kept_the_line_and_control_by_itself():
    box = await Box().open()
    browser = await box.signed_in("Installer")

    control = {"part": "control", "when_idle": True}
    assert (await browser.call("POST", "/api/v1/restarts", control)).status == 200
    assert box.restarted == []
    assert (await browser.call("POST", "/api/v1/restarts", {"part": "web"})).status == 200
    assert box.restarted == ["web"]
    assert (await browser.call("POST", "/api/v1/restarts", {"part": "os"})).status == 422
    assert box.did == [asks.Restart("control", when_idle=True), asks.Restart("web")]
    box.control.away = True
    assert (await browser.call("POST", "/api/v1/restarts", {"part": "web"})).status == 503
    assert box.restarted == ["web"]


async def test_a_charger_is_reset_and_a_restart_that_waits_called_off():
    box = await Box().open()
    browser = await box.signed_in("Installer")
    body = {"act": "reset_hard", "when_idle": True}

    await browser.call("POST", "/api/v1/chargers/AB/act", body)
    await browser.call("POST", "/api/v1/restarts/cancel", {"charger": "AB"})
    assert (await browser.call("POST", "/api/v1/chargers/A/act", {"act": "melt"})).status == 422

    reset = asks.ActAtCharger("AB", "reset_hard", when_idle=True)
    assert box.did == [reset, asks.CancelRestart("AB")]


async def test_the_log_comes_as_text_and_as_a_database():
    box = await Box().open()
    browser = await box.signed_in("Installer")

    text = await browser.call("GET", "/api/v1/log/file")
    assert text.text.splitlines() == box.lines
    assert 'filename="linkray.log"' in text.headers["content-disposition"]
    file = await browser.call("GET", "/api/v1/log/file?form=db")
    db = apsw.Connection(":memory:")
    db.deserialize("main", file.body)
    assert list(db.execute("SELECT number, at, source, text FROM log")) == [
        (1, "2026-11-21T08:00:00.000Z", "LINKRAY", "control is up"),
        (2, None, None, "Repeated 2 times"),
    ]
    db.close()
    assert (await browser.call("GET", "/api/v1/log/file?form=xls")).status == 422


# -- the maintenance report ------------------------------------------------------------------------

SITE = Seen(
    settings=Settings(
        site=Site(name=HOSTILE[0], time_zone="Europe/Berlin"), csms=Csms(url="wss://csms.example"),
        chargers=(Charger("CP1", name=HOSTILE[1]), Charger("CP2", name=HOSTILE[9])),
    ),
    chargers=(
        ChargerView("CP1", connected=True, vendor=HOSTILE[10], model="M", firmware="1.0",
                    serial="S1", notes=(HOSTILE[2],), deviations=4,
                    since="2026-11-21T07:00:00.000Z"),
    ),
    meter=MeterView(enabled=True, name=HOSTILE[2], healthy=True, current_ma=Phases(1_500, 0, 0)),
    faults=(Fault.of(Code.METER, SINCE, detail=HOSTILE[0]),),
    uplinks=(UplinkView("CP1", "live"),), serial="LR1", version="1.2.3",
)  # fmt: skip


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split("</style>")[1]))


async def test_the_report_tells_of_all_that_records_md_names():
    box = await box_with(Fault.of(Code.METER, SINCE), seen=SITE)
    box.alerts.feed((), box.clock.utc() + timedelta(seconds=5))
    browser = await box.signed_in("Installer")

    reply = await browser.call("GET", "/api/v1/maintenance-report")

    assert reply.status == 200
    told = words(reply.text)
    for said in ("LR1", "02:00:00:00:00:01", "1.2.3", "Meter configured but not read", "Bit",
                 "Check the meter", "S1", "3", "2 h 1 min", "connected", "1.5 A / 0 A / 0 A",
                 "eth0 (ethernet) up, 192.0.2.10/24, gateway 192.0.2.1", "3.0 MiB",
                 "1.0 GiB of 8.0 GiB", "linkray-2026-11-20.db (1.0 MiB)", "before: 1.2.2",
                 "told to end", "Slot A: 1.2.3, running", "08:58"):  # fmt: skip
        assert said in told, said
    assert told.count("2026-11-21 08:58") == 3


async def test_what_people_and_chargers_write_is_text_in_the_report_and_it_has_no_script():
    box = await box_with(*(away(SINCE, text) for text in HOSTILE), seen=SITE)
    shown = page(box.report_of(box.desk.look()))

    assert "<script" not in shown
    assert "<img" not in shown
    assert shown.count("</style>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{ 7 * 7 }}" in shown
    assert not set(shown) & {"\u202e", "\u2028"}
    assert "\\u202egnp.exe" in shown


async def test_the_report_stands_alone_under_a_policy_stricter_than_the_pages():
    box = await box_with()
    browser = await box.signed_in("Installer")
    reply = await browser.call("GET", "/api/v1/maintenance-report")

    assert reply.headers["content-security-policy"] == OWN_CSP
    assert "unsafe" not in OWN_CSP
    assert "script-src" not in OWN_CSP
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"(src|href|url)\s*[=(]", reply.text)
    other = await browser.call("GET", "/api/v1/restarts")
    assert other.headers["content-security-policy"] == CSP


@pytest.mark.parametrize(("seconds", "said"), [
    (0, "0 s"), (95, "95 s"), (120, "2 min"), (3_700, "1 h 1 min"), (90_000, "1 d 1 h"),
])  # fmt: skip
def test_a_time_is_told_as_people_say_it(seconds, said):
    assert duration(seconds) == said


