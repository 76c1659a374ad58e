"""The two real processes under abuse: ports, half requests, requests at random, many who ask."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.box import Box, Client, box_in

pytestmark = pytest.mark.realtime

LISTENS = "0A"  # of /proc/net/tcp
SLOW, WAVE = 500, 100  # LinkRay takes 100 connections at once
PAGES, ASKS = 20, 3
AT_RANDOM = 300
ANSWERED_S = 2.0  # trust.md A28
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW")
KINDS = ("application/json", "text/plain", "application/zip", "multipart/form-data", "x", "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A commissioned box that runs; nobody is there."""
    with box_in(tmp_path_factory.mktemp("abuse")) as box:
        box.import_settings({"version": 1, "site": {"name": "Yard"}})
        box.set_passwords()
        box.writer = box.key("write")
        box.start_control()
        box.start_web()
        yield box


def listening(pid: int) -> set[int]:
    """The ports at which a process listens or takes datagrams, as the kernel tells."""
    own = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            own.add(path.readlink().name)
    found = set()
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
            cells = line.split()
            if f"socket:[{cells[9]}]" in own and (cells[3] == LISTENS or kind.startswith("udp")):
                found.add(int(cells[1].rpartition(":")[2], 16))
    return found


def test_a45_no_port_is_open_but_those_that_are_told(site: Box) -> None:
    """CHARX lists twelve; here four, of two processes."""
    told = site.ports
    assert listening(site.control.popen.pid) == {told["ocpp"], told["ocpps"]}
    assert listening(site.web.popen.pid) == {told["https"], told["http"]}


def half_sent(port: int) -> socket.socket | None:
    """A request of which half is sent; None: nobody takes the connection."""
    with contextlib.suppress(OSError):
        link = socket.create_connection(("127.0.0.1", port), timeout=2)
        link.sendall(b"GET /info HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        return link
    return None


def test_w1_five_hundred_that_send_half_a_request_keep_nobody_out(site: Box, api: Client) -> None:
    port, took = site.ports["http"], []
    for wave in range(SLOW // WAVE):
        links = [half_sent(port if n % 2 else site.ports["https"]) for n in range(WAVE)]
        if wave == 0:
            time.sleep(0.2)  # they stand there, and are as many as there may be
        for link in links:
            if link is not None:
                link.close()
        began = time.monotonic()
        while api.try_get("site") is None:
            assert time.monotonic() - began < 10, "nobody is let in"
        took.append(time.monotonic() - began)

    assert sorted(took)[len(took) // 2] <= ANSWERED_S, took
    assert site.web.alive
    assert "Traceback" not in site.log("web")


def status_of(
    link: http.client.HTTPSConnection, method: str, path: str, body: bytes, headers: dict[str, str]
) -> int:
    """What is answered; a link that was closed since the answer before is opened anew, once."""
    try:
        link.request(method, path, body, headers)
        answer = link.getresponse()
    except (ConnectionError, ssl.SSLError):
        link.close()
        link.request(method, path, body, headers)
        answer = link.getresponse()
    answer.read()
    return answer.status


def test_w3_requests_made_up_at_random_are_no_mistake_of_ours(site: Box, api: Client) -> None:
    chance = random.Random(45)
    told = api.get("openapi.json")["paths"]
    context = ssl.create_default_context(cafile=str(site.state / "tls" / "self-made.pem"))
    link = http.client.HTTPSConnection(
        "127.0.0.1", site.ports["https"], timeout=20, context=context
    )
    wrong = []
    kept = [path for path in told if "events" not in path and "factory" not in path
            and "restart" not in path and "support-bundle" not in path]  # fmt: skip
    for _each in range(AT_RANDOM):
        path = chance.choice(kept).replace("{", "").replace("}", "")
        path += chance.choice(["", "?limit=x", "?a=%00", "?q=%ff", "/more", "?range=all&since=1"])
        body = chance.choice([b"", b"{}", b"[]", b"null", b'{"a":1}', chance.randbytes(90)])
        headers = {"Content-Type": chance.choice(KINDS)}
        if chance.random() < 0.8:
            headers["Authorization"] = f"Bearer {site.writer}"
        method = chance.choice(METHODS)
        status = status_of(link, method, path, body, headers)
        if status >= 500 and status not in {503, 504}:
            wrong.append((method, path, body, status))
    link.close()
    assert wrong == []
    assert "Traceback" not in site.log("web")
    assert "Traceback" not in site.log("control")


def test_w6_twenty_who_ask_each_second_are_answered_at_once(site: Box, api: Client) -> None:
    took: list[float] = []

    def ask(late_s: float) -> None:
        time.sleep(late_s)
        client = site.client(site.writer)
        for _each in range(ASKS):
            began = time.monotonic()
            client.get("snapshot")
            took.append(time.monotonic() - began)
            time.sleep(max(0.0, 1.0 - took[-1]))

    pages = [threading.Thread(target=ask, args=(n / PAGES,)) for n in range(PAGES)]
    before = api.get("site")["plan_gap_s_max"]
    for page in pages:
        page.start()
    for page in pages:
        page.join()

    assert len(took) == PAGES * ASKS
    assert sorted(took)[len(took) // 2] <= 0.5, sorted(took)[-9:]
    assert sorted(took)[int(len(took) * 0.95)] <= ANSWERED_S  # 0.5 s where nobody else is busy
    assert api.get("site")["plan_gap_s_max"] <= max(before, 1.5)  # INV-11
