"""The uplink through the whole firmware: to the CSMS as if LinkRay were not there (csms.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import pytest
import trio
from tools.simulator.conservation import conserve
from tools.simulator.passing import disciplined
from tools.simulator.scene import HERE, Scene, hungry, scene, single, site
from tools.world.csms import Csms
from tools.world.disk import FOR_EVER, Disk
from tools.world.operator import Operator, a_profile

from linkray.csms import task as csms_task
from linkray.model.asks import SetUplinkPassword
from linkray.model.records import Outgoing
from linkray.model.settings import Csms as CsmsSettings
from linkray.model.settings import Settings
from linkray.model.uplink import Boot, Replied
from linkray.model.views import ConnectorView
from linkray.store import db

C = [single(f"C{n}") for n in range(1, 4)]
URL = "ws://csms.example/ocpp"

T = TypeVar("T")


def passed(amps: int = 60) -> Settings:
    """A site whose chargers are passed to a CSMS."""
    return msgspec.structs.replace(site(amps, *C), csms=CsmsSettings(URL))


def view(s: Scene, charger: str) -> ConnectorView:
    return s.house.views[charger].value.connectors[0]


def csms() -> Csms:
    return Csms(path="/ocpp")


async def charging(s: Scene, *names: str) -> None:
    s.charge(*names)
    await s.until(
        lambda: all(s.world.charger(n).true_current_ma() != (0, 0, 0) for n in names), 90,
        lambda: s.pilots_a(*names),
    )  # fmt: skip


async def test_a_session_reaches_the_csms_as_if_linkray_were_not_there() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        for name in ("C1", "C2", "C3"):
            await central.wait_linked(name)
        await charging(s, "C1")
        await trio.sleep(300)
        assert view(s, "C1").source == "phases"
        assert s.offer("C1").drawn_ma is not None
        s.world.charger("C1").unplug()
        await trio.sleep(60)

        found = central.book.transactions("C1")
        assert len(found) == 1
        assert found[0].stops
        assert central.complaints == []
        assert s.world.charger("C1").reported.sessions[0].ids == [found[0].id]
        holds(s, central)


def holds(s: Scene, central: Csms, *, is_over: bool = True) -> None:
    """The CSMS's book holds what the chargers truly did (INV-13, INV-14), and it was told by the
    book; what flowed kept every limit.
    """
    chargers = [s.world.charger(c.id).reported for c in C]
    account = conserve(chargers, central.book, now=trio.current_time(), is_over=is_over)
    assert account.violations == []
    assert central.complaints == []
    s.is_safe()


async def live(s: Scene, central: Csms, *names: str) -> None:
    """Until the uplinks of these have said all that was kept."""
    for name in names:
        await central.wait_linked(name, within_s=120)
    await s.until(
        lambda: all(s.house.uplink_views[n].value.state == "live" for n in names), 300,
        lambda: [s.house.uplink_views[n].value for n in names],
    )  # fmt: skip


async def test_k1_half_an_hour_without_a_line_loses_nothing_and_nothing_is_doubled() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        await charging(s, "C1")
        central.cut()
        await s.until(lambda: "csms" in s.faults("C1"), 60)
        await charging(s, "C2")
        await trio.sleep(900)
        s.world.charger("C1").unplug()
        await trio.sleep(30)
        await charging(s, "C1")
        await trio.sleep(900)
        assert s.house.uplink_views["C1"].value.waiting > 25

        central.restore()
        await live(s, central, "C1", "C2", "C3")
        s.world.charger("C2").unplug()
        await trio.sleep(30)

        assert s.faults() & {"csms"} == set()
        assert len(central.book.transactions("C1")) == 2
        assert len(central.book.transactions("C2")) == 1
        assert central.book.transactions("C2")[0].stops
        holds(s, central)


async def test_k1_the_process_dies_in_an_outage_and_nothing_is_lost() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        central.cut()
        await charging(s, "C1", "C2")
        await trio.sleep(600)
        await s.restart()
        await trio.sleep(120)
        s.world.charger("C1").unplug()
        await trio.sleep(30)
        await s.restart()

        central.restore()
        await live(s, central, "C1", "C2", "C3")
        await trio.sleep(60)
        s.world.charger("C2").unplug()
        await trio.sleep(30)

        assert [len(central.book.transactions(n)) for n in ("C1", "C2")] == [1, 1]
        assert all(central.book.transactions(n)[0].stops for n in ("C1", "C2"))
        holds(s, central)


async def test_a_session_begun_offline_is_stopped_remotely_by_the_number_of_the_csms() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1")
        central.cut()
        await charging(s, "C1")
        own = s.world.charger("C1").connector(1).transaction
        assert own is not None
        central.give_ids(77_777)
        central.restore()
        await live(s, central, "C1")
        await s.restart()
        await live(s, central, "C1")

        asked = await Operator(central, "C1").remote_stop(77_777)
        assert asked.status == "Accepted"
        await s.until(lambda: s.world.charger("C1").connector(1).transaction is None, 30)
        await trio.sleep(30)

        assert own.id != 77_777
        stop = central.book.of("StopTransaction", "C1")[0]
        assert stop.payload["transactionId"] == 77_777
        holds(s, central)


async def test_k7_a_tag_that_the_csms_does_not_know_ends_the_session_begun_without_it() -> None:
    central = csms()
    central.say_of_tag("TAG1", "Invalid")
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1")
        central.cut()
        await charging(s, "C1")
        central.restore()
        await live(s, central, "C1")
        await s.until(lambda: s.world.charger("C1").connector(1).transaction is None, 30)
        await trio.sleep(30)

        stop = central.book.of("StopTransaction", "C1")[0]
        assert stop.payload["reason"] == "DeAuthorized"
        holds(s, central)


async def test_a_tag_is_the_csms_to_judge_while_it_is_there() -> None:
    central = csms()
    central.say_of_tag("TAG1", "Blocked")
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1")
        s.charge("C1")
        await trio.sleep(120)

        assert s.world.charger("C1").true_current_ma() == (0, 0, 0)
        assert central.book.of("Authorize", "C1")[0].payload == {"idTag": "TAG1"}
        s.is_safe()


async def test_the_csms_starts_and_stops_a_session_and_reads_the_truth() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1")
        operator = Operator(central, "C1")
        s.world.charger("C1").plug(hungry())
        asked = await operator.remote_start("REMOTE", 1)
        assert asked.status == "Accepted"
        await s.until(lambda: s.world.charger("C1").true_current_ma() != (0, 0, 0), 60)

        asked = await operator.change_configuration("MeterValueSampleInterval", "60")
        assert asked.status == "Accepted"
        asked = await operator.get_configuration("MeterValueSampleInterval")
        assert asked.answer["configurationKey"][0]["value"] == "60"
        before = len(central.book.of("MeterValues", "C1"))
        await trio.sleep(600)
        assert 9 <= len(central.book.of("MeterValues", "C1")) - before <= 11

        asked = await operator.set_profile(a_profile(periods=((0, 10.0),)), 1)
        assert asked.status == "Accepted"
        await s.offered(10.0)
        assert s.offer("C1").reason.code == "csms_profile"
        asked = await operator.composite_schedule(1, 600)
        assert asked.answer["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 10.0

        number = central.book.transactions("C1")[0].id
        asked = await operator.remote_stop(number)
        assert asked.status == "Accepted"
        await s.until(lambda: s.world.charger("C1").connector(1).transaction is None, 30)
        await trio.sleep(30)
        holds(s, central)


async def test_p3_what_the_csms_sets_is_accepted_only_where_the_disk_takes_it() -> None:
    central = csms()
    with Disk().plugged() as disk:
        async with scene(passed(), csms=central, disk=disk) as s:
            await live(s, central, "C1")
            operator = Operator(central, "C1")
            await charging(s, "C1")
            await s.offered(32.0)
            disk.failing_syncs = FOR_EVER

            asked = await operator.set_profile(a_profile(periods=((0, 10.0),)), 1)
            assert asked.status == "Rejected"
            asked = await operator.change_configuration("MeterValueSampleInterval", "60")
            assert asked.status == "Rejected"
            await trio.sleep(30)
            assert s.offers_a("C1") == [32.0]
            asked = await operator.composite_schedule(1, 600)
            assert asked.answer["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 32.0

            disk.failing_syncs = 0
            await s.until(lambda: "storage" not in s.faults(), 70)
            asked = await operator.set_profile(a_profile(periods=((0, 10.0),)), 1)
            assert asked.status == "Accepted"
            await s.offered(10.0)
            holds(s, central)


async def test_k12_a_csms_that_takes_a_minute_holds_up_no_car() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        central.answer_after(60.0)
        s.charge("C1", "C2")
        await s.until(
            lambda: all(s.world.charger(n).true_current_ma() != (0, 0, 0) for n in ("C1", "C2")),
            60, lambda: s.pilots_a("C1", "C2"),
        )  # fmt: skip
        await trio.sleep(1_200)
        central.answer_after(0.0)
        await live(s, central, "C1", "C2", "C3")
        s.world.charger("C1").unplug()
        await trio.sleep(30)

        holds(s, central)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("say_nothing", "did not answer as a WebSocket within 20 s"),
        ("speak_other", "did not answer as a WebSocket within 20 s"),
        ("refuse", "HTTP 503: it is out of service"),
        ("redirect", "HTTP 302: it is somewhere else"),
        ("choose_subprotocol", "does not speak WebSocket"),
        ("cut", "no connection"),
    ],
)
async def test_k4_a_door_that_is_shut_is_named_and_not_run_against(
    trouble: str, words: str
) -> None:
    central = csms()
    more = {"redirect": ("ws://elsewhere.example/",), "choose_subprotocol": ("ocpp2.0.1",)}
    getattr(central, trouble)(*more.get(trouble, ()))
    async with scene(passed(), csms=central) as s:
        await s.until(lambda: "csms" in s.faults("C1"), 60)
        await charging(s, "C1")
        await trio.sleep(600)

        assert words in s.house.uplink_views["C1"].value.text
        if trouble != "cut":
            assert len(central.book.knocks) <= 3 * (660 / 60 + 2)
            assert disciplined(central.book) == []
        central.obey()
        central.restore()
        await live(s, central, "C1", "C2", "C3")
        s.world.charger("C1").unplug()
        await trio.sleep(30)
        holds(s, central)


async def test_k3_a_line_that_flaps_over_sessions_loses_and_doubles_nothing() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        central.flap(5.0)
        for _ in range(2):
            await charging(s, "C1", "C2")
            await trio.sleep(600)
            for name in ("C1", "C2"):
                s.world.charger(name).unplug()
            await trio.sleep(60)
        central.obey()
        await live(s, central, "C1", "C2", "C3")

        assert len(central.book.transactions("C1")) == 2
        assert disciplined(central.book) == []
        holds(s, central)


async def changed(s: Scene, **csms: object) -> None:
    """Somebody sets another CSMS."""
    old = s.store.settings.value
    new = msgspec.structs.replace(old, csms=msgspec.structs.replace(old.csms, **csms))
    await s.store.change_settings(new, HERE, "test")


async def test_a_csms_that_is_set_while_cars_charge_hears_of_the_chargers() -> None:
    central = csms()
    async with scene(site(60, *C), csms=central) as s:
        await charging(s, "C1")
        assert central.book.knocks == []

        await changed(s, url=URL)
        await live(s, central, "C1", "C2", "C3")

        assert [t.action for t in central.book.told["C1"]][:2] == [
            "BootNotification", "StatusNotification",
        ]
        s.is_safe()


async def test_k13_what_is_kept_for_one_csms_is_not_said_to_another() -> None:
    first, second = csms(), csms()
    async with scene(passed(), csms=first) as s:
        await live(s, first, "C1", "C2", "C3")
        first.cut()
        await charging(s, "C1")
        await trio.sleep(120)
        s.world.charger("C1").unplug()
        await trio.sleep(10)

        s.csms = second
        await changed(s, url="ws://second.example/ocpp")
        await live(s, second, "C1", "C2", "C3")
        await charging(s, "C2")
        assert second.book.transactions("C1") == []
        assert len(second.book.transactions("C2")) == 1
        first.restore()
        s.csms = first
        await changed(s, url=URL)
        await live(s, first, "C1")

        assert len(first.book.transactions("C1")) == 1
        assert first.book.transactions("C1")[0].stops
        s.is_safe()


async def test_k13_a_session_is_told_to_the_csms_that_has_its_start_and_to_no_other() -> None:
    first, second = csms(), csms()
    async with scene(passed(), csms=first) as s:
        await live(s, first, "C1", "C2", "C3")
        await charging(s, "C1", "C2")

        s.csms = second
        await changed(s, url="ws://second.example/ocpp")
        await live(s, second, "C1", "C2", "C3")
        await trio.sleep(150)
        s.world.charger("C1").unplug()
        await charging(s, "C3")
        await trio.sleep(60)

        assert second.book.transactions("C1") == second.book.transactions("C2") == []
        assert {t.action for t in second.book.told["C1"]} <= {
            "BootNotification", "StatusNotification", "Heartbeat",
        }
        assert await s.store.set_aside(0, 9) == ()
        assert second.complaints == []

        s.csms = first
        await changed(s, url=URL)
        await live(s, first, "C1", "C2", "C3")
        await charging(s, "C1")
        s.world.charger("C2").unplug()
        await trio.sleep(60)

        (ended, begun), (other,) = first.book.transactions("C1"), first.book.transactions("C2")
        assert ended.stops
        assert other.stops
        assert not begun.stops
        assert first.book.transactions("C3") == []
        assert await s.store.set_aside(0, 9) == ()
        assert first.complaints == []
        s.is_safe()


async def test_k13_a_csms_that_is_taken_away_for_a_while_hears_how_its_sessions_went_on() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        await charging(s, "C1", "C2")
        await changed(s, url="")
        await trio.sleep(60)
        await s.restart()
        await trio.sleep(90)
        s.world.charger("C1").unplug()
        await trio.sleep(30)

        await changed(s, url=URL)
        await live(s, central, "C1", "C2", "C3")
        s.world.charger("C2").unplug()
        await trio.sleep(60)

        holds(s, central)


async def test_the_last_words_of_an_uplink_to_the_former_csms_come_before_those_of_the_next(
) -> None:
    first, second = csms(), csms()
    async with scene(passed(), csms=first) as s:
        await live(s, first, "C1", "C2", "C3")
        await Operator(first, "C1").set_profile(a_profile(periods=((0, 12.0),)))
        await charging(s, "C1")
        uplink = s.house.uplinks._uplinks["C1"]

        async def slow(_text: str) -> None:
            await trio.sleep(8)

        uplink._send = slow  # type: ignore[method-assign]  # its line takes as long
        uplink.put(Boot(b"{}"))
        await trio.sleep(1)
        s.csms = second
        await changed(s, url="ws://second.example/ocpp")
        uplink.put(Boot(b'{"chargePointVendor":"V"}'))
        assert (await s.ask(SetUplinkPassword("C1", "a password"))).ok
        await live(s, second, "C1", "C2", "C3")
        await Operator(second, "C1").set_profile(a_profile(periods=((0, 8.0),)))
        await trio.sleep(60)

        kept = {one.charger: one for one in await s.store.uplinks()}["C1"]
        assert (kept.csms, kept.password) == ("ws://second.example/ocpp", "a password")
        assert s.house.uplinks.kept["C1"] == kept
        assert s.house.uplink_views["C1"].value.state == "live"
        assert s.offers_a("C1") == [8.0], "what the second allows stands"
        assert second.complaints == []
        s.is_safe()


async def test_an_uplink_that_fails_begins_anew_and_loses_nothing() -> None:
    central = csms()
    async with scene(passed(), csms=central, strict=False) as s:
        await live(s, central, "C1", "C2", "C3")
        await charging(s, "C1")
        uplink = s.house.uplinks._uplinks["C1"]
        assert uplink.core is not None
        uplink.core._box = None  # type: ignore[assignment]  # a mistake of ours
        await trio.sleep(120)
        await live(s, central, "C1")
        s.world.charger("C1").unplug()
        await trio.sleep(60)

        assert s.house.uplinks._uplinks["C1"] is not uplink
        assert disciplined(central.book) == []
        holds(s, central)


async def test_what_the_csms_has_is_not_said_again_by_an_uplink_that_begins_anew() -> None:
    central = csms()
    async with scene(passed(), csms=central, strict=False) as s:
        await live(s, central, "C1", "C2", "C3")
        central.cut()
        await charging(s, "C1")
        await trio.sleep(90)
        s.world.charger("C1").unplug()
        await trio.sleep(30)
        central.restore()
        await live(s, central, "C1")
        uplink = s.house.uplinks._uplinks["C1"]
        assert uplink.core is not None
        uplink.core._box = None  # type: ignore[assignment]  # a mistake of ours
        uplink.put(Replied("", None))
        await trio.sleep(10)

        assert s.house.uplinks._uplinks["C1"] is not uplink
        assert s.house.uplink_views["C1"].value.waiting == 0
        await live(s, central, "C1")
        assert [told.action for told in central.book.told["C1"] if told.is_repeat] == []


async def test_without_a_wish_the_csms_gets_values_as_often_as_the_charger_was_set_to() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        was = s.house.chargers.before
        await live(s, central, "C1")
        await s.until(lambda: bool(was("C1")), 60)
        every_s = float(was("C1")["MeterValueSampleInterval"] or 0)
        assert every_s > 10, "LinkRay samples more often for itself"
        await charging(s, "C1")
        await trio.sleep(1_200)

        told = central.book.of("MeterValues", "C1")
        assert len([one for one in told if "Sample.Periodic" in one.text]) <= 1_200 / every_s + 3
        holds(s, central)


class Stuck:
    """A disk on which everything takes until it is let go."""

    def __init__(self) -> None:
        self.free = trio.Event()

    async def run(self, work: Callable[[], T]) -> T:
        await self.free.wait()
        return work()


@contextmanager
def stuck(s: Scene) -> Iterator[None]:
    """The box's disk takes nothing and refuses nothing meanwhile."""
    s.store._runner = disk = Stuck()
    try:
        yield
    finally:
        disk.free.set()


