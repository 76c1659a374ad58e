"""The process that carries a file: what it is told, what it makes, and that it can be left."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import apsw
import msgspec
import pytest
import trio
from tools.world.inboxes import WebServer

from linkray.courier import content, deliver
from linkray.kit.clock import WallClock
from linkray.model.delivery import SESSIONS_MAX, Job, Sending
from linkray.model.settings import Delivery
from linkray.records.delivery.task import carried
from linkray.store.db import Store
from linkray.store.runner import Inline

pytestmark = pytest.mark.realtime

AT = "2026-11-23T00:01:05.000Z"
HOSTILE = '=cmd|"x"!A1, <b>\r\nÄ'


async def kept(path, count: int) -> Job:
    """So many sessions, all in one sending; the job that carries it."""
    store = await Store.open(path, Inline(), WallClock(lambda: datetime.now(UTC)))
    await store.close()
    db = apsw.Connection(str(path))
    with db:
        db.executemany(
            "INSERT INTO transactions (id, charger, connector, tag, friendly_name, authorised_by,"
            " started, given, meter_start_wh, meter_last_wh, ended, stop_given, reason, finished)"
            " VALUES (?, 'CP1', 1, ?, '', '', '2026-11-22T08:00:00.000Z', '', 0, 1234,"
            " '2026-11-22T09:00:00.000Z', '', 'Local', 1)",
            [(number, HOSTILE) for number in range(1, count + 1)],
        )
    db.close()
    store = await Store.open(path, Inline(), WallClock(lambda: datetime.now(UTC)))
    made = await store.make_sending(Sending(0, AT, AT, 0, "r-{n}.csv"), "handled", "")
    assert made is not None
    assert (made.name, made.sessions) == ("r-00001.csv", min(count, SESSIONS_MAX))
    assert await store.unsent() == min(max(0, count - SESSIONS_MAX), SESSIONS_MAX)
    await store.close()
    to = Delivery(protocol="http", security="none", server="127.0.0.1", path="in")
    return Job(str(path), 1, made.name, AT, "r-00001.LR1", "s", "t", "Europe/Berlin", {"CP1": 3},
               to, within_s=5.0, loopback=True)  # fmt: skip


async def test_a_process_of_its_own_makes_the_file_and_takes_it_there(tmp_path):
    job = await kept(tmp_path / "linkray.db", 3)
    async with trio.open_nursery() as nursery:
        web = WebServer()
        await nursery.start(web.serve)
        here = msgspec.structs.replace(job, to=msgspec.structs.replace(job.to, port=web.port))
        outcome = await carried(here, 60)
        assert (outcome.taken, outcome.text) == (True, "taken: 201 Created")
        web.habit = "hangs"
        began = time.monotonic()
        left = await carried(here, 1.0)
        assert (left.taken, left.text) == (False, "it was not done within 1 s")
        assert time.monotonic() - began < 4, "its process is ended, whatever it waits for"
        nursery.cancel_scope.cancel()
    lines = web.files["r-00001.csv"].decode().split("\r\n")
    assert lines[1] == '1,CP1,1,1,"\'=cmd|""x""!A1, <b>'
    assert lines[2] == (
        'Ä",AC_THREE_PHASE,2026/11/22 09:00:00,2026/11/22 10:00:00,1.234,,01:00:00,Local'
    )


async def test_what_cannot_be_made_is_told(tmp_path):
    job = await kept(tmp_path / "linkray.db", 1)
    gone = msgspec.structs.replace(job, database=str(tmp_path / "none.db"))
    assert deliver(gone).text.startswith("the records cannot be read: ")
    broken = await carried(msgspec.structs.replace(job, number="x"), 60)
    assert (broken.taken, broken.text) == (False, "the file could not be made; the log says more")


async def test_a_file_is_the_same_each_time_and_holds_so_many_sessions_at_most(tmp_path):
    job = await kept(tmp_path / "linkray.db", SESSIONS_MAX + 7)
    made = content(job)
    assert made == content(job)
    assert made.count(b"AC_THREE_PHASE") == SESSIONS_MAX
    assert len(made) < 2 * 2**20
