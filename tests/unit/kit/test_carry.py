"""A file is taken to mail, FTP and web servers that behave as servers do; every word is told."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
from tests.unit.csms.authority import DAY, NOW, Authority
from tools.world.inboxes import Folder, Inbox, Mailbox, WebServer

from linkray.kit.carry import IN_CLEAR, NotTaken, Parcel, Target, carry
from linkray.kit.outward import Forbidden, dial, may_dial

pytestmark = pytest.mark.realtime

CONTENT = "Charge number;Ladekarte\r\n1;Ä\r\n.\r\n..2;=1\r\n".encode() * 500
PARCEL = Parcel(
    "linkray-LR1-records-00007.csv", CONTENT, "linkray-LR1-records-00007.LR1",
    "2026-11-23T00:01:05.000Z", "Car park: charge data records", "3 sessions.\n",
)  # fmt: skip
BILLS = Target(
    "smtp", "none", "localhost", 0, "", "", in_clear=False, ca="", sender="box@site.example",
    receivers=("bills@office.example", "two@office.example"), path="", field="", within_s=0.2,
    loopback=True,
)  # fmt: skip
LOGIN = ("box", "pa:ss wörd")
SIGNER = Authority()
CA = SIGNER.pem


@asynccontextmanager
async def serving(inbox: Inbox):
    async with trio.open_nursery() as nursery:
        await nursery.start(inbox.serve)
        yield inbox
        nursery.cancel_scope.cancel()


async def sent(inbox: Inbox, to: Target, parcel: Parcel = PARCEL) -> str:
    """What the server said, or the words of the failure."""
    to = msgspec.structs.replace(to, port=inbox.port)
    try:
        return await trio.to_thread.run_sync(lambda: carry(to, parcel))
    except NotTaken as error:
        return f"not taken: {error}"


def how(to: Target = BILLS, **more) -> Target:
    return msgspec.structs.replace(to, **more)


FTP, WEB = how(protocol="ftp"), how(protocol="http")
KINDS = [(Mailbox, BILLS), (Folder, FTP), (WebServer, WEB), (WebServer, how(WEB, field="f"))]
CUT = "not taken: the server closed the connection in the middle"


@pytest.mark.parametrize(("kind", "to"), KINDS)
async def test_a_file_arrives_as_it_is_whatever_is_in_it(kind, to):
    async with serving(kind()) as inbox:
        assert (await sent(inbox, to)).startswith("taken")
    assert inbox.files == {PARCEL.name: CONTENT}


@pytest.mark.parametrize(("kind", "to"), KINDS)
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_over_tls_nothing_but_its_beginning_is_in_the_clear(kind, to, security, tmp_path):
    if kind is WebServer and security == "starttls":
        return
    inbox = kind(SIGNER.server(tmp_path, "localhost"), at_once=security == "tls", login=LOGIN)
    to = how(to, security=security, ca=CA, username=LOGIN[0], password=LOGIN[1])
    async with serving(inbox):
        assert (await sent(inbox, to)).startswith("taken")
    assert inbox.taken == [PARCEL.name]
    assert {one.partition(" ")[0].upper() for one in inbox.in_clear} <= {"EHLO", "STARTTLS", "AUTH"}


@pytest.mark.parametrize(("kind", "to"), KINDS)
async def test_a_server_that_loses_its_answer_gets_it_again_in_the_same_place(kind, to):
    async with serving(kind()) as inbox:
        inbox.habit = "loses_answer"
        assert await sent(inbox, to) == CUT
        inbox.habit = "takes"
        assert (await sent(inbox, to)).startswith("taken")
    assert list(inbox.files) == [PARCEL.name]
    assert inbox.taken == [PARCEL.name] * 2
    if isinstance(inbox, Mailbox):
        (letter,) = inbox.letters.values()
        assert letter["Message-ID"] == f"<{PARCEL.message_id}@linkray.local>"
        assert letter["To"] == "bills@office.example, two@office.example"
        assert letter["Date"] == "Mon, 23 Nov 2026 00:01:05 +0000"
    if isinstance(inbox, WebServer):
        assert len({h["idempotency-key"] for _m, _p, h in inbox.requests}) == 1


@pytest.mark.parametrize(("kind", "to"), KINDS)
async def test_half_a_file_is_nowhere_under_its_name(kind, to):
    async with serving(kind()) as inbox:
        inbox.habit = "drops"
        assert await sent(inbox, to) == CUT
        assert PARCEL.name not in inbox.files
        inbox.habit = "takes"
        assert (await sent(inbox, to)).startswith("taken")
    assert list(inbox.files) == [PARCEL.name]


@pytest.mark.parametrize(("kind", "to"), KINDS)
@pytest.mark.parametrize(
    ("habit", "words"),
    [("hangs", "the server did not answer within 0.2 s"), ("hangs_up", "in the middle"),
     ("refuses", "the server refused it: 5")],
)  # fmt: skip
async def test_every_other_end_is_told_in_words(kind, to, habit, words):
    async with serving(kind()) as inbox:
        inbox.habit = habit
        told = await sent(inbox, to)
    assert words in told
    assert not inbox.taken


async def test_where_nobody_listens_or_the_name_is_none_is_told():
    inbox = WebServer()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        inbox.port = nobody.getsockname()[1]
        told = await sent(inbox, WEB)
        assert told == (f"not taken: no connection to localhost:{inbox.port}: Connection refused; "
                        "nothing answers at this port")  # fmt: skip
    assert await sent(inbox, how(WEB, host="")) == "not taken: no server is set"


@pytest.mark.parametrize(
    ("kind", "to"), [(Mailbox, BILLS), (Folder, FTP), (WebServer, how(WEB, field="file"))]
)
async def test_a39_a_password_is_not_sent_where_anybody_could_read_it(kind, to):
    to = how(to, username=LOGIN[0], password=LOGIN[1])
    async with serving(kind(login=LOGIN)) as inbox:
        assert await sent(inbox, to) == f"not taken: {IN_CLEAR}"
        assert inbox.visits == 0
        assert (await sent(inbox, how(to, in_clear=True))).startswith("taken")
        wrong = await sent(inbox, how(to, in_clear=True, password="other"))
    assert wrong.startswith("not taken: the server refused it: ")


async def test_a39_a_password_without_a_name_is_kept_back_and_never_the_guests():
    to = how(FTP, password=LOGIN[1])
    async with serving(Folder()) as inbox:
        assert await sent(inbox, to) == f"not taken: {IN_CLEAR}"
        assert inbox.visits == 0
        assert await sent(inbox, how(to, in_clear=True)) == "taken"
    assert [one for one in inbox.in_clear if one.startswith("PASS")] == ["PASS anonymous@"]


async def test_starttls_that_is_not_offered_is_not_gone_without():
    async with serving(Mailbox()) as inbox:
        told = await sent(inbox, how(security="starttls", ca=CA))
        assert "does not offer" in told
        folder = Folder()
        async with serving(folder):
            assert "534" in await sent(folder, how(FTP, security="starttls", ca=CA))
    assert not inbox.taken
    assert not folder.taken


@pytest.mark.parametrize(
    ("made", "host", "words"),
    [({"host": "other.example"}, "localhost", "is for another name"),
     ({}, "127.0.0.1", "is for another address"),
     ({"since": NOW - 9 * DAY, "until": NOW - DAY}, "localhost", "has expired (or the clock is"),
     ({"since": NOW + DAY}, "localhost", "is not valid yet (or the clock is wrong)")],
)  # fmt: skip
async def test_a29_a_certificate_that_is_not_right_is_refused_and_says_why(
    made, host, words, tmp_path
):
    inbox = WebServer(SIGNER.server(tmp_path, **{"host": "localhost", **made}), at_once=True)
    async with serving(inbox):
        told = await sent(inbox, how(WEB, host=host, security="tls", ca=CA))
    assert told.startswith("not taken: the server's certificate ")
    assert words in told
    assert not inbox.taken


@pytest.mark.parametrize(("kind", "to"), [(Mailbox, BILLS), (Folder, FTP)])
async def test_a29_a_stranger_is_not_trusted_after_starttls_either(kind, to, tmp_path):
    inbox = kind(SIGNER.server(tmp_path, "localhost"), login=LOGIN)
    to = how(to, security="starttls", username=LOGIN[0], password=LOGIN[1])
    async with serving(inbox):
        assert "issuer" in await sent(inbox, to)
        told = await sent(inbox, how(to, ca="no certificate"))
    assert told.startswith("not taken: expected a CA file with a certificate in PEM")
    assert all(LOGIN[0] not in one for one in inbox.in_clear)


async def test_a_web_server_that_has_moved_is_not_followed():
    async with serving(WebServer()) as inbox:
        inbox.habit = "moved"
        told = await sent(inbox, how(WEB, path="/up load/ä?to=1"))
    assert told == (
        "not taken: the server answered HTTP 301: it is somewhere else; give its new address"
    )
    method, path, _headers = inbox.requests[0]
    assert (method, path) == ("PUT", f"/up%20load/%C3%A4?to=1/{PARCEL.name}")
    assert inbox.visits == 1


async def test_a_form_has_the_field_that_is_set_and_a_folder_is_gone_into():
    async with serving(WebServer()) as inbox:
        await sent(inbox, how(WEB, path="in", field="datei"))
    assert (inbox.fields, inbox.requests[0][:2]) == (["datei"], ("POST", "/in"))
    async with serving(Folder()) as folder:
        await sent(folder, how(FTP, path="/bills/2026"))
    assert folder.at == "/bills/2026"


async def test_an_ftp_server_that_names_another_address_is_not_believed():
    """192.0.2.1 in its answer to PASV: the data goes to where the first connection went."""
    async with serving(Folder()) as folder:
        assert await sent(folder, FTP) == "taken"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1%eth0",
     "224.0.0.251", "0.0.0.0", "::", "ff02::1", "::ffff:169.254.169.254", "255.255.255.255"],
)  # fmt: skip
def test_a26_nothing_is_sent_to_this_box_or_to_what_has_no_router(address):
    assert not may_dial(address)
    assert may_dial(address, loopback=True) == ("127." in address or address == "::1")


@pytest.mark.parametrize("address", ["192.168.1.20", "10.0.0.5", "203.0.113.7", "2001:db8::1"])
def test_a26_a_server_on_the_sites_network_is_as_good_as_one_on_the_internet(address):
    assert may_dial(address)


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "0177.0.0.1"])
def test_a26_other_spellings_of_this_box_are_found_out(host):
    with pytest.raises(Forbidden):
        dial(host, 1, 0.2)
