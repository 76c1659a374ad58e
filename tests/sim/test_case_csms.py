"""The line to the CSMS, and the CSMS itself, when things go wrong (trust.md 2, K1 to K15).

K1, K3, K4, K7, K12 and K13 have further scenes in `test_uplink.py`.
"""

from __future__ import annotations

import itertools
import json
import random
import ssl
from pathlib import Path

import pytest
import trio
from tests.sim.csms_cases import URL, behind, central
from tests.sim.uplinks import BOOT, a_store, month, uplinks
from tests.sim.uplinks import URL as UPLINKS_URL
from tests.unit.csms.authority import DAY, HOST, NOW, Authority
from tools.world.csms import Csms
from tools.world.operator import a_profile

from linkray.model.records import IdLearned, Outgoing, TransactionBegan, UplinkKept
from linkray.model.uplink import Here, Message

AT = "2026-06-01T00:00:00.000Z"
STOP = f'{{"transactionId":1,"meterStop":900,"timestamp":"{AT}"}}'
SEEDS_A_DAY = 1  # each plays minutes of a whole site: a campaign takes more


async def test_k1_an_outage_is_delivered_in_order_whenever_it_begins(seed: int) -> None:
    async with behind(seed) as case:
        await case.charging("C1")
        await trio.sleep(case.chance.uniform(0, 60))
        case.csms.cut()
        await case.away()
        await case.charging("C2")
        await trio.sleep(case.chance.uniform(60, 400))
        await case.ended("C1", "C2")
        await case.charging("C1", tag="TAG2")
        case.csms.restore()
        await case.live()
        await case.ended("C1")

        account = case.account()
        assert (account.starts, account.stops) == (3, 3)


async def test_k5_an_answer_that_is_lost_is_asked_for_again_and_the_newest_number_counts(
    seed: int,
) -> None:
    async with behind(seed) as case:
        case.csms.lose_answers("StartTransaction")
        case.csms.change_ids()
        await case.charging("C1")
        await case.live(within_s=400)
        await case.ended("C1")

        starts = case.csms.book.of("StartTransaction", "C1")
        assert len(starts) == 2
        assert starts[1].is_repeat, "the same id, the same payload"
        (one,) = case.csms.book.transactions("C1")
        assert len(set(one.ids)) == 2
        assert [told.payload["transactionId"] for told in one.stops] == [one.ids[-1]]


async def test_k6_what_the_csms_refuses_three_times_is_set_aside_shown_and_holds_up_nothing(
    seed: int,
) -> None:
    async with behind(seed) as case:
        case.csms.answer_error("StartTransaction", times=3, charger="C1")
        await case.charging("C1")
        await trio.sleep(60)
        await case.ended("C1")
        await case.charging("C1", tag="TAG2")
        await case.live()
        await case.ended("C1")

        tried = [t.at for t in case.csms.book.of("StartTransaction", "C1")][:3]
        assert [round(b - a) for a, b in itertools.pairwise(tried)] == [10, 20]
        assert case.view("C1").set_aside >= 2, "the start, and what belongs to it"
        assert case.view("C1").waiting == 0
        case.s.said("message set aside", "InternalError")
        account = case.account()
        assert (account.starts, account.set_aside) == (1, 1)


@pytest.mark.parametrize("stays", [False, True])
async def test_k7_a_session_that_the_csms_refuses_ends_or_is_held_at_0(
    seed: int, stays: bool
) -> None:
    async with behind(seed) as case:
        if stays:
            asked = await case.operator().change_configuration("StopTransactionOnInvalidId",
                                                               "false")  # fmt: skip
            assert asked.status == "Accepted"
        status = case.chance.choice(("Invalid", "Blocked", "Expired"))
        case.csms.cut()
        await case.away()
        await case.charging("C1", "C2")
        await trio.sleep(60)
        case.csms.say_of_tag("TAG1", status)
        case.csms.restore()
        await case.live()
        await trio.sleep(30)

        asked = [told for _, told in case.s.told("C1", "RemoteStopTransaction")]
        assert bool(asked) is not stays
        assert case.victim.true_current_ma() == (0, 0, 0)
        stops = case.csms.book.of("StopTransaction", "C1")
        assert [told.payload["reason"] for told in stops] == [] if stays else ["DeAuthorized"]
        if stays:
            assert case.victim.connector(1).transaction is not None
            await case.ended("C1")
        kept = (await case.s.store.recent("C1"))[0]
        assert (kept.meter_last_wh or 0) > kept.meter_start_wh, "its energy is kept"
        await case.ended("C2")


