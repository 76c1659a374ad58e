"""What csms.md demands of the uplink, through the whole firmware: `tests/clauses/csms.md`."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trio
from tests.sim.csms_cases import behind, central
from tests.unit.csms.authority import HOST, Authority
from tools.simulator.passing import passed, returned
from tools.simulator.scene import HERE, hungry
from tools.world.csms import Csms

from linkray.model.asks import StartCharging
from linkray.model.settings import Access


async def test_frames_pass_in_their_order_with_their_ids_and_bytes_and_answers_return() -> None:
    async with behind(1) as case:
        since = trio.current_time() + 0.001
        await case.charging("C1")
        case.victim.say('[2,"own-1","DataTransfer",{ "vendorId":"V",  "data":"\\u00fc" }]')
        case.victim.say('[2,"own-2","NobodysOwn",{"x":[1,{"y":null}]}]')
        operator = case.operator()
        assert (await operator.transfer("V", "data")).answer is not None
        asked = await case.csms.call("C1", "NobodysOwn", {"x": 1}, is_judged=False)
        assert asked.error is not None, "the charger's own refusal"
        await trio.sleep(60)
        await case.ended("C1")
        await trio.sleep(5)

        reported = case.s.world.reported()
        wrong = passed(reported, case.csms.book, is_live=True)
        assert [one.state for one in wrong if one.time >= since] == []
        assert returned(reported, case.csms.book) == []
        sent = {one.id: one.text for one in case.csms.book.told["C1"]}
        assert sent["own-1"] == '[2,"own-1","DataTransfer",{ "vendorId":"V",  "data":"\\u00fc" }]'
        assert sent["own-2"] == '[2,"own-2","NobodysOwn",{"x":[1,{"y":null}]}]'
        answers = {a[1]: a[0] for a in (*case.s.answers("own-1"), *case.s.answers("own-2"))}
        assert answers == {"own-1": 3, "own-2": 4}, "its result, its CALLERROR"
        told = {one.action for one in case.csms.book.told["C1"]}
        assert "SetChargingProfile" not in told
        case.s.world.judge.complaints.clear()  # of an action that no schema knows
        case.is_judged = False


TO_THE_CHARGER = (
    ("unlock", (1,)), ("change_availability", ("Inoperative", 1)),
    ("change_availability", ("Operative", 1)), ("clear_cache", ()), ("send_local_list", (1, "T")),
    ("local_list_version", ()), ("reserve", (1, "T", "2026-06-16T12:00:00Z")),
    ("cancel_reservation", (1,)), ("get_diagnostics", ("ftp://files.example/up",)),
    ("update_firmware", ("https://files.example/fw", "2027-06-16T12:00:00Z")),
    ("trigger", ("StatusNotification", 1)), ("get_configuration", ("HeartbeatInterval",)),
    ("change_configuration", ("HeartbeatInterval", "90")), ("reset", ("Soft",)),
)  # fmt: skip


async def test_what_is_the_chargers_to_answer_reaches_it_and_its_answer_returns() -> None:
    async with behind(1, chargers=1) as case:
        operator = case.operator()
        for name, arguments in TO_THE_CHARGER:
            asked = await getattr(operator, name)(*arguments)
            assert asked.answer is not None or asked.error in ("NotImplemented", "NotSupported")
        actions = {asked.action for asked in case.csms.book.asked}
        reached = {json.loads(f.text)[2] for f in case.s.frames
                   if f.way == "out" and f.text.startswith("[2")}  # fmt: skip
        assert actions <= reached
        assert [v for v in returned(case.s.world.reported(), case.csms.book)
                if '"ChangeConfiguration"' not in v.state["frame"]] == []  # fmt: skip


async def test_its_own_path_and_its_own_password_are_the_chargers() -> None:
    strict = central(1, prefix="zone-1", passwords={"C1": "secret-of-C1-0123"})
    async with behind(
        1, chargers=1, live=False, csms=strict, prefix="zone-1", password_in_clear=True
    ) as case:
        await case.s.until(lambda: "401" in case.text(), 30)
        case.victim.password = "secret-of-C1-0123"
        case.victim.disconnect(for_s=1)
        await case.live()

        knock = strict.book.knocks[-1]
        assert knock.path == "/ocpp/zone-1/C1"
        assert knock.subprotocols == ("ocpp1.6",)
        assert (await case.operator().change_configuration(
            "AuthorizationKey", "another-of-C1-4567")).status == "Accepted"  # fmt: skip
        strict.passwords = {"C1": "another-of-C1-4567"}
        await trio.sleep(61)
        await case.live()
        assert case.victim.keys["AuthorizationKey"].value == "", "it stays with LinkRay"
        assert strict.book.knocks[-1].authorization != knock.authorization


async def test_while_the_csms_wants_values_rarely_the_balancer_has_them_often() -> None:
    async with behind(1, chargers=1) as case:
        operator = case.operator()
        for key, value in (("MeterValueSampleInterval", "120"), ("MeterValuesSampledData", "SoC")):
            assert (await operator.change_configuration(key, value)).status == "Accepted"
        await case.charging("C1")
        await trio.sleep(240)

        values = [t for t in case.csms.book.of("MeterValues", "C1") if "Periodic" in t.text]
        assert values == [], "nothing that it asked for"
        assert case.victim.keys["MeterValueSampleInterval"].value == "10"
        assert (case.s.house.views["C1"].value.connectors[0].source) == "phases"
        asked = await operator.get_configuration("MeterValuesSampledData")
        assert asked.answer["configurationKey"][0]["value"] == "SoC"
        await case.ended("C1")


@pytest.mark.parametrize("days", [29, 31])
async def test_a_tag_that_the_csms_has_accepted_counts_as_listed_for_30_days(days: int) -> None:
    async with behind(1) as case:
        await case.charging("C1", tag="Known")
        await case.ended("C1")
        old = case.s.store.settings.value
        await case.s.store.change_settings(
            msgspec.structs.replace(old, access=Access(whitelist=True)), HERE, "test"
        )
        case.csms.cut()
        await case.away()
        case.s.wall.ahead = timedelta(days=days)
        for tag, name in (("KNOWN", "C1"), ("Stranger", "C2")):
            case.s.world.charger(name).plug(hungry())
            case.s.world.charger(name).present_tag(tag)
        await trio.sleep(60)

        charges = [any(case.s.world.charger(n).true_current_ma()) for n in ("C1", "C2")]
        assert charges == [days < 30, False]
        case.is_over = False


async def test_where_it_is_not_allowed_nobody_begins_without_the_csms_and_who_charges_goes_on(
) -> None:  # fmt: skip
    async with behind(1, allow_without=False) as case:
        await case.charging("C1")
        near = case.s.watch("C1")
        case.csms.cut()
        await case.away()
        case.s.world.charger("C2").plug(hungry())
        case.s.world.charger("C2").present_tag("TAG1")
        await trio.sleep(60)
        assert case.s.world.charger("C2").true_current_ma() == (0, 0, 0)
        case.s.went_on(near, 10)

        case.csms.restore()
        await case.live()
        case.s.world.charger("C2").present_tag("TAG1")
        await case.s.until(lambda: any(case.s.world.charger("C2").true_current_ma()), 60)
        await case.ended("C1", "C2")


async def test_an_uplink_that_opens_and_closes_at_once_counts_as_failed() -> None:
    async with behind(1, chargers=1) as case:
        case.csms.flap(0.0)
        case.csms.drop()
        await case.s.until(lambda: "csms" in case.s.faults("C1"), 120)
        await trio.sleep(130)

        assert "csms" in case.s.faults("C1"), "a link that closes at once clears nothing"
        assert case.view().attempts >= 3
        case.csms.obey()
        await case.live()
        assert "csms" not in case.s.faults("C1")


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_a_charger_that_the_csms_puts_off_charges_by_linkrays_word(status: str) -> None:
    async with behind(1, chargers=1, live=False, csms=_putting_off(status)) as case:
        await case.s.until(lambda: "csms" in case.s.faults("C1"), 60)
        assert f"BootNotification {status}" in case.view().text
        await case.charging("C1")
        await trio.sleep(60)
        boots = [told.at for told in case.csms.book.of("BootNotification", "C1")]
        assert {round(b - a) for a, b in itertools.pairwise(boots)} == {45}
        assert case.csms.book.of("StartTransaction") == []

        case.csms.boot_as("Accepted")
        await case.live()
        await case.ended("C1")


def _putting_off(status: str) -> Csms:
    made = central(1)
    made.boot_as(status, 45)
    return made


async def test_a_start_by_hand_is_the_csms_to_judge_too() -> None:
    async with behind(1) as case:
        case.csms.say_of_tag("GUEST", "Blocked")
        for name, tag in (("C1", "LINKRAY"), ("C2", "GUEST")):
            case.s.world.charger(name).plug(hungry())
            await case.s.ask(StartCharging(name, 1, tag))
        await case.s.until(lambda: any(case.victim.true_current_ma()), 60)
        await trio.sleep(30)

        assert case.s.world.charger("C2").true_current_ma() == (0, 0, 0)
        (start,) = case.csms.book.of("StartTransaction", "C1")
        assert start.payload["idTag"] == "LINKRAY"
        asked = [told.payload.get("idTag") for told in case.csms.book.told["C2"]]
        assert "GUEST" in asked
        await case.ended("C1")


async def test_a_charger_past_the_licence_is_not_passed_to_the_csms() -> None:
    async with behind(1, chargers=2, live=False, licence=1) as case:
        await case.live("C1")
        await trio.sleep(60)

        assert case.csms.book.told["C2"] == []
        assert {knock.charger for knock in case.csms.book.knocks} == {"C1"}


async def test_a39_a_password_goes_to_a_csms_without_tls_only_where_that_is_wished() -> None:
    strict = central(1, passwords={"C1": "secret-of-C1-0123"})
    async with behind(1, chargers=1, live=False, csms=strict) as case:
        await case.s.until(lambda: "401" in case.text(), 30)
        assert "csms_password" not in case.s.faults("C1"), "there is none yet"
        case.victim.password = "secret-of-C1-0123"
        case.victim.disconnect(for_s=1)
        await case.s.until(lambda: "csms_password" in case.s.faults("C1"), 30)
        await trio.sleep(80)
        assert {knock.authorization for knock in strict.book.knocks} == {None}
        (text,) = [f.text for f in case.s.house.faults.cell.value if f.code == "csms_password"]
        assert "kept back" in text

        await case.settings(password_in_clear=True)
        await case.live()
        (text,) = [f.text for f in case.s.house.faults.cell.value if f.code == "csms_password"]
        assert "sent in the clear" in text, "a fault as long as it is so"
        await case.settings(url="")
        await case.s.until(lambda: "csms_password" not in case.s.faults("C1"), 10)


async def test_a39_over_tls_a_password_is_sent_and_is_no_fault(tmp_path: Path) -> None:
    authority = Authority()
    secure = central(1, tls=authority.server(tmp_path, HOST), passwords="secret-of-C1-0123")
    async with behind(
        1, chargers=1, live=False, csms=secure, url=f"wss://{HOST}/ocpp", ca=authority.pem
    ) as case:
        case.victim.password = "secret-of-C1-0123"
        case.victim.disconnect(for_s=1)
        await case.live()

        assert "csms_password" not in case.s.faults("C1")
