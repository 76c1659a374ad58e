"""The web server as a task: sockets, certificate, Hypercorn, the slow hashing, the files on disk.

The listening sockets are our own and carry TCP_USER_TIMEOUT: Hypercorn shields what it sends from
cancellation, and a viewer that stops reading would hold up the end (libraries.md, HTTP server, 1).
Connections are counted before Hypercorn sees them (trust.md A28); it has no such limit itself.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from starlette.types import ASGIApp

from linkray import __version__
from linkray.faces.client import SOCKET, DeskClient
from linkray.hal.board import EXIT_RESTART
from linkray.kit import log as logging
from linkray.kit import secret, tls
from linkray.kit.clock import WallClock
from linkray.kit.ending import heed_signals
from linkray.kit.keep import contain
from linkray.model.handed import FOLDER

from .api import Api
from .app import Redirect, build_app
from .brand import Kept
from .guard import CERTIFICATE
from .handed import Folder, ForChargers
from .history import History
from .near import Network, attached_v4, attached_v6, plain
from .ports import Books, Door
from .problem import Problem
from .static import File, file_of

T = TypeVar("T")
STATIC = Path(__file__).parent / "static"
TLS = "tls"  # the folder of the self-made certificate, in the state folder
CLIENTS = Path("clients") / "asked.pem"  # of access/clients.py: who signs client certificates
ALPN = ("h2", "http/1.1")
USER_TIMEOUT_MS = 15_000  # libraries.md, HTTP server, 1
KEEPALIVE_S, KEEPALIVE_PROBES = 5, 3
BACKLOG = 100
CONNECTIONS_MAX = 100  # trust.md A28
CONNECTIONS_A_SOURCE = 10  # the same; our own machine is no stranger
HANDSHAKE_S = 10.0
IDLE_S = 5.0  # also ends half-sent request heads
READ_S = 900  # a live stream that says nothing for so long is dialled again by the page
GRACE_S = 3.0
HASHES_WAITING_MAX = 20  # at 0.3 s each on the board nobody waits longer than 6 s
STATIC_BYTES_MAX = 4 * 1024 * 1024

log = structlog.get_logger(source="WEB")


class Hasher:
    """Argon2id in a thread, one at a time: ten sign-ins at once would eat the RAM."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)

    async def hash(self, password: str) -> str:
        return await self._run(functools.partial(secret.hash_password, password))

    async def is_password(self, kept: str, password: str) -> bool:
        return await self._run(functools.partial(secret.is_password, kept, password))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._limiter.statistics().tasks_waiting >= HASHES_WAITING_MAX:
            raise Problem(429, "Too many people sign in at once", retry_s=2)
        return await trio.to_thread.run_sync(work, limiter=self._limiter)


def attached() -> list[Network]:
    """The networks this machine is directly attached to, as the kernel tells."""
    return attached_v4(_read("/proc/net/route")) + attached_v6(_read("/proc/net/ipv6_route"))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


