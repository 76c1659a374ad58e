"""What systemd wants to hear: READY and WATCHDOG, where it listens (`NOTIFY_SOCKET`)."""

from __future__ import annotations

import os
import socket


def notify(words: str) -> bool:
    """Tell the service manager; False where none listens or it cannot be reached."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            channel.sendto(words.encode(), address)
        except OSError:
            return False
    return True


def ready() -> bool:
    return notify("READY=1")


def pet() -> bool:
    return notify("WATCHDOG=1")
