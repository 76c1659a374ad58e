"""Why there is no line to a CSMS at all: the name, the network, the port."""

from __future__ import annotations

import socket

import pytest

from linkray.csms.address import same_place
from linkray.csms.task import reason

URL = "ws://csms.example"
TOLD = "all attempts to connect to csms.example:80 failed"


def gathered(*errors: OSError) -> OSError:
    """As Trio tells of a host with one address or several."""
    error = OSError(TOLD)
    error.__cause__ = errors[0] if len(errors) == 1 else ExceptionGroup("several", list(errors))
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name is not known"),
     (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "is this box online?"),
     (gathered(ConnectionRefusedError(111, "Connection refused")), "nothing answers at this port"),
     (gathered(OSError(101, "Network is unreachable"), OSError(111, "refused")), "no network"),
     (gathered(OSError(113, "No route to host")), "no way to it"),
     (gathered(TimeoutError(110, "timed out")), "firewall"),
     (gathered(OSError(5, "Input/output error")), "Input/output error"),
     (OSError(TOLD), TOLD)],
)  # fmt: skip
def test_no_line_is_told_by_its_cause(error: OSError, words: str) -> None:
    told = reason(error, URL)

    assert told.startswith(f"no connection to {URL}: ")
    assert words in told


def test_the_same_place_is_the_same_host_and_port() -> None:
    assert same_place("ws://CSMS.example/a", "ws://csms.example:80/b/")
    assert not same_place("ws://csms.example", "wss://csms.example")
    assert not same_place("csms.example", "csms.example")