def read_static(folder: Path) -> dict[str, File]:
    """The application's files by the path they are asked with; `.br` and `.gz` beside their own."""
    contents = {
        "/" + path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size <= STATIC_BYTES_MAX
    }
    files: dict[str, File] = {}
    for name, content in contents.items():
        encoded = {"gzip": contents.get(f"{name}.gz") or gzip.compress(content, mtime=0)}
        if f"{name}.br" in contents:
            encoded["br"] = contents[f"{name}.br"]
        file = file_of(name, content, encoded)
        if file is not None:
            files[name] = file
    return files


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket whose connections end when their other end has gone for 15 s."""
    family = socket.AF_INET6 if ip_address(bind).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_NODELAY, 1),
            (socket.TCP_KEEPIDLE, KEEPALIVE_S),
            (socket.TCP_KEEPINTVL, KEEPALIVE_S),
            (socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
            (socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
        ):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        sock.bind((bind, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{bind} port {port}: {error.strerror}") from error
    return sock


class Secured(trio.abc.Listener[Any]):
    """Connections over TLS, each with the certificate that is in force as it comes."""

    def __init__(self, transport: trio.SocketListener, certificate: tls.Certificate) -> None:
        self._transport = transport
        self._certificate = certificate

    async def accept(self) -> trio.SSLStream[trio.SocketStream]:
        stream = await self._transport.accept()
        context = self._certificate.context()
        return trio.SSLStream(stream, context, server_side=True, https_compatible=True)

    async def aclose(self) -> None:
        await self._transport.aclose()


class Names:
    """The hosts that are this box: its own names, and those of the certificate it was given."""

    def __init__(self, own: Iterable[str], certificate: tls.Certificate) -> None:
        self._own = frozenset(own)
        self._certificate = certificate

    def __contains__(self, host: object) -> bool:
        return host in self._own or self._certificate.covers(str(host))


class Connection(TCPServer):
    """One connection; one whose other end has hung up gives its place back at once.

    Hypercorn's own would keep it for the idle time, and twenty requests a second, each on a
    connection of its own, would shut the door on everybody.
    """

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


class Counted:
    """Serves connections with Hypercorn, at most so many in all and from one source."""

    def __init__(self, app: ASGIApp, config: Config, context: WorkerContext) -> None:
        self._app = ASGIWrapper(cast("Any", app))  # Starlette's types and Hypercorn's name the same
        self._config = config
        self._context = context
        self._sources: Counter[str] = Counter()

    async def serve(self, stream: Any) -> None:
        """One connection; what goes wrong on it ends it alone."""
        try:
            source = peer_of(stream)
        except OSError:  # gone before it was looked at
            await trio.aclose_forcefully(stream)
            return
        own = (address := plain(source)) is not None and address.is_loopback
        full = self._sources.total() >= CONNECTIONS_MAX
        if full or (not own and self._sources[source] >= CONNECTIONS_A_SOURCE):
            log.warning("connection refused", peer=source, cause="too many at once")
            await trio.aclose_forcefully(stream)
            return
        self._sources[source] += 1
        try:
            shown = {CERTIFICATE: functools.partial(certificate_of, stream)}
            server = Connection(self._app, self._config, self._context, shown, stream)
            await contain("web connection", server.run)
        finally:
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]


def certificate_of(stream: Any) -> str:
    """SHA-256 (hex) of the client certificate that TLS has proved; empty: none was shown."""
    if not isinstance(stream, trio.SSLStream):
        return ""
    try:
        der = stream.getpeercert(binary_form=True)
    except ValueError:  # the handshake was not done
        return ""
    return hashlib.sha256(der).hexdigest() if der else ""


def peer_of(stream: Any) -> str:
    """The address at the other end of a plain or TLS stream."""
    transport = getattr(stream, "transport_stream", stream)
    return str(transport.socket.getpeername()[0])


class HypercornLog:
    """Hypercorn's log as lines of ours; it wants coroutines."""

    def __init__(self, _config: Config) -> None:
        pass

    async def access(self, *_of: object) -> None:
        """Not kept: one line per request would wear the flash and tell who looked at what."""

    async def debug(self, message: str, *args: object, **_kw: object) -> None:
        log.debug(message % args if args else message)

    async def info(self, message: str, *args: object, **_kw: object) -> None:
        log.debug(message % args if args else message)

    async def warning(self, message: str, *args: object, **_kw: object) -> None:
        log.warning(message % args if args else message)

    error = critical = warning

    async def exception(self, message: str, *args: object, **_kw: object) -> None:
        log.exception(message % args if args else message)  # noqa: LOG004  # it is inside one


def settings() -> Config:
    """Hypercorn as this box wants it (libraries.md, HTTP server, 4)."""
    config = Config()
    config.logger_class = cast("Any", HypercornLog)  # all that it calls
    config.include_server_header = False
    config.keep_alive_timeout = IDLE_S
    config.ssl_handshake_timeout = HANDSHAKE_S
    config.read_timeout = READ_S
    config.graceful_timeout = GRACE_S
    config.h11_max_incomplete_size = 16 * 1024
    config.h2_max_header_list_size = 16 * 1024
    config.h2_max_concurrent_streams = 32
    config.websocket_max_message_size = 1024
    return config


