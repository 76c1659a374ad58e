"""Every order in which things can happen to two chargers on one phase (trust.md 1, How they are
checked): to depth 8 in the everyday run, to `LINKRAY_PROOF_DEPTH` where that is set.

Reckoned as one: states that differ in the clock, in offers' numbers, or in which charger is which.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.proof.small_scope import KEPT_APART, Layout, Small, Violation, copied, explore

from linkray.balance.budget import UNBOUND, MeterWatch
from linkray.balance.connector import Connector
from linkray.balance.possible import Books
from linkray.balance.recording import take

MORE = max(0, int(os.environ.get("LINKRAY_PROOF_DEPTH", "8")) - 8)
DEEP = 8 + MORE
LESS_DEEP = 6 + MORE
METERED_DEEP = 5 + MORE
EVENTS = {"send", "tick", "accepted", "rejected", "unknown", "disconnect", "reconnect", "reboot"}
LEASED = {"leased": True, "tick_s": 191.0}
METERED = {"metered": True, "fuse_ma": 30_000, "building_ma": 8_000, "falls_ma": 8_000}


def test_inv_1_and_3_hold_in_every_order_to_depth_8() -> None:
    found = explore(Layout().begun(), DEEP)

    assert set(found.events) == EVENTS
    assert found.states > 30_000
    assert found.transitions > 200_000
    assert all(count > 0 for count in found.by_depth[:-1])
    assert found.raises > 20, "nothing was raised: nothing was proved"
    assert found.plans_at_once == 0, "a fact of the last level would have to be fed"


@pytest.mark.parametrize("fallback_ma", [0, 6_000])
def test_a_lease_is_credited_only_when_it_has_run_out_in_every_order(fallback_ma: int) -> None:
    found = explore(Layout(**LEASED, fallback_ma=fallback_ma).begun(), LESS_DEEP)

    assert set(found.events) == EVENTS
    assert found.transitions > 5_000


def test_inv_2_no_raise_beyond_the_meter_in_every_order() -> None:
    found = explore(Layout(**METERED).begun(), METERED_DEEP)

    assert set(found.events) == EVENTS | {"meter"}
    assert found.transitions > 15_000
    assert found.raises > 5, "nothing was raised: nothing was proved"


# The proof is worth what it finds.


def _faulty(
    monkeypatch: pytest.MonkeyPatch, of: type, name: str, fault: Callable[..., Any]
) -> None:
    """From now on `name` is `fault`, which is given the sound one first."""
    sound = getattr(of, name)
    monkeypatch.setattr(of, name, lambda self, *given, **named: fault(sound, self, *given, **named))


def _forget_at_issue(sound: Any, books: Books, amount_ma: int, now: float) -> None:
    """P 2 left out: the old value is taken for replaced as soon as the new one is sent."""
    sound(books, amount_ma, now)
    books._entries = books._entries[-1:]
    books._topped()


def _obeyed_at_once(sound: Any, books: Books, *given: Any, **named: Any) -> bool:
    """Acknowledgement taken for obedience (P 3)."""
    taken_in = sound(books, *given, **named)
    books._prove()
    return bool(taken_in)


def _obeys_in_no_time(sound: Any, books: Books, now: float) -> None:
    """The obey time left out (P 3): what was accepted holds at the next plan."""
    sound(books, now + 60.0)


def _reboot_forgets_nothing(_sound: Any, _connector: Connector, **_named: Any) -> None:
    """P 1 left out: after a reboot or a return the old books hold on."""


@pytest.mark.parametrize(
    ("of", "name", "fault", "layout", "depth"),
    [
        (Books, "issue", _forget_at_issue, {}, 6),
        (Books, "accepted", _obeyed_at_once, {}, 6),
        (Books, "settle", _obeys_in_no_time, {}, 6),
        (Connector, "forget_limits", _reboot_forgets_nothing, {}, 6),
    ],
)
def test_a_fault_in_the_books_is_found(
    monkeypatch: pytest.MonkeyPatch, of: type, name: str, fault: Callable[..., Any],
    layout: dict[str, Any], depth: int,
) -> None:  # fmt: skip
    start = Layout(**layout).begun()
    _faulty(monkeypatch, of, name, fault)

    with pytest.raises(Violation, match="after"):
        explore(start, depth)


def test_a_meter_that_is_not_heeded_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Layout(**METERED).begun()

    def heedless(sound: Any, meter: MeterWatch, *given: Any) -> Any:
        """INV-2 and INV-4 left out: no reading is too old, none too high."""
        budget = sound(meter, *given)
        return msgspec.structs.replace(budget, fresh=True, spare=[UNBOUND] * 3)

    _faulty(monkeypatch, MeterWatch, "budget", heedless)
    with pytest.raises(Violation, match=r"meter|reading|limit"):
        explore(start, 5)


@pytest.mark.parametrize("layout", [{}, METERED])
def test_what_happens_to_a_copy_does_not_touch_the_balancer_it_was_copied_from(
    layout: dict[str, Any],
) -> None:
    small, alone = Layout(**layout).begun(), Layout(**layout).begun()
    before = small.key()

    for _name, event in list(small.events()):
        twin = small.fork()
        twin.feed(*(event(twin) or ()))
        twin.pass_time(1.0)

    assert small.key() == before == alone.key()
    for second in range(1, 30):
        at = small.now + second
        assert take(small.core, [], at, due=True) == take(alone.core, [], at, due=True)


def test_a_copy_goes_on_as_the_balancer_itself() -> None:
    small = Layout(**METERED).begun()
    twin = copied(small.core, KEPT_APART)

    for second in range(1, 30):
        at = small.now + second
        assert take(small.core, [], at, due=True) == take(twin, [], at, due=True)


def test_states_are_told_apart_by_what_they_will_do_and_not_by_when() -> None:
    """Later alike, with A for B alike; another after an event."""
    first, later, other = Layout().begun(), Layout().begun(), Layout().begun()
    later.pass_time(1.0)
    later.pass_time(1.0)
    first.pass_time(1.0)
    assert first.key() == later.key()

    def without(small: Small, name: str) -> bytes:
        small.feed(*small.lose_link(name))
        return small.key()

    other.pass_time(1.0)
    assert without(first, "A") == without(other, "B") != later.key()


