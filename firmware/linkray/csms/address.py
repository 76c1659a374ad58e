"""Where the CSMS is: `ws(s)://HOST[:PORT][/PATH]`, and where a charger's uplink goes (csms.md)."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import msgspec

PORTS = {"ws": 80, "wss": 443}
IDENTITY_SAFE = "*-_=:+|@."  # of an identity as OCPP has it; a space is escaped


class BadAddress(ValueError):
    """An address that cannot be dialled: what was expected, and what came."""


class Address(msgspec.Struct, frozen=True):
    """A CSMS's address, taken apart."""

    is_tls: bool
    host: str
    port: int
    path: str  # without the last slash; empty: none

    def resource(self, prefix: str, charger: str) -> str:
        """The path of a charger's uplink: `PATH/PREFIX/CHARGER-ID`."""
        parts = [self.path, *([quote(prefix.strip("/"), safe="/" + IDENTITY_SAFE)] if prefix
                              else []), quote(charger, safe=IDENTITY_SAFE)]  # fmt: skip
        return "/".join(parts) if self.path else "/" + "/".join(parts[1:])


def same_place(one: str, other: str) -> bool:
    """Whether two addresses are of the same server; one that cannot be read is of none."""
    try:
        a, b = read_address(one), read_address(other)
    except BadAddress:
        return False
    return (a.host, a.port) == (b.host, b.port)


def read_address(url: str) -> Address:
    """The parts of an address; raises `BadAddress`."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"expected ws(s)://HOST[:PORT][/PATH], got {url[:100]!r}: {error}"
                         ) from None
    if parts.scheme.lower() not in PORTS:
        raise BadAddress(f"expected an address that begins with ws:// or wss://, got {url[:100]!r}")
    if not parts.hostname:
        raise BadAddress(f"expected a host after {parts.scheme}://, got {url[:100]!r}")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("expected an address without a password in it: it has its own field")
    if parts.query or parts.fragment:
        raise BadAddress(f"expected an address without ? and #, got {url[:100]!r}")
    scheme = parts.scheme.lower()
    return Address(scheme == "wss", parts.hostname, port or PORTS[scheme], parts.path.rstrip("/"))
