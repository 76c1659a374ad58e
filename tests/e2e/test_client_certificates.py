"""Client certificates on real sockets: what TLS proves is what counts, and nothing else does."""

from __future__ import annotations

import contextlib
import functools
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.unit.access.papers import certificate as paper
from tests.unit.access.papers import ec_key, key_pem
from tests.unit.desk.stand import Shelf, desk_of
from tests.unit.faces.browser import Noted

from linkray.access.clients import ClientDesk
from linkray.access.door import Door
from linkray.desk.task import open_desk, serve_desk
from linkray.faces.web.task import serve_web
from linkray.kit import secret, tls
from linkray.kit.clock import WallClock
from linkray.model import asks
from linkray.model.asks import Account
from linkray.records.books import Books
from linkray.store.runner import Inline

pytestmark = pytest.mark.realtime

WORD, FILE_WORD = "blue whale sings low", "a word for the file"
ME = asks.Who("Assembler", 3)


class Served:
    """A box whose pages are served here, with its client certificates."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.shelf = Shelf()
        self.shelf.kept["Assembler"] = Account("Assembler", 3, secret.hash_password(WORD))
        self.behind = timedelta()  # of the clock by which certificates are made
        clock = WallClock(lambda: datetime.now(UTC) - self.behind)
        self.clients = ClientDesk(
            Noted(self.shelf), state, Inline(), clock, serial="LR1", turn=trio.Lock()
        )
        self.port = 0

    async def make(self, name: str, level: int = 3, days: int = 30) -> Path:
        """A certificate with its key as a file of PEM, as a browser keeps what it has imported."""
        told = await self.clients.do(asks.MakeClient(name, level, FILE_WORD, days), ME)
        key, leaf, _above = pkcs12.load_key_and_certificates(
            told.data.content, FILE_WORD.encode()
        )
        assert key is not None
        assert leaf is not None
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self.state / f"{name}.pem"
        path.write_bytes(pem + leaf.public_bytes(Encoding.PEM))
        return path

    async def require(self, of: Path) -> None:
        found = next(one for one in self.certificates() if one.name == of.stem)
        who = asks.Who("Assembler", 3, certificate=found.fingerprint)
        await self.clients.do(asks.RequireClients(3, on=True), who)

    def certificates(self):
        return self.clients._now().certificates

    async def ask(
        self, method: str, path: str, body: object = None, *, shown: Path | None = None,
        cookie: str = "", at_most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> tuple[int, dict[str, str], str]:  # fmt: skip
        """One request on a connection of its own, made by a client that shows this certificate.

        Status, headers, text; 0 where the box has ended the connection without a word.
        """
        context = ssl.create_default_context(cafile=self.state / "tls" / tls.FILE)
        context.maximum_version = at_most
        if shown is not None:
            context.load_cert_chain(shown)
        stream = trio.SSLStream(
            await trio.open_tcp_stream("127.0.0.1", self.port), context,
            server_hostname="localhost", https_compatible=True,
        )  # fmt: skip
        data = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close",
                "Origin: https://localhost", f"Content-Length: {len(data)}"]  # fmt: skip
        head += ["Content-Type: application/json"] if data else []
        head += [f"Cookie: {cookie}"] if cookie else []
        came = b""
        with contextlib.suppress(trio.BrokenResourceError), trio.fail_after(10):
            async with stream:
                await stream.send_all("\r\n".join([*head, "", ""]).encode() + data)
                while more := await stream.receive_some():
                    came += more
        if not came:
            return 0, {}, ""
        top, _, rest = came.decode().partition("\r\n\r\n")
        lines = top.split("\r\n")
        told = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines[1:])}
        return int(lines[0].split()[1]), told, rest

    async def sign_in(self, shown: Path | None = None, **more) -> tuple[int, dict, str]:
        body = {"account": "Assembler", "password": WORD}
        return await self.ask("POST", "/api/v1/session", body, shown=shown, **more)


@contextlib.asynccontextmanager
async def served(state: Path) -> AsyncIterator[Served]:
    box = Served(state)
    async with trio.open_nursery() as nursery:
        desk = desk_of(box.shelf)
        box.clients._stir = desk.stir
        await nursery.start(functools.partial(serve_desk, open_desk(state), desk))
        start = functools.partial(
            serve_web, state, "127.0.0.1", 0, 0, Door(secret.fresh), Books()
        )
        box.port = (await nursery.start(start))[0]
        yield box
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a29_a_certificate_that_tls_has_proved_opens_and_its_session_stays_with_it(
    tmp_path: Path, most: ssl.TLSVersion
) -> None:
    async with served(tmp_path) as box:
        ann, low = await box.make("Ann"), await box.make("Low", 1)
        assert (await box.sign_in(ann, at_most=most))[0] == 200
        assert (await box.sign_in(at_most=most))[0] == 200, "nobody is asked for one yet"
        await box.require(ann)

        status, headers, _text = await box.sign_in(ann, at_most=most)
        refused = [await box.sign_in(None, at_most=most), await box.sign_in(low, at_most=most)]

        assert status == 200
        assert [one[0] for one in refused] == [403, 403]
        assert "shown none of this box" in refused[0][2]
        assert "lower level" in refused[1][2]
        cookie = headers["set-cookie"].split(";")[0]
        seen = [json.loads((await box.ask("GET", "/api/v1/session", shown=one, cookie=cookie))[2])
                for one in (ann, low, None)]  # fmt: skip
        assert [one["account"] for one in seen] == ["Assembler", None, None]


async def test_a29_whose_certificate_another_has_signed_gets_no_connection(tmp_path: Path) -> None:
    """By the same name, too: what counts is who has signed it."""
    async with served(tmp_path) as box:
        ann = await box.make("Ann")
        await box.require(ann)
        forged = tmp_path / "forged.pem"
        key, stranger = ec_key(), ec_key()
        same = paper(
            key, names=(), subject="Ann", by=("LinkRay LR1 people", stranger),
            begins=datetime.now(UTC), uses=(ExtendedKeyUsageOID.CLIENT_AUTH,),
        )  # fmt: skip
        forged.write_text(key_pem(key) + same)

        assert (await box.sign_in(forged))[0] == 0
        assert (await box.sign_in(ann))[0] == 200


async def test_a_certificate_that_is_over_or_revoked_is_refused_in_words(tmp_path: Path) -> None:
    async with served(tmp_path) as box:
        ann, ben = await box.make("Ann"), await box.make("Ben")
        await box.require(ann)
        box.behind = timedelta(days=2)
        old = await box.make("Old", days=1)
        box.behind = timedelta()

        status, _headers, text = await box.sign_in(old)
        assert (status, "has expired" in text) == (403, True)

        assert (await box.sign_in(ben))[0] == 200
        number = next(one.id for one in box.certificates() if one.name == "Ben")
        await box.clients.do(asks.RevokeClient(number), ME)
        status, _headers, text = await box.sign_in(ben)
        assert (status, "is revoked" in text) == (403, True)


async def test_without_any_certificate_made_nobody_is_asked_for_one(tmp_path: Path) -> None:
    async with served(tmp_path) as box:
        context = tls.Certificate(tmp_path / "tls", (), tmp_path / "clients" / "asked.pem")
        assert context.context().verify_mode is ssl.CERT_NONE
        await box.make("Ann")
        assert context.context().verify_mode is ssl.CERT_OPTIONAL
        await box.clients.do(asks.RemoveClients(), ME)
        assert context.context().verify_mode is ssl.CERT_NONE
