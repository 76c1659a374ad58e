"""The API's routes for tags: the list, import and export, what was refused, learn mode."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.faces.browser import Box, Browser
from tests.unit.model.test_tags import HOSTILE

from linkray.desk.snapshot import Seen
from linkray.model.records import TagRejected
from linkray.model.settings import Settings, Site
from linkray.model.tagsheet import HEADER

CSV = {"content-type": "text/csv"}
BERLIN = Seen(settings=Settings(site=Site(time_zone="Europe/Berlin")))


async def opened(seen: Seen | None = None) -> tuple[Box, Browser]:
    box = await Box(seen=seen).open()
    return box, await box.signed_in("Installer")


async def shown(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    found = (await browser.call("GET", f"/api/v1/tags{query}")).json["tags"]
    return [one for one in found if one["tag"] != "04"]  # the box's own


async def imported(browser: Browser, text: str | bytes, query: str = "") -> Any:
    body = text.encode() if isinstance(text, str) else text
    path = f"/api/v1/tags/import{query}"
    return await browser.call("POST", path, body=body, headers=CSV)


async def test_a_tag_is_added_shown_edited_and_deleted() -> None:
    _box, browser = await opened(BERLIN)
    tag = {"tag": " 0453F142F97280 ", "name": "Ellen ", "expires": "2027-01-31"}
    assert (await browser.call("POST", "/api/v1/tags", {"tags": [tag]})).json["new"] == 1
    assert await shown(browser) == [{
        "tag": "0453F142F97280", "name": "Ellen", "type": "User", "allowed": True,
        "expires": "2027-01-31T23:00:00.000Z",
    }]  # fmt: skip

    again = await browser.call("POST", "/api/v1/tags", {"tags": [{"tag": "0453f142f97280"}]})
    assert again.status == 409
    assert again.json["detail"] == "…7280 is on the list already"

    edit = {"was": "0453f142f97280", "tag": {"tag": "C42D5E8A", "type": "VIP"}}
    assert (await browser.call("PUT", "/api/v1/tags", edit)).status == 200
    assert [(t["tag"], t["type"]) for t in await shown(browser)] == [("C42D5E8A", "VIP")]
    gone = await browser.call("POST", "/api/v1/tags/delete", {"tags": ["c42d5e8a"]})
    assert gone.json["gone"] == 1
    assert await shown(browser) == []
    assert (await browser.call("POST", "/api/v1/tags/delete", {"tags": ["x"]})).status == 404


@pytest.mark.parametrize(("tag", "path"), [
    ({"tag": ""}, "$.tags[0].tag"), ({"tag": "x" * 21}, "$.tags[0].tag"),
    ({"tag": "x", "name": "n" * 101}, "$.tags[0].name"),
    ({"tag": "x", "name": "a\nb"}, "$.tags[0].name"), ({"tag": "\x00"}, "$.tags[0].tag"),
    ({"tag": "x", "expires": "soon"}, "$.tags[0].expires"),
    ({"tag": "x", "type": "Boss"}, "$.tags[0].type"), ({"tag": "x", "more": 1}, None),
    ({"tag": 5}, "$.tags[0].tag"),
])  # fmt: skip
async def test_what_is_wrong_with_a_tag_is_told_with_its_path(tag: object, path: str) -> None:
    _box, browser = await opened()

    reply = await browser.call("POST", "/api/v1/tags", {"tags": [tag]})

    assert reply.status == 422
    if path:
        assert reply.json["path"] == path
    assert await shown(browser) == []


async def test_a_file_is_previewed_imported_and_comes_out_the_same() -> None:
    _box, browser = await opened()
    await browser.call("POST", "/api/v1/tags/clear")
    text = (
        f"{HEADER}\r\n'-A1,'=Ellen,VIP,yes,2027-01-31T18:00:00.000Z\r\n"
        'B2,"a,""b",User,no,\r\n'
    )

    preview = (await imported(browser, text, "?check=1&replace=1")).json
    assert (preview["imported"], preview["new"], preview["bad"]) == (False, 2, [])
    assert await shown(browser) == []
    assert (await imported(browser, text)).json["imported"] is True
    assert [t["name"] for t in await shown(browser)] == ["=Ellen", 'a,"b']

    file = await browser.call("GET", "/api/v1/tags/export")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="linkray-tags.csv"' in file.headers["content-disposition"]
    assert file.text == text
    again = (await imported(browser, file.body, "?check=1&replace=1")).json
    assert (again["new"], again["changed"], again["same"], again["gone"]) == (0, 0, 2, 0)
    found = await browser.call("GET", "/api/v1/tags/export?find=ellen")
    assert found.text.count("\r\n") == 2


async def test_a_file_with_a_bad_line_changes_nothing_and_every_bad_line_is_named() -> None:
    box, browser = await opened()
    text = "A1,Ellen\nA2\nA3,x,Boss\n"

    preview = (await imported(browser, text, "?check=1")).json
    assert [(b["line"], b["text"]) for b in preview["bad"]] == [(2, "A2"), (3, "A3,x,Boss")]
    refused = await imported(browser, text)
    assert refused.status == 422
    assert "line 2: " in refused.json["detail"]
    assert "line 3: " in refused.json["detail"]
    assert await shown(browser) == []
    empty = await imported(browser, "\n")
    assert empty.status == 422
    assert box.store is not None
    assert "import" not in repr(await box.store.audit_lines())


async def test_ten_thousand_tags_go_in_by_a_file_and_come_out_in_parts() -> None:
    _box, browser = await opened()
    text = "".join(f"T{n:06},name {n}\n" for n in range(10_000))

    told = (await imported(browser, text, "?replace=1")).json
    assert (told["new"], told["gone"]) == (10_000, 1)
    page = (await browser.call("GET", "/api/v1/tags?find=NAME%2099&skip=100&limit=50")).json
    assert (page["found"], page["total"], len(page["tags"])) == (111, 10_000, 11)
    file = await browser.call("GET", "/api/v1/tags/export")
    assert file.text.count("\r\n") == 10_001
    large = await imported(browser, b"x" * (4 * 1024 * 1024 + 1))
    assert large.status == 413


async def test_a13_a18_hostile_strings_go_through_every_entry_and_stay_text() -> None:
    _box, browser = await opened()
    rows = [{"tag": f"T{n}", "name": name} for n, name in enumerate(HOSTILE)]
    assert (await browser.call("POST", "/api/v1/tags", {"tags": rows})).status == 200

    page = await browser.call("GET", "/api/v1/tags?limit=500")
    assert page.headers["content-type"] == "application/json"
    names = {one["tag"]: one["name"] for one in page.json["tags"]}
    assert all(names[f"T{n}"] == name.strip() for n, name in enumerate(HOSTILE))
    file = await browser.call("GET", "/api/v1/tags/export")
    back = (await imported(browser, file.body, "?check=1&replace=1")).json
    assert (back["same"], back["bad"]) == (len(HOSTILE) + 1, [])


@pytest.mark.parametrize("query", [
    "?order=price", "?skip=-1", "?limit=many", "?skip=1e3", "?find=" + "x" * 5000,
])  # fmt: skip
async def test_a_strange_question_is_refused_or_finds_nothing(query: str) -> None:
    _box, browser = await opened()

    reply = await browser.call("GET", f"/api/v1/tags{query}")

    assert reply.status == (200 if "find" in query else 422)


async def test_refused_tags_are_shown_in_parts() -> None:
    box, browser = await opened()
    await browser.call("GET", "/api/v1/tags")
    assert box.store is not None
    at = "2026-11-23T11:00:00.000Z"
    await box.store.commit([TagRejected(f"R{n}", "CP1", at) for n in range(5)])

    first = (await browser.call("GET", "/api/v1/tags/rejected?limit=2")).json
    rest = await browser.call("GET", f"/api/v1/tags/rejected?before={first['tags'][-1]['number']}")

    assert [t["tag"] for t in first["tags"] + rest.json["tags"]] == ["R4", "R3", "R2", "R1", "R0"]
    assert first["found"] == 5


async def test_learn_mode_is_seen_by_all_and_begun_by_an_installer() -> None:
    box, browser = await opened()
    on = await browser.call("PUT", "/api/v1/tags/learn", {"on": True, "charger": "CP1"})
    watching = await box.signed_in("EV")

    seen = (await watching.call("GET", "/api/v1/tags/learn")).json

    assert on.json == seen == {"left_s": 30, "remove": False, "charger": "CP1", "tags": []}
    assert (await watching.call("PUT", "/api/v1/tags/learn", {"on": False})).status == 403
    assert (await watching.call("GET", "/api/v1/tags/export")).status == 200
