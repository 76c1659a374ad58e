"""The routes of what is fitted: what is asked of control, and what is refused at the door."""

from __future__ import annotations

import io
import json
import zipfile

import msgspec
import pytest
from PIL import Image
from tests.unit.faces.browser import Box

from linkray.faces.web.app import build_app
from linkray.faces.web.brand import SHEET, Kept
from linkray.model import asks
from linkray.model.branding import Branding

FILE = {"content-type": "application/octet-stream"}


def logo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 30), (10, 20, 30)).save(out, "PNG")
    return out.getvalue()


def pack(tree: object) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("branding.json", json.dumps(tree))
        archive.writestr("logo.png", logo())
    return out.getvalue()


async def test_files_are_looked_at_and_taken_by_asks_of_their_own() -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    await browser.confirm("Assembler")

    for method, path, body in (
        ("POST", "/api/v1/licence?check=1", b"\xef\xbb\xbfLICENCE"),
        ("POST", "/api/v1/licence", b"LICENCE"),
        ("POST", "/api/v1/meters/own?check=1", b"{}"),
        ("DELETE", "/api/v1/meters/own?name=a%2Fb", None),
        ("DELETE", "/api/v1/certificate", None),
        ("POST", "/api/v1/branding", b"{}"),
        ("POST", "/api/v1/branding?check=1", b"{}"),
    ):
        reply = await browser.call(method, path, body=body, headers=FILE if body else None)
        assert reply.status in {200, 404}, (path, reply.text)

    assert box.did == [
        asks.ImportLicence("LICENCE", check_only=True), asks.ImportLicence("LICENCE"),
        asks.AddMeterFile("{}", check_only=True), asks.DeleteMeterFile("a/b"),
        asks.DropCertificate(), asks.SetBranding(Branding()),
    ]  # fmt: skip


async def test_files_to_save_have_names_that_are_ours() -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")

    for path, name, text in (
        ("/api/v1/certificate/file", "linkray.pem", "CERTIFICATE"),
        ("/api/v1/certificate/request", "linkray.csr", "REQUEST"),
        ("/api/v1/meters/own?name=..%22%0d%0aX: y", "X-y.meter", "{}"),
    ):
        file = await browser.call("GET", path)
        assert (file.headers["content-disposition"], file.text) == (
            f'attachment; filename="{name}"', text
        )  # fmt: skip


@pytest.mark.realtime
async def test_a_brand_with_a_picture_is_drawn_anew_and_looked_at_first() -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    zipped = pack({"Navigation": {"HeadText": "Acme", "HeadImg": "logo.png"}})
    headers = {"content-type": "application/zip"}

    looked = await browser.call("POST", "/api/v1/branding?check=1", body=zipped, headers=headers)
    assert looked.json["image"].startswith("data:image/png;base64,")
    assert box.did == []
    taken = await browser.call("POST", "/api/v1/branding", body=zipped, headers=headers)
    assert taken.status == 200

    (ask,) = box.did
    assert isinstance(ask, asks.SetBranding)
    assert (ask.branding.head_text, ask.branding.image_px) == ("Acme", (60, 30))
    assert ask.branding.image.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        (b'{"Content": {"Button": "#777", "ButtonBack": "#fff"}}', "$", "has 4.5 : 1, "),
        (b'{"Content": {"Button": "#aaa", "ButtonBack": "#fff"}}', "$", "has 2.3 : 1"),
        (b'{"Content": {"Odd": 1}}', "$.Content", "there is no 'Odd'"),
        (b"PK", "$", "zip cannot be read"), (b"\xff", "$", "expected JSON"),
    ],
)  # fmt: skip
async def test_a_brand_that_is_refused_says_why_and_is_not_asked_for(
    body: bytes, path: str, words: str
) -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")

    reply = await browser.call("POST", "/api/v1/branding", body=body, headers=FILE)

    assert (reply.status, reply.json["path"], box.did) == (422, path, [])
    assert words in reply.json["detail"]


async def test_the_brand_is_served_to_everybody_and_named_in_the_session(tmp_path) -> None:
    box = await Box().open()
    brand = Kept(tmp_path)
    box.api._brand = brand
    box.app = build_app(box.api, box.door, {}, ["box"], brand=brand.file)
    empty = await box.browser().call("GET", SHEET)
    assert (empty.status, empty.body) == (200, b"")
    kept = Branding("Acme", "A foot", logo(), (60, 30), colours={"CardBack": "#fafafa"})
    (tmp_path / "branding").write_bytes(msgspec.json.encode(kept))

    css = await box.browser().call("GET", SHEET)
    told = (await box.browser().call("GET", "/api/v1/session")).json["brand"]
    image = await box.browser().call("GET", told["image"])

    assert css.headers["content-type"].startswith("text/css")
    assert "--surface:#fafafa" in css.text
    assert (told["head_text"], told["foot_text"], told["image_px"]) == ("Acme", "A foot", [60, 30])
    assert (image.headers["content-type"], image.body) == ("image/png", logo())
    assert "immutable" in image.headers["cache-control"]


async def test_a_factory_reset_needs_the_name_of_what_is_lost() -> None:
    box = await Box().open()
    browser = await box.signed_in("Assembler")

    wrong = await browser.call("POST", "/api/v1/factory-reset", {"confirm": "another"})
    right = await browser.call("POST", "/api/v1/factory-reset", {"confirm": "LR1"})

    assert (wrong.status, wrong.json["path"]) == (422, "$.confirm")
    assert (right.status, box.did) == (200, [asks.FactoryReset("LR1")])
