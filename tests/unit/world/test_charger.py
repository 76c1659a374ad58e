"""A simulated charger on a link, in virtual time."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from tests.unit.world.central import Central
from tools.world import Car, Link, Make, World, memory_dial
from tools.world.schemas import BadFrameSent

CHARGING_S = 6.0


@asynccontextmanager
async def a_charger(make=None, *, connection=None, link=None, seed=1):
    """A world of one charger that is connected and ready."""
    central, world = Central(), World(seed)
    charger = world.add_charger("CP-1", make=make or Make(phases=1), connection=connection)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run, memory_dial(nursery, central.serve, link))
        await charger.wait_ready()
        await trio.sleep(2)
        yield world, charger, central
        nursery.cancel_scope.cancel()
    assert world.complaints == []


async def charge(charger, car=None, connector=1):
    charger.plug(car or Car(phases=3, lag_s=1.0), connector)
    charger.present_tag("TAG1", connector)
    await trio.sleep(CHARGING_S)


async def test_a_session_goes_through_its_states_and_messages():
    async with a_charger() as (_world, charger, central):
        await charge(charger, Car(phases=1))
        await central.offer("CP-1", 0)
        await trio.sleep(4)
        await central.offer("CP-1", 10)
        await trio.sleep(4)
        charger.connector().car.fall_asleep()
        await trio.sleep(4)
        charger.present_tag("TAG1")
        await trio.sleep(1)
        charger.unplug()
        await trio.sleep(2)
        told = [p["status"] for p in central.of("StatusNotification") if p["connectorId"] == 1]
        assert told == [
            "Available", "Preparing", "Charging", "SuspendedEVSE", "Charging", "SuspendedEV",
            "Finishing", "Available",
        ]  # fmt: skip
        start, stop = central.of("StartTransaction")[0], central.of("StopTransaction")[0]
        assert start["idTag"] == stop["idTag"] == "TAG1"
        assert stop["transactionId"] == 100
        assert stop["reason"] == "Local"
        assert stop["meterStop"] > start["meterStart"]


async def test_the_current_follows_the_offer_and_lies_on_the_wired_phases():
    async with a_charger(Make(phases=3), connection="L2-L3-L1") as (_world, charger, central):
        await charge(charger, Car(phases=2))
        assert charger.true_current_ma() == (0, 32_000, 32_000)
        assert await central.offer("CP-1", 16.6) == "Accepted"
        await trio.sleep(3)
        assert charger.true_current_ma(1) == (0, 16_600, 16_600)


async def test_across_two_legs_the_one_current_is_on_both():
    async with a_charger(Make(phases=1), connection="L1-L2") as (_world, charger, _central):
        await charge(charger)
        assert charger.true_current_ma() == (32_000, 32_000, 0)


async def test_out_of_reach_it_steps_down_by_its_second_period_and_keeps_its_messages():
    async with a_charger() as (_world, charger, central):
        await charge(charger)
        await central.offer("CP-1", 20, then=6)
        charger.disconnect(for_s=600)
        await trio.sleep(100)
        assert charger.true_current_ma() == (20_000, 0, 0)
        await trio.sleep(100)
        assert not charger.is_connected
        assert charger.true_current_ma() == (6_000, 0, 0)
        charger.unplug()
        await trio.sleep(500)
        assert charger.is_connected
        assert central.of("StopTransaction")[0]["reason"] == "EVDisconnected"
        assert len(central.of("BootNotification")) == 1


async def test_meter_values_tell_what_flows_in_the_interval_and_measurands_asked_for():
    async with a_charger(Make(phases=3)) as (_world, charger, central):
        for key, value in (
            ("MeterValueSampleInterval", "10"),
            ("MeterValuesSampledData", "Current.Import,Energy.Active.Import.Register"),
        ):
            told = {"key": key, "value": value}
            assert await central.call("CP-1", "ChangeConfiguration", told) == {"status": "Accepted"}
        await charge(charger, Car(phases=1))
        await trio.sleep(60)
        samples = central.of("MeterValues")
        assert len(samples) == 6
        values = samples[-1]["meterValue"][0]["sampledValue"]
        assert [v["value"] for v in values[:3]] == ["32.00", "0.00", "0.00"]
        first, last = (int(s["meterValue"][0]["sampledValue"][3]["value"]) for s in samples[::5])
        assert last - first == pytest.approx(32 * 230 * 50 / 3600, abs=3)


@pytest.mark.parametrize(
    ("measures", "told"),
    [("total", ["Current.Import"]), ("power", ["Power.Active.Import"]),
     ("energy", ["Energy.Active.Import.Register"])],
)  # fmt: skip
async def test_a_make_that_measures_less_says_less(measures, told):
    make = Make(phases=3, measures=measures)
    async with a_charger(make) as (_world, charger, central):
        asked = {"key": "MeterValuesSampledData", "value": "Current.Import"}
        status = (await central.call("CP-1", "ChangeConfiguration", asked))["status"]
        assert status == ("Accepted" if measures == "total" else "Rejected")
        asked["value"] = told[0]
        await central.call("CP-1", "ChangeConfiguration", asked)
        await charge(charger)
        await central.call("CP-1", "TriggerMessage", {"requestedMessage": "MeterValues"})
        await trio.sleep(2)
        values = central.of("MeterValues")[-1]["meterValue"][0]["sampledValue"]
        assert [v["measurand"] for v in values] == told
        assert not any("phase" in v for v in values)


async def test_a_lie_changes_what_it_says_and_not_what_flows():
    async with a_charger() as (_world, charger, central):
        await charge(charger)
        charger.lie(measured=0)
        asked = {"key": "MeterValuesSampledData", "value": "Current.Import"}
        await central.call("CP-1", "ChangeConfiguration", asked)
        await central.call("CP-1", "TriggerMessage", {"requestedMessage": "MeterValues"})
        await trio.sleep(2)
        said = central.of("MeterValues")[-1]["meterValue"][0]["sampledValue"][0]["value"]
        assert said == "0.00"
        assert charger.true_current_ma() == (32_000, 0, 0)


async def test_c4_a_charger_that_ignores_profiles_accepts_them_and_stays():
    async with a_charger() as (_world, charger, central):
        await charge(charger)
        await central.offer("CP-1", 20)
        await trio.sleep(3)
        charger.ignore_profiles()
        assert await central.offer("CP-1", 6) == "Accepted"
        await trio.sleep(60)
        assert charger.true_current_ma() == (20_000, 0, 0)
        charger.obey_again()
        await trio.sleep(3)
        assert charger.true_current_ma() == (6_000, 0, 0)


async def test_c5_a_late_charger_obeys_after_its_time_and_not_before():
    async with a_charger() as (_world, charger, central):
        await charge(charger, Car(phases=1, lag_s=0.5))
        charger.obey_after(30)
        await central.offer("CP-1", 10)
        await trio.sleep(29)
        assert charger.true_current_ma() == (32_000, 0, 0)
        await trio.sleep(3)
        assert charger.true_current_ma() == (10_000, 0, 0)


async def test_c6_a_charger_that_ignores_raises_obeys_cuts():
    async with a_charger() as (_world, charger, central):
        await charge(charger)
        charger.ignore_raises()
        for offered, drawn in ((10, 10_000), (20, 10_000), (8, 8_000)):
            await central.offer("CP-1", offered)
            await trio.sleep(5)
            assert charger.true_current_ma() == (drawn, 0, 0)


async def test_c2_profiles_are_rejected_on_command_and_where_they_cannot_be_kept():
    async with a_charger(Make(phases=1, stack_max=3)) as (_world, charger, central):
        assert await central.offer("CP-1", 10) == "Rejected"  # no session for a TxProfile
        await charge(charger)
        assert await central.offer("CP-1", 10, stackLevel=4) == "Rejected"
        assert await central.offer("CP-1", 2_300, unit="W") == "Rejected"
        assert await central.offer("CP-1", 10, transactionId=99) == "Rejected"
        charger.reject_profiles("NotSupported")
        assert await central.offer("CP-1", 10) == "NotSupported"
        assert charger.true_current_ma() == (32_000, 0, 0)


async def test_a_charge_point_maximum_is_shared_by_the_connectors_that_charge():
    async with a_charger(Make(phases=1, connectors=2)) as (_world, charger, central):
        profile = {
            "chargingProfileId": 5, "stackLevel": 0,
            "chargingProfilePurpose": "ChargePointMaxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A", "startSchedule": "2026-01-01T00:00:00Z",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32}],
            },
        }  # fmt: skip
        told = {"connectorId": 0, "csChargingProfiles": profile}
        assert await central.call("CP-1", "SetChargingProfile", told) == {"status": "Accepted"}
        await charge(charger, connector=1)
        assert charger.true_current_ma() == (32_000, 0, 0)
        await charge(charger, connector=2)
        assert charger.true_current_ma(2) == (16_000, 0, 0)
        assert charger.true_current_ma() == (32_000, 0, 0)


async def test_c16_a_reboot_ends_current_and_session_and_boots_anew():
    async with a_charger(Make(phases=1, boots_s=20)) as (_world, charger, central):
        await charge(charger)
        charger.reboot()
        await trio.sleep(1)
        assert charger.true_current_ma() == (0, 0, 0)
        assert not charger.is_connected
        await trio.sleep(30)
        assert charger.is_connected
        actions = [a for _c, a, _p in central.calls]
        assert actions.count("BootNotification") == 2
        assert actions.index("StopTransaction") > actions.index("StartTransaction")
        assert central.of("StopTransaction")[0]["reason"] == "Reboot"


async def test_c13_a_power_cut_leaves_the_other_end_without_a_word():
    async with a_charger(Make(phases=1, boots_s=5)) as (_world, charger, central):
        before = central.links["CP-1"]
        charger.power_cut(for_s=10)
        await trio.sleep(12)
        assert before.closed is None  # half-open: nobody was told
        await trio.sleep(10)
        assert central.links["CP-1"] is not before
        assert charger.is_connected


async def test_c17_a_start_can_be_said_twice():
    async with a_charger() as (_world, charger, central):
        charger.say_again("StartTransaction")
        await charge(charger)
        first, second = central.of("StartTransaction")
        assert first == second


async def test_c29_a_storm_is_said_at_once():
    async with a_charger() as (_world, charger, central):
        before = len(central.of("StatusNotification"))
        charger.storm(100)
        await trio.sleep(0.5)
        assert len(central.of("StatusNotification")) == before + 100


async def test_c28_a_wrong_clock_stays_wrong():
    async with a_charger() as (_world, charger, central):
        charger.wrong_clock(14 * 3600.0)
        await trio.sleep(120)
        await charge(charger)
        assert central.of("StartTransaction")[0]["timestamp"].startswith("2026-06-16T02:")


async def test_c28_a_clock_that_is_wrong_no_more_goes_by_what_it_was_told():
    async with a_charger() as (_world, charger, _central):
        told = charger.stamp()
        charger.wrong_clock(14 * 3600.0)
        assert charger.stamp() != told
        charger.wrong_clock(None)
        assert charger.stamp() == told


async def test_one_that_stops_answering_stays_on_its_link():
    async with a_charger() as (_world, charger, central):
        charger.stop_answering()
        with pytest.raises(trio.TooSlowError):
            await central.call("CP-1", "GetConfiguration", {})
        charger.answer_again()
        told = await central.call("CP-1", "GetConfiguration", {"key": ["NumberOfConnectors", "X"]})
        assert told["configurationKey"][0]["value"] == "1"
        assert told["unknownKey"] == ["X"]


async def test_it_hangs_up_on_a_server_that_no_longer_answers():
    link = Link()
    async with a_charger(link=link) as (_world, charger, central):
        before = central.links["CP-1"]
        link.half_open()
        await trio.sleep(200)
        assert central.links["CP-1"] is not before
        assert charger.is_connected


async def test_remote_start_and_stop_are_carried_out():
    async with a_charger() as (_world, charger, central):
        charger.plug(Car(phases=1))
        asked = {"idTag": "LINKRAY", "connectorId": 1}
        assert await central.call("CP-1", "RemoteStartTransaction", asked) == {"status": "Accepted"}
        await trio.sleep(CHARGING_S)
        assert charger.true_current_ma() == (32_000, 0, 0)
        stop = {"transactionId": 100}
        assert await central.call("CP-1", "RemoteStopTransaction", stop) == {"status": "Accepted"}
        assert await central.call("CP-1", "RemoteStopTransaction", stop) == {"status": "Rejected"}
        await trio.sleep(3)
        assert charger.true_current_ma() == (0, 0, 0)


async def test_a_session_that_is_blocked_ends():
    async with a_charger() as (_world, charger, central):
        central.answers["StartTransaction"] = {
            "transactionId": 1, "idTagInfo": {"status": "Blocked"},
        }  # fmt: skip
        await charge(charger)
        assert central.of("StopTransaction")[0]["reason"] == "DeAuthorized"
        assert charger.true_current_ma() == (0, 0, 0)


async def test_the_world_refuses_to_say_what_the_schema_forbids():
    with pytest.raises(ExceptionGroup) as caught:
        async with a_charger() as (_world, charger, _central):
            charger.plug(Car())
            charger.present_tag("a tag that is longer than twenty characters")
            await trio.sleep(5)
    assert caught.group_contains(BadFrameSent, match="Authorize")


async def test_what_it_is_told_wrongly_is_a_complaint():
    with pytest.raises(AssertionError):
        async with a_charger() as (world, _charger, central):
            await central.call("CP-1", "Reset", {"type": "Gentle"}, within_s=1)
    assert len(world.complaints) == 1
    assert "Reset" in world.complaints[0]


@pytest.mark.parametrize("loss", [0.0, 0.3])
async def test_over_a_slow_and_lossy_wire_all_arrives_in_order(loss):
    link = Link(delay_s=0.3, jitter_s=0.5, loss=loss)
    async with a_charger(link=link) as (_world, charger, central):
        await charge(charger)
        await trio.sleep(20)
        charger.present_tag("TAG1")
        await trio.sleep(20)
        actions = [a for _c, a, _p in central.calls if a.endswith("Transaction")]
        assert actions == ["StartTransaction", "StopTransaction"]
