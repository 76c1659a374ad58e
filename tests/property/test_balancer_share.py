"""Sharing against its definition: fits every limit, and nobody can gain but from one with less."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from linkray.balance.imbalance import is_level, level, sums
from linkray.balance.share import (
    Band,
    Field,
    Share,
    fill,
    serve_in_order,
    share_among_some,
    share_band,
)

LIMITS = 6
LEGS = [(0,), (1,), (2,), (0, 1), (1, 2), (2, 0), (0, 1, 2), (1, 2, 0)]


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
@given(fields(), st.randoms(use_true_random=False))
def test_each_gets_nothing_or_at_least_its_minimum_and_someone_charges_where_one_fits(case, dice):
    field, room = case
    before = room.copy()
    share = Share.empty(len(field.want))
    everyone = list(range(len(field.want)))
    if share_band(everyone, field, room, share):
        assert all(share.got[i] >= field.least[i] for i in everyone)
        return
    ranked = dice.sample(everyone, len(everyone))
    queued = {i for i in everyone if dice.random() < 0.3}
    charging = {i for i in everyone if i not in queued and dice.random() < 0.6}
    borrowing = {i for i in queued if dice.random() < 0.3}
    due = {i for i in queued if dice.random() < 0.3}
    band = Band(ranked, queued, charging, borrowing, due)
    room[:] = before
    share_among_some(band, field, room, share)
    total = used(field, share.got)
    assert all(total[r] <= max(0, before[r]) for r in range(LIMITS))
    assert room == [amount - gone for amount, gone in zip(before, total, strict=True)]
    for i in everyone:
        assert share.got[i] == 0 if i in band.paused else share.got[i] >= field.least[i]
        if i in band.paused:
            assert share.bound[i] in field.limits[field.kind[i]]
    fits = [
        i for i in ranked
        if all(before[r] >= field.least[i] for r in field.limits[field.kind[i]])
    ]  # fmt: skip
    assert any(share.got) == bool(fits)  # balancing.md, Live
    if fits:  # the first in rank that can be served is served
        assert share.got[fits[0]] > 0
    assert band.lent.isdisjoint(band.paused)


def test_only_as_many_are_paused_as_must_be():
    """The first of the queue is too small beside two; what is left is lent to the next."""
    weight = [32_000, 32_000, 16_000, 32_000]
    field = Field(weight, weight, [6_000] * 4, [0] * 4, [(0,)])
    for borrowing, due, got in (
        (set(), set(), [6_600, 6_600, 0, 6_600]),
        ({3}, {2}, [6_600, 6_600, 0, 6_600]),
        (set(), {2}, [9_900, 9_900, 0, 0]),
    ):
        room, share = [19_800], Share.empty(4)
        band = Band([0, 1, 2, 3], {2, 3}, {0, 1}, borrowing, due)
        share_among_some(band, field, room, share)
        assert share.got == got
        assert band.lent == ({3} if got[3] else set())
        assert band.wanted == {0}


def test_who_gave_way_in_vain_is_let_in_again():
    """The second is dropped for the first's sake, since no minimum can be too small for it."""
    field = Field([63_000, 16_000, 63_000], [63_000, 16_000, 63_000], [6_000] * 3, [0] * 3, [(0,)])
    room, share = [20_000], Share.empty(3)
    band = Band([0, 1, 2], {1}, {0, 2})
    share_among_some(band, field, room, share)
    assert share.got == [10_000, 0, 10_000]
    assert band.paused == [1]
    assert band.wanted == {0}


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


@settings(max_examples=400, deadline=None)
@given(st.data(), st.integers(0, 40_000))
def test_levelled_offers_hold_the_imbalance_limit_and_raise_nobody(data, limit_ma):
    legs = data.draw(st.lists(st.sampled_from(LEGS), min_size=1, max_size=10))
    amounts = [data.draw(st.sampled_from([0, *range(6_000, 32_001, 100)])) for _ in legs]
    before, count = amounts.copy(), len(amounts)
    field = Field([32_000] * count, amounts, [6_000] * count, [0] * count, [()])
    level(amounts, range(count), legs, field, limit_ma, lambda _, amount: amount // 100 * 100)
    assert is_level(sums(zip(legs, amounts, strict=True)), limit_ma)
    for i, amount in enumerate(amounts):
        assert amount <= before[i]
        assert amount == 0 or amount >= 6_000
        if len(legs[i]) == 3:
            assert amount == before[i]
