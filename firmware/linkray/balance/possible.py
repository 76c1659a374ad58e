"""The books of one connector: every limit that may be in force in it (trust.md 1, P-rules).

A value enters the books before its bytes leave, and leaves them only when a later one is proved:
`Accepted` and the obey time over, or `Accepted` and a fresh sample at or under it (decided.md).
Amounts are mA per phase, those of chargers in watts converted on the safe side.
"""

from __future__ import annotations

OBEY_S = 10.0  # trust.md 1, Model: until learnt
OBEY_S_MIN = 5.0  # never below
OBEY_S_MAX = 120.0  # a charger slower than this is not obeying
ENTRIES_MAX = 32  # values in the books of one connector
UNKNOWNS_MAX = 3  # trust.md C1: sent again three times, then its maximum is reserved


class Books:
    """What may be in force, and what has been learnt of how soon it obeys."""

    __slots__ = (
        "_entries", "accepted_at", "accepted_id", "accepted_ma", "answered", "caught",
        "cut_at", "cut_from_ma", "doubted_id",
        "is_fast", "issued_at", "leased", "lost", "max_ma", "obey_s", "offer_id", "offer_ma",
        "over_since",
        "proven", "refused", "top_ma", "unanswered_since", "unknowns",
    )  # fmt: skip

    def __init__(self, max_ma: int) -> None:
        self.max_ma = max_ma
        self.offer_id = 0
        self.offer_ma = 0
        self.obey_s = OBEY_S
        self.is_fast = False  # obeys within 5 s, as seen (INV-5b)
        self.forget()

    def forget(self) -> None:
        """Its limits are unknown: start, adoption, reboot (P 1)."""
        self._entries: list[tuple[int, int]] = [(0, self.max_ma)]
        self.top_ma = self.max_ma
        self.accepted_id = 0
        self.accepted_ma = self.max_ma
        self.accepted_at = 0.0
        self.proven = True  # nothing to wait for: the books hold one value
        self.answered = False
        self.refused = False
        self.leased = False
        self.unknowns = 0
        self.doubted_id = 0
        self.lost = False  # the newest value was not answered: it is to be sent again
        self.issued_at = 0.0
        self.unanswered_since: float | None = None
        self.over_since: float | None = None
        self.caught = False  # over its offer for longer than its obey time
        self.cut_from_ma: int | None = None  # what it drew when it accepted less
        self.cut_at = 0.0

    def _topped(self) -> None:
        self.top_ma = min(self.max_ma, max(ma for _, ma in self._entries))

    def set_max(self, max_ma: int) -> None:
        """Its maximum was changed by a person (or by the voltage, for watts)."""
        if max_ma == self.max_ma:
            return
        old, self.max_ma = self.max_ma, max_ma
        self._entries = [(i, max_ma if ma == old else ma) for i, ma in self._entries]
        self._topped()

    def issue(self, amount_ma: int, now: float) -> None:
        """A value is about to be sent: it may be in force from now on (P 2)."""
        # Ids also grow over a restart of the balancer, while the links live on.
        self.offer_id = max(self.offer_id + 1, int(now * 10))
        self.offer_ma = amount_ma
        self.issued_at = now
        self.lost = False
        if self.unanswered_since is None:
            self.unanswered_since = now
        self._entries.append((self.offer_id, amount_ma))
        self.top_ma = max(self.top_ma, min(self.max_ma, amount_ma))
        if len(self._entries) > ENTRIES_MAX:  # of many unanswered ones only the highest matters
            newest = self._entries[-ENTRIES_MAX // 2 :]
            older = self._entries[: -ENTRIES_MAX // 2]
            self._entries = [max(older, key=lambda entry: entry[1]), *newest]

    def accepted(self, offer_id: int, drawn_ma: int | None, at: float, *, leased: bool) -> bool:
        """The charger has taken it; what was issued before leaves after the obey time (P 3)."""
        amount = next((ma for i, ma in self._entries if i == offer_id and i > 0), None)
        if amount is None or offer_id < self.accepted_id:
            return False
        renewal = offer_id == self.accepted_id
        self.answered, self.refused, self.leased = True, False, leased
        self.unknowns = 0
        if offer_id == self.offer_id:
            self.unanswered_since = None
        if renewal:
            return True
        self.accepted_id, self.accepted_ma, self.accepted_at = offer_id, amount, at
        self.proven = False
        is_cut = drawn_ma is not None and drawn_ma > amount + self.tolerance()
        if not is_cut:
            self.cut_from_ma = None
        elif self.cut_from_ma is None or self.over_since is None:
            self.cut_from_ma, self.cut_at = drawn_ma, at  # else: the first one runs on (C5)
        return True

    def rejected(self, offer_id: int) -> bool:
        """Refused in every form: this value leaves, no other (P 4). True: it was the newest."""
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

    def distrust(self) -> None:
        """It was caught with more than it may draw, or does not answer: {M} (P 1, P 3; C1)."""
        self._entries = [(0, self.max_ma), *(e for e in self._entries if e[0] >= self.accepted_id)]
        self.proven = False
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
            now >= self.accepted_at + self.obey_s
        ):
            self._prove()

    def tolerance(self) -> int:
        """How much above its offer still obeys (decided.md, Not obeying)."""
        return max(1_000, self.accepted_ma // 20)

    def lawful_ma(self) -> int:
        """The highest it may draw by what it has accepted, or has been sent since."""
        return min(self.max_ma, max(ma for i, ma in self._entries if i >= self.accepted_id))

    def sample(self, drawn_ma: int, at: float) -> None:
        """A fresh sample: proves a limit that was accepted before it, or contradicts it."""
        if not self.accepted_id or at < self.accepted_at:
            return
        if drawn_ma > self.lawful_ma() + self.tolerance():
            self._contradicted(at)
            return
        if self.cut_from_ma is not None or self.over_since is not None:
            self._learn(at)
        if drawn_ma <= self.accepted_ma and not self.proven:
            self._prove()

    def _contradicted(self, at: float) -> None:
        if self.over_since is None:
            self.over_since = at if self.proven else self.accepted_at
        if at - self.accepted_at > OBEY_S_MIN and self.cut_from_ma is not None:
            self.is_fast = False
            self.obey_s = max(self.obey_s, OBEY_S)
        self.caught = self.caught or at - self.over_since >= self.obey_s
        if at >= self.accepted_at + self.obey_s:
            self.distrust()

    def _learn(self, at: float) -> None:
        """The current came down to the limit: how long did it take, at most? (C5)"""
        took_s = at - self.cut_at
        if self.cut_from_ma is not None:
            if self.over_since is not None and took_s > self.obey_s:
                self.obey_s = min(OBEY_S_MAX, took_s)
                self.is_fast = False
            elif took_s <= OBEY_S_MIN:
                self.obey_s = OBEY_S_MIN
                self.is_fast = True
        self.ended()

    def ended(self) -> None:
        """The session is over: limits of a transaction end with it, doubts of it too."""
        self.over_since = None
        self.caught = False
        self.cut_from_ma = None