def answered_after_s(s: Scene, charger: str, since: float) -> list[float]:
    """How long LinkRay's calls to a charger took until their answer was read."""
    asked, took = {}, []
    for frame in (f for f in s.frames if f.charger == charger and f.at >= since):
        message = json.loads(frame.text)
        if frame.way == "out" and message[0] == 2:
            asked[message[1]] = frame.at
        elif frame.way == "in" and message[0] in (3, 4):
            took.append(frame.at - asked.pop(message[1]))
    assert not asked, "all were answered"
    return took


async def test_p11_a_disk_that_is_stuck_holds_up_the_answers_of_values_and_nothing_else() -> None:
    central = csms()
    async with scene(passed(40), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        await charging(s, "C1", "C2")
        central.cut()
        await trio.sleep(60)  # not all that there is to be found out of them is found out by then
        dials = [s.world.charger(n).dials for n in ("C1", "C2")]
        since = trio.current_time()
        with stuck(s):
            await trio.sleep(90)
            car = s.world.charger("C2").connector(1).car
            assert car is not None
            car.max_ma = 8_000
            await s.until(lambda: s.pilots_a("C1")[0] >= 28, 90, lambda: s.pilots_a("C1", "C2"))
            assert max(answered_after_s(s, "C1", since)) < 1
            assert [s.world.charger(n).dials for n in ("C1", "C2")] == dials
        central.restore()
        await live(s, central, "C1", "C2", "C3")
        s.world.charger("C1").unplug()
        await trio.sleep(30)
        holds(s, central)


async def test_p11_what_waits_for_an_uplink_that_waits_for_the_disk_has_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csms_task, "ITEMS_MAX", 6)
    central = csms()
    async with scene(passed(40), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        await charging(s, "C1")
        before = s.watch("C1")
        uplink = s.house.uplinks._uplinks["C1"]
        with stuck(s):
            with trio.move_on_after(1):  # what it wishes is kept: its uplink waits for the disk
                await Operator(central, "C1").change_configuration("MeterValueSampleInterval", "20")
            most = 0
            for _ in range(900):
                await trio.sleep(1)
                most = max(most, len(uplink._items))
            assert 6 <= most <= 6 + 4, "one status, who it is, whether it is here; that it was full"
            s.went_on(before)
        await live(s, central, "C1", "C2", "C3")
        s.world.charger("C1").unplug()
        await s.until(lambda: bool(central.book.transactions("C1")[0].stops), 60)
        holds(s, central)


async def test_p3_values_that_the_disk_does_not_take_are_refused_and_the_session_goes_on() -> None:
    central = csms()
    with Disk().plugged() as disk:
        async with scene(passed(40), csms=central, disk=disk) as s:
            await live(s, central, "C1", "C2", "C3")
            await charging(s, "C1")
            central.cut()
            await trio.sleep(60)
            disk.failing_syncs = FOR_EVER
            await trio.sleep(300)
            refused = [f for f in s.frames if f.way == "out" and f.text.startswith("[4,")]
            assert refused
            assert all("InternalError" in f.text for f in refused)
            disk.failing_syncs = 0
            await s.until(lambda: "storage" not in s.faults(), 70)
            central.restore()
            await live(s, central, "C1", "C2", "C3")
            s.world.charger("C1").unplug()
            await trio.sleep(60)

            assert len(central.book.transactions("C1")) == 1
            holds(s, central)


async def test_a_bound_that_finds_the_balancer_busy_is_told_again() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1")
        await charging(s, "C1")
        tell, s.house.uplinks.tell = s.house.uplinks.tell, lambda _fact: False
        asked = await Operator(central, "C1").set_profile(a_profile(periods=((0, 10.0),)), 1)
        assert asked.status == "Accepted"
        await trio.sleep(5)
        assert s.offer("C1").reason.code != "csms_profile"

        s.house.uplinks.tell = tell
        await s.offered(10.0)
        s.is_safe()


async def test_what_is_kept_for_a_charger_that_is_deleted_is_said_all_the_same() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        central.cut()
        await charging(s, "C1", "C2")
        await trio.sleep(120)
        for name in ("C1", "C2"):
            s.world.charger(name).unplug()
        await trio.sleep(30)
        await s.change(chargers=(C[1], C[2]), new_chargers="ask")
        await trio.sleep(30)
        await s.restart()
        await trio.sleep(30)
        await s.change(chargers=(C[2],))
        central.restore()
        await trio.sleep(180)

        for name in ("C1", "C2"):
            (found,) = central.book.transactions(name)
            assert found.stops
            assert not central.is_linked(name), "there is nothing more to say of it"
        holds(s, central)


async def test_what_a_slow_csms_has_not_answered_when_linkray_ends_is_kept() -> None:
    central = csms()
    async with scene(passed(), csms=central) as s:
        await live(s, central, "C1", "C2", "C3")
        await charging(s, "C1")
        central.answer_after(9.0)

        def is_waiting() -> bool:
            core = s.house.uplinks._uplinks["C1"].core
            return core is not None and any(
                isinstance(entry.what, Outgoing) for entry in core._box._line
            )

        await s.until(is_waiting, 120)
        assert s.house.uplink_views["C1"].value.state == "live"
        assert await s.store.load("C1", URL, 0, 99) == ((), False)

        await s.house.uplinks.keep_the_rest()
        kept, _more = await s.store.load("C1", URL, 0, 99)
        await s.restart()
        central.answer_after(0.0)
        await live(s, central, "C1")
        heard = [msgspec.json.decode(one.text)[1] for one in central.book.of("MeterValues", "C1")]
        assert kept
        assert all(one.message_id in heard for one in kept)
        holds(s, central)


async def test_k13_what_waits_for_the_former_address_is_said_when_it_is_set_again_whoever_is_there(
) -> None:
    first, second = csms(), csms()
    async with scene(passed(), csms=first) as s:
        await live(s, first, "C1", "C2", "C3")
        first.cut()
        await charging(s, "C1")
        await trio.sleep(90)
        s.world.charger("C1").unplug()
        await trio.sleep(30)
        s.csms = second
        await changed(s, url="ws://second.example/ocpp")
        await live(s, second, "C1", "C2", "C3")
        await s.change(chargers=(C[1], C[2]), new_chargers="ask")
        await trio.sleep(90)
        assert not second.is_linked("C1")

        first.restore()
        s.csms = first
        await changed(s, url=URL)
        await trio.sleep(90)

        (found,) = first.book.transactions("C1")
        assert found.stops
        assert second.book.transactions("C1") == []
        s.is_safe()


async def test_k2_in_an_outage_too_long_for_the_disk_starts_and_stops_arrive_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    central = csms()
    with Disk().plugged() as disk:
        async with scene(passed(), csms=central, disk=disk) as s:
            await live(s, central, "C1", "C2", "C3")
            central.cut()
            await charging(s, "C1", "C2")
            await trio.sleep(1_200)
            s.world.charger("C1").unplug()
            await trio.sleep(30)
            waited = s.house.uplink_views["C1"].value.waiting
            monkeypatch.setattr(db, "DATABASE_BYTES_MAX", 0)
            await trio.sleep(120)
            thinned = s.house.uplink_views["C1"].value.waiting
            assert (waited > 15, thinned) == (True, 2)
            (shown,) = [f.text for f in s.house.faults.cell.value if f.code == "queue"]
            assert "values are thinned, 0 refused" in shown
            assert "storage" not in s.faults()
            monkeypatch.undo()
            central.restore()
            await live(s, central, "C1", "C2", "C3")
            s.world.charger("C2").unplug()
            await trio.sleep(30)

            assert all(central.book.transactions(n)[0].stops for n in ("C1", "C2"))
            assert s.house.uplink_views["C1"].value.waiting == 0
            await s.until(lambda: "queue" not in s.faults(), 70)
            holds(s, central)
