"""A simulated CSMS over OCPP 1.6J: a person to its tests, who is slow, flaps, errs, forgets.

It takes a charger's link on any stream, in memory or over TCP, keeps a book of all that it is told,
and calls. What comes is judged by OCPP's own schemas; it is not written with linkray's reader.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import math
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote

import trio
from trio_websocket import (
    CloseReason,
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    wrap_server_stream,
)
from wsproto.utilities import ProtocolError

from tools.world.csms_answers import ALWAYS, Answers
from tools.world.csms_book import Asked, Book, Knock
from tools.world.links import Dial, Link, memory_dial
from tools.world.schemas import CALL, RESULT, Json, Judge

SUBPROTOCOL = "ocpp1.6"
PARTS = {CALL: 4, RESULT: 3, 4: 3}  # how many a frame has at the least
ANSWER_S = 30.0  # what it waits for an answer
HANDSHAKE_S = 10.0
FLAPS_S = 5.0
CLOSE_S = 2.0  # for a closing handshake
HEAD_BYTES_MAX = 16_384
FRAME_BYTES_MAX = 1 << 20
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
RUBBISH: tuple[str | bytes, ...] = (
    "", " ", "null", "true", "17", '"2"', "{}", "[]", "[2]", '[2,"r1"]', '[2,"r2","Reset"]',
    '{"0":2}', "[2,", "not json", "[" * 5_000, "\x00", "[NaN]", "[2,NaN,Infinity,-Infinity]",
    '[9,"r3","Reset",{"type":"Soft"}]', '["2","r4","Reset",{"type":"Soft"}]',
    '[2,17,"NoSuchAction",{}]', '[2,null,"NoSuchAction",{}]', '[2,["r5"],"NoSuchAction",{}]',
    '[2,"r6",17,{}]', '[2,"r7",{"a":1},{}]', '[2,"r8","NoSuchAction",{"x":1}]',
    '[2,"r9","Reset",[]]', '[2,"r10","Reset","Soft"]', '[2,"r11","Reset",null]',
    '[2,"r12","Reset",{"type":17}]', '[2,"r13","Reset",{"type":"Soft\\ud800"}]',
    '[2,"r14","SetChargingProfile",{"connectorId":"1","csChargingProfiles":{}}]',
    '[2,"r15","ChangeConfiguration",{"key":' + '"k' + "x" * 2_000 + '","value":"1"}]',
    '[2,"r16","RemoteStopTransaction",{"transactionId":' + "9" * 400 + "}]",
    '[2,"r17","RemoteStopTransaction",{"transactionId":"1"}]',
    '[2,"' + "r18" * 400 + '","NoSuchAction",{}]',
    '[3,"never asked",{}]', '[3,"never asked"]', "[3,17,{}]", '[4,"never asked"]',
    '[4,"never asked","GenericError","",{}]', "[4,null,null,null,null]", b"\x00\xff\xfe", b"",
)  # fmt: skip

Refusal = tuple[int, list[tuple[bytes, bytes]]]  # HTTP status, headers


class Door(Protocol):
    """What meets a connection instead of a handshake."""

    __name__: str

    def __call__(self, stream: trio.abc.Stream, knock: Knock, /) -> Awaitable[None]: ...


@dataclass
class Standing:
    """A charger's link that stands."""

    charger: str
    number: int
    socket: WebSocketConnection
    one_call: trio.Lock = field(default_factory=trio.Lock)
    asked: dict[str, Asked] = field(default_factory=dict)
    closes: CloseReason | None = None
    life: trio.CancelScope = field(default_factory=trio.CancelScope)


