"""Whatever happens to the line, the CSMS and the process: every message of a transaction reaches
the CSMS, in order, with the right number, and is kept until then (INV-13, INV-14; csms.md).
"""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.csms.central import BOOT, Central, outgoing

from linkray.model.records import Outgoing
from linkray.model.uplink import Boot, Here, Live, Message, Passed


class Line(RuleBasedStateMachine):
    """One charger, its relay, a CSMS of moods, a disk, and somebody who pulls cables."""

    def __init__(self) -> None:
        super().__init__()
        self.csms = Central()
        self.number = 0
        self.transaction = 0  # the one that runs; 0: none
        self.told: list[Outgoing] = []  # what the charger reported, in its order
        self.live_lost: set[int] = set()  # passed on live, and the process died (decided.md)
        self.heard: list[tuple[str, dict[str, Any]]] = []  # what the CSMS took in, once each
        self.ids: dict[str, int] = {}  # the CSMS's numbers by message id
        self.seen: set[str] = set()
        self.mood = "well"
        self.csms.answers = self.answers
        self.csms.feed(Here(here=True), Boot(BOOT))

    def answers(self, call: list[Any]) -> dict[str, Any] | None:
        """The CSMS: it knows a message again by its id, and may keep its answer to itself."""
        _, message_id, action, payload = call
        if self.mood == "deaf":
            return None
        if message_id not in self.seen and not message_id.startswith("LR-"):
            self.heard.append((message_id, payload))
        self.seen.add(message_id)
        answer: dict[str, Any] = {}
        if action == "BootNotification":
            answer = {"status": "Accepted", "currentTime": "", "interval": 300}
        elif action == "StartTransaction":
            number = self.ids.setdefault(message_id, 9_000 + len(self.ids))
            answer = {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        return None if self.mood == "mute" else answer

    @property
    def is_up(self) -> bool:
        return self.csms.relay._link == "up"

    def tell(self, action: str) -> None:
        self.number += 1
        message = outgoing(self.number, action, self.transaction)
        self.told.append(message)
        if action == "MeterValues" and self.csms.is_live:
            self.live_lost.add(self.number)
            self.csms.feed(Message(message, stored=False))
        else:
            self.csms.store(message)
        self.settle_live()

    def settle_live(self) -> None:
        """What was passed on live and is on disk, or with the CSMS, cannot be lost any more."""
        heard = {message_id for message_id, _ in self.heard}
        self.live_lost = {
            n for n in self.live_lost if n not in self.csms.disk and f"m{n}" not in heard
        }

    # -- what happens ----------------------------------------------------------------------------

    @precondition(lambda self: not self.transaction)
    @rule()
    def begins(self) -> None:
        self.transaction = self.number + 1
        self.tell("StartTransaction")

    @precondition(lambda self: self.transaction)
    @rule(count=st.integers(1, 100))
    def measures(self, count: int) -> None:
        for _ in range(count):
            self.tell("MeterValues")

    @precondition(lambda self: self.transaction)
    @rule()
    def ends(self) -> None:
        self.tell("StopTransaction")
        self.transaction = 0

    @rule()
    def beats(self) -> None:
        if self.csms.is_live:
            self.csms.feed(Passed(f"LR-beat{self.number}", "Heartbeat", b"{}"))

    @precondition(lambda self: self.is_up)
    @rule()
    def the_line_is_cut(self) -> None:
        self.csms.cut()
        self.settle_live()

    @rule(mood=st.sampled_from(["well", "deaf", "mute"]))
    def the_csms_is(self, mood: str) -> None:
        self.mood = mood

    @rule(seconds=st.sampled_from([0.1, 5.0, 15.0, 61.0, 95.0]))
    def time_passes(self, seconds: float) -> None:
        self.csms.passes(seconds)
        if self.csms.relay._link == "dialled":
            if self.mood == "deaf":
                self.csms.refuse()
            else:
                self.csms.link()
        self.settle_live()

    @rule(slow=st.booleans())
    def the_disk_is(self, slow: bool) -> None:
        self.csms.is_disk_slow = slow
        self.csms.disk_answers()

    @rule()
    def all_is_well(self) -> None:
        """For long enough to catch up."""
        self.mood = "well"
        self.the_disk_is(slow=False)
        for _ in range(3):
            self.time_passes(95.0)

    @rule(power_cut=st.booleans())
    def the_process_dies(self, power_cut: bool) -> None:
        old = self.csms
        lost = self.live_lost
        self.told = [m for m in self.told if m.number not in lost]
        self.live_lost = set()
        self.csms = old.restart(power_cut=power_cut)
        self.csms.answers = self.answers
        self.csms.feed(Here(here=True), Boot(BOOT))

    @rule()
    def the_charger_comes_and_goes(self) -> None:
        self.csms.feed(Here(here=False))
        self.csms.passes(1)
        self.csms.feed(Here(here=True))

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def nothing_was_set_aside(self) -> None:
        assert not self.csms.aside, self.csms.aside

    @invariant()
    def the_csms_heard_in_order(self) -> None:
        numbers = [int(message_id[1:]) for message_id, _ in self.heard]
        assert numbers == sorted(numbers)

    @invariant()
    def each_message_bears_its_transactions_number(self) -> None:
        for message_id, payload in self.heard:
            if "transactionId" in payload:
                own = next(m for m in self.told if m.message_id == message_id)
                start = next(m for m in self.told if m.number == own.transaction)
                assert payload["transactionId"] == self.ids[start.message_id]

    @invariant()
    def while_linkray_decides_nothing_is_in_memory_alone(self) -> None:
        self.settle_live()
        assert self.csms.is_live or not self.live_lost

    @invariant()
    def what_waits_is_counted(self) -> None:
        assert self.csms.shown.waiting == len(self.csms.left())

    @invariant()
    def what_is_said_to_be_live_is(self) -> None:
        told = [item for item in self.csms.to_link if isinstance(item, Live)]
        assert all(a.live != b.live for a, b in itertools.pairwise(told))

    def teardown(self) -> None:
        """In the end the line is well, and the CSMS has heard everything, once."""
        self.mood = "well"
        self.csms.open.clear()
        self.the_disk_is(slow=False)
        if self.is_up:
            self.csms.cut()
        for _ in range(4):
            self.csms.passes(95)
            if self.csms.relay._link == "dialled":
                self.csms.link()
        heard = [message_id for message_id, _ in self.heard]
        assert heard == [m.message_id for m in self.told]
        assert self.csms.is_live
        assert self.csms.left() == []


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
