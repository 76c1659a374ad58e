"""Client certificates: made, handed over once, revoked, asked for; and nobody shuts himself out."""

from __future__ import annotations

import stat
from datetime import timedelta

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import pkcs12
from tests.unit.access.papers import NOW

from linkray.access.clients import ASKED, CLIENTS_MAX, FOLDER, KEY, ClientDesk
from linkray.access.fitted import NotFitted
from linkray.kit.clock import WallClock, stamp
from linkray.model import asks
from linkray.model.clients import CLIENTS, Clients, read_clients, write_clients
from linkray.store.runner import Inline

WORD = "a word for the file"
HOSTILE = '=1+1 <img src=x onerror="alert(1)"> \u202e'


class Bench:
    """The box's client certificates in a folder, its store in memory."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.lines: list[tuple[str, str, str]] = []
        self.kv: dict[str, str] = {}
        self.ahead = timedelta()
        self.desk = ClientDesk(
            self, folder, Inline(), WallClock(lambda: NOW + self.ahead), serial="LR-1",
            turn=trio.Lock(),
        )

    async def audit(self, who, what, old="", new="") -> None:
        await trio.lowlevel.checkpoint()
        self.lines.append((what, old, new))

    async def remember(self, key, value) -> None:
        await trio.lowlevel.checkpoint()
        self.kv[key] = value

    def recall(self, key):
        return self.kv.get(key)

    @property
    def now(self) -> Clients:
        return read_clients(self.kv.get(CLIENTS))

    def who(self, certificate: str = "", level: int = 3) -> asks.Who:
        return asks.Who("Assembler", level, "192.0.2.7", certificate=certificate)

    async def make(self, name="Ann", level=3, days=30):
        said = await self.desk.do(asks.MakeClient(name, level, WORD, days), self.who())
        return said.data

    async def refused(self, ask: asks.Ask, certificate: str = "") -> str:
        with pytest.raises(NotFitted) as told:
            await self.desk.do(ask, self.who(certificate))
        return str(told.value)


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


async def test_a_certificate_is_made_with_its_key_in_a_file_that_only_its_password_opens(bench):
    made = await bench.make("Ann", 2)

    key, leaf, above = pkcs12.load_key_and_certificates(made.content, WORD.encode())
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(made.content, b"another")
    assert leaf is not None
    assert key is not None
    assert leaf.fingerprint(hashes.SHA256()).hex() == made.certificate.fingerprint
    assert f"{leaf.serial_number:x}" == made.certificate.id
    assert stamp(leaf.not_valid_after_utc) == made.certificate.expires
    asked = x509.load_pem_x509_certificate((bench.folder / FOLDER / ASKED).read_bytes())
    assert above == [asked]
    leaf.verify_directly_issued_by(asked)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert bench.now.certificates == (made.certificate,)


async def test_a_revocation_while_another_is_made_stays(bench):
    first = await bench.make("Ann")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.make, "Bob")
        nursery.start_soon(bench.desk.do, asks.RevokeClient(first.certificate.id), bench.who())
        nursery.start_soon(bench.make, "Cid")

    assert {one.name: bool(one.revoked) for one in bench.now.certificates} == {
        "Ann": True, "Bob": False, "Cid": False,
    }  # fmt: skip


async def test_an_authority_made_anew_has_a_name_of_its_own(bench):
    """Else a browser offers what the one before has signed, and TLS ends there."""
    await bench.make("Ann")
    before = x509.load_pem_x509_certificate((bench.folder / FOLDER / ASKED).read_bytes())
    await bench.desk.do(asks.RemoveClients(), bench.who())
    await bench.make("Ann")
    after = x509.load_pem_x509_certificate((bench.folder / FOLDER / ASKED).read_bytes())
    assert before.subject != after.subject


async def test_a21_a_key_and_its_password_are_kept_nowhere_and_the_authoritys_for_us_alone(bench):
    made = await bench.make("Ann")
    key, _leaf, _above = pkcs12.load_key_and_certificates(made.content, WORD.encode())
    number = format(key.private_numbers().private_value, "x")

    kept = bench.kv[CLIENTS] + repr(bench.lines)
    files = {path.name for path in (bench.folder / FOLDER).iterdir()}
    assert WORD not in kept
    assert number not in kept
    assert files == {KEY, ASKED}
    for name in files:
        assert stat.S_IMODE((bench.folder / FOLDER / name).stat().st_mode) == 0o600
    assert b"PRIVATE" not in (bench.folder / FOLDER / ASKED).read_bytes()


async def test_the_authority_stays_and_one_that_cannot_be_read_is_made_anew(bench):
    await bench.make("Ann")
    asked = (bench.folder / FOLDER / ASKED).read_bytes()
    await bench.make("Ben")
    assert (bench.folder / FOLDER / ASKED).read_bytes() == asked

    (bench.folder / FOLDER / KEY).write_bytes(b"not a key")
    last = await bench.make("Cid")
    _key, leaf, above = pkcs12.load_key_and_certificates(last.content, WORD.encode())
    fresh = x509.load_pem_x509_certificate((bench.folder / FOLDER / ASKED).read_bytes())
    assert above == [fresh]
    leaf.verify_directly_issued_by(fresh)


@pytest.mark.parametrize(("wrong", "words"), [
    ({"name": ""}, "Expected a name"), ({"name": "x" * 65}, "Expected a name"),
    ({"name": "a\nb"}, "Expected a name"), ({"name": " a"}, "Expected a name"),
    ({"level": 0}, "Expected a level"), ({"level": 4}, "Expected a level"),
    ({"days": 0}, "Expected from 1"), ({"days": 4_000}, "Expected from 1"),
    ({"password": "short"}, "Expected a password"), ({"password": "x" * 200}, "Expected a passw"),
])  # fmt: skip
async def test_what_no_certificate_can_be_made_of_is_refused_and_nothing_is_made(
    bench, wrong, words
):
    ask = asks.MakeClient(**{"name": "Ann", "level": 3, "password": WORD, **wrong})
    assert (await bench.refused(ask)).startswith(words)
    assert (bench.lines, bench.kv, list(bench.folder.iterdir())) == ([], {}, [])


async def test_a13_a_hostile_name_is_a_name_and_no_more(bench):
    assert "can be read" in await bench.refused(asks.MakeClient(HOSTILE, 3, WORD))
    made = await bench.make(HOSTILE[:-2])
    assert made.certificate.name == HOSTILE[:-2]


async def test_a7_a_revoked_or_expired_certificate_opens_nothing_and_then_leaves_the_list(bench):
    made = (await bench.make("Ann")).certificate
    utc = stamp(NOW)
    assert bench.now.opens(3, made.fingerprint, utc)

    await bench.desk.do(asks.RevokeClient(made.id), bench.who())
    assert not bench.now.opens(3, made.fingerprint, utc)
    assert bench.now.certificates[0].revoked == utc
    await bench.desk.do(asks.RevokeClient(made.id), bench.who())
    assert bench.now.certificates == ()

    short = (await bench.make("Ben", days=1)).certificate
    bench.ahead = timedelta(days=1)
    assert not bench.now.opens(3, short.fingerprint, stamp(NOW + bench.ahead))
    await bench.desk.do(asks.RevokeClient(short.id), bench.who())
    assert bench.now.certificates == ()
    assert [what for what, _old, _new in bench.lines if "list" in what or "revoked" in what] == [
        "client certificate revoked", "client certificate off the list",
        "client certificate off the list",
    ]  # fmt: skip


async def test_a10_a_certificate_opens_its_own_level_and_those_below(bench):
    made = (await bench.make("Ann", 2)).certificate
    asked = Clients(1, (made,), (1, 2, 3))
    utc = stamp(NOW)
    assert [asked.refusal(level, made.fingerprint, utc) == "" for level in (1, 2, 3)] == [
        True, True, False,
    ]  # fmt: skip
    assert "lower level" in asked.refusal(3, made.fingerprint, utc)
    assert "shown none" in asked.refusal(1, "", utc)
    assert "shown none" in asked.refusal(1, "ab" * 32, utc)
    assert "expired" in asked.refusal(1, made.fingerprint, made.expires)
    assert Clients(1, (made,), (3,)).refusal(1, "", utc) == ""


async def test_nobody_asks_for_a_certificate_that_he_has_not_come_with(bench):
    top = (await bench.make("Ann", 3)).certificate
    low = (await bench.make("Ben", 1)).certificate

    words = await bench.refused(asks.RequireClients(3, on=True))
    assert "Come with a valid client certificate" in words
    assert "Come with" in await bench.refused(asks.RequireClients(3, on=True), low.fingerprint)
    assert "from 1 to 3" in await bench.refused(asks.RequireClients(9, on=True), top.fingerprint)
    assert bench.now.required == ()
    await bench.desk.do(asks.RequireClients(1, on=True), bench.who(low.fingerprint))
    await bench.desk.do(asks.RequireClients(3, on=True), bench.who(top.fingerprint))
    assert bench.now.required == (1, 3)
    await bench.desk.do(asks.RequireClients(1, on=False), bench.who(top.fingerprint))
    assert bench.now.required == (3,)


async def test_the_last_certificate_that_opens_assembler_is_not_revoked_nor_ones_own(bench):
    first = (await bench.make("Ann", 3)).certificate
    await bench.desk.do(asks.RequireClients(3, on=True), bench.who(first.fingerprint))

    assert "you came with" in await bench.refused(
        asks.RevokeClient(first.id), first.fingerprint
    )
    second = (await bench.make("Ben", 3)).certificate
    await bench.desk.do(asks.RevokeClient(first.id), bench.who(second.fingerprint))
    assert "the last one" in await bench.refused(asks.RevokeClient(second.id), "other")
    await bench.desk.do(asks.RequireClients(3, on=False), bench.who(second.fingerprint))
    await bench.desk.do(asks.RevokeClient(second.id), bench.who(second.fingerprint))


async def test_all_are_removed_with_the_authority_and_no_account_asks_for_one(bench):
    made = (await bench.make("Ann", 3)).certificate
    await bench.desk.do(asks.RequireClients(3, on=True), bench.who(made.fingerprint))
    before = bench.now.seq

    await bench.desk.do(asks.RemoveClients(), bench.who(made.fingerprint))

    assert (bench.now.certificates, bench.now.required) == ((), ())
    assert bench.now.seq > before
    assert list((bench.folder / FOLDER).iterdir()) == []
    assert bench.lines[-1] == ("client certificates removed", "1 of them", "")


async def test_there_are_so_many_and_no_more_and_a_box_without_a_folder_makes_none(bench):
    made = (await bench.make("Ann")).certificate
    bench.kv[CLIENTS] = write_clients(Clients(1, (made,) * CLIENTS_MAX))
    assert f"There are {CLIENTS_MAX}" in await bench.refused(asks.MakeClient("Ben", 1, WORD))
    bench.desk = ClientDesk(bench, None, Inline(), WallClock.fixed(NOW), serial="LR-1",
                            turn=trio.Lock())  # fmt: skip
    assert "nowhere" in await bench.refused(asks.MakeClient("Ben", 1, WORD))
