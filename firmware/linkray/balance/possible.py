"""The books of one connector: every limit that may be in force in it (trust.md 1, P-rules).

A value enters the books before its bytes leave, and leaves them only when a later one is proved:
`Accepted` and the obey time over, or `Accepted` and a fresh sample at or under it (decided.md); or
when its lease has run out in a charger that is proven to step down by itself (P 5).
Amounts are mA per phase, those of chargers in watts converted on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Callable

OBEY_S = 10.0  # trust.md 1, Model: until learnt
OBEY_S_MIN = 5.0  # never below
OBEY_S_MAX = 120.0  # a charger slower than this is not obeying
ENTRIES_MAX = 32  # values in the books of one connector
DOUBT_S = 29.0  # trust.md C1: escalated within 30 s, with a plan each second
UNKNOWNS_MAX = 3  # trust.md C1: sent again three times, then its maximum is reserved
RENEWED_PART = 1 / 3  # of its time: so old may the last renewal of a lease be
LEASE_GRACE_S = 10.0  # δ: clocks and the way there (trust.md 1, P 5)
# One sample over a limit may be a moment's; two so far apart are not. With values every 10 s and
# the second one asked for, the fault is there within 15 s of the excess (INV-10).
CONFIRM_S = 3.0
NEAR_MA = 2_000  # a current that came down so near to a new limit came down because of it


class Books:
    """What may be in force, and what has been learnt of how soon it obeys."""

    __slots__ = (
        "_cuts", "_entries", "_over_seen_at", "_ruled", "_under_at", "accepted_at",
        "accepted_id", "accepted_ma", "answered", "balks", "caught", "cut_from_ma",
        "doubted_id", "doubtful_until", "fallback_ma", "falls_s", "is_fast", "is_slow",
        "issued_at", "lapsed", "lease_s", "leased", "lost", "max_ma", "obey_s", "offer_id",
        "offer_ma", "over_since", "proven", "refused", "top_ma", "unanswered_since", "unknowns",
        "unrenewed_at",
    )  # fmt: skip

    def __init__(self, max_ma: int) -> None:
        self.max_ma = max_ma
        self.offer_id = 0
        self.offer_ma = 0
        self.obey_s = OBEY_S
        self.is_fast = False  # obeys within 5 s, as seen (INV-5b)
        self.is_slow = False  # did not, the last time that it was to be seen
        self.over_since: float | None = None
        self.caught = False  # over its offer for longer than its obey time
        self.cut_from_ma: int | None = None  # what it drew when it accepted less …
        self._cuts: list[tuple[float, int]] = []  # … than that, and ever lower, not obeyed so far
        self.forget()

    def forget(self) -> None:
        """Its limits are unknown: start, adoption, reboot (P 1)."""
        self._entries: list[tuple[int, int]] = [(0, self.max_ma)]
        self._topped()
        self._ruled: list[tuple[float, int]] = []  # until when what ruled before, highest first
        self.accepted_id = 0
        self.accepted_ma = self.max_ma
        self.accepted_at = 0.0
        self.proven = True  # nothing to wait for: the books hold one value
        self.answered = False
        self.refused = False
        self.balks = False  # took no longer what it had taken: it may refuse less as well
        self.leased = False
        self.lease_s = 0.0  # how long that which is accepted lasts without renewal …
        self.fallback_ma = 0  # … and what it then falls to …
        self.falls_s = 0.0  # … as soon as that: a renewal with another time may not have come
        self.unrenewed_at: float | None = None  # since when nobody renews it
        self.lapsed = False  # its lease has run out in a charger proven to step down
        self.unknowns = 0
        self.doubted_id = 0
        self.lost = False  # the newest value was not answered: it is to be sent again
        self.issued_at = 0.0
        self.unanswered_since: float | None = None
        self.ended()

    def told_as_it_links(self) -> None:
        """The newest offer goes out before any plan knows that its link is up (P 2)."""
        if self.offer_id:
            self._entries.append((self.offer_id, self.offer_ma))
            self._topped()

    def _topped(self) -> None:
        self.top_ma = max(ma for _, ma in self._entries)

    def set_max(self, max_ma: int) -> None:
        """Its maximum was changed by a person (or by the voltage, for watts). Where it is lower,
        what it was told before may be in force until less is proved (P 3).
        """
        if max_ma == self.max_ma:
            return
        old, self.max_ma = self.max_ma, max_ma
        self._entries = [
            (i, max_ma if ma == old else max(ma, max_ma)) if not i else (i, ma)
            for i, ma in self._entries
        ]
        self._topped()

    def rescale(self, scaled: Callable[[int], int]) -> None:
        """The same watts are other amps: by another voltage or efficiency (trust.md M7)."""
        self.max_ma = scaled(self.max_ma)
        self._entries = [(i, scaled(ma)) for i, ma in self._entries]
        self.offer_ma, self.accepted_ma = scaled(self.offer_ma), scaled(self.accepted_ma)
        self.fallback_ma = scaled(self.fallback_ma)
        self._ruled = [(until, scaled(ma)) for until, ma in self._ruled]
        self._topped()

    def issue(self, amount_ma: int, now: float) -> None:
        """A value is about to be sent: it may be in force from now on (P 2)."""
        # Ids also grow over a restart of the balancer, while the links live on.
        self.offer_id = max(self.offer_id + 1, int(now * 10))
        self.offer_ma = amount_ma
        self.issued_at = now
        self.lost = False
        self.unrenewed(now)
        if self.unanswered_since is None:
            self.unanswered_since = now
        self._entries.append((self.offer_id, amount_ma))
        self.top_ma = max(self.top_ma, amount_ma)
        if len(self._entries) > ENTRIES_MAX:  # of many unanswered ones only the highest matters
            newest = self._entries[-ENTRIES_MAX // 2 :]
            older = self._entries[: -ENTRIES_MAX // 2]
            self._entries = [max(older, key=lambda entry: entry[1]), *newest]

    def unrenewed(self, now: float) -> None:
        """What is in force is not renewed any more: a newer value is told, or the link is gone."""
        if self.unrenewed_at is None:
            self.unrenewed_at = now

    def accepted(
        self, offer_id: int, drawn_ma: int | None, at: float, *, leased: bool,
        lease_s: float = 0.0, fallback_ma: int = 0,
    ) -> bool:  # fmt: skip
        """The charger has taken it; what was issued before leaves after the obey time (P 3)."""
        amount = next((ma for i, ma in self._entries if i == offer_id and i > 0), None)
        if amount is None and self.refused and offer_id == self.offer_id:
            # Its link asks one that refused again by itself: now it is in force (P 2).
            amount = self.offer_ma
            self._entries.append((offer_id, amount))
            self._topped()
        if amount is None or offer_id < self.accepted_id:
            return False
        renewal = offer_id == self.accepted_id
        if self.refused and not renewal:  # its maximum stays reserved until this is obeyed (P 3)
            self._entries.insert(0, (0, self.max_ma))
            self._topped()
        self.falls_s = min(self.falls_s, lease_s) if renewal and self.leased else lease_s
        self.answered, self.refused, self.balks, self.leased = True, False, False, leased
        self.lease_s, self.fallback_ma = lease_s, fallback_ma
        self.unknowns = 0
        if offer_id == self.offer_id:
            if self.lapsed:  # and now it is back
                self._entries.append((offer_id, self.offer_ma))
                self.accepted_ma = self.offer_ma
                self._topped()
            self.unanswered_since = self.unrenewed_at = None
            self.lapsed = False
        if renewal:
            return True
        self._rules_no_more(at)
        self.accepted_id, self.accepted_ma, self.accepted_at = offer_id, amount, at
        self.proven = False
        is_cut = drawn_ma is not None and drawn_ma > amount + self.tolerance()
        if not is_cut:
            self.cut_from_ma = None
        elif self.cut_from_ma is None or self.over_since is None:
            self.cut_from_ma, self._cuts = drawn_ma, [(at, amount)]
        elif amount < self._cuts[-1][1] - NEAR_MA:  # else: that before runs on (C5)
            self._cuts[ENTRIES_MAX - 1 :] = [(at, amount)]
        return True

    def rejected(self, offer_id: int) -> bool:
        """Refused in every form: this value leaves, no other (P 4). True: it was the newest."""
        self.balks = self.balks or offer_id == self.accepted_id
        left = [entry for entry in self._entries if entry[0] != offer_id]
        if len(left) == len(self._entries) or offer_id <= self.accepted_id:
            return False  # not one of ours, or taken already
        self._entries = left or [(0, self.max_ma)]
        self._topped()
        if offer_id != self.offer_id:
            return False  # overtaken: what became of the newest is still to be heard
        self.refused = True
        self.unanswered_since = None
        return True

    def unknown(self, offer_id: int) -> bool:
        """No answer: old and new may be in force, and both stay (P 4)."""
        if offer_id != self.offer_id:
            return False
        self.unknowns += 1
        self.lost = True
        if self.unknowns == UNKNOWNS_MAX:
            self.doubted_id = self.offer_id
            self.distrust()
        return True

    def doubt(self, now: float) -> None:
        """Linked, and its newest value unanswered for so long: its maximum is reserved (C1)."""
        if (
            self.unanswered_since is not None and self.doubted_id != self.offer_id
            and now >= self.unanswered_since + DOUBT_S
        ):
            self.doubted_id = self.offer_id
            self.distrust()

    def distrust(self, drawn_ma: int = 0) -> None:
        """It was caught with more than it may draw, or does not answer: {M}, and what it has shown
        above that (P 1, P 3; C1, C4).
        """
        most_ma = max([self.max_ma, drawn_ma, *(ma for i, ma in self._entries if not i)])
        told = [e for e in self._entries if e[0] and e[0] >= self.accepted_id]
        self._entries = [(0, most_ma), *told]
        self.proven = False
        self.leased = False  # its word is worth nothing: no lease either, until it answers anew
        self._topped()

    def _prove(self) -> None:
        if self.accepted_id < self.doubted_id:
            return  # C1: only a value that it answers for ends the doubt
        self._entries = [entry for entry in self._entries if entry[0] >= self.accepted_id]
        self.proven = True
        self._topped()

    def settle(self, now: float) -> None:
        """The obey time is over without contradiction: what was before it has left (P 3)."""
        if not self.proven and self.accepted_id and self.over_since is None and (
            now >= max(self.accepted_at + self.obey_s, self.doubtful_until)
        ):
            self._prove()

    def lapse(
        self, lease_s: float, fallback_ma: int, now: float, *, is_proven: bool,
        silent_since: float | None = None,
    ) -> None:  # fmt: skip
        """A lease that nobody renews: the fall-back comes, and what was accepted leaves where the
        charger is proven to step down by itself (P 5, P 6). `silent_since`: it answers nothing;
        what it is told may arrive or not, so that it may fall and earns no credit. What falls by a
        clock that nobody knows may do so at once, and earns none either.
        """
        begun = [at for at in (self.unrenewed_at, silent_since) if at is not None]
        if not begun or self.lapsed or not (self.leased or self.fallback_ma):
            return
        falls_s = min(filter(None, (lease_s, self.falls_s)), default=0.0) if self.leased else 0.0
        lease_s = self.lease_s or lease_s
        falls_to = max(min(self.max_ma, fallback_ma), self.fallback_ma)
        if now >= min(begun) + falls_s * (1 - RENEWED_PART) - LEASE_GRACE_S and (
            (self.accepted_id, falls_to) not in self._entries
        ):
            self._entries.append((self.accepted_id, falls_to))
            self._topped()
        is_over = self.leased and self.unrenewed_at is not None and (
            now >= self.unrenewed_at + lease_s + LEASE_GRACE_S
        )
        if is_proven and is_over:
            self._entries = [
                (i, falls_to if i == self.accepted_id else ma) for i, ma in self._entries
            ]
            self.accepted_ma, self.leased, self.lapsed = falls_to, False, True
            self._topped()

    def least_ma(self) -> int:
        """The current minimum: the lowest of what it took newest and was told since (INV-1)."""
        return min(ma for i, ma in self._entries if i == 0 or i >= self.accepted_id)

    def told_since_ma(self) -> int:
        """The highest it was told since what it took newest."""
        told = [ma for i, ma in self._entries if i > self.accepted_id]
        return max(told, default=0)

    def tolerance(self) -> int:
        """How much above its offer still obeys (decided.md, Not obeying)."""
        return max(1_000, self.accepted_ma // 20)

    def lawful_ma(self) -> int:
        """The highest it may draw by what it has accepted, or has been sent since."""
        return max(ma for i, ma in self._entries if i >= self.accepted_id)

    def _rules_no_more(self, at: float) -> None:
        """What it had accepted is replaced: for its obey time the charger may still draw it."""
        old_ma = self.accepted_ma
        ruled = [(t, ma) for t, ma in self._ruled if ma > old_ma and t > at - OBEY_S_MAX]
        if len(ruled) >= ENTRIES_MAX:
            ruled[:2] = [(ruled[1][0], ruled[0][1])]
        self._ruled = [*ruled, (at, old_ma)]

    def _due_ma(self, at: float) -> int:
        """The most it may draw at that time by all that has ruled within its obey time: a newer
        value begins no new time for who is over all of them (INV-10).
        """
        return max([self.lawful_ma(), *(ma for t, ma in self._ruled if t > at - self.obey_s)])

    def sample(
        self, drawn_ma: int, at: float, over_s: float = 0.0, coarse_s: float = 0.0, *,
        is_queued: bool = False,
    ) -> None:  # fmt: skip
        """A fresh sample: proves a limit that was accepted before it, or contradicts it. The mean
        of so many seconds says nothing of a limit that was accepted since they began; nor does
        one that may come from a queue, but then time alone is no proof yet. By one that may be
        younger by `coarse_s` nothing is proved sooner; who is over by it may be so now.
        """
        is_over = drawn_ma > self.lawful_ma() + self.tolerance()
        begun = at - over_s + (coarse_s if is_over else 0.0)
        if not self.accepted_id or begun < self.accepted_at:
            if is_queued and is_over:
                self.doubtful_until = at + over_s
            return
        if is_over:
            if self.cut_from_ma is not None:
                first_ma = self._cuts[0][1]  # below it, it is on its way to the lower one
                if first_ma - NEAR_MA <= drawn_ma <= first_ma + self.tolerance():
                    self._came_down(drawn_ma, at)  # to the limit before, late (C5)
            # a mean over its obey time may hold what was lawful
            self._contradicted(drawn_ma, begun)
            return
        if self.cut_from_ma is not None or self.over_since is not None:
            self._came_down(drawn_ma, at)
        self._under_at = at
        if drawn_ma <= self.accepted_ma and not self.proven:
            self._prove()

    def _contradicted(self, drawn_ma: int, at: float) -> None:
        if self.over_since is None:
            self.over_since = at if self.proven else max(self._under_at, self.accepted_at)
            self._over_seen_at = at
        if self.proven:  # as a sample showed it lower: the proof is gone (P 3)
            self.distrust(drawn_ma)
        if at - self.accepted_at > OBEY_S_MIN and self.cut_from_ma is not None:
            self.is_fast, self.is_slow = False, True
            self.obey_s = max(self.obey_s, OBEY_S)
        # Over since it accepted, or seen over twice: for longer than its obey time (INV-10).
        is_sure = at - self._over_seen_at >= CONFIRM_S or (
            self.cut_from_ma is not None and at >= self._cuts[0][0] + self.obey_s
        )
        due_ma = self._due_ma(at)
        if drawn_ma > due_ma + max(1_000, due_ma // 20):
            self.caught = self.caught or (is_sure and at - self._under_at >= self.obey_s)
            self.distrust(drawn_ma)

    def _came_down(self, drawn_ma: int, at: float) -> None:
        """The current came down to the limit: how long did it take, at most? (C5)

        What falls below a limit only once a lower one was accepted may have ignored the first: it
        shows no more than how soon it obeyed the one that it came down to.
        """
        if self.cut_from_ma is not None:
            first_at, first_ma = self._cuts[0]
            begun = next(
                (t for t, ma in self._cuts if drawn_ma >= ma - NEAR_MA), self._cuts[-1][0]
            )
            took_s = at - begun
            if self.over_since is not None and took_s > self.obey_s:
                self.obey_s = min(OBEY_S_MAX, took_s)
                self.is_fast = False
            elif took_s <= OBEY_S_MIN and begun == first_at and drawn_ma >= first_ma - NEAR_MA:
                self.obey_s = OBEY_S_MIN
                self.is_fast, self.is_slow = True, False
        self.ended()

    def known(self, obey_s: float) -> None:
        """How soon it was seen to obey in earlier sessions; never below 5 s (trust.md 1, Model)."""
        if self.obey_s > OBEY_S or (self.is_slow and obey_s < self.obey_s):
            return  # seen slower ourselves
        self.obey_s = min(OBEY_S_MAX, max(OBEY_S_MIN, obey_s))
        self.is_fast = self.obey_s <= OBEY_S_MIN

    def sheds_soon(self) -> bool:
        """Whether it is shed within 5 s of the command: connected, obeying, seen so (INV-5b)."""
        return (
            self.is_fast and not self.refused and not self.balks and not self.lost
            and self.over_since is None and not self.unknowns
        )

    def session_ended(self) -> None:
        """What its session contradicted to the end proves nothing of what rules now (P 3): its
        maximum stays until it has taken something anew.
        """
        if self.over_since is not None and not self.proven:
            self.doubted_id = self.offer_id + 1
        self.ended()
        self.unanswered_since = None  # what is told next has a time of its own

    def ended(self) -> None:
        """The session is over: limits of a transaction end with it, doubts of it too."""
        self.over_since = None
        self._over_seen_at = self._under_at = self.doubtful_until = -math.inf
        self.caught = False
        self.cut_from_ma, self._cuts = None, []
