"""The routes of one charger and of chargers' files, and the one path that chargers may use.

Control's part is tested in `tests/sim/test_charger_errands`; here a desk says what a token opens.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from tests.unit.faces.browser import Box, Browser

from linkray.charger.errand import DONE, OURS
from linkray.faces import web
from linkray.faces.web.app import Redirect
from linkray.faces.web.handed import Folder, ForChargers
from linkray.faces.web.problem import Problem
from linkray.model import asks
from linkray.model.asks import Answer
from linkray.model.views import DiagnosticsView, Handed, UpdateState

IMAGE = b"\x00firmware" * 1000
TOKEN = "Zk0_-token"
BINARY = {"content-type": "application/octet-stream"}
FORM = (b'--xx\r\nContent-Disposition: form-data; name="file"; filename="log.zip"\r\n'
        b"Content-Type: application/zip\r\n\r\nPK\x03\x04\r\n--inside\r\n--xx--\r\n")  # fmt: skip


def raw(data: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(data))


class Held:
    """A desk that has a file for TOKEN, or (`leaves`) waits for one; both from 10.0.0.9 alone."""

    def __init__(self, folder: Path, *, leaves: bool = False, held: int = 0) -> None:
        self.folder, self.leaves, self.held = folder, leaves, held
        self.asked: list[asks.Ask] = []
        self.kept: list[tuple[str, bytes]] = []
        folder.mkdir()
        (folder / f"firmware-{'0' * 16}").write_bytes(IMAGE)

    async def ask(self, ask: Any, _who: asks.Who, _within_s: float = 10.0) -> Answer:
        self.asked.append(ask)
        if isinstance(ask, asks.OpenHanded):
            if (ask.token, ask.source) != (TOKEN, "10.0.0.9"):
                return Answer(False, "unknown", "There is nothing here")
            there = Handed(f"firmware-{'0' * 16}", "a.bin", len(IMAGE))
            return Answer(True, data=raw(Handed("", bytes_max=900) if self.leaves else there))
        if isinstance(ask, asks.KeepDiagnostics | asks.KeepFirmware):
            self.kept.append((ask.name, (self.folder / ask.part).read_bytes()))
        files = ({"name": "x", "size_bytes": 1, "sha256": "", "at": "", "by": ""},) * self.held
        shelf = {"files": files, "updates": [], "files_max": 5, "bytes_max": 9_000}
        return Answer(True, data=raw(shelf))


async def boxed(tmp_path: Path, **held: Any) -> tuple[Box, Held]:
    """The whole web application; what it asks of control about files is answered by `Held`."""
    box = await Box().open()
    desk = Held(tmp_path / "files", **held)
    box.api.folder = Folder(desk.folder)
    box.api.folder.http_port = 8080
    ask_desk = box.control.ask

    async def ask(ask: Any, who: asks.Who, within_s: float = 10.0) -> Answer:
        kinds = (asks.ReadFirmware, asks.KeepFirmware, asks.UpdateFirmware, asks.ActAtCharger,
                 asks.ChangeKey, asks.ReadConfiguration, asks.GetDiagnostics)  # fmt: skip
        return await (desk.ask if isinstance(ask, kinds) else ask_desk)(ask, who, within_s)

    box.control.ask = ask  # type: ignore[method-assign]
    return box, desk


def charger(desk: Held, address: str = "10.0.0.9") -> Browser:
    """Whoever stands at the plain port: no session, no name of ours as host."""
    app = ForChargers(Redirect(443, ["box"]), desk, Folder(desk.folder))  # type: ignore[arg-type]
    return Browser(app, client=address, host="192.0.2.1")


# -- people --------------------------------------------------------------------------------------


async def test_keys_acts_and_updates_are_asks_to_control(tmp_path: Path) -> None:
    box, desk = await boxed(tmp_path)
    browser = await box.signed_in("Installer")

    for method, path, body in (
        ("GET", "/api/v1/chargers/CP+1/configuration", None),
        ("PUT", "/api/v1/chargers/CP1/configuration", {"key": "K", "value": "=1+1"}),
        ("POST", "/api/v1/chargers/CP1/act", {"act": "trigger", "connector": 2,
                                              "message": "MeterValues"}),
        ("POST", "/api/v1/charger-firmware/update", {"name": "a.bin", "chargers": ["CP1"]}),
        ("POST", "/api/v1/chargers/CP1/diagnostics", None),
    ):  # fmt: skip
        assert (await browser.call(method, path, body)).status == 200

    assert desk.asked == [
        asks.ReadConfiguration("CP+1"), asks.ChangeKey("CP1", "K", "=1+1"),
        asks.ActAtCharger("CP1", "trigger", 2, "MeterValues"),
        asks.UpdateFirmware("a.bin", ("CP1",), "linkray-1.local", 8080),
        asks.GetDiagnostics("CP1", "linkray-1.local", 8080),
    ]  # fmt: skip


@pytest.mark.parametrize("body", [
    {"act": "explode"}, {"act": "unlock", "connector": "one"}, {}, {"act": "trigger", "more": 1},
    {"act": "trigger", "message": "StartTransaction"},
])  # fmt: skip
async def test_an_act_that_is_none_is_refused_with_its_place(tmp_path: Path, body: Any) -> None:
    box, desk = await boxed(tmp_path)
    browser = await box.signed_in("Installer")

    reply = await browser.call("POST", "/api/v1/chargers/CP1/act", body)

    assert reply.status == 422
    assert desk.asked == []


async def test_a_firmware_file_is_written_down_whole_and_control_keeps_it(tmp_path: Path) -> None:
    box, desk = await boxed(tmp_path)
    browser = await box.signed_in("Installer")

    reply = await browser.call("POST", "/api/v1/charger-firmware/files/a.bin", body=IMAGE[:9000],
                               headers=BINARY)  # fmt: skip

    assert reply.status == 200
    assert desk.kept == [("a.bin", IMAGE[:9000])]
    assert sorted(p.name[:8] for p in desk.folder.iterdir()) == ["firmware"]  # no half is left


async def test_what_cannot_be_held_is_refused_before_it_is_read(tmp_path: Path) -> None:
    box, desk = await boxed(tmp_path, held=5)
    browser = await box.signed_in("Installer")
    path = "/api/v1/charger-firmware/files/a.bin"

    full = await browser.call("POST", path, body=b"x", headers=BINARY)
    desk.held = 4
    large = await browser.call(
        "POST", path, body=b"x", headers={**BINARY, "content-length": "9001"}
    )
    kind = await browser.call("POST", path, {"no": "file"})

    assert (full.status, large.status, kind.status) == (409, 413, 415)
    assert "delete one first" in full.json["detail"]
    assert desk.kept == []


async def test_what_comes_without_a_length_ends_at_the_same_bound(tmp_path: Path) -> None:
    box, desk = await boxed(tmp_path)
    browser = await box.signed_in("Installer")
    pulled = 0

    async def parts() -> AsyncGenerator[bytes, None]:
        nonlocal pulled
        while pulled < 1_000_000:
            pulled += 1_000
            yield b"x" * 1_000

    reply = await browser.call("POST", "/api/v1/charger-firmware/files/a.bin", body=b"x" * 9_001,
                               headers=BINARY)  # fmt: skip
    with pytest.raises(Problem) as told:
        await Folder(desk.folder).take(parts(), 9_000)

    assert (reply.status, told.value.status, pulled, desk.kept) == (413, 413, 10_000, [])
    assert sorted(p.name[:8] for p in desk.folder.iterdir()) == ["firmware"]


def test_what_a_page_is_told_as_a_code_has_its_words_there() -> None:
    lang = Path(web.__file__).parent / "ui/src/lang/en.json"
    words = set(msgspec.json.decode(lang.read_bytes(), type=dict[str, str]))
    told = {f"okey.{key}" for key in OURS}
    told |= {f"fw.state.{state}" for state in get_args(UpdateState)}
    told |= {f"diag.{state}" for state in get_args(get_type_hints(DiagnosticsView)["state"])}
    told |= {f"said.{status}" for status in DONE}

    assert told - words == set()


# -- chargers ------------------------------------------------------------------------------------


async def test_a_charger_fetches_by_its_token_again_and_in_parts(tmp_path: Path) -> None:
    desk = Held(tmp_path / "files")
    its = charger(desk)
    path = f"/charger-files/{TOKEN}/a.bin"

    whole = await its.call("GET", path)
    head = await its.call("HEAD", path)
    part = await its.call("GET", path, headers={"range": "bytes=8000-8099"})

    assert (whole.status, whole.body) == (200, IMAGE)
    assert (head.status, head.headers["content-length"], head.body) == (200, "9000", b"")
    assert (part.status, part.body) == (206, IMAGE[8000:8100])
    assert whole.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(("method", "path", "address"), [
    ("GET", f"/charger-files/{TOKEN}/a.bin", "10.0.0.8"),
    ("GET", "/charger-files/another/a.bin", "10.0.0.9"),
    ("GET", "/charger-files/", "10.0.0.9"),
    ("GET", "/charger-files/../linkray.db", "10.0.0.9"),
    ("PUT", f"/charger-files/{TOKEN}/a.bin", "10.0.0.9"),
    ("DELETE", f"/charger-files/{TOKEN}/a.bin", "10.0.0.9"),
])  # fmt: skip
async def test_a17_others_find_nothing_there(
    tmp_path: Path, method: str, path: str, address: str
) -> None:
    desk = Held(tmp_path / "files")

    reply = await charger(desk, address).call(method, path)

    assert (reply.status, reply.body) == (404, b"There is nothing here")


async def test_everything_else_in_the_clear_still_only_redirects(tmp_path: Path) -> None:
    reply = await charger(Held(tmp_path / "files")).call("GET", "/api/v1/charger-firmware")

    assert reply.status == 308


@pytest.mark.parametrize(("method", "body", "kind", "kept"), [
    ("PUT", b"what I know", "text/plain", ("my log.txt", b"what I know")),
    ("POST", FORM, "multipart/form-data; boundary=xx", ("log.zip", b"PK\x03\x04\r\n--inside")),
])  # fmt: skip
async def test_a_charger_leaves_its_diagnostics(
    tmp_path: Path, method: str, body: bytes, kind: str, kept: tuple[str, bytes]
) -> None:
    desk = Held(tmp_path / "files", leaves=True)

    reply = await charger(desk).call(method, f"/charger-files/{TOKEN}/my%20log.txt", body=body,
                                     headers={"content-type": kind})  # fmt: skip

    assert reply.status == 201
    assert desk.kept == [kept]


async def test_more_than_there_is_room_for_is_not_taken(tmp_path: Path) -> None:
    desk = Held(tmp_path / "files", leaves=True)

    reply = await charger(desk).call("PUT", f"/charger-files/{TOKEN}/x", body=b"x" * 901)

    assert (reply.status, desk.kept) == (413, [])
    assert sorted(p.name[:8] for p in desk.folder.iterdir()) == ["firmware"]
