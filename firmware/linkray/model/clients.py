"""Client certificates of people: which there are, and whose accounts ask for one (access.md).

A certificate is known by the SHA-256 of its DER: TLS has proved that whoever shows it holds its
key and that this box signed it. Whether it still opens anything is decided here, by the same words
in both processes.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

CLIENTS = "client_certificates"  # under which name the store remembers them
LEVELS = (1, 2, 3)


class ClientCertificate(msgspec.Struct, frozen=True):
    """A certificate that was made on this box. Times are UTC; its key is nowhere here."""

    id: str  # serial number, hex
    name: str  # of whoever carries it
    level: int  # opens accounts up to this level
    by: str
    made: str
    expires: str
    fingerprint: str  # SHA-256 of its DER, hex
    revoked: str = ""


class Clients(msgspec.Struct, frozen=True):
    """All of them. `seq` is another with every change."""

    seq: int = 0
    certificates: tuple[ClientCertificate, ...] = ()
    required: tuple[int, ...] = ()  # levels whose accounts ask for one

    def changed(
        self,
        certificates: tuple[ClientCertificate, ...] | None = None,
        required: tuple[int, ...] | None = None,
    ) -> Clients:
        """As it is after a change."""
        held = self.certificates if certificates is None else certificates
        return Clients(self.seq + 1, held, self.required if required is None else required)

    def without(self, level: int) -> Clients:
        """Accounts of this level ask for none any more."""
        return self.changed(required=tuple(one for one in self.required if one != level))

    def shown(self, fingerprint: str) -> ClientCertificate | None:
        """The one that was shown on a connection."""
        return next((c for c in self.certificates if fingerprint and c.fingerprint == fingerprint),
                    None)  # fmt: skip

    def opens(self, level: int, fingerprint: str, utc: str) -> bool:
        """Whether what was shown opens accounts of this level now."""
        found = self.shown(fingerprint)
        return found is not None and found.level >= level and is_valid(found, utc)

    def refusal(self, level: int, fingerprint: str, utc: str) -> str:
        """Why an account of this level stays shut, in words; empty: it does not."""
        if level not in self.required or self.opens(level, fingerprint, utc):
            return ""
        found = self.shown(fingerprint)
        if found is None:
            why = "the browser has shown none of this box"
        elif found.revoked:
            why = "the one that was shown is revoked"
        elif not is_valid(found, utc):
            why = "the one that was shown has expired"
        else:
            why = "the one that was shown is for a lower level"
        return f"This account opens with a client certificate: {why}"


def is_valid(one: ClientCertificate, utc: str) -> bool:
    """Neither revoked nor over; times are text of one form, so that they can be compared."""
    return not one.revoked and utc < one.expires


def read_clients(kept: str | None) -> Clients:
    """What the store remembers; what cannot be read is none, and passwords alone open."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(kept, type=Clients) if kept else Clients()
    return Clients()


def write_clients(clients: Clients) -> str:
    """The same, for the store."""
    return msgspec.json.encode(clients).decode()