async def test_k8_one_number_for_two_sessions_is_right_for_each(seed: int) -> None:
    async with behind(seed) as case:
        await case.charging("C1")
        await case.ended("C1")
        case.csms.give_same_id(2)
        for tag in ("TAG2", "TAG3"):
            await case.charging("C1", tag=tag)
            await trio.sleep(30)
            await case.ended("C1")

        one, two, three = case.csms.book.transactions("C1")
        assert one.id == two.id == three.id
        given = [session.ids for session in case.victim.reported.sessions]
        assert len({ids[0] for ids in given}) == 3, "the charger can tell them apart"


async def test_k9_what_is_said_while_the_queue_is_replayed_comes_after_it(seed: int) -> None:
    async with behind(seed) as case:
        case.csms.cut()
        await case.away()
        await case.charging("C1")
        await trio.sleep(300)
        case.csms.answer_after(1.5)  # the replay takes its time
        case.csms.restore()
        await case.s.until(lambda: bool(case.csms.book.of("StartTransaction", "C1")), 120)
        await case.ended("C1")
        await case.charging("C1", tag="TAG2")
        assert case.view("C1").state == "behind"
        await case.live()
        case.csms.answer_after(0.0)
        await case.ended("C1")

        at = [
            json.loads(t.text)[3].get("timestamp") for t in case.csms.book.told["C1"]
            if t.action in ("StartTransaction", "StopTransaction")
        ]  # fmt: skip
        assert at == sorted(at)
        assert len(at) == 4


ASKED_OF_NOBODY = {
    "RemoteStartTransaction": {"idTag": "T", "connectorId": 1},
    "RemoteStopTransaction": {"transactionId": 17},
    "ChangeAvailability": {"connectorId": 1, "type": "Inoperative"},
    "SetChargingProfile": {"connectorId": 1, "csChargingProfiles": a_profile()},
    "ClearChargingProfile": {},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 60},
    "ChangeConfiguration": {"key": "MeterValueSampleInterval", "value": "60"},
    "GetConfiguration": {},
    "UnlockConnector": {"connectorId": 1},
}


async def test_k10_a_call_for_a_charger_that_is_gone_is_refused_at_once(seed: int) -> None:
    async with behind(seed) as case:
        case.victim.disconnect(for_s=600)
        await case.s.until(lambda: not case.s.house.views["C1"].value.connected, 60)
        for action, payload in ASKED_OF_NOBODY.items():
            began = trio.current_time()
            asked = await case.csms.call("C1", action, payload)

            assert (action, asked.error) == (action, "GenericError")
            assert trio.current_time() - began < 1.0
        assert case.csms.is_linked("C1"), "the grace of a minute"


async def test_k11_what_the_csms_allows_is_the_least_of_all_and_is_read_back_so(seed: int) -> None:
    async with behind(seed, chargers=1, limit_a=20.0) as case:
        await case.charging("C1")
        operator = case.operator()

        async def rules(expected_a: float) -> None:
            await case.s.offered(expected_a)
            asked = await operator.composite_schedule(1, 600, "A")
            (period,) = asked.answer["chargingSchedule"]["chargingSchedulePeriod"]
            assert period["limit"] == expected_a

        await rules(20.0)
        await operator.set_profile(a_profile(periods=((0, 500.0),), number=1), 1)
        await rules(20.0)  # the site has no more
        await operator.set_profile(a_profile(periods=((0, 14.0),), number=2, level=3), 1)
        await rules(14.0)  # the higher level rules over the lower
        watts = a_profile("ChargePointMaxProfile", "Absolute", ((0, 2_300.0),), number=3, unit="W")
        await operator.set_profile(watts, 0)
        await rules(10.0)  # and the charge point's maximum over both
        await operator.clear_profile(3)
        await rules(14.0)
        await operator.clear_profile()
        await rules(20.0)
        await case.ended("C1")