async def serve_sockets(
    app: ASGIApp, listeners: Iterable[trio.abc.Listener[Any]], stop: trio.Event
) -> None:
    """Serve until `stop`; then connections have a few seconds to end."""
    config, context = settings(), WorkerContext(None)
    counted = Counted(app, config, context)
    async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
        accepting.start_soon(
            functools.partial(
                trio.serve_listeners, counted.serve, list(listeners), handler_nursery=connections
            )
        )
        await stop.wait()
        accepting.cancel_scope.cancel()
        await context.terminated.set()
        connections.cancel_scope.deadline = trio.current_time() + GRACE_S


async def serve_web(
    state: Path,
    bind: str,
    https_port: int,
    http_port: int,
    door: Door,
    books: Books,
    *,
    stop: trio.Event | None = None,
    static: Path = STATIC,
    clock: WallClock | None = None,
    restart: Callable[[], None] = lambda: None,
    task_status: trio.TaskStatus[tuple[int, int]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """The pages on HTTPS, and a redirect to them on HTTP; `started` with both bound ports."""
    certificate = await trio.to_thread.run_sync(tls.Certificate, state / TLS, ALPN, state / CLIENTS)
    names = Names((name.lower() for name in tls.own_names()), certificate)
    control = DeskClient(state / SOCKET)
    brand = Kept(state)
    folder = Folder(state / FOLDER)
    api = Api(
        control, door, Hasher(), history=History(state), books=books,
        clock=clock or WallClock(), version=__version__, attached=attached, restart=restart,
        brand=brand, folder=folder,
    )  # fmt: skip
    app = build_app(api, door, read_static(static), names, brand=brand.file)
    with listen(bind, https_port) as secure, listen(bind, http_port) as open_:
        ports = int(secure.getsockname()[1]), int(open_.getsockname()[1])
        https = Secured(_listener(secure), certificate)
        folder.http_port = ports[1]
        redirect = ForChargers(Redirect(ports[0], names), control, folder)
        ended = trio.Event() if stop is None else stop
        async with trio.open_nursery() as nursery:
            await nursery.start(control.run)
            async with trio.open_nursery() as serving:
                serving.start_soon(serve_sockets, app, [https], ended)
                serving.start_soon(serve_sockets, redirect, [_listener(open_)], ended)
                log.info("pages served", https=ports[0], http=ports[1], address=bind)
                task_status.started(ports)
            nursery.cancel_scope.cancel()


def _listener(sock: socket.socket) -> trio.SocketListener:
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


async def run_web(
    state: Path,
    bind: str,
    https_port: int,
    http_port: int,
    ready: Callable[[dict[str, object]], None],
    *,
    door: Door,
    books: Books,
) -> int:
    """The process `linkray web`: serves until SIGTERM or SIGINT, or until a person starts it anew,
    then ends within seconds; its exit code.
    """
    clock = WallClock()
    logging.set_up(clock, logging.LogRing())
    stop, code = trio.Event(), 0

    def restart() -> None:
        nonlocal code
        log.info("pages start anew")
        code = EXIT_RESTART
        stop.set()  # what is being answered has its time to end

    async with trio.open_nursery() as heeding:
        await heeding.start(heed_signals, lambda _signal: stop.set())
        async with trio.open_nursery() as nursery:
            ports = await nursery.start(
                functools.partial(
                    serve_web, state, bind, https_port, http_port, door, books,
                    stop=stop, clock=clock, restart=restart,
                )
            )
            ready({"ready": "web", "https": ports[0], "http": ports[1]})
            await stop.wait()
            nursery.cancel_scope.deadline = trio.current_time() + 2 * GRACE_S
        heeding.cancel_scope.cancel()
    return code
