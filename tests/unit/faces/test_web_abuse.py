"""Requests that break off, come twice or are something else (trust.md 2, W5, W7, W8; 3, A12, A46).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.kept import keep_sessions
from tests.unit.faces.browser import Box
from tests.unit.faces.test_web_chargers import BINARY, IMAGE, boxed

from linkray.model.settings import Charger, Settings, Site
from linkray.store.db import FILE
from linkray.store.reader import Reader

TENTHS = range(10)


@pytest.mark.parametrize("origin", ["https://evil.example", "https://linkray-1.local", None])
@pytest.mark.parametrize("path", ["/api/v1/events", "/", "/ws"])
async def test_a12_the_pages_open_no_websocket_to_anybody(path: str, origin: str | None) -> None:
    """CHARX-25996 took commands from any page that opened one: there is none to be opened."""
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    scope = {**browser.scope("GET", path, {**browser.headers("GET"), "origin": origin}),
             "type": "websocket"}  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await box.app(scope, receive, send)

    assert not [one for one in sent if one["type"] == "websocket.accept"]


async def test_a46_the_process_of_the_pages_cannot_write_the_database(tmp_path: Path) -> None:
    keep_sessions(tmp_path, {"id": 1})
    reader = Reader(tmp_path / FILE)
    for words in ("DELETE FROM transactions", "CREATE TABLE x (y)", "PRAGMA user_version = 9"):
        with pytest.raises(apsw.ReadOnlyError):
            reader._db.execute(words)
    reader.close()


# -- W5: the same twice ----------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "body", "second"), [
    ("PATCH", "/api/v1/settings", {"site": {"name": "Yard"}}, 412),
    ("POST", "/api/v1/tags", {"tags": [{"tag": "A1"}]}, 409),
    ("POST", "/api/v1/tags/delete", {"tags": ["04"]}, 404),
    ("PUT", "/api/v1/commissioning/meter", {"done": True}, 200),
])  # fmt: skip
async def test_w5_what_is_sent_twice_is_done_once(
    method: str, path: str, body: Any, second: int
) -> None:
    box = await Box().open()
    browser = await box.signed_in("Installer")
    assert (await browser.call("GET", "/api/v1/tags")).status == 200
    tag = (await browser.call("GET", "/api/v1/settings")).headers["etag"]
    more = {"if-match": tag} if method == "PATCH" else {}

    first = await browser.call(method, path, body, headers=more)
    revision = box.shelf.revision
    again = await browser.call(method, path, body, headers=more)

    assert (first.status, again.status) == (200, second)
    assert box.shelf.revision == revision


# -- W7: what breaks off ---------------------------------------------------------------------------


async def broken_off(box: Box, path: str, content: bytes, media: dict[str, str], at: int) -> int:
    """The status of an upload whose sender goes away after so many tenths."""
    browser = await box.signed_in("Assembler")
    headers = {**browser.headers("POST"), **media, "content-length": str(len(content))}
    pieces = [content[: len(content) * at // 10]]
    sent: list[Any] = []

    async def receive() -> Any:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": True}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await box.app(browser.scope("POST", path, headers), receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize("at", TENTHS)
async def test_w7_an_upload_that_breaks_off_leaves_no_file(tmp_path: Path, at: int) -> None:
    box, desk = await boxed(tmp_path)
    before = sorted(desk.folder.iterdir())

    status = await broken_off(
        box, "/api/v1/charger-firmware/files/b.bin", IMAGE[:9000], BINARY, at
    )

    assert status == 400
    assert sorted(desk.folder.iterdir()) == before
    assert desk.kept == []


@pytest.mark.parametrize(("path", "media"), [
    ("/api/v1/settings/import", "application/json"), ("/api/v1/tags/import", "text/csv"),
    ("/api/v1/branding", "application/zip"), ("/api/v1/licence", "text/plain"),
    ("/api/v1/certificate", "application/json"), ("/api/v1/meters/own", "text/plain"),
])  # fmt: skip
async def test_w7_an_import_that_breaks_off_changes_nothing(path: str, media: str) -> None:
    box = await Box().open()
    for at in TENTHS:
        content = b'{"site":{"name":"half"}}' + b" " * 900
        assert await broken_off(box, path, content, {"content-type": media}, at) == 400
    assert box.shelf.settings.value == Settings()
    assert box.did == []


# -- W8: settings of somebody else -----------------------------------------------------------------


async def test_w8_a_settings_file_cut_anywhere_or_of_another_kind_changes_nothing() -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    before = Settings(site=Site(name="Mill"), chargers=(Charger("CP1", name="Bay 1"),))
    box.shelf.settings.set(before)
    whole = (await browser.call("GET", "/api/v1/settings/export")).body.rstrip()
    newer = json.dumps({**json.loads(whole), "version": 99}).encode()
    strange = json.dumps({**json.loads(whole), "kitchen": {"sink": 1}}).encode()
    foreign = (b"[]", b"7", b'"settings"', b"null", b"<xml/>", b"PK\x03\x04", b"\x89PNG", b"{}x",
               b'{"site":[]}', b'{"site":{"name":"x","name":"y"}}' * 2, newer, strange)  # fmt: skip
    cuts = [whole[:at] for at in range(0, len(whole), 7)]
    for text in (*cuts, *foreign):
        reply = await browser.call("POST", "/api/v1/settings/import", body=text,
                                   headers={"content-type": "application/json"})  # fmt: skip
        assert reply.status in {400, 422}, (text[-40:], reply.status)
    assert box.shelf.settings.value == before
