"""What LinkRay finds out of makes that no table knows, and what follows from it (chargers.md).

The whole firmware on virtual time with simulated makes that obey, lie and stay at 0 A.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import trio
from tools.simulator.scene import Scene, scene, single, site
from tools.world import Car, Make

from linkray.model.asks import ImportPassports, ProbeAgain, ReadPassport, ReadPassports
from linkray.model.facts import AnyFact, LeaseProven, ObeyTimeKnown
from linkray.model.passport import Passport, PassportFile, PassportNow
from linkray.model.settings import Settings

PLAIN = Make(phases=1)


def make(**ways: Any) -> Make:
    return replace(PLAIN, **ways)


@asynccontextmanager
async def probed(
    made: Make = PLAIN, *, limit_a: float = 20, probe: bool = True
) -> AsyncIterator[Scene]:
    """One charger of this make with a session, where it may be probed."""
    settings = site(limit_a, single("C1"), probe_chargers=probe)
    async with scene(settings, makes={"C1": made}) as s:
        await s.world.charger("C1").wait_ready()
        s.charge("C1")
        yield s


def passport(s: Scene, charger: str = "C1") -> Passport:
    return read_now(s, charger).passport


def read_now(s: Scene, charger: str = "C1") -> PassportNow:
    found = s.house.chargers.passport(charger)
    assert found is not None
    return found


def knows(s: Scene, **expected: str | None) -> dict[str, str | None]:
    """What the passport says of these; `lease` and `obey` are C1's own."""
    about = {"lease": "C1", "obey": "C1", "form": "session"}
    return {f: passport(s).get(f, about.get(f, "")) for f in expected}  # type: ignore[arg-type]


async def until_known(s: Scene, within_s: float = 300.0, **expected: str | None) -> float:
    return await s.until(
        lambda: knows(s, **expected) == expected, within_s,
        lambda: f"{passport(s).findings} {s.house.views['C1'].value.probing}",
    )


def facts(s: Scene, kind: type[AnyFact]) -> list[Any]:
    """What the balancer was told of this kind."""
    steps = (step for segment in s.house.fact_ring._segments for step in segment.steps)
    return [fact for step in steps for fact in step.facts if isinstance(fact, kind)]


def profiles(s: Scene, since: float = 0.0) -> list[dict[str, Any]]:
    """The SetChargingProfile calls to C1 since then, as told."""
    return [told for at, told in s.told("C1", "SetChargingProfile") if at >= since]


def ends_s(profile: dict[str, Any]) -> list[int]:
    schedule = profile["csChargingProfiles"]["chargingSchedule"]
    return [period["startPeriod"] for period in schedule["chargingSchedulePeriod"]]


def trials(s: Scene) -> list[dict[str, Any]]:
    """Profiles whose second period comes before that of the one before: the short dead-man."""
    told = [p for p in profiles(s) if len(ends_s(p)) == 2]
    same = [
        (before, after) for before, after in itertools.pairwise(told)
        if before["csChargingProfiles"].get("transactionId")
        == after["csChargingProfiles"].get("transactionId")
    ]  # fmt: skip
    return [after for before, after in same if ends_s(after)[1] < ends_s(before)[1]]


def drawn_a(s: Scene) -> float:
    return max(s.world.charger("C1").true_current_ma()) / 1000


async def test_a_plain_charger_is_found_out_in_its_first_session_once_and_never_above_its_offer(
) -> None:  # fmt: skip
    async with probed() as s:
        await until_known(s, lease="honoured", relative="start", zero="pauses",
                          form="TxProfile/Relative/A/2", unit="A", level="8")

        evidence = {f.what: f for f in passport(s).findings}
        assert evidence["lease"].offered == "20.0 A for 30 s, then 0.0 A"
        assert evidence["lease"].charger == "C1"
        assert evidence["zero"].measured.startswith("20.0 A again after")
        assert [(f.charger, f.is_proven) for f in facts(s, LeaseProven)] == [("C1", True)]
        assert s.offers_a("C1") == [20], "the plan never knew of it"
        assert len(trials(s)) == 1
        await trio.sleep(30)
        s.world.charger("C1").unplug()
        await trio.sleep(5)
        s.charge("C1")
        await trio.sleep(200)
        assert len(trials(s)) == 1, "once"
        assert drawn_a(s) == pytest.approx(20, abs=0.2)
        (kept,) = await s.store.passports()
        assert kept.get("lease", "C1") == "honoured"
        lines = {line.what: line.found for line in s.house.views["C1"].value.passport}
        assert lines["lease"] == "yes"
        assert s.house.views["C1"].value.probing == ""
        s.is_safe()


