"""Alerts and restarts through the whole firmware: what outlives a restart, what waits for cars."""

from __future__ import annotations

import msgspec
import trio
from msgspec.structs import replace
from tools.simulator.scene import Scene, scene, single, site

from linkray.model.asks import (
    ActAtCharger,
    CancelRestart,
    ReadAlerts,
    ReadReport,
    ReadRestarts,
    Restart,
    SeeAlerts,
)
from linkray.model.faults import Alert
from linkray.model.views import AlertsRead, Report, RestartsRead

C = [single(f"C{n}") for n in range(1, 4)]
FOR_LONG_S = 100_000.0
RESET = ActAtCharger("C2", "reset_soft")


async def alert(s: Scene, charger: str) -> Alert | None:
    """The newest of this charger."""
    answer = await s.ask(ReadAlerts(charger=charger))
    return next(iter(msgspec.json.decode(answer.data, type=AlertsRead).alerts), None)


async def restarts(s: Scene) -> RestartsRead:
    return msgspec.json.decode((await s.ask(ReadRestarts())).data, type=RestartsRead)


async def charges(s: Scene, *names: str) -> None:
    """Cars come; there are sessions of all of these."""
    s.charge(*names)
    views = s.house.views
    await s.until(lambda: all(name in views and any(
        one.transaction_id is not None for one in views[name].value.connectors
    ) for name in names), 60)  # fmt: skip


async def audited(s: Scene) -> list[str]:
    return [line.what for line in await s.store.audit_lines()]


async def test_an_alert_goes_on_over_a_restart_and_who_saw_it_is_known() -> None:
    async with scene(site(60, *C)) as s:
        await s.until(lambda: not s.faults("C2"), 60)
        await trio.sleep(200)
        s.world.charger("C2").power_cut(FOR_LONG_S)
        await s.until(lambda: s.faults("C2") == {"charger_offline"}, 60)
        await trio.sleep(1)
        before = await alert(s, "C2")
        assert before is not None
        assert (await s.ask(SeeAlerts((before.id,)))).ok
        assert "1 alert seen" in await audited(s)
        await s.restart()
        await trio.sleep(300)

        after = await alert(s, "C2")
        assert after is not None
        assert (after.id, after.since, after.cleared) == (before.id, before.since, None)
        assert after.seen_by
        assert (await alert(s, "C1")) is None, "each start raises it until the charger is there"
        assert len((await restarts(s)).began) == 2


async def test_a_charger_is_reset_when_its_last_car_is_done_and_comes_back() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charges(s, "C1", "C2")
        assert (await s.ask(ActAtCharger("C1", "reset_hard", when_idle=True))).ok
        await trio.sleep(30)
        assert s.told("C1", "Reset") == []
        assert [one.charger for one in (await restarts(s)).pending] == ["C1"]
        s.world.charger("C1").unplug()
        await s.until(lambda: bool(s.told("C1", "Reset")), 30)

        assert s.told("C1", "Reset")[0][1] == {"type": "Hard"}
        assert s.told("C2", "Reset") == []
        await s.until(lambda: "C1" not in s.house.chargers.links, 60)
        await s.until(lambda: "C1" in s.house.chargers.links, 300)
        assert (await restarts(s)).pending == ()
        assert "reset_hard" in await audited(s)


async def test_a_reset_of_one_that_is_not_there_is_refused_in_words() -> None:
    async with scene(site(60, *C[:2])) as s:
        await s.until(lambda: not s.faults("C2"), 60)
        await trio.sleep(15)  # its link has answered a ping: 30 s of silence end it
        s.world.charger("C2").power_cut(FOR_LONG_S)
        await s.until(lambda: s.faults("C2") == {"charger_offline"}, 60)

        away, nobody = await s.ask(RESET), await s.ask(replace(RESET, charger="NOBODY"))

        assert (away.code, nobody.code) == ("unknown", "unknown")
        assert "C2 is not connected" in away.text


async def test_control_starts_anew_when_no_car_charges_unless_it_is_called_off() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charges(s, "C1")
        assert (await s.ask(Restart("control", when_idle=True))).ok
        assert (await s.ask(CancelRestart())).ok
        assert not (await s.ask(CancelRestart())).ok
        assert (await s.ask(Restart("control", when_idle=True))).ok
        await trio.sleep(10)
        assert not s.house.restart.is_set()
        s.world.charger("C1").unplug()
        await s.until(s.house.restart.is_set, 30)

        assert (await audited(s)).count("restart of control") == 2


async def test_the_report_is_made_of_what_is_there() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charges(s, "C1")

        told = msgspec.json.decode((await s.ask(ReadReport())).data, type=Report)

        assert [one.id for one in told.snapshot.chargers] == ["C1", "C2"]
        assert told.snapshot.site.sessions == 1
        assert [one.name for one in told.network] == ["eth0", "wlan0", "wwan0"]
        assert told.began[0].why == "the first start that is known"
