"""How sessions went, kept and read back: over a restart, in a list, out of a damaged file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import apsw
import trio

from linkray.kit.clock import WallClock
from linkray.model.records import SessionWent, TransactionBegan, TransactionEnded
from linkray.model.sessions import Course, Order, Pause, Selection
from linkray.model.units import Phases
from linkray.store.db import Store
from linkray.store.files import REAL
from linkray.store.reader import Reader
from linkray.store.runner import Inline
from linkray.store.salvage import salvaged

AT, LATER = "2026-11-23T10:00:00.000Z", "2026-11-23T11:00:00.000Z"
COURSE = Course(Phases(16_000, 0, 0), Phases(10_000 * 60_000, 0, 0), 60_000, 125_000)
TURN = Pause("2026-11-23T10:10:00.000Z", "2026-11-23T10:12:00.000Z", "turn", "Level <2>")
OPEN = Pause("2026-11-23T10:30:00.000Z", None, "schedule")


async def opened(file: Path) -> Store:
    return await Store.open(file, Inline(), WallClock(lambda: datetime.fromisoformat(AT)))


def began(number: int) -> TransactionBegan:
    return TransactionBegan(number, "CP1", number, "TAG", 0, AT, AT)


def test_it_is_known_again_after_a_restart_and_a_repeat_changes_nothing(tmp_path):
    async def scene() -> None:
        store = await opened(tmp_path / "linkray.db")
        await store.commit([began(1), began(2)])
        went = SessionWent(1, COURSE, (TURN, OPEN))
        store.later([went, went, SessionWent(99, COURSE, (TURN,))])
        await store.close()
        store = await opened(tmp_path / "linkray.db")
        assert await store.courses() == [(1, COURSE, OPEN), (2, Course(), None)]
        await store.commit([TransactionEnded(1, None, LATER, "Local")])
        store.later([SessionWent(1, COURSE, (Pause(OPEN.began, LATER, OPEN.code),))])
        await store.flush()
        assert await store.courses() == [(2, Course(), None)]
        await store.close()

    trio.run(scene)


def test_the_list_tells_currents_and_pauses_and_one_session_all_of_them(tmp_path):
    async def scene() -> None:
        store = await opened(tmp_path / "linkray.db")
        await store.commit([began(1), began(2), SessionWent(1, COURSE, (OPEN, TURN))])
        await store.commit([TransactionEnded(1, None, LATER, "Local")])
        await store.close()

    trio.run(scene)
    with Reader(tmp_path / "linkray.db") as reader:
        order = Order("id", descending=False)
        one, other = reader.sessions(Selection(now=LATER), order, 10)[0]
        assert (one.current_max_ma, one.paused_s) == (Phases(16_000, 0, 0), 125)
        assert one.current_mean_ma == Phases(10_000, 0, 0)
        assert (other.current_max_ma, other.current_mean_ma, other.paused_s) == (None, None, None)
        # one that control did not see the end of has ended with its session
        assert reader.pauses(1) == (TURN, Pause(OPEN.began, LATER, OPEN.code))
        assert reader.pauses(2) == ()


def test_it_is_saved_out_of_a_damaged_file_and_what_makes_no_sense_is_not(tmp_path):
    async def scene(file: Path) -> None:
        store = await opened(file)
        await store.commit([began(1), SessionWent(1, COURSE, (TURN,))])
        await store.commit([began(2), SessionWent(2, COURSE, (OPEN, TURN))])
        await store.close()

    trio.run(scene, tmp_path / "linkray.db")
    db = apsw.Connection(str(tmp_path / "linkray.db"))
    db.execute("UPDATE transactions SET course = 'what?' WHERE id = 2")
    db.close()
    (one,) = salvaged(tmp_path / "linkray.db", REAL, 0, ())
    assert one.pauses == ((TURN.began, TURN.ended, TURN.code, TURN.group),)

    async def taken() -> None:
        store = await opened(tmp_path / "other.db")
        assert store._disk.take([one]) == 1
        assert await store.courses() == [(1, COURSE, None)]
        await store.close()

    trio.run(taken)
