"""Control and faces are two processes: one may die, hang or be overrun, and the other goes on."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import sqlite3
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest
import trio
from tests.e2e.box import Box, Client, box_in, until, world_settings

from linkray.faces.client import DeskClient

pytestmark = pytest.mark.realtime

CHARGERS = 8
PLAN_LATE_S = 1.5  # house.md: no plan later than that
DEATHS = 6


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The simulated site, live: control, faces, eight chargers, a building, a meter."""
    with box_in(tmp_path_factory.mktemp("site")) as box:
        box.import_settings(world_settings())
        box.reader = box.key("read")
        box.start_control()
        box.start_world()
        box.start_web()
        until(lambda: connected(client_of(box)) == CHARGERS, 30, "all chargers are connected")
        until(lambda: client_of(box).get("meter")["healthy"], 30, "the meter is read")
        yield box


def client_of(box: Box) -> Client:
    return box.client(box.reader)


def connected(client: Client) -> int:
    site = client.try_get("site")
    return 0 if site is None else site["chargers_connected"]


class Desk:
    """Watches the plans at the desk's own socket, as faces do, while these come and go."""

    def __init__(self, box: Box) -> None:
        self.seen: list[tuple[float, int, int]] = []  # when, the plan's seq, chargers connected
        self._path = box.state / "desk.sock"
        self._ends = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._watch,))

    async def _watch(self) -> None:
        client = DeskClient(self._path)
        async with trio.open_nursery() as nursery:
            await nursery.start(client.run)
            seq = -1
            while not self._ends.is_set():
                with trio.move_on_after(0.5):
                    seq, raw = await client.snapshot.wait_newer(seq)
                    self._note(raw)
            nursery.cancel_scope.cancel()

    def _note(self, raw: bytes | None) -> None:
        if raw is not None:
            told = json.loads(raw)
            plan, site = told["plan"]["seq"], told["site"]["chargers_connected"]
            self.seen.append((time.monotonic(), plan, site))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ends.set()
        self._thread.join(10)

    def longest_pause_s(self) -> float:
        """Between two snapshots that told of two different plans."""
        changes = [self.seen[0][0]]
        for (_t, before, _c), (at, after, _d) in itertools.pairwise(self.seen):
            if after != before:
                changes.append(at)
        changes.append(self.seen[-1][0])
        return max(b - a for a, b in itertools.pairwise(changes))


def links_made(box: Box) -> int:
    return box.log().count("charger connected")


def test_w14_faces_killed_again_and_again_delay_no_plan_and_no_charger_notices(site: Box):
    links, revived = links_made(site), 0
    with Desk(site) as desk, client_of(site).events() as events:
        next(events)
        for _death in range(DEATHS):
            site.web.kill()
            site.start_web()  # as systemd would
            until(lambda: connected(client_of(site)) == CHARGERS, 10, "faces serve again")
            revived += 1
    assert revived == DEATHS
    assert len(desk.seen) >= 3
    assert desk.longest_pause_s() <= PLAN_LATE_S
    assert min(count for _at, _plan, count in desk.seen) == CHARGERS
    assert links_made(site) == links
    assert site.control.alive


def test_control_killed_is_shown_within_2_s_and_comes_back_without_a_new_dial(site: Box):
    client = client_of(site)
    running = until(lambda: sessions(client), 60, "the first car has come")
    with client.events() as events:
        assert next(events)[0] == "snapshot"
        site.control.kill()
        killed = time.monotonic()
        name = next(name for name, _number, _data in events if name != "snapshot")
        assert name == "away"
        assert time.monotonic() - killed <= 2.0
        answer = client.ask("GET", "/api/v1/site")
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
        assert site.web.alive

        site.start_control()
        assert next(name for name, _number, _data in events) == "snapshot"  # on the same stream
    until(lambda: connected(client) == CHARGERS, 40, "the chargers have dialled again")
    until(lambda: client.get("meter")["healthy"], 20, "the meter is read again")
    until(lambda: going_on(client, running), 20, "a session goes on under the id it had")


def sessions(client: Client) -> dict[tuple[str, int], int]:
    """The transaction that runs at each (charger, connector)."""
    return {
        (charger["id"], connector["id"]): connector["transaction_id"]
        for charger in client.get("chargers") for connector in charger["connectors"]
        if connector["transaction_id"] is not None
    }  # fmt: skip


def going_on(client: Client, running: dict[tuple[str, int], int]) -> bool:
    """Whether any session of before still runs; none may have got another's id."""
    now = sessions(client)
    moved = [
        place for place, number in now.items()
        if number in running.values() and running.get(place) != number
    ]  # fmt: skip
    assert not moved, moved
    return any(now.get(place) == number for place, number in running.items())


def stalled(box: Box, path: str, times: int) -> http.client.HTTPSConnection:
    """A viewer that asks so many times and never reads a word."""
    client = client_of(box)
    link = client.dial()
    link.connect()
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {client.key}\r\n\r\n"
    link.sock.sendall(head.encode() * times)
    return link


def unsent_bytes(port: int) -> int:
    """What the kernel holds for viewers of this port who do not read."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [words for words in lines if words[1].endswith(f":{port:04X}")]
    return sum(int(words[4].partition(":")[0], 16) for words in ours)


def test_stalled_readers_hold_up_neither_others_nor_the_end_of_faces(site: Box):
    with contextlib.ExitStack() as stack:
        for path, times in (("/api/v1/events", 1), ("/api/v1/openapi.json", 400)) * 3:
            stack.enter_context(contextlib.closing(stalled(site, path, times)))
        client = client_of(site)
        with client.events(within_s=5.0) as events:
            for _snapshot in range(3):
                assert next(events)[0] == "snapshot"
        assert until(lambda: unsent_bytes(client.port), 10, "nothing more goes out to them")
        began = time.monotonic()
        assert site.web.terminate(within_s=25) == 0
        assert time.monotonic() - began <= 20.0
    site.start_web()
    until(lambda: connected(client_of(site)) == CHARGERS, 10, "faces serve again")


def test_control_told_to_end_ends_in_time_with_0_and_keeps_its_data(site: Box):
    client = client_of(site)
    settings = site.settings()
    site_before = client.get("site")
    began = time.monotonic()
    assert site.control.terminate(within_s=15) == 0
    assert time.monotonic() - began <= 10.0
    assert "control ends" in site.log()
    path = f"file:{site.state}/linkray.db?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert site.settings() == settings

    ended = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    site.start_control()
    until(lambda: connected(client) == CHARGERS, 40, "the chargers have dialled again")
    packed = site.state / "again.zip"
    site.do("bundle", str(packed))
    with zipfile.ZipFile(packed) as files:
        told = b"".join(files.read(name) for name in files.namelist() if "OCPP" in name).decode()
    assert min(told.splitlines()) < ended < max(told.splitlines()), "the OCPP log goes on"
    now = client.get("site")
    assert now["energy_today_wh"] >= site_before["energy_today_wh"]
    assert now["settings_revision"] == site_before["settings_revision"]
    site.world.popen.terminate()
    report = until(lambda: _report(site), 10, "the world tells how it went")
    assert report["limit_exceeded_s"] == 0
    assert report["complaints"] == []
    site.world.close()


def _report(site: Box):
    told = site.world.newest()
    is_report = isinstance(told, dict) and {"limit_exceeded_s", "seed"} <= told.keys()
    return told if is_report else None
