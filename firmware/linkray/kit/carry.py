"""Takes one file to a mail, FTP or web server, and says in words what came of it.

Blocking, with a limit on every step; run it in a process that may be ended. The protocols are the
standard library's. Knows nothing of what is in the file.
"""

from __future__ import annotations

import base64
import ftplib
import http.client
import secrets
import smtplib
import socket
import ssl
from contextlib import ExitStack, suppress
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal
from urllib.parse import quote

import msgspec

from .outward import NOT_TRUSTED, Forbidden, client_context, dial, no_line

ANSWER_BYTES_MAX = 64 * 1024  # of a web server, which is not shown
WORDS_MAX = 200  # of what a server says
GOODBYE_S = 5.0
IN_CLEAR = "the password was kept back, for without TLS anybody could read it"


class Target(msgspec.Struct, frozen=True):
    """Where a file goes, and how."""

    protocol: Literal["smtp", "ftp", "http"]
    security: Literal["starttls", "tls", "none"]
    host: str
    port: int
    username: str
    password: str
    in_clear: bool  # the password may be sent without TLS
    ca: str
    sender: str
    receivers: tuple[str, ...]
    path: str
    field: str
    within_s: float
    loopback: bool = False


class Parcel(msgspec.Struct, frozen=True):
    """A file. Whoever gets it twice gets it under the same name and `message_id`."""

    name: str
    content: bytes
    message_id: str
    made: str  # UTC, ISO 8601
    subject: str
    text: str


class NotTaken(Exception):
    """The file is not there, or nobody knows whether it is: why, in words."""


def carry(target: Target, parcel: Parcel) -> str:
    """Take it there; what the server said. Raises `NotTaken`."""
    if not target.host:
        raise NotTaken("no server is set")
    if target.password and target.security == "none" and not target.in_clear:
        raise NotTaken(IN_CLEAR)
    how = {"smtp": _by_mail, "ftp": _by_ftp, "http": _by_http}[target.protocol]
    try:
        return how(target, parcel)
    except (OSError, EOFError, ValueError, smtplib.SMTPException, ftplib.Error,
            http.client.HTTPException) as error:  # fmt: skip
        raise NotTaken(why(error, target)) from error


def why(error: BaseException, target: Target) -> str:
    """The same in words for an installer."""
    match error:
        case ssl.SSLCertVerificationError():
            known = NOT_TRUSTED.get(error.verify_code)
            return f"the server's certificate {known or f'is not right: {error.verify_message}'}"
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return "the server closed the connection in the middle"
        case ssl.SSLError():
            return f"TLS with the server failed: {error.reason or error}"
        case TimeoutError():
            return f"the server did not answer within {target.within_s:g} s"
        case smtplib.SMTPServerDisconnected() if isinstance(error.__context__, TimeoutError):
            return why(error.__context__, target)
        case smtplib.SMTPServerDisconnected() | EOFError() | http.client.RemoteDisconnected():
            return "the server closed the connection in the middle"
        case ConnectionResetError() | BrokenPipeError():
            return "the server closed the connection in the middle"
        case smtplib.SMTPNotSupportedError():
            return f"the server does not offer what is set: {_plain(str(error))}"
        case smtplib.SMTPRecipientsRefused():
            return f"the server refused it: {_said(*next(iter(error.recipients.values())))}"
        case smtplib.SMTPResponseException():
            return f"the server refused it: {_said(error.smtp_code, error.smtp_error)}"
        case ftplib.Error():
            return f"the server refused it: {_plain(str(error))}"
        case http.client.HTTPException() | smtplib.SMTPException():
            return f"the server does not speak {target.protocol.upper()} at this port"
        case Forbidden():
            return str(error)
        case OSError():
            return f"no connection to {target.host}:{target.port}: {no_line(error)}"
    return _plain(str(error))


