"""wss to a CSMS through the real processes: whose certificate is trusted, and by which password."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trio
from cryptography.hazmat.primitives import serialization
from tests.e2e.box import HERE, Box, Process, box_in, until
from tests.e2e.test_foreign_csms import Central, package_python, start_csms
from tests.unit.csms.test_reasons import DAY, NOW, Authority

from linkray.faces.client import ask_once
from linkray.model.asks import LOCAL, PatchSettings, Who

__all__ = ["package_python"]  # the fixture

pytestmark = pytest.mark.realtime

ID = "FOREIGN-A"
FIRST, SECOND = "the-first-word-00", "another-word-0001"


@contextlib.contextmanager
def handshakes(server: ssl.SSLContext) -> Iterator[int]:
    """A port on which somebody shows this certificate, and says nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _address = listener.accept()
                    peer.settimeout(5)
                    with contextlib.suppress(OSError), server.wrap_socket(peer, server_side=True):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def self_signed(authority: Authority, folder: Path) -> ssl.SSLContext:
    """A server whose certificate is the authority's own."""
    key = authority._key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "self-signed.pem"
    file.write_bytes(authority.pem.encode() + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def patch(box: Box, **csms: str) -> None:
    """The CSMS's settings are others from now on, while control runs."""
    said = PatchSettings(msgspec.Raw(json.dumps({"csms": csms}).encode()))
    answer = trio.run(ask_once, box.state, said, Who("test", LOCAL, "on site"))
    assert answer.ok, answer


def chargers(box: Box, password: str) -> Process:
    return box.run(
        str(HERE / "foreign_chargers.py"), "--id", ID, "--password", password, "--url",
        f"ws://127.0.0.1:{box.ports['ocpp']}", name=f"chargers-{len(box.started)}",
    )  # fmt: skip


def heard(box: Box, port: int, words: str) -> None:
    """The log says so of this CSMS."""
    def look() -> bool:
        return any(f":{port}" in line and words in line for line in box.log().splitlines())

    until(look, 20, f"the log says of port {port}: {words}")


def test_an_uplink_says_what_is_wrong_with_a_certificate_and_trusts_the_right_one(
    tmp_path: Path, package_python: str
):
    ours, other = Authority(), Authority()
    right = ours.server(tmp_path, "localhost")
    shown = [
        (right, "localhost", other, "is of an unknown issuer"),
        (right, "localhost", None, "is of an unknown issuer"),
        (self_signed(other, tmp_path), "localhost", ours, "is self-signed; give its CA file"),
        (ours.server(tmp_path, "localhost", NOW - 2 * DAY, NOW - DAY), "localhost", ours,
         "has expired"),
        (ours.server(tmp_path, "localhost", NOW + DAY - timedelta(hours=1), NOW + DAY),
         "localhost", ours, "is not valid yet"),
        (ours.server(tmp_path), "localhost", ours, "is for another name"),
        (right, "127.0.0.1", ours, "is for another address"),
    ]  # fmt: skip
    ours.server(tmp_path, "localhost")  # the file of the last is the CSMS's own
    with box_in(tmp_path) as box:
        box.import_settings({"version": 1, "chargers": [{"id": ID}]})
        box.start_control()
        chargers(box, FIRST)
        for server, host, trusted, words in shown:
            with handshakes(server) as port:
                patch(box, url=f"wss://{host}:{port}", ca="" if trusted is None else trusted.pem)
                heard(box, port, f"the CSMS's certificate {words}")
        csms = start_csms(box, package_python, "package", "--cert", str(tmp_path / "server.pem"),
                          "--password", FIRST)  # fmt: skip
        patch(box, url=f"wss://localhost:{csms.port}/site", ca=ours.pem)
        heard(box, csms.port, "CSMS connected")
        until(lambda: csms.told(ID, "BootNotification"), 10, "it has booted, by its own password")
        assert "Traceback" not in box.log()


def test_a_password_that_the_csms_refuses_is_said_and_one_that_it_sets_is_the_uplinks_own(
    tmp_path: Path, package_python: str
):
    with box_in(tmp_path) as box:
        csms = start_csms(box, package_python, "package", "--password", FIRST)
        box.import_settings({"version": 1, "chargers": [{"id": ID}],
                             "csms": {"url": f"ws://127.0.0.1:{csms.port}",
                                      "password_in_clear": True}})  # fmt: skip
        box.start_control()
        wrong = chargers(box, "not-the-password")
        heard(box, csms.port, "the CSMS answered HTTP 401: the password is wrong or missing")
        wrong.kill()

        box.control.kill()
        box.start_control()
        chargers(box, FIRST)
        until(lambda: csms.told(ID, "BootNotification"), 20, "its own password is passed on")
        said = csms.calls(ID, "ChangeConfiguration", key="AuthorizationKey", value=SECOND)
        assert said[2] == {"status": "Accepted"}
        csms.process.kill()

        box.control.kill()  # what was accepted is on disk
        renewed = start_renewed(box, package_python, csms.port)
        box.start_control()
        until(lambda: renewed.told(ID, "BootNotification"), 20, "the new one is used")
        read = renewed.calls(ID, "GetConfiguration", key=["AuthorizationKey"])
        assert SECOND not in json.dumps(read)
        assert SECOND not in box.log()
        assert FIRST not in box.log()


def start_renewed(box: Box, python: str, port: int) -> Central:
    return start_csms(box, python, "package", "--password", SECOND, "--port", str(port))
