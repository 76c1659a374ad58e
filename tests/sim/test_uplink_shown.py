"""What people see and do of the uplinks: how each stands, trying out, passwords, set aside."""

from __future__ import annotations

import msgspec
import trio
from tools.simulator.scene import Scene, scene, single, site
from tools.world.csms import Csms
from tools.world.operator import Operator

from linkray.model import asks
from linkray.model.asks import Answer, Who
from linkray.model.settings import Csms as CsmsSettings
from linkray.model.settings import Settings
from linkray.model.views import CsmsQueue, SetAsideMessage, UplinkTested, UplinkView

C = [single(f"C{n}") for n in range(1, 3)]
URL = "ws://csms.example/ocpp"
INSTALLER = Who("Installer", 2)
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"
WORD = "a-password-of-24-letters"


def passed(url: str = URL) -> Settings:
    return msgspec.structs.replace(site(60, *C), csms=CsmsSettings(url, password_in_clear=True))


def uplink(s: Scene, charger: str) -> UplinkView:
    shown = {one.charger: one for one in s.house.desk.look().uplinks}
    return shown.get(charger, UplinkView(charger))


async def tried(s: Scene, **more: str) -> str:
    answer = await s.ask(asks.TryUplink(**{"url": URL, **more}), 60)
    assert answer.ok, answer
    found = msgspec.json.decode(answer.data, type=UplinkTested)
    return f"{'well' if found.reached else 'not'}: {found.text}"


async def test_a39_trying_out_keeps_a_password_back_that_anybody_could_read() -> None:
    central = Csms(path="/ocpp", passwords=WORD)
    bare = CsmsSettings(URL)
    async with scene(msgspec.structs.replace(site(60, *C), csms=bare), csms=central) as s:
        told = await tried(s, password=WORD)
        assert told.startswith("not: ")
        assert "401" in told
        assert told.endswith("the password was kept back, for without TLS anybody could read it")


async def linked(s: Scene, central: Csms) -> None:
    for charger in C:
        await central.wait_linked(charger.id, within_s=90)
    await s.until(lambda: all(uplink(s, c.id).state == "live" for c in C), 60)


async def test_trying_a_csms_out_says_in_words_what_is_wrong_and_ends_no_link() -> None:
    central = Csms(path="/ocpp", passwords=WORD)
    async with scene(passed(), csms=central) as s:
        await s.ask(asks.SetUplinkPassword("", WORD))
        await linked(s, central)
        links = {name: link.number for name, link in central.links.items()}

        assert await tried(s) == "well: the CSMS lets it in: ocpp1.6, in 0.0 s"
        assert "404: it does not know this address" in await tried(s, url=f"{URL}/no", password="")
        assert "401: the password is wrong" in await tried(s, password="another word")
        assert "401: the password is wrong" in await tried(s, url="ws://csms.example/ocpp/")
        assert "begins with ws:// or wss://" in await tried(s, url="https://csms.example")
        assert "TLS with the CSMS failed" in await tried(s, url="wss://csms.example/ocpp")
        assert "with a certificate in PEM" in await tried(s, url="wss://csms.example/", ca="no")

        central.choose_subprotocol("ocpp2.0.1")
        assert "does not speak WebSocket with ocpp1.6" in await tried(s)
        central.choose_subprotocol(None)
        assert "does not confirm ocpp1.6" in await tried(s)
        central.obey()
        central.refuse(503)
        assert "503: it is out of service" in await tried(s)
        central.redirect("ws://elsewhere.example")
        assert "somewhere else" in await tried(s)
        central.obey()
        central.say_nothing()
        assert "did not answer as a WebSocket" in await tried(s)
        central.obey()
        central.flap(0)
        assert "closed it at once" in await tried(s)
        central.obey()

        assert {name: link.number for name, link in central.links.items()} == links
        assert central.complaints == []


async def test_a_charger_that_is_connected_is_not_dialled_a_second_time() -> None:
    central = Csms(path="/ocpp")
    async with scene(passed(), csms=central) as s:
        await linked(s, central)
        knocks = len(central.book.knocks)

        refused = await s.ask(asks.TryUplink(f"{URL}/other", charger="C1"))
        assert (refused.code, len(central.book.knocks)) == ("refused", knocks)
        central.cut()
        await s.until(lambda: uplink(s, "C1").state == "away", 60)
        central.restore()
        assert "lets it in" in await tried(s, charger="C1")


async def test_an_installer_tries_what_is_set_and_nothing_else() -> None:
    central = Csms(path="/ocpp")
    async with scene(passed(), csms=central) as s:
        desk = s.house.desk
        assert (await s.ask(asks.SetPassword("Assembler", HASH))).ok

        assert (await desk.ask(asks.TryUplink(URL), INSTALLER, 60)).ok
        for other in (
            asks.TryUplink("ws://10.0.0.1"), asks.TryUplink(URL, "north"),
            asks.TryUplink(URL, password="guess"), asks.TryUplink(URL, ca="PEM"),
        ):  # fmt: skip
            assert (await desk.ask(other, INSTALLER)).code == "forbidden"
        assert (await desk.ask(asks.SetUplinkPassword("C1", WORD), INSTALLER)).code == "forbidden"