async def test_k13_a_full_queue_waits_for_its_own_csms_also_over_a_restart(seed: int) -> None:
    other = central(seed + 100)
    async with behind(seed) as case:
        case.csms.cut()
        await case.away()
        await case.charging("C1")
        await case.ended("C1")
        first, case.s.csms, case.was_restarted = case.csms, other, True
        await case.settings(url="ws://other.example/ocpp")
        await case.live()
        await case.s.restart()
        await case.live()
        assert other.book.transactions("C1") == []
        assert other.book.of("StartTransaction") == []

        first.restore()
        case.s.csms = first
        await case.settings(url=URL)
        await first.wait_linked("C1", within_s=90)
        await case.live()


async def test_k15_a_charger_added_in_an_outage_boots_before_its_sessions(seed: int) -> None:
    async with behind(seed) as case:
        case.csms.cut()
        await case.away()
        late = case.s.world.add_charger("C9")
        case.s.world.keep_books(frames=True)
        case.names.append("C9")
        case.s.nursery.start_soon(late.link, case.s.dial())
        await late.wait_ready()
        await case.charging("C9")
        await case.ended("C9")
        case.csms.restore()
        await case.live()

        told = [t.action for t in case.csms.book.told["C9"]]
        assert told[0] == "BootNotification"
        assert told.index("StatusNotification") < told.index("StartTransaction")


async def test_an_address_set_and_taken_back_is_not_dialled_twice_in_a_minute() -> None:
    first = central(1)
    async with behind(1, csms=first) as case:
        case.s.csms = central(101)
        await case.settings(url="ws://other.example/ocpp")
        await trio.sleep(5)
        case.s.csms = first
        await case.settings(url=URL)
        await case.live()


async def test_k2_a_month_of_sessions_is_delivered_in_order_through_a_restart(seed: int) -> None:
    store, behind_it = await a_store(), Csms(chance=random.Random(seed))
    await month(store, "C1", sessions=3, values=1)
    async with uplinks(store, behind_it) as one:
        await one.until(lambda: len(behind_it.book.told["C1"]) > 60 + seed)
    store._held_others.clear()  # the power is cut: what was only held is said again
    async with uplinks(store, behind_it) as one:
        await one.until(lambda: bool(one.views) and not one.waiting())
        await store.flush()

    sessions = behind_it.book.transactions("C1")
    began = [session.start.payload["timestamp"] for session in sessions]
    assert len(sessions) == 90
    assert began == sorted(began)
    stops = [[told for told in one.stops if not told.is_repeat] for one in sessions]
    assert all(len(told) == 1 for told in stops), "a resend is the very same"
    ids = [session.id for session in sessions]
    assert [session.stops[0].payload["transactionId"] for session in sessions] == ids
    assert len({t.id for t in behind_it.book.told["C1"] if not t.id.startswith("LR-")}) == 270
    assert await store.waiting("C1", UPLINKS_URL) == (0, 0, 0)
    await store.close()


async def test_the_end_of_a_session_is_said_also_where_its_charger_is_not_passed_any_more() -> None:
    store, behind_it = await a_store(), Csms()
    stop = Outgoing(1, "C1", "m1", "StopTransaction", STOP, 1, AT, UPLINKS_URL)
    began = TransactionBegan(1, "C1", 1, "TAG", 0, AT, AT, csms=UPLINKS_URL)
    await store.commit((UplinkKept("C1", UPLINKS_URL, BOOT), began, IdLearned(1, 77)))
    async with uplinks(store, behind_it) as one:
        one.room.may_pass = lambda _charger: False
        one.room.put("C1", Here(here=True))
        await trio.sleep(30)
        assert behind_it.book.knocks == []

        await store.commit((stop,))
        one.room.put("C1", Message(stop))
        await one.until(lambda: len(behind_it.book.of("StopTransaction")) == 1)
        await trio.sleep(120)

        assert not behind_it.is_linked("C1")
    assert behind_it.book.of("StopTransaction")[0].payload["transactionId"] == 77


