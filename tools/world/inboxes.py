"""Servers that files are sent to: a mailbox, an FTP folder, a web server. Real sockets on loopback.

Each can be told to behave as servers do: `habit`. They speak their protocols by hand, with the
standard library alone, and keep what they took under its name.
"""

from __future__ import annotations

import base64
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal, cast

import h11
import trio

Habit = Literal[
    "takes",
    "hangs",  # says nothing at all
    "hangs_up",  # ends the connection at once
    "drops",  # takes the bytes, keeps nothing and ends the connection
    "loses_answer",  # keeps the file and ends the connection before it says so
    "refuses",  # in words
    "moved",  # a web server that is elsewhere
]
LINE_MAX = 64 * 1024


class HungUp(Exception):
    """The connection is to end without a word."""


class Lines:
    """A stream read by lines, that becomes TLS when both sides want it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._held = b""

    async def read(self) -> bytes | None:
        """A line without its end; None: the other side has gone."""
        while b"\n" not in self._held:
            more = await self.stream.receive_some(LINE_MAX)
            if not more:
                return None
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line.rstrip(b"\r")

    async def say(self, text: str) -> None:
        await self.stream.send_all(f"{text}\r\n".encode())

    async def secure(self, context: ssl.SSLContext) -> None:
        """What was sent before is not what was secured (CVE-2011-0411)."""
        assert not self._held
        secured = trio.SSLStream(self.stream, context, server_side=True, https_compatible=True)
        await secured.do_handshake()
        self.stream = secured


class Inbox(ABC):
    """What they have in common: a port, a habit, and what they took."""

    def __init__(
        self, context: ssl.SSLContext | None = None, *, at_once: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.context = context
        self.at_once = at_once  # TLS from the first byte
        self.login = login
        self.habit: Habit = "takes"
        self.files: dict[str, bytes] = {}  # by name
        self.taken: list[str] = []  # each time that one was kept
        self.visits = 0
        self.in_clear: list[str] = []  # what was said that anybody could read
        self.port = 0

    async def serve(self, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            task_status.started(self.port)
            await trio.serve_listeners(self._visited, [listener], handler_nursery=nursery)

    async def _visited(self, stream: trio.abc.Stream) -> None:
        self.visits += 1
        with suppress(HungUp, trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
            await self._received(stream)

    async def _received(self, stream: trio.abc.Stream) -> None:
        lines = Lines(stream)
        try:
            if self.habit == "hangs_up":
                return
            if self.habit == "hangs":
                await trio.sleep_forever()
            if self.at_once and self.context is not None:
                await lines.secure(self.context)
            await self.converse(lines)
        finally:
            await trio.aclose_forcefully(stream)

    @abstractmethod
    async def converse(self, lines: Lines) -> None:
        """Until the visitor goes."""

    def knows(self, name: str, password: str) -> bool:
        return self.login is None or (name, password) == self.login

    def keep(self, name: str, content: bytes) -> None:
        """As the habit is; raises `HungUp`."""
        if self.habit == "drops":
            raise HungUp
        self.files[name] = content
        self.taken.append(name)
        if self.habit == "loses_answer":
            raise HungUp

    def heard(self, lines: Lines, text: str) -> None:
        if not isinstance(lines.stream, trio.SSLStream):
            self.in_clear.append(text)


class Mailbox(Inbox):
    """SMTP with STARTTLS or TLS from the start, PLAIN and LOGIN. A letter is kept by Message-ID."""

    def __init__(self, *args: ssl.SSLContext | None, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]  # as they came
        self.letters: dict[str, EmailMessage] = {}

    async def converse(self, lines: Lines) -> None:
        await lines.say("220 mail.example ESMTP")
        signed_in = self.login is None
        while (line := await lines.read()) is not None:
            text = line.decode()
            self.heard(lines, text)
            verb = text.partition(" ")[0].upper()
            if verb in {"EHLO", "HELO"}:
                await self._offer(lines)
            elif verb == "STARTTLS" and self.context is not None:
                await lines.say("220 go ahead")
                await lines.secure(self.context)
            elif verb == "AUTH":
                signed_in = await self._sign_in(lines, text)
                await lines.say("235 welcome" if signed_in else "535 5.7.8 wrong password")
            elif verb == "RCPT" and self.habit == "refuses":
                await lines.say("550 5.1.1 no such mailbox")
            elif verb == "MAIL" and not signed_in:
                await lines.say("530 5.7.0 sign in first")
            elif verb == "DATA":
                await self._letter(lines)
            elif verb == "QUIT":
                await lines.say("221 bye")
                return
            else:
                await lines.say("250 ok")

    async def _offer(self, lines: Lines) -> None:
        is_tls = isinstance(lines.stream, trio.SSLStream)
        offers = ["mail.example", "8BITMIME"]
        offers += ["STARTTLS"] * (self.context is not None and not is_tls)
        offers += ["AUTH PLAIN LOGIN"] * (self.login is not None)
        for one in offers[:-1]:
            await lines.say(f"250-{one}")
        await lines.say(f"250 {offers[-1]}")

    async def _sign_in(self, lines: Lines, text: str) -> bool:
        how, _, first = text.partition(" ")[2].partition(" ")
        if how.upper() == "PLAIN":
            _, name, word = base64.b64decode(first).decode().split("\0")
        else:
            name = base64.b64decode(first).decode()
            await lines.say("334 UGFzc3dvcmQ6")
            word = base64.b64decode(await lines.read() or b"").decode()
        return self.knows(name, word)

    async def _letter(self, lines: Lines) -> None:
        await lines.say("354 end with a point")
        body = b""
        while (line := await lines.read()) != b".":
            if line is None:
                raise HungUp
            body += line.removeprefix(b".") + b"\r\n"
        letter = message_from_bytes(body, policy=policy.default)
        if self.habit != "drops":
            self.letters[letter["Message-ID"]] = letter
        for part in letter.iter_attachments():
            self.keep(part.get_filename() or "", cast("bytes", part.get_payload(decode=True)))
        await lines.say("250 2.0.0 kept")


class Folder(Inbox):
    """FTP in passive mode, with AUTH TLS or TLS from the start."""

    def __init__(self, *args: ssl.SSLContext | None, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.at = ""

    async def converse(self, lines: Lines) -> None:
        await lines.say("220 files.example")
        one = _Visit(self, lines)
        try:
            await self._visit(lines, one)
        finally:
            await one.leave()

    async def _visit(self, lines: Lines, one: _Visit) -> None:
        while (line := await lines.read()) is not None:
            text = line.decode()
            self.heard(lines, text)
            verb, _, rest = text.partition(" ")
            act: Callable[[str], object] | None = getattr(one, f"do_{verb.lower()}", None)
            if act is None:
                await lines.say("502 not here")
            else:
                await act(rest)  # type: ignore[misc]  # each is async
            if verb.upper() == "QUIT":
                return


class _Visit:
    """Somebody at an FTP folder."""

    def __init__(self, folder: Folder, lines: Lines) -> None:
        self.folder, self.lines, self.say = folder, lines, lines.say
        self.name, self.renamed, self.is_private, self.signed_in = "", "", False, False
        self.listener: trio.SocketListener | None = None

    async def leave(self) -> None:
        if self.listener is not None:
            await trio.aclose_forcefully(self.listener)

    async def do_auth(self, _rest: str) -> None:
        if self.folder.context is None:
            await self.say("534 no TLS here")
            return
        await self.say("234 go ahead")
        await self.lines.secure(self.folder.context)

    async def do_user(self, rest: str) -> None:
        self.name = rest
        await self.say("331 and the password?")

    async def do_pass(self, rest: str) -> None:
        self.signed_in = self.folder.knows(self.name, rest)
        await self.say("230 welcome" if self.signed_in else "530 Login incorrect")

    async def do_pbsz(self, _rest: str) -> None:
        await self.say("200 ok")

    async def do_prot(self, rest: str) -> None:
        self.is_private = rest.upper() == "P"
        await self.say("200 ok")

    async def do_type(self, _rest: str) -> None:
        await self.say("200 ok")

    async def do_cwd(self, rest: str) -> None:
        self.folder.at = rest
        await self.say("250 ok")

    async def do_pasv(self, _rest: str) -> None:
        (self.listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = self.listener.socket.getsockname()[1]
        # another address than its own, as behind NAT: whoever trusts it goes elsewhere
        await self.say(f"227 here (192,0,2,1,{port // 256},{port % 256})")

    async def do_stor(self, rest: str) -> None:
        if self.folder.habit == "refuses" or self.listener is None or not self.signed_in:
            await self.say("553 no room")
            return
        await self.say("150 go on")
        async with self.listener:
            stream: trio.abc.Stream = await self.listener.accept()
        if self.is_private and self.folder.context is not None:
            stream = trio.SSLStream(
                stream, self.folder.context, server_side=True, https_compatible=True
            )
        content = b""
        async with stream:
            while more := await stream.receive_some(LINE_MAX):
                content += more
        if self.folder.habit == "drops":
            self.folder.files[rest] = content[: len(content) // 2]  # half of it lies there
            raise HungUp
        self.folder.files[rest] = content
        await self.say("226 kept")

    async def do_rnfr(self, rest: str) -> None:
        self.renamed = rest
        await self.say("350 and to what?" if rest in self.folder.files else "550 not there")

    async def do_rnto(self, rest: str) -> None:
        if rest in self.folder.files:
            await self.say("553 it is there already")
            return
        content = self.folder.files.pop(self.renamed)
        self.folder.keep(rest, content)
        await self.say("250 ok")

    async def do_dele(self, rest: str) -> None:
        known = self.folder.files.pop(rest, None)
        await self.say("250 gone" if known is not None else "550 not there")

    async def do_quit(self, _rest: str) -> None:
        await self.say("221 bye")


class WebServer(Inbox):
    """Takes files by PUT, or as a field of a form by POST; Basic authentication."""

    def __init__(self, *args: ssl.SSLContext | None, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.fields: list[str] = []

    async def converse(self, lines: Lines) -> None:
        peer = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        body = b""
        while True:
            event = peer.next_event()
            if event is h11.NEED_DATA:
                peer.receive_data(bytes(await lines.stream.receive_some(LINE_MAX)))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                break
        if request is None:
            return
        status, why = self._took(request, body)
        answer = h11.Response(status_code=status, reason=why, headers=[
            ("content-length", "0"), ("connection", "close"), ("location", "https://x.example/"),
        ])  # fmt: skip
        await lines.stream.send_all(peer.send(answer) + peer.send(h11.EndOfMessage()))

    def _took(self, request: h11.Request, body: bytes) -> tuple[int, str]:
        headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        method, path = request.method.decode(), request.target.decode()
        self.requests.append((method, path, headers))
        _, _, pair = headers.get("authorization", "").partition(" ")
        name, _, word = base64.b64decode(pair).decode().partition(":")
        if not self.knows(name, word):
            return 401, "Unauthorized"
        if self.habit == "moved":
            return 301, "Moved Permanently"
        if self.habit == "refuses":
            return 507, "Insufficient Storage"
        if method == "PUT":
            self.keep(path.rpartition("/")[2], body)
            return 201, "Created"
        form = message_from_bytes(
            f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body,
            policy=policy.default,
        )
        for part in form.iter_parts():
            self.fields.append(str(part.get_param("name", header="content-disposition")))
            payload = part.get_payload(decode=True)
            self.keep(part.get_filename() or "", cast("bytes", payload))
        return 200, "OK"
