"""Which transaction is which on either side of LinkRay (csms.md, Offline; trust.md K8).

The key is LinkRay's own number. A charger and the CSMS may each call it something else.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

KEPT_MAX = 256  # of one charger: its queue of stops that come late is shorter
FIELD = "transactionId"  # where a payload names one


class Known(msgspec.Struct, frozen=True):
    """A transaction's three numbers; `csms` None: the CSMS has not said its own yet."""

    number: int
    at_charger: int
    csms: int | None = None


class Ids:
    """The numbers of one charger's transactions, the newest `KEPT_MAX`."""

    __slots__ = ("_by_number",)

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self._by_number: dict[int, Known] = {}
        for one in known:
            self.put(one)

    def put(self, known: Known) -> None:
        """A transaction has begun, or what is known of it has changed."""
        self._by_number.pop(known.number, None)
        self._by_number[known.number] = known
        while len(self._by_number) > KEPT_MAX:
            del self._by_number[next(iter(self._by_number))]

    def learn(self, number: int, csms: int) -> bool:
        """The CSMS has answered its start; whether that is news. The newest counts (K5)."""
        known = self._by_number.get(number, Known(number, number))
        self.put(Known(number, known.at_charger, csms))
        return known.csms != csms

    def of(self, number: int) -> Known | None:
        """What is known of LinkRay's number."""
        return self._by_number.get(number)

    def at_charger(self, csms: int) -> int:
        """What the charger calls the CSMS's number; one that is not known is passed as it is.

        Where the CSMS gave a number twice, the newest transaction is meant (K8).
        """
        for known in reversed(self._by_number.values()):
            if known.csms == csms:
                return known.at_charger
        return csms

    def number(self, csms: int) -> int | None:
        """LinkRay's number of the CSMS's; None: none that is known."""
        found = (k.number for k in reversed(self._by_number.values()) if k.csms == csms)
        return next(found, None)

    def is_taken(self, at_charger: int) -> bool:
        """Whether the charger already knows a transaction by this number."""
        return any(known.at_charger == at_charger for known in self._by_number.values())


def id_in(payload: bytes) -> int | None:
    """The transaction id that a payload names; None: none, or not a whole number."""
    try:
        named = msgspec.json.decode(payload, type=_Named)
    except msgspec.DecodeError:
        return None
    return named.transactionId


class _Named(msgspec.Struct):
    transactionId: int | None = None  # noqa: N815 - the wire's name
