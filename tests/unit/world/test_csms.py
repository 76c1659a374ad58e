"""The simulated CSMS with chargers of the world directly on it: each of its scenes, its book."""

from __future__ import annotations

import base64
import json
import random
import ssl
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from tests.unit.world.central import Central
from tools.simulator.conservation import conserve
from tools.simulator.passing import disciplined, passed, returned
from tools.world import Car, Csms, Link, Make, Operator, World, a_profile, memory_dial, socket_dial
from tools.world.commands import Commands
from tools.world.csms import RUBBISH
from tools.world.csms_book import payload_text
from tools.world.operator import KINDS, PURPOSES
from tools.world.reported import Reported
from tools.world.schemas import BadFrameSent
from trio_websocket import ConnectionRejected, wrap_client_stream

from linkray.kit.tls import own_certificate, server_context

AT = Make(phases=1, path="/ocpp/site-7/{id}")
FOLDED = base64.b64encode(b"CP-1:secret").decode()
TWICE = {"a start is told again under another id", "a stop is told again under another id"}


@asynccontextmanager
async def at_csms(*names, make=AT, seed=1, ready=True, before=None, **made):
    """A world whose chargers dial a CSMS themselves: nobody stands between."""
    world = World(seed)
    for name in names or ("CP-1",):
        world.add_charger(name, make=make, password=made.get("passwords"))
    csms = world.add_csms(path="/ocpp", prefix="site-7", **made)
    world.keep_books(frames=True)
    if before is not None:
        before(csms)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run, csms.dial(nursery))
        for charger in world.chargers.values() if ready else ():
            await charger.wait_ready()
        await trio.sleep(1)
        yield world, csms
        nursery.cancel_scope.cancel()


async def charge(charger, connector=1, tag="TAG1", for_s=90.0):
    charger.plug(Car(phases=1), connector)
    charger.present_tag(tag, connector)
    await trio.sleep(for_s)


def whole(world, csms, **how):
    """What is not conserved, each thing once."""
    account = conserve(world.reported(), csms.book, may_thin=False, **how)
    return {one.state["what"] for one in account.violations}


# -- as it should be -------------------------------------------------------------------------------


async def test_a_session_is_told_once_in_its_order_and_byte_by_byte():
    async with at_csms() as (world, csms):
        charger = world.charger("CP-1")
        await charge(charger)
        charger.unplug()
        await trio.sleep(2)
        [one] = csms.book.transactions("CP-1")
        assert [told.payload["transactionId"] for told in one.stops] == [one.id]
        assert one.start.payload["idTag"] == "TAG1"
        told = [told.action for told in csms.book.told["CP-1"]]
        assert told[0] == "BootNotification"
        assert [a for a in told if "Transaction" in a or a == "MeterValues"] == [
            "StartTransaction", "MeterValues", "StopTransaction",
        ]  # fmt: skip
        assert whole(world, csms) == set()
        assert passed(world.reported(), csms.book, is_live=True) == []
        assert csms.complaints == world.complaints == []


async def test_its_clock_is_the_worlds_and_may_be_off():
    async with at_csms() as (world, csms):
        csms.set_clock(3_600)
        await Operator(csms, "CP-1").trigger("Heartbeat")
        await trio.sleep(1)
        answer = csms.book.of("Heartbeat")[-1].answer
        assert answer["currentTime"].startswith("2026-06-15T13:00:")
        assert world.charger("CP-1").stamp().startswith("2026-06-15T13:00:")


async def test_what_the_schema_does_not_allow_is_answered_and_noted():
    async with at_csms() as (world, csms):
        world.charger("CP-1").say('[2,"odd","StatusNotification",{"connectorId":"1"}]')
        world.charger("CP-1").say('[2,"new","Invented",{"a":1}]')
        world.charger("CP-1").say('[2,"to","DataTransfer",{"vendorId":"v","data":"x"}]')
        await trio.sleep(1)
        assert csms.book.of("StatusNotification")[-1].wrongs
        assert csms.book.of("Invented")[-1].error == "NotImplemented"
        assert csms.book.of("DataTransfer")[-1].answer == {"status": "Accepted", "data": "x"}
        assert csms.complaints


