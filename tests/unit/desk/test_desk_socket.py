"""The desk over its real socket: asks, pushes, deadlines, clients that stall."""

from __future__ import annotations

import functools
import stat

import msgspec
import pytest
import trio
from tests.unit.desk.stand import HASH, Shelf, desk_of

from linkray.desk.snapshot import Seen
from linkray.desk.task import open_desk, serve_desk
from linkray.faces.client import FACES, SOCKET, ControlAway, DeskClient, ask_once
from linkray.kit.cell import Cell
from linkray.model import asks
from linkray.model.asks import LOCAL, Answer, Who
from linkray.model.views import Snapshot

INSTALLER = Who("Installer", 2, "192.0.2.9")
EV = Who("EV", 1, "192.0.2.9")
CLI = Who("command line", LOCAL)


async def serve(nursery, tmp_path, desk):
    listener = open_desk(tmp_path)
    await nursery.start(functools.partial(serve_desk, listener, desk))


async def test_the_socket_is_for_our_own_user_alone(tmp_path):
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk_of(Shelf()))

        assert stat.S_IMODE((tmp_path / SOCKET).stat().st_mode) == 0o600
        nursery.cancel_scope.cancel()


async def test_the_socket_works_however_deep_the_state_folder_lies(tmp_path):
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    async with trio.open_nursery() as nursery:
        await serve(nursery, deep, desk_of(Shelf()))

        answer = await ask_once(deep, asks.ReadSettings(), INSTALLER)

        assert msgspec.json.decode(answer.data)["revision"] == 1
        nursery.cancel_scope.cancel()


async def test_a_patch_goes_to_the_store_with_its_author_and_what_it_touched(tmp_path):
    shelf = Shelf()
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk_of(shelf))
        patch = msgspec.Raw(b'{"site": {"name": "Yard"}}')

        answer = await ask_once(tmp_path, asks.PatchSettings(patch, 1), INSTALLER)
        late = await ask_once(tmp_path, asks.PatchSettings(patch, 1), INSTALLER)

        assert answer.ok
        assert shelf.settings.value.site.name == "Yard"
        assert shelf.audit == [("Installer", "settings: $.site.name")]
        assert (late.ok, late.code) == (False, "conflict")
        nursery.cancel_scope.cancel()


async def test_a_new_order_of_the_chargers_is_kept_too(tmp_path):
    shelf = Shelf()
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk_of(shelf))
        for order in (["A", "B"], ["B", "A"]):
            chargers = [{"id": name} for name in order]
            patch = msgspec.Raw(msgspec.json.encode({"chargers": chargers}))
            assert (await ask_once(tmp_path, asks.PatchSettings(patch), INSTALLER)).ok

        assert [charger.id for charger in shelf.settings.value.chargers] == ["B", "A"]
        nursery.cancel_scope.cancel()


async def test_a_watcher_gets_one_snapshot_a_second_and_one_at_once_on_news(tmp_path):
    news: Cell[int] = Cell(0)
    client = DeskClient(tmp_path / SOCKET)
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk_of(Shelf(), stirs=[news]))
        await nursery.start(client.run)
        await client.snapshot.wait_newer(0)
        with trio.fail_after(3):
            await trio.sleep(0.4)  # past the least gap
            held = client.snapshot.seq
            news.set(1)
            before = trio.current_time()
            _seq, raw = await client.snapshot.wait_newer(held)

        assert trio.current_time() - before < 0.3
        assert raw is not None
        assert msgspec.json.decode(raw, type=Snapshot).site.commissioned
        seen = client.snapshot.seq
        await trio.sleep(2.4)
        assert 2 <= client.snapshot.seq - seen <= 3
        nursery.cancel_scope.cancel()


async def test_a_storm_of_news_makes_at_most_four_snapshots_a_second(tmp_path):
    news: Cell[int] = Cell(0)
    desk = desk_of(Shelf(), stirs=[news])
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk)
        first = desk.snapshot.seq
        began = trio.current_time()
        for number in range(100):
            news.set(number + 1)
            await trio.sleep(0.01)

        passed_s = trio.current_time() - began
        assert desk.snapshot.seq - first <= 4 * passed_s + 1
        nursery.cancel_scope.cancel()


async def test_an_ask_that_takes_too_long_is_answered_with_timeout(tmp_path):
    async def never(_ask, _who):
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        desk = desk_of(Shelf(), answerers={asks.StartCharging: never})
        await serve(nursery, tmp_path, desk)

        answer = await ask_once(tmp_path, asks.StartCharging("CP1", 1), EV, within_s=0.1)

        assert (answer.ok, answer.code) == (False, "timeout")
        nursery.cancel_scope.cancel()


async def test_a_mistake_in_one_act_is_answered_and_harms_no_other(tmp_path):
    async def broken(_ask, _who):
        raise KeyError("oops")

    async with trio.open_nursery() as nursery:
        desk = desk_of(Shelf(), answerers={asks.StopCharging: broken})
        await serve(nursery, tmp_path, desk)

        answer = await ask_once(tmp_path, asks.StopCharging("CP1", 1), EV)
        again = await ask_once(tmp_path, asks.ReadSettings(), INSTALLER)

        assert (answer.ok, answer.code) == (False, "failed")
        assert again.ok
        nursery.cancel_scope.cancel()