async def test_a_charger_that_keeps_to_the_first_period_earns_no_lease() -> None:
    async with probed(make(one_period=True)) as s:
        await until_known(s, lease="not honoured", zero="pauses")

        assert [f.is_proven for f in facts(s, LeaseProven)] == [False]
        assert knows(s, relative=None) == {"relative": None}
        await s.until(lambda: drawn_a(s) > 19.5, 30)
        s.is_safe()


async def test_a_charger_that_counts_from_the_arrival_is_told_so_and_earns_its_lease_then() -> None:
    async with probed(make(from_arrival=True)) as s:
        await until_known(s, relative="arrival", within_s=400)
        assert knows(s, lease=None) == {"lease": None}

        await until_known(s, lease="honoured", within_s=600)

        assert "relative_from_start no (measured)" in read_now(s).rules
        told = profiles(s)[-1]
        assert ends_s(told) == [0, 180], "not the session's age on top"
        s.is_safe()


async def test_where_the_car_does_not_come_back_from_0_a_it_is_never_told_0_again() -> None:
    async with probed(make(after_zero="stays")) as s:
        await until_known(s, zero="stays")
        assert "zero never (measured)" in read_now(s).rules
        session = s.world.charger("C1").connector().transaction
        since = trio.current_time()

        await s.change(limit_ma=msgspec.structs.replace(s.settings.site.limit_ma, l1=3_000))
        await s.until(lambda: s.world.charger("C1").connector().transaction is None, 20)

        assert session is not None, "it was kept until then"
        sent = profiles(s, since)
        assert all(p["csChargingProfiles"]["chargingProfilePurpose"] != "TxProfile" for p in sent)
        s.is_safe()


async def test_where_0_a_ends_the_session_that_is_found() -> None:
    async with probed(make(after_zero="stops")) as s:
        await until_known(s, zero="stops")

        assert "zero stays (measured)" in read_now(s).rules
        s.is_safe()


async def test_c4_a_form_that_is_taken_and_not_obeyed_gives_way_to_the_next_and_is_remembered(
) -> None:  # fmt: skip
    lies = make(ignored_purposes=frozenset({"TxProfile"}))
    async with probed(lies, probe=False) as s:
        await until_known(s, form="TxDefaultProfile/Relative/A/2", within_s=90)

        assert drawn_a(s) == pytest.approx(20, abs=0.2)
        assert passport(s).refused() == {"TxProfile/Relative/A/2", "TxProfile/Relative/A"}
        (refused,) = [f for f in passport(s).findings if f.what == "refused"]
        assert (refused.offered, refused.measured[:5]) == ("20.0 A, accepted", "0.0 A")
        s.world.charger("C1").unplug()
        await trio.sleep(5)
        since = trio.current_time()
        s.charge("C1")
        await s.until(lambda: drawn_a(s) > 19, 30)
        purposes = {p["csChargingProfiles"]["chargingProfilePurpose"] for p in profiles(s, since)}
        assert purposes == {"TxDefaultProfile"}, "it is not tried again"


async def test_a_cut_ends_a_trial_at_once_and_the_charger_gets_the_cut() -> None:
    async with probed() as s:
        await s.until(lambda: s.house.views["C1"].value.probing.startswith("connector"), 200)
        await trio.sleep(5)
        assert len(trials(s)) == 1

        await s.change(limit_ma=msgspec.structs.replace(s.settings.site.limit_ma, l1=8_000))
        took_s = await s.until(lambda: drawn_a(s) < 8.2, 20)

        assert took_s < 6
        assert passport(s).get("lease", "C1") is None
        await trio.sleep(60)
        assert len(trials(s)) == 1, "and not again for a while"
        assert drawn_a(s) == pytest.approx(8, abs=0.2), "and is not at 0"
        s.is_safe()


async def test_nothing_is_tried_under_an_emergency_stop_or_where_the_setting_is_off() -> None:
    async with probed(probe=False) as s:
        await trio.sleep(200)

        assert trials(s) == []
        assert "switched off" in s.house.views["C1"].value.probing
        assert knows(s, lease=None, zero=None) == {"lease": None, "zero": None}


async def test_other_firmware_is_another_passport_and_withdraws_the_proof() -> None:
    async with probed() as s:
        await until_known(s, lease="honoured", zero="pauses")
        charger = s.world.charger("C1")

        charger.update_firmware("http://x/2.0.0", 0)
        await s.until(lambda: s.house.views["C1"].value.firmware == "2.0.0", 120)

        assert [f.is_proven for f in facts(s, LeaseProven)][-1] is False
        assert passport(s).firmware == "2.0.0"
        assert knows(s, lease=None, zero=None) == {"lease": None, "zero": None}