# -- its door --------------------------------------------------------------------------------------


async def test_who_comes_by_another_path_or_without_the_password_is_not_let_in():
    async with at_csms("CP 1", passwords="secret") as (world, csms):
        assert csms.is_linked("CP 1")
        assert csms.book.knocks[0].path == "/ocpp/site-7/CP%201"
    for path in ("/CP-1", "/ocpp/CP-1", "/ocpp/site-8/CP-1", "/ocpp/site-7/"):
        async with at_csms(make=Make(path=path), ready=False) as (world, csms):
            assert csms.book.knocks[0].outcome == "HTTP 404"
    for wanted in ("other", {"CP-1": "other"}, {"CP-2": "secret"}):
        async with at_csms(ready=False) as (world, csms):
            csms.passwords = wanted
            world.charger("CP-1").password = "secret"
            csms.drop()
            await trio.sleep(10)
            knock = csms.book.knocks[-1]
            assert (knock.outcome, knock.link) == ("HTTP 401", 0)
            assert knock.authorization == f"Basic {FOLDED}"
            csms.passwords = {"CP-1": "secret"}
            await csms.wait_linked("CP-1")
    async with at_csms(make=Make(path="/ocpp/site-7/{id}", subprotocols=()), ready=False) as (
        world, csms,
    ):  # fmt: skip
        assert csms.book.knocks[0].outcome == "HTTP 400"


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Bearer abc", "Basic /w=="])
async def test_an_authorization_that_cannot_be_read_is_none(header):
    async with at_csms(passwords="secret") as (_world, csms):
        assert await knock(csms, [(b"Authorization", header.encode())]) == "HTTP 401"


async def knock(csms, headers):
    with pytest.RaisesGroup(ConnectionRejected):
        async with trio.open_nursery() as nursery:
            stream = await csms.dial(nursery)()
            await wrap_client_stream(
                nursery, stream, "csms", "/ocpp/site-7/CP-9", subprotocols=["ocpp1.6"],
                extra_headers=headers,
            )  # fmt: skip
    return csms.book.knocks[-1].outcome


@pytest.mark.parametrize(
    ("scene", "outcome"),
    [
        (Csms.say_nothing, "say_nothing"),
        (Csms.speak_other, "speak_other"),
        (Csms.refuse, "HTTP 503"),
        (partial(Csms.refuse, status=500), "HTTP 500"),
        (partial(Csms.redirect, where="ws://127.0.0.1/other"), "HTTP 302"),
        (partial(Csms.choose_subprotocol, name="ocpp2.0.1"), "subprotocol"),
    ],
)
async def test_k4_a_door_that_does_not_open_and_opens_again(scene, outcome):
    async with at_csms(ready=False, before=scene) as (world, csms):
        charger = world.charger("CP-1")
        await trio.sleep(60)
        assert {one.outcome for one in csms.book.knocks} <= {outcome}
        assert len(csms.book.knocks) > 1
        assert csms.book.told == {}
        csms.obey()
        csms.drop()
        await charger.wait_ready()
        assert csms.is_linked("CP-1")


async def test_k4_it_may_open_the_websocket_and_be_deaf():
    async with at_csms(
        ready=False, before=partial(Csms.choose_subprotocol, name="ocpp1.6")
    ) as (world, csms):
        await trio.sleep(20)
        assert world.charger("CP-1").is_connected
        assert not world.charger("CP-1").is_booted
        assert csms.book.told == {}


async def test_k4_it_may_choose_no_subprotocol_at_all():
    async with at_csms(before=partial(Csms.choose_subprotocol, name=None)) as (world, csms):
        assert csms.is_linked("CP-1")
        assert world.charger("CP-1").is_connected


async def test_one_charger_may_be_shut_out():
    async with at_csms("CP-1", "CP-2") as (_world, csms):
        csms.shut_out("CP-1")
        csms.drop()
        await csms.wait_linked("CP-2")
        await trio.sleep(5)
        assert not csms.is_linked("CP-1")
        assert "HTTP 404" in [one.outcome for one in csms.book.knocks if one.charger == "CP-1"]
        csms.obey()
        await csms.wait_linked("CP-1")


