"""What systemd hears (house.md, Nurseries 3 and 8)."""

from __future__ import annotations

import socket

import pytest

from linkray.hal import notify
from linkray.hal.sim import SimWatchdog


@pytest.fixture(params=["path", "abstract"])
def service_manager(request, tmp_path, monkeypatch):
    address = str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0", 1))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield listener


def test_ready_and_petting_are_heard(service_manager):
    assert notify.ready()
    assert notify.pet()
    assert [service_manager.recv(64) for _word in range(2)] == [b"READY=1", b"WATCHDOG=1"]


async def test_petting_the_watchdog_is_heard_by_the_one_who_can_kill(service_manager):
    SimWatchdog().pet()
    assert service_manager.recv(64) == b"WATCHDOG=1"


def test_where_nobody_listens_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.ready()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify.pet()
