"""Chargers that say every text of the corpus wherever OCPP lets them say one.

Each is written down as one line, told in full where it is a name, and changes nothing for anybody
(trust.md 3, A13, A18, A20, A23; CHARX -25997 put lines of its own into the log by such names).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
import trio
from tests.hostile import CORPUS
from tools.simulator.scene import LOG, Scene, hungry, scene, single, site

from linkray.faces.web.report import page
from linkray.model.asks import ReadBundle, ReadFrames, ReadReport, SupportBundle
from linkray.model.views import FramesRead, Report

C = [single(f"C{n}", name=f"Bay {n}") for n in range(1, 6)]
PACE_S = 0.3  # slower than a charger is slowed down
CHARS_MAX = 5_000  # five of them fit into a frame


def frames_of(action: str, payload: dict[str, Any]) -> str:
    return json.dumps([2, f"h-{action}", action, payload], ensure_ascii=False)


def boots(text: str) -> str:
    return frames_of("BootNotification", {
        "chargePointVendor": text, "chargePointModel": text, "firmwareVersion": text,
        "chargePointSerialNumber": text, "iccid": text,
    })  # fmt: skip


def tells(text: str) -> str:
    return frames_of("StatusNotification", {
        "connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "info": text,
        "vendorId": text, "vendorErrorCode": text,
    })  # fmt: skip


def shows(text: str) -> str:
    return frames_of("Authorize", {"idTag": text})


def sends(text: str) -> str:
    return frames_of("DataTransfer", {"vendorId": text, "messageId": text, "data": text})


def measures(text: str) -> str:
    sample = {"value": text, "unit": text, "measurand": text, "context": text, "phase": text}
    values = [{"timestamp": text, "sampledValue": [sample]}]
    return frames_of("MeterValues", {"connectorId": 1, "meterValue": values})


SAYS = {"boots": boots, "tells": tells, "shows": shows, "sends": sends, "measures": measures}


async def says(s: Scene, charger: str, what: Any) -> None:
    """All of the corpus that a frame has room for, one after the other."""
    for text in CORPUS:
        if len(text) <= CHARS_MAX:
            s.world.charger(charger).say(what(text))
            await trio.sleep(PACE_S)


class Tags(HTMLParser):
    """The names of all elements of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _value in attrs if name.startswith("on") or name == "src"]
        self.found.add(tag)


def texts_of(packed: bytes) -> Iterator[tuple[str, str]]:
    """What a support bundle holds, but for the recording."""
    with zipfile.ZipFile(io.BytesIO(packed)) as whole:
        for name in whole.namelist():
            if not name.endswith(".gz"):
                yield name, whole.read(name).decode()


@pytest.mark.parametrize("what", SAYS)
async def test_a13_a20_whatever_a_charger_says_is_one_line_and_harms_nobody(what: str) -> None:
    async with scene(site(100, *C[:2])) as s:
        s.charge("C2", car=hungry)
        await s.until(lambda: s.world.charger("C2").true_current_ma() != (0, 0, 0), 90)
        s.on_frame = lambda frame: s.house.frames.add(frame.charger, frame.way, frame.text)
        near = s.watch("C2")
        dials = s.world.charger("C1").dials

        await says(s, "C1", SAYS[what])

        assert s.world.charger("C1").dials == dials, s.lines("link")
        assert all(line.isprintable() for line in LOG.lines)
        read = msgspec.json.decode((await s.ask(ReadFrames(limit=500))).data, type=FramesRead)
        assert read.frames
        assert all(frame.text.isprintable() for frame in read.frames)
        shown = s.house.views["C1"].value
        told = json.loads(msgspec.json.encode(shown))
        assert told["name"] == "Bay 1"
        report = msgspec.json.decode((await s.ask(ReadReport())).data, type=Report)
        html = page(report)
        assert not [c for c in html if not c.isprintable() and c != "\n"]
        assert not Tags(html).found & {"script", "img", "svg", "iframe", "a", "form", "object"}
        bundle = msgspec.json.decode((await s.ask(ReadBundle())).data, type=SupportBundle)
        for name, text in texts_of(bundle.content):
            if name == "linkray.log" or name.startswith("OCPP"):
                assert all(line.isprintable() for line in text.split("\n")), name
            elif name.endswith(".json"):
                json.loads(text)
        s.went_on(near, 100)
        assert s.world.limit_exceeded_s == 0


PAGE = (
    "GET {path} HTTP/1.1\r\nHost: box\r\nOrigin: https://evil.example\r\n"
    "Cookie: __Host-linkray=x\r\nAccept: text/html\r\n{more}\r\n"
)
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize(("path", "more"), [
    ("/", ""), ("/C1", ""), ("/index.html", ""), ("/C1", UPGRADE),
    ("/C1", UPGRADE + "Sec-WebSocket-Protocol: ocpp1.6\r\n"),
])  # fmt: skip
async def test_a12_the_chargers_port_serves_no_page_and_takes_no_cookie(
    path: str, more: str
) -> None:
    """CHARX-25996: a page of somebody else opened a socket there, with its visitor's cookie."""
    async with scene(site(100, *C[:1])) as s:
        await s.until(lambda: "C1" in s.house.chargers.links, 60)
        stream = await s.dial("10.0.0.66")()
        await stream.send_all(PAGE.format(path=path, more=more).encode())
        heard = b""
        with trio.move_on_after(15):
            while b"\r\n\r\n" not in heard and (piece := await stream.receive_some()):
                heard += piece
        await trio.aclose_forcefully(stream)

        assert b"101 " not in heard[:20], "a live charger keeps its link"
        assert b"html" not in heard.lower()
        assert b"set-cookie" not in heard.lower()
        assert s.house.chargers.links


async def test_a49_a_message_that_trips_us_over_again_and_again_ends_its_own_link_alone() -> None:
    """CHARX-24002 came down at one. Here a mistake of ours is put in; its link ends each time."""
    async with scene(site(100, *C[:2]), strict=False) as s:
        s.charge("C2", car=hungry)
        await s.until(lambda: s.world.charger("C2").true_current_ma() != (0, 0, 0), 90)
        near, first = s.watch("C2"), s.world.charger("C1")

        def trip(charger: str, way: str, text: str) -> None:
            if "poison" in text and way == "in":
                raise ZeroDivisionError(charger)

        s.house.chargers.ocpp_log = trip
        dials = first.dials
        for _again in range(60):
            await s.until(lambda: first.is_connected, 60)
            first.say(frames_of("DataTransfer", {"vendorId": "poison"}))
            await trio.sleep(10)

        assert first.dials >= dials + 3
        assert s.lines("link failed, its neighbours go on")
        s.went_on(near, 500)
        assert s.world.limit_exceeded_s == 0