async def test_who_connects_and_says_nothing_is_hung_up_on():
    csms = Csms()
    async with trio.open_nursery() as nursery:
        stream = await csms.dial(nursery)()
        with trio.fail_after(20):
            assert await stream.receive_some() == b""
        assert csms.book.knocks[0].link == 0
        stream = await csms.dial(nursery)()
        await stream.send_all(b"EHLO\r\n\r\n")
        with trio.fail_after(20):
            while await stream.receive_some():
                pass


# -- its line --------------------------------------------------------------------------------------


async def test_k1_a_line_that_is_cut_breaks_links_and_lets_nobody_dial_until_restored():
    async with at_csms() as (world, csms):
        charger = world.charger("CP-1")
        charger.plug(Car(phases=1))
        csms.cut()
        await trio.sleep(5)
        knocks = len(csms.book.knocks)
        assert not charger.is_connected
        charger.present_tag("TAG1")
        await trio.sleep(300)
        charger.unplug()
        assert len(csms.book.knocks) == knocks
        assert csms.is_cut
        csms.restore()
        await trio.sleep(40)
        assert [t.payload["reason"] for t in csms.book.of("StopTransaction")] == ["EVDisconnected"]
        assert whole(world, csms) == set()
        assert csms.book.told["CP-1"][-1].link == 2


async def test_k3_a_line_that_flaps_opens_and_breaks_every_five_seconds():
    async with at_csms(ready=False, before=Csms.flap) as (world, csms):
        charger = world.charger("CP-1")
        await charge(charger, for_s=120)
        open_s = [one.ended_at - one.at for one in csms.book.knocks if one.ended_at is not None]
        assert len(open_s) > 5
        assert open_s == pytest.approx([5.0] * len(open_s))
        csms.obey()
        charger.unplug()
        await trio.sleep(120)
        assert whole(world, csms) <= TWICE
        assert disciplined(csms.book)  # it dials far oftener than LinkRay may


async def test_it_may_open_and_close_at_once():
    async with at_csms(ready=False, before=partial(Csms.flap, after_s=0)) as (world, csms):
        await trio.sleep(30)
        assert all(one.ended_at == one.at for one in csms.book.knocks)
        assert not world.charger("CP-1").is_booted


async def test_n2_a_line_that_goes_half_open_tells_nobody():
    async with at_csms() as (world, csms):
        csms.wire.half_open()
        await trio.sleep(20)
        assert csms.is_linked("CP-1")
        assert world.charger("CP-1").is_connected
        assert (await Operator(csms, "CP-1", within_s=5).clear_cache()).error == "timeout"


async def test_a_link_may_be_closed_as_websockets_are():
    async with at_csms("CP-1", "CP-2") as (_world, csms):
        csms.drop("CP-1", code=1001)
        await trio.sleep(0.5)
        assert (csms.is_linked("CP-1"), csms.is_linked("CP-2")) == (False, True)
        await csms.wait_linked("CP-1")
        assert csms.book.links["CP-1"] == 2
        assert csms.book.links["CP-2"] == 1


async def test_a_newer_link_of_a_charger_takes_the_place_of_the_older():
    async with at_csms() as (world, csms):
        world.charger("CP-1").pull_cable()
        await trio.sleep(10)
        assert csms.links["CP-1"].number == 2
        await trio.sleep(60)
        assert (await Operator(csms, "CP-1").clear_cache()).status == "Accepted"


@pytest.mark.realtime
async def test_over_tcp_a_cut_line_has_no_listener():
    world = World(1)
    world.add_charger("CP-1", make=AT)
    csms = world.add_csms(path="/ocpp", prefix="site-7")
    async with trio.open_nursery() as nursery:
        port = await nursery.start(csms.listen)

        async def dial():
            return await trio.open_tcp_stream("127.0.0.1", port)

        nursery.start_soon(world.run, dial)
        await world.charger("CP-1").wait_ready()
        csms.cut()
        with trio.fail_after(10):
            while world.charger("CP-1").is_connected:  # noqa: ASYNC110  # its own doing
                await trio.sleep(0.02)
        with pytest.raises(OSError):
            await dial()
        csms.restore()
        await csms.wait_linked("CP-1")
        assert (await Operator(csms, "CP-1").reset()).status == "Accepted"
        nursery.cancel_scope.cancel()


