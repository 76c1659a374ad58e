"""The balancer's steps, kept so that they can be done again to the identical plans.

A step is the time, the facts of the burst and whether the alarm had rung; with it a digest of what
the balancer gave. Steps lie in segments, each of which begins with the balancer's state: what has
lost its beginning still replays. The oldest segment goes when the rest still holds `FACTS_KEPT`.

A recording that leaves the box names nobody: tags become `tag 1`, `tag 2` … in the order in which
they come (the balancer looks at none; a digest of a four-byte tag would be guessed in minutes), and
the settings in it have no CSMS.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from linkray.model.facts import AnyFact, EtaLearned, SessionBegan, SettingsChanged
from linkray.model.faults import Cleared, Raised
from linkray.model.plan import Plan
from linkray.model.settings import Access, Csms, Settings

from .balancer import Balancer, Out
from .checkpoint import BadState, State, Written, balancer_of, read, taken, written

VERSION = 1  # of the file
FACTS_KEPT = 20_000  # at least; some ten minutes of 32 chargers
SEGMENT_FACTS = 5_000  # a new segment after so many facts …
SEGMENT_STEPS = 5_000  # … or steps: a quiet site has a step a second and hardly a fact
FILE_BYTES_MAX = 3 * 1024 * 1024  # compressed; older segments are left out
PLAIN_BYTES_MAX = 64 * 1024 * 1024  # of a file that is read

FAILED = "failed"  # in the place of a digest: this step was the balancer's last
# charger, connector, id, mA per phase, reason: a connector whose offer is not what it was
Told = tuple[str, int, int, int, str]


class BadRecording(ValueError):
    """A file that cannot be replayed: what was expected, and what came."""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One step of the balancer: what it was given, and what it gave."""

    now: float
    due: bool  # its alarm had rung
    facts: tuple[AnyFact, ...]
    plan: str  # digest of what it gave; empty: nothing
    told: tuple[Told, ...] = ()  # offers that have changed since the step before


class Segment:
    """A state and the steps from it on."""

    __slots__ = ("facts", "is_start", "state", "steps", "utc")

    def __init__(self, state: State, utc: str, *, is_start: bool) -> None:
        self.state, self.utc = state, utc
        self.is_start = is_start  # a new balancer, not the one of the segment before
        self.steps: list[Step] = []
        self.facts = 0


def take(core: Balancer, facts: Sequence[AnyFact], now: float, *, due: bool) -> list[Out]:
    """One step: a burst, and a plan where the alarm has rung or rings at once."""
    outs = core.feed_all(facts, now)
    if due or (not outs and core.due() <= now):
        outs = [*outs, *core.wake(now)]
    return outs


def digest(outs: Sequence[Out]) -> str:
    """Sixteen digits that differ where anything of the outputs does."""
    if not outs:
        return ""
    total = hashlib.blake2b(digest_size=8)
    for out in outs:
        if isinstance(out, Plan | EtaLearned):
            total.update(msgspec.msgpack.encode(out))
        else:
            detail = out.detail if isinstance(out, Raised) else ""
            words = (type(out).__name__, out.code.name, out.subject, detail)
            total.update(msgspec.msgpack.encode(words))
    return total.hexdigest()


def plan_of(outs: Sequence[Out | Raised | Cleared]) -> Plan | None:
    """The newest plan of a step."""
    return next((out for out in reversed(outs) if isinstance(out, Plan)), None)


def changed(before: Plan | None, after: Plan | None) -> tuple[Told, ...]:
    """The offers of `after` that are not those of `before`; all where there was none before."""
    if after is None:
        return ()
    old = {} if before is None else {(o.charger, o.connector): o for o in before.offers}
    found = []
    for offer in after.offers:
        was = old.get((offer.charger, offer.connector))
        if was is offer:
            continue
        told = (offer.charger, offer.connector, offer.id, offer.limit_ma, offer.reason.code)
        if was is None or (was.id, was.limit_ma, was.reason.code) != told[2:]:
            found.append(told)
    return tuple(found)


