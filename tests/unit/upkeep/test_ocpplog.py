"""The OCPP log: five files, numbered frames, and nothing in it that a log may not tell."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkray.model.views import Way
from linkray.upkeep import ocpplog
from linkray.upkeep.ocpplog import WITHHELD, FrameLog, content, masked

AT = "2026-06-15T12:00:00.000Z"
TAG = "04A1B2C3D40001"
WORD = "a-password-of-24-letters"


def log(*frames: tuple[str, Way, str]) -> FrameLog:
    made = FrameLog(lambda: datetime.fromisoformat(AT))
    for charger, way, text in frames:
        made.add(charger, way, text)
    return made


def text_of(made: FrameLog, number: int = 0) -> str:
    file = made.file(number)
    assert file is not None
    return content(file[1]).decode()


def test_a_line_is_as_the_manual_has_it() -> None:
    made = log(("CP1", "in", '[2,"1","Heartbeat",{}]'), ("CP1", "out", '[3,"1",{}]'),
               ("CP1", "up", '[2,"1","Heartbeat",{}]'), ("CP1", "down", '[3,"1",{}]'))  # fmt: skip

    assert text_of(made).splitlines() == [
        f'{AT}: [OCPP    ] R CP1 [2,"1","Heartbeat",{{}}]',
        f'{AT}: [OCPP    ] CP1 [3,"1",{{}}]',
        f'{AT}: [CSMS    ] CP1 [2,"1","Heartbeat",{{}}]',
        f'{AT}: [CSMS    ] R CP1 [3,"1",{{}}]',
    ]


def test_five_files_are_kept_and_none_is_longer_than_it_may_be(monkeypatch) -> None:
    monkeypatch.setattr(ocpplog, "FILE_BYTES_MAX", 1_000)
    made = log(*(("CP1", "in", f'[3,"{n}",{{}}]') for n in range(1_000)))

    names = [name for name, _frames in made.files()]
    sizes = [len(content(frames)) for _name, frames in made.files()]
    assert names == ["OCPP", "OCPP.1", "OCPP.2", "OCPP.3", "OCPP.4"]
    assert all(size <= 1_000 for size in sizes)
    assert made.read(0, 1).files == tuple(sizes)
    assert [f.number for _n, frames in reversed(made.files()) for f in frames] == list(
        range(1_001 - sum(len(frames) for _n, frames in made.files()), 1_001)
    )
    assert made.file(5) is None


def test_the_newest_are_read_by_charger_and_way_and_what_found_no_room_is_counted() -> None:
    made = log(*(((f"CP{n % 2}"), ("in", "up")[n % 4 // 2], f'[3,"{n}",{{}}]') for n in range(40)))

    first = made.read(0, 5)
    only = made.read(0, 100, "CP1", ["up"])
    later = made.read(30, 3)

    assert ([f.number for f in first.frames], first.last, first.left_out) == (
        [36, 37, 38, 39, 40], 40, 0,
    )  # fmt: skip
    assert {(f.charger, f.way) for f in only.frames} == {("CP1", "up")}
    assert len(only.frames) == 10
    assert ([f.number for f in later.frames], later.left_out) == ([38, 39, 40], 7)
    assert made.read(40, 9) == type(first)((), 40, 0, first.files)


def test_an_answer_has_its_limit_in_bytes_too(monkeypatch) -> None:
    monkeypatch.setattr(ocpplog, "READ_BYTES_MAX", 100)
    made = log(*(("CP1", "in", f'[3,"{n}","{"x" * 40}"]') for n in range(9)))

    assert [f.number for f in made.read(0, 9).frames] == [8, 9]


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"WORD"}]',
        '[2,"1","ChangeConfiguration",{"value":"WORD","KEY":"authorizationKEY"}]',
        '[2,"1","ChangeConfiguration",{"key":"\\u0041uthorizationKey","value":"WORD"}]',
        '[3,"1",{"configurationKey":[{"key":"WifiPassword","readonly":false,"value":"WORD"}]}]',
        '[2,"1","GetDiagnostics",{"location":"ftp://box:WORD@files.example/up"}]',
        '[2,"1","DataTransfer",{"vendorId":"X","data":"{\\"token\\": \\"WORD\\"}"}]',
        '[2,"1","DataTransfer",{"vendorId":"X","data":{"secret":["WORD", {"a":"WORD"}]}}]',
        '[2,"1","X",{"password":"WORD","password":"other"}]',
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"WORD"',
        "password WORD",
    ],
)  # fmt: skip
def test_no_password_or_key_is_in_it(frame: str) -> None:
    made = log(("CP1", "down", frame.replace("WORD", WORD)))

    assert WORD not in text_of(made)
    assert WORD not in made.read(0, 1).frames[0].text


def test_of_a_tag_the_last_four_are_kept_and_the_rest_of_the_frame_is_as_it_was() -> None:
    frame = '[2, "7", "StartTransaction",{"connectorId":1.50,"idTag":"%s" ,"meterStart":17}]'

    assert masked(frame % TAG) == frame % "…0001"
    assert masked('[2,"8","Authorize",{"idTag":4711000815}]') == (
        '[2,"8","Authorize",{"idTag":"…0815"}]'
    )
    told = masked(f'[3,"8",{{"idTagInfo":{{"status":"Accepted","parentIdTag":"{TAG}"}}}}]')
    assert json.loads(told)[2]["idTagInfo"] == {"status": "Accepted", "parentIdTag": "…0001"}


@pytest.mark.parametrize(
    "frame",
    ['[2,"1","ChangeConfiguration",{"key":"AuthorizationCacheEnabled","value":"false"}]',
     '[3,"1",{"configurationKey":[{"key":"HeartbeatInterval","value":"60"}]}]',
     '[2,"1","UpdateFirmware",{"location":"https://files.example/a@b.bin"}]', "[[[", ""],
)  # fmt: skip
def test_what_tells_no_secret_is_kept_as_it_came(frame: str) -> None:
    assert masked(frame) == frame


def test_what_is_no_json_and_may_name_a_secret_is_not_kept() -> None:
    assert masked("[" * 5_000 + '"idTag"') == WITHHELD


def test_a_frame_is_one_line_whatever_is_in_it() -> None:
    made = log(("CP1\n", "in", '[2,\n"1",\u202e"x"]\r'))

    assert text_of(made).count("\n") == 1
    assert "\u202e" not in text_of(made)


NAMES = st.sampled_from(["idTag", "password", "key", "value", "data", "a", "@"])
TREES = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.just("AuthorizationKey"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(TREES, st.booleans())
def test_whatever_is_said_is_kept_as_json_without_it(tree: object, escaped: bool) -> None:
    secret = {"password": WORD, "deep": [tree], "also": {"key": "AuthorizationKey", "value": WORD}}
    kept = masked(json.dumps([tree, secret], ensure_ascii=escaped))

    assert WORD not in kept
    assert json.loads(kept)[1]["also"]["value"] == "***"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_text_ends_a_link(text: str) -> None:
    made = log(("CP1", "in", text), ("CP1", "in", f'{{"idTag": {text}'))

    text_of(made).encode()