@pytest.mark.realtime
async def test_over_tls_a_charger_may_trust_it_or_not(tmp_path):
    pem = own_certificate(tmp_path, ["localhost"])
    world, trusting = World(1), ssl.create_default_context(cafile=pem)
    world.add_charger("CP-1", make=AT)
    csms = world.add_csms(path="/ocpp", prefix="site-7", tls=server_context(pem))
    async with trio.open_nursery() as nursery:
        port = await nursery.start(csms.listen)
        doubting = await socket_dial("localhost", port, ssl.create_default_context())()
        with pytest.raises(trio.BrokenResourceError):
            await doubting.send_all(b"GET / HTTP/1.1\r\n\r\n")
        await trio.aclose_forcefully(doubting)
        nursery.start_soon(world.run, socket_dial("localhost", port, trusting))
        await world.charger("CP-1").wait_ready()
        assert [one.outcome for one in csms.book.knocks] == ["", "open"]
        nursery.cancel_scope.cancel()


# -- its answers -----------------------------------------------------------------------------------


async def test_k12_each_answer_may_come_late_and_no_charger_waits_for_another():
    async with at_csms("CP-1", "CP-2") as (world, csms):
        csms.answer_after(20.0)
        began = trio.current_time()
        for name in world.chargers:
            world.charger(name).plug(Car(phases=1))
            world.charger(name).present_tag("TAG1")
        await trio.sleep(70)
        given = [one.start.answered_at for one in csms.book.transactions()]
        assert len(given) == 2
        assert max(given) - began < 65
        assert whole(world, csms, is_over=False) == set()


async def test_k12_what_comes_later_than_a_charger_waits_has_had_its_effect():
    async with at_csms() as (world, csms):
        csms.answer_with("Authorize", {"idTagInfo": {"status": "Accepted"}})
        charger = world.charger("CP-1")
        charger.plug(Car(phases=1))
        charger.present_tag("TAG1")
        csms.answer_after(60.0)
        await trio.sleep(200)
        csms.obey()
        await trio.sleep(60)
        assert len(csms.book.of("StartTransaction")) > 1
        assert whole(world, csms, is_over=False) <= {*TWICE, "a session was given two ids"}


async def test_it_may_stand_and_answer_nothing():
    async with at_csms() as (world, csms):
        csms.stop_answering()
        await charge(world.charger("CP-1"), for_s=20)
        assert csms.book.told["CP-1"][-1].answer is None
        assert world.charger("CP-1").reported.sessions == []
        csms.answer_again()
        await trio.sleep(60)
        assert world.charger("CP-1").reported.sessions[0].ids


async def test_it_may_stand_and_not_even_read():
    async with at_csms("CP-1", "CP-2") as (world, csms):
        csms.stop_reading()
        noted = len(csms.book.told["CP-1"])
        await Operator(csms, "CP-1", within_s=1).trigger("StatusNotification", 1)
        await trio.sleep(5)
        assert len(csms.book.told["CP-1"]) <= noted + 1  # one was under way
        assert world.charger("CP-1").is_connected
        csms.read_again()
        await trio.sleep(1)
        assert csms.book.told["CP-1"][-1].action == "StatusNotification"
        assert csms.book.asked[0].answer == {"status": "Accepted"}  # late, and noted all the same


async def test_k5_an_answer_is_lost_after_it_was_stored():
    async with at_csms() as (world, csms):
        csms.lose_answers("StartTransaction", charger="CP-1")
        await charge(world.charger("CP-1"), for_s=120)
        lost, again = csms.book.of("StartTransaction")
        assert (lost.is_lost, lost.is_taken, lost.answered_at) == (True, True, None)
        assert again.is_taken
        # This charger says it again under another id, as chargers do: to the CSMS it is another.
        assert whole(world, csms, is_over=False) == {"a start is told again under another id"}
        assert len(csms.book.transactions()) == 2


