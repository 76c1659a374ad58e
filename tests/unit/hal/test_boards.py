"""The description file chooses the backend and its wiring (board.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkray.hal.boards import BadBoard, load
from linkray.hal.files import write_synced

SHIPPED = Path(__file__).parents[3] / "board" / "sim" / "board.toml"


def test_the_shipped_description_is_the_simulated_board(tmp_path):
    board = load(SHIPPED, tmp_path / "state")
    assert (board.name, board.simulated, board.licence) == ("sim", True, 32)
    assert board.serial.device == tmp_path / "state" / "serial0"


def test_a_box_is_the_same_one_at_every_start_and_no_two_are_alike(tmp_path):
    first = load(SHIPPED, tmp_path / "one").identity
    assert load(SHIPPED, tmp_path / "one").identity == first
    other = load(SHIPPED, tmp_path / "two").identity
    assert other.serial != first.serial
    assert other.mac != first.mac
    assert first.mac.startswith("02:")
    assert len(first.mac) == 17


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "x"\nbackend = "moon"', "expected a backend out of sim, got 'moon'"),
        ('name = "x"', "missing required field `backend`"),
        ("name = ", "board.toml"),
        ('name = "x"\nbackend = "sim"\nwatchdogs = 3', "unknown field `watchdogs`"),
        ('name = "x"\nbackend = "sim"\nwatchdog_s = "long"', "watchdog_s"),
    ],
)
def test_a_bad_description_is_refused_by_name(tmp_path, text, words):
    file = tmp_path / "board.toml"
    file.write_text(text)
    with pytest.raises(BadBoard) as refused:
        load(file, tmp_path / "state")
    assert words in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_damaged_identity_is_told_and_not_replaced(tmp_path):
    load(SHIPPED, tmp_path)
    (tmp_path / "identity.json").write_text("{")
    with pytest.raises(OSError, match="expected serial and mac"):
        load(SHIPPED, tmp_path)
    assert (tmp_path / "identity.json").read_text() == "{"


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    file = tmp_path / "word"
    write_synced(file, b"one")
    write_synced(file, b"two")
    assert file.read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["word"]
