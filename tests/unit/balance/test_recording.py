"""The ring of steps, the state with which a segment begins, and the file that both make."""

from __future__ import annotations

import hashlib
import inspect
import zlib
from collections import deque
from typing import Any

import msgspec
import pytest
from tests.unit.balance.balance_world import metered, settings

from linkray.balance import checkpoint, recording
from linkray.balance.balancer import Balancer
from linkray.balance.checkpoint import BadState, State, balancer_of, known, read, taken, written
from linkray.balance.recording import (
    BadRecording,
    FactRing,
    Step,
    changed,
    digest,
    from_file,
    plan_of,
    replay,
    take,
    to_file,
)
from linkray.model.facts import (
    ChargerKnown,
    Drawn,
    EmergencyStopped,
    LinkLost,
    LinkUp,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.faults import Code, Raised
from linkray.model.settings import Access, Csms, Settings
from linkray.model.units import Phases

UTC = "2026-06-15T12:00:00.000Z"


class Played:
    """A balancer with a ring, and chargers that accept whatever they are told."""

    def __init__(self, tree: Settings) -> None:
        self.core, self.ring, self.now = Balancer(tree), FactRing(), 0.0
        self.ring.begin(self.core, UTC)
        self.step(due=True)

    def step(self, *facts: Any, due: bool = False) -> None:
        outs = take(self.core, facts, self.now, due=due)
        self.ring.add(self.core, facts, self.now, outs, lambda: UTC, due=due)
        plan = plan_of(outs)
        told = [] if plan is None else [
            OfferAnswered(o.charger, o.connector, o.id, "accepted", self.now) for o in plan.offers
        ]  # fmt: skip
        if told:
            self.now += 0.2
            outs = take(self.core, told, self.now, due=False)
            self.ring.add(self.core, told, self.now, outs, lambda: UTC, due=False)

    def all_charge(self, tree: Settings) -> None:
        for n, charger in enumerate(tree.chargers, 1):
            self.step(ChargerKnown(charger.id, (1,)), LinkUp(charger.id, self.now),
                      StatusSeen(charger.id, 1, "Charging", self.now),
                      SessionBegan(charger.id, 1, n, f"04A1B2C3D4{n:04}", self.now))  # fmt: skip

    def seconds(self, count: int) -> None:
        """The meter is read, cars tell, plans are made."""
        for second in range(count):
            self.now = float(int(self.now) + 1)
            self.step(MeterRead(Phases(9_000, 8_000, 7_000 + second), (230_000,) * 3, self.now))
            for c in self.core._list:
                self.step(Drawn(c.charger, 1, Phases(c.books.offer_ma), "phases", self.now))
            self.step(due=True)


def site(count: int = 3) -> Settings:
    return settings(40, count, meter=metered())


def played(count: int = 3, seconds: int = 20) -> Played:
    tree = site(count)
    made = Played(tree)
    made.all_charge(tree)
    made.seconds(seconds)
    return made


def test_a_state_is_the_balancer_it_was_taken_of_and_stays_as_it_was() -> None:
    made = played()
    state = taken(made.core)
    kept = msgspec.msgpack.encode(written(state))
    before = repr(state)
    twins = [balancer_of(state),
             balancer_of(read(msgspec.msgpack.decode(kept, type=checkpoint.Written)))]  # fmt: skip

    for second in range(1, 120):
        now = made.now + second
        fact = MeterRead(Phases(second * 300, 0, 0), (230_000,) * 3, now)
        outs = [[*core.feed(fact, now), *core.wake(now)] for core in (made.core, *twins)]
        assert outs[0] == outs[1] == outs[2]
        assert digest(outs[0]) == digest(outs[1]) == digest(outs[2])

    assert repr(state) == before
    assert repr(taken(made.core)) == repr(taken(twins[0])) == repr(taken(twins[1]))


def test_connectors_of_one_charger_share_their_line_also_when_made_again() -> None:
    made = Played(site(1))
    made.step(ChargerKnown("c1", (1, 2)))

    core = balancer_of(taken(made.core))

    first, second = core._list
    assert first.line is second.line is core._lines["c1"]
    assert core._connectors["c1", 1] is first


def test_a_state_holds_no_class_from_elsewhere() -> None:
    made = played()
    made.core._strange = object()

    with pytest.raises(BadState, match=r"[Ee]xpected"):
        taken(made.core)
    made.ring.begin(made.core, UTC)
    assert made.ring.trouble
    assert made.ring.segments() == ()
    made.step(due=True)  # the balancer goes on


def test_every_class_a_state_may_name_is_of_the_balancer_or_of_its_words() -> None:
    for name, cls in known().items():
        assert inspect.isclass(cls)
        assert cls.__name__ == name
        assert cls.__module__.startswith(("linkray.balance.", "linkray.model."))


def hostile(state: State) -> list[State]:
    """States that a stranger might write."""
    tree = state.tree
    _name, fields = state.shapes[tree[1]]
    return [
        msgspec.structs.replace(state, shapes=(("Popen", fields), *state.shapes[1:])),
        State((("Balancer", ("wake",)),), ("o", 0, "x")),
        State((("Balancer", ("__class__",)),), ("o", 0, "x")),
        State((("Balancer", ("_seq", "_due")),), ("o", 0, 1)),
        State((("Code", ("name",)),), ("o", 0, 1)),
        State((("Books", ("no_such_field",)),), ("o", 0, 1)),
        State((), ("o", 5, 1)), State((), ("r", 3)), State((), ("x", 1)),
        State((), ("e", "Os", "x")), State((), 7), State((), ("d", 1)),
        State((), ("z", ("l",))), State((), ("e", "Books", "x")),
    ]  # fmt: skip


def test_a_strangers_state_is_refused_in_words() -> None:
    for number, state in enumerate(hostile(taken(Balancer(site())))):
        with pytest.raises(BadState, match=r"[Ee]xpected"):
            balancer_of(state)
        assert Balancer.wake is not None, number


def test_a_written_state_that_lies_of_its_structs_is_refused() -> None:
    kept = written(taken(Balancer(site())))
    name, raw = kept.atoms[0]
    lies = [
        (("Popen", raw), *kept.atoms[1:]), (("Books", raw), *kept.atoms[1:]),
        ((name, msgspec.Raw(msgspec.msgpack.encode("x"))), *kept.atoms[1:]), kept.atoms[:1],
    ]  # fmt: skip

    for atoms in lies:
        with pytest.raises(BadState):
            balancer_of(read(msgspec.structs.replace(kept, atoms=atoms)))


def test_nothing_of_a_ring_is_lost_before_it_is_full_and_then_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "FACTS_KEPT", 200)
    monkeypatch.setattr(recording, "SEGMENT_FACTS", 50)
    made = played(seconds=10)
    assert made.ring.segments()[0].is_start

    made.seconds(100)

    kept = made.ring.segments()
    assert not kept[0].is_start
    assert max(sum(s.facts for s in kept), sum(len(s.steps) for s in kept)) >= 200
    assert sum(s.facts for s in kept) < 200 + 2 * 60
    assert replay(kept).first is None


