"""The network between chargers, box and CSMS (trust.md 2, N1, N2, N4, N6)."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest
import trio
from tests.sim.csms_cases import behind, central
from tests.unit.csms.authority import HOST, Authority
from tools.world import Link

SEEDS_A_DAY = 1


def bad(chance: random.Random) -> Link:
    """A line as N1 has it at its worst."""
    return Link(chance, delay_s=chance.uniform(0.05, 0.5), jitter_s=chance.uniform(0.05, 1.5),
                loss=chance.uniform(0.05, 0.3))  # fmt: skip


def fair(chance: random.Random) -> Link:
    return Link(chance, delay_s=0.05, jitter_s=0.05, loss=0.05)


async def test_n1_lines_that_lose_and_delay_cost_time_and_nothing_else(seed: int) -> None:
    to_csms = central(seed)
    to_csms.wire = bad(random.Random(seed))
    async with behind(seed, csms=to_csms, wire=bad) as case:
        await case.charging("C1", "C2")
        await trio.sleep(case.chance.uniform(120, 240))
        await case.ended("C1", "C2")
        await case.s.until(lambda: case.account().stops == 2, 180)

        assert case.account().starts == 2


async def test_n1_five_percent_of_loss_has_no_effect_that_is_seen(seed: int) -> None:
    to_csms = central(seed)
    to_csms.wire = fair(random.Random(seed))
    async with behind(seed, csms=to_csms, wire=fair) as case:
        await case.charging("C1", "C2")
        near = case.s.watch("C1", "C2")
        await trio.sleep(240)

        case.s.went_on(near, 20)
        assert case.s.faults() <= {"default_password"}
        assert to_csms.book.links == {"C1": 1, "C2": 1}
        await case.ended("C1", "C2")


async def test_n2_a_line_that_goes_dead_without_a_word_is_found_by_its_pings(seed: int) -> None:
    async with behind(seed, wire=lambda chance: Link(chance, is_changing=True)) as case:
        await case.charging("C1")
        await trio.sleep(case.chance.uniform(15, 40))
        since = trio.current_time()
        case.csms.wire.half_open()
        await case.s.until(lambda: case.view().state == "away", 61)
        found_s = trio.current_time() - since
        await case.live()

        case.s.wires["C1"].half_open()
        await case.s.until(lambda: bool(case.s.lines("link lost")), 41)
        await case.s.until(lambda: case.victim.is_connected, 60)
        assert found_s <= 61
        await case.ended("C1")


async def test_n2_a_charger_that_is_cut_off_is_found_in_30_s(seed: int) -> None:
    async with behind(seed, wire=lambda chance: Link(chance, is_changing=True)) as case:
        await trio.sleep(case.chance.uniform(15, 40))
        case.victim.power_cut(300)
        await case.s.until(lambda: not case.s.house.views["C1"].value.connected, 31)


class Resolver(trio.abc.HostnameResolver):
    """A name server as a scene has it."""

    def __init__(self) -> None:
        self.is_dead = False
        self.asked = 0

    async def getaddrinfo(self, host: object, *_more: object, **_named: object) -> list[tuple]:
        self.asked += 1
        if self.is_dead:
            await trio.sleep_forever()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, *_more: object) -> tuple[str, str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("is_dead", [False, True])
async def test_n4_without_a_name_server_only_the_csms_is_away(
    seed: int, *, is_dead: bool
) -> None:
    resolver = Resolver()
    resolver.is_dead = is_dead
    async with behind(seed) as case:
        trio.socket.set_custom_hostname_resolver(resolver)
        right, case.s.house.uplinks.connect = case.s.house.uplinks.connect, trio.open_tcp_stream
        case.csms.drop()
        await case.s.until(lambda: "csms" in case.s.faults("C1"), 120)
        await case.charging("C1")
        await trio.sleep(60)

        assert ("within 20 s" if is_dead else "not known") in case.view().text
        assert 1 <= resolver.asked <= 2 * (trio.current_time() / 60 + 1)
        case.s.house.uplinks.connect = right
        await case.live()
        await case.ended("C1")


async def test_n4_a_name_server_that_lies_leads_to_nobody_who_is_believed(
    seed: int, tmp_path: Path
) -> None:
    authority = Authority()
    (tmp_path / "true").mkdir()
    secure = central(seed, tls=authority.server(tmp_path / "true", HOST))
    liar = central(seed + 50, tls=authority.server(tmp_path, "liar.example"))
    async with behind(seed, csms=secure, url=f"wss://{HOST}/ocpp", ca=authority.pem) as case:
        case.s.csms = liar
        secure.drop()
        await case.s.until(lambda: "another name" in case.view().text, 120)
        await case.charging("C1")
        assert "csms" in case.s.faults("C1")
        assert liar.book.links == {}

        case.s.csms = secure
        await case.live()
        await case.ended("C1")


NAT_S = 25.0  # a ping every 20 s (csms.md) passes it; the worst that N6 knows forget after 200 s


class Nat(trio.abc.Stream):
    """A line through a router that forgets it when nothing went either way for so long."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner
        self._used = trio.current_time()
        self.is_forgotten = False

    def _use(self) -> bool:
        self.is_forgotten = self.is_forgotten or trio.current_time() > self._used + NAT_S
        self._used = trio.current_time()
        return not self.is_forgotten

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._use():
            await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        came = bytes(await self._inner.receive_some(max_bytes))
        if not self._use():
            await trio.sleep_forever()
        return came

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_n6_an_idle_line_through_a_forgetful_router_is_kept_open(seed: int) -> None:
    opened: list[Nat] = []
    async with behind(seed) as case:
        to_csms = case.s.house.uplinks.connect

        async def through(host: str, port: int) -> trio.abc.Stream:
            opened.append(Nat(await to_csms(host, port)))
            return opened[-1]

        case.s.house.uplinks.connect = through
        case.csms.drop()
        await case.s.until(lambda: len(opened) == 2, 120)
        await case.live()
        for name in case.names:  # a charger that says nothing of itself for long
            case.s.world.charger(name).keys["HeartbeatInterval"].value = "86400"
        await trio.sleep(400)

        assert not any(nat.is_forgotten for nat in opened)
        assert len(opened) == 2, "\n".join(case.s.lines("CSMS"))
        assert all(link == 2 for link in case.csms.book.links.values())
