"""The routes of passports: what is asked of control, and what of a file is refused at the door."""

from __future__ import annotations

import json

import pytest
from tests.unit.faces.browser import Box

from linkray.model import asks

FINDING = {"what": "zero", "found": "pauses", "at": "2026-06-15T12:00:00Z", "charger": "CP1",
           "offered": "0 A, then 16 A", "measured": "16 A again after 4 s"}  # fmt: skip
FILE = {"version": 1, "passports": [{"vendor": "Acme", "model": "One", "firmware": "1",
                                     "findings": [FINDING]}]}  # fmt: skip


async def test_passports_are_read_tried_anew_and_imported_by_asks() -> None:
    box = await Box().open()
    browser = await box.signed_in("Installer")

    for method, path, body in (
        ("GET", "/api/v1/passports", None),
        ("GET", "/api/v1/chargers/CP+1/passport", None),
        ("POST", "/api/v1/chargers/CP+1/passport/probe", None),
        ("POST", "/api/v1/passports/import?check=1", FILE),
        ("POST", "/api/v1/passports/import", FILE),
    ):
        assert (await browser.call(method, path, body)).status == 200

    assert box.did[:3] == [
        asks.ReadPassports(), asks.ReadPassport("CP+1"), asks.ProbeAgain("CP+1")
    ]  # fmt: skip
    assert [ask.check_only for ask in box.did[3:]] == [True, False]
    assert all(json.loads(bytes(ask.passports)) == FILE for ask in box.did[3:])


async def test_an_export_is_a_file_to_save() -> None:
    box = await Box().open()
    browser = await box.signed_in("Installer")

    file = await browser.call("GET", "/api/v1/passports/export")

    assert "linkray-passports.json" in file.headers["content-disposition"]
    assert box.did == [asks.ReadPassports()]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"version": "one"}, "$.version"),
        ({"passports": [{"vendor": 3}]}, "$.passports[0].vendor"),
        ({"passports": [{"vendor": "A", "model": "B", "findings": [{"what": "magic"}]}]},
         "$.passports[0].findings[0].what"),
        ({"more": 1}, "$.more"),
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_is_refused_with_the_place(change: dict, path: str) -> None:
    box = await Box().open()
    browser = await box.signed_in("Installer")

    reply = await browser.call("POST", "/api/v1/passports/import", {**FILE, **change})

    assert (reply.status, reply.json["path"]) == (422, path)
    assert box.did == []
