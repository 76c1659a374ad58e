"""The core of one charger's link: what each frame means, what is answered, told and written down.

Knows frames, sessions, offers and commissioning; no socket, no clock, no disk. The order of what it
yields is a promise: `Record` before `Send` is "on disk before the charger gets its answer".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Literal, NamedTuple

import msgspec

from linkray.kit.clock import stamp
from linkray.model.asks import (
    Answer,
    ChangeKey,
    ReadConfiguration,
    StartCharging,
    StopCharging,
)
from linkray.model.facts import (
    Booted,
    ChargerKnown,
    Drawn,
    LeaseProven,
    LinkLost,
    LinkSilent,
    LinkUp,
    ObeyTimeKnown,
    StatusSeen,
)
from linkray.model.faults import Cleared, Code, Raised
from linkray.model.passport import Finding, Passport
from linkray.model.plan import Offer
from linkray.model.records import (
    AnyRecord,
    Called,
    ChargerSeen,
    IdLearned,
    Outgoing,
    PassportForgotten,
    PassportFound,
    Refused,
    TagAccepted,
    TagRejected,
    Transaction,
    TransactionSampled,
)
from linkray.model.tags import Decision, turned
from linkray.model.uplink import (
    OWNED,
    Asks,
    Boot,
    Given,
    Here,
    Introduce,
    Live,
    Message,
    Passed,
    Replied,
    SessionNow,
    SessionOver,
    Status,
    ToUplink,
)
from linkray.model.uplink import (
    Answered as FromCsms,
)
from linkray.model.views import ChargerView
from linkray.ocpp import frame as frames
from linkray.ocpp import messages
from linkray.ocpp.frame import BadFrame, Call
from linkray.ocpp.lenient import Unreadable, moment, read_as
from linkray.ocpp.messages import Payload, encode
from linkray.ocpp.peer import Answered, Asked, Event, Failed, Peer, Stray
from linkray.ocpp.splice import with_field

from .bucket import Bucket
from .commission import Ask, Learned, Outcome, Ready, Say, Steps, commissioning, configure
from .connector import Connector
from .errand import AnyErrand, call_of, keys_told, told
from .freshness import Freshness
from .inquiry import Inquiry, make_of
from .measured import STALE_INTERVALS, Wiring
from .own_limit import OwnLimit
from .passport import Evidence
from .probe import LEASE_S, Act, Look
from .profiles import Ability, fallback_ma
from .quirks import Quirk, Quirks
from .sessions import EMERGENCY, Running, Sessions
from .told import Move, Set, Situation, Stage, Stop, Took, Trial, refuses
from .told_time import SLEWED_S, ToldTime
from .upward import Otherwise, Then, Upward
from .wire import (
    CONNECTORS_MAX,
    Close,
    Command,
    Emergency,
    Garbage,
    Gather,
    Gone,
    Introduced,
    Item,
    Later,
    Note,
    Opened,
    Out,
    PassportNow,
    Presented,
    Progress,
    Received,
    Record,
    Reply,
    Retell,
    Send,
    Surroundings,
    Tell,
    Terms,
    TermsNow,
    Up,
    View,
    Wanted,
)
from .writes import Writes, dead_man_s, raise_in_s

HEARTBEAT_S = 60  # chargers.md, Commissioning 1
BOOT_AFTER_TRIGGER_S = 10.0  # how long a BootNotification asked for is waited for
BOOT_AGAIN_S = 30.0  # no commissioning anew within this time of the last (trust.md A34)
ASKS_MISSED_MAX = 2  # questions for values in a row that got no answer
ERRORS_MAX = 20  # protocol errors within a minute (chargers.md, Connecting)
ERRORS_S = 60.0
VIEW_S = 1.0  # a view at most so often
STOP_AGAIN_S = 10.0  # RemoteStopTransaction is repeated while its session runs
STOPS_MAX = 6  # after which it is repeated once a minute
BY_HAND_S = 120.0  # a start by hand is let in for so long
QUIET_S = 60.0  # a session whose connector has become Available waits so long for its end
NOTE_S = 60.0  # the same trouble is noted once a minute
NOTED_MAX = 64
SAMPLE_S = 10.0  # a session's register goes to disk at most so often
REJECTED_RATE, REJECTED_BURST = 1.0, 10.0  # tags refused, as history
ASKS_AGAIN_MAX = 3  # of a commissioning step that an urgent call pushed aside
CLEAR = "clear"  # in line: of some makes it takes away what any connector was told
CLEAR_LATE_S = 30.0  # a clear that was pushed aside may act so late (quirks.md, 0 A)
EVICTED = "an urgent call waits"  # ocpp/peer.py: what it says of a call pushed aside
BEGIN_S = 5.0  # a car that waits is begun for after this time, where its make needs it
BEGIN_AGAIN_S = 30.0
BEGINS_MAX = 3
OPEN_TAG = "LINKRAY"  # where everybody may charge and no tag was shown
SERVICE_AGAIN_S = 30.0
SILENT_S = 11.0  # 1 s dispatch and the obey time of 10 s (trust.md 1, INV-1)
TRIAL_PLAN_S = 3.0  # no plan for so long: nothing is tried
WRITES_KEPT = 100  # the count goes to disk so often a day at most
EMPTY = b"{}"
INT32_MAX = 2**31 - 1  # what chargers take for a transaction id
DEAUTHORIZED = "DeAuthorized"
ADMIN_TAG = "AdminTag"  # what our record says of a session that such a tag has ended
# What a charger says of a stop that is ours; any other is what truly ended it, and stays.
OUR_STOP = ("Remote", "Local", "Other", None)
INVALID_STOPS = "stoptransactiononinvalidid"


class ValuesAsked(NamedTuple):
    """TriggerMessage MeterValues."""


class ClockAsked(NamedTuple):
    """TriggerMessage Heartbeat."""


class Begun(NamedTuple):
    """RemoteStartTransaction for a car that waits."""


class Availability(NamedTuple):
    """ChangeAvailability of a connector."""

    connector: int
    wanted: str


class CommissionStep(NamedTuple):
    """A commissioning call; one of an earlier run counts no more."""

    run: int
    number: int
    clears: bool = False  # it takes profiles away


class BootAsked(NamedTuple):
    """TriggerMessage BootNotification."""


class Started(NamedTuple):
    """RemoteStartTransaction for a person."""

    reply_id: int


class Stopped(NamedTuple):
    """RemoteStopTransaction, for a person (reply_id) or on our own (None)."""

    transaction_id: int
    reply_id: int | None


class Errand(NamedTuple):
    """A call that a person wished."""

    ask: AnyErrand
    reply_id: int


class ForCsms(NamedTuple):
    """A call of the CSMS, passed on; `wrote`: the key and value that it writes."""

    call_id: str
    wrote: tuple[str, str] | None = None


class _Unread(msgspec.Struct, frozen=True):
    """Values that have come and are not looked into yet."""

    at: float
    connector: Connector
    values: tuple[messages.MeterValue, ...]
    run: Running | None  # the session that they belong to


class Link:
    """One charger's link, from its handshake to its end."""

    __slots__ = (
        "_ability", "_address", "_again", "_around", "_asking", "_asks_missed", "_began_at",
        "_boot_asked", "_boot_due", "_booted", "_by_hand", "_can_ask", "_can_clear",
        "_charger",
        "_clear_due", "_clearing", "_clock_due", "_closing", "_connectors", "_deviations",
        "_dirty", "_emergency", "_errors", "_fresh", "_inquiry", "_is_late", "_is_silent",
        "_let_in", "_next", "_noted", "_notes", "_peer", "_quirks", "_ready", "_rejected",
        "_sampled_at", "_seen", "_sessions", "_since", "_step", "_steps", "_swept",
        "_terms",
        "_time", "_unheard_since", "_unread", "_up", "_viewed_at", "_wiring", "_writes",
        "configuration",
    )  # fmt: skip

    def __init__(
        self,
        charger: str,
        address: str,
        terms: Terms,
        around: Surroundings,
        quirks: Quirks,
        *,
        kept: Sequence[Transaction] = (),
        seen: ChargerSeen | None = None,
        emergency: bool = False,
        notes: Sequence[str] = (),
        prefix: str = "",
        writes: Writes | None = None,
        time: ToldTime | None = None,
        own_limits: dict[int, OwnLimit] | None = None,
        now: float,
    ) -> None:
        self._charger, self._address = charger, address
        self._terms = terms
        self._wiring = _wired(terms)
        self._around = around
        self._quirks = quirks
        self._seen = seen or ChargerSeen(charger)
        self._inquiry = Inquiry(charger, quirks, around.passport(*make_of(self._seen)), own_limits)
        self._emergency = emergency
        self._peer = Peer(prefix)
        self._time = time or ToldTime(self._seen.clock_off_s, is_behind=self._seen.behind)
        wall = around.wall(now)
        self._sessions = Sessions(
            charger, kept, now, wall, self._time.off_at(wall, now), self._seen.doubted
        )  # fmt: skip
        self._time.goes_on(wall, now, self._sessions.ahead_s)
        self._connectors: dict[int, Connector] = {}
        self._ability = Ability(stack_level_max=self._seen.stack_level_max)
        self.configuration: dict[str, str | None] = {}  # GetConfiguration, for the charger's page
        self._notes: dict[str, str] = {f"link {n}": text for n, text in enumerate(notes)}
        self._deviations = 0
        self._errors: list[float] = []  # the newest, at most so many as end the link
        self._fresh = Freshness()
        self._up = Upward()
        self._rejected = Bucket(REJECTED_RATE, REJECTED_BURST)
        self._by_hand: dict[str, float] = {}
        self._sampled_at: dict[int, float] = {}
        self._unread: _Unread | None = None
        self._writes = writes or Writes(self._seen.writes_day, self._seen.writes)
        self._asks_missed = 0  # of those, in a row
        self._can_ask = True  # for values: it knows TriggerMessage, as far as it has shown
        self._let_in: tuple[str, float] = ("", -math.inf)  # the newest tag, and how long it counts
        self._since = stamp(around.wall(now))
        self._booted = False
        self._boot_due = math.inf
        self._boot_asked = False
        self._steps: Steps | None = None
        self._step = CommissionStep(0, 0)
        self._asking: tuple[Ask, int] | None = None
        self._began_at = -math.inf
        self._again = math.inf
        self._ready = False
        self._can_clear = True  # it answers ClearChargingProfile, as far as it has shown
        # one is out or to come, and till when; one was pushed aside; one has taken something away
        self._clearing, self._clear_due, self._is_late, self._swept = False, math.inf, False, False
        self._noted: dict[str, float] = {}
        self._dirty = False
        self._viewed_at = -math.inf
        self._next = math.inf  # the earliest timer of a connector or session; may be too early
        self._closing = False
        self._clock_due = math.inf  # when its clock, behind, is waited for no more
        self._unheard_since: float | None = None  # a call of ours was the first without an answer
        self._is_silent = False

    @property
    def terms(self) -> Terms:
        """What holds for it, as far as it has been told."""
        return self._terms

    @property
    def _quirk(self) -> Quirk:
        """The rules for it: its table's, with what was measured over them."""
        return self._inquiry.quirk

    @property
    def is_stopped(self) -> bool:
        """Whether it knows of an emergency stop."""
        return self._emergency

    # -- the three doors -------------------------------------------------------------------------

    def feed(self, item: Item, now: float) -> list[Out]:
        outs = self._look_into(now)
        if isinstance(item, Received):
            outs += self._received(item.text, now)
            if self._inquiry.probe.phase != "idle":
                outs += self._inquire(now)
        else:
            outs += self._other(item, now)
            self._next = now
        if self._dirty and now >= self._viewed_at + VIEW_S:
            outs.append(self._view(now))
        return outs

    def _once_a_minute(self, about: str, now: float) -> bool:
        """Whether a line about this should be written again: what repeats is not (trust.md C21)."""
        if now - self._noted.get(about, -math.inf) < NOTE_S:
            return False
        if len(self._noted) >= NOTED_MAX:
            self._noted.clear()
        self._noted[about] = now
        return True

    def due(self) -> float:
        if self._unread is not None:
            return self._unread.at
        view = self._viewed_at + VIEW_S if self._dirty else math.inf
        since = self._peer.open_since if self._unheard_since is None else self._unheard_since
        silent = math.inf if self._is_silent or since is None else since + SILENT_S
        return min(
            view, self._next, self._boot_due, self._again, self._clock_due, self._clear_due,
            self._peer.due(), silent, self._up.due(),
        )  # fmt: skip

    def wake(self, now: float) -> list[Out]:
        outs = [*self._look_into(now), *self._silence(now)]
        if now >= self._peer.due():
            outs += self._happened(self._peer.wake(now), now)
        outs += self._up.wake(now)
        if now >= self._boot_due:
            outs += self._boot_missing(now)
        if now >= self._clock_due:
            outs += self._clock_missing(now)
        if now >= self._clear_due:
            self._clear_due, self._is_late = math.inf, False
            outs += [] if self._is_clear_out() else self._cleared(now)
        if now >= self._again:
            outs += self._commission_anew(now)
        if now >= self._next:
            outs += self._timers(now)
        if self._dirty and now >= self._viewed_at + VIEW_S:
            outs.append(self._view(now))
        return outs

    def _other(self, item: Item, now: float) -> list[Out]:
        match item:
            case Opened():
                return self._opened(now)
            case Garbage(text):
                return self._protocol_error(text, now)
            case Wanted(offers):
                return self._wanted(offers, now)
            case Command(ask, reply_id):
                self._dirty = True
                if isinstance(ask, StartCharging):
                    return self._start_by_hand(ask, reply_id, now)
                if isinstance(ask, StopCharging):
                    return self._stop_by_hand(ask.connector, reply_id, now)
                return self._errand(ask, reply_id, now)
            case TermsNow(terms):
                return self._terms_now(terms, now)
            case Emergency(on):
                return self._emergency_now(on, now)
            case Retell():
                return self._retell(now)
            case PassportNow(passport, again):
                return self._passport_now(passport, now, again=again)
            case Gone(reason):
                return self._gone(reason, now)
            case Introduce():
                return self._introduced_up()
            case Live() | FromCsms():
                return self._of_csms(item, now)
            case Asks(call_id, action, payload):
                tag = ForCsms(call_id, _written(action, payload))
                return self._happened(self._peer.call(action, payload, now, tag=tag), now)
        return []

    # -- opening and ending ----------------------------------------------------------------------

    def _opened(self, now: float) -> list[Out]:
        self._boot_due = now + self._quirk.boot_grace_s
        for number in range(1, max(1, self._seen.connectors) + 1):
            self._connector(number)
        outs: list[Out] = [self._known(), Tell(LinkUp(self._charger, now)), *self._proofs(now)]
        outs += self._introduced_up()
        for run in self._sessions.running.values():
            connector = self._connector(run.connector)
            connector.began(run, now, found=True)
            connector.expect_values(self._terms.interval_s, now)
            run.vip = self._around.is_vip(self._own_tag(run.tag, now))
            outs.append(Tell(run.began(self._charger, now, found=True)))
            if not run.accepted:
                outs += self._stop(run, "", now)
        if self._time.is_behind:  # the link that waited for its clock is gone
            outs.append(Tell(Booted(self._charger, now)))
        if self._emergency:
            outs += self._emergency_now(True, now)
        self._dirty = True
        self._clears_first(now, is_new=not (self._seen.vendor or self._seen.model))
        if self._quirk.resend_on_connect:
            self._ready = True
        return outs

    def _gone(self, reason: str, now: float) -> list[Out]:
        outs: list[Out] = []
        self._steps = None
        self._around.probed(self._charger)
        for event in self._peer.gone():
            outs += [out for out in self._event(event, now) if not isinstance(out, Send)]
        self._steps = None
        samples = tuple(
            TransactionSampled(run.id, run.register_wh, stamp(self._around.wall(now)), run.flagged)
            for run in self._sessions.running.values()
            if run.register_wh is not None
        )
        self._since = stamp(self._around.wall(now))
        self._closing = True
        outs += [Later(samples)] if samples else []
        view = self._view(now)
        outs += [Tell(LinkLost(self._charger, now)), view]
        outs += [Up(Here(here=False))] if self._terms.csms else []
        outs.append(Note("link lost", {"peer": self._address, "cause": reason}))
        return outs

    def _retell(self, now: float) -> list[Out]:
        """What a balancer that begins anew must know of this charger."""
        outs: list[Out] = [self._known(), Tell(LinkUp(self._charger, now)), *self._proofs(now)]
        self._is_silent = False  # it is told again if it still is
        for connector in self._connectors.values():
            connector.teller.retell()
            run = self._sessions.running.get(connector.id)
            if run is not None:
                outs.append(Tell(run.began(self._charger, now, found=True)))
            if connector.status is not None:
                outs.append(Tell(StatusSeen(self._charger, connector.id, connector.status, now)))
            drawn = connector.measured.current(now)
            if drawn is not None:
                outs.append(Tell(drawn))
        return outs

    def _terms_now(self, terms: Terms, now: float) -> list[Out]:
        before, self._terms = self._terms, terms
        self._wiring = _wired(terms)
        self._dirty = True
        outs: list[Out] = [Record((self._seen,))] if terms.kept and not before.kept else []
        outs += self._tell_all(now)
        if terms.csms != before.csms:
            outs.append(Up(Here(here=bool(terms.csms))))
            outs += self._up.take(Live(live=False), now) or []  # another has not said it is there
        asked = (terms.interval_s, terms.offline_allowed)
        if self._steps is None and self._ready and asked != (
            before.interval_s, before.offline_allowed
        ):  # fmt: skip
            known = {k.lower(): (v, False) for k, v in self.configuration.items()}
            self._steps = configure(terms, self._quirk, known)
            self._step = CommissionStep(self._step.run + 1, 0)
            outs += self._commission(None, now)
        return outs

    def _introduced_up(self) -> list[Out]:
        """An uplink begins: the charger, what it is, and how its connectors are."""
        if not self._terms.csms:
            return []
        outs: list[Out] = [Up(Here(here=True))]
        outs += [Up(Boot(self._up.boot))] if self._up.boot else []
        outs += [Up(Status(n, said)) for n, said in sorted(self._up.statuses.items())]
        return [*outs, *(Up(_now_runs(run)) for run in self._sessions.running.values())]

    def _known(self) -> Out:
        (least_ma, least_w), numbers = self._inquiry.least, tuple(sorted(self._connectors))
        takes_zero = self._quirk.zero != "never"
        out = tuple(n for n in numbers if n in self._seen.inoperative)
        return Tell(ChargerKnown(self._charger, numbers, least_ma, least_w, takes_zero, out))

    def _connector(self, number: int) -> Connector:
        connector = self._connectors.get(number)
        if connector is None:
            connector = self._connectors[number] = Connector(
                self._charger, number, is_capped=self._seen.capped
            )
        return connector

    def _grown(self, number: int, now: float) -> tuple[Connector, list[Out]]:
        """A connector that has shown itself, and what is told where it is new."""
        if number in self._connectors:
            return self._connectors[number], []
        for new in range(1, number + 1):
            self._connector(new)
        places = self._around.found(self._charger, len(self._connectors))
        self._terms = msgspec.structs.replace(self._terms, places=places)
        return self._connectors[number], [self._known(), *self._note_seen(now)]

    # -- frames ----------------------------------------------------------------------------------

    def _silence(self, now: float) -> list[Out]:
        """One that has answered none of our calls for so long is not to be counted on (INV-1)."""
        if self._unheard_since is None:
            self._unheard_since = self._peer.open_since
        if self._is_silent or self._unheard_since is None or now < self._unheard_since + SILENT_S:
            return []
        self._is_silent = True
        return [Tell(LinkSilent(self._charger, self._unheard_since, now))]

    def _heard(self, now: float) -> list[Out]:
        """It has answered a call."""
        self._unheard_since = None
        was, self._is_silent = self._is_silent, False
        return [Tell(LinkSilent(self._charger, None, now))] if was else []

    def _received(self, text: str, now: float) -> list[Out]:
        try:
            frame = frames.read(text)
        except BadFrame as bad:
            outs: list[Out] = []
            if bad.message_id is not None:
                outs.append(Send(frames.write(frames.Error(bad.message_id, bad.code, bad.text))))
            return outs + self._protocol_error(bad.text, now)
        return self._happened(self._peer.receive(frame, now), now)

    def _happened(self, came: tuple[list[str], list[Event]], now: float) -> list[Out]:
        texts, events = came
        outs: list[Out] = [Send(text) for text in texts]
        for event in events:
            if isinstance(event, Answered) or (
                isinstance(event, Failed) and event.code == "callerror"
            ):
                outs += self._heard(now)
            outs += self._event(event, now)
        return outs

    def _event(self, event: Event, now: float) -> list[Out]:
        if isinstance(event, Asked):
            return self._asked(event.call, now)
        if isinstance(event, Stray):
            if not self._once_a_minute("stray", now):
                return []
            return [Note("stray frame", {"peer": self._address, "cause": event.text,
                                         "action": "ignored"}, "warning")]  # fmt: skip
        tag = event.tag
        if isinstance(tag, Stage):
            if tag.clears:
                self._clear_ended(event, now)
            outs = self._moves(self._told(tag, event, now), now)
            return [*outs, *(self._others_again(tag, event, now) if tag.clears else ())]
        if isinstance(tag, CommissionStep):
            came = self._clear_answered(event, now) if tag.clears else []
            return [*came, *self._commission_answered(tag, event, now)]
        if isinstance(tag, BootAsked):
            wait_s = BOOT_AFTER_TRIGGER_S if _status(event) == "Accepted" else 0.0
            if not self._booted and self._steps is None:
                self._boot_due = now + wait_s
            return []
        if isinstance(tag, Started):
            return [Reply(tag.reply_id, _answer(event, "The charger starts the session"))]
        if isinstance(tag, Stopped):
            return self._stop_answered(tag, event)
        if isinstance(tag, Errand):
            return self._errand_answered(tag, event)
        if isinstance(tag, Availability):
            return self._service_answered(tag, event, now)
        if isinstance(tag, ClockAsked):
            return self._clock_answered(event, now)
        if isinstance(tag, ForCsms):
            if tag.wrote is not None and _status(event) == "Accepted":
                self._key_is(*tag.wrote)
            return [Up(_replied(tag.call_id, event))]
        if isinstance(tag, ValuesAsked):
            self._values_answered(event)
        return []

    def _key_is(self, key: str, value: str) -> None:
        """The charger has taken another value of a key."""
        named = next((k for k in self.configuration if k.lower() == key.lower()), key)
        self.configuration = {**self.configuration, named: value}

    def _values_answered(self, event: Answered | Failed) -> None:
        """Whether it may be asked for values again. One that says nothing, twice, is not either: a
        cut would wait behind the question. What our own line dropped says nothing of it.
        """
        if not isinstance(event, Failed):
            self._asks_missed = 0
            self._can_ask = self._can_ask and _status(event) not in ("Rejected", "NotImplemented")
            return
        self._asks_missed += event.code == "timeout"
        if event.code == "callerror" or self._asks_missed >= ASKS_MISSED_MAX:
            self._can_ask = False

    def _protocol_error(self, text: str, now: float) -> list[Out]:
        self._errors = [*self._errors[1 - ERRORS_MAX :], now]
        outs: list[Out] = [
            Note("protocol error", {"peer": self._address, "cause": text}, "warning")
        ]
        if len(self._errors) == ERRORS_MAX and now - self._errors[0] <= ERRORS_S:
            outs.append(Close(1002, f"{ERRORS_MAX} protocol errors within {ERRORS_S:.0f} s"))
        return outs

    def _asked(self, call: Call, now: float) -> list[Out]:
        """A call of the charger is answered. What cannot be read changes nothing."""
        answer = self._answers.get(call.action)
        if answer is None:
            return self._unknown(call, now)
        try:
            payload, deviations = read_as(messages.REQUESTS[call.action], call.payload)
        except Unreadable as unreadable:
            refusal = Send(self._peer.refuse(call.id, unreadable.code, unreadable.text))
            if not self._once_a_minute(f"unreadable {call.action}", now):
                return [refusal]
            return [refusal, Note("unreadable payload", {
                "peer": self._address, "about": call.action, "cause": unreadable.text,
                "action": unreadable.code}, "warning")]  # fmt: skip
        if deviations:
            self._deviations += len(deviations)
            self._dirty = True
        return answer(self, call, payload, now)

    def _unknown(self, call: Call, now: float) -> list[Out]:
        """An action that LinkRay does not know passes; without a CSMS nobody knows it."""

        def refused(call_id: str, _now: float) -> list[Out]:
            text = f"LinkRay does not know {call.action[:50]!r}"
            return [
                Send(self._peer.refuse(call_id, "NotImplemented", text)),
                Note("unknown action", {"peer": self._address, "cause": text,
                                        "action": "NotImplemented"}, "warning"),
            ]  # fmt: skip

        return self._ask_csms(call, now, refused) if self._up.live else refused(call.id, now)

    def _reply(self, call_id: str, payload: Payload) -> Send:
        return Send(self._peer.answer(call_id, encode(payload)))

    def _call(
        self,
        action: str,
        payload: Payload,
        now: float,
        tag: object,
        *,
        urgent: bool = False,
        replaces: str | None = None,
        drops: tuple[str, ...] = (),
    ) -> list[Out]:
        came = self._peer.call(
            action, encode(payload), now, tag=tag, urgent=urgent, replaces=replaces, drops=drops
        )
        return self._happened(came, now)

    # -- what a charger asks ---------------------------------------------------------------------

    def _boot(self, call: Call, boot: messages.BootNotification, now: float) -> list[Out]:
        utc = self._around.wall(now)
        # It is adopted before it gets its answer; what names neither vendor nor model is not.
        named = bool(boot.charge_point_vendor or boot.charge_point_model)
        outs: list[Out] = [Introduced()] if named else []
        outs += self._timed(now, lambda at: self._reply(
            call.id, messages.BootNotificationResponse("Accepted", at, HEARTBEAT_S)
        ))  # fmt: skip
        firmware = boot.firmware_version or ""
        since = self._seen.firmware_since if firmware == self._seen.firmware else stamp(utc)
        known = msgspec.structs.replace(
            self._seen, vendor=boot.charge_point_vendor, model=boot.charge_point_model,
            firmware=firmware, firmware_since=since, address=self._address,
            serial=boot.charge_point_serial_number or boot.charge_box_serial_number or "",
        )  # fmt: skip
        quirk = self._quirk
        if make_of(known) != make_of(self._seen) or _is_another(known, self._seen):
            outs += self._another(known, now)
        self._dirty = True
        asked, self._boot_asked = self._boot_asked, False
        # the first one, or the one asked for, is no restart of the charger
        restarted = self._booted or (self._began_at > -math.inf and not asked)
        self._booted = True
        self._boot_due = math.inf
        if restarted:
            outs.append(Tell(Booted(self._charger, now)))
            outs.append(Note("charger restarted", {
                "peer": self._address, "action": "its limits are told anew"}))
            for connector in self._connectors.values():
                connector.teller.forget()
            self._can_clear = True
            self._clears_first(now)
            outs += self._tell_all(now)
        outs += self._note_seen(now, known)
        if restarted or self._began_at == -math.inf or quirk != self._quirk:
            if now - self._began_at >= BOOT_AGAIN_S:
                outs += self._commission_anew(now)
            else:
                self._again = self._began_at + BOOT_AGAIN_S
        self._up.boot = bytes(call.payload)
        return [*outs, *self._up_with(Boot(self._up.boot))]

    def _heartbeat(self, call: Call, _beat: Payload, now: float) -> list[Out]:
        outs = self._timed(now, lambda at: self._reply(call.id, messages.HeartbeatResponse(at)))
        return [*outs, *self._pass_on(call)]

    def _timed(self, now: float, answer: Callable[[str], Out]) -> list[Out]:
        """The answer that sets its clock; a jump of it only where nothing charges (INV-5, T2)."""
        wall = self._around.wall(now)
        jump_s = self._time.off_at(wall, now)
        was_set_back, self._clock_due = self._time.is_behind, math.inf
        told = self._time.tell(wall, now, is_charging=bool(self._sessions.running))
        outs = [*self._ahead(self._time.off_s, now), answer(stamp(told))]
        jumped = abs(jump_s) > SLEWED_S and not self._time.off_s
        for connector in self._connectors.values():
            if was_set_back:
                connector.teller.does_not_rule()
            elif jumped:
                connector.teller.clock_moved()
        return [*outs, *self._tell_all(now)] if was_set_back or jumped else outs

    def _began_before(self, start: messages.StartTransaction, now: float) -> list[Out]:
        """Our answer that set its clock back crossed the start of a session, or that start shows
        that our word was wrong: on that clock this would begin in the future, and till then nothing
        would limit the car. It is told the time of the start again, at once where it can be asked;
        till then what it accepts does not rule.
        """
        given, wall = moment(start.timestamp), self._around.wall(now)
        if given is None:
            return []
        lead_s = (given - self._time.at(wall, now)).total_seconds() + (self._fresh.clock_s or 0.0)
        if not (
            self._time.began_by_ours(given, wall, now) or self._time.takes_back(lead_s, wall, now)
        ):
            return []
        if not self._can_ask:
            return [Tell(Booted(self._charger, now))]
        self._clock_due = now + SILENT_S
        return self._call("TriggerMessage", messages.TriggerMessage("Heartbeat"), now,
                          ClockAsked(), urgent=True)  # fmt: skip

    def _clock_answered(self, event: Answered | Failed, now: float) -> list[Out]:
        """One that will not ask for the time is waited for no more."""
        if self._clock_due == math.inf or _status(event) == "Accepted":
            return []
        return self._clock_missing(now)

    def _clock_missing(self, now: float) -> list[Out]:
        """Its clock is not right in time (INV-1): till it is, its maximum may be in force."""
        self._clock_due = math.inf
        return [Tell(Booted(self._charger, now))]

    def _ahead(self, off_s: float, now: float) -> list[Out]:
        """How far its clock is ahead of ours by our word, and whether it may not have taken that
        yet; written first: a crash keeps it so.
        """
        self._sessions.ahead_s = off_s
        was_s, is_behind = self._seen.clock_off_s, self._time.is_behind
        if abs(off_s - was_s) <= SLEWED_S and (off_s or not was_s):
            off_s = was_s
        known = msgspec.structs.replace(self._seen, clock_off_s=off_s, behind=is_behind)
        return [] if known == self._seen else self._note_seen(now, known)

    def _authorize(self, call: Call, asked: messages.Authorize, now: float) -> list[Out]:
        def decided(call_id: str, now: float) -> list[Out]:
            decision = self._decide(asked.id_tag, None, now)
            if decision.accepted:
                self._let(asked.id_tag, now)
            info = messages.IdTagInfo(decision.status)
            return [
                *self._rejected_tag(asked.id_tag, decision, now),
                self._reply(call_id, messages.AuthorizeResponse(info)),
                *(self._ended_by_admin(now) if decision.ends else ()),
            ]

        def answered(call_id: str, payload: bytes, now: float) -> list[Out]:
            status = _tag_status(payload)
            outs = self._of_tag(asked.id_tag, status, now)
            if status == "Accepted":
                self._let(asked.id_tag, now)
            return [*outs, Send(self._peer.answer(call_id, payload))]

        presented = self._held_to_reader(asked.id_tag, now)
        if not self._up.live or self._veto(None) is not None:
            return [*decided(call.id, now), *presented]
        return [*self._ask_csms(call, now, decided, answered), *presented]

    def _held_to_reader(self, tag: str, now: float) -> list[Out]:
        """For whoever learns tags; one that a person has typed was held to no reader."""
        if not self._terms.adopted or self._is_by_hand(tag, now):
            return []
        return [Presented(self._own_tag(tag, now))]

    def _ended_by_admin(self, now: float) -> list[Out]:
        """access.md, RFID: an Admin tag ends any session. Authorize names no connector: where more
        than one session runs nobody knows which is meant, and none ends.
        """
        runs = [run for run in self._sessions.running.values() if not run.ending]
        fields: dict[str, str | int] = {"peer": self._address, "sessions": len(runs)}
        if len(runs) != 1:
            action = "none is ended: end it on the page" if runs else "there is none to end"
            return [Note("Admin tag presented", {**fields, "action": action})]
        fields |= {"transaction": runs[0].id, "connector": runs[0].connector}
        note = Note("Admin tag presented", {**fields, "action": "its session is ended"})
        return [note, *self._stop(runs[0], ADMIN_TAG, now)]

    def _let(self, tag: str, now: float) -> None:
        self._let_in = (tag, now + BY_HAND_S)
        self._begin_let_in(now)

    def _of_tag(self, tag: str, status: str, now: float) -> list[Out]:
        """The CSMS has said what it thinks of a tag: remembered for when it is away."""
        if status == "Accepted":
            own = self._own_tag(tag, now)
            return [Later((TagAccepted(own, stamp(self._around.wall(now))),))]
        refused = Decision("Invalid", text=f"the CSMS says {status[:20] or 'nothing readable'}")
        return self._rejected_tag(tag, refused, now)

    # -- to the CSMS, and back -------------------------------------------------------------------

    def _up_with(self, item: ToUplink) -> list[Out]:
        """For the uplink, where there is one."""
        return [Up(item)] if self._terms.csms else []

    def _pass_on(self, call: Call) -> list[Out]:
        """What LinkRay has answered and a live CSMS hears all the same."""
        if not self._up.live:
            return []
        return self._up_with(Passed(call.id, call.action, bytes(call.payload)))

    def _ask_csms(
        self,
        call: Call,
        now: float,
        otherwise: Otherwise,
        answered: Then | None = None,
    ) -> list[Out]:
        """A call whose answer is the CSMS's; `otherwise` LinkRay's, where none comes in time."""

        def as_it_is(call_id: str, payload: bytes, _now: float) -> list[Out]:
            return [Send(self._peer.answer(call_id, payload))]

        def refused(call_id: str, code: str, text: str) -> list[Out]:
            return [Send(self._peer.refuse(call_id, code, text))]

        self._up.wait(
            call.id, now, then=answered or as_it_is, otherwise=otherwise, refused=refused
        )
        return self._up_with(Passed(call.id, call.action, bytes(call.payload), waits=True))

    def _of_csms(self, item: Live | FromCsms, now: float) -> list[Out]:
        """Whether the CSMS is there, or its answer."""
        outs = self._up.take(item, now)
        if outs is not None:
            return outs
        if isinstance(item, FromCsms) and item.transaction and item.payload is not None:
            return self._start_known(item.transaction, item.payload, now)
        return []

    def _outgoing(
        self, call: Call, transaction: int, payload: bytes, csms: str, now: float
    ) -> Outgoing:
        """A message of a transaction, for the queue to the CSMS that has its start."""
        return Outgoing(
            self._around.take_queue_number(), self._charger, call.id, call.action,
            payload.decode(), transaction, stamp(self._around.wall(now)), csms,
        )  # fmt: skip

    def _start(self, call: Call, start: messages.StartTransaction, now: float) -> list[Out]:
        number = start.connector_id
        if not 1 <= number <= CONNECTORS_MAX:
            text = f"expected a connector from 1 to {CONNECTORS_MAX}, got {number}"
            return [
                Send(self._peer.refuse(call.id, "PropertyConstraintViolation", text)),
                Note("session refused", {"peer": self._address, "cause": text,
                                         "action": "PropertyConstraintViolation"}, "warning"),
            ]  # fmt: skip
        again = self._start_repeated(call, start)
        if again is not None:
            return again
        connector, outs = self._grown(number, now)  # its place is counted before it is let in
        utc = self._around.wall(now)
        asks_csms = self._up.live and self._veto(number) is None
        if asks_csms:
            vip = self._around.is_vip(self._own_tag(start.id_tag, now))
            decision = Decision("Accepted", authorised_by="csms", vip=vip)
        else:
            decision = self._decide(start.id_tag, number, now)
        name = self._terms.charger.name
        new_id = self._new_id()
        asks = self._began_before(start, now)
        held = self._ahead(self._time.off_at(utc, now), now)  # while it charges it stays so
        run, older, records = self._sessions.begin(
            start, new_id, decision, now=now, utc=utc, name=name,
            behind_s=self._fresh.clock_s or 0.0, waits=asks_csms, csms=self._terms.csms,
        )
        outs += held
        records += self._tag_history(start.id_tag, decision, now)
        said = self._said(call, run.id, bytes(call.payload), self._terms.csms, now)
        outs += [Record((*records, *said)), *self._up_stored(said)]
        if run.doubt_s:
            doubted = self._sessions.doubted()
            outs += self._note_seen(now, msgspec.structs.replace(self._seen, doubted=doubted))
        if asks_csms:
            run.call_id = call.id
            self._start_waits(call, start, run, now)
        else:
            outs.append(self._started(call.id, run.id, decision.accepted))
        if older is not None:
            outs += self._session_over(older, now)
            outs.append(Note("session without an end", {
                "peer": self._address, "transaction": older.id,
                "action": "ended, incomplete: another began on its connector"}, "warning"))
        connector.began(run, now)
        connector.expect_values(self._terms.interval_s, now)
        outs += [Tell(run.began(self._charger, now)), *self._up_with(_now_runs(run)), *asks]
        if not run.doubt_s:  # what waited in the charger is of another time
            outs += self._held_to_reader(start.id_tag, now)
        if not decision.accepted:
            why = EMERGENCY if self._emergency else DEAUTHORIZED
            outs.append(Note("session refused", {
                "peer": self._address, "cause": decision.text, "action": "stopped"}, "warning"))
            outs += self._stop(run, why, now)
        self._dirty = True
        self._next = now
        if self._clearing and not (self._is_late or self._is_clear_out()):
            outs += self._cleared(now)  # nothing is cleared while it runs
        return outs + self._tell_offer(connector, now)

    def _new_id(self) -> int:
        """A number of ours that the charger does not call another session by (K8)."""
        while self._sessions.is_called(number := self._around.take_transaction_id()):
            pass
        return number

    def _start_repeated(
        self, call: Call, start: messages.StartTransaction
    ) -> list[Out] | None:
        """The very same start once more (C17); None: it is a new one."""
        waiting = self._sessions.waiting(start)
        if waiting is not None:
            self._up.asked_again(waiting.call_id, call.id)
            return []
        before = self._sessions.repeated(start)
        if before is None:
            return None
        return [self._started(call.id, *before), Note("StartTransaction repeated", {
            "peer": self._address, "transaction": before[0], "action": "answered as before"})]

    def _said(
        self, call: Call, transaction: int, payload: bytes, csms: str, now: float
    ) -> tuple[Outgoing, ...]:
        """A message of a transaction for the queue to the CSMS of this address, where it has one.
        That need not be the one that is set: then it waits for its own (trust.md K13).
        """
        return (self._outgoing(call, transaction, payload, csms, now),) if csms else ()

    def _up_stored(self, said: tuple[Outgoing, ...]) -> list[Out]:
        """What is on disk now, for the uplink."""
        return [Up(Message(one)) for one in said]

    def _start_waits(
        self, call: Call, start: messages.StartTransaction, run: Running, now: float
    ) -> None:
        """The CSMS decides over a start; LinkRay, where it does not in time."""

        def answered(call_id: str, payload: bytes, now: float) -> list[Out]:
            said = _read_of_tag(payload)
            if not said.idTagInfo.status:  # unreadable: as if it had not been answered
                return decided(call_id, now)
            run.accepted = said.idTagInfo.status == "Accepted"
            given = said.transactionId
            fits = given is not None and 0 < given <= INT32_MAX
            own = run.id if given is None or not fits or self._sessions.is_called(given) else given
            outs = self._of_tag(start.id_tag, said.idTagInfo.status, now)
            if own != run.id:  # before the charger can name it: after a crash it still will
                outs.append(Record((Called(run.id, own), IdLearned(run.id, own))))
            if own != given:
                payload = with_field(payload, "transactionId", own)
            answer = Send(self._peer.answer(call_id, payload))
            return [*outs, *self._start_answered(run, start, own, now, answer)]

        def decided(call_id: str, now: float) -> list[Out]:
            decision = self._decide(start.id_tag, start.connector_id, now)
            run.accepted = decision.accepted
            own = run.id if not self._sessions.is_called(run.id) else self._new_id()
            answer = self._started(call_id, own, decision.accepted)
            outs: list[Out] = [Record((Called(run.id, own),))] if own != run.id else []
            return [*outs, *self._start_answered(run, start, own, now, answer)]

        self._up.wait(call.id, now, then=answered, otherwise=decided)

    def _start_answered(
        self, run: Running, start: messages.StartTransaction, called: int, now: float,
        answer: Send,
    ) -> list[Out]:  # fmt: skip
        """A start that waited has its answer: from now on its session can be named."""
        self._sessions.answered(run, start, called)
        outs: list[Out] = [*self._up_with(Given(run.id, called)), answer]
        if self._sessions.running.get(run.connector) is not run:
            return outs
        self._dirty = True
        if not run.accepted:
            outs.insert(0, Record((Refused(run.id),)))
            outs += self._refuse(run, "the CSMS does not let it charge", now)
        elif run.ending:
            outs += self._stop(run, run.ending, now)
        return outs + self._tell_offer(self._connector(run.connector), now)

    def _start_known(self, transaction: int, payload: bytes, now: float) -> list[Out]:
        """What the CSMS says to a start that LinkRay has answered itself (csms.md, Offline)."""
        status = _tag_status(payload)
        run = next((r for r in self._sessions.running.values() if r.id == transaction), None)
        if run is None or not status:
            return []
        outs = self._of_tag(run.tag, status, now)
        if status == "Accepted" or not run.accepted:
            return outs
        run.accepted = False
        why = f"the CSMS says {status[:20]}"
        return [*outs, Record((Refused(run.id),)), *self._refuse(run, why, now),
                *self._tell_offer(self._connector(run.connector), now)]  # fmt: skip

    def _refuse(self, run: Running, why: str, now: float) -> list[Out]:
        """A session that may not be: stopped, or held at 0 A where its charger is set so."""
        stays = any(
            key.lower() == INVALID_STOPS and (value or "").lower() == "false"
            for key, value in self.configuration.items()
        )
        note = Note("session refused", {
            "peer": self._address, "transaction": run.id, "cause": why,
            "action": "held at 0 A" if stays else "stopped"}, "warning")  # fmt: skip
        if stays:
            run.ending = run.ending or DEAUTHORIZED
            return [note]
        return [note, *self._stop(run, DEAUTHORIZED, now)]

    def _started(self, call_id: str, transaction_id: int, accepted: bool) -> Send:
        info = messages.IdTagInfo("Accepted" if accepted else "Blocked")
        return self._reply(call_id, messages.StartTransactionResponse(info, transaction_id))

    def _stop_transaction(
        self, call: Call, stop: messages.StopTransaction, now: float
    ) -> list[Out]:
        utc = self._around.wall(now)
        running = self._sessions.by_id(stop.transaction_id)
        if running is not None:
            connector = self._connector(running.connector)
            for values in (connector.all_waiting(), stop.transaction_data):
                if values:
                    self._measure(connector, values, running, now)
        ending = self._sessions.end(stop, utc)
        outs: list[Out] = []
        if ending.records:
            number = 0 if ending.run is None else ending.run.id
            number = number or self._sessions.number(stop.transaction_id)
            payload = bytes(call.payload)
            is_ours = ending.run is not None and ending.run.ending == DEAUTHORIZED
            if is_ours and stop.reason in OUR_STOP:
                payload = with_field(payload, "reason", DEAUTHORIZED)
            csms = self._terms.csms if stop.transaction_id > 0 else ""  # C18
            csms = self._sessions.csms(number) if number else csms
            said = self._said(call, number, payload, csms, now)
            outs += [Record((*ending.records, *said)), *self._up_stored(said)]
        outs.append(self._reply(call.id, messages.StopTransactionResponse()))
        if not ending.known:
            outs.append(Note("stop of an unknown transaction", {
                "peer": self._address, "transaction": stop.transaction_id,
                "action": "kept, incomplete"}, "warning"))
        run = ending.run
        if run is not None:
            if stop.meter_stop is not None:
                run.register_wh = stop.meter_stop
            outs += self._session_over(run, now)
            reason = stop.reason if not run.ending and run.stops == 0 else run.ending or "Remote"
            outs += self._found(
                self._inquiry.ended(run.connector, reason, self._evidence(now), now), now
            )
        return outs

    def _session_over(self, run: Running, now: float) -> list[Out]:
        connector = self._connector(run.connector)
        connector.ended(run)
        for what in (f"profile/{run.connector}", f"stop/{run.id}"):
            self._peer.withdraw(what)  # still in line: of a transaction that runs no more (INV-6)
        self._sampled_at.pop(run.id, None)
        self._dirty = True
        self._next = now
        over = SessionOver(run.connector, run.id)
        return [Tell(run.ended(self._charger, now)), *self._up_with(over)]

    def _meter_values(
        self, call: Call, values: messages.MeterValues, now: float
    ) -> list[Out]:
        unread: _Unread | None = None
        connector = self._metered(values.connector_id)
        if connector is not None:
            run = self._sessions.running.get(connector.id)
            of_another = values.transaction_id is not None and (
                run is None or (
                    values.transaction_id != run.at_charger
                    and self._sessions.meant(values.transaction_id, connector.id) != run.id
                )
            )
            if not of_another or (run is None and not self._sessions.has_ended(
                values.transaction_id or 0
            )):  # fmt: skip
                unread = _Unread(now, connector, values.meter_value, run)
        answer = Send(self._peer.answer(call.id, EMPTY))
        if self._terms.csms and self._up.live:  # as if we weren't there: it passes, then is read
            self._unread = unread
            return self._values_up(call, values, answer, now)
        outs = [] if unread is None else self._values(unread, now)
        return [*outs, *self._values_up(call, values, answer, now)]

    def _look_into(self, now: float) -> list[Out]:
        """What was passed on before it was read; nothing that comes later is read before it."""
        unread, self._unread = self._unread, None
        return [] if unread is None else self._values(unread, now)

    def _values_up(
        self, call: Call, values: messages.MeterValues, answer: Send, now: float
    ) -> list[Out]:
        """As often, and of what, the CSMS wants them; those of a transaction are never lost: on
        disk before the charger's answer while it is away (decided.md, Samples and the disk).
        """
        run, named = self._sessions.running.get(values.connector_id), values.transaction_id
        number = 0 if named is None else self._sessions.meant(named, values.connector_id)
        of_known = number or (run.id if named is None and run is not None else 0)
        csms = self._sessions.csms(of_known) if of_known else self._terms.csms
        if not csms:  # begun before there was a CSMS: it could not be named
            return [answer]
        payload = self._around.for_csms(self._charger, bytes(call.payload), now)
        if payload is None:
            return [answer]
        if named is None and run is None:
            passed = Passed(call.id, call.action, payload)
            return [*(self._up_with(passed) if self._up.live else []), answer]
        outgoing = self._outgoing(call, number, payload, csms, now)
        if self._up.live and csms == self._terms.csms:
            return [Up(Message(outgoing, stored=False)), answer]
        failed = frames.Error(call.id, "InternalError", "the disk takes no writes")
        return [Gather((outgoing,), then=(Up(Message(outgoing)), answer), full=(answer,),
                       failed=(Send(frames.write(failed)),))]

    def _values(self, unread: _Unread, now: float) -> list[Out]:
        """Look into values; of a storm of them into the newest, when its time comes (A34)."""
        connector = unread.connector
        if connector.admits(unread.values, unread.at):
            return self._measure(connector, unread.values, unread.run, unread.at)
        self._next = min(self._next, connector.held_until())
        if not self._once_a_minute(f"storm {connector.id}", now):
            return []
        return [self._too_many("MeterValues")]

    def _metered(self, number: int) -> Connector | None:
        """The connector that values belong to; those of the whole charger are its only one's."""
        if number == 0 and len(self._connectors) == 1:
            return next(iter(self._connectors.values()))
        return self._connectors.get(number)

    def _measure(
        self,
        connector: Connector,
        values: tuple[messages.MeterValue, ...],
        run: Running | None,
        now: float,
    ) -> list[Out]:
        utc = self._around.wall(now)
        own = self._time.at(utc, now)
        live = tuple(v for v in values if self._fresh.is_live(moment(v.timestamp), own))
        outs: list[Out] = []
        self._sessions.clock_is(self._fresh.clock_s or 0.0)
        if not live:  # of the charger's own queue, hours old
            return outs
        age_s = self._fresh.age_s(moment(live[-1].timestamp), own)
        reading = connector.measured.feed(
            live, self._wiring, now, interval_s=self._terms.interval_s, age_s=age_s,
            coarse_s=self._fresh.coarse_s(age_s),
        )
        if reading.drawn is not None and run is not None:
            connector.expect_values(self._terms.interval_s, now)
        if reading.drawn is not None:
            connector.sampled = True
            outs.append(Tell(reading.drawn))
            self._next = min(self._next, connector.ask_at, connector.measured.stale_at())
        outs += self._watched(connector, live, reading.drawn, run, now)
        self._dirty = True
        if run is not None and reading.register_wh is not None:
            run.register_wh = reading.register_wh
            run.flagged = run.flagged or reading.flagged
            if reading.flagged:
                outs.append(Note("energy register went back or jumped", {
                    "peer": self._address, "transaction": run.id,
                    "action": "kept as sent, flagged"}, "warning"))
            if now - self._sampled_at.get(run.id, -math.inf) >= SAMPLE_S:
                self._sampled_at[run.id] = now
                outs.append(Later((
                    TransactionSampled(run.id, reading.register_wh, stamp(utc), run.flagged),
                )))  # fmt: skip
        if reading.dropped and self._once_a_minute(f"values {connector.id}", now):
            outs.append(Note("meter values not used", {
                "peer": self._address, "connector": connector.id,
                "cause": "; ".join(reading.dropped[:3])}, "warning"))
        if reading.sensor_fault is True:
            outs.append(Raised(Code.SENSOR, self._charger, f"connector {connector.id}"))
        elif reading.sensor_fault is False:
            outs.append(Cleared(Code.SENSOR, self._charger))
        return outs

    def _status_notification(
        self, call: Call, status: messages.StatusNotification, now: float
    ) -> list[Out]:
        outs: list[Out] = [Send(self._peer.answer(call.id, EMPTY))]
        number = status.connector_id
        if number in self._up.statuses or len(self._up.statuses) <= CONNECTORS_MAX:
            self._up.statuses[number] = bytes(call.payload)
        outs += self._up_with(Status(number, bytes(call.payload), call.id))
        given = moment(status.timestamp) if status.timestamp else None
        if not 1 <= number <= CONNECTORS_MAX or not self._fresh.is_live(
            given, self._time.at(self._around.wall(now), now), is_measured=False
        ):  # connector 0 is the whole charger; old news grants nothing (trust.md C20)
            return outs
        connector, grown = self._grown(number, now)
        outs += grown
        if status.status == "Faulted" and connector.status != "Faulted":
            outs.append(Note("connector faulted", {
                "peer": self._address, "connector": number, "cause": status.error_code,
                "action": "it is offered nothing"}, "warning"))
        was_free = connector.status in (None, "Available")
        fact = connector.seen(status.status, now)
        if was_free and status.status == "Preparing" and self._quirk.needs_remote_start:
            connector.begin_at, connector.begins = now + BEGIN_S, 0
            self._next = min(self._next, connector.begin_at)
        if fact is not None:
            outs.append(Tell(fact))
        else:
            if self._once_a_minute(f"statuses {number}", now):
                outs.append(self._too_many("StatusNotification"))
            self._next = min(self._next, connector.held_until())
        run = self._sessions.running.get(number)
        if run is not None:
            run.quiet_at = now + QUIET_S if status.status == "Available" else math.inf
            self._next = min(self._next, run.quiet_at)
        self._dirty = True
        if run is not None and connector.charged and self._quirk.tx_profile_from == "Charging":
            outs += self._tell_offer(connector, now)
        return outs

    def _too_many(self, action: str) -> Note:
        """Of a storm (trust.md C29, A34); the log counts it, once a minute."""
        return Note("too many messages", {"peer": self._address, "cause": action,
                                          "action": "the newest is told"}, "warning")

    def _data_transfer(
        self, call: Call, transfer: messages.DataTransfer, now: float
    ) -> list[Out]:
        def unknown(call_id: str, now: float) -> list[Out]:
            answer = self._reply(call_id, messages.DataTransferResponse("UnknownVendorId"))
            if not self._once_a_minute("data transfer", now):
                return [answer]
            return [answer, Note("data transfer", {
                "peer": self._address, "vendor": transfer.vendor_id,
                "action": "UnknownVendorId"})]

        return self._ask_csms(call, now, unknown) if self._up.live else unknown(call.id, now)

    def _progress(
        self,
        call: Call,
        progress: messages.DiagnosticsStatusNotification | messages.FirmwareStatusNotification,
        _now: float,
    ) -> list[Out]:
        is_firmware = isinstance(progress, messages.FirmwareStatusNotification)
        about: Literal["firmware", "diagnostics"] = "firmware" if is_firmware else "diagnostics"
        if progress.status != "Idle":
            self._notes[about] = f"{about}: {progress.status}"
            self._dirty = True
        passed = Passed(call.id, call.action, bytes(call.payload))
        return [Send(self._peer.answer(call.id, EMPTY)), *self._up_with(passed),
                Progress(about, progress.status)]  # fmt: skip

    # -- tags ------------------------------------------------------------------------------------

    def _decide(self, tag: str, connector: int | None, now: float) -> Decision:
        """Whether this tag may charge here now, by LinkRay's own word."""
        vetoed = self._veto(connector)
        if vetoed is not None:
            return vetoed
        by_hand = self._is_by_hand(tag, now)
        return self._around.may_charge(self._own_tag(tag, now), by_hand=by_hand)

    def _is_by_hand(self, tag: str, now: float) -> bool:
        return self._by_hand.get(tag.casefold(), -math.inf) >= now

    def _own_tag(self, tag: str, now: float) -> str:
        """The tag with its bytes in the site's order: as a person types it, the charger has it."""
        if not self._terms.charger.turn_tags or self._is_by_hand(tag, now):
            return tag
        return turned(tag)

    def _veto(self, connector: int | None) -> Decision | None:
        """Why nobody may charge here now, whatever the CSMS thinks; None: nothing is against it."""
        if not self._terms.adopted:
            return Decision("Blocked", text="the charger waits to be adopted")
        if self._terms.places < (connector or 1):
            return Decision("Blocked", text="the licence has no place for this connector")
        if self._emergency:
            return Decision("Blocked", text="emergency stop")
        return None

    def _tag_history(self, tag: str, decision: Decision, now: float) -> tuple[AnyRecord, ...]:
        """A refused tag is kept as history; a flood of them is not (trust.md A34), and an Admin tag
        has done what it is for.
        """
        if decision.accepted or decision.ends or not self._rejected.take(now):
            return ()
        tag = self._own_tag(tag, now)
        return (TagRejected(tag, self._charger, stamp(self._around.wall(now))),)

    def _rejected_tag(self, tag: str, decision: Decision, now: float) -> list[Out]:
        if decision.accepted or decision.ends:
            return []
        records = self._tag_history(tag, decision, now)
        if not records and not self._once_a_minute("tag refused", now):
            return []
        note = Note("tag refused", {"peer": self._address, "cause": decision.text,
                                    "action": decision.status})  # fmt: skip
        return [Record(records), note] if records else [note]

    # -- commands, stops, the emergency stop -----------------------------------------------------

    def _start_by_hand(self, ask: StartCharging, reply_id: int, now: float) -> list[Out]:
        tag = ask.tag.strip()
        why = ""
        code = "refused"
        if ask.connector not in self._connectors:
            code, why = "unknown", f"{self._charger} has no connector {ask.connector}"
        elif not 1 <= len(tag) <= 20:
            code, why = "invalid", f"Expected a tag of 1 to 20 characters, got {len(tag)}"
        elif ask.connector in self._sessions.running:
            why = "A session runs on this connector"
        else:
            self._by_hand = {t: until for t, until in self._by_hand.items() if until >= now}
            self._by_hand[tag.casefold()] = now + BY_HAND_S
            decision = self._decide(tag, ask.connector, now)
            if not decision.accepted:
                del self._by_hand[tag.casefold()]
                why = decision.text[:1].upper() + decision.text[1:]
        if why:
            return [Reply(reply_id, Answer(False, code, why))]
        payload = messages.RemoteStartTransaction(tag, ask.connector)
        return self._call("RemoteStartTransaction", payload, now, Started(reply_id))

    def _stop_by_hand(self, number: int, reply_id: int, now: float) -> list[Out]:
        run = self._sessions.running.get(number)
        if run is None:
            text = f"No session runs on {self._charger} connector {number}"
            return [Reply(reply_id, Answer(False, "refused", text))]
        payload = messages.RemoteStopTransaction(run.at_charger)
        tag = Stopped(run.id, reply_id)
        return self._call("RemoteStopTransaction", payload, now, tag, urgent=True)

    def _errand(self, ask: AnyErrand, reply_id: int, now: float) -> list[Out]:
        """What a person asks of it beside sessions (chargers.md, Sessions)."""
        call = call_of(ask, self._connectors, self._seen.inoperative)
        if isinstance(call, Answer):
            return [Reply(reply_id, call)]
        return self._call(call.action, call.payload, now, Errand(ask, reply_id))

    def _errand_answered(self, tag: Errand, event: Answered | Failed) -> list[Out]:
        """Its answer; one that comes late is heard, but nobody waits for it any more."""
        answer = told(tag.ask, event)
        if isinstance(tag.ask, ChangeKey) and answer.ok:
            self._key_is(tag.ask.key, tag.ask.value)
            if isinstance(event, Answered) and _status(event) == "RebootRequired":
                self._notes["reboot"] = (f"RebootRequired: {tag.ask.key} counts after the "
                                         "charger's next start")  # fmt: skip
                self._dirty = True
        if isinstance(tag.ask, ReadConfiguration) and isinstance(event, Answered) and answer.ok:
            self.configuration = keys_told(event.result)
        is_late = isinstance(event, Answered) and event.late
        return [] if is_late else [Reply(tag.reply_id, answer)]

    def _stop(self, run: Running, why: str, now: float) -> list[Out]:
        """End a session on our own, again and again until it has ended."""
        run.ending = run.ending or why
        if run.waits:  # for the CSMS: the charger cannot be told which
            return []
        run.stops += 1
        run.stop_at = now + (STOP_AGAIN_S if run.stops < STOPS_MAX else 60.0)
        self._next = min(self._next, run.stop_at)
        payload = messages.RemoteStopTransaction(run.at_charger)
        return self._call("RemoteStopTransaction", payload, now, Stopped(run.id, None),
                          urgent=True, replaces=f"stop/{run.id}")  # fmt: skip

    def _stop_answered(self, tag: Stopped, event: Answered | Failed) -> list[Out]:
        if tag.reply_id is not None:
            if isinstance(event, Answered) and event.late:
                return []
            return [Reply(tag.reply_id, _answer(event, "The charger stops the session"))]
        if _status(event) == "Accepted":
            return []
        cause = event.text if isinstance(event, Failed) else str(_status(event))
        return [Note("remote stop not taken", {"peer": self._address, "cause": cause,
                                               "transaction": tag.transaction_id}, "warning")]

    def _emergency_now(self, on: bool, now: float) -> list[Out]:
        """balancing.md, Emergency stop."""
        self._emergency = on
        outs: list[Out] = []
        for run in list(self._sessions.running.values()):
            if on:
                outs += self._stop(run, EMERGENCY, now)
            elif run.ending == EMERGENCY and run.accepted:
                run.stop_at = math.inf
                run.ending = ""
        return outs

    # -- offers ----------------------------------------------------------------------------------

    @property
    def _budget(self) -> int | None:
        """The profile writes it stands in a day: as set, else as its make does; None: any."""
        return self._terms.charger.writes_a_day or self._quirk.writes_a_day

    def _dead_man_s(self, now: float) -> int:
        """The site's dead-man, or the make's own; longer or none where its writes are few."""
        own = self._quirk.dead_man_s
        wanted_s = self._terms.dead_man_s if own is None else own
        utc = self._around.wall(now)
        used = self._writes.today(utc)
        return dead_man_s(wanted_s, self._budget, used, utc, len(self._connectors))

    def _wrote(self, now: float) -> list[Out]:
        """One more profile goes out; where they are few, the count outlives us."""
        utc = self._around.wall(now)
        count, budget = self._writes.add(utc), self._budget
        if budget is None or count % max(1, budget // WRITES_KEPT):
            return []
        known = msgspec.structs.replace(
            self._seen, writes_day=f"{utc:%Y-%m-%d}", writes=count
        )
        return self._note_seen(now, known)

    def _situation(self, connector: Connector, now: float) -> Situation:
        run = self._sessions.running.get(connector.id)
        run = None if run is None or run.waits else run  # it cannot be named yet
        utc = self._around.wall(now)
        silenced = (
            not self._terms.adopted
            or connector.id > self._terms.places
            or (run is not None and not run.accepted)
        )
        kept = self._terms.charger
        if self._emergency:  # also on its own it stands still until somebody allows it (INV-8)
            kept = msgspec.structs.replace(kept, fallback_ma=0)
        quirk = self._quirk
        if not self._terms.kept:  # nobody has said how many phases it has (INV-6)
            quirk = msgspec.structs.replace(quirk, number_phases=False)
        ability = self._ability
        if ability.connectors < len(self._connectors):  # by its word; more have shown themselves
            ability = msgspec.structs.replace(ability, connectors=len(self._connectors))
        return Situation(
            charger=kept, run=run, ability=ability, quirk=quirk,
            dead_man_s=self._dead_man_s(now), utc=self._time.at(utc, now),
            charging=connector.charged, ready=self._ready, silenced=silenced,
            planned_at=self._around.planned_at(), wiring=self._wiring,
            clock_off_s=self._fresh.off_s,
            raise_in_s=raise_in_s(self._budget, self._writes.today(utc), utc),
            taken=self._inquiry.taken, refused=self._inquiry.refused, clears=self._can_clear,
            shared=any(number != connector.id for number in self._sessions.running),
        )  # fmt: skip

    def _wanted(self, offers: tuple[Offer, ...], now: float) -> list[Out]:
        outs: list[Out] = []
        for offer in offers:
            connector = self._connectors.get(offer.connector)
            if connector is None:
                continue
            connector.teller.wanted = offer
            outs += self._tell_offer(connector, now)
            outs += self._in_service(connector, offer, now)
            outs += self._values_wanted(connector, offer, now)
            run = self._sessions.running.get(offer.connector)
            if run is not None and offer.stop and run.stop_at == math.inf:
                outs += self._stop(run, "", now)
            elif run is not None and not offer.stop and run.accepted and not run.ending:
                run.stop_at = math.inf  # the plan does not want its end any more
        return outs

    def _tell_all(self, now: float) -> list[Out]:
        outs: list[Out] = []
        for connector in list(self._connectors.values()):
            outs += self._tell_offer(connector, now)
        return outs

    def _tell_offer(self, connector: Connector, now: float) -> list[Out]:
        return self._moves(connector.teller.step(now, self._situation(connector, now)), now)

    def _moves(self, moves: Iterable[Move], now: float) -> list[Out]:
        outs: list[Out] = []
        later: list[Out] = []  # what is written down once the frames are out
        for move in moves:
            if isinstance(move, Stop):
                run = self._sessions.running.get(move.connector)
                if run is not None and run.stop_at == math.inf:
                    outs += self._stop(run, "", now)
                continue
            if isinstance(move, Took):
                outs += self._took(move, now)
                continue
            if not isinstance(move, Set):
                if self._time.is_behind and move.outcome == "accepted":
                    continue  # its schedule has not begun by its clock (`_began_before`)
                if self._clearing and move.outcome == "accepted":
                    self._connector(move.connector).teller.retell()  # once no clear is out
                    continue
                outs.append(Tell(move))
                if move.leased and not self._seen.leased:
                    known = msgspec.structs.replace(self._seen, leased=True)
                    outs += self._note_seen(now, known)
                continue
            later += self._wrote(now)
            if self._is_capped() and not self._seen.capped:  # written first: a crash keeps it so
                outs += self._note_seen(now, msgspec.structs.replace(self._seen, capped=True))
            attempt = move.stage.attempt
            number = attempt.offer.connector
            outs += self._call(type(move.payload).__name__, move.payload, now, move.stage,
                               urgent=move.urgent, replaces=f"profile/{number}",
                               drops=(CLEAR,) if attempt.session else ())  # fmt: skip
        capped = self._is_capped()
        if capped != self._seen.capped:
            later += self._note_seen(now, msgspec.structs.replace(self._seen, capped=capped))
        self._dirty = True
        self._next = now  # a renewal or another try has a new time
        return outs + later

    def _is_capped(self) -> bool:
        return any(connector.teller.is_capped for connector in self._connectors.values())

    def _told(self, stage: Stage, event: Answered | Failed, now: float) -> list[Move]:
        connector = self._connector(stage.attempt.offer.connector)
        situation = self._situation(connector, now)
        if isinstance(event, Failed) and event.code == "gone" and not event.sent:
            return []  # the charger never saw it
        if isinstance(event, Failed):
            return connector.teller.failed(stage, event.code, event.text, now, situation)
        status = _status(event)
        if status is None:
            return connector.teller.failed(stage, "callerror", "unreadable", now, situation)
        return connector.teller.answered(stage, status, now, situation)

    def _timers(self, now: float) -> list[Out]:
        """Everything of connectors and sessions whose time has come; finds the next time."""
        outs: list[Out] = []
        for connector in list(self._connectors.values()):
            fact = connector.flush(now)
            if fact is not None:
                outs.append(Tell(fact))
            values = connector.waiting(now)
            if values:
                run = self._sessions.running.get(connector.id)
                outs += self._measure(connector, values, run, now)
            if connector.turns_stale(now) and connector.id in self._sessions.running:
                outs.append(Note("meter values stopped", {
                    "peer": self._address, "connector": connector.id,
                    "cause": f"none for {STALE_INTERVALS * self._terms.interval_s} s",
                    "action": "its limit counts as drawn"}, "warning"))
            if now >= connector.ask_at:
                # Some makes tell theirs every two minutes at best: unseen, what they draw would
                # count as the building's, and be held for a minute.
                connector.values_asked(self._terms.interval_s, now)
                outs += self._ask_values(connector.id, now)
            if now >= connector.teller.due():
                situation = self._situation(connector, now)
                outs += self._moves(connector.teller.wake(now, situation), now)
            outs += self._begin(connector, now)
            outs += self._service_again(connector, now)
        outs += self._inquire(now)
        for run in list(self._sessions.running.values()):
            if now >= run.stop_at:
                outs += self._stop(run, run.ending, now)
            if now >= run.quiet_at:
                outs += self._given_up(run, now)
        self._next = min(
            (
                *(c.teller.due() for c in self._connectors.values()),
                *(c.held_until() for c in self._connectors.values()),
                *(min(c.begin_at, c.service_at, c.ask_at) for c in self._connectors.values()),
                self._inquiry.due(now),
                *(self._stale(c, now) for c in self._connectors.values()),
                *(min(r.stop_at, r.quiet_at) for r in self._sessions.running.values()),
            ),
            default=math.inf,
        )
        return outs

    def _stale(self, connector: Connector, now: float) -> float:
        """When what it draws is shown no more; past that, it is not shown already."""
        at = connector.measured.stale_at()
        if at <= now:
            self._dirty = True
            return math.inf
        return at

    def _given_up(self, run: Running, now: float) -> list[Out]:
        """Its connector has been free for a minute and its StopTransaction did not come."""
        records = self._sessions.give_up(run, self._around.wall(now))
        return [Record(records), *self._session_over(run, now),
                Note("session without an end", {
                    "peer": self._address, "transaction": run.id,
                    "action": "ended, incomplete: its connector is free"}, "warning")]

    # -- commissioning ---------------------------------------------------------------------------

    def _boot_missing(self, now: float) -> list[Out]:
        """No BootNotification: ask for it once, then go on without (quirks.md, Boot)."""
        self._boot_due = math.inf
        if not self._boot_asked:
            self._boot_asked = True
            payload = messages.TriggerMessage("BootNotification")
            return self._call("TriggerMessage", payload, now, BootAsked())
        return self._commission_anew(now)

    def _commission_anew(self, now: float) -> list[Out]:
        self._again = math.inf
        self._began_at = now
        self._step = CommissionStep(self._step.run + 1, 0)
        self._notes = {k: v for k, v in self._notes.items() if k.startswith("link ")}
        self._steps = commissioning(
            self._terms,
            self._quirk,
            connectors=lambda: tuple(sorted(self._connectors)),
            told=lambda: frozenset().union(*(c.teller.told_ids for c in self._connectors.values())),
            may_clear=self._may_clear,
            status_unknown=lambda: tuple(
                sorted(c.id for c in self._connectors.values() if c.status is None)
            ),
        )
        plain = self._clearing and not (self._quirk.clear_first or self._is_late)
        return [*(self._cleared(now) if plain else ()), *self._commission(None, now)]

    def _commission(self, outcome: Outcome | None, now: float) -> list[Out]:
        """Go through the steps until one waits for an answer, or all is done."""
        outs: list[Out] = []
        steps = self._steps
        while steps is not None and steps is self._steps:
            try:
                step = steps.send(outcome)
            except StopIteration:
                self._steps = None
                break
            outcome = None
            match step:
                case Ask():
                    self._asking = (step, 0)
                    return outs + self._ask(step, now)
                case Say(about, text):
                    self._notes[about] = text
                    outs.append(Note(text, {"peer": self._address}))
                case Learned(ability, connectors, configuration):
                    self.configuration = configuration
                    outs += self._note_before(configuration, now)
                    outs += self._can_do(ability, now)
                    self._can_ask = self._can_ask and _knows_trigger(configuration)
                    if connectors is not None:
                        outs += self._grown(connectors, now)[1]
                case Ready():
                    self._ready = True
                    outs += self._tell_all(now) if self._is_late else self._cleared(now)
            self._dirty = True
        return outs

    def _note_before(self, configuration: dict[str, str | None], now: float) -> list[Out]:
        """What of it LinkRay is about to change, as it was when it was read first (csms.md)."""
        if self._seen.before or not configuration:
            return []
        ours = {key.lower() for key in OWNED}
        before = {key: value for key, value in configuration.items() if key.lower() in ours}
        return self._note_seen(now, msgspec.structs.replace(self._seen, before=before))

    def _can_do(self, ability: Ability, now: float) -> list[Out]:
        """What it says of its profiles; where its levels are others, what was told is told anew."""
        before, self._ability = self._ability.stack_level_max, ability
        if ability.stack_level_max == before:
            return []
        for connector in self._connectors.values():
            if connector.teller.has_told:
                connector.teller.does_not_rule()
        known = msgspec.structs.replace(self._seen, stack_level_max=ability.stack_level_max)
        return [*self._note_seen(now, known), *self._tell_all(now)]

    def _ask(self, step: Ask, now: float) -> list[Out]:
        self._step = CommissionStep(self._step.run, self._step.number + 1, step.clears)
        self._clearing = self._clearing or step.clears
        key = CLEAR if step.clears else None
        return self._call(step.action, step.payload, now, self._step, replaces=key)

    def _commission_answered(
        self, tag: CommissionStep, event: Answered | Failed, now: float
    ) -> list[Out]:
        if tag != self._step or self._steps is None or self._asking is None:
            return []
        if isinstance(event, Answered):
            return self._commission(Outcome(event.result), now)
        step, times = self._asking
        if EVICTED in event.text and times < ASKS_AGAIN_MAX and not step.clears:
            self._asking = (step, times + 1)
            return self._ask(step, now)
        why = event.text if event.code == "callerror" else event.code
        return self._commission(Outcome(None, why), now)

    # -- what a clear takes away -----------------------------------------------------------------

    def _clears_first(self, now: float, *, is_new: bool = False) -> None:
        """Of a make that is cleared of everything, or may be one, what is told before that does not
        count, as long as its books hold its maximum all the same (trust.md 1, P 1).
        """
        first = (is_new or self._quirk.clear_first) and not self._sessions.running
        self._clearing = self._clearing or first
        self._is_late = self._is_late and self._clearing
        self._clear_due = now + CLEAR_LATE_S if self._clearing else math.inf

    def _may_clear(self) -> bool:
        """Whether no limit that somebody counts on could go with it: some makes take away all,
        whatever the id says.
        """
        counts = not self._clearing and any(c.teller.told_ids for c in self._connectors.values())
        return self._can_clear and not self._sessions.running and not counts

    def _clear_answered(self, event: Answered | Failed, now: float) -> list[Out]:
        """Whether it has taken anything away. What comes late may have acted late, too."""
        if not self._clear_ended(event, now):
            return []
        knew = isinstance(event, Answered) or not refuses(event.code, event.text)
        self._swept = self._swept or (knew and _status(event) != "Unknown")
        self._is_late = self._is_late and not event.late
        return self._cleared(now) if event.late and not self._is_clear_out() else []

    def _clear_ended(self, event: Answered | Failed, now: float) -> bool:
        """Whether the charger has answered it. One that does not in time is asked for none again;
        one that was pushed aside may act yet, and what it may take away is told once more then.
        """
        if isinstance(event, Answered) or event.code == "callerror":
            self._can_clear = self._can_clear or not event.late
            return True
        if event.code == "timeout":
            self._swept = True
            if EVICTED in event.text:
                self._is_late, self._clear_due = True, now + CLEAR_LATE_S
            else:
                self._can_clear = False
        return False

    def _is_clear_out(self) -> bool:
        """Whether commissioning waits for a clear's answer, after which it tells all."""
        return self._steps is not None and self._step.clears

    def _cleared(self, now: float) -> list[Out]:
        """No clear is out any more: what one may have taken away is told once more."""
        self._clearing, self._is_late, self._clear_due = False, False, math.inf
        swept, self._swept = self._swept, False
        for connector in self._connectors.values():
            if swept:
                connector.teller.cleared()
        return self._tell_all(now)

    def _others_again(self, stage: Stage, event: Answered | Failed, now: float) -> list[Out]:
        """One connector was cleared, by the last of its clears: what the others were told may be
        gone with it. Only where it took something away: that it does once.
        """
        attempt = stage.attempt
        goes_on = not attempt.over and Stage(attempt, attempt.form, attempt.call).clears
        if goes_on or self._clearing or not isinstance(event, Answered):
            return []
        if not attempt.is_cleared:
            return []
        outs: list[Out] = []
        for connector in list(self._connectors.values()):
            if connector.id != attempt.offer.connector:
                connector.teller.cleared_beside()
                outs += self._tell_offer(connector, now)
        return outs

    def _note_seen(self, now: float, known: ChargerSeen | None = None) -> list[Out]:
        """Write down what the charger says of itself, where it is new and the charger is ours."""
        new = msgspec.structs.replace(
            known or self._seen,
            connectors=max(len(self._connectors), (known or self._seen).connectors),
            seen=self._seen.seen,
        )
        if new == self._seen:
            return []
        self._seen = msgspec.structs.replace(new, seen=stamp(self._around.wall(now)))
        return [Record((self._seen,))] if self._terms.kept else []

    # -- what it is asked beside its offers ------------------------------------------------------

    def _values_wanted(self, connector: Connector, offer: Offer, now: float) -> list[Out]:
        """The plan wants fresh values (balancing.md 1); a balancer that began anew counts anew."""
        before, connector.values_wanted = connector.values_wanted, offer.values_wanted
        if before is None or offer.values_wanted <= before:
            return []
        return self._ask_values(connector.id, now)

    def _ask_values(self, number: int, now: float) -> list[Out]:
        """Not urgent, one in line for each connector; refused once, it is not asked again."""
        if not self._can_ask:
            return []
        payload = messages.TriggerMessage("MeterValues", number)
        return self._call("TriggerMessage", payload, now, ValuesAsked(),
                          replaces=f"values/{number}")  # fmt: skip

    def _in_service(self, connector: Connector, offer: Offer, now: float) -> list[Out]:
        """The ladder's last step takes a connector out of service, and back (INV-10)."""
        out = connector.id in self._seen.inoperative
        if offer.inoperative is out or connector.service_at < math.inf:
            return []
        if not self._quirk.change_availability:
            if offer.inoperative and self._once_a_minute(f"availability {connector.id}", now):
                return [Note("not taken out of service", {
                    "peer": self._address, "connector": connector.id,
                    "cause": "its make does not know ChangeAvailability"}, "warning")]
            return []
        connector.service_at = now + SERVICE_AGAIN_S
        self._next = min(self._next, connector.service_at)
        wanted: Literal["Inoperative", "Operative"] = (
            "Inoperative" if offer.inoperative else "Operative"
        )
        payload = messages.ChangeAvailability(connector.id, wanted)
        return self._call("ChangeAvailability", payload, now, Availability(connector.id, wanted),
                          urgent=offer.inoperative, replaces=f"service/{connector.id}")

    def _service_answered(
        self, tag: Availability, event: Answered | Failed, now: float
    ) -> list[Out]:
        connector, status = self._connector(tag.connector), _status(event)
        if status not in ("Accepted", "Scheduled"):
            cause = event.text if isinstance(event, Failed) else str(status)
            return [Note("availability not changed", {
                "peer": self._address, "connector": tag.connector, "cause": cause,
                "action": f"asked again in {SERVICE_AGAIN_S:.0f} s"}, "warning")]
        connector.service_at = math.inf
        out = set(self._seen.inoperative)
        (out.add if tag.wanted == "Inoperative" else out.discard)(tag.connector)
        known = msgspec.structs.replace(self._seen, inoperative=tuple(sorted(out)))
        return [*self._note_seen(now, known), Note("availability changed", {
            "peer": self._address, "connector": tag.connector, "action": tag.wanted})]

    def _service_again(self, connector: Connector, now: float) -> list[Out]:
        """What was not answered, or refused, is asked again while the plan wants it."""
        if now < connector.service_at:
            return []
        connector.service_at = math.inf
        wanted = connector.teller.wanted
        return [] if wanted is None else self._in_service(connector, wanted, now)

    def _begin_let_in(self, now: float) -> None:
        """A tag was let in: a car that waits on a make that needs it is begun for."""
        if not self._quirk.needs_remote_start:
            return
        for connector in self._connectors.values():
            if connector.status == "Preparing" and connector.id not in self._sessions.running:
                connector.begin_at, connector.begins = now + BEGIN_S, 0
                self._next = min(self._next, connector.begin_at)

    def _begin(self, connector: Connector, now: float) -> list[Out]:
        """RemoteStartTransaction for a make that begins by nothing else (quirks.md, Wallbox)."""
        if now < connector.begin_at:
            return []
        connector.begin_at = math.inf
        wanted = connector.teller.wanted
        if (
            connector.id in self._sessions.running
            or connector.status != "Preparing"
            or (wanted is not None and (wanted.stop or wanted.inoperative))
        ):
            return []
        tag, until = self._let_in
        tag = tag if now < until else OPEN_TAG
        if not self._decide(tag, connector.id, now).accepted:
            return []
        connector.begins += 1
        if connector.begins < BEGINS_MAX:
            connector.begin_at = now + BEGIN_AGAIN_S
        payload = messages.RemoteStartTransaction(tag, connector.id)
        return self._call("RemoteStartTransaction", payload, now, Begun(),
                          replaces=f"begin/{connector.id}")  # fmt: skip

    # -- its passport ----------------------------------------------------------------------------

    def _evidence(self, now: float) -> Evidence:
        return Evidence(self._charger, stamp(self._around.wall(now)))

    def _proofs(self, now: float) -> list[Out]:
        """What was proved on this very charger counts for the balancer (balancing.md, Dead-man)."""
        outs: list[Out] = []
        proven, obey_s = self._inquiry.is_proven, self._inquiry.obey_s
        if proven is not None:
            outs.append(Tell(LeaseProven(self._charger, now, proven)))
        if obey_s is not None:
            outs.append(Tell(ObeyTimeKnown(self._charger, obey_s, now)))
        return outs

    def _another(self, known: ChargerSeen, now: float) -> list[Out]:
        """Other firmware, or another device: its passport is looked up, its proof is withdrawn."""
        outs: list[Out] = []
        old, before = self._inquiry.passport, self._seen
        self._inquiry.is_of(self._around.passport(*make_of(known)))
        if _is_another(known, before) and make_of(known) == make_of(before):
            self._inquiry.is_of(old.without(self._charger))
            outs.append(Record((PassportForgotten(*old.make, self._charger),)))
        if before.vendor or before.model:
            outs.append(Tell(LeaseProven(self._charger, now, is_proven=False)))
            outs.append(Note("charger is not what it was", {
                "peer": self._address, "cause": " ".join(make_of(known)).strip(),
                "action": "its passport is looked up or begun anew"}))
        self._inquiry.forget()
        return [*outs, *self._end_trial(now), self._known(), *self._proofs(now)]

    def _passport_now(self, passport: Passport, now: float, *, again: bool) -> list[Out]:
        """Others have found more of its make, or a person wants it all tried anew."""
        before, known = self._inquiry.is_proven, self._known()
        self._dirty = True
        if passport.make != make_of(self._seen):
            return []
        outs: list[Out] = []
        self._inquiry.is_of(passport)
        if again:
            outs += self._end_trial(now)
            self._inquiry.again()
        if self._inquiry.is_proven != before:
            outs.append(Tell(LeaseProven(self._charger, now, bool(self._inquiry.is_proven))))
        if self._known() != known:
            outs.append(self._known())
        return outs

    def _took(self, took: Took, now: float) -> list[Out]:
        connector = self._connector(took.connector)
        drawn = connector.measured.current(now)
        most_ma = self._wiring.highest_w * 1_000_000 // max(1, self._wiring.all_mv())
        found = self._inquiry.took(
            took, most_ma, None if drawn is None else drawn.current_ma.highest(),
            self._evidence(now), now,
        )  # fmt: skip
        return self._found(found, now)

    def _watched(
        self,
        connector: Connector,
        values: tuple[messages.MeterValue, ...],
        drawn: Drawn | None,
        run: Running | None,
        now: float,
    ) -> list[Out]:
        """What a MeterValues shows of the charger itself."""
        watch, passport, seen = (
            self._inquiry.watch(connector.id), self._inquiry.passport, self._evidence(now)
        )
        samples = [sample for value in values for sample in value.sampled_value]
        found = watch.values(
            (s.measurand for s in samples), passport=passport, seen=seen, now=now,
            periodic=any(s.context == "Sample.Periodic" for s in samples),
        )  # fmt: skip
        if run is not None and drawn is not None:
            found += watch.sampled(
                drawn.current_ma.highest(), connector.status, passport, seen, now
            )
            found += self._inquiry.drew(
                connector.id, run.id, now - run.since, drawn.current_ma.highest(),
                is_charging=connector.status == "Charging", seen=seen, now=now,
            )
        return self._found(found, now)

    def _found(self, findings: list[Finding], now: float) -> list[Out]:
        """Something was found out: it counts at once, is told, and is written down when there is
        time: what a power cut takes of it is found out again.
        """
        if not findings:
            return []
        known = self._known()
        self._inquiry.found(tuple(findings))
        self._dirty = True
        outs: list[Out] = [self._known()] if self._known() != known else []
        for found in findings:
            outs.append(Note("found out", {
                "peer": self._address, "about": f"{found.what} {found.about}".strip(),
                "found": found.found, "cause": f"{found.offered}: {found.measured}"}))
            if found.what == "lease":
                proven = found.found == "honoured"
                outs.append(Tell(LeaseProven(self._charger, now, proven)))
            elif found.what == "obey":
                outs.append(Tell(ObeyTimeKnown(self._charger, float(found.found), now)))
            elif (found.what, found.found) == ("refused", "not obeyed"):
                for connector in list(self._connectors.values()):
                    s = self._situation(connector, now)
                    outs += self._moves(connector.teller.ignored(found.about, now, s), now)
        make = self._inquiry.passport.make
        if self._terms.kept and any(make[:2]):
            outs.append(Later((PassportFound(*make, tuple(findings)),)))
        return outs

    def _look(self, connector: Connector, now: float) -> Look:
        """One connector as the trials see it."""
        teller, run = connector.teller, self._sessions.running.get(connector.id)
        stands, wanted = teller.in_force(session=True), teller.wanted
        free = (
            self._terms.probe and self._ready and self._steps is None and not self._emergency
            and run is not None and run.accepted and run.stop_at == math.inf and not run.ending
            and connector.status == "Charging" and self._terms.adopted
            and connector.id <= self._terms.places
            and stands is not None and wanted is not None and wanted.session
            and stands.offer.id == wanted.id and not wanted.stop and not wanted.inoperative
            and now - self._around.planned_at() <= TRIAL_PLAN_S
        )  # fmt: skip
        drawn = connector.measured.current(now)
        return Look(
            connector=connector.id, tx=None if run is None else run.id,
            limit_ma=0 if wanted is None else wanted.offer_ma.highest(),
            fallback_ma=fallback_ma(self._terms.charger, self._quirk),
            form="" if stands is None else stands.form,
            leased=stands is not None and stands.lease.ends_s > 0,
            on_trial=teller.trial is not None,
            free=free, age_s=0.0 if run is None else now - run.since,
            drawn_ma=None if drawn is None else drawn.current_ma.highest(),
            drawn_at=-math.inf if drawn is None else drawn.at,
            interval_s=self._terms.interval_s, can_ask=self._can_ask, status=connector.status,
        )  # fmt: skip

    def _inquire(self, now: float) -> list[Out]:
        """Values that show a cut, and the trials (quirks.md, Order of attempts)."""
        outs: list[Out] = []
        for number in self._inquiry.asks(now):
            outs += self._ask_values(number, now)
        probe = self._inquiry.probe
        if probe.phase != "idle":
            connector = self._connector(probe.connector)
            if self._emergency or not self._terms.probe:
                return outs + self._end_trial(now)
            acts, found = self._inquiry.look(
                self._look(connector, now), self._evidence(now), now
            )
            outs += self._found(found, now)
            for act in acts:
                outs += self._act(act, now)
            if self._inquiry.probe.phase == "idle":
                self._around.probed(self._charger)
            self._dirty = self._dirty or bool(acts)
            return outs
        if not self._terms.probe or not self._inquiry.has_to_try:
            return outs
        for connector in list(self._connectors.values()):
            look = self._look(connector, now)
            if self._inquiry.fits(look, now) and self._around.may_probe(self._charger):
                for act in self._inquiry.begin(look):
                    outs += self._act(act, now)
                break
        return outs

    def _end_trial(self, now: float) -> list[Out]:
        outs: list[Out] = []
        for act in self._inquiry.probe.abort(now):
            outs += self._act(act, now)
        self._around.probed(self._charger)
        return outs

    def _act(self, act: Act, now: float) -> list[Out]:
        """Carry out what the trials want."""
        connector = self._connector(act.connector)
        s = self._situation(connector, now)
        if act.do == "values":
            return self._ask_values(act.connector, now)
        if act.do in ("end", "resend"):
            return self._moves(connector.teller.end_trial(now, s), now)
        trial = Trial(zero=True) if act.do == "zero" else Trial(dead_man_s=LEASE_S)
        self._inquiry.watch(act.connector).forget()
        return self._moves(connector.teller.begin_trial(trial, now, s), now)

    # -- what is shown ---------------------------------------------------------------------------

    def _view(self, now: float) -> View:
        self._dirty = False
        self._viewed_at = now
        seen, terms = self._seen, self._terms
        notes = list(self._notes.values())
        if self._quirk.hint:
            notes.append(self._quirk.hint)
        if not terms.adopted and not self._booted:
            notes.append("has not said who it is (BootNotification); is told 0 A")
        elif not terms.adopted:
            notes.append("waits to be adopted by an installer; is told 0 A")
        elif terms.places < len(self._connectors):
            notes.append("the licence has no place for all its connectors; is told 0 A there")
        running = self._sessions.running
        view = ChargerView(
            id=self._charger, name=terms.charger.name, connected=not self._closing,
            vendor=seen.vendor, model=seen.model, firmware=seen.firmware,
            firmware_since=seen.firmware_since, serial=seen.serial, address=self._address,
            priority=terms.charger.priority, group=terms.charger.group,
            connectors=tuple(
                self._connectors[n].view(running.get(n), now) for n in sorted(self._connectors)
            ),
            since=self._since, quirk=self._quirk.name or None, notes=tuple(notes),
            deviations=self._deviations, writes_a_day=self._budget,
            profile_writes=self._writes.today(self._around.wall(now)),
            licensed=terms.places >= len(self._connectors),
            passport=self._inquiry.lines, probing=self._inquiry.probing(wanted=terms.probe),
        )  # fmt: skip
        return View(view)

    # what answers each action that a charger may ask
    _answers: ClassVar[dict[str, Callable[..., list[Out]]]] = {
        "BootNotification": _boot,
        "Heartbeat": _heartbeat,
        "Authorize": _authorize,
        "StartTransaction": _start,
        "StopTransaction": _stop_transaction,
        "MeterValues": _meter_values,
        "StatusNotification": _status_notification,
        "DataTransfer": _data_transfer,
        "DiagnosticsStatusNotification": _progress,
        "FirmwareStatusNotification": _progress,
    }


def _is_another(known: ChargerSeen, before: ChargerSeen) -> bool:
    """Whether another device answers to the identity."""
    return bool(known.serial and before.serial) and known.serial != before.serial


def _knows_trigger(configuration: dict[str, str | None]) -> bool:
    """Whether it may know TriggerMessage: it names its features without it, or names none."""
    features = next(
        (v for k, v in configuration.items() if k.lower() == "supportedfeatureprofiles"), None
    )
    return not features or "remotetrigger" in features.lower()


class _Answer(msgspec.Struct, frozen=True):
    """What most answers to our calls come down to."""

    status: str


_answer_decoder = msgspec.json.Decoder(_Answer)


def _status(event: Answered | Failed) -> str | None:
    """The status that the charger answered; None: it did not, or not readably."""
    if isinstance(event, Failed):
        return None
    try:
        return _answer_decoder.decode(event.result).status
    except msgspec.DecodeError:
        return None


def _answer(event: Answered | Failed, accepted: str) -> Answer:
    """What a person is told of a command."""
    if isinstance(event, Failed):
        if event.code == "timeout":
            return Answer(False, "timeout", "The charger did not answer")
        return Answer(False, "failed", f"The charger could not be asked: {event.text}")
    status = _status(event)
    if status == "Accepted":
        return Answer(True, text=accepted)
    return Answer(False, "refused", f"The charger answered {status or 'what cannot be read'}")


def _now_runs(run: Running) -> SessionNow:
    """A session, for the CSMS's profiles."""
    return SessionNow(run.connector, run.id, run.started, run.tag)


class _Written(msgspec.Struct, frozen=True):
    key: str
    value: str


def _written(action: str, payload: bytes) -> tuple[str, str] | None:
    """The key and value that a ChangeConfiguration writes; None: it is none, or not readable."""
    if action != "ChangeConfiguration":
        return None
    try:
        wish = msgspec.json.decode(payload, type=_Written)
    except msgspec.DecodeError:
        return None
    return wish.key, wish.value


def _replied(call_id: str, event: Answered | Failed) -> Replied:
    """What the charger said to a call of the CSMS."""
    if isinstance(event, Answered):
        return Replied(call_id, bytes(event.result))
    if event.code == "callerror":
        code, _, text = event.text.partition(": ")
        return Replied(call_id, None, code, text)
    return Replied(call_id, None, "GenericError", f"the charger did not answer: {event.text}")


class _Info(msgspec.Struct, frozen=True):
    status: str = ""


class _OfTag(msgspec.Struct, frozen=True):
    idTagInfo: _Info = _Info()  # noqa: N815 - the wire's name
    transactionId: int | None = None  # noqa: N815


def _read_of_tag(payload: bytes) -> _OfTag:
    """What the CSMS says of a tag, as far as it can be read."""
    try:
        return msgspec.json.decode(payload, type=_OfTag)
    except msgspec.DecodeError:
        return _OfTag()


def is_refused(said: FromCsms) -> bool:
    """Whether the CSMS does not let a session charge that LinkRay has let begin."""
    if not said.transaction or said.payload is None:
        return False
    return _tag_status(said.payload) not in ("", "Accepted")


def _tag_status(payload: bytes) -> str:
    return _read_of_tag(payload).idTagInfo.status


def _wired(terms: Terms) -> Wiring:
    """How the charger is wired, and what its values are held against."""
    charger = terms.charger
    volts = terms.voltage_mv
    watts = charger.highest_w()
    most_w = charger.highest_ma() * charger.phases * volts // 1_000_000
    return Wiring(
        phases=charger.phases, connection=charger.connection,
        voltage_mv=(volts, volts, volts), split_mode=terms.split_mode,
        highest_w=most_w if watts is None else watts, in_watts=watts is not None,
    )  # fmt: skip