async def test_what_was_proved_is_told_again_after_a_restart_before_the_charger_is_back() -> None:
    async with probed() as s:
        await until_known(s, lease="honoured", zero="pauses")
        s.world.charger("C1").pull_cable(60)

        await s.restart()
        await trio.sleep(2)

        assert [f.is_proven for f in facts(s, LeaseProven)] == [True]
        assert not s.house.views["C1"].value.connected


async def test_a_cut_shows_how_soon_a_charger_obeys() -> None:
    async with probed(limit_a=40, probe=False) as s:
        await s.until(lambda: drawn_a(s) > 31, 60)
        await trio.sleep(15)  # its values have told so

        await s.change(limit_ma=msgspec.structs.replace(s.settings.site.limit_ma, l1=12_000))
        await s.until(lambda: passport(s).get("obey", "C1") is not None, 30)

        assert passport(s).get("obey", "C1") == "5", "values were asked for in time"
        assert [f.obey_s for f in facts(s, ObeyTimeKnown)] == [5.0]


async def test_passports_are_exported_imported_without_single_proofs_and_found_out_anew() -> None:
    async with probed() as s:
        await until_known(s, lease="honoured", zero="pauses")
        file = (await s.ask(ReadPassports())).data
        now = msgspec.json.decode((await s.ask(ReadPassport("C1"))).data, type=PassportNow)
        assert now.passport.get("lease", "C1") == "honoured"
        assert now.profile_writes > 3

        assert (await s.ask(ProbeAgain("C1"))).ok
        await trio.sleep(2)
        assert knows(s, lease=None, zero=None) == {"lease": None, "zero": None}
        assert [f.is_proven for f in facts(s, LeaseProven)][-1] is False
        await until_known(s, lease="honoured", zero="pauses", within_s=400)

        answer = await s.ask(ImportPassports(msgspec.Raw(file)))
        assert (answer.ok, answer.text[:20]) == (True, "1 passports imported")
        assert [line.what for line in await s.store.audit_lines(1)] == ["1 passports imported"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"version": 2}, "$.version"),
        ({"what": "lease", "found": "perhaps", "about": "C1"}, "$.passports[0].findings[0].found"),
        ({"what": "form", "found": "TxProfile/Relative/A/2"}, "$.passports[0].findings[0].about"),
    ],
)
async def test_a_file_of_passports_is_taken_whole_or_not_at_all(
    change: dict[str, object], path: str
) -> None:
    finding = {"what": "zero", "found": "pauses", **change}
    version = finding.pop("version", 1)
    good = {"vendor": "Acme", "model": "Two", "findings": []}
    raw = {"version": version, "passports": [
        {"vendor": "Acme", "model": "One", "findings": [finding]}, good]}  # fmt: skip
    async with scene(Settings()) as s:
        answer = await s.ask(ImportPassports(msgspec.Raw(msgspec.json.encode(raw))))

        assert (answer.ok, answer.code) == (False, "invalid")
        assert msgspec.json.decode(answer.data)["path"] == path
        file = msgspec.json.decode((await s.ask(ReadPassports())).data, type=PassportFile)
        assert file.passports == ()


async def test_one_charger_of_a_site_is_tried_at_a_time() -> None:
    settings = site(90, single("C1"), single("C2"), single("C3"), probe_chargers=True)
    async with scene(settings) as s:
        for name in ("C1", "C2", "C3"):
            await s.world.charger(name).wait_ready()
        s.charge("C1", "C2", "C3")
        at_once = 0
        began = trio.current_time()
        while trio.current_time() < began + 600:
            probing = [v.value.probing for v in s.house.views.values()]
            at_once = max(at_once, sum(p.startswith("connector") for p in probing))
            await trio.sleep(1)

        assert at_once == 1
        own = [passport(s, name).get("lease", name) for name in ("C1", "C2", "C3")]
        assert own == ["honoured"] * 3
        assert len([f for f in passport(s).findings if f.what == "zero"]) == 1
        s.is_safe()


async def test_a_write_budget_lengthens_the_dead_man_and_a_cut_goes_out_all_the_same() -> None:
    settings = site(20, single("C1", writes_a_day=25), probe_chargers=False)
    async with scene(settings, makes={"C1": PLAIN}) as s:
        await s.world.charger("C1").wait_ready()
        s.charge("C1")
        await trio.sleep(900)
        sent = len(profiles(s))
        assert sent <= 6, "no renewal each minute"
        view = s.house.views["C1"].value
        assert (view.writes_a_day, view.profile_writes) == (25, sent)
        for _ in range(14):  # more than the day's share at noon
            for limit in (8_000, 20_000):
                await s.change(limit_ma=msgspec.structs.replace(s.settings.site.limit_ma, l1=limit))
                await trio.sleep(30)
                assert drawn_a(s) < limit / 1000 + 0.3

        assert 12 <= len(profiles(s)) <= 18, "raises wait from there on"
        await s.change(limit_ma=msgspec.structs.replace(s.settings.site.limit_ma, l1=7_000))
        await s.until(lambda: drawn_a(s) < 7.3, 20)
        s.is_safe()