def test_a_quiet_site_does_not_fill_the_memory_with_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "FACTS_KEPT", 200)
    monkeypatch.setattr(recording, "SEGMENT_STEPS", 50)
    made = Played(site())

    for second in range(2_000):
        made.now = float(second)
        made.step(due=True)

    assert sum(len(segment.steps) for segment in made.ring.segments()) <= 300


def test_at_least_20_000_facts_are_kept() -> None:
    made = Played(settings(60, 1))
    for n in range(31_000):
        made.ring.add(made.core, [StatusSeen("c1", 1, "Charging", 1.0)], float(n), [],
                      lambda: UTC, due=False)  # fmt: skip

    facts = sum(segment.facts for segment in made.ring.segments())
    assert 20_000 <= facts <= 26_000


def test_what_was_played_replays_and_a_file_holds_it_whole() -> None:
    made = played(seconds=60)
    packed = to_file(made.ring.segments(), "0.1.0", UTC)

    again = from_file(packed)
    done = replay(again.segments)

    assert again.firmware == "0.1.0"
    assert done.first is None
    assert done.plans >= 60
    assert done.steps == sum(len(s.steps) for s in made.ring.segments())
    assert to_file(again.segments, "0.1.0", UTC) == packed


def test_steps_that_come_while_a_file_is_made_are_not_in_it() -> None:
    made = played()
    kept = made.ring.segments()
    before = sum(len(segment.steps) for segment in kept)

    made.seconds(5)

    assert sum(len(segment.steps) for segment in kept) == before


def test_the_first_difference_is_named_with_both_offers() -> None:
    made = played(seconds=40)
    (segment,) = made.ring.segments()
    lost = LinkLost("c1", made.now)
    number = len(segment.steps) // 2
    step = segment.steps[number]
    segment.steps[number] = msgspec.structs.replace(step, facts=(*step.facts, lost))

    done = replay([segment])

    assert done.first is not None
    assert done.first.step >= number
    assert done.first.then != done.first.again