def _said(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {_plain(text)}".strip()


def _plain(text: str) -> str:
    """What a server says, on one line and not for ever."""
    return "".join(one if one.isprintable() else " " for one in text).strip()[:WORDS_MAX]


def _line(target: Target) -> tuple[socket.socket, ssl.SSLContext | None]:
    """A connection, already TLS where it is to be from the first byte."""
    context = None if target.security == "none" else client_context(target.ca)
    line = dial(target.host, target.port, target.within_s, loopback=target.loopback)
    if target.security == "tls" and context is not None:
        with ExitStack() as stack:
            stack.callback(line.close)  # closed only where TLS comes to nothing
            line = context.wrap_socket(line, server_hostname=target.host)
            stack.pop_all()
    return line, context


# -- mail ------------------------------------------------------------------------------------------


class _Mail(smtplib.SMTP):
    """Over a connection of ours."""

    def __init__(self, target: Target, line: socket.socket) -> None:
        self._line = line
        super().__init__(target.host, target.port, "linkray.local", target.within_s)

    def _get_socket(self, *_where: object) -> socket.socket:
        return self._line

    def sign_in(self, name: str, word: str) -> None:
        """The library knows ASCII alone; where there is more, RFC 4616 says UTF-8."""
        if f"{name}{word}".isascii():
            self.login(name, word)
            return
        pair = base64.b64encode(f"\0{name}\0{word}".encode()).decode()
        code, said = self.docmd("AUTH", f"PLAIN {pair}")
        if code != 235:
            raise smtplib.SMTPAuthenticationError(code, said)


def letter(target: Target, parcel: Parcel) -> EmailMessage:
    """The e-mail; the same each time it is sent."""
    mail = EmailMessage()
    mail["From"] = target.sender
    mail["To"] = ", ".join(target.receivers)
    mail["Subject"] = parcel.subject
    mail["Date"] = format_datetime(_moment(parcel.made))
    mail["Message-ID"] = f"<{parcel.message_id}@linkray.local>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in return
    mail.set_content(parcel.text)
    mail.add_attachment(parcel.content, maintype="text", subtype="csv", filename=parcel.name,
                        params={"charset": "utf-8"})  # fmt: skip
    return mail


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


def _by_mail(target: Target, parcel: Parcel) -> str:
    line, context = _line(target)
    with _Mail(target, line) as server:
        server.ehlo()
        if target.security == "starttls":
            server.starttls(context=context)
            server.ehlo()
        if target.username:
            server.sign_in(target.username, target.password)
        mail = letter(target, parcel)
        refused = server.send_message(mail, target.sender, target.receivers)
        if refused:  # some have it: to them it would come twice
            told = ", ".join(sorted(refused))
            return f"taken, but not for {_plain(told)}"
    return "taken"


# -- FTP -------------------------------------------------------------------------------------------


class _Ftp(ftplib.FTP_TLS):
    """Over a connection of ours. Data connections take up the TLS session of the first, which many
    servers insist on.
    """

    def begin(self, target: Target, line: socket.socket) -> None:
        self.host, self.timeout, self.af = target.host, target.within_s, line.family
        self.sock = line
        self.file = line.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int]:
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321  # wrapped below
        if isinstance(self.sock, ssl.SSLSocket):
            data = self.context.wrap_socket(
                data, server_hostname=self.host, session=self.sock.session
            )
        return data, size or 0

    def store(self, name: str, content: bytes) -> None:
        """As `storbinary`, and with servers that end TLS without a word."""
        self.voidcmd("TYPE I")
        with self.transfercmd(f"STOR {name}") as data:
            data.sendall(content)
            if isinstance(data, ssl.SSLSocket):
                data.settimeout(GOODBYE_S)
                with suppress(OSError):
                    data.unwrap()
        self.voidresp()


def _by_ftp(target: Target, parcel: Parcel) -> str:
    """Under another name until it is whole, so that nobody reads half a file."""
    line, context = _line(target)
    with _Ftp(context=context, encoding="utf-8") as server:
        server.begin(target, line)
        is_tls = target.security != "none"
        word = target.password if target.username else ""  # it is not for `anonymous`
        server.login(target.username, word, secure=is_tls)
        if is_tls:
            server.prot_p()
        if target.path.strip("/"):
            server.cwd(target.path)
        half = f"{parcel.name}.part"
        server.store(half, parcel.content)
        try:
            server.rename(half, parcel.name)
        except ftplib.error_perm:  # of an earlier attempt, whose answer was lost
            server.delete(parcel.name)
            server.rename(half, parcel.name)
        with suppress(OSError, EOFError, ftplib.Error):
            server.quit()
    return "taken"


# -- the web ---------------------------------------------------------------------------------------


def _by_http(target: Target, parcel: Parcel) -> str:
    line, _context = _line(target)
    way = http.client.HTTPConnection(target.host, target.port, timeout=target.within_s)
    way.sock = line
    try:
        method, path, body, kind = _request(target, parcel)
        headers = {"Content-Type": kind, "Idempotency-Key": f'"{parcel.message_id}"',
                   "User-Agent": "LinkRay", "Connection": "close"}  # fmt: skip
        if target.username:
            pair = base64.b64encode(f"{target.username}:{target.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        if target.port in {80, 443}:
            headers["Host"] = f"[{target.host}]" if ":" in target.host else target.host
        way.request(method, path, body, headers)
        answer = way.getresponse()
        answer.read(ANSWER_BYTES_MAX)
    finally:
        way.close()
    if 200 <= answer.status < 300:
        return f"taken: {answer.status} {_plain(answer.reason)}".strip()
    if 300 <= answer.status < 400:
        raise NotTaken(f"the server answered HTTP {answer.status}: it is somewhere else; give its "
                       "new address")  # fmt: skip
    raise NotTaken(f"the server refused it: {answer.status} {_plain(answer.reason)}".strip())


def _request(target: Target, parcel: Parcel) -> tuple[str, str, bytes, str]:
    """Method, path, body and its kind."""
    path = "/" + quote(target.path.strip("/"), safe="/?=&%+.-_~")
    if not target.field:
        name = quote(parcel.name)
        return "PUT", f"{path.rstrip('/')}/{name}", parcel.content, "text/csv; charset=utf-8"
    mark = f"linkray-{secrets.token_hex(16)}"
    head = (
        f'--{mark}\r\nContent-Disposition: form-data; name="{target.field}"; '
        f'filename="{parcel.name}"\r\nContent-Type: text/csv; charset=utf-8\r\n\r\n'
    )  # fmt: skip
    body = head.encode() + parcel.content + f"\r\n--{mark}--\r\n".encode()
    return "POST", path, body, f"multipart/form-data; boundary={mark}"