async def test_k6_an_action_is_answered_with_errors_so_many_times():
    async with at_csms("CP-1", "CP-2") as (world, csms):
        csms.answer_error("StartTransaction", times=2, code="InternalError", charger="CP-1")
        for charger in world.chargers.values():
            charger.plug(Car(phases=1))
            charger.present_tag("TAG1")
        await trio.sleep(60)
        told = csms.book.of("StartTransaction", "CP-1")
        assert [one.error for one in told] == ["InternalError", "InternalError", None]
        assert [one.is_taken for one in told] == [False, False, True]
        assert [one.error for one in csms.book.of("StartTransaction", "CP-2")] == [None]
        assert whole(world, csms, is_over=False) == set()


async def test_k6_what_gets_errors_only_is_set_aside_by_the_charger_too():
    async with at_csms() as (world, csms):
        csms.answer_error("StartTransaction")
        await charge(world.charger("CP-1"), for_s=200)
        world.charger("CP-1").unplug()
        await trio.sleep(5)
        assert [one.error for one in csms.book.of("StartTransaction")] == ["InternalError"] * 3
        assert csms.book.transactions() == []
        assert csms.book.of("StopTransaction")[0].payload["transactionId"] == -1
        assert whole(world, csms) == set()


@pytest.mark.parametrize("status", ["Invalid", "Blocked", "Expired"])
async def test_k7_a_tag_may_not_charge(status):
    async with at_csms() as (world, csms):
        charger = world.charger("CP-1")
        csms.say_of_tag("tag1", status, parentIdTag="FLEET")
        charger.plug(Car(phases=1))
        charger.present_tag("TAG1")
        await trio.sleep(5)
        told = csms.book.of("Authorize")[-1].answer["idTagInfo"]
        assert told == {"status": status, "parentIdTag": "FLEET"}
        assert charger.reported.sessions == []
        csms.cut()
        await trio.sleep(2)
        charger.present_tag("TAG1")  # begun offline, and refused when it is told
        csms.restore()
        await trio.sleep(60)
        assert charger.reported.sessions[0].reason == "DeAuthorized"
        assert csms.book.of("StopTransaction")[-1].payload["reason"] == "DeAuthorized"
        assert whole(world, csms) == set()


async def test_k8_two_sessions_get_one_id():
    async with at_csms() as (world, csms):
        charger = world.charger("CP-1")
        csms.give_same_id(times=1)
        for tag in ("TAG1", "TAG2", "TAG3"):
            await charge(charger, tag=tag, for_s=20)
            charger.unplug()
            await trio.sleep(2)
        one, two, three = (one.id for one in csms.book.transactions())
        assert one == two != three
        assert whole(world, csms) == set()


START = '{"connectorId":1,"idTag":"TAG1","meterStart":0,"timestamp":"2026-06-15T12:00:00Z"}'


async def say(csms, *texts):
    """A client of its own says these, and hears what is answered to each."""
    heard = []
    async with trio.open_nursery() as nursery:
        stream = await csms.dial(nursery)()
        link = await wrap_client_stream(
            nursery, stream, "csms", "/ocpp/site-7/CP-9", subprotocols=["ocpp1.6"]
        )
        for text in texts:
            await link.send_message(text)
            heard.append(json.loads(await link.get_message()))
        await link.aclose()
        nursery.cancel_scope.cancel()
    return heard


@pytest.mark.parametrize("changes", [False, True])
async def test_k8_a_start_told_again_as_it_was_has_its_id_or_another(changes):
    csms = Csms(path="/ocpp/site-7")
    if changes:
        csms.change_ids()
    start = f'[2,"s1","StartTransaction",{START}]'
    one, again, other = await say(csms, start, start, start.replace("s1", "s2"))
    assert (one[2]["transactionId"] == again[2]["transactionId"]) is not changes
    assert other[2]["transactionId"] not in (one[2]["transactionId"], again[2]["transactionId"])
    assert [told.is_repeat for told in csms.book.of("StartTransaction")] == [False, True, False]
    first, second = csms.book.transactions()
    assert first.ids == [one[2]["transactionId"], again[2]["transactionId"]]
    assert second.id == other[2]["transactionId"]


@pytest.mark.parametrize("given", [0, -1, 2**31, 2**63, "17", None, 1.5])
async def test_it_gives_whatever_ids_it_is_told(given):
    csms = Csms(path="/ocpp/site-7")
    csms.give_ids(given)
    [answer] = await say(csms, f'[2,"s1","StartTransaction",{START}]')
    assert answer[2]["transactionId"] == given


