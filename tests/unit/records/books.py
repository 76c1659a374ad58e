"""Sessions for the tests of files."""

from __future__ import annotations

from typing import Any

import msgspec

from linkray.model.sessions import Measured, Sample, SessionRow

ROW = SessionRow(
    id=7, charger="DBT1", name="Bay 1", connector=1, tag="04A2", started="2026-11-21T10:00:00.000Z",
    ended="2026-11-21T11:00:00.000Z", duration_s=3_600, energy_wh=4_000, finished=True,
    reason="Local", authorised_by="csms", csms_id=None, incomplete=False, flagged=False,
)  # fmt: skip


def session(*samples: tuple[str, int], start_wh: int = 1_000, **more: Any) -> Measured:
    """A session as `ROW` but for what is given; samples as time of the day and energy so far."""
    kept = tuple(Sample(f"2026-11-21T{at}:00.000Z", start_wh + wh) for at, wh in samples)
    return Measured(msgspec.structs.replace(ROW, **more), start_wh, kept)


QUARTERLY = session(("10:14", 1_000), ("10:29", 2_000), ("10:44", 3_000), ("10:59", 3_990),
                    ("11:00", 4_000))  # fmt: skip
