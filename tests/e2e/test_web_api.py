"""The web server on real sockets: TLS, HTTP/2, redirects, hostile clients, its end."""

from __future__ import annotations

import contextlib
import functools
import json
import ssl
import stat

import pytest
import trio
from hypercorn.trio.worker_context import WorkerContext
from tests.unit.desk.stand import Shelf, desk_of

from linkray.access.door import Door
from linkray.access.keys import new_key
from linkray.desk.snapshot import Seen
from linkray.desk.task import open_desk, serve_desk
from linkray.faces.web import task
from linkray.faces.web.task import serve_web
from linkray.kit import secret, tls
from linkray.model.asks import Key
from linkray.records.books import Books

pytestmark = pytest.mark.realtime


@contextlib.asynccontextmanager
async def served(state, see=Seen, stop=None):
    """The desk and the pages, on free ports of this machine."""
    async with trio.open_nursery() as nursery:
        await nursery.start(
            functools.partial(serve_desk, open_desk(state), desk_of(Shelf(), see=see))
        )
        door = Door(secret.fresh)
        ports = await nursery.start(
            functools.partial(serve_web, state, "127.0.0.1", 0, 0, door, Books(), stop=stop)
        )
        yield ports
        nursery.cancel_scope.cancel()


def context_of(state, alpn=()) -> ssl.SSLContext:
    """Trusts the box's own certificate and checks its name."""
    context = ssl.create_default_context(cafile=state / "tls" / tls.FILE)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


async def dial(state, port, alpn=()):
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    return trio.SSLStream(
        stream, context_of(state, alpn), server_hostname="localhost", https_compatible=True
    )


async def ask(stream, text: str) -> str:
    closing = text.replace("\n\n", "\nConnection: close\n\n")
    await stream.send_all(closing.replace("\n", "\r\n").encode())
    answer = b""
    with trio.fail_after(5):
        while more := await stream.receive_some():
            answer += more
    return answer.decode()


async def test_the_pages_answer_over_tls_with_the_boxs_own_certificate(tmp_path):
    async with served(tmp_path) as (https, _http), await dial(tmp_path, https) as stream:
        await stream.do_handshake()
        version = stream.version()
        answer = await ask(stream, "GET /api/v1/session HTTP/1.1\nHost: localhost\n\n")

        assert answer.startswith("HTTP/1.1 200")
        assert json.loads(answer.split("\r\n\r\n")[1])["account"] is None
        assert version in {"TLSv1.2", "TLSv1.3"}


async def test_http_2_is_offered(tmp_path):
    async with served(tmp_path) as (https, _http), await dial(tmp_path, https, ("h2",)) as stream:
        await stream.do_handshake()

        assert stream.selected_alpn_protocol() == "h2"


async def test_the_certificate_is_made_once_and_for_our_eyes_only(tmp_path):
    async with served(tmp_path):
        made = (tmp_path / "tls" / tls.FILE).read_bytes()
    async with served(tmp_path):
        assert (tmp_path / "tls" / tls.FILE).read_bytes() == made

    assert stat.S_IMODE((tmp_path / "tls" / tls.FILE).stat().st_mode) == 0o600
    assert tls.own_certificate(tmp_path / "tls").read_bytes() == made


async def test_plain_http_only_sends_people_on(tmp_path):
    async with served(tmp_path) as (https, http):
        for host, line in (("localhost", "HTTP/1.1 308"), ("evil.example", "HTTP/1.1 421")):
            async with await trio.open_tcp_stream("127.0.0.1", http) as stream:
                answer = await ask(stream, f"GET /chargers?x=1 HTTP/1.1\nHost: {host}\n\n")

                assert answer.startswith(line)
                target = f"location: https://localhost:{https}/chargers?x=1\r\n"
                assert (target in answer) == (host == "localhost")


@pytest.mark.parametrize("garbage", [b"\x00" * 64, b"GET / HTTP/1.1\r\nHost: \x00\r\n\r\n",
                                     b"\x16\x03\x01\xff\xff junk", b"A" * 40_000, b""])  # fmt: skip