async def test_an_answer_may_be_none_and_its_message_has_had_its_effect():
    async with at_csms() as (world, csms):
        csms.answer_rubbish("BootNotification", {"status": 17}, times=1)
        csms.answer_rubbish("StartTransaction", {"transactionId": "x"}, times=1)
        world.charger("CP-1").reboot()
        await trio.sleep(60)
        assert world.charger("CP-1").is_booted
        await charge(world.charger("CP-1"), for_s=60)
        spoilt, again = csms.book.of("StartTransaction")
        assert (spoilt.is_spoilt, again.is_spoilt) == (True, False)
        assert world.charger("CP-1").connector().transaction.id == again.answer["transactionId"]


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_a_boot_may_be_put_off(status):
    async with at_csms(ready=False, before=lambda c: c.boot_as(status, 30)) as (world, csms):
        await trio.sleep(100)
        boots = csms.book.of("BootNotification")
        assert [one.answer["status"] for one in boots] == [status] * 4
        assert csms.book.of("StatusNotification") == []
        csms.obey()
        await world.charger("CP-1").wait_ready()


# -- what it says of its own -----------------------------------------------------------------------


async def test_it_says_anything_and_a_charger_lives_through_it():
    async with at_csms() as (world, csms):
        charger = world.charger("CP-1")
        await charge(charger, for_s=10)
        await csms.babble("CP-1")
        await trio.sleep(2)
        assert charger.dials == 1
        assert len(world.complaints) > len(RUBBISH) // 2
        assert (await Operator(csms, "CP-1").clear_cache()).status == "Accepted"
        assert charger.connector().transaction is not None
        await csms.say("CP-2", "nobody hears it")
        stray = [text for _charger, text in csms.book.strays]
        assert all(text.startswith(("[3,", "[4,")) for text in stray)


async def test_it_must_not_call_wrongly_unless_it_is_told_to():
    async with at_csms() as (_world, csms):
        with pytest.raises(BadFrameSent):
            await csms.call("CP-1", "Reset", {"type": "Medium"})
        asked = await csms.call("CP-1", "Reset", {"type": "Medium"}, is_judged=False)
        assert asked.error == "FormationViolation"
        with pytest.raises(LookupError, match="FormationViolation"):
            _ = asked.status


async def test_every_call_reaches_the_charger_and_its_answer_is_kept():
    until = "2026-06-16T12:00:00Z"
    async with at_csms() as (world, csms):
        charger, operator = world.charger("CP-1"), Operator(csms, "CP-1")
        await operator.change_configuration("AuthorizeRemoteTxRequests", "true")
        charger.plug(Car(phases=1))
        assert (await operator.remote_start("TAG1", 1, a_profile("TxProfile"))).status == "Accepted"
        await trio.sleep(20)
        transaction = csms.book.transactions()[0].id
        answers = [
            await operator.get_configuration("HeartbeatInterval"),
            await operator.get_configuration(),
            await operator.trigger("StatusNotification", 1),
            await operator.composite_schedule(1, 600, "A"),
            await operator.clear_profile(purpose="TxProfile"),
            await operator.change_availability("Inoperative"),
            await operator.change_availability("Operative", 1),
            await operator.transfer("org.example", "data", "m1"),
            await operator.get_diagnostics("ftp://127.0.0.1/up"),
            await operator.remote_stop(transaction),
            await operator.unlock(),
            await operator.clear_cache(),
            await operator.update_firmware("http://127.0.0.1/fw-2.bin", until),
            await operator.reset(),
        ]
        assert [one.error for one in answers] == [None] * len(answers)
        unknown = [
            await operator.send_local_list(1, ["TAG1"]), await operator.local_list_version(),
            await operator.reserve(7, "TAG1", until), await operator.cancel_reservation(7),
        ]  # fmt: skip
        assert [one.error for one in unknown] == ["NotSupported"] * 4
        assert returned(world.reported(), csms.book) == []
        assert csms.complaints == world.complaints == []
        assert csms.book.of("StopTransaction")[0].payload["reason"] == "Remote"
        assert len(csms.book.asked) == len(answers) + len(unknown) + 2


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("kind", KINDS)
async def test_profiles_of_every_purpose_and_kind_rule_the_charger(purpose, kind):
    async with at_csms(make=Make(phases=1, path=AT.path)) as (world, csms):
        charger, operator = world.charger("CP-1"), Operator(csms, "CP-1")
        await charge(charger, for_s=10)
        starts = None if kind == "Relative" else "2026-06-15T12:00:00Z"
        recurs = "Daily" if kind == "Recurring" else None
        profile = a_profile(purpose, kind, [(0, 10.0), (300, 6.0, 1)], level=2, starts=starts,
                            recurs=recurs, lasts_s=3_600)  # fmt: skip
        connector = 0 if purpose == "ChargePointMaxProfile" else 1
        assert (await operator.set_profile(profile, connector)).status == "Accepted"
        await trio.sleep(5)
        assert charger.true_current_ma() == (10_000, 0, 0)
        told = (await operator.composite_schedule(1, 600)).answer["chargingSchedule"]
        assert told["chargingSchedulePeriod"][0]["limit"] == 10.0
        await trio.sleep(300)
        if (purpose, kind) != (PURPOSES[0], "Relative"):  # relative to no session: it stands still
            assert charger.true_current_ma() == (6_000, 0, 0)
        assert (await operator.clear_profile(number=1)).status == "Accepted"
        await trio.sleep(5)
        assert charger.true_current_ma() == (32_000, 0, 0)


