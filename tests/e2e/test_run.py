"""`tools/run`: the whole site in one command, as a newcomer starts it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.box import ROOT, SITE, Client, until
from tools.live import arguments

pytestmark = pytest.mark.realtime

FOR_S = 30
PHASES = 3


def live(*words: str) -> list[str]:
    return [sys.executable, "-m", "tools.live", *words]


def children(pid: int) -> list[int]:
    """The processes that this one has started and that still live."""
    every = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [other for other in every if state_and_parent(other)[1] == str(pid)]


def state_and_parent(pid: int) -> tuple[str, str]:
    """From the kernel; nothing for a process that has gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return words[0], words[1]


def is_over(pid: int) -> bool:
    return state_and_parent(pid)[0] in ("", "Z")


def test_a_site_that_nobody_knows_is_refused_with_the_names_of_those_that_are_known():
    done = subprocess.run(
        live("--site", "nonsuch"), capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "expected a site file or one of carpark32, dc50," in said
    assert said.endswith("got nonsuch")


def test_a_site_may_be_told_by_its_name():
    assert arguments(["--site", "home"]).site == ROOT / "tests" / "sim" / "sites" / "home.toml"


def test_a_path_counts_from_the_folder_it_was_called_in(tmp_path: Path):
    (tmp_path / "home").write_text("")  # no site that is known by this name: a file is nearer
    (tmp_path / "mine.toml").write_text("")
    called = ["--from", str(tmp_path)]
    options = arguments([*called, "--site", "mine.toml", "--state", "kept"])
    assert (options.site, options.state) == (tmp_path / "mine.toml", tmp_path / "kept")
    assert arguments([*called, "--site", "home"]).site == tmp_path / "home"
    assert arguments([*called, "--site", str(SITE)]).site == SITE
    assert arguments([*called, "--state", "/elsewhere"]).state == Path("/elsewhere")
    assert arguments(called).site == SITE


def test_the_command_tells_the_folder_it_was_called_in(tmp_path: Path):
    root, folder = tmp_path / "linkray", tmp_path / "somewhere else"
    for path, text in (
        ("tools/run", (ROOT / "tools" / "run").read_text()), ("tools/setup", "#!/bin/sh\n"),
        (".venv/bin/python", '#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n'),
    ):  # fmt: skip
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(0o755)
    folder.mkdir()
    done = subprocess.run(
        [root / "tools" / "run", "--site", "mine.toml"], capture_output=True, text=True, check=True,
        cwd=folder,
    )  # fmt: skip
    told = [str(root), "-m", "tools.live", "--from", str(folder), "--site", "mine.toml"]
    assert done.stdout.splitlines() == told


def test_a_busy_port_is_said_with_the_option_that_chooses_another(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            live("--state", str(tmp_path / "site"), "--ocpp-port", port, "--ocpps-port", "0"),
            capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"port {port}: Address already in use; choose another with --ocpp-port" in done.stderr


def test_headless_it_ends_by_itself_with_one_line_of_json_and_no_limit_passed():
    done = subprocess.run(
        live("--headless", "--for", str(FOR_S)), capture_output=True, text=True, check=False,
        timeout=FOR_S + 60, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") == 1
    told = json.loads(done.stdout)
    assert told["chargers_connected"] == 8
    assert told["sessions"] >= 1
    assert told["limit_exceeded_s"] == 0
    assert told["led"] == "green blinking"
    assert told["faults"] == []
    assert told["complaints"] == []
    assert told["restarts"] == 0
    assert 0 < told["plan_ms_p50"] <= told["plan_ms_p99"]
    assert told["limit_ma"] == [100_000] * PHASES
    pairs = zip(told["highest_ma"], told["limit_ma"], strict=True)
    assert all(0 < highest <= limit for highest, limit in pairs)
    offered = [sum(offer["offer_ma"][p] for offer in told["offers"]) for p in range(PHASES)]
    assert all(o <= budget for o, budget in zip(offered, told["budget_ma"], strict=True))
    assert any(offered)
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_it_at_once_and_leaves_nobody_behind(tmp_path: Path):
    state = tmp_path / "site"
    words = live("--state", str(state), "--for", "180", *(  # should nobody live to end it
        word for name in ("https", "http", "ocpp", "ocpps") for word in (f"--{name}-port", "0")
    ))  # fmt: skip
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT)
    try:
        until(lambda: "8 chargers" in said.read_text() or process.poll() is not None, 60,
              "the terminal shows eight chargers")  # fmt: skip
        text = said.read_text()
        assert process.poll() is None, text
        found = re.search(r"https://localhost:(\d+)/", text)
        word = re.search(r"Assembler +(\S+)", text)
        assert found, text
        assert word, text
        client = Client(int(found[1]), state / "tls" / "self-made.pem")
        assert client.sign_in("Assembler", word[1]).json()["level"] == 3
        ours = children(process.pid)
        assert len(ours) == 3  # control, faces, world

        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        until(lambda: all(is_over(pid) for pid in ours), 5, "what it started has ended")
        assert "Traceback" not in said.read_text()
        assert "Traceback" not in (state.with_name(f"{state.name}.log")).read_text()
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
