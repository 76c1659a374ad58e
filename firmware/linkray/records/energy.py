"""The energy of a transaction in pieces of time, from the registers that were kept of it.

The pieces add up to the transaction's energy to the watt-hour, whatever its registers did: that sum
is what a page, a bill and a file of intervals have to agree on (web.md A10).
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from itertools import pairwise
from operator import itemgetter

from linkray.kit.clock import stamp
from linkray.model.sessions import Interval, Measured, Quarter

QUARTER_S = 900
NEAR_S = 120  # a register read so shortly before a boundary stands for it: samples come each minute


def intervals(of: Measured, step_s: int) -> list[Interval]:
    """Its energy in pieces of `step_s` from its first to its last; boundaries are multiples of it.

    Between two registers energy is taken to flow evenly. A piece is an estimate where it has energy
    and one of its ends is further from a register than `NEAR_S`.
    """
    points = _points(of)
    if points[-1][1] == 0:
        return []
    first = int(points[0][0]) // step_s
    last = max(first, int(-(-points[-1][0] // step_s)) - 1)
    edges = [_at(points, number * step_s, step_s) for number in range(first, last + 2)]
    return [
        Interval(
            number * step_s,
            end[0] - begin[0],
            end[0] > begin[0] and (of.row.flagged or begin[1] or end[1]),
        )
        for number, (begin, end) in enumerate(pairwise(edges), first)
    ]


def quarters(of: Measured) -> tuple[Quarter, ...]:
    """Its 15-minute energies."""
    return tuple(
        Quarter(stamp(datetime.fromtimestamp(one.at_s, UTC)), one.wh, one.estimated)
        for one in intervals(of, QUARTER_S)
    )


def seconds_of(at: str) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(at).timestamp()


def _points(of: Measured) -> list[tuple[float, int]]:
    """When, and how much energy by then: both only grow, from nothing to the transaction's own."""
    at, wh, total = seconds_of(of.row.started), 0, of.row.energy_wh
    points = [(at, 0)]
    for sample in of.samples:
        at = max(at, seconds_of(sample.at))
        wh = min(total, max(wh, sample.register_wh - of.meter_start_wh))
        points.append((at, wh))
    end = at if of.row.ended is None else max(at, seconds_of(of.row.ended))
    return [*points, (end, total)]


def _at(points: list[tuple[float, int]], edge: int, step_s: int) -> tuple[int, bool]:
    """Energy until then, and whether that is an estimate."""
    if edge <= points[0][0]:
        return 0, False
    if edge >= points[-1][0]:
        return points[-1][1], False
    after = bisect_right(points, edge, key=itemgetter(0))
    (began, low), (ended, high) = points[after - 1], points[after]
    stands_for = -(-began // step_s) * step_s
    if stands_for - began <= NEAR_S:
        began = stands_for
    if low == high or edge <= began:
        return low, False
    return low + round((high - low) * (edge - began) / (ended - began)), True