async def test_a_call_without_an_answer_says_why():
    async with at_csms() as (world, csms):
        operator = Operator(csms, "CP-1", within_s=10)
        assert (await Operator(csms, "CP-2").reset()).error == "not connected"
        world.charger("CP-1").stop_answering()
        asked = await operator.clear_cache()
        assert (asked.error, asked.answer) == ("timeout", None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(operator.clear_cache)
            await trio.sleep(1)
            csms.drop()
        assert csms.book.asked[-1].error == "gone"


async def test_it_calls_one_after_another_unless_it_is_told_not_to_wait():
    async with at_csms() as (world, csms):
        world.charger("CP-1").stop_answering()
        call = partial(csms.call, "CP-1", "ClearCache", {}, 10.0)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _number in range(3):
                nursery.start_soon(call)
        assert trio.current_time() - began == 30
        async with trio.open_nursery() as nursery:
            for _number in range(3):
                nursery.start_soon(partial(call, waits_turn=False))
        assert trio.current_time() - began == 40


# -- chargers that are not as they should be -------------------------------------------------------


async def test_c19_a_hasty_charger_stops_before_its_start_was_answered():
    async with at_csms() as (world, csms):
        charger = world.charger("CP-1")
        charger.be_hasty()
        csms.answer_after(5.0)
        await charge(charger, for_s=7)
        charger.unplug()
        await trio.sleep(30)
        [start], [stop] = csms.book.of("StartTransaction"), csms.book.of("StopTransaction")
        assert stop.at < start.answered_at
        assert stop.payload["transactionId"] == -1
        assert "a stop before the start was answered" in whole(world, csms)


async def test_c19_a_hasty_charger_says_again_what_was_not_answered():
    async with at_csms() as (world, csms):
        charger = world.charger("CP-1")
        charger.be_hasty()
        csms.lose_answers("StartTransaction")
        await charge(charger, for_s=60)
        assert len(csms.book.of("StartTransaction")) == 2
        csms.stop_answering()
        await trio.sleep(10)
        charger.unplug()
        csms.drop()
        csms.answer_again()
        await trio.sleep(60)
        assert {one.is_taken for one in csms.book.of("StopTransaction")} >= {True}


async def test_c20_a_charger_says_what_it_kept_in_any_order():
    async with at_csms(seed=3) as (world, csms):
        charger = world.charger("CP-1")
        csms.cut()
        await trio.sleep(1)
        for tag in ("TAG1", "TAG2", "TAG3"):
            await charge(charger, tag=tag, for_s=130)
            charger.unplug()
        charger.shuffle_queue()
        csms.restore()
        await trio.sleep(60)
        told = [one.payload["timestamp"] for one in csms.book.of("StartTransaction")]
        assert len(told) == 3
        assert told != sorted(told)
        assert not {one for one in whole(world, csms) if "lost" in one}


async def test_c28_a_charger_with_a_wrong_clock_is_told_of_as_it_says():
    async with at_csms() as (world, csms):
        charger = world.charger("CP-1")
        charger.wrong_clock(-50 * 365 * 86_400)
        await charge(charger)
        charger.unplug()
        await trio.sleep(2)
        assert csms.book.of("StartTransaction")[0].payload["timestamp"].startswith("1976")
        assert whole(world, csms) == set()


@pytest.mark.parametrize("seed", range(1, 9))
async def test_whatever_happens_to_the_line_nothing_is_lost_and_only_doubled_by_the_charger(seed):
    chance = random.Random(seed)
    names = [f"CP-{n}" for n in range(1, 4)]
    async with at_csms(*names, seed=seed, make=Make(phases=1, connectors=2, path=AT.path)) as (
        world, csms,
    ):  # fmt: skip
        places = [(c, n) for c in world.chargers.values() for n in (1, 2)]
        for _turn in range(30):
            charger, number = chance.choice(places)
            at = charger.connector(number)
            if at.car is None:
                charger.plug(Car(phases=1), number)
                charger.present_tag(f"TAG{chance.randrange(9)}", number)
            elif at.transaction is not None:
                charger.unplug(number)
            chance.choice((csms.cut, csms.restore, csms.restore, csms.drop, lambda: None))()
            await trio.sleep(chance.uniform(1.0, 90.0))
        csms.restore()
        for charger, number in places:
            charger.unplug(number)
        await trio.sleep(200)
        account = conserve(world.reported(), csms.book, may_thin=False)
        assert {one.state["what"] for one in account.violations} <= TWICE
        assert account.starts == sum(len(one.sessions) for one in world.reported()) > 5
        assert passed(world.reported(), csms.book) == []


# -- told by a line --------------------------------------------------------------------------------


async def test_it_is_told_by_a_line_what_a_scene_does_by_method():
    async with at_csms("CP-1", "CP-2") as (world, csms):
        commands = Commands(world)

        def told(**command):
            return json.loads(commands.line(json.dumps(command)))

        assert told(do="answer_error_csms", action="StartTransaction", times=1, of="CP-1")["ok"]
        assert told(do="give_ids_csms", ids=[7, 8])["ok"]
        for charger in world.chargers.values():
            charger.plug(Car(phases=1))
            charger.present_tag("TAG1")
        await trio.sleep(30)
        assert {one.charger: one.id for one in csms.book.transactions()} == {"CP-2": 7, "CP-1": 8}
        assert told(do="drop_csms", of="CP-2", code=1001)["ok"]
        assert told(do="cut_csms")["ok"]
        await trio.sleep(5)
        assert csms.links == {}
        assert told(do="restore_csms")["ok"]
        await trio.sleep(40)
        assert told(do="report")["csms"]["links"] == 2
        assert not told(do="dance_csms")["ok"]
        assert not json.loads(Commands(World(1)).line('{"do": "cut_csms"}'))["ok"]


# -- its book --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        ('[2,"a","Heartbeat",{}]', "{}"),
        (' [ 2 , "a" ,"B", { "x" : [1, 2.50] } ] ', '{ "x" : [1, 2.50] }'),
        ('[2,"a\\"],","B",{"x":"\\u00e9]"},{}]', '{"x":"\\u00e9]"}'),
        ('[3,"a",{"status":"Accepted"}]', '{"status":"Accepted"}'),
        ('[3, "a", null]', "null"),
    ],
)
def test_the_bytes_of_a_payload_are_as_they_stand(frame, payload):
    assert payload_text(frame) == payload


async def test_nothing_is_kept_of_readings_and_frames_unless_wished():
    central, world = Central(), World(1)
    charger = world.add_charger("CP-1", make=AT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run, memory_dial(nursery, central.serve, Link()))
        await charger.wait_ready()
        await charge(charger)
        nursery.cancel_scope.cancel()
    [session] = charger.reported.sessions
    assert (session.readings, charger.reported.frames) == ([], [])
    assert session.ids == [100]
    assert Reported("C").sessions == []