class FactRing:
    """The newest steps in memory. Recording that fails stops itself, never the balancer."""

    def __init__(self) -> None:
        self.trouble = ""  # why nothing is recorded, in words
        self._segments: deque[Segment] = deque()
        self._plan: Plan | None = None
        self._facts = self._steps = 0  # of all segments

    def begin(self, core: Balancer, utc: str) -> None:
        """A balancer that has not made a step yet."""
        self._cut(core, utc, is_start=True)

    def add(
        self, core: Balancer, facts: Sequence[AnyFact], now: float, outs: Sequence[Out],
        stamp: Callable[[], str], *, due: bool,
    ) -> None:  # fmt: skip
        """A step that the balancer has made; after many of them a new segment begins."""
        if self.trouble or not self._segments:
            return
        plan = plan_of(outs)
        segment = self._segments[-1]
        step = Step(now, due, tuple(facts), digest(outs), changed(self._plan, plan))
        segment.steps.append(step)
        segment.facts += len(facts)
        self._facts += len(facts)
        self._steps += 1
        self._plan = plan or self._plan
        if segment.facts >= SEGMENT_FACTS or len(segment.steps) >= SEGMENT_STEPS:
            self._cut(core, stamp(), is_start=False)

    def add_failed(self, facts: Sequence[AnyFact], now: float, *, due: bool) -> None:
        """The step on which the balancer failed: it gave nothing."""
        if self._segments:
            self._segments[-1].steps.append(Step(now, due, tuple(facts), FAILED))

    def _cut(self, core: Balancer, utc: str, *, is_start: bool) -> None:
        try:
            state = taken(core)
        except BadState as error:
            self.trouble = str(error)
            self._segments.clear()
            return
        self.trouble = ""
        self._plan = None
        self._segments.append(Segment(state, utc, is_start=is_start))
        while len(self._segments) > 1:
            oldest = self._segments[0]
            facts, steps = self._facts - oldest.facts, self._steps - len(oldest.steps)
            if facts < FACTS_KEPT and steps < FACTS_KEPT:
                return
            self._segments.popleft()
            self._facts, self._steps = facts, steps

    def segments(self) -> tuple[Segment, ...]:
        """What is kept, as it is now: steps that come later are not in it."""
        return tuple(_copied(segment) for segment in self._segments)


def _copied(segment: Segment) -> Segment:
    copy = Segment(segment.state, segment.utc, is_start=segment.is_start)
    copy.steps, copy.facts = segment.steps.copy(), segment.facts
    return copy


# -- the file --------------------------------------------------------------------------------------


class _Kept(msgspec.Struct, frozen=True):
    """A segment in a file."""

    utc: str
    is_start: bool
    state: Written
    steps: tuple[Step, ...]


class _File(msgspec.Struct, frozen=True):
    """A recording as it is written: msgpack, compressed."""

    recording: int  # its version
    firmware: str
    made: str  # UTC
    segments: tuple[_Kept, ...]


class Recording(msgspec.Struct, frozen=True):
    """A recording that was read."""

    firmware: str
    made: str
    segments: tuple[Segment, ...]


class _Nameless:
    """Takes out who charged: a tag becomes its number in this recording."""

    def __init__(self) -> None:
        self._numbers: dict[str, str] = {}

    def tag(self, tag: str) -> str:
        key = tag.upper()  # case does not matter in a tag
        return self._numbers.setdefault(key, f"tag {len(self._numbers) + 1}")

    def settings(self, settings: Settings) -> Settings:
        vip = tuple(map(self.tag, settings.access.vip))
        access: Access = msgspec.structs.replace(settings.access, vip=vip)
        return msgspec.structs.replace(settings, access=access, csms=Csms())

    def fact(self, fact: AnyFact) -> AnyFact:
        if isinstance(fact, SessionBegan):
            return msgspec.structs.replace(fact, tag=self.tag(fact.tag))
        if isinstance(fact, SettingsChanged):
            return SettingsChanged(self.settings(fact.settings))
        return fact

    def atom(self, atom: msgspec.Struct) -> msgspec.Struct:
        if isinstance(atom, Settings):
            return self.settings(atom)
        if isinstance(atom, SessionBegan | SettingsChanged):
            return self.fact(atom)
        return atom

    def step(self, step: Step) -> Step:
        if not any(isinstance(fact, SessionBegan | SettingsChanged) for fact in step.facts):
            return step
        return msgspec.structs.replace(step, facts=tuple(map(self.fact, step.facts)))