async def test_a_password_by_hand_is_said_from_the_next_link_on_and_shown_to_nobody() -> None:
    central = Csms(path="/ocpp", passwords={"C1": WORD, "C2": f"{WORD}-2"})
    async with scene(passed(), csms=central) as s:
        await s.until(lambda: "401" in uplink(s, "C1").text, 60)
        assert not uplink(s, "C1").has_password

        for charger, word in (("C1", WORD), ("C2", f"{WORD}-2")):
            answer: Answer = await s.ask(asks.SetUplinkPassword(charger, word))
            assert answer.text == f"The uplink of {charger} uses this password"
        await linked(s, central)
        assert uplink(s, "C1").has_password
        told = msgspec.json.encode(s.house.desk.look()) + b"".join(
            [str(line).encode() for line in await s.store.audit_lines(50)]
        )
        assert WORD.encode() not in told
        assert b"password of the uplink of C1" in told

        await s.restart()
        await linked(s, central)

        assert (await s.ask(asks.SetUplinkPassword("C9", WORD))).code == "unknown"
        assert (await s.ask(asks.SetUplinkPassword("C1", "x" * 129))).code == "invalid"
        assert (await s.ask(asks.SetUplinkPassword("C1", "a\nb"))).code == "invalid"


async def test_a_password_for_all_belongs_to_its_address_alone() -> None:
    central = Csms(path="/ocpp", passwords=WORD)
    async with scene(passed(), csms=central) as s:
        assert (await s.ask(asks.SetUplinkPassword("", WORD))).text == (
            "All uplinks use this password"
        )
        await linked(s, central)
        s.settings = passed("ws://other.example/ocpp")
        await s.store.change_settings(s.settings, Who("test", 4), "another CSMS")
        await s.until(lambda: "401" in uplink(s, "C1").text, 90)

        await s.store.change_settings(passed(""), Who("test", 4), "none")
        refused = await s.ask(asks.SetUplinkPassword("", WORD))
        assert refused.code == "refused"


async def test_k13_who_sets_another_address_is_told_what_stays_for_the_former_and_may_let_it_go(
) -> None:
    central, other = Csms(path="/ocpp"), "ws://other.example/ocpp"

    async def queues() -> dict[str, CsmsQueue]:
        told = await s.ask(asks.ReadQueues())
        return {one.csms: one for one in msgspec.json.decode(told.data, type=list[CsmsQueue])}

    def patch(url: str) -> asks.PatchSettings:
        return asks.PatchSettings(msgspec.Raw(msgspec.json.encode({"csms": {"url": url}})))

    async with scene(passed(), csms=central) as s:
        await linked(s, central)
        s.charge("C1", "C2")
        await s.until(lambda: bool(central.book.transactions("C2")), 90)
        central.cut()
        await trio.sleep(130)
        s.world.charger("C1").unplug()
        await trio.sleep(20)
        was = (await queues())[URL]
        assert was.is_set
        assert (was.chargers, was.sessions) == (2, 1)

        told = await s.ask(patch(other))
        await trio.sleep(60)
        former = (await queues())[URL]
        answer = await s.ask(asks.ReadQueue(URL))
        kept = msgspec.json.decode(answer.data, type=list[SetAsideMessage])
        assert told.text == (
            f"Kept for {URL} alone, until it is set again or they are let go: "
            f"{was.messages} messages of 2 chargers and what follows of 1 session"
        )
        assert not former.is_set
        assert former.messages > was.messages, "of the session that runs"
        assert "StopTransaction" in [one.action for one in kept]
        assert [one.number for one in kept][-1] == former.newest or len(kept) == 50

        refused = [await s.ask(asks.LetQueueGo(url, 99)) for url in (other, "ws://nobody.example")]
        gone = await s.ask(asks.LetQueueGo(URL, former.newest))
        assert [one.ok for one in refused] == [False, False]
        assert gone.text == f"{former.messages} messages let go"
        assert (await queues())[URL].messages == 0
        lines = [(line.what, line.old) for line in await s.store.audit_lines(5)]
        assert ("messages for a former CSMS let go", f"{former.messages} messages for {URL}"
                ) in lines  # fmt: skip
        assert (await s.ask(patch(URL))).text == "", "nothing waits for the other"