async def test_an_act_is_carried_out_though_its_asker_hangs_up(tmp_path):
    done = trio.Event()
    begun = trio.Event()

    async def slow(_ask, _who):
        begun.set()
        await trio.sleep(0.1)
        done.set()
        return Answer(ok=True)

    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk_of(Shelf(), answerers={asks.SetEmergencyStop: slow}))
        async with trio.open_nursery() as caller:
            caller.start_soon(ask_once, tmp_path, asks.SetEmergencyStop(on=True), EV)
            await begun.wait()
            caller.cancel_scope.cancel()

        with trio.fail_after(2):
            await done.wait()
        nursery.cancel_scope.cancel()


async def test_garbage_on_the_socket_ends_that_client_only(tmp_path):
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk_of(Shelf()))
        async with await trio.open_unix_socket(tmp_path / SOCKET) as stream:
            await stream.send_all(b"\x00\x00\x00\x05junk!")
            with trio.fail_after(2):
                assert await stream.receive_some(100) == b""

        assert (await ask_once(tmp_path, asks.ReadSettings(), INSTALLER)).ok
        nursery.cancel_scope.cancel()


async def read_to_the_end(stream):
    try:
        while await stream.receive_some(1 << 20):
            pass
    except trio.BrokenResourceError:
        pass


async def test_a_client_that_reads_nothing_is_dropped_and_others_are_served(tmp_path, monkeypatch):
    monkeypatch.setattr("linkray.desk.task.WRITE_S", 0.3)
    large = Seen(version="v" * 300_000)  # each snapshot is more than a socket holds
    client = DeskClient(tmp_path / SOCKET)
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk_of(Shelf(), see=lambda: large))
        async with await trio.open_unix_socket(tmp_path / SOCKET) as stalled:
            watch = msgspec.json.encode(asks.Envelope(1, FACES, 5, asks.Watch()))
            await stalled.send_all(len(watch).to_bytes(4, "big") + watch)
            await nursery.start(client.run)
            with trio.fail_after(5):
                seq = 0
                while seq < 3:
                    seq, _raw = await client.snapshot.wait_newer(seq)
                await read_to_the_end(stalled)

        assert client.connected
        nursery.cancel_scope.cancel()


async def test_without_control_the_error_is_clear_and_the_client_comes_back_by_itself(tmp_path):
    with pytest.raises(ControlAway, match="does not run"):
        await ask_once(tmp_path, asks.ReadSettings(), CLI)

    client = DeskClient(tmp_path / SOCKET)
    async with trio.open_nursery() as nursery:
        await nursery.start(client.run)
        assert not client.connected
        async with trio.open_nursery() as control:
            await serve(control, tmp_path, desk_of(Shelf()))
            with trio.fail_after(3):
                await client.snapshot.wait_newer(0)
            assert client.connected
            control.cancel_scope.cancel()
        with trio.fail_after(3):
            while client.snapshot.value is not None:
                await client.snapshot.wait_newer(client.snapshot.seq)
        with pytest.raises(ControlAway):
            await client.ask(asks.ReadSettings(), INSTALLER)
        nursery.cancel_scope.cancel()


async def test_what_control_said_last_is_no_news_once_it_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr("linkray.faces.client.SILENT_S", 2.0)  # a snapshot comes every second
    desk = desk_of(Shelf())
    client = DeskClient(tmp_path / SOCKET)
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk)
        await nursery.start(client.run)
        await client.snapshot.wait_newer(0)
        await trio.sleep(2.2)
        assert client.snapshot.value is not None

        monkeypatch.setattr(desk, "look", lambda: None)  # control hangs; its line stands
        began = trio.current_time()
        with trio.fail_after(4):
            while client.snapshot.value is not None:
                await client.snapshot.wait_newer(client.snapshot.seq)
        assert 0.8 <= trio.current_time() - began <= 3.5
        assert client.connected

        monkeypatch.undo()
        desk.stir()
        with trio.fail_after(3):
            while client.snapshot.value is None:
                await client.snapshot.wait_newer(client.snapshot.seq)
        nursery.cancel_scope.cancel()


async def test_a_password_set_lifts_the_lock_and_shows_in_the_snapshot(tmp_path):
    shelf = Shelf(commissioned=False)
    desk = desk_of(shelf)
    assembler = Who("Assembler", 3)
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk)
        before = await ask_once(tmp_path, asks.ReadSettings(), assembler)
        set_it = await ask_once(tmp_path, asks.SetPassword("Assembler", HASH), assembler)
        after = await ask_once(tmp_path, asks.ReadSettings(), assembler)

        assert (before.code, set_it.ok, after.ok) == ("forbidden", True, True)
        assert not shelf.kept["Assembler"].first
        assert desk.look().site.passwords_changed == shelf.kept["Assembler"].changed != ""
        nursery.cancel_scope.cancel()


async def test_settings_imported_on_site_release_keys_and_charging_but_no_page(tmp_path):
    shelf = Shelf(commissioned=False)
    desk = desk_of(shelf)
    key = Who("key:scada", 2)
    async with trio.open_nursery() as nursery:
        await serve(nursery, tmp_path, desk)
        assert (await ask_once(tmp_path, asks.ReadSettings(), key)).code == "forbidden"
        await ask_once(tmp_path, asks.ImportSettings(msgspec.Raw(b"{}")), CLI)

        assert desk.lock.value.released
        assert (await ask_once(tmp_path, asks.ReadSettings(), key)).ok
        person = await ask_once(tmp_path, asks.ReadSettings(), Who("Assembler", 3))
        assert person.code == "forbidden"
        nursery.cancel_scope.cancel()