class Csms:
    """One central system. `ADDRESS/PREFIX/CHARGER` is `path/prefix/charger` here.

    `passwords`: of every charger, or by charger; None: nobody is asked for one. `epoch` says which
    second since 1970 a moment is.
    """

    def __init__(
        self,
        *,
        path: str = "",
        prefix: str = "",
        passwords: str | Mapping[str, str] | None = None,
        chance: random.Random | None = None,
        epoch: Callable[[float], float] | None = None,
        judge: Judge | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.root = "".join(f"/{part.strip('/')}" for part in (path, prefix) if part.strip("/"))
        self.passwords = passwords
        self.judge = judge or Judge()
        self.tls = tls
        self.book = Book()
        self.links: dict[str, Standing] = {}
        self.wire = Link()  # of `dial`: to be delayed, cut half-open
        self._chance = chance or random.Random(0)
        self._answers = Answers(self.book, self._chance, epoch or (lambda now: now))
        self._scopes: dict[int, trio.CancelScope] = {}  # by knock
        self._cut = trio.Event()
        self._restored = trio.Event()
        self._restored.set()
        self._calls = 0
        self._door: Door | None = None
        self._refuses: Refusal | None = None
        self._subprotocol: str | None = SUBPROTOCOL
        self._flaps_s: float | None = None
        self._slow_s = 0.0
        self._is_mute = False
        self._shut: dict[str, int] = {}
        self._reads = trio.Event()
        self._reads.set()

    # -- looking -------------------------------------------------------------------------------

    @property
    def complaints(self) -> list[str]:
        """What it was told that OCPP's schemas do not allow, and what was no frame."""
        return self.judge.complaints

    def report(self) -> Json:
        """What came of it, in numbers."""
        found = self.book.transactions()
        return {
            "links": len(self.links),
            "attempts": len(self.book.knocks),
            "messages": sum(map(len, self.book.told.values())),
            "transactions": len(found),
            "stopped": sum(bool(one.stops) for one in found),
            "complaints": self.complaints[:20],
        }

    @property
    def is_cut(self) -> bool:
        return self._cut.is_set()

    def is_linked(self, charger: str) -> bool:
        return charger in self.links

    async def wait_linked(self, charger: str, within_s: float = 60.0) -> None:
        """Until the charger has a link; raises `trio.TooSlowError`."""
        with trio.fail_after(within_s):
            while charger not in self.links:  # noqa: ASYNC110  # whichever link it is
                await trio.sleep(0.05)

    # -- scenes: its line ------------------------------------------------------------------------

    def cut(self) -> None:
        """The line to it is gone: links break, nobody answers a dial."""
        self.wire.is_refusing = True
        self._restored = trio.Event()
        self._cut.set()
        self.drop()

    def restore(self) -> None:
        self.wire.is_refusing = False
        self._cut = trio.Event()
        self._restored.set()

    def drop(self, charger: str | None = None, code: int | None = None) -> None:
        """A link (None: all) breaks; with a code it is closed as WebSockets are."""
        for knock in self.book.knocks:
            if knock.number not in self._scopes or charger not in (None, knock.charger):
                continue
            link = self.links.get(knock.charger)
            if code is None:
                self._scopes[knock.number].cancel()
            elif link is not None:
                link.closes = CloseReason(code, None)
                link.life.cancel()

    def flap(self, after_s: float = FLAPS_S) -> None:
        """Every link breaks so soon after it was opened (K3); 0: at once."""
        self._flaps_s = after_s

    # -- scenes: its door (K4) -------------------------------------------------------------------

    def say_nothing(self) -> None:
        """It takes connections and says nothing on them: no HTTP."""
        self._door = _say_nothing

    def speak_other(self) -> None:
        """It answers a connection with what is no HTTP."""
        self._door = _speak_other

    def choose_subprotocol(self, name: str | None) -> None:
        """It opens the WebSocket with this subprotocol, offered or not; None: with none."""
        self._subprotocol = name
        self._door = None if name is None else _choose(name)

    def refuse(self, status: int = 503) -> None:
        """It answers the handshake with this HTTP status."""
        self._refuses = (status, [])

    def shut_out(self, charger: str, status: int = 404) -> None:
        """It answers this charger's handshakes so: it does not know it."""
        self._shut[charger] = status

    def redirect(self, where: str, status: int = 302) -> None:
        """It sends whoever dials to another address."""
        self._refuses = (status, [(b"Location", where.encode())])

    # -- scenes: its answers ---------------------------------------------------------------------

    def answer_after(self, seconds: float) -> None:
        """Each answer comes so late (K12)."""
        self._slow_s = seconds

    def stop_answering(self) -> None:
        """Links stand, calls are noted and not answered."""
        self._is_mute = True

    def answer_again(self) -> None:
        self._is_mute = False

    def stop_reading(self) -> None:
        """Links stand and nothing is read from them, pings neither: what is sent piles up."""
        if self._reads.is_set():
            self._reads = trio.Event()

    def read_again(self) -> None:
        self._reads.set()

    def lose_answers(
        self, action: str = "StartTransaction", times: float = 1, charger: str | None = None
    ) -> None:
        """What it is told it stores; the answer is lost (K5)."""
        self._answers.slip("lose", action, times, charger)

    def answer_error(
        self, action: str, times: float = ALWAYS, code: str = "InternalError",
        charger: str | None = None,
    ) -> None:  # fmt: skip
        """It answers so many of these with CALLERROR and stores nothing (K6)."""
        self._answers.slip("error", action, times, charger, code)

    def answer_rubbish(
        self, action: str, payload: Any, times: float = 1, charger: str | None = None
    ) -> None:
        """It stores what it is told, and answers what is no answer."""
        self._answers.slip("spoil", action, times, charger, payload)

    def answer_with(self, action: str, payload: Json) -> None:
        """Its result for this action, from now on."""
        self._answers.instead[action] = payload

    def say_of_tag(self, tag: str, status: str, **more: str) -> None:
        """What it says of a tag: `Invalid`, `Blocked`, `Expired` (K7), `parentIdTag=…`."""
        self._answers.tags[tag.upper()] = {"status": status, **more}

    def boot_as(self, status: str, interval_s: int = 60) -> None:
        """It answers boots with `Pending` or `Rejected` and this interval."""
        self._answers.boot_status, self._answers.interval_s = status, interval_s

    def give_ids(self, *ids: Any) -> None:
        """The next transactions get these, whatever they are (huge, 0, -1, a string)."""
        self._answers.ids.extend(ids)

    def give_same_id(self, times: int = 1) -> None:
        """So many of the next transactions get the id of the one before (K8)."""
        self._answers.same_ids = times

    def change_ids(self) -> None:
        """A start that is told again gets another id (K8)."""
        self._answers.changes_ids = True

    def set_clock(self, off_s: float) -> None:
        """Its clock is off by so much."""
        self._answers.clock_off_s = off_s

    def obey(self) -> None:
        """Everything about it is as it should be again; a line that was cut stays so."""
        self._door = self._refuses = self._flaps_s = None
        self._subprotocol, self._slow_s, self._is_mute = SUBPROTOCOL, 0.0, False
        self._shut.clear()
        self.read_again()
        self._answers.well()

    # -- calling ---------------------------------------------------------------------------------

    async def call(
        self, charger: str, action: str, payload: Json, within_s: float = ANSWER_S, *,
        is_judged: bool = True, waits_turn: bool = True,
    ) -> Asked:  # fmt: skip
        """Call a charger and wait for its answer, which is also kept in the book.

        Not `waits_turn`: also while another call of ours is open, as OCPP-J forbids.
        """
        if is_judged:
            self.judge.sent("CSMS", CALL, action, payload)
        self._calls += 1
        message_id = f"{self._chance.getrandbits(32):08x}-{self._calls}"
        text = json.dumps([2, message_id, action, payload])
        link = self.links.get(charger)
        number = link.number if link is not None else 0
        asked = Asked(trio.current_time(), charger, number, message_id, action, text)
        self.book.asked.append(asked)
        if link is None:
            asked.error = "not connected"
            return asked
        async with link.one_call if waits_turn else contextlib.nullcontext():
            await self._ask(link, asked, within_s)
        return asked

    async def _ask(self, link: Standing, asked: Asked, within_s: float) -> None:
        link.asked[asked.id] = asked
        with trio.move_on_after(within_s):
            try:
                await link.socket.send_message(asked.text)
            except ConnectionClosed:
                asked.error = "gone"
                return
            await asked.came.wait()
        if asked.answered_at is None and asked.error is None:
            asked.error = "timeout"  # a late answer is still noted

    async def say(self, charger: str, text: str | bytes) -> None:
        """Send anything, unjudged."""
        link = self.links.get(charger)
        if link is not None:
            with contextlib.suppress(ConnectionClosed):
                await link.socket.send_message(text)

    async def babble(self, charger: str, texts: tuple[str | bytes, ...] = RUBBISH) -> None:
        """Send what no CSMS should: no JSON, no frames, frames of nothing, wrong kinds."""
        for text in texts:
            await self.say(charger, text)

    # -- the link --------------------------------------------------------------------------------

    def dial(self, nursery: trio.Nursery, link: Link | None = None) -> Dial:
        """A way to reach it in memory, over `wire` or a line of its own."""
        return memory_dial(nursery, self.serve, link or self.wire)

    async def listen(
        self, port: int = 0, host: str = "127.0.0.1",
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:  # fmt: skip
        """Over TCP until cancelled; while its line is cut nobody listens. Started with the port."""
        while True:
            listeners = await trio.open_tcp_listeners(port, host=host)
            if port == 0:
                port = listeners[0].socket.getsockname()[1]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, self.serve, listeners)
                task_status.started(port)
                task_status = trio.TASK_STATUS_IGNORED
                await self._cut.wait()
                nursery.cancel_scope.cancel()
            await self._restored.wait()

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection, from its first byte to its end."""
        knock = self.book.knock(trio.current_time())
        if self.tls is not None:
            stream = trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
        with trio.CancelScope() as scope:
            self._scopes[knock.number] = scope
            try:
                if not self.is_cut:
                    await self._let_in(stream, knock)
            except* (ProtocolError, ConnectionClosed, trio.BrokenResourceError, OSError) as group:
                knock.outcome = knock.outcome or repr(group.exceptions[0])
            finally:
                del self._scopes[knock.number]
                knock.ended_at = trio.current_time()
                await trio.aclose_forcefully(stream)

    async def _let_in(self, stream: trio.abc.Stream, knock: Knock) -> None:
        if self._door is not None:
            knock.outcome = self._door.__name__.strip("_")
            await self._door(stream, knock)
            return
        async with trio.open_nursery() as nursery:
            request: WebSocketRequest | None = None
            with trio.move_on_after(HANDSHAKE_S):
                request = await wrap_server_stream(
                    nursery, stream, max_message_size=FRAME_BYTES_MAX
                )
            if request is not None:
                await self._admit(request, knock)
            nursery.cancel_scope.cancel()

    async def _admit(self, request: WebSocketRequest, knock: Knock) -> None:
        """The handshake: who is it, may it, and then its link until that ends."""
        headers = {name.lower(): value for name, value in request.headers}
        knock.path = request.path
        knock.subprotocols = tuple(request.proposed_subprotocols)
        authorization = headers.get(b"authorization")
        knock.authorization = authorization.decode("latin-1") if authorization else None
        root, _, last = request.path.partition("?")[0].rpartition("/")
        knock.charger = unquote(last)
        refused = self._refuses or self._refused(knock, root)
        if refused is not None:
            knock.outcome = f"HTTP {refused[0]}"
            await request.reject(refused[0], extra_headers=refused[1], body=b"no")
            return
        socket = await request.accept(subprotocol=self._subprotocol)
        await self._stand(Standing(knock.charger, self.book.open(knock), socket))

    def _refused(self, knock: Knock, root: str) -> Refusal | None:
        """Why it may not come in, as an HTTP status and headers; None: it may."""
        if root != self.root or not knock.charger:
            return 404, []
        if knock.charger in self._shut:
            return self._shut[knock.charger], []
        if SUBPROTOCOL not in knock.subprotocols:
            return 400, []
        wanted = self.passwords
        if wanted is not None:
            password = wanted if isinstance(wanted, str) else wanted.get(knock.charger)
            if password is None or _basic(knock.authorization) != (knock.charger, password):
                return 401, [(b"WWW-Authenticate", b'Basic realm="csms"')]
        return None

    async def _stand(self, link: Standing) -> None:
        """A link from its opening to its end; it takes the place of an older one."""
        older = self.links.pop(link.charger, None)
        if older is not None:
            with trio.move_on_after(CLOSE_S):
                await older.socket.aclose(4000, "replaced by a newer link")
        self.links[link.charger] = link
        try:
            with link.life, trio.move_on_after(
                math.inf if self._flaps_s is None else self._flaps_s
            ):
                await self._talk(link)
            if link.closes is not None:
                with trio.move_on_after(CLOSE_S):
                    await link.socket.aclose(link.closes.code, link.closes.reason)
        finally:
            if self.links.get(link.charger) is link:
                del self.links[link.charger]
            for asked in link.asked.values():
                asked.error = asked.error or "gone"
                asked.came.set()

    async def _talk(self, link: Standing) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                await self._reads.wait()
                try:
                    text = await link.socket.get_message()
                except ConnectionClosed:
                    break
                await self._hear(link, text, nursery)
            nursery.cancel_scope.cancel()

    async def _hear(self, link: Standing, text: str | bytes, nursery: trio.Nursery) -> None:
        try:
            frame = json.loads(text)
            kind, message_id = frame[0], str(frame[1])
            parts = [frame[n] for n in range(2, PARTS[kind])]
            said = text if isinstance(text, str) else text.decode()
        except (ValueError, LookupError, TypeError, RecursionError):
            self.book.strays.append((link.charger, repr(text)[:200]))
            self.judge.complain("CSMS", f"expected a frame of OCPP-J, got {text[:80]!r}")
            return
        if kind != CALL:
            self._answered(link, message_id, kind, parts[0], said)
        elif self._slow_s > 0:
            nursery.start_soon(self._reply, link, message_id, str(parts[0]), said, self._slow_s)
        else:
            await self._reply(link, message_id, str(parts[0]), said, 0.0)

    def _answered(
        self, link: Standing, message_id: str, kind: int, payload: Any, said: str
    ) -> None:
        asked = link.asked.pop(message_id, None)
        if asked is None:
            self.book.strays.append((link.charger, said[:200]))
            return
        asked.said, asked.answered_at = said, trio.current_time()
        if kind == RESULT:
            self.judge.received("CSMS", RESULT, asked.action, payload)
            asked.answer, asked.error = payload, None
        else:
            asked.error = str(payload)
        asked.came.set()

    async def _reply(
        self, link: Standing, message_id: str, action: str, said: str, after_s: float
    ) -> None:
        """Note a call, let it have its effect at once, and answer it."""
        now = trio.current_time()
        told = self.book.note(now, link.charger, link.number, message_id, action, said)
        told.wrongs = self.judge.received("CSMS", CALL, action, told.payload)
        if self._is_mute:
            return
        text = self._answers.answer(told, now)
        if text is None:
            return
        if after_s > 0:
            await trio.sleep(after_s)
        told.answered_at = trio.current_time()  # what answers to it may come before we go on
        try:
            await link.socket.send_message(text)
        except ConnectionClosed:
            told.answered_at = None


# -- doors -----------------------------------------------------------------------------------------


async def _say_nothing(stream: trio.abc.Stream, _knock: Knock) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass


async def _speak_other(stream: trio.abc.Stream, _knock: Knock) -> None:
    await _head(stream)
    await stream.send_all(b"220 mail.example.org ESMTP\r\n" * 3)


def _choose(name: str) -> Door:
    """A door that opens with a subprotocol of its own: what no WebSocket library lets one do."""

    async def subprotocol(stream: trio.abc.Stream, knock: Knock) -> None:
        head = await _head(stream)
        lines = head.decode("latin-1").split("\r\n")
        knock.path = lines[0].split(" ")[1] if " " in lines[0] else ""
        knock.charger = unquote(knock.path.rpartition("/")[2])
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        kept = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        key = next((v for k, v in kept.items() if k.lower() == "sec-websocket-key"), "")
        knock.subprotocols = tuple(fields.get("sec-websocket-protocol", "").split(", "))
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest())
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n"
            b"Sec-WebSocket-Protocol: " + name.encode() + b"\r\n\r\n"
        )
        await _say_nothing(stream, knock)

    return subprotocol


async def _head(stream: trio.abc.Stream) -> bytes:
    """The head of an HTTP request, or what came of it before the other end went."""
    come = b""
    while b"\r\n\r\n" not in come and len(come) < HEAD_BYTES_MAX:
        data = await stream.receive_some()
        if not data:
            break
        come += bytes(data)
    return come


def _basic(authorization: str | None) -> tuple[str, str] | None:
    """User and password of an Authorization header; None: it has none that can be read."""
    kind, _, coded = (authorization or "").partition(" ")
    try:
        user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if kind.lower() == "basic" else None
