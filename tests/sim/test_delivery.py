"""Charge data records on their way, over days and nights of virtual time (records.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from linkray.courier import content
from linkray.kit.clock import WallClock, stamp
from linkray.model.asks import (
    INSTALLER,
    ReadDelivery,
    SendDelivery,
    SetDeliveryPassword,
    TryDelivery,
    Who,
)
from linkray.model.delivery import DeliveryTested, DeliveryView, Job, Outcome
from linkray.model.records import TransactionBegan, TransactionEnded
from linkray.model.settings import BadSettings, Delivery, Settings, check_sense
from linkray.records.delivery.task import DeliveryRoom
from linkray.store import deliveries
from linkray.store.db import Store, StoreError
from linkray.store.runner import Inline

WHO = Who("Installer", INSTALLER, "192.168.1.9")
DAILY = Delivery(frequency="daily", protocol="ftp", server="ftp.example", security="tls",
                 username="box")  # fmt: skip
HOUR = 3600.0


class Receiver:
    """A server: keeps files by name. What it is told: `refuses`, `hangs`, `loses_answer`."""

    def __init__(self) -> None:
        self.habit = "takes"
        self.files: dict[str, bytes] = {}
        self.jobs: list[Job] = []
        self.times: list[float] = []

    async def carry(self, job: Job, within_s: float) -> Outcome:
        self.jobs.append(job)
        self.times.append(trio.current_time())
        if self.habit == "hangs":
            await trio.sleep(within_s)
            return Outcome(taken=False, text=f"it was not done within {within_s:.0f} s")
        await trio.sleep(2)
        if self.habit == "refuses":
            return Outcome(taken=False, text="the server refused it: 553 no room")
        made = content(job)
        assert self.files.setdefault(job.name, made) == made, "the same name is the same file"
        if self.habit == "loses_answer":
            await trio.sleep(within_s)
        return Outcome(taken=True, text="taken")

    def sessions(self) -> list[int]:
        """The charge numbers of all files, each as often as it is there."""
        return [
            int(line.split(",")[0]) for file in self.files.values()
            for line in file.decode().splitlines()[1:]
        ]  # fmt: skip


class Site:
    """A box in Berlin with sessions that end, and its room, which may be started anew."""

    def __init__(self, store: Store, file: Path, wall: WallClock, receiver: Receiver) -> None:
        self.store, self.file, self.wall, self.receiver = store, file, wall, receiver
        self.failed: str | None = None
        self.room = self._room()
        self.number = 0

    def _room(self) -> DeliveryRoom:
        def failed(words: str | None) -> None:
            self.failed = words

        return DeliveryRoom(
            self.store.settings, self.store, self.wall, database=str(self.file), serial="LR1",
            failed=failed, carry=self.receiver.carry,
        )  # fmt: skip

    async def set(self, to: Delivery) -> None:
        old = self.store.settings.value
        site = msgspec.structs.replace(old.site, time_zone="Europe/Berlin")
        new = msgspec.structs.replace(old, delivery=to, site=site)
        check_sense(new, old)
        await self.store.change_settings(new, WHO, "delivery")

    async def session(self, ended: datetime | None = None) -> int:
        self.number += 1
        at = stamp(ended or self.wall.utc())
        began = TransactionBegan(self.number, "CP1", 1, "=TAG", 1_000, at, at)
        await self.store.commit((began,))
        await self.store.commit((TransactionEnded(self.number, 4_600, at, "Local", at),))
        return self.number

    async def ask(self, ask: Any, kind: Any) -> Any:
        answer = await self.room.ask(ask, WHO)
        assert answer.ok, answer
        return msgspec.json.decode(answer.data, type=kind)

    async def view(self) -> DeliveryView:
        view: DeliveryView = await self.ask(ReadDelivery(), DeliveryView)
        return view

    async def hours(self, count: float) -> None:
        """A session each hour."""
        for _ in range(int(count)):
            await self.session()
            await trio.sleep(HOUR)


async def living(
    tmp_path: Path, start: str, scene: Callable[[Site, Callable[[], Any]], Any],
    to: Delivery = DAILY,
) -> None:  # fmt: skip
    """A box from `start` on; the scene may call `restart`, which ends the room in the middle."""
    wall = WallClock.fixed(datetime.fromisoformat(start))
    file = tmp_path / "linkray.db"
    store = await Store.open(file, Inline(), wall)
    site = Site(store, file, wall, Receiver())
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def run(scope: trio.CancelScope) -> None:
            with scope:
                await site.room.run()

        async def restart() -> None:
            nonlocal scope
            scope.cancel()
            site.room = site._room()
            scope = trio.CancelScope()
            nursery.start_soon(run, scope)
            await trio.sleep(1)

        await site.set(to)
        nursery.start_soon(run, scope)
        await trio.sleep(1)
        await scene(site, restart)
        nursery.cancel_scope.cancel()
    await store.close()


@pytest.mark.parametrize("start", ["2026-03-28T10:00:00+00:00", "2026-10-24T10:00:00+00:00"])
async def test_each_night_sends_the_day_before_once_also_where_clocks_change(tmp_path, start):
    async def scene(site: Site, _restart: Any) -> None:
        await site.hours(4 * 24)
        view = await site.view()
        assert [one.state for one in view.sendings] == ["sent"] * 4
        sent = site.receiver.sessions()
        assert len(set(sent)) == len(sent) == max(sent), "each once, none left out"
        assert [one.until[11:19] for one in view.sendings[::-1]] == (
            ["23:00:00"] + ["22:00:00"] * 3 if "-03-" in start else
            ["22:00:00"] + ["23:00:00"] * 3
        )  # fmt: skip
        assert site.number - max(sent) == view.waiting
        local = [job.made for job in site.receiver.jobs]
        assert {at[14:17] for at in local} == {"01:"}

    await living(tmp_path, start, scene)


async def test_a_month_ends_at_its_last_midnight_and_not_a_minute_later(tmp_path):
    async def scene(site: Site, _restart: Any) -> None:
        last = await site.session(datetime.fromisoformat("2026-11-30T22:59:59+00:00"))
        await site.session(datetime.fromisoformat("2026-11-30T23:00:00+00:00"))
        await trio.sleep(3 * HOUR)
        assert site.receiver.sessions() == [last]
        assert (await site.view()).next == "2026-12-31T23:01:00.000Z"

    monthly = msgspec.structs.replace(DAILY, frequency="monthly")
    await living(tmp_path, "2026-11-30T22:00:00+00:00", scene, monthly)


async def test_what_is_heard_of_late_goes_with_the_next(tmp_path):
    async def scene(site: Site, _restart: Any) -> None:
        first = await site.session()
        await trio.sleep(HOUR)
        late = await site.session(datetime.fromisoformat("2026-11-20T20:00:00+00:00"))
        assert site.receiver.sessions() == [first]
        await trio.sleep(24 * HOUR)
        assert site.receiver.sessions() == [first, late]

    await living(tmp_path, "2026-11-22T22:30:00+00:00", scene)


async def test_a_server_that_refuses_for_a_day_is_asked_for_24_hours_and_then_said(tmp_path):
    async def scene(site: Site, _restart: Any) -> None:
        first = await site.session()
        site.receiver.habit = "refuses"
        await trio.sleep(2 * HOUR)
        view = await site.view()
        assert (view.sendings[0].state, site.failed) == ("waits", None), "shown at once"
        assert view.sendings[0].text == "the server refused it: 553 no room"
        assert view.again is not None
        await trio.sleep(24 * HOUR)
        view = await site.view()
        assert view.sendings[0].state == "failed"
        assert site.failed == "the server refused it: 553 no room"
        lasted = site.receiver.times[-1] - site.receiver.times[0]
        assert 24 * HOUR <= lasted <= 24 * HOUR + 29 * 2.1
        assert len(site.receiver.jobs) == 29
        second = await site.session()
        site.receiver.habit = "takes"
        await trio.sleep(24 * HOUR)
        assert site.failed is None
        assert site.receiver.sessions() == [first, second]
        assert {job.number for job in site.receiver.jobs} == {1, 2}
        names = {job.name for job in site.receiver.jobs if job.number == 1}
        assert len(names) == 1
        assert len({job.message_id for job in site.receiver.jobs if job.number == 1}) == 1

    await living(tmp_path, "2026-11-22T22:30:00+00:00", scene)


async def test_a_restart_between_the_file_and_the_note_sends_the_same_file_again(tmp_path):
    async def scene(site: Site, restart: Any) -> None:
        await site.session()
        site.receiver.habit = "loses_answer"
        await trio.sleep(HOUR / 2 + 80)
        assert len(site.receiver.files) == 1
        await restart()
        site.receiver.habit = "takes"
        await trio.sleep(HOUR)
        view = await site.view()
        assert [one.state for one in view.sendings] == ["sent"]
        assert site.receiver.sessions() == [1]
        assert len(site.receiver.jobs) >= 2
        await trio.sleep(48 * HOUR)
        assert site.receiver.sessions() == [1]

    await living(tmp_path, "2026-11-22T22:30:00+00:00", scene)


async def test_a_server_that_hangs_holds_up_nobody_who_looks(tmp_path):
    async def scene(site: Site, _restart: Any) -> None:
        await site.session()
        site.receiver.habit = "hangs"
        assert (await site.room.ask(SendDelivery(), WHO)).text == "It is being sent"
        await trio.sleep(5)
        began = trio.current_time()
        view = await site.view()
        assert (view.sending, trio.current_time()) == (1, began)
        await trio.sleep(HOUR)
        assert (await site.view()).sendings[0].text == "it was not done within 900 s"

    await living(tmp_path, "2026-11-22T10:00:00+00:00", scene)


async def test_a_box_without_the_time_sends_nothing_by_itself_and_by_hand_all(tmp_path):
    async def scene(site: Site, _restart: Any) -> None:
        await site.session()
        site.wall.ahead = timedelta(days=-20_000)
        await trio.sleep(72 * HOUR)
        view = await site.view()
        assert (view.clock_set, view.next, view.sendings) == (False, None, ())
        site.wall.ahead = timedelta()
        await site.room.ask(SendDelivery(), WHO)
        await trio.sleep(60)
        assert site.receiver.sessions() == [1]

    await living(tmp_path, "2026-11-22T10:00:00+00:00", scene)


async def test_by_hand_nothing_is_sent_that_was_sent(tmp_path):
    async def scene(site: Site, _restart: Any) -> None:
        said = (await site.room.ask(SendDelivery(), WHO)).text
        assert said == "There is nothing to send: every session that has ended was sent"
        await site.session()
        assert (await site.view()).waiting == 1
        await site.room.ask(SendDelivery(), WHO)
        await trio.sleep(60)
        await site.room.ask(SendDelivery(), WHO)
        await trio.sleep(48 * HOUR)
        view = await site.view()
        assert [(one.by, one.sessions, one.state) for one in view.sendings] == [
            ("Installer", 1, "sent")
        ]
        assert view.waiting == 0
        lines = [one.what for one in await site.store.audit_lines()]
        assert lines.count("charge data records sent by hand") == 1

    await living(tmp_path, "2026-11-22T10:00:00+00:00", scene)


async def test_a_test_sends_a_file_without_a_session_and_counts_as_nothing(tmp_path):
    async def scene(site: Site, _restart: Any) -> None:
        await site.session()
        tested = await site.ask(TryDelivery(), DeliveryTested)
        assert tested.taken
        (made,) = site.receiver.files.values()
        assert made.decode().startswith("Charge number,Charger,")
        assert site.receiver.sessions() == []
        assert (await site.view()).sendings == ()
        assert (await site.view()).waiting == 1

    await living(tmp_path, "2026-11-22T10:00:00+00:00", scene)


async def test_a38_a_password_goes_to_the_server_that_it_was_given_for(tmp_path):
    async def scene(site: Site, restart: Any) -> None:
        given = await site.room.ask(SetDeliveryPassword("a canary"), WHO)
        assert given.text == "ftp.example is sent this password"
        await site.ask(TryDelivery(), DeliveryTested)
        await restart()
        await site.ask(TryDelivery(), DeliveryTested)
        assert (await site.view()).has_password
        await site.set(msgspec.structs.replace(DAILY, server="evil.example"))
        await site.ask(TryDelivery(), DeliveryTested)
        assert [job.password for job in site.receiver.jobs] == ["a canary", "a canary", ""]
        assert not (await site.view()).has_password
        await site.set(msgspec.structs.replace(DAILY, security="none", port=DAILY.at_port))
        await site.ask(TryDelivery(), DeliveryTested)
        assert site.receiver.jobs[-1].password == ""  # nor over a line that is less safe
        told = [f"{one.what} {one.old} {one.new}" for one in await site.store.audit_lines()]
        assert not any("canary" in one for one in told)
        long = await site.room.ask(SetDeliveryPassword("x" * 129), WHO)
        assert (long.ok, long.code) == (False, "invalid")
        await site.set(Delivery())
        for ask in (SetDeliveryPassword("x"), TryDelivery(), SendDelivery()):
            assert (await site.room.ask(ask, WHO)).code == "refused"

    await living(tmp_path, "2026-11-22T10:00:00+00:00", scene)


async def test_more_sessions_than_a_file_holds_are_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(deliveries, "SESSIONS_MAX", 3)
    monkeypatch.setattr("linkray.store.db.SESSIONS_MAX", 3)
    monkeypatch.setattr("linkray.records.delivery.plan.SESSIONS_MAX", 3)

    async def scene(site: Site, _restart: Any) -> None:
        for _ in range(7):
            await site.session()
        await site.room.ask(SendDelivery(), WHO)
        await trio.sleep(60)
        assert [one.sessions for one in (await site.view()).sendings] == [1, 3, 3]
        assert site.receiver.sessions() == [1, 2, 3, 4, 5, 6, 7]

    await living(tmp_path, "2026-11-22T10:00:00+00:00", scene)


async def test_a_power_cut_while_sessions_are_taken_leaves_none_out_and_none_twice(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(deliveries, "TAKEN_AT_ONCE", 2)

    async def scene(site: Site, restart: Any) -> None:
        for _ in range(7):
            await site.session()
        write, commits = site.store._write, 0

        async def cut(do: Any, *more: Any, **others: Any) -> Any:
            nonlocal commits
            commits += 1
            if commits == 3:
                await trio.sleep_forever()
            return await write(do, *more, **others)

        monkeypatch.setattr(site.store, "_write", cut)
        await trio.sleep(HOUR)
        monkeypatch.setattr(site.store, "_write", write)
        await restart()
        await trio.sleep(HOUR)
        assert sorted(site.receiver.sessions()) == [1, 2, 3, 4, 5, 6, 7]
        assert sorted(one.sessions for one in (await site.view()).sendings) == [3, 4]

    await living(tmp_path, "2026-11-22T22:30:00+00:00", scene)


@pytest.mark.parametrize(
    ("to", "field"),
    [(Delivery(frequency="daily"), "server"),
     (Delivery(frequency="daily", server="m.example"), "sender"),
     (Delivery(frequency="daily", server="m.example", sender="a@b"), "receivers"),
     (Delivery(protocol="http", security="starttls"), "security"),
     (Delivery(sender="no address"), "sender"),
     (Delivery(receivers="a@b.example;c d@e"), "receivers")],
)  # fmt: skip
def test_settings_that_lead_nowhere_are_refused_with_their_field(to, field):
    settings = Settings(delivery=to)
    with pytest.raises(BadSettings, match=rf"at \$\.delivery\.{field}$"):
        check_sense(settings)
    check_sense(settings, settings)  # an older version let it in




async def test_a_sending_that_broke_off_in_the_middle_is_sent_without_a_restart(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(deliveries, "TAKEN_AT_ONCE", 3)

    async def scene(site: Site, _restart: Any) -> None:
        for _ in range(5):
            await site.session()
        write, commits = site.store._write, 0

        async def breaks_off(*words: Any, **more: Any) -> Any:
            nonlocal commits
            commits += 1
            if commits == 3:  # the line of the audit log, three sessions, the rest
                raise StoreError(StoreError.FULL)
            return await write(*words, **more)

        monkeypatch.setattr(site.store, "_write", breaks_off)
        await site.room.ask(SendDelivery(), WHO)
        await trio.sleep(30)
        assert site.receiver.sessions() == [1, 2, 3]
        await trio.sleep(90)
        assert sorted(site.receiver.sessions()) == [1, 2, 3, 4, 5]
        assert [one.state for one in (await site.view()).sendings] == ["sent", "sent"]
        assert len(site.receiver.jobs) == 2

    await living(tmp_path, "2026-11-22T10:00:00+00:00", scene)
