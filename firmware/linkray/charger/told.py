"""Tells one connector its offers: the newest, in the form the charger takes, renewed in time.

balancing.md 4, Telling the chargers. Yields calls and facts; `link.py` sends and carries answers
back. An answer always belongs to one attempt; what was overtaken can still be answered late.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from linkray.model.facts import OfferAnswered
from linkray.model.plan import Offer, Reason
from linkray.model.settings import Charger
from linkray.model.units import ZERO, Phases
from linkray.ocpp.messages import ClearChargingProfile, Purpose, SetChargingProfile

from .measured import Wiring
from .profiles import Ability, Form, Session, fallback_ma, profile, purposes_cleared
from .quirks import Quirk
from .sessions import Running

AGAIN_S = 300.0  # balancing.md 4: a charger that refuses every form is asked again
CAP_AGAIN_S = 3600.0  # … and one that refuses a cap, that very cap (quirks.md, Writes)
DOUBT_S = 15.0  # one that did not answer is asked again sooner (trust.md C1)
RESENDS = 2  # of a form that this charger has taken before (trust.md C1: three times in all)
CAP: Purpose = "ChargePointMaxProfile"
FOR_GOOD = "/1"  # ends the key of a form of one period
NOTHING = -1  # a transaction that is none
REFUSALS = ("Rejected", "NotSupported")
ROOM_S = 20.0  # a session that begins at 0 A gets so long to find room where 0 cannot be told
HELD_S = 1.0  # what waits for another plan is looked at again so soon
PLAN_S_MAX = 10.0  # no plan for so long: no lease is renewed (house.md, Decided)

Outcome = Literal["accepted", "rejected", "unknown"]
Key = tuple[int, int | None, int | None]  # limit_ma, limit_w, transaction
Payload = SetChargingProfile | ClearChargingProfile


class Lease(NamedTuple):
    """When an offer falls by itself, in s, and to what; 0 s and an amount: at a time that nobody
    knows; both 0: never, or to nothing.
    """

    ends_s: int = 0
    falls_to_ma: int = 0


NO_LEASE = Lease()


class Situation(msgspec.Struct, frozen=True):
    """All that holds for a connector when it is told something."""

    charger: Charger
    run: Running | None
    ability: Ability
    quirk: Quirk
    dead_man_s: int  # of its profiles, longer than the site's where its writes are few; 0: none
    utc: datetime
    charging: bool  # its status is Charging, or was since the session began
    ready: bool  # commissioning has come to step 4
    silenced: bool  # no licence, not adopted, tag refused: told 0 whatever the plan says
    planned_at: float
    wiring: Wiring | None = None
    clock_off_s: float | None = None
    raise_in_s: float = 0.0  # a higher offer waits so long: its writes are few (writes.py)
    taken: dict[bool, str] = {}  # the forms that its make obeys: for a session; as the default
    refused: frozenset[str] = frozenset()  # those that its make refuses or does not obey
    clears: bool = True  # it answers ClearChargingProfile, as far as it has shown
    shared: bool = False  # a session runs on another of its connectors


class Trial(msgspec.Struct, frozen=True):
    """What the passport tries instead of the plain offer; never more than that (probe.py)."""

    zero: bool = False  # 0 A
    dead_man_s: int = 0  # the offer with this short dead-man, not renewed


class Attempt:
    """One value on its way, form by form."""

    __slots__ = ("after", "again_s", "asked", "call", "doubt", "failures", "form", "forms",
                 "is_cleared", "is_mute", "is_swept", "key", "lease", "offer", "over",
                 "overtaken", "renewal", "renews_s", "session", "stays", "trial")  # fmt: skip

    def __init__(
        self, offer: Offer, key: Key, forms: tuple[Form, ...], *, session: bool, renewal: bool,
        lease: Lease, renews_s: float, trial: Trial | None = None,
    ) -> None:  # fmt: skip
        self.offer = offer
        self.key = key
        self.forms = forms
        self.session = session
        self.renewal = renewal
        self.lease = lease  # of its forms that fall back by themselves …
        self.renews_s = renews_s  # … which are renewed after so long
        self.again_s = math.inf  # … and what is not renewed is told again after so long
        self.trial = trial
        self.failures: dict[str, str] = {}  # forms that did not do, and why
        self.form = 0
        self.call = 0
        self.after: tuple[Payload, ...] = ()  # the calls of its form
        self.stays = False  # something was not taken away by them
        self.is_cleared = False  # something was …
        self.is_swept = False  # … or may have been, and of some makes all that was told
        self.is_mute = False  # one of them was not answered
        self.asked = 0  # how often this form was sent
        self.doubt = False  # some form was not answered: it may be in force
        self.over = False
        self.overtaken = False

    def leases(self, form: int) -> Lease:
        """What the charger does by itself once it has taken this form."""
        taken = self.forms[form]
        if taken.leased:
            return self.lease
        return Lease(0, self.lease.falls_to_ma) if taken.falls else NO_LEASE

    def is_as_default(self) -> bool:
        """Whether a profile that outlasts the session may have been taken for it."""
        tried = self.forms[: self.form + 1]
        return self.session and any(form.purpose != "TxProfile" for form in tried)

    def put_off_purpose(self) -> None:
        """The form was not answered: of what is left, other purposes come first (C1, C3)."""
        done, left = self.forms[: self.form + 1], self.forms[self.form + 1 :]
        mute = self.forms[self.form].purpose
        self.forms = (*done, *sorted(left, key=lambda form: form.purpose == mute))


class Stage(NamedTuple):
    """Which call of an attempt an answer belongs to."""

    attempt: Attempt
    form: int
    call: int

    @property
    def clears(self) -> bool:
        """Whether this call takes profiles away."""
        under = self.call - len(self.attempt.forms[self.form].calls)
        after = self.attempt.after
        return 0 <= under < len(after) and isinstance(after[under], ClearChargingProfile)


class Set(msgspec.Struct, frozen=True):
    """A SetChargingProfile to send, or what takes away one that would rule beside it."""

    payload: Payload
    stage: Stage
    urgent: bool


class Stop(msgspec.Struct, frozen=True):
    """A charger that cannot be told 0 (its quirk): only the end of its session brings it there."""

    connector: int


class InForce(msgspec.Struct, frozen=True):
    """What the charger has accepted."""

    key: Key
    offer: Offer
    lease: Lease
    form: str = ""
    is_down: bool = False  # at 0 by a trial, whatever its offer is
    at: float = 0.0  # when it was accepted


class Took(msgspec.Struct, frozen=True):
    """An offer has come through: in which form, and which forms did not do before it."""

    connector: int
    offer: Offer
    form: Form
    failures: dict[str, str]
    session: bool
    trial: Trial | None = None


Move = Set | Stop | OfferAnswered | Took


class Teller:
    """One connector's offers: wanted, on their way, in force."""

    __slots__ = ("_again_at", "_attempt", "_cap", "_cap_in_w", "_cap_refused", "_cap_waits",
        "_caps_open", "_charger", "_connector", "_has_told_run", "_in_force", "_may_stand",
        "_raise_at", "_refused", "_renew_at", "_taken", "_told", "has_told", "told_ids", "trial",
        "wanted")  # fmt: skip

    def __init__(self, charger: str, connector: int, *, is_capped: bool = False) -> None:
        """`is_capped`: an earlier link left a ChargePointMaxProfile, for all that is known."""
        self._charger = charger
        self._connector = connector
        self.wanted: Offer | None = None
        self._attempt: Attempt | None = None
        self._in_force: dict[bool, InForce] = {}  # for a session; as the default
        self._taken: dict[bool, str] = {}  # the form that worked
        self._refused: Outcome | None = None  # every form failed, and how
        self._told: tuple[int, Outcome, Lease] | None = None
        self._again_at = math.inf
        self._renew_at = math.inf
        self._raise_at = math.inf  # a higher offer that waits for the write budget
        self.trial: Trial | None = None  # the passport tries something out
        # Purposes of ours that may be installed: a TxProfile of the session that runs, a default.
        self._may_stand: set[Purpose] = {"TxProfile", "TxDefaultProfile"}
        if is_capped:
            self._may_stand.add(CAP)
        self._cap = 0  # what a cap holds for good, in mA or W; of an earlier link's nothing is sure
        self._cap_in_w = False
        self._cap_waits = False  # it was told just now: the renewal that follows leaves it
        # The value that a cap was refused last, and until when it is not told again.
        self._cap_refused: tuple[tuple[int, int | None], float] = ((NOTHING, None), -math.inf)
        self._caps_open: set[Stage] = set()  # on their way, and not answered
        self.has_told = False  # this link has sent the connector a profile …
        self._has_told_run = False  # … for the session that runs
        self.told_ids: frozenset[int] = frozenset()  # of those that it has accepted

    @property
    def offered(self) -> Phases | None:
        """What the charger has accepted for what runs now; None: not known."""
        newest = self._in_force.get(True) or self._in_force.get(False)
        return None if newest is None else newest.offer.offer_ma

    @property
    def is_capped(self) -> bool:
        """Whether a ChargePointMaxProfile of ours may stand there, by one on its way too."""
        return CAP in self._may_stand or bool(self._caps_open)

    def in_force(self, session: bool) -> InForce | None:
        """What the charger has accepted last; None: nothing known, or something else is coming."""
        comes = self._attempt is not None and not self._attempt.renewal
        return None if comes else self._in_force.get(session)

    def due(self) -> float:
        return min(self._renew_at, self._again_at, self._raise_at)

    def forget(self) -> None:
        """The charger may have forgotten everything (trust.md C16)."""
        self._overtake()
        self._in_force.clear()
        self._cap_refused = (NOTHING, None), -math.inf
        self._calm()

    def clock_moved(self) -> None:
        """Its clock was set: what counts on it (an Absolute schedule) is told anew."""
        for session, stands in list(self._in_force.items()):
            if "/Absolute/" in stands.form:
                del self._in_force[session]

    def does_not_rule(self) -> None:
        """What it accepted is told anew. Its highest stack level is another than we took it for:
        what was told stands below what an earlier link left, where a charger replaces by the level
        and not by the identifier too (OCPP 1.6, 5.16.4). Or its session had not begun by its clock.
        """
        self._overtake()
        self._in_force = {
            session: msgspec.structs.replace(stands, key=(*stands.key[:2], NOTHING))
            for session, stands in self._in_force.items()
        }
        self._told = None

    def cleared(self) -> None:
        """What it accepted may be gone, and what it refused may be taken now (quirks.md, ABB)."""
        if self._refused is not None:
            self._refused, self._again_at = None, math.inf
        if self.told_ids:
            self.does_not_rule()

    def cleared_beside(self) -> None:
        """Another connector was cleared: what stands here is told again, or once its own clears
        are through. No hold ends by it, for else two would tell for ever.
        """
        if self._attempt is not None:
            self._attempt.is_swept = True
        elif self.told_ids:
            self.does_not_rule()

    def _calm(self) -> None:
        """Nothing of what stood waits any more."""
        self._refused = None
        self.trial = None
        self._again_at = self._renew_at = self._raise_at = math.inf

    # -- the passport's trials -------------------------------------------------------------------

    def begin_trial(self, trial: Trial, now: float, s: Situation) -> list[Move]:
        """Tell what is tried instead of the offer that stands, in the form that stands."""
        stands = self.in_force(session=True)
        if stands is None or s.run is None:
            return []
        offer, key = stands.offer, stands.key
        if trial.zero:
            watts = None if offer.limit_w is None else 0
            offer = msgspec.structs.replace(offer, offer_ma=ZERO, limit_ma=0, limit_w=watts)
            key = (0, watts, key[2])
        self.trial = trial
        self._renew_at = math.inf
        return self._start(offer, key, now, s, renewal=True, trial=trial)

    def end_trial(self, now: float, s: Situation) -> list[Move]:
        """Tell again what is wanted now; also where it is the same."""
        self.trial = None
        self._overtake()
        stands = self._in_force.get(s.run is not None)
        if stands is not None:  # it may be down at 0 by now, and equals nothing that is wanted
            tried = msgspec.structs.replace(stands, key=(0, None, NOTHING))
            self._in_force[s.run is not None] = tried
        self._told = None
        return self.step(now, s)

    def ignored(self, form: str, now: float, s: Situation) -> list[Move]:
        """A form was accepted and not obeyed: the offer is told in the next one, at once."""
        stands = self.in_force(s.run is not None)
        if stands is None or stands.form != form:
            return []
        self._taken.pop(s.run is not None, None)  # `s.refused` holds it by now
        self._in_force[s.run is not None] = msgspec.structs.replace(stands, is_down=False)
        return self.end_trial(now, s)

    def retell(self) -> None:
        """What stands is told again with the number of the next offer that wants just that."""
        self._told = None
        self._in_force = {
            session: msgspec.structs.replace(f, offer=msgspec.structs.replace(f.offer, id=-1))
            for session, f in self._in_force.items()
        }

    def session_ended(self) -> None:
        """A TxProfile is gone with its transaction."""
        self._in_force.pop(True, None)
        if self._attempt is not None and self._attempt.session:
            self._overtake()
        self._calm()

    def session_began(self, *, found: bool) -> None:
        """What was refused before may be taken now. `found`: it ran before this link did, and a
        TxProfile of that time may stand.
        """
        self._has_told_run = False
        if found:
            self._may_stand.add("TxProfile")
        else:
            self._may_stand.discard("TxProfile")
        self._in_force.pop(True, None)
        self._calm()

    def step(self, now: float, s: Situation) -> list[Move]:
        """What should be sent for what is wanted now."""
        offer = self._offer(s)
        if offer is None or not (s.ready or s.run is not None or offer.urgent):
            return []
        key = (offer.limit_ma, offer.limit_w, s.run.id if s.run is not None else None)
        session = s.run is not None
        if self._attempt is not None and self._attempt.key == key:
            self._attempt.offer = offer
            return []
        if self._on_trial(offer, key):
            return []
        stands = self._in_force.get(session)
        if stands is not None and stands.key == key and self._attempt is None:
            self._raise_at = math.inf
            if stands.offer.id == offer.id:
                return []
            if offer.again:  # INV-10: the first step of the ladder goes out on the wire
                return self._start(offer, key, now, s, renewal=False)
            self._in_force[session] = msgspec.structs.replace(stands, offer=offer)
            return self._tell(offer, "accepted", now, stands.lease)
        if offer.held and self._is_down(stands, key):
            # It waits: the books, that never went down with it, exceed a limit (INV-1). Its obey
            # time is that of the 0 A that it is to be at (INV-10).
            self._raise_at = now + HELD_S
            assert stands is not None
            return self._tell(offer, "accepted", stands.at, stands.lease)
        if self._held(stands, key, s):
            # The books hold more than the charger does, which harms nobody (writes.py).
            self._raise_at = now + s.raise_in_s
            assert stands is not None
            return self._tell(offer, "accepted", now, stands.lease)
        self._raise_at = math.inf
        if self._refused is not None and now < self._again_at:
            return self._tell(offer, self._refused, now)
        return self._start(offer, key, now, s, renewal=False)

    def _on_trial(self, offer: Offer, key: Key) -> bool:
        """Whether what is tried is this very offer, so that it may go on."""
        stands = self._in_force.get(True)
        tried = self._attempt.offer if self._attempt is not None and self._attempt.trial else (
            stands.offer if self._attempt is None and stands is not None else None
        )  # fmt: skip
        if self.trial is None or tried is None:
            return False
        return self.trial.zero and tried.id == offer.id and key[2] is not None

    def _is_down(self, stands: InForce | None, key: Key) -> bool:
        """Whether a trial holds it lower than this, or did until now."""
        is_tried = stands is not None and stands.is_down
        return is_tried and self._attempt is None and _amount(key) > 0

    def _held(self, stands: InForce | None, key: Key, s: Situation) -> bool:
        """Whether this is a raise that waits for the write budget; a first one does not."""
        if stands is None or self._attempt is not None or s.raise_in_s <= 0:
            return False
        is_alike = (stands.key[1] is None) is (key[1] is None) and stands.key[2] == key[2]
        return is_alike and 0 < _amount(stands.key) < _amount(key)

    def wake(self, now: float, s: Situation) -> list[Move]:
        """A renewal, a raise that has waited, or another try may be due."""
        if now >= self._raise_at:
            self._raise_at = math.inf
            return self.step(now, s)
        if now >= self._again_at:
            self._again_at = math.inf
            self._refused = None
            return self.step(now, s)
        self._renew_at = math.inf
        stands = self._in_force.get(s.run is not None)
        if self._attempt is not None or stands is None:
            return []
        if now - s.planned_at > PLAN_S_MAX:
            self._renew_at = now + 1.0
            return []
        offer = self._offer(s)
        if offer is not None and _amount((offer.limit_ma, offer.limit_w, None)) < _amount(
            stands.key
        ):
            # Less is wanted that it cannot be told: what stands may run out (INV-8).
            self._renew_at = now + HELD_S
            return []
        return self._start(stands.offer, stands.key, now, s, renewal=True)

    def answered(self, stage: Stage, status: str, now: float, s: Situation) -> list[Move]:
        """The charger has answered one call: `Accepted`, `Rejected` or `NotSupported`."""
        attempt = stage.attempt
        self._caps_open.discard(stage)
        if stage.call >= len(attempt.forms[stage.form].calls):
            return self._followed(stage, status, now, s)
        if status == "Accepted":
            self._stands(attempt, stage.form, surely=True)
            taken = attempt.forms[stage.form].calls[stage.call].cs_charging_profiles
            self.told_ids |= {taken.charging_profile_id}
        last = stage.call + 1 == len(attempt.forms[stage.form].calls)
        if status == "Accepted":
            if not last:
                return self._next_call(attempt, now, s) if self._expects(stage) else []
            if attempt is self._attempt:  # also late, of a form before: that one stands
                attempt.form, attempt.call = stage.form, stage.call
                attempt.after = self._after(attempt, now, s)
                if attempt.after:
                    return [*self._default_ends(attempt, now), *self._next_call(attempt, now, s)]
                return self._accepted(attempt, stage.form, now, s)
            if attempt.overtaken and attempt.trial is None:
                # What was in its way was not taken away, and may rule over it still.
                as_default = attempt.is_as_default()
                if self._in_the_way(attempt) - {CAP}:
                    return self._tell(attempt.offer, "unknown", now, as_default=as_default)
                return self._tell(attempt.offer, "accepted", now, attempt.leases(stage.form),
                                  as_default=as_default)  # fmt: skip
            return []
        if self._expects(stage):
            attempt.failures[attempt.forms[stage.form].key] = status
            return self._next_form(attempt, now, s)
        if attempt.overtaken and not attempt.doubt and attempt.trial is None:
            return self._tell(attempt.offer, "rejected", now)
        return []

    def failed(self, stage: Stage, code: str, text: str, now: float, s: Situation) -> list[Move]:
        """No answer, a CALLERROR, or the line was full."""
        attempt = stage.attempt
        self._caps_open.discard(stage)
        if code == "replaced":
            return []
        if code == "gone":
            self._overtake()
            if stage.call < len(attempt.forms[stage.form].calls):
                self._stands(attempt, stage.form, surely=False)
            if attempt.trial is not None:
                return []
            return self._tell(attempt.offer, "unknown", now,
                              as_default=attempt.is_as_default())  # fmt: skip
        if code == "full":
            if attempt is self._attempt:
                self._overtake()
                if attempt.renewal:  # the same offer stands: no other try would send it
                    self._renew_at = now + 1.0
                else:
                    self._again_at = now + 1.0
            return []
        if stage.call >= len(attempt.forms[stage.form].calls):
            return self._followed(stage, "NotSupported" if refuses(code, text) else code, now, s)
        attempt.doubt = attempt.doubt or not refuses(code, text)
        if not refuses(code, text):
            self._stands(attempt, stage.form, surely=False)
        if not self._expects(stage):
            told = attempt.overtaken and attempt.doubt and attempt.trial is None
            return self._tell(attempt.offer, "unknown", now,
                              as_default=attempt.is_as_default()) if told else []  # fmt: skip
        known = attempt.forms[attempt.form].key == self._taken.get(attempt.session)
        if code == "timeout" and known and attempt.asked <= RESENDS:
            attempt.call = 0
            return [self._set(attempt)]
        if refuses(code, text):
            attempt.failures[attempt.forms[attempt.form].key] = "NotSupported"
        elif code == "timeout":
            attempt.failures[attempt.forms[attempt.form].key] = "not answered"
            attempt.put_off_purpose()
        return self._next_form(attempt, now, s)

    # -- an attempt ------------------------------------------------------------------------------

    def _offer(self, s: Situation) -> Offer | None:
        """What it should be told now; None: nothing before the next plan."""
        wanted = self.wanted
        if s.silenced:
            reason = Reason("licence")
            base = wanted or Offer(self._charger, self._connector, ZERO, None, reason, ())
            watts = None if base.limit_w is None else 0
            return msgspec.structs.replace(base, offer_ma=ZERO, limit_ma=0, limit_w=watts,
                                           session=s.run is not None)  # fmt: skip
        if wanted is None or wanted.session is not (s.run is not None):
            return None
        if s.run is not None and s.quirk.tx_profile_from == "Charging" and not s.charging:
            return None
        return wanted

    def _start(
        self, offer: Offer, key: Key, now: float, s: Situation, *, renewal: bool,
        trial: Trial | None = None,
    ) -> list[Move]:  # fmt: skip
        self._overtake()
        self.trial = trial
        session = s.run is not None
        taken = self._taken.get(session) or s.taken.get(session)
        dead_man_s = s.dead_man_s if trial is None or trial.zero else trial.dead_man_s
        forms = profile(
            offer, s.charger,
            session=None if s.run is None else Session(
                s.run.at_charger, max(0.0, now - s.run.since)),
            ability=s.ability, quirk=s.quirk, dead_man_s=dead_man_s, utc=s.utc, taken=taken,
            wiring=s.wiring, clock_off_s=s.clock_off_s, refused=s.refused,
        )  # fmt: skip
        if trial is not None:
            forms = tuple(form for form in forms if form.key == taken)
        if s.quirk.twice_after_zero and not renewal and self._is_zero(session) and key[0]:
            forms = tuple(msgspec.structs.replace(f, calls=f.calls + f.calls) for f in forms)
        # Where only the charger says that its session is older than its start on our line, and its
        # clock is behind, its lease lasts so much longer (trust.md 1, P 5).
        lease = Lease(dead_man_s + (0 if s.run is None else math.ceil(s.run.doubt_s)),
                      fallback_ma(s.charger, s.quirk))  # fmt: skip
        attempt = Attempt(offer, key, forms, session=session, renewal=renewal, lease=lease,
                          renews_s=dead_man_s / 3, trial=trial)  # fmt: skip
        if not forms and trial is not None:
            return self.end_trial(now, s)
        if not forms:
            return [] if s.run is None else self._cannot_say_0(offer, s.run, now)
        self._attempt = attempt
        return [*self._before(attempt, now), self._set(attempt)]

    def _before(self, attempt: Attempt, now: float) -> list[Move]:
        """A form may be in force before its answer comes (trust.md 1, P 2): one that outlasts the
        session may have written over the default, also where the session ends meanwhile; and under
        a renewal what stands may last as long as the longer of both, for ever where one does.
        """
        outlasts = attempt.session and attempt.forms[attempt.form].purpose != "TxProfile"
        outs: list[Move] = self._default_goes(attempt, now) if outlasts else []
        stands = self._in_force.get(attempt.session)
        if not attempt.renewal or attempt.trial is not None or stands is None:
            return outs
        old, new = stands.lease, attempt.leases(attempt.form)
        both = Lease(
            max(old.ends_s, new.ends_s) if old.ends_s and new.ends_s else 0,
            max(old.falls_to_ma, new.falls_to_ma),
        )
        if both == old:
            return outs
        self._in_force[attempt.session] = msgspec.structs.replace(stands, lease=both)
        return [*outs, *self._tell(attempt.offer, "accepted", now, both)]

    def _default_goes(self, attempt: Attempt, now: float, purpose: str = "") -> list[Move]:
        """What is sent next may write over the default, or take it away where it stands as this."""
        default = self._in_force.get(False)
        if default is None or not default.form.startswith(purpose):
            return []
        del self._in_force[False]
        return [OfferAnswered(self._charger, self._connector, attempt.offer.id, "sent", now,
                              as_default=True)]  # fmt: skip

    def _cannot_say_0(self, offer: Offer, run: Running, now: float) -> list[Move]:
        """Only the end of its session brings it to 0 (trust.md C7); but not at once where it is at
        0 by its default, for as long as the cuts that make its room take.
        """
        default, until = self._in_force.get(False), run.heard_at + ROOM_S
        if self._has_told_run or default is None or _amount(default.key) > 0 or now >= until:
            return [Stop(self._connector)]
        self._again_at = until
        return self._tell(offer, "accepted", now, default.lease)

    def _is_zero(self, session: bool) -> bool:
        stands = self._in_force.get(session)
        return stands is not None and stands.key[0] == 0

    def _set(self, attempt: Attempt) -> Set:
        if attempt.call == 0:
            attempt.asked += 1
        form = attempt.forms[attempt.form]
        self.has_told = True
        self._has_told_run = self._has_told_run or attempt.session
        stage = Stage(attempt, attempt.form, attempt.call)
        if form.purpose == CAP:
            self._caps_open.add(stage)
        under = attempt.call - len(form.calls)
        payload = form.calls[attempt.call] if under < 0 else attempt.after[under]
        return Set(payload, stage, attempt.offer.urgent)

    def _stands(self, attempt: Attempt, form: int, *, surely: bool) -> None:
        """A profile of this form may be installed from now on."""
        told = attempt.forms[form]
        self._may_stand.add(told.purpose)
        if told.purpose != CAP:
            return
        holds = _amount(attempt.key)
        if not told.key.endswith(FOR_GOOD):
            holds = 0 if attempt.key[1] is not None else min(holds, attempt.lease.falls_to_ma)
        self._cap = holds if surely else min(self._cap_holds(attempt.key), holds)
        self._cap_in_w = attempt.key[1] is not None

    def _cap_holds(self, key: Key) -> int:
        """What a cap holds, in the key's unit; told in the other one it holds nothing for sure."""
        return self._cap if self._cap_in_w is (key[1] is not None) else 0

    def _in_the_way(self, attempt: Attempt) -> set[Purpose]:
        """What may stand beside this form and hold other values: a TxProfile rules over any
        default (trust.md C1, C2); under a ChargePointMaxProfile the lowest of all rules: a default
        of 0 A would never let the session charge, nor would a cap (OCPP 1.6, 3.13.1).
        """
        purpose = attempt.forms[attempt.form].purpose
        beside: set[Purpose] = set()
        if attempt.session and purpose == CAP:
            beside.add("TxDefaultProfile")
        if any(form.purpose == "TxProfile" for form in attempt.forms) and purpose != "TxProfile":
            beside.add("TxProfile")
        if purpose != CAP and (
            _amount(attempt.key) > self._cap_holds(attempt.key)
            if attempt.session else not attempt.renewal
        ):  # fmt: skip
            beside.add(CAP)
        return beside & self._may_stand

    def _after(self, attempt: Attempt, now: float, s: Situation) -> tuple[Payload, ...]:
        """What follows once its form stands, so that never nothing does. What is in its way is
        taken away, and the form told once more, for some chargers take away all whatever the id
        says; but no cap while a car may charge: it is told the offer too, and for good, for the
        form falls by itself; what it refused, only after a while.
        """
        in_the_way, form = self._in_the_way(attempt), attempt.forms[attempt.form]
        others = [purpose for purpose in sorted(in_the_way) if purpose != CAP]
        after: tuple[Payload, ...] = purposes_cleared(self._connector, others)
        after += form.calls if after else ()
        if CAP not in in_the_way or (attempt.renewal and self._cap_waits):
            return after
        if not attempt.session:
            if s.shared or not s.clears:
                return after
            return (*after, *purposes_cleared(self._connector, [CAP]), *form.calls)
        refused, until = self._cap_refused
        if attempt.key[:2] == refused and now < until:
            if attempt.trial is None:
                attempt.again_s = until - now
            return after
        caps = [f for f in attempt.forms if f.purpose == CAP and f.key.endswith(FOR_GOOD)]
        return (*after, *caps[0].calls) if caps else after

    def _default_ends(self, attempt: Attempt, now: float) -> list[Move]:
        """What follows may write over the default that stands as a cap, or take all away."""
        if CAP not in self._in_the_way(attempt):
            return []
        return self._default_goes(attempt, now, CAP if attempt.session else "")

    def _followed(self, stage: Stage, status: str, now: float, s: Situation) -> list[Move]:
        """What was in its way was taken away, or was none, or holds no less than it. Where a
        TxProfile may stay, a default proves nothing.
        """
        attempt = stage.attempt
        if not self._expects(stage):
            return []
        form = attempt.forms[stage.form]
        payload = attempt.after[stage.call - len(form.calls)]
        is_told, is_again = isinstance(payload, SetChargingProfile), payload in form.calls
        if not is_told:
            attempt.is_swept = attempt.is_swept or status not in ("Unknown", "NotSupported")
            attempt.is_mute = attempt.is_mute or status == "timeout"
            attempt.is_cleared = attempt.is_cleared or status == "Accepted"
        if is_again and status == "Accepted":
            self._stands(attempt, stage.form, surely=True)
        elif is_told and not is_again:  # the cap
            if status == "Accepted":
                self._cap, self._cap_in_w = _amount(attempt.key), attempt.key[1] is not None
            elif attempt.trial is None:
                again_s = CAP_AGAIN_S if status in REFUSALS else AGAIN_S
                attempt.again_s = max(again_s, attempt.renews_s)
            if status in REFUSALS:
                self._cap_refused = attempt.key[:2], now + CAP_AGAIN_S
            else:  # also not answered it may stand: the newest word falls by itself again
                attempt.renews_s = 0.0
        elif status != "Accepted" and (is_told or status != "Unknown"):
            attempt.stays = True
            if is_told or (
                form.purpose == "TxDefaultProfile" and "TxProfile" in self._in_the_way(attempt)
            ):
                attempt.doubt = True
                return self._next_form(attempt, now, s)
        for call in range(stage.call + 1, len(form.calls) + len(attempt.after)):
            if self._follows(attempt, attempt.after[call - len(form.calls)]):
                attempt.call = call - 1
                return self._next_call(attempt, now, s)
        if not attempt.stays:
            gone = self._in_the_way(attempt)
            self._may_stand -= gone - {CAP} if attempt.session else gone
        return self._accepted(attempt, stage.form, now, s)

    def _follows(self, attempt: Attempt, payload: Payload) -> bool:
        """Whether this still follows: what the charger answers to no clear is not asked again, and
        what is sure to stand is not told once more.
        """
        if isinstance(payload, SetChargingProfile):
            return attempt.is_swept or payload not in attempt.forms[attempt.form].calls
        attempt.stays = attempt.stays or attempt.is_mute
        return not attempt.is_mute

    def _expects(self, stage: Stage) -> bool:
        attempt = stage.attempt
        return attempt is self._attempt and stage[1:] == (attempt.form, attempt.call)

    def _next_call(self, attempt: Attempt, now: float, s: Situation) -> list[Move]:
        if self._has_lapsed(attempt, s):
            return self._lapse(now, s)
        attempt.call += 1
        return [self._set(attempt)]

    def _next_form(self, attempt: Attempt, now: float, s: Situation) -> list[Move]:
        if self._has_lapsed(attempt, s):
            return self._lapse(now, s)
        attempt.form += 1
        attempt.call = attempt.asked = 0
        if attempt.form < len(attempt.forms):
            return [*self._before(attempt, now), self._set(attempt)]
        return self._failed_all(attempt, now, s)

    def _has_lapsed(self, attempt: Attempt, s: Situation) -> bool:
        """Its session has ended or begun since: what it says is no longer wanted."""
        return attempt.key[2] != (s.run.id if s.run is not None else None)

    def _lapse(self, now: float, s: Situation) -> list[Move]:
        self._overtake()
        return self.step(now, s)

    def _failed_all(self, attempt: Attempt, now: float, s: Situation) -> list[Move]:
        if attempt.trial is not None:
            return self.end_trial(now, s)
        self._attempt = None
        attempt.over = True
        self._in_force.pop(attempt.session, None)
        self._renew_at = math.inf
        self._refused = "unknown" if attempt.doubt else "rejected"
        self._again_at = now + (DOUBT_S if attempt.doubt else AGAIN_S)
        self._told = None
        return self._tell(attempt.offer, self._refused, now,
                          as_default=attempt.is_as_default())  # fmt: skip

    def _accepted(self, attempt: Attempt, form: int, now: float, s: Situation) -> list[Move]:
        self._attempt = None
        attempt.over = True
        taken = attempt.forms[form]
        lease = attempt.leases(form)
        self._in_force[attempt.session] = InForce(
            attempt.key, attempt.offer, lease, taken.key,
            is_down=attempt.trial is not None and attempt.trial.zero, at=now,
        )  # fmt: skip
        self._taken[attempt.session] = taken.key
        self._refused = None
        self._again_at = math.inf
        renews = taken.falls and not taken.steady and attempt.trial is None
        self._renew_at = now + (attempt.renews_s if renews else attempt.again_s)
        self._cap_waits = renews and not attempt.renews_s
        outs: list[Move] = [Took(self._connector, attempt.offer, taken, attempt.failures,
                                 attempt.session, attempt.trial)]  # fmt: skip
        if attempt.trial is None:
            as_default = attempt.session and taken.purpose != "TxProfile"
            outs += self._tell(attempt.offer, "accepted", now, lease, as_default=as_default)
        return [*outs, *self.step(now, s)]

    def _overtake(self) -> None:
        if self._attempt is not None:
            self._attempt.over = self._attempt.overtaken = True
            self._attempt = None

    def _tell(
        self, offer: Offer, outcome: Outcome, now: float, lease: Lease = NO_LEASE, *,
        as_default: bool = False,
    ) -> list[Move]:  # fmt: skip
        """The fact, once for each offer, outcome and lease; offers of our own have no number."""
        if offer.id <= 0 or self._told == (offer.id, outcome, lease):
            return []
        self._told = (offer.id, outcome, lease)
        return [
            OfferAnswered(self._charger, self._connector, offer.id, outcome, now,
                          leased=lease.ends_s > 0, lease_s=lease.ends_s,
                          fallback_ma=lease.falls_to_ma, as_default=as_default)
        ]  # fmt: skip


def refuses(code: str, text: str) -> bool:
    """Whether a failed call surely changed nothing: the charger does not know the action at all."""
    return code == "callerror" and text.partition(":")[0] in ("NotImplemented", "NotSupported")


def _amount(key: Key) -> int:
    """What a key tells, in mA or W; its charger's unit may be set anew between two of them."""
    return key[0] if key[1] is None else key[1]
