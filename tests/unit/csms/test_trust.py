"""Whom an uplink trusts is read once, beside the loop, and anew when it has changed on disk."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from tests.unit.csms.authority import Authority

from linkray.csms.address import BadAddress
from linkray.csms.task import CONTEXTS_MAX, Trust

T = TypeVar("T")


class Counted:
    """Work that takes a second, elsewhere."""

    def __init__(self) -> None:
        self.times = 0

    async def run(self, work: Callable[[], T]) -> T:
        self.times += 1
        await trio.sleep(1)
        return work()


def names(context: ssl.SSLContext) -> list[str]:
    """Who is trusted."""
    return [dict(part[0] for part in one["subject"])["commonName"]
            for one in context.get_ca_certs()]  # fmt: skip


async def test_32_uplinks_that_dial_at_once_read_the_authorities_once() -> None:
    elsewhere, ca = Counted(), Authority().pem
    trust = Trust(elsewhere)
    made: list[ssl.SSLContext] = []

    async def dial() -> None:
        made.append(await trust.context(ca))

    async with trio.open_nursery() as nursery:
        for _ in range(32):
            nursery.start_soon(dial)

    assert elsewhere.times == 1
    assert {id(context) for context in made} == {id(made[0])}
    assert len(made) == 32
    assert (made[0].verify_mode, made[0].check_hostname) == (ssl.CERT_REQUIRED, True)
    assert made[0].minimum_version == ssl.TLSVersion.TLSv1_2


async def test_the_systems_authorities_are_read_anew_when_they_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, elsewhere = tmp_path / "all.pem", Counted()
    file.write_text(Authority("first").pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    trust = Trust(elsewhere)

    assert names(await trust.context("")) == ["first"]
    assert names(await trust.context(" \n")) == ["first"]
    fresh = tmp_path / "all.new"
    fresh.write_text(Authority("other").pem)
    fresh.replace(file)

    assert names(await trust.context("")) == ["other"]
    assert elsewhere.times == 2


async def test_each_given_authority_is_trusted_alone_and_few_are_held() -> None:
    elsewhere = Counted()
    trust = Trust(elsewhere)
    pems = [Authority(f"A{n}").pem for n in range(CONTEXTS_MAX + 1)]

    for n, pem in enumerate(pems):
        assert names(await trust.context(pem)) == [f"A{n}"]
    assert sorted(names(await trust.context(pems[0] + pems[1]))) == ["A0", "A1"]
    await trust.context(pems[-1])
    assert elsewhere.times == len(pems) + 1
    await trust.context(pems[0])
    assert elsewhere.times == len(pems) + 2


async def test_a_ca_file_without_a_certificate_is_named_each_time() -> None:
    trust = Trust(Counted())
    for _ in range(2):
        with pytest.raises(BadAddress, match="BEGIN CERTIFICATE"):
            await trust.context("rubbish")
