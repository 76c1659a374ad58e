"""A CSMS that is not what it should be, and chargers whose messages come in no order
(trust.md 2, C19, C20, C28; trust.md 3, A37, A38).
"""

from __future__ import annotations

import json

import msgspec
import pytest
import trio
from tests.sim.csms_cases import URL, Behind, behind
from tools.simulator.scene import hungry
from tools.world.csms import RUBBISH
from tools.world.operator import KINDS, PURPOSES, a_profile

from linkray.model.asks import PatchSettings, SetPassword, Who

SEEDS_A_DAY = 1
A_HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"


async def test_c19_values_and_a_stop_before_the_starts_answer_reach_the_csms_in_order(
    seed: int,
) -> None:
    async with behind(seed) as case:
        case.victim.be_hasty()
        case.csms.answer_after(4.0)  # the charger stops before its start was answered
        case.victim.plug(hungry())
        case.victim.present_tag("TAG1")
        await case.s.until(lambda: bool(case.csms.book.of("StartTransaction", "C1")), 60)
        case.victim.unplug()
        await trio.sleep(60)
        case.csms.answer_after(0.0)
        await case.live()

        (start,) = case.csms.book.of("StartTransaction", "C1")
        (stop,) = case.csms.book.of("StopTransaction", "C1")
        assert start.number < stop.number
        assert stop.payload["transactionId"] == start.answer["transactionId"]


async def test_c20_what_a_charger_kept_and_tells_in_any_order_reaches_the_csms(seed: int) -> None:
    async with behind(seed) as case:
        case.victim.keys["AllowOfflineTxForUnknownId"].value = "true"
        case.victim.disconnect(for_s=150)
        for tag in ("TAG1", "TAG2"):
            case.victim.plug(hungry())
            case.victim.present_tag(tag)
            await trio.sleep(60)
            case.victim.unplug()
        case.victim.shuffle_queue()
        await case.s.until(lambda: case.victim.is_connected, 200)
        await trio.sleep(60)
        await case.live()

        starts = case.csms.book.of("StartTransaction", "C1")
        assert len(starts) == 2
        stops = [told.payload["transactionId"] for told in case.csms.book.of("StopTransaction")]
        assert all(number > 0 for number in stops), "one said before its start names nobody (C18)"
        case.excused = {
            "a stop that was answered is not in its record", "a record of what did not happen",
        }  # fmt: skip


@pytest.mark.parametrize("off_s", [-56 * 365 * 86_400.0, 14 * 3_600.0])
async def test_c28_a_wrong_clock_reaches_the_csms_as_the_charger_wrote_it(
    seed: int, off_s: float
) -> None:
    async with behind(seed) as case:
        case.victim.wrong_clock(off_s)
        await case.charging("C1")
        case.csms.cut()
        await case.away()
        await trio.sleep(60)
        case.csms.restore()
        await case.live()
        await case.ended("C1")

        (start,) = case.csms.book.of("StartTransaction", "C1")
        wrong = "1970" if off_s < 0 else "2026-06-16T02"
        assert start.payload["timestamp"].startswith(wrong), "raw is kept"
        kept = (await case.s.store.recent("C1"))[0]
        assert kept.started.startswith("2026-06-15T12"), "with a copy of ours beside it"
        assert kept.given == start.payload["timestamp"]


async def a_random_command(case: Behind) -> None:
    """Anything that a CSMS may call, with whatever is in it."""
    chance, name = case.chance, case.chance.choice(case.names)
    purpose = chance.choice(PURPOSES)
    profile = a_profile(
        purpose, chance.choice(KINDS),
        ((0, chance.choice((0.0, 6.0, 16.0, 32.0, 500.0, 22_000.0))),
         (chance.randint(1, 600), chance.uniform(0, 100))),
        number=chance.randint(1, 40), level=chance.randint(0, 9), unit=chance.choice("AW"),
        recurs=chance.choice((None, "Daily", "Weekly")),
        starts=chance.choice((None, "2026-06-15T12:00:00Z")),
    )  # fmt: skip
    action, payload = chance.choice((
        ("SetChargingProfile", {"connectorId": chance.randint(0, 2),
                                "csChargingProfiles": profile}),
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile}),
        ("ClearChargingProfile", {}),
        ("ClearChargingProfile", {"id": chance.randint(1, 40)}),
        ("GetCompositeSchedule", {"connectorId": chance.randint(0, 2), "duration": 3_600}),
        ("ChangeConfiguration", {"key": chance.choice((
            "MeterValueSampleInterval", "MeterValuesSampledData", "HeartbeatInterval",
            "StopTransactionOnInvalidId")), "value": chance.choice(("0", "60", "true", ""))}),
        ("GetConfiguration", {}),
        ("RemoteStartTransaction", {"idTag": "T", "chargingProfile": profile}),
        ("RemoteStopTransaction", {"transactionId": chance.choice((0, -1, 1, 2**31))}),
        ("TriggerMessage", {"requestedMessage": "MeterValues"}),
        ("UpdateFirmware", {"location": chance.choice((
            "file:///etc/passwd", "javascript:1", "\\\\host\\x", "http://")),
            "retrieveDate": "2026-06-15T12:00:00Z"}),
        ("ClearCache", {}),
        ("DataTransfer", {"vendorId": "V", "data": "x" * chance.randint(0, 500)}),
    ))  # fmt: skip
    await case.csms.call(name, action, payload, 20.0, is_judged=False)