async def test_a28_garbage_harms_only_its_own_connection(tmp_path, garbage):
    async with served(tmp_path) as ports:
        for port in ports:
            for _again in range(5):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                with contextlib.suppress(trio.BrokenResourceError):
                    await stream.send_all(garbage)
                await trio.aclose_forcefully(stream)
        async with await dial(tmp_path, ports[0]) as stream:
            await stream.do_handshake()
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(garbage)
        async with await dial(tmp_path, ports[0]) as stream:
            answer = await ask(stream, "GET /api/v1/session HTTP/1.1\nHost: localhost\n\n")

        assert answer.startswith("HTTP/1.1 200")


async def test_a28_a_half_sent_request_is_closed_within_10_s(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "IDLE_S", 0.5)
    async with (
        served(tmp_path) as (_https, http),
        await trio.open_tcp_stream("127.0.0.1", http) as stream,
    ):
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: loc")
        with trio.fail_after(3):
            while await stream.receive_some():
                pass


async def test_a28_connections_have_a_greatest_number(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "CONNECTIONS_MAX", 3)
    async with served(tmp_path) as (_https, http), contextlib.AsyncExitStack() as held:
        streams = [
            await held.enter_async_context(await trio.open_tcp_stream("127.0.0.1", http))
            for _each in range(4)
        ]
        with trio.fail_after(3):
            got = b"?"
            with contextlib.suppress(trio.BrokenResourceError):
                got = await streams[3].receive_some()
            assert got in {b"", b"?"}
        answer = await ask(streams[0], "GET / HTTP/1.1\nHost: localhost\n\n")

    assert answer.startswith("HTTP/1.1 308")


class Far(trio.abc.Stream):
    """A connection from a neighbour: it says whence it comes, and whether it was closed."""

    def __init__(self) -> None:
        self.socket = self
        self.closed = False

    def getpeername(self):
        return ("192.0.2.66", 50_000)

    async def aclose(self):
        self.closed = True

    async def receive_some(self, max_bytes=None):
        await trio.sleep_forever()

    async def send_all(self, data):
        pass

    async def wait_send_all_might_not_block(self):
        pass


async def test_a28_one_source_holds_ten_connections_at_most():
    counted = task.Counted(None, task.settings(), WorkerContext(None))
    counted._sources["192.0.2.66"] = task.CONNECTIONS_A_SOURCE
    stream = Far()

    await counted.serve(stream)

    assert stream.closed
    assert counted._sources == {"192.0.2.66": task.CONNECTIONS_A_SOURCE}


async def test_u25_readers_who_stall_do_not_hold_up_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "USER_TIMEOUT_MS", 1000)
    monkeypatch.setattr(task, "GRACE_S", 0.5)
    shown, digest = new_key(secret.fresh())
    shelf = Shelf()
    shelf.key_list.append(Key(digest, "read", "2999-01-01T00:00:00Z"))
    desk = desk_of(shelf, see=lambda: Seen(version="v" * 2_000_000))
    stop, ended = trio.Event(), trio.Event()

    async def web(task_status):
        door = Door(secret.fresh)
        await serve_web(
            tmp_path, "127.0.0.1", 0, 0, door, Books(), stop=stop, task_status=task_status
        )
        ended.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(functools.partial(serve_desk, open_desk(tmp_path), desk))
        https, _http = await nursery.start(web)
        for _reader in range(5):
            nursery.start_soon(_stall, await dial(tmp_path, https), shown)
        await trio.sleep(2)
        stop.set()
        with trio.fail_after(10):
            await ended.wait()
        nursery.cancel_scope.cancel()


async def _stall(stream, key):
    async with stream:
        await stream.send_all(
            b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
            + key.encode() + b"\r\n\r\n"
        )  # fmt: skip
        await trio.sleep_forever()


def test_a_broken_certificate_is_set_aside_and_made_anew(tmp_path):
    path = tls.own_certificate(tmp_path)
    path.write_bytes(b"junk")

    tls.server_context(tls.own_certificate(tmp_path), ["h2"])

    assert len(list(tmp_path.glob("*.bad-*"))) == 1