def to_file(segments: Sequence[Segment], firmware: str, made: str) -> bytes:
    """The recording as a file of at most `FILE_BYTES_MAX`; the oldest segments go first."""
    nameless = _Nameless()
    kept = [
        _Kept(s.utc, s.is_start, written(s.state, nameless.atom),
              tuple(map(nameless.step, s.steps)))
        for s in segments
    ]  # fmt: skip
    while True:
        plain = msgspec.msgpack.encode(_File(VERSION, firmware, made, tuple(kept)))
        packing = zlib.compressobj(level=6, wbits=31)
        packed = packing.compress(plain) + packing.flush()
        if not kept or (len(packed) <= FILE_BYTES_MAX and len(plain) <= PLAIN_BYTES_MAX):
            return packed
        del kept[0]


def from_file(packed: bytes) -> Recording:
    """What `to_file` wrote, checked; raises `BadRecording`."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        plain = unpacking.decompress(packed, PLAIN_BYTES_MAX)
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise BadRecording(f"Expected a whole file of at most {PLAIN_BYTES_MAX} bytes")
        version = msgspec.msgpack.decode(plain, type=_Told).recording
        if version != VERSION:
            raise BadRecording(f"Expected a recording of version {VERSION}, got {version}")
        file = msgspec.msgpack.decode(plain, type=_File)
    except zlib.error as error:
        raise BadRecording(f"Expected a compressed recording: {error}") from None
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise BadRecording(f"Expected a recording: {error}") from None
    return Recording(file.firmware, file.made, tuple(map(_segment, file.segments)))


class _Told(msgspec.Struct):
    """What a file says of itself."""

    recording: int


def _segment(kept: _Kept) -> Segment:
    try:
        segment = Segment(read(kept.state), kept.utc, is_start=kept.is_start)
    except BadState as error:
        raise BadRecording(str(error)) from None
    segment.steps = list(kept.steps)
    segment.facts = sum(len(step.facts) for step in kept.steps)
    return segment


# -- done again ------------------------------------------------------------------------------------


class Difference(msgspec.Struct, frozen=True):
    """The first step that gave something else, with the offers of then and of now."""

    segment: int
    step: int
    now: float
    then: dict[tuple[str, int], Told]
    again: dict[tuple[str, int], Told]


class Replayed(msgspec.Struct):
    """What came of doing all steps again."""

    steps: int = 0
    facts: int = 0
    plans: int = 0
    first: Difference | None = None
    failures: int = 0  # steps on which the balancer failed; they are not done again


def replay(segments: Sequence[Segment]) -> Replayed:
    """Do every step again, each segment from its own state; ends at the first difference.

    Raises `BadRecording` where a state is none of this version's.
    """
    done = Replayed()
    for place, segment in enumerate(segments):
        told: dict[tuple[str, int], Told] = {}
        done.failures += any(step.plan == FAILED for step in segment.steps)
        for number, (step, outs) in enumerate(again(segment)):
            done.steps += 1
            done.facts += len(step.facts)
            done.plans += plan_of(outs) is not None
            told.update(((row[0], row[1]), row) for row in step.told)
            if digest(outs) != step.plan:
                rows = changed(None, plan_of(outs))
                done.first = Difference(
                    place, number, step.now, told, {(row[0], row[1]): row for row in rows}
                )
                return done
    return done


def again(segment: Segment) -> Iterator[tuple[Step, list[Out]]]:
    """Every step of a segment with what the balancer gives for it now, but for one it failed on."""
    core = begun(segment)
    for step in segment.steps:
        if step.plan == FAILED:
            return
        yield step, take(core, step.facts, step.now, due=step.due)


def settings_of(segment: Segment) -> Settings:
    """The settings in force when the segment began; raises `BadRecording`."""
    shapes, tree = segment.state.shapes, segment.state.tree
    try:
        _, shape, *values = tree
        found = values[shapes[shape][1].index("_settings")]
    except (LookupError, TypeError, ValueError):
        found = None
    if not isinstance(found, Settings):
        raise BadRecording("Expected a state with the settings in force")
    return found


def ended(segment: Segment, steps: int | None = None) -> bytes:
    """The balancer's state after so many steps of a segment, or all, as bytes to compare."""
    core = begun(segment)
    for step in segment.steps[:steps]:
        take(core, step.facts, step.now, due=step.due)
    return msgspec.msgpack.encode(written(taken(core)))


def begun(segment: Segment) -> Balancer:
    """The balancer as it was when the segment began; raises `BadRecording`."""
    try:
        return balancer_of(segment.state)
    except BadState as error:
        raise BadRecording(str(error)) from None
