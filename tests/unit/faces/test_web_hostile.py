"""The corpus of hostile texts through the API: refused with its place, or the same everywhere.

Every text goes in wherever a name may be given and is looked for wherever one comes out (trust.md
3, A13, A18–A21, A23, A24). What chargers say is `tests/sim/test_hostile_chargers.py`; what a
browser makes of it, `tests/e2e/test_browser_hostile.py`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import apsw
import pytest
from tests.hostile import CORPUS, KINDS, SURROGATES
from tests.kept import keep_sessions
from tests.unit.faces.browser import START, Box, Browser, Reply

from linkray.desk.snapshot import Seen, build
from linkray.faces.web.branding import BadBranding, read_json
from linkray.faces.web.report import page
from linkray.kit.clock import stamp
from linkray.model.faults import Code, Fault
from linkray.model.settings import Charger, Group, Settings, Site, read_settings
from linkray.model.views import ChargerView, ConnectorView
from linkray.records.sheet import FORMULA

SINCE = "2026-11-21T07:58:00.000Z"
CSV = {"content-type": "text/csv"}
AT_ONCE = 100  # tags in one body
Enter = Callable[[Browser, str], Awaitable[Reply]]
Look = Callable[[Browser], Awaitable[str]]


def is_a_line(text: str) -> bool:
    """Whether it can be a name: one line, of what is no control character."""
    return not set(text) & {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u2028\u2029"}


LINES = [text for text in CORPUS if is_a_line(text)]
NAMES = [text for text in LINES if len(text) <= 50]


async def test_the_corpus_is_of_five_hundred_texts() -> None:
    assert len(CORPUS) >= 500
    assert len(NAMES) > 400


# -- settings --------------------------------------------------------------------------------------


async def test_a13_a_name_in_the_settings_is_one_line_or_refused_with_its_path() -> None:
    box = await Box().open()
    browser = await box.signed_in("Installer")
    for text in sorted(set(CORPUS) - set(NAMES))[::2]:
        for change in (
            {"site": {"name": text}},
            {"groups": [{"name": text, "limit_ma": 32_000}]},
            {"chargers": [{"id": "CP1", "name": text}]},
        ):
            reply = await browser.call("PATCH", "/api/v1/settings", change)
            assert reply.status == 422, (text, reply.text)
            assert reply.json["path"].endswith(".name"), reply.text
    assert box.shelf.settings.value == Settings()

    chargers = [{"id": f"CP{n}", "name": text} for n, text in enumerate(NAMES)]
    kept = (await browser.call("PATCH", "/api/v1/settings", {"chargers": chargers})).json
    assert [one["name"] for one in kept["chargers"]] == NAMES


@pytest.mark.parametrize("sign", ["\n", "\r", "\x85", "\u2028", "\x00"])
async def test_a31_no_identity_zone_or_hour_ends_with_a_line(sign: str) -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    for change in (
        {"chargers": [{"id": f"CP1{sign}"}]},
        {"chargers": [{"id": "CP1", "nmi": f"6123456789{sign}"}]},
        {"schedule": [{"days": ["Mon"], "start": f"08:00{sign}", "end": "09:00"}]},
        {"access": {"vip": [f"T1{sign}"]}},
        {"csms": {"prefix": f"a{sign}"}},
        {"site": {"time_zone": f"UTC{sign}"}},
    ):
        reply = await browser.call("PATCH", "/api/v1/settings", change)
        assert reply.status == 422, change


async def test_a13_settings_go_out_and_in_again_with_every_name() -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    some = [text for text in NAMES if text][::3]
    chargers = tuple(Charger(id=f"CP{n}", name=text) for n, text in enumerate(some))
    groups = tuple(Group(name=text, limit_ma=32_000) for text in some)
    box.shelf.settings.set(Settings(chargers=chargers, groups=groups))
    file = (await browser.call("GET", "/api/v1/settings/export")).body

    assert (await browser.call("PATCH", "/api/v1/settings", {"chargers": [], "groups": []})
            ).status == 200  # fmt: skip
    back = await browser.call("POST", "/api/v1/settings/import", body=file,
                              headers={"content-type": "application/json"})  # fmt: skip

    assert back.status == 200, back.text
    assert box.shelf.settings.value.chargers == chargers
    assert read_settings(file).groups == groups


@pytest.mark.parametrize("escape", SURROGATES)
async def test_a33_half_a_letter_is_refused_wherever_json_is_read(escape: str) -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    for method, path, body in (
        ("PATCH", "/api/v1/settings", f'{{"site":{{"name":{escape}}}}}'),
        ("POST", "/api/v1/settings/import", f'{{"site":{{"name":{escape}}}}}'),
        ("POST", "/api/v1/tags", f'{{"tags":[{{"tag":"T1","name":{escape}}}]}}'),
        ("POST", "/api/v1/chargers/delete", f'{{"chargers":[{escape}]}}'),
        ("POST", "/api/v1/session", f'{{"account":{escape},"password":"x"}}'),
    ):
        reply = await browser.call(method, path, body=body.encode(),
                                   headers={"content-type": "application/json"})  # fmt: skip
        assert 400 <= reply.status < 500, (path, reply.status)
    assert box.shelf.settings.value == Settings()
    assert box.did == []


# -- tags ------------------------------------------------------------------------------------------


async def test_a13_a18_a19_tags_go_in_by_hand_and_by_file_and_come_out_of_both() -> None:
    box = await Box().open()
    browser = await box.signed_in("Installer")
    fit = [text for text in CORPUS if text == text.strip() and is_a_line(text)]
    tags = list({text.casefold(): text for text in fit if 1 <= len(text) <= 20}.values())
    rows = [{"tag": tag, "name": tag} for tag in tags]
    rows += [{"tag": f"N{n}", "name": text} for n, text in enumerate(fit) if len(text) <= 100]
    await browser.call("POST", "/api/v1/tags/clear")
    for at in range(0, len(rows), AT_ONCE):
        reply = await browser.call("POST", "/api/v1/tags", {"tags": rows[at : at + AT_ONCE]})
        assert reply.status == 200, reply.text

    shown: list[Any] = []
    while more := (await browser.call(
            "GET", f"/api/v1/tags?limit=500&skip={len(shown)}")).json["tags"]:  # fmt: skip
        shown += more
    assert {one["tag"]: one["name"] for one in shown} == {r["tag"]: r["name"] for r in rows}
    file = await browser.call("GET", "/api/v1/tags/export")
    cells = list(csv.reader(io.StringIO(file.text, newline=""), strict=True))
    assert len(cells) == len(rows) + 1
    assert [cell for row in cells for cell in row if cell.startswith(FORMULA)] == []
    back = await browser.call("POST", "/api/v1/tags/import?check=1&replace=1", body=file.body,
                              headers=CSV)  # fmt: skip
    assert (back.json["same"], back.json["bad"]) == (len(rows), [])


@pytest.mark.parametrize("column", [0, 1])
async def test_a16_a_file_of_tags_with_any_text_is_taken_or_its_line_is_named(column: int) -> None:
    box = await Box().open()
    browser = await box.signed_in("Installer")
    for text in CORPUS:
        row = [["T1", "name"], ["T2", "name"]]
        row[1][column] = text
        out = io.StringIO()
        csv.writer(out).writerows(row)

        reply = await browser.call("POST", "/api/v1/tags/import?check=1", headers=CSV,
                                   body=out.getvalue().encode())  # fmt: skip

        assert reply.status == 200, (text, reply.text)
        told = reply.json
        assert told["tags"] + told["bad_count"] >= 1
        assert all(is_a_line(one["reason"]) for one in told["bad"]), told


# -- accounts, keys, branding, meters, acts --------------------------------------------------------


async def a_key(browser: Browser, text: str) -> Reply:
    body = {"scope": "read", "name": text, "expires": "30d"}
    reply = await browser.call("POST", "/api/v1/keys", body)
    if reply.status == 200:
        assert [one["name"] for one in (await browser.call("GET", "/api/v1/keys")).json] == [text]
        assert (await browser.call("DELETE", f"/api/v1/keys/{reply.json['id']}")).status == 200
    return reply


async def a_sign_in(browser: Browser, text: str) -> Reply:
    return await browser.sign_in(text, text, text)


async def a_password(browser: Browser, text: str) -> Reply:
    body = {"old": text, "new": text}
    return await browser.call("PUT", f"/api/v1/accounts/{quote(text, safe='')}/password", body)


async def a_start(browser: Browser, text: str) -> Reply:
    path = f"/api/v1/chargers/{quote(text, safe='')}/connectors/1/start"
    return await browser.call("POST", path, {"tag": text})


async def a_deletion(browser: Browser, text: str) -> Reply:
    return await browser.call("POST", "/api/v1/chargers/delete", {"chargers": [text]})


async def a_meter(browser: Browser, text: str) -> Reply:
    return await browser.call("POST", "/api/v1/meters/check", body=text.encode(),
                              headers={"content-type": "text/plain"})  # fmt: skip


async def a_file(browser: Browser, text: str) -> Reply:
    path = f"/api/v1/charger-firmware/files/{quote(text, safe='')}"
    return await browser.call("DELETE", path)


async def a_request(browser: Browser, text: str) -> Reply:
    body = {"name": text, "also": [text], "organisation": text}
    return await browser.call("POST", "/api/v1/certificate/request", body)


async def a_brand(browser: Browser, text: str) -> Reply:
    body = json.dumps({"Content": {"FootText": text}}).encode()
    return await browser.call("POST", "/api/v1/branding?check=1", body=body,
                              headers={"content-type": "application/json"})  # fmt: skip


@pytest.mark.parametrize("enter", [a_key, a_password, a_start, a_deletion, a_meter, a_file,
                                   a_request, a_brand])  # fmt: skip
async def test_a13_a23_every_entry_takes_it_as_text_or_refuses_it_in_one_line(enter: Enter) -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    await browser.confirm("Assembler")
    for text in CORPUS:
        reply = await enter(browser, text)

        assert reply.status < 500, (text, reply.status, reply.text)
        assert reply.headers.get("content-type", "").startswith("application/"), text
        if reply.status >= 400:
            assert is_a_line(reply.json["detail"]), (text, reply.text)


async def test_a13_a_sign_in_of_any_name_is_refused_like_any_other() -> None:
    box = await Box().open()
    for n, text in enumerate(CORPUS):
        browser = box.browser(client=f"192.0.2.{n % 250}")
        assert (await a_sign_in(browser, text)).status in {401, 413, 422, 429}, text[:99]
    for _who, what in box.shelf.audit:
        assert is_a_line(what), repr(what)


def test_a13_a_text_of_the_branding_is_one_line_or_refused() -> None:
    for text in CORPUS:
        given = json.dumps({"Content": {"FootText": text}}).encode()
        try:
            kept = read_json(given)[0].foot_text
        except BadBranding as refused:
            assert is_a_line(str(refused))
            assert not text.isprintable() or len(text) > 100
        else:
            assert kept == text


SEARCHES = (
    "/api/v1/transactions?range=all&words={0}&charger={0}", "/api/v1/transactions?sort={}",
    "/api/v1/transactions?since={}", "/api/v1/tags?find={}", "/api/v1/tags?order={}",
    "/api/v1/tags/rejected?find={}", "/api/v1/alerts?q={}", "/api/v1/alerts?code={}",
    "/api/v1/alerts?from={}", "/api/v1/audit?text={}", "/api/v1/audit?since={}",
    "/api/v1/ocpp-log?charger={}", "/api/v1/graphs?day={}", "/api/v1/meters/own?name={}",
    "/api/v1/chargers/{}/history", "/api/v1/transactions/export?format={}",
)  # fmt: skip


@pytest.mark.parametrize("search", SEARCHES)
async def test_a24_a_search_for_any_text_finds_something_or_is_refused(search: str) -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    for text in CORPUS:
        reply = await browser.call("GET", search.format(quote(text, safe="")))

        assert reply.status < 500, (text, reply.status, reply.text)
        assert not reply.headers.get("content-type", "").startswith("text/html")


async def test_a24_sessions_are_found_by_the_letter_whatever_it_means_to_a_database(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    box = await Box(state=kept_sessions(tmp_path_factory)).open()
    browser = await box.signed_in("EV")
    for text in [*KINDS["sql"], *KINDS["csv"], *KINDS["formula"]]:
        if text != text.strip() or not text:
            continue  # a question is trimmed
        asked = f"/api/v1/transactions?range=all&limit=500&tag={quote(text, safe='')}"
        found = (await browser.call("GET", asked)).json["rows"]
        assert {row["tag"].casefold() for row in found} == {text.casefold()}, text


# -- what comes out --------------------------------------------------------------------------------


def sessions() -> list[dict[str, Any]]:
    return [{"id": n + 1, "tag": text, "friendly_name": text, "charger": text or "C",
             "reason": text} for n, text in enumerate(CORPUS)]  # fmt: skip


STATE: list[Any] = []


def kept_sessions(factory: pytest.TempPathFactory) -> Any:
    """A state folder with a session of every text, made once."""
    if not STATE:
        STATE.append(factory.mktemp("hostile"))
        keep_sessions(STATE[0], *sessions())
    return STATE[0]


def seen_of(texts: list[str]) -> Seen:
    """A site in which everything is called so, and everything is wrong."""
    chargers = tuple(Charger(id=f"CP{n}", name=text) for n, text in enumerate(texts))
    views = tuple(ChargerView(
        f"CP{n}", name=text, vendor=text, model=text, firmware=text, serial=text, notes=(text,),
        connected=True, since=SINCE, quirk=text, connectors=(ConnectorView(1, tag=text),),
    ) for n, text in enumerate(texts))  # fmt: skip
    faults = tuple(Fault.of(Code.CHARGER_OFFLINE, SINCE, f"CP{n}", text)
                   for n, text in enumerate(texts))  # fmt: skip
    site = Site(name=texts[0][:50])
    return Seen(settings=Settings(site=site, chargers=chargers), chargers=views, faults=faults,
                serial="LR1", version="1.2.3")  # fmt: skip


async def full_box(factory: pytest.TempPathFactory) -> tuple[Box, Browser]:
    """A box in which every text stands wherever one can."""
    seen = seen_of(CORPUS)
    box = await Box(seen=seen, state=kept_sessions(factory)).open()
    browser = await box.signed_in("Assembler")
    box.alerts.feed(seen.faults, START)
    for text in CORPUS:
        box.shelf.audit.append((text, text))
        box.frames.add(text, "in", json.dumps([2, text, "DataTransfer", {"data": text}]))
        box.frames.add("CP1", "in", text)
    return box, browser


@pytest.mark.parametrize("kind", ["csv", "nem12", "cdr"])
@pytest.mark.parametrize("separator", ["comma", "semicolon", "tab"])
async def test_a18_a19_every_session_is_one_row_of_every_file(
    kind: str, separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _box, browser = await full_box(tmp_path_factory)
    reply = await browser.call(
        "GET", f"/api/v1/transactions/export?range=all&format={kind}&separator={separator}"
    )
    sign = "," if kind == "nem12" else {"comma": ",", "semicolon": ";", "tab": "\t"}[separator]
    rows = list(csv.reader(io.StringIO(reply.text, newline=""), delimiter=sign, strict=True))
    assert [cell for row in rows for cell in row if cell.startswith(FORMULA)] == []
    if kind == "nem12":
        assert {row[0] for row in rows} <= {"100", "200", "300", "400", "900"}
        assert reply.text.isascii()
        return
    assert len(rows) == len(CORPUS) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    tags = {row[0]: row[rows[0].index("RFID Tag")] for row in rows[1:]}
    for n, text in enumerate(CORPUS):
        told = tags[str(n + 1)]
        assert told == ("'" if text.startswith(FORMULA) else "") + text


@pytest.mark.parametrize("path", ["/api/v1/alerts/export", "/api/v1/audit/export"])
async def test_a18_a19_alerts_and_audit_are_one_row_each(
    path: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _box, browser = await full_box(tmp_path_factory)
    reply = await browser.call("GET", path)
    rows = list(csv.reader(io.StringIO(reply.text, newline=""), strict=True))
    assert len(rows) >= len(CORPUS) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    assert [cell for row in rows for cell in row if cell.startswith(FORMULA)] == []
    told = {cell.removeprefix("'") for row in rows for cell in row}
    assert {text.removeprefix("'") for text in CORPUS} <= told


@pytest.mark.parametrize("path", ["/api/v1/ocpp-log/0", "/api/v1/log/file"])
async def test_a20_one_record_is_one_line_whatever_it_says(
    path: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    box, browser = await full_box(tmp_path_factory)
    reply = await browser.call("GET", path)
    assert reply.headers["content-type"].startswith("text/plain")
    lines = reply.text.split("\n")[:-1]
    assert all(line.isprintable() for line in lines)
    if "ocpp" in path:
        kept = box.frames.read(0, 500, "", ())
        assert all(frame.text.isprintable() for frame in kept.frames)
        newest = (await browser.call("GET", "/api/v1/ocpp-log?limit=500")).json["frames"]
        assert all(one["text"].isprintable() for one in newest)


async def test_a20_the_log_as_a_database_has_a_row_for_every_line(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    box, browser = await full_box(tmp_path_factory)
    file = await browser.call("GET", "/api/v1/log/file?form=db")
    db = apsw.Connection(":memory:")
    db.deserialize("main", file.body)
    assert list(db.execute("SELECT count(*) FROM log")) == [(len(box.lines),)]
    db.close()


class Elements(HTMLParser):
    """What stands in a page besides its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _value in attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.append(("!--", (data,)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def report_of(texts: list[str]) -> Elements:
    box = Box(seen=seen_of(texts))
    box.alerts.feed(box.seen.faults, START)
    shown = build(1, stamp(START), box.seen, released=True, passwords_changed="")
    return Elements(page(box.report_of(shown)))


async def test_a13_the_report_has_the_same_elements_whatever_things_are_called() -> None:
    texts = [text for text in CORPUS if text]
    hostile, plain = report_of(texts), report_of(["x" * 9] * len(texts))

    assert hostile.found == plain.found
    whole = "".join(hostile.texts)
    assert not [c for c in whole if not c.isprintable() and c != "\n"]
    for text in texts:
        if len(text) <= 300 and text.isprintable():
            assert text in whole, text


@pytest.mark.parametrize("path", [
    "snapshot", "site", "chargers", "plan", "faults", "alerts", "settings", "settings/export",
    "transactions?range=all&limit=500", "audit", "openapi.json", "passports", "log",
])  # fmt: skip
async def test_a13_what_is_told_is_json_and_no_browser_takes_it_for_a_page(
    path: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _box, browser = await full_box(tmp_path_factory)
    reply = await browser.call("GET", f"/api/v1/{path}")

    assert reply.status == 200, reply.text[:200]
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    json.loads(reply.body.decode())
    if path == "chargers":
        told = {one["name"] for one in reply.json}
        assert told == set(CORPUS)