def test_a_step_on_which_the_balancer_failed_ends_its_segment() -> None:
    made = played()
    made.ring.add_failed([LinkLost("c1", made.now)], made.now, due=False)
    made.ring.begin(made.core, UTC)
    made.seconds(3)

    done = replay(from_file(to_file(made.ring.segments(), "0.1.0", UTC)).segments)

    assert done.failures == 1
    assert done.first is None


def test_no_tag_no_csms_and_no_password_is_in_a_file() -> None:
    tree = msgspec.structs.replace(
        site(), csms=Csms(url="wss://u:geheim@csms.example/x"),
        access=Access(vip=("04a1b2c3d40002",)),
    )  # fmt: skip
    made = Played(tree)
    made.all_charge(tree)
    made.step(SettingsChanged(tree))
    made.step(EmergencyStopped(True, "Installer", made.now))

    packed = to_file(made.ring.segments(), "0.1.0", UTC)
    plain = zlib.decompress(packed, wbits=31)

    for word in (b"04A1B2C3", b"04a1b2c3", b"geheim", b"csms.example"):
        assert word not in plain
    facts = [f for s in from_file(packed).segments for step in s.steps for f in step.facts]
    tags = [fact.tag for fact in facts if isinstance(fact, SessionBegan)]
    vip = {f.settings.access.vip for f in facts if isinstance(f, SettingsChanged)}
    assert len(set(tags)) == 3
    assert vip == {(tags[1],)}, "the same tag has the same number, whatever its case"
    assert replay(from_file(packed).segments).first is None


def test_a_file_keeps_its_limit_by_leaving_out_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "SEGMENT_FACTS", 40)
    made = played(seconds=100)
    whole = to_file(made.ring.segments(), "0.1.0", UTC)
    monkeypatch.setattr(recording, "FILE_BYTES_MAX", len(whole) // 2)

    packed = to_file(made.ring.segments(), "0.1.0", UTC)

    kept = from_file(packed).segments
    assert len(packed) <= len(whole) // 2
    assert 0 < len(kept) < len(made.ring.segments())
    assert kept[-1].steps[-1] == made.ring.segments()[-1].steps[-1]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"x", b"PK\x03\x04", zlib.compress(b"x"),
        zlib.compress(b"", wbits=31), zlib.compress(b"\x81\xa9recording\x01", wbits=31),
        zlib.compress(msgspec.msgpack.encode({"recording": 9}), wbits=31),
        zlib.compress(b"\x91" * 5_000, wbits=31),
        zlib.compress(bytes(recording.PLAIN_BYTES_MAX + 1), wbits=31),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(BadRecording, match=r"[Ee]xpected"):
        from_file(content)


def test_half_a_file_is_refused() -> None:
    packed = to_file(played().ring.segments(), "0.1.0", UTC)

    for length in range(0, len(packed), max(1, len(packed) // 50)):
        with pytest.raises(BadRecording):
            from_file(packed[:length])


def test_a_digest_is_of_everything_that_came_out() -> None:
    made = played()
    (plan, *_) = made.core.wake(made.now + 1)
    other = msgspec.structs.replace(plan, degraded=not plan.degraded)
    raised = Raised(Code.NOT_OBEYING, "c1", "connector 1")

    digests = {digest([]), digest([plan]), digest([other]), digest([plan, raised]),
               digest([plan, Raised(Code.NOT_OBEYING, "c2", "connector 1")])}  # fmt: skip

    assert len(digests) == 5
    assert digest([]) == ""
    assert all(len(d) == 16 for d in digests if d)
    assert hashlib.blake2b(digest_size=8).digest_size == 8


def test_only_offers_that_have_changed_are_told() -> None:
    made = played()
    (before, *_) = made.core.wake(made.now + 1)
    (after, *_) = made.core.wake(made.now + 2)

    assert len(changed(None, before)) == 3
    assert changed(before, before) == ()
    assert len(changed(before, after)) <= 3
    assert changed(before, None) == ()


def test_a_step_survives_the_file_with_every_fact_it_may_hold() -> None:
    step = Step(1.5, True, (LinkUp("c1", 1.0), Drawn("c1", 1, Phases(1, 2, 3), "power", 1.0)), "")

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(step), type=Step) == step
    assert deque([step], maxlen=1)[0] is step