async def test_a_steady_charger_is_written_to_three_times_in_a_dead_man_time() -> None:
    async with probed(probe=False) as s:
        await trio.sleep(120)
        since = trio.current_time()

        await trio.sleep(1800)

        sent = len(profiles(s, since))
        assert 29 <= sent <= 31, "a renewal each minute: D/3 of 180 s"
        s.world.charger("C1").unplug()
        await trio.sleep(60)
        since = trio.current_time()
        await trio.sleep(1800)
        assert profiles(s, since) == [], "0 A that falls back to 0 A needs no renewal"


# -- a current that something else holds -----------------------------------------------------------


def draws_at_most(s: Scene) -> list[str]:
    """What the charger's page says of it."""
    shown = s.house.views["C1"].value.passport
    return [line.found for line in shown if line.what == "own_limit"]


async def session(s: Scene, minutes: float, **car: Any) -> None:
    """A car comes, charges for so long and goes."""
    s.charge("C1", car=lambda: Car(**{"soc": 0.1, "battery_wh": 200_000, **car}))
    await trio.sleep(minutes * 60)
    s.world.charger("C1").unplug()
    await trio.sleep(60)


async def test_a_charger_with_a_maximum_of_its_own_is_told_of_in_its_third_session() -> None:
    async with probed(make(max_ma=10_000), limit_a=32, probe=False) as s:
        await trio.sleep(12 * 60)
        s.world.charger("C1").unplug()
        await trio.sleep(60)
        await session(s, 12)
        assert draws_at_most(s) == []
        s.world.charger("C1").disconnect(20)  # a new link counts on
        await trio.sleep(60)
        await session(s, 12)

        (said,) = draws_at_most(s)
        assert said.startswith("10.0 A on connector 1, whatever it is offered")
        [found] = [f for f in passport(s).findings if f.what == "own_limit"]
        assert (found.offered, found.measured[:10]) == ("32.0 A", "10.0 A on ")
        assert found.measured.count("2026-06-15") == 3
        writes = s.lines("found out")
        await session(s, 12)
        assert len(draws_at_most(s)) == 1
        assert [line for line in s.lines("found out") if "own_limit" in line] == [
            line for line in writes if "own_limit" in line
        ], "written once"
        (kept,) = await s.store.passports()
        assert [f.found for f in kept.findings if f.what == "own_limit"] == [found.found]
        await s.restart()
        await s.until(lambda: draws_at_most(s) != [], 60)
        s.is_safe()


async def test_a_car_that_takes_more_takes_the_notice_back() -> None:
    async with probed(limit_a=32, probe=False) as s:
        s.world.charger("C1").unplug()
        await trio.sleep(60)
        for _ in range(3):  # the same car each night looks the same, and the notice says so
            await session(s, 12, max_ma=13_000)
        (said,) = draws_at_most(s)
        assert "same ceiling every night" in said
        await session(s, 5, max_ma=20_000)
        assert draws_at_most(s) == []
        s.is_safe()


@pytest.mark.parametrize("cars", [
    [{"max_ma": 32_000}] * 3,  # the offer holds them
    [{"max_ma": 9_000}, {"max_ma": 13_000}] * 2,
    [{"soc": 0.82, "battery_wh": 12_000, "max_ma": 20_000}] * 3,  # near their end
], ids=["hungry", "different", "tapering"])  # fmt: skip
async def test_cars_that_are_no_ceiling_are_not_told_of(cars: list[dict[str, Any]]) -> None:
    async with probed(limit_a=25, probe=False) as s:
        s.world.charger("C1").unplug()
        await trio.sleep(60)
        for car in cars:
            await session(s, 12, **car)
        assert draws_at_most(s) == []
        assert not [f for f in passport(s).findings if f.what == "own_limit"]


async def test_a_share_of_a_full_site_is_no_ceiling_of_the_charger() -> None:
    settings = site(20, single("C1"), single("C2"), probe_chargers=False)
    async with scene(settings, makes={"C1": PLAIN, "C2": PLAIN}) as s:
        for _ in range(3):
            s.charge("C1", "C2")
            await trio.sleep(12 * 60)
            for name in ("C1", "C2"):
                s.world.charger(name).unplug()
            await trio.sleep(60)
        assert draws_at_most(s) == []
