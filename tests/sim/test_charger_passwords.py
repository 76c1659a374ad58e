"""A charger's password: given by hand or told by OCPP, required from then on, shown to nobody.

The whole firmware on virtual time, chargers of the world.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import trio
from tests.sim.csms_cases import behind
from tools.simulator.scene import Scene, scene, single, site
from trio_websocket import wrap_client_stream

from linkray.kit import tls
from linkray.model import asks
from linkray.model.asks import INSTALLER, LOCAL, Answer, AnyAsk, Who

HERE = Who("Assembler", LOCAL, "192.0.2.7")
WORD = "0123456789abcdef0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"


async def ask(s: Scene, wish: AnyAsk) -> Answer:
    return await s.house.desk.ask(wish, HERE, 40.0)


async def link(s: Scene, charger: str = "C1") -> dict[str, Any]:
    answer = await ask(s, asks.ReadChargerLinks())
    found: list[dict[str, Any]] = msgspec.json.decode(answer.data)
    return next(one for one in found if one["charger"] == charger)


async def comes_back(s: Scene, charger: str = "C1") -> None:
    """Its link is cut, and it dials anew."""
    dials = s.world.charger(charger).dials
    s.house.chargers.links[charger].end(1000, "for the test")
    links = s.house.chargers.links
    await s.until(lambda: s.world.charger(charger).dials > dials and charger in links, 120)


async def lines(s: Scene) -> str:
    return " ".join(f"{one.what} {one.old} {one.new}" for one in await s.store.audit_lines(50))


async def test_a30_what_a_charger_was_told_is_required_once_it_has_come_with_it() -> None:
    async with scene(site(60, single("C1"))) as s:
        await s.world.charger("C1").wait_ready()
        assert (await link(s))["password"] == "none"

        told = await ask(s, asks.SetChargerPassword("C1", WORD, tell=True))

        assert told.ok, told.text
        assert s.world.charger("C1").keys["AuthorizationKey"].value == WORD
        assert ((await link(s))["password"], (await link(s))["proved"]) == ("told", False)
        await comes_back(s)
        now = await link(s)
        assert (now["password"], now["proved"], now["by"]) == ("required", True, "Assembler")
        assert now["refused"] == 0


async def test_a30_a_stranger_without_the_password_never_gets_in_and_is_counted() -> None:
    async with scene(site(60, single("C1"))) as s:
        charger = s.world.charger("C1")
        await charger.wait_ready()
        assert (await ask(s, asks.SetChargerPassword("C1", WORD))).ok
        assert (await link(s))["password"] == "required"
        dials = charger.dials

        s.house.chargers.links["C1"].end(1000, "for the test")
        await trio.sleep(300)

        assert charger.dials == dials
        assert "C1" not in s.house.chargers.links
        seen = await link(s)
        assert seen["refused"] > 1
        assert (seen["refused_from"], seen["refused_why"]) == (
            "10.0.0.9", "its password is wrong or missing",
        )  # fmt: skip
        charger.keys["AuthorizationKey"].value = WORD  # somebody types it in at the charger
        await s.until(lambda: "C1" in s.house.chargers.links, 600)
        assert (await link(s))["proved"] is True


async def test_a_charger_that_refuses_the_key_keeps_what_it_had_and_its_password_can_go() -> None:
    async with scene(site(60, single("C1"), single("C2"))) as s:
        charger = s.world.charger("C1")
        await charger.wait_ready()
        del charger.keys["AuthorizationKey"]

        refused = await ask(s, asks.SetChargerPassword("C1", WORD, tell=True))
        away = await ask(s, asks.SetChargerPassword("C9", WORD, tell=True))
        short = await ask(s, asks.SetChargerPassword("C1", "short", tell=True))

        assert (refused.code, refused.text) == ("refused", "The charger answered NotSupported")
        assert (away.code, short.code) == ("unknown", "invalid")
        assert (await link(s))["password"] == "none"
        assert (await ask(s, asks.SetChargerPassword("C2", OTHER))).ok
        assert (await ask(s, asks.RemoveChargerPassword("C2"))).ok
        assert (await ask(s, asks.RemoveChargerPassword("C2"))).code == "unknown"
        await comes_back(s, "C2")
        assert (await link(s, "C2"))["password"] == "none"


async def test_a21_no_password_of_a_charger_is_in_a_log_or_in_the_database() -> None:
    async with scene(site(60, single("C1"))) as s:
        await s.world.charger("C1").wait_ready()
        await ask(s, asks.SetChargerPassword("C1", WORD, tell=True))
        await ask(s, asks.SetChargerPassword("C1", OTHER))

        kept = s.store.recall("charger_passwords") or ""
        frames = " ".join(one.text for one in s.house.frames.read(0, 500, "", ()).frames)
        said = await lines(s)

        assert kept
        for secret in (WORD, OTHER):
            assert secret not in kept + frames + said
        assert "password of C1  told" in said
        assert "password of C1  given" in said


async def test_a30_whoever_has_proved_itself_takes_its_place_from_another_address_at_once() -> None:
    async with scene(site(60, single("C1"))) as s:
        charger = s.world.charger("C1")
        await charger.wait_ready()
        await ask(s, asks.SetChargerPassword("C1", WORD, tell=True))
        await comes_back(s)
        pair = base64.b64encode(f"C1:{WORD}".encode())
        stream = await s.dial("10.0.0.66")()

        await wrap_client_stream(
            s.nursery, stream, "box", "/C1", subprotocols=["ocpp1.6"],
            extra_headers=[(b"Authorization", b"Basic " + pair)],
        )  # fmt: skip
        await trio.sleep(0.5)

        assert s.house.chargers.links["C1"].address == "10.0.0.66"
        assert (await link(s))["refused"] == 0


async def test_a_make_that_restarts_on_its_password_is_not_told_as_soon_as_it_is_there() -> None:
    async with scene(site(60, single("C1"))) as s:
        await s.world.charger("C1").wait_ready()
        seen = s.house.chargers.seen["C1"]
        s.house.chargers.seen["C1"] = msgspec.structs.replace(seen, vendor="ABB", model="TAC")

        early = await ask(s, asks.SetChargerPassword("C1", WORD, tell=True))
        await trio.sleep(60)
        late = await ask(s, asks.SetChargerPassword("C1", WORD, tell=True))

        assert (early.code, "restarts when it is told" in early.text) == ("refused", True)
        assert late.ok


async def test_a_password_of_linkrays_own_never_goes_to_the_csms() -> None:
    async with behind(1, chargers=1, password_in_clear=True) as case:
        told = await ask(case.s, asks.SetChargerPassword("C1", WORD, tell=True))
        assert told.ok, told.text
        knocks = len(case.csms.book.knocks)
        case.victim.disconnect(for_s=90)  # longer than its uplink is kept without it
        await case.s.until(lambda: len(case.csms.book.knocks) > knocks, 400)

        assert case.s.house.chargers.links["C1"].proved
        assert {knock.authorization for knock in case.csms.book.knocks} == {None}


async def test_a_password_that_is_required_no_more_is_still_none_of_the_csmss_business() -> None:
    async with behind(1, chargers=1, password_in_clear=True) as case:
        assert (await ask(case.s, asks.SetChargerPassword("C1", WORD, tell=True))).ok
        await comes_back(case.s)
        assert (await ask(case.s, asks.RemoveChargerPassword("C1"))).ok
        knocks = len(case.csms.book.knocks)
        case.victim.disconnect(for_s=90)
        await case.s.until(lambda: len(case.csms.book.knocks) > knocks, 400)

        now = await link(case.s)
        assert (now["password"], now["proved"]) == ("none", False)
        assert {knock.authorization for knock in case.csms.book.knocks} == {None}
        assert not (await ask(case.s, asks.RemoveChargerPassword("C1"))).ok


async def test_a_second_password_is_not_told_before_the_first_was_seen() -> None:
    async with scene(site(60, single("C1"))) as s:
        await s.world.charger("C1").wait_ready()
        assert (await ask(s, asks.SetChargerPassword("C1", WORD, tell=True))).ok

        again = await ask(s, asks.SetChargerPassword("C1", OTHER, tell=True))

        assert (again.code, "has not come with it yet" in again.text) == ("refused", True)
        await comes_back(s)
        assert (await link(s))["proved"]
        assert (await ask(s, asks.SetChargerPassword("C1", OTHER, tell=True))).ok


async def test_a30_who_may_not_take_a_password_away_does_not_delete_its_charger() -> None:
    async with scene(site(60, single("C1"), single("C2"))) as s:
        await s.world.charger("C1").wait_ready()
        await ask(s, asks.SetChargerPassword("C1", WORD))
        installer = Who("Installer", INSTALLER, "192.0.2.8")

        # asked behind the desk, which lets nobody but who is on site in before commissioning
        refused = await s.house._delete_chargers(asks.DeleteCharger(("C1",)), installer)
        other = await s.house._delete_chargers(asks.DeleteCharger(("C2",)), installer)

        assert (refused.code, other.ok) == ("refused", True)
        assert "only the Assembler" in refused.text


async def test_a_deleted_chargers_password_goes_with_it() -> None:
    async with scene(site(60, single("C1"), single("C2"))) as s:
        await s.world.charger("C1").wait_ready()
        await ask(s, asks.SetChargerPassword("C1", WORD))
        assert (await ask(s, asks.DeleteCharger(("C1",)))).ok
        assert "C1" not in s.house.proofs.kept


async def test_back_to_the_self_made_certificate_removes_client_certificates_too() -> None:
    async with scene(site(60, single("C1"))) as s:
        tls.own_certificate(s.folder / "tls")
        assert (await ask(s, asks.MakeClient("Ann", 3, "a word for the file"))).ok
        assert (await ask(s, asks.RequireClients(3, on=True))).ok  # at the command line

        assert (await ask(s, asks.DropCertificate())).ok

        held = msgspec.json.decode((await ask(s, asks.ReadClients())).data)
        assert (held["certificates"], held["required"]) == ([], [])
        assert not list((s.folder / "clients").iterdir())


async def test_the_network_and_the_neighbours_are_told_as_the_board_has_them() -> None:
    async with scene(site(60, single("C1"))) as s:
        await s.world.charger("C1").wait_ready()

        seen = msgspec.json.decode((await ask(s, asks.ReadNetwork())).data)
        near = msgspec.json.decode((await ask(s, asks.ReadNeighbours())).data)

        assert (seen["route"], seen["preferred"], seen["simulated"]) == ("eth0", "eth0", True)
        assert [one["name"] for one in seen["links"]] == ["eth0", "wlan0", "wwan0"]
        assert (seen["sim"], seen["serial"]) == ("absent", s.board.identity.serial)
        assert near == [
            {"kind": "charger", "address": "10.0.0.9", "charger": "C1"},
            {"kind": "gateway", "address": "192.0.2.1", "charger": ""},
        ]
