"""What goes out of the box: whom it trusts, where it may go, and why it came to nothing, in words.

Knows TLS, addresses and errors; not what is said over the line.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl

CERTIFICATES = re.compile(
    r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)


def client_context(ca: str = "") -> ssl.SSLContext:
    """TLS 1.2 and newer, certificate and name verified against the system's or the given CA.

    Raises `ValueError` where a CA is given that has no certificate in it.
    """
    given = CERTIFICATES.findall(ca)
    if ca.strip() and not given:
        raise ValueError("expected a CA file with a certificate in PEM (BEGIN CERTIFICATE)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # with both certificate and name verified
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for one in given:  # one by one: Python lets no other thread run while it reads text
        context.load_verify_locations(cadata=one)
    at = ssl.get_default_verify_paths()
    if not given and (at.cafile or at.capath):
        context.load_verify_locations(at.cafile, at.capath)  # lets others run meanwhile
    return context


NOT_TRUSTED = {  # OpenSSL's verify codes: what a certificate is or has
    7: "is of an unknown issuer",  # one of the same name signed it
    9: "is not valid yet (or the clock is wrong)",
    10: "has expired (or the clock is wrong)",
    18: "is self-signed; give its CA file if it is yours",
    19: "is of an unknown issuer",
    20: "is of an unknown issuer",
    21: "is of an unknown issuer",
    62: "is for another name",
    64: "is for another address",
}
NO_LINE = {
    errno.ECONNREFUSED: "Connection refused; nothing answers at this port",
    errno.ECONNRESET: "the other side closed it",
    errno.EHOSTUNREACH: "nobody has this address, or there is no way to it",
    errno.ENETUNREACH: "this box has no network that leads there",
    errno.ETIMEDOUT: "no answer; is the address right, does a firewall stand between?",
    socket.EAI_NONAME: "this name is not known",
    socket.EAI_NODATA: "this name has no address",
    socket.EAI_AGAIN: "no name server answers; is this box online?",
}


def no_line(error: OSError) -> str:
    """Trio tells of several addresses as one: the cause is what the first of them said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.errno in NO_LINE:
            return NO_LINE[cause.errno]
        if cause.__cause__ is None and isinstance(cause, OSError):
            return cause.strerror or str(cause)
        cause = cause.__cause__
    return str(error)


class Forbidden(OSError):
    """An address that nothing of ours is sent to (trust.md A26)."""


def dial(host: str, port: int, within_s: float, *, loopback: bool = False) -> socket.socket:
    """A connection to the first of the host's addresses that answers; blocking.

    The name is resolved once, and what was looked at is what is dialled. This box itself, links
    without a router, groups of hosts and metadata services are `Forbidden`; `loopback` lets in this
    box alone, for the simulated board. Raises `OSError`.
    """
    last: OSError = Forbidden("this name has no address")
    for family, kind, protocol, _name, at in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        if not may_dial(str(at[0]), loopback=loopback):
            last = Forbidden("this is an address to which nothing is sent from here")
            continue
        line = socket.socket(family, kind, protocol)
        try:
            line.settimeout(within_s)
            line.connect(at)
            if line.getsockname()[0] == line.getpeername()[0] and not loopback:
                raise Forbidden("this is an address of this box itself")
        except OSError as error:
            line.close()
            last = error
        else:
            return line
    raise last


def may_dial(address: str, *, loopback: bool = False) -> bool:
    """Whether something may be sent there. IPv4 inside IPv6 is judged as what it is."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return loopback
    return not (ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved)
