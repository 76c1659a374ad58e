"""Chargers that fail, lag, refuse and lie, on sites that chance draws (trust.md 2, C1 to C29)."""

from __future__ import annotations

import json

import msgspec
import pytest
import trio
from tests.sim.cases import VICTIM, Case, a_case, busiest
from tools.simulator.scene import Scene, amps, hungry, scene, single, site
from tools.world import Make
from tools.world.charger import Charger as WorldCharger

from linkray.model.asks import DeleteCharger

MAX_MA = 32_000


async def cut(case: Case, share: float = 0.6) -> float:
    """The site's limit falls, for LinkRay and (as a lawful excursion allows) in the wires."""
    old = case.s.store.settings.value.site.limit_ma.l1 / 1000
    floor = 7.0 * len(case.all) + (max(case.s.world.building.ma) / 1000 + 3 if case.metered else 0)
    new_a = round(max(floor, old * share), 1)
    await case.s.change(limit_ma=amps(new_a))
    return new_a


def told_since(case: Case, since: float, name: str = VICTIM) -> list[float]:
    return [at for at, _ in case.s.told(name, "SetChargingProfile") if at >= since]


async def test_c1_old_and_new_count_until_there_is_an_answer(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        await case.some_time()
        before_ma, since = s.offer(VICTIM).limit_ma, trio.current_time()
        case.victim.stop_answering()
        await cut(case)
        await trio.sleep(12)  # a limit that was lowered is kept again after T_shed
        for _ in range(8):
            await trio.sleep(1)
            others = sum(s.offer(n).offer_ma[case.leg] for n in case.others)
            assert others + before_ma <= s.store.settings.value.site.limit_ma.l1
        await s.until(lambda: len(told_since(case, since)) >= 3, 40)
        await case.reserved(MAX_MA, 60)  # unproven: its maximum


async def test_c2_refused_in_every_form_it_is_reserved_and_the_others_go_on(seed: int) -> None:
    async with a_case(seed, meter=False, chargers=4, limit_a=90.0) as case:
        s = case.s
        near = case.watch()
        await case.some_time()
        case.victim.reject_profiles()
        await cut(case, 0.75)
        await s.until(lambda: "not_controllable" in case.fault(), 60)
        await case.reserved(MAX_MA, 20)
        forms = {told["csChargingProfiles"]["chargingProfilePurpose"]
                 for _, told in s.told(VICTIM, "SetChargingProfile")}  # fmt: skip
        await trio.sleep(30)

        assert {"TxProfile", "TxDefaultProfile"} <= forms
        s.went_on(near, 20)


async def test_c3_a_form_that_is_never_answered_is_left_for_one_that_is(seed: int) -> None:
    mute = Make(phases=1, muted_purposes=frozenset({"TxProfile"}), obey_s=0.3)
    async with a_case(
        seed, meter=False, phases=1, make=mute, chargers=3, charging=False
    ) as case:
        s = case.s
        # Alone at first: a cut that is not answered in 10 s would rightly end its session.
        await case.charge(VICTIM)
        await case.charge(*case.others)
        await case.settle()
        await s.until(lambda: s.pilots_a(VICTIM) == s.offers_a(VICTIM), 90)
        since = trio.current_time()
        await cut(case, 0.8)
        await s.until(lambda: bool(told_since(case, since)), 5)
        await s.until(lambda: s.pilots_a(VICTIM) == s.offers_a(VICTIM), 15)
        told = [said["csChargingProfiles"]["chargingProfilePurpose"]
                for at, said in s.told(VICTIM, "SetChargingProfile") if at >= since]  # fmt: skip

        assert told[0] != "TxProfile"  # what it took last comes first


async def test_c4_accepted_and_not_obeyed_is_noticed_reserved_and_stopped(seed: int) -> None:
    async with a_case(seed, meter=False, strict=False, chargers=4, limit_a=100.0) as case:
        s = case.s
        await case.some_time()
        case.victim.ignore_profiles()
        began = trio.current_time()
        await cut(case, 0.6)
        await s.until(lambda: "not_obeying" in case.fault(), 26)
        await case.reserved(MAX_MA, 5)
        await s.until(lambda: bool(s.told(VICTIM, "RemoteStopTransaction")), 45)

        assert trio.current_time() - began <= 60
        # The others are within what its maximum leaves, so the wires are right again.
        await s.until(lambda: busiest(case) <= 0, 20, lambda: busiest(case))


async def test_c5_a_late_one_is_given_its_time_and_its_share_to_nobody(seed: int) -> None:
    async with a_case(seed, meter=False, chargers=3) as case:
        s = case.s
        late_s = case.chance.uniform(15, 45)
        case.victim.obey_after(late_s)
        s.world.charger(case.others[0]).unplug()
        await trio.sleep(60)
        await s.until(lambda: s.pilots_a(VICTIM) == s.offers_a(VICTIM), 120)
        s.charge(case.others[0], car=case.car)  # the victim must make room, late
        for _ in range(int(2 * late_s) + 20):
            await trio.sleep(0.5)
            assert busiest(case) <= 0


async def test_c6_one_that_ignores_raises_costs_nobody_anything(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        case.victim.ignore_raises()
        s.world.charger(case.others[-1]).unplug()
        await trio.sleep(120)

        assert "not_obeying" not in case.fault()
        limit = s.store.settings.value.site.limit_ma.l1
        assert case.total_ma() <= limit
        left = case.others[:-1]
        assert all(o >= 8 for o in s.offers_a(*left))


async def test_c7_one_that_must_not_be_told_0_is_stopped_to_pause(seed: int) -> None:
    huawei = Make(vendor="Huawei", model="SCharger-22KT", phases=3, units="Power")

    def in_watts(kept: object) -> object:
        return msgspec.structs.replace(kept, unit="W", max_w=22_000, min_w=4_200,
                                       max_ma=msgspec.UNSET, min_ma=msgspec.UNSET)  # fmt: skip

    async with a_case(seed, meter=False, phases=3, make=huawei, kept=in_watts, chargers=3,
                      limit_a=90.0) as case:  # fmt: skip
        s = case.s
        since = trio.current_time()
        await s.change(limit_ma=amps(4))
        s.world.set_limit((90_000,) * 3)
        await s.until(lambda: not any(case.victim.true_current_ma()), 60,
                      case.victim.true_current_ma)  # fmt: skip
        zeros = [told for at, told in s.told(VICTIM, "SetChargingProfile") if at >= since
                 and told["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0][
                     "limit"] == 0]  # fmt: skip

        assert zeros == []
        assert s.told(VICTIM, "RemoteStopTransaction")


async def test_c8_phases_are_released_only_by_proof_and_taken_back_by_one_sample(
    seed: int,
) -> None:
    async with a_case(seed, meter=False, phases=3, charging=False, chargers=3,
                      limit_a=70.0) as case:  # fmt: skip
        s = case.s
        s.charge(VICTIM)  # a car of one phase
        for name in case.others:
            s.charge(name, car=lambda: hungry(3))
        began = trio.current_time()
        await s.until(lambda: sum(ma > 0 for ma in s.offer(VICTIM).offer_ma) == 1, 120)
        assert trio.current_time() - began >= 25  # three samples over thirty seconds
        case.victim.lie(lambda true: (true[0], 4_000, 4_000))
        await s.until(lambda: s.offer(VICTIM).offer_ma.lowest() > 0, 15)


async def test_c9_values_that_stop_leave_the_whole_limit_reserved(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        before = case.offers()
        await case.some_time()
        case.victim.say_values(lambda _at: [])
        await s.until(lambda: s.offer(VICTIM).drawn_ma is None, 45)
        await trio.sleep(60)

        assert case.offers() == before


GARBAGE = ("NaN", "-20", "1e9", "plenty", "", "Infinity", "0x10", "1_0", "\uff11")


async def test_c10_garbage_is_dropped_and_ten_in_a_row_are_a_fault(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s, before = case.s, case.offers()
        chance = case.chance

        def wrong(_at: object) -> list[dict[str, str]]:
            unit = chance.choice(("A", "kA", "W", ""))
            said = {"measurand": "Current.Import", "value": chance.choice(GARBAGE)}
            return [said | ({"unit": unit} if unit else {})]

        case.victim.say_values(wrong)
        await s.until(lambda: "sensor" in case.fault(), 140)

        assert case.offers() == before
        assert case.victim.dials == 1


async def test_c11_a_total_is_reserved_on_every_phase(seed: int) -> None:
    total = Make(phases=3, measures="total", obey_s=0.3)
    async with a_case(seed, meter=False, phases=3, make=total, chargers=3) as case:
        await trio.sleep(60)
        offer = case.s.offer(VICTIM).offer_ma

        assert offer.lowest() == offer.highest() > 0


async def test_c12_a_register_that_jumps_makes_no_negative_energy(seed: int) -> None:
    async with a_case(seed, meter=False, chargers=3, charging=False) as case:
        s, at = case.s, case.victim.connector(1)
        at.energy_mwh = 100_000_000  # 100 kWh before anybody came
        await case.charge(*case.all)
        await trio.sleep(30)
        at.energy_mwh += case.chance.choice((-10_000_000, 4_000_000_000))
        await trio.sleep(40)
        s.said("energy register", f"charger={VICTIM}")
        case.victim.present_tag("TAG1")
        await s.until(lambda: s.house.views[VICTIM].value.connectors[0].transaction_id is None, 20)
        kept = (await s.store.recent(VICTIM))[0]

        assert kept.flagged
        assert kept.energy_wh >= 0


async def test_c13_a_half_open_link_is_taken_up_anew_within_ten_seconds(seed: int) -> None:
    async with a_case(seed) as case:
        s, near = case.s, case.watch()
        await case.some_time()
        session, dials = case.victim.connector(1).transaction.id, case.victim.dials
        case.victim.pull_cable()
        await s.until(lambda: case.victim.dials > dials and case.victim.is_connected, 10)
        await s.until(
            lambda: s.house.views[VICTIM].value.connectors[0].transaction_id == session, 10
        )
        assert [o.charger for o in s.house.plan.value.offers].count(VICTIM) == 1
        await case.settle()
        s.went_on(near, 5)


async def test_c14_of_two_sockets_with_one_name_the_living_one_stays(seed: int) -> None:
    async with a_case(seed) as case:
        s = case.s
        near = s.watch(*case.all)
        impostor = WorldCharger(VICTIM, make=Make(redial_s=0.5, redial_max_s=2.0))
        s.nursery.start_soon(impostor.run, s.dial("10.6.6.6"))
        await trio.sleep(case.chance.uniform(30, 90))

        assert impostor.dials == 0
        assert case.victim.connector(1).transaction is not None
        s.went_on(near, 5)


async def test_c15_after_a_blackout_all_are_back_and_profiled_in_time(seed: int) -> None:
    kept = [single(f"C{n}", connection=f"L{n % 3 + 1}") for n in range(1, 101)]
    async with scene(site(400, *kept), seed=seed, licence=200) as s:
        names = [c.id for c in kept]
        await s.until(lambda: all(s.house.views[n].value.connected for n in names), 30)
        await trio.sleep(20)
        for name in names:
            s.world.charger(name).power_cut(5)
        await trio.sleep(5 + 15)
        since = trio.current_time()
        await s.until(
            lambda: all(s.world.charger(n).is_booted and s.world.charger(n).is_connected
                        for n in names), 30,
        )  # fmt: skip
        await s.until(
            lambda: all(any(at >= since - 5 for at, _ in s.told(n, "SetChargingProfile"))
                        for n in names), 30,
        )  # fmt: skip
        assert trio.current_time() - since <= 30
        s.is_safe()


async def test_c16_one_that_reboots_in_a_session_is_told_before_anyone_gets_more(
    seed: int,
) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        await case.some_time()
        case.victim.book.profiles.clear()
        case.victim.tell_boot()
        s.world.charger(case.others[-1]).unplug()
        booted_at = trio.current_time()
        await s.until(lambda: bool(told_since(case, booted_at)), 5)
        first = told_since(case, booted_at)[0]
        for name in case.others[:-1]:
            for at, told in s.told(name, "SetChargingProfile"):
                raised = limit_of(told) > s.offer(name).limit_ma / 1000
                assert not (booted_at < at < first and raised)


def limit_of(told: dict[str, object]) -> float:
    schedule = told["csChargingProfiles"]["chargingSchedule"]
    return schedule["chargingSchedulePeriod"][0]["limit"]


async def test_c17_a_start_that_is_repeated_is_one_record(seed: int) -> None:
    async with a_case(seed, meter=False, charging=False) as case:
        s = case.s
        case.victim.say_again("StartTransaction", case.chance.randint(1, 3))
        await case.charge(VICTIM)
        await s.until(lambda: case.victim.wire.pending("StartTransaction") == 0, 20)
        case.victim.say_again("StopTransaction", case.chance.randint(1, 3))
        case.victim.unplug()
        await s.until(lambda: case.victim.wire.pending("StopTransaction") == 0, 30)

        assert len(await s.store.recent(VICTIM)) == 1


async def test_c18_a_stop_of_nothing_is_an_orphan_and_stops_nobody(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        near = s.watch(*case.all)
        other = s.world.charger(case.others[0]).connector(1).transaction.id
        wrong = case.chance.choice((0, -1, 999_999, other))
        case.victim.say(json.dumps([2, "orphan", "StopTransaction", {
            "transactionId": wrong, "meterStop": 5000, "timestamp": "2026-06-15T12:01:00Z",
        }]))  # fmt: skip
        await s.until(lambda: bool(s.answers("orphan")), 10)
        await trio.sleep(20)

        assert s.answers("orphan") == [[3, "orphan", {}]]
        s.went_on(near, 5)


async def test_c19_values_and_stop_that_overtake_the_start_are_kept_in_order(seed: int) -> None:
    async with a_case(seed, meter=False, charging=False, chargers=3) as case:
        s = case.s
        await case.charge(*case.others)
        stamp = case.victim.stamp
        value = [{"measurand": "Current.Import", "value": "5.0", "unit": "A"}]
        for number, (action, said) in enumerate((
            ("MeterValues", {"connectorId": 1, "transactionId": 4711, "meterValue": [
                {"timestamp": stamp(), "sampledValue": value}]}),
            ("StopTransaction", {"transactionId": 4711, "meterStop": 10, "timestamp": stamp()}),
            ("StartTransaction", {"connectorId": 1, "idTag": "TAG1", "meterStart": 0,
                                  "timestamp": stamp()}),
        )):  # fmt: skip
            case.victim.say(json.dumps([2, f"early-{number}", action, said]))
        await s.until(lambda: bool(s.answers("early-2")), 10)

        assert all(len(s.answers(f"early-{n}")) == 1 for n in range(3))
        assert s.answers("early-2")[0][0] == 3
        assert case.victim.is_connected


async def test_c20_what_was_queued_for_hours_grants_nothing(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        case.victim.unplug()
        await case.settle()
        before = case.offers()
        old = case.victim.stamp(case.victim.clock() - case.chance.uniform(3_600, 90_000))
        for number in range(case.chance.randint(1, 4)):
            case.victim.say(json.dumps([2, f"old-{number}", "StatusNotification", {
                "connectorId": 1, "errorCode": "NoError", "status": "Charging", "timestamp": old,
            }]))  # fmt: skip
            case.victim.say(json.dumps([2, f"old-v{number}", "MeterValues", {
                "connectorId": 1, "meterValue": [{"timestamp": old, "sampledValue": [
                    {"measurand": "Current.Import", "value": "30.0", "unit": "A"},
                ]}],
            }]))  # fmt: skip
        await trio.sleep(30)

        assert s.offer(VICTIM).limit_ma == 0
        assert case.offers() == before


async def test_c21_errors_and_strays_change_nothing(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s, before = case.s, case.offers()
        near = s.watch(*case.all)
        for number in range(20):
            case.victim.say(case.chance.choice((
                '[3,"never-asked",{}]', '[4,"never-asked","InternalError","",{}]',
                f'[2,"meanwhile-{number}","Heartbeat",{{}}]',
            )))  # fmt: skip
        await trio.sleep(20)

        assert len(s.lines("'never-asked'")) <= 2  # once a minute
        assert case.offers() == before
        s.went_on(near, 5)


async def test_c22_a_connector_that_faults_leaves_the_other_to_charge(seed: int) -> None:
    two = Make(phases=1, connectors=2, obey_s=0.3)
    async with a_case(seed, meter=False, phases=1, make=two, limit_a=70.0) as case:
        s = case.s
        case.victim.plug(case.car(), 2)
        case.victim.present_tag("TAG2", 2)
        await s.until(lambda: case.victim.connector(2).drawn_ma[0] > 0, 60)
        near = s.watch(*case.all)
        await case.some_time()
        case.victim.fault(2)
        await s.until(lambda: s.offer(VICTIM, 2).reason.code == "charger_fault", 10)
        await trio.sleep(30)

        assert s.offer(VICTIM, 2).offer_ma.highest() == 0
        s.went_on(near, 5)


async def test_c23_without_a_meter_one_that_is_gone_keeps_its_reserve(seed: int) -> None:
    async with a_case(seed, meter=False, chargers=4, limit_a=100.0) as case:
        s = case.s
        await trio.sleep(15)
        case.victim.power_cut(100_000)
        await case.reserved(MAX_MA, 50)
        await trio.sleep(60)

        assert s.house.plan.value.reserved_ma[case.leg] == MAX_MA
        assert "charger_offline" in s.faults()
        assert (await s.ask(DeleteCharger((VICTIM,)))).ok
        await s.until(lambda: s.house.plan.value.reserved_ma.highest() == 0, 10)


async def test_c24_with_a_meter_only_what_can_be_shed_is_given_out(seed: int) -> None:
    late = Make(phases=1, obey_s=6.5) if seed % 2 else None  # not within the 5 s of INV-5b
    async with a_case(seed, meter=True, phases=1, chargers=4, limit_a=90.0, make=late,
                      makes=late) as case:  # fmt: skip
        s = case.s
        await trio.sleep(15)
        case.victim.power_cut(100_000)
        await s.until(lambda: not s.house.views[VICTIM].value.connected, 60)
        gone_at = trio.current_time()
        for _ in range(90):
            await trio.sleep(1)
            plan = s.house.plan.value
            given = {n: s.offer(n).offer_ma.l1 for n in case.others}
            room = s.store.settings.value.site.limit_ma.l1 - plan.building_ma.l1
            assert sum(given.values()) <= room
            if trio.current_time() > gone_at + 45:  # what it drew at last is not counted any more
                # What would be over, did the absent one draw its all, can be shed or is kept free.
                over = sum(given.values()) + MAX_MA - room
                assert plan.reserved_ma.l1 > 0 or over <= sum(
                    ma for n, ma in given.items() if obeys_in_time(s, n)
                )


def obeys_in_time(s: Scene, name: str) -> bool:
    """Whether it was seen to: within the least time that is ever learnt."""
    found = s.house.chargers.passport(name)
    return found is not None and found.passport.get("obey", name) == "5"


async def test_c25_a_deleted_one_that_returns_is_new_and_counted(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        assert (await s.ask(DeleteCharger((VICTIM,)))).ok
        await s.until(lambda: VICTIM in {c.id for c in s.store.settings.value.chargers}, 60)
        await s.until(lambda: VICTIM in {o.charger for o in s.house.plan.value.offers}, 20)
        for _ in range(60):
            await trio.sleep(0.5)
            assert busiest(case) <= 0


async def test_c26_past_the_licence_it_is_connected_and_gets_nothing(seed: int) -> None:
    kept = [single(f"C{n}") for n in (1, 2)]
    async with scene(site(60, *kept), seed=seed, licence=2) as s:
        s.charge("C1", "C2")
        await s.offered(30, 30)
        extra = s.world.add_charger("C3", make=Make(phases=1), connection="L1")
        s.nursery.start_soon(extra.link, s.dial("10.0.0.77"))
        await trio.sleep(30)
        extra.plug(hungry())
        extra.present_tag("TAG9")
        await trio.sleep(60)

        assert extra.true_current_ma() == (0, 0, 0)
        assert "licence" in s.faults()
        s.is_safe()


async def test_c27_one_that_goes_silent_in_an_update_is_lost_and_reserved(seed: int) -> None:
    async with a_case(seed, meter=False, chargers=4, limit_a=100.0) as case:
        s = case.s
        await trio.sleep(15)
        case.victim.say('[2,"fw","FirmwareStatusNotification",{"status":"Installing"}]')
        await s.until(lambda: bool(s.answers("fw")), 10)
        case.victim.power_cut(15 * 60)
        await case.reserved(MAX_MA, 60)
        await trio.sleep(15 * 60 - 60)

        assert s.house.plan.value.reserved_ma[case.leg] == MAX_MA
        assert "charger_offline" in s.faults()


@pytest.mark.parametrize("off_s", [-1_781_000_000.0, 14 * 3600.0, -7200.0])
async def test_c28_a_wrong_clock_is_kept_raw_and_harms_nothing(seed: int, off_s: float) -> None:
    async with a_case(seed, meter=False, charging=False, chargers=3) as case:
        s = case.s
        case.victim.wrong_clock(off_s)
        await case.charge(*case.all)
        await case.settle(150)
        session = (await s.store.recent(VICTIM))[0]
        given = case.victim.connector(1).transaction

        assert given is not None
        assert session.started.startswith("2026-06-15")  # ours
        assert s.offers_a(VICTIM)[0] >= 6
        await s.until(lambda: s.offer(VICTIM).drawn_ma is not None, 40)


async def test_c29_a_storm_from_one_reaches_nobody(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s, near = case.s, case.watch()
        for _ in range(8):
            case.victim.storm(100)
            await trio.sleep(1)
        since = trio.current_time()
        case.victim.storm(300)
        await cut(case, 0.8)
        await s.until(
            lambda: all(told_since(case, since, name) for name in case.others), 2.5
        )
        s.went_on(near, 5)


def test_every_charger_case_of_the_chapter_is_here() -> None:
    named = {name.split("_")[1] for name in globals() if name.startswith("test_c")}

    assert named == {f"c{n}" for n in range(1, 30)}
