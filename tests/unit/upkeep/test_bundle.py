"""The support bundle: what is in it, what never is, and its limits."""

from __future__ import annotations

import io
import json
import random
import zipfile

import msgspec
import pytest

from linkray import __version__
from linkray.model.settings import Access, Charger, Csms, Settings
from linkray.model.units import ZERO
from linkray.model.views import ChargerView, ConnectorView, MeterView, PlanView, SiteView, Snapshot
from linkray.upkeep import bundle as upkeep
from linkray.upkeep.bundle import (
    LOG_BYTES_MAX,
    RECORDING,
    BundleTooLarge,
    about,
    bundle,
    last_four,
    log_text,
    without_secrets,
)

MADE = "2026-06-15T12:00:00.000Z"
SETTINGS = Settings(
    chargers=(Charger("C1"),), csms=Csms(url="wss://box:geheim@csms.example/ocpp"),
    access=Access(vip=("04A1B2C3D40001",)),
)  # fmt: skip


def snapshot(*tags: str | None) -> Snapshot:
    plan = PlanView(1, MADE, ZERO, None, ZERO, ())
    connectors = tuple(ConnectorView(n, tag=tag) for n, tag in enumerate(tags, 1))
    return msgspec.convert(
        {"seq": 1, "at": MADE, "site": msgspec.to_builtins(SiteView()),
         "plan": msgspec.to_builtins(plan), "meter": msgspec.to_builtins(MeterView()),
         "chargers": msgspec.to_builtins([ChargerView("C1", connectors=connectors)]),
         "faults": [], "led": {}, "revision": 1}, Snapshot,
    )  # fmt: skip


def opened(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def test_the_bundle_holds_all_its_parts_and_says_what_they_are() -> None:
    packed = bundle(about(MADE, "LR1"), SETTINGS, snapshot("TAG1"), ["a line"], b"recorded")

    parts = opened(packed)
    told = json.loads(parts["about.json"])
    assert set(parts) == {"README.txt", "about.json", "settings.json", "snapshot.json",
                          "linkray.log", RECORDING}  # fmt: skip
    assert all(name.encode() in parts["README.txt"] for name in parts if name != "README.txt")
    assert (told["version"], told["serial"], told["made"]) == (__version__, "LR1", MADE)
    assert "msgspec" in told["packages"]
    assert parts[RECORDING] == b"recorded"
    assert json.loads(parts["snapshot.json"])["plan"]["seq"] == 1


def test_no_secret_and_no_whole_tag_is_in_it() -> None:
    lines = ["session began (tag=04A1B2C3D40001)", "and 04A1B2C3D40001 again", "TAG9 is short"]

    parts = opened(bundle(about(MADE, "LR1"), SETTINGS, snapshot("04A1B2C3D40001", None), lines,
                          b""))  # fmt: skip

    for name, content in parts.items():
        assert b"geheim" not in content, name
        assert b"04A1B2C3D40001" not in content, name
    assert "…0001".encode() in parts["linkray.log"]
    settings = json.loads(parts["settings.json"])
    assert settings["csms"]["url"] == "wss://***@csms.example/ocpp"
    assert settings["access"]["vip"] == ["…0001"]


def test_settings_without_secrets_are_the_same_but_for_them() -> None:
    plain = Settings(chargers=(Charger("C1"),), csms=Csms(url="wss://csms.example/ocpp"))

    assert without_secrets(plain) == plain


@pytest.mark.parametrize(("tag", "shown"), [("", "…"), ("1234", "…"), ("12345", "…2345")])
def test_of_a_tag_four_characters_leave_the_box_and_never_all(tag: str, shown: str) -> None:
    assert last_four(tag) == shown


def test_of_a_long_log_the_newest_lines_are_kept_whole() -> None:
    lines = [f"line {n} " + "x" * 2_000 for n in range(2_000)]

    text = log_text(lines).decode()

    assert len(text.encode()) <= LOG_BYTES_MAX
    assert text.endswith(f"{lines[-1]}\n")
    assert text.startswith("line ")
    assert log_text([]) == b""


def test_a_bundle_that_is_too_large_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "BUNDLE_BYTES_MAX", 100_000)

    with pytest.raises(BundleTooLarge, match="at most 100000 bytes"):
        bundle(about(MADE, "LR1"), SETTINGS, snapshot(), [], bytes(range(256)) * 400)


def test_the_largest_parts_fit_through_the_desk() -> None:
    from linkray.balance.recording import FILE_BYTES_MAX
    from linkray.kit.line import FRAME_BYTES_MAX

    assert FILE_BYTES_MAX + LOG_BYTES_MAX < upkeep.BUNDLE_BYTES_MAX
    assert upkeep.BUNDLE_BYTES_MAX * 4 // 3 + 10_000 < FRAME_BYTES_MAX


def test_the_zip_of_a_box_without_a_clock_can_be_opened() -> None:
    made = "1970-01-01T00:00:07.000Z"

    assert "about.json" in opened(bundle(about(made, "LR1"), SETTINGS, snapshot(), [], b""))


def test_the_ocpp_log_is_in_it_the_newest_first_and_as_much_as_there_is_room_for(
    monkeypatch,
) -> None:
    monkeypatch.setattr(upkeep, "FRAMES_TO", 20_000)
    noise = [bytes(range(256)) * 8, b"\x00" * 2_000_000, random.Random(1).randbytes(30_000)]
    files = [(f"OCPP.{n}", content) for n, content in enumerate(noise)]

    parts = opened(bundle(about(MADE, "LR1"), SETTINGS, snapshot(), [], b"", files))

    assert [name for name in parts if name.startswith("OCPP")] == ["OCPP.0", "OCPP.1"]
    assert parts["OCPP.0"] == noise[0]