async def test_k3_a_line_that_breaks_every_five_seconds_is_dialled_once_a_minute(
    seed: int,
) -> None:
    async with behind(seed) as case:
        case.csms.flap(5.0)
        await case.charging("C1")
        await trio.sleep(600)
        await case.ended("C1")
        case.csms.obey()
        await case.live()

        assert len(case.csms.book.knocks) <= 2 * (trio.current_time() / 60 + 1)


async def test_k4_a_tls_without_a_common_word_is_named_and_tried_once_a_minute(
    seed: int, tmp_path: Path
) -> None:
    authority = Authority()
    server = authority.server(tmp_path, HOST)
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    server.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # its certificate is no RSA
    secure = central(seed, tls=server)
    async with behind(
        seed, csms=secure, live=False, url=f"wss://{HOST}/ocpp", ca=authority.pem
    ) as case:
        await case.s.until(lambda: "csms" in case.s.faults("C1"), 60)
        await case.charging("C1")
        await trio.sleep(120)

        assert "TLS with the CSMS failed" in case.view().text
        assert len(secure.book.knocks) <= 2 * (trio.current_time() / 60 + 1)
        server.set_ciphers("DEFAULT")
        await case.live()
        await case.ended("C1")


async def test_k12_32_chargers_wait_each_for_itself_on_a_csms_that_takes_a_minute(
    seed: int,
) -> None:
    store, slow = await a_store(), Csms(chance=random.Random(seed))
    names = [f"C{n:02}" for n in range(1, 33)]
    for name in names:
        await month(store, name, days=1, sessions=2, values=1)
    slow.answer_after(60.0)
    quick = "C07"
    async with uplinks(store, slow) as all_of_them:
        await trio.sleep(300)
        said = {name: len(slow.book.told[name]) for name in names}
        assert min(said.values()) >= 4, "32 one after the other would be 32 times as slow"
        assert max(said.values()) <= 6
        slow.answer_after(0.0)
        await all_of_them.until(lambda: not all_of_them.waiting())

    assert all(len(slow.book.transactions(name)) == 2 for name in names)
    assert [one.stops[0].payload["transactionId"] for one in slow.book.transactions(quick)] == [
        one.id for one in slow.book.transactions(quick)
    ]
    await store.close()


async def test_k14_a_certificate_that_expires_is_a_fault_and_cars_charge_on(
    seed: int, tmp_path: Path
) -> None:
    authority = Authority()
    good = authority.server(tmp_path, HOST)
    old = authority.server(tmp_path, HOST, since=NOW - 3 * DAY, until=NOW - 2 * DAY)
    secure = central(seed, tls=good)
    async with behind(seed, csms=secure, url=f"wss://{HOST}/ocpp", ca=authority.pem) as case:
        await case.charging("C1")
        before = case.s.watch("C1")
        secure.tls = old
        secure.drop()
        await case.s.until(lambda: "csms" in case.s.faults("C1"), 120)
        await trio.sleep(60)
        assert "has expired" in case.view().text
        assert case.s.house.led.value.look == "red solid"
        case.s.went_on(before)
        await case.charging("C2")

        secure.tls = good
        await case.live()
        await case.s.until(lambda: case.s.house.led.value.look == "green blinking", 10)
        await case.ended("C1", "C2")


def test_every_case_of_the_uplink_is_here() -> None:
    named = {name.split("_")[1] for name in globals() if name.startswith("test_k")}

    assert named == {f"k{n}" for n in range(1, 16)}
