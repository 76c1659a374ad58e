"""Databases with sessions that nobody had to charge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from linkray.store.db import FILE
from linkray.store.disk import Disk, shipped_migrations

SESSION = {"id": 1, "charger": "DBT1", "connector": 1, "tag": "TAG", "friendly_name": "Bay 1",
           "authorised_by": "open", "started": "2026-11-21T06:00:00.000Z", "given": "",
           "meter_start_wh": 1_000, "meter_last_wh": 8_000, "ended": "2026-11-21T07:30:00.000Z",
           "stop_given": "", "reason": "Local", "finished": 1, "csms_id": None, "incomplete": 0,
           "flagged": 0, "course": None}  # fmt: skip


def keep_sessions(
    state: Path, *sessions: dict[str, Any], samples: Any = (), pauses: Any = ()
) -> None:
    """A database in the folder, with sessions that are as `SESSION` but for what is given."""
    disk = Disk(state / FILE)
    disk.migrate(shipped_migrations())
    rows = [SESSION | given for given in sessions]
    words = (f"INSERT INTO transactions ({', '.join(SESSION)})"
             f" VALUES ({', '.join(f':{name}' for name in SESSION)})")  # fmt: skip

    def put(db: apsw.Connection) -> None:
        with db:
            db.executemany(words, rows)
            db.executemany("INSERT INTO samples VALUES (?, ?, ?, ?)", samples)
            db.executemany("INSERT INTO pauses VALUES (?, ?, ?, ?, ?)", pauses)

    disk.outbox(put)
    disk.close()