async def test_what_waits_is_shown_with_its_age_the_attempts_and_the_next_one() -> None:
    central = Csms(path="/ocpp")
    async with scene(passed(), csms=central) as s:
        await linked(s, central)
        central.cut()
        s.charge("C1")
        await s.until(lambda: uplink(s, "C1").waiting > 0 and uplink(s, "C1").attempts > 1, 300)
        shown = uplink(s, "C1")
        assert shown.state == "away"
        assert shown.next_attempt is not None
        assert s.wall.stamp() < shown.next_attempt
        await trio.sleep(10)
        first = uplink(s, "C1").oldest
        assert first is not None
        assert first < s.wall.stamp()

        central.restore()
        central.answer_error("StartTransaction", times=3)
        await s.until(lambda: uplink(s, "C1").set_aside > 0, 300)
        await s.until(lambda: uplink(s, "C1").waiting == 0, 300)
        shown = uplink(s, "C1")
        assert (shown.oldest, shown.attempts, shown.next_attempt) == (None, 0, None)

        answer = await s.ask(asks.ReadSetAside())
        found = msgspec.json.decode(answer.data, type=list[SetAsideMessage])
        assert found[0].action == "StartTransaction"
        assert found[0].why.startswith("InternalError")
        assert found[0].at == first
        assert len(found) == shown.set_aside


async def test_what_was_set_aside_is_said_again_when_somebody_says_so() -> None:
    central = Csms(path="/ocpp")
    async with scene(passed(), csms=central) as s:
        await linked(s, central)
        central.answer_error("StartTransaction", times=3)
        s.charge("C1")
        await s.until(lambda: uplink(s, "C1").set_aside > 0, 300)
        s.world.charger("C1").unplug()
        await s.until(lambda: uplink(s, "C1").waiting == 0 and uplink(s, "C1").set_aside > 2, 300)
        assert not central.book.transactions("C1")
        kept = uplink(s, "C1").set_aside

        answer = await s.ask(asks.SayAgain())
        assert answer.text == f"{kept} messages wait again"
        await s.until(lambda: uplink(s, "C1").waiting == 0, 60)
        (found,) = central.book.transactions("C1")
        assert found.stops, "with its own stop"
        assert uplink(s, "C1").set_aside == 0
        assert (await s.ask(asks.SayAgain())).text == "Nothing waits again"
        assert (await s.ask(asks.RemoveSetAside())).text == "Nothing is set aside"
        lines = [line.what for line in await s.store.audit_lines()]
        assert "what was set aside of all chargers is said again" in lines


async def test_what_was_set_aside_is_removed_when_somebody_says_so() -> None:
    central = Csms(path="/ocpp")
    async with scene(passed(), csms=central) as s:
        await linked(s, central)
        central.answer_error("StartTransaction", times=3)
        s.charge("C1")
        await s.until(lambda: uplink(s, "C1").set_aside > 0, 300)
        s.world.charger("C1").unplug()
        await s.until(lambda: uplink(s, "C1").waiting == 0, 300)
        kept = uplink(s, "C1").set_aside
        await s.restart()
        await s.until(lambda: uplink(s, "C1").set_aside == kept, 60)

        assert (await s.ask(asks.RemoveSetAside("C2"))).text == "Nothing is set aside"
        assert (await s.ask(asks.RemoveSetAside("C1"))).text == f"{kept} messages removed"
        await s.until(lambda: uplink(s, "C1").set_aside == 0, 5)
        assert await s.store.set_aside(0, 9) == ()
        assert not central.book.transactions("C1")


async def test_every_frame_to_and_from_the_csms_is_in_the_log_and_no_password_is() -> None:
    central = Csms(path="/ocpp")
    async with scene(passed(), csms=central) as s:
        s.house.chargers.ocpp_log = s.house.frames.add
        await linked(s, central)
        await s.until(lambda: bool(s.house.frames.read(0, 1, "C1", ("in",)).frames), 90)
        operator = Operator(central, "C1")
        assert (await operator.change_configuration("AuthorizationKey", WORD)).status == "Accepted"
        await s.until(lambda: uplink(s, "C1").has_password, 30)

        told = [msgspec.json.decode(f.text) for f in s.house.frames.read(0, 500, "C1").frames]
        up = [f.text for f in s.house.frames.read(0, 500, "C1", ("up",)).frames]
        assert [one.text for one in central.book.told["C1"]] == [
            text for text in up if text.startswith("[2")
        ]
        assert ["AuthorizationKey", "***"] in [
            [one[3]["key"], one[3]["value"]] for one in told if one[2] == "ChangeConfiguration"
        ]
        assert WORD not in str(told)


async def test_a_restart_of_linkray_costs_no_charger_its_link_for_a_minute() -> None:
    """What was kept is said before the charger is back: the link waits for it."""
    central = Csms(path="/ocpp")
    async with scene(passed(), csms=central) as s:
        await linked(s, central)
        central.cut()
        s.charge("C1")
        await s.until(lambda: uplink(s, "C1").waiting > 0, 120)
        central.restore()
        links = central.book.links["C1"]

        s.world.charger("C1").disconnect(for_s=20)
        await s.restart()
        await s.until(lambda: bool(central.book.of("StartTransaction", "C1")), 30)
        await s.until(lambda: uplink(s, "C1").state == "live", 45)

        assert central.book.links["C1"] == links + 1
