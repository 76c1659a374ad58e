"""A charger's side of OCPP-J, in `json` alone: ids, one open call, a queue of what must be kept.

No socket and no clock of its own: texts come in, texts lie in `outgoing`, time is told by `tick`.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tools.world.reported import Reading, Reported, Said
from tools.world.schemas import CALL, RESULT, Json, Judge

ANSWER_S = 30.0  # what a charger waits for an answer
DEAD_CALLS = 2  # so many unanswered calls in a row and it hangs up
QUEUE_MAX = 2_000

OnAnswer = Callable[[Json], None]
OnFailure = Callable[[str], None]
Payload = Json | Callable[[], Json]
Answering = Callable[[str, Json], Json | None]


class Refused(Exception):
    """A call is answered with CALLERROR."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass
class Question:
    """A call that waits for its turn or its answer."""

    action: str
    payload: Payload  # a function: made when it is sent, as an id may be learnt until then
    on_answer: OnAnswer | None = None
    on_failure: OnFailure | None = None
    is_kept: bool = False  # survives the link: transaction messages
    is_judged: bool = True
    about: Said | Reading | None = None  # what its book calls this
    id: str = ""
    deadline: float = 0.0


class Wire:
    """Calls and answers of one charger, over whatever links it has one after another."""

    def __init__(
        self, who: str, judge: Judge, chance: random.Random, answer: Answering, *, slow_s: float
    ) -> None:
        self.who = who
        self.judge = judge
        self.chance = chance
        self.is_up = False
        self.is_dead = False  # nobody answers at the other end: hang up
        self.is_mute = False  # does and answers no calls (scene)
        self.is_hasty = False  # makes its next call without waiting for the answer (scene)
        self.links = 0  # it has had
        self.reported = Reported(who)
        self.outgoing: deque[tuple[float, str]] = deque()
        self.asked: deque[str] = deque(maxlen=100)  # actions sent, for a test to look at
        self.repeats: dict[str, int] = {}  # action → how often it is said again (C17)
        self._answer = answer
        self._slow_s = slow_s
        self._waiting: deque[Question] = deque()
        self._open: Question | None = None
        self._overtaken: dict[str, Question] = {}  # calls of a hasty one, by id
        self._unanswered = 0
        self._now = 0.0
        self.may_speak: Callable[[str], bool] = lambda _action: True

    def up(self) -> None:
        self.is_up, self.is_dead, self._unanswered = True, False, 0
        self.links += 1

    def down(self) -> None:
        """The link is gone: an open call and the queue go with it, transaction messages stay."""
        self.is_up = False
        self.outgoing.clear()
        if self._open is not None:
            self._waiting.appendleft(self._open)
            self._open = None
        self._waiting.extendleft(reversed(self._overtaken.values()))
        self._overtaken.clear()
        kept = deque(q for q in self._waiting if q.is_kept)
        lost = [q for q in self._waiting if not q.is_kept]
        self._waiting = kept
        for question in lost:
            if question.on_failure is not None:
                question.on_failure("gone")

    def ask(
        self,
        action: str,
        payload: Payload,
        on_answer: OnAnswer | None = None,
        on_failure: OnFailure | None = None,
        *,
        is_kept: bool = False,
        is_first: bool = False,
        is_judged: bool = True,
        about: Said | Reading | None = None,
    ) -> None:
        """Put a call into the queue; what is not kept is not asked while there is no link."""
        if not self.is_up and not is_kept:
            return
        for _again in range(1 + self.repeats.pop(action, 0)):
            entry = Question(action, payload, on_answer, on_failure, is_kept, is_judged, about)
            if is_first:
                self._waiting.appendleft(entry)
            else:
                self._waiting.append(entry)
        while len(self._waiting) > QUEUE_MAX:
            self._drop_one()

    def _drop_one(self) -> None:
        """A full memory loses samples before it loses a start or a stop."""
        for question in self._waiting:
            if question.action == "MeterValues":
                self._waiting.remove(question)
                return
        self._waiting.popleft()

    def shuffle(self) -> None:
        """What is kept waits in any order from now on (C20)."""
        waiting = list(self._waiting)
        self.chance.shuffle(waiting)
        self._waiting = deque(waiting)

    def pending(self, action: str) -> int:
        """How many of these wait or are open."""
        opened = [*self._overtaken.values(), *([self._open] if self._open else [])]
        return sum(q.action == action for q in [*opened, *self._waiting])

    def tick(self, now: float) -> None:
        """Time out an open call, send the next one that may be sent."""
        self._now = now
        if self._open is None and not self._waiting and not self._overtaken:
            return
        for old in [q for q in self._overtaken.values() if now >= q.deadline]:
            self._give_up(self._overtaken.pop(old.id))
        if self._open is not None and now >= self._open.deadline:
            late, self._open = self._open, None
            self._give_up(late)
        self._pump()

    def _give_up(self, late: Question) -> None:
        self._unanswered += 1
        self.is_dead = self._unanswered >= DEAD_CALLS
        if late.is_kept:
            self._waiting.appendleft(late)
        elif late.on_failure is not None:
            late.on_failure("timeout")

    def _pump(self) -> None:
        """Send the next call that may be sent, where none is open."""
        if self._open is not None and self.is_hasty and self._waiting:
            self._overtaken[self._open.id] = self._open
            self._open = None
        if self._open is not None or not self.is_up or not self._waiting:
            return
        if self.may_speak(self._waiting[0].action):
            self._send(self._waiting.popleft())
        elif (boot := self._boot()) is not None:
            self._waiting.remove(boot)
            self._send(boot)

    def _boot(self) -> Question | None:
        return next((q for q in self._waiting if q.action == "BootNotification"), None)

    def _send(self, question: Question) -> None:
        made = question.payload() if callable(question.payload) else question.payload
        if question.is_judged:
            self.judge.sent(self.who, CALL, question.action, made)
        question.id = f"{self.chance.getrandbits(64):016x}"
        question.deadline = self._now + ANSWER_S
        self._open = question
        self.asked.append(question.action)
        self.reported.sent(question.about, question.id, made)
        self._put(self._now, json.dumps([2, question.id, question.action, made]))

    def _put(self, due: float, text: str) -> None:
        self.reported.framed(due, self.links, "out", text)
        self.outgoing.append((due, text))

    def say(self, text: str) -> None:
        """Anything at all, unjudged (scene)."""
        self.reported.made_up(text)
        self._put(self._now, text)

    def receive(self, text: str, now: float) -> None:
        """A text from the other end."""
        self._now = now
        self.reported.framed(now, self.links, "in", text)
        try:
            frame = json.loads(text)
            kind, message_id = frame[0], str(frame[1])
            parts = [frame[n] for n in range(2, 4 if kind == CALL else 3)]
        except (ValueError, LookupError, TypeError, RecursionError):
            self.judge.complain(self.who, f"expected a frame of OCPP-J, got {text[:80]!r}")
            return
        if kind == CALL:
            self._called(message_id, str(parts[0]), parts[1])
        elif self._open is not None and message_id == self._open.id:
            question, self._open = self._open, None
            self._unanswered = 0
            self._answered(question, frame)
        elif message_id in self._overtaken:
            self._answered(self._overtaken.pop(message_id), frame)
        # else: a late answer to a call given up; a charger says nothing about it
        self._pump()

    def _answered(self, question: Question, frame: list[object]) -> None:
        if frame[0] != RESULT:
            if question.on_failure is not None:
                question.on_failure(str(frame[2]))
            return
        payload = frame[2]
        if self.judge.received(self.who, RESULT, question.action, payload):
            if question.on_failure is not None:  # an answer that says nothing is none
                question.on_failure("spoilt")
            return
        self.reported.answered(question.about, payload)
        if question.on_answer is not None and isinstance(payload, dict):
            question.on_answer(payload)

    def _called(self, message_id: str, action: str, payload: Json) -> None:
        if self.is_mute:
            return
        wrong = self.judge.received(self.who, CALL, action, payload)
        frame: list[object]
        try:
            result = self._judged_answer(action, payload, wrong)
        except Refused as refusal:
            frame = [4, message_id, refusal.code, refusal.text, {}]
        else:
            if result is None:
                return  # a make that says nothing to this
            self.judge.sent(self.who, RESULT, action, result)
            frame = [3, message_id, result]
        due = self._now + self.chance.random() * self._slow_s
        if self.outgoing:
            due = max(due, self.outgoing[-1][0])
        self._put(due, json.dumps(frame))

    def _judged_answer(self, action: str, payload: Json, wrong: list[str]) -> Json | None:
        if wrong or not isinstance(payload, dict):
            why = wrong[0] if wrong else f"expected an object, got {payload!r}"
            raise Refused("FormationViolation", why[:255])
        return self._answer(action, payload)
