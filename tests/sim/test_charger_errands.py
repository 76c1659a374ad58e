"""What a person asks of one charger: keys, restarts, cables, messages, firmware, diagnostics.

The whole firmware on virtual time. A charger fetches and leaves files by its own small HTTP client;
`Faces` stands for the other process, whose part is tested in `tests/unit/faces/test_web_chargers`
and, with both processes, in `tests/e2e/test_browser_chargers`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import trio
from tools.simulator.scene import Scene, scene, single, site
from trio.testing import memory_stream_pair

from linkray.charger.errand import OURS
from linkray.model import asks
from linkray.model.asks import LOCAL, Answer, AnyAsk, Who
from linkray.model.handed import FOLDER, PATH
from linkray.model.uplink import OWNED

HERE = Who("Installer", LOCAL, "192.0.2.7")
FACES = Who("faces", 4)
IMAGE = b"\x7fELF new firmware " * 999
THERE = "10.0.0.9"  # where the scene's chargers dial from


class Faces:
    """Faces' part of it: a server of one request a connection, for whoever dials from `source`."""

    def __init__(self, s: Scene, source: str = THERE) -> None:
        self.s, self.source = s, source
        self.asked: list[str] = []

    async def dial(self, host: str, port: int) -> trio.abc.Stream:
        assert (host, port) == ("192.0.2.1", 8080)
        here, there = memory_stream_pair()
        self.s.nursery.start_soon(self.serve, there)
        return here

    async def serve(self, stream: trio.abc.Stream) -> None:
        head, _, body = bytes(await stream.receive_some()).partition(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.asked.append(path)
        token, _, name = path.removeprefix(PATH).partition("/")
        status, words = await self._answer(method, token, name, body)
        told = f"HTTP/1.1 {status} X\r\nContent-Length: {len(words)}\r\n\r\n"
        await stream.send_all(told.encode() + words)

    async def _answer(self, method: str, token: str, name: str, body: bytes) -> tuple[int, bytes]:
        opened = await self.s.house.desk.ask(asks.OpenHanded(token, self.source), FACES)
        if not opened.ok:
            return 404, b""
        handed = msgspec.json.decode(opened.data)
        folder = self.s.folder / FOLDER
        if method == "GET":
            return 200, (folder / handed["stored"]).read_bytes()
        part = "incoming-00000000000000aa"
        (folder / part).write_bytes(body)
        kept = asks.KeepDiagnostics(token, self.source, part, name)
        return (201 if (await self.s.house.desk.ask(kept, FACES)).ok else 404), b""


async def ask(s: Scene, wish: AnyAsk, who: Who = HERE) -> Answer:
    return await s.house.desk.ask(wish, who, 40.0)


def read(answer: Answer) -> Any:
    assert answer.ok, answer.text
    return msgspec.json.decode(answer.data)


async def audited(s: Scene) -> list[str]:
    return [f"{line.what} {line.old}>{line.new}" for line in await s.store.audit_lines(30)]


def write(file: Path, content: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)


async def hold(s: Scene, name: str = "TAC-1.8.28.bin", content: bytes = IMAGE) -> Answer:
    """Faces has written what came, and asks for it to be kept."""
    part = "incoming-0123456789abcdef"
    write(s.folder / FOLDER / part, content)
    return await ask(s, asks.KeepFirmware(part, name))


def update(*chargers: str, name: str = "TAC-1.8.28.bin") -> asks.UpdateFirmware:
    return asks.UpdateFirmware(name, chargers, "192.0.2.1", 8080)


async def state_of(s: Scene, charger: str = "C1") -> dict[str, Any]:
    shelf = read(await ask(s, asks.ReadFirmware()))
    return next(one for one in shelf["updates"] if one["charger"] == charger)


# -- keys and acts -------------------------------------------------------------------------------


def test_whatever_linkray_writes_at_a_charger_nobody_changes_by_hand() -> None:
    assert {key.lower() for key in OWNED} <= OURS
    assert "authorizationkey" in OURS


async def test_keys_are_read_and_one_is_changed_with_its_answer_and_an_audit_line() -> None:
    async with scene(site(60, single("C1"))) as s:
        await s.world.charger("C1").wait_ready()

        keys = {one["key"]: one for one in read(await ask(s, asks.ReadConfiguration("C1")))}
        said = read(await ask(s, asks.ChangeKey("C1", "HeartbeatInterval", "120")))

        assert keys["MeterValueSampleInterval"]["ours"] is True
        assert keys["NumberOfConnectors"]["readonly"] is True
        assert keys["HeartbeatInterval"]["ours"] is False
        assert said["status"] == "Accepted"
        assert s.world.charger("C1").keys["HeartbeatInterval"].value == "120"
        before = keys["HeartbeatInterval"]["value"]
        assert f"key HeartbeatInterval of C1 {before}>120" in await audited(s)


async def test_what_the_charger_refuses_and_what_linkray_needs_is_told_and_not_pretended() -> None:
    async with scene(site(60, single("C1"))) as s:
        await s.world.charger("C1").wait_ready()

        unknown = await ask(s, asks.ChangeKey("C1", "Colour", "red"))
        fixed = await ask(s, asks.ChangeKey("C1", "NumberOfConnectors", "9"))
        ours = await ask(s, asks.ChangeKey("C1", "metervaluesampleinterval", "900"))
        long = await ask(s, asks.ChangeKey("C1", "HeartbeatInterval", "1" * 501))
        gone = await ask(s, asks.ChangeKey("C9", "HeartbeatInterval", "60"))

        assert unknown.text == "The charger answered NotSupported"
        assert fixed.text == "The charger answered Rejected"
        assert (ours.code, "LinkRay's own" in ours.text) == ("refused", True)
        assert (long.code, gone.code) == ("invalid", "unknown")
        assert not any("900" in json.dumps(t) for _, t in s.told("C1", "ChangeConfiguration"))


async def test_a_charger_restarts_frees_its_cable_and_goes_out_of_service_when_asked() -> None:
    async with scene(site(60, single("C1"))) as s:
        charger = s.world.charger("C1")
        await charger.wait_ready()
        s.charge("C1")
        await s.offered(32, names="C1")

        freed = read(await ask(s, asks.ActAtCharger("C1", "unlock", 1)))
        out = read(await ask(s, asks.ActAtCharger("C1", "inoperative", 1)))
        await s.until(lambda: charger.connector().status == "Unavailable", 30)
        back = read(await ask(s, asks.ActAtCharger("C1", "operative", 1)))
        cache = read(await ask(s, asks.ActAtCharger("C1", "clear_cache")))
        dials = charger.dials
        reset = read(await ask(s, asks.ActAtCharger("C1", "reset_hard")))
        await s.until(lambda: charger.dials > dials, 120)

        assert [one["status"] for one in (freed, out, back, cache, reset)] == [
            "Unlocked", "Accepted", "Accepted", "Accepted", "Accepted"
        ]  # fmt: skip
        assert any("reset_hard" in line for line in await audited(s))
        s.is_safe()


async def test_a_charger_is_asked_to_say_something_and_where_it_says_nothing_that_is_told() -> None:
    async with scene(site(60, single("C1"))) as s:
        charger = s.world.charger("C1")
        await charger.wait_ready()

        said = read(await ask(s, asks.ActAtCharger("C1", "trigger", 1, "MeterValues")))
        never = await ask(s, asks.ActAtCharger("C1", "trigger", 0, "FirmwareStatusNotification"))
        nowhere = await ask(s, asks.ActAtCharger("C1", "unlock", 7))
        charger.stop_answering()
        silent = await ask(s, asks.ActAtCharger("C1", "clear_cache"))

        assert said["status"] == "Accepted"
        assert never.text == "The charger answered NotImplemented"
        assert nowhere.code == "unknown"
        assert silent.code == "timeout"


# -- firmware ------------------------------------------------------------------------------------


async def test_a_charger_fetches_its_firmware_by_a_token_and_says_how_it_goes() -> None:
    async with scene(site(60, single("C1"), single("C2"), single("C3"))) as s:
        faces = Faces(s)
        for charger in s.world.chargers.values():
            charger.http = faces.dial
            await charger.wait_ready()
        s.charge("C2")
        await s.offered(32, names="C2")
        s.world.charger("C3").pull_cable(10_000.0)
        await s.until(lambda: "C3" not in s.house.chargers.links, 200)
        held = read(await hold(s))

        told = await ask(s, update("C1", "C2", "C3"))
        states = {one["charger"]: (one["state"], one["text"]) for one in read(told)["updates"]}
        await s.until(lambda: s.world.charger("C1").firmware == "TAC-1.8.28.bin", 120)
        await s.until(lambda: s.house.views["C1"].value.firmware == "TAC-1.8.28.bin", 120)

        assert held["files"][0]["size_bytes"] == len(IMAGE)
        assert told.text == "1 charger told, 2 left out"
        assert states["C2"] == ("left_out", "it is charging")
        assert states["C3"] == ("left_out", "it is not connected")
        assert s.world.charger("C1").fetched == IMAGE
        done = await state_of(s)
        assert (done["state"], done["before"], done["now"]) == (
            "Installed", "1.0.0", "TAC-1.8.28.bin"
        )  # fmt: skip
        opened = await s.house.desk.ask(asks.OpenHanded(faces.asked[0].split("/")[2], THERE), FACES)
        assert not opened.ok  # it has ended with the update


async def test_a17_a_token_is_for_one_address_alone() -> None:
    async with scene(site(60, single("C1"))) as s:
        faces = Faces(s, source="10.0.0.66")
        charger = s.world.charger("C1")
        charger.http = faces.dial
        await charger.wait_ready()
        await hold(s)

        await ask(s, update("C1"))
        await s.until(lambda: bool(faces.asked), 60)
        token = faces.asked[0].split("/")[2]
        await s.until(lambda: any("DownloadFailed" in f.text for f in s.frames), 60)

        def opens(address: str, word: str = token) -> Any:
            return s.house.desk.ask(asks.OpenHanded(word, address), FACES)

        assert charger.fetched == b""
        assert not (await opens("10.0.0.66")).ok
        assert not (await opens(THERE, token[:-1])).ok
        assert (await opens(THERE)).ok
        assert (await opens(f"::ffff:{THERE}")).ok  # again, and ranged, as often as it takes
        again = await ask(s, update("C1"))
        assert read(again)["updates"][0]["state"] in ("fetched", "DownloadFailed")
        assert again.text == "1 charger told"  # not another token: it goes on


async def test_five_files_are_held_whole_and_no_more_and_one_in_use_stays() -> None:
    async with scene(site(60, single("C1"))) as s:
        charger = s.world.charger("C1")
        charger.http = Faces(s, source="10.0.0.66").dial
        await charger.wait_ready()
        for n in range(5):
            assert (await hold(s, f"f{n}.bin")).ok
        folder = s.folder / FOLDER

        sixth = await hold(s, "f5.bin")
        await ask(s, update("C1", name="f0.bin"))
        in_use = await ask(s, asks.DeleteFirmware("f0.bin"))
        gone = await ask(s, asks.DeleteFirmware("f1.bin"))
        bad = [await hold(s, name) for name in ("../x.bin", "a b.bin", "f2.bin", ".x", "é.bin")]
        empty = await hold(s, "empty.bin", b"")
        foreign = await ask(s, asks.KeepFirmware("../linkray.db", "x.bin"))

        assert "5 files are held" in sixth.text
        assert "C1 is fetching it" in in_use.text
        assert [one["name"] for one in read(gone)["files"]] == ["f0.bin", "f2.bin", "f3.bin",
                                                                "f4.bin"]  # fmt: skip
        assert {one.code for one in bad} == {"refused"}
        assert (empty.code, foreign.code) == ("refused", "invalid")
        assert len(list(folder.iterdir())) == 4  # nothing by halves


async def test_files_and_updates_are_there_after_a_restart_and_rubbish_is_not() -> None:
    async with scene(site(60, single("C1"))) as s:
        charger = s.world.charger("C1")
        charger.http = Faces(s).dial
        await charger.wait_ready()
        await hold(s)
        (s.folder / FOLDER / "what-is-this").write_bytes(b"?")
        await s.until(lambda: s.house.views["C1"].value.firmware == "1.0.0", 60)
        await ask(s, update("C1"))
        await s.until(lambda: charger.firmware == "TAC-1.8.28.bin", 120)

        await s.restart()
        await s.until(lambda: s.house.views["C1"].value.connected, 120)

        shelf = read(await ask(s, asks.ReadFirmware()))
        assert [one["name"] for one in shelf["files"]] == ["TAC-1.8.28.bin"]
        assert shelf["updates"][0]["before"] == "1.0.0"
        assert len(list((s.folder / FOLDER).iterdir())) == 1


# -- diagnostics ---------------------------------------------------------------------------------


async def test_a_charger_leaves_its_diagnostics_and_a_person_gets_them() -> None:
    async with scene(site(60, single("C1"))) as s:
        charger = s.world.charger("C1")
        charger.http = Faces(s).dial
        await charger.wait_ready()

        said = read(await ask(s, asks.GetDiagnostics("C1", "192.0.2.1", 8080)))
        await s.until(lambda: s.house.charger_files.handouts.books.left["C1"].stored, 60)
        listed = read(await ask(s, asks.ReadDiagnostics()))
        handed = read(await ask(s, asks.OpenDiagnostics("C1")))

        assert said["status"] == "Accepted"
        assert (listed[0]["state"], listed[0]["name"]) == ("kept", "C1.log")
        assert b"sessions" in (s.folder / FOLDER / handed["stored"]).read_bytes()
        assert not (await ask(s, asks.OpenDiagnostics("C2"))).ok
