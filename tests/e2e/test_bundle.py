"""The support bundle of a box that runs: by command line and over HTTPS, and replayed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.box import Box, box_in, until

from linkray.balance.recording import from_file
from linkray.upkeep.bundle import RECORDING

pytestmark = pytest.mark.realtime
ROOT = Path(__file__).parents[2]
SETTINGS = {
    "version": 1,
    "site": {"name": "Mill Lane", "limit_ma": [63_000, 50_000, 40_000]},
    "chargers": [{"id": "M1", "connection": "L2"}],
    "csms": {"url": "wss://box:geheim@csms.example/ocpp"},
}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A commissioned box that runs."""
    with box_in(tmp_path_factory.mktemp("bundle")) as made:
        made.import_settings(SETTINGS)
        made.set_passwords()
        made.start_control()
        made.start_web()
        yield made


def replayed(file: Path) -> dict:
    run = subprocess.run([sys.executable, "-m", "tools.replaying", str(file), "--json"], cwd=ROOT,
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_bundle_of_the_command_line_replays_to_identical_plans(
    box: Box, tmp_path: Path
) -> None:
    file = tmp_path / "bundle.zip"

    def plans() -> bool:
        box.do("bundle", str(file))
        return replayed(file)["plans"] >= 3

    until(plans, 15, "three plans in the bundle")
    told = replayed(file)
    assert told["identical"]
    assert told["segments"] == 1


def test_the_bundle_comes_over_https_to_installers_and_nobody_below(box: Box) -> None:
    client = box.client(box.key("write"))
    answer = client.ask("GET", "/api/v1/support-bundle")

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="linkray-' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as parts:
        assert b"control is up" in parts.read("linkray.log")
        assert b"geheim" not in b"".join(map(parts.read, parts.namelist()))
        assert from_file(parts.read(RECORDING)).segments
    reader = box.client(box.key("read"))
    assert reader.ask("GET", "/api/v1/support-bundle").status == 403


def test_without_control_there_is_no_bundle_and_that_is_said(tmp_path: Path) -> None:
    with box_in(tmp_path) as made:
        done = made.command("bundle", str(tmp_path / "x.zip"))

    assert done.returncode == 1
    assert "control is not running" in done.stderr
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no recording"])
def test_a_file_that_is_none_is_said_in_words(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)

    run = subprocess.run([sys.executable, "-m", "tools.replaying", str(file)], cwd=ROOT,
                         capture_output=True, text=True, check=False)  # fmt: skip

    assert run.returncode == 1
    assert "xpected" in run.stderr
    assert "Traceback" not in run.stderr
