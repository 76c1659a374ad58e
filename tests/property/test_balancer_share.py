"""Sharing against its definition: fits every limit, and nobody can gain but from one with less."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from linkray.balance.share import Field, Share, fill, serve_in_order, share_band

LIMITS = 6


@st.composite
def fields(draw):
    """Up to eight connectors in up to four classes under six limits."""
    limits = [
        tuple(sorted(draw(st.sets(st.integers(0, LIMITS - 1), min_size=1, max_size=3))))
        for _ in range(4)
    ]
    count = draw(st.integers(1, 8))
    weight = [draw(st.sampled_from([16_000, 20_000, 32_000, 63_000])) for _ in range(count)]
    want = [draw(st.integers(6_000, most)) for most in weight]
    kind = [draw(st.integers(0, 3)) for _ in range(count)]
    room = [draw(st.integers(-5_000, 150_000)) for _ in range(LIMITS)]
    return Field(weight, want, [6_000] * count, kind, limits), room


def used(field: Field, got: list[int]) -> list[int]:
    total = [0] * LIMITS
    for i, amount in enumerate(got):
        for r in field.limits[field.kind[i]]:
            total[r] += amount
    return total


@settings(max_examples=400, deadline=None)
@given(fields())
def test_nobody_can_gain_except_from_one_with_a_lower_percentage(case):
    field, room = case
    before = room.copy()
    share = Share.empty(len(field.want))
    everyone = list(range(len(field.want)))
    fill(everyone, field, room, share)
    total = used(field, share.got)
    for r in range(LIMITS):
        assert total[r] <= max(0, before[r])
        assert room[r] == before[r] - total[r]
    for i in everyone:
        assert 0 <= share.got[i] <= field.want[i]
        if share.got[i] == field.want[i]:
            continue
        # Some limit above it is full (but for what rounding to mA leaves), and there nobody
        # has a higher percentage than it.
        mine = (share.got[i] + 1) / field.weight[i]
        assert any(
            max(0, before[r]) - total[r] < len(everyone)
            and all(
                share.got[j] / field.weight[j] <= mine
                for j in everyone if r in field.limits[field.kind[j]]
            )
            for r in field.limits[field.kind[i]]
        )  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(fields())
def test_each_gets_nothing_or_at_least_its_minimum_and_someone_charges_where_one_fits(case):
    field, room = case
    before = room.copy()
    share = Share.empty(len(field.want))
    band = list(range(len(field.want)))
    paused = share_band(band, field, room, share, lambda i: (float(i),))
    total = used(field, share.got)
    assert all(total[r] <= max(0, before[r]) for r in range(LIMITS))
    for i in band:
        assert share.got[i] == 0 if i in paused else share.got[i] >= field.least[i]
    fits = any(
        all(before[r] >= field.least[i] for r in field.limits[field.kind[i]]) for i in band
    )
    assert any(share.got) == fits  # balancing.md, Live


@settings(max_examples=400, deadline=None)
@given(fields())
def test_in_fifo_nobody_takes_what_an_earlier_one_could_use(case):
    field, room = case
    before = room.copy()
    share = Share.empty(len(field.want))
    serve_in_order(range(len(field.want)), field, room, share)
    left = before.copy()
    for i, amount in enumerate(share.got):
        limits = field.limits[field.kind[i]]
        most = min(field.want[i], *(left[r] for r in limits))
        assert amount == (most if most >= field.least[i] else 0)
        for r in limits:
            left[r] -= amount
    assert left == room