async def test_a37_whatever_a_csms_calls_no_limit_is_passed(seed: int) -> None:
    async with behind(seed, chargers=3) as case:
        await case.charging(*case.names)
        for _ in range(60):
            await a_random_command(case)
            await trio.sleep(case.chance.uniform(0.1, 3.0))
        await case.csms.babble(case.names[0], RUBBISH)
        await trio.sleep(5)

        limit_ma = case.s.store.settings.value.site.limit_ma.l1
        assert sum(case.s.offers_a(*case.names)) * 1_000 <= limit_ma
        case.s.world.judge.complaints.clear()  # the CSMS's own nonsense, passed on
        case.is_judged = False


FIRMWARE = {"retrieveDate": "2026-06-15T12:00:00Z"}


@pytest.mark.parametrize("where", [
    "file:///etc/passwd", "javascript:alert(1)", "\\\\host\\share", "gopher://x/1", "http://", "",
])  # fmt: skip
async def test_a37_a_charger_is_sent_nowhere_but_to_a_server_of_files(where: str) -> None:
    async with behind(1, chargers=1) as case:
        for action, more in (("UpdateFirmware", FIRMWARE), ("GetDiagnostics", {})):
            asked = await case.csms.call("C1", action, {"location": where, **more})
            assert asked.error == "SecurityError"
        asked = await case.csms.call(
            "C1", "UpdateFirmware", {"location": "ftps://files.example/fw.bin", **FIRMWARE}
        )
        assert asked.answer == {}

        reached = [json.loads(f.text)[3]["location"] for f in case.s.frames
                   if f.way == "out" and '"UpdateFirmware"' in f.text]  # fmt: skip
        assert reached == ["ftps://files.example/fw.bin"]
        case.s.said("call of the CSMS refused", "UpdateFirmware")


async def test_a37_what_a_refused_address_holds_for_its_server_is_in_no_log() -> None:
    async with behind(1, chargers=1) as case:
        where = "scp://user:secret@files.example/secret?key=secret"
        asked = await case.csms.call("C1", "UpdateFirmware", {"location": where, **FIRMWARE})

        assert asked.error == "SecurityError"
        case.s.said("call of the CSMS refused", "scp://files.example")
        with pytest.raises(AssertionError):
            case.s.said("call of the CSMS refused", "secret")


async def test_a37_what_the_csms_clears_is_never_linkrays_own() -> None:
    async with behind(1, chargers=1, limit_a=12.0) as case:
        await case.charging("C1")
        await case.s.offered(12.0)
        cleared = len(case.s.told("C1", "ClearChargingProfile"))
        for payload in ({}, {"id": 1}, {"connectorId": 1}, {"stackLevel": 0}):
            asked = await case.csms.call("C1", "ClearChargingProfile", payload)
            assert asked.answer == {"status": "Unknown"}
        await trio.sleep(30)

        assert len(case.s.told("C1", "ClearChargingProfile")) == cleared
        assert case.s.pilots_a("C1") == [12.0]
        await case.ended("C1")


async def test_a38_another_address_is_the_assemblers_and_has_its_audit_line() -> None:
    async with behind(1, chargers=1) as case:
        for account in ("EV", "Installer", "Assembler"):
            assert (await case.s.ask(SetPassword(account, A_HASH))).ok
        patch = PatchSettings(msgspec.Raw(b'{"csms":{"url":"ws://evil.example/ocpp"}}'))
        for level in (1, 2):
            answer = await case.s.house.desk.ask(patch, Who("neighbour", level, "192.0.2.9"), 15.0)
            assert answer.code == "forbidden"
        asked = await case.operator().change_configuration("CentralSystemURL", "ws://evil.example")
        assert asked.answer is not None, "the charger's own key, if it has it: not LinkRay's"
        assert case.s.store.settings.value.csms.url == URL

        answer = await case.s.house.desk.ask(patch, Who("Assembler", 3, "192.0.2.7"), 15.0)
        assert answer.ok, answer
        lines = [str(one) for one in await case.s.store.audit_lines() if "csms.url" in str(one)]
        assert any("192.0.2.7" in line and "Assembler" in line for line in lines)
        case.is_judged = False
