"""The core of one charger's uplink: when it is dialled, what is said to the CSMS, in which order.

Knows frames, the outbox and the two sides' numbers; no socket, no clock, no disk. To the CSMS the
charger looks directly connected (csms.md, Passing through): what it says arrives in its order, one
call at a time; after an outage its BootNotification, its statuses, what was kept, then the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import ClassVar, NamedTuple
from zlib import crc32

import msgspec

from linkray.kit.clock import stamp
from linkray.model.facts import CsmsBound
from linkray.model.faults import Cleared, Code, Raised
from linkray.model.records import Delivered, IdLearned, Outgoing, SetAside, UplinkKept
from linkray.model.uplink import (
    Answered,
    Asks,
    Boot,
    Given,
    Here,
    Live,
    Message,
    Passed,
    Replied,
    SessionNow,
    SessionOver,
    Status,
)
from linkray.ocpp import frame as frames
from linkray.ocpp.frame import BadFrame, Call, Error, Result
from linkray.ocpp.lenient import Unreadable, moment, read_exactly
from linkray.ocpp.messages import CsChargingProfiles
from linkray.ocpp.splice import with_field, without_field

from .bounds import Bounds
from .ids import FIELD, Ids, Known, id_in
from .keys import PASSWORD, Keys, asked_keys
from .outbox import Entry, Outbox
from .thin import Thinning
from .wire import (
    AsideGone,
    Dial,
    Ended,
    HangUp,
    Item,
    Keep,
    Later,
    Linked,
    Load,
    Loaded,
    Note,
    NotLinked,
    Out,
    Overrun,
    PasswordNow,
    Received,
    Seen,
    Send,
    Settle,
    Settled,
    Tell,
    Terms,
    TermsNow,
    Thinned,
    TimeSaid,
    ToLink,
)

ATTEMPT_S = 60.0  # csms.md, Connecting: never oftener for a charger
ATTEMPT_JITTER_S = 15.0  # decided.md: one every 60–75 s
GRACE_S = 60.0  # the uplink outlives its charger's link by so much
ANSWER_S = 90.0  # a CSMS may take a minute (trust.md K12); then the same is said again
SLOW_S = 10.0  # it answers no more: LinkRay decides meanwhile
DOWN_S = 30.0  # after which the fault is raised (csms.md, Connecting)
BOOT_AGAIN_S = 60.0  # where it was not accepted and no interval was named
ASKS_MAX = 16  # calls of the CSMS that may wait for the charger at once
DESCRIPTION_CHARS_MAX = 255  # OCPP-J 1.6, 4.2.3
STARTS_MAX = 16  # answered ones whose number may still change
SCHEMES = ("http", "https", "ftp", "ftps", "sftp")  # trust.md A37: where a charger is sent
STATUS = "StatusNotification"
GONE = "the charger is not connected"
NOT_KEPT = "LinkRay's storage does not take it; nothing has changed"


class _Boot(NamedTuple):
    """Our BootNotification, as the charger said it."""

    id: str


class _Status(NamedTuple):
    """Our StatusNotification of a connector, as the charger said it."""

    id: str
    connector: int


class _Head(NamedTuple):
    """The head of the outbox, as it was said."""

    id: str
    entry: Entry


_Open = _Boot | _Status | _Head


class _Settling(NamedTuple):
    """A call of the CSMS that is answered when what it changes is on disk, or is not to be."""

    kept: UplinkKept
    then: Callable[[], list[Out]]
    refusal: Send


class _Started(msgspec.Struct):
    transactionId: int  # noqa: N815 - the wire's name


class _Booted(msgspec.Struct):
    status: str
    interval: int = 0
    currentTime: str = ""  # noqa: N815 - the wire's name


class _Change(msgspec.Struct):
    key: str
    value: str


class _Of(msgspec.Struct, frozen=True):
    transactionId: int | None = None  # noqa: N815


class _Profiled(msgspec.Struct, frozen=True):
    csChargingProfiles: _Of = _Of()  # noqa: N815


class _RemoteStart(msgspec.Struct):
    idTag: str = ""  # noqa: N815
    connectorId: int | None = None  # noqa: N815
    chargingProfile: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815


class _OfConnector(msgspec.Struct):
    connectorId: int = 0  # noqa: N815


class _Elsewhere(msgspec.Struct):
    location: str = ""


class _Trigger(msgspec.Struct):
    requestedMessage: str = ""  # noqa: N815
    connectorId: int = 0  # noqa: N815


class Relay:
    """One charger's uplink."""

    __slots__ = (
        "_asked", "_asks", "_attempts", "_authorization", "_awaited", "_bare", "_boot_at",
        "_bounds", "_bounds_at", "_box", "_charger", "_dial_at", "_dialled", "_down_since",
        "_faulted", "_garbled", "_has_turn", "_here", "_ids", "_is_caught_up", "_is_live", "_kept",
        "_left_at", "_link", "_numbers", "_open", "_open_since", "_prefix", "_reads", "_refused",
        "_seen", "_settling", "_slow", "_stage", "_starts", "_statuses", "_terms", "_to_say",
        "_tries", "_turn", "_wall", "_why", "keys", "thinning",
    )  # fmt: skip

    def __init__(
        self,
        charger: str,
        terms: Terms,
        *,
        prefix: str,
        wall: Callable[[float], datetime],
        box: Outbox | None = None,
        known: Iterable[Known] = (),
        kept: UplinkKept | None = None,
        before: Mapping[str, str | None] | None = None,
        not_before: float = -math.inf,
        turn: Callable[[float], float] = lambda now: now,
        now: float,
    ) -> None:
        """`prefix` begins the ids of what LinkRay says on its own; no other relay's, ever.

        `before`: the charger's configuration before LinkRay changed it. `not_before`: when the CSMS
        may be dialled first; `turn`: when, after the attempts of others, one that is due may be
        made. `wall`: UTC of a monotonic time.
        """
        self._charger = charger
        self._terms = terms
        self._prefix = prefix
        self._wall = wall
        self._box = Outbox() if box is None else box
        self._ids = Ids(known)
        self._kept = kept or UplinkKept(charger)
        self.keys = Keys(self._kept.wished, before or {})
        self.thinning = Thinning()
        self._bounds = Bounds(charger, terms.wired, self._kept.profiles)
        self._bounds_at = now  # when what they allow is looked at next
        self._awaited: dict[str, tuple[int | None, str]] = {}  # remote starts with a profile
        self._reads: dict[str, frozenset[str]] = {}  # GetConfiguration that the charger has
        self._statuses: dict[int, bytes] = {}
        self._starts: dict[str, Outgoing] = {}  # answered ones, by what they were said with
        self._here = False
        self._authorization = ""
        self._bare = ""  # what becomes of a password that is without TLS, as it was told
        self._left_at = now  # it may come at once: after a restart all chargers do
        self._link = "down"  # down, dialled, up
        self._stage = "boot"  # of a link that is up: boot, statuses, open
        self._to_say: list[int] = []  # connectors whose status is still to be said
        self._boot_at = 0.0
        self._dial_at = not_before
        self._turn = turn
        self._has_turn = False  # `_dial_at` is a moment of its own
        self._attempts = 0
        self._tries = 0  # since the CSMS has said something
        self._dialled = terms
        self._numbers = 0
        self._open: _Open | None = None
        self._open_since = 0.0
        self._garbled = ""  # what came since and was no frame: it may have been the answer
        self._slow = False
        self._is_caught_up = False
        self._is_live = False
        self._asks: dict[str, str] = {}  # the CSMS's calls that the charger has: ours → its id
        self._asked = 0
        self._settling: _Settling | None = None
        self._refused = ""  # what it answered BootNotification, where not Accepted
        self._why = ""  # there is no link
        self._down_since: float | None = now if terms.url else None
        self._faulted = False
        self._seen: Seen | None = None

    # -- the three doors -------------------------------------------------------------------------

    def feed(self, item: Item, now: float) -> list[Out]:
        outs = self._on(item, now)
        return [*outs, *self._go_on(now)]

    def due(self) -> float:
        times = [math.inf]
        if self._wants_link(math.inf) and self._link == "down":
            times.append(self._dial_at)
        if self._link == "up":
            if not self._here and not self._keeps_on():
                times.append(self._left_at + GRACE_S)
            if self._open is not None:
                times.append(self._open_since + ANSWER_S)
                if not self._slow:
                    times.append(self._open_since + SLOW_S)
            elif self._stage == "boot":
                times.append(self._boot_at)
            elif self._box.head() is not None:
                times.append(self._box.retry_at)
        if self._down_since is not None and not self._faulted:
            times.append(self._down_since + DOWN_S)
        return min(*times, self._bounds_at)

    def _look_at(self, utc: float, now: float) -> list[Out]:
        """What the profiles allow from now on, where it has changed."""
        outs: list[Out] = [Tell(fact) for fact in self._bounds.facts(utc, now)]
        self._bounds_at = now + self._bounds.due_utc() - utc
        return outs

    def wake(self, now: float) -> list[Out]:
        outs: list[Out] = []
        if self._open is not None and now >= self._open_since + ANSWER_S:
            outs += self._unanswered(now)
        elif self._open is not None and now >= self._open_since + SLOW_S and not self._slow:
            self._slow = True
            outs += self._stop_live()
        return [*outs, *self._go_on(now)]

    # -- what comes in ---------------------------------------------------------------------------

    def _on(self, item: Item, now: float) -> list[Out]:
        match item:
            case Boot(payload):
                return self._booted(payload, now)
            case Status(connector, payload, call_id):
                return self._status(connector, payload, call_id)
            case Passed():
                return self._pass(item)
            case Message(outgoing, stored):
                return self._message(outgoing, stored=stored)
            case Replied():
                return self._replied(item)
            case Given(number, at_charger):
                known = self._ids.of(number)
                self._ids.put(Known(number, at_charger, known.csms if known else None))
                return []
            case Here(here, authorization):
                self._authorization = authorization if here else self._authorization
                return self._is_here(here, now)
            case TermsNow(terms):
                return self._terms_now(terms, now)
            case PasswordNow(password):
                return self._keep(password=password)
            case Linked():
                return self._linked(now)
            case NotLinked(why) | Ended(why):
                return self._lost(why, now)
            case Received(text):
                return self._received(text, now)
            case SessionNow(connector, number, since, tag):
                self.thinning.begin(connector)
                self._bounds.began(connector, number, datetime.fromisoformat(since), tag)
                return self._profiles_changed()
            case SessionOver(connector, number):
                self._bounds.ended(connector, number)
                return self._profiles_changed()
            case Loaded(messages, more):
                self._box.loaded(messages, more=more)
                return []
            case Thinned(numbers):
                self._box.thinned(numbers)
                return []
            case AsideGone(count):
                self._box.set_aside = max(0, self._box.set_aside - count)
                return []
            case Overrun():
                return self._stop_live()
            case Settled(is_kept):
                return self._settled(is_kept=is_kept)

    def _booted(self, payload: bytes, now: float) -> list[Out]:
        """It has started: the CSMS hears it before anything that comes after it."""
        outs = self._keep(boot=payload.decode())
        if self._link != "up" or self._stage == "boot":
            return outs
        self._stage, self._boot_at = "boot", now
        return [*outs, *self._stop_live()]

    def _keep(self, **changes: str | dict[str, str]) -> list[Out]:
        """Something that outlives a restart has changed."""
        kept = msgspec.structs.replace(self._kept, **changes)
        if kept == self._kept:
            return []
        self._kept = kept
        return [Keep((kept,))]

    def _settle(
        self, then: Callable[[], list[Out]], refusal: Send, **changes: str | dict[str, str]
    ) -> list[Out]:
        """What the CSMS wishes outlives a restart, and only then is in force and `then` said; where
        the disk does not take it nothing changes, and the answer is `refusal`.
        """
        kept = msgspec.structs.replace(self._kept, **changes)
        if kept == self._kept:
            return then()
        self._settling = _Settling(kept, then, refusal)
        return [Settle(kept)]

    def _settled(self, *, is_kept: bool) -> list[Out]:
        settling, self._settling = self._settling, None
        assert settling is not None, "nothing was to be settled"
        if not is_kept:
            return [Note("wish of the CSMS refused", {
                "peer": self._terms.url, "cause": "the storage does not take it"}, "warning"),
                settling.refusal]  # fmt: skip
        before, self._kept = self._kept, settling.kept
        self.keys.wished = dict(self._kept.wished)
        if self._kept.profiles != before.profiles:
            self._bounds.hold(self._kept.profiles)
        return settling.then()

    def _status(self, connector: int, payload: bytes, call_id: str) -> list[Out]:
        self._statuses[connector] = payload
        if self._link != "up" or self._stage == "boot":
            return []
        passed = Passed(call_id, STATUS, payload)
        if self._stage != "open" or self._to_say or not self._box.put(passed, kept=False):
            self._unsaid(connector)  # its newest is said as soon as there is room
        return []

    def _unsaid(self, connector: int) -> None:
        if connector not in self._to_say:
            self._to_say.append(connector)

    def _pass(self, passed: Passed) -> list[Out]:
        if self._link == "up" and self._stage == "open" and self._box.put(passed, kept=False):
            return []
        outs: list[Out] = [ToLink(Answered(passed.call_id))] if passed.waits else []
        return [*self._stop_live(), *outs] if self._link == "up" else outs

    def _message(self, outgoing: Outgoing, *, stored: bool) -> list[Out]:
        """A message of a transaction; what the line has no room for is kept. One that was meant for
        the address before this one, and was on its way as that changed, is kept for it (K13).
        """
        if outgoing.csms != self._terms.url:
            return [] if stored else [Keep((outgoing,))]
        if stored or (self._is_live and self._box.put(outgoing, kept=False)):
            if stored:
                self._box.put(outgoing, kept=True)
            return []
        outs = [*self._stop_live(), Keep((outgoing,))]
        self._box.put(outgoing, kept=True)
        return outs

    def _is_here(self, here: bool, now: float) -> list[Out]:
        was, self._here = self._here, here
        if here and not was and self._link == "down":
            self._down_since = self._down_since if self._down_since is not None else now
        if was and not here:
            self._left_at, self._has_turn = now, False
            self._statuses.clear()
            refused: list[Out] = [
                Send(frames.write(Error(its, "GenericError", GONE))) for its in self._asks.values()
            ]
            self._asks.clear()
            self._reads.clear()
            self._awaited.clear()
            return refused if self._link == "up" else []
        return []

    def _terms_now(self, terms: Terms, now: float) -> list[Out]:
        """Another address, password or none: the link is made anew."""
        if terms == self._terms:
            return []
        before, self._terms = self._terms, terms
        if terms.wired != before.wired:
            self._bounds.is_wired(terms.wired)
        if msgspec.structs.replace(terms, wired=before.wired) == before:
            return []
        self._refused = ""  # whom it was said to is another
        if not terms.url:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
        if self._link != "up":
            return []
        self._link = "leaving"
        return [HangUp("the settings have changed")]

    # -- the link --------------------------------------------------------------------------------

    @property
    def owes(self) -> bool:
        """Whether there is something that the CSMS has not heard."""
        return not self._box.is_empty

    def _keeps_on(self) -> bool:
        """Whether there is something to be said although the charger is not there."""
        return bool(self._kept.boot) and not self._box.is_empty

    def _wants_link(self, now: float) -> bool:
        wanted = self._here or self._keeps_on() or (
            self._link == "up" and now < self._left_at + GRACE_S
        )  # fmt: skip
        return bool(self._terms.url) and wanted

    def _linked(self, now: float) -> list[Out]:
        if msgspec.structs.replace(self._dialled, wired=self._terms.wired) != self._terms:
            self._link = "leaving"
            return [HangUp("the settings have changed")]
        self._link, self._stage, self._why = "up", "boot", ""
        self._open, self._slow, self._is_caught_up = None, False, False
        if now >= self._boot_at:
            self._refused = ""
        if not self._refused:  # else it holds for longer than the link that it was said on (4.2)
            self._boot_at = now
        return [Note("CSMS connected", {"peer": self._terms.url})]

    def _lost(self, why: str, now: float) -> list[Out]:
        """No link: what was under way is kept or said to nobody; the next attempt in its time."""
        was_up, self._link = self._link == "up", "down"
        self._open, self._slow, self._why = None, False, why
        self._asks.clear()
        self._reads.clear()
        self._awaited.clear()
        if was_up and now >= self._dial_at:  # all break at once: 32 must not be one burst
            self._dial_at = now + self._spread() * ATTEMPT_JITTER_S
        if self._down_since is None and self._terms.url:
            self._down_since = now
        outs = self._stop_live()
        return [*outs, Note("CSMS not connected", {
            "peer": self._terms.url, "cause": why,
            "action": "the link ended" if was_up else "tried again"}, "warning")]  # fmt: skip

    def _stop_live(self) -> list[Out]:
        """LinkRay decides from now on; what was passed on and must not be lost is kept."""
        outs: list[Out] = []
        if self._is_live:
            self._is_live = False
            outs.append(ToLink(Live(live=False)))
        self._is_caught_up = False
        messages, passed = self._box.keep()
        if messages:
            outs.append(Keep(tuple(messages)))
        outs += [ToLink(Answered(one.call_id)) for one in passed if one.waits]
        for one in passed:
            if one.action == STATUS:
                self._unsaid(_connector_of(one.payload))
        return outs

    # -- what is said ----------------------------------------------------------------------------

    def _go_on(self, now: float) -> list[Out]:
        """Whatever can be done now: dial, hang up, say the next thing, tell how it stands."""
        outs = self._look_at(self._wall(now).timestamp(), now)
        if self._link == "down" and self._wants_link(now) and now >= self._dial_at:
            outs += self._dial(now)
        elif self._link == "up" and not self._wants_link(now):
            self._link = "leaving"
            outs.append(HangUp("the charger is gone" if self._terms.url else "no CSMS is set"))
        elif self._link == "up" and self._open is None:
            outs += self._say_next(now)
        after = self._box.load_after() if self._link == "up" and self._stage == "open" else None
        if after is not None:
            outs.append(Load(after))
        return [*outs, *self._stands(now)]

    def _dial(self, now: float) -> list[Out]:
        if not self._has_turn and (at := self._turn(now)) > now:
            self._dial_at, self._has_turn = at, True
            return []
        self._link, self._has_turn = "dialled", False
        self._attempts += 1
        self._tries += 1
        self._dial_at = now + ATTEMPT_S + self._spread() * ATTEMPT_JITTER_S
        self._dialled = self._terms
        return [Dial(msgspec.structs.replace(self._terms, authorization=self._authorization))]

    def _spread(self) -> float:
        """From 0 to 1, for each charger and attempt its own."""
        return crc32(f"{self._charger}/{self._attempts}".encode()) % 1000 / 1000

    def _say_next(self, now: float) -> list[Out]:
        if self._stage == "boot":
            if now < self._boot_at:
                return []
            if self._kept.boot:
                boot = _Boot(self._next_id())
                return [self._say(boot, "BootNotification", self._kept.boot.encode(), now)]
            self._stage, self._to_say = "statuses", sorted(self._statuses)
        while self._to_say:
            connector = self._to_say.pop(0)
            if connector in self._statuses:
                said = _Status(self._next_id(), connector)
                return [self._say(said, STATUS, self._statuses[connector], now)]
        self._stage = "open"
        outs: list[Out] = []
        while (head := self._box.head()) is not None and now >= self._box.retry_at:
            outs += self._say_head(head, now)
            if self._open is not None:
                return outs
        if self._box.is_empty and not self._is_caught_up and self._here:
            self._is_caught_up = self._is_live = True
            outs.append(ToLink(Live(live=True)))
        return outs

    def _say_head(self, head: Entry, now: float) -> list[Out]:
        what = head.what
        if isinstance(what, Passed):
            return [self._say(_Head(what.call_id, head), what.action, what.payload, now)]
        payload = what.payload.encode()
        if what.transaction and what.action != "StartTransaction":
            known = self._ids.of(what.transaction)
            if known is None or known.csms is None:
                return self._set_aside("the CSMS has not taken its start", now)
            payload = with_field(payload, FIELD, known.csms)
        return [self._say(_Head(what.message_id, head), what.action, payload, now)]

    def _say(self, what: _Open, action: str, payload: bytes, now: float) -> Send:
        self._open, self._open_since, self._slow = what, now, False
        self._garbled = ""
        return Send(frames.write(Call(what.id, action, msgspec.Raw(payload))))

    def _next_id(self) -> str:
        self._numbers += 1
        return f"{self._prefix}{self._numbers}"

    def _unanswered(self, now: float) -> list[Out]:
        """No answer in all that time: a message of a transaction is said again, the same (K5).
        Where it was answered with what is no frame, that is an error like any other.
        """
        was = self._open
        if self._garbled and was is not None:
            return self._taken(was, Error(was.id, "FormationViolation", self._garbled), now)
        self._open = None
        if isinstance(was, _Boot):
            self._boot_at = now
        return self._stop_live()  # what was only passed on is said no more

    def _set_aside(self, why: str, now: float) -> list[Out]:
        """The head waits for a person; what comes after it goes on."""
        entry = self._box.answered()
        self._box.set_aside += 1
        assert isinstance(entry.what, Outgoing)
        return self._put_aside(entry, why, now)

    def _put_aside(self, entry: Entry, why: str, now: float) -> list[Out]:
        assert isinstance(entry.what, Outgoing)
        outgoing = entry.what
        keep = () if entry.kept else (outgoing,)
        return [
            Keep((*keep, SetAside(outgoing.number, why, stamp(self._wall(now))))),
            Note("message set aside", {"peer": self._terms.url, "about": outgoing.action,
                                       "cause": why, "action": "kept, not said again"}, "warning"),
        ]  # fmt: skip

    # -- what the CSMS says ----------------------------------------------------------------------

    def _received(self, text: str, now: float) -> list[Out]:
        if self._link != "up":
            return []
        self._tries = 0
        try:
            frame = frames.read(text)
        except BadFrame as bad:
            outs: list[Out] = []
            if bad.message_id is not None:
                outs.append(Send(frames.write(Error(bad.message_id, bad.code, bad.text))))
            elif self._open is not None:
                self._garbled = bad.text
                if f'"{self._open.id}"' in text:
                    outs += self._taken(
                        self._open, Error(self._open.id, bad.code, bad.text), now
                    )
            return [*outs, Note("protocol error", {"peer": self._terms.url, "cause": bad.text},
                                "warning")]  # fmt: skip
        if isinstance(frame, Call):
            return self._called(frame, now)
        if self._open is None or frame.id != self._open.id:
            return self._answered_again(frame)
        return self._taken(self._open, frame, now)

    def _taken(self, was: _Open, frame: Result | Error, now: float) -> list[Out]:
        """The answer to the open call."""
        self._open, self._slow = None, False
        if isinstance(was, _Boot):
            return self._boot_answered(frame, now)
        if isinstance(was, _Status) or was.entry is not self._box.head():
            return []  # nobody waits for it any more
        return self._head_answered(was.entry, frame, now)

    def _answered_again(self, frame: Result | Error) -> list[Out]:
        """An answer to what was said twice: of a start it may bear another number, and the newest
        counts (K5).
        """
        start = self._starts.get(frame.id)
        if start is None or isinstance(frame, Error):
            return []
        learned, outs = self._learn(start, frame)
        return [Later(learned), *outs] if learned else outs

    def _boot_answered(self, frame: Result | Error, now: float) -> list[Out]:
        """Accepted, or it counts as away and boots again after its interval (decided.md)."""
        answer = _Booted("Rejected")
        if isinstance(frame, Result):
            try:
                answer = msgspec.json.decode(frame.payload, type=_Booted)
            except msgspec.DecodeError:
                answer = _Booted("unreadable")
        if answer.status == "Accepted":
            self._refused = ""
            self._stage, self._to_say = "statuses", sorted(self._statuses)
            utc = moment(answer.currentTime)
            return [] if utc is None else [TimeSaid(utc)]
        self._refused = f"the CSMS answered BootNotification {answer.status[:20]}"
        self._boot_at = now + (answer.interval if answer.interval > 0 else BOOT_AGAIN_S)
        return [Note("CSMS does not accept the charger", {
            "peer": self._terms.url, "cause": self._refused}, "warning")]

    def _head_answered(self, head: Entry, frame: Result | Error, now: float) -> list[Out]:
        what = head.what
        if isinstance(what, Passed):
            self._box.answered()
            return [ToLink(_answer(what.call_id, frame))] if what.waits else []
        if isinstance(frame, Error):
            why = f"{frame.code}: {frame.description}"[:DESCRIPTION_CHARS_MAX]
            outs: list[Out] = [
                ToLink(_answer(what.message_id, frame, what.transaction)),
                *self._stop_live(),
            ]
            if self._box.refused(now):
                outs += self._put_aside(head, why, now)
            return outs
        outs = []
        learned: tuple[Delivered | IdLearned, ...] = ()
        if what.action == "StartTransaction":
            learned, outs = self._learn(what, frame)
            self._starts[what.message_id] = what
            while len(self._starts) > STARTS_MAX:
                del self._starts[next(iter(self._starts))]
        self._box.answered()
        if head.kept:
            learned = (*learned, Delivered(what.number))
        if learned:
            outs.append(Later(learned))
        return [*outs, ToLink(_answer(what.message_id, frame, what.transaction))]

    def _learn(
        self, start: Outgoing, frame: Result
    ) -> tuple[tuple[IdLearned, ...], list[Out]]:
        """The number that the CSMS has given (K5, K8); one that cannot be read is none."""
        try:
            said = msgspec.json.decode(frame.payload, type=_Started)
        except msgspec.DecodeError as error:
            return (), [Note("StartTransaction answered unreadably", {
                "peer": self._terms.url, "cause": str(error)}, "warning")]
        before = self._ids.of(start.transaction)
        if not self._ids.learn(start.transaction, said.transactionId):
            return (), []
        outs: list[Out] = []
        if before is not None and before.csms is not None:
            outs.append(Note("another transaction id", {
                "peer": self._terms.url, "transaction": start.transaction,
                "cause": f"{said.transactionId} after {before.csms}",
                "action": "the newest counts"}))
        return (IdLearned(start.transaction, said.transactionId),), outs

    # -- what the CSMS asks ----------------------------------------------------------------------

    def _called(self, call: Call, now: float) -> list[Out]:
        if not self._here:  # what LinkRay would answer itself, too: nobody is there to keep to it
            return [_refusal(call.id, "GenericError", GONE)]
        own = self._own.get(call.action)
        if own is not None:
            return own(self, call, now)
        return self._to_charger(call, bytes(call.payload))

    def _to_charger(self, call: Call, payload: bytes) -> list[Out]:
        if call.id in self._asks.values():
            return []
        if len(self._asks) >= ASKS_MAX:
            why = f"expected at most {ASKS_MAX} open calls"
            return [Send(frames.write(Error(call.id, "GenericError", why)))]
        self._asked += 1  # the CSMS may count anew on its next link
        name = f"{self._asked}"
        self._asks[name] = call.id
        return [ToLink(Asks(name, call.action, payload))]

    def _remote_stop(self, call: Call, _now: float) -> list[Out]:
        """RemoteStopTransaction names the CSMS's number; the charger may have another."""
        payload = bytes(call.payload)
        named = id_in(payload)
        if named is not None:
            if self._ids.number(named) is None and self._ids.is_taken(named):
                return [_rejected(call.id)]  # that is another session here
            payload = with_field(payload, FIELD, self._ids.at_charger(named))
        return self._to_charger(call, payload)

    def bounds_again(self, now: float) -> list[CsmsBound]:
        """What the profiles allow, for a balancer that begins anew."""
        return self._bounds.again(now)

    def not_kept(self) -> list[Outgoing]:
        """What was only passed on and must not be lost, for who writes it down as LinkRay ends."""
        messages, _passed = self._box.keep()
        return messages

    def farewell(self, now: float) -> list[Out]:
        """Its CSMS is no longer the one that is set: nothing of it holds any more."""
        outs = self._lost("another CSMS is set", now) if self._link != "down" else []
        outs += [Tell(fact) for fact in self._bounds.none(now)]
        if self._faulted:
            outs.append(Cleared(Code.CSMS, self._charger))
        if self._bare:
            outs.append(Cleared(Code.CSMS_PASSWORD, self._charger))
        return [*outs, Seen("off", "", 0, 0)]

    def _profiles_changed(self) -> list[Out]:
        return self._keep(profiles=self._bounds.kept())

    def _set_profile(self, call: Call, now: float) -> list[Out]:
        """SetChargingProfile: a bound of the balancer's from now on, on disk before the answer."""
        payload = bytes(call.payload)
        named = _profile_of(payload)
        number = None if named is None else self._ids.number(named)
        bounds = self._bounds.copy()
        try:
            answer, why = bounds.set(payload, self._wall(now).timestamp(), number)
        except Unreadable as bad:
            return [_refusal(call.id, bad.code, bad.text)]
        said = _result(call.id, answer)
        if why:
            return [Note("charging profile refused", {
                "peer": self._terms.url, "cause": why}, "warning"), said]  # fmt: skip
        return self._settle(lambda: [said], _rejected(call.id), profiles=bounds.kept())

    def _clear_profile(self, call: Call, _now: float) -> list[Out]:
        bounds = self._bounds.copy()
        try:
            said = _result(call.id, bounds.clear(bytes(call.payload)))
        except Unreadable as bad:
            return [_refusal(call.id, bad.code, bad.text)]
        refusal = _refusal(call.id, "InternalError", NOT_KEPT)  # OCPP knows no Rejected here
        return self._settle(lambda: [said], refusal, profiles=bounds.kept())

    def _composite(self, call: Call, now: float) -> list[Out]:
        try:
            answer = self._bounds.composite(bytes(call.payload), self._wall(now).timestamp())
        except Unreadable as bad:
            return [_refusal(call.id, bad.code, bad.text)]
        return [_result(call.id, answer)]

    def _remote_start(self, call: Call, now: float) -> list[Out]:
        """RemoteStartTransaction: its profile stays here, for the session that it begins."""
        try:
            asked = msgspec.json.decode(call.payload, type=_RemoteStart)
        except msgspec.DecodeError:
            return self._to_charger(call, bytes(call.payload))
        if asked.chargingProfile is msgspec.UNSET:
            return self._to_charger(call, bytes(call.payload))
        try:
            profile = read_exactly(CsChargingProfiles, asked.chargingProfile)
        except Unreadable as bad:
            return [_refusal(call.id, bad.code, bad.text)]
        utc = self._wall(now).timestamp()
        bounds = self._bounds.copy()
        verdict = bounds.set_for_next(asked.connectorId, asked.idTag, profile, utc)
        if verdict.status != "Accepted":
            return [Note("charging profile refused", {
                "peer": self._terms.url, "cause": verdict.reason}, "warning"),
                _rejected(call.id)]  # fmt: skip

        def kept() -> list[Out]:
            outs = self._to_charger(call, without_field(bytes(call.payload), "chargingProfile"))
            if isinstance(outs[-1] if outs else None, ToLink):
                self._awaited[f"{self._asked}"] = (asked.connectorId, asked.idTag)
                return outs
            self._bounds.forget_next(asked.connectorId, asked.idTag)
            return [*self._profiles_changed(), *outs]

        return self._settle(kept, _rejected(call.id), profiles=bounds.kept())

    def _change_configuration(self, call: Call, _now: float) -> list[Out]:
        """A key that LinkRay owns is remembered; the others are the charger's."""
        try:
            wish = msgspec.json.decode(call.payload, type=_Change)
        except msgspec.DecodeError as error:
            return [_refusal(call.id, "TypeConstraintViolation", str(error))]
        done, refusal = [_result(call.id, b'{"status":"Accepted"}')], _rejected(call.id)
        if wish.key.lower() == PASSWORD.lower():
            return self._settle(lambda: [*done], refusal, password=wish.value)
        status = self.keys.judge(wish.key, wish.value)
        if status is None:
            return self._to_charger(call, bytes(call.payload))
        if status != "Accepted":
            return [refusal]
        wished = {**self.keys.wished, wish.key.lower(): wish.value}
        return self._settle(lambda: [*done], refusal, wished=wished)

    def _get_configuration(self, call: Call, _now: float) -> list[Out]:
        outs = self._to_charger(call, bytes(call.payload))
        if isinstance(outs[-1] if outs else None, ToLink):
            self._reads[f"{self._asked}"] = asked_keys(bytes(call.payload))
        return outs

    def _trigger(self, call: Call, _now: float) -> list[Out]:
        """Values that the CSMS asked for itself pass; those of LinkRay's own asking do not."""
        try:
            asked = msgspec.json.decode(call.payload, type=_Trigger)
        except msgspec.DecodeError:
            asked = _Trigger()
        if asked.requestedMessage == "MeterValues":
            self.thinning.asked(asked.connectorId)
        return self._to_charger(call, bytes(call.payload))

    def _elsewhere(self, call: Call, _now: float) -> list[Out]:
        """UpdateFirmware, GetDiagnostics: nowhere but to a server of files (trust.md A37)."""
        try:
            where = msgspec.json.decode(call.payload, type=_Elsewhere).location
        except msgspec.DecodeError as error:
            return [_refusal(call.id, "TypeConstraintViolation", str(error))]
        scheme, _, place = where.partition("://")
        if scheme.lower() in SCHEMES and place:
            return self._to_charger(call, bytes(call.payload))
        place = place.partition("/")[0].rpartition("@")[2]  # without a name and a password
        shown = f"{scheme}://{place}" if place else where
        why = f"expected an address of {', '.join(SCHEMES)}, got {shown[:80]!r}"
        return [
            Note("call of the CSMS refused", {
                "peer": self._terms.url, "about": call.action, "cause": why}, "warning"),
            _refusal(call.id, "SecurityError", why),
        ]  # fmt: skip

    def _replied(self, reply: Replied) -> list[Out]:
        read = self._reads.pop(reply.call_id, None)
        awaited = self._awaited.pop(reply.call_id, None)
        if awaited is not None and b'"Accepted"' not in (reply.payload or b""):
            self._bounds.forget_next(*awaited)
        its = self._asks.pop(reply.call_id, None)
        if its is None or self._link != "up":
            return []
        if reply.payload is not None:
            payload = reply.payload if read is None else self.keys.told(reply.payload, read)
            return [_result(its, payload)]
        return [_refusal(its, reply.code, reply.text)]

    # what LinkRay answers itself, or must translate
    _own: ClassVar[dict[str, Callable[[Relay, Call, float], list[Out]]]] = {
        "ChangeConfiguration": _change_configuration,
        "ClearChargingProfile": _clear_profile,
        "GetCompositeSchedule": _composite,
        "GetConfiguration": _get_configuration,
        "GetDiagnostics": _elsewhere,
        "RemoteStartTransaction": _remote_start,
        "RemoteStopTransaction": _remote_stop,
        "SetChargingProfile": _set_profile,
        "TriggerMessage": _trigger,
        "UpdateFirmware": _elsewhere,
    }

    # -- what is shown ---------------------------------------------------------------------------

    def _stands(self, now: float) -> list[Out]:
        """The fault after 30 s, and what the page shows, where it has changed."""
        outs: list[Out] = []
        is_well = self._link == "up" and not self._refused and self._stage != "boot"
        if is_well or not self._wants_link(now):
            self._down_since = None
            if self._faulted:
                self._faulted = False
                outs.append(Cleared(Code.CSMS, self._charger))
        elif self._down_since is None:
            self._down_since = now
        if self._down_since is not None and not self._faulted and now >= self._down_since + DOWN_S:
            self._faulted = True
            why = self._refused if self._link == "up" and self._refused else self._why
            outs.append(Raised(Code.CSMS, self._charger, why))
        outs += self._bared()
        seen = self._shown()
        if seen != self._seen:
            self._seen = seen
            outs.append(seen)
        return outs

    def _bared(self) -> list[Out]:
        """The fault of a password and no TLS, where it has changed (trust.md A39)."""
        terms = self._terms
        has_password = bool(terms.password or self._authorization)
        is_bare = has_password and terms.url.strip().lower().startswith("ws://")
        how = ("sent in the clear" if terms.in_clear else "kept back") if is_bare else ""
        if how == self._bare:
            return []
        was, self._bare = self._bare, how
        outs: list[Out] = [Cleared(Code.CSMS_PASSWORD, self._charger)] if was else []
        return [*outs, *([Raised(Code.CSMS_PASSWORD, self._charger, how)] if how else [])]

    def _shown(self) -> Seen:
        waiting, aside = self._box.waiting, self._box.set_aside
        if not self._terms.url:
            return Seen("off", "", waiting, aside)
        if self._is_live:
            return Seen("live", "", waiting, aside)
        is_due = self._link == "down" and self._wants_link(math.inf)
        tries, next_at = self._tries, self._dial_at if is_due else None
        if self._link == "up" and self._refused:
            return Seen("waits", self._refused, waiting, aside, tries, self._boot_at)
        if self._link == "up":
            return Seen("behind", "", waiting, aside)
        return Seen("away", self._why, waiting, aside, tries, next_at)


def _refusal(call_id: str, code: str, text: str) -> Send:
    return Send(frames.write(Error(call_id, code, text[:DESCRIPTION_CHARS_MAX])))


def _profile_of(payload: bytes) -> int | None:
    """The transaction that a SetChargingProfile names; None: none, or not readably."""
    try:
        return msgspec.json.decode(payload, type=_Profiled).csChargingProfiles.transactionId
    except msgspec.DecodeError:
        return None


def _connector_of(payload: bytes) -> int:
    """The connector that a StatusNotification is of; 0 where it cannot be read."""
    try:
        return msgspec.json.decode(payload, type=_OfConnector).connectorId
    except msgspec.DecodeError:
        return 0


def _rejected(call_id: str) -> Send:
    return _result(call_id, b'{"status":"Rejected"}')


def _result(call_id: str, payload: bytes) -> Send:
    return Send(frames.write(Result(call_id, msgspec.Raw(payload))))


def _answer(call_id: str, frame: Result | Error, transaction: int = 0) -> Answered:
    """The CSMS's answer on its way to the charger's link."""
    if isinstance(frame, Result):
        return Answered(call_id, bytes(frame.payload), transaction=transaction)
    return Answered(call_id, None, frame.code, frame.description, transaction)
