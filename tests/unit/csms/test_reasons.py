"""Why a CSMS could not be had, in words for an installer (csms.md, Connecting)."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio
from tests.unit.csms.authority import DAY, HOST, NOW, Authority
from trio.testing import memory_stream_pair

from linkray.csms.task import client_context, reason


async def refused(server: ssl.SSLContext, ca: str) -> str:
    """Why the handshake with it fails; empty: it does not."""
    near, far = memory_stream_pair()
    why = ""

    async def serve() -> None:
        try:
            await trio.SSLStream(far, server, server_side=True).do_handshake()
        except trio.BrokenResourceError:
            await far.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        try:
            client = trio.SSLStream(near, client_context(ca), server_hostname=HOST)
            await client.do_handshake()
        except trio.BrokenResourceError as error:
            why = reason(error, f"wss://{HOST}")
        await near.aclose()
    return why


async def test_a_certificate_of_the_given_authority_is_taken(tmp_path: Path) -> None:
    authority = Authority()

    assert await refused(authority.server(tmp_path), authority.pem) == ""


@pytest.mark.parametrize("name", ["authority", "another"])
async def test_an_unknown_issuer_is_named(name: str, tmp_path: Path) -> None:
    server = Authority().server(tmp_path)

    assert "unknown issuer" in await refused(server, Authority(name).pem)


async def test_another_name_is_named(tmp_path: Path) -> None:
    authority = Authority()

    assert "another name" in await refused(
        authority.server(tmp_path, "other.example"), authority.pem
    )


async def test_k14_an_expired_certificate_is_named(tmp_path: Path) -> None:
    authority = Authority()
    old = authority.server(tmp_path, since=NOW - 3 * DAY, until=NOW - 2 * DAY)

    assert "has expired" in await refused(old, authority.pem)


async def test_one_that_is_not_valid_yet_is_named(tmp_path: Path) -> None:
    authority = Authority()
    young = authority.server(tmp_path, since=NOW + DAY / 2, until=NOW + DAY)

    assert "not valid yet" in await refused(young, authority.pem)


@pytest.mark.parametrize(
    ("error", "words"),
    [(ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
     (trio.TooSlowError(), "did not answer as a WebSocket"),
     (ssl.SSLError(1, "wrong version number"), "TLS"),
     (trio.BrokenResourceError(), "closed the connection")],
)  # fmt: skip
def test_whatever_else_goes_wrong_has_words(error: Exception, words: str) -> None:
    assert words in reason(error, "ws://csms.example")


def test_tls_is_1_2_or_newer_and_looks_at_certificate_and_name() -> None:
    for ca in ("", Authority().pem):
        context = client_context(ca)

        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
